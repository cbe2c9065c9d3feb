"""Every example runs on drawn photographs, and says what it promises."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from imgcls.catalog import check_card, find_recipe
from imgcls.records.find import find_runs
from imgcls.workspace import Workspace

pytestmark = pytest.mark.train

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def run_example(
    photo_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Run an example as a person would, in the quick way on drawn photographs, and give what it printed."""

    def call(name: str, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", [name, *(arguments or (str(photo_folder), "--quick"))])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return call


def test_three_lines_leave_a_record_with_an_interval(run_example: Callable[..., str]) -> None:
    printed = run_example("three_lines.py")
    (run,) = find_runs(Workspace.find(None))[0]
    score = run.metrics["accuracy"]
    assert run.stack == "baseline+augmentation"
    assert f"accuracy {score.value:.3f}, 95 % interval {score.low:.3f} to {score.high:.3f}" in printed
    assert str(run.folder) in printed


def test_the_engine_warns_of_nothing_that_its_user_cannot_help() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "default::FutureWarning", "-c", "import imgcls; imgcls.train"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "torch.jit" not in done.stderr


def test_an_own_recipe_is_stacked_by_its_path(run_example: Callable[..., str]) -> None:
    printed = run_example("own_recipe.py")
    (run,) = find_runs(Workspace.find(None))[0]
    assert "fit.clip_norm: None becomes 0.5" in printed
    assert run.plan["fit"]["clip_norm"] == 0.5


def test_the_own_recipe_has_a_complete_card() -> None:
    recipe = find_recipe(str(EXAMPLES / "clip_gradients.py"))
    assert check_card(recipe) == []
    assert recipe.card.changes == ("fit.clip_norm",)


def test_a_learner_goes_on_with_fastai(run_example: Callable[..., str]) -> None:
    printed = run_example("go_on_with_fastai.py")
    found = re.search(r"found a rate of (\S+); validation loss (\S+), accuracy (\S+)", printed)
    assert found is not None
    rate, loss, accuracy = map(float, found.groups())
    assert 1e-7 < rate < 10
    assert loss > 0
    assert 0 <= accuracy <= 1
    assert not Path("runs").exists()


def test_recipes_go_on_a_learner_of_fastai(run_example: Callable[..., str]) -> None:
    printed = run_example("recipes_on_a_learner.py")
    assert "TrainLoss" in printed
    assert re.search(r"'wd': 0\.0[,}]", printed), "the last group is biases and norms, which do not decay"


def test_runs_are_drawn(run_example: Callable[..., str], tmp_path: Path) -> None:
    run_example("three_lines.py")
    picture = tmp_path / "runs.png"
    assert f"Wrote {picture}" in run_example("plot_runs.py", ".", str(picture))
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_predictions_of_others_are_judged(run_example: Callable[..., str], tmp_path: Path) -> None:
    rows = [
        f"photo{image},{seed},{recipe},cat,{sure},{1 - sure:.1f}"
        for recipe, sure in (("resnet", 0.9), ("convnext", 0.6))
        for seed in range(2)
        for image in range(8)
    ]
    table = tmp_path / "predictions.csv"
    table.write_text("\n".join(["id,seed,recipe,label,p_cat,p_dog", *rows]), encoding="utf-8")
    printed = run_example("judge_a_csv.py", str(table))
    assert "convnext: +0.0000 [+0.0000, +0.0000] no evidence (identical); 2 and 2 seeds, 8 images" in printed


def test_every_example_is_run_by_a_test() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert [path.name for path in sorted(EXAMPLES.glob("*.py")) if f'"{path.name}"' not in source] == []
