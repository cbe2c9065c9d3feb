"""What result.json, final.json, comparisons, views and verdict.json hold, for all who use them; light to load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from imgcls.config.metrics import find_metric
from imgcls.errors import RecordError, UsageError
from imgcls.ladders.spec import RESULT_JSON, Kind, RungPlan, find_ladders, rungs_problems
from imgcls.plan import VIEW_KINDS
from imgcls.records.blend import BlendMember, BlendRecord, find_blends
from imgcls.records.run import NOT_SCORED, Estimate, RunId, RunRecord, Verdict, in_utc
from imgcls.schema import MAY_BE_ABSENT, NOT_IN_FILE, file_name, one_of, read_as, to_json
from imgcls.workspace import Workspace


@dataclass(frozen=True)
class Effect:
    """What a recipe was worth in one ladder."""

    ladder: str
    """The ladder's name."""
    data: str
    """The data set's name."""
    over: str
    """The stack that it was added to, or left out of."""
    metric: str
    """The metric."""
    value: float
    """The gain."""
    low: float
    """Lower end of the 95 % interval."""
    high: float
    """Upper end of the 95 % interval."""
    verdict: Verdict
    """What may be said of it."""
    n_seeds: int
    """The fewest seeds on either side."""
    n_images: int
    """The images that it was scored on."""


def measured_effects(recipe: str, workspace: Workspace) -> list[Effect]:
    """Return what every ladder of a workspace measured of one recipe alone, in the order of their names.

    Args:
        recipe: Its name.
        workspace: Where the ladders lie; results that cannot be read are passed over.
    """
    found = []
    for path in sorted(workspace.ladders.glob(f"*/{RESULT_JSON}")):
        try:
            result = read_result(path)
            find_metric(result.metric)
        except UsageError:
            continue
        for number, rung in enumerate(result.rungs):
            step = rung.step
            if rung.recipes != (recipe,) or step is None:
                continue
            if step.low is None or step.high is None:  # a single image has no interval
                continue
            effect = Effect(
                ladder=result.name,
                data=result.data.name,
                over=result.rungs[number - 1 if result.kind == "climb" else 0].printed,
                metric=result.metric,
                value=step.value,
                low=step.low,
                high=step.high,
                verdict=step.verdict,
                n_seeds=min(step.n_runs),
                n_images=step.n_images,
            )
            found.append(effect)
    return found


def judging_ladder(record: RunRecord) -> str | None:
    """Return the name of the newest ladder that judged the plan of a run on its data; None where there is none.

    It is looked up, and no part of a record: a ladder is judged again as seeds are added to it.
    """
    if record.folder is None:
        return None
    ladders, _ = find_ladders(Workspace(record.folder.absolute().parent.parent))
    judged = (ladder for ladder in reversed(ladders) if ladder.folder and (ladder.folder / RESULT_JSON).is_file())
    wanted = record.data.digest, record.plan_digest
    return next(
        (one.name for one in judged if wanted in {(one.data_digest, rung.plan_digest) for rung in one.rungs}), None
    )


SCHEMA = 1
VIEWS = "views"
"""The folder of reports/ that keeps what views of networks are worth."""


@dataclass(frozen=True)
class Failure:
    """A run that failed, and so is missing from the evidence."""

    seed: int
    """Its seed."""
    fold: int | None
    """Its fold; None without folds."""
    reason: str
    """Why."""


@dataclass(frozen=True)
class Change:
    """One image that two sides do not answer alike."""

    id: str
    """Its name."""
    label: str
    """Its class."""
    before: float
    """Share of the runs that were right on the side it is compared with, in [0, 1]."""
    after: float
    """Share of the runs that are right on the other side, in [0, 1]."""


@dataclass(frozen=True)
class SettleRecord:
    """About what it would take to settle a comparison: see `imgcls.evidence.power.RequiredSamples`."""

    target: float
    """The gain that should be found four times in five."""
    n_seeds: int | None
    """Seeds a rung that would be enough on these images; None where no number is."""
    n_images: int | None
    """Images (or groups) that would be enough with these seeds; None where no number is."""
    limit: str
    """What keeps one of the two from being enough alone; empty where both would do."""


@dataclass(frozen=True)
class _Said:
    """What is said of a gain: see `imgcls.evidence.verdicts.Judged`."""

    verdict: Verdict
    """What may be said."""
    holm_p: float | None
    """p with all comparisons of the family counted; None where nothing can be measured."""
    remarks: tuple[str, ...]
    """What a reader should know beside the verdict."""
    detectable: float | None
    """The gain that would be found four times in five; None where nothing can be measured."""
    settle: SettleRecord | None
    """What would settle it; None where it is settled, cannot be known, or could have been seen already."""


@dataclass(frozen=True)
class GainRecord:
    """A gain with its interval: see `imgcls.evidence.gains.Gain`; numbers that do not exist are None."""

    value: float
    """The gain in the metric's unit; above 0 is better, whatever the metric."""
    low: float | None
    """Lower end of the 95 % interval; None without one."""
    high: float | None
    """Upper end of the 95 % interval; None without one."""
    low90: float | None
    """Lower end of the 90 % interval."""
    high90: float | None
    """Upper end of the 90 % interval."""
    p: float | None
    """The level at which the interval just touches zero."""
    standard_error: float | None
    """The standard deviation of the gain."""
    method: str
    """What was compared: separate trainings, predictions of the same weights, two given models, or folds."""
    n_images: int
    """The number of images that both sides were scored on."""
    n_units: int
    """The number of units: images, groups where there are any, or folds."""
    n_runs: tuple[int, int]
    """The runs on either side."""
    seed_sds: tuple[float | None, float | None]
    """Standard deviation of the metric over seeds on either side; None with one run."""
    degrees_of_freedom: float | None
    """Of the seed part; None where the models are given."""
    same_weights: bool
    """Whether both sides were predicted by the same weights."""
    here: tuple[float | None, float | None] | None
    """The 95 % interval for exactly these images and new seeds."""
    n_changed: int | None
    """Images whose averaged contribution differs between the sides; None for folds."""
    is_accuracy: bool
    """Whether contributions are right or wrong, 1 or 0."""
    is_identical: bool
    """Whether the two sides do not differ on a single image in a single run."""
    has_groups: bool
    """Whether the units are groups of images."""
    noise: Mapping[str, float | None] | None
    """The noise by its source; None for folds."""
    components: Mapping[str, float | None] | None
    """What the noise is made of; None where one run cannot tell."""


@dataclass(frozen=True)
class VerdictRecord(GainRecord, _Said):
    """A gain with its verdict."""


@dataclass(frozen=True, kw_only=True)
class RungRecord(RungPlan):
    """One rung, judged: see `imgcls.ladders.judge.RungResult`."""

    n_planned: int
    """Runs that it should have."""
    runs: tuple[RunId, ...]
    """Ids of the runs that are done, by fold and seed."""
    values: tuple[float | None, ...]
    """The primary metric of each of them."""
    failures: tuple[Failure, ...]
    """The runs that failed."""
    score: Estimate | None
    """The primary metric over all runs; None before the first run is done."""
    seed_sd: float | None
    """Standard deviation of the metric over seeds; None with fewer than two."""
    metrics: Mapping[str, Estimate]
    """The other metrics, likewise."""
    step: VerdictRecord | None
    """The gain over the rung it is compared with; None for the first, or while runs are missing."""
    total: VerdictRecord | None
    """The gain over the base; None for the first, and where recipes are left out."""
    other_gains: Mapping[str, GainRecord]
    """The step's gain in the other metrics, for which no verdicts are given."""
    seconds: float | None
    """What one run of it takes when made alone, in the mean."""
    extra_seconds: float | None
    """How much more that is than for the rung it is compared with."""
    seconds_per_point: float | None
    """What a point of gain costs in time; None where no gain was shown."""


@dataclass(frozen=True)
class EnsembleRecord:
    """The mean prediction of the seeds of one stack: see `imgcls.ladders.judge.EnsembleResult`."""

    stack: str
    """The stack, as it is printed."""
    n_members: int
    """The networks that are averaged; over folds, the fewest of a fold."""
    score: Estimate
    """The primary metric."""
    gain: VerdictRecord
    """Its gain over one of these networks."""


@dataclass(frozen=True)
class ResultData:
    """What the runs of a ladder were trained and scored on."""

    name: str
    """The short name of the data set."""
    digest: str
    """Digest of samples, labels and pixels."""
    split_digests: tuple[str, ...]
    """Digest of who trains and who validates, for each fold."""
    problem: str
    """`binary`, `multiclass` or `multilabel`; empty before the first run is done."""
    classes: tuple[str, ...]
    """The classes."""
    n_train: int
    """Training photographs, in the mean over folds."""
    n_images: int
    """Photographs that every run was scored on, over all folds."""
    n_groups: int
    """The groups that they come in; 0 where they stand alone."""


@dataclass(frozen=True)
class ResultRecord:
    """A ladder, judged: result.json, see `imgcls.ladders.judge.LadderResult`."""

    name: Annotated[str, file_name]
    """The ladder's name."""
    kind: Kind
    """Whether recipes were added or left out."""
    stack: str
    """The full stack as typed."""
    metric: str
    """The primary metric."""
    unit: str
    """The unit of gains: points, or nats for log loss."""
    smallest_gain: float
    """The smallest gain of interest, in the metric's unit."""
    seeds: tuple[int, ...]
    """The seeds of every rung."""
    n_folds: int | None
    """The number of folds; None for one split."""
    data: ResultData
    """What the runs were trained and scored on."""
    complete: bool
    """Whether every run is done or has failed."""
    looks: int
    """How often verdicts were given with a growing number of seeds."""
    incumbent: str
    """The stack to use, as it is printed."""
    rungs: Annotated[tuple[RungRecord, ...], rungs_problems]
    """Its rungs, lowest first."""
    n_failed: int
    """The runs that failed."""
    devices: tuple[str, ...]
    """The devices that the runs were made on."""
    seconds: float
    """What all runs took together."""
    saved_seconds: float
    """What trainings would have taken besides, had no weights been shared."""
    environment: Mapping[str, Any]
    """Versions and platform of the first run."""
    notes: tuple[str, ...]
    """What a person should know before believing any of it."""
    ensemble: EnsembleRecord | None = field(default=None, metadata=MAY_BE_ABSENT)
    """The mean prediction of the seeds of a rung; None where nobody asked for it, or there are too few seeds."""


@dataclass(frozen=True)
class ValidationScores:
    """What validation says of the two stacks that the sealed test was opened for."""

    baseline: Estimate | None
    """The base."""
    incumbent: Estimate | None
    """The incumbent; optimistic, since it was chosen there."""


@dataclass(frozen=True)
class TestedPromise:
    """What the sealed test says of a promise of decision.toml."""

    what: str
    """`recall` or `precision`."""
    of: str
    """The class."""
    at_least: float
    """What was asked for."""
    shown: float
    """What the photographs of validation showed at least."""
    found: Estimate
    """What it is on test, among the photographs that were answered."""
    n_false: int
    """Photographs that are called so and have it not."""


@dataclass(frozen=True)
class FinalRecord:
    """What the sealed test says of a ladder: final.json, see `imgcls.ladders.final_test.Final`."""

    ladder: Annotated[str, file_name]
    """The ladder's name."""
    metric: str
    """The primary metric."""
    baseline: str
    """The stack of the base."""
    incumbent: str
    """The stack that the ladder recommends."""
    n_images: int
    """Test images with a label."""
    n_groups: int
    """The groups that they come in; 0 where they stand alone."""
    baseline_score: Estimate
    """The base on test."""
    incumbent_score: Estimate
    """The incumbent on test."""
    test: VerdictRecord | None
    """The gain on test; None where the incumbent is the base."""
    validation: VerdictRecord | None
    """The gain on validation, which is optimistic: the incumbent was chosen by it."""
    n_openings: int
    """How often this test part was scored, this time included."""
    validation_scores: ValidationScores
    """Both stacks on validation."""
    promises: tuple[TestedPromise, ...] | None = field(default=None, metadata=MAY_BE_ABSENT)
    """Those of the decision for a run of the ladder, or a blend of such runs; None where there is none."""


@dataclass(frozen=True)
class Arm:
    """One side of a comparison."""

    text: str
    """What was asked for."""
    label: str
    """The stack with its overrides."""
    stack: str
    """The stack without them."""
    overrides: Mapping[str, Any]
    """Plan path → value that was set by hand on its base."""
    plan_digest: str
    """Digest of the plan."""
    runs: tuple[RunId, ...]
    """Ids of the runs, by fold and seed."""
    seeds: tuple[int, ...]
    """The seeds, each once."""
    values: tuple[float, ...]
    """The metric of each run, in its own direction."""
    score: Estimate
    """The metric over all runs, with its interval."""
    seed_sd: float | None
    """Standard deviation of the metric over seeds; None with fewer than two."""


@dataclass(frozen=True)
class ComparisonData:
    """The images that both sides of a comparison were scored on."""

    name: str
    """The short name of the data set."""
    digest: str
    """Digest of samples, labels and pixels."""
    split_digests: tuple[str, ...]
    """Digest of who trains and who validates, one for each fold that both sides have."""
    n_images: int
    """Images that every run was scored on, over all folds."""
    n_groups: int
    """The groups that they come in; 0 where they stand alone."""
    n_folds: int | None
    """The number of folds that both sides have; None for one split."""
    split_seed: int | None = field(default=None, metadata=MAY_BE_ABSENT)
    """The seed that split or folds were drawn from; None where the records do not keep it."""


@dataclass(frozen=True)
class AcrossReview:
    """A comparison over a review: the labels that judge changed as well as those that were trained on."""

    judged_by: Annotated[str, one_of("A", "B")]
    """The side whose labels judge both: the one that was trained after the review."""
    n_relabelled: int
    """Images of validation that have another label on the two sides."""
    n_undisputed: int
    """Images that have the same."""
    undisputed: VerdictRecord | None
    """The gain of B over A on those alone; None where the metric cannot be computed on them."""


@dataclass(frozen=True)
class ComparisonRecord:
    """Side B over side A: see `imgcls.ladders.compare.Comparison`."""

    a: Arm
    """What is compared with."""
    b: Arm
    """What is compared."""
    metric: str
    """The metric that the verdict is about."""
    unit: str
    """The unit of gains: points, or nats for log loss."""
    gain: VerdictRecord
    """The gain of B over A in the metric, and its verdict."""
    other_gains: Mapping[str, GainRecord]
    """The gain in the other metrics, for which no verdicts are given."""
    data: ComparisonData
    """What both were scored on."""
    changes: Mapping[str, tuple[Any, Any]]
    """Plan path → value of A and value of B."""
    recipes: tuple[str, ...]
    """The recipes that one side has and the other has not."""
    items: tuple[str, ...]
    """The checklist items that all of these answer."""
    fixed: tuple[Change, ...]
    """Images that B gets right more often, the most first."""
    broken: tuple[Change, ...]
    """Images that B gets right less often, likewise."""
    notes: tuple[str, ...]
    """What a person should know before believing it."""
    review: AcrossReview | None = field(default=None, metadata=MAY_BE_ABSENT)
    """What lies between the two sides, where that is a review of labels; None otherwise."""


VERDICT_JSON = "verdict.json"


@dataclass(frozen=True)
class BlendVerdict:
    """What may be said of a blend: verdict.json."""

    best: str
    """The id of the first run of the member that is best on its own."""
    score: Estimate
    """The blend in the metric."""
    gain: VerdictRecord
    """Its gain over that member."""


@dataclass(frozen=True)
class Blend:
    """A blend with what may be said of it."""

    record: BlendRecord
    """Its members, their weights, and their predictions as one."""
    verdict: BlendVerdict | None
    """Its gain over the member that is best on its own; None of networks that were trained on all the data."""
    is_new: bool = True
    """Whether it was made now; it may have been there."""

    @property
    def best(self) -> BlendMember:
        """The member that is best on its own."""
        return self.record.members[0]

    @property
    def score(self) -> Estimate:
        """What it scores together."""
        return Estimate.missing(NOT_SCORED, n=0) if self.verdict is None else self.verdict.score

    def to_json(self) -> dict[str, Any]:
        """Return the whole as JSON values."""
        gain = None if self.verdict is None else to_json(self.verdict.gain)
        return {**self.record.to_json(), "score": self.score.to_json(), "gain": gain}


@dataclass(frozen=True)
class ViewsStep:
    """What the first views together are worth."""

    n_views: int
    """How many are averaged; the first is the photograph as it is."""
    score: Estimate
    """Their score."""
    gain: GainRecord | None
    """Over the photograph as it is; None for that itself. No verdict: it is one of many."""


@dataclass(frozen=True)
class ViewChange:
    """A photograph that one view and all of them answer otherwise, once rightly."""

    id: str
    """Its name."""
    label: str
    """Its class."""
    before: str
    """What one view answers."""
    after: str
    """What all of them answer."""


@dataclass(frozen=True)
class ViewsRecord:
    """What views of a network are worth on the photographs that validated it."""

    run: RunId
    """The run."""
    sha256: str
    """Digest of its run.json."""
    stack: str
    """Its stack."""
    label: str
    """Its stack as it is printed."""
    overrides: Mapping[str, Any]
    """Plan path → value that flags set on the base."""
    plan_digest: str
    """Digest of its plan."""
    data_digest: str
    """Digest of samples, labels and pixels."""
    split_digest: str
    """Digest of who trains and who validates."""
    split_seed: int | None
    """The seed that the split, or the folds, were drawn from; None where the run does not keep it."""
    n_folds: int | None
    """How many folds there are, of which the run is one; None without folds."""
    kind: Annotated[str, one_of(*VIEW_KINDS)]
    """Where views come from; see `imgcls.plan.Predict`."""
    metric: str
    """What they are scored by."""
    smallest_gain: float
    """The smallest gain of interest, in the metric's unit."""
    curve: tuple[ViewsStep, ...]
    """One view, two, and so on."""
    chosen: int
    """How many views score best on all photographs; of equal ones the fewest."""
    chosen_by_part: tuple[int, ...]
    """The same on all photographs but a fifth, for each fifth; empty where no fifth could be held out."""
    expected: Estimate | None
    """The score of a number that is chosen on four fifths, on the fifth; None likewise."""
    gain: VerdictRecord | None
    """The gain of that over one view; None likewise."""
    fixed: tuple[ViewChange, ...]
    """Photographs that one view answers wrongly and all of them rightly; empty for several labels an image."""
    broken: tuple[ViewChange, ...]
    """The other way round."""
    notes: tuple[str, ...]
    """What a person should know."""
    created: Annotated[str, in_utc]
    """When it was made: UTC, ISO 8601."""
    file: Path | None = field(default=None, compare=False, metadata=NOT_IN_FILE)
    """Where it lies; not part of what is written."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"schema": SCHEMA, **to_json(self)}


def read_result(path: Path) -> ResultRecord:
    """Read result.json.

    Raises:
        RecordError: It is missing or damaged, or a newer imgcls wrote it.
    """
    return read_as(ResultRecord, path, schema=SCHEMA, remedy="'imgcls ladder run' with the same stack writes it again.")


def read_final(path: Path) -> FinalRecord:
    """Read final.json.

    Raises:
        RecordError: It is missing or damaged, or a newer imgcls wrote it.
    """
    return read_as(FinalRecord, path, schema=SCHEMA, remedy="'imgcls ladder final' writes it again.")


def read_comparison(path: Path) -> ComparisonRecord:
    """Read a comparison that was kept.

    Raises:
        RecordError: It is missing or damaged, or a newer imgcls wrote it.
    """
    return read_as(ComparisonRecord, path, schema=SCHEMA, remedy="'imgcls compare' writes it again.")


def read_blend(folder: Path) -> Blend:
    """Read a blend and what may be said of it.

    Raises:
        RecordError: There is none, or it is damaged.
    """
    return with_verdict(BlendRecord.read(folder))


def read_blends(workspace: Workspace) -> tuple[list[Blend], list[str]]:
    """Read every blend of a workspace with what may be said of it.

    Returns:
        The blends, oldest first, and a message for each that cannot be read.
    """
    records, damaged = find_blends(workspace)
    found = []
    for record in records:
        try:
            found.append(with_verdict(record))
        except RecordError as problem:
            damaged.append(str(problem))
    return found, damaged


def with_verdict(record: BlendRecord) -> Blend:
    """Read what may be said of a blend; nothing of networks that were trained on all the data.

    Raises:
        RecordError: That is missing or damaged, or a newer imgcls wrote it.
    """
    if record.judged_by is not None:
        return Blend(record, None, is_new=False)
    path = record.kept.path(VERDICT_JSON)
    verdict = read_as(BlendVerdict, path, schema=SCHEMA, remedy="Remove its folder, and blend again.")
    return Blend(record, verdict, is_new=False)


def find_views(workspace: Workspace) -> tuple[list[ViewsRecord], list[str]]:
    """Read what is known of views in a workspace.

    Returns:
        The records, oldest first, and a message for each that cannot be read.
    """
    found, damaged = [], []
    for file in sorted((workspace.reports / VIEWS).glob("*.json")):
        try:
            record = read_as(ViewsRecord, file, schema=SCHEMA, remedy="'imgcls runs views' writes it again.")
            found.append(replace(record, file=file))
        except RecordError as problem:
            damaged.append(str(problem))
    return sorted(found, key=lambda record: (record.created, record.run)), damaged
