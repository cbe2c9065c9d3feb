"""imgcls.toml: every fault told at once by its key, comments kept, nothing lost on the way to the disk and back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgcls.config.problem import (
    PROBLEM_TOML,
    Problem,
    ProblemData,
    ProblemSplit,
    edit_problem,
    find_problem,
    metric_of,
    read_problem,
    write_problem,
)
from imgcls.data.source import is_same_source
from imgcls.errors import ProblemError
from imgcls.workspace import MARKER

TEXTS = st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=30)
NAMES = st.text(alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1).filter(
    lambda text: bool(text.strip())
)


def told(path: Path, text: str) -> str:
    """Read a text as a problem, and give what it is refused with."""
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ProblemError) as caught:
        read_problem(path)
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The place of a problem."""
    return tmp_path / PROBLEM_TOML


def test_the_names_of_both_layers_are_the_same() -> None:
    """They cannot import each other."""
    assert PROBLEM_TOML == MARKER


def test_every_fault_is_told_by_key_and_with_the_nearest_name(file: Path) -> None:
    message = told(
        file,
        'schema = 1\ntitel = "x"\nmetric = "acuracy"\ntype = "binari"\n\n[data]\nimage = "a"\nid = 3\n\n[split]\n'
        "fraction = 1.5\nseed = -1\n",
    )
    assert "7 faults" in message
    for words in (
        "there is no key titel. Did you mean 'title'?",
        "metric: There is no metric 'acuracy'.",
        "Did you mean 'accuracy' or 'balanced_accuracy'?",
        "type has to be binary, multiclass or multilabel, not 'binari'. Did you mean 'binary'?",
        "there is no key data.image. Did you mean 'images'?",
        "data.id has to be text in quotes, not 3.",
        "split.fraction has to be below 1, not 1.5.",
        "split.seed has to be at least 0, not -1.",
    ):
        assert words in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("schema = 2\n", "written by a newer imgcls (schema 2"),
        ("title = \n", "line 1, column 9: not TOML"),
        ('title = "a"\ntitle = "b"\n', "not TOML"),
        ("[data\n", "line 1"),
        ("data = 3\n", ": data has to be a table, not 3."),
        ("[data]\nlabel = []\n", "data.label has to be the name of a column, or a list of several names"),
        ('[data]\nid = "  "\n', "data.id has to be text that is not blank"),
        ("[split]\nfraction = nan\n", "split.fraction"),
        ("[split]\nfraction = true\n", "split.fraction has to be a number, not True."),
        ('[skipped]\n"train.loss" = ""\n', "skipped.train.loss"),
        ("x = " + "[" * 5000, "nested too deeply"),
        ("split = {seed = " + "9" * 5000 + "}", "not TOML"),
    ],
)
def test_one_fault_is_one_line(file: Path, text: str, words: str) -> None:
    # libraries that other tests load raise the limit, and then the same text is read to its missing end
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    try:
        message = told(file, text)
    finally:
        sys.setrecursionlimit(limit)
    assert words in message
    assert message.startswith(str(file))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xef\xbb\xbftitle = 'x'\n", "line 1: it begins with a byte order mark"),
        (b"title = 'x'\ngoal = '\xff'\n", "line 2: not UTF-8 (byte 0xff)"),
        (b"\0\0", "not TOML"),
    ],
)
def test_what_is_no_text_is_told(file: Path, content: bytes, words: str) -> None:
    file.write_bytes(content)
    with pytest.raises(ProblemError) as caught:
        read_problem(file)
    assert words in str(caught.value)


def test_a_folder_of_that_name_is_told(file: Path) -> None:
    file.mkdir()
    with pytest.raises(ProblemError, match="not a file"):
        find_problem(file.parent)


def test_a_link_to_nothing_is_told_and_not_taken_for_none(file: Path) -> None:
    file.symlink_to(file.parent / "gone")
    with pytest.raises(ProblemError, match="cannot be read"):
        find_problem(file.parent)


def test_there_need_be_none(tmp_path: Path) -> None:
    assert find_problem(tmp_path) is None
    assert metric_of(tmp_path, "multiclass") == "accuracy"
    write_problem(tmp_path / PROBLEM_TOML, Problem(metric="log_loss"))
    assert metric_of(tmp_path, "multiclass") == "log_loss"


def test_a_change_keeps_comments_order_and_everything_else(file: Path) -> None:
    before = '# mine\nmetric = "accuracy" # why\ntitle = "x"\n\n[data] # here\nsource = "a"\n\n# the end\n'
    file.write_text(before)
    problem = edit_problem(file, {"skipped.train.loss": 'it is "fixed"', "metric": "log_loss", "data.id": None})
    assert (problem.metric, dict(problem.skipped)) == ("log_loss", {"train.loss": 'it is "fixed"'})
    text = file.read_text()
    assert text.startswith('# mine\nmetric = "log_loss" # why\ntitle = "x"\n\n[data] # here\nsource = "a"\n')
    assert "# the end" in text
    edit_problem(file, {"skipped.train.loss": None, "metric": "accuracy"})
    assert read_problem(file) == Problem(metric="accuracy", title="x", data=ProblemData(source="a"))


def test_a_change_that_does_not_fit_leaves_the_file(file: Path) -> None:
    file.write_text('metric = "accuracy"\n')
    with pytest.raises(ProblemError, match=r"metric: There is no metric 'speed'"):
        edit_problem(file, {"metric": "speed"})
    assert file.read_text() == 'metric = "accuracy"\n'


def test_bytes_that_are_no_utf8_cannot_be_written(file: Path) -> None:
    with pytest.raises(ProblemError, match="no UTF-8"):
        write_problem(file, Problem(data=ProblemData(source="a\udcff")))
    assert not file.exists()


@settings(max_examples=150, deadline=None)
@given(
    parts=st.fixed_dictionaries(dict.fromkeys(("title", "goal", "background"), TEXTS)),
    label=st.one_of(st.none(), NAMES, st.lists(NAMES, min_size=2, max_size=4)),
    source=st.one_of(st.none(), NAMES),
    metadata=st.lists(NAMES, max_size=3),
    fraction=st.one_of(st.none(), st.floats(0.001, 0.999)),
    skipped=st.dictionaries(NAMES, NAMES, max_size=3),
)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    parts: dict[str, str],
    label: Any,
    source: str | None,
    metadata: list[str],
    fraction: float | None,
    skipped: dict[str, str],
) -> None:
    """Quotes, control characters, line ends and emoji included."""
    problem = Problem(
        **parts,  # type: ignore[arg-type]
        type="binary",
        metric="macro_f1",
        data=ProblemData(source=source, label=label, metadata=tuple(metadata)),
        split=ProblemSplit(fraction=fraction, seed=7),
        skipped=skipped,
    )
    file = tmp_path_factory.mktemp("problem") / PROBLEM_TOML
    write_problem(file, problem)
    assert read_problem(file) == problem
    assert edit_problem(file, {"metric": "accuracy"}) == problem.model_copy(update={"metric": "accuracy"})


def test_paths_start_from_the_file_or_from_the_data(tmp_path: Path) -> None:
    root, data = tmp_path / "work", tmp_path / "photos"
    (data / "images").mkdir(parents=True)
    (data / "train.csv").write_text("id,label\n")
    root.mkdir()
    (root / "own").mkdir()
    problem = Problem(data=ProblemData(source="../photos/train.csv", images="images", test="own"))
    source = problem.source(root)
    assert Path(str(source.data)).samefile(data / "train.csv")
    assert Path(str(source.images)).samefile(data / "images")
    assert Path(str(source.test)).samefile(root / "own")
    assert Problem(data=ProblemData(source="elpv", test="none")).source(root).data == "elpv"
    assert Problem(data=ProblemData(test="none")).source(root).test == "none"


def test_sources_are_the_same_by_place_or_by_name(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert is_same_source(str(tmp_path / "a"), tmp_path / "a" / ".." / "a")
    assert is_same_source("elpv", "elpv")
    assert not is_same_source("elpv", str(tmp_path / "elpv"))
    assert not is_same_source("torchvision:A", "torchvision:B")
    assert not is_same_source(str(tmp_path), None)
