"""findings.toml: what of the data is left out or kept together because of what was found, and why.

    schema = 1
    [[excluded]]            images that are not used
    [[grouped]]             images that stay together when the samples are split
    [[relabelled]]          images that get another label, as a review says
    [[kept]]                findings that were looked at and are left as they are
    data                    the name of the data set that all of it is about

Every entry names the finding and says why. Nothing in the data folder is touched: to take an
entry out undoes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from imgcls.config.problem import checked, read_text, read_toml
from imgcls.data.source import FINDINGS_TOML, REVIEW
from imgcls.errors import ProblemError, StrictError, nearest_hint
from imgcls.storage import write_bytes
from imgcls.text import amount, as_utf8, kinds_of, listed

if TYPE_CHECKING:
    import pandas as pd

    from imgcls.data.samples import Samples
    from imgcls.data.source import DataSource


SCHEMA = 1
_HEADING = (
    "# What 'imgcls eda apply' and 'imgcls eda keep' decided. Every command reads it; nothing in the data is touched."
)


class _Entry(BaseModel):
    """A frozen entry that knows all of its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Exclusion(_Entry):
    """Images that are not used."""

    images: Annotated[tuple[str, ...], Field(min_length=1)]
    """The ids of the samples; bytes that are no UTF-8 as escapes."""
    finding: str
    """The id of the finding."""
    why: str
    """The reason, for people."""


class Grouping(_Entry):
    """Images that stay together when the samples are split."""

    images: Annotated[tuple[str, ...], Field(min_length=1)]
    """The ids of the samples; bytes that are no UTF-8 as escapes."""
    finding: str
    """The id of the finding."""
    why: str
    """The reason, for people."""


class Relabelling(_Entry):
    """Images that get another label."""

    images: Annotated[tuple[str, ...], Field(min_length=1)]
    """The ids of the samples; bytes that are no UTF-8 as escapes."""
    was: str
    """The label that the data give them; where they give another one by now, nothing is done."""
    label: Annotated[str, Field(min_length=1)]
    """The label that they get; several joined by |."""
    finding: str
    """The id of the finding: `review`."""
    why: str
    """The reason, for people."""


class Accepted(_Entry):
    """A finding that was looked at and is left as it is."""

    images: tuple[str, ...] = ()
    """The ids of the samples that it was about; without any it is kept whatever it is about."""
    finding: str
    """The id of the finding."""
    why: str
    """The reason, for people."""


class Adjustments(_Entry):
    """Everything that was decided about the data."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    """The version of this form; `schema` in the file."""
    excluded: tuple[Exclusion, ...] = ()
    """What is left out."""
    grouped: tuple[Grouping, ...] = ()
    """What stays together."""
    relabelled: tuple[Relabelling, ...] = ()
    """What gets another label."""
    kept: tuple[Accepted, ...] = ()
    """What is left as it is."""
    data: str | None = None
    """The short name of the data that it was decided about; None where nobody wrote it down."""

    def keeps(self, finding: str, images: Iterable[str]) -> bool:
        """Whether a finding is left as it is: one that is about further images now was not looked at.

        Args:
            finding: Its id.
            images: The ids of all samples that it is about.
        """
        about = frozenset(images)
        return any(entry.finding == finding and (not entry.images or about <= set(entry.images)) for entry in self.kept)

    def settles(self, finding: str, images: Iterable[str]) -> bool:
        """Whether a finding is applied: to all of these images, or to any where there are none.

        Args:
            finding: Its id.
            images: The ids of the samples that applying it is about.
        """
        entries: tuple[Exclusion | Grouping, ...] = (*self.excluded, *self.grouped)
        settled = {image for entry in entries if entry.finding == finding for image in entry.images}
        return bool(settled) and settled.issuperset(images)

    @property
    def looked_at(self) -> frozenset[str]:
        """The images that a review decided about."""
        entries: tuple[Exclusion | Relabelling | Accepted, ...] = (*self.excluded, *self.relabelled, *self.kept)
        return frozenset(image for entry in entries if entry.finding == REVIEW for image in entry.images)


def read_adjustments(path: Path) -> Adjustments:
    """Read what was decided; nothing where there is no file.

    Args:
        path: findings.toml of a workspace.

    Raises:
        ProblemError: It cannot be read, is no TOML, or does not fit; every fault is named by its key.
    """
    if not path.exists() and not path.is_symlink():
        return Adjustments()
    text = read_text(path)
    return checked(Adjustments, read_toml(path, text, schema=SCHEMA), path=path)


def adjustments_bytes(adjustments: Adjustments) -> bytes:
    """Return what findings.toml holds when this was decided."""
    return "".join(_lines(adjustments)).encode("utf-8")


def write_adjustments(path: Path, adjustments: Adjustments) -> None:
    """Write what was decided, atomically.

    Args:
        path: The file; its folder must exist.
        adjustments: What is written.

    Raises:
        ImgclsError: The file cannot be written; the old one is still there.
    """
    write_bytes(path, adjustments_bytes(adjustments))


def _lines(adjustments: Adjustments) -> Iterator[str]:
    """Yield the lines of the file: tomlkit would take minutes over 100,000 entries."""
    yield f"{_HEADING}\nschema = {SCHEMA}\n"
    if adjustments.data is not None:
        yield f"data = {_text(adjustments.data)} # decided about this data set, and no other\n"
    for name, entries in (("excluded", adjustments.excluded), ("grouped", adjustments.grouped)):
        for entry in entries:
            yield f"\n[[{name}]]\nimages = {_list(entry.images)}\n{_reason(entry)}"
    for other in adjustments.relabelled:
        labels = f"was = {_text(other.was)}\nlabel = {_text(other.label)}\n"
        yield f"\n[[relabelled]]\nimages = {_list(other.images)}\n{labels}{_reason(other)}"
    for kept in adjustments.kept:
        images = f"images = {_list(kept.images)}\n" if kept.images else ""
        yield f"\n[[kept]]\n{images}{_reason(kept)}"


def _reason(entry: Exclusion | Grouping | Relabelling | Accepted) -> str:
    return f"finding = {_text(entry.finding)}\nwhy = {_text(entry.why)}\n"


def _list(texts: Sequence[str]) -> str:
    if len(texts) == 1:
        return f"[{_text(texts[0])}]"
    return "".join(["[\n", *(f"  {_text(text)},\n" for text in texts), "]"])


def _text(text: str) -> str:
    """Write a text of TOML: its escapes are those of JSON, but for DEL, which it wants escaped too."""
    return json.dumps(as_utf8(text), ensure_ascii=False).replace("\x7f", "\\u007f")


LOST, BROKEN, UNUSED = "classes.lost", "broken", "left_out"
"""The findings about what is not used: classes that shrink, photographs that fail, and others that lie there."""


def open_losses(samples: Samples, findings: Path | None) -> tuple[str, ...]:
    """Return a sentence on each kind of loss that nobody decided about: what `--strict` stops at.

    Decided is what a person left out (`--exclude`, findings.toml), and a finding about it that is kept with a reason.

    Args:
        samples: With what is excluded.
        findings: The findings.toml that was followed; None for none.
    """
    from imgcls.data.files import LEFT_OUT, NO_PHOTOGRAPHS
    from imgcls.data.samples import loss_warnings

    adjustments = Adjustments() if findings is None else read_adjustments(findings)
    settled = {LEFT_OUT, *NO_PHOTOGRAPHS, *(f"{entry.finding}: {entry.why}" for entry in adjustments.excluded)}
    lost = [entry for entry in samples.excluded if entry.reason not in settled]
    found = [] if adjustments.keeps(LOST, ()) else [entry.removeprefix("Warning: ") for entry in loss_warnings(samples)]
    for finding, entries, what in (
        (BROKEN, [entry for entry in lost if entry.sample is not None], "cannot be used"),
        (UNUSED, [entry for entry in lost if entry.sample is None], "there and not used"),
    ):
        if entries and not adjustments.keeps(finding, (as_utf8(entry.path) for entry in entries)):
            kinds = listed(f"{n:,} {kind}" for kind, n in kinds_of(entry.reason for entry in entries).items())
            found.append(f"{amount(len(entries), 'photograph')} {what}: {kinds}.")
    return tuple(found)


def check_strictly(samples: Samples, findings: Path | None) -> None:
    """Refuse samples of which anything is lost that nobody decided about.

    Raises:
        StrictError: There are such losses; all kinds are named.
    """
    if lost := open_losses(samples, findings):
        lines = "\n".join(f"  - {entry}" for entry in lost)
        raise StrictError(
            f"{samples.name}: nothing was trained, since --strict was said and photographs are lost:\n{lines}\n"
            "'imgcls eda' names them. Fix them; or leave them out on purpose (--exclude GLOB, 'imgcls eda apply'), "
            "keep the finding with a reason ('imgcls eda keep'), or leave out --strict."
        )


_PREFIX = "findings:"


def decided_samples(source: DataSource, findings: Path | None) -> Samples:
    """Read samples, leave out and keep together what was decided, and then draw the test part, if one is asked for.

    Args:
        source: Where the data are.
        findings: The findings.toml to follow; None for none.

    Raises:
        DataError: There are no such data, or they cannot be read.
        ProblemError: The findings.toml cannot be read, or was decided about other data.
    """
    from imgcls.data.load import load_samples, with_test_part

    samples = load_samples(replace(source, test_share=None))
    if findings is not None:
        samples = apply_adjustments(samples, read_adjustments(findings))
    return with_test_part(samples, source)


def apply_adjustments(samples: Samples, adjustments: Adjustments) -> Samples:
    """Leave out and keep together what was decided; the samples keep their order and their splits.

    A group that is there already is joined by those it is grouped with. Images that are not there
    any more are reported in a note. What a review decided is only noted in `Samples.reviewed`, and done once the parts
    are drawn, so that who trains and who validates does not depend on it.

    Args:
        samples: As they were read, or split already.
        adjustments: What was decided.

    Raises:
        ProblemError: It was decided about another data set, whose ids may be the same; or it gives a label that is no
            class of the data.
    """
    import pandas as pd

    if not adjustments.excluded and not adjustments.grouped and not adjustments.relabelled:
        return samples
    if adjustments.data is not None and as_utf8(samples.name) != adjustments.data:
        raise ProblemError(
            f"{FINDINGS_TOML} was decided about {adjustments.data!r}, and these data are {samples.name!r}. A workspace "
            f"holds one data set: take another folder (--out). If they are the same data under another name, correct "
            f"the line that begins with 'data =' in {FINDINGS_TOML}."
        )
    ids = [as_utf8(name) for name in samples.frame["id"]]
    rows = {name: row for row, name in enumerate(ids)}
    reasons = {
        rows[image]: f"{entry.finding}: {entry.why}"
        for entry in reversed(adjustments.excluded)  # where several name an image, the first one counts
        for image in entry.images
        if image in rows and entry.finding != REVIEW
    }
    reviewed = _reviewed(samples, adjustments, rows=rows)
    _check_labels(samples, {label for label, _ in reviewed.values() if label})
    groups = _joined(samples.frame, ids, adjustments.grouped, rows=rows)
    frame = samples.frame.assign(group=pd.Series(groups, index=samples.frame.index, dtype=object))
    n_excluded = len(reasons) + sum(label == "" for label, _ in reviewed.values())
    notes = _notes(samples, adjustments, known=set(rows), n_excluded=n_excluded)
    n_relabelled = sum(label != "" for label, _ in reviewed.values())
    if n_relabelled:
        notes.append(f"{FINDINGS_TOML} gives {n_relabelled} of {len(samples)} samples another label.")
    there = {image for entry in adjustments.relabelled for image in entry.images if image in rows}
    if stale := sorted(there - set(map(as_utf8, reviewed))):
        notes.append(
            f"{FINDINGS_TOML} does not relabel {len(stale)} samples, whose label in the data is another one since: "
            f"{listed(map(repr, stale))}."
        )
    found = replace(samples, frame=frame, notes=(*samples.notes, *notes), reviewed=reviewed)
    return found.without_rows(reasons)


def _check_labels(samples: Samples, labels: Iterable[str]) -> None:
    """Refuse labels that the data do not know: a photograph with one would train as if it had none."""
    from imgcls.data.samples import classes_in

    several = samples.problem == "multilabel"
    named = {one for label in labels for one in (classes_in(label) if several else [label])}
    if unknown := sorted(named.difference(samples.classes)):
        raise ProblemError.together(
            [
                f"{FINDINGS_TOML} gives photographs the label {one!r}, which is no class of {samples.name!r}."
                f"{nearest_hint(one, samples.classes)} Correct it there, or take the review back: imgcls eda undo "
                f"{REVIEW}"
                for one in unknown
            ]
        )


def _reviewed(samples: Samples, adjustments: Adjustments, *, rows: dict[str, int]) -> dict[str, tuple[str, str]]:
    """Return what a review says, from the id of a sample as the data have it to its label, "" for none, and why."""
    ids, labels = samples.frame["id"].tolist(), samples.frame["label"].tolist()
    found = {
        ids[rows[image]]: ("", f"{entry.finding}: {entry.why}")
        for entry in adjustments.excluded
        for image in entry.images
        if image in rows and entry.finding == REVIEW
    }
    for change in adjustments.relabelled:
        for row in (rows[image] for image in change.images if image in rows):
            if as_utf8(labels[row]) == change.was:
                found[ids[row]] = (change.label, f"{change.finding}: {change.why}")
    return found


def _joined(frame: pd.DataFrame, ids: Sequence[str], grouped: Sequence[Grouping], *, rows: dict[str, int]) -> list[str]:
    """Return the group of each sample, [n]: groups that are there, joined by what is to stay together."""
    from imgcls.data.grouping import connected

    links = [(rows[image], number) for number, entry in enumerate(grouped) for image in entry.images if image in rows]
    before: list[str] = frame["group"].tolist()
    if not links:
        return before
    parts = connected(before, links, n_links=len(grouped))
    touched = {parts[row] for row, _ in links}
    members: dict[int, list[int]] = {part: [] for part in touched}
    for row, part in enumerate(parts):
        if part in touched:
            members[part].append(row)
    after, taken = list(before), set(before)
    for inside in members.values():
        name = min((before[row] for row in inside if before[row]), default="")
        if not name:
            name = _PREFIX + min(ids[row] for row in inside)
            while name in taken:  # a group of the data that happens to be called so is another one
                name += "+"
        for row in inside:
            after[row] = name
    return after


def _notes(samples: Samples, adjustments: Adjustments, *, known: set[str], n_excluded: int) -> list[str]:
    """Describe what findings.toml did, and which of its images are not there any more."""
    notes = []
    grouped = {image for entry in adjustments.grouped for image in entry.images}
    named: tuple[Exclusion | Relabelling, ...] = (*adjustments.excluded, *adjustments.relabelled)
    wanted = {image for entry in named for image in entry.images} | grouped
    n_grouped = len(grouped & known)
    effects = [f"leaves out {n_excluded} of {len(samples)} samples"] if n_excluded else []
    effects += [f"keeps {n_grouped} together in groups"] if n_grouped else []
    if effects:
        notes.append(f"{FINDINGS_TOML} {' and '.join(effects)}.")
    if missing := sorted(wanted - known):
        names = listed(map(repr, missing))
        notes.append(f"{FINDINGS_TOML} names {len(missing)} samples that are not there any more: {names}.")
    return notes
