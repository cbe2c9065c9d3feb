"""Label suspects: photographs whose label may be wrong, the ones to look at first, kept in `reports/suspects.json`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from imgcls.config.findings import Adjustments
from imgcls.eda.facts import Facts, Pair
from imgcls.errors import RecordError
from imgcls.records.blend import BlendRecord, find_predictor
from imgcls.records.run import RunId, RunRecord, in_utc
from imgcls.schema import NOT_IN_FILE, one_of, read_as, to_json
from imgcls.storage import make_folder, write_json
from imgcls.text import Viewed, as_utf8
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
SUSPECTS_JSON = "suspects.json"
SUSPECT = "labels.suspect"
"""The finding."""
Reason = Literal["copies", "prediction"]
"""Why a label is doubted: a copy of the photograph has another one, or networks that did not learn it speak against."""


@dataclass(frozen=True)
class Suspect:
    """A photograph whose label may be wrong."""

    image: str
    """The id of the sample."""
    label: str
    """Its label."""
    looks_like: str
    """The label that it looks like, in the same form."""
    p_label: float
    """The probability of its label out of fold; with several labels that of the one that is doubted most."""
    p_looks_like: float
    """The probability of what it looks like instead."""
    reason: Annotated[Reason, one_of("copies", "prediction")]
    """Why it is doubted."""
    copy: str
    """The id of the copy with another label; empty without."""


@dataclass(frozen=True)
class Suspects(Viewed):
    """What a run says of the labels of the photographs that it saw out of fold."""

    VIEW: ClassVar[str] = "imgcls.reports.suspects:SuspectsView"
    """The renderable that shows it."""

    run: RunId
    """The id of the run or blend."""
    data_digest: str
    """Of the data that it was trained on."""
    n: int
    """The photographs that it saw; none of the sealed test."""
    suspects: tuple[Suspect, ...]
    """Copies under two labels first, then the labels with the lowest probability."""
    created: Annotated[str, in_utc]
    """When it was made: UTC, ISO 8601."""
    file: Path | None = field(default=None, compare=False, metadata=NOT_IN_FILE)
    """Where it lies; not part of what is written."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"schema": SCHEMA, **to_json(self)}

    def frame(self) -> pd.DataFrame:
        """Return the suspects as a frame, one row each, in their order."""
        import pandas as pd

        return pd.DataFrame(to_json(self)["suspects"], columns=list(Suspect.__dataclass_fields__))

    def left(self, adjustments: Adjustments) -> tuple[Suspect, ...]:
        """Return those that nobody has decided about.

        Args:
            adjustments: What findings.toml holds.
        """
        settled = {*adjustments.looked_at, *(image for entry in adjustments.excluded for image in entry.images)}
        settled |= {image for entry in adjustments.kept if entry.finding == SUSPECT for image in entry.images}
        return tuple(one for one in self.suspects if one.image not in settled)


def suspects(run: RunRecord | BlendRecord | str, *, workspace: Workspace | Path | str | None = None) -> Suspects:
    """Find photographs whose label may be wrong, rank them, and keep the list for `imgcls eda` and the checklist.

    The networks of folds speak about the photographs that they did not train on; see
    `imgcls.evidence.suspects.label_doubts`. Of copies under two labels, which `imgcls eda` finds, the one whose label
    has the lower probability is listed, before all others. A suspect is a photograph to look at, not an error: on
    hard data many are right.

    Args:
        run: A joint record of folds, or a blend of such: its record, its id, or the beginning of its id.
        workspace: Where the records lie; the one of the current folder when None.

    Raises:
        UsageError: There are no predictions out of fold, or cleanlab is not installed.
        RecordError: There is no such run, or its predictions are damaged.

    Example:
        >>> imgcls.suspects("baseline-s0-oof5-1a2b3c4d").suspects[0].looks_like  # doctest: +SKIP
        'pants'
    """
    from imgcls.data.samples import NO_CLASS, SEPARATOR
    from imgcls.evidence.suspects import label_doubts
    from imgcls.evidence.validated import Validated

    place = workspace if isinstance(workspace, Workspace) else Workspace.find(Path(workspace) if workspace else None)
    record = find_predictor(run, place) if isinstance(run, str) else run
    images = Validated.of(record)
    doubts, ids = label_doubts(images), [as_utf8(name) for name in images.ids]

    def suspect(row: int, reason: Reason, copy: str = "") -> Suspect:
        classes = [name for name, has in zip(images.classes, doubts.other[row], strict=True) if has]
        return Suspect(
            image=ids[row],
            label=images.labels[row],
            looks_like=SEPARATOR.join(classes) or NO_CLASS,
            p_label=float(doubts.of_label[row]),
            p_looks_like=float(doubts.of_other[row]),
            reason=reason,
            copy=copy,
        )

    row_of = {name: row for row, name in enumerate(ids)}
    copies = dict[str, Suspect]()
    for pair in _conflicts(record, place):
        if pair.first in row_of and pair.second in row_of:
            doubted, other = sorted((pair.first, pair.second), key=lambda name: doubts.of_label[row_of[name]])
            copies.setdefault(doubted, suspect(row_of[doubted], "copies", other))
    others = [suspect(int(row), "prediction") for row in doubts.rows if ids[row] not in copies]
    found = Suspects(
        run=record.id,
        data_digest=record.data.digest,
        n=images.n,
        suspects=(*sorted(copies.values(), key=lambda one: one.p_label), *others),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        file=place.reports / SUSPECTS_JSON,
    )
    make_folder(place.reports)
    write_json(place.reports / SUSPECTS_JSON, found.to_json())
    return found


def read_suspects(workspace: Workspace) -> Suspects | None:
    """Read the list that was kept last; None where there is none.

    Raises:
        RecordError: It is damaged, or a newer imgcls wrote it.
    """
    path = workspace.reports / SUSPECTS_JSON
    if not path.exists():
        return None
    return read_as(Suspects, path, schema=SCHEMA, remedy="'imgcls runs suspects RUN' writes it again.")


def _conflicts(record: RunRecord | BlendRecord, workspace: Workspace) -> tuple[Pair, ...]:
    """Return the copies under two labels, the worst first; none where nobody looked for copies."""
    with suppress(RecordError):
        facts = Facts.read(workspace.reports)
        if facts.data.name == as_utf8(record.data.name):
            return tuple(pair for pair in facts.worst_pairs if pair.is_conflict)
    return ()
