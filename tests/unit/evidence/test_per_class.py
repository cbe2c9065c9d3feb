"""Scores of single classes are those of scikit-learn, with intervals that hold."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

from imgcls.evidence.metrics import wilson_interval
from imgcls.evidence.per_class import class_scores


def drawn(n: int, *, k: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw probabilities that know something of the classes, and these."""
    random = np.random.default_rng(seed)
    labels = random.choice(k, n, p=np.array([0.6, 0.3, 0.1]))
    scores = random.normal(size=(n, k)) + 1.2 * np.eye(k)[labels]
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True), labels


def test_values_are_those_of_scikit_learn() -> None:
    """Class by class."""
    values, labels = drawn(400)
    found = class_scores(values, labels, problem="multiclass", classes=("a", "b", "c"))
    precision, recall, f1, n = precision_recall_fscore_support(labels, values.argmax(axis=1))
    assert [one.n for one in found] == n.tolist()
    assert [one.precision.value for one in found] == pytest.approx(precision)
    assert [one.recall.value for one in found] == pytest.approx(recall)
    assert [one.f1.value for one in found] == pytest.approx(f1)
    aucs = [roc_auc_score(labels == place, values[:, place]) for place in range(3)]
    assert [one.roc_auc.value for one in found] == pytest.approx(aucs)
    right = int(((labels == 1) & (values.argmax(axis=1) == 1)).sum())
    assert (found[1].recall.low, found[1].recall.high) == wilson_interval(right, int((labels == 1).sum()))


def test_labels_stand_each_for_themselves() -> None:
    """A label that nobody has, and one that is never predicted, say so."""
    values = np.array([[0.9, 0.1, 0.2], [0.2, 0.1, 0.2], [0.8, 0.1, 0.3]])
    truth = np.array([[1, 0, 1], [0, 0, 0], [0, 0, 0]])
    one, nobody, never = class_scores(values, truth, problem="multilabel", classes=("one", "nobody", "never"))
    assert (one.n, one.precision.value, one.recall.value) == (1, 0.5, 1.0)
    assert (nobody.recall.value, nobody.recall.reason) == (None, "no image has it")
    assert nobody.f1.reason == "no image has it, and none is called so"
    assert nobody.roc_auc.value is None
    assert (never.precision.reason, never.recall.value) == ("never predicted", 0.0)


def test_intervals_cover() -> None:
    """What a large sample says, in about 95 % of small ones, for each score of the rarest class and the largest."""
    large = class_scores(*drawn(200_000, seed=99), problem="multiclass", classes=("a", "b", "c"))
    held: dict[tuple[int, str], list[bool]] = {}
    for seed in range(200):
        found = class_scores(*drawn(400, seed=seed), problem="multiclass", classes=("a", "b", "c"))
        for place in (0, 2):
            for name in ("precision", "recall", "f1", "roc_auc"):
                true, one = getattr(large[place], name).value, getattr(found[place], name)
                held.setdefault((place, name), []).append(one.low <= true <= one.high)
    assert {key: np.mean(values) for key, values in held.items() if not 0.9 <= np.mean(values) <= 0.99} == {}


def test_groups_widen_every_interval() -> None:
    """Images that are there three times as one group say no more than once."""
    values, labels = drawn(150)
    thrice, groups = values.repeat(3, axis=0), [f"g{number // 3}" for number in range(450)]
    options = {"problem": "multiclass", "classes": ("a", "b", "c")}
    alone = class_scores(thrice, labels.repeat(3), **options)
    whole = class_scores(thrice, labels.repeat(3), groups=groups, **options)
    for one, other in zip(alone, whole, strict=True):
        for name in ("precision", "recall", "f1", "roc_auc"):
            narrow, wide = getattr(one, name), getattr(other, name)
            assert wide.value == pytest.approx(narrow.value)
            assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low) or wide.high == 1
    few = class_scores(values, labels, groups=[f"g{number % 3}" for number in range(150)], **options)
    assert few[0].recall.low is None


def test_no_images_have_no_scores() -> None:
    """Nothing to divide by."""
    (one, _) = class_scores(np.zeros((0, 2)), np.zeros(0, dtype=int), problem="binary", classes=("a", "b"))
    assert (one.n, one.recall.value, one.roc_auc.value) == (0, None, None)
