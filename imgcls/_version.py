"""The version, where packaging and the program both read it."""

__version__ = "0.1.0"
