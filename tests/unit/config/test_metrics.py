"""A metric is a text: what it names, how it is written, and what is said of those that are none."""

from __future__ import annotations

import pytest

from imgcls.config.metrics import (
    METRICS,
    RECORDED,
    Units,
    decided_by,
    deciding_metric,
    described,
    find_metric,
    in_words,
)
from imgcls.errors import UsageError


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_found_by_its_own_text(name: str) -> None:
    metric = find_metric(METRICS[name].example)
    assert metric.name == name
    assert find_metric(metric.text) == metric
    assert metric.title
    assert "{" not in metric.title


def test_the_recorded_ones_need_no_options() -> None:
    assert [METRICS[name].example for name in RECORDED] == list(RECORDED)


@pytest.mark.parametrize(
    ("text", "written", "title"),
    [
        (" f_beta:beta=2.0 ", "f_beta:beta=2", "F2"),
        ("f_beta:class=defective,beta=.5", "f_beta:beta=0.5,class=defective", "F0.5 (defective)"),
        ("sensitivity:class=a,b=1, {c}", "sensitivity:class=a,b=1, {c}", None),
        ("roc_auc:class=very dark: red", "roc_auc:class=very dark: red", "ROC AUC (very dark: red)"),
        ("top_k:k=3", "top_k:k=3", "Top-3 accuracy"),
        ("recall_at_precision:precision=0.90", "recall_at_precision:precision=0.9", "Recall at precision 0.9"),
        ("cost:total", "cost:total", "total"),
        ("my.costs:total:lower", "my.costs:total:lower", "total"),
    ],
)
def test_equal_metrics_are_written_in_one_way(text: str, written: str, title: str | None) -> None:
    if title is None:
        with pytest.raises(UsageError, match="has no option 'b'"):
            find_metric(text)
        return
    assert find_metric(text).text == written
    assert find_metric(written) == find_metric(text)
    assert find_metric(text).title == title


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kapa", "There is no metric 'kapa'"),
        ("quadratic_kapa", "Did you mean 'quadratic_kappa'"),
        ("", "There is no metric ''"),
        ("f_beta", "f_beta needs beta, a number above 0 and at most 100"),
        ("f_beta:beta=0", "beta has to be a number above 0 and at most 100"),
        ("f_beta:beta=1,beta=2", "beta is given twice"),
        ("f_beta:beta=nan", "beta has to be"),
        ("f_beta:beta=two", "not 'two'"),
        ("f_beta:bta=2", "has no option 'bta'. Did you mean 'beta'"),
        ("top_k:k=2.5", "k has to be a whole number from 1 to 1000"),
        ("top_k:k=0", "k has to be a whole number from 1 to 1000"),
        ("recall_at_precision:precision=1.2", "a share above 0 and at most 1"),
        ("accuracy:class=a", "It takes none"),
        ("sensitivity:class=", "class has to be the name of a class"),
        ("one:two:three", "There is no metric"),
        ("os.path:", "There is no metric"),
    ],
)
def test_what_is_no_metric_is_said(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("(", r"\(")):
        find_metric(text)
    assert described(text).title == text  # a record of another version is shown all the same


def test_only_what_has_contributions_decides() -> None:
    refused = {name for name, one in METRICS.items() if not one.has_contributions}
    assert refused == {"average_precision", "calibration_error", "recall_at_precision", "precision_at_recall"}
    for name in refused:
        with pytest.raises(UsageError, match="has no verdict; use --metric"):
            deciding_metric(METRICS[name].example)
    assert deciding_metric("cost:total:lower").higher_is_better is False


@pytest.mark.parametrize(
    ("text", "problem", "classes", "said"),
    [
        ("mcc", "multilabel", "abc", "mcc is defined for two classes and several classes, not for several labels"),
        ("quadratic_kappa", "multilabel", "abc", "not for several labels an image"),
        ("top_k:k=1", "binary", "ab", "not for two classes"),
        ("top_k:k=3", "multiclass", "abc", "always right"),
        ("sensitivity:class=d", "multiclass", "abc", "There are: a, b, c"),
        ("quadratic_kappa", "multiclass", "abc", r"such as quadratic_kappa:order=a\|b\|c"),
        ("quadratic_kappa:order=a|b", "multiclass", "abc", "has to name each of a, b, c once"),
        ("quadratic_kappa:order=a|b|b", "multiclass", "abc", "has to name each of a, b, c once"),
    ],
)
def test_what_does_not_fit_the_problem_is_said(text: str, problem: str, classes: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        find_metric(text).check(problem, tuple(classes))


def test_classes_that_are_numbers_have_an_order() -> None:
    assert find_metric("quadratic_kappa").ranks(("1", "2", "10"), n=3) == [0, 1, 2]
    assert find_metric("quadratic_kappa").ranks(("yes", "no"), n=2) == [0, 1]
    assert find_metric("quadratic_kappa:order=none|mild|severe").ranks(("mild", "none", "severe"), n=3) == [1, 0, 2]


@pytest.mark.parametrize(
    ("metric", "gain", "unit", "way"),
    [
        ("f_beta:beta=2", "+1.2", "points", "A point is 0.01 of F2"),
        ("brier", "+1.2", "points", "a gain is a drop in Brier score"),
        ("log_loss", "+0.012", "nats", "A gain is a drop in log loss"),
        ("cost:total", "+0.012", "units", "A unit is 1 of total"),
        ("cost:total:lower", "+0.012", "units", "a gain is a drop in total"),
    ],
)
def test_gains_are_written_in_the_unit_of_the_metric(metric: str, gain: str, unit: str, way: str) -> None:
    units = Units(metric)
    assert (units.gain(0.0123), units.name) == (gain, unit)
    assert way in units.explained


def test_a_gain_goes_no_further_than_the_range() -> None:
    assert Units("mcc").interval(-3, 3) == "[-200.0, +200.0]"
    assert Units("sensitivity").interval(-3, 3) == "[-100.0, +100.0]"
    assert Units("cost:total").interval(-3, 3) == "[-3.000, +3.000]"


def test_metrics_of_an_order_are_held_against_ranking_at_random() -> None:
    assert decided_by("recall_at_precision:precision=0.9", "binary", known=["roc_auc"]) == "roc_auc"
    assert decided_by("mcc", "binary", known=["roc_auc"]) == "accuracy"


def test_names_keep_their_letters_within_a_sentence() -> None:
    texts = ("MCC", "F2 (Dark)", "Brier score", "ROC AUC", "top-3 accuracy", "Total")
    metrics = ("mcc", "f_beta:beta=2,class=Dark", "brier", "roc_auc", "top_k:k=3", "cost:Total")
    assert tuple(map(in_words, metrics)) == texts
