"""A dozen networks of torchvision and timm through what a study does with one; `make zoo` is for all of them."""

import dataclasses

import pytest
import torch

from commongarden.study import Arm
from commongarden.study.recipe import Recipe, override
from commongarden.train.preflight import preflight
from commongarden.train.replay import recorded_step
from paths import ROOT
from visiting import CLASSES, FAILS, PASSES, REFUSED, STEPS, Step, Visit, draw_photos, go_through

USUAL = ("train", "predict")
# timm's test_ networks are small forms of its real ones, of the same code
SMALL = {
    "torchvision:resnet50": (Arm("torchvision:resnet50", {"width_per_group": 4}), ("audit", *USUAL)),
    "torchvision:mnasnet0_5": (Arm("torchvision:mnasnet0_5"), USUAL),
    "torchvision:mobilenet_v3_small": (Arm("torchvision:mobilenet_v3_small"), USUAL),
    "torchvision:shufflenet_v2_x0_5": (Arm("torchvision:shufflenet_v2_x0_5"), USUAL),
    "torchvision:squeezenet1_1": (Arm("torchvision:squeezenet1_1"), USUAL),
    "timm:ghostnet_050": (Arm("timm:ghostnet_050"), USUAL),
    "timm:lcnet_035": (Arm("timm:lcnet_035"), USUAL),
    "timm:test_byobnet": (Arm("timm:test_byobnet"), USUAL),
    "timm:test_convnext": (Arm("timm:test_convnext"), USUAL),
    "timm:test_vit": (Arm("timm:test_vit", overrides={"resolution": 160}), ("audit", *USUAL)),
    "timm:test_efficientnet": (Arm("timm:test_efficientnet", {"drop_path_rate": 0.2}), USUAL),
    "timm:test_nfnet": (Arm("timm:test_nfnet"), USUAL),
}
IN_FULL = {
    "torchvision:resnet50": 32,
    "timm:repvgg_a0": 96,
    "timm:lambda_resnet26t": 128,
    "torchvision:densenet121": 32,
    "torchvision:squeezenet1_1": 32,
}


@pytest.fixture(autouse=True)
def _soon_on_tape(monkeypatch):
    monkeypatch.setattr(recorded_step, "AS_EVER", 1)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


def checked(arm):
    """The arm measured and checked, in this process: a process for each would take longer than the study."""
    recipe = override(Recipe(resolution=32), arm.overrides)
    shape = (recipe.resolution, recipe.resolution, 3)
    found = preflight(arm, CLASSES, shape, recipe, (recipe.layout,), "cpu", 0, lambda phase: None)
    return dataclasses.replace(arm, origin=found, overrides={})


@pytest.fixture(scope="module")
def drawn_photos(tmp_path_factory):
    return draw_photos(tmp_path_factory.mktemp("zoo"))


def outcomes(visit, steps):
    return {step.step: (step.outcome, step.note) for step in go_through(visit, steps) if isinstance(step, Step)}


@pytest.mark.parametrize("name", SMALL)
def test_a_network_of_a_library_goes_through_a_study(name, drawn_photos, cache_folder, tmp_path):
    arm = checked(SMALL[name][0])
    visit = Visit(name, arm.origin.input[0], tmp_path, drawn_photos, cache_folder, arm=arm)
    steps = SMALL[name][1]
    visit.epochs = 1
    found = outcomes(visit, steps)
    assert list(found) == list(steps)
    assert {key: note for key, (outcome, note) in found.items() if outcome != PASSES} == {}
    assert all(not note for key, (_, note) in found.items() if key != "audit"), found


def test_a_network_that_does_not_fit_is_refused_with_the_memory_it_needs(drawn_photos, cache_folder, tmp_path):
    visit = Visit("torchvision:squeezenet1_1", 32, tmp_path, drawn_photos, cache_folder, n_params=724_035, memory=10**8)
    ((outcome, note),) = outcomes(visit, STEPS).values()
    assert outcome == REFUSED
    assert note.startswith("needs 0.")


def test_the_page_tells_of_every_network(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import zoo_page

    def row(model, outcome, *steps, large=False):
        told = [dict(zip(("step", "outcome", "note"), step, strict=True)) for step in steps]
        named = {"model": model, "outcome": outcome, "steps": told, "large": large, "size": 32, "n_params": 2e8}
        return {**named, "seconds": 4.0, "date": "2026-11-30", "machine": "a CPU", "versions": {"torch": "2.14"}}

    page = zoo_page.table([
        row("timm:a", PASSES, ("export", PASSES, "no ONNX: Unsupported: a | b")),
        row("timm:b", PASSES, large=True),
        row("timm:c", REFUSED, ("trial", REFUSED, "needs 12 GB")),
        row("torchvision:d", FAILS, ("train", PASSES, ""), ("predict", FAILS, "differs")),
    ])  # fmt: skip
    for line in (
        "| torchvision | 1 | 0 | 0 | 1 | 4 |", "| timm | 3 | 2 | 1 | 0 | 4 |", "Pass, timm (image size): a (32).",
        "Pass, with one step of training: timm:b (32, 200 M parameters).", "| `timm:a` | Unsupported: a \\| b |",
        "| `timm:c` | 32 | trial | needs 12 GB |", "| `torchvision:d` | 32 | predict | differs |",
        "`make zoo`, 2026-11-30; a CPU; torch 2.14.",
    ):  # fmt: skip
        assert line in page


@pytest.mark.soak
@pytest.mark.parametrize("name", IN_FULL)
def test_a_network_of_a_library_goes_through_every_step(name, drawn_photos, cache_folder, tmp_path):
    found = outcomes(Visit(name, IN_FULL[name], tmp_path, drawn_photos, cache_folder), STEPS)
    assert {key: note for key, (outcome, note) in found.items() if outcome != PASSES} == {}
