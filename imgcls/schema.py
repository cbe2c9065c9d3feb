"""JSON files, read strictly as the dataclass that says what they hold.

The annotations of a dataclass are the schema of its file: every key must be there and none may be that is not known,
a number is no text, and true is no number. What reads a file so names every problem of it at once. The checking is
pydantic's; why its `TypeAdapter` is not used stands in docs/decisions/0029-a-dataclass-is-the-schema-of-its-file.md.
"""

from __future__ import annotations

import functools
import json
import math
import os
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import Field, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from imgcls.errors import RecordError

if TYPE_CHECKING:
    from pydantic_core import CoreSchema, ErrorDetails, SchemaValidator

Value = TypeVar("Value")
Problems = Iterable[tuple[str, str]]
"""The keys that are wrong, dotted and from the value that is looked at, empty for itself; and what they must be."""
Check = Callable[[Any], Problems]
"""Looks at a value of the right type; as metadata of `Annotated` it belongs to the type."""

MAY_BE_ABSENT = types.MappingProxyType({"written": "where it is known"})
"""Metadata of a dataclass field, None by default, whose key is left out of the file where the field is None."""
NOT_IN_FILE = types.MappingProxyType({"written": "never"})
"""Metadata of a dataclass field that is no part of the file."""

_VERSION = "schema"
_MOST_SHOWN = 40
_MOST_NAME_BYTES = 255
_DELETE = 0x7F
_LEAVES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not a known key",
    "dict_type": "must be an object",
    "tuple_type": "must be a list",
}


def read_json(path: Path) -> object:
    """Read a JSON file and refuse what Python's reader lets pass.

    Args:
        path: The file.

    Raises:
        RecordError: If the file is missing, is not UTF-8 or JSON, repeats a key, or holds NaN or infinity.
    """
    try:
        text = path.read_bytes().decode("utf-8")
        return json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_no_constant, parse_float=_finite_number)
    except FileNotFoundError:
        raise RecordError(f"{path} does not exist.") from None
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{path} is damaged: {error}. Restore it from a copy, or remove its folder.") from error


def read_as(
    kind: type[Value], path: Path, *, schema: int | None = None, check: Check | None = None, remedy: str = ""
) -> Value:
    """Read a JSON file as the dataclass that says what it holds.

    Args:
        kind: The dataclass.
        path: The file.
        schema: The version that is understood, where the file has one under `schema`.
        check: Further looks at the whole.
        remedy: What to do about damage, as a sentence; empty where there is nothing to say.

    Raises:
        RecordError: The file is missing or damaged, or a newer imgcls wrote it.
    """
    return from_json(kind, read_json(path), where=str(path), schema=schema, check=check, remedy=remedy)


def from_json(
    kind: type[Value],
    value: object,
    *,
    where: str,
    schema: int | None = None,
    check: Check | None = None,
    remedy: str = "",
) -> Value:
    """Make a dataclass of JSON values.

    Args:
        kind: The dataclass.
        value: The values, as `read_json` gives them.
        where: How messages name the source.
        schema: The version that is understood, where the values have one under `schema`.
        check: Further looks at the whole, once every part has its type.
        remedy: What to do about damage, as a sentence; empty where there is nothing to say.

    Raises:
        RecordError: A newer imgcls wrote it, or it is damaged; the message has every problem.
    """
    from pydantic_core import ValidationError

    found = value.get(_VERSION) if schema is not None and isinstance(value, Mapping) else None
    if isinstance(found, int) and not isinstance(found, bool) and found != schema:
        writer = "a newer imgcls" if found > (schema or 0) else "no known imgcls"
        raise RecordError(f"{where} was written by {writer} (schema {found}, this one reads {schema}). Update imgcls.")
    try:
        made: Value = _validator(cast("type", kind), schema is not None).validate_python(value)
    except ValidationError as error:
        problems = [problem for details in error.errors(include_url=False) for problem in _problems_in(details)]
    else:
        problems = [f"{key} {words}" for key, words in (check(made) if check else ())]
        if not problems:
            return made
    raise RecordError(f"{where} is damaged: {'; '.join(problems)}.{f' {remedy}' if remedy else ''}")


def to_json(value: Any) -> Any:
    """Return a dataclass as the JSON values that `from_json` reads: lists for tuples, nothing for what is not kept.

    Args:
        value: The dataclass, or a part of it.
    """
    if is_dataclass(value):
        return {
            item.name: item.metadata.get("write", to_json)(getattr(value, item.name))
            for item in fields(value)
            if _is_kept(item, value)
        }
    if isinstance(value, Mapping):
        return {name: to_json(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(entry) for entry in value]
    return value


def stored(read: Callable[[Any], object], write: Callable[[Any], object]) -> Mapping[str, Any]:
    """Return the metadata of a dataclass field whose value has a form of its own in the file.

    Args:
        read: Makes the value of a JSON object; what it raises as RecordError is reported by the field's key.
        write: Makes JSON values of the value.
    """
    return types.MappingProxyType({"read": read, "write": write})


def one_of(*choices: str) -> Check:
    """Return the check that a text is one of some."""

    def check(text: str) -> Iterator[tuple[str, str]]:
        if text not in choices:
            yield "", f"must be one of {', '.join(choices)}, not {json.dumps(text)[:_MOST_SHOWN]}"

    return check


def file_name(text: str) -> Problems:
    """Check that a text names a file or folder in the folder that it is looked for in, and none elsewhere.

    Every name that is read from a file and becomes a part of a path has this check in its annotation: files travel, and
    who writes one could else have any file of the reader's read or replaced.
    """
    try:
        is_long = len(os.fsencode(text)) > _MOST_NAME_BYTES
    except UnicodeEncodeError:  # half of a pair of surrogates, which JSON can hold and no file system can
        is_long = True
    leads_away = text in ("", "..") or "\\" in text or Path(text).name != text  # which "C:x" does too on Windows
    if is_long or leads_away or any(ord(sign) < ord(" ") or ord(sign) == _DELETE for sign in text):
        yield "", f"must be the name of a file or folder, not {json.dumps(text)[:_MOST_SHOWN]}"


def file_names(entries: Iterable[str]) -> Problems:
    """Check that every text, such as every key of a mapping, is a `file_name`."""
    for text in entries:
        yield from ((text, words) for _, words in file_name(text))


def _is_kept(item: Field[Any], value: object) -> bool:
    if item.metadata == MAY_BE_ABSENT:
        return getattr(value, item.name) is not None
    return item.metadata != NOT_IN_FILE


@functools.cache
def _validator(kind: type, is_versioned: bool) -> SchemaValidator:
    from pydantic_core import SchemaValidator

    return SchemaValidator(_object(kind, is_versioned=is_versioned))


def _object(kind: type, *, is_versioned: bool = False) -> CoreSchema:
    """Return how a dataclass is read: an object with its keys, and then its own constructor."""
    from pydantic_core import core_schema

    hints = get_type_hints(kind, include_extras=True)
    known = {}
    for item in fields(kind):
        if item.metadata == MAY_BE_ABSENT:  # then the key is left out, and null stands for nothing
            (given,) = (part for part in get_args(hints[item.name]) if part is not type(None))
            known[item.name] = core_schema.typed_dict_field(_schema(given), required=False)
        elif "read" in item.metadata:
            given = core_schema.dict_schema(core_schema.str_schema(strict=True), strict=True)
            known[item.name] = core_schema.typed_dict_field(
                core_schema.no_info_after_validator_function(functools.partial(_read_own, item.metadata["read"]), given)
            )
        elif item.metadata != NOT_IN_FILE:
            known[item.name] = core_schema.typed_dict_field(_schema(hints[item.name]))
    own = frozenset(known)
    if is_versioned and _VERSION not in own:
        known[_VERSION] = core_schema.typed_dict_field(_schema(int))

    def make(values: dict[str, Any]) -> object:
        return kind(**{name: entry for name, entry in values.items() if name in own})

    keys = core_schema.typed_dict_schema(known, extra_behavior="forbid", strict=True)
    return core_schema.no_info_after_validator_function(make, keys)


def _schema(annotation: Any, *, or_null: str = "") -> CoreSchema:
    """Return how a value of an annotation is read."""
    from pydantic_core import core_schema

    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return core_schema.any_schema()
    if is_dataclass(annotation):
        assert isinstance(annotation, type)  # noqa: S101 - no annotation is a value
        return _object(annotation)
    if origin is Annotated:
        schema = _schema(arguments[0])
        for check in arguments[1:]:
            schema = core_schema.no_info_after_validator_function(functools.partial(_look, check), schema)
        return schema
    if origin in (Union, types.UnionType):
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return core_schema.nullable_schema(_schema(inner, or_null=" or null"))
    if origin is tuple and arguments[1:] == (...,):
        return core_schema.tuple_schema([_schema(arguments[0])], variadic_item_index=0, strict=False)
    if origin is tuple:
        several = core_schema.tuple_schema([_schema(argument) for argument in arguments], strict=False)
        return _told(several, f"{'a pair' if len(arguments) == 2 else f'a list of {len(arguments)}'}{or_null}")
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return core_schema.dict_schema(core_schema.str_schema(strict=True), _schema(arguments[1]), strict=True)
    if origin is Literal:
        return _told(core_schema.literal_schema(list(arguments)), f"one of {', '.join(map(str, arguments))}{or_null}")
    leaf = {
        str: core_schema.str_schema(strict=True),
        int: core_schema.int_schema(strict=True),
        bool: core_schema.bool_schema(strict=True),
        # a whole number stays one, so that it is written again as it was
        float: core_schema.union_schema(
            [core_schema.int_schema(strict=True), core_schema.float_schema(strict=True)], mode="left_to_right"
        ),
    }[annotation]
    return _told(leaf, f"{_LEAVES[annotation]}{or_null}")


def _told(schema: CoreSchema, kind: str) -> CoreSchema:
    from pydantic_core import core_schema

    return core_schema.custom_error_schema(schema, custom_error_type="kind", custom_error_message=f"must be {kind}")


def _read_own(read: Callable[[Any], object], value: object) -> object:
    from pydantic_core import PydanticCustomError

    try:
        return read(value)
    except RecordError as problem:
        raise PydanticCustomError("check", "{problems}", {"problems": [("", str(problem).rstrip("."))]}) from problem


def _look(check: Check, value: object) -> object:
    from pydantic_core import PydanticCustomError

    if problems := list(check(value)):
        raise PydanticCustomError("check", "{problems}", {"problems": problems})
    return value


def _problems_in(details: ErrorDetails) -> Iterator[str]:
    """Yield what one error of pydantic says, by the dotted key."""
    place, kind = [str(part) for part in details["loc"]], details["type"]
    if kind == "check":
        yield from (f"{'.'.join([*place, *filter(None, [key])])} {words}" for key, words in details["ctx"]["problems"])
        return
    words = _WORDS.get(kind, details["msg"])
    shown = "" if kind in ("missing", "extra_forbidden") else f", not {_shown(details['input'])}"
    yield f"{'.'.join(place) or 'the whole'} {words}{shown if place else ''}"


def _shown(value: object) -> str:
    try:
        return json.dumps(value)[:_MOST_SHOWN]
    except TypeError:  # no JSON, as a caller may hand it over
        return repr(value)[:_MOST_SHOWN]


def _unique_keys(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dictionary of pairs whose keys all differ."""
    value: dict[str, Any] = {}
    for key, item in pairs:
        if key in value:
            raise ValueError(f"the key {key!r} appears twice")
        value[key] = item
    return value


def _no_constant(name: str) -> float:
    """Refuse NaN, Infinity and -Infinity."""
    raise ValueError(f"{name} is not JSON")


def _finite_number(text: str) -> float:
    """Read a number that a float can hold."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text} is too large")
    return number
