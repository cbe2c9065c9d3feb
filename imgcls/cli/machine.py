"""`imgcls doctor` and `imgcls cache`: this machine, and the decoded photographs and fetched sets on it."""

from __future__ import annotations

import click

from imgcls.cli.options import JSON, print_json


@click.group()
def cache() -> None:
    """Show and clear the decoded photographs and fetched sets kept on this machine."""


@cache.command("show")
@JSON
def cache_show(as_json: bool) -> None:
    """Show what is kept, where, and how large it is."""
    from dataclasses import asdict

    from imgcls.data.cache import cache_report
    from imgcls.reports.machine import CacheTable
    from imgcls.workspace import cache_folder

    folder = cache_folder()
    pools = cache_report(folder)
    if as_json:
        print_json({"schema": 1, "folder": str(folder), "pools": [asdict(pool) for pool in pools]})
        return
    from imgcls.reports.console import show as show_view

    show_view(CacheTable(folder, tuple(pools)))


@cache.command()
@click.argument("name", required=False)
def clear(name: str | None) -> None:
    """Remove the decoded photographs of data set NAME, or all.

    They are decoded again when needed. The NAME "sets" stands for what torchvision fetched, which is fetched again,
    and "photographs" for those that stand in Parquet files, which are written out again.
    """
    from imgcls.data.cache import clear as clear_cache
    from imgcls.reports.console import size
    from imgcls.workspace import cache_folder

    click.echo(f"Freed {size(clear_cache(cache_folder(), name))}.")


@click.command()
@JSON
def doctor(as_json: bool) -> int:
    """Check versions, device, threads, weights and packages of this machine."""
    from imgcls.engine.doctor import examine
    from imgcls.reports.machine import Examination

    findings = examine()
    n_bad = sum(finding.state == "bad" for finding in findings)
    if as_json:
        print_json({"schema": 1, "checks": [finding.to_json() for finding in findings], "n_bad": n_bad})
    else:
        from imgcls.reports.console import show

        show(Examination(tuple(findings)))
    return 1 if n_bad else 0
