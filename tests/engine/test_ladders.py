"""Ladders of real small trainings, over every built-in executor."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imgcls
from imgcls.checklists.verdicts import FinalOpening
from imgcls.config.decision import Decision
from imgcls.eda.apply import undo_findings
from imgcls.eda.review import apply_review
from imgcls.engine import run as engine_job
from imgcls.engine.progress import Silent as Quiet
from imgcls.errors import BusyError, ImgclsError, TrainingError, UsageError
from imgcls.ladders.blend import blend
from imgcls.ladders.executors import SerialExecutor
from imgcls.ladders.final_test import open_test
from imgcls.ladders.judge import LadderResult
from imgcls.ladders.results import read_final
from imgcls.ladders.run import JobResult, LadderRunner, SilentWatcher, do_job, job_arguments
from imgcls.ladders.spec import FINAL_JSON, RESULT_JSON, find_ladder
from imgcls.ladders.state import LadderState, read_state
from imgcls.records.attempts import Attempt, acquire, find_attempts
from imgcls.records.find import find_runs
from imgcls.records.lock import FolderLock
from imgcls.workspace import Workspace
from tests.conftest import draw_photo

pytestmark = pytest.mark.train

STACK = "baseline:model=simple_cnn,epochs=2+label_smoothing+tta_flips"
SMALL = {"images.size_px": 24, "fit.batch_size": 8}
Climb = Callable[..., LadderResult]

every_executor = pytest.mark.parametrize("executor", ["serial", "processes:2"])


class Watch(SilentWatcher):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.sentences: list[str] = []
        self.results: list[JobResult] = []

    def note(self, text: str) -> None:
        """Keep it."""
        self.notes.append(text)

    def planned(self, ladder: Any, forecast_sentences: Any) -> None:
        """Keep them."""
        self.sentences.extend(forecast_sentences)

    def job_done(self, result: JobResult, state: LadderState) -> None:
        """Keep it."""
        self.results.append(result)


@pytest.fixture
def climb(photo_folder: Path, tmp_path: Path) -> Climb:
    """Run a small ladder in a workspace of its own."""

    def call(stack: str = STACK, **options: Any) -> LadderResult:
        shared: dict[str, Any] = {"seeds": 2, "overrides": SMALL, "reporter": Quiet(), "workspace": tmp_path}
        return imgcls.ladder(stack, options.pop("data", photo_folder), **shared | options)

    return call


def bits(workspace: Workspace) -> dict[str, str]:
    """Return the digest of every file of predictions and weights, by run."""
    return {
        f"{run.id}/{name}": file.sha256
        for run in find_runs(workspace)[0]
        for name, file in run.files.items()
        if name != "log.txt" and not name.startswith("history")
    }


def judged(result: LadderResult) -> list[Any]:
    """Return what a ladder says, without times."""
    return [(rung.score, rung.step and rung.step.gain, rung.step and rung.step.verdict) for rung in result.rungs]


@every_executor
def test_a_ladder_is_the_same_wherever_it_runs_and_is_reused(climb: Climb, tmp_path: Path, executor: str) -> None:
    """Predict-only rungs train nothing; a second run does nothing at all; the result lies beside the ladder."""
    watch = Watch()
    result = climb(executor=executor, watcher=watch)
    assert result.is_complete
    assert [entry.status for entry in watch.results] == ["done"] * 6
    assert "6 runs, 0 of them done already, 2 without a training of their own" in watch.sentences[0]
    records = {run.id: run for run in find_runs(Workspace(tmp_path))[0]}
    tta = [records[name] for name in result.rungs[2].runs]
    assert [run.seconds["train"] for run in tta] == [0.0, 0.0]
    assert [run.reused_from for run in tta] == list(result.rungs[1].runs)
    again = Watch()
    assert judged(climb(executor=executor, watcher=again)) == judged(result)
    assert again.results == []
    written = json.loads((tmp_path / "ladders" / result.ladder.name / RESULT_JSON).read_text())
    assert written["rungs"][2]["runs"] == list(result.rungs[2].runs)


def test_processes_make_the_bits_that_this_process_makes(
    climb: Climb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of where a job runs is in its record."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    here, there = Workspace(tmp_path / "here"), Workspace(tmp_path / "there")
    climb(workspace=here)
    climb(workspace=there, executor="processes:2")
    assert len(bits(here)) == 6 + 4
    assert bits(here) == bits(there)


def test_runs_that_are_there_are_reused_whoever_made_them(climb: Climb, photo_folder: Path, tmp_path: Path) -> None:
    """A run of `imgcls.train` is a run of the ladder."""
    run = imgcls.train(
        "baseline:model=simple_cnn,epochs=2", photo_folder, overrides=SMALL, workspace=tmp_path, reporter=Quiet()
    )
    watch = Watch()
    result = climb(watcher=watch)
    assert run.id in result.rungs[0].runs
    assert len(watch.results) == 5


def test_more_seeds_go_on_and_cost_certainty(climb: Climb, tmp_path: Path) -> None:
    """Only the new seed is trained; asking again is counted."""
    climb(seeds=2)
    watch = Watch()
    result = climb(seeds=3, watcher=watch)
    assert {entry.run.rpartition("-")[0][-2:] for entry in watch.results if entry.run} == {"s2"}
    assert result.n_looks == 2
    assert find_ladder(None, Workspace(tmp_path)).looks == (2, 3)
    fewer = climb(seeds=2)
    assert fewer.ladder.n_seeds == 3
    assert any("3 seeds already" in note for note in fewer.notes)


def test_another_name_does_not_make_a_look_the_first_one(climb: Climb) -> None:
    """The same runs, judged with fewer seeds under another name, were looked at."""
    climb(seeds=1, name="first")
    assert climb(seeds=2, name="second").n_looks == 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"stack": "baseline:model=simple_cnn,epochs=2+tta_flips"}, "with other rungs: "),
        ({"kind": "ablate"}, "with other kind, rungs: "),
        ({"folds": 2}, "splits, folds: "),
        ({"metric": "log_loss"}, "judged by accuracy"),
    ],
)
def test_a_name_that_is_taken_by_another_question_is_refused(
    climb: Climb, tmp_path: Path, options: dict[str, Any], told: str
) -> None:
    """What the folder holds stays as it is."""
    ladder = climb(seeds=1, name="mine").ladder
    assert ladder.folder is not None
    before = {path.name: path.read_bytes() for path in ladder.folder.glob("*.json")}
    with pytest.raises(UsageError, match=told):
        climb(options.pop("stack", STACK), seeds=1, name="mine", **options)
    assert {path.name: path.read_bytes() for path in ladder.folder.glob("*.json")} == before


def test_a_review_makes_another_ladder_until_it_is_taken_back(climb: Climb, tmp_path: Path) -> None:
    """Under the old name it is refused; the runs of before are found again."""
    first = climb(seeds=1)
    name, place = first.ladder.name, Workspace(tmp_path)
    file = tmp_path / "decisions.csv"
    file.write_text("image,decision,new_label\nleft/000.jpg,relabel,right\n")
    apply_review([file], place)
    with pytest.raises(UsageError, match=r"with other data: .*another name"):
        climb(seeds=1, name=name)
    watch = Watch()
    assert climb(seeds=1, watcher=watch).ladder.name != name
    assert len(watch.results) == 3
    undo_findings(["review"], place)
    again = Watch()
    assert climb(seeds=1, watcher=again).ladder.name == name
    assert again.results == []


def test_a_full_disk_is_work_that_failed(climb: Climb, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 1, as of a single training; nothing in the command has to be changed."""

    def full(request: Any, *_: Any, **__: Any) -> None:
        raise ImgclsError("Disk full while writing x.")

    monkeypatch.setattr(engine_job.Job, "_fit", full)
    with pytest.raises(ImgclsError, match="Disk full") as caught:
        climb()
    assert caught.value.exit_code == 1


def test_a_death_is_not_blamed_on_what_others_left(climb: Climb, tmp_path: Path) -> None:
    """An attempt that an earlier kill left counts only once this pool was at it."""
    ladder, place = climb().ladder, Workspace(tmp_path)
    keys = [job.key for job in ladder.jobs]
    for run in find_runs(place)[0]:
        if run.key in keys[:2]:
            shutil.rmtree(run.folder)
            with acquire(place, run.key, {}):
                pass
    drive = LadderRunner(ladder, place, lambda: SerialExecutor(), SilentWatcher())
    drive._handed_out = {keys[1]}
    drive._after_a_death()
    assert drive._lost == {keys[1]: 1}


def test_folds(climb: Climb) -> None:
    """Every photograph is scored once; TTA shares weights within each fold."""
    result = climb(folds=3, seeds=1)
    assert result.n_images == 36
    assert [len(rung.runs) for rung in result.rungs] == [3, 3, 3]
    assert result.rungs[1].step is not None
    assert result.rungs[1].step.gain.method == "folds"
    assert result.rungs[1].step.verdict == "cannot tell"  # three folds are too few


def test_a_design_is_chosen_where_none_is_named(climb: Climb, tmp_path: Path) -> None:
    watch = Watch()
    first = climb(seeds=None, watcher=watch)
    assert watch.sentences[0] == first.ladder.notes[0]  # said before anything is trained
    assert (first.ladder.n_seeds, first.ladder.n_folds) == (5, None)
    (note,) = [note for note in first.ladder.notes if note.startswith("Design: 5 seeds on one split can settle")]
    assert "--seeds and --folds choose another" in note
    smaller = climb(seeds=2, workspace=tmp_path / "smaller")
    again = climb(seeds=None, workspace=tmp_path / "smaller")  # the same ladder goes on with what it has
    assert again.ladder.n_seeds == smaller.ladder.n_seeds == 2


def test_folds_are_chosen_where_few_groups_validate(climb: Climb, photo_folder: Path, tmp_path: Path) -> None:
    files = sorted(path for path in photo_folder.rglob("*") if path.is_file())
    table = tmp_path / "grouped.csv"
    lines = [f"{path},{path.parent.name},g{number // 3}" for number, path in enumerate(files)]
    table.write_text("path,label,group\n" + "\n".join(lines) + "\n", encoding="utf-8")
    result = climb(seeds=None, data=table, group="group", workspace=tmp_path / "grouped")
    assert (result.ladder.n_seeds, result.ladder.n_folds) == (1, 5)
    assert any("too few groups validate for one split" in note for note in result.ladder.notes)


@pytest.mark.parametrize(
    ("size", "rungs"), [((60, 24), ["keep_aspect", "label_smoothing"]), ((24, 24), ["label_smoothing"])]
)
def test_a_ladder_that_nobody_named_keeps_proportions_where_photographs_are_long(
    size: tuple[int, int], rungs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("candidates", "run"):
        monkeypatch.setattr(
            f"imgcls.ladders.{module}.DEFAULT_STACK", "baseline:model=simple_cnn,epochs=1+label_smoothing"
        )
    for number in range(20):
        place = tmp_path / "photos" / "ab"[number % 2] / f"{number}.png"
        draw_photo(place, bright=number % 2, seed=number, size=size)
    found = imgcls.ladder(data=tmp_path / "photos", seeds=1, workspace=tmp_path, overrides=SMALL, reporter=Quiet())
    assert [rung.plan.label for rung in found.rungs[1:]] == rungs
    assert any("far from square" in note for note in found.ladder.notes) == ("keep_aspect" in rungs)
    plan = found.rungs[-1].plan.plan
    assert plan["images"].get("resize", "squash") == ("crop" if "keep_aspect" in rungs else "squash")


def test_leaving_out(climb: Climb) -> None:
    """The full stack, and without each; what is the same as in a climbed ladder is not trained again."""
    climb()
    watch = Watch()
    result = climb(kind="ablate", watcher=watch)
    assert [rung.plan.label for rung in result.rungs] == ["full stack", "without label_smoothing", "without tta_flips"]
    assert len(watch.results) == 2  # baseline+tta_flips, both seeds, predicted from the baseline's weights


@pytest.fixture
def one_seed_fails(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let label smoothing fail with seed 1, until the function it gives is called."""
    real = engine_job.Job._fit

    def fit(self: engine_job.Job, *arguments: Any, **options: Any) -> Any:
        if self.request.plan.loss.smoothing and self.request.seed == 1:
            raise TrainingError("The loss became nan in epoch 1.")
        return real(self, *arguments, **options)

    monkeypatch.setattr(engine_job.Job, "_fit", fit)
    return lambda: monkeypatch.setattr(engine_job.Job, "_fit", real)


def test_a_failed_run_is_counted_and_retried_only_when_asked(
    climb: Climb, one_seed_fails: Callable[[], None], tmp_path: Path
) -> None:
    """The others go on; what would have used its weights is not trained apart."""
    watch = Watch()
    result = climb(watcher=watch)
    assert [(entry.status, bool(entry.reason)) for entry in watch.results].count(("failed", True)) == 1
    assert [len(rung.failures) for rung in result.rungs] == [0, 1, 1]
    assert "weights" in result.rungs[2].failures[0].reason
    assert result.is_complete
    one_seed_fails()
    untouched = Watch()
    climb(watcher=untouched)
    assert untouched.results == []
    mended = climb(retry_failed=True)
    assert mended.n_failed == 0
    assert len(find_runs(Workspace(tmp_path))[0]) == 6


@pytest.mark.parametrize("from_start", [False, True])
def test_a_retried_run_goes_on_unless_it_is_to_start_over(
    climb: Climb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, from_start: bool
) -> None:
    """A training that failed in its second epoch is failed, not interrupted, until it is retried."""
    place, real = Workspace(tmp_path), Attempt.save_checkpoint

    def save(self: Attempt, *arguments: Any) -> int:
        real(self, *arguments)
        raise MemoryError

    monkeypatch.setattr(Attempt, "save_checkpoint", save)
    failed = climb(seeds=1)
    assert failed.n_failed == len(failed.rungs)
    assert failed.is_complete
    monkeypatch.setattr(Attempt, "save_checkpoint", real)
    watch = Watch()
    climb(seeds=1, watcher=watch, from_start=from_start)
    assert watch.results == []
    mended = climb(seeds=1, retry_failed=True, from_start=from_start)
    assert mended.n_failed == 0
    (first,) = [run for run in find_runs(place)[0] if run.id == mended.rungs[0].runs[0]]
    assert ("Going on after epoch 1" in first.path("log.txt").read_text()) == (not from_start)


@pytest.mark.parametrize(
    ("name", "flaw"),
    [
        ("a\x1b[2Jb", "control characters"),
        ("a\tb", "control characters"),
        ("a\u202eb", "control characters"),
        ("cafe\u0301", "another Unicode form"),
        ("n" * 300, "it has 300 bytes"),
        ("\u00e9" * 150, "it has 300 bytes"),
        ("a/b", "it holds /"),
        ("..", "begins with a dot"),
        (" ", "it is empty"),
        ("-x", "begins with a dot or a dash"),
    ],
)
def test_a_name_that_is_no_folder_everywhere_is_refused(climb: Climb, name: str, flaw: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"cannot be the name of a ladder's folder: .*{flaw}.* such as first-try"):
        climb(name=name)
    assert not (tmp_path / "ladders").exists()


def test_who_is_at_a_ladder_is_told_with_options_of_ladders(climb: Climb, tmp_path: Path) -> None:
    folder = climb(seeds=1, name="mine").ladder.folder
    lock = FolderLock.take(folder)
    with pytest.raises(BusyError, match=r"in use by process .* or give this one another name with --name"):
        climb(seeds=1, name="mine")
    lock.release()


def test_a_record_that_was_removed_or_damaged_is_made_again(climb: Climb, tmp_path: Path) -> None:
    """A missing one quietly; a damaged one is named."""
    result = climb()
    runs = {run.id: run for run in find_runs(Workspace(tmp_path))[0]}
    (runs[result.rungs[2].runs[0]].folder / "run.json").unlink()
    watch = Watch()
    assert judged(climb(watcher=watch)) == judged(result)
    assert len(watch.results) == 1
    (runs[result.rungs[0].runs[0]].folder / "valid.parquet").write_bytes(b"no table")
    with pytest.raises(UsageError, match=r"valid\.parquet has 8 bytes"):
        climb()


def test_two_at_once_are_told_apart(climb: Climb, tmp_path: Path) -> None:
    """The same ladder is driven by one process only."""
    result = climb()
    lock = FolderLock.take(tmp_path / "ladders" / result.ladder.name)
    try:
        with pytest.raises(BusyError, match=str(os.getpid())):
            climb()
    finally:
        lock.release()


def test_a_run_that_another_process_makes_is_waited_for(
    climb: Climb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two ladders that share rungs do not train them twice."""
    monkeypatch.setattr("imgcls.ladders.run._BUSY_SECONDS", 0.01)
    n_refusals = [2]

    def busy(arguments: dict[str, Any]) -> dict[str, Any]:
        if arguments["seed"] == 1 and n_refusals[0]:
            n_refusals[0] -= 1
            return {"key": arguments["key"], "status": "busy", "reason": "In use by process 7."}
        return do_job(arguments)

    monkeypatch.setattr("imgcls.ladders.run.do_job", busy)
    watch = Watch()
    assert climb(watcher=watch).is_complete
    assert watch.notes == ["In use by process 7. This ladder waits for it."] * 2  # of two jobs, each once
    assert n_refusals == [0]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"seeds": 0}, "1 to 1000 seeds, not 0"),
        ({"seeds": -3}, "not -3"),
        ({"metric": "acuracy"}, "Did you mean 'accuracy'"),
        ({"metric": "average_precision"}, "use --metric roc_auc"),
        ({"smallest_gain": 0.0}, "above 0"),
        ({"folds": 1}, "2"),
        ({"budget": "0.001s"}, "too small"),
        ({"executor": "proceses"}, "Did you mean 'processes'"),
        ({"retries": -1}, "at least 0"),
        ({"name": "../elsewhere"}, "name of a ladder.s folder"),
        ({"stack": "baseline:model=simple_cnn"}, "two"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_trained(
    climb: Climb, tmp_path: Path, options: dict[str, Any], told: str
) -> None:
    """With what to do."""
    stack = options.pop("stack", STACK)
    with pytest.raises(UsageError, match=told):
        climb(stack, **options)
    assert find_runs(Workspace(tmp_path))[0] == []


def test_a_metric_that_cannot_be_computed_is_told_before_training(
    split_folder: Path, climb: Climb, tmp_path: Path
) -> None:
    """One class in validation has no ROC AUC."""
    data = tmp_path / "one_class"
    for split, names in (("train", ("cat", "dog")), ("valid", ("cat",))):
        for name in names:
            (data / split / name).mkdir(parents=True)
            for photo in (split_folder / split / name).iterdir():
                (data / split / name / photo.name).write_bytes(photo.read_bytes())
    with pytest.raises(UsageError, match=r"validation part does not do: roc_auc cannot be computed"):
        climb(data=data, workspace=tmp_path / "work")


def test_data_that_changed_since_the_plan_are_refused(climb: Climb, photo_folder: Path, tmp_path: Path) -> None:
    """A job whose record would answer another key is not taken."""
    result = climb(seeds=1)
    ladder = result.ladder
    job = dict(job_arguments(ladder, ladder.jobs[0], Workspace(tmp_path)), key="0" * 64)
    told = do_job(job)
    assert told["status"] == "refused"
    assert "changed since" in told["reason"]
    assert do_job(job_arguments(ladder, ladder.jobs[0], Workspace(tmp_path)))["reused"] is True


LONG = STACK.replace("epochs=2", "epochs=25")


def test_a_worker_that_dies_once_is_replaced_and_its_attempt_resumed(
    climb: Climb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`kill -9` in the middle of a training costs no finished epoch or run, and changes no bit."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    calm = climb(LONG, workspace=tmp_path / "calm")
    watch, place = Watch(), Workspace(tmp_path / "killed")
    with _killer(place, times=1) as killed:
        result = climb(LONG, workspace=place, executor="processes:1", watcher=watch)
    assert len(killed) == 1
    assert watch.notes == ["A worker died; what it was at is handed out again."]
    assert judged(result) == judged(calm)
    logs = [run.path("log.txt").read_text() for run in find_runs(place)[0]]
    assert sum("of an attempt that was interrupted" in log for log in logs) == 1


def test_a_worker_that_always_dies_is_given_up(climb: Climb, tmp_path: Path) -> None:
    """With the job's name and what may help."""
    place = Workspace(tmp_path / "killed")
    with _killer(place, times=9) as killed, pytest.raises(ImgclsError, match=r"died 2 times at: .*seed 0.*memory"):
        climb(LONG, workspace=place, executor="processes:1")
    assert len(killed) == 2


@contextmanager
def _killer(place: Workspace, *, times: int) -> Iterator[list[int]]:
    """Kill whichever process is in the middle of a training, some times; give the numbers of those killed."""
    killed: list[int] = []
    over = threading.Event()

    def kill() -> None:
        while not over.is_set() and len(killed) < times:
            for attempt in find_attempts(place):
                pid = attempt.holder.pid if attempt.holder else os.getpid()
                if attempt.n_epochs > 2 and pid not in (*killed, os.getpid()):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
                    break
            over.wait(0.01)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def test_a_driver_that_is_killed_goes_on_to_the_same_end(photo_folder: Path, climb: Climb, tmp_path: Path) -> None:
    """`kill -9` of the whole process after two runs; the same command ends with the same verdicts."""
    calm = climb(workspace=tmp_path / "calm")
    script = tmp_path / "climb.py"
    script.write_text(DRIVER)
    command = [sys.executable, str(script), str(photo_folder), str(tmp_path / "killed")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("done 2"):
                process.send_signal(signal.SIGKILL)
                break
    place = Workspace(tmp_path / "killed")
    state = read_state(find_ladder(None, place), place)
    assert 2 <= state.n("done") < 6
    watch = Watch()
    result = climb(workspace=place, watcher=watch)
    assert len(watch.results) == 6 - state.n("done")
    assert judged(result) == judged(calm)
    assert find_attempts(place) == []


DRIVER = """
import sys
import imgcls
from imgcls.data.source import DataSource
from imgcls.engine.progress import Silent as Quiet
from imgcls.ladders.run import SilentWatcher

class Told(SilentWatcher):
    n = 0
    def job_done(self, result, state):
        self.n += 1
        print("done", self.n, flush=True)

imgcls.ladder(
    "baseline:model=simple_cnn,epochs=2+label_smoothing+tta_flips", sys.argv[1], seeds=2,
    overrides={"images.size_px": 24, "fit.batch_size": 8}, reporter=Quiet(), watcher=Told(), workspace=sys.argv[2],
)
"""


def test_orphaned_workers_end_with_their_driver(photo_folder: Path, tmp_path: Path) -> None:
    """A killed driver leaves no processes behind."""
    script = tmp_path / "climb.py"
    script.write_text(
        "if __name__ == '__main__':\n"
        + "".join(f"    {line}\n" for line in DRIVER.replace("seeds=2", "seeds=9, executor='processes:2'").splitlines())
    )
    command = [sys.executable, str(script), str(photo_folder), str(tmp_path / "killed")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("done 1")
        process.send_signal(signal.SIGKILL)
        process.wait()
        end = time.monotonic() + 30
        while _n_in_session(process.pid) and time.monotonic() < end:
            time.sleep(0.1)
        assert _n_in_session(process.pid) == 0


def _n_in_session(session: int) -> int:
    """Count the living processes of a session."""
    found = subprocess.run(["ps", "-o", "stat=", "-s", str(session)], capture_output=True, text=True, check=False)
    return sum(not line.strip().startswith("Z") for line in found.stdout.splitlines() if line.strip())


def test_the_sealed_test_speaks_last_and_every_opening_is_counted(
    climb: Climb, split_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Base and incumbent are scored on the labels in the user's folder, and the ledger has a row for each time."""
    place = Workspace(tmp_path / "work")
    ladder = climb(data=split_folder, workspace=place).ladder
    monkeypatch.setattr(LadderResult, "incumbent", property(lambda self: 2))
    first, second = open_test(ladder, place), open_test(ladder, place)
    assert (first.n_images, first.n_openings, second.n_openings) == (6, 1, 2)
    assert first.judged is not None
    assert first.judged.gain.n_runs == (2, 2)
    runs = {run.id: run for run in find_runs(place)[0] if run.stack == ladder.rungs[0].stack}
    losses = []
    for run in runs.values():
        frame = run.predictions("test")
        assert "label" not in frame.columns
        own = [frame[f"p_{'dog' if 'dog' in name else 'cat'}"][row] for row, name in enumerate(frame["id"])]
        losses.append(-np.mean(np.log(own)))
    assert second.to_json()["metric"] == "roc_auc"
    kept = place.ladders / ladder.name / FINAL_JSON
    assert json.loads(kept.read_text(encoding="utf-8")) == json.loads(json.dumps(second.to_json()))
    assert second.to_json()["validation_scores"]["incumbent"]["value"] is not None
    opening = FinalOpening.read(kept)
    assert opening is not None
    assert opening.test_gain is not None
    assert opening.test_gain.value == second.judged.value  # type: ignore[union-attr]
    by_loss = open_test(replace(ladder, metric="log_loss"), place)
    assert by_loss.baseline_score.value == pytest.approx(np.mean(losses), rel=1e-6)
    rows = (place.root / "test-ledger.csv").read_text().splitlines()
    assert len(rows) == 4
    (place.root / "test-ledger.csv").write_text("no,ledger\n1,2\n")
    with pytest.raises(UsageError, match="damaged"):
        open_test(ladder, place)


def test_a_promise_is_held_against_the_sealed_test(
    climb: Climb, split_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the decision was made for a run of the ladder, or a blend of such runs; not where for another network."""
    place = Workspace(tmp_path / "work")
    ladder = climb(data=split_folder, workspace=place).ladder
    monkeypatch.setattr(LadderResult, "incumbent", property(lambda self: 2))
    runs = [run for run in find_runs(place)[0] if run.stack == ladder.rungs[2].stack]
    assert open_test(ladder, place).promises == ()
    rule = Decision.model_validate(
        {
            "of": runs[0].id,
            "key": runs[0].key,
            "type": "binary",
            "classes": runs[0].classes,
            "thresholds": {"dog": 0.0},
            "promises": [{"what": "recall", "of": "dog", "at_least": 0.9, "shown": 0.92}],
        }
    )
    rule.write(place.root / "decision.toml")
    opened = open_test(ladder, place)
    (kept,) = opened.promises
    assert (kept.what, kept.of, kept.found.value, kept.n_false) == ("recall", "dog", 1.0, 3)
    assert read_final(place.ladders / ladder.name / FINAL_JSON).promises == (kept,)
    together = blend(runs[0].stack, workspace=place).record
    rule.model_copy(update={"of": together.id, "key": together.key}).write(place.root / "decision.toml")
    assert open_test(ladder, place).promises == (kept,)
    rule.model_copy(update={"key": "0" * 64}).write(place.root / "decision.toml")
    assert open_test(ladder, place).promises == ()


def test_seeds_that_one_side_lacks_are_left_out_on_test_where_weights_are_the_same(
    climb: Climb, split_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TTA of seed 0 is not paired with the base of seed 1."""
    place = Workspace(tmp_path / "work")
    result = climb("baseline:model=simple_cnn,epochs=2+tta_flips", data=split_folder, workspace=place, seeds=3)
    monkeypatch.setattr(LadderResult, "incumbent", property(lambda self: 1))
    (place.runs / result.rungs[1].runs[0] / "run.json").unlink()
    monkeypatch.setattr(LadderState, "is_complete", property(lambda self: True))
    opened = open_test(result.ladder, place)
    assert opened.judged is not None
    assert opened.judged.gain.n_runs == (2, 2)


@pytest.mark.parametrize("text", [b"time,data\n", b'time,"torn\n', b"\xff\xfe\n", b"no,ledger\n1,2\n"])
def test_a_damaged_ledger_is_not_written_over(climb: Climb, split_folder: Path, tmp_path: Path, text: bytes) -> None:
    """It counts how often the test part was opened."""
    place = Workspace(tmp_path / "work")
    ladder = climb("baseline:model=simple_cnn,epochs=1+tta_flips", data=split_folder, workspace=place, seeds=1).ladder
    (place.root / "test-ledger.csv").write_bytes(text)
    with pytest.raises(UsageError, match="damaged"):
        open_test(ladder, place)
    assert (place.root / "test-ledger.csv").read_bytes() == text


def test_a_test_photograph_that_is_gone_is_told(climb: Climb, split_folder: Path, tmp_path: Path) -> None:
    """The rest would be another test; the ledger is not written."""
    place, photos = Workspace(tmp_path / "work"), tmp_path / "pets"
    shutil.copytree(split_folder, photos)  # other tests share the folder
    ladder = climb(data=photos, workspace=place).ladder
    next((photos / "test").rglob("*.*")).unlink()
    with pytest.raises(UsageError, match="1 of 6 test photographs are gone"):
        open_test(ladder, place)
    assert not (place.root / "test-ledger.csv").exists()


def test_a_test_part_without_labels_is_not_opened(climb: Climb, photo_folder: Path, tmp_path: Path) -> None:
    """Nor is the ledger written."""
    ladder = climb().ladder
    with pytest.raises(UsageError, match="no test part with labels"):
        open_test(ladder, Workspace(tmp_path))
    assert not (tmp_path / "test-ledger.csv").exists()
