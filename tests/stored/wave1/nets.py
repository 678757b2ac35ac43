"""Two networks of a user: one that works, and one that raises in its second epoch."""

from torch import nn


def small(n_classes, width=4):
    return nn.Sequential(
        nn.Conv2d(3, width, 3, stride=2),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, n_classes),
    )


class Raising(nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.body = small(n_classes, 2)
        self.n_steps = 0

    def forward(self, pixels):
        self.n_steps += self.training
        if self.n_steps > 12:
            raise ValueError("twelve steps are enough")
        return self.body(pixels)


def raising(n_classes):
    return Raising(n_classes)
