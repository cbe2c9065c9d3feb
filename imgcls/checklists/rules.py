"""Rules of the checklist: what evidence ticks each item, and whether it still holds."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from imgcls.catalog import Stack
from imgcls.checklists.class_errors import class_errors, labels_of
from imgcls.checklists.commands import SEEDS, again, in_folds, ladder_again, look_again, run_to_submit, without_folds
from imgcls.checklists.evidence import FACTS, Evidence, is_baseline, named
from imgcls.checklists.items import BY_HAND, Answer, find_item
from imgcls.checklists.verdicts import LadderStatus, VerdictEntry
from imgcls.config.metrics import decided_by, in_words
from imgcls.data.source import FINDINGS_TOML
from imgcls.eda.facts import Facts, FileFacts, Finding
from imgcls.errors import ImgclsError, PlanError, RecordError
from imgcls.plan import Plan
from imgcls.predictions.submission import GIVE_TEST, TEST_FILE, Submission
from imgcls.records.run import RunRecord
from imgcls.text import listed
from imgcls.workspace import MARKER


def of_baseline(rule: Callable[[RunRecord, Evidence], Answer]) -> Callable[[Evidence], Answer]:
    """Make a rule over a run one over all evidence: any run of a baseline that holds may prove it, the newest first.

    Without a baseline it is open; where none holds, the newest run says what it had proved.
    """

    def answered(evidence: Evidence) -> Answer:
        if evidence.baseline is None:
            return Answer.missing(_no_baseline(evidence))
        answers = (_answer(rule, run, evidence) for run in evidence.baselines)
        proved = next((answer for answer in answers if answer.state == "done"), None)
        return proved or _answer(rule, evidence.baseline, evidence)

    return answered


def _answer(rule: Callable[[RunRecord, Evidence], Answer], run: RunRecord, evidence: Evidence) -> Answer:
    """Answer an item from one run; what no longer holds is stale."""
    try:
        answer = rule(run, evidence)
    except PlanError as problem:  # another version wrote it, with a part or a choice that this one has not
        return Answer.missing(f"{named(run)}: its plan cannot be read: {problem}")
    if answer.state == "done":
        return Answer.proved(answer.evidence, evidence.change_since_run(run))
    return answer


def seed(evidence: Evidence) -> Answer:
    """Whether a seed was fixed; of runs that were repeated, the last one decides by its bits."""
    repeated = {entry.created: run for run in evidence.baselines if (entry := evidence.repetition_of(run)) is not None}
    if repeated:
        return _seed(repeated[max(repeated)], evidence)
    return of_baseline(_seed)(evidence)


def _seed(run: RunRecord, evidence: Evidence) -> Answer:
    said = f"{named(run)}: seed {run.seed}"
    repetition = evidence.repetition_of(run)
    if repetition is None:
        return Answer.proved(f"{said}{_other_seeds(run, evidence)}; '--again' repeats it and compares the bits")
    when = f"repeated on {repetition.created[:10]}"
    different = [name for name, is_same in repetition.same_bits.items() if not is_same]
    if not different:
        return Answer.proved(f"{said}; {when}: equal bits")
    why = "compare versions and threads ('imgcls runs show', 'imgcls doctor'), then repeat it"
    if run.environment["device"] != "cpu":
        why += "; only a cpu promises equal bits (--device cpu)"
    return Answer.missing(
        f"{said}, but {when} it gave other bits in {', '.join(different)}: {why}", again(run, evidence)
    )


def _other_seeds(run: RunRecord, evidence: Evidence) -> str:
    seeds = sorted({other.seed for other in evidence.runs if other.plan_digest == run.plan_digest})
    n = len(seeds) - 1
    return f", as {n} other{'s' * (n > 1)} of this plan {'have theirs' if n > 1 else 'has its own'}" if n else ""


def device(run: RunRecord, _: Evidence) -> Answer:
    """Which device it was, and what it cost; cpu is an answer."""
    name = run.environment.get("device_name")
    shown = f"{run.environment['device']}{f' ({name})' if name else ''}"
    speed = f", {run.images_per_second:.0f} images a second" if run.images_per_second else ""
    return Answer.proved(f"{named(run)}: {shown}, {run.seconds.get('total', 0.0):.0f} seconds in all{speed}")


def split(run: RunRecord, _: Evidence) -> Answer:
    """Whether some train and others validate."""
    n = run.data.n
    if not (run.folds is not None or n.get("train")) or not n.get("valid"):
        return Answer.missing(f"{named(run)} has nothing to train or to validate with")
    who = (
        f"{n['valid']:,} validate out of fold"
        if run.folds is not None
        else f"{n['train']:,} train, {n['valid']:,} validate"
    )
    return Answer.proved(f"{named(run)}: {who}, digest {run.data.split_digest[:8]}")


def transforms(run: RunRecord, _: Evidence) -> Answer:
    """What photographs become."""
    images, augment = Plan.from_json(run.plan).images, Plan.from_json(run.plan).augment
    random = f"{len(augment.transforms)} random transforms" if augment.transforms else "none random"
    return Answer.proved(f"{named(run)}: {images.resize} to {images.size_px} px, {random}")


def loaders(run: RunRecord, _: Evidence) -> Answer:
    """How many images there were, and how many a step."""
    n = ", ".join(f"{number:,} {part}" for part, number in run.data.n.items() if number)
    return Answer.proved(f"{named(run)}: {n}; {Plan.from_json(run.plan).fit.batch_size} a step")


def model(run: RunRecord, _: Evidence) -> Answer:
    """Whether it began with pretrained weights, and with which."""
    name = Plan.from_json(run.plan).model.name
    if run.weights.sha256 is None:
        return Answer.missing(f"{named(run)}: {name} began with random weights", BY_HAND)
    return Answer.proved(f"{named(run)}: {name} from {run.weights.source}, sha256 {run.weights.sha256[:8]}")


def training(run: RunRecord, _: Evidence) -> Answer:
    """Whether a baseline was trained to its end."""
    plan = Plan.from_json(run.plan)
    n = plan.fit.epochs
    epochs = f"{n} epoch{'s' * (n != 1)} of " if n else ""
    return Answer.proved(f"{named(run)}: {epochs}{plan.optimizer.name} at {plan.optimizer.learning_rate:g}")


def validation(run: RunRecord, evidence: Evidence) -> Answer:
    """Whether the score is above that of the answer that needs no photograph, sampling variance counted."""
    known = [name for name, one in run.metrics.items() if one.low is not None]
    metric = decided_by(evidence.problem.metric if evidence.problem else None, run.problem, known=known)
    name = in_words(metric)
    scored = run.metrics.get(metric)
    if scored is None or scored.value is None or scored.low is None or scored.high is None:
        return Answer.missing(f"{named(run)} has no {name} with an interval")
    trivial = 0.5 if metric == "roc_auc" else _majority(run, evidence)
    if trivial is None:
        return Answer.missing(f"{named(run)}: its validation labels cannot be read")
    said = f"{named(run)}: {name} {scored.value:.3f} [{scored.low:.3f}, {scored.high:.3f}]"
    without = "ranking at random" if metric == "roc_auc" else "always naming the most frequent class"
    if scored.low <= trivial:
        more = BY_HAND if run.folds is not None else in_folds(run, evidence)
        return Answer.missing(f"{said} is not shown to be better than {without}, {trivial:.3f}", more)
    return Answer.proved(f"{said}, better than {without}, {trivial:.3f}")


def _majority(run: RunRecord, evidence: Evidence) -> float | None:
    """Return the share of the most frequent class among what the run validated on."""
    seen = evidence.present.seen
    if seen is not None and (seen.data_digest, seen.split_digest) == (run.data.digest, run.data.split_digest):
        return seen.majority_accuracy
    if run.problem == "multilabel":
        counts = list(Counter(labels_of(run)).values())
    else:
        counts = [tally.n for tally in class_errors(run, evidence.workspace)]
    return max(counts) / sum(counts) if any(counts) else None


def _no_baseline(evidence: Evidence) -> str:
    if evidence.runs:
        return "there are runs, but none of the baseline alone"
    if evidence.n_quick:
        return "only quick runs (--quick) are there, and they prove nothing"
    return "nothing was trained yet"


LEAKS = ("duplicates.across", "duplicates.conflict", "series")
_SHEET = "sheet: "
_MOST_NAMED = 3
_COUNTED = ("photographs", "labels", "sealed labels")
"""Roles that say what the number of a file counts."""


def of_facts(rule: Callable[[Facts, Evidence], Answer]) -> Callable[[Evidence], Answer]:
    """Make a rule over facts one over all evidence: without facts it is open, and stale when they no longer hold."""

    def answered(evidence: Evidence) -> Answer:
        if evidence.facts is None:
            is_damaged = any(FACTS.rpartition("/")[2] in damage.reason for damage in evidence.damages)
            return Answer.missing(f"{FACTS} cannot be read" if is_damaged else "nobody looked at the data yet")
        answer = rule(evidence.facts, evidence)
        if answer.state == "done":
            return Answer.proved(answer.evidence, evidence.facts_change)
        return answer

    return answered


def files(facts: Facts, _: Evidence) -> Answer:
    """Whether the files have their roles, and the images are counted."""
    named = [_described(entry) for entry in facts.files[:_MOST_NAMED]] or ["one set"]
    more = ["…"] if len(facts.files) > _MOST_NAMED else []
    parts = ", ".join(f"{n:,} {split}" for split, n in facts.data.n.items() if n)
    return Answer.proved(f"{FACTS}: {', '.join([*named, *more])}; {parts}")


def targets(facts: Facts, evidence: Evidence) -> Answer:
    """Whether classes were counted and drawn."""
    drawn = _drawn(facts, evidence, ["classes"])
    if not drawn:
        return Answer.missing(f"{FACTS} has the classes, but no picture of them was drawn")
    imbalance = facts.imbalance
    return Answer.proved(
        f"{FACTS}, {drawn[0]}: {len(facts.classes)} classes, the largest {imbalance.ratio:.1f} times the smallest, "
        f"{imbalance.rarest}, which has {imbalance.n_valid_rarest} validation images"
    )


def images(facts: Facts, evidence: Evidence) -> Answer:
    """Whether contact sheets were drawn; of many classes the most frequent ones have sheets."""
    names = [entry.name for entry in facts.classes]
    drawn = _drawn(facts, evidence, [f"{_SHEET}{name}" for name in names])
    if not drawn:
        return Answer.missing(f"{FACTS} names no contact sheet that is still there")
    if len(drawn) < len([name for name in facts.pictures if name.startswith(_SHEET)]):
        return Answer.missing(f"only {len(drawn)} contact sheets of those in {FACTS} are still there")
    which = f"{len(names)} classes" if len(drawn) == len(names) else f"{len(drawn)} of {len(names)} classes"
    return Answer.proved(f"{FACTS}, {drawn[0]}: contact sheets of {which}")


def sizes(facts: Facts, _: Evidence) -> Answer:
    """Whether sizes and quality were measured."""
    width, height = facts.sizes.width_px.middle, facts.sizes.height_px.middle
    n_sizes = "all of one size" if facts.sizes.n_sizes == 1 else f"{facts.sizes.n_sizes:,} sizes"
    broken = f"{len(facts.broken)} broken" if facts.broken else "no broken file"
    return Answer.proved(
        f"{FACTS}: median size {width:.0f} x {height:.0f} px, {n_sizes}, {broken}; "
        f"{facts.sizes.recommended_px} px to begin with"
    )


def leaks(facts: Facts, evidence: Evidence) -> Answer:
    """Whether no copies lie in two parts or under two labels and no series is divided, or all of it is dealt with."""
    noted = ("series", "note")  # beside groups that the data give, series are no more than a remark
    found = [entry for entry in facts.findings if entry.id.startswith(LEAKS) and (entry.id, entry.severity) != noted]
    left = [entry for entry in found if not evidence.deals_with(entry)]
    if left:
        command = None if evidence.is_damaged(FINDINGS_TOML) else left[0].command
        return Answer.missing(f"{FACTS}: {_listed(left)}", command or BY_HAND)
    looked = f"; looked for {listed(facts.looked_for)}" if facts.looked_for else ""
    if found:
        return Answer.proved(f"findings.toml deals with {', '.join(entry.id for entry in found)}{looked}")
    return Answer.proved(f"{FACTS}: {_copies(facts)} across parts or under two labels{looked}")


def _described(entry: FileFacts) -> str:
    """Name a file, and what it is for: `images (885 photographs)`, `sample.csv (sample submission, 300)`."""
    held = f"{entry.n:,} {entry.role}" if entry.role in _COUNTED else f"{entry.role}, {entry.n:,}"
    return f"{entry.path} ({held})"


def _listed(findings: Sequence[Finding]) -> str:
    return "; ".join(f"{entry.id}: {entry.n}" for entry in findings)


def _drawn(facts: Facts, evidence: Evidence, names: Sequence[str]) -> list[str]:
    """Return the files of pictures that were drawn and are still there, relative to the workspace."""
    known = [facts.pictures[name] for name in names if name in facts.pictures]
    return [f"reports/{file}" for file in known if (evidence.workspace.reports / file).is_file()]


def _copies(facts: Facts) -> str:
    """Describe that there are no copies of the kind in question, and how many there are of others."""
    n = len(facts.duplicates)
    return f"none of {n:,} pair{'s' * (n != 1)} of copies" if n else "no copies"


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
    """Return the type that the data have, and what says so."""
    seen, facts = evidence.present.seen, evidence.facts
    if facts is not None and not evidence.facts_change:
        n_classes = len(facts.data.classes)
        return _counted(facts.data.problem, n_classes), f"{FACTS} ({n_classes} classes)"
    if seen is not None:
        n_classes = len(seen.valid_counts)
        return _counted(seen.problem, n_classes), f"the last reading of the data ({n_classes} classes)"
    return None


def _counted(kind: str, n_classes: int) -> str:
    """Return the type that the classes make: one that was asked for says nothing of the data, their number does."""
    return kind if kind == "multilabel" else "binary" if n_classes == 2 else "multiclass"


def _no_problem(evidence: Evidence) -> Answer:
    if evidence.is_damaged(MARKER):
        return Answer.missing(f"{MARKER} cannot be read: correct it", BY_HAND)
    return Answer.missing(f"there is no {MARKER}")


def first(evidence: Evidence) -> Answer:
    """Whether predictions of a baseline run were written as a submission that is still there."""
    runs = {run.id: run for run in evidence.runs if is_baseline(run)}
    made = [entry for entry in evidence.submissions if entry.run in runs]
    proofs = [
        Answer.proved(f"{entry.name}, from {entry.run}", evidence.change_since_run(runs[entry.run]))
        for entry in made
        if entry.is_whole()
    ]
    if proofs:
        proved = next((proof for proof in reversed(proofs) if proof.state == "done"), None)
        return proved or replace(proofs[-1], command=_run_first(evidence))
    if made:
        holding = [entry for entry in made if runs[entry.run] in evidence.baselines]
        return _not_whole((holding or made)[-1], evidence)
    return _no_submission(evidence)


def final(evidence: Evidence) -> Answer:
    """Whether a submission was made from the stack that the newest ladder recommends, and is still there."""
    climb = evidence.climb
    if climb is None or climb.incumbent is None:
        return _no_incumbent(evidence)
    stack = climb.ladder.rungs[climb.incumbent].printed
    made = [entry for entry in evidence.submissions if entry.run in climb.incumbent_runs]
    whole = [entry for entry in made if entry.is_whole()]
    if whole:
        return Answer.proved(f"{whole[-1].name}, from {stack}, which {climb.file} recommends")
    if made:
        return _not_whole(made[-1], evidence)
    runs = [run for run in evidence.runs if run.id in climb.incumbent_runs]
    if not any(TEST_FILE in run.files for run in runs):
        return Answer.missing(f"the runs of {stack} have no test part to submit; {GIVE_TEST}", BY_HAND)
    return Answer.missing(f"no submission is of {stack}, which {climb.file} recommends")


def _not_whole(entry: Submission, evidence: Evidence) -> Answer:
    """Describe that a submission is not what it was, and how its run is submitted once more."""
    is_in_the_way = (evidence.workspace.submissions / f"{entry.run}.csv").is_file()
    command = f"imgcls submit {shlex.quote(entry.run)}{' --force' if is_in_the_way else ''}"
    return Answer.missing(f"{entry.name} is gone, or was changed since it was written", command)


def _no_submission(evidence: Evidence) -> Answer:
    first = _run_first(evidence)
    if first is not None and evidence.has_test_part:
        return Answer.missing("no run of the baseline that holds predicts the test part with one network", first)
    if first is not None and evidence.baseline is not None:
        return Answer.missing(f"{named(evidence.baseline)} has no test part to submit; {GIVE_TEST}", BY_HAND)
    n = len(evidence.submissions)
    return Answer.missing(f"none of {n} submissions is of a baseline run" if n else "there is no submission yet")


def _run_first(evidence: Evidence) -> str | None:
    """Return the command that has to come before a submission; None where a run can be submitted, or none was made."""
    if evidence.baseline is None or run_to_submit(evidence) is not None:
        return None
    return without_folds(evidence.baseline, evidence)


def _no_incumbent(evidence: Evidence) -> Answer:
    made = [
        (entry, climb)
        for climb in evidence.climbed
        for entry in evidence.submissions
        if entry.run in climb.incumbent_runs and entry.is_whole()
    ]
    if made:
        entry, climb = made[-1]
        return Answer("stale", f"{entry.name}; {evidence.change_since_climb(climb)}", BY_HAND)
    return Answer.missing("no ladder that holds says which stack to submit", BY_HAND)


FEWEST_EPOCHS = 6
"""A last third of fewer than two epochs says nothing of where a curve is going."""


def tried(id_: str) -> Callable[[Evidence], Answer]:
    """Make the rule of an item that a verdict ticks, whatever it says but `cannot tell`."""

    def answered(evidence: Evidence) -> Answer:
        trials = [trial for trial in evidence.trials if id_ in trial.items]
        judged = [trial for trial in trials if trial.has_verdict]
        holding = [trial for trial in judged if not evidence.change_since_trial(trial)]
        if holding:
            return Answer.proved(holding[-1].said)
        if judged:
            change = evidence.change_since_trial(judged[-1])
            return Answer("stale", f"{judged[-1].said}; {change}", _once_more(judged[-1], evidence))
        if trials:
            return Answer.missing(f"{trials[-1].said}: {trials[-1].reason}", _more_seeds(trials[-1], evidence))
        return _not_tried(id_, evidence)

    return answered


def epochs(evidence: Evidence) -> Answer:
    """Whether the number of epochs was tried, or the learning curve is flat, so that more would not help."""
    answer = tried("train.epochs")(evidence)
    if answer.state == "done":
        return answer
    curves = ((flat_curve(run), run) for run in _curves_of(evidence))
    proofs = [Answer.proved(flat, evidence.change_since_run(run)) for flat, run in curves if flat]
    proved = next((proof for proof in proofs if proof.state == "done"), None)
    return proved or (proofs[0] if proofs and answer.state == "open" else answer)


def flat_curve(run: RunRecord) -> str:
    """Describe that a run's validation no longer improved; nothing where it did, or where it was too short to tell.

    A curve is flat when the last third of the epochs holds neither a lower loss nor a higher accuracy than the
    epochs before it, and that third is two epochs at least.
    """
    try:
        rows = run.history()
    except RecordError:
        return ""
    losses, accuracies = (_numbers(rows, name) for name in ("valid_loss", "valid_accuracy"))
    if len(rows) < FEWEST_EPOCHS or min(len(losses), len(accuracies)) < len(rows):
        return ""
    first = len(rows) - len(rows) // 3
    if min(losses[first:]) < min(losses[:first]) or max(accuracies[first:]) > max(accuracies[:first]):
        return ""
    best = losses.index(min(losses)) + 1
    return (
        f"runs/{run.id}/history.csv: neither validation loss nor accuracy improved in the last {len(rows) - first} of "
        f"{len(rows)} epochs; the loss was lowest in epoch {best}"
    )


def _numbers(rows: Sequence[Mapping[str, object]], name: str) -> list[float]:
    """Return a column of a history, without what is no number."""
    return [float(value) for row in rows if isinstance(value := row.get(name), int | float)]


def ensemble(_: Evidence) -> Answer:
    """Nothing can prove a blend yet."""
    return Answer.missing(find_item("predict.ensemble").note, BY_HAND)


def all_data(_: Evidence) -> Answer:
    """Nothing can prove a training on all data yet."""
    return Answer.missing(find_item("final.alldata").note, BY_HAND)


def _not_tried(id_: str, evidence: Evidence) -> Answer:
    begun = [
        climb
        for climb in evidence.climbs
        if not climb.is_complete and any(id_ in rung.items for rung in climb.ladder.rungs[1:])
    ]
    if begun:
        command = ladder_again(begun[-1], evidence, n_seeds=begun[-1].ladder.n_seeds)
        return Answer.missing(f"ladders/{begun[-1].ladder.name} is not finished", command)
    return Answer.missing("not tried yet")


def _more_seeds(trial: VerdictEntry, evidence: Evidence) -> str | None:
    """Return the command that would tell what is still open; None where seeds are not what is missing."""
    climb = _ladder_of(trial, evidence)
    if climb is None or min(trial.n_runs) >= SEEDS:
        return None
    return ladder_again(climb, evidence, n_seeds=SEEDS)


def _once_more(trial: VerdictEntry, evidence: Evidence) -> str | None:
    """Return the command that asks the same on the data as they are; None where its stack no longer stands."""
    climb = _ladder_of(trial, evidence)
    if climb is None or not _stands(climb.ladder.stack, evidence):
        return None
    return ladder_again(climb, evidence, n_seeds=climb.ladder.n_seeds)


def _ladder_of(trial: VerdictEntry, evidence: Evidence) -> LadderStatus | None:
    return next((climb for climb in evidence.climbs if climb.ladder.name == trial.ladder), None)


def _stands(stack: str, evidence: Evidence) -> bool:
    try:
        Stack.parse(stack, home=evidence.workspace.root)
    except ImgclsError:
        return False
    return True


def _curves_of(evidence: Evidence) -> Sequence[RunRecord]:
    """Return the runs whose epochs count: those of the stack to use, else of the baseline, those that hold first."""
    climb = evidence.climb or next(reversed(evidence.climbed), None)
    wanted = set(climb.incumbent_runs) if climb else set()
    runs = [run for run in evidence.runs if run.id in wanted and "history.csv" in run.files]
    if evidence.baseline is not None and (evidence.climb is None or not runs):
        runs.append(evidence.baseline)
    return sorted(runs, key=lambda run: bool(evidence.change_since_run(run)))
