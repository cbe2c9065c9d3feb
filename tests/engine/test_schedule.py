"""The course of the learning rate as a function of the share of training that is done."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from fastai.learner import Learner

from imgcls.engine.callbacks.schedule import rate_factor
from imgcls.plan import Schedule

ENDS = [
    (Schedule("constant"), [1, 1, 1]),
    (Schedule("constant", warmup_epochs=2), [0, 1, 1]),
    (Schedule("cosine"), [1, 0.5, 0]),
    (Schedule("cosine", warmup_epochs=2), [0, 1, 0]),
    (Schedule("one_cycle"), [1 / 25, 0.5 * (1 + math.cos(math.pi / 3)) * (1 - 1e-5) + 1e-5, 1e-5]),
]


@pytest.mark.parametrize(("schedule", "factors"), ENDS)
def test_it_begins_passes_the_middle_and_ends_where_it_should(schedule: Schedule, factors: list[float]) -> None:
    factor = rate_factor(schedule, n_epochs=4)
    assert [factor(done) for done in (0.0, 0.5, 1.0)] == pytest.approx(factors, rel=1e-6, abs=1e-9)


def test_the_warm_up_is_a_straight_line_of_epochs_not_of_shares() -> None:
    for n_epochs in (2, 10):
        factor = rate_factor(Schedule("cosine", warmup_epochs=1), n_epochs=n_epochs)
        assert [factor(epoch / n_epochs) for epoch in (0.25, 0.5, 1)] == pytest.approx([0.25, 0.5, 1])


def test_a_warm_up_as_long_as_the_training_only_rises() -> None:
    factor = rate_factor(Schedule("cosine", warmup_epochs=3), n_epochs=1)
    assert [factor(done) for done in (0.0, 0.6, 1.0)] == pytest.approx([0, 0.2, 1 / 3])


@pytest.mark.train
def test_layer_groups_keep_their_proportion(learner: Callable[..., Learner]) -> None:
    learn = learner("cosine:warmup_epochs=0")
    with learn.no_bar(), learn.no_logging():
        learn.fit(1, lr=slice(1e-4, 1e-2))
    rates = [hyper["lr"] for hyper in learn.opt.hypers]
    assert rates[-1] / rates[0] == pytest.approx(100)
    assert rates[-1] < 1e-2


def test_warm_up_lasts_a_least_number_of_steps_up_to_half_of_training() -> None:
    schedule = Schedule("cosine", warmup_epochs=0.5, least_warmup_steps=30)
    few = rate_factor(schedule, n_epochs=25, n_batches=4)
    assert [few(0.15), few(0.3)] == pytest.approx([0.5, 1.0])
    fewest = rate_factor(schedule, n_epochs=3, n_batches=4)
    assert [fewest(0.25), fewest(0.5)] == pytest.approx([0.5, 1.0])
    many = rate_factor(schedule, n_epochs=5, n_batches=100)
    assert many(0.1) == pytest.approx(1.0)
