"""Exploring a data set: one scan of its photographs, the facts measured on it, and the findings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Unpack

from imgcls.catalog import Stack
from imgcls.config.findings import Adjustments, read_adjustments
from imgcls.config.metrics import PRIMARY
from imgcls.config.problem import Problem, find_problem, place_of, resolve
from imgcls.data.files import DEFAULT_DATA
from imgcls.data.samples import SPLITS
from imgcls.data.source import DataOptions, DataSource
from imgcls.eda.drift import find_drift
from imgcls.eda.duplicates import find_pairs
from imgcls.eda.facts import DataFacts, Facts, Finding
from imgcls.eda.features import extract_features
from imgcls.eda.files import Files, broken_files
from imgcls.eda.findings import excluded_images, find_all
from imgcls.eda.leakage import probe_labels
from imgcls.eda.learning_curve import learning_curve
from imgcls.eda.metadata import MetaTable
from imgcls.eda.outliers import find_outliers
from imgcls.eda.photo_map import MAP_PARQUET, map_of_scan
from imgcls.eda.plots.sheets import FOLDER, draw
from imgcls.eda.scan import Scan, ScanResult, scan_data
from imgcls.eda.series import BY_SIGNS, Looks, find_series
from imgcls.eda.statistics import class_facts, imbalance_facts, occurring_together, size_facts
from imgcls.eda.suspects import Suspects, read_suspects
from imgcls.engine.device import Machine
from imgcls.engine.progress import Reporter, Silent, plain_lines, step
from imgcls.errors import DataError, RecordError
from imgcls.records.derived import table_digests
from imgcls.storage import make_folder
from imgcls.text import as_utf8
from imgcls.workspace import Workspace, check_writable

QUICK = "quick"


def explore(
    data: Any = None,
    *,
    metadata: Iterable[str | Path] = (),
    workspace: Workspace | Path | str | None = None,
    quick: bool = False,
    write: bool = True,
    photo_map: bool = False,
    with_images: bool = True,
    reporter: Reporter | None = None,
    **options: Unpack[DataOptions],
) -> Facts:
    """Look at a data set before anything is trained: amounts, sizes, duplicates, leakage, and what asks for action.

    Every photograph is decoded once, into the cache that training uses, and measured once: a second look at
    photographs that did not change takes seconds. Nothing is written into the folder of the photographs, and labels
    of the test split are never read.

    Args:
        data: A folder, a table, a pandas frame, `torchvision:NAME`, `fastai:NAME`, or None for the data of the
            workspace, else the default data.
        metadata: Tables that say more of the photographs, such as who sent them.
        workspace: Folder in which `reports/` lies; the nearest one with imgcls.toml, or the current folder.
        quick: Look at no more than 500 samples, and none of test. What that gives goes to `reports/quick/`; nothing
            is decided by it, and it proves nothing.
        write: Whether to write `reports/facts.json` and pictures; without, nothing is written but the cache.
        photo_map: Whether to write `reports/map.parquet` too, a map of the photographs that a pretrained network sees;
            see `imgcls.eda.photo_map`.
        with_images: Whether the map may hold photographs and their names.
        reporter: Shows how it goes; plain lines on stderr when None.
        **options: How the data are read: `images`, `label`, `id`, `group`, `split`, `problem_type`, `delimiter`,
            `valid`, `split_seed`, `verify`, `test`, `stretch`; see `imgcls.DataSource`.

    Returns:
        The facts: `facts.findings` asks for action, the worst first.

    Raises:
        DataError: There are no photographs, or they cannot be read as asked.
        WorkspaceError: The reports cannot be written, said before the photographs are read.

    Example:
        >>> facts = imgcls.explore("photos/")  # doctest: +SKIP
    """
    place = workspace if isinstance(workspace, Workspace) else _workspace(workspace)
    given = DataSource.of(data, options)
    source = resolve(given, place.root)
    if write:
        _check_place(place, source)
    found = find_problem(place.root)
    problem = found or Problem()
    beside = [place_of(table, problem, place.root) for table in problem.data.metadata]
    with plain_lines(reporter) as lines:
        if given.data is None and found is None:
            lines.note("No data were named, and no imgcls.toml is here: these are the default data.")
        exploring = _Exploring(
            source=source,
            named=_source_name(given) if given.data is not None else None,
            again=given.as_options(),
            place=place,
            problem=problem,
            tables=[*map(Path, metadata), *beside],
            out=place.as_option,
            quick=quick,
            reporter=lines,
            photo_map=photo_map,
            with_images=with_images,
        )
        return exploring.run(write=write)


@dataclass(frozen=True)
class _Exploring:
    """One exploration."""

    source: DataSource
    """Where the data are."""
    named: str | None
    """What was named as the data; None where the workspace knows, or for the default data."""
    again: str
    """The options that name the data again in commands; empty where the workspace knows."""
    place: Workspace
    """Where facts go, and decisions are."""
    problem: Problem
    """What is known of the problem."""
    tables: Sequence[Path]
    """Tables that say more of the samples."""
    out: str
    """The option that names the workspace again in commands; empty where they find it."""
    quick: bool
    """Whether to look at a part only."""
    reporter: Reporter
    """Shows how it goes."""
    photo_map: bool = False
    """Whether to write a map of the photographs."""
    with_images: bool = True
    """Whether it may hold photographs and their names."""
    seconds: dict[str, float] = field(default_factory=dict)
    """What the time went into."""

    def run(self, *, write: bool) -> Facts:
        """Look, measure, judge, and write."""
        adjustments = read_adjustments(Path(self.source.findings)) if self.source.findings else Adjustments()
        seen = scan_data(
            self.source,
            Stack.parse("baseline").plan.images,
            quick=self.quick,
            reporter=self.reporter,
            workspace=self.place,
            keep=write,
        )
        self.seconds.update(seen.seconds)
        with self._timed("tables", "Reading tables"):
            files = Files.of(self.source, seen.scan.samples, problem=self.problem, place=self.place, named=self.tables)
            tables = files.metadata()
        facts = self._measured(seen, self._data(seen, files), tables)
        decided = {f"{entry.finding}: {entry.why}" for entry in adjustments.excluded}
        known = {entry.path for entry in facts.broken}
        unused = excluded_images(seen.scan.samples.excluded, known=known, decided=decided)
        facts = facts.model_copy(update={"files": files.facts(), "left_out": unused})
        findings = find_all(
            facts,
            seen,
            tables=tables,
            adjustments=adjustments,
            suspects=self._suspects(adjustments),
            again=self.again,
            out=self.out,
        )
        if self.quick:
            facts = facts.model_copy(update={"findings": tuple(map(_undecided, findings))})
        else:
            facts = facts.model_copy(update={"findings": findings}).decided(adjustments, out=self.out)
        if write:
            with self._timed("pictures", "Drawing pictures"):
                folder = reports_of(self.place, quick=self.quick)
                make_folder(folder)
                pictures = draw(facts, seen.scan, folder) if len(seen.scan.samples) else {}
            if self.photo_map:
                with self._timed("map", "Drawing the map"):
                    self._write_map(seen.scan, folder / MAP_PARQUET)
            facts = facts.model_copy(update={"pictures": pictures, "seconds": dict(self.seconds)})
            facts.write(folder)
        return facts

    def _write_map(self, scan: Scan, file: Path) -> None:
        """Write the map of the photographs, or say why there is none; one of before is then gone."""
        features = extract_features(scan, reporter=Silent())  # from the cache: they were seen above
        try:
            if features is None:
                raise DataError("It needs pretrained weights, and a few photographs.")
            found = map_of_scan(scan, features)
        except DataError as problem:
            self.reporter.note(f"No map: {problem}")
            file.unlink(missing_ok=True)
        else:
            (found if self.with_images else found.without_names()).write(file)

    def _suspects(self, adjustments: Adjustments) -> Suspects | None:
        """Return the labels that a run doubts and nobody decided about; a list that cannot be read says nothing."""
        try:
            found = read_suspects(self.place)
        except RecordError as problem:
            self.reporter.note(f"Warning: {problem}")
            return None
        return None if found is None else replace(found, suspects=found.left(adjustments))

    def _data(self, seen: ScanResult, files: Files) -> DataFacts:
        samples = seen.scan.samples
        counts = samples.n_per_split
        is_unknown = ~samples.is_labelled & (samples.frame["split"] != "test").to_numpy()
        return DataFacts(
            name=samples.name,
            source=as_utf8(self.named or self.problem.data.source or DEFAULT_DATA),
            problem=samples.problem,
            metric=self.problem.metric or PRIMARY[samples.problem],
            classes=samples.classes,
            n={split: counts[split] for split in SPLITS} | {"excluded": len(samples.excluded)},
            n_unlabelled=int(is_unknown.sum()),
            data_digest=seen.data_digest,
            split_digest=seen.split_digest,
            fingerprint=seen.fingerprint,
            key=seen.key,
            licence=samples.licence,
            quick=self.quick,
            tables=table_digests(files.read, self.place),
            assumptions=samples.assumptions,
        )

    def _measured(self, seen: ScanResult, data: DataFacts, tables: Sequence[MetaTable]) -> Facts:
        """Measure everything but the findings and pictures."""
        scan = seen.scan
        has_any = len(scan.samples) > 0
        with self._timed("duplicates", "Looking for copies"):
            pairs = find_pairs(scan, progress=self._progress("Looking for copies")) if has_any else ()
        with self._timed("guesses", "Looking for leakage"):
            probes = probe_labels(scan, tables) if has_any else ()
        with self._timed("features", "Seeing photographs"):
            features = extract_features(scan, reporter=self.reporter) if has_any else None
        with self._timed("parts", "Looking for series"):
            looks = Looks.of(scan, features, pairs=pairs) if has_any else None
            series = find_series(scan, looks)
        with self._timed("parts", "Comparing the parts"):
            drift = find_drift(scan, features) if has_any else ()
        with self._timed("parts", "Looking for outliers"):
            outliers = find_outliers(scan, features) if has_any else ()
        with self._timed("parts", "Asking whether more photographs help"):
            curve = learning_curve(scan, features) if has_any and not seen.unusable else ()
        return Facts(
            data=data,
            files=(),
            classes=class_facts(scan.samples),
            together=occurring_together(scan.samples),
            imbalance=imbalance_facts(scan.samples, metric=data.metric),
            sizes=size_facts(scan, device=Machine().torch_device().type),
            broken=broken_files(seen.broken, scan.samples.excluded),
            duplicates=pairs,
            guesses=probes,
            series=series,
            alike=None if looks is None else looks.share_alike,
            looked_for=("copies", "near copies", *([BY_SIGNS] if features is not None else [])),
            drift=drift,
            odd=outliers,
            curve=curve,
            findings=(),
            pictures={},
            seconds=self.seconds,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def _progress(self, what: str) -> Callable[[int, int], None]:
        return lambda done, total: self.reporter.progress(what, done, total)

    @contextmanager
    def _timed(self, what: str, said: str) -> Iterator[None]:
        """Keep what a step took, with those of its name, and say what it does."""
        began = time.perf_counter()
        with step(self.reporter, said):
            yield
        self.seconds[what] = round(self.seconds.get(what, 0.0) + time.perf_counter() - began, 3)


def reports_of(place: Workspace, *, quick: bool) -> Path:
    """Return the folder of facts, pictures and page; a look at a part never takes the place of one at everything."""
    return place.reports / QUICK if quick else place.reports


def _undecided(finding: Finding) -> Finding:
    """Return a finding of a look at a part, about which nothing can be decided yet."""
    return finding.model_copy(update={"command": None, "action": None, "groups": ()})


def _workspace(folder: Path | str | None) -> Workspace:
    return Workspace.find() if folder is None else Workspace(Path(folder).absolute())


def _check_place(place: Workspace, source: DataSource) -> None:
    """Make sure, before the photographs are read, that facts can be written, and not among them."""
    if isinstance(source.data, str | Path):
        place.check_apart(source.data, source.images)
    check_writable(place.reports / FOLDER, what="reports")


def _source_name(source: DataSource) -> str:
    return str(source.data) if isinstance(source.data, str | Path) else "frame"
