"""The guide for a new recipe, followed to the letter in a copy of the tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^ {3}```(\w+)\n(.*?)^ {3}```", re.MULTILINE | re.DOTALL)


def steps(language: str) -> list[str]:
    """Return the blocks of one language in the guide, in order."""
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Add a recipe")[2]
    return [dedent(body) for found, body in BLOCK.findall(guide) if found == language]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the project in which it can be imported by both of its names."""
    copy = tmp_path / "project"
    for folder in ("imgcls", "recipes", "tests", "examples", "docs", "benchmarks"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Makefile", "pyproject.toml", "setup.cfg", *(file.name for file in ROOT.glob("*.md"))):
        shutil.copy(ROOT / name, copy)
    (copy / "names").mkdir()
    (copy / "names" / "imgcls_recipes").symlink_to(copy / "recipes")
    return copy


def follow(step: str, tree: Path) -> str:
    """Run the lines of a block as a person would, and give what they printed."""
    places = [str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = {
        **os.environ,
        "PATH": os.pathsep.join(places),
        "PYTHONPATH": os.pathsep.join([str(tree), str(tree / "names")]),
    }
    done = subprocess.run(
        ["bash", "-e"], input=step, cwd=tree, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{step}\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_recipe_is_added_by_following_the_guide(tree: Path) -> None:
    pytest.importorskip("elpv_dataset", reason="the default data are not installed: pip install 'imgcls[demo]'")
    copy, see, hold = steps("bash")
    (witness,) = steps("python")
    follow(copy, tree)
    copied = tree / "recipes" / "clip_gradients.py"
    assert "def clip_gradients(" in copied.read_text(encoding="utf-8")
    shutil.copy(ROOT / "examples" / "clip_gradients.py", copied)
    assert "fit.clip_norm" in follow(see, tree)
    with (tree / "tests" / "contract" / "test_witnesses.py").open("a", encoding="utf-8") as file:
        file.write(f"\n\n{witness}")
    follow(hold, tree)
    follow("pytest tests/contract tests/golden tests/unit/test_readme.py tests/unit/test_catalog.py", tree)
    assert "`clip_gradients`" in (tree / "docs" / "guide" / "recipes.md").read_text(encoding="utf-8")
