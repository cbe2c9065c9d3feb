from __future__ import annotations

import pytest

from imgcls.evidence.gains import spread_of
from imgcls.records.run import Estimate, FoldSpread


def test_mean_and_standard_deviation_of_a_sample() -> None:
    spread = spread_of([{"accuracy": Estimate(value, None, None, 9)} for value in (0.5, 0.75, 1.0)])
    assert spread == {"accuracy": FoldSpread(pytest.approx(0.75), pytest.approx(0.25), 3)}  # type: ignore[arg-type]


def test_folds_without_a_value_are_left_out_and_counted() -> None:
    folds = [{"roc_auc": Estimate(0.5, None, None, 9)}, {"roc_auc": Estimate.missing("only one class", n=9)}]
    assert spread_of(folds) == {"roc_auc": FoldSpread(0.5, None, 1)}
    assert spread_of(folds[1:]) == {"roc_auc": FoldSpread(None, None, 0)}
    assert spread_of([]) == {}
