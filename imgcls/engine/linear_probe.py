"""Linear probe: logistic regression on frozen features, its strength chosen by cross-validation.

scikit-learn's `LogisticRegressionCV` on standardised features is the oracle of the tests. Here all folds are fitted at
once in float32, and each strength begins where the one before it ended, which is several times faster; only the
regression that is kept is fitted in float64.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from imgcls.data.grouping import SplitUnits
from imgcls.data.samples import Samples
from imgcls.data.split import Fold, fold_samples
from imgcls.engine.build import BuiltLearner
from imgcls.engine.device import Machine
from imgcls.engine.features import FrozenBody, linear_classifier
from imgcls.engine.inference import Views
from imgcls.engine.losses import balanced_weights, one_hot
from imgcls.engine.models import batchnorms
from imgcls.engine.seeding import keyed_seed
from imgcls.plan import Plan, Predict

Function = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Points [m, p] → values [m] and gradients [m, p]; row i depends on point i alone."""
_N_PAIRS, _MOST_STEPS, _MOST_HALVINGS = 10, 5000, 30
_SUFFICIENT = 1e-4  # the share of the decrease promised by the slope that a step has to bring
_ROUNDING = 45  # two values that differ by this many units in the last place are equal for sums
STRENGTHS: tuple[float, ...] = tuple(float(10.0**power) for power in np.arange(-5, 3.5, 0.5))
"""What is tried, as scikit-learn's `C`: the weight of the summed loss against half the squared weights."""
PLAIN_STRENGTH = 1.0
"""The strength where no fold can be held out; scikit-learn's own default."""
_N_WORSE = 2  # strengths in a row that are worse than the best, after which weaker ones are not tried
_FOLD_TOLERANCE, _TOLERANCE = 1e-5, 1e-7  # entries of the gradient of the mean loss
_N_FOLDS = 5


@dataclass(frozen=True)
class Regression:
    """A fitted logistic regression: logits = features · weightᵀ + bias."""

    weight: Tensor
    """float64 [k, d], for features as they are, not standardised."""
    bias: Tensor
    """float64 [k]."""
    strength: float
    """The `C` it was fitted with."""
    log_loss: float | None
    """Mean over the folds of the log loss of what was held out, nats; None without folds."""


@dataclass(frozen=True)
class LinearProbe:
    """What is reported of a classifier that was fitted."""

    note: str
    """What was fitted on what, and how its strength was chosen."""
    seconds: Mapping[str, float]
    """`features` and `classifier`: what the time went into."""


@dataclass(frozen=True)
class _Pair:
    """The curvature along one step (an L-BFGS pair)."""

    step: Tensor
    change: Tensor
    inverse: Tensor


@dataclass(frozen=True)
class _Problem:
    """Standardised features with targets, as the objective needs them."""

    design: Tensor
    """Float [n, d + 1], the last column constant, that of the intercept."""
    targets: Tensor
    """Float [n, c]: one-hot, or 0/1 in columns that are independent of each other."""
    independent: bool
    """Whether each column has a probability of its own."""
    weights: Tensor | None = None
    """Float [n, c], or [n, 1] where columns are not independent: what each loss counts; None where all count 1."""

    def start(self, shares: Tensor) -> Tensor:
        """Return the coefficients of the strongest penalty: no feature counts, the intercept is the classes' log-odds.

        Args:
            shares: Float [m, n], the weight of each sample, 0 or 1.

        Returns:
            Float [m, (d + 1) · c].
        """
        if self.weights is None:
            counts, n_used = shares @ self.targets, shares.sum(dim=1, keepdim=True)
        else:
            counts, n_used = shares @ (self.targets * self.weights), shares @ self.weights
        rates = (counts + 0.5) / (n_used + 1)  # finite, also for a class without a sample
        points = self.design.new_zeros(len(shares), self.design.shape[1], self.targets.shape[1])
        points[:, -1] = (rates.logit() if self.independent else rates.log()) / self.design[0, -1]
        return points.flatten(1)

    def objective(self, shares: Tensor, strength: float) -> Function:
        """Return the mean loss with its penalty, for several choices of samples at once.

        Args:
            shares: Float [m, n], the weight of each sample, 0 or 1.
            strength: scikit-learn's `C`.
        """
        n_used = shares.sum(dim=1)
        weights, penalty = (shares / n_used[:, None]).T, 1 / (strength * n_used)

        def evaluate(points: Tensor) -> tuple[Tensor, Tensor]:
            coefficients = points.view(len(points), self.design.shape[1], -1)
            losses, residuals = self.losses(coefficients)
            products = self.design.T @ (residuals * weights[:, :, None]).flatten(1)
            gradients = products.view(self.design.shape[1], len(points), -1).transpose(0, 1).contiguous()
            slopes = coefficients[:, :-1]  # the intercept is not penalised
            gradients[:, :-1] += penalty[:, None, None] * slopes
            values = (losses * weights).sum(dim=0) + penalty / 2 * slopes.square().sum(dim=(1, 2))
            return values, gradients.flatten(1)

        return evaluate

    def losses(self, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of each sample under several regressions, and its derivative by the logits.

        Args:
            coefficients: Float [m, d + 1, c].

        Returns:
            Float [n, m], in nats, summed over independent columns; and Float [n, m, c].
        """
        m, width, c = coefficients.shape
        logits = (self.design @ coefficients.transpose(0, 1).reshape(width, m * c)).view(-1, m, c)
        targets, weights = self.targets[:, None, :], None if self.weights is None else self.weights[:, None, :]
        if self.independent:
            losses, residuals = softplus(logits) - targets * logits, logits.sigmoid() - targets
        else:
            losses = logits.logsumexp(dim=2, keepdim=True) - (targets * logits).sum(dim=2, keepdim=True)
            residuals = logits.softmax(dim=2) - targets
        if weights is not None:
            losses, residuals = losses * weights, residuals * weights
        return losses.sum(dim=2), residuals


def fit_probe(
    built: BuiltLearner,
    samples: Samples,
    *,
    plan: Plan,
    seed: int,
    machine: Machine,
    progress: Callable[[int, int], None],
) -> LinearProbe:
    """Fit the classifier of a network by logistic regression, and write it into the network.

    The features are those of the clean training photographs, and of further views where the plan asks for some,
    computed once. Of the loss only class weights are used, no smoothing. Dropout before the classifier is off, as in
    prediction. Folds keep the views of a photograph together.

    Args:
        built: The Learner with its network, which is changed.
        samples: All samples; those that train are used.
        plan: The run's plan.
        seed: The run's seed; it decides the folds.
        machine: Where it runs.
        progress: Called with the number of photographs done, and of all.

    Raises:
        PlanError: The network's classifier is no single linear layer.
    """
    began = time.perf_counter()
    layer = linear_classifier(built.network, n_classes=samples.n_classes)
    dataset, device = built.learn.dls.train.dataset, machine.torch_device()
    body = FrozenBody(built.network, dataset, built.normalisation, device, machine.used_precision())
    n_views, module = plan.fit.classifier_views, built.network.module
    folds, caution = choose_folds(samples.part("train"), seed=seed)
    targets = one_hot(torch.as_tensor(dataset.targets), samples.n_classes)
    multilabel = samples.problem == "multilabel"
    is_weighted = plan.loss.class_weights == "balanced"
    weights = balanced_weights(targets, multilabel=multilabel) if is_weighted else None
    if n_views > 1:
        targets, folds = targets.repeat(n_views, 1), None if folds is None else np.tile(folds, n_views)

    def fit() -> tuple[Regression, Tensor]:
        views = Views(Predict(views=n_views), plan.augment, seed=seed) if n_views > 1 else None
        features = body.features(progress=progress, views=views, keep=True)
        seconds["features"] += time.perf_counter() - began - sum(seconds.values())
        features = features if device.type == "cuda" else features.cpu()  # float64 is not everywhere
        fitted = fit_logistic(
            features,
            targets.to(features.device),
            multilabel=multilabel,
            folds=None if folds is None else torch.as_tensor(folds, device=features.device),
            class_weights=weights,
        )
        seconds["classifier"] += time.perf_counter() - began - sum(seconds.values())
        return fitted, features

    seconds = {"features": 0.0, "classifier": 0.0}
    asked = plan.fit.statistics if batchnorms(module) and (folds is not None or plan.fit.statistics == "own") else ""
    if asked in ("own", "better"):
        kept = fit() if asked == "better" else None
        pretrained = {name: values.clone() for name, values in module.state_dict().items()}
        body.fit_statistics()
        own = fit()
        if kept is None or _log_loss(own[0]) < _log_loss(kept[0]):
            fitted, features = own
            caution = f" Batch normalisation has the statistics of these photographs{_instead(kept)}.{caution}"
        else:
            fitted, features = kept
            module.load_state_dict(pretrained)
            caution = f" Batch normalisation keeps the statistics of pretraining{_instead(own)}.{caution}"
    else:
        fitted, features = fit()
    with torch.no_grad():
        layer.weight.copy_(fitted.weight)
        layer.bias.copy_(fitted.bias)
    return LinearProbe(_note(fitted, features, folds, n_views=n_views) + caution, seconds)


def _log_loss(fitted: Regression) -> float:
    return float("inf") if fitted.log_loss is None else fitted.log_loss


def _instead(other: tuple[Regression, Tensor] | None) -> str:
    return "" if other is None else f", since with the others the log loss is {_log_loss(other[0]):.4f}"


def choose_folds(samples: Samples, *, seed: int) -> tuple[np.ndarray | None, str]:
    """Divide training samples into folds: stratified, groups and exact duplicates whole.

    Args:
        samples: The samples that train.
        seed: The run's seed.

    Returns:
        int64 [n], the fold of each sample, −1 for those never held out; None where nothing can be held out. And a
        sentence to add where there are fewer than five folds.
    """
    units = SplitUnits.of(samples)
    n_units = units.members.sum(axis=0)  # a class of a single unit is never held out
    n_folds = min([_N_FOLDS, int((~units.only_ones).sum()), *(int(n) for n in n_units if n > 1)])
    if n_folds < 2:
        return None, " No class has two samples or groups apart, so it could not be compared with others."
    free = replace(samples, notes=()).with_split([""] * len(samples))
    folds = np.full(len(samples), -1, dtype=np.int64)
    for fold in range(n_folds):
        split = fold_samples(free, Fold(fold, n_folds), seed=keyed_seed(seed, "folds of the classifier") % 2**32)
        folds[split.rows("valid")] = fold
    few = f" There are only {n_folds} folds, since the smallest class has no more samples or groups."
    return folds, few if n_folds < _N_FOLDS else ""


def fit_logistic(
    features: Tensor,
    targets: Tensor,
    *,
    multilabel: bool,
    folds: Tensor | None,
    class_weights: Tensor | None = None,
) -> Regression:
    """Fit a logistic regression on standardised features, and return it for the features as they are.

    Two classes have one weight each feature, as in scikit-learn; labels of a multi-label problem have a regression
    each, with one strength for all. A class without a sample gets a probability near 0.

    Args:
        features: float [n, d].
        targets: 0/1 [n, k], one-hot where images have one label.
        multilabel: Whether images have several labels.
        folds: int64 [n], the fold of each sample, −1 for those never held out; None takes `PLAIN_STRENGTH`.
        class_weights: float [k], what a sample of each class counts, also where it is held out; with several labels
            that of the positives. None where all count alike.
    """
    features, targets = features.double(), targets.double()
    mean, deviation = features.mean(dim=0), features.std(dim=0, correction=0)
    deviation = torch.where(deviation > 0, deviation, 1.0)
    # The column of the intercept is constant, and so large that the intercept is about as stiff as the weights. It
    # changes how soon the minimum is found, not where it is, since the intercept is not penalised. On the features of
    # 1,790 photographs, ten classes, √d/4 took 377 evaluations in all, 1 took 974 and √d 1,140.
    intercept = features.new_full((len(features), 1), features.shape[1] ** 0.5 / 4)
    design = torch.cat([(features - mean) / deviation, intercept], dim=1)
    is_binary = not multilabel and targets.shape[1] == 2
    columns = targets[:, 1:] if is_binary else targets
    weights = None if class_weights is None else _sample_weights(targets, class_weights.double(), multilabel=multilabel)
    problem = _Problem(design, columns, multilabel or is_binary, weights)
    rough = _Problem(design.float(), columns.float(), problem.independent, None if weights is None else weights.float())
    all_samples = features.new_ones(1, len(features))
    if folds is None:
        strength, log_loss, start = PLAIN_STRENGTH, None, rough.start(all_samples.float())
    else:
        strength, log_loss, start = _choose_strength(rough, folds, n_labels=targets.shape[1] if multilabel else 1)
    start = minimise(rough.objective(all_samples.float(), strength), start, tolerance=_FOLD_TOLERANCE)
    solution = (
        minimise(problem.objective(all_samples, strength), start.double(), tolerance=_TOLERANCE)
        .view(design.shape[1], -1)
        .T
    )
    if is_binary:  # half of the log-odds for either class: their difference is what softmax looks at
        solution = torch.cat([-solution / 2, solution / 2])
    weight = solution[:, :-1] / deviation
    return Regression(weight, solution[:, -1] * design[0, -1] - weight @ mean, strength, log_loss)


def _sample_weights(targets: Tensor, class_weights: Tensor, *, multilabel: bool) -> Tensor:
    """Return what each sample counts, [n, 1]; with several labels [n, k], what each of its labels counts."""
    if multilabel:
        return torch.where(targets > 0, class_weights.to(targets.device), 1.0)
    return (targets @ class_weights.to(targets.device))[:, None]


def minimise(function: Function, start: Tensor, *, tolerance: float) -> Tensor:
    """Minimise several functions of equally many variables, each from its own start.

    All of them are evaluated together, so that one product of matrices serves them all; each has its own direction and
    step length, and rests where it is done.

    Args:
        function: Gives values and gradients; convex and bounded below.
        start: Float [m, p]; its precision is that of the sums.
        tolerance: A point is good when no entry of its gradient is larger than this.

    Returns:
        Float [m, p].

    Source:
        Nocedal and Wright 2006, Numerical Optimization, algorithms 7.4 and 7.5, with backtracking.
    """
    points, pairs = start, list[_Pair]()
    values, gradients = function(points)
    scale = gradients.norm(dim=1).clamp(min=1).reciprocal()
    for _ in range(_MOST_STEPS):
        is_open = gradients.abs().amax(dim=1) > tolerance
        if not is_open.any():
            break
        directions = torch.where(is_open[:, None], -_inverse_curvature(gradients, pairs, scale), 0.0)
        moved, moved_values, moved_gradients = _line_search(function, points, values, gradients, directions)
        if torch.equal(moved, points):  # no step brings anything that its precision could tell
            break
        pair, scale = _curvature(moved - points, moved_gradients - gradients, scale)
        pairs = [*pairs, pair][-_N_PAIRS:]
        points, values, gradients = moved, moved_values, moved_gradients
    return points


def _note(fitted: Regression, features: Tensor, folds: np.ndarray | None, *, n_views: int) -> str:
    n, d = len(features) // n_views, features.shape[1]
    of_views = f"{n_views} views each of " if n_views > 1 else ""
    strength, low, high = (f"{float(f'{number:.2g}'):g}" for number in (fitted.strength, STRENGTHS[0], STRENGTHS[-1]))
    what = (
        f"The classifier was fitted by logistic regression on {d} features of {of_views}{n} photographs, strength C = "
    )
    if fitted.log_loss is None or folds is None:
        return f"{what}{strength}."
    return (
        f"{what}{strength}, chosen between {low} and {high} by {folds.max() + 1}-fold cross-validation (log loss "
        f"{fitted.log_loss:.4f})."
    )


def _choose_strength(problem: _Problem, folds: Tensor, *, n_labels: int) -> tuple[float, float, Tensor]:
    """Choose the strength with the smallest log loss on what is held out.

    Along strengths of growing `C` that loss falls and then rises, so that those after the rise need not be fitted.

    Returns:
        The strength; its log loss; the mean of the folds' coefficients, as a place to begin, [1, p].
    """
    numbers = torch.arange(int(folds.max()) + 1, device=folds.device)
    held_out = (folds == numbers[:, None]).to(problem.design.dtype)
    points = problem.start(1 - held_out)
    best, n_worse = (STRENGTHS[0], float("inf"), points[:1]), 0
    for strength in STRENGTHS:
        points = minimise(problem.objective(1 - held_out, strength), points, tolerance=_FOLD_TOLERANCE)
        losses, _ = problem.losses(points.view(len(numbers), problem.design.shape[1], -1))
        log_loss = float(((losses * held_out.T).sum(dim=0) / held_out.sum(dim=1)).mean()) / n_labels
        n_worse = 0 if log_loss < best[1] else n_worse + 1
        if not n_worse:
            best = strength, log_loss, points.mean(dim=0, keepdim=True)
        if n_worse == _N_WORSE:
            break
    return best


def _inverse_curvature(gradients: Tensor, pairs: Sequence[_Pair], scale: Tensor) -> Tensor:
    """Multiply gradients by the estimate of the inverse curvature: the two-loop recursion."""
    result, shares = gradients, list[Tensor]()
    for pair in reversed(pairs):
        shares.append(pair.inverse * (pair.step * result).sum(dim=1))
        result = result - shares[-1][:, None] * pair.change
    result = scale[:, None] * result
    for pair, share in zip(pairs, reversed(shares), strict=True):
        result = result + (share - pair.inverse * (pair.change * result).sum(dim=1))[:, None] * pair.step
    return result


def _line_search(
    function: Function, points: Tensor, values: Tensor, gradients: Tensor, directions: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Halve each step until it brings enough; one that never does is not taken."""
    slopes = (directions * gradients).sum(dim=1)
    lengths, rounding = torch.ones_like(values), _ROUNDING * torch.finfo(values.dtype).eps
    for _ in range(_MOST_HALVINGS):
        moved = points + lengths[:, None] * directions
        moved_values, moved_gradients = function(moved)
        allowed = values + _SUFFICIENT * lengths * slopes + rounding * values.abs()
        is_good = moved_values <= allowed
        if is_good.all():
            return moved, moved_values, moved_gradients
        lengths = torch.where(is_good, lengths, lengths / 2)
    moved = torch.where(is_good[:, None], moved, points)
    return moved, *function(moved)


def _curvature(steps: Tensor, changes: Tensor, scale: Tensor) -> tuple[_Pair, Tensor]:
    """Return the curvature along the last steps; none for a function that rests or whose change is rounding."""
    products, squares = (steps * changes).sum(dim=1), (changes * changes).sum(dim=1)
    is_sound = products > 1e-12 * squares
    inverse = torch.where(is_sound, products.reciprocal(), 0.0)
    return _Pair(steps, changes, inverse), torch.where(is_sound, products / squares, scale)
