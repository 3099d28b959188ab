"""The version of redgrease; kept alone so that setup.py can read it without importing anything."""

__version__ = "0.4.0"
