"""One job of a ladder, done in whatever process an executor puts it: plain data in, plain data out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from imgcls.errors import BusyError, ImgclsError, TrainingError
from imgcls.ladders.spec import JobPlan, Ladder
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from imgcls.engine.reporting import Reporter

Status = Literal["done", "failed", "busy", "refused"]


@dataclass(frozen=True)
class JobResult:
    """What came of a job; all that is large lies in the record."""

    key: str
    """The key of the run."""
    status: Status
    """Done; failed in training; held by another process; refused before it began."""
    run: str | None = None
    """The id of the record."""
    value: float | None = None
    """The primary metric; None where it could not be computed."""
    seconds: float = 0.0
    """What the work took here; 0 where the record was there already."""
    reused: bool = False
    """Whether the record was there already."""
    reason: str = ""
    """Why it is not done."""
    exit_code: int = 0
    """The exit code that the reason asks for: what refuses a job by 2 is to be changed, by 1 it went wrong."""


def job_arguments(ladder: Ladder, job: JobPlan, workspace: Workspace) -> dict[str, Any]:
    """Give a job as JSON values: what is trained, on what, and where its record goes."""
    return {
        "stack": ladder.rungs[job.rung].stack,
        "overrides": dict(ladder.overrides),
        "plan_digest": ladder.rungs[job.rung].plan_digest,
        "data": dict(ladder.data),
        "seed": job.seed,
        "fold": job.fold,
        "n_folds": ladder.n_folds,
        "key": job.key,
        "metric": ladder.metric,
        "machine": dict(ladder.machine),
        "workspace": str(workspace.root),
    }


def do_job(job: Mapping[str, Any], reporter: Reporter | None = None) -> dict[str, Any]:
    """Do one job, or find that it is done.

    Args:
        job: What `job_arguments` gave.
        reporter: Who is told how it goes, in this process; nobody when None.

    Returns:
        A `JobResult` as JSON values. A training that failed is a result; its record lies among the failed runs.
    """
    try:
        result = _done(job, reporter)
    except TrainingError as problem:
        result = JobResult(job["key"], "failed", reason=str(problem), exit_code=problem.exit_code)
    except BusyError as problem:
        result = JobResult(job["key"], "busy", reason=str(problem), exit_code=problem.exit_code)
    except ImgclsError as problem:
        result = JobResult(job["key"], "refused", reason=str(problem), exit_code=problem.exit_code)
    except Exception as problem:  # a mistake of ours; it must not look like the death of a worker
        reason = f"{job['stack']}, seed {job['seed']}: unexpected {type(problem).__name__}: {problem}"
        result = JobResult(job["key"], "refused", reason=reason, exit_code=1)
    return asdict(result)


def _done(job: Mapping[str, Any], reporter: Reporter | None) -> JobResult:
    from imgcls.catalog import Stack
    from imgcls.engine.device import Machine
    from imgcls.engine.prepare import DataSource
    from imgcls.engine.reporting import Silent
    from imgcls.engine.train import run_job

    stack = Stack.parse(job["stack"], job["overrides"])
    changed = f"{stack.text}: the recipe or the data changed since the ladder was planned. Run the ladder again."
    if stack.plan.digest != job["plan_digest"]:
        return JobResult(job["key"], "refused", reason=changed, exit_code=2)
    outcome = run_job(
        stack,
        DataSource(**job["data"]),
        seed=job["seed"],
        fold=job["fold"],
        n_folds=job["n_folds"],
        machine=Machine(**job["machine"]),
        workspace=Workspace(Path(job["workspace"])),
        reporter=reporter or Silent(),
    )
    record = outcome.record
    if record.key != job["key"]:
        return JobResult(job["key"], "refused", run=record.id, reason=changed, exit_code=2)
    estimate = record.metrics.get(job["metric"])
    return JobResult(
        key=record.key,
        status="done",
        run=record.id,
        value=estimate.value if estimate else None,
        seconds=0.0 if outcome.reused else record.seconds.get("total", 0.0),
        reused=outcome.reused,
    )
