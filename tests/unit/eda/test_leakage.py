import time

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from imgcls.eda.facts import LEAST_P, is_telling
from imgcls.eda.leakage import N_PERMUTATIONS, are_of_photographs, judge, name_words, probe_labels
from imgcls.eda.metadata import MetaTable
from imgcls.eda.statistics import PermutationFolds, aucs, p_value

CLASSES = np.array(["ape", "bee", "cow"])


def by_name(guesses):
    return {guess.by: guess for guess in guesses}


def sender_table(senders):
    return MetaTable("meta.csv", {"sender": [str(sender) for sender in senders]})


def test_areas_are_those_of_scikit_learn_with_ties():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 5, (200, 3)).astype(float)
    truth = rng.random((200, 3)) < 0.3
    found = aucs(scores, positive=truth.astype(float), negative=(~truth).astype(float))
    assert found == pytest.approx([roc_auc_score(truth[:, column], scores[:, column]) for column in range(3)])


def test_areas_without_one_side_are_nan():
    assert np.isnan(aucs(np.zeros((4, 1)), positive=np.ones((4, 1)), negative=np.zeros((4, 1))))[0]


def test_a_sender_that_tells_the_label_is_found_with_its_auc(draw_scan):
    rng = np.random.default_rng(1)
    senders = rng.integers(0, 20, 2000)
    share = np.where(senders < 10, 0.8, 0.2)
    labels = np.where(rng.random(2000) < share, "yes", "no")
    guess = by_name(probe_labels(draw_scan(labels), [sender_table(senders)]))["sender of meta.csv"]
    known = roc_auc_score(labels == "yes", share)  # by somebody who knows the true shares
    assert guess.auc == pytest.approx(known, abs=0.02)
    assert guess.p < 0.005
    assert guess.n_values == 20
    assert is_telling(guess, n_guesses=4)


def test_a_sender_that_tells_nothing_is_not_found(draw_scan):
    rng = np.random.default_rng(2)
    guesses = probe_labels(draw_scan(rng.choice(CLASSES, 900)), [sender_table(rng.integers(0, 60, 900))])
    assert not any(is_telling(guess, n_guesses=len(guesses)) for guess in guesses)


@pytest.mark.parametrize("units", [1, 4], ids=["single samples", "units of up to seven"])
def test_p_is_uniform_where_nothing_is_told(units):
    found = []
    for turn in range(200):
        rng = np.random.default_rng([3, turn])
        unit = np.repeat(np.arange(120), rng.integers(1, 2 * units, 120))[:120] if units > 1 else np.arange(120)
        kinds = rng.integers(0, 2, unit.max() + 1)[unit]  # one label a unit
        senders = rng.integers(0, 12, unit.max() + 1)[unit]  # and one sender
        deal = PermutationFolds.of(kinds, unit, n_folds=5, rng=rng)
        words = [[str(sender)] for sender in senders]
        found.append(judge([words], deal, np.array([[0.0], [1.0]]), seed=turn)[1])
    p = np.array(found)
    assert (p <= 0.05).sum() <= 20  # of 200; binomial, beyond the 99.9 % quantile
    assert 0.35 < p.mean() < 0.65
    assert (p <= 0.2).sum() >= 20


def test_without_the_units_grouped_labels_give_false_alarms():
    alarms = 0
    for turn in range(40):
        rng = np.random.default_rng([4, turn])
        unit = np.repeat(np.arange(12), 20)
        kinds, value = rng.permutation(np.arange(12) % 2)[unit], [[str(value)] for value in unit // 2]
        for_singles = PermutationFolds.of(kinds, np.arange(240), n_folds=5, rng=rng)
        in_units = PermutationFolds.of(kinds, unit, n_folds=5, rng=rng)
        single = judge([value], for_singles, np.array([[0.0], [1.0]]), seed=turn)[1]
        alarms += single <= 0.01
        assert judge([value], in_units, np.array([[0.0], [1.0]]), seed=turn)[1] > 0.005
    assert alarms > 20


def test_file_names_that_contain_the_class_are_found(draw_scan):
    rng = np.random.default_rng(5)
    labels = rng.choice(CLASSES, 120)
    ids = [f"train/{label}/{label}_{number:03d}.jpg" for number, label in enumerate(labels)]
    guesses = by_name(probe_labels(draw_scan(labels, ids=ids)))
    assert guesses["name"].auc == pytest.approx(1.0)
    assert is_telling(guesses["name"], n_guesses=4)


def test_class_folders_and_random_names_tell_nothing(draw_scan):
    rng = np.random.default_rng(6)
    labels = np.sort(rng.choice(CLASSES, 300))
    ids = [f"train/{label}/{rng.bytes(16).hex()}.jpg" for label in labels]
    guesses = by_name(probe_labels(draw_scan(labels, ids=ids)))
    for by in ("name", "order"):
        assert not is_telling(guesses[by], n_guesses=4), guesses[by]


@pytest.mark.parametrize("form", ["images/{folder}/{code}.jpg", "seg_train/{folder}/x/{code}.jpg"])
def test_class_folders_of_a_table_that_spells_them_otherwise_tell_nothing(draw_scan, form):
    rng = np.random.default_rng(6)
    labels = np.sort(rng.choice(np.array(["0", "1", "2"]), 300))
    ids = [form.format(folder=CLASSES[int(label)], code=rng.bytes(16).hex()) for label in labels]
    guesses = by_name(probe_labels(draw_scan(labels, ids=ids)))
    for by in ("name", "order"):
        assert not is_telling(guesses[by], n_guesses=4), guesses[by]


def test_folders_that_are_not_those_of_the_classes_are_found(draw_scan):
    rng = np.random.default_rng(8)
    labels = rng.choice(np.array(["0", "1"]), 300)
    ids = [f"day{label}{rng.integers(0, 3)}/{rng.bytes(16).hex()}.jpg" for label in labels]
    assert is_telling(by_name(probe_labels(draw_scan(labels, ids=ids)))["name"], n_guesses=4)


def test_a_list_in_the_order_of_names_that_hold_the_class_tells_nothing_more(draw_scan):
    labels = np.repeat(CLASSES, 60)
    ids = [f"{label}.{number:03d}.jpg" for label in CLASSES for number in range(60)]
    guesses = by_name(probe_labels(draw_scan(labels, ids=ids)))
    assert guesses["name"].auc == pytest.approx(1.0)
    assert not is_telling(guesses["order"], n_guesses=4), guesses["order"]


def test_numbers_that_rise_from_class_to_class_are_found_in_the_order(draw_scan):
    labels = np.repeat(CLASSES, 60)
    rng = np.random.default_rng(7)
    numbers = np.arange(180)
    shuffle = rng.permutation(180)
    ids = [f"leaf_{number}.jpg" for number in numbers[shuffle]]
    guess = by_name(probe_labels(draw_scan(labels[shuffle], ids=ids)))["order"]
    assert guess.auc > 0.9
    assert guess.p < 0.01


def test_labels_of_test_are_never_read(draw_scan):
    rng = np.random.default_rng(8)
    labels = rng.choice(CLASSES, 400)
    splits = ["train"] * 200 + ["valid"] * 100 + ["test"] * 100
    other = np.concatenate([labels[:300], rng.permutation(labels[300:])])
    table = sender_table(rng.integers(0, 30, 400))
    first, second = (probe_labels(draw_scan(given, splits=splits), [table]) for given in (labels, other))
    assert first == second
    assert first[0].n == 300


def test_the_share_of_values_that_train_knows(draw_scan):
    senders = ["a", "b", "c", "d"] * 5 + ["a", "a", "z", ""] + ["y", "z"] * 2
    splits = ["train"] * 20 + ["valid"] * 4 + ["test"] * 4
    labels = (["yes", "no"] * 14)[:28]
    guess = by_name(probe_labels(draw_scan(labels, splits=splits), [sender_table(senders)]))["sender of meta.csv"]
    assert guess.shared == {"valid": pytest.approx(2 / 3), "test": 0.0}


def test_columns_of_several_labels(draw_scan):
    rng = np.random.default_rng(9)
    red, green = rng.random(400) < 0.5, rng.random(400) < 0.3
    labels = [f"{'red' * int(r)}|{'green' * int(g)}".strip("|") or "|" for r, g in zip(red, green, strict=True)]
    scan = draw_scan(labels, problem="multilabel")
    guess = by_name(probe_labels(scan, [MetaTable("m.csv", {"tone": ["warm" if r else "cold" for r in red]})]))
    assert guess["tone of m.csv"].auc == pytest.approx(0.75, abs=0.04)  # all of red, nothing of green


def test_stamps_of_an_archive_are_not_taken_for_those_of_photographs(draw_scan):
    rng = np.random.default_rng(10)
    day = 86_400 * 10**9
    unpacked = 10**18 + np.arange(500) * 10**8  # ten files a second, class by class
    taken = 10**18 + np.cumsum(rng.integers(day // 500, day // 100, 500))
    assert not are_of_photographs(unpacked.astype(float))
    assert not are_of_photographs(np.full(500, 1e18))
    assert are_of_photographs(taken.astype(float))
    labels = np.repeat(["a", "b"], 250)
    assert "time" not in by_name(probe_labels(draw_scan(labels, measures={"mtime_ns": unpacked})))
    assert by_name(probe_labels(draw_scan(labels, measures={"mtime_ns": taken})))["time"].auc > 0.95


def test_few_samples_are_honest(draw_scan):
    assert probe_labels(draw_scan(["a", "b"] * 3)) == ()
    guesses = probe_labels(draw_scan(["a", "b"] * 6), [sender_table([0, 1, 2] * 4)])
    assert not any(is_telling(guess, n_guesses=len(guesses)) for guess in guesses)


def test_the_same_data_give_the_same_guesses(draw_scan):
    rng = np.random.default_rng(11)
    scan, table = draw_scan(rng.choice(CLASSES, 200)), sender_table(rng.integers(0, 9, 200))
    assert probe_labels(scan, [table]) == probe_labels(scan, [table])


def test_p_counts_the_one_that_was_found():
    assert p_value(0.7, np.array([0.5, 0.6, 0.7, 0.8])) == pytest.approx(3 / 5)
    assert p_value(0.9, np.array([0.5] * 99)) == pytest.approx(0.01)


def test_words_of_a_name():
    words = name_words("session3/IMG_0012-cat.JPG")
    assert {"folder session3", "suffix .jpg", "start img", "piece 0012", "piece cat", "form a_9-a"} <= set(words)


@pytest.mark.slow
def test_a_hundred_thousand_samples_and_ten_columns_take_well_under_a_minute(draw_scan):
    rng = np.random.default_rng(12)
    n = 100_000
    scan = draw_scan(rng.choice([f"c{k}" for k in range(10)], n))
    table = MetaTable("m.csv", {f"x{k}": [str(v) for v in rng.integers(0, 30 * 3**k, n)] for k in range(10)})
    began = time.perf_counter()
    assert len(probe_labels(scan, [table])) >= 10
    assert time.perf_counter() - began < 60


def test_the_fewest_shuffles_can_show_the_least_p() -> None:
    """Otherwise no guess among many could ever be called telling."""
    assert 1 / (1 + N_PERMUTATIONS[1]) == LEAST_P
