"""Batch norm folded for evaluation: the same numbers within rounding, the network untouched, always the same way."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

import pools
from commongarden import arch
from commongarden.arch import add, conv, dense, global_avg_pool, serial
from commongarden.study.recipe import Recipe
from commongarden.train import external, loop
from commongarden.train.build import build
from commongarden.train.evaluate import evaluate
from commongarden.train.folding import folded
from conformance import N_CLASSES, smallest
from counting import image
from small_training import CPU, NETWORK, SIZE, batches, new, trained


def settled(module, seed=0):
    """As after some training: running statistics, scales and shifts drawn, weights as they were."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for norm in module.modules():
            if isinstance(norm, _BatchNorm):
                norm.running_mean.normal_(0.0, 0.5, generator=generator)
                norm.running_var.uniform_(0.5, 2.0, generator=generator)
                for tensor in norm.parameters():
                    tensor.uniform_(0.5, 1.5, generator=generator)
    return module.eval()


def n_norms(module):
    return sum(isinstance(part, _BatchNorm) for part in module.modules())


def apart(module, x):
    """The greatest difference that folding makes, by the greatest output."""
    with torch.inference_mode():
        one, two = module(x), folded(module)(x)
    return float((one - two).abs().max() / one.abs().max())


NAMED = [
    *((name, order) for name in ("inception_flower", "bottleneck_flower", "residual_flower", "plain_flower",
                                 "resnet18", "googlenet") for order in ("LB", "LBA", "LAB")),
    ("resnet18", "BAL"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "order"), NAMED)
def test_the_same_numbers(name, order):
    size = smallest(name, order=order)
    module = settled(build(arch.network(name, N_CLASSES, order=order), (size, size, 3)))
    x = image((size, size, 3), n=3)
    follows = order in ("LB", "LBA")
    assert (n_norms(folded(module)) == 0) == follows
    assert apart(module, x) <= 1e-5
    assert apart(module.double(), x.double()) <= 1e-12


@settings(max_examples=80)
@given(network=pools.networks, shape=pools.SHAPES)
def test_any_network_evaluates_to_the_same_numbers(network, shape):
    if not pools.fits(network, shape):
        return
    module = pools.settled(build(network, shape)).eval()
    with torch.inference_mode():
        x = image(shape, n=3).double()
        torch.testing.assert_close(folded(module)(x), module(x), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("row", "left"),
    [
        ((conv(4, 3, order="LB"),), 0),
        ((conv(4, 3, order="LB", norm=arch.batch_norm(affine=False)),), 0),
        ((conv(4, 3, order="LB", padding=(0, 1, 2, 0)),), 0),
        ((conv(4, 3, order="LB"), arch.batch_norm()), 0),
        ((dense(4, order="LB"), dense(4, order="LB")), 0),
        ((conv(4, 3, order="LAB"),), 1),
        ((conv(4, 3, order="BL"),), 1),
        ((conv(4, 3, order="L"), arch.avg_pool(3, stride=1), arch.batch_norm()), 1),
        ((conv(4, 3, order="L"), arch.dropout(0.5), arch.batch_norm()), 1),
        ((arch.batch_norm(), conv(4, 3, order="L")), 1),
        ((arch.named("map", conv(4, 3, order="L")), arch.batch_norm()), 1),
        ((add(conv(4, 3, order="L"), conv(4, 1, order="L")), arch.batch_norm()), 1),
    ],
    ids=str,
)
def test_a_norm_is_folded_where_it_follows_a_linear_map(row, left):
    module = pools.settled(build(serial(*row, name="net"), (6, 5, 3))).eval()
    assert n_norms(folded(module)) == left
    assert apart(module, image((6, 5, 3)).double()) <= 1e-12


class _Doubled(nn.BatchNorm2d):
    def forward(self, x):
        return 2 * super().forward(x)


def test_what_may_compute_something_else_is_left():
    module = pools.settled(nn.Sequential(nn.Conv2d(3, 4, 3), _Doubled(4))).eval()
    assert n_norms(folded(module)) == 1
    batch_statistics = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)).eval()
    assert n_norms(folded(batch_statistics)) == 1
    twice = nn.Conv2d(3, 3, 1)
    module = pools.settled(nn.Sequential(twice, nn.BatchNorm2d(3), twice)).eval()
    assert apart(module, image((6, 5, 3)).double()) <= 1e-12


def test_a_network_by_others_is_shared_whole():
    node = arch.External("torchvision:shufflenet_v2_x0_5", "{}", 3, (32, 32, 3), 0, 0, 0)
    module = build(serial(node, name="net"), (32, 32, 3)).eval()
    (theirs,) = (part for part in module.modules() if isinstance(part, external.ExternalNetwork))
    assert any(part is theirs for part in folded(module).modules())
    assert n_norms(folded(module)) == n_norms(module) > 0


def test_the_network_is_left_as_it_was():
    network = serial(conv(6, 3, order="LBA"), conv(6, 3, order="LAB"), global_avg_pool(), dense(3), name="small")
    classifier = settled(new(Recipe(resolution=SIZE), network=network).classifier)
    before, parts = copy.deepcopy(classifier.state_dict()), list(classifier.modules())
    one = evaluate(classifier, batches(18), CPU)
    assert all(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())
    assert list(classifier.modules()) == parts
    assert not any(tensor.is_inference() for tensor in classifier.state_dict().values())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in classifier.parameters())
    copied = folded(classifier)
    shared = {tensor.data_ptr() for tensor in classifier.parameters()}
    assert {name for name, tensor in copied.named_parameters() if tensor.data_ptr() not in shared} == {
        "body.conv_3x3.weight", "body.conv_3x3.bias",
    }  # fmt: skip
    with torch.inference_mode():
        pixels = torch.cat([pixels for pixels, _ in batches(18)])
        np.testing.assert_allclose(one.probabilities, classifier(pixels).softmax(1).numpy(), rtol=1e-5, atol=1e-7)
    again = evaluate(classifier, batches(18), CPU)
    assert (one.loss, one.probabilities.tobytes()) == (again.loss, again.probabilities.tobytes())


def test_training_is_the_same_with_and_without_evaluation():
    """Weights, running statistics and dropout know nothing of what was evaluated in between."""
    norms = serial(conv(6, 3, order="LBA"), arch.dropout(0.2), conv(6, 3, order="LB"), global_avg_pool(), dense(3),
                   name="small")  # fmt: skip
    recipe = Recipe(resolution=SIZE, epochs=3, batch_size=6)
    found = []
    for looks in (0, 3):
        train_state = new(recipe, network=norms)
        found.append(_trained(train_state, looks))
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def _trained(train_state, looks):
    def val():
        for _ in range(looks):
            evaluate(train_state.classifier, batches(18, seed=9), CPU)
        return batches(18, seed=9)

    for _ in loop.train(train_state, lambda epoch: batches(), val, 6, 0, 0):
        pass
    return train_state.classifier.state_dict()


def test_validation_and_test_are_evaluated_the_same_way():
    """Validation in training gives the number that the test part would get from the same photos and weights."""
    network = dataclasses.replace(NETWORK, layers=(conv(6, 3, order="LBA"), *NETWORK.layers[1:]))
    recipe = Recipe(resolution=SIZE, epochs=2, batch_size=6)
    train_state = trained(recipe, train_state=new(recipe, network=network))
    found = evaluate(train_state.classifier, batches(18, seed=9), CPU)
    assert (found.loss, found.accuracy) == (train_state.history[-1].val_loss, train_state.history[-1].val_accuracy)
