"""Rules of the checklist: what evidence ticks each item, and whether it still holds."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from imgcls.catalog import Stack
from imgcls.checklists.class_errors import class_errors, labels_of
from imgcls.checklists.commands import (
    SEEDS,
    again,
    another_seed,
    at_a_third_of_the_rate,
    in_folds,
    ladder_again,
    look_again,
    run_to_submit,
    to_blend,
    without_folds,
)
from imgcls.checklists.evidence import FACTS, Evidence, is_baseline, named
from imgcls.checklists.items import BY_HAND, Answer
from imgcls.checklists.sentences import Said, joined, listed, quoted, said, word
from imgcls.checklists.verdicts import LadderStatus, VerdictEntry
from imgcls.config.metrics import decided_by, in_words
from imgcls.data.source import FINDINGS_TOML
from imgcls.eda.facts import Facts, FileFacts, Finding
from imgcls.errors import ImgclsError, PlanError, RecordError
from imgcls.plan import Plan
from imgcls.predictions.submission import GIVE_TEST, Submission, has_test
from imgcls.records.run import RunRecord
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
        return Answer.missing(
            said("{run}: its plan cannot be read: {problem}", run=named(run), problem=quoted(problem))
        )
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
    shown = said("{run}: seed {seed}", run=named(run), seed=run.seed)
    repetition = evidence.repetition_of(run)
    if repetition is None:
        others = _other_seeds(run, evidence)
        return Answer.proved(
            said("{seed}{others}; '--again' repeats it and compares the bits", seed=shown, others=others)
        )
    day = repetition.created[:10]
    different = [name for name, is_same in repetition.same_bits.items() if not is_same]
    if not different:
        return Answer.proved(said("{seed}; repeated on {day}: equal bits", seed=shown, day=day))
    advice = said("compare versions and threads ('imgcls runs show', 'imgcls doctor'), then repeat it")
    if run.environment["device"] != "cpu":
        advice = said("{advice}; only a cpu promises equal bits (--device cpu)", advice=advice)
    other_bits = said(
        "{seed}, but repeated on {day} it gave other bits in {files}: {advice}",
        seed=shown,
        day=day,
        files=", ".join(different),
        advice=advice,
    )
    return Answer.missing(other_bits, again(run, evidence))


def _other_seeds(run: RunRecord, evidence: Evidence) -> Said:
    seeds = sorted({other.seed for other in evidence.runs if other.plan_digest == run.plan_digest})
    n = len(seeds) - 1
    if not n:
        return Said("")
    return said(", as {n} others of this plan have theirs" if n > 1 else ", as {n} other of this plan has its own", n=n)


def device(run: RunRecord, _: Evidence) -> Answer:
    """Which device it was, and what it cost; cpu is an answer."""
    name = run.environment.get("device_name")
    shown = f"{run.environment['device']}{f' ({name})' if name else ''}"
    speed = said(", {n:.0f} images a second", n=run.images_per_second) if run.images_per_second else ""
    seconds = run.seconds.get("total", 0.0)
    return Answer.proved(
        said(
            "{run}: {device}, {seconds:.0f} seconds in all{speed}",
            run=named(run),
            device=shown,
            seconds=seconds,
            speed=speed,
        )
    )


def split(run: RunRecord, _: Evidence) -> Answer:
    """Whether some train and others validate."""
    n = run.data.n
    if not (run.folds is not None or n.get("train")) or not n.get("valid"):
        return Answer.missing(said("{run} has nothing to train or to validate with", run=named(run)))
    who = (
        said("{n:,} validate out of fold", n=n["valid"])
        if run.folds is not None
        else said("{train:,} train, {valid:,} validate", train=n["train"], valid=n["valid"])
    )
    digest = run.data.split_digest[:8]
    return Answer.proved(said("{run}: {parts}, digest {digest}", run=named(run), parts=who, digest=digest))


def transforms(run: RunRecord, _: Evidence) -> Answer:
    """What photographs become."""
    images, augment = Plan.from_json(run.plan).images, Plan.from_json(run.plan).augment
    n = len(augment.transforms)
    random = said("{n} random transforms", n=n) if n else said("none random")
    return Answer.proved(
        said(
            "{run}: {resize} to {size} px, {random}",
            run=named(run),
            resize=images.resize,
            size=images.size_px,
            random=random,
        )
    )


def loaders(run: RunRecord, _: Evidence) -> Answer:
    """How many images there were, and how many a step."""
    parts, n = _parts(run.data.n), Plan.from_json(run.plan).fit.batch_size
    return Answer.proved(said("{run}: {parts}; {n} a step", run=named(run), parts=parts, n=n))


def _parts(counts: Mapping[str, int]) -> Said:
    """Write how many images each part has."""
    return joined(said("{n:,} {part}", n=n, part=word(part)) for part, n in counts.items() if n)


def model(run: RunRecord, _: Evidence) -> Answer:
    """Whether it began with pretrained weights, and with which."""
    name = Plan.from_json(run.plan).model.name
    if run.weights.sha256 is None:
        return Answer.missing(said("{run}: {model} began with random weights", run=named(run), model=name), BY_HAND)
    source, digest = run.weights.source, run.weights.sha256[:8]
    return Answer.proved(
        said("{run}: {model} from {source}, sha256 {digest}", run=named(run), model=name, source=source, digest=digest)
    )


def training(run: RunRecord, _: Evidence) -> Answer:
    """Whether a baseline was trained to its end."""
    plan = Plan.from_json(run.plan)
    n = plan.fit.epochs
    epochs = said("{n} epoch of " if n == 1 else "{n} epochs of ", n=n) if n else ""
    name, rate = plan.optimizer.name, plan.optimizer.learning_rate
    return Answer.proved(
        said("{run}: {epochs}{optimizer} at {rate:g}", run=named(run), epochs=epochs, optimizer=name, rate=rate)
    )


def validation(run: RunRecord, evidence: Evidence) -> Answer:
    """Whether the score is above that of the answer that needs no photograph, sampling variance counted."""
    known = [name for name, one in run.metrics.items() if one.low is not None]
    metric = decided_by(evidence.problem.metric if evidence.problem else None, run.problem, known=known)
    name = word(in_words(metric))
    scored = run.metrics.get(metric)
    more = BY_HAND if run.folds is not None else in_folds(run, evidence)
    if run.only_class is not None:
        collapsed = said(
            "{run} names {name} for every photograph: it collapsed, most often of too high a learning rate",
            run=named(run),
            name=run.only_class,
        )
        return Answer.missing(collapsed, at_a_third_of_the_rate(run, evidence))
    lost = run.lost_from_start(metric)
    if lost is not None:
        undone = said(
            "{run}: {metric} fell from {began:.3f}, that of the classifier it began from, to {ended:.3f}",
            run=named(run),
            metric=name,
            began=lost[0],
            ended=lost[1],
        )
        return Answer.missing(undone, at_a_third_of_the_rate(run, evidence))
    if scored is None or scored.value is None or scored.low is None or scored.high is None:
        return Answer.missing(said("{run} has no {metric} with an interval", run=named(run), metric=name), more)
    trivial = 0.5 if metric == "roc_auc" else _majority(run, evidence)
    if trivial is None:
        return Answer.missing(said("{run}: its validation labels cannot be read", run=named(run)))
    score = said(
        "{run}: {metric} {value:.3f} [{low:.3f}, {high:.3f}]",
        run=named(run),
        metric=name,
        value=scored.value,
        low=scored.low,
        high=scored.high,
    )
    without = said("ranking at random" if metric == "roc_auc" else "always naming the most frequent class")
    if scored.low <= trivial:
        return Answer.missing(
            said(
                "{score} is not shown to be better than {without}, {trivial:.3f}",
                score=score,
                without=without,
                trivial=trivial,
            ),
            more,
        )
    return Answer.proved(
        said("{score}, better than {without}, {trivial:.3f}", score=score, without=without, trivial=trivial)
    )


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


def _no_baseline(evidence: Evidence) -> Said:
    if evidence.runs:
        return said("there are runs, but none of the baseline alone")
    if evidence.n_quick:
        return said("only quick runs (--quick) are there, and they prove nothing")
    return said("nothing was trained yet")


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
            unread, unseen = said("{file} cannot be read", file=FACTS), said("nobody looked at the data yet")
            return Answer.missing(unread if is_damaged else unseen)
        answer = rule(evidence.facts, evidence)
        if answer.state == "done":
            return Answer.proved(answer.evidence, evidence.facts_change)
        return answer

    return answered


def files(facts: Facts, _: Evidence) -> Answer:
    """Whether the files have their roles, and the images are counted."""
    named = [_described(entry) for entry in facts.files[:_MOST_NAMED]] or [said("one set")]
    more = ["…"] if len(facts.files) > _MOST_NAMED else []
    roles, parts = joined([*named, *more]), _parts(facts.data.n)
    return Answer.proved(said("{file}: {roles}; {parts}", file=FACTS, roles=roles, parts=parts))


def targets(facts: Facts, evidence: Evidence) -> Answer:
    """Whether classes were counted and drawn."""
    drawn = _drawn(facts, evidence, ["classes"])
    if not drawn:
        return Answer.missing(said("{file} has the classes, but no picture of them was drawn", file=FACTS))
    imbalance = facts.imbalance
    return Answer.proved(
        said(
            "{file}, {picture}: {n} classes, the largest {ratio:.1f} times the smallest, {rarest}, which has {n_valid} "
            "validation images",
            file=FACTS,
            picture=drawn[0],
            n=len(facts.classes),
            ratio=imbalance.ratio,
            rarest=imbalance.rarest,
            n_valid=imbalance.n_valid_rarest,
        )
    )


def images(facts: Facts, evidence: Evidence) -> Answer:
    """Whether contact sheets were drawn; of many classes the most frequent ones have sheets."""
    names = [entry.name for entry in facts.classes]
    drawn = _drawn(facts, evidence, [f"{_SHEET}{name}" for name in names])
    if not drawn:
        return Answer.missing(said("{file} names no contact sheet that is still there", file=FACTS))
    if len(drawn) < len([name for name in facts.pictures if name.startswith(_SHEET)]):
        return Answer.missing(
            said("only {n} contact sheets of those in {file} are still there", n=len(drawn), file=FACTS)
        )
    n = len(names)
    which = said("{n} classes", n=n) if len(drawn) == n else said("{drawn} of {n} classes", drawn=len(drawn), n=n)
    return Answer.proved(
        said("{file}, {picture}: contact sheets of {classes}", file=FACTS, picture=drawn[0], classes=which)
    )


def sizes(facts: Facts, _: Evidence) -> Answer:
    """Whether sizes and quality were measured."""
    width, height = facts.sizes.width_px.middle, facts.sizes.height_px.middle
    n = facts.sizes.n_sizes
    return Answer.proved(
        said(
            "{file}: median size {width:.0f} x {height:.0f} px, {sizes}, {broken}; {px} px to begin with",
            file=FACTS,
            width=width,
            height=height,
            sizes=said("all of one size") if n == 1 else said("{n:,} sizes", n=n),
            broken=said("{n} broken", n=len(facts.broken)) if facts.broken else said("no broken file"),
            px=facts.sizes.recommended_px,
        )
    )


def leaks(facts: Facts, evidence: Evidence) -> Answer:
    """Whether no copies lie in two parts or under two labels and no series is divided, or all of it is dealt with."""
    noted = ("series", "note")  # beside groups that the data give, series are no more than a remark
    found = [entry for entry in facts.findings if entry.id.startswith(LEAKS) and (entry.id, entry.severity) != noted]
    left = [entry for entry in found if not evidence.deals_with(entry)]
    if left:
        command = None if evidence.is_damaged(FINDINGS_TOML) else left[0].command
        return Answer.missing(said("{file}: {found}", file=FACTS, found=_listed(left)), command or BY_HAND)
    looked = said("; looked for {kinds}", kinds=listed(map(word, facts.looked_for))) if facts.looked_for else Said("")
    if found:
        named = ", ".join(entry.id for entry in found)
        return Answer.proved(said("findings.toml deals with {found}{looked}", found=named, looked=looked))
    return Answer.proved(_no_copies(facts, looked))


def _described(entry: FileFacts) -> Said:
    """Name a file, and what it is for: `images (885 photographs)`, `sample.csv (sample submission, 300)`."""
    return said(
        "{path} ({n:,} {role})" if entry.role in _COUNTED else "{path} ({role}, {n:,})",
        path=entry.path,
        n=entry.n,
        role=word(entry.role),
    )


def _listed(findings: Sequence[Finding]) -> str:
    return "; ".join(f"{entry.id}: {entry.n}" for entry in findings)


def _drawn(facts: Facts, evidence: Evidence, names: Sequence[str]) -> list[str]:
    """Return the files of pictures that were drawn and are still there, relative to the workspace."""
    known = [facts.pictures[name] for name in names if name in facts.pictures]
    return [f"reports/{file}" for file in known if (evidence.workspace.reports / file).is_file()]


def _no_copies(facts: Facts, looked: Said) -> Said:
    """Describe that there are no copies of the kind in question, and how many there are of others."""
    n = len(facts.duplicates)
    if not n:
        return said("{file}: no copies across parts or under two labels{looked}", file=FACTS, looked=looked)
    return said(
        "{file}: none of {n:,} pair of copies across parts or under two labels{looked}"
        if n == 1
        else "{file}: none of {n:,} pairs of copies across parts or under two labels{looked}",
        file=FACTS,
        n=n,
        looked=looked,
    )


def goal(evidence: Evidence) -> Answer:
    """Whether title and goal are written down."""
    problem = evidence.problem
    if problem is None:
        return _no_problem(evidence)
    missing = [name for name in ("title", "goal") if not getattr(problem, name).strip()]
    if len(missing) > 1:
        return Answer.missing(said("{file} has no title and no goal: write it there", file=MARKER), BY_HAND)
    if missing:
        return _write_it(missing[0])
    return Answer.proved(said("{file}: {title}: {goal}", file=MARKER, title=problem.title, goal=problem.goal))


def _write_it(field: str) -> Answer:
    return Answer.missing(said("{file} has no {field}: write it there", file=MARKER, field=field), BY_HAND)


def problem_type(evidence: Evidence) -> Answer:
    """Whether the type is written down and equal to what the data say."""
    problem = evidence.problem
    if problem is None:
        return _no_problem(evidence)
    if problem.type is None:
        return _write_it("type")
    found = _seen_type(evidence)
    if found is None:
        return Answer.missing(
            said(
                "{file}: {type}; nothing has looked yet whether the data say so",
                file=MARKER,
                type=problem.type,
            ),
            look_again(evidence),
        )
    kind, where = found
    if kind != problem.type:
        other = said(
            "{file} says {type}, but {where} says {found}: correct one of them",
            file=MARKER,
            type=problem.type,
            where=where,
            found=kind,
        )
        return Answer.missing(other, BY_HAND)
    return Answer.proved(said("{file}: {type}, as {where} says", file=MARKER, type=problem.type, where=where))


def metric(evidence: Evidence) -> Answer:
    """Whether the metric is written down."""
    problem = evidence.problem
    if problem is None:
        return _no_problem(evidence)
    if problem.metric is None:
        return _write_it("metric")
    return Answer.proved(said("{file}: {metric}", file=MARKER, metric=word(in_words(problem.metric))))


def _seen_type(evidence: Evidence) -> tuple[str, Said] | None:
    """Return the type that the data have, and what says so."""
    seen, facts = evidence.present.seen, evidence.facts
    if facts is not None and not evidence.facts_change:
        n_classes = len(facts.data.classes)
        return _counted(facts.data.problem, n_classes), said("{file} ({n} classes)", file=FACTS, n=n_classes)
    if seen is not None:
        n_classes = len(seen.valid_counts)
        return _counted(seen.problem, n_classes), said("the last reading of the data ({n} classes)", n=n_classes)
    return None


def _counted(kind: str, n_classes: int) -> str:
    """Return the type that the classes make: one that was asked for says nothing of the data, their number does."""
    return kind if kind == "multilabel" else "binary" if n_classes == 2 else "multiclass"


def _no_problem(evidence: Evidence) -> Answer:
    if evidence.is_damaged(MARKER):
        return Answer.missing(said("{file} cannot be read: correct it", file=MARKER), BY_HAND)
    return Answer.missing(said("there is no {file}", file=MARKER))


def first(evidence: Evidence) -> Answer:
    """Whether predictions of a baseline run were written as a submission that is still there."""
    runs = {run.id: run for run in evidence.runs if is_baseline(run)}
    made = [entry for entry in evidence.submissions if entry.run in runs]
    proofs = [
        Answer.proved(
            said("{submission}, from {run}", submission=entry.name, run=entry.run),
            evidence.change_since_run(runs[entry.run]),
        )
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
    made = [entry for entry in evidence.submissions if entry.run in _of_incumbent(climb, evidence)]
    whole = [entry for entry in made if entry.is_whole()]
    if whole:
        name = whole[-1].name
        return Answer.proved(
            said("{submission}, from {stack}, which {file} recommends", submission=name, stack=stack, file=climb.file)
        )
    if made:
        return _not_whole(made[-1], evidence)
    runs = [run for run in evidence.runs if run.id in climb.incumbent_runs]
    if not any(has_test(run) for run in (*runs, *evidence.finals_of(climb))):
        advice = word(GIVE_TEST)
        return Answer.missing(
            said("the runs of {stack} have no test part to submit; {advice}", stack=stack, advice=advice), BY_HAND
        )
    return Answer.missing(said("no submission is of {stack}, which {file} recommends", stack=stack, file=climb.file))


def _not_whole(entry: Submission, evidence: Evidence) -> Answer:
    """Describe that a submission is not what it was, and how its run is submitted once more."""
    is_in_the_way = (evidence.workspace.submissions / f"{entry.run}.csv").is_file()
    command = f"imgcls submit {shlex.quote(entry.run)}{' --force' if is_in_the_way else ''}"
    return Answer.missing(
        said("{submission} is gone, or was changed since it was written", submission=entry.name), command
    )


def _no_submission(evidence: Evidence) -> Answer:
    first = _run_first(evidence)
    if first is not None and evidence.has_test_part:
        return Answer.missing(said("no run of the baseline that holds predicts the test part with one network"), first)
    if first is not None and evidence.baseline is not None:
        run, advice = named(evidence.baseline), word(GIVE_TEST)
        return Answer.missing(said("{run} has no test part to submit; {advice}", run=run, advice=advice), BY_HAND)
    n = len(evidence.submissions)
    return Answer.missing(
        said("none of {n} submissions is of a baseline run", n=n) if n else said("there is no submission yet")
    )


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
        if entry.run in _of_incumbent(climb, evidence) and entry.is_whole()
    ]
    if made:
        entry, climb = made[-1]
        return replace(Answer.proved(Said(entry.name), evidence.change_since_climb(climb)), command=BY_HAND)
    return Answer.missing(said("no ladder that holds says which stack to submit"), BY_HAND)


def _of_incumbent(climb: LadderStatus, evidence: Evidence) -> set[str]:
    """Return the ids of the runs of the stack that a ladder recommends, validated or not, and of their blends."""
    runs = {*climb.incumbent_runs, *(run.id for run in evidence.finals_of(climb))}
    return runs | {blend.record.id for blend in evidence.blends if {*blend.record.shares} <= runs}


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
            return replace(Answer.proved(judged[-1].said, change), command=_once_more(judged[-1], evidence))
        if trials:
            last = trials[-1]
            text = said("{verdict}: {reason}", verdict=last.said, reason=last.reason)
            return Answer.missing(text, _more_seeds(last, evidence))
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


def flat_curve(run: RunRecord) -> Said:
    """Describe that a run's validation no longer improved; nothing where it did, or where it was too short to tell.

    A curve is flat when the last third of the epochs holds neither a lower loss nor a higher accuracy than the
    epochs before it, and that third is two epochs at least.
    """
    try:
        rows = run.history()
    except RecordError:
        return Said("")
    losses, accuracies = (_numbers(rows, name) for name in ("valid_loss", "valid_accuracy"))
    if len(rows) < FEWEST_EPOCHS or min(len(losses), len(accuracies)) < len(rows):
        return Said("")
    first = len(rows) - len(rows) // 3
    if min(losses[first:]) < min(losses[:first]) or max(accuracies[first:]) > max(accuracies[:first]):
        return Said("")
    best = losses.index(min(losses)) + 1
    return said(
        "{file}: neither validation loss nor accuracy improved in the last {last} of {n} epochs; the loss was lowest "
        "in epoch {best}",
        file=f"runs/{run.id}/history.csv",
        last=len(rows) - first,
        n=len(rows),
        best=best,
    )


def _numbers(rows: Sequence[Mapping[str, object]], name: str) -> list[float]:
    """Return a column of a history, without what is no number."""
    return [float(value) for row in rows if isinstance(value := row.get(name), int | float)]


def ensemble(evidence: Evidence) -> Answer:
    """Whether a verdict was given on a blend; where there is nothing to blend, a second network comes first."""
    answer = tried("predict.ensemble")(evidence)
    if answer.state != "open" or to_blend(evidence) is not None:
        return answer
    return Answer.missing(
        said("no stack has two networks yet that could be blended"), another_seed(evidence) or BY_HAND
    )


def all_data(evidence: Evidence) -> Answer:
    """Whether the stack to use was trained on train and validation together, and what stands for its score."""
    climb = evidence.climb
    if climb is None or climb.incumbent is None:
        made = [(run, climb) for climb in evidence.climbed for run in evidence.finals_of(climb)]
        if made:
            run, climb = made[-1]
            return replace(Answer.proved(Said(named(run)), evidence.change_since_climb(climb)), command=BY_HAND)
        return Answer.missing(said("no ladder that holds says which stack to train on all the data"), BY_HAND)
    if runs := evidence.finals_of(climb):
        judged = [one.run for one in runs[-1].all_data.judged] if runs[-1].all_data else []
        return Answer.proved(
            said(
                "{run}: all {n:,} photographs train; {judged} stand for its score",
                run=named(runs[-1]),
                n=runs[-1].data.n["train"],
                judged=listed(judged),
            )
        )
    stack = climb.ladder.rungs[climb.incumbent].printed
    return Answer.missing(
        said("no run of {stack}, which {file} recommends, is on all the data", stack=stack, file=climb.file)
    )


def _not_tried(id_: str, evidence: Evidence) -> Answer:
    begun = [
        climb
        for climb in evidence.climbs
        if not climb.is_complete and any(id_ in rung.items for rung in climb.ladder.rungs[1:])
    ]
    if begun:
        command = ladder_again(begun[-1], evidence, n_seeds=begun[-1].ladder.n_seeds)
        return Answer.missing(said("{ladder} is not finished", ladder=f"ladders/{begun[-1].ladder.name}"), command)
    return Answer.missing(said("not tried yet"))


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
