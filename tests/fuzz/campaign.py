"""`campaign.py SECONDS [FOLDER]`: seeds, a dictionary, one bounded run of the fuzzer, and its figures.

The seeds are the examples of the protocol page and of the tests, the dictionary is the schema's
words; both are made anew, so that neither can rot. What the fuzzer keeps stays in the folder (`.fuzz/`,
which git ignores). A find ends the run with exit code 1 and is left there, to become a test: put the
file into tests/fuzz/finds.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
if __name__ == "__main__":
    sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]

from fuzz_oracle import SECRET  # noqa: E402
from protocol_examples import BAD, GOOD  # noqa: E402
from protocol_page import blocks  # noqa: E402

from kastrun import resources  # noqa: E402

ODD = (
    b"\xef\xbb\xbf", b"\\u0022", b"\\u0000", b"\\ud800", b"\\ud83d\\ude00", b"\xff", b"1e999", b"NaN",
    b"-0.0", b"9007199254740992", b"-9007199254740993", b"[" * 33, b"\r\n", b'{"a":', b'"x-', b'"x_',
    b"0" * 16,
)  # fmt: skip


def seeds() -> Iterator[bytes]:
    """Streams of one message, of all of them, and of what the page refuses; each with a line of settings."""
    examples = [json.dumps(message, ensure_ascii=False).encode() for message in (*GOOD, *BAD)]
    short = [text[:300] if len(text) > 1000 else text for text in examples]
    page = [
        block.encode()
        for name in ("message", "bad_json", "bad_message", "unknown_message")
        for block in blocks(name)
    ]
    told = json.dumps({"type": "log", "level": "info", "message": f"a{SECRET}b"}, ensure_ascii=False).encode()
    yield from (b"az" + text for text in (told, told.replace(b"s3", b"\\u00733")))
    for settings in (b"aa\x01", b"zz\x01\x02\x30"):
        yield from (settings + b"\n" + text + b"\n" for text in (*short, *page))
        yield settings + b"\n" + b"\n".join(short[:12])


def words(schema: Any) -> Iterator[str]:
    """Every name and fixed value of a schema."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        yield from (word for word in (*schema.get("enum", ()), schema.get("const")) if isinstance(word, str))
        for inner in schema.values():
            yield from words(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from words(inner)


def dictionary() -> str:
    """libFuzzer's own format."""
    named = [json.dumps(word).encode() for word in sorted(set(words(resources.schema("message"))))]
    every = [*named, *ODD, SECRET.encode()]
    return "".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in every)


def main(seconds: int, work: Path) -> int:
    """0 where nothing was found, else 1."""
    corpus = work / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in seeds():
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    (work / "words.dict").write_text(dictionary(), encoding="ascii")
    command = [
        sys.executable, str(HERE / "protocol.py"), str(corpus), f"-max_total_time={seconds}", "-max_len=4096",
        f"-dict={work}/words.dict", f"-artifact_prefix={work}/", "-print_final_stats=1", "-timeout=20",
    ]  # fmt: skip
    path = os.pathsep.join([str(HERE.parent), str(HERE.parents[1])])
    with (work / "log.txt").open("wb") as log:
        code = subprocess.run(
            command, env=os.environ | {"PYTHONPATH": path}, stderr=log, check=False
        ).returncode
    said = (work / "log.txt").read_text(errors="replace")
    runs = re.search(r"number_of_executed_units:\s*(\d+)", said)
    covered = (re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", said) or ["???"])[-1]
    print(f"{runs[1] if runs else '?'} inputs in {seconds} s")
    print("edges {}, features {}, inputs kept {}".format(*covered))
    if code:
        print(f"a find (exit {code}): {work}/log.txt names its file; it becomes a test in tests/fuzz/finds")
    return 1 if code else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), Path(*sys.argv[2:3] or [HERE.parents[1] / ".fuzz"])))
