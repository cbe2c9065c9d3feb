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
from PIL import Image
from safetensors.torch import load as load_tensors
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, update_bn

import imgcls
from imgcls.catalog import Stack, find_recipes
from imgcls.engine.inference import finished, predict_batches
from imgcls.engine.linear_probe import STRENGTHS
from imgcls.engine.loaders import Key, Normalisation
from imgcls.engine.models import batchnorms, build_network, classifier_of
from imgcls.engine.progress import Silent
from imgcls.engine.weights import read_state, resolve_weights
from imgcls.plan import Plan
from imgcls.predictions.calibration import fit_calibration
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
    small = {
        "backbone": ":name=test_efficientnet,size=24",
        "freeze_stages": ":n=2",
        "larger_images": ":size_px=32",
        "progressive_resizing": ":first=16",
    }.get(name, "")
    values = {"model.weights": "none"}
    learn = learner("" if RECIPES[name].card.base else f"{needed}{name}{small}", **values)
    before = state_of(learn.model)
    learn.fit(1)
    after = state_of(learn.model)
    assert all(tensor.isfinite().all() for tensor in after.values())
    assert any(not torch.equal(before[key], after[key]) for key in before)


# The loss


def first_losses(learn: Learner) -> tuple[float, float, Tensor, Tensor]:
    """Return the loss of the first batch as training and as validation see it, with its logits and targets."""
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


def test_witness_of_focal_loss(learner: Build) -> None:
    train, valid, logits, targets = first_losses(learner("focal_loss:gamma=3"))
    logs = logits.log_softmax(1)[range(len(targets)), targets]
    assert train == pytest.approx(float(-((1 - logs.exp()) ** 3 * logs).mean()), rel=1e-5)
    assert valid == pytest.approx(float(-logs.mean()), rel=1e-5)
    assert first_losses(learner())[:2] == (valid, valid)


def test_witness_of_balanced_sampling(learner: Build, uneven_folder: Path) -> None:
    """Of 18 and 5 samples or so, each epoch shows as many as before, half of them rare; validation stays as it is."""

    def shown(learn: Learner) -> list[int]:
        loader, targets = learn.dls.train, []
        for loader.epoch in range(40):
            targets += [int(target) for _, batch in loader for target in batch]
        return targets

    learn, plain = learner("balanced_sampling", data=uneven_folder), learner(data=uneven_folder)
    found, before = shown(learn), shown(plain)
    assert len(found) == len(before)
    assert np.mean(found) == pytest.approx(0.5, abs=0.06)
    assert np.mean(before) == pytest.approx(0.2, abs=0.05)
    assert [batch.tolist() for _, batch in learn.dls.valid] == [batch.tolist() for _, batch in plain.dls.valid]


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


def test_witness_of_freeze_stages(learner: Build) -> None:
    """Two stages and their running statistics stay; and of two views the second epoch's is not the first's."""
    learn = learner("freeze_stages:n=2,views=2+augmentation", epochs=3)
    names = set(learn.model.state_dict())
    assert moved_by(learn) == {name for name in names if name.partition(".")[0] not in ("0", "1")}
    assert moved_by(learner("augmentation")) == names
    loader = learn.dls.train
    shown = []
    for epoch in range(3):
        loader.epoch, loader.fixed_rows = epoch, list(range(len(loader.dataset)))
        shown.append(torch.cat([images for images, _ in loader]))
    assert torch.equal(shown[0], shown[2])
    assert not torch.equal(shown[0], shown[1])


def test_witness_of_freeze_batchnorm(learner: Build) -> None:
    learn = learner("freeze_batchnorm")
    moved = moved_by(learn)
    assert len(batchnorms(learn.model)) == 4
    assert not [name for name in moved if "running" in name or "tracked" in name]
    assert {"0.1.weight", "0.1.bias", "0.0.weight"} <= moved
    assert {"0.1.running_mean", "0.1.running_var"} <= moved_by(learner())


# The first weights of the classifier


def clean_features(learn: Learner, network: nn.Module, split: str) -> np.ndarray:
    """Return what everything below the linear layer sees in the clean photographs of a split, float64 [n, d]."""
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


def test_witness_of_multi_view_probe(learner: Build) -> None:
    """Its classifier is another than that of the clean photographs alone, on the same frozen network."""
    several, one, plain = (learner(recipes) for recipes in ("augmentation+multi_view_probe", "linear_probe", ""))
    start = state_of(plain.model)
    changed = {name for name, tensor in state_of(several.model).items() if not torch.equal(tensor, start[name])}
    assert changed == {"6.weight", "6.bias"}
    assert not torch.equal(several.model[6].weight, one.model[6].weight)


def test_witness_of_lp_ft(learner: Build) -> None:
    """It begins with the network of linear_probe, and trains all but the statistics, at three tenths of the rate."""
    assert_it_begins_as_the_probe(learner("lp_ft"), learner)


def test_witness_of_fine_tune(learner: Build) -> None:
    """As lp_ft, and with few photographs for more epochs than the plan has."""
    assert_it_begins_as_the_probe(learner("fine_tune"), learner)
    fit = Stack.parse("baseline:epochs=2+fine_tune:steps=50").plan.fit
    assert (fit.n_epochs(n_batches=10), fit.n_epochs(n_batches=100)) == (5, 2)


def assert_it_begins_as_the_probe(tuned: Learner, learner: Build) -> None:
    probe = learner("linear_probe", **{"fit.statistics": "better"})
    start, fresh = state_of(probe.model), learner().model.state_dict()
    assert all(torch.equal(tensor, start[name]) for name, tensor in state_of(tuned.model).items())
    assert not torch.equal(start["6.weight"], fresh["6.weight"])
    assert tuned.lr == pytest.approx(3e-4)
    assert moved_by(tuned) == {name for name in start if "running" not in name and "tracked" not in name}


# What is kept


def steps_of(learn: Learner) -> list[dict[str, Tensor]]:
    """Train an epoch, and give the parameters after every step."""
    found: list[dict[str, Tensor]] = []

    def keep(*_: object) -> None:
        found.append({name: tensor.detach().clone() for name, tensor in learn.model.named_parameters()})

    learn.opt.opt.register_step_post_hook(keep)
    learn.fit(1)
    return found


def test_witness_of_ema(learner: Build) -> None:
    """The decay before step s is 1 − s^(−2/3), at most that of the recipe, so the first step is taken in whole."""
    decay, learn, plain = 0.4, learner("ema:decay=0.4"), learner()
    steps, same = steps_of(learn), steps_of(plain)
    assert all(torch.equal(steps[-1][name], tensor) for name, tensor in same[-1].items())
    expected = steps[0]
    for s, step in enumerate(steps[1:], start=2):
        share = min(decay, 1 - s ** (-2 / 3))
        expected = {name: share * expected[name] + (1 - share) * step[name] for name in step}
    state, last = learn.model.state_dict(), plain.model.state_dict()
    assert len(steps) == 4
    for name, tensor in state.items():
        assert torch.allclose(tensor, expected.get(name, last[name]), rtol=1e-5, atol=1e-7)
        assert torch.equal(tensor, last[name]) == (name not in expected)
    assert learn.recorder.values[-1][1] == pytest.approx(learn.validate()[0], rel=1e-6)
    assert plain.recorder.values[-1][1] != pytest.approx(learn.validate()[0], rel=1e-6)


def test_witness_of_weight_averaging(learner: Build) -> None:
    """After two of four steps torch's own average begins; its statistics are those of the clean photographs."""
    learn, plain = learner("augmentation+weight_averaging"), learner("augmentation")
    oracle = AveragedModel(learn.model)
    step = iter(range(4))
    learn.opt.opt.register_step_post_hook(lambda *_: oracle.update_parameters(learn.model) if next(step) >= 2 else None)
    learn.fit(1)
    plain.fit(1)
    clean = learn.dls.train.new(learn.dls.train.dataset.clean())
    update_bn(clean, oracle)
    expected, last = oracle.module.state_dict(), plain.model.state_dict()
    assert [int(oracle.n_averaged), next(step, None)] == [2, None]
    for name, tensor in learn.model.state_dict().items():
        assert torch.allclose(tensor, expected[name], rtol=1e-5, atol=1e-6), name
        assert not torch.allclose(tensor, last[name], rtol=1e-5, atol=1e-6) or "num_batches" in name, name
    assert learn.recorder.values[-1][1] == pytest.approx(learn.validate()[0], rel=1e-6)
    assert plain.recorder.values[-1][1] != pytest.approx(learn.validate()[0], rel=1e-6)


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


def first_step(learn: Learner) -> list[float]:
    """Return how far each parameter goes: Adam's first step is as long as the rate, whatever the gradient."""
    before = [parameter.detach().clone() for parameter in learn.model.parameters()]
    for parameter in learn.model.parameters():
        parameter.grad = torch.ones_like(parameter)
    learn.opt.step()
    after = learn.model.parameters()
    return [float((old - new.detach()).mean()) for old, new in zip(before, after, strict=True)]


LAYER = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4]
"""The layer of each parameter: three tensors a stage, and the classifier."""


def test_witness_of_discriminative_rates(learner: Build) -> None:
    """Of five layers, two are the first half."""
    expected = [1e-3 * (0.2 if number < 2 else 1) for number in LAYER]
    assert first_step(learner("discriminative_rates:factor=0.2")) == pytest.approx(expected, rel=1e-2)
    assert first_step(learner()) == pytest.approx([1e-3] * 14, rel=1e-2)


def test_witness_of_layerwise_rates(learner: Build) -> None:
    expected = [1e-3 * 0.5 ** (4 - number) for number in LAYER]
    assert first_step(learner("layerwise_rates:decay=0.5")) == pytest.approx(expected, rel=1e-2)
    assert first_step(learner()) == pytest.approx([1e-3] * 14, rel=1e-2)


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


def test_witness_of_keep_aspect(learner: Build) -> None:
    """Photographs are 28 px wide and 24 px tall: the middle is cut out to the pixel, or all of it is padded."""
    cropped, padded, squashed = (
        learner(text).dls.train.dataset for text in ("keep_aspect", "keep_aspect:mode=pad", "")
    )
    for row, path in enumerate(cropped.items):
        with Image.open(path) as photo:
            whole = np.asarray(photo.convert("RGB"))
            low = np.asarray(photo.convert("RGB").resize((24, 21), Image.Resampling.BICUBIC))
        assert np.array_equal(cropped[row][0], whole[:, 2:26])
        assert np.abs(padded[row][0][1:22].astype(int) - low).mean() < 6
        assert np.array_equal(padded[row][0][0], padded[row][0][1])  # mirrored at the edge
        assert not np.array_equal(squashed[row][0], cropped[row][0])


def shapes_by_part(learn: Learner, n_epochs: int) -> dict[str, list[int]]:
    """Train, and give the side of the images that the network is shown, batch by batch."""
    seen: dict[str, list[int]] = {"train": [], "valid": []}
    learn.model.register_forward_pre_hook(
        lambda module, inputs: seen["train" if module.training else "valid"].append(inputs[0].shape[-1])
    )
    learn.fit(n_epochs)
    return seen


def test_witness_of_progressive_resizing(learner: Build) -> None:
    """Of 8 steps, a quarter sees small images; validation sees none."""
    found = shapes_by_part(learner("progressive_resizing:first=16,share=0.25", epochs=2), 2)
    assert found["train"] == [16] * 2 + [24] * 6
    assert set(found["valid"]) == {24}
    assert set(shapes_by_part(learner(), 1)["train"]) == {24}


@pytest.mark.parametrize(
    ("recipes", "network", "side", "rate"),
    [
        ("+backbone:name=test_vit", "VisionTransformer", 160, 1e-4),
        ("+backbone:name=test_efficientnet,size=40", "EfficientNet", 40, 1e-3),
        ("", "Sequential", 128, 1e-3),
    ],
)
def test_witness_of_backbone(recipes: str, network: str, side: int, rate: float, photo_folder: Path) -> None:
    values = {"model.weights": "none", "fit.batch_size": 8}
    stack = f"baseline:model=simple_cnn,epochs=1{recipes}"
    learn = imgcls.learner(stack, photo_folder, overrides=values, reporter=Silent())
    assert type(learn.model).__name__ == network
    assert learn.dls.train.one_batch()[0].shape[2:] == (side, side)
    assert {hypers["lr"] for hypers in learn.opt.hypers} == {rate}


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


def test_witness_of_trivial_augment(learner: Build) -> None:
    assert_pixels_change_by_epoch(learner("trivial_augment"), learner())


def test_witness_of_random_resized_crop(learner: Build) -> None:
    """On a picture of its own coordinates a crop shows where it is from: squares, of areas down to the smallest."""
    assert_pixels_change_by_epoch(learner("random_resized_crop:smallest=0.3"), learner())
    side = 100
    places = np.stack(np.broadcast_arrays(*np.ogrid[:side, :side], 0), axis=2).astype(np.uint8) * 2
    pipeline = learner("random_resized_crop:smallest=0.3").dls.train.dataset.pipelines["augment"]
    drawn = np.random.default_rng(0)
    spans = np.array([np.ptp(pipeline(places, drawn), axis=(0, 1))[:2] / 2 + 1 for _ in range(200)])
    assert np.abs(spans[:, 0] - spans[:, 1]).max() <= 2
    areas = (spans[:, 0] / side) ** 2
    assert 0.28 < areas.min() < 0.34
    assert 0.95 < areas.max() <= 1
    assert areas.mean() == pytest.approx(0.65, abs=0.04)


def test_witness_of_random_erasing(learner: Build) -> None:
    """A rectangle of noise, over about the asked share of the images, after transforms that draw as without it."""
    pairs = [("random_erasing:probability=0.5", ""), ("augmentation+random_erasing:probability=1", "augmentation")]
    for recipes, without in pairs:
        datasets = [learner(text).dls.train.dataset for text in (recipes, without)]
        keys = [Key(row, epoch) for row in range(len(datasets[0])) for epoch in range(4)]
        erased, whole = (dataset.__getitems__(keys)[0] for dataset in datasets)
        hidden = (erased != whole).any(axis=3)
        share = hidden.any(axis=(1, 2)).mean()
        assert share == 1 if without else 0.35 < share < 0.65
        for image in hidden[hidden.any(axis=(1, 2))]:
            box = np.ix_(image.any(axis=1), image.any(axis=0))
            assert image[box].mean() > 0.9
            assert 0.01 < image[box].size / image.size <= 0.35
        assert erased[hidden].std() > 60


def trained_on(learn: Learner) -> list[tuple[Tensor, Tensor]]:
    """Train an epoch, and give the batches that the network and the loss were given."""
    seen: list[tuple[Tensor, Tensor]] = []
    forward = learn.loss_func.forward

    def look(logits: Tensor, targets: Tensor) -> Tensor:
        seen.append((learn.xb[0].clone(), targets.clone()))
        return forward(logits, targets)

    learn.loss_func.forward = look
    learn.fit(1)
    return seen


def batches_of_epoch(learn: Learner) -> list[tuple[Tensor, Tensor]]:
    """Return the batches of the first epoch as the loader gives them, its classes as shares."""
    return [(images, nn.functional.one_hot(targets, 3).float()) for images, targets in learn.dls.train]


def test_witness_of_mixup(learner: Build) -> None:
    plain = batches_of_epoch(learner())
    lams = set()
    learn = learner("mixup:alpha=2")
    for (images, shares), (clean, hard) in zip(trained_on(learn), plain, strict=False):
        lam = float(
            ((shares - hard.roll(1, 0)) * (hard - hard.roll(1, 0))).sum() / (hard - hard.roll(1, 0)).norm() ** 2
        )
        assert torch.allclose(images, lam * clean + (1 - lam) * clean.roll(1, 0), atol=1e-5)
        assert torch.allclose(shares, lam * hard + (1 - lam) * hard.roll(1, 0), atol=1e-6)
        lams.add(round(lam, 6))
    assert len(lams) == len(plain) == 4
    assert all(0 < lam < 1 for lam in lams)
    assert all(torch.equal(*pair) for pair in zip(trained_on(learner())[0][:1], plain[0][:1], strict=True))


def test_witness_of_cutmix(learner: Build) -> None:
    plain = batches_of_epoch(learner())
    covered = set()
    for (images, shares), (clean, hard) in zip(trained_on(learner("cutmix")), plain, strict=False):
        other = clean.roll(1, 0)
        assert ((images == clean) | (images == other)).all()
        taken = (images != clean).any(dim=1).any(dim=0)
        rows, columns = taken.any(dim=1).sum(), taken.any(dim=0).sum()
        area = float(rows * columns) / taken.numel()
        assert torch.allclose(shares, (1 - area) * hard + area * hard.roll(1, 0), atol=1e-6)
        covered.add(area)
    assert len(covered) > 2


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


def calibrated_by(recipe: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities of a network that is too sure, and what the plan of a stack makes of them."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 400)
    right = random.random(400) < 0.8
    said = np.where(right, labels, 1 - labels)
    sure = np.where(np.arange(2) == said[:, None], 0.9999, 0.0001)
    plan = Stack.parse(f"baseline:model=simple_cnn{recipe}").plan
    kind = plan.predict.calibration
    if kind == "none":
        return sure, finished(sure, plan.predict, None, multilabel=False)
    fitted = fit_calibration(kind, sure, np.arange(2) == labels[:, None], multilabel=False)
    return sure, finished(sure, plan.predict, fitted, multilabel=False)


def test_witness_of_temperature() -> None:
    """A network that is always sure and right in 80 % of cases says the same, and is as sure as it is right."""
    sure, same = calibrated_by("")
    assert np.array_equal(same, sure)
    _, made = calibrated_by("+temperature")
    assert np.array_equal(made.argmax(axis=1), sure.argmax(axis=1))
    assert made.max(axis=1).mean() == pytest.approx(0.8, abs=0.05)


def test_witness_of_tuned_smoothing() -> None:
    """It gives away as much as it may, and more than by default."""
    sure, made = calibrated_by("+tuned_smoothing")
    assert np.array_equal(made.argmax(axis=1), sure.argmax(axis=1))
    assert made.max(axis=1) == pytest.approx(0.9 * 0.9999 + 0.05)


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
