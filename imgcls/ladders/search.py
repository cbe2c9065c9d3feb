"""Search for a stack: what is trained next, what is dropped, and which stack is chosen.

A search sees nothing but contributions of images to a metric, and from the same ones it always chooses the same. So it
goes on wherever it was stopped, and it can be repeated with a part of the predictions held out: what such a search
chooses is judged on the part that it never saw, and all parts together make one honest comparison (cross-fitting).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from imgcls.evidence.contributions import Floats
from imgcls.evidence.cross_fitting import parts_of
from imgcls.evidence.gains import Gain, fold_gain, fold_score, measure, score
from imgcls.evidence.power import USUAL
from imgcls.evidence.variance import by_group
from imgcls.records.run import Estimate

_Z_BEHIND = 1.645
"""The upper end of a 90 % interval below zero is clearly behind."""
_Z_TIED = 0.5
"""What is less than half a standard error behind is as good: then the more promising stack is taken."""
_FIRST_TURNS = (2, 3)
"""Turns after which what is behind is dropped; the last stage is all of them."""

Indices = npt.NDArray[np.intp]


def stages_of(n_turns: int) -> tuple[int, ...]:
    """Return the numbers of turns after which a search looks; the last is all of them."""
    return (*(n for n in _FIRST_TURNS if n < n_turns), n_turns)


class Training(NamedTuple):
    """One training of a search."""

    stack: str
    """What is trained."""
    turn: int
    """In which turn: its number among the seeds or folds of the search."""


class HeldOut(NamedTuple):
    """What a search must not see."""

    turn: int
    """A turn."""
    part: int | None
    """A part of the images; None where each turn has images of its own."""


@dataclass(frozen=True)
class Step:
    """One thing a search did."""

    stack: str
    """What it was about."""
    kind: Literal["dropped", "adopted"]
    """Let go of, or taken as what further recipes are added to."""
    against: str
    """What it was compared with."""
    n_turns: int
    """Turns that were seen by then."""
    gain: float
    """Its gain over that, in the metric's unit."""


@dataclass(frozen=True)
class Choice:
    """How far a search came."""

    stack: str
    """The best so far."""
    wanted: tuple[Training, ...]
    """What has to be trained before it can go on; empty at its end."""
    steps: tuple[Step, ...]
    """What it did, in order."""


@dataclass(frozen=True)
class Turns:
    """The images that the turns of a search are scored on."""

    groups: tuple[Indices, ...]
    """Turn → [n] numbers of groups; images that stand alone have a number each."""
    sizes: tuple[tuple[int, int], ...]
    """Turn → images that train and that validate."""
    parts: Indices | None
    """[n] part of each image, from 0, where all turns share their images; None over folds."""
    has_groups: bool = False
    """Whether any group has two images."""

    def __len__(self) -> int:
        return len(self.groups)

    @classmethod
    def of_split(cls, labels: Sequence[object], groups: Indices | None, *, n_seeds: int, n_train: int) -> Turns:
        """Return turns that train again on one split, its images in parts with whole groups and all classes.

        Args:
            labels: [n], what the parts are balanced by.
            groups: [n] numbers of groups; None where images stand alone.
            n_seeds: Turns.
            n_train: Images that train.

        Raises:
            UsageError: They are one group.
        """
        alone, parts = parts_of(labels, groups)
        return cls((alone,) * n_seeds, ((n_train, len(labels)),) * n_seeds, parts, groups is not None)

    def gain(self, before: Sequence[Floats], after: Sequence[Floats]) -> Gain:
        """Measure the gain of one row for each turn over another.

        Args:
            before: Turn → contributions [n] of what is compared with.
            after: Turn → contributions [n] of what is compared.
        """
        if self.parts is not None:
            return measure(np.stack(before), np.stack(after), groups=self._units())
        n_train, n_valid = zip(*self.sizes, strict=True)
        means = [np.array([row.mean() for row in rows]) for rows in (before, after)]
        return fold_gain(means[0], means[1], n_train=n_train, n_valid=n_valid)

    def score(self, metric: str, rows: Sequence[Floats]) -> Estimate:
        """Return the metric of one row for each turn, with its interval."""
        if self.parts is not None:
            return score(metric, np.stack(rows), groups=self._units())
        means, (n_train, n_valid) = np.array([row.mean() for row in rows]), np.mean(self.sizes, axis=0)
        n_images = sum(len(row) for row in rows)
        return fold_score(metric, means, n_train=round(n_train), n_valid=round(n_valid), n_images=n_images)

    def _units(self) -> Indices | None:
        return self.groups[0] if self.has_groups else None

    def held_out(self) -> tuple[HeldOut, ...]:
        """Return what is held out in turn, so that each prediction is judged once by a search that never saw it."""
        parts: Iterable[int | None] = (None,) if self.parts is None else range(int(self.parts.max()) + 1)
        return tuple(HeldOut(turn, part) for part in parts for turn in range(len(self)))


@dataclass(frozen=True)
class Search:
    """The rules, and the results that they are applied to."""

    base: str
    """What every claim is measured against, and chosen where nothing is as good."""
    opening: tuple[str, ...]
    """Stacks that are tried first, the most promising first."""
    turns: Turns
    """The images."""
    results: Mapping[Training, Floats]
    """Contributions [n] of what was trained; more is better."""
    grow: Callable[[str], Sequence[str]] = field(default=lambda _: ())
    """Returns the stacks that have one recipe more than another, the most promising first."""
    out: frozenset[str] = frozenset()
    """Stacks that are let go of, whatever they scored: a training failed, or there is no time for it."""
    smallest_gain: float = 0.005
    """What a further recipe has to gain to stay, in the metric's unit."""
    variants: Sequence[Mapping[str, str]] = ()
    """One after the other: opening stack, with what was decided before, → the same with something else, such as other
    pixels; `cheapest` decides for all."""
    cheapest: str = ""
    """The opening stack that decides; the first of them where it is empty."""

    @cached_property
    def stages(self) -> tuple[int, ...]:
        """Turns after which a search looks."""
        return stages_of(len(self.turns))

    def follow(self, held_out: HeldOut | None = None) -> Choice:
        """Follow the rules as far as what was trained allows.

        Where there are variants, such as other pixels or weights of classes, the cheapest opening stack is tried with
        and without, and all of them open in the form that suits it. Half of the opening stacks, the better ones that
        are not clearly behind, go on from stage to stage. Onto the best, recipes are added one at a time; one that is
        no better after a stage is dropped.

        Args:
            held_out: What is not looked at; None looks at everything.
        """
        pool, missing, steps = self._pool(held_out)
        best = self.base
        if missing:
            return Choice(best, missing, ())
        for stage in self.stages:
            seen = self._seen(stage, held_out)
            if missing := self._missing([self.base, *pool], seen):
                return Choice(best, missing, tuple(steps))
            best = self._best(pool, seen, held_out)
            kept = {*self._better_half(pool, best, seen, held_out)} if stage < len(self.turns) else {best}
            for stack in (stack for stack in pool if stack not in kept):
                gain, _ = self._difference(stack, best, seen, held_out)
                steps.append(Step(stack, "dropped", best, max(seen) + 1, gain))
            pool = [stack for stack in pool if stack in kept]
        return self._grown(best, steps, held_out)

    def _pool(self, held_out: HeldOut | None) -> tuple[list[str], tuple[Training, ...], list[Step]]:
        """Return the stacks to open with, in the form that suits the cheapest; or what has to be trained to know."""
        pool, steps = self.opening, list[Step]()
        plain, seen = self.cheapest or next(iter(self.opening), ""), self._seen(self.stages[0], held_out)
        for others in self.variants:
            other = others.get(plain, plain)
            if other == plain or {plain, other} & self.out:
                continue
            if missing := self._missing([self.base, plain, other], seen):
                return [], missing, []
            gain, error = self._difference(other, plain, seen, held_out)
            n_turns = max(seen) + 1
            if gain + _Z_TIED * error >= 0:
                pool = tuple(others.get(stack, stack) for stack in pool)
                steps.append(Step(plain, "dropped", other, n_turns, -gain))
                plain = other
            else:
                steps.append(Step(other, "dropped", plain, n_turns, gain))
        return [stack for stack in pool if stack not in self.out], (), steps

    def _grown(self, best: str, steps: list[Step], held_out: HeldOut | None) -> Choice:
        """Add one recipe after the other to the best, and keep those that gain."""
        tried = {best}
        while untried := [stack for stack in self.grow(best) if stack not in tried | self.out]:
            stack = untried[0]
            tried.add(stack)
            for stage in self.stages:
                seen = self._seen(stage, held_out)
                if missing := self._missing([stack, best], seen):
                    return Choice(best, missing, tuple(steps))
                gain, _ = self._difference(stack, best, seen, held_out)
                is_last = stage == len(self.turns)
                if gain < (self.smallest_gain if is_last else 0.0):
                    steps.append(Step(stack, "dropped", best, stage, gain))
                    break
                if is_last:
                    steps.append(Step(stack, "adopted", best, stage, gain))
                    best = stack
        return Choice(best, (), tuple(steps))

    def _seen(self, stage: int, held_out: HeldOut | None) -> list[int]:
        return [turn for turn in range(stage) if held_out is None or turn != held_out.turn]

    def _missing(self, stacks: Sequence[str], turns: Sequence[int]) -> tuple[Training, ...]:
        wanted = dict.fromkeys(Training(stack, turn) for turn in turns for stack in stacks)
        return tuple(training for training in wanted if training not in self.results)

    def _visible(self, stack: str, turn: int, held_out: HeldOut | None) -> Floats:
        row = self.results[Training(stack, turn)]
        if held_out is None or held_out.part is None or self.turns.parts is None:
            return row
        return row[self.turns.parts != held_out.part]

    def _ranked(self, stacks: Sequence[str], turns: Sequence[int], held_out: HeldOut | None) -> list[str]:
        """Return stacks with the best mean first; of two that are equal, the one that was named first."""
        means = {
            stack: float(np.mean([self._visible(stack, turn, held_out).mean() for turn in turns])) for stack in stacks
        }
        return sorted(stacks, key=lambda stack: -means[stack])

    def _best(self, pool: Sequence[str], turns: Sequence[int], held_out: HeldOut | None) -> str:
        """Return the best stack; of those that can hardly be told apart, the most promising, and the base last.

        Without that, searches with a part held out would follow chance to other stacks each, and train for all of them.
        """
        top = self._ranked([self.base, *pool], turns, held_out)[0]
        for stack in pool:
            gain, error = self._difference(stack, top, turns, held_out)
            over_base, _ = self._difference(stack, self.base, turns, held_out)
            if gain + _Z_TIED * error >= 0 and over_base:
                return stack
        return self.base

    def _better_half(
        self, pool: Sequence[str], best: str, turns: Sequence[int], held_out: HeldOut | None
    ) -> Iterator[str]:
        """Yield the best and what is not clearly behind, half of the pool at the most."""
        ranked = self._ranked(pool, turns, held_out)
        for stack in sorted(ranked, key=lambda one: one != best)[: ceil(len(pool) / 2)]:
            gain, error = self._difference(stack, ranked[0], turns, held_out) if stack != ranked[0] else (0.0, 0.0)
            if stack == best or gain + _Z_BEHIND * error >= 0:
                yield stack

    def _difference(
        self, stack: str, other: str, turns: Sequence[int], held_out: HeldOut | None
    ) -> tuple[float, float]:
        """Return the gain of one stack over another, and its standard error over images and, as usual, over seeds."""
        rows = [self._visible(stack, turn, held_out) - self._visible(other, turn, held_out) for turn in turns]
        groups = [self.turns.groups[turn] for turn in turns]
        if self.turns.parts is not None:
            mask = self.turns.parts != (held_out.part if held_out else -1)
            units = _units(np.mean(rows, axis=0), groups[0][mask])
        else:
            units = np.concatenate([_units(row, numbers) for row, numbers in zip(rows, groups, strict=True)])
        of_images = float(units.var(ddof=1) / len(units)) if len(units) > 1 else 0.0
        return float(np.mean([row.mean() for row in rows])), float(np.sqrt(of_images + USUAL.seed / len(turns)))

    def unseen(self) -> tuple[Floats, ...] | tuple[Training, ...]:
        """Return the contributions of what is chosen, each by the choice of a search that never saw it.

        Each turn, and of one split each part of the images, is answered by the search that saw neither.

        Returns:
            [n] for each turn; or what has to be trained first.
        """
        chosen = {held: self.follow(held).stack for held in self.turns.held_out()}
        wanted = dict.fromkeys(Training(stack, held.turn) for held, stack in chosen.items())
        if missing := tuple(training for training in wanted if training not in self.results):
            return missing
        return tuple(self._put_together(turn, chosen) for turn in range(len(self.turns)))

    def of(self, stack: str) -> tuple[Floats, ...] | tuple[Training, ...]:
        """Return the contributions [n] of one stack for each turn; or what has to be trained first."""
        wanted = [Training(stack, turn) for turn in range(len(self.turns))]
        missing = tuple(training for training in wanted if training not in self.results)
        return missing or tuple(self.results[training] for training in wanted)

    def choices(self) -> tuple[str, ...]:
        """Return what the searches with a part held out chose, each stack once, the most frequent first."""
        found = [self.follow(held).stack for held in self.turns.held_out()]
        return tuple(sorted(dict.fromkeys(found), key=lambda stack: -found.count(stack)))

    def _put_together(self, turn: int, chosen: Mapping[HeldOut, str]) -> Floats:
        if self.turns.parts is None:
            return self.results[Training(chosen[HeldOut(turn, None)], turn)]
        whole = np.empty(len(self.turns.parts))
        for part in range(int(self.turns.parts.max()) + 1):
            mine = self.turns.parts == part
            whole[mine] = self.results[Training(chosen[HeldOut(turn, part)], turn)][mine]
        return whole


def _units(row: Floats, groups: Indices) -> Floats:
    """Return means of groups as images: weighted so that their mean is that of the images."""
    _, numbers = np.unique(groups, return_inverse=True)
    return by_group(row[None], numbers.astype(np.intp))[0]
