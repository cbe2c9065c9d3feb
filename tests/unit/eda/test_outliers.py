import numpy as np
import pytest
from scipy.spatial.distance import cdist

from imgcls.eda.features import Features
from imgcls.eda.outliers import MOST_ODD, find_outliers, neighbour_distances


def test_distances_are_those_of_all_pairs():
    points = np.random.default_rng(0).normal(size=(60, 5))
    points[7] = points[3]  # a copy is a neighbour, the point itself is none
    distances = np.sort(cdist(points, points), axis=1)[:, 1:6]
    assert neighbour_distances(points) == pytest.approx(distances.mean(axis=1))


def test_a_picture_unlike_the_others_is_found(draw_scan):
    rng = np.random.default_rng(1)
    values = rng.normal(size=(300, 20))
    values[17] += 8
    splits = ["train"] * 17 + ["test"] + ["train"] * 282
    scan = draw_scan(["a", "b"] * 150, splits=splits)
    first = find_outliers(scan, Features(np.arange(300), values.astype(np.float32)))[0]
    assert (first.id, first.why, first.label) == (scan.samples.frame["id"][17], "picture", "")
    assert first.distance > 2


def test_blank_dark_and_large_images_are_found_without_features(draw_scan):
    rng = np.random.default_rng(2)
    contrast, brightness, width = rng.normal(50, 8, 200), rng.normal(120, 10, 200), rng.integers(90, 110, 200)
    contrast[3], brightness[5], width[7] = 0.0, 3.0, 4000
    scan = draw_scan(
        ["a", "b"] * 100,
        measures={"contrast": contrast, "brightness": brightness, "width_px": width, "height_px": width},
    )
    odd = find_outliers(scan, None)
    ids = scan.samples.frame["id"]
    assert [(entry.id, entry.why) for entry in odd[:1]] == [(ids[3], "blank")]
    assert {(ids[5], "dark"), (ids[7], "large")} == {(entry.id, entry.why) for entry in odd[1:]}


def test_two_kinds_of_images_are_both_normal(draw_scan):
    width = np.where(np.arange(200) % 8 == 0, 100, 300)
    assert find_outliers(draw_scan(["a", "b"] * 100, measures={"width_px": width}), None) == ()


def test_no_more_than_a_person_looks_at_and_few_images_have_none(draw_scan):
    contrast = np.zeros(100)
    assert len(find_outliers(draw_scan(["a", "b"] * 50, measures={"contrast": contrast}), None)) == MOST_ODD
    assert find_outliers(draw_scan(["a", "b"] * 5, measures={"contrast": contrast[:10]}), None) == ()
