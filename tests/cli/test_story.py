"""From `imgcls init` to `imgcls submit` on real photographs, by the commands that the checklist shows: 28 of 28."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

DATA = Path(os.environ.get("IMGCLS_TEST_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
GARMENTS, FRUIT = DATA / "clothing10", DATA / "apples_pears"
SMALL = ("--model", "simple_cnn", "--size", "32", "--batch-size", "16")
MOST_COMMANDS = 30
"""More than the story takes, so that one that goes round in circles ends."""

pytestmark = pytest.mark.train


@pytest.mark.timeout(900)
def test_the_checklist_leads_from_init_to_28_of_28(imgcls: Callable, one_thread: None) -> None:
    """Nothing is skipped. A person gives title, goal, the settings of the baseline, and the reason why a finding stays.

    The first weights are those of a small network that was trained on photographs of garments.
    """
    if missing := [str(folder) for folder in (GARMENTS, FRUIT) if not folder.is_dir()]:
        pytest.skip(f"no real photographs: {', '.join(missing)} is missing; set IMGCLS_TEST_DATA")

    def items() -> list[dict]:
        return json.loads(imgcls("checklist", "--json").out)["items"]

    def run(*words: object) -> str:
        result = imgcls(*words)
        assert result.code == 0, (words, result.err, result.out)
        return result.out

    before = run("recipe", "run", "baseline", *SMALL, "--epochs", 3, "--data", GARMENTS, "--out", "before", "--json")
    first_weights = Path(json.loads(before)["path"]) / "weights.safetensors"
    run("init", FRUIT, "--title", "Fruit", "--goal", "Tell apples from pears, sort by sort")
    typed = []
    while waiting := [item for item in items() if item["state"] != "done"]:
        command = next((item["command"] for item in waiting if item["command"]), None)
        assert command is not None, waiting
        assert command not in typed, (command, waiting[0])
        assert len(typed) < MOST_COMMANDS, typed
        typed.append(command)
        mine = (*SMALL, "--epochs", 5, "--weights", first_weights) if command == "imgcls recipe run baseline" else ()
        run(*shlex.split(command)[1:], *mine)
    assert [item["id"] for item in items() if item["state"] == "done"] == [item["id"] for item in items()]
    assert imgcls("checklist").out.startswith("Checklist: 28 of 28 done")
    assert any(" --all-data " in command for command in typed)
    run("submit")  # the network that all the data trained, which a ladder's stack stands behind
    assert len(pd.read_csv(next(Path("submissions").glob("*-all-*.csv")))) == 200
    run("eda", "keep", "drift:test", "--why", "It was taken in another shop")
    run("checklist", "--strict")
