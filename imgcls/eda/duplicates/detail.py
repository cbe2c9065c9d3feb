"""How alike two photographs are in their detail, octave by octave, and in their colours."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.fft import dctn

from imgcls.data.decode import Pixels
from imgcls.eda.duplicates.nearest import NOISE

FINEST = 64
"""Half waves over the picture from which on detail is left out: a copy of half the size has lost it."""
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_CHROMA = np.array([[-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], dtype=np.float32).T
"""Cb and Cr of JPEG (ITU-T T.871), which are 0 where a pixel is gray."""
_CHROMA_PX = 16
_ALIKE = 0.99999
"""Where correlations end, so that equal octaves are alike but not infinitely so."""


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
        """Give the correlation of pairs in each octave as Fisher's z.

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
        """Give the cosine of the colours of pairs, place by place: 1 is the same hues, whatever their strength.

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
    """Give what is compared of photographs.

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
    waves = dctn(values @ _LUMA, axes=(1, 2), norm="ortho")[:, rows, columns] * frequency[rows, columns]
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
    """Give the number of octaves of photographs of a size."""
    return len(_octave_edges(min(size_px, FINEST)))


def _octave_edges(size: int) -> list[tuple[int, int]]:
    """Give where octaves begin and end: 1, 4, 8, 16, … half waves; the two coarsest are too small to stand alone."""
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
