"""Probabilities are made as sure as they are right, and how sure they are is measured."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from imgcls.evidence.contributions import Scored
from imgcls.evidence.reliability import reliability
from imgcls.predictions.calibration import calibrate, fit_calibration
from imgcls.predictions.smoothing import smooth


class Known(ClassifierMixin, BaseEstimator):
    """A classifier of scikit-learn whose logits are its features."""

    def fit(self, features: np.ndarray, y: np.ndarray) -> Known:
        """Take note of the classes."""
        self.classes_ = np.unique(y)
        self.n_features_in_ = features.shape[1]
        return self

    def decision_function(self, features: np.ndarray) -> np.ndarray:
        """Return the logits."""
        return features

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the classes of the largest logits."""
        return self.classes_[features.argmax(axis=1)]


def drawn(temperature: float, *, n: int = 2000, k: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Draw logits that are too large by a factor, and the classes."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(n, k)) * 1.5
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (chances.cumsum(axis=1) < random.random((n, 1))).sum(axis=1)
    return logits * temperature, labels


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_is_that_of_scikit_learn(temperature: float) -> None:
    """And near the one that was drawn; the chosen class stays."""
    logits, labels = drawn(temperature)
    values, truth = softmax(logits), np.arange(4) == labels[:, None]
    fitted = fit_calibration("temperature", values, truth, multilabel=False)
    assert fitted.temperatures[0] == pytest.approx(temperature, rel=0.1)
    made = calibrate(values, fitted, multilabel=False)
    oracle = CalibratedClassifierCV(FrozenEstimator(Known().fit(logits, labels)), method="temperature")
    assert made == pytest.approx(oracle.fit(logits, labels).predict_proba(logits), abs=2e-3)
    assert np.array_equal(made.argmax(axis=1), values.argmax(axis=1))
    assert np.allclose(made.sum(axis=1), 1)


def test_every_label_has_a_temperature_of_its_own() -> None:
    """As if it stood alone; a label that nobody has keeps 1."""
    random = np.random.default_rng(1)
    logits = random.normal(size=(3000, 2)) * 2
    truth = random.random((3000, 2)) < 1 / (1 + np.exp(-logits))
    values = 1 / (1 + np.exp(-logits * np.array([3.0, 0.5])))
    both = fit_calibration("temperature", values, truth, multilabel=True)
    assert both.temperatures == pytest.approx((3.0, 0.5), rel=0.12)
    alone = fit_calibration("temperature", values[:, :1], truth[:, :1], multilabel=True)
    assert alone.temperatures[0] == pytest.approx(both.temperatures[0])
    nobody = fit_calibration("temperature", values, truth & np.array([True, False]), multilabel=True)
    assert nobody.temperatures[1] == 1
    assert calibrate(values, both, multilabel=True).shape == values.shape


def test_predictions_of_zero_and_one_stay_finite() -> None:
    """A network may be entirely sure, and wrong."""
    values = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    truth = np.array([[True, False], [False, True], [False, True], [True, False]])
    fitted = fit_calibration("temperature", values, truth, multilabel=False)
    made = calibrate(values, fitted, multilabel=False)
    assert np.isfinite(made).all()
    assert made[0, 0] == pytest.approx(0.75, abs=0.02)


def test_smoothing_is_chosen_by_log_loss() -> None:
    """No pair of the grid is better, and none at all is chosen where being sure was deserved."""
    logits, labels = drawn(6.0)
    values, truth = softmax(logits), np.arange(4) == labels[:, None]
    fitted = fit_calibration("smoothing", values, truth, multilabel=False)
    assert fitted.smoothing == 0.1
    made = calibrate(values, fitted, multilabel=False)
    again = smooth(values, alpha=fitted.smoothing, threshold=fitted.smoothing_threshold or 0, problem="multiclass")
    assert np.array_equal(made, again)
    deserved = np.where(truth, 0.9997, 0.0001)
    assert fit_calibration("smoothing", deserved, truth, multilabel=False).smoothing == 0


def test_calibrated_predictions_have_a_small_error() -> None:
    """Fitted on one half, seen on the other."""
    logits, labels = drawn(3.0, n=4000)
    values, truth = softmax(logits), np.arange(4) == labels[:, None]
    fitted = fit_calibration("temperature", values[:2000], truth[:2000], multilabel=False)
    before, after = values[2000:], calibrate(values[2000:], fitted, multilabel=False)
    assert reliability(Scored(before, truth[2000:], False)).error > 0.15
    assert reliability(Scored(after, truth[2000:], False)).error < 0.05
