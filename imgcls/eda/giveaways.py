"""Findings on labels that can be told without the picture, and on parts that differ."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

import numpy as np

from imgcls.data.samples import Samples, classes_in
from imgcls.eda.drift import is_drifted
from imgcls.eda.facts import Drift, Facts, Finding, Guess
from imgcls.eda.grouping import Kinship
from imgcls.eda.guessing import is_telling
from imgcls.eda.look import Look
from imgcls.eda.metadata import MetaTable
from imgcls.eda.wording import apply_command, keep_command

_LEAST_SHARED = 0.05
_NEARLY_ALL = 0.9
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
"""From what a label is guessed by to its words and to what to do."""


def find_giveaways(facts: Facts, look: Look, tables: Sequence[MetaTable], kinship: Kinship) -> list[Finding]:
    """Find what tells the label, what is shared between parts, and parts that differ."""
    found: list[Finding] = []
    for guess in facts.guesses:
        if not is_telling(guess, n_guesses=len(facts.guesses)):
            continue
        shared = _shared(guess, look, _column(guess.by, tables), kinship)
        found.append(shared or _plainly(guess, look.scan.samples))
    return [*found, *_drifts(facts.drift)]


def _plainly(guess: Guess, samples: Samples) -> Finding:
    """Tell of a guess, as a note only where nothing has to be done about it."""
    if guess.by == "name" and names_say_classes(samples):
        return _noted(guess, "The file names name the classes.", "A network never sees them.")
    if guess.by == "order" and _is_grouped(samples):
        title = f"The label can be guessed from the place in the list: AUC {guess.auc:.2f}, where 0.5 is chance."
        return _noted(guess, title, "Neighbours may be of one origin; the groups of the data keep them together.")
    return _guess(guess)


def _is_grouped(samples: Samples) -> bool:
    """Whether nearly all labelled samples outside test are in groups, so that neighbours are not divided."""
    labelled = samples.is_labelled & (samples.frame["split"] != "test").to_numpy()
    return bool((samples.frame["group"][labelled] != "").mean() >= _NEARLY_ALL) if labelled.any() else False


def _guess(guess: Guess) -> Finding:
    what, advice = _WHAT.get(
        guess.by,
        (
            f"column {guess.by}",
            "If it says where a photograph is from, keep its values together when splitting; if it is known for new "
            "photographs too, a score by pictures alone has to beat it.",
        ),
    )
    name = f"guess:{guess.by}"
    return Finding(
        id=name,
        severity="warning",
        title=f"The label can be guessed from {what} alone: AUC {guess.auc:.2f}, where 0.5 is chance.",
        n=guess.n,
        examples=(),
        advice=advice,
        command=keep_command(name),
    )


def _noted(guess: Guess, title: str, advice: str) -> Finding:
    return Finding(
        id=f"guess:{guess.by}",
        severity="note",
        title=title,
        n=guess.n,
        examples=(),
        advice=f"{advice} Nothing has to be done.",
        command=None,
    )


def names_say_classes(samples: Samples) -> bool:
    """Whether nearly all file names outside test hold the name of their class."""
    labelled = samples.frame[samples.is_labelled & (samples.frame["split"] != "test").to_numpy()]
    named = [
        all(_letters(name) in _letters(PurePosixPath(sample).stem) for name in classes_in(label))
        for sample, label in zip(labelled["id"], labelled["label"], strict=True)
    ]
    return len(named) > 0 and sum(named) >= _NEARLY_ALL * len(named)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _shared(guess: Guess, look: Look, values: Sequence[str] | None, kinship: Kinship) -> Finding | None:
    """Say where a column that tells the label has the same values in train and in what is scored."""
    shares = {split: share for split, share in guess.shared.items() if share >= _LEAST_SHARED}
    if values is None or not shares or not is_identity(guess, n=len(values)):
        return None
    name = f"shared:{guess.by}"
    families = kinship.families(_by_value(look, values)) if _is_drawn(look) and "valid" in shares else ()
    told = " and ".join(f"{share * 100:.0f} % of {split}" for split, share in shares.items())
    return Finding(
        id=name,
        severity="error" if families else "warning",
        title=f"{told} have a {guess.by} that is in train too, and knowing that alone tells the label with AUC "
        f"{guess.auc:.2f}: scores look better than they are.",
        n=sum(round(share * len(look.scan.samples.rows(split))) for split, share in shares.items()),
        examples=(),
        advice=_advice(shares, can_group=bool(families)),
        command=apply_command(name) if families else keep_command(name),
        action="group" if families else None,
        groups=families,
    )


def _advice(shares: dict[str, float], *, can_group: bool) -> str:
    if not can_group:
        return "Given parts are never changed: read the scores as those of known origins, or give another split."
    test = shares.get("test")
    more = f" {test * 100:.0f} % of test share it too: scores there flatter as long as that is so." if test else ""
    return f"Keep equal values together, so that validation is on new ones.{more}"


def is_identity(guess: Guess, *, n: int) -> bool:
    """Whether a column says who or what a photograph is from, rather than what is on it.

    Its name says so, or it has as many different values as whole numbers below the root of n: properties have few.

    Args:
        guess: Of a column.
        n: The number of samples.
    """
    column = guess.by.rpartition(" of ")[0].lower()
    named = bool(_IDENTITIES.search(column)) or column.endswith("id")
    return guess.n_values >= (_LEAST_IDENTITIES if named else max(_LEAST_IDENTITIES, int(np.sqrt(n))))


def _is_drawn(look: Look) -> bool:
    """Whether validation was drawn, so that another draw can keep groups whole."""
    is_valid = (look.scan.samples.frame["split"] == "valid").to_numpy()
    return bool((is_valid & (look.given == "")).any())


def _by_value(look: Look, values: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Give the ids of the samples that may be split, by value."""
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


def _drifts(drift: Sequence[Drift]) -> Iterator[Finding]:
    """Say once for each part how it differs from train."""
    clear = [entry for entry in drift if is_drifted(entry, n_comparisons=len(drift))]
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
