"""Suspects are the labels that other folds' networks speak against; copies under two labels come first."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from imgcls.config.findings import Accepted, Adjustments, Exclusion
from imgcls.eda.facts import Facts, Pair
from imgcls.eda.suspects import SUSPECTS_JSON, read_suspects, suspects
from imgcls.errors import RecordError, UsageError
from imgcls.evidence.suspects import label_doubts
from imgcls.evidence.validated import Validated
from imgcls.workspace import Workspace

CLASSES = ("cat", "dog", "eel")


def images(n: int = 60, *, wrong: int = 4, several: bool = False) -> Validated:
    """Draw images that a network knows well, and change the first labels; with several labels their first class."""
    rng = np.random.default_rng(0)
    if several:
        truth = rng.random((n, 3)) < 0.3
        given = truth.copy()
        given[:wrong, 0] ^= True
        probabilities = 1 / (1 + np.exp(-(truth * 8 - 4 + rng.normal(size=(n, 3)))))
        labels = ["|".join(name for name, has in zip(CLASSES, row, strict=True) if has) or "|" for row in given]
        targets = given.astype(int)
    else:
        truth = np.arange(n) % 3
        logits = rng.normal(size=(n, 3)) + 4 * (truth[:, None] == np.arange(3))
        probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        targets = np.where(np.arange(n) < wrong, (truth + 1) % 3, truth)
        labels = [CLASSES[target] for target in targets]
    return Validated(
        ids=tuple(f"{row:03d}.jpg" for row in range(n)),
        labels=tuple(labels),
        probabilities=probabilities,
        targets=targets,
        groups=None,
        folds=np.arange(n) % 5,
        problem="multilabel" if several else "multiclass",
        classes=CLASSES,
    )


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Return a run whose predictions are `images`."""
    monkeypatch.setattr(Validated, "of", lambda run: run.images)
    return SimpleNamespace(id="run-1", data=SimpleNamespace(name="pets", digest="d" * 64), images=images())


def test_changed_labels_are_named_with_what_they_look_like(run: SimpleNamespace, tmp_path: Path) -> None:
    found = suspects(run, workspace=tmp_path)  # type: ignore[arg-type]
    first = found.suspects[:3]
    assert {one.image for one in first} < {f"{row:03d}.jpg" for row in range(4)}
    assert all(one.looks_like == CLASSES[int(one.image[:3]) % 3] and one.label != one.looks_like for one in first)
    assert all(one.p_looks_like > 0.5 > one.p_label and one.reason == "prediction" for one in first)
    assert [one.p_label for one in found.suspects] == sorted(one.p_label for one in found.suspects)
    assert len(found.suspects) < 6
    assert list(found.frame()["image"]) == [one.image for one in found.suspects]


def test_nothing_is_doubted_where_nothing_is_wrong() -> None:
    assert not len(label_doubts(images(wrong=0)).rows)
    of_one = replace(images(), targets=np.zeros(60, dtype=int))
    assert not len(label_doubts(of_one).rows)


def test_of_several_labels_the_one_that_is_doubted_is_changed() -> None:
    given, true = images(several=True), images(wrong=0, several=True)
    doubts = label_doubts(given)
    assert set(doubts.rows[:4]) == {0, 1, 2, 3}
    assert (doubts.other[:4] == true.targets[:4]).all()
    never = replace(given, targets=given.targets * [1, 1, 0])  # nobody has the third class
    assert set(label_doubts(never).rows) >= {0, 1, 2, 3}


def test_networks_that_learnt_the_labels_are_not_asked(run: SimpleNamespace, tmp_path: Path) -> None:
    run.images = replace(run.images, folds=None)
    with pytest.raises(UsageError, match=r"out of fold.*--folds 5"):
        suspects(run, workspace=tmp_path)  # type: ignore[arg-type]
    assert not (tmp_path / "reports").exists()


def test_without_cleanlab_a_line_says_what_to_install(
    run: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cleanlab.filter", None)
    with pytest.raises(UsageError, match=r"pip install 'imgcls\[labels\]'$"):
        suspects(run, workspace=tmp_path)  # type: ignore[arg-type]


def test_copies_under_two_labels_come_first_and_the_doubted_one_is_listed(
    run: SimpleNamespace, tmp_path: Path, drawn_facts: Callable[..., Facts]
) -> None:
    def pair(first: str, second: str, labels: tuple[str, str] | None) -> Pair:
        return Pair(
            first=first,
            second=second,
            kind="same file",
            similarity=1.0,
            splits=("train", "train"),
            labels=labels,
        )

    conflict, gone = pair("050.jpg", "001.jpg", ("eel", "eels")), pair("x.jpg", "010.jpg", ("cat", "dog"))
    same, sealed = pair("020.jpg", "021.jpg", ("eel", "eel")), pair("022.jpg", "023.jpg", None)
    facts = drawn_facts(name="pets", duplicates=(same, sealed, gone, conflict))
    (tmp_path / "reports").mkdir()
    facts.write(tmp_path / "reports")
    found = suspects(run, workspace=tmp_path)  # type: ignore[arg-type]
    assert (found.suspects[0].image, found.suspects[0].copy, found.suspects[0].reason) == (
        "001.jpg", "050.jpg", "copies"
    )  # fmt: skip
    assert [one.image for one in found.suspects].count("001.jpg") == 1
    run.data.name = "others"  # facts of other data say nothing
    assert not any(one.copy for one in suspects(run, workspace=tmp_path).suspects)  # type: ignore[arg-type]


def test_the_list_is_kept_and_what_was_decided_leaves_it(run: SimpleNamespace, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert read_suspects(workspace) is None
    found = suspects(run, workspace=workspace)  # type: ignore[arg-type]
    assert read_suspects(workspace) == found
    adjustments = Adjustments(
        excluded=(Exclusion(images=("000.jpg",), finding="duplicates.within", why="copy"),),
        kept=(Accepted(images=("001.jpg",), finding="labels.suspect", why="right"),),
    )
    gone = {one.image for one in found.suspects} - {one.image for one in found.left(adjustments)}
    assert gone == {"000.jpg", "001.jpg"}
    file = tmp_path / "reports" / SUSPECTS_JSON
    file.write_text(json.dumps({**json.loads(file.read_text()), "n": "many"}))
    with pytest.raises(RecordError, match="imgcls runs suspects"):
        read_suspects(workspace)
