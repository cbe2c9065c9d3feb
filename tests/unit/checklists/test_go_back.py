"""The way back to the problem or the data, and what is told where files are damaged."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from imgcls.checklists import go_back
from imgcls.checklists.checklist import checklist
from imgcls.checklists.class_errors import class_errors
from imgcls.ladders.results import SCHEMA, FinalRecord, ValidationScores, VerdictRecord
from imgcls.ladders.spec import FINAL_JSON, RESULT_JSON, find_ladders
from imgcls.records.regions import RegionReport
from imgcls.records.run import Estimate, Folds
from imgcls.schema import to_json
from imgcls.storage import write_json
from imgcls.workspace import MARKER, Workspace
from tests.unit.checklists.conftest import OTHER, Desk, forget_plans


def step_verdicts(desk: Desk, *verdicts: str) -> None:
    """Draw a ladder of four rungs, and write what was said of its steps."""
    ladder = desk.ladder("baseline+augmentation+adamw_cosine+label_smoothing")
    path = ladder.folder / RESULT_JSON
    value = json.loads(path.read_text(encoding="utf-8"))
    for rung, verdict in zip(value["rungs"][1:], verdicts, strict=True):
        rung["step"] |= {"verdict": verdict, "value": 0.001, "low": -0.01, "high": 0.012, "remarks": ["too few"]}
    write_json(path, value)


@pytest.mark.parametrize(
    ("verdicts", "stalled"),
    [
        (("no evidence", "no evidence", "worse"), True),
        (("no evidence", "likely better", "no evidence"), False),
        (("no evidence", "cannot tell", "no evidence"), False),
    ],
)
def test_three_rungs_without_a_gain_lead_back(known: Desk, verdicts: tuple[str, ...], stalled: bool) -> None:
    step_verdicts(known, *verdicts)
    assert ("stalled" in known.reasons()) is stalled
    if stalled:
        assert known.reasons()["stalled"].stage == "1"
        assert "label_smoothing over" in known.reasons()["stalled"].text
        known.know(data=OTHER)
        assert "stalled" not in known.reasons()


def opened(desk: Desk, *, test: tuple[float, float, float], validation: tuple[float, float, float]) -> None:
    """Write what the sealed test said: (value, low, high) of the gain and of the score alike."""
    climbs = find_ladders(desk.workspace)[0]
    ladder = climbs[0] if climbs else desk.ladder()
    write_json(ladder.folder / FINAL_JSON, {"schema": SCHEMA, **to_json(final_record(test, validation))})


def final_record(test: tuple[float, float, float], validation: tuple[float, float, float]) -> FinalRecord:
    """Return what final.json holds where gains and scores have these values and intervals."""
    gains = [
        VerdictRecord(
            verdict="better",
            holm_p=0.01,
            remarks=(),
            detectable=None,
            settle=None,
            value=value,
            low=low,
            high=high,
            low90=low,
            high90=high,
            p=0.01,
            standard_error=(high - low) / 4,
            method="separate trainings",
            n_images=20,
            n_units=20,
            n_runs=(3, 3),
            seed_sds=(0.01, 0.01),
            degrees_of_freedom=4.0,
            same_weights=False,
            here=None,
            n_changed=5,
            is_accuracy=True,
            is_identical=False,
            has_groups=False,
            noise=None,
            components=None,
        )
        for value, low, high in (test, validation)
    ]
    scores = [Estimate(*numbers, 20) for numbers in (test, validation)]
    return FinalRecord(
        ladder="drawn",
        metric="accuracy",
        baseline="baseline",
        incumbent="baseline+label_smoothing",
        n_images=20,
        n_groups=0,
        baseline_score=scores[0],
        incumbent_score=scores[0],
        test=gains[0],
        validation=gains[1],
        n_openings=1,
        validation_scores=ValidationScores(scores[1], scores[1]),
    )


def test_a_test_that_disagrees_beyond_chance_leads_back(known: Desk) -> None:
    opened(known, test=(0.60, 0.55, 0.65), validation=(0.80, 0.75, 0.85))
    assert set(known.reasons()) >= {"test.gain", "test.score"}
    assert "accuracy is 0.800 on validation and 0.600 on the sealed test" in known.reasons()["test.score"].text
    opened(known, test=(0.60, 0.45, 0.75), validation=(0.70, 0.60, 0.80))
    assert not {"test.gain", "test.score"} & set(known.reasons())


def test_findings_lead_back_until_they_are_dealt_with(known: Desk) -> None:
    known.facts(findings=known.make_facts().findings)
    reason = known.reasons()["findings"]
    assert (reason.stage, reason.command) == ("2", known.make_facts().findings[0].command)
    known.facts()
    assert "findings" not in known.reasons()


def mistaken(desk: Desk, *, cats: tuple[int, int], dogs: tuple[int, int]) -> None:
    """Return the baseline wrong answers: of so many of a class so many."""
    desk.baseline(n_seeds=1)
    (run,) = desk.runs()
    labels = ["cat"] * cats[0] + ["dog"] * dogs[0]
    right = np.array([place >= cats[1] for place in range(cats[0])] + [place >= dogs[1] for place in range(dogs[0])])
    is_cat = np.array([label == "cat" for label in labels]) == right
    frame = pd.DataFrame({"id": [f"{row}" for row in range(len(labels))], "label": labels})
    frame["p_cat"] = np.where(is_cat, 0.9, 0.1).astype(np.float32)
    frame["p_dog"] = 1 - frame["p_cat"]
    frame.to_parquet(run.folder / "valid.parquet")
    desk.change(run)


@pytest.mark.parametrize(
    ("cats", "dogs", "leads"),
    [
        ((50, 20), (50, 3), True),
        ((90, 30), (10, 3), False),  # most of the errors, since most of the photographs
        ((50, 8), (50, 1), False),  # fewer than ten errors
        ((50, 13), (50, 11), False),
    ],
)
def test_one_class_that_carries_the_errors_leads_back(
    known: Desk, cats: tuple[int, int], dogs: tuple[int, int], leads: bool
) -> None:
    mistaken(known, cats=cats, dogs=dogs)
    assert ("one.class" in known.reasons()) is leads
    if leads:
        assert "20 of 23 errors are on cat: 40 % of its 50 images" in known.reasons()["one.class"].text


def test_a_run_in_folds_is_asked_which_labels_of_it_may_be_wrong(known: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    mistaken(known, cats=(50, 20), dogs=(50, 3))
    assert known.reasons()["one.class"].command == "imgcls eda"
    (run,) = known.runs()
    counted = class_errors(run, known.workspace)
    folds = Folds(runs=(), spread={})
    monkeypatch.setattr(go_back, "_run_to_look_at", lambda evidence: replace(run, folds=folds))
    monkeypatch.setattr(go_back, "class_errors", lambda run, workspace: counted)
    assert known.reasons()["one.class"].command == f"imgcls runs suspects {run.id}"


@pytest.mark.parametrize(
    ("share", "followed", "elsewhere", "decides"),
    [
        (0.9, 0.8, 0.1, True),
        (0.7, 0.48, 0.2, True),  # some photographs are answered by what they show
        (0.41, 0.75, 0.22, True),  # it answers many wrongly
        (0.3, 0.8, 0.1, False),  # the maps lie elsewhere
        (0.9, 0.4, 0.3, False),  # answers follow any region
        (0.9, 0.2, 0.0, False),  # centred objects
        (0.9, None, None, False),  # all have one answer
    ],
)
def test_one_region_that_decides_leads_back(
    known: Desk, share: float, followed: float | None, elsewhere: float | None, decides: bool
) -> None:
    mistaken(known, cats=(50, 1), dogs=(50, 1))
    (run,) = known.runs()
    found = RegionReport(
        run=run.id,
        key=run.key,
        n=64,
        top=0.0,
        left=0.62,
        side=0.375,
        share=share,
        expected=0.1,
        followed=followed,
        elsewhere=elsewhere,
        layer="layer3.1",
        method="LayerCAM",
        created="2026-01-01T00:00:00+00:00",
    )
    path = found.write(known.workspace)
    assert ("one.region" in known.reasons()) is decides
    if decides:
        text = known.reasons()["one.region"].text
        assert "One region decides (upper right)" in text
        assert f"{100 * share:.0f} % of 64 heat maps" in text
    path.write_text("{}", encoding="utf-8")
    assert "one.region" not in known.reasons()


def test_a_rising_curve_leads_back(known: Desk) -> None:
    finding = known.make_facts().findings[0].model_copy(update={"id": "curve.rising", "severity": "note"})
    known.facts(findings=(finding,))
    assert known.reasons()["curve.rising"].stage == "2"


@pytest.mark.parametrize("name", ["facts.json", "run.json", RESULT_JSON, "ladder.json", MARKER, "findings.toml"])
def test_a_damaged_file_is_named_and_the_rest_is_told(known: Desk, name: str) -> None:
    known.facts()
    known.ladder()
    place = known.workspace.root
    path = next(iter(place.rglob(name)), place / name)
    path.write_text('{"schema": 99' if name.endswith("json") else "schema = 99\n")
    found = known.list()
    assert [path.name in damage.reason for damage in found.damages] == [True]
    assert found.damages[0].unknown
    korean = found.damages[0].reason_in("ko").replace(str(path), "FILE")
    assert "FILE" in korean
    assert re.search("[가-힣]", korean)
    assert not re.search("damaged|cannot|Expecting|newer", korean)
    assert any(entry.state == "done" for entry in found.items)


def test_a_folder_that_does_not_exist_is_empty_and_stays_away(tmp_path: Path) -> None:
    found = checklist(tmp_path / "none")
    assert {entry.state for entry in found.items} == {"open"}
    assert not (tmp_path / "none").exists()


def test_many_runs_are_quick(known: Desk) -> None:
    """Reading a record costs the same however many there are: well below two thousandths of a second."""
    known.baseline(n_seeds=1)
    (run,) = known.runs()
    for number in range(1500):
        shutil.copytree(run.folder, run.folder.with_name(f"{run.folder.name}-{number}"))
    began = time.process_time()  # what others do on this machine does not count
    assert known.states()["base.train"].state == "done"
    assert time.process_time() - began < 3


def test_predictions_that_were_counted_are_not_loaded_again(known: Desk) -> None:
    """Neither numpy nor pyarrow, which take longer to load than everything else takes."""
    known.facts()
    known.ladder("baseline+augmentation")
    known.list()
    code = (
        "import sys\n"
        "from imgcls.checklists.checklist import evaluate\n"
        "from imgcls.workspace import Workspace\n"
        f"found = evaluate(Workspace.find(__import__('pathlib').Path({str(known.workspace.root)!r})))\n"
        "print(found.n('done') > 5, sorted({'numpy', 'pyarrow', 'pandas', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "True []\n"


def test_the_line_for_other_commands_counts_and_names_what_is_next(known: Desk) -> None:
    from imgcls.reports.checklist import status_line

    known.baseline(n_seeds=1)
    known.know(data=OTHER)
    korean = status_line(replace(known.list(), lang="ko")).plain
    assert korean.startswith("체크리스트: 28개 중 3개 완료, 7개 다시 확인. 다음: imgcls eda")
    line = status_line(known.list()).plain
    assert line.startswith("Checklist: 3 of 28 done, ")
    assert " stale. Next: imgcls eda" in line
    assert "\n" not in line


def test_the_workspace_at_hand_is_meant(known: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(known.workspace.root)
    assert checklist().n("done") == checklist(Workspace(known.workspace.root)).n("done")


def test_a_question_that_is_judged_anew_is_the_last_one(known: Desk) -> None:
    step_verdicts(known, "likely better", "no evidence", "no evidence")
    ladder = find_ladders(known.workspace)[0][0]
    assert ladder.folder is not None
    later = ladder.folder.with_name("later")
    shutil.copytree(ladder.folder, later)
    value = json.loads((later / "ladder.json").read_text(encoding="utf-8"))
    write_json(later / "ladder.json", value | {"name": "later", "rungs": value["rungs"][:2], "jobs": []})
    result = json.loads((later / RESULT_JSON).read_text(encoding="utf-8"))
    result |= {"rungs": result["rungs"][:2], "incumbent": "baseline"}
    result["rungs"][1]["step"]["verdict"] = "no evidence"
    write_json(later / RESULT_JSON, result)
    assert known.list().damages == ()
    text = known.reasons()["stalled"].text
    assert text.index("label_smoothing over") < text.index("augmentation over baseline ")


def test_rungs_that_mean_another_plan_do_not_lead_back(known: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    step_verdicts(known, "no evidence", "no evidence", "worse")
    forget_plans(monkeypatch)
    assert "stalled" not in known.reasons()
