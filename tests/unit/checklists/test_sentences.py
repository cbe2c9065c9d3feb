"""The sentences of the checklist: each has its Korean, with the same facts in it."""

from __future__ import annotations

import ast
import copy
import pickle
import re
import tomllib
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from string import Formatter
from typing import get_args, get_type_hints

import pytest

import imgcls.checklists
import imgcls.evidence.verdicts
from imgcls.checklists.checklist import evaluate
from imgcls.checklists.items import all_items
from imgcls.checklists.sentences import Said, in_language, joined, listed, quoted, said, word
from imgcls.checklists.verdicts import gain_of
from imgcls.config.metrics import METRICS, Units, in_words
from imgcls.data.samples import SPLITS
from imgcls.eda.facts import FileFacts, Severity
from imgcls.eda.series import BY_SIGNS
from imgcls.predictions.submission import GIVE_TEST
from imgcls.records.regions import COLUMNS, ROWS, place_name
from imgcls.records.run import Verdict
from imgcls.text import MOST_EXAMPLES
from imgcls.text import listed as listed_in_english
from tests.unit.checklists.conftest import Desk

FOLDER = Path(imgcls.checklists.__file__).parent
KOREAN = tomllib.loads((FOLDER / "korean.toml").read_text(encoding="utf-8"))
HANGUL = re.compile("[가-힣]")
SOUNDS = re.compile(r"\}['\"]?(은|는|이|가|을|를|과|와|으로|로|이다|다)(?![가-힣])")
"""Particles whose form depends on the sound before them, which a field does not tell."""


def calls(*names: str) -> Iterator[tuple[str, ast.Call]]:
    """Yield the calls of some functions in the package, with their place."""
    for path in sorted(FOLDER.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in names:
                yield f"{path.name}:{node.lineno}", node


def templates(call: ast.Call) -> list[str]:
    """Return the templates that a call of `said` may fill in; one that is not written out there is refused."""
    first = call.args[0]
    written = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
    assert all(isinstance(one, ast.Constant) and isinstance(one.value, str) for one in written), ast.unparse(call)
    return [one.value for one in written]  # type: ignore[attr-defined]


def fields(template: str) -> set[tuple[str, str | None, str | None]]:
    return {(name, form, as_) for _, name, form, as_ in Formatter().parse(template) if name is not None}


SENTENCES = {template: (place, call) for place, call in calls("said") for template in templates(call)}


def test_every_sentence_has_its_korean_and_nothing_else_has() -> None:
    assert len(SENTENCES) > 90
    assert {template: place for template, (place, _) in SENTENCES.items() if template not in KOREAN["sentences"]} == {}
    assert set(KOREAN["sentences"]) - set(SENTENCES) == set()


@pytest.mark.parametrize("template", SENTENCES)
def test_a_sentence_and_its_korean_hold_the_same_facts(template: str) -> None:
    place, call = SENTENCES[template]
    assert fields(KOREAN["sentences"][template]) == fields(template), place
    assert {name for name, _, _ in fields(template)} <= {keyword.arg for keyword in call.keywords}, place


@pytest.mark.parametrize(("english", "korean"), [pair for table in KOREAN.values() for pair in table.items()])
def test_korean_is_korean_and_reads_right_after_any_name(english: str, korean: str) -> None:
    letters = re.sub(r"\{[^}]*\}|ROC AUC|nats| of ", "", english)
    assert HANGUL.search(korean) or not re.search("[A-Za-z]", letters)
    assert not SOUNDS.search(korean)


def test_words_are_all_that_there_are() -> None:
    roles = get_args(get_type_hints(FileFacts)["role"])
    metrics = [in_words(name) for name, one in METRICS.items() if not any(o.is_required for o in one.takes.values())]
    units = {Units(name).name for name in (*METRICS, "module:function")}
    notes = [item.note for item in all_items() if item.note]
    known = {*roles, *metrics, *units, *notes, *get_args(Verdict), *get_args(Severity), *SPLITS, "excluded", GIVE_TEST}
    places = {place_name(row, column) for row, column in product(ROWS, COLUMNS)}
    assert set(KOREAN["words"]) == known | places | {"copies", "near copies", BY_SIGNS}


def test_every_answer_is_such_a_sentence() -> None:
    """No text is written past the table: no evidence is a literal, and a `Said` without Korean holds facts only."""
    found = calls(
        "Answer", "Answer.missing", "Answer.proved", "Reason", "Damage", "CurrentData", "CurrentData.doubtful"
    )
    bare = [(place, one) for place, call in found for one in [*call.args, *(word.value for word in call.keywords)]]
    literal = [place for place, one in bare if isinstance(one, ast.JoinedStr) or _is_text(one)]
    assert literal == []
    for place, call in calls("Said"):
        texts = [one.value for one in ast.walk(call.args[0]) if isinstance(one, ast.Constant) and len(call.args) == 1]
        assert not re.search("[A-Za-z]", "".join(map(str, texts))), place


def _is_text(one: ast.expr) -> bool:
    return isinstance(one, ast.Constant) and " " in str(one.value)


def test_why_there_is_no_verdict_is_recognized_in_a_file() -> None:
    tree = ast.parse(Path(imgcls.evidence.verdicts.__file__).read_text(encoding="utf-8"))
    (why,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "_why_not")
    texts = [node.value for node in ast.walk(why) if isinstance(node, ast.Return)]
    samples = ["".join(_sample(part) for part in getattr(text, "values", [text])) for text in texts]
    samples = [sample for sample in samples if sample]
    assert len(samples) == len(KOREAN["quoted"])
    for sample in samples:
        assert quoted(sample) == sample
        assert HANGUL.search(quoted(sample).korean), sample
    assert "4개뿐이고 5개" in quoted("too few folds to tell: 4, and 5 are needed").korean
    assert quoted("something of a later version").korean == "something of a later version"


MESSAGES = {
    "w/imgcls.toml, line 3: not TOML (Invalid value). Correct it there.": "w/imgcls.toml, 3행: TOML이 아니다(값이 잘못",
    "r/run.json is damaged: seed must be a whole number, not true; key is missing.": "정수여야 하는데 true; key 키가",
    "r/run.json is damaged: Extra data: line 1 column 3 (char 2). Restore it from a copy, or remove its folder.": "3열",
    "p/photos: there is no such file or folder. Did you mean 'p/photo'?": "가장 가까운 것: 'p/photo'",
    "imgcls.toml: 2 faults:\n  - title is missing.\n  - data is missing.": "잘못된 곳 2군데:\n  - title 키가 없다.",
    "[Errno 13] Permission denied: 'w/imgcls.toml'": "권한이 없다",
}


@pytest.mark.parametrize(("english", "korean"), MESSAGES.items())
def test_messages_of_errors_are_recognized(english: str, korean: str) -> None:
    """With the facts that they hold, whatever these are."""
    told = quoted(english)
    assert told == english
    assert korean in told.korean
    for fact in re.findall(r"[\w/]+\.(?:json|toml)|'[^']+'", english):
        assert fact in told.korean


@pytest.mark.parametrize("template", KOREAN["errors"])
def test_a_message_and_its_korean_hold_the_same_facts(template: str) -> None:
    assert {name for name, _, _ in fields(KOREAN["errors"][template])} <= {name for name, _, _ in fields(template)}
    filled = template.format_map({name: f"«{name}»" for name, _, _ in fields(template)})
    assert HANGUL.search(quoted(filled).korean), filled


def _sample(part: ast.expr | None) -> str:
    return str(part.value) if isinstance(part, ast.Constant) else "7"


def test_a_sentence_is_its_english_text() -> None:
    text = said("{n} classes", n=3)
    assert (text, in_language(text, "en"), in_language(text, "ko")) == ("3 classes", "3 classes", "클래스 3개")
    assert type(in_language(text, "en")) is str
    assert in_language("a name", "ko") == "a name"
    for again in (copy.deepcopy(text), pickle.loads(pickle.dumps(text))):
        assert (again, again.korean) == (text, text.korean)


def test_facts_stay_as_they_are_also_where_they_look_like_words_or_fields() -> None:
    text = said("{path} ({n:,} {role})", path="train {n}", n=1200, role=word("labels"))
    assert (text, text.korean) == ("train {n} (1,200 labels)", "train {n} (레이블 1,200개)")


def test_lists_read_right() -> None:
    names = [f"c{n}" for n in range(MOST_EXAMPLES + 3)]
    assert listed(names) == listed_in_english(names)
    assert listed(names).korean.endswith("c7 외 3개")
    assert listed(names[:2]).korean == "c0, c1"
    assert joined([word("train"), "x"], "; ").korean == "훈련; x"


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "roc_auc"])
@pytest.mark.parametrize("ends", [(0.004, 0.041), (None, None)])
def test_a_gain_is_written_as_everywhere(metric: str, ends: tuple[float | None, float | None]) -> None:
    assert gain_of(metric, 0.0234, *ends) == Units(metric).gain_text(0.0234, *ends, with_metric=True)


def test_a_gain_in_korean() -> None:
    assert gain_of("accuracy", 0.0234, 0.004, 0.041).korean == "정확도 +2.3포인트 [+0.4, +4.1]"
    assert gain_of("log_loss", -0.1, None, None).korean == "로그 손실 -0.100 nat"


def test_the_form_for_programs_follows_the_language(known: Desk) -> None:
    known.ladder("baseline+augmentation", n_seeds=1)
    english, korean = (evaluate(known.workspace, lang=lang).to_json() for lang in ("en", "ko"))  # type: ignore[arg-type]
    assert [entry["evidence"] for entry in english["items"]] == [entry.evidence for entry in known.list().items]
    for before, after in zip(english["items"], korean["items"], strict=True):
        assert {name: before[name] for name in ("id", "state", "command")} == {
            name: after[name] for name in ("id", "state", "command")
        }
    assert {entry["id"]: entry["evidence"] for entry in korean["items"]}["final.submit"].startswith("baseline의 실행")
    assert type(english["items"][0]["evidence"]) is str
    said_of = next(entry["evidence"] for entry in korean["items"] if entry["id"] == "train.augmentation")
    assert "판단 불가: 실행 하나로는" in said_of


def test_a_text_that_knows_no_korean_is_its_own() -> None:
    assert Said("runs/x").korean == "runs/x"
    assert Said("").korean == ""
