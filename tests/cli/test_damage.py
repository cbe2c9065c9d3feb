"""A damaged attempt is told by the commands that meet it, and stops none of them."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from imgcls.checklists.checklist import skip, unskip
from imgcls.config.problem import Problem, read_problem, write_problem
from imgcls.records.attempts import acquire
from imgcls.workspace import MARKER, Workspace

DAMAGES = {
    "history.jsonl": [
        "7\n",
        "\udcff\n",
        '{"epoch": 1}\n{"epoch": 1}\n{"epoch": 2}\n',
        "[" * 9999 + "\n",
        '{"epoch": 1, "x": NaN}\n',
    ],
    "attempt.json": ["", "{}", '{"info": {}, "key": "x"}'],
    "holder.json": ["", "{}", "[]"],
}


@pytest.mark.parametrize(("name", "content"), [(name, text) for name, texts in DAMAGES.items() for text in texts])
def test_a_damaged_attempt_stops_neither_the_list_nor_a_ladder(imgcls, drawn_ladder, name: str, content: str) -> None:
    ladder, workspace = drawn_ladder(missing=frozenset({(0, 0)}))
    with acquire(workspace, ladder.jobs[0].key, {"stack": "baseline"}) as attempt:
        attempt.append_history({"epoch": 1})
        attempt.append_history({"epoch": 2})
    (attempt.folder / name).write_text(content, encoding="utf-8", errors="surrogateescape")
    is_told = name != "holder.json"  # which only says who it was
    for words in (("runs", "list"), ("ladder", "status"), ("checklist",)):
        plain = imgcls(*words, "--out", workspace.root)
        assert plain.code == 0, plain.err
        said = json.loads(imgcls(*words, "--json", "--out", workspace.root).out)
        if words[0] != "checklist":
            assert any(f"{name} is damaged" in text for text in said["damaged"]) == is_told
            assert (f"{name} is damaged" in plain.out.replace("\n", "")) == is_told
    (state,) = json.loads(imgcls("runs", "list", "--json", "--out", workspace.root).out)["attempts"]
    assert state["n_epochs"] == (2 if name != "history.jsonl" else content.count('"epoch": 1}\n', 0, 15))


def test_items_that_are_left_out_at_once_are_all_kept(tmp_path: Path) -> None:
    """Each reads the file, changes it and writes it; none may write what another has just changed."""
    write_problem(tmp_path / MARKER, Problem())
    items = ("train.loss", "train.model", "train.optimizer", "train.scheduler", "predict.tta", "predict.ensemble")
    workspace, begin = Workspace(tmp_path), threading.Barrier(len(items))

    def decide(item: str) -> None:
        begin.wait()
        skip(workspace, item, f"no {item}")
        if item == "train.loss":
            unskip(workspace, item)

    threads = [threading.Thread(target=decide, args=(item,)) for item in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_problem(tmp_path / MARKER).skipped == {item: f"no {item}" for item in items[1:]}
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [MARKER]
