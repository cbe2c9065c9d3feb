"""`imgcls init` and `imgcls eda` with its parts: describe the problem, look at the data, decide about findings."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgcls.cli.options import (
    FLAGS,
    JSON,
    METRIC_NAME,
    OUT,
    asking,
    data_options,
    overrides_of,
    print_json,
    problem_options,
    source_of,
    workspace_of,
)
from imgcls.config.metrics import CHOICE
from imgcls.data.source import FINDINGS_TOML
from imgcls.errors import ProblemError, UsageError, nearest
from imgcls.text import clean
from imgcls.workspace import MARKER, Workspace, check_writable

if TYPE_CHECKING:
    from imgcls.config.problem import Problem
    from imgcls.config.propose import Proposal
    from imgcls.data.source import DataSource
    from imgcls.eda.augmentation import AugmentationSheet


_INIT_OUT = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for imgcls.toml.  [default: the current one]",
)


@click.command()
@click.argument("source", required=False, metavar="[DATA]")
@click.option("--title", help="A short name for people.")
@click.option("--goal", help="Which classes to tell apart, and what for.")
@click.option("--background", help="Where the photographs come from, and what else is known of them.")
@click.option(
    "--metric",
    type=METRIC_NAME,
    help="What decides, such as accuracy, macro_f1, roc_auc or f_beta:beta=2; 'imgcls runs show --help' names all.  "
    "[default: by the kind of problem]",
)
@click.option("--sample-submission", help="The file that shows what a submission looks like.  [default: found]")
@click.option("--metadata", multiple=True, help="A table that says more of the photographs; repeatable.")
@problem_options
@click.option("--strict", is_flag=True, help="Exit with 3 where photographs are lost or not used.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@click.option(
    "--force",
    is_flag=True,
    help="Write an imgcls.toml again; its comments go, title, goal, background and skipped items stay.",
)
@_INIT_OUT
@JSON
def init(source: str | None, strict: bool, yes: bool, force: bool, as_json: bool, **options: Any) -> int:
    """Look at DATA and write imgcls.toml: what the problem is. Every command in the folder reads it.

    DATA is a folder, a table, torchvision:NAME or fastai:NAME; without it, the default data are meant. On a terminal
    you are asked for what cannot be seen.
    """
    from imgcls.reports.console import show

    if source is not None and options["data"] is not None:
        raise click.UsageError("Name the data once: as DATA or with --data.")
    data = source if source is not None else options["data"]
    workspace = Workspace((options["out"] or Path()).absolute())
    file = workspace.root / MARKER
    _check_place(workspace, data, images=options["images"], force=force)
    proposal = _proposed(data, workspace, options, may_ask=not (as_json or yes))
    if not yes and not as_json and sys.stdin.isatty() and sys.stdout.isatty():
        proposal = _asked(proposal)
    from imgcls.config.problem import write_problem
    from imgcls.reports.data import ProblemWritten

    workspace.root.mkdir(parents=True, exist_ok=True)
    write_problem(file, proposal.problem)
    written = ProblemWritten(proposal, file)
    if as_json:
        print_json(written.to_json())
    else:
        show(written)
    from imgcls.config.findings import open_losses

    samples = proposal.samples
    lost = open_losses(samples, workspace.root / FINDINGS_TOML) if strict and samples is not None else ()
    for entry in lost:
        click.echo(f"--strict: {clean(entry)}", err=True)
    return 3 if lost else 0


def _check_place(workspace: Workspace, data: str | None, *, images: str | None, force: bool) -> None:
    """Refuse a place that holds a problem already, that cannot be written, or that holds the photographs."""
    file = workspace.root / MARKER
    if file.is_symlink() or (file.exists() and not file.is_file()):
        raise UsageError(f"{file} is no ordinary file, and is not written over.")
    if file.exists() and not force:
        raise UsageError(
            f"{file} is there already; change it by hand, or write it again with --force: "
            "its comments go; title, goal, background and skipped items stay."
        )
    if data is not None:
        workspace.check_apart(data, images)
    check_writable(workspace.root, what=MARKER)


def _proposed(data: str | None, workspace: Workspace, options: dict[str, Any], *, may_ask: bool) -> Proposal:
    from imgcls.config.propose import carry_over, fill_in, propose
    from imgcls.reports.live import telling

    def looked_at(source: DataSource) -> Proposal:
        with telling("Looking at the data", as_json=not may_ask):
            return propose(
                source,
                workspace.root,
                sample_submission=options["sample_submission"],
                metadata=options["metadata"],
            )

    proposal = asking(looked_at, source_of({**options, "data": data}), may_ask=may_ask)
    if (before := _before(workspace.root / MARKER)) is not None:
        proposal = carry_over(proposal, before)
    said = {name: options[name] for name in ("title", "goal", "background", "metric")}
    return fill_in(proposal, said={**said, "fraction": options["valid"], "seed": options["split_seed"]})


def _before(file: Path) -> Problem | None:
    """Read the problem that is written over; None where there is none, or none that can be read."""
    from imgcls.config.problem import read_problem

    with contextlib.suppress(ProblemError):
        return read_problem(file) if file.exists() else None
    return None


def _asked(proposal: Proposal) -> Proposal:
    """Ask for what was not said and cannot be seen."""
    from imgcls.config.propose import fill_in

    problem, said = proposal.problem, {}
    for name, question in (
        ("title", "Title: a short name"),
        ("goal", "Goal: which classes to tell apart, and what for"),
        ("background", "Background: where the photographs come from"),
    ):
        if not getattr(problem, name):
            said[name] = click.prompt(question, default="", show_default=False).strip()
    kind = f" (the data look {problem.type})" if problem.type else ""
    click.echo(f"Metrics: {CHOICE}.", err=True)
    said["metric"] = click.prompt(f"Metric{kind}", type=METRIC_NAME, default=problem.metric or "accuracy")
    return fill_in(proposal, said=said)


@click.command()
@click.argument("stack")
@click.argument("source", required=False, metavar="[DATA]")
@click.option("--n", "n_variants", type=click.IntRange(1, 24), default=6, show_default=True, help="Variants of each.")
@click.option("--classes", multiple=True, metavar="CLASS", help="A class to show; repeatable.  [default: at most 12]")
@click.option(
    "--to",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write, a PNG.  [default: reports/pictures/augment-STACK.png]",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The seed of training.")
@click.option("--size", type=int, help="Side of the images in pixels (images.size_px).")
@click.option("--set", "set_", multiple=True, metavar="PATH=VALUE", help="Set any path of the base plan; repeatable.")
@data_options
@OUT
@JSON
def augment(stack: str, source: str | None, to: Path | None, as_json: bool, **options: Any) -> None:
    """Draw one photograph of each class of DATA as training with STACK would see it.

    Look whether a flip, a turn or a crop would change a label: then leave it out. Nothing is trained, and only the
    photographs that are shown are read.
    """
    from imgcls.config.problem import resolve
    from imgcls.reports.console import show

    if source is not None and options["data"] is not None:
        raise click.UsageError("Name the data once: as DATA or with --data.")
    options["data"] = source if source is not None else options["data"]
    from imgcls.catalog import Stack

    parsed = Stack.parse(stack, overrides_of({**dict.fromkeys(FLAGS), **options}))
    from imgcls.eda.augmentation import show_augmentation
    from imgcls.reports.live import telling

    workspace, named, answers = workspace_of(options["out"]), source_of(options), dict[str, Any]()

    def drawn(source: DataSource) -> AugmentationSheet:
        with telling("Drawing photographs", as_json=as_json):
            return show_augmentation(
                parsed,
                source,
                workspace=workspace,
                n_variants=options["n_variants"],
                classes=options["classes"] or None,
                file=to,
                seed=options["seed"],
                again=replace(named, **answers).as_options() + workspace.as_option,
            )

    sheet = asking(drawn, resolve(named, workspace.root), may_ask=not as_json, answers=answers)
    if as_json:
        print_json(sheet.to_json())
        return

    show(sheet)


_REPORTS = "reports"
_OUT = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder in which reports/ lies, or that folder itself.  [default: the nearest one with imgcls.toml, or the "
    "current one]",
)
_FINDINGS = click.argument("finding", nargs=-1)


class DefaultGroup(click.Group):
    """A group whose first command is meant wherever none is named."""

    DEFAULT = "look"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command in front, unless a command or the help is asked for."""
        if not args or (args[0] not in self.list_commands(ctx) and args[0] not in ctx.help_option_names):
            if args and not Path(args[0]).exists() and (near := _misspelled(args[0], self.list_commands(ctx))):
                raise click.UsageError(f"There is no command and no data {args[0]!r}. Did you mean {near!r}?", ctx)
            args = [self.DEFAULT, *args]
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the options of the default command, then the commands."""
        default = self.get_command(ctx, self.DEFAULT)
        assert default is not None  # noqa: S101 - it is added below
        click.Command.format_options(default, ctx, formatter)
        self.format_commands(ctx, formatter)


def _misspelled(word: str, commands: list[str]) -> str:
    """Return the command that somebody meant by a word; "" where it is none of them by a letter or two."""
    return next(iter(nearest(word, commands, most=1, likeness=0.75)), "")


@click.group(cls=DefaultGroup, options_metavar="", subcommand_metavar="[DATA] [OPTIONS] | COMMAND …")
def eda() -> None:
    """Look at DATA before training, and decide about what was found.

    'imgcls eda photos/' looks; a folder that has the name of a command is written ./apply.
    """


@eda.command()
@click.argument("source", required=False, metavar="[DATA]")
@click.option(
    "--metadata",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A table that says more of the photographs, such as who sent them; repeatable.",
)
@click.option("--quick", is_flag=True, help="Look at no more than 500 photographs.")
@click.option("--strict", is_flag=True, help="Exit with 3 when findings are open, or photographs not used.")
@click.option(
    "--no-images", is_flag=True, help="For data that must not travel: no photographs on the page, nor their names."
)
@click.option(
    "--map",
    "photo_map",
    is_flag=True,
    help="Draw a map of the photographs too, in which those lie side by side that a pretrained network sees alike.",
)
@data_options
@_OUT
@JSON
def look(source: str | None, quick: bool, strict: bool, as_json: bool, **options: Any) -> int:
    """Look at DATA: amounts, sizes, copies, leakage, and what asks for action."""
    if source is not None and options["data"] is not None:
        raise click.UsageError("Name the data once: as DATA or with --data.")
    options["data"] = source if source is not None else options["data"]
    workspace = _workspace(options["out"])
    from imgcls.engine.progress import step
    from imgcls.reports.console import show
    from imgcls.reports.live import reporter_for

    named, answers, with_images = source_of(options), dict[str, Any](), not options["no_images"]
    with reporter_for(as_json=as_json) as reporter:
        with step(reporter, "Loading torch"):
            from imgcls.eda.explore import explore, reports_of
            from imgcls.eda.photo_map import read_map
            from imgcls.reports.data import LookedAt
            from imgcls.reports.page.data_page import write_eda_page
        facts = asking(
            lambda source: explore(
                source,
                metadata=options["metadata"],
                workspace=workspace,
                quick=quick,
                photo_map=options["photo_map"],
                with_images=with_images,
                reporter=reporter,
            ),
            named,
            may_ask=not as_json,
            answers=answers,
        )
        with step(reporter, "Writing the page"):
            folder = reports_of(workspace, quick=quick)
            found = read_map(folder) if options["photo_map"] else None
            page = write_eda_page(facts, folder, with_images=with_images, photo_map=found)
    if as_json:
        print_json(facts.to_json())
    else:
        show(facts)
        show(LookedAt(facts, page, again=replace(named, **answers).as_options(), out=workspace.as_option))
    return 3 if strict and facts.needs_attention else 0


_OF_DECISIONS = (".csv", ".tsv", ".txt")
"""How files of decisions end; spreadsheets write text with tabs to the last."""


@eda.command("apply")
@_FINDINGS
@_OUT
@JSON
def apply_(finding: tuple[str, ...], out: Path | None, as_json: bool) -> int:
    """Apply FINDINGS, or all that can be: exclude images or keep them together, for every later command.

    A FINDING that ends in .csv (or .tsv, .txt) is a file of decisions, as 'imgcls review' and pages of runs make them:
    photographs get the labels that were decided on, or are left out. Several files are merged; where people disagree
    nothing is applied, and what they said is listed. 'imgcls eda undo review' takes it back.

    It is written to findings.toml; the photographs themselves are not touched.
    """
    files = [Path(name) for name in finding if Path(name).suffix.lower() in _OF_DECISIONS]
    if not files:
        from imgcls.eda.apply import apply_findings

        _tell(apply_findings(finding, _workspace(out)), as_json=as_json)
        return 0
    if len(files) < len(finding):
        raise UsageError("Findings and files of decisions are applied one after the other, not in one command.")
    from imgcls.eda.review import apply_review

    applied = apply_review(files, _workspace(out))
    if as_json:
        print_json(applied.to_json())
    else:
        from imgcls.reports.console import show
        from imgcls.reports.data import ReviewView

        show(ReviewView(applied))
    return 0 if applied.is_whole else 3


@eda.command()
@_FINDINGS
@_OUT
@JSON
def undo(finding: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """Take back what was applied or kept for FINDINGS, or for all of them."""
    from imgcls.eda.apply import undo_findings

    _tell(undo_findings(finding, _workspace(out)), as_json=as_json)


@eda.command()
@click.argument("finding", nargs=-1, required=True)
@click.option("--why", required=True, help="The reason, for those who read it later.")
@_OUT
@JSON
def keep(finding: tuple[str, ...], why: str, out: Path | None, as_json: bool) -> None:
    """Leave FINDINGS as they are, and say why."""
    from imgcls.eda.apply import keep_findings

    _tell(keep_findings(finding, why, _workspace(out)), as_json=as_json)


eda.add_command(augment)


def _workspace(out: Path | None) -> Workspace:
    """Return the workspace that `--out` names by itself or by its folder of reports, or the one at hand."""
    if out is not None and out.absolute().name == _REPORTS:
        return Workspace(out.absolute().parent)
    return workspace_of(out)


def _tell(decision: Any, *, as_json: bool) -> None:
    from imgcls.reports.console import show

    if as_json:
        print_json(decision.to_json())
        return
    from imgcls.reports.data import DecisionView

    show(DecisionView(decision))
