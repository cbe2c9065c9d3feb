"""How well the label can be told from what is not the picture: file names, order, sizes, stamps, columns of tables.

A guess is a naive Bayes classifier on the words of a clue, judged on folds that it has not seen. Where samples
belong together (groups, exact duplicates), folds keep them whole, so that only what reaches new groups counts. What
chance would do is measured with labels dealt out anew, everything else being the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array

from imgcls.data.samples import Samples, as_targets
from imgcls.data.units import linked
from imgcls.eda.areas import areas
from imgcls.eda.clues import Clue, Words, clues_of
from imgcls.eda.facts import Guess
from imgcls.eda.metadata import MetaTable
from imgcls.eda.scan import Scan
from imgcls.eda.shuffles import Deal, p_value

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

MOST_SAMPLES = 20_000
"""More are drawn from."""
MOST_CLASSES = 50
"""The most frequent ones are guessed."""
N_FOLDS = 5
N_SHUFFLES = (49, 199, 499)
"""A first look, after which what is plainly chance is left alone; the fewest and the most in all."""

LEAST_AUC: Mapping[str, float] = MappingProxyType({"bytes": 0.9, "size": 0.7})
"""From what a guess is by to the least AUC that is worth a look."""

_LEAST_AUC = 0.6
_FEWEST_SAMPLES = 10
_FEWEST_MEMBERS = 2
_PLAINLY_CHANCE = 0.2
_PRIOR_SAMPLES = 5.0
"""How many samples' worth of the overall share a word has before any sample was seen."""
_MOST_CELLS = 40_000_000
_CELLS_AT_ONCE = 4_000_000


def guess_labels(scan: Scan, tables: Sequence[MetaTable] = (), *, seed: int = 0) -> tuple[Guess, ...]:
    """Guess the labels of train and valid from everything but the pictures.

    Labels of test are never read. A clue that is the same everywhere gives no guess; nor do time stamps that an
    archive or a copy left, see `imgcls.eda.clues.tell_of_photographs`. With c clues, chance alone gives one of them
    a p below 0.05 with a probability of about 0.05·c, so a finding should ask for p ≤ 0.05/c: see `is_telling`.

    Args:
        scan: The data set.
        tables: What else is known of the samples.
        seed: Decides the folds and the shuffles, and who is looked at where there are more than `MOST_SAMPLES`.

    Returns:
        One guess a clue, the best first: by name, order, bytes, size, time, or `<column> of <table>`.
    """
    rows, members = labelled(scan.samples, seed=seed)
    if len(rows) < _FEWEST_SAMPLES or not members.shape[1]:
        return ()
    kinds, kind_of = np.unique(members, axis=0, return_inverse=True)
    units = linked(scan.samples.frame.iloc[rows])
    deal = Deal.of(kind_of.ravel(), units, n_folds=N_FOLDS, rng=np.random.default_rng([seed, 1]))
    if deal.n_folds < 2:
        return ()
    found = []
    for clue in clues_of(scan, tables):
        if len({clue.values[row] for row in rows}) > 1:
            readings = [reading(rows.tolist()) for reading in clue.readings]
            auc, p = judge(readings, deal, kinds.astype(np.float64), seed=seed)
            found.append(_guess(clue, auc, p, n=len(rows), samples=scan.samples))
    return tuple(sorted(found, key=lambda guess: -guess.auc))


def is_telling(guess: Guess, *, n_guesses: int) -> bool:
    """Whether the label can be guessed better than chance explains, and well enough to matter.

    The size of an image, and still more that of its file, come with what is photographed: a defect that makes a
    picture darker makes its file smaller. They have to tell more before anybody should look.

    Args:
        guess: One of them.
        n_guesses: How many there are, since the best of many is the luckiest too.
    """
    return guess.auc >= LEAST_AUC.get(guess.by, _LEAST_AUC) and guess.p <= max(
        0.05 / max(1, n_guesses), 1 / (1 + N_SHUFFLES[1])
    )


def labelled(samples: Samples, *, seed: int) -> tuple[Indices, npt.NDArray[np.bool_]]:
    """Give the samples outside test whose label is known, at most `MOST_SAMPLES`, and their classes.

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


def judge(readings: Sequence[Words], deal: Deal, kinds: Floats, *, seed: int) -> tuple[float, float]:
    """Guess labels by the reading that does best, and say how often chance does as well by any of them.

    Args:
        readings: Each [m], the words of each sample.
        deal: The kinds, units and folds of the samples.
        kinds: [n_kinds, k] of 0 and 1, which classes a sample of each kind belongs to.
        seed: Decides the shuffles.

    Returns:
        The AUC, and p.
    """
    guessers = [Guesser(words, deal, kinds) for words in readings]
    auc = float(_best(guessers, deal.kinds[None])[0])
    rng = np.random.default_rng([seed, 2])
    n_cells = sum(guesser.n_cells for guesser in guessers) * max(kinds.shape)
    by_chance = _shuffled(guessers, N_SHUFFLES[0], rng, at_once=_CELLS_AT_ONCE // n_cells)
    if p_value(auc, by_chance) <= _PLAINLY_CHANCE:
        n_more = int(np.clip(_MOST_CELLS // n_cells, *N_SHUFFLES[1:])) - len(by_chance)
        more = _shuffled(guessers, n_more, rng, at_once=_CELLS_AT_ONCE // n_cells)
        by_chance = np.concatenate([by_chance, more])
    return auc, p_value(auc, by_chance)


def _best(guessers: Sequence[Guesser], kinds: Indices) -> Floats:
    return np.max([guesser.aucs(kinds) for guesser in guessers], axis=0)


def _shuffled(guessers: Sequence[Guesser], n: int, rng: np.random.Generator, *, at_once: int) -> Floats:
    deal, step = guessers[0].deal, max(1, at_once)
    return np.concatenate([_best(guessers, deal.shuffled(min(step, n - done), rng)) for done in range(0, n, step)])


class Guesser:
    """Guesses labels from words, out of fold, for labels as they are and as chance would deal them.

    Samples with the same words in the same fold get the same score, so that they are counted as one cell.
    """

    def __init__(self, words: Words, deal: Deal, kinds: Floats) -> None:
        """Gather what is the same for all labels.

        Args:
            words: [m], the words of each sample.
            deal: The kinds, units and folds of the samples.
            kinds: [n_kinds, k] of 0 and 1, which classes a sample of each kind belongs to.
        """
        self.deal, self.kinds = deal, kinds
        words = _shared_words(words)
        patterns, distinct = pd.factorize(np.array(["\0".join(entry) for entry in words], dtype=object))
        cells = patterns.astype(np.int64) * deal.n_folds + deal.folds
        homes, self.cell_of = np.unique(cells, return_inverse=True)
        self.fold_of_cell = homes % deal.n_folds
        firsts = np.zeros(len(distinct), dtype=np.int64)
        firsts[patterns[::-1]] = np.arange(len(patterns))[::-1]
        design = _design([words[row] for row in firsts])
        self.design = csr_array(design[homes // deal.n_folds])
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
        for fold in range(self.deal.n_folds):
            held_out = self.fold_of_cell == fold
            weights = self._weights(flat, ~held_out)
            scores[held_out] = self.design[held_out] @ weights
        found = areas(scores, positive=flat, negative=self.sizes[:, None] - flat)
        return np.asarray(found.reshape(-1, k).mean(axis=1))

    def _members(self, kinds: Indices) -> Floats:
        """Count the members of each class in each cell, [n, n_cells, k]."""
        n, (n_kinds, _), n_cells = len(kinds), self.kinds.shape, len(self.sizes)
        places = (np.arange(n)[:, None] * n_cells + self.cell_of) * n_kinds + kinds
        counts = np.bincount(places.ravel(), minlength=n * n_cells * n_kinds)
        return counts.reshape(n, n_cells, n_kinds).astype(np.float64) @ self.kinds

    def _weights(self, members: Floats, seen: npt.NDArray[np.bool_]) -> Floats:
        """Give what each word adds to the log-odds of each class, [n_words, q]: 0 for a word that was not seen."""
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
    """Say which row has which word, [n_rows, n_words] of 0 and 1."""
    ends = np.cumsum([0, *map(len, words)])
    codes, distinct = pd.factorize(np.array([word for entry in words for word in entry], dtype=object))
    return csr_array((np.ones(len(codes)), codes.astype(np.int64), ends), shape=(len(words), max(1, len(distinct))))


def _guess(clue: Clue, auc: float, p: float, *, n: int, samples: Samples) -> Guess:
    different = {value for value in clue.values if value}
    is_few = 2 <= len(different) <= len(samples) / 2
    return Guess(
        by=clue.by,
        auc=auc,
        p=p,
        n=n,
        n_values=len(different),
        shared=_shared(clue.values, samples) if is_few and " of " in clue.by else {},
    )


def _shared(values: Sequence[str], samples: Samples) -> dict[str, float]:
    """Give the share of the samples of valid and test whose value occurs in train too, of those that have one."""
    in_train = {values[row] for row in samples.rows("train")} - {""}
    found = {}
    for split in ("valid", "test"):
        known = [values[row] for row in samples.rows(split) if values[row]]
        if known:
            found[split] = sum(value in in_train for value in known) / len(known)
    return found
