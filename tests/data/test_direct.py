"""Photos decoded each time, where decoded ones have no room: the same pixels, the same weights, and what it costs."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch

from commongarden import store as stores
from commongarden import study as studies
from commongarden.data import batches, cache, folder, on_the_fly
from commongarden.data.on_the_fly import OnTheFlyImages
from commongarden.data.random_transforms import Augmenter
from commongarden.errors import DataError
from commongarden.runner import decoding, limits, plan
from commongarden.runner.events import Job
from commongarden.runner.prepared_data import prepare_data, reopen
from commongarden.runner.training import train_run
from commongarden.study.augmentation import Augment
from running import numbers


@pytest.fixture(scope="module")
def manifest(photos):
    return folder.scan(str(photos))


@pytest.mark.parametrize("n_threads", [1, 3])
def test_pixels_are_those_of_the_cache(manifest, tmp_path, n_threads):
    kept, photos = cache.images(manifest, 18, 14, tmp_path), OnTheFlyImages(manifest, 18, 14, n_threads)
    places = np.array([59, 0, 7, 7, 30])
    np.testing.assert_array_equal(photos[places], kept[places])
    np.testing.assert_array_equal(photos[np.int64(3)], kept[3])
    assert photos[places[:0]].shape == (0, 18, 14, 3)
    groups = [places, places[1:2], np.arange(50)]
    for group, pixels in zip(groups, photos.ahead(groups), strict=True):
        np.testing.assert_array_equal(pixels, kept[group])
    assert batches.channel_statistics(photos, np.arange(60)) == batches.channel_statistics(kept, np.arange(60))
    one, two = (epoch_of(images) for images in (photos, kept))
    assert all(torch.equal(pixels, others) for pixels, others in zip(one, two, strict=True))


def epoch_of(images):
    order, augmentation = torch.Generator().manual_seed(1), torch.Generator().manual_seed(2)
    labels = np.arange(60)
    return [
        x
        for x, _ in batches.shuffled(
            images, labels, labels, 8, order, augmentation, Augmenter(Augment(("flip", "crop")))
        )
    ]


def test_a_photo_that_has_changed_is_an_error(photos, tmp_path):
    moved = shutil.copytree(photos, tmp_path / "photos")
    found = OnTheFlyImages(folder.scan(str(moved)), 16, 16)
    (moved / "daisy" / "00.png").write_bytes((moved / "daisy" / "01.png").read_bytes())
    with pytest.raises(DataError, match=r"00\.png: has changed since it was first read"):
        found[0]


def test_reading_ahead_stops_with_its_reader(manifest, monkeypatch):
    decoded = []
    pixels = cache.pixels
    monkeypatch.setattr(cache, "pixels", lambda *given: decoded.append(given) or pixels(*given))
    ahead = OnTheFlyImages(manifest, 16, 16, 2).ahead([np.arange(60)[i::20] for i in range(20)])
    next(ahead)
    ahead.close()
    assert 3 <= len(decoded) < 40  # a window of 8 a thread, never all of an epoch


def test_what_fits_and_what_does_not(manifest, tmp_path, monkeypatch):
    kept = tmp_path / "cache"
    needed = 60 * 16 * 16 * 3
    assert cache.room(manifest, 16, 16, kept) is None
    assert cache.room(manifest, 16, 16, kept, budget=needed) is None
    assert cache.room(manifest, 16, 16, kept, budget=needed - 1) == needed - 1
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 500, 500))
    assert cache.room(manifest, 16, 16, kept) == 500
    assert cache.room(manifest, 16, 16, kept, budget=100) == 100
    monkeypatch.undo()
    cache.images(manifest, 16, 16, kept)
    assert cache.room(manifest, 16, 16, kept, budget=0) is None  # it is there already
    (there,) = cache.entries(kept)
    assert cache.room(manifest, 8, 8, kept, budget=there.bytes + 60 * 8 * 8 * 3) is None
    assert cache.room(manifest, 8, 8, kept, budget=there.bytes + 60 * 8 * 8 * 3 - 1) == 60 * 8 * 8 * 3 - 1


def test_a_run_without_the_cache_comes_to_the_same_bits(finished, cache_folder, tmp_path):
    store = stores.open_store(finished)
    copy = stores.Store(shutil.copytree(finished, tmp_path / "copy"))
    shutil.rmtree(copy.directory("plain", 1))
    before = numbers(finished)
    empty = tmp_path / "no cache"
    prepared = reopen(copy, empty, {16: 0}, n_decoding=2)
    list(train_run(copy, prepared, plan.run_plan(copy.study(), prepared, Job("plain", 1), "cpu"), lambda: False))
    assert not empty.exists()
    assert numbers(copy.root) == before
    assert copy.run("plain", 1).pixel_mean == store.run("plain", 1).pixel_mean


def test_a_study_with_no_room_says_what_it_costs_and_keeps_no_images(study_file, finished, commongarden, tmp_path):
    done = commongarden(
        "run", study_file, "--arms", "plain", "--out", tmp_path / "out", "--workers", 1, "--seeds", 1,
        "--cache-dir", tmp_path / "cache", "--cache-budget", "1kB", check=0,
    )  # fmt: skip
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("the image cache at ")]
    assert "at 16 pixels does not fit: it needs 0.0 MB" in said
    assert not list((tmp_path / "cache").glob("*.npy"))
    one = numbers(tmp_path / "out")
    assert one == {key: value for key, value in numbers(finished).items() if key[:2] == ("plain", 0)}
    wrong = commongarden("run", study_file, "--out", tmp_path / "out", "--cache-budget", "much")
    assert wrong.returncode == 2
    assert "--cache-budget: found 'much', accepted: a number with a unit, such as 500MB or 20GB" in wrong.stderr


def test_the_cost_is_photos_times_passes_times_what_one_takes(study_file, tmp_path, monkeypatch):
    study = studies.read(study_file)
    _, prepared = prepare_data(study, tmp_path / "out", tmp_path / "cache", cache_budget=0)
    assert set(prepared.direct) == {16}
    jobs = [Job("plain", 0), Job("residual", 0), Job("plain", 1)]
    recipes = {job: plan.recipe_of(study, job) for job in jobs}
    n = len(prepared.train) + 3 * (len(prepared.train) + len(prepared.val)) + len(prepared.test)
    assert decoding.n_read(prepared, recipes[jobs[0]], jobs[0]) == n
    monkeypatch.setattr(decoding, "seconds_per_photo", lambda manifest, resolution, framing: 0.5)
    (said,) = decoding.costs(prepared, recipes, 2)
    assert f"500.00 ms each: {3 * n * 0.5 / 2 / 60:.0f} min in total for the runs at this size, 2 at" in said
    assert decoding.costs(dataclasses.replace(prepared, direct={}), recipes, 2) == []
    assert decoding.costs(prepared, {}, 2) == []
    raw = dataclasses.replace(study, recipe=dataclasses.replace(study.recipe, pixels="raw"))
    assert decoding.n_read(prepared, plan.recipe_of(raw, jobs[0]), jobs[0]) == n - len(prepared.train)


def test_one_photo_is_timed_by_decoding_some(manifest, monkeypatch):
    decoded = []
    monkeypatch.setattr(cache, "pixels", lambda *given: decoded.append(given) or np.zeros((16, 16, 3), np.uint8))
    assert on_the_fly.seconds_per_photo(manifest, 16) > 0
    assert len(decoded) == on_the_fly.TIMED


def test_cores_that_no_run_is_on_decode(study_file, monkeypatch):
    study = studies.read(study_file)
    monkeypatch.setattr(limits, "cores", lambda: 8)
    assert [plan.n_decoding(study, n) for n in (1, 3, 8, 9)] == [8, 2, 1, 1]
