"""Losses against their formulas: softened and weighted in training, plain in validation."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.ops import sigmoid_focal_loss

from imgcls.engine.losses import TrainLoss, balanced_weights, build_loss, loss_kind, one_hot
from imgcls.errors import PlanError
from imgcls.plan import Loss

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 1.0, -3.0]])
CLASSES = torch.tensor([2, 1])
SEVERAL = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
WEIGHTS = torch.tensor([1.0, 2.0, 5.0])
SHARE = 0.3


def test_cross_entropy_is_softened_and_weighted_in_training() -> None:
    soft = (1 - SHARE) * torch.eye(3)[CLASSES] + SHARE / 3
    logs = LOGITS.log_softmax(1)
    smooth = TrainLoss("cross_entropy", smoothing=SHARE)
    assert float(smooth(LOGITS, CLASSES)) == pytest.approx(float(-(soft * logs).sum(1).mean()))
    weighted = TrainLoss("cross_entropy", class_weights=WEIGHTS)
    expected = -(WEIGHTS[CLASSES] * logs[[0, 1], CLASSES]).sum() / WEIGHTS[CLASSES].sum()
    assert float(weighted(LOGITS, CLASSES)) == pytest.approx(float(expected))


def bce(targets: Tensor, weights: Tensor) -> Tensor:
    odds = LOGITS.sigmoid()
    return -(weights * targets * odds.log() + (1 - targets) * (1 - odds).log())


def test_binary_cross_entropy_is_softened_towards_a_half_and_weighs_positives() -> None:
    soft = SEVERAL * (1 - SHARE) + SHARE / 2
    loss = TrainLoss("bce", smoothing=SHARE, class_weights=WEIGHTS)
    assert float(loss(LOGITS, SEVERAL)) == pytest.approx(float(bce(soft, WEIGHTS).mean()))
    loss.eval()
    assert float(loss(LOGITS, SEVERAL)) == pytest.approx(float(bce(SEVERAL, torch.ones(3)).mean()))


@pytest.mark.parametrize(("kind", "targets"), [("cross_entropy", CLASSES), ("bce", SEVERAL)])
def test_validation_and_single_losses_are_plain(kind: str, targets: Tensor) -> None:
    loss, plain = TrainLoss(kind, smoothing=SHARE, class_weights=WEIGHTS).eval(), TrainLoss(kind)
    assert torch.equal(loss(LOGITS, targets), plain(LOGITS, targets))
    loss.reduction = "none"
    single = loss(LOGITS, targets)
    assert len(single) == 2
    assert float(single.mean()) == pytest.approx(float(plain(LOGITS, targets)))


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, SHARE])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_shares_of_one_class_are_that_class(weights: Tensor | None, smoothing: float, reduction: str) -> None:
    loss = TrainLoss("cross_entropy", smoothing=smoothing, class_weights=weights)
    loss.reduction = reduction
    assert loss(LOGITS, torch.eye(3)[CLASSES]).tolist() == pytest.approx(loss(LOGITS, CLASSES).tolist())


def test_the_loss_of_shares_is_softened_and_weighted() -> None:
    shares = torch.tensor([[0.7, 0.0, 0.3], [0.0, 1.0, 0.0]])
    soft = (1 - SHARE) * shares + SHARE / 3
    expected = -(WEIGHTS * soft * LOGITS.log_softmax(1)).sum() / (WEIGHTS * shares).sum()
    loss = TrainLoss("cross_entropy", smoothing=SHARE, class_weights=WEIGHTS)
    assert float(loss(LOGITS, shares)) == pytest.approx(float(expected))
    loss.eval()
    assert float(loss(LOGITS, shares)) == pytest.approx(float(-(shares * LOGITS.log_softmax(1)).sum(1).mean()))


def test_the_loss_of_shares_is_computed_in_full_precision() -> None:
    """A matrix product would be done in half precision there."""
    shares, logits = torch.tensor([[0.7, 0.0, 0.3], [0.1, 0.9, 0.0]]), LOGITS
    loss = TrainLoss("cross_entropy", class_weights=WEIGHTS / 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss(logits, shares)
    assert found.dtype == torch.float32
    assert float(found) == pytest.approx(float(loss(logits, shares)), rel=1e-6)


def test_answers_are_probabilities_and_classes() -> None:
    one, several = TrainLoss("cross_entropy"), TrainLoss("bce")
    assert torch.allclose(one.activation(LOGITS).sum(1), torch.ones(2))
    assert one.decodes(one.activation(LOGITS)).tolist() == [0, 1]
    both = [[True, False, True], [True, True, False]]  # a half is a label, as the metrics have it
    assert several.decodes(several.activation(LOGITS)).tolist() == both


def test_balanced_weights_are_inverse_shares_and_average_to_one() -> None:
    targets = one_hot(torch.tensor([0, 0, 0, 1]), 2)
    weights = balanced_weights(targets, multilabel=False)
    assert weights.tolist() == pytest.approx([4 / 6, 4 / 2])
    assert float((targets * weights).sum() / len(targets)) == pytest.approx(1)


def test_balanced_weights_of_several_labels_are_negatives_over_positives() -> None:
    targets = torch.tensor([[1, 1], [0, 1], [0, 1], [0, 0]])
    assert balanced_weights(targets, multilabel=True).tolist() == pytest.approx([3, 1 / 3])


@pytest.mark.parametrize(("name", "multilabel"), [("bce", False), ("cross_entropy", True)])
def test_a_loss_for_another_problem_is_refused(name: str, multilabel: bool) -> None:
    with pytest.raises(PlanError, match=f"loss.name = {name} does not fit"):
        loss_kind(Loss(name), multilabel=multilabel)  # type: ignore[arg-type]


def test_the_plan_decides_the_loss() -> None:
    loss = build_loss(Loss(smoothing=0.1, class_weights="balanced"), multilabel=False, train_targets=torch.eye(3))
    assert (loss.kind, loss.smoothing) == ("cross_entropy", 0.1)
    assert loss.class_weights is not None
    assert build_loss(Loss(), multilabel=True, train_targets=torch.eye(3)).class_weights is None


def test_a_label_that_every_image_has_keeps_a_weight_above_zero() -> None:
    weights = balanced_weights(torch.tensor([[1, 1], [1, 0], [1, 0]]), multilabel=True)
    assert weights.tolist() == pytest.approx([1 / 3, 2])


# The focal form

SHARES = torch.tensor([[0.7, 0.0, 0.3], [0.0, 1.0, 0.0]])


def slope(loss: Tensor, logits: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(loss, logits)
    return found


@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
def test_the_sigmoid_form_is_torchvision_s_to_the_gradient(gamma: float) -> None:
    logits = LOGITS.clone().requires_grad_()
    mine = TrainLoss("bce", gamma=gamma)(logits, SEVERAL)
    theirs = sigmoid_focal_loss(logits, SEVERAL, alpha=-1, gamma=gamma, reduction="mean")
    assert float(mine.detach()) == pytest.approx(float(theirs.detach()), rel=1e-6)
    assert torch.allclose(slope(mine, logits), slope(theirs, logits), rtol=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
def test_the_softmax_form_is_its_formula_to_the_gradient(gamma: float) -> None:
    """d loss / d z_j = (γ p log p (1 − p)^(γ − 1) − (1 − p)^γ)(1[j = y] − p_j), by hand."""
    logits = LOGITS.clone().requires_grad_()
    mine = TrainLoss("cross_entropy", gamma=gamma)(logits, CLASSES)
    odds = LOGITS.softmax(1)
    p = odds[[0, 1], CLASSES]
    assert float(mine.detach()) == pytest.approx(float(-((1 - p) ** gamma * p.log()).mean()), rel=1e-6)
    factor = gamma * p * p.log() * (1 - p) ** (gamma - 1) - (1 - p) ** gamma
    by_hand = factor[:, None] * (torch.eye(3)[CLASSES] - odds) / 2
    assert torch.allclose(slope(mine, logits), by_hand, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(("kind", "targets"), [("cross_entropy", CLASSES), ("cross_entropy", SHARES), ("bce", SEVERAL)])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_without_gamma_it_is_the_plain_loss_softened_and_weighted(kind: str, targets: Tensor, reduction: str) -> None:
    """A γ of almost nothing goes through the focal form, with all that goes together with it."""
    both = [TrainLoss(kind, smoothing=SHARE, class_weights=WEIGHTS, gamma=gamma) for gamma in (1e-9, 0.0)]
    for loss in both:
        loss.reduction = reduction
    focal, plain = (loss(LOGITS, targets) for loss in both)
    assert focal.shape == plain.shape
    assert torch.allclose(focal, plain, rtol=1e-5)


@pytest.mark.parametrize(("kind", "targets"), [("cross_entropy", CLASSES), ("bce", SEVERAL)])
def test_mixed_targets_have_the_mean_of_the_losses_of_their_labels(kind: str, targets: Tensor) -> None:
    loss = TrainLoss(kind, gamma=2.0)
    hard = one_hot(targets, 3).float()
    other, share = hard.roll(1, 0), 0.3
    mixed = loss(LOGITS, share * hard + (1 - share) * other)
    assert float(mixed) == pytest.approx(float(share * loss(LOGITS, hard) + (1 - share) * loss(LOGITS, other)))
    assert float(loss(LOGITS, hard)) == pytest.approx(float(loss(LOGITS, targets)))


def test_the_focal_loss_is_weighted_and_softened_as_its_formula_says() -> None:
    soft, odds = (1 - SHARE) * SHARES + SHARE / 3, LOGITS.softmax(1)
    expected = -(WEIGHTS * soft * (1 - odds) ** 2 * odds.log()).sum() / (WEIGHTS * SHARES).sum()
    loss = TrainLoss("cross_entropy", smoothing=SHARE, class_weights=WEIGHTS, gamma=2.0)
    assert float(loss(LOGITS, SHARES)) == pytest.approx(float(expected))


@pytest.mark.parametrize("gamma", [0.3, 2.0])
@pytest.mark.parametrize(("kind", "targets"), [("cross_entropy", CLASSES), ("bce", SEVERAL)])
def test_answers_that_could_not_be_surer_have_a_finite_slope(kind: str, targets: Tensor, gamma: float) -> None:
    logits = (200 * (one_hot(targets, 3).float() - 0.5)).requires_grad_()
    for sign in (1, -1):
        loss = TrainLoss(kind, gamma=gamma)(sign * logits, targets)
        assert loss.isfinite()
        assert slope(loss, logits).isfinite().all()


def test_validation_knows_no_gamma_and_the_plan_decides_it() -> None:
    for multilabel, targets in ((False, CLASSES), (True, SEVERAL)):
        loss = build_loss(Loss("focal", gamma=3), multilabel=multilabel, train_targets=torch.eye(3))
        assert loss.gamma == 3
        assert "gamma=3" in loss.extra_repr()
        assert torch.equal(loss.eval()(LOGITS, targets), TrainLoss(loss.kind)(LOGITS, targets))
    assert build_loss(Loss(gamma=3), multilabel=False, train_targets=torch.eye(3)).gamma == 0
