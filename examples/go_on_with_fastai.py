"""Let a plan make the Learner, then train it by hand: `python examples/go_on_with_fastai.py [PHOTOS] [--quick]`.

What `imgcls.learner` gives is a fastai Learner like any other. `fit(n)` follows the plan's schedule; fastai's own
methods bring theirs, and the plan's steps aside.
"""

from __future__ import annotations

import argparse

import imgcls


def main(photos: str | None, *, quick: bool) -> None:
    """Train the classifier, then the whole network, at rates found by fastai's own search."""
    small = {"images.size_px": 64} if quick else {}
    learn = imgcls.learner("baseline+augmentation+label_smoothing", photos, overrides=small)
    learn.freeze()
    rate = learn.lr_find(show_plot=False).valley
    learn.fit_one_cycle(1, rate)
    learn.unfreeze()
    learn.fit_one_cycle(1 if quick else 3, slice(rate / 20, rate / 2))
    loss, accuracy = learn.validate()
    print(f"found a rate of {rate:.1e}; validation loss {loss:.3f}, accuracy {accuracy:.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="?", help="a folder for each class, or a table; the default data without it")
    parser.add_argument("--quick", action="store_true", help="small images, and one epoch for each part")
    arguments = parser.parse_args()
    main(arguments.photos, quick=arguments.quick)
