"""A deliberately weak web site and its hardened twin, on loopback, to scan and to learn from.

Standard library only. `flaws` says what is wrong with the weak one, as data; `pages` what
both answer, purely; `server` speaks HTTP and TLS to clients of any manners; `site` puts a
site together. No plugin lives here, and nothing here contacts anything.
"""

from kastrun.demo.flaws import WEAK_FLAWS, Flaw
from kastrun.demo.site import Site, hardened_site, weak_site

__all__ = ["WEAK_FLAWS", "Flaw", "Site", "hardened_site", "weak_site"]
