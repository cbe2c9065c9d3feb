"""A decision on the terminal: the rule, what it promises, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from imgcls.config.decision import DECISION_TOML, Promise
from imgcls.evidence.decide import Decided, RuleScores
from imgcls.records.blend import BlendRecord
from imgcls.records.run import RunRecord
from imgcls.reports.blend import next_steps
from imgcls.reports.console import NamedRows, count, name, path, with_interval
from imgcls.reports.ladder import section
from imgcls.text import clean

_MOST_CLASSES = 20
_with_interval = partial(with_interval, digits=3)


@dataclass(frozen=True)
class DecisionView:
    """What was decided, and what may be expected of it."""

    decided: Decided
    """The decision."""
    record: RunRecord | BlendRecord
    """Whom it was made for."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the rule, its promises, its scores beside the default's, and what follows it."""
        decided, rule = self.decided, self.decided.decision
        yield Text(f"Answers of {rule.of}", style="bold")
        for line in rule.in_words():
            yield Text(clean(line))
        yield Text("nothing was written", style="dim") if decided.path is None else path(decided.path)
        yield from map(self._promise, rule.promises)
        on = f", chosen on others ({decided.held_out})" if decided.held_out else ""
        yield Text(f"\nOn {count(decided.n, 'photograph')} of validation{on}", style="bold")
        yield self._table()
        if len(rule.classes) > _MOST_CLASSES:
            yield Text(f"… and {len(rule.classes) - _MOST_CLASSES} more classes; --json lists all.", style="dim")
        yield from map(Text, self._sums())
        if decided.path is not None:
            yield from section("Next", self._steps)

    @property
    def _steps(self) -> list[str]:
        """Return the commands that follow the decision; the record of all folds has no network of its own."""
        record = self.record
        if isinstance(record, RunRecord) and record.folds is not None:
            return [f"imgcls predict RUN PHOTO … --decision {DECISION_TOML}    # RUN: a network of the same stack"]
        return next_steps(record)

    def _promise(self, promise: Promise) -> Text:
        found = self.decided.found(promise)
        verdict, style, why = "shown", "green", f", at least {promise.shown:.3f} (lower end of its 95 % interval)."
        if not promise.is_shown:
            verdict, style = "not shown", "red"
            why = f": these photographs show {promise.shown:.3f} at best. It takes more of them."
        elif found.value is None or found.value < promise.at_least:
            verdict, style, why = "not kept", "red", f" on photographs that did not choose: {_with_interval(found)}."
        asked = f"{promise.what.capitalize()} of {clean(promise.of)} of {promise.at_least:g} or more: "
        return Text(asked).append(verdict, style).append(why)

    def _table(self) -> NamedRows:
        """Draw what the rule does on each class, and below it what the default does."""
        decided, rows = self.decided, []
        n_classes = min(len(decided.decision.classes), _MOST_CLASSES)
        for place, (title, scores) in product(range(n_classes), self._sides()):
            one, n_without = scores.classes[place], decided.n_without[place]
            cells = (
                f"{one.n:,}",
                _with_interval(one.recall),
                _with_interval(one.precision),
                f"{scores.n_false[place]:,} of {n_without:,}",
            )
            rows.append((title or name(one.name), *(Text(cell, "dim" if title else "") for cell in cells)))
        titles = ("images", "recall", "precision", "false alarms")
        return NamedRows(("class", *titles), rows, numbers=frozenset(titles))

    def _sides(self) -> list[tuple[Text | None, RuleScores]]:
        """Return the rule's scores and, where it is another one, the default's with its title."""
        decided, default = self.decided, (Text("  by default", "dim"), self.decided.default)
        return [(None, decided.scores), *([] if decided.decision.is_default else [default])]

    def _sums(self) -> Iterator[str]:
        decided, n_unsure = self.decided, self.decided.scores.n_unsure
        if n_unsure:
            share = f"{n_unsure / decided.n:.1%}"
            yield f"Left to a person: {n_unsure:,} of {decided.n:,} ({share}); scores are of the others."
        seeks_f1 = "--f1" in decided.decision.asked
        for title, scores in self._sides():
            of = "By default" if title else "By this rule"
            cost = "" if scores.cost is None else f"; cost of a photograph {_with_interval(scores.cost)}"
            f1 = f"; mean F1 {scores.mean_f1:.3f}" if seeks_f1 else ""
            yield f"{of}: right {_with_interval(scores.accuracy)}{cost}{f1}."
        if (seeks_f1 or decided.scores.cost is not None) and not decided.is_better:
            others = " on photographs that did not choose it" if decided.held_out else ""
            yield f"So the rule is no better than the default{others}; --decision none answers by that."
