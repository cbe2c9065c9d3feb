"""Facts in sentences, shared by the terminal and the page; text from data in them is still to be made harmless."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from imgcls.eda.facts import ClassFacts, Drift, Facts, Finding, Guess, Quantiles
from imgcls.problem.metrics import in_words

SPLITS = ("train", "valid", "test")
MARKS: Mapping[str, str] = {"error": "✗", "warning": "!", "note": "·"}
CHANCE = 0.05
"""A guess or a difference whose p is above it is called chance."""
_PROBLEMS = {"binary": "two classes", "multiclass": "one class each", "multilabel": "any number of classes each"}


def data_sentence(facts: Facts) -> str:
    """Say how much there is: `2,503 photographs of 10 classes, one class each; metric accuracy`."""
    n = sum(facts.data.n.get(split, 0) for split in SPLITS)
    n_classes = len(facts.data.classes)
    classes = "1 class" if n_classes == 1 else f"{n_classes:,} classes"
    kind = "" if facts.data.problem == "binary" else f", {_PROBLEMS[facts.data.problem]}"
    photographs = f"{n:,} photograph{'s' * (n != 1)}"
    seen = f"a quick look at {photographs}, none of test," if facts.data.quick else photographs
    return f"{seen} of {classes}{kind}; metric {in_words(facts.data.metric)}"


def split_sentence(facts: Facts) -> str:
    """Say who trains, validates and tests, and what is not used."""
    n = facts.data.n
    parts = [f"{split} {n.get(split, 0):,}" for split in SPLITS if n.get(split)]
    parts += [f"excluded {n['excluded']:,}"] if n.get("excluded") else []
    parts += [f"without a label {facts.data.n_unlabelled:,}"] if facts.data.n_unlabelled else []
    return ", ".join(parts) + ("; the labels of test stay sealed" if n.get("test") else "")


def state_sentence(facts: Facts) -> str:
    """Say how many findings wait for somebody."""
    n_open = Counter(finding.severity for finding in facts.open_findings)
    if not n_open:
        return "Nothing asks for action."
    parts = [_n(n_open[severity], severity) for severity in ("error", "warning") if n_open[severity]]
    return f"{' and '.join(parts)} to deal with."


def sizes_sentences(facts: Facts) -> list[str]:
    """Say how large the photographs are, what they are, and with which size to begin."""
    sizes = facts.sizes
    if sizes.n_sizes == 1:
        what = f"all {sizes.width_px.middle:.0f} × {sizes.height_px.middle:.0f} px"
    else:
        what = (
            f"{sizes.n_sizes:,} sizes, most of them {_range(sizes.width_px)} × {_range(sizes.height_px)} px, "
            f"width over height {sizes.aspect.low:.2f} to {sizes.aspect.high:.2f}"
        )
    kinds = [
        _kinds(sizes.formats),
        _kinds(sizes.modes),
        *([f"{sizes.n_turned:,} turned by EXIF"] * bool(sizes.n_turned)),
    ]
    return [f"{what}; {'; '.join(kinds)}", f"to begin with: {sizes.recommended_px} px. {sizes.recommended_why}"]


def light_sentence(facts: Facts) -> str:
    """Say how bright the photographs of each split are."""
    measured = facts.sizes.brightness
    parts = [f"{split} {_range(measured[split])}" for split in SPLITS if split in measured]
    return f"mean gray of most, 0 to 255: {', '.join(parts)}" if parts else "not measured"


def drift_sentences(facts: Facts) -> list[str]:
    """Say of each two splits by what they can be told apart, those first that differ most."""
    by_parts: dict[tuple[str, str], list[Drift]] = {}
    for entry in sorted(facts.drift, key=lambda entry: (not is_different(entry), -entry.auc)):
        by_parts.setdefault(entry.parts, []).append(entry)
    return [_drift_sentence(*parts, entries) for parts, entries in by_parts.items()]


def _drift_sentence(first: str, second: str, entries: Sequence[Drift]) -> str:
    differing = [f"{entry.by} (AUC {entry.auc:.2f}, p {entry.p:.2g})" for entry in entries if is_different(entry)]
    others = [entry.by for entry in entries if not is_different(entry)]
    if not differing:
        return f"{first} and {second} cannot be told apart by {', '.join(others)}"
    not_by = f"; not by {', '.join(others)}" if others else ""
    return f"{first} and {second} can be told apart by {', '.join(differing)}{not_by}"


def is_different(entry: Drift) -> bool:
    """Say whether two splits differ by more than chance."""
    return entry.p <= CHANCE


def guess_sentence(entry: Guess) -> str:
    """Say how well something that is no picture gives the label away."""
    known = f"{entry.by}: AUC {entry.auc:.3f}, p {entry.p:.3g}"
    shared = ", ".join(f"{100 * share:.0f} % of {split}" for split, share in in_order(entry.shared).items())
    return known + (f"; its values in train are also those of {shared}" if shared else "")


def is_telling(entry: Guess) -> bool:
    """Say whether a guess is better than chance."""
    return entry.p <= CHANCE and entry.auc > 0.5


def duplicates_sentence(facts: Facts) -> str:
    """Say how many pairs there are, of what kind, and where."""
    pairs = facts.duplicates
    if not pairs:
        return "none"
    kinds = Counter(pair.kind for pair in pairs)
    n_across, n_conflict = sum(pair.is_across for pair in pairs), sum(pair.is_conflict for pair in pairs)
    words = ", ".join(f"{n:,} {kind}" for kind, n in sorted(kinds.items(), key=lambda entry: (-entry[1], entry[0])))
    return f"{_n(len(pairs), 'pair')} ({words}); {n_across:,} across splits, {n_conflict:,} with different labels"


def broken_sentence(facts: Facts) -> str:
    """Say how many files cannot be used, by kind."""
    kinds = Counter(entry.kind for entry in facts.broken)
    words = ", ".join(f"{n:,} {kind}" for kind, n in sorted(kinds.items(), key=lambda entry: (-entry[1], entry[0])))
    return f"{_n(len(facts.broken), 'file')}: {words}" if facts.broken else "none"


def left_out_sentence(facts: Facts) -> str:
    """Say how many photographs are there and not used, by reason."""
    return ", ".join(f"{entry.n:,} {entry.reason}" for entry in facts.left_out) or "none"


def curve_sentence(facts: Facts) -> str:
    """Say what more training photographs brought a quick classifier."""
    if not facts.curve:
        return "not measured"
    first, last = facts.curve[0], facts.curve[-1]
    return (
        f"the accuracy of a quick classifier is {first.value:.3f} with {first.n_train:,} training photographs and "
        f"{last.value:.3f} [{last.low:.3f}, {last.high:.3f}] with {last.n_train:,}"
    )


def as_sentence(text: str) -> str:
    """Give words as a sentence of their own."""
    return f"{text[:1].upper()}{text[1:].removesuffix('.')}."


def by_frequency(facts: Facts) -> list[ClassFacts]:
    """Give the classes, the most frequent first."""
    return sorted(facts.classes, key=lambda entry: -sum(entry.n.values()))


def dealt_with(facts: Facts) -> dict[str, list[Finding]]:
    """Give the findings that findings.toml deals with, by state."""
    found: dict[str, list[Finding]] = {}
    for finding in facts.findings:
        if finding.state != "open":
            found.setdefault(finding.state, []).append(finding)
    return found


def in_order(by_split: Mapping[str, float]) -> dict[str, float]:
    """Give what is told by split in the order of the splits, which JSON does not keep."""
    known = {split: by_split[split] for split in SPLITS if split in by_split}
    return known | {split: by_split[split] for split in sorted(by_split) if split not in known}


def _n(n: int, word: str) -> str:
    return f"{n:,} {word}" if n == 1 else f"{n:,} {word}s"


def _range(measure: Quantiles) -> str:
    low, high = f"{measure.low:,.0f}", f"{measure.high:,.0f}"
    return low if low == high else f"{low} to {high}"


def _kinds(counts: Mapping[str, int]) -> str:
    """Give kinds by number, and the number only where there are several."""
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return ordered[0][0] if len(ordered) == 1 else ", ".join(f"{n:,} {kind}" for kind, n in ordered)
