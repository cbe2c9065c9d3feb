"""How a value that lies below the reports is shown: its view is named, and loaded when somebody looks.

And text from data is made harmless, wherever it is written: on a terminal, a page, or a picture.
"""

from __future__ import annotations

import importlib
import io
import re
import unicodedata
from typing import Any, ClassVar

_WIDTH = 100
_HTML = '<pre style="font-family:monospace;line-height:1.25;white-space:pre">{code}</pre>'
# C0 and C1 controls could drive the terminal; the bidirectional ones could reorder what a person reads.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Viewed:
    """A value with a view in `imgcls.reports`, for a terminal (`rich.print`) and a notebook alike.

    The layers forbid the import of reports from below; the name of the view is therefore data, as the public names of
    `imgcls` are.
    """

    VIEW: ClassVar[str]
    """`module:class`; the class is called with the value and gives a renderable of rich."""

    def __rich__(self) -> Any:
        """Give the view of this value."""
        module, _, name = self.VIEW.partition(":")
        return getattr(importlib.import_module(module), name)(self)

    def _repr_html_(self) -> str:
        """Give the view as HTML, which a notebook shows; the text is escaped by rich."""
        from rich.console import Console

        console = Console(record=True, file=io.StringIO(), width=_WIDTH, highlight=False, emoji=False)
        console.print(self)
        return console.export_html(inline_styles=True, code_format=_HTML)


def clean(text: str, *, keep_lines: bool = False) -> str:
    """Give a text from data with its control characters written out, so that it can only be read.

    Args:
        text: File names, class names, messages.
        keep_lines: Whether line breaks stay.
    """

    def written_out(match: re.Match[str]) -> str:
        character = match.group()
        if keep_lines and character == "\n":
            return character
        return character.encode("unicode_escape").decode("ascii")

    visible = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return unicodedata.normalize("NFC", _CONTROLS.sub(written_out, visible))
