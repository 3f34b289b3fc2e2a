"""kastrun: runs security scanners from a version-controlled profile."""

__version__ = "0.1.0"
