"""A proposal for imgcls.toml, made from the files of the data; what `imgcls init` writes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from imgcls.config.metrics import PRIMARY, find_metric
from imgcls.config.problem import Problem, ProblemData, ProblemSplit
from imgcls.data.files import DEFAULT_DATA
from imgcls.data.load import choices_of, load_samples, table_in
from imgcls.data.roles import FileRole, file_roles
from imgcls.data.samples import Samples
from imgcls.data.source import DataSource, is_named_set


@dataclass(frozen=True)
class Proposal:
    """A problem, and what it was read from."""

    problem: Problem
    """The problem."""
    samples: Samples | None
    """The samples; None for a set that would have to be fetched."""
    files: tuple[FileRole, ...]
    """What each file is for."""
    notes: tuple[str, ...] = ()
    """Sentences that a person should read."""


def propose(
    source: DataSource,
    root: Path,
    *,
    sample_submission: str | None = None,
    metadata: Sequence[str] = (),
) -> Proposal:
    """Look at the files of some data, and say what the problem seems to be.

    Photographs are not opened, and the labels of photographs to predict are not read.

    Args:
        source: What was said of the data, a folder, a table, elpv or a known set; what is None is found out.
        root: The folder in which imgcls.toml will lie.
        sample_submission: What was said to show what a submission looks like.
        metadata: Tables that were said to say more of the photographs.

    Raises:
        DataError: There are no such data, or they cannot be read.
    """
    named = str(source.data) if source.data is not None else DEFAULT_DATA
    if is_named_set(named) and named != DEFAULT_DATA:
        problem = Problem(data=ProblemData(source=named))
        return Proposal(problem, None, (), (f"{named} is fetched when it is first used, and was not looked at.",))
    samples = load_samples(source)
    files = file_roles(source, samples, sample_submission=sample_submission, metadata=metadata)
    choices = _choices(named, source)
    problem = Problem(
        type=samples.problem,
        metric=PRIMARY[samples.problem],
        data=ProblemData(
            source=_place(named, root),
            images=_text(source.images) or choices.get("images"),
            id=source.id or choices.get("id"),
            label=source.label_columns or choices.get("label") or None,
            delimiter=source.delimiter,
            label_from=source.label_from,
            exclude=_several(source.exclude),
            header=source.header,
            spelling=source.spelling,
            missing=source.missing,
            stretch=source.stretch,
            test=_text(source.test) or _first(files, "test list"),
            sample_submission=sample_submission or _first(files, "sample submission"),
            metadata=tuple(metadata) or tuple(entry.path for entry in files if entry.role == "metadata"),
        ),
        split=_split(samples, source),
    )
    faults = tuple(f"{entry.path} is not used: {entry.fault}." for entry in files if entry.fault)
    return Proposal(problem, samples, files, (*samples.notes, *faults))


def carry_over(proposal: Proposal, before: Problem) -> Proposal:
    """Keep what a person wrote in an earlier file: title, goal, background, and why items are skipped."""
    kept = {name: getattr(before, name) for name in ("title", "goal", "background", "skipped")}
    return replace(proposal, problem=proposal.problem.model_copy(update=kept))


def fill_in(proposal: Proposal, *, said: dict[str, Any]) -> Proposal:
    """Put in what a person said of the problem: title, goal, background, metric, fraction and seed.

    Args:
        proposal: The proposal.
        said: By name; None for what was not said.

    Raises:
        UsageError: The metric is not defined for this kind of problem.
    """
    parts = {name: said[name] for name in ("title", "goal", "background", "metric") if said.get(name) is not None}
    split = {name: said[name] for name in ("fraction", "seed") if said.get(name) is not None}
    problem = proposal.problem.model_copy(
        update={**parts, "split": proposal.problem.split.model_copy(update=split)},
    )
    if problem.metric is not None and problem.type is not None:
        find_metric(problem.metric).check(problem.type, ())
    return replace(proposal, problem=Problem.model_validate(problem.model_dump(by_alias=True)))


def _choices(named: str, source: DataSource) -> dict[str, Any]:
    """Return what the columns of the table of labels were taken for; nothing without a table."""
    path = Path(named).expanduser()
    table = path if path.is_file() else table_in(path, source) if path.is_dir() else None
    if table is None or named == DEFAULT_DATA:
        return {}
    found = choices_of(table, source)
    home = table.absolute().parent
    images = found.images.absolute()
    return {
        "id": found.id,
        "label": found.label,
        "images": images.relative_to(home).as_posix() if images != home and images.is_relative_to(home) else None,
    }


def _split(samples: Samples, source: DataSource) -> ProblemSplit:
    """Write out how the samples would be split, unless all of their splits are given."""
    is_drawn = bool((samples.frame["split"] == "").any())
    return ProblemSplit(
        fraction=samples.suggested_valid if is_drawn else None,
        seed=0 if is_drawn else None,
        group=source.group,
        column=source.split,
        group_from=source.group_from,
        test=source.test_share,
    )


def _first(files: Sequence[FileRole], role: str) -> str | None:
    return next((entry.path for entry in files if entry.role == role), None)


def _several(value: str | Sequence[str] | None) -> str | tuple[str, ...] | None:
    return value if value is None or isinstance(value, str) else tuple(value)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _place(source: str, root: Path) -> str:
    """Name data from the folder of the file where they lie in or beside it, so that both can be moved together."""
    if is_named_set(source):
        return source
    path, home = Path(source).expanduser().absolute(), root.absolute()
    near = path.is_relative_to(home) or (home.parent != home.parent.parent and path.is_relative_to(home.parent))
    return Path(os.path.relpath(path, home)).as_posix() if near else str(path)
