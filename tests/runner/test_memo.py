"""What is kept for other studies: told again where all it hangs on is the same, and nowhere else."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from commongarden import store as stores
from commongarden import study as studies
from commongarden.data import cache, folder, image, result_cache
from commongarden.records.findings import AUDIT_SCHEMA, Audit, Finding
from commongarden.runner import baselines, limits, plan
from commongarden.runner.cached_results import CachedResults
from commongarden.runner.events import AttributionTask, Audited, AuditTask, Pilot, Piloted
from commongarden.runner.prepared_data import prepare_data
from commongarden.study import Arm
from commongarden.study.recipe import Recipe

STUDY = studies.Study(
    "kept",
    "",
    {"plain": Arm("plain_flower"), "residual": Arm("residual_flower")},
    Recipe(resolution=16, epochs=1, batch_size=8, lr=1e-3),
    (0, 1),
    split=studies.SplitPlan(0.6, 0.2),
)
AUDIT = Audit(AUDIT_SCHEMA, "network", 16, (Finding("small weights", "net / conv", 0.1, {"output": 1e-30}),), ())
PILOTED = Piloted("plain", 12.5, 4_000, 77)


@pytest.fixture
def study(photos):
    return dataclasses.replace(STUDY, data=str(photos))


@pytest.fixture
def ground(study, tmp_path):
    """(store, prepared) of a study with a cache of its own."""
    return prepare_data(study, tmp_path / "one", tmp_path / "cache")


def fill(ground, study, **other):
    memos = CachedResults(
        **{"study": study, "prepared": ground[1], "device": "cpu", "n_workers": 2, "tell": [].append} | other
    )
    memos.keep(Audited("plain", AUDIT))
    memos.keep(PILOTED)
    return memos


def known(ground, study, arm="plain", **other):
    """Whether the audit and the pilot of an arm are told again."""
    memos = CachedResults(
        **{"study": study, "prepared": ground[1], "device": "cpu", "n_workers": 2, "tell": [].append} | other
    )
    found, left = memos.recalled([AuditTask(arm), Pilot(arm)])
    assert len(found) + len(left) == 2
    return AuditTask(arm) not in left, Pilot(arm) not in left


def test_a_memo_is_what_was_kept_under_that_key_and_no_other(tmp_path):
    one, two = result_cache.key("kind", ["a", "b"], ["pillow"]), result_cache.key("kind", ["ab"], ["pillow"])
    assert (
        len({one, two, result_cache.key("other", ["a", "b"], ["pillow"]), result_cache.key("kind", ["a", "b"], [])})
        == 4
    )
    assert len({one, result_cache.key("kind", ["a", "b"], ["pillow"], machine="m")}) == 2
    assert result_cache.recall(tmp_path / "none", one) is None
    for data in (b"", b"\n\n", bytes(range(256))):
        result_cache.keep(tmp_path / "kept", one, data)
        assert result_cache.recall(tmp_path / "kept", one, pytest.fail) == data
    assert result_cache.recall(tmp_path / "kept", two) is None


@pytest.mark.parametrize("what", ["code", "library", "python"])
def test_other_code_libraries_or_python_are_another_key(monkeypatch, what):
    before = result_cache.key("kind", ["a"], ["pillow"])
    if what == "code":
        monkeypatch.setattr(result_cache, "code", lambda: "other")
    elif what == "library":
        monkeypatch.setattr(result_cache.metadata, "version", lambda name: f"{name} 99")
    else:
        monkeypatch.setattr(result_cache.platform, "python_version", lambda: "9.9.9")
    assert result_cache.key("kind", ["a"], ["pillow"]) != before


def test_the_code_is_all_of_it(monkeypatch, tmp_path):
    result_cache.code.cache_clear()
    before = result_cache.code()
    for name in ("__init__.py", "train/audit.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    monkeypatch.setattr(result_cache, "CODE", tmp_path)
    seen = {before}
    for text in ("1", "2"):
        (tmp_path / "train/audit.py").write_text(text)
        result_cache.code.cache_clear()
        seen.add(result_cache.code())
    result_cache.code.cache_clear()
    assert len(seen) == 3


def test_what_a_killed_process_left_is_swept_up(tmp_path):
    key = result_cache.key("kind", [], [])
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead, alive = (tmp_path / f".{key}.memo.{pid}.tmp" for pid in (ended.pid, os.getppid()))
    for path in (dead, alive):
        path.write_text("half")
    result_cache.keep(tmp_path, key, b"whole")
    assert sorted(tmp_path.iterdir()) == sorted([alive, tmp_path / f"{key}.memo"])


@pytest.mark.parametrize("harm", ["cut", "flipped", "empty", "another's"])
def test_a_torn_memo_is_told_and_not_believed(tmp_path, harm):
    one, two = result_cache.key("kind", ["1"], []), result_cache.key("kind", ["2"], [])
    for key in (one, two):
        result_cache.keep(tmp_path, key, b"forty-two\n" * 9)
    file, told = tmp_path / f"{one}.memo", []
    data = bytearray(file.read_bytes())
    data[80] ^= 1
    other = (tmp_path / f"{two}.memo").read_bytes()
    file.write_bytes({"cut": data[:-40], "flipped": data, "empty": b"", "another's": other}[harm])
    assert result_cache.recall(tmp_path, one, told.append) is None
    assert told == [f"{file}: corrupt cache entry; it is recomputed"]
    result_cache.keep(tmp_path, one, b"again")
    assert result_cache.recall(tmp_path, one) == b"again"


def test_a_cache_that_cannot_be_written_costs_nothing_else(tmp_path):
    (tmp_path / "file").write_text("no folder")
    result_cache.keep(tmp_path / "file", result_cache.key("kind", [], []), b"lost")
    assert result_cache.recall(tmp_path / "file", result_cache.key("kind", [], [])) is None


WRITES_OFTEN = """
import sys
from pathlib import Path
from commongarden.data import result_cache
for _ in range(25):
    result_cache.keep(Path(sys.argv[1]), sys.argv[2], sys.argv[3].encode() * 200_000)
"""


def test_two_processes_at_once_leave_one_whole_memo(tmp_path):
    key = result_cache.key("kind", [], [])
    command = [sys.executable, "-c", WRITES_OFTEN, str(tmp_path), key]
    writers = [subprocess.Popen([*command, letter]) for letter in "ab"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        found = result_cache.recall(tmp_path, key, pytest.fail)
        assert found in (None, b"a" * 200_000, b"b" * 200_000)
        seen.add(found)
    assert [writer.returncode for writer in writers] == [0, 0]
    assert len(seen) > 1
    assert [path.name for path in tmp_path.iterdir()] == [f"{key}.memo"]


def test_memos_are_cleared_with_the_images(ground, tmp_path):
    kept = tmp_path / "cache"
    assert list(kept.glob("*.memo"))
    other = kept / "notes.memo"
    other.write_text("mine")
    cache.clear(kept)
    assert [path for path in kept.iterdir() if path.suffix != ".lock"] == [other]


@pytest.fixture
def copied(photos, tmp_path):
    return shutil.copytree(photos, tmp_path / "photos")


def test_photos_are_decoded_once_for_their_contents(copied, tmp_path, monkeypatch):
    decoded, decode = [], image.decode
    monkeypatch.setattr(image, "decode", lambda data: decoded.append(data) or decode(data))
    first = folder.scan(str(copied), cache_folder=tmp_path)
    assert len(decoded) == 60
    assert folder.scan(str(copied), cache_folder=tmp_path) == first
    assert len(decoded) == 60
    Image.new("RGB", (20, 24), "blue").save(copied / "rose" / "00.png")
    second = folder.scan(str(copied), cache_folder=tmp_path)
    assert len(decoded) == 61
    assert second.hash != first.hash


def test_a_photo_that_breaks_after_it_was_read_is_found(copied, tmp_path):
    folder.scan(str(copied), cache_folder=tmp_path)
    broken = copied / "rose" / "00.png"
    broken.write_bytes(broken.read_bytes()[:-300])
    found = folder.scan(str(copied), cache_folder=tmp_path)
    assert [out.path for out in found.left_out] == ["rose/00.png"]
    assert folder.scan(str(copied), cache_folder=tmp_path).left_out == found.left_out  # nor is it believed later
    assert folder.scan(str(copied)) == found


def test_another_pillow_decodes_all_photos_again(copied, tmp_path, monkeypatch):
    folder.scan(str(copied), cache_folder=tmp_path)
    decoded = []
    monkeypatch.setattr(image, "decode", decoded.append)
    folder.scan(str(copied), cache_folder=tmp_path)
    assert decoded == []
    monkeypatch.setattr(result_cache.metadata, "version", lambda name: f"{name} 99")
    folder.scan(str(copied), cache_folder=tmp_path)
    assert len(decoded) == 60


def test_a_torn_list_of_readable_photos_is_told_and_all_are_read(copied, tmp_path, monkeypatch):
    first = folder.scan(str(copied), cache_folder=tmp_path)
    (file,) = tmp_path.glob("*.memo")
    file.write_bytes(file.read_bytes()[:100])
    decoded, told, decode = [], [], image.decode
    monkeypatch.setattr(image, "decode", lambda data: decoded.append(data) or decode(data))
    assert folder.scan(str(copied), cache_folder=tmp_path, tell=told.append) == first
    assert (len(decoded), len(told)) == (60, 1)


@pytest.fixture
def fitted(monkeypatch):
    """Counts how often baselines are fitted."""
    calls, fit = [], baselines.baselines.fit
    monkeypatch.setattr(baselines.baselines, "fit", lambda *given: calls.append(1) or fit(*given))
    return calls


def keep_baselines(store, study, prepared, **options):
    baselines.keep(store, prepared, study.seeds, study.recipe, **options)


def kept_baselines(store):
    (path,) = (store.root / "baselines").iterdir()
    return path.read_bytes()


def test_baselines_are_fitted_once_for_photos_and_split(study, ground, fitted, tmp_path):
    store, prepared = ground
    keep_baselines(store, study, prepared)
    elsewhere, same = prepare_data(study, tmp_path / "two", tmp_path / "cache")
    keep_baselines(elsewhere, study, same)
    assert len(fitted) == 1
    assert kept_baselines(elsewhere) == kept_baselines(store)
    hashes = same.manifest.hash, same.split.hash
    (_, predicted), _ = elsewhere.baselines(*hashes)
    assert predicted.photos.tolist() == list(same.split.test)


@pytest.mark.parametrize("what", ["split", "resolution", "labels", "photo", "processor", "library"])
def test_baselines_of_anything_else_are_fitted(study, ground, fitted, copied, tmp_path, monkeypatch, what):
    keep_baselines(ground[0], study, ground[1])
    if what == "split":
        study = dataclasses.replace(study, seed=7)
    elif what == "resolution":
        study = dataclasses.replace(study, recipe=dataclasses.replace(study.recipe, resolution=20))
    elif what == "labels":
        (copied / "tulip").rename(copied / "aster")
        study = dataclasses.replace(study, data=str(copied))
    elif what == "photo":
        Image.new("RGB", (20, 24), "blue").save(copied / "rose" / "00.png")
        study = dataclasses.replace(study, data=str(copied))
    elif what == "processor":
        other = dataclasses.replace(plan.machine(), processor="another one")
        monkeypatch.setattr(plan, "machine", lambda: other)
    else:
        monkeypatch.setattr(result_cache.metadata, "version", lambda name: f"{name} 99")
    store, prepared = prepare_data(study, tmp_path / "two", tmp_path / "cache")
    keep_baselines(store, study, prepared)
    assert len(fitted) == 2


def test_torn_baselines_are_told_and_fitted_again(study, ground, fitted, tmp_path):
    store, prepared = ground
    before = set((tmp_path / "cache").glob("*.memo"))
    keep_baselines(store, study, prepared)
    (file,) = set((tmp_path / "cache").glob("*.memo")) - before
    file.write_bytes(file.read_bytes()[:-1])
    elsewhere, same = prepare_data(study, tmp_path / "two", tmp_path / "cache")
    told = []
    keep_baselines(elsewhere, study, same, tell=told.append)
    assert (len(fitted), len(told)) == (2, 1)


def test_an_arm_is_known_by_what_it_is_and_not_by_its_name(study, ground):
    told = []
    fill(ground, study)
    memos = CachedResults(study, ground[1], "cpu", 2, told.append)
    found, left = memos.recalled([AuditTask("plain"), Pilot("plain"), AuditTask("residual"), Pilot("residual")])
    assert found == [Audited("plain", AUDIT), PILOTED]
    assert left == [AuditTask("residual"), Pilot("residual")]
    assert len(told) == 1
    assert told[0].startswith("the timing of 1 model is reused from another study on this machine (2")
    renamed = dataclasses.replace(study, arms={"mine": study.arms["plain"]})
    found, _ = dataclasses.replace(memos, study=renamed).recalled([AuditTask("mine"), Pilot("mine")])
    assert found == [Audited("mine", AUDIT), dataclasses.replace(PILOTED, arm="mine")]


@pytest.mark.parametrize(
    "change",
    [
        {"recipe": dataclasses.replace(STUDY.recipe, lr=2e-3)},
        {"recipe": dataclasses.replace(STUDY.recipe, threads=2)},
        {"recipe": dataclasses.replace(STUDY.recipe, augment=("flip",))},
        {"arms": {"plain": Arm("plain_flower", {"order": "LA"})}},
        {"arms": {"plain": Arm("plain_flower", overrides={"batch_size": 4})}},
        {"seed": 5},
        {"vary": ("init", "order"), "seeds": (3, 4)},
    ],
)
def test_another_training_is_looked_at_and_timed(study, ground, change):
    fill(ground, study)
    assert known(ground, study) == (True, True)
    assert known(ground, dataclasses.replace(study, **change)) == (False, False)


def test_other_photos_or_parts_are_looked_at_and_timed(study, ground, copied, tmp_path):
    fill(ground, study)
    other = dataclasses.replace(study, seed=7)
    assert known(prepare_data(other, tmp_path / "two", tmp_path / "cache"), study) == (False, False)
    Image.new("RGB", (20, 24), "blue").save(copied / "rose" / "00.png")
    other = dataclasses.replace(study, data=str(copied))
    assert known(prepare_data(other, tmp_path / "three", tmp_path / "cache"), study) == (False, False)


def test_another_machine_is_another_one(study, ground, monkeypatch):
    fill(ground, study)
    assert known(ground, study, n_workers=1) == (True, False)
    assert known(ground, study, device="cuda") == (True, False)
    with monkeypatch.context() as patch:
        patch.setattr(limits, "cores", lambda: 77)
        assert known(ground, study) == (True, False)
    with monkeypatch.context() as patch:
        patch.setattr(result_cache.platform, "node", lambda: "elsewhere")
        assert known(ground, study) == (True, False)
    direct = dataclasses.replace(ground[1], direct={16: 0})
    assert known((ground[0], direct), study) == (True, False)
    other = dataclasses.replace(plan.machine(), processor="another one")
    monkeypatch.setattr(plan, "machine", lambda: other)
    assert known(ground, study) == (False, False)


def test_another_torch_looks_and_times_again(study, ground, monkeypatch):
    fill(ground, study)
    version = result_cache.metadata.version
    monkeypatch.setattr(result_cache.metadata, "version", lambda name: "9.9" if name == "torch" else version(name))
    assert known(ground, study) == (False, False)


def test_a_torn_audit_is_told_and_made_again(study, ground, tmp_path):
    before = set((tmp_path / "cache").glob("*.memo"))
    memos = fill(ground, study)
    for file in set((tmp_path / "cache").glob("*.memo")) - before:
        file.write_bytes(file.read_bytes()[:-3])
    told = []
    found, left = dataclasses.replace(memos, tell=told.append).recalled([AuditTask("plain"), Pilot("plain")])
    assert (found, left, len(told)) == ([], [AuditTask("plain"), Pilot("plain")], 2)


def test_failures_are_not_kept_nor_networks_by_others(study, ground, tmp_path):
    memos = CachedResults(study, ground[1], "cpu", 2, pytest.fail)
    before = sorted((tmp_path / "cache").iterdir())
    memos.keep(Audited("plain", None, "no room"))
    memos.keep(Piloted("plain", None, cause="no room"))
    others = dataclasses.replace(study, arms={"plain": Arm("torchvision:resnet18")})
    dataclasses.replace(memos, study=others).keep(Audited("plain", AUDIT))
    dataclasses.replace(memos, study=others).keep(PILOTED)
    assert sorted((tmp_path / "cache").iterdir()) == before
    asked = [AttributionTask("plain", 0, ())]
    assert memos.recalled(asked) == ([], asked)


def test_a_second_study_makes_nothing_again_and_comes_to_the_same_bits(study_file, finished, commongarden, tmp_path):
    """Through the command: what `finished` left in the cache serves a study in another folder."""
    said = commongarden("run", study_file, "--out", tmp_path / "two", "--seeds", 1, check=0).stderr
    assert said.startswith("Layout: each folder is a class\nloading PyTorch and the statistics libraries\n")
    for what in ("fitting baselines", "inspecting photos", "decoding at"):
        assert what not in said
    assert "the timings of 2 models are reused from other studies" in said
    one, two = stores.open_store(finished), stores.open_store(tmp_path / "two")
    assert one.audits() == two.audits()
    assert set(one.audits()) == {"plain", "residual"}
    assert kept_baselines(one) == kept_baselines(two)
    for arm in ("plain", "residual"):
        weights = [(store.directory(arm, 0) / "model.safetensors").read_bytes() for store in (one, two)]
        assert weights[0] == weights[1]
    assert json.loads((two.root / "forecast.json").read_text())["seconds"] > 0
    assert np.isfinite(two.run("plain", 0).test_loss)
