"""Network, its averaged weights and optimiser as files: tensors in safetensors, numbers in JSON, nothing pickled.

Everything random is a function of seed and epoch, so no generator is saved. What is saved is compared bit by bit
with an unbroken training in the tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from fastai.callback.core import Callback, CancelEpochException
from fastai.learner import Learner
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from imgcls.errors import RecordError
from imgcls.records.attempts import Attempt

MODEL_FILE, OPTIMIZER_FILE, AVERAGE_FILE = "model.safetensors", "optimizer.safetensors", "average.safetensors"


class SaveEpochs(Callback):
    """Writes network and optimiser into the attempt after every epoch."""

    order = 90  # last: what it saves is the epoch's end, history included

    def __init__(self, attempt: Attempt, about: Mapping[str, Any] | None = None) -> None:
        """Set where to save.

        Args:
            attempt: The attempt.
            about: JSON values that every checkpoint holds besides.
        """
        self.attempt, self.about = attempt, dict(about or {})
        self.was_trained = False

    def before_train(self) -> None:
        """Remember that this epoch is trained, not skipped."""
        self.was_trained = True

    def after_epoch(self) -> None:
        """Save, unless the epoch was skipped."""
        if self.was_trained:
            files, meta = capture(self.learn)
            self.attempt.save_checkpoint(files, {**self.about, **meta, "epoch": self.learn.epoch + 1})
            self.attempt.heartbeat()
        self.was_trained = False


class SkipEpochs(Callback):
    """Passes over the epochs that an earlier attempt finished, and restores the scale of a gradient scaler."""

    order = 70  # after the recorder, which has to have begun its row, and after mixed precision has made its scaler

    def __init__(self, n_done: int, *, scaler: Mapping[str, Any] | None) -> None:
        """Set where to go on.

        Args:
            n_done: Epochs that are done.
            scaler: The state of the gradient scaler then; None without one.
        """
        self.n_done, self.scaler_state = n_done, scaler

    def before_fit(self) -> None:
        """Restore the scaler, which exists only while a fit lasts."""
        if self.scaler_state:
            self.learn.scaler.load_state_dict(dict(self.scaler_state))

    def before_epoch(self) -> None:
        """Cancel an epoch that is done."""
        if self.learn.epoch < self.n_done:
            raise CancelEpochException


def weights_bytes(network: nn.Module) -> bytes:
    """Return a network's tensors as a safetensors file, in the names of its state."""
    return save_tensors({name: _saved(tensor) for name, tensor in network.state_dict().items()})


def tensor_bytes(tensors: Iterable[Tensor]) -> int:
    """Return how many bytes tensors take in a file."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def checkpoint_bytes(learn: Learner) -> int:
    """Return about how large a checkpoint of a Learner will be; its optimiser may have no state yet.

    Counted are two tensors a trained parameter, as Adam keeps; plain SGD keeps fewer.
    """
    network = tensor_bytes(learn.model.state_dict().values())
    average = getattr(learn, "average_weights", None)
    return (1 if average is None else 2) * network + 2 * tensor_bytes(learn.model.parameters())


def capture(learn: Learner) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the state of a Learner between two epochs: files by name, and JSON."""
    state = learn.opt.opt.state_dict()
    tensors, numbers = {}, {}
    for parameter, values in state["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"{parameter}.{name}"] = _saved(value)
            else:
                numbers[f"{parameter}.{name}"] = value
    groups = [{name: value for name, value in group.items() if name != "params"} for group in state["param_groups"]]
    scaler = getattr(learn, "scaler", None)
    meta = {"numbers": numbers, "groups": groups, "scaler": scaler.state_dict() if scaler is not None else None}
    files = {MODEL_FILE: weights_bytes(learn.model), OPTIMIZER_FILE: save_tensors(tensors)}
    average = getattr(learn, "average_weights", None)
    if average is not None:
        files[AVERAGE_FILE] = save_tensors({name: _saved(tensor) for name, tensor in average.state().items()})
        meta["averaged_steps"] = average.n_steps
    return files, meta


def restore(learn: Learner, files: Mapping[str, bytes], meta: Mapping[str, Any]) -> None:
    """Restore a captured state in a fresh Learner of the same plan.

    Raises:
        RecordError: The state does not fit the Learner.
    """
    try:
        learn.model.load_state_dict(load_tensors(files[MODEL_FILE]), strict=True)
        if learn.opt is None:
            learn.create_opt()
        state = learn.opt.opt.state_dict()
        parameters = [parameter for group in learn.opt.opt.param_groups for parameter in group["params"]]
        kept: dict[int, dict[str, Any]] = {}
        for key, value in {**load_tensors(files[OPTIMIZER_FILE]), **meta["numbers"]}.items():
            place, _, name = key.partition(".")
            kept.setdefault(int(place), {})[name] = _laid_out(value, like=parameters[int(place)])
        groups = [{**mine, **saved} for mine, saved in zip(state["param_groups"], meta["groups"], strict=True)]
        for group in groups:
            group.update({name: tuple(value) for name, value in group.items() if name == "betas"})
        learn.opt.opt.load_state_dict({"state": kept, "param_groups": groups})
        average = getattr(learn, "average_weights", None)
        if average is not None:
            average.restore(load_tensors(files[AVERAGE_FILE]), n_steps=int(meta["averaged_steps"]))
    except (KeyError, IndexError, ValueError, RuntimeError) as problem:
        why = str(problem).partition("\n")[0].rstrip(" .:")
        raise RecordError(
            f"The last checkpoint does not fit this training: {type(problem).__name__}: {why}. Begin again with "
            "--from-start."
        ) from problem


def _saved(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True).contiguous(memory_format=torch.contiguous_format)


def _laid_out(value: Any, *, like: Tensor) -> Any:
    """Lay a tensor out in memory as its parameter is: sums over it, such as norms, depend on that in the last bit."""
    if not isinstance(value, Tensor) or value.shape != like.shape:
        return value
    return torch.empty_like(like, dtype=value.dtype, device=value.device, requires_grad=False).copy_(value)
