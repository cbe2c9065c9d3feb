"""The study of recipes: resumable by the records that are there, judged by the same statistics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.study import Study, StudySet, as_table, judged_rows, read_rows, thin, write_rows
from imgcls.errors import DataError
from imgcls.evidence.verdicts import verdict
from imgcls.records.find import find_runs
from imgcls.workspace import Workspace

pytestmark = [pytest.mark.train, pytest.mark.usefixtures("one_thread")]

PLAIN = "baseline:model=simple_cnn,epochs=1"
PROBE = f"{PLAIN}+linear_probe"


def study_of(photo_folder: Path, home: Path, told: list[str], **options: object) -> Study:
    chosen = StudySet("drawn", "accuracy", {"data": photo_folder.name}, **options)  # type: ignore[arg-type]
    return Study(home, photo_folder.parent, (chosen,), (PLAIN, PROBE), n_seeds=2, tell=told.append)


def test_it_goes_on_and_judges_as_the_library_does(photo_folder: Path, tmp_path: Path) -> None:
    told: list[str] = []
    study = study_of(photo_folder, tmp_path / "home", told)
    study.run()
    assert len(told) == 4
    runs = find_runs(Workspace(tmp_path / "home" / "drawn"))[0]
    study.run()
    assert [run.id for run in find_runs(Workspace(tmp_path / "home" / "drawn"))[0]] == [run.id for run in runs]
    base, row = judged_rows(study, [(PLAIN, PLAIN), (PROBE, PLAIN)])
    assert base.gain is None
    assert (row.n_seeds, row.metric) == (2, "accuracy")
    sides = []
    for stack in (PLAIN, PROBE):
        mine = sorted((run for run in runs if run.stack == stack), key=lambda run: run.seed)
        sides.append(np.stack([run.predictions("valid").filter(regex="^p_").to_numpy() for run in mine]))
    frame = runs[0].predictions("valid")
    labels = [runs[0].classes.index(label) for label in frame["label"]]
    expected = verdict(sides[0], sides[1], labels)
    assert expected.value != 0
    assert row.gain == pytest.approx(expected.value)
    assert row.verdict == expected.verdict
    write_rows([base, row], tmp_path / "rows.json")
    assert read_rows(tmp_path / "rows.json") == [base, row]
    assert f"| drawn | {PROBE} | accuracy | {row.score:.3f} |" in as_table([base, row])


def test_only_seeds_of_which_all_folds_are_there_are_judged(photo_folder: Path, tmp_path: Path) -> None:
    told: list[str] = []
    study = study_of(photo_folder, tmp_path / "home", told, n_folds=2)
    study.run()
    (row,) = judged_rows(study, [(PROBE, PLAIN)])
    assert row.n_seeds == 2
    gone = next(run for run in find_runs(Workspace(tmp_path / "home" / "drawn"))[0] if run.fold == 1 and run.seed == 1)
    assert gone.folder is not None
    (gone.folder / "run.json").unlink()
    rows = judged_rows(study, [(PLAIN, PLAIN), (PROBE, PROBE)])
    assert sorted(row.n_seeds for row in rows) == [1, 2]


def test_a_set_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="set IMGCLS_TEST_DATA"):
        StudySet("gone", "accuracy", {"data": "gone"}).source(tmp_path, tmp_path / "home")


def test_a_thinned_set_is_as_uneven_as_asked_for() -> None:
    frame = pd.DataFrame(
        {"label": ["a"] * 200 + ["b"] * 90 + ["c"] * 90 + ["a"] * 7, "split": ["train"] * 380 + ["valid"] * 7}
    )
    left = thin(frame, 25.0)
    counts = left.groupby(["split", "label"]).size()
    assert counts["valid"].to_dict() == {"a": 7}
    assert counts["train"].to_dict() == {"a": 200, "b": 40, "c": 8}
    assert left.equals(thin(frame, 25.0))
