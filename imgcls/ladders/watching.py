"""Who is told how a ladder goes."""

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
        """Tell what is about to begin, what it will cost and what it will be able to see."""

    def job_done(self, result: JobResult, state: LadderState) -> None:
        """Tell that a job was done, or failed."""

    def stop(self) -> None:
        """The work is over, whether well or not."""


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
