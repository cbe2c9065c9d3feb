"""Measure imgcls: speed (`stock`), how often it errs (`verdicts`, `series` …), what kills leave, and its structure."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from benchmarks.climbs import climb_set, with_climbs
from benchmarks.comparison import Comparison
from benchmarks.duplicates import OutcomeTable, measure
from benchmarks.house import as_markdown, measure_house
from benchmarks.mislabelled import DRAWN, as_row, draw_materials, measure_suspects
from benchmarks.mislabelled import as_table as suspects_table
from benchmarks.pairs import try_pairs
from benchmarks.photos import Photos, lay_out, write_first_weights
from benchmarks.publishing import publish, with_tables
from benchmarks.rounds import Side, run_rounds
from benchmarks.series import count_series
from benchmarks.setting import MODEL, Setting
from benchmarks.study import BASE, SETS, STOCK, Study, as_table, judged_rows, write_rows
from benchmarks.study_page import draw, with_study
from benchmarks.table import ComparisonTable
from benchmarks.verdict_table import DetectableTable, VerdictTable
from benchmarks.verdicts import WORLDS, parts, simulate
from imgcls.data.source import DataSource
from imgcls.engine.progress import Silent
from imgcls.errors import ImgclsError
from imgcls.storage import write_json
from imgcls.workspace import Workspace

LADDERS = Path(__file__).parent / "ladders"
TABLES = Path("docs", "guide", "published-ladders.md")
STUDY_ROWS = Path(__file__).parent / "study_rows"
CLIMBS = Path(__file__).parent / "climbs"
STUDY_PAGE = Path("docs", "guide", "study.md")
QUIET = 0.5
"""Load average, processes that want a core, above which a person is warned."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def benchmarks() -> None:
    """Measure imgcls: its speed on this machine, and how often its verdicts are right."""


@benchmarks.command()
@click.option("--data", help="A folder or table of photographs, one label each.  [default: elpv, solar cells]")
@click.option("--size", default=128, show_default=True, help="Side of the images in pixels.")
@click.option("--n", type=click.IntRange(8), help="About how many photographs to take in all.  [default: every one]")
@click.option("--batch-size", type=click.IntRange(2), default=64, show_default=True, help="Photographs per step.")
@click.option("--epochs", type=click.IntRange(1), default=1, show_default=True, help="Passes over the photographs.")
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True, help="Rounds.")
@click.option(
    "--workers",
    type=click.IntRange(0),
    multiple=True,
    default=(0, 1, 2),
    show_default=True,
    help="Worker processes to try for fastai; repeatable.",
)
@click.option("--our-workers", type=click.IntRange(0), default=0, show_default=True, help="Worker processes of imgcls.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides what is random.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def stock(
    data: str | None,
    size: int,
    n: int | None,
    batch_size: int,
    epochs: int,
    repeats: int,
    workers: tuple[int, ...],
    our_workers: int,
    seed: int,
    as_json: bool,
) -> None:
    """Train one network on the same photographs with stock fastai and with imgcls, in turn.

    Close other programs first: beside a busy one even ratios mean little.
    """
    load = os.getloadavg()[0]
    if load > QUIET:
        click.echo(
            f"This machine is busy (load {load:.1f}): neither times nor ratios of this run will carry.", err=True
        )
    with tempfile.TemporaryDirectory(prefix="imgcls-benchmark-") as name:
        scratch = Path(name)
        photos = lay_out(data, scratch / "photos", n=n, batch_size=batch_size)
        weights = scratch / "first.safetensors"
        write_first_weights(MODEL, weights, n_classes=photos.n_classes, seed=seed)
        setting = Setting(
            photos=str(photos.folder),
            first_weights=str(weights),
            scratch=str(scratch),
            n_classes=photos.n_classes,
            size_px=size,
            batch_size=batch_size,
            n_epochs=epochs,
            n_workers=0,
            seed=seed,
        )
        rounds = run_rounds(
            _sides(workers, our_workers),
            setting,
            n_rounds=repeats,
            scratch=scratch / "rounds",
            tell=lambda text: click.echo(text, err=True),
        )
    _show(Comparison(rounds), setting, photos, load=load, as_json=as_json)


@benchmarks.command()
@click.option("--pairs", type=click.IntRange(1), default=4000, show_default=True, help="Comparisons for each cell.")
@click.option("--ladders", type=click.IntRange(1), default=1500, show_default=True, help="Ladders for each cell.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides what is drawn.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def verdicts(pairs: int, ladders: int, seed: int, as_json: bool) -> None:
    """Draw ladders whose truth is known, and count how often the verdicts are right."""
    sizes = {world.name: parts(world, seed=seed) for world in WORLDS}
    counted = []
    for entry in simulate(n_pairs=pairs, n_ladders=ladders, seed=seed):
        counted.append(entry)
        click.echo(f"{entry.world}, {entry.n_seeds} seeds, {entry.n} images, {entry.question}", err=True)
    if as_json:
        told = [{**asdict(entry), "share": entry.share, "error": entry.error} for entry in counted]
        drawn = {"pairs": pairs, "ladders": ladders, "seed": seed}
        of_noise = {name: asdict(found) for name, found in sizes.items()}
        click.echo(json.dumps({"schema": 1, **drawn, "counted": told, "parts": of_noise}, indent=2))
        return
    title = f"{pairs} comparisons and {ladders} ladders drawn for each cell, seed {seed}"
    Console().print(VerdictTable(counted, title), "", DetectableTable(sizes))


def _sides(workers: tuple[int, ...], our_workers: int) -> list[Side]:
    """Return the settings of fastai that are tried, and imgcls last."""
    reference = [
        Side(f"fastai, {n} worker{'s' * (n != 1)}", "benchmarks.fastai_side", n) for n in dict.fromkeys(workers)
    ]
    return [*reference, Side("imgcls", "benchmarks.imgcls_side", our_workers)]


def _show(found: Comparison, setting: Setting, photos: Photos, *, load: float, as_json: bool) -> None:
    if as_json:
        told = {"size_px": setting.size_px, "batch_size": setting.batch_size, "n_epochs": setting.n_epochs}
        n = {"train": photos.n_train, "valid": photos.n_valid}
        click.echo(
            json.dumps({"schema": 1, "model": MODEL, "n": n, "load_before": load, **told, **found.to_json()}, indent=2)
        )
        return
    title = (
        f"{MODEL}, {setting.size_px} px, batches of {setting.batch_size}, {photos.n_train} training and "
        f"{photos.n_valid} validation photographs, epochs: {setting.n_epochs}, rounds: {len(found.rounds)}, "
        f"load before: {load:.1f}"
    )
    Console().print(ComparisonTable(found, title))


@benchmarks.command()
@click.argument("data", required=False)
@click.option("--seed", "seeds", type=click.IntRange(0), multiple=True, default=(0,), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def duplicates(data: str | None, seeds: tuple[int, ...], as_json: bool) -> None:
    """Hide copies and broken files in a copy of DATA, by default elpv, and count what is found; one for each seed.

    Copies across splits make a score flatter: a linear probe is measured with them, and without what was found.

    DATA is a folder or table, or the name of a set in the folder that IMGCLS_TEST_DATA names.
    """
    with tempfile.TemporaryDirectory(prefix="imgcls-benchmark-") as scratch:
        outcome = measure(_placed(data), Path(scratch), seeds=seeds, reporter=Silent())
    if as_json:
        click.echo(json.dumps(outcome.to_json(), indent=2))
    else:
        Console().print(OutcomeTable(outcome))


@benchmarks.command()
@click.argument("data", required=False)
@click.option("--pieces", type=click.IntRange(20), default=60, show_default=True, help="Series in each planting.")
@click.option(
    "--renamings", type=click.IntRange(0), default=20, show_default=True, help="Of unrelated photographs, by each form."
)
@click.option("--seed", "seeds", type=click.IntRange(0), multiple=True, default=(0,), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def series(data: str | None, pieces: int, renamings: int, seeds: tuple[int, ...], as_json: bool) -> None:
    """Count how often series are found that are planted, and how often names that mean nothing are taken for some.

    DATA is a folder or table, or the name of a set in the folder that IMGCLS_TEST_DATA names.
    """
    with tempfile.TemporaryDirectory(prefix="imgcls-benchmark-") as scratch:
        found = count_series(
            _placed(data), Path(scratch), n_pieces=pieces, n_renamings=renamings, seeds=seeds, reporter=Silent()
        )
    if as_json:
        click.echo(json.dumps({"schema": 1, **asdict(found)}, indent=2))
        return
    click.echo(f"series in the set itself: {found.itself or 'none'}")
    for what, counts in (("planted series found", found.planted), ("unrelated ones taken for series", found.alarms)):
        click.echo(f"{what}: {', '.join(f'{naming} {n} of {of}' for naming, (n, of) in counts.items())}")


def _placed(data: str | None) -> str | None:
    """Return the place of data, which may be named as a set in the folder that IMGCLS_TEST_DATA names."""
    home = Path(os.environ.get("IMGCLS_TEST_DATA", ""))
    return str(home / data) if data and not Path(data).exists() and (home / data).exists() else data


@benchmarks.command()
@click.option(
    "--root",
    "roots",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    multiple=True,
    default=(Path(__file__).parents[1],),
    help="A checkout; repeatable, a column for each.  [default: this one]",
)
@click.option("--no-journeys", is_flag=True, help="Only read the files; run nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def house(roots: tuple[Path, ...], no_journeys: bool, as_json: bool) -> None:
    """Measure the structure of the code, and through how many files values walk; minutes."""
    if others := [str(root) for root in roots if not (root / ".importlinter").is_file()]:
        raise click.UsageError(f"No checkout of imgcls (no .importlinter): {', '.join(others)}.")
    if len({root.absolute().name for root in roots}) < len(roots):
        raise click.UsageError("Two checkouts have folders of one name: rename one, or name a link to it.")
    found = {root.absolute().name: measure_house(root, with_journeys=not no_journeys) for root in roots}
    if as_json:
        click.echo(
            json.dumps({"schema": 1, **{name: measured.to_json() for name, measured in found.items()}}, indent=2)
        )
    else:
        click.echo(as_markdown(found))


@benchmarks.command()
@click.option(
    "--n", type=click.IntRange(5), default=200, show_default=True, help="Kills in all, of five kinds of work."
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("kills.jsonl"),
    show_default=True,
    help="A line of JSON for each kill; those that it holds are not done again.",
)
@click.option("--kind", "kinds", multiple=True, help="Only this kind of work; repeatable.  [default: all]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides the moments.")
def kills(n: int, out: Path, kinds: tuple[str, ...], seed: int) -> None:
    """Kill trainings, ladders, decisions, submissions and fillings of the cache, and count what was lost; an hour."""
    from benchmarks.kills import kill_all

    n_wrong = 0
    with tempfile.TemporaryDirectory(prefix="imgcls-kills-") as scratch:
        for kill in kill_all(n, Path(scratch).resolve(), out, seed=seed, kinds=kinds):
            n_wrong += bool(kill.problems)
            said = "; ".join(kill.problems) or "all well"
            click.echo(f"{kill.kind} {kill.number}, {kill.way}, {kill.after_seconds:.2f} s, {kill.found}: {said}")
    sys.exit(1 if n_wrong else 0)


@benchmarks.group()
def ladders() -> None:
    """Publish ladders that were run, and write their tables into docs/guide/published-ladders.md."""


@ladders.command("publish")
@click.argument("workspace", type=click.Path(file_okay=False, exists=True, path_type=Path))
@click.argument("ladder", required=False)
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Where it goes, such as benchmarks/ladders/NAME.",
)
def publish_one(workspace: Path, ladder: str | None, folder: Path) -> None:
    """Write what may be shown of LADDER, by default the newest, in WORKSPACE."""
    done = publish(Workspace(workspace.absolute()), ladder, folder)
    click.echo(f"Wrote {done.name} to {folder}. Next: python -m benchmarks ladders table")


@ladders.command("table")
def write_tables() -> None:
    """Write the tables of all published ladders into docs/guide/published-ladders.md."""
    TABLES.write_text(with_tables(TABLES.read_text(encoding="utf-8"), LADDERS), encoding="utf-8")


STUDY = ("baseline", "linear_probe", "fastai")


@benchmarks.command()
@click.argument("stacks", nargs=-1)
@click.option("--home", type=click.Path(file_okay=False, path_type=Path), default=Path("study"), show_default=True)
@click.option(
    "--set", "chosen", type=click.Choice([entry.name for entry in SETS]), multiple=True, help="[default: all]"
)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Seeds of each stack.")
@click.option("--stock-epochs", type=click.IntRange(1), default=3, show_default=True, help="Epochs of fastai's side.")
@click.option("--judge-only", is_flag=True, help="Train nothing; judge what is there.")
@click.option("--json", "to", type=click.Path(dir_okay=False, path_type=Path), help="Also write the rows here.")
def recipes(
    stacks: tuple[str, ...],
    home: Path,
    chosen: tuple[str, ...],
    seeds: int,
    stock_epochs: int,
    judge_only: bool,
    to: Path | None,
) -> None:
    """Train STACKS on sets of real photographs, each once a seed, and judge them against the baseline; resumable.

    STACKS are such as baseline+augmentation; `fastai` is the other side. The baseline is always among them. The sets
    lie in the folder that IMGCLS_TEST_DATA names.
    """
    study = Study(
        home=home,
        place=Path(os.environ.get("IMGCLS_TEST_DATA", "../shared/data")),
        sets=tuple(entry for entry in SETS if not chosen or entry.name in chosen),
        stacks=tuple(dict.fromkeys((BASE, *(stacks or STUDY)))),
        n_seeds=seeds,
        stock_epochs=stock_epochs,
        tell=click.echo,
    )
    if not judge_only:
        study.run()
    others = [stack for stack in study.stacks if stack not in (BASE, STOCK)]
    pairs = [(stack, BASE) for stack in study.stacks]
    if STOCK in study.stacks:
        pairs += [(stack, STOCK) for stack in others]
    rows = judged_rows(study, pairs)
    if to is not None:
        write_rows(rows, to)
    click.echo(as_table(rows))


@benchmarks.command("mislabelled")
@click.option(
    "--set",
    "name",
    default=DRAWN,
    show_default=True,
    help="A set of the study with one label an image, or the drawn one.",
)
@click.option("--stack", default=f"{BASE}+linear_probe", show_default=True, help="What is trained, in five folds.")
@click.option(
    "--share",
    type=click.FloatRange(0, 0.5, min_open=True),
    default=0.05,
    show_default=True,
    help="Of the labels, how many are changed.",
)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Draws.")
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder for tables and runs; they are found again there.",
)
@click.option("--json", "to", type=click.Path(dir_okay=False, path_type=Path), help="File that rows are written to.")
def mislabelled(name: str, stack: str, share: float, seeds: int, home: Path, to: Path | None) -> None:
    """Hide wrong labels in a set, and measure how many of them suspects name, and what a review of these is worth."""
    place = home.absolute() / name
    if name == DRAWN:
        photographs = place / "photographs"
        source = DataSource(str(photographs if photographs.is_dir() else draw_materials(photographs)))
    else:
        (chosen,) = (entry for entry in SETS if entry.name == name)
        source = chosen.source(Path(os.environ.get("IMGCLS_TEST_DATA", "../shared/data")), place)
    rows = []
    for seed in range(seeds):
        rows.append(as_row(measure_suspects(name, source, stack=stack, share=share, seed=seed, home=place)))
        if to is not None:
            write_json(to, rows)
    click.echo(suspects_table(rows))


@benchmarks.command("pairs")
@click.option("--home", type=click.Path(file_okay=False, path_type=Path), default=Path("pairs"), show_default=True)
@click.option("--most", type=click.IntRange(1), help="Pairs at the most.  [default: all]")
@click.option("--json", "to", type=click.Path(dir_okay=False, path_type=Path), help="Also write what was found here.")
def all_pairs(home: Path, most: int | None, to: Path | None) -> None:
    """Train every two recipes that may stand together on a small set, and list those that end below the baseline."""
    chosen = next(entry for entry in SETS if entry.name == "apples_pears")
    place = Path(os.environ.get("IMGCLS_TEST_DATA", "../shared/data"))
    found = try_pairs(chosen.source(place, home), home, metric=chosen.metric, tell=click.echo, most=most)
    if to is not None:
        write_json(to, {"schema": 1, "pairs": [asdict(pair) for pair in found]})
    click.echo(f"{len(found)} failed or ended below the baseline.")


@benchmarks.command()
@click.option("--home", type=click.Path(file_okay=False, path_type=Path), default=Path("study"), show_default=True)
@click.option(
    "--set", "chosen", type=click.Choice([entry.name for entry in SETS]), multiple=True, help="[default: all]"
)
@click.option("--budget", default="30m", show_default=True, help="What the trainings of each climb may take.")
def climbs(home: Path, chosen: tuple[str, ...], budget: str) -> None:
    """Climb on sets of real photographs, or go on with it, and keep what was found in benchmarks/climbs."""
    place = Path(os.environ.get("IMGCLS_TEST_DATA", "../shared/data"))
    for entry in SETS:
        if not chosen or entry.name in chosen:
            found = climb_set(entry, place=place, home=home, budget=budget, to=CLIMBS)
            click.echo(f"{entry.name}: {found.chosen}")


@benchmarks.command()
def study() -> None:
    """Write the study's page: tables and picture from benchmarks/study_rows, climbs from benchmarks/climbs."""
    text = with_study(STUDY_PAGE.read_text(encoding="utf-8"), STUDY_ROWS)
    STUDY_PAGE.write_text(with_climbs(text, CLIMBS), encoding="utf-8")
    draw(STUDY_ROWS, Path("docs", "pictures", "study.svg"))


if __name__ == "__main__":
    try:
        benchmarks()
    except ImgclsError as problem:
        click.echo(f"Error: {problem}", err=True)
        sys.exit(problem.exit_code)
