"""What is said of the licences of weights."""

from __future__ import annotations

import pytest

from imgcls.networks import is_permissive, licence_caution


@pytest.mark.parametrize("licence", ["apache-2.0", "Apache-2.0", "mit", "MIT", "bsd-3-clause", "cc-by-4.0", "cc0-1.0"])
def test_what_may_be_used_for_anything_is_not_spoken_of(licence: str) -> None:
    assert is_permissive(licence)
    assert licence_caution("timm/a", licence) == ""


@pytest.mark.parametrize(
    ("licence", "told"),
    [
        ("cc-by-nc-4.0", "non-commercial use only"),
        ("CC-BY-NC-SA-4.0", "non-commercial use only"),
        ("", "is not known"),
        ("other", "a licence of their own (other)"),
        ("fair-noncommercial-research-license", "a licence of their own"),
    ],
)
def test_what_asks_something_is_told(licence: str, told: str) -> None:
    assert not is_permissive(licence)
    assert told in licence_caution("timm/a", licence)
    assert "timm/a" in licence_caution("timm/a", licence)
