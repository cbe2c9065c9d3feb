"""Predictions as a table on the terminal, as CSV, and as JSON."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table
from rich.text import Text

from imgcls.durable import write_bytes
from imgcls.errors import WorkspaceError
from imgcls.records.run import RunRecord
from imgcls.reports.text import clean, name, number, show

_MOST_ROWS = 50


def print_table(frame: pd.DataFrame, record: RunRecord) -> None:
    """Print predictions for a person to read; long ones are cut, and say so."""
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column("photograph")
    table.add_column("prediction")
    table.add_column("sure", justify="right")
    for row in frame.head(_MOST_ROWS).itertuples():
        if row.status == "error":
            table.add_row(name(str(row.id)), Text(clean(str(row.reason)), style="red"), "-")
        else:
            table.add_row(name(str(row.id)), name(str(row.prediction) or "none"), number(float(row.confidence)))  # type: ignore[arg-type]
    show(table)
    if len(frame) > _MOST_ROWS:
        show(Text(f"… and {len(frame) - _MOST_ROWS} more; '-o predictions.csv' writes all.", style="dim"))
    show(Text(f"by {record.id}", style="dim"))


def as_csv(frame: pd.DataFrame) -> str:
    """Give predictions as CSV, names exactly as they are."""
    return _writable(frame).to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC)  # a name may hold any line end


def as_json_text(frame: pd.DataFrame, record: RunRecord) -> str:
    """Give predictions as one JSON object."""
    rows: list[dict[str, Any]] = []
    columns = [column for column in frame.columns if column.startswith("p_")]
    for row in _writable(frame).to_dict(orient="records"):
        failed = row["status"] == "error"
        probabilities = None if failed else {column[2:]: row[column] for column in columns}
        kept = {key: row[key] for key in ("id", "path", "status", "reason", "prediction")}
        confidence = None if failed else row["confidence"]
        rows.append({**kept, "confidence": confidence, "probabilities": probabilities})
    head = {"schema": 1, "run": record.id, "classes": list(record.classes)}
    return json.dumps({**head, "predictions": rows}, allow_nan=False) + "\n"


def write(frame: pd.DataFrame, file: Path, record: RunRecord) -> None:
    """Write predictions to a `.csv` or `.json` file, whole or not at all.

    Raises:
        WorkspaceError: The file's ending is neither.
    """
    forms = {".csv": lambda: as_csv(frame), ".json": lambda: as_json_text(frame, record)}
    if file.suffix.lower() not in forms:
        raise WorkspaceError(f"{file} has to end in .csv or .json.")
    write_bytes(file, forms[file.suffix.lower()]().encode("utf-8"))


def _writable(frame: pd.DataFrame) -> pd.DataFrame:
    """Give names that are no UTF-8 with their bytes written out, so that a file can hold them."""
    texts = frame.copy()
    for column in ("id", "path"):
        texts[column] = [text.encode("utf-8", "backslashreplace").decode("utf-8") for text in frame[column]]
    return texts
