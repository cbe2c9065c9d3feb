"""Reading a ladder's samples again, for labels of test and for pictures; loads no deep learning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imgcls.data.samples import Samples
from imgcls.data.sources import load_samples
from imgcls.errors import DataError
from imgcls.workspace import OWN_FOLDERS

_SETS = ("torchvision:", "fastai:")
_READING = ("images", "label", "id", "group", "split", "problem_type", "delimiter")


def load_source(data: Mapping[str, Any]) -> Samples:
    """Read the samples of a ladder, neither decoded nor split.

    Args:
        data: `Ladder.data`.

    Raises:
        DataError: They are not there any more, or are a set that only the engine can read.
    """
    named = data.get("data")
    if isinstance(named, str) and named.startswith(_SETS):
        from imgcls.engine.known_sets import known_set
        from imgcls.workspace import cache_folder

        named = known_set(named, cache_folder() / "sets")
    try:
        return load_samples(named, skip=OWN_FOLDERS, **{name: data.get(name) for name in _READING})
    except FileNotFoundError as problem:
        raise DataError(f"The photographs of this ladder are not there any more: {problem}.") from problem
