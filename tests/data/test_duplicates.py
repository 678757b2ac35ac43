"""Pictures that are there twice: found as planted, in groups that do not chain, and kept in one part of a split."""

import hashlib
import json
import shutil
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import fft

import copies
from commongarden import report
from commongarden import store as stores
from commongarden.data import checked, drawn, folder, image, inspecting, like_pairs, looks, near_duplicates
from commongarden.data.near_duplicates import Match
from commongarden.data.split import fold, split
from commongarden.errors import DataError
from commongarden.records import Manifest, Photo, inspection
from commongarden.records.inspection import Inspection, Pair, Unusual
from commongarden.runner.prepared_data import prepare_data
from commongarden.study import Arm, SplitPlan, Study
from commongarden.study import file as study_files
from forged import forged
from grown import grown
from paths import SHARED

FLOWERS = SHARED / "flowers"


# what is found


def check_planted(hits, counts):
    for kind, (found, n) in hits.items():
        assert found >= (0.95 if "10 %" not in kind else 0.9) * n, (kind, found, n)
    true = counts["planted"] + counts["between originals"] + counts["follow"]
    assert true >= 0.99 * counts.total()


def test_planted_copies_are_found_and_nothing_else(tmp_path):
    planted = copies.plant(tmp_path, 120, None)
    hits, counts = copies.measured(folder.scan(str(tmp_path)), planted)
    check_planted(hits, counts)
    assert counts["between originals"] == 0  # drawn photos are one unlike the other


@pytest.mark.soak
@pytest.mark.parametrize("source", [None, FLOWERS], ids=["drawn", "photos"])
def test_planted_copies_among_many(tmp_path, source):
    if source is not None and not source.is_dir():
        pytest.skip("the flower photos are not in ../shared/flowers")
    planted = copies.plant(tmp_path, 3000, source)
    hits, counts = copies.measured(folder.scan(str(tmp_path)), planted)
    check_planted(hits, counts)


@pytest.mark.soak
def test_what_the_flower_photos_hold():
    if not FLOWERS.is_dir():
        pytest.skip("the flower photos are not in ../shared/flowers")
    manifest = folder.scan(str(FLOWERS))
    found = inspecting.inspect(manifest, None)
    assert len(found.groups) == 35  # looked at one by one: docs/reliability.md
    assert len(inspection.across_labels(found, manifest)) == 4
    facts = SplitPlan(0.80, 0.05, stratified=False, multiple=10, keep_conflicts=True, near_duplicates="ignore")
    assert split(manifest, facts, 0, found.groups) == split(manifest, facts, 0)
    assert study_files.read("flowers").split == facts


def smalls(pictures):
    return np.stack([looks.grey(picture) for picture in pictures])


def test_a_chain_of_windows_is_no_group():
    """A window that wanders over a picture shows nearly the same from step to step, but not from end to end."""
    wide = Image.fromarray(drawn.draw(0, 3, 200, 400))
    pairs = near_duplicates.matches(smalls(wide.crop((x, 0, x + 200, 200)) for x in range(0, 200, 8)))
    assert {(i, i + 1) for i in range(24)} <= {(pair.one, pair.two) for pair in pairs}
    assert (0, 24) not in {(pair.one, pair.two) for pair in pairs}
    assert max(group[-1] - group[0] for group in near_duplicates.groups(pairs)) <= 4


@given(
    n=st.integers(2, 12),
    data=st.data(),
    order=st.randoms(use_true_random=False),
)
def test_groups_are_cliques_in_any_order(n, data, order):
    places = [(one, two) for one in range(n) for two in range(one + 1, n)]
    kept = data.draw(st.lists(st.sampled_from(places), unique=True))
    pairs = [Match(one, two, data.draw(st.sampled_from([0.9, 0.95, 1.0])), False) for one, two in kept]
    groups = near_duplicates.groups(pairs)
    assert all((one, two) in kept for group in groups for one in group for two in group if one < two)
    assert max(Counter(place for group in groups for place in group).values(), default=1) == 1
    assert (groups == []) == (kept == [])
    order.shuffle(pairs)
    assert near_duplicates.groups(pairs) == groups


def test_a_description_is_the_cosine_transform_of_the_whole_picture():
    pictures = np.random.default_rng(0).integers(
        0, 256, (20, near_duplicates.SIDE, near_duplicates.SIDE), dtype=np.uint8
    )
    ours = near_duplicates._described(pictures, [(1.0, 0.0, 0.0)])[:, 0] / near_duplicates._WEIGHTS
    theirs = fft.dctn(pictures.astype(float), axes=(1, 2))[:, :8, :8].reshape(20, -1)[:, 1:]
    unit = [found / np.linalg.norm(found, axis=1, keepdims=True) for found in (ours, theirs)]
    assert np.all((unit[0] * unit[1]).sum(axis=1) > 0.999)


def test_plain_pictures_are_in_no_pair():
    plain = [Image.new("RGB", (64, 64), (grey, grey, grey)) for grey in (0, 80, 81, 255)]
    assert near_duplicates.matches(smalls(plain)) == []
    assert near_duplicates.featureless(smalls(plain)).all()


def crowd():
    """150 descriptions, of which forty are alike."""
    generator = np.random.default_rng(0)
    described = generator.normal(size=(150, 63)).astype(np.float32)
    described[20:60] += 2 * generator.normal(size=63)
    return (described / np.linalg.norm(described, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("most_exact", [1000, 10], ids=["all pairs", "index"])
def test_the_best_of_a_crowd_are_looked_at_again(monkeypatch, most_exact):
    """In pieces as among all at once, as many of a row as are wanted; by the index too, where it looks everywhere."""
    monkeypatch.setattr(like_pairs, "COLUMNS", 40)
    monkeypatch.setattr(like_pairs, "MOST_CANDIDATES", 5)
    monkeypatch.setattr(like_pairs, "MOST_EXACT", most_exact)
    monkeypatch.setattr(like_pairs, "PER_CELL", 3)
    if most_exact == 10:
        pytest.importorskip("faiss")
    described, rows = crowd(), np.arange(30, 90)
    like = like_pairs.finder(described)
    assert like.func is (like_pairs._of_index if most_exact == 10 else like_pairs._of_all)
    for sign in (near_duplicates._UPRIGHT, near_duplicates._MIRROR):
        likeness = (described * sign) @ described.T
        likeness[range(150), range(150)] = -1
        expected = {
            (row - 30, int(column))
            for row in rows
            for column in np.argsort(-likeness[row])[:5]
            if likeness[row, column] >= like_pairs.LIKE
        }
        found = [(int(one), int(two)) for piece in like(rows, sign) for one, two in zip(*piece, strict=True)]
        assert len(found) > 0
        assert sorted(found) == sorted(expected)


# what is kept of it


@pytest.fixture(scope="module")
def garden(tmp_path_factory):
    """Twenty-four drawn flowers of each of two kinds, one of them five times, one under both labels, and odd ones."""
    root = tmp_path_factory.mktemp("twice")
    dice = np.random.default_rng(0)
    for i in range(120):
        if drawn.label(i) < 2:
            path = root / drawn.CLASSES[drawn.label(i)] / f"{i:03}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(drawn.draw(0, i, 64, 64)).save(path)
    with Image.open(root / "daisy" / "000.png") as picture:
        for name in ("re-encoded (JPEG quality 30 to 89)", "mirrored", "cropped (5 % of each side)"):
            copies.KINDS[name](picture, dice).save(root / "daisy" / f"000-{name[:4]}.jpg", quality=90)
    with Image.open(root / "daisy" / "005.png") as picture:
        copies.brightened(picture, dice).save(root / "dandelion" / "005.jpg")
    (root / "daisy" / "same.png").write_bytes((root / "daisy" / "000.png").read_bytes())
    (root / "daisy" / "100.jpg").write_bytes((root / "daisy" / "100.png").read_bytes())
    (root / "daisy" / "100.png").unlink()
    (root / "dandelion" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    Image.new("RGB", (50, 50), (200, 10, 10)).save(root / "daisy" / "red.png")
    Image.fromarray(drawn.draw(0, 200, 40, 200)).save(root / "daisy" / "wide.png")
    Image.fromarray(drawn.draw(0, 300, 64, 64)).convert("L").resize((20, 24)).save(root / "daisy" / "grey.png")
    frames = [Image.fromarray(drawn.draw(0, 400 + i, 64, 64)) for i in range(2)]
    frames[0].save(root / "daisy" / "film.gif", save_all=True, append_images=frames[1:])
    return root


TOGETHER = ("daisy/000-crop.jpg", "daisy/000-mirr.jpg", "daisy/000-re-e.jpg", "daisy/000.png", "daisy/same.png")


def test_an_inspection(garden, tmp_path, monkeypatch):
    manifest = folder.scan(str(garden), keep_going=True)
    before = {path: path.read_bytes() for path in garden.rglob("*") if path.is_file()}
    told = []
    found = inspecting.inspect(manifest, tmp_path, lambda *said: told.append(said))
    assert {path: path.read_bytes() for path in garden.rglob("*") if path.is_file()} == before
    assert found.groups == (TOGETHER, ("daisy/005.png", "dandelion/005.jpg"))
    assert [pair.mirrored for pair in found.pairs if "mirr" in pair.one + pair.two] == [True] * 3
    assert inspection.across_labels(found, manifest) == [found.groups[1]]
    odd = {(item.kind, item.path) for item in found.unusual}
    assert odd == {
        ("wrong extension", "daisy/100.jpg"),
        ("nearly one colour", "daisy/red.png"),
        ("long and narrow", "daisy/wide.png"),
        ("small", "daisy/grey.png"),
        ("rare mode", "daisy/grey.png"),
        ("rare mode", "daisy/film.gif"),
        ("several frames", "daisy/film.gif"),
    }
    assert set(found.pictures) == {path for group in found.groups for path in group}
    assert sum(found.sizes.values()) == sum(found.modes.values()) == len(manifest.photos)
    assert {said[0] for said in told} == {"inspecting photos", "comparing photos"}
    monkeypatch.setattr(looks.Looks, "of", lambda *_: pytest.fail("looked at a photo again"))
    assert inspecting.inspect(manifest, tmp_path) == found
    (kept,) = tmp_path.glob("*.memo")
    monkeypatch.undo()
    kept.write_bytes(kept.read_bytes()[:-40])
    assert inspecting.inspect(manifest, tmp_path, tell=told.append) == found  # a torn file is made anew
    assert told[-1] == f"{kept}: corrupt cache entry; it is recomputed"


def test_each_photo_is_decoded_once(garden, tmp_path, monkeypatch):
    """While it is read; what is found is the same as for photos that are decoded again."""
    Image.fromarray(drawn.draw(0, 7, 64, 64)[..., 0].astype(np.uint16) * 200).save(tmp_path / "deep.png")
    root = tmp_path / "photos"
    shutil.copytree(garden, root)
    shutil.move(tmp_path / "deep.png", root / "daisy" / "deep.png")
    decoded, decode = Counter(), image.decode

    def counted(data, *arguments, **options):
        decoded[hashlib.sha256(data).hexdigest()] += 1
        return decode(data, *arguments, **options)

    monkeypatch.setattr(image, "decode", counted)
    seen = looks.Looks()
    manifest = folder.scan(str(root), keep_going=True, looks=seen)
    monkeypatch.setattr(inspecting, "_pictures", lambda *_: {})
    found = inspecting.inspect(manifest, None, looks=seen)
    twice = {photo.path for photo in manifest.photos if decoded[photo.sha256] > 1}
    assert twice == {"daisy/000.png", "daisy/same.png", "daisy/deep.png"}  # two files; its greys depend on all photos
    assert inspecting.inspect(manifest, None) == found


def test_data_check_tells_it(garden, commongarden, tmp_path):
    sheet = tmp_path / "sheet.png"
    process = commongarden("data", "check", garden, "--sheet", sheet, check=1)  # a file is left out
    assert " = ".join(TOGETHER) in process.stdout
    assert "2 groups of near duplicates (7 photos), each kept in one set" in process.stdout
    assert "with two or more labels: 1" in process.stdout
    assert "daisy/100.jpg: its content is PNG, unlike its extension" in process.stdout
    assert "dandelion/broken.png" in process.stdout
    assert "comparing photos" in process.stderr
    with Image.open(sheet) as picture:
        assert picture.width == checked.WIDTH
    found = json.loads(commongarden("data", "check", garden, "--json", check=1).stdout)
    assert found["near_duplicates"][1] == {
        "paths": ["daisy/005.png", "dandelion/005.jpg"],
        "labels": ["daisy", "dandelion"],
        "parts": [],
    }
    assert len(found["unusual"]) == 7


def test_classes_that_are_small_or_uneven():
    photos = [Photo(f"{label}/{i}", label, "", f"{label}{i}") for label, n in (("a", 7), ("b", 30)) for i in range(n)]
    said = inspection.classes(Manifest("photos", tuple(photos)))
    assert said[0] == "class 'a' has 7 photos; with fewer than 20 its results are unreliable"
    assert said[1].startswith("imbalanced classes: 'b' has 4.3 times as many photos as 'a'")
    assert inspection.classes(Manifest("photos", tuple(photos[7:]))) == []


# what a split makes of it


def photos_of(n, part=""):
    return [Photo(f"{part}{label}/{i:03}", label, part, hashlib.sha256(f"{part}{label}{i}".encode()).hexdigest())
            for label in "abc" for i in range(n)]  # fmt: skip


@settings(max_examples=40)
@given(data=st.data(), stratified=st.booleans(), folded=st.booleans(), seed=st.integers(0, 2**32))
def test_groups_stay_in_one_part(data, stratified, folded, seed):
    photos = photos_of(30)
    manifest = Manifest("photos", tuple(photos))
    numbers = data.draw(st.lists(st.integers(0, 6), min_size=40, max_size=40))
    chosen = data.draw(st.permutations(range(90)))[:40]
    groups = [
        [photos[place].path for place, number in zip(chosen, numbers, strict=True) if number == i] for i in range(7)
    ]
    plan = SplitPlan(0.6, 0.2, stratified=stratified)

    def made(plan, groups):
        return fold(manifest, plan, seed, 1, 3, groups) if folded else split(manifest, plan, seed, groups)

    try:
        together, plain = made(plan, groups), made(plan, ())
    except DataError:  # a class may have too few pictures left that are unlike
        reject()
    assert sorted((*together.train, *together.val, *together.test)) == [photo.path for photo in photos]
    part = inspection.part_of(together)
    assert all(len({part[path] for path in group}) <= 1 for group in groups)
    ignoring = SplitPlan(0.6, 0.2, stratified=stratified, near_duplicates="ignore")
    assert made(ignoring, groups) == plain == made(plan, [group[:1] for group in groups])
    # names do not matter: other names for the same contents, which sort the other way round
    renamed = {photo.path: f"z{999 - i}" for i, photo in enumerate(photos)}
    manifest = Manifest("photos", tuple(Photo(renamed[p.path], p.label, p.part, p.sha256) for p in reversed(photos)))
    again = made(plan, [[renamed[path] for path in group] for group in groups])
    assert [set(part) for part in (again.train, again.val, again.test)] == [
        {renamed[path] for path in part} for part in (together.train, together.val, together.test)
    ]


def test_near_duplicates_across_declared_parts_stay_where_they_test():
    train, test = photos_of(10, "train"), photos_of(5, "test")
    group = [train[0].path, train[1].path, test[2].path]
    made = split(Manifest("photos", tuple(train + test)), SplitPlan(), 0, [group])
    assert test[2].path in made.test
    reason = f"near duplicate of a photo in the test set ({group[2]}), which is kept"
    assert {(out.path, out.reason) for out in made.left_out} == {(path, reason) for path in group[:2]}


def test_an_existing_split_never_changes(garden, tmp_path, monkeypatch):
    study = Study("twice", str(garden), {"plain": Arm("plain_flower")}, split=SplitPlan(0.6, 0.2), seeds=1)
    root, cache = tmp_path / "study", tmp_path / "cache"
    store, _ = prepare_data(study, root, cache, keep_going=True)
    kept = (root / "split.json").read_bytes()
    part = inspection.part_of(store.split())
    assert len({part[path] for path in TOGETHER}) == 1
    found = stores.open_store(root).inspection()
    assert inspection.apart(found, store.split()) == []

    more = [Match(i, i + 1, 1.0, False) for i in range(0, 40, 2)]
    monkeypatch.setattr(inspecting.near_duplicates, "matches", lambda *_: more)
    monkeypatch.setattr(inspecting.result_cache, "code", lambda: "another version")
    prepare_data(study, root, cache, keep_going=True)
    assert (root / "split.json").read_bytes() == kept
    assert stores.open_store(root).inspection() == found
    (root / inspection.FILE).unlink()
    prepare_data(study, root, cache, keep_going=True)
    assert (root / "split.json").read_bytes() == kept
    assert len(stores.open_store(root).inspection().pairs) == 20

    # a study that an earlier version began goes on, and says that its split regards none
    text = (root / "study.toml").read_text()
    forged(root / "study.toml", text.replace('near_duplicates = "together"\n', ""))
    store, _ = prepare_data(study, root, cache, keep_going=True)
    assert (root / "split.json").read_bytes() == kept
    assert store.study().split.near_duplicates == "ignore"


def test_korean_names_on_a_sheet_are_written_in_a_font_that_has_them(monkeypatch):
    asked, real = [], checked.ImageFont.truetype

    def truetype(file, size, **how):
        if not isinstance(file, str):  # Pillow's own font comes with it
            return real(file, size, **how)
        asked.append(file)
        if file == "first.ttf":
            raise OSError("cannot open resource")
        return file

    monkeypatch.setattr(checked.ImageFont, "truetype", truetype)
    monkeypatch.setattr(checked, "KOREAN_FONTS", ("first.ttf", "second.ttf", "third.ttf"))
    names = {"a.jpg": "장미: a.jpg", "b.jpg": "Rosé: b.jpg"}
    assert checked._lettered(names) == ("second.ttf", names)
    assert asked == ["first.ttf", "second.ttf"]
    monkeypatch.setattr(checked, "KOREAN_FONTS", ("first.ttf",))
    assert checked._lettered(names)[1] == {"a.jpg": "??: a.jpg", "b.jpg": "Rosé: b.jpg"}
    assert checked._lettered({"b.jpg": "Rosé: b.jpg"})[1] == {"b.jpg": "Rosé: b.jpg"}
    assert asked == ["first.ttf", "second.ttf", "first.ttf"]  # European names need none


# what the report shows of it


def test_the_report_shows_a_contact_sheet(tmp_path):
    store = grown(tmp_path / "grown", {"plain": (0.6, 0.7)})
    manifest, made = store.manifest(), store.split()
    assert "Duplicates and unusual images" not in page(store)
    jpeg = next(iter(store.thumbnails().values()))
    one, two = made.train[0], made.test[0]
    labels = {photo.path: photo.label for photo in manifest.photos}
    found = Inspection(
        1, manifest.hash, (Pair(one, two, 0.93, True),), (tuple(sorted((one, two))),), {"40x30": 10}, {"RGB": 10},
        {"PNG": 10}, (Unusual(one, "small", "20x20"),), {one: jpeg, two: jpeg},
    )  # fmt: skip
    stores.write_atomically(store.root / inspection.FILE, inspecting.msgspec.json.encode(found))
    text = page(store)
    assert "near duplicates is split across two sets" in text
    assert f'alt="{one}"' in text
    assert f"<strong>{labels[two]}</strong> test" in text
    assert "detail correlation of 0.93 or more, mirrored images included" in text
    assert "only 20x20 pixels" in text


def page(store):
    report.write(store)
    return (store.root / "report.html").read_text(encoding="utf-8")
