"""One architecture built twice, by us and by torchvision: the same weights in both, then number against number.

Which of our layers is which of theirs follows from the two structures: both are run without numbers (torch's "meta"
device) and the layers that hold weights are paired in the order in which they work.
"""

import math
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import nn

from commongarden.train.build import auxiliary_logits, build

LAYERS = (nn.Conv2d, nn.Linear, nn.BatchNorm2d)
AUXILIARY_WEIGHT = 0.3


class Pair:
    """Their network and ours with the same weights, in float64, and a batch for both."""

    def __init__(self, make_theirs, network, size, n=3, seed=0):
        with torch.device("meta"):
            self.theirs = make_theirs().double()
            self.ours = build(network, (size, size, 3)).double()
            self.names = name_map(self.theirs, self.ours, torch.empty(2, 3, size, size, dtype=torch.float64))
        self.generator = torch.Generator().manual_seed(seed)
        self.x = torch.randn(n, 3, size, size, generator=self.generator, dtype=torch.float64)
        self.labels = torch.arange(n)
        self.theirs.to_empty(device="cpu")
        self.ours.to_empty(device="cpu")
        draw(self.theirs, self.x, self.generator)
        self._share()

    def _share(self):
        state = {}
        parameters = dict(self.theirs.named_parameters())
        for name, value in self.theirs.state_dict().items():
            layer, _, what = name.rpartition(".")
            # weights stand in memory once; what training changes in place stands twice
            state[f"{self.names[layer]}.{what}"] = value if name in parameters else value.clone()
        self.ours.load_state_dict(state, strict=True, assign=True)

    def compare(self):
        """Logits, every gradient and every buffer of one training step, and logits in float32."""
        with spread_of_layers(self.theirs) as spread:
            self.compare_logits(1e-9)
        for name, std in spread.items():
            assert 0.3 < std < 3, f"{name}: its output has a standard deviation of {std:.3g}, so that it tests nothing"
        self.compare_training_step()
        self.theirs.zero_grad()
        self.ours.zero_grad()
        self.theirs.float()
        self._share()
        self.x = self.x.float()
        self.compare_logits(1e-3)

    def compare_logits(self, tolerance):
        self.theirs.eval(), self.ours.eval()
        with torch.no_grad():
            theirs, ours = self.theirs(self.x), self.ours(self.x)
        over_images = theirs.std(dim=0).mean().item()
        assert over_images > 0.1, f"logits hardly differ between images ({over_images:.3g})"
        off = (ours - theirs).abs().max().item() / over_images
        assert off <= tolerance, f"logits are off by {off:.2g} of their standard deviation over images"

    def compare_training_step(self):
        train_without_dropout(self.theirs)
        train_without_dropout(self.ours)
        theirs = self.theirs(self.x)
        main, auxiliary = (theirs[0], theirs[1:]) if isinstance(theirs, tuple) else (theirs, ())
        backward(main, [(AUXILIARY_WEIGHT, logits) for logits in auxiliary], self.labels)
        del theirs, main, auxiliary
        main = self.ours(self.x)
        backward(main, auxiliary_logits(self.ours), self.labels)
        ours = dict(self.ours.named_modules())
        followed = followed_by_normalization(self.theirs, self.x.shape)
        for name, layer in self.theirs.named_modules():
            if name not in self.names:
                continue
            twin = ours[self.names[name]]
            for what, parameter in layer.named_parameters():
                scale = layer.weight.grad if what == "bias" and name in followed else parameter.grad
                assert scale.any(), f"gradient of {name}.{what} is zero, so that it tests nothing"
                # a bias that a normalization takes away has a gradient of nothing but rounding
                where = f"gradient of {name}.{what} ({self.names[name]})"
                close(getattr(twin, what).grad, parameter.grad, scale, where)
            for what, buffer in layer.named_buffers():
                close(getattr(twin, what), buffer, buffer, f"buffer {name}.{what} ({self.names[name]})")


def name_map(theirs, ours, x):
    """The name of our layer for each of their names. Raises AssertionError where the two lists of layers differ."""
    pairs = {}
    lists = executed(theirs, x), executed(ours, x)
    for (their_name, their_layer), (our_name, our_layer) in zip(*lists, strict=False):
        found = [{what: tuple(value.shape) for what, value in layer.state_dict().items()}
                 for layer in (their_layer, our_layer)]  # fmt: skip
        assert found[0] == found[1], f"layer {their_name}: {found[0]} there, {our_name}: {found[1]} here"
        pairs[their_name] = our_name
    assert len(lists[0]) == len(lists[1]), f"layers: {len(lists[0])} there, {len(lists[1])} here"
    return pairs


def executed(module, x):
    """Names and layers that hold weights, in the order in which a training pass works through them."""
    names = {layer: name for name, layer in module.named_modules() if isinstance(layer, LAYERS)}
    order = []
    handles = [
        layer.register_forward_hook(lambda layer, inputs, output: order.append((names[layer], layer)))
        for layer in names
    ]
    module.train()(x)
    for handle in handles:
        handle.remove()
    for head_logits in auxiliary_logits(module):
        del head_logits
    assert {name for name, _ in order} == set(names.values())
    return order


def draw(module, x, generator):
    """Weights under which every layer's output has a standard deviation near 1, and batch-norm statistics near those
    of the data but not at them. At torch's first weights the images of a batch are hardly told apart.

    Each layer is scaled when the batch comes by, so one pass does all of it.
    """
    module.train()  # for the auxiliary heads
    handles = []
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()
            handles.append(layer.register_forward_pre_hook(lambda norm, inputs: _draw_norm(norm, inputs[0], generator)))
        elif isinstance(layer, nn.Dropout):
            layer.eval()
        elif isinstance(layer, nn.Conv2d | nn.Linear):
            _fill(layer.weight, generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
            handles.append(
                layer.register_forward_hook(lambda linear, _, output: _draw_linear(linear, output, generator))
            )
    with torch.no_grad():
        module(x)
    for handle in handles:
        handle.remove()


def _fill(weight, generator):
    # random numbers from one block over and over: a hundred million of their own would take longer than all the rest
    block = torch.randn(min(weight.numel(), 1_000_003), generator=generator, dtype=weight.dtype)
    with torch.no_grad():
        flat = weight.view(-1)
        for start in range(0, len(flat), len(block)):
            flat[start : start + len(block)] = block[: len(flat) - start]


def _draw_linear(layer, output, generator):
    dims = [i for i in range(output.dim()) if i != 1]
    sides = (1, -1) + (1,) * (output.dim() - 2)
    shift = output.mean(dims) if layer.bias is not None else torch.zeros(output.shape[1], dtype=output.dtype)
    scale = 1 / (output - shift.view(sides)).std()
    layer.weight.mul_(scale)
    shift = 0.2 * torch.randn(shift.shape, generator=generator, dtype=shift.dtype) - shift * scale
    if layer.bias is None:
        return output * scale
    layer.bias.copy_(shift)
    return output * scale + shift.view(sides)


def _draw_norm(norm, x, generator):
    def uniform(low, high):
        return low + (high - low) * torch.rand(norm.num_features, generator=generator, dtype=x.dtype)

    variance, mean = torch.var_mean(x, dim=(0, 2, 3))
    norm.running_mean.copy_(mean + 0.2 * variance.sqrt() * uniform(-1, 1))
    norm.running_var.copy_(variance * uniform(0.7, 1.4))
    norm.num_batches_tracked.fill_(7)
    norm.weight.copy_(uniform(0.7, 1.4))
    norm.bias.copy_(uniform(-0.3, 0.3))


@contextmanager
def spread_of_layers(module):
    """Within it, the standard deviation of every layer's output is noted, by name."""
    found = {}

    def hook(name):
        return lambda layer, inputs, output: found.__setitem__(name, output.std().item())

    layers = [(name, layer) for name, layer in module.named_modules() if isinstance(layer, LAYERS)]
    handles = [layer.register_forward_hook(hook(name)) for name, layer in layers]
    yield found
    for handle in handles:
        handle.remove()


def followed_by_normalization(module, shape):
    """Names of their linear layers whose output goes to a batch normalization at once (they share one tensor)."""
    last, found = {}, set()
    names = {layer: name for name, layer in module.named_modules()}

    def before(layer, inputs):
        if isinstance(layer, nn.BatchNorm2d) and id(inputs[0]) in last:
            found.add(last[id(inputs[0])])

    def after(layer, inputs, output):
        last[id(output)] = names[layer]
        kept.append(output)  # so that no other tensor gets its id

    kept = []
    handles = [layer.register_forward_pre_hook(before) for layer in names if isinstance(layer, LAYERS)]
    handles += [layer.register_forward_hook(after) for layer in names if isinstance(layer, nn.Conv2d | nn.Linear)]
    parameters = {name: value.to("meta") for name, value in module.state_dict().items()}
    torch.func.functional_call(module, parameters, torch.empty(shape, device="meta", dtype=torch.float64))
    for handle in handles:
        handle.remove()
    return found


def train_without_dropout(module):
    module.train()
    for layer in module.modules():
        if isinstance(layer, nn.Dropout):
            layer.eval()


def backward(main, auxiliary, labels):
    loss = F.cross_entropy(main, labels)
    for weight, logits in auxiliary:
        loss = loss + weight * F.cross_entropy(logits, labels)
    loss.backward()


def close(ours, theirs, scale, what, tolerance=1e-7):
    """Fails where the two differ by more than `tolerance` of the greatest number in `scale`."""
    if torch.equal(ours, theirs):  # a hundred million numbers are compared once, not four times
        return
    greatest = scale.abs().max().item()
    off = (ours - theirs).abs().max().item() / greatest if greatest else math.inf
    assert off <= tolerance, f"{what} is off by {off:.2g} of its greatest number"
