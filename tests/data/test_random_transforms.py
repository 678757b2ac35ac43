"""Augmentation by torchvision's transforms, each beside the transform itself on the same random numbers."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torchvision.transforms import v2

from commongarden.data import batches
from commongarden.data.on_the_fly import Originals
from commongarden.data.random_transforms import Augmenter, drawing_from, random_crops
from commongarden.study.augmentation import Augment


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n=12, size=24, seed=0):
    found = torch.randint(0, 256, (n, 3, size, size), generator=generator(seed), dtype=torch.uint8)
    return found.contiguous(memory_format=torch.channels_last)


def by_hand(transforms, batch):
    with drawing_from(generator(7)):
        for transform in transforms:
            batch = torch.stack([transform(image) for image in batch])
    return batch


BILINEAR = v2.InterpolationMode.BILINEAR
PLANS = {
    "trivial": (Augment(("trivial-augment",)), [v2.TrivialAugmentWide(interpolation=BILINEAR)]),
    "rand": (
        Augment(("rand-augment",), rand_augment_magnitude=12),
        [v2.RandAugment(magnitude=12, interpolation=BILINEAR)],
    ),
    "erasing": (Augment(random_erasing=0.7), [v2.RandomErasing(0.7, value=[10, 20, 30])]),
    "all": (
        Augment(("rand-augment",), random_erasing=0.5),
        [v2.RandAugment(interpolation=BILINEAR), v2.RandomErasing(0.5, value=[10, 20, 30])],
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_each_image_is_changed_by_torchvisions_transform(name):
    plan, transforms = PLANS[name]
    batch, labels = images(), torch.arange(12) % 3
    found, same = Augmenter(plan, 3, (10.2, 19.9, 30.0))(batch, labels, generator(7))
    assert torch.equal(found, by_hand(transforms, batch))
    assert torch.equal(same, labels)
    assert not torch.equal(found, batch)
    assert (found.dtype, found.shape) == (torch.uint8, batch.shape)
    changed = [not torch.equal(one, two) for one, two in zip(found, batch, strict=True)]
    assert len({tuple(image.flatten().tolist()) for image in found}) == 12  # each image in its own way
    assert sum(changed) > 4


@pytest.mark.parametrize(
    ("plan", "theirs"),
    [
        (Augment(mixup=0.4), v2.MixUp(alpha=0.4, num_classes=3)),
        (Augment(cutmix=1.0), v2.CutMix(alpha=1.0, num_classes=3)),
        (
            Augment(mixup=0.4, cutmix=1.0),
            v2.RandomChoice([v2.MixUp(alpha=0.4, num_classes=3), v2.CutMix(alpha=1.0, num_classes=3)]),
        ),
    ],
)
def test_mixing_is_torchvisions(plan, theirs):
    batch, labels = images(), torch.arange(12) % 3
    pixels, shares = Augmenter(plan, 3)(batch, labels, generator(7))
    with drawing_from(generator(7)):
        expected_pixels, expected_shares = theirs(batch.float(), labels)
    assert torch.equal(pixels, expected_pixels)
    assert torch.equal(shares, expected_shares)
    torch.testing.assert_close(shares.sum(1), torch.ones(12))
    assert F.cross_entropy(torch.zeros(12, 3), shares).item() == pytest.approx(np.log(3))


def test_a_single_image_is_not_mixed_with_itself():
    pixels, labels = Augmenter(Augment(mixup=0.4), 3)(images(1), torch.tensor([2]), generator())
    assert torch.equal(labels, torch.tensor([2]))
    assert torch.equal(pixels, images(1))


def test_random_crops_are_torchvisions_of_the_photo_itself():
    pictures = [
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (30 + 9 * i, 50, 3), np.uint8)) for i in range(5)
    ]
    found = random_crops(pictures, 16, Augment(crop_scale=0.3), "bicubic", generator(3))
    crop = v2.RandomResizedCrop(16, scale=(0.3, 1.0), interpolation=v2.InterpolationMode.BICUBIC)
    with drawing_from(generator(3)):
        expected = np.stack([np.asarray(crop(picture)) for picture in pictures])
    assert np.array_equal(found, expected)


def test_random_numbers_of_the_process_are_left_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    Augmenter(Augment(("trivial-augment",), random_erasing=0.5, mixup=0.2), 3)(
        images(), torch.arange(12) % 3, generator()
    )
    assert torch.equal(torch.get_rng_state(), before)


def test_crops_come_from_the_photos_of_the_study(photos):
    from commongarden.data import folder

    manifest = folder.scan(str(photos))
    labels = np.array([manifest.classes.index(photo.label) for photo in manifest.photos])
    places = np.arange(len(labels))

    def epoch(n_threads, seed=1):
        originals = Originals(manifest, 20, "bilinear", n_threads)
        augmenter = Augmenter(Augment(("random-resized-crop", "flip")), len(manifest.classes))
        return list(batches.shuffled(originals, labels, places, 8, generator(seed), generator(9), augmenter))

    one, two = epoch(1), epoch(2)
    assert all(torch.equal(a, b) and torch.equal(c, d) for (a, c), (b, d) in zip(one, two, strict=True))
    pixels, targets = one[0]
    assert (pixels.shape, pixels.dtype) == ((8, 3, 20, 20), torch.uint8)
    assert sorted(label for _, batch in one for label in batch.tolist()) == sorted(labels.tolist())
    permutation = torch.randperm(len(places), generator=generator(1)).tolist()
    assert targets.tolist() == labels[permutation[:8]].tolist()
