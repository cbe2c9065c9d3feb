"""`imgcls explain` as a person meets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from tests.cli.conftest import Result

_SMALL = ("--set", "images.size_px=48", "--set", "fit.batch_size=8")


@pytest.mark.train
def test_a_mark_is_found_and_its_photographs_are_explained(
    imgcls: Callable[..., Result],
    marked_folder: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photos, place, pictures = marked_folder(), tmp_path / "work", tmp_path / "why"
    place.mkdir()
    monkeypatch.chdir(place)
    trained = imgcls("recipe", "run", "baseline:model=simple_cnn,epochs=8", "--data", photos, *_SMALL, "--json")
    run = json.loads(trained.out)["run"]

    found = imgcls("explain", run)
    assert found.code == 0
    assert "One region decides: upper left" in found.out
    assert json.loads(imgcls("explain", run, "--json").out)["one_decides"] is True
    assert "One region decides (upper left)" in " ".join(imgcls("checklist").out.split())

    some = photos / "red" / "000.png"
    told = imgcls("explain", run, some, "gone.jpg", "-o", pictures)
    assert told.code == 1
    assert "gone.jpg is neither a file nor the id" in " ".join(told.out.split())
    with Image.open(pictures / "001-1.png") as picture:
        assert picture.width > 2 * 320
    written = json.loads((pictures / "explain.json").read_text())
    assert [one["photo"] for one in written["pictures"]] == [str(some)]
    both = imgcls("explain", run, some, photos / "blue" / "001.png", "-o", pictures)
    assert (both.code, (pictures / "002-1.png").exists()) == (0, True)
    (pictures / "001-1.png").unlink()  # as a call that was cut short leaves it
    assert imgcls("explain", run, some, "-o", pictures).code == 0
    assert {path.name for path in pictures.iterdir()} == {"001-1.png", "explain.json"}
    refused = imgcls("explain", run, some, "-o", photos)
    assert (refused.code, "in use for something else" in refused.err) == (2, True)
    assert "no layer 'blocks.99'" in imgcls("explain", run, some, "--layer", "blocks.99").err
    assert "no class 'green'" in imgcls("explain", run, some, "--class", "green").err

    validated = pd.read_parquet(place / "runs" / run / "valid.parquet")["id"][0]
    told = json.loads(imgcls("explain", run, validated, "--json").out)
    assert told["pictures"][0]["label"] == validated.partition("/")[0]
    assert imgcls("runs", "map", run, "--no-images", "--features").code == 2

    assert imgcls("report", run, "--heat-maps").code == 0
    page = (place / "reports" / f"{run}.html").read_text(encoding="utf-8")
    assert "Where the network looked for" in page
    assert "One region of the pictures decides (upper left)" in page
    assert imgcls("report", run, "--format", "json").code == 0
    assert json.loads((place / "reports" / f"{run}.json").read_text(encoding="utf-8"))["region"]["one_decides"] is True

    (photos / "red" / "new.png").write_bytes(some.read_bytes())
    changed = imgcls("explain", run, validated)
    assert (changed.code, "changed since" in " ".join(changed.out.split())) == (1, True)


def test_heat_maps_are_those_of_one_network(imgcls: Callable[..., Result], drawn_ladder) -> None:
    _, workspace = drawn_ladder()
    refused = imgcls("report", "drawn", "--heat-maps", "--out", workspace.root)
    assert (refused.code, "name a run" in refused.err) == (2, True)
