"""The tutorial: its commands and options exist, its blocks are run as written, and what is shown is what they print."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from pathlib import Path
from types import ModuleType

import click
import numpy as np
import pytest
from PIL import Image

from imgcls.cli.app import imgcls

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "docs" / "tutorial.md.in"
TARGET = ROOT / "docs" / "tutorial.md"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    """The module that writes the tutorial."""
    spec = importlib.util.spec_from_file_location("make_tutorial", ROOT / "docs" / "make_tutorial.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def problem_of(command: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let click read a command, down to the last option and argument, and run nothing of it."""
    with monkeypatch.context() as patch:
        patch.setattr(click.Command, "invoke", lambda self, ctx: None)
        try:
            imgcls.main(shlex.split(command, comments=True)[1:], prog_name="imgcls", standalone_mode=False)
        except click.ClickException as problem:
            return problem.format_message()
    return ""


def test_every_command_can_be_read(maker: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = maker.commands_of(SOURCE.read_text(encoding="utf-8"))
    assert len(commands) >= 10
    assert all(command.startswith("imgcls ") for command in commands)
    found = {command: problem_of(command, monkeypatch) for command in commands}
    assert {command: problem for command, problem in found.items() if problem} == {}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("imgcls recipe runn baseline", "No such command 'runn'"),
        ("imgcls recipe run baseline --epoch 3", "No such option"),
        ("imgcls recipe run baseline --epochs many", "Invalid value for '--epochs'"),
        ("imgcls recipe run", "Missing argument"),
        ("imgcls recipe run baseline extra", "unexpected extra argument"),
    ],
)
def test_what_cannot_be_read_is_found(command: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert words in problem_of(command, monkeypatch)


def test_the_tutorial_was_made_from_its_source(maker: ModuleType) -> None:
    if not TARGET.is_file():
        pytest.skip("docs/tutorial.md is not written yet: run 'make tutorial'")
    text = TARGET.read_text(encoding="utf-8")
    wanted = maker.commands_of(SOURCE.read_text(encoding="utf-8"))
    shown = [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ imgcls ")]
    assert shown == wanted, "run 'make tutorial'"
    assert "workspace:" not in text


def test_blocks_are_run_and_shown_without_places(maker: ModuleType, tmp_path: Path) -> None:
    place = maker.Place(tmp_path)
    source = "Before.\n\n```console head=1\n$ imgcls --help\n```\n\n```console exit=2\n$ imgcls submit\n```\n"
    text = maker.written(source, place)
    assert text.startswith("Before.\n\n```console\n$ imgcls --help\nUsage: imgcls [OPTIONS] COMMAND [ARGS]...\n… ")
    assert text.endswith("$ imgcls submit\n```\n")
    assert place._scrubbed(f"{tmp_path}/solar/runs") == "…/solar/runs"


def test_another_exit_code_stops_it(maker: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(maker.TutorialError, match="ended with 2"):
        maker.written("```console\n$ imgcls submit\n```\n", maker.Place(tmp_path))


@pytest.mark.parametrize("block", ["```console lines=3\n$ imgcls runs\n```", "```console\nimgcls runs\n```"])
def test_a_block_that_says_nothing_known_is_refused(maker: ModuleType, block: str) -> None:
    with pytest.raises(maker.TutorialError, match="A block says"):
        maker.commands_of(f"{block}\n")


def test_pictures_are_made_small(maker: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maker, "DOCS", tmp_path / "docs")
    monkeypatch.setattr(maker, "PICTURES", tmp_path / "docs" / "pictures")
    place = maker.Place(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8)
    Image.fromarray(noise).save(place.workspace / "noise.png")
    assert maker.written("![noise](workspace:noise.png)\n", place) == "![noise](pictures/noise.png)\n"
    assert (tmp_path / "docs" / "pictures" / "noise.png").stat().st_size <= maker.MOST_PICTURE_BYTES
