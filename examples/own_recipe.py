"""Stack a recipe of one's own, the file beside this one: `python examples/own_recipe.py [PHOTOS] [--quick]`."""

from __future__ import annotations

import argparse
from pathlib import Path

import imgcls

RECIPE = Path(__file__).with_name("clip_gradients.py")


def main(photos: str | None, *, quick: bool) -> None:
    """Describe what the recipe changes, train with it, and read the score."""
    stack = imgcls.Stack.parse(f"baseline+{RECIPE}:norm=0.5")
    for path, (before, after) in stack.base_plan.diff(stack.plan).items():
        print(f"{path}: {before} becomes {after}")
    run = imgcls.train(stack, photos, quick=quick)
    print(f"log loss {run.metrics['log_loss'].value:.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="?", help="a folder for each class, or a table; the default data without it")
    parser.add_argument("--quick", action="store_true", help="one epoch on at most 500 photographs")
    arguments = parser.parse_args()
    main(arguments.photos, quick=arguments.quick)
