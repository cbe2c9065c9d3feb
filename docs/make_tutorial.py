"""Write docs/tutorial.md from docs/tutorial.md.in: every command is run, and what it printed is what is shown.

The source is Markdown. In a block ```` ```console ````, each line that begins with `$ ` is run in one fresh
workspace, 80 columns wide and without colour, and what it wrote to stdout is put below it. Words after
`console` say more: `exit=3` is the exit code expected (0), `head=N` keeps the first N lines and says how many
follow. A picture whose target begins with `workspace:` is copied from the workspace into docs/pictures/tutorial.

Places of this machine are written as `…`; times and scores are those of the run.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).parent
SOURCE, TARGET, PICTURES = DOCS / "tutorial.md.in", DOCS / "tutorial.md", DOCS / "pictures" / "tutorial"
MOST_PICTURE_BYTES = 300_000
_BLOCK = re.compile(r"^```console(?P<words>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_PICTURE = re.compile(r"\]\(workspace:(?P<path>[^)]+)\)")
_TIMEOUT_SECONDS = 900


class TutorialError(Exception):
    """A command of the tutorial did not do what the tutorial says."""


@dataclass(frozen=True)
class Step:
    """One block of commands."""

    commands: tuple[str, ...]
    """The lines to run."""
    exit_code: int = 0
    """What each of them has to end with."""
    n_head: int | None = None
    """How many lines of output are kept; None for all."""

    @classmethod
    def of(cls, words: str, body: str) -> Step:
        """Read a block.

        Args:
            words: What stands after `console`.
            body: The lines of the block.

        Raises:
            TutorialError: It says something that is not known, or holds no command.
        """
        options = dict(word.partition("=")[::2] for word in words.split())
        exit_code, n_head = options.pop("exit", "0"), options.pop("head", None)
        lines = body.replace("\\\n", " ").splitlines()
        commands = tuple(line.removeprefix("$ ") for line in lines if line.startswith("$ "))
        if options or not commands:
            raise TutorialError(f"A block says {words!r} and has {len(commands)} commands: {body[:80]!r}")
        return cls(commands, int(exit_code), int(n_head) if n_head else None)


@dataclass
class Place:
    """The fresh workspace that the commands are run in."""

    root: Path
    """A folder that is removed afterwards."""
    workspace: Path = field(init=False)
    """Where the commands are typed."""

    def __post_init__(self) -> None:
        self.workspace = self.root / "solar"
        self.workspace.mkdir()

    def run(self, step: Step) -> str:
        """Run the commands of a block, and give the block as a person would see it.

        Raises:
            TutorialError: A command ended otherwise than it should.
        """
        shown = []
        for command in step.commands:
            done = subprocess.run(
                [sys.executable, "-m", *shlex.split(command, comments=True)],
                cwd=self.workspace,
                env=self._environment(),
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_SECONDS,
                check=False,
            )
            if done.returncode != step.exit_code:
                raise TutorialError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
            shown += [f"$ {command}", *self._output(done.stdout, step.n_head)]
        return "\n".join(["```console", *shown, "```"])

    def picture(self, path: str) -> str:
        """Copy a picture of the workspace beside the tutorial, small enough to travel, and give its place there."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        target = PICTURES / Path(path).name
        image = Image.open(self.workspace / path).convert("RGB")
        image.save(target, optimize=True)
        while target.stat().st_size > MOST_PICTURE_BYTES:
            image = image.resize((image.width * 4 // 5, image.height * 4 // 5), Image.Resampling.LANCZOS)
            image.quantize(256).save(target, optimize=True)
        return target.relative_to(DOCS).as_posix()

    def _output(self, text: str, n_head: int | None) -> Iterator[str]:
        lines = [line.rstrip() for line in self._scrubbed(text).strip("\n").splitlines()]
        kept = lines[:n_head]
        yield from kept
        if len(kept) < len(lines):
            yield f"… {len(lines) - len(kept)} more lines"

    def _scrubbed(self, text: str) -> str:
        """Write the places of this machine as `…`, also where a line was broken within them."""
        for place in (str(self.root), sysconfig.get_paths()["purelib"]):
            text = text.replace(place, "…")
        return text

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("IMGCLS_", "FORCE_COLOR"))}
        return kept | {
            "COLUMNS": "80",
            "NO_COLOR": "1",
            "HF_HUB_OFFLINE": "1",
            "MPLBACKEND": "Agg",
            "IMGCLS_CACHE": str(self.root / "cache"),
        }


def commands_of(source: str) -> list[str]:
    """Return every command of a source, in order."""
    return [command for block in _BLOCK.finditer(source) for command in Step.of(block["words"], block["body"]).commands]


def written(source: str, place: Place) -> str:
    """Run a source, and give the tutorial.

    Args:
        source: The text of docs/tutorial.md.in.
        place: Where its commands are run.

    Raises:
        TutorialError: A command ended otherwise than it should.
    """
    text = _BLOCK.sub(lambda block: place.run(Step.of(block["words"], block["body"])), source)
    return _PICTURE.sub(lambda picture: f"]({place.picture(picture['path'])})", text)


def main() -> None:
    """Write the tutorial; where a command fails, the old one stays."""
    with tempfile.TemporaryDirectory(prefix="imgcls-tutorial-") as folder:
        text = written(SOURCE.read_text(encoding="utf-8"), Place(Path(folder).resolve()))
    TARGET.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
