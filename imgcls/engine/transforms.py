"""Transforms by name from albumentations and torchvision v2, on uint8 images, drawn by a keyed generator.

A pipeline is a function (image uint8 [h, w, 3], generator) → image uint8 [h, w, 3]. It has no state: what it
draws comes from the generator alone, so that workers, order and earlier images have no say in it.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import albumentations
import cv2
import numpy as np
from torchvision.transforms import v2

from imgcls.engine.seeding import borrowed_torch
from imgcls.errors import PlanError, nearest_hint
from imgcls.plan import Augment, Op

Pipeline = Callable[[np.ndarray, np.random.Generator], np.ndarray]

cv2.setNumThreads(0)  # its threads would compete with torch's, and outlive a fork badly

# Words a person can type for the numbers of OpenCV and the enums of torchvision.
_CV2_WORDS: dict[str, dict[str, int]] = {
    "border_mode": {
        "constant": cv2.BORDER_CONSTANT,
        "edge": cv2.BORDER_REPLICATE,
        "reflect": cv2.BORDER_REFLECT_101,
        "symmetric": cv2.BORDER_REFLECT,
    },
    "interpolation": {
        "nearest": cv2.INTER_NEAREST,
        "bilinear": cv2.INTER_LINEAR,
        "bicubic": cv2.INTER_CUBIC,
        "area": cv2.INTER_AREA,
    },
}
_TORCHVISION_WORDS: dict[str, dict[str, Any]] = {
    "interpolation": {mode.value: mode for mode in v2.InterpolationMode},
}


class AlbumentationsPipeline:
    """Transforms of albumentations, one after the other."""

    def __init__(self, transforms: Sequence[Any]) -> None:
        self._compose = albumentations.Compose(list(transforms))

    def __call__(self, image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Transform one image with draws from the generator."""
        # set_random_seed would give every transform the same stream, so that they move together.
        self._compose.set_random_state(generator, random.Random(int(generator.integers(2**63))))  # noqa: S311
        return np.ascontiguousarray(self._compose(image=image)["image"])


class TorchvisionPipeline:
    """Transforms of torchvision v2, one after the other."""

    def __init__(self, transforms: Sequence[Any]) -> None:
        self._compose = v2.Compose([v2.ToImage(), *transforms])

    def __call__(self, image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Transform one image; torch's global generator is borrowed and given back as it was."""
        with borrowed_torch(int(generator.integers(2**63))):
            changed = self._compose(image)
        return np.ascontiguousarray(changed.permute(1, 2, 0).numpy())


class SquareCrop:
    """A random square of an image, brought back to the size of the image.

    Source: Szegedy et al. 2015, arXiv:1409.4842, section 6; albumentations' RandomResizedCrop.
    """

    def __init__(self, smallest: float) -> None:
        self._smallest = smallest
        self._by_side: dict[int, AlbumentationsPipeline] = {}

    def __call__(self, image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Crop one image with draws from the generator."""
        side = len(image)
        if side not in self._by_side:
            crop = albumentations.RandomResizedCrop(
                (side, side), scale=(self._smallest, 1.0), ratio=(1.0, 1.0), strict=True
            )
            self._by_side[side] = AlbumentationsPipeline([crop])
        return self._by_side[side](image, generator)


class InTurn:
    """Pipelines one after the other, all of which draw from the same generator."""

    def __init__(self, *pipelines: Pipeline) -> None:
        self._pipelines = pipelines

    def __call__(self, image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Transform one image with draws from the generator."""
        for pipeline in self._pipelines:
            image = pipeline(image, generator)
        return image


def build_pipeline(augment: Augment) -> Pipeline | None:
    """Build the plan's training transforms, the crop before all others; None when there are none.

    The crop is no transform of the list, so that recipes that set the list and recipes that crop can stand in any
    order; it takes the size from the image, so that larger images stay large.

    Raises:
        PlanError: A name or an option does not exist; all at once.
    """
    crop = None if augment.smallest_crop is None else SquareCrop(augment.smallest_crop)
    if not augment.transforms:
        return crop
    made, problems = [], []
    for op in augment.transforms:
        try:
            made.append(_build(op, augment.library))
        except PlanError as problem:
            problems.append(str(problem))
    if problems:
        raise PlanError.together(problems)
    pipeline = AlbumentationsPipeline(made) if augment.library == "albumentations" else TorchvisionPipeline(made)
    return pipeline if crop is None else InTurn(crop, pipeline)


def build_eraser(augment: Augment) -> Pipeline | None:
    """Build the plan's erasing of a rectangle, whichever library its transforms are of; None when there is none.

    It stands apart from the transforms, so that these draw the same with it and without it, and so that views at
    prediction do without it: what a view has lost, no average over views can bring back.

    Source: Zhong et al. 2020, arXiv:1708.04896, algorithm 1, with noise in the rectangle, which it found to be the
    best filling; albumentations' Erasing.
    """
    if not augment.erasing:
        return None
    return AlbumentationsPipeline([albumentations.Erasing(fill="random", p=augment.erasing, strict=True)])


def pipeline_problems(augment: Augment, *, size_px: int) -> list[str]:
    """List what is wrong with the plan's transforms, trying them on a drawn image of the plan's size."""
    try:
        pipeline = build_pipeline(augment)
    except PlanError as problem:
        return [str(problem)]
    if pipeline is None:
        return []
    generator = np.random.Generator(np.random.Philox(key=0))
    image = generator.integers(0, 256, (size_px, size_px, 3), dtype=np.uint8)
    try:
        changed = pipeline(image, generator)
    except Exception as problem:
        return [f"augment.transforms cannot be applied to an image of {size_px} px: {problem}"]
    if changed.dtype != np.uint8:
        return [f"augment.transforms give {changed.dtype} images; they have to stay uint8, normalisation comes later."]
    if changed.shape != image.shape:
        height, width = changed.shape[:2]
        return [
            f"augment.transforms give images of {width} x {height} px, but images.size_px is {size_px}; "
            f"end with a crop or resize to {size_px}."
        ]
    return []


def _build(op: Op, library: str) -> Any:
    module: Any = albumentations if library == "albumentations" else v2
    kind: type = albumentations.BasicTransform if library == "albumentations" else v2.Transform
    known = {
        name: found
        for name, found in vars(module).items()
        if isinstance(found, type) and issubclass(found, kind) and not name.startswith("_")
    }
    if op.name not in known:
        raise PlanError(f"augment.transforms: {library} has no {op.name!r}.{nearest_hint(op.name, known)}")
    accepted = {
        name
        for name, parameter in inspect.signature(known[op.name]).parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    } - {"strict"}
    unknown = [name for name in op.options if name not in accepted]
    if unknown:
        raise PlanError.together(
            [f"augment.transforms: {op.name} has no option {name!r}.{nearest_hint(name, accepted)}" for name in unknown]
        )
    words = _CV2_WORDS if library == "albumentations" else _TORCHVISION_WORDS
    options = {name: _option_value(op.name, name, value, words) for name, value in op.options.items()}
    try:
        return known[op.name](**options, **({"strict": True} if library == "albumentations" else {}))
    except Exception as problem:
        raise PlanError(f"augment.transforms: {op.name} refuses its options: {problem}") from problem


def _option_value(transform: str, name: str, value: Any, words: Mapping[str, Mapping[str, Any]]) -> Any:
    if isinstance(value, str) and name in words:
        if value not in words[name]:
            raise PlanError(f"augment.transforms: {transform}.{name} has to be one of {', '.join(words[name])}.")
        return words[name][value]
    return tuple(value) if isinstance(value, list) else value
