"""The review: photograph by photograph, what its label is; every decision is on the disk before the next one shows."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from markupsafe import Markup

from imgcls.config.findings import decided_samples, read_adjustments
from imgcls.config.review import Answer, Reviewed, append_reviewed, reopen_reviewed
from imgcls.data.source import FINDINGS_TOML
from imgcls.eda.facts import FACTS_JSON, Facts
from imgcls.eda.suspects import read_suspects
from imgcls.errors import BusyError, DecodeError, ImgclsError, RecordError, UsageError, WorkspaceError, nearest_hint
from imgcls.evidence.validated import Validated
from imgcls.ladders.report_data import draw_picture
from imgcls.records.derived import data_of
from imgcls.records.find import find_runs
from imgcls.reports.page.render import environment, policy_of, resource
from imgcls.storage import FileLock, make_folder
from imgcls.text import as_utf8
from imgcls.workspace import Workspace, check_writable

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from imgcls.records.blend import BlendRecord
    from imgcls.records.run import RunRecord

N_UNCERTAIN = 30
"""The least certain photographs that are asked about beside suspects and mistakes."""
REVIEWS, USUAL_FILE = "reviews", "decisions.csv"
_SIDE_PX = 1280
_N_DECODING = 2
_MOST_BYTES = 20_000


@dataclass(frozen=True)
class Question:
    """A photograph to decide about."""

    image: str
    """The id of the sample."""
    label: str
    """Its label now."""
    why: str
    """Why it is asked about."""
    answer: str = ""
    """What the run answers; empty where none was asked."""
    confidence: float | None = None
    """The probability of that answer."""


@dataclass
class Review:
    """Questions, and what was said of them so far, in a file that only grows."""

    questions: Sequence[Question]
    """In the order in which they are asked."""
    classes: Sequence[str]
    """The classes of the data."""
    several: bool
    """Whether a photograph may have several."""
    data: str
    """The name of the data set."""
    paths: Mapping[str, Path]
    """Image → file."""
    stretch: tuple[float, float] | None
    """What is black and white in photographs of more than 8 bits."""
    file: Path
    """Where decisions go."""
    by: str = ""
    """Who reviews; may be empty."""
    _said: dict[str, list[Reviewed]] = field(default_factory=dict)
    """Image → what was said of it and not taken back, the last word at the end."""
    _order: list[str] = field(default_factory=list)
    """The images of all of that, in the order in which it was said."""
    _lock: FileLock | None = None
    _writing: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Image → the number of its question."""
        return {one.image: number for number, one in enumerate(self.questions)}

    @property
    def said(self) -> dict[str, Reviewed]:
        """Image → what counts of what this person said."""
        return {image: rows[-1] for image, rows in self._said.items() if rows}

    def open(self) -> None:
        """Hold the file, and read what was said before.

        Raises:
            BusyError: Somebody reviews into the same file.
            DataError: The file cannot be read, or no row can be added to it.
        """
        make_folder(self.file.parent)
        check_writable(self.file.parent, what="decisions")
        self._lock = FileLock(self.file.with_name(f".{self.file.name}.lock"))
        if not self._lock.acquire(wait_seconds=0):
            raise BusyError(
                f"Somebody reviews into {self.file} already. Take a file of your own with --to NAME.csv; "
                "'imgcls eda apply ONE.csv OTHER.csv' merges them."
            )
        try:
            for row in reopen_reviewed(self.file):
                if row.by == self.by:
                    self._count(row)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let the file go."""
        if self._lock is not None:
            self._lock.release()

    def decide(self, number: int, decision: str, new_label: str = "") -> Reviewed:
        """Keep what is said of a question, and wait until it is on the disk.

        Args:
            number: Of the question.
            decision: See `imgcls.config.review.ANSWERS`.
            new_label: The label that it gets, where it is `relabel`.

        Raises:
            UsageError: There is no such question, or nothing is said by it.
            ImgclsError: It cannot be written.
        """
        if not 0 <= number < len(self.questions):
            raise UsageError(f"There are {len(self.questions)} questions, and no number {number}.")
        question = self.questions[number]
        names = [part for part in new_label.split("|") if part] if self.several else [new_label]
        if decision == "relabel" and not (set(names) <= set(self.classes)):
            raise UsageError(f"{new_label!r} is no class of the data.")
        row = Reviewed(question.image, question.label, cast(Answer, decision), new_label, self.by, _now(), self.data)
        with self._writing:
            self._append(row)
        return row

    def undo(self) -> str | None:
        """Take back the last thing that was said of these photographs, and return of which; None without any.

        What was said in another review of a photograph that is not asked about now stays: nobody would see it go.
        """
        with self._writing:
            image = next((image for image in reversed(self._order) if image in self.numbers), None)
            if image is None:
                return None
            last = self._said[image][-1]
            self._append(replace(last, decision="undo", new_label="", at=_now()))
            return last.image

    def _append(self, row: Reviewed) -> None:
        append_reviewed(self.file, row)
        self._count(row)

    def _count(self, row: Reviewed) -> None:
        rows = self._said.setdefault(row.image, [])
        if row.decision != "undo":
            rows.append(row)
            self._order.append(row.image)
        elif rows:
            rows.pop()
            del self._order[len(self._order) - 1 - self._order[::-1].index(row.image)]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def review(
    run: RunRecord | BlendRecord | None,
    workspace: Workspace,
    *,
    file: Path | None = None,
    by: str = "",
    every: bool = False,
    of_class: str | None = None,
) -> Review:
    """Gather the photographs to decide about, without those of the sealed test.

    With a run these are its label suspects, then its most confident mistakes, then those that it is least certain of.
    Without, they are all photographs that train or validate, copies under two labels first.

    Args:
        run: The run or blend that is asked; None for none.
        workspace: Whose data they are.
        file: Where decisions go; None for `reviews/decisions.csv` of the workspace.
        by: Who reviews; may be empty.
        every: Whether to go through all photographs, those first.
        of_class: Only photographs with this class as label or answer.

    Raises:
        UsageError: Nobody knows which data there are, there is no such class, or the run is of other data.
        RecordError: The run's predictions are damaged.
    """
    findings = workspace.root / FINDINGS_TOML
    samples = decided_samples(data_of(workspace), findings).as_reviewed()
    if of_class is not None and of_class not in samples.classes:
        raise UsageError(f"There is no class {of_class!r}.{nearest_hint(of_class, samples.classes)}")
    frame = samples.frame[(samples.frame["split"] != "test").to_numpy() & samples.is_labelled]
    labels = dict(zip(map(as_utf8, frame["id"]), map(as_utf8, frame["label"]), strict=True))
    asked = list(_asked(run, labels, workspace, every=every))
    if run is not None and not asked and not set(labels).intersection(Validated.of(run).ids):
        raise UsageError(f"{run.id} was not scored on photographs of {samples.name!r}, the data of this workspace.")
    questions = {one.image: one for one in reversed(asked)}
    ordered = dict.fromkeys(one.image for one in asked)
    if of_class is not None:
        several = samples.problem == "multilabel"
        ordered = {
            image: None
            for image in ordered
            if of_class in {*_names(labels[image], several=several), questions[image].answer}
        }
    return Review(
        questions=tuple(questions[image] for image in ordered),
        classes=samples.classes,
        several=samples.problem == "multilabel",
        data=as_utf8(samples.name),
        paths=dict(zip(map(as_utf8, frame["id"]), map(Path, frame["path"]), strict=True)),
        stretch=samples.stretch,
        file=workspace.root / REVIEWS / USUAL_FILE if file is None else file.absolute(),
        by=by,
    )


def newest_run(workspace: Workspace) -> RunRecord | None:
    """Return the run that was finished last and has predictions of what validates; joint records of folds first."""
    judged = [run for run in find_runs(workspace)[0] if not run.quick and run.all_data is None]
    judged = [run for run in judged if {"valid.parquet", "oof.parquet"} & run.files.keys()]
    whole = [run for run in judged if run.folds is not None]
    return next(reversed(whole or [run for run in judged if run.fold is None]), None)


def _asked(
    run: RunRecord | BlendRecord | None, labels: Mapping[str, str], workspace: Workspace, *, every: bool
) -> Iterator[Question]:
    """Yield questions, the most urgent first; an image may come twice, and the first time counts."""
    decided = read_adjustments(workspace.root / FINDINGS_TOML).looked_at
    if run is not None:
        yield from (one for one in _of_run(run, labels, workspace, every=every) if every or one.image not in decided)
    if run is None or every:
        for image in _conflicts(workspace):
            if image in labels:
                yield Question(image, labels[image], "a copy of it has another label")
        for image, label in labels.items():
            yield Question(image, label, "")


def _of_run(
    run: RunRecord | BlendRecord, labels: Mapping[str, str], workspace: Workspace, *, every: bool
) -> Iterator[Question]:
    images = Validated.of(run)
    ids = [as_utf8(name) for name in images.ids]
    best = images.probabilities.max(axis=1)
    answers = _answers(images)
    row_of = {image: row for row, image in enumerate(ids)}

    def question(row: int, why: str) -> Question:
        return Question(ids[row], labels[ids[row]], why, answers[row], float(best[row]))

    found = read_suspects(workspace)
    for one in found.suspects if found is not None and found.run == run.id else ():
        if labels.get(one.image) == one.label:
            why = f"a copy of it, {one.copy}, has another label" if one.copy else f"it looks like {one.looks_like}"
            yield question(row_of[one.image], why)
    there = [row for row, image in enumerate(ids) if image in labels]
    wrong = [row for row in there if answers[row] != labels[ids[row]]]
    for row in sorted(wrong, key=lambda row: -best[row]):
        yield question(row, "the run answers otherwise")
    least = sorted(there, key=lambda row: best[row])
    for row in least if every else least[:N_UNCERTAIN]:
        yield question(row, "the run is not certain")


def _answers(images: Validated) -> list[str]:
    """Return what is answered of each image, as labels are written."""
    from imgcls.data.samples import NO_CLASS, SEPARATOR

    if images.problem != "multilabel":
        return [images.classes[best] for best in images.probabilities.argmax(axis=1)]
    chosen = images.scored.predicted
    named = ([name for name, is_in in zip(images.classes, row, strict=True) if is_in] for row in chosen)
    return [SEPARATOR.join(names) or NO_CLASS for names in named]


def _names(label: str, *, several: bool) -> list[str]:
    return [name for name in label.split("|") if name] if several else [label]


def _conflicts(workspace: Workspace) -> Iterator[str]:
    """Yield images of which a copy has another label, where somebody looked for copies."""
    if (workspace.reports / FACTS_JSON).is_file():
        with suppress(RecordError):
            for pair in Facts.read(workspace.reports).worst_pairs:
                if pair.is_conflict:
                    yield from (pair.first, pair.second)


def review_app(held: Review) -> Starlette:
    """Return the application that asks the questions of a review.

    Raises:
        UsageError: starlette is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import HTMLResponse, JSONResponse, Response
        from starlette.routing import Route
    except ImportError as problem:
        raise UsageError("A review needs starlette and uvicorn: pip install 'imgcls[serve]'") from problem

    page, policy = _page(held)
    decoding = asyncio.Semaphore(_N_DECODING)

    async def show(request: Request) -> Response:
        return HTMLResponse(page, headers={"content-security-policy": policy})

    async def state(request: Request) -> Response:
        said = {
            held.numbers[image]: [row.decision, row.new_label]
            for image, row in held.said.items()
            if image in held.numbers
        }
        return JSONResponse({"said": said})

    async def photo(request: Request) -> Response:
        number = request.path_params["number"]
        if number >= len(held.questions):
            return Response(status_code=404)
        path = held.paths[held.questions[number].image]
        async with decoding:
            if await request.is_disconnected():  # whoever leafs on does not wait for it, and keeps nobody waiting
                return Response(status_code=503)
            try:
                picture = await run_in_threadpool(draw_picture, path, held.stretch, side_px=_SIDE_PX)
            except DecodeError as problem:
                return Response(str(problem), 410, media_type="text/plain")
        return Response(picture.jpeg, media_type="image/jpeg")

    async def decide(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _MOST_BYTES:
                return Response(status_code=413)
        try:
            given = json.loads(body)
            number, decision, label = int(given["number"]), str(given["decision"]), str(given.get("new_label", ""))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            return JSONResponse({"problem": "a decision has a number, a decision and a new_label"}, 400)
        try:
            await run_in_threadpool(held.decide, number, decision, label)
        except ImgclsError as problem:
            is_full = isinstance(problem, WorkspaceError) or not isinstance(problem, UsageError)
            return JSONResponse({"problem": str(problem)}, 507 if is_full else 400)
        return await state(request)

    async def undo(request: Request) -> Response:
        try:
            image = await run_in_threadpool(held.undo)
        except ImgclsError as problem:
            return JSONResponse({"problem": str(problem)}, 507)
        answer = json.loads(bytes((await state(request)).body))
        return JSONResponse({**answer, "number": None if image is None else held.numbers[image]})

    return Starlette(
        routes=[
            Route("/", show),
            Route("/state", state),
            Route("/photo/{number:int}", photo),
            Route("/decide", decide, methods=["POST"]),
            Route("/undo", undo, methods=["POST"]),
        ]
    )


def _page(held: Review) -> tuple[str, str]:
    """Return the page and its content policy."""
    style, script = resource("page.css") + resource("review.css"), resource("review.js")
    data = json.dumps(
        {"questions": [asdict(one) for one in held.questions], "classes": held.classes, "several": held.several},
        ensure_ascii=True,
    )
    policy = policy_of(style, script).replace("img-src data:", "img-src 'self' data:") + "; connect-src 'self'"
    template = environment().get_template("review.html.j2")
    page = template.render(
        data=held.data,
        by=held.by,
        file=held.file.name,
        given=Markup(data.replace("<", "\\u003c")),  # noqa: S704 - inside a script element only < could end it
        style=Markup(style),  # noqa: S704 - a file of this package
        script=Markup(script),  # noqa: S704 - likewise
    )
    return page, policy
