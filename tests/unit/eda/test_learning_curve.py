import numpy as np
import pytest

from imgcls.eda.facts import CurvePoint
from imgcls.eda.features import Features
from imgcls.eda.learning_curve import is_rising, learning_curve


def curve_of(draw_scan, *, n_train, n_valid, d, signal, groups=None, seed=0, n_seen=None):
    rng = np.random.default_rng([seed, 1])
    n = n_train + n_valid
    labels = rng.integers(0, 2, n)
    values = rng.normal(size=(n, d))
    values += signal * (2 * labels[:, None] - 1) / np.sqrt(d)
    splits = ["train"] * n_train + ["valid"] * n_valid
    scan = draw_scan([f"c{label}" for label in labels], splits=splits, groups=groups)
    rows = np.arange(n) if n_seen is None else np.concatenate([np.arange(n_seen), np.arange(n_train, n)])
    return learning_curve(scan, Features(rows, values[rows].astype(np.float32)))


def test_a_score_that_grows_with_the_data_is_rising(draw_scan):
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 20, 1200)
    values = 0.5 * rng.normal(size=(20, 60))[labels] + rng.normal(size=(1200, 60))
    scan = draw_scan([f"c{label:02d}" for label in labels], splits=["train"] * 400 + ["valid"] * 800)
    curve = learning_curve(scan, Features(np.arange(1200), values.astype(np.float32)))
    assert [point.n_train for point in curve] == [100, 200, 400]
    assert curve[0].value < curve[1].value < curve[2].value
    assert curve[0].gain is None
    assert curve[2].gain == pytest.approx(curve[2].value - curve[1].value)
    assert is_rising(curve)


def test_what_is_learned_at_once_is_flat(draw_scan):
    curve = curve_of(draw_scan, n_train=400, n_valid=200, d=3, signal=3.0)
    assert curve[-1].low < 0.99 < curve[-1].high
    assert not is_rising(curve)


def test_labels_that_cannot_be_learned_rarely_seem_to_rise(draw_scan):
    rising = [
        is_rising(curve_of(draw_scan, n_train=80, n_valid=100, d=10, signal=0.0, seed=seed)) for seed in range(50)
    ]
    assert sum(rising) <= 5  # of 50; one or two are expected


def test_images_of_a_group_share_their_luck(draw_scan):
    groups = [f"g{number // 20}" for number in range(400)]
    alone = curve_of(draw_scan, n_train=200, n_valid=200, d=30, signal=1.0)
    grouped = curve_of(draw_scan, n_train=200, n_valid=200, d=30, signal=1.0, groups=groups)
    assert alone[-1].high - alone[-1].low < grouped[-1].high - grouped[-1].low


def test_units_that_are_all_right_are_still_few(draw_scan):
    """One copy makes units of images; a score of 1 was known without any doubt then."""
    labels = ["a", "b"] * 60
    values = np.where(np.array(labels) == "a", 1.0, -1.0)[:, None] + np.zeros((120, 3))
    groups = ["one", "one"] + [""] * 118
    scan = draw_scan(labels, splits=["valid"] * 40 + ["train"] * 80, groups=groups)
    curve = learning_curve(scan, Features(np.arange(120), values))
    assert [point.value for point in curve] == [1.0, 1.0, 1.0]
    assert all(0.85 < point.low < 0.95 for point in curve)


def test_several_labels_are_scored_label_by_label(draw_scan):
    rng = np.random.default_rng(5)
    truth = rng.random((300, 3)) < [0.5, 0.3, 0.01]
    names = np.array(["red", "green", "rare"])
    labels = ["|".join(names[row]) or "|" for row in truth]
    values = truth + 0.3 * rng.normal(size=(300, 3))
    scan = draw_scan(labels, splits=["train"] * 200 + ["valid"] * 100, problem="multilabel")
    curve = learning_curve(scan, Features(np.arange(300), values.astype(np.float32)))
    assert curve[-1].value > 0.9


def test_there_is_no_curve_without_features_or_with_too_little(draw_scan):
    assert learning_curve(draw_scan(["a", "b"] * 50), None) == ()
    assert curve_of(draw_scan, n_train=20, n_valid=100, d=3, signal=1.0) == ()
    assert curve_of(draw_scan, n_train=100, n_valid=10, d=3, signal=1.0) == ()
    assert curve_of(draw_scan, n_train=100, n_valid=100, d=3, signal=1.0, n_seen=60) == ()
    assert not is_rising(())
    assert not is_rising([CurvePoint(n_train=5, value=0.5, low=0.4, high=0.6)])


def test_the_same_data_give_the_same_curve(draw_scan):
    first, second = (curve_of(draw_scan, n_train=100, n_valid=60, d=5, signal=1.0) for _ in range(2))
    assert first == second
