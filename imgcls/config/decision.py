"""decision.toml: by which rule probabilities become answers, for which run or blend, and what it promises.

schema = 1
of, key                     the run or blend that it was made for
type, classes               the problem, and the classes in the order of the probabilities
asked                       what was asked for, as the options of `imgcls decide`
thresholds                  class → from which probability on it is the answer
costs                       answer → what it costs, for each true class in their order
doubt                       answers with more doubt than this are "not sure"
[[promises]]                what was asked for, and what the photographs of validation show of it

Without thresholds and costs the answer is the most probable class; with several labels, those from 0.5 on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Protocol, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from imgcls.config.metrics import DEFAULT_THRESHOLD
from imgcls.config.problem import Name, Part, checked, read_text, read_toml, write_text
from imgcls.errors import ProblemError
from imgcls.text import listed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SCHEMA = 1
DECISION_TOML = "decision.toml"
"""The file of a workspace."""
NOT_SURE = "not sure"
"""What is answered where there is too much doubt."""
_NEAREST = 1e-12
_HEADING = "What 'imgcls decide' chose. 'imgcls predict', 'submit' and 'runs show' of the run that it names use it."

Share = Annotated[float, Field(ge=0, le=1)]
Cost = Annotated[float, Field(ge=0)]


class Predictor(Protocol):
    """What a decision is made for: a run or a blend."""

    @property
    def id(self) -> str:
        """Its name."""

    @property
    def key(self) -> str:
        """What makes it this one, 64 hexadecimal digits."""

    @property
    def problem(self) -> str:
        """`binary`, `multiclass` or `multilabel`."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, in the order of the probabilities."""

    @property
    def folder(self) -> Path | None:
        """The folder of its record, in the folder of runs or blends of a workspace."""


class Answers(NamedTuple):
    """What a rule says of n images with k classes."""

    chosen: npt.NDArray[np.bool_]
    """[n, k], whether the class is the answer; with several labels, whether it is among them. Also where not sure."""
    unsure: npt.NDArray[np.bool_]
    """[n], whether the answer is left to a person."""


class Promise(Part):
    """What was asked of a class, and what can be shown."""

    what: Literal["recall", "precision"]
    """Of the images with the class, the share that is answered so; or of those answered so, the share that has it."""
    of: Name
    """The class."""
    at_least: Share
    """What was asked for."""
    shown: Share
    """Lower end of the 95 % interval on the images by which the threshold was chosen."""

    @property
    def is_shown(self) -> bool:
        """Whether the images support what was asked for."""
        return self.shown >= self.at_least


class Decision(Part):
    """By which rule probabilities become answers."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    """The version of this form; `schema` in the file."""
    of: str = ""
    """The id of the run or blend that it was made for; "" for any."""
    key: str = ""
    """Its key: another training has other probabilities, which these thresholds do not fit."""
    type: Literal["binary", "multiclass", "multilabel"]
    """The kind of problem."""
    classes: Annotated[tuple[Name, ...], Field(min_length=2)]
    """The classes, in the order of the probabilities."""
    asked: tuple[Name, ...] = ()
    """What was asked for, as options; empty for the most probable class."""
    thresholds: dict[str, Share] = Field(default_factory=dict)
    """Class → from which probability on it is the answer. Unless images have several labels there is one at most, and
    below it the answer is the most probable of the others."""
    costs: dict[str, tuple[Cost, ...]] = Field(default_factory=dict)
    """Answer, a class or "not sure" → what it costs for each true class; the answer with the smallest expected cost
    is given. Empty where costs do not decide."""
    doubt: Annotated[float, Field(ge=0)] | None = None
    """Answers with more doubt than this are "not sure": see `doubts`. None leaves nothing open."""
    promises: tuple[Promise, ...] = ()
    """What was asked of single classes."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        several = self.type == "multilabel"
        answers = {*self.classes, NOT_SURE}
        faults = [
            *(f"thresholds: {name!r} is no class" for name in self.thresholds if name not in self.classes),
            *(f"costs: {name!r} is no answer" for name in self.costs if name not in answers),
            *(f"costs: {name!r} is missing" for name in self.classes if self.costs and name not in self.costs),
            *(
                f"costs of {name!r}: {len(values)} for {len(self.classes)} classes"
                for name, values in self.costs.items()
                if len(values) != len(self.classes)
            ),
        ]
        if self.costs and (several or self.thresholds):
            faults.append("costs: not together with thresholds or several labels")
        if len(self.thresholds) > 1 and not several:
            faults.append("thresholds: of one class only, unless images have several labels")
        if NOT_SURE in self.classes and (self.doubt is not None or NOT_SURE in self.costs):
            faults.append(f"a class is called {NOT_SURE!r}, so that no answer can be left open")
        if faults:
            raise PydanticCustomError("rule", "does not fit: {faults}", {"faults": "; ".join(faults)})
        return self

    @classmethod
    def default(cls, problem: str, classes: Sequence[str]) -> Self:
        """Return the rule where nobody decided.

        Args:
            problem: `binary`, `multiclass` or `multilabel`.
            classes: The classes, in the order of the probabilities.
        """
        return cls.model_validate({"type": problem, "classes": tuple(classes)})

    @property
    def is_default(self) -> bool:
        """Whether it is the most probable class, or all labels from 0.5 on, with nothing left open."""
        return not self.thresholds and not self.costs and self.doubt is None

    def answers(self, probabilities: npt.NDArray[np.floating]) -> Answers:
        """Return the answers for images.

        Args:
            probabilities: [n, k], in [0, 1].
        """
        import numpy as np

        if self.type == "multilabel":
            chosen = probabilities >= self._from
        else:
            chosen = np.arange(len(self.classes)) == self._places(probabilities)[:, None]
        unsure = np.zeros(len(probabilities), dtype=bool)
        if self.doubt is not None:
            unsure |= self.doubts(probabilities) > self.doubt
        if NOT_SURE in self.costs:
            unsure |= probabilities @ np.array(self.costs[NOT_SURE]) < self.doubts(probabilities)
        return Answers(chosen, unsure)

    def doubts(self, probabilities: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Return how doubtful the answers are.

        Costs: the expected cost of the answer. Thresholds: 1 at the threshold, falling to 0 where the probability is
        0 or 1; with several labels that of the most doubtful one. Else: 1 less the largest probability (Chow 1970).

        Args:
            probabilities: [n, k].

        Returns:
            [n], at least 0.
        """
        import numpy as np

        if self.costs:
            return (probabilities @ self._cost_of).min(axis=1)
        if not self.thresholds and self.type != "multilabel":
            return 1.0 - probabilities.max(axis=1).astype(np.float64)
        places = [
            place for place, name in enumerate(self.classes) if self.type == "multilabel" or name in self.thresholds
        ]
        values, start = probabilities[:, places].astype(np.float64), self._from[places]
        inside = np.clip(start, _NEAREST, 1 - _NEAREST)
        return np.where(values >= start, (1 - values) / (1 - inside), values / inside).max(axis=1)

    def named(self, probabilities: npt.NDArray[np.floating], *, delimiter: str = "|", ask: bool = True) -> list[str]:
        """Return the answers in words.

        Args:
            probabilities: [n, k].
            delimiter: What joins several labels.
            ask: Whether what is left to a person is "not sure"; else the answer is given all the same.
        """
        chosen, unsure = self.answers(probabilities)
        texts = (delimiter.join(name for name, has in zip(self.classes, row, strict=True) if has) for row in chosen)
        return [NOT_SURE if ask and open_ else text for text, open_ in zip(texts, unsure.tolist(), strict=True)]

    @property
    def _from(self) -> npt.NDArray[np.float64]:
        """[k], from which probability on each class is the answer."""
        import numpy as np

        return np.array([self.thresholds.get(name, DEFAULT_THRESHOLD) for name in self.classes])

    @property
    def _cost_of(self) -> npt.NDArray[np.float64]:
        """[true class, answer], what an answer costs."""
        import numpy as np

        return np.array([self.costs[name] for name in self.classes]).T

    def _places(self, probabilities: npt.NDArray[np.floating]) -> npt.NDArray[np.intp]:
        """Return the place of the one class that is the answer for each image, [n]."""
        import numpy as np

        if self.costs:
            return (probabilities @ self._cost_of).argmin(axis=1)
        if not self.thresholds:
            return probabilities.argmax(axis=1)
        place = self.classes.index(next(iter(self.thresholds)))
        others = probabilities.copy()
        others[:, place] = -1
        return np.where(probabilities[:, place] >= self._from[place], place, others.argmax(axis=1))

    def in_words(self) -> list[str]:
        """Return the rule in words, a line each."""
        several = self.type == "multilabel"
        lines = [f"{of}: from {start:.4g} on" for of, start in self.thresholds.items()]
        if self.costs:
            of_f1 = "classes weighed for the best mean F1"
            lines.append(of_f1 if "--f1" in self.asked else "the answer with the smallest expected cost")
        elif not several:
            lines.append("else the most probable of the other classes" if lines else "the most probable class")
        elif len(self.thresholds) < len(self.classes):
            lines.append(f"{'other ' if lines else ''}labels from {DEFAULT_THRESHOLD} on")
        if NOT_SURE in self.costs:
            lines.append(f"{NOT_SURE!r} where that costs less")
        if self.doubt is not None:
            lines.append(f"{NOT_SURE!r} where the doubt is above {self.doubt:.3g}")
        return lines

    def as_written(self) -> dict[str, Any]:
        """Return what its file holds: what is as by default is left out."""
        return {"schema": SCHEMA, **self.model_dump(mode="json", by_alias=True, exclude_defaults=True)}

    def write(self, path: Path) -> None:
        """Write it as TOML; what was in the file before is gone.

        Raises:
            ImgclsError: The file cannot be written; the old one is still there.
        """
        import tomlkit

        document = tomlkit.document()
        document.add(tomlkit.comment(_HEADING))
        for key, value in self.as_written().items():
            document.add(key, tomlkit.item(value))
        write_text(path, tomlkit.dumps(document))


def read_decision(path: Path) -> Decision:
    """Read a decision.

    Raises:
        ProblemError: It cannot be read, is no TOML, or does not fit.
    """
    return checked(Decision, read_toml(path, read_text(path), schema=SCHEMA), path=path)


def decision_for(record: Predictor, file: Path | None = None) -> tuple[Decision, str]:
    """Return the rule by which a run or blend answers.

    Args:
        record: The run or blend.
        file: A file that a person named, which counts for another training, too; None for the decision.toml of the
            workspace in which the record lies, if it was made for this very run or blend.

    Returns:
        The rule, and what has to be said of it; "" where there is nothing to say.

    Raises:
        ProblemError: It cannot be read, or is of other classes.
    """
    default = Decision.default(record.problem, record.classes)
    path = file or (None if record.folder is None else record.folder.absolute().parent.parent / DECISION_TOML)
    if path is None or not (file or path.exists()):
        return default, ""
    decision = read_decision(path)
    is_its_own = decision.key in ("", record.key)
    if not is_its_own and file is None:
        return default, (
            f"{path.name} was made for {decision.of}, so {record.id} answers by the default. "
            f"--decision {path.name} takes it all the same."
        )
    if (decision.type, decision.classes) != (record.problem, tuple(record.classes)):
        raise ProblemError(
            f"{path} is of other classes ({listed(decision.classes)}) than {record.id} ({listed(record.classes)}). "
            f"Decide again: 'imgcls decide {record.id}'."
        )
    return decision, "" if is_its_own else f"{path.name} was made for {decision.of}, not for {record.id}."
