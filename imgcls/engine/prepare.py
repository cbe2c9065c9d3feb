"""From what a person names to samples that are decoded, checked and split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from imgcls.config.findings import check_strictly, decided_samples
from imgcls.data.cache import Photos, fill
from imgcls.data.decode import Preprocess
from imgcls.data.files import LostSample
from imgcls.data.samples import Samples, check_samples, loss_warnings
from imgcls.data.source import DataSource
from imgcls.data.split import Fold, fold_samples, split_samples
from imgcls.engine.known_datasets import is_known_set, known_set
from imgcls.engine.progress import Reporter, step
from imgcls.engine.seeding import keyed_seed
from imgcls.plan import Images
from imgcls.records.derived import DatasetSummary, Fingerprint, save_summary, take_fingerprint
from imgcls.workspace import Workspace, cache_budget_bytes, cache_folder

N_QUICK = 500


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
    fingerprint: Fingerprint | None = None
    """What the data looked like just before they were read; None where that was not asked for or cannot be known."""

    def store_rows(self, rows: np.ndarray) -> np.ndarray:
        """Return rows of the store for rows of the samples, int64 [n]."""
        place = {path: row for row, path in enumerate(self.photos.paths)}
        paths = self.samples.frame["path"].tolist()
        return np.array([place[paths[row]] for row in rows], dtype=np.int64)

    def save_summary(self, workspace: Workspace, *, in_folds: bool = False) -> None:
        """Keep the digests in a workspace for commands that do not read the data; nothing without a fingerprint."""
        if self.fingerprint is not None:
            save_summary(workspace, DatasetSummary.of(self.samples, self.fingerprint, in_folds=in_folds))


def read_samples(source: DataSource) -> Samples:
    """Read the samples, not yet decoded or split; fetch a set that a library knows, and follow findings.toml.

    Raises:
        DataError: There are no such data, or they cannot be read.
        ProblemError: findings.toml cannot be read, or does not fit.
    """
    data = source.data
    found = replace(source, data=known_set(str(data), cache_folder() / "sets")) if is_known_set(data) else source
    return decided_samples(found, None if source.findings is None else Path(source.findings))


def preprocess_of(images: Images, stretch: tuple[float, float] | None) -> Preprocess:
    """Return the decoding that a plan's images ask for, with the stretch of the data."""
    return Preprocess(images.size_px, resize=images.resize, pad_mode=images.pad_mode, stretch=stretch)


def prepare(
    source: DataSource,
    images: Images,
    *,
    reporter: Reporter,
    quick: bool = False,
    turns: Sequence[Fold | None] = (None,),
    workspace: Workspace | None = None,
    strict: bool = False,
) -> tuple[Prepared, ...]:
    """Read and decode once; split and check for every turn.

    Args:
        source: Where the data are.
        images: The plan's images.
        reporter: Shows how far decoding is, and what a person should know of the data.
        quick: Whether to take at most `N_QUICK` samples.
        turns: Which of how many folds validates, turn by turn; None draws a share that does.
        workspace: Where the digests are kept for commands that do not read the data, unless it is a quick look; None
            keeps nothing.
        strict: Whether to stop where photographs are lost and nobody decided about them.

    Returns:
        The samples of each turn.

    Raises:
        StrictError: There are such losses.
        DataError: The data cannot be used; all faults together.
    """
    kept_in = None if quick else workspace
    read = read_photographs(source, images, quick=quick, reporter=reporter, workspace=kept_in)[0]
    seed = source.split_seed or 0
    prepared = []
    for turn in turns:
        if turn is None:
            samples = split_samples(read.samples, valid=source.valid, seed=seed)
        else:
            samples = fold_samples(read.samples, turn, seed=seed)
        check_samples(samples)
        prepared.append(replace(read, samples=samples, split_seed=seed))
    first = prepared[0].samples  # the same in every turn
    if strict:
        check_strictly(first, None if source.findings is None else Path(source.findings))
    for entry in (*loss_warnings(first), *first.assumptions, *first.notes):
        reporter.note(str(entry))
    if kept_in is not None:
        prepared[0].save_summary(kept_in, in_folds=turns[0] is not None)
    return tuple(prepared)


def read_photographs(
    source: DataSource, images: Images, *, quick: bool, reporter: Reporter, workspace: Workspace | None = None
) -> tuple[Prepared, Samples]:
    """Take the fingerprint, read and decode; the arguments are those of `prepare`.

    Returns:
        Samples that are neither split nor checked, without those that cannot be decoded; and all of them.
    """
    # before reading: what changes meanwhile then counts as changed
    with step(reporter, "Reading the data"):
        fingerprint = take_fingerprint(source, workspace) if workspace is not None else None
        samples = read_samples(source)
    if samples.licence:
        reporter.note(f"{samples.name}: {len(samples)} photographs under {samples.licence}.")
    if quick:
        samples = _fewer(samples, N_QUICK)
    preprocess = preprocess_of(images, samples.stretch)
    photos = fill(
        samples.frame["path"].tolist(),
        preprocess,
        folder=cache_folder(),
        name=samples.name,
        budget_bytes=cache_budget_bytes(),
        progress=lambda done, total: reporter.progress("Reading photographs", done, total),
        verify=source.verify,
    )
    usable = samples.with_sha256(photos.sha256).without(photos.reasons)
    return Prepared(usable, photos, preprocess, fingerprint=fingerprint), samples


def _fewer(samples: Samples, n: int) -> Samples:
    """Take a part of the samples, drawn by their ids, so that the same ones come again; test is left out.

    Of what is left out already, the samples are remembered that would have been drawn, so that classes keep the share
    that they have of all.
    """
    kept = samples.frame["split"].to_numpy() != "test"
    rows = np.flatnonzero(kept)
    draws = np.array([keyed_seed("quick", name) for name in samples.frame["id"].to_numpy()[rows]])
    order = np.argsort(draws)[:n]
    last = draws[order[-1]] if len(rows) > n else None

    def is_drawn(lost: LostSample) -> bool:
        return lost.split != "test" and (last is None or keyed_seed("quick", lost.id) <= last)

    excluded = tuple(
        entry if entry.sample is None or is_drawn(entry.sample) else replace(entry, sample=None)
        for entry in samples.excluded
    )
    return replace(samples, frame=samples.frame.iloc[np.sort(rows[order])].reset_index(drop=True), excluded=excluded)
