from __future__ import annotations

from collections.abc import Callable

from imgcls.data.files import Excluded
from imgcls.eda.facts import ExcludedImages, Facts
from imgcls.eda.findings import FindingInputs, excluded_images, find_excluded
from imgcls.eda.scan import ScanResult

EXCLUDED = (
    Excluded("a.jpg", "in no class folder"),
    Excluded("b.jpg", "in no class folder"),
    Excluded("cat/1.CR2", "not an image, by its suffix"),
    Excluded("cat/notes.txt", "not an image, by its suffix"),
    Excluded("cat/gone.jpg", "link to nothing"),
    Excluded("cat/copy.jpg", "duplicates.across: copies"),
)


def test_photographs_that_are_not_used_are_gathered_by_reason() -> None:
    found = excluded_images(EXCLUDED, known={"cat/gone.jpg"}, decided={"duplicates.across: copies"})
    assert found == (
        ExcludedImages(reason="in no class folder", n=2, examples=("a.jpg", "b.jpg")),
        ExcludedImages(
            reason="camera RAW (save it as JPEG or TIFF with the program of the camera)", n=1, examples=("cat/1.CR2",)
        ),
    )


def test_they_are_a_note(made_look: Callable[..., ScanResult], made_facts: Callable[..., Facts]) -> None:
    look = made_look(["a", "b"] * 10)
    facts = made_facts(look)
    assert list(find_excluded(FindingInputs(facts, look))) == []
    left_out = (ExcludedImages(reason="in no class folder", n=2, examples=("a.jpg",)),)
    (finding,) = find_excluded(FindingInputs(facts.model_copy(update={"left_out": left_out}), look))
    assert (finding.severity, finding.n, finding.examples) == ("note", 2, ("a.jpg",))
    assert finding.title == "2 photographs in the folder not used: 2 in no class folder."
