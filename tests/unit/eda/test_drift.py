import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from imgcls.eda.drift import N_FOLDS, domain_auc, find_drift
from imgcls.eda.facts import is_drifted
from imgcls.eda.features import Features
from imgcls.eda.statistics import PermutationFolds, principal_components


def split_scan(draw_scan, *, n_train=300, n_test=200, shift=0.0, groups=None, seed=0):
    rng = np.random.default_rng([seed, 1])
    n = n_train + n_test
    splits = ["train"] * n_train + ["test"] * n_test
    brightness = rng.normal(120, 20, n) + shift * (np.arange(n) >= n_train)
    labels = rng.choice(["a", "b"], n)
    return draw_scan(labels, splits=splits, groups=groups, measures={"brightness": brightness}, seed=seed)


def features_of(scan, *, shift=0.0, seed=0):
    rng = np.random.default_rng([seed, 2])
    is_test = (scan.samples.frame["split"] == "test").to_numpy()
    values = rng.normal(size=(len(scan.samples), 40)) + shift * is_test[:, None] * (np.arange(40) < 4)
    return Features(np.arange(len(scan.samples)), values.astype(np.float32))


def found(scan, features=None):
    drifts = find_drift(scan, features)
    return {drift.by for drift in drifts if is_drifted(drift, n_comparisons=len(drifts))}


def test_parts_are_told_apart_as_by_the_discriminant_with_shrinkage():
    rng = np.random.default_rng(6)
    is_part = np.arange(120) >= 70
    values = rng.normal(size=(120, 40)) + 0.6 * is_part[:, None] * (np.arange(40) < 5)
    units = np.arange(120)
    components = principal_components(values)
    folds = PermutationFolds.of(is_part, units, n_folds=N_FOLDS, rng=np.random.default_rng([3, 4])).folds
    aucs = []
    for fold in range(N_FOLDS):
        seen = components[folds != fold]
        spread = (seen - seen.mean(axis=0)).T @ (seen - seen.mean(axis=0))
        shrunk = 0.9 * spread + 0.1 * np.trace(spread) / len(spread) * np.eye(len(spread))
        share = is_part[folds != fold]
        direction = np.linalg.solve(shrunk, seen[share].mean(axis=0) - seen[~share].mean(axis=0))
        aucs.append(roc_auc_score(is_part[folds == fold], components[folds == fold] @ direction))
    assert domain_auc(values, is_part, units, seed=3)[0] == pytest.approx(np.mean(aucs), abs=1e-12)


def test_brighter_images_in_test_are_found_and_nothing_else(draw_scan):
    scan = split_scan(draw_scan, shift=20)
    assert found(scan, features_of(scan)) == {"brightness"}
    drift = next(entry for entry in find_drift(scan, None) if entry.by == "brightness")
    assert drift.auc == pytest.approx(0.76, abs=0.04)  # of two normals one deviation apart
    assert drift.n == (300, 200)
    assert drift.parts == ("train", "test")


def test_other_pictures_in_test_are_found(draw_scan):
    scan = split_scan(draw_scan)
    assert found(scan, features_of(scan, shift=0.8)) == {"pictures"}


def test_parts_that_are_alike_are_told_apart_no_more_often_than_chance_allows():
    p = []
    for turn in range(200):
        rng = np.random.default_rng([3, turn])
        p.append(domain_auc(rng.normal(size=(80, 30)), np.arange(80) >= 50, np.arange(80), seed=turn)[1])
    assert sum(value <= 0.05 for value in p) <= 20
    assert 0.35 < np.mean(p) < 0.65


def test_a_handful_of_groups_proves_no_drift(draw_scan):
    rng = np.random.default_rng(4)
    groups = [f"g{number // 40}" for number in range(480)]
    by_group = np.repeat(rng.normal(120, 20, 12), 40)
    splits = ["train"] * 320 + ["test"] * 160
    labels = rng.choice(["a", "b"], 480)
    noisy = by_group + rng.normal(0, 2, 480)
    alone = draw_scan(labels, splits=splits, measures={"brightness": noisy})
    grouped = draw_scan(labels, splits=splits, groups=groups, measures={"brightness": noisy})
    assert "brightness" in found(alone)
    assert "brightness" not in found(grouped)


def test_few_images_give_no_small_p(draw_scan):
    assert find_drift(split_scan(draw_scan, n_train=8, n_test=8, shift=90), None) == ()
    scan = split_scan(draw_scan, n_train=12, n_test=12)
    assert found(scan, features_of(scan)) == set()


def test_a_measure_that_is_the_same_everywhere_is_left_out(draw_scan):
    assert "size" not in {drift.by for drift in find_drift(split_scan(draw_scan), None)}


def test_features_that_are_all_alike_do_not_fail(draw_scan):
    scan = split_scan(draw_scan)
    drifts = find_drift(scan, Features(np.arange(500), np.ones((500, 4), dtype=np.float32)))
    pictures = next(drift for drift in drifts if drift.by == "pictures")
    assert pictures.auc == pytest.approx(0.5)
    assert pictures.p == 1.0
