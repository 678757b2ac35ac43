"""Training: recipes against torch's own, random streams, repeats and resumes bit for bit."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from commongarden import arch
from commongarden.arch import conv, dense, global_avg_pool, serial
from commongarden.errors import RunnerError, StudyError
from commongarden.records import Epoch
from commongarden.study.recipe import Recipe
from commongarden.train import checkpoint, loop, measure, state, streams
from commongarden.train.build import auxiliary_logits
from commongarden.train.classifier import Classifier
from commongarden.train.evaluate import evaluate
from commongarden.train.schedule import learning_rate, make_optimizer
from commongarden.train.uncompiled import uncompiled
from small_training import CPU, RECIPES, SIZE, batches, epoch_batches, new, photos, trained, weights, without_seconds


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: f"{recipe.optimizer}-{recipe.schedule}")
def test_one_seed_repeats_bit_for_bit_and_another_differs(recipe):
    one, two, other = trained(recipe), trained(recipe), trained(recipe, run_seed=1)
    assert weights(one) == weights(two)
    assert without_seconds(one.history) == without_seconds(two.history)
    assert weights(one) != weights(other)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: f"{recipe.optimizer}-{recipe.schedule}")
@pytest.mark.parametrize("stop_after", [1, 3])
def test_going_on_from_a_checkpoint_equals_never_having_stopped(recipe, stop_after, tmp_path):
    whole = trained(recipe)
    stopped = new(recipe)
    for news in loop.train(stopped, epoch_batches, lambda: batches(18, seed=9), 6, 0, 0):
        if isinstance(news, Epoch) and news.epoch == stop_after:
            (tmp_path / "checkpoint.pt").write_bytes(checkpoint.to_bytes(stopped))
            break
    resumed = new(recipe)
    torch.rand(17)  # what else the process draws must not matter
    checkpoint.restore(resumed, tmp_path / "checkpoint.pt")
    trained(recipe, train_state=resumed)
    assert loop.selected(resumed) == loop.selected(whole)
    assert weights(resumed) == weights(whole)
    assert without_seconds(resumed.history) == without_seconds(whole.history)


def state_after(train_state, epochs):
    """What the classifier holds behind each of its first epochs."""
    states = []
    for news in loop.train(train_state, epoch_batches, lambda: batches(18, seed=9), 6, 0, 0):
        if isinstance(news, Epoch):
            states.append({key: value.clone() for key, value in train_state.classifier.state_dict().items()})
            if len(states) == epochs:
                break
    return states


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_first_the_head_alone_learns_then_all(optimizer):
    recipe = Recipe(resolution=SIZE, epochs=4, optimizer=optimizer, lr=1e-2, head_epochs=2, weight_decay=0.1)
    train_state = new(recipe)
    first = {key: value.clone() for key, value in train_state.classifier.state_dict().items()}
    one, two, three = state_after(train_state, 3)
    for key, value in first.items():
        is_head = key.startswith("body.dense.")
        assert torch.equal(value, two[key]) is not is_head, key
        assert torch.equal(one[key], two[key]) is not is_head, key
        assert not torch.equal(two[key], three[key]), key
    assert any(key.endswith("running_mean") for key in first)


def test_the_body_learns_at_its_share_of_the_learning_rate():
    recipe = Recipe(resolution=SIZE, epochs=1, batch_size=6, optimizer="sgd", momentum=0.0, lr=0.1, body_lr=0.25)
    train_state, by_hand = new(recipe), new(recipe).classifier
    pixels, labels = batches()[0]
    torch.manual_seed(streams.seed(0, 0, "dropout", 1))
    torch.nn.functional.cross_entropy(by_hand.train()(pixels), labels).backward()
    next(loop.train(train_state, lambda epoch: [(pixels, labels)], lambda: batches(18, seed=9), 1, 0, 0))
    for (name, ours), theirs in zip(train_state.classifier.named_parameters(), by_hand.parameters(), strict=True):
        rate = 0.1 if name.startswith("body.dense.") else 0.025
        torch.testing.assert_close(ours, theirs - rate * theirs.grad)


def test_auxiliary_heads_belong_to_the_body():
    network = serial(conv(6, 3), arch.auxiliary(global_avg_pool(), dense(3)), global_avg_pool(), dense(3), dense(3))
    train_state = new(Recipe(resolution=SIZE, epochs=2, head_epochs=1, lr=1e-2), network=network)
    first = {key: value.clone() for key, value in train_state.classifier.state_dict().items()}
    (after,) = state_after(train_state, 1)
    changed = {key.rpartition(".")[0] for key, value in first.items() if not torch.equal(value, after[key])}
    assert changed == {"body.dense_2"}


def test_a_network_without_a_last_layer_has_no_head():
    network = serial(arch.batch_norm(), global_avg_pool())
    for values in ({"body_lr": 0.5}, {"head_epochs": 1}):
        with pytest.raises(
            StudyError,
            match="head_epochs, body_lr, layer_decay and freeze_backbone need a final dense layer or convolution",
        ):
            new(Recipe(resolution=SIZE, **values), network=network)


@pytest.mark.parametrize("values", [{"head_epochs": 11}, {"head_epochs": -1}, {"body_lr": 0.0}, {"body_lr": 1.5}])
def test_shares_and_epochs_that_cannot_be_are_refused(values):
    with pytest.raises(StudyError, match=f"recipe.{next(iter(values))}: found"):
        Recipe(**values)


def test_a_networks_own_first_weights_are_left():
    layers = [new(Recipe(resolution=SIZE, init=init)).classifier.body.dense for init in ("own", "fan-in")]
    assert layers[0].bias.any()
    assert not layers[1].bias.any()


def test_there_is_nothing_to_restore_without_a_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError):
        checkpoint.restore(new(RECIPES[0]), tmp_path / "checkpoint.pt")


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04 torn", b"{}"])
def test_a_checkpoint_that_is_torn_is_told(tmp_path, content):
    (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(checkpoint.Unreadable, match=r"checkpoint\.pt cannot be read"):
        checkpoint.restore(new(RECIPES[0]), tmp_path / "checkpoint.pt")


def test_a_checkpoint_of_another_network_is_told(tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(checkpoint.to_bytes(new(RECIPES[0])))
    with pytest.raises(checkpoint.Unreadable, match="RuntimeError"):
        checkpoint.restore(new(RECIPES[0], network=serial(conv(7, 3), name="other")), tmp_path / "checkpoint.pt")


def test_the_stored_weights_give_the_same_logits(tmp_path):
    train_state = trained(RECIPES[0])
    (tmp_path / "model.safetensors").write_bytes(weights(train_state))
    fresh = new(RECIPES[0], run_seed=5)
    state.from_bytes(fresh.classifier, (tmp_path / "model.safetensors").read_bytes())
    pixels, _ = photos(5)
    assert torch.equal(fresh.classifier.eval()(pixels), train_state.classifier.eval()(pixels))


def test_auxiliary_losses_are_trained_at_their_weight_and_not_told():
    network = serial(
        conv(6, 3, order="LA"), arch.auxiliary(global_avg_pool(), dense(3), weight=0.3),
        conv(6, 3, order="LA"), global_avg_pool(), dense(3),
    )  # fmt: skip
    recipe = Recipe(resolution=SIZE, epochs=1, batch_size=6, optimizer="sgd", momentum=0.0, lr=0.1, label_smoothing=0.1)
    train_state, by_hand = new(recipe, network=network), new(recipe, network=network).classifier
    pixels, labels = batches()[0]
    step = next(loop.train(train_state, lambda epoch: [(pixels, labels)], lambda: batches(18, seed=9), 1, 0, 0))

    logits = by_hand(pixels)
    ((_, side),) = auxiliary_logits(by_hand)
    losses = [torch.nn.functional.cross_entropy(y, labels, label_smoothing=0.1) for y in (logits, side)]
    (losses[0] + 0.3 * losses[1]).backward()
    assert step.loss == losses[0].item()
    for ours, theirs in zip(train_state.classifier.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs - 0.1 * theirs.grad)


def test_a_network_with_an_auxiliary_head_goes_on_and_predicts_like_any(tmp_path):
    network = serial(conv(6, 3), arch.auxiliary(global_avg_pool(), dense(3)), global_avg_pool(), dense(3))
    train_state = trained(RECIPES[0], train_state=new(RECIPES[0], network=network))
    (tmp_path / "model.safetensors").write_bytes(weights(train_state))
    fresh = new(RECIPES[0], run_seed=5, network=network)
    state.from_bytes(fresh.classifier, (tmp_path / "model.safetensors").read_bytes())
    pixels, _ = photos(5)
    assert torch.equal(fresh.classifier.eval()(pixels), train_state.classifier.eval()(pixels))


def test_a_network_learns_what_can_be_learned():
    history = trained(Recipe(resolution=SIZE, epochs=12, batch_size=6, lr=1e-2)).history
    assert history[-1].train_loss < history[0].train_loss
    assert history[-1].val_accuracy > 0.9


def test_the_epoch_record_says_what_happened():
    recipe = Recipe(resolution=SIZE, epochs=1, batch_size=6, schedule="cosine")
    train_state = new(recipe)
    news = list(loop.train(train_state, epoch_batches, lambda: batches(18, seed=9), 6, 0, 0))
    steps, epoch = news[:-1], news[-1]
    assert [step.step for step in steps] == [1, 2, 3, 4, 5, 6]
    assert (epoch.train_loss, epoch.train_accuracy) == (steps[-1].loss, steps[-1].accuracy)
    assert epoch.lr == pytest.approx(learning_rate(recipe, 5, 6))
    assert min(epoch.seconds_data, epoch.seconds_forward_backward, epoch.seconds_optimizer, epoch.seconds_val) > 0
    result = evaluate(train_state.classifier, batches(18, seed=9), CPU)
    assert (epoch.val_loss, epoch.val_accuracy) == (result.loss, result.accuracy)


def test_evaluation_is_plain_cross_entropy_and_leaves_the_network_alone():
    train_state = trained(RECIPES[3])
    before = weights(train_state)
    result = evaluate(train_state.classifier, batches(18, seed=9), CPU)
    assert weights(train_state) == before
    expected = -np.log(result.probabilities[np.arange(18), result.labels]).mean()
    assert result.loss == pytest.approx(expected, rel=1e-5)
    assert result.accuracy == (result.probabilities.argmax(1) == result.labels).mean()
    np.testing.assert_allclose(result.probabilities.sum(1), 1, rtol=1e-5)


def test_the_best_validation_epoch_is_the_first_of_the_highest():
    train_state = trained(RECIPES[3])
    accuracies = [epoch.val_accuracy for epoch in train_state.history]
    assert loop.selected(train_state) == accuracies.index(max(accuracies)) + 1
    assert evaluate(train_state.classifier, batches(18, seed=9), CPU).accuracy == max(accuracies)


def test_a_loss_that_is_not_finite_stops_with_its_epoch_and_step():
    recipe = Recipe(resolution=SIZE, epochs=3, batch_size=6, optimizer="sgd", lr=1e30)
    train_state = new(recipe, network=serial(conv(4, 3, order="LA"), global_avg_pool(), dense(3)))
    with pytest.raises(loop.Diverged) as error:
        trained(recipe, train_state=train_state)
    assert (error.value.epoch, error.value.step) == (1, 2)
    assert "the training loss became" in str(error.value)


@pytest.mark.parametrize("layout", ["channels-last", "channels-first"])
@pytest.mark.parametrize(("height", "width"), [(12, 12), (5, 9), (1, 1), (1, 7)])
def test_preprocessing_is_a_shift_and_a_division_to_the_bit(layout, height, width):
    mean, std = (110.3, 99.9, 81.7), (61.1, 59.3, 70.7)
    recipe = Recipe(layout=layout)
    classifier = Classifier(serial(global_avg_pool(), dense(3)), (height, width, 3), recipe, mean, std)
    pixels = torch.randint(0, 256, (4, 3, height, width), dtype=torch.uint8)
    shaped = torch.tensor([mean, std]).view(2, 1, 3, 1, 1)
    for given in (pixels, pixels.float(), pixels.float().contiguous(memory_format=classifier.memory_format)):
        kept = given.clone()
        torch.testing.assert_close(classifier.preprocessed(given), (pixels - shaped[0]) / shaped[1], rtol=0, atol=0)
        assert torch.equal(given, kept)


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD])
def test_an_optimizer_without_marks_takes_the_same_steps_to_the_bit(kind):
    torch.manual_seed(0)
    ours, theirs = torch.nn.Linear(4, 3), torch.nn.Linear(4, 3)
    theirs.load_state_dict(ours.state_dict())
    pairs = [
        (ours, uncompiled(kind)(ours.parameters(), 0.1, fused=True)),
        (theirs, kind(theirs.parameters(), 0.1, fused=True)),
    ]
    for i in range(5):
        for module, optimizer in pairs:
            optimizer.zero_grad()
            module(torch.full((2, 4), float(i))).square().mean().backward()
            optimizer.step()
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=0)
    (_, one), (_, two) = pairs
    torch.testing.assert_close(one.state_dict()["state"], two.state_dict()["state"], rtol=0, atol=0)
    assert (type(one).__name__, isinstance(one, kind)) == (kind.__name__, True)


def test_training_does_not_load_the_compiler():
    """Two seconds and 70 MB of each process (uncompiled.py says of what)."""
    script = """
import sys, torch
from commongarden.study.recipe import Recipe
from commongarden.train.schedule import make_optimizer
for optimizer in ("adam", "adamw", "sgd"):
    module = torch.nn.Linear(4, 3)
    one = make_optimizer(module, Recipe(optimizer=optimizer, lr=0.1))
    one.zero_grad()
    module(torch.ones(2, 4)).sum().backward()
    one.step()
    one.load_state_dict(one.state_dict())
sys.exit("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize(("optimizer", "nesterov"), [("adam", False), ("adamw", False), ("sgd", False), ("sgd", True)])
def test_optimizers_are_torchs_unfused_ones(optimizer, nesterov):
    recipe = Recipe(optimizer=optimizer, lr=0.1, weight_decay=0.01, nesterov=nesterov)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[optimizer]
    extra = {"momentum": 0.9, "nesterov": nesterov} if optimizer == "sgd" else {}
    ours, theirs = torch.nn.Linear(4, 3), torch.nn.Linear(4, 3)
    theirs.load_state_dict(ours.state_dict())
    pairs = [
        (ours, make_optimizer(ours, recipe)),
        (theirs, kind(theirs.parameters(), 0.1, weight_decay=0.01, fused=False, foreach=False, **extra)),
    ]
    for i in range(5):
        for module, optimizer_ in pairs:
            optimizer_.zero_grad()
            module(torch.full((2, 4), float(i))).square().mean().backward()
            optimizer_.step()
    torch.testing.assert_close(ours.weight, theirs.weight)


def scheduled(make, steps):
    """Learning rates of torch's own schedule."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    schedule = make(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


def test_one_cycle_is_torchs():
    recipe = Recipe(lr=0.3, epochs=5, schedule="one-cycle")
    ours = [learning_rate(recipe, step, 7) for step in range(35)]
    theirs = scheduled(lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.3, total_steps=35), 34)
    assert ours[:34] == pytest.approx(theirs)
    assert ours[34] == pytest.approx(0.3 / 25 / 1e4)


def test_cosine_is_torchs():
    recipe = Recipe(lr=0.3, epochs=5, schedule="cosine")
    ours = [learning_rate(recipe, step, 7) for step in range(35)]
    assert ours == pytest.approx(scheduled(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 35), 35))


def test_a_warm_up_rises_to_the_learning_rate_then_the_schedule_begins():
    recipe = Recipe(lr=0.3, epochs=4, schedule="cosine", warmup_epochs=1)
    rates = [learning_rate(recipe, step, 10) for step in range(40)]
    assert rates[:10] == pytest.approx([0.03 * i for i in range(1, 11)])
    assert rates[10] == pytest.approx(0.3)
    assert rates[-1] < 0.01
    assert learning_rate(Recipe(lr=0.3), 39, 10) == 0.3


@pytest.mark.parametrize("epochs", [1, 2, 3])
@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("schedule", ["cosine", "one-cycle"])
def test_the_shortest_schedules_are_finite(schedule, steps, epochs):
    recipe = Recipe(lr=0.3, epochs=epochs, schedule=schedule)
    rates = [learning_rate(recipe, step, steps) for step in range(epochs * steps)]
    assert all(math.isfinite(rate) and 0 <= rate <= 0.3 + 1e-12 for rate in rates)


@pytest.mark.parametrize("init", ["fan-in", "fixed"])
def test_first_weights_have_the_recipes_spread(init):
    recipe = Recipe(resolution=SIZE, init=init, init_std=0.03)
    network = serial(conv(256, 3, order="L"), conv(256, 3, order="LBA", bias=True), global_avg_pool(), dense(100))
    classifier = new(recipe, network=network).classifier
    for layer in classifier.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            expected = math.sqrt(2 / layer.weight[0].numel()) if init == "fan-in" else 0.03
            assert layer.weight.std().item() == pytest.approx(expected, rel=0.05)
            assert not layer.bias.any()


def test_a_normalization_keeps_the_scale_of_its_node():
    classifier = new(RECIPES[0], network=serial(conv(4, 3, order="L"), arch.batch_norm(first_scale=0.0))).classifier
    assert not classifier.body.batch_norm.weight.any()


def test_fan_in_keeps_the_signals_scale_through_relu_layers():
    network = serial(*[conv(64, 3, order="LA") for _ in range(10)], name="deep")
    classifier = new(Recipe(resolution=SIZE), network=network).classifier
    pixels, _ = photos(4)
    with torch.no_grad():
        assert 0.2 < classifier(pixels).pow(2).mean().sqrt().item() < 5


def test_streams_are_apart_and_the_same_everywhere():
    seeds = {
        streams.seed(study, run, stream, epoch)
        for study in range(3)
        for run in range(3)
        for stream in ("initialization", "order", "augmentation", "dropout")
        for epoch in range(3)
    }
    assert len(seeds) == 3 * 3 * 4 * 3
    assert streams.seed(0, 0, "order", 1) == 4460723919755743566


def test_the_classifier_standardizes_by_channel():
    recipe = Recipe(resolution=SIZE)
    classifier = Classifier(serial(), (SIZE, SIZE, 3), recipe, (10.0, 20.0, 30.0), (1.0, 2.0, 4.0))
    pixels, _ = photos(2)
    mean, std = torch.tensor([10.0, 20.0, 30.0]).view(3, 1, 1), torch.tensor([1.0, 2.0, 4.0]).view(3, 1, 1)
    torch.testing.assert_close(classifier(pixels), (pixels.float() - mean) / std)


def test_layout_is_the_recipes():
    for layout, format_ in (("channels-last", torch.channels_last), ("channels-first", torch.contiguous_format)):
        classifier = new(Recipe(resolution=SIZE, layout=layout)).classifier
        assert classifier.body.conv_3x3.weight.is_contiguous(memory_format=format_)


def test_devices_that_are_not_there_are_told():
    assert measure.pick_device("cpu") == CPU
    with pytest.raises(RunnerError, match="device: found 'tpu', accepted on this machine: auto, "):
        measure.pick_device("tpu")


@pytest.mark.parametrize(
    ("built", "said"), [(None, "built without CUDA"), ("13.0", "built for CUDA 13.0 but finds no")]
)
def test_a_gpu_that_is_not_there_is_told_with_the_reason(monkeypatch, built, said):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", built)
    with pytest.raises(RunnerError, match=said):
        measure.pick_device("cuda:0")


def test_peak_memory_sees_what_was_held_and_let_go():
    memory = measure.PeakMemory(CPU)
    before = memory.look()
    block = torch.ones(40_000_000)
    del block
    assert memory.look() - before > 100_000_000


def test_latency_is_measured():
    train_state = new(RECIPES[0])
    assert 0 < measure.inference_ms(train_state.classifier, (SIZE, SIZE, 3), CPU) < 1000
