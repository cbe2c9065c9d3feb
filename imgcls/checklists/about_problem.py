"""Stage 1: what imgcls.toml says of the problem, held against what the data say."""

from __future__ import annotations

from imgcls.checklists.commands import look_again
from imgcls.checklists.evidence import FACTS, Evidence
from imgcls.checklists.states import BY_HAND, Answer
from imgcls.problem.metrics import in_words
from imgcls.workspace import MARKER


def goal(evidence: Evidence) -> Answer:
    """Whether title and goal are written down."""
    problem = evidence.problem
    if problem is None:
        return _no_problem(evidence)
    missing = [name for name in ("title", "goal") if not getattr(problem, name).strip()]
    if missing:
        return Answer.missing(f"{MARKER} has no {' and no '.join(missing)}: write it there", BY_HAND)
    return Answer.proved(f"{MARKER}: {problem.title}: {problem.goal}")


def problem_type(evidence: Evidence) -> Answer:
    """Whether the type is written down and equal to what the data say."""
    problem = evidence.problem
    if problem is None:
        return _no_problem(evidence)
    if problem.type is None:
        return Answer.missing(f"{MARKER} has no type: write it there", BY_HAND)
    found = _seen_type(evidence)
    if found is None:
        return Answer.missing(
            f"{MARKER}: {problem.type}; nothing has looked yet whether the data say so", look_again(evidence)
        )
    kind, where = found
    if kind != problem.type:
        return Answer.missing(f"{MARKER} says {problem.type}, but {where} says {kind}: correct one of them", BY_HAND)
    return Answer.proved(f"{MARKER}: {problem.type}, as {where} says")


def metric(evidence: Evidence) -> Answer:
    """Whether the metric is written down."""
    problem = evidence.problem
    if problem is None:
        return _no_problem(evidence)
    if problem.metric is None:
        return Answer.missing(f"{MARKER} has no metric: write it there", BY_HAND)
    return Answer.proved(f"{MARKER}: {in_words(problem.metric)}")


def _seen_type(evidence: Evidence) -> tuple[str, str] | None:
    """Give the type that the data have, and what says so."""
    seen, facts = evidence.present.seen, evidence.facts
    if facts is not None and not evidence.facts_change:
        n_classes = len(facts.data.classes)
        return _counted(facts.data.problem, n_classes), f"{FACTS} ({n_classes} classes)"
    if seen is not None:
        n_classes = len(seen.valid_counts)
        return _counted(seen.problem, n_classes), f"the last reading of the data ({n_classes} classes)"
    return None


def _counted(kind: str, n_classes: int) -> str:
    """Give the type that the classes make: one that was asked for says nothing of the data, their number does."""
    return kind if kind == "multilabel" else "binary" if n_classes == 2 else "multiclass"


def _no_problem(evidence: Evidence) -> Answer:
    if evidence.is_damaged(MARKER):
        return Answer.missing(f"{MARKER} cannot be read: correct it", BY_HAND)
    return Answer.missing(f"there is no {MARKER}")
