from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import imgcls
from imgcls import storage
from imgcls.config.findings import Adjustments, read_adjustments
from imgcls.config.problem import Problem, ProblemData, write_problem
from imgcls.data.source import FINDINGS_TOML
from imgcls.eda.apply import apply_findings, keep_findings, undo_findings
from imgcls.eda.facts import Facts, Finding
from imgcls.eda.scan import ScanResult
from imgcls.engine.progress import Silent
from imgcls.errors import ProblemError, RecordError, UsageError, WorkspaceError
from imgcls.workspace import Workspace

FINDINGS = (
    Finding(
        id="broken",
        severity="warning",
        title="2 files cannot be used.",
        n=2,
        examples=(),
        advice="Leave them out.",
        command="imgcls eda apply broken",
        action="exclude",
        groups=(("a.jpg", "b [x].jpg"),),
    ),
    Finding(
        id="duplicates.across",
        severity="error",
        title="2 pairs.",
        n=2,
        examples=(),
        advice="Group them.",
        command="imgcls eda apply duplicates.across",
        action="group",
        groups=(("c", "d"), ("e", "f", "g")),
    ),
    Finding(
        id="guess:time",
        severity="warning",
        title="Time tells.",
        n=9,
        examples=(),
        advice="Look.",
        command=None,
    ),
)


@pytest.fixture
def workspace(tmp_path: Path, made_look: Callable[..., ScanResult], made_facts: Callable[..., Facts]) -> Workspace:
    """A workspace with three findings."""
    place = Workspace(tmp_path)
    place.reports.mkdir()
    made_facts(made_look(["a", "b"] * 10), findings=FINDINGS).write(place.reports)
    return place


def states(workspace: Workspace) -> dict[str, str]:
    return {finding.id: finding.state for finding in Facts.read(workspace.reports).findings}


def adjustments(workspace: Workspace) -> Adjustments:
    return read_adjustments(workspace.root / FINDINGS_TOML)


def test_by_default_all_that_can_be_is_applied(workspace: Workspace) -> None:
    decision = apply_findings((), workspace)
    assert decision.findings == ("broken", "duplicates.across")
    assert (decision.n_excluded, decision.n_grouped, decision.n_groups) == (2, 5, 2)
    written = adjustments(workspace)
    assert [(entry.images, entry.finding, entry.why) for entry in written.excluded] == [
        (("a.jpg", "b [x].jpg"), "broken", "2 files cannot be used.")
    ]
    assert [entry.images for entry in written.grouped] == [("c", "d"), ("e", "f", "g")]
    assert states(workspace) == {"broken": "applied", "duplicates.across": "applied", "guess:time": "open"}


def test_one_of_them_is_applied(workspace: Workspace) -> None:
    assert apply_findings(["broken", "broken"], workspace).findings == ("broken",)
    assert adjustments(workspace).grouped == ()
    assert apply_findings((), workspace).findings == ("duplicates.across",)
    assert len(adjustments(workspace).excluded) == 1


def test_nothing_to_apply_is_no_error_and_writes_nothing(workspace: Workspace) -> None:
    apply_findings((), workspace)
    before = (workspace.root / FINDINGS_TOML).read_bytes()
    assert apply_findings((), workspace).findings == ()
    assert (workspace.root / FINDINGS_TOML).read_bytes() == before


@pytest.mark.parametrize(
    ("name", "said"),
    [("brokn", "Did you mean 'broken'"), ("guess:time", "nothing that can be applied"), ("", "There are broken")],
)
def test_what_cannot_be_applied_says_why(workspace: Workspace, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("(", r"\(")):
        apply_findings([name], workspace)
    assert not (workspace.root / FINDINGS_TOML).exists()


def test_what_is_applied_is_not_applied_twice(workspace: Workspace) -> None:
    apply_findings((), workspace)
    with pytest.raises(UsageError, match="applied already; 'imgcls eda undo'"):
        apply_findings(["broken"], workspace)


def test_undo_takes_all_back(workspace: Workspace) -> None:
    apply_findings((), workspace)
    keep_findings(["guess:time"], "all of one day", workspace)
    decision = undo_findings((), workspace)
    assert set(decision.findings) == {"broken", "duplicates.across", "guess:time"}
    assert (decision.n_excluded, decision.n_grouped) == (2, 5)
    assert adjustments(workspace) == Adjustments()
    assert set(states(workspace).values()) == {"open"}
    assert undo_findings((), workspace).findings == ()


def test_undo_of_one_leaves_the_others(workspace: Workspace) -> None:
    apply_findings((), workspace)
    undo_findings(["broken"], workspace)
    assert adjustments(workspace).excluded == ()
    assert len(adjustments(workspace).grouped) == 2
    assert states(workspace)["broken"] == "open"
    with pytest.raises(UsageError, match=r"Did you mean 'duplicates\.across'"):
        undo_findings(["duplicates.acros"], workspace)


def test_undo_needs_no_facts(workspace: Workspace) -> None:
    apply_findings((), workspace)
    (workspace.reports / "facts.json").unlink()
    undo_findings((), workspace)
    assert adjustments(workspace) == Adjustments()


def test_what_only_findings_toml_knew_is_gone_after_undo(workspace: Workspace) -> None:
    facts = Facts.read(workspace.reports)
    apply_findings(["broken"], workspace)
    told = FINDINGS[0].model_copy(update={"groups": (), "state": "applied"})
    facts.model_copy(update={"findings": (told,)}).write(workspace.reports)
    undo_findings((), workspace)
    assert states(workspace) == {}


def test_a_finding_is_kept_with_its_reason(workspace: Workspace) -> None:
    decision = keep_findings(["guess:time"], "all of one day", workspace)
    assert (decision.verb, decision.findings) == ("kept", ("guess:time",))
    assert [(entry.finding, entry.why) for entry in adjustments(workspace).kept] == [("guess:time", "all of one day")]
    assert states(workspace)["guess:time"] == "kept"
    keep_findings(["guess:time"], "a better reason", workspace)
    assert [entry.why for entry in adjustments(workspace).kept] == ["a better reason"]


def test_it_is_kept_for_its_images_only(workspace: Workspace) -> None:
    finding = FINDINGS[1].model_copy(update={"images": ("c", "d", "e", "f", "g")})
    facts = Facts.read(workspace.reports)
    facts.model_copy(update={"findings": (finding,)}).write(workspace.reports)
    keep_findings(["duplicates.across"], "looked at", workspace)
    found = adjustments(workspace)
    assert found.kept[0].images == finding.images
    assert found.keeps("duplicates.across", ["c", "g"])
    assert not found.keeps("duplicates.across", ["c", "x"])
    assert not found.keeps("broken", [])


@pytest.mark.parametrize("kept", [True, False])
def test_findings_of_data_that_look_different_since_are_not_applied(tmp_path: Path, kept: bool) -> None:
    """A label that was corrected would leave its photograph out for good."""
    photos, place = tmp_path / "photos", Workspace(tmp_path / "work")
    for name in ("a", "b"):
        (photos / name).mkdir(parents=True)
        for number in range(10):
            pixels = np.random.default_rng([ord(name), number]).integers(0, 256, (20, 20, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(photos / name / f"{number}.png")
    (photos / "b" / "twice.png").write_bytes((photos / "a" / "0.png").read_bytes())
    if kept:
        (tmp_path / "work").mkdir()
        write_problem(tmp_path / "work" / "imgcls.toml", Problem(data=ProblemData(source=str(photos))))
    imgcls.explore(None if kept else photos, workspace=place, reporter=Silent())
    (photos / "b" / "twice.png").unlink()
    with pytest.raises(UsageError, match=r"look different since 'imgcls eda' looked at them.*: imgcls eda.* --out "):
        apply_findings((), place)
    assert not (tmp_path / "work" / FINDINGS_TOML).exists()
    imgcls.explore(None if kept else photos, workspace=place, reporter=Silent())
    assert "duplicates.conflict" not in apply_findings((), place).findings


def test_what_was_kept_can_be_applied_later(workspace: Workspace) -> None:
    keep_findings(["broken"], "first thought", workspace)
    apply_findings(["broken"], workspace)
    assert adjustments(workspace).kept == ()
    assert states(workspace)["broken"] == "applied"


def test_keeping_needs_a_reason_and_a_finding(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="--why"):
        keep_findings(["broken"], "  ", workspace)
    with pytest.raises(UsageError, match="no finding 'nothing'"):
        keep_findings(["nothing"], "why not", workspace)


DECIDE = """
import sys
from pathlib import Path
from imgcls.eda.apply import apply_findings, keep_findings, undo_findings
from imgcls.workspace import Workspace
place = Workspace(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
{"apply": lambda: apply_findings(["broken"], place),
 "keep": lambda: keep_findings(["guess:time"], "of one day", place),
 "undo": lambda: undo_findings(["duplicates.across"], place)}[sys.argv[2]]()
"""


@contextmanager
def deciding(workspace: Workspace, *verbs: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Start a process for each decision, ready to decide at a line on stdin."""
    with ExitStack() as stack:
        started = []
        for verb in verbs:
            words = [sys.executable, "-c", DECIDE, str(workspace.root), verb]
            process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            started.append(stack.enter_context(process))
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        yield started


def begin(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


def test_two_that_decide_at_once_both_keep_their_change(workspace: Workspace) -> None:
    apply_findings(["duplicates.across"], workspace)
    with deciding(workspace, "apply", "keep", "undo") as processes:
        begin(processes)
        assert [process.wait() for process in processes] == [0, 0, 0]
    assert states(workspace) == {"broken": "applied", "duplicates.across": "open", "guess:time": "kept"}
    assert [path.name for path in workspace.root.glob(".*")] == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("verb", ["apply", "undo", "keep"])
def test_a_kill_at_any_operation_leaves_one_of_the_two_decisions(
    workspace: Workspace, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the same command then does what it would have done; the two files cannot disagree."""
    acts = {
        "apply": lambda: apply_findings((), workspace),
        "undo": lambda: undo_findings((), workspace),
        "keep": lambda: keep_findings(["guess:time"], "of one day", workspace),
    }
    path = workspace.root / FINDINGS_TOML
    if verb == "undo":
        apply_findings((), workspace)
    before = path.read_bytes() if path.exists() else None
    n_killed = 0
    while kill_at(n_killed + 1, acts[verb]):
        n_killed += 1
        old = (path.read_bytes() if path.exists() else None) == before
        applied, kept = ("applied" if (verb == "undo") == old else "open"), ("open" if old else "kept")
        expected = {"guess:time": kept} if verb == "keep" else {"broken": applied, "duplicates.across": applied}
        assert states(workspace).items() >= expected.items()
        if old:
            acts[verb]()
        elif verb == "apply":
            assert apply_findings((), workspace).findings == ()
        after = adjustments(workspace)
        assert len(after.excluded) == len({entry.images for entry in after.excluded})
        path.unlink(missing_ok=True)
        if before is not None:
            path.write_bytes(before)
    assert n_killed >= 3


def test_the_same_command_after_a_kill_leaves_facts_of_the_data_as_they_are(photo_folder: Path, tmp_path: Path) -> None:
    """Facts of other data would ask for another look at photographs that were just looked at."""
    photos, place = tmp_path / "photos", Workspace(tmp_path / "work")
    shutil.copytree(photo_folder, photos)
    shutil.copyfile(photos / "left" / "000.jpg", photos / "left" / "twice.jpg")
    place.root.mkdir()
    write_problem(place.root / "imgcls.toml", Problem(data=ProblemData(source=str(photos))))
    imgcls.explore(workspace=place, reporter=Silent())
    facts, findings = place.reports / "facts.json", place.root / FINDINGS_TOML
    findings.write_bytes(b"")
    for act in (apply_findings, undo_findings):
        before = {path: path.read_bytes() for path in (facts, findings)}
        act((), place)
        after = facts.read_bytes()
        assert after != before[facts]
        n_killed = 0
        while True:
            for path, content in before.items():
                path.write_bytes(content)
            if not kill_at(n_killed + 1, partial(act, (), place)):
                break
            n_killed += 1
            act((), place)
            assert facts.read_bytes() == after
        assert n_killed > 6


def kill_at(n: int, act: Callable[[], object]) -> bool:
    """Do something in a forked process that ends at its n-th call to the disk; whether it came to that."""
    child = os.fork()
    if child == 0:
        left = [n]

        class Ends(storage.Disk):
            def __getattribute__(self, name: str) -> object:
                if name in ("write", "fsync", "fsync_folder", "replace", "rename", "unlink"):
                    left[0] -= 1
                    if left[0] == 0:
                        os._exit(137)
                return super().__getattribute__(name)

        storage.DISK = Ends()
        act()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 137


def test_a_state_that_an_older_facts_json_keeps_is_not_believed(workspace: Workspace) -> None:
    path = workspace.reports / "facts.json"
    value = json.loads(path.read_text())
    assert not any("state" in finding for finding in value["findings"])
    for finding in value["findings"]:
        finding["state"] = "applied"
    path.write_text(json.dumps(value))
    assert set(states(workspace).values()) == {"open"}
    assert apply_findings((), workspace).findings == ("broken", "duplicates.across")


@pytest.mark.parametrize("file", ["../../secret.png", "/etc/secret.png", "pictures/../../x.png", "a\\b.png", ""])
def test_a_picture_elsewhere_is_refused(workspace: Workspace, file: str) -> None:
    """The page holds what its pictures show: it would carry a file of its reader's away."""
    path = workspace.reports / "facts.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"pictures": {"classes": file}}))
    with pytest.raises(RecordError, match=r"pictures: .* is no file beside it"):
        Facts.read(workspace.reports)


def test_without_facts_there_is_nothing_to_apply(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="'imgcls eda' looks at the data"):
        apply_findings((), Workspace(tmp_path))


def test_a_damaged_findings_toml_is_not_written_over(workspace: Workspace) -> None:
    (workspace.root / FINDINGS_TOML).write_text("schema = [")
    with pytest.raises(ProblemError):
        apply_findings((), workspace)
    assert (workspace.root / FINDINGS_TOML).read_text() == "schema = ["


def test_a_folder_that_cannot_be_written_says_so(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from imgcls import storage

    def refuse(path: Path, data: bytes) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(storage, "create_file", refuse)
    with pytest.raises(WorkspaceError, match="ermission"):
        apply_findings((), workspace)


@pytest.mark.parametrize("names", [(), ("duplicates.conflict",)])
def test_no_class_is_emptied(
    workspace: Workspace,
    photo_folder: Path,
    made_look: Callable[..., ScanResult],
    made_facts: Callable[..., Facts],
    names: tuple[str, ...],
) -> None:
    gone = tuple(path.relative_to(photo_folder).as_posix() for path in sorted((photo_folder / "left").iterdir()))
    finding = FINDINGS[0].model_copy(update={"id": "duplicates.conflict", "groups": (gone,)})
    made_facts(made_look(["a", "b"] * 10), findings=(finding,)).write(workspace.reports)
    write_problem(workspace.root / "imgcls.toml", Problem(data=ProblemData(source=str(photo_folder))))
    with pytest.raises(UsageError, match=r"conflict would leave no photograph of 'left', so nothing was applied"):
        apply_findings(names, workspace)
    assert not (workspace.root / FINDINGS_TOML).exists()
    made_facts(made_look(["a", "b"] * 10), findings=(finding.model_copy(update={"groups": (gone[1:],)}),)).write(
        workspace.reports
    )
    assert apply_findings(names, workspace).n_excluded == len(gone) - 1
