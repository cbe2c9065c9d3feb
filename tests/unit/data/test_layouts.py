"""Folders as people have them: what is read rightly, what is asked, and what has to stay quiet."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imgcls.data.assumptions import DoubtError
from imgcls.data.load import load_samples
from imgcls.data.roles import file_roles
from imgcls.data.samples import Samples, loss_warnings
from imgcls.data.source import DataSource
from imgcls.errors import DataError

Lay = Callable[..., Path]


def expanded(text: str) -> list[str]:
    """Return the names that a text with {a,b} and {1-3} in it stands for."""
    pieces = re.split(r"\{([^{}]*)\}", text)
    choices = [
        [piece]
        if place % 2 == 0
        else [str(n) for n in range(*(int(end) + k for k, end in enumerate(piece.split("-"))))]
        if re.fullmatch(r"\d+-\d+", piece)
        else piece.split(",")
        for place, piece in enumerate(pieces)
    ]
    return ["".join(chosen) for chosen in itertools.product(*choices)]


@pytest.fixture
def lay(tmp_path: Path) -> Lay:
    """Lay files under names; reading folders opens none of them, and each has a size of its own."""
    sizes = itertools.count(10)

    def make(layout: str, *, n_bytes: int | None = None) -> Path:
        root = tmp_path / "data set"
        for text in layout.split():
            for name in expanded(text.replace("~", " ")):
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(bytes(n_bytes or next(sizes)))
        return root

    return make


def seen(samples: Samples) -> dict[str, dict[str, int]]:
    """Return how many samples of each split have each label."""
    frame = samples.frame
    return {
        split: dict(sorted(Counter(frame["label"][frame["split"] == split]).items()))
        for split in sorted(set(frame["split"]))
    }


def outcome(options: dict[str, Any]) -> str:
    """Return the question that reading asks; "" for none."""
    try:
        load_samples(**options)
    except DoubtError as doubt:
        return str(doubt)
    return ""


AB = {"a": 3, "b": 3}
PARTS = [
    ("seg_{train,test}/{a,b}/{1-3}.png", {"": AB, "test": AB}),
    (
        "seg_train/seg_train/{a,b}/{1-3}.png seg_test/seg_test/{a,b}/{1-3}.png seg_pred/seg_pred/{1-4}.png",
        {"": AB, "test": AB},
    ),
    ("{train,test}/{train,test}/{a,b}/{1-3}.png", None),
    ("train/train/{a,b}/{1-3}.png test/test/{1-4}.png", {"": AB, "test": {"": 4}}),
    ("data/{train,test}/{a,b}/{1-3}.png", {"": AB, "test": AB}),
    ("archive/data/{train,val}/{a,b}/{1-3}.png", {"train": AB, "valid": AB}),
    ("{train,test}_images/{a,b}/{1-3}.png", {"": AB, "test": AB}),
    ("dataset_{train,val,test}/{a,b}/{1-3}.png", {"train": AB, "valid": AB, "test": AB}),
    ("{1.Training,2.Validation}/{a,b}/{1-3}.png", {"train": AB, "valid": AB}),
    ("{TrainSet,TestSet}/{a,b}/{1-3}.png", {"": AB, "test": AB}),
    ("{train2017,val2017}/{a,b}/{1-3}.png", {"train": AB, "valid": AB}),
    ("{train,dev,holdout}/{a,b}/{1-3}.png", {"train": AB, "valid": AB, "test": AB}),
    ("{train,eval}/{a,b}/{1-3}.png", {"": AB, "test": AB}),
    ("{train,eval,test}/{a,b}/{1-3}.png", {"train": AB, "valid": AB, "test": AB}),
    ("{Training~Data,Testing~Data}/{a,b}/{1-3}.png", {"": AB, "test": AB}),
    ("{학습용,검증용}/{a,b}/{1-3}.png", {"train": AB, "valid": AB}),
    ("{a,b}/{train,test}/{1-3}.png", {"": AB, "test": AB}),
    ("photos/{a,b}/{train,val,test}/{1-3}.png", {"train": AB, "valid": AB, "test": AB}),
    ("train/{a,b}/{1-3}.png test/unknown/{1-6}.png", {"": AB, "test": {"": 6}}),
    (
        "train/{a,b}/{1-3}.png val/{a,b}/1.png test/{a,zebra}/{1-2}.png",
        {"train": AB, "valid": {"a": 1, "b": 1}, "test": {"": 2, "a": 2}},
    ),
    ("photos/{a,b}/{1-3}.png", {"": AB}),
    ("data/data/{a,b}/{1-3}.png data/cover.png", {"": AB}),
]


@pytest.mark.parametrize(("layout", "right"), PARTS)
def test_parts_and_wrappers_are_seen_and_said(lay: Lay, layout: str, right: dict[str, dict[str, int]] | None) -> None:
    if right is None:  # which of both levels is the part is not certain
        with pytest.raises(DoubtError):
            load_samples(lay(layout))
        return
    samples = load_samples(lay(layout))
    assert seen(samples) == dict(sorted(right.items()))
    assert samples.classes == ("a", "b")
    assert {assumption.about for assumption in samples.assumptions} & {"parts", "levels"}
    assert all(
        assumption.option.startswith("--") and assumption.taken.endswith(".") for assumption in samples.assumptions
    )


def test_parts_can_be_pooled_and_are_no_table(lay: Lay) -> None:
    root = lay("seg_{train,test}/{a,b}/{1-3}.png")
    assert seen(load_samples(root, split="none")) == {"": {"a": 6, "b": 6}}
    assert seen(load_samples(root, label_from="{label}/**")) == {"": {"seg_test": 6, "seg_train": 6}}
    by_hand = load_samples(root, label_from="{split}/{label}/*")
    assert seen(by_hand) == seen(load_samples(root))
    assert by_hand.data_digest == load_samples(root).data_digest


def test_labels_of_test_are_not_said(lay: Lay) -> None:
    samples = load_samples(lay("train/{a,b}/{1-3}.png test/{secret,a}/{1-2}.png"))
    assert "secret" not in " ".join(assumption.taken for assumption in samples.assumptions)
    assert "2 photographs of test" in next(assumption.taken for assumption in samples.assumptions)


@pytest.mark.parametrize(
    ("layout", "choices"),
    [
        (
            "{color,grayscale,segmented}/{a,b}/{1-3}.png",
            [{"data": "color"}, {"label_from": "*/{label}/**"}, {"label_from": "{label}/**"}],
        ),
        ("{original,augmented}/{a,b,c}/{1-3}.png", [{"data": "original"}, {"label_from": "*/{label}/**"}]),
        ("{RGB,NIR}/{0-9}/{1-3}.png", [{"data": "NIR"}, {"label_from": "*/{label}/**"}]),
        (
            "x/{hq,lq}/{a,b}/{ax1,ax2,bx7}q.png",
            [{"data": "x/hq"}, {"label_from": "*/*/{label}/**"}, {"label_from": "*/{label}/**"}],
        ),
        ("{p,q}/a/{1-4}.png {p,q}/b/{1-7}.png", [{"label_from": "*/{label}/**"}]),
        ("{64x64,128x128}/{a,b}/{1-4}.png", [{"label_from": "*/{label}/**"}]),
        ("{hospital1,hospital2}/{a,b}/{1-3}.png", [{"label_from": "*/{label}/**"}]),
        ("{fold_1,fold_2,fold_3}/{a,b}/{1-3}.png", [{"label_from": "*/{label}/**"}]),
        ("{train,extra}/{a,b}/{1-3}.png", [{"exclude": ["extra/**"]}, {"label_from": "*/{label}/**"}]),
        ("{images,masks}/{a,b}/{1-3}.png", [{"data": "images"}]),
        (
            "{a,b}/{1-3}.png flowers/{a,b}/{1-3}.png",
            [{"exclude": ["flowers/**"]}, {"data": "flowers"}, {"label_from": "{label}/**"}],
        ),
        (
            "set/{a,b,c}/{1-3}.png set/again/again/{a,b,c}/{1-3}.png",
            [{"exclude": ["set/again/**"]}, {"label_from": "*/{label}/**"}],
        ),
        ("train/{a,b}/{1-3}.png train/train/{a,b}/{1-3}.png test/{a,b}/1.png", [{"exclude": ["train/train/**"]}]),
        ("train/{cat,dog}.{1-4}.jpg test1/{1-3}.jpg", [{"label_from": "{label}.*"}]),
        ("{cat,dog}_{1-4}.jpg", [{"label_from": "{label}_{number}.*"}]),
        ("images/{great_dane,basset}_{1-4}.jpg", [{"label_from": "{label}_{number}.*"}]),
        ("photos/{1-5}_{left,right}.jpg", [{"label_from": "{number}_{label}.*"}]),
        ("{train,test}/{benign,malignant}~({1-4}).jpg", [{"label_from": "{label} ({number}).*"}]),
        ("{a,b}/x{1-4}.png {a,b}/x{1-4}_mask.png", [{"exclude": ["*_mask.*"]}, {"exclude": ["none"]}]),
        ("{a,b}/x{1-4}.jpg {a,b}/x{1-4}-seg.png", [{"exclude": ["*-seg.*"]}]),
        ("{a,b}/x{1-4}.jpg b/x{1-4}_label_{1-2}.png", [{"exclude": ["*_label*"]}]),
        ("{a,b}/images/{1-4}.png {a,b}/masks/{1-4}.png", [{"exclude": ["**/masks/**"]}]),
        ("train/{a,b}/x{1-4}.jpg train/{a,b}/x{1-4}.gt.png test/{a,b}/9.jpg", [{"exclude": ["*.gt.*"]}]),
        ("{a,b}/p{1-4}.jpg {a,b}/thumbs/p{1-4}.jpg", [{"exclude": ["**/thumbs/**"]}]),
        (
            "{bottle,cable}/train/good/{1-3}.png {bottle,cable}/test/{good,broken}/{4-5}.png",
            [{"label_from": "{label}/{split}/**"}, {"label_from": "*/{split}/{label}/**"}],
        ),
        (
            "train/{a,b}/{1-3}.jpg train_extra/{a,b}/{1-3}.jpg test/{a,b}/{1-3}.jpg",
            [{"exclude": ["train_extra/**"]}, {"label_from": "*/{label}/**"}],
        ),
        ("{2021,2022}/{ok,ng}/{1-4}.png", [{"label_from": "*/{label}/**"}]),
        ("{train_cat,train_dog,test_cat,test_dog}/{1-4}.png", [{"label_from": "{split}_{label}/**"}]),
        ("set/{a-train,a-val,b-train,b-val}/{1-4}.png", [{"label_from": "*/{label}-{split}/**"}]),
        ("unlabeled/{1-9}.png labeled/{a,b}/{1-5}.png", [{"exclude": ["unlabeled/**"]}]),
        ("{a,b}/{raw,resized}/{1-4}.png", [{"exclude": ["*/resized/**"]}, {"group_from": "*/*/{group}.*"}]),
        ("{a,b}/x{1-4}.jpg {a,b}/x{1-4}_aug{1-2}.jpg", [{"exclude": ["*_aug*"]}, {"exclude": ["none"]}]),
        ("{a,b}/{1-3}.png test/{1-9}.png", [{"exclude": ["test/**"]}, {"label_from": "{label}/**"}]),
        ("{a,b}/{1-3}.png {a,b}/crop/{1-3}.png", [{"exclude": ["**/crop/**"]}]),
        ("all/{cat,dog}-{1-5}.jpg", [{"label_from": "{label}-{number}.*"}]),
        ("{a,b}/{train,test,extra}/{1-3}.png", [{"exclude": ["**/extra/**"]}, {"split": "none"}]),
        ("train/{a,b}/{1-3}.png pool/{1-3}.png", [{"data": "train"}, {"label_from": "{label}/**"}]),
    ],
)
def test_a_tree_that_contradicts_itself_is_asked_about(lay: Lay, layout: str, choices: list[dict[str, object]]) -> None:
    root = lay(layout)
    with pytest.raises(DoubtError) as caught:
        load_samples(root)
    offered = [dict(choice.options) for choice in caught.value.choices]
    for one in choices:
        wanted = {name: str(root / str(value)) if name == "data" else value for name, value in one.items()}
        assert any(options.items() >= wanted.items() for options in offered), offered
    for options in offered:  # each answer is one, at the most after another question
        assert outcome({"data": root, **options}) != str(caught.value)
        if options.keys() == {"exclude"} and not outcome({"data": root, **options}):  # what is no photograph is no loss
            assert loss_warnings(load_samples(root, **options)) == ()
    assert str(caught.value).count("\n  --") == len(offered)


def test_previews_beside_the_classes_are_no_class(lay: Lay) -> None:
    root = lay("{a,b}/photo{1-6}.jpg", n_bytes=400)
    lay("Thumbs/photo{1-6}.jpg", n_bytes=60)
    with pytest.raises(DoubtError, match=r"'Thumbs' would be a class, .* 6 files of 6 .*'Thumbs/photo1.jpg'") as caught:
        load_samples(root)
    left_out, kept = [dict(choice.options) for choice in caught.value.choices]
    assert left_out == {"exclude": ["**/Thumbs/**"]}
    assert kept == {"exclude": ["none"]}
    samples = load_samples(root, **left_out)
    assert samples.classes == ("a", "b")
    assert loss_warnings(samples) == ()
    assert load_samples(root, **kept).classes == ("Thumbs", "a", "b")
    assert load_samples(root, label_from="{label}/*").classes == ("Thumbs", "a", "b")


@pytest.mark.parametrize("of_thumbs", ["thumb/{1-6}.jpg", "thumb/x{1-6}.jpg"])
def test_thumbs_beside_fingers_are_a_class(lay: Lay, of_thumbs: str) -> None:
    root = lay("{index,little}/{1-6}.jpg", n_bytes=400)
    lay(of_thumbs, n_bytes=300 if of_thumbs.startswith("thumb/{") else 60)
    assert load_samples(root).classes == ("index", "little", "thumb")


QUIET = [
    ("{a,b}/{1-4}.png", ("a", "b"), 0),
    ("{0-9}/{1-3}.png", tuple("0123456789"), 0),
    ("{ok,defect}/day{1-3}/{1-4}.png", ("defect", "ok"), 1),
    ("{ok,defect}/{2023-01-05,2023-02-11}/IMG_{1-4}.png", ("defect", "ok"), 1),
    ("apple/{ripe,unripe}/{1-4}.png pear/{ripe,unripe}/{1-3}.png", ("apple", "pear"), 1),
    ("{apple,pear}/{indoor,outdoor}/{1-3}.png", ("apple", "pear"), 1),
    ("{ok,ng}/{left,right}/IMG_000{1-6}.png", ("ng", "ok"), 1),
    ("cats/{lion,tiger}/{1-3}.png dogs/{wolf,fox}/{1-3}.png", ("cats", "dogs"), 1),
    ("{train,car,bus}/{1-3}.png", ("bus", "car", "train"), 0),
    ("train/{steam,electric}/{1-3}.png {car,bus}/{1-3}.png", ("bus", "car", "train"), 1),
    ("{train,valid,test}/{a,b}/{1-3}.png", ("a", "b"), 0),
    ("{benign,malignant}/{40X,100X}/{1-4}.png", ("benign", "malignant"), 1),
    ("{with_mask,without_mask}/{1-4}_with_mask.png", ("with_mask", "without_mask"), 0),
    ("{mask,no_mask}/mask_{1-4}.png", ("mask", "no_mask"), 0),
    ("{a,b}/{1-4}_label.png", ("a", "b"), 0),
    ("{a,b}/{1-9}.png a/3_mask.png", ("a", "b"), 0),
    ("{original,fake}/{1-4}.png", ("fake", "original"), 0),
    ("{test_fail,test_pass}/{1-4}.png", ("test_fail", "test_pass"), 0),
    ("{training_shoes,test_tubes}/{x,y}{1-2}/{1-3}.png", ("test_tubes", "training_shoes"), 1),
    ("{label_a,label_b}/{1-4}.png", ("label_a", "label_b"), 0),
    ("{train,plane,boat}/{old,new}/{1-3}.png", ("boat", "plane", "train"), 1),
    ("{a,b}/{1-3}.png train/{1-3}.png", ("a", "b", "train"), 0),
    ("{test,control}/{1-4}.png", ("control", "test"), 0),
    ("{raw,ripe}/{side,top}/img{1-4}.png", ("raw", "ripe"), 1),
    ("{street,sea}/{day,night}/{1-4}.png", ("sea", "street"), 1),
    ("{crop,weed}/{1-4}.png", ("crop", "weed"), 0),
    ("{cat,dog}/IMG_{1-9}.jpg cat/IMG_3~copy.jpg", ("cat", "dog"), 0),
    ("{abnormal,normal}/p{1-4}/{1-3}.png", ("abnormal", "normal"), 1),
    ("{s1,s2,s3}/{1-4}.pgm", ("s1", "s2", "s3"), 0),
]


@pytest.mark.parametrize(("layout", "classes", "n_assumptions"), QUIET)
def test_ordinary_folders_are_read_without_a_question(
    lay: Lay, layout: str, classes: tuple[str, ...], n_assumptions: int
) -> None:
    samples = load_samples(lay(layout))
    assert samples.classes == classes
    assert len(samples.assumptions) == n_assumptions
    assert not samples.excluded


def test_copies_in_two_versions_are_told_by_their_sizes(lay: Lay) -> None:
    root = lay("{one,two}/{d1,d2}/{1-4}.png", n_bytes=50)
    with pytest.raises(DoubtError, match="'one', 'two' would be the classes"):
        load_samples(root)


def test_versions_of_one_photograph_stay_together(lay: Lay) -> None:
    root = lay("{color,gray}/{a,b}/{1-4}.png")
    with pytest.raises(DoubtError) as caught:
        load_samples(root)
    both = next(choice for choice in caught.value.choices if "group_from" in choice.options)
    samples = load_samples(root, **both.options)
    assert seen(samples) == {"": {"a": 8, "b": 8}}
    assert sorted(Counter(samples.frame["group"]).values()) == [2] * 8


def test_folders_of_systems_are_passed_over_and_counted(lay: Lay) -> None:
    junk = (
        *("$RECYCLE.BIN", "RECYCLER", "System~Volume~Information", "@eaDir", "#recycle", "@tmp", "@Recycle"),
        *("lost+found", ".ipynb_checkpoints", "__MACOSX", ".thumbnails", ".AppleDouble", ".Trash-1000"),
    )
    everywhere = " ".join(f"{name}/{{1-2}}.jpg a/{name}/{{1-2}}.jpg" for name in junk)
    root = lay(f"{{a,b}}/{{1-3}}.jpg a/._1.jpg a/Thumbs.db .DS_Store .git/objects/1.jpg {everywhere}")
    samples = load_samples(root)
    assert seen(samples) == {"": AB}
    assert not samples.excluded
    (assumption,) = samples.assumptions
    assert assumption.about == "unused"
    assert "$RECYCLE.BIN (2)" in assumption.taken
    assert assumption.taken.endswith(" more.")
    assert ".git" not in assumption.taken


@pytest.mark.parametrize(
    ("layout", "options", "said"),
    [
        ("{dark,light}/{1-9}.png", {"exclude": ["dark/1.png", "dark/2.png"]}, ""),
        ("{dark,light}/{a,b,c,d,e}.png", {"exclude": [f"dark/{name}.png" for name in "abcd"]}, "'dark' keeps 1 of 5"),
        ("{dark,light,warm}/{1-9}.png", {"exclude": "dark/**"}, "'dark' keeps 0 of 9"),
        ("{dark,light}/{1-5}.png dark/{2020,2021}/{1-4}.png", {"exclude": "dark/202*/**"}, "'dark' keeps 5 of 13"),
        (
            "{train,valid}/{dark,light}/{1-9}.png",
            {"exclude": [f"*/dark/{n}.png" for n in range(2, 10)]},
            "'dark' keeps 2 of 18",
        ),
        ("train/{dark,light}/{1-9}.png test/{dark,light}/{1-9}.png", {"exclude": "test/dark/**"}, ""),
        (
            "all/{dark,light}.{1-9}.png",
            {"label_from": "{label}.*", "exclude": [f"dark.{n}.png" for n in range(2, 10)]},
            "'dark' keeps 1 of 9",
        ),
        ("{dark,light}/{1-9}.png {dark,light}/{1-9}_{x,y,z}.png", {"exclude": "*_?.png"}, ""),
        ("{dark,light}/{1-9}.png {dark,light}/augmented/aug_{1-9}_{1-3}.png", {"exclude": "**/augmented/**"}, ""),
        ("{dark,light}/{1-2}.png dark/{3-9}.nef light/{3-4}.nef", {}, "'dark' keeps 2 of 9"),
        ("{dark,light}/{1-2}.png {dark,light}/{1-2}.{nef,cr2}", {}, ""),
        ("{train,valid}/{dark,light}/{1-4}.png train/warm/{1-3}.nef", {}, "'warm' keeps 0 of 3"),
        ("{dark,light}/{1-4}.png drafts/{dark,light}/{1-4}.png", {"exclude": "drafts/**"}, ""),
    ],
)
def test_a_class_that_loses_its_photographs_is_warned_about(
    lay: Lay, layout: str, options: dict[str, object], said: str
) -> None:
    warnings = loss_warnings(load_samples(lay(layout), **options))
    assert len(warnings) == bool(said)
    assert all(f"class {said}." in warning for warning in warnings)


def test_photographs_of_test_that_are_not_read_keep_their_place(lay: Lay) -> None:
    read = load_samples(lay("{train,valid}/{a,b}/{1-3}.png test/{a,b}/{1,3,5}.png test/a/{2,4}.nef test/b/1.nef"))
    lost = [(sample.id, sample.split, sample.label) for sample in read.lost]
    assert lost == [("test/a/2.nef", "test", ""), ("test/a/4.nef", "test", "")]
    names = sorted([*read.frame["id"], *(sample.id for sample in read.lost)])
    assert [names.index(name) for name in read.frame["id"]] == read.places.tolist()
    only = load_samples(lay("test/a/{1,3,5}.nef"), exclude=["test/**.png"])
    assert {sample.id for sample in only.lost} == {
        f"test/{name}.nef" for name in ("a/1", "a/2", "a/3", "a/4", "a/5", "b/1")
    }


def test_what_is_left_out_is_counted(lay: Lay) -> None:
    root = lay("{a,b}/{1-3}.png a/2_old.png drafts/{1-2}.png")
    samples = load_samples(root, exclude=["*_old.*", "drafts"])
    assert seen(samples) == {"": AB}
    assert [entry.path for entry in samples.excluded] == ["a/2_old.png", "drafts/1.png", "drafts/2.png"]
    assert {entry.reason for entry in samples.excluded} == {"left out by --exclude"}
    source = DataSource(root, exclude=["*_old.*", "drafts"])
    assert {entry.path: entry.n for entry in file_roles(source, samples)} == {"a/": 3, "b/": 3}
    with pytest.raises(DataError, match="no images were found"):
        load_samples(root, exclude="*")


def test_names_hold_labels_and_groups(lay: Lay) -> None:
    root = lay("{1-6}_{left,right}.jpg readme.jpg")
    samples = load_samples(root, label_from="*_{label}.*", group_from="{group}_*")
    assert seen(samples) == {"": {"left": 6, "right": 6}}
    assert sorted(set(samples.frame["group"])) == list("123456")
    assert [(entry.path, entry.reason) for entry in samples.excluded] == [("readme.jpg", "not matched by --label-from")]
    with pytest.raises(
        DataError, match=r"matches none of 13 names, such as '1_left.jpg'.*'\{number\}_\{label\}\.\*' does"
    ):
        load_samples(root, label_from="{label}-*")
    with pytest.raises(DataError, match=r"takes no label: write \{label\}"):
        load_samples(root, label_from="*.jpg")
    with pytest.raises(DataError, match=r"--group-from 'x\{group\}' matches none of 12 names"):
        load_samples(root, label_from="*_{label}.*", group_from="x{group}")
    with pytest.raises(DataError, match=r"\{split\} takes '1', '2'.*and no part is called so"):
        load_samples(root, label_from="{split}_{label}.*")


BEFORE = {
    "clothing10": "2fb60607a100",
    "apples_pears": "a3bd41f9f76d",
    "kids_csv": "4c1736f184ef",
    "coffee_leaf": "5511154a07d8",
    "elpv": "caae3be651ee",
}
"""Digests of what was read before folders were looked at in this way."""


@pytest.mark.parametrize("name", BEFORE)
def test_known_sets_raise_no_doubt_and_are_as_they_were(test_data: Path, name: str) -> None:
    samples = load_samples(name if name == "elpv" else test_data / name)
    looks = f"{samples.data_digest} {samples.split_digest} {len(samples)} {len(samples.excluded)}"
    assert hashlib.sha256(looks.encode()).hexdigest()[:12] == BEFORE[name]
    assert not [assumption for assumption in samples.assumptions if assumption.about in ("levels", "parts")]
