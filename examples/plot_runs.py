"""Draw the learning curves of every run in a workspace: `python examples/plot_runs.py [FOLDER] [PICTURE]`."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt

from imgcls.records.find import find_runs
from imgcls.records.run import RunRecord
from imgcls.workspace import Workspace


def draw(records: list[RunRecord], picture: Path) -> None:
    """Draw validation accuracy by epoch, and each run's final accuracy with its 95 % interval.

    Args:
        records: Runs that were trained, not only predicted.
        picture: Where the PNG goes.
    """
    figure, (curves, scores) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
    for place, record in enumerate(records):
        rows = record.history()
        (line,) = curves.plot([row["epoch"] for row in rows], [row["valid_accuracy"] for row in rows], marker="o")
        final = record.metrics["accuracy"]
        if final.value is None:
            continue
        spread = None
        if final.low is not None and final.high is not None:
            spread = [[final.value - final.low], [final.high - final.value]]
        scores.errorbar(final.value, -place, xerr=spread, fmt="o", capsize=4, color=line.get_color())
    curves.set(xlabel="epoch", ylabel="validation accuracy", title="while training")
    curves.set_xticks(range(1, 1 + max(len(record.history()) for record in records)))
    scores.set(xlabel="accuracy with 95 % interval", title="as predicted in the end", ylim=(-len(records) + 0.5, 0.5))
    scores.set_yticks([-place for place in range(len(records))])
    names = [record.stack.replace("+", "+\n") for record in records]
    scores.set_yticklabels([f"{name}\nseed {r.seed}" for name, r in zip(names, records, strict=True)], fontsize=7)
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
    picture = Path(sys.argv[2]) if len(sys.argv) > 2 else Path("runs.png")
    trained = [record for record in find_runs(Workspace.find(folder))[0] if "history.csv" in record.files]
    if not trained:
        sys.exit("Nothing was trained here yet; begin with 'imgcls recipe run baseline'.")
    draw(trained, picture)
    print(f"Wrote {picture}.")
