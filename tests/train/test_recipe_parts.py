"""Each part of the recipe beside an independent implementation: timm, torch or scikit-learn, on the same numbers."""

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from sklearn.utils.class_weight import compute_class_weight
from timm.optim import create_optimizer_v2
from timm.utils import ModelEmaV3
from torch.utils.data import WeightedRandomSampler

from commongarden.arch import External
from commongarden.data import batches as image_batches
from commongarden.errors import StudyError
from commongarden.study.recipe import OF_TORCH, OptimizerName, Recipe
from commongarden.train import loop, streams
from commongarden.train.external import ExternalNetwork
from commongarden.train.parameter_groups import parameter_groups
from commongarden.train.schedule import make_optimizer
from small_training import CPU, SIZE, batches, epoch_batches, new, trained

RECIPE = {"resolution": SIZE, "epochs": 2, "batch_size": 6, "optimizer": "sgd", "lr": 0.05}
OF_TIMM = [name for name in OptimizerName.__args__ if name not in OF_TORCH]


def plain_loop(recipe, update):
    """The same training by a loop of a few lines: `update(classifier, optimizer, grouped batches)` does the rest."""
    train_state = new(recipe)
    classifier, epochs = train_state.classifier, recipe.epochs
    optimizer = torch.optim.SGD(classifier.parameters(), recipe.lr, recipe.momentum)
    for epoch in range(1, epochs + 1):
        streams.seed_all(streams.seed(0, 0, "dropout", epoch), classifier)
        classifier.train()
        shown = list(epoch_batches(epoch))
        size = recipe.grad_accum_steps
        for start in range(0, len(shown), size):
            update(classifier, optimizer, shown[start : start + size])
    return classifier


def same_weights(one, two, **tolerance):
    for (name, mine), theirs in zip(one.state_dict().items(), two.state_dict().values(), strict=True):
        torch.testing.assert_close(mine, theirs, msg=lambda text, name=name: f"{name}: {text}", **tolerance)


@pytest.mark.parametrize("norm", [0.05, 1e6])
def test_clipping_is_torchs(norm):
    def update(classifier, optimizer, group):
        [(pixels, labels)] = group
        optimizer.zero_grad()
        F.cross_entropy(classifier(pixels), labels).backward()
        torch.nn.utils.clip_grad_norm_(classifier.parameters(), norm)
        optimizer.step()

    recipe = Recipe(**RECIPE, clip_grad_norm=norm)
    same_weights(trained(recipe).classifier, plain_loop(recipe, update))


def test_accumulated_gradients_are_the_mean_over_their_batches():
    def update(classifier, optimizer, group):
        optimizer.zero_grad()
        for pixels, labels in group:
            (F.cross_entropy(classifier(pixels), labels) / len(group)).backward()
        optimizer.step()

    recipe = Recipe(**RECIPE, grad_accum_steps=4)  # six batches an epoch: of four and of two
    same_weights(trained(recipe).classifier, plain_loop(recipe, update))


def test_the_average_of_weights_is_timms():
    averages = []

    def update(classifier, optimizer, group):
        if not averages:
            averages.append(ModelEmaV3(classifier, decay=0.8, use_warmup=True))
            averages.append(0)
        [(pixels, labels)] = group
        optimizer.zero_grad()
        F.cross_entropy(classifier(pixels), labels).backward()
        optimizer.step()
        averages[1] += 1
        averages[0].update(classifier, step=averages[1])

    recipe = Recipe(**RECIPE, ema_decay=0.8, select="ema")
    ours = trained(recipe)
    by_hand = plain_loop(recipe, update)
    same_weights(ours.classifier, by_hand)  # training itself does not see the average
    same_weights(ours.ema.module, averages[0].module)
    beside = ours.history[-1]
    assert beside.ema_val_loss != beside.val_loss
    assert loop.selected(ours) == 2
    same_weights(ours.classifier, averages[0].module)


@pytest.mark.parametrize("name", OF_TIMM)
def test_an_optimizer_of_timm_is_timms_and_resumes(name):
    recipe = Recipe(optimizer=name, lr=0.01, weight_decay=0.05)

    def network():
        torch.manual_seed(0)
        return torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten(), torch.nn.Linear(16, 3)
        )

    def steps(module, optimizer, first, last):
        for i in range(first, last):
            optimizer.zero_grad()
            module(
                torch.full((2, 3, 4, 4), 0.1 * (i + 1))
                * torch.rand(2, 1, 1, 1, generator=torch.Generator().manual_seed(i))
            ).square().mean().backward()
            optimizer.step()

    ours, theirs, resumed = network(), network(), network()
    mine = make_optimizer(ours, recipe)
    steps(ours, mine, 0, 6)
    steps(theirs, create_optimizer_v2(list(theirs.parameters()), name, lr=0.01, weight_decay=0.05, momentum=0.9), 0, 6)
    same_weights(ours, theirs, rtol=0, atol=0)
    before = make_optimizer(resumed, recipe)
    steps(resumed, before, 0, 3)
    after = make_optimizer(resumed, recipe)
    after.load_state_dict(before.state_dict())
    steps(resumed, after, 3, 6)
    same_weights(ours, resumed, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["convnext_atto", "vit_tiny_patch16_224", "resnet18"])
@pytest.mark.parametrize("layer_decay", [1.0, 0.7])
def test_groups_of_parameters_are_timms(name, layer_decay):
    network = timm.create_model(name, num_classes=3)
    wrapped = ExternalNetwork(External(f"timm:{name}", "{}", 3, (224, 224, 3), 0, 0, 0), network)
    recipe = Recipe(layer_decay=layer_decay, decay_bias_and_norm=False, weight_decay=0.05)
    theirs = create_optimizer_v2(
        network, "sgd", lr=1.0, weight_decay=0.05, layer_decay=layer_decay if layer_decay < 1 else None
    ).param_groups
    of_each = {
        id(parameter): (group.get("lr_scale", 1.0), group["weight_decay"])
        for group in theirs
        for parameter in group["params"]
    }
    ours = {
        id(parameter): (group["share"], group["weight_decay"])
        for group in parameter_groups(wrapped, recipe)
        for parameter in group["params"]
    }
    assert ours == of_each
    assert len(ours) == len(list(network.parameters()))
    assert len(set(of_each.values())) > (1 if layer_decay == 1 else 4)


def test_the_head_of_another_network_learns_fastest():
    module = new(Recipe(resolution=SIZE)).classifier
    groups = parameter_groups(module, Recipe(layer_decay=0.5, decay_bias_and_norm=False, weight_decay=0.1))
    share = {id(parameter): group["share"] for group in groups for parameter in group["params"]}
    *body, weight, bias = module.parameters()
    assert {share[id(weight)], share[id(bias)]} == {1.0}
    assert {share[id(parameter)] for parameter in body} == {0.5}


def test_class_weights_are_scikit_learns_and_weight_the_loss():
    labels = np.repeat([0, 1, 2], [20, 5, 11])
    weights = image_batches.class_weights(labels, 4)
    assert weights[:3] == pytest.approx(compute_class_weight("balanced", classes=np.arange(3), y=labels))
    assert weights[3] == 0.0
    recipe = Recipe(**RECIPE, class_weight="balanced")
    train_state = loop.new_train_state(new(recipe).classifier, recipe, CPU, weights[:3])
    pixels, answers = batches()[0]
    train_state.classifier.eval()
    learned = train_state.forward_backward(pixels, answers)
    logits = train_state.classifier(pixels)
    expected = F.cross_entropy(logits, answers, torch.tensor(weights[:3], dtype=torch.float32))
    torch.testing.assert_close(learned.loss, expected)


def test_balanced_sampling_is_torchs_sampler():
    labels = np.repeat([0, 1, 2], [60, 10, 30])
    images = np.arange(100, dtype=np.uint8).repeat(12).reshape(100, 2, 2, 3)
    indices = np.arange(5, 100)
    shown = image_batches.shuffled(
        images, labels, indices, 19, streams.generator(0, 0, "order"), torch.Generator(), sampling="balanced"
    )
    found = torch.cat([pixels[:, 0, 0, 0] for pixels, _labels in shown]).tolist()
    count = np.bincount(labels[indices])
    sampler = WeightedRandomSampler((1 / count)[labels[indices]], 95, generator=streams.generator(0, 0, "order"))
    assert found == indices[list(sampler)].tolist()
    many = [labels[i] for seed in range(30) for i in indices[list(sampler)]]
    shares = np.bincount(many) / len(many)
    assert shares == pytest.approx([1 / 3] * 3, abs=0.05)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"layer_decay": 0.0}, "layer_decay: found 0.0, accepted: above 0, up to 1"),
        ({"select": "ema"}, "select: found 'ema', accepted: last or best-val if ema_decay is 0"),
        ({"grad_accum_steps": 0}, "grad_accum_steps: found 0, accepted: an integer of 1 or more"),
        ({"clip_grad_norm": -1.0}, "clip_grad_norm: found -1.0, accepted: 0 or more"),
        ({"ema_decay": 1.0}, "ema_decay: found 1.0, accepted: 0 or more and less than 1"),
        ({"augment": ("crop", "random-resized-crop")}, "one of .crop. and .random-resized-crop."),
        ({"crop_share": 0.0}, "crop_share: found 0.0, accepted: above 0, up to 1"),
        ({"random_erasing": 2.0}, "random_erasing: found 2.0, accepted: 0 to 1"),
        ({"mixup": -1.0}, "mixup: found -1.0, accepted: 0 or more"),
        ({"rand_augment_magnitude": 31}, "an integer from 0 to 30"),
    ],
)
def test_values_out_of_bounds_are_refused(values, message):
    with pytest.raises(StudyError, match=message):
        Recipe(**values)
