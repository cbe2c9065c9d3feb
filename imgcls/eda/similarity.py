"""Similarity of photographs: how alike two must be to be duplicates, by synthetic duplicates and by the other pairs."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.fft import dctn

from imgcls.data.cache import Photos
from imgcls.data.decode import Pixels, decode
from imgcls.errors import DecodeError

Progress = Callable[[int, int], None]
N_NEIGHBOURS = 4
"""For each photograph and orientation; more copies of one are joined by what they have in common."""
FLOOR = 0.5
"""Correlation of thumbnails below which nobody would think of a copy; those of re-encoded photographs exceed 0.9."""
NOISE = 1.0
"""Gray levels by which rounding and encoding change a pixel: detail below it counts for nothing."""
FINEST = 64
"""Half waves over the picture from which on detail is left out: a copy of half the size has lost it."""
LEAST = math.atanh(0.9)
"""Whatever the set, less than a mean correlation of 0.9 is no copy."""
SAME_COLOURS = 0.9
"""Cosine of colours that is enough in any set: a darker exposure has it, another dye does not."""
FALSE_PAIRS = 0.05
"""Non-duplicates above the threshold that each measure of their tail expects in a whole set."""
MANY_PAIRS, FALSE_SHARE = 100, 0.05
"""Where more pairs than that lie above it, this share of the further ones may be non-duplicates: who has few pairs
looks at each, and who has a thousand does not want to miss them for the sake of some photographs that look the same."""
_LOWEST, _HIGHEST = 1, 12
_N_ROWS = 1024
_N_AT_ONCE = 4096
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_CHROMA = np.array([[-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], dtype=np.float32).T
"""Cb and Cr of JPEG (ITU-T T.871), which are 0 where a pixel is gray."""
_CHROMA_PX = 16
_ALIKE = 0.99999
"""Where correlations end, so that equal octaves are alike but not infinitely so."""
_N_SYNTHETIC = 96
_SCALE, _QUALITY = 0.6, 50
_LARGEST = 4
_KEPT = math.atanh(0.5)
_LOWEST_SHARE = 0.05
_TAIL_SHARES, _TAIL_PAIRS = (0.01, 0.05), 20
"""Non-duplicates whose tail is measured: few are near its end, many tell it better; the lower of both ends counts."""
_FEW = 50


@dataclass(frozen=True, eq=False)
class Candidates:
    """Pairs of photographs that might be copies."""

    first: npt.NDArray[np.int64]
    """int64 [m], a row."""
    second: npt.NDArray[np.int64]
    """int64 [m], a later row."""
    mirrored: npt.NDArray[np.bool_]
    """bool [m], whether one is compared with the mirror image of the other."""

    def __len__(self) -> int:
        return len(self.first)

    def take(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.int64] | slice) -> Candidates:
        """Return some of the pairs."""
        return Candidates(self.first[chosen], self.second[chosen], self.mirrored[chosen])

    def joined(self, others: Candidates) -> Candidates:
        """Return these pairs and others."""
        return Candidates(
            np.concatenate([self.first, others.first]),
            np.concatenate([self.second, others.second]),
            np.concatenate([self.mirrored, others.mirrored]),
        )


def find_candidates(thumbnails: Pixels, *, progress: Progress) -> Candidates:
    """Return the pairs of thumbnails of which one is among the nearest neighbours of the other.

    Their number is at most a few for each photograph, however alike all of them are.

    Args:
        thumbnails: uint8 [n, 32, 32], gray.
        progress: Called with the number of photographs done and of all.
    """
    if not len(thumbnails):
        return Candidates(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.bool_))
    from sklearn.neighbors import NearestNeighbors

    n = len(thumbnails)
    even, odd = waves_of(thumbnails)
    waves = np.concatenate([even, odd], axis=1)
    # Filled up to length 1 by a coordinate that the one who asks lacks, the nearest has the largest product.
    rest = np.sqrt(np.maximum(0, 1 - np.square(waves, dtype=np.float64).sum(axis=1, keepdims=True)))
    search = NearestNeighbors(n_neighbors=min(N_NEIGHBOURS + 1, n), algorithm="brute")
    search.fit(np.concatenate([waves, rest], axis=1, dtype=np.float32))
    found: dict[bool, list[npt.NDArray[np.int64]]] = {False: [], True: []}
    for top in range(0, n, _N_ROWS):
        rows = np.arange(top, min(top + _N_ROWS, n))
        for is_mirrored, pairs in found.items():
            asked = np.concatenate([even[rows], -odd[rows] if is_mirrored else odd[rows]], axis=1)
            nearest = search.kneighbors(np.pad(asked, ((0, 0), (0, 1))), return_distance=False)
            is_other = nearest != rows[:, None]
            places, ranks = np.nonzero(is_other & (is_other.cumsum(axis=1) <= N_NEIGHBOURS))
            near = nearest[places, ranks]
            is_alike = np.einsum("ij,ij->i", asked[places], waves[near]) > FLOOR
            pairs.append(np.stack([rows[places], near], axis=1)[is_alike])
        progress(min(top + _N_ROWS, n), n)
    direct, mirrored = (np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0) for pairs in found.values())
    return Candidates(
        first=np.concatenate([direct[:, 0], mirrored[:, 0]]),
        second=np.concatenate([direct[:, 1], mirrored[:, 1]]),
        mirrored=np.repeat([False, True], [len(direct), len(mirrored)]),
    )


def waves_of(thumbnails: Pixels) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the cosine coefficients of thumbnails that are even and odd from left to right, at length 1 together.

    Each is weighted with its frequency, since photographs hold as much less of what is finer: without it a pair
    would be compared by where it is bright and dark. The product of two photographs is the sum of the products of
    both parts; of one and the mirror image of the other it is their difference.

    Args:
        thumbnails: uint8 [n, 32, 32], gray.

    Returns:
        Two arrays, float32 [n, d].
    """
    side = thumbnails.shape[1]
    frequency = np.hypot(*np.mgrid[:side, :side])
    inside = (frequency >= _LOWEST) & (frequency < _HIGHEST)
    is_even = (np.arange(side) % 2 == 0)[None, :] & inside
    parts = []
    noise = NOISE**2 * float((frequency[inside] ** 2).sum())
    for start in range(0, len(thumbnails), _N_AT_ONCE):
        waves = dctn(thumbnails[start : start + _N_AT_ONCE].astype(np.float32), axes=(1, 2), norm="ortho") * frequency
        length = np.sqrt((waves[:, inside] ** 2).sum(axis=1, keepdims=True) + noise)
        parts.append((waves[:, is_even] / length, waves[:, inside & ~is_even] / length))
    even, odd = zip(*parts, strict=True)
    return np.concatenate(even).astype(np.float32), np.concatenate(odd).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Detail:
    """What of photographs is compared."""

    waves: npt.NDArray[np.float32]
    """float32 [n, d], weighted cosine coefficients of brightness, octave after octave."""
    odd: npt.NDArray[np.bool_]
    """bool [d], which of them change their sign in the mirror image."""
    octaves: tuple[slice, ...]
    """Where in d the octaves lie, the coarsest first."""
    noise: tuple[float, ...]
    """The square length that mere noise gives each octave."""
    chroma: npt.NDArray[np.float32]
    """float32 [n, 2, p, p], how far from gray the colours are, coarsely."""

    def octave_likeness(
        self, first: npt.NDArray[np.int64], second: npt.NDArray[np.int64], mirrored: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.float32]:
        """Return the correlation of pairs in each octave as Fisher's z.

        A correlation does not change with brightness and contrast.

        Args:
            first: int64 [b], rows.
            second: int64 [b], rows.
            mirrored: bool [b], whether the second is turned into its mirror image.

        Returns:
            float32 [b, n_octaves], arctanh of the correlations; 0 where one has no detail above noise.
        """
        one, other = self.waves[first], self.waves[second]
        other = np.where(mirrored[:, None] & self.odd, -other, other)
        columns = []
        for part, noise in zip(self.octaves, self.noise, strict=True):
            a, b = one[:, part], other[:, part]
            lengths = np.sqrt(((a * a).sum(axis=1) + noise) * ((b * b).sum(axis=1) + noise))
            columns.append((a * b).sum(axis=1) / lengths)
        return np.arctanh(np.clip(np.stack(columns, axis=1), -_ALIKE, _ALIKE))

    def colour_likeness(
        self, first: npt.NDArray[np.int64], second: npt.NDArray[np.int64], mirrored: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.float32]:
        """Return the cosine of the colours of pairs, place by place: 1 is the same hues, whatever their strength.

        Args and shapes are those of `octave_likeness`.

        Returns:
            float32 [b], in [-1, 1]; two gray photographs are alike, a gray and a colourful one are not.
        """
        one, other = self.chroma[first], self.chroma[second]
        other = np.where(mirrored[:, None, None, None], other[..., ::-1], other)
        one, other = one.reshape(len(one), -1), other.reshape(len(other), -1)
        noise = NOISE**2 * one.shape[1]
        lengths = np.sqrt(((one * one).sum(axis=1) + noise) * ((other * other).sum(axis=1) + noise))
        return ((one * other).sum(axis=1) + noise) / lengths


def detail_of(pixels: Pixels) -> Detail:
    """Return what is compared of photographs.

    The coefficients are weighted with their frequency, as the amplitudes of photographs fall with it (Field 1987):
    within an octave, what is fine then counts as much as what is coarse.

    Args:
        pixels: uint8 [n, s, s, 3], RGB.

    Source: D. J. Field, Relations between the statistics of natural images and the response properties of cortical
    cells, J. Opt. Soc. Am. A 4 (1987).
    """
    n, side = pixels.shape[:2]
    values = pixels.astype(np.float32)
    size = min(side, FINEST)
    frequency = np.hypot(*np.mgrid[:size, :size])
    edges = _octave_edges(size)
    places = [np.nonzero((frequency >= low) & (frequency < high)) for low, high in edges]
    rows, columns = (np.concatenate([place[axis] for place in places]) for axis in (0, 1))
    waves = dctn(values @ LUMA, axes=(1, 2), norm="ortho")[:, rows, columns] * frequency[rows, columns]
    ends = np.cumsum([0] + [len(place[0]) for place in places])
    octaves = tuple(slice(start, stop) for start, stop in itertools.pairwise(ends))
    return Detail(
        waves=waves.astype(np.float32),
        odd=columns % 2 == 1,
        octaves=octaves,
        noise=tuple(NOISE**2 * float((frequency[place] ** 2).sum()) for place in places),
        chroma=_shrunk(values @ _CHROMA).reshape(n, 2, *(min(side, _CHROMA_PX),) * 2),
    )


def n_octaves(size_px: int) -> int:
    """Return the number of octaves of photographs of a size."""
    return len(_octave_edges(min(size_px, FINEST)))


def _octave_edges(size: int) -> list[tuple[int, int]]:
    """Return where octaves begin and end: 1, 4, 8, 16, … half waves; the two coarsest are too small to stand alone."""
    edges = [1]
    while edges[-1] < size:
        edges.append(min(max(4, 2 * edges[-1]), size))
    return list(itertools.pairwise(edges)) or [(1, 2)]


def _shrunk(chroma: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Average colour differences over a coarse grid: float32 [n, s, s, 2] becomes [n, 2, p, p]."""
    side = chroma.shape[1]
    size = min(side, _CHROMA_PX)
    starts = np.arange(size) * side // size
    sums = np.add.reduceat(np.add.reduceat(chroma, starts, axis=1), starts, axis=2)
    counts = np.diff(np.append(starts, side))
    return (np.moveaxis(sums, 3, 1) / np.outer(counts, counts)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class SyntheticDuplicates:
    """What is left of the likeness of photographs of the set after they were made smaller and saved again."""

    octaves: npt.NDArray[np.bool_]
    """bool [n_octaves], which of them survive that and are compared."""
    score: float
    """The likeness, a mean of Fisher's z, that nearly all of the copies reach; infinite where it is not known."""
    colours: float
    """The likeness of colours that nearly all of them reach, at most `SAME_COLOURS`."""

    def score_of(self, likeness: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return the mean of the octaves that are compared, [b, n_octaves] to [b]."""
        if not self.octaves.any():
            return np.zeros(len(likeness))
        return likeness[:, self.octaves].mean(axis=1, dtype=np.float64)


_NOTHING = SyntheticDuplicates(np.zeros(0, dtype=bool), math.inf, 1.0)


def make_synthetic_duplicates(photos: Photos, rows: npt.NDArray[np.int64], *, seed: int = 0) -> SyntheticDuplicates:
    """Make copies of some photographs, and see how alike they are.

    Args:
        photos: The photographs.
        rows: int64 [n], which of them may be taken.
        seed: Decides which are.
    """
    drawn = np.random.default_rng(seed).permutation(rows)[:_N_SYNTHETIC]
    synthetic = [(row, copy) for row in drawn if (copy := _saved_again(photos, int(row))) is not None]
    if not synthetic:
        return _NOTHING
    own = photos.pixels(np.array([row for row, _ in synthetic]))
    n = len(synthetic)
    detail = detail_of(np.concatenate([own, np.stack([copy for _, copy in synthetic])]))
    places, direct = np.arange(n), np.zeros(n, dtype=bool)
    likeness = detail.octave_likeness(places, places + n, direct)
    is_seen = detail.octave_likeness(places, places, direct).mean(axis=1) > LEAST  # a blank one is not even like itself
    if not is_seen.any():
        return _NOTHING
    colours = float(np.quantile(detail.colour_likeness(places, places + n, direct)[is_seen], _LOWEST_SHARE))
    copies = SyntheticDuplicates(np.median(likeness[is_seen], axis=0) > _KEPT, math.inf, min(colours, SAME_COLOURS))
    return replace(copies, score=float(np.quantile(copies.score_of(likeness[is_seen]), _LOWEST_SHARE)))


def threshold(scores: npt.NDArray[np.float64], copies: SyntheticDuplicates, *, n: int) -> float:
    """Return the score from which on a pair is a copy.

    Pairs that are less alike than the synthetic duplicates are nearly all non-duplicates. The largest of their scores
    fall off exponentially, as far as one sees; the threshold lies where no further non-duplicate is to be expected, or
    where there are many pairs, few among them.

    Args:
        scores: [m], of the nearest other photograph of each; those of copies may be among them.
        copies: The synthetic duplicates.
        n: How many photographs there are.

    Returns:
        A mean of Fisher's z; infinite where non-duplicates are as alike as duplicates.

    Source: Benjamini and Hochberg 1995, J. R. Stat. Soc. B 57, for the share among those above it.
    """
    non_duplicates = np.sort(scores[scores < copies.score])[::-1]
    tails = [
        _tail(non_duplicates, copies.score, n_tail=max(_TAIL_PAIRS, math.ceil(share * n))) for share in _TAIL_SHARES
    ]
    reach = min(tail.reach(FALSE_PAIRS) for tail in tails)
    alike = np.sort(scores[scores >= LEAST])[::-1]
    n_others = np.min([tail.n_beyond(alike) for tail in tails], axis=0)
    bearable = np.flatnonzero(n_others < FALSE_SHARE * (np.arange(1, len(alike) + 1) - MANY_PAIRS))
    if bearable.size:
        reach = min(reach, float(alike[bearable[-1]]))
    return max(LEAST, reach, copies.score if n < _FEW else LEAST)


@dataclass(frozen=True)
class _Tail:
    """How the number of non-duplicates falls with their score."""

    n: int
    """How many have at least the score `start`."""
    start: float
    """Minus infinity where hardly anybody has a neighbour at all, so that there are no non-duplicates."""
    scale: float
    """By how much the score rises until there are 2.7 times fewer; infinite where nothing falls off."""

    def reach(self, n: float) -> float:
        """Return the score beyond which so many are expected."""
        return self.start + self.scale * math.log(self.n / n)

    def n_beyond(self, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return how many are expected beyond each score, [m]; infinitely many where the fall was not measured."""
        if not math.isfinite(self.start):
            return np.zeros(len(scores))
        above = np.maximum(scores - self.start, 0)
        beyond = self.n * np.exp(-above / self.scale) if self.scale else np.where(above > 0, 0.0, self.n)
        return np.where(scores < self.start, math.inf, beyond)


def _tail(non_duplicates: npt.NDArray[np.float64], end: float, *, n_tail: int) -> _Tail:
    """Measure the tail of so many of the non-duplicates, which is cut off at `end`."""
    if len(non_duplicates) <= n_tail:
        return _Tail(n_tail, -math.inf, 0.0)
    start = float(non_duplicates[n_tail])
    return _Tail(n_tail, start, _cut_scale(float(np.median(non_duplicates[:n_tail])) - start, end - start))


def _cut_scale(median: float, length: float) -> float:
    """Return the scale of an exponential distribution that is cut off at `length` and has this median.

    Infinite where the median is half the length or more: nothing falls off there.
    """
    if median >= length / 2:
        return math.inf
    scale = median / math.log(2)
    for _ in range(100):  # a contraction: the half that lies above the median shrinks with what is cut off
        scale = median / -math.log((1 + math.exp(-length / scale)) / 2) if scale else 0.0
    return scale


def _saved_again(photos: Photos, row: int) -> Pixels | None:
    """Return the pixels of a photograph that was made smaller and saved as JPEG; None where it cannot be read."""
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
