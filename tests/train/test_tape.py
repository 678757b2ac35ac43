"""Tapes: a step replayed leaves the bits that it would have left; what cannot be replayed is not."""

import weakref
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from torch import nn

import pools
from commongarden import arch
from commongarden.arch import conv, dense, dropout, global_avg_pool, noise, serial
from commongarden.study.recipe import Recipe
from commongarden.train import loop
from commongarden.train.build import build
from commongarden.train.classifier import Classifier
from commongarden.train.recording import Recorder
from commongarden.train.replay import forward_backward, optimizer_step, recorded_step
from conformance import N_CLASSES, in_orders, smallest
from small_training import CPU, SIZE, batches, new, trained, weights, without_seconds

RECIPE = Recipe(resolution=SIZE, epochs=3, batch_size=6)
HEAD = arch.auxiliary(global_avg_pool(), dense(3), weight=0.3)
NETWORKS = {
    "dropout": serial(conv(6, 3, order="LAB"), global_avg_pool(), dropout(0.3), dense(3), name="net"),
    "noise": serial(noise(0.1), conv(6, 3, order="LBA"), global_avg_pool(), dense(3), name="net"),
    "auxiliary": serial(conv(6, 3), HEAD, conv(6, 3), global_avg_pool(), dense(3), name="net"),
}
RECIPES = {
    "usual": {},
    "bfloat16": {"precision": "bfloat16"},
    "smoothed": {"label_smoothing": 0.1, "optimizer": "sgd", "lr": 0.05, "schedule": "one-cycle"},
    "channels first": {"layout": "channels-first", "optimizer": "adamw", "weight_decay": 0.01},
}


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(recorded_step, "AS_EVER", 1)


def eager(train_state):
    train_state.forward_backward = forward_backward.eager(
        train_state.classifier, train_state.optimizer, train_state.recipe
    )
    train_state.optimizer_step = optimizer_step.as_it_is(train_state.optimizer)
    return train_state


@pytest.mark.parametrize("values", RECIPES.values(), ids=RECIPES)
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_a_run_from_a_tape_leaves_the_same_bits(network, values):
    recipe = replace(RECIPE, **values)
    one, two = eager(new(recipe, network=network)), new(recipe, network=network)
    for train_state in (one, two):
        trained(recipe, train_state=train_state)
    assert weights(one) == weights(two)
    assert without_seconds(one.history) == without_seconds(two.history)
    assert (
        two.forward_backward.replayed == two.optimizer_step.replayed == 3 * 6 - 2
    )  # the first as ever, the second recorded and tried


@given(network=pools.networks, shape=pools.SHAPES)
@settings(max_examples=40)
def test_a_step_of_any_network_leaves_the_same_bits(network, shape):
    """Where autograd would add gradients in another layout than under a recording, the tape is not used."""
    if not pools.fits(network, shape):
        return
    network = serial(network, dense(3), name="net")
    dice = torch.Generator().manual_seed(0)
    shown = [
        (torch.randint(0, 256, (4, *shape[2:], *shape[:2]), generator=dice, dtype=torch.uint8), torch.arange(4) % 3)
        for _ in range(5)
    ]
    left = []
    for taped in (False, True):
        torch.manual_seed(0)
        classifier = _Pixels(build(network, shape))
        optimizer = torch.optim.SGD(classifier.parameters(), 0.01)
        learn = forward_backward.eager(classifier, optimizer, RECIPE)
        learn = forward_backward.ReplayedStep(learn, classifier) if taped else learn
        for pixels, labels in shown:
            learned = learn(pixels, labels)
            optimizer.step()
        assert not taped or learn.replayed in (0, 3)
        left.append([*learned, *classifier.state_dict().values()])
    assert all(torch.equal(*pair) for pair in zip(*left, strict=True))


class _Pixels(nn.Module):
    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, pixels):
        return self.body(pixels.float() / 255)


def steps_of(network, side, batch, way):
    recipe = replace(RECIPE, resolution=side)
    dice = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    train_state = way(
        loop.new_train_state(Classifier(network, (side, side, 3), recipe, (127.5,) * 3, (64.0,) * 3), recipe, CPU)
    )
    train_state.classifier.train()
    for _ in range(4):
        pixels = torch.randint(0, 256, (batch, 3, side, side), generator=dice, dtype=torch.uint8)
        train_state.forward_backward(pixels, torch.arange(batch) % N_CLASSES)
        train_state.optimizer_step(0.01)
    return train_state


FAMILIES = [
    pytest.param(
        name, options, marks=() if "flower" in name else pytest.mark.soak, id=" ".join([name, *options.values()])
    )
    for name, options in in_orders("LA", "LAB")
]


@pytest.mark.parametrize(("name", "options"), FAMILIES)
def test_every_architecture_leaves_the_same_bits(name, options):
    network, side = arch.network(name, N_CLASSES, **options), smallest(name, **options)
    assert weights(steps_of(network, side, 2, eager)) == weights(
        steps_of(network, side, 2, lambda train_state: train_state)
    )


@pytest.mark.parametrize("name", [name for name in arch.FAMILIES if "flower" in name])
def test_networks_of_the_usual_size_are_replayed(name):
    network = arch.network(name, N_CLASSES)
    one, two = steps_of(network, 64, 6, eager), steps_of(network, 64, 6, lambda train_state: train_state)
    assert two.forward_backward.replayed == 2
    assert weights(one) == weights(two)


def test_batches_of_another_size_and_watched_steps_are_done_as_ever():
    full = batches(60)
    uneven, found = [*full[:4], *batches(4, 4), *full[4:]], []
    for way in (eager, lambda train_state: train_state):
        train_state = way(new(RECIPE))
        train_state.recorder = Recorder(train_state.classifier.body, {}, len(uneven))
        for _ in loop.train(train_state, lambda epoch: uneven, lambda: batches(18, seed=9), len(uneven), 0, 0):
            pass
        rows = [{key: value for key, value in row.items() if key != "values"} for row in train_state.recorder.rows]
        found.append((weights(train_state), rows, train_state.recorder.signals().activation.tobytes()))
    assert found[0] == found[1]
    assert train_state.forward_backward.replayed == RECIPE.epochs * (len(uneven) - 2) - 2


def test_a_run_shorter_than_a_recording_is_worth_is_as_ever(monkeypatch):
    monkeypatch.setattr(recorded_step, "AS_EVER", 18)
    assert trained(RECIPE, train_state=(train_state := new(RECIPE))).forward_backward.replayed == 0
    assert weights(train_state) == weights(trained(RECIPE, train_state=eager(new(RECIPE))))


def test_a_replayed_loss_that_is_not_finite_is_told_before_the_weights_move():
    train_state = new(RECIPE)
    steps = loop.train(train_state, lambda epoch: batches(), lambda: batches(18, seed=9), 6, 0, 0)
    for _ in range(4):
        next(steps)
    assert train_state.forward_backward.replayed == 2
    with torch.no_grad():
        train_state.classifier.body[-1].bias.fill_(torch.inf)
    before = [weight.clone() for weight in train_state.classifier.parameters()]
    with pytest.raises(loop.Diverged):
        next(steps)
    assert all(torch.equal(*pair) for pair in zip(train_state.classifier.parameters(), before, strict=True))


class _Aside(nn.Module):
    """Hangs on its input in a way that torch's operators know nothing of."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.register_buffer("seen", torch.zeros(4))

    def forward(self, x):
        self.seen += x.mean(0)
        return self.layer(x) * float(x.numpy()[0, 0])


class _Choice(_Aside):
    """Does one thing or another by what comes in."""

    def forward(self, x):
        self.seen += x.mean(0)
        return self.layer(x) if float(x.sum()) > 0 else self.layer(-x)


@pytest.mark.parametrize("kind", [_Aside, _Choice])
def test_what_does_not_do_the_same_each_time_is_not_replayed(kind):
    inputs = torch.randn(8, 5, 4, generator=torch.Generator().manual_seed(0))
    left = []
    for taped in (False, True):
        torch.manual_seed(0)
        network = kind()
        optimizer = torch.optim.SGD(network.parameters(), 0.1)
        learn = forward_backward.eager(network, optimizer, RECIPE)
        learn = forward_backward.ReplayedStep(learn, network) if taped else learn
        for x in inputs:
            learn(x, torch.arange(5) % 3)
            optimizer.step()
        left.append([value.clone() for value in network.state_dict().values()])
    assert all(torch.equal(*pair) for pair in zip(*left, strict=True))
    assert learn.replayed == 0


def test_a_parameter_without_a_gradient_stays_without_one():
    network = nn.Linear(4, 3)
    network.idle = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    learn = forward_backward.ReplayedStep(forward_backward.eager(network, optimizer, RECIPE), network)
    for _ in range(5):
        learn(torch.ones(2, 4), torch.arange(2))
        assert network.idle.grad is None
        assert network.weight.grad is not None
    assert learn.replayed == 3


# The optimizer's step


@pytest.mark.parametrize(
    "values",
    [
        {"optimizer": "adam", "weight_decay": 0.01},
        {"optimizer": "adamw", "body_lr": 0.1, "schedule": "cosine"},
        {"optimizer": "sgd", "momentum": 0.0, "lr": 0.1},
        {"optimizer": "sgd", "nesterov": True, "lr": 0.1, "warmup_epochs": 2, "body_lr": 0.5},
    ],
    ids=lambda values: "-".join(map(str, values.values())),
)
def test_an_optimizers_step_from_a_tape_leaves_the_same_bits(values):
    recipe = replace(RECIPE, **values)
    left = []
    for way in (eager, lambda train_state: train_state):
        train_state = trained(recipe, train_state=way(new(recipe)))
        state = train_state.optimizer.state_dict()
        tensors = [value for one in state["state"].values() for value in one.values() if value is not None]
        left.append((weights(train_state), [value.clone() for value in tensors], state["param_groups"]))
    assert train_state.optimizer_step.replayed == 3 * 6 - 2
    (bits, tensors, groups), (other_bits, other_tensors, other_groups) = left
    assert bits == other_bits
    assert all(torch.equal(*pair) for pair in zip(tensors, other_tensors, strict=True))
    assert groups == other_groups


def test_weights_that_do_not_learn_yet_are_moved_as_ever():
    recipe = replace(RECIPE, head_epochs=2, body_lr=0.1)
    one, two = trained(recipe, train_state=eager(new(recipe))), trained(recipe, train_state=new(recipe))
    assert weights(one) == weights(two)
    assert two.optimizer_step.replayed == 6 - 2  # of the third epoch


def test_an_optimizers_step_of_which_there_is_no_tape_is_recorded_once(monkeypatch):
    asked = []

    def refused(work, inputs):
        asked.append(len(inputs))
        work()

    before = weights(trained(RECIPE, train_state=eager(new(RECIPE))))
    monkeypatch.setattr(optimizer_step.recorded_step, "record", refused)
    train_state = trained(RECIPE, train_state=new(RECIPE))
    assert weights(train_state) == before
    assert train_state.forward_backward.replayed == train_state.optimizer_step.replayed == 0
    assert len(asked) == 2  # of the passes, and of the optimizer's step


# The tape itself


def test_a_tape_reads_and_changes_what_the_work_found():
    x, weight, count = torch.arange(3.0), torch.ones(3), torch.zeros(1)

    def work():
        count.add_(1)
        return [x * weight + count]

    recorded = recorded_step.record(work, [x])
    assert torch.equal(recorded.replay([x])[0], torch.tensor([2.0, 3.0, 4.0]))
    weight.mul_(10)
    assert torch.equal(recorded.replay([torch.ones(3)])[0], torch.full((3,), 13.0))
    assert count == 3
    assert {id(tensor) for tensor in recorded.constants} == {id(weight), id(count)}


def test_a_tape_leaves_out_what_nobody_reads_and_draws_what_is_drawn():
    x, called_ones = torch.ones(1000), []

    class Watched(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, called, types, args=(), kwargs=None):
            called_ones.append(str(called))
            return called(*args, **(kwargs or {}))

    def work():
        x.exp()
        torch.rand(3)
        return [torch.randn(1000) + x.detach()]

    torch.manual_seed(0)
    first = work()
    recorded = recorded_step.record(work, [x])
    torch.manual_seed(0)
    with Watched():
        second = recorded.replay([x])
    assert torch.equal(first[0], second[0])
    assert called_ones == ["aten.rand.default", "aten.randn.default", "aten.add.Tensor"]


def test_a_tape_holds_what_it_makes_no_longer_than_it_is_read():
    x, n = torch.ones(10), 8
    alive, most = set(), []

    class Counted(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, called, types, args=(), kwargs=None):
            made = called(*args, **(kwargs or {}))
            number = len(most)
            alive.add(number)
            weakref.finalize(made, alive.discard, number)
            most.append(len(alive))
            return made

    def work():
        y = x
        for _ in range(n):
            y = y + 1
        return [y]

    recorded = recorded_step.record(work, [x])
    with Counted():
        (result,) = recorded.replay([x])
    assert torch.equal(result, torch.full((10,), 1.0 + n))
    assert len(most) == n
    assert max(most) == 2  # one is read while the next one is made


def test_a_number_that_becomes_pythons_makes_no_tape():
    x = torch.ones(3)
    assert recorded_step.record(lambda: [x * float(x.sum())], [x]) is None
