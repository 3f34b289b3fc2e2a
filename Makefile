# What a person types. Each target says what it needs and makes it: a fresh Debian 12 with
# python3 and python3-venv needs nothing but `make demo` or `make test`.

# The first of these that is 3.11 or newer and can make environments is used.
PYTHON ?= python3 python3.13 python3.12 python3.11
PYTEST_FLAGS ?=
# Tests that run at once: most of them wait rather than work. A file stays in one process: its costly fixtures are
# made once, and the attacks that signal everybody do not meet each other.
JOBS ?= $(shell echo $$((2 * $$(nproc))))
SECONDS ?= 600

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check

# PROGRAM:PACKAGE or /FILE*:PACKAGE, Debian's names. The tests that need one of these are skipped without it,
# and tests/test_tools.py fails where one that a test or a plugin needs is not here.
TOOLS := \
  cargo:cargo \
  chromium:chromium \
  curl:curl \
  gcc:build-essential \
  go:golang-go \
  gofmt:golang-go \
  java:default-jdk-headless \
  javac:default-jdk-headless \
  jq:jq \
  make:make \
  nginx:nginx-light \
  nmap:nmap \
  node:nodejs \
  openssl:openssl \
  parallel:parallel \
  perl:perl \
  /usr/share/cargo/registry/serde_json-*:librust-serde-json-dev \
  shellcheck:shellcheck \
  sslscan:sslscan \
  tmux:tmux \
  unshare:util-linux \
  whatweb:whatweb

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench fuzz tools clean

help:
	@echo 'make demo    scan a weak web site on loopback and show what was found'
	@echo 'make test    format, lint, types, tests'
	@echo 'make lint    format, lint, types'
	@echo 'make bench   measure (benchmarks/)'
	@echo 'make fuzz    ten minutes of fuzzing the protocol (SECONDS=60 for another time)'
	@echo 'make tools   install the programs that the plugins and the tests use (Debian)'
	@echo 'make clean   remove what these made'

demo: $(VENV)/.stamp-demo
	@$(BIN)/kastrun demo
	@command -v kastrun >/dev/null || echo 'To have kastrun as a command in this shell: . $(BIN)/activate'

test: lint
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(PYTEST_FLAGS)

lint: $(VENV)/.stamp-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.stamp-dev
	@$(BIN)/python benchmarks/all.py

fuzz: $(VENV)/.stamp-dev
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(PIP) -e '.[fuzz]'
	@$(BIN)/python tests/fuzz/campaign.py $(SECONDS)

# A stamp is newer than pyproject.toml once what that asks for is installed.
$(VENV)/.stamp-demo: pyproject.toml | $(BIN)/python
	@echo 'installing kastrun with its tls and waf extras into $(VENV) (about a minute)'
	@$(PIP) -e '.[tls,waf]'
	@touch $@

$(VENV)/.stamp-dev: pyproject.toml | $(BIN)/python
	@echo 'installing kastrun with its development tools into $(VENV) (about a minute)'
	@$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.stamp-demo

$(BIN)/python:
	@for python in $(PYTHON); do \
	  if "$$python" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "making $(VENV) with $$("$$python" --version)"; exec "$$python" -m venv $(VENV); \
	  fi; \
	done; \
	echo 'error: no Python 3.11 or newer that can make environments (tried: $(PYTHON))' >&2; \
	echo 'hint: apt-get install python3 python3-venv, or name one: make PYTHON=/path/to/python3.12 …' >&2; \
	exit 1

tools:
	@missing=; for tool in $(TOOLS); do \
	  case $$tool in \
	    /*) ls -d $${tool%%:*} ;; \
	    *) PATH="$$PATH:/usr/local/sbin:/usr/sbin:/sbin" command -v "$${tool%%:*}" ;; \
	  esac >/dev/null 2>&1 || missing="$$missing $${tool#*:}"; \
	done; \
	if [ -z "$$missing" ]; then echo 'every program is installed'; exit 0; fi; \
	echo "not installed yet:$$missing"; \
	if ! command -v apt-get >/dev/null; then \
	  echo 'hint: this target knows only Debian and its like: install them with your own package manager' >&2; exit 1; \
	fi; \
	if [ "$$(id -u)" = 0 ]; then as_root=; elif command -v sudo >/dev/null; then as_root=sudo; else \
	  echo "hint: as root: apt-get update && apt-get install$$missing" >&2; exit 1; \
	fi; \
	echo "+ $$as_root apt-get update && $$as_root apt-get install$$missing"; \
	$$as_root apt-get -qq update && \
	$$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends $$missing

clean:
	rm -rf $(VENV) build dist benchmarks/out .pytest_cache .mypy_cache .ruff_cache .hypothesis .fuzz
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
