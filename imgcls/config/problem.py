"""The problem: imgcls.toml found, read and checked, written with comments, and changed without losing the user's."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from imgcls.config.metrics import CHOICE, PRIMARY, find_metric
from imgcls.data.source import (
    FINDINGS_TOML,
    OFF,
    DataSource,
    Header,
    Missing,
    Spelling,
    is_named_set,
    is_same_source,
    place_from,
    stretch_of,
)
from imgcls.errors import ProblemError, UsageError, WorkspaceError, nearest_hint
from imgcls.storage import one_at_a_time, write_bytes
from imgcls.text import as_utf8, first_lines

if TYPE_CHECKING:
    from tomlkit import TOMLDocument
    from tomlkit.items import Table


SCHEMA = 1


def _filled(text: str) -> str:
    """Refuse what can name nothing."""
    if not text.strip():
        raise PydanticCustomError("blank", "has to be text that is not blank")
    if "\0" in text:
        raise PydanticCustomError("nul", "cannot hold a NUL character")
    return text


def _one_or_several(value: object) -> object:
    """Refuse, in one sentence, what is neither a name nor a list of names; a list of one is that one."""
    names = list(value) if isinstance(value, list | tuple) else [value]
    if not names or not all(isinstance(name, str) and name.strip() and "\0" not in name for name in names):
        raise PydanticCustomError("names", "has to be the name of a column, or a list of several names")
    return names[0] if len(names) == 1 else tuple(names)


def _two_values(text: str) -> str:
    """Refuse what is not LOW:HIGH."""
    try:
        stretch_of(text)
    except UsageError as problem:
        raise PydanticCustomError("stretch", 'has to be "LOW:HIGH", such as "0:4095"') from problem
    return text


Name = Annotated[str, AfterValidator(_filled)]
"""Text that names a file, a folder or a column."""
Names = Annotated[str | tuple[str, ...], BeforeValidator(_one_or_several)]
"""One name, or several."""


class Part(BaseModel):
    """A frozen value that knows all of its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class ProblemData(Part):
    """Which photographs and labels the problem is about; paths start from the folder of the file."""

    source: Name | None = None
    """A folder, a table, `torchvision:NAME`, `fastai:NAME` or elpv; None is the default data."""
    images: Name | None = None
    """For a table: the folder of its photographs."""
    id: Name | None = None
    """For a table: the column that names the photographs."""
    label: Names | None = None
    """For a table: the column of labels, or several columns of 0 and 1."""
    delimiter: Annotated[str, Field(min_length=1)] | None = None
    """For a table: what separates several labels in a cell."""
    stretch: Annotated[str, AfterValidator(_two_values)] | None = None
    """Of photographs of more than 8 bits, the values that are black and white: `LOW:HIGH`."""
    test: Name | None = None
    """The table of the photographs to predict; `none` for none, None finds one beside the table."""
    sample_submission: Name | None = None
    """The file that shows what a submission looks like."""
    label_from: Name | None = None
    """Where the label stands in the relative path or the name of a photograph."""
    exclude: Names | None = None
    """Patterns of relative paths that are no photographs of the data set."""
    header: Header | None = None
    """For a table: whether its first row names the columns; None looks."""
    spelling: Spelling | None = None
    """Whether labels equal as numbers or in Unicode's normal form are one class; None refuses them."""
    missing: Missing | None = None
    """For a table: what happens to rows whose photograph is not there; None is `stop`."""
    metadata: tuple[Name, ...] = ()
    """Tables that say more of the photographs: sender, camera, date."""


class ProblemSplit(Part):
    """Who trains and who validates."""

    fraction: Annotated[float, Strict(), Field(gt=0, lt=1)] | None = None
    """Share of the samples outside test that validates, in (0, 1); None takes the data's own advice."""
    seed: Annotated[int, Strict(), Field(ge=0)] | None = None
    """Decides the draw; None is 0."""
    group: Name | None = None
    """The column of groups that stay together."""
    column: Name | None = None
    """The column that says train, valid or test; `none` uses no parts that the data give."""
    group_from: Name | None = None
    """Where the relative path or the name of a photograph says what stays together."""
    test: Annotated[float, Strict(), Field(gt=0, lt=1)] | None = None
    """Share of the photographs that is drawn into the test part and sealed, in (0, 1); None draws none."""


def _as_written(metric: str) -> str:
    """Return a metric as records name it."""
    return find_metric(metric).text


class Problem(Part):
    """What a person set out to do, and with what."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    """The version of this form; `schema` in the file."""
    title: str = ""
    """A short name for people."""
    goal: str = ""
    """What is to be told apart, and what for."""
    background: str = ""
    """Where the photographs come from, and what else is known."""
    type: Literal["binary", "multiclass", "multilabel"] | None = None
    """One of two classes, one of several, or any number of them; None sees it from the labels."""
    metric: Annotated[str, AfterValidator(_as_written)] | None = None
    """The metric that decides; None takes the one of the problem type."""
    data: ProblemData = Field(default_factory=ProblemData)
    """The data."""
    split: ProblemSplit = Field(default_factory=ProblemSplit)
    """The split."""
    skipped: dict[str, Name] = {}
    """From the id of a checklist item to the reason why it is left out."""

    def source(self, root: Path) -> DataSource:
        """Return what the problem says of its data, in words that mean the same from every folder.

        Args:
            root: The folder of its file, where paths begin; what does not lie there may lie beside the data.
        """
        data, split, named = self.data, self.split, self.data.source
        if named is not None and not is_named_set(named):
            named = str(root / Path(named).expanduser())
        home = None if named is None else Path(named)
        test = data.test if data.test in (None, OFF) else str(place_from(root, home, data.test))
        return DataSource(
            data=named,
            images=None if data.images is None else str(place_from(root, home, data.images)),
            label=list(data.label) if isinstance(data.label, tuple) else data.label,
            id=data.id,
            group=split.group,
            split=split.column,
            problem_type=self.type,
            delimiter=data.delimiter,
            stretch=data.stretch,
            valid=split.fraction,
            split_seed=split.seed,
            test=test,
            label_from=data.label_from,
            group_from=split.group_from,
            header=data.header,
            spelling=data.spelling,
            exclude=list(data.exclude) if isinstance(data.exclude, tuple) else data.exclude,
            missing=data.missing,
            test_share=split.test,
        )


Place = tuple[str | int, ...]
Value = TypeVar("Value", bound=BaseModel)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MOST_TOLD = 20
_MOST_SHOWN = 60
_WHERE = re.compile(r"\s*\(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")
_WANTED = {
    "string_type": "text in quotes",
    "float_type": "a number",
    "int_type": "a whole number",
    "model_type": "a table",
    "dict_type": "a table",
    "tuple_type": "a list",
    "string_too_short": "text that is not empty",
}
_BOUNDS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}


def read_text(path: Path) -> str:
    """Read a regular file of UTF-8.

    Raises:
        ProblemError: There is no such file, it is something else, or it cannot be read.
    """
    try:
        if path.exists() and not path.is_file():
            raise ProblemError(f"{path}: not a file. Move it away, since imgcls keeps a file of that name there.")
        content = path.read_bytes()
    except OSError as error:
        raise ProblemError(f"{path}: cannot be read ({error.strerror or error}).") from error
    if content.startswith(_BYTE_ORDER_MARK):
        raise ProblemError(f"{path}, line 1: it begins with a byte order mark. Save it as UTF-8 without one.")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ProblemError(
            f"{path}, line {line}: not UTF-8 (byte 0x{content[error.start]:02x}). Save it as UTF-8."
        ) from error


def read_toml(path: Path, text: str, *, schema: int) -> dict[str, Any]:
    """Read the text of a file as TOML of a version that is known.

    Args:
        path: Where the text is from, for messages.
        text: The text.
        schema: The newest version that is understood.

    Raises:
        ProblemError: It is no TOML, or a newer imgcls wrote it.
    """
    try:
        value = tomllib.loads(text)
    except RecursionError as error:
        raise ProblemError(f"{path}: cannot be read, since its lists or tables are nested too deeply.") from error
    except ValueError as error:  # also what tomllib does not wrap, such as a number of 5,000 digits
        raise ProblemError(_no_toml(path, text, str(error))) from error
    found = value.get("schema", schema)
    if isinstance(found, int) and not isinstance(found, bool) and found > schema:
        raise ProblemError(
            f"{path} was written by a newer imgcls (schema {found}; this one knows {schema}). Update imgcls."
        )
    return value


def checked(kind: type[Value], value: Mapping[str, Any], *, path: Path) -> Value:
    """Make a frozen value of what was read.

    Args:
        kind: What is made.
        value: What `read_toml` gave.
        path: Where it is from, for messages.

    Raises:
        ProblemError: Anything does not fit; every fault is named by its key, with the nearest right name.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        faults = [_words(kind, details) for details in error.errors()]
        if len(faults) == 1:
            raise ProblemError(f"{path}: {faults[0]}") from error
        raise ProblemError.together(
            first_lines(faults, _MOST_TOLD), heading=f"{path}: {len(faults)} faults:"
        ) from error


def _no_toml(path: Path, text: str, problem: str) -> str:
    """Describe where a text is no TOML."""
    match = _WHERE.search(problem)
    said = problem[: match.start()] if match else problem
    line = int(match["line"]) if match and match["line"] else len(text.splitlines()) if match else None
    column = f", column {match['column']}" if match and match["column"] else ""
    return f"{path}{f', line {line}' if line else ''}{column}: not TOML ({said.rstrip('.')}). Correct it there."


def _words(kind: type[BaseModel], error: ErrorDetails) -> str:
    """Describe what is wrong with a key, and what it has to be."""
    place, given = error["loc"], error["input"]
    name = _dotted(place)
    if error["type"] == "extra_forbidden":
        known = _keys(kind, place[:-1])
        hint = nearest_hint(str(place[-1]), known) or f" There are {', '.join(known)}."
        return f"there is no key {name}.{hint}"
    if error["type"] == "missing":
        return f"{name} is missing."
    if error["type"] == "literal_error":
        choices = [str(choice) for choice in _literal(kind, place)]
        hint = nearest_hint(given, choices) if isinstance(given, str) else ""
        return f"{name} has to be {_either(choices)}, not {_shown(given)}.{hint}"
    if error["type"] == "value_error":
        return f"{name}: {error['ctx']['error']}"
    return f"{name} {_demand(error)}, not {_shown(given)}."


def _demand(error: ErrorDetails) -> str:
    """Describe what a value has to be."""
    context = error.get("ctx", {})
    if error["type"] in _WANTED:
        return f"has to be {_WANTED[error['type']]}"
    for bound, words in _BOUNDS.items():
        if bound in context:
            return f"has to be {words} {context[bound]:g}"
    return error["msg"]


def _keys(kind: type[BaseModel], place: Place) -> list[str]:
    """Return the keys of the table at a place, as the file spells them."""
    return [field.alias or name for name, field in _model_at(kind, place).model_fields.items()]


def _literal(kind: type[BaseModel], place: Place) -> tuple[Any, ...]:
    """Return what may stand at a place that has a few possible values."""
    fields = _model_at(kind, place[:-1]).model_fields
    annotation = next(field.annotation for name, field in fields.items() if (field.alias or name) == place[-1])
    choices = [option for option in (annotation, *get_args(annotation)) if get_origin(option) is Literal]
    return get_args(choices[0])


def _model_at(kind: type[BaseModel], place: Place) -> type[BaseModel]:
    """Return the model of the table at a place; numbers count the tables of a list."""
    for part in place:
        if isinstance(part, str):
            annotation = kind.model_fields[part].annotation
            kind = next(option for option in (annotation, *get_args(annotation)) if _is_model(option))
    return kind


def _is_model(option: object) -> bool:
    return isinstance(option, type) and issubclass(option, BaseModel)


def _dotted(place: Place) -> str:
    """Write the way to a key: `data.images`, `excluded[2].why`, counted from 0 as programs do."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")


def _either(choices: list[str]) -> str:
    return " or ".join([", ".join(choices[:-1]), choices[-1]]) if len(choices) > 1 else choices[0]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


PROBLEM_TOML = "imgcls.toml"
"""What also marks the folder of a workspace; see `imgcls.workspace.MARKER`."""
_HEADING = "What the problem is. Every imgcls command in this folder reads it; change it as you like."
_METRICS = f"The metric is one of {CHOICE}."
_COMMENTS = {
    "goal": "which classes to tell apart, and what for",
    "background": "where the photographs come from, and what else is known of them",
    "type": "binary, multiclass or multilabel",
    "metric": "what decides",
    "data": "Which photographs and labels; paths start from the folder of this file, or from the data.",
    "data.id": "the column that names the photographs",
    "data.label": "the column of labels, or a list of columns of 0 and 1",
    "data.images": "the folder of the photographs that the table names",
    "data.delimiter": "what separates several labels in a cell",
    "data.stretch": "of photographs of more than 8 bits, the values that are black and white",
    "data.test": "the photographs to predict; none for none",
    "data.sample_submission": "what a submission looks like",
    "data.label_from": "where the label stands in a name or path",
    "data.exclude": "what is no photograph of the data set",
    "data.header": "first or none: whether the first row names the columns",
    "data.spelling": "join or keep: whether labels such as 1 and 1.0 are one class",
    "data.missing": "stop or exclude: rows whose photograph is not there",
    "data.metadata": "tables that say more of the photographs",
    "split": "Who trains and who validates.",
    "split.fraction": "share of the photographs outside test that validates",
    "split.seed": "decides the draw",
    "split.group": "the column of groups that stay together",
    "split.column": "the column that says train, valid or test",
    "split.group_from": "where a name or path says what stays together",
    "split.test": "share that is drawn as the test part and sealed",
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
    """Return the metric that decides in a workspace: the one its problem names, else that of the kind of problem.

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
        ProblemError: It cannot be read, is no TOML, or does not fit; every fault is named by its key.
    """
    return problem_of(read_text(path), path=path)


def problem_of(text: str, *, path: Path) -> Problem:
    """Make a problem of the text of a file, whose path the messages name; see `read_problem`."""
    return checked(Problem, read_toml(path, text, schema=SCHEMA), path=path)


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
    write_text(path, tomlkit.dumps(document))


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

    with one_at_a_time(path):
        text = read_text(path)
        problem_of(text, path=path)
        document = tomlkit.parse(text)
        for key, value in changes.items():
            _change(document, key, value)
        changed = tomlkit.dumps(document)
        problem = problem_of(changed, path=path)
        write_text(path, changed)
    return problem


def _plain(problem: Problem) -> dict[str, Any]:
    """Return what is written, in order: the parts that are None or empty tables are left out."""
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
    """Return a value as tomlkit has it; a tuple is a list."""
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


def write_text(path: Path, text: str) -> None:
    """Write a text file as UTF-8, whole or not at all.

    Raises:
        ProblemError: It holds bytes that are no UTF-8.
        ImgclsError: The file cannot be written; the old one is still there.
    """
    try:
        content = text.encode("utf-8")
    except UnicodeEncodeError as error:
        shown = as_utf8(text[max(0, error.start - 20) : error.end])
        raise ProblemError(f"{path}: cannot be written, since {shown!r} holds bytes that are no UTF-8.") from error
    write_bytes(path, content)


def place_of(text: str, problem: Problem, root: Path) -> Path:
    """Return the file or folder that a problem names: from the folder of its file, else from that of its data."""
    home = problem.source(root).data
    return place_from(root, Path(home) if isinstance(home, str) else None, text)


def resolve(source: DataSource, root: Path, *, folds: int | None = None) -> DataSource:
    """Fill in what was not said of data from the problem of a workspace, and name its findings.toml.

    Args:
        source: What was said.
        root: The folder of the workspace, where imgcls.toml and findings.toml may lie.
        folds: The number of folds; with folds the problem's share that validates means nothing, and is left out.

    Raises:
        ProblemError: imgcls.toml cannot be read, or does not fit.
        WorkspaceError: It is about other data than those that were named.
    """
    problem, findings = find_problem(root), root / FINDINGS_TOML
    known = DataSource() if problem is None else problem.source(root)
    if source.data is not None and known.data is not None and not is_same_source(source.data, known.data):
        named = "a frame in memory" if source.is_frame else f"the data {str(source.data)!r}"
        raise WorkspaceError(
            f"{root / PROBLEM_TOML} is about {known.data!r}, and {named} was named. A workspace holds one data "
            "set: leave out the data (--data), or take another folder (--out, or workspace=…)."
        )
    valid = None if folds is not None else known.valid
    return source.filled_from(replace(known, valid=valid, findings=findings if os.path.lexists(findings) else None))
