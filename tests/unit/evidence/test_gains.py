"""Tests of gains: worked examples to six digits, textbook tests where the formula reduces to them, and its edges."""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar

import imgcls
from imgcls.errors import UsageError
from imgcls.evidence import verdicts
from imgcls.evidence.gains import Gain, ensemble_gain, mcnemar, measure
from imgcls.evidence.variance import VarianceComponents, quantile, run_variance
from imgcls.evidence.verdicts import contributed

Rows = np.ndarray


def rng(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def separate_trainings() -> tuple[Rows, Rows]:
    """Three and four runs on 50 images."""
    random = rng(11)
    easy = random.random(50)
    a = random.random((3, 50)) < 0.35 + 0.6 * easy + [[-0.12], [0], [0.12]]
    b = random.random((4, 50)) < 0.55 + 0.6 * easy + [[-0.1], [0], [0.1], [0.05]]
    return a.astype(float), b.astype(float)


def same_weights() -> tuple[Rows, Rows]:
    """Three runs on 80 images, and what a second way of predicting made of them."""
    random = rng(12)
    a = random.random((3, 80)) < 0.8
    flipped = random.random((3, 80)) < np.where(a, 0.03, 0.30)
    return a.astype(float), (a ^ flipped).astype(float)


def agreeing_seeds() -> tuple[Rows, Rows]:
    """Every seed gains two images of 60, each two others, so that the seeds seem not to differ."""
    a = np.zeros((3, 60))
    a[:, :48] = 1
    b = a.copy()
    for row in range(3):
        b[row, [48 + 2 * row, 49 + 2 * row]] = 1
    return a, b


def numbers(gain: Gain) -> list[float]:
    assert gain.noise is not None
    noise = gain.noise
    found = [gain.value, noise.seeds, noise.both, noise.images, noise.seed_df, gain.standard_error]
    return [*found, gain.low, gain.high, gain.p]


def six_digits(*expected: float) -> Any:
    """Numbers written to six digits, of which the last may be rounded."""
    return pytest.approx(list(expected), rel=6e-6, abs=1e-12)


def test_separate_trainings_by_hand() -> None:
    a, b = separate_trainings()
    assert [*a.sum(axis=1), *b.sum(axis=1)] == [27, 36, 35, 42, 39, 46, 44]
    gain = measure(a, b)
    assert numbers(gain)[:6] == six_digits(0.201667, 0.00413611, 0.00190822, 0.00170686, 3.09455, 0.0643126)
    assert numbers(gain)[6:] == six_digits(0.000488036, 0.402845, 0.0496994)
    assert gain.components is not None
    assert [gain.components.seed, gain.components.both] == six_digits(0.0070068, 0.31466)
    assert gain.components.image == 0
    assert (gain.method, gain.n_runs, gain.n_images, gain.n_units) == ("separate trainings", (3, 4), 50, 50)


def test_one_run_a_side_by_hand() -> None:
    a, b = separate_trainings()
    gain = measure(a[:1], b[:1])
    assert gain.noise is not None
    assert [gain.value, gain.noise.images, gain.low, gain.high] == six_digits(0.3, 0.00755102, 0.129686, 0.470314)
    assert (gain.method, gain.components, gain.here) == ("these models", None, None)


def test_same_weights_by_hand() -> None:
    a, b = same_weights()
    assert [*a.sum(axis=1), *b.sum(axis=1)] == [58, 68, 59, 62, 74, 63]
    gain = measure(a, b, same_weights=True)
    value, seeds, both, images, df, _, *rest = numbers(gain)
    assert [value, seeds, both, images, df] == six_digits(0.0583333, 6.94444e-05, 0.000333158, 0.000449191, 2)
    assert rest == six_digits(0.0167238, 0.0999428, 0.0238316)
    assert gain.n_changed == 19
    assert (int(((a[0] == 0) & (b[0] == 1)).sum()), int(((a[0] == 1) & (b[0] == 0)).sum())) == (5, 1)
    assert mcnemar(a[0], b[0]) == measure(a[:1], b[:1], same_weights=True).p == pytest.approx(0.21875)


def test_seeds_that_agree_to_the_last_image_do_not_make_sure() -> None:
    gain = measure(*agreeing_seeds(), same_weights=True)
    value, seeds, both, images, _, _, *rest = numbers(gain)
    assert seeds == pytest.approx(0, abs=1e-18)
    assert [value, both, images] == six_digits(0.0333333, 0.000188324, 0.000169492)
    assert rest == six_digits(0.00643652, 0.0602301, 0.0151409)
    assert gain.n_changed == 6


def test_a_rung_against_itself_gains_nothing() -> None:
    a, _ = separate_trainings()
    for same in (False, True):
        gain = measure(a, a, same_weights=same)
        assert (gain.value, gain.p, gain.is_identical) == (0, 1, True)


METRICS = {
    "accuracy": (0.295833, 0.172335, 0.419332, 0.00508711),
    "log_loss": (0.215377, 0.108481, 0.322273, 0.00657182),
    "macro_f1": (0.299392, 0.171479, 0.427304, 0.00609248),
    "roc_auc": (0.180301, 0.0864567, 0.274146, 0.0118898),
}


def three_and_two_runs() -> tuple[Rows, Rows, Rows]:
    """Probabilities with many ties, one run missing on a side."""
    random, labels = rng(13), np.arange(40) % 3
    drawn = [random.random((3, 40, 3)), random.random((2, 40, 3))]
    for probabilities, lift in zip(drawn, (0.3, 0.6), strict=True):
        probabilities[:, np.arange(40), labels] += lift
    softened = [values.round(1) + 0.05 for values in drawn]
    a, b = (values / values.sum(axis=-1, keepdims=True) for values in softened)
    return a, b, labels


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_by_hand(metric: str) -> None:
    a, b, labels = three_and_two_runs()
    judged = imgcls.verdict(a, b, labels, metric=metric)
    assert [judged.value, judged.low, judged.high, judged.p] == six_digits(*METRICS[metric])
    assert judged.gain.n_runs == (3, 2)


def test_the_mean_of_a_row_is_the_metric() -> None:
    from sklearn.metrics import accuracy_score, f1_score, log_loss, roc_auc_score

    a, _, labels = three_and_two_runs()
    theirs = {
        "accuracy": lambda run: accuracy_score(labels, run.argmax(axis=1)),
        "log_loss": lambda run: -log_loss(labels, run),
        "macro_f1": lambda run: f1_score(labels, run.argmax(axis=1), average="macro"),
        "roc_auc": lambda run: roc_auc_score(labels, run, multi_class="ovr"),
    }
    for metric, score in theirs.items():
        means = run_variance(contributed(metric, a, labels, name="a")).means
        assert means == pytest.approx([score(run) for run in a], abs=1e-12), metric


def test_half_width_and_p_by_hand() -> None:
    noise = VarianceComponents(seeds=4e-5, both=1e-5, images=3e-5, seed_df=3.2)
    assert [noise.half_width(0.05), noise.p_value(0.02)] == six_digits(0.0213195, 0.0594286)


def test_without_luck_of_images_it_is_welchs_test() -> None:
    """Where all images of a run count alike, nothing but the seeds differs."""
    means_a, means_b = np.array([0.71, 0.74, 0.70]), np.array([0.79, 0.75, 0.82, 0.80])
    gain = measure(np.repeat(means_a[:, None], 9, axis=1), np.repeat(means_b[:, None], 9, axis=1))
    theirs = stats.ttest_ind(means_b, means_a, equal_var=False)
    interval = theirs.confidence_interval(0.95)
    assert gain.p == pytest.approx(theirs.pvalue, rel=1e-9)
    assert gain.degrees_of_freedom == pytest.approx(theirs.df)
    assert (gain.low, gain.high) == pytest.approx((interval.low, interval.high))
    assert gain.here == pytest.approx((interval.low, interval.high))
    assert gain.seed_sds == pytest.approx((means_a.std(ddof=1), means_b.std(ddof=1)))


def test_same_weights_without_luck_of_images_are_a_paired_t_test() -> None:
    means_a, means_b = np.array([0.71, 0.74, 0.70]), np.array([0.73, 0.75, 0.74])
    rows = [np.repeat(means[:, None], 9, axis=1) for means in (means_a, means_b)]
    theirs = stats.ttest_rel(means_b, means_a)
    gain = measure(rows[0], rows[1], same_weights=True)
    assert gain.p == pytest.approx(theirs.pvalue, rel=1e-9)
    assert gain.degrees_of_freedom == 2


def test_with_many_equal_runs_it_is_a_z_test_over_images() -> None:
    """Seeds that give the same answers leave the images alone to chance."""
    random = rng(3)
    a, b = (np.tile(random.random(40) < share, (4, 1)).astype(float) for share in (0.5, 0.8))
    gain = measure(a, b)
    difference = b[0] - a[0]
    assert gain.noise is not None
    assert (gain.noise.seeds, gain.noise.both) == (0, 0)
    assert gain.degrees_of_freedom == 6
    z = difference.mean() / stats.sem(difference)
    assert gain.p == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-9)


def test_given_models_are_judged_by_images_alone() -> None:
    random = rng(4)
    a, b = random.normal(size=(1, 30)), random.normal(0.3, size=(1, 30))
    gain = measure(a, b, same_weights=True)
    half = 1.959963984540054 * stats.sem((b - a)[0])
    assert (gain.low, gain.high) == pytest.approx((gain.value - half, gain.value + half))
    assert gain.p == pytest.approx(2 * stats.norm.sf(abs(gain.value) / stats.sem((b - a)[0])))


@pytest.mark.parametrize(("mended", "broken"), [(0, 0), (6, 0), (0, 6), (3, 3), (11, 4), (40, 71)])
def test_mcnemar_is_that_of_statsmodels(mended: int, broken: int) -> None:
    before, after = np.zeros(130), np.zeros(130)
    after[:mended] = 1
    before[mended : mended + broken] = 1
    before[120:] = after[120:] = 1
    theirs = their_mcnemar([[10, broken], [mended, 120 - mended - broken]], exact=True).pvalue
    assert mcnemar(before, after) == pytest.approx(theirs)


@pytest.mark.parametrize("df", [1, 2, 3.0945, 8, 40, np.inf])
@pytest.mark.parametrize("level", [0.1, 0.05, 0.001, 1e-9])
def test_quantiles_are_scipys(df: float, level: float) -> None:
    assert quantile(df, level) == pytest.approx(stats.t.isf(level / 2, df))


@pytest.mark.parametrize(
    "noise",
    [
        VarianceComponents(4e-5, 1e-5, 3e-5, 3.2),
        VarianceComponents(0.0, 2e-5, 1e-5, 4),
        VarianceComponents(1e-4, 9e-5, 2e-5, 2),
        VarianceComponents(3e-5, 1e-5, 4e-5, 6, image_df=7),
    ],
)
@pytest.mark.parametrize("gain", [1e-4, 0.004, -0.02, 0.08])
def test_p_is_where_the_interval_touches_zero(noise: VarianceComponents, gain: float) -> None:
    p = noise.p_value(gain)
    if p > 1e-12:
        assert noise.half_width(p) == pytest.approx(abs(gain), rel=1e-6)


def test_an_interval_is_never_narrower_than_the_luck_of_images() -> None:
    noise = VarianceComponents(seeds=0.0, both=5e-5, images=4e-5, seed_df=4)
    assert noise.half_width(0.05) == pytest.approx(1.959964 * np.sqrt(5e-5))
    assert noise.standard_error == pytest.approx(np.sqrt(5e-5))


def test_the_spread_is_that_of_a_two_way_layout() -> None:
    """The interaction is the residual mean square of the analysis of variance, a run of which has n images."""
    import pandas as pd
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    values = rng(5).normal(size=(4, 7)) + rng(6).normal(size=(4, 1))
    seed, image = np.indices(values.shape)
    data = pd.DataFrame({"value": values.ravel(), "seed": seed.ravel(), "image": image.ravel()})
    table = anova_lm(ols("value ~ C(seed) + C(image)", data).fit())
    found = run_variance(values)
    assert found.interaction == pytest.approx(table.loc["Residual", "mean_sq"] / 7)
    assert found.seed_variance == pytest.approx(table.loc["C(seed)", "mean_sq"] / 7)


# Groups


def grouped() -> tuple[Rows, Rows, np.ndarray]:
    random = rng(8)
    a, b = random.random((3, 60)) < 0.6, random.random((4, 60)) < 0.75
    return a.astype(float), b.astype(float), np.repeat(np.arange(12), 5)


def test_copies_of_every_image_within_its_group_change_nothing() -> None:
    a, b, groups = grouped()
    once = imgcls.gain(a, b, groups)
    twice = imgcls.gain(np.tile(a, (1, 2)), np.tile(b, (1, 2)), np.tile(groups, 2))
    assert numbers(twice.gain) == pytest.approx(numbers(once.gain))
    alone = imgcls.gain(np.tile(a, (1, 2)), np.tile(b, (1, 2)))
    assert alone.high - alone.low < imgcls.gain(a, b).high - imgcls.gain(a, b).low


def test_groups_count_as_units_with_t() -> None:
    a, b, groups = grouped()
    gain = imgcls.gain(a[:1], b[:1], groups, same_weights=True).gain
    sums = (b[0] - a[0]).reshape(12, 5).mean(axis=1)
    theirs = stats.ttest_1samp(sums, 0)
    interval = theirs.confidence_interval(0.95)
    assert gain.p == pytest.approx(theirs.pvalue)
    assert (gain.low, gain.high) == pytest.approx((interval.low, interval.high))
    assert (gain.n_images, gain.n_units, gain.has_groups) == (60, 12, True)


def test_unequal_groups_are_weighed_as_a_ratio() -> None:
    """Against the cluster-robust variance of statsmodels, without its own small-sample factors."""
    import statsmodels.api as sm

    random = rng(9)
    groups = random.integers(0, 9, 80)
    a, b = random.normal(size=(1, 80)), random.normal(size=(1, 80))
    gain = imgcls.gain(a, b, groups, same_weights=True).gain
    fit = sm.OLS((b - a)[0], np.ones(80)).fit(cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False})
    assert gain.standard_error == pytest.approx(fit.bse[0] * np.sqrt(9 / 8))


def test_names_of_groups_may_be_missing() -> None:
    a, b, _ = grouped()
    names = ["x"] * 10 + ["y"] * 10 + ["", None, float("nan")] + ["z"] * 37
    gain = imgcls.gain(a, b, names).gain
    assert gain.n_units == 6
    every = imgcls.gain(a, b, list(range(60))).gain
    assert (every.has_groups, every.n_units) == (False, 60)


def test_a_missing_name_of_pandas_is_a_group_of_its_own() -> None:
    import pandas as pd

    a, b, _ = grouped()
    assert imgcls.gain(a, b, pd.array(["x"] * 58 + [None, None], dtype="string[python]")).gain.n_units == 3


# What people read first


def test_the_guide_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(__file__).parents[3] / "docs" / "guide" / "statistics.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r"^```python\n(import numpy.*?imgcls\.gain.*?)^```", text, re.MULTILINE | re.DOTALL)
    exec(snippet, {})
    said = re.findall(r"^print.*  # (.*)$", snippet, re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == said


def test_the_examples_in_docstrings_run() -> None:
    assert doctest.testmod(verdicts, extraglobs={"imgcls": imgcls}) == (0, 4)


# What is no noise, and what does not fit


CONSTANT = {
    "rounding": (np.full((3, 9), 0.1), np.full((3, 9), 0.3)),
    "rounding, other runs": (np.full((3, 9), 0.1), np.full((7, 9), 0.7)),
    "exact": (np.zeros((3, 9)), np.ones((3, 9))),
}


@pytest.mark.parametrize("name", CONSTANT)
@pytest.mark.parametrize("same", [False, True])
def test_a_gain_that_is_the_same_everywhere_proves_nothing(name: str, same: bool) -> None:
    a, b = CONSTANT[name]
    judged = imgcls.gain(a, b[:3] if same else b, same_weights=same)
    assert (judged.p, judged.gain.standard_error) == (1, 0)
    assert judged.verdict == "no evidence"
    assert "nothing varies, so there is no variance to judge by" in judged.remarks
    assert judged.detectable is None


def test_equal_numbers_added_up_in_another_order_are_no_gain() -> None:
    values = np.tile([0.1, 0.2, 0.3, 0.7], (3, 1))
    judged = imgcls.gain(values, np.concatenate([values, values[:2] + 1e-17]))
    assert (judged.value, judged.p) == (0, 1)


@pytest.mark.parametrize("groups", [None, ["x"] * 3])
def test_a_single_unit_has_no_interval(groups: list[str] | None) -> None:
    n = 1 if groups is None else 3
    judged = imgcls.gain(np.eye(3)[:, :n], np.ones((3, n)), groups)
    assert (judged.verdict, judged.p, judged.gain.has_interval) == ("cannot tell", 1, False)
    assert "nan" not in str(judged)


REFUSED: dict[str, tuple[Any, Any, dict[str, Any], str]] = {
    "other images": ([1, 0, 1], [1, 0], {}, "on 3 and 2 images"),
    "other runs": (np.eye(3), np.ones((2, 3)), {"same_weights": True}, "made 3 and 2 runs"),
    "NaN": ([1.0, np.nan], [1, 0], {}, "a: 1 contributions are no finite numbers"),
    "infinite": ([1, 0], [1, np.inf], {}, "b: 1 contributions"),
    "empty": ([], [], {}, r"a: contributions have the shape \[runs, images\], not \[1, 0\]"),
    "no runs": (np.zeros((0, 4)), np.ones((2, 4)), {}, "a: contributions have the shape"),
    "three dimensions": (np.ones((2, 2, 2)), np.ones((2, 2)), {}, "a: contributions have the shape"),
    "words": (["cat", "dog"], [1, 0], {}, "a: contributions are numbers"),
    "ragged": ([[1, 0], [1]], [1, 0], {}, "a: contributions are numbers"),
    "groups": ([1, 0], [1, 1], {"groups": ["x"]}, "1 names for 2 images"),
    "smallest gain": ([1, 0], [1, 1], {"smallest_gain": 0}, "smallest gain of interest has to be above 0"),
    "smallest gain NaN": ([1, 0], [1, 1], {"smallest_gain": float("nan")}, "above 0, not nan"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_contributions_that_do_not_fit_are_refused(name: str) -> None:
    a, b, options, message = REFUSED[name]
    with pytest.raises(UsageError, match=message):
        imgcls.gain(a, b, **options)


def test_all_problems_of_a_comparison_are_told_at_once() -> None:
    with pytest.raises(UsageError, match=r"(?s)3 and 4 images.*made 2 and 1 runs.*1 contributions are no finite"):
        measure(np.ones((2, 3)), np.full((1, 4), [1, 1, 1, np.nan]), same_weights=True)
    with pytest.raises(UsageError, match="at least one run"):
        measure(np.zeros((0, 3)), np.ones((2, 3)))


GIVEN = np.array([[[0.8, 0.2], [0.4, 0.6], [0.3, 0.7]]])
UNFIT: dict[str, tuple[Any, Any, Any, dict[str, Any], str]] = {
    "sum": (GIVEN, GIVEN / 2, [0, 1, 1], {}, "probabilities_b, run 0: .* sum to 1"),
    "second run": (np.concatenate([GIVEN, GIVEN * 2]), GIVEN, [0, 1, 1], {}, "probabilities_a, run 1:"),
    "NaN": (np.where(GIVEN == 0.8, np.nan, GIVEN), GIVEN, [0, 1, 1], {}, r"_a, run 0: .*\[0, 1\]"),
    "labels": (GIVEN, GIVEN, [0, 1], {}, r"shape \[3\], not \[2\]"),
    "label unknown": (GIVEN, GIVEN, [0, 1, 2], {}, "0 … 1"),
    "labels as words": (GIVEN, GIVEN, ["cat", "dog", "dog"], {}, "whole numbers"),
    "other images": (GIVEN, GIVEN[:, :2], [0, 1, 1], {}, "probabilities_b, run 0: Targets"),
    "shape": (GIVEN[0, :, 0], GIVEN, [0, 1, 1], {}, r"probabilities_a: .*\[runs, images, classes\], not \[3\]"),
    "empty": (GIVEN[:0], GIVEN, [0, 1, 1], {}, r"not \[0, 3, 2\]"),
    "words": ([["a", "b"]], GIVEN, [0, 1, 1], {}, "probabilities_a: probabilities are numbers"),
    "one class": (GIVEN, GIVEN, [1, 1, 1], {"metric": "roc_auc"}, "too few classes"),
    "no contributions": (GIVEN, GIVEN, [0, 1, 1], {"metric": "average_precision"}, "no contributions"),
    "metric": (GIVEN, GIVEN, [0, 1, 1], {"metric": "acuracy"}, "Did you mean 'accuracy'"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_probabilities_that_do_not_fit_are_refused(name: str) -> None:
    a, b, labels, options, message = UNFIT[name]
    with pytest.raises(UsageError, match=message):
        imgcls.verdict(a, b, labels, **options)


def test_a_single_run_may_be_given_without_its_dimension() -> None:
    other = np.array([[0.3, 0.7], [0.6, 0.4], [0.2, 0.8]])
    flat, full = imgcls.verdict(GIVEN[0], other, [0, 1, 1]), imgcls.verdict(GIVEN, other[None], [0, 1, 1])
    assert str(flat) == str(full)
    assert flat.value == pytest.approx(-2 / 3)


def test_several_labels_an_image() -> None:
    random = rng(21)
    labels = (random.random((60, 3)) < 0.4).astype(int)
    a, b = (np.clip(random.random((3, 60, 3)) * 0.6 + lift * labels, 0, 1) for lift in (0.2, 0.4))
    judged = imgcls.verdict(a, b, labels, metric="roc_auc")
    assert judged.verdict == "better"
    right = ((a >= 0.5) == labels).mean(axis=2)
    assert imgcls.verdict(a, b, labels).gain.n_runs == (3, 3)
    assert contributed("accuracy", a, labels, name="a") == pytest.approx(right)


def drawn_members(random: np.random.Generator, *, n_runs: int, n: int, own: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw the probabilities [S, n, 3] of runs that share what is hard, and the classes [n]."""
    truth = random.integers(0, 3, n)
    shared = random.normal(size=(n, 3)) + 1.3 * np.eye(3)[truth]
    scores = shared + own * random.normal(size=(n_runs, n, 3))
    return np.exp(scores) / np.exp(scores).sum(axis=2, keepdims=True), truth


def of_mean(values: np.ndarray, truth: np.ndarray) -> Gain:
    """Measure the gain in accuracy of the mean of runs over one of them."""

    def right(probabilities: np.ndarray) -> np.ndarray:
        return (probabilities.argmax(axis=-1) == truth).astype(float)

    without = np.stack([right(np.delete(values, left_out, axis=0).mean(axis=0)) for left_out in range(len(values))])
    return ensemble_gain(right(values), right(values.mean(axis=0)), without)


@pytest.mark.parametrize(("n_runs", "n"), [(3, 400), (5, 400), (5, 1500)])
def test_the_gain_of_a_mean_of_runs_is_covered_for_new_runs_and_images(n_runs: int, n: int) -> None:
    """In 95 % of draws at the least: the interval is careful, since jackknife and units count some noise twice."""
    random = np.random.default_rng(n_runs)
    true = np.mean([of_mean(*drawn_members(random, n_runs=n_runs, n=4000, own=0.8)).value for _ in range(40)])
    gains = [of_mean(*drawn_members(random, n_runs=n_runs, n=n, own=0.8)) for _ in range(150)]
    assert np.mean([gain.low <= true <= gain.high for gain in gains]) >= 0.95
    assert np.mean([gain.value for gain in gains]) == pytest.approx(true, abs=0.01)
    assert all(gain.fewest_runs == n_runs and gain.same_weights for gain in gains)


def test_a_mean_of_runs_that_are_the_same_gains_exactly_nothing() -> None:
    """It is one of them."""
    values, truth = drawn_members(np.random.default_rng(0), n_runs=1, n=200, own=0.5)
    gain = of_mean(values.repeat(4, axis=0), truth)
    assert (gain.value, gain.low, gain.high, gain.is_identical) == (0, 0, 0, True)


def test_groups_are_the_units_of_the_gain_of_a_mean() -> None:
    """Images that are there twice, as one group each, say no more than once."""
    values, truth = drawn_members(np.random.default_rng(1), n_runs=4, n=300, own=0.8)
    once = of_mean(values, truth)
    twice_values, twice_truth = values.repeat(2, axis=1), truth.repeat(2)

    def right(probabilities: np.ndarray) -> np.ndarray:
        return (probabilities.argmax(axis=-1) == twice_truth).astype(float)

    without = np.stack([right(np.delete(twice_values, one, axis=0).mean(axis=0)) for one in range(4)])
    together, groups = right(twice_values.mean(axis=0)), np.arange(300).repeat(2)
    grouped = ensemble_gain(right(twice_values), together, without, groups=groups)
    assert grouped.standard_error == pytest.approx(once.standard_error)
    assert (grouped.n_units, grouped.n_images) == (300, 600)
    assert ensemble_gain(right(twice_values), together, without).standard_error < once.standard_error
