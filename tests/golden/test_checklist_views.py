"""The checklist as people read it, at two widths and in both languages, of which one has characters of two columns."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from imgcls.checklists.checklist import Checklist
from imgcls.checklists.evidence import Damage
from imgcls.checklists.go_back import Reason
from imgcls.checklists.items import ItemState, State, all_items
from imgcls.checklists.sentences import Said, joined, said, word
from imgcls.checklists.verdicts import gain_of

_FACTS = "reports/facts.json"
_RUN = "runs/baseline-s0-0a1b2c3d"
_SIZES = said(
    "{file}: median size {width:.0f} x {height:.0f} px, {sizes}, {broken}; {px} px to begin with",
    file=_FACTS,
    width=300,
    height=300,
    sizes=said("all of one size"),
    broken=said("no broken file"),
    px=224,
)
_SEED = said("{run}: seed {seed}", run=_RUN, seed=0)
_SCORE = said(
    "{run}: {metric} {value:.3f} [{low:.3f}, {high:.3f}]",
    run=_RUN,
    metric=word("ROC AUC"),
    value=0.9,
    low=0.85,
    high=0.95,
)
_OVER = said("{upper} over {lower}", upper="label_smoothing", lower="baseline+augmentation")
_GAIN = gain_of("accuracy", 0.013, 0.004, 0.021)
_TWO = said("{file} ({n} classes)", file=_FACTS, n=2)
_SAID: dict[str, tuple[State, str]] = {
    "problem.goal": ("done", Said("imgcls.toml: Pets: tell cats from dogs")),
    "problem.type": ("done", said("{file}: {type}, as {where} says", file="imgcls.toml", type="binary", where=_TWO)),
    "problem.metric": ("done", said("{file}: {metric}", file="imgcls.toml", metric=word("ROC AUC"))),
    "eda.sizes": ("stale", said("{evidence}; {change}", evidence=_SIZES, change=said("the data changed since"))),
    "base.seed": ("done", said("{seed}{others}; '--again' repeats it and compares the bits", seed=_SEED, others="")),
    "base.validate": (
        "done",
        said(
            "{score}, better than {without}, {trivial:.3f}",
            score=_SCORE,
            without=said("ranking at random"),
            trivial=0.5,
        ),
    ),
    "train.scheduler": (
        "done",
        said(
            "{file}: {what}, {gain}: {verdict}",
            file="ladders/up/result.json",
            what=_OVER,
            gain=_GAIN,
            verdict=word("likely better"),
        ),
    ),
    "predict.ensemble": ("skipped", "imgcls.toml: one network has to fit on the phone"),
    "train.loss": ("open", "a [bold]name[/bold] with \x1b[31mmarks\x1b[0m"),
}


def drawn(lang: str) -> Checklist:
    """Make a checklist with every state, a damaged file, a note and a way back."""
    items = [
        ItemState(item, *_SAID.get(item.id, ("open", said("nothing was trained yet"))), command=None)
        for item in all_items()
    ]
    return Checklist(
        items=tuple(items),
        next=("imgcls eda", "imgcls recipe run baseline", "imgcls ladder run baseline+augmentation --seeds 3"),
        back=(
            Reason(
                "stalled",
                "1",
                said("The last {n} rungs brought no evidence of a gain: {gains}.", n=3, gains=joined("abc", "; ")),
                "imgcls eda",
            ),
        ),
        n_findings=1,
        damages=(Damage("runs/x/run.json is damaged: no JSON.", said("what that run proves")),),
        notes=(said("The data look different from when they were last read; 'imgcls checklist' reads them again."),),
        lang=lang,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("lang", ["en", "ko"])
def test_checklist(snapshot, lang: str, width: int) -> None:
    console = Console(width=width, file=io.StringIO(), highlight=False, emoji=False, color_system=None)
    console.print(drawn(lang), crop=False)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b" not in text
    assert max(cell_len(line) for line in text.splitlines() if "  imgcls" not in line) <= width
    assert text == snapshot
