"""The page as Markdown, for places that show no HTML: the same sentences and tables, without pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from imgcls.checklists.evaluate import Checklist
from imgcls.ladders.gathering import ReportData
from imgcls.reports.checklist_words import summary
from imgcls.reports.page import reproduce, wording
from imgcls.reports.text import clean, count

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~!&])")


def markdown_page(data: ReportData, *, checklist: Checklist | None = None) -> str:
    """Give the page as Markdown.

    Args:
        data: What it shows.
        checklist: Where the workspace stands; None leaves that out.
    """
    result = data.result
    environment = Environment(  # noqa: S701 - it is no HTML, and `escape_markdown` is applied to every value
        loader=PackageLoader("imgcls.reports.page", "templates"),
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template("page.md.j2").render(
        data=data,
        result=result,
        ladder=result.ladder,
        units=wording.Units(result.ladder.metric),
        incumbent=result.rungs[result.incumbent],
        wording=wording,
        reproduce=reproduce,
        count=count,
        standing=summary(checklist) if checklist is not None else "",
        code=code_span,
        ready=_Ready,
        block=code_block,
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


class _Ready(str):
    """A text that is Markdown already."""


def code_span(text: str) -> str:
    """Give a name as code, whatever it holds."""
    inner = clean(text).replace("|", "\N{BROKEN BAR}")
    longest = max((len(run) for run in re.findall("`+", inner)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest else ""
    return _Ready(f"{fence}{space}{inner}{space}{fence}")


def code_block(lines: Sequence[str]) -> str:
    """Give commands as a block of code that none of them can end."""
    inner = "\n".join(map(clean, lines))
    longest = max((len(run) for run in re.findall("`+", inner)), default=0)
    fence = "`" * max(3, longest + 1)
    return _Ready(f"{fence}bash\n{inner}\n{fence}")


def escape_markdown(text: str) -> str:
    """Give a text so that Markdown shows it as it is."""
    return _SPECIAL.sub(r"\\\1", clean(text))


def _finalized(value: Any) -> Any:
    return value if isinstance(value, _Ready) or not isinstance(value, str) else escape_markdown(value)
