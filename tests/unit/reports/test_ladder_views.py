"""What people read of a ladder: complete at every width, inert, and never more than was shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console, RenderableType

import imgcls
from imgcls.config.metrics import Units
from imgcls.evidence.verdicts import Judged
from imgcls.ladders.judge import LadderResult, judge_ladder
from imgcls.ladders.predictions import changed_images
from imgcls.ladders.state import LadderState, read_state
from imgcls.reports.climb import ClimbView
from imgcls.reports.ladder import ComparisonView, LadderView
from imgcls.reports.live import LadderList, StateGrid, state_json
from imgcls.reports.verdict_text import (
    change_text,
    gain_sentence,
    load_sentence,
    settle_sentence,
    short,
    shown_verdict,
    time_sentence,
)
from imgcls.text import clean

Draw = Callable[..., Any]
WIDTHS = [40, 60, 80, 120]
EVIL = "[red]a[/red]\x1b[31m:cat:\n"
DRAWINGS: list[dict[str, Any]] = [
    {},
    {"n_seeds": 1},
    {"n_groups": 9},
    {"n_groups": 4},
    {"n_folds": 5, "n_images": 40, "n_seeds": 2},
    {"metric": "log_loss"},
    {"kind": "ablate"},
    {"failed": frozenset({(1, 2)}), "missing": frozenset({(3, 1), (4, 1), (4, 2)})},
]


class Ascii(StringIO):
    """A stream that takes nothing but ASCII."""

    encoding = "ascii"


def drawn(view: RenderableType, width: int = 120, stream: StringIO | None = None) -> str:
    """Draw a view as text."""
    screen = Console(file=stream or StringIO(), width=width, highlight=False, emoji=False, color_system=None)
    screen.print(view, crop=False)
    return screen.file.getvalue()


def joined(text: str) -> str:
    """Return a text on one line, so that a sentence is found wherever it was wrapped."""
    return " ".join(text.split())


def judged(draw: Draw, **drawing: Any) -> tuple[LadderState, LadderResult]:
    """Draw a ladder and judge it."""
    ladder, workspace = draw(**drawing)
    state = read_state(ladder, workspace)
    return state, judge_ladder(state)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("drawing", DRAWINGS, ids=str)
def test_every_number_is_there_at_every_width(drawn_ladder: Draw, drawing: dict[str, Any], width: int) -> None:
    """Nothing is cut: scores, gains, intervals and verdicts of all rungs can be read, also on a narrow terminal."""
    _, result = judged(drawn_ladder, **drawing)
    text = joined(drawn(LadderView(result), width))
    units = Units(result.ladder.metric)
    for rung in result.rungs:
        assert units.score(rung.score.value if rung.score else None) in text
        for entry in (rung.step, rung.total):
            if entry is not None:
                assert units.gain(entry.value) in text
                assert shown_verdict(entry.verdict).partition(" (")[0] in text
        if rung.step is not None:
            assert units.interval(rung.step.low, rung.step.high) in text
    assert "no improvement" not in text.lower()
    assert "…" not in text


@pytest.mark.parametrize("width", WIDTHS[1:])
@pytest.mark.parametrize("drawing", DRAWINGS, ids=str)
def test_no_line_is_wider_than_the_terminal(drawn_ladder: Draw, drawing: dict[str, Any], width: int) -> None:
    """But for commands, which are for copying."""
    state, result = judged(drawn_ladder, **drawing)
    for view in (LadderView(result, changed_images(state, most=2)), StateGrid(state, result)):
        lines = [line for line in drawn(view, width).splitlines() if not line.startswith("  imgcls ")]
        assert max(len(line.rstrip()) for line in lines) <= width


def test_the_base_is_kept_where_nothing_was_shown(drawn_ladder: Draw) -> None:
    """And it is said that this shows nothing."""
    _, result = judged(drawn_ladder, skills=[1.2] * 5)
    text = joined(drawn(LadderView(result)))
    assert "Keep baseline: no rung was shown to be better. That is not the same as being no better." in text
    assert "It could find a gain of" in text
    assert "'No evidence' does not mean 'no effect'" in text
    assert "ladder final" not in text


def test_the_rung_to_use_is_named_with_what_was_not_shown(drawn_ladder: Draw) -> None:
    """The incumbent holds recipes without evidence of their own."""
    _, result = judged(drawn_ladder, skills=[0.5, 1.5, 1.5, 1.45, 1.7], n_images=600)
    text = joined(drawn(LadderView(result)))
    assert f"Use {result.ladder.rungs[4].printed}: the highest rung that is better than baseline." in text
    assert "not shown to help by themselves: adamw_cosine, label_smoothing." in text
    assert "imgcls ladder final drawn" in text


def test_one_seed_gives_no_intervals_in_the_table_and_says_why(drawn_ladder: Draw) -> None:
    """An interval of two single models would be read as one of recipes."""
    _, result = judged(drawn_ladder, n_seeds=1)
    text = drawn(LadderView(result))
    table, _, sentences = text.partition("What it says")
    step = result.rungs[1].step
    assert Units("accuracy").interval(step.low, step.high) not in table
    assert f"These two models differ by {Units('accuracy').gain(step.value)} points" in joined(sentences)
    assert "No verdict can be given yet" in sentences
    assert "--seeds 5" in sentences


def test_an_unfinished_ladder_says_so_and_how_to_go_on(drawn_ladder: Draw) -> None:
    """Verdicts of a ladder on its way are told apart from final ones."""
    _, result = judged(drawn_ladder, **DRAWINGS[-1])
    text = joined(drawn(LadderView(result)))
    assert "The ladder is not done: everything below may still change." in text
    assert "So far: " in text
    assert "goes on with the 3 runs left" in text
    assert "augmentation, seed 2 failed: Training failed: the loss became NaN" in text
    assert "--retry-failed" in text
    assert "2 of 3 runs" in text


def test_nothing_is_done_yet(drawn_ladder: Draw) -> None:
    """A ladder before its first run can be looked at."""
    state, result = judged(drawn_ladder, missing=frozenset((rung, seed) for rung in range(5) for seed in range(3)))
    assert "no run yet" in drawn(LadderView(result))
    assert "0 of 15 runs done" in drawn(StateGrid(state, result))
    assert "0 of 15 runs done" in drawn(StateGrid(state))


def test_leaning_worse_is_no_evidence(drawn_ladder: Draw) -> None:
    """Four words are enough: what is likely worse leans."""
    _, result = judged(drawn_ladder)
    worse = replace(result.rungs[1].step, verdict="likely worse")
    view = LadderView(replace(result, rungs=(result.rungs[0], replace(result.rungs[1], step=worse), *result.rungs[2:])))
    text = drawn(view)
    assert "likely worse" not in text
    assert "(leans worse)" in text
    assert "no evidence that it differs from baseline, but it leans worse" in joined(text)


def test_log_loss_is_a_drop_in_nats(drawn_ladder: Draw) -> None:
    """Lower is better, and a gain is above zero all the same."""
    _, result = judged(drawn_ladder, metric="log_loss")
    text = joined(drawn(LadderView(result)))
    assert "A gain is a drop in log loss: above 0 is better." in text
    assert f"{result.rungs[0].score.value:.3f}" in text
    assert f"{result.rungs[1].step.value:+.3f} nats" in text
    assert "points" not in text


def test_groups_and_interim_analyses_are_reported(drawn_ladder: Draw) -> None:
    """The units are groups, and asking again has its price."""
    ladder, workspace = drawn_ladder(n_groups=9)
    state = read_state(replace(ladder, looks=(2,)), workspace)
    text = joined(drawn(LadderView(judge_ladder(state))))
    assert "240 images in 9 groups of drawn" in text
    assert "groups of images with these seeds" in text
    assert "Verdicts were given at 2 interim analyses while seeds were added" in text


def test_an_ablation_tells_what_recipes_are_worth(drawn_ladder: Draw) -> None:
    """The recipe that takes another with it is named with it."""
    _, result = judged(
        drawn_ladder,
        kind="ablate",
        skills=[1.8, 0.5, 1.8, 1.8, 1.8],
        n_seeds=4,
        n_images=600,
        missing=frozenset({(4, 3)}),
    )
    text = joined(drawn(LadderView(result)))
    assert "what each recipe is worth with the others in place" in text
    assert "augmentation (with tta, which needs it): the full stack is better than the stack without it" in text
    assert "imgcls ladder ablate baseline+augmentation" in text
    assert "ladder final" not in text


def test_both_seed_spreads_stand_beside_the_verdict(drawn_ladder: Draw) -> None:
    """A recipe whose seeds scatter more weakens the claim."""
    _, result = judged(drawn_ladder)
    one, other = (Units("accuracy").spread(sd) for sd in result.rungs[1].step.gain.seed_sds)
    assert f"Seed sd: {one} for baseline, {other} for this rung." in joined(drawn(LadderView(result)))


@pytest.mark.parametrize("width", WIDTHS)
def test_names_from_data_are_inert(drawn_ladder: Draw, width: int) -> None:
    """Markup is no markup, escapes do not reach the terminal, :cat: is no cat."""
    classes = ("[bold]cat", "dog")
    ids = [f"{EVIL}{number}.png" for number in range(240)]
    ladder, workspace = drawn_ladder(
        classes=classes, ids=ids, failed=frozenset({(1, 2)}), missing=frozenset({(4, 2)}), n_seeds=3
    )
    rungs = tuple(replace(rung, label=f"{EVIL}{place}") for place, rung in enumerate(ladder.rungs))
    ladder = replace(ladder, data_name=EVIL, name=EVIL, rungs=rungs, notes=(EVIL,))
    state = read_state(ladder, workspace)
    result = judge_ladder(state)
    comparison = imgcls.compare("baseline", ladder.rungs[3].stack, workspace=workspace)
    views = (
        LadderView(result, changed_images(state, most=2)),
        StateGrid(state, result),
        LadderList((state,), (EVIL,)),
        ComparisonView(replace(comparison, data_name=EVIL, notes=(EVIL,)), 2),
    )
    for view in views:
        text = drawn(view, width)
        assert "\x1b" not in text
        assert "".join(clean(EVIL).split()) in "".join(text.split())


def test_the_grid_marks_every_state(drawn_ladder: Draw) -> None:
    """Done with its score, running with its epoch, the rest with a sign; ASCII where the terminal has no more."""
    state, result = judged(drawn_ladder, **DRAWINGS[-1])
    waiting = [place for place, entry in enumerate(state.jobs) if entry.state == "waiting"]
    jobs = list(state.jobs)
    jobs[waiting[0]] = replace(jobs[waiting[0]], state="running", epoch=1)
    jobs[waiting[1]] = replace(jobs[waiting[1]], state="interrupted", epoch=2)
    grid = StateGrid(replace(state, jobs=tuple(jobs), is_running=True), result)
    text = drawn(grid)
    assert "11 of 15 runs done, 1 running, 1 interrupted, 1 failed, about" in text
    assert all(shown in text for shown in ("✓ 0.800", "▸ epoch 2/3", "‖ 2/3 done", "✗", "·"))
    plain = drawn(grid, stream=Ascii())
    assert plain.isascii()
    assert all(shown in plain for shown in ("+ 0.800", "> epoch 2/3", "= 2/3 done", "x failed"))
    assert drawn(LadderView(result), stream=Ascii()).isascii()


def test_the_grid_counts_folds(drawn_ladder: Draw) -> None:
    """A cell is a seed over all folds."""
    state, result = judged(drawn_ladder, n_folds=5, n_images=20, n_seeds=2, missing=frozenset({(4, 1)}))
    jobs = [
        replace(entry, state="waiting", record=None) if entry.job.rung == 3 and entry.job.fold in (3, 4) else entry
        for entry in state.jobs
    ]
    text = drawn(StateGrid(replace(state, jobs=tuple(jobs)), result))
    rows = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert "✓ 5/5" in rows["baseline"]
    assert "· 3/5" in rows["label_smoothing"]
    assert "· 0/5" in rows["tta"]


def test_many_seeds_become_signs(drawn_ladder: Draw) -> None:
    """Where columns have no room."""
    state, result = judged(drawn_ladder, n_seeds=9, n_images=40)
    assert "✓ ✓ ✓ ✓ ✓ ✓ ✓ ✓ ✓" in drawn(StateGrid(state, result), 60)


def test_a_list_of_ladders_and_its_json(drawn_ladder: Draw) -> None:
    """Each with how far it is; a program gets the numbers."""
    state, _ = judged(drawn_ladder, missing=frozenset({(4, 2)}))
    view = LadderList((state,), ("ladder.json is cut",))
    text = joined(drawn(view, 60))
    assert "14 of 15 runs done" in text
    assert "nobody is working on it" in text
    assert "ladder.json is cut" in text
    assert view.to_json()["ladders"][0]["n"] == {
        "done": 14,
        "running": 0,
        "interrupted": 0,
        "failed": 0,
        "waiting": 1,
        "all": 15,
    }
    assert [job["state"] for job in state_json(state)["jobs"]].count("done") == 14
    assert "There is no ladder here yet" in drawn(LadderList(()))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "nothing"),
        ([], "nothing"),
        (True, "yes"),
        (0.1, "0.1"),
        (1e-5, "1e-05"),
        (3, "3"),
        ("adamw", "adamw"),
        ([{"HorizontalFlip": {"p": 0.5}}, {"Affine": {}}], "HorizontalFlip, Affine"),
        ("x" * 60, "x" * 47 + "…"),
    ],
)
def test_values_of_a_plan_are_written_shortly(value: object, shown: str) -> None:
    """What a person needs to tell two rungs apart."""
    assert short(value) == shown


def test_a_change_has_both_values() -> None:
    """Before and after; with an arrow that every terminal has, where it must be."""
    changes = {"loss.smoothing": (0.0, 0.1)}
    assert change_text(changes) == ["loss.smoothing 0 → 0.1"]
    assert change_text(changes, arrow="->") == ["loss.smoothing 0 -> 0.1"]


def test_a_gain_that_rounds_to_nothing_has_no_minus() -> None:
    """-0.0 would be read as a loss."""
    assert Units("accuracy").gain(-0.0001) == "+0.0"
    assert Units("accuracy").interval(-2.357, 2.19) == "[-100.0, +100.0]"  # two seeds, and a t with one degree
    assert Units("log_loss").interval(-2.357, 2.19) == "[-2.357, +2.190]"
    assert Units("log_loss").gain(-0.0001) == "+0.000"


def _step(draw: Draw, **drawing: Any) -> Judged:
    step = judged(draw, **drawing)[1].rungs[1].step
    assert step is not None
    return step


def test_sentences_say_no_more_than_the_verdict(drawn_ladder: Draw) -> None:
    """Every verdict has its words."""
    step, units = _step(drawn_ladder), Units("accuracy")
    said = {
        verdict: gain_sentence(replace(step, verdict=verdict, remarks=()), units, over="baseline")
        for verdict in ("better", "likely better", "no evidence", "likely worse", "worse", "cannot tell")
    }
    assert said["better"].startswith("better than baseline, +")
    assert said["likely better"].startswith("likely better than baseline, +")
    assert said["worse"].startswith("worse than baseline, ")
    assert said["no evidence"].startswith("no evidence that it differs from baseline, ")
    assert said["cannot tell"].startswith("cannot tell whether it differs from baseline")


def test_what_would_settle_is_told_only_beyond_what_is_there(drawn_ladder: Draw) -> None:
    """Neither fewer seeds than there are, nor a sentence without content."""
    step, units = _step(drawn_ladder), Units("accuracy")
    assert step.settle is not None
    settle = replace(step.settle, target=0.005, n_seeds=12, n_images=23_456, limit="")
    assert settle_sentence(settle, step.gain, units) == (
        "To find a gain of 0.5 points: about 12 seeds on these images, or about 24,000 images with these seeds."
    )
    assert settle_sentence(replace(settle, n_seeds=2, n_images=100), step.gain, units) == ""
    only = replace(settle, n_seeds=None, n_images=None, limit="both are needed")
    assert settle_sentence(only, step.gain, units) == "To find a gain of 0.5 points: both are needed."


def test_a_comparison_tells_both_targets_and_the_other_metrics(drawn_ladder: Draw) -> None:
    """Verdicts rest on new images too; without a verdict the other metrics have intervals."""
    _, workspace = drawn_ladder()
    comparison = imgcls.compare("baseline", "baseline+augmentation", workspace=workspace)
    text = joined(drawn(ComparisonView(comparison), 60))
    low, high = (Units("roc_auc").gain(value) for value in comparison.judged.gain.here)
    assert f"On exactly these images, new seeds: {Units('roc_auc').gain(comparison.judged.value)} points" in text
    assert f"[{low}, {high}]" in text
    assert all(Units(metric).interval(gain.low, gain.high) in text for metric, gain in comparison.other_gains.items())
    assert "'--images 10' names them" in text
    named = drawn(ComparisonView(comparison, 3), 80)
    assert all(change.id in named for change in (*comparison.fixed[:3], *comparison.broken[:3]))


def _with_load(state: LadderState, loads: dict[int, float]) -> LadderState:
    """Let trainings of some seeds begin on two cores under a load."""
    jobs = []
    for entry in state.jobs:
        load = loads.get(entry.job.seed)
        if entry.record is not None and load is not None:
            environment = {**entry.record.environment, "load": load, "cores": 2}
            entry = replace(entry, record=replace(entry.record, environment=environment))
        jobs.append(entry)
    return replace(state, jobs=tuple(jobs))


@pytest.mark.parametrize(
    ("loads", "told"),
    [
        ({}, ""),
        ({0: 2.4, 1: 3.9, 2: 0.0}, ""),  # what trainings before it leave of their own
        ({0: 7.0, 1: 5.2, 2: 5.0}, "Minutes were measured while the machine was busy: load 7 on 2 cores."),
        ({1: 7.0, 2: 1.0}, "4 of 8 trainings were timed while the machine was busy: load 7 on 2 cores at the most."),
    ],
)
def test_minutes_say_on_which_load_they_were_measured(drawn_ladder: Draw, loads: dict[int, float], told: str) -> None:
    state, _ = judged(drawn_ladder)
    result = judge_ladder(_with_load(state, loads))
    assert load_sentence(result) == told
    assert time_sentence(result).endswith(f"per training. {told}".strip())
    for width in (60, 80, 140):
        assert told in joined(drawn(LadderView(result), width))
    assert told or "busy" not in drawn(LadderView(result))


CLIMBS: list[dict[str, Any]] = [{}, {"metric": "log_loss"}, {"n_folds": 5, "n_images": 40, "n_seeds": 1}]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("drawing", CLIMBS, ids=str)
def test_a_climb_is_told_whole_at_every_width(drawn_climb: Draw, drawing: dict[str, Any], width: int) -> None:
    record, workspace = drawn_climb(outcome=EVIL, **drawing)
    text = drawn(ClimbView(record, workspace), width)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    whole = "".join(text.split())
    units = Units(record.metric)
    for one in record.tried:
        assert record.short(one.stack) in whole
        assert units.score(one.score) in whole
    assert "usebaseline+linear_probe" in whole.lower()
    gain = record.gain
    assert "".join(units.gain_text(gain.value, gain.low, gain.high).split()) in whole
    assert "+longer(about" in whole


def test_a_climb_that_stayed_with_its_base_claims_nothing(drawn_climb: Draw) -> None:
    record, workspace = drawn_climb()
    same = replace(record, gain=replace(record.gain, value=0.0, low=0.0, high=0.0))
    assert "no difference: with a part held out" in joined(drawn(ClimbView(same, workspace)))
    assert "no difference" not in joined(drawn(ClimbView(record, workspace)))
