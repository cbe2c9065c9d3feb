"""What a name, a number or a column of a table says of a sample, as words that samples share."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from imgcls.data.samples import Samples, classes_in
from imgcls.data.sources.folder import SPLIT_FOLDERS
from imgcls.eda.metadata import MetaTable, is_number
from imgcls.eda.scan import Scan

Floats = npt.NDArray[np.float64]
Words = list[list[str]]
Reading = Callable[[Sequence[int]], Words]
"""From rows of samples to the words of each of them."""

_LEVELS = (4, 16, 64)
"""Into how many parts a number is cut, coarse and fine at once."""
_FEWEST_A_PART = 10
_N_FEW = 20
_SECONDS_A_PHOTOGRAPH = 1.0
"""Files that were written faster than this were written by a program, and their stamps tell of that only."""
_PIECES = re.compile(r"[^\W\d_]+|\d+")


@dataclass(frozen=True)
class Clue:
    """Something that is known of every sample besides its picture."""

    by: str
    """What it is, as in `imgcls.eda.facts.Guess`."""
    values: tuple[str, ...]
    """[n], the value of every sample; "" where it is missing."""
    readings: tuple[Reading, ...]
    """The ways in which it can be read, at least one."""


def clues_of(scan: Scan, tables: Sequence[MetaTable]) -> list[Clue]:
    """Give everything that a label might be guessed from, in a fixed order."""
    samples, measures = scan.samples, scan.measures
    own_names = _own_names(samples)
    sizes = [f"{width}x{height}" for width, height in zip(measures["width_px"], measures["height_px"], strict=True)]
    clues = [
        Clue("name", tuple(own_names), (_as_names(own_names),)),
        _order(samples, own_names),
        _number("bytes", measures["n_bytes"].to_numpy(dtype=np.float64)),
        Clue(
            "size", tuple(sizes), _size_readings(measures[["width_px", "height_px"]].to_numpy(dtype=np.float64), sizes)
        ),
    ]
    stamps = measures["mtime_ns"].to_numpy(dtype=np.float64)
    if tell_of_photographs(stamps):
        clues.append(_number("time", stamps))
    for table in tables:
        clues += [_column(f"{column} of {table.name}", values) for column, values in table.columns.items()]
    return clues


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
    """Say in which part of the numbers each one lies, coarse and fine; missing ones share a word.

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


def tell_of_photographs(stamps: Floats) -> bool:
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
    """Give what is left of each id without folders that are named like a class or a split."""
    known = {*samples.classes, *(name for label in samples.classes for name in classes_in(label))}
    return [_without(PurePosixPath(name), known) for name in samples.frame["id"]]


def _without(path: PurePosixPath, folders: Collection[str]) -> str:
    kept = [part for part in path.parts[:-1] if part not in folders and part.lower() not in SPLIT_FOLDERS]
    return "/".join([*kept, path.name])


def _order(samples: Samples, names: Sequence[str]) -> Clue:
    """Give the places of the samples by the numbers in their names and, where a table lists them, in it.

    Where classes are folders, the samples are listed class by class, which tells nothing.
    """
    by_number = _ranks([[int(piece) for piece in re.findall(r"\d+", PurePosixPath(name).stem)] for name in names])
    if _are_in_class_folders(samples):
        return _number("order", by_number)
    listed = np.arange(len(samples), dtype=np.float64)
    return Clue("order", tuple(map(str, range(len(samples)))), (_as_numbers(listed), _as_numbers(by_number)))


def _natural(text: str) -> list[tuple[int, int, str]]:
    pieces = re.findall(r"\d+|\D+", text)
    return [(0, int(piece), "") if piece.isdecimal() else (1, 0, piece) for piece in pieces]


def _ranks(keys: Sequence[list[Any]]) -> Floats:
    """Give the place of each key in their order; equal ones share theirs."""
    ranks = np.zeros(len(keys))
    order = sorted(range(len(keys)), key=keys.__getitem__)
    place = 0
    for before, row in zip([None, *order], order, strict=False):
        place += before is None or keys[before] != keys[row]
        ranks[row] = place
    return ranks


def _are_in_class_folders(samples: Samples) -> bool:
    frame = samples.frame[(samples.frame["label"] != "") & (samples.frame["split"] != "test")]
    inside = [label in PurePosixPath(name).parts[:-1] for name, label in zip(frame["id"], frame["label"], strict=True)]
    return bool(inside) and 2 * sum(inside) > len(inside)


def _number(by: str, numbers: Floats) -> Clue:
    return Clue(by, tuple(f"{number:.17g}" for number in numbers), (_as_numbers(numbers),))


def _size_readings(sides: Floats, sizes: Sequence[str]) -> tuple[Reading, ...]:
    area, aspect = sides.prod(axis=1), sides[:, 0] / np.maximum(sides[:, 1], 1)
    return _as_values(sizes), _as_numbers(area), _as_numbers(aspect)


def _column(by: str, values: Sequence[str]) -> Clue:
    """Read a column as values, as numbers where there are many different ones, or as texts where nearly all differ."""
    filled = [value for value in values if value]
    n_values = len(set(filled))
    readings = [_as_values(values)]
    if n_values > _N_FEW and all(map(is_number, filled)):
        readings.append(_as_numbers(np.array([float(value) if value else np.nan for value in values])))
    elif 2 * n_values > len(filled):
        ranks = _ranks([_natural(value) for value in values])
        readings += [_as_names(values), _as_numbers(np.where(np.array(values, dtype=object) == "", np.nan, ranks))]
    return Clue(by, tuple(values), tuple(readings))


def _as_values(values: Sequence[str]) -> Reading:
    return lambda rows: [[values[row]] for row in rows]


def _as_names(names: Sequence[str]) -> Reading:
    return lambda rows: [name_words(names[row]) for row in rows]


def _as_numbers(numbers: Floats) -> Reading:
    return lambda rows: number_words(numbers[list(rows)])
