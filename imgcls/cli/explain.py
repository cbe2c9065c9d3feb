"""`imgcls explain`: where a trained network looked, and whether one region of the pictures decides."""

from __future__ import annotations

from pathlib import Path

import click

from imgcls.cli.options import DEVICE, JSON, OUT, print_json, workspace_of


@click.command()
@click.argument("run")
@click.argument("photo", nargs=-1)
@click.option(
    "--output",
    "-o",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the pictures, new or written by this command before.  [default: reports/explain/RUN]",
)
@click.option("--class", "class_name", help="Explain this class instead of the one predicted and the true one.")
@click.option("--layer", help="The layer of the network.  [default: its last fine block that decides]")
@DEVICE
@OUT
@JSON
def explain(
    run: str,
    photo: tuple[str, ...],
    output: Path | None,
    class_name: str | None,
    layer: str | None,
    device: str,
    out: Path | None,
    as_json: bool,
) -> int:
    """Show where RUN looked in each PHOTO: a picture for every class that it predicted, and for the true one.

    A PHOTO is a file, or the id of a photograph that validated RUN, whose true class is then known. Without PHOTO the
    maps of at most 64 photographs of validation tell whether one region of the pictures decides, such as a mark in a
    corner; the checklist follows that.
    """
    from imgcls.errors import UsageError
    from imgcls.reports.console import show
    from imgcls.reports.heat_maps import ExplainedView, RegionView, free_folder, write_pictures
    from imgcls.reports.live import reporter_for

    workspace = workspace_of(out)
    if not photo and (output is not None or class_name is not None):
        raise UsageError("--output and --class are for photographs: name one, or leave them out.")
    with reporter_for(as_json=as_json) as reporter:
        reporter.note("Loading torch and the network …")
        from imgcls.engine.device import Machine
        from imgcls.engine.explain import explain_photos, explainable
        from imgcls.engine.predictor import load
        from imgcls.engine.regions import look_at_regions

        record, machine = explainable(run, workspace), Machine(device, keep_memory=True)
        if not photo:
            report = look_at_regions(record, workspace, layer=layer, machine=machine)
        else:
            folder = free_folder(output or workspace.reports / "explain" / record.id)
            found, reasons = explain_photos(
                load(record, machine=machine), photo, workspace, class_name=class_name, layer=layer
            )
    if not photo:
        if as_json:
            print_json({**report.to_json(), "path": str(report.file)})
        else:
            show(RegionView(report))
        return 0
    written = write_pictures(found, reasons, record.id, folder)
    if as_json:
        print_json({**written.to_json(), "path": str(folder)})
    else:
        show(ExplainedView(written, folder))
    return 1 if reasons else 0
