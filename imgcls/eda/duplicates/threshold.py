"""How alike two photographs of a set must be to be copies, told by copies made by hand and by the set's strangers."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from imgcls.data.cache import Photos
from imgcls.data.decode import Pixels, decode
from imgcls.eda.duplicates.detail import detail_of
from imgcls.errors import DecodeError

LEAST = math.atanh(0.9)
"""Whatever the set, less than a mean correlation of 0.9 is no copy."""
SAME_COLOURS = 0.9
"""Cosine of colours that is enough in any set: a darker exposure has it, another dye does not."""
FALSE_PAIRS = 0.05
"""Pairs of strangers above the threshold that each measure of their fall expects in a whole set."""
MANY_PAIRS, FALSE_SHARE = 100, 0.05
"""Where more pairs than that lie above it, this share of the further ones may be strangers instead: who has few pairs
looks at each, and who has a thousand does not want to miss them for the sake of some photographs that look the same."""

_N_MADE = 96
_SCALE, _QUALITY = 0.6, 50
_LARGEST = 4
_KEPT = math.atanh(0.5)
_LOWEST_SHARE = 0.05
_TAIL_SHARES, _TAIL_PAIRS = (0.01, 0.05), 20
"""Strangers whose fall is measured: few are near its end, many tell it better; the lower of both ends counts."""
_FEW = 50


@dataclass(frozen=True, eq=False)
class MadeCopies:
    """What is left of the likeness of photographs of the set after they were made smaller and saved anew."""

    octaves: npt.NDArray[np.bool_]
    """bool [n_octaves], which of them survive that and are compared."""
    score: float
    """The likeness, a mean of Fisher's z, that nearly all of the copies reach; infinite where nothing can be told."""
    colours: float
    """The likeness of colours that nearly all of them reach, at most `SAME_COLOURS`."""

    def score_of(self, likeness: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Give the mean of the octaves that are compared, [b, n_octaves] to [b]."""
        if not self.octaves.any():
            return np.zeros(len(likeness))
        return likeness[:, self.octaves].mean(axis=1, dtype=np.float64)


_NOTHING = MadeCopies(np.zeros(0, dtype=bool), math.inf, 1.0)


def make_copies(photos: Photos, rows: npt.NDArray[np.int64], *, seed: int = 0) -> MadeCopies:
    """Make copies of some photographs, and see how alike they are.

    Args:
        photos: The photographs.
        rows: int64 [n], which of them may be taken.
        seed: Decides which are.
    """
    drawn = np.random.default_rng(seed).permutation(rows)[:_N_MADE]
    made = [(row, copy) for row in drawn if (copy := _saved_anew(photos, int(row))) is not None]
    if not made:
        return _NOTHING
    own = photos.pixels(np.array([row for row, _ in made]))
    n = len(made)
    detail = detail_of(np.concatenate([own, np.stack([copy for _, copy in made])]))
    places, direct = np.arange(n), np.zeros(n, dtype=bool)
    likeness = detail.octave_likeness(places, places + n, direct)
    is_seen = detail.octave_likeness(places, places, direct).mean(axis=1) > LEAST  # a blank one is not even like itself
    if not is_seen.any():
        return _NOTHING
    colours = float(np.quantile(detail.colour_likeness(places, places + n, direct)[is_seen], _LOWEST_SHARE))
    copies = MadeCopies(np.median(likeness[is_seen], axis=0) > _KEPT, math.inf, min(colours, SAME_COLOURS))
    return replace(copies, score=float(np.quantile(copies.score_of(likeness[is_seen]), _LOWEST_SHARE)))


def threshold(scores: npt.NDArray[np.float64], copies: MadeCopies, *, n: int) -> float:
    """Give the score from which on a pair is a copy.

    Pairs that are less alike than the copies made by hand are nearly all strangers. The largest of their scores fall
    off exponentially, as far as one sees; the threshold lies where no further stranger is to be expected, or where
    there are many pairs, few among them.

    Args:
        scores: [m], of the nearest other photograph of each; those of copies may be among them.
        copies: The copies made by hand.
        n: How many photographs there are.

    Returns:
        A mean of Fisher's z; infinite where strangers are as alike as copies.

    Source: Benjamini and Hochberg 1995, J. R. Stat. Soc. B 57, for the share among those above it.
    """
    strangers = np.sort(scores[scores < copies.score])[::-1]
    falls = [_fall(strangers, copies.score, n_tail=max(_TAIL_PAIRS, math.ceil(share * n))) for share in _TAIL_SHARES]
    reach = min(fall.reach(FALSE_PAIRS) for fall in falls)
    alike = np.sort(scores[scores >= LEAST])[::-1]
    n_strangers = np.min([fall.n_beyond(alike) for fall in falls], axis=0)
    bearable = np.flatnonzero(n_strangers < FALSE_SHARE * (np.arange(1, len(alike) + 1) - MANY_PAIRS))
    if bearable.size:
        reach = min(reach, float(alike[bearable[-1]]))
    return max(LEAST, reach, copies.score if n < _FEW else LEAST)


@dataclass(frozen=True)
class _Fall:
    """How the number of strangers falls with their score."""

    n: int
    """How many have at least the score `start`."""
    start: float
    """Minus infinity where hardly anybody has a neighbour at all, so that there are no strangers."""
    scale: float
    """By how much the score rises until there are 2.7 times fewer; infinite where nothing falls off."""

    def reach(self, n: float) -> float:
        """Give the score beyond which so many are expected."""
        return self.start + self.scale * math.log(self.n / n)

    def n_beyond(self, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Give how many are expected beyond each score, [m]; infinitely many where the fall was not measured."""
        if not math.isfinite(self.start):
            return np.zeros(len(scores))
        above = np.maximum(scores - self.start, 0)
        beyond = self.n * np.exp(-above / self.scale) if self.scale else np.where(above > 0, 0.0, self.n)
        return np.where(scores < self.start, math.inf, beyond)


def _fall(strangers: npt.NDArray[np.float64], end: float, *, n_tail: int) -> _Fall:
    """Measure the fall of so many of the strangers; they fall, and are cut off at `end`."""
    if len(strangers) <= n_tail:
        return _Fall(n_tail, -math.inf, 0.0)
    start = float(strangers[n_tail])
    return _Fall(n_tail, start, _cut_scale(float(np.median(strangers[:n_tail])) - start, end - start))


def _cut_scale(median: float, length: float) -> float:
    """Give the scale of an exponential distribution that is cut off at `length` and has this median.

    Infinite where the median is half the length or more: nothing falls off there.
    """
    if median >= length / 2:
        return math.inf
    scale = median / math.log(2)
    for _ in range(100):  # a contraction: the half that lies above the median shrinks with what is cut off
        scale = median / -math.log((1 + math.exp(-length / scale)) / 2) if scale else 0.0
    return scale


def _saved_anew(photos: Photos, row: int) -> Pixels | None:
    """Give the pixels of a photograph that was made smaller and saved as JPEG; None where it cannot be read."""
    largest = _LARGEST * photos.preprocess.size_px
    size = int(_SCALE * math.sqrt(float(np.prod(photos.sizes[row].astype(np.float64)))))
    try:
        smaller = replace(photos.preprocess, size_px=min(max(size, 1), largest))
        content = io.BytesIO()
        photo = decode(Path(photos.paths[row]), smaller)
    except DecodeError:
        return None
    Image.fromarray(photo).save(content, "JPEG", quality=_QUALITY)
    return decode(content.getvalue(), replace(photos.preprocess, resize="squash"))
