"""Values that a plan can hold: JSON, checked against the annotations of its parts."""

from __future__ import annotations

import functools
import json
import math
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

from imgcls.errors import PlanError


@dataclass(frozen=True)
class Within:
    """The range of a number: both ends belong to it unless said otherwise."""

    low: float = -math.inf
    """Lowest value."""
    high: float = math.inf
    """Highest value."""
    open_low: bool = False
    """Whether the lowest value itself is left out."""
    open_high: bool = False
    """Whether the highest value itself is left out."""

    def __contains__(self, number: object) -> bool:
        if not isinstance(number, int | float) or not math.isfinite(number):
            return False
        above = number > self.low if self.open_low else number >= self.low
        below = number < self.high if self.open_high else number <= self.high
        return above and below

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"{'above' if self.open_low else 'at least'} {self.low:g}"
        return f"in {'(' if self.open_low else '['}{self.low:g}, {self.high:g}{')' if self.open_high else ']'}"


class Options(Mapping[str, Any]):
    """A frozen, hashable mapping from names to JSON values, in the order of the names."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._text = canonical_json({name: plain(value) for name, value in (values or {}).items()})

    def __getitem__(self, name: str) -> Any:
        return json.loads(self._text)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(json.loads(self._text))

    def __len__(self) -> int:
        return len(json.loads(self._text))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and self._text == Options(other)._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"Options({self._text})"


class Op:
    """One named choice with its options, such as `Op("HorizontalFlip", p=0.5)`."""

    __slots__ = ("name", "options")
    name: str
    options: Options

    def __init__(self, name: str, /, **options: Any) -> None:
        if not name or not isinstance(name, str):
            raise PlanError(f"An Op needs a name, not {name!r}.")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "options", Options(options))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"An Op is frozen: {name!r} cannot be set.")

    def __reduce__(self) -> tuple[Any, ...]:
        return _op_from_json, (self.to_json(),)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Op) and (self.name, self.options) == (other.name, other.options)

    def __hash__(self) -> int:
        return hash((self.name, self.options))

    def __repr__(self) -> str:
        return ", ".join([f"Op({self.name!r}", *(f"{k}={v!r}" for k, v in self.options.items())]) + ")"

    def to_json(self) -> dict[str, dict[str, Any]]:
        """Give `{name: options}`."""
        return {self.name: dict(self.options)}


class Part:
    """Checks and normalises the fields of a part as it is made."""

    def __post_init__(self) -> None:
        problems = []
        for name, annotation in field_types(type(self)).items():
            try:
                object.__setattr__(self, name, _checked(getattr(self, name), annotation))
            except PlanError as problem:
                problems.append(f"{type(self).__name__.lower()}.{name} {problem}")
        if problems:
            raise PlanError.together(problems)


def canonical_json(value: Any) -> str:
    """Write JSON in the one form that digests are taken of: sorted keys, no spaces, finite numbers."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    except (TypeError, ValueError) as problem:
        raise PlanError(f"A plan holds JSON values only: {problem}.") from problem


def plain(value: Any) -> Any:
    """Give a value as JSON would give it back: tuples become lists, Ops their JSON."""
    if isinstance(value, Op):
        return value.to_json()
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return value


def _op_from_json(value: Any) -> Op:
    if isinstance(value, Op):
        return value
    if isinstance(value, str):
        return Op(value)
    if isinstance(value, Mapping) and len(value) == 1:
        ((name, options),) = value.items()
        if isinstance(options, Mapping):
            return Op(name, **options)
    raise PlanError(f"has to be a name or {{name: options}}, not {value!r}")


def field_types(part: type) -> Mapping[str, Any]:
    """Give the annotations of a part's fields, by name."""
    return _field_types(part)


@functools.cache
def _field_types(part: type) -> Mapping[str, Any]:
    """Work them out once a process: a plan asks for them with every value that is set."""
    return types.MappingProxyType(typing.get_type_hints(part, include_extras=True))


def _checked(value: Any, annotation: Any) -> Any:
    """Give the value in the one form its annotation asks for, or say what it has to be."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        number = _checked(value, arguments[0])
        if number not in arguments[1]:
            raise PlanError(f"has to be {arguments[1]}, not {value!r}")
        return number
    if origin is Literal:
        if value not in arguments:
            raise PlanError(f"has to be one of {', '.join(map(str, arguments))}, not {value!r}")
        return value
    if origin in (typing.Union, types.UnionType):
        return _checked_union(value, arguments)
    if origin is tuple:
        if isinstance(value, str) or not isinstance(value, list | tuple):
            raise PlanError(f"has to be a list, not {value!r}")
        return tuple(_checked(entry, arguments[0]) for entry in value)
    return _checked_simple(value, annotation)


def _checked_union(value: Any, arguments: tuple[Any, ...]) -> Any:
    if value is None and type(None) in arguments:
        return None
    problems = []
    for argument in arguments:
        if argument is type(None):
            continue
        try:
            return _checked(value, argument)
        except PlanError as problem:
            problems.append(str(problem))
    raise PlanError(" or ".join(problems))


def _checked_simple(value: Any, annotation: type) -> Any:
    if annotation is Op:
        return _op_from_json(value)
    if annotation is Options:
        if not isinstance(value, Mapping):
            raise PlanError(f"has to be a mapping of names to values, not {value!r}")
        return value if isinstance(value, Options) else Options(value)
    if annotation is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if annotation is int and isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, annotation) or (isinstance(value, bool) and annotation is not bool):
        raise PlanError(f"has to be {_TYPE_WORDS[annotation]}, not {value!r}")
    return value


_TYPE_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def read_value(text: str) -> Any:
    """Read what a person typed: JSON where it is JSON, plain text otherwise."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return {"True": True, "False": False, "None": None}.get(text, text)
