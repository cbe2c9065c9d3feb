"""What `imgcls eda` does once its options are read: the part that needs pandas and torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imgcls.cli.data_options import source_of
from imgcls.cli.options import print_json
from imgcls.eda.explore import explore, reports_of
from imgcls.eda.facts import Facts
from imgcls.problem.naming import data_option
from imgcls.reports.live import reporter_for
from imgcls.reports.looked import LookedAt
from imgcls.reports.page.looking import write_eda_page
from imgcls.reports.text import show
from imgcls.workspace import Workspace


def look_and_report(options: Mapping[str, Any], *, workspace: Workspace, quick: bool, as_json: bool) -> Facts:
    """Look at data, write facts, pictures and the page, and print what was found.

    Args:
        options: The options of `eda`, by name.
        workspace: Where reports go.
        quick: Whether to look at a part only.
        as_json: Whether a program is listening.
    """
    source = source_of(options)
    with reporter_for(as_json=as_json) as reporter:
        facts = explore(
            source,
            metadata=options["metadata"],
            workspace=workspace,
            quick=quick,
            reporter=reporter,
        )
        page = write_eda_page(facts, reports_of(workspace, quick=quick), with_images=not options["no_images"])
    if as_json:
        print_json(facts.to_json())
    else:
        show(facts)
        show(LookedAt(facts, page, again=data_option(vars(source)), out=workspace.as_option))
    return facts
