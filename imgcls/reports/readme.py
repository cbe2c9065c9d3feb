"""`python -m imgcls.reports.readme docs/guide/recipes.md` writes the table of recipes there, from the cards."""

from __future__ import annotations

import sys
from pathlib import Path

from imgcls.reports.recipes import recipe_table

BEGIN, END = "<!-- recipes: written by 'make recipes' -->", "<!-- end of recipes -->"


def with_recipe_table(text: str) -> str:
    """Return a page with the table between its two marks written again.

    Raises:
        ValueError: The marks are missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"The page needs the marks {BEGIN!r} and {END!r}.")
    return f"{before}{BEGIN}\n{recipe_table()}\n{END}{after}"


def main(path: str) -> None:
    """Rewrite one file."""
    file = Path(path)
    file.write_text(with_recipe_table(file.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
