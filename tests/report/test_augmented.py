"""A strip of training photos as the networks see them: made by the study's own augmentation, kept with the study."""

import dataclasses
import io
import shutil

import numpy as np
import pytest
from PIL import Image

from chromium import PHONE, Visit
from commongarden import report
from commongarden import store as stores
from commongarden.runner import augmented
from commongarden.store import augmented as names
from commongarden.study import Arm, Study
from commongarden.study.recipe import Recipe
from grown import grown

KINDS = ("flip", "crop")


@pytest.fixture(scope="module")
def study_folder(finished, tmp_path_factory):
    """The finished study as if it had augmented its photos."""
    root = tmp_path_factory.mktemp("augmented") / "study"
    shutil.copytree(finished, root)
    study = stores.open_store(root).study()
    stores.write_study(root, dataclasses.replace(study, recipe=dataclasses.replace(study.recipe, augment=KINDS)))
    return root


@pytest.fixture(scope="module")
def made(study_folder):
    store = stores.open_store(study_folder)
    return augmented.samples(store.study(), store.manifest(), store.split())


def test_they_are_training_photos_and_the_same_every_time(study_folder, made):
    store = stores.open_store(study_folder)
    assert augmented.samples(store.study(), store.manifest(), store.split()) == made
    found = names.versions(made)
    assert found.keys() <= set(store.split().train)
    labels = {photo.path: photo.label for photo in store.manifest().photos}
    assert {labels[path] for path in found} == {"daisy", "rose", "tulip"}
    for original, *others in found.values():
        assert len(others) == 3
        pictures = [np.asarray(Image.open(io.BytesIO(jpeg))) for jpeg in (original, *others)]
        assert {picture.shape for picture in pictures} == {(16, 16, 3)}
        assert any((picture != pictures[0]).any() for picture in pictures[1:])


def test_nothing_is_made_where_nothing_is_augmented(finished):
    store = stores.open_store(finished)
    assert augmented.samples(store.study(), store.manifest(), store.split()) == {}
    assert "what the networks see" not in (finished / "report.html").read_text(encoding="utf-8")


def test_the_page_shows_them_folded_without_the_photos_themselves(browser, made, tmp_path):
    arms = {"a": Arm("plain_flower"), "b": Arm("residual_flower")}
    study = Study("augmented", "photos", arms, Recipe(resolution=32, epochs=4, augment=KINDS), (0, 1))
    store = grown(tmp_path, {"a": (0.5, 0.6), "b": (0.6, 0.7)}, study=study)
    before = len(report.write(store).read_bytes())
    assert "what the networks see" not in (tmp_path / "report.html").read_text(encoding="utf-8")
    photos = [photo.path for photo in store.manifest().photos]
    shown = zip(photos, names.versions(made).values(), strict=False)
    jpegs = {names.name(photo, n): jpeg for photo, versions in shown for n, jpeg in enumerate(versions)}
    stores.write_thumbnails(store, store.thumbnails() | jpegs)
    path = report.write(stores.open_store(tmp_path))
    assert len(path.read_bytes()) - before < 100_000
    with Visit(browser, path, PHONE) as visit:
        pictures = visit.page.locator(".augmented img")
        assert pictures.count() == 16
        assert not pictures.first.is_visible()
        visit.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert pictures.first.is_visible()
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert visit.complaints == []


def test_large_photos_stay_small_on_the_page(study_folder, made):
    """At 224 pixels and more the strip is of thumbnails."""
    store = stores.open_store(study_folder)
    study = store.study()
    large = dataclasses.replace(study, recipe=dataclasses.replace(study.recipe, resolution=256))
    found = augmented.samples(large, store.manifest(), store.split())
    assert {Image.open(io.BytesIO(jpeg)).size for jpeg in found.values()} == {(augmented.PIXELS, augmented.PIXELS)}
    assert 4 / 3 * sum(map(len, found.values())) < 100_000
