"""Train a stack of recipes and read its score: `python examples/three_lines.py [PHOTOS] [--quick]`."""

from __future__ import annotations

import argparse

import imgcls


def main(photos: str | None, *, quick: bool) -> None:
    """Train, and say how precise the score is and where the record lies."""
    run = imgcls.train("baseline+augmentation", photos, seed=0, quick=quick)
    score = run.metrics["accuracy"]
    print(f"accuracy {score.value:.3f}, 95 % interval {score.low:.3f} to {score.high:.3f}, record in {run.folder}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="?", help="a folder for each class, or a table; the default data without it")
    parser.add_argument("--quick", action="store_true", help="one epoch on at most 500 photographs")
    arguments = parser.parse_args()
    main(arguments.photos, quick=arguments.quick)
