"""From what a person names to samples that are decoded, checked and split."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from imgcls.config.findings import FINDINGS_TOML, apply_adjustments, read_adjustments
from imgcls.config.problem import PROBLEM_TOML, find_problem, is_same_source, reading_of
from imgcls.data.cache import Photos, fill
from imgcls.data.decode import Preprocess
from imgcls.data.load import load_samples
from imgcls.data.samples import ProblemType, Samples, check_samples
from imgcls.data.split import Fold, fold_samples, split_samples
from imgcls.engine.known_datasets import is_known_set, known_set
from imgcls.engine.progress import Reporter
from imgcls.engine.seeding import keyed_seed
from imgcls.errors import UsageError, WorkspaceError, nearest_hint
from imgcls.plan import Images
from imgcls.workspace import OWN_FOLDERS, Workspace, cache_budget_bytes, cache_folder

N_QUICK = 500


@dataclass(frozen=True)
class DataSource:
    """Where the photographs and labels are, and how they are to be read."""

    data: str | Path | pd.DataFrame | None = None
    """A folder, a table, a frame, `torchvision:NAME`, `fastai:NAME`, or None for the default data."""
    images: str | Path | None = None
    """For a table: the folder of its photographs."""
    label: str | Sequence[str] | None = None
    """For a table: the column of labels, or several of 0 and 1."""
    id: str | None = None
    """For a table: the column that names files."""
    group: str | None = None
    """For a table: the column of groups that stay together."""
    split: str | None = None
    """For a table: the column that says train, valid or test."""
    problem_type: ProblemType | None = None
    """`binary`, `multiclass` or `multilabel`; None finds out."""
    delimiter: str | None = None
    """For a table: what separates several classes in a cell."""
    valid: float | None = None
    """Share of the samples outside test that validate, in (0, 1); None takes the data's own advice, or 0.2."""
    split_seed: int | None = None
    """Decides who trains and who validates, apart from the seed of training; None is 0."""
    test: str | Path | None = None
    """For a table: the table of photographs to predict; `none` for none, None finds one called test beside it."""
    findings: str | Path | None = None
    """A findings.toml: what is left out and what stays together; None for nothing."""
    verify: bool = False
    """Whether every photograph is read and hashed again instead of trusting size and time stamp."""

    @classmethod
    def of(cls, data: Any, reading: dict[str, Any]) -> DataSource:
        """Make a source from what was passed to a public function.

        Raises:
            UsageError: An option does not exist.
        """
        if isinstance(data, DataSource):
            return replace(data, **reading)
        known = [entry.name for entry in fields(cls)]
        unknown = [name for name in reading if name not in known]
        if unknown:
            raise UsageError.together([f"There is no option {name!r}.{nearest_hint(name, known)}" for name in unknown])
        return cls(data, **reading)

    def in_workspace(self, workspace: Workspace, *, folds: int | None = None) -> Self:
        """Fill in what was not said from the problem of a workspace, and follow its findings.toml.

        Args:
            workspace: Where imgcls.toml and findings.toml may lie.
            folds: The number of folds; with folds the problem's share that validates means nothing, and is left out.

        Raises:
            ProblemError: One of the files cannot be read, or does not fit.
            WorkspaceError: The problem is about other data than those that were named.
        """
        findings = workspace.root / FINDINGS_TOML
        given: dict[str, Any] = {"findings": findings if os.path.lexists(findings) else None}
        if (problem := find_problem(workspace.root)) is not None:
            given |= reading_of(problem, workspace.root)
            self._check_same_data(given["data"], workspace)
        if folds is not None:
            given.pop("valid", None)
        return replace(self, **{name: value for name, value in given.items() if getattr(self, name) is None})

    def _check_same_data(self, data: str | None, workspace: Workspace) -> None:
        """Refuse other data than those of the problem.

        Raises:
            WorkspaceError: They are others.
        """
        if self.data is None or data is None or is_same_source(self.data, data):
            return
        named = f"the data {str(self.data)!r}" if isinstance(self.data, str | Path) else "a frame in memory"
        raise WorkspaceError(
            f"{workspace.root / PROBLEM_TOML} is about {data!r}, and {named} was named. A workspace holds one data "
            "set: leave out the data (--data), or take another folder (--out, or workspace=…)."
        )

    def load(self) -> Samples:
        """Read the samples, not yet decoded or split, and follow findings.toml.

        Raises:
            DataError: There are no such data, or they cannot be read.
            ProblemError: findings.toml cannot be read, or does not fit.
        """
        data = self.data
        if is_known_set(data):
            data = known_set(str(data), cache_folder() / "sets")
        samples = load_samples(
            data,
            images=self.images,
            label=self.label,
            id=self.id,
            group=self.group,
            split=self.split,
            problem_type=self.problem_type,
            delimiter=self.delimiter,
            test=self.test,
            skip=OWN_FOLDERS,
        )
        return samples if self.findings is None else apply_adjustments(samples, read_adjustments(Path(self.findings)))


@dataclass(frozen=True)
class Prepared:
    """Samples with their pixels at hand."""

    samples: Samples
    """Split and checked; what cannot be used is excluded."""
    photos: Photos
    """The decoded store."""
    preprocess: Preprocess
    """How the photographs were decoded."""
    split_seed: int = 0
    """What the split, or the folds, were drawn from."""

    def store_rows(self, rows: np.ndarray) -> np.ndarray:
        """Return rows of the store for rows of the samples, int64 [n]."""
        place = {path: row for row, path in enumerate(self.photos.paths)}
        paths = self.samples.frame["path"].tolist()
        return np.array([place[paths[row]] for row in rows], dtype=np.int64)


def preprocess_of(images: Images) -> Preprocess:
    """Return the decoding that a plan's images ask for."""
    return Preprocess(images.size_px, resize=images.resize, pad_mode=images.pad_mode)


def prepare(
    source: DataSource, images: Images, *, quick: bool, reporter: Reporter, turn: Fold | None = None
) -> Prepared:
    """Read, decode, check and split.

    Args:
        source: Where the data are.
        images: The plan's images.
        quick: Whether to take at most `N_QUICK` samples.
        reporter: Shows how far decoding is, and what a person should know of the data.
        turn: Which of how many folds validates; None draws a share that does.

    Raises:
        DataError: The data cannot be used; all faults together.
    """
    photographs = read_photographs(source, images, quick=quick, reporter=reporter)
    return split_prepared(photographs, source, reporter=reporter, turn=turn)


def read_photographs(source: DataSource, images: Images, *, quick: bool, reporter: Reporter) -> Prepared:
    """Read and decode, and leave out what cannot be read; the arguments are those of `prepare`.

    Returns:
        Samples that are neither split nor checked.
    """
    return decode_photographs(chosen_samples(source, quick=quick, reporter=reporter), source, images, reporter=reporter)


def chosen_samples(source: DataSource, *, quick: bool, reporter: Reporter) -> Samples:
    """Read the samples, and take a part of them where that is asked for; the arguments are those of `prepare`."""
    samples = source.load()
    if samples.licence:
        reporter.note(f"{samples.name}: {len(samples)} photographs under {samples.licence}.")
    return _fewer(samples, N_QUICK) if quick else samples


def decode_photographs(samples: Samples, source: DataSource, images: Images, *, reporter: Reporter) -> Prepared:
    """Decode the photographs of samples, and leave out what cannot be read; the arguments are those of `prepare`."""
    preprocess = preprocess_of(images)
    photos = fill(
        samples.frame["path"].tolist(),
        preprocess,
        folder=cache_folder(),
        name=samples.name,
        budget_bytes=cache_budget_bytes(),
        progress=lambda done, total: reporter.progress("Reading photographs", done, total),
        verify=source.verify,
    )
    return Prepared(samples.with_sha256(photos.sha256).without(photos.reasons), photos, preprocess)


def split_prepared(prepared: Prepared, source: DataSource, *, reporter: Reporter, turn: Fold | None = None) -> Prepared:
    """Split what was read, and check it; the arguments are those of `prepare`."""
    seed = source.split_seed or 0
    if turn is None:
        samples = split_samples(prepared.samples, valid=source.valid, seed=seed)
    else:
        samples = fold_samples(prepared.samples, turn, seed=seed)
    check_samples(samples)
    for note in samples.notes:
        reporter.note(note)
    return replace(prepared, samples=samples, split_seed=seed)


def _fewer(samples: Samples, n: int) -> Samples:
    """Take a part of the samples, drawn by their ids, so that the same ones come again; test is left out."""
    kept = samples.frame["split"].to_numpy() != "test"
    rows = np.flatnonzero(kept)
    draws = [keyed_seed("quick", name) for name in samples.frame["id"].to_numpy()[rows]]
    chosen = np.sort(rows[np.argsort(draws)[:n]])
    return replace(samples, frame=samples.frame.iloc[chosen].reset_index(drop=True))
