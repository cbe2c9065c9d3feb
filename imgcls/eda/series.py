"""Series: photographs that are no copies and belong together, such as one piece under six lights.

A candidate is a grouping that somebody may have meant: what stands at a place of the names, blocks and runs of running
numbers, shots of one camera in quick succession. It counts only where the pictures agree with it: photographs of one of
its groups are nearer to each other, in the features of the pretrained network, than photographs of the same class in
other groups. A permutation test, within the classes, says whether chance does as well.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from imgcls.data.decode import read_shot
from imgcls.data.folder import SPLIT_FOLDERS
from imgcls.data.grouping import component_of, linked
from imgcls.data.patterns import taken_from
from imgcls.data.samples import Samples
from imgcls.eda.facts import Pair, Series
from imgcls.eda.features import Features
from imgcls.eda.learning_curve import score_out_of_fold
from imgcls.eda.scan import Scan
from imgcls.eda.statistics import PermutationFolds, aucs, p_value, principal_components

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

BY_SIGNS = "series by names, numbers and times that pictures agree with"
"""What is looked for here, in words."""
LEAST_AUC = 0.7
"""How often two photographs of one group are nearer to each other than two of different groups, at the least."""
LEAST_AUC_OF_MANY = 0.9
"""The same where names make large groups: a kind of thing, such as a breed, looks alike too without being one thing."""
N_PERMUTATIONS = 999
N_FOLDS = 5
_MANY = 30
_N_COMPONENTS = 64
_FEWEST_GROUPS = 5
_FEWEST_PAIRS = 20
_MOST_PAIRS = 4000
_LARGEST = 0.25
"""The largest group's share of the photographs at the most: larger ones cannot be divided among folds."""
_TOGETHER = 0.5
"""Where the groups of the data keep this share of a candidate's pairs together, who gave them knew of it."""
_LEAST_NUMBERED = 0.5
_FEWEST_NUMBERED = 4
_LEAST_ORDER = 0.6
_LEAST_ORDER_OF_RUNS = 0.7
"""Where no blocks are seen: many sets are a little ordered, and that gives no groups."""
_LAGS = 3
_BLOCKS = tuple(range(2, 31))
_MOST_REACH = 0.25
"""How far photographs on both sides of a block's end may still be alike, as a share of what those inside are."""
_LEAST_CONTRAST = 4.0
_REACHES = (1, 2, 3, 5, 10, 20)
_TENTH, _FAR_NEARER, _MOST_ASKED = 10, 0.3, 500
_GAPS_SECONDS = (3.0, 30.0, 600.0)
_LEAST_TIMED = 0.5
_N_ASKED = 64
"""So many photographs are asked for their time before all are."""
_SEPARATORS = "_-. "
_FOLDERS = ("**/{group}/*", "**/{group}/*/*")
_LETTER = r"[^\W\d_]"
_PLACES = (
    rf"(?:.*/)?(?P<group>[^/]*\d){_LETTER}+\.[^./]+",
    rf"(?:.*/)?(?P<group>[^/]*{_LETTER})\d+\.[^./]+",
    r"(?:.*/)?(?P<group>\d+)[^/\d][^/]*",
    rf"(?:.*/)?(?P<group>{_LETTER}+\d+){_LETTER}[^/]*",
)


@dataclass(frozen=True)
class Candidate:
    """A grouping that somebody may have meant."""

    by: Literal["names", "numbers", "times"]
    """What says so: `names`, `numbers` or `times`."""
    keys: tuple[str, ...]
    """[n], the group of each sample; "" for none."""
    pattern: str | None = None
    """What `--group-from` takes for it; None where no pattern expresses it."""

    @property
    def codes(self) -> Indices:
        """The groups as numbers, int64 [n], −1 for none."""
        return pd.factorize(np.array([key or None for key in self.keys], dtype=object))[0].astype(np.int64)


@dataclass(frozen=True)
class Agreement:
    """How far the pictures agree with a candidate."""

    auc: float
    """How often two of one group are nearer than two of different groups of the same class."""
    p: float
    """The share of permutations within the classes that do as well."""


def find_series(scan: Scan, looks: Looks | None) -> Series | None:
    """Look for photographs that belong together although they are no copies.

    Labels of test are never read. Pairs that are known as copies count neither for nor against a candidate.

    Args:
        scan: The data set, split.
        looks: What the network sees in some of the images; without it nothing is claimed.

    Returns:
        The coarsest grouping that names, numbers or times propose and pictures agree with; None where there is none, or
        where the groups of the data keep its photographs together already.
    """
    if looks is None:
        return None
    proposed = [*by_name(scan.samples, looks), *by_time(scan.samples), *by_number(scan.samples, looks)]
    candidates = [entry for entry in proposed if _can_be_divided(entry.codes[looks.rows])]
    n_tests = max(1, len(candidates))
    agreed = [(entry, found) for entry in candidates if (found := looks.agreement(entry, n_tests=n_tests))]
    agreed.sort(key=lambda entry: _n_pairs(entry[0].codes))
    if not agreed:
        return None
    chosen, told = agreed[0]
    for candidate, agreement in agreed[1:]:
        if looks.agreement(candidate, n_tests=n_tests, beyond=chosen.codes):
            chosen, told = candidate, agreement
    return _series(scan, looks, chosen, told)


def _can_be_divided(codes: Indices) -> bool:
    """Whether there are several groups of several photographs, and none holds a large part of all."""
    sizes = np.bincount(codes[codes >= 0], minlength=1)
    return bool((sizes > 1).sum() >= _FEWEST_GROUPS and sizes.max() <= max(_MANY, _LARGEST * len(codes)))


def _n_pairs(codes: Indices) -> int:
    """Count the pairs of one group, of whatever class."""
    sizes = np.bincount(codes[codes >= 0])
    return int((sizes * (sizes - 1) // 2).sum())


@dataclass(frozen=True, eq=False)
class Looks:
    """What the network sees in the photographs whose labels are known, and which of them can be compared."""

    rows: Indices
    """int64 [m], positions in `samples.frame`, rising."""
    values: Floats
    """[m, c], principal components."""
    units: Floats
    """[m, c], the same without the mean of the class, of length 1: their products are similarities."""
    kinds: Indices
    """int64 [m], the class, or the combination of classes, as a number from 0."""
    copies: frozenset[tuple[int, int]]
    """Pairs of places that are known as copies, the smaller one first."""
    together: Indices
    """int64 [m], what the data keep together already, as a number."""
    seed: int
    """Decides what is drawn."""

    @classmethod
    def of(cls, scan: Scan, features: Features | None, *, pairs: Iterable[Pair] = (), seed: int = 0) -> Looks | None:
        """Gather them; None where there are hardly any.

        Args:
            scan: The data set, split.
            features: What the network sees in some of the images.
            pairs: The copies that were found.
            seed: Decides the permutations, the folds, and which pairs are compared where there are many.
        """
        if features is None:
            return None
        samples = scan.samples
        usable = samples.is_labelled & (samples.frame["split"] != "test").to_numpy()
        rows = features.rows[usable[features.rows]].astype(np.int64)
        if len(rows) < _FEWEST_PAIRS:
            return None
        values = principal_components(
            features.values[usable[features.rows]], most=_N_COMPONENTS, whiten=False, images_each=1
        )
        kinds = np.unique(samples.targets[rows], axis=0, return_inverse=True)[1].ravel().astype(np.int64)
        means = np.zeros((kinds.max() + 1, values.shape[1]))
        np.add.at(means, kinds, values)
        units = values - (means / np.bincount(kinds)[:, None])[kinds]
        units /= np.maximum(np.linalg.norm(units, axis=1, keepdims=True), 1e-12)
        place = {samples.frame["id"].iloc[row]: at for at, row in enumerate(rows.tolist())}
        copies = frozenset(
            (min(ends), max(ends))
            for pair in pairs
            if pair.first in place and pair.second in place
            for ends in [(place[pair.first], place[pair.second])]
        )
        return cls(rows, values, units, kinds, copies, linked(samples.frame.iloc[rows]), seed)

    def pairs(self, codes: Indices, *, beyond: Indices | None = None) -> tuple[Indices, Indices]:
        """Return pairs of one group and one class that are no copies, at most `_MOST_PAIRS` of them, drawn.

        Args:
            codes: int64 [n_samples], the group of each sample, −1 for none.
            beyond: Groups whose own pairs are left out.
        """
        codes = codes[self.rows]
        other = None if beyond is None else beyond[self.rows]
        rng = np.random.default_rng([self.seed, 11])
        order = np.lexsort((np.arange(len(codes)), self.kinds, codes))
        order = order[codes[order] >= 0]
        ends = np.flatnonzero(np.diff(codes[order]) | np.diff(self.kinds[order])) + 1
        found: list[tuple[Indices, Indices]] = []
        for members in np.split(order, ends):
            if len(members) > 1:
                first, second = np.triu_indices(len(members), 1)
                drawn = rng.permutation(len(first))[: 4 * len(members)]  # so that no group outweighs all others
                found.append((members[first[drawn]], members[second[drawn]]))
        if not found:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        one, two = (np.concatenate(side) for side in zip(*found, strict=True))
        keep = self.are_no_copies(one, two)
        if other is not None:
            keep &= (other[one] < 0) | (other[one] != other[two])
        one, two = one[keep], two[keep]
        drawn = np.sort(rng.permutation(len(one))[:_MOST_PAIRS])
        return one[drawn], two[drawn]

    @property
    def share_alike(self) -> float:
        """The share of photographs whose nearest one of the class is far nearer than the tenth nearest.

        That is so in series, whatever their names are, and hardly ever among photographs of many things.
        """
        rng = np.random.default_rng([self.seed, 16])
        is_alike: list[npt.NDArray[np.bool_]] = []
        for kind in range(self.kinds.max() + 1):
            members = np.flatnonzero(self.kinds == kind)
            if len(members) <= _TENTH:
                continue
            asked = rng.permutation(members)[:_MOST_ASKED]
            alike = self.units[asked] @ self.units[members].T
            alike[asked[:, None] == members] = -1.0
            alike = -np.partition(-alike, (0, _TENTH - 1), axis=1)
            is_alike.append(1 - alike[:, 0] < _FAR_NEARER * (1 - alike[:, _TENTH - 1]))
        return float(np.concatenate(is_alike).mean()) if is_alike else 0.0

    def are_no_copies(self, first: Indices, second: Indices) -> npt.NDArray[np.bool_]:
        """Whether pairs are no known copies, bool [n]."""
        ends = zip(first.tolist(), second.tolist(), strict=True)
        return np.array([(min(pair), max(pair)) not in self.copies for pair in ends], dtype=bool)

    def agreement(self, candidate: Candidate, *, n_tests: int, beyond: Indices | None = None) -> Agreement | None:
        """Say how far pictures agree with a candidate; None where they do not, or where too little can be compared.

        Args:
            candidate: The grouping.
            n_tests: How many candidates there are, since the best of many is good by chance too.
            beyond: Groups whose own pairs are left out.
        """
        inside = candidate.codes[self.rows]
        first, second = self.pairs(candidate.codes, beyond=beyond)
        if len(first) < _FEWEST_PAIRS or len(np.unique(inside[first])) < _FEWEST_GROUPS:
            return None
        is_kind = candidate.by == "names" and np.median(np.bincount(inside[inside >= 0])[inside[inside >= 0]]) > _MANY
        least = LEAST_AUC_OF_MANY if is_kind else LEAST_AUC
        return self.judged(first, second, inside, least=least, n_tests=n_tests)

    def judged(
        self, first: Indices, second: Indices, inside: Indices, *, least: float, n_tests: int
    ) -> Agreement | None:
        """Compare pairs with pairs of the same classes and other groups; None where they are not nearer."""
        apart = self.apart(first, inside)
        if not len(apart):
            return None
        found = self.similarity(first, second)
        auc = _auc(found, apart)
        if auc < least:
            return None
        rng = np.random.default_rng([self.seed, 12])
        by_chance = np.array(
            [self.similarity(turn[first], turn[second]).mean() for turn in self._permuted(N_PERMUTATIONS, rng)]
        )
        p = p_value(float(found.mean()), by_chance)
        return Agreement(auc, p) if p <= max(0.05 / n_tests, 1.5 / N_PERMUTATIONS) else None

    def similarity(self, first: Indices, second: Indices) -> Floats:
        """Return how alike photographs are within their class, in [−1, 1]."""
        return np.einsum("ij,ij->i", self.units[first], self.units[second])

    def apart(self, like: Indices, inside: Indices) -> Floats:
        """Return similarities of pairs of different groups, of the classes of other pairs in their shares."""
        rng = np.random.default_rng([self.seed, 13])
        first = rng.choice(like, size=_MOST_PAIRS)
        members = [np.flatnonzero(self.kinds == kind) for kind in range(self.kinds.max() + 1)]
        second = np.array([rng.choice(members[self.kinds[place]]) for place in first], dtype=np.int64)
        other = (first != second) & ((inside[first] != inside[second]) | (inside[first] < 0))
        return self.similarity(first[other], second[other])

    def agree_across(self, codes: Indices, folders: Sequence[str]) -> bool:
        """Whether photographs of one group in different folders are nearer than chance explains.

        Args:
            codes: int64 [n_samples], the group of each sample, −1 for none.
            folders: [n_samples], where each of them lies.
        """
        inside = codes[self.rows]
        home = pd.factorize(np.array(folders, dtype=object))[0][self.rows]
        rng = np.random.default_rng([self.seed, 14])
        order = rng.permutation(len(inside))
        order = order[np.argsort(inside[order], kind="stable")]
        order = order[inside[order] >= 0]
        is_pair = (inside[order[1:]] == inside[order[:-1]]) & (home[order[1:]] != home[order[:-1]])
        first, second = order[:-1][is_pair][:_MOST_PAIRS], order[1:][is_pair][:_MOST_PAIRS]
        if len(first) < _FEWEST_PAIRS:
            return True
        found = self.similarity(first, second)
        by_chance = np.stack([self.similarity(turn[first], turn[second]) for turn in self._permuted(49, rng)])
        return _auc(found, by_chance[0]) >= _LEAST_ORDER and p_value(found.mean(), by_chance.mean(axis=1)) <= 0.02

    def _permuted(self, n: int, rng: np.random.Generator) -> Iterator[Indices]:
        order = np.argsort(self.kinds, kind="stable")
        for _ in range(n):
            turn = np.empty(len(order), dtype=np.int64)
            mixed = rng.permutation(len(order))
            turn[order] = mixed[np.argsort(self.kinds[mixed], kind="stable")]
            yield turn


def _auc(found: Floats, apart: Floats) -> float:
    scores = np.concatenate([found, apart])[:, None]
    positive = np.concatenate([np.ones(len(found)), np.zeros(len(apart))])[:, None]
    return float(aucs(scores, positive=positive, negative=1 - positive)[0])


def by_name(samples: Samples, looks: Looks) -> list[Candidate]:
    """Return the groupings that places in the names propose, each partition once.

    Where numbers begin again in each folder, the folder belongs to the group: where it does not, photographs of one
    group in several folders are alike.
    """
    paths = [samples.relative(path) for path in samples.frame["path"]]
    folders = [PurePosixPath(path).parent.name for path in paths]
    found: list[Candidate] = []
    seen: set[bytes] = set()
    for pattern in _patterns(paths):
        keys = _keys(pattern, paths)
        name: str | None = pattern
        n_folders = Counter(key for key, _ in set(zip(keys, folders, strict=True)) if key)
        n_spanning = sum(n > 1 for n in n_folders.values())
        if 2 * n_spanning > len(n_folders) and not looks.agree_across(Candidate("names", keys).codes, folders):
            keys = tuple(f"{folder}/{key}" if key else "" for key, folder in zip(keys, folders, strict=True))
            name = _with_folder(pattern)
            name = name if name and _keys(name, paths) == keys else None
        candidate = Candidate("names", keys, name)
        form = candidate.codes.tobytes()
        if form not in seen:
            seen.add(form)
            found.append(candidate)
    return found


def _keys(pattern: str, paths: Sequence[str]) -> tuple[str, ...]:
    return tuple((taken_from(pattern, path) or {"group": ""})["group"] for path in paths)


def _patterns(paths: Sequence[str]) -> Iterator[str]:
    """Yield patterns of names that may say what belongs together, plain ones before regular expressions."""
    letters = Counter(letter for path in paths for letter in set(PurePosixPath(path).stem) & set(_SEPARATORS))
    used = [letter for letter in _SEPARATORS if letters[letter] >= _FEWEST_PAIRS]
    yield from _FOLDERS
    for letter in used:
        yield f"{{group}}{letter}*"
        yield f"*{letter}{{group}}.*"
        yield f"*{letter}{{group}}{letter}*"
    for letter in used:
        at, other = re.escape(letter), f"[^/{re.escape(letter)}]+"
        yield rf"(?:.*/)?(?P<group>[^/]+){at}{other}\.[^./]+"
        yield rf"(?:.*/)?(?P<group>{other}{at}{other}){at}[^/]*"
        yield rf"(?:.*/)?{other}{at}(?P<group>[^/]+)\.[^./]+"
    yield from _PLACES


def _with_folder(pattern: str) -> str | None:
    """Return a pattern that takes the folder with what begins the name; None where something else stands between."""
    start = "(?:.*/)?(?P<group>"
    if pattern.startswith(start):
        return f"{start}[^/]+/{pattern.removeprefix(start)}"
    if pattern.startswith("{group}"):
        return f"{start}[^/]+/[^/]+?){re.escape(pattern.removeprefix('{group}')[:-1])}[^/]*"
    return None


def by_time(samples: Samples) -> list[Candidate]:
    """Return the groupings that times propose: shots of one camera, each soon after the one before."""
    few = samples.frame["path"].iloc[:: max(1, len(samples) // _N_ASKED)]
    if sum(read_shot(Path(path)) is not None for path in few) < _LEAST_TIMED / 2 * len(few):
        return []
    every = enumerate(read_shot(Path(path)) for path in samples.frame["path"])
    shots = {row: shot for row, shot in every if shot is not None}
    if len(shots) < max(_FEWEST_PAIRS, _LEAST_TIMED * len(samples)):
        return []
    timed = sorted(shots, key=lambda row: (shots[row], row))
    found = []
    for gap in _GAPS_SECONDS:
        keys, number = [""] * len(samples), 0
        for before, row in zip([timed[0], *timed], timed, strict=False):
            (camera, at), (camera_before, at_before) = shots[row], shots[before]
            number += camera != camera_before or (at - at_before).total_seconds() > gap
            keys[row] = str(number)
        found.append(Candidate("times", tuple(keys)))
    return found


@dataclass(frozen=True, eq=False)
class _Numbers:
    """Photographs in the order of the numbers in their names."""

    order: Indices
    """int64 [m], rows of the samples."""
    line: Indices
    """int64 [m], of names that differ by numbers alone, in one folder: as a number."""
    last: Indices
    """int64 [m], the last number."""

    @classmethod
    def of(cls, samples: Samples) -> _Numbers | None:
        """Read the names; None where most of them are not numbered."""
        found = []
        for row, path in enumerate(samples.frame["path"]):
            parts = PurePosixPath(samples.relative(path)).parts
            folder = tuple(part for part in parts[:-1] if part.lower() not in SPLIT_FOLDERS)
            pieces = re.split(r"(\d+)", PurePosixPath(parts[-1]).stem)
            if len(pieces) > 1:
                numbers = [int(piece) for piece in pieces[1::2]]
                found.append(((folder, tuple(pieces[::2]), tuple(numbers[:-1])), numbers[-1], row))
        n_of = Counter(line for line, _, _ in found)
        kept = sorted(entry for entry in found if n_of[entry[0]] >= _FEWEST_NUMBERED)
        if len(kept) < max(_FEWEST_PAIRS, _LEAST_NUMBERED * len(samples)):
            return None
        lines = {line: number for number, line in enumerate(dict.fromkeys(line for line, _, _ in kept))}
        line, last, rows = (
            np.array(column, dtype=np.int64)
            for column in zip(*((lines[line], min(last, 2**62), row) for line, last, row in kept), strict=True)
        )
        return cls(rows, line, last)

    def seen_at(self, place: Indices) -> _Numbers:
        """Return those that are seen, with their places among what is seen instead of their rows.

        Args:
            place: int64 [n_samples], −1 for what is not seen.
        """
        is_seen = place[self.order] >= 0
        return _Numbers(place[self.order][is_seen], self.line[is_seen], self.last[is_seen])

    def neighbours(self, looks: Looks, *, lags: Iterable[int]) -> tuple[Indices, Indices]:
        """Return pairs of positions in this order so far apart, of one line and one class, that are no copies."""
        n = len(self.order)
        left, right = (
            np.concatenate(side)
            for side in zip(*((np.arange(n - lag), np.arange(lag, n)) for lag in lags if lag < n), strict=True)
        )
        one, other = self.order[left], self.order[right]
        is_pair = (self.line[left] == self.line[right]) & (looks.kinds[one] == looks.kinds[other])
        is_pair &= looks.are_no_copies(one, other)
        return left[is_pair], right[is_pair]


def by_number(samples: Samples, looks: Looks) -> list[Candidate]:
    """Return the groupings that running numbers propose, where neighbours in number are alike at all.

    Blocks of one length are looked for first, such as ten of each person; where no length explains where pictures
    change, numbers are cut where photographs on both sides are not alike.
    """
    numbers = _Numbers.of(samples)
    if numbers is None:
        return []
    place = np.full(len(samples), -1, dtype=np.int64)
    place[looks.rows] = np.arange(len(looks.rows))
    seen = numbers.seen_at(place)
    left, right = seen.neighbours(looks, lags=range(1, _LAGS + 1))
    if len(left) < _FEWEST_PAIRS:
        return []
    at, nothing = seen.order, np.full(len(looks.rows), -1, dtype=np.int64)
    if looks.judged(at[left], at[right], nothing, least=_LEAST_ORDER, n_tests=1) is None:
        return []
    likeness, apart = looks.similarity(at[left], at[right]), looks.apart(at[left], nothing)
    keys = [""] * len(samples)
    if (block := _block(seen.last[left], seen.last[right], likeness, float(apart.mean()))) is not None:
        length, offset = block
        for row, line, last in zip(numbers.order, numbers.line, numbers.last, strict=True):
            keys[row] = f"{line}/{(last - offset) // length}"
    elif _auc(likeness, apart) >= _LEAST_ORDER_OF_RUNS:
        for row, run in zip(looks.rows[at], _runs(seen, looks, float(apart.mean())), strict=True):
            keys[row] = str(run)
    return [Candidate("numbers", tuple(keys))] if any(keys) else []


def _block(left: Indices, right: Indices, likeness: Floats, apart: float) -> tuple[int, int] | None:
    """Return the length and the beginning of the blocks at whose ends pictures change; None where there are none.

    Args:
        left: int64 [m], the numbers of photographs.
        right: int64 [m], the numbers of neighbours.
        likeness: [m], how alike the two are.
        apart: How alike photographs are that have nothing to do with each other.
    """
    best, found = _LEAST_CONTRAST, None
    for length in _BLOCKS:
        for offset in range(length):
            inside = (left - offset) // length == (right - offset) // length
            n_in, n_out = int(inside.sum()), int((~inside).sum())
            if min(n_in, n_out) < _FEWEST_PAIRS:
                continue
            high, low = likeness[inside], likeness[~inside]
            contrast = (high.mean() - low.mean()) / np.sqrt(high.var() / n_in + low.var() / n_out + 1e-12)
            reach = (low.mean() - apart) / max(1e-9, high.mean() - apart)
            if contrast > best and reach <= _MOST_REACH:
                best, found = contrast, (length, offset)
    return found


def _runs(numbers: _Numbers, looks: Looks, apart: float) -> Indices:
    """Number the stretches between which pictures change, int64 [m].

    Photographs on both sides of each place are compared, as far from it as neighbours are still half as alike as the
    next ones are.
    """
    reach, nearest = 1, None
    for lag in _REACHES:
        left, right = numbers.neighbours(looks, lags=[lag])
        likeness = looks.similarity(numbers.order[left], numbers.order[right])
        nearest = likeness.mean() - apart if nearest is None else nearest
        if not len(left) or likeness.mean() - apart < nearest / 2:
            break
        reach = lag
    left, right = numbers.neighbours(looks, lags=range(1, reach + 1))
    likeness = looks.similarity(numbers.order[left], numbers.order[right])
    changes = np.zeros((2, len(numbers.order) + 1))
    for side, sign in ((left + 1, 1), (right + 1, -1)):
        np.add.at(changes[0], side, sign * likeness)
        np.add.at(changes[1], side, sign)
    total, n = np.cumsum(changes, axis=1)[:, : len(numbers.order)]
    across = np.divide(total, n, out=np.full(len(total), -np.inf), where=n > 0.5)
    return np.cumsum(across < (apart + likeness.mean()) / 2).astype(np.int64)


def _series(scan: Scan, looks: Looks, chosen: Candidate, told: Agreement) -> Series | None:
    """Describe a grouping, and what keeping it together does to a score; None where the data keep it together."""
    samples = scan.samples
    codes = chosen.codes
    first, second = looks.pairs(codes)
    if (looks.together[first] == looks.together[second]).mean() >= _TOGETHER:
        return None
    ids, splits = samples.frame["id"].to_numpy(dtype=object), samples.frame["split"].to_numpy(dtype=object)
    is_open = splits != "test"
    sizes = np.bincount(codes[is_open & (codes >= 0)], minlength=codes.max() + 1)
    in_train = set(codes[(splits == "train") & (codes >= 0)].tolist())
    valid = codes[splits == "valid"]
    apart, whole = _scores(samples, looks, codes)
    members: dict[int, list[str]] = {}
    for row in np.flatnonzero(is_open & (codes >= 0)):
        members.setdefault(int(codes[row]), []).append(ids[row])
    groups = tuple(sorted(tuple(sorted(names)) for names in members.values() if len(names) > 1))
    many = sizes[sizes > 1]
    return Series(
        by=chosen.by,
        pattern=chosen.pattern,
        auc=told.auc,
        p=told.p,
        groups=groups,
        sizes=(int(many.min()), int(np.median(many)), int(many.max())),
        n_valid=len(valid),
        n_shared=int(sum(code in in_train for code in valid.tolist() if code >= 0)),
        score=apart,
        score_whole=whole,
        n_folds=N_FOLDS,
    )


def _scores(samples: Samples, looks: Looks, codes: Indices) -> tuple[float, float]:
    """Return the balanced accuracy out of fold of a linear probe, with groups divided and with groups whole."""
    targets = samples.targets[looks.rows].astype(np.int64)
    inside = codes[looks.rows]
    alone = inside.max(initial=0) + 1 + np.arange(len(inside))
    groups = np.where(inside < 0, alone, inside)
    n, n_groups = len(inside), int(groups.max()) + 1
    nodes = np.arange(n)
    joined = component_of(
        np.concatenate([nodes, nodes]),
        n + np.concatenate([groups, n_groups + looks.together]),
        n=n + n_groups + int(looks.together.max()) + 1,
    )[:n]
    found = []
    for units in (looks.together, joined):
        folds = PermutationFolds.of(looks.kinds, units, n_folds=N_FOLDS, rng=np.random.default_rng([looks.seed, 15]))
        found.append(score_out_of_fold(looks.values, targets, folds))
    return found[0], found[1]
