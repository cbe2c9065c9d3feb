"""Everything that a page about a ladder shows, gathered from its records and its photographs."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

import numpy as np

from imgcls._version import __version__
from imgcls.errors import DataError, UsageError
from imgcls.evidence.metrics import majority_accuracy
from imgcls.ladders.judge import judge_ladder
from imgcls.ladders.mistakes import (
    Confusion,
    Pair,
    Turn,
    WorstMistake,
    confused_pairs,
    confusion,
    turns_of,
    worst_mistakes,
)
from imgcls.ladders.photographs import (
    ClassPictures,
    Picture,
    contact_sheet,
    find_photographs,
    pictures_of,
    written,
)
from imgcls.ladders.result import LadderResult
from imgcls.ladders.spec import Ladder
from imgcls.ladders.state import LadderState, read_state
from imgcls.records.run import RunRecord
from imgcls.workspace import Workspace

_HISTORY = "history.csv"
_IMAGE_NAME = re.compile(r"\.(jpe?g|jfif|png|webp|gif|bmp|tiff?|ppm|pgm|jp2|j2k|avif)\b", re.IGNORECASE)
_SHORT_NUMBER = re.compile("[0-9]{1,5}")
WITHHELD = "(withheld, since it names photographs; 'imgcls runs list' shows it)"


@dataclass(frozen=True)
class Curves:
    """How one rung learnt."""

    seeds: tuple[tuple[float, ...], ...]
    """The validation loss of each run, epoch by epoch; a run that ended early is shorter."""
    mean: tuple[float, ...]
    """The mean over runs, as far as all of them go."""
    weights_of: int | None
    """The rung whose weights it uses, having learnt nothing itself; None where it was trained."""


@dataclass(frozen=True)
class ReportData:
    """What a page shows; the page itself computes nothing."""

    result: LadderResult
    """The ladder, judged."""
    n_by_class: Mapping[str, int]
    """Class → the photographs of it that validate."""
    trivial: tuple[str, float] | None
    """An answer that needs no photograph, and what it scores; None where the metric has none."""
    curves: tuple[Curves, ...]
    """The learning curves of each rung."""
    confusion: Confusion | None
    """Which class the incumbent takes for which; None where images have several labels."""
    pairs: tuple[Pair, ...]
    """The classes that the incumbent confuses most often."""
    mistakes: tuple[WorstMistake, ...]
    """The photographs that the incumbent is most sure and wrong about; empty where photographs are withheld."""
    sheet: tuple[ClassPictures, ...]
    """Some training photographs of each class; empty where there are none to show."""
    pictures: Mapping[str, Picture]
    """Id → the picture of a mistake."""
    licence: str
    """The licence of the photographs, where it is known."""
    withheld: bool
    """Whether photographs and their names are left out because that was asked for."""
    trouble: str
    """Why photographs are not shown although nobody asked for that; empty where they are."""
    updated: str
    """When the newest run was made: UTC, ISO 8601."""
    version: str
    """The version of imgcls that gathered this."""


def gather(ladder: Ladder, workspace: Workspace, *, with_images: bool = True) -> ReportData:
    """Gather what a page about a ladder shows.

    Args:
        ladder: The ladder; it need not be complete.
        workspace: Where its records lie.
        with_images: Whether photographs and their names may be shown.

    Raises:
        UsageError: No run is done yet.
        RecordError: A record is damaged.
    """
    state = read_state(ladder, workspace)
    records = [entry.record for entry in state.jobs if entry.record is not None]
    if not records:
        raise UsageError(f"No run of {ladder.name} is done yet. 'imgcls ladder run {ladder.stack}' goes on with it.")
    result = judge_ladder(state)
    shown = _shown_rung(result)
    turns = turns_of(state, shown)
    gathered = ReportData(
        result=result,
        n_by_class=_n_by_class(turns),
        trivial=_trivial(ladder.metric, turns),
        curves=tuple(_curves(state, number) for number in range(len(ladder.rungs))),
        confusion=confusion(turns),
        pairs=confused_pairs(turns),
        mistakes=worst_mistakes(turns),
        sheet=(),
        pictures={},
        licence="",
        withheld=not with_images,
        trouble="",
        updated=max(record.created for record in records),
        version=__version__,
    )
    if with_images:
        return _with_photographs(gathered, workspace, turns)
    return _without_names(gathered, records, turns)


def _shown_rung(result: LadderResult) -> int:
    """Give the incumbent, or the lowest rung with a finished run before the incumbent has any."""
    has_runs = [place for place, rung in enumerate(result.rungs) if rung.runs]
    return result.incumbent if result.incumbent in has_runs else has_runs[0]


def _n_by_class(turns: Sequence[Turn]) -> dict[str, int]:
    classes = turns[0].classes
    if turns[0].is_multilabel:
        counts = sum(turn.board.targets.sum(axis=0, dtype=np.int64) for turn in turns)
    else:
        counts = sum(np.bincount(turn.board.targets, minlength=len(classes)) for turn in turns)
    return dict(zip(classes, np.asarray(counts).tolist(), strict=True))


def _trivial(metric: str, turns: Sequence[Turn]) -> tuple[str, float] | None:
    """Give the answer that needs no photograph, for the metrics in which it has a score of its own."""
    if metric == "roc_auc":
        return "ranking at random", 0.5
    if metric != "accuracy":
        return None
    name = "always giving the most frequent answer"
    return name, majority_accuracy(np.concatenate([turn.board.targets for turn in turns]))


def _curves(state: LadderState, number: int) -> Curves:
    records = [entry.record for entry in state.of(number) if entry.record is not None]
    runs = [_losses(record) for record in records if record.reused_from is None and _HISTORY in record.files]
    seeds = tuple(losses for losses in runs if losses)
    n_common = min((len(losses) for losses in seeds), default=0)
    mean = np.mean([losses[:n_common] for losses in seeds], axis=0).tolist() if n_common else []
    has_own = any(record.reused_from is None for record in records)
    return Curves(seeds, tuple(mean), None if has_own else state.ladder.rungs[number].weights_of)


def _losses(record: RunRecord) -> tuple[float, ...]:
    values = [row.get("valid_loss") for row in record.history()]
    return tuple(float(value) for value in values if isinstance(value, int | float) and np.isfinite(value))


def _with_photographs(gathered: ReportData, workspace: Workspace, turns: Sequence[Turn]) -> ReportData:
    """Add pictures, or say why there are none."""
    ladder, classes = gathered.result.ladder, gathered.result.classes
    try:
        samples = find_photographs(ladder, workspace)
    except (DataError, OSError) as problem:
        return replace(gathered, trouble=f"The photographs are not where they were, or cannot be read: {problem}")
    validating = dict(pair for turn in turns for pair in zip(turn.board.ids, turn.board.labels, strict=True))
    labels = {written(name): label for name, label in zip(samples.frame["id"], samples.frame["label"], strict=True)}
    if n_other := sum(labels.get(name) != label for name, label in validating.items()):
        text = (
            f"The data have changed since: {n_other} of {len(validating)} photographs are gone or labelled otherwise."
        )
        return replace(gathered, trouble=text)
    hidden = validating if ladder.n_folds is None else {}
    pictures = pictures_of([mistake.id for mistake in gathered.mistakes], samples)
    sheet = contact_sheet(samples, validating=hidden, classes=classes)
    trouble = "" if any(entry.pictures for entry in sheet) else "No photograph could be read any more."
    return replace(gathered, sheet=sheet, pictures=pictures, licence=samples.licence, trouble=trouble)


def _without_names(gathered: ReportData, records: Sequence[RunRecord], turns: Sequence[Turn]) -> ReportData:
    """Leave out ids, and every message that may name a photograph."""
    names = {name for turn in turns for name in turn.board.ids}
    names |= {place for record in records for place, _ in record.data.excluded}
    names |= {PurePath(name).name for name in names} | {PurePath(name).stem for name in names}
    result = gathered.result
    rungs = tuple(
        replace(rung, failures=tuple(replace(one, reason=_harmless(one.reason, names)) for one in rung.failures))
        for rung in result.rungs
    )
    notes = tuple(dict.fromkeys(_harmless(note, names) for note in result.notes))
    return replace(gathered, result=replace(result, rungs=rungs, notes=notes), mistakes=())


def _harmless(text: str, names: Collection[str]) -> str:
    """Withhold a message that names a photograph; a short number tells nothing and may be anything."""
    telling = (name for name in names if name in text and name and not _SHORT_NUMBER.fullmatch(name))
    is_named = any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) for name in telling)
    return WITHHELD if is_named or _IMAGE_NAME.search(text) else text
