"""What becomes of work when nobody reads: one rule, that of `imgcls.cli.app`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Result

COMMAND = f"{sys.executable} -m imgcls"
pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


def shell(line: str, folder: Path) -> Result:
    """Run a line of bash and return its code; that of the first command of a pipe."""
    done = subprocess.run(
        ["bash", "-c", f"{line}; exit ${{PIPESTATUS[0]}}"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "COLUMNS": "80"},
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("recipe list | true", 141, ""),
        ("recipe list > /dev/full", 1, "The result could not be written to standard output: No space left on device"),
        ("recipe list >&-", 0, ""),
        ("recipe list 2>&-", 0, ""),
        ("recipe list 2>/dev/full >/dev/null", 0, ""),
        ("recipe list <&- >&- 2>&-", 0, ""),
        ("recipe lst 2>/dev/full", 2, ""),
        ("runs show nothing 2>/dev/full", 2, ""),
        ("runs show nothing >/dev/full", 2, "nothing"),
        ("runs show nothing --json | true", 2, "nothing"),
    ],
)
def test_work_does_not_depend_on_who_reads(line: str, code: int, said: str, tmp_path: Path) -> None:
    command, _, rest = line.partition(" |")
    result = shell(f"{COMMAND} {command}{' |' + rest if rest else ''}", tmp_path)
    assert result.code == code, result
    assert said in result.err
    assert "Traceback" not in result.err
    assert "Exception ignored" not in result.err
    assert len(result.err.splitlines()) == bool(said)


def test_a_closed_stream_is_never_a_file_that_is_opened_later(tmp_path: Path) -> None:
    """What a library writes to descriptor 2 would otherwise stand in a record."""
    script = "import os\nfrom imgcls.cli.app import _open_streams\n_open_streams()\nprint(open('x', 'wb').fileno())"
    (tmp_path / "script.py").write_text(script)
    assert int(shell(f"{sys.executable} script.py 0<&- 2>&-", tmp_path).out) > 2


@pytest.mark.parametrize("code", ["sys.exit(0)", "sys.exit('no')", "raise SystemExit"])
def test_a_recipe_file_that_ends_python_is_told(code: str, process: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(f"import sys\n{code}\n")
    result = process("recipe", "show", "baseline+./own.py")
    assert result.code == 2
    assert "Recipe file './own.py' cannot be run: SystemExit" in result.err or "own.py" in result.err


def test_other_code_that_ends_python_is_no_success(process: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "import sys\nfrom imgcls.catalog import Card\n"
        "CARD = Card(items=(), summary='x', changes=(), helps='x', hurts='x', cost='x', source='x')\n"
        "def own(plan):\n    sys.exit(0)\n"
    )
    result = process("recipe", "show", "baseline+./own.py", "--json")
    assert result.code == 1, result
    assert "called sys.exit(0) before the work was done" in result.err
    assert json.loads(result.out)["error"]["exit_code"] == 1


def test_nohup_is_respected(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\nimport imgcls.cli.app as app\n"
        "app._run = lambda _: (os.kill(os.getpid(), signal.SIGHUP), 0)[1]\napp.main([])"
    )
    (tmp_path / "script.py").write_text(script)
    assert shell(f"{sys.executable} script.py", tmp_path).code == 129
    assert shell(f"trap '' HUP; {sys.executable} script.py", tmp_path).code == 0
