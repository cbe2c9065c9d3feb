"""Stage 3: what a finished run of the baseline proves, and whether it still holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from imgcls.checklists.commands import again, in_folds
from imgcls.checklists.evidence import Evidence, named
from imgcls.checklists.predictions import labels_of, tallies
from imgcls.checklists.states import BY_HAND, Answer
from imgcls.errors import PlanError
from imgcls.plan import Plan
from imgcls.problem.metrics import decided_by, in_words
from imgcls.records.run import RunRecord


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
    """Whether the score is above that of the answer that needs no photograph, luck of the images counted."""
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
    """Give the share of the most frequent class among what the run validated on."""
    seen = evidence.present.seen
    if seen is not None and (seen.data_digest, seen.split_digest) == (run.data.digest, run.data.split_digest):
        return seen.majority_accuracy
    if run.problem == "multilabel":
        counts = list(Counter(labels_of(run)).values())
    else:
        counts = [tally.n for tally in tallies(run, evidence.workspace)]
    return max(counts) / sum(counts) if any(counts) else None


def _no_baseline(evidence: Evidence) -> str:
    if evidence.runs:
        return "there are runs, but none of the baseline alone"
    if evidence.n_quick:
        return "only trials (--quick) are there, and they prove nothing"
    return "nothing was trained yet"
