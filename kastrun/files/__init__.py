"""Reading profiles, manifests and baselines from disk.

Floor 3. Bytes become documents here; what they mean is decided in the pure rooms below.
"""

from kastrun.files.baseline import read_baseline
from kastrun.files.manifest import digest, read_manifest
from kastrun.files.profile import Catalogue, Loaded, load_profile
from kastrun.files.toml import LIMIT_BYTES, TomlFile, read_content, read_toml, why_unreadable

__all__ = [
    "LIMIT_BYTES",
    "Catalogue",
    "Loaded",
    "TomlFile",
    "digest",
    "load_profile",
    "read_baseline",
    "read_content",
    "read_manifest",
    "read_toml",
    "why_unreadable",
]
