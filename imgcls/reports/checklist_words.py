"""The words around the items of the checklist, in each of its languages."""

from __future__ import annotations

from dataclasses import dataclass

from imgcls.checklists.evaluate import Checklist
from imgcls.checklists.items import Language


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
    """What cannot be told: of {what}."""
    notes: str
    """The heading of notes."""
    skip: str
    """How to leave an item out."""


_ENGLISH = Words(
    counted="Checklist: {done} of {n} done",
    states={"done": "done", "stale": "stale", "open": "open", "skipped": "skipped"},
    among="{n} {state}",
    next="Next",
    back="The way back",
    back_to="to stage {stage}",
    damaged="Files that cannot be read",
    unknown="It cannot be told {what}.",
    notes="Notes",
    skip="Leave an item out: imgcls checklist skip ID --why …",
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
)
_WORDS: dict[Language, Words] = {"en": _ENGLISH, "ko": _KOREAN}


def words_of(lang: Language) -> Words:
    """Give the words of a language."""
    return _WORDS[lang]


def summary(checklist: Checklist) -> str:
    """Say how many items are in which state: `Checklist: 12 of 28 done, 1 stale, 15 open`."""
    words = words_of(checklist.lang)
    parts = [words.counted.format(done=checklist.n("done"), n=len(checklist.items))]
    for state in ("stale", "open", "skipped"):
        if n := checklist.n(state):
            parts.append(words.among.format(n=n, state=words.states[state]))
    return ", ".join(parts)
