"""What a stack's augmentation does to photographs, told on a terminal."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from imgcls.eda.augmentation import AugmentationSheet
from imgcls.reports.text import clean, count, path, size


@dataclass(frozen=True)
class AugmentationView:
    """What a person sees when the picture was drawn, or why there is none."""

    sheet: AugmentationSheet
    """The picture."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Say what is on it, what to look for, and what comes next."""
        sheet = self.sheet
        if sheet.file is None:
            yield Text(f"{clean(sheet.stack)} leaves each training image as it is: there is nothing to draw.")
            for sentence in sheet.not_shown:
                yield Text(clean(sentence))
            yield _command(sheet.command)
            return
        which = "each class" if len(sheet.classes) == sheet.n_classes else f"{len(sheet.classes)} of the classes"
        which = f"{which} ({sheet.n_classes} in all)" if len(sheet.classes) != sheet.n_classes else which
        variants = count(sheet.n_variants, "variant")
        yield Text(f"A photograph of {which}, with {variants} as training sees them, {size(sheet.n_bytes)}:")
        yield path(sheet.file)
        yield Text(f"Changed by {clean(', '.join(sheet.shown))}")
        for sentence in sheet.not_shown:
            yield Text(clean(sentence))
        yield Text("\nLook for a variant that you would label differently:", style="bold")
        yield Text(
            "  a flip that turns left into right where that is the class, a crop that cuts off what it is about,"
        )
        yield Text(
            "  a colour or brightness that is the class itself. Then leave that transform out, or make it weaker."
        )
        yield _command(f"{sheet.command}    # does it help?")


def _command(text: str) -> Text:
    return Text(clean(f"Next: {text}"), style="dim", no_wrap=True, overflow="ignore")
