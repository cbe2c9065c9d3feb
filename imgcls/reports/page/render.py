"""The page in one of its forms, and its way to the disk."""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from pathlib import Path, PurePath
from typing import Any, Literal, cast, get_args
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from imgcls.checklists.checklist import Checklist
from imgcls.checklists.items import STATES
from imgcls.config.metrics import Units, in_words
from imgcls.data.source import is_named_set
from imgcls.errors import UsageError, WorkspaceError, nearest_hint
from imgcls.evidence.per_class import least_found_first
from imgcls.ladders.climb import ClimbRecord
from imgcls.ladders.report_data import Picture, ReportData
from imgcls.ladders.results import Blend
from imgcls.ladders.spec import Ladder
from imgcls.plan import set_options
from imgcls.reports import climb, verdict_text, views
from imgcls.reports.checklist import summary
from imgcls.reports.console import count, path, size, with_interval
from imgcls.reports.page import figures
from imgcls.reports.runs import blend_json
from imgcls.storage import json_bytes, make_folder, write_bytes
from imgcls.text import as_utf8, clean
from imgcls.workspace import Workspace

_PACKAGE = "imgcls.reports.page"


def environment() -> Environment:
    """Return the templates; text that comes from data is made harmless and escaped wherever it stands."""
    return Environment(
        loader=PackageLoader(_PACKAGE, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def resource(name: str) -> str:
    """Read a file that lies beside the templates."""
    return (files(_PACKAGE) / "templates" / name).read_text(encoding="utf-8")


def policy_of(style: str, script: str) -> str:
    """Allow the page's own style and script by their digests, pictures that it holds, and nothing else."""
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script))
    allowed = "default-src 'none'; img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}'".format(*digests)
    return f"{allowed}; base-uri 'none'; form-action 'none'"


def _harmless(value: Any) -> Any:
    """Write out the control characters of every text that comes from data; escaping is jinja's part."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


_VERSIONS = ("imgcls", "python", "torch", "fastai", "timm", "numpy")


def title(data: ReportData) -> str:
    """Return the title of a page: what was asked."""
    if data.search is not None:
        return f"The stack for {data.search.data_name}"
    return verdict_text.title(data.result)


def commands(ladder: Ladder, search: ClimbRecord | None = None) -> tuple[str, ...]:
    """Return the commands that make a ladder and its page; of paths only the last part, since pages travel.

    Args:
        ladder: The ladder.
        search: The climb, where the ladder is its base and what it chose.
    """
    if search is not None:
        words = ["imgcls", "ladder", "climb", search.stack, "--budget", f"{search.budget_seconds:g}s"]
        if search.n_folds is None:
            words += ["--seeds", str(search.n_seeds)]
    else:
        verb = "ablate" if ladder.kind == "ablate" else "run"
        words = ["imgcls", "ladder", verb, ladder.typed, "--seeds", str(ladder.n_seeds)]
        words += ["--ensemble"] if ladder.ensemble and not ladder.ensemble_on_top else []
    words += ["--metric", ladder.metric]
    if search is not None:
        words += ["--smallest-gain", f"{100 * search.smallest_gain:g}"]
    words += ["--folds", str(ladder.n_folds)] if ladder.n_folds is not None else []
    data = ladder.data
    places = {"data": data.data, "images": data.images, "test": data.test}
    named: dict[str, Any] = {name: PurePath(str(place)).name for name, place in places.items() if place is not None}
    if data.data is not None and is_named_set(str(data.data)):
        del named["data"]
    make = f"{shlex.join(words)}{set_options(ladder.overrides)}{replace(data, **named).as_options()}"
    return make, shlex.join(["imgcls", "report", ladder.name])


def facts(data: ReportData) -> dict[str, str]:
    """Return what has to be the same for the same numbers, by name."""
    result, ladder = data.result, data.result.ladder
    environment = result.environment
    versions = {**{"imgcls": data.version}, **environment.get("versions", {})}
    shown = sorted(versions, key=lambda name: (_VERSIONS.index(name) if name in _VERSIONS else 99, name))
    found = {
        "Data": f"{ladder.data_name}, digest {ladder.data_digest[:16]}",
        "Decided about them": "findings.toml of the workspace, which has to lie there too"
        if ladder.data.findings
        else "",
        "Split": ", ".join(digest[:16] for digest in ladder.split_digests),
        "Seeds": ", ".join(map(str, ladder.seeds)),
        "Device": ", ".join(dict.fromkeys([*result.devices, str(environment.get("device_name") or "")])).strip(", "),
        "Precision": str(environment.get("precision", "")),
        "Weights to begin with": "; ".join(data.weights),
        "Versions": ", ".join(f"{name} {versions[name]}" for name in shown),
        "Planned": _moment(ladder.created),
        "Newest run": _moment(data.updated),
    }
    return {title: text for title, text in found.items() if text}


def plan_digests(ladder: Ladder) -> tuple[tuple[str, str], ...]:
    """Return each rung's stack, overrides included, with the digest of its plan."""
    return tuple((rung.printed, rung.plan_digest[:16]) for rung in ladder.rungs)


def _moment(text: str) -> str:
    """Return a moment without its seconds: `2026-11-24 10:02 UTC`."""
    return f"{text[:10]} {text[11:16]} UTC" if len(text) > 15 else text


_N_SHADES = 9


def html_page(data: ReportData, *, checklist: Checklist | None = None, folder: Path | None = None) -> str:
    """Return the page as HTML.

    Args:
        data: What it shows.
        checklist: Where the workspace stands; None leaves that out.
        folder: Where it will lie: pages of runs that lie there too are linked; None for none.
    """
    style, script = resource("page.css"), resource("sort.js")
    context = {**_context(data), "checklist": checklist, "run_pages": _run_pages(data, folder)}
    context |= {"style": Markup(style), "script": Markup(script)}  # noqa: S704 - files of this package
    return environment().get_template("page.html.j2").render(context, policy=policy_of(style, script))


def _context(data: ReportData) -> dict[str, Any]:
    result = data.result
    return {
        "data": data,
        "result": result,
        "ladder": result.ladder,
        "units": Units(result.ladder.metric),
        "incumbent": result.rungs[data.shown],
        "wording": verdict_text,
        "search": data.search,
        "climbing": climb,
        "title": title(data),
        "metric": in_words(result.ladder.metric),
        "by_class": least_found_first(data.classes),
        "commands": commands(result.ladder, data.search),
        "conditions": facts(data),
        "plan_digests": plan_digests(result.ladder),
        "count": count,
        "picture_source": picture_source,
        "shade": shade_of,
        "summary": summary,
        "steps": figures.steps_figure(result) if len(result.rungs) > 1 and data.search is None else "",
        "climb": figures.climb_figure(result) if result.ladder.kind == "climb" and data.search is None else "",
        "score_text": _blend_score,
        "claim_text": claim_text,
        "tried": figures.tried_figure(data.search) if data.search is not None else "",
        "curves": _curve_figures(data),
        "views_figures": [figures.views_figure(known, number=place) for place, known in enumerate(data.views)],
        "viewing": views,
        "reliability": figures.reliability_svg(data.reliability),
        "curves_shown": data.reliability,
        "of_what": "all runs in validation",
        "with_interval": with_interval,
    }


def _run_pages(data: ReportData, folder: Path | None) -> dict[str, str]:
    """Return the runs of the shown rung that have a page in a folder, with the address of each from there."""
    names = {run: f"{run}.html" for run in data.result.rungs[data.shown].runs if folder is not None}
    return {run: quote(name) for run, name in names.items() if folder is not None and (folder / name).is_file()}


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
    """Return a picture as the address of an image that holds it."""
    return f"data:image/jpeg;base64,{base64.b64encode(picture.jpeg).decode('ascii')}"


def shade_of(n: float, total: int) -> str:
    """Return the class of a cell of the confusion matrix, by its share of the row."""
    share = n / total if total else 0.0
    return f"shade{min(_N_SHADES, round(share * _N_SHADES))}" if n else "shade0"


_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~!&])")


def markdown_page(data: ReportData, *, checklist: Checklist | None = None) -> str:
    """Return the page as Markdown.

    Args:
        data: What it shows.
        checklist: Where the workspace stands; None leaves that out.
    """
    result = data.result
    return markdown(
        "page.md.j2",
        data=data,
        result=result,
        ladder=result.ladder,
        units=Units(result.ladder.metric),
        incumbent=result.rungs[data.shown],
        wording=verdict_text,
        search=data.search,
        climbing=climb,
        title=title(data),
        metric=in_words(result.ladder.metric),
        by_class=least_found_first(data.classes),
        commands=commands(result.ladder, data.search),
        conditions=facts(data),
        plan_digests=plan_digests(result.ladder),
        score_text=_blend_score,
        claim_text=claim_text,
        with_interval=with_interval,
        viewing=views,
        standing=summary(checklist) if checklist is not None else "",
        code=code_span,
        ready=_Ready,
    )


def markdown(template: str, **context: Any) -> str:
    """Fill in a template of Markdown; what comes from data is escaped wherever it stands."""
    environment = Environment(  # noqa: S701 - it is no HTML, and `escape_markdown` is applied to every value
        loader=PackageLoader(_PACKAGE, "templates"),
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template(template).render(context, count=count, code=code_span, block=code_block)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _blend_score(blend: Blend) -> str:
    units, score = Units(blend.record.metric), blend.score
    return f"{units.title} {units.score(score.value)} {units.score_interval(score.low, score.high)}".rstrip()


def claim_text(blend: Blend) -> str:
    """Return what may be said of a blend against the best of its members alone; "-" where nothing may."""
    if blend.verdict is None:
        return "-"
    claim = climb.claim_of(blend.verdict.gain, "", Units(blend.record.metric))
    return f"{claim.verdict}{claim.gain}"


class _Ready(str):
    """A text that is Markdown already."""


def code_span(text: str) -> str:
    """Return a name as code, whatever it holds."""
    inner = clean(text).replace("|", "\N{BROKEN BAR}")
    longest = max((len(run) for run in re.findall("`+", inner)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest else ""
    return _Ready(f"{fence}{space}{inner}{space}{fence}")


def code_block(lines: Sequence[str]) -> str:
    """Return commands as a block of code that none of them can end."""
    inner = "\n".join(map(clean, lines))
    longest = max((len(run) for run in re.findall("`+", inner)), default=0)
    fence = "`" * max(3, longest + 1)
    return _Ready(f"{fence}bash\n{inner}\n{fence}")


def escape_markdown(text: str) -> str:
    """Return a text so that Markdown shows it as it is."""
    return _SPECIAL.sub(r"\\\1", clean(text))


def _finalized(value: Any) -> Any:
    return value if isinstance(value, _Ready) or not isinstance(value, str) else escape_markdown(value)


Form = Literal["html", "markdown", "json"]
SUFFIXES: dict[str, Form] = {
    ".html": "html",
    ".htm": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".json": "json",
}


def form_of(file: Path | None, form: str | None) -> Form:
    """Return the form to write: the one asked for, else what the file's ending says, else HTML.

    Raises:
        UsageError: The file has another ending than the forms have.
    """
    if file is not None and file.suffix.lower() not in SUFFIXES:
        hint = nearest_hint(file.suffix.lower(), list(SUFFIXES))
        raise UsageError(f"{file} has to end in {', '.join(SUFFIXES)}.{hint}")
    known = form or (SUFFIXES[file.suffix.lower()] if file is not None else "html")
    if known not in get_args(Form):
        raise UsageError(f"There is no form {known!r}; there are {', '.join(get_args(Form))}.")
    return cast("Form", known)


def page_bytes(
    data: ReportData, form: Form, *, checklist: Checklist | None = None, folder: Path | None = None
) -> bytes:
    """Return the page in one of its forms; arguments as for `html_page`."""
    if form == "json":
        standing = {} if checklist is None else {"checklist": {state: checklist.n(state) for state in STATES}}
        return json_bytes(page_json(data) | standing)
    if form == "markdown":
        return as_utf8(markdown_page(data, checklist=checklist)).encode()
    return as_utf8(html_page(data, checklist=checklist, folder=folder)).encode()


def page_json(data: ReportData) -> dict[str, Any]:
    """Return what the page shows as JSON values, without pictures."""
    return {
        **_judged(data),
        "validating": dict(data.n_by_class),
        "trivial": None if data.trivial is None else {"name": data.trivial[0], "value": data.trivial[1]},
        "curves": [asdict(curves) for curves in data.curves],
        "per_class": [asdict(one) for one in data.classes],
        "confusion": None if data.confusion is None else asdict(data.confusion),
        "confused": [asdict(pair) for pair in data.pairs],
        "mistakes": [asdict(mistake) for mistake in data.mistakes],
        "photographs": "withheld" if data.withheld else data.trouble or "shown in HTML",
        "commands": list(commands(data.result.ladder, data.search)),
        "search": None if data.search is None else _without_places(data.search),
        "views": [known.to_json() for known in data.views],
        "reliability": [asdict(curve) for curve in data.reliability],
        "blends": [{key: value for key, value in blend_json(blend).items() if key != "path"} for blend in data.blends],
        "updated": data.updated,
        "version": data.version,
    }


def _judged(data: ReportData) -> dict[str, Any]:
    """Return the ladder as JSON; of a climb without verdicts, since what they were given on has chosen."""
    found = data.result.to_json()
    if data.search is None:
        return found
    nothing: dict[str, Any] = {"step": None, "total": None, "other_gains": {}, "seconds_per_point": None}
    rungs = [rung | nothing for rung in found["rungs"]]
    return found | {"rungs": rungs, "incumbent": data.result.rungs[data.shown].plan.printed}


def _without_places(search: ClimbRecord) -> dict[str, Any]:
    """Return a climb as JSON without saying where its data lie, or which photographs were left out."""
    return {name: value for name, value in search.to_json().items() if name not in ("data", "pair")}


def place_of(data: ReportData, workspace: Workspace, form: Form, *, file: Path | None = None) -> Path:
    """Return the file that a page goes to.

    Args:
        data: What it shows.
        workspace: Where `reports/` lies.
        form: Gives the ending.
        file: Where it is to go instead.

    Raises:
        WorkspaceError: The file would lie among photographs or records.
    """
    place = free_place(data.result.ladder.name, workspace, form, file=file)
    photographs = None if file is None else _photographs(data)
    if photographs is not None and place.is_relative_to(photographs) and not place.is_relative_to(workspace.reports):
        raise WorkspaceError(f"{file} lies among the photographs in {photographs}. Choose another place with --to.")
    return place


def free_place(name: str, workspace: Workspace, form: Form, *, file: Path | None = None) -> Path:
    """Return the file that a page goes to: `reports/`, or where a person wants it.

    Args:
        name: Of what it is about.
        workspace: Where `reports/` lies.
        form: Gives the ending.
        file: Where it is to go instead.

    Raises:
        WorkspaceError: The file would lie among records.
    """
    if file is None:
        return workspace.reports / f"{name}{next(suffix for suffix, known in SUFFIXES.items() if known == form)}"
    place = file.absolute().resolve()
    homes = (workspace.runs, workspace.ladders, workspace.blends)
    if kept := [folder for folder in homes if place.is_relative_to(folder.resolve())]:
        raise WorkspaceError(f"{file} lies among the records in {kept[0]}. Choose another place with --to.")
    return place


def write_page(data: ReportData, file: Path, form: Form, *, checklist: Checklist | None = None) -> int:
    """Write the page, whole or not at all, and give its size in bytes.

    Args:
        data: What it shows.
        file: Where it goes.
        form: In which form.
        checklist: Where the workspace stands; None leaves that out.

    Raises:
        WorkspaceError: It may not be written there.
    """
    content = page_bytes(data, form, checklist=checklist, folder=file.parent)
    make_folder(file.parent)
    write_bytes(file, content)
    return len(content)


def _photographs(data: ReportData) -> Path | None:
    """Return the folder of the photographs, where the ladder names one."""
    named = data.result.ladder.data.images or data.result.ladder.data.data
    folder = Path(str(named)).expanduser() if named else None
    return folder.resolve() if folder is not None and folder.is_dir() else None


@dataclass(frozen=True)
class PageWritten:
    """A page that lies on the disk."""

    data: ReportData
    """What it shows."""
    file: Path
    """Where it lies."""
    form: str
    """`html`, `markdown` or `json`."""
    n_bytes: int
    """Its size."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Describe what was written, what is in it, and what to do next."""
        ladder = self.data.result.ladder
        yield Text(f"A page about {clean(ladder.name)}, {size(self.n_bytes)}, that stands alone:")
        yield path(self.file)
        yield Text(self._photographs())
        if not self.data.result.is_complete and self.data.search is None:
            yield Text(f"The ladder is not finished: imgcls ladder run {clean(ladder.typed)}", style="dim")
        elif not self.data.withheld and self.n_shown:
            yield Text("For data that must not travel: imgcls report --no-images", style="dim")

    @property
    def n_shown(self) -> int:
        """Count the photographs that are in it."""
        shown = sum(len(entry.pictures) for entry in self.data.sheet) + len(self.data.pictures)
        return shown if self.form == "html" else 0

    def _photographs(self) -> str:
        if self.data.withheld:
            return "It holds neither photographs nor their names."
        if self.data.trouble:
            return clean(self.data.trouble)
        names = " and the names of some" if self.data.mistakes else ""
        return f"It holds small copies of {count(self.n_shown, 'photograph')}{names}."

    def to_json(self) -> dict[str, Any]:
        """Return the same as JSON values."""
        return {
            "schema": 1,
            "path": str(self.file),
            "format": self.form,
            "n_bytes": self.n_bytes,
            "ladder": self.data.result.ladder.name,
            "complete": self.data.result.is_complete,
            "n_photographs": self.n_shown,
            "withheld": self.data.withheld,
            "trouble": self.data.trouble,
        }
