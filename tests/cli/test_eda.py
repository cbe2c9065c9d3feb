"""`imgcls eda`: looking at data, and deciding about what was found."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgcls.eda.facts import Facts

pytestmark = pytest.mark.usefixtures("no_features")


@pytest.fixture
def no_features(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the network out of commands in this process."""
    monkeypatch.setattr("imgcls.eda.explore.extract_features", lambda scan, **options: None)


@pytest.fixture
def leaking(tmp_path: Path) -> Path:
    """Given parts, one photograph of train being one of valid, and a broken one."""
    folder = tmp_path / "leaking"
    for seed, (part, n) in enumerate({"train": 12, "valid": 6}.items()):
        for place, name in enumerate(("cat", "dog")):
            (folder / part / name).mkdir(parents=True)
            for number in range(n):
                coarse = np.random.default_rng([seed, place, number]).integers(0, 256, (7, 7, 3)).astype(np.uint8)
                image = Image.fromarray(coarse).resize((28, 28), Image.Resampling.BICUBIC)
                image.save(folder / part / name / f"{number:03d}.png")
    (folder / "train/cat/copy.png").write_bytes((folder / "valid/cat/001.png").read_bytes())
    (folder / "train/dog/empty.png").write_bytes(b"")
    return folder


def tree(folder: Path) -> dict[str, tuple[int, str]]:
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in [folder, *folder.rglob("*")]
    }


def test_a_look_says_what_it_found_wrote_and_what_comes_next(imgcls, leaking: Path, empty_folder: Path) -> None:
    before = tree(leaking)
    result = imgcls("eda", leaking)
    assert result.code == 0
    assert "imgcls eda apply duplicates.across" in result.out
    assert "Wrote reports/eda.html, with" in result.out
    assert "Next: imgcls eda apply\n" in result.out
    assert max(len(line) for line in result.out.splitlines() if "imgcls eda" not in line) <= 80
    assert sorted(path.name for path in (empty_folder / "reports").iterdir()) == ["eda.html", "facts.json", "pictures"]
    assert tree(leaking) == before


def test_apply_undo_and_keep(imgcls, leaking: Path, empty_folder: Path) -> None:
    assert imgcls("eda", leaking, "--strict").code == 3
    applied = imgcls("eda", "apply")
    assert applied.code == 0
    assert "Applied: duplicates.across, broken." in applied.out
    assert "2 images left out. The photographs themselves were not touched." in applied.out
    assert "To take it back: imgcls eda undo" in applied.out
    findings = (empty_folder / "findings.toml").read_text()
    assert '"train/cat/copy.png"' in findings
    assert '"train/dog/empty.png"' in findings
    again = imgcls("eda", leaking, "--json")
    facts = json.loads(again.out)
    assert facts["data"]["n"] == {"train": 24, "valid": 12, "test": 0, "excluded": 2}
    assert {entry["id"] for entry in facts["findings"] if entry["state"] == "applied"} == {
        "broken",
        "duplicates.across",
    }
    undone = imgcls("eda", "undo", "broken")
    assert "1 image used again." in undone.out
    assert '"train/dog/empty.png"' not in (empty_folder / "findings.toml").read_text()
    imgcls("eda", leaking)
    assert imgcls("eda", "keep", "broken").code == 2
    kept = imgcls("eda", "keep", "broken", "--why", "will be fetched anew", "--json")
    assert json.loads(kept.out)["done"] == "kept"
    assert imgcls("eda", leaking, "--strict").code == 0


def test_what_is_applied_leaves_its_own_items_current(imgcls, leaking: Path, empty_folder: Path) -> None:
    """Applying changes the digest of the data, but not what was seen of them; taking back what was not seen does."""
    assert imgcls("init", leaking, "--yes").code == 0
    assert imgcls("eda").code == 0

    def states() -> dict[str, str]:
        items = json.loads(imgcls("checklist", "--json").out)["items"]
        return {item["id"]: item["state"] for item in items if item["id"].startswith("eda.")}

    assert states()["eda.leaks"] == "open"
    imgcls("eda", "apply", "duplicates.across")
    assert (states()["eda.leaks"], states()["eda.sizes"]) == ("done", "done")
    imgcls("eda", "apply", "broken")
    assert states()["eda.leaks"] == "done"
    imgcls("eda", "undo", "broken")
    assert states()["eda.leaks"] == "done"
    imgcls("eda", "undo")
    assert (states()["eda.leaks"], states()["eda.sizes"]) == ("open", "done")
    imgcls("eda", "apply")
    (leaking / "train/cat/000.png").unlink()
    assert states()["eda.sizes"] == "stale"


def test_json_is_the_facts_that_were_written(imgcls, leaking: Path, empty_folder: Path) -> None:
    result = imgcls("eda", "--data", leaking, "--json", "--strict")
    assert result.code == 3
    assert json.loads(result.out) == Facts.read(empty_folder / "reports").to_json()


@pytest.mark.parametrize(
    ("out", "folder"), [("reports", "reports"), ("work", "work/reports"), ("a/reports", "a/reports")]
)
def test_out_is_the_workspace_or_its_folder_of_reports(
    imgcls, photos: Path, empty_folder: Path, out: str, folder: str
) -> None:
    assert imgcls("eda", photos, "--out", out).code == 0
    assert (empty_folder / folder / "facts.json").is_file()
    assert imgcls("eda", "undo", "--out", out).code == 0


def test_a_folder_may_have_the_name_of_a_command(imgcls, photos: Path, empty_folder: Path) -> None:
    photos.rename(empty_folder / "apply")
    assert "no facts" in imgcls("eda", "apply").err
    assert imgcls("eda", "./apply").code == 0


def test_an_empty_folder_is_an_error(imgcls, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    result = imgcls("eda", tmp_path / "none")
    assert (result.code, result.out) == (2, "")
    assert "no images were found" in result.err


def test_one_image_is_looked_at_and_said_to_be_too_few(
    imgcls, draw_photos: Callable[..., Path], tmp_path: Path
) -> None:
    result = imgcls("eda", draw_photos(tmp_path / "one", {"cat": 1}))
    assert result.code == 0
    assert "cannot be trained on" in result.out


def test_data_are_named_once(imgcls, photos: Path) -> None:
    result = imgcls("eda", photos, "--data", photos)
    assert result.code == 2
    assert "Name the data once" in result.err


def test_a_misspelled_finding_names_the_nearest(imgcls, leaking: Path) -> None:
    imgcls("eda", leaking)
    result = imgcls("eda", "apply", "duplicate.across")
    assert result.code == 2
    assert "Did you mean 'duplicates.across'" in result.err
    assert imgcls("eda", "undo", "broken").code == 2


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_workspace_that_cannot_be_written_is_said_before_the_look(
    imgcls, photos: Path, empty_folder: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str]
) -> None:
    (empty_folder / "reports").write_text("in the way")
    monkeypatch.setattr("imgcls.eda.explore.scan_data", lambda *_, **__: pytest.fail("looked"))
    result = imgcls("eda", photos, *flags)
    assert result.code == 2
    assert "Cannot write reports to" in result.err


def test_photographs_that_may_only_be_read(imgcls, leaking: Path) -> None:
    folders = [leaking, *(path for path in leaking.rglob("*") if path.is_dir())]
    before = tree(leaking)
    for folder in folders:
        folder.chmod(0o555)
    try:
        assert imgcls("eda", leaking).code == 0
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert tree(leaking) == before


def test_names_from_data_can_only_be_read(
    imgcls, draw_photos: Callable[..., Path], tmp_path: Path, empty_folder
) -> None:
    names = ["[bold red]x[green]", "\x1b[31mred", "\U0001f431 :cat:", "<img src=x onerror=alert(1)>", "n" * 255]
    folder = draw_photos(tmp_path / "names", dict.fromkeys(names, 4))
    (folder / names[0] / "line\nbreak.png").write_bytes((folder / names[1] / "000.png").read_bytes())
    result = imgcls("eda", folder)
    assert result.code == 0
    assert "\x1b" not in result.out + result.err
    assert "[bold red]x[green]" in result.out
    assert "\\x1b[31mred" in result.out
    assert ":cat:" in result.out
    page = (empty_folder / "reports/eda.html").read_text()
    assert "<img src=x onerror" not in page
    assert "\x1b" not in page
    applied = imgcls("eda", "apply")
    assert applied.code == 0
    assert "\x1b" not in applied.out
    assert imgcls("eda", folder).code == 0


def test_an_interrupted_look_keeps_what_it_measured(photos: Path, tmp_path: Path) -> None:
    """A signal ends it with its own code, and the next look does not measure again what was measured."""
    code = (
        "import os, signal\n"
        "from imgcls.eda import explore, scan\n"
        "original = scan._measure_some\n"
        "def slow(photos, rows):\n"
        "    found = list(original(photos, rows))\n"
        "    if scan._slow: os.kill(os.getpid(), signal.SIGTERM)\n"
        "    scan._slow = True\n"
        "    return found\n"
        "scan._slow, scan._N_AT_ONCE, scan._measure_some = False, 8, slow\n"
        "explore.extract_features = lambda scan, **options: None\n"
        "from imgcls.cli.app import main\n"
        f"main(['eda', {str(photos)!r}])\n"
    )
    cache = tmp_path / "own"
    environment = {**os.environ, "IMGCLS_CACHE": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert done.returncode == 143
    (store,) = (cache / "measures").glob("*.npz")
    assert len(np.load(store)["records"]) == 8


def test_a_page_that_may_travel_holds_neither_photographs_nor_names(imgcls, photos: Path, empty_folder: Path) -> None:
    assert imgcls("eda", photos).code == 0
    page = empty_folder / "reports" / "eda.html"
    name = next(path for path in photos.rglob("*.png")).name
    assert "data:image" in page.read_text(encoding="utf-8")
    assert imgcls("eda", photos, "--no-images").code == 0
    assert name not in page.read_text(encoding="utf-8")
    assert "image/webp" not in page.read_text(encoding="utf-8")


WORDS = "--label kind --id file --group who"


def test_suggested_commands_name_the_workspace(imgcls, leaking: Path, tmp_path: Path) -> None:
    out = f"--out {tmp_path / 'work'}"
    looked = imgcls("eda", leaking, "--out", tmp_path / "work").out
    assert f"imgcls eda apply duplicates.across {out}\n" in looked
    assert f"Next: imgcls eda apply {out}\n" in looked
    applied = imgcls("eda", "apply", "--out", tmp_path / "work").out
    assert f"imgcls eda undo {out}\n" in applied
    assert f"Next: imgcls eda {leaking} {out}\n" in applied
    begun = imgcls("init", leaking, "--out", tmp_path / "other", "--yes").out
    assert f"imgcls eda --out {tmp_path / 'other'}    # look at the data\n" in begun


@pytest.mark.parametrize(("word", "said"), [("aply", "Did you mean 'apply'?"), ("undoo", "Did you mean 'undo'?")])
def test_a_misspelled_command_is_no_data(imgcls, word: str, said: str) -> None:
    result = imgcls("eda", word)
    assert (result.code, said in result.err) == (2, True)


def test_the_placeholder_of_a_reason_is_no_reason(imgcls, leaking: Path) -> None:
    imgcls("eda", leaking)
    result = imgcls("eda", "keep", "duplicates.across", "--why", "REASON")
    assert (result.code, "Say with --why" in result.err) == (2, True)


def test_a_decision_is_followed_by_a_look_at_the_same_data(imgcls, leaking: Path, photos: Path) -> None:
    for data in (leaking, photos, leaking):
        imgcls("eda", data)
    assert f"Next: imgcls eda {leaking}\n" in imgcls("eda", "apply").out


def test_what_cannot_be_trained_on_is_not_sent_to_training(imgcls, draw_photos, tmp_path: Path) -> None:
    one = draw_photos(tmp_path / "one", {"only": 12})
    out = imgcls("eda", one).out
    assert f"Next: imgcls eda --data {one}    # once what is said above is fixed\n" in out


def test_a_page_that_may_travel_names_no_lone_file(imgcls, photos: Path, empty_folder: Path) -> None:
    (photos / "dark" / "john_doe.heic").write_bytes(b"")
    imgcls("eda", photos, "--no-images")
    page = (empty_folder / "reports/eda.html").read_text()
    assert "john_doe" not in page
    assert "dark/" not in page
    assert "(photographs)" in page


@pytest.mark.parametrize("columns", ["20", "40"])
def test_names_can_be_read_on_a_narrow_terminal(
    imgcls, photos: Path, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    call = imgcls("eda", photos)
    monkeypatch.setenv("COLUMNS", columns)
    out = _run_again(photos, columns)
    assert call.code == 0
    assert max(len(line) for line in out.splitlines() if "imgcls" not in line) <= int(columns)
    assert all(name in out for name in ("dark", "light"))


def _run_again(photos: Path, columns: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "imgcls", "eda", str(photos), "--quick"],
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
        env={**os.environ, "COLUMNS": columns},
    )
    return done.stdout


def test_a_closed_standard_output_is_no_mistake_of_ours(photos: Path) -> None:
    words = f"exec {sys.executable} -m imgcls eda {photos} --quick >&-"
    done = subprocess.run(["sh", "-c", words], capture_output=True, text=True, timeout=240, check=False)
    assert "Unexpected" not in done.stderr
    assert done.returncode == 0


def test_suggested_commands_name_the_data_as_they_were_named(imgcls, draw_photos, tmp_path: Path) -> None:
    """With every option that says how they are read."""
    folder = draw_photos(tmp_path / "set", {"images": 30})
    rows = [f"{number:03d},{'b' if number % 10 else 'a'},s{number % 7}" for number in range(30)]
    (folder / "my table.csv").write_text("\n".join(["file,kind,who", *rows]) + "\n")
    options = ("--label", "kind", "--id", "file", "--group", "who")
    shown = imgcls("eda", folder / "my table.csv", *options).out
    wanted = f"imgcls ladder run baseline+class_weights --seeds 5 --data '{folder / 'my table.csv'}' {WORDS}"
    assert wanted in [line.strip() for line in shown.splitlines()]
