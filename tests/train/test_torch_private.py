"""torch's private names are used in one module, and the program works where torch has none of them."""

import ast
import importlib
import types
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import commongarden
from commongarden.arch import conv, dense, global_avg_pool, serial
from commongarden.profiling import work
from commongarden.study.recipe import Recipe
from commongarden.train import channels, counting, torch_private
from commongarden.train.replay import recorded_step

SOURCE = Path(commongarden.__file__).parent
HOME = SOURCE / "train" / "torch_private.py"


def private_names(path):
    """Names of torch that begin with an underscore, and where they are imported or reached through a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in ("torch", "torchvision"):
            for name in (*node.module.split("."), *(alias.name for alias in node.names)):
                if name.startswith("_"):
                    yield f"{path.name}:{node.lineno} {name}"
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            holder = node.value
            while isinstance(holder, ast.Attribute):
                holder = holder.value
            if isinstance(holder, ast.Name) and holder.id in ("torch", "F", "fx"):
                yield f"{path.name}:{node.lineno} {node.attr}"


def test_private_names_are_in_one_module():
    found = [
        one
        for path in sorted(SOURCE.rglob("*.py"))
        if path != HOME and "scripts" not in path.parts
        for one in private_names(path)
    ]
    assert found == []


def test_this_torch_has_them_all():
    torch_private.flop_dispatch()
    torch_private.at_end_of_backward  # noqa: B018
    assert torch_private.MISSING == []
    assert torch_private.CAN_RECORD


class Bare:
    """A module of torch of which only documented names are left."""

    def __init__(self, module):
        self.module = module

    def __getattr__(self, name):
        if name.startswith("_") or name in ("StorageWeakRef", "map_aggregate", "TorchDispatchMode"):
            raise AttributeError(name)
        return getattr(self.module, name)


@pytest.fixture
def bare(monkeypatch):
    """torch_private as it is where torch has no private name."""
    real = importlib.import_module

    def load(name, *more):
        if any(part.startswith("_") for part in name.split(".")):
            raise ModuleNotFoundError(name)
        return Bare(real(name, *more))

    module = types.ModuleType("bare")
    with monkeypatch.context() as patch:
        patch.setattr(importlib, "import_module", load)
        exec(compile(HOME.read_text(encoding="utf-8"), str(HOME), "exec"), module.__dict__)
        module.dispatch = module.flop_dispatch()
    return module


def test_without_them_documented_classes_stand_in(bare):
    assert len(bare.MISSING) == 15
    assert not bare.CAN_RECORD
    assert bare.dispatch is None
    made = {
        "BatchNorm": (nn.BatchNorm1d(2), nn.BatchNorm2d(2), nn.BatchNorm3d(2), nn.SyncBatchNorm(2)),
        "NormBase": (nn.BatchNorm2d(2), nn.InstanceNorm1d(2), nn.InstanceNorm2d(2)),
        "ConvNd": (nn.Conv1d(1, 1, 1), nn.Conv2d(1, 1, 1), nn.ConvTranspose2d(1, 1, 1)),
        "DropoutNd": (nn.Dropout(), nn.Dropout2d(), nn.AlphaDropout()),
        "MaxPoolNd": (nn.MaxPool1d(2), nn.MaxPool2d(2)),
        "AvgPoolNd": (nn.AvgPool1d(2), nn.AvgPool2d(2)),
        "LPPoolNd": (nn.LPPool2d(2, 2),),
        "AdaptiveAvgPoolNd": (nn.AdaptiveAvgPool2d(1),),
        "AdaptiveMaxPoolNd": (nn.AdaptiveMaxPool2d(1),),
    }
    for name, parts in made.items():
        for part in parts:
            assert isinstance(part, getattr(bare, name))
            assert isinstance(part, getattr(torch_private, name))
        assert not isinstance(nn.Linear(1, 1), getattr(bare, name))
    assert not bare.is_functorch_wrapped_tensor(torch.zeros(1))
    assert bare.direct(torch.add) is torch.add
    assert bare.is_mutable(torch.add)


def test_the_end_of_a_backward_pass_is_told():
    told = []
    x = torch.zeros(2, requires_grad=True)
    x.register_hook(lambda gradient: torch_private.at_end_of_backward(lambda: told.append(True)))
    x.sum().backward()
    assert told == [True]


def test_a_run_without_recording_leaves_the_same_bits(monkeypatch):
    """Every step is done as it is, the one that would have been recorded as well."""
    from small_training import new, trained, weights

    monkeypatch.setattr(recorded_step, "AS_EVER", 1)
    recipe = replace(Recipe(resolution=12, epochs=3, batch_size=6))
    network = serial(conv(6, 3, order="LBA"), global_avg_pool(), dense(3), name="net")
    with_replay = new(recipe, network=network)
    trained(recipe, train_state=with_replay)
    monkeypatch.setattr(torch_private, "CAN_RECORD", False)
    without = new(recipe, network=network)
    trained(recipe, train_state=without)
    assert with_replay.forward_backward.replayed > 0
    assert with_replay.optimizer_step.replayed > 0
    assert (without.forward_backward.replayed, without.optimizer_step.replayed) == (0, 0)
    assert weights(without) == weights(with_replay)


def test_multiply_adds_are_counted_without_the_dispatch(monkeypatch):
    """As by versions of torch whose counter sees operators itself."""
    network, pixels = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 2)), torch.zeros(1, 3, 8, 8)

    def counted():
        macs = counting.Macs()
        with macs, torch.no_grad():
            network(pixels)
        return macs.of()

    expected = counted()
    assert expected == 36 * 4 * 27 + 4 * 36 * 2
    monkeypatch.setattr(counting, "DISPATCH", None)
    assert counted() == expected


def test_a_graph_that_keeps_nothing_gives_no_axis():
    node = types.SimpleNamespace()
    assert channels._permuted(node, -1, (1, 2, 3)) is None
    assert channels._transposed(node, -1, (1, 2, 3)) is None
    assert channels._viewed(node, -1, (1, 2, 3)) is None


def test_kinds_of_layers():
    assert [work.kind(part) for part in (nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1), nn.MaxPool2d(2), nn.Dropout())] == [
        "convolution", "batch norm", "pool", "dropout",
    ]  # fmt: skip
