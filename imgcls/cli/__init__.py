"""The command line: each command parses, makes one public call, prints one renderable."""

from imgcls.cli.app import main

__all__ = ["main"]
