"""`imgcls.learner` gives a real fastai Learner: everything that fastai offers works on it, on plain tensors."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from fastai.callback.core import Callback
from fastai.callback.schedule import minimum, steep
from fastai.interpret import ClassificationInterpretation
from fastai.learner import Learner
from matplotlib import pyplot
from PIL import Image
from torch import Tensor, nn

import imgcls
from imgcls.engine.device import Machine
from imgcls.engine.loaders import Key, PhotoLoaders
from imgcls.engine.optimizers import LayerOptimizer, optimizer_factory
from imgcls.errors import DataError, PlanError
from imgcls.plan import Optimizer

pytestmark = pytest.mark.train

Build = Callable[..., Learner]


@pytest.fixture(autouse=True)
def _closed_figures() -> None:
    pyplot.close("all")


@pytest.fixture
def multilabel(learner: Build, multilabel_table: Path) -> Learner:
    """A Learner for images with several labels."""
    return learner(data=multilabel_table, images=multilabel_table.parent / "images", label=["red", "green"])


def state_of(learn: Learner) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in learn.model.state_dict().items()}


def test_batches_are_plain_tensors(learner: Build) -> None:
    learn = learner("augmentation")
    for batch in (learn.dls.one_batch(), next(iter(learn.dls.train)), next(iter(learn.dls.valid))):
        assert [type(part) for part in batch] == [Tensor, Tensor]
        images, targets = batch
        assert (images.dtype, images.shape[1:]) == (torch.float32, (3, 24, 24))
        assert (targets.dtype, targets.shape) == (torch.int64, (8,) if len(targets) == 8 else (len(targets),))


def test_a_batch_is_the_photograph_normalised(learner: Build) -> None:
    learn = learner(overrides={"images.mean": [0.1, 0.2, 0.3], "images.std": [0.5, 0.25, 2.0]})
    images, _ = next(iter(learn.dls.valid))
    pixels, _ = learn.dls.valid.dataset.__getitems__([Key(row, 0) for row in range(len(images))])
    expected = (pixels / 255 - np.array([0.1, 0.2, 0.3])) / np.array([0.5, 0.25, 2.0])
    assert images.permute(0, 2, 3, 1).numpy() == pytest.approx(expected, abs=1e-5)


def test_fit_follows_the_schedule_of_the_plan(learner: Build) -> None:
    learn = learner("cosine:warmup_epochs=1")
    with learn.no_bar(), learn.no_logging():
        learn.fit(2)
    n = len(learn.recorder.lrs)
    assert learn.recorder.lrs[0] == 0
    assert learn.recorder.lrs[n // 2] == pytest.approx(1e-3)
    assert learn.recorder.lrs[-1] < learn.recorder.lrs[n // 2]
    with learn.no_bar(), learn.no_logging():
        learn.fit(1, lr=1e-2)
    assert max(learn.recorder.lrs) <= 1e-2


@pytest.mark.parametrize("recipes", ["", "cosine:warmup_epochs=1", "one_cycle"])
def test_the_schedule_steps_aside_for_fit_one_cycle(recipes: str, learner: Build) -> None:
    learn = learner(recipes)
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(2, lr_max=0.01)
    assert learn.recorder.lrs[0] == pytest.approx(0.01 / 25)
    assert learn.recorder.lrs[2] == pytest.approx(0.01)
    assert learn.recorder.lrs[-1] < 0.01


class MomentumLog(Callback):
    """Notes the momentum of every step."""

    def before_fit(self) -> None:
        """Begin."""
        self.seen: list[float] = []

    def before_step(self) -> None:
        """Note."""
        self.seen.append(self.learn.opt.hypers[-1]["mom"])


@pytest.mark.parametrize(("call", "moves"), [("fit", True), ("fit_flat_cos", False)])
def test_the_momentum_of_a_one_cycle_moves_in_a_plain_fit_only(call: str, moves: bool, learner: Build) -> None:
    learn = learner("one_cycle")
    learn.add_cb(log := MomentumLog())
    with learn.no_bar(), learn.no_logging():
        getattr(learn, call)(1)
    assert (len(set(log.seen)) > 1) is moves


def test_lr_find_suggests_and_gives_everything_back(learner: Build) -> None:
    learn, other = learner("adamw+augmentation"), learner("adamw+augmentation")
    before = state_of(learn)
    with learn.no_bar(), learn.no_logging():
        found = learn.lr_find(num_it=10, show_plot=False, suggest_funcs=(minimum, steep))
    assert found.steep > 0
    after = state_of(learn)
    assert all(torch.equal(before[name], after[name]) for name in before)
    for each in (learn, other):
        with each.no_bar(), each.no_logging():
            each.fit(1)
    assert all(torch.equal(tensor, state_of(other)[name]) for name, tensor in state_of(learn).items())


def test_lr_find_ends_where_the_loss_explodes(learner: Build) -> None:
    learn = learner(overrides={"optimizer.name": "sgd", "optimizer.options": {"momentum": 0.9}})
    with learn.no_bar(), learn.no_logging():
        learn.lr_find(start_lr=1e20, end_lr=1e36, num_it=10, stop_div=False, show_plot=False, suggest_funcs=())
    assert all(tensor.isfinite().all() for tensor in state_of(learn).values())


class LookAtBody(Callback):
    """Notes at every step whether the first convolution is frozen."""

    def before_fit(self) -> None:
        """Begin."""
        self.seen = getattr(self, "seen", [])

    def before_step(self) -> None:
        """Look."""
        self.seen.append(not next(self.learn.model.parameters()).requires_grad)


def test_fine_tune_trains_the_classifier_first_and_all_after(learner: Build) -> None:
    learn = learner()
    learn.add_cb(look := LookAtBody())
    with learn.no_bar(), learn.no_logging():
        learn.fine_tune(1, base_lr=1e-3)
    n = len(learn.dls.train)
    assert look.seen == [True] * n + [False] * n


def trainable(learn: Learner) -> list[bool]:
    return [parameter.requires_grad for parameter in learn.model.parameters()]


def test_a_fit_with_freeze_backbone_keeps_what_freeze_has_frozen(learner: Build) -> None:
    learn = learner("adamw:weight_decay=0.5+freeze_backbone:epochs=1")
    learn.freeze()
    before, wish = state_of(learn), trainable(learn)
    assert set(wish) == {True, False}
    with learn.no_bar(), learn.no_logging():
        learn.fit(2)
    still = {name for name in before if name.endswith("weight") and torch.equal(state_of(learn)[name], before[name])}
    assert still == {f"{stage}.0.weight" for stage in range(4)}
    assert trainable(learn) == wish


@pytest.mark.parametrize(("knob", "thawed"), [(":epochs=1", True), ("", False)])
def test_fine_tune_and_freeze_backbone_freeze_one_after_the_other(knob: str, thawed: bool, learner: Build) -> None:
    learn = learner(f"freeze_backbone{knob}")
    learn.add_cb(look := LookAtBody())
    with learn.no_bar(), learn.no_logging():
        learn.fine_tune(2, base_lr=1e-3)
    n = len(learn.dls.train)
    assert look.seen == [True] * 2 * n + [not thawed] * n
    assert all(trainable(learn))


class Stop(Callback):
    """Lets a fit fail at its first step."""

    def before_step(self) -> None:
        """Fail."""
        raise InterruptedError("on purpose")


def break_a_fit(learn: Learner) -> None:
    with learn.no_bar(), learn.no_logging(), pytest.raises(InterruptedError):
        learn.fit(1, cbs=Stop())


@pytest.mark.parametrize("wish", ["freeze", "unfreeze"])
def test_what_an_aborted_fit_left_frozen_is_nobodys_wish(wish: str, learner: Build) -> None:
    learn = learner("freeze_backbone:epochs=1")
    getattr(learn, wish)()
    before = trainable(learn)
    break_a_fit(learn)
    assert not any(trainable(learn)[:-2])
    with learn.no_bar(), learn.no_logging():
        learn.fit(1)
    assert trainable(learn) == before


def test_applying_anew_gives_free_what_an_aborted_fit_left_frozen(learner: Build) -> None:
    learn = learner("freeze_backbone")
    break_a_fit(learn)
    imgcls.apply("freeze_backbone:epochs=1", learn)
    assert all(trainable(learn))


@pytest.mark.parametrize("wishes", [("freeze", "unfreeze"), ("unfreeze", "freeze")], ids=" then ".join)
def test_a_wish_after_an_aborted_fit_counts(wishes: tuple[str, str], learner: Build) -> None:
    learn = learner("freeze_backbone:epochs=1")
    getattr(learn, wishes[0])()
    break_a_fit(learn)
    getattr(learn, wishes[1])()
    before = trainable(learn)
    with learn.no_bar(), learn.no_logging():
        learn.fit(2)
    assert trainable(learn) == before


def test_a_validation_leaves_what_is_trainable(learner: Build) -> None:
    learn = learner("freeze_backbone")
    with learn.no_bar():
        learn.validate()
    assert all(trainable(learn))
    learn.freeze()
    before = trainable(learn)
    with learn.no_bar():
        learn.validate()
    assert trainable(learn) == before


def test_freeze_leaves_the_body_bit_for_bit(learner: Build) -> None:
    """But for its norms, which fastai lets learn under `freeze`; freeze_backbone does not."""
    learn = learner("adamw:weight_decay=0.5")
    learn.freeze()
    before = {name: tensor.detach().clone() for name, tensor in learn.model.named_parameters()}
    with learn.no_bar(), learn.no_logging():
        learn.fit(1)
    still = {name for name, tensor in learn.model.named_parameters() if torch.equal(tensor, before[name])}
    assert still == {f"{stage}.0.weight" for stage in range(4)}
    learn.unfreeze()
    with learn.no_bar(), learn.no_logging():
        learn.fit(1)
    assert all(not torch.equal(tensor, before[name]) for name, tensor in learn.model.named_parameters())


def test_a_slice_of_rates_spreads_over_body_and_classifier(learner: Build) -> None:
    learn = learner("adamw")
    with learn.no_bar(), learn.no_logging():
        learn.fit(1, lr=slice(1e-5, 1e-3))
    head = {id(parameter) for parameter in learn.model[6].parameters()}
    for group, hypers in zip(learn.opt.param_lists, learn.opt.hypers, strict=True):
        in_head = id(group[0]) in head
        assert hypers["lr"] == pytest.approx(1e-3 if in_head else 1e-5)


def test_show_batch_and_show_results_draw(learner: Build) -> None:
    learn = learner("augmentation")
    learn.dls.show_batch(max_n=4)
    titles = [axes.get_title() for axes in pyplot.gcf().axes if axes.get_title()]
    assert len(titles) == 4
    assert set(titles) <= {"left", "middle", "right"}
    with learn.no_bar(), learn.no_logging():
        learn.show_results(max_n=4)
    shown = [axes.get_title().splitlines() for axes in pyplot.gcf().axes if axes.get_title()]
    assert all(len(pair) == 2 and set(pair) <= {"left", "middle", "right"} for pair in shown)


def test_shown_images_are_the_photographs(learner: Build) -> None:
    learn = learner()
    batch = next(iter(learn.dls.valid))
    image, label = learn.dls.valid.decode_batch(batch)[0]
    pixels, target = learn.dls.valid.dataset[0]
    assert (image.permute(1, 2, 0).numpy() * 255).round() == pytest.approx(pixels.astype(float), abs=1)
    assert str(label) == learn.dls.vocab[int(target)]


def test_predict_takes_a_path_and_an_image(learner: Build, photo_folder: Path) -> None:
    learn = learner()
    photo = next((photo_folder / "left").iterdir())
    with learn.no_bar():
        named, place, probabilities = learn.predict(photo)
        by_hand = learn.predict(Image.open(photo).convert("RGB"))
    assert str(named) == learn.dls.vocab[int(place)]
    assert probabilities.shape == (3,)
    assert float(probabilities.sum()) == pytest.approx(1)
    assert torch.equal(probabilities, by_hand[2])


def test_get_preds_gives_one_row_for_each_sample_in_order(learner: Build) -> None:
    learn = learner()
    with learn.no_bar():
        probabilities, targets = learn.get_preds()
        train, train_targets = learn.get_preds(ds_idx=0)
    assert np.array_equal(targets, learn.dls.valid.dataset.targets)
    assert np.array_equal(train_targets, learn.dls.train.dataset.targets)
    assert (len(probabilities), len(train)) == (len(learn.dls.valid_ds), len(learn.dls.train_ds))
    images, _ = next(iter(learn.dls.valid))
    with torch.no_grad():
        expected = learn.model.eval()(images).softmax(1)
    assert torch.allclose(torch.as_tensor(probabilities[: len(images)]), expected, atol=1e-6)


def test_validate_gives_the_plain_loss_and_the_accuracy(learner: Build) -> None:
    learn = learner("label_smoothing:smoothing=0.5")
    with learn.no_bar():
        loss, accuracy = learn.validate()
        probabilities, targets = learn.get_preds()
    chosen = probabilities[range(len(targets)), targets]
    assert loss == pytest.approx(float(-chosen.log().mean()), rel=1e-5)
    assert accuracy == pytest.approx(float((probabilities.argmax(1) == targets).float().mean()))


def test_interpretation_finds_the_worst_and_the_confused(learner: Build) -> None:
    learn = learner()
    with learn.no_bar():
        found = ClassificationInterpretation.from_learner(learn)
        matrix = found.confusion_matrix()
        losses, places = found.top_losses(3)
        found.plot_top_losses(3)
        found.plot_confusion_matrix()
        confused = found.most_confused(min_val=1)
    assert matrix.shape == (3, 3)
    assert matrix.sum() == len(learn.dls.valid_ds)
    assert list(losses) == sorted(losses, reverse=True)
    assert len(set(places.tolist())) == 3
    assert all({first, second} <= {"left", "middle", "right"} for first, second, _ in confused)


def test_further_images_go_through_test_dl(learner: Build, photo_folder: Path) -> None:
    learn = learner()
    photos = sorted(photo_folder.rglob("*.png"))[:5]
    arrays = [np.asarray(Image.open(photo).convert("RGB")) for photo in photos]
    with learn.no_bar():
        by_path = learn.get_preds(dl=learn.dls.test_dl(photos))[0]
        by_array = learn.get_preds(dl=learn.dls.test_dl(arrays, bs=2))[0]
    assert by_path.shape == (5, 3)
    assert torch.allclose(torch.as_tensor(by_path), torch.as_tensor(by_array), atol=1e-6)
    labelled = learn.dls.test_dl(photos, with_labels=True)
    assert [learn.dls.vocab[k] for k in labelled.dataset.targets] == [photo.parent.name for photo in photos]
    with pytest.raises(DataError, match="No label is known for elsewhere"):
        learn.dls.test_dl(["elsewhere.png"], with_labels=True)


@pytest.mark.parametrize("bad", [3, np.zeros((4, 4, 3), dtype=np.float32)])
def test_what_is_no_image_is_refused(bad: object, learner: Build) -> None:
    with pytest.raises(DataError, match="a path, a PIL image or a uint8 array"):
        learner().dls.test_dl([bad]).one_batch()


def test_several_labels_work_alike(multilabel: Learner) -> None:
    learn = multilabel
    assert list(learn.dls.vocab) == ["red", "green"]
    _, targets = learn.dls.one_batch()
    assert (type(targets), targets.dtype, targets.shape[1]) == (Tensor, torch.float32, 2)
    with learn.no_bar(), learn.no_logging():
        learn.fit(2)
        probabilities, found = learn.get_preds()
        learn.show_results(max_n=3)
        named, chosen, one = learn.predict(learn.dls.valid_ds.items[0])
    learn.dls.show_batch(max_n=3)
    assert np.array_equal(found, learn.dls.valid.dataset.targets)
    assert ((probabilities > 0) & (probabilities < 1)).all()
    assert list(named) == [name for name, is_there in zip(learn.dls.vocab, chosen, strict=True) if is_there]
    assert torch.allclose(torch.as_tensor(one), torch.as_tensor(probabilities[0]), atol=1e-6)
    loss, accuracy = learn.validate()
    truth = torch.as_tensor(learn.dls.valid.dataset.targets)
    rows = torch.as_tensor(probabilities)
    assert loss == pytest.approx(float(torch.nn.functional.binary_cross_entropy(rows, truth)), rel=1e-4)
    assert accuracy == pytest.approx(float(((rows > 0.5) == truth.bool()).float().mean()), rel=1e-6)


def test_classes_are_in_the_vocabulary_of_the_loaders(learner: Build) -> None:
    learn = learner()
    assert isinstance(learn.dls, PhotoLoaders)
    assert list(learn.dls.vocab) == ["left", "middle", "right"]
    assert learn.dls.c == 3


def test_every_sample_is_shown_once_an_epoch_in_another_order(learner: Build) -> None:
    learn = learner()
    loader = learn.dls.train
    orders = []
    for epoch in (0, 1, 0):
        loader.epoch = epoch
        orders.append(loader.get_idxs())
        assert sum(len(images) for images, _ in loader) == len(loader.dataset)
    assert orders[0] == orders[2] != orders[1]
    assert all(sorted(order) == list(range(len(loader.dataset))) for order in orders)


def test_workers_end_with_the_fit(learner: Build) -> None:
    learn = learner(machine=Machine("cpu", n_workers=1))
    with learn.no_bar(), learn.no_logging():
        learn.fit(1)
        assert multiprocessing.active_children() == []
        learn.fit(1)
        learn.validate()
        learn.get_preds()
    assert multiprocessing.active_children() == []


# Layer groups of the optimiser


def make(network: nn.Module, **settings: object) -> LayerOptimizer:
    body, head = network[0], network[1]
    factory = optimizer_factory(Optimizer(**{"name": "adamw", "weight_decay": 0.1} | settings))  # type: ignore[arg-type]
    return factory([list(body.parameters()), list(head.parameters())], lr=0.1)


def test_norms_and_biases_stay_undecayed_whatever_is_set() -> None:
    optimizer = make(nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), nn.Linear(4, 2)))

    def decays() -> list[tuple[int, float]]:
        groups = optimizer.param_lists, optimizer.hypers
        return [(group[0].ndim, hypers["wd"]) for group, hypers in zip(*groups, strict=True)]

    assert decays() == [(4, 0.1), (1, 0.0), (2, 0.1), (1, 0.0)]
    optimizer.set_hyper("wd", 0.3)
    assert decays() == [(4, 0.3), (1, 0.0), (2, 0.3), (1, 0.0)]


def test_layer_groups_are_frozen_and_given_rates_as_fastai_does() -> None:
    network = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), nn.Linear(4, 2))
    optimizer = make(network)
    optimizer.freeze_to(-1)
    assert [parameter.requires_grad for parameter in network.parameters()] == [False] * 4 + [True] * 2
    optimizer.freeze_to(0)
    assert all(parameter.requires_grad for parameter in network.parameters())
    optimizer.set_hyper("lr", slice(1e-4, 1e-2))
    assert [hypers["lr"] for hypers in optimizer.hypers] == pytest.approx([1e-4, 1e-4, 1e-2, 1e-2])
    optimizer.set_hyper("lr", slice(1e-2))
    assert [hypers["lr"] for hypers in optimizer.hypers] == pytest.approx([1e-3, 1e-3, 1e-2, 1e-2])
    optimizer.set_hyper("lr", [1.0, 2.0])
    assert [hypers["lr"] for hypers in optimizer.hypers] == [1.0, 1.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"name": "adamm"}, "Did you mean 'adam"),
        ({"options": {"beta": [0.9, 0.99]}}, "optimizer.options.beta is not read by adamw. Did you mean 'betas'"),
        ({"options": {"lr": 1}}, "optimizer.options.lr is not read by adamw"),
        ({"options": {"betas": [0.9, 2.0]}}, "'adamw' refuses its settings: Invalid beta parameter"),
        ({"name": "sgd"}, "'sgd' refuses its settings: Nesterov momentum requires a momentum"),
    ],
)
def test_an_optimiser_that_cannot_be_is_told(settings: dict[str, object], said: str) -> None:
    with pytest.raises(PlanError) as caught:
        make(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), **settings)
    assert said in str(caught.value)
