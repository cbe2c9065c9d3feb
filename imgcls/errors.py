"""Every exception that imgcls raises on purpose.

    ImgclsError                     exit 1   the work failed
    ├── StrictError                 exit 3   --strict stops at what is reported otherwise
    ├── TrainingError               exit 1   a training stopped before its end (also a RuntimeError)
    │   └── DivergedError           exit 1   the loss became NaN or infinite
    └── UsageError                  exit 2   something to change before the work can start (also a ValueError)
        ├── PlanError                        a plan asks for something that does not exist or cannot be
        ├── StackError                       a stack of recipes cannot be read or combined
        ├── DataError                        photographs, tables or labels
        │   └── DecodeError                  one photograph that cannot be read
        ├── WeightsError                     initial or stored weights
        ├── DeviceError                      a device that this machine does not have
        ├── ProblemError                     imgcls.toml or findings.toml cannot be read or does not fit
        ├── WorkspaceError                   folders and files of the workspace
        │   └── BusyError                    another process holds what is needed
        └── RecordError                      a run record that is missing, damaged or of another kind

A message says what is wrong, where, and what to do next. All problems of one kind are reported
together: see `ImgclsError.together`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self


class ImgclsError(Exception):
    """The root of the tree: catch it to catch everything imgcls raises on purpose."""

    exit_code = 1

    @classmethod
    def together(cls, problems: Sequence[str], *, heading: str = "") -> Self:
        """Make one error out of several problems, one to a line.

        Args:
            problems: At least one message.
            heading: A line above them, used only when there are several.
        """
        if len(problems) == 1:
            return cls(problems[0])
        lines = [heading or f"{len(problems)} problems:", *(f"  - {problem}" for problem in problems)]
        return cls("\n".join(lines))


class StrictError(ImgclsError):
    """Something is open, and --strict stops where it would only be reported otherwise."""

    exit_code = 3


class TrainingError(ImgclsError, RuntimeError):
    """A training stopped before its end."""


class DivergedError(TrainingError):
    """The loss became NaN or infinite; the message names the epoch and the batch."""


class UsageError(ImgclsError, ValueError):
    """Something has to be changed before the work can start."""

    exit_code = 2


class PlanError(UsageError):
    """A plan asks for something that does not exist or cannot be."""


class StackError(UsageError):
    """A stack of recipes cannot be read or combined."""


class DataError(UsageError):
    """Photographs, tables or labels are not what the work needs."""


class DecodeError(DataError):
    """One photograph cannot be read; the message is the reason, without the path."""


class WeightsError(UsageError):
    """Initial or stored weights are missing, damaged or do not fit."""


class DeviceError(UsageError):
    """A device was asked for that this machine does not have."""


class ProblemError(UsageError):
    """The file that says what the problem is, or what of the data is left out, cannot be used."""


class WorkspaceError(UsageError):
    """A folder or file of the workspace cannot be used."""


class BusyError(WorkspaceError):
    """Another process holds what is needed."""


class RecordError(UsageError):
    """A run record is missing, damaged or of another kind than expected."""


def nearest(name: str, known: Iterable[str], *, most: int = 3, likeness: float = 0.5) -> list[str]:
    """Return the known names nearest to a wrong one, the nearest first.

    Args:
        name: What was typed.
        known: What could have been.
        most: How many names to return at the most.
        likeness: The least likeness, as `difflib` measures it: 1 is the same name.
    """
    from difflib import get_close_matches

    return get_close_matches(name, list(known), n=most, cutoff=likeness)


def nearest_hint(name: str, known: Iterable[str]) -> str:
    """Return ` Did you mean …?` with the known names nearest to a wrong one, or nothing."""
    near = nearest(name, known)
    return f" Did you mean {' or '.join(repr(entry) for entry in near)}?" if near else ""
