"""Judge predictions that something else made: `python examples/judge_a_csv.py A.csv B.csv [--metric log_loss]`.

A CSV has a row for each prediction of an image by one training: `id`, `seed`, `recipe`, `label`, and a column `p_…` of
probabilities for each class; `group`, where images belong together. One file may hold several recipes:

    id,seed,recipe,label,p_cat,p_dog
    photo1,0,resnet,cat,0.91,0.09
    photo2,0,resnet,dog,0.40,0.60
    photo1,1,resnet,cat,0.72,0.28

Every recipe is compared with the first, on the images that all its trainings have.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from imgcls.errors import DataError, UsageError
from imgcls.evidence.gains import measure
from imgcls.evidence.variance import group_numbers
from imgcls.evidence.verdicts import Judged, contributed, judge

NEEDED = ("id", "seed", "recipe", "label")


def read(paths: list[Path]) -> pd.DataFrame:
    """Read tables of predictions and put them under each other.

    Raises:
        DataError: A column is missing, a prediction stands twice, or an image has two labels.
    """
    table = pd.concat([pd.read_csv(path, dtype={"id": str, "label": str, "recipe": str}) for path in paths])
    missing = [name for name in NEEDED if name not in table]
    if missing or not any(name.startswith("p_") for name in map(str, table)):
        raise DataError(f"Columns are missing: {', '.join(missing) or 'p_… of each class'}.")
    twice = table.duplicated(["recipe", "seed", "id"])
    if twice.any():
        first = table[twice].iloc[0]
        raise DataError(f"{first['recipe']}, seed {first['seed']}, has two predictions of {first['id']!r}; keep one.")
    if (table.groupby("id")["label"].nunique() > 1).any():
        raise DataError("An image has two labels; all files have to be of the same images.")
    return table


def judged(table: pd.DataFrame, *, metric: str) -> dict[str, Judged]:
    """Compare every recipe with the first one; all comparisons are counted.

    Raises:
        DataError: A label has no column of probabilities, or there is no image that all trainings predicted.
    """
    classes = [name.removeprefix("p_") for name in map(str, table) if name.startswith("p_")]
    unknown = sorted(set(table["label"]) - set(classes))
    if unknown:
        raise DataError(f"Labels without a column of probabilities: {', '.join(unknown)}.")
    n_runs = table.groupby(["recipe", "seed"]).ngroups
    counts = table["id"].value_counts()
    common = sorted(counts[counts == n_runs].index)
    if not common:
        raise DataError("There is no image that all trainings predicted.")
    if len(common) < len(counts):
        print(f"{len(counts) - len(common)} images are left out: not every training predicted them.")
    first = table.drop_duplicates("id").set_index("id").loc[common]
    labels = first["label"].map(classes.index).to_numpy()
    groups = group_numbers(first["group"], n=len(common)) if "group" in first else None
    rows = {}
    for recipe, of_recipe in table.groupby("recipe", sort=False):
        runs = [run.set_index("id").loc[common] for _, run in of_recipe.groupby("seed")]
        values = [run[[f"p_{name}" for name in classes]].to_numpy() for run in runs]
        rows[str(recipe)] = contributed(metric, values, labels, name=str(recipe), groups=groups)
    base, *others = rows
    gains = [measure(rows[base], rows[other], groups=groups) for other in others]
    return dict(zip(others, judge(gains), strict=True))


def main(paths: list[Path], *, metric: str) -> None:
    """Print a line for each recipe but the first."""
    table = read(paths)
    print(f"{metric}, against {table['recipe'].iloc[0]}: gain, 95 % interval, verdict")
    for recipe, found in judged(table, metric=metric).items():
        runs = " and ".join(str(n) for n in found.gain.n_runs)
        units = f", {found.gain.n_units} groups" if found.gain.has_groups else ""
        print(f"{recipe}: {found}; {runs} seeds, {found.gain.n_images} images{units}")
        if found.detectable is not None and found.verdict not in ("better", "worse"):
            print(f"  a gain of {found.detectable:.4f} would have been found four times in five")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "tables", nargs="+", type=Path, help="CSV files of predictions; the first recipe is the baseline"
    )
    parser.add_argument(
        "--metric", default="accuracy", help="accuracy, macro_f1, roc_auc, log_loss; choose before looking"
    )
    arguments = parser.parse_args()
    try:
        main(arguments.tables, metric=arguments.metric)
    except UsageError as problem:
        parser.error(str(problem))
