"""Facts on a terminal: what there is, and at the end, where the prompt comes up, what asks for action."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from imgcls.eda.facts import ClassFacts, Facts, Finding
from imgcls.reports import facts_words as words
from imgcls.reports.text import clean, count, name

MOST_CLASSES = 12
"""Classes with a bar each; of more, the most frequent and the rarest have one."""
_N_RAREST = 4
_ROOMY, _NARROW, _LEAST_NAME = 60, 34, 6
_MOST_FILES, _MOST_EXAMPLES, _MOST_LISTED = 8, 2, 3
_STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}
_COLOURS = {"train": "blue", "valid": "yellow"}
_EIGHTHS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True)
class FactsView:
    """What a person sees when data were looked at.

    Findings stand last: what scrolls away is what can be looked up again on the page, and what is still in sight when
    the prompt comes back is what has to be done.
    """

    facts: Facts
    """What was measured."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the data, the files, the classes, one line for each further fact, and the findings."""
        facts, is_ascii = self.facts, options.ascii_only
        yield Text(f"{clean(facts.data.name)}: {clean(words.data_sentence(facts))}", style="bold")
        yield Text(clean(words.split_sentence(facts)))
        n_open = len(facts.open_findings)
        yield Text(words.state_sentence(facts) + (" They are at the end." if n_open > 1 else ""), style="dim")
        yield from _files(facts, width=options.max_width)
        yield from _classes(facts, width=options.max_width, is_ascii=is_ascii)
        yield Text()
        yield _measures(facts)
        yield from _findings(facts, is_ascii=is_ascii)


def bar(share: float, width: int, *, is_ascii: bool = False) -> str:
    """Draw a share in [0, 1] as a bar of at most so many characters; whatever is above 0 can be seen."""
    if is_ascii:
        return "#" * max(round(share * width), int(share > 0))
    n_eighths = max(round(8 * share * width), int(share > 0))
    return "█" * (n_eighths // 8) + (_EIGHTHS[n_eighths % 8] if n_eighths % 8 else "")


def _files(facts: Facts, *, width: int) -> Iterator[RenderableType]:
    if not facts.files:  # as of a frame
        return
    yield Text("\nFiles", style="bold")
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold", min_width=_LEAST_NAME if width < _NARROW else None)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    if width >= _ROOMY:
        table.add_column(style="dim", overflow="fold")
    for entry in facts.files[:_MOST_FILES]:
        table.add_row(name(entry.path), f"{entry.n:,}", entry.role, *([name(entry.note)] if width >= _ROOMY else []))
    yield Padding(table, (0, 0, 0, 2))
    if len(facts.files) > _MOST_FILES:
        yield Text(f"  and {len(facts.files) - _MOST_FILES:,} more", style="dim")


def _classes(facts: Facts, *, width: int, is_ascii: bool) -> Iterator[RenderableType]:
    """Draw how often classes occur: each split to its own scale, so that their shapes can be compared."""
    yield Text("\nClasses", style="bold")
    splits = [split for split in ("train", "valid") if any(entry.n.get(split) for entry in facts.classes)]
    most = {split: max(entry.n.get(split, 0) for entry in facts.classes) for split in splits}
    name_width = max(10, min(28, width // 4))
    bar_width = max(3, min(24, (width - name_width - 4) // max(1, len(splits)) - 11))
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="dim")
    least = _LEAST_NAME if width < _NARROW else None
    table.add_column(no_wrap=True, overflow="ellipsis", min_width=least, max_width=name_width)
    for split in splits:
        table.add_column(split, justify="right", no_wrap=True)
        if width >= _NARROW:
            table.add_column(no_wrap=True, min_width=bar_width)
    for entry in _shown_classes(facts):
        if entry is None:
            n_between = len(facts.classes) - MOST_CLASSES
            table.add_row(Text(f"{n_between:,} between", style="dim"))
            continue
        cells = ((f"{entry.n.get(split, 0):,}", entry.n.get(split, 0) / most[split], split) for split in splits)
        drawn = (
            (n, Text(bar(share, bar_width, is_ascii=is_ascii), style=_COLOURS[split])) for n, share, split in cells
        )
        label = Text(clean(entry.name), no_wrap=True, overflow="ellipsis")
        table.add_row(label, *(cell for pair in drawn for cell in pair[: 1 + (width >= _NARROW)]))
    yield Padding(table, (0, 0, 0, 2))
    yield Padding(Text(clean(facts.imbalance.meaning)), (0, 0, 0, 2))


def _shown_classes(facts: Facts) -> list[ClassFacts | None]:
    """Give the classes in their order where they are few; else the most frequent, None, and the rarest."""
    if len(facts.classes) <= MOST_CLASSES:
        return list(facts.classes)
    ordered = words.by_frequency(facts)
    return [*ordered[: MOST_CLASSES - _N_RAREST], None, *ordered[-_N_RAREST:]]


def _measures(facts: Facts) -> Table:
    """Draw one line for each further fact."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for title, lines in _lines(facts).items():
        for place, line in enumerate(lines):
            grid.add_row("" if place else title, name(line))
    return grid


def _lines(facts: Facts) -> dict[str, list[str]]:
    lines = {"Sizes": words.sizes_sentences(facts), "Light": [words.light_sentence(facts)]}
    if facts.drift:
        lines["Drift"] = _few(words.drift_sentences(facts))
    if facts.guesses:
        ordered = sorted(facts.guesses, key=lambda entry: -entry.auc)
        telling = [words.guess_sentence(entry) for entry in ordered if words.is_telling(entry)]
        n_rest = len(facts.guesses) - len(telling)
        lines["Guesses"] = [*_few(telling), *([f"nothing to be guessed from {_others(facts)}"] if n_rest else [])]
    lines["Duplicates"] = [words.duplicates_sentence(facts)]
    if facts.odd:
        lines["Odd"] = [f"{len(facts.odd):,}, the oddest {facts.odd[0].id} ({facts.odd[0].why})"]
    lines["Broken"] = [words.broken_sentence(facts)]
    if facts.left_out:
        lines["Not used"] = [words.left_out_sentence(facts)]
    if facts.curve:
        lines["More data"] = [words.curve_sentence(facts)]
    if facts.pictures:
        lines["Pictures"] = [_pictures(facts)]
    return lines


def _few(lines: list[str]) -> list[str]:
    return [*lines[:_MOST_LISTED], *([f"and {len(lines) - _MOST_LISTED} more"] if len(lines) > _MOST_LISTED else [])]


def _others(facts: Facts) -> str:
    return ", ".join(entry.by for entry in facts.guesses if not words.is_telling(entry))


def _pictures(facts: Facts) -> str:
    n_sheets = sum(name.startswith("sheet: ") for name in facts.pictures)
    named = [name for name in facts.pictures if not name.startswith("sheet: ")]
    folder = next(iter(facts.pictures.values())).rpartition("/")[0]
    sheets = [count(n_sheets, "contact sheet")] if n_sheets else []
    return f"{', '.join([*named, *sheets])} in {folder}/ beside facts.json"


def _findings(facts: Facts, *, is_ascii: bool) -> Iterator[RenderableType]:
    yield Text("\nFindings", style="bold")
    shown = [finding for finding in facts.findings if finding.state == "open"]
    for finding in shown:
        yield from _finding(finding, is_ascii=is_ascii)
    for state, findings in words.dealt_with(facts).items():
        yield Text(f"  {state}: {', '.join(clean(finding.id) for finding in findings)}", style="dim")
    if not facts.findings:
        yield Text("  None: nothing was found that asks for action.")


def _finding(finding: Finding, *, is_ascii: bool) -> Iterator[RenderableType]:
    """Draw what was found, an example, what to do, and the command that does it."""
    mark = {"error": "x", "warning": "!", "note": "-"} if is_ascii else words.MARKS
    head = Table.grid(padding=(0, 2))
    head.add_column(style=_STYLES[finding.severity], no_wrap=True)
    head.add_column(overflow="fold")
    head.add_row(f"{mark[finding.severity]} {finding.severity}", name(finding.title))
    yield Padding(head, (0, 0, 0, 2))
    if finding.severity != "note":  # the page tells the rest of what is merely good to know
        examples = [clean(example) for example in finding.examples[:_MOST_EXAMPLES]]
        if examples:
            yield Padding(Text("such as " + "; ".join(examples), style="dim", overflow="fold"), (0, 0, 0, 4))
        yield Padding(Text(clean(finding.advice)), (0, 0, 0, 4))
    if finding.command:
        yield Text(f"    {clean(finding.command)}", style="bold", no_wrap=True, overflow="ignore")
