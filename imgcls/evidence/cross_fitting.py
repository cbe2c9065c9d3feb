"""Cross-fitting: what is fitted to predictions is judged on a part of the images that was held out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from imgcls.errors import UsageError

Indices = npt.NDArray[np.intp]
N_PARTS = 5
"""Parts of the images of one split, each held out in turn."""
_FEWEST_UNITS = 2


def parts_of(labels: Sequence[object], groups: Indices | None) -> tuple[Indices, Indices]:
    """Divide the images of one split into five parts by lot, with whole groups and all classes as evenly as can be.

    Args:
        labels: [n], what the parts are balanced by.
        groups: [n] numbers of groups; None where images stand alone.

    Returns:
        [n] numbers of groups, images that stand alone having one each; and [n] the part of each image, from 0.

    Raises:
        UsageError: They are one group.
    """
    alone = np.arange(len(labels), dtype=np.intp) if groups is None else groups
    label_of = dict(zip(alone.tolist(), map(str, labels), strict=True))
    random = np.random.default_rng(0)
    dealt = sorted(random.permutation(list(label_of)).tolist(), key=lambda group: label_of[group])
    if len(dealt) < _FEWEST_UNITS:
        raise UsageError(
            f"The {len(labels)} images that validate are one group, so no part of them can be held out. Let more "
            "groups validate."
        )
    part_of = {group: place % N_PARTS for place, group in enumerate(dealt)}
    return alone, np.array([part_of[group] for group in alone.tolist()], dtype=np.intp)
