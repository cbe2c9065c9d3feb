"""Statistics of a data set: classes and their imbalance, sizes, the permutation test, AUC and PCA."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from imgcls.config.metrics import described
from imgcls.data.samples import SPLITS, Samples
from imgcls.eda.facts import ClassFacts, DeepFacts, ImbalanceFacts, Quantiles, SizeFacts
from imgcls.eda.scan import Scan
from imgcls.evidence.metrics import majority_accuracy, wilson_interval
from imgcls.plan import Images

LABELLED_SPLITS = ("train", "valid")
"""The splits whose labels are looked at; those of test are sealed."""
UNEVEN = 3.0
"""From this ratio of the largest class to the smallest on, the two are spoken of."""
Floats = npt.NDArray[np.float64]
MOST_COMPONENTS = 50
Indices = npt.NDArray[np.int64]
NATIVE_PX = 224
"""What the networks that are offered first were pretrained at."""
_RECALL = 0.8
_FLATTERING = 0.5
_UNEVEN = {
    "accuracy": "Accuracy flatters here: always naming the most frequent class scores {majority:.2f} already.",
    "balanced_accuracy": "Balanced accuracy counts every class alike, so that the rarest ones move it most.",
    "macro_f1": "Macro F1 counts every class alike, so that the rarest ones move it most.",
    "roc_auc": (
        "ROC AUC does not depend on how frequent a class is, but it hides how many false alarms a rare one costs; "
        "accuracy would be {majority:.2f} for always naming the most frequent class."
    ),
    "average_precision": "Average precision of guessing is the share of the class, so it is low for rare ones.",
    "log_loss": "Log loss is mostly that of the frequent classes; a rare one may be missed at little cost.",
    "brier": "The Brier score is mostly that of the frequent classes; a rare one may be missed at little cost.",
}
"""What uneven classes mean for a metric; of others it is said by what they weigh."""
_IMAGES_A_COMPONENT = 10
_FEW_IMAGES = 500  # below, a decomposition of the images costs less than one of the covariance of the features
_OUTSIDE = 0.05
_STEP_PX = 32
_MANY = 20_000


def class_facts(samples: Samples) -> tuple[ClassFacts, ...]:
    """Count the classes in train and valid; for several labels an image counts in each of its classes."""
    counts = {split: class_counts(samples, split) for split in LABELLED_SPLITS}
    n_labelled = sum(len(labelled_rows(samples, split)) for split in LABELLED_SPLITS)
    return tuple(
        ClassFacts(
            name=name,
            n={split: int(counts[split][place]) for split in LABELLED_SPLITS},
            share=float(sum(counts[split][place] for split in LABELLED_SPLITS) / max(1, n_labelled)),
        )
        for place, name in enumerate(samples.classes)
    )


def class_counts(samples: Samples, split: str) -> npt.NDArray[np.int64]:
    """Count the classes of one split, int64 [n_classes]."""
    targets = samples.targets[labelled_rows(samples, split)]
    if samples.problem == "multilabel":
        return np.asarray(targets.sum(axis=0), dtype=np.int64)
    return np.bincount(targets.astype(np.int64), minlength=samples.n_classes)


def labelled_rows(samples: Samples, split: str) -> npt.NDArray[np.int64]:
    """Return the rows of one split whose label is known, int64 [n]."""
    return np.flatnonzero((samples.frame["split"] == split).to_numpy() & samples.is_labelled).astype(np.int64)


def occurring_together(samples: Samples) -> tuple[tuple[int, ...], ...]:
    """Count how often each two classes occur together outside test, [n_classes][n_classes]; () with one label each."""
    if samples.problem != "multilabel":
        return ()
    rows = np.concatenate([labelled_rows(samples, split) for split in LABELLED_SPLITS])
    targets = samples.targets[rows].astype(np.int64)
    return tuple(tuple(int(n) for n in row) for row in targets.T @ targets)


def imbalance_facts(samples: Samples, *, metric: str) -> ImbalanceFacts:
    """Describe what the shares of the classes mean for a metric.

    Args:
        samples: Split.
        metric: One of `imgcls.evidence.METRICS`.
    """
    counts = np.sum([class_counts(samples, split) for split in LABELLED_SPLITS], axis=0)
    shown = np.flatnonzero(counts)
    if not shown.size:
        return ImbalanceFacts(
            ratio=1.0,
            rarest=samples.classes[0] if samples.classes else "",
            n_valid_rarest=0,
            half_width=None,
            majority_score=0.0,
            meaning="There are no labelled images outside test.",
        )
    rarest = int(shown[np.argmin(counts[shown])])
    n_valid = int(class_counts(samples, "valid")[rarest])
    ratio = float(counts.max() / counts[rarest])
    half_width = recall_half_width(n_valid)
    rows = labelled_rows(samples, "valid")
    majority = majority_accuracy(samples.targets[rows if len(rows) else labelled_rows(samples, "train")])
    return ImbalanceFacts(
        ratio=ratio,
        rarest=samples.classes[rarest],
        n_valid_rarest=n_valid,
        half_width=half_width,
        majority_score=majority,
        meaning=_meaning(metric, ratio=ratio, majority=majority, n_valid=n_valid, half_width=half_width),
    )


def recall_half_width(n: int) -> float | None:
    """Return half the width of the 95 % interval of a recall of 0.8 measured on n images; None without any."""
    if not n:
        return None
    low, high = wilson_interval(round(_RECALL * n), n)
    return (high - low) / 2


def _meaning(metric: str, *, ratio: float, majority: float, n_valid: int, half_width: float | None) -> str:
    title = described(metric).title
    about = "The classes are about equally frequent." if ratio < UNEVEN else _uneven(metric, majority)
    if half_width is None:
        return f"{about} The rarest class has no validation image: its recall is not measured, whatever {title} says."
    images = "1 validation image" if n_valid == 1 else f"{n_valid} validation images"
    return (
        f"{about} The rarest class has {images}: a recall of {_RECALL:g} is then known to ± {half_width:.2f} at 95 %."
    )


def _uneven(metric: str, majority: float) -> str:
    """Describe what uneven classes mean for a metric."""
    if metric == "accuracy" and majority < _FLATTERING:
        return "Accuracy counts every image alike, so that the rarest classes hardly move it."
    if metric in _UNEVEN:
        return _UNEVEN[metric].format(majority=majority)
    known = described(metric)
    if known.weighs_classes_alike and "class" not in known.options:
        return f"{known.title} counts every class alike, so that the rarest ones move it most."
    return f"The classes are not equally frequent; accuracy of always naming the most frequent one is {majority:.2f}."


def size_facts(scan: Scan, *, device: str) -> SizeFacts:
    """Describe the sizes and the quality of the photographs.

    Args:
        scan: The photographs.
        device: `cpu`, `cuda` or `mps`, where they will be trained on.
    """
    measures = scan.measures
    width, height = measures["width_px"].to_numpy(), measures["height_px"].to_numpy()
    recommended, why = recommend_px(np.minimum(width, height), device=device)
    return SizeFacts(
        width_px=quantiles(width),
        height_px=quantiles(height),
        aspect=quantiles(width / np.maximum(height, 1)),
        n_sizes=len(set(zip(width.tolist(), height.tolist(), strict=True))),
        formats=_counts(measures["format"]),
        modes=_counts(measures["mode"]),
        n_turned=int((measures["orientation"] > 1).sum()),
        brightness=_by_split(scan, "brightness"),
        contrast=_by_split(scan, "contrast"),
        sharpness=_by_split(scan, "sharpness"),
        deep=deep_facts(scan.values),
        recommended_px=recommended,
        recommended_why=why,
    )


def deep_facts(values: npt.NDArray[np.float32] | None) -> DeepFacts | None:
    """Describe which values photographs of more than 8 bits use; None where there are none.

    Args:
        values: float32 [n, 4], as `imgcls.eda.scan.Scan.values`.
    """
    known = np.zeros((0, 4)) if values is None else values[values[:, 3] > values[:, 2]].astype(np.float64)
    if not len(known):
        return None
    low, high, black, white = known.T
    margin = _OUTSIDE * (white - black)
    return DeepFacts(
        n=len(known),
        low=float(np.quantile(low, 0.01)),
        high=float(np.quantile(high, 0.99)),
        black=float(np.median(black)),
        white=float(np.median(white)),
        n_outside=int(((low < black - margin) | (high > white + margin)).sum()),
    )


def quantiles(values: npt.ArrayLike) -> Quantiles:
    """Return the 5, 50 and 95 % quantiles; zeros where there are no values."""
    array = np.asarray(values, dtype=np.float64)
    low, median, high = np.quantile(array, (0.05, 0.5, 0.95)) if array.size else (0.0, 0.0, 0.0)
    return Quantiles(low=float(low), middle=float(median), high=float(high))


def recommend_px(short_sides: npt.NDArray[np.integer], *, device: str) -> tuple[int, str]:
    """Return the side in pixels to begin with, and the reason.

    It is a place to begin, not an optimum: only a ladder can say whether larger images help.

    Args:
        short_sides: [n], the shorter side of each photograph in pixels.
        device: `cpu`, `cuda` or `mps`.
    """
    first = Images().size_px
    if not short_sides.size:
        return first, "There are no photographs to judge by."
    median = round(float(np.median(short_sides)))
    seen = f"The median of the shorter sides of the photographs is {median} px"
    if median < first:
        return max(_STEP_PX, -(-median // _STEP_PX) * _STEP_PX), f"{seen}; larger squares would add time and no detail."
    native = min(NATIVE_PX, median // _STEP_PX * _STEP_PX)
    if native <= first:
        return first, f"{seen}; larger squares would add little detail."
    times = f"{(native / first) ** 2:.1f}"
    if device != "cpu" and len(short_sides) <= _MANY:
        return native, (
            f"{seen}, and the networks were pretrained at {NATIVE_PX} px; on this device {times} times the work of "
            f"{first} px is affordable."
        )
    return first, (
        f"{seen}, so begin at {first} px and let a ladder say whether larger_images:size_px={native} is worth about "
        f"{times} times the time; the networks were pretrained at {NATIVE_PX} px."
    )


def _by_split(scan: Scan, measure: str) -> dict[str, Quantiles]:
    values = scan.measures[measure].to_numpy()
    rows = {split: scan.samples.rows(split) for split in SPLITS}
    return {split: quantiles(values[chosen]) for split, chosen in rows.items() if len(chosen)}


def _counts(values: pd.Series | Iterable[str]) -> dict[str, int]:
    """Count what occurs, the most frequent first."""
    return dict(sorted(Counter(values).items(), key=lambda entry: (-entry[1], entry[0])))


@dataclass(frozen=True)
class PermutationFolds:
    """Samples with kinds, divided into folds, whose kinds a permutation test permutes."""

    kinds: Indices
    """int64 [m], what is to be guessed, as a number from 0."""
    units: Indices
    """int64 [m], the unit of each sample, from 0: what belongs together, see `imgcls.data.grouping`."""
    folds: Indices
    """int64 [m], in which turn a sample is held out."""

    @classmethod
    def of(
        cls, kinds: npt.ArrayLike, units: npt.ArrayLike, *, n_folds: int, rng: np.random.Generator
    ) -> PermutationFolds:
        """Divide samples into folds: units whole, and as many of each kind in each fold as can be.

        Args:
            kinds: [m] numbers from 0.
            units: [m] numbers.
            n_folds: At least 2; fewer are made where there are fewer units.
            rng: Decides who is held out when.
        """
        kinds = np.asarray(kinds, dtype=np.int64)
        names, first, units = np.unique(np.asarray(units), return_index=True, return_inverse=True)
        order = rng.permutation(len(names))
        order = order[np.argsort(kinds[first][order], kind="stable")]
        turns = np.empty(len(names), dtype=np.int64)
        turns[order] = (np.arange(len(names)) + rng.integers(n_folds)) % min(n_folds, max(1, len(names)))
        return cls(kinds, units.astype(np.int64), turns[units])

    @property
    def n_folds(self) -> int:
        """The number of folds."""
        return int(self.folds.max(initial=-1)) + 1

    @property
    def are_single(self) -> bool:
        """Whether every sample is a unit of its own."""
        return len(self.units) == int(self.units.max(initial=-1)) + 1

    def permuted(self, n: int, rng: np.random.Generator) -> Indices:
        """Return permutations of the kinds.

        Single samples exchange their kinds within their folds, so that the folds stay as they are. A unit gets those of
        another one, from the first on and again where it is larger, so that what is alike within units stays so.

        Args:
            n: How often.
            rng: Decides how.

        Returns:
            int64 [n, m].
        """
        return self._within_folds(n, rng) if self.are_single else self._by_units(n, rng)

    def _within_folds(self, n: int, rng: np.random.Generator) -> Indices:
        permuted = np.empty((n, len(self.kinds)), dtype=np.int64)
        for fold in range(self.n_folds):
            rows = np.flatnonzero(self.folds == fold)
            permuted[:, rows] = rng.permuted(np.tile(self.kinds[rows], (n, 1)), axis=1)
        return permuted

    def _by_units(self, n: int, rng: np.random.Generator) -> Indices:
        permuted = np.empty((n, len(self.kinds)), dtype=np.int64)
        places = np.argsort(self.units, kind="stable")
        sizes = np.bincount(self.units)
        starts = np.cumsum(sizes) - sizes
        unit = self.units[places]
        within = np.arange(len(places)) - starts[unit]
        for turn in range(n):
            giver = rng.permutation(len(sizes))[unit]
            permuted[turn, places] = self.kinds[places[starts[giver] + within % sizes[giver]]]
        return permuted


def p_value(found: float, by_chance: npt.NDArray[np.float64]) -> float:
    """Return the share of permutations that did as well, the one that was found counted among them; NaN counts as well.

    Source: Phipson and Smyth 2010, Statistical Applications in Genetics and Molecular Biology 9(1), article 39.
    """
    return float((1 + np.logical_not(by_chance < found - 1e-12).sum()) / (1 + len(by_chance)))


def aucs(scores: Floats, *, positive: Floats, negative: Floats) -> Floats:
    """Return the ROC AUC of every column of scores; equal scores count half.

    Args:
        scores: [n_cells, q], the score of each cell of samples that share it.
        positive: [n_cells, q], how many samples of a cell belong to the class.
        negative: [n_cells, q], how many do not.

    Returns:
        [q], in [0, 1]; NaN where one side is empty.

    Source: the Mann-Whitney statistic; `sklearn.metrics.roc_auc_score` with `sample_weight` gives the same.
    """
    order = np.argsort(scores, axis=0, kind="stable")
    ordered = np.take_along_axis(scores, order, axis=0)
    pos, neg = (np.take_along_axis(counts, order, axis=0) for counts in (positive, negative))
    first, last = _ties(ordered)
    up_to = np.concatenate([np.zeros((1, scores.shape[1])), np.cumsum(neg, axis=0)])
    below, not_above = np.take_along_axis(up_to, first, axis=0), np.take_along_axis(up_to, last + 1, axis=0)
    pairs = pos.sum(axis=0) * neg.sum(axis=0)
    won = (pos * (below + not_above)).sum(axis=0) / 2
    return np.divide(won, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def _ties(ordered: Floats) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Give, for every place of sorted columns, the first and last place with the same score."""
    n = len(ordered)
    places = np.broadcast_to(np.arange(n)[:, None], ordered.shape)
    is_new = np.ones(ordered.shape, dtype=bool)
    is_new[1:] = ordered[1:] != ordered[:-1]
    first = np.maximum.accumulate(np.where(is_new, places, 0), axis=0)
    is_end = np.concatenate([is_new[1:], np.ones((1, ordered.shape[1]), dtype=bool)])
    last = np.minimum.accumulate(np.where(is_end, places, n - 1)[::-1], axis=0)[::-1]
    return first, last


def principal_components(
    values: npt.ArrayLike, *, most: int = MOST_COMPONENTS, whiten: bool = True, images_each: int = _IMAGES_A_COMPONENT
) -> Floats:
    """Return the strongest principal components of standardised features.

    Args:
        values: [n, d].
        most: How many at the most.
        whiten: Whether each gets variance 1; else all together have a mean variance of 1.
        images_each: One component for so many images at the most.

    Returns:
        [n, c]; a single column of 0 where all images are alike.
    """
    from sklearn.decomposition import PCA

    features = np.asarray(values, dtype=np.float64)
    deviations = features.std(axis=0)
    varied = deviations > 1e-9 * max(1e-30, float(np.abs(features).max(initial=0.0)))
    standard = (features[:, varied] - features[:, varied].mean(axis=0)) / deviations[varied]
    n_components = min(most, max(1, len(features) // images_each), *standard.shape)
    if not n_components:
        return np.zeros((len(features), 1))
    is_small = len(features) < _FEW_IMAGES or standard.shape[1] > len(features)
    components = PCA(n_components, whiten=whiten, svd_solver="full" if is_small else "covariance_eigh")
    found = np.asarray(components.fit_transform(standard))
    return found if whiten else found / max(1e-12, float(found.std(axis=0).mean()))
