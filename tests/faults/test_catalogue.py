"""The catalogue of faults names tests that are there, and leaves nothing out without a reason."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FAULTS = tomllib.loads(Path(__file__).with_name("catalogue.toml").read_text(encoding="utf-8"))["fault"]
N_FAULTS = 62


def test_every_fault_is_provoked_or_left_out_with_a_reason() -> None:
    assert [fault["number"] for fault in FAULTS] == list(range(1, N_FAULTS + 1))
    assert [fault["number"] for fault in FAULTS if bool(fault.get("tests")) == bool(fault.get("left_out"))] == []


def test_the_guide_counts_them() -> None:
    n = sum(bool(fault.get("tests")) for fault in FAULTS)
    assert f"{n} of {N_FAULTS} are provoked" in (ROOT / "docs" / "guide" / "reliability.md").read_text(encoding="utf-8")


def test_the_tests_are_there() -> None:
    named = {name for fault in FAULTS for name in fault.get("tests", [])}
    there = {f"{file}::{name}" for file in {name.split("::")[0] for name in named} for name in _functions(ROOT / file)}
    assert sorted(named - there) == []


def test_they_bear_the_marker() -> None:
    file = "tests/unit/records/test_faults.py"
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "fault", "-p", "no:cacheprovider", file]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    found = {line.partition("[")[0] for line in done.stdout.splitlines() if line.startswith("tests/")}
    assert found == {name for fault in FAULTS for name in fault.get("tests", []) if name.startswith(f"{file}::")}


def _functions(file: Path) -> Iterator[str]:
    if file.is_file():
        yield from (node.name for node in ast.parse(file.read_text("utf-8")).body if isinstance(node, ast.FunctionDef))
