"""Decide: choose the rule by which probabilities become answers, and say what it promises and what it costs.

What is chosen by the predictions of validation is judged on predictions that did not choose it: thresholds are chosen
on four fifths of the images (over folds, on the other folds) and judged on the rest, five times. The rule that is kept
was chosen on all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, stdtrit
from scipy.stats import rankdata

from imgcls.config.decision import DECISION_TOML, NOT_SURE, Answers, Decision, Promise
from imgcls.config.metrics import DEFAULT_THRESHOLD
from imgcls.errors import DataError, UsageError, nearest_hint
from imgcls.evidence.contributions import Booleans, Floats
from imgcls.evidence.metrics import Groups
from imgcls.evidence.per_class import ClassScores, class_scores, mean_of
from imgcls.evidence.validated import Validated
from imgcls.evidence.variance import by_group, group_numbers
from imgcls.records.blend import BlendRecord, find_predictor
from imgcls.records.run import Estimate, RunRecord
from imgcls.schema import to_json
from imgcls.text import listed
from imgcls.workspace import Workspace

_MOST_CUTS = 500
"""Thresholds that are tried for a recall, among the scores of the images that have the class."""
_MOST_LOOKS = 20
"""Thresholds that are tried for a precision, more of them where few images are called so."""
_SWEEPS = 3
_FACTORS = np.geomspace(0.1, 10, 21)
"""What a class may count in place of 1 where F1 of more than two classes is sought."""


@dataclass(frozen=True)
class Bound:
    """At least so much recall, or precision, of a class."""

    what: Literal["recall", "precision"]
    """Of what."""
    of: str
    """The class."""
    at_least: float
    """In (0, 1]."""

    def __str__(self) -> str:
        """Write it as an option of `imgcls decide`."""
        return f"--{self.what} '{self.of}>={self.at_least:g}'"


@dataclass(frozen=True)
class Costs:
    """What wrong answers cost; in any unit."""

    answers: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Answer, a class or "not sure" → its cost for each true class; where an image has one class."""
    labels: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Label → what it costs to miss it, and to name it where it is not; where images have several labels."""

    @classmethod
    def read(cls, path: Path, record: RunRecord | BlendRecord) -> Self:
        """Read a table: a row for each true class and a column for each answer; with several labels a row for each.

        Args:
            path: The file; its first column names the true classes. With several labels its columns are `label`,
                `missed` and `false_alarm`.
            record: The run or blend whose classes are meant.

        Raises:
            DataError: It cannot be read, a class is missing or unknown, or a cost is no number from 0.
        """
        from imgcls.data.tables import read_table

        table = read_table(path)
        key, *others = table.columns
        several = record.problem == "multilabel"
        if several and set(others) != {"missed", "false_alarm"}:
            raise DataError(
                f"{path}: images have several labels, so its columns have to be label, missed and false_alarm, with a "
                f"row for each label; not {', '.join(table.columns)}."
            )
        wanted = {*others} if several else {*record.classes}
        names, allowed = list(table.columns[key]), wanted if several else wanted | {NOT_SURE}
        faults = [f"there is no row for {name!r}" for name in record.classes if name not in names]
        faults += [f"row {name!r} is no class" for name in dict.fromkeys(names) if name not in record.classes]
        faults += [f"{name!r} has several rows" for name in dict.fromkeys(names) if names.count(name) > 1]
        faults += [f"there is no column for {name!r}" for name in sorted(wanted) if name not in others]
        faults += [f"column {name!r} is no class" for name in others if name not in allowed]
        values = {name: [_cost(text) for text in table.columns[name]] for name in others}
        faults += [
            f"{names[row]!r} answered {name!r}: {table.columns[name][row]!r} is no cost from 0"
            for name, column in values.items()
            for row, value in enumerate(column)
            if value is None
        ]
        if not faults and not any(value for column in values.values() for value in column):
            faults.append("no wrong answer costs anything")
        if faults:
            raise DataError.together(faults, heading=f"{path} does not say what answers cost:")
        rows = [names.index(name) for name in record.classes]
        columns = {name: tuple(float(column[row] or 0) for row in rows) for name, column in values.items()}
        if not several:
            return cls(answers=columns)
        pairs = zip(columns["missed"], columns["false_alarm"], strict=True)
        return cls(labels=dict(zip(record.classes, pairs, strict=True)))

    def of_each(self, truth: Booleans, decided: Booleans, unsure: Booleans) -> Floats:
        """Return what each image costs, [n]; only a table with a column for it leaves one to a person."""
        if self.labels:
            missed, false = np.array(list(self.labels.values())).T
            return (truth & ~decided) @ missed + (decided & ~truth) @ false
        table = np.array([cost for answer, cost in self.answers.items() if answer != NOT_SURE]).T
        left = np.array(self.answers.get(NOT_SURE, np.zeros(len(table))))
        return np.where(unsure, truth @ left, (truth @ table * decided).sum(axis=1))


@dataclass(frozen=True)
class Question:
    """What is asked of a decision; nothing is the most probable class, or all labels from 0.5 on."""

    bounds: tuple[Bound, ...] = ()
    """Bounds of recall or precision: one, or with several labels one for each label."""
    f1: bool = False
    """Whether the best F1 is sought: of each label without a bound, of the rarer of two classes, of the mean over
    more."""
    costs: Costs | None = None
    """What wrong answers cost: the answer with the smallest expected cost is given."""
    reject: float | None = None
    """The share of images that may be left to a person, those with the most doubt; None leaves nothing open."""

    @property
    def is_fitted(self) -> bool:
        """Whether images choose; costs are known, and nothing is fitted to them."""
        return bool(self.bounds or self.f1 or self.reject)

    @property
    def asked(self) -> tuple[str, ...]:
        """The same as options of `imgcls decide`."""
        more = {"--f1": self.f1, "--cost": self.costs, f"--reject {self.reject or 0:.3g}": self.reject}
        return (*map(str, self.bounds), *(option for option, is_there in more.items() if is_there))

    def check(self, record: RunRecord | BlendRecord) -> None:
        """Refuse what cannot be asked of a run or a blend.

        Raises:
            UsageError: A class is unknown, a number is out of range, or two wishes cannot be had together.
        """
        several, names = record.problem == "multilabel", [bound.of for bound in self.bounds]
        faults = [
            f"There is no class {name!r}; there are {listed(record.classes)}.{nearest_hint(name, record.classes)}"
            for name in names
            if name not in record.classes
        ]
        faults += [f"{one}: it has to be above 0, and at most 1." for one in self.bounds if not 0 < one.at_least <= 1]
        if self.reject is not None and not 0 < self.reject < 1:
            faults.append(f"--reject {self.reject:g}: a share of all images is above 0 and below 1, such as 5%.")
        if len(names) != len(set(names)):
            faults.append("Of a class either recall or precision can be bounded, and once.")
        elif len(names) > 1 and not several:
            faults.append("Where an image has one class, a threshold can be set for one of them only.")
        if (self.costs and (self.bounds or self.f1)) or (self.f1 and self.bounds and not several):
            faults.append("Ask for one of --recall or --precision, --f1 and --cost.")
        leaves_open = self.costs is not None and NOT_SURE in self.costs.answers
        if self.costs is not None and self.reject is not None:
            faults.append(f"A column {NOT_SURE!r} of costs decides what is left open; leave --reject out.")
        if NOT_SURE in record.classes and (self.reject is not None or leaves_open):
            faults.append(f"A class is called {NOT_SURE!r}, so that no answer can be left open.")
        if faults:
            raise UsageError.together(faults, heading="This cannot be decided:")


@dataclass(frozen=True)
class RuleScores:
    """What answers get right and wrong."""

    n_unsure: int
    """Images that are left to a person; figures are of the others, the cost is of all."""
    accuracy: Estimate
    """The share of the answers that are right; with several labels, of all labels of all images."""
    cost: Estimate | None
    """Mean cost of an image; None where costs are not known."""
    classes: tuple[ClassScores, ...]
    """Precision, recall and F1 of each class, and its AUC, which no answer changes."""
    n_false: tuple[int, ...]
    """Of each class, images that are called so and have it not."""

    @property
    def mean_f1(self) -> float:
        """The mean F1 over the classes that occur, or are answered."""
        return float(np.mean([one.f1.value for one in self.classes if one.f1.value is not None]))

    def found(self, what: Literal["recall", "precision"], place: int) -> Estimate:
        """Return recall or precision of the class at a place."""
        return self.classes[place].recall if what == "recall" else self.classes[place].precision

    @classmethod
    def of(cls, images: Validated, answers: Answers, costs: Costs | None) -> Self:
        """Score the answers for images."""
        given, chosen = images.at(np.flatnonzero(~answers.unsure)), answers.chosen[~answers.unsure]
        if not given.n:
            raise UsageError("Everything would be left to a person, so that no answer can be scored.")
        truth, units = given.truth, Groups.of(given.groups, n=given.n)
        right = (chosen == truth if images.problem == "multilabel" else chosen[truth][:, None]).mean(axis=1)
        each = None if costs is None else costs.of_each(images.truth, answers.chosen, answers.unsure)
        return cls(
            n_unsure=images.n - given.n,
            accuracy=mean_of(right, units, highest=1.0),
            cost=None if each is None else mean_of(each, Groups.of(images.groups, n=images.n)),
            classes=class_scores(
                given.probabilities,
                given.targets,
                problem=given.problem,
                classes=given.classes,
                groups=given.groups,
                answers=chosen,
            ),
            n_false=tuple((chosen & ~truth).sum(axis=0).tolist()),
        )


@dataclass(frozen=True)
class Decided:
    """A decision with what it promises, and what it costs."""

    decision: Decision
    """The rule, chosen on all images of validation."""
    scores: RuleScores
    """What rules chosen in the same way do on images that did not choose them."""
    default: RuleScores
    """What the default does on the same images."""
    n: int
    """The images of validation."""
    n_without: tuple[int, ...]
    """Of each class, those that have it not."""
    held_out: str
    """Which images did not choose, in words; "" where nothing was chosen by images."""
    path: Path | None = None
    """The file that was written; None without."""

    @property
    def is_shown(self) -> bool:
        """Whether all promises are supported by the images that chose, and met on those that did not."""
        return all(one.is_shown and (self.found(one).value or 0.0) >= one.at_least for one in self.decision.promises)

    @property
    def is_better(self) -> bool:
        """Whether the rule is better than the default at what it was chosen for: costs, or the mean F1."""
        if self.scores.cost is not None and self.default.cost is not None:
            return (self.scores.cost.value or 0.0) < (self.default.cost.value or 0.0)
        return self.scores.mean_f1 > self.default.mean_f1

    def found(self, promise: Promise) -> Estimate:
        """Return what was promised, as it is on images that did not choose."""
        return self.scores.found(promise.what, self.decision.classes.index(promise.of))

    def keep(self, to: Path | None = None, *, workspace: Workspace | None = None) -> Decided:
        """Write it, so that the run or blend that it was made for follows it.

        Args:
            to: The file; None for decision.toml of the workspace.
            workspace: The one of the current folder when None.

        Returns:
            The same with its path.

        Raises:
            ImgclsError: The file cannot be written; the old one is still there.
        """
        path = to or (workspace or Workspace.find()).root / DECISION_TOML
        self.decision.write(path)
        return replace(self, path=path)

    def to_json(self) -> dict[str, Any]:
        """Return the whole as JSON values."""
        return {
            "schema": 1,
            **to_json(replace(self, decision=None, path=None)),  # type: ignore[arg-type]
            "decision": self.decision.model_dump(mode="json", by_alias=True),
            "is_shown": self.is_shown,
            "path": None if self.path is None else str(self.path),
        }


def decide(
    run: RunRecord | BlendRecord | str,
    *,
    recall: Mapping[str, float] | None = None,
    precision: Mapping[str, float] | None = None,
    f1: bool = False,
    costs: Costs | Path | str | None = None,
    reject: float | None = None,
    workspace: Workspace | None = None,
) -> Decided:
    """Choose by which rule a run or a blend answers, and judge it; `Decided.keep` makes it be followed.

    A bound of recall gets the highest threshold at which the exact 95 % interval (`exact_interval`) lies above it. A
    bound of precision gets the lowest of twenty, with an interval that holds for all twenty. Where no threshold reaches
    that, it is the one that comes nearest, and the promise says what is shown. With nothing asked for the answer is the
    most probable class, or all labels from 0.5 on.

    Args:
        run: A run or a blend: its record, its id, or the beginning of its id. A joint record of folds is decided for by
            what it says out of fold.
        recall: Class → the share in (0, 1] of the images that have it that must be answered so; of one class, or
            with several labels of any.
        precision: Class → the share of the images answered so that must have it.
        f1: Whether the best F1 is sought: of each label, of the rarer one of two classes, of the mean over more.
        costs: What wrong answers cost, or a table of it, see `Costs.read`: the answer with the smallest expected cost
            is given.
        reject: The share of images in (0, 1) that may be left to a person: those with the most doubt, see
            `Decision.doubts`.
        workspace: Where the records lie; the one of the current folder when None.

    Raises:
        UsageError: It cannot be asked, or there are too few images of a class to choose by.
        DataError: The table of costs does not fit.
        RecordError: There is no such run or blend, or its predictions are damaged.

    Example:
        >>> imgcls.decide("baseline-s0-1a2b3c4d", recall={"defective": 0.99}).keep().is_shown  # doctest: +SKIP
        False
    """
    record = find_predictor(run, workspace or Workspace.find()) if isinstance(run, str) else run
    asked: list[tuple[Literal["recall", "precision"], Mapping[str, float]]]
    asked = [("recall", recall or {}), ("precision", precision or {})]
    question = Question(
        bounds=tuple(Bound(what, of, share) for what, shares in asked for of, share in shares.items()),
        f1=f1,
        costs=Costs.read(Path(costs), record) if isinstance(costs, Path | str) else costs,
        reject=reject,
    )
    question.check(record)
    images = Validated.of(record)
    base = Decision(of=record.id, key=record.key, type=images.problem, classes=images.classes)
    decision = _chosen(base, question, images)
    default, answers = base.answers(images.probabilities), decision.answers(images.probabilities)
    held_out = ""
    if question.is_fitted:
        held_out = "a fifth at a time" if images.folds is None else "fold by fold"
        for choosing, judged in images.turns():
            rule = _chosen(base, question, images.at(choosing))
            answers.chosen[judged], answers.unsure[judged] = rule.answers(images.probabilities[judged])
    return Decided(
        decision,
        scores=RuleScores.of(images, answers, question.costs),
        default=RuleScores.of(images, default, question.costs),
        n=images.n,
        n_without=tuple((~images.truth).sum(axis=0).tolist()),
        held_out=held_out,
    )


def _chosen(base: Decision, question: Question, images: Validated) -> Decision:
    """Return the rule that images choose."""
    costs = question.costs or Costs()
    thresholds = {name: false / (missed + false or 1) for name, (missed, false) in costs.labels.items()}
    values, promises = {"costs": dict(costs.answers)}, []
    for bound in question.bounds:
        thresholds[bound.of], shown = _bounded(bound, images)
        promises.append(Promise(what=bound.what, of=bound.of, at_least=bound.at_least, shown=shown))
    if question.f1:
        truth = images.truth
        free = [name for name in images.classes if name not in thresholds]
        if images.problem == "binary":
            free = [images.classes[int(truth.sum(axis=0).argmin())]]
        if images.problem == "multiclass":
            values["costs"] = _costs_for_f1(images)
        else:
            places = [images.classes.index(name) for name in free]
            thresholds |= {
                images.classes[place]: _best_f1(images.probabilities[:, place], truth[:, place]) for place in places
            }
    rule = base.model_validate(
        {
            **base.model_dump(by_alias=True),
            **values,
            "thresholds": thresholds,
            "promises": promises,
            "asked": question.asked,
        }
    )
    if question.reject is None:
        return rule
    doubt = np.quantile(rule.doubts(images.probabilities), 1 - question.reject, method="higher")
    return rule.model_copy(update={"doubt": float(doubt)})


def _bounded(bound: Bound, images: Validated) -> tuple[float, float]:
    """Return the threshold that keeps a bound, and the lower end of the interval there; else the nearest.

    Raises:
        UsageError: Too few images have the class.
    """
    place = images.classes.index(bound.of)
    scores, true = images.probabilities[:, place], images.truth[:, place]
    groups = group_numbers(images.groups, n=images.n)
    if not true.any():
        raise UsageError(
            f"Too few images of validation have {bound.of!r}: those that choose the threshold and those that judge it "
            "have to be different ones. Let more of them validate, or use folds."
        )
    cuts, n_looks = np.unique(scores[true]), 1
    if bound.what == "recall":
        cuts = cuts[np.unique(np.linspace(0, len(cuts) - 1, _MOST_CUTS).astype(int))]
    else:  # lower thresholds need not be less precise, so that each of them is a look
        cuts = cuts[-np.unique(np.geomspace(1, len(cuts), _MOST_LOOKS).round().astype(int))[::-1]]
        n_looks = len(cuts)
    best, shown = cuts[0], -1.0
    for cut in cuts[::-1] if bound.what == "recall" else cuts:
        called = scores >= cut
        hits, among = (called, true) if bound.what == "recall" else (true, called)
        low, _ = exact_interval(
            hits[among], None if groups is None else groups[among], scores=scores[among], n_looks=n_looks
        )
        if low > shown:
            best, shown = cut, low
        if low >= bound.at_least:
            break
    return _between(best, scores), shown


def _between(cut: float, scores: Floats) -> float:
    """Return the middle between a score and the next lower one, so that the last digit of a score decides nothing."""
    return float((cut + scores[scores < cut].max(initial=0.0)) / 2)


def _best_f1(scores: Floats, true: Booleans) -> float:
    """Return the threshold with the best F1, the highest of equal ones; the default where no image has the class."""
    if not true.any():
        return DEFAULT_THRESHOLD
    order = np.argsort(-scores, kind="stable")
    f1 = 2 * np.cumsum(true[order]) / (true.sum() + np.arange(1, len(scores) + 1))
    is_last = np.append(np.diff(scores[order]) < 0, True)  # images of one score are called so together
    return _between(scores[order][np.where(is_last, f1, -1).argmax()], scores)


def _costs_for_f1(images: Validated) -> dict[str, tuple[float, ...]]:
    """Return costs of missing each class by which the mean F1 over classes is best, found class by class in turn."""
    truth, k = images.truth, len(images.classes)
    there = truth.any(axis=0)

    def mean_f1(factors: Floats) -> float:
        called = np.arange(k) == (images.probabilities * factors).argmax(axis=1)[:, None]
        total = truth.sum(axis=0) + called.sum(axis=0)
        return float((2 * (truth & called).sum(axis=0)[there] / total[there]).mean())

    factors = np.ones(k)
    for place in [*np.flatnonzero(there)] * _SWEEPS:
        others = (np.where(np.arange(k) == place, factor, factors) for factor in _FACTORS)
        factors = max([factors, *others], key=mean_f1)
    return {
        name: tuple(0.0 if place == answer else float(factors[place]) for place in range(k))
        for answer, name in enumerate(images.classes)
    }


def exact_interval(
    hits: Booleans,
    groups: npt.NDArray[np.intp] | None = None,
    *,
    scores: Floats | None = None,
    n_looks: int = 1,
) -> tuple[float, float]:
    """Return the 95 % interval of a share, which also holds where all or none are hits.

    Where images come in groups they count as many images as would vary that much on their own. A few misses say little
    of how much that is, so that it is taken from the scores as well, and the smaller number counts.

    Args:
        hits: [n], at least one.
        groups: [n], what varies together; None where images stand alone.
        scores: [n], what hits are cut from; None where they are not.
        n_looks: Of how many such intervals all have to hold; each is as much wider (Bonferroni).

    Source: Clopper and Pearson (1934), Biometrika 26; Korn and Graubard (1998), Survey Methodology 24.
    """
    n, share = float(len(hits)), float(hits.mean())
    if groups is not None:
        numbers = np.unique(groups, return_inverse=True)[1]
        n_groups = int(numbers.max()) + 1
        smaller = (stdtrit(n - 1, 0.975) / stdtrit(n_groups - 1, 0.975)) ** 2 if n > n_groups > 1 else 1.0
        values = [hits.astype(np.float64)] + ([] if scores is None else [rankdata(scores)])
        n = min(n, smaller * min(_n_alone(one, numbers) for one in values))
    x = share * n
    tail = 0.025 / n_looks
    low = float(betaincinv(x, n - x + 1, tail)) if x > 0 else 0.0
    high = float(betaincinv(x + 1, n - x, 1 - tail)) if x < n else 1.0
    return low, high


def _n_alone(values: Floats, groups: npt.NDArray[np.intp]) -> float:
    """Return how many images that stand alone would have a mean as uncertain as that of groups.

    Where nothing varies it is as many as there are groups.
    """
    n_groups = int(groups.max()) + 1
    variance = float(by_group(values[None], groups)[0].var(ddof=1)) / n_groups if n_groups > 1 else 0.0
    return float(values.var()) / variance if variance > 0 else float(n_groups)


def _cost(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None
