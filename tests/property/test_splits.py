"""What holds for every split, and for folds, whatever the samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imgcls.data.samples import Samples, class_order, classes_in, frame_of
from imgcls.data.split import Fold, fold_samples, split_samples
from imgcls.errors import DataError

LABELS = {"multiclass": ["a", "b", "c"], "multilabel": ["a", "b", "a|b", "b|c", "|"]}


@st.composite
def data_sets(draw: st.DrawFn) -> Samples:
    """Small data sets with uneven classes, some groups, some duplicates and some given test samples."""
    problem = draw(st.sampled_from(["multiclass", "multilabel"]))
    n = draw(st.integers(4, 40))

    def column(values: st.SearchStrategy[str]) -> list[str]:
        return draw(st.lists(values, min_size=n, max_size=n))

    labels = column(st.sampled_from(LABELS[problem]))
    names = {name for label in labels for name in classes_in(label)}
    ids = [f"{position:03d}" for position in range(n)]
    frame = frame_of(
        ids=ids,
        paths=[f"/photos/{name}" for name in ids],
        labels=labels,
        groups=column(st.sampled_from(["", "", "g1", "g2", "g3", "g4"])) if draw(st.booleans()) else None,
        splits=column(st.sampled_from(["", "", "", "test"])),
    )
    contents = [name if content == "own" else content for name, content in zip(ids, column(COPIES), strict=True)]
    return Samples(frame, class_order(names), problem, "drawn", Path("/photos")).with_sha256(contents)  # type: ignore[arg-type]


COPIES = st.sampled_from(["own", "own", "own", "own", "copy 1", "copy 2"])
SHARES = st.sampled_from([0.1, 0.2, 0.25, 0.5])
FEW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


def drawn(samples: Samples, share: float, seed: int = 0) -> Samples | None:
    """Split, or None where there is rightly nothing to draw from."""
    try:
        return split_samples(samples, valid=share, seed=seed)
    except DataError:
        free = samples.frame[samples.frame["split"] != "test"]
        classes = [set(classes_in(label)) for label in free["label"]]
        n_units = len(set(units_of(samples)))
        has_single = any(sum(name in one for one in classes) == 1 for name in samples.classes)
        assert n_units < 2 or has_single or n_units <= 2 * len(samples.classes)
        return None


def units_of(samples: Samples) -> list[int]:
    """Label the samples outside test by what must stay together, by plain repeated merging."""
    free = samples.frame[samples.frame["split"] != "test"]
    units = list(range(len(free)))
    for _ in units:
        for column in ("group", "sha256"):
            for value in set(free[column]) - {""}:
                rows = [row for row, other in enumerate(free[column]) if other == value]
                lowest = min(units[row] for row in rows)
                for row in rows:
                    units[row] = lowest
    return units


@FEW
@given(data_sets(), SHARES, st.integers(0, 9))
def test_parts_partition_and_test_never_moves(samples: Samples, share: float, seed: int) -> None:
    split = drawn(samples, share, seed)
    if split is None:
        return
    assert set(split.frame["split"]) <= {"train", "valid", "test"}
    assert sum(split.n_per_split.values()) == len(samples)
    assert (split.frame["split"] == "test").tolist() == (samples.frame["split"] == "test").tolist()
    assert split.frame.drop(columns="split").equals(samples.frame.drop(columns="split"))
    if (samples.frame["split"] == "").any():
        assert split.n_per_split["valid"] > 0
        assert split.n_per_split["train"] > 0


@FEW
@given(data_sets(), SHARES)
def test_units_stay_whole(samples: Samples, share: float) -> None:
    split = drawn(samples, share)
    if split is None:
        return
    parts = split.frame["split"][split.frame["split"] != "test"].tolist()
    homes = set(zip(units_of(samples), parts, strict=True))
    assert len(homes) == len({unit for unit, _ in homes})


@FEW
@given(data_sets(), SHARES, st.randoms(use_true_random=False))
def test_order_and_place_do_not_matter(samples: Samples, share: float, random: object) -> None:
    split = drawn(samples, share)
    if split is None:
        return
    order = list(range(len(samples)))
    random.shuffle(order)  # type: ignore[attr-defined]
    frame = samples.frame.iloc[order].reset_index(drop=True).assign(path="/elsewhere")
    again = split_samples(Samples(frame, samples.classes, samples.problem, "drawn", Path("/")), valid=share)
    assert again.split_digest == split.split_digest
    assert again.data_digest == split.data_digest


@FEW
@given(data_sets(), SHARES)
def test_train_has_every_class_that_can_be_spared(samples: Samples, share: float) -> None:
    split = drawn(samples, share)
    if split is None:
        return
    outside_test = split.frame[split.frame["split"] != "test"]
    in_train = outside_test[outside_test["split"] == "train"]
    known = {name for label in in_train["label"] for name in classes_in(label)}
    assert known == {name for label in outside_test["label"] for name in classes_in(label)}


@FEW
@given(st.integers(20, 200), st.integers(2, 4), SHARES, st.integers(0, 9))
def test_the_share_is_kept(n: int, n_classes: int, share: float, seed: int) -> None:
    ids = [f"{position:03d}" for position in range(n)]
    labels = [str(position % n_classes) for position in range(n)]
    samples = Samples(frame_of(ids=ids, paths=ids, labels=labels), class_order(labels), "multiclass", "drawn", Path())
    split = split_samples(samples, valid=share, seed=seed)
    assert abs(split.n_per_split["valid"] - share * n) <= 1
    shares = np.bincount(split.part("valid").targets, minlength=n_classes) / np.bincount(samples.targets)
    assert np.abs(shares - share).max() <= 1.5 / np.bincount(samples.targets).min()


N_FOLDS = st.integers(2, 6)


def all_turns(samples: Samples, n_folds: int, seed: int = 0) -> list[Samples] | None:
    """Return every turn, or None where there are rightly too few units."""
    try:
        return [fold_samples(samples, Fold(fold, n_folds), seed=seed) for fold in range(n_folds)]
    except DataError:
        rows = np.flatnonzero(samples.frame["split"] != "test")
        units = dict(zip(rows, units_of(samples), strict=True))
        holders = {
            name: {units[row] for row in rows if name in classes_in(samples.frame["label"][row])}
            for name in samples.classes
        }
        single = set().union(*(found for found in holders.values() if len(found) == 1), set())
        n_free = len(set(units.values()) - single)
        # only several classes in a unit can make it impossible to spread them
        assert n_free < n_folds + (len(samples.classes) if any(len(found) > 1 for found in holders.values()) else 0)
        return None


@FEW
@given(data_sets(), N_FOLDS, st.integers(0, 9))
def test_folds_partition_what_is_outside_test_but_for_what_always_trains(
    samples: Samples, n_folds: int, seed: int
) -> None:
    turns = all_turns(samples, n_folds, seed)
    if turns is None:
        return
    splits = np.array([turn.frame["split"].tolist() for turn in turns])
    is_test = (samples.frame["split"] == "test").to_numpy()
    assert (splits[:, is_test] == "test").all()
    assert set(splits[:, ~is_test].ravel().tolist()) <= {"train", "valid"}
    n_valid = (splits == "valid").sum(axis=0)
    assert n_valid.max() == 1
    assert ((splits == "valid").sum(axis=1) > 0).all()
    assert ((splits == "train").sum(axis=1) > 0).all()
    notes = " ".join(turns[0].notes)
    if (n_valid[~is_test] == 0).any():
        assert "stay in train" in notes or "stays in train" in notes or "train in every fold" in notes
    assert len({turn.notes for turn in turns}) == 1
    for turn in turns:
        assert turn.frame.drop(columns="split").equals(samples.frame.drop(columns="split"))


@FEW
@given(data_sets(), N_FOLDS)
def test_units_stay_whole_in_every_turn(samples: Samples, n_folds: int) -> None:
    for turn in all_turns(samples, n_folds) or []:
        parts = turn.frame["split"][turn.frame["split"] != "test"].tolist()
        homes = set(zip(units_of(samples), parts, strict=True))
        assert len(homes) == len({unit for unit, _ in homes})


@FEW
@given(data_sets(), N_FOLDS, st.randoms(use_true_random=False))
def test_order_place_and_given_parts_do_not_matter(samples: Samples, n_folds: int, random: object) -> None:
    turns = all_turns(samples, n_folds)
    if turns is None:
        return
    order = list(range(len(samples)))
    random.shuffle(order)  # type: ignore[attr-defined]
    parts = [split or random.choice(["", "train", "valid"]) for split in samples.frame["split"]]  # type: ignore[attr-defined]
    frame = samples.frame.assign(split=parts, path="/elsewhere").iloc[order].reset_index(drop=True)
    again = all_turns(Samples(frame, samples.classes, samples.problem, "drawn", Path("/")), n_folds)
    assert again is not None
    assert [turn.split_digest for turn in again] == [turn.split_digest for turn in turns]


@FEW
@given(data_sets(), N_FOLDS)
def test_every_class_is_in_train_in_every_turn(samples: Samples, n_folds: int) -> None:
    for turn in all_turns(samples, n_folds) or []:
        outside_test = turn.frame[turn.frame["split"] != "test"]
        in_train = outside_test[outside_test["split"] == "train"]
        known = {name for label in in_train["label"] for name in classes_in(label)}
        assert known == {name for label in outside_test["label"] for name in classes_in(label)}


@FEW
@given(data_sets(), N_FOLDS)
def test_a_fold_that_validates_without_a_class_is_told(samples: Samples, n_folds: int) -> None:
    turns = all_turns(samples, n_folds)
    if turns is None:
        return
    notes = " ".join(turns[0].notes)
    outside_test = samples.frame[samples.frame["split"] != "test"]
    present = {name for label in outside_test["label"] for name in classes_in(label)}
    for turn in turns:
        validated = {name for label in turn.part("valid").frame["label"] for name in classes_in(label)}
        assert all(repr(name) in notes for name in present - validated)


@FEW
@given(st.integers(20, 200), st.integers(2, 4), N_FOLDS, st.integers(0, 9))
def test_single_samples_are_dealt_evenly(n: int, n_classes: int, n_folds: int, seed: int) -> None:
    ids = [f"{position:03d}" for position in range(n)]
    labels = [str(position % n_classes) for position in range(n)]
    samples = Samples(frame_of(ids=ids, paths=ids, labels=labels), class_order(labels), "multiclass", "drawn", Path())
    turns = [fold_samples(samples, Fold(fold, n_folds), seed=seed) for fold in range(n_folds)]
    sizes = [turn.n_per_split["valid"] for turn in turns]
    by_class = np.array([np.bincount(turn.part("valid").targets, minlength=n_classes) for turn in turns])
    assert max(sizes) - min(sizes) <= 1
    assert (by_class.max(axis=0) - by_class.min(axis=0) <= 1).all()
