"""What a review decided becomes part of the data, and can be taken back; who trains and validates does not change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from imgcls.config.findings import decided_samples, read_adjustments
from imgcls.config.review import Reviewed, append_reviewed
from imgcls.data.samples import Samples
from imgcls.data.source import DataSource
from imgcls.data.split import Fold, fold_samples, split_samples
from imgcls.eda.apply import undo_findings
from imgcls.eda.review import apply_review
from imgcls.eda.scan import scan_data
from imgcls.engine.progress import Silent
from imgcls.errors import DataError, ProblemError, UsageError
from imgcls.plan import Images
from imgcls.records.derived import data_of, take_fingerprint
from imgcls.workspace import Workspace
from tests.conftest import draw_folder, draw_multilabel, draw_split_folder

Write = Callable[..., Path]


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    """Return a workspace about drawn photographs of cats, dogs and eels."""
    return workspace_about(draw_folder(tmp_path / "pets", {"cat": 12, "dog": 12, "eel": 6}), tmp_path)


def workspace_about(photos: Path, folder: Path, **more: str) -> Workspace:
    lines = [f'{name} = "{value}"' for name, value in more.items()]
    (folder / "imgcls.toml").write_text("\n".join(["schema = 1", "[data]", f'source = "{photos}"', *lines, ""]))
    return Workspace(folder)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write decisions, (image, label, decision, new label) each, to a file of a name."""

    def call(name: str, *rows: tuple[str, ...], by: str = "", data: str = "") -> Path:
        for image, label, decision, *new in rows:
            row = Reviewed(image, label, decision, *(new or [""]), by=by, data=data)  # type: ignore[arg-type]
            append_reviewed(tmp_path / f"{name}.csv", row)
        return tmp_path / f"{name}.csv"

    return call


def samples(place: Workspace, seed: int = 0) -> Samples:
    return split_samples(read(place), seed=seed)


def read(place: Workspace) -> Samples:
    (source,) = ((place.root / "imgcls.toml").read_text().split('"')[1],)
    return decided_samples(DataSource(Path(source)), place.root / "findings.toml")


def labels(found: Samples) -> dict[str, str]:
    return dict(zip(found.frame["id"], found.frame["label"], strict=True))


def splits(found: Samples) -> dict[str, str]:
    return dict(zip(found.frame["id"], found.frame["split"], strict=True))


EELS = [f"eel/{number:03d}.{'png' if number % 2 else 'jpg'}" for number in range(6)]
DECIDED = (
    ("cat/000.jpg", "cat", "relabel", "dog"),
    ("cat/001.png", "cat", "exclude"),
    ("dog/000.jpg", "dog", "keep"),
    ("dog/002.jpg", "dog", "unsure"),
)


@pytest.mark.parametrize("seed", range(3))
def test_labels_change_and_come_back_and_the_parts_stay_who_they_were(
    place: Workspace, write: Write, seed: int
) -> None:
    before = samples(place, seed)
    fold = fold_samples(read(place), Fold(1, 3), seed=seed)
    applied = apply_review([write("decisions", *DECIDED)], place)
    assert (applied.n_relabelled, applied.n_excluded, applied.n_kept, applied.n_unsure) == (1, 1, 1, 1)
    assert applied.is_whole
    after = samples(place, seed)
    expected = {**labels(before), "cat/000.jpg": "dog"}
    del expected["cat/001.png"]
    assert labels(after) == expected
    assert splits(after).items() <= splits(before).items()
    assert splits(fold_samples(read(place), Fold(1, 3), seed=seed)).items() <= splits(fold).items()
    assert [entry.reason for entry in after.excluded] == ["review: said by decisions"]
    assert after.data_digest != before.data_digest
    undone = undo_findings(["review"], place)
    assert (undone.n_relabelled, undone.n_excluded) == (1, 1)
    again = samples(place, seed)
    assert (again.data_digest, again.split_digest) == (before.data_digest, before.split_digest)


def test_the_same_file_changes_nothing_and_one_that_grew_replaces_what_it_said(place: Workspace, write: Write) -> None:
    file = write("decisions", *DECIDED)
    apply_review([file], place)
    first = (place.root / "findings.toml").read_bytes()
    apply_review([file], place)
    assert (place.root / "findings.toml").read_bytes() == first
    write("decisions", ("cat/000.jpg", "dog", "relabel", "eel"), ("cat/001.png", "cat", "unsure"))
    apply_review([file], place)
    found = labels(samples(place))
    assert (found["cat/000.jpg"], found["cat/001.png"]) == ("eel", "cat")
    other = write("others", ("dog/004.jpg", "dog", "exclude"))
    apply_review([other], place)
    assert "dog/004.jpg" not in labels(samples(place))
    assert labels(samples(place))["cat/000.jpg"] == "eel"  # what was said of others stays
    write("others", ("cat/000.jpg", "eel", "relabel", "cat"))
    apply_review([other], place)
    assert labels(samples(place))["cat/000.jpg"] == "cat"
    assert "cat/000.jpg" in read_adjustments(place.root / "findings.toml").looked_at


def test_where_people_disagree_nothing_is_applied_and_it_is_listed(place: Workspace, write: Write) -> None:
    files = [
        write("one", ("cat/000.jpg", "cat", "relabel", "dog"), ("cat/002.jpg", "cat", "relabel", "dog"), by="ann"),
        write("two", ("cat/000.jpg", "cat", "keep"), ("cat/002.jpg", "cat", "unsure"), ("dog/000.jpg", "dog", "keep")),
    ]
    applied = apply_review(files, place)
    assert [(one.image, dict(one.said)) for one in applied.disagreements] == [
        ("cat/000.jpg", {"ann": "dog", "two": "cat"})
    ]
    assert not applied.is_whole
    found = labels(samples(place))
    assert (found["cat/000.jpg"], found["cat/002.jpg"]) == ("cat", "dog")


def test_what_the_data_do_not_have_or_have_sealed_is_listed(tmp_path: Path, write: Write) -> None:
    photos = draw_split_folder(tmp_path / "pets", {"train": {"cat": 8, "dog": 8}, "test": {"cat": 3, "dog": 3}})
    place = workspace_about(photos, tmp_path)
    rows = (
        ("gone.jpg", "cat", "exclude"),
        ("test/cat/test000.png", "cat", "relabel", "dog"),
        ("train/cat/train000.png", "dog", "relabel", "cat"),
        ("train/dog/train000.png", "dog", "keep"),
    )
    applied = apply_review([write("decisions", *rows)], place)
    assert (applied.unknown, applied.sealed, applied.stale) == tuple((row[0],) for row in rows[:3])
    assert (applied.n_relabelled, applied.n_kept) == (0, 1)


@pytest.mark.parametrize(
    ("rows", "data", "problem", "message"),
    [
        ((("gone.jpg", "cat", "keep"),), "", UsageError, "of other data"),
        (DECIDED, "birds", UsageError, "'birds'.*'pets'"),
        ((("cat/000.jpg", "cat", "relabel", "dgo"),), "", DataError, "'dgo' is no class.*'dog'"),
        (tuple((image, "eel", "exclude") for image in EELS), "", UsageError, "'eel'"),
        (tuple((image, "eel", "relabel", "cat") for image in EELS), "", UsageError, "'eel'"),
    ],
)
def test_decisions_that_cannot_be_meant_are_refused_whole(
    place: Workspace, write: Write, rows: tuple[tuple[str, ...], ...], data: str, problem: type[Exception], message: str
) -> None:
    with pytest.raises(problem, match=message):
        apply_review([write("decisions", *rows, data=data)], place)
    assert not (place.root / "findings.toml").exists()


def test_a_label_that_changed_in_the_data_is_not_changed_again(place: Workspace, write: Write) -> None:
    apply_review([write("decisions", DECIDED[0])], place)
    findings = place.root / "findings.toml"
    findings.write_text(findings.read_text().replace('was = "cat"', 'was = "eel"'))
    assert labels(samples(place))["cat/000.jpg"] == "cat"


def test_several_labels_are_written_as_the_data_write_them(tmp_path: Path, write: Write) -> None:
    table = draw_multilabel(tmp_path / "many")
    place = workspace_about(table, tmp_path)
    found = labels(read(place))
    image, label = next((image, label) for image, label in found.items() if "|" not in label)
    classes = read(place).classes
    turned = "|".join(reversed(classes))
    apply_review([write("decisions", (image, label, "relabel", turned))], place)
    assert labels(samples(place))[image] == "|".join(classes)
    assert label != "|".join(classes)


def test_a_label_that_the_data_do_not_know_is_refused_before_anything_trains(place: Workspace, write: Write) -> None:
    apply_review([write("decisions", DECIDED[0])], place)
    findings = place.root / "findings.toml"
    findings.write_text(findings.read_text().replace('label = "dog"', 'label = "dgo"'))
    with pytest.raises(ProblemError, match=r"'dgo', which is no class of 'pets'.*'dog'.*eda undo review"):
        read(place)


def test_it_is_said_where_the_data_have_another_label_since(place: Workspace, write: Write) -> None:
    apply_review([write("decisions", DECIDED[0])], place)
    photo = place.root / "pets" / "cat" / "000.jpg"
    assert not any("does not relabel" in note for note in read(place).notes)
    findings = place.root / "findings.toml"
    findings.write_text(findings.read_text().replace('was = "cat"', 'was = "eel"'))
    assert any("does not relabel 1 samples" in note and "cat/000.jpg" in note for note in read(place).notes)
    photo.unlink()
    assert not any("does not relabel" in note for note in read(place).notes)


def test_labels_and_exclusions_make_other_data_until_they_are_taken_back(place: Workspace, write: Write) -> None:
    def key() -> str:
        look = take_fingerprint(data_of(place), place)
        assert look is not None
        return look.key

    found = [key()]
    for rows in (DECIDED[0], DECIDED[1]):
        apply_review([write(f"about {len(found)}", rows)], place)
        found.append(key())
    assert len(set(found)) == 3
    apply_review([write("kept", DECIDED[2])], place)
    assert key() == found[2]  # a label that was found right makes no other data
    undo_findings(["review"], place)
    assert key() == found[0]


def test_data_are_looked_at_without_what_a_review_leaves_out(place: Workspace, write: Write) -> None:
    apply_review([write("decisions", *DECIDED)], place)
    source = replace(data_of(place), findings=place.root / "findings.toml")
    seen = scan_data(source, Images(size_px=32), quick=False, reporter=Silent())
    frame = seen.scan.samples.frame
    assert len(seen.given) == len(frame) == 29
    assert dict(zip(frame["id"], frame["label"], strict=True)) == labels(samples(place))


def test_two_files_of_one_name_are_two_people(place: Workspace, write: Write) -> None:
    files = []
    for folder, said in (("ann", ("relabel", "dog")), ("bo", ("keep",))):
        (place.root / folder).mkdir()
        files.append(write(f"{folder}/decisions", ("cat/000.jpg", "cat", *said)))
    applied = apply_review(files, place)
    assert [dict(one.said) for one in applied.disagreements] == [{"ann/decisions": "dog", "bo/decisions": "cat"}]


def test_nobody_knows_which_data_are_meant(tmp_path: Path, write: Write) -> None:
    with pytest.raises(UsageError, match="imgcls init"):
        apply_review([write("decisions", *DECIDED)], Workspace(tmp_path))
