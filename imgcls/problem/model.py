"""What the problem is, as plain frozen values: the content of imgcls.toml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict
from pydantic_core import PydanticCustomError

from imgcls.problem.metrics import MetricName

SCHEMA = 1


def _filled(text: str) -> str:
    """Refuse what can name nothing."""
    if not text.strip():
        raise PydanticCustomError("blank", "has to be text that is not blank")
    if "\0" in text:
        raise PydanticCustomError("nul", "cannot hold a NUL character")
    return text


def _one_or_several(value: object) -> object:
    """Refuse, in one sentence, what is neither a name nor a list of names; a list of one is that one."""
    names = list(value) if isinstance(value, list | tuple) else [value]
    if not names or not all(isinstance(name, str) and name.strip() and "\0" not in name for name in names):
        raise PydanticCustomError("names", "has to be the name of a column, or a list of several names")
    return names[0] if len(names) == 1 else tuple(names)


Name = Annotated[str, AfterValidator(_filled)]
"""Text that names a file, a folder or a column."""
Names = Annotated[str | tuple[str, ...], BeforeValidator(_one_or_several)]
"""One name, or several."""


class _Part(BaseModel):
    """A frozen value that knows all of its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class ProblemData(_Part):
    """Which photographs and labels the problem is about; paths start from the folder of the file."""

    source: Name | None = None
    """A folder, a table, `torchvision:NAME`, `fastai:NAME` or elpv; None is the default data."""
    images: Name | None = None
    """For a table: the folder of its photographs."""
    id: Name | None = None
    """For a table: the column that names the photographs."""
    label: Names | None = None
    """For a table: the column of labels, or several columns of 0 and 1."""
    delimiter: Annotated[str, Field(min_length=1)] | None = None
    """For a table: what separates several labels in a cell."""
    test: Name | None = None
    """The table of the photographs to predict; `none` for none, None finds one beside the table."""
    sample_submission: Name | None = None
    """The file that shows what a submission looks like."""
    metadata: tuple[Name, ...] = ()
    """Tables that say more of the photographs: sender, camera, date."""


class ProblemSplit(_Part):
    """Who trains and who validates."""

    fraction: Annotated[float, Strict(), Field(gt=0, lt=1)] | None = None
    """Share of the samples outside test that validates, in (0, 1); None takes the data's own advice."""
    seed: Annotated[int, Strict(), Field(ge=0)] | None = None
    """Decides the draw; None is 0."""
    group: Name | None = None
    """The column of groups that stay together."""
    column: Name | None = None
    """The column that says train, valid or test."""


class Problem(_Part):
    """What a person set out to do, and with what."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    """The version of this form; `schema` in the file."""
    title: str = ""
    """A short name for people."""
    goal: str = ""
    """What is to be told apart, and what for."""
    background: str = ""
    """Where the photographs come from, and what else is known."""
    type: Literal["binary", "multiclass", "multilabel"] | None = None
    """One of two classes, one of several, or any number of them; None sees it from the labels."""
    metric: MetricName | None = None
    """The metric that decides; None takes the one of the problem type."""
    data: ProblemData = Field(default_factory=ProblemData)
    """The data."""
    split: ProblemSplit = Field(default_factory=ProblemSplit)
    """The split."""
    skipped: dict[str, Name] = {}
    """From the id of a checklist item to the reason why it is left out."""
