"""The learning curve: the score of a linear probe on a quarter, a half and all of train."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imgcls.data.grouping import linked
from imgcls.eda.facts import CurvePoint
from imgcls.eda.features import Features
from imgcls.eda.scan import Scan
from imgcls.eda.statistics import PermutationFolds, principal_components
from imgcls.evidence.metrics import wilson_interval
from imgcls.evidence.variance import quantile

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
SHARES = (0.25, 0.5, 1.0)
N_DRAWS = 5
"""How often a part of train is drawn; each smaller part lies within the larger one of the same draw."""
_CS = (0.003, 0.03, 0.3, 3.0)
_C = 0.03
_N_FOLDS = 3
_N_COMPONENTS = 128
_FEWEST_TRAIN = 40
_FEWEST_VALID = 20
_LEAST_SEEN = 0.9
_LEVEL = 0.05
_SMALLEST = 1e-6


def learning_curve(scan: Scan, features: Features | None, *, seed: int = 0) -> tuple[CurvePoint, ...]:
    """Measure how the score on valid grows with the number of training images.

    A logistic regression on the features is trained on nested random parts of train, several draws of each. Its C, the
    inverse of the regularisation, is chosen once, by cross-validation on all of train, since the weights that a problem
    needs do not depend on how many images are at hand. Groups and exact duplicates stay whole.

    Args:
        scan: The data set.
        features: What the network sees in some of the images.
        seed: Decides the draws.

    Returns:
        Three points, the smallest part first; nothing without features, where they cover less than nine tenths of
        train, or where fewer than 40 images train or 20 validate.
    """
    probe = None if features is None else _LinearProbe.of(scan, features)
    if probe is None:
        return ()
    rng = np.random.default_rng([seed, 6])
    c = probe.best_c(rng)
    orders = [probe.order(rng) for _ in range(N_DRAWS)]
    points: list[CurvePoint] = []
    before: Floats | None = None
    for share in SHARES:
        n_train = round(share * len(probe.train))
        draws = orders if share < 1 else orders[:1]
        right = np.stack([probe.right(order[:n_train], c) for order in draws])
        points.append(_point(n_train, right, before, probe))
        before = right
    return tuple(points)


def is_rising(curve: Sequence[CurvePoint]) -> bool:
    """Whether the last doubling of the training images still gained, beyond what chance explains.

    Args:
        curve: As `learning_curve` gave it.
    """
    return bool(curve) and curve[-1].gain_low is not None and curve[-1].gain_low > 0


@dataclass(frozen=True, eq=False)
class _LinearProbe:
    """Principal components with their targets, and who trains and who validates."""

    values: Floats
    """[m, c], principal components."""
    targets: Indices
    """[m] class numbers, or [m, k] of 0 and 1."""
    units: Indices
    """[m], what belongs together."""
    train: Indices
    """Positions of the images that train."""
    valid: Indices
    """Positions of the images that validate."""

    @classmethod
    def of(cls, scan: Scan, features: Features) -> _LinearProbe | None:
        """Gather them; None where there is too little."""
        samples = scan.samples
        splits = samples.frame["split"].to_numpy(dtype=object)
        usable = samples.is_labelled & (splits != "test")
        rows = features.rows[usable[features.rows]]
        train, valid = (np.flatnonzero(splits[rows] == split) for split in ("train", "valid"))
        n_train = int((usable & (splits == "train")).sum())
        if len(train) < max(_FEWEST_TRAIN, _LEAST_SEEN * n_train) or len(valid) < _FEWEST_VALID:
            return None
        values = principal_components(
            features.values[usable[features.rows]], most=_N_COMPONENTS, whiten=False, images_each=1
        )
        targets = samples.targets[rows].astype(np.int64)
        return cls(values, targets, linked(samples.frame.iloc[rows]), train, valid)

    def order(self, rng: np.random.Generator) -> Indices:
        """Draw an order of the training images, of which each beginning is a part with about all classes' shares."""
        kinds = self._kinds()[self.train]
        names, first, units = np.unique(self.units[self.train], return_index=True, return_inverse=True)
        turns = rng.permutation(len(names))
        places = np.empty(len(names))
        for kind in np.unique(kinds[first]):
            members = turns[kinds[first][turns] == kind]
            places[members] = (np.arange(len(members)) + rng.random()) / len(members)
        return self.train[np.argsort(places[units], kind="stable")]

    def best_c(self, rng: np.random.Generator) -> float:
        """Choose the C with the smallest log loss out of fold."""
        folds = PermutationFolds.of(self._kinds()[self.train], self.units[self.train], n_folds=_N_FOLDS, rng=rng)
        losses = [self._loss_out_of_fold(folds, c) for c in _CS]
        return _CS[int(np.argmin(losses))]

    def _loss_out_of_fold(self, folds: PermutationFolds, c: float) -> float:
        found = 0.0
        for fold in range(folds.n_folds):
            asked, rows = self.train[folds.folds == fold], self.train[folds.folds != fold]
            for column in self._columns():
                answers = _fitted(self.values[rows], column[rows], self.values[asked], c)
                found -= answers.log_of(column[asked]).sum()
        return float(found)

    def right(self, rows: Indices, c: float) -> Floats:
        """Train on some images, and give the share of right answers for each image that validates, [n_valid]."""
        return _right(self._predict(rows, self.valid, c), self.targets[self.valid])

    def _kinds(self) -> Indices:
        return np.unique(self.targets, axis=0, return_inverse=True)[1].ravel().astype(np.int64)

    def _columns(self) -> list[Indices]:
        """Return the problems to be fitted one by one: the classes, or each label by itself."""
        return [self.targets] if self.targets.ndim == 1 else list(self.targets.T)

    def _predict(self, rows: Indices, asked: Indices, c: float) -> Indices:
        answers = [_fitted(self.values[rows], column[rows], self.values[asked], c).answer for column in self._columns()]
        return answers[0] if self.targets.ndim == 1 else np.stack(answers, axis=1)


def score_out_of_fold(values: Floats, targets: Indices, folds: PermutationFolds) -> float:
    """Return the balanced accuracy of a linear probe on images that it was not trained on.

    Args:
        values: [m, c], principal components.
        targets: [m] class numbers, or [m, k] of 0 and 1: then the mean over the classes.
        folds: Who is held out when.
    """
    columns = [targets] if targets.ndim == 1 else list(targets.T)
    found = []
    for column in columns:
        answers = np.full(len(column), -1, dtype=np.int64)
        for fold in range(folds.n_folds):
            asked = folds.folds == fold
            answers[asked] = _fitted(values[~asked], column[~asked], values[asked], _C).answer
        found.append(np.mean([(answers[column == name] == name).mean() for name in np.unique(column)]))
    return float(np.mean(found))


@dataclass(frozen=True)
class _Answers:
    """What a classifier answers for some images."""

    probabilities: Floats
    """[n, k]."""
    classes: Indices
    """[k], the numbers of the classes that it knows, rising."""

    @property
    def answer(self) -> Indices:
        """The likeliest class of each image, [n]."""
        return self.classes[self.probabilities.argmax(axis=1)]

    def log_of(self, targets: Indices) -> Floats:
        """Return the logarithm of what the truth was given, [n]; hardly anything for a class that was never seen."""
        places = np.minimum(np.searchsorted(self.classes, targets), len(self.classes) - 1)
        given = self.probabilities[np.arange(len(targets)), places]
        return np.log(np.maximum(np.where(self.classes[places] == targets, given, 0.0), _SMALLEST))


def _fitted(values: Floats, targets: Indices, asked: Floats, c: float) -> _Answers:
    """Fit a logistic regression and ask it; where there is a single class, that is the answer."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    classes = np.unique(targets)
    if len(classes) < 2:
        return _Answers(np.ones((len(asked), 1)), classes)
    with warnings.catch_warnings():  # nearly converged is good enough to compare amounts of data
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=c, max_iter=200).fit(values, targets)
    return _Answers(model.predict_proba(asked), model.classes_)


def _right(answers: Indices, targets: Indices) -> Floats:
    equal = (answers == targets).astype(np.float64)
    return equal if equal.ndim == 1 else equal.mean(axis=1)


def _point(n_train: int, right: Floats, before: Floats | None, probe: _LinearProbe) -> CurvePoint:
    """Sum up the draws of one size: the score, and the gain over the size before on the same images."""
    units = np.unique(probe.units[probe.valid], return_inverse=True)[1]
    each = right.mean(axis=0)
    low, high = _interval(each, units, is_share=probe.targets.ndim == 1)
    point = CurvePoint(n_train=n_train, value=float(each.mean()), low=low, high=high)
    if before is None:
        return point
    difference = each - before.mean(axis=0)
    gain = float(difference.mean())
    draw_variance = sum(side.mean(axis=1).var(ddof=1) / len(side) for side in (right, before) if len(side) > 1)
    half = _half_width(difference, units, draw_variance=float(draw_variance))
    return point.model_copy(update={"gain": gain, "gain_low": gain - half, "gain_high": gain + half})


def _interval(each: Floats, units: Indices, *, is_share: bool) -> tuple[float, float]:
    n_units = len(np.unique(units))
    half = _half_width(each, units)
    if (is_share and n_units == len(units)) or not half:  # where all units agree their variance is not seen
        return wilson_interval(round(float(each.mean()) * n_units), n_units)
    return max(0.0, float(each.mean()) - half), min(1.0, float(each.mean()) + half)


def _half_width(each: Floats, units: Indices, *, draw_variance: float = 0.0) -> float:
    """Return half the width of the 95 % interval of a mean over images; those of a unit are not independent."""
    n_units = int(units.max()) + 1
    summed = np.bincount(units, weights=each - each.mean()) * n_units / len(each)
    variance = summed.var(ddof=1) / n_units + draw_variance
    return float(quantile(n_units - 1, _LEVEL) * np.sqrt(variance))
