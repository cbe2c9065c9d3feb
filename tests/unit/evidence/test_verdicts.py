"""Tests of verdicts: the table cell by cell, what is said beside it, and Holm's correction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

import imgcls
from imgcls.errors import UsageError
from imgcls.evidence.gains import Gain, measure
from imgcls.evidence.variance import VarianceComponents
from imgcls.evidence.verdicts import Judged, holm, judge


def made(p: float, value: float = 0.02, *, n_runs: tuple[int, int] = (5, 5), sd: float = 0.01, **other: object) -> Gain:
    """Make a gain whose p and interval are what a test needs."""
    gain = Gain(
        value=value,
        low=value - 1.96 * sd,
        high=value + 1.96 * sd,
        low90=value - 1.645 * sd,
        high90=value + 1.645 * sd,
        p=p,
        standard_error=sd,
        method="separate trainings",
        n_images=500,
        n_units=500,
        n_runs=n_runs,
        seed_sds=(0.01, 0.01),
        degrees_of_freedom=8,
        n_changed=60,
        noise=VarianceComponents(sd**2, 0.0, 0.0, 8),
    )
    return replace(gain, **other)  # type: ignore[arg-type]


def one(gain: Gain, **options: float) -> Judged:
    return judge([gain], **options)[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "values", [[0.01, 0.04, 0.03, 0.005], [0.2], [], [0.5, 0.9, 1.0], [0.01, 0.01, 0.02], [0.0, 1]]
)
def test_holm_is_that_of_statsmodels(values: list[float]) -> None:
    theirs = multipletests(values, method="holm")[1].tolist() if values else []
    assert holm(values) == pytest.approx(theirs)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


CELLS = [
    # p, gain, runs, verdict
    (0.001, 0.02, (3, 3), "better"),
    (0.001, -0.02, (3, 3), "worse"),
    (0.05, 0.02, (3, 4), "better"),
    (0.0501, 0.02, (5, 5), "likely better"),
    (0.10, 0.02, (5, 5), "likely better"),
    (0.10, -0.02, (5, 5), "likely worse"),
    (0.1001, 0.02, (8, 8), "no evidence"),
    (1.0, 0.0, (8, 8), "no evidence"),
    (0.0001, 0.02, (2, 2), "likely better"),
    (0.0001, 0.02, (2, 8), "likely better"),
    (0.0001, -0.02, (8, 2), "likely worse"),
    (0.2, 0.02, (2, 2), "no evidence"),
]


@pytest.mark.parametrize(("p", "value", "n_runs", "verdict"), CELLS)
def test_every_cell_of_the_table(p: float, value: float, n_runs: tuple[int, int], verdict: str) -> None:
    assert one(made(p, value, n_runs=n_runs)).verdict == verdict


@pytest.mark.parametrize("n_runs", [(1, 1), (1, 5), (5, 1)])
def test_one_run_cannot_tell(n_runs: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    a, b = (random.random((n, 400)) < share for n, share in zip(n_runs, (0.5, 0.9), strict=True))
    judged = imgcls.gain(a, b)
    assert (judged.verdict, judged.holm_p, judged.detectable, judged.settle) == ("cannot tell", None, None, None)
    assert judged.low > 0
    assert judged.remarks == ("one run says nothing about seed variance: train two seeds or more",)


@pytest.mark.parametrize(("n_groups", "verdict"), [(4, "cannot tell"), (5, "better")])
def test_four_groups_cannot_tell(n_groups: int, verdict: str) -> None:
    random = np.random.default_rng(1)
    a, b = random.random((5, 200)) < 0.3, random.random((5, 200)) < 0.9
    judged = imgcls.gain(a, b, np.arange(200) % n_groups)
    assert judged.verdict == verdict
    assert (judged.remarks[:1] == ("too few groups to tell: 4, and 5 are needed; use folds",)) == (n_groups == 4)


def test_the_family_counts_and_what_cannot_tell_leaves_it() -> None:
    single = made(0.02, method="these models", n_runs=(1, 1))
    first, second, third = judge([made(0.02), made(0.6), single])
    assert (first.holm_p, second.holm_p, third.holm_p) == (0.04, 0.6, None)
    assert (first.verdict, third.verdict) == ("better", "cannot tell")
    among_three = judge([made(0.02), made(0.6), made(0.7)])[0]
    assert (among_three.holm_p, among_three.verdict) == (pytest.approx(0.06), "likely better")
    assert among_three.remarks == ("would count alone, not after 3 comparisons",)
    assert judge([]) == []


def test_only_what_would_count_alone_is_said_to() -> None:
    family = [made(0.3), made(0.4)]
    assert judge([made(0.03), *family])[0].remarks == ("would count alone, not after 3 comparisons",)
    assert judge([made(0.06), *family])[0].remarks == ()
    two_runs = judge([made(0.03, n_runs=(2, 2)), *family])[0]
    assert (two_runs.verdict, two_runs.remarks) == ("likely better", ())
    assert judge([made(0.03), *family], n_looks=2)[0].remarks == (
        "levels divided by 2, since seeds were added after looking",
    )


def test_two_runs_are_told_what_is_missing() -> None:
    assert one(made(0.01, n_runs=(2, 5))).remarks == ("3 seeds are needed for more",)


@pytest.mark.parametrize(
    ("p", "n_looks", "verdict"),
    [(0.02, 1, "better"), (0.02, 3, "likely better"), (0.016, 3, "better"), (0.04, 3, "no evidence")],
)
def test_looks_divide_the_levels(p: float, n_looks: int, verdict: str) -> None:
    assert one(made(p), n_looks=n_looks).verdict == verdict


@pytest.mark.parametrize(("value", "is_equal"), [(0.0, True), (0.0015, True), (0.002, False), (-0.002, False)])
def test_practically_equal_lies_within_the_smallest_gain(value: float, is_equal: bool) -> None:
    judged = one(made(0.5, value, sd=0.002), smallest_gain=0.005)
    assert judged.verdict == "no evidence"
    assert ("practically equal" in judged.remarks) == is_equal


def test_a_sure_gain_is_not_practically_equal_however_small() -> None:
    judged = one(made(0.001, 0.002, sd=0.0005), smallest_gain=0.005)
    assert (judged.verdict, judged.remarks) == ("better", ())


def flipped(n: int, *, n_runs: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Runs of 100 images of which a prediction mends the first n."""
    before = np.zeros((n_runs, 100))
    before[:, 40:] = 1
    after = before.copy()
    after[:, :n] = 1
    return before, after


@pytest.mark.parametrize("n_runs", [1, 3])
@pytest.mark.parametrize(("n", "verdict"), [(5, "no evidence"), (6, "better")])
def test_fewer_than_six_changed_images_prove_nothing(n: int, verdict: str, n_runs: int) -> None:
    before, after = flipped(n, n_runs=n_runs)
    judged = imgcls.gain(before, after, same_weights=True)
    assert judged.verdict == verdict
    assert ("fewer than 6 images changed: 5" in judged.remarks) == (n == 5)
    assert ("for this model" in judged.remarks) == (n_runs == 1)


def test_the_guard_of_six_images_is_for_accuracy_of_the_same_weights() -> None:
    before, after = flipped(5, n_runs=3)
    assert "fewer than 6" not in str(imgcls.gain(before - 0.5, after - 0.5, same_weights=True))
    assert "fewer than 6" not in str(imgcls.gain(before, after))


def test_given_weights_are_judged_by_mcnemar_for_this_model() -> None:
    judged = imgcls.gain(*flipped(6), same_weights=True)
    assert judged.p == pytest.approx(2 * 0.5**6)
    assert judged.remarks == ("for this model",)
    worse = imgcls.gain(*reversed(flipped(8)), same_weights=True)
    assert worse.verdict == "worse"
    random = np.random.default_rng(2)
    loss = random.normal(size=(1, 80))
    other = imgcls.gain(loss, loss + random.normal(0.5, 1, (1, 80)), same_weights=True)
    assert (other.verdict, other.remarks) == ("better", ("for this model",))


@pytest.mark.parametrize("same_weights", [False, True])
def test_identical_predictions_are_called_identical(same_weights: bool) -> None:
    before, _ = flipped(1, n_runs=3)
    judged = imgcls.gain(before, before, same_weights=same_weights)
    assert (judged.verdict, judged.remarks, judged.value, judged.p) == ("no evidence", ("identical",), 0, 1)
    assert judged.settle is None


def test_what_could_have_been_seen_needs_no_settling() -> None:
    random = np.random.default_rng(3)
    rows = measure((random.random((3, 400)) < 0.8).astype(float), (random.random((3, 400)) < 0.8).astype(float))
    open_ = one(rows, smallest_gain=0.01)
    assert open_.detectable is not None
    assert open_.detectable > 0.01
    assert open_.settle is not None
    assert one(rows, smallest_gain=open_.detectable).settle is None


def test_a_verdict_is_read_as_one_line() -> None:
    assert str(one(made(0.001, 0.0213))) == "+0.0213 [+0.0017, +0.0409] better"
    assert str(one(made(0.07, -0.02))) == "-0.0200 [-0.0396, -0.0004] likely worse"
    assert str(one(made(1.0, -0.0, sd=0.0))) == "+0.0000 [+0.0000, +0.0000] no evidence (practically equal)"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"smallest_gain": 0.0}, "smallest gain of interest has to be above 0, not 0.0"),
        ({"smallest_gain": float("nan")}, "above 0, not nan"),
        ({"n_looks": 0}, "number of interim analyses has to be at least 1, not 0"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        one(made(0.5), **options)
