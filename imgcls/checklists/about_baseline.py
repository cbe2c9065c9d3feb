"""Stage 3: what a finished run of the baseline proves, and whether it still holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from imgcls.checklists.commands import in_folds, look_again
from imgcls.checklists.evidence import Evidence, is_baseline
from imgcls.checklists.predictions import labels_of
from imgcls.checklists.states import BY_HAND, Answer
from imgcls.errors import PlanError
from imgcls.plan import Plan
from imgcls.problem.metrics import decided_by, in_words
from imgcls.records.run import RunRecord
from imgcls.records.submissions import GIVE_TEST, TEST_FILE


def of_baseline(rule: Callable[[RunRecord, Evidence], Answer]) -> Callable[[Evidence], Answer]:
    """Make a rule over a run one over all evidence: without a baseline it is open, and stale when it does not hold."""

    def answered(evidence: Evidence) -> Answer:
        run = evidence.baseline
        if run is None:
            return Answer.missing(_no_baseline(evidence))
        try:
            answer = rule(run, evidence)
        except PlanError as problem:  # another version wrote it, with a part or a choice that this one has not
            return Answer.missing(f"{_named(run)}: its plan cannot be read: {problem}")
        if answer.state == "done":
            return Answer.proved(answer.evidence, evidence.baseline_change)
        return answer

    return answered


def seed(run: RunRecord, evidence: Evidence) -> Answer:
    """Whether a seed was fixed."""
    seeds = sorted({other.seed for other in evidence.runs if other.plan_digest == run.plan_digest})
    more = f", as {len(seeds) - 1} others of this plan have theirs" if len(seeds) > 1 else ""
    return Answer.proved(f"{_named(run)}: seed {run.seed}{more}; '--again' repeats it and compares the bits")


def device(run: RunRecord, _: Evidence) -> Answer:
    """Which device it was, and what it cost; cpu is an answer."""
    name = run.environment.get("device_name")
    shown = f"{run.environment['device']}{f' ({name})' if name else ''}"
    speed = f", {run.images_per_second:.0f} images a second" if run.images_per_second else ""
    return Answer.proved(f"{_named(run)}: {shown}, {run.seconds.get('total', 0.0):.0f} seconds in all{speed}")


def split(run: RunRecord, _: Evidence) -> Answer:
    """Whether some train and others validate."""
    n = run.data.n
    if not (run.folds is not None or n.get("train")) or not n.get("valid"):
        return Answer.missing(f"{_named(run)} has nothing to train or to validate with")
    who = (
        f"{n['valid']:,} validate out of fold"
        if run.folds is not None
        else f"{n['train']:,} train, {n['valid']:,} validate"
    )
    return Answer.proved(f"{_named(run)}: {who}, digest {run.data.split_digest[:8]}")


def transforms(run: RunRecord, _: Evidence) -> Answer:
    """What photographs become."""
    images, augment = Plan.from_json(run.plan).images, Plan.from_json(run.plan).augment
    random = f"{len(augment.transforms)} random transforms" if augment.transforms else "none random"
    return Answer.proved(f"{_named(run)}: {images.resize} to {images.size_px} px, {random}")


def loaders(run: RunRecord, _: Evidence) -> Answer:
    """How many images there were, and how many a step."""
    n = ", ".join(f"{number:,} {part}" for part, number in run.data.n.items() if number)
    return Answer.proved(f"{_named(run)}: {n}; {Plan.from_json(run.plan).fit.batch_size} a step")


def model(run: RunRecord, _: Evidence) -> Answer:
    """Whether it began with pretrained weights, and with which."""
    name = Plan.from_json(run.plan).model.name
    if run.weights.sha256 is None:
        return Answer.missing(f"{_named(run)}: {name} began with random weights", BY_HAND)
    return Answer.proved(f"{_named(run)}: {name} from {run.weights.source}, sha256 {run.weights.sha256[:8]}")


def training(run: RunRecord, _: Evidence) -> Answer:
    """Whether a baseline was trained to its end."""
    plan = Plan.from_json(run.plan)
    n = plan.fit.epochs
    epochs = f"{n} epoch{'s' * (n != 1)} of " if n else ""
    return Answer.proved(f"{_named(run)}: {epochs}{plan.optimizer.name} at {plan.optimizer.learning_rate:g}")


def validation(run: RunRecord, evidence: Evidence) -> Answer:
    """Whether the score is above that of the answer that needs no photograph, luck of the images counted."""
    known = [name for name, one in run.metrics.items() if one.low is not None]
    metric = decided_by(evidence.problem.metric if evidence.problem else None, run.problem, known=known)
    name = in_words(metric)
    scored = run.metrics.get(metric)
    if scored is None or scored.value is None or scored.low is None or scored.high is None:
        return Answer.missing(f"{_named(run)} has no {name} with an interval")
    trivial = 0.5 if metric == "roc_auc" else _majority(run, evidence)
    if trivial is None:
        return Answer.missing(f"{_named(run)}: its validation labels cannot be read")
    said = f"{_named(run)}: {name} {scored.value:.3f} [{scored.low:.3f}, {scored.high:.3f}]"
    without = "ranking at random" if metric == "roc_auc" else "always naming the most frequent class"
    if scored.low <= trivial:
        more = look_again(evidence) if run.folds is not None else in_folds(run, evidence)
        return Answer.missing(f"{said} is not shown to be better than {without}, {trivial:.3f}", more)
    return Answer.proved(f"{said}, better than {without}, {trivial:.3f}")


def submission(evidence: Evidence) -> Answer:
    """Whether predictions of a baseline run were written as a submission."""
    runs = {run.id: run for run in evidence.runs if is_baseline(run)}
    made = [(entry, runs[entry.run]) for entry in evidence.submissions if entry.run in runs]
    if not made:
        n = len(evidence.submissions)
        run = evidence.baseline
        if run is not None and TEST_FILE not in run.files:
            return Answer.missing(f"{_named(run)} has no test part to submit; {GIVE_TEST}", BY_HAND)
        return Answer.missing(f"none of {n} submissions is of a baseline run" if n else "there is no submission yet")
    changes = [evidence.change_since_run(run) for _, run in made]
    place = next((place for place in reversed(range(len(made))) if not changes[place]), len(made) - 1)
    entry, run = made[place]
    return Answer.proved(f"{entry.name}, from {run.id}", changes[place])


def _majority(run: RunRecord, evidence: Evidence) -> float | None:
    """Give the share of the most frequent class among what the run validated on."""
    seen = evidence.present.seen
    if seen is not None and (seen.data_digest, seen.split_digest) == (run.data.digest, run.data.split_digest):
        return seen.majority_accuracy
    labels = labels_of(run)
    return max(Counter(labels).values()) / len(labels) if labels else None


def _no_baseline(evidence: Evidence) -> str:
    if evidence.runs:
        return "there are runs, but none of the baseline alone"
    if evidence.n_quick:
        return "only trials (--quick) are there, and they prove nothing"
    return "nothing was trained yet"


def _named(run: RunRecord) -> str:
    return f"runs/{run.folder.name if run.folder else run.id}"
