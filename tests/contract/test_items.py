"""The items of the method: ids and titles that people rely on, and commands that exist."""

from __future__ import annotations

import shlex

import click
import pytest

from imgcls.catalog import find_recipes
from imgcls.checklists.checklist import _RULES
from imgcls.checklists.items import STAGES, all_items, find_item, stage_titles, stages_of
from imgcls.cli.app import imgcls
from imgcls.errors import UsageError

TITLES = {
    "problem.goal": ("1", "The goal and background are written down", "문제의 배경과 목표를 이해했다"),
    "problem.type": ("1", "The problem type is known", "문제 유형(이진·다중·다중 레이블)을 파악했다"),
    "problem.metric": ("1", "The metric is chosen", "평가지표를 정했다"),
    "eda.files": ("2", "What each file is for is known", "데이터 구조를 파악했다"),
    "eda.targets": ("2", "The target distribution was looked at", "타깃값 분포를 확인했다"),
    "eda.images": ("2", "Images of every class were looked at", "실제 이미지를 출력해 확인했다"),
    "eda.sizes": ("2", "Image sizes and quality were checked", "이미지 크기와 품질을 확인했다"),
    "eda.leaks": ("2", "No image sits in two parts or under two labels", "훈련·검증 중복과 레이블 충돌이 없다"),
    "base.seed": ("3", "The seed is fixed", "시드값을 고정했다"),
    "base.device": ("3", "The device is set", "GPU 장비를 설정했다"),
    "base.split": ("3", "Train and validation are apart", "훈련/검증 데이터를 분리했다"),
    "base.transforms": ("3", "Transforms are defined", "데이터 변환기를 정의했다"),
    "base.loaders": ("3", "Dataset and loaders exist", "데이터셋과 데이터 로더를 만들었다"),
    "base.model": ("3", "A pretrained model is loaded", "사전 훈련 모델을 불러왔다"),
    "base.train": (
        "3",
        "Loss and optimiser are set, the baseline is trained",
        "손실 함수와 옵티마이저로 훈련했다",
    ),
    "base.validate": ("3", "The baseline is validated", "검증 데이터로 성능을 검증했다"),
    "base.submit": ("3", "A first prediction file exists", "예측하고 제출했다"),
    "train.augmentation": ("4a", "Augmentation was tried", "데이터 증강"),
    "train.model": ("4a", "Another model or image size was tried", "모델·이미지 크기 변경"),
    "train.loss": ("4a", "The loss was tried (label smoothing)", "손실 함수·레이블 스무딩"),
    "train.optimizer": ("4a", "The optimiser was tried", "옵티마이저"),
    "train.scheduler": ("4a", "The scheduler was tried", "스케줄러"),
    "train.epochs": ("4a", "The number of epochs was tried", "에폭 수"),
    "predict.tta": ("4b", "TTA was tried", "테스트 단계 데이터 증강(TTA)"),
    "predict.smoothing": ("4b", "Prediction smoothing or calibration was tried", "레이블 스무딩(예측 보정)"),
    "predict.ensemble": ("4b", "An ensemble was tried", "앙상블"),
    "final.alldata": ("4c", "The final model used all the data", "전체 데이터로 재훈련"),
    "final.submit": ("4c", "The final submission is made", "최종 제출"),
}
"""The method's own words; ids are kept in people's imgcls.toml and never change."""
FILLED = {
    "data": " photos",
    "options": " --data photos",
    "set": "",
    "seeds": "3",
    "base": "baseline",
    "stack": "baseline",
    "recipe": "label_smoothing",
    "run": "baseline-s0-00000000",
    "several": "baseline",
}


def test_ids_stages_and_titles_are_those_of_the_method() -> None:
    assert {item.id: (item.stage, item.titles["en"], item.titles["ko"]) for item in all_items()} == TITLES
    assert [item.stage for item in all_items()] == sorted((item.stage for item in all_items()), key=STAGES.index)


def test_every_item_has_a_rule_and_every_stage_a_title() -> None:
    assert list(_RULES) == [item.id for item in all_items()]
    assert {stage: set(titles) for stage, titles in stage_titles().items()} == {stage: {"en", "ko"} for stage in STAGES}


def test_cards_and_items_name_each_other() -> None:
    """A card answers items that exist; a suggested recipe exists, and its card answers the item."""
    recipes, known = find_recipes(), set(TITLES)
    assert {id_ for recipe in recipes.values() for id_ in recipe.card.items} <= known
    for item in all_items():
        for name in item.recipes:
            assert item.id in recipes[name].card.items, (item.id, name)
    tried = {item.id for item in all_items() if "{recipe}" in (item.command or "")}
    assert tried == {item.id for item in all_items() if item.recipes}


@pytest.mark.parametrize("item", all_items(), ids=lambda item: item.id)
def test_commands_exist_with_their_options(item) -> None:
    """Parsed by click itself, not run; an item without a command says what a person should know."""
    if item.command is None:
        assert item.note
        return
    words = shlex.split(item.command.format_map(FILLED))
    assert words.pop(0) == "imgcls"
    command: click.Command = imgcls
    context = click.Context(command, info_name="imgcls")
    while isinstance(command, click.Group) and words and words[0] in command.list_commands(context):
        found = command.get_command(context, words.pop(0))
        assert found is not None
        command, context = found, click.Context(found, parent=context)
    if isinstance(command, click.Group):  # 'imgcls eda photos' means its default command
        command = command.get_command(context, command.DEFAULT)  # type: ignore[attr-defined, assignment]
    command.make_context(command.name, words, parent=context)


def test_names_that_are_none_are_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no item 'train\.los'.*'train\.loss'"):
        find_item("train.los")
    assert stages_of("4") == ("4a", "4b", "4c")
    assert stages_of("4B") == ("4b",)
    with pytest.raises(UsageError, match="no stage '5'"):
        stages_of("5")
