"""A coverage-guided run over the protocol's readers: `make fuzz`, or `protocol.py CORPUS libFuzzer-flags`.

Every module of kastrun.protocol is instrumented; what is asked of each input is in
tests/fuzz_oracle.py. The longest line is made short, so that its limit is met.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["kastrun.protocol"]):
    import fuzz_oracle

    from kastrun.protocol import codec

if __name__ == "__main__":
    codec.MAX_LINE = fuzz_oracle.SHORT_LINE  # type: ignore[misc]
    atheris.Setup(sys.argv, fuzz_oracle.everything)
    atheris.Fuzz()
