"""How the score of one stack varies from fold to fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from imgcls.records.estimate import Estimate
from imgcls.records.folds import Spread


def spread_of(folds: Sequence[Mapping[str, Estimate]]) -> dict[str, Spread]:
    """Give the mean and the standard deviation of every metric over folds.

    They describe, and no interval follows from them: any two of k trainings share (k − 2) / (k − 1) of
    their samples, so the scores of the folds are not independent, and no estimate of the variance of
    their mean from one division into folds is free of bias.

    Args:
        folds: The estimates of each fold by name, the same names in all.

    Returns:
        For every metric: mean, standard deviation (n − 1), and the number of folds that have a value.

    Source: Bengio and Grandvalet (2004), JMLR 5, 1089-1105.
    """
    return {name: _spread([fold[name].value for fold in folds]) for name in (folds[0] if folds else {})}


def _spread(values: Sequence[float | None]) -> Spread:
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    mean = float(known.mean()) if known.size else None
    sd = float(known.std(ddof=1)) if known.size > 1 else None
    return Spread(mean, sd, int(known.size))
