"""The default data set: 2,624 electroluminescence photographs of solar cells, from the package elpv-dataset."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from imgcls.data.files import DEFAULT_DATA
from imgcls.data.samples import Samples, frame_of
from imgcls.errors import DataError

TABLE = "labels.csv"
CLASSES = ("functional", "defective")
LICENCE = "CC BY-NC-SA 4.0"
N_IN_BLOCK = 60
"""Consecutive cells that form a group: neighbours come from one of 44 modules, which are not published."""
N_TEST_BLOCKS = 9
"""Of 44, a fifth."""
SUGGESTED_VALID = 0.25
"""Of what is not test, which makes 60/20/20."""


@dataclass(frozen=True)
class _Cell:
    """One line of the package's table."""

    stem: str
    """The name of the photograph without its suffix."""
    path: Path
    """Its file."""
    defect_probability: float
    """0, 1/3, 2/3 or 1."""
    kind: str
    """mono or poly."""


def load_elpv() -> Samples:
    """Return the solar cells: defective where the defect probability is at least 0.5.

    The test split is given: 9 of 44 blocks of 60 consecutive cells, the same on every machine.

    Raises:
        DataError: The package elpv-dataset is not installed, or not whole.

    Source:
        Deitsch et al. 2019, arXiv:1807.02894; the package elpv-dataset.
    """
    folder = _package_folder() / "data"
    cells = list(_cells(folder))
    labels = [CLASSES[cell.defect_probability >= 0.5] for cell in cells]
    blocks = [f"block{position // N_IN_BLOCK:02d}" for position in range(len(cells))]
    test = _test_blocks(cells, blocks)
    frame = frame_of(
        ids=[cell.stem for cell in cells],
        paths=[str(cell.path) for cell in cells],
        labels=labels,
        groups=blocks,
        splits=["test" if block in test else "" for block in blocks],
    )
    return Samples(
        frame=frame,
        classes=CLASSES,
        problem="binary",
        name=DEFAULT_DATA,
        root=folder.absolute(),
        suggested_valid=SUGGESTED_VALID,
        licence=LICENCE,
    )


def _package_folder() -> Path:
    """Find the package without importing it."""
    spec = importlib.util.find_spec("elpv_dataset")
    if spec is None or not spec.submodule_search_locations:
        raise DataError(
            "The default data set needs the package elpv-dataset (90 MB, CC BY-NC-SA 4.0): "
            'pip install "imgcls[demo]", or name your own photographs.'
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _cells(folder: Path) -> Iterator[_Cell]:
    table = folder / TABLE
    try:
        lines = table.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"{table}: cannot be read. Install elpv-dataset again.") from error
    for line in filter(str.strip, lines):
        name, probability, kind = line.split()
        yield _Cell(PurePosixPath(name).stem, (folder / name).absolute(), float(probability), kind)


def _test_blocks(cells: Sequence[_Cell], blocks: Sequence[str]) -> frozenset[str]:
    """Draw one block from each of nine strata of blocks alike in kind of cell and share of defects.

    The draw is by digest of the name, which no version of a random generator can change.
    """
    names = sorted(set(blocks))
    members = {name: [cell for cell, block in zip(cells, blocks, strict=True) if block == name] for name in names}

    def likeness(name: str) -> tuple[bool, float]:
        poly = np.mean([cell.kind == "poly" for cell in members[name]])
        defective = np.mean([cell.defect_probability >= 0.5 for cell in members[name]])
        return bool(poly >= 0.5), float(defective)

    strata = np.array_split(np.array(sorted(names, key=lambda name: (likeness(name), name))), N_TEST_BLOCKS)
    return frozenset(min(map(str, stratum), key=_lot) for stratum in strata)


def _lot(name: str) -> str:
    return hashlib.sha256(f"{DEFAULT_DATA}/test/{name}".encode()).hexdigest()
