"""What reading data gave is known again as long as the data look the same, and costs nobody anything if it is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from imgcls.data.samples import Samples, frame_of
from imgcls.records.derived import (
    DATA_JSON,
    MOST_SUMMARIES,
    DatasetSummary,
    Fingerprint,
    find_summary,
    key_of,
    load_summaries,
    save_summary,
    take_fingerprint,
)
from imgcls.workspace import Workspace


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    """Ten samples of two classes: five train, three validate, two are for testing."""
    frame = frame_of(
        ids=[f"{n}.png" for n in range(10)],
        paths=[str(tmp_path / f"{n}.png") for n in range(10)],
        labels=["cat", "dog"] * 5,
        splits=["train"] * 5 + ["valid"] * 3 + ["test"] * 2,
    )
    return Samples(frame, classes=("cat", "dog"), problem="binary", name="pets", root=tmp_path)


@pytest.fixture
def seen(samples: Samples) -> DatasetSummary:
    """What reading those samples gave."""
    return DatasetSummary.of(samples, Fingerprint("k", "f", {}))


def test_samples_are_described_without_the_test_labels(samples: Samples, seen: DatasetSummary) -> None:
    assert (seen.data_digest, seen.split_digest) == (samples.data_digest, samples.split_digest)
    assert seen.n == {"train": 5, "valid": 3, "test": 2, "excluded": 0}
    assert seen.valid_counts == {"cat": 1, "dog": 2}
    assert seen.majority_accuracy == pytest.approx(2 / 3)


def test_in_folds_all_that_is_not_test_validates_and_there_is_no_one_split(samples: Samples) -> None:
    seen = DatasetSummary.of(samples, Fingerprint("k", "f", {}), in_folds=True)
    assert seen.split_digest is None
    assert seen.n == {"train": 0, "valid": 8, "test": 2, "excluded": 0}
    assert seen.valid_counts == {"cat": 4, "dog": 4}


def test_several_labels_are_counted_each(samples: Samples) -> None:
    labels = ["cat|dog", "cat", "|"] * 3 + ["dog"]
    frame = samples.frame.assign(label=pd.Series(labels, dtype=object))
    seen = DatasetSummary.of(replace(samples, frame=frame, problem="multilabel"), Fingerprint("k", "f", {}))
    assert seen.valid_counts == {"cat": 2, "dog": 1}  # |, cat|dog, cat
    assert seen.majority_accuracy == pytest.approx(np.mean([2 / 3, 2 / 3]))


def test_what_is_remembered_is_found(workspace: Workspace, seen: DatasetSummary) -> None:
    assert (load_summaries(workspace), find_summary(workspace, "k")) == ((), None)
    save_summary(workspace, seen)
    other = replace(seen, key="other", split_digest=None)
    save_summary(workspace, other)
    assert load_summaries(workspace) == (seen, other)
    assert find_summary(workspace, "k") == seen
    assert find_summary(workspace, "nothing") is None


def test_the_newest_stay(workspace: Workspace, seen: DatasetSummary) -> None:
    for number in range(MOST_SUMMARIES + 2):
        save_summary(workspace, replace(seen, key=str(number)))
    assert [entry.key for entry in load_summaries(workspace)] == [
        str(number) for number in range(2, MOST_SUMMARIES + 2)
    ]


def test_changed_data_replace_what_was_known_under_the_key(workspace: Workspace, seen: DatasetSummary) -> None:
    save_summary(workspace, seen)
    save_summary(workspace, replace(seen, data_digest="new"))
    assert [entry.data_digest for entry in load_summaries(workspace)] == ["new"]


def test_folds_do_not_forget_the_split(workspace: Workspace, samples: Samples, seen: DatasetSummary) -> None:
    save_summary(workspace, seen)
    in_folds = DatasetSummary.of(samples, Fingerprint("k", "f", {}), in_folds=True)
    save_summary(workspace, in_folds)
    assert load_summaries(workspace) == (seen,)
    save_summary(workspace, replace(in_folds, data_digest="new"))
    assert load_summaries(workspace)[0].split_digest is None


def test_what_is_known_is_not_written_again(workspace: Workspace, seen: DatasetSummary) -> None:
    save_summary(workspace, seen)
    before = (workspace.runs / DATA_JSON).stat().st_ino
    save_summary(workspace, replace(seen, created="2027-01-01T00:00:00+00:00"))
    assert (workspace.runs / DATA_JSON).stat().st_ino == before


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff", b'{"schema": 1}', b'{"schema": 2, "data": []}', b'{"schema": 1, "data": [1]}'],
)
def test_a_damaged_file_holds_nothing_and_is_written_anew(
    content: bytes, workspace: Workspace, seen: DatasetSummary
) -> None:
    workspace.runs.mkdir(parents=True)
    (workspace.runs / DATA_JSON).write_bytes(content)
    assert load_summaries(workspace) == ()
    save_summary(workspace, seen)
    assert load_summaries(workspace) == (seen,)


def test_a_file_of_a_newer_imgcls_is_not_believed(workspace: Workspace, seen: DatasetSummary) -> None:
    save_summary(workspace, seen)
    path = workspace.runs / DATA_JSON
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 2}))
    assert load_summaries(workspace) == ()


def test_a_place_that_cannot_be_written_is_no_error(tmp_path: Path, seen: DatasetSummary) -> None:
    (tmp_path / "file").write_text("")
    save_summary(Workspace(tmp_path / "file"), seen)
    assert load_summaries(Workspace(tmp_path / "file")) == ()


def test_a_failing_disk_is_no_error(
    workspace: Workspace, seen: DatasetSummary, break_disk: Callable[..., object]
) -> None:
    save_summary(workspace, seen)
    break_disk(1, how="sticky")
    save_summary(workspace, replace(seen, key="other"))
    assert load_summaries(workspace) == (seen,)


def _remember_many(root: Path, seen: DatasetSummary) -> None:
    for number in range(20):
        save_summary(Workspace(root), replace(seen, key=f"{os.getpid()}-{number}"))


def test_several_writers_leave_a_whole_file(workspace: Workspace, seen: DatasetSummary) -> None:
    with ProcessPoolExecutor(2) as pool:
        for job in [pool.submit(_remember_many, workspace.root, seen) for _ in range(2)]:
            job.result()
    assert len(load_summaries(workspace)) >= 20


@pytest.mark.parametrize(
    ("source", "same"),
    [
        ({"verify": True}, True),
        ({"data": "/elsewhere", "images": Path("x"), "label": None, "split_seed": 0}, True),
        ({"label": ["y"]}, False),
        ({"id": "name"}, False),
        ({"group": "sender"}, False),
        ({"valid": 0.3}, False),
        ({"split_seed": 1}, False),
        ({"test": "none"}, False),
        ({"test": "holdout.csv"}, True),  # its content is in the fingerprint
    ],
)
def test_only_options_that_matter_make_another_key(source: dict[str, object], same: bool) -> None:
    assert (key_of(source, "f") == key_of({"data": "photos"}, "f")) is same


def test_fingerprint_and_findings_make_another_key() -> None:
    assert len({key_of({}, "f"), key_of({}, "g"), key_of({}, "f", DECIDED)}) == 3


DECIDED = b"""schema = 1
[[excluded]]
images = ["b.png", "a.png"]
finding = "broken"
why = "cannot be read"
[[grouped]]
images = ["c.png", "d.png"]
finding = "duplicates.across"
why = "the same photograph"
"""


@pytest.mark.parametrize(
    ("findings", "same"),
    [
        (DECIDED + b'[[kept]]\nfinding = "classes.rare"\nwhy = "as in life"\n', True),
        (DECIDED.replace(b"cannot be read", b"empty"), True),
        (DECIDED.replace(b'"b.png", "a.png"', b'"a.png", "b.png"'), True),
        (DECIDED.replace(b"a.png", b"e.png"), False),
        (DECIDED.replace(b"grouped", b"excluded"), False),
        (DECIDED.replace(b'"d.png"', b'"d.png", "e.png"'), False),
        (b"", False),
        (b"[[excluded]", False),
        (b"excluded = 1", False),
        (b"\xff", False),
    ],
)
def test_only_what_was_decided_about_images_makes_another_key(findings: bytes, same: bool) -> None:
    assert (key_of({}, "f", findings) == key_of({}, "f", DECIDED)) is same


def test_no_findings_are_like_none_decided() -> None:
    assert key_of({}, "f", b"schema = 1\n[[kept]]\nfinding = 'x'\nwhy = 'y'\n") == key_of({}, "f")


def test_one_column_is_the_same_as_a_list_of_it() -> None:
    assert key_of({"label": "y"}, "f") == key_of({"label": ["y"]}, "f") == key_of({"label": ("y",)}, "f")
    assert key_of({"label": ("y", "z")}, "f") == key_of({"label": ["y", "z"]}, "f") != key_of({"label": "y"}, "f")


def test_a_copied_workspace_knows_its_data_again(photo_folder: Path, tmp_path: Path) -> None:
    first, second = Workspace(tmp_path / "a"), Workspace(tmp_path / "b")
    for workspace in (first, second):
        shutil.copytree(photo_folder, workspace.root / "photos")
    looks = [
        take_fingerprint({"data": str(place.root / "photos"), "split_seed": 0}, place) for place in (first, second)
    ]
    assert looks[0] is not None
    assert looks[1] is not None
    assert (looks[0].key, looks[0].fingerprint) == (looks[1].key, looks[1].fingerprint)
    (second.root / "findings.toml").write_bytes(DECIDED)
    changed = take_fingerprint({"data": second.root / "photos"}, second)
    assert changed is not None
    assert changed.fingerprint == looks[0].fingerprint
    assert changed.key != looks[0].key


def test_a_frame_cannot_be_looked_at(workspace: Workspace) -> None:
    assert take_fingerprint({"data": pd.DataFrame({"id": ["a"]})}, workspace) is None


def test_no_heavy_package_is_loaded(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from imgcls.records.derived import load_summaries, take_fingerprint; "
        "from imgcls.workspace import Workspace; place = Workspace(Path(sys.argv[1])); "
        "take_fingerprint({}, place); load_summaries(place); "
        "print([name for name in ('pandas', 'numpy', 'torch', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
