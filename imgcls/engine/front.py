"""The frozen front of a network: its first stages, whose answer to each view is computed once and kept in the cache."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from fastai.callback.core import Callback
from torch import Tensor, nn

from imgcls.data.cache import FRONTS, ArrayFile
from imgcls.engine.features import MOST_BYTES
from imgcls.engine.inference import without_gradients
from imgcls.engine.loaders import KeptFeatures, Key, PhotoDataset, PhotoLoader
from imgcls.engine.models import architecture_of, stages_of
from imgcls.errors import PlanError
from imgcls.storage import canonical_json
from imgcls.workspace import cache_folder

if TYPE_CHECKING:
    from imgcls.engine.build import BuiltLearner
    from imgcls.engine.request import RunSpec

FRONT_VERSION = 1
"""Raised whenever the same photographs and weights would give other features."""


class _ReachedError(Exception):
    """The pass has come to where the front ends."""


@dataclass(frozen=True)
class Front:
    """The first stages of a network, and where the rest of it begins."""

    network: nn.Module
    """The whole network."""
    boundary: nn.Module
    """The first stage of the rest."""
    parts: tuple[nn.Module, ...]
    """What an image passes before it comes there: modules with tensors of their own, and those without children."""
    blank: Tensor
    """An image of zeros, [1, 3, h, w], on the device: what the network is shown while the rest is given features."""

    @classmethod
    def of(cls, network: nn.Module, n_stages: int, images: Tensor) -> Self:
        """Find the front, and check that the rest needs nothing but what comes out of it.

        Args:
            network: The network.
            n_stages: Stages that belong to the front; what comes before the first belongs to it too.
            images: Some of its input, float [b, 3, h, w], on its device.

        Raises:
            PlanError: It has no stages, too few, or is no row of stages.
        """
        stages = stages_of(network)
        if n_stages >= max(1, len(stages)):
            many = f"it has {len(stages)}, the last of which has to learn" if stages else "it is no row of stages"
            raise PlanError(f"fit.freeze_stages = {n_stages} cannot be used with this network: {many}.")
        passed: list[nn.Module] = []
        boundary = stages[n_stages]
        with _at_rest(network), torch.no_grad():
            hooks = [
                part.register_forward_hook(lambda module, *_: passed.append(module))
                for part in network.modules()
                # timm's normalisations hold their activation as a child
                if not list(part.children()) or {**part._parameters, **part._buffers}
            ]
            front = cls(network, boundary, (), torch.zeros_like(images[:1]))
            try:
                features = front.features(images)
            finally:
                for hook in hooks:
                    hook.remove()
            whole, from_features = network(images), front.rest(features)
        if not torch.allclose(whole, from_features, rtol=1e-3, atol=1e-4):
            raise PlanError(
                f"fit.freeze_stages = {n_stages} cannot be used with this network: its later stages look back at "
                "earlier ones. Leave it out, or choose another model.name."
            )
        return cls(network, boundary, tuple(dict.fromkeys(passed)), front.blank)

    def features(self, images: Tensor) -> Tensor:
        """Return what the front makes of images: the input of the boundary.

        Args:
            images: float [b, 3, h, w].
        """
        reached: list[Tensor] = []

        def stop(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            reached.append(inputs[0])
            raise _ReachedError

        hook = self.boundary.register_forward_pre_hook(stop)
        try:
            self.network(images)
        except _ReachedError:
            pass
        finally:
            hook.remove()
        return reached[0]

    def rest(self, features: Tensor) -> Tensor:
        """Return the logits of the network from what its front made of images.

        Args:
            features: float [b, …].
        """
        with self.given(features):
            logits: Tensor = self.network(self.blank)
        return logits

    @contextmanager
    def given(self, features: Tensor) -> Iterator[None]:
        """Give the rest of the network features, whatever image it is shown meanwhile."""
        hook = self.boundary.register_forward_pre_hook(lambda _, inputs: (features, *inputs[1:]))
        try:
            yield
        finally:
            hook.remove()

    def freeze(self) -> list[nn.Parameter]:
        """Stop the front from learning, its running statistics too, and return what learned until now."""
        stopped = []
        for part in self.parts:
            part.eval()
            for parameter in part.parameters(recurse=False):
                if parameter.requires_grad:
                    parameter.requires_grad_(False)
                    stopped.append(parameter)
                parameter.grad = None
        return stopped

    @property
    def digest(self) -> str:
        """The sha256 of its weights and running statistics."""
        found = hashlib.sha256()
        for part in self.parts:
            for name, values in part.state_dict().items():
                found.update(f"{name}{tuple(values.shape)}".encode())
                found.update(values.detach().cpu().contiguous().numpy().tobytes())
        return found.hexdigest()


class FreezeStages(Callback):
    """Trains only what comes after the first stages, which stay as they came, running statistics too.

    The front is passed without gradients, or not at all where its features were kept (see `keep_features`): the rest is
    then given those. Either way it is computed at rest, so that training comes to the same weights.
    """

    order = -7

    def __init__(self, n_stages: int) -> None:
        self.n_stages = n_stages
        self.front: Front | None = None
        self.stopped: list[nn.Parameter] = []
        self.given = ExitStack()

    def before_fit(self) -> None:
        """Find the front."""
        self.set_free()  # an aborted fit calls no `after_fit`
        images, _ = self.learn.dls.train.one_batch()
        self.front = Front.of(self.learn.model, self.n_stages, images[:2])

    def before_train(self) -> None:
        """Freeze the front."""
        if self.front is not None:
            self.stopped += self.front.freeze()

    def before_batch(self) -> None:
        """Pass the front without gradients, and let the rest begin with what came out."""
        if self.front is None or not (self.learn.training or self._is_kept()):
            return
        (batch,) = self.learn.xb
        if not self._is_kept():
            with torch.no_grad():
                batch = self.front.features(batch)
        self.learn.xb = (self.front.blank,)
        self.given.enter_context(self.front.given(batch))

    def after_pred(self) -> None:
        """Return the network as it was."""
        self.given.close()

    def after_cancel_batch(self) -> None:
        """Likewise."""
        self.given.close()

    def after_fit(self) -> None:
        """Let everything learn again."""
        self.set_free()

    def set_free(self) -> None:
        """Make trainable what this callback has frozen, and nothing else."""
        self.given.close()
        for parameter in self.stopped:
            parameter.requires_grad_(True)
        self.stopped = []

    def _is_kept(self) -> bool:
        return getattr(self.learn.dl, "kept", None) is not None


@contextmanager
def keep_features(built: BuiltLearner, request: RunSpec, *, progress: Callable[[int, int], None]) -> Iterator[str]:
    """Compute what the frozen front makes of all views, or find it in the cache, and train from that meanwhile.

    Args:
        built: The Learner, whose loaders are given the features.
        request: The run.
        progress: Called with the number of views done, and of all.

    Yields:
        What was done, for a person.
    """
    began, plan, learn = time.perf_counter(), request.plan, built.learn
    images, _ = learn.dls.train.one_batch()
    front = Front.of(built.network.module, plan.fit.freeze_stages, images[:2])
    train, valid = learn.dls.train, learn.dls.valid
    n_epochs = request.n_epochs(len(train))
    n_views = min(plan.augment.views, n_epochs) if train.dataset.pipelines else 1
    with _at_rest(front.network), without_gradients(train.device, request.machine.used_precision()):
        n_values = front.features(images[:1]).numel()
    n_photos = n_views * len(train.dataset) + len(valid.dataset)
    if not n_views or 4 * n_values * n_photos > MOST_BYTES:
        why = (
            f"would take {4 * n_values * n_photos / 1e9:.1f} GB"
            if n_views
            else "are new ones in every epoch (augment.views = 0)"
        )
        yield f"The frozen stages are passed again for every batch, since the features of the views {why}."
        return
    n_found, n_done = 0, 0
    key, is_known = _key(front, request), architecture_of(front.network) is not None
    passes = {train: n_views} | ({valid: 1} if len(valid.dataset) else {})
    for loader, views in passes.items():
        found = []
        for view in range(views):
            name = hashlib.sha256(f"{key} {_samples_key(loader.dataset, request)} {view}".encode()).hexdigest()[:32]
            stored = ArrayFile(cache_folder() / FRONTS / f"{name}.npz")
            values = stored.read().get("values") if is_known else None
            if values is None or len(values) != len(loader.dataset):
                values = _computed(front, loader, view, request, partial(_further, progress, n_done, n_photos))
                if is_known:
                    stored.write(most_bytes=MOST_BYTES, values=values)
            else:
                n_found += 1
            n_done += len(values)
            found.append(values)
        loader.kept = KeptFeatures(np.stack(found), loader.dataset.targets)
    computed = f"computed in {time.perf_counter() - began:.0f} s{' and kept' * is_known}"
    where = "found in the cache" if n_found == sum(passes.values()) else computed
    try:
        yield (
            f"The first {plan.fit.freeze_stages} stages are frozen: what they make of {n_views} "
            f"view{'s' * (n_views != 1)} of each photograph was {where} ({4 * n_values * n_photos / 1e6:.0f} MB)."
        )
    finally:
        train.kept = valid.kept = None


def _further(progress: Callable[[int, int], None], n_before: int, n_all: int, n: int) -> None:
    progress(n_before + n, n_all)


def _computed(
    front: Front, loader: PhotoLoader, view: int, request: RunSpec, progress: Callable[[int], None]
) -> np.ndarray:
    """Compute the features of one view of every sample, float32 [n, …]."""
    dataset, found = loader.dataset, []
    with _at_rest(front.network), without_gradients(loader.device, request.machine.used_precision()):
        for start in range(0, len(dataset), loader.bs):
            rows = range(start, min(start + loader.bs, len(dataset)))
            images, targets = dataset.__getitems__([Key(row, view) for row in rows])
            encoded, _ = loader.on_device(torch.from_numpy(images), torch.from_numpy(np.asarray(targets)))
            found.append(front.features(encoded).float().cpu())
            progress(rows.stop)
    return np.ascontiguousarray(torch.cat(found).numpy())


def _key(front: Front, request: RunSpec) -> str:
    """Return what the features depend on, besides the samples."""
    plan, machine = request.plan, request.machine
    return canonical_json(
        [
            FRONT_VERSION,
            architecture_of(front.network),
            front.digest,
            plan.fit.freeze_stages,
            request.prepared.preprocess.key,
            plan.to_json().get("images", {}),
            machine.torch_device().type,
            machine.used_precision(),
        ]
    )


def _samples_key(dataset: PhotoDataset, request: RunSpec) -> str:
    """Return a digest of the samples in their order, and of how views of them are drawn; clean ones hang on no seed."""
    photos: Any = dataset.photos
    lines = (f"{name}\0{photos.sha256[row]}" for name, row in zip(dataset.ids, dataset.rows, strict=True))
    augment = {name: value for name, value in request.plan.to_json().get("augment", {}).items() if name != "views"}
    drawn = canonical_json([augment, request.seed]) if dataset.pipelines else ""
    return hashlib.sha256("\n".join([drawn, *lines]).encode("utf-8", "surrogateescape")).hexdigest()


@contextmanager
def _at_rest(network: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode, and every part back into its own."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
