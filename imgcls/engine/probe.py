"""The first weights of a classifier, fitted by logistic regression on what the frozen body sees."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from imgcls.data.folds import Turn, fold_samples
from imgcls.data.samples import Samples
from imgcls.data.units import Units
from imgcls.engine.build import Built
from imgcls.engine.device import Machine
from imgcls.engine.features import frozen_features, linear_classifier
from imgcls.engine.logistic import STRENGTHS, Regression, fit_logistic
from imgcls.engine.losses import one_hot
from imgcls.engine.randomness import keyed_seed

_N_FOLDS = 5


@dataclass(frozen=True)
class Probe:
    """A classifier that was fitted, as a person may want to know of it."""

    note: str
    """What was fitted on what, and how its strength was chosen."""
    seconds: Mapping[str, float]
    """`features` and `classifier`: what the time went into."""


def fit_probe(
    built: Built, samples: Samples, *, seed: int, machine: Machine, progress: Callable[[int, int], None]
) -> Probe:
    """Fit the classifier of a network by logistic regression, and write it into the network.

    The features are those of the clean training photographs, computed once. Nothing of the loss is used: neither
    smoothing nor class weights. Dropout before the classifier is off, as in prediction.

    Args:
        built: The Learner with its network, which is changed.
        samples: All samples; those that train are used.
        seed: The run's seed; it decides the folds.
        machine: Where it runs.
        progress: Told how many photographs are done, of how many.

    Raises:
        PlanError: The network's classifier is no single linear layer.
    """
    began = time.perf_counter()
    layer, device = linear_classifier(built.network, n_classes=samples.n_classes), machine.torch_device()
    dataset = built.learn.dls.train.dataset
    features = frozen_features(
        built.network,
        dataset,
        normalisation=built.normalisation,
        device=device,
        precision=machine.used_precision(),
        progress=progress,
    )
    features = features if device.type == "cuda" else features.cpu()  # float64 is not everywhere
    at_hand = time.perf_counter()
    folds, caution = choose_folds(samples.part("train"), seed=seed)
    fitted = fit_logistic(
        features,
        one_hot(torch.as_tensor(dataset.targets), samples.n_classes).to(features.device),
        multilabel=samples.problem == "multilabel",
        folds=None if folds is None else torch.as_tensor(folds, device=features.device),
    )
    with torch.no_grad():
        layer.weight.copy_(fitted.weight)
        layer.bias.copy_(fitted.bias)
    seconds = {"features": at_hand - began, "classifier": time.perf_counter() - at_hand}
    return Probe(_told(fitted, features, folds) + caution, seconds)


def choose_folds(samples: Samples, *, seed: int) -> tuple[np.ndarray | None, str]:
    """Divide training samples into folds: stratified, groups and exact duplicates whole.

    Args:
        samples: The samples that train.
        seed: The run's seed.

    Returns:
        int64 [n], the fold of each sample, −1 for those never held out; None where nothing can be held out. And a
        sentence to add where there are fewer than five folds.
    """
    units = Units.of(samples)
    n_units = units.members.sum(axis=0)  # a class of a single unit is never held out
    n_folds = min([_N_FOLDS, int((~units.only_ones).sum()), *(int(n) for n in n_units if n > 1)])
    if n_folds < 2:
        return None, " No class has two samples or groups apart, so it could not be compared with others."
    free = replace(samples, notes=()).with_split([""] * len(samples))
    folds = np.full(len(samples), -1, dtype=np.int64)
    for fold in range(n_folds):
        turn = fold_samples(free, Turn(fold, n_folds), seed=keyed_seed(seed, "folds of the classifier") % 2**32)
        folds[turn.rows("valid")] = fold
    few = f" There are only {n_folds} folds, since the smallest class has no more samples or groups."
    return folds, few if n_folds < _N_FOLDS else ""


def _told(fitted: Regression, features: Tensor, folds: np.ndarray | None) -> str:
    n, d = features.shape
    strength, low, high = (f"{float(f'{number:.2g}'):g}" for number in (fitted.strength, STRENGTHS[0], STRENGTHS[-1]))
    what = f"The classifier was fitted by logistic regression on {d} features of {n} photographs, strength C = "
    if fitted.log_loss is None or folds is None:
        return f"{what}{strength}."
    return (
        f"{what}{strength}, chosen between {low} and {high} by {folds.max() + 1}-fold cross-validation (log loss "
        f"{fitted.log_loss:.4f})."
    )
