"""Prediction: the probabilities of a trained network, averaged over the views of each image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import torch
from torch import nn

from imgcls.engine.loaders import Normalisation, PhotoDataset
from imgcls.engine.seeding import PREDICTION_EPOCH, generator
from imgcls.engine.transforms import Pipeline, build_pipeline
from imgcls.plan import Augment, Plan, Predict
from imgcls.predictions.calibration import calibrate
from imgcls.predictions.smoothing import smooth
from imgcls.records.run import Calibration
from imgcls.storage import canonical_json

Images = np.ndarray
_CROP_SHARE = 0.875  # the share of the side that timm's evaluation crops keep by default


class Views:
    """Makes the views of a batch of images; view 0 is always the clean image."""

    def __init__(self, predict: Predict, augment: Augment, *, seed: int) -> None:
        """Prepare what the plan asks for.

        Args:
            predict: How many views, and of which kind.
            augment: The training transforms, for augmented views.
            seed: The run's seed; with the sample's id and the view's number it decides the draws.
        """
        self.n_views, self.kind, self.seed = predict.views, predict.view_kind, seed
        self._augment = augment
        self._pipeline: Pipeline | None = (
            build_pipeline(augment) if self.kind == "augmented" and self.n_views > 1 else None
        )

    def key(self, view: int) -> str:
        """Return what a view is made by, beside the image and its id; the clean one by nothing."""
        if view == 0 or (self.kind == "augmented" and self._pipeline is None):
            return ""
        if self.kind != "augmented":
            return f"{self.kind} {view}"
        drawn = Plan(augment=replace(self._augment, views=Augment().views)).to_json()
        return canonical_json([drawn, self.seed, view])

    def make(self, images: Images, ids: Sequence[str], view: int) -> Images:
        """Return one view of every image.

        Args:
            images: uint8 [b, size, size, 3].
            ids: [b], the samples' names.
            view: In [0, n_views).

        Returns:
            uint8 [b, size, size, 3]; row i is made of image i alone.
        """
        if view == 0:
            return images
        if self.kind == "flips":
            return _flipped(images, view)
        if self.kind == "crops":
            return np.stack([_cropped(image, view) for image in images])
        if self._pipeline is None:
            return images
        return np.stack(
            [
                self._pipeline(image.copy(), generator(self.seed, "augment", PREDICTION_EPOCH, name, view))
                for image, name in zip(images, ids, strict=True)
            ]
        )


def predict_batches(
    network: nn.Module,
    batches: Iterable[tuple[Images, Sequence[str]]],
    *,
    plan: Plan,
    normalisation: Normalisation,
    multilabel: bool,
    seed: int,
    device: torch.device,
    precision: str = "float32",
    calibration: Calibration | None = None,
) -> np.ndarray:
    """Predict probabilities: for each image the mean over its views, then calibration and the plan's smoothing.

    Args:
        network: The trained network, on the device.
        batches: Images uint8 [b, size, size, 3] with the samples' ids.
        plan: Its `predict` and `augment` parts are read.
        normalisation: How images become floats.
        multilabel: Whether each class has a probability of its own.
        seed: The run's seed.
        device: Where it runs.
        precision: `float32`, `bf16` or `fp16`; as in training.
        calibration: What the run fitted to validation; None without.

    Returns:
        float64 [n, k], in the order of the batches.
    """
    found = averaged(
        network,
        batches,
        plan=plan,
        normalisation=normalisation,
        multilabel=multilabel,
        seed=seed,
        device=device,
        precision=precision,
    )
    return finished(found, plan.predict, calibration, multilabel=multilabel)


def finished(
    probabilities: np.ndarray, predict: Predict, calibration: Calibration | None, *, multilabel: bool
) -> np.ndarray:
    """Return probabilities with what a plan does to them after the network.

    Args:
        probabilities: float64 [n, k], the means over views.
        predict: Its smoothing is read.
        calibration: What the run fitted to validation; None without.
        multilabel: Whether each class has a probability of its own.
    """
    if not len(probabilities):
        return probabilities
    if calibration is not None:
        probabilities = calibrate(probabilities, calibration, multilabel=multilabel)
    return smooth(
        probabilities,
        alpha=predict.smoothing,
        threshold=predict.smoothing_threshold,
        problem="multilabel" if multilabel else "multiclass",
    )


def averaged(
    network: nn.Module,
    batches: Iterable[tuple[Images, Sequence[str]]],
    *,
    plan: Plan,
    normalisation: Normalisation,
    multilabel: bool,
    seed: int,
    device: torch.device,
    precision: str = "float32",
) -> np.ndarray:
    """Return for each image the mean of its probabilities over the views; arguments as for `predict_batches`."""
    means = running_means(
        network,
        batches,
        plan=plan,
        normalisation=normalisation,
        multilabel=multilabel,
        seed=seed,
        device=device,
        precision=precision,
        only_last=True,
    )
    return np.asarray(means[0])


def running_means(
    network: nn.Module,
    batches: Iterable[tuple[Images, Sequence[str]]],
    *,
    plan: Plan,
    normalisation: Normalisation,
    multilabel: bool,
    seed: int,
    device: torch.device,
    precision: str = "float32",
    only_last: bool = False,
) -> np.ndarray:
    """Return the mean over the first view, over the first two, and so on to all, in one pass over the images.

    A view is made of its number, the image and its name alone: the first t of more views are the t views of a plan.
    Arguments as for `predict_batches`; where the mean over all views is enough, `only_last` keeps no other.

    Returns:
        float64 [views, n, k], or [1, n, k].
    """
    views = Views(plan.predict, plan.augment, seed=seed)
    activation: Callable[[torch.Tensor], torch.Tensor] = torch.sigmoid if multilabel else partial(torch.softmax, dim=1)
    network.eval()
    found = []
    with without_gradients(device, precision):
        for images, ids in batches:
            total, means = None, []
            for view in range(views.n_views):
                shown = torch.from_numpy(views.make(images, ids, view))
                one = activation(network(normalisation.encode(shown, device)).float())
                total = one if total is None else total + one
                if not only_last or view == views.n_views - 1:
                    means.append(total / (view + 1))
            found.append(torch.stack(means))
    if not found:
        return np.zeros((1 if only_last else views.n_views, 0, 0))
    probabilities = torch.cat(found, dim=1).cpu().double().numpy()
    if not multilabel:  # float32 rows sum to 1 within 1e-7; float64 ones should within 1e-15
        probabilities /= probabilities.sum(axis=-1, keepdims=True)
    return np.asarray(probabilities)


@contextmanager
def without_gradients(device: torch.device, precision: str) -> Iterator[None]:
    """Compute without gradients, in the precision of training.

    Args:
        device: Where it runs.
        precision: `float32`, `bf16` or `fp16`.
    """
    number = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
    with torch.inference_mode(), torch.autocast(device.type, dtype=number, enabled=number is not None):
        yield


def batches_of(dataset: PhotoDataset, *, size: int) -> Iterator[tuple[Images, list[str]]]:
    """Return a dataset's decoded images in order, with their ids, without augmentation."""
    for start in range(0, len(dataset), size):
        rows = np.arange(start, min(start + size, len(dataset)))
        yield dataset.photos.pixels(dataset.rows[rows]), [dataset.ids[row] for row in rows]


def _flipped(images: Images, view: int) -> Images:
    """Mirror left-right (1), up-down (2), both (3); views 4 to 7 are the same of the transposed image."""
    turned = images.transpose(0, 2, 1, 3) if view >= 4 else images
    if view & 1:
        turned = turned[:, :, ::-1]
    if view & 2:
        turned = turned[:, ::-1]
    return np.ascontiguousarray(turned)


def _cropped(image: Images, view: int) -> Images:
    """Cut a corner (1 to 4), and bring it back to full size."""
    side = image.shape[0]
    kept = max(1, round(side * _CROP_SHARE))
    top, left = divmod(view - 1, 2)
    y, x = top * (side - kept), left * (side - kept)
    return cv2.resize(image[y : y + kept, x : x + kept], (side, side), interpolation=cv2.INTER_LINEAR)
