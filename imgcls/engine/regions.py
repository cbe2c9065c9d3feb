"""Whether one region of the pictures decides what a run answers, such as a mark in a corner."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import product

import numpy as np

from imgcls.engine.device import Machine
from imgcls.engine.explain import METHOD, explain_files, explainable, validated_photographs
from imgcls.engine.predictor import Classifier, load
from imgcls.engine.seeding import generator, keyed_seed
from imgcls.errors import RecordError
from imgcls.evidence.regions import WINDOW, Shared, shared_region
from imgcls.records.regions import RegionReport
from imgcls.records.run import RunRecord
from imgcls.workspace import Workspace

N_SAMPLED = 64
"""The photographs of validation whose maps tell whether one region decides."""
_APART = 0.75
"""How far another region lies from the one that maps share, as a share of the side of a region."""


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
    answered = _Answered(classifier, np.stack([one.pixels for one in found]))
    report = RegionReport(
        run=record.id,
        key=record.key,
        n=len(found),
        top=region.top,
        left=region.left,
        side=WINDOW,
        share=region.share,
        expected=region.expected,
        followed=answered.followed(region.top, region.left),
        elsewhere=answered.elsewhere(region),
        layer=found[0].maps[0].layer,
        method=METHOD,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return replace(report, file=report.write(workspace))


@dataclass(frozen=True)
class _Answered:
    """Photographs with what the network answers of them."""

    classifier: Classifier
    pixels: np.ndarray
    """uint8 [n, size, size, 3]."""

    @cached_property
    def answers(self) -> np.ndarray:
        """The class with the highest probability, int64 [n]."""
        return self.classifier.probabilities(list(self.pixels)).argmax(axis=1)

    def followed(self, top: float, left: float) -> float | None:
        """Return how many answers follow a region into the next photograph that is answered otherwise, as a share."""
        size = self.pixels.shape[1]
        rows, columns = (slice(round(edge * size), round((edge + WINDOW) * size)) for edge in (top, left))
        mixed, wanted = [], []
        for row, answer in enumerate(self.answers):
            others = np.flatnonzero(np.roll(self.answers, -row) != answer)
            if len(others):
                image = self.pixels[(row + others[0]) % len(self.pixels)].copy()
                image[rows, columns] = self.pixels[row, rows, columns]
                mixed.append(image)
                wanted.append(answer)
        if not mixed:
            return None
        return float(np.mean(self.classifier.probabilities(mixed).argmax(axis=1) == np.array(wanted)))

    def elsewhere(self, region: Shared) -> float | None:
        """Return the most answers that follow any other region, of nine that cover the picture, far enough from it."""
        edges = (0.0, (1 - WINDOW) / 2, 1 - WINDOW)
        shares = [
            self.followed(top, left)
            for top, left in product(edges, edges)
            if max(abs(top - region.top), abs(left - region.left)) >= _APART * WINDOW
        ]
        return max((share for share in shares if share is not None), default=None)
