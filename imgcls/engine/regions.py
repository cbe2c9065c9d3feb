"""Whether one region of the pictures decides what a run answers, such as a mark in a corner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import numpy as np

from imgcls.engine.device import Machine
from imgcls.engine.explain import METHOD, explain_files, explainable, validated_photographs
from imgcls.engine.predictor import Classifier, load
from imgcls.engine.seeding import generator, keyed_seed
from imgcls.errors import RecordError
from imgcls.evidence.regions import WINDOW, Shared, shared_region
from imgcls.predictions.heat_maps import Explanation
from imgcls.records.regions import RegionReport
from imgcls.records.run import RunRecord
from imgcls.workspace import Workspace

N_SAMPLED = 64
"""The photographs of validation whose maps tell whether one region decides."""


def look_at_regions(
    record: RunRecord, workspace: Workspace, *, layer: str | None = None, machine: Machine | None = None
) -> RegionReport:
    """Find out whether one region of the pictures decides what a run answers, and keep it for the checklist.

    The maps of at most 64 photographs of validation say which region they share. It is then put into photographs that
    are answered otherwise, and so are regions elsewhere: where it decides, answers go where it goes.

    Args:
        record: The run.
        workspace: Where it lies; its reports take the file.
        layer: The name of a layer; None chooses.
        machine: Where it is to run.

    Raises:
        RecordError: Its weights are gone, or nobody knows where its photographs are.
        UsageError: No layer can be chosen, or TorchCAM is missing.
    """
    known = validated_photographs(explainable(record, workspace), workspace)
    names = sorted(known, key=lambda name: keyed_seed(record.seed, "explain", name))[:N_SAMPLED]
    classifier = load(record, machine=machine)
    found, reasons = explain_files(classifier, {name: (known[name][0], "") for name in names}, layer=layer)
    if not found:
        raise RecordError(
            f"No photograph that validated {record.id} can be read: {next(iter(reasons.values()), 'none')}"
        )
    maps = np.stack([one.maps[0].values for one in found])
    region = shared_region(maps, generator=generator(record.seed, "explain", "moves"))
    report = RegionReport(
        run=record.id,
        key=record.key,
        n=len(found),
        top=region.top,
        left=region.left,
        side=WINDOW,
        share=region.share,
        expected=region.expected,
        followed=_followed(classifier, found, region.top, region.left),
        elsewhere=_elsewhere(classifier, found, region),
        layer=found[0].maps[0].layer,
        method=METHOD,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return replace(report, file=report.write(workspace))


def _followed(classifier: Classifier, found: Sequence[Explanation], top: float, left: float) -> float | None:
    """Return how many answers follow a region of a photograph into the next one that is answered otherwise."""
    size = found[0].pixels.shape[0]
    rows, columns = (slice(round(edge * size), round((edge + WINDOW) * size)) for edge in (top, left))
    answers, mixed, wanted = [one.maps[0].class_name for one in found], [], []
    for row, one in enumerate(found):
        others = [*range(row + 1, len(found)), *range(row)]
        other = next((place for place in others if answers[place] != answers[row]), None)
        if other is not None:
            image = found[other].pixels.copy()
            image[rows, columns] = one.pixels[rows, columns]
            mixed.append(image)
            wanted.append(classifier.classes.index(answers[row]))
    if not mixed:
        return None
    return float(np.mean(classifier.probabilities(mixed).argmax(axis=1) == np.array(wanted)))


def _elsewhere(classifier: Classifier, found: Sequence[Explanation], region: Shared) -> float | None:
    """Return the most answers that follow any other region, of nine that cover the picture and do not touch it."""
    edges = (0.0, (1 - WINDOW) / 2, 1 - WINDOW)
    others = [
        (top, left)
        for top, left in product(edges, edges)
        if max(abs(top - region.top), abs(left - region.left)) >= 0.75 * WINDOW
    ]
    shares = [_followed(classifier, found, top, left) for top, left in others]
    return max((share for share in shares if share is not None), default=None)
