"""Shares of samples: equal by class, by the rarest class where there are several."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from fastai.learner import Learner

from imgcls.catalog import Stack
from imgcls.engine.check import check
from imgcls.engine.loaders import Key, sample_shares
from imgcls.errors import PlanError, StackError
from imgcls.plan import Fit, Plan

BALANCED = Fit(sampler="balanced")


def test_every_class_that_there_is_has_the_same_share() -> None:
    targets = np.array([0, 0, 0, 2, 0, 5, 5])  # classes 1, 3 and 4 have no training sample
    shares = sample_shares(BALANCED, targets)
    assert shares is not None
    assert [shares[targets == label].sum() for label in (0, 2, 5)] == pytest.approx([1 / 3] * 3)
    assert sample_shares(Fit(), targets) is None


def test_a_sample_with_several_labels_counts_by_its_rarest() -> None:
    targets = np.array([[1, 0], [1, 0], [1, 1], [0, 0], [0, 0], [1, 0]], dtype=np.float32)
    shares = sample_shares(BALANCED, targets)
    assert shares is not None
    counts = np.array([4, 4, 1, 2, 2, 4])
    assert shares == pytest.approx(1 / counts / (1 / counts).sum())


def test_the_two_ways_to_balance_conflict() -> None:
    with pytest.raises(StackError, match=r"'class_weights' and 'balanced_sampling' conflict"):
        Stack.parse("baseline+class_weights+balanced_sampling")
    with pytest.raises(PlanError, match=r"fit\.sampler and loss\.class_weights are both balanced"):
        check(Plan().with_values({"fit.sampler": "balanced", "loss.class_weights": "balanced"}))


def test_a_sample_shown_again_is_augmented_in_another_way(learner: Callable[..., Learner]) -> None:
    dataset = learner("balanced_sampling+augmentation+random_erasing:probability=1").dls.train.dataset
    shown = dataset.__getitems__([Key(0, 3), Key(0, 3, 1), Key(0, 3, 2), Key(0, 3, 1)])[0]
    assert len({image.tobytes() for image in shown}) == 3
    assert np.array_equal(shown[1], shown[3])
    once = learner("augmentation+random_erasing:probability=1").dls.train.dataset.__getitems__([Key(0, 3)])[0]
    assert np.array_equal(shown[0], once[0])
