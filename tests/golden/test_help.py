"""What commands there are and what they say of themselves; names are promises, words may become better."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import imgcls as package
from imgcls.cli.app import imgcls

Command = Callable[..., Any]

READ = (
    "--data --images --label --id --group --split --delimiter --stretch --test --type --split-seed --valid "
    "--test-share --label-from --group-from --exclude --header --spelling --missing"
)
PLAN = "--epochs --size --batch-size --model --weights --set"
TRAIN = f"{READ} --verify --strict {PLAN} --device --workers --precision --from-start --out --json"
LOOK = f"--metadata --quick --strict --no-images --map {READ} --verify --out --json"
LADDER = f"--seeds --folds --metric --smallest-gain --budget --executor --retries --retry-failed --name {TRAIN}"
TOGETHER = LADDER.replace("--name", "--name --ensemble")
OPTIONS = {
    "imgcls": "--version --debug",
    "imgcls blend": "--by --metric --smallest-gain --all-data --out --json",
    "imgcls cache": "",
    "imgcls cache clear": "",
    "imgcls cache show": "--json",
    "imgcls checklist": "--lang --stage --verify --strict --out --json",
    "imgcls checklist skip": "--why --out",
    "imgcls checklist unskip": "--out",
    "imgcls compare": "--metric --smallest-gain --images --out --json",
    "imgcls decide": "--recall --precision --cost --f1 --reject --to --strict --out --json",
    "imgcls doctor": "--json",
    "imgcls eda": LOOK,
    "imgcls eda apply": "--out --json",
    "imgcls eda augment": f"--n --classes --to --seed --size --set {READ} --verify --out --json",
    "imgcls eda keep": "--why --out --json",
    "imgcls eda look": LOOK,
    "imgcls eda undo": "--out --json",
    "imgcls explain": "-o --output --class --layer --device --out --json",
    "imgcls init": "--title --goal --background --metric --sample-submission --metadata "
    f"{READ} --strict -y --yes --force --out --json",
    "imgcls ladder": "",
    "imgcls ladder ablate": TOGETHER,
    "imgcls ladder climb": LADDER,
    "imgcls ladder final": "--out --json",
    "imgcls ladder list": "--out --json",
    "imgcls ladder run": TOGETHER,
    "imgcls ladder show": "--images --out --json",
    "imgcls ladder status": "--out --json",
    "imgcls models": "--most --time --size --json",
    "imgcls predict": "--images --id --format --json -o --output --raw --strict --decision --device --out",
    "imgcls recipe": "",
    "imgcls recipe copy": "--force",
    "imgcls recipe list": "--json",
    "imgcls recipe run": f"--seed --folds --all-data --seeds --quick --again {TRAIN}",
    "imgcls recipe show": "--learner --out --json",
    "imgcls report": "--to --format --no-images --heat-maps --out --json",
    "imgcls review": "--all --class --to --by --port --out --json",
    "imgcls runs": "",
    "imgcls runs list": "--out --json",
    "imgcls runs map": f"--no-images --features {READ} --verify --device --out --json",
    "imgcls runs rm": "--yes --out",
    "imgcls runs show": "--verify --metric --reliability --out --json",
    "imgcls runs suspects": "--out --json",
    "imgcls runs views": f"--views --kind --metric --smallest-gain {READ} --verify --device --out --json",
    "imgcls submit": "--to --sample --probabilities --classes --force --strict --decision --out --json",
}


def test_messages_name_options_that_there_are() -> None:
    """Of any command; those of pip are named as its own."""
    known = {option for options in OPTIONS.values() for option in options.split()} | {"--help"}
    root = Path(package.__file__).parent
    found = {
        (option, path.name)
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for option in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", re.sub(r"pip install.*", "", node.value))
    }
    assert {entry for entry in found if entry[0] not in known} == set()


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
    names = {name: " ".join(re.findall(r"-[a-z-][a-z0-9-]*", " ".join(lines))) for name, lines in listed.items()}
    assert names == {name: f"{options} -h --help".strip() for name, options in OPTIONS.items()}


def test_every_command_explains_itself(snapshot, found: dict[str, str]) -> None:
    assert found == snapshot
