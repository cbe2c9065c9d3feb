"""`imgcls models`: what is known of networks, without reaching the network."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from imgcls.cli.app import imgcls
from imgcls.engine import networks
from imgcls.engine.networks import find_networks
from imgcls.engine.progress import Silent


def test_those_at_hand_have_their_licence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "offline_weights", lambda: ["tf_efficientnet_lite0"])
    (one,) = find_networks(None, most=5, reporter=Silent()).networks
    assert (one.name, one.size_px, one.at_hand, one.licence) == ("tf_efficientnet_lite0", 224, True, "apache-2.0")
    assert one.n_parameters == 3_383_818  # 3,371,008 of the body and 1,281 for each of ten classes
    assert one.images_per_second is None


def test_a_pattern_shows_the_first_and_counts_the_others() -> None:
    found = find_networks("resnet18*", most=1, reporter=Silent())
    assert [one.name for one in found.networks] == ["resnet18"]
    assert found.n_more > 3
    assert not found.networks[0].at_hand


def test_networks_are_timed_where_that_is_asked_for() -> None:
    (one,) = find_networks("test_efficientnet", most=1, timed_at=32, reporter=Silent()).networks
    assert one.images_per_second is not None
    assert one.images_per_second > 0


def test_the_command_for_people_and_for_programs() -> None:
    shown = CliRunner().invoke(imgcls, ["models", "test_resnet*", "--most", "1"])
    assert shown.exit_code == 0, shown.output
    assert "test_resnet" in shown.output
    assert "more; --most shows them" in shown.output
    asked = CliRunner().invoke(imgcls, ["models", "test_resnet", "--json"])
    assert json.loads(asked.stdout)["networks"][0]["name"] == "test_resnet"
    none = CliRunner().invoke(imgcls, ["models", "no-such*"])
    assert "No network of timm matches 'no-such*'" in none.output
