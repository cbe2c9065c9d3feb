"""Views on the terminal and on pages: what more of them score, which photographs change, and what may be claimed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from imgcls.config.metrics import Units
from imgcls.evidence.verdicts import FOR_THIS_MODEL
from imgcls.ladders.results import GainRecord, ViewChange, ViewsRecord
from imgcls.reports.climb import Claim, claim_of
from imgcls.reports.console import NamedRows, count, name
from imgcls.reports.ladder import section
from imgcls.text import clean

_MOST_SHOWN = 10


@dataclass(frozen=True)
class ViewsView:
    """What views of one network are worth."""

    record: ViewsRecord
    """What was found."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the curve, the claim, the photographs that changed, and the next command."""
        record, units = self.record, Units(self.record.metric)
        yield Text(f"{len(record.curve)} views ({record.kind}) of", style="bold")
        yield name(record.run)
        yield Text("")
        titles = ("views", units.title, "95 % interval", "gain over one view", "interval of that")
        yield NamedRows(
            titles, [tuple(map(Text, row)) for row in curve_rows(record)], numbers=frozenset(("views", units.title))
        )
        if (claim := claim_about(record)) is not None:
            yield Text(f"\n{claim.over}: ").append(claim.verdict, style=claim.style).append(claim.gain)
        yield from _listed("fixes", record.fixed)
        yield from _listed("breaks", record.broken)
        yield from section("Notes", [clean(note) for note in notes_of(record)])
        if record.chosen > 1:
            yield from section("Next", [next_step(record)])


def curve_rows(record: ViewsRecord) -> list[tuple[str, str, str, str, str]]:
    """Return views, score, its interval, gain over one view and its interval, as tables show them."""
    units = Units(record.metric)

    def between(gain: GainRecord | None) -> str:
        return "" if gain is None or gain.low is None or gain.high is None else units.interval(gain.low, gain.high)

    return [
        (
            str(step.n_views),
            units.score(step.score.value),
            units.score_interval(step.score.low, step.score.high),
            "" if step.gain is None else units.gain(step.gain.value),
            between(step.gain),
        )
        for step in record.curve
    ]


def score_title(record: ViewsRecord) -> str:
    """Return the name of what views are scored by, as it heads a column."""
    return Units(record.metric).title


def claim_about(record: ViewsRecord) -> Claim | None:
    """Return what may be claimed of a number of views; None where none could be judged on what did not choose it."""
    if record.gain is None:
        return None
    return claim_of(
        record.gain,
        f"As many views as four fifths choose ({chosen_text(record)}), on the fifth, over one",
        Units(record.metric),
    )


def chosen_text(record: ViewsRecord) -> str:
    """Return the numbers of views that the parts chose, each once: `4, 6`."""
    return ", ".join(map(str, sorted(set(record.chosen_by_part))))


def notes_of(record: ViewsRecord) -> list[str]:
    """Return what a person should know of the curve and of the claim."""
    best = f"All photographs together choose {count(record.chosen, 'view')}; that choice saw what it is scored on."
    found = [best, *record.notes, "No gain in the table is a verdict: each was looked at beside the others."]
    if record.gain is not None:
        found.append("What is claimed is about exactly this network, on new photographs like these.")
        found += [remark for remark in record.gain.remarks if remark != FOR_THIS_MODEL]
    return found


def next_step(record: ViewsRecord) -> str:
    """Return the command that makes the number of views that was chosen part of a stack."""
    steps = [step for step in record.stack.split("+") if not step.startswith("tta")]
    if record.kind == "augmented":
        steps.append(f"tta:views={record.chosen}")
        by_hand = ""
    else:
        by_hand = f" --set predict.views={record.chosen} --set predict.view_kind={record.kind}"
    return f"imgcls recipe run {'+'.join(steps)}{by_hand}    # with the same options; trains nothing"


def _listed(what: str, changes: Sequence[ViewChange]) -> RenderResult:
    if not changes:
        return
    yield Text(f"\n{count(len(changes), 'photograph')} that averaging all views {what}", style="bold")
    yield NamedRows(
        ("photograph", "label", "one view", "all views"),
        [(name(one.id), name(one.label), name(one.before), name(one.after)) for one in changes[:_MOST_SHOWN]],
    )
    if len(changes) > _MOST_SHOWN:
        yield Text(f"… and {len(changes) - _MOST_SHOWN} more; --json lists all.", style="dim")
