"""A blend on the terminal: its members, what they score alone and together, and what may be claimed of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from imgcls.config.metrics import Units
from imgcls.evidence.verdicts import FOR_THIS_MODEL
from imgcls.ladders.results import Blend
from imgcls.predictions.blending import MEANINGS
from imgcls.records.blend import BlendRecord
from imgcls.records.run import Estimate, RunRecord
from imgcls.reports.climb import claim_of
from imgcls.reports.console import NamedRows, count, name
from imgcls.reports.console import path as path_text
from imgcls.reports.ladder import section
from imgcls.reports.runs import by_class
from imgcls.reports.verdict_text import scored_on
from imgcls.text import clean

if TYPE_CHECKING:
    from imgcls.evidence.per_class import ValidationDetail


@dataclass(frozen=True)
class BlendView:
    """What was blended, and whether that is better than the best of it alone."""

    blend: Blend
    """The blend."""
    detail: ValidationDetail | None = None
    """What its predictions tell class by class; None where they are not shown."""
    verified: bool = False
    """Whether its files were compared with their digests."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw members and blend, the claim, and what can be done with it."""
        record, units = self.blend.record, Units(self.blend.record.metric)
        what = count(len(record.members), "member")
        yield Text(f"{what} blended: {MEANINGS[record.way]}", style="bold")
        if (stack := self._only_stack) is not None:
            yield name(stack)
        if record.folder is not None:
            yield path_text(record.folder)
        yield Text("")
        yield self._table(units)
        verdict = self.blend.verdict
        if verdict is None:
            yield Text(
                "\nAll the data trained them, so that none is left to judge them on. What stands for their score:"
            )
            yield from (Text(f"  {judged}", no_wrap=True, overflow="ignore") for judged in record.judged_by or ())
        else:
            claim = claim_of(verdict.gain, "Over the best of them alone", units)
            yield Text(f"\n{claim.over}: ").append(claim.verdict, style=claim.style).append(claim.gain)
        if self.detail is not None:
            yield from by_class(self.detail)
        if self.verified:
            yield Text(f"\nFiles: {', '.join(record.files)}, all as recorded")
        yield from section("Notes", [clean(note) for note in notes_of(self.blend)])
        yield from section("Next", next_steps(record))

    @property
    def _only_stack(self) -> str | None:
        """The stack of all members; None where there are several."""
        stacks = {member.label for member in self.blend.record.members}
        return stacks.pop() if len(stacks) == 1 else None

    def _table(self, units: Units) -> NamedRows:
        record, rows = self.blend.record, []
        for member in record.members:
            folds = f", {len(member.runs)} folds" if record.n_folds else ""
            label = name(f"{'' if self._only_stack else f'{member.label}, '}seed {member.seed}{folds}")
            rows.append((label, Text(f"{member.weight:.2f}"), *_score(member.score, units)))
        if self.blend.verdict is None:
            return NamedRows(("member", "share"), [row[:2] for row in rows], numbers=frozenset({"share"}))
        rows.append((Text("all together", "bold"), Text(""), *_score(self.blend.score, units)))
        titles = ("member", "share", units.title, "95 % interval")
        return NamedRows(titles, rows, numbers=frozenset(("share", units.title)))


def notes_of(blend: Blend) -> list[str]:
    """Return what a person should know of a blend and of its verdict."""
    remarks = () if blend.verdict is None else blend.verdict.gain.remarks
    return [*blend.record.notes, *(remark for remark in remarks if remark != FOR_THIS_MODEL)]


def next_steps(record: RunRecord | BlendRecord) -> list[str]:
    """Return the commands that use a run or a blend."""
    steps = [f"imgcls predict {record.id} PHOTO …"]
    return [*steps, f"imgcls submit {record.id}"] if "test.parquet" in record.files else steps


def on_images(blend: Blend) -> str:
    """Describe what a blend was scored on."""
    data, n_folds = blend.record.data, blend.record.n_folds
    return f"Scored on {scored_on(blend.score.n, data.n_valid_groups, n_folds, data=data.name)}"


def _score(estimate: Estimate, units: Units) -> tuple[Text, Text]:
    return Text(units.score(estimate.value)), Text(units.score_interval(estimate.low, estimate.high))
