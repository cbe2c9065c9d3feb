"""Copies are told from photographs that merely look alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageOps
from scipy.ndimage import gaussian_filter

from imgcls.data.cache import fill
from imgcls.data.decode import Preprocess
from imgcls.data.samples import Samples, frame_of
from imgcls.eda.duplicates import find_pairs
from imgcls.eda.facts import Pair
from imgcls.eda.scan import Scan, signature
from imgcls.eda.similarity import FLOOR, LEAST, N_NEIGHBOURS, SyntheticDuplicates, find_candidates, threshold, waves_of

LookAt = Callable[..., tuple[Pair, ...]]

SIDE = 80


def photo(number: int, *, frame: float = 0.0) -> Image.Image:
    """Draw a photograph whose detail is its own, as strong in every octave; `frame` is the share that all have."""
    own, shared = _scene(number), _scene(10_000)
    return Image.fromarray(np.clip(frame * shared + (1 - frame) * own, 0, 255).astype(np.uint8))


def _scene(number: int) -> np.ndarray:
    draws = np.random.default_rng([7, number])
    layers = [gaussian_filter(draws.normal(size=(SIDE, SIDE, 3)), (sigma, sigma, 0)) for sigma in (1, 2, 4, 8, 16)]
    return np.asarray(128 + 30 * sum(layer / layer.std() for layer in layers))


def saved(image: Image.Image, path: Path, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def saved_anew(image: Image.Image, path: Path) -> Path:
    """Save at 60 % of the size and quality 55."""
    size = (round(0.6 * image.width), round(0.6 * image.height))
    return saved(image.convert("RGB").resize(size, Image.Resampling.BILINEAR), path, quality=55)


@pytest.fixture
def many(tmp_path: Path) -> list[Path]:
    """Sixty photographs of a kind: three quarters of each are a frame that all share."""
    return [saved(photo(number, frame=0.75), tmp_path / f"{number:03d}.png") for number in range(60)]


@pytest.fixture
def pairs_of(tmp_path: Path) -> LookAt:
    """Look for copies among files; what is not given is one class, in train."""

    def look_at(
        paths: Sequence[Path], *, labels: Sequence[str] | None = None, splits: Sequence[str] | None = None
    ) -> tuple[Pair, ...]:
        photos = fill(paths, Preprocess(64), folder=tmp_path / "cache", name="drawn", budget_bytes=1 << 30)
        frame = frame_of(
            ids=[path.name for path in paths],
            paths=[str(path) for path in paths],
            labels=list(labels or ["a"] * len(paths)),
            splits=list(splits or ["train"] * len(paths)),
        )
        samples = Samples(frame, tuple(sorted(set(frame["label"]) - {""})), "multiclass", "drawn", tmp_path)
        samples = samples.with_sha256(photos.sha256)
        rows = np.arange(len(paths))
        scan = Scan(samples, photos, rows, pd.DataFrame(index=rows), signature(photos.pixels(rows)))
        return find_pairs(scan, progress=lambda done, total: None)

    return look_at


def told(pairs: Sequence[Pair]) -> list[tuple[str, str, str]]:
    return [(pair.first, pair.second, pair.kind) for pair in pairs]


def test_signatures_are_thumbnails_of_pillow() -> None:
    pixels = np.stack([np.asarray(photo(number)) for number in range(8)])
    gray = [Image.fromarray(one).convert("L").resize((32, 32), Image.Resampling.LANCZOS) for one in pixels]
    assert (signature(pixels) == np.stack([np.asarray(one) for one in gray])).all()


def test_photographs_of_a_kind_are_strangers_though_their_thumbnails_are_alike(
    many: list[Path], pairs_of: LookAt
) -> None:
    thumbnails = signature(np.stack([np.asarray(Image.open(path)) for path in many])).reshape(len(many), -1)
    likeness = np.corrcoef(thumbnails.astype(np.float64))[np.triu_indices(len(many), k=1)]
    assert (likeness > 0.9).sum() > 50, "the thumbnails alone raise alarms here"
    assert pairs_of(many) == ()


@pytest.mark.parametrize("kind", ["near copy", "mirrored"])
def test_copies_saved_anew_smaller_are_found_among_photographs_of_a_kind(
    many: list[Path], pairs_of: LookAt, kind: str
) -> None:
    image = Image.open(many[17])
    copy = saved_anew(ImageOps.mirror(image) if kind == "mirrored" else image, many[0].with_name("copy.jpg"))
    (pair,) = pairs_of([*many, copy])
    assert told([pair]) == [("017.png", "copy.jpg", kind)]
    assert 0.9 < pair.similarity < 1


def test_brighter_copies_are_found_and_recoloured_ones_are_none(many: list[Path], pairs_of: LookAt) -> None:
    pixels = np.asarray(Image.open(many[3]), dtype=np.float64)
    darker = saved(Image.fromarray((0.8 * pixels).astype(np.uint8)), many[0].with_name("darker.png"))
    dyed = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])  # the channels change places
    gray = pixels @ [0.299, 0.587, 0.114]
    colour = pixels @ dyed - (pixels @ dyed @ [0.299, 0.587, 0.114])[..., None]
    recoloured = np.clip(gray[..., None] + colour, 0, 255).astype(np.uint8)
    assert told(pairs_of([*many, darker])) == [("003.png", "darker.png", "near copy")]
    assert pairs_of([*many, saved(Image.fromarray(recoloured), many[0].with_name("dyed.png"))]) == ()


def test_equal_files_and_equal_pixels_are_told_apart(many: list[Path], pairs_of: LookAt) -> None:
    folder = many[0].parent
    (folder / "file.png").write_bytes(many[5].read_bytes())
    saved(Image.open(many[6]), folder / "pixels.bmp")
    pairs = pairs_of([*many, folder / "file.png", folder / "pixels.bmp"])
    assert told(pairs) == [("005.png", "file.png", "same file"), ("006.png", "pixels.bmp", "same pixels")]
    assert [pair.similarity for pair in pairs] == [1.0, 1.0]


def test_blank_photographs_are_no_near_copies(many: list[Path], pairs_of: LookAt) -> None:
    draws = np.random.default_rng(0)
    grays = [np.full((SIDE, SIDE, 3), level) + draws.integers(0, 2, (SIDE, SIDE, 1)) for level in (0, 90, 120, 121)]
    blank = [
        saved(Image.fromarray(gray.astype(np.uint8)), many[0].with_name(f"blank{number}.png"))
        for number, gray in enumerate(grays)
    ]
    assert pairs_of([*many, *blank]) == ()
    assert pairs_of(blank) == ()


def test_the_copies_of_one_photograph_are_paired_once_each(many: list[Path], pairs_of: LookAt) -> None:
    """More copies than a photograph has neighbours: every pair of them would be 45 pairs."""
    folder, image = many[0].parent, Image.open(many[2])
    n = 2 * N_NEIGHBOURS + 1
    copies = [
        saved(image.resize((40 + 2 * number,) * 2), folder / f"copy{number}.jpg", quality=60 + number)
        for number in range(n)
    ]
    mirrored = saved_anew(ImageOps.mirror(image), folder / "turned.jpg")
    pairs = pairs_of([*many, *copies, mirrored])
    assert {pair.second for pair in pairs} == {path.name for path in [*copies, mirrored]}
    assert {pair.first for pair in pairs} == {"002.png"}
    assert len(pairs) == n + 1
    assert [pair.kind for pair in pairs] == ["near copy"] * n + ["mirrored"]


def test_copies_in_two_families_are_copies_of_one_photograph(many: list[Path], pairs_of: LookAt) -> None:
    """Each of them has its nearest neighbours in its own family, fine or coarse."""
    folder, image = many[0].parent, Image.open(many[2])
    qualities = range(90, 90 + N_NEIGHBOURS + 2)
    fine = [saved(image, folder / f"fine{quality}.jpg", quality=quality) for quality in qualities]
    small = image.resize((SIDE // 2,) * 2, Image.Resampling.BOX)
    coarse = [saved(small, folder / f"coarse{quality}.jpg", quality=quality) for quality in qualities]
    pairs = pairs_of([*many, *fine, *coarse])
    assert {pair.second for pair in pairs} == {path.name for path in [*fine, *coarse]}
    assert {pair.first for pair in pairs} == {"002.png"}


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_handful_of_photographs(tmp_path: Path, pairs_of: LookAt, n: int) -> None:
    own = [saved(photo(number), tmp_path / f"{number}.png") for number in range(n)]
    assert pairs_of(own) == ()
    copy = saved_anew(photo(0), tmp_path / "copy.jpg")
    assert told(pairs_of([*own, copy])) == [("0.png", "copy.jpg", "near copy")]


def test_nothing_and_single_pixels(tmp_path: Path, pairs_of: LookAt) -> None:
    dots = [saved(Image.new("RGB", (1, 1), (level, 0, 0)), tmp_path / f"dot{level}.png") for level in (0, 1, 60, 200)]
    assert pairs_of(dots) == ()
    (tmp_path / "again.png").write_bytes(dots[0].read_bytes())
    assert told(pairs_of([*dots, tmp_path / "again.png"])) == [("dot0.png", "again.png", "same file")]
    assert pairs_of([]) == ()


def test_pairs_know_whether_they_cross_splits_and_contradict(many: list[Path], pairs_of: LookAt) -> None:
    folder = many[0].parent
    copies = [saved_anew(Image.open(many[row]), folder / f"copy{row}.jpg") for row in range(4)]
    labels = ["a"] * len(many) + ["a", "b", "b", ""]
    splits = ["train"] * len(many) + ["valid", "train", "test", "train"]
    pairs = {pair.first: pair for pair in pairs_of([*many, *copies], labels=labels, splits=splits)}
    assert [(pair.is_across, pair.is_conflict) for pair in pairs.values()] == [
        (True, False),
        (False, True),
        (True, False),
        (False, False),
    ]
    assert pairs["000.png"].labels == ("a", "a")
    assert pairs["002.png"].labels is None, "the labels of test are sealed"
    assert pairs["003.png"].labels is None


def test_a_labelled_photograph_outside_test_stands_for_its_copies(many: list[Path], pairs_of: LookAt) -> None:
    """So that two contradicting labels are seen although the first copy lies in test."""
    folder = many[0].parent
    for name in ("one.png", "two.png"):
        (folder / name).write_bytes(many[0].read_bytes())
    paths = [*many, folder / "one.png", folder / "two.png"]
    splits = ["test", *["train"] * (len(paths) - 1)]
    pairs = pairs_of(paths, labels=["a"] * (len(paths) - 1) + ["b"], splits=splits)
    assert told(pairs) == [("000.png", "one.png", "same file"), ("one.png", "two.png", "same file")]
    assert [pair.is_conflict for pair in pairs] == [False, True]


def test_the_order_of_the_photographs_changes_nothing(many: list[Path], pairs_of: LookAt) -> None:
    folder = many[0].parent
    copies = [saved_anew(Image.open(many[row]), folder / f"copy{row}.jpg") for row in range(3)]
    copies += [saved_anew(ImageOps.mirror(Image.open(many[9])), folder / "turned.jpg")]
    paths = [*many, *copies]
    pairs = pairs_of(paths)
    assert pairs_of(paths) == pairs
    order = np.random.default_rng(1).permutation(len(paths))
    shuffled = pairs_of([paths[place] for place in order])
    assert {frozenset(pair[:2]) for pair in told(shuffled)} == {frozenset(pair[:2]) for pair in told(pairs)}
    assert len(pairs) == 4


def test_candidates_are_the_nearest_neighbours_however_many_look_alike() -> None:
    draws = np.random.default_rng(0)
    alike = np.clip(_scene(1)[:32, :32, 0] + draws.normal(0, 8, (300, 32, 32)), 0, 255).astype(np.uint8)
    alike[200] = np.clip(alike[10].astype(int) + 1, 0, 255)
    alike[201] = alike[11][:, ::-1]
    found = find_candidates(alike, progress=lambda done, total: None)
    ends = set(zip(found.first.tolist(), found.second.tolist(), found.mirrored.tolist(), strict=True))
    assert {(10, 200, False), (11, 201, True)} <= ends
    assert len(found) <= 2 * N_NEIGHBOURS * len(alike)
    assert (found.first < found.second).all()


def test_candidates_have_the_largest_products_of_all() -> None:
    """The vectors are shorter than 1, a dull one most of all, so that the nearest would be others."""
    draws = np.random.default_rng(4)
    contrast = draws.uniform(0.02, 0.3, (90, 1, 1))
    scenes = np.stack([_scene(number % 10)[:32, :32, 1] for number in range(90)])
    thumbnails = 128 + contrast * (scenes - 128 + draws.normal(0, 10, scenes.shape))
    thumbnails = np.clip(thumbnails, 0, 255).astype(np.uint8)
    even, odd = (part.astype(np.float64) for part in waves_of(thumbnails))
    expected = set()
    for mirrored, products in ((False, even @ even.T + odd @ odd.T), (True, even @ even.T - odd @ odd.T)):
        np.fill_diagonal(products, -1)
        for row, nearest in enumerate(np.argsort(-products, axis=1)[:, :N_NEIGHBOURS]):
            near = nearest[products[row, nearest] > FLOOR].tolist()
            expected |= {(min(row, other), max(row, other), mirrored) for other in near}
    found = find_candidates(thumbnails, progress=lambda done, total: None)
    ends = list(zip(found.first.tolist(), found.second.tolist(), found.mirrored.tolist(), strict=True))
    assert len(ends) == len(set(ends)) > 90
    assert set(ends) == expected


def test_the_threshold_lies_beyond_the_strangers_and_below_the_copies() -> None:
    draws = np.random.default_rng(3)
    made = SyntheticDuplicates(np.ones(3, dtype=bool), score=4.0, colours=0.9)
    n_beyond = 0
    for _ in range(50):
        strangers = 1.0 + draws.exponential(0.15, 2000)
        least = threshold(np.append(strangers, [4.2, 4.5]), made, n=2000)
        assert LEAST < least < 4
        n_beyond += int((strangers >= least).sum())
    assert n_beyond <= 15, "a tenth of a stranger is expected for each set"


def test_among_many_copies_a_few_strangers_are_let_through() -> None:
    """Strangers fall slowly here: where none at all may pass, a sixth of many copies is missed."""
    draws = np.random.default_rng(5)
    made = SyntheticDuplicates(np.ones(3, dtype=bool), score=2.3, colours=0.9)
    n_found, n_strangers = [], []
    for n_copies in (0, 20, 400):
        found = strangers = 0
        for _ in range(20):
            alone, copies = draws.exponential(0.25, 6000), draws.normal(3.2, 0.35, n_copies)
            least = threshold(np.append(alone, copies), made, n=6000)
            found, strangers = found + int((copies >= least).sum()), strangers + int((alone >= least).sum())
        n_found.append(found)
        n_strangers.append(strangers)
    assert max(n_strangers[:2]) <= 12, "a quarter of a stranger is expected in each set, where there are few copies"
    assert n_strangers[2] <= 0.06 * n_found[2]
    assert n_found[1] / 400 < 0.9 < 0.98 < n_found[2] / 8000


def test_where_strangers_are_as_alike_as_copies_more_is_asked_for() -> None:
    made = SyntheticDuplicates(np.ones(3, dtype=bool), score=2.0, colours=0.9)
    draws = np.random.default_rng(4)
    assert min(threshold(draws.uniform(1.0, 2.0, 1000), made, n=1000) for _ in range(50)) > made.score
    rising = made.score - np.linspace(0.01, 1.0, 1000) ** 2
    assert threshold(rising, made, n=1000) == np.inf


def test_few_photographs_have_to_be_as_alike_as_copies_made_by_hand() -> None:
    made = SyntheticDuplicates(np.ones(3, dtype=bool), score=2.5, colours=0.9)
    assert threshold(np.array([0.2, 0.4, 2.0]), made, n=5) == 2.5
    assert threshold(np.array([0.2, 0.4, 2.0]), made, n=500) == LEAST
