"""Build the package: setup.cfg describes it, and what a package index shows is made of the README here."""

import re
from pathlib import Path

from setuptools import setup

_RELATIVE = re.compile(r"(!?)\[([^\]]*)\]\((?![a-z]+:)([^)\s]+)\)")


def index_page(readme: str) -> str:
    """Return the README as it is read away from the source tree.

    Links and pictures are relative in the tree. Where this page is shown alone they would lead nowhere, and the project
    has no public address that they could begin with: files are named instead, as in the source distribution.
    """
    named = _RELATIVE.sub(_named, readme)
    return f"{named}\nFiles such as `docs/tutorial.md` are in the source distribution.\n"


def _named(link: re.Match[str]) -> str:
    picture, text, place = link.groups()
    if text.strip("`") == place:
        return f"`{place}`"
    return f"*Picture: {text}* (`{place}`)" if picture else f"{text} (`{place}`)"


if __name__ == "__main__":
    setup(long_description=index_page((Path(__file__).parent / "README.md").read_text(encoding="utf-8")))
