"""The field's words: what people read uses the word they would search for, never a private one.

The glossary of docs/README.md says what the words mean. This test refuses the words that used to stand in their place.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs" / "README.md"
WORDS = {
    r"anew": "again",
    r"mend(?:s|ed|ing)?": "fix",
    r"luck(?:y|ier|iest|ily)?": "chance, seed variance or sampling variance",
    r"strangers?": "non-duplicates",
    r"giveaways?|(?:gives?|giving) the label away": "leakage",
    r"in the middle": "median",
    r"how sure|surest|% sure|(?<!make )sure that": "confidence",
    r"odd ones?|oddest|odd images?": "outliers",
    r"trials?": "quick run, or verdict entry",
    r"told(?! apart\b)": "reported, known, guessed or given",
    r"interim looks?|repeated looks?|\d looks": "interim analyses",
    r"could have seen": "could find",
}
"""From what is not said to the word of the field."""
LITERAL = {
    "docs/guide/data.md": ("copies-are-told-from-strangers",),  # the name of a file
    "docs/guide/statistics.md": ("n_looks",),
}
"""Places where such a word is meant literally."""
TEXTS = [
    *(path for path in sorted(ROOT.glob("*.md"))),
    *(path for path in sorted((ROOT / "docs").rglob("*.md*")) if "decisions" not in path.parts),
    *sorted((ROOT / "imgcls").rglob("*.j2")),
    *sorted((ROOT / "imgcls").rglob("*.toml")),
]
MODULES = [
    path for name in ("imgcls", "recipes", "benchmarks", "examples") for path in sorted((ROOT / name).rglob("*.py"))
]


def sentences(path: Path) -> Iterator[tuple[int, str]]:
    """Return the lines of a text, or of a module what people read: docstrings, help texts and messages.

    Names and JSON keys hold no blank, so they are not among them.
    """
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield from enumerate(
            re.sub(r"\{[%{].*?[%}]\}", lambda match: "\n" * match[0].count("\n"), text, flags=re.DOTALL).splitlines(),
            start=1,
        )
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            for place, line in enumerate(node.value.splitlines()):
                yield node.lineno + place, line


def private_words(path: Path) -> list[str]:
    """Return every place where a private word stands, with the right one."""
    name, found = path.relative_to(ROOT).as_posix(), []
    for number, line in sentences(path):
        for literal in LITERAL.get(name, ()):
            line = line.replace(literal, "")
        for word, right in WORDS.items():
            if match := re.search(rf"(?<![\w`-])(?:{word})(?![\w`])", line, flags=re.IGNORECASE):
                found.append(f"{name}:{number}: {match[0]!r} → {right}: {line.strip()}")
    return found


@pytest.mark.parametrize("path", [*TEXTS, *MODULES], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_people_read_the_words_of_the_field(path: Path) -> None:
    assert private_words(path) == []


def test_what_is_searched_is_there() -> None:
    assert len(TEXTS) > 20
    assert len(MODULES) > 100


@pytest.mark.parametrize("line", ["Trained anew.", "the luck of seeds", "How sure is that?", "cannot be told"])
def test_a_private_word_is_found(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(f"{line}\nTwo classes are told apart.\n", encoding="utf-8")
    assert len(private_words(page)) == 1


@pytest.mark.parametrize(
    "word",
    [
        "median",
        "confidence",
        "leakage",
        "outlier",
        "duplicate",
        "verdict",
        "seed variance",
        "sampling variance",
        "interim analysis",
        "quick run",
    ],
)
def test_the_glossary_explains_the_words(word: str) -> None:
    _, _, glossary = GLOSSARY.read_text(encoding="utf-8").partition("## Words")
    assert re.search(rf"\b{word}\b", glossary), f"{word} is missing in the glossary"
