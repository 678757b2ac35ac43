"""What a GPU does otherwise than a processor: photos held there, captured steps, shorter numbers. As far as it goes on
the CPU, with a capture that stands in for CUDA's; and on CUDA where there is such a device."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from commongarden import arch
from commongarden.data import batches as feeding
from commongarden.data import device_images
from commongarden.data.on_the_fly import OnTheFlyImages
from commongarden.data.random_transforms import Augmenter
from commongarden.errors import RunnerError
from commongarden.runner import plan
from commongarden.study import Arm, Study
from commongarden.study.augmentation import Augment
from commongarden.study.recipe import Recipe
from commongarden.train import loop, measure, state
from commongarden.train.build import build
from commongarden.train.recording import Recorder
from commongarden.train.replay.forward_backward import (
    GRAPHS,
    WARM_UP,
    Captured,
    StepResult,
    capturable,
    forward_backward_of,
)
from small_training import CPU, NETWORK, RECIPES, SIZE, batches, epoch_batches, new, trained, weights, without_seconds

cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
FLOAT = {"resolution": SIZE, "epochs": 4, "batch_size": 6}


class Rehearsal:
    """A capture on the CPU that keeps CUDA's rules: what is captured is not done, and every replay leaves its results
    and gradients in the same tensors, whatever the parameters hold by then."""

    def __init__(self, classifier):
        self.parameters, self.buffers = list(classifier.parameters()), list(classifier.buffers())
        self.captures = self.replays = self.warmed = 0

    def warm_up(self):
        self.warmed += 1
        return nullcontext()

    def capture(self, work):
        self.captures += 1
        state = torch.get_rng_state()
        before = [buffer.clone() for buffer in self.buffers]
        learned = work()
        held = [parameter.grad for parameter in self.parameters]
        for buffer, value in zip(self.buffers, before, strict=True):
            buffer.copy_(value)
        torch.set_rng_state(state)
        for kept in (*learned, *held):
            kept.detach().fill_(torch.nan)

        def replay():
            self.replays += 1
            again = work()
            with torch.no_grad():
                for kept, value in zip(learned, again, strict=True):
                    kept.copy_(value)
                for kept, parameter in zip(held, self.parameters, strict=True):
                    kept.copy_(parameter.grad)
            for parameter in self.parameters:
                parameter.grad = None  # a replay knows nothing of parameters

        return replay, StepResult(*(part.detach() for part in learned))


def rehearsed(train_state):
    graphs = Rehearsal(train_state.classifier)
    train_state.forward_backward = Captured(train_state.forward_backward, train_state.classifier, graphs)
    return graphs


@pytest.mark.parametrize("recipe", [recipe for recipe in RECIPES if not recipe.head_epochs])
def test_captured_steps_learn_what_others_learn(recipe):
    plain, captured = new(recipe), new(recipe)
    graphs = rehearsed(captured)
    trained(recipe, train_state=plain)
    trained(recipe, train_state=captured)
    assert weights(plain) == weights(captured)
    assert without_seconds(plain.history) == without_seconds(captured.history)
    assert (graphs.warmed, graphs.captures, graphs.replays) == (WARM_UP, 1, 4 * 6 - WARM_UP)


def test_batches_of_another_size_and_watched_steps_are_done_as_ever():
    recipe = Recipe(**FLOAT)
    full = batches(60)
    uneven = [*full[:2], *batches(4, 4), *full[2:]]
    found = []
    for capture in (False, True):
        train_state = new(recipe)
        train_state.recorder = Recorder(train_state.classifier.body, {}, len(uneven))
        graphs = rehearsed(train_state) if capture else None
        for _ in loop.train(train_state, lambda epoch: uneven, lambda: batches(18, seed=9), len(uneven), 0, 0):
            pass
        rows = [{key: value for key, value in row.items() if key != "values"} for row in train_state.recorder.rows]
        found.append((weights(train_state), rows, train_state.recorder.signals().activation.tobytes()))
    assert found[0] == found[1]
    odd_and_watched = 2 * recipe.epochs
    assert graphs.warmed + graphs.replays == len(uneven) * recipe.epochs - odd_and_watched


def test_auxiliary_heads_are_captured_too():
    head = arch.auxiliary(arch.global_avg_pool(), arch.dense(3), weight=0.3)
    network = arch.serial(arch.conv(6, 3), head, arch.conv(6, 3), arch.global_avg_pool(), arch.dense(3), name="headed")
    found = []
    for capture in (False, True):
        train_state = new(Recipe(**FLOAT), network=network)
        if capture:
            rehearsed(train_state)
        found.append(weights(trained(train_state.recipe, train_state=train_state)))
    assert found[0] == found[1]


def test_a_captured_loss_that_is_not_finite_is_told_before_the_weights_move():
    train_state = new(Recipe(**FLOAT, optimizer="sgd", lr=1e-3))
    rehearsed(train_state)
    steps = loop.train(train_state, epoch_batches, lambda: batches(18, seed=9), 6, 0, 0)
    for _ in range(WARM_UP + 2):
        next(steps)
    with torch.no_grad():
        train_state.classifier.body[-1].bias.fill_(torch.inf)
    before = [weight.clone() for weight in train_state.classifier.parameters()]
    with pytest.raises(loop.Diverged):
        next(steps)
    assert all(torch.equal(*pair) for pair in zip(train_state.classifier.parameters(), before, strict=True))


def test_what_is_captured():
    recipe = Recipe(**FLOAT)
    classifier = new(recipe).classifier
    assert capturable(classifier, recipe)
    assert not capturable(classifier, Recipe(**FLOAT, head_epochs=1))  # what learns changes on the way
    leaf = arch.External("commongarden.forensics:network", "{}", 3, (64, 64, 3), 0, 0, 0)
    assert not capturable(build(arch.serial(leaf, name="of others"), (64, 64, 3)), recipe)


def test_nothing_is_captured_unless_it_is_asked_for(monkeypatch):
    train_state = new(Recipe(**FLOAT))
    given = train_state.classifier, train_state.optimizer, train_state.recipe
    monkeypatch.delenv(GRAPHS, raising=False)
    assert not isinstance(forward_backward_of(*given, torch.device("cuda")), Captured)
    monkeypatch.setenv(GRAPHS, "1")
    assert not isinstance(forward_backward_of(*given, CPU), Captured)


@given(
    st.integers(1, 40), st.integers(1, 9), st.integers(0, 2**31), st.sets(st.sampled_from(["flip", "crop", "colour"]))
)
@settings(max_examples=40, deadline=None)
def test_photos_that_a_device_holds_come_as_those_from_the_cache(n, size, seed, kinds):
    dice = np.random.default_rng(seed)
    images = dice.integers(0, 256, (50, 9, 12, 3), dtype=np.uint8)
    labels, places = dice.integers(0, 4, 50), dice.permutation(50)[:n]
    held = device_images.on_device(images, CPU)
    augmenter = Augmenter(Augment(tuple(sorted(kinds))))
    for way in (
        lambda photos: feeding.in_order(photos, labels, places, size),
        lambda photos: feeding.shuffled(
            photos, labels, places, size, *(torch.Generator().manual_seed(seed + i) for i in (1, 2)), augmenter
        ),
    ):
        pairs = list(zip(way(images), way(held), strict=True))
        for (pixels, targets), (there, answers) in pairs:
            assert torch.equal(pixels, there)
            assert torch.equal(targets, answers)
            assert there.is_contiguous(memory_format=torch.channels_last) or there.shape[0] == 1
            assert (there.dtype, answers.dtype) == (torch.uint8, torch.int64)


def test_a_device_holds_photos_where_they_are_few_beside_its_memory(monkeypatch):
    images = np.zeros((4, 8, 8, 3), np.uint8)
    device = torch.device("cuda")
    monkeypatch.setattr(device_images, "on_device", lambda photos, where: (photos, where))
    for free, held in ((10**9, True), (4 * images.nbytes, True), (4 * images.nbytes - 4, False)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda where, free=free: (free, 10**10))
        assert (device_images.resident(images, device) is not images) == held
    assert device_images.resident(images, CPU) is images  # the machine's own memory: the cache is mapped
    direct = OnTheFlyImages(None, 8, 8)
    assert device_images.resident(direct, device) is direct


def test_shorter_numbers_are_a_choice_of_the_recipe_and_off_by_default():
    usual, short = new(Recipe(**FLOAT)), new(Recipe(**FLOAT, precision="bfloat16"))
    pixels = batches()[0][0]
    seen = []
    short.classifier.body[0].register_forward_hook(lambda _module, _given, made: seen.append(made.dtype))
    logits = [one.classifier.eval()(pixels) for one in (usual, short)]
    assert seen == [torch.bfloat16]
    assert logits[1].dtype == torch.float32
    assert not torch.equal(*logits)
    torch.testing.assert_close(*logits, atol=0.05, rtol=0.05)
    assert all(weight.dtype == torch.float32 for weight in short.classifier.parameters())
    history = trained(short.recipe, train_state=short).history
    assert history[-1].train_loss < history[0].train_loss


def test_precision_is_hashed_where_it_is_not_the_usual_one():
    before = plan.recipe_hash(Recipe(rewrites=()))
    assert before == "850a10cb947e0f99c26cba6ec1c57c8ef37129bdc5e77c8e3ef8ee4abd542350"  # as before there was the field
    assert (
        len({before, *(plan.recipe_hash(Recipe(rewrites=(), precision=short)) for short in ("tf32", "bfloat16"))}) == 3
    )


def test_multiplications_of_cuda_are_whole_unless_the_recipe_names_shorter_ones():
    for precision, short in (("tf32", True), ("float32", False), ("bfloat16", False)):
        measure.settle(1, precision)
        assert torch.backends.cudnn.allow_tf32 is torch.backends.cuda.matmul.allow_tf32 is short
    measure.settle(1)
    assert torch.backends.cudnn.allow_tf32 is torch.backends.cuda.matmul.allow_tf32 is False


def test_a_precision_that_the_device_does_not_have_is_refused_before_any_photo_is_read(tmp_path, commongarden):
    done = commongarden("run", "--data", "builtin:flowers/40", "--arms", "plain_flower", "--set", "precision=tf32",
               "--device", "cpu", "--out", str(tmp_path / "study"))  # fmt: skip
    assert done.returncode == 2
    assert "plain_flower: recipe.precision: found 'tf32'" in done.stderr
    assert "accepted: 'float32', 'bfloat16'" in done.stderr
    assert not (tmp_path / "study").exists()
    done = commongarden("run", "--data", "builtin:flowers/40", "--arms", "plain_flower", "--set", "precision=half",
                        "--dry-run")  # fmt: skip
    assert done.returncode == 2
    assert "float32" in done.stderr
    assert "half" in done.stderr
    study = Study("short", "photos", {"one": Arm("plain_flower")}, Recipe(precision="tf32"), (0,))
    with pytest.raises(RunnerError, match="tf32"):
        plan.check_precision(study, "mps")
    plan.check_precision(study, "cuda:1")


@cuda
def test_captured_steps_on_cuda(monkeypatch):
    device, found = torch.device("cuda"), []
    for asked in ("", "1"):
        monkeypatch.setenv(GRAPHS, asked)
        recipe = Recipe(**FLOAT)
        train_state = loop.new_train_state(new(recipe, network=NETWORK).classifier, recipe, device)
        assert isinstance(train_state.forward_backward, Captured) == (asked == "1")
        found.append(weights(trained(recipe, train_state=train_state)))
    assert found[0] == found[1]


@cuda
def test_a_run_on_cuda_with_its_photos_there_equals_one_whose_batches_are_moved():
    dice, device = np.random.default_rng(0), torch.device("cuda")
    images, labels = dice.integers(0, 256, (36, SIZE, SIZE, 3), dtype=np.uint8), np.arange(36) % 3
    found = []
    for photos in (images, device_images.on_device(images, device)):
        train_state = loop.new_train_state(new(Recipe(**FLOAT)).classifier, Recipe(**FLOAT), device)

        def pass_over(epoch, photos=photos):
            dice = [torch.Generator().manual_seed(10 * epoch + i) for i in (1, 2)]
            return feeding.shuffled(photos, labels, np.arange(36), 6, *dice, Augmenter(Augment(("flip", "crop"))))

        for _ in loop.train(train_state, pass_over, lambda: batches(18, seed=9), 6, 0, 0):
            pass
        found.append(state.to_bytes(train_state.classifier))
    assert found[0] == found[1]
