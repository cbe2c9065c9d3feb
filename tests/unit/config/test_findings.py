"""findings.toml: what is left out and kept together, and samples that follow it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from imgcls.config.findings import (
    FINDINGS_TOML,
    Accepted,
    Adjustments,
    Exclusion,
    Grouping,
    apply_adjustments,
    read_adjustments,
    write_adjustments,
)
from imgcls.data.samples import Samples, frame_of
from imgcls.data.split import split_samples
from imgcls.errors import ProblemError


def samples(ids: list[str], groups: list[str] | None = None, splits: list[str] | None = None) -> Samples:
    """Make samples of two classes in turn."""
    labels = [("cat", "dog")[row % 2] for row in range(len(ids))]
    frame = frame_of(ids=ids, paths=[f"/p/{name}" for name in ids], labels=labels, groups=groups, splits=splits)
    return Samples(frame, ("cat", "dog"), "binary", "made", Path("/p"))


def together(*images: str) -> Grouping:
    return Grouping(images=images, finding="duplicates.across", why="copies")


def without(*images: str) -> Exclusion:
    return Exclusion(images=images, finding="duplicates.conflict", why="two labels")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """Names that hold anything, as escapes where they are no UTF-8."""
    names = ('a "b".jpg', "back\\slash\n\t\x1b\x7f.jpg", "\U0001f431.jpg", "[x]", "bytes_\udcff.jpg")
    path = tmp_path / FINDINGS_TOML
    written = Adjustments(
        excluded=(without(*names),), grouped=(together("a", "b"),), kept=(Accepted(finding="x", why="y"),)
    )
    write_adjustments(path, written)
    back = read_adjustments(path)
    assert back.excluded[0].images[:4] == names[:4]
    assert back.excluded[0].images[4] == "bytes_\\udcff.jpg"
    assert (back.grouped, back.kept) == (written.grouped, written.kept)
    assert read_adjustments(tmp_path / "none.toml") == Adjustments()


def test_excluded_samples_are_accounted_for() -> None:
    found = apply_adjustments(samples(["a", "b", "c"]), Adjustments(excluded=(without("b"),)))
    assert found.frame["id"].tolist() == ["a", "c"]
    assert [(entry.path, entry.reason) for entry in found.excluded] == [("b", "duplicates.conflict: two labels")]
    assert "leaves out 1 of 3 samples" in found.notes[-1]


def test_what_is_kept_together_joins_groups_that_are_there() -> None:
    """Directly, and through others."""
    before = samples(list("abcdefg"), groups=["", "g1", "g1", "g2", "", "", "g3"])
    found = apply_adjustments(before, Adjustments(grouped=(together("a", "b"), together("c", "d"), together("e", "f"))))
    groups = dict(zip(found.frame["id"], found.frame["group"], strict=True))
    assert len({groups[name] for name in "abcd"}) == 1
    assert groups["a"] == "g1"
    assert groups["e"] == groups["f"] != ""
    assert groups["g"] == "g3"
    assert len(set(groups.values())) == 3


def test_a_split_keeps_them_whole() -> None:
    """Whatever the seed."""
    ids = [f"{row:02d}" for row in range(40)]
    found = apply_adjustments(samples(ids), Adjustments(grouped=(together("00", "01", "02", "03", "04"),)))
    for seed in range(10):
        frame = split_samples(found, seed=seed).frame.set_index("id")
        assert len(set(frame.loc[["00", "01", "02", "03", "04"], "split"])) == 1


def test_given_splits_stay(tmp_path: Path) -> None:
    before = samples(list("abcd"), splits=["train", "train", "valid", "test"])
    found = apply_adjustments(before, Adjustments(grouped=(together("a", "d"),), excluded=(without("b"),)))
    assert found.frame["split"].tolist() == ["train", "valid", "test"]


def test_what_was_decided_about_other_data_is_refused() -> None:
    decided = Adjustments(excluded=(without("b"),), data="photos of others")
    with pytest.raises(ProblemError, match="decided about 'photos of others', and these data are"):
        apply_adjustments(samples(["a", "b", "c"]), decided)
    own = decided.model_copy(update={"data": samples(["a"]).name})
    assert len(apply_adjustments(samples(["a", "b", "c"]), own)) == 2
    assert len(apply_adjustments(samples(["a", "b", "c"]), Adjustments(data="photos of others"))) == 3


def test_the_digest_of_the_data_follows() -> None:
    before = samples(list("abcd"))
    assert apply_adjustments(before, Adjustments()).data_digest == before.data_digest
    digests = {
        before.data_digest,
        apply_adjustments(before, Adjustments(excluded=(without("b"),))).data_digest,
        apply_adjustments(before, Adjustments(grouped=(together("a", "b"),))).data_digest,
    }
    assert len(digests) == 3


def test_images_that_are_gone_are_told() -> None:
    found = apply_adjustments(samples(list("ab")), Adjustments(excluded=(without("x"),), grouped=(together("a", "y"),)))
    assert any("names 2 samples that are not there any more: 'x', 'y'" in note for note in found.notes)


def test_a_group_of_the_data_is_never_taken_over() -> None:
    before = samples(list("abc"), groups=["", "", "findings:a"])
    groups = apply_adjustments(before, Adjustments(grouped=(together("a", "b"),))).frame["group"].tolist()
    assert groups[0] == groups[1] != groups[2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("schema = 9\n", "written by a newer imgcls"),
        ('[[excluded]]\nfinding = "x"\nwhy = "y"\n', "images is missing"),
        ('[[grouped]]\nimages = "a"\nfinding = "x"\nwhy = "y"\n', "line 2: grouped[0].images has to be a list"),
        ('[[kept]]\nfindings = "x"\nwhy = "y"\n', "there is no key kept[0].findings. Did you mean 'finding'?"),
        ("[[excluded", "not TOML"),
    ],
)
def test_a_damaged_file_is_told(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / FINDINGS_TOML
    path.write_text(text)
    with pytest.raises(ProblemError) as caught:
        read_adjustments(path)
    assert words in str(caught.value)
    assert FINDINGS_TOML in str(caught.value)


def test_many_entries_are_quick(tmp_path: Path) -> None:
    """Linear: a library that writes TOML takes minutes for it."""
    ids = [f"{row:06d}.jpg" for row in range(100_000)]
    path, began = tmp_path / FINDINGS_TOML, time.perf_counter()
    pairs = tuple(together(ids[row], ids[row + 1]) for row in range(0, 60_000, 2))
    write_adjustments(path, Adjustments(grouped=pairs, excluded=(without(*ids[60_000:]),)))
    found = apply_adjustments(samples(ids), read_adjustments(path))
    assert (len(found), len(set(found.frame["group"]))) == (60_000, 30_000)
    assert time.perf_counter() - began < 30
