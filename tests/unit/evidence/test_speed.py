"""A whole ladder is judged while one looks at it."""

from __future__ import annotations

import itertools
import time

import numpy as np

from imgcls.evidence.gains import measure
from imgcls.evidence.verdicts import contributed, judge


def test_ten_rungs_of_eight_seeds_are_judged_in_two_seconds() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(10, size=10_000)
    logits = random.normal(size=(8, 10_000, 10)).astype(np.float32)
    values = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)

    def seconds() -> float:
        began = time.process_time()
        rungs = [contributed("accuracy", values, labels, name="values") for _ in range(10)]
        steps = [measure(a, b) for a, b in itertools.pairwise(rungs)]
        direct = [measure(rungs[0], rung) for rung in rungs[1:]]
        assert len(judge(steps) + judge(direct)) == 18
        return time.process_time() - began

    assert min(seconds() for _ in range(3)) < 2
