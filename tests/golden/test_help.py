"""What commands there are and what they say of themselves; names are promises, words may become better."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import click
import pytest

from imgcls.cli.app import imgcls

Command = Callable[..., Any]

READ = "--data --images --label --id --group --split --delimiter --test --type --split-seed --valid"
PLAN = "--epochs --size --batch-size --model --weights --set"
TRAIN = f"{READ} --verify {PLAN} --device --workers --precision --out --json"
LOOK = f"--metadata --quick --strict --no-images {READ} --verify --out --json"
LADDER = f"--seeds --folds --metric --smallest-gain --budget --executor --retries --retry-failed --name {TRAIN}"
OPTIONS = {
    "imgcls": "--version --debug",
    "imgcls cache": "",
    "imgcls cache clear": "",
    "imgcls cache show": "--json",
    "imgcls checklist": "--lang --stage --verify --strict --out --json",
    "imgcls checklist skip": "--why --out",
    "imgcls checklist unskip": "--out",
    "imgcls compare": "--metric --smallest-gain --images --out --json",
    "imgcls doctor": "--json",
    "imgcls eda": LOOK,
    "imgcls eda apply": "--out --json",
    "imgcls eda augment": f"--n --classes --to --seed --size --set {READ} --verify --out --json",
    "imgcls eda keep": "--why --out --json",
    "imgcls eda look": LOOK,
    "imgcls eda undo": "--out --json",
    "imgcls init": "--title --goal --background --metric --sample-submission --metadata "
    f"{READ} -y --yes --force --out --json",
    "imgcls ladder": "",
    "imgcls ladder ablate": LADDER,
    "imgcls ladder final": "--out --json",
    "imgcls ladder list": "--out --json",
    "imgcls ladder run": LADDER,
    "imgcls ladder show": "--images --out --json",
    "imgcls ladder status": "--out --json",
    "imgcls predict": "--images --id --format --json -o --output --strict --device --out",
    "imgcls recipe": "",
    "imgcls recipe copy": "--force",
    "imgcls recipe list": "--json",
    "imgcls recipe run": f"--seed --folds --quick --again {TRAIN}",
    "imgcls recipe show": "--learner --out --json",
    "imgcls report": "--to --format --no-images --out --json",
    "imgcls runs": "",
    "imgcls runs list": "--out --json",
    "imgcls runs rm": "--yes --out",
    "imgcls runs show": "--verify --out --json",
    "imgcls submit": "--to --sample --probabilities --classes --force --strict --out --json",
}


def helps(command: Command, *path: str) -> Iterator[tuple[str, str]]:
    """Yield the help of a command, and of all below it."""
    said = command(*path, "--help")
    assert (said.code, said.err) == (0, "")
    assert command(*path, "-h") == said
    yield " ".join(("imgcls", *path)), said.out
    _, _, listed = said.out.partition("\nCommands:\n")
    for name in re.findall(r"^  ([a-z-]+)(?=  |$)", listed, flags=re.MULTILINE):
        yield from helps(command, *path, name)


def forget_help_options(command: click.Command) -> None:
    """Undo what click keeps: a command's help option as whoever asked first wanted it, other tests without `-h`."""
    command._help_option = None
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            forget_help_options(below)


@pytest.fixture
def found(command: Command, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Collect the help of every command."""
    monkeypatch.setenv("COLUMNS", "100")
    forget_help_options(imgcls)
    return dict(helps(command))


def test_commands_and_options_have_the_names_they_had(found: dict[str, str]) -> None:
    listed = {name: re.findall(r"^  (-.*?)(?:  |$)", text, flags=re.MULTILINE) for name, text in found.items()}
    names = {name: " ".join(re.findall(r"-[a-z-]+", " ".join(lines))) for name, lines in listed.items()}
    assert names == {name: f"{options} -h --help".strip() for name, options in OPTIONS.items()}


def test_every_command_explains_itself(snapshot, found: dict[str, str]) -> None:
    assert found == snapshot
