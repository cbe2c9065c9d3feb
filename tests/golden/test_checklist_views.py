"""The checklist as people read it, at two widths and in both languages."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from imgcls.checklists.checklist import Checklist
from imgcls.checklists.evidence import Damage
from imgcls.checklists.go_back import Reason
from imgcls.checklists.items import ItemState, State, all_items

_SAID: dict[str, tuple[State, str]] = {
    "problem.goal": ("done", "imgcls.toml: Pets: tell cats from dogs"),
    "problem.type": ("done", "imgcls.toml: binary, as reports/facts.json (2 classes) says"),
    "problem.metric": ("done", "imgcls.toml: ROC AUC"),
    "eda.sizes": ("stale", "reports/facts.json: 300 x 300 px in the middle, all of one size; the data changed since"),
    "base.seed": ("done", "runs/baseline-s0-0a1b2c3d: seed 0; '--again' repeats it and compares the bits"),
    "predict.ensemble": ("skipped", "imgcls.toml: one network has to fit on the phone"),
    "train.loss": ("open", "a [bold]name[/bold] with \x1b[31mmarks\x1b[0m"),
}


def drawn(lang: str) -> Checklist:
    """Make a checklist with every state, a damaged file, a note and a way back."""
    items = [
        ItemState(item, *_SAID.get(item.id, ("open", "nothing was trained yet")), command=None) for item in all_items()
    ]
    return Checklist(
        items=tuple(items),
        next=("imgcls eda", "imgcls recipe run baseline", "imgcls ladder run baseline+augmentation --seeds 3"),
        back=(Reason("stalled", "1", "The last 3 rungs brought no evidence of a gain: a; b; c.", "imgcls eda"),),
        n_findings=1,
        damages=(Damage("runs/x/run.json is damaged: no JSON.", "what that run proves"),),
        notes=("The data look different from when they were last read.",),
        lang=lang,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("lang", ["en", "ko"])
def test_checklist(snapshot, lang: str, width: int) -> None:
    console = Console(width=width, file=io.StringIO(), highlight=False, emoji=False, color_system=None)
    console.print(drawn(lang), crop=False)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b" not in text
    assert text == snapshot
