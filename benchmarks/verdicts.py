"""How often verdicts are right, where the truth is known because it was drawn.

Beside the rule of imgcls stand three that people use: the higher mean wins, a test over images alone, and
a test over seeds alone. They are judged by the same counts.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from benchmarks.world import NOISY, ORDINARY, World, ladders, lift_for
from imgcls.evidence.gains import Components, Gain, measure
from imgcls.evidence.variance import VarianceComponents
from imgcls.evidence.verdicts import judge

LEVEL = 0.05
_DOUBT = 1e-3
"""A count that chance would exceed less often than this is too large."""
_N_RUNGS = 5


@dataclass(frozen=True)
class Counted:
    """How often something happened."""

    question: str
    """What was counted."""
    world: str
    """How much seeds differ."""
    n_seeds: int
    """Runs a rung."""
    n: int
    """Images."""
    count: int
    """How often it happened."""
    n_drawn: int
    """How often it could have."""

    @property
    def share(self) -> float:
        """The share, in [0, 1]."""
        return self.count / self.n_drawn

    @property
    def error(self) -> float:
        """The standard deviation of the share over simulations."""
        return float(np.sqrt(self.share * (1 - self.share) / self.n_drawn))

    def is_too_often(self, level: float = LEVEL) -> bool:
        """Return whether it happened more often than a level allows, the variance of the simulation counted.

        Args:
            level: The share that is allowed.
        """
        return bool(binom.sf(self.count - 1, self.n_drawn, level) < _DOUBT)


def _tells(gain: Gain) -> bool:
    return gain.p <= LEVEL


def _higher_mean(gain: Gain) -> bool:
    return gain.value > 0


def _images_alone(gain: Gain) -> bool:
    return _noise(gain, VarianceComponents(0.0, 0.0, _parts(gain).images, np.inf)) <= LEVEL


def _seeds_alone(gain: Gain) -> bool:
    return _noise(gain, VarianceComponents(_parts(gain).seeds, 0.0, 0.0, gain.degrees_of_freedom)) <= LEVEL


def _noise(gain: Gain, noise: VarianceComponents) -> float:
    return noise.p_value(gain.value)


def _parts(gain: Gain) -> VarianceComponents:
    assert gain.noise is not None  # noqa: S101 - folds have none, and none are drawn here
    return gain.noise


RULES: Mapping[str, Callable[[Gain], bool]] = MappingProxyType(
    {
        "imgcls": _tells,
        "seeds alone (Welch's t)": _seeds_alone,
        "images alone (z)": _images_alone,
        "the higher mean wins": _higher_mean,
    }
)
"""Whether a rule claims a difference; of the last, whether it claims one for the better."""


def pairs(world: World, *, n_seeds: int, n: int, n_drawn: int, seed: int, gain: float = 0.0) -> list[Gain]:
    """Measure drawn comparisons of two recipes.

    Args:
        world: How much seeds differ.
        n_seeds: Runs on either side.
        n: Images.
        n_drawn: How many comparisons.
        seed: Decides what is drawn.
        gain: The truth, in accuracy.
    """
    random = np.random.default_rng([seed, n_seeds, n, round(gain * 1000)])
    lifts = (0.0, lift_for(world, gain) if gain else 0.0)
    drawn = ladders(world, random, n_ladders=n_drawn, n_seeds=n_seeds, n=n, lifts=lifts)
    return [measure(*_rows(rungs)) for rungs in drawn]


def _rows(rungs: npt.NDArray[np.bool_]) -> Iterator[npt.NDArray[np.float64]]:
    return (rung.astype(np.float64) for rung in rungs)


def of_pairs(world: World, *, n_seeds: int, n: int, n_drawn: int, seed: int, gain: float = 0.0) -> list[Counted]:
    """Count false claims where recipes are equally good, else gains that were found and intervals that missed.

    Args: as `pairs`.
    """
    gains = pairs(world, n_seeds=n_seeds, n=n, n_drawn=n_drawn, seed=seed, gain=gain)
    if not gain:
        counts = {f"false claims: {name}": sum(map(rule, gains)) for name, rule in RULES.items()}
    else:
        points = f"{100 * gain:+.0f} point{'s' * (gain > 0.01)}"
        counts = {
            f"{points} found": sum(_tells(each) and each.value > 0 for each in gains),
            f"{points} missed by the interval": sum(not each.low <= gain <= each.high for each in gains),
        }
    return [Counted(name, world.name, n_seeds, n, count, n_drawn) for name, count in counts.items()]


def of_ladders(world: World, *, n_seeds: int, n: int, n_drawn: int, seed: int) -> list[Counted]:
    """Count ladders of five equally good rungs of which something false is said; the last predicts with given weights.

    Args:
        world: How much seeds differ.
        n_seeds: Runs a rung.
        n: Images.
        n_drawn: How many ladders.
        seed: Decides what is drawn.
    """
    random = np.random.default_rng([seed, n_seeds, n])
    counts = dict.fromkeys(_CLAIMS, 0)
    drawn = ladders(
        world, random, n_ladders=n_drawn, n_seeds=n_seeds, n=n, lifts=(0.0,) * _N_RUNGS, last_is_predicted=True
    )
    for rungs in drawn:
        for name, is_said in _claims(list(_rows(rungs))).items():
            counts[name] += is_said
    return [Counted(name, world.name, n_seeds, n, count, n_drawn) for name, count in counts.items()]


_CLAIMS = (
    "ladders with a false better or worse, step by step",
    "the same without counting the steps",
    "ladders with a false better or worse, against baseline",
    "ladders with a false better, step by step",
    "ladders with a false better or likely better, step by step",
)


def _claims(rungs: list[npt.NDArray[np.float64]]) -> dict[str, bool]:
    """Describe what of a ladder without gains is claimed."""
    together = list(itertools.pairwise(rungs))
    steps = [measure(*pair, same_weights=place == len(together) - 1) for place, pair in enumerate(together)]
    said = [judged.verdict for judged in judge(steps)]
    direct = [judged.verdict for judged in judge([measure(rungs[0], rung) for rung in rungs[1:]])]
    sure = {"better", "worse"}
    found = (
        bool(sure & set(said)),
        any(judge([step])[0].verdict in sure for step in steps),
        bool(sure & set(direct)),
        "better" in said,
        "better" in said or "likely better" in said,
    )
    return dict(zip(_CLAIMS, found, strict=True))


def parts(world: World, *, seed: int) -> Components:
    """Return what the noise of a gain is made of in a world, averaged over comparisons of eight seeds.

    Args:
        world: How much seeds differ.
        seed: Decides what is drawn.
    """
    drawn = [gain.components for gain in pairs(world, n_seeds=8, n=1000, n_drawn=300, seed=seed)]
    known = np.array([(each.seed, each.both, each.image) for each in drawn if each is not None])
    return Components(*known.mean(axis=0).tolist())


WORLDS = (ORDINARY, NOISY)
SEEDS = (3, 5)
IMAGES = (200, 1000)
GAINS = (0.0, 0.01, 0.02)


def simulate(*, n_pairs: int, n_ladders: int, seed: int) -> Iterator[Counted]:
    """Count everything that the table shows.

    Args:
        n_pairs: Comparisons drawn for each cell.
        n_ladders: Ladders drawn for each cell.
        seed: Decides what is drawn.
    """
    for world, n_seeds, n in itertools.product(WORLDS, SEEDS, IMAGES):
        for gain in GAINS:
            yield from of_pairs(world, n_seeds=n_seeds, n=n, n_drawn=n_pairs, seed=seed, gain=gain)
    for n_seeds in SEEDS:
        yield from of_ladders(ORDINARY, n_seeds=n_seeds, n=IMAGES[-1], n_drawn=n_ladders, seed=seed)
