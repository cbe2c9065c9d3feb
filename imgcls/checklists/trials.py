"""What was tried: verdicts with what they are about, and the comparisons that hold some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgcls.catalog import find_recipes
from imgcls.checklists.items import all_items
from imgcls.durable import time_written
from imgcls.errors import RecordError
from imgcls.ladders.comparison_files import COMPARISONS
from imgcls.problem.metrics import in_words
from imgcls.records.reading import read_json
from imgcls.workspace import Workspace

CANNOT_TELL = "cannot tell"
VERDICTS = ("better", "likely better", "no evidence", "likely worse", "worse", CANNOT_TELL)
"""Those of `imgcls.evidence.verdicts`, which loads more than a light command may."""
GAINS = ("better", "likely better")


@dataclass(frozen=True)
class Grounds:
    """The data and the split that something was found on."""

    data_digest: str
    """Digest of samples, labels and pixels."""
    split_digests: tuple[str, ...]
    """Digest of who trains and who validates, one for each fold."""
    is_folded: bool = False
    """Whether folds took turns in validating."""
    split_seed: int | None = None
    """What the split, or the folds, were drawn from; None where that was not kept."""


@dataclass(frozen=True)
class Side:
    """A stack as it was when it was tried."""

    stack: str
    """The stack, without overrides."""
    overrides: Mapping[str, Any]
    """Plan paths set by hand on its base."""
    plan_digest: str
    """Digest of its plan."""


@dataclass(frozen=True)
class Trial:
    """One verdict, and what it is about."""

    items: tuple[str, ...]
    """The items that it answers."""
    what: str
    """What was tried, over what."""
    verdict: str
    """What may be said; `cannot tell` answers nothing."""
    value: float
    """The gain in the metric, in its unit."""
    low: float | None
    """Lower end of its 95 % interval; None without one."""
    high: float | None
    """Upper end of its 95 % interval; None without one."""
    metric: str
    """The metric."""
    reason: str
    """Why nothing can be told; empty where something can."""
    n_runs: tuple[int, int]
    """Runs on either side."""
    file: str
    """The file that says so, relative to the workspace."""
    grounds: Grounds
    """On which data and split."""
    sides: tuple[Side, ...]
    """What was compared."""
    ladder: str = ""
    """The name of its ladder; empty for a comparison."""

    @property
    def has_verdict(self) -> bool:
        """Whether anything could be told."""
        return self.verdict != CANNOT_TELL

    @property
    def said(self) -> str:
        """The verdict as people read it, with the file that holds it."""
        return f"{self.file}: {self.what}, {gain_text(self.value, self.low, self.high, self.metric)}: {self.verdict}"


def gain_text(value: float, low: float | None, high: float | None, metric: str) -> str:
    """Write a gain: `+1.3 points of accuracy [+0.4, +2.1]`."""
    scale, unit = (1.0, "nats") if metric == "log_loss" else (100.0, "points")
    digits = 3 if metric == "log_loss" else 1
    interval = "" if low is None or high is None else f" [{scale * low:+.{digits}f}, {scale * high:+.{digits}f}]"
    return f"{scale * value + 0.0:+.{digits}f} {unit} of {in_words(metric)}{interval}"


def read_comparisons(workspace: Workspace) -> tuple[tuple[Trial, ...], list[str]]:
    """Read every comparison that was kept.

    Returns:
        Their verdicts, the newest at the end, and a message for every file that cannot be read.
    """
    folder = workspace.reports / COMPARISONS
    paths = sorted(folder.glob("*.json"), key=lambda path: (time_written(path), path.name))
    found, damaged = [], []
    for path in paths:
        try:
            found.append(_compared(read_json(path), path))
        except RecordError as problem:
            damaged.append(str(problem))
        except (KeyError, TypeError, ValueError, AttributeError):
            damaged.append(f"{path} is damaged, or another version wrote it. 'imgcls compare' writes it anew.")
    return tuple(found), damaged


def _compared(value: Any, path: Path) -> Trial:
    a, b, data = value["a"], value["b"], value["data"]
    paths = tuple(value["changes"])
    items = tuple(text_of(item) for item in value["items"])
    if not value["recipes"]:
        items = tuple(item.id for item in all_items() if paths and all(map(item.is_answered_by, paths)))
    return trial_of(
        value["gain"],
        items=items,
        what=f"{text_of(b['label'])} over {text_of(a['label'])}",
        metric=text_of(value["metric"]),
        file=f"reports/{COMPARISONS}/{path.name}",
        grounds=Grounds(
            text_of(data["digest"]),
            tuple(map(text_of, data["split_digests"])),
            data["n_folds"] is not None,
            seed_of(data),
        ),
        sides=tuple(
            Side(text_of(side["stack"]), dict(side["overrides"]), text_of(side["plan_digest"])) for side in (a, b)
        ),
    )


def trial_of(
    judged: Any,
    *,
    items: tuple[str, ...],
    what: str,
    metric: str,
    file: str,
    grounds: Grounds,
    sides: tuple[Side, ...],
    ladder: str = "",
) -> Trial:
    """Make a trial of a gain and its verdict as JSON values; the other arguments are the fields of `Trial`.

    Raises:
        KeyError, TypeError, ValueError: The values are not those that were written.
    """
    verdict = text_of(judged["verdict"])
    if verdict not in VERDICTS:
        raise ValueError(f"{verdict!r} is no verdict")
    low, high = (None if judged[end] is None else float(judged[end]) for end in ("low", "high"))
    before, after = judged["n_runs"]
    return Trial(
        items=items,
        what=what,
        verdict=verdict,
        value=float(judged["value"]),
        low=low,
        high=high,
        metric=metric,
        reason=text_of(judged["remarks"][0]) if verdict == CANNOT_TELL and judged["remarks"] else "",
        n_runs=(int(before), int(after)),
        file=file,
        grounds=grounds,
        sides=sides,
        ladder=ladder,
    )


def text_of(value: object) -> str:
    """Give a text of JSON, and refuse everything else."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def seed_of(data: Mapping[str, Any]) -> int | None:
    """Give the seed of the split where JSON values about the data hold one."""
    seed = data.get("split_seed")
    return seed if isinstance(seed, int) else None


def answered(recipes: tuple[str, ...], items: tuple[str, ...]) -> tuple[str, ...]:
    """Give the items that every one of some recipes answers: of several at once nothing is told of one alone.

    Args:
        recipes: The recipes that tell two stacks apart.
        items: The items that any of them answers.
    """
    if len(recipes) < 2:
        return items
    known = find_recipes()
    cards = [known[name].card.items if name in known else () for name in recipes]
    return tuple(item for item in items if all(item in card for card in cards))
