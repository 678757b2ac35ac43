"""What a GPU does otherwise than a processor, as far as it goes on the CPU: photos held there, shorter numbers. How
steps are done there: test_device_steps.py; what needs a CUDA device: test_cuda.py."""

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
from commongarden.train import measure
from commongarden.train.build import build
from commongarden.train.replay.forward_backward import repeats
from small_training import CPU, SIZE, batches, new, trained

FLOAT = {"resolution": SIZE, "epochs": 4, "batch_size": 6}


def test_what_is_recorded_and_replayed_on_the_processor():
    recipe = Recipe(**FLOAT)
    classifier = new(recipe).classifier
    assert repeats(classifier, recipe)
    assert not repeats(classifier, Recipe(**FLOAT, head_epochs=1))  # what learns changes on the way
    leaf = arch.External("commongarden.forensics:network", "{}", 3, (64, 64, 3), 0, 0, 0)
    assert not repeats(build(arch.serial(leaf, name="of others"), (64, 64, 3)), recipe)


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
