"""What the fuzzer begins with, what it found, and what hypothesis makes of the same questions."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from fuzz import campaign
from fuzz_oracle import SECRET, SHORT_LINE, everything
from hypothesis import example, given
from hypothesis import strategies as st
from protocol_examples import messages

from kastrun.protocol import codec


@pytest.fixture(autouse=True, scope="module")
def short_lines() -> object:
    """As the fuzzer has them."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch.setattr(codec, "MAX_LINE", SHORT_LINE)


def test_no_seed_is_a_find() -> None:
    for seed in campaign.seeds():
        everything(seed)


def test_no_find_is_one_any_more() -> None:
    for find in (Path(__file__).parent / "fuzz" / "finds").glob("*"):
        everything(find.read_bytes())


PIECES = st.one_of(
    messages().map(lambda message: repr(message).replace("'", '"').encode()),
    st.sampled_from([*campaign.seeds()][:80]).map(lambda seed: seed.partition(b"\n")[2]),
    st.sampled_from([*campaign.ODD, b"\n", b'"', b"}", SECRET.encode(), b'{"type":"x-a","b":"']),
    st.binary(max_size=8),
)


@given(
    st.binary(min_size=2, max_size=8).filter(lambda head: b"\n" not in head), st.lists(PIECES, max_size=12)
)
@example(b"zz\x01\x02", [b'{"type":"log","level":"info","message":"', SECRET.encode(), b'"}\n'])
@example(b"aa\x01\x02", [b'{"type":"x-a","b":"' + b"a" * SHORT_LINE + b'"}'])
def test_pieces_of_messages_are_no_find(head: bytes, pieces: list[bytes]) -> None:
    everything(head + b"\n" + b"".join(pieces))


def test_the_dictionary_has_the_words_of_the_schema() -> None:
    words = campaign.dictionary().splitlines()
    assert '"\\x22\\x73\\x65\\x76\\x65\\x72\\x69\\x74\\x79\\x22"' in words  # "severity"
    assert len(words) == len(set(words)) > 60


@pytest.mark.skipif(find_spec("atheris") is None, reason="needs atheris: pip install -e '.[fuzz]'")
def test_the_fuzzer_runs(tmp_path: Path) -> None:
    script = Path(campaign.__file__)
    done = subprocess.run(
        [sys.executable, script, "1", tmp_path], capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert " inputs in 1 s\nedges " in done.stdout
