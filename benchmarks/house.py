"""Measure the structure of the code: its size, its rooms, and how far a value walks through them.

Everything is counted by reading the files or by running the command line, so that checkouts can be compared whose
functions have other names. What the figures mean stands in `NOTES`, which is printed with them.

This file is also the script that runs inside the checkout that is measured, so it imports nothing of imgcls.
"""

from __future__ import annotations

import ast
import configparser
import inspect
import io
import itertools
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import Any, TextIO

from PIL import Image

PACKAGES = {"imgcls": "imgcls", "imgcls_recipes": "recipes"}
"""Package → the folder of a checkout that holds it."""

NOTES = """\
Code lines are neither blank nor comment nor docstring, those of attributes included. Lengths of files are all their \
lines, of functions the lines from `def` to the end without the docstring, methods and inner functions included. p95 \
is the value at rank ⌊0.95 n⌋, counted from 0. Imports are those between modules of one package, in functions and for \
type checkers included; the file of a package, `__init__`, imports, but is not counted as a module with one importer. \
A private function is named `_x`; it is used once where its file names it once, called or not.

Journeys are run, on drawn photographs, and end where the value arrives. Counted are calls of functions written in \
the checkout, from the function of the checkout that is next above on the stack of calls, whatever lies between; not \
what importing runs, not comprehensions, not other processes. A crossing is a pair of files, caller and called, \
however often it is walked; an entry is a calling file and a function called in another file. A crossing comes again \
where the called file was entered before. It climbs where the called file is in a higher layer of .importlinter, or \
waits for an answer further up on the stack, as with a callback. A file is handed the value where an argument of a \
call holds it: the text or number itself, or an object of the checkout, a mapping or a sequence that it can be found \
in."""


@dataclass(frozen=True)
class Structure:
    """What reading the files of a package tells."""

    files: int
    """Its Python files."""
    code_lines: int
    """Lines that are neither blank nor comment nor docstring."""
    file_lines_median: float
    """All lines of a file."""
    file_lines_p95: int
    """Likewise."""
    files_below_100: int
    """Files of fewer than 100 lines."""
    function_lines_median: float
    """Lines of a function from `def` to its end, without its docstring."""
    function_lines_p95: int
    """Likewise."""
    import_edges: int
    """Pairs of an importing and an imported module."""
    one_importer: int
    """Modules that exactly one module imports; files of packages (`__init__`) are not counted."""
    private: int
    """Functions and methods named `_x`."""
    private_once: int
    """Those that their file names exactly once."""
    private_once_short: int
    """Those of them that have four lines or fewer, docstring included."""
    module_private: int
    """The private functions that belong to no class or function."""
    module_private_once: int
    """Those that their file names exactly once."""


@dataclass(frozen=True)
class Walk:
    """The files that calls enter, and how."""

    files: tuple[str, ...]
    """In the order of their first entry."""
    functions: int
    """Distinct functions that were called."""
    crossings: int
    """Distinct pairs of a calling and a called file."""
    entries: int
    """Distinct pairs of a calling file and a function that it calls in another one."""
    again: int
    """Crossings into a file that was entered before."""
    climbs: tuple[tuple[str, str], ...]
    """Crossings into a higher layer, or into a file that waits further up the stack."""

    @classmethod
    def of(cls, calls: Iterable[Call], layers: Sequence[frozenset[str]]) -> Walk:
        """Return what calls, in their order, amount to."""
        files: dict[str, None] = {}
        climbs: dict[tuple[str, str], None] = {}
        functions, crossings, entries = set(), set(), set()
        again = 0
        for call in calls:
            functions.add((call.file, call.function))
            if call.caller is not None and call.caller != call.file:
                crossing = (call.caller, call.file)
                again += crossing not in crossings and call.file in files
                crossings.add(crossing)
                entries.add((call.caller, call.file, call.function))
                if call.is_open or _is_above(call.file, call.caller, layers):
                    climbs[crossing] = None
            files.setdefault(call.file)
        return cls(tuple(files), len(functions), len(crossings), len(entries), again, tuple(climbs))

    def to_json(self) -> dict[str, Any]:
        """Return the figures, and the names behind them."""
        counts = {name: getattr(self, name) for name in ("functions", "crossings", "entries", "again")}
        names = {"file_names": self.files, "climb_names": self.climbs}
        return {"files": len(self.files), **counts, "climbs": len(self.climbs), **names}


@dataclass(frozen=True)
class Call:
    """A call of a function of the checkout, the first of its kind."""

    caller: str | None
    """The file that holds the next function of the checkout up the stack; None where a thread begins."""
    file: str
    """The file that holds the function."""
    function: str
    """Its qualified name."""
    is_open: bool
    """Whether the file waits further up the stack, behind another one."""
    handed: tuple[str, ...]
    """The names of the markers that an argument holds."""


@dataclass(frozen=True)
class Trace:
    """The calls of a command, in order, and how many there were when something happened."""

    calls: tuple[Call, ...]
    """Each kind once."""
    marks: Mapping[str, int]
    """What happened → the number of calls before."""

    def until(self, mark: str) -> tuple[Call, ...]:
        """Return the calls before something happened.

        Raises:
            RuntimeError: It did not happen.
        """
        if mark not in self.marks:
            raise RuntimeError(f"The command ended before there was a {mark}; it reached {sorted(self.marks)}.")
        return self.calls[: self.marks[mark]]


@dataclass(frozen=True)
class House:
    """The figures of one checkout."""

    structures: Mapping[str, Structure]
    """By package."""
    journeys: Mapping[str, tuple[Walk, Walk]]
    """By name: everything that is entered on the way, and what of it is handed the value."""

    def to_json(self) -> dict[str, Any]:
        """Return all figures."""
        walks = {name: {**walk.to_json(), "handed": handed.to_json()} for name, (walk, handed) in self.journeys.items()}
        return {**{name: vars(found) for name, found in self.structures.items()}, "journeys": walks}

    def rows(self) -> Iterator[tuple[str, float]]:
        """Yield the figures as a person reads them, each with its name."""
        for name, found in self.structures.items():
            for measure, value in vars(found).items():
                yield f"{name}: {measure.replace('_', ' ')}", value
        for name, walks in self.journeys.items():
            for walk, kind in zip(walks, ("", "handed the value, "), strict=True):
                for measure, value in walk.to_json().items():
                    if not measure.endswith("_names"):
                        yield f"{name}: {kind}{measure}", value


def measure_house(root: Path, *, with_journeys: bool = True) -> House:
    """Measure a checkout.

    Args:
        root: Its folder.
        with_journeys: Whether to train on drawn photographs too; a minute or two.
    """
    structures = {name: structure(root / folder, name) for name, folder in PACKAGES.items()}
    return House(structures, dict(journeys(root)) if with_journeys else {})


def as_markdown(houses: Mapping[str, House]) -> str:
    """Return a table with a column for each checkout, by its name, and what its figures mean."""
    columns = [dict(found.rows()) for found in houses.values()]
    lines = [f"| | {' | '.join(houses)} |", f"|---|{'--:|' * len(houses)}"]
    for name in columns[0]:
        lines.append(f"| {name} | {' | '.join(f'{column[name]:,g}' for column in columns)} |")
    return "\n".join([*lines, "", NOTES])


def structure(folder: Path, package: str) -> Structure:
    """Read the files of a package.

    Args:
        folder: Where it lies.
        package: The name that it is imported by.
    """
    sources = {path: path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py"))}
    modules = {_module_name(path.relative_to(folder), package): ast.parse(text) for path, text in sources.items()}
    packages = {_module_name(path.relative_to(folder), package) for path in sources if path.name == "__init__.py"}
    edges = {
        (name, target) for name, tree in modules.items() for target in _imports(tree, name, modules, name in packages)
    }
    importers = Counter(target for _, target in edges if target not in packages)
    lengths = [len(text.splitlines()) for text in sources.values()]
    functions = [(tree, node) for tree in modules.values() for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]
    private = [(tree, node) for tree, node in functions if node.name.startswith("_") and node.name[1:2] != "_"]
    names = {tree: _names(tree) for tree in modules.values()}
    once = [(tree, node) for tree, node in private if names[tree][node.name] == 1]
    function_lines = [_length(node) - len(_docstring(node)) for _, node in functions]
    return Structure(
        files=len(sources),
        code_lines=sum(_code_lines(*pair) for pair in zip(sources.values(), modules.values(), strict=True)),
        file_lines_median=statistics.median(lengths),
        file_lines_p95=_p95(lengths),
        files_below_100=sum(length < 100 for length in lengths),
        function_lines_median=statistics.median(function_lines),
        function_lines_p95=_p95(function_lines),
        import_edges=len(edges),
        one_importer=sum(n == 1 for n in importers.values()),
        private=len(private),
        private_once=len(once),
        private_once_short=sum(_length(node) <= 4 for _, node in once),
        module_private=sum(node in tree.body for tree, node in private),
        module_private_once=sum(node in tree.body for tree, node in once),
    )


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _module_name(path: Path, package: str) -> str:
    parts = path.with_suffix("").parts
    return ".".join((package, *(parts[:-1] if parts[-1] == "__init__" else parts)))


def _imports(tree: ast.Module, name: str, modules: Iterable[str], is_package: bool) -> Iterator[str]:
    """Yield the modules that a module imports, anywhere in it, itself excepted."""
    known = set(modules) - {name}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from known.intersection(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            up = name.split(".")[: -node.level + is_package or None] if node.level else []
            home = ".".join([*up, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{home}.{alias.name}"
                yield from known.intersection([inner if inner in known else home])


def _names(tree: ast.Module) -> Counter[str]:
    """Count how often each name and each attribute is used."""
    nodes = list(ast.walk(tree))
    used = Counter(node.id for node in nodes if isinstance(node, ast.Name))
    return used + Counter(node.attr for node in nodes if isinstance(node, ast.Attribute))


def _code_lines(text: str, tree: ast.Module) -> int:
    texts = {
        number
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for number in _lines(node)
    }
    lines = enumerate(text.splitlines(), start=1)
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") and n not in texts for n, line in lines)


def _lines(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _length(node: ast.stmt) -> int:
    return len(_lines(node))


def _docstring(node: ast.FunctionDef | ast.AsyncFunctionDef) -> range:
    return _lines(node.body[0]) if ast.get_docstring(node, clean=False) is not None else range(0)


def _p95(values: Sequence[int]) -> int:
    return sorted(values)[int(0.95 * len(values))]


# ---------------------------------------------------------------------------------------------------------- journeys

TO_RECORD, TO_BATCH = "stack to record", "data source to batch"
TO_VERDICT, TO_VERDICT_AGAIN = "ladder's options to verdict", "the same, all runs there"
SMOOTHING, GAIN, PHOTOS = "0.0731", "0.7351", "photographs-to-follow"
"""Values that are nowhere else, by which the stack, the ladder's options and the data are known again."""


def journeys(root: Path) -> Iterator[tuple[str, tuple[Walk, Walk]]]:
    """Run the commands on drawn photographs, and yield each journey by its name."""
    layers = layers_of(root)
    stack = f"baseline+label_smoothing:smoothing={SMOOTHING}"
    setting = ["--model", "simple_cnn", "--weights", "none", "--size", "32", "--epochs", "1", "--workers", "0"]
    with tempfile.TemporaryDirectory(prefix="imgcls-house-") as name:
        scratch = Path(name).resolve()
        draw_photos(scratch / PHOTOS)
        common = ["--data", str(scratch / PHOTOS), "--device", "cpu", "--json", *setting]
        recipe = ["recipe", "run", stack, *common, "--out", str(scratch / "one")]
        ladder = ["ladder", "run", stack, "--seeds", "2", "--smallest-gain", GAIN, *common]
        ladder += ["--out", str(scratch / "two")]
        once = trace(root, recipe, {TO_RECORD: SMOOTHING, TO_BATCH: PHOTOS})
        yield TO_RECORD, _walks(once.until("record"), TO_RECORD, layers)
        yield TO_BATCH, _walks(once.until("batch"), TO_BATCH, layers)
        for journey in (TO_VERDICT, TO_VERDICT_AGAIN):
            ran = trace(root, ladder, {journey: GAIN})
            yield journey, _walks(ran.until("output"), journey, layers)


def _walks(calls: Sequence[Call], marker: str, layers: Sequence[frozenset[str]]) -> tuple[Walk, Walk]:
    return Walk.of(calls, layers), Walk.of([call for call in calls if marker in call.handed], layers)


def draw_photos(folder: Path) -> None:
    """Draw twelve photographs of noise for each of three classes, always the same."""
    drawn = random.Random(0)  # noqa: S311 - noise, no secret
    for label, number in itertools.product(("left", "middle", "right"), range(12)):
        path = folder / label / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.frombytes("RGB", (32, 32), drawn.randbytes(32 * 32 * 3)).save(path)


def layers_of(root: Path) -> list[frozenset[str]]:
    """Return the layers of imgcls that the checkout's import contracts name, from the top."""
    contracts = configparser.ConfigParser()
    contracts.read(root / ".importlinter", encoding="utf-8")
    for section in contracts.values():
        if section.get("type") == "layers" and section.get("containers", "").split() == ["imgcls"]:
            lines = section["layers"].replace(":", "|").split("\n")
            return [frozenset(line.replace("|", " ").split()) for line in lines if line.strip()]
    raise ValueError(f"{root / '.importlinter'} names no layers with imgcls as container.")


def _is_above(file: str, other: str, layers: Sequence[frozenset[str]]) -> bool:
    """Return whether a file is in a higher layer than another; False where one of them is in none."""
    ranks = []
    for path in (file, other):
        folder, _, rest = path.partition("/")
        name = rest.partition("/")[0].removesuffix(".py")
        ranks += [n for n, layer in enumerate(layers) if folder == "imgcls" and name in layer]
    return len(ranks) == 2 and ranks[0] < ranks[1]


def trace(root: Path, arguments: Sequence[str], markers: Mapping[str, str]) -> Trace:
    """Run `imgcls` of a checkout in a process of its own, and return the calls that it makes.

    Args:
        root: The checkout.
        arguments: What is typed after `imgcls`.
        markers: Values among the arguments that are followed, by name.

    Raises:
        RuntimeError: The command failed.
    """
    with tempfile.TemporaryDirectory(prefix="imgcls-house-") as name:
        home, prefixes = Path(name).resolve(), {}
        for package, folder in PACKAGES.items():
            (home / package).symlink_to((root / folder).resolve())
            for place in (home / package, (root / folder).resolve()):
                prefixes[f"{place}{os.sep}"] = f"{folder}/"
        asked = {"prefixes": prefixes, "markers": dict(markers), "to": str(home / "trace.json")}
        environment = os.environ | {
            "PYTHONPATH": str(home),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "IMGCLS_CACHE": str(home / "cache"),
        }
        command = [sys.executable, "-P", __file__, json.dumps(asked), *arguments]
        ran = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise RuntimeError(f"imgcls {' '.join(arguments)} of {root} failed:\n{ran.stderr[-2000:]}")
        told = json.loads((home / "trace.json").read_text(encoding="utf-8"))
    return Trace(tuple(Call(**call | {"handed": tuple(call["handed"])}) for call in told["calls"]), told["marks"])


@dataclass
class Tracer:
    """A profile function that writes down the calls of a checkout's functions, each kind once."""

    prefixes: Mapping[str, str]
    """Where the checkout's packages lie → the name of that folder."""
    markers: Mapping[str, str]
    """The values that are followed, by name."""
    calls: dict[Call, None] = field(default_factory=dict)
    """What was called, in order."""
    marks: dict[str, int] = field(default_factory=dict)
    """What happened → the number of calls before."""
    _files: dict[str, str | None] = field(default_factory=dict)

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        """Look at one event of the interpreter."""
        if event != "call":
            return
        code = frame.f_code
        file = self._file_of(code.co_filename)
        if file is None:
            if code.co_name == "_do_one_batch" and code.co_filename.endswith("learner.py"):
                self.mark("batch")  # fastai has just moved it to the device
            return
        if code.co_name in ("<genexpr>", "<listcomp>", "<setcomp>", "<dictcomp>"):
            return
        opened, above = [file], frame
        while True:
            # What is not optimized is the body of a module or class: this call is part of an import.
            if self._file_of(above.f_code.co_filename) and not above.f_code.co_flags & inspect.CO_OPTIMIZED:
                return
            if above.f_back is None:
                break
            above = above.f_back
            if (found := self._file_of(above.f_code.co_filename)) is not None:
                opened.append(found)
        caller = opened[1] if len(opened) > 1 else None
        is_open = caller != file and file in opened[2:]
        given = inspect.getargvalues(frame)
        values = [given.locals[name] for name in code.co_varnames[: _n_arguments(code)] if name in given.locals]
        handed = tuple(name for name, marker in self.markers.items() if holds(values, marker))
        self.calls.setdefault(Call(caller, file, code.co_qualname, is_open, handed))

    def mark(self, happened: str) -> None:
        """Remember that something happened for the first time."""
        self.marks.setdefault(happened, len(self.calls))

    def _file_of(self, filename: str) -> str | None:
        if filename not in self._files:
            names = (name + filename.removeprefix(at) for at, name in self.prefixes.items() if filename.startswith(at))
            self._files[filename] = next(names, None)
        return self._files[filename]


def _n_arguments(code: Any) -> int:
    stars = bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return code.co_argcount + code.co_kwonlyargcount + stars


def holds(value: object, marker: str, depth: int = 6) -> bool:
    """Return whether a value is a marked one, or an object of the checkout or a collection that holds one.

    A number is known again as such and in hundredths. Of long collections the first entries are searched.

    Args:
        value: Anything.
        marker: A text, perhaps of a number.
        depth: How many objects may lie around it.
    """
    if isinstance(value, str | Path):
        return marker in str(value)
    if isinstance(value, float):
        number = float(marker) if marker[0].isdigit() else math.nan
        return math.isclose(value, number) or math.isclose(value, number / 100)
    if depth == 0:
        return False
    inside: Iterable[object] = ()
    if isinstance(value, dict | MappingProxyType):
        inside = [part for pair in itertools.islice(list(value.items()), 64) for part in pair]  # threads add to it
    elif isinstance(value, list | tuple):
        inside = value[:8]
    elif type(value).__module__.partition(".")[0] in PACKAGES:
        inside = _attributes(value)
    return any(holds(part, marker, depth - 1) for part in inside)


def _attributes(value: object) -> Iterator[object]:
    """Yield what an object stores, past its own ways to look things up."""
    for name in ("__dict__", *(name for kind in type(value).__mro__ for name in kind.__dict__.get("__slots__", ()))):
        with suppress(AttributeError):
            yield object.__getattribute__(value, name)


class _Output(io.TextIOWrapper):
    """Standard output that tells when something is written to it."""

    def __init__(self, stream: TextIO, tracer: Tracer) -> None:
        super().__init__(stream.buffer, encoding="utf-8")
        self.tracer = tracer

    def write(self, text: str, /) -> int:
        self.tracer.mark("output")
        return super().write(text)


def _run_traced(asked: Mapping[str, Any], arguments: list[str]) -> int:
    """Run `imgcls` in this process, write what it called, and return its exit code."""
    import imgcls.cli

    tracer = Tracer(asked["prefixes"], asked["markers"])
    if not str(imgcls.cli.__file__).startswith(tuple(asked["prefixes"])):
        raise RuntimeError(f"{imgcls.cli.__file__} is imported, and that is not the checkout.")

    def see_renames(event: str, values: tuple[Any, ...]) -> None:
        if event == "os.rename" and Path(os.fsdecode(values[0]), "run.json").is_file():
            tracer.mark("record")

    sys.addaudithook(see_renames)
    sys.stdout, sys.argv = _Output(sys.stdout, tracer), ["imgcls", *arguments]
    threading.setprofile(tracer)
    sys.setprofile(tracer)
    main: Callable[[], Any] = imgcls.cli.main  # what it returns differs between checkouts
    code: Any = 0
    try:
        code = main()
    except SystemExit as end:
        code = end.code
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    calls = [vars(call) for call in tracer.calls]
    Path(asked["to"]).write_text(json.dumps({"calls": calls, "marks": tracer.marks}), encoding="utf-8")
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    sys.exit(_run_traced(json.loads(sys.argv[1]), sys.argv[2:]))
