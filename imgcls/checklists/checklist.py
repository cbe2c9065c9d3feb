"""The checklist of a workspace: every item answered from evidence, what to do next, and the way back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from imgcls.checklists import rules
from imgcls.checklists.commands import command_for, next_commands
from imgcls.checklists.evidence import Damage, Evidence, gather
from imgcls.checklists.go_back import Reason, way_back
from imgcls.checklists.items import STATES, Answer, Item, ItemState, Language, State, all_items, find_item, stages_of
from imgcls.checklists.rules import of_baseline, of_facts, tried
from imgcls.checklists.sentences import Said, in_language, said
from imgcls.config.problem import edit_problem, read_problem
from imgcls.errors import UsageError, nearest_hint
from imgcls.text import Viewed
from imgcls.workspace import MARKER, Workspace

if TYPE_CHECKING:
    from imgcls.engine.progress import Reporter

SCHEMA = 1
_Line = TypeVar("_Line", ItemState, Reason)

_RULES: Mapping[str, Callable[[Evidence], Answer]] = {
    "problem.goal": rules.goal,
    "problem.type": rules.problem_type,
    "problem.metric": rules.metric,
    "eda.files": of_facts(rules.files),
    "eda.targets": of_facts(rules.targets),
    "eda.images": of_facts(rules.images),
    "eda.sizes": of_facts(rules.sizes),
    "eda.leaks": of_facts(rules.leaks),
    "base.seed": rules.seed,
    "base.device": of_baseline(rules.device),
    "base.split": of_baseline(rules.split),
    "base.transforms": of_baseline(rules.transforms),
    "base.loaders": of_baseline(rules.loaders),
    "base.model": of_baseline(rules.model),
    "base.train": of_baseline(rules.training),
    "base.validate": of_baseline(rules.validation),
    "base.submit": rules.first,
    "train.augmentation": tried("train.augmentation"),
    "train.model": tried("train.model"),
    "train.loss": tried("train.loss"),
    "train.optimizer": tried("train.optimizer"),
    "train.scheduler": tried("train.scheduler"),
    "train.epochs": rules.epochs,
    "predict.tta": tried("predict.tta"),
    "predict.smoothing": tried("predict.smoothing"),
    "predict.ensemble": rules.ensemble,
    "final.alldata": rules.all_data,
    "final.submit": rules.final,
}


@dataclass(frozen=True)
class Checklist(Viewed):
    """Where a workspace stands."""

    VIEW: ClassVar[str] = "imgcls.reports.checklist:ChecklistView"
    """The renderable that shows it."""

    items: tuple[ItemState, ...]
    """Every item with its state and evidence, in the order of the method."""
    next: tuple[str, ...]
    """The next commands worth running, three at most."""
    back: tuple[Reason, ...]
    """Why to go back to stage 1 or 2; empty where nothing speaks for it."""
    n_findings: int
    """Findings, errors and warnings, that are not dealt with."""
    damages: tuple[Damage, ...]
    """Files that cannot be read, and what is not known because of it."""
    notes: tuple[str, ...]
    """What else a person should know before believing it."""
    is_doubtful: bool = False
    """Whether it is not known whether the data changed since."""
    lang: Language = "en"
    """The language of titles and sentences."""

    def n(self, state: State) -> int:
        """Count the items in a state."""
        return Counter(entry.state for entry in self.items)[state]

    @property
    def needs_attention(self) -> bool:
        """Whether items are stale, findings open, files damaged, or changes unseen: what `--strict` refuses."""
        return bool(self.n_findings or self.n("stale") or self.damages or self.is_doubtful)

    def of_stage(self, stage: str | None) -> Checklist:
        """Return the same checklist with the items of one stage only; `4` is 4a, 4b and 4c, None all.

        Raises:
            UsageError: There is no such stage.
        """
        if stage is None:
            return self
        wanted = stages_of(stage)
        return replace(self, items=tuple(entry for entry in self.items if entry.item.stage in wanted))

    def to_json(self) -> dict[str, Any]:
        """Return the checklist as JSON values."""
        return {
            "schema": SCHEMA,
            "items": [
                {
                    "id": entry.item.id,
                    "stage": entry.item.stage,
                    "title": entry.item.titles[self.lang],
                    "state": entry.state,
                    "evidence": entry.evidence_in(self.lang),
                    "command": entry.command,
                }
                for entry in self.items
            ],
            "next": list(self.next),
            "back": {
                "stage": min(reason.stage for reason in self.back),
                "reasons": [asdict(reason) | {"text": reason.text_in(self.lang)} for reason in self.back],
            }
            if self.back
            else None,
            "counts": {state: self.n(state) for state in STATES},
            "n_findings": self.n_findings,
            "damaged": [
                {"reason": damage.reason_in(self.lang), "unknown": damage.unknown_in(self.lang)}
                for damage in self.damages
            ],
            "notes": [in_language(note, self.lang) for note in self.notes],
            "lang": self.lang,
        }


def checklist(
    folder: Workspace | Path | str | None = None, *, lang: Language = "en", verify: bool = False
) -> Checklist:
    """Return the checklist of a workspace: each item ticked by evidence, never by hand.

    Only where the data look different from when they were last read, they are read once more.

    Args:
        folder: The workspace; the nearest one with imgcls.toml, or the current folder, when None.
        lang: Language of titles and sentences: `en` or `ko`.
        verify: Whether the data are read and hashed again although they look as they did.

    Returns:
        The checklist; `print(rich)` and notebooks show it, `to_json()` gives it to programs.

    Example:
        >>> imgcls.checklist().next  # doctest: +SKIP
        ('imgcls init', 'imgcls eda', 'imgcls recipe run baseline')
    """
    from imgcls.engine.progress import plain_lines

    place = folder if isinstance(folder, Workspace) else Workspace.find(Path(folder) if folder else None)
    with plain_lines(None) as lines:
        return evaluate(place, lang=lang, reporter=lines, verify=verify)


def evaluate(
    workspace: Workspace, *, lang: Language = "en", reporter: Reporter | None = None, verify: bool = False
) -> Checklist:
    """Answer every item; see `checklist`.

    Args:
        workspace: The workspace.
        lang: Language of titles and sentences.
        reporter: Shows when the data have to be read again; None never reads them.
        verify: Whether they are read and hashed in any case.
    """
    evidence = gather(workspace, reporter=reporter, verify=verify)
    states = tuple(_placed(_state(item, evidence), workspace) for item in all_items())
    return Checklist(
        items=states,
        next=next_commands(states),
        back=tuple(_placed(reason, workspace) for reason in way_back(evidence)),
        n_findings=len(evidence.open_findings),
        damages=evidence.damages,
        notes=tuple(_notes(evidence)),
        is_doubtful=evidence.present.is_doubtful,
        lang=lang,
    )


def _state(item: Item, evidence: Evidence) -> ItemState:
    """Answer one item; what is skipped stays ticked where evidence ticks it all the same."""
    answer = _RULES[item.id](evidence)
    if answer.state == "done":
        return ItemState(item, "done", answer.evidence, None)
    skipped = evidence.problem.skipped if evidence.problem is not None else {}
    if item.id in skipped:
        return ItemState(item, "skipped", Said(f"{MARKER}: {skipped[item.id]}"), None)
    command = command_for(item, evidence) if answer.command is None else answer.command or None
    return ItemState(item, answer.state, answer.evidence, command)


def _placed(line: _Line, workspace: Workspace) -> _Line:
    """Name the workspace in a command, unless the command finds it from the current folder, or names one already."""
    out = workspace.as_option
    if line.command is None or not out or " --out " in line.command:
        return line
    return replace(line, command=line.command + out)


def _notes(evidence: Evidence) -> Sequence[str]:
    known = [item.id for item in all_items()]
    skipped = evidence.problem.skipped if evidence.problem is not None else {}
    wrong = [
        said("{file} skips {id!r}, which is no item.{hint}", file=MARKER, id=id_, hint=nearest_hint(id_, known))
        for id_ in skipped
        if id_ not in known
    ]
    return [*([evidence.present.note] if evidence.present.note else []), *wrong]


def skip(workspace: Workspace, id_: str, why: str) -> None:
    """Leave an item out.

    Args:
        workspace: Whose imgcls.toml keeps it.
        id_: The item.
        why: The reason, for people; not blank.

    Raises:
        UsageError: There is no such item or no imgcls.toml, the reason is blank, or the file does not fit.
    """
    item = find_item(id_)
    if not why.strip():
        raise UsageError(f"Say why {id_!r} is left out; whoever reads the checklist will ask.")
    edit_problem(_file(workspace), {f"skipped.{item.id}": why.strip()})


def unskip(workspace: Workspace, id_: str) -> None:
    """Take an item in again.

    Raises:
        UsageError: It is not left out, there is no imgcls.toml, or the file does not fit.
    """
    path = _file(workspace)
    skipped = read_problem(path).skipped
    if id_ not in skipped:
        named = f" Skipped: {', '.join(skipped)}." if skipped else " Nothing is."
        raise UsageError(f"{id_!r} is not skipped in {path}.{nearest_hint(id_, skipped)}{named}")
    edit_problem(path, {f"skipped.{id_}": None})


def _file(workspace: Workspace) -> Path:
    path = workspace.root / MARKER
    if not path.is_file():
        raise UsageError(f"There is no {MARKER} in {workspace.root} to keep it in; 'imgcls init' writes one.")
    return path
