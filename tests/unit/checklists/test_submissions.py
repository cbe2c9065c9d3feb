"""What submissions prove, and what is suggested where there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imgcls.checklists import commands
from imgcls.ladders.blend import blend
from imgcls.records.run import RunRecord
from tests.unit.checklists.conftest import OTHER, Desk, forget_plans


def test_a_submission_has_to_be_of_a_baseline(known: Desk) -> None:
    known.ladder("baseline+augmentation", n_seeds=1)
    (other,) = known.runs("baseline+augmentation")
    assert "has no test part to submit" in known.states()["base.submit"].evidence
    (run,) = known.runs()
    known.with_test(run)
    answer = known.states()["base.submit"]
    assert (answer.evidence, answer.command) == ("there is no submission yet", f"imgcls submit {run.id}")
    known.submit(other)
    assert known.states()["base.submit"].evidence == "none of 1 submissions is of a baseline run"


@pytest.mark.parametrize("what", ["gone", "changed"])
def test_a_table_that_is_not_as_it_was_written_is_no_submission(known: Desk, what: str) -> None:
    known.baseline(n_seeds=1)
    (run,) = known.runs()
    table = known.submit(known.with_test(run))
    assert known.states()["base.submit"].state == "done"
    table.unlink() if what == "gone" else table.write_text("id,label\n", encoding="utf-8")
    answer = known.states()["base.submit"]
    assert answer.state == "open"
    assert answer.evidence == f"submissions/{run.id}.csv is gone, or was changed since it was written"
    assert answer.command == f"imgcls submit {run.id}{' --force' if what == 'changed' else ''}"


def test_a_whole_table_counts_beside_one_that_is_gone(known: Desk) -> None:
    known.baseline(n_seeds=2)
    tables = [known.submit(known.with_test(run)) for run in known.runs()]
    tables[1].unlink()
    assert tables[0].name in known.states()["base.submit"].evidence
    assert known.states()["base.submit"].state == "done"


def all_folds(desk: Desk) -> None:
    """Draw the folds of a baseline, and the record of all of them."""
    desk.baseline(n_folds=3, n_seeds=1, n_images=20)
    first = desk.runs()[0]
    assert first.folder is not None
    home = first.folder.with_name("baseline-s0-oof3-0")
    home.mkdir()
    replace(first, key=first.key[::-1], id=home.name, fold=None, n_folds=3, created="2026-11-24T11:00:00+00:00").write(
        home
    )


def test_folds_do_not_hide_a_run_that_has_predicted_the_test_part(known: Desk) -> None:
    known.baseline(n_seeds=1)
    (whole,) = known.runs()
    known.with_test(whole)
    all_folds(known)
    answer = known.states()["base.submit"]
    assert (answer.evidence, answer.command) == ("there is no submission yet", f"imgcls submit {whole.id}")


def test_folds_alone_ask_for_one_network_where_there_is_a_test_part(known: Desk) -> None:
    all_folds(known)
    assert "has no test part to submit" in known.states()["base.submit"].evidence
    known.know(n_test=7)
    answer = known.states()["base.submit"]
    assert answer.state == "open"
    assert answer.evidence.endswith("predicts the test part with one network")
    assert answer.command == "imgcls recipe run baseline"


def test_the_final_submission_is_of_the_stack_that_the_ladder_recommends(known: Desk) -> None:
    assert known.states()["final.submit"].evidence == "no ladder that holds says which stack to submit"
    known.ladder(skills=[0.5, 3.0])
    assert "have no test part" in known.states()["final.submit"].evidence
    base, best = known.runs()[0], known.runs("baseline+augmentation")[0]
    known.with_test(best)
    answer = known.states()["final.submit"]
    assert (answer.state, answer.command) == ("open", f"imgcls submit {best.id}")
    known.submit(base)
    assert known.states()["final.submit"].state == "open"
    known.submit(best)
    answer = known.states()["final.submit"]
    assert answer.state == "done"
    assert "which ladders/drawn/result.json recommends" in answer.evidence
    known.know(data=OTHER)
    answer = known.states()["final.submit"]
    assert (answer.state, answer.evidence.endswith("the data changed since")) == ("stale", True)


def test_a_submission_of_what_all_the_data_trained_is_final(known: Desk) -> None:
    """The command names such a run, an unnamed submission takes it, and it ticks; stale with other data, as another."""
    known.ladder(skills=[0.5, 3.0])
    best = known.with_test(known.runs("baseline+augmentation")[0])
    final = known.on_all_data(best)
    answer = known.states()["final.submit"]
    assert (answer.state, answer.command) == ("open", f"imgcls submit {final.id}")
    assert commands.recommended(known.workspace).run == final.id
    known.submit(final)
    assert known.states()["final.submit"].state == "done"
    known.know(data=OTHER)
    assert known.states()["final.submit"].state == "stale"


def test_a_submission_of_a_blend_of_what_all_the_data_trained_is_final(known: Desk) -> None:
    """Of two seeds of the stack that the ladder recommends."""
    known.ladder(skills=[0.5, 3.0])
    for seed in (0, 1):
        known.on_all_data(known.runs("baseline+augmentation")[0], seed=seed)
    known.submit(blend(all_data=True, workspace=known.workspace).record)
    assert known.states()["final.submit"].state == "done"
    assert known.states()["predict.ensemble"].state == "open"


def test_what_is_submitted_unnamed_is_what_the_ladder_recommends(known: Desk) -> None:
    """Not the newest run: that is the last one of the stack that lost."""
    assert commands.recommended(known.workspace) is None
    known.ladder(skills=[3.0, 0.5])
    base, other = known.runs()[0], known.runs("baseline+augmentation")[-1]
    known.with_test(other)
    assert commands.recommended(known.workspace) is None
    known.with_test(base)
    found = commands.recommended(known.workspace)
    assert found == commands.Recommended(base.id, "ladders/drawn/result.json recommends its stack")
    known.know(data=OTHER)
    assert commands.recommended(known.workspace) is None


@pytest.mark.parametrize("what", ["gone", "changed"])
def test_the_final_table_has_to_be_as_it_was_written(known: Desk, what: str) -> None:
    best = recommended(known)
    table = known.submit(known.with_test(best))
    table.unlink() if what == "gone" else table.write_text("", encoding="utf-8")
    answer = known.states()["final.submit"]
    assert (answer.state, "is gone, or was changed" in answer.evidence) == ("open", True)
    assert answer.command == f"imgcls submit {best.id}{' --force' if what == 'changed' else ''}"
    known.know(data=OTHER)
    assert known.states()["final.submit"].state == "open"


def test_a_final_submission_is_stale_when_its_stack_means_another_plan(
    known: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    known.submit(known.with_test(recommended(known)))
    assert known.states()["final.submit"].state == "done"
    forget_plans(monkeypatch)
    answer = known.states()["final.submit"]
    assert answer.state == "stale"
    assert answer.evidence.endswith(".csv; baseline+augmentation means another plan since")
    assert "baseline+augmentation" not in str(known.states()["train.loss"].command)


def recommended(desk: Desk) -> RunRecord:
    """Draw a ladder that recommends its upper rung, and give a run of that."""
    desk.ladder(skills=[0.5, 3.0])
    return desk.runs("baseline+augmentation")[0]
