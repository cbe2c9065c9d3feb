"""Comparison of two stacks, or of two runs, from the records of a workspace: the gain, its interval and verdict."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from imgcls.catalog import Recipe, Stack, parse_steps
from imgcls.config.metrics import COMPARED, Units, deciding_metric, find_metric
from imgcls.config.problem import metric_of
from imgcls.errors import ImgclsError, RecordError, StackError, UsageError
from imgcls.evidence.contributions import check_metric
from imgcls.evidence.gains import Gain
from imgcls.evidence.verdicts import Judged, judge
from imgcls.ladders.judge import gain_record, verdict_record
from imgcls.ladders.predictions import (
    CrossValidated,
    MeasuredRuns,
    OneSplit,
    Predictions,
    changes,
    check_apart,
    read_predictions,
    shares_weights,
)
from imgcls.ladders.results import SCHEMA, AcrossReview, Arm, Change, ComparisonData, ComparisonRecord
from imgcls.ladders.spec import COMPARISONS
from imgcls.plan import Plan
from imgcls.records.blend import BEST_WAS_CHOSEN, THESE_NETWORKS, BlendTurn, find_blend
from imgcls.records.find import find_failed, find_run, find_runs
from imgcls.records.run import RunRecord
from imgcls.schema import to_json
from imgcls.storage import canonical_json, make_folder, write_json
from imgcls.workspace import Workspace

_DIGEST_LENGTH = 16


def keep(comparison: Mapping[str, Any], workspace: Workspace) -> Path | None:
    """Write a comparison where the checklist finds it, over an older one of the same sides, data and metric.

    Args:
        comparison: What was found, as JSON values: see `imgcls.ladders.compare.Comparison.to_json`.
        workspace: Whose runs were compared.

    Returns:
        The file; None where it cannot be written, for the answer itself does not depend on it.
    """
    path = workspace.reports / COMPARISONS / f"{_question(comparison)}.json"
    with suppress(ImgclsError):
        make_folder(path.parent)
        write_json(path, comparison)
        return path
    return None


def _question(comparison: Mapping[str, Any]) -> str:
    """Return the digest of what was compared: what was typed, which plans, on which images, by which metric."""
    question = {
        "sides": [[side["text"], side["plan_digest"]] for side in (comparison["a"], comparison["b"])],
        "metric": comparison["metric"],
        "data": comparison["data"]["digest"],
        "splits": list(comparison["data"]["split_digests"]),
    }
    return hashlib.sha256(canonical_json(question).encode("ascii")).hexdigest()[:_DIGEST_LENGTH]


_SHOWN_DIGEST_LENGTH = 8
Seeds = Mapping[int, RunRecord]


class ComparisonKey(NamedTuple):
    """What two runs have to have in common to be compared."""

    data: str
    """Digest of samples, labels and pixels."""
    classes: tuple[str, ...]
    """The classes, in order."""
    problem: str
    """`binary`, `multiclass` or `multilabel`."""
    fold: int | None
    """The fold; None without folds."""
    split: str
    """Digest of who trains and who validates."""

    @classmethod
    def of(cls, run: RunRecord, *, before_review: bool = False) -> ComparisonKey:
        """Return that of a run.

        Args:
            run: The run.
            before_review: Whether what a review decided is left aside.
        """
        data = run.data.before_review if before_review and run.data.before_review else run.data
        return cls(data.digest, run.classes, run.problem, run.fold, data.split_digest)


@dataclass(frozen=True)
class RunSelection:
    """The runs that a text means."""

    text: str
    """What was typed."""
    runs: tuple[RunRecord, ...]
    """Finished runs of one plan, oldest first; at least one."""
    notes: tuple[str, ...]
    """What a person should know of them."""


def select_runs(text: str, workspace: Workspace) -> RunSelection:
    """Find the runs that a text means.

    Args:
        text: A stack as typed or printed, or the beginning of a plan's digest: all full runs of that plan.
            A folder, an id, a key, or the beginning of one: that run alone.
        workspace: Where to look.

    Raises:
        RecordError: There is none, it has quick runs only, or the text can mean several plans.
    """
    everything = [run for run in find_runs(workspace)[0] if run.all_data is None]
    plans = _plans_named(text, everything)
    if len(plans) > 1:
        listed = "; ".join(f"{digest[:_SHOWN_DIGEST_LENGTH]} ({label})" for digest, label in sorted(plans.items()))
        raise RecordError(f"{text!r} can mean {len(plans)} plans. Name one by its digest: {listed}.")
    if not plans:
        return _one_run(text, everything, workspace)
    (digest,) = plans
    runs = [run for run in everything if run.plan_digest == digest]
    full = tuple(run for run in runs if not run.quick)
    if not full:
        raise RecordError(f"{text!r} was only tried with --quick, and quick runs are not compared. Run it in full.")
    n_failed = sum(run.plan_digest == digest for run in find_failed(workspace)[0])
    notes = (f"{text}: {n_failed} further runs failed; the gain holds for runs that finish.",) if n_failed else ()
    return RunSelection(text, full, notes)


def with_folds(selection: RunSelection, workspace: Workspace) -> RunSelection:
    """Return the runs of the folds in place of a joint record that was named by its id.

    Raises:
        RecordError: One of them is gone, or was trained again since.
    """
    if any(run.folds is None for run in selection.runs):
        return selection
    runs = []
    for joint in selection.runs:
        for fold in joint.folds.runs if joint.folds else ():
            run = find_run(fold.run, workspace)
            if run.digest() != fold.sha256:
                raise RecordError(f"{run.id} was trained again since {joint.id} was made. Name the stack instead.")
            runs.append(run)
    return replace(selection, runs=tuple(runs), notes=())


def _side_of(text: str, workspace: Workspace) -> RunSelection:
    """Return the runs that a text means, or what a blend says in the place of them."""
    blend = find_blend(text, workspace)
    if blend is None:
        return with_folds(select_runs(text, workspace), workspace)
    notes = tuple(f"{blend.id}: {note}" for note in blend.notes if note not in (THESE_NETWORKS, BEST_WAS_CHOSEN))
    return RunSelection(text, blend.turns(workspace), notes)


def side_by_side(
    a: RunSelection, b: RunSelection
) -> tuple[dict[int | None, Seeds], dict[int | None, Seeds], tuple[str, ...]]:
    """Keep the runs of both sides that were scored on the same images.

    Returns:
        Fold (None without folds) → seed → run, for either side with the same folds; and what was left out, in words.

    Where a review changed labels between the two sides, they are compared all the same: images and parts are the same.

    Raises:
        UsageError: A run is on both sides, or nothing was scored on the same images; what differs is named.
    """
    twice = {run.id for run in a.runs} & {run.id for run in b.runs}
    if twice:
        raise UsageError(f"{a.text!r} and {b.text!r} both mean {min(twice)}; a comparison needs two different sides.")
    by_key = [_by_key(side) for side in (a, b)]
    common = [key for key in by_key[0] if key in by_key[1]]
    if not common:
        by_key = [_by_key(_newest_data(side), before_review=True) for side in (a, b)]
        common = [key for key in by_key[0] if key in by_key[1]]
    if not common:
        raise UsageError.together(
            differences(a, b), heading=f"{a.text!r} and {b.text!r} were not scored on the same images:"
        )
    best = max(common, key=lambda key: _rank(key, by_key))
    chosen: dict[int | None, ComparisonKey] = {}
    for key in sorted(common, key=lambda key: _rank(key, by_key)):
        if (key.data, key.classes, key.fold is None) == (best.data, best.classes, best.fold is None):
            chosen[key.fold] = key
    sides: list[dict[int | None, Seeds]] = []
    notes: list[str] = []
    for asked, runs_by_key in zip((a, b), by_key, strict=True):
        kept: dict[int | None, Seeds] = {
            fold: {run.seed: run for run in runs_by_key[key]} for fold, key in chosen.items()
        }
        n_kept = sum(len(seeds) for seeds in kept.values())
        if n_kept < len(asked.runs):
            notes.append(
                f"{asked.text}: {len(asked.runs) - n_kept} of {len(asked.runs)} runs are left out: "
                "on other data, splits or folds, or an older run of the same seed."
            )
        sides.append(kept)
    return sides[0], sides[1], tuple(notes)


def _plans_named(text: str, runs: Sequence[RunRecord]) -> dict[str, str]:
    """Return digest and label of the plans that a text can mean, the closest kind of name first."""
    named = [run for run in runs if run.label == text] or [run for run in runs if run.stack == text]
    if not named:
        with suppress(StackError):  # then it may be the id of a run
            digest = Stack.parse(text).plan.digest
            named = [run for run in runs if run.plan_digest == digest]
    if not named and len(text) >= _SHOWN_DIGEST_LENGTH:
        named = [run for run in runs if run.plan_digest.startswith(text)]
    return {run.plan_digest: run.label for run in named}


def _one_run(text: str, everything: Sequence[RunRecord], workspace: Workspace) -> RunSelection:
    try:
        record = find_run(text, workspace)
    except RecordError:
        with suppress(StackError):
            stack = Stack.parse(text)
            raise RecordError(
                f"There is no finished run of {text!r} in {workspace.runs}. 'imgcls recipe run {stack.text}' makes one."
            ) from None
        raise
    if record.quick or record.status != "done":
        why = "a quick run (--quick)" if record.quick else "failed"
        raise RecordError(f"Run {record.id} is {why}, and is not compared. Run it in full.")
    if record.all_data is not None:
        raise RecordError(
            f"Run {record.id} was trained on all the data, so that it has no score to compare. {record.label!r} names "
            "the runs that were judged; 'imgcls blend --all-data' blends those that were not."
        )
    others = [run for run in everything if run.plan_digest == record.plan_digest and not run.quick]
    n_others = sum(run.id != record.id for run in others)
    note = (
        f"{record.id} is one run; there are {n_others} more of the same plan. "
        f"'imgcls compare' with {record.label!r} takes all of them."
    )
    return RunSelection(text, (record,), (note,) if n_others else ())


def differences(a: RunSelection, b: RunSelection) -> list[str]:
    """Return what keeps the newest runs of two selections apart, the first thing that does, and what to do about it."""
    one, other = a.runs[-1], b.runs[-1]
    pairs = {
        "data": [f"{run.data.name}, digest {run.data.digest[:_SHOWN_DIGEST_LENGTH]}" for run in (one, other)],
        "problem": [one.problem, other.problem],
        "classes": [", ".join(run.classes) for run in (one, other)],
        "folds": [_folds(side) for side in (a, b)],
        "split": [f"digest {run.data.split_digest[:_SHOWN_DIGEST_LENGTH]}" for run in (one, other)],
    }
    different = [f"{what}: {left} and {right}" for what, (left, right) in pairs.items() if left != right]
    advice = "Run both stacks with the same data and the same split."
    if not different:  # of the newest runs; older ones may be on other splits
        return ["the runs that both have", advice]
    return [*different[: 2 if different[0].startswith("problem") else 1], advice]


def _folds(asked: RunSelection) -> str:
    folds = sorted({-1 if run.fold is None else run.fold for run in asked.runs})
    return ", ".join("none" if fold < 0 else str(fold) for fold in folds)


SMALLEST_GAIN = 0.005
"""The smallest gain of interest where nobody names one, in the metric's unit."""
_A, _B = 0, 1


@dataclass(frozen=True)
class Comparison:
    """Side B over side A."""

    a: Arm
    """What is compared with."""
    b: Arm
    """What is compared."""
    judged: Judged
    """The gain of B over A in the metric, and its verdict."""
    other_gains: Mapping[str, Gain]
    """The gain in the other metrics, for which no verdicts are given."""
    metric: str
    """The metric that the verdict is about."""
    n_images: int
    """Images that every run was scored on, over all folds."""
    n_groups: int
    """The groups that they come in; 0 where they stand alone."""
    fixed: tuple[Change, ...]
    """Images that B gets right more often, the most first; empty for several labels an image."""
    broken: tuple[Change, ...]
    """Images that B gets right less often, likewise."""
    notes: tuple[str, ...]
    """What a person should know before believing it."""
    data_name: str
    """The short name of the data set."""
    data_digest: str
    """Digest of samples, labels and pixels."""
    split_digests: tuple[str, ...]
    """Digest of who trains and who validates, one for each fold that both sides have."""
    n_folds: int | None
    """The number of folds that both sides have; None for one split."""
    changes: Mapping[str, tuple[Any, Any]]
    """Plan path → value of A and value of B."""
    recipes: tuple[str, ...]
    """The recipes that one side has and the other has not."""
    items: tuple[str, ...]
    """The checklist items that all of these answer."""
    split_seed: int | None = None
    """The seed that split or folds were drawn from; None where the records do not keep it."""
    has_blend: bool = False
    """Whether a side is a blend; on one split the verdict is then about exactly these networks."""
    review: AcrossReview | None = None
    """What lies between the two sides, where that is a review of labels."""

    @property
    def unit(self) -> str:
        """Return the unit of gains: points, or nats for log loss."""
        return Units(self.metric).name

    def to_json(self) -> dict[str, Any]:
        """Return the whole as JSON values, without NaN."""
        record = ComparisonRecord(
            a=self.a,
            b=self.b,
            metric=self.metric,
            unit=self.unit,
            gain=verdict_record(self.judged),
            other_gains={metric: gain_record(gain) for metric, gain in self.other_gains.items()},
            data=ComparisonData(
                name=self.data_name,
                digest=self.data_digest,
                split_digests=self.split_digests,
                n_images=self.n_images,
                n_groups=self.n_groups,
                n_folds=self.n_folds,
                split_seed=self.split_seed,
            ),
            changes=self.changes,
            recipes=self.recipes,
            items=self.items,
            fixed=self.fixed,
            broken=self.broken,
            notes=self.notes,
            review=self.review,
        )
        return {"schema": SCHEMA, **to_json(record)}


def compare(
    a: str,
    b: str,
    *,
    workspace: Workspace | None = None,
    metric: str | None = None,
    smallest_gain: float | None = None,
) -> Comparison:
    """Compare B with A from what their runs recorded; nothing is trained.

    The answer is kept in `reports/comparisons`, where the checklist finds it.

    Args:
        a: A stack such as `baseline+augmentation`: all its full runs. Or the id or folder of one run, or of a blend:
            then the verdict is about exactly these networks, a stack counting by the mean of its runs.
        b: Likewise.
        workspace: Where the records lie; the one of the current folder when None.
        metric: What the verdict is about, chosen before looking: accuracy, macro_f1, `f_beta:beta=2` or any other of
            `imgcls.evidence.METRICS` that has contributions of single images, or `module:function`. When None, the one
            that imgcls.toml names, or else ROC AUC for two classes and for several labels, and accuracy otherwise.
        smallest_gain: The smallest gain of interest, in the metric's own unit, above 0: a share (0.005 is half a
            point), or nats for log loss.

    Raises:
        RecordError: There is no such run, or a record is damaged.
        UsageError: The sides were not scored on the same images, or the metric cannot be computed on them.

    Example:
        >>> imgcls.compare("baseline", "baseline+augmentation").judged.verdict  # doctest: +SKIP
        'likely better'
    """
    workspace = workspace or Workspace.find()
    smallest = check_question(metric, smallest_gain)
    asked = _side_of(a, workspace), _side_of(b, workspace)
    if asked[0].runs == asked[1].runs and len(asked[0].runs) > 1:
        asked = _before_and_after(asked[0])
    before, after, left_out = side_by_side(*asked)
    records = [run for side in (before, after) for seeds in side.values() for run in seeds.values()]
    metric = deciding_metric(metric or metric_of(workspace.root, records[0].problem)).text
    check_metric(metric, problem=records[0].problem, classes=records[0].classes)
    given = any(isinstance(run, BlendTurn) for run in records)
    same = shares_weights(_flat(before), _flat(after))
    decided = _decided_side(before, after)
    measured = _measured(before, after, given=given, decided=decided)
    boards = [measured.board] if isinstance(measured, OneSplit) else measured.boards.values()
    first_of_folds = [next(iter(seeds.values())) for seeds in before.values()]
    changed = changes(measured, _A, _B)
    gains = [measured.gain(_A, _B, metric, same_weights=same)]
    changed_labels = any(board.disputed is not None and board.disputed.any() for board in boards)
    if changed_labels:
        with suppress(UsageError):  # the metric cannot be computed on the others alone
            gains.append(_undisputed(measured).gain(_A, _B, metric, same_weights=same))
    judged, *others = judge(gains, smallest_gain=smallest)
    recipes = () if given else _different_recipes(records[0], records[-1])
    found = Comparison(
        a=_side(asked[0], before, measured, _A, metric),
        b=_side(asked[1], after, measured, _B, metric),
        judged=judged,
        other_gains=_other_gains(measured, metric, same_weights=same),
        metric=metric,
        n_images=sum(len(part.ids) for part in boards),
        n_groups=sum(run.data.n_valid_groups for run in first_of_folds),
        fixed=changed.fixed if changed else (),
        broken=changed.broken if changed else (),
        notes=(*asked[0].notes, *asked[1].notes, *left_out, *measured.notes, *_warnings(records)),
        data_name=records[0].data.name,
        data_digest=records[0].data.digest,
        split_digests=tuple(run.data.split_digest for run in first_of_folds),
        n_folds=len(before) if isinstance(measured, CrossValidated) else None,
        changes={} if given else Plan.from_json(records[0].plan).diff(Plan.from_json(records[-1].plan)),
        recipes=tuple(recipe.name for recipe in recipes),
        items=() if decided is not None else _answered(recipes, records[0], records[-1]),
        split_seed=next((seed for run in records if (seed := run.data.split_seed) is not None), None),
        has_blend=given,
        review=None if decided is None else _across(decided, boards, others if changed_labels else [judged]),
    )
    keep(found.to_json(), workspace)
    return found


def check_question(metric: str | None, smallest_gain: float | None) -> float:
    """Check a metric, and return the smallest gain of interest, before anything is read.

    Raises:
        UsageError: The metric has no verdicts, or the gain is not above 0.
    """
    if metric is not None:
        deciding_metric(metric)
    smallest = SMALLEST_GAIN if smallest_gain is None else smallest_gain
    if not (np.isfinite(smallest) and smallest > 0):
        raise UsageError(f"The smallest gain of interest has to be a number above 0, not {smallest_gain}.")
    return smallest


def _decided_side(before: Mapping[int | None, Seeds], after: Mapping[int | None, Seeds]) -> int | None:
    """Return the side whose labels judge both, where a review lies between them: the one on the newer decisions."""
    first, last = (next(iter(next(iter(side.values())).values())) for side in (before, after))
    if first.data.digest == last.data.digest or _version(first) == _version(last):
        return None
    reviewed = [side for side, run in ((_A, first), (_B, last)) if run.data.before_review is not None]
    return max(reviewed, key=lambda side: (first, last)[side].created)


def _undisputed(measured: OneSplit | CrossValidated) -> OneSplit | CrossValidated:
    """Return both sides on the images whose label a review left as it was."""
    if isinstance(measured, OneSplit):
        return replace(measured, board=_agreed(measured.board))
    return replace(measured, boards={fold: _agreed(board) for fold, board in measured.boards.items()})


def _agreed(board: Predictions) -> Predictions:
    return board if board.disputed is None else board.at(np.flatnonzero(~board.disputed))


def _across(decided: int, boards: Iterable[Predictions], undisputed: Sequence[Judged]) -> AcrossReview:
    disputed = np.concatenate([board.disputed for board in boards if board.disputed is not None])
    return AcrossReview(
        judged_by="AB"[decided],
        n_relabelled=int(disputed.sum()),
        n_undisputed=int((~disputed).sum()),
        undisputed=verdict_record(undisputed[0]) if undisputed else None,
    )


def _measured(
    before: Mapping[int | None, Seeds], after: Mapping[int | None, Seeds], *, given: bool, decided: int | None
) -> OneSplit | CrossValidated:
    """Return both sides ready to be compared, on one split or over folds, by the labels of one where they differ."""
    boards = {}
    for fold in before:
        sides = (before[fold], after[fold])
        labels_of = None if decided is None else next(iter(sides[decided].values()))
        boards[fold] = read_predictions([*sides[_A].values(), *sides[_B].values()], labels_of=labels_of)
    if len(boards) == 1:
        (fold,) = boards
        return OneSplit(boards[fold], {_A: before[fold], _B: after[fold]}, given=given)
    check_apart(boards.values())
    folds = [fold for fold in before if fold is not None]
    runs = {number: {fold: side[fold] for fold in folds} for number, side in ((_A, before), (_B, after))}
    return CrossValidated({fold: boards[fold] for fold in folds}, runs)


def _side(
    asked: RunSelection, folds: Mapping[int | None, Seeds], measured: MeasuredRuns, number: int, metric: str
) -> Arm:
    runs = [seeds[seed] for _, seeds in sorted(folds.items(), key=lambda pair: pair[0] or 0) for seed in sorted(seeds)]
    sd = measured.seed_sd(number, metric)
    first = runs[0]
    networks = [(run.id, run.seed) for run in runs]
    if isinstance(first, BlendTurn):
        networks = [(run, member.seed) for member in first.blend.members if member.weight for run in member.runs]
    return Arm(
        text=asked.text,
        label=first.label,
        stack=first.stack,
        overrides=dict(first.overrides),
        plan_digest=first.plan_digest,
        runs=tuple(id_ for id_, _ in networks),
        seeds=tuple(sorted({seed for _, seed in networks})),
        values=tuple(find_metric(metric).signed(value) for value in measured.values(number, metric)),
        score=measured.score(number, metric),
        seed_sd=None if np.isnan(sd) else sd,
    )


def _other_gains(measured: MeasuredRuns, primary: str, *, same_weights: bool) -> dict[str, Gain]:
    found = {}
    for metric in COMPARED:
        if metric != primary:
            try:
                found[metric] = measured.gain(_A, _B, metric, same_weights=same_weights)
            except UsageError:  # cannot be computed on these images, and no verdict depends on it
                continue
    return found


def _different_recipes(a: RunRecord, b: RunRecord) -> tuple[Recipe, ...]:
    """Return the recipes that only one of two runs has; none where a recipe cannot be found any more."""
    try:
        ours, theirs = ({step.recipe.name: step.recipe for step in parse_steps(record.stack)[1:]} for record in (a, b))
    except StackError:
        return ()
    everything = ours | theirs
    return tuple(everything[name] for name in everything if (name in ours) != (name in theirs))


def _answered(recipes: tuple[Recipe, ...], a: RunRecord, b: RunRecord) -> tuple[str, ...]:
    """Return the checklist items that a verdict on some recipes answers: those that each of them answers."""
    if not recipes or a.overrides != b.overrides:  # then the gain is not that of the recipes alone
        return ()
    items = dict.fromkeys(item for recipe in recipes for item in recipe.card.items)
    return tuple(item for item in items if all(item in recipe.card.items for recipe in recipes))


def _flat(side: Mapping[int | None, Seeds]) -> dict[tuple[int | None, int], RunRecord]:
    return {(fold, seed): run for fold, seeds in side.items() for seed, run in seeds.items()}


def _warnings(records: list[RunRecord]) -> list[str]:
    found = []
    if len({run.environment.get("device") for run in records}) > 1:
        found.append("The runs were made on different devices; so may be part of the difference.")
    if len({str(sorted(run.environment.get("versions", {}).items())) for run in records}) > 1:
        found.append("The runs were made under different versions of the libraries; 'imgcls runs show' tells which.")
    first, last = records[0], records[-1]
    if first.plan.get("model") == last.plan.get("model") and len({run.weights.sha256 for run in records}) > 1:
        found.append("The runs did not begin with the same weights; so may be part of the difference.")
    return found


def _by_key(asked: RunSelection, *, before_review: bool = False) -> dict[ComparisonKey, list[RunRecord]]:
    found: dict[ComparisonKey, list[RunRecord]] = {}
    for run in asked.runs:
        found.setdefault(ComparisonKey.of(run, before_review=before_review), []).append(run)
    return found


def _newest_data(asked: RunSelection) -> RunSelection:
    """Return a side with the runs on the version of the data that its newest run was trained on."""
    version = _version(asked.runs[-1])
    return replace(asked, runs=tuple(run for run in asked.runs if _version(run) == version))


def _version(run: RunRecord) -> tuple[str, ...]:
    """Return what tells labels before a review from those after it; the same in all folds."""
    decided = run.data.before_review
    return () if decided is None else (run.data.digest,)


def _before_and_after(asked: RunSelection) -> tuple[RunSelection, RunSelection]:
    """Return the runs of one plan before a review, and those after the newest one, where both sides mean the same.

    Raises:
        UsageError: Nothing was reviewed between them.
    """
    after = [run for run in asked.runs if run.data.before_review is not None]
    before = [run for run in asked.runs if run.data.before_review is None]
    if not after or not before:
        raise UsageError(
            f"{asked.text!r} is on both sides; a comparison needs two different sides, or a review between."
        )
    return replace(asked, runs=tuple(before)), replace(asked, runs=tuple(after))


def _rank(key: ComparisonKey, by_key: Sequence[Mapping[ComparisonKey, Sequence[RunRecord]]]) -> tuple[int, str]:
    """Return by what keys are ranked: where both sides have many runs, then the newest."""
    sides = [runs_by_key[key] for runs_by_key in by_key]
    return min(len(runs) for runs in sides), max(run.created for runs in sides for run in runs)
