"""Resizing beside timm's evaluation transform."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from timm.data import create_transform

from commongarden.data import cache, folder, image
from commongarden.data.framing import framed
from commongarden.data.on_the_fly import OnTheFlyImages
from commongarden.study.framing import SQUASHED, Framing

MODES = {"squash": "squash", "crop": "center", "pad": "border"}


def by_timm(picture, height, width, framing):
    transform = create_transform(
        (3, height, width),
        is_training=False,
        interpolation=framing.interpolation,
        crop_pct=framing.crop_share,
        crop_mode=MODES[framing.resize],
        normalize=False,
    )
    return transform(picture).permute(1, 2, 0).numpy()


FRAMINGS = st.builds(
    Framing,
    st.sampled_from(["squash", "crop", "pad"]),
    st.sampled_from(["bilinear", "bicubic", "lanczos"]),
    st.sampled_from([1.0, 0.95, 0.9, 0.875, 0.5]),
)


@given(st.tuples(st.integers(1, 90), st.integers(1, 90)), st.integers(8, 40), FRAMINGS, st.integers(0, 9))
@settings(max_examples=120)
def test_it_is_timms(shape, size, framing, seed):
    picture = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8))
    found = framed(picture, size, size, framing)
    assert (found.shape, found.dtype) == ((size, size, 3), np.uint8)
    try:
        expected = by_timm(picture, size, size, framing)
    except ValueError:  # timm rounds the shorter side of a very narrow photo down to nothing
        assume(False)
    assert np.array_equal(found, expected)


def test_a_photo_keeps_its_shape_or_not():
    picture = Image.new("RGB", (60, 20), (255, 0, 0))
    padded = framed(picture, 30, 30, Framing("pad"))
    assert padded[15].tolist() == [[255, 0, 0]] * 30
    assert padded[0].tolist() == [[124, 116, 104]] * 30
    assert (framed(picture, 30, 30, Framing("crop")) == (255, 0, 0)).all()
    assert (framed(picture, 30, 30) == (255, 0, 0)).all()


def test_each_way_has_its_own_place_in_the_cache(photos, tmp_path):
    manifest = folder.scan(str(photos))
    ways = [SQUASHED, Framing("crop"), Framing("pad"), Framing("squash", "bicubic"), Framing("squash", "bilinear", 0.9)]
    found = [np.array(cache.images(manifest, 12, 12, tmp_path, framing=way)) for way in ways]
    assert len(cache.entries(tmp_path)) == len(ways)
    for way, images in zip(ways, found, strict=True):
        assert np.array_equal(cache.images(manifest, 12, 12, tmp_path, framing=way), images)
        assert np.array_equal(OnTheFlyImages(manifest, 12, 12, 1, way)[np.array([0, 3])], images[[0, 3]])
        again = image.pixels(manifest.root, manifest.photos[3].path, 12, 12, framing=way)
        assert np.array_equal(again, images[3])


def test_drawn_photos_are_cut_out_of_larger_ones():
    whole = image.pixels("builtin:flowers", "daisy/0000.png", 40, 40)
    centre = image.pixels("builtin:flowers", "daisy/0000.png", 30, 30, framing=Framing(crop_share=0.75))
    assert np.array_equal(centre, whole[5:35, 5:35])


@pytest.mark.parametrize("size", [(1, 4000), (4000, 1)])
def test_the_narrowest_photo_still_fits(size):
    picture = Image.new("RGB", size, (9, 9, 9))
    for mode in MODES:
        assert framed(picture, 16, 16, Framing(mode)).shape == (16, 16, 3)
