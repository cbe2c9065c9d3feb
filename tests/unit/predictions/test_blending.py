"""Probabilities of several networks become one: means, ranks, and weights that are fitted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

from imgcls.errors import UsageError
from imgcls.predictions.blending import FITTED, Floats, blend, check_way, fit_weights, select_greedily
from imgcls.records.blend import WAYS


def drawn(n_members: int, *, multilabel: bool = False, n: int = 300, k: int = 3) -> Floats:
    """Draw probabilities [m, n, k]."""
    scores = 2 * np.random.default_rng(n_members).normal(size=(n_members, n, k))
    values = 1 / (1 + np.exp(-scores)) if multilabel else np.exp(scores) / np.exp(scores).sum(axis=2, keepdims=True)
    return np.asarray(values)


def guessed(skills: tuple[float, ...], *, n: int = 600, k: int = 3) -> tuple[Floats, np.ndarray]:
    """Draw members of given skill with noise of their own, and the truth [n, k]."""
    random = np.random.default_rng(0)
    truth = np.eye(k, dtype=bool)[random.integers(0, k, n)]
    scores = random.normal(size=(len(skills), n, k)) + truth * np.array(skills)[:, None, None]
    return np.exp(scores) / np.exp(scores).sum(axis=2, keepdims=True), truth


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_members_that_are_the_same_give_their_very_bits(way: str, multilabel: bool) -> None:
    """Whatever the weights: one network that is named three times is that network."""
    values = drawn(1, multilabel=multilabel).repeat(3, axis=0)
    made = blend(values, np.array([0.2, 0.5, 0.3]), way=way, multilabel=multilabel)
    assert np.array_equal(made, values[0])


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_a_blend_is_made_of_probabilities(way: str, multilabel: bool) -> None:
    """They lie in [0, 1] and, of one label an image, sum to 1; the order of members does not matter."""
    k = 2 if way == "rank" else 3
    values, weights = drawn(4, multilabel=multilabel, k=k), np.array([0.4, 0.3, 0.2, 0.1])
    made = blend(values, weights, way=way, multilabel=multilabel)
    assert ((made >= 0) & (made <= 1)).all()
    assert multilabel or np.allclose(made.sum(axis=1), 1)
    turned = blend(values[::-1], weights[::-1], way=way, multilabel=multilabel)
    assert np.allclose(made, turned)


def test_the_means_are_those_of_numpy() -> None:
    """Arithmetic and geometric, the latter with rows that sum to 1 again."""
    values, weights = drawn(3), np.array([0.5, 0.25, 0.25])
    assert np.allclose(
        blend(values, weights, way="mean", multilabel=False), np.average(values, axis=0, weights=weights)
    )
    product = np.exp(np.average(np.log(values), axis=0, weights=weights))
    expected = product / product.sum(axis=1, keepdims=True)
    assert np.allclose(blend(values, weights, way="geometric", multilabel=False), expected)


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("way", ["mean", "geometric"])
def test_a_probability_of_zero_counts_the_same_whoever_says_it(way: str, multilabel: bool) -> None:
    """In a geometric mean it is the smallest there is, so that no member decides alone, whichever comes first."""
    values, even = np.array([[[1.0, 0.0], [0.3, 0.7]], [[0.0, 1.0], [1.0, 0.0]]]), np.array([0.5, 0.5])
    made = blend(values, even, way=way, multilabel=multilabel)
    assert made[0] == pytest.approx([0.5, 0.5])
    assert np.allclose(made, blend(values[::-1], even, way=way, multilabel=multilabel), atol=1e-15)
    alone = blend(values[:1], np.ones(1), way=way, multilabel=multilabel)
    assert np.array_equal(alone, values[0])


def test_ranks_order_images_as_mean_ranks_do() -> None:
    """The order is that of the mean of scipy's ranks, ties included, and scales do not matter."""
    values = np.round(drawn(3, multilabel=True), 2)
    values[1] = values[1] ** 3  # another scale, the same order
    made = blend(values, np.full(3, 1 / 3), way="rank", multilabel=True)
    mean = np.mean([rankdata(member, axis=0) for member in values], axis=0)
    for column in range(3):
        order = np.argsort(mean[:, column], kind="stable")
        assert (np.diff(made[order, column]) >= -1e-12).all()


def test_ranks_of_new_images_are_taken_among_known_ones() -> None:
    """A single photograph has no rank of its own: its place is that among the predictions of validation."""
    known = drawn(2, multilabel=True)
    whole = blend(known, np.array([0.5, 0.5]), way="rank", multilabel=True)
    one = blend(known[:, 7:8], np.array([0.5, 0.5]), way="rank", multilabel=True, references=list(known))
    assert np.allclose(one, whole[7:8])


def test_fitted_weights_have_a_smaller_log_loss_than_any_member_and_the_even_mean() -> None:
    """A strong and a weak member and noise: the weak one is worth something, noise nothing."""
    values, truth = guessed((2.0, 1.5, 0.0))
    weights = fit_weights(values, truth, multilabel=False)

    def loss(shares: np.ndarray) -> float:
        return -float(np.log(np.tensordot(shares, values, axes=1)[truth]).mean())

    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    assert weights[0] > weights[1] > weights[2]
    others = [*np.eye(3), np.full(3, 1 / 3), *np.random.default_rng(1).dirichlet(np.ones(3), size=200)]
    assert all(loss(weights) <= loss(other) + 1e-6 for other in others)


def test_weights_of_several_labels_are_fitted_too() -> None:
    """Every label of every image counts; what is confidently wrong gets no weight."""
    truth = np.random.default_rng(0).random((200, 2)) < 0.5
    good = np.where(truth, 0.8, 0.2)
    weights = fit_weights(np.stack([good, 1 - good]), truth, multilabel=True)
    assert weights.tolist() == [1.0, 0.0]


def test_members_are_added_while_they_help() -> None:
    """The best comes first, and of three equal ones each is worth something; noise is left out."""
    values, truth = guessed((1.5, 1.5, 1.5, 0.0))

    def score(mixed: Floats) -> float:
        return float(np.log(mixed[truth]).mean())

    weights = select_greedily(values, score)
    assert weights.sum() == pytest.approx(1)
    assert (weights[:3] > 0.15).all()
    assert weights[3] < 0.1
    assert score(np.tensordot(weights, values, axes=1)) > max(map(score, values))


def test_a_way_that_is_none_is_refused() -> None:
    """With those that there are."""
    with pytest.raises(UsageError, match=r"no way of blending 'median'\. There are mean, geometric"):
        check_way("median", problem="")
    with pytest.raises(UsageError, match="Ranks are for two classes"):
        check_way("rank", problem="multiclass")
    check_way("rank", problem="binary")
    assert set(FITTED) < set(WAYS)
