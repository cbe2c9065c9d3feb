"""The checklist on the terminal: stages, marks, evidence, the next commands, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from imgcls.checklists.checklist import Checklist
from imgcls.checklists.items import ItemState, Language, State, stage_titles
from imgcls.checklists.sentences import in_language
from imgcls.text import clean


@dataclass(frozen=True)
class Words:
    """What the checklist says besides its items."""

    counted: str
    """How many are done: of {done} and {n}."""
    states: dict[str, str]
    """What each state is called."""
    among: str
    """How many are in another state: of {n} and {state}."""
    next: str
    """The heading of the next commands."""
    back: str
    """The heading of the way back."""
    back_to: str
    """Which stage a reason leads to: of {stage}."""
    damaged: str
    """The heading of files that cannot be read."""
    unknown: str
    """What is not known: of {what}."""
    notes: str
    """The heading of notes."""
    skip: str
    """How to leave an item out."""
    line: str
    """The checklist in a line: of {summary}, {next} where there is one, and the command."""
    first: str
    """The next command: of {command}."""


_ENGLISH = Words(
    counted="Checklist: {done} of {n} done",
    states={"done": "done", "stale": "stale", "open": "open", "skipped": "skipped"},
    among="{n} {state}",
    next="Next",
    back="The way back",
    back_to="to stage {stage}",
    damaged="Files that cannot be read",
    unknown="It is not known {what}.",
    notes="Notes",
    skip="Leave an item out: imgcls checklist skip ID --why …",
    line="{summary}.{next}  ('imgcls checklist')",
    first=" Next: {command}",
)
_KOREAN = Words(
    counted="체크리스트: {n}개 중 {done}개 완료",
    states={"done": "완료", "stale": "다시 확인", "open": "미완료", "skipped": "건너뜀"},
    among="{n}개 {state}",
    next="다음에 할 일",
    back="되돌아가기",
    back_to="{stage}단계로",
    damaged="읽을 수 없는 파일",
    unknown="알 수 없는 것: {what}",
    notes="참고",
    skip="항목 건너뛰기: imgcls checklist skip ID --why …",
    line="{summary}.{next}  ('imgcls checklist --lang ko')",
    first=" 다음: {command}",
)
_WORDS: dict[Language, Words] = {"en": _ENGLISH, "ko": _KOREAN}


def words_of(lang: Language) -> Words:
    """Return the words of a language."""
    return _WORDS[lang]


def summary(checklist: Checklist) -> str:
    """Describe how many items are in which state: `Checklist: 12 of 28 done, 1 stale, 15 open`."""
    return _counted(checklist, ("stale", "open", "skipped"))


def _counted(checklist: Checklist, states: Sequence[State]) -> str:
    words = words_of(checklist.lang)
    parts = [words.counted.format(done=checklist.n("done"), n=len(checklist.items))]
    for state in states:
        if n := checklist.n(state):
            parts.append(words.among.format(n=n, state=words.states[state]))
    return ", ".join(parts)


_MARKS = {"done": "[✓]", "stale": "[~]", "open": "[ ]", "skipped": "[-]"}
_STYLES = {"done": "green", "stale": "yellow", "open": "", "skipped": "dim"}


@dataclass(frozen=True)
class ChecklistView:
    """The checklist as a person reads it."""

    checklist: Checklist
    """The checklist."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw what cannot be read, the stages with their items, the next commands, and the way back."""
        found, words = self.checklist, words_of(self.checklist.lang)
        yield Text(summary(found), style="bold")
        yield from self._notes()
        yield from self._damaged()
        for stage in dict.fromkeys(entry.item.stage for entry in found.items):
            entries = [entry for entry in found.items if entry.item.stage == stage]
            shared = _shared_evidence(entries, found.lang)
            heading = Text(f"\n{stage}  {stage_titles()[stage][found.lang]}", style="bold")
            yield heading.append(f": {clean(shared)}" if shared else "", style="not bold dim")
            yield self._items(entries, options, with_evidence=not shared)
        marks = (f"{_mark(state, options)} {name}" for state, name in words.states.items())
        yield Text(f"\n{'  '.join(marks)}", style="dim")
        yield Text(words.skip, style="dim")
        yield from self._back()
        if found.next:
            yield Text(f"\n{words.next}", style="bold")
            for command in found.next:
                yield Text(f"  {clean(command)}", no_wrap=True, overflow="ignore")

    def _items(self, entries: list[ItemState], options: ConsoleOptions, *, with_evidence: bool) -> Table:
        """Draw the items of a stage: mark and title, and below what says so; once where the next item has the same."""
        grid = Table.grid(padding=(0, 1))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold", ratio=1)
        grid.expand = True
        lang = self.checklist.lang
        for entry, following in zip_longest(entries, entries[1:]):
            line = Text(entry.item.titles[lang])
            line.append(f"  {entry.item.id}", style="dim")
            grid.add_row(Text(_mark(entry.state, options), style=_STYLES[entry.state]), line)
            if with_evidence and (following is None or following.evidence != entry.evidence):
                grid.add_row("", Text(clean(entry.evidence_in(lang)), style="dim"))
        return grid

    def _notes(self) -> RenderResult:
        """Draw first what has to be known before the ticks are believed."""
        if self.checklist.notes:
            yield Text(f"\n{words_of(self.checklist.lang).notes}", style="bold")
        for note in self.checklist.notes:
            yield Padding(Text(clean(in_language(note, self.checklist.lang)), style="yellow"), (0, 0, 0, 2))

    def _damaged(self) -> RenderResult:
        words = words_of(self.checklist.lang)
        if not self.checklist.damages:
            return
        yield Text(f"\n{words.damaged}", style="bold")
        for damage in self.checklist.damages:
            yield Padding(
                Text(clean(damage.reason_in(self.checklist.lang), keep_lines=True), style="yellow"), (0, 0, 0, 2)
            )
            yield Padding(
                Text(words.unknown.format(what=damage.unknown_in(self.checklist.lang)), style="dim"), (0, 0, 0, 4)
            )

    def _back(self) -> RenderResult:
        words = words_of(self.checklist.lang)
        if not self.checklist.back:
            return
        yield Text(f"\n{words.back}", style="bold")
        for reason in self.checklist.back:
            to = words.back_to.format(stage=reason.stage)
            yield Padding(Text(f"{to}: {clean(reason.text_in(self.checklist.lang))}", style="yellow"), (0, 0, 0, 2))
            if reason.command:
                yield Text(f"    {clean(reason.command)}", no_wrap=True, overflow="ignore")


def _shared_evidence(entries: list[ItemState], lang: Language) -> str:
    """Return what is said of every item of a stage alike; empty where they differ."""
    said = {entry.evidence_in(lang) for entry in entries}
    return said.pop() if len(entries) > 1 and len(said) == 1 else ""


def _mark(state: str, options: ConsoleOptions) -> str:
    """Return the mark of a state; where the terminal knows ASCII only, a cross stands for a tick."""
    mark = _MARKS[state]
    return mark.replace("✓", "x") if options.ascii_only else mark


def status_line(checklist: Checklist) -> Text:
    """Return the checklist in a line, in its language, for the end of other commands."""
    words = words_of(checklist.lang)
    following = words.first.format(command=clean(checklist.next[0])) if checklist.next else ""
    line = words.line.format(summary=_counted(checklist, ["stale"]), next=following)
    return Text(line, style="dim", no_wrap=True, overflow="ignore")
