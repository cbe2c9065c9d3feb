"""What a ladder tells while it is climbed, and to whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from imgcls.ladders.job import JobResult
from imgcls.ladders.spec import Ladder
from imgcls.ladders.state import LadderState


class Watcher(Protocol):
    """Whoever wants to know how a ladder goes."""

    def note(self, text: str) -> None:
        """Say a sentence."""

    def planned(self, ladder: Ladder, forecast_sentences: Sequence[str]) -> None:
        """Begin: the jobs are known, and about how long they will take."""

    def job_done(self, result: JobResult, state: LadderState) -> None:
        """A job came to its end, whether well or not; the state has it counted."""

    def stop(self) -> None:
        """The ladder is over, whether well or not; may be told twice."""


class Silent:
    """A watcher that says nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def planned(self, ladder: Ladder, forecast_sentences: Sequence[str]) -> None:
        """Say nothing."""

    def job_done(self, result: JobResult, state: LadderState) -> None:
        """Say nothing."""

    def stop(self) -> None:
        """Say nothing."""
