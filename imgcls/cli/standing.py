"""The line at the end of a command that trained: where the workspace stands now."""

from __future__ import annotations

from imgcls.workspace import Workspace


def tell_standing(workspace: Workspace) -> None:
    """Print the state of the checklist in a line; the work is done, so nothing that goes wrong here is told.

    Args:
        workspace: Where the work left its record.
    """
    try:
        from rich.console import Group

        from imgcls.checklists.evaluate import evaluate
        from imgcls.reports.checklist import status_line
        from imgcls.reports.text import show

        show(Group(status_line(evaluate(workspace))))  # alone, a text of rich forgets that it must not be broken
    except BrokenPipeError:
        raise
    except Exception:
        return
