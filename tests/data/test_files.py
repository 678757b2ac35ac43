"""Files as people have them (tests/support/files/images.py), through `data check`, a run and `predict`."""

import contextlib
import dataclasses
import json
import re
import tracemalloc

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from commongarden import store
from commongarden import study as studies
from commongarden.cli import main
from commongarden.data import cache, folder, greys, image, kinds
from commongarden.data.on_the_fly import OnTheFlyImages
from commongarden.errors import DataError, StoreError
from commongarden.inference import predictions, predictor
from commongarden.runner.prepared_data import prepare_data
from files import images

pillow_heif = pytest.importorskip("pillow_heif")
STUDY = """
[study]
name = "files"
data = "{data}"
seeds = 1
[recipe]
resolution = 16
epochs = 1
[split]
near_duplicates = "ignore"
train = 0.6
val = 0.2
[arms.one]
arch = "plain_flower"
"""


def cli(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def kinds_of_files(tmp_path_factory):
    """A folder of two classes with every kind in it, and the reason for each path ("" where it is read)."""
    root = tmp_path_factory.mktemp("kinds")
    reasons = {}
    for i, kind in enumerate(images.KINDS.values()):
        path = f"{'ab'[i % 2]}/{i:02d}{kind.name[1:]}"
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_bytes(kind.make(i))
        reasons[path] = kind.reason
    for name, data in (("copy.png", images.encoded(images.picture(999), "PNG")),
                       ("copy.tif", images.tiff_with_a_broken_next_page(999))):  # fmt: skip
        (root / "a" / name).write_bytes(data)
        reasons[f"a/{name}"] = ""
    return root, reasons


HANGUL = re.compile("[가-힣]")


@pytest.fixture(scope="module")
def run(kinds_of_files, commongarden, tmp_path_factory):
    """A study of them, run by the command line."""
    root, _reasons = kinds_of_files
    out = tmp_path_factory.mktemp("run")
    (out / "study.toml").write_text(STUDY.format(data=root), encoding="utf-8")
    asked = ("run", out / "study.toml", "--out", out / "garden", "--cache-dir", out / "cache", "--keep-going")
    return out, commongarden(*asked, check=0)


def assert_reasons(found, reasons):
    """Every file that is not read is named with its reason, and no other one is."""
    assert set(found) == {path for path, reason in reasons.items() if reason}
    for path, said in found.items():
        assert re.match(reasons[path], said), f"{path}: {said}"


def assert_in_korean(text, reasons):
    """Files that are not read are named, each with its reason, and none of our own reasons is in English."""
    lines = [line for line in text.splitlines() if any(path in line for path, reason in reasons.items() if reason)]
    assert lines
    left = [line for line in lines if not HANGUL.search(line.rpartition(": ")[2]) and not HANGUL.search(line)]
    assert not left


def test_data_check_names_what_is_not_read_and_never_stops(kinds_of_files, tmp_path):
    root, reasons = kinds_of_files
    sheet = tmp_path / "sheet.png"
    done = cli("data", "check", root, "--json", "--sheet", sheet, "--cache-dir", tmp_path)
    assert done.exit_code == 1
    table = json.loads(done.stdout)
    assert_reasons({out["path"]: out["reason"] for out in table["left_out"]}, reasons)
    assert table["n_photos"] == sum(not reason for reason in reasons.values())
    assert table["greys"]["n_photos"] == 11
    assert sum(item["kind"] == "broken frames" for item in table["unusual"]) == 3
    assert sheet.is_file()
    korean = cli("--lang", "ko", "data", "check", root, "--cache-dir", tmp_path)
    assert (korean.exit_code, korean.exception.__class__) == (1, SystemExit)
    assert_in_korean(korean.output, reasons)


def test_a_run_leaves_out_what_is_not_read(kinds_of_files, run):
    _root, reasons = kinds_of_files
    out, done = run
    garden = store.open_store(out / "garden")
    found = {left.path: left.reason for left in garden.manifest().left_out}
    assert_reasons(found, reasons)
    assert "11 photos have more than 8 bits per channel" in done.stderr


def test_predict_names_what_is_not_read(kinds_of_files, run, commongarden):
    root, reasons = kinds_of_files
    asked = ("predict", run[0] / "garden" / "runs" / "one" / "0", root)
    done = commongarden(*asked, "--json", check=1)
    rows = {row["photo"].removeprefix(f"{root}/"): row for row in json.loads(done.stdout)}
    assert set(rows) == set(reasons)
    assert_reasons(
        {path: row["error"].partition(": ")[2] for path, row in rows.items() if "error" in row},
        reasons,
    )
    korean = commongarden("--lang", "ko", *asked, check=1)
    assert korean.stdout.count(",1,") == sum(not reason for reason in reasons.values())
    assert "Traceback" not in korean.stderr
    assert_in_korean(korean.stderr, reasons)


def test_predict_warns_of_another_range(run, tmp_path):
    folder = run[0] / "garden" / "runs" / "one" / "0"
    values = np.arange(400, dtype=np.float32).reshape(20, 20)
    for name, data in (("beyond.tif", images.tiff(values - 5000)), ("dark.tif", images.tiff(values)),
                       ("plain.png", images.encoded(images.picture(1), "PNG"))):  # fmt: skip
        (tmp_path / name).write_bytes(data)
    done = cli("predict", folder, tmp_path)
    assert done.exit_code == 0
    assert done.stderr.count("warning: 1 photo (") == 2
    assert "beyond.tif): it has values outside the range of the training photos, -1024 to 65144" in done.stderr
    assert "dark.tif): all its values are in the darkest sixteenth of the range of the training photos" in done.stderr
    rows = json.loads(cli("predict", folder, tmp_path, "--json").stdout)
    assert [len(row.get("warnings", [])) for row in rows] == [1, 1, 0]
    loaded = predictor.load_run(folder)
    loaded.run = dataclasses.replace(loaded.run, range=None)
    found = [row.warning for row in predictions.predict(loaded, [tmp_path])]
    assert found == [*["it has more than 8 bits per channel, and the model was trained on photos of 8 bits"] * 2, ""]


def test_predict_sees_a_photo_as_its_run_did(kinds_of_files, run):
    out, _done = run
    garden = store.open_store(out / "garden")
    manifest = garden.manifest()
    loaded = predictor.load_run(out / "garden" / "runs" / "one" / "0")
    assert loaded.run.range == manifest.range == garden.study().range == (-1024.0, 65144.0)
    trained = cache.images(manifest, 16, 16, out / "cache")
    direct = OnTheFlyImages(manifest, 16, 16)
    for i, photo in enumerate(manifest.photos):
        seen = loaded.preprocess(kinds_of_files[0] / photo.path)[0].permute(1, 2, 0).numpy()
        assert np.array_equal(seen, trained[i]), photo.path
        assert np.array_equal(direct[i], trained[i]), photo.path


@pytest.fixture
def of_twelve_bits(tmp_path):
    """Two classes of photos with 205 greys of 12 bits, as PNG and as TIFF, one of them in colour."""
    root = tmp_path / "photos"
    for label in "ab":
        (root / label).mkdir(parents=True)
        for i in range(10):
            values = images.greys(seed=100 * i + ord(label))
            if i % 3 == 2:
                values = np.stack([values, values[::-1], values[:, ::-1]], 2)
            name, data = (f"{i}.tif", images.tiff(values)) if i % 2 else (f"{i}.png", images.png(values, 16))
            (root / label / name).write_bytes(data)
    return root


def test_twelve_bits_keep_their_levels(of_twelve_bits, tmp_path):
    done = cli("data", "check", of_twelve_bits, "--cache-dir", tmp_path)
    assert done.exit_code == 0
    assert (
        "20 photos have more than 8 bits per channel, with values from 0 to 3,264: 0 is black and 4,095 is white"
        in done.stdout
    )
    manifest = folder.scan(str(of_twelve_bits))
    assert manifest.range == (0.0, 4095.0)
    for photo in manifest.photos:
        decoded = np.asarray(image.read(of_twelve_bits / photo.path, manifest.range))
        levels = [len(np.unique(decoded[..., channel])) for channel in range(3)]
        assert levels == [204] * 3 if photo.path.endswith("x") else min(levels) >= 203, photo.path
        assert decoded.max() == 203
    again = folder.scan(str(of_twelve_bits), cache_folder=tmp_path)  # what data check kept
    assert again == manifest


def test_a_range_may_be_asked_for(of_twelve_bits, tmp_path):
    wanted = folder.scan(str(of_twelve_bits), range=(0.0, 3264.0))
    assert np.asarray(image.read(of_twelve_bits / "a/0.png", wanted.range)).max() == 255
    asked = ["run", "--data", of_twelve_bits, "--arms", "plain_flower", "--dry-run", "--range"]
    declared = studies.parse(cli(*asked, "0-3264").stdout)
    assert declared.range == (0.0, 3264.0)
    assert studies.parse(studies.dump(declared)) == declared
    assert studies.parse(STUDY.format(data="x").replace("seeds", 'range = "-1000-400"\nseeds')).range == (-1000, 400)
    refused = cli(*asked, "9-1")
    assert refused.exit_code != 0
    assert "--range: found '9-1', accepted: the values for black and white, such as 0-4095" in refused.output


def test_a_study_keeps_its_range(of_twelve_bits, tmp_path):
    study = studies.parse(STUDY.format(data=of_twelve_bits))
    first, ground = prepare_data(study, tmp_path / "out", tmp_path / "cache")
    assert first.study().range == ground.manifest.range == first.manifest().range == (0.0, 4095.0)
    _same, again = prepare_data(study, tmp_path / "out", tmp_path / "cache")
    assert again.manifest.hash == ground.manifest.hash
    with pytest.raises(
        StoreError, match="study\\.range: \\[0\\.0, 4095\\.0\\] in the folder, \\[0\\.0, 65535\\.0\\] requested"
    ):
        prepare_data(dataclasses.replace(study, range=(0, 65535)), tmp_path / "out", tmp_path / "cache")


def test_a_study_without_a_range_goes_on_as_it_was(of_twelve_bits, tmp_path, monkeypatch):
    """As earlier versions began it: 16 bits are 16 bits, and the hash is that of the files alone."""
    study = studies.parse(STUDY.format(data=of_twelve_bits))
    with monkeypatch.context() as patch:
        patch.setattr(greys, "together", lambda spans, wanted: (None, None))
        old, before = prepare_data(study, tmp_path / "out", tmp_path / "cache")
    assert "\nrange" not in (old.root / "study.toml").read_text(encoding="utf-8")
    _same, after = prepare_data(study, tmp_path / "out", tmp_path / "cache")
    assert after.manifest.range is None
    assert after.manifest.hash == before.manifest.hash
    assert np.array_equal(after.images(16), before.images(16))
    place = next(i for i, photo in enumerate(after.manifest.photos) if photo.path == "a/0.png")
    whole = np.asarray(image.read(of_twelve_bits / "a/0.png"))
    assert len(np.unique(whole)) == 14
    assert after.images(16)[place].max() <= whole.max()


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ([images.png(images.greys(205, 16), 16), images.png(images.greys(200, 300), 16)], (0, 65535)),
        ([images.png(images.greys(200, 5), 16)], (0, 1023)),
        ([images.png(images.greys(200, 60), 16)], (0, 16383)),
        ([images.png(images.greys(2, 1), 16)], (0, 1)),
        ([images.png(images.greys(100, 5), 16, images.chunk(b"sBIT", b"\x0c"))], (0, 4095)),
        ([images.png(images.greys(200, 320), 16, images.chunk(b"sBIT", b"\x0c"))], (0, 65535)),
        ([images.tiff(images.greys(100, 5), {281: 2000}), images.tiff(images.greys(100, 4), {281: 3000})], (0, 3000)),
        ([images.tiff(images.greys(205, 16), {281: 65535})], (0, 4095)),
        ([images.tiff(images.greys(205, 16).astype(np.int16) - 1024)], (-1024, 2240)),
        ([images.tiff(images.greys(205, 16).astype(np.float32))], (0, 4095)),
        ([images.tiff((images.greys(205, 16) / 4095).astype(np.float32))], (0, 1)),
        ([images.tiff((images.greys(101, 1) / 4 + 20).astype(np.float32))], (20, 45)),
        ([images.pgm16()], (0, 65535)),
        ([images.pgm16(most=65535)], (0, 4095)),
        ([images.encoded(Image.fromarray(images.greys()), "JPEG2000")], (0, 4095)),
        ([images.encoded(images.picture(), "PNG")], None),
    ],
)
def test_the_range_is_found_from_all_photos(files, wanted):
    spans = [image.span(data) for data in files]
    assert greys.together([span for span in spans if span is not None], None)[0] == wanted


def test_dark_photos_in_a_wide_range_are_reported(tmp_path):
    for label, step in (("a", 16), ("b", 300)):
        (tmp_path / label).mkdir()
        for i in range(2):
            (tmp_path / label / f"{i}.png").write_bytes(images.png(images.greys(205, step, seed=i), 16))
    done = cli("data", "check", tmp_path, "--cache-dir", tmp_path / "c")
    assert "2 of these photos use less than a sixteenth of the range 0 to 65,535 and are nearly black" in done.stdout


def test_heic_without_its_package_says_what_is_missing(monkeypatch, tmp_path):
    (tmp_path / "a.heic").write_bytes(images.heic())
    assert image.read(tmp_path / "a.heic").size == (64, 48)
    monkeypatch.setattr(kinds, "HEIF_PACKAGE", "no_such_package")
    with pytest.raises(DataError, match=r"a\.heic: HEIC needs the package pillow-heif"):
        image.read(tmp_path / "a.heic")


def test_what_was_left_out_when_a_study_was_begun_stays_out(of_twelve_bits, tmp_path, monkeypatch):
    (of_twelve_bits / "a" / "phone.heic").write_bytes(images.heic())
    study = studies.parse(STUDY.format(data=of_twelve_bits))
    with monkeypatch.context() as patch:
        patch.setattr(kinds, "HEIF_PACKAGE", "no_such_package")
        _store, before = prepare_data(study, tmp_path / "out", tmp_path / "cache")
    _store, after = prepare_data(study, tmp_path / "out", tmp_path / "cache")
    assert after.manifest.hash == before.manifest.hash
    assert [left.path for left in after.manifest.left_out] == ["a/phone.heic"]
    assert len(folder.scan(str(of_twelve_bits)).photos) == len(after.manifest.photos) + 1


def test_a_jpeg_without_its_end_mark_is_whole_or_truncated():
    whole = images.encoded(images.picture(size=(90, 60)), "JPEG", quality=90)
    assert np.array_equal(np.asarray(image.decode(whole[:-2])), np.asarray(image.decode(whole)))
    for share in (0.5, 0.8, 0.95):
        with pytest.raises(DataError, match="truncated"):
            image.decode(whole[: int(share * len(whole))])
    progressive = images.encoded(images.picture(size=(90, 60)), "JPEG", progressive=True)
    with pytest.raises(DataError, match="truncated"):
        image.decode(progressive[:-2])


def test_where_white_is_zero_white_is_white():
    values = images.greys()
    film = np.asarray(image.decode(images.tiff(values, {262: 0}), range=(0, 4095)))
    usual = np.asarray(image.decode(images.tiff(values), range=(0, 4095)))
    assert np.array_equal(film, 255 - usual)


@pytest.mark.parametrize("format", ["HEIF", "AVIF"])
@pytest.mark.parametrize(("orientation", "turned"), [(3, 2), (6, -1), (8, 1)])
def test_phones_photos_are_upright(format, orientation, turned):
    exif = Image.Exif()
    exif[274] = orientation
    stored = images.picture(size=(64, 48))
    found = np.asarray(image.decode(images.encoded(stored, format, exif=exif.tobytes(), quality=95)))
    upright = np.rot90(np.asarray(stored), turned)
    assert found.shape == upright.shape
    assert np.abs(found.astype(int) - upright).mean() < 12


def test_the_kind_is_in_the_contents():
    assert {image.header(kind.make(0))[0] for name, kind in images.KINDS.items() if name.startswith("HEIC named")} == {
        "HEIF"
    }
    ico, cur, mp4 = b"\0\0\1\0\1\0\x10\x10", b"\0\0\2\0\1\0\x20\x20", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"
    for head in (ico, cur, mp4, b"P5 is a pin", b"P6", bytes(300), b"\0" * 16 + b"\x18"):
        assert kinds.kind(head.ljust(20, b"\0")) is None, head


@pytest.mark.parametrize("bomb", ["PNG with a profile bomb", "enormous"])
def test_bombs_take_no_memory(bomb):
    data = images.KINDS[bomb].make(0)
    tracemalloc.start()
    with contextlib.suppress(DataError):
        image.decode(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12_000_000
