"""Findings: facts that ask for action, one function for each kind, and what was decided about them."""

from __future__ import annotations

import math
import re
import shlex
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from imgcls.config.findings import BROKEN, LOST, UNUSED, Adjustments
from imgcls.data.files import Excluded, is_image_name, unused_kind
from imgcls.data.grouping import ConnectedGroups
from imgcls.data.samples import Samples, shrunken_classes
from imgcls.data.source import stretch_text
from imgcls.eda.facts import (
    UNUSABLE,
    CurvePoint,
    ExcludedImages,
    Facts,
    Finding,
    LeakageProbe,
    Pair,
    with_applied,
)
from imgcls.eda.leakage import NEARLY_ALL, names_say_classes
from imgcls.eda.learning_curve import is_rising
from imgcls.eda.metadata import MetaTable
from imgcls.eda.outliers import BLANK_CONTRAST
from imgcls.eda.scan import ScanResult
from imgcls.eda.statistics import UNEVEN
from imgcls.eda.suspects import SUSPECT, Suspects
from imgcls.text import amount, apply_command, as_utf8, keep_command, listed, some

ACROSS = "duplicates.across"
DRAWN = "duplicates.across:drawn"
"""The part of `duplicates.across` that grouping fixes, where excluding fixes the rest."""
CONFLICT = "duplicates.conflict"
UNUSED_VALUES = "values.unused"
WITHIN = "duplicates.within"
FEW = 20
"""Training images below which a class is called rare."""
VERY_UNEVEN = 10.0
_LEAST_SHARED = 0.05
_MANY_ALIKE = 0.3
"""Planted series have 0.98, sets of unrelated photographs below 0.05; shots of the same shelves 0.4."""
_MATTERS = 0.02
"""From this fall of a score on, series are an error."""
_LEAST_IDENTITIES = 8
_IDENTITIES = re.compile(
    r"(^|_|\b)(id|uid|uuid|sender|user|author|owner|person|people|patient|subject|photographer|camera|device|serial|"
    r"session|series|sequence|site|hospital|scanner|plate|batch|lot|module|specimen|animal|individual|video|group)s?"
    r"($|_|\b)"
)
_WHAT = {
    "name": ("the file name", "The classes may have been collected apart; look for what else differs between them."),
    "order": (
        "the place in the list",
        "Neighbours may be of one origin; if they are, name their origin as the group (--group).",
    ),
    "bytes": ("the size of the file", "The classes may have been saved in different ways, which a network can see."),
    "size": ("the size of the image", "The classes may come from different cameras, which a network can see."),
    "time": ("the time stamp", "The classes may have been photographed apart; look for what else differs."),
}
"""From what a leakage probe reads to its words and to what to do."""
_BLURRED_DEVIATIONS = 4.0
_BLURRED_SHARE = 0.1
_STRETCH = 2.0
_LEAST_USED = 0.5
"""The share of black to white that values of more than 8 bits should take: below it a bit is lost, and more."""
_MANY_OUTSIDE = 0.05
_WORST_FIRST = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class FindingInputs:
    """What findings are made of."""

    facts: Facts
    """Everything but the findings."""
    look: ScanResult
    """What they were measured on."""
    tables: Sequence[MetaTable] = ()
    """What else is known of the samples."""
    again: str = ""
    """The options that name the data again in commands; empty where the workspace knows."""
    suspects: Suspects | None = None
    """The labels that a run doubts and nobody decided about; None where no run was asked."""

    @cached_property
    def groups(self) -> ConnectedGroups:
        """Which samples stay together when they are split."""
        return ConnectedGroups.of(self.look.scan.samples)


def find_all(
    facts: Facts,
    look: ScanResult,
    *,
    tables: Sequence[MetaTable],
    adjustments: Adjustments,
    suspects: Suspects | None = None,
    again: str = "",
    out: str = "",
) -> tuple[Finding, ...]:
    """Turn facts into findings, the worst first, and those that are dealt with last.

    What was applied is not seen any more: excluded images are not looked at, and copies that stay together need
    nothing. So a finding that is seen again is open again, for its new images, and what was applied without being
    seen again comes from what findings.toml holds. What was kept is open again once it is about other images.

    Args:
        facts: Everything but the findings.
        look: What they were measured on.
        tables: What else is known of the samples.
        adjustments: What was decided before.
        suspects: The labels that a run doubts and nobody decided about; None where no run was asked.
        again: The options that name the data again in commands; empty where the workspace knows.
        out: The option that names the workspace in commands; empty where it is found without.
    """
    given = FindingInputs(facts, look, tables, again, suspects)
    found = [_accepted(finding, adjustments) for find in FINDERS for finding in find(given)]
    found = with_applied(found, adjustments)
    placed = (
        found.model_copy(update={"command": found.command + out}) if found.command and out else found for found in found
    )
    return tuple(sorted(placed, key=lambda finding: (finding.state != "open", _WORST_FIRST[finding.severity])))


def _accepted(finding: Finding, adjustments: Adjustments) -> Finding:
    """Describe that a finding was kept, or that it was kept for other images than it is about now."""
    if adjustments.keeps(finding.id, finding.images):
        return finding.model_copy(update={"state": "kept"})
    before = {image for entry in adjustments.kept if entry.finding == finding.id for image in entry.images}
    if not before:
        return finding
    n_new = len(set(finding.images) - before)
    return finding.model_copy(update={"advice": f"It was kept before {amount(n_new, 'image')} came. {finding.advice}"})


@dataclass(frozen=True)
class DuplicateFindings:
    """Pairs of photographs, and what may be done about them."""

    pairs: Sequence[Pair]
    """All pairs."""
    frozen: frozenset[str]
    """Ids in the parts that the data give for scoring, which are never changed."""
    together: ConnectedGroups
    """Which samples stay together when they are split."""

    def findings(self) -> list[Finding]:
        """Return the findings, each pair in one of them: conflict before across before within."""
        conflicts = [pair for pair in self.pairs if pair.is_conflict]
        others = [pair for pair in self.pairs if not pair.is_conflict]
        across = [pair for pair in others if pair.is_across]
        drawn = [pair for pair in across if not self._is_given(pair)]
        given = [pair for pair in across if self._is_given(pair)]
        within = [pair for pair in others if not pair.is_across and pair.splits[0] != "test"]
        return [
            *([self._conflict(conflicts)] if conflicts else []),
            *([self._given(given)] if given else []),
            *([self._drawn(drawn, name=DRAWN if given else ACROSS)] if drawn else []),
            *([self._within(within)] if within else []),
        ]

    def _is_given(self, pair: Pair) -> bool:
        return pair.first in self.frozen or pair.second in self.frozen

    def _free(self, pairs: Iterable[Pair]) -> tuple[str, ...]:
        """Return the ids of pairs that may be excluded."""
        return tuple(name for name in _about(pairs) if name not in self.frozen)

    def _conflict(self, pairs: list[Pair]) -> Finding:
        free = self._free(pairs)
        return Finding(
            id=CONFLICT,
            severity="error",
            title=f"{amount(len(pairs), 'pair')} of the same photograph under different labels.",
            n=len(pairs),
            examples=_shown(pairs, with_labels=True),
            advice=_in_full(self._about_conflict(pairs), free),
            command=apply_command(CONFLICT) if free else keep_command(CONFLICT),
            action="exclude" if free else None,
            groups=(free,) if free else (),
            images=_about(pairs),
        )

    def _about_conflict(self, pairs: Iterable[Pair]) -> str:
        correct = "One of the two labels is wrong: correct it where the labels are kept"
        if any(map(self._is_given, pairs)):
            return f"{correct}. Copies in given parts are never excluded: one that stays may be the wrong one."
        return f"{correct}, or exclude all copies."

    def _given(self, pairs: list[Pair]) -> Finding:
        free = self._free(pairs)
        return Finding(
            id=ACROSS,
            severity="error",
            title=f"{amount(len(pairs), 'pair')} of copies with one in a given part that is scored: scores flatter.",
            n=len(pairs),
            examples=_shown(pairs),
            advice=_in_full(
                "Exclude the copies outside the given validation and test parts, which are never changed.", free
            ),
            command=apply_command(ACROSS) if free else keep_command(ACROSS),
            action="exclude" if free else None,
            groups=(free,) if free else (),
            images=_about(pairs),
        )

    def _drawn(self, pairs: list[Pair], *, name: str) -> Finding:
        return Finding(
            id=name,
            severity="error",
            title=f"{amount(len(pairs), 'pair')} of copies with one in train and one in valid: scores flatter.",
            n=len(pairs),
            examples=_shown(pairs),
            advice="Keep copies together, so that the split cannot separate them.",
            command=apply_command(name),
            action="group",
            groups=self.together.joined((pair.first, pair.second) for pair in pairs),
            images=_about(pairs),
        )

    def _within(self, pairs: list[Pair]) -> Finding:
        """Copies in one part; those that another draw could separate are worth grouping."""
        apart = [pair for pair in pairs if not self.together.are_together(pair.first, pair.second)]
        return Finding(
            id=WITHIN,
            severity="warning" if apart else "note",
            title=f"{amount(len(pairs), 'pair')} of copies in the same part: they count twice.",
            n=len(pairs),
            examples=_shown(apart or pairs),
            advice="Keep copies together, so that no other split or fold separates them."
            if apart
            else "Nothing has to be done: they stay together in every split.",
            command=apply_command(WITHIN) if apart else None,
            action="group" if apart else None,
            groups=self.together.joined((pair.first, pair.second) for pair in apart),
            images=_about(apart or pairs),
        )


def _about(pairs: Iterable[Pair]) -> tuple[str, ...]:
    """Return the ids of the photographs of pairs."""
    return tuple(sorted({name for pair in pairs for name in (pair.first, pair.second)}))


def _in_full(advice: str, free: Sequence[str]) -> str:
    return advice if free else "All copies lie in given parts, which are never changed: tell who keeps the data."


def _shown(pairs: Sequence[Pair], *, with_labels: bool = False) -> tuple[str, ...]:
    return some(_sides(pair, with_labels=with_labels) for pair in pairs)


def _sides(pair: Pair, *, with_labels: bool) -> str:
    notes = pair.labels if with_labels and pair.labels else pair.splits
    return f"{pair.first} ({notes[0]}) = {pair.second} ({notes[1]}), {pair.kind}"


def find_duplicates(given: FindingInputs) -> list[Finding]:
    """Find copies of one photograph: with different labels, across parts, and within one."""
    look = given.look
    frozen = frozenset(look.scan.samples.frame["id"][look.is_frozen])
    return DuplicateFindings(given.facts.duplicates, frozen, given.groups).findings()


def find_leakage(given: FindingInputs) -> Iterator[Finding]:
    """Find what tells the label without the picture, and values of it that are shared between parts."""
    facts, look = given.facts, given.look
    for probe in facts.guesses:
        if not probe.telling:
            continue
        shared = _shared(probe, look, _column(probe.by, given.tables), given.groups)
        yield shared or _plainly(probe, look.scan.samples)


def _plainly(probe: LeakageProbe, samples: Samples) -> Finding:
    """Return the finding of a probe, as a note only where nothing has to be done about it."""
    if probe.by == "name" and names_say_classes(samples):
        return _noted(probe, "The file names name the classes.", "A network never sees them.")
    if probe.by == "order" and _is_grouped(samples):
        title = f"The label can be guessed from the place in the list: AUC {probe.auc:.2f}, where 0.5 is chance."
        return _noted(probe, title, "Neighbours may be of one origin; the groups of the data keep them together.")
    return _probed(probe)


def _is_grouped(samples: Samples) -> bool:
    """Whether nearly all labelled samples outside test are in groups, so that neighbours are not divided."""
    labelled = samples.is_labelled & (samples.frame["split"] != "test").to_numpy()
    return bool((samples.frame["group"][labelled] != "").mean() >= NEARLY_ALL) if labelled.any() else False


def _probed(probe: LeakageProbe) -> Finding:
    what, advice = _WHAT.get(
        probe.by,
        (
            f"column {probe.by}",
            "If it says where a photograph is from, keep its values together when splitting; if it is known for new "
            "photographs too, a score by pictures alone has to beat it.",
        ),
    )
    name = f"guess:{probe.by}"
    return Finding(
        id=name,
        severity="warning",
        title=f"The label can be guessed from {what} alone: AUC {probe.auc:.2f}, where 0.5 is chance.",
        n=probe.n,
        examples=(),
        advice=advice,
        command=keep_command(name),
    )


def _noted(probe: LeakageProbe, title: str, advice: str) -> Finding:
    return Finding(
        id=f"guess:{probe.by}",
        severity="note",
        title=title,
        n=probe.n,
        examples=(),
        advice=f"{advice} Nothing has to be done.",
        command=None,
    )


def _shared(
    probe: LeakageProbe, look: ScanResult, values: Sequence[str] | None, groups: ConnectedGroups
) -> Finding | None:
    """Describe where a column that tells the label has the same values in train and in what is scored."""
    shares = {split: share for split, share in probe.shared.items() if share >= _LEAST_SHARED}
    if values is None or not shares or not is_identity(probe, n=len(values)):
        return None
    name = f"shared:{probe.by}"
    joined = groups.joined(_by_value(look, values)) if _is_drawn(look) and "valid" in shares else ()
    shared = " and ".join(f"{share * 100:.0f} % of {split}" for split, share in shares.items())
    return Finding(
        id=name,
        severity="error" if joined else "warning",
        title=f"{shared} have a {probe.by} that is in train too, and knowing that alone tells the label with AUC "
        f"{probe.auc:.2f}: scores look better than they are.",
        n=sum(round(share * len(look.scan.samples.rows(split))) for split, share in shares.items()),
        examples=(),
        advice=_advice(shares, can_group=bool(joined)),
        command=apply_command(name) if joined else keep_command(name),
        action="group" if joined else None,
        groups=joined,
    )


def _advice(shares: dict[str, float], *, can_group: bool) -> str:
    if not can_group:
        return "Given parts are never changed: read the scores as those of known origins, or give another split."
    test = shares.get("test")
    more = f" {test * 100:.0f} % of test share it too: scores there flatter as long as that is so." if test else ""
    return f"Keep equal values together, so that validation is on new ones.{more}"


def is_identity(probe: LeakageProbe, *, n: int) -> bool:
    """Whether a column says who or what a photograph is from, rather than what is on it.

    Its name says so, or it has as many different values as whole numbers below the root of n: properties have few.

    Args:
        probe: Of a column.
        n: The number of samples.
    """
    column = probe.by.rpartition(" of ")[0].lower()
    named = bool(_IDENTITIES.search(column)) or column.endswith("id")
    return probe.n_values >= (_LEAST_IDENTITIES if named else max(_LEAST_IDENTITIES, int(np.sqrt(n))))


def _is_drawn(look: ScanResult) -> bool:
    """Whether validation was drawn, so that another draw can keep groups whole."""
    is_valid = (look.scan.samples.frame["split"] == "valid").to_numpy()
    return bool((is_valid & (look.given == "")).any())


def _by_value(look: ScanResult, values: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Return the ids of the samples that may be split, by value."""
    free: dict[str, list[str]] = {}
    for name, value, frozen in zip(look.scan.samples.frame["id"], values, look.is_frozen, strict=True):
        if value and not frozen:
            free.setdefault(value, []).append(name)
    return (tuple(names) for names in free.values() if len(names) > 1)


def _column(by: str, tables: Iterable[MetaTable]) -> Sequence[str] | None:
    for table in tables:
        for column, values in table.columns.items():
            if by == f"{column} of {table.name}":
                return values
    return None


def find_series_split(given: FindingInputs) -> Iterator[Finding]:
    """Find series, photographs that are no copies and belong together, that a split divides or may divide."""
    series, look = given.facts.series, given.look
    if series is None:
        alike = given.facts.alike
        if alike is not None and alike >= _MANY_ALIKE and not _is_grouped(look.scan.samples):
            yield Finding(
                id="alike",
                severity="note",
                title=f"{alike:.0%} of the photographs have one of their class that is far nearer than all others, and "
                "no names, numbers or times say why.",
                n=round(alike * len(look.scan.samples)),
                examples=(),
                advice="They may be series; only pictures speak for it. If you know what belongs together, name it: "
                "--group or --group-from.",
                command=None,
            )
        return
    ids = look.scan.samples.frame["id"].to_numpy(dtype=object)
    frozen = frozenset(ids[look.is_frozen])
    free = [tuple(name for name in names if name not in frozen) for names in series.groups]
    joined = given.groups.joined(names for names in free if len(names) > 1) if _is_drawn(look) else ()
    if not joined and (_is_drawn(look) or not series.n_shared):
        return
    is_grouped = _is_grouped(look.scan.samples)  # whoever gave groups to all knew more of them than pictures tell
    joined = () if is_grouped else joined
    n_images, (smallest, median, largest) = sum(map(len, series.groups)), series.sizes
    falls = series.score - series.score_whole
    if is_grouped:
        advice = "The data give groups, and these are others: wider ones may be meant, or none."
    elif joined and series.pattern:
        advice = f"Keep them together: --group-from {shlex.quote(series.pattern)}, or apply it."
    elif joined:
        advice = "Keep them together."
    else:
        advice = "Given parts are never changed: read the scores as those of known series, or give another split."
    yield Finding(
        id="series",
        severity="note" if is_grouped else "error" if joined and falls >= _MATTERS else "warning",
        title=f"{amount(len(series.groups), 'series', 'series')} of {n_images:,} photographs, by their "
        f"{series.by}, which look alike without being copies: {series.n_shared:,} of {series.n_valid:,} in valid have "
        f"one of theirs in train. A quick classifier scores {series.score:.2f}, with series whole "
        f"{series.score_whole:.2f} (balanced, {series.n_folds} folds)."
        + (" The data give groups of their own, so nothing is to be done unless wider ones are meant." * is_grouped),
        n=n_images,
        examples=some(
            [
                f"{smallest:,} to {largest:,} photographs each, the median {median:,}"
                if smallest < largest
                else f"{largest:,} photographs each",
                *(listed(names, 3) for names in series.groups),
            ]
        ),
        advice=advice,
        command=None if is_grouped else apply_command("series") if joined else keep_command("series"),
        action="group" if joined else None,
        groups=joined,
        images=tuple(sorted(name for names in series.groups for name in names)),
    )


def find_drifting_parts(given: FindingInputs) -> Iterator[Finding]:
    """Find parts that differ from train, once for each part."""
    drift = given.facts.drift
    clear = [entry for entry in drift if entry.differs]
    for part in dict.fromkeys(entry.parts[1] for entry in clear):
        ways = sorted((entry for entry in clear if entry.parts[1] == part), key=lambda entry: -entry.auc)
        name = f"drift:{part}"
        yield Finding(
            id=name,
            severity="warning",
            title=f"{part} differs from {ways[0].parts[0]}: told apart by {ways[0].by} with AUC {ways[0].auc:.2f}, "
            "where 0.5 is chance.",
            n=ways[0].n[1],
            examples=tuple(f"{entry.by}: AUC {entry.auc:.2f}, p {entry.p:.3f}" for entry in ways),
            advice="Expect other scores there; look at photographs of both, and validate on those like what counts.",
            command=keep_command(name),
        )


def find_suspect_labels(given: FindingInputs) -> Iterator[Finding]:
    """Find labels that a run doubts and nobody has looked at; a label that has changed since is no longer doubted."""
    if given.suspects is None:
        return
    samples = given.look.scan.samples
    frame = samples.frame[(samples.frame["split"] != "test").to_numpy()]
    label_of = {as_utf8(name): label for name, label in zip(frame["id"], frame["label"], strict=True)}
    left = [one for one in given.suspects.suspects if label_of.get(one.image) == one.label]
    if left:
        images = tuple(one.image for one in left)
        yield Finding(
            id=SUSPECT,
            severity="warning",
            title=f"{amount(len(left), 'photograph')} whose label may be wrong, says {given.suspects.run}.",
            n=len(left),
            examples=some(f"{one.image}: {one.label}, looks like {one.looks_like}" for one in left),
            advice="Look at them, the first ones first, and say what each is. Many of the later ones may be right.",
            command=shlex.join(["imgcls", "review", given.suspects.run]),
            images=images,
        )


def excluded_images(
    excluded: Iterable[Excluded], *, known: Collection[str], decided: Collection[str]
) -> tuple[ExcludedImages, ...]:
    """Gather by reason what is a photograph, by its name or in a table, and not used, the most frequent reason first.

    Args:
        excluded: What the data set leaves out.
        known: Paths that other facts name, as those of broken files.
        decided: Reasons that findings.toml gives, which are findings of their own.
    """
    paths: dict[str, list[str]] = {}
    for entry in excluded:
        if (unused := unused_kind(entry)) is not None:
            paths.setdefault(f"{unused.kind} ({unused.remedy})", []).append(entry.path)
        elif entry.sample is None and not is_image_name(entry.path):
            continue
        elif entry.path not in known and entry.reason not in decided:
            paths.setdefault(entry.reason, []).append(entry.path)
    found = (
        ExcludedImages(reason=reason, n=len(names), examples=some(sorted(names))) for reason, names in paths.items()
    )
    return tuple(sorted(found, key=lambda entry: (-entry.n, entry.reason)))


def find_excluded(given: FindingInputs) -> Iterator[Finding]:
    """Find photographs that are not used."""
    facts = given.facts
    if not facts.left_out:
        return
    n = sum(entry.n for entry in facts.left_out)
    yield Finding(
        id=UNUSED,
        severity="note",
        title=f"{amount(n, 'photograph')} in the folder not used: "
        f"{listed(f'{entry.n:,} {entry.reason}' for entry in facts.left_out)}.",
        n=n,
        examples=some(name for entry in facts.left_out for name in entry.examples),
        advice="If they belong to the data, name them in the table, move them into a folder of a class, or save "
        "them as JPEG or PNG.",
        command=None,
    )


def find_unusable(given: FindingInputs) -> Iterator[Finding]:
    """Find the reason why nothing can be trained on these samples."""
    reason = given.look.unusable
    if not reason:
        return
    yield Finding(
        id=UNUSABLE,
        severity="error",
        title="These samples cannot be trained on.",
        n=1,
        examples=(reason,),
        advice="Correct what it names; everything else here holds all the same.",
        command=None,
    )


def find_broken(given: FindingInputs) -> Iterator[Finding]:
    """Find files that cannot be used."""
    facts, look = given.facts, given.look
    files = facts.broken
    if not files:
        return
    kinds = listed(f"{n} {kind}" for kind, n in Counter(file.kind for file in files).most_common())
    ids, broken = look.broken_ids, {file.path for file in files}
    of_test = [entry for entry in look.scan.samples.excluded if entry.sample and entry.sample.split == "test"]
    n_test = sum(entry.path in broken for entry in of_test)
    filled = (
        f" {n_test:,} of them are of the test part: 'imgcls submit' fills these rows, and says so." if n_test else ""
    )
    yield Finding(
        id=BROKEN,
        severity="warning",
        title=f"{amount(len(files), 'file')} cannot be used: {kinds}.",
        n=len(files),
        examples=some(f"{file.path}: {file.reason}" for file in files),
        advice="They are left out anyway. Fetch them again, or exclude them so that this is settled." + filled,
        command=apply_command(BROKEN) if ids else keep_command(BROKEN),
        action="exclude" if ids else None,
        groups=(ids,) if ids else (),
        images=tuple(sorted(file.path for file in files)),
    )


def find_shrunken_classes(given: FindingInputs) -> Iterator[Finding]:
    """Find classes that vanish, or lose more than half of their samples, by all that is left out together."""
    if shrunken := shrunken_classes(given.look.scan.samples):
        yield Finding(
            id=LOST,
            severity="warning",
            title=f"{amount(len(shrunken), 'class', 'classes')} with less than half of the samples left: "
            + listed(f"{as_utf8(name)} {n:,} of {n_before:,}" for name, n, n_before in shrunken)
            + ".",
            n=len(shrunken),
            examples=some(f"{as_utf8(name)}: {n:,} of {n_before:,}" for name, n, n_before in shrunken),
            advice="Photographs that are missing, cannot be read or were excluded are left out. Fix the files or rows "
            "first; or leave out such a class as a whole.",
            command=keep_command(LOST),
        )


def find_class_issues(given: FindingInputs) -> list[Finding]:
    """Find classes without images, uneven or rare ones, and those that are not validated."""
    classes, imbalance, again = given.facts.classes, given.facts.imbalance, given.again
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


def find_varied_shapes(given: FindingInputs) -> Iterator[Finding]:
    """Find proportions that vary so much that squeezing into a square changes them."""
    sizes, again = given.facts.sizes, given.again
    aspect = sizes.aspect
    stretch = max(aspect.high / max(aspect.middle, 1e-9), aspect.middle / max(aspect.low, 1e-9))
    if stretch < _STRETCH:
        return
    yield Finding(
        id="sizes.varied",
        severity="note",
        title=f"Proportions vary: width over height is {aspect.low:.2f} to {aspect.high:.2f} in 90 % of them.",
        n=sizes.n_sizes,
        examples=(),
        advice="The baseline squeezes all of them into squares; see whether padding instead does better.",
        command=f"imgcls recipe run baseline --set images.resize=pad{again}",
    )


def find_blank(given: FindingInputs) -> Iterator[Finding]:
    """Find images that show nothing."""
    look = given.look
    rows = np.flatnonzero(look.scan.measures["contrast"].to_numpy() < BLANK_CONTRAST)
    if not rows.size:
        return
    ids = look.scan.samples.frame["id"].to_numpy()
    free = tuple(sorted(ids[rows[~look.is_frozen[rows]]]))
    yield Finding(
        id="quality.blank",
        severity="warning",
        title=f"{amount(len(rows), 'image')} of a single colour, or nearly: there is nothing to be seen.",
        n=len(rows),
        examples=some(ids[rows]),
        advice="Look at them, and exclude them if nothing can be seen in them; given parts are never changed.",
        command=apply_command("quality.blank") if free else keep_command("quality.blank"),
        action="exclude" if free else None,
        groups=(free,) if free else (),
        images=tuple(sorted(ids[rows])),
    )


def find_unused_values(given: FindingInputs) -> Iterator[Finding]:
    """Find photographs of more than 8 bits whose values lie in a part of what becomes black to white, or outside."""
    deep = given.facts.sizes.deep
    if deep is None or deep.high <= deep.low:
        return
    stretch = given.look.scan.samples.stretch
    share = (min(deep.high, deep.white) - max(deep.low, deep.black)) / (deep.white - deep.black)
    outside = stretch is not None and deep.n_outside > _MANY_OUTSIDE * deep.n
    if share > _LEAST_USED and not outside:
        return
    proposed = stretch_text(proposed_stretch(deep.low, deep.high))
    digits = ",.0f" if deep.high > 2 else ".3g"
    photographs, used = amount(deep.n, "photograph"), f"{deep.low:{digits}} to {deep.high:{digits}}"
    known = f"{deep.black:,.6g} to {deep.white:,.6g}"
    n_levels = max(1, round(max(share, 0) * 256))
    title = (
        f"{deep.n_outside:,} of {photographs} of more than 8 bits have values outside the stretch {known}, which are "
        "cut off."
        if outside
        else f"{photographs} of more than 8 bits use the values {used} of {known}: {n_levels} of 256 gray levels."
    )
    yield Finding(
        id=UNUSED_VALUES,
        severity="warning",
        title=title,
        n=deep.n_outside if outside else deep.n,
        examples=(),
        advice=f'Write stretch = "{proposed}" below [data] in imgcls.toml, or --stretch {proposed} with every command: '
        "looking, training and prediction then all take these values as black and white, and runs record it.",
        command=f"imgcls eda --stretch {proposed}{given.again}",
    )


def proposed_stretch(low: float, high: float) -> tuple[float, float]:
    """Return black and white for values that are used: those of a whole number of bits where they begin near 0."""
    if 0 <= low <= high / 4 and high > 1:
        return 0.0, float((1 << math.ceil(math.log2(math.ceil(high) + 1))) - 1)
    if 0 <= low <= high / 4:
        return 0.0, float(f"{high * 1.05:.2g}")
    margin = 0.05 * (high - low)
    return float(math.floor(low - margin)), float(math.ceil(high + margin))


def find_blurred(given: FindingInputs) -> Iterator[Finding]:
    """Find images that are far less sharp than the others."""
    look = given.look
    rows = blurred_rows(look)
    if not rows.size:
        return
    ids = look.scan.samples.frame["id"].to_numpy()
    yield Finding(
        id="quality.blurred",
        severity="note",
        title=f"{amount(len(rows), 'image')} far less sharp than the others.",
        n=len(rows),
        examples=some(ids[rows]),
        advice="Look at them: blurred, out of focus, or merely smooth.",
        command=None,
    )


def blurred_rows(look: ScanResult) -> np.ndarray:
    """Return the rows of images whose sharpness is far below that of the set, the least sharp first, int64 [n].

    Far below is both a tenth of the median and four robust deviations of the logarithms: sharpness has no scale of its
    own that would hold for every subject.
    """
    measures = look.scan.measures
    sharpness = measures["sharpness"].to_numpy(dtype=np.float64)
    seen = measures["contrast"].to_numpy() >= BLANK_CONTRAST
    if seen.sum() < FEW:
        return np.zeros(0, dtype=np.int64)
    logs = np.log(sharpness + 1)
    median = np.median(logs[seen])
    deviation = 1.4826 * np.median(np.abs(logs[seen] - median))
    far = seen & (logs < median - _BLURRED_DEVIATIONS * deviation) & (logs < median + np.log(_BLURRED_SHARE))
    rows = np.flatnonzero(far)
    return rows[np.argsort(sharpness[rows], kind="stable")]


def find_rising_curve(given: FindingInputs) -> Iterator[Finding]:
    """Find whether more images still raise the score."""
    curve = given.facts.curve
    if not is_rising(curve):
        return
    before, last = curve[-2:]
    yield Finding(
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
    """Return the gain over the point before with its interval, on the same validation images."""
    if point.gain is None or point.gain_low is None or point.gain_high is None:
        return ""
    return f", {point.gain:+.3f} [{point.gain_low:+.3f}, {point.gain_high:+.3f}] on the same validation images"


FINDERS: tuple[Callable[[FindingInputs], Iterable[Finding]], ...] = (
    find_unusable,
    find_broken,
    find_shrunken_classes,
    find_class_issues,
    find_varied_shapes,
    find_blank,
    find_unused_values,
    find_blurred,
    find_rising_curve,
    find_excluded,
    find_duplicates,
    find_series_split,
    find_leakage,
    find_drifting_parts,
    find_suspect_labels,
)
"""One function for each kind of finding; those of one severity are listed in this order."""
