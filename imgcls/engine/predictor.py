"""Prediction of new photographs by the network of a finished run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.torch import load as load_tensors
from torch import nn

from imgcls.config.decision import Decision, decision_for
from imgcls.data.decode import Preprocess, decode
from imgcls.data.load import Input, Unlabelled, load_unlabelled
from imgcls.data.samples import Samples
from imgcls.data.source import DataSource, stretch_of
from imgcls.data.split import Fold
from imgcls.engine.build import photo_dataset
from imgcls.engine.check import check
from imgcls.engine.device import Machine, memory_format
from imgcls.engine.features import inputs_of_classifier
from imgcls.engine.inference import batches_of, finished, predict_batches, running_means
from imgcls.engine.loaders import Normalisation, PhotoDataset, decode_item
from imgcls.engine.models import build_network
from imgcls.engine.prepare import Prepared, prepare, preprocess_of
from imgcls.engine.progress import Reporter
from imgcls.engine.run import calibrated_by_others, weights_of
from imgcls.errors import DecodeError, RecordError
from imgcls.plan import Model, Plan, Predict
from imgcls.predictions.blending import blend
from imgcls.predictions.heat_maps import Explanation
from imgcls.records.blend import BlendRecord, find_predictor
from imgcls.records.find import open_run
from imgcls.records.run import RunRecord
from imgcls.storage import sha256_file
from imgcls.workspace import Workspace

_BATCH = 64


@dataclass(frozen=True)
class Classifier:
    """A trained network, with everything needed to predict."""

    record: RunRecord
    """The run it is from."""
    plan: Plan
    """The run's plan."""
    module: nn.Module
    """The network, in evaluation mode."""
    normalisation: Normalisation
    """How images become floats."""
    machine: Machine
    """Where it runs."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, in the order of the probabilities."""
        return self.record.classes

    @property
    def preprocess(self) -> Preprocess:
        """How photographs are decoded."""
        return preprocess_of(self.plan.images, stretch_of(self.record.data.stretch))

    def probabilities(self, images: Sequence[Any] | np.ndarray, *, ids: Sequence[str] | None = None) -> np.ndarray:
        """Predict images at hand, with the views and the smoothing of the run's plan.

        Args:
            images: Paths, PIL images or uint8 arrays [h, w, 3].
            ids: Names, which decide how further views are drawn; their places when None.

        Returns:
            float64 [n, k].

        Raises:
            DataError: An image cannot be read.
        """
        names = list(ids) if ids is not None else [str(place) for place in range(len(images))]
        decoded = (decode_item(image, self.preprocess) for image in images)
        return self._predict(_in_batches(zip(decoded, names, strict=True)))

    def explain(self, photo: Any, *, class_name: str | None = None, layer: str | None = None) -> Explanation:
        """Show where the network looked for its answer to one image.

        Args:
            photo: A path, a PIL image or a uint8 array [h, w, 3].
            class_name: Explain this class instead of the one predicted.
            layer: The name of a layer; None chooses.

        Raises:
            DataError: The image cannot be read.
            UsageError: There is no such class or layer, none can be chosen, or TorchCAM is missing.
        """
        from imgcls.engine.explain import explain_images

        return explain_images(self, [photo], ["photograph"], class_name=class_name, layer=layer)[0]

    def predict(
        self, paths: Iterable[str | PathLike[str]], *, images: str | Path | None = None, id: str | None = None
    ) -> pd.DataFrame:
        """Predict files, folders and tables of photographs; what cannot be read has a row that says why.

        Args:
            paths: Files, folders (read with their subfolders), or CSV tables of ids.
            images: For tables: the folder of the photographs.
            id: For tables: the column that names the photographs.

        Returns:
            One row for each input in order: id, path, status (`ok` or `error`), reason, prediction (classes joined by
            "|" where images have several; "not sure" where decision.toml leaves it to a person), confidence (the
            probability of the prediction; with several labels the largest), and `p_<class>` for each class.
            `attrs["not_photographs"]` of the table counts by suffix what lies in folders and is no photograph.

        Raises:
            DataError: There is nothing that can be tried.
        """
        return self.predict_inputs(load_unlabelled([Path(path) for path in paths], images=images, id=id))

    def predict_inputs(
        self,
        found: Unlabelled,
        *,
        decision: Decision | None = None,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> pd.DataFrame:
        """Predict what was listed before; see `predict` for the table it returns.

        Args:
            found: What was listed.
            decision: By which answers are given; None for that of the workspace, see `decision_for`.
            progress: Called with the number of photographs done, and of all.
        """
        rule = decision or decision_for(self.record)[0]
        probabilities, reasons = self.answers(found, progress=progress)
        return _as_frame(found, rule, probabilities, reasons)

    def answers(self, found: Unlabelled, *, progress: Callable[[int, int], None]) -> tuple[np.ndarray, list[str]]:
        """Return the probabilities [n, k] of what was listed, NaN where there are none; and [n] the reasons for that.

        Args:
            found: What was listed.
            progress: Called with the number of photographs done, and of all.
        """
        inputs = found.inputs
        reasons = [entry.reason for entry in inputs]
        probabilities = np.full((len(inputs), len(self.classes)), np.nan)
        with ThreadPoolExecutor() as threads:
            for start in range(0, len(inputs), _BATCH):
                chunk = inputs[start : start + _BATCH]
                good, decoded = [], []
                for place, pixels in enumerate(threads.map(self._decode, chunk), start=start):
                    if isinstance(pixels, np.ndarray):
                        good.append(place)
                        decoded.append(pixels)
                    else:
                        reasons[place] = pixels
                if decoded:
                    batch = np.stack(decoded), [inputs[place].name for place in good]
                    probabilities[good] = self._predict([batch])
                progress(start + len(chunk), len(inputs))
        return probabilities, reasons

    def _decode(self, entry: Input) -> np.ndarray | str:
        if entry.reason or entry.path is None:
            return entry.reason
        try:
            return decode(entry.path, self.preprocess)
        except DecodeError as problem:
            return str(problem)

    def _predict(self, batches: Iterable[tuple[np.ndarray, Sequence[str]]]) -> np.ndarray:
        return predict_batches(
            self.module,
            batches,
            plan=self.plan,
            normalisation=self.normalisation,
            multilabel=self.record.problem == "multilabel",
            seed=self.record.seed,
            device=self.machine.torch_device(),
            precision=self.machine.used_precision(),
            calibration=self.record.calibration,
        )


def validation_views(
    record: RunRecord, source: DataSource, predict: Predict, *, machine: Machine, reporter: Reporter
) -> tuple[Samples, np.ndarray]:
    """Predict the photographs that validated a run with one view, two, and so on, in one pass.

    Args:
        record: The run; its weights are read.
        source: The data it was trained on.
        predict: How many views there are, and of which kind; what comes after their mean is the plan's own.
        machine: Where it runs.
        reporter: Shows how far it is.

    Returns:
        The samples of validation; and float64 [views, n, k], what the plan would answer with the first t views.

    Raises:
        RecordError: The run has no weights, or the data are others than it was trained on.
        PlanError: There are no such views.
    """
    plan = Plan.from_json(record.plan)
    plan = replace(plan, predict=replace(plan.predict, views=predict.views, view_kind=predict.view_kind))
    check(plan)
    classifier = load(record, machine=machine)
    prepared = _photographs_of(record, source, reporter=reporter)
    dataset, valid = photo_dataset(prepared, "valid"), prepared.samples.part("valid")

    def counted() -> Iterator[tuple[np.ndarray, list[str]]]:
        for done, batch in enumerate(batches_of(dataset, size=_BATCH)):
            reporter.progress("Predicting", done * _BATCH, len(dataset))
            yield batch

    multilabel = record.problem == "multilabel"
    means = running_means(
        classifier.module,
        counted(),
        plan=plan,
        normalisation=classifier.normalisation,
        multilabel=multilabel,
        seed=record.seed,
        device=machine.torch_device(),
        precision=machine.used_precision(),
    )
    reporter.progress("Predicting", len(dataset), len(dataset))
    answers = [calibrated_by_others(mean, valid, plan.predict.calibration)[1] for mean in means]
    return valid, np.stack([finished(one, plan.predict, None, multilabel=multilabel) for one in answers])


def features_of_run(
    record: RunRecord,
    source: DataSource,
    choose: Callable[[Samples], np.ndarray],
    *,
    machine: Machine,
    reporter: Reporter,
) -> tuple[Prepared, np.ndarray, np.ndarray]:
    """Compute what the classifier of a run reads of some of its photographs.

    Args:
        record: The run; its weights are read.
        source: The data it was trained on.
        choose: Gives the rows of the samples to look at, int64 [m].
        machine: Where it runs.
        reporter: Shows how far it is.

    Returns:
        The photographs of the run, the chosen rows, and float32 [m, d].

    Raises:
        RecordError: The run has no weights, or the data are others than it was trained on.
    """
    classifier = load(record, machine=machine)
    prepared = _photographs_of(record, source, reporter=reporter)
    rows = choose(prepared.samples)
    ids = prepared.samples.frame["id"].to_numpy(dtype=object)[rows].tolist()
    blank = np.zeros(len(rows), dtype=np.int64)
    dataset = PhotoDataset(
        prepared.photos, prepared.store_rows(rows), ids=ids, paths=[], targets=blank, vocab=record.classes
    )
    features = inputs_of_classifier(
        classifier.module,
        dataset,
        classifier.normalisation,
        machine,
        progress=lambda done, n: reporter.progress("Seeing photographs", done, n),
    )
    return prepared, rows, features


def _photographs_of(record: RunRecord, source: DataSource, *, reporter: Reporter) -> Prepared:
    """Read the photographs of a run, split as they were for it.

    Raises:
        RecordError: The data are others than it was trained on.
    """
    turns = (Fold.of(record.fold, record.n_folds),)
    images = Plan.from_json(record.plan).images
    (prepared,) = prepare(source, images, quick=record.quick, reporter=reporter, turns=turns)
    samples, data = prepared.samples, record.data
    for what, now, then in (
        ("data", samples.data_digest, data.digest),
        ("split", samples.split_digest, data.split_digest),
    ):
        if now != then:
            raise RecordError(
                f"{record.id} was made with another {what}, digest {then[:8]}, not {now[:8]}: the photographs changed, "
                "or other options read them. Name the data as they were named for it."
            )
    return prepared


@dataclass(frozen=True)
class BlendClassifier:
    """The networks of a blend, which are loaded one after the other."""

    record: BlendRecord
    """The blend."""
    members: Mapping[str, RunRecord]
    """Id → run, of every network that predicts."""
    machine: Machine
    """Where they run."""

    def predict_inputs(
        self,
        found: Unlabelled,
        *,
        decision: Decision | None = None,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> pd.DataFrame:
        """Predict what was listed before; see `Classifier.predict` for the table it returns.

        Photographs are decoded once for each network, so that no more than one network has to find room.

        Args:
            found: What was listed.
            decision: As for `Classifier.predict_inputs`.
            progress: Called with the number of photographs done, and of all, over all networks.
        """
        rule = decision or decision_for(self.record)[0]
        n, shares = len(found.inputs), self.record.shares
        answers, reasons, references = [], [""] * n, []
        for number, record in enumerate(self.members.values()):
            counted = partial(_counted, progress, before=number * n, total=n * len(self.members))
            values, why = load(record, machine=self.machine).answers(found, progress=counted)
            answers.append(values)
            reasons = [before or after for before, after in zip(reasons, why, strict=True)]
            if self.record.way == "rank":
                known = record.predictions("valid")
                references.append(known[[f"p_{name}" for name in self.record.classes]].to_numpy(dtype=np.float64))
        probabilities = np.full(answers[0].shape, np.nan)
        good = np.array([not reason for reason in reasons], dtype=bool)
        probabilities[good] = blend(
            np.stack(answers)[:, good],
            np.array([shares[run] for run in self.members]),
            way=self.record.way,
            multilabel=self.record.problem == "multilabel",
            references=references or None,
        )
        return _as_frame(found, rule, probabilities, reasons)


def _counted(progress: Callable[[int, int], None], done: int, _: int, *, before: int, total: int) -> None:
    progress(before + done, total)


def _as_frame(found: Unlabelled, rule: Decision, probabilities: np.ndarray, reasons: Sequence[str]) -> pd.DataFrame:
    inputs, failed = found.inputs, [bool(reason) for reason in reasons]
    good = np.flatnonzero([not bad for bad in failed])
    known = probabilities[good]
    prediction, confidence = [""] * len(inputs), list[float | None]([None] * len(inputs))
    sure = known if rule.type == "multilabel" else np.where(rule.answers(known).chosen, known, 0)
    for row, text, value in zip(good, rule.named(known), sure.max(axis=1, initial=0.0), strict=True):
        prediction[row], confidence[row] = text, float(value)
    # as objects: the text type of pandas cannot hold the name of a file that is no UTF-8
    columns: dict[str, Any] = {
        "id": pd.Series([entry.name for entry in inputs], dtype=object),
        "path": pd.Series([str(entry.path or "") for entry in inputs], dtype=object),
        "status": ["error" if bad else "ok" for bad in failed],
        "reason": list(reasons),
        "prediction": prediction,
        "confidence": confidence,
    }
    columns |= {f"p_{name}": probabilities[:, place] for place, name in enumerate(rule.classes)}
    frame = pd.DataFrame(columns)
    frame.attrs["not_photographs"] = dict(found.others)
    frame.attrs["decision"] = None if rule.is_default else rule.as_written()
    return frame


def load(run: RunRecord | str | PathLike[str], *, machine: Machine | None = None) -> Classifier:
    """Read a trained network back from its record.

    Args:
        run: A record, its folder, its id, or the beginning of its id.
        machine: Where it is to run.

    Raises:
        RecordError: There is no such run, its weights are damaged, or it is that of all folds and has none.
    """
    record = run if isinstance(run, RunRecord) else open_run(run)
    machine = machine or Machine()
    machine.make_ready()
    workspace = Workspace(record.folder.parent.parent) if record.folder else Workspace.find()
    file, expected = weights_of(record, workspace)
    plan = Plan.from_json(record.plan)
    bare = Model(name=plan.model.name, weights="none", drop_rate=plan.model.drop_rate, drop_path=plan.model.drop_path)
    network = build_network(bare, plan.images, n_classes=len(record.classes), seed=record.seed)
    if sha256_file(file) != expected:
        raise RecordError(f"{file} has another content than recorded. Train again with 'imgcls recipe run … --again'.")
    try:
        network.module.load_state_dict(load_tensors(file.read_bytes()), strict=True)
    except RuntimeError as problem:
        raise RecordError(f"{file} does not fit {plan.model.name}: {problem}") from problem
    device = machine.torch_device()
    module = network.module.to(device).to(memory_format=memory_format(device)).eval()
    mean, std = (tuple(record.environment.get(name, getattr(network, name))) for name in ("mean", "std"))
    return Classifier(record, plan, module, Normalisation(mean, std), machine)


def predict(
    run: RunRecord | BlendRecord | str | PathLike[str],
    paths: Iterable[str | PathLike[str]] | str | PathLike[str],
    *,
    machine: Machine | None = None,
    images: str | Path | None = None,
    id: str | None = None,
) -> pd.DataFrame:
    """Predict photographs with a trained run or a blend; see `Classifier.predict` for the table it returns.

    Args:
        run: A run or a blend: its record, its folder, its id, or the beginning of its id.
        paths: One or several files, folders or tables.
        machine: Where it is to run.
        images: For tables: the folder of the photographs.
        id: For tables: the column that names the photographs.

    Raises:
        RecordError: There is no such run, its weights are damaged, or it is that of all folds and has none.
        DataError: There is nothing that can be tried, which is said before the network is loaded.

    Example:
        >>> imgcls.predict("runs/baseline-s0-1a2b3c4d", "photo.jpg")  # doctest: +SKIP
    """
    several = [paths] if isinstance(paths, str | PathLike) else list(paths)
    inputs = load_unlabelled([Path(path) for path in several], images=images, id=id)
    if not isinstance(run, RunRecord | BlendRecord):
        run = find_predictor(fspath(run), Workspace.find())
    return predictor(run, machine=machine).predict_inputs(inputs)


def predictor(record: RunRecord | BlendRecord, *, machine: Machine | None = None) -> Classifier | BlendClassifier:
    """Return what predicts with a run or with a blend.

    Args:
        record: One or the other.
        machine: Where it is to run.

    Raises:
        RecordError: Weights are damaged, a network of a blend is gone or changed, or there is none.
    """
    if isinstance(record, RunRecord):
        return load(record, machine=machine)
    assert record.folder is not None  # noqa: S101 - a blend was read from its folder
    workspace = Workspace(record.folder.absolute().parent.parent)
    return BlendClassifier(record, record.members_in(workspace), machine or Machine())


def _in_batches(pairs: Iterator[tuple[np.ndarray, str]]) -> Iterator[tuple[np.ndarray, list[str]]]:
    images, names = [], []
    for image, name in pairs:
        images.append(image)
        names.append(name)
        if len(images) == _BATCH:
            yield np.stack(images), names
            images, names = [], []
    if images:
        yield np.stack(images), names
