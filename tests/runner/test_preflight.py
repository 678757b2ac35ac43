"""The preflight check: networks of other people work as they are, or one sentence says why not before training."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch

import commongarden as cg
from commongarden import store as stores
from commongarden.errors import ArchError
from commongarden.runner.initial_network import first_weights
from commongarden.runner.measuring import preflight
from commongarden.runner.replay import replay
from commongarden.study import Arm, Study
from commongarden.study.recipe import Recipe
from commongarden.train import build, convolutions, streams

NETS = '''
import os
import random

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class Cifar(nn.Module):
    """`view` in place of `flatten`, as in the CIFAR-10 tutorial of 2017."""

    def __init__(self, n_classes):
        super().__init__()
        self.conv1, self.conv2, self.pool = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5), nn.MaxPool2d(2, 2)
        self.fc1, self.fc2 = nn.Linear(400, 12), nn.Linear(12, n_classes)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        return self.fc2(F.relu(self.fc1(x.view(-1, 400))))


class Small(nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.conv, self.norm, self.fc = nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.Linear(8, n_classes)

    def features(self, x):
        return F.relu(self.norm(self.conv(x))).mean((2, 3))

    def forward(self, x):
        return self.fc(self.features(x))


class Volume(Small):
    def __init__(self, n_classes):
        super().__init__(n_classes)
        self.conv3 = nn.Conv3d(1, 2, 3, padding=1)

    def forward(self, x):
        return super().forward(self.conv3(x[:, None]).mean(1))


class Crashes(Small):
    """SIGSEGV with channels-last, as oneDNN gives for some convolutions."""

    def forward(self, x):
        if x.stride(1) == 1:
            os.kill(os.getpid(), 11)
        return super().forward(x)


class CrashesAlways(Small):
    def features(self, x):
        if self.training and x.requires_grad is False and torch.is_grad_enabled():
            os.kill(os.getpid(), 6)
        return super().features(x)


class Overruns(Small):
    def __init__(self, n_classes):
        super().__init__(n_classes)
        self.conv = nn.Conv2d(3, 8, 1, 2)


class Depth(Small):
    """Stochastic depth by Python's random and numpy's generators, drawn in the factory and in training."""

    def __init__(self, n_classes):
        super().__init__(n_classes)
        self.own = np.random.default_rng()
        self.fc.weight.data.mul_(1 + np.random.rand())

    def forward(self, x):
        y = self.features(x)
        if self.training and random.random() < 0.5:
            y = y * (np.random.rand() + self.own.random())
        return self.fc(y)


class Entropy(Small):
    def forward(self, x):
        y = self.features(x)
        return self.fc(y * (1 + os.urandom(1)[0] / 256) if self.training else y)


class Kept(Small):
    """Tied layers, a buffer with persistent=False that training changes, extra state that is no tensor."""

    def __init__(self, n_classes):
        super().__init__(n_classes)
        self.mix = nn.Linear(8, 8)
        self.again = self.mix
        self.register_buffer("mean", torch.zeros(8), persistent=False)
        self.calls = 0

    def forward(self, x):
        y = self.again(self.mix(self.features(x)))
        if self.training:
            self.calls += 1
            with torch.no_grad():
                self.mean.add_(y.mean(0))
        return self.fc(y - self.mean) / (1 + self.calls)

    def get_extra_state(self):
        return {"calls": self.calls}

    def set_extra_state(self, kept):
        self.calls = kept["calls"]


class Box:
    scale = 1.0


class Forgets(Small):
    def __init__(self, n_classes):
        super().__init__(n_classes)
        self.box = Box()

    def forward(self, x):
        if self.training:
            self.box.scale *= 1.1
        return super().forward(x) * self.box.scale


class Double(Small):
    def __init__(self, n_classes):
        super().__init__(n_classes)
        self.double()

    def forward(self, x):
        return super().forward(x.double())


class Brain(Small):
    """bfloat16 by its own code."""

    def __init__(self, n_classes):
        super().__init__(n_classes)
        self.to(torch.bfloat16)

    def forward(self, x):
        return super().forward(x.to(torch.bfloat16))


class Adapter(Small):
    """Its state_dict holds a part of it only, under other names."""

    def state_dict(self, *arguments, **named):
        return {"adapter": self.fc.weight}

    def load_state_dict(self, *arguments, **named):
        raise AssertionError("its own business")


class Grows(Small):
    """A queue and a list that grow in training, an empty layer, logits beside what else it gives."""

    def __init__(self, n_classes):
        super().__init__(n_classes)
        self.register_buffer("queue", torch.zeros(0, 8))
        self.seen, self.nothing = [], nn.Linear(8, 0)

    def forward(self, x):
        y = self.features(x)
        if self.training:
            self.queue = torch.cat([self.queue, y.detach()])
            self.seen = [*self.seen, float(y.sum())]
        return {"logits": self.fc(y) + self.queue.sum() + len(self.seen)}


class Pair(Small):
    def forward(self, x):
        y = super().forward(x)
        return y, y.softmax(1)


class Frozen(Small):
    def __init__(self, n_classes):
        super().__init__(n_classes)
        self.requires_grad_(False)


class Late2(Small):
    def __init__(self, n_classes):
        super().__init__(n_classes)
        self.head = None

    def forward(self, x):
        if self.head is None:
            self.head = nn.Linear(8, 3)
        return self.head(self.features(x))


class Modes(Small):
    def train(self):
        return self


class Makers:
    @staticmethod
    def loaded(n_classes):
        network = Small(n_classes)
        network.load_state_dict({name: torch.full_like(value, 0.5) for name, value in network.state_dict().items()})
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        os.chdir("/")
        return network


class Drifts(Small):
    def __init__(self, n_classes):
        super().__init__(n_classes)
        self.scale = 1.0

    def forward(self, x):
        self.scale *= 1.1
        return super().forward(x) * self.scale


class Handle(Small):
    def get_extra_state(self):
        return {"file": object}

    def set_extra_state(self, kept):
        pass


class Complex(nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.weight, self.fc = nn.Parameter(torch.randn(3, 8, dtype=torch.cfloat)), nn.Linear(8, n_classes)

    def forward(self, x):
        return self.fc((x.mean((2, 3)).to(torch.cfloat) @ self.weight).abs())


class Late(Small):
    """Its 12th pass raises: behind the check, in training."""

    def __init__(self, n_classes):
        super().__init__(n_classes)
        self.register_buffer("passes", torch.zeros(()))

    def forward(self, x):
        self.passes += self.training
        return self.fc(self.chosen(self.features(x)))

    def chosen(self, y):
        return {True: y}[bool(self.passes < 12)]


def frozen(n_classes):
    network = Small(n_classes)
    network.conv.requires_grad_(False)
    network.conv.weight.data.fill_(0.125)
    return network
'''
SIZE = (32, 32, 3)


@pytest.fixture
def nets(tmp_path, monkeypatch):
    (tmp_path / "nets.py").write_text(NETS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def checked(name):
    return cg.preflight(Arm(f"nets.py:{name}"), 3, SIZE).origin


def test_the_memory_layout_falls_back_with_a_note(nets):
    for name, reason in (
        ("Cifar", "the forward pass fails (RuntimeError: view size is not compatible"),
        ("Volume", "building it fails (RuntimeError: required rank 4 tensor"),
        ("Crashes", "the process crashed in the forward pass (the worker was killed by signal 11 (SIGSEGV))"),
        ("Overruns", "torch computes a wrong gradient for the convolution 1x1, stride 2, 3 to 8 channels at 32x32"),
    ):
        kept = checked(name)
        assert kept.layout == "channels-first", name
        assert kept.notes[0].startswith("trained in the memory layout channels-first: with channels-last, "), name
        assert reason in kept.notes[0], (name, kept.notes)
        assert kept.repeats
    assert checked("Small").notes == ()
    assert checked("Small").layout == ""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("CrashesAlways", "crashed in the forward pass: the worker was killed by signal 6 (SIGABRT)"),
        ("Forgets", "its outputs change when it is saved and loaded"),
        ("Frozen", "no parameter has a gradient"),
        ("Late2", "it creates layers in forward()"),
        ("Modes", "cannot be checked: TypeError: Modes.train() takes 1 positional argument"),
        ("Handle", "get_extra_state() returns dict, which cannot be stored safely"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_training(nets, name, message):
    with pytest.raises(ArchError) as refused:
        checked(name)
    assert f"nets.py:{name}" in str(refused.value) or name == "Handle"
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_cannot_be_repeated_is_noted(nets):
    kept = checked("Entropy")
    assert not kept.repeats
    assert "two identical training steps differ" in kept.notes[0]
    for name in ("Depth", "Kept"):
        assert checked(name).repeats, name
        assert checked(name).notes == (), name
    assert "not fused" in checked("Complex").notes[0]
    assert "evaluation changes its state" in checked("Drifts").notes[0]
    assert (
        "weights keep the initialization of its own code (init = own): conv is not random"
        in checked("Makers.loaded").notes[0]
    )


@pytest.mark.parametrize("name", ["Double", "Brain", "Adapter", "Grows", "Pair"])
def test_what_plain_torch_trains_is_taken_as_it_is(nets, name):
    assert checked(name).notes == ()


def test_only_heads_that_evaluation_does_not_have_are_auxiliary(nets):
    import torch

    from commongarden.arch import External
    from commongarden.train import external

    for name, n in (("Pair", 0), ("Small", 0)):
        network = external.make(External(f"nets.py:{name}", "{}", 3, SIZE, 0, 0, 0)).train()
        network(torch.zeros(2, 3, 32, 32))
        assert len(network.collect()) == n


def test_networks_do_not_change_each_other(nets, commongarden, cache_folder):
    """Neighbours of one name, draws at import, and what one sets for the whole process. Nor is a file of the current
    folder run for one of Python's own."""
    for name in ("numpy", "queue", "glob"):
        (nets / f"{name}.py").write_text("open('EXECUTED', 'a').write(__name__)\nraise ImportError\n")
    for folder, width in (("a", 4), ("b", 9)):
        (nets / folder).mkdir()
        (nets / folder / "layers.py").write_text(f"WIDTH = {width}\n")
        (nets / folder / "statistics.py").write_text("OWN = 1\n")
        (nets / folder / "nets.py").write_text(
            "import torch\nfrom torch import nn\nfrom layers import WIDTH\nfrom statistics import OWN\n"
            "SCALE = torch.rand(1)\n"
            "class Scaled(nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self.register_buffer('scale', SCALE)\n"
            "    def forward(self, x):\n"
            "        return x * self.scale\n"
            "def net(n):\n"
            "    layers = [nn.Conv2d(3, WIDTH, 3, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]\n"
            "    made = nn.Sequential(*layers, nn.Linear(WIDTH, n), Scaled())\n"
            f"    nn.Linear.forward = lambda s, x: nn.functional.linear(x, s.weight, s.bias) + {width - 4}\n"
            "    return made\n"
        )
    arms = '[arms.a]\narch = "a/nets.py:net"\n[arms.b]\narch = "b/nets.py:net"\n[arms.own]\narch = "plain_flower"\n'
    (nets / "three.toml").write_text(STUDY.format(arms=arms))
    commongarden("run", "three.toml", "--out", "three", "--workers", 1, check=0, cwd=nets)
    assert not (nets / "EXECUTED").exists()
    three = stores.open_store(nets / "three")
    assert [three.run(arm, 0).n_params for arm in ("a", "b")] == [137, 302]
    assert replay(three.directory("own", 0), cache_folder, tell=lambda text: None).is_equal  # without the others


STUDY = """
[study]
name = "odd networks"
data = "builtin:flowers/60"
seeds = 1
[recipe]
resolution = 32
epochs = 2
batch_size = 6
{arms}
"""


def test_odd_networks_are_trained_stored_and_replayed_as_they_are(nets, commongarden, cache_folder):
    names = ("Cifar", "Depth", "Kept", "Late", "frozen")
    arms = "".join(f'[arms.{name}]\narch = "nets.py:{name}"\n' for name in names)
    arms += "head_epochs = 1\nweight_decay = 0.5\n"  # of the last one, whose author froze a layer
    (nets / "study.toml").write_text(STUDY.format(arms=arms), encoding="utf-8")
    commongarden("run", "study.toml", "--out", "out", check=1, cwd=nets)
    store = stores.open_store(nets / "out")
    failed = store.run("Late", 0)
    assert failed.failure.reason == "KeyError: False (nets.py, line 253, in Late.chosen)"
    assert failed.failure.epoch == 2
    assert "return {True: y}[bool(self.passes < 12)]" in failed.failure.traceback
    assert "commongarden" not in failed.failure.traceback
    assert store.run("Cifar", 0).recipe.layout == "channels-first"
    assert "channels-first" in store.run("Cifar", 0).notes[0]
    assert cg.load(nets / "out/runs/frozen/0").classifier.body.network.inner.conv.weight.unique().tolist() == [0.125]
    for name in ("Depth", "Kept"):
        folder = nets / "out" / "runs" / name / "0"
        predictions = stores.read_predictions(folder)
        pixels = _pixels(folder, predictions.photos)
        found = cg.load(folder)(pixels).softmax(1).detach().numpy()
        assert np.abs(found - predictions.probabilities).max() < 1e-6
    assert replay(nets / "out/runs/Depth/0", cache_folder, tell=lambda text: None).is_equal


def _pixels(folder, photos):
    import torch

    from commongarden.data import image

    run = stores.read_run(folder)
    arrays = [image.pixels("builtin:flowers/60", str(photo), *run.input[:2]) for photo in photos]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)


def test_a_network_that_needs_too_much_memory_says_how_much(nets, monkeypatch):
    from commongarden.runner import limits

    monkeypatch.setattr(limits, "memory", lambda: 50_000)
    with pytest.raises(ArchError, match=r"needs at least 0\.0 GiB of memory, but only 0\.0 GiB"):
        checked("Small")


def test_our_own_networks_avoid_the_convolution_that_overruns():
    import torch

    from commongarden.arch import conv, serial

    for stride, size in ((2, 32), (3, 48), (2, 33)):
        network = serial(conv(16, 1, stride=stride, order="L"), name="n")
        built = build.build(network, (size, size, 8)).to(memory_format=torch.channels_last)
        x = torch.randn(2, 8, size, size).contiguous(memory_format=torch.channels_last)
        found = convolutions.convolutions(built, x)
        assert not any(one.is_unsafe for one in found)
        plain = torch.nn.Conv2d(8, 16, 1, stride)
        plain.load_state_dict(dict(zip(plain.state_dict(), built.state_dict().values(), strict=True)))
        first = (stride - 1) // 2
        wanted = plain(x.contiguous()[:, :, first:, first:])
        assert torch.allclose(built(x), wanted[:, :, : size // stride, : size // stride], atol=1e-5)


def test_a_wrong_gradient_is_found(monkeypatch):
    import torch
    import torch.nn.functional as F

    one = convolutions.Convolution((4, 9, 9), (6, 4, 3, 3), (1, 1), (1, 1), (1, 1), 1, True)
    assert convolutions.wrong([one], 10) == ([], [one])
    right = F.conv2d

    class Torn(torch.autograd.Function):
        @staticmethod
        def forward(ctx, y):
            return y.clone()

        @staticmethod
        def backward(ctx, gradient):
            torn = gradient.clone()
            torn[0, 0] = 0
            return torn

    def broken(x, *rest):
        y = right(x, *rest)
        return Torn.apply(y) if x.dtype == torch.float32 else y

    monkeypatch.setattr(convolutions.F, "conv2d", broken)
    assert convolutions.wrong([one], 10) == ([one], [])


def test_folders_on_pythons_path_stay_there(nets, monkeypatch):
    import sys

    from commongarden.train import usercode

    (nets / "one").mkdir()
    (nets / "two").mkdir()
    for folder in ("one", "two"):
        (nets / folder / "mine.py").write_text("import sys\nPATH = list(sys.path)\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(nets / "one")])
    for folder in ("one", "two", "one", "two"):
        module = usercode.load("mine.py", nets / folder / "mine.py", "0" * 64)
        assert module.PATH[0] == str(nets / folder)
    assert str(nets / "one") in sys.path
    assert sys.path[-1] == str(nets / "two")


@pytest.mark.parametrize(("own", "expected"), [({}, "own"), ({"init": "fan-in"}, ""), ({"init": "fixed"}, "")])
def test_networks_of_others_start_as_their_authors_meant(own, expected):
    """Unless the arm asks for something else, the weights are those that the library's own code draws."""
    arm = preflight(Arm("timm:vit_tiny_patch16_224", {"img_size": 32}, own), 3, (32, 32, 3), Recipe(resolution=32))
    assert arm.origin.init == expected
    study = Study("one", "builtin:flowers/60", {"a": arm}, Recipe(resolution=32))
    recipe = study.recipe_of("a")
    found = first_weights(arm, arm.network(3), (32, 32, 3), recipe, (127.5,) * 3, (64.0,) * 3, 0, 0)
    streams.seed_all(streams.seed(0, 0, "initialization"))
    theirs = timm.create_model("vit_tiny_patch16_224", num_classes=3, img_size=32)
    mine = found.body.network.inner.blocks[0].attn.qkv.weight
    assert torch.equal(mine, theirs.blocks[0].attn.qkv.weight) == (expected == "own")
