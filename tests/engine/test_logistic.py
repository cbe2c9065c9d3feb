"""The logistic regression against scikit-learn's, which is the oracle: the same strength, the same probabilities."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.metrics import log_loss
from sklearn.model_selection import PredefinedSplit, StratifiedKFold
from sklearn.preprocessing import StandardScaler

from imgcls.engine.linear_probe import PLAIN_STRENGTH, STRENGTHS, Regression, fit_logistic, minimise
from imgcls.engine.losses import balanced_weights, one_hot

CASES = {
    "two classes": (120, 40, 2, 1.0),
    "four classes": (160, 30, 4, 1.0),
    "more features than photographs": (60, 150, 3, 3.0),
    "classes far apart": (90, 12, 3, 0.05),
}


def blobs(n: int, d: int, n_classes: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw features, float32 [n, d], around one centre a class, on scales that differ, and classes, int64 [n]."""
    draws = np.random.default_rng(d)
    classes = np.arange(n) % n_classes
    hidden = draws.normal(size=(n, 8)) * 0.8 + 1.5 * np.eye(n_classes, 8)[classes]
    features = hidden @ draws.normal(size=(8, d)) + noise * draws.normal(size=(n, d))
    return (features * draws.uniform(0.01, 10, d) + 3).astype(np.float32), classes


def folds_of(classes: np.ndarray, n_folds: int = 5) -> np.ndarray:
    folds = np.empty(len(classes), dtype=np.int64)
    for fold, (_, held_out) in enumerate(StratifiedKFold(n_folds).split(classes, classes)):
        folds[held_out] = fold
    return folds


def fit(features: np.ndarray, classes: np.ndarray, folds: np.ndarray | None) -> Regression:
    targets = one_hot(torch.as_tensor(classes), int(classes.max()) + 1)
    kept = None if folds is None else torch.as_tensor(folds)
    return fit_logistic(torch.as_tensor(features), targets, multilabel=False, folds=kept)


def probabilities(fitted: Regression, features: np.ndarray) -> np.ndarray:
    return (torch.as_tensor(features).double() @ fitted.weight.T + fitted.bias).softmax(1).numpy()


def standardised(features: np.ndarray) -> np.ndarray:
    return StandardScaler().fit_transform(features.astype(np.float64))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_strength_and_probabilities_are_those_of_scikit_learn(case: tuple[int, int, int, float]) -> None:
    features, classes = blobs(*case)
    folds = folds_of(classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its form of results is about to change
        oracle = LogisticRegressionCV(
            Cs=list(STRENGTHS), cv=PredefinedSplit(folds), scoring="neg_log_loss", tol=1e-8, max_iter=100_000
        ).fit(standardised(features), classes)
    fitted = fit(features, classes, folds)
    assert fitted.strength == pytest.approx(float(np.ravel(oracle.C_)[0]))
    expected = oracle.predict_proba(standardised(features))
    assert np.abs(probabilities(fitted, features) - expected).max() < 1e-4
    table = next(iter(oracle.scores_.values())) if isinstance(oracle.scores_, dict) else oracle.scores_
    assert fitted.log_loss == pytest.approx(float(-np.mean(table, axis=0).max()), abs=1e-4)


def test_the_log_loss_is_that_of_what_is_held_out() -> None:
    features, classes = blobs(90, 20, 3, 1.0)
    folds = folds_of(classes, 3)
    fitted = fit(features, classes, folds)
    scaled, found = standardised(features), []
    for fold in range(3):
        model = LogisticRegression(C=fitted.strength, tol=1e-8, max_iter=100_000)
        model.fit(scaled[folds != fold], classes[folds != fold])
        found.append(log_loss(classes[folds == fold], model.predict_proba(scaled[folds == fold])))
    assert fitted.log_loss == pytest.approx(np.mean(found), abs=1e-4)


def test_labels_have_a_regression_each_and_one_strength() -> None:
    features, classes = blobs(150, 25, 3, 1.0)
    labels = np.stack([classes == 0, classes != 1, np.arange(150) % 2], axis=1).astype(np.float32)
    fitted = fit_logistic(
        torch.as_tensor(features),
        torch.as_tensor(labels),
        multilabel=True,
        folds=torch.as_tensor(folds_of(classes)),
    )
    found = (torch.as_tensor(features).double() @ fitted.weight.T + fitted.bias).sigmoid().numpy()
    for place in range(3):
        oracle = LogisticRegression(C=fitted.strength, tol=1e-8, max_iter=100_000)
        expected = oracle.fit(standardised(features), labels[:, place]).predict_proba(standardised(features))[:, 1]
        assert np.abs(found[:, place] - expected).max() < 1e-4


def test_without_folds_the_strength_is_the_plain_one() -> None:
    features, classes = blobs(40, 10, 2, 1.0)
    fitted = fit(features, classes, None)
    assert (fitted.strength, fitted.log_loss) == (PLAIN_STRENGTH, None)
    oracle = LogisticRegression(C=PLAIN_STRENGTH, tol=1e-8, max_iter=100_000).fit(standardised(features), classes)
    expected = oracle.predict_proba(standardised(features))
    assert np.abs(probabilities(fitted, features) - expected).max() < 1e-4


def test_a_feature_that_never_changes_is_left_alone() -> None:
    features, classes = blobs(60, 10, 3, 1.0)
    features[:, 4] = 0.25
    fitted = fit(features, classes, folds_of(classes))
    assert fitted.weight.isfinite().all()
    assert fitted.weight[:, 4].abs().max() == 0


def test_those_never_held_out_always_train() -> None:
    """A class of one photograph is in no fold; its loss counts in no score, but it is learned."""
    features, classes = blobs(60, 10, 2, 1.0)
    features, classes = np.vstack([features, features[:1] + 50]), np.append(classes, 2)
    fitted = fit(features, classes, np.append(folds_of(classes[:-1]), -1))
    assert probabilities(fitted, features)[-1].argmax() == 2
    assert fitted.log_loss is not None
    assert np.isfinite(fitted.log_loss)


def test_a_class_without_a_photograph_is_as_good_as_never_predicted() -> None:
    features, classes = blobs(60, 10, 2, 1.0)
    targets = torch.nn.functional.one_hot(torch.as_tensor(classes), 3)
    fitted = fit_logistic(
        torch.as_tensor(features), targets, multilabel=False, folds=torch.as_tensor(folds_of(classes))
    )
    assert probabilities(fitted, features)[:, 2].max() < 1e-4


def test_the_same_input_gives_the_same_bits() -> None:
    features, classes = blobs(90, 20, 3, 1.0)
    first, second = (fit(features, classes, folds_of(classes)) for _ in range(2))
    assert torch.equal(first.weight, second.weight)
    assert torch.equal(first.bias, second.bias)


def test_each_function_is_minimised_for_itself() -> None:
    """Quadratics of very different curvature, one of them at its minimum from the start."""
    curvature = torch.tensor([[1.0, 1e4, 3.0], [1e-2, 1.0, 1e2], [1.0, 1.0, 1.0]], dtype=torch.float64)
    centres = torch.tensor([[1.0, -2.0, 3.0], [4.0, 5.0, 6.0], [0.0, 0.0, 0.0]], dtype=torch.float64)

    def quadratics(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        away = points - centres
        return (curvature * away.square()).sum(1) / 2, curvature * away

    found = minimise(quadratics, torch.zeros(3, 3, dtype=torch.float64), tolerance=1e-10)
    assert torch.allclose(found, centres, atol=1e-7)
    assert torch.equal(found[2], centres[2])


@pytest.mark.parametrize("n_classes", [2, 4])
def test_weighted_classes_are_those_of_scikit_learn(n_classes: int) -> None:
    """Weights stand in the fit, and in what strengths are compared by."""
    features, classes = blobs(200, 30, n_classes, 2.0)
    keep = (classes > 0) | (np.arange(200) % 5 == 0)  # the first class is rare
    features, classes = features[keep], classes[keep]
    folds, targets = folds_of(classes), one_hot(torch.as_tensor(classes), n_classes)
    fitted = fit_logistic(
        torch.as_tensor(features),
        targets,
        multilabel=False,
        folds=torch.as_tensor(folds),
        class_weights=balanced_weights(targets, multilabel=False),
    )
    scaled = standardised(features)
    oracle = LogisticRegression(C=fitted.strength, class_weight="balanced", tol=1e-8, max_iter=100_000)
    expected = oracle.fit(scaled, classes).predict_proba(scaled)
    assert np.abs(probabilities(fitted, features) - expected).max() < 1e-4
    weights, found = len(classes) / (n_classes * np.bincount(classes)), []
    for fold in range(5):
        model = LogisticRegression(C=fitted.strength, tol=1e-8, max_iter=100_000)
        mine = folds != fold
        model.fit(scaled[mine], classes[mine], sample_weight=weights[classes[mine]])
        said = model.predict_proba(scaled[~mine])[np.arange((~mine).sum()), classes[~mine]]
        found.append(-(weights[classes[~mine]] * np.log(said)).mean())
    assert fitted.log_loss == pytest.approx(np.mean(found), abs=1e-4)
    plain = fit(features, classes, folds)
    rare = classes == 0
    assert probabilities(fitted, features)[rare, 0].mean() > probabilities(plain, features)[rare, 0].mean()


def test_weighted_labels_count_their_positives() -> None:
    """As scikit-learn's sample weights do, label by label."""
    features, classes = blobs(150, 25, 3, 1.0)
    labels = np.stack([classes == 0, classes != 1], axis=1).astype(np.float32)
    weights = torch.tensor([3.0, 0.5])
    fitted = fit_logistic(
        torch.as_tensor(features), torch.as_tensor(labels), multilabel=True, folds=None, class_weights=weights
    )
    found = (torch.as_tensor(features).double() @ fitted.weight.T + fitted.bias).sigmoid().numpy()
    for place in range(2):
        counted = np.where(labels[:, place] > 0, weights[place].item(), 1.0)
        oracle = LogisticRegression(C=fitted.strength, tol=1e-8, max_iter=100_000)
        oracle.fit(standardised(features), labels[:, place], sample_weight=counted)
        expected = oracle.predict_proba(standardised(features))[:, 1]
        assert np.abs(found[:, place] - expected).max() < 1e-4
