"""A network of one's own, as an arm: `arch = "examples/nets/own.py:separable"`."""

from torch import nn


def separable(n_classes: int, width: int = 32, dropout: float = 0.2) -> nn.Module:
    """Depthwise and pointwise convolutions by turns (Howard et al. 2017), small enough for a laptop."""
    layers: list[nn.Module] = [*conv(3, width, 3, stride=2)]
    channels = width
    for i in range(6):
        stride = 2 if i % 2 else 1
        wider = min(2 * channels, 8 * width) if stride == 2 else channels
        layers += [*conv(channels, channels, 3, stride=stride, groups=channels), *conv(channels, wider, 1)]
        channels = wider
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(channels, n_classes)
    )


def conv(inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    ]
