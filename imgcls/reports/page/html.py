"""One HTML page that stands alone: no request leaves it, nothing in it runs but what is hashed in its own policy."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from imgcls.checklists.evaluate import Checklist
from imgcls.ladders.gathering import ReportData
from imgcls.ladders.photographs import Picture
from imgcls.reports.checklist_words import summary
from imgcls.reports.page import figures, reproduce, wording
from imgcls.reports.page.frame import environment, policy_of, resource
from imgcls.reports.text import count

_N_SHADES = 9


def html_page(data: ReportData, *, checklist: Checklist | None = None) -> str:
    """Give the page as HTML.

    Args:
        data: What it shows.
        checklist: Where the workspace stands; None leaves that out.
    """
    style, script = resource("page.css"), resource("sort.js")
    context = {**_context(data), "checklist": checklist, "style": Markup(style), "script": Markup(script)}  # noqa: S704 - files of this package
    return environment().get_template("page.html.j2").render(context, policy=policy_of(style, script))


def _context(data: ReportData) -> dict[str, Any]:
    result = data.result
    return {
        "data": data,
        "result": result,
        "ladder": result.ladder,
        "units": wording.Units(result.ladder.metric),
        "incumbent": result.rungs[result.incumbent],
        "wording": wording,
        "reproduce": reproduce,
        "count": count,
        "picture_source": picture_source,
        "shade": _shade,
        "summary": summary,
        "steps": figures.steps_figure(result) if len(result.rungs) > 1 else "",
        "climb": figures.climb_figure(result) if result.ladder.kind == "climb" else "",
        "curves": _curve_figures(data),
    }


def _curve_figures(data: ReportData) -> Mapping[int, Markup]:
    """Draw the curves of all rungs that have any, to one scale."""
    known = {number: curves for number, curves in enumerate(data.curves) if curves.seeds}
    top = max((max(losses) for curves in known.values() for losses in curves.seeds), default=1.0)
    n_epochs = max((len(losses) for curves in known.values() for losses in curves.seeds), default=1)
    return {
        number: figures.curves_figure(curves, number=number, top=top, n_epochs=n_epochs)
        for number, curves in known.items()
    }


def picture_source(picture: Picture) -> str:
    """Give a picture as the address of an image that holds it."""
    return f"data:image/jpeg;base64,{base64.b64encode(picture.jpeg).decode('ascii')}"


def _shade(n: float, total: int) -> str:
    """Give the class of a cell of the confusion matrix, by its share of the row."""
    share = n / total if total else 0.0
    return f"shade{min(_N_SHADES, round(share * _N_SHADES))}" if n else "shade0"
