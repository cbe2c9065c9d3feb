"""Doing one run: find its record, resume its attempt, train it, or predict with weights that are there."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from fastai.callback.core import Callback
from fastai.callback.progress import ProgressCallback
from fastai.callback.tracker import EarlyStoppingCallback
from safetensors.torch import load as load_tensors

from imgcls.data.samples import Samples
from imgcls.engine.build import BuiltLearner, build, photo_dataset
from imgcls.engine.callbacks.loop import StopAfter, Tracking
from imgcls.engine.checkpoint import SaveEpochs, SkipEpochs, checkpoint_bytes, restore, tensor_bytes, weights_bytes
from imgcls.engine.device import machine_load, other_versions
from imgcls.engine.front import keep_features
from imgcls.engine.inference import averaged, batches_of, finished
from imgcls.engine.linear_probe import fit_probe
from imgcls.engine.loaders import WORKER_DIED, is_death_of_worker
from imgcls.engine.progress import Reporter, Start
from imgcls.engine.request import RunLog, RunOutcome, RunSpec
from imgcls.engine.timing import estimate_seconds
from imgcls.errors import DivergedError, ImgclsError, RecordError, TrainingError, WorkspaceError
from imgcls.evidence.contributions import scored
from imgcls.evidence.cross_fitting import parts_of
from imgcls.evidence.gains import spread_of
from imgcls.evidence.metrics import evaluate, only_class
from imgcls.evidence.variance import group_numbers
from imgcls.networks import has_batchnorm, licence_caution, usual_rate
from imgcls.plan import Plan
from imgcls.predictions.calibration import calibrate, fit_calibration
from imgcls.records.attempts import Attempt, claim
from imgcls.records.derived import Repetition, keep_repetition
from imgcls.records.find import find_by_key, find_runs, remove_run
from imgcls.records.run import (
    NOT_SCORED,
    Calibration,
    Estimate,
    FoldRun,
    Folds,
    RunRecord,
    joint_data,
    joint_digest,
    parquet_bytes,
    run_folder_name,
)
from imgcls.storage import free_bytes, remove_tree, write_bytes
from imgcls.text import amount, as_utf8
from imgcls.workspace import Workspace

WEIGHTS_FILE = "weights.safetensors"
PREDICTION_FILES = ("valid.parquet", "test.parquet")
_BATCH = 64
GO_ON = "the same command (of a ladder: with --retry-failed) goes on from there, or begins again with --from-start."


class Answers(NamedTuple):
    """What a network says of validation."""

    metrics: Mapping[str, Estimate]
    """Name → estimate."""
    only_class: str | None
    """The only class that is predicted; None where there are several."""
    calibration: Calibration | None
    """What was fitted to its predictions; None where the plan fits nothing."""


def write_predictions(request: RunSpec, built: BuiltLearner, folder: Path, *, reporter: Reporter) -> Answers:
    """Predict validation and, where there is one, the sealed test part; score validation.

    What the plan fits to predictions of validation, such as a temperature, is fitted to four fifths of the images at a
    time for the fifth that is kept and scored, and to all of them for the test part and every later prediction. Where
    all the data train, nothing is scored or fitted, and that of a judged run is taken.

    Args:
        request: The run.
        built: Its Learner, whose network holds the weights to predict with.
        folder: Where `valid.parquet` and `test.parquet` are written, the latter without labels.
        reporter: Shows how far it is.
    """
    samples, predict = request.prepared.samples, request.plan.predict
    valid, test = samples.part("valid"), samples.part("test")
    if request.all_data is not None:
        metrics = {name: Estimate.missing(NOT_SCORED, n=0) for name in request.all_data.judged[0].metrics}
        answers = Answers(metrics, None, request.calibration)
    else:
        means = _probabilities(request, built, "valid", reporter)
        calibration, calibrated = calibrated_by_others(means, valid, predict.calibration)
        probabilities = finished(calibrated, predict, None, multilabel=request.multilabel)
        write_bytes(folder / "valid.parquet", _table(valid, probabilities, labels=True))
        only = only_class(probabilities, valid.targets, classes=samples.classes)
        answers = Answers(_scored(request, probabilities), only, calibration)
    if len(test):
        found = _probabilities(request, built, "test", reporter)
        told = finished(found, predict, answers.calibration, multilabel=request.multilabel)
        write_bytes(folder / "test.parquet", _table(test, told, labels=False))
    return answers


def calibrated_by_others(probabilities: np.ndarray, valid: Samples, kind: str) -> tuple[Calibration | None, np.ndarray]:
    """Fit what a plan asks for to all predictions, and return it with these as others of them would calibrate them.

    Where all images are one group there are no others, and they stay as they are.

    Args:
        probabilities: [n, k], of validation.
        valid: The samples that validate.
        kind: `none`, `temperature` or `smoothing`.
    """
    if kind == "none" or not len(valid):
        return None, probabilities
    multilabel, groups = valid.problem == "multilabel", valid.frame["group"].tolist()
    truth = scored(probabilities, valid.targets, problem=valid.problem).truth
    numbers = group_numbers(groups, n=len(valid)) if any(groups) else None
    if (numbers is not None and not numbers.any()) or len(valid) < 2:  # nobody else's predictions to learn from
        return fit_calibration(kind, probabilities, truth, multilabel=multilabel), probabilities
    _, parts = parts_of(valid.frame["label"].tolist(), numbers)
    made = np.empty_like(probabilities)
    for part in np.unique(parts):
        mine = parts == part
        from_others = fit_calibration(kind, probabilities[~mine], truth[~mine], multilabel=multilabel)
        made[mine] = calibrate(probabilities[mine], from_others, multilabel=multilabel)
    return fit_calibration(kind, probabilities, truth, multilabel=multilabel), made


def _scored(request: RunSpec, probabilities: np.ndarray) -> Mapping[str, Estimate]:
    """Return the metrics of validation by name."""
    samples = request.prepared.samples
    valid = samples.part("valid")
    groups = valid.frame["group"].tolist()
    return evaluate(
        probabilities,
        valid.targets,
        problem=samples.problem,
        classes=samples.classes,
        groups=groups if any(groups) else None,
        metrics=request.metrics,
    )


def weights_of(record: RunRecord, workspace: Workspace) -> tuple[Path, str]:
    """Return the file of a run's weights and its recorded sha256: its own, or those of the run it was predicted from.

    Raises:
        RecordError: They are gone, or the record is that of all folds, which has none.
    """
    if record.folds is not None:
        raise RecordError(
            f"{record.id} holds the predictions of {len(record.folds.runs)} folds and has no weights. Name one of its "
            f"folds, such as {record.folds.runs[0].run}, or run the same stack without folds."
        )
    if record.reused_from is None:
        return record.path(WEIGHTS_FILE), record.files[WEIGHTS_FILE].sha256
    # By its id in this very workspace, not as `find_run` reads what people type: that may be any folder's path.
    donors = [run for run in find_runs(workspace)[0] if run.id == record.reused_from]
    trained = [run for run in donors if run.reused_from is None and run.train_digest == record.train_digest]
    if not trained:
        what = "has not the weights of this training" if donors else "is gone"
        raise RecordError(f"Run {record.id} uses the weights of {record.reused_from}, which {what}.")
    return weights_of(trained[0], workspace)


def _probabilities(request: RunSpec, built: BuiltLearner, split: str, reporter: Reporter) -> np.ndarray:
    dataset = photo_dataset(request.prepared, split)

    def counted() -> Iterator[tuple[np.ndarray, list[str]]]:
        n_done = 0
        for images, ids in batches_of(dataset, size=_BATCH):
            reporter.progress("Predicting", n_done, len(dataset))
            yield images, ids
            n_done += len(ids)
        reporter.progress("Predicting", n_done, len(dataset))

    return averaged(
        built.learn.model,
        counted(),
        plan=request.plan,
        normalisation=built.normalisation,
        multilabel=request.multilabel,
        seed=request.seed,
        device=request.machine.torch_device(),
        precision=request.machine.used_precision(),
    )


def _table(part: Samples, probabilities: np.ndarray, *, labels: bool) -> bytes:
    """Return predictions as a Parquet file: id, label unless sealed, group if any, and a probability for each class."""
    columns: dict[str, Any] = {"id": [as_utf8(text) for text in part.frame["id"]]}
    if labels:
        columns["label"] = [as_utf8(text) for text in part.frame["label"]]
    if any(part.frame["group"]):
        columns["group"] = [as_utf8(text) for text in part.frame["group"]]
    columns |= {f"p_{as_utf8(name)}": probabilities[:, place] for place, name in enumerate(part.classes)}
    return parquet_bytes(pd.DataFrame(columns))


@dataclass(frozen=True)
class Job:
    """One run to be done: found, or resumed, trained, predicted with and published."""

    request: RunSpec
    """What the run is made of."""
    log: RunLog
    """What is reported and kept."""
    began: float
    """When the work on it began, by the performance counter."""

    @property
    def workspace(self) -> Workspace:
        """Where its record goes."""
        return self.request.setup.workspace

    def run(self, *, again: bool, from_start: bool = False) -> RunOutcome:
        """Find the record, or make it.

        Args:
            again: Whether to train although there is a record, and to compare the two.
            from_start: Whether to begin again where an attempt was interrupted or failed, instead of going on.

        Raises:
            TrainingError: The training failed; what is known of it is kept among the failed runs.
        """
        with claim(self.workspace, self.request.key, self.request.about, again=again) as found:
            if isinstance(found, RunRecord):
                return self._reuse(found)
            self._tell_notes(found)
            if from_start:
                found.start_over()
            donor, request = None if again else self._donor(), self.request
            try:
                built = build(request.plan, request.prepared, seed=request.seed, machine=request.machine)
                record = self._predict_with(donor, built, found) if donor else self._train(built, found)
            except TrainingError as problem:
                raise self._failed(found, problem) from problem.__cause__
            except ImgclsError:  # what has to be changed before a start is no failure of training, nor is a full disk
                if found.is_empty:
                    found.discard()
                raise
            except Exception as problem:
                asked_for = problem.__context__  # what goes wrong on the way out, such as with workers, is no failure
                if isinstance(asked_for, KeyboardInterrupt | SystemExit):
                    raise asked_for from None
                raise self._failed(found, TrainingError(_told(problem, request.plan))) from problem
            return self._publish(found, record)

    def _failed(self, attempt: Attempt, problem: TrainingError) -> TrainingError:
        """Keep a failure, and return it with what is kept of the work and how to go on."""
        reason = str(problem)
        try:
            attempt.fail(reason, self.request.record(seconds={"total": time.perf_counter() - self.began}))
        except ImgclsError as why:  # such as a full disk; it must not hide what happened
            self.log.note(f"The failure could not be written down: {why}")
        if n_epochs := len(attempt.history()):
            problem.args = (f"{reason} {amount(n_epochs, 'finished epoch is', 'finished epochs are')} kept: {GO_ON}",)
        return problem

    def _reuse(self, record: RunRecord) -> RunOutcome:
        """Return a record that is there, after a look at its files, and say where it was made by other versions."""
        for name in record.files:
            record.path(name)  # a file that is missing or cut is reported here
        others = other_versions(record.environment)
        if others:
            self.log.note(f"Run {record.id} was made under other versions: {', '.join(others)}.")
        return RunOutcome(record, reused=True, other_versions=others)

    def _donor(self) -> RunRecord | None:
        """Find a run with the same training and another way of predicting, whose weights can be used."""
        for record in find_runs(self.workspace)[0]:
            if record.train_digest != self.request.plan.train_digest or WEIGHTS_FILE not in record.files:
                continue
            with suppress(ImgclsError):
                if record.key == self.request.key_of(Plan.from_json(record.plan), record.calibration):
                    record.verify()
                    return record
        return None

    def _predict_with(self, donor: RunRecord, built: BuiltLearner, attempt: Attempt) -> RunRecord:
        self.log.note(f"Only the prediction differs from run {donor.id}: its weights are used, nothing is trained.")
        others = other_versions(donor.environment)
        if others:
            self.log.note(f"Those weights were made under other versions: {', '.join(others)}.")
        record = self._finish(built, attempt, donor.path(WEIGHTS_FILE), seconds={"train": 0.0})
        return replace(record, reused_from=donor.id)

    def _train(self, built: BuiltLearner, attempt: Attempt) -> RunRecord:
        """Go on from the last checkpoint, or begin; keep the weights, and predict with them."""
        load = machine_load()  # before this training adds to it
        checkpoint, done = attempt.load_checkpoint(), None
        self._tell_notes(attempt)
        first = self.request.setup.weights
        caution = licence_caution(first.source, first.licence) if first is not None else ""
        for note in filter(None, (built.network.note, caution, self._why_this_rate())):
            self.log.note(note)
        if checkpoint is not None:
            restore(built.learn, checkpoint.files, checkpoint.meta)
            done = SkipEpochs(int(checkpoint.meta["epoch"]), scaler=checkpoint.meta["scaler"])
            why = f"failed: {attempt.failed_before}" if attempt.failed_before else "was interrupted."
            self.log.note(f"Going on after epoch {done.n_done} of an attempt that {why} --from-start begins again.")
        self._check_room(built, attempt, n_kept=0 if checkpoint is None else 1)
        tracking = Tracking(self.log, attempt.append_history)
        saved = checkpoint.meta.get("start") if checkpoint is not None else None
        known = {name: Estimate(**values) for name, values in saved.items()} if saved else None
        first_seconds, start = self._fit(built, attempt, tracking, done=done, start=known)
        weights = attempt.record_folder / WEIGHTS_FILE
        write_bytes(weights, weights_bytes(built.learn.model))
        seconds = {**first_seconds, "train": tracking.train_seconds, "epoch_validation": tracking.valid_seconds}
        speed = tracking.n_images / tracking.train_seconds if tracking.train_seconds else None
        record = self._finish(built, attempt, weights, seconds=seconds, images_per_second=speed)
        return replace(record, environment={**record.environment, **load}, start_metrics=start)

    def _why_this_rate(self) -> str:
        """Say why the learning rate is another than the usual one, where the network and no one else chose it."""
        name, rate = self.request.plan.model.name, self.request.plan.optimizer.learning_rate
        by_hand = "optimizer.learning_rate" in self.request.stack.overrides
        if has_batchnorm(name) or by_hand or rate != usual_rate(name):
            return ""
        return (
            f"The learning rate is {rate:g}: {name} has no batch normalisation, and such networks, as transformers and "
            "ConvNeXt, bear less than the usual 0.001. --set optimizer.learning_rate=… sets another."
        )

    def _check_room(self, built: BuiltLearner, attempt: Attempt, *, n_kept: int) -> None:
        """Compare what training will write with the room on the disk that it is written to.

        Raises:
            WorkspaceError: Not even one checkpoint and the weights find room.
        """
        plan, n_free = self.request.plan, free_bytes(attempt.folder)
        one = checkpoint_bytes(built.learn) if plan.fit.epochs and not plan.fit.callbacks else 0
        weights = tensor_bytes(built.learn.model.state_dict().values())
        # two are kept, and a third is written before the oldest goes
        least, whole = weights + (0 if n_kept else one), weights + (3 - n_kept) * one
        if n_free is None or n_free >= whole:
            return
        room = f"{n_free / 1e6:,.0f} MB are free for {attempt.folder.parent.parent}"
        advice = "Make room there, or choose a folder on another disk with --out."
        if n_free < least:
            raise WorkspaceError(f"{room}, but weights and one checkpoint take about {least / 1e6:,.0f} MB. {advice}")
        self.log.note(f"{room}, but training writes up to about {whole / 1e6:,.0f} MB and may stop midway. {advice}")

    def _fit(
        self,
        built: BuiltLearner,
        attempt: Attempt,
        tracking: Tracking,
        *,
        done: SkipEpochs | None,
        start: Mapping[str, Estimate] | None,
    ) -> tuple[Mapping[str, float], Mapping[str, Estimate] | None]:
        """Train what is left.

        Returns:
            The seconds that went into what comes before the first epoch, by part; and the metrics of validation with
            the classifier that was fitted there, if one was and epochs follow: `start`, where an attempt goes on.
        """
        learn, plan, request = built.learn, self.request.plan, self.request
        seconds: Mapping[str, float] = {}
        callbacks: list[Callback] = [tracking]
        if done is not None:
            callbacks.append(done)
        if request.all_data is not None:
            if request.all_data.n_epochs < request.all_data.n_scheduled:
                callbacks.append(StopAfter(request.all_data.n_epochs))
            learn.remove_cbs(learn._grab_cbs(EarlyStoppingCallback))  # nothing validates that it could go by
        n_done = done.n_done if done is not None else 0
        learn.remove_cbs(learn._grab_cbs(ProgressCallback))  # it writes to stdout, also where that is a pipe
        try:
            estimate = estimate_seconds(learn, plan, n_done=n_done)
            self.log.start(self._start(built, n_done, estimate))
            if done is None and plan.fit.classifier != "gradient":
                progress = partial(self.log.progress, "Computing features")
                samples, machine = request.prepared.samples, request.machine
                probe = fit_probe(built, samples, plan=plan, seed=request.seed, machine=machine, progress=progress)
                self.log.note(probe.note)
                seconds = probe.seconds
                if plan.fit.epochs and request.all_data is None:
                    means = _probabilities(request, built, "valid", self.log)
                    start = _scored(request, finished(means, plan.predict, None, multilabel=request.multilabel))
            if not plan.fit.callbacks:  # what further callbacks remember is in no checkpoint
                about = {"start": {name: one.to_json() for name, one in start.items()}} if start else None
                callbacks.append(SaveEpochs(attempt, about))
            if plan.fit.epochs:
                with ExitStack() as kept, learn.no_logging():
                    if plan.fit.freeze_stages:
                        began = time.perf_counter()
                        progress = partial(self.log.progress, "Computing features")
                        self.log.note(kept.enter_context(keep_features(built, request, progress=progress)))
                        seconds = {**seconds, "front": time.perf_counter() - began}
                    learn.fit(request.n_epochs(len(learn.dls.train)), cbs=callbacks)
            return seconds, start
        except DivergedError:
            raise DivergedError(
                learn.loss_guard.message or tracking.message
            ) from None  # fastai has put words of its own around it
        except ImgclsError as problem:
            problem.args = (_in_our_words(problem),)
            raise
        except Exception as problem:
            raise TrainingError(_told(problem, plan)) from problem
        finally:
            learn.dls.stop_workers()  # fastai ends a fit that failed without telling its callbacks
            self.log.stop()

    def _start(self, built: BuiltLearner, n_done: int, estimate: float | None) -> Start:
        request, loaders = self.request, built.learn.dls
        device, precision = request.machine.torch_device().type, request.machine.used_precision()
        return Start(
            label=request.stack.label,
            seed=request.seed,
            turn=str(request.turn) if request.turn else "",
            n_epochs=request.n_epochs(len(loaders.train)),
            n_batches=len(loaders.train),
            n_train=len(loaders.train.dataset),
            n_valid=len(loaders.valid.dataset),
            device=device if precision == "float32" else f"{device} in {precision}",
            done_epochs=n_done,
            estimate_seconds=estimate,
        )

    def _finish(
        self,
        built: BuiltLearner,
        attempt: Attempt,
        weights: Path,
        *,
        seconds: Mapping[str, float],
        images_per_second: float | None = None,
    ) -> RunRecord:
        """Read the weights back, so that the recorded score is that of the file, and write all but run.json."""
        began, folder = time.perf_counter(), attempt.record_folder
        built.learn.model.load_state_dict(load_tensors(weights.read_bytes()), strict=True)
        answers = write_predictions(self.request, built, folder, reporter=self.log)
        if answers.calibration is not None and self.request.all_data is None:
            self.log.note(_told_calibration(answers.calibration))
        # With another run's weights nothing was trained here, whatever an earlier attempt had begun.
        if weights.parent == folder and (history := attempt.history()):
            write_bytes(folder / "history.csv", pd.DataFrame(history).to_csv(index=False).encode())
        write_bytes(folder / "log.txt", as_utf8(self.log.text()).encode())
        now = time.perf_counter()
        seconds = {**seconds, "predict": now - began, "total": now - self.began}
        record = self.request.record(seconds=seconds, images_per_second=images_per_second, network=built.network)
        return replace(record, metrics=answers.metrics, only_class=answers.only_class, calibration=answers.calibration)

    def _publish(self, attempt: Attempt, record: RunRecord) -> RunOutcome:
        """Make the record the run; or, where there is one already, compare the two and keep the older."""
        folder, final, existing = attempt.record_folder, self.workspace.runs / record.id, attempt.existing
        record.write(folder)
        same = None
        if existing is not None:
            repetition = Repetition.of(existing, folder, names=(WEIGHTS_FILE, *PREDICTION_FILES))
            keep_repetition(self.workspace, repetition)
            same = repetition.same_bits
            if _is_whole(existing):
                attempt.discard()
                return RunOutcome(existing, same_bits=same)
            self.log.note(f"The record {existing.id} was damaged and is replaced.")
            remove_run(existing)
        attempt.publish(final)
        return RunOutcome(RunRecord.read(final), same_bits=same)

    def _tell_notes(self, attempt: Attempt) -> None:
        """Describe what was found in an attempt, such as a damaged checkpoint; each thing once."""
        for note in attempt.notes:
            self.log.note(note)
        attempt.notes.clear()


def _told_calibration(calibration: Calibration) -> str:
    """Describe what was fitted to predictions of validation."""
    if calibration.temperatures:
        values = ", ".join(f"{value:.2f}" for value in calibration.temperatures[:8])
        more = " …" if len(calibration.temperatures) > 8 else ""
        return f"Temperature fitted to validation: {values}{more} (above 1: the network was too sure)."
    return f"Smoothing fitted to validation: {calibration.smoothing:g} above {calibration.smoothing_threshold:g}."


def _told(problem: Exception, plan: Plan) -> str:
    """Describe why a training failed; a CPU's lack of memory is known by its words only."""
    if is_death_of_worker(problem):
        return WORKER_DIED
    if isinstance(problem, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(problem):
        return (
            f"Out of memory with batches of {plan.fit.batch_size} images of {plan.images.size_px} px. "
            "Try a smaller --batch-size or --size."
        )
    return f"Training failed: {type(problem).__name__}: {_in_our_words(problem)}"


def _in_our_words(problem: Exception) -> str:
    """Return a message without the words that fastai puts before what a callback raised (callback/core.py)."""
    return re.sub(r"^Exception occured in `\w+` when calling event `\w+`:\s*", "", str(problem))


def _is_whole(record: RunRecord) -> bool:
    try:
        record.verify()
    except RecordError:
        return False
    return True


OUT_OF_FOLD_FILE = "oof.parquet"


@dataclass(frozen=True)
class OutOfFold:
    """The finished folds of one stack and seed, to become one record, which can be remade from theirs at any time."""

    requests: tuple[RunSpec, ...]
    """What each fold was made of."""
    outcomes: tuple[RunOutcome, ...]
    """The run of each fold."""
    reporter: Reporter
    """Shows why a record that was there would not do."""

    def gather(self) -> RunOutcome:
        """Find the record of these very runs, or make it.

        Raises:
            RecordError: The predictions of a fold cannot be read, or are those of other samples.
        """
        existing, flaw = self._existing()
        if flaw:
            self.reporter.note(f"The record of all folds is made again: {flaw}")
        if flaw and existing is None:  # what cannot be read is no record
            remove_tree(self.workspace.runs / self._name)
        about = {**self.requests[0].about, "fold": None}
        with claim(self.workspace, self.key, about, again=bool(flaw)) as found:
            if isinstance(found, RunRecord):
                return RunOutcome(found, reused=True, folds=self.outcomes)
            frame = self._predictions()
            write_bytes(found.record_folder / OUT_OF_FOLD_FILE, parquet_bytes(frame))
            self._record(frame).write(found.record_folder)
            if found.existing is not None:
                remove_run(found.existing)
            final = self.workspace.runs / self._name
            found.publish(final)
        return RunOutcome(RunRecord.read(final), folds=self.outcomes)

    @property
    def workspace(self) -> Workspace:
        """Where the record goes."""
        return self.requests[0].setup.workspace

    @cached_property
    def key(self) -> str:
        """What makes it this record: the keys of its folds."""
        return joint_digest([request.key for request in self.requests])

    @property
    def _name(self) -> str:
        """The folder of the record, and its id."""
        request, n_folds = self.requests[0], len(self.requests)
        return run_folder_name(request.stack.text, seed=request.seed, fold=None, key=self.key, n_folds=n_folds)

    def _existing(self) -> tuple[RunRecord | None, str]:
        """Find the record that is there, and say why it will not do, or nothing."""
        existing = None
        try:
            existing = find_by_key(self.workspace, self.key)
            if existing is None:
                return None, ""
            existing.verify()
        except RecordError as problem:
            return existing, str(problem)
        before = existing.folds.runs if existing.folds else ()
        changed = [run.run for run in self._runs if run not in before]
        return existing, f"{', '.join(changed)} was trained since." if changed else ""

    @cached_property
    def _runs(self) -> tuple[FoldRun, ...]:
        records = (outcome.record for outcome in self.outcomes)
        return tuple(
            FoldRun(fold, record.id, record.digest(), record.data.n, record.metrics)
            for fold, record in enumerate(records)
        )

    @cached_property
    def _rows(self) -> np.ndarray:
        """The rows of the samples that the folds validate, fold after fold."""
        return np.concatenate([request.prepared.samples.rows("valid") for request in self.requests])

    def _predictions(self) -> pd.DataFrame:
        """Return every prediction out of fold, in the order of the samples: id, label, fold, and p_<class> for each."""
        parts = []
        for fold, (request, outcome) in enumerate(zip(self.requests, self.outcomes, strict=True)):
            part = outcome.record.predictions("valid")
            ids = [as_utf8(name) for name in request.prepared.samples.part("valid").frame["id"]]
            if part["id"].tolist() != ids:
                path = outcome.record.path("valid.parquet")
                raise RecordError(
                    f"{path} has other samples than fold {fold}. Train again with 'imgcls recipe run … --again'."
                )
            part.insert(2, "fold", fold)
            parts.append(part)
        order = np.argsort(self._rows, kind="stable")
        return pd.concat(parts, ignore_index=True).iloc[order].reset_index(drop=True)

    def _record(self, frame: pd.DataFrame) -> RunRecord:
        """Score the predictions out of fold, and describe where they are from."""
        request, records = self.requests[0], [outcome.record for outcome in self.outcomes]
        samples, rows = request.prepared.samples, np.sort(self._rows)
        groups = samples.frame["group"].iloc[rows].tolist()
        metrics = evaluate(
            frame.filter(regex="^p_").to_numpy(dtype=np.float64),
            samples.targets[rows],
            problem=samples.problem,
            classes=samples.classes,
            groups=groups if any(groups) else None,
            metrics=request.metrics,
        )
        parts = dict.fromkeys(name for record in records for name in record.seconds)
        seconds = {name: sum(record.seconds.get(name, 0.0) for record in records) for name in parts}
        return replace(
            request.record(seconds=seconds),
            key=self.key,
            id=self._name,
            fold=None,
            data=joint_data(records, groups),
            environment=records[0].environment,
            metrics=metrics,
            folds=Folds(self._runs, spread_of([record.metrics for record in records])),
        )
