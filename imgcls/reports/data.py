"""Data on the terminal: facts and findings, decisions about them, augmentation, and a problem that was written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from imgcls.config.findings import LOST
from imgcls.config.metrics import in_words
from imgcls.eda.facts import (
    FACTS_JSON,
    ClassFacts,
    Drift,
    Facts,
    FileFacts,
    Finding,
    LeakageProbe,
    Quantiles,
    Series,
)
from imgcls.reports.console import NamedRows, count, name, path, size
from imgcls.text import amount, clean, first_lines, listed
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from imgcls.config.propose import FileRole, Proposal
    from imgcls.eda.apply import Decision
    from imgcls.eda.augmentation import AugmentationSheet
    from imgcls.eda.review import AppliedReview

SPLITS = ("train", "valid", "test")
MARKS: Mapping[str, str] = {"error": "✗", "warning": "!", "note": "·"}
_PROBLEMS = {"binary": "two classes", "multiclass": "one class each", "multilabel": "any number of classes each"}


def data_sentence(facts: Facts) -> str:
    """Describe how much there is: `2,503 photographs of 10 classes, one class each; metric accuracy`."""
    n = sum(facts.data.n.get(split, 0) for split in SPLITS)
    n_classes = len(facts.data.classes)
    classes = amount(n_classes, "class", "classes")
    kind = "" if facts.data.problem == "binary" else f", {_PROBLEMS[facts.data.problem]}"
    photographs = amount(n, "photograph")
    seen = f"a quick look at {photographs}, none of test," if facts.data.quick else photographs
    return f"{seen} of {classes}{kind}; metric {in_words(facts.data.metric)}"


def split_sentence(facts: Facts) -> str:
    """Describe who trains, validates and tests, and what is not used."""
    n = facts.data.n
    parts = [f"{split} {n.get(split, 0):,}" for split in SPLITS if n.get(split)]
    parts += [f"excluded {n['excluded']:,}"] if n.get("excluded") else []
    parts += [f"without a label {facts.data.n_unlabelled:,}"] if facts.data.n_unlabelled else []
    return ", ".join(parts) + ("; the labels of test stay sealed" if n.get("test") else "")


def state_sentence(facts: Facts) -> str:
    """Describe how many findings wait for somebody."""
    n_open = Counter(finding.severity for finding in facts.open_findings)
    if not n_open:
        return "Nothing asks for action."
    parts = [amount(n_open[severity], severity) for severity in ("error", "warning") if n_open[severity]]
    return f"{' and '.join(parts)} to deal with."


def sizes_sentences(facts: Facts) -> list[str]:
    """Describe how large the photographs are, what they are, and with which size to begin."""
    sizes = facts.sizes
    if sizes.n_sizes == 1:
        what = f"all {sizes.width_px.middle:.0f} × {sizes.height_px.middle:.0f} px"
    else:
        what = (
            f"{sizes.n_sizes:,} sizes, most of them {_range(sizes.width_px)} × {_range(sizes.height_px)} px, "
            f"width over height {sizes.aspect.low:.2f} to {sizes.aspect.high:.2f}"
        )
    kinds = [
        _kinds(sizes.formats),
        _kinds(sizes.modes),
        *([f"{sizes.n_turned:,} turned by EXIF"] * bool(sizes.n_turned)),
    ]
    return [f"{what}; {'; '.join(kinds)}", f"to begin with: {sizes.recommended_px} px. {sizes.recommended_why}"]


def light_sentence(facts: Facts) -> str:
    """Describe how bright the photographs of each split are."""
    measured = facts.sizes.brightness
    parts = [f"{split} {_range(measured[split])}" for split in SPLITS if split in measured]
    return f"mean gray of most, 0 to 255: {', '.join(parts)}" if parts else "not measured"


def drift_sentences(facts: Facts) -> list[str]:
    """Describe of each two splits by what they can be told apart, those first that differ most."""
    by_parts: dict[tuple[str, str], list[Drift]] = {}
    for entry in sorted(facts.drift, key=lambda entry: (not entry.differs, -entry.auc)):
        by_parts.setdefault(entry.parts, []).append(entry)
    return [_drift_sentence(*parts, entries) for parts, entries in by_parts.items()]


def _drift_sentence(first: str, second: str, entries: Sequence[Drift]) -> str:
    differing = [f"{entry.by} (AUC {entry.auc:.2f}, p {entry.p:.2g})" for entry in entries if entry.differs]
    others = [entry.by for entry in entries if not entry.differs]
    if not differing:
        return f"{first} and {second} cannot be told apart by {', '.join(others)}"
    not_by = f"; not by {', '.join(others)}" if others else ""
    return f"{first} and {second} can be told apart by {', '.join(differing)}{not_by}"


def guess_sentence(entry: LeakageProbe) -> str:
    """Describe how well the label is guessed from something that is no picture."""
    known = f"{entry.by}: AUC {entry.auc:.3f}, p {entry.p:.3g}"
    shared = ", ".join(f"{100 * share:.0f} % of {split}" for split, share in in_order(entry.shared).items())
    return known + (f"; its values in train are also those of {shared}" if shared else "")


def duplicates_sentence(facts: Facts) -> str:
    """Describe how many pairs there are, of what kind, and where."""
    pairs = facts.duplicates
    if not pairs:
        return "none"
    kinds = Counter(pair.kind for pair in pairs)
    n_across, n_conflict = sum(pair.is_across for pair in pairs), sum(pair.is_conflict for pair in pairs)
    words = ", ".join(f"{n:,} {kind}" for kind, n in sorted(kinds.items(), key=lambda entry: (-entry[1], entry[0])))
    return f"{amount(len(pairs), 'pair')} ({words}); {n_across:,} across splits, {n_conflict:,} with different labels"


def series_sentence(series: Series) -> str:
    """Describe how many series there are, by what, and how clearly pictures agree."""
    smallest, median, largest = series.sizes
    by = f"{series.by}, {series.pattern}" if series.pattern else series.by
    return (
        f"{len(series.groups):,} by {by}, of {smallest:,} to {largest:,} photographs, median {median:,}; two of one "
        f"are nearer than two of different ones with AUC {series.auc:.2f}, p {series.p:.3g}; "
        f"score {series.score:.3f}, with series whole {series.score_whole:.3f}"
    )


def broken_sentence(facts: Facts) -> str:
    """Describe how many files cannot be used, by kind."""
    kinds = Counter(entry.kind for entry in facts.broken)
    words = ", ".join(f"{n:,} {kind}" for kind, n in sorted(kinds.items(), key=lambda entry: (-entry[1], entry[0])))
    return f"{amount(len(facts.broken), 'file')}: {words}" if facts.broken else "none"


def left_out_sentence(facts: Facts) -> str:
    """Describe how many photographs are there and not used, by reason."""
    return ", ".join(f"{entry.n:,} {entry.reason}" for entry in facts.left_out) or "none"


def curve_sentence(facts: Facts) -> str:
    """Describe what more training photographs brought a quick classifier."""
    if not facts.curve:
        return "not measured"
    first, last = facts.curve[0], facts.curve[-1]
    return (
        f"the accuracy of a quick classifier is {first.value:.3f} with {first.n_train:,} training photographs and "
        f"{last.value:.3f} [{last.low:.3f}, {last.high:.3f}] with {last.n_train:,}"
    )


def as_sentence(text: str) -> str:
    """Return words as a sentence of their own."""
    return f"{text[:1].upper()}{text[1:].removesuffix('.')}."


def by_frequency(facts: Facts) -> list[ClassFacts]:
    """Return the classes, the most frequent first."""
    return sorted(facts.classes, key=lambda entry: -sum(entry.n.values()))


def dealt_with(facts: Facts) -> dict[str, list[Finding]]:
    """Return the findings that findings.toml deals with, by state."""
    found: dict[str, list[Finding]] = {}
    for finding in facts.findings:
        if finding.state != "open":
            found.setdefault(finding.state, []).append(finding)
    return found


def in_order(by_split: Mapping[str, float]) -> dict[str, float]:
    """Return what is known by split in the order of the splits, which JSON does not keep."""
    known = {split: by_split[split] for split in SPLITS if split in by_split}
    return known | {split: by_split[split] for split in sorted(by_split) if split not in known}


def _range(measure: Quantiles) -> str:
    low, high = f"{measure.low:,.0f}", f"{measure.high:,.0f}"
    return low if low == high else f"{low} to {high}"


def _kinds(counts: Mapping[str, int]) -> str:
    """Return kinds by number, and the number only where there are several."""
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return ordered[0][0] if len(ordered) == 1 else ", ".join(f"{n:,} {kind}" for kind, n in ordered)


MOST_CLASSES = 12
"""Classes with a bar each; of more, the most frequent and the rarest have one."""
_N_RAREST = 4
_ROOMY, _NARROW, _LEAST_NAME = 60, 34, 6
_BESIDE_BAR = 11 + 3
"""Columns that a split takes beside a name at the least: its number, and the shortest bar."""
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
        yield Text(f"{clean(facts.data.name)}: {clean(data_sentence(facts))}", style="bold")
        yield Text(clean(split_sentence(facts)))
        n_open = len(facts.open_findings)
        for finding in facts.open_findings:
            if finding.id == LOST:  # before all else: what follows is about what is left
                yield Text(clean(finding.title), style="bold yellow")
        for assumption in facts.data.assumptions:
            yield Text(clean(str(assumption)))
        yield Text(state_sentence(facts) + (" They are at the end." if n_open > 1 else ""), style="dim")
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
    yield Padding(_file_rows(facts.files[:_MOST_FILES], with_notes=width >= _ROOMY), (0, 0, 0, 2))
    if len(facts.files) > _MOST_FILES:
        yield Text(f"  and {len(facts.files) - _MOST_FILES:,} more", style="dim")


def _file_rows(files: Sequence[FileFacts] | Sequence[FileRole], *, with_notes: bool = False) -> NamedRows:
    digits = max((len(f"{entry.n:,}") for entry in files), default=0)
    rows = [
        (
            name(entry.path),
            Text(f"{entry.n:>{digits},}"),
            Text(entry.role),
            *([name(entry.note if isinstance(entry, FileFacts) else "", "dim")] if with_notes else []),
        )
        for entry in files
    ]
    return NamedRows(("",) * (3 + with_notes), rows)


def _classes(facts: Facts, *, width: int, is_ascii: bool) -> Iterator[RenderableType]:
    """Draw how often classes occur: each split to its own scale, so that their shapes can be compared."""
    yield Text("\nClasses", style="bold")
    splits = [split for split in ("train", "valid") if any(entry.n.get(split) for entry in facts.classes)]
    most = {split: max(entry.n.get(split, 0) for entry in facts.classes) for split in splits}
    longest = max(cell_len(clean(entry.name)) for entry in facts.classes)
    name_width = max(10, min(28, width // 4), min(longest, width - 4 - len(splits) * _BESIDE_BAR))
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
    """Return the classes in their order where they are few; else the most frequent, None, and the rarest."""
    if len(facts.classes) <= MOST_CLASSES:
        return list(facts.classes)
    ordered = by_frequency(facts)
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
    lines = {"Sizes": sizes_sentences(facts), "Light": [light_sentence(facts)]}
    if facts.drift:
        lines["Drift"] = first_lines(drift_sentences(facts), _MOST_LISTED)
    if facts.guesses:
        ordered = sorted(facts.guesses, key=lambda entry: -entry.auc)
        telling = [guess_sentence(entry) for entry in ordered if entry.telling]
        n_rest = len(facts.guesses) - len(telling)
        lines["Guesses"] = [
            *first_lines(telling, _MOST_LISTED),
            *([f"nothing to be guessed from {_others(facts)}"] if n_rest else []),
        ]
    lines["Duplicates"] = [duplicates_sentence(facts)]
    if facts.series is not None:
        lines["Series"] = [series_sentence(facts.series)]
    if facts.odd:
        lines["Outliers"] = [f"{len(facts.odd):,}, the farthest {facts.odd[0].id} ({facts.odd[0].why})"]
    lines["Broken"] = [broken_sentence(facts)]
    if facts.left_out:
        lines["Not used"] = [left_out_sentence(facts)]
    if facts.curve:
        lines["More data"] = [curve_sentence(facts)]
    if facts.pictures:
        lines["Pictures"] = [_pictures(facts)]
    return lines


def _others(facts: Facts) -> str:
    return ", ".join(entry.by for entry in facts.guesses if not entry.telling)


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
    for state, findings in dealt_with(facts).items():
        yield Text(f"  {state}: {', '.join(clean(finding.id) for finding in findings)}", style="dim")
    if not facts.findings:
        yield Text("  None: nothing was found that asks for action.")


def _finding(finding: Finding, *, is_ascii: bool) -> Iterator[RenderableType]:
    """Draw what was found, an example, what to do, and the command that does it."""
    mark = {"error": "x", "warning": "!", "note": "-"} if is_ascii else MARKS
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


@dataclass(frozen=True)
class AugmentationView:
    """What a person sees when the picture was drawn, or why there is none."""

    sheet: AugmentationSheet
    """The picture."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Describe what is on it, what to look for, and what comes next."""
        sheet = self.sheet
        if sheet.file is None:
            yield Text(f"{clean(sheet.stack)} leaves each training image as it is: there is nothing to draw.")
            for sentence in sheet.not_shown:
                yield Text(clean(sentence))
            yield _command(sheet.command)
            return
        which = "each class" if len(sheet.classes) == sheet.n_classes else f"{len(sheet.classes)} of the classes"
        which = f"{which} ({sheet.n_classes} in all)" if len(sheet.classes) != sheet.n_classes else which
        variants = count(sheet.n_variants, "variant")
        yield Text(f"A photograph of {which}, with {variants} as training sees them, {size(sheet.n_bytes)}:")
        yield path(sheet.file)
        yield Text(f"Changed by {clean(', '.join(sheet.shown))}")
        for sentence in sheet.not_shown:
            yield Text(clean(sentence))
        yield Text("\nLook for a variant that you would label differently:", style="bold")
        yield Text(
            "  a flip that turns left into right where that is the class, a crop that cuts off what it is about,"
        )
        yield Text(
            "  a colour or brightness that is the class itself. Then leave that transform out, or make it weaker."
        )
        yield _command(f"{sheet.command}    # does it help?")


def _command(text: str) -> Text:
    return Text(clean(f"Next: {text}"), style="dim", no_wrap=True, overflow="ignore")


_NOTHING = {
    "applied": "There is nothing to apply.",
    "undone": "Nothing was applied or kept, so there is nothing to undo.",
    "kept": "There is nothing to keep.",
}


@dataclass(frozen=True)
class DecisionView:
    """A decision on the terminal."""

    decision: Decision
    """What was decided."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Describe what was done, where it stands, and what comes next."""
        decision = self.decision
        if not decision.findings:
            yield Text(_NOTHING[decision.verb])
            return
        yield Text(clean(f"{decision.verb.capitalize()}: {', '.join(decision.findings)}."), style="bold")
        if effects := self._effects():
            yield Text(f"{effects}. The photographs themselves were not touched.")
        yield Text.assemble("Written to ", path(decision.path))
        if decision.verb != "undone":
            yield Text(clean(f"To take it back: imgcls eda undo{decision.out}"), no_wrap=True, overflow="ignore")
        yield Text(clean(f"Next: imgcls eda{decision.again}{decision.out}"), no_wrap=True, overflow="ignore")

    def _effects(self) -> str:
        decision, again = self.decision, self.decision.verb == "undone"
        parts = []
        if decision.n_excluded:
            parts.append(f"{count(decision.n_excluded, 'image')} {'used again' if again else 'left out'}")
        if decision.n_grouped:
            together = (
                f"in {count(decision.n_groups, 'group')} {'no longer ' if again else ''}kept together by the split"
            )
            parts.append(f"{count(decision.n_grouped, 'image')} {together}")
        if decision.n_relabelled:
            parts.append(f"{count(decision.n_relabelled, 'image')} with the label of the data again")
        return ", ".join(parts)


@dataclass(frozen=True)
class ReviewView:
    """An applied review on the terminal."""

    applied: AppliedReview
    """What was made of it."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Describe what was done, what could not be, and what comes next."""
        done = self.applied
        yield Text(
            f"Applied: {count(done.n_relabelled, 'photograph')} with another label, {done.n_excluded:,} left out, "
            f"{done.n_kept:,} found right, {done.n_unsure:,} not sure.",
            style="bold",
        )
        yield Text("The photographs themselves were not touched. Train and validation stay who they were.")
        for images, what in (
            (done.stale, "have another label by now than the one that was looked at"),
            (done.unknown, "are not in the data"),
            (done.sealed, "are of the sealed test, which a review does not touch"),
        ):
            if images:
                yield Text(clean(f"Not applied: {len(images):,} {what}: {listed(map(repr, images))}."), style="yellow")
        if done.disagreements:
            yield Text(f"Not applied, since people disagree: {len(done.disagreements):,}.", style="yellow")
            for one in done.disagreements[:_MOST_DISAGREEMENTS]:
                said = "; ".join(f"{person}: {label}" for person, label in one.said.items())
                yield Text(clean(f"  {one.image}: {said}"))
        yield Text.assemble("Written to ", path(done.path))
        yield Text(clean(f"To take it back: imgcls eda undo review{done.out}"), no_wrap=True, overflow="ignore")
        yield Text("Next: train again with the command of the run, and compare the two: imgcls compare BEFORE AFTER")


_MOST_DISAGREEMENTS = 20


@dataclass(frozen=True)
class LookedAt:
    """What was written, and what comes next."""

    facts: Facts
    """What was found."""
    page: Path
    """The page about it, beside facts.json."""
    again: str
    """The options that name the data again in commands; empty where the workspace knows."""
    out: str = ""
    """The option that names the workspace in commands; empty where they find it."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Name the files, then the command."""
        pictures = count(len(self.facts.pictures), "picture")
        yield Text.assemble("Wrote ", path(_near(self.page)), f", with {pictures} and {FACTS_JSON} beside it.")
        yield Text(clean(f"Next: {self.next_command()}"), no_wrap=True, overflow="ignore")
        if self.facts.data.quick or self.facts.is_unusable:
            return
        if any(finding.action for finding in self.facts.open_findings):
            yield Text("It leaves out or keeps together what is named above; 'imgcls eda undo' takes it back.")
        elif self.facts.open_findings:
            yield Text("What is left open above is for you to judge: fix it, or keep it with a reason.")

    def next_command(self) -> str:
        """Return the command that is sensible next: to apply what can be applied, else the baseline."""
        waiting = self.facts.open_findings
        if self.facts.data.quick:
            return f"imgcls eda{self.again}{self.out}    # all of them, before anything is decided"
        if any(finding.action for finding in waiting):
            return f"imgcls eda apply{self.out}"
        if self.facts.is_unusable:
            return f"imgcls eda{self.again}{self.out}    # once what is said above is fixed"
        return f"imgcls recipe run baseline{self.again}{self.out}"


def _near(file: Path) -> Path:
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file


_MOST_CLASSES = 8


@dataclass(frozen=True)
class ProblemWritten:
    """A problem that lies on the disk."""

    proposal: Proposal
    """What was written, and what it was read from."""
    file: Path
    """Where it lies."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Describe what was seen, what each file is for, what is still to be filled in, and what to do next."""
        from imgcls.data.samples import loss_warnings  # loads pandas, which a look at stored facts does not need

        problem, samples = self.proposal.problem, self.proposal.samples
        if samples is not None:
            yield Text(self._seen(), style="bold")
            yield from (Text(clean(warning), style="bold yellow") for warning in loss_warnings(samples))
        if self.proposal.files:
            yield self._files()
        assumptions = samples.assumptions if samples is not None else ()
        if assumptions:
            yield Text("\nNot said, so assumed", style="bold")
            yield from (Padding(Text(clean(str(entry))), (0, 0, 0, 2)) for entry in assumptions)
        for note in self.proposal.notes:
            yield Text(clean(note), style="yellow")
        yield Text("\nWrote", style="bold")
        yield path(self.file)
        missing = [part for part in ("title", "goal", "background") if not getattr(problem, part)]
        if missing:
            yield Text(f"Still empty, and worth a sentence each: {', '.join(missing)}. Write them there.")
        yield Text("\nNext", style="bold")
        out = Workspace(self.file.parent).as_option
        yield Text(clean(f"  imgcls eda{out}    # look at the data"), no_wrap=True, overflow="ignore")

    def _seen(self) -> str:
        problem, samples = self.proposal.problem, self.proposal.samples
        assert samples is not None  # noqa: S101 - the caller looked
        classes = listed(map(clean, samples.classes), _MOST_CLASSES)
        kind = f"{count(len(samples), 'photograph')}, {problem.type}: {classes}."
        return f"{clean(samples.name)}: {kind} Metric: {in_words(problem.metric) if problem.metric else '-'}."

    def _files(self) -> Padding:
        return Padding(_file_rows(self.proposal.files), (1, 0, 0, 2))

    def to_json(self) -> dict[str, Any]:
        """Return the same as JSON values."""
        from imgcls.data.samples import loss_warnings  # as above

        samples = self.proposal.samples
        return {
            "schema": 1,
            "file": str(self.file),
            "problem": self.proposal.problem.model_dump(mode="json", by_alias=True),
            "files": [
                {"path": entry.path, "role": entry.role, "n": entry.n, "columns": list(entry.columns)}
                for entry in self.proposal.files
            ],
            "assumptions": [entry.to_json() for entry in (samples.assumptions if samples is not None else ())],
            "notes": [*(loss_warnings(samples) if samples is not None else ()), *self.proposal.notes],
        }
