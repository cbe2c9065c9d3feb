"""What a review decided, made part of the data: labels and exclusions in findings.toml, never in the data.

Several files are several people. What they say of an image is applied where nobody says otherwise; the rest is listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from imgcls.config.findings import (
    Accepted,
    Adjustments,
    Exclusion,
    Relabelling,
    decided_samples,
    read_adjustments,
    write_adjustments,
)
from imgcls.config.review import Reviewed, latest, read_reviewed
from imgcls.data.source import FINDINGS_TOML, REVIEW
from imgcls.errors import DataError, UsageError, nearest_hint
from imgcls.records.derived import data_of
from imgcls.storage import one_at_a_time
from imgcls.text import as_utf8, listed
from imgcls.workspace import Workspace

LEFT_OUT = "(left out)"
"""What stands for a label where a photograph is left out."""


@dataclass(frozen=True)
class Disagreement:
    """A photograph of which people say different things."""

    image: str
    """The id of the sample."""
    said: Mapping[str, str]
    """Person → the label, or that it is left out."""


@dataclass(frozen=True)
class AppliedReview:
    """What was made of files of decisions."""

    n_relabelled: int
    """Photographs that have another label now than the data give them."""
    n_excluded: int
    """Photographs that are left out now."""
    n_kept: int
    """Photographs whose label was found right."""
    n_unsure: int
    """Photographs of which nobody was sure."""
    disagreements: tuple[Disagreement, ...]
    """What was not applied, since people say different things."""
    stale: tuple[str, ...]
    """Photographs that have another label by now than the one that was looked at; not applied."""
    unknown: tuple[str, ...]
    """Ids that the data do not have; not applied."""
    sealed: tuple[str, ...]
    """Photographs of the test part, which a review does not touch."""
    path: Path
    """Where it is written: findings.toml of the workspace."""
    out: str
    """The option that names the workspace in commands; empty where they find it."""

    @property
    def is_whole(self) -> bool:
        """Whether everything that was decided could be applied."""
        return not (self.disagreements or self.stale or self.unknown or self.sealed)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        values = {name: value for name, value in asdict(self).items() if name != "out"}
        return {"schema": 1, "done": "applied", "findings": [REVIEW], **values, "path": str(self.path)}


@dataclass(frozen=True)
class _Labels:
    """The labels of the data, without the sealed ones."""

    given: Mapping[str, str]
    """Image → label as the data give it."""
    now: Mapping[str, str]
    """Image → label with what an earlier review said."""
    sealed: frozenset[str]
    """The images of the test part."""


def apply_review(files: Sequence[Path], workspace: Workspace) -> AppliedReview:
    """Give photographs the labels that people decided on, and leave out what they left out.

    What an earlier review said of other photographs stays. The same files once more change nothing.

    Args:
        files: Decisions, in the form of `imgcls.config.review`; each is of another person unless it says who.
        workspace: Whose findings.toml is written.

    Raises:
        UsageError: The decisions are about other data, nobody knows which data there are, or a class would be left
            without a photograph.
        DataError: A file cannot be read, or a label is no class of the data.
    """
    said = _by_person(files)
    source, path = data_of(workspace), workspace.root / FINDINGS_TOML
    with one_at_a_time(path):
        before = read_adjustments(path)
        samples = decided_samples(source, path)
        name = as_utf8(samples.name)
        rows = [row for decisions in said.values() for row in decisions.values()]
        if others := sorted({row.data for row in rows if row.data not in ("", name)}):
            raise UsageError(f"The decisions are about {listed(map(repr, others))}, and these data are {name!r}.")
        labels = _Labels(
            given=dict(zip(map(as_utf8, samples.frame["id"]), map(as_utf8, samples.frame["label"]), strict=True)),
            now={as_utf8(image): as_utf8(label) for image, (label, _) in samples.reviewed.items() if label},
            sealed=frozenset(map(as_utf8, samples.frame["id"][samples.frame["split"] == "test"])),
        )
        _check_known(rows, labels, name)
        wanted = _new_labels(rows, samples.classes, several=samples.problem == "multilabel")
        found, after = _merged(said, labels, wanted, before, name)
        _check_classes_stay(after, labels, several=samples.problem == "multilabel")
        if after != before:
            write_adjustments(path, after)
    return AppliedReview(**found, path=path, out=workspace.as_option)


def _by_person(files: Sequence[Path]) -> dict[str, dict[str, Reviewed]]:
    """Return person → image → the last thing that they said of it."""
    said: dict[str, dict[str, Reviewed]] = {}
    for file, name in zip(files, _names(files), strict=True):
        rows = read_reviewed(file)
        taken_back = {(row.image, row.by): row for row in rows if row.decision == "undo"}
        for row in (*taken_back.values(), *latest(rows)):
            said.setdefault(row.by or name, {})[row.image] = row
    if not any(said.values()):
        raise DataError(f"{listed(file.name for file in files)}: no decision is in there.")
    return said


def _names(files: Sequence[Path]) -> list[str]:
    """Return who is meant where rows do not say who: the name of the file, with folders where two have the same."""
    places = [file.absolute().with_suffix("").parts for file in files]
    for n_parts in range(1, max(map(len, places))):
        names = ["/".join(place[-n_parts:]) for place in places]
        if len(set(names)) == len(set(places)):
            return names
    return ["/".join(place) for place in places]


def _check_known(rows: Sequence[Reviewed], labels: _Labels, name: str) -> None:
    if not any(row.image in labels.given for row in rows):
        raise UsageError(
            f"None of the {len(rows)} decisions is about a photograph of {name!r}, such as {rows[0].image!r}: they are "
            "of other data."
        )


def _new_labels(rows: Iterable[Reviewed], classes: Sequence[str], *, several: bool) -> dict[str, str]:
    """Return every label that is given, as it was written → as the data write it.

    Raises:
        DataError: One is no class; all are named.
    """
    from imgcls.data.samples import NO_CLASS, SEPARATOR

    found, wrong = {}, {}
    for text in dict.fromkeys(row.new_label for row in rows if row.decision == "relabel"):
        names = [part for part in text.split(SEPARATOR) if part] if several else [text]
        if unknown := [part for part in names if part not in classes]:
            wrong[text] = "".join(nearest_hint(part, classes) for part in unknown)
        found[text] = SEPARATOR.join(one for one in classes if one in names) or NO_CLASS if several else text
    if wrong:
        raise DataError.together([f"{text!r} is no class of the data.{hint}" for text, hint in wrong.items()])
    return found


def _merged(
    said: Mapping[str, Mapping[str, Reviewed]],
    labels: _Labels,
    wanted: Mapping[str, str],
    before: Adjustments,
    name: str,
) -> tuple[dict[str, Any], Adjustments]:
    """Return what becomes of all that was said, and what findings.toml holds then."""
    about = list(dict.fromkeys(image for decisions in said.values() for image in decisions))
    unknown, sealed, stale, unsure = list[str](), list[str](), list[str](), list[str]()
    disagreements, agreed = list[Disagreement](), dict[str, tuple[str, str]]()
    for image in about:
        if image not in labels.given or image in labels.sealed:
            (sealed if image in labels.sealed else unknown).append(image)
            continue
        rows = {person: decisions[image] for person, decisions in said.items() if image in decisions}
        rows = {person: row for person, row in rows.items() if row.decision != "undo"}
        shown = {labels.given[image], labels.now.get(image, labels.given[image])}
        if any(row.label not in ("", *shown) for row in rows.values()):
            stale.append(image)
            continue
        answers = {
            person: _answer(row, wanted, labels.now.get(image, labels.given[image]))
            for person, row in rows.items()
            if row.decision != "unsure"
        }
        if len(set(answers.values())) > 1:
            disagreements.append(Disagreement(image, answers))
        elif answers:
            agreed[image] = next(iter(answers.values())), ", ".join(sorted(answers))
        elif rows:
            unsure.append(image)
    settled = {*about} - {*unknown, *sealed, *stale}
    after = _written(before, agreed, labels, settled, name)
    counts = {
        "n_relabelled": sum(answer not in (LEFT_OUT, labels.given[image]) for image, (answer, _) in agreed.items()),
        "n_excluded": sum(answer == LEFT_OUT for answer, _ in agreed.values()),
        "n_kept": sum(answer == labels.given[image] for image, (answer, _) in agreed.items()),
        "n_unsure": len(unsure),
        "disagreements": tuple(disagreements),
        "stale": tuple(stale),
        "unknown": tuple(unknown),
        "sealed": tuple(sealed),
    }
    return counts, after


def _answer(row: Reviewed, wanted: Mapping[str, str], now: str) -> str:
    """Return the label that a person wants a photograph to have."""
    if row.decision == "exclude":
        return LEFT_OUT
    return wanted[row.new_label] if row.decision == "relabel" else row.label or now


def _written(
    before: Adjustments,
    agreed: Mapping[str, tuple[str, str]],
    labels: _Labels,
    settled: set[str],
    name: str,
) -> Adjustments:
    """Return what was decided before, with the decisions of this review in the place of earlier ones."""

    def others(entries: Sequence[Any]) -> list[Any]:
        kept = []
        for entry in entries:
            left = tuple(image for image in entry.images if entry.finding != REVIEW or image not in settled)
            if left or not entry.images:
                kept.append(entry.model_copy(update={"images": left}))
        return kept

    together: dict[tuple[str, str, str], list[str]] = {}
    for image, (answer, people) in agreed.items():
        together.setdefault((labels.given[image], answer, people), []).append(image)
    excluded, relabelled, kept = others(before.excluded), others(before.relabelled), others(before.kept)
    for (was, answer, people), images in together.items():
        those, why = tuple(sorted(images)), f"said by {people}"
        if answer == LEFT_OUT:
            excluded.append(Exclusion(images=those, finding=REVIEW, why=why))
        elif answer != was:
            relabelled.append(Relabelling(images=those, was=was, label=answer, finding=REVIEW, why=why))
        else:
            kept.append(Accepted(images=those, finding=REVIEW, why=why))
    return before.model_copy(
        update={
            "excluded": _joined(excluded),
            "relabelled": _joined(relabelled),
            "kept": _joined(kept),
            "data": name,
        }
    )


def _joined(entries: Sequence[Any]) -> tuple[Any, ...]:
    """Return entries with those of a review that differ in their images only as one, in a stable order."""
    found: dict[Any, Any] = {}
    for number, entry in enumerate(entries):
        key = (entry.model_copy(update={"images": ()}), -1 if entry.finding == REVIEW else number)
        if key in found:
            images = tuple(sorted({*found[key].images, *entry.images}))
            found[key] = entry.model_copy(update={"images": images})
        else:
            found[key] = entry
    own = [entry for entry in found.values() if entry.finding == REVIEW]
    own.sort(key=lambda entry: entry.images)
    return (*(entry for entry in found.values() if entry.finding != REVIEW), *own)


def _check_classes_stay(after: Adjustments, labels: _Labels, *, several: bool) -> None:
    """Refuse decisions that leave a class without any photograph outside test."""
    from imgcls.data.samples import SEPARATOR

    def there(of: Mapping[str, str]) -> set[str]:
        return {part for label in of.values() for part in (label.split(SEPARATOR) if several else [label]) if part}

    outside = {image: label for image, label in labels.given.items() if image not in labels.sealed}
    now = dict(outside)
    for change in after.relabelled:
        now |= {image: change.label for image in change.images if now.get(image) == change.was}
    for gone in after.excluded:
        for image in gone.images:
            now.pop(image, None)
    if emptied := sorted(there(outside) - there(now)):
        raise UsageError(
            f"These decisions would leave no photograph of {listed(map(repr, emptied))}, so nothing was applied."
        )
