"""The plan: a frozen description of one training, and nothing else.

A plan has eight parts. Every value in it is JSON, every part checks its own types and ranges, and
two plans that mean the same have the same canonical JSON and so the same digest. Whether the names
in a plan exist (a model, a transform, a loss) is the engine's business: see `imgcls.engine.check`.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import shlex
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Literal, get_args, get_origin

from imgcls.errors import PlanError, nearest_hint
from imgcls.storage import canonical_json


@dataclass(frozen=True)
class Within:
    """The range of a number: both ends belong to it unless said otherwise."""

    low: float = -math.inf
    """Lowest value."""
    high: float = math.inf
    """Highest value."""
    open_low: bool = False
    """Whether the lowest value itself is left out."""
    open_high: bool = False
    """Whether the highest value itself is left out."""

    def __contains__(self, number: object) -> bool:
        if not isinstance(number, int | float) or not math.isfinite(number):
            return False
        above = number > self.low if self.open_low else number >= self.low
        below = number < self.high if self.open_high else number <= self.high
        return above and below

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"{'above' if self.open_low else 'at least'} {self.low:g}"
        return f"in {'(' if self.open_low else '['}{self.low:g}, {self.high:g}{')' if self.open_high else ']'}"


class Options(Mapping[str, Any]):
    """A frozen, hashable mapping from names to JSON values, in the order of the names."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._text = _canonical({name: plain(value) for name, value in (values or {}).items()})

    def __getitem__(self, name: str) -> Any:
        return json.loads(self._text)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(json.loads(self._text))

    def __len__(self) -> int:
        return len(json.loads(self._text))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and self._text == Options(other)._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"Options({self._text})"


class Op:
    """One named choice with its options, such as `Op("HorizontalFlip", p=0.5)`."""

    __slots__ = ("name", "options")
    name: str
    options: Options

    def __init__(self, name: str, /, **options: Any) -> None:
        if not name or not isinstance(name, str):
            raise PlanError(f"An Op needs a name, not {name!r}.")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "options", Options(options))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"An Op is frozen: {name!r} cannot be set.")

    def __reduce__(self) -> tuple[Any, ...]:
        return _op_from_json, (self.to_json(),)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Op) and (self.name, self.options) == (other.name, other.options)

    def __hash__(self) -> int:
        return hash((self.name, self.options))

    def __repr__(self) -> str:
        return ", ".join([f"Op({self.name!r}", *(f"{k}={v!r}" for k, v in self.options.items())]) + ")"

    def to_json(self) -> dict[str, dict[str, Any]]:
        """Return `{name: options}`."""
        return {self.name: dict(self.options)}


class Part:
    """Checks and normalises the fields of a part as it is made."""

    def __post_init__(self) -> None:
        problems = []
        for name, annotation in field_types(type(self)).items():
            try:
                object.__setattr__(self, name, _checked(getattr(self, name), annotation))
            except PlanError as problem:
                problems.append(f"{type(self).__name__.lower()}.{name} {problem}")
        if problems:
            raise PlanError.together(problems)


def _canonical(value: Any) -> str:
    try:
        return canonical_json(value)
    except (TypeError, ValueError) as problem:
        raise PlanError(f"A plan holds JSON values only: {problem}.") from problem


def plain(value: Any) -> Any:
    """Return a value as JSON would give it back: tuples become lists, Ops their JSON."""
    if isinstance(value, Op):
        return value.to_json()
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return value


def _op_from_json(value: Any) -> Op:
    if isinstance(value, Op):
        return value
    if isinstance(value, str):
        return Op(value)
    if isinstance(value, Mapping) and len(value) == 1:
        ((name, options),) = value.items()
        if isinstance(options, Mapping):
            return Op(name, **options)
    raise PlanError(f"has to be a name or {{name: options}}, not {value!r}")


def field_types(part: type) -> Mapping[str, Any]:
    """Return the annotations of a part's fields, by name."""
    return _field_types(part)


@functools.cache
def _field_types(part: type) -> Mapping[str, Any]:
    """Work them out once a process: a plan asks for them with every value that is set."""
    return types.MappingProxyType(typing.get_type_hints(part, include_extras=True))


def _checked(value: Any, annotation: Any) -> Any:
    """Return the value in the one form its annotation asks for, or say what it has to be."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        number = _checked(value, arguments[0])
        if number not in arguments[1]:
            raise PlanError(f"has to be {arguments[1]}, not {value!r}")
        return number
    if origin is Literal:
        if value not in arguments:
            raise PlanError(f"has to be one of {', '.join(map(str, arguments))}, not {value!r}")
        return value
    if origin in (typing.Union, types.UnionType):
        return _checked_union(value, arguments)
    if origin is tuple:
        if isinstance(value, str) or not isinstance(value, list | tuple):
            raise PlanError(f"has to be a list, not {value!r}")
        return tuple(_checked(entry, arguments[0]) for entry in value)
    return _checked_simple(value, annotation)


def _checked_union(value: Any, arguments: tuple[Any, ...]) -> Any:
    if value is None and type(None) in arguments:
        return None
    problems = []
    for argument in arguments:
        if argument is type(None):
            continue
        try:
            return _checked(value, argument)
        except PlanError as problem:
            problems.append(str(problem))
    raise PlanError(" or ".join(problems))


def _checked_simple(value: Any, annotation: type) -> Any:
    if annotation is Op:
        return _op_from_json(value)
    if annotation is Options:
        if not isinstance(value, Mapping):
            raise PlanError(f"has to be a mapping of names to values, not {value!r}")
        return value if isinstance(value, Options) else Options(value)
    if annotation is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if annotation is int and isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, annotation) or (isinstance(value, bool) and annotation is not bool):
        raise PlanError(f"has to be {_TYPE_WORDS[annotation]}, not {value!r}")
    return value


_TYPE_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def read_value(text: str) -> Any:
    """Read what a person typed: JSON where it is JSON, plain text otherwise."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return {"True": True, "False": False, "None": None}.get(text, text)


def set_options(overrides: Mapping[str, Any]) -> str:
    """Return plan paths that were set on a base as options of a command, with a blank before each.

    Text stands as it was given, everything else as JSON: `read_value` reads both.
    """
    words = {path: value if isinstance(value, str) else json.dumps(plain(value)) for path, value in overrides.items()}
    return "".join(f" --set {shlex.quote(f'{path}={value}')}" for path, value in words.items())


__all__ = [
    "Augment",
    "Fit",
    "Images",
    "Loss",
    "Model",
    "Op",
    "Optimizer",
    "Plan",
    "PlanError",
    "Predict",
    "Schedule",
    "Within",
    "replace",
]
Share = Annotated[float, Within(0, 1, open_high=True)]
NotNegative = Annotated[float, Within(0)]
Positive = Annotated[float, Within(0, open_low=True)]


@dataclass(frozen=True)
class Model(Part):
    """The network and where its first weights come from."""

    name: str = "simple_cnn"
    """A timm name, `torchvision:NAME`, `simple_cnn`, or `module:function` giving a module."""
    weights: str = "none"
    """`auto` (pretrained ones, found offline first), `none` (random), or the path of a weights file."""
    drop_rate: Share = 0.0
    """Dropout before the classifier, probability in [0, 1); timm models only."""
    drop_path: Share = 0.0
    """Stochastic depth, probability in [0, 1); timm models that have it."""


@dataclass(frozen=True)
class Images(Part):
    """What a photograph becomes before any augmentation."""

    size_px: Annotated[int, Within(8, 4096)] = 128
    """Side of the square the network sees, pixels."""
    resize: Literal["squash", "crop", "pad"] = "squash"
    """How a photograph becomes square: squashed whole, cropped at the centre, or padded."""
    pad_mode: Literal["symmetric", "reflect", "edge", "constant"] = "symmetric"
    """What padding is filled with; only `resize = pad` reads it."""
    mean: tuple[float, ...] | None = None
    """Mean to subtract, per channel, for values in [0, 1]; null takes the model's own."""
    std: tuple[float, ...] | None = None
    """Deviation to divide by, per channel, for values in [0, 1]; null takes the model's own."""


@dataclass(frozen=True)
class Augment(Part):
    """Random changes of training images, drawn again for every image and epoch."""

    library: Literal["albumentations", "torchvision"] = "albumentations"
    """Whose transforms the names below are (torchvision means its v2)."""
    transforms: tuple[Op, ...] = ()
    """The transforms, in order, with their options."""
    mix: Op | None = None
    """`mixup` or `cutmix` of the images of a training batch and their targets, with its `alpha`; null mixes none."""
    views: Annotated[int, Within(0, 1000)] = 0
    """Different views of each image, one an epoch in turn, so that they can be kept; 0 draws a new one every time."""
    erasing: Annotated[float, Within(0, 1)] = 0.0
    """Probability that a rectangle of an image is filled with noise, in [0, 1]; in training only, views stay whole."""
    smallest_crop: Annotated[float, Within(0, 1, open_low=True, open_high=True)] | None = None
    """Smallest share of the area that a random square crop keeps, in (0, 1), before `transforms`; null crops none."""


@dataclass(frozen=True)
class Loss(Part):
    """What training minimises. Validation always reports the plain loss."""

    name: Literal["auto", "cross_entropy", "bce", "focal"] = "auto"
    """`cross_entropy` for one label an image, `bce` for several; `auto` takes what fits, `focal` its focal form."""
    smoothing: Share = 0.0
    """Share of probability spread evenly over all classes, in [0, 1); training only."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced` weighs each class by the inverse of its share of the training samples."""
    gamma: NotNegative = 2.0
    """γ: how much less a sure answer counts than an unsure one; training only, and only `name = focal` reads it."""


@dataclass(frozen=True)
class Optimizer(Part):
    """How the weights move."""

    name: str = "adam"
    """`adam`, `adamax`, `adamw`, `sgd`, or any name that timm's optimiser registry knows."""
    learning_rate: Positive = 1e-3
    """Peak learning rate."""
    weight_decay: NotNegative = 0.0
    """Weight decay; never applied to norms and biases."""
    layer_decay: Annotated[float, Within(0, 1, open_low=True)] = 1.0
    """Factor of the learning rate from each layer to the one below it, in (0, 1]; the classifier has the full rate."""
    options: Options = field(default_factory=Options)
    """Further options of that optimiser, such as `momentum`."""
    early_factor: Annotated[float, Within(0, 1, open_low=True)] = 1.0
    """Factor of the learning rate of the first half of the layers, in (0, 1]."""


@dataclass(frozen=True)
class Schedule(Part):
    """The course of the learning rate, stepped at every batch."""

    name: Literal["constant", "cosine", "one_cycle"] = "constant"
    """The shape of the course."""
    warmup_epochs: NotNegative = 0.0
    """Epochs of linear warm-up from zero; `one_cycle` has its own."""
    least_warmup_steps: Annotated[int, Within(0, 1_000_000)] = 0
    """Steps that warm-up lasts at least, up to half of the training, where epochs are so short that they make fewer."""


@dataclass(frozen=True)
class Fit(Part):
    """How long training lasts, and what is frozen meanwhile."""

    epochs: Annotated[int, Within(0, 100_000)] = 1
    """Passes over the training samples; 0 only where `classifier` fits without any."""
    least_steps: Annotated[int, Within(0, 1_000_000)] = 0
    """Steps that training has at least: where epochs are so short that they make fewer, there are more of them."""
    batch_size: Annotated[int, Within(1, 65_536)] = 32
    """Samples per step."""
    classifier: Literal["gradient", "logistic_regression"] = "gradient"
    """How the classifier begins: fresh, for the epochs to train, or fitted on the frozen features of clean images."""
    statistics: Literal["pretrained", "own", "better"] = "pretrained"
    """Running statistics of batch normalisation that the classifier is fitted on: those of the first weights, those of
    the training images, or `better`: whichever gives it the smaller log loss in cross-validation."""
    classifier_views: Annotated[int, Within(1, 64)] = 1
    """Views of each image that the classifier is fitted on: the clean one, and augmented ones."""
    sampler: Literal["shuffle", "balanced"] = "shuffle"
    """`shuffle` shows every sample once an epoch; `balanced` draws as many with replacement, classes equally often."""
    freeze_epochs: Annotated[int, Within(0, 100_000)] | Literal["all"] = 0
    """First epochs in which only the classifier learns, a number or `all`."""
    freeze_stages: Annotated[int, Within(0, 1000)] = 0
    """First stages of the network that stay as they came; what they make of each view is computed once and kept."""
    freeze_batchnorm: bool = False
    """Whether the running statistics of batch normalisation stay as they were."""
    clip_norm: Positive | None = None
    """Largest norm of the gradient; null does not clip."""
    averaging: Op | None = None
    """`ema` with its `decay`, or `swa` with its `start`: keep and predict with averaged weights; null averages none."""
    callbacks: Options = field(default_factory=Options)
    """Further fastai callbacks: name, or `module:name`, and the options of each."""
    first_size_px: Annotated[int, Within(8, 4096)] | None = None
    """Side to which training images are brought down at first, pixels, below `images.size_px`; null never does."""
    first_size_share: Annotated[float, Within(0, 1, open_low=True, open_high=True)] = 0.5
    """Share of the steps that see that side, in (0, 1); only where `first_size_px` is set."""

    def n_epochs(self, *, n_batches: int) -> int:
        """Return how many epochs there are: `epochs`, or as many as `least_steps` take.

        Args:
            n_batches: Batches an epoch.
        """
        return max(self.epochs, -(-self.least_steps // max(1, n_batches))) if self.epochs else 0


ViewKind = Literal["augmented", "flips", "crops"]
VIEW_KINDS: tuple[ViewKind, ...] = get_args(ViewKind)
"""Where views of an image come from."""


@dataclass(frozen=True)
class Predict(Part):
    """What happens between the trained network and its answer. Never retrains."""

    views: Annotated[int, Within(1, 64)] = 1
    """Views of each image whose probabilities are averaged; the first is the clean image."""
    view_kind: ViewKind = "augmented"
    """Where further views come from: training transforms, mirror images, or crops."""
    smoothing: Annotated[float, Within(0, 0.5)] = 0.0
    """α: what a row that is too sure gives to all classes evenly, in [0, 0.5]."""
    smoothing_threshold: Annotated[float, Within(0.5, 1)] = 0.999
    """Rows whose largest probability is above this are smoothed, in [0.5, 1]."""
    calibration: Literal["none", "temperature", "smoothing"] = "none"
    """What is fitted to predictions of validation: a temperature, or α and threshold of smoothing."""


@dataclass(frozen=True)
class Plan:
    """A frozen description of one training.

    Example:
        >>> plan = Plan()
        >>> softer = replace(plan, loss=replace(plan.loss, smoothing=0.1))
        >>> plan.diff(softer)
        {'loss.smoothing': (0.0, 0.1)}
    """

    model: Model = field(default_factory=Model)
    """The network and its first weights."""
    images: Images = field(default_factory=Images)
    """What a photograph becomes before augmentation."""
    augment: Augment = field(default_factory=Augment)
    """Random changes of training images."""
    loss: Loss = field(default_factory=Loss)
    """What training minimises."""
    optimizer: Optimizer = field(default_factory=Optimizer)
    """How the weights move."""
    schedule: Schedule = field(default_factory=Schedule)
    """The course of the learning rate."""
    fit: Fit = field(default_factory=Fit)
    """How long, and what is frozen."""
    predict: Predict = field(default_factory=Predict)
    """From the network to the answer."""

    def to_json(self) -> dict[str, dict[str, Any]]:
        """Return the plan as JSON, fields at their default left out."""
        start = _DEFAULT_VALUES
        sparse: dict[str, dict[str, Any]] = {}
        for (part, name), value in _values(self).items():
            if value != start[part, name]:
                sparse.setdefault(part, {})[name] = value
        return sparse

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Plan:
        """Read what `to_json` gave.

        Raises:
            PlanError: A part or field does not exist, or a value is out of its range.
        """
        overrides = {}
        for part, names in value.items():
            if not isinstance(names, Mapping):
                raise PlanError(f"Plan part {part!r} has to be a mapping, not {names!r}.")
            overrides.update({f"{part}.{name}": entry for name, entry in names.items()})
        return cls().with_values(overrides)

    def values(self) -> dict[str, Any]:
        """Return every path of the plan with its JSON value; mappings are followed by key."""
        flat: dict[str, Any] = {}
        for (part, name), value in _values(self).items():
            if isinstance(getattr(getattr(self, part), name), Options):
                flat.update({f"{part}.{name}.{key}": entry for key, entry in value.items()})
            else:
                flat[f"{part}.{name}"] = value
        return flat

    def with_values(self, values: Mapping[str, Any]) -> Plan:
        """Set paths, such as `{"fit.epochs": 5}`, from JSON values or from text typed by a person.

        Raises:
            PlanError: A path does not exist, or a value is not of its type or range; all at once.
        """
        problems, parts = [], {entry.name: getattr(self, entry.name) for entry in fields(self)}
        for path, value in values.items():
            try:
                part, changes = _set_path(parts, path, value)
                parts[part] = replace(parts[part], **changes)
            except PlanError as problem:
                problems.append(str(problem))
        if problems:
            raise PlanError.together(problems)
        return Plan(**parts)

    def diff(self, other: Plan) -> dict[str, tuple[Any, Any]]:
        """Return every path whose value differs, with the value here and the value there."""
        mine, theirs = self.values(), other.values()
        paths = [*mine, *(path for path in theirs if path not in mine)]
        pairs = {path: (mine.get(path), theirs.get(path)) for path in paths}
        return {path: pair for path, pair in pairs.items() if pair[0] != pair[1]}

    @property
    def digest(self) -> str:
        """The sha256 of the canonical JSON, as hexadecimal text."""
        return plan_digest(self.to_json())

    @property
    def train_digest(self) -> str:
        """The digest of everything that shapes the weights: all parts but `predict`."""
        return replace(self, predict=Predict()).digest


def plan_paths() -> tuple[str, ...]:
    """Return every path a plan has, in order."""
    return tuple(f"{part}.{name}" for part, name in _DEFAULT_VALUES)


def plan_digest(value: Mapping[str, Any]) -> str:
    """Return the digest of a plan by its JSON values, also of one with parts that only a newer imgcls knows.

    Args:
        value: What `Plan.to_json` gives, as it was read.

    Raises:
        PlanError: They are no JSON values.
    """
    return hashlib.sha256(_canonical(value).encode("ascii")).hexdigest()


def _values(plan: Plan) -> dict[tuple[str, str], Any]:
    return {
        (part.name, entry.name): plain(getattr(getattr(plan, part.name), entry.name))
        for part in fields(plan)
        for entry in fields(getattr(plan, part.name))
    }


def _set_path(parts: Mapping[str, Any], path: str, value: Any) -> tuple[str, dict[str, Any]]:
    part, _, rest = path.partition(".")
    name, _, key = rest.partition(".")
    known = plan_paths()
    if f"{part}.{name}" not in known:
        raise PlanError(f"A plan has no {path!r}.{nearest_hint(path, known)}")
    annotation = field_types(type(parts[part]))[name]
    if isinstance(value, str) and annotation is not str:
        value = read_value(value)
    if key:
        mapping = getattr(parts[part], name)
        if not isinstance(mapping, Options):
            raise PlanError(f"{part}.{name} is a single value, so {path!r} does not exist.")
        value = {**mapping, key: value}
    return part, {name: value}


_DEFAULT_VALUES: dict[tuple[str, str], Any] = _values(Plan())
