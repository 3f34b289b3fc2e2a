"""The contract between kastrun and a plugin: a job line out, messages in (docs/protocol.md).

Floor 2, and sans-I/O: bytes in, messages or a reason out. What a plugin *claims* lives here;
no process, pipe, clock or file may enter.
"""

from kastrun.protocol.codec import Breach, Decoder
from kastrun.protocol.fingerprint import fingerprint, fingerprints
from kastrun.protocol.intake import Heard, Item
from kastrun.protocol.redact import Redactor

__all__ = ["Breach", "Decoder", "Heard", "Item", "Redactor", "fingerprint", "fingerprints"]
