"""The last layer of a network, which says the classes, apart from its body."""

from __future__ import annotations

from torch import nn

from commongarden.train.build import AuxiliaryHead
from commongarden.train.external import ExternalNetwork


def last_layer(module: nn.Module) -> nn.Module | None:
    """The last dense layer or convolution, auxiliary heads aside; None where there is none.

    A network's own order is the order of its modules; of somebody else's, the layer must put out one number a class.
    """
    external = next((part for part in module.modules() if isinstance(part, ExternalNetwork)), None)
    found = None
    aside: set[nn.Module] = set()
    for name, layer in module.named_modules():
        if isinstance(layer, AuxiliaryHead) or (external is not None and "aux" in name.lower()):
            aside.update(layer.modules())
        if not isinstance(layer, nn.Conv2d | nn.Linear) or layer in aside:
            continue
        if external is None or layer.weight.shape[0] == external.node.classes:
            found = layer
    return found
