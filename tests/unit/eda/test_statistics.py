from __future__ import annotations

from collections.abc import Callable

import pytest

from imgcls.config.metrics import RECORDED
from imgcls.data.samples import NO_CLASS, Samples
from imgcls.eda.statistics import class_facts, imbalance_facts, occurring_together, recall_half_width
from imgcls.evidence.metrics import wilson_interval

Make = Callable[..., Samples]


def test_classes_are_counted_in_train_and_valid_and_never_in_test(made_samples: Make) -> None:
    samples = made_samples(["a", "a", "b", "a", "b", "b"], ["train", "train", "train", "valid", "test", "test"])
    a, b = class_facts(samples)
    assert (a.n, b.n) == ({"train": 2, "valid": 1}, {"train": 1, "valid": 0})
    assert (a.share, b.share) == (0.75, 0.25)


def test_unlabelled_samples_are_not_counted(made_samples: Make) -> None:
    a, b = class_facts(made_samples(["a", "b", "", ""]))
    assert a.n["train"] == b.n["train"] == 1
    assert a.share == 0.5


def test_several_labels_count_in_each_class_and_together(made_samples: Make) -> None:
    labels = ["a|b", "a", NO_CLASS, "b|c", "a|b|c"]
    splits = ["train", "train", "train", "valid", "test"]
    samples = made_samples(labels, splits, problem="multilabel")
    assert [entry.share for entry in class_facts(samples)] == [0.5, 0.5, 0.25]
    assert occurring_together(samples) == ((2, 1, 0), (1, 2, 1), (0, 1, 1))


def test_one_label_each_has_no_table_of_pairs(made_samples: Make) -> None:
    assert occurring_together(made_samples(["a", "b"])) == ()


def test_imbalance_names_the_rarest_class_and_how_little_is_known_of_it(made_samples: Make) -> None:
    labels = ["many"] * 40 + ["rare"] * 10
    splits = ["train"] * 30 + ["valid"] * 10 + ["train"] * 5 + ["valid"] * 5
    facts = imbalance_facts(made_samples(labels, splits), metric="accuracy")
    low, high = wilson_interval(4, 5)
    assert (facts.ratio, facts.rarest, facts.n_valid_rarest) == (4.0, "rare", 5)
    assert facts.half_width == pytest.approx((high - low) / 2)
    assert facts.majority_score == pytest.approx(10 / 15)
    assert "Accuracy flatters here" in facts.meaning
    assert "0.67" in facts.meaning
    assert "5 validation images" in facts.meaning


def test_a_class_without_validation_images_has_no_interval(made_samples: Make) -> None:
    facts = imbalance_facts(made_samples(["a", "a", "b"], ["train", "valid", "train"]), metric="roc_auc")
    assert facts.half_width is None
    assert "no validation image" in facts.meaning


def test_without_labels_there_is_something_to_say_all_the_same(made_samples: Make) -> None:
    facts = imbalance_facts(made_samples(["", ""], classes=("a", "b")), metric="accuracy")
    assert (facts.ratio, facts.half_width) == (1.0, None)


@pytest.mark.parametrize("metric", [*RECORDED, "brier", "mcc", "f_beta:beta=2", "module:function"])
def test_every_metric_has_a_sentence_on_uneven_classes(made_samples: Make, metric: str) -> None:
    even = imbalance_facts(made_samples(["a", "b"] * 20), metric=metric)
    uneven = imbalance_facts(made_samples(["a"] * 40 + ["b"] * 2), metric=metric)
    assert "about equally frequent" in even.meaning
    assert "about equally frequent" not in uneven.meaning


def test_the_interval_of_a_recall_narrows_with_images() -> None:
    assert recall_half_width(0) is None
    assert recall_half_width(10) > recall_half_width(100) > recall_half_width(1000)
