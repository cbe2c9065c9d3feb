"""The page of a run or a blend: where it is wrong, the photographs that show it, and a place to decide about them."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from imgcls._version import __version__
from imgcls.config.metrics import PRIMARY, Units
from imgcls.evidence.per_class import least_found_first
from imgcls.ladders.report_data import Picture
from imgcls.ladders.results import Blend
from imgcls.ladders.run_report import MOST_CELLS, RunReport
from imgcls.plan import set_options
from imgcls.predictions.blending import MEANINGS
from imgcls.predictions.heat_maps import Explanation, data_uri
from imgcls.records.blend import BlendRecord
from imgcls.records.run import RunRecord
from imgcls.reports.blend import next_steps, notes_of, on_images
from imgcls.reports.console import count, path, size, with_interval
from imgcls.reports.page import figures
from imgcls.reports.page.render import Form, claim_text, environment, markdown, policy_of, resource, shade_of
from imgcls.reports.runs import told_by_class
from imgcls.storage import json_bytes, make_folder, write_bytes
from imgcls.text import as_utf8, clean

MOST_MATRIX = 20
_NOT_IN_JSON = ("record", "detail", "region", "pictures")


@dataclass(frozen=True)
class RunPage:
    """The page of a run, of all its folds, or of a blend."""

    report: RunReport
    """What it shows."""
    metric: str | None = None
    """What it is scored by first; None for that of the problem."""
    blend: Blend | None = None
    """What may be said of the blend, where it is the page of one."""
    heat_maps: Mapping[str, Explanation] = field(default_factory=dict)
    """Photograph → where the network looked in it, of those that are explained."""

    def content(self, form: Form) -> bytes:
        """Return the page in one of its forms."""
        if form == "json":
            return json_bytes(self._json())
        context = self._context()
        if form == "markdown":
            return as_utf8(markdown("run.md.j2", **context)).encode()
        style, script = resource("page.css") + resource("run.css"), resource("sort.js") + resource("run.js")
        record = self.report.record
        given = json.dumps(
            {"classes": record.classes, "several": record.problem == "multilabel", "data": as_utf8(record.data.name)}
        )
        context |= {"style": Markup(style), "script": Markup(script), "policy": policy_of(style, script)}  # noqa: S704 - files of this package
        context["given"] = Markup(given.replace("<", "\\u003c"))  # noqa: S704 - only < could end a script element
        return as_utf8(environment().get_template("run.html.j2").render(context)).encode()

    def write(self, file: Path, form: Form) -> int:
        """Write the page, whole or not at all, and return its size in bytes."""
        content = self.content(form)
        make_folder(file.parent)
        write_bytes(file, content)
        return len(content)

    def _json(self) -> dict[str, Any]:
        report, record = self.report, self.report.record
        values = record.to_json() if self.blend is None else self.blend.to_json()
        data = {
            name: value
            for name, value in values["data"].items()
            if name not in ("excluded", "lost_test", "assumptions")
        }
        found = {name: value for name, value in asdict(report).items() if name not in _NOT_IN_JSON}
        return {
            **values,
            "data": data,
            **told_by_class(report.detail),
            **found,
            "region": report.region.to_json() if report.region else None,
            "photographs": "withheld" if report.is_withheld else report.trouble or "shown in HTML",
            "version": __version__,
        }

    def _context(self) -> dict[str, Any]:
        report, record = self.report, self.report.record
        asked = self.metric is not None and self.metric in record.metrics
        metric = self.metric if asked and self.metric else PRIMARY[record.problem]
        return {
            "report": report,
            "record": record,
            "title": title_of(record),
            "blend": self._blend(),
            "judged_by": judged_by(record),
            "units": Units(metric),
            "score": record.metrics.get(metric) if self.blend is None else self.blend.score,
            "others": {name: value for name, value in record.metrics.items() if name != metric},
            "titles": {name: Units(name).title for name in record.metrics},
            "detail": report.detail,
            "by_class": least_found_first(report.detail.classes) if report.detail else [],
            "matrix": self._matrix(),
            "most_cells": MOST_CELLS,
            "tradeoffs": figures.tradeoff_svg(report.tradeoffs) if report.tradeoffs else "",
            "reliability": figures.reliability_svg(report.reliability) if report.reliability else "",
            "curves_shown": report.reliability,
            "of_what": "validation",
            "learning": figures.learning_svg(report.history) if report.history else "",
            "commands": next_steps(record) if isinstance(record, BlendRecord) else commands(record),
            "review": f"imgcls review {record.id}",
            "conditions": conditions(record),
            "plan": plan_lines(record),
            "sources": sources(report.pictures or {}),
            "looks": {
                name: [(data_uri(one.overlay(found.pixels)), one.class_name) for one in found.maps]
                for name, found in self.heat_maps.items()
            },
            "heat_maps": f"imgcls report {record.id} --heat-maps" if _is_one_network(record) else "",
            "maps_made_by": next((one.maps[0].made_by for one in self.heat_maps.values()), ""),
            "with_interval": with_interval,
            "count": count,
            "version": __version__,
        }

    def _blend(self) -> dict[str, Any] | None:
        """Return what is said of a blend only."""
        if self.blend is None:
            return None
        return {
            "members": self.blend.record.members,
            "meaning": MEANINGS[self.blend.record.way],
            "scored_on": on_images(self.blend),
            "claim": claim_text(self.blend),
            "notes": notes_of(self.blend),
        }

    def _matrix(self) -> dict[str, Any] | None:
        """Return the classes that are shown, their counts and shades; None for several labels."""
        counts, classes = self.report.matrix, self.report.record.classes
        if not counts:
            return None
        wrong = [sum(row) - row[at] + sum(other[at] for other in counts) - row[at] for at, row in enumerate(counts)]
        number_of = {(cell.label, cell.answer): number for number, cell in enumerate(self.report.cells)}

        def cell_of(at: int, other: int) -> int | None:
            return number_of.get((classes[at], classes[other]))

        shown = sorted(sorted(range(len(classes)), key=lambda at: -wrong[at])[:MOST_MATRIX])
        return {
            "classes": [classes[at] for at in shown],
            "rows": [
                [
                    (counts[at][other], at == other, shade_of(counts[at][other], sum(counts[at])), cell_of(at, other))
                    for other in shown
                ]
                for at in shown
            ],
            "n_hidden": len(classes) - len(shown),
        }


@dataclass(frozen=True)
class RunPageWritten:
    """A page about a run or a blend that lies on the disk."""

    report: RunReport
    """What it shows."""
    file: Path
    """Where it lies."""
    form: str
    """`html`, `markdown` or `json`."""
    n_bytes: int
    """Its size."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Describe what was written, and what is in it."""
        yield Text(f"A page about {clean(self.report.record.id)}, {size(self.n_bytes)}, that stands alone:")
        yield path(self.file)
        if self.report.is_withheld:
            yield Text("It holds neither photographs nor their names.")
        else:
            yield Text(f"It holds small copies of {count(self.n_photographs, 'photograph')}, and names.")
            if self.report.trouble:
                yield Text(clean(self.report.trouble), style="yellow")

    @property
    def n_photographs(self) -> int:
        """Count the photographs that are in it."""
        return len(self.report.pictures or {}) if self.form == "html" else 0

    def to_json(self) -> dict[str, Any]:
        """Return the same as JSON values."""
        return {
            "schema": 1,
            "path": str(self.file),
            "format": self.form,
            "n_bytes": self.n_bytes,
            "blend" if isinstance(self.report.record, BlendRecord) else "run": self.report.record.id,
            "n_photographs": self.n_photographs,
            "withheld": self.report.is_withheld,
            "trouble": self.report.trouble,
        }


def title_of(record: RunRecord | BlendRecord) -> str:
    """Return the title of a page: the stack with its seed, or what was blended."""
    if isinstance(record, BlendRecord):
        return f"{record.label[:1].upper()}{record.label[1:]}"
    return f"{record.label}, {'all folds' if record.folds is not None else f'seed {record.seed}'}"


def judged_by(record: RunRecord | BlendRecord) -> list[str]:
    """Return the runs or blends that stand for the score of what all the data trained; empty for all others."""
    if isinstance(record, BlendRecord):
        return list(record.judged_by or ())
    return [one.run for one in record.all_data.judged] if record.all_data is not None else []


def _is_one_network(record: RunRecord | BlendRecord) -> bool:
    return isinstance(record, RunRecord) and record.folds is None


def plan_lines(record: RunRecord | BlendRecord) -> list[str]:
    """Return every field of the plan of a run with its value; a blend has the plans of its members."""
    parts = {} if isinstance(record, BlendRecord) else record.plan
    return [
        f"{part}.{name} = {value!r}"
        for part, values in parts.items()
        if isinstance(values, dict)
        for name, value in values.items()
    ]


def commands(record: RunRecord) -> list[str]:
    """Return the commands that train the run again and use it."""
    words = ["imgcls", "recipe", "run", record.stack, "--seed", str(record.seed)]
    words += ["--folds", str(record.n_folds)] if record.n_folds is not None else []
    words += [option for option, is_set in (("--quick", record.quick), ("--all-data", record.all_data)) if is_set]
    found = [f"{shlex.join(words)}{set_options(record.overrides)}    # with the same data"]
    if record.folds is None:
        found.append(f"imgcls predict {record.id} photo.jpg")
        found.append(f"imgcls runs map {record.id}    # what its network sees alike")
    else:
        found.append(f"imgcls runs suspects {record.id}    # labels that may be wrong")
    return found


def conditions(record: RunRecord | BlendRecord) -> dict[str, str]:
    """Return what has to be the same for the same numbers, by name."""
    n = record.data.n
    found = {
        "Data": f"{record.data.name}, digest {record.data.digest[:16]}",
        "Photographs": ", ".join(f"{n[part]:,} {part}" for part in ("train", "valid", "test") if n.get(part)),
        "Split": f"digest {record.data.split_digest[:16]}",
        "A review": "changed labels before it was trained" if record.data.before_review else "",
        **(_training(record) if isinstance(record, RunRecord) else {}),
        "Made": record.created[:16].replace("T", " ") + " UTC",
    }
    return {title: text for title, text in found.items() if text}


def _training(record: RunRecord) -> dict[str, str]:
    environment = record.environment
    versions = environment.get("versions", {})
    return {
        "Seed": str(record.seed),
        "Device": f"{environment.get('device', '')} {environment.get('precision', '')}".strip(),
        "Weights to begin with": record.weights.source,
        "Versions": ", ".join(f"{name} {version}" for name, version in sorted(versions.items())),
        "Time": f"{record.seconds.get('total', 0):.0f} s",
    }


def sources(pictures: Mapping[str, Picture]) -> dict[str, str]:
    """Return photographs as addresses that a page holds."""
    return {
        name: f"data:image/jpeg;base64,{base64.b64encode(picture.jpeg).decode('ascii')}"
        for name, picture in pictures.items()
    }
