"""Tests of a number with its interval."""

from __future__ import annotations

import pytest

from imgcls.errors import RecordError, UsageError
from imgcls.records.run import Estimate
from imgcls.schema import from_json


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(0.9123, 0.8841, 0.9339, 512), "0.912 [0.884, 0.934] n=512"),
        (Estimate(0.9123, None, None, 1, "no interval"), "0.912 n=1"),
        (Estimate.missing("only one class is present: a", n=3), "only one class is present: a"),
    ],
)
def test_text_is_what_people_read(estimate: Estimate, text: str) -> None:
    assert str(estimate) == text


def test_json_round_trip() -> None:
    estimate = Estimate(1, 0.5, None, 4, "why")
    assert from_json(Estimate, estimate.to_json(), where="x") == estimate


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_nan_and_infinity_are_refused(number: float) -> None:
    with pytest.raises(UsageError, match="finite"):
        Estimate(0.5, number, 0.6, 3)


def test_every_wrong_field_is_named() -> None:
    value = {"value": "1", "low": True, "high": None, "n": 1.5, "more": 1}
    with pytest.raises(RecordError) as caught:
        from_json(Estimate, value, where="run.json")
    assert all(word in str(caught.value) for word in ("value", "low", "n must", "reason is missing", "more"))
