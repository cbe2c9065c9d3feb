"""Predictions of the test part in the form that a competition, or a person, asks for."""

from __future__ import annotations

import csv
import hashlib
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Self

from imgcls.config.metrics import described, in_words
from imgcls.errors import DataError, RecordError, UsageError, WorkspaceError, nearest_hint
from imgcls.records.blend import BlendRecord, find_blend
from imgcls.records.find import find_run, find_runs
from imgcls.records.run import LostTest, RunId, RunRecord
from imgcls.schema import MAY_BE_ABSENT, NOT_IN_FILE, Problems, file_names, from_json, one_of, read_as, to_json
from imgcls.storage import make_folder, sha256_file, write_bytes, write_json
from imgcls.text import listed
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from imgcls.config.decision import Decision
    from imgcls.data.tables import Table

    Floats = npt.NDArray[np.float64]

ID, LABEL, PROBABILITY = "id", "label", "p_"
_SIGNIFICANT = 9
"""Digits that hold every float32."""
_DELIMITERS = (" ", "|", ",", ";")
"""What may separate several classes in a cell; the first where the sample does not tell."""
_SAME_FILE: tuple[Callable[[str], str], ...] = (
    str,
    lambda text: PurePosixPath(text).name,
    lambda text: PurePosixPath(text).stem,
)
"""In which forms an id of the sample may name a photograph: as given, without its folder, without its suffix."""


@dataclass(frozen=True)
class Predicted:
    """What a network says of photographs."""

    ids: Sequence[str]
    """[n], their ids."""
    probabilities: Floats
    """[n, n_classes], in [0, 1]."""
    classes: Sequence[str]
    """The classes in the order of the probabilities."""
    problem: str
    """`binary`, `multiclass` or `multilabel`."""
    filled: Mapping[str, str] = field(default_factory=dict)
    """Id of a photograph that could not be predicted → the reason; its probabilities are the mean of the others, or
    the shares of the classes where there is no other."""
    decision: Decision | None = None
    """By which answers are given; None for the default."""

    def with_lost(self, lost: Sequence[LostTest], *, shares: Floats | None = None) -> Predicted:
        """Return the same with a row for each photograph that could not be predicted, where it stands in the list.

        Args:
            lost: These photographs.
            shares: [n_classes], what their rows hold; None for the mean of the others.
        """
        if not lost:
            return self
        import numpy as np

        ids, values = list(self.ids), [*self.probabilities]
        mean = self.probabilities.mean(axis=0) if shares is None else shares
        for entry in sorted(lost, key=lambda entry: entry.place):
            ids.insert(entry.place, entry.id)
            values.insert(entry.place, mean)
        return replace(self, ids=ids, probabilities=np.array(values), filled={entry.id: entry.reason for entry in lost})

    def ordered(self, rows: Sequence[int]) -> Predicted:
        """Return the same in another order."""
        ids = [self.ids[row] for row in rows]
        return replace(self, ids=ids, probabilities=self.probabilities[list(rows)])

    def named(self, *, delimiter: str = _DELIMITERS[0]) -> list[str]:
        """Return the class of each photograph; for multi-label all that it has, joined by `delimiter`.

        What would be left to a person is answered all the same: a table to hand in has no place for it.
        """
        from imgcls.config.decision import Decision  # loads pydantic

        rule = self.decision or Decision.default(self.problem, self.classes)
        return rule.named(self.probabilities, delimiter=delimiter, ask=False)

    def of_class(self, name: str) -> list[float]:
        """Return the probabilities of a class, written as short as float32 allows."""
        column = self.probabilities[:, list(self.classes).index(name)]
        return [float(f"{value:.{_SIGNIFICANT}g}") for value in column]


@dataclass(frozen=True)
class SubmissionTable:
    """A table to hand in."""

    columns: Mapping[str, Sequence[str] | Sequence[float]]
    """From the name of a column to its values, in order."""
    holds: str
    """`classes`, `probabilities`, or `classes and probabilities`."""
    probability_of: str = ""
    """The class whose probability the one column holds; "" where it holds classes, or there are several columns."""
    filled: Mapping[str, str] = field(default_factory=dict)
    """As in `Predicted`."""
    note: str = ""
    """What the sample leaves open, how it was taken, and what says otherwise; "" where nothing is open."""
    decision: Decision | None = None
    """By which answers were given; None for the default, and where it holds probabilities only."""

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @property
    def filled_with(self) -> str:
        """What the rows hold that were filled, in words."""
        return "the shares of the classes in validation" if len(self.filled) == len(self) else "the mean of the others"

    def as_csv(self) -> str:
        """Return it as CSV: text in quotes, exactly as it is, since an id may hold any line end or sign."""
        import pandas as pd

        return pd.DataFrame(dict(self.columns)).to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")


def make_submission(
    predicted: Predicted, sample: Table | None = None, *, probabilities: bool | None = None, metric: str | None = None
) -> SubmissionTable:
    """Bring predictions into the form of a sample submission.

    Beside its column of ids, a sample has one column for each class, which take their probabilities, or a
    single one. That takes the predicted class; where its values are fractions, or where it is asked for, it
    takes the probability of the class it is called after, else of the second class of a binary problem. A column
    that is 0, or 1, everywhere only keeps a place: then the metric says what it takes. A sample may also have a row
    for each photograph and class, the class in a column of its own or joined to the id. Photographs that were
    predicted and that it does not ask for are left out, and named.

    Args:
        predicted: The predictions of the test part.
        sample: The sample, whose columns, ids and order are taken over; None gives id, label and
            `p_<class>` for each class.
        probabilities: Whether there are probabilities, or classes; None goes by the sample.
        metric: What decides; None where nobody said.

    Raises:
        DataError: The sample has ids that were not predicted, or has some twice; or its columns or values fit
            neither classes nor probabilities.
        UsageError: Probabilities were asked for where one column cannot hold them.
    """
    if sample is None:
        table = replace(_without_sample(predicted, probabilities=bool(probabilities)), filled=predicted.filled)
        return _by_decision(table, predicted)
    if (long := _LongForm.of(sample, predicted)) is not None:
        table, rows = long.filled(probabilities=probabilities), sorted({row for row, _ in long.cells})
    else:
        id_column, rows = _matched(sample, predicted.ids)
        table = _filled_in(predicted.ordered(rows), sample, id_column, probabilities=probabilities, metric=metric)
    asked = {predicted.ids[row] for row in rows}
    filled = {name: reason for name, reason in predicted.filled.items() if name in asked}
    left_out = [name for name in predicted.ids if name not in asked]
    told = (
        f"{sample.name} does not ask for {len(left_out):,} of {len(predicted.ids):,} predictions, which are left out: "
    )
    notes = [table.note, f"{told}{listed(map(repr, left_out))}." if left_out else ""]
    return _by_decision(replace(table, filled=filled, note=" ".join(filter(None, notes))), predicted)


def _by_decision(table: SubmissionTable, predicted: Predicted) -> SubmissionTable:
    """Return a table with the rule by which its answers were given, where that is not the default."""
    rule = predicted.decision
    if rule is None or rule.is_default or table.holds == "probabilities":
        return table
    n_open = int(rule.answers(predicted.probabilities).unsure.sum())
    told = f" It leaves {n_open:,} of them to a person, who has no place here: they are answered all the same."
    note = f"Answers are by the decision made for {rule.of or 'any run'}.{told if n_open else ''}"
    return replace(table, decision=rule, note=f"{note} {table.note}".rstrip())


_JOINTS = ("_", "-", "|", ":", " ", "/", "")
"""What may stand between the id of a photograph and a class, where a sample joins them."""


@dataclass(frozen=True)
class _LongForm:
    """A sample with a row for each photograph and class."""

    sample: Table
    """The sample."""
    predicted: Predicted
    """What is predicted."""
    value_column: str
    """The column that takes the values."""
    cells: tuple[tuple[int, int], ...]
    """Row by row the place of the photograph and that of the class."""

    @classmethod
    def of(cls, sample: Table, predicted: Predicted) -> _LongForm | None:
        """Read a sample so; None where it is no such table, or asks for something that was not predicted."""
        names, places = list(sample.columns), {name: place for place, name in enumerate(predicted.classes)}
        for form in _SAME_FILE:
            row_of = {form(name): row for row, name in enumerate(predicted.ids)}
            if len(row_of) < len(predicted.ids):
                continue
            for keys, value in _keys_and_value(names):
                if len(keys) == 2:
                    cells = [
                        (row_of.get(form(id_)), places.get(label))
                        for id_, label in zip(*(sample.columns[key] for key in keys), strict=True)
                    ]
                    found = _complete(cells)
                else:
                    found = _joined(sample.columns[keys[0]], row_of, places)
                if found:
                    return cls(sample, predicted, value, found)
        return None

    def filled(self, *, probabilities: bool | None) -> SubmissionTable:
        """Return the sample with probabilities, or with 1 for what is predicted and 0 for the rest.

        Args:
            probabilities: Which of the two; None goes by the sample: where both 0 and 1 stand in it and nothing else,
                it holds decisions.
        """
        texts = {text.strip() for text in self.sample.columns[self.value_column]}
        if probabilities or (probabilities is None and texts != {"0", "1"}):
            columns = [self.predicted.of_class(name) for name in self.predicted.classes]
            values: Sequence[str] | Sequence[float] = [columns[place][row] for row, place in self.cells]
            holds = "probabilities"
        else:
            named = [{*text.split("\n")} for text in self.predicted.named(delimiter="\n")]
            classes = list(self.predicted.classes)
            values = [str(int(classes[place] in named[row])) for row, place in self.cells]
            holds = "classes"
        columns_of = {
            name: values if name == self.value_column else texts for name, texts in self.sample.columns.items()
        }
        return SubmissionTable(columns_of, holds)


def _keys_and_value(names: Sequence[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield which columns may name photograph and class, and which one takes the value."""
    if len(names) == 3:
        yield from (((one, other), value) for one, other, value in permutations(names))
    if len(names) == 2:
        yield from (((one,), value) for one, value in permutations(names))


def _joined(
    texts: Sequence[str], row_of: Mapping[str, int], places: Mapping[str, int]
) -> tuple[tuple[int, int], ...] | None:
    """Read keys in which a photograph and a class are joined; None where they are no such keys.

    An ordinary sample is known by its first row, whatever the number of photographs and classes.
    """
    for joint in _JOINTS:
        if not texts or _key(texts[0], joint, row_of, places) is None:
            continue
        if found := _complete([_key(text, joint, row_of, places) for text in texts]):
            return found
    return None


def _key(
    text: str, joint: str, row_of: Mapping[str, int], places: Mapping[str, int]
) -> tuple[int | None, int | None] | None:
    """Return the places of the photograph and the class in a key; None where it has none, or could mean two."""
    ends = ((f"{joint}{name}", place) for name, place in places.items())
    found = [(row_of.get(text[: -len(end)]), place) for end, place in ends if text.endswith(end)]
    known = [cell for cell in found if cell[0] is not None]
    return known[0] if len(known) == 1 else None


def _complete(cells: Sequence[tuple[int | None, int | None] | None]) -> tuple[tuple[int, int], ...] | None:
    """Return cells of a long form, where all of them are known, none is there twice, and several classes occur."""
    known = [(cell[0], cell[1]) for cell in cells if cell is not None and cell[0] is not None and cell[1] is not None]
    several = len({place for _, place in known}) > 1 and len({row for row, _ in known}) < len(known)
    return tuple(known) if len(known) == len(cells) == len(set(known)) and several else None


def _filled_in(
    predicted: Predicted, sample: Table, id_column: str, *, probabilities: bool | None, metric: str | None
) -> SubmissionTable:
    """Put predictions that are in the order of the sample into its columns."""
    others = [name for name in sample.columns if name != id_column]
    if len(others) > 1 or others == list(predicted.classes):
        _check_classes(sample, others, predicted.classes)
        values: dict[str, Sequence[str] | Sequence[float]] = {name: predicted.of_class(name) for name in others}
        return SubmissionTable(_in_order(sample, id_column, values), "probabilities")
    if not others:
        raise DataError(
            f"{sample.name} has the column {id_column!r} only; a sample submission says what is to be predicted."
        )
    name, texts = others[0], sample.columns[others[0]]
    kept_place = "" if probabilities is not None or predicted.problem != "binary" else _placeholder(texts)
    title = in_words(metric) if metric else ""
    if probabilities or (probabilities is None and _are_fractions(texts, predicted.classes)):
        chosen = _class_of_column(predicted, name, asked=bool(probabilities))
        columns = _in_order(sample, id_column, {name: predicted.of_class(chosen)})
        return SubmissionTable(columns, "probabilities", chosen)
    if kept_place and metric and described(metric).looks_at != "decisions":
        chosen = _class_of_column(predicted, name, asked=True)
        columns = _in_order(sample, id_column, {name: predicted.of_class(chosen)})
        note = (
            f"{sample.name} holds {kept_place} everywhere, which fits classes and probabilities. The metric is "
            f"{title}, so these are probabilities; --classes writes classes."
        )
        return SubmissionTable(columns, "probabilities", chosen, note=note)
    delimiter = _delimiter_of(sample, name, predicted)
    columns = _in_order(sample, id_column, {name: predicted.named(delimiter=delimiter)})
    if not kept_place:
        return SubmissionTable(columns, "classes")
    by = f"The metric is {title}, so these" if title else "These"
    note = (
        f"{sample.name} holds {kept_place} everywhere, which fits classes and probabilities. {by} are classes; "
        "where the score is ROC AUC or log loss, --probabilities writes probabilities."
    )
    return SubmissionTable(columns, "classes", note=note)


def _without_sample(predicted: Predicted, *, probabilities: bool) -> SubmissionTable:
    columns: dict[str, Sequence[str] | Sequence[float]] = {ID: predicted.ids}
    if not probabilities:
        columns[LABEL] = predicted.named(delimiter="|")
    columns |= {f"{PROBABILITY}{name}": predicted.of_class(name) for name in predicted.classes}
    return SubmissionTable(columns, "probabilities" if probabilities else "classes and probabilities")


def _in_order(
    sample: Table, id_column: str, values: Mapping[str, Sequence[str] | Sequence[float]]
) -> dict[str, Sequence[str] | Sequence[float]]:
    """Put columns in the order of the sample, its ids exactly as they stand there."""
    return {name: sample.columns[name] if name == id_column else values[name] for name in sample.columns}


def _matched(sample: Table, ids: Sequence[str]) -> tuple[str, list[int]]:
    """Find the column of ids, and for each of its rows the photograph that it means.

    Raises:
        DataError: No column names photographs that were predicted, each once.
    """
    candidates = [(column, form) for form in _SAME_FILE for column in sample.columns]
    best, most = candidates[0], -1
    for column, form in candidates:
        place = {form(name): row for row, name in enumerate(ids)}
        wanted = [form(text) for text in sample.columns[column]]
        n_found = len(place.keys() & set(wanted))
        if wanted and n_found == len(wanted) and len(place) == len(ids):
            return column, [place[text] for text in wanted]
        if n_found > most:
            best, most = (column, form), n_found
    raise DataError(_mismatch(sample, ids, *best))


def _mismatch(sample: Table, ids: Sequence[str], column: str, form: Callable[[str], str]) -> str:
    """Describe which ids of a column have no prediction, and which predictions it has no place for."""
    texts = sample.columns[column]
    known, wanted = {form(name) for name in ids}, {form(text) for text in texts}
    repeated = {text for text, n in Counter(texts).items() if n > 1}
    missing = [row for row, text in enumerate(texts) if form(text) not in known]
    again = [row for row, text in enumerate(texts) if text in repeated]
    extra = [name for name in ids if form(name) not in wanted]
    problems = []
    if missing:
        problems.append(f"{len(missing)} have no prediction: {sample.places(missing, [texts[row] for row in missing])}")
    if again:
        problems.append(f"{len(again)} occur more than once: {sample.places(again, [texts[row] for row in again])}")
    if extra:
        problems.append(f"{len(extra)} predictions have no place: {listed(map(repr, extra))}")
    return (
        f"{sample.name}: its {len(texts)} ids in column {column!r} are not the {len(ids)} photographs that were "
        f"predicted: {'; '.join(problems) or 'their names cannot be told apart'}. Predict the test part that the "
        "sample belongs to, or give the sample that belongs to this one; 'imgcls runs show RUN' lists what was left "
        "out."
    )


def _check_classes(sample: Table, columns: Sequence[str], classes: Sequence[str]) -> None:
    """Refuse a sample with several columns that are not the classes.

    Raises:
        DataError: Some are missing, or are no class; all are listed.
    """
    missing = [name for name in classes if name not in columns]
    unknown = [name for name in columns if name not in classes]
    if missing or unknown:
        hint = nearest_hint(unknown[0], classes) if unknown else ""
        raise DataError(
            f"{sample.name}: with several columns there has to be one for each class. Missing: "
            f"{listed(map(repr, missing)) or 'none'}; no class: {listed(map(repr, unknown)) or 'none'}.{hint}"
        )


def _are_fractions(texts: Sequence[str], classes: Sequence[str]) -> bool:
    """Whether values are numbers in [0, 1], written with a fraction, rather than classes."""
    filled = {text.strip() for text in texts if text.strip()}
    if filled <= set(classes) or not all(map(_is_share, filled)):
        return False
    return any(not text.isdigit() for text in filled)


def _placeholder(texts: Sequence[str]) -> str:
    """Return the 0 or 1 that a column holds everywhere; "" where it holds anything else, and so says what it takes."""
    found = {text.strip() for text in texts}
    return found.pop() if found <= {"0", "1"} and len(found) == 1 else ""


def _is_share(text: str) -> bool:
    try:
        value = float(text)
    except ValueError:
        return False
    return math.isfinite(value) and 0 <= value <= 1


def _class_of_column(predicted: Predicted, column: str, *, asked: bool) -> str:
    """Return the class whose probability a single column takes.

    Raises:
        DataError: The sample holds fractions, and no class can be meant.
        UsageError: Likewise, where probabilities were asked for.
    """
    if column in predicted.classes:
        return column
    if predicted.problem == "binary":
        return predicted.classes[1]
    kind = UsageError if asked else DataError
    raise kind(
        f"The one column {column!r} cannot hold the probabilities of {len(predicted.classes)} classes. Give a sample "
        f"with a column for each of {listed(map(repr, predicted.classes))}."
    )


def _delimiter_of(sample: Table, column: str, predicted: Predicted) -> str:
    """Find what separates several classes in a cell, and make sure that the sample speaks of these classes.

    Raises:
        DataError: No value of the sample is a class.
    """
    known, texts = set(predicted.classes), {text for text in sample.columns[column] if text.strip()}
    usable = [mark for mark in _DELIMITERS if not any(mark in name for name in known)] or [_DELIMITERS[0]]
    used = [mark for mark in usable if any(mark in text and set(text.split(mark)) <= known for text in texts)]
    if predicted.problem == "multilabel" and used:
        return used[0]
    if not texts or texts & known:
        return usable[0]
    raise DataError(
        f"{sample.name}: column {column!r} holds {listed(map(repr, sorted(texts)))}, none of the classes "
        f"{listed(map(repr, predicted.classes))}. Name the classes as the sample does, or ask for --probabilities."
    )


SCHEMA = 1
TEST_FILE = "test.parquet"
"""The file of a record that holds what the run says of the test part."""
GIVE_TEST = "a folder test/, a column that says test (--split), or test.csv beside the labels makes one"
"""How data come to have a test part."""
HOLDS = ("classes", "probabilities", "classes and probabilities")


def _is_a_file(text: str) -> Problems:
    """Check a path that --to named once, and that is only compared since: it may lead anywhere, but to a file."""
    place = Path(os.path.normpath(text))
    names = [name for name in place.parts if name not in (place.anchor, "..")]
    if list(file_names(names)) or not names:
        yield "", f"must be the path of a file, not {text[:40]!r}"


@dataclass(frozen=True)
class Submission:
    """One table of predictions for the test part."""

    run: RunId
    """The id of the run that predicted."""
    key: str
    """The key of that run."""
    stack: str
    """Its stack as it is printed, overrides included."""
    plan_digest: str
    """Digest of its plan."""
    data_digest: str
    """Digest of the samples, labels and pixels that it was trained on."""
    split_digest: str
    """Digest of who was in train, valid and test."""
    file: Annotated[str, _is_a_file]
    """The table: its path from the folder of submissions, or an absolute one where it lies outside the workspace."""
    sha256: str
    """Digest of the table."""
    n_rows: int
    """Its rows: the photographs of the test part."""
    holds: Annotated[str, one_of(*HOLDS)]
    """`classes`, `probabilities`, or both."""
    sample: str | None
    """The name of the sample submission that it follows; None without one."""
    created: str
    """When: UTC, ISO 8601."""
    filled: Mapping[str, str] | None = field(default=None, metadata=MAY_BE_ABSENT)
    """Id of each photograph that could not be predicted → the reason; its row holds the mean prediction of the others,
    or the shares of the classes where there is no other. None where there is none."""
    decision: Mapping[str, Any] | None = field(default=None, metadata=MAY_BE_ABSENT)
    """The decision.toml by which answers were given; None where it is the default, or there are probabilities only."""
    folder: Path | None = field(default=None, compare=False, metadata=NOT_IN_FILE)
    """The folder of submissions that it was read from or written to; not part of what is written."""

    @classmethod
    def from_json(cls, value: object, *, where: str) -> Self:
        """Read one from JSON values.

        Args:
            value: What `to_json` gave.
            where: How messages name the source.

        Raises:
            RecordError: A newer imgcls wrote it, or it is damaged.
        """
        return from_json(cls, value, where=where, schema=SCHEMA)

    @property
    def name(self) -> str:
        """How a person names the table: its path from the workspace where it lies within."""
        return Path(os.path.normpath(Path("submissions") / self.file)).as_posix()

    @property
    def path(self) -> Path:
        """Where the table lies."""
        return (self.folder or Path()) / self.file

    def is_whole(self) -> bool:
        """Whether the table is there with the content that was written."""
        try:
            return self.path.is_file() and sha256_file(self.path) == self.sha256
        except OSError:  # what nobody can read cannot be handed in
            return False

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"schema": SCHEMA, **to_json(self)}

    def write(self, workspace: Workspace) -> Submission:
        """Write it beside the tables, under the id of its run; the table itself is there already.

        Args:
            workspace: Where `submissions/` lies.

        Raises:
            WorkspaceError: Something else lies there, or it would be written outside `submissions/`.
        """
        make_folder(workspace.submissions)
        write_json(_note_of(self.run, workspace), self.to_json())
        return replace(self, folder=workspace.submissions)


def _note_of(run: str, workspace: Workspace) -> Path:
    """Return where the note of a run's submission goes, which takes the place of an older one and of nothing else."""
    note = _kept_inside(workspace.submissions / f"{run}.json", workspace)
    if not os.path.lexists(note):
        return note
    try:
        is_its_own = read_as(Submission, note, schema=SCHEMA).run == run
    except RecordError:
        is_its_own = False
    if not is_its_own:
        raise WorkspaceError(f"{note} is no note of a submission of {run}. Move it away, and hand in again.")
    return note


def _kept_inside(file: Path, workspace: Workspace) -> Path:
    """Return a file of `submissions/`, unless it is a link that leads out of it: only --to may name another place."""
    if not Path(os.path.realpath(file)).is_relative_to(os.path.realpath(workspace.submissions)):
        raise WorkspaceError(f"{file} is a link that leads out of {workspace.submissions}. Remove it, or use --to.")
    return file


def find_submissions(workspace: Workspace) -> tuple[list[Submission], list[str]]:
    """Read every submission of a workspace.

    Args:
        workspace: Where to look; it may be empty.

    Returns:
        The submissions, oldest first, and a message for each that cannot be read.
    """
    found, damaged = [], []
    for path in sorted(workspace.submissions.glob("*.json")):
        try:
            submission = read_as(Submission, path, schema=SCHEMA)
        except RecordError as problem:
            damaged.append(str(problem))
            continue
        found.append(replace(submission, folder=workspace.submissions))
    return sorted(found, key=lambda entry: (entry.created, entry.run)), damaged


_GIVE_TEST = (
    f"The data need a test part: {GIVE_TEST}; then train again. 'imgcls predict RUN PATH' predicts other photographs."
)


def has_test(record: RunRecord) -> bool:
    """Return whether a run has a test part, of which it predicted all that could be read, and be it nothing."""
    is_lost = record.data.lost_test is not None and record.folds is None and not record.quick
    return TEST_FILE in record.files or is_lost


def run_to_submit(text: str | None, workspace: Workspace) -> RunRecord | BlendRecord:
    """Find the run, or the blend, whose predictions of the test part are handed in.

    Args:
        text: What a person typed for it; None takes the newest run that is no quick run and no fold.
        workspace: Where to look.

    Raises:
        RecordError: There is no such run.
        UsageError: It has no predictions of a test part.
    """
    if text is not None:
        blend = find_blend(text, workspace)
        if blend is not None:
            if TEST_FILE in blend.files:
                return blend
            raise UsageError(f"Not every network of {blend.id} has predicted a test part. {_GIVE_TEST}")
        record = find_run(text, workspace)
        if has_test(record):
            return record
        if record.folds is not None:
            first = record.folds.runs[0].run
            raise UsageError(
                f"{record.id} holds what {len(record.folds.runs)} folds said of the samples that validate, and nothing "
                f"of a test part. Name one of its folds, such as {first}, or run the same stack without folds."
            )
        raise UsageError(f"{record.id} has no predictions of a test part. {_GIVE_TEST}")
    runs = find_runs(workspace)[0]
    if not runs:
        raise RecordError(f"There is no run in {workspace.runs}. 'imgcls recipe run baseline' makes one.")
    able = [run for run in runs if has_test(run) and not run.quick and run.fold is None]
    if not able:
        raise UsageError(
            f"No run in {workspace.runs} has predictions of a test part (quick runs and single folds have to be "
            f"named). {_GIVE_TEST}"
        )
    return able[-1]


def known_sample(workspace: Workspace) -> Path | None:
    """Return the sample submission that imgcls.toml names; None where it names none.

    Raises:
        ProblemError: imgcls.toml cannot be read, or does not fit.
    """
    from imgcls.config.problem import find_problem, place_of

    problem = find_problem(workspace.root)
    if problem is None or problem.data.sample_submission is None:
        return None
    return place_of(problem.data.sample_submission, problem, workspace.root)


def tabulate(
    record: RunRecord | BlendRecord,
    workspace: Workspace,
    *,
    sample: Path | None = None,
    probabilities: bool | None = None,
    decision: Decision | None = None,
) -> SubmissionTable:
    """Return the predictions of the test part as a table to hand in, with a row for everything that is to be predicted.

    Args:
        record: A run, or a blend, that has them.
        workspace: Whose imgcls.toml may name the metric.
        sample: The table whose form is taken over; None for id, label and probabilities.
        probabilities: Whether there are probabilities, or classes; None goes by the sample.
        decision: By which answers are given; None for that of the workspace, see `decision_for`.

    Raises:
        DataError: The sample cannot be read, or does not fit.
        RecordError: The predictions are damaged.
    """
    from imgcls.config.decision import decision_for
    from imgcls.config.problem import metric_of
    from imgcls.data.tables import read_table

    table = None if sample is None else read_table(sample)
    shares = None if TEST_FILE in record.files else _shares(record, workspace)
    if shares is None:
        record.verify([TEST_FILE])
        frame = record.predictions("test")
        values = frame[[f"{PROBABILITY}{name}" for name in record.classes]].to_numpy(dtype="float64")
        predicted = Predicted(frame["id"].astype(str).tolist(), values, record.classes, record.problem)
    else:
        predicted = Predicted([], shares[None][:0], record.classes, record.problem)
    lost = record.data.lost_test or (() if table is None else _lost_of_older(record, predicted.ids, table))
    metric = metric_of(workspace.root, record.problem)
    predicted = replace(predicted, decision=decision or decision_for(record)[0])
    return make_submission(predicted.with_lost(lost, shares=shares), table, probabilities=probabilities, metric=metric)


def _shares(record: RunRecord | BlendRecord, workspace: Workspace) -> Floats:
    """Return the share of each class in validation, [n_classes]: all that is known where no photograph can be read.

    Of what all the data trained it is that of the judged run.
    """
    import numpy as np

    from imgcls.data.samples import as_targets

    if isinstance(record, RunRecord) and record.all_data is not None:
        record = find_run(record.all_data.taken_from, workspace)
    record.verify(["valid.parquet"])
    labels = [label for label in record.predictions("valid")["label"].astype(str) if label]
    targets = as_targets(labels, classes=record.classes, problem=record.problem)
    chosen = targets if targets.ndim == 2 else np.eye(len(record.classes))[targets]
    return chosen.mean(axis=0, dtype=np.float64)


def _lost_of_older(record: RunRecord | BlendRecord, ids: Sequence[str], sample: Table) -> tuple[LostTest, ...]:
    """Return what a record of before it kept lost photographs of test left out, and a sample asks for.

    Such a record has paths only, so that a name counts where it is that of exactly one of them.
    """
    for form in _SAME_FILE:
        known = set(map(form, ids))
        reasons = {form(path): (path, reason) for path, reason in record.data.excluded}
        for column in sample.columns.values():
            wanted = list(map(form, column))
            missing = [text for text in wanted if text not in known]
            if (
                missing
                and known <= set(wanted)
                and len(set(missing)) == len(missing)
                and set(missing) <= reasons.keys()
            ):
                found = (reasons[text] for text in missing)
                return tuple(LostTest(path, len(ids) + place, reason) for place, (path, reason) in enumerate(found))
    return ()


def submit(
    table: SubmissionTable,
    record: RunRecord | BlendRecord,
    workspace: Workspace,
    *,
    sample: Path | None = None,
    to: Path | None = None,
    overwrite: bool = False,
) -> Submission:
    """Write a table of predictions of the test part, and beside it what they came from.

    Args:
        table: What `tabulate` gave.
        record: The run, or the blend, that predicted.
        workspace: Where `submissions/` lies.
        sample: The table whose form was taken over; None for none.
        to: The file; None for `submissions/<run id>.csv`.
        overwrite: Whether a file with other content is written over.

    Raises:
        WorkspaceError: The file is there already, or cannot be written.
    """
    file = _place_of(record, workspace, to)
    _note_of(record.id, workspace)  # before the table is written: what is in the way is told while nothing has changed
    content = table.as_csv().encode("utf-8")
    digest = hashlib.sha256(content).hexdigest()
    if not overwrite and file.is_file() and sha256_file(file) != digest:
        raise WorkspaceError(f"{file} is there already, with other content. Write over it with --force.")
    make_folder(workspace.submissions)
    make_folder(file.parent)
    write_bytes(file, content)
    written = Submission(
        run=record.id,
        key=record.key,
        stack=record.label,
        plan_digest=record.plan_digest,
        data_digest=record.data.digest,
        split_digest=record.data.split_digest,
        file=_from_submissions(file, workspace),
        sha256=digest,
        n_rows=len(table),
        holds=table.holds,
        sample=None if sample is None else sample.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        filled=dict(table.filled) or None,
        decision=None if table.decision is None else table.decision.as_written(),
    )
    return written.write(workspace)


def _place_of(record: RunRecord | BlendRecord, workspace: Workspace, to: Path | None) -> Path:
    """Return the file that is written.

    Raises:
        WorkspaceError: It is no CSV, would lie among the records, or is a link out of `submissions/`.
    """
    if to is None:
        return _kept_inside(workspace.submissions / f"{record.id}.csv", workspace)
    if to.suffix.lower() != ".csv":
        raise WorkspaceError(f"{to} has to end in .csv.")
    place = to.absolute()
    for folder in (workspace.runs, workspace.ladders, workspace.blends):
        if place.resolve().is_relative_to(folder.resolve()):
            raise WorkspaceError(f"{to} lies among the records in {folder}. Choose another place with --to.")
    return place


def _from_submissions(file: Path, workspace: Workspace) -> str:
    """Name a file so that a moved workspace still finds it, where it lies within."""
    if file.is_relative_to(workspace.submissions):
        return file.relative_to(workspace.submissions).as_posix()
    if file.is_relative_to(workspace.root):
        return (Path("..") / file.relative_to(workspace.root)).as_posix()
    return file.as_posix()
