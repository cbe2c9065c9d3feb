"""Blend: the predictions of several networks as one, judged against the best of them, and kept for predicting.

What is fitted, such as weights, is judged on predictions that it was not fitted on: those of a part of the images that
was held out, or of another fold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from imgcls.config.metrics import RECORDED, deciding_metric
from imgcls.config.problem import metric_of
from imgcls.errors import RecordError, UsageError
from imgcls.evidence.contributions import Booleans, Floats, check_metric, metric_value, scored
from imgcls.evidence.cross_fitting import parts_of
from imgcls.evidence.gains import Gain, fold_gain, fold_score, measure, score
from imgcls.evidence.metrics import evaluate
from imgcls.evidence.verdicts import judge
from imgcls.ladders.climb import ClimbRecord, find_climb, newest
from imgcls.ladders.compare import ComparisonKey, RunSelection, check_question, differences, select_runs, with_folds
from imgcls.ladders.judge import verdict_record
from imgcls.ladders.predictions import Predictions, check_apart, read_predictions
from imgcls.ladders.results import SCHEMA, VERDICT_JSON, Blend, BlendVerdict, read_blend, read_result
from imgcls.ladders.spec import RESULT_JSON, Ladder, find_ladder, find_ladders, is_ladder
from imgcls.predictions.blending import FITTED, check_way, fit_weights, select_greedily
from imgcls.predictions.blending import blend as blended
from imgcls.records.blend import (
    BEST_WAS_CHOSEN,
    BLEND_JSON,
    THESE_NETWORKS,
    BlendMember,
    BlendRecord,
    blend_key,
    find_blends,
    whole_members,
)
from imgcls.records.find import find_run, find_runs
from imgcls.records.run import NOT_SCORED, Estimate, RunData, RunRecord, joint_data, parquet_bytes, short_key
from imgcls.schema import to_json
from imgcls.storage import json_bytes, make_folder, one_at_a_time, write_bytes
from imgcls.workspace import Workspace

AGAIN = "the same networks were blended before"


def blend(
    *what: str,
    by: str = "mean",
    metric: str | None = None,
    smallest_gain: float | None = None,
    all_data: bool = False,
    workspace: Workspace | None = None,
) -> Blend:
    """Make the predictions of several networks one, and judge it against the best of them; nothing is trained.

    Args:
        *what: Stacks (all their full runs), runs, ladders and climbs by name (all runs of the stack that they chose).
            Nothing takes the newest ladder or climb.
        by: `mean`, `geometric`, or `rank` of the probabilities; `weights` fits the shares of a weighted mean by log
            loss, `greedy` by adding member after member. What is fitted is judged on what it was not fitted on.
        metric: What members are scored by and the verdict is about; as for `imgcls.compare`.
        smallest_gain: The smallest gain of interest, in the metric's unit.
        all_data: Whether the networks of these stacks are meant that were trained on all the data: by `mean` or
            `geometric`, without a score of their own.
        workspace: Where the records lie; the one of the current folder when None.

    Returns:
        The blend: `.record.metrics` are its estimates, `.verdict.gain` its gain over the best member.

    Raises:
        RecordError: There is no such run or ladder, or a record is damaged.
        UsageError: There are fewer than two members, they were not scored on the same images, or what all the data
            trained has nothing to fit on.

    Example:
        >>> imgcls.blend("baseline+augmentation").verdict.gain.verdict  # doctest: +SKIP
        'likely better'
    """
    place = workspace or Workspace.find()
    check_way(by, problem="")
    smallest = check_question(metric, smallest_gain)
    if all_data:
        return _on_all_data(what or (None,), by, metric, smallest, place)
    selections = [_selected(text, place) for text in what] if what else [_newest(place)]
    members, notes = _members(selections)
    check_way(by, problem=members[0].first.problem)
    first = members[0].first
    judged_by = deciding_metric(metric or metric_of(place.root, first.problem)).text
    check_metric(judged_by, problem=first.problem, classes=first.classes)
    work = _Work(
        members=members,
        way=by,
        metric=judged_by,
        smallest_gain=smallest,
        notes=notes,
        workspace=place,
    )
    return work.found() or work.made()


@dataclass(frozen=True)
class _Member:
    """One stack with one seed."""

    runs: tuple[RunRecord, ...]
    """Its run; over folds one for each, in order."""

    @property
    def first(self) -> RunRecord:
        return self.runs[0]

    @property
    def common(self) -> tuple[ComparisonKey, ...]:
        """What its runs were trained and scored on."""
        return tuple(map(ComparisonKey.of, self.runs))


def _newest(workspace: Workspace) -> RunSelection:
    """Return the runs of the stack that the newest climb or ladder chose."""
    found = newest(workspace)
    if found is None:
        raise RecordError(
            f"There is no ladder in {workspace.ladders} whose networks could be blended. Name stacks or runs, such as "
            "'imgcls blend baseline' after trainings with several seeds."
        )
    return _chosen_by(found, workspace)


def _selected(text: str, workspace: Workspace) -> RunSelection:
    """Return the runs that a text means: those of the stack that a ladder or climb of that name chose, else others."""
    climb = find_climb(text, workspace)
    if climb is not None:
        return _chosen_by(climb, workspace)
    if is_ladder(Path(text)) or any(ladder.name == text for ladder in find_ladders(workspace)[0]):
        return _chosen_by(find_ladder(text, workspace), workspace)
    return with_folds(select_runs(text, workspace), workspace)


def _chosen_by(found: Ladder | ClimbRecord, workspace: Workspace) -> RunSelection:
    if isinstance(found, ClimbRecord):
        if not found.chosen_runs:
            raise RecordError(f"Climb {found.name} has not chosen a stack yet; 'imgcls ladder climb' goes on with it.")
        runs = found.chosen_runs
    else:
        assert found.folder is not None  # noqa: S101 - it was read from there
        result = read_result(found.folder / RESULT_JSON)
        runs = next(rung.runs for rung in result.rungs if rung.printed == result.incumbent)
    chosen = (
        f"{found.name} chose its stack on these very photographs, so that all scores here say a little too much; the "
        "gain over its own members does not."
    )
    return RunSelection(found.name, tuple(find_run(run, workspace) for run in runs), (chosen,))


def _members(selections: Sequence[RunSelection]) -> tuple[tuple[_Member, ...], tuple[str, ...]]:
    """Return the members that were scored on the same images, each once; and what was left out, in words.

    Raises:
        UsageError: A selection has none of them, or there are fewer than two in all.
    """
    named = [{run.id for run in selection.runs} for selection in selections]
    runs = {run.id: run for selection in selections for run in selection.runs}
    everything = [_Member(runs) for runs in whole_members(runs.values())]  # folds may be named one by one
    found = [[one for one in everything if ids & {run.id for run in one.runs}] for ids in named]
    if lacking := [one.text for one, members in zip(selections, found, strict=True) if not members]:
        raise UsageError(
            f"No seed of {', '.join(map(repr, lacking))} has all of its folds, so nothing of it can be blended. Train "
            "the rest of them."
        )
    counts = Counter(member.common for members in found for member in members)
    newest = {member.common: max(run.created for run in member.runs) for members in found for member in members}
    in_all = {key: all(any(member.common == key for member in members) for members in found) for key in counts}
    common = max(counts, key=lambda key: (in_all[key], counts[key], newest[key]))
    notes, kept = list[str](), dict[tuple[str, ...], _Member]()
    for number, (selection, members) in enumerate(zip(selections, found, strict=True)):
        fitting = [member for member in members if member.common == common]
        if not fitting:
            raise _not_together(selections, found, common, selection, members)
        kept |= {tuple(run.id for run in member.runs): member for member in fitting}
        n_runs = len(named[number] & {run.id for one in fitting for run in one.runs})
        n_all = sum(run.folds is None for run in selection.runs)
        notes += selection.notes if len(selection.runs) > 1 or len(selections) == 1 else ()
        if n_runs < n_all:
            notes.append(
                f"{selection.text}: {n_all - n_runs} of {n_all} runs are left out: on other data, splits or folds, an "
                "older run of the same seed, or not all folds of a seed are there."
            )
    if len(kept) < 2:
        raise UsageError(
            f"{selections[0].text!r} is one network, and a blend needs two at least. Train further seeds "
            "('imgcls recipe run … --seed 1'), or name several stacks."
        )
    return tuple(sorted(kept.values(), key=lambda member: member.first.id)), tuple(dict.fromkeys(notes))


def _not_together(
    selections: Sequence[RunSelection],
    found: Sequence[Sequence[_Member]],
    common: tuple[ComparisonKey, ...],
    selection: RunSelection,
    members: Sequence[_Member],
) -> UsageError:
    """Return what is said where a selection has no member on the images of the others."""
    other, theirs = next(
        (one, member) for one, part in zip(selections, found, strict=True) for member in part if member.common == common
    )
    sides = RunSelection(other.text, theirs.runs, ()), RunSelection(selection.text, members[-1].runs, ())
    heading = f"{other.text!r} and {selection.text!r} were not scored on the same images:"
    return UsageError.together(differences(*sides), heading=heading)


@dataclass(frozen=True)
class _Work:
    """A blend on its way."""

    members: tuple[_Member, ...]
    way: str
    metric: str
    smallest_gain: float
    notes: tuple[str, ...]
    workspace: Workspace

    @cached_property
    def _boards(self) -> tuple[Predictions, ...]:
        """The predictions of all members: on one split, or fold after fold."""
        boards = tuple(read_predictions(runs) for runs in zip(*(member.runs for member in self.members), strict=True))
        check_apart(boards)
        return boards

    def found(self) -> Blend | None:
        """Return the blend where it is there and whole."""
        try:
            there = read_blend(self._folder)
            there.record.verify()
        except RecordError:  # there is none, or it is made again
            return None
        return there if there.record.key == self._key else None

    @property
    def _key(self) -> str:
        digests = [run.digest() for member in self.members for run in member.runs]
        return blend_key(self.way, self.metric, self.smallest_gain, digests)

    @property
    def _folder(self) -> Path:
        return self.workspace.blends / f"blend-{self.way}-{short_key(self._key)}"

    def made(self) -> Blend:
        """Blend, judge, and keep it; blend.json goes first and comes last, and without it there is no blend."""
        weights, together, n_before = self._fitted(self._everything), self._out_of_sample(), self._n_before()
        judged = judge([self._gain(together)], smallest_gain=self.smallest_gain, n_looks=1 + n_before, why=AGAIN)[0]
        verdict = BlendVerdict(self.members[self._best].first.id, self._score(together), verdict_record(judged))
        name = "valid" if self._n_folds is None else "oof"
        table = self._table(together)
        files = {f"{name}.parquet": parquet_bytes(table)}
        if (test := self._test(weights)) is not None:
            files["test.parquet"] = parquet_bytes(test)
        files[VERDICT_JSON] = json_bytes({"schema": SCHEMA, **to_json(verdict)})
        groups = table["group"].tolist() if "group" in table.columns else None
        record = self._record(weights, together, groups)
        make_folder(self._folder)
        with one_at_a_time(self.workspace.blends / ".lock"):
            (self._folder / BLEND_JSON).unlink(missing_ok=True)
            for file, content in files.items():
                write_bytes(self._folder / file, content)
            return Blend(record.write(self._folder), verdict)

    def _n_before(self) -> int:
        """Count the blends of the same members that were judged before, in whatever way: each of them was a look."""
        mine = {run.id for member in self.members for run in member.runs}
        others = (other for other in find_blends(self.workspace)[0] if other.id != self._folder.name)
        return sum({run for member in other.members for run in member.runs} == mine for other in others)

    @property
    def _n_folds(self) -> int | None:
        return None if self.members[0].first.fold is None else len(self.members[0].runs)

    @cached_property
    def _best(self) -> int:
        """The place of the member that is best on its own; of equal ones the first."""
        return int(np.argmax([self._gain_values(self._own(place)).mean() for place in range(len(self.members))]))

    @property
    def _is_multilabel(self) -> bool:
        return self.members[0].first.problem == "multilabel"

    @cached_property
    def _stacked(self) -> tuple[Floats, ...]:
        """Fold by fold [m, n, k], the probabilities of the members."""
        return tuple(
            np.stack([board.probabilities[member.runs[fold].key] for member in self.members])
            for fold, board in enumerate(self._boards)
        )

    @property
    def _everything(self) -> list[Booleans]:
        return [np.ones(len(board.ids), dtype=bool) for board in self._boards]

    def _own(self, place: int) -> list[Floats]:
        """Return the probabilities of one member, fold by fold."""
        return [values[place] for values in self._stacked]

    def _fitted(self, seen: Sequence[Booleans]) -> Floats:
        """Return the weights [m] that the images that may be seen, fold by fold, speak for."""
        even = np.full(len(self.members), 1 / len(self.members))
        if self.way not in FITTED:
            return even
        chosen = [np.asarray(values[:, mask]) for values, mask in zip(self._stacked, seen, strict=True)]
        targets = [board.targets[mask] for board, mask in zip(self._boards, seen, strict=True)]
        values, truth = np.concatenate(chosen, axis=1), np.concatenate(targets)
        problem: Any = self.members[0].first.problem
        if self.way == "weights":
            return fit_weights(values, scored(values[0], truth, problem=problem).truth, multilabel=self._is_multilabel)
        return select_greedily(
            values,
            lambda mixed: metric_value(
                self.metric, scored(mixed, truth, problem=problem, classes=self.members[0].first.classes)
            ),
        )

    def _out_of_sample(self) -> list[Floats]:
        """Return what the blend says of every image, fold by fold; what is fitted has not seen the image."""
        if self.way not in FITTED:
            return [self._mixed(fold, self._fitted(self._everything)) for fold in range(len(self._boards))]
        if self._n_folds is not None:
            masks = self._everything
            return [
                self._mixed(fold, self._fitted([mask & (other != fold) for other, mask in enumerate(masks)]))
                for fold in range(len(self._boards))
            ]
        (board,) = self._boards
        _, parts = parts_of(board.labels, board.groups)
        together = np.empty_like(self._stacked[0][0])
        for part in np.unique(parts):
            held_out = parts == part
            together[held_out] = self._mixed(0, self._fitted([~held_out]))[held_out]
        return [together]

    def _mixed(self, fold: int, weights: Floats) -> Floats:
        return blended(self._stacked[fold], weights, way=self.way, multilabel=self._is_multilabel)

    def _contributions(self, values: Sequence[Floats]) -> list[Floats]:
        return [board.of(self.metric, part) for part, board in zip(values, self._boards, strict=True)]

    def _gain_values(self, values: Sequence[Floats]) -> Floats:
        """Return the metric of each fold as a gain is measured: more is better."""
        return np.array([row.mean() for row in self._contributions(values)])

    def _sizes(self) -> tuple[list[int], list[int]]:
        """Return how many images train and validate, fold by fold."""
        return [run.data.n["train"] for run in self.members[0].runs], [len(board.ids) for board in self._boards]

    def _score(self, values: Sequence[Floats]) -> Estimate:
        if self._n_folds is None:
            return score(self.metric, self._contributions(values)[0][None], groups=self._boards[0].groups)
        n_train, n_valid = self._sizes()
        return fold_score(
            self.metric,
            self._gain_values(values),
            n_train=round(np.mean(n_train)),
            n_valid=round(np.mean(n_valid)),
            n_images=sum(n_valid),
        )

    def _gain(self, together: Sequence[Floats]) -> Gain:
        """Measure the gain over the best member, which is predicted by weights that the blend has too."""
        best = self._own(self._best)
        if self._n_folds is None:
            (before,), (after,) = self._contributions(best), self._contributions(together)
            return measure(before[None], after[None], same_weights=True, groups=self._boards[0].groups)
        n_train, n_valid = self._sizes()
        return fold_gain(self._gain_values(best), self._gain_values(together), n_train=n_train, n_valid=n_valid)

    def _table(self, values: Sequence[Floats]) -> pd.DataFrame:
        """Return predictions as they are kept: id, label, fold and group where there are any, and probabilities."""
        parts = []
        for fold, (part, board) in enumerate(zip(values, self._boards, strict=True)):
            known = self.members[0].runs[fold].predictions("valid").set_index("id").loc[list(board.ids)]
            columns: dict[str, Any] = {"id": list(board.ids), "label": list(board.labels)}
            columns |= {} if self._n_folds is None else {"fold": fold}
            columns |= {"group": known["group"].to_numpy()} if "group" in known.columns else {}
            parts.append(pd.DataFrame(columns | _columns(part, self.members[0].first.classes)))
        return pd.concat(parts, ignore_index=True)

    def _test(self, weights: Floats) -> pd.DataFrame | None:
        """Return what the blend says of the test part; None where a network has not predicted it."""
        pairs = [(member, weight) for member, weight in zip(self.members, weights, strict=True) if weight]
        runs = [run for member, _ in pairs for run in member.runs]
        shares = np.array([weight / len(member.runs) for member, weight in pairs for _ in member.runs])
        references = [
            self._stacked[fold][self.members.index(member)] for member, _ in pairs for fold in range(len(member.runs))
        ]
        return _test_table(runs, shares, way=self.way, references=references)

    def _record(self, weights: Floats, together: Sequence[Floats], groups: Sequence[str] | None) -> BlendRecord:
        first = self.members[0].first
        metrics = evaluate(
            np.concatenate(together),
            np.concatenate([board.targets for board in self._boards]),
            problem=first.problem,  # type: ignore[arg-type]
            classes=first.classes,
            groups=groups,
            metrics=(*RECORDED, self.metric),
        )
        members = tuple(
            BlendMember(
                stack=member.first.stack,
                overrides=member.first.overrides,
                label=member.first.label,
                plan_digest=member.first.plan_digest,
                seed=member.first.seed,
                runs=tuple(run.id for run in member.runs),
                sha256=tuple(run.digest() for run in member.runs),
                weight=float(weight),
                score=self._score(self._own(place)),
            )
            for place, (member, weight) in enumerate(zip(self.members, weights, strict=True))
        )
        best = members[self._best]
        of_boards = (note for board in self._boards for note in board.notes)
        notes = dict.fromkeys((*self.notes, *of_boards, *self._careful()))
        return BlendRecord(
            id=self._folder.name,
            way=self.way,
            metric=self.metric,
            smallest_gain=self.smallest_gain,
            members=(best, *(member for member in members if member is not best)),
            n_folds=self._n_folds,
            problem=first.problem,
            classes=first.classes,
            data=self._data(groups),
            metrics=metrics,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            notes=tuple(notes),
        )

    def _careful(self) -> Iterator[str]:
        """Yield what a person should know of a verdict on it."""
        if self.way in FITTED:
            on = "four fifths of the photographs at a time" if self._n_folds is None else "the other folds"
            yield f"The shares are those of all photographs; the score is that of shares fitted on {on}."
        if self._n_folds is None:
            yield THESE_NETWORKS
        yield BEST_WAS_CHOSEN

    def _data(self, groups: Sequence[str] | None) -> RunData:
        runs = self.members[0].runs
        return runs[0].data if self._n_folds is None else joint_data(runs, groups or [""] * self._n_valid)

    @property
    def _n_valid(self) -> int:
        return sum(len(board.ids) for board in self._boards)


def _columns(values: Floats, classes: Sequence[str]) -> dict[str, Floats]:
    return {f"p_{name}": values[:, place] for place, name in enumerate(classes)}


def _test_table(
    runs: Sequence[RunRecord], shares: Floats, *, way: str, references: list[Floats] | None = None
) -> pd.DataFrame | None:
    """Return what networks say of the test part together; None where one has not predicted it.

    Raises:
        RecordError: They have predicted other photographs.
    """
    if not all("test.parquet" in run.files for run in runs):
        return None
    columns = [f"p_{name}" for name in runs[0].classes]
    frames = [run.predictions("test").set_index("id") for run in runs]
    ids = frames[0].index
    for frame, run in zip(frames, runs, strict=True):
        if set(frame.index) != set(ids):
            raise RecordError(f"{run.id} has predicted other photographs of test than {runs[0].id}.")
    values = np.stack([frame.loc[ids, columns].to_numpy(dtype=np.float64) for frame in frames])
    is_multilabel = runs[0].problem == "multilabel"
    mixed = blended(values, shares, way=way, multilabel=is_multilabel, references=references)
    return pd.DataFrame({"id": list(ids), **_columns(mixed, runs[0].classes)})


_UNFITTED = ("mean", "geometric")
"""The ways that need no predictions of validation."""


def _on_all_data(
    what: Sequence[str | None], by: str, metric: str | None, smallest_gain: float, workspace: Workspace
) -> Blend:
    """Blend networks that were trained on all the data, with equal shares; nothing is left to fit or to judge them on.

    Raises:
        UsageError: The way needs predictions of validation, or there are not two networks that fit each other.
    """
    if by not in _UNFITTED:
        raise UsageError(
            f"--by {by} needs predictions of validation, and networks that were trained on all the data have none. "
            f"Take --by {' or --by '.join(_UNFITTED)}."
        )
    found = {(run.plan_digest, run.seed): run for text in what for run in _trained_on_all(text, workspace)}
    runs = sorted(found.values(), key=lambda run: run.id)
    first = runs[0]
    if other := next(
        (run for run in runs if (run.data.digest, run.classes) != (first.data.digest, first.classes)), None
    ):
        raise UsageError(f"{first.id} and {other.id} were trained on other data or classes. Blend those of the same.")
    if len(runs) < 2:
        raise UsageError(
            f"{first.id} is one network, and a blend needs two at least: 'imgcls recipe run {first.stack} --all-data "
            "--seeds 3', with the same options otherwise, trains further ones."
        )
    metric = deciding_metric(metric or metric_of(workspace.root, first.problem)).text
    check_metric(metric, problem=first.problem, classes=first.classes)
    judged_by = _stands_for(runs, by, workspace)
    key = blend_key(by, metric, smallest_gain, [run.digest() for run in runs])
    folder = workspace.blends / f"blend-{by}-{short_key(key)}"
    with suppress(RecordError):  # there is none, or it is made again
        there = read_blend(folder)
        there.record.verify()
        if there.record.judged_by == judged_by:
            return there
    unknown = Estimate.missing(NOT_SCORED, n=0)
    record = BlendRecord(
        id=folder.name,
        way=by,
        metric=metric,
        smallest_gain=smallest_gain,
        members=tuple(
            BlendMember(
                stack=run.stack,
                overrides=run.overrides,
                label=run.label,
                plan_digest=run.plan_digest,
                seed=run.seed,
                runs=(run.id,),
                sha256=(run.digest(),),
                weight=1 / len(runs),
                score=unknown,
            )
            for run in runs
        ),
        n_folds=None,
        problem=first.problem,
        classes=first.classes,
        data=first.data,
        metrics=dict.fromkeys(first.metrics, unknown),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        judged_by=judged_by,
    )
    test = _test_table(runs, np.full(len(runs), 1 / len(runs)), way=by)
    make_folder(folder)
    with one_at_a_time(workspace.blends / ".lock"):
        (folder / BLEND_JSON).unlink(missing_ok=True)
        if test is not None:
            write_bytes(folder / "test.parquet", parquet_bytes(test))
        return Blend(record.write(folder), None)


def _trained_on_all(text: str | None, workspace: Workspace) -> list[RunRecord]:
    """Return the runs on all the data that a text means: one by its id, else those of a stack that was judged.

    Raises:
        RecordError: There is no such run, stack or ladder.
        UsageError: There is none on all the data.
    """
    every = [run for run in find_runs(workspace)[0] if run.all_data is not None]
    if named := [run for run in every if text in (run.id, run.key)]:
        return named
    judged = (_newest(workspace) if text is None else _selected(text, workspace)).runs[-1]
    found = [run for run in every if (run.plan_digest, run.data.digest) == (judged.plan_digest, judged.data.digest)]
    if not found:
        raise UsageError(
            f"Nothing of {judged.label} was trained on all the data. 'imgcls recipe run {judged.stack} --all-data "
            "--seeds 3', with the same options otherwise, trains three networks."
        )
    return found


def _stands_for(runs: Sequence[RunRecord], way: str, workspace: Workspace) -> tuple[str, ...]:
    """Return the blends of judged runs of the same plans, on the same data, in the same way; else the judged runs."""
    plans, digest = {run.plan_digest for run in runs}, runs[0].data.digest
    blends = [
        blend.id
        for blend in find_blends(workspace)[0]
        if blend.judged_by is None
        and (blend.way, blend.data.digest) == (way, digest)
        and {member.plan_digest for member in blend.members} == plans
    ]
    cited = (one.run for run in runs if run.all_data is not None for one in run.all_data.judged)
    return tuple(blends[-1:] or dict.fromkeys(cited))
