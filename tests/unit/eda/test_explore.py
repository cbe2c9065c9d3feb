from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import imgcls
from imgcls.config.findings import read_adjustments
from imgcls.data.source import DataSource
from imgcls.eda.apply import apply_findings, undo_findings
from imgcls.eda.facts import Facts
from imgcls.eda.plots.sheets import draw as draw_pictures
from imgcls.engine.prepare import prepare
from imgcls.engine.progress import Silent
from imgcls.errors import DataError, UsageError, WorkspaceError
from imgcls.plan import Images
from imgcls.records.derived import load_summaries
from imgcls.workspace import Workspace


def draw(folder: Path, names: dict[str, int], *, seed: int = 0, size: int = 28) -> Path:
    """Draw photographs with large smooth shapes, each another one."""
    for place, (name, n) in enumerate(names.items()):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(n):
            coarse = np.random.default_rng([seed, place, number]).integers(0, 256, (7, 7, 3)).astype(np.uint8)
            Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC).save(
                folder / name / f"{number:03d}.png"
            )
    return folder


@pytest.fixture(autouse=True)
def no_features_or_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes long and is tested where it lies: the network and the pictures."""
    monkeypatch.setattr("imgcls.eda.explore.extract_features", lambda scan, **options: None)
    monkeypatch.setattr("imgcls.eda.explore.draw", lambda facts, scan, folder: {})


@pytest.fixture
def explore(tmp_path: Path) -> Callable[..., Facts]:
    """Explore in a workspace beside the photographs."""
    return lambda data, **options: imgcls.explore(
        data, **{"workspace": tmp_path / "work", "reporter": Silent(), **options}
    )


def tree(folder: Path) -> dict[str, tuple[int, str]]:
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in [folder, *folder.rglob("*")]
    }


def ids(facts: Facts) -> dict[str, str]:
    return {finding.id: finding.state for finding in facts.findings}


def test_facts_are_given_and_written_and_read_back(tmp_path: Path, explore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imgcls.eda.explore.draw", draw_pictures)
    photos = draw(tmp_path / "photos", {"cat": 12, "dog": 8})
    before = tree(photos)
    facts = explore(photos)
    assert Facts.read(tmp_path / "work/reports") == facts
    assert tree(photos) == before
    assert facts.data.n == {"train": 16, "valid": 4, "test": 0, "excluded": 0}
    assert (facts.data.problem, facts.data.metric, facts.data.classes) == ("binary", "roc_auc", ("cat", "dog"))
    assert {(entry.path, entry.role, entry.n) for entry in facts.files} == {
        ("cat/", "photographs", 12),
        ("dog/", "photographs", 8),
    }
    assert "classes" in facts.pictures
    for file in facts.pictures.values():
        assert (tmp_path / "work/reports" / file).read_bytes().startswith(b"\x89PNG")
    assert {"photographs", "measures", "duplicates", "guesses", "pictures"} <= set(facts.seconds)


def test_other_commands_know_the_data_from_then_on(tmp_path: Path, explore) -> None:
    facts = explore(draw(tmp_path / "photos", {"cat": 12, "dog": 8}))
    (seen,) = load_summaries(Workspace(tmp_path / "work"))
    assert (seen.data_digest, seen.split_digest) == (facts.data.data_digest, facts.data.split_digest)
    assert seen.fingerprint == facts.data.fingerprint is not None


def test_facts_can_stay_in_memory(tmp_path: Path, explore) -> None:
    facts = explore(draw(tmp_path / "photos", {"cat": 12, "dog": 8}), write=False)
    assert facts.pictures == {}
    assert not (tmp_path / "work").exists()


def test_the_labels_of_test_are_in_no_fact(tmp_path: Path, explore) -> None:
    draw(tmp_path / "photos/train", {"cat": 9, "dog": 9}, seed=1)
    draw(tmp_path / "photos/valid", {"cat": 4, "dog": 4}, seed=2)
    draw(tmp_path / "photos/test", {"cat": 1, "dog": 6}, seed=3)
    facts = explore(tmp_path / "photos")
    assert facts.data.n["test"] == 7
    assert [entry.n for entry in facts.classes] == [{"train": 9, "valid": 4}] * 2
    (tmp_path / "photos/test/dog").rename(tmp_path / "photos/test/swap")
    (tmp_path / "photos/test/cat").rename(tmp_path / "photos/test/dog")
    (tmp_path / "photos/test/swap").rename(tmp_path / "photos/test/cat")
    other = explore(tmp_path / "photos")
    for name in ("classes", "imbalance", "guesses", "drift", "duplicates"):
        assert getattr(other, name) == getattr(facts, name), name


def test_folders_of_classes_in_test_are_in_no_fact(tmp_path: Path, explore) -> None:
    photos = tmp_path / "photos"
    for seed, part in enumerate(("train", "valid", "test")):
        draw(photos / part, {"cat": 6, "dog": 6}, seed=seed)
    (photos / "train/cat/copy.png").write_bytes((photos / "test/dog/003.png").read_bytes())
    Image.new("RGB", (28, 28)).save(photos / "test/dog/black.png")
    facts = explore(photos)
    (pair,) = facts.duplicates
    assert {name.partition(" (")[0] for name in (pair.first, pair.second)} == {"train/cat/copy.png", "test/*/003.png"}
    assert {(entry.path, entry.n) for entry in facts.files if entry.path.startswith("test")} == {("test/", 13)}
    assert ids(facts).keys() >= {"duplicates.across", "quality.blank"}
    assert "test/dog" not in (tmp_path / "work/reports/facts.json").read_text()


def test_a_quick_look_takes_the_place_of_nothing(tmp_path: Path, explore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imgcls.engine.prepare.N_QUICK", 12)
    photos = draw(tmp_path / "photos", {"cat": 12, "dog": 8})
    (photos / "dog" / "copy.png").write_bytes((photos / "cat" / "000.png").read_bytes())
    whole = explore(photos)
    quick = explore(photos, quick=True)
    assert (quick.data.quick, sum(quick.data.n.values())) == (True, 12)
    assert Facts.read(tmp_path / "work/reports") == whole
    assert Facts.read(tmp_path / "work/reports/quick") == quick
    assert {finding.command for finding in quick.findings} | {finding.action for finding in quick.findings} == {None}


def test_photographs_that_are_not_used_are_told(tmp_path: Path, explore) -> None:
    photos = draw(tmp_path / "photos", {"cat": 12, "dog": 8})
    (photos / "loose.png").write_bytes((photos / "cat" / "000.png").read_bytes())
    (photos / "cat" / "raw.cr2").write_bytes(b"raw")
    facts = explore(photos)
    assert [(entry.n, entry.examples) for entry in facts.left_out] == [(1, ("cat/raw.cr2",)), (1, ("loose.png",))]
    assert ids(facts)["left_out"] == "open"
    assert not any(finding.id == "left_out" for finding in facts.open_findings)


def test_a_copy_across_given_parts_is_excluded_and_comes_back(tmp_path: Path, explore) -> None:
    photos = tmp_path / "photos"
    for seed, (part, n) in enumerate({"train": 12, "valid": 5}.items()):
        draw(photos / part, {"cat": n, "dog": n}, seed=seed)
    (photos / "train/cat/copy.png").write_bytes((photos / "valid/cat/003.png").read_bytes())
    before = tree(photos)
    facts = explore(photos)
    across = next(finding for finding in facts.findings if finding.id == "duplicates.across")
    assert across.groups == (("train/cat/copy.png",),)
    workspace = Workspace(tmp_path / "work")
    apply_findings((), workspace)
    after = explore(photos)
    assert after.data.n["train"] == facts.data.n["train"] - 1
    assert after.data.n["excluded"] == 1
    assert ids(after)["duplicates.across"] == "applied"
    assert after.data.data_digest != facts.data.data_digest
    assert "duplicates.across" not in {finding.id for finding in after.open_findings}
    undo_findings((), workspace)
    assert explore(photos).data == facts.data
    assert tree(photos) == before


def test_a_near_copy_is_kept_together_by_the_next_split(tmp_path: Path, explore) -> None:
    photos = draw(tmp_path / "photos", {"cat": 20, "dog": 20})
    for number in range(0, 20, 2):  # so many that some are torn apart by the first draw
        with Image.open(photos / f"cat/{number:03d}.png") as image:
            image.resize((40, 40), Image.Resampling.BICUBIC).save(photos / f"cat/copy{number:03d}.jpg", quality=85)
    facts = explore(photos)
    assert any(pair.is_across for pair in facts.duplicates)
    workspace = Workspace(tmp_path / "work")
    decision = apply_findings((), workspace)
    assert decision.n_grouped > 0
    after = explore(photos)
    assert after.duplicates
    assert not any(pair.is_across for pair in after.duplicates)
    assert ids(after)["duplicates.across"] == "applied"
    assert {"duplicates.across", "duplicates.within"}.isdisjoint(finding.id for finding in after.open_findings)


def test_new_broken_files_open_the_finding_again(tmp_path: Path, explore) -> None:
    photos = draw(tmp_path / "photos", {"cat": 12, "dog": 12})
    (photos / "cat/000.png").write_bytes(b"")
    assert ids(explore(photos))["broken"] == "open"
    workspace = Workspace(tmp_path / "work")
    apply_findings(["broken"], workspace)
    assert ids(explore(photos))["broken"] == "applied"
    (photos / "dog/000.png").write_bytes(b"")
    again = next(finding for finding in explore(photos).findings if finding.id == "broken")
    assert (again.state, again.groups) == ("open", (("dog/000.png",),))
    apply_findings(["broken"], workspace)
    assert len(read_adjustments(workspace.root / "findings.toml").excluded) == 2


@pytest.mark.parametrize("names", [{"cat": 6}, {"cat": 1}, {"cat": 1, "dog": 1}])
def test_what_cannot_be_trained_on_has_facts_and_an_error(tmp_path: Path, explore, names: dict[str, int]) -> None:
    facts = explore(draw(tmp_path / "photos", names))
    assert facts.findings[0].id == "unusable"
    assert facts.findings[0].severity == "error"
    assert sum(facts.data.n.values()) == sum(names.values())
    assert load_summaries(Workspace(tmp_path / "work")) == ()


def test_only_broken_photographs_have_facts_too(tmp_path: Path, explore) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / "a.png").write_bytes(b"no image")
    facts = explore(tmp_path / "photos")
    assert [file.kind for file in facts.broken] == ["not an image"] * 2
    assert {"unusable", "broken"} <= set(ids(facts))


def test_an_empty_folder_is_an_error_and_leaves_no_facts(tmp_path: Path, explore) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(DataError, match="no images"):
        explore(tmp_path / "photos")
    assert not (tmp_path / "work/reports/facts.json").exists()


def test_a_table_with_several_labels_and_a_test_list(tmp_path: Path, explore) -> None:
    draw(tmp_path / "set/images", {".": 30})
    rows = "".join(f"{number:03d},{number % 2},{number // 2 % 2}\n" for number in range(24))
    (tmp_path / "set/train.csv").write_text(f"id,red,blue\n{rows}")
    (tmp_path / "set/test.csv").write_text("id\n" + "".join(f"{number:03d}\n" for number in range(24, 30)))
    (tmp_path / "set/meta.csv").write_text("id,sender\n" + "".join(f"{n:03d},p{n % 2}\n" for n in range(30)))
    facts = explore(tmp_path / "set")
    assert facts.data.problem == "multilabel"
    assert facts.data.n["test"] == 6
    assert np.array(facts.together).tolist() == [[12, 6], [6, 12]]
    assert {entry.path: entry.role for entry in facts.files} == {
        "images/": "photographs",
        "train.csv": "labels",
        "test.csv": "test list",
        "meta.csv": "metadata",
    }
    assert "sender of meta.csv" in {guess.by for guess in facts.guesses}


def test_metadata_that_was_named_has_to_fit(tmp_path: Path, explore) -> None:
    photos = draw(tmp_path / "photos", {"cat": 12, "dog": 8})
    (tmp_path / "other.csv").write_text("name,sender\nx,1\ny,2\n")
    with pytest.raises(DataError, match="no column names the photographs"):
        explore(photos, metadata=[tmp_path / "other.csv"])


def test_the_problem_names_data_metric_and_metadata(tmp_path: Path, explore) -> None:
    photos = draw(tmp_path / "photos", {"cat": 12, "dog": 8})
    files = sorted(photos.rglob("*.png"))
    rows = [f"{path.relative_to(photos)},{path.parent.name[0]}{number % 3}" for number, path in enumerate(files)]
    (tmp_path / "who.csv").write_text("\n".join(["file,sender", *rows]))
    (tmp_path / "work").mkdir()
    (tmp_path / "work/imgcls.toml").write_text(
        'schema = 1\nmetric = "macro_f1"\n[data]\nsource = "../photos"\nmetadata = ["../who.csv"]\n'
    )
    facts = explore(None)
    assert (facts.data.name, facts.data.metric) == ("photos", "macro_f1")
    assert "sender of who.csv" in {guess.by for guess in facts.guesses}


def test_nothing_is_written_among_the_photographs(tmp_path: Path) -> None:
    photos = draw(tmp_path / "photos", {"cat": 12, "dog": 8})
    before = tree(photos)
    with pytest.raises(WorkspaceError, match="inside the photographs"):
        imgcls.explore(photos, workspace=photos, reporter=Silent())
    assert tree(photos) == before


def test_a_workspace_that_cannot_be_written_is_said_before_anything_is_read(
    tmp_path: Path, explore, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = draw(tmp_path / "photos", {"cat": 4, "dog": 4})
    (tmp_path / "work").write_text("in the way")
    monkeypatch.setattr("imgcls.eda.explore.scan_data", lambda *_, **__: pytest.fail("looked"))
    with pytest.raises(WorkspaceError, match="Cannot write reports to"):
        explore(photos)


def test_unknown_options_name_the_nearest(tmp_path: Path, explore) -> None:
    with pytest.raises(UsageError, match="Did you mean 'label'"):
        explore(tmp_path, labl="x")


NASTY = ("[bold red]x[green]", "\x1b[31mred", "\U0001f431 :cat:", "<img src=x onerror=alert(1)>", "n" * 255, "=1+1")


def test_names_of_any_kind_come_through(tmp_path: Path, explore) -> None:
    photos = draw(tmp_path / "photos", dict.fromkeys(NASTY, 5))
    (photos / NASTY[0] / "line\nbreak [b].png").write_bytes((photos / NASTY[0] / "000.png").read_bytes())
    facts = explore(photos)
    assert facts.data.classes == tuple(sorted(NASTY))
    assert Facts.read(tmp_path / "work/reports") == facts
    json.loads((tmp_path / "work/reports/facts.json").read_text())


def test_names_that_are_no_utf8_keep_the_digests_of_training(tmp_path: Path, explore) -> None:
    photos = draw(tmp_path / "photos", {"cat": 12, "dog": 8})
    try:
        (photos / "cat/000.png").rename(photos / "cat/\udcff.png")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    facts = explore(photos)
    (seen,) = load_summaries(Workspace(tmp_path / "work"))
    samples = prepare(DataSource(photos), Images(), reporter=Silent())[0].samples
    assert facts.data.data_digest == seen.data_digest == samples.data_digest
    assert facts.data.split_digest == seen.split_digest == samples.split_digest


def test_an_id_that_leaves_the_folder_is_refused(tmp_path: Path, explore) -> None:
    draw(tmp_path / "set/images", {".": 4})
    (tmp_path / "set/train.csv").write_text("id,label\n000,a\n001,b\n../../photos/x,a\n")
    with pytest.raises(DataError, match="leaves the folder"):
        explore(tmp_path / "set")
