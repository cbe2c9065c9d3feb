"""How often each training sample is shown."""

from __future__ import annotations

import numpy as np

from imgcls.plan import Fit


def sample_shares(fit: Fit, targets: np.ndarray) -> np.ndarray | None:
    """Give the probability with which each sample is drawn, float64 [n]; None where each is shown once an epoch.

    A sample counts by the inverse of the number of samples of its class, so that every class that there is has the
    same share. One with several labels counts by its rarest class, which evens classes out but cannot make them
    equal, since frequent ones come along; those without any label are a class of their own.

    Args:
        fit: The plan's part.
        targets: Class indices, int64 [n], or 0/1 by class [n, k], of the training samples.

    Source: Japkowicz and Stephen 2002, doi:10.3233/IDA-2002-6504, random over-sampling.
    """
    if fit.sampler == "shuffle":
        return None
    if targets.ndim == 1:
        _, place, counts = np.unique(targets, return_inverse=True, return_counts=True)
        n_alike = counts[place]
    else:
        has = targets > 0.5
        n_alike = np.where(has, has.sum(axis=0), len(targets)).min(axis=1)
        without = ~has.any(axis=1)
        n_alike[without] = without.sum()
    shares = 1 / n_alike
    return shares / shares.sum()
