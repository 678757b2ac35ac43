"""Which networks go through scripts/zoo.py, asked of torchvision and timm, and at which image sizes to try each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

LADDER = (32, 64, 96, 128, 160, 192, 224, 256, 299, 320, 384, 448, 512)  # sizes to try, up to the library's own
PUBLISHED = 224  # where a library names no size
STANDS_FOR_NONE = "test_"  # timm's stand-ins for its own tests
# not the smallest of their modules, and they failed before, or are much used
FURTHER = (
    "timm:repvgg_a0", "timm:lambda_resnet26t", "timm:vit_tiny_patch16_224", "timm:convnext_atto", "timm:resnet18d",
    "timm:efficientnet_lite0", "timm:mobilenetv3_small_050", "timm:botnet26t_256", "timm:eca_resnext26ts",
)  # fmt: skip


@dataclass(frozen=True)
class Known:
    """A network of a library. module: the file of timm it stands for, "" in torchvision."""

    model: str
    n_params: int
    module: str = ""


def networks() -> Iterator[Known]:
    """Every classification network of torchvision, the smallest of each module of timm, and those of FURTHER. Makes
    each network of timm once, without weights, which takes some minutes."""
    import timm
    import torch
    from torchvision import models

    def size(name: str) -> int:
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in timm.create_model(name, num_classes=3).parameters())

    for name in models.list_models(module=models):
        yield Known(f"torchvision:{name}", models.get_model_weights(name).DEFAULT.meta["num_params"])
    for module in timm.list_modules():
        found = [Known(f"timm:{name}", size(name), module)
                 for name in timm.list_models(module=module) if not name.startswith(STANDS_FOR_NONE)]  # fmt: skip
        if found:
            smallest = min(found, key=lambda one: (one.n_params, one.model))
            yield smallest
            yield from (one for one in found if one.model in FURTHER and one is not smallest)


def sizes(model: str) -> list[int]:
    """Image sizes to try, the smallest first: from the least that the library names to the one it trained at."""
    place, _colon, name = model.partition(":")
    least, own, only = _torchvision(name) if place == "torchvision" else _timm(name)
    if only:
        return [own]
    return sorted({max(least, LADDER[0]), own, *(size for size in LADDER if least < size < own)})


def _torchvision(name: str) -> tuple[int, int, bool]:
    from torchvision import models

    weights = models.get_model_weights(name).DEFAULT
    least, own = max(weights.meta["min_size"]), vars(weights.transforms())["crop_size"][0]
    return least, max(least, own), False


def _timm(name: str) -> tuple[int, int, bool]:
    import timm

    settings = timm.get_pretrained_cfg(name)
    own = (settings.input_size if settings else None) or (3, PUBLISHED, PUBLISHED)
    least = (settings.min_input_size if settings else None) or (3, LADDER[0], LADDER[0])
    return max(least[1:]), max(own[1:]), bool(settings and settings.fixed_input_size)


def smallest_size(model: str, n_classes: int, n: int) -> int:
    """The least of `sizes` at which the network as its library made it trains and answers; the largest where it does so
    at none."""
    import torch
    import torch.nn.functional as F

    place, _colon, name = model.partition(":")
    found = sizes(model)
    if len(found) == 1:
        return found[0]
    if place == "torchvision":
        from torchvision import models

        network = models.get_model(name, weights=None, num_classes=n_classes)
    else:
        import timm

        network = timm.create_model(name, pretrained=False, num_classes=n_classes)
    torch.manual_seed(0)
    for size in found[:-1]:
        try:
            x = torch.randn(n, 3, size, size)
            logits = network.train()(x)
            logits = logits[0] if isinstance(logits, tuple) else logits
            F.cross_entropy(logits, torch.arange(n) % n_classes).backward()
            with torch.no_grad():
                network.eval()(x[:1])
        except Exception:  # whatever their code raises at a size that it cannot take
            continue
        return size
    return found[-1]
