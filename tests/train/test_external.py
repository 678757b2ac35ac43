"""Other people's networks as arms: named, measured, started from given weights, trained beside our own, refused."""

import csv
import dataclasses
import io
import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

import commongarden as cg
from commongarden import arch, stats
from commongarden import store as stores
from commongarden import study as studies
from commongarden.errors import ArchError, CommonGardenError, StudyError
from commongarden.records import Epoch
from commongarden.study import Arm, Contrast, Study, origin
from commongarden.study.recipe import Recipe
from commongarden.train import checkpoint, counting, external, loop, state, weights
from commongarden.train.classifier import Classifier
from commongarden.train.head import last_layer
from commongarden.train.measure import network_by_others

MINE = '''
from collections import OrderedDict

from torch import nn


def small(n_classes, width=4, norm=True):
    """Two convolutions, pooled."""
    layers = [nn.Conv2d(3, width, 3, stride=2), nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, 8, 3), nn.ReLU()]
    if not norm:
        del layers[1]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, n_classes))


def raises(n_classes):
    raise KeyError("no such thing")


def nothing(n_classes):
    return "a network"


def wide(n_classes):
    return small(n_classes + 1)


class Lists(nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.inner = small(n_classes)

    def forward(self, x):
        return [self.inner(x)]


class Breaks(Lists):
    def forward(self, x):
        return self.inner(x) + {}["missing"]


class Flat(Lists):
    def forward(self, x):
        return self.inner(x.flatten(1))


def renamed(n_classes):
    """`small` with other names."""
    parts = small(n_classes)
    return nn.Sequential(OrderedDict((f"part_{i}", part) for i, part in enumerate(parts)))
'''
STUDY = """
[study]
name = "three origins"
data = "{data}"
seeds = 1

[recipe]
resolution = 32
epochs = 1
batch_size = 8

[split]
train = 0.6
val = 0.2

[arms.native]
arch = "plain_flower"

[arms.timm]
arch = "timm:resnet10t"

[arms.own]
arch = "nets/mine.py:small"
weights = "nine.pth"
head_epochs = 1
lr = 3e-3
"""


def write(root, photos):
    """Their file, weights of its network for nine classes, and a study."""
    (root / "nets").mkdir()
    (root / "nets" / "mine.py").write_text(MINE, encoding="utf-8")
    space = {}
    exec(MINE, space)
    torch.save(space["small"](9).state_dict(), root / "nine.pth")
    (root / "study.toml").write_text(STUDY.format(data=photos.as_posix()), encoding="utf-8")


@pytest.fixture
def here(tmp_path, monkeypatch, photos):
    """The current folder, with nets/mine.py and study.toml."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, photos)
    return tmp_path


@pytest.fixture(scope="module")
def grown(tmp_path_factory, commongarden, photos):
    """A finished study of arms from three origins, and the folder it was run in. Not to be changed."""
    root = tmp_path_factory.mktemp("grown")
    write(root, photos)
    commongarden("run", "study.toml", "--out", "out", cwd=root, check=0)
    return root


def measured(text, n_classes=3, size=16, **options):
    """What a study would keep of the network, measured in this process."""
    arm = Arm(text, options)
    return dataclasses.replace(arm, origin=network_by_others(arm, n_classes, (size, size, 3)))


def made(arm, n_classes=3):
    (node,) = arm.network(n_classes).layers
    return external.make(node)


@pytest.mark.parametrize("name", ["alexnet", "vgg11_bn", "resnet18", "resnet50", "googlenet"])
def test_the_measured_cost_is_the_folds(name):
    options = {"aux_logits": False} if name == "googlenet" else {}
    found = measured(f"torchvision:{name}", 1000, 224, **options)
    assert arch.cost(found.network(1000), (224, 224, 3)) == arch.FAMILIES[name].cost()


def test_auxiliary_heads_count_and_learn():
    found = measured("torchvision:inception_v3", 1000, 299)
    assert arch.cost(found.network(1000), (299, 299, 3)) == arch.FAMILIES["inception_v3"].cost(aux=True)


def test_an_output_that_is_changed_in_place_counts_and_a_view_does_not():
    x = torch.zeros(1, 2, 4, 4)
    with counting.Outputs() as outputs:
        nn.functional.relu(x, inplace=True)
        x += 1
        x.flatten(1)
        torch.cat([x, x], dim=1)
    assert outputs.bytes == 4 * (32 + 32 + 64)


def test_describe_measures(commongarden):
    table = json.loads(
        commongarden(
            "describe", "torchvision:resnet18", "--input", "224x224x3", "--classes", 1000, "--json", check=0
        ).stdout
    )
    assert (table["n_params"], table["macs"]) == (11_689_512, 1_814_073_344)


def test_three_origins_grow_in_one_soil(grown, commongarden, photos):
    store = stores.open_store(grown / "out")
    for run in store.runs():
        assert run.status == "finished"
        tensors = safetensors.torch.load_file(store.directory(run.arm, 0) / "model.safetensors")
        moving = ("running_mean", "running_var", "num_batches_tracked")
        assert run.n_params == sum(value.numel() for key, value in tensors.items() if not key.endswith(moving))
        assert arch.hash(arch.read(run.arch)) == run.hashes.arch
        assert run.macs == arch.cost(arch.read(run.arch), run.input).macs
    table = json.loads(commongarden("compare", "out", "--json", cwd=grown, check=0).stdout)
    assert [row["arch"] for row in table["arms"]] == ["plain_flower", "timm:resnet10t", "nets/mine.py:small"]
    assert "nets/mine.py:small" in (grown / "out" / "report.html").read_text(encoding="utf-8")
    run = grown / "out" / "runs" / "own" / "0"
    rows = list(csv.DictReader(io.StringIO(
        commongarden("predict", run, photos / "rose", "--top", 1, cwd=grown, check=0).stdout)))  # fmt: skip
    assert len(rows) == 20


def test_predictions_are_those_of_the_run(grown, photos, monkeypatch):
    monkeypatch.chdir(grown)
    store = stores.open_store("out")
    for name in ("timm", "own"):
        predictor, predictions = cg.load(f"out/runs/{name}/0"), store.predictions(name, 0)
        for path, expected in zip(predictions.photos, predictions.probabilities, strict=True):
            found = predictor(predictor.preprocess(photos / str(path))).softmax(1)[0].detach()
            np.testing.assert_allclose(found.numpy(), expected, rtol=1e-3, atol=1e-5)


def test_a_report_runs_no_code_of_others_and_needs_no_file(grown, tmp_path):
    shutil.copytree(grown / "out", tmp_path / "out")
    code = (
        "import sys, commongarden as cg; store = cg.open_store('out'); cg.summarize(store); cg.write_report(store);"
        "assert not {'torch', 'timm', 'torchvision'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


@pytest.mark.soak
def test_a_study_is_extended_and_a_changed_file_refused(grown, commongarden, tmp_path, monkeypatch):
    shutil.copytree(grown, tmp_path / "garden")
    here = tmp_path / "garden"
    kept = stores.open_store(here / "out").study().arms
    run = ("run", "study.toml", "--out", "out", "--arms", "own", "--seeds", 2)
    commongarden(*run, cwd=here, check=0)
    store = stores.open_store(here / "out")
    assert store.study().arms == kept
    assert store.run("own", 1).hashes.arch == store.run("own", 0).hashes.arch
    with (here / "nets" / "mine.py").open("a") as file:
        file.write("# one more line\n")
    refused = commongarden(*run, cwd=here, check=2).stderr
    assert "arms.own, nets/mine.py:small: SHA-256 of its code: " in refused
    monkeypatch.chdir(here)
    with pytest.raises(StudyError, match=r"out/study\.toml: arms\.own: nets.mine\.py has changed: SHA-256 "):
        studies.read("out/study.toml")
    with pytest.raises(ArchError, match=r"nets.mine\.py has changed since the study was created"):
        cg.load("out/runs/own/0")
    shutil.rmtree(here / "nets")
    assert stats.summarize(store).arms[2].n_finished == 2
    with pytest.raises(ArchError, match=r"no such file 'nets.mine\.py'"):
        cg.load("out/runs/own/0")


def test_an_arm_says_what_it_is(here):
    study = studies.read("study.toml")
    own, timm = study.arms["own"], study.arms["timm"]
    assert own.options == {"weights": "nine.pth"}
    assert Arm("nets/mine.py:small", {"width": 6}).maker_options == {"width": 6}
    assert own.origin.weights == origin.file_hash(here / "nine.pth")
    assert own.origin.code == origin.file_hash(here / "nets" / "mine.py")
    assert timm.options == {"pretrained": False, "weights": ""}
    assert studies.parse(studies.dump(study)) == study
    assert list(studies.of_architectures("photos", ["nets/mine.py:small", "timm:resnet10t"]).arms) == [
        "mine-small", "timm-resnet10t",
    ]  # fmt: skip
    with pytest.raises(ArchError, match="not measured yet, requested: 3; an external network is measured when"):
        own.network(3)
    with pytest.raises(ArchError, match="measured for 3 classes, requested: 4"):
        measured("nets/mine.py:small").network(4)
    with pytest.raises(ArchError, match="small / network: measured at 16x16x3, found 32x32x3"):
        arch.trace(measured("nets/mine.py:small").network(3), (32, 32, 3))


def test_a_module_is_found_like_an_import(here, monkeypatch):
    (here / "bundle").mkdir()
    (here / "bundle" / "__init__.py").write_text("raise RuntimeError('run only where the network is made')")
    (here / "bundle" / "inner.py").write_text(MINE)
    arm = Arm("bundle.inner:small")
    assert arm.origin.code == origin.file_hash(here / "bundle" / "inner.py")
    (here / "bundle" / "__init__.py").write_text("")
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert network_by_others(arm, 3, (16, 16, 3)).n_params == 443


def test_given_weights_want_their_own_pixels_and_that_is_a_difference(here):
    torch.save(made(measured("torchvision:resnet18", size=32)).inner.state_dict(), "resnet.pth")
    given = measured("torchvision:resnet18", size=32, weights="resnet.pth")
    assert given.overrides == {"pixels": "own"}
    drawn = measured("torchvision:resnet18", size=32)
    study = Study("s", "photos", {"given": given, "drawn": drawn}, Recipe(resolution=32))
    differs = stats.differences_of(study, Contrast("given", "drawn"), 3)
    assert ("pixels", "own", "standardized") in differs
    assert ("weights", "resnet.pth", "none") in differs
    (node,) = given.network(3).layers
    assert node.mean == pytest.approx((123.675, 116.28, 103.53))
    for text in ("plain_flower", "nets/mine.py:small"):
        with pytest.raises(StudyError, match=r"arms\.a\.pixels: found 'own', but .* has no normalization of its own"):
            Study("s", "photos", {"a": Arm(text)}, Recipe(pixels="own"))


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("torchvision:resnet19", {}, "unknown model 'resnet19'; did you mean torchvision:resnet18"),
        ("timm:convnext_ato", {}, "unknown model 'convnext_ato'; did you mean timm:convnext_atto"),
        ("torchvison:resnet18", {}, "unknown library 'torchvison'; did you mean 'torchvision'?"),
        ("nets/mine.py", {}, "found no factory, accepted: nets/mine.py:FACTORY"),
        ("torchvision:", {}, "found no name after the colon"),
        ("torchvision:resnet18", {"pretrained": "yes"}, "pretrained: found 'yes', accepted: true or false"),
        ("torchvision:resnet18", {"epocs": 3}, "unexpected keyword argument 'epocs'"),
        ("torchvision:resnet18", {"epocs": 3}, "did you mean the recipe's 'epochs'?"),
        ("timm:test_resnet", {"drop_path": 0.1}, "did you mean 'drop_path_rate'?"),
        ("torchvision:swin_t", {"stochastic_depth": 0.1}, "did you mean 'stochastic_depth_prob'?"),
        ("torchvision:convnext_tiny", {"stochastic_depth": 0.1}, "did you mean 'stochastic_depth_prob'?"),
        ("torchvision:mobilenet_v3_small", {"drop_out": 0.1}, "did you mean 'dropout'?"),
        ("torchvision:inception_v3", {}, "torchvision:inception_v3: at 16x16x3, evaluation: "),
        ("nets/mien.py:small", {}, "no such file 'nets/mien.py'; a relative path starts at the current folder"),
        ("nets/mien.py:small", {}, "did you mean 'nets/mine.py'?"),
        ("no.such.module:small", {}, "no module 'no.such.module' on the Python path"),
        ("nets/mine.py:smal", {}, "unknown factory 'smal'; did you mean 'small'? Accepted: small, raises, "),
        ("nets/mine.py:small", {"widht": 3}, "unknown option 'widht'; did you mean 'width'?"),
        ("nets/mine.py:raises", {}, "could not be built: KeyError: 'no such thing' (mine.py, line 16, in raises)"),
        ("nets/mine.py:nothing", {}, "the factory returned str, accepted: a torch.nn.Module"),
        ("nets/mine.py:wide", {}, "found outputs of shape (1, 4) for 1 images and 3 classes, accepted: (1, 3)"),
        ("nets/mine.py:Lists", {}, "found outputs of shape list for 1 images and 3 classes"),
        ("nets/mine.py:Breaks", {}, "evaluation: KeyError: 'missing' (mine.py, line "),
        ("nets/mine.py:Flat", {}, "nets/mine.py:Flat: at 16x16x3, evaluation: "),
        ("nets/torn.py:small", {}, "nets/torn.py cannot be loaded: SyntaxError: "),
        ("nets/leaves.py:small", {}, "nets/leaves.py cannot be loaded: SystemExit: "),
        ("nets/mine.py:small", {"weights": 3}, "weights: found 3, accepted: the path of a file"),
        ("nets/mine.py:small", {"weights": "a.txt"}, "found 'a.txt', accepted: a folder, or a file that ends in"),
        ("nets/mine.py:small", {"weights": "a.pth"}, "weights: no such file 'a.pth'"),
        ("nets/mine.py:small", {"weights": "torn.pth"}, "torn.pth: cannot be read as weights"),
        ("nets/mine.py:small", {"weights": "torn.safetensors"}, "torn.safetensors: cannot be read as weights"),
        ("nets/mine.py:small", {"weights": "code.pth"}, "code.pth: cannot be read as weights"),
        ("nets/mine.py:small", {"weights": "list.pth"}, "list.pth: found list without weights"),
    ],
)  # fmt: skip
def test_mistakes_are_told(here, monkeypatch, text, options, message):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (here / "nets" / "torn.py").write_text("def small(:")
    (here / "nets" / "leaves.py").write_text("raise SystemExit(3)")
    (here / "torn.pth").write_bytes(b"PK\x03\x04 torn")
    (here / "torn.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{")
    torch.save(nn.Linear(2, 2), here / "code.pth")  # a pickled object, which would run code
    torch.save([1, 2], here / "list.pth")
    with pytest.raises(CommonGardenError) as error:
        measured(text, **options)
    assert message in str(error.value).replace("\\", "/")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "mine.py:small",
            "ends.py:small",
            "nets/ends.py:small: the preflight check crashed in measuring its cost",
        ),
        ("lr = 3e-3", "origin = 3", "arms.own.origin: found 3, accepted: the table as written by commongarden"),
        ("lr = 3e-3", "width = 2020-01-01", "arms.own: nets/mine.py:small: Object of type date is not JSON"),
    ],
)
def test_mistakes_end_with_two_and_one_message(commongarden, here, old, new, message):
    (here / "nets" / "ends.py").write_text("import os; os._exit(3)")
    text = (here / "study.toml").read_text()
    assert old in text
    (here / "study.toml").write_text(text.replace(old, new))
    result = commongarden("run", "study.toml", "--out", "out", check=2, cwd=here)
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (here / "out").exists()


def test_a_library_that_is_not_installed_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ArchError, match=r"timm cannot be loaded \(.*\); accepted: pip install timm"):
        measured("timm:resnet10t")


def test_without_network_the_wanted_file_is_named(monkeypatch, tmp_path):
    def unreachable(*arguments, **options):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    for text, wanted, host in (
        ("torchvision:resnet18", "https://download.pytorch.org/models/resnet18-f37072fd.pth", "download.pytorch.org"),
        ("timm:resnet10t", "timm/resnet10t.c3_in1k/model.safetensors", "127.0.0.1:9"),
    ):
        with pytest.raises(ArchError) as error:
            measured(text, size=32, pretrained=True)
        assert f"the pretrained weights {wanted} cannot be downloaded ({host} does not answer)" in str(error.value)
        assert 'a copy of the weights: weights = "FILE.safetensors" (or .pth, .pt)' in str(error.value)


def test_published_weights_that_are_there_already_are_taken(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    published = made(measured("torchvision:resnet18", 1000, 32), 1000).inner
    torch.save(published.state_dict(), tmp_path / "checkpoints" / "resnet18-f37072fd.pth")
    arm = measured("torchvision:resnet18", size=32, pretrained=True)
    assert arm.origin.weights == origin.file_hash(tmp_path / "checkpoints" / "resnet18-f37072fd.pth")
    network = made(arm)
    before = network.inner.fc.weight.clone()
    weights.load(network, arm)
    assert torch.equal(network.inner.conv1.weight, published.conv1.weight)
    assert torch.equal(network.inner.fc.weight, before)


@pytest.mark.parametrize("file", ["w.safetensors", "w.pth", "w.pt"])
@pytest.mark.parametrize("n_classes", [3, 7])
def test_given_weights_are_where_training_starts(here, file, n_classes):
    """The whole network's where the classes are as many, else all but the last layer's."""
    given = made(measured("nets/mine.py:small", n_classes), n_classes).inner
    if file.endswith(".safetensors"):
        safetensors.torch.save_file(given.state_dict(), file)
    else:
        torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in given.state_dict().items()}}, file)
    arm = measured("nets/mine.py:small", weights=file)
    assert arm.origin.weights == origin.file_hash(here / file)
    assert arm.overrides == {}
    network = made(arm)
    drawn = network.inner[-1].weight.clone()
    weights.load(network, arm)
    for (name, ours), theirs in zip(network.inner.state_dict().items(), given.state_dict().values(), strict=True):
        if n_classes == 3 or not name.startswith("7."):
            assert torch.equal(ours, theirs)
    assert torch.equal(network.inner[-1].weight, given[-1].weight if n_classes == 3 else drawn)


def test_weights_under_other_names_are_placed_by_structure(here):
    given = made(measured("nets/mine.py:renamed")).inner
    torch.save(given.state_dict(), "renamed.pth")
    arm = measured("nets/mine.py:small", weights="renamed.pth")
    network = made(arm)
    weights.load(network, arm)
    assert [torch.equal(a, b) for a, b in zip(network.parameters(), given.parameters(), strict=True)] == [True] * 8


def test_weights_of_another_network_are_told_by_tensor(here):
    torch.save(made(measured("nets/mine.py:small", width=5)).inner.state_dict(), "five.pth")
    with pytest.raises(ArchError) as error:
        measured("nets/mine.py:small", weights="five.pth")
    assert "five.pth: different shapes: 0.weight: 5x3x3x3 in the file, 4x3x3x3 in the network; 0.bias: 5 in" in str(
        error.value
    )
    assert "and 2 more tensors" in str(error.value)
    torch.save(made(measured("nets/mine.py:small", norm=False)).inner.state_dict(), "plain.pth")
    with pytest.raises(ArchError) as error:
        measured("nets/mine.py:small", weights="plain.pth")
    assert (
        "plain.pth: missing in the file: 1.weight, 1.bias, 1.running_mean, 1.running_var, 3.weight and 1 more;"
        in str(error.value)
    )
    assert "only in the file: 2.weight, 2.bias, 6.weight" in str(error.value)


def test_a_network_that_came_out_otherwise_is_refused(here, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (here / "nets" / "size.py").write_text("WIDTH = 4")
    (here / "nets" / "uses.py").write_text(
        "import size\nfrom mine import small\n\n\ndef net(n): return small(n, size.WIDTH)"
    )
    arm = measured("nets/uses.py:net")
    made(arm)
    (here / "nets" / "size.py").write_text("WIDTH = 5  # changed")  # of another length: Python compares that
    with pytest.raises(ArchError, match="found 545 parameters, but 443 when it was first measured"):
        made(arm)


def test_weights_that_change_are_refused(here):
    given = made(measured("nets/mine.py:small")).inner
    torch.save(given.state_dict(), "w.pth")
    arm = measured("nets/mine.py:small", weights="w.pth")
    study = Study("s", "photos", {"own": arm})
    given[0].weight.data.zero_()
    torch.save(given.state_dict(), "w.pth")
    with pytest.raises(ArchError, match=r"w\.pth has changed since the study was created"):
        weights.load(made(arm), arm)
    wanted = Study("s", "photos", {"own": Arm("nets/mine.py:small", {"weights": "w.pth"})})
    (line,) = studies.conflicts(study, wanted)
    assert line.startswith("arms.own, nets/mine.py:small: SHA-256 of its weights: ")
    (here / "s.toml").write_text(studies.dump(study), encoding="utf-8")
    with pytest.raises(StudyError, match=r"arms\.own: w\.pth has changed: SHA-256 "):
        studies.read("s.toml")


def test_a_study_starts_from_given_weights_and_can_learn_the_head_alone(grown):
    given = torch.load(grown / "nine.pth")
    found = safetensors.torch.load_file(grown / "out" / "runs" / "own" / "0" / "model.safetensors")
    for key, value in given.items():
        if not key.startswith("7."):
            assert torch.equal(found[f"body.network.inner.{key}"], value), key


def test_the_last_layer_is_found(here):
    for text, size, name in (
        ("nets/mine.py:small", 16, "7"),
        ("torchvision:googlenet", 64, "fc"),
        ("torchvision:squeezenet1_1", 64, "classifier.1"),
        ("timm:resnet10t", 32, "fc"),
    ):
        network = made(measured(text, size=size))
        assert last_layer(network) is network.inner.get_submodule(name)


def test_going_on_from_a_checkpoint_equals_never_having_stopped(here, tmp_path):
    arm = measured("nets/mine.py:small")
    recipe = Recipe(resolution=16, epochs=3, batch_size=6, head_epochs=1, body_lr=0.5, init="own", lr=1e-2)
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (18, 3, 16, 16), generator=generator, dtype=torch.uint8)
    batches = list(zip(pixels.split(6), (torch.arange(18) % 3).split(6), strict=True))

    def new():
        torch.manual_seed(1)
        classifier = Classifier(arm.network(3), (16, 16, 3), recipe, (128.0,) * 3, (64.0,) * 3)
        return loop.new_train_state(classifier, recipe, torch.device("cpu"))

    def epochs(train_state):
        return (news for news in loop.train(train_state, lambda epoch: batches, lambda: batches, 3, 0, 0)
                if isinstance(news, Epoch))  # fmt: skip

    whole, stopped, resumed = new(), new(), new()
    list(epochs(whole))
    next(epochs(stopped))
    (tmp_path / "checkpoint.pt").write_bytes(checkpoint.to_bytes(stopped))
    checkpoint.restore(resumed, tmp_path / "checkpoint.pt")
    list(epochs(resumed))
    assert state.to_bytes(resumed.classifier) == state.to_bytes(whole.classifier)
