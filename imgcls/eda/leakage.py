"""Leakage: how well the label can be guessed from what is not the picture, such as file names, sizes and tables.

A leakage probe is a naive Bayes classifier on the words of one metadata feature, judged on folds that it has not seen.
Where samples belong together (groups, exact duplicates), folds keep them whole, so that only what reaches new groups
counts. What chance would do is measured by a permutation test: labels are permuted, everything else stays the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array

from imgcls.data.folder import split_of
from imgcls.data.grouping import linked
from imgcls.data.samples import Samples, as_targets, classes_in
from imgcls.eda.facts import LeakageProbe
from imgcls.eda.metadata import MetaTable, is_number
from imgcls.eda.scan import Scan
from imgcls.eda.statistics import PermutationFolds, aucs, p_value

Floats = npt.NDArray[np.float64]
Words = list[list[str]]
Reading = Callable[[Sequence[int]], Words]
"""From rows of samples to the words of each of them."""
Indices = npt.NDArray[np.int64]
MOST_SAMPLES = 20_000
"""More are drawn from."""
MOST_CLASSES = 50
"""The most frequent ones are guessed."""
N_FOLDS = 5
N_PERMUTATIONS = (49, 199, 499)
"""A first look, after which what is plainly chance is left alone; the fewest and the most in all."""
_LEVELS = (4, 16, 64)
"""Into how many parts a number is cut, coarse and fine at once."""
_FEWEST_A_PART = 10
_N_FEW = 20
_SECONDS_A_PHOTOGRAPH = 1.0
"""Files that were written faster than this were written by a program, and their stamps tell of that only."""
_PIECES = re.compile(r"[^\W\d_]+|\d+")
NEARLY_ALL = 0.9
_FEWEST_SAMPLES = 10
_FEWEST_MEMBERS = 2
_PLAINLY_CHANCE = 0.2
_PRIOR_SAMPLES = 5.0
"""How many samples' worth of the overall share a word has before any sample was seen."""
_MOST_CELLS = 40_000_000
_CELLS_AT_ONCE = 4_000_000


def probe_labels(scan: Scan, tables: Sequence[MetaTable] = (), *, seed: int = 0) -> tuple[LeakageProbe, ...]:
    """Guess the labels of train and valid from everything but the pictures.

    Labels of test are never read. A feature that is the same everywhere gives no probe; nor do time stamps that an
    archive or a copy left, see `imgcls.eda.leakage.are_of_photographs`. With c features, chance alone gives one of them
    a p below 0.05 with a probability of about 0.05·c, so a finding should ask for p ≤ 0.05/c: see
    `imgcls.eda.facts.is_telling`.

    Args:
        scan: The data set.
        tables: What else is known of the samples.
        seed: Decides the folds and the permutations, and who is looked at where there are more than `MOST_SAMPLES`.

    Returns:
        One probe a feature, the best first: by name, order, bytes, size, time, or `<column> of <table>`.
    """
    rows, members = labelled(scan.samples, seed=seed)
    if len(rows) < _FEWEST_SAMPLES or not members.shape[1]:
        return ()
    kinds, kind_of = np.unique(members, axis=0, return_inverse=True)
    units = linked(scan.samples.frame.iloc[rows])
    folds = PermutationFolds.of(kind_of.ravel(), units, n_folds=N_FOLDS, rng=np.random.default_rng([seed, 1]))
    if folds.n_folds < 2:
        return ()
    found = []
    for feature in metadata_features(scan, tables):
        if len({feature.values[row] for row in rows}) > 1:
            readings = [reading(rows.tolist()) for reading in feature.readings]
            auc, p = judge(readings, folds, kinds.astype(np.float64), seed=seed)
            found.append(_probe(feature, auc, p, n=len(rows), samples=scan.samples))
    return tuple(sorted(found, key=lambda probe: -probe.auc))


def labelled(samples: Samples, *, seed: int) -> tuple[Indices, npt.NDArray[np.bool_]]:
    """Return the samples outside test whose label is known, at most `MOST_SAMPLES`, and their classes.

    Returns:
        int64 [m], positions in `samples.frame`; and bool [m, k], whether a sample belongs to each of the classes that
        can be guessed: the second of two, else the `MOST_CLASSES` most frequent ones with members and others.
    """
    rows = np.flatnonzero(samples.is_labelled & (samples.frame["split"] != "test").to_numpy())
    if len(rows) > MOST_SAMPLES:
        rows = np.sort(np.random.default_rng([seed, 0]).permutation(rows)[:MOST_SAMPLES])
    part = samples.frame["label"].to_numpy(dtype=object)[rows]
    truth = _members(part.tolist(), samples)
    n_members = truth.sum(axis=0)
    can = np.flatnonzero((n_members >= _FEWEST_MEMBERS) & (len(rows) - n_members >= _FEWEST_MEMBERS))
    chosen = np.sort(can[np.argsort(-n_members[can], kind="stable")[:MOST_CLASSES]])
    if samples.problem == "binary":
        chosen = chosen[-1:]
    return rows.astype(np.int64), truth[:, chosen]


def _members(labels: Sequence[str], samples: Samples) -> npt.NDArray[np.bool_]:
    targets = as_targets(labels, classes=samples.classes, problem=samples.problem)
    return targets.astype(bool) if targets.ndim == 2 else targets[:, None] == np.arange(samples.n_classes)


def judge(readings: Sequence[Words], folds: PermutationFolds, kinds: Floats, *, seed: int) -> tuple[float, float]:
    """Guess labels by the reading that does best, and say how often chance does as well by any of them.

    Args:
        readings: Each [m], the words of each sample.
        folds: The kinds, units and folds of the samples.
        kinds: [n_kinds, k] of 0 and 1, which classes a sample of each kind belongs to.
        seed: Decides the permutations.

    Returns:
        The AUC, and p.
    """
    probes = [LabelProbe(words, folds, kinds) for words in readings]
    auc = float(_best(probes, folds.kinds[None])[0])
    rng = np.random.default_rng([seed, 2])
    n_cells = sum(probe.n_cells for probe in probes) * max(kinds.shape)
    by_chance = _permuted(probes, N_PERMUTATIONS[0], rng, at_once=_CELLS_AT_ONCE // n_cells)
    if p_value(auc, by_chance) <= _PLAINLY_CHANCE:
        n_more = int(np.clip(_MOST_CELLS // n_cells, *N_PERMUTATIONS[1:])) - len(by_chance)
        more = _permuted(probes, n_more, rng, at_once=_CELLS_AT_ONCE // n_cells)
        by_chance = np.concatenate([by_chance, more])
    return auc, p_value(auc, by_chance)


def _best(probes: Sequence[LabelProbe], kinds: Indices) -> Floats:
    return np.max([probe.aucs(kinds) for probe in probes], axis=0)


def _permuted(probes: Sequence[LabelProbe], n: int, rng: np.random.Generator, *, at_once: int) -> Floats:
    folds, step = probes[0].folds, max(1, at_once)
    return np.concatenate([_best(probes, folds.permuted(min(step, n - done), rng)) for done in range(0, n, step)])


class LabelProbe:
    """Guesses labels from words, out of fold, for labels as they are and as chance would deal them.

    Samples with the same words in the same fold get the same score, so that they are counted as one cell.
    """

    def __init__(self, words: Words, folds: PermutationFolds, kinds: Floats) -> None:
        """Gather what is the same for all labels.

        Args:
            words: [m], the words of each sample.
            folds: The kinds, units and folds of the samples.
            kinds: [n_kinds, k] of 0 and 1, which classes a sample of each kind belongs to.
        """
        self.folds, self.kinds = folds, kinds
        words = _shared_words(words)
        patterns, distinct = pd.factorize(np.array(["\0".join(entry) for entry in words], dtype=object))
        cells = patterns.astype(np.int64) * folds.n_folds + folds.folds
        homes, self.cell_of = np.unique(cells, return_inverse=True)
        self.fold_of_cell = homes % folds.n_folds
        firsts = np.zeros(len(distinct), dtype=np.int64)
        firsts[patterns[::-1]] = np.arange(len(patterns))[::-1]
        design = _design([words[row] for row in firsts])
        self.design = csr_array(design[homes // folds.n_folds])
        self.sizes = np.bincount(self.cell_of, minlength=len(homes)).astype(np.float64)

    @property
    def n_cells(self) -> int:
        """The number of cells."""
        return len(self.sizes)

    def aucs(self, kinds: Indices) -> Floats:
        """Guess several labellings of the samples.

        Args:
            kinds: int64 [n, m].

        Returns:
            [n], the mean over classes of the AUC of one class against the rest.
        """
        members = self._members(kinds)
        n_cells, k = members.shape[1:]
        flat = members.transpose(1, 0, 2).reshape(n_cells, -1)
        scores = np.zeros_like(flat)
        for fold in range(self.folds.n_folds):
            held_out = self.fold_of_cell == fold
            weights = self._weights(flat, ~held_out)
            scores[held_out] = self.design[held_out] @ weights
        found = aucs(scores, positive=flat, negative=self.sizes[:, None] - flat)
        return np.asarray(found.reshape(-1, k).mean(axis=1))

    def _members(self, kinds: Indices) -> Floats:
        """Count the members of each class in each cell, [n, n_cells, k]."""
        n, (n_kinds, _), n_cells = len(kinds), self.kinds.shape, len(self.sizes)
        places = (np.arange(n)[:, None] * n_cells + self.cell_of) * n_kinds + kinds
        counts = np.bincount(places.ravel(), minlength=n * n_cells * n_kinds)
        return counts.reshape(n, n_cells, n_kinds).astype(np.float64) @ self.kinds

    def _weights(self, members: Floats, seen: npt.NDArray[np.bool_]) -> Floats:
        """Return what each word adds to the log-odds of each class, [n_words, q]: 0 for a word that was not seen."""
        n_seen = self.sizes[seen].sum()
        share = np.clip(members[seen].sum(axis=0) / n_seen, 0.5 / n_seen, 1 - 0.5 / n_seen)
        by_word = self.design[seen].T
        hits, n = by_word @ members[seen], (by_word @ self.sizes[seen])[:, None]
        rate = (hits + _PRIOR_SAMPLES * share) / (n + _PRIOR_SAMPLES)
        return np.log(rate / (1 - rate)) - np.log(share / (1 - share))


def _shared_words(words: Words) -> Words:
    """Leave out what one sample has alone: it tells nothing of others, and makes every sample a cell of its own."""
    n_having = Counter(word for entry in words for word in entry)
    return [[word for word in entry if n_having[word] > 1] for entry in words]


def _design(words: Words) -> csr_array:
    """Describe which row has which word, [n_rows, n_words] of 0 and 1."""
    ends = np.cumsum([0, *map(len, words)])
    codes, distinct = pd.factorize(np.array([word for entry in words for word in entry], dtype=object))
    return csr_array((np.ones(len(codes)), codes.astype(np.int64), ends), shape=(len(words), max(1, len(distinct))))


def _probe(feature: MetadataFeature, auc: float, p: float, *, n: int, samples: Samples) -> LeakageProbe:
    different = {value for value in feature.values if value}
    is_few = 2 <= len(different) <= len(samples) / 2
    return LeakageProbe(
        by=feature.by,
        auc=auc,
        p=p,
        n=n,
        n_values=len(different),
        shared=_shared(feature.values, samples) if is_few and " of " in feature.by else {},
    )


def _shared(values: Sequence[str], samples: Samples) -> dict[str, float]:
    """Return the share of the samples of valid and test whose value occurs in train too, of those that have one."""
    in_train = {values[row] for row in samples.rows("train")} - {""}
    found = {}
    for split in ("valid", "test"):
        known = [values[row] for row in samples.rows(split) if values[row]]
        if known:
            found[split] = sum(value in in_train for value in known) / len(known)
    return found


@dataclass(frozen=True)
class MetadataFeature:
    """Something that is known of every sample besides its picture."""

    by: str
    """What it is, as in `imgcls.eda.facts.LeakageProbe`."""
    values: tuple[str, ...]
    """[n], the value of every sample; "" where it is missing."""
    readings: tuple[Reading, ...]
    """The ways in which it can be read, at least one."""


def metadata_features(scan: Scan, tables: Sequence[MetaTable]) -> list[MetadataFeature]:
    """Return everything that a label might be guessed from, in a fixed order."""
    samples, measures = scan.samples, scan.measures
    own_names = _own_names(samples)
    sizes = [f"{width}x{height}" for width, height in zip(measures["width_px"], measures["height_px"], strict=True)]
    features = [
        MetadataFeature("name", tuple(own_names), (_as_names(own_names),)),
        _order(samples, own_names),
        _number("bytes", measures["n_bytes"].to_numpy(dtype=np.float64)),
        MetadataFeature(
            "size", tuple(sizes), _size_readings(measures[["width_px", "height_px"]].to_numpy(dtype=np.float64), sizes)
        ),
    ]
    stamps = measures["mtime_ns"].to_numpy(dtype=np.float64)
    if are_of_photographs(stamps):
        features.append(_number("time", stamps))
    for table in tables:
        features += [_column(f"{column} of {table.name}", values) for column, values in table.columns.items()]
    return features


def name_words(name: str) -> list[str]:
    """Cut a file name into what names of one origin share: letters, numbers, form and length.

    Args:
        name: A file name, with folders that are neither class nor split before it.
    """
    path = PurePosixPath(name)
    stem = path.stem.lower()
    pieces = _PIECES.findall(stem)
    form = re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", stem))
    words = [f"suffix {path.suffix.lower()}", f"form {form}", f"length {len(stem)}"]
    words += [f"start {pieces[0]}"] if pieces else []
    words += [f"piece {piece}" for piece in pieces if len(piece) > 1]
    return list(dict.fromkeys([*words, *(f"folder {part}" for part in path.parts[:-1])]))


def number_words(numbers: Floats) -> Words:
    """Describe in which part of the numbers each one lies, coarse and fine; missing ones share a word.

    Args:
        numbers: [m]; NaN where missing.
    """
    words: Words = [["missing"] if missing else [] for missing in np.isnan(numbers)]
    known = np.flatnonzero(~np.isnan(numbers))
    for n_parts in _LEVELS:
        if not known.size or (n_parts > _LEVELS[0] and known.size < n_parts * _FEWEST_A_PART):
            break
        edges = np.unique(np.quantile(numbers[known], np.arange(1, n_parts) / n_parts))
        for row, part in zip(known, np.searchsorted(edges, numbers[known], side="left"), strict=True):
            words[row].append(f"{n_parts}: {part}")
    return words


def are_of_photographs(stamps: Floats) -> bool:
    """Whether time stamps may be those of the photographs, not those of an archive or a copy.

    A program that unpacks or copies writes many files a second, often one class after the other.

    Args:
        stamps: [n], nanoseconds.
    """
    if len(stamps) < 2 or (stamps <= 0).any():
        return False
    n_seconds = (np.quantile(stamps, 0.95) - np.quantile(stamps, 0.05)) / 1e9
    n_moments = len(np.unique(stamps // 10**9))
    return bool(n_seconds > _SECONDS_A_PHOTOGRAPH * 0.9 * len(stamps) and n_moments > len(stamps) / 2)


def _own_names(samples: Samples) -> list[str]:
    """Return what is left of each id without folders that stand for a class or a split."""
    known = {*samples.classes, *(name for label in samples.classes for name in classes_in(label))}
    depth = _depth_of_classes(samples)
    return [
        "/".join(
            [
                *(
                    part
                    for place, part in enumerate(path.parts[:-1])
                    if place != depth and part not in known and not split_of(part)
                ),
                path.name,
            ]
        )
        for path in map(PurePosixPath, samples.frame["id"])
    ]


def _depth_of_classes(samples: Samples) -> int | None:
    """Return the level of folders in the ids that is that of the classes, under whatever names; None for none.

    A table that calls a class 0 or Rose may name photographs in a folder rose: each folder there has one label, and
    each label one folder.
    """
    shown = samples.is_labelled & (samples.frame["split"] != "test").to_numpy()
    labels = samples.frame["label"][shown].tolist()
    folders = [PurePosixPath(name).parts[:-1] for name in samples.frame["id"][shown]]
    for depth in range(min(map(len, folders), default=0)):
        pairs = {(parts[depth], label) for parts, label in zip(folders, labels, strict=True)}
        if 1 < len(pairs) == len({folder for folder, _ in pairs}) == len({label for _, label in pairs}):
            return depth
    return None


def _order(samples: Samples, names: Sequence[str]) -> MetadataFeature:
    """Return the places of the samples by the numbers in their names and, where a table lists them, in it.

    Where classes are folders, or their names are those of files that are listed in order, the samples are listed class
    by class, which tells nothing more.
    """
    by_number = _ranks([[int(piece) for piece in re.findall(r"\d+", PurePosixPath(name).stem)] for name in names])
    if _are_listed_by_class(samples):
        return _number("order", by_number)
    listed = np.arange(len(samples), dtype=np.float64)
    return MetadataFeature("order", tuple(map(str, range(len(samples)))), (_as_numbers(listed), _as_numbers(by_number)))


def _natural(text: str) -> list[tuple[int, int, str]]:
    pieces = re.findall(r"\d+|\D+", text)
    return [(0, int(piece), "") if piece.isdecimal() else (1, 0, piece) for piece in pieces]


def _ranks(keys: Sequence[list[Any]]) -> Floats:
    """Return the place of each key in their order; equal ones share theirs."""
    ranks = np.zeros(len(keys))
    order = sorted(range(len(keys)), key=keys.__getitem__)
    place = 0
    for before, row in zip([None, *order], order, strict=False):
        place += before is None or keys[before] != keys[row]
        ranks[row] = place
    return ranks


def _are_listed_by_class(samples: Samples) -> bool:
    ids = samples.frame["id"].tolist()
    if _depth_of_classes(samples) is not None or (ids == sorted(ids) and names_say_classes(samples)):
        return True
    frame = samples.frame[(samples.frame["label"] != "") & (samples.frame["split"] != "test")]
    inside = [label in PurePosixPath(name).parts[:-1] for name, label in zip(frame["id"], frame["label"], strict=True)]
    return bool(inside) and 2 * sum(inside) > len(inside)


def names_say_classes(samples: Samples) -> bool:
    """Whether nearly all file names outside test hold the name of their class."""
    labelled = samples.frame[samples.is_labelled & (samples.frame["split"] != "test").to_numpy()]
    named = [
        all(_letters(name) in _letters(PurePosixPath(sample).stem) for name in classes_in(label))
        for sample, label in zip(labelled["id"], labelled["label"], strict=True)
    ]
    return len(named) > 0 and sum(named) >= NEARLY_ALL * len(named)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _number(by: str, numbers: Floats) -> MetadataFeature:
    return MetadataFeature(by, tuple(f"{number:.17g}" for number in numbers), (_as_numbers(numbers),))


def _size_readings(sides: Floats, sizes: Sequence[str]) -> tuple[Reading, ...]:
    area, aspect = sides.prod(axis=1), sides[:, 0] / np.maximum(sides[:, 1], 1)
    return _as_values(sizes), _as_numbers(area), _as_numbers(aspect)


def _column(by: str, values: Sequence[str]) -> MetadataFeature:
    """Read a column as values, as numbers where there are many different ones, or as texts where nearly all differ."""
    filled = [value for value in values if value]
    n_values = len(set(filled))
    readings = [_as_values(values)]
    if n_values > _N_FEW and all(map(is_number, filled)):
        readings.append(_as_numbers(np.array([float(value) if value else np.nan for value in values])))
    elif 2 * n_values > len(filled):
        ranks = _ranks([_natural(value) for value in values])
        readings += [_as_names(values), _as_numbers(np.where(np.array(values, dtype=object) == "", np.nan, ranks))]
    return MetadataFeature(by, tuple(values), tuple(readings))


def _as_values(values: Sequence[str]) -> Reading:
    return lambda rows: [[values[row]] for row in rows]


def _as_names(names: Sequence[str]) -> Reading:
    return lambda rows: [name_words(names[row]) for row in rows]


def _as_numbers(numbers: Floats) -> Reading:
    return lambda rows: number_words(numbers[list(rows)])
