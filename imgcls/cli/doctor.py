"""`imgcls doctor`: whether this machine can do the work."""

from __future__ import annotations

import click

from imgcls.cli.options import JSON, print_json


@click.command()
@JSON
def doctor(as_json: bool) -> int:
    """Check versions, device, threads, weights and packages of this machine."""
    from imgcls.engine.doctor import examine
    from imgcls.reports.doctor import Examination

    findings = examine()
    n_bad = sum(finding.state == "bad" for finding in findings)
    if as_json:
        print_json({"schema": 1, "checks": [finding.to_json() for finding in findings], "n_bad": n_bad})
    else:
        from imgcls.reports.text import show

        show(Examination(tuple(findings)))
    return 1 if n_bad else 0
