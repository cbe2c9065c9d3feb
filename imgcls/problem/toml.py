"""imgcls.toml: found, read, written with comments, and changed without losing those of the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgcls.durable import write_bytes
from imgcls.errors import ProblemError
from imgcls.problem.metrics import METRIC_NAMES, PRIMARY
from imgcls.problem.model import SCHEMA, Problem
from imgcls.problem.reading import checked, read_text, read_toml

if TYPE_CHECKING:
    from tomlkit import TOMLDocument
    from tomlkit.items import Table

PROBLEM_TOML = "imgcls.toml"
"""What also marks the folder of a workspace; see `imgcls.workspace.MARKER`."""
_HEADING = "What the problem is. Every imgcls command in this folder reads it; change it as you like."
_METRICS = f"The metric is one of {', '.join(METRIC_NAMES)}."
_COMMENTS = {
    "goal": "what is to be told apart, and what for",
    "background": "where the photographs come from, and what else is known of them",
    "type": "binary, multiclass or multilabel",
    "metric": "what decides",
    "data": "Which photographs and labels; paths start from the folder of this file, or from the data.",
    "data.id": "the column that names the photographs",
    "data.label": "the column of labels, or a list of columns of 0 and 1",
    "data.images": "the folder of the photographs that the table names",
    "data.delimiter": "what separates several labels in a cell",
    "data.test": "the photographs to predict; none for none",
    "data.sample_submission": "what a submission looks like",
    "data.metadata": "tables that say more of the photographs",
    "split": "Who trains and who validates.",
    "split.fraction": "share of the photographs outside test that validates",
    "split.seed": "decides the draw",
    "split.group": "the column of groups that stay together",
    "split.column": "the column that says train, valid or test",
    "skipped": "Items of the checklist that are left out, and why.",
}


def find_problem(root: Path) -> Problem | None:
    """Read the problem of a workspace; None where it has no imgcls.toml.

    Args:
        root: The folder of the workspace.

    Raises:
        ProblemError: The file cannot be read, or does not fit.
    """
    path = root / PROBLEM_TOML
    return read_problem(path) if path.exists() or path.is_symlink() else None


def metric_of(root: Path, kind: str) -> str:
    """Give the metric that decides in a workspace: the one its problem names, else that of the kind of problem.

    Args:
        root: The folder of the workspace.
        kind: `binary`, `multiclass` or `multilabel`.

    Raises:
        ProblemError: imgcls.toml cannot be read, or does not fit.
    """
    problem = find_problem(root)
    return (problem.metric if problem else None) or PRIMARY[kind]


def read_problem(path: Path) -> Problem:
    """Read a problem.

    Args:
        path: The file, usually imgcls.toml; a newer schema is refused.

    Raises:
        ProblemError: It cannot be read, is no TOML, or does not fit; every fault is told with its line.
    """
    return problem_of(read_text(path), path=path)


def problem_of(text: str, *, path: Path) -> Problem:
    """Make a problem of the text of a file, whose path the messages name; see `read_problem`."""
    return checked(Problem, read_toml(path, text, schema=SCHEMA), path=path, text=text)


def write_problem(path: Path, problem: Problem) -> None:
    """Write a problem with a short comment on each part; what was in the file before is gone.

    Args:
        path: The file; its folder must exist.
        problem: What is written; parts that are None are left out.

    Raises:
        ProblemError: A text cannot be written as UTF-8.
        ImgclsError: The file cannot be written; the old one is still there.
    """
    import tomlkit  # by those who write; most only read

    document = tomlkit.document()
    document.add(tomlkit.comment(_HEADING))
    for key, value in _plain(problem).items():
        if isinstance(value, dict):
            document.add(key, _table(key, value))
        else:
            if key == "metric":
                document.add(tomlkit.comment(_METRICS))
            document.add(key, _item(value))
            _remark(document[key], key)
    _write(path, tomlkit.dumps(document))


def edit_problem(path: Path, changes: Mapping[str, Any]) -> Problem:
    """Change parts of a problem file; comments, order and everything else stay as they are.

    Args:
        path: The file.
        changes: From a key, such as `metric`, `data.images` or `skipped.train.loss`, to its new value. None
            removes the key.

    Returns:
        The problem as it is now.

    Raises:
        ProblemError: The file does not fit, before the changes or after them; it is then left as it was.
        ImgclsError: The file cannot be written; the old one is still there.
    """
    import tomlkit

    text = read_text(path)
    problem_of(text, path=path)
    document = tomlkit.parse(text)
    for key, value in changes.items():
        _change(document, key, value)
    changed = tomlkit.dumps(document)
    problem = problem_of(changed, path=path)
    _write(path, changed)
    return problem


def _plain(problem: Problem) -> dict[str, Any]:
    """Give what is written, in order: the parts that are None or empty tables are left out."""
    value = problem.model_dump(mode="json", by_alias=True, exclude_none=True)
    if not problem.data.metadata:
        del value["data"]["metadata"]
    return {key: entry for key, entry in value.items() if entry != {}}


def _table(name: str, values: Mapping[str, Any]) -> Table:
    import tomlkit

    table = tomlkit.table()
    if name in _COMMENTS:
        table.add(tomlkit.comment(_COMMENTS[name]))
    for key, value in values.items():
        table.add(key, _item(value))
        _remark(table[key], f"{name}.{key}")
    return table


def _item(value: Any) -> Any:
    """Give a value as tomlkit has it; a tuple is a list."""
    import tomlkit

    return tomlkit.item(list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value)


def _remark(item: Any, key: str) -> None:
    if key in _COMMENTS:
        item.comment(_COMMENTS[key])


def _change(document: TOMLDocument, key: str, value: Any) -> None:
    """Change one key; only its first dot divides, since ids of items have dots of their own."""
    table, dot, name = key.partition(".")
    home: Any = document
    if not dot:
        name = key
    elif table in document:
        home = document[table]
    elif value is not None:
        document.add(table, _table(table, {}))
        home = document[table]
    if value is not None:
        home[name] = _item(value)
    elif name in home:
        del home[name]


def _write(path: Path, text: str) -> None:
    try:
        content = text.encode("utf-8")
    except UnicodeEncodeError as error:
        shown = text[max(0, error.start - 20) : error.end].encode("utf-8", "backslashreplace").decode()
        raise ProblemError(f"{path}: cannot be written, since {shown!r} holds bytes that are no UTF-8.") from error
    write_bytes(path, content)
