"""From what a person names to samples that are decoded, checked and split."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from imgcls.config.findings import apply_adjustments, read_adjustments
from imgcls.data.cache import Photos, fill
from imgcls.data.decode import Preprocess
from imgcls.data.load import load_samples
from imgcls.data.samples import Samples, check_samples
from imgcls.data.source import DataSource
from imgcls.data.split import Fold, fold_samples, split_samples
from imgcls.engine.known_datasets import is_known_set, known_set
from imgcls.engine.progress import Reporter
from imgcls.engine.seeding import keyed_seed
from imgcls.plan import Images
from imgcls.workspace import cache_budget_bytes, cache_folder

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

    def store_rows(self, rows: np.ndarray) -> np.ndarray:
        """Return rows of the store for rows of the samples, int64 [n]."""
        place = {path: row for row, path in enumerate(self.photos.paths)}
        paths = self.samples.frame["path"].tolist()
        return np.array([place[paths[row]] for row in rows], dtype=np.int64)


def read_samples(source: DataSource) -> Samples:
    """Read the samples, not yet decoded or split; fetch a set that a library knows, and follow findings.toml.

    Raises:
        DataError: There are no such data, or they cannot be read.
        ProblemError: findings.toml cannot be read, or does not fit.
    """
    data = source.data
    found = replace(source, data=known_set(str(data), cache_folder() / "sets")) if is_known_set(data) else source
    samples = load_samples(found)
    return samples if source.findings is None else apply_adjustments(samples, read_adjustments(Path(source.findings)))


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
        reporter: Told how far decoding is, and what a person should know of the data.
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
    samples = read_samples(source)
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
