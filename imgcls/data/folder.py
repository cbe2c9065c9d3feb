"""Photographs in folders: which levels are wrappers, parts, versions or classes, or where a name holds the label.

One look at the tree decides (`_Layout`). A folder alone at its level is passed through. Folders whose names say train,
valid or test, above or below the classes, are the parts. Folders below a class belong to it. What nobody said
and was decided is an `Assumption`; where the tree contradicts itself, nothing is decided: `DoubtError`.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from imgcls.data.assumptions import Assumption, Choice, DoubtError
from imgcls.data.files import LEFT_OUT, NO_PHOTOGRAPHS, OWN_FOLDERS, Excluded, Listing, LostSample, list_images
from imgcls.data.patterns import check_pattern, groups_from, label_pattern, taken_from, unmatched_label
from imgcls.data.samples import (
    ProblemType,
    Samples,
    check_class_names,
    class_order,
    frame_of,
    lookalike_notes,
    one_spelling,
)
from imgcls.data.source import OFF, DataSource
from imgcls.errors import DataError
from imgcls.text import amount, clean, listed

SPLIT_FOLDERS = {
    **dict.fromkeys(("train", "training", "trn", "학습", "훈련", "训练"), "train"),
    **dict.fromkeys(("valid", "val", "validation", "validate", "dev", "검증", "验证"), "valid"),
    **dict.fromkeys(("test", "testing", "tst", "holdout", "eval", "evaluation", "테스트", "시험", "测试"), "test"),
}
"""Folder names, in any case, that stand for a split."""

TYPE_ADVICE = "Change the type (--type, or type in imgcls.toml), or leave it out."
"""What to do where the data contradict the type of problem that was named."""

_PLAIN = frozenset({"train", "training", "valid", "val", "validation", "test", "testing"})
"""Words for parts that need not be said to be taken so."""
_EITHER = {"eval", "evaluation"}
"""Words for the part that validates where another part is for testing."""
_CONTENTS = re.compile(
    rf"(({'|'.join(SPLIT_FOLDERS)})[ _-]*)?"
    r"(images?|imgs?|photos?|pictures|jpe?gs?|pngs?|masks|annotations?|trimaps?|labels)",
    re.IGNORECASE,
)
_PIECES = re.compile(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+|\d+")
_OF_A_SET = re.compile(r"(?:set|data|dataset|split|part|fold|images?|imgs?|photos?|pictures?|files?|labell?ed|용|集)$")
"""What the name of a part may say besides the word for it."""
_VERSIONS = frozenset(
    re.findall(
        r"\w+",
        "color colour colored coloured gray grey grayscale greyscale grays bw rgb bgr ir infrared nir thermal depth "
        "segmented segmentation masked cropped crop crops resized resize augmented augmentation aug original originals "
        "orig raw processed preprocessed unprocessed edited enhanced denoised compressed normalized normalised "
        "images image masks mask annotations overlays thumbs thumbnails thumb lowres highres hires lr hr blur blurred "
        "noisy edges sketch sharpened equalized clahe hsv ycbcr mirrored flipped rotated scaled jpg jpeg png tiff webp",
    )
)
"""Words for one form of photographs beside others of the same ones."""
_DAY = re.compile(r"(19|20)\d\d([ _.-]?\d\d){0,2}")
_SIZE = re.compile(r"\d+ ?x ?\d+|\d+ ?px", re.IGNORECASE)
_PARTS = frozenset(
    re.findall(
        r"\w+",
        "fold part batch set split site hospital center centre clinic lab source domain version camera cam run shard "
        "chunk subset dataset data session scanner device subject patient person annotator rater day week month year "
        "jan feb mar apr may jun jul aug sep oct nov dec january february march april june july august september "
        "october november december",
    )
)
"""Words for a portion of the data."""
_MASK_WORDS = re.findall(
    r"\w+",
    "mask masks seg segs segm segmentation segmented label labels gt groundtruth annotation annotations annot trimap "
    "trimaps matte contour contours overlay overlays thumb thumbs thumbnail thumbnails preview",
)
"""What a name or a folder says that holds no photograph but a mask, or a preview of one."""
_MADE_WORDS = re.findall(
    r"\w+",
    "aug augmented flip flipped hflip vflip rot rotated mirror mirrored copy crop cropped resized",
)
"""What a name says of another version of the photograph beside it."""
_UNLABELLED = frozenset({"unlabeled", "unlabelled", "unlabel", "unsup", "unsupervised", "unannotated", "미분류"})
"""Words for photographs that nobody labelled."""
_HINT = re.compile(rf"[/ _.-](?:{'|'.join((*_MASK_WORDS, *_MADE_WORDS, 'ground'))})", re.IGNORECASE)
_MASK = re.compile(
    rf"(?P<before>.*?)"
    rf"(?P<word>(?:^|[ _.-])(?:{'|'.join((*_MASK_WORDS, *_MADE_WORDS))}|ground[_-]truth)(?:[ _.-]?\d+)?)",
    re.IGNORECASE,
)
_SHARE_ALIKE = 0.5
_NEARLY_ALL = 0.9
_N_COMPARED = 32
"""Files whose sizes are compared at the most."""
_MOST_CHOICES = 4


@dataclass
class _Folder:
    """A folder of the tree, with what lies below it."""

    path: tuple[str, ...] = ()
    """Its folders from the root of the data."""
    folders: dict[str, _Folder] = field(default_factory=dict)
    """Folders inside it that hold photographs, by name."""
    files: list[str] = field(default_factory=list)
    """Names of the photographs directly inside it."""

    @classmethod
    def of(cls, images: Iterable[str]) -> _Folder:
        """Build the tree of relative paths."""
        root = cls()
        for name in images:
            *folders, file = name.split("/")
            node = root
            for folder in folders:
                if folder not in node.folders:
                    node.folders[folder] = cls((*node.path, folder))
                node = node.folders[folder]
            node.files.append(file)
        return root

    def below(self) -> Iterator[tuple[str, ...]]:
        """Yield every photograph below, as the parts of its path from here."""
        yield from ((file,) for file in self.files)
        for name, folder in self.folders.items():
            yield from ((name, *path) for path in folder.below())

    def unwrapped(self, *, keep: Collection[str] | None = None) -> _Folder:
        """Pass through folders that are alone at their level and hold folders.

        Args:
            keep: Names that mean something; None for those of parts.
        """
        node = self
        while len(node.folders) == 1:
            ((name, only),) = node.folders.items()
            means_something = split_of(name) != "" if keep is None else name in keep
            if not only.folders or len(only.files) > len(only.folders) or means_something:
                break
            node = only
        return node

    def __str__(self) -> str:
        return "/".join(self.path)


@dataclass(frozen=True)
class _Layout:
    """What the levels of a tree are."""

    levels: Mapping[tuple[str, ...], str]
    """Path of a folder that holds the class folders → its split, "" where its samples are still to be split."""
    parts: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    """Path of a folder that is a part, above or below the classes → its split likewise."""
    assumptions: tuple[Assumption, ...] = ()
    """What was assumed of the levels and the parts."""


@dataclass(frozen=True)
class _Placed:
    """Where a file belongs by its place in the tree."""

    name: str
    """The relative posix path."""
    label: str
    """The class, or "" in a test folder without classes."""
    split: str
    """train, valid, test, or "" for a folder without splits."""


def load_folder(root: Path, source: DataSource | None = None, *, skip: Collection[str] = OWN_FOLDERS) -> Samples:
    """Read a data set whose folders are its classes, or whose names hold the labels (`label_from`).

    Folders below a class belong to it. With a folder for train, those for valid and test beside it give the
    split; without valid, the samples of train are still to be split. Classes come from train and valid: photographs
    of test that lie in no folder of such a class are test samples without labels.

    Args:
        root: The folder.
        source: How it is read: `problem_type`, `label_from`, `group_from`, `exclude`, and `split` = `none`.
        skip: Names of folders directly inside it that hold no photographs of the data set.

    Raises:
        DataError: The folder holds no images, no folders of classes, folders whose names are no classes, or
            does not fit the problem type; a pattern matches nothing.
        DoubtError: The tree can be read in several ways.
    """
    source = source or DataSource()
    listing = list_images(root, skip=skip, exclude=source.globs)
    if not listing.images:
        raise DataError(f"{root}: no images were found in this folder or below it. {_seen(listing)}")
    pattern = source.label_from
    layout = _layout(root, _Folder.of(listing.images), source)
    placed = list(_by_pattern(pattern, listing.images, layout) if pattern else _places(listing.images, layout))
    samples = [place for place in placed if isinstance(place, _Placed)]
    strays = [place for place in placed if isinstance(place, Excluded)]
    if not any(place.label for place in samples):
        raise _unlabelled(root, listing.images, source)
    if pattern and not any(place.split for place in samples):
        layout = replace(layout, assumptions=tuple(entry for entry in layout.assumptions if entry.about != "parts"))
    if spelling := one_spelling(
        (place.label for place in samples if place.label and place.split != "test"), source.spelling, where=str(root)
    ):
        samples = [replace(place, label=spelling.get(place.label, place.label)) for place in samples]
    samples, layout = _sealed(samples, layout)
    _check_labels(root, listing.images, {place.label for place in samples if place.label}, source)
    if not source.keeps_all:
        _check_masks(root, samples, source)
        _check_class_of_masks(root, samples, source)
    classes = class_order(place.label for place in samples if place.label)
    absolute = root.absolute()
    names = [place.name for place in samples]
    return Samples(
        frame=frame_of(
            ids=names,
            paths=[str(absolute / name) for name in names],
            labels=[place.label for place in samples],
            groups=groups_from(source.group_from, names) if source.group_from else None,
            splits=[place.split for place in samples],
        ),
        classes=classes,
        problem=problem_of(classes, source.problem_type, where=str(root)),
        name=root.resolve().name,
        root=absolute,
        excluded=tuple(sorted((*_with_lost(listing, samples, source, layout), *strays), key=lambda entry: entry.path)),
        notes=lookalike_notes(classes),
        assumptions=(*layout.assumptions, *_unused(listing, strays)),
    )


def has_split_folders(images: Iterable[str]) -> bool:
    """Whether relative paths form train/<class>/… rather than <class>/…, where a class may be called train."""
    return bool(_parts_of(_Folder.of(images).unwrapped()))


def split_of(folder: str) -> str:
    """Return the split that the name of a folder says, such as `seg_train` or `2.Validation`; "" for none."""
    return _word_of(folder)[0]


def names_no_class(folder: str) -> bool:
    """Whether the name of a folder says what lies in it or which split it is, rather than a class."""
    split, rest = _word_of(folder)
    return bool(split and not rest) or _CONTENTS.fullmatch(folder) is not None


def problem_of(classes: tuple[str, ...], wanted: ProblemType | None, *, where: str) -> ProblemType:
    """Choose between binary and multiclass, and refuse what does not fit.

    Raises:
        DataError: The wanted problem is multilabel, or binary with other than two classes.
    """
    if wanted == "multilabel":
        raise DataError(f"{where}: one class for each sample in a folder or column, so not multilabel. {TYPE_ADVICE}")
    if wanted == "binary" and len(classes) != 2:
        raise DataError(f"{where}: a binary problem has 2 classes, and there are {len(classes)}. {TYPE_ADVICE}")
    return wanted or ("binary" if len(classes) == 2 else "multiclass")


def _word_of(folder: str) -> tuple[str, tuple[str, ...]]:
    """Return the split that a name says, and what else it says; ("", ()) where it says none, or two."""
    whole = re.sub(r"[\W_]", "", folder).lower()
    if whole in SPLIT_FOLDERS:
        return SPLIT_FOLDERS[whole], ()
    splits, rest = [], []
    for piece in map(str.lower, _PIECES.findall(folder)):
        word = piece if piece in SPLIT_FOLDERS else _OF_A_SET.sub("", piece)
        if word in SPLIT_FOLDERS:
            splits.append(SPLIT_FOLDERS[word])
        elif word and not piece.isdigit():
            rest.append(piece)
    return (splits[0], tuple(rest)) if len(splits) == 1 else ("", ())


def _splits_said(names: Iterable[str], *, bare: bool = False) -> dict[str, str]:
    """Return the names that say a split, with it; what may be valid or test is test unless another name says that.

    Args:
        names: Of folders beside each other.
        bare: Whether a name may say nothing else.
    """
    words = {name: _word_of(name) for name in names}
    said = {name: split for name, (split, rest) in words.items() if split and not (bare and rest)}
    tests = [name for name, split in said.items() if split == "test" and not _EITHER & set(_pieces(name))]
    if tests and "valid" not in said.values():
        said |= {name: "valid" for name, split in said.items() if split == "test" and name not in tests}
    return said


def _parts_of(level: _Folder, *, flat: bool = False) -> dict[str, str]:
    """Return which folders of a level are parts above classes, with their splits; empty where that is not certain.

    One word alone is certain where no other folder lies beside. Other words around them have to be the same in all
    (seg_train, seg_test), and then the folders below as well.

    Args:
        level: The folder that holds them.
        flat: Whether train needs no folders inside, since names hold the labels.
    """
    said = _splits_said(level.folders)
    train = [level.folders[name] for name, split in said.items() if split == "train"]
    if not any(flat or folder.folders for folder in train):
        return {}
    if len(set(said.values())) == 1 and len(said) < len(level.folders):
        return {}
    if len({_word_of(name)[1] for name in said}) > 1:
        return {}
    if not flat and any(name.lower() not in SPLIT_FOLDERS for name in said):
        known = {name for folder in train for name in folder.unwrapped(keep=()).folders}
        others = [level.folders[name].unwrapped(keep=known) for name, split in said.items() if split != "train"]
        if any(len(other.folders) > 1 and not known & other.folders.keys() for other in others):
            return {}
    return said


def _layout(root: Path, tree: _Folder, source: DataSource) -> _Layout:
    """Decide what the levels of a tree are.

    Raises:
        DoubtError: They can be read in several ways, and nobody said which.
    """
    top = tree.unwrapped()
    said = _parts_of(top, flat=source.label_from is not None)
    passed = [] if top is tree else [_passed_wrapper(top)]
    if not said:
        return _without_parts(root, top, source, passed)
    classes = {
        name for part, split in said.items() if split != "test" for name in top.folders[part].unwrapped(keep=()).folders
    }
    levels = {
        part: top.folders[part].unwrapped(keep=() if split == "train" else classes) for part, split in said.items()
    }
    training = [levels[part] for part, split in said.items() if split != "test"]
    if source.label_from is None:
        for level in training:
            _check_nested(root, level, source)
            _check_versions(root, level, source)
    assumptions = [*passed, *_inside_assumptions(training)]
    if source.split == OFF:
        return _Layout({level.path: "" for level in levels.values()}, assumptions=tuple(assumptions))
    plain = all(part.lower() in _PLAIN for part in said) and len(said) == len(top.folders)
    if not plain or any(level is not top.folders[part] for part, level in levels.items()):
        taken = ", ".join(f"{level} = {said[part]}" for part, level in levels.items())
        assumptions.append(Assumption("parts", f"Folders above the classes are the parts: {taken}.", "--split none"))
    splits = _without_valid(said)
    return _Layout(
        {level.path: splits[part] for part, level in levels.items()},
        parts={top.folders[part].path: split for part, split in splits.items()},
        assumptions=tuple(assumptions),
    )


def _without_valid(splits: Mapping[str, str]) -> dict[str, str]:
    """Return the splits of folders, "" instead of train where no folder validates: samples still to be split."""
    has_valid = "valid" in splits.values()
    return {name: "" if split == "train" and not has_valid else split for name, split in splits.items()}


def _without_parts(root: Path, top: _Folder, source: DataSource, passed: Sequence[Assumption]) -> _Layout:
    """Decide about a level that holds classes, with parts inside each of them or not.

    Raises:
        DoubtError: It may hold something else.
    """
    if source.label_from is not None:
        return _Layout({top.path: ""}, assumptions=tuple(passed))
    inside = {name for folder in top.folders.values() for name in folder.folders}
    said = _splits_said(inside, bare=True)
    if len(top.folders) > 1 and {"train"} < set(said.values()) and source.split != OFF:
        if rest := sorted(inside - said.keys()):
            raise DoubtError(
                f"{root}: the folders {_names(sorted(said))} inside those of the classes look like parts, and "
                f"{_names(rest)} beside them do not.",
                [
                    Choice(
                        f"{_names(rest)} are left out",
                        {"exclude": [*source.globs, *(f"**/{name}/**" for name in rest)]},
                    ),
                    Choice("they are no parts: all belongs to the class above", {"split": OFF}),
                ],
            )
        if any(part.folders for folder in top.folders.values() for part in folder.folders.values()):
            raise _middle_doubt(root, top)
        splits = _without_valid(said)
        taken = ", ".join(f"{name} = {split}" for name, split in sorted(said.items()))
        assumption = Assumption("parts", f"Folders inside each class are the parts: {taken}.", "--split none")
        parts = {
            (*top.path, label, name): splits[name] for label, folder in top.folders.items() for name in folder.folders
        }
        return _Layout({top.path: ""}, parts=parts, assumptions=(*passed, assumption))
    _check_nested(root, top, source)
    _check_unlabelled(root, top, source)
    _check_versions(root, top, source)
    _check_split_words(root, top)
    _check_versions_inside(root, top, source)
    _check_one_part(root, top)
    return _Layout({top.path: ""}, assumptions=(*passed, *_inside_assumptions([top])))


def _passed_wrapper(top: _Folder) -> Assumption:
    taken = f"Folders alone at their level are passed through; the data are what lies in {clean(str(top))}."
    return Assumption("levels", taken, "--label-from PATTERN")


def _inside_assumptions(levels: Sequence[_Folder]) -> list[Assumption]:
    """Say that folders lie inside those of the classes, and belong to them."""
    deep = [folder for level in levels for folder in level.folders.values() if folder.folders]
    if not deep:
        return []
    stars = "*/" * len(deep[0].path)
    taken = (
        f"Folders inside those of the classes belong to them, such as {clean(next(iter(deep[0].folders)))} in "
        f"{clean(deep[0].path[-1])}."
    )
    return [Assumption("levels", taken, f"--label-from '{stars}{{label}}/**'")]


def _check_nested(root: Path, level: _Folder, source: DataSource) -> None:
    """Refuse a folder that holds its siblings once more, by name and by files.

    Raises:
        DoubtError: There is one.
    """
    for name, folder in level.folders.items():
        inner = folder.unwrapped(keep=())
        same = [other for other in inner.folders if other != name and other in level.folders]
        siblings = len(level.folders) - 1
        if len(same) < 2 or len(same) < 0.8 * len(inner.folders) or len(inner.files) > len(inner.folders):
            continue
        pairs = [(set(inner.folders[one].below()), set(level.folders[one].below())) for one in same]
        n_equal, n = sum(len(one & two) for one, two in pairs), sum(len(one) for one, _ in pairs)
        if len(same) == siblings or 2 * n_equal >= n:
            place, at = "/".join((*level.path, name)), "*/" * len(level.path)
            raise DoubtError(
                f"{root}: the folder {clean(name)!r} holds folders of the same names as those beside it "
                f"({_names(same)}); {n_equal} of their {amount(n, 'photograph')} have the same names as well. It "
                "looks like the data once more, not like a class.",
                [
                    Choice(f"{clean(name)!r} is left out", {"exclude": [*source.globs, f"{place}/**"]}),
                    Choice(f"only what lies in {clean(name)!r} is read", {"data": str(root / place)}),
                    Choice(f"{clean(name)!r} is a class all the same", {"label_from": f"{at}{{label}}/**"}),
                ],
            )


def _check_versions(root: Path, level: _Folder, source: DataSource) -> None:
    """Refuse versions or unknown parts as classes: folders that hold the same folders, with a sign that tells.

    Classes often hold folders of equal names, since they were photographed on the same days or from the same sides.
    Signs are words for versions, parts or splits in the upper names, and photographs that have the same place and
    name in each, where their names are no mere counters and the lower folders no mere days.

    Raises:
        DoubtError: There are such.
    """
    deep = {name: folder.unwrapped(keep=()) for name, folder in level.folders.items()}
    deep = {
        name: folder for name, folder in deep.items() if folder.folders and len(folder.files) <= len(folder.folders)
    }
    n_deep, n_all = (sum(len(list(folder.below())) for folder in among.values()) for among in (deep, level.folders))
    if len(deep) < 2 or n_deep < 0.8 * n_all:
        return
    names = [set(map(str.casefold, folder.folders)) for folder in deep.values()]
    same = {name for name in set.intersection(*names) if not _is_content(name)}
    if len(same) < 2 or len(same) < _SHARE_ALIKE * len(set.union(*names)) or not _look_like_versions(root, deep, same):
        return
    stars = "*/" * max(len(folder.path) for folder in deep.values())
    shown = sorted(name for name in next(iter(deep.values())).folders if name.casefold() in same)
    merged = Choice(f"{_names(shown)} are the classes, over all of them", {"label_from": f"{stars}{{label}}/**"})
    bare = _splits_said(deep, bare=True)
    if (
        not bare
        and not _look_like_parts(deep)
        and _share_alike(list(deep.values()), with_counters=True) >= _SHARE_ALIKE
    ):
        merged = Choice(  # versions of one photograph
            f"{merged.meaning}, photographs of one name kept together",
            {**merged.options, "group_from": rf"{'[^/]*/' * stars.count('*')}(?P<group>.*)\.[^.]*"},
        )
    rest = sorted(deep.keys() - bare.keys())
    parts = [
        Choice(
            f"{_names(rest)} are left out", {"exclude": [*source.globs, *(f"{level.folders[one]}/**" for one in rest)]}
        )
        for _ in range("train" in bare.values() and len(rest) > 0)
    ]
    ones = [
        Choice(f"only {clean(name)!r} is read", {"data": str(root / str(folder))})
        for name, folder in itertools.islice(sorted(deep.items()), _MOST_CHOICES)
    ]
    at = "*/" * len(level.path)
    raise DoubtError(
        f"{root}: the folders {_names(sorted(deep))} would be the classes, but each holds the same folders "
        f"({_names(shown)}). They look like versions or parts of one data set.",
        [
            *parts,
            *(() if parts else ones),
            merged,
            Choice(f"{_names(sorted(deep))} are the classes all the same", {"label_from": f"{at}{{label}}/**"}),
        ],
    )


def _look_like_versions(root: Path, deep: Mapping[str, _Folder], same: Collection[str]) -> bool:
    """Whether folders that hold the same folders look like versions or parts rather than classes."""
    pieces = [set(_pieces(name)) for name in deep]
    if 2 * len(_splits_said(deep, bare=True)) >= len(deep) or _look_like_parts(deep):  # not one train among vehicles
        return True
    is_version = [
        bool(words & {*_VERSIONS, *_MASK_WORDS} or _SIZE.search(name)) for words, name in zip(pieces, deep, strict=True)
    ]
    if 2 * sum(is_version) > len(pieces):
        return True
    folders = list(deep.values())
    if _share_alike(folders, with_counters=True) >= _SHARE_ALIKE and _are_copies(root, folders):
        return True
    if all(re.search(r"\d", name) for name in same):  # days, sessions, takes, persons
        return False
    if (
        2 * sum(map(bool, map(split_of, deep))) >= len(deep)
        or _share_alike(folders, with_counters=False) >= _SHARE_ALIKE
    ):
        return True
    sizes = {len(list(folder.below())) for folder in folders[0].folders.values()}
    return (
        len(sizes) > 1 and _share_alike(folders, with_counters=True) >= 0.95
    )  # counters that end alike, each elsewhere


def _look_like_parts(names: Iterable[str]) -> bool:
    """Whether all names are those of portions, such as site1 and site2, or are years or days."""
    return all(_PARTS & set(_pieces(name)) or _DAY.fullmatch(name) for name in names)


def _share_alike(folders: Sequence[_Folder], *, with_counters: bool) -> float:
    """Return the smallest share of a folder's photographs that have the same place and name in all others.

    Args:
        folders: The folders.
        with_counters: Whether names such as 001 or day1_001 count, which photographs of anything may have.
    """
    places = [
        {
            (*path[:-1], PurePosixPath(path[-1]).stem)
            for path in folder.below()
            if with_counters or not _is_counter(path)
        }
        for folder in folders
    ]
    common = set.intersection(*places)
    return len(common) / max(1, *(len(list(folder.below())) for folder in folders))


def _is_counter(path: Sequence[str]) -> bool:
    """Whether the name of a photograph is a running number, with or without a word before it."""
    return re.fullmatch(r"[^\d]*\d{1,5}(?:[_ -]\d{1,5})?|[^\d]+[_ -]?\(\d+\)", PurePosixPath(path[-1]).stem) is not None


def _are_copies(root: Path, folders: Sequence[_Folder]) -> bool:
    """Whether photographs of the same place and name are mostly equal in size, as a few of them show."""
    one, two = folders[:2]
    common = sorted(set(one.below()) & set(two.below()))
    some = common[:: max(1, -(-len(common) // _N_COMPARED))]
    try:
        n_equal = sum(
            (root / str(one) / "/".join(path)).stat().st_size == (root / str(two) / "/".join(path)).stat().st_size
            for path in some
        )
    except OSError:
        return False
    return bool(some) and 2 * n_equal > len(some)


def _check_unlabelled(root: Path, level: _Folder, source: DataSource) -> None:
    """Refuse a folder of photographs without labels, or of a part, as a class among several.

    A class may be called train among vehicles, and test beside one of control.

    Raises:
        DoubtError: There is one.
    """
    said = {
        name
        for name, split in _splits_said(level.folders, bare=True).items()
        if split != "train" and not level.folders[name].folders
    }
    parts = said if len(level.folders) - len(said) > 1 else set()
    without = [name for name in level.folders if name in parts or _UNLABELLED & set(_pieces(name))]
    if without and len(without) < len(level.folders):
        at = "*/" * len(level.path)
        raise DoubtError(
            f"{root}: the folder {_names(without)} would be a class, and its name says that it is none.",
            [
                Choice(
                    "it is left out, and can be predicted",
                    {"exclude": [*source.globs, *(f"{level.folders[name]}/**" for name in without)]},
                ),
                Choice("it is a class all the same", {"label_from": f"{at}{{label}}/**"}),
            ],
        )


def _check_split_words(root: Path, level: _Folder) -> None:
    """Refuse classes whose names say train and test as well (`train_cat`, `test_cat`).

    Raises:
        DoubtError: Most of several names stand there for train and for another part.
    """
    words = {name: _word_of(name) for name in level.folders}
    splits: dict[tuple[str, ...], set[str]] = {}
    for split, rest in words.values():
        splits.setdefault(rest, set()).add(split)
    both = [rest for rest, of_rest in splits.items() if rest and len(of_rest - {""}) > 1 and "train" in of_rest]
    if len(both) < 2 or 2 * len(both) <= len(splits):
        return
    at = "*/" * len(level.path)
    tried = (
        f"{at}{pattern}/**" for sep in "_- ." for pattern in (f"{{split}}{sep}{{label}}", f"{{label}}{sep}{{split}}")
    )
    found = [
        Choice("the names say part and class", {"label_from": pattern})
        for pattern in tried
        if all(
            (match := taken_from(pattern, f"{folder}/x")) and split_of(match["split"])
            for folder in level.folders.values()
        )
    ]
    raise DoubtError(
        f"{root}: the folders {_names(sorted(level.folders))} would be the classes, but their names say train and "
        "other parts of the same ones.",
        [*found, Choice("they are the classes all the same", {"label_from": f"{at}{{label}}/**"})],
    )


def _check_versions_inside(root: Path, level: _Folder, source: DataSource) -> None:
    """Refuse versions of one photograph in folders inside a class, which would be on both sides of a split.

    Raises:
        DoubtError: There are such: folders called so that hold photographs of the same names.
    """
    of_version = [
        (
            folder,
            [
                name
                for name in folder.folders
                if (_VERSIONS & set(_pieces(name)) or _SIZE.search(name)) and not _is_content(name)
            ],
        )
        for folder in level.folders.values()
    ]
    alike = [
        names
        for folder, names in of_version
        if len(folder.folders) > 1
        and 2 * len(names) >= len(folder.folders)
        and _share_alike(list(folder.folders.values()), with_counters=True) >= _SHARE_ALIKE
    ]
    if source.keeps_all or source.group_from or not alike or 2 * len(alike) < len(level.folders):
        return
    first = next(folder for folder, names in of_version if names in alike)
    stars = "*/" * len(first.path)
    raise DoubtError(
        f"{root}: the folders {_names(first.folders)} inside those of the classes hold photographs of the same names. "
        "They look like versions, and one would train while another validates.",
        [
            *(
                Choice(
                    f"only {clean(name)!r} is used",
                    {"exclude": [*source.globs, *(f"{stars}{other}/**" for other in first.folders if other != name)]},
                )
                for name in itertools.islice(first.folders, _MOST_CHOICES)
            ),
            Choice("photographs of one name stay together", {"group_from": f"{stars}*/{{group}}.*"}),
            Choice("they are photographs like the others", {"exclude": [*source.globs, OFF]}),
        ],
    )


def _check_one_part(root: Path, level: _Folder) -> None:
    """Refuse a folder train with folders of classes beside a single other folder without any.

    Raises:
        DoubtError: There is one; a class of vehicles called train has photographs, or several others beside it.
    """
    train = [name for name in level.folders if split_of(name) == "train" and names_no_class(name)]
    if len(level.folders) != 2 or len(train) != 1:
        return
    (other,) = level.folders.keys() - set(train)
    inner = level.folders[train[0]].unwrapped(keep=())
    if len(inner.folders) > 1 and not inner.files and not level.folders[other].folders:
        at = "*/" * len(level.path)
        raise DoubtError(
            f"{root}: the folder {clean(train[0])!r} holds folders ({_names(inner.folders)}), and {clean(other)!r} "
            "beside it does not. The first may be the part that trains, or both may be classes.",
            [
                Choice(f"{_names(inner.folders)} are the classes", {"data": str(root / str(inner))}),
                Choice(f"{_names(level.folders)} are the classes", {"label_from": f"{at}{{label}}/**"}),
            ],
        )


def _middle_doubt(root: Path, level: _Folder) -> DoubtError:
    """Return the doubt about parts that have folders above and below them."""
    at = "*/" * len(level.path)
    first = next(iter(level.folders.values()))
    lower = {name for part in first.folders.values() for name in part.folders}
    return DoubtError(
        f"{root}: folders above and below the parts ({_names(first.folders)}) may be the classes: "
        f"{_names(level.folders)} or {_names(lower)}.",
        [
            Choice("those above are", {"label_from": f"{at}{{label}}/{{split}}/**"}),
            Choice("those below are", {"label_from": f"{at}*/{{split}}/{{label}}/**"}),
            *(
                Choice(f"those below are, of {clean(name)!r} alone", {"data": str(root / str(level.folders[name]))})
                for name in itertools.islice(level.folders, _MOST_CHOICES)
            ),
        ],
    )


def _places(images: Sequence[str], layout: _Layout) -> Iterator[_Placed | Excluded]:
    """Yield the place of each photograph by the folders that it lies in."""
    of_folder: dict[str, tuple[str, str, str]] = {}
    for name in images:
        folder = name.rpartition("/")[0]
        if folder not in of_folder:
            of_folder[folder] = _place_of(tuple(folder.split("/")) if folder else (), layout)
        label, split, reason = of_folder[folder]
        yield Excluded(name, reason) if reason else _Placed(name, label, split)


def _place_of(folders: tuple[str, ...], layout: _Layout) -> tuple[str, str, str]:
    """Return label and split of what lies in a folder, and the reason why it is not used, or ""."""
    above = [folders[:depth] for depth in range(len(folders) + 1)]
    level = next((path for path in above if path in layout.levels), None)
    split = next((layout.parts[path] for path in above if path in layout.parts), None)
    if level is None and split is None and layout.parts:
        return "", "", "outside train, valid and test"
    if split is None:
        split = layout.levels.get(level or (), "")
    label = folders[len(level)] if level is not None and len(folders) > len(level) else ""
    return label, split, "" if label or split == "test" else "in no class folder"


def _by_pattern(pattern: str, images: Sequence[str], layout: _Layout) -> Iterator[_Placed | Excluded]:
    """Yield the place of each photograph by a pattern; parts above the classes count, unless these are the labels.

    Raises:
        DataError: The pattern takes no label, or an unknown part.
    """
    check_pattern(pattern, option="--label-from", takes="label")
    found = {name: taken_from(pattern, name) for name in images}
    labels = {match["label"] for match in found.values() if match}
    says_split = any("split" in match for match in found.values() if match)
    named = {match["split"] for match in found.values() if match} if says_split else set()
    if wrong := sorted(text for text in named if not split_of(text)):
        raise DataError(
            f"--label-from {pattern!r}: {{split}} takes {listed(map(repr, wrong))}, and no part is called so. Let it "
            "take train, valid or test, or write * there."
        )
    of_text = _without_valid({text: split_of(text) for text in named})
    parts = {} if says_split or labels & {path[-1] for path in layout.parts} else layout.parts
    for name, match in found.items():
        folders = tuple(name.split("/")[:-1])
        split = next((parts[folders[:depth]] for depth in range(len(folders) + 1) if folders[:depth] in parts), "")
        if match:
            yield _Placed(name, match["label"], of_text[match["split"]] if says_split else split)
        elif split == "test":
            yield _Placed(name, "", split)
        else:
            yield Excluded(name, "not matched by --label-from")


def _sealed(placed: Sequence[_Placed], layout: _Layout) -> tuple[list[_Placed], _Layout]:
    """Take the label from photographs of test that lie in no folder of a class of train or valid, and say how many.

    What test holds decides nothing about the classes.
    """
    known = {place.label for place in placed if place.split != "test"}
    is_new = [place.split == "test" and place.label not in known for place in placed]
    n_new = sum(new and place.label != "" for new, place in zip(is_new, placed, strict=True))
    found = [replace(place, label="") if new else place for new, place in zip(is_new, placed, strict=True)]
    if not n_new:
        return found, layout
    assumption = Assumption(
        "parts",
        f"{amount(n_new, 'photograph')} of test have no class of train or valid: they are predicted, and never scored.",
        "--label-from PATTERN",
    )
    return found, replace(layout, assumptions=(*layout.assumptions, assumption))


def _with_lost(listing: Listing, placed: Sequence[_Placed], source: DataSource, layout: _Layout) -> Iterator[Excluded]:
    """Yield what a listing leaves out, and of photographs among it which samples they would have been.

    So a class that `--exclude` or a kind that is not read empties is seen. What stands beside a photograph that is
    used, as another version of it, is no loss: masks, previews, the raw file of a JPEG. Nor is a folder that makes no
    class. What was excluded from test is none of its photographs; its labels stay sealed.
    """
    gone = {entry.path for entry in listing.excluded if entry.reason not in NO_PHOTOGRAPHS}
    known = {place.label for place in placed}
    used = {_version_key(place.name, known) for place in placed} if gone else set()
    lost: dict[str, tuple[str, str]] = {}
    for entry in listing.excluded:
        found = _would_be(entry.path, source, layout) if entry.path in gone else None
        if found is None or (found[1] == "test" and entry.reason == LEFT_OUT):
            continue
        folders, stem = _version_key(entry.path, known | {found[0]})
        ends = [at for at, letter in enumerate(stem) if letter in " _.-("]
        if (
            any((folders, part) in used for at in ends for part in (stem[:at], stem[at + 1 :]))
            or (folders, stem) in used
        ):
            continue
        if found[1] == "test":
            lost[entry.path] = "", "test"
        elif found[0] in known or not (
            names_no_class(found[0])
            or _is_version(found[0])
            or _UNLABELLED & set(_pieces(found[0]))
            or known.intersection(entry.path.split("/")[:-1])
        ):
            lost[entry.path] = found
    places = {name: place for place, name in enumerate(sorted([*(entry.name for entry in placed), *lost]))}
    for entry in listing.excluded:
        if entry.path in lost:
            label, split = lost[entry.path]
            yield replace(entry, sample=LostSample(entry.path, split, label, places[entry.path]))
        else:
            yield entry


def _would_be(name: str, source: DataSource, layout: _Layout) -> tuple[str, str] | None:
    """Return label and split of a photograph that is not used; None where it has no place."""
    folders = tuple(name.split("/")[:-1])
    if source.label_from is None:
        label, split, reason = _place_of(folders, layout)
        if not reason:
            return label, split
        beside = {path[:-1] for path in layout.parts}  # a part without any photograph that is read is none of them
        is_test = any(folders[:depth] in beside and split_of(folders[depth]) == "test" for depth in range(len(folders)))
        return ("", "test") if is_test else None
    match = taken_from(source.label_from, name) or {}
    above = (layout.parts[folders[:depth]] for depth in range(len(folders) + 1) if folders[:depth] in layout.parts)
    split = split_of(match["split"]) if "split" in match else next(above, "")
    return (match.get("label", ""), split) if match or split == "test" else None


def _version_key(name: str, labels: Collection[str]) -> tuple[tuple[str, ...], str]:
    """Return what the versions of a photograph share: its folders without those of versions, and its bare name."""
    *folders, file = name.split("/")
    kept = tuple(part for part in folders if part in labels or not (_is_version(part) or _is_content(part)))
    return kept, file.rpartition(".")[0].casefold()


@functools.cache
def _is_version(folder: str) -> bool:
    """Whether the name of a folder says that it holds versions, masks or previews of photographs."""
    return bool({*_VERSIONS, *_MASK_WORDS, *_MADE_WORDS} & set(_pieces(folder)) or _SIZE.search(folder))


def _unlabelled(root: Path, images: Sequence[str], source: DataSource) -> DataError:
    """Return the error that no photograph has a label."""
    if source.label_from is not None:
        return unmatched_label(source.label_from, images)
    return _names_doubt(
        root, images, f"{root}: {amount(len(images), 'photograph')} in no folder of a class, and no table with labels."
    ) or DataError(
        f"{root}: {len(images)} images, but no folder for each class and no table with labels. Sort the "
        "images into one folder for each class, give a CSV, or say where their names hold the label (--label-from "
        "PATTERN); images without labels can only be predicted."
    )


def _names_doubt(root: Path, images: Sequence[str], doubt: str) -> DoubtError | None:
    """Return a doubt that offers the pattern by which names hold labels; None where they hold none."""
    training = [name for name in images if "test" not in map(split_of, name.split("/")[:-1])]
    pattern, labels = label_pattern(training)
    if not pattern:
        return None
    example = next(name for name in training if taken_from(pattern, name))
    return DoubtError(
        f"{doubt} Names such as {clean(PurePosixPath(example).name)!r} may hold it.",
        [Choice(f"{amount(len(labels), 'class', 'classes')} by name: {_names(labels)}", {"label_from": pattern})],
    )


def _check_labels(root: Path, images: Sequence[str], labels: Collection[str], source: DataSource) -> None:
    """Refuse folders that would become classes by accident; a class may be called train beside others.

    Raises:
        DataError: Folders have names of contents, or none has that of a class.
    """
    remedy = "Rename the folder." if source.label_from is None else "Rename them, or change the pattern."
    check_class_names(labels, where=str(root), remedy=remedy)
    if source.label_from is not None:
        return
    if len(labels) == 1 and (
        doubt := _names_doubt(root, images, f"{root}: all photographs lie in {_names(labels)}, which makes one class.")
    ):
        raise doubt
    wrong = [name for name in sorted(labels) if names_no_class(name)]
    if len(wrong) != len(labels) and not any(map(_CONTENTS.fullmatch, wrong)):
        return
    would_be = (
        f"{root}: the folders {', '.join(map(repr, sorted(labels)))} would be the classes, but a folder called "
        f"{' or '.join(map(repr, wrong))} is none."
    )
    if len(wrong) == len(labels) and (doubt := _names_doubt(root, images, would_be)):
        at = "*/" * (len(PurePosixPath(images[0]).parts) - 2)
        keep = Choice("the folders are the classes all the same", {"label_from": f"{at}{{label}}/**"})
        raise DoubtError(doubt.doubt, [*doubt.choices, keep])
    raise DataError(
        f"{would_be} Give the folder that holds one folder for each class, or a "
        "table with the labels and the folder of its photographs (--images). Rename a folder that is a class, or say "
        "where names and paths hold the label (--label-from PATTERN)."
    )


def _check_masks(root: Path, placed: Sequence[_Placed], source: DataSource) -> None:
    """Refuse masks as photographs: names, or folders inside a class, that say so beside a photograph of the same name.

    Raises:
        DoubtError: Most photographs of a class have one.
    """
    if not any(_HINT.search(place.name) for place in placed):  # the ordinary case, at a tenth of the time
        return
    made = {*_MASK_WORDS, *_MADE_WORDS}
    bare: dict[tuple[object, ...], _Placed] = {}
    drawn: list[tuple[tuple[object, ...], str, _Placed]] = []
    for place in placed:
        *folders, file = place.name.split("/")
        stem = file.rpartition(".")[0]
        inside = [part for part in folders if part.lower() in made and part != place.label]
        plain = tuple(
            part for part in folders if part == place.label or not (part.lower() in made or _CONTENTS.fullmatch(part))
        )
        match = _MASK.fullmatch(stem)
        before = match["before"] if match else stem
        glob = f"**/{inside[-1]}/**" if inside else f"*{match['word']}.*" if match and before else ""
        if match and not before and (behind := re.match(r"[^\W\d_]+[ _.-]", stem)):
            before, glob = stem[behind.end() :], f"{behind[0]}*"
        if glob:
            drawn.append(((plain, before.casefold()), glob, place))
        else:
            bare[plain, stem.casefold()] = place
    pairs = [(bare[key], glob, place) for key, glob, place in drawn if key in bare]
    n_of = Counter(place.label for place in bare.values())
    n_masked = Counter(label for label, _ in {(photo.label, photo.name) for photo, _, _ in pairs})
    if not any(n > 1 and 2 * n >= n_of[label] for label, n in n_masked.items()):
        return
    globs = sorted({re.sub(r"[ _.-]?\d+\.\*$", "*", glob) for _, glob, _ in pairs})
    photo, _, mask = next((pair for pair in pairs if pair[0].split != "test"), pairs[0])
    raise DoubtError(
        f"{root}: {amount(len(pairs), 'file')} have the name of a photograph and a word for a mask, a preview "
        f"or another version, such as {clean(mask.name)!r} beside {clean(photo.name)!r}. They would be samples.",
        [
            Choice("they are left out", {"exclude": [*source.globs, *globs]}),
            Choice("they are photographs like the others", {"exclude": [*source.globs, OFF]}),
        ],
    )


def _check_class_of_masks(root: Path, placed: Sequence[_Placed], source: DataSource) -> None:
    """Refuse masks and previews as a class: a folder that is called so, of the names of others' photographs, but small.

    Bytes tell previews from a class of thumbs beside one of fingers, whose photographs are counted likewise.

    Raises:
        DoubtError: There is one.
    """
    called = {place.label for place in placed if place.label.lower() in _MASK_WORDS}
    if not called or source.label_from is not None:
        return
    photographs: dict[str, list[str]] = {}
    for place in placed:
        if place.label and place.label not in called:
            photographs.setdefault(PurePosixPath(place.name).stem.casefold(), []).append(place.name)
    for label in sorted(called):
        own = [place.name for place in placed if place.label == label]
        pairs = [(name, photographs.get(PurePosixPath(name).stem.casefold(), [])) for name in own]
        pairs = [(name, others) for name, others in pairs if others]
        some = pairs[:: max(1, -(-len(pairs) // _N_COMPARED))]
        try:
            sizes = [
                ((root / name).stat().st_size, [(root / other).stat().st_size for other in others])
                for name, others in some
            ]
        except OSError:
            continue
        n_small = sum(2 * size <= min(others) for size, others in sizes)
        if 2 * len(pairs) < len(own) or not some or n_small < _NEARLY_ALL * len(some):
            continue
        name, (other, *_) = pairs[0]
        raise DoubtError(
            f"{root}: the folder {clean(label)!r} would be a class, and it looks like masks or previews: "
            f"{amount(len(pairs), 'file')} of {len(own)} have the name of a photograph, and are much smaller, such as "
            f"{clean(name)!r} beside {clean(other)!r}.",
            [
                Choice("they are left out", {"exclude": [*source.globs, f"**/{label}/**"]}),
                Choice("they are a class like the others", {"exclude": [*source.globs, OFF]}),
            ],
        )


def _is_content(folder: str) -> bool:
    return folder.lower() in _MASK_WORDS or _CONTENTS.fullmatch(folder) is not None


def _unused(listing: Listing, strays: Sequence[Excluded]) -> Iterator[Assumption]:
    """Yield what lies there and is not used: folders of systems, and photographs outside the parts or the classes."""
    if listing.passed_over:
        shown = listed(f"{clean(name)} ({n})" for name, n in sorted(listing.passed_over.items()))
        yield Assumption(
            "unused", f"Hidden files and folders of systems and viewers are passed over: {shown}.", "--data FOLDER"
        )
    for reason, n in Counter(entry.reason for entry in strays).items():
        where = {entry.path.split("/")[0] for entry in strays if entry.reason == reason and "/" in entry.path}
        of = f" ({_names(sorted(where))})" if where else ""
        yield Assumption("unused", f"{amount(n, 'photograph')} {reason}{of}: not used.", "--label-from PATTERN")


def _names(names: Iterable[str]) -> str:
    """Quote some names."""
    return listed(repr(clean(name)) for name in names)


def _pieces(name: str) -> list[str]:
    return [piece.lower() for piece in _PIECES.findall(name)]


def _seen(listing: Listing) -> str:
    if not listing.excluded:
        return "It is empty; check the path."
    first = listing.excluded[0]
    return f"It holds {len(listing.excluded)} other files, first {first.path!r} ({first.reason})."
