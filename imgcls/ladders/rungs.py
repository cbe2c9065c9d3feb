"""The rungs of a ladder: which stacks are compared, and with which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from imgcls.catalog import Stack, Step
from imgcls.errors import StackError
from imgcls.ladders.spec import Kind, RungPlan
from imgcls.plan import Plan


@dataclass(frozen=True)
class Rung:
    """One stack of a ladder, and what it shows."""

    label: str
    """What tells it from the others: the recipe that it adds, or `without` the one it leaves out."""
    stack: Stack
    """The stack."""
    recipes: tuple[str, ...]
    """The recipes that it adds to, or leaves out of, the rung it is compared with; empty for the first."""

    @property
    def plan(self) -> Plan:
        """The plan of the stack."""
        return self.stack.plan


def climbing(stack: Stack) -> tuple[Rung, ...]:
    """Give the rungs of a ladder: the base alone, then one recipe more each time.

    Raises:
        StackError: A rung is no plan, since a recipe stands before what it needs; all are named.
    """
    rungs = tuple(_rung(part) for part in stack.rungs())
    problems = [
        f"Rung {number}, {rung.stack.text}: {problem}"
        for number, rung in enumerate(rungs, start=1)
        for problem in rung.stack.problems()
    ]
    problems += _standing_still(rungs)
    if len(rungs) < 2:
        problems.append(f"{stack.text!r} is one rung; a ladder needs two, such as {stack.text}+augmentation.")
    if problems:
        raise StackError.together(problems, heading="The ladder cannot be climbed in this order:")
    return rungs


def leaving_out(stack: Stack) -> tuple[Rung, ...]:
    """Give the full stack, then the stack without each recipe, and without what cannot stand without that one.

    Raises:
        StackError: There is nothing to leave out.
    """
    if len(stack.steps) < 2:
        raise StackError(f"{stack.text!r} has no recipe to leave out; add one, such as {stack.text}+augmentation.")
    full = Rung("full stack", stack, ())
    return (full, *(_without(stack, step) for step in stack.steps[1:]))


def _rung(stack: Stack) -> Rung:
    if len(stack.steps) == 1:
        return Rung(stack.steps[0].label, stack, ())
    return Rung(stack.steps[-1].label, stack, (stack.names[-1],))


def _standing_still(rungs: Sequence[Rung]) -> list[str]:
    """Name the rungs whose plan is that of the rung below."""
    return [
        f"Rung {number}, {rung.stack.text}: {rung.label!r} changes nothing over the rung below."
        for number, (below, rung) in enumerate(pairwise(rungs), start=2)
        if below.plan == rung.plan
    ]


def _without(stack: Stack, step: Step) -> Rung:
    """Leave a recipe out, and one after the other those that then cannot stand."""
    left = [entry for entry in stack.steps if entry is not step]
    gone = [step]
    while problems := replace(stack, steps=tuple(left)).problems():
        needy = next((entry for entry in left[1:] if any(repr(entry.recipe.name) in text for text in problems)), None)
        if needy is None:
            raise StackError(f"{stack.text} without {step.label}: {' '.join(problems)}")
        left.remove(needy)
        gone.append(needy)
    names = tuple(entry.recipe.name for entry in gone)
    also = f" (and {', '.join(names[1:])}, which needs it)" if len(names) > 1 else ""
    return Rung(f"without {names[0]}{also}", replace(stack, steps=tuple(left)), names)


def rung_plans(rungs: Sequence[Rung], kind: Kind) -> tuple[RungPlan, ...]:
    """Give rungs as data, with what each changes and whose weights it can use.

    Args:
        rungs: From `climbing` or `leaving_out`.
        kind: Which of the two.
    """
    trained: dict[str, int] = {}
    plans = []
    for number, rung in enumerate(rungs):
        partner = rungs[0 if kind == "ablate" else max(0, number - 1)].plan
        diff = rung.plan.diff(partner) if kind == "ablate" else partner.diff(rung.plan)
        first = trained.setdefault(rung.plan.train_digest, number)
        cards = [step.recipe.card for step in _all_steps(rungs) if step.recipe.name in rung.recipes]
        plans.append(
            RungPlan(
                label=rung.label,
                stack=rung.stack.text,
                printed=rung.stack.label,
                recipes=rung.recipes,
                items=tuple(dict.fromkeys(item for card in cards for item in card.items)),
                plan=rung.plan.to_json(),
                plan_digest=rung.plan.digest,
                train_digest=rung.plan.train_digest,
                changes=diff,
                weights_of=None if first == number else first,
            )
        )
    return tuple(plans)


def _all_steps(rungs: Sequence[Rung]) -> tuple[Step, ...]:
    """Give the steps of the longest stack."""
    return max((rung.stack.steps for rung in rungs), key=len)
