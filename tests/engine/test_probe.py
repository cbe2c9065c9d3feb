"""The classifier fitted on frozen features: computed once, clean, at rest; and what cannot be fitted is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastai.learner import Learner
from rich.console import Console
from safetensors.torch import load_file
from torch import Tensor, nn

import imgcls
from imgcls.catalog import Stack
from imgcls.data.samples import Samples, frame_of
from imgcls.data.source import DataSource
from imgcls.engine import run as job
from imgcls.engine import timing
from imgcls.engine.build import build
from imgcls.engine.device import Machine
from imgcls.engine.linear_probe import choose_folds
from imgcls.engine.models import architecture_of, simple_cnn
from imgcls.engine.prepare import prepare
from imgcls.engine.progress import EpochRow, Silent, Start
from imgcls.errors import PlanError, StackError
from imgcls.plan import Plan
from imgcls.records.run import RunRecord
from imgcls.reports.live import LiveTable
from imgcls.reports.runs import RunCard

pytestmark = pytest.mark.train

FITTED = {"fit.classifier": "logistic_regression"}
"""What makes a base fit its classifier first, and nothing else."""

Train = Callable[..., RunRecord]
Build = Callable[..., Learner]


class Told(Silent):
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.starts: list[Start] = []
        self.seen: list[tuple[str, int, int]] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def progress(self, what: str, done: int, total: int) -> None:
        self.seen.append((what, done, total))

    def start(self, start: Start) -> None:
        self.starts.append(start)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[int, bool]]:
    """Count what passes through a simple_cnn: the images of each pass, and whether the network was in training.

    The cache is an empty one, in which no features are found.
    """
    monkeypatch.setenv("IMGCLS_CACHE", str(tmp_path / "cache"))
    found: list[tuple[int, bool]] = []
    forward = nn.Sequential.forward

    def count(self: nn.Sequential, images: Tensor) -> Tensor:
        if len(self) == 7:  # the network, not one of its stages
            found.append((len(images), self.training))
        return forward(self, images)

    monkeypatch.setattr(nn.Sequential, "forward", count)
    return found


def test_each_photograph_passes_once_and_at_rest(train: Train, passes: list[tuple[int, bool]]) -> None:
    run = train("linear_probe")
    assert passes == [(run.data.n["train"], False), (run.data.n["valid"], False)]
    again = train("linear_probe+tta_flips")
    assert again.reused_from == run.id
    assert len(passes) == 4  # two views of validation, and no features


def test_features_are_computed_once_however_many_epochs_follow(
    train: Train, passes: list[tuple[int, bool]], tmp_path: Path
) -> None:
    train(workspace=tmp_path / "gradient")
    n_gradient = sum(n for n, _ in passes)
    passes.clear()
    run = train(overrides=FITTED, workspace=tmp_path / "probe")
    start = run.data.n["valid"]  # the score that the epochs have to beat
    assert sum(n for n, _ in passes) - n_gradient == run.data.n["train"] + start
    assert passes[0] == (run.data.n["train"], False)


def test_augmentation_does_not_reach_the_features(learner: Build) -> None:
    plain, augmented = learner("lp_ft"), learner("lp_ft+augmentation")
    assert torch.equal(plain.model[6].weight, augmented.model[6].weight)


def test_the_record_tells_what_was_fitted_and_what_it_took(train: Train) -> None:
    told = Told()
    run = train("linear_probe", reporter=told)
    assert {"features", "classifier", "train", "epoch_validation"} <= set(run.seconds)
    assert run.seconds["features"] > 0
    assert run.seconds["classifier"] > 0
    assert run.seconds["train"] == 0
    assert run.images_per_second is None
    assert run.history() == []
    assert "history.csv" not in run.files
    (note,) = [note for note in told.notes if "logistic regression" in note]
    assert "on 128 features of 29 photographs" in note
    assert "5-fold cross-validation (log loss" in note
    assert note in run.path("log.txt").read_text(encoding="utf-8")
    assert told.starts[0].n_epochs == 0
    assert ("Computing features", 29, 29) in told.seen
    console = Console(record=True, width=100)
    console.print(RunCard(run))
    assert "Epochs" not in console.export_text()
    assert "features" not in train().seconds


def test_the_probabilities_of_a_probe_are_those_of_its_loaded_network(train: Train, split_folder: Path) -> None:
    run = train("linear_probe", split_folder)
    frame = run.predictions("valid")
    paths = [split_folder / name for name in frame["id"]]
    found = imgcls.load(run).probabilities(paths, ids=list(frame["id"]))
    assert found == pytest.approx(frame[["p_cat", "p_dog"]].to_numpy(), abs=1e-6)


def test_several_labels_have_a_probe_too(train: Train, multilabel_table: Path) -> None:
    run = train("linear_probe", multilabel_table, images=multilabel_table.parent / "images")
    assert run.problem == "multilabel"
    assert run.metrics["log_loss"].value is not None


def test_a_quick_trial_of_a_probe_trains_no_epoch(train: Train) -> None:
    run = train("linear_probe", quick=True)
    assert (run.quick, run.history()) == (True, [])
    assert len(train("lp_ft", quick=True).history()) == 1


def test_no_epoch_and_no_probe_is_refused(train: Train) -> None:
    with pytest.raises(PlanError, match=r"fit\.epochs = 0 trains nothing; use 1 or more"):
        train(base="baseline:model=simple_cnn", overrides={"fit.epochs": 0})


@pytest.mark.parametrize("n_workers", [0, 1, 2])
def test_workers_do_not_change_a_probe(
    n_workers: int, train: Train, bits: Callable[[RunRecord], dict[str, str]], tmp_path: Path
) -> None:
    machine = Machine("cpu", n_workers=n_workers)
    found = train("linear_probe", machine=machine, workspace=tmp_path / "one")
    assert bits(found) == bits(train("linear_probe", workspace=tmp_path / "other"))


def test_a_resumed_training_does_not_fit_again(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkpoint holds what the regression gave; that the bits are equal is in test_repeatability."""

    def stop(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(job, "write_predictions", stop)
        with pytest.raises(KeyboardInterrupt):
            train("lp_ft:steps=0", workspace=tmp_path)
    monkeypatch.setattr(job, "fit_probe", stop)
    assert len(train("lp_ft:steps=0", workspace=tmp_path).history()) == 2


# Which networks


@pytest.mark.parametrize("model", ["test_efficientnet", "test_vit", "torchvision:mobilenet_v3_small"])
def test_networks_of_all_libraries_have_a_probe(model: str, train: Train) -> None:
    size = {"images.size_px": 64 if model == "test_vit" else 32, "model.weights": "none"}
    run = train("linear_probe", base=f"baseline:model={model},epochs=1", overrides=size)
    assert run.history() == []
    assert "features" in run.seconds


def pixels_only(n_classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(24 * 24 * 3, n_classes))


def convolution_last(n_classes: int) -> nn.Module:
    return nn.Sequential(
        *simple_cnn(n_classes)[:4], nn.AdaptiveAvgPool2d(1), nn.Conv2d(128, n_classes, 1), nn.Flatten()
    )


def no_bias(n_classes: int) -> nn.Module:
    return nn.Sequential(*simple_cnn(n_classes)[:6], nn.Linear(128, n_classes, bias=False))


def softmax_last(n_classes: int) -> nn.Module:
    return nn.Sequential(*simple_cnn(n_classes), nn.LogSoftmax(1))


class Twice(nn.Module):
    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.body, self.head = nn.Sequential(*simple_cnn(n_classes)[:6]), nn.Linear(128, n_classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images)) + self.head(self.body(images.flip(-1)))


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("pixels_only", "it has nothing below its classifier"),
        ("convolution_last", "its classifier is of the kind Conv2d, not a single linear layer"),
        ("no_bias", "its classifier has no bias"),
        ("softmax_last", "its answer is not that of its last linear layer alone"),
        ("Twice", "it uses its last linear layer 2 times an image"),
    ],
)
def test_a_network_without_a_single_linear_classifier_is_refused(
    function: str, reason: str, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    with pytest.raises(PlanError, match=f"cannot be used with this network: {reason}"):
        train("linear_probe", base=f"baseline:model={Path(__file__).stem}:{function},epochs=1",
              overrides={"model.weights": "none"})  # fmt: skip


# The folds


def samples_of(labels: list[str], groups: list[str] | None = None) -> Samples:
    ids = [f"{number:03d}" for number in range(len(labels))]
    frame = frame_of(ids=ids, paths=ids, labels=labels, groups=groups, splits=["train"] * len(ids))
    classes = tuple(sorted(set(labels)))
    return Samples(frame, classes, "binary" if len(classes) == 2 else "multiclass", "drawn", Path())


def test_folds_are_five_stratified_and_by_the_seed() -> None:
    samples = samples_of(["a", "b"] * 25)
    folds, caution = choose_folds(samples, seed=0)
    assert folds is not None
    assert caution == ""
    for fold in range(5):
        assert np.bincount(samples.targets[folds == fold]).tolist() == [5, 5]
    assert np.array_equal(folds, choose_folds(samples, seed=0)[0])
    assert not np.array_equal(folds, choose_folds(samples, seed=1)[0])


def test_groups_and_copies_are_whole_in_a_fold() -> None:
    groups = [f"g{number // 4}" for number in range(48)]
    samples = samples_of(["a", "b"] * 24, groups)
    folds, _ = choose_folds(samples, seed=0)
    assert folds is not None
    assert all(len(set(folds[start : start + 4])) == 1 for start in range(0, 48, 4))
    copies = samples_of(["a", "b"] * 24).with_sha256([f"{number // 3 % 8}" for number in range(48)])
    folds, _ = choose_folds(copies, seed=0)
    assert folds is not None
    digests = copies.frame["sha256"]
    assert all(len(set(folds[(digests == digest).to_numpy()])) == 1 for digest in set(digests))


@pytest.mark.parametrize(
    ("labels", "n_folds", "said"),
    [
        (["a"] * 30 + ["b"] * 3, 3, "There are only 3 folds"),
        (["a"] * 30 + ["b"] * 30 + ["c"], 5, ""),
        (["a", "b"], 0, "could not be compared"),
    ],
    ids=["small class", "single photograph", "nothing to hold out"],
)
def test_small_classes_make_fewer_folds(labels: list[str], n_folds: int, said: str) -> None:
    folds, caution = choose_folds(samples_of(labels), seed=0)
    assert said in caution
    assert (0 if folds is None else folds.max() + 1) == n_folds
    if folds is not None and "c" in labels:
        assert folds[-1] == -1


# Learners, the estimate, the live table


def test_a_learner_comes_with_its_probe(learner: Build, train: Train) -> None:
    learn, run = learner("linear_probe"), train("linear_probe")
    loaded = imgcls.load(run).module.state_dict()
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in learn.model.state_dict().items())


@pytest.mark.parametrize(("recipe", "path"), [("linear_probe", "fit.epochs"), ("lp_ft", "fit.classifier")])
def test_a_probe_cannot_be_put_on_a_learner_that_is_made(recipe: str, path: str, learner: Build) -> None:
    with pytest.raises(StackError, match=rf"'{recipe}' changes .*{path}.*build it with imgcls\.learner"):
        imgcls.apply(recipe, learner())


@pytest.fixture
def estimated(photo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., float | None]:
    """Estimate a training as if any were worth asking and a step took a second."""
    monkeypatch.setattr(timing, "_N_TIMED", 0)
    monkeypatch.setattr(timing, "_step_seconds", lambda *args: 1.0)

    def call(recipes: str, n_done: int = 0, **overrides: Any) -> float | None:
        small = {"images.size_px": 24, "fit.batch_size": 8}
        plan: Plan = Stack.parse(f"baseline:model=simple_cnn,epochs=2{recipes}", small | overrides).plan
        prepared = prepare(DataSource(photo_folder), plan.images, reporter=Silent())[0]
        learn = build(plan, prepared, seed=0, machine=Machine("cpu")).learn
        return timing.estimate_seconds(learn, plan, n_done=n_done)

    return call


def test_the_estimate_counts_the_pass_for_the_features(estimated: Callable[..., float | None]) -> None:
    """29 photographs train in 4 batches of 8, 7 validate."""
    assert estimated("") == pytest.approx(2 * 4 + 3 * 7 / 8 / 3)
    assert estimated("+lp_ft:steps=0") == pytest.approx(2 * 4 + (29 + 3 * 7) / 8 / 3)
    assert estimated("+lp_ft:steps=0", n_done=1) == pytest.approx(4 + 2 * 7 / 8 / 3)
    assert estimated("+linear_probe") == pytest.approx((29 + 7) / 8)  # a step is a forward pass here


def test_the_estimate_counts_smaller_images_first_and_the_last_pass_of_an_average(
    learner: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step of 12 px costs a quarter of one of 24 px here; of 8 steps, 6 have 12 px, two of them after epoch 1."""
    monkeypatch.setattr(timing, "_step_seconds", lambda learn, plan, images, targets: (images.shape[-1] / 24) ** 2)
    stack = "+progressive_resizing:first=12,share=0.75"
    learn, plan = learner(stack[1:]), Stack.parse(f"baseline:model=simple_cnn,epochs=2{stack}").plan
    for n_done, expected in ((0, 6 / 4 + 2), (1, 2 / 4 + 2)):
        seconds = timing.estimate_seconds(learn, plan, n_done=n_done, always=True)
        assert seconds == pytest.approx(expected + (3 - n_done) * 7 / 8 / 3)
    averaging = Stack.parse("baseline:model=simple_cnn,epochs=2+weight_averaging").plan
    seconds = timing.estimate_seconds(learner("weight_averaging"), averaging, always=True)
    assert seconds == pytest.approx(8 + (29 + 3 * 7) / 8 / 3)


def test_a_forward_pass_is_timed_where_nothing_is_trained(learner: Build, passes: list[tuple[int, bool]]) -> None:
    learn = learner("linear_probe")
    passes.clear()
    images, _ = learn.dls.train.one_batch()
    assert timing._step_seconds(learn, Plan(), images, None) > 0
    assert [training for _, training in passes] == [False] * 5
    assert all(parameter.grad is None for parameter in learn.model.parameters())


def test_the_live_table_goes_on_after_the_bar_of_the_features() -> None:
    screen = Console(record=True, force_terminal=True, width=100)
    table = LiveTable(screen)
    table.start(Start("lp_ft", 0, 1, 2, 16, 8, "cpu"))
    for done in (8, 16):
        table.progress("Computing features", done, 16)
    for batch in (1, 2):
        table.batch(1, batch, 2)
    table.epoch(EpochRow(1, 0.5, 0.25, 0.75, 1e-3, 1.0, 16.0))
    table.stop()
    assert "0.7500" in screen.export_text()


def test_witness_of_multi_view_probe(train: Train, passes: list[tuple[int, bool]], tmp_path: Path) -> None:
    told = Told()
    run = train("augmentation+multi_view_probe:views=3", reporter=told)
    n = run.data.n
    assert passes == [*[(n["train"], False)] * 3, (n["valid"], False)]
    assert any("128 features of 3 views each of 29 photographs" in note for note in told.notes)
    once = train("linear_probe", workspace=tmp_path / "once")
    assert not np.array_equal(
        once.predictions("valid").filter(regex="^p_"), run.predictions("valid").filter(regex="^p_")
    )


def test_views_for_the_classifier_need_transforms() -> None:
    with pytest.raises(StackError, match="add augmentation to the stack"):
        Stack.parse("baseline+multi_view_probe")


def test_statistics_of_the_photographs_are_those_of_all_of_them(learner: Build) -> None:
    """Oracle: torch's own update_bn over the same batches."""
    from torch.optim.swa_utils import update_bn

    plain, own = learner(), learner(overrides=FITTED | {"fit.statistics": "own"})
    dataset = plain.dls.train.dataset
    rows = np.argsort(np.arange(len(dataset)))
    images = plain.dls.train.normalisation.encode(
        torch.from_numpy(dataset.photos.pixels(dataset.rows[rows])), torch.device("cpu")
    )
    update_bn([images], plain.model)  # all in one batch, so that their order has no say
    for one, other in zip(plain.model.buffers(), own.model.buffers(), strict=True):
        assert torch.allclose(one.float(), other.float(), atol=1e-5)


@pytest.mark.parametrize(("own", "pretrained"), [(0.1, 0.2), (0.2, 0.1)])
def test_better_statistics_are_those_with_the_smaller_loss(
    learner: Build, own: float, pretrained: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imgcls.engine import linear_probe

    fitted: list[object] = []

    def loss(regression: object) -> float:
        fitted.append(regression)
        return own if len(fitted) % 2 else pretrained  # that of the photographs is asked for first

    monkeypatch.setattr(linear_probe, "_log_loss", loss)
    found = learner(overrides=FITTED | {"fit.statistics": "better"})
    assert bool(found.model[0][1].running_mean.abs().sum() > 0) == (own < pretrained)
    assert found.model[0][1].momentum == pytest.approx(0.1)
    only = learner(overrides=FITTED | {"fit.statistics": "own" if own < pretrained else "pretrained"})
    assert all(torch.equal(a, b) for a, b in zip(found.model.parameters(), only.model.parameters(), strict=True))


def test_features_that_were_seen_before_are_not_computed_again_and_are_the_same(
    train: Train, passes: list[tuple[int, bool]], tmp_path: Path
) -> None:
    def fitted(home: str, seed: int = 0) -> tuple[dict[str, Tensor], int]:
        passes.clear()
        run = train("linear_probe", workspace=tmp_path / home, seed=seed)
        return load_file(run.path("weights.safetensors")), len(passes)

    first, n_passes = fitted("one")
    again, n_again = fitted("two")
    assert n_again == n_passes - 1
    assert all(torch.equal(values, again[name]) for name, values in first.items())
    _, n_other_network = fitted("three", seed=1)  # a simple_cnn begins with other weights
    assert n_other_network == n_passes
    for file in (tmp_path / "cache" / "fronts").iterdir():
        file.write_bytes(file.read_bytes()[:-100])
    after_damage, n_after = fitted("four")
    assert n_after == n_passes
    assert all(torch.equal(values, after_damage[name]) for name, values in first.items())


def test_only_what_is_known_by_its_layers_may_be_kept() -> None:
    assert architecture_of(simple_cnn(2)) == architecture_of(simple_cnn(2))
    assert architecture_of(simple_cnn(2)) != architecture_of(simple_cnn(3))
    assert architecture_of(Twice(2)) is None
    assert architecture_of(nn.Sequential(Twice(2))) is None
