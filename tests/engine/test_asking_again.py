"""What a person is told, and what counts as the same run, when something changed between two commands."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imgcls.engine import device
from imgcls.engine.progress import Silent
from imgcls.errors import DivergedError, PlanError
from imgcls.records.run import RunRecord

pytestmark = pytest.mark.train
Train = Callable[..., RunRecord]


class Listener(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


def test_a_record_of_other_versions_is_reused_and_told(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train(workspace=tmp_path)
    real = device._versions()
    monkeypatch.setattr(device, "_versions", lambda: real | {"torch": "99.0"})
    listener = Listener()
    assert train(workspace=tmp_path, reporter=listener).id == first.id
    assert any(f"torch {real['torch']}, now 99.0" in text for text in listener.said)
    listener = Listener()
    train("tta_flips", workspace=tmp_path, reporter=listener)
    assert any("weights were made under other versions" in text for text in listener.said)


def test_another_source_of_a_named_network_is_another_run(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "my_network.py"
    monkeypatch.syspath_prepend(str(tmp_path))
    text = "from imgcls.engine.models import simple_cnn\n\n\ndef build(n):\n    return simple_cnn(n, width={})\n"
    keys = []
    for width in (4, 8):
        module.write_text(text.format(width))
        sys.modules.pop("my_network", None)
        keys.append(train(base="baseline:model=my_network:build,epochs=1", workspace=tmp_path / "runs here").key)
    assert keys[0] != keys[1]


def test_a_validation_that_explodes_is_named(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "sick_network.py"
    module.write_text(
        "import torch\nfrom torch import nn\n\n\nclass Sick(nn.Module):\n"
        "    def __init__(self, n):\n        super().__init__()\n        self.last = nn.Linear(3, n)\n\n"
        "    def forward(self, x):\n        out = self.last(x.mean((2, 3)))\n"
        "        return out if self.training else out * float('nan')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(DivergedError, match="validation loss became nan in epoch 1"):
        train(base="baseline:model=sick_network:Sick,epochs=1", workspace=tmp_path / "runs here")


@pytest.mark.parametrize("recipes", ["adamw_cosine:warmup_epochs=1", "freeze_backbone:epochs=2", "longer"])
def test_a_trial_fits_every_stack(recipes: str, train: Train, tmp_path: Path) -> None:
    run = train(recipes, base="baseline:model=simple_cnn,epochs=3", workspace=tmp_path, quick=True)
    assert len(run.history()) == 1


def test_freezing_longer_than_training_is_refused(train: Train, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="write all"):
        train("freeze_backbone:epochs=50", workspace=tmp_path)


def test_options_of_a_base_and_flags_that_disagree_are_refused() -> None:
    from imgcls.catalog import Stack
    from imgcls.errors import StackError

    with pytest.raises(StackError, match="set by hand and by 'baseline:epochs=5'"):
        Stack.parse("baseline:epochs=5", {"fit.epochs": 7})
    assert Stack.parse("baseline:epochs=5", {"fit.epochs": 5}).plan.fit.epochs == 5
    assert Stack.parse("baseline", {"fit.epochs": 7}).plan.fit.epochs == 7


def test_a_transform_option_may_be_called_name() -> None:
    from imgcls.plan import Plan

    plan = Plan().with_values({"augment.transforms": [{"HorizontalFlip": {"name": 1}}]})
    assert plan.augment.transforms[0].options == {"name": 1}


def test_what_comes_next_goes_with_the_stack(train: Train, tmp_path: Path) -> None:
    from imgcls.catalog import Stack
    from imgcls.engine.request import RunOutcome
    from imgcls.reports.runs import outcome_view

    for recipes in ("", "adamax", "torchvision_augmentation", "tta_flips", "cosine"):
        record: Any = train(recipes, workspace=tmp_path)
        for command in outcome_view(RunOutcome(record)).next_commands():
            if command.startswith("imgcls recipe run "):
                assert Stack.parse(command.split()[3], record.overrides).plan


def test_a_run_is_found_by_its_stack(train: Train, tmp_path: Path) -> None:
    from imgcls.records.find import find_run
    from imgcls.workspace import Workspace

    plain = train(workspace=tmp_path)
    train("tta_flips", workspace=tmp_path)
    assert find_run(plain.stack, Workspace(tmp_path)).id == plain.id
