"""A witness for every recipe: the smallest case in which its effect is seen, and is not seen without it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastai.learner import Learner
from safetensors.torch import load as load_tensors
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

import imgcls
from imgcls.catalog import Stack, find_recipes
from imgcls.engine.datasets import Key
from imgcls.engine.inference import predict_batches
from imgcls.engine.loaders import Normalisation
from imgcls.engine.logistic import STRENGTHS
from imgcls.engine.models import batchnorms, build_network, classifier_of
from imgcls.engine.reporting import Silent
from imgcls.engine.weights import read_state, resolve_weights
from imgcls.plan import Plan
from imgcls.records.run import RunRecord

pytestmark = [pytest.mark.train, pytest.mark.usefixtures("one_thread")]

Build = Callable[..., Learner]
RECIPES = find_recipes()


def test_every_recipe_has_a_witness() -> None:
    prefix = "test_witness_of_"
    assert {name.removeprefix(prefix) for name in globals() if name.startswith(prefix)} == set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_it_trains(name: str, learner: Build) -> None:
    needed = "augmentation+" if RECIPES[name].card.needs else ""
    small = {"larger_images": ":size_px=32"}.get(name, "")
    learn = learner("" if RECIPES[name].card.base else f"{needed}{name}{small}")
    before = state_of(learn.model)
    learn.fit(1)
    after = state_of(learn.model)
    assert all(tensor.isfinite().all() for tensor in after.values())
    assert any(not torch.equal(before[key], after[key]) for key in before)


# The loss


def first_losses(learn: Learner) -> tuple[float, float, Tensor, Tensor]:
    """Give the loss of the first batch as training and as validation see it, with its logits and targets."""
    images, targets = learn.dls.train.one_batch()
    with torch.no_grad():
        logits = learn.model.eval()(images)
    values = []
    for name in ("before_train", "before_validate"):
        getattr(learn.plain_validation_loss, name)()
        values.append(float(learn.loss_func(logits, targets)))
    return values[0], values[1], logits.double(), targets


def test_witness_of_label_smoothing(learner: Build) -> None:
    plain, share = learner(), 0.3
    smooth = learner(f"label_smoothing:smoothing={share}")
    train, valid, logits, targets = first_losses(smooth)
    soft = (1 - share) * torch.nn.functional.one_hot(targets, 3) + share / 3
    assert train == pytest.approx(float(-(soft * logits.log_softmax(1)).sum(1).mean()), rel=1e-5)
    assert valid == pytest.approx(float(-logits.log_softmax(1)[range(len(targets)), targets].mean()), rel=1e-5)
    assert first_losses(plain)[0] == first_losses(plain)[1] == valid
    assert smooth.validate()[0] == plain.validate()[0]


def test_witness_of_class_weights(learner: Build, uneven_folder: Path) -> None:
    plain, weighted = learner(data=uneven_folder), learner("class_weights", data=uneven_folder)
    train, valid, logits, targets = first_losses(weighted)
    counts = np.bincount(weighted.dls.train.dataset.targets)
    weights = torch.tensor(counts.sum() / (len(counts) * counts))[targets]
    losses = -logits.log_softmax(1)[range(len(targets)), targets]
    assert train == pytest.approx(float((weights * losses).sum() / weights.sum()), rel=1e-5)
    assert valid == first_losses(plain)[1] == first_losses(plain)[0]
    assert train != pytest.approx(valid)
    assert weighted.validate()[0] == plain.validate()[0]


# What is frozen


def state_of(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def moved_by(learn: Learner, n_epochs: int = 1) -> set[str]:
    """Train, and give the names of the tensors whose bits are others than before."""
    before = state_of(learn.model)
    learn.fit(n_epochs)
    return {name for name, tensor in state_of(learn.model).items() if not torch.equal(tensor, before[name])}


def test_witness_of_freeze_backbone(learner: Build) -> None:
    names = {"6.weight", "6.bias"}
    learn = learner("freeze_backbone+adamw:weight_decay=0.5")
    assert isinstance(learn.model[6], nn.Linear)
    assert moved_by(learn) == names
    assert len(moved_by(learner("adamw:weight_decay=0.5"))) == len(learn.model.state_dict())
    later = learner("freeze_backbone:epochs=1", epochs=2)
    assert moved_by(later) == names
    assert moved_by(learner("freeze_backbone:epochs=1", epochs=2), 2) > names


def test_witness_of_freeze_batchnorm(learner: Build) -> None:
    learn = learner("freeze_batchnorm")
    moved = moved_by(learn)
    assert len(batchnorms(learn.model)) == 4
    assert not [name for name in moved if "running" in name or "tracked" in name]
    assert {"0.1.weight", "0.1.bias", "0.0.weight"} <= moved
    assert {"0.1.running_mean", "0.1.running_var"} <= moved_by(learner())


# The first weights of the classifier


def clean_features(learn: Learner, network: nn.Module, split: str) -> np.ndarray:
    """Give what everything below the linear layer sees in the clean photographs of a split, float64 [n, d]."""
    dataset = learn.dls.train.dataset if split == "train" else learn.dls.valid.dataset
    images = torch.from_numpy(dataset.photos.pixels(dataset.rows))
    with torch.no_grad():
        return network[:6].eval()(learn.dls.train.normalisation.encode(images, torch.device("cpu"))).double().numpy()


def strength_of(run: RunRecord) -> float:
    found = re.search(r"strength C = (\S+), chosen", run.path("log.txt").read_text(encoding="utf-8"))
    assert found
    return min(STRENGTHS, key=lambda strength: abs(math.log(strength / float(found[1]))))


def test_witness_of_linear_probe(learner: Build, photo_folder: Path, tmp_path: Path) -> None:
    """What it predicts is what scikit-learn predicts on the same features, and everything below stays as it was."""
    run = imgcls.train(
        "baseline:model=simple_cnn,epochs=1+linear_probe",
        photo_folder,
        overrides={"images.size_px": 24, "fit.batch_size": 8},
        valid=0.25,
        workspace=tmp_path,
        reporter=Silent(),
    )
    plain = learner()
    scaler = StandardScaler().fit(clean_features(plain, plain.model, "train"))
    oracle = LogisticRegression(C=strength_of(run), tol=1e-8, max_iter=100_000)
    oracle.fit(scaler.transform(clean_features(plain, plain.model, "train")), plain.dls.train.dataset.targets)
    expected = oracle.predict_proba(scaler.transform(clean_features(plain, plain.model, "valid")))
    predicted = run.predictions("valid").filter(regex="^p_").to_numpy()
    assert np.abs(predicted - expected).max() < 1e-4
    weights = load_tensors(run.path("weights.safetensors").read_bytes())
    changed = {name for name, tensor in plain.model.state_dict().items() if not torch.equal(tensor, weights[name])}
    assert changed == {"6.weight", "6.bias"}
    assert run.history() == []


def test_witness_of_lp_ft(learner: Build) -> None:
    """It begins with the network of linear_probe, and goes on to train all of it."""
    probe, tuned, plain = (learner(recipes) for recipes in ("linear_probe", "lp_ft", ""))
    start = state_of(probe.model)
    assert all(torch.equal(tensor, start[name]) for name, tensor in state_of(tuned.model).items())
    assert not torch.equal(start["6.weight"], plain.model.state_dict()["6.weight"])
    assert moved_by(tuned) == set(start)


# The optimiser


def shrunk_by(learn: Learner) -> dict[str, float]:
    """Step once without any gradient, and give the factor by which each parameter that moved was multiplied."""
    for parameter in learn.model.parameters():
        parameter.data.fill_(1.0)
        parameter.grad = torch.zeros_like(parameter)
    learn.opt.step()
    found = {name: float(tensor.detach().mean()) for name, tensor in learn.model.named_parameters()}
    return {name: value for name, value in found.items() if value != 1.0}


def test_witness_of_adamw(learner: Build) -> None:
    learn = learner("adamw:weight_decay=0.2")
    shrunk = shrunk_by(learn)
    matrices = {name for name, parameter in learn.model.named_parameters() if parameter.ndim > 1}
    assert len(matrices) == 5
    assert shrunk == pytest.approx(dict.fromkeys(matrices, 1 - 1e-3 * 0.2), rel=1e-6)
    assert shrunk_by(learner()) == {}


def test_witness_of_adamax(learner: Build) -> None:
    """After gradients of 1 and 0.1, Adamax divides by the larger of them, Adam by their mean square."""

    def second_step(learn: Learner) -> float:
        weight = learn.model[6].bias
        for gradient in (1.0, 0.1):
            before = weight.detach().clone()
            weight.grad = torch.full_like(weight, gradient)
            learn.opt.step()
        return float((before - weight.detach()).mean())

    mean = (0.9 * 0.1 * 1.0 + 0.1 * 0.1) / (1 - 0.9**2)
    squares = (0.999 * 0.001 * 1.0 + 0.001 * 0.01) / (1 - 0.999**2)
    assert second_step(learner("adamax")) == pytest.approx(1e-3 * mean / 0.999, rel=1e-3)
    assert second_step(learner()) == pytest.approx(1e-3 * mean / math.sqrt(squares), rel=1e-3)


# The schedule: METHOD's formulas, step s of S with W of warm-up


def rates(learn: Learner, n_epochs: int) -> list[float]:
    learn.fit(n_epochs)
    return list(learn.recorder.lrs)


def cosine_course(n_steps: int, n_warm: float, peak: float = 1e-3) -> list[float]:
    falling = [0.5 * (1 + math.cos(math.pi * (s - n_warm) / (n_steps - n_warm))) for s in range(n_steps)]
    return [peak * (s / n_warm if s < n_warm else falling[s]) for s in range(n_steps)]


def test_witness_of_cosine(learner: Build) -> None:
    assert rates(learner("cosine:warmup_epochs=1", epochs=3), 3) == pytest.approx(cosine_course(12, 4), abs=1e-12)
    assert rates(learner(epochs=3), 3) == [1e-3] * 12


def test_witness_of_adamw_cosine(learner: Build) -> None:
    learn = learner("adamw_cosine:weight_decay=0.2,warmup_epochs=0.5", epochs=2)
    assert list(shrunk_by(learn).values()) == pytest.approx([1 - 1e-3 * 0.2] * 5, rel=1e-6)
    assert rates(learn, 2) == pytest.approx(cosine_course(8, 2), abs=1e-12)


def test_witness_of_one_cycle(learner: Build) -> None:
    def between(start: float, end: float, done: float) -> float:
        return start + (1 + math.cos(math.pi * (1 - done))) / 2 * (end - start)

    n_steps, peak = 12, 1e-3
    shares = [s / n_steps for s in range(n_steps)]
    course = [
        between(peak / 25, peak, done / 0.25) if done < 0.25 else between(peak, peak / 1e5, (done - 0.25) / 0.75)
        for done in shares
    ]
    learn = learner("one_cycle", epochs=3)
    before = learn.opt.hypers[0]["mom"]
    assert rates(learn, 3) == pytest.approx(course, rel=1e-5)
    assert learn.opt.hypers[0]["mom"] == before


def test_witness_of_longer(learner: Build, photo_folder: Path, tmp_path: Path) -> None:
    def n_epochs(recipes: str) -> int:
        run = imgcls.train(
            f"baseline:model=simple_cnn,epochs=1{recipes}",
            photo_folder,
            overrides={"images.size_px": 24, "fit.batch_size": 16},
            workspace=tmp_path,
            reporter=Silent(),
        )
        return len(run.history())

    assert n_epochs("") == 1
    assert n_epochs("+longer:epochs=3") == 3


# The images


def test_witness_of_larger_images(learner: Build) -> None:
    assert learner("larger_images:size_px=40").dls.train.one_batch()[0].shape[2:] == (40, 40)
    assert learner().dls.train.one_batch()[0].shape[2:] == (24, 24)


def assert_pixels_change_by_epoch(learn: Learner, plain: Learner) -> None:
    dataset, clean = learn.dls.train.dataset, plain.dls.train.dataset
    n = len(dataset)
    shown = [dataset.__getitems__([Key(row, epoch) for row in range(n)])[0] for epoch in (0, 1, 0)]
    assert np.array_equal(shown[0], shown[2])
    differing = (shown[0] != shown[1]).any(axis=(1, 2, 3))
    assert differing.mean() > 0.8
    unchanged = [clean.__getitems__([Key(row, epoch) for row in range(n)])[0] for epoch in (0, 1)]
    assert np.array_equal(*unchanged)
    valid = learn.dls.valid.dataset.__getitems__([Key(0, 3)])[0]
    assert np.array_equal(valid, plain.dls.valid.dataset.__getitems__([Key(0, 0)])[0])


def test_witness_of_augmentation(learner: Build) -> None:
    assert_pixels_change_by_epoch(learner("augmentation"), learner())


def test_witness_of_torchvision_augmentation(learner: Build) -> None:
    assert_pixels_change_by_epoch(learner("torchvision_augmentation"), learner())


# The prediction


class Ink(nn.Module):
    """A network whose answer can be computed by hand: the inks of the left and the right half."""

    def forward(self, images: Tensor) -> Tensor:
        half = images.shape[-1] // 2
        return torch.stack([images[..., :half].mean((1, 2, 3)), images[..., half:].mean((1, 2, 3))], dim=1)


def predicted(recipes: str, images: np.ndarray, ids: Sequence[str] = ("a", "b")) -> np.ndarray:
    plan = Stack.parse(f"baseline:model=simple_cnn{recipes}").plan
    return ask(plan, images, ids)


def ask(plan: Plan, images: np.ndarray, ids: Sequence[str], network: nn.Module | None = None) -> np.ndarray:
    settings: dict[str, Any] = {"multilabel": False, "seed": 0, "device": torch.device("cpu")}
    normalisation = Normalisation((0.0,) * 3, (1 / 8,) * 3)
    return predict_batches(network or Ink(), [(images, ids)], plan=plan, normalisation=normalisation, **settings)


@pytest.fixture
def lopsided() -> np.ndarray:
    """Two images, uint8 [2, 24, 24, 3], darker on the left."""
    images = np.random.default_rng(0).integers(0, 120, (2, 24, 24, 3), dtype=np.uint8)
    images[:, :, 12:] += 100
    return images


def test_witness_of_tta(lopsided: np.ndarray) -> None:
    clean, views = predicted("", lopsided), predicted("+augmentation+tta", lopsided)
    assert np.abs(clean - views).max() > 1e-3
    assert np.array_equal(predicted("+augmentation", lopsided), clean)


def test_witness_of_tta_flips(lopsided: np.ndarray) -> None:
    clean = predicted("", lopsided)
    mirrored = predicted("", np.ascontiguousarray(lopsided[:, :, ::-1]))
    assert predicted("+tta_flips", lopsided) == pytest.approx((clean + mirrored) / 2, abs=1e-6)
    assert np.abs(clean - mirrored).max() > 0.5


def test_witness_of_prediction_smoothing(lopsided: np.ndarray) -> None:
    clean = predicted("", lopsided)
    lopsided[1] = 100  # not sure at all: stays as it is
    clean = predicted("", lopsided)
    assert clean[0].max() > 0.9
    smooth = predicted("+prediction_smoothing:alpha=0.2,threshold=0.9", lopsided)
    assert smooth[0] == pytest.approx(0.8 * clean[0] + 0.2 / 2, abs=1e-12)
    assert np.array_equal(smooth[1], clean[1])


# The first weights


def test_witness_of_baseline() -> None:
    plan = Stack.parse("baseline").plan
    weights = resolve_weights(plan.model)
    assert weights is not None
    module = build_network(plan.model, plan.images, n_classes=3, seed=0).module
    head = {id(parameter) for parameter in classifier_of(module).parameters()}
    pairs = list(zip(module.state_dict(keep_vars=True).values(), read_state(weights).values(), strict=True))
    body = [(mine, theirs) for mine, theirs in pairs if id(mine) not in head]
    assert len(body) == len(pairs) - 2
    assert all(torch.equal(mine.detach(), theirs) for mine, theirs in body)
    bare = build_network(Plan().with_values({"model.name": plan.model.name}).model, plan.images, n_classes=3, seed=0)
    assert not torch.equal(next(bare.module.parameters()), next(iter(read_state(weights).values())))
