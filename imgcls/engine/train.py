"""One job: a stack, data and a seed become a run record. The same job finds, resumes or repeats the same record."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from fastai.callback.core import Callback
from safetensors.torch import load as load_tensors

from imgcls.catalog import Stack
from imgcls.engine.build import Built, build, photo_dataset
from imgcls.engine.callbacks.checkpointing import SaveEpochs, SkipEpochs
from imgcls.engine.callbacks.tracking import Tracking
from imgcls.engine.check import check
from imgcls.engine.checkpoint import restore, weights_bytes
from imgcls.engine.device import Machine, environment
from imgcls.engine.inference import batches_of, predict_batches
from imgcls.engine.outcome import Log, Outcome
from imgcls.engine.pilot import estimate_seconds
from imgcls.engine.prepare import DataSource, Prepared, prepare
from imgcls.engine.reporting import Lines, Reporter, Start
from imgcls.engine.weights import Weights, resolve_weights
from imgcls.errors import DivergedError, ImgclsError, RecordError, TrainingError, UsageError
from imgcls.evidence.metrics import evaluate
from imgcls.plan import Plan
from imgcls.records.atomic import sha256_file, write_bytes
from imgcls.records.attempts import Attempt, acquire
from imgcls.records.find import find_by_key, find_run, find_runs, remove_run
from imgcls.records.keys import run_folder_name, run_key
from imgcls.records.run import RunData, RunRecord, RunWeights
from imgcls.workspace import Workspace

WEIGHTS_FILE = "weights.safetensors"
COMPARED = (WEIGHTS_FILE, "valid.parquet", "test.parquet")


def train(
    stack: str | Stack,
    data: Any = None,
    *,
    seed: int = 0,
    overrides: Mapping[str, Any] | None = None,
    quick: bool = False,
    again: bool = False,
    machine: Machine | None = None,
    workspace: Workspace | Path | str | None = None,
    reporter: Reporter | None = None,
    **reading: Any,
) -> RunRecord:
    """Train a stack of recipes on photographs, validate it, and leave a record.

    The same call finds the same record, or goes on with an attempt that was interrupted.

    Args:
        stack: Such as `"baseline+augmentation+tta"`.
        data: A folder, a table, a pandas frame, `torchvision:NAME`, `fastai:NAME`, or None for the default data.
        seed: Decides everything random in training.
        overrides: Plan paths set on the base, such as `{"fit.epochs": 5}`.
        quick: One epoch on at most 500 images, marked as such.
        again: Train anew where there is a record, and compare the bits.
        machine: Device, worker processes, precision.
        workspace: Folder in which `runs/` lies; the nearest one with imgcls.toml, or the current folder.
        reporter: Who is told how it goes; plain lines on stderr when None.
        **reading: How the data are read: `images`, `label`, `id`, `group`, `split`, `problem_type`, `delimiter`,
            `valid`, `split_seed`, `verify`; see `imgcls.engine.prepare.DataSource`.

    Returns:
        The record: `run.metrics["accuracy"]` is an estimate with its 95 % interval.

    Raises:
        UsageError: Something has to be changed before the work can start.
        TrainingError: The training failed.

    Example:
        >>> run = imgcls.train("baseline+augmentation", "photos/", seed=0)  # doctest: +SKIP
    """
    return run_job(
        stack,
        DataSource.of(data, reading),
        seed=seed,
        overrides=overrides,
        quick=quick,
        again=again,
        machine=machine,
        workspace=workspace,
        reporter=reporter,
    ).record


def run_job(
    stack: str | Stack,
    source: DataSource,
    *,
    seed: int = 0,
    overrides: Mapping[str, Any] | None = None,
    quick: bool = False,
    again: bool = False,
    machine: Machine | None = None,
    workspace: Workspace | Path | str | None = None,
    reporter: Reporter | None = None,
) -> Outcome:
    """Do what `train` does, and tell how the record came about; the arguments are those of `train`."""
    began = time.perf_counter()
    _check_seed(seed)
    if quick:
        overrides = {**(overrides or {}), "fit.epochs": 1}
    stack = stack if isinstance(stack, Stack) else Stack.parse(stack, overrides)
    check(stack.plan)
    machine, log = machine or Machine(), Log(reporter or Lines())
    machine.torch_device(), machine.used_precision(), machine.used_workers()  # refuse now what is not there
    place = workspace if isinstance(workspace, Workspace) else Workspace.find(Path(workspace) if workspace else None)
    place.writable()
    weights = resolve_weights(stack.plan.model)
    prepared = prepare(source, stack.plan.images, workspace=place, quick=quick, reporter=log)
    job = Job(stack, prepared, seed, quick, machine, place, log, weights, began)
    return job.run(again=again)


def _check_seed(seed: int) -> None:
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise UsageError(f"A seed is a whole number from 0 to 2**63 − 1, not {seed!r}.")


@dataclass(frozen=True)
class Job:
    """Everything that one run is made of."""

    stack: Stack
    """The stack."""
    prepared: Prepared
    """Its samples and pixels."""
    seed: int
    """The seed of training."""
    quick: bool
    """Whether it is a short trial."""
    machine: Machine
    """Where it runs."""
    workspace: Workspace
    """Where the record goes."""
    log: Log
    """What is told and kept."""
    weights: Weights | None
    """The first weights."""
    began: float
    """When the work on it began, by the performance counter."""

    @property
    def plan(self) -> Plan:
        """The plan of the stack."""
        return self.stack.plan

    @cached_property
    def key(self) -> str:
        """What makes this run this one: see `imgcls.records.keys.run_key`."""
        return self._key_of(self.plan)

    def run(self, *, again: bool) -> Outcome:
        """Find the record, or train, or predict anew with weights that are there."""
        existing = find_by_key(self.workspace, self.key)
        if existing is not None and not again:
            for name in existing.files:
                existing.path(name)  # a file that is missing or cut is told here
            return Outcome(existing, reused=True)
        with acquire(self.workspace, self.key, {"stack": self.stack.label, "seed": self.seed}) as attempt:
            for note in attempt.notes:
                self.log.note(note)
            published = find_by_key(self.workspace, self.key)
            if published is not None and not again:
                return Outcome(published, reused=True)
            donor = None if again else self._donor()
            try:
                record = self._predict_with(donor, attempt) if donor else self._train(attempt)
            except ImgclsError as problem:
                self._keep_failure(attempt, problem)
                raise
            return self._publish(attempt, record, published)

    def _key_of(self, plan: Plan) -> str:
        return run_key(
            plan.to_json(),
            data_digest=self.prepared.samples.data_digest,
            split_digest=self.prepared.samples.split_digest,
            fold=None,
            seed=self.seed,
            weights_sha256=self.weights.sha256 if self.weights else None,
            device_type=self.machine.torch_device().type,
            precision=self.machine.used_precision(),
        )

    def _donor(self) -> RunRecord | None:
        """Find a run with the same training and another way of predicting, whose weights can be used."""
        for record in find_runs(self.workspace)[0]:
            if record.train_digest != self.plan.train_digest or WEIGHTS_FILE not in record.files:
                continue
            with suppress(ImgclsError):
                if record.key == self._key_of(Plan.from_json(record.plan)):
                    record.verify()
                    return record
        return None

    def _train(self, attempt: Attempt) -> RunRecord:
        built = build(self.plan, self.prepared, seed=self.seed, machine=self.machine)
        n_done = self._resume(built, attempt)
        tracking = Tracking(self.log, attempt.append_history)
        self._fit(built, attempt, tracking, n_done=n_done)
        weights = attempt.record_folder / WEIGHTS_FILE
        write_bytes(weights, weights_bytes(built.learn.model))
        seconds = {"train": tracking.train_seconds, "epoch_validation": tracking.valid_seconds}
        speed = tracking.n_images / tracking.train_seconds if tracking.train_seconds else None
        return self._finish(built, attempt, weights=weights, seconds=seconds, images_per_second=speed)

    def _predict_with(self, donor: RunRecord, attempt: Attempt) -> RunRecord:
        self.log.note(f"Only the prediction differs from run {donor.id}: its weights are used, nothing is trained.")
        built = build(self.plan, self.prepared, seed=self.seed, machine=self.machine)
        weights = donor.path(WEIGHTS_FILE)
        record = self._finish(built, attempt, weights=weights, seconds={"train": 0.0}, images_per_second=None)
        return replace(record, reused_from=donor.id)

    def _resume(self, built: Built, attempt: Attempt) -> int:
        """Put the last checkpoint back, and give the number of epochs that are done."""
        if self.plan.fit.callbacks:
            return 0  # what further callbacks remember is not in a checkpoint
        checkpoint = attempt.load_checkpoint()
        if checkpoint is None:
            return 0
        restore(built.learn, checkpoint.files, checkpoint.meta)
        n_done = int(checkpoint.meta["epoch"])
        self.log.note(f"Going on after epoch {n_done} of an attempt that was interrupted.")
        return n_done

    def _fit(self, built: Built, attempt: Attempt, tracking: Tracking, *, n_done: int) -> None:
        learn, plan = built.learn, self.plan
        left = plan.fit.epochs - n_done
        self.log.start(self._start(built, n_done, estimate_seconds(learn, plan, n_epochs=left)))
        callbacks: list[Callback] = [tracking, SaveEpochs(attempt)]
        if n_done:
            callbacks.append(SkipEpochs(n_done))
        from fastai.callback.progress import ProgressCallback

        learn.remove_cbs(learn._grab_cbs(ProgressCallback))  # it writes to stdout, also where that is a pipe
        try:
            with learn.no_logging():
                learn.fit(plan.fit.epochs, cbs=callbacks)
        except DivergedError:
            raise DivergedError(learn.loss_guard.message) from None  # fastai has put words of its own around it
        except ImgclsError:
            raise
        except (MemoryError, torch.OutOfMemoryError) as problem:
            raise TrainingError(
                f"Out of memory with batches of {plan.fit.batch_size} images of {plan.images.size_px} px. "
                "Try a smaller --batch-size or --size."
            ) from problem
        except Exception as problem:
            raise TrainingError(f"Training failed: {type(problem).__name__}: {problem}") from problem
        finally:
            self.log.stop()

    def _start(self, built: Built, n_done: int, estimate: float | None) -> Start:
        device = self.machine.torch_device().type
        precision = self.machine.used_precision()
        return Start(
            label=self.stack.label,
            seed=self.seed,
            n_epochs=self.plan.fit.epochs,
            n_batches=len(built.learn.dls.train),
            n_train=len(built.learn.dls.train.dataset),
            n_valid=len(built.learn.dls.valid.dataset),
            device=device if precision == "float32" else f"{device} in {precision}",
            done_epochs=n_done,
            estimate_seconds=estimate,
        )

    def _finish(
        self,
        built: Built,
        attempt: Attempt,
        *,
        weights: Path,
        seconds: dict[str, float],
        images_per_second: float | None,
    ) -> RunRecord:
        """Read the weights back, predict with them, and write everything but run.json."""
        began = time.perf_counter()
        built.learn.model.load_state_dict(load_tensors(weights.read_bytes()), strict=True)
        samples, folder = self.prepared.samples, attempt.record_folder
        valid = self._probabilities(built, "valid")
        part = samples.part("valid")
        write_bytes(folder / "valid.parquet", _table(part.frame, valid, samples.classes, labels=True))
        if len(samples.rows("test")):
            test = self._probabilities(built, "test")
            write_bytes(
                folder / "test.parquet", _table(samples.part("test").frame, test, samples.classes, labels=False)
            )
        groups = part.frame["group"].tolist()
        metrics = evaluate(
            valid,
            part.targets,
            problem=samples.problem,
            classes=samples.classes,
            groups=groups if any(groups) else None,
        )
        history = attempt.history()
        write_bytes(folder / "history.csv", pd.DataFrame(history).to_csv(index=False).encode())
        write_bytes(folder / "log.txt", self.log.text().encode("utf-8", "backslashreplace"))
        now = time.perf_counter()
        seconds = {**seconds, "predict": now - began, "total": now - self.began}
        return replace(self._record(seconds=seconds, images_per_second=images_per_second, built=built), metrics=metrics)

    def _probabilities(self, built: Built, split: str) -> np.ndarray:
        dataset = photo_dataset(self.prepared, split, seed=self.seed)
        return predict_batches(
            built.learn.model,
            batches_of(dataset, size=max(self.plan.fit.batch_size, 32)),
            plan=self.plan,
            normalisation=built.normalisation,
            multilabel=self.prepared.samples.problem == "multilabel",
            seed=self.seed,
            device=self.machine.torch_device(),
            precision=self.machine.used_precision(),
        )

    def _record(
        self, *, seconds: Mapping[str, float], images_per_second: float | None, built: Built | None
    ) -> RunRecord:
        samples, weights = self.prepared.samples, self.weights
        described = environment(self.machine)
        if built is not None:
            described |= {"mean": list(built.network.mean), "std": list(built.network.std)}
        n = {
            **{split: len(samples.rows(split)) for split in ("train", "valid", "test")},
            "excluded": len(samples.excluded),
        }
        excluded = tuple((_shown(entry.path), entry.reason) for entry in samples.excluded)
        return RunRecord(
            key=self.key,
            id=run_folder_name(self.stack.text, seed=self.seed, fold=None, key=self.key),
            status="done",
            reason=None,
            stack=self.stack.text,
            overrides=dict(self.stack.overrides),
            label=self.stack.label,
            plan=self.plan.to_json(),
            plan_digest=self.plan.digest,
            train_digest=self.plan.train_digest,
            seed=self.seed,
            fold=None,
            quick=self.quick,
            problem=samples.problem,
            classes=samples.classes,
            data=RunData(samples.name, samples.data_digest, samples.split_digest, n, excluded),
            weights=RunWeights(weights.source, weights.sha256, weights.licence)
            if weights
            else RunWeights("none", None),
            environment=described,
            metrics={},
            seconds=dict(seconds),
            images_per_second=images_per_second,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def _publish(self, attempt: Attempt, record: RunRecord, existing: RunRecord | None) -> Outcome:
        """Make the record the run; or, where there is one already, compare the two and keep the older."""
        folder, final = attempt.record_folder, self.workspace.runs / record.id
        record.write(folder)
        same = None
        if existing is not None:
            same = {
                name: (folder / name).is_file() and sha256_file(folder / name) == expected.sha256
                for name, expected in existing.files.items()
                if name in COMPARED
            }
            if _is_whole(existing):
                attempt.discard()
                return Outcome(existing, reused=False, same_bits=same)
            self.log.note(f"The record {existing.id} was damaged and is replaced.")
            remove_run(existing)
        attempt.publish(final)
        return Outcome(RunRecord.read(final), same_bits=same)

    def _keep_failure(self, attempt: Attempt, problem: ImgclsError) -> None:
        """Keep a training that failed; what has to be changed before a start is no failure of training."""
        if isinstance(problem, TrainingError):
            seconds = {"total": time.perf_counter() - self.began}
            attempt.fail(str(problem), self._record(seconds=seconds, images_per_second=None, built=None))


def weights_of(record: RunRecord, workspace: Workspace) -> Path:
    """Give the file of a run's weights, its own or those of the run it was predicted from.

    Raises:
        RecordError: They are gone.
    """
    if record.reused_from is None:
        return record.path(WEIGHTS_FILE)
    try:
        return find_run(record.reused_from, workspace).path(WEIGHTS_FILE)
    except RecordError as problem:
        raise RecordError(f"Run {record.id} uses the weights of {record.reused_from}, which is gone.") from problem


def _is_whole(record: RunRecord) -> bool:
    try:
        record.verify()
    except RecordError:
        return False
    return True


def _table(frame: pd.DataFrame, probabilities: np.ndarray, classes: tuple[str, ...], *, labels: bool) -> bytes:
    """Give predictions as a Parquet file: id, label unless sealed, and a probability for each class."""
    columns: dict[str, Any] = {"id": [_shown(text) for text in frame["id"]]}
    if labels:
        columns["label"] = frame["label"].tolist()
    columns |= {f"p_{_shown(name)}": probabilities[:, place] for place, name in enumerate(classes)}
    content = BytesIO()
    pd.DataFrame(columns).to_parquet(content, index=False)
    return content.getvalue()


def _shown(text: str) -> str:
    """Give a name as UTF-8 can hold it; bytes that are no UTF-8 are written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
