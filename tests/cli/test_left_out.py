"""What is left out is told where people look, what shrinks a class before all else, and the labels of test never."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

TINY = ("--set", "model.name=simple_cnn", "--size", "32", "--epochs", "1", "--device", "cpu")
SEALED = "Zq7sealed"


def cut(path: Path) -> Path:
    """Leave the first bytes of a photograph only."""
    path.write_bytes(path.read_bytes()[:200])
    return path


def everything(*commands: object, imgcls: Callable[..., object], of: tuple[str, ...]) -> str:
    """Run commands, and return what they said and what they wrote."""
    said = [f"{result.out}\n{result.err}" for result in (imgcls(*command) for command in commands)]
    written = (path for pattern in of for path in sorted(Path().rglob(pattern)))
    return "\n".join([*said, *(path.read_text(encoding="utf-8") for path in written)])


LOOKS = (("init",), ("eda", "--json"), ("eda",), ("recipe", "run", "baseline", *TINY), ("runs", "show", "baseline"))
MORE = (("recipe", "run", "baseline", *TINY, "--json"), ("checklist",), ("checklist", "--json"), ("runs", "list"))


def test_every_input_of_predict_has_a_row(imgcls, photos: Path, tmp_path: Path) -> None:
    assert imgcls("recipe", "run", "baseline", "--data", photos, *TINY).code == 0
    new = tmp_path / "new"
    new.mkdir()
    for name in ("0.png", "cut.png", "no_suffix"):
        (new / name).write_bytes((photos / "dark" / "000.png").read_bytes())
    cut(new / "cut.png")
    (new / "camera.nef").write_bytes(b"x")
    (new / "notes.txt").write_text("x")
    table = tmp_path / "list.csv"
    table.write_text("file\n0.png\ngone.png\n")
    given = ("predict", "baseline", tmp_path / "absent.png", new, table, "--images", new)
    result = imgcls(*given, "--json")
    found = json.loads(result.out)
    assert [row["status"] for row in found["predictions"]] == ["error", "ok", "error", "error", "ok", "ok", "error"]
    assert all(bool(row["reason"]) == (row["probabilities"] is None) for row in found["predictions"])
    assert (found["n"], found["errors"]["missing"]) == ({"ok": 3, "error": 4}, 2)
    assert found["errors"]["truncated"] == 1
    assert found["not_photographs"] == {".txt": 1}
    assert result.code == 0
    assert result.err.index("3 of 7 cannot be predicted") < result.err.index("4 of 7 have no prediction")
    assert "1 .txt" in result.err
    assert imgcls(*given, "--strict").code == 3
    assert imgcls(*given).out.count("\n") == 8
    assert imgcls("predict", "baseline", tmp_path / "absent.png").code == 2
    assert imgcls("predict", "baseline", new / "0.png", "--strict").code == 0


def test_what_is_missing_is_known_before_torch_is_loaded(process, drawn_ladder, tmp_path: Path) -> None:
    """A network takes seconds to load, and none is loaded here: the records have no weights."""
    _, workspace = drawn_ladder("baseline+augmentation", n_seeds=1)
    run = next(workspace.runs.glob("baseline*")).name
    done = process(
        *("predict", run, tmp_path / "a.png", tmp_path / "b.png", "--out", workspace.root),
        env={"PYTHONPROFILEIMPORTTIME": "1"},
    )
    assert done.code == 2
    assert "a.png: there is no such file" in done.err
    assert "b.png: there is no such file" in done.err
    assert " torch\n" not in done.err


def test_a_class_that_is_halved_is_told_before_all_else(imgcls, photos: Path) -> None:
    for number in range(11):
        cut(photos / "dark" / f"{number:03d}.png")
    trained = imgcls("recipe", "run", "baseline", "--data", photos, *TINY)
    assert trained.code == 0
    notes = [line for line in trained.err.splitlines() if line and "Reading" not in line and "Loading" not in line]
    assert notes[0].startswith("Warning: by what is left out, class 'dark' keeps 9 of 20.")
    looked = imgcls("eda", photos, "--strict")
    assert looked.code == 3
    assert "1 class with less than half of the samples left: dark 9 of 20." in looked.out.splitlines()[2]
    findings = {entry["id"]: entry for entry in json.loads(imgcls("eda", photos, "--json").out)["findings"]}
    assert findings["classes.lost"]["severity"] == "warning"
    for number in range(11):
        (photos / "dark" / f"{number:03d}.png").unlink()
    assert "Warning" not in imgcls("recipe", "run", "baseline", "--data", photos, *TINY).err


def test_a_test_photograph_that_cannot_be_read_is_told_and_has_a_row(imgcls, draw_photos, tmp_path: Path) -> None:
    data = tmp_path / "pets"
    for part, n in (("train", 10), ("valid", 5), ("test", 4)):
        draw_photos(data / part, {"dark": n, "light": n}, seed=len(part))
    broken = cut(data / "test" / "dark" / "001.png")
    assert imgcls("init", data, "--yes").code == 0
    trained = imgcls("recipe", "run", "baseline", *TINY)
    assert "1 of them is of the test part: 'imgcls submit' fills these rows" in " ".join(trained.out.split())
    assert json.loads(imgcls("recipe", "run", "baseline", *TINY, "--json").out)["lost_test"] == {"truncated": 1}
    result = imgcls("submit", "--json")
    said = json.loads(result.out)
    lines = Path(said["path"]).read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:4]] == [f'"test/dark/00{number}.png"' for number in range(3)]
    assert len(lines) == 9
    assert "1 of 8 test photographs could not be predicted: 1 truncated" in result.err
    assert imgcls("submit", "--strict", "--force").code == 3
    shown = everything(*LOOKS, *MORE, imgcls=imgcls, of=("reports/**/*.html", "facts.json", "imgcls.toml"))
    assert "test/*/001.png: truncated" in shown
    assert "test/dark" not in shown
    assert "are of the test part" in " ".join(imgcls("eda").out.split())
    assert broken.exists()


def test_a_test_part_that_nobody_can_read_has_all_rows(imgcls, draw_photos, tmp_path: Path) -> None:
    data = tmp_path / "pets"
    for part, n in (("train", 10), ("valid", 5), ("test", 2)):
        draw_photos(data / part, {"dark": n, "light": n}, seed=len(part))
    for number, path in enumerate(sorted((data / "test").rglob("*.png"))):
        path.rename(path.with_suffix(".nef")) if number % 2 else cut(path)
    trained = imgcls("recipe", "run", "baseline", "--data", data, *TINY)
    assert trained.code == 0
    assert "4 of them are of the test part: 'imgcls submit' fills these rows" in " ".join(trained.out.split())
    assert imgcls("submit", "--strict").code == 3
    result = imgcls("submit", "--json")
    lines = Path(json.loads(result.out)["path"]).read_text().splitlines()
    names = [f"test/{name}/00{number}" for name in ("dark", "light") for number in range(2)]
    assert [line.split(",")[0].strip('"')[:-4] for line in lines[1:]] == names
    assert [line.split(",")[-2:] for line in lines[1:]] == [["0.5", "0.5"]] * 4


@pytest.mark.parametrize("kind", ["folder", "table"])
def test_a_label_that_only_test_has_is_nowhere(kind: str, imgcls, draw_photos, tmp_path: Path) -> None:
    data = tmp_path / "sealed"
    if kind == "folder":
        for part, n in (("train", 10), ("valid", 5)):
            draw_photos(data / part, {"dark": n, "light": n}, seed=len(part))
        draw_photos(data / "test", {SEALED: 5}, seed=9)
        cut(data / "test" / SEALED / "001.png")
        (data / "test" / SEALED / "notes.txt").write_text("x")
        source: tuple[object, ...] = ("--data", data)
    else:
        draw_photos(data, {"photos": 44})
        labels = [("dark", "light")[row % 2] if row < 34 else SEALED for row in range(44)]
        parts = ["train" if row < 24 else "valid" if row < 34 else "test" for row in range(44)]
        rows = [f"photos/{row:03d}.png,{labels[row]},{parts[row]}" for row in range(44)]
        (data / "labels.csv").write_text("file,label,split\n" + "\n".join(rows) + "\n")
        cut(data / "photos" / "040.png")
        source = ("--data", data / "labels.csv", "--split", "split")
    named = [("init", *source[1:], "--yes")]
    named += [("eda", *source[1:], *rest) for rest in (("--json",), ())]
    named += [("recipe", "run", "baseline", *TINY, *source, *rest) for rest in ((), ("--json",))]
    named += [("runs", "show", "baseline"), ("checklist",), ("submit", "--strict")]
    files = ("reports/**/*.html", "facts.json", "imgcls.toml", "log.txt", "dataset.json")
    assert SEALED not in everything(*named, imgcls=imgcls, of=files)
    if (found := list(Path("runs").glob("baseline*/run.json"))) and kind == "table":
        assert SEALED not in found[0].read_text()


def losing(photos: Path, kind: str) -> tuple[tuple[object, ...], str]:
    """Lose photographs of one kind, and return the options that name the data, and what is said of the loss."""
    if kind == "unreadable":
        cut(photos / "dark" / "001.png")
        return ("--data", photos), "1 photograph cannot be used: 1 truncated."
    if kind == "unread":
        (photos / "dark" / "001.png").rename(photos / "dark" / "001.nef")
        return ("--data", photos), "1 photograph cannot be used: 1 camera RAW, not read."
    if kind == "excluded class":
        return ("--data", photos, "--exclude", "dark/00*", "--exclude", "dark/010.png"), "class 'dark' keeps 9 of 20."
    names = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.png"))
    listed = [*names, "light/gone.png"] if kind == "absent" else names[1:]
    rows = [f"{name},{name.split('/')[0]}" for name in listed]
    (photos.parent / "labels.csv").write_text("file,label\n" + "\n".join(rows) + "\n")
    source = ("--data", photos.parent / "labels.csv", "--images", photos)
    if kind == "absent":
        return (*source, "--missing", "exclude"), "1 photograph cannot be used: 1 named in labels.csv, and not there."
    return source, "1 photograph there and not used: 1 not listed in labels.csv."


@pytest.mark.parametrize("kind", ["unreadable", "unread", "absent", "not listed", "excluded class"])
def test_strict_stops_at_every_kind_of_loss(kind: str, imgcls, photos: Path) -> None:
    source, said = losing(photos, kind)
    begun = imgcls("init", source[1], *source[2:], "--yes", "--strict", "--json")
    if kind != "unreadable":  # init opens no photograph
        assert (begun.code, said in begun.err) == (3, True), begun.err
    assert json.loads(begun.out)["file"]
    Path("imgcls.toml").unlink()
    for words in (("recipe", "run"), ("ladder", "run"), ("ladder", "ablate")):
        stopped = imgcls(*words, "baseline+augmentation", *source, *TINY, "--strict")
        assert (stopped.code, said in stopped.err) == (3, True), stopped.err
        assert "nothing was trained" in stopped.err
    assert not list(Path().glob("runs/base*"))
    assert not Path("ladders").exists()
    assert imgcls("eda", *source, "--strict").code == 3
    told = json.loads(imgcls("recipe", "run", "baseline", *source, *TINY, "--strict", "--json").out)
    assert (told["error"]["type"], told["error"]["exit_code"]) == ("StrictError", 3)
    assert imgcls("recipe", "run", "baseline", *source, *TINY).code == 0


def test_strict_takes_what_somebody_decided(imgcls, photos: Path) -> None:
    run = ("recipe", "run", "baseline", "--data", photos, *TINY, "--strict")
    cut(photos / "dark" / "001.png")
    (photos / "dark" / "002.nef").write_bytes(b"x")
    (photos / "readme.txt").write_text("x")
    assert imgcls("eda", photos, "--exclude", "*.nef", "--strict").code == 3
    assert imgcls("eda", "apply", "broken").code == 0
    assert imgcls(*run, "--exclude", "*.nef").code == 0
    assert imgcls(*run).code == 3
    assert imgcls("eda", photos).code == 0
    assert imgcls("eda", "keep", "left_out", "--why", "raw files of the same").code == 0
    assert imgcls(*run).code == 0
    Path("findings.toml").unlink()
    assert imgcls("init", photos, "--yes", "--strict").code == 3
    assert imgcls("init", photos, "--exclude", "*.nef", "--yes", "--strict", "--force").code == 0


@pytest.mark.parametrize("known", [False, True])
def test_what_was_answered_stands_in_the_commands_that_follow(
    known: bool, imgcls, draw_photos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever types them is asked nothing again."""
    data = draw_photos(tmp_path / "photos", {"cafe\u0301": 12, "caf\u00e9": 12, "other": 12})
    source: tuple[object, ...] = ("--data", data)
    if known:
        Path("imgcls.toml").write_text(f'schema = 1\n[data]\nsource = "{data}"\n')
        source = ()
    monkeypatch.setattr("imgcls.cli.options.sys", Screen)
    monkeypatch.setattr("click.prompt", lambda *_, **__: 1)
    for words in (("recipe", "run", "baseline", *TINY), ("recipe", "run", "baseline", *TINY, "--folds", "2"), ("eda",)):
        done = imgcls(*words, *source)
        assert done.code == 0, done.err
        assert "Other commands need it too: --spelling join" in done.err
        following = [
            line for line in done.out.splitlines() if "imgcls recipe run base" in line and "Checklist" not in line
        ]
        assert following
        assert all("--spelling join" in line for line in following)


class Screen:
    """Streams that a person sits at."""

    class stdin:  # noqa: N801
        isatty = staticmethod(lambda: True)

    stderr = stdin
