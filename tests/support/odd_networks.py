"""Networks in forms that people really write and that instruments stumble over, each as a factory of (n_classes).

Another test uses one by its path: "tests/support/odd_networks.py:learned_query". All take photos (n, 3, size, size),
size 32 or more, but for `old_cifar`, which wants 32 as its tutorial does.
"""

import collections
import dataclasses
import logging
import warnings

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint


class Body(nn.Module):
    """A stem to (n, 8, size / 4, size / 4), what a subclass does, and a classifier of 8 channels."""

    def __init__(self, n_classes):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=4, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.head = nn.Linear(8, n_classes)
        self.parts()

    def parts(self):
        pass

    def forward(self, x):
        return self.head(self.middle(self.stem(x)))

    def middle(self, x):
        return x.mean((2, 3))


class _OneReLU(Body):
    def parts(self):
        self.relu = nn.ReLU(inplace=True)
        self.wide, self.narrow = nn.Conv2d(8, 24, 1), nn.Conv2d(24, 8, 1)

    def middle(self, x):
        wide = self.relu(self.wide(x))
        return self.relu(self.narrow(wide) + x).mean((2, 3))


def one_relu(n_classes):
    """One in-place ReLU called at several widths: every Bottleneck of torchvision's ResNet."""
    return _OneReLU(n_classes)


class _TokenCounts(Body):
    def parts(self):
        self.convs = nn.ModuleList(nn.Conv1d(8, 6, 3, padding=1) for _ in range(2))
        self.act, self.last = nn.ReLU6(), nn.Linear(12, 8)

    def middle(self, x):
        rows = x.flatten(2)
        half = self.act(self.convs[1](rows[..., ::2]))
        return self.last(torch.cat([self.act(self.convs[0](rows)).mean(2), half.mean(2)], dim=1))


def token_counts(n_classes):
    """A ReLU6 behind Conv1d for two lengths of the sequence: temporal networks with pyramid levels."""
    return _TokenCounts(n_classes)


class _ChannelsLast(Body):
    def parts(self):
        self.norm, self.up, self.act, self.down = nn.LayerNorm(8), nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8)

    def middle(self, x):
        return (x + self.down(self.act(self.up(self.norm(x.permute(0, 2, 3, 1))))).permute(0, 3, 1, 2)).mean((2, 3))


def channels_last(n_classes):
    """(n, height, width, channels) inside a block: Swin, ConvNeXt."""
    return _ChannelsLast(n_classes)


class _OldCifar(nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.conv1, self.pool, self.conv2 = nn.Conv2d(3, 6, 5), nn.MaxPool2d(2, 2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2 = nn.Linear(400, 24), nn.Linear(24, n_classes)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = x.view(-1, 400)
        return self.fc2(F.relu(self.fc1(x)))


def old_cifar(n_classes):
    """`x.view(-1, 16 * 5 * 5)`: PyTorch's CIFAR-10 tutorial until 2020, and all that was copied from it."""
    return _OldCifar(n_classes)


class _LearnedQuery(Body):
    def parts(self):
        self.query = nn.Parameter(torch.randn(1, 2, 8))
        self.project, self.norm = nn.Linear(8, 8), nn.LayerNorm(8)

    def middle(self, x):
        query = self.project(self.query.expand(len(x), -1, -1))
        keys = x.flatten(2).transpose(1, 2)
        return self.norm((query @ keys.transpose(1, 2)).softmax(-1) @ keys).mean(1)


def learned_query(n_classes):
    """A learned query, expanded to the batch and given to a submodule: DETR, Perceiver, class tokens."""
    return _LearnedQuery(n_classes)


def lazy(n_classes):
    """Layers that take their shape from the first batch: `nn.LazyLinear` saves reckoning the flattened size."""
    return nn.Sequential(
        nn.LazyConv2d(8, 3, stride=4), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(n_classes)
    )


class _OneDimensional(Body):
    def parts(self):
        self.gate = nn.Linear(8, 8)
        self.token = nn.Parameter(torch.randn(8))
        self.scale, self.conv = nn.Linear(8, 1), nn.Conv1d(8, 8, 1)

    def middle(self, x):
        pooled = x.mean((2, 3))
        alone = self.conv(self.token[:, None])[:, 0]  # without a batch
        return pooled * self.gate(self.token).sigmoid() + self.scale(pooled).squeeze(1)[:, None] + alone


def one_dimensional(n_classes):
    """Parts that put out one row for all photos or one number for each: gates, temperatures, learned tokens."""
    return _OneDimensional(n_classes)


class _Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, *, hidden_states, scale=1.0):
        return self.conv(input=hidden_states) * scale


class _Keywords(Body):
    def parts(self):
        self.block, self.act = _Named(), nn.ReLU()

    def forward(self, x):
        return self.head(input=self.act(input=self.block(hidden_states=self.stem(x), scale=0.5)).mean((2, 3)))


def keywords(n_classes):
    """Submodules called by keyword only: `block(hidden_states=x)` of Hugging Face's transformers and diffusers."""
    return _Keywords(n_classes)


class _Fourier(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(0.3 * torch.randn(8, 1, 1, dtype=torch.complex64))

    def forward(self, x):
        return torch.fft.rfft2(x, norm="ortho") * self.weight


class _Complex(Body):
    def parts(self):
        self.filter = _Fourier()

    def middle(self, x):
        return (x + torch.fft.irfft2(self.filter(x), s=x.shape[2:], norm="ortho")).mean((2, 3))


def complex_filter(n_classes):
    """A complex parameter and a complex output of a part: GFNet, Fourier neural operators."""
    return _Complex(n_classes)


@dataclasses.dataclass
class Features:
    last: torch.Tensor
    maps: list
    attentions: object = None


class _Structured(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x):
        y = self.conv(x)
        return Features(y, [x, {"deep": (y, None)}])


class _Nothing(nn.Module):
    def forward(self, x):
        return None


class _Outputs(Body):
    def parts(self):
        self.block, self.nothing = _Structured(), _Nothing()
        self.choose = _Dictionary()

    def middle(self, x):
        self.nothing(x)
        found = self.block(x)
        return self.choose(found)["pooled"]


class _Dictionary(nn.Module):
    def forward(self, features):
        return collections.OrderedDict(pooled=features.last.mean((2, 3)), nothing=None)


def structured(n_classes):
    """Parts that put out dataclasses, nested lists, dictionaries and None: feature pyramids, caches, losses of MoE."""
    return _Outputs(n_classes)


class ModelOutput(collections.OrderedDict):
    """As in transformers: a dictionary whose entries are attributes and items."""

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class _Transformers(Body):
    def forward(self, x):
        return ModelOutput(logits=super().forward(x), hidden_states=None)


def model_output(n_classes):
    """The logits as an attribute of what comes out: every `...ForImageClassification` of transformers."""
    return _Transformers(n_classes)


class _Printing(Body):
    def middle(self, x):
        print("shape behind the stem:", tuple(x.shape))
        return super().middle(x)


def printing(n_classes):
    """Prints while it is made and while it works: shapes left in from debugging, "loaded pretrained weights"."""
    print("building a network for", n_classes, "classes")
    return _Printing(n_classes)


class _Warning(Body):
    def middle(self, x):
        warnings.warn("forward of an old interface", FutureWarning, stacklevel=1)
        return super().middle(x)


def warning(n_classes):
    """Warns and logs while it is made, and warns while it works: timm's moved modules, torch's new defaults."""
    warnings.warn("this factory is deprecated", DeprecationWarning, stacklevel=2)
    logging.getLogger(__name__).warning("no pretrained weights")
    return _Warning(n_classes)


class _Seeding(Body):
    def middle(self, x):
        torch.manual_seed(42)
        return F.dropout(x, 0.1, self.training).mean((2, 3))


def seeding(n_classes):
    """Seeds torch in its own forward pass: "for reproducibility", shuffling of patches."""
    torch.manual_seed(1)
    return _Seeding(n_classes)


class _Hooked(Body):
    def parts(self):
        self.kept = []
        self.stem[0].register_forward_hook(self._keep)
        self.stem.register_forward_hook(lambda module, given, output: 0.5 * output)
        self.register_full_backward_hook(lambda module, given, output: None)

    def _keep(self, module, given, output):
        self.kept = [output]


def hooked(n_classes):
    """Hooks of its own, one of which changes an output, and an output kept in a list: feature extractors."""
    return _Hooked(n_classes)


class _Unused(Body):
    def parts(self):
        self.spare, self.unused = nn.Linear(8, 8), nn.Parameter(torch.zeros(3))
        for parameter in self.stem.parameters():
            parameter.requires_grad_(False)


def unused(n_classes):
    """Parameters that get no gradient, and a frozen stem: heads for other tasks, transfer learning."""
    return _Unused(n_classes)


class _WithoutGradient(Body):
    def parts(self):
        self.teacher, self.act = nn.Conv2d(8, 8, 1), nn.ReLU()

    def middle(self, x):
        with torch.no_grad():
            attention = self.act(self.teacher(x)).mean(1, keepdim=True)
        return (x * attention).mean((2, 3))


def without_gradient(n_classes):
    """A part under torch.no_grad: momentum teachers, attention maps that are not trained through."""
    return _WithoutGradient(n_classes)


class _Checkpointed(Body):
    def parts(self):
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.deep = nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU())

    def middle(self, x):
        x = checkpoint(self.block, x, use_reentrant=False)
        return checkpoint(self.deep, x, use_reentrant=True).mean((2, 3))


def checkpointed(n_classes):
    """Activations made again in the backward pass, both ways of torch.utils.checkpoint: large networks."""
    return _Checkpointed(n_classes)


class _Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.act = nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()

    def forward(self, x):
        return self.act(self.conv(x)) + x


class _Scripted(Body):
    def parts(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.block = torch.jit.script(_Block())

    def middle(self, x):
        return self.block(x).mean((2, 3))


def scripted(n_classes):
    """A part compiled by torch.jit.script, which takes no hooks."""
    return _Scripted(n_classes)


def all_scripted(n_classes):
    """A whole network compiled by torch.jit.script, as deployed ones are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(
            nn.Sequential(nn.Conv2d(3, 8, 3, stride=4), nn.ReLU(), nn.Flatten(1), nn.AdaptiveAvgPool1d(8),
                          nn.Linear(8, n_classes))
        )  # fmt: skip


class _Parametrized(Body):
    def parts(self):
        self.spectral = nn.utils.parametrizations.spectral_norm(nn.Conv2d(8, 8, 3, padding=1))
        self.weight_norm = nn.utils.parametrizations.weight_norm(nn.Linear(8, 8))
        self.act = nn.ReLU()

    def middle(self, x):
        return self.weight_norm(self.act(self.spectral(x)).mean((2, 3)))


def parametrized(n_classes):
    """Weights that are worked out when they are read: spectral and weight normalization. In training the first one
    goes on by a step of power iteration each time."""
    return _Parametrized(n_classes)


class _OldWeightNorm(Body):
    def parts(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.dense = nn.utils.weight_norm(nn.Linear(8, 8))
            self.conv = nn.utils.spectral_norm(nn.Conv2d(8, 8, 1))

    def middle(self, x):
        return self.dense(self.conv(x).mean((2, 3)))


def old_weight_norm(n_classes):
    """The same by hooks, as before torch 1.9: the weight is a tensor of the graph, which cannot be deep-copied."""
    return _OldWeightNorm(n_classes)


class _Attention(Body):
    def parts(self):
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)

    def middle(self, x):
        tokens = x.flatten(2).transpose(1, 2)
        tokens = tokens + self.attend(tokens[:, :5], tokens, tokens, need_weights=False)[0].mean(1, keepdim=True)
        return self.layer(tokens).mean(1)


def attention(n_classes):
    """torch's own attention and encoder layer, with a fast path in evaluation, queries and keys of two lengths."""
    return _Attention(n_classes)


class _Rows(nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.rnn, self.gru = nn.LSTM(96, 12, batch_first=True, bidirectional=True), nn.GRU(24, 8)
        self.head = nn.Linear(8, n_classes)

    def forward(self, x):
        rows = F.adaptive_avg_pool2d(x, 32).transpose(1, 2).flatten(2)
        out, (_hidden, _cell) = self.rnn(rows)
        return self.head(self.gru(out.transpose(0, 1))[1][-1])


def lstm_on_rows(n_classes):
    """An image read row by row by an LSTM: tutorials on MNIST. Outputs are nested tuples."""
    return _Rows(n_classes)


def traced(n_classes):
    """A graph of torch.fx, as quantization and pruning tools give it."""
    return torch.fx.symbolic_trace(_OneReLU(n_classes))


class _Mapped(Body):
    def parts(self):
        self.dense = nn.Linear(8, 8)

    def middle(self, x):
        return torch.func.vmap(self.dense, in_dims=2, out_dims=2)(x.flatten(2)).mean(2)


def mapped(n_classes):
    """A layer under torch.func.vmap: ensembles, gradients for each sample."""
    return _Mapped(n_classes)


class _InPlace(Body):
    def parts(self):
        self.conv, self.act = nn.Conv2d(8, 8, 1), nn.ReLU(inplace=True)

    def middle(self, x):
        y = self.conv(x)
        y += x
        first, second = y[:, :4], y[:, 4:]
        second *= 0.5
        self.act(first)
        return y.flatten(2).mean(2)


def in_place_views(n_classes):
    """In-place changes of views of an output: splits of channels, DenseNet's and mnasnet's activations."""
    return _InPlace(n_classes)


class _TwoNames(Body):
    def parts(self):
        self.dense = nn.Linear(8, 8)
        self.again = self.dense
        self.tied = nn.Linear(8, 8)
        self.tied.weight = self.dense.weight

    def middle(self, x):
        return self.tied(self.again(self.dense(x.mean((2, 3)))))


def two_names(n_classes):
    """One module under two names, and tied weights: shared heads, recurrent blocks, autoencoders."""
    return _TwoNames(n_classes)


class _Patched(Body):
    def parts(self):
        self.conv = nn.Conv2d(8, 8, 1)
        inner = self.conv.forward
        self.conv.forward = lambda x: inner(x) + x

    def middle(self, x):
        return self.conv(x).mean((2, 3))


def patched(n_classes):
    """A forward pass replaced on the object: monkeypatched attention, gradient-checkpointing wrappers."""
    return _Patched(n_classes)


class _ReusedHead(Body):
    def middle(self, x):
        return x

    def forward(self, x):
        views = self.stem(x)
        return self.head(views.mean((2, 3))) + self.head(input=views.amax((2, 3)))


def reused_head(n_classes):
    """The last layer called twice a pass: several views of a photo, deep supervision."""
    return _ReusedHead(n_classes)


class _Distribution(nn.Module):
    def __init__(self):
        super().__init__()
        self.mean = nn.Linear(8, 8)

    def forward(self, x):
        return torch.distributions.Normal(self.mean(x), 1.0)


class _Sampled(Body):
    def parts(self):
        self.encoder = _Distribution()

    def middle(self, x):
        found = self.encoder(x.mean((2, 3)))
        return found.rsample() if self.training else found.mean


def distribution(n_classes):
    """A part that puts out a distribution, which is drawn from: variational bottlenecks, policies."""
    return _Sampled(n_classes)


class _Sensitive(Body):
    def parts(self):
        self.conv = nn.Conv2d(8, 8, 1)

    def middle(self, x):
        self.conv.weight.data.clamp_(-0.4, 0.4)
        return self.conv(x).mean((2, 3))


def clipped(n_classes):
    """Weights changed in the forward pass: clipped critics, binarized networks."""
    return _Sensitive(n_classes)


class _Inferring(Body):
    def parts(self):
        self.teacher = nn.Conv2d(8, 8, 1).requires_grad_(False)

    def middle(self, x):
        with torch.inference_mode():
            weights = self.teacher(x.detach()).mean(1, keepdim=True).sigmoid()
        return (x * weights.clone()).mean((2, 3))


def inferring(n_classes):
    """A frozen part under torch.inference_mode, where torch's FlopCounterMode counts nothing: frozen backbones."""
    return _Inferring(n_classes)


class _Energy(Body):
    def parts(self):
        self.energy = nn.Linear(8, 1)

    def middle(self, x):
        pooled = x.mean((2, 3))
        with torch.enable_grad():
            moved = pooled if pooled.requires_grad else pooled.detach().requires_grad_()
            (slope,) = torch.autograd.grad(self.energy(moved).square().sum(), moved, create_graph=True)
        return pooled - 0.1 * slope


def energy(n_classes):
    """A gradient taken in the forward pass, also in evaluation: energy-based models, meta-learning, force fields."""
    return _Energy(n_classes)


class _Caching(Body):
    def parts(self):
        self.places = {}

    def middle(self, x):
        if x.shape[2:] not in self.places:
            self.places[x.shape[2:]] = torch.linspace(0, 1, x.shape[-1]).expand_as(x[0])
        return (x * self.places[x.shape[2:]]).mean((2, 3))


def caching(n_classes):
    """A table made in the first pass and kept, be that in evaluation: masks of Swin, positions of rotary embeddings."""
    return _Caching(n_classes)


class _Breaks(Body):
    def middle(self, x):
        return {}["no such part"]


def breaks(n_classes):
    """A forward pass that raises what torch never does."""
    return _Breaks(n_classes)


WORKING = (one_relu, token_counts, channels_last, old_cifar, learned_query, lazy, one_dimensional, keywords,
           complex_filter, structured, model_output, printing, warning, seeding, hooked, unused, without_gradient,
           checkpointed, scripted, all_scripted, parametrized, old_weight_norm, attention, lstm_on_rows, traced, mapped,
           in_place_views, two_names, patched, reused_head, distribution, clipped, inferring, energy,
           caching)  # fmt: skip
