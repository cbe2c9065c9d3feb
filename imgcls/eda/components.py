"""The strongest principal components of features, in which distances and linear classifiers are cheap."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MOST_COMPONENTS = 50
_IMAGES_A_COMPONENT = 10
_FEW_IMAGES = 500  # below, a decomposition of the images costs less than one of the covariance of the features


def principal_components(
    values: npt.ArrayLike, *, most: int = MOST_COMPONENTS, whiten: bool = True, images_each: int = _IMAGES_A_COMPONENT
) -> Floats:
    """Give the strongest principal components of standardised features.

    Args:
        values: [n, d].
        most: How many at the most.
        whiten: Whether each gets variance 1; else all together have a mean variance of 1.
        images_each: One component for so many images at the most.

    Returns:
        [n, c]; a single column of 0 where all images are alike.
    """
    from sklearn.decomposition import PCA

    features = np.asarray(values, dtype=np.float64)
    deviations = features.std(axis=0)
    varied = deviations > 1e-9 * max(1e-30, float(np.abs(features).max(initial=0.0)))
    standard = (features[:, varied] - features[:, varied].mean(axis=0)) / deviations[varied]
    n_components = min(most, max(1, len(features) // images_each), *standard.shape)
    if not n_components:
        return np.zeros((len(features), 1))
    is_small = len(features) < _FEW_IMAGES or standard.shape[1] > len(features)
    components = PCA(n_components, whiten=whiten, svd_solver="full" if is_small else "covariance_eigh")
    found = np.asarray(components.fit_transform(standard))
    return found if whiten else found / max(1e-12, float(found.std(axis=0).mean()))
