"""Averaged weights: what is validated, kept and recorded, and what an interruption leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from fastai.callback.core import Callback, CancelFitException
from fastai.learner import Learner
from safetensors.torch import load_file
from torch import Tensor

from imgcls.engine.check import check
from imgcls.errors import PlanError
from imgcls.plan import Plan
from imgcls.records.run import RunRecord

Build = Callable[..., Learner]


def state_of(learn: Learner) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in learn.model.state_dict().items()}


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


class Stop(KeyboardInterrupt):
    """The interruption that a test makes."""


def fit(learn: Learner, n: int = 1, *cbs: Callback) -> None:
    with learn.no_bar(), learn.no_logging():
        learn.fit(n, cbs=list(cbs))


@pytest.mark.train
def test_the_record_holds_and_scores_the_average(train: Callable[..., RunRecord], learner: Build) -> None:
    run = train("ema", valid=0.25)
    learn = learner("ema", valid=0.25)
    fit(learn, 2)
    saved = load_file(run.path("weights.safetensors"))
    assert equal(saved, state_of(learn))
    plain = learner(valid=0.25)
    fit(plain, 2)
    assert not torch.equal(saved["6.weight"], plain.model.state_dict()["6.weight"])
    assert run.history()[-1]["valid_loss"] == pytest.approx(run.metrics["log_loss"].value, rel=1e-5)


@pytest.mark.train
def test_training_goes_on_from_its_own_weights_between_validations(learner: Build) -> None:
    """The average is looked at after every epoch, and does not change what is trained."""
    ends: list[dict[str, Tensor]] = []

    class Keep(Callback):
        def after_train(self) -> None:
            ends.append(state_of(self.learn))

    for recipes in ("ema", ""):
        fit(learner(recipes), 2, Keep())
    assert equal(ends[1], ends[3])


@pytest.mark.train
def test_looks_and_searches_between_fits_average_nothing(learner: Build) -> None:
    learn = learner("ema")
    fit(learn)
    before = state_of(learn)
    with learn.no_bar(), learn.no_logging():
        learn.validate()
        learn.get_preds()
        learn.lr_find(num_it=5, show_plot=False)
    assert equal(before, state_of(learn))
    assert learn.average_weights.average is None


@pytest.mark.train
def test_each_fit_begins_an_average_of_its_own(learner: Build) -> None:
    learn = learner("ema")
    fit(learn)
    fit(learn)
    assert learn.average_weights.n_steps == len(learn.dls.train)


@pytest.mark.train
@pytest.mark.parametrize("event", ["after_batch", "after_pred"])
def test_an_aborted_fit_leaves_the_weights_of_training(event: str, learner: Build) -> None:
    """fastai does not call `after_fit` then; the next call of any kind puts things right."""
    learn, seen = learner("ema"), []

    class Abort(Callback):
        order = 99

        def after_train(self) -> None:
            seen.append(state_of(self.learn))

        def __call__(self, event_name: str) -> None:
            super().__call__(event_name)
            if event_name == event and not self.learn.training:
                raise Stop

    with pytest.raises(Stop):
        fit(learn, 1, Abort())
    assert not equal(seen[0], state_of(learn))
    with learn.no_bar(), learn.no_logging():
        learn.remove_cbs([cb for cb in learn.cbs if isinstance(cb, Abort)])
        learn.validate()
    assert equal(seen[0], state_of(learn))


class Statistics(Callback):
    """Keeps the running means of the first batch normalisation after every part of an epoch."""

    order = 99

    def before_fit(self) -> None:
        self.found: list[Tensor] = []

    def after_train(self) -> None:
        self.found.append(self.learn.model[0][1].running_mean.clone())

    after_validate = after_train


@pytest.mark.train
def test_a_plain_mean_is_validated_in_the_last_epoch_only(learner: Build) -> None:
    """Before, validation shows the weights of training, with the statistics that belong to them."""
    averaged, plain = learner("weight_averaging:start=0"), learner()
    for learn in (averaged, plain):
        fit(learn, 2, seen := Statistics())
        before, after = seen.found[:2], seen.found[2:]
        assert torch.equal(*before)
        assert torch.equal(*after) == (learn is plain)
    losses = [learn.recorder.values for learn in (averaged, plain)]
    assert losses[0][0][:2] == losses[1][0][:2]
    assert losses[0][1][1] != losses[1][1][1]


@pytest.mark.train
@pytest.mark.parametrize("frozen", ["freeze_batchnorm", "freeze_backbone"])
def test_statistics_that_training_keeps_stay_under_a_plain_mean(frozen: str, learner: Build) -> None:
    learn = learner(f"weight_averaging:start=0+{frozen}")
    before = state_of(learn)
    fit(learn)
    after = state_of(learn)
    kept = {name for name in before if "running" in name}
    assert len(kept) == 8
    assert all(torch.equal(before[name], after[name]) for name in kept)
    assert not torch.equal(before["6.weight"], after["6.weight"])


@pytest.mark.train
def test_a_plain_mean_is_left_by_a_fit_that_was_ended_early(learner: Build) -> None:
    learn = learner("weight_averaging:start=0.25")

    class End(Callback):
        def after_batch(self) -> None:
            if self.learn.training and self.learn.epoch:
                raise CancelFitException

    fit(learn, 2, End(), seen := Statistics())
    assert learn.average_weights.average is None
    assert learn.average_weights.has_new_statistics
    assert not torch.equal(seen.found[-1], learn.model[0][1].running_mean)
    assert int(learn.model[0][1].num_batches_tracked) == len(learn.dls.train)


@pytest.mark.train
def test_a_search_for_a_rate_leaves_weights_and_statistics(learner: Build) -> None:
    learn = learner("weight_averaging:start=0")
    before = state_of(learn)
    with learn.no_bar(), learn.no_logging():
        learn.lr_find(num_it=5, show_plot=False)
    assert equal(before, state_of(learn))


@pytest.mark.train
def test_no_generator_is_drawn_from(learner: Build) -> None:
    learn = learner("ema")
    before = torch.get_rng_state()
    learn.average_weights.before_train()
    learn.average_weights.after_step()
    learn.average_weights.after_fit()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"fit.averaging": "emma"}, r"fit.averaging = 'emma' is unknown; it is ema or swa. Did you mean 'ema'"),
        ({"fit.averaging": {"ema": {"decai": 0.9}}}, r"(?s)ema has no option 'decai'. Did you mean 'decay'.*not None"),
        ({"fit.averaging": {"ema": {"decay": 1}}}, r"ema.decay has to be in \(0, 1\), not 1"),
        ({"fit.averaging": {"swa": {"start": 1}}}, r"swa.start has to be in \[0, 1\), not 1"),
        ({"fit.averaging": {"swa": {"decay": 0.5}}}, r"(?s)swa has no option 'decay'.*swa.start has to be .*not None"),
        (
            {"fit.averaging": {"ema": {"decay": 0.9}}, "fit.callbacks": {"SaveModelCallback": {}}},
            r"fit.averaging and fit.callbacks.SaveModelCallback both choose the weights",
        ),
    ],
)
def test_an_averaging_that_cannot_be_is_told(values: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        check(Plan().with_values(values))
