"""The drawn flowers: the same pixels everywhere, and as hard as a demo needs them."""

import functools
import hashlib
import time
from pathlib import PurePosixPath

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.nn import functional

from commongarden import study as studies
from commongarden.data import canvas, drawn, folder
from commongarden.data.split import split
from commongarden.errors import DataError

# The first 12 digits of SHA-256 of photos 0 to 19 of data set 0, by height and width. Where a pixel is changed on
# purpose, drawn.VERSION changes with these.
PINNED = {
    (32, 32): """
        870686f9585d 5673f6e9a107 9a144d8b9879 132e24bd9b3b d2782e93ff02
        c92c4e308fb4 26387f38cfe9 2429d5fe93e0 1012e6bf5115 8a86ba598b12
        6cdb32be4834 6eeaae1a56f8 347b1b1d8ed5 ad6887a1e2f2 0b799b109d7d
        11ff5cefcd00 f11d726b1989 b26a85cf9352 15d33ef943e0 d13eeab359ea
    """,
    (64, 64): """
        b24fa789db2d 03adaf016414 c62e07000904 3b5df0220803 cb78f363c33a
        d15699173550 bbb107d94997 f83a561489ef 2a965fc0b547 25dbe175f41b
        c2eea3883651 0aa799579d0b eeebd83cfa1d 81b3b3fd85b7 1f631e8d9d39
        8fc57aaff993 1566dcf43fa4 67744213dc2d 72323021aa0b 8bf567277159
    """,
    (200, 150): """
        293b8faed180 d0879d900ff6 81a0f3aa3d34 af9fc9025c6a 671941c019b9
        ea68b588fefa 31180f7a7227 3f272a5ad7ca 07d073a065b2 30c941fdf005
        015a1952e0f2 04046036d6dc eb5b2a3f6d6c 3e9c9a55adb7 8a7427b1f42d
        055f08dee8b9 0f7613da5d6d a8b45c0f835d 9fe8aa6582dc b13b8db71083
    """,
}

SEEDS = (0, 1, 2)
DEMO = studies.read("demo")


@pytest.fixture(scope="module")
def photos():
    """The demo's photos, uint8 (2400, 64, 64, 3), and labels."""
    n = 2400
    pixels = np.stack([drawn.draw(0, index, 64, 64) for index in range(n)])
    return pixels, np.array([drawn.label(index) for index in range(n)])


@functools.cache
def parts(seed):
    """Numbers of the photos in the demo's training and test part, with this study seed."""
    made = split(folder.scan(DEMO.data), DEMO.split, seed)
    train, test = (np.array([int(PurePosixPath(path).stem) for path in part]) for part in (made.train, made.test))
    assert (len(train), len(test)) == (1200, 1080)
    return train, test


@pytest.mark.parametrize("size", PINNED)
def test_every_pixel_is_the_same_on_every_machine(size):
    found = [hashlib.sha256(drawn.draw(0, index, *size).tobytes()).hexdigest()[:12] for index in range(20)]
    assert found == PINNED[size].split()


@pytest.mark.parametrize("size", [(32, 32), (64, 64), (512, 512), (32, 512), (211, 97)])
def test_a_photo_has_the_size_asked_for_and_can_be_drawn_again(size):
    photo = drawn.draw(3, 8, *size)
    assert photo.shape == (*size, 3)
    assert photo.dtype == np.uint8
    assert np.array_equal(photo, drawn.draw(3, 8, *size))


@pytest.mark.parametrize("size", [(31, 64), (64, 31), (513, 64), (64, 513), (0, 0), (-64, 64)])
def test_other_sizes_are_refused(size):
    with pytest.raises(DataError, match=rf"found a size of {size[0]}x{size[1]}, accepted: 32 to 512 pixels"):
        drawn.draw(0, 0, *size)


def test_no_product_leaves_32_bits_at_any_size(monkeypatch):
    """Drawn again with 64-bit numbers, where nothing can overflow, no pixel differs."""
    narrow = [drawn.draw(5, index, size, size) for index in range(20) for size in (32, 512)]
    tables = [(module, name) for module in (canvas, drawn) for name in vars(module)
              if isinstance(getattr(module, name), np.ndarray)]  # fmt: skip
    assert len(tables) > 15
    for module, name in tables:
        monkeypatch.setattr(module, name, getattr(module, name).astype(np.int64))
    monkeypatch.setattr(np, "int32", np.int64)
    wide = [drawn.draw(5, index, size, size) for index in range(20) for size in (32, 512)]
    assert all(np.array_equal(a, b) for a, b in zip(narrow, wide, strict=True))


@pytest.mark.soak
def test_two_hundred_photos_a_second_at_64_pixels():
    """Of one core's own time, the best of five, so that a busy machine does not matter."""
    rates = []
    for start in range(0, 200, 40):
        begin = time.process_time()
        for index in range(start, start + 40):
            drawn.draw(1, index, 64, 64)
        rates.append(40 / (time.process_time() - begin))
    assert max(rates) > 200


def distance(a, b):
    """Mean absolute difference of two photos, 8-bit steps."""
    return np.abs(a.astype(float) - b).mean()


def halved(photo):
    height, width, _ = photo.shape
    return photo.reshape(height // 2, 2, width // 2, 2, 3).mean((1, 3))


def test_a_size_samples_the_scene_and_does_not_change_it():
    for index in range(20):
        square = drawn.draw(0, index, 64, 64)
        assert distance(halved(drawn.draw(0, index, 128, 128)), square) < 4
        stretched = drawn.draw(0, index, 64, 128)
        assert distance(stretched.reshape(64, 64, 2, 3).mean(2), square) < 4
        assert distance(drawn.draw(0, index + 5, 64, 64), square) > 12


def test_seeds_and_indices_give_other_photos():
    photos = {drawn.draw(seed, index, 32, 32).tobytes() for seed in (0, 1, 2, 2**63) for index in range(50)}
    assert len(photos) == 200
    assert not np.array_equal(drawn.draw(1, 2, 32, 32), drawn.draw(2, 1, 32, 32))


def test_classes_are_balanced():
    assert drawn.CLASSES == ("daisy", "dandelion", "rose", "sunflower", "tulip")
    assert np.bincount([drawn.label(index) for index in range(100)]).tolist() == [20] * 5


def linear_accuracy(features, labels, strengths):
    """The test accuracy of logistic regression, mean over the seeds; the best of the regularization strengths."""

    def accuracy(strength, seed):
        train, test = parts(seed)
        model = LogisticRegression(C=strength, max_iter=5000).fit(features[seed][train], labels[train])
        return model.score(features[seed][test], labels[test])

    return max(np.mean([accuracy(strength, seed) for seed in SEEDS]) for strength in strengths)


def scaled(counts):
    """Each bin's log count over its spread in the training part, for each seed."""
    logs = np.log1p(counts / counts.sum(1, keepdims=True) * 200)
    return [logs / np.maximum(logs[parts(seed)[0]].std(0), 1e-3) for seed in SEEDS]


def test_colours_do_not_tell_the_kinds_apart(photos):
    pixels, labels = photos
    bins = (pixels >> 4) + np.array([0, 16, 32])
    marginal = np.stack([np.bincount(photo.ravel(), minlength=48) for photo in bins])
    assert linear_accuracy(scaled(marginal), labels, (1e-3, 1e-2)) < 0.70


@pytest.mark.soak
def test_triples_of_colours_do_not_tell_the_kinds_apart(photos):
    pixels, labels = photos
    places = (pixels >> 5).astype(int) @ (64, 8, 1)
    joint = np.stack([np.bincount(photo.ravel(), minlength=512) for photo in places])
    assert linear_accuracy(scaled(joint), labels, (1e-3, 1e-2)) < 0.70


def in_training_span(pixels, seed):
    """Photos in coordinates of the space that the training photos span: to a linear model with an L2 penalty these
    are the pixels themselves, ten times fewer."""
    train, _ = parts(seed)
    flat = pixels.reshape(len(pixels), -1) / np.float32(255)
    flat -= flat[train].mean(0)
    products = (flat @ flat[train].T).astype(float)
    values, vectors = np.linalg.eigh(products[train])
    kept = values > values[-1] * 1e-6
    return products @ (vectors[:, kept] / np.sqrt(values[kept]))


@pytest.mark.soak
def test_pixels_at_fixed_places_do_not_tell_the_kinds_apart(photos):
    pixels, labels = photos
    assert linear_accuracy([in_training_span(pixels, seed) for seed in SEEDS], labels, (1e-3, 1e-2)) < 0.50


def small_network():
    """Seven convolutions, 127 thousand parameters."""

    def conv(n_in, n_out, stride=1):
        return nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()

    return nn.Sequential(
        *conv(3, 16, 2), *conv(16, 24, 2), *conv(24, 32), *conv(32, 48, 2), *conv(48, 64), *conv(64, 64, 2),
        *conv(64, 64), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 5),
    )  # fmt: skip


def network_accuracy(pixels, labels, seed, *, epochs=8, lr=3e-3, batch=32):
    train, test = parts(seed)
    order, flips = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    mean, std = images[train].mean((0, 2, 3), keepdim=True), images[train].std((0, 2, 3), keepdim=True)
    images = ((images - mean) / std).contiguous(memory_format=torch.channels_last)
    targets = torch.from_numpy(labels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = small_network().to(memory_format=torch.channels_last)
    steps = len(train) // batch
    optimizer = torch.optim.AdamW(network.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=epochs * steps + 1)
    for _ in range(epochs):
        for chosen in order.permutation(train)[: steps * batch].reshape(steps, batch):
            flipped = torch.rand(batch, 1, 1, 1, generator=flips) < 0.5
            x = torch.where(flipped, images[chosen].flip(3), images[chosen])
            optimizer.zero_grad()
            functional.cross_entropy(network(x), targets[chosen]).backward()
            optimizer.step()
            schedule.step()
    network.eval()
    with torch.no_grad():
        return (network(images[test]).argmax(1) == targets[test]).double().mean().item()


@pytest.mark.soak
def test_a_small_convolutional_network_tells_the_kinds_apart(photos):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert np.mean([network_accuracy(*photos, seed) for seed in SEEDS]) > 0.85
    finally:
        torch.set_num_threads(threads)
