"""The study files of the pinned studies, and the networks of a user in two of them."""

from __future__ import annotations

RECIPE = """
[recipe]
resolution = 16
epochs = {epochs}
batch_size = 8
optimizer = "adamw"
lr = {lr}
schedule = "one-cycle"
augment = ["flip"]

[split]
train = 0.6
val = 0.15
"""

FLOWERS = """
[study]
name = "flowers sample"
data = "../flower-photos"
seeds = 2
margin = 2.0

[recipe]
resolution = 32
epochs = 2
batch_size = 16
lr = 2e-3
weight_decay = 1e-4
schedule = "cosine"
warmup_epochs = 1
label_smoothing = 0.1
augment = ["flip"]

[arms.plain]
arch = "plain_flower"
order = "LBA"

[arms.residual]
arch = "residual_flower"
order = "LBA"
lr = 3e-3

[[contrasts]]
is = ["residual", "plain"]
"""

FACTORIAL = (
    """
[study]
name = "factorial"
data = "../photos.csv"
seeds = 2
vary = ["init", "order", "split"]
"""
    + RECIPE.format(epochs=2, lr=4e-3)
    + """
[factors]
arch = ["plain_flower", "residual_flower"]
order = ["LAB", "LBA"]
"""
)

RACED = (
    """
[study]
name = "raced"
data = "../photos"
"""
    + RECIPE.format(epochs=4, lr=4e-3)
    + """
[arms.plain]
arch = "plain_flower"
order = "LBA"

[arms.residual]
arch = "residual_flower"
order = "LBA"

[arms.frozen]
arch = "plain_flower"
order = "LBA"
lr = 1e-9

[[contrasts]]
is = ["residual", "plain"]

[[contrasts]]
is = ["frozen", "residual"]
"""
)

FOLDS = (
    """
[study]
name = "folds"
data = "../odd"
folds = 3
"""
    + RECIPE.format(epochs=1, lr=4e-3)
    + """
[arms.plain]
arch = "plain_flower"

[arms.bottleneck]
arch = "bottleneck_flower"
"""
)

FAILED = (
    """
[study]
name = "failed"
data = "../photos"
seeds = 2
"""
    + RECIPE.format(epochs=4, lr=4e-3)
    + """
[arms.plain]
arch = "plain_flower"
order = "LBA"

[arms.burst]
arch = "plain_flower"
order = "LA"
optimizer = "sgd"
lr = 1e12

[arms.dead]
arch = "plain_flower"
order = "LA"
lr = 1e-12
init = "fixed"
init_std = 1e-12

[arms.raises]
arch = "nets.py:raises"
width = 4

[[contrasts]]
is = ["dead", "plain"]

[[contrasts]]
is = ["raises", "plain"]
"""
)

NETS = '''
from torch import nn


class Raises(nn.Module):
    """Works for 10 steps of training."""

    def __init__(self, n_classes, width):
        super().__init__()
        self.n_steps = 0
        self.body = nn.Sequential(
            nn.Conv2d(3, width, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, n_classes)
        )

    def forward(self, pixels):
        self.n_steps += self.training
        if self.n_steps > 10:
            raise ValueError("ten steps are enough")
        return self.body(pixels)


def raises(n_classes, width=4):
    return Raises(n_classes, width)


def small(n_classes, width=4):
    return Raises(n_classes, width).body
'''

TUNED = (
    """
[study]
name = "tuned"
data = "../photos"
seeds = 2
"""
    + RECIPE.format(epochs=1, lr=4e-3)
    + """
[tuning]
runs = 3
lr = [1e-4, 1e-1]

[arms.plain]
arch = "plain_flower"
order = "LBA"

[arms.mine]
arch = "nets.py:small"
width = 6

[[contrasts]]
is = ["mine", "plain"]
"""
)
