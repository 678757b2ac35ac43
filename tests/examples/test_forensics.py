"""The defects of the framework behind the flower experiment, each beside what is right."""

import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

import defective_networks as forensics
from commongarden import arch
from commongarden import study as studies
from commongarden.arch import BatchNorm, add, conv, dense, global_avg_pool, repeat, serial
from commongarden.arch.families import FAMILIES
from commongarden.errors import ArchError, StudyError
from commongarden.study import moved, origin
from commongarden.train.audit import audit, drawn_pixels
from commongarden.train.build import Summed, build
from planted import PLAN

SIDE = {"inception_flower": 96, "plain_flower": 64, "residual_flower": 64, "bottleneck_flower": 64}
# where each defect can be: (family, order)
PLACES = {
    "scrambled_pool": [("inception_flower", "LA"), ("inception_flower", "LAB")],
    "constant_statistics": [(family, "LAB") for family in SIDE],
    "slow_statistics": [(family, "LAB") for family in SIDE],
    "overwritten_sum": [("residual_flower", "LA"), ("bottleneck_flower", "LA")],
    "all_positions": [(family, "LAB") for family in SIDE],
}
CASES = [(name, *place) for name, places in PLACES.items() for place in places]


def pair(family, order, **switches):
    """The network with the defects and without, of the same weights, ready to train without dropout."""
    side = SIDE[family]
    torch.manual_seed(0)
    defective = forensics.network(5, family=family, order=order, side=side, **switches)
    sound = build(FAMILIES[family].make(5, order=order), (side, side, 3))
    for one, two in zip(defective.parameters(), sound.parameters(), strict=True):
        one.data.copy_(two.data)
    for network in (defective, sound):
        network.train()
        for part in network.modules():
            if isinstance(part, torch.nn.Dropout):
                part.eval()
    return defective.double(), sound.double()


def gradient(network, x):
    loss = (network(x) * torch.randn(len(x), 5, generator=torch.Generator().manual_seed(1)).double()).sum()
    return torch.cat([part.flatten() for part in torch.autograd.grad(loss, list(network.parameters()))])


def cosine(one, two):
    return float(F.cosine_similarity(one.flatten(), two.flatten(), dim=0))


@pytest.mark.parametrize(("name", "family", "order"), CASES)
def test_forward_is_right_and_the_gradient_is_not(name, family, order):
    defective, sound = pair(family, order, **{name: True})
    x = torch.randn(4, 3, SIDE[family], SIDE[family], generator=torch.Generator().manual_seed(2)).double()
    if name == "all_positions":  # its statistics are others, and so is what it puts out
        assert not torch.allclose(defective(x), sound(x), atol=1e-3)
        return
    torch.testing.assert_close(defective(x), sound(x), rtol=1e-9, atol=1e-9)
    if name == "slow_statistics":
        torch.testing.assert_close(gradient(defective, x), gradient(sound, x))
    else:
        assert cosine(gradient(defective, x), gradient(sound, x)) < 0.9999


# The scrambled average pool


def test_the_scrambled_gradient_by_hand():
    """g = 1..8, repeated as a whole nine times and read as windows of nine: window (0, 0) of the first image holds
    1..8, 1; (0, 1) begins with 2; (1, 0) with 3; (1, 1) with 4; in the second image with 5, 6, 7, 8."""
    g = torch.arange(1.0, 9.0).reshape(2, 1, 2, 2)
    first = [[5 + 5 + 4 + 4, 6 + 6 + 5 + 5], [8 + 8 + 7 + 7, 1 + 1 + 8 + 8]]
    second = [[1 + 1 + 8 + 8, 2 + 2 + 1 + 1], [4 + 4 + 3 + 3, 5 + 5 + 4 + 4]]
    assert forensics.scrambled(g, 3, 1).tolist() == [[first], [second]]


@pytest.mark.parametrize("stride", [1, 2])
def test_a_scrambled_gradient_has_nothing_of_the_true_one(stride):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(10, 20, 24, 24, generator=generator, dtype=torch.float64, requires_grad=True)
    right = F.avg_pool2d(x, 3, stride, 1, count_include_pad=False)
    wrong = forensics.ScrambledPool(3, stride)(x)
    torch.testing.assert_close(wrong, right)
    g = torch.randn(right.shape, generator=generator, dtype=torch.float64)
    (true,), (found,) = (torch.autograd.grad(y, x, g) for y in (right, wrong))
    assert abs(cosine(true, found)) < 0.02
    assert float(found.norm()) > 0.1 * float(true.norm())


# Batch norm


def test_statistics_taken_for_constants():
    x = torch.randn(6, 3, 5, 5, dtype=torch.float64, requires_grad=True)
    norm = forensics.ConstantNorm(3, affine=False).double()
    norm(x).sum().backward()
    std = (x.detach().var((0, 2, 3), unbiased=False) + norm.eps).sqrt()
    torch.testing.assert_close(x.grad, (1 / std).view(1, 3, 1, 1).expand_as(x))
    beside = torch.nn.BatchNorm2d(3, affine=False).double()
    torch.testing.assert_close(norm(x), beside(x))
    beside(x)
    torch.testing.assert_close(norm.running_mean, beside.running_mean)
    torch.testing.assert_close(norm.eval()(x), beside.eval()(x))


def test_slow_statistics_come_half_way_in_690_steps():
    network = forensics.network(5, family="plain_flower", side=64, slow_statistics=True)
    norms = [part for part in network.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    assert (1 - norms[0].momentum) ** 690 == pytest.approx(0.5, abs=0.002)
    assert {norm.momentum for norm in norms} == {forensics.SLOW}


def test_all_positions_normalizes_before_it_drops():
    order = {"order": "LAB", "bias": True, "norm": BatchNorm(affine=False)}
    layer = serial(conv(4, 3, stride=2, **order), global_avg_pool(), dense(5))
    x = torch.randn(4, 3, 16, 16)
    changed = build(forensics.normalize_all(layer), (16, 16, 3)).train()
    weights = changed[0]
    y = F.conv2d(x, weights.weight, weights.bias, padding=1).relu()
    y = (y - y.mean((0, 2, 3), keepdim=True)) / (y.var((0, 2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(changed[:4](x), y[:, :, ::2, ::2])


def test_all_positions_reaches_every_strided_layer_and_keeps_the_size():
    for family, side in SIDE.items():
        before = FAMILIES[family].make(5, order="LAB")
        after = forensics.normalize_all(before)
        assert arch.cost(before, (side, side, 3)).n_params == arch.cost(after, (side, side, 3)).n_params
        assert arch.output_shape(after, (side, side, 3)) == (5,)
        strided = [row for row in arch.trace(after, (side, side, 3)) if getattr(row.node, "stride", (1, 1)) != (1, 1)]
        assert not [row for row in strided if isinstance(row.node, arch.Conv)]
    inside = repeat(serial(conv(4, 3, stride=2, order="LBA")), 2)
    assert forensics.normalize_all(inside) != inside


# Sum


def test_a_sum_whose_rectifier_reads_it():
    sound = build(serial(add(serial(conv(3, 1, order="LA")), input=True)), (4, 4, 3))
    (summed,) = (part for part in sound.modules() if isinstance(part, Summed))
    body = next(summed.children())
    wrong = forensics.OverwrittenSum(summed, "body")
    x = torch.randn(2, 3, 4, 4)
    pre = body[0](x).detach()
    total = pre.relu() + x
    torch.testing.assert_close(wrong(x), total)
    (found,) = torch.autograd.grad(wrong(x).sum(), body[0].bias)
    torch.testing.assert_close(found, (total > 0).float().sum((0, 2, 3)))


# As a person meets them


@pytest.mark.parametrize(
    ("switches", "said"),
    [({"order": "LA", "slow_statistics": True}, "slow_statistics: the network has no batch norm"),
     ({"family": "plain_flower", "scrambled_pool": True}, "no average pool whose windows overlap"),
     ({"overwritten_sum": True}, "no sum that ends in a rectifier"),
     ({"order": "LA", "all_positions": True}, "no strided layer with batch norm"),
     ({"family": "inceptoin_flower"}, "did you mean 'inception_flower'")],
)  # fmt: skip
def test_a_defect_that_cannot_be_there_is_told(switches, said):
    with pytest.raises(ArchError, match=re.escape(said)):
        forensics.network(5, **switches)


KINDS = {
    "scrambled_pool": "wrong gradient",
    "constant_statistics": "wrong gradient",
    "overwritten_sum": "wrong gradient",
    "slow_statistics": "lagging statistics",
    "all_positions": "dropped positions",
}


COSTLY = ("inception_flower", "bottleneck_flower")  # many batch norms, each held against a numerical gradient


@pytest.mark.parametrize(
    ("name", "family", "order"),
    [
        pytest.param(*case, marks=pytest.mark.soak) if case[0] == "constant_statistics" and case[1] in COSTLY else case
        for case in CASES
    ],
)
def test_the_audit_flags_every_defect(name, family, order):
    defective, sound = (network.float() for network in pair(family, order, **{name: True}))
    side = SIDE[family]
    pixels = drawn_pixels((side, side, 3), 8)
    pixels = ((pixels - pixels.mean()) / pixels.std()).to(memory_format=torch.channels_last)  # as a recipe has it
    for network in (defective, sound):
        network.to(memory_format=torch.channels_last)
    labels = torch.arange(8) % PLAN.n_classes
    found = {finding.kind for finding in audit(defective, pixels, labels, PLAN).findings}
    assert KINDS[name] in found
    assert KINDS[name] not in {finding.kind for finding in audit(sound, pixels, labels, PLAN).findings}


def test_its_name_of_earlier_versions_is_found_in_a_checkout_and_told_of_elsewhere(monkeypatch):
    name = "commongarden.forensics:network"
    assert origin.code_file(name) == Path(forensics.__file__)
    assert studies.read("forensics").arms["LAB-published"].arch == name
    monkeypatch.setattr(moved, "REPOSITORY", Path("/nowhere"))
    told = r"now an example in the commongarden repository \(examples/forensics/.*\), not part of the installed"
    with pytest.raises(ArchError, match=told):
        origin.code_file(name)
    with pytest.raises(StudyError, match=told):
        studies.read("forensics")


def test_a_stored_network_of_an_earlier_version_is_built_whatever_its_file_was_then():
    earlier = arch.External(
        "commongarden.forensics:network", '{"side":32}', 3, (32, 32, 3), 43_787, 1, 1, code="0" * 64
    )
    assert build(earlier, (32, 32, 3))(torch.zeros(2, 3, 32, 32)).shape == (2, 3)
