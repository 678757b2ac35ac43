"""The groups of parameters that an optimizer treats alike: by learning rate and by weight decay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from commongarden.errors import StudyError
from commongarden.i18n.language import _
from commongarden.study.recipe import Recipe
from commongarden.train.external import ExternalNetwork
from commongarden.train.head import last_layer

Groups = list[dict[str, Any]]


def parameter_groups(module: nn.Module, recipe: Recipe) -> Groups:
    """The module's parameters as a torch optimizer takes them. Each group's share of the learning rate is its "share".

    Where the head learns first or faster, the body's groups come first. Weight decay leaves out biases and
    normalizations, and the layer decay takes effect, as in timm. Raises StudyError.
    """
    if recipe.decay_bias_and_norm and recipe.layer_decay == 1:
        groups: Groups = [{"params": list(module.parameters()), "share": 1.0}]
    else:
        groups = list(_by_layer(module, recipe))
    if recipe.body_lr == 1 and not recipe.head_epochs:
        return groups
    head = set(needed_head(module).parameters())
    body = [_some(group, recipe.body_lr, [each for each in group["params"] if each not in head]) for group in groups]
    last = [_some(group, 1.0, [each for each in group["params"] if each in head]) for group in groups]
    whole = [*body, *last]
    return whole if len(groups) == 1 else [group for group in whole if group["params"]]


def _some(group: dict[str, Any], share: float, parameters: list[nn.Parameter]) -> dict[str, Any]:
    return {**group, "params": parameters, "share": group["share"] * share}


def _by_layer(module: nn.Module, recipe: Recipe) -> Iterator[dict[str, Any]]:
    external = next((part for part in module.modules() if isinstance(part, ExternalNetwork)), None)
    network: Any = module if external is None else external.inner
    import timm.optim  # takes a second, which other networks need not wait for

    optim: Any = timm.optim
    spared = network.no_weight_decay() if hasattr(network, "no_weight_decay") else ()
    if recipe.layer_decay == 1:
        found = optim.param_groups_weight_decay(network, recipe.weight_decay, no_weight_decay_list=spared)
    else:
        layered = network if hasattr(network, "group_matcher") else _Layered(network, module)
        found = optim.param_groups_layer_decay(
            layered,
            recipe.weight_decay,
            spared,
            weight_decay_exclude_1d=not recipe.decay_bias_and_norm,
            layer_decay=recipe.layer_decay,
        )
    for group in found:
        yield {"params": group["params"], "weight_decay": group["weight_decay"], "share": group.get("lr_scale", 1.0)}


class _Layered:
    """A network that names its head, as timm's automatic grouping of layers asks for."""

    def __init__(self, network: nn.Module, module: nn.Module) -> None:
        head = needed_head(module)
        self.named_parameters = network.named_parameters
        self.pretrained_cfg = {"classifier": next(name for name, part in network.named_modules() if part is head)}


def needed_head(module: nn.Module) -> nn.Module:
    """The layer that puts out the classes. Raises StudyError where there is none."""
    head = last_layer(module)
    if head is None:
        message = _(
            "recipe: head_epochs, body_lr, layer_decay and freeze_backbone need a final dense layer or convolution "
            "with one output per class, and the network has none; accepted: head_epochs 0, body_lr 1, layer_decay 1, "
            "freeze_backbone false"
        )
        raise StudyError(message)
    return head
