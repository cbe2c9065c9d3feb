"""Samples with what findings.toml says: some left out, some kept together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from imgcls.data.samples import Samples
from imgcls.data.units import named
from imgcls.errors import ProblemError
from imgcls.problem.adjustments import FINDINGS_TOML, Adjustments, Grouping, written

_PREFIX = "findings:"


def adjusted(samples: Samples, adjustments: Adjustments) -> Samples:
    """Leave out and keep together what was decided; the samples keep their order and their splits.

    A group that is there already is joined by those it is grouped with. Images that are not there
    any more are told in a note.

    Args:
        samples: As they were read, or split already.
        adjustments: What was decided.

    Raises:
        ProblemError: It was decided about another data set, whose ids may be the same.
    """
    if not adjustments.excluded and not adjustments.grouped:
        return samples
    if adjustments.data is not None and written(samples.name) != adjustments.data:
        raise ProblemError(
            f"{FINDINGS_TOML} was decided about {adjustments.data!r}, and these data are {samples.name!r}. A workspace "
            f"holds one data set: take another folder (--out). If they are the same data under another name, correct "
            f"the line that begins with 'data =' in {FINDINGS_TOML}."
        )
    ids = [written(name) for name in samples.frame["id"]]
    rows = {name: row for row, name in enumerate(ids)}
    reasons = {
        rows[image]: f"{entry.finding}: {entry.why}"
        for entry in reversed(adjustments.excluded)  # where several name an image, the first one counts
        for image in entry.images
        if image in rows
    }
    groups = _joined(samples.frame, ids, adjustments.grouped, rows=rows)
    frame = samples.frame.assign(group=pd.Series(groups, index=samples.frame.index, dtype=object))
    notes = _notes(samples, adjustments, known=set(rows), n_excluded=len(reasons))
    return replace(samples, frame=frame, notes=(*samples.notes, *notes)).without_rows(reasons)


def _joined(frame: pd.DataFrame, ids: Sequence[str], grouped: Sequence[Grouping], *, rows: dict[str, int]) -> list[str]:
    """Give the group of each sample, [n]: groups that are there, joined by what is to stay together."""
    links = [(rows[image], number) for number, entry in enumerate(grouped) for image in entry.images if image in rows]
    before: list[str] = frame["group"].tolist()
    if not links:
        return before
    parts = _parts(before, links, n_links=len(grouped))
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


def _parts(groups: Sequence[str], links: Sequence[tuple[int, int]], *, n_links: int) -> npt.NDArray[np.int64]:
    """Number what hangs together, by group or by link, int64 [n]."""
    n_rows = len(groups)
    codes = pd.factorize(pd.Series(groups, dtype=object).replace("", None))[0]
    inside = np.flatnonzero(codes >= 0)
    pairs = np.array(links, dtype=np.int64)
    ends = (
        np.concatenate([inside, pairs[:, 0]]),
        n_rows + np.concatenate([codes[inside] + n_links, pairs[:, 1]]),
    )
    n_nodes = n_rows + n_links + int(codes.max(initial=-1)) + 1
    graph = coo_array((np.ones(len(ends[0]), dtype=np.int8), ends), shape=(n_nodes, n_nodes))
    return np.asarray(connected_components(graph, directed=False)[1][:n_rows], dtype=np.int64)


def _notes(samples: Samples, adjustments: Adjustments, *, known: set[str], n_excluded: int) -> list[str]:
    """Say what findings.toml did, and which of its images are not there any more."""
    notes = []
    grouped = {image for entry in adjustments.grouped for image in entry.images}
    wanted = {image for entry in adjustments.excluded for image in entry.images} | grouped
    n_grouped = len(grouped & known)
    told = [f"leaves out {n_excluded} of {len(samples)} samples"] if n_excluded else []
    told += [f"keeps {n_grouped} together in groups"] if n_grouped else []
    if told:
        notes.append(f"{FINDINGS_TOML} {' and '.join(told)}.")
    if missing := sorted(wanted - known):
        notes.append(f"{FINDINGS_TOML} names {len(missing)} samples that are not there any more: {named(missing)}.")
    return notes
