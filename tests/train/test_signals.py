"""Signals of training: what is recorded is what is there, and nothing is changed by it."""

import dataclasses
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from commongarden import arch
from commongarden import store as stores
from commongarden.arch import add, batch_norm, conv, dense, global_avg_pool, serial
from commongarden.errors import StoreError
from commongarden.records import Epoch, signals
from commongarden.records.signals import Reestimated
from commongarden.study.recipe import Recipe
from commongarden.train import checkpoint, loop, measure, state, streams
from commongarden.train.audit import tree_paths
from commongarden.train.classifier import Classifier
from commongarden.train.evaluate import evaluate
from commongarden.train.initialize import initialize
from commongarden.train.recording import Recorder, path_of
from commongarden.train.reestimate import reestimated
from grown import grown

SIZE, CPU = 12, torch.device("cpu")
NETWORK = serial(
    conv(6, 3, order="LBA"),
    add(conv(6, 3, order="LB"), then="A"),
    conv(8, 3, stride=2, order="LAB"),
    global_avg_pool(),
    arch.dropout(0.2),
    dense(3),
    name="small",
)
STEPS = 6


def batch(n=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (n,), generator=generator)
    pixels = torch.randint(0, 160, (n, 3, SIZE, SIZE), generator=generator, dtype=torch.uint8)
    pixels[torch.arange(n), labels] += 60
    return pixels, labels


def new(recipe, records, network=NETWORK, mean=(100.0, 90.0, 80.0)):
    measure.settle(1)
    classifier = Classifier(network, (SIZE, SIZE, 3), recipe, mean, (50.0, 50.0, 50.0))
    initialize(classifier, recipe, streams.generator(0, 0, "initialization"))
    train_state = loop.new_train_state(classifier, recipe, CPU)
    if records:
        train_state.recorder = Recorder(classifier.body, tree_paths(network), STEPS)
    return train_state


def train(train_state, epochs=None):
    found = loop.train(
        train_state,
        lambda epoch: [batch(seed=100 * epoch + i) for i in range(STEPS)],
        lambda: [batch(30, 9)],
        STEPS,
        0,
        0,
    )
    for news in found:
        if isinstance(news, Epoch) and news.epoch == epochs:
            break
    return train_state


def tables(found):
    return [getattr(found, name) for name in (*signals.SIGNALS, "epochs", "square", "product")]


RECIPES = [
    Recipe(resolution=SIZE, epochs=4, batch_size=12, lr=1e-2),
    Recipe(resolution=SIZE, epochs=3, batch_size=12, optimizer="sgd", nesterov=True, layout="channels-first"),
    Recipe(resolution=SIZE, epochs=3, batch_size=12, optimizer="adam", head_epochs=1, select="best-val"),
]


@pytest.mark.parametrize("recipe", RECIPES)
def test_recording_changes_no_bit(recipe):
    plain, watched = train(new(recipe, False)), train(new(recipe, True))
    assert state.to_bytes(plain.classifier) == state.to_bytes(watched.classifier)
    for one, two in zip(plain.history, watched.history, strict=True):
        assert (one.train_loss, one.val_loss) == (two.train_loss, two.val_loss)
    assert len(watched.recorder.signals().epochs) == recipe.epochs


def test_a_resumed_run_has_the_whole_signals(tmp_path):
    recipe = RECIPES[0]
    whole = train(new(recipe, True))
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(checkpoint.to_bytes(train(new(recipe, True), epochs=2)))
    resumed = new(recipe, True)
    checkpoint.restore(resumed, path)
    train(resumed)
    one, two = whole.recorder.signals(), resumed.recorder.signals()
    assert one.layers == two.layers
    for left, right in zip(tables(one), tables(two), strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_checkpoint_without_signals_still_goes_on(tmp_path):
    recipe = RECIPES[0]
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(checkpoint.to_bytes(train(new(recipe, False), epochs=2)))
    resumed = new(recipe, True)
    checkpoint.restore(resumed, path)
    train(resumed)
    assert resumed.recorder.signals().epochs.tolist() == [3, 4]


def test_figures_are_those_of_the_looked_at_step():
    """One epoch of two steps, of which the first is looked at: every figure worked out anew by torch alone."""
    recipe = Recipe(resolution=SIZE, epochs=1, batch_size=8, lr=0.05, optimizer="sgd", momentum=0.0)
    network = serial(conv(6, 3, order="LBA"), global_avg_pool(), dense(3), name="net")
    measure.settle(1)
    classifier = Classifier(network, (SIZE, SIZE, 3), recipe, (100.0,) * 3, (50.0,) * 3)
    initialize(classifier, recipe, streams.generator(0, 0, "initialization"))
    train_state = loop.new_train_state(classifier, recipe, CPU)
    train_state.recorder = Recorder(classifier.body, tree_paths(network), 2)
    first, second = batch(8, 1), batch(8, 2)

    body = classifier.body
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    classifier.train()
    inner = {}
    handles = [
        module.register_forward_hook(lambda _, __, y, name=name: inner.update({name: y}) or y.retain_grad())
        for name, module in body.named_modules()
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear | torch.nn.ReLU)
    ]
    F.cross_entropy(classifier(first[0]), first[1]).backward()
    for handle in handles:
        handle.remove()
    gradients = [parameter.grad.clone() for parameter in classifier.parameters()]
    seen = {name: (y.detach().clone(), y.grad.clone()) for name, y in inner.items()}
    classifier.load_state_dict(before)
    classifier.zero_grad()

    steps = iter(loop.train(train_state, lambda _: [first, second], lambda: [batch(9, 3)], 2, 0, 0))
    next(steps)
    after_one = {name: value.clone() for name, value in classifier.state_dict().items()}
    next(steps)
    later = [parameter.grad.clone() for parameter in classifier.parameters()]
    next(steps)
    found = train_state.recorder.signals()
    by_path = {layer.path: i for i, layer in enumerate(found.layers)}
    assert [layer.kind for layer in found.layers] == ["linear", "norm", "rectifier", "linear"]
    assert [layer.depth for layer in found.layers] == [1, 1, 1, 2]
    for name, path in tree_paths(network).items():
        if name not in seen or isinstance(body.get_submodule(name), torch.nn.ReLU):
            continue
        y, gradient = seen[name]
        i = by_path[path]
        assert found.activation[0, i] == pytest.approx(y.square().mean().sqrt().item(), rel=1e-5)
        per_photo = (8 * gradient).flatten(1).norm(dim=1).square().mean().sqrt().item()
        assert found.gradient[0, i] == pytest.approx(per_photo, rel=1e-5)
        weight, moved = before[f"body.{name}.weight"], after_one[f"body.{name}.weight"]
        assert found.update[0, i] == pytest.approx(((moved - weight).norm() / weight.norm()).item(), rel=1e-4)
        assert found.weight[0, i] == pytest.approx(body.get_submodule(name).weight.norm().item(), rel=1e-6)
    dead = seen[next(name for name in seen if isinstance(body.get_submodule(name), torch.nn.ReLU))][0] == 0
    assert found.dead[0, 2] == pytest.approx(dead.all(dim=3).all(dim=2).all(dim=0).float().mean().item())
    squares = [sum(g.square().sum().item() for g in side) for side in (gradients, later)]
    assert found.square[0] == pytest.approx(sum(squares) / 2, rel=1e-4)
    product = sum((one * two).sum().item() for one, two in zip(gradients, later, strict=True))
    assert found.product[0] == pytest.approx(product, rel=1e-3, abs=1e-6 * found.square[0])


def test_the_distance_is_that_between_running_and_batch_statistics():
    recipe = Recipe(resolution=SIZE, epochs=1, batch_size=8, lr=1e-9, optimizer="sgd", momentum=0.0)
    network = serial(
        conv(4, 3, order="L", bias=False), batch_norm(momentum=0.25, affine=False), global_avg_pool(), dense(3)
    )
    train_state = new(recipe, True, network)
    train_state.recorder = Recorder(train_state.classifier.body, tree_paths(network), 1)
    data = batch(8, 5)
    for _ in loop.train(train_state, lambda _: [data], lambda: [batch(9, 3)], 1, 0, 0):
        pass
    norm = next(part for part in train_state.classifier.modules() if isinstance(part, torch.nn.BatchNorm2d))
    with torch.no_grad():
        y = train_state.classifier.body[0](train_state.classifier.preprocessed(data[0])).double()
    mean, var = y.mean((0, 2, 3)), y.var((0, 2, 3))
    running_mean, running_var = 0.25 * mean, 0.75 + 0.25 * var
    shift = (mean - running_mean) / (var + norm.eps).sqrt()
    stretch = 0.5 * torch.log((var + norm.eps) / (running_var + norm.eps))
    expected = (shift.square() + stretch.square()).mean().sqrt().item()
    kept, values = train_state.recorder.signals().of("distance")
    assert [layer.kind for layer in kept] == ["norm"]
    assert values[0, 0] == pytest.approx(expected, rel=1e-3)


def test_bytes_are_the_same_signals(tmp_path):
    anew = Reestimated(128, 30, 0.2, 0.5, 1.7, 1.1, 10, 1)
    found = train(new(RECIPES[0], True)).recorder.signals(anew)
    again = signals.from_bytes(signals.to_bytes(found))
    assert (again.layers, again.reestimated) == (found.layers, anew)
    for left, right in zip(tables(found), tables(again), strict=True):
        np.testing.assert_array_equal(left, right)


def test_old_stores_have_no_signals_and_broken_ones_are_told(tmp_path):
    store = grown(tmp_path / "study", {"a": (0.5, 0.6)})
    assert store.signals("a", 0) is None
    path = store.directory("a", 0) / "signals.npz"
    for torn in (b"", b"no zip", b"PK\x03\x04 torn"):
        path.write_bytes(torn)
        with pytest.raises(StoreError, match=r"signals\.npz: not a run's signals"):
            store.signals("a", 0)


def test_lagging_statistics_are_put_right_by_the_training_part_and_left_as_they_were():
    network = serial(conv(6, 3, order="L"), batch_norm(momentum=0.001), arch.activation(), global_avg_pool(), dense(3))
    recipe = Recipe(resolution=SIZE, epochs=6, batch_size=12, lr=1e-2)
    train_state = train(new(recipe, True, network, (-200.0, 90.0, 500.0)))
    before = state.to_bytes(train_state.classifier)
    found = reestimated(train_state.classifier, [batch(64, 70), batch(1, 71)], lambda: [batch(90, 9)], CPU)
    assert state.to_bytes(train_state.classifier) == before
    assert found.n_photos == 64
    assert found.n_val == 90
    assert found.accuracy == evaluate(train_state.classifier, [batch(90, 9)], CPU).accuracy
    assert found.accuracy_anew > found.accuracy + 0.2
    assert found.gained - found.lost == round(90 * (found.accuracy_anew - found.accuracy))
    lag = train_state.recorder.signals().of("distance")[1]
    assert lag[-1, 0] > 0.5
    assert reestimated(torch.nn.Flatten(), [], list, CPU) is None


def test_parts_that_the_tree_does_not_know_have_their_own_names():
    paths = {"": "net", "a": "net / a"}
    assert path_of("a", paths) == "net / a"
    assert path_of("a.inner.conv1", paths) == "net / a / inner.conv1"
    assert path_of("conv1", {}) == "conv1"


def test_a_finished_study_has_signals_of_every_run(finished):
    store = stores.open_store(finished)
    for run in store.runs():
        found = store.signals(run.arm, run.seed)
        assert found.epochs.tolist() == [1, 2, 3]
        paths = {" / ".join(layer.path) for layer in arch.trace(arch.read(run.arch), run.input)}
        assert {layer.path for layer in found.layers} <= paths
        for name in ("activation", "gradient", "update", "weight"):
            kept, values = found.of(name)
            assert {layer.kind for layer in kept} == {"linear"}
            assert (values > 0).all()
        n_norms = sum(layer.kind == "norm" for layer in found.layers)
        assert n_norms == found.of("distance")[1].shape[1] == 13
        assert found.reestimated.n_val == run.n_val
        assert all(math.isfinite(value) for value in found.square)
    assert dataclasses.is_dataclass(found)
