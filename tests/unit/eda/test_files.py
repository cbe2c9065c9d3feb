from __future__ import annotations

import pytest

from imgcls.data.files import Excluded
from imgcls.eda.files import broken_files, kind_of


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("empty file", "empty"),
        ("truncated", "truncated"),
        ("not an image", "not an image"),
        ("a Git LFS pointer, not the image", "not an image"),
        ("a web page, not an image", "not an image"),
        ("too many pixels (more than 100,000,000)", "too many pixels"),
        ("file too large (more than 512 MiB)", "file too large"),
        ("permission denied", "permission denied"),
        ("missing, or a link to nothing", "missing"),
        ("gone meanwhile", "missing"),
        ("link to nothing", "missing"),
        ("changed while it was read", "changed"),
        ("not a regular file", "not a regular file"),
        ("cannot be read (Input/output error)", "not readable"),
        ("values from -3 to 7, outside 0 to 65535", "unsupported"),
        ("damaged (Unsupported BMP bitfields layout)", "unsupported"),
        ("damaged (unrecognized data stream contents when reading image file)", "damaged"),
        ("something new", "other"),
    ],
)
def test_every_reason_has_a_kind(reason: str, kind: str) -> None:
    assert kind_of(reason) == kind


def test_of_what_was_left_out_only_what_is_no_file_is_a_broken_photograph() -> None:
    excluded = [
        Excluded("cat/pipe.jpg", "not a regular file"),
        Excluded("cat/notes.txt", "not an image, by its suffix"),
        Excluded("cat/gone.jpg", "link to nothing"),
        Excluded("cat/loop.jpg", "link that leads to itself"),
        Excluded("a.jpg", "in no class folder"),
    ]
    found = broken_files({"cat/b.jpg": "truncated", "ant/a.jpg": "empty file"}, excluded)
    assert [(file.path, file.kind) for file in found] == [
        ("ant/a.jpg", "empty"),
        ("cat/b.jpg", "truncated"),
        ("cat/gone.jpg", "missing"),
        ("cat/loop.jpg", "missing"),
        ("cat/pipe.jpg", "not a regular file"),
    ]
