"""What the README and the guides tell people to type, and where they send them, exists."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from imgcls.cli.app import imgcls
from imgcls.reports.recipes import with_recipe_table

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
RECIPES = ROOT / "docs" / "guide" / "recipes.md"
TEXTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINKING = [*TEXTS, *sorted((ROOT / "benchmarks").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PLACEHOLDER = re.compile(r"'[A-Z]+'")
INLINE = re.compile(r"`(imgcls [^`]+)`")
LINK = re.compile(r"\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def blocks(text: str, *languages: str) -> list[str]:
    return [body for language, body in BLOCK.findall(text) if language in languages]


def commands(text: str) -> Iterator[str]:
    """Return every `imgcls …` command of blocks and of running text."""
    for body in blocks(text, "bash", "sh", "console"):
        for line in body.replace("\\\n", " ").splitlines():
            for part in line.removeprefix("$ ").split("&&"):
                if part.strip().startswith("imgcls "):
                    yield part.strip()
    yield from INLINE.findall(BLOCK.sub("", text))


def anchors(text: str) -> set[str]:
    """Return what `#…` may name in a page: its headings, as hosts of repositories spell them."""
    headings = HEADING.findall(BLOCK.sub("", text))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def leads_somewhere(link: str, path: Path, text: str) -> bool:
    """Return whether a link in a page is an address, a file of the tree, or a heading of such a file."""
    place, _, anchor = link.partition("#")
    if re.match(r"[a-z]+:", place):
        return True
    target = (path.parent / place).resolve() if place else path
    if not (target.exists() and target.is_relative_to(ROOT)):
        return False
    return not anchor or anchor in anchors(text if target == path else target.read_text(encoding="utf-8"))


def broken_links(path: Path, text: str) -> list[str]:
    """Return the links and pictures of a page that lead nowhere."""
    return [link for link in LINK.findall(BLOCK.sub("", text)) if not leads_somewhere(link, path, text)]


def problem_of(command: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let click read a command, down to the last option and value, and run nothing of it.

    Arguments may be missing, and values be capitals that stand for them, since running text names commands so.
    """
    with monkeypatch.context() as patch:
        patch.setattr(click.Command, "invoke", lambda self, ctx: None)
        try:
            imgcls.main(shlex.split(command, comments=True)[1:], prog_name="imgcls", standalone_mode=False)
        except (click.MissingParameter, click.exceptions.NoArgsIsHelpError):
            return ""
        except click.ClickException as problem:
            stands_for_a_value = isinstance(problem, click.BadParameter) and PLACEHOLDER.search(problem.message)
            return "" if stands_for_a_value else problem.format_message()
    return ""


def test_the_recipe_table_is_that_of_the_cards() -> None:
    text = RECIPES.read_text(encoding="utf-8")
    assert text == with_recipe_table(text), "run 'make recipes'"


@pytest.mark.parametrize("path", LINKING, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    assert broken_links(path, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "[a page](docs/guide/recipe.md)",
        "![a picture](pictures/runs.png)",
        "[a heading](docs/guide/data.md#no-such-thing)",
        "# Here\n[a heading](#there)",
        "[outside](../README.md)",
    ],
)
def test_a_link_to_nothing_is_found(text: str) -> None:
    assert len(broken_links(README, text)) == 1


def test_every_page_of_the_guide_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / link).resolve() for link in LINK.findall(index.read_text(encoding="utf-8"))}
    assert [path.name for path in (ROOT / "docs" / "guide").glob("*.md") if path not in linked] == []


def missing_files(text: str) -> set[str]:
    """Return the files of code that a page names and that are not there, neither from the top nor in the package."""
    named = re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.py)`", text)
    return {name for name in named if not any((folder / name).exists() for folder in (ROOT, ROOT / "imgcls"))}


@pytest.mark.parametrize("page", ["docs/guide/architecture.md", "CONTRIBUTING.md", "docs/README.md"])
def test_files_of_code_that_a_page_names_are_there(page: str) -> None:
    assert missing_files((ROOT / page).read_text(encoding="utf-8")) - {"mine.py"} == set()


def test_a_file_of_code_that_is_not_there_is_found() -> None:
    assert missing_files("`engine/run.py` and `engine/job.py`") == {"engine/job.py"}


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_python_parses(path: Path) -> None:
    for body in blocks(path.read_text(encoding="utf-8"), "python"):
        assert isinstance(ast.parse(body), ast.Module)  # what is no Python raises


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_and_options_exist(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {command: problem_of(command, monkeypatch) for command in commands(path.read_text(encoding="utf-8"))}
    assert {command: problem for command, problem in found.items() if problem} == {}


def test_the_readme_has_commands() -> None:
    assert len(list(commands(README.read_text(encoding="utf-8")))) > 10


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("imgcls recipe runn baseline", "No such command 'runn'"),
        ("imgcls recipe run baseline --epoch 3", "No such option"),
        ("imgcls recipe run baseline --epochs many", "Invalid value for '--epochs'"),
        ("imgcls recipe run baseline extra", "unexpected extra argument"),
    ],
)
def test_what_does_not_exist_is_found(command: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert words in problem_of(command, monkeypatch)


@pytest.mark.parametrize("command", ["imgcls recipe run baseline --epochs 3  # more", "imgcls recipe run"])
def test_what_exists_is_let_through(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert problem_of(command, monkeypatch) == ""
