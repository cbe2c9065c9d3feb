"""Findings on broken files, amounts, sizes and quality."""

from __future__ import annotations

from collections import Counter

import numpy as np

from imgcls.eda.amounts import UNEVEN
from imgcls.eda.curve import is_rising
from imgcls.eda.facts import UNUSABLE, ClassFacts, CurvePoint, Facts, Finding, ImbalanceFacts, SizeFacts
from imgcls.eda.look import Look
from imgcls.eda.wording import amount, apply_command, keep_command, listed, some

FEW = 20
"""Training images below which a class is called rare."""
VERY_UNEVEN = 10.0
BLANK_CONTRAST = 2.0
"""A standard deviation of gray values, of 0 to 255, below which there is nothing to be seen in an image."""
_BLURRED_DEVIATIONS = 4.0
_BLURRED_SHARE = 0.1
_STRETCH = 2.0


def find_shortcomings(facts: Facts, look: Look, *, again: str = "") -> list[Finding]:
    """Find what is wrong with the files and amounts of a data set.

    Args:
        facts: Everything but the findings.
        look: What they were measured on.
        again: The options that name the data again in commands; empty where the workspace knows.
    """
    found = [
        _unusable(look.unusable),
        _broken(facts, look),
        *_classes(facts.classes, facts.imbalance, again),
        _varied(facts.sizes, again),
        _blank(look),
        _blurred(look),
        _rising(facts.curve),
    ]
    return [finding for finding in found if finding is not None]


def _unusable(reason: str) -> Finding | None:
    if not reason:
        return None
    return Finding(
        id=UNUSABLE,
        severity="error",
        title="These samples cannot be trained on.",
        n=1,
        examples=(reason,),
        advice="Change what is said; everything else here is told all the same.",
        command=None,
    )


def _broken(facts: Facts, look: Look) -> Finding | None:
    files = facts.broken
    if not files:
        return None
    kinds = listed(f"{n} {kind}" for kind, n in Counter(file.kind for file in files).most_common())
    ids = look.broken_ids
    return Finding(
        id="broken",
        severity="warning",
        title=f"{amount(len(files), 'file')} cannot be used: {kinds}.",
        n=len(files),
        examples=some(f"{file.path}: {file.reason}" for file in files),
        advice="They are left out anyway. Fetch them anew, or exclude them so that this is settled.",
        command=apply_command("broken") if ids else keep_command("broken"),
        action="exclude" if ids else None,
        groups=(ids,) if ids else (),
        images=tuple(sorted(file.path for file in files)),
    )


def _classes(classes: tuple[ClassFacts, ...], imbalance: ImbalanceFacts, again: str) -> list[Finding]:
    labelled = [entry for entry in classes if sum(entry.n.values())]
    found = []
    if empty := [entry for entry in classes if not sum(entry.n.values())]:
        found.append(
            Finding(
                id="classes.empty",
                severity="warning",
                title=f"{amount(len(empty), 'class', 'classes')} without a labelled image: it cannot be learnt.",
                n=len(empty),
                examples=some(entry.name for entry in empty),
                advice="Collect images of it, or leave the class out; until then some scores cannot be computed.",
                command=keep_command("classes.empty"),
            )
        )
    if imbalance.ratio >= UNEVEN:
        found.append(
            Finding(
                id="classes.imbalance",
                severity="warning" if imbalance.ratio >= VERY_UNEVEN else "note",
                title=f"The largest class has {imbalance.ratio:.1f} times the images of the smallest.",
                n=len(labelled),
                examples=some(
                    f"{entry.name}: {sum(entry.n.values())}"
                    for entry in sorted(labelled, key=lambda entry: sum(entry.n.values()))
                ),
                advice=f"{imbalance.meaning} Let a ladder say whether weights help.",
                command=f"imgcls ladder run baseline+class_weights --seeds 5{again}",
            )
        )
    if rare := [entry for entry in labelled if 0 < entry.n["train"] < FEW]:
        found.append(
            Finding(
                id="classes.rare",
                severity="note",
                title=f"{amount(len(rare), 'class', 'classes')} with fewer than {FEW} training images.",
                n=len(rare),
                examples=some(f"{entry.name}: {entry.n['train']}" for entry in rare),
                advice="Collect more of them first; no recipe replaces images.",
                command=None,
            )
        )
    if unvalidated := [entry for entry in labelled if not entry.n["valid"]]:
        found.append(
            Finding(
                id="classes.unvalidated",
                severity="warning",
                title=f"{amount(len(unvalidated), 'class', 'classes')} without a validation image: nothing is known of "
                "how well they are recognised.",
                n=len(unvalidated),
                examples=some(f"{entry.name}: {entry.n['train']} in train" for entry in unvalidated),
                advice="Collect more of them, validate with folds, or leave them out and say so.",
                command=keep_command("classes.unvalidated"),
            )
        )
    return found


def _varied(sizes: SizeFacts, again: str) -> Finding | None:
    aspect = sizes.aspect
    stretch = max(aspect.high / max(aspect.middle, 1e-9), aspect.middle / max(aspect.low, 1e-9))
    if stretch < _STRETCH:
        return None
    return Finding(
        id="sizes.varied",
        severity="note",
        title=f"Proportions vary: width over height is {aspect.low:.2f} to {aspect.high:.2f} in 90 % of them.",
        n=sizes.n_sizes,
        examples=(),
        advice="The baseline squeezes all of them into squares; see whether padding instead does better.",
        command=f"imgcls recipe run baseline --set images.resize=pad{again}",
    )


def _blank(look: Look) -> Finding | None:
    rows = np.flatnonzero(look.scan.measures["contrast"].to_numpy() < BLANK_CONTRAST)
    if not rows.size:
        return None
    ids = look.scan.samples.frame["id"].to_numpy()
    free = tuple(sorted(ids[rows[~look.is_frozen[rows]]]))
    return Finding(
        id="quality.blank",
        severity="warning",
        title=f"{amount(len(rows), 'image')} of a single colour, or nearly: there is nothing to be seen.",
        n=len(rows),
        examples=some(ids[rows]),
        advice="Look at them, and exclude them if nothing can be told from them; given parts are never changed.",
        command=apply_command("quality.blank") if free else keep_command("quality.blank"),
        action="exclude" if free else None,
        groups=(free,) if free else (),
        images=tuple(sorted(ids[rows])),
    )


def _blurred(look: Look) -> Finding | None:
    rows = blurred_rows(look)
    if not rows.size:
        return None
    ids = look.scan.samples.frame["id"].to_numpy()
    return Finding(
        id="quality.blurred",
        severity="note",
        title=f"{amount(len(rows), 'image')} far less sharp than the others.",
        n=len(rows),
        examples=some(ids[rows]),
        advice="Look at them: blurred, out of focus, or merely smooth.",
        command=None,
    )


def blurred_rows(look: Look) -> np.ndarray:
    """Give the rows of images whose sharpness is far below that of the set, the least sharp first, int64 [n].

    Far below is both a tenth of the median and four robust deviations of the logarithms: sharpness has no scale of its
    own that would hold for every subject.
    """
    measures = look.scan.measures
    sharpness = measures["sharpness"].to_numpy(dtype=np.float64)
    seen = measures["contrast"].to_numpy() >= BLANK_CONTRAST
    if seen.sum() < FEW:
        return np.zeros(0, dtype=np.int64)
    logs = np.log(sharpness + 1)
    middle = np.median(logs[seen])
    deviation = 1.4826 * np.median(np.abs(logs[seen] - middle))
    far = seen & (logs < middle - _BLURRED_DEVIATIONS * deviation) & (logs < middle + np.log(_BLURRED_SHARE))
    rows = np.flatnonzero(far)
    return rows[np.argsort(sharpness[rows], kind="stable")]


def _rising(curve: tuple[CurvePoint, ...]) -> Finding | None:
    if not is_rising(curve):
        return None
    before, last = curve[-2:]
    return Finding(
        id="curve.rising",
        severity="note",
        title=f"More images still help: the accuracy of a quick classifier goes from {before.value:.3f} with "
        f"{before.n_train:,} to {last.value:.3f} with {last.n_train:,} training images{_gain(last)}.",
        n=len(curve),
        examples=(),
        advice="More photographs may gain more than any recipe.",
        command=None,
    )


def _gain(point: CurvePoint) -> str:
    """Give the gain over the point before with its interval, on the same validation images."""
    if point.gain is None or point.gain_low is None or point.gain_high is None:
        return ""
    return f", {point.gain:+.3f} [{point.gain_low:+.3f}, {point.gain_high:+.3f}] on the same validation images"
