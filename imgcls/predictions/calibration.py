"""Calibration: probabilities made to mean what they say, by what validation predictions show."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt

from imgcls.predictions.smoothing import smooth
from imgcls.records.run import Calibration

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
_SMALLEST = 1e-7  # what float32 tells from 1 after a sigmoid, and what a log loss counts at the most
_SMALLEST_SHARE = 1e-12  # of a softmax, which float32 tells from 0 far below
_COLDEST, _HOTTEST = 0.05, 100.0
_ALPHAS = (0.0, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
_THRESHOLDS = (0.5, 0.9, 0.99, 0.999)


def fit_calibration(kind: str, probabilities: Floats, truth: Booleans, *, multilabel: bool) -> Calibration:
    """Return what makes the log loss of predictions smallest.

    Args:
        kind: `temperature`, or `smoothing` for the α and the threshold of prediction smoothing.
        probabilities: [n, k], of images that may be learnt from.
        truth: [n, k], whether the image has the class.
        multilabel: Whether images may have several labels; each then has a temperature of its own.

    Source: Guo et al. 2017, arXiv:1706.04599, section 4.2, for the temperature.
    """
    if kind == "smoothing":
        return _tuned_smoothing(probabilities, truth, multilabel=multilabel)
    columns = range(truth.shape[1]) if multilabel else (slice(None),)
    return Calibration(
        temperatures=tuple(
            _temperature(probabilities[:, column], truth[:, column], multilabel=multilabel) for column in columns
        )
    )


def calibrate(probabilities: Floats, calibration: Calibration, *, multilabel: bool) -> Floats:
    """Return predictions with a calibration; no temperature changes which class is the largest.

    Args:
        probabilities: [n, k].
        calibration: What was fitted.
        multilabel: Whether images may have several labels.
    """
    made = probabilities
    if calibration.temperatures:
        made = _tempered(made, np.array(calibration.temperatures), multilabel=multilabel)
    if calibration.smoothing is not None and calibration.smoothing_threshold is not None:
        made = smooth(
            made,
            alpha=calibration.smoothing,
            threshold=calibration.smoothing_threshold,
            problem="multilabel" if multilabel else "multiclass",
        )
    return made


def _temperature(probabilities: Floats, truth: Booleans, *, multilabel: bool) -> float:
    """Return the temperature of the smallest log loss; 1 where nothing can be learnt, such as of a label nobody has."""
    from scipy.optimize import minimize_scalar

    if not len(truth) or (multilabel and (truth.all() or not truth.any())):
        return 1.0

    def loss(log_temperature: float) -> float:
        tempered = _tempered(probabilities, np.exp(log_temperature), multilabel=multilabel)
        return _log_loss(tempered, truth, multilabel=multilabel)

    found = minimize_scalar(loss, bounds=(np.log(_COLDEST), np.log(_HOTTEST)), method="bounded")
    return float(np.exp(found.x)) if found.fun <= loss(0.0) else 1.0


def _tempered(probabilities: Floats, temperature: Floats | float, *, multilabel: bool) -> Floats:
    if multilabel:
        values = np.clip(probabilities, _SMALLEST, 1 - _SMALLEST)
        odds = (np.log(values) - np.log1p(-values)) / temperature
        return np.asarray(1 / (1 + np.exp(-odds)))
    scores = np.log(np.maximum(probabilities, _SMALLEST_SHARE)) / temperature
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _tuned_smoothing(probabilities: Floats, truth: Booleans, *, multilabel: bool) -> Calibration:
    problem = "multilabel" if multilabel else "multiclass"

    def loss(pair: tuple[float, float]) -> float:
        smoothed = smooth(probabilities, alpha=pair[0], threshold=pair[1], problem=problem)  # type: ignore[arg-type]
        return _log_loss(smoothed, truth, multilabel=multilabel)

    alpha, threshold = min(product(_ALPHAS, _THRESHOLDS), key=loss)
    return Calibration(smoothing=alpha, smoothing_threshold=threshold)


def _log_loss(probabilities: Floats, truth: Booleans, *, multilabel: bool) -> float:
    right = np.where(truth, probabilities, 1 - probabilities) if multilabel else probabilities[truth]
    return -float(np.log(np.maximum(right, _SMALLEST)).mean())
