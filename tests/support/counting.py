"""What the built module costs and learns, seen on itself and not on the tree."""

import torch
from torch import nn

from commongarden.train.build import auxiliary_logits


def counted(module, x):
    """Output and multiply-adds of one photo, counted by hooks on the built module."""
    macs = 0

    def hook(layer, inputs, output):
        nonlocal macs
        if isinstance(layer, nn.Conv2d):
            macs += output[0].numel() * layer.weight[0].numel()
        elif isinstance(layer, nn.Linear):
            macs += layer.weight.numel()

    handles = [layer.register_forward_hook(hook) for layer in module.modules()]
    output = module(x)
    for handle in handles:
        handle.remove()
    return output, macs


def image(shape, n=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, shape[2], shape[0], shape[1], generator=generator)


def shape_of(output):
    """A batch's output shape as the folds write it: height, width, channels; or features."""
    return (*output.shape[2:], output.shape[1]) if output.dim() == 4 else (output.shape[1],)


def backward(module, output):
    """Gradients of a random weighing of all that a training pass puts out, auxiliary logits included."""
    generator = torch.Generator().manual_seed(1)
    outputs = [output, *(logits for _, logits in auxiliary_logits(module))]
    sum((y * torch.randn(y.shape, generator=generator)).sum() for y in outputs).backward()
