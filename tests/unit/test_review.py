"""decisions.csv: a file that grows, and of which the last word counts."""

from dataclasses import replace
from pathlib import Path

import pytest

from imgcls.config.review import Reviewed, append_reviewed, latest, read_reviewed, reopen_reviewed
from imgcls.errors import DataError, UsageError

ROWS = (
    Reviewed("a/1.jpg", "cat", "keep", by="ann"),
    Reviewed('b,"2".jpg', "dog", "relabel", "cat|dog", "ann", "2026-12-01T10:00:00Z", "pets"),
    Reviewed("a/1.jpg", "cat", "exclude", by="ann"),
    Reviewed("a/1.jpg", "cat", "unsure", by="bo"),
)


def test_what_is_written_is_read_and_the_last_word_of_each_person_counts(tmp_path: Path) -> None:
    for row in ROWS:
        append_reviewed(tmp_path / "decisions.csv", row)
    assert read_reviewed(tmp_path / "decisions.csv") == ROWS
    assert latest(ROWS) == (ROWS[2], ROWS[1], ROWS[3])


def test_a_torn_last_row_is_cut_off_by_the_next(tmp_path: Path) -> None:
    file = tmp_path / "decisions.csv"
    append_reviewed(file, ROWS[0])
    file.write_bytes(file.read_bytes() + b'"b,""2')
    append_reviewed(file, ROWS[1])
    assert read_reviewed(file) == ROWS[:2]


def test_a_file_that_was_cut_short_anywhere_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "decisions.csv"
    assert reopen_reviewed(file) == ()
    for row in ROWS[:3]:
        append_reviewed(file, row)
    content = file.read_bytes()
    for end in range(len(content) + 1):
        file.write_bytes(content[:end])
        kept = reopen_reviewed(file)
        assert [replace(row, data="") for row in kept] == [replace(row, data="") for row in ROWS[: len(kept)]]
        assert len(kept) >= content[:end].count(b"\n") - 1
        assert {row.data for row in kept} <= {"", "pets"}
        append_reviewed(file, ROWS[3])
        assert read_reviewed(file) == (*kept, ROWS[3])


def test_a_row_that_was_typed_without_an_end_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "decisions.csv"
    append_reviewed(file, ROWS[0])
    file.write_bytes(file.read_bytes() + b"b.jpg,dog,keep,,ann,,")
    assert reopen_reviewed(file) == (ROWS[0], Reviewed("b.jpg", "dog", "keep", by="ann"))


@pytest.mark.parametrize(
    "content",
    [
        b"image;label;decision;new_label;by;at;data\nb;cat;keep;;;;\n",
        b"image,decision\nb,keep\n",
        "image,label,decision,new_label,by,at,data\nGr\u00fcn,cat,keep,,,,\n".encode("cp1252"),
        "image,label,decision,new_label,by,at,data\nb,cat,keep,,,,\n".encode("utf-16"),
        b"to do: buy milk",
    ],
)
def test_no_row_is_added_to_a_file_of_another_form(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "decisions.csv"
    file.write_bytes(content)
    with pytest.raises(DataError, match="--to"):
        reopen_reviewed(file)
    assert file.read_bytes() == content


@pytest.mark.parametrize(("decision", "new"), [("relabel", ""), ("keep", "dog"), ("yes", "")])
def test_rows_that_say_nothing_are_named(tmp_path: Path, decision: str, new: str) -> None:
    with pytest.raises(UsageError):
        Reviewed("a", "cat", decision, new)  # type: ignore[arg-type]
    file = tmp_path / "decisions.csv"
    file.write_text(f"image,label,decision,new_label\nb,cat,keep,\na,cat,{decision},{new}\n")
    with pytest.raises(DataError, match="line 3"):
        read_reviewed(file)
    file.write_text("image,label\na,cat\n")
    with pytest.raises(DataError, match="decision"):
        read_reviewed(file)


@pytest.mark.parametrize(("encoding", "delimiter"), [("utf-8-sig", ";"), ("utf-16", "\t"), ("cp1252", ";")])
def test_a_spreadsheet_may_write_it_again(tmp_path: Path, encoding: str, delimiter: str) -> None:
    file = tmp_path / "decisions.csv"
    rows = [["image", "label", "decision", "new_label"], ["Grün/é.jpg", "Äpfel", " keep ", ""]]
    file.write_bytes("\r\n".join(delimiter.join(row) for row in [*rows, [""] * 4]).encode(encoding))
    assert read_reviewed(file) == (Reviewed("Grün/é.jpg", "Äpfel", "keep"),)
