"""The loss against its definition: softened and weighted in training, plain in validation, in float32 always."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from imgcls.engine.losses import TrainLoss, balanced_weights, build_loss, loss_kind, one_hot
from imgcls.errors import PlanError
from imgcls.plan import Loss

ONE_LABEL = torch.tensor([0, 2, 1, 0])
SEVERAL = torch.tensor([[1, 0, 1], [0, 0, 0], [0, 1, 0], [1, 1, 1]])
WEIGHTS = torch.tensor([0.5, 1.0, 3.0])


@pytest.fixture
def logits() -> Tensor:
    """Give the logits of four images for three classes."""
    return torch.randn(4, 3, generator=torch.Generator().manual_seed(0))


def test_cross_entropy_is_softened_and_weighted_in_training_only(logits: Tensor) -> None:
    loss = TrainLoss("cross_entropy", smoothing=0.3, class_weights=WEIGHTS)
    logs = logits.log_softmax(1)
    soft = (0.7 * one_hot(ONE_LABEL, 3) + 0.1) * WEIGHTS
    assert float(loss(logits, ONE_LABEL)) == pytest.approx(float(-(soft * logs).sum() / WEIGHTS[ONE_LABEL].sum()))
    plain = -logs[range(4), ONE_LABEL]
    assert float(loss.eval()(logits, ONE_LABEL)) == pytest.approx(float(plain.mean()))
    loss.reduction = "none"
    assert loss(logits, ONE_LABEL).tolist() == pytest.approx(plain.tolist())


def test_binary_cross_entropy_is_softened_and_weighted_in_training_only(logits: Tensor) -> None:
    loss = TrainLoss("bce", smoothing=0.2, class_weights=WEIGHTS)
    yes, no = logits.sigmoid().log(), (-logits).sigmoid().log()
    soft = SEVERAL * 0.8 + 0.1
    expected = -(WEIGHTS * soft * yes + (1 - soft) * no).mean()
    assert float(loss(logits, SEVERAL)) == pytest.approx(float(expected))
    plain = -(SEVERAL * yes + (1 - SEVERAL) * no).mean()
    assert float(loss.eval()(logits, SEVERAL)) == pytest.approx(float(plain))


@pytest.mark.parametrize(("kind", "targets"), [("cross_entropy", ONE_LABEL), ("bce", SEVERAL)])
def test_half_precision_is_left_before_the_loss(kind: str, targets: Tensor, logits: Tensor) -> None:
    loss, half = TrainLoss(kind, smoothing=0.1), logits.bfloat16()
    assert loss(half, targets).dtype == torch.float32
    assert float(loss(half, targets)) == float(loss(half.float(), targets))


def test_logits_become_probabilities_and_those_predictions(logits: Tensor) -> None:
    one, several = TrainLoss("cross_entropy"), TrainLoss("bce")
    assert one.activation(logits).sum(1).tolist() == pytest.approx([1] * 4)
    assert one.decodes(one.activation(logits)).tolist() == logits.argmax(1).tolist()
    assert torch.equal(several.decodes(several.activation(logits)), logits > 0)


def test_weights_follow_the_class_when_all_samples_count_alike() -> None:
    targets = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, 2])
    weights = balanced_weights(one_hot(targets, 3), multilabel=False)
    assert weights.tolist() == pytest.approx([9 / (3 * 6), 9 / (3 * 2), 9 / 3])
    assert float(weights[targets].mean()) == pytest.approx(1)


def test_weights_of_positives_are_negatives_over_positives_even_where_each_image_has_one_label() -> None:
    several = torch.tensor([[1, 1], [1, 0], [1, 0], [0, 0]])
    assert balanced_weights(several, multilabel=True).tolist() == pytest.approx([1 / 3, 3])
    exclusive = torch.tensor([[1, 0], [1, 0], [1, 0], [0, 1]])
    assert balanced_weights(exclusive, multilabel=True).tolist() == pytest.approx([1 / 3, 3])


def test_the_loss_that_is_built_is_that_of_the_problem() -> None:
    one = build_loss(Loss(smoothing=0.1), multilabel=False, train_targets=one_hot(ONE_LABEL, 3))
    several = build_loss(Loss(class_weights="balanced"), multilabel=True, train_targets=SEVERAL)
    assert (one.kind, one.smoothing, one.class_weights) == ("cross_entropy", 0.1, None)
    assert several.kind == "bce"
    assert several.class_weights is not None
    assert several.class_weights.tolist() == pytest.approx([1, 1, 1])
    assert repr(several) == "TrainLoss(bce, smoothing=0, class_weights=balanced (training only))"


@pytest.mark.parametrize(("name", "multilabel"), [("bce", False), ("cross_entropy", True)])
def test_a_loss_of_the_other_problem_is_refused(name: str, multilabel: bool) -> None:
    with pytest.raises(PlanError, match=f"loss.name = {name} does not fit") as caught:
        loss_kind(Loss(name=name), multilabel=multilabel)  # type: ignore[arg-type]
    assert f"use {'cross_entropy' if name == 'bce' else 'bce'} or auto" in str(caught.value)
