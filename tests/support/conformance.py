"""What every architecture must keep, whoever wrote it: asked of each registered name and block."""

import torch
from torch import nn

from commongarden import arch
from commongarden.errors import ArchError
from commongarden.train.build import build, module_name
from counting import backward, counted, image, shape_of

N_CLASSES = 5


def in_orders(*orders):
    """Each registered name with its options: as it is, and in those of these orders that it has not by itself."""
    return [
        (name, options)
        for name, family in arch.FAMILIES.items()
        for options in ({}, *({"order": order} for order in orders if family.options.get("order", order) != order))
    ]


def smallest(name, **options):
    """The smallest square image, from 16 pixels, that the named network can take, by its folds."""
    network = arch.network(name, N_CLASSES, **options)
    for size in range(16, 1000):
        try:
            arch.trace(network, (size, size, 3))
        except ArchError as error:
            refusal = str(error)
            assert refusal.startswith(f"{network.name} / "), refusal  # vgg16 in the order LBA is vgg16_bn
            assert "accepted: " in refusal
        else:
            return size
    raise AssertionError(f"{name} takes no image: {refusal}")


def conforms(network, shape):
    """The module is what the folds say, in training and in evaluation, and learns with every weight that can."""
    expected, cost = arch.output_shape(network, shape), arch.cost(network, shape)
    assert arch.read(arch.write(network)) == network
    module = built(network, shape)
    output, macs = counted(module.train(), image(shape, n=3))
    assert shape_of(output) == expected
    assert macs == cost.macs
    assert sum(parameter.numel() for parameter in module.parameters()) == cost.n_params
    assert torch.isfinite(output).all()

    backward(module, output)
    zero, parameters = zero_by_the_tree(network), dict(module.named_parameters())
    assert zero <= parameters.keys(), zero - parameters.keys()
    for name, parameter in parameters.items():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        if name in zero:
            layer = name.rpartition(".")[0]
            scale = parameters[f"{layer}.weight"].grad.abs().max()
            assert parameter.grad.abs().max() <= 1e-4 * max(scale, 1), f"{name}: the tree implies no gradient"
        else:
            assert parameter.grad.any(), f"{name} gets no gradient"

    module.eval()
    with torch.no_grad():
        one = module(image(shape, n=1))
    assert shape_of(one) == expected
    assert torch.isfinite(one).all()


def built(network, shape):
    """The module, its linear layers' weights drawn by their fan-in from one block of random numbers over and over:
    a hundred million of their own would take longer than all the rest."""
    kept = nn.Conv2d.reset_parameters, nn.Linear.reset_parameters
    nn.Conv2d.reset_parameters = nn.Linear.reset_parameters = lambda layer: None
    try:
        module = build(network, shape)
    finally:
        nn.Conv2d.reset_parameters, nn.Linear.reset_parameters = kept
    block = torch.randn(1_000_003, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                weights = layer.weight.view(-1)
                for start in range(0, len(weights), len(block)):
                    weights[start : start + len(block)] = block[: len(weights) - start]
                layer.weight.mul_((2 / layer.weight[0].numel()) ** 0.5)
                if layer.bias is not None:
                    layer.bias.copy_(0.1 * block[: len(layer.bias)])
    return module


def zero_by_the_tree(network):
    """Names of the parameters whose gradient is zero whatever comes in: a bias that the next normalization takes
    away, and all that lies before a normalization whose scale starts at zero."""
    found = set()
    _walk(network, (), False, found)
    return found


def _walk(node, names, silent, found):
    parts = arch.children(node)
    if not parts:
        return
    row = isinstance(node, arch.Serial | arch.Repeat | arch.Auxiliary)
    later = None
    for label, child in reversed(parts):
        path = (*names, module_name(label))
        if isinstance(child, arch.Conv | arch.Dense):
            if silent:
                found.add(".".join((*path, "weight")))
            if child.bias and (silent or (row and isinstance(later, arch.BatchNorm))):
                found.add(".".join((*path, "bias")))
        elif isinstance(child, arch.BatchNorm) and child.affine and silent:
            found.update(".".join((*path, what)) for what in ("weight", "bias"))
        else:
            _walk(child, path, silent and not isinstance(child, arch.Auxiliary), found)
        if row:
            later = child
            silent = silent or (isinstance(child, arch.BatchNorm) and child.first_scale == 0)
