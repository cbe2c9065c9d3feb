"""decision.toml: probabilities become answers by its rule, for the run that it was made for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from imgcls.config.decision import NOT_SURE, Decision, Promise, decision_for, read_decision
from imgcls.errors import ProblemError

CLASSES = ("a", "b", "c")


@dataclass
class Run:
    """A run, as far as a decision is concerned."""

    folder: Path
    id: str = "run-1"
    key: str = "f" * 64
    problem: str = "multiclass"
    classes: tuple[str, ...] = CLASSES


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run in a workspace."""
    folder = tmp_path / "runs" / "run-1"
    folder.mkdir(parents=True)
    return Run(folder)


def rule(**values: object) -> Decision:
    """Return a rule for three classes."""
    return Decision.model_validate({"of": "run-1", "key": "f" * 64, "type": "multiclass", "classes": CLASSES, **values})


def drawn(n: int = 400, k: int = 3) -> np.ndarray:
    """Return [n, k] probabilities."""
    return np.random.default_rng(0).dirichlet(np.ones(k), size=n)


def test_by_default_the_most_probable_class_is_the_answer() -> None:
    probabilities = drawn()
    default = Decision.default("multiclass", CLASSES)
    assert default.is_default
    assert default.named(probabilities) == [CLASSES[place] for place in probabilities.argmax(axis=1)]
    assert np.allclose(default.doubts(probabilities), 1 - probabilities.max(axis=1))


def test_by_default_an_image_has_the_labels_from_a_half_on() -> None:
    default = Decision.default("multilabel", CLASSES)
    assert default.named(np.array([[0.5, 0.49, 1.0], [0.1, 0.2, 0.3]]), delimiter=" ") == ["a c", ""]


def test_a_threshold_decides_for_its_class_and_leaves_the_rest_to_the_most_probable_of_the_others() -> None:
    found = rule(thresholds={"c": 0.2}).named(np.array([[0.7, 0.1, 0.2], [0.3, 0.51, 0.19], [0.1, 0.0, 0.9]]))
    assert found == ["c", "b", "c"]
    assert rule(thresholds={"c": 0.95}).named(np.array([[0.06, 0.04, 0.9]])) == ["a"]


def test_the_cheapest_answer_is_given() -> None:
    """As by hand: the expected cost of each answer is the sum over true classes."""
    costs = {"a": (0.0, 5.0, 1.0), "b": (1.0, 0.0, 1.0), "c": (2.0, 2.0, 0.0), NOT_SURE: (0.6, 0.6, 0.6)}
    probabilities = drawn()
    found = rule(costs=costs).named(probabilities)
    for row, answer in zip(probabilities, found, strict=True):
        expected = {name: sum(p * cost for p, cost in zip(row, costs[name], strict=True)) for name in costs}
        assert answer == min(expected, key=lambda name: expected[name])
    assert {*found} == {*CLASSES, NOT_SURE}
    assert NOT_SURE not in rule(costs=costs).named(probabilities, ask=False)


def test_answers_with_more_doubt_are_left_to_a_person() -> None:
    probabilities = drawn()
    found = np.array(rule(doubt=0.4).named(probabilities))
    assert ((found == NOT_SURE) == (1 - probabilities.max(axis=1) > 0.4)).all()


@pytest.mark.parametrize(
    ("start", "value", "doubt"), [(0.2, 0.1, 0.5), (0.2, 0.2, 1.0), (0.2, 0.6, 0.5), (0.2, 1.0, 0.0)]
)
def test_doubt_is_greatest_at_a_threshold(start: float, value: float, doubt: float) -> None:
    decision = Decision.model_validate({"type": "binary", "classes": ("ok", "bad"), "thresholds": {"bad": start}})
    assert decision.doubts(np.array([[1 - value, value]]))[0] == pytest.approx(doubt)


def test_of_several_labels_the_most_doubtful_one_counts() -> None:
    several = Decision.model_validate({"type": "multilabel", "classes": CLASSES, "thresholds": {"a": 0.2}})
    assert several.doubts(np.array([[0.19, 0.9, 0.1], [0.0, 0.9, 0.1]])) == pytest.approx([0.95, 0.2])


def test_it_is_written_and_read_again(tmp_path: Path) -> None:
    decision = rule(
        thresholds={"c": 0.1234567890123},
        doubt=0.9,
        asked=("--recall 'c>=0.9'",),
        promises=(Promise(what="recall", of="c", at_least=0.9, shown=0.91),),
    )
    decision.write(tmp_path / "decision.toml")
    assert read_decision(tmp_path / "decision.toml") == decision
    assert (tmp_path / "decision.toml").read_text().startswith("# What 'imgcls decide' chose.")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"thresholds": {"x": 0.1}}, "'x' is no class"),
        ({"thresholds": {"a": 0.1, "b": 0.1}}, "of one class only"),
        ({"thresholds": {"a": 1.5}}, "at most 1"),
        ({"costs": {"a": (0, 1, 1)}}, "'b' is missing"),
        ({"costs": {"a": (0, 1), "b": (0, 1, 1), "c": (0, 1, 1)}}, "2 for 3 classes"),
        ({"costs": dict.fromkeys(CLASSES, (0, 1, -1))}, "at least 0"),
        ({"costs": dict.fromkeys((*CLASSES, "d"), (0, 1, 1))}, "'d' is no answer"),
        ({"classes": ("a", NOT_SURE, "c"), "doubt": 0.5}, "no answer can be left open"),
        ({"thresold": {"a": 0.1}}, "Did you mean 'thresholds'"),
    ],
)
def test_what_does_not_fit_is_named(values: dict[str, object], said: str, tmp_path: Path) -> None:
    import tomlkit

    content = {"type": "multiclass", "classes": list(CLASSES), **values}
    (tmp_path / "decision.toml").write_text(tomlkit.dumps(content))
    with pytest.raises(ProblemError, match=said):
        read_decision(tmp_path / "decision.toml")


def test_it_counts_for_the_run_that_it_was_made_for(run: Run, tmp_path: Path) -> None:
    """Another training has other probabilities; a file that is named counts all the same."""
    assert decision_for(run) == (Decision.default(run.problem, run.classes), "")
    decision = rule(thresholds={"c": 0.2})
    decision.write(tmp_path / "decision.toml")
    assert decision_for(run) == (decision, "")
    run.id, run.key = "run-2", "e" * 64
    found, said = decision_for(run)
    assert found.is_default
    assert "made for run-1, so run-2 answers by the default" in said
    found, said = decision_for(run, tmp_path / "decision.toml")
    assert found == decision
    assert said == "decision.toml was made for run-1, not for run-2."


def test_a_decision_of_other_classes_is_refused(run: Run, tmp_path: Path) -> None:
    rule(thresholds={"c": 0.2}).write(tmp_path / "decision.toml")
    run.classes = ("a", "b", "d")
    with pytest.raises(ProblemError, match=r"of other classes \(a, b, c\) than run-1 \(a, b, d\)"):
        decision_for(run)


def test_a_named_file_has_to_be_there(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match="none\\.toml"):
        decision_for(run, tmp_path / "none.toml")
