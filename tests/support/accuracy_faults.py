"""Faults that make a network less accurate, each planted at a place drawn at random."""

from torch import nn

from commongarden.train.build import Concatenated, Summed


def branches_with_weights(module):
    return [
        f"{name}.{child}" if name else child
        for name, part in module.named_modules()
        if isinstance(part, Concatenated | Summed)
        for child, branch in part.named_children()
        if any(isinstance(inner, nn.Conv2d) for inner in branch.modules())
    ]


class Silent(nn.Module):
    def forward(self, x):
        return 0.0 * x


class Cut(nn.Module):
    def forward(self, x):
        return x.detach()


def dead_branch(module, dice):
    name = dice.choice(branches_with_weights(module))
    branch = module.get_submodule(name)
    how = dice.choice(["silent", "cut", "bias"])
    rectifier = [part for part in branch.modules() if isinstance(part, nn.ReLU)]
    last = [part for part in branch.modules() if isinstance(part, nn.Conv2d)][-1]
    normalized = any(isinstance(part, nn.BatchNorm2d) for part in branch.modules())
    if how == "bias" and rectifier and last.bias is not None and not normalized:
        nn.init.constant_(last.bias, -1000.0)
    else:
        parent, _, own = name.rpartition(".")
        kept = nn.Sequential()
        for child, part in branch.named_children() if isinstance(branch, nn.Sequential) else [("only", branch)]:
            kept.add_module(child, part)
        kept.add_module("end", Cut() if how == "cut" else Silent())
        setattr(module.get_submodule(parent), own, kept)
    return "dead branch", name


def wrong_weights(module, dice):
    name, layer = dice.choice([one for one in module.named_modules() if isinstance(one[1], nn.Conv2d)])
    layer.weight.data.mul_(dice.choice([0.01, 0.05, 20.0, 100.0]))
    return "wrong initialization", name


def lagging_norm(module, dice):
    norms = [one for one in module.named_modules() if isinstance(one[1], nn.BatchNorm2d)]
    name, norm = dice.choice(norms)
    norm.momentum = dice.choice([0.001, 0.002, 0.003])
    return "lagging norm", name
