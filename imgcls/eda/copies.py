"""Findings on photographs that are there twice: across parts, under two labels, or merely twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from imgcls.eda.facts import Finding, Pair
from imgcls.eda.grouping import Kinship
from imgcls.eda.wording import amount, apply_command, keep_command, some

ACROSS = "duplicates.across"
DRAWN = "duplicates.across:drawn"
"""The part of `duplicates.across` that grouping mends, where excluding mends the rest."""
CONFLICT = "duplicates.conflict"
WITHIN = "duplicates.within"


@dataclass(frozen=True)
class Copies:
    """Pairs of photographs, and what may be done about them."""

    pairs: Sequence[Pair]
    """All pairs."""
    frozen: frozenset[str]
    """Ids in the parts that the data give for scoring, which are never changed."""
    kinship: Kinship
    """Which samples stay together when they are split."""

    def findings(self) -> list[Finding]:
        """Give the findings, each pair in one of them: conflict before across before within."""
        conflicts = [pair for pair in self.pairs if pair.is_conflict]
        others = [pair for pair in self.pairs if not pair.is_conflict]
        across = [pair for pair in others if pair.is_across]
        drawn = [pair for pair in across if not self._is_given(pair)]
        given = [pair for pair in across if self._is_given(pair)]
        within = [pair for pair in others if not pair.is_across and pair.splits[0] != "test"]
        return [
            *([self._conflict(conflicts)] if conflicts else []),
            *([self._given(given)] if given else []),
            *([self._drawn(drawn, name=DRAWN if given else ACROSS)] if drawn else []),
            *([self._within(within)] if within else []),
        ]

    def _is_given(self, pair: Pair) -> bool:
        return pair.first in self.frozen or pair.second in self.frozen

    def _free(self, pairs: Iterable[Pair]) -> tuple[str, ...]:
        """Give the ids of pairs that may be excluded."""
        return tuple(name for name in _about(pairs) if name not in self.frozen)

    def _conflict(self, pairs: list[Pair]) -> Finding:
        free = self._free(pairs)
        return Finding(
            id=CONFLICT,
            severity="error",
            title=f"{amount(len(pairs), 'pair')} of the same photograph under different labels.",
            n=len(pairs),
            examples=_shown(pairs, with_labels=True),
            advice=_in_full(self._about_conflict(pairs), free),
            command=apply_command(CONFLICT) if free else keep_command(CONFLICT),
            action="exclude" if free else None,
            groups=(free,) if free else (),
            images=_about(pairs),
        )

    def _about_conflict(self, pairs: Iterable[Pair]) -> str:
        correct = "One of the two labels is wrong: correct it where the labels are kept"
        if any(map(self._is_given, pairs)):
            return f"{correct}. Copies in given parts are never excluded: one that stays may be the wrong one."
        return f"{correct}, or exclude all copies."

    def _given(self, pairs: list[Pair]) -> Finding:
        free = self._free(pairs)
        return Finding(
            id=ACROSS,
            severity="error",
            title=f"{amount(len(pairs), 'pair')} of copies with one in a given part that is scored: scores flatter.",
            n=len(pairs),
            examples=_shown(pairs),
            advice=_in_full(
                "Exclude the copies outside the given validation and test parts, which are never changed.", free
            ),
            command=apply_command(ACROSS) if free else keep_command(ACROSS),
            action="exclude" if free else None,
            groups=(free,) if free else (),
            images=_about(pairs),
        )

    def _drawn(self, pairs: list[Pair], *, name: str) -> Finding:
        return Finding(
            id=name,
            severity="error",
            title=f"{amount(len(pairs), 'pair')} of copies with one in train and one in valid: scores flatter.",
            n=len(pairs),
            examples=_shown(pairs),
            advice="Keep copies together, so that the split cannot separate them.",
            command=apply_command(name),
            action="group",
            groups=self.kinship.families((pair.first, pair.second) for pair in pairs),
            images=_about(pairs),
        )

    def _within(self, pairs: list[Pair]) -> Finding:
        """Copies in one part; those that another draw could separate are worth grouping."""
        apart = [pair for pair in pairs if not self.kinship.are_kin(pair.first, pair.second)]
        return Finding(
            id=WITHIN,
            severity="warning" if apart else "note",
            title=f"{amount(len(pairs), 'pair')} of copies in the same part: they count twice.",
            n=len(pairs),
            examples=_shown(apart or pairs),
            advice="Keep copies together, so that no other split or fold separates them."
            if apart
            else "Nothing has to be done: they stay together in every split.",
            command=apply_command(WITHIN) if apart else None,
            action="group" if apart else None,
            groups=self.kinship.families((pair.first, pair.second) for pair in apart),
            images=_about(apart or pairs),
        )


def _about(pairs: Iterable[Pair]) -> tuple[str, ...]:
    """Give the ids of the photographs of pairs."""
    return tuple(sorted({name for pair in pairs for name in (pair.first, pair.second)}))


def _in_full(advice: str, free: Sequence[str]) -> str:
    return advice if free else "All copies lie in given parts, which are never changed: tell who keeps the data."


def _shown(pairs: Sequence[Pair], *, with_labels: bool = False) -> tuple[str, ...]:
    return some(_sides(pair, with_labels=with_labels) for pair in pairs)


def _sides(pair: Pair, *, with_labels: bool) -> str:
    notes = pair.labels if with_labels and pair.labels else pair.splits
    return f"{pair.first} ({notes[0]}) = {pair.second} ({notes[1]}), {pair.kind}"
