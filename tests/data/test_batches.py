"""Batches, augmentation and the statistics of channels."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from commongarden.data.augment import KINDS, augment
from commongarden.data.batches import channel_statistics, in_order, n_batches, shuffled
from commongarden.data.random_transforms import Augmenter
from commongarden.errors import DataError
from commongarden.study.augmentation import Augment


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def soil():
    """40 photos of 16x24 whose first pixel is their number; labels; places."""
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 24, 3), dtype=np.uint8)
    images[:, 0, 0, 0] = np.arange(40)
    images.setflags(write=False)  # as the cache is
    return images, np.arange(40, dtype=np.int64) % 3, np.arange(39, 9, -1)


def photos(seed=0, n=64, height=16, width=24):
    """(n, 3, height, width) uint8, channels last in memory."""
    values = np.random.default_rng(seed).integers(0, 256, (n, height, width, 3), dtype=np.uint8)
    return torch.from_numpy(values).permute(0, 3, 1, 2)


def test_every_photo_once_with_its_label(soil):
    images, labels, indices = soil
    seen = []
    for pixels, targets in shuffled(images, labels, indices, 8, generator(1), generator(2)):
        assert (pixels.dtype, targets.dtype) == (torch.uint8, torch.int64)
        assert pixels.shape[1:] == (3, 16, 24)
        assert pixels.is_contiguous(memory_format=torch.channels_last)
        numbers = pixels[:, 0, 0, 0].tolist()
        assert targets.tolist() == [number % 3 for number in numbers]
        for number, photo in zip(numbers, pixels, strict=True):
            assert np.array_equal(photo.permute(1, 2, 0).numpy(), images[number])
        seen += numbers
    assert sorted(seen) == sorted(indices)
    assert seen != list(indices)


def order(soil, seed, kinds=()):
    return [pixels for pixels, _ in shuffled(*soil, 8, generator(seed), generator(9), Augmenter(Augment(kinds)))]


def test_the_order_is_the_generators(soil):
    assert all(map(torch.equal, order(soil, 1), order(soil, 1)))
    assert not all(map(torch.equal, order(soil, 1), order(soil, 2)))


def test_augmentation_does_not_change_the_order(soil):
    labels = [
        targets.tolist() for _, targets in shuffled(*soil, 8, generator(1), generator(9), Augmenter(Augment(KINDS)))
    ]
    assert labels == [targets.tolist() for _, targets in shuffled(*soil, 8, generator(1), generator(5))]


@pytest.mark.parametrize(
    ("n", "batch_size", "sizes"),
    [(8, 4, [4, 4]), (10, 4, [4, 4, 2]), (9, 4, [4, 4]), (3, 4, [3]), (1, 4, [1]), (3, 1, [1, 1, 1]), (0, 4, [])],
)
def test_a_single_last_photo_is_left_out(soil, n, batch_size, sizes):
    images, labels, indices = soil
    found = shuffled(images, labels, indices[:n], batch_size, generator(), generator())
    assert [len(targets) for _, targets in found] == sizes
    assert n_batches(n, batch_size) == len(sizes)


def test_in_order(soil):
    images, labels, indices = soil
    found = list(in_order(images, labels, indices[:9], 4))
    assert [len(targets) for _, targets in found] == [4, 4, 1]
    assert torch.cat([pixels for pixels, _ in found])[:, 0, 0, 0].tolist() == indices[:9].tolist()
    assert torch.cat([targets for _, targets in found]).tolist() == labels[indices[:9]].tolist()
    assert all(pixels.is_contiguous(memory_format=torch.channels_last) for pixels, _ in found)


def test_batches_come_from_a_mapped_file(soil, tmp_path):
    images, labels, indices = soil
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    for (found, _), (wanted, _) in zip(in_order(mapped, labels, indices, 7), in_order(*soil, 7), strict=True):
        assert torch.equal(found, wanted)
    assert channel_statistics(mapped, indices) == channel_statistics(images, indices)


def test_channel_statistics(soil):
    images, _, indices = soil
    mean, std = channel_statistics(images, indices)
    values = images[indices].reshape(-1, 3).astype(np.float64)
    assert mean == pytest.approx(values.mean(0), abs=1e-9)
    assert std == pytest.approx(values.std(0), abs=1e-9)
    assert all(type(value) is float for value in (*mean, *std))


def test_channel_statistics_are_exact_in_any_order():
    images = photos(n=300).permute(0, 2, 3, 1).numpy()
    indices = np.arange(300)
    assert channel_statistics(images, indices) == channel_statistics(images, np.random.default_rng(0).permutation(300))


def test_a_channel_that_never_changes_can_be_divided_by():
    images = np.full((4, 5, 5, 3), 7, dtype=np.uint8)
    assert channel_statistics(images, np.arange(4)) == ((7.0, 7.0, 7.0), (1.0, 1.0, 1.0))


@settings(max_examples=30)
@given(
    kinds=st.lists(st.sampled_from(KINDS), unique=True),
    n=st.integers(1, 9),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    seed=st.integers(0, 2**60),
)
def test_augmentation_keeps_shape_type_and_layout_and_repeats(kinds, n, size, seed):
    batch = photos(n=n, height=size[0], width=size[1])
    before = batch.clone()
    torch.manual_seed(seed)
    state = torch.get_rng_state()
    found = augment(batch, kinds, generator(seed))
    assert torch.equal(torch.get_rng_state(), state)  # the global generator is not touched
    assert (found.shape, found.dtype) == (batch.shape, torch.uint8)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(batch, before)
    assert torch.equal(augment(batch, kinds[::-1], generator(seed)), found)


@pytest.mark.parametrize("kind", KINDS)
def test_another_seed_augments_otherwise(kind):
    assert not torch.equal(augment(photos(), (kind,), generator(1)), augment(photos(), (kind,), generator(2)))


def test_none_by_default():
    assert torch.equal(augment(photos(), (), generator()), photos())


def test_flip_turns_about_every_second_photo():
    batch = photos(n=400)
    found = augment(batch, ("flip",), generator())
    flipped = [torch.equal(photo, old.flip(2)) for photo, old in zip(found, batch, strict=True)]
    kept = [torch.equal(photo, old) for photo, old in zip(found, batch, strict=True)]
    assert all(one != other for one, other in zip(flipped, kept, strict=True))
    assert 160 < sum(flipped) < 240


def test_crop_is_a_window_of_the_mirrored_photo():
    batch = photos(n=60)
    padded = np.pad(batch.numpy(), ((0, 0), (0, 0), (2, 2), (3, 3)), mode="reflect")  # an eighth of 16 and 24
    windows = set()
    for i, photo in enumerate(augment(batch, ("crop",), generator())):
        places = [
            (y, x)
            for y in range(5)
            for x in range(7)
            if np.array_equal(padded[i, :, y : y + 16, x : x + 24], photo.numpy())
        ]
        assert len(places) == 1
        windows.add(places[0])
    assert len(windows) > 20
    assert {y for y, _ in windows} == set(range(5))
    assert {x for _, x in windows} == set(range(7))


def test_colour_changes_within_its_bounds():
    grey = torch.full((200, 3, 4, 4), 100, dtype=torch.uint8)
    found = augment(grey, ("colour",), generator())[:, 0, 0, 0]  # contrast and saturation leave plain grey alone
    assert found.min() >= 80
    assert found.max() <= 120
    assert found.min() < 84
    assert found.max() > 116


def test_colour_is_one_change_for_a_whole_photo():
    batch = photos(n=1).repeat(6, 1, 1, 1)
    found = augment(batch, ("colour",), generator())
    assert len({photo.numpy().tobytes() for photo in found}) == 6


def test_black_stays_black_and_white_does_not_wrap():
    batch = torch.cat([torch.zeros(50, 3, 8, 8), torch.full((50, 3, 8, 8), 255)]).to(torch.uint8)
    found = augment(batch, ("colour",), generator())
    assert found[:50].max() == 0
    assert found[50:].min() >= 203


def test_an_unknown_augmentation():
    with pytest.raises(DataError, match="unknown augmentation 'flp'; did you mean 'flip'"):
        augment(photos(), ("flp",), generator())
