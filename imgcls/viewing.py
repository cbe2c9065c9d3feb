"""How a value that lies below the reports is shown: its view is named, and loaded when somebody looks."""

from __future__ import annotations

import importlib
import io
from typing import Any, ClassVar

_WIDTH = 100
_HTML = '<pre style="font-family:monospace;line-height:1.25;white-space:pre">{code}</pre>'


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
