"""The conformance kit: whether a plugin keeps the protocol, tried offline on loopback.

Floor 5. `conduct.examine` takes a plugin's folder and gives a verdict for each check; the
checks say which rule they belong to and how to mend a breach. Nothing here prints.
"""

from kastrun.kit.conduct import CHECKS, Report, examine
from kastrun.kit.verdict import Check, Result, Verdict

__all__ = ["CHECKS", "Check", "Report", "Result", "Verdict", "examine"]
