"""Tests of softened and averaged probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgcls.errors import UsageError
from imgcls.predictions.smoothing import smooth


def test_only_nearly_certain_rows_are_softened() -> None:
    given = np.array([[1.0, 0.0, 0.0], [0.99, 0.01, 0.0], [0.0, 0.9995, 0.0005]])
    got = smooth(given, alpha=0.03, threshold=0.999, problem="multiclass")
    np.testing.assert_allclose(got, [[0.98, 0.01, 0.01], [0.99, 0.01, 0.0], [0.01, 0.979515, 0.010485]])
    assert given[0, 0] == 1.0


def test_single_labels_are_softened_on_both_sides() -> None:
    got = smooth([[1.0, 0.0, 0.7]], alpha=0.1, threshold=0.9, problem="multilabel")
    np.testing.assert_allclose(got, [[0.95, 0.05, 0.7]])


def test_the_threshold_itself_is_not_above_it() -> None:
    np.testing.assert_array_equal(smooth([[0.75, 0.25]], alpha=0.1, threshold=0.75, problem="binary"), [[0.75, 0.25]])


def test_no_images_give_no_probabilities() -> None:
    assert smooth(np.zeros((0, 3)), problem="multiclass").shape == (0, 3)


@given(
    st.lists(st.lists(st.floats(1e-9, 1.0), min_size=3, max_size=3), min_size=1, max_size=5),
    st.floats(0, 0.5),
    st.floats(0.5, 1),
)
def test_rows_sum_to_one_and_classes_stay(rows: list[list[float]], alpha: float, threshold: float) -> None:
    values = np.array(rows) / np.sum(rows, axis=1, keepdims=True)
    values = np.minimum(values, 1)
    got = smooth(values, alpha=alpha, threshold=threshold, problem="multiclass")
    np.testing.assert_allclose(got.sum(axis=1), 1)
    np.testing.assert_array_equal(got.argmax(axis=1), values.argmax(axis=1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -0.1}, "alpha"),
        ({"alpha": 0.6}, "alpha"),
        ({"alpha": float("nan")}, "alpha"),
        ({"threshold": 0.4}, "threshold"),
        ({"threshold": 1.1}, "threshold"),
        ({"problem": "regression"}, "problem"),
        ({"probabilities": [0.5, 0.5]}, "shape"),
        ({"probabilities": [[1.5, -0.5]]}, r"\[0, 1\]"),
        ({"probabilities": [[np.nan, 0.5]]}, "finite"),
    ],
)
def test_what_is_out_of_range_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        smooth(**({"probabilities": [[0.5, 0.5]], "problem": "binary"} | options))
