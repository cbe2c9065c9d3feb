"""Why a network answers as it does: heat maps by TorchCAM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from os.path import exists
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from imgcls.config.decision import Decision, decision_for
from imgcls.config.findings import decided_samples
from imgcls.data.decode import Pixels
from imgcls.data.samples import SEPARATOR
from imgcls.data.source import FINDINGS_TOML
from imgcls.engine.device import Machine
from imgcls.engine.layers import Layer, choose_layer, layers_with_places
from imgcls.engine.loaders import Normalisation, decode_item
from imgcls.engine.predictor import Classifier, load
from imgcls.errors import DataError, ImgclsError, RecordError, UsageError, nearest_hint
from imgcls.predictions.heat_maps import Explanation, HeatMap
from imgcls.records.blend import BlendRecord, find_predictor
from imgcls.records.derived import data_with_digest
from imgcls.records.run import RunRecord
from imgcls.text import as_utf8, clean, listed
from imgcls.workspace import Workspace

METHOD = "LayerCAM"
"""The method of TorchCAM: see docs/decisions/0043."""
_BATCH = 32
_MOST_CLASSES = 8
"""The classes of one photograph that are explained, where it has many labels."""


def maps_of(
    network: nn.Module,
    images: np.ndarray,
    classes: Sequence[int],
    *,
    layer: Layer,
    normalisation: Normalisation,
    device: torch.device,
    method: str = METHOD,
) -> np.ndarray:
    """Return where a network looks for one class of each image.

    Args:
        network: In evaluation mode, on the device; neither weights nor gradients of it are touched.
        images: uint8 [n, size, size, 3].
        classes: [n], the place of a class for each.
        layer: Of `choose_layer`.
        normalisation: How images become floats.
        device: Where it runs; in float32, whatever training used.
        method: A class of `torchcam.methods`.

    Returns:
        float32 [n, size, size] in [0, 1]: how far a place speaks for the class beyond the mean of the places, as a
        share of the most that one does. A map of which no place speaks for the class is 0 everywhere.
    """
    extractor_of: Any = getattr(_torchcam(), method)
    found = []
    for start in range(0, len(images), _BATCH):
        batch, wanted = images[start : start + _BATCH], list(classes[start : start + _BATCH])
        with extractor_of(network, layer.name, reshape_transform=layer.to_map) as extractor, torch.enable_grad():
            shown = normalisation.encode(torch.from_numpy(batch), device).requires_grad_()
            (coarse,) = extractor(wanted, network(shown), normalized=False)
            fine = functional.interpolate(
                coarse.detach().clamp_min(0).unsqueeze(1).contiguous(),
                batch.shape[1:3],
                mode="bilinear",
                align_corners=False,
            )[:, 0]
        fine = (fine - fine.mean(dim=(1, 2), keepdim=True)).clamp_min(0)
        largest = fine.amax(dim=(1, 2), keepdim=True)
        found.append(torch.where(largest > 0, fine / largest, 0.0).float().cpu().numpy())
    return np.concatenate(found) if found else np.zeros(images.shape[:3], dtype=np.float32)


def _torchcam() -> Any:
    """Return TorchCAM's methods.

    Raises:
        UsageError: It is not installed.
    """
    try:
        from torchcam import methods
    except ImportError as problem:
        raise UsageError('Heat maps need TorchCAM: pip install "imgcls[explain]"') from problem
    return methods


def explain(
    run: RunRecord | BlendRecord | str | PathLike[str],
    photo: str | PathLike[str] | Any,
    *,
    class_name: str | None = None,
    layer: str | None = None,
    machine: Machine | None = None,
    workspace: Workspace | None = None,
) -> Explanation:
    """Show where the network of a run looked for its answer to one photograph.

    Args:
        run: A run: its record, its folder, its id, or the beginning of its id.
        photo: A path, a PIL image, a uint8 array [h, w, 3]; or the id of a photograph that validated the run, whose
            true class is explained too.
        class_name: Explain this class instead.
        layer: The name of a layer; None chooses.
        machine: Where it is to run.
        workspace: Where the records lie; when None that of the record, or of the current folder.

    Raises:
        RecordError: There is no such run, or it has no weights.
        UsageError: It is a blend, there is no such class or layer, no layer can be chosen, or TorchCAM is missing.
        DataError: The photograph cannot be read.

    Example:
        >>> imgcls.explain("baseline-s0-1a2b3c4d", "photo.jpg").maps[0].class_name  # doctest: +SKIP
        'cat'
    """
    record = explainable(run, workspace or Workspace.find())
    place = workspace or (Workspace(record.folder.parents[1]) if record.folder is not None else Workspace.find())
    classifier = load(record, machine=machine)
    if not isinstance(photo, str | PathLike):
        return explain_images(classifier, [photo], ["photograph"], class_name=class_name, layer=layer)[0]
    found, reasons = explain_photos(classifier, [fspath(photo)], place, class_name=class_name, layer=layer)
    if reasons:
        raise DataError(next(iter(reasons.values())))
    return found[0]


def explainable(run: RunRecord | BlendRecord | str | PathLike[str], workspace: Workspace) -> RunRecord:
    """Return the run that is meant, of which there is one network.

    Raises:
        RecordError: There is none.
        UsageError: It is a blend or all folds, or TorchCAM is missing.
    """
    record = run if isinstance(run, RunRecord | BlendRecord) else find_predictor(fspath(run), workspace)
    if isinstance(record, BlendRecord):
        raise UsageError(
            f"Blend {record.id} is {len(record.shares)} networks, and each looks where it looks. Name one of its runs: "
            f"{listed(record.shares)}."
        )
    if record.folds is not None:
        raise UsageError(
            f"{record.id} is {len(record.folds.runs)} networks, one for each fold. Name one of its runs: "
            f"{listed(one.run for one in record.folds.runs)}."
        )
    _torchcam()
    return record


def explain_images(
    classifier: Classifier,
    images: Sequence[Any],
    names: Sequence[str],
    *,
    labels: Sequence[str] | None = None,
    class_name: str | None = None,
    layer: str | None = None,
) -> list[Explanation]:
    """Explain images at hand.

    Args:
        classifier: The trained network.
        images: Paths, PIL images or uint8 arrays [h, w, 3].
        names: Their names.
        labels: Their true classes, joined by "|"; None where they are not known.
        class_name: Explain this class instead of the one predicted and the true one.
        layer: The name of a layer; None chooses.

    Raises:
        DataError: An image cannot be read.
        UsageError: There is no such class or layer, or none can be chosen.
    """
    classes = classifier.classes
    if class_name is not None and class_name not in classes:
        raise UsageError(
            f"{classifier.record.id} has no class {clean(class_name)!r}.{nearest_hint(class_name, classes)}"
        )
    device = classifier.machine.torch_device()
    pixels = np.stack([decode_item(image, classifier.preprocess) for image in images])
    probabilities = classifier.probabilities(list(pixels), ids=names)
    known = list(labels) if labels is not None else [""] * len(pixels)
    rule = decision_for(classifier.record)[0]
    wanted = [
        [classes.index(class_name)] if class_name is not None else _asked(row, label, rule)
        for row, label in zip(probabilities, known, strict=True)
    ]
    layers = layers_with_places(classifier.module, pixels.shape[1], device)
    chosen = choose_layer(layers, layer, network=classifier.plan.model.name)
    rows = [row for row, places in enumerate(wanted) for _ in places]
    values = iter(
        maps_of(
            classifier.module,
            pixels[rows],
            [place for places in wanted for place in places],
            layer=chosen,
            normalisation=classifier.normalisation,
            device=device,
        )
    )
    return [
        Explanation(
            photo=names[row],
            label=known[row],
            pixels=pixels[row],
            maps=tuple(
                HeatMap(next(values), classes[place], float(probabilities[row, place]), chosen.name, METHOD)
                for place in places
            ),
        )
        for row, places in enumerate(wanted)
    ]


def _asked(probabilities: np.ndarray, label: str, rule: Decision) -> list[int]:
    """Return the classes that are explained: those predicted, at least one, then the true ones that are others."""
    predicted = np.flatnonzero(rule.answers(probabilities[None]).chosen[0]).tolist() or [int(probabilities.argmax())]
    true = [rule.classes.index(label)] if label in rule.classes else []
    if not true and rule.type == "multilabel":
        true = [place for place, name in enumerate(rule.classes) if name in label.split(SEPARATOR)]
    predicted.sort(key=lambda place: -probabilities[place])
    return [*predicted, *(place for place in true if place not in predicted)][:_MOST_CLASSES]


def explain_photos(
    classifier: Classifier,
    photos: Sequence[str],
    workspace: Workspace,
    *,
    class_name: str | None = None,
    layer: str | None = None,
) -> tuple[list[Explanation], dict[str, str]]:
    """Explain files, and photographs that validated the run by their ids.

    Args:
        classifier: The trained network.
        photos: Paths; what is the path of nothing is taken as an id.
        workspace: Where the run lies.
        class_name: Explain this class instead of the one predicted and the true one.
        layer: The name of a layer; None chooses.

    Returns:
        The explanations in order; and photograph → reason, of those that cannot be explained.
    """
    reasons = dict[str, str]()
    by_id = [name for name in photos if not exists(name)]  # noqa: PTH110 - Path.exists raises for long names
    known: Mapping[str, tuple[Path, str]] = {}
    if by_id:
        try:
            known = validated_photographs(classifier.record, workspace)
        except ImgclsError as problem:
            reasons = dict.fromkeys(by_id, f"no such file, and as an id it is of no use: {problem}")
    files = dict[str, tuple[Path, str]]()
    for name in photos:
        if name not in by_id:
            files[name] = Path(name), ""
        elif name in known:
            files[name] = known[name]
        else:
            reasons.setdefault(
                name, f"{clean(name)} is neither a file nor the id of a photograph that validated the run."
            )
    found, unreadable = explain_files(classifier, files, class_name=class_name, layer=layer)
    return found, reasons | unreadable


def explain_ids(
    record: RunRecord, ids: Sequence[str], workspace: Workspace, *, machine: Machine | None = None
) -> Mapping[str, Explanation]:
    """Explain photographs that validated a run, for its page; those that cannot be read any more are left out.

    Args:
        record: The run.
        ids: Ids of its validation photographs, as `imgcls.text.as_utf8` gives them.
        workspace: Where it lies.
        machine: Where it is to run.

    Raises:
        RecordError: Its weights are gone, or nobody knows where its photographs are.
        UsageError: It is more than one network, no layer can be chosen, or TorchCAM is missing.
    """
    wanted = set(ids)
    known = validated_photographs(explainable(record, workspace), workspace)
    files = {text: place for name, place in known.items() if (text := as_utf8(name)) in wanted}
    found, _ = explain_files(load(record, machine=machine), files)
    return {one.photo: one for one in found}


def explain_files(
    classifier: Classifier,
    files: Mapping[str, tuple[Path, str]],
    *,
    class_name: str | None = None,
    layer: str | None = None,
) -> tuple[list[Explanation], dict[str, str]]:
    """Explain files.

    Args:
        classifier: The trained network.
        files: Name → path and true classes, joined by "|"; these are empty where nobody knows them.
        class_name: Explain this class instead of the one predicted and the true one.
        layer: The name of a layer; None chooses.

    Returns:
        The explanations in order; and name → reason, of those that cannot be read.
    """
    names, found, reasons = list(files), list[Explanation](), dict[str, str]()
    for start in range(0, len(names), _BATCH):
        good = list[tuple[str, Pixels, str]]()
        for name in names[start : start + _BATCH]:
            file, label = files[name]
            try:
                good.append((name, decode_item(file, classifier.preprocess), label))
            except DataError as problem:
                reasons[name] = str(problem)
        if good:
            known, images, labels = zip(*good, strict=True)
            found += explain_images(classifier, images, known, labels=labels, class_name=class_name, layer=layer)
    return found, reasons


def validated_photographs(record: RunRecord, workspace: Workspace) -> dict[str, tuple[Path, str]]:
    """Return id → file and label of the photographs that validated a run.

    Raises:
        RecordError: It has no predictions of validation, or nobody knows where its photographs are, or they changed.
    """
    frame = record.predictions("valid")
    source = data_with_digest(record.data.digest, workspace)
    if source is None:
        raise RecordError(
            f"The photographs of {record.id} are not known in this workspace, or changed since. Name photographs by "
            "their paths."
        )
    samples = decided_samples(source, workspace.root / FINDINGS_TOML)
    path_of = dict(zip(samples.frame["id"].tolist(), samples.frame["path"].tolist(), strict=True))
    labels = zip(frame["id"].tolist(), frame["label"].tolist(), strict=True)
    return {name: (Path(path_of[name]), str(label)) for name, label in labels if name in path_of}
