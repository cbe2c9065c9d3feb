"""How many hidden copies and broken files are found, how many are listed that are none, and what the copies cost."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from benchmarks.breaking import Broken, break_some
from benchmarks.leaking import Leak, measure_leak
from benchmarks.planting import IMAGES, Planted, plant
from imgcls.data.source import DataSource
from imgcls.data.split import split_samples
from imgcls.eda.duplicates import find_pairs
from imgcls.eda.facts import Pair
from imgcls.eda.files import kind_of
from imgcls.eda.scan import Scan, signature
from imgcls.engine.prepare import Prepared, read_photographs
from imgcls.engine.progress import Reporter
from imgcls.plan import Images
from imgcls.reports.console import name

_N_AT_ONCE = 512


@dataclass(frozen=True)
class Found:
    """What one planting came to."""

    seed: int
    """What decided which photographs were copied."""
    found: dict[str, tuple[int, int]]
    """By kind: how many of how many copies were found."""
    false_alarms: tuple[Pair, ...]
    """Pairs that were neither planted nor listed before anything was."""
    seconds: float
    """How long the search took; reading the photographs and their thumbnails is not counted."""


@dataclass(frozen=True)
class FoundBroken:
    """What the broken files of one planting came to."""

    n: int
    """How many were hidden."""
    n_found: int
    """How many of them are listed."""
    n_named: int
    """How many of them are listed as the kind that they are."""
    false_alarms: tuple[str, ...]
    """Files that are listed and were not hidden."""


@dataclass(frozen=True)
class Planting:
    """What one planting came to."""

    copies: Found
    """Copies."""
    broken: FoundBroken
    """Broken files."""
    leak: Leak | None
    """What the copies do to a score."""


@dataclass(frozen=True)
class Outcome:
    """What a data set came to."""

    name: str
    """Its short name."""
    n: int
    """Photographs, before any copy."""
    before: tuple[Pair, ...]
    """Pairs that are listed before anything is planted; whether they are right, only a person can say."""
    plantings: tuple[Planting, ...]
    """One for each seed."""

    def to_json(self) -> dict[str, object]:
        """Return plain JSON."""
        return {
            "schema": 2,
            "name": self.name,
            "n": self.n,
            "before": [pair.model_dump(mode="json") for pair in self.before],
            "plantings": [
                {
                    **asdict(one.copies),
                    "found": {kind: {"found": found, "planted": n} for kind, (found, n) in one.copies.found.items()},
                    "false_alarms": [pair.model_dump(mode="json") for pair in one.copies.false_alarms],
                    "broken": asdict(one.broken),
                    "leak": asdict(one.leak) if one.leak else None,
                }
                for one in self.plantings
            ],
        }


def measure(source: str | None, scratch: Path, *, seeds: Iterable[int], reporter: Reporter) -> Outcome:
    """Look for copies in a data set, and then in copies of it in which more were hidden.

    Args:
        source: What `imgcls.train` reads; None is the default data.
        scratch: A folder for the copies.
        seeds: One planting for each.
        reporter: Shows how far it is.
    """
    photographs, _ = read_photographs(DataSource(source), Images(), quick=False, reporter=reporter)
    photographs = replace(photographs, samples=split_samples(photographs.samples))
    before, _ = _pairs(_scan(photographs), reporter)
    plantings = []
    for seed in seeds:
        planted = plant(photographs.samples, scratch / str(seed), seed=seed)
        images = planted.table.parent / IMAGES
        broken = break_some(planted.table, images, seed=seed)
        hidden = DataSource(planted.table, images=images, id="id", label="label", split="split")
        read, _ = read_photographs(hidden, Images(), quick=False, reporter=reporter)
        scan = _scan(read)
        pairs, seconds = _pairs(scan, reporter)
        own = [(planted.name_of[pair.first], planted.name_of[pair.second]) for pair in before]
        copies = compare(pairs, planted.truth, own, seed=seed, seconds=seconds)
        leak = measure_leak(scan, pairs, reporter=reporter)
        plantings.append(Planting(copies, compare_broken(read.photos.reasons, broken), leak))
    return Outcome(photographs.samples.name, len(photographs.samples), before, tuple(plantings))


def compare_broken(reasons: Mapping[str, str], truth: Iterable[Broken]) -> FoundBroken:
    """Hold the files that could not be decoded against those that were hidden, from path to reason."""
    kinds = {Path(path).name: kind_of(reason) for path, reason in reasons.items()}
    hidden = {file.id: file.kind for file in truth}
    return FoundBroken(
        n=len(hidden),
        n_found=len(hidden.keys() & kinds.keys()),
        n_named=len(hidden.items() & kinds.items()),
        false_alarms=tuple(sorted(kinds.keys() - hidden.keys())),
    )


def compare(
    pairs: Iterable[Pair], truth: Iterable[Planted], own: Iterable[tuple[str, str]], *, seed: int, seconds: float
) -> Found:
    """Hold what was listed against what was planted.

    A copy is found where listed pairs connect it with its original, directly or through others; a pair is a false
    alarm where neither what was planted nor what was there before connects its two.
    """
    pairs, truth = list(pairs), list(truth)
    listed = Clusters((pair.first, pair.second) for pair in pairs)
    true = Clusters([*((copy.id, copy.of) for copy in truth), *own])
    found = {}
    for kind in dict.fromkeys(copy.kind for copy in truth):
        hits = [listed.connect(copy.id, copy.of) for copy in truth if copy.kind == kind]
        found[kind] = (sum(hits), len(hits))
    wrong = tuple(pair for pair in pairs if not true.connect(pair.first, pair.second))
    return Found(seed, found, wrong, seconds)


class Clusters:
    """What pairs connect."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._above: dict[str, str] = {}
        for one, other in pairs:
            self._above[self._top(one)] = self._top(other)

    def connect(self, one: str, other: str) -> bool:
        """Whether pairs lead from one to the other."""
        return self._top(one) == self._top(other)

    def _top(self, name: str) -> str:
        while (above := self._above.get(name, name)) != name:
            name = above
        return name


@dataclass(frozen=True)
class OutcomeTable:
    """A renderable of what a data set came to."""

    outcome: Outcome
    """What is shown."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Return the table, a column for each planting, and the pairs that a person has to judge."""
        table = Table(title=f"{self.outcome.name}: {self.outcome.n} photographs", box=None, title_justify="left")
        columns = [_cells(one) for one in self.outcome.plantings]
        table.add_column("")
        for one in self.outcome.plantings:
            table.add_column(f"seed {one.copies.seed}", justify="right")
        for title in columns[0] if columns else ():
            table.add_row(title, *(cells[title] for cells in columns))
        yield table
        yield Text(f"Listed before anything was planted: {len(self.outcome.before)}")
        for pair in self.outcome.before:
            yield _line(pair)
        for one in self.outcome.plantings:
            for pair in one.copies.false_alarms:
                yield Text(f"False alarm with seed {one.copies.seed}:").append_text(_line(pair))


def _cells(one: Planting) -> dict[str, str]:
    """Return what a column shows, by the title of its row."""
    copies, broken = one.copies, one.broken
    return {
        **{f"copies found: {kind}": f"{found} of {n}" for kind, (found, n) in copies.found.items()},
        "false alarms": str(len(copies.false_alarms)),
        "seconds": f"{copies.seconds:.1f}",
        "broken files found": f"{broken.n_found} of {broken.n}",
        "named as their kind": f"{broken.n_named} of {broken.n}",
        "false alarms of broken files": str(len(broken.false_alarms)),
        **(_leak_cells(one.leak) if one.leak else dict.fromkeys(_LEAK_ROWS, "")),
    }


_LEAK_ROWS = (
    "excluded by the findings",
    "validation images left",
    "accuracy with the leak, without it",
    "of these with a copy in train",
    "accuracy on them with it, without it",
)


def _leak_cells(leak: Leak) -> dict[str, str]:
    pairs = ((leak.with_leak, leak.without), (leak.leaked_with, leak.leaked_without))
    both, leaked = (", ".join("none" if score is None else f"{score:.3f}" for score in pair) for pair in pairs)
    return dict(zip(_LEAK_ROWS, (str(leak.n_excluded), str(leak.n), both, str(leak.n_leaked), leaked), strict=True))


def _line(pair: Pair) -> Text:
    return Text(f"  {name(pair.first)} = {name(pair.second)}, {pair.kind}, {pair.similarity:.3f}")


def _scan(photographs: Prepared) -> Scan:
    """Return what is compared of photographs; their measures are left out."""
    rows = photographs.store_rows(np.arange(len(photographs.samples)))
    parts = [
        signature(photographs.photos.pixels(rows[start : start + _N_AT_ONCE]))
        for start in range(0, len(rows), _N_AT_ONCE)
    ]
    measures = pd.DataFrame(index=range(len(rows)))
    return Scan(photographs.samples, photographs.photos, rows, measures, np.concatenate(parts))


def _pairs(scan: Scan, reporter: Reporter) -> tuple[tuple[Pair, ...], float]:
    """Return the pairs of a data set, and how long the search took."""
    began = time.perf_counter()
    pairs = find_pairs(scan, progress=lambda done, total: reporter.progress("Comparing photographs", done, total))
    return pairs, time.perf_counter() - began
