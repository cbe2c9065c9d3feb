"""Metrics as people name and read them: which there are, which one decides, their titles, units and figures."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Literal

from imgcls.errors import UsageError, nearest_hint

RECORDED = ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "average_precision", "log_loss")
"""The metrics that every record keeps; any other is computed from kept predictions when it is asked for."""
COMPARED = tuple(name for name in RECORDED if name != "average_precision")
"""Those among them that gains are measured in, besides the one that decides."""
PRIMARY: Mapping[str, str] = MappingProxyType({"binary": "roc_auc", "multiclass": "accuracy", "multilabel": "roc_auc"})
"""From the kind of problem to its metric."""
DEFAULT_THRESHOLD = 0.5
"""From which probability on an image has a label, where nobody decided otherwise."""
_KINDS = ("binary", "multiclass", "multilabel")
_ONE_LABEL = _KINDS[:2]
_IN_WORDS = {"binary": "two classes", "multiclass": "several classes", "multilabel": "several labels an image"}
_INFINITE = float("inf")


@dataclass(frozen=True)
class Option:
    """A setting that stands behind the name of a metric, as in `f_beta:beta=2`."""

    what: str
    """What it has to be, for messages: `a number above 0 and at most 100`."""
    example: str
    """A value that goes."""
    bounds: tuple[float, float] | None = None
    """The number is above the first and at most the second; None where it is text."""
    is_whole: bool = False
    """Whether the number has to be whole."""
    is_required: bool = True
    """Whether the metric cannot do without."""

    def read(self, text: str) -> str | None:
        """Return a value as it is always written, so that equal metrics have equal names; None if it does not go."""
        if self.bounds is None:
            return text.strip() or None
        try:
            value = float(text)
        except ValueError:
            return None
        low, high = self.bounds
        goes = low < value <= high and not (self.is_whole and value != int(value))
        return f"{value:.12g}" if goes else None


_CLASS = {"class": Option("the name of a class", "NAME", is_required=False)}
_BETA = Option("a number above 0 and at most 100: how many times as much recall counts", "2", (0, 100))
_K = Option("a whole number from 1 to 1000", "3", (0, 1000), is_whole=True)
_PRECISION = Option("a share above 0 and at most 1", "0.9", (0, 1))
_RECALL = Option("a share above 0 and at most 1", "0.95", (0, 1))
_ORDER = Option("all classes from the lowest to the highest, with | between them", "mild|severe", is_required=False)


@dataclass(frozen=True)
class Metric:
    """What is known of a metric, and of its options where it has some."""

    name: str
    """Its name without options; of one's own `module:function`."""
    base_title: str
    """As people read it; options in braces."""
    higher_is_better: bool = True
    """Whether larger values are better."""
    range: tuple[float, float] = (0.0, 1.0)
    """The smallest and the largest possible value."""
    looks_at: Literal["decisions", "order", "probabilities"] = "decisions"
    """What it is computed from: which classes are named, the order of probabilities, which no threshold and no share
    of a class moves, or the probabilities themselves."""
    problems: tuple[str, ...] = _KINDS
    """The kinds of problem that it is defined for."""
    needs: Literal["", "positives", "negatives", "both", "any positives", "two classes"] = ""
    """What a class must have to be counted in its mean over classes, or what all of them together must have."""
    has_contributions: bool = True
    """Whether it is a mean of contributions of single images: only then can gains be judged, and may it decide."""
    weighs_classes_alike: bool = False
    """Whether a rare class counts as much as a frequent one."""
    unit: Literal["points", "nats", "units"] = "points"
    """The unit of gains: a point is a hundredth; a metric of one's own is in units of its own."""
    takes: Mapping[str, Option] = field(default_factory=dict)
    """The options that may stand behind its name."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Those that do."""

    @cached_property
    def text(self) -> str:
        """The metric as it is asked for and recorded: `f_beta:beta=2`, `cost:total:lower`."""
        if self.is_own and not self.higher_is_better:
            return f"{self.name}:lower"
        settings = ",".join(f"{name}={self.options[name]}" for name in self.takes if name in self.options)
        return f"{self.name}:{settings}" if settings else self.name

    @property
    def example(self) -> str:
        """How it may be asked for: its name, with the options that it needs."""
        needed = ",".join(f"{name}={one.example}" for name, one in self.takes.items() if one.is_required)
        return f"{self.name}:{needed}" if needed else self.name

    @cached_property
    def title(self) -> str:
        """The metric as people read it: `Top-3 accuracy`, `Sensitivity (defective)`."""
        chosen = f" ({self.options['class']})" if "class" in self.options else ""
        return self.base_title.format_map(self.options) + chosen

    @property
    def is_own(self) -> bool:
        """Whether it is a function of the person's own."""
        return ":" in self.name

    @property
    def is_of_one_class(self) -> bool:
        """Whether it looks at one class against the rest, and is a mean over classes where none is chosen."""
        return "class" in self.takes

    def number(self, option: str) -> float:
        """Return the value of an option that is a number."""
        return float(self.options[option])

    def signed(self, value: float) -> float:
        """Return a value in the metric's own direction from one of which more is better, or the other way round."""
        return value if self.higher_is_better else 0.0 - value

    def place_of_class(self, classes: Sequence[str]) -> int | None:
        """Return the place of the class that was chosen; None without one.

        Args:
            classes: The names; empty where classes have numbers only.

        Raises:
            UsageError: There is no such class.
        """
        chosen = self.options.get("class")
        if chosen is None:
            return None
        if chosen in classes:
            return list(classes).index(chosen)
        if not classes and chosen.isdecimal():
            return int(chosen)
        known = f"{nearest_hint(chosen, classes)} There are: {', '.join(classes)}." if classes else " Give its number."
        raise UsageError(f"{self.text}: there is no class {chosen!r}.{known}")

    def ranks(self, classes: Sequence[str], *, n: int) -> list[int]:
        """Return the rank of every class, from 0 for the lowest.

        Args:
            classes: The names; empty where classes have numbers only, which are their ranks.
            n: How many there are.

        Raises:
            UsageError: The order names other classes; or there is none, and the names are no numbers to order by.
        """
        order = self.options.get("order")
        if order is None:
            if n > 2 and not all(re.fullmatch(r"[+-]?\d+", name) for name in classes):
                raise UsageError(
                    f"{self.name} needs the order of the classes, since their names are no whole numbers: say it from "
                    f"the lowest to the highest, such as {self.name}:order={'|'.join(classes)}."
                )
            return list(range(n))
        named = order.split("|")
        names = list(classes) or [str(place) for place in range(n)]
        if sorted(named) != sorted(names):
            raise UsageError(f"{self.text}: the order has to name each of {', '.join(names)} once.")
        return [named.index(name) for name in names]

    def check(self, problem: str, classes: Sequence[str]) -> None:
        """Check that the metric is defined for a kind of problem with these classes.

        Args:
            problem: `binary`, `multiclass` or `multilabel`.
            classes: Their names; empty where they are not known yet.

        Raises:
            UsageError: It is not.
        """
        if problem not in self.problems:
            kinds = " and ".join(_IN_WORDS[kind] for kind in self.problems)
            others = ", ".join(name for name in COMPARED if problem in METRICS[name].problems)
            raise UsageError(f"{self.text} is defined for {kinds}, not for {_IN_WORDS[problem]}. Others are: {others}.")
        if not classes:
            return
        self.place_of_class(classes)
        if "order" in self.takes:
            self.ranks(classes, n=len(classes))
        if self.name == "top_k" and self.number("k") >= len(classes):
            raise UsageError(f"{self.text} of {len(classes)} classes is always right; k has to be below that number.")


def _known(*metrics: Metric) -> Mapping[str, Metric]:
    return MappingProxyType({metric.name: metric for metric in metrics})


METRICS: Mapping[str, Metric] = _known(
    Metric("accuracy", "Accuracy"),
    Metric("balanced_accuracy", "Balanced accuracy", needs="positives", weighs_classes_alike=True),
    Metric("macro_f1", "Macro F1", needs="positives", weighs_classes_alike=True),
    Metric("roc_auc", "ROC AUC", looks_at="order", needs="both", takes=_CLASS),
    Metric(
        "average_precision",
        "Average precision",
        looks_at="order",
        needs="positives",
        has_contributions=False,
        takes=_CLASS,
    ),
    Metric(
        "log_loss",
        "Log loss",
        higher_is_better=False,
        range=(0.0, _INFINITE),
        looks_at="probabilities",
        unit="nats",
    ),
    Metric("micro_f1", "Micro F1", needs="any positives"),
    Metric("f_beta", "F{beta}", needs="positives", weighs_classes_alike=True, takes={"beta": _BETA, **_CLASS}),
    Metric("sensitivity", "Sensitivity", needs="positives", weighs_classes_alike=True, takes=_CLASS),
    Metric("specificity", "Specificity", needs="negatives", takes=_CLASS),
    Metric("mcc", "MCC", range=(-1.0, 1.0), problems=_ONE_LABEL, needs="two classes", weighs_classes_alike=True),
    Metric(
        "quadratic_kappa",
        "Quadratic kappa",
        range=(-1.0, 1.0),
        problems=_ONE_LABEL,
        needs="two classes",
        takes={"order": _ORDER},
    ),
    Metric("top_k", "Top-{k} accuracy", looks_at="probabilities", problems=("multiclass",), takes={"k": _K}),
    Metric("brier", "Brier score", higher_is_better=False, range=(0.0, 2.0), looks_at="probabilities"),
    Metric(
        "calibration_error",
        "Calibration error",
        higher_is_better=False,
        looks_at="probabilities",
        has_contributions=False,
    ),
    Metric(
        "recall_at_precision",
        "Recall at precision {precision}",
        looks_at="order",
        needs="positives",
        has_contributions=False,
        takes={"precision": _PRECISION, **_CLASS},
    ),
    Metric(
        "precision_at_recall",
        "Precision at recall {recall}",
        looks_at="order",
        needs="positives",
        has_contributions=False,
        takes={"recall": _RECALL, **_CLASS},
    ),
)
"""From the name of every metric to what is known of it."""
CHOICE = f"{', '.join(metric.example for metric in METRICS.values())}, or module:function"
"""Which metrics there are, for people; one's own with `:lower` behind it where lower values are better."""
_OWN = re.compile(r"(?P<name>[^\W\d][\w.]*:[^\W\d]\w*)(?P<lower>:lower)?")


@lru_cache(maxsize=256)
def find_metric(text: str) -> Metric:
    """Find the metric that a text names.

    Args:
        text: A name, with options behind it as in `f_beta:beta=2,class=defective`; or `module:function`, or
            `module:function:lower` where lower values are better, for one's own. Nothing is imported for it here.

    Raises:
        UsageError: There is none, an option is missing or unknown, or its value does not go.
    """
    name, _, rest = text.strip().partition(":")
    if name not in METRICS:
        if own := _OWN.fullmatch(text.strip()):
            title = own["name"].partition(":")[2]
            ends = (-_INFINITE, _INFINITE)
            return Metric(own["name"], title, own["lower"] is None, ends, looks_at="probabilities", unit="units")
        raise UsageError(f"There is no metric {text!r}.{nearest_hint(name, METRICS)} There are {CHOICE}.")
    known, options = METRICS[name], dict[str, str]()
    for part in re.split(r",(?=\w+=)", rest) if rest else ():
        option, _, value = part.partition("=")
        if option not in known.takes:
            takes = f"It takes {', '.join(known.takes)}" if known.takes else "It takes none"
            raise UsageError(f"{text}: {name} has no option {option!r}.{nearest_hint(option, known.takes)} {takes}.")
        read = known.takes[option].read(value)
        if option in options:
            raise UsageError(f"{text}: {option} is given twice.")
        if read is None:
            raise UsageError(f"{text}: {option} has to be {known.takes[option].what}, not {value!r}.")
        options[option] = read
    for option, wanted in known.takes.items():
        if wanted.is_required and option not in options:
            raise UsageError(f"{name} needs {option}, {wanted.what}, such as {known.example}.")
    return replace(known, options=options)


def described(text: str) -> Metric:
    """Return what is known of a metric that a record names; one that is not known here is shown by its name."""
    try:
        return find_metric(text)
    except UsageError:
        return Metric(text, text.replace("{", "{{").replace("}", "}}"), range=(-_INFINITE, _INFINITE), unit="units")


def deciding_metric(text: str) -> Metric:
    """Find a metric that can decide: one in which gains have verdicts.

    Raises:
        UsageError: There is none, or it has no contributions of single images.
    """
    metric = find_metric(text)
    if not metric.has_contributions:
        instead = "log_loss" if metric.looks_at == "probabilities" else "roc_auc"
        raise UsageError(
            f"{metric.text} has no contributions of single images, so a gain in it has no verdict; use --metric "
            f"{instead}, and see it by 'imgcls runs show RUN --metric {metric.text}'."
        )
    return metric


def decided_by(metric: str | None, kind: str, *, known: Collection[str]) -> str:
    """Return the metric in which a run has to beat the answer that needs no photograph: ROC AUC or accuracy.

    Where a rare class is to be found, always naming the other one has an accuracy that hardly any network exceeds,
    however well it ranks; so what is judged by its ranking is compared with ranking at random.

    Args:
        metric: What decides; None for that of the kind of problem.
        kind: `binary`, `multiclass` or `multilabel`.
        known: Metrics whose interval is known: a ranking without a fault has none, and accuracy tells of it then.
    """
    ranks = described(metric or PRIMARY[kind]).looks_at == "order" and "roc_auc" in known
    return "roc_auc" if ranks or kind == "multilabel" else "accuracy"


def in_words(metric: str) -> str:
    """Return a metric as it stands within a sentence: `accuracy`, `macro F1`, `ROC AUC`."""
    title, own = described(metric).title, described(metric).is_own
    keeps = own or title.isupper() or re.match(r"[A-Z]{2}|F\d|Brier", title)
    return title if keeps else title[:1].lower() + title[1:]


@dataclass(frozen=True)
class Units:
    """How the numbers of a metric are written, wherever people read them: 0.845, and a gain of +1.2 points.

    A point is a hundredth of the metric. Log loss has a unit of its own, nats, for scores and gains alike, and so has
    a metric of one's own.
    """

    metric: str
    """The metric."""

    @property
    def known(self) -> Metric:
        """What is known of the metric."""
        return described(self.metric)

    @property
    def title(self) -> str:
        """Return the metric as the title of a column."""
        return self.known.title

    @property
    def is_loss(self) -> bool:
        """Whether lower values are better."""
        return not self.known.higher_is_better

    @property
    def name(self) -> str:
        """Return the unit of gains."""
        return self.known.unit

    @property
    def small(self) -> str:
        """Return the gain that costs are counted for: `point`, `0.01 nats`."""
        return "point" if self.known.unit == "points" else f"0.01 {self.name}"

    @property
    def explained(self) -> str:
        """Describe what the unit is, and which way is better."""
        if self.known.unit == "nats":
            return "Log loss is in nats, lower is better. A gain is a drop in log loss: above 0 is better."
        metric = in_words(self.metric)
        is_point = self.known.unit == "points"
        size = f"A point is 0.01 of {metric}: from 0.80 to 0.81." if is_point else f"A unit is 1 of {metric}."
        drop = f" Lower is better: a gain is a drop in {metric}." if self.is_loss else ""
        return f"{size}{drop} A gain above 0 is better."

    def score(self, value: float | None) -> str:
        """Write a score: `0.845`; `-` where there is none."""
        return "-" if value is None else f"{value:.3f}"

    def score_interval(self, low: float | None, high: float | None) -> str:
        """Write the interval of a score, `[0.812, 0.871]`; nothing where there is none."""
        return "" if low is None or high is None else f"[{self.score(low)}, {self.score(high)}]"

    def spread(self, value: float | None) -> str:
        """Write a standard deviation with its unit: `0.4 points`; `-` where there is none."""
        return "-" if value is None else self.amount(value)

    def gain(self, value: float) -> str:
        """Write a gain with its sign and without its unit, as in a column: `+1.3`."""
        return f"{round(self.scaled(value), self._digits) + 0.0:+.{self._digits}f}"

    def interval(self, low: float, high: float) -> str:
        """Write an interval of gains by its ends: `[+0.4, +2.1]`; no further than a gain can go."""
        return f"[{self.gain(self.possible(low))}, {self.gain(self.possible(high))}]"

    def possible(self, gain: float) -> float:
        """Return the end of an interval of gains within what can be: a score in [0, 1] gains or loses 1 at the most."""
        lowest, highest = self.known.range
        return min(highest - lowest, max(lowest - highest, gain))

    def gain_text(self, value: float, low: float | None, high: float | None, *, with_metric: bool = False) -> str:
        """Write a gain with its unit and its interval, where it has one: `+1.3 points [+0.4, +2.1]`.

        Args:
            value: The gain.
            low: Lower end of the 95 % interval.
            high: Upper end of it.
            with_metric: Whether the metric is named: `+1.3 points of accuracy [+0.4, +2.1]`.
        """
        interval = "" if low is None or high is None else f" {self.interval(low, high)}"
        of = f" of {in_words(self.metric)}" if with_metric else ""
        return f"{self.gain(value)} {self.name}{of}{interval}"

    def amount(self, value: float) -> str:
        """Write the size of a gain, without a sign: `1.8 points`."""
        return f"{self.scaled(value):.{self._digits}f} {self.name}"

    def scaled(self, value: float) -> float:
        """Return a gain in its unit."""
        return 100 * value if self.known.unit == "points" else value

    @property
    def _digits(self) -> int:
        return 1 if self.known.unit == "points" else 3
