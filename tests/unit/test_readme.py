"""What the README and the guides tell people to type exists."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from imgcls.cli.app import imgcls
from imgcls.reports.readme import with_recipe_table

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
TEXTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(imgcls [^`]+)`")


def blocks(text: str, *languages: str) -> list[str]:
    return [body for language, body in BLOCK.findall(text) if language in languages]


def commands(text: str) -> Iterator[str]:
    """Give every `imgcls …` command of blocks and of running text."""
    for body in blocks(text, "bash", "sh", "console"):
        for line in body.replace("\\\n", " ").splitlines():
            for part in line.removeprefix("$ ").split("&&"):
                if part.strip().startswith("imgcls "):
                    yield part.strip()
    yield from INLINE.findall(BLOCK.sub("", text))


def problem_of(command: str) -> str:
    """Say what is wrong with a command; options and names are looked up, nothing is run."""
    words = shlex.split(command, comments=True)[1:]
    found: click.Command = imgcls
    with click.Context(imgcls, info_name="imgcls") as context:
        while isinstance(found, click.Group) and words:
            if words[0].startswith("-"):
                break
            below = found.get_command(context, words[0])
            if below is None:
                return f"there is no command {words[0]!r}"
            found, words = below, words[1:]
        known = {name for parameter in found.get_params(context) for name in parameter.opts}
    given = [word.partition("=")[0] for word in words if word.startswith("-") and word != "-"]
    unknown = [option for option in given if option not in known]
    return f"there is no option {unknown[0]}" if unknown else ""


def test_the_recipe_table_is_that_of_the_cards() -> None:
    text = README.read_text(encoding="utf-8")
    assert text == with_recipe_table(text), "run 'make readme'"


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_python_parses(path: Path) -> None:
    for body in blocks(path.read_text(encoding="utf-8"), "python"):
        assert isinstance(ast.parse(body), ast.Module)  # what is no Python raises


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_commands_and_options_exist(path: Path) -> None:
    found = {command: problem_of(command) for command in commands(path.read_text(encoding="utf-8"))}
    assert {command: problem for command, problem in found.items() if problem} == {}


def test_the_readme_has_commands() -> None:
    assert len(list(commands(README.read_text(encoding="utf-8")))) > 10


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("imgcls recipe runn baseline", "there is no command 'runn'"),
        ("imgcls recipe run baseline --epoch 3", "there is no option --epoch"),
        ("imgcls recipe run baseline --epochs 3  # more", ""),
    ],
)
def test_what_does_not_exist_is_found(command: str, problem: str) -> None:
    assert problem_of(command) == problem
