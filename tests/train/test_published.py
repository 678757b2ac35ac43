"""Published weights, fetched from a server of this machine that speaks the hub's protocol: real networks of timm."""

import dataclasses
import hashlib
import json
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import timm
import torch
import torchvision

from commongarden.errors import ArchError, StudyError
from commongarden.study import Arm, origin
from commongarden.train import by_url, external, hub, published, weights
from commongarden.train.measure import n_params, network_by_others
from hub_server import COMMIT, served

TAGGED = "timm/test_resnet.r160_in1k"
OTHER = "someone/small-vit"


def saved(network, folder, **more):
    """The files of a repository, as timm itself writes them."""
    timm.models.save_for_hf(network, folder, safe_serialization=True, **more)
    return {file.name: file.read_bytes() for file in Path(folder).iterdir()}


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(3)
    return {
        TAGGED: timm.create_model("test_resnet.r160_in1k"),
        OTHER: timm.create_model("test_vit", num_classes=4, depth=2, img_size=64),
    }


@pytest.fixture(scope="module")
def repositories(networks, tmp_path_factory):
    return {name: saved(each, tmp_path_factory.mktemp("repository")) for name, each in networks.items()}


@pytest.fixture
def served_hub(monkeypatch, tmp_path, repositories):
    """The hub, with its own empty cache on this machine, and torch's."""
    from huggingface_hub import constants

    with served() as found:
        monkeypatch.setenv("HF_ENDPOINT", found.url)
        monkeypatch.setattr(constants, "ENDPOINT", found.url)
        template = f"{found.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "torch"))
        monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 200_000)
        monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
        for name, files in repositories.items():
            found.put(name, files)
        yield found


def measured(text, n_classes=3, size=64, **options):
    arm = Arm(text, options)
    return dataclasses.replace(arm, origin=network_by_others(arm, n_classes, (size, size, 3)))


def made(arm, n_classes=3):
    torch.manual_seed(0)
    network = external.make(arm.network(n_classes).layers[0])
    weights.load(network, arm)
    return network.inner


def equal(found, wanted, without=()):
    ours, theirs = found.state_dict(), wanted.state_dict()
    names = [name for name in theirs if not name.startswith(without)]
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in names)


@pytest.mark.parametrize("n_classes", [3, 1000])
def test_a_tag_of_timm_gives_what_timm_gives(served_hub, networks, n_classes):
    arm = measured("timm:test_resnet.r160_in1k", n_classes, pretrained=True)
    assert (arm.origin.revision, arm.origin.weights) == (
        COMMIT, hashlib.sha256(served_hub.files[TAGGED][COMMIT]["model.safetensors"]).hexdigest()
    )  # fmt: skip
    by_timm = timm.create_model("test_resnet.r160_in1k", pretrained=True, num_classes=n_classes)
    assert equal(made(arm, n_classes), by_timm, without=() if n_classes == 1000 else ("fc",))
    assert equal(by_timm, networks[TAGGED], without=() if n_classes == 1000 else ("fc",))


def test_a_model_of_the_hub_is_pinned_and_needs_no_hub_again(served_hub, monkeypatch, networks, repositories):
    arm = measured(f"hf-hub:{OTHER}", 4, pretrained=True)
    by_timm = timm.create_model(f"hf-hub:{OTHER}", pretrained=True)
    assert equal(made(arm, 4), by_timm)
    assert equal(by_timm, networks[OTHER])
    assert (arm.origin.revision, json.loads(arm.origin.config)["architecture"]) == (COMMIT, "test_vit")
    changed = {**repositories[OTHER], "config.json": repositories[OTHER]["config.json"].replace(b"test_vit", b"vgg11")}
    served_hub.put(OTHER, changed, commit="d1" * 20)
    served_hub.asked.clear()
    assert equal(made(arm, 4), by_timm), "the commit of the study"
    assert served_hub.asked == []
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert equal(made(arm, 4), by_timm)
    drawn = dataclasses.replace(arm, options={"pretrained": False, "weights": ""})
    again = external.make(drawn.network(4).layers[0])
    assert [tuple(each.shape) for each in again.parameters()] == [tuple(each.shape) for each in by_timm.parameters()]
    assert again.inner.pretrained_cfg == made(arm, 4).pretrained_cfg == {**by_timm.pretrained_cfg}
    monkeypatch.setenv("HF_ENDPOINT", served_hub.url)
    assert measured(f"hf-hub:{OTHER}@{COMMIT}", 4).origin.config == arm.origin.config
    assert n_params(Arm(f"hf-hub:{OTHER}@{COMMIT}"), 4) == sum(each.numel() for each in by_timm.parameters())
    with pytest.raises(ArchError, match=r"someone/small-vit has no revision 'nope'"):
        measured(f"hf-hub:{OTHER}@nope", 4)


def test_weights_of_another_image_size_are_converted_as_by_timm(served_hub):
    arm = measured(f"hf-hub:{OTHER}", 4, 96, pretrained=True, img_size=96)
    assert equal(made(arm, 4), timm.create_model(f"hf-hub:{OTHER}", pretrained=True, img_size=96))


def test_a_repository_with_an_older_file_only(served_hub, networks, tmp_path):
    torch.save(networks[TAGGED].state_dict(), tmp_path / "pytorch_model.bin")
    served_hub.put(TAGGED, {"pytorch_model.bin": (tmp_path / "pytorch_model.bin").read_bytes()})
    arm = measured("timm:test_resnet", pretrained=True)
    assert arm.origin.weights == origin.file_hash(tmp_path / "pytorch_model.bin")
    assert equal(made(arm), networks[TAGGED], without=("fc",))


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("gated", "access is restricted: accept the terms at http"),
        (
            "private",
            "does not exist or is private; for a private repository, log in with hf auth login or set HF_TOKEN",
        ),
        ("broken", "the connection broke 4 times"),
        ("wrong", "model.safetensors has SHA-256 "),
        ("loop", "TooManyRedirects: "),
        ("hangs", "does not answer"),
        ("silent", "answers, but not as a Hugging Face hub does"),
        ("fails", "503"),
    ],
)
def test_what_breaks_is_a_sentence_and_nothing_half_written_is_used(served_hub, monkeypatch, tmp_path, how, said):
    monkeypatch.setattr(hub, "SECONDS_TO_REACH", 0.3 if how == "hangs" else 3)
    served_hub.breaks[TAGGED] = how
    with pytest.raises(ArchError) as error:
        published.fetch(Arm("timm:test_resnet", {"pretrained": True}))
    assert str(error.value).startswith(
        f"timm:test_resnet: the pretrained weights {TAGGED}/model.safetensors cannot be downloaded ("
    )
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    files = [each.name for each in (tmp_path / "cache").rglob("*") if each.is_file()]
    assert not [name for name in files if name.endswith((".safetensors", ".incomplete", ".bin"))]
    del served_hub.breaks[TAGGED]
    assert published.fetch(Arm("timm:test_resnet", {"pretrained": True})).commit == COMMIT


def test_a_torn_download_goes_on_where_it_was(served_hub):
    served_hub.breaks[TAGGED] = "torn"
    heard = []
    found = published.fetch(Arm("timm:test_resnet", {"pretrained": True}), lambda n, of: heard.append((n, of)))
    body = served_hub.files[TAGGED][COMMIT]["model.safetensors"]
    assert found.file.read_bytes() == body
    assert heard[-1] == (len(body), len(body))


def test_bytes_are_counted_once_where_the_hub_sends_from_its_own_storage():
    reporting = pytest.importorskip("huggingface_hub.utils._xet_progress_reporting")
    heard = []
    bar = hub.bar(lambda n, of: heard.append((n, of)))
    reporter = reporting.XetDownloadProgressReporter(
        reconstruction_desc="a", transfer_desc="b", total=100, log_level=30, tqdm_class=bar
    )
    for come, written in ((40, 0), (80, 60), (100, 100)):
        report = SimpleNamespace(
            total_bytes_completed=written, total_transfer_bytes_completed=come, total_bytes=100,
            total_bytes_completion_rate=1.0, total_transfer_bytes_completion_rate=1.0,
        )  # fmt: skip
        reporter.update_progress(report)
    reporter.close()
    assert heard == [(60, 100), (100, 100)]


def test_the_cache_is_used_where_nothing_answers(served_hub, monkeypatch):
    from huggingface_hub import constants

    arm = Arm("timm:test_resnet", {"pretrained": True})
    found = published.fetch(arm)
    for setting in ({"HF_HUB_OFFLINE": True}, {}):
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", bool(setting))
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
        began = time.monotonic()
        assert published.fetch(arm) == found
        with pytest.raises(
            ArchError,
            match="HF_HUB_OFFLINE is set and the file is not in" if setting else "127.0.0.1:9 does not answer",
        ):
            published.fetch(Arm("timm:test_vit", {"pretrained": True}))
        assert time.monotonic() - began < 3
    blob = found.file.resolve()
    blob.write_bytes(blob.read_bytes()[:-1])
    with pytest.raises(ArchError, match=r"has SHA-256 .*; delete .* and repeat the command"):
        published.fetch(arm)


def test_what_downloads_take_is_known_before(served_hub, monkeypatch, repositories):
    given = {"pretrained": True}
    arms = [Arm("timm:test_resnet", given), Arm(f"hf-hub:{OTHER}", given), Arm("timm:test_vit", given)]
    arms += [Arm("timm:test_resnet", given), Arm("timm:test_vit2"), Arm("plain_flower")]
    published.fetch(arms[1])
    sizes = [len(repositories[name]["model.safetensors"]) for name in (TAGGED, OTHER)]
    found = published.downloads(arms)
    assert found == (
        published.Download("timm:test_resnet", f"{TAGGED}/model.safetensors", sizes[0], False, True),
        published.Download(f"hf-hub:{OTHER}", f"{OTHER}/model.safetensors", sizes[1], True, True),
        published.Download("timm:test_vit", "timm/test_vit.r160_in1k/model.safetensors", None, False, False),
    )
    served_hub.breaks[TAGGED] = served_hub.breaks[OTHER] = "hangs"
    began = time.monotonic()
    found = published.downloads(arms, seconds=0.3)
    assert time.monotonic() - began < 1
    assert [(each.bytes, each.cached, each.reachable) for each in found[:2]] == [
        (None, False, False), (None, True, False),
    ]  # fmt: skip
    with pytest.raises(ArchError, match="unknown model 'test_resnt'; did you mean timm:test_resnet"):
        published.downloads([Arm("timm:test_resnt", given)])
    assert published.downloads([Arm("timm:test_resnt", given)], skip_unknown=True) == ()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (b"{", "config.json: found invalid JSON ("),
        (b"[1]", "found no architecture, accepted: the config.json of a timm model"),
        (b'{"model_type": "vit", "architectures": ["ViT"]}', "found no architecture (keys: model_type, architectures)"),
        (b'{"architecture": "test_vti"}', "timm:test_vti: unknown model 'test_vti'; did you mean timm:test_vit"),
        (
            b'{"architecture": "test_vit", "pretrained_cfg": 3}',
            "found pretrained_cfg or model_args that are not objects",
        ),
        (b'{"architecture": "test_vit", "model_args": {"width": 3}}', "the network could not be built: TypeError"),
        (
            b'{"architecture": "test_vit", "pretrained_cfg": {"mean": "x", "std": [1]}}',
            "its pretrained_cfg is not as timm writes it (TypeError",
        ),
        (None, "someone/small-vit has none of these files: config.json"),
    ],
)
def test_a_config_with_nonsense_is_refused(served_hub, config, said):
    served_hub.put(OTHER, {} if config is None else {"config.json": config})
    with pytest.raises(ArchError) as error:
        measured(f"hf-hub:{OTHER}", 4)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("timm:resnet50.a1_in2k", "unknown tag 'a1_in2k' of published weights; accepted: resnet50.a1_in1k, "),
        ("torchvision:resnet50.IMAGENET1K_V3", "accepted: resnet50.IMAGENET1K_V"),
        ("torchvision:resnet50.imagenet1k_v1", "accepted: resnet50.IMAGENET1K_V1, resnet50.IMAGENET1K_V2"),
        (
            "hf-hub:resnet50",
            "found no repository, accepted: hf-hub:ORG/NAME or hf-hub:ORG/NAME@REVISION, such as hf-hub:timm/resnet50",
        ),
        ("hf-hb:timm/resnet50", "unknown library 'hf-hb'; did you mean 'hf-hub'?"),
    ],
)
def test_an_unknown_tag_is_told_with_the_known_ones(text, said):
    with pytest.raises((ArchError, StudyError)) as error:
        measured(text)
    assert said in str(error.value)


@pytest.fixture
def of_torchvision(served_hub, monkeypatch, tmp_path):
    """The weights of torchvision's smallest network, on the server of this machine."""
    torch.manual_seed(1)
    network = torchvision.models.shufflenet_v2_x0_5()
    torch.save(network.state_dict(), tmp_path / "w.pth")
    body = (tmp_path / "w.pth").read_bytes()
    name = f"shufflenet-{hashlib.sha256(body).hexdigest()[:8]}.pth"
    served_hub.put("", {name: body}, "")
    weight = torchvision.models.ShuffleNet_V2_X0_5_Weights.IMAGENET1K_V1
    monkeypatch.setattr(weight.value, "url", f"{served_hub.url}/plain/{name}", raising=False)
    return network


def test_a_tag_of_torchvision_gives_its_weights(of_torchvision, served_hub):
    text = "torchvision:shufflenet_v2_x0_5.IMAGENET1K_V1"
    arm = Arm(text, {"pretrained": True})
    (wanted,) = published.downloads([arm])
    assert (wanted.bytes, wanted.cached, wanted.reachable) == (
        len(next(iter(served_hub.files[""][""].values()))),
        False,
        True,
    )
    arm = measured(text, 3, 32, pretrained=True)
    assert equal(made(arm), of_torchvision, without=("fc",))
    assert published.downloads([arm])[0].cached


@pytest.mark.parametrize(("how", "said"), [("broken", "the connection broke after"), ("wrong", "has SHA-256 ")])
def test_a_file_by_its_url_is_whole_and_right_or_not_there(of_torchvision, served_hub, tmp_path, how, said):
    if how == "wrong":
        files = served_hub.files[""][""]
        files.update({name: body[:-1] + b"x" for name, body in files.items()})
    served_hub.breaks[""] = how
    with pytest.raises(ArchError, match=said):
        published.fetch(Arm("torchvision:shufflenet_v2_x0_5", {"pretrained": True}))
    assert os.listdir(tmp_path / "torch" / "checkpoints") == []
    assert by_url.place("http://x/a-0123.pth").parent == tmp_path / "torch" / "checkpoints"


def test_a_folder_holds_the_files_of_several_models(tmp_path, monkeypatch, repositories):
    monkeypatch.chdir(tmp_path)
    folder = Path("weights")
    folder.mkdir()

    def put(*names):
        for name in names:
            (folder / name).write_bytes(repositories[TAGGED]["model.safetensors"])

    with pytest.raises(
        ArchError, match=r"weights contains no file for this model \(found none\); accepted: model\.safetensors, "
    ):
        Arm("timm:test_resnet", {"weights": "weights"})
    put("vgg11.safetensors", "test_resnet-0123abcd.safetensors")
    arm = measured("timm:test_resnet", weights="weights")
    assert arm.origin.weights == origin.file_hash(folder / "test_resnet-0123abcd.safetensors")
    assert equal(
        made(arm), timm.create_model("test_resnet", checkpoint_path=str(folder / "vgg11.safetensors")), ("fc",)
    )
    put("test_resnet.safetensors")
    with pytest.raises(
        ArchError, match=r"several files for this model: test_resnet-0123abcd\.safetensors, test_resnet\.safet"
    ):
        Arm("timm:test_resnet", {"weights": "weights"})
    put("test_resnet.r160_in1k.safetensors")
    assert Arm("timm:test_resnet.r160_in1k", {"weights": "weights"}).origin.weights
    put("model.safetensors", "pytorch_model.bin")
    assert weights.read(weights.weight_files.find("timm:vgg16", "weights/"))
