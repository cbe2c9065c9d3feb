from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from imgcls.data.source import DataSource
from imgcls.eda.facts import Facts, Outlier, Pair
from imgcls.eda.plots.canvas import UNIT_DPI, drawing, fitted, heading, new_figure, png_of, write
from imgcls.eda.plots.charts import classes_figure, light_figure, sizes_figure, together_figure
from imgcls.eda.plots.sheets import (
    TOP,
    Box,
    Grid,
    augmented_figure,
    class_sheets,
    compared,
    draw,
    pairs_figure,
    photograph,
)
from imgcls.eda.scan import IMAGE_MEASURES, Scan, scan_data
from imgcls.eda.statistics import class_facts, occurring_together
from imgcls.engine.progress import Silent
from imgcls.plan import Images

MakeFacts = Callable[..., Facts]
HOSTILE = ("$\\nothing{0}$", "<script>", "\x1b[2J", "🐈 고양이", "w" * 250, "\u202eeel", "a\nb")


def texts(figure) -> list[str]:
    every = [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]
    return [text.get_text() for text in every]


def tick_names(axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def draw_photos(folder: Path, classes: tuple[str, ...], *, n: int = 5) -> Path:
    for split in ("train", "valid", "test"):
        for place, name in enumerate(classes):
            (folder / split / name).mkdir(parents=True)
            for number in range(n):
                seed = [("train", "valid", "test").index(split), place, number]
                pixels = np.random.default_rng(seed).integers(0, 256, (20 + 4 * place, 30, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{split}-{number}.png")
    return folder


def looked_at(folder: Path, drawn_facts: MakeFacts, **changes: object) -> tuple[Facts, Scan]:
    scan = scan_data(DataSource(folder), Images(size_px=32), quick=False, reporter=Silent()).scan
    facts = drawn_facts(duplicates=(), odd=(), findings=(), pictures={})
    data = facts.data.model_copy(update={"classes": scan.samples.classes, "problem": scan.samples.problem})
    together = occurring_together(scan.samples)
    found = {"data": data, "classes": class_facts(scan.samples), "together": together}
    return facts.model_copy(update=found | changes), scan


@pytest.fixture
def pets(tmp_path: Path, drawn_facts: MakeFacts) -> tuple[Facts, Scan]:
    return looked_at(draw_photos(tmp_path / "pets", ("cat", "dog")), drawn_facts)


def test_everything_is_drawn_and_small(pets: tuple[Facts, Scan], tmp_path: Path) -> None:
    facts, scan = pets
    ids = scan.samples.frame["id"].tolist()
    pair = Pair(first=ids[0], second=ids[1], kind="near copy", similarity=0.9, splits=("test", "test"), labels=None)
    odd = Outlier(id=ids[2], split="test", label="", distance=2.0, why="picture")
    facts = facts.model_copy(update={"duplicates": (pair,), "odd": (odd,)})
    files = draw(facts, scan, tmp_path / "reports")
    names = ["classes", "compared", "sheet: cat", "sheet: dog", "sizes", "light", "duplicates", "odd", "curve"]
    assert list(files) == names
    for file in files.values():
        with Image.open(tmp_path / "reports" / file) as image:
            assert image.format == "PNG"
            assert image.info.keys() <= {"dpi"}  # neither date nor version
        assert (tmp_path / "reports" / file).stat().st_size <= 400_000


def test_equal_facts_give_equal_bytes_whatever_the_order(pets: tuple[Facts, Scan], tmp_path: Path) -> None:
    facts, scan = pets
    first, again, other = (tmp_path / name for name in ("first", "again", "other"))
    files = draw(facts, scan, first)
    order = np.random.default_rng(1).permutation(len(scan.samples))
    frame = scan.samples.frame.iloc[order].reset_index(drop=True)
    shuffled = replace(
        scan,
        samples=replace(scan.samples, frame=frame),
        measures=scan.measures.iloc[order].reset_index(drop=True),
        store_rows=scan.store_rows[order],
    )
    assert draw(facts, shuffled, again) == files
    assert all((first / file).read_bytes() == (again / file).read_bytes() for file in files.values())
    draw(facts, scan, other, seed=1)
    sheet = files["sheet: cat"]
    assert (first / sheet).read_bytes() != (other / sheet).read_bytes()
    assert (first / files["classes"]).read_bytes() == (other / files["classes"]).read_bytes()


def test_a_sheet_has_the_ids_and_nothing_of_test(pets: tuple[Facts, Scan]) -> None:
    facts, scan = pets
    with drawing():
        sheets = dict(class_sheets(facts, scan.samples, seed=0))
    assert list(sheets) == ["cat", "dog"]
    for name, figure in sheets.items():
        shown = [text.replace("\n", "") for text in texts(figure)]
        assert shown[0] == name
        assert "10 photographs (train 5, valid 5)" in shown[1]
        own = {text.removeprefix("valid: ") for text in shown[2:]}
        known = scan.samples.frame
        expected = set(known["id"][(known["label"] == name) & (known["split"] != "test")])
        assert own == expected
        assert len(figure.images) == 10
        assert sum(text.startswith("valid: ") for text in shown) == 5


def test_sealed_labels_change_no_picture(pets: tuple[Facts, Scan], tmp_path: Path) -> None:
    facts, scan = pets
    frame = scan.samples.frame.copy()
    files = draw(facts, scan, tmp_path / "before")
    frame.loc[frame["split"] == "test", "label"] = "cat"
    draw(facts, replace(scan, samples=replace(scan.samples, frame=frame)), tmp_path / "after")
    for file in files.values():
        assert (tmp_path / "before" / file).read_bytes() == (tmp_path / "after" / file).read_bytes()


def test_photographs_are_whole_upright_and_in_their_proportions(tmp_path: Path) -> None:
    pixels = np.zeros((40, 80, 3), dtype=np.uint8)
    pixels[:, :40] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    Image.fromarray(pixels).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    shown = photograph(tmp_path / "turned.jpg", Box(50, 60))
    assert shown is not None
    assert shown.shape == (60, 30, 3)
    assert shown[:25].mean() > 240
    assert shown[35:].mean() < 15
    wide = photograph(tmp_path / "turned.jpg", Box(20, 90))
    assert wide is not None
    assert wide.shape == (40, 20, 3)


def test_a_photograph_that_is_gone_leaves_a_box(pets: tuple[Facts, Scan], tmp_path: Path) -> None:
    facts, scan = pets
    rows = scan.samples.frame.index[(scan.samples.frame["label"] == "cat") & (scan.samples.frame["split"] == "train")]
    paths = scan.samples.frame["path"]
    Path(paths[rows[0]]).unlink()
    Path(paths[rows[1]]).write_bytes(b"no photograph")
    with drawing():
        figure = dict(class_sheets(facts, scan.samples, seed=0))["cat"]
    assert texts(figure).count("cannot be read") == 2
    assert len(figure.images) == 8
    assert "sheet: cat" in draw(facts, scan, tmp_path / "reports")


def test_what_is_not_drawn_any_more_is_removed_and_nothing_else(pets: tuple[Facts, Scan], tmp_path: Path) -> None:
    facts, scan = pets
    place = tmp_path / "pictures"
    place.mkdir()
    for name in ("sheet-024-old.png", "sheet-007.png", "odd.png", "mine.png", "augment-baseline.png", "classes.txt"):
        (place / name).write_bytes(b"x")
    draw(facts, scan, tmp_path)
    left = {path.name for path in place.iterdir()}
    assert {"mine.png", "augment-baseline.png", "classes.txt"} <= left
    assert not {"sheet-024-old.png", "sheet-007.png", "odd.png"} & left


def test_hostile_names_are_literal(tmp_path: Path, drawn_facts: MakeFacts) -> None:
    facts, scan = looked_at(draw_photos(tmp_path / "photos", HOSTILE, n=2), drawn_facts)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        files = draw(facts, scan, tmp_path / "reports")
        with drawing():
            names = tick_names(classes_figure(facts).axes[0])
    assert set(files) > {f"sheet: {name}" for name in HOSTILE}
    assert all(Path(file).name.isascii() and len(file) < 80 for file in files.values())
    assert {"$\\nothing{0}$", "<script>", "\\x1b[2J", "\\u202eeel", "a\\nb"} <= set(names)
    assert any(name.startswith("www") and "…" in name for name in names)


@pytest.mark.parametrize(("n", "n_bars", "n_axes"), [(2, 2, 4), (10, 10, 4), (40, 40, 4), (100, 24, 5), (1000, 24, 5)])
def test_the_distribution_can_be_read_with_any_number_of_classes(
    drawn_facts: MakeFacts, n: int, n_bars: int, n_axes: int
) -> None:
    facts = drawn_facts({f"class {number}": (1 + number, 1) for number in range(n)})
    with drawing():
        figure = classes_figure(facts)
        assert len(png_of(figure)) <= 400_000
    assert len(figure.axes) == n_axes
    bars = next(axes for axes in figure.axes if axes.get_title(loc="left").startswith("train"))
    assert bars.get_title(loc="left") == f"train: {n * (n + 1) // 2:,}"
    assert len(bars.patches) == n_bars == len(tick_names(bars))
    assert sum("other classes" in text for text in texts(figure)) == (2 if n > 9 else 0)
    assert any("Test: 30 photographs, their labels sealed." in text for text in texts(figure))


@pytest.mark.parametrize("n_rarer", [0, 7, 20])
def test_a_class_has_the_same_colour_in_each_pie(drawn_facts: MakeFacts, n_rarer: int) -> None:
    rarer = {f"rare {number}": (2, 2) for number in range(n_rarer)}
    with drawing():
        figure = classes_figure(drawn_facts({"cat": (90, 20), "dog": (50, 40), **rarer}))
    legends = [text for text in figure.texts if text.get_text() in {"■", "cat", "dog"}]
    colours: dict[str, set[object]] = {"cat": set(), "dog": set()}
    for square, name in itertools.pairwise(legends):
        if square.get_text() == "■" and name.get_text() in colours:
            colours[name.get_text()].add(square.get_color())
    assert [len(found) for found in colours.values()] == [1, 1]
    assert colours["cat"] != colours["dog"]


def test_a_split_without_labels_has_no_pie(drawn_facts: MakeFacts) -> None:
    with drawing():
        figure = classes_figure(drawn_facts({"cat": (5, 0), "dog": (3, 0)}, n_test=0))
    assert "nothing is labelled" in texts(figure)
    assert any("There is no test split." in text for text in texts(figure))


def test_classes_together(drawn_facts: MakeFacts) -> None:
    together = ((100, 30, 0), (30, 50, 2), (0, 2, 10))
    with drawing():
        figure = together_figure(drawn_facts(problem="multilabel", together=together))
    assert [text.get_text() for text in figure.axes[0].texts] == ["100", "30", "0", "30", "50", "2", "0", "2", "10"]


@pytest.mark.parametrize("n_sizes", [1, 30, 900])
def test_sizes_as_dots_or_as_a_density(
    drawn_facts: MakeFacts, made_samples: Callable[..., object], n_sizes: int
) -> None:
    n = 1000
    samples = made_samples(["cat", "dog"] * (n // 2), ["train"] * (n - 100) + ["valid"] * 100)
    sides = 40 + np.arange(n) % n_sizes
    measures = pd.DataFrame({**dict.fromkeys(IMAGE_MEASURES, 1.0), "width_px": sides, "height_px": 2 * sides})
    with drawing():
        figure = sizes_figure(drawn_facts(), measures, samples)
        png_of(figure)
    assert [axes.get_title(loc="left").split(":")[0] for axes in figure.axes] == ["train", "valid"]
    kinds = {type(mark).__name__ for axes in figure.axes[:1] for mark in axes.collections}
    assert kinds == ({"QuadMesh"} if n_sizes > 400 else {"PathCollection"})


def test_measures_that_are_missing_or_all_the_same(drawn_facts: MakeFacts, made_samples: Callable[..., object]) -> None:
    samples = made_samples(["cat", "dog"], ["train", "valid"])
    for value in (np.nan, 0.0, 7.0):
        measures = pd.DataFrame({name: [value, value] for name in IMAGE_MEASURES})
        with drawing():
            light, sizes = light_figure(measures, samples), sizes_figure(drawn_facts(), measures, samples)
            assert {png_of(figure)[:4] for figure in (light, sizes)} == {b"\x89PNG"}
        n_shown = sum(bool(axes.collections) for axes in sizes.axes)
        assert n_shown == (0 if np.isnan(value) else 2)


def test_pairs_stand_with_the_worst_first(pets: tuple[Facts, Scan]) -> None:
    facts, scan = pets
    ids = scan.samples.frame["id"].tolist()

    def pair(first: int, splits: tuple[str, str], labels: tuple[str, str] | None) -> Pair:
        return Pair(
            first=ids[first], second=ids[first + 1], kind="near copy", similarity=0.9, splits=splits, labels=labels
        )

    pairs = (
        pair(0, ("train", "train"), ("cat", "cat")),
        pair(2, ("train", "train"), ("cat", "dog")),
        pair(4, ("train", "test"), None),
    )
    with drawing():
        figure = pairs_figure(facts.model_copy(update={"duplicates": pairs}), scan.samples)
    shown = texts(figure)
    assert shown[1] == "3 pairs: 1 across splits, 1 with different labels."
    heads = [text for text in shown if text.startswith("near copy")]
    assert heads == [
        "near copy (0.900); across splits",
        "near copy (0.900); labels differ",
        "near copy (0.900)",
    ]
    below = [text.replace("\n", "") for text in shown if ids[5] in text.replace("\n", "")]
    assert below == [f"test: {ids[5]}"]


def test_the_classes_are_compared_in_rows(pets: tuple[Facts, Scan]) -> None:
    facts, scan = pets
    with drawing():
        figure = compared(facts, scan.samples, seed=0)
    assert {"cat", "dog"} <= set(texts(figure))
    assert len(figure.images) == 2 * Grid.of(1.33, area_px=80**2, left=150, gap=6).n_columns


def test_nothing_of_the_user_s_style_or_of_pyplot_is_touched(drawn_facts: MakeFacts) -> None:
    before = dict(mpl.rcParams)
    with drawing():
        plain = png_of(classes_figure(drawn_facts()))
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red"}), drawing():
        assert png_of(classes_figure(drawn_facts())) == plain
    assert dict(mpl.rcParams) == before


def test_long_names_keep_their_ends() -> None:
    with drawing():
        assert fitted("short", 200, size=8) == "short"
        one = fitted("beginning-" + "x" * 300 + "-end", 120, size=8)
        assert one.startswith("beg")
        assert one.endswith("nd")
        assert "…" in one
        two = fitted("beginning-" + "x" * 300 + "-end", 120, size=8, n_lines=2)
        assert two.startswith("beginning-")
        assert two.endswith("-end")
        assert two.count("\n") == 1
        assert fitted("W" * 50, 1, size=8) == "…"


def test_large_pictures_keep_fewer_shades_and_their_paper_white() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 500, 3)).astype(np.uint8)
    with drawing():
        figure = new_figure(600, 450, sharpness=1)
        figure.figimage(noise, 50, 25, origin="upper")
        write(figure, 5, 5, "noise")
        content = png_of(figure)
    with Image.open(BytesIO(content)) as image:
        pixels = np.asarray(image)
    assert pixels[-1, -1].tolist() == [255, 255, 255]
    assert len(content) < 450_000
    assert np.abs(pixels[25:425, 50:550].astype(int) - noise).max() <= 9


@pytest.mark.parametrize("width", [460, 620, 1000])
def test_no_sentence_is_cut_and_no_word_leaves_the_picture(width: int) -> None:
    """Names in a title are shortened; a sentence goes on in another line."""
    about = "How many times farther than usual each lies from those like it. Wrong, broken or rare? Look first. T"
    with drawing():
        figure = new_figure(width, 200)
        heading(figure, "What training sees: baseline+augmentation+adamw_cosine+label_smoothing+mixup " * 2, about)
        title, sentence = figure.texts
        assert "…" in title.get_text()
        assert " ".join(sentence.get_text().split()) == about
        for text in figure.texts:
            box = text.get_window_extent(figure.canvas.get_renderer())
            assert box.x1 <= figure.bbox.x1
            assert figure.bbox.y1 - box.y0 <= TOP * figure.dpi / UNIT_DPI


def test_notes_below_a_picture_are_whole() -> None:
    note = "Each of the photographs is drawn several times, as training with this stack would see it in its epochs; "
    pixels = np.zeros((1, 3, 16, 16, 3), np.uint8)
    with drawing():
        figure = augmented_figure(pixels, title="x", classes=["cat"], ids=["a.jpg"], notes=[note * 3])
    shown = " ".join(texts(figure))
    assert " ".join((note * 3).split()) in " ".join(shown.split())
    assert (
        "Would you give each one the label of its row? Where a flip, a turn or a colour changes it, leave that" in shown
    )
