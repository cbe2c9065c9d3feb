"""Losses. Label smoothing and class weights act in training only, so that the validation loss is always plain."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F  # noqa: N812 - the name by which torch's users know it
from fastai.callback.core import Callback
from torch import Tensor, nn

from imgcls.config.metrics import DEFAULT_THRESHOLD
from imgcls.errors import PlanError
from imgcls.plan import Loss


class TrainLoss(nn.Module):
    """Cross entropy or binary cross entropy, softened, weighted and focal while `training`, plain otherwise.

    fastai finds what it needs on it: `activation`, `decodes`, and `reduction` for losses by image.
    """

    class_weights: Tensor | None

    def __init__(
        self, kind: str, *, smoothing: float = 0.0, class_weights: Tensor | None = None, gamma: float = 0.0
    ) -> None:
        """Make the loss.

        Args:
            kind: `cross_entropy` for classes, int64 [b], or their shares, float [b, k]; `bce` for targets from 0
                to 1, [b, k].
            smoothing: Share spread evenly over all classes, in [0, 1).
            class_weights: Weight of each class, float [k]; with `bce`, of its positives.
            gamma: Exponent of a focal loss, at least 0, where it is none.
        """
        super().__init__()
        self.kind, self.smoothing, self.gamma, self.reduction = kind, smoothing, gamma, "mean"
        self.y_int = kind == "cross_entropy"
        self.register_buffer("class_weights", class_weights)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of logits [b, k]: a scalar, or by image when `reduction` is `none`."""
        smoothing = self.smoothing if self.training else 0.0
        weights = self.class_weights if self.training else None
        logits = logits.float()
        if self.gamma and self.training:  # fastai's kinds of tensors cannot be multiplied with each other
            shares = one_hot(targets.as_subclass(Tensor), logits.shape[-1]).to(logits.dtype)
            return self._focal(logits.as_subclass(Tensor), shares)
        if self.kind == "cross_entropy":
            entropy = partial(F.cross_entropy, logits, targets, weight=weights, label_smoothing=smoothing)
            if weights is None or targets.ndim == 1 or self.reduction != "mean":
                return entropy(reduction=self.reduction)
            # For shares of classes torch divides by the number of images, for classes by their weights, so that
            # mixing an image with itself would change its loss.
            return entropy(reduction="sum") / (targets * weights).sum()
        soft = targets.to(logits.dtype) * (1 - smoothing) + smoothing / 2
        return F.binary_cross_entropy_with_logits(logits, soft, pos_weight=weights, reduction=self.reduction)

    def _focal(self, logits: Tensor, shares: Tensor) -> Tensor:
        """Return the loss in which an answer counts by (1 − p)^γ, p the probability it has for what is asked.

        Softmax form: −Σ y (1 − p)^γ log p over classes; sigmoid form: the same of each label's yes and no. Both are
        linear in the targets y, so that softened and mixed ones give the mean of the losses of the labels they are
        made of; with γ = 0 they are the plain losses, weights and all.

        Source: Lin et al. 2017, arXiv:1708.02002, section 3.2, without its α; equation 5.
        """
        soft = shares * (1 - self.smoothing)
        if self.kind == "cross_entropy":
            soft = soft + self.smoothing / logits.shape[-1]
            weights = torch.ones_like(logits[0]) if self.class_weights is None else self.class_weights
            logs = logits.log_softmax(dim=-1)
            # sure answers round 1 − p to 0, where a power below 1 has no slope
            doubt = (1 - logs.exp()).clamp(min=torch.finfo(logs.dtype).eps)
            losses = -(weights * soft * doubt**self.gamma * logs).sum(dim=-1)
            n_counted = (weights * shares).sum()  # as in a weighted cross entropy
        else:
            soft = soft + self.smoothing / 2
            weights = torch.ones_like(logits[0]) if self.class_weights is None else self.class_weights
            yes, no = F.logsigmoid(logits), F.logsigmoid(-logits)
            losses = -(weights * soft * yes * (self.gamma * no).exp() + (1 - soft) * no * (self.gamma * yes).exp())
            n_counted = torch.tensor(losses.numel(), device=losses.device)
        return losses if self.reduction == "none" else losses.sum() / (n_counted if self.reduction == "mean" else 1)

    def activation(self, logits: Tensor) -> Tensor:
        """Return the probabilities of logits."""
        return logits.softmax(dim=-1) if self.kind == "cross_entropy" else logits.sigmoid()

    def decodes(self, probabilities: Tensor) -> Tensor:
        """Return the predictions of probabilities: a class index, or 0/1 by class."""
        return probabilities.argmax(dim=-1) if self.kind == "cross_entropy" else probabilities >= DEFAULT_THRESHOLD

    def extra_repr(self) -> str:
        """Describe the settings, for `print` and for `recipe show --learner`."""
        weighted = ", class_weights=balanced" if self.class_weights is not None else ""
        focal = f", gamma={self.gamma:g}" if self.gamma else ""
        return f"{self.kind}, smoothing={self.smoothing:g}{focal}{weighted} (training only)"


class PlainValidationLoss(Callback):
    """Switches a `TrainLoss` between training and validation; fastai itself leaves losses alone."""

    order = -9  # right after TrainEvalCallback

    def before_train(self) -> None:
        """Soften and weigh."""
        self._switch(True)

    def before_validate(self) -> None:
        """Be plain."""
        self._switch(False)

    def _switch(self, training: bool) -> None:
        if isinstance(self.learn.loss_func, nn.Module):
            self.learn.loss_func.train(training)


def build_loss(loss: Loss, *, multilabel: bool, train_targets: Tensor) -> TrainLoss:
    """Build the plan's loss.

    Args:
        loss: The plan's part.
        multilabel: Whether images have several labels.
        train_targets: 0/1 [n, k], one-hot where images have one label; read only for class weights.
    """
    weights = balanced_weights(train_targets, multilabel=multilabel) if loss.class_weights == "balanced" else None
    kind, gamma = loss_kind(loss, multilabel=multilabel), loss.gamma if loss.name == "focal" else 0.0
    return TrainLoss(kind, smoothing=loss.smoothing, class_weights=weights, gamma=gamma)


def loss_kind(loss: Loss, *, multilabel: bool) -> str:
    """Decide between cross entropy and binary cross entropy, of which a focal loss is a form too.

    Raises:
        PlanError: The plan asks for the one that the problem cannot use.
    """
    fitting = "bce" if multilabel else "cross_entropy"
    if loss.name not in ("auto", "focal", fitting):
        raise PlanError(
            f"loss.name = {loss.name} does not fit: the images have "
            f"{'several labels each' if multilabel else 'one label each'}; use {fitting} or auto, or focal."
        )
    return fitting


def balanced_weights(targets: Tensor, *, multilabel: bool) -> Tensor:
    """Weigh each class by the inverse of its share, float [k], so that the weights average to 1 over the samples.

    Args:
        targets: Training targets: one-hot or multi-label, 0/1 [n, k].
        multilabel: Whether an image may have several labels; the weight is then that of the positives, negatives
            over positives, even where no training image has more than one.

    Raises:
        PlanError: A class has no training sample.
    """
    n, n_classes = targets.shape
    counts = targets.sum(dim=0).double()
    if (counts == 0).any():
        raise PlanError("loss.class_weights = balanced needs at least one training sample of every class.")
    weights = (n - counts).clamp(min=1) / counts if multilabel else n / (n_classes * counts)
    return weights.float()


def one_hot(targets: Tensor, n_classes: int) -> Tensor:
    """Return class indices [n] as 0/1 [n, k]; targets that are 0/1 already pass through."""
    return targets if targets.ndim == 2 else torch.nn.functional.one_hot(targets.long(), n_classes)
