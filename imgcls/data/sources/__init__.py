"""Where samples come from: the default data set, a folder, a table or a frame."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from pathlib import Path

import pandas as pd

from imgcls.data.samples import ProblemType, Samples
from imgcls.data.sources.columns import TableOptions
from imgcls.data.sources.elpv import load_elpv
from imgcls.data.sources.files import TABLE_SUFFIXES
from imgcls.data.sources.folder import load_folder
from imgcls.data.sources.labels_table import table_in
from imgcls.data.sources.table import load_table
from imgcls.data.sources.unlabelled import load_unlabelled
from imgcls.errors import DataError

__all__ = ["load_samples", "load_unlabelled"]

UNDERSTOOD = "a folder, a CSV, TSV or Parquet file, a pandas frame, or 'elpv' (the default)"


def load_samples(
    source: str | Path | pd.DataFrame | None = None,
    *,
    images: str | Path | None = None,
    label: str | Sequence[str] | None = None,
    id: str | None = None,
    group: str | None = None,
    split: str | None = None,
    problem_type: ProblemType | None = None,
    delimiter: str | None = None,
    test: str | Path | None = None,
    skip: Collection[str] = (),
) -> Samples:
    """Read a data set from wherever it is.

    A folder is read by its class folders; where it holds train.csv, or has no class folders and
    exactly one table that is neither for testing nor a submission, the table says what is what.

    Args:
        source: A folder, a table, a frame, or "elpv"; None is "elpv".
        images: For a table: the folder of the photographs.
        label: For a table: the column of labels, or several of 0 and 1.
        id: For a table: the column that names files.
        group: For a table: the column of groups, which stay together when split.
        split: For a table: the column of splits.
        problem_type: binary, multiclass or multilabel; None finds out.
        delimiter: For a table: what separates several classes in a cell.
        test: For a table: the table of photographs to predict, whose labels are not read; `none` for none, None
            finds one called test beside it.
        skip: Names of folders directly inside the source that hold no photographs of the data set.

    Raises:
        DataError: There is no such source, or it cannot be read; the message says why.
    """
    columns = label if label is None or isinstance(label, str) else tuple(label)
    options = TableOptions(
        images=images,
        label=columns,
        id=id,
        group=group,
        split=split,
        problem_type=problem_type,
        delimiter=delimiter,
        test=test,
        skip=skip,
    )
    if isinstance(source, pd.DataFrame):
        return load_table(source, options)
    if source is None or str(source) == "elpv":
        return load_elpv()
    path = _existing(source)
    if path.is_dir():
        table = table_in(path, options)
        return load_table(table, options) if table else load_folder(path, problem_type=problem_type, skip=skip)
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise DataError(f"{path}: this file is no table. Understood are {UNDERSTOOD}.")
    return load_table(path, options)


def _existing(source: str | Path) -> Path:
    path = Path(source).expanduser()
    if path.exists():
        return path
    names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    near = get_close_matches(path.name, names, n=1, cutoff=0.5)
    hint = f"Did you mean {str(path.parent / near[0])!r}?" if near else f"Understood are {UNDERSTOOD}."
    raise DataError(f"{source}: there is no such file or folder. {hint}")
