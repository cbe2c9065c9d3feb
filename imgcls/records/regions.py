"""What the heat maps of a run say together: `reports/explain/<run>.json`, read without torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from imgcls.records.run import RunId, RunRecord, in_utc
from imgcls.schema import NOT_IN_FILE, read_as, to_json
from imgcls.storage import make_folder, write_json
from imgcls.workspace import Workspace

SCHEMA = 1
_FOLDER = "explain"
ROWS, COLUMNS = ("upper", "", "lower"), ("left", "", "right")
_SHARED = 1 / 3
_FOLLOWED = 1 / 4


@dataclass(frozen=True)
class RegionReport:
    """Whether one region of the pictures decides what a run answers."""

    run: RunId
    """The id of the run."""
    key: str
    """Its key."""
    n: int
    """The photographs of validation that were looked at."""
    top: float
    """The upper edge of the region that most maps share, as a share of the height."""
    left: float
    """Its left edge, as a share of the width."""
    side: float
    """Its side, as a share of that of the picture."""
    share: float
    """The share of maps with more than half of their mass in it."""
    expected: float
    """That share where every map is moved to a place drawn by chance."""
    followed: float | None
    """Where the region is put into a photograph that is answered otherwise: the share of answers that become that of
    the region. None where all photographs have the same answer."""
    elsewhere: float | None
    """The same for regions of that size that do not touch it: the largest of their shares."""
    layer: str
    """The layer of the maps."""
    method: str
    """Their method."""
    created: Annotated[str, in_utc]
    """When it was made: UTC, ISO 8601."""
    file: Path | None = field(default=None, compare=False, metadata=NOT_IN_FILE)
    """Where it lies; not part of what is written."""

    @property
    def one_decides(self) -> bool:
        """Whether one region decides.

        A third of the maps have most of their mass there, twice as many as by chance; and answers go where it goes: a
        quarter of them at least, and twice as many as with any region elsewhere. More is not asked, since a network
        that answers some photographs by what they show, or wrongly, is still one that a mark misleads.
        """
        if self.followed is None or self.elsewhere is None:
            return False
        is_shared = self.share > max(_SHARED, 2 * self.expected)
        return is_shared and self.followed > max(_FOLLOWED, 2 * self.elsewhere)

    @property
    def where(self) -> str:
        """Where the region is: `upper left`, `middle`, `lower`."""
        middle = self.top + self.side / 2, self.left + self.side / 2
        row, column = (names[1 + (at > 0.6) - (at < 0.4)] for names, at in zip((ROWS, COLUMNS), middle, strict=True))
        return place_name(row, column)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"schema": SCHEMA, **to_json(self), "one_decides": self.one_decides, "where": self.where}

    def write(self, workspace: Workspace) -> Path:
        """Keep it in place of what was kept of the run, and return the file."""
        path = _path(self.run, workspace)
        make_folder(path.parent)
        write_json(path, {"schema": SCHEMA, **to_json(self)})
        return path


def place_name(row: str, column: str) -> str:
    """Return what a place of a picture is called, by its row and its column, of which either may be empty."""
    return f"{row} {column}".strip() or "middle"


def read_regions(run: RunRecord, workspace: Workspace) -> RegionReport | None:
    """Read what is kept of a run; None where nobody looked, or at another training of that name.

    Raises:
        RecordError: It is damaged, or a newer imgcls wrote it.
    """
    path = _path(run.id, workspace)
    if not path.exists():
        return None
    found = read_as(RegionReport, path, schema=SCHEMA, remedy=f"'imgcls explain {run.id}' writes it again.")
    return found if found.key == run.key else None


def _path(run: str, workspace: Workspace) -> Path:
    return workspace.reports / _FOLDER / f"{run}.json"
