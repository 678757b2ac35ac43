"""Pooled features of every kind of head, beside those that the networks' own libraries give."""

import dataclasses

import pytest
import torch
from torch import nn

from commongarden.errors import ArchError
from commongarden.runner.initial_network import first_weights
from commongarden.study import Arm
from commongarden.study.recipe import Recipe
from commongarden.train.features import pooled_features
from commongarden.train.head import last_layer
from commongarden.train.measure import n_params, network_by_others

CPU, SIZE, CLASSES = torch.device("cpu"), 64, 3
PIXELS = torch.randint(0, 256, (4, 3, SIZE, SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
BATCHES = [(PIXELS[:3], torch.tensor([0, 1, 2])), (PIXELS[3:], torch.tensor([1]))]


def classifier(arch, **options):
    arm, size = Arm(arch, options), (SIZE, SIZE, 3)
    if arm.origin is not None:
        arm = dataclasses.replace(arm, origin=network_by_others(arm, CLASSES, size))
    recipe = Recipe(resolution=SIZE, init="own", layout="channels-first")
    return first_weights(arm, arm.network(CLASSES), size, recipe, (120.0,) * 3, (60.0,) * 3, 0, 0)


@pytest.mark.parametrize("arch", ["timm:test_resnet", "timm:test_convnext", "timm:test_mambaout"])
def test_features_are_timms_before_its_head(arch):
    network = classifier(arch)
    found, labels = pooled_features(network, BATCHES, CPU)
    theirs = network.body[0].inner
    with torch.no_grad():
        wanted = theirs.forward_head(theirs.forward_features(network.preprocessed(PIXELS)), pre_logits=True)
    torch.testing.assert_close(found, wanted.flatten(1))
    assert labels.tolist() == [0, 1, 2, 1]


@pytest.mark.parametrize("arch", ["plain_flower", "torchvision:mobilenet_v3_small"])
def test_the_last_layer_makes_logits_of_features(arch):
    network = classifier(arch)
    found, _labels = pooled_features(network, BATCHES, CPU)
    with torch.no_grad():
        head = last_layer(network)
        made = nn.functional.linear(found, head.weight.flatten(1), head.bias)
        torch.testing.assert_close(made, network(PIXELS), rtol=1e-4, atol=1e-4)


def test_features_of_a_convolution_at_each_position_are_their_mean():
    network = classifier("torchvision:squeezenet1_1")
    found, _labels = pooled_features(network, BATCHES, CPU)
    theirs = network.body[0].inner
    with torch.no_grad():
        wanted = theirs.features(network.preprocessed(PIXELS)).mean((2, 3))
    torch.testing.assert_close(found, wanted)


def test_a_network_without_a_last_layer_is_told(tmp_path):
    code = tmp_path / "nets.py"
    code.write_text(
        "from torch import nn\ndef fixed(n):\n    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())\n",
        encoding="utf-8",
    )
    network = classifier(f"{code}:fixed")
    with pytest.raises(ArchError, match="no last layer that gives one number per class"):
        pooled_features(network, BATCHES, CPU)


@pytest.mark.parametrize("arch", ["timm:test_resnet", "torchvision:resnet18"])
def test_parameters_are_counted_without_memory_for_them(arch):
    arm = Arm(arch)
    wanted = network_by_others(arm, CLASSES, (SIZE, SIZE, 3)).n_params
    assert n_params(arm, CLASSES) == wanted
