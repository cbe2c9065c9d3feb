"""Predictions take the form of the sample: its columns, its ids, its order; what does not fit is told."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from imgcls.data.tables import Table, read_table
from imgcls.errors import DataError, UsageError
from imgcls.predictions.submission import Predicted, make_submission
from imgcls.records.run import LostTest

BINARY = Predicted(["a.png", "b.png"], np.array([[0.9, 0.1], [0.25, 0.75]]), ("cat", "dog"), "binary")
SEVERAL = Predicted(
    ["a.png", "b.png"], np.array([[0.9, 0.1, 0.6], [0.2, 0.3, 0.4]]), ("red", "green", "blue"), "multilabel"
)
THREE = Predicted(["a.png", "b.png"], np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]]), ("x", "y", "z"), "multiclass")


def sample_of(**columns: list[str]) -> Table:
    n_rows = len(next(iter(columns.values())))
    return Table("sample.csv", columns, list(range(2, n_rows + 2)), "line")


def test_without_a_sample_there_are_classes_and_probabilities() -> None:
    made = make_submission(BINARY)
    assert made.columns == {
        "id": ["a.png", "b.png"],
        "label": ["cat", "dog"],
        "p_cat": [0.9, 0.25],
        "p_dog": [0.1, 0.75],
    }
    assert made.holds == "classes and probabilities"
    assert list(make_submission(BINARY, probabilities=True).columns) == ["id", "p_cat", "p_dog"]


def test_the_order_and_the_columns_are_those_of_the_sample() -> None:
    made = make_submission(THREE, sample_of(z=["0", "0"], name=["b.png", "a.png"], x=["0", "0"], y=["0", "0"]))
    assert list(made.columns) == ["z", "name", "x", "y"]
    assert made.columns["name"] == ["b.png", "a.png"]
    assert made.columns["z"] == [0.7, 0.2]
    assert made.holds == "probabilities"


def test_one_column_of_classes_takes_classes() -> None:
    made = make_submission(BINARY, sample_of(id=["b.png", "a.png"], target=["cat", "cat"]))
    assert made.columns == {"id": ["b.png", "a.png"], "target": ["dog", "cat"]}
    asked = make_submission(BINARY, sample_of(id=["b.png", "a.png"], target=["cat", "cat"]), probabilities=True)
    assert (asked.columns["target"], asked.probability_of) == ([0.75, 0.1], "dog")


@pytest.mark.parametrize(("cells", "is_open"), [(["0", "0"], True), (["1", "1"], True), (["0", "1"], False)])
def test_a_sample_of_one_number_leaves_open_what_it_takes(cells: list[str], is_open: bool) -> None:
    """A competition that is scored by ROC AUC often gives a sample of nothing but 0."""
    predicted = Predicted(["a", "b"], np.array([[0.9, 0.1], [0.25, 0.75]]), ("0", "1"), "binary")
    made = make_submission(predicted, sample_of(id=["a", "b"], target=cells))
    assert (made.columns["target"], made.holds) == (["0", "1"], "classes")
    assert ("--probabilities" in made.note) == is_open
    assert not make_submission(predicted, sample_of(id=["a", "b"], target=cells), probabilities=True).note


def test_ids_that_have_a_folder_before_them_are_those_of_the_sample() -> None:
    """Ids of a test list that are ids of train too have their folder before them; the sample knows nothing of it."""
    predicted = Predicted(
        ["test/1", "test/2", "99"], np.array([[0.9, 0.1], [0.2, 0.8], [0.9, 0.1]]), ("a", "b"), "binary"
    )
    made = make_submission(predicted, sample_of(name=["99", "2", "1"], target=["a", "a", "a"]))
    assert made.columns == {"name": ["99", "2", "1"], "target": ["a", "b", "a"]}


@pytest.mark.parametrize(("column", "values"), [("target", [0.1, 0.75]), ("cat", [0.9, 0.25])])
def test_fractions_take_a_probability(column: str, values: list[float]) -> None:
    made = make_submission(BINARY, sample_of(id=["a.png", "b.png"], **{column: ["0.5", "0.5"]}))
    assert made.columns[column] == values


def test_classes_that_look_like_numbers_stay_classes() -> None:
    digits = Predicted(BINARY.ids, BINARY.probabilities, ("0", "1"), "binary")
    made = make_submission(digits, sample_of(id=["a.png", "b.png"], target=["0", "0"]))
    assert (made.columns["target"], made.holds) == (["0", "1"], "classes")


@pytest.mark.parametrize(
    ("cells", "expected"),
    [(["red", "red"], "red blue"), (["red,green", "blue"], "red,blue"), (["", ""], "red blue")],
)
def test_several_classes_are_joined_as_in_the_sample(cells: list[str], expected: str) -> None:
    made = make_submission(SEVERAL, sample_of(id=["a.png", "b.png"], labels=cells))
    assert made.columns["labels"] == [expected, ""]


@pytest.mark.parametrize("ids", [["test/a.png", "test/b.png"], ["a", "b"], ["images/b.jpg", "images/a.jpg"]])
def test_ids_may_be_written_with_folder_or_without_suffix(ids: list[str]) -> None:
    made = make_submission(BINARY, sample_of(id=ids, target=["cat", "cat"]))
    assert made.columns["id"] == ids
    assert made.columns["target"] == ["cat" if "a" in Path(name).stem else "dog" for name in ids]


def test_ids_that_do_not_match_are_listed() -> None:
    with pytest.raises(DataError, match=r"1 have no prediction: line 3: 'c.png'; 1 predictions have no place: 'b.png'"):
        make_submission(BINARY, sample_of(id=["a.png", "c.png"], target=["cat", "cat"]))
    with pytest.raises(DataError, match=r"2 occur more than once: line 2: 'a.png', line 3: 'a.png'"):
        make_submission(BINARY, sample_of(id=["a.png", "a.png"], target=["cat", "cat"]))


def test_photographs_of_one_name_in_two_folders_are_not_mixed_up() -> None:
    twice = Predicted(["x/a.png", "y/a.png"], BINARY.probabilities, BINARY.classes, "binary")
    assert make_submission(twice, sample_of(id=["y/a.png", "x/a.png"], t=["cat"] * 2)).columns["t"] == ["dog", "cat"]
    with pytest.raises(DataError, match="are not the 2 photographs"):
        make_submission(twice, sample_of(id=["a.png", "a.png"], t=["cat"] * 2))


def test_columns_that_are_no_classes_are_listed() -> None:
    with pytest.raises(DataError, match=r"Missing: 'y', 'z'; no class: 'yy'. Did you mean 'y'"):
        make_submission(THREE, sample_of(id=["a.png", "b.png"], x=["0", "0"], yy=["0", "0"]))
    with pytest.raises(DataError, match="has the column 'id' only"):
        make_submission(THREE, sample_of(id=["a.png", "b.png"]))


def test_values_that_are_no_classes_are_told() -> None:
    with pytest.raises(DataError, match=r"holds '0', '1', none of the classes 'cat', 'dog'"):
        make_submission(BINARY, sample_of(id=["a.png", "b.png"], target=["0", "1"]))


@pytest.mark.parametrize(("asked", "kind", "value"), [(True, UsageError, "x"), (None, DataError, "0.3")])
def test_one_column_cannot_hold_three_probabilities(asked: bool | None, kind: type[Exception], value: str) -> None:
    with pytest.raises(kind, match="cannot hold the probabilities of 3 classes"):
        make_submission(THREE, sample_of(id=["a.png", "b.png"], t=[value, value]), probabilities=asked)


NUMBERED = Predicted(["a.png", "b.png"], BINARY.probabilities, ("0", "1"), "binary")


@pytest.mark.parametrize("predicted", [NUMBERED, BINARY])
@pytest.mark.parametrize("metric", ["roc_auc", "average_precision", "log_loss"])
def test_a_column_of_one_value_takes_what_the_metric_looks_at(predicted: Predicted, metric: str) -> None:
    """Zeros everywhere say nothing: under ROC AUC hard classes would be handed in, and score far below."""
    sample = sample_of(id=["a.png", "b.png"], target=["0", "0"])
    made = make_submission(predicted, sample, metric=metric)
    assert made.columns["target"] == [0.1, 0.75]
    assert made.holds == "probabilities"
    assert "--classes" in made.note


def test_a_column_of_one_value_takes_classes_where_they_decide_and_says_so() -> None:
    sample = sample_of(id=["a.png", "b.png"], target=["0", "0"])
    for asked, metric, why in (
        (None, "accuracy", "--probabilities"),
        (None, None, "--probabilities"),
        (False, "roc_auc", ""),
    ):
        made = make_submission(NUMBERED, sample, probabilities=asked, metric=metric)
        assert (made.columns["target"], made.holds) == (["0", "1"], "classes")
        assert why in made.note
        assert bool(made.note) == bool(why)
    mixed = sample_of(id=["a.png", "b.png"], target=["0", "1"])
    made = make_submission(NUMBERED, mixed, metric="roc_auc")
    assert (made.holds, made.note) == ("classes", "")


def test_what_could_not_be_predicted_has_the_mean_in_its_place() -> None:
    lost = (LostTest("0.png", 0, "truncated"), LostTest("aa.png", 2, "missing"), LostTest("c.png", 4, "truncated"))
    made = make_submission(BINARY.with_lost(lost))
    assert made.columns["id"] == ["0.png", "a.png", "aa.png", "b.png", "c.png"]
    assert made.columns["p_cat"] == [0.575, 0.9, 0.575, 0.25, 0.575]
    assert made.columns["label"][2] == "cat"
    assert dict(made.filled) == {"0.png": "truncated", "aa.png": "missing", "c.png": "truncated"}
    ordered = make_submission(BINARY.with_lost(lost), sample_of(id=["c", "b", "aa", "a", "0"], t=["cat"] * 5))
    assert ordered.columns["t"] == ["cat", "dog", "cat", "cat", "cat"]


def test_a_tiny_probability_is_not_rounded_away() -> None:
    tiny = Predicted(["a"], np.array([[1 - 1e-12, 1e-12]]), ("cat", "dog"), "binary")
    assert make_submission(tiny).columns["p_dog"] == [1e-12]


@pytest.mark.parametrize(
    "name", ["=cmd|' /C calc'!A0", "a,b.png", 'a"b.png', "a\r.png", "a\nb.png", "001", "\u202egnp.a"]
)
def test_any_id_is_written_exactly_as_it_is_and_in_quotes(name: str, tmp_path: Path) -> None:
    one = Predicted([name], BINARY.probabilities[:1], BINARY.classes, "binary")
    text = make_submission(one).as_csv()
    assert list(csv.reader(io.StringIO(text, newline="")))[1][0] == name
    assert text.splitlines()[1].startswith('"')
    (tmp_path / "table.csv").write_text(text, encoding="utf-8", newline="")
    assert read_table(tmp_path / "table.csv").columns["id"] == [name]


@pytest.mark.parametrize("columns", [("photo", "label", "p"), ("label", "p", "photo"), ("p", "photo", "label")])
def test_a_row_for_each_photograph_and_class(columns: tuple[str, ...]) -> None:
    """Whatever the order of columns and rows, and how the ids are written."""
    cells = {
        "photo": ["x/b.png", "x/b.png", "x/a.png", "x/a.png", "x/a.png", "x/b.png"],
        "label": ["z", "x", "y", "x", "z", "y"],
        "p": ["0.5"] * 6,
    }
    made = make_submission(THREE, sample_of(**{name: cells[name] for name in columns}))
    assert list(made.columns) == list(columns)
    assert made.columns["photo"] == cells["photo"]
    assert made.columns["p"] == [0.7, 0.1, 0.3, 0.5, 0.2, 0.2]
    assert (made.holds, made.note, len(made)) == ("probabilities", "", 6)


@pytest.mark.parametrize("joint", ["_", "-", "|", ":", ""])
@pytest.mark.parametrize("suffix", [".png", ""])
def test_photograph_and_class_may_be_joined(joint: str, suffix: str) -> None:
    """In one column of keys, as they stand there."""
    keys = [f"{id_}{suffix}{joint}{name}" for name in ("y", "z", "x") for id_ in ("b", "a")]
    made = make_submission(THREE, sample_of(key=keys, value=["0"] * 6))
    assert made.columns["key"] == keys
    assert made.columns["value"] == [0.2, 0.3, 0.7, 0.2, 0.1, 0.5]


def test_rows_of_decisions_take_decisions() -> None:
    """Where 0 and 1 stand in the sample, or classes are asked for; several labels have several ones."""
    cells = {"id": ["a", "a", "a", "b", "b", "b"], "label": ["red", "green", "blue"] * 2}
    made = make_submission(SEVERAL, sample_of(**cells, value=["0", "1", "0", "0", "0", "1"]))
    assert (made.columns["value"], made.holds) == (["1", "0", "1", "0", "0", "0"], "classes")
    asked = make_submission(SEVERAL, sample_of(**cells, value=["0.1"] * 6), probabilities=False)
    assert asked.columns["value"] == made.columns["value"]
    chances = make_submission(SEVERAL, sample_of(**cells, value=["0", "1"] * 3), probabilities=True)
    assert chances.columns["value"] == [0.9, 0.1, 0.6, 0.2, 0.3, 0.4]


def test_rows_that_are_there_twice_or_ask_for_other_classes_are_no_such_table() -> None:
    """They are told as any sample that does not fit."""
    with pytest.raises(DataError, match="occur more than once"):
        make_submission(THREE, sample_of(id=["a.png", "a.png"], label=["x", "x"], p=["0", "0"]))
    with pytest.raises(DataError, match="occur more than once"):
        make_submission(THREE, sample_of(id=["a.png", "a.png", "b.png", "b.png"], label=["x", "q"] * 2, p=["0"] * 4))


def test_a_sample_with_fewer_rows_takes_what_it_asks_for_and_says_so() -> None:
    """As of a public part of the test; what it has no place for is named."""
    made = make_submission(THREE, sample_of(id=["b.png"], label=["x"]))
    assert made.columns == {"id": ["b.png"], "label": ["z"]}
    assert made.note == "sample.csv does not ask for 1 of 2 predictions, which are left out: 'a.png'."
    rows = make_submission(THREE, sample_of(id=["b"] * 3, label=["x", "y", "z"], p=["0"] * 3))
    assert rows.columns["p"] == [0.1, 0.2, 0.7]
    assert "'a.png'" in rows.note
    with pytest.raises(DataError, match="are not the 2 photographs"):
        make_submission(THREE, sample_of(id=[], label=[]))


def test_only_filled_rows_that_the_sample_asks_for_are_told() -> None:
    """A lost photograph that has no place in it has no row either."""
    lost = THREE.with_lost([LostTest("c.png", 1, "truncated"), LostTest("d.png", 3, "missing")])
    made = make_submission(lost, sample_of(id=["c.png", "b.png"], label=["x", "x"]))
    assert made.filled == {"c.png": "truncated"}
    assert "'a.png', 'd.png'" in made.note
