"""Kill real commands at drawn moments, and look at what they leave and at what the same command makes of it then.

Each kind of work is done twice without a kill; what is equal in both is what every killed one has to come to. Then it
is killed again and again, at moments that are spread over the time it takes: the whole group of its processes, or only
the one that drives the others. What lies there then is read, the same command is run once more, and all files are
compared. Most are forked from a process that has loaded torch; a part are processes of their own.
"""

from __future__ import annotations

import gc
import hashlib
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import traceback
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from benchmarks.rounds import ROOT
from imgcls.cli import main
from imgcls.config.findings import Accepted, Exclusion, Grouping, read_adjustments
from imgcls.data import cache
from imgcls.data.decode import Preprocess, decode
from imgcls.data.source import FINDINGS_TOML
from imgcls.eda.facts import Facts
from imgcls.errors import ImgclsError
from imgcls.records import lock
from imgcls.records.find import find_runs
from imgcls.workspace import Workspace

Way = Literal["forked", "process"]
PHOTOS = "photos"
_HEAVY = ("imgcls.engine.run", "imgcls.engine.train", "imgcls.ladders.run", "imgcls.engine.predictor")
_TRAINING = ("baseline+label_smoothing", "--data", f"../{PHOTOS}", "--model", "simple_cnn", "--size", "32")
_SMALL = Preprocess(32)
_SUBMISSION = Path("submissions", "mine.csv")
_OLD = b"id,label\nsomebody,else\n"
_UNEQUAL = {"created", "load", "files", "seconds", "estimate_seconds", "extra_seconds", "saved_seconds"}
"""Keys of JSON files that no two runs of one command share; files are compared by their own content."""
_UNEQUAL |= {"images_per_second", "seconds_per_point"}
_NAMED_ONLY = ("log.txt", "history.csv", "manifest.json", "lock")
_LEFT = re.compile(r"\.probe.*|.*\.tmp|\.removed-.*|\..*\.lock|holder\.json")
_EARLIER = 0.8
_END_SECONDS = 5.0
_MOST_SECONDS = 300.0


@dataclass(frozen=True)
class Kill:
    """One command that was killed, and what came of it."""

    kind: str
    """What was done."""
    number: int
    """Counts the kills of this kind; it decides what is drawn."""
    way: Way
    """Whether it was forked, or a process of its own."""
    whom: Literal["group", "driver"]
    """Who was killed."""
    after_seconds: float
    """When, since its first file, or since its start where it writes at its end."""
    found: str
    """What lay there after the kill."""
    problems: tuple[str, ...]
    """What is wrong with that, or with what the same command made of it; none where all is well."""


@dataclass(frozen=True)
class _Left:
    """What was found after a kill."""

    found: str
    """In a few words."""
    problems: tuple[str, ...] = ()
    """What is wrong with it."""


@dataclass(frozen=True)
class _Subject:
    """A kind of work that is killed."""

    kind: str
    """As the results call it."""
    command: Callable[[int], tuple[str, ...]]
    """The words of the n-th kill after `imgcls`; none for filling the cache, which is no command."""
    look: Callable[[Path], _Left]
    """Reads what lies in a workspace after a kill."""
    begin: Callable[[Path, int], None] = lambda place, number: None
    """Puts into a workspace what the n-th kill needs there before."""
    sign: str = ""
    """The files whose coming says that the work has begun, as a glob; "" where it begins at once."""
    one_in: int = 2
    """One in so many is a process of its own."""
    loads: tuple[str, ...] = _HEAVY
    """The modules that are there before it is forked."""
    n_beginnings: int = 1
    """How many kinds of beginnings there are, by turns."""


def kill_all(n: int, scratch: Path, out: Path, *, seed: int = 0, kinds: tuple[str, ...] = ()) -> Iterator[Kill]:
    """Kill every kind of work equally often, and write a line of JSON for each kill.

    Args:
        n: How many kills in all; those that `out` holds already are not done again.
        scratch: An empty folder.
        out: The file of the lines; made where it is missing.
        seed: Decides the moments.
        kinds: Only these; none means all.

    Raises:
        ImgclsError: A command failed that nobody killed.
    """
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded: no thread is there to be lost in a fork
    _draw(scratch / PHOTOS)
    lines = out.read_text(encoding="utf-8").splitlines() if out.exists() else []
    done = {(line["kind"], line["number"]) for line in map(json.loads, lines)}
    for subject in SUBJECTS:
        numbers = [number for number in range(n // len(SUBJECTS)) if (subject.kind, number) not in done]
        if not numbers or (kinds and subject.kind not in kinds):
            continue
        for module in subject.loads:
            importlib.import_module(module)
        gc.freeze()
        calm = {}
        draws = np.random.default_rng([seed, *subject.kind.encode()])
        shares = (draws.permutation(n // len(SUBJECTS)) + draws.random(n // len(SUBJECTS))) / (n // len(SUBJECTS))
        for number in numbers:
            way: Way = "process" if number % subject.one_in == subject.one_in - 1 else "forked"
            which = (way, subject.command(number), number % subject.n_beginnings)
            if which not in calm:
                calm[which] = _Calm.measure(subject, number, way, scratch / f"{subject.kind}-calm")
            kill = _kill(subject, number, way, calm[which], scratch / f"{subject.kind}-killed", share=shares[number])
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(kill)) + "\n")
            yield kill


@dataclass(frozen=True)
class _Calm:
    """A kind of work that nobody killed."""

    seconds: float
    """How long it took, since its first file."""
    content: Mapping[str, str] = field(repr=False)
    """See `_content`."""

    @classmethod
    def measure(cls, subject: _Subject, number: int, way: Way, place: Path) -> _Calm:
        """Do the work twice, and keep the shorter time, so that a kill comes before the end."""
        found = []
        for _ in range(2):
            _prepare(subject, number, place)
            running = _Running.start(subject, number, way, place)
            running.wait_for(subject.sign)
            began = time.monotonic()
            code = running.wait()
            if code != 0:
                raise ImgclsError(f"{subject.kind} ended with {code}, and nobody killed it: {running.said()}")
            found.append(cls(time.monotonic() - began, _content(place)))
        if differ := _differences(found[0].content, found[1].content):
            raise ImgclsError(f"{subject.kind} is another one each time: {', '.join(differ)}")
        return min(found, key=lambda calm: calm.seconds)


def _kill(subject: _Subject, number: int, way: Way, calm: _Calm, place: Path, *, share: float) -> Kill:
    whom: Literal["group", "driver"] = "driver" if number % 3 == 2 else "group"
    after, code = share * calm.seconds / _EARLIER, 0
    while code != -signal.SIGKILL:  # one that has ended before is begun again, and killed earlier
        _prepare(subject, number, place)
        running = _Running.start(subject, number, way, place)
        running.wait_for(subject.sign)
        after *= _EARLIER
        time.sleep(after)
        code = running.kill(whom)
    problems = ["processes live on"] if running.live_on() else []
    left = subject.look(place)
    problems += left.problems
    finished = _stamps(place)
    listing = _Running.of(("runs", "list", "--json"), "forked", place)
    if listing.wait() != 0 or json.loads(listing.said())["damaged"]:
        problems.append(f"runs list: {listing.said()}")
    again = _Running.start(subject, number, "forked", place)
    if (code_again := again.wait()) != 0:
        problems.append(f"the same command ended with {code_again}: {again.said()[-400:]}")
    problems += [f"{name} was made again" for name in sorted(finished.items() - _stamps(place).items())]
    problems += subject.look(place).problems
    problems += [f"{name} differs" for name in _differences(calm.content, _content(place))]
    problems += [f"{path} was left" for path in sorted(place.rglob("*")) if _LEFT.fullmatch(path.name)]
    return Kill(subject.kind, number, way, whom, round(after, 3), left.found, tuple(problems))


def _prepare(subject: _Subject, number: int, place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    subject.begin(place, number)


@dataclass(frozen=True)
class _Running:
    """Work on its way, in a session of its own."""

    pid: int
    """The number of its first process, which is that of its session."""
    place: Path
    """The workspace."""

    @classmethod
    def start(cls, subject: _Subject, number: int, way: Way, place: Path) -> _Running:
        """Start the work of a kill."""
        return cls.of(subject.command(number), way, place)

    @classmethod
    def of(cls, words: tuple[str, ...], way: Way, place: Path) -> _Running:
        """Start a command; without words the cache is filled."""
        output = os.open(_said(place), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        places = {"IMGCLS_CACHE": str(place / "cache"), "PYTHONPATH": str(ROOT)}
        environment = {**os.environ, **places, "HF_HUB_OFFLINE": "1", "MPLBACKEND": "Agg"}
        try:
            if way == "process":
                by_hand = ["-c", "from benchmarks.kills import fill_cache; fill_cache()"]
                command = [sys.executable, *(["-m", "imgcls", *words] if words else by_hand)]
                return cls(
                    subprocess.Popen(
                        command,
                        cwd=place,
                        env=environment,
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,
                    ).pid,
                    place,
                )
            sys.stdout.flush()
            if (child := os.fork()) == 0:
                os.setsid()
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                os.dup2(output, 1)
                os.dup2(output, 2)
                _be(words, place, environment)
            return cls(child, place)
        finally:
            os.close(output)

    def wait_for(self, sign: str) -> None:
        """Wait until the work has begun, or is over."""
        end = time.monotonic() + _MOST_SECONDS
        while sign and not any(self.place.glob(sign)) and not self._is_over() and time.monotonic() < end:
            time.sleep(0.002)

    def kill(self, whom: Literal["group", "driver"]) -> int:
        """Kill it and return the exit code of its first process."""
        kill = os.killpg if whom == "group" else os.kill
        kill(self.pid, signal.SIGKILL)  # one that has ended is there until it is waited for
        return self.wait()

    def wait(self) -> int:
        """Wait for its end and return the exit code."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def said(self) -> str:
        """Return what it wrote to its streams."""
        return _said(self.place).read_text(encoding="utf-8", errors="replace")

    def live_on(self) -> bool:
        """Whether processes of its session are there some seconds after its end."""
        end = time.monotonic() + _END_SECONDS
        while any(_session(path) == self.pid for path in Path("/proc").glob("[0-9]*/stat")):
            if time.monotonic() > end:
                return True
            time.sleep(0.01)
        return False

    def _is_over(self) -> bool:
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _be(words: tuple[str, ...], place: Path, environment: Mapping[str, str]) -> None:
    """Be the forked process: as one that has just been started, but for what is loaded."""
    code: object = 70
    try:
        os.chdir(place)
        os.environ |= environment
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for the life of the process
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - as above
        lock._PROCESS = uuid.uuid4().hex  # else drawn when it is loaded, once for all that are forked
        if words:
            main(words)
        fill_cache()
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


def _said(place: Path) -> Path:
    return place.with_name(f"{place.name}.txt")


def _session(stat: Path) -> int:
    """Return the session of a living process; 0 where it is gone or only not waited for."""
    try:
        _, _, rest = stat.read_text().rpartition(")")
    except OSError:
        return 0
    state, _parent, _group, session, *_ = rest.split()
    return 0 if state == "Z" else int(session)


def _content(place: Path) -> dict[str, str]:
    """Return what every file of a workspace holds, but for times and drawn names: equal work has equal content."""
    return {
        re.sub(r"pixels\.[0-9a-f]{8}", "pixels", str(path.relative_to(place))): _digest(path).replace(str(place), ".")
        for path in sorted(place.rglob("*"))
    }


def _digest(path: Path) -> str:
    if path.suffix == ".json" and path.name != "manifest.json":
        return json.dumps(_equal_part(json.loads(path.read_bytes())), sort_keys=True)
    if path.is_dir() or path.name in _NAMED_ONLY or path.suffix == ".lock":
        return ""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _equal_part(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _equal_part(entry) for key, entry in value.items() if key not in _UNEQUAL}
    return [_equal_part(entry) for entry in value] if isinstance(value, list) else value


def _differences(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def _stamps(place: Path) -> dict[str, tuple[int, int]]:
    """Return what tells finished runs from those that were made again."""
    found = {path: path.stat() for path in place.glob("runs/*/run.json")}
    return {path.parent.name: (status.st_ino, status.st_mtime_ns) for path, status in found.items()}


def _draw(folder: Path) -> None:
    """Draw three classes in three parts, noise with a stripe; and two copies, for there to be something to decide."""
    draws = np.random.default_rng(0)
    for part, n in {"train": 24, "valid": 8, "test": 8}.items():
        for place, name in enumerate(("left", "middle", "right")):
            (folder / part / name).mkdir(parents=True)
            for number in range(n):
                pixels = draws.integers(0, 110, (24, 30, 3))
                pixels[:, place * 10 : place * 10 + 10, place] += 140
                Image.fromarray(pixels.astype(np.uint8)).save(folder / part / name / f"{part}{number:03d}.png")
    for source, copy in {
        "train/left/train001": "train/left/train900",
        "train/right/train002": "valid/right/v9",
    }.items():
        shutil.copyfile(folder / f"{source}.png", folder / f"{copy}.png")


def _runs_left(place: Path) -> _Left:
    """Look at runs after a kill: every one that is listed is whole."""
    records, problems = find_runs(Workspace(place))
    for record in records:
        try:
            record.verify()
        except ImgclsError as problem:
            problems.append(str(problem))
    n_checkpoints = len(list(place.glob("runs/.attempts/*/checkpoint-*/manifest.json")))
    return _Left(f"{len(records)} runs, {n_checkpoints} checkpoints", tuple(problems))


def _once(place: Path, name: str, *commands: tuple[str, ...]) -> None:
    """Put into a workspace what commands make, which are run once for all kills."""
    template = place.with_name(name)
    if not template.exists():
        draft = place.with_name(f"{name}-draft")
        draft.mkdir()
        for words in commands:
            running = _Running.of(words, "forked", draft)
            if (code := running.wait()) != 0:
                raise ImgclsError(f"{' '.join(words)} ended with {code}: {running.said()}")
        draft.rename(template)
    shutil.copytree(template, place, dirs_exist_ok=True)


def _begin_submitting(place: Path, number: int) -> None:
    _once(place, "trained", ("recipe", "run", *_TRAINING, "--epochs", "1"))
    if number % 2:
        (place / _SUBMISSION).parent.mkdir()
        (place / _SUBMISSION).write_bytes(_OLD)


def _submission_left(place: Path) -> _Left:
    path = place / _SUBMISSION
    if not path.exists():
        return _Left("no file")
    content = path.read_bytes()
    if content == _OLD:
        return _Left("the old file")
    is_whole = content.endswith(b"\n") and content.count(b"\n") == 25
    return _Left("the new file", () if is_whole else ("half a submission",))


_DECISIONS = (("apply",), ("undo",), ("keep", "duplicates.within", "--why", "of one day"))


def _begin_deciding(place: Path, number: int) -> None:
    _once(place, "looked", ("eda", f"../{PHOTOS}", "--no-images"))
    if number % 3 == 1:
        _once(place, "applied", ("eda", f"../{PHOTOS}", "--no-images"), ("eda", "apply"))


def _decision_left(place: Path) -> _Left:
    adjustments = read_adjustments(place / FINDINGS_TOML)
    facts = Facts.read(place / "reports")
    entries: list[Exclusion | Grouping | Accepted] = [
        *adjustments.excluded,
        *adjustments.grouped,
        *adjustments.kept,
    ]
    decided = {entry.finding for entry in entries}
    told = {finding.id for finding in facts.findings if finding.state != "open"}
    problems = [f"facts tell of {sorted(told)}, findings.toml of {sorted(decided)}"] if told != decided else []
    problems += ["a doubled entry"] if len(entries) > len({(entry.finding, entry.images) for entry in entries}) else []
    return _Left(f"decided: {', '.join(sorted(decided)) or 'nothing'}", tuple(problems))


def fill_cache() -> None:
    """Fill the cache of the current folder with its photographs, a few of them at a time."""
    cache._N_AT_ONCE, cache._N_PER_COMMIT = 16, 16  # so that there is much to interrupt
    cache.fill(
        sorted(Path("..", "large").resolve().iterdir()),
        _SMALL,
        folder=Path("cache"),
        name="large",
        budget_bytes=10**9,
        threads=2,
    )


def _begin_caching(place: Path, number: int) -> None:
    folder = place.with_name("large")
    if not folder.exists():
        folder.mkdir()
        for name in range(400):
            pixels = np.random.default_rng(name).integers(0, 256, (15, 20, 3)).astype(np.uint8)
            Image.fromarray(pixels).resize((200, 150)).save(folder / f"{name:03d}.jpg")
    if number % 3:
        _once(place, "filled", ())
    if number % 3 == 2:
        (manifest,) = place.glob("cache/*/manifest.json")
        manifest.write_bytes(manifest.read_bytes()[:-99])
    if number % 3 == 1:
        _forget_half(place)


def _forget_half(place: Path) -> None:
    (folder,) = (path for path in place.glob("cache/large-*") if path.is_dir())
    pool = cache.Pool(folder, _SMALL)
    pool.rows = pool.rows[:200]
    with pool:
        pool._open()  # an open pool is written anew when it is left


def _cache_left(place: Path) -> _Left:
    folders = [path for path in place.glob("cache/large-*") if path.is_dir()]
    pools = [cache.Pool(folder, _SMALL) for folder in folders]
    paths = sorted(place.with_name("large").iterdir())
    wanted = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in paths}
    problems = []
    for pool in pools:
        n_bytes = pool.n_record_bytes
        content = pool.pixels_path.read_bytes() if pool.rows else b""
        for number, row in enumerate(pool.rows):
            record = content[number * n_bytes : (number + 1) * n_bytes]
            if record != decode(wanted[row.sha256], _SMALL).tobytes():
                problems.append(f"record {number} holds other pixels")
    return _Left(f"{sum(len(pool.rows) for pool in pools)} of {len(paths)} photographs", tuple(problems))


SUBJECTS = (
    _Subject(
        "training",
        lambda number: ("recipe", "run", *_TRAINING, "--batch-size", "8", "--epochs", "3", *_workers(number)),
        _runs_left,
        sign="cache/*",
        one_in=4,
    ),
    _Subject(
        "ladder",
        lambda number: (
            *("ladder", "run", *_TRAINING, "--batch-size", "8", "--epochs", "1", "--seeds", "2"),
            *("--executor", "processes:2" if number % 4 == 3 else "serial"),
        ),
        _runs_left,
        sign="cache/*",
        one_in=4,
    ),
    _Subject(
        "eda apply",
        lambda number: ("eda", *_DECISIONS[number % 3]),
        _decision_left,
        begin=_begin_deciding,
        n_beginnings=3,
    ),
    _Subject(
        "submit",
        lambda number: ("submit", "--to", str(_SUBMISSION), "--force"),
        _submission_left,
        begin=_begin_submitting,
        n_beginnings=2,
    ),
    _Subject("cache", lambda number: (), _cache_left, begin=_begin_caching, n_beginnings=3, loads=()),
)


def _workers(number: int) -> tuple[str, ...]:
    return ("--workers", "1") if number % 4 == 2 else ()
