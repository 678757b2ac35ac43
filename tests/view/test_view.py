"""`commongarden view`: what its pages show, and which requests it answers."""

import dataclasses
import io
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import time
import zlib
from urllib.parse import urlsplit

import msgspec
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

import commongarden as cg
from chromium import DESKTOP, PHONE
from commongarden.cli import main
from commongarden.inference.chosen import chosen_run
from commongarden.records import Epoch
from commongarden.runner.event_log import EventLog
from commongarden.runner.events import EpochDone, Job, Started
from commongarden.store import Store
from commongarden.store.kinds import Holder
from commongarden.view.gpu_memory import gpu_memory
from commongarden.view.studies import Garden
from grown import grown
from viewed import asked, contents, viewed

pytest.importorskip("starlette", reason="the extra 'view' is not installed: pip install '.[view]'")
pytest.importorskip("uvicorn", reason="the extra 'view' is not installed: pip install '.[view]'")

HOSTILE = "<img src=x onerror=alert(1)>꽃"
EPOCH = Epoch(1, 1.5, 0.4, 1.6, 0.375, 1e-3, 0.1, 0.1, 0.1, 0.1)


@pytest.fixture(scope="module")
def garden(finished, tmp_path_factory):
    """A folder with a finished study, one that is being made by this process, and one with a name that is HTML."""
    folder = tmp_path_factory.mktemp("view") / "garden"
    shutil.copytree(finished, folder / "small")
    shutil.copytree(finished, folder / "deeper" / "under way")
    shutil.rmtree(folder / "deeper" / "under way" / "runs" / "residual" / "1")
    (folder / "deeper" / "under way" / "events.jsonl").unlink()
    shutil.copytree(finished, folder / "hostile")
    text = (folder / "hostile" / "study.toml").read_text(encoding="utf-8")
    (folder / "hostile" / "study.toml").write_text(text.replace('"small"', json.dumps(HOSTILE)), encoding="utf-8")
    (folder / "hostile" / "checksums.sha256").unlink()
    (folder / "elsewhere").symlink_to(finished)
    return folder


@pytest.fixture(scope="module")
def copied(photos, tmp_path_factory):
    """The photos of the studies in another place, where one has changed and one is missing."""
    folder = tmp_path_factory.mktemp("copied") / "photos"
    shutil.copytree(photos, folder)
    shutil.copy(folder / "rose" / "01.png", folder / "rose" / "00.png")
    (folder / "tulip" / "00.png").unlink()
    return folder


@pytest.fixture(scope="module")
def address(garden, cache_folder, copied):
    with viewed(garden, cache_folder, "--images", str(copied)) as address:
        yield address


def test_the_page_loads_nothing_slow_before_it_answers():
    code = (
        "import sys, commongarden.view.serving;"
        "slow = {'torch', 'scipy.stats', 'altair', 'timm'} & set(sys.modules); assert not slow, slow"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_list_names_every_study_with_its_state(address):
    status, headers, text = asked(address)
    assert status == 200
    assert 'href="/study/small"' in text
    assert 'href="/study/deeper~under%20way"' in text
    assert "elsewhere" not in text  # a link out of the folder
    assert "&lt;img src=x onerror=alert(1)&gt;꽃" in text
    assert "<img" not in text
    assert re.search(r"small</a>.*?Finished.*?4 of 4", text, re.DOTALL)
    assert re.search(r"under way</span>.*?Stopped.*?3 of 4", text, re.DOTALL)
    assert "script-src 'self';" in headers["content-security-policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    _status, _headers, korean = asked(address, "/?lang=ko")
    assert '<html lang="ko"' in korean


def test_the_report_is_that_of_report_html(address, garden):
    status, _headers, text = asked(address, "/study/small/report")
    assert status == 200
    found = json.loads(text)
    page = (garden / "small" / "report.html").read_text(encoding="utf-8")
    specs = json.loads(re.search(r'id="specs">(.*?)</script>', page, re.DOTALL)[1])
    assert found["specs"] == specs
    (question,) = re.findall(r'<p class="question">.*?</p>', page)
    assert question in found["html"]
    assert "<script" not in found["html"]


@pytest.mark.parametrize(
    ("path", "method", "headers", "status"),
    [
        ("/", "GET", {"Host": "evil.example"}, 403),
        ("/", "GET", {"Host": "localhost"}, 403),  # without the port
        ("/study/small/report", "GET", {"Origin": "http://evil.example"}, 403),
        ("/study/small/report", "GET", {"Origin": "null"}, 403),
        ("/study/small/report", "GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ("/", "POST", {}, 403),
        ("/", "PUT", {}, 403),
        ("/study/..%2Fsmall", "GET", {}, 404),
        ("/study/../../etc/passwd", "GET", {}, 404),
        ("/study/..", "GET", {}, 404),
        ("/study/elsewhere", "GET", {}, 404),
        ("/assets/..%2Fapp.py", "GET", {}, 404),
        ("/assets/app.py", "GET", {}, 404),
        ("/study/small/study.toml", "GET", {}, 404),
    ],
)
def test_what_is_refused(address, garden, path, method, headers, status):
    before = contents(garden)
    assert asked(address, path, method, headers)[0] == status
    assert contents(garden) == before


@pytest.mark.skipif(not os.path.exists("/proc"), reason="only Linux has the address 127.0.0.2")
def test_another_address_wants_its_token(garden, cache_folder):
    with viewed(garden, cache_folder, "--host", "127.0.0.2") as address:
        query = urlsplit(address).query
        assert query.startswith("token=")
        assert asked(address)[0] == 403
        assert asked(address, "/?token=wrong")[0] == 403
        assert asked(address, headers={"Cookie": f"commongarden-{urlsplit(address).port}=wrong"})[0] == 403
        status, headers, _text = asked(address, f"/study/small?lang=ko&{query}")
        assert (status, headers["location"]) == (303, "/study/small?lang=ko")
        assert "HttpOnly" in headers["set-cookie"]
        assert "SameSite=Strict" in headers["set-cookie"]
        cookie = headers["set-cookie"].partition(";")[0]
        assert asked(address, headers={"Cookie": cookie})[0] == 200
        assert asked(address, headers={"Cookie": cookie, "Host": "localhost"})[0] == 403


@pytest.mark.parametrize("command", [["view", "."], ["run", "demo", "--view", "--out", "out"]])
def test_a_missing_extra_is_said_with_the_line_that_installs_it(command, monkeypatch, tmp_path):
    from click.testing import CliRunner

    monkeypatch.setitem(__import__("sys").modules, "uvicorn", None)
    monkeypatch.delitem(__import__("sys").modules, "commongarden.view.serving", raising=False)
    monkeypatch.delattr("commongarden.view.serving", raising=False)
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(main, command)
    assert said.exit_code == 2
    assert not list(tmp_path.iterdir())
    assert "pip install 'commongarden[view]'" in said.output


def tried(address, photo, study="small"):
    """The answer to a photo that is sent as a page sends it."""
    headers = {"Origin": address.rstrip("/")}
    status, _headers, text = asked(address, f"/study/{study}/try/photo", "POST", headers, photo)
    return status, json.loads(text)["html"]


def test_a_photo_is_shown_to_every_model(address, garden, photos):
    """As `predict` says it, by the run with the highest validation accuracy, with its evidence."""
    before, photo = contents(garden), photos / "rose" / "03.png"
    status, html = tried(address, photo.read_bytes())
    assert status == 200
    for arm in ("plain", "residual"):
        run = chosen_run(garden / "small", arm).folder
        (said,) = cg.predict(cg.load(run), [photo])
        assert [f"{name} {100 * value:.0f} %" for name, value in said.top] == re.findall(
            rf"<strong>{arm}</strong>(.*?)</figcaption>", html, re.DOTALL
        )[0].replace('<span class="whole">', "").replace("</span>", "").replace("\xa0", " ").strip().split("<br>")[1:]
    assert html.count("data:image/jpeg") == 1
    assert html.count("no heat map") == 2  # the last maps of these networks have one pixel
    assert contents(garden) == before


@pytest.mark.parametrize(
    ("photo", "status", "said"),
    [
        (b"not an image", 422, "not an image"),
        (b"", 422, "not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", 422, "cannot be read"),
        (b"\x89PNG\r\n\x1a\n" + bytes(31 * 2**20), 413, "larger than 30 MB"),
    ],
)
def test_what_is_no_photo_is_refused(address, photo, status, said):
    found, html = tried(address, photo)
    assert found == status
    assert said in html
    assert "<svg" not in html


def test_a_bomb_is_refused(address):
    """A PNG of a few kilobytes whose header says 60,000 x 60,000 pixels."""
    file = io.BytesIO()
    Image.new("1", (8, 8)).save(file, "PNG")
    data = bytearray(file.getvalue())
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    status, html = tried(address, bytes(data) + bytes(40_000))
    assert status == 422
    assert "cannot be read" in html


def test_test_photos_are_found_by_what_the_models_say(address, garden):
    _status, _headers, text = asked(address, "/study/small/photos?order=wrong")
    found = json.loads(text)
    assert not found["more"]
    listed = re.findall(r'data-number="(\d+)".*?alt="([^"]*)".*?(\d+) % wrong', found["html"], re.DOTALL)
    store = cg.open_store(garden / "small")
    runs = [store.predictions(run.arm, run.seed) for run in store.runs()]
    assert {path for _number, path, _wrong in listed} == set(map(str, runs[0].photos))
    assert [int(wrong) for *_more, wrong in listed] == sorted((int(wrong) for *_more, wrong in listed), reverse=True)
    _number, path, wrong = listed[0]
    place = list(map(str, runs[0].photos)).index(path)
    share = np.mean([one.probabilities[place].argmax() != one.labels[place] for one in runs])
    assert int(wrong) == round(100 * share)
    _status, _headers, text = asked(address, "/study/small/photos?class=rose")
    assert {path.partition("/")[0] for path in re.findall(r'alt="([^"]*)"', json.loads(text)["html"])} == {"rose"}


def test_the_nearest_photos_are_those_of_scikit_learn(address, garden, copied):
    """By the features that a hook on the last layer sees; a photo that has changed and one that is missing are left
    out. The second answer comes from the cache."""
    import torch
    from sklearn.neighbors import NearestNeighbors

    store = cg.open_store(garden / "small")
    run, manifest = chosen_run(garden / "small").folder, store.manifest()
    split, predictor, seen = store.split(), cg.load(run), []
    (*_rest, last) = (layer for layer in predictor.modules() if isinstance(layer, torch.nn.Linear))
    last.register_forward_pre_hook(lambda _layer, given: seen.append(given[0].flatten().numpy()))
    gone = ("rose/00.png", "tulip/00.png")
    train = [path for path in split.train if path not in gone]
    asked_for = next(path for path in split.test if path not in gone)
    with torch.inference_mode():
        for path in (*train, asked_for):
            predictor(predictor.preprocess(copied / path))
    nearest = NearestNeighbors(n_neighbors=6, metric="cosine").fit(np.stack(seen[:-1]))
    distances, places = nearest.kneighbors(seen[-1:])
    number = [photo.path for photo in manifest.photos].index(asked_for)
    for _ in range(2):
        status, _headers, text = asked(address, f"/study/small/near/test/{number}")
        html = json.loads(text)["html"]
        assert status == 200, html
        n_there = len({*split.train, *split.test} - {*gone})
        assert f"among {n_there} of the {len(split.train) + len(split.test)}" in html
        shown = html[html.index("Nearest training") : html.index("Nearest test")]
        assert [float(found) for found in re.findall(r"distance ([\d.]+)", shown)] == pytest.approx(
            distances[0], abs=2e-3
        )
        assert set(re.findall(r'alt="([^"]*)"', shown)) == {train[place] for place in places[0]}


def test_a_photo_that_has_changed_or_is_missing_is_said(address, garden):
    places = {photo.path: n for n, photo in enumerate(cg.open_store(garden / "small").manifest().photos)}
    for path, status, said in (
        ("rose/00.png", 422, "has changed since"),
        ("tulip/00.png", 422, "If the images were moved: commongarden view STUDY --images FOLDER"),
        ("rose/02.png", 200, "rose"),
    ):
        found, _headers, text = asked(address, f"/study/small/try/test/{places[path]}")
        assert found == status, path
        assert said in json.loads(text)["html"], path
    assert asked(address, "/study/small/try/test/99999")[0] == 404
    assert asked(address, "/study/small/photos/99999")[0] == 404


def test_studies_are_compared_where_that_is_allowed(address):
    _status, _headers, text = asked(address)
    assert text.count('type="checkbox" name="study"') == 3
    assert asked(address, "/compare?study=small")[0] == 303
    assert asked(address, "/compare?study=small&study=elsewhere")[0] == 303
    assert asked(address, "/compare?study=small&study=hostile")[0] == 200
    status, _headers, text = asked(address, "/compare/report?study=small&study=hostile")
    html = json.loads(text)["html"]
    assert status == 200
    assert "small and hostile are not compared: their runs are the same." in html
    assert "Nothing: data, splits and training settings are the same." in html
    assert "<img" not in html


class Making:
    """A study that this process works on, as the runner says it: without the training."""

    def __init__(self, folder):
        self.folder, self.log = folder, EventLog("cpu")
        me = Holder(os.getpid(), socket.gethostname(), "now")
        (folder / ".holder").write_bytes(msgspec.json.encode(me))
        self.job = Job("residual", 1)
        self.log.begin_study(Store(folder).study(), folder)
        self.log.plan({self.job: 1.0}, {self.job: 3}, 1)

    def epoch(self, number):
        self.log.take(EpochDone(self.job, dataclasses.replace(EPOCH, epoch=number), 100.0))


@pytest.fixture
def making(garden):
    made = Making(garden / "deeper" / "under way")
    yield made
    made.log.close(None)
    (made.folder / ".holder").unlink()
    (made.folder / "events.jsonl").unlink()


def opened(browser, address, path, viewport=DESKTOP, scheme="light"):
    page = browser.new_page(viewport=viewport, color_scheme=scheme)
    page.set_default_timeout(20_000)
    page.complaints = []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(address.rstrip("/") + path)
    return page


def test_a_run_grows_on_the_page(browser, address, making):
    """An epoch is on the page within 2 seconds; the report stands below it; a reader of Korean has it in Korean."""
    making.log.take(Started(making.job, ()))
    making.epoch(1)
    page = opened(browser, address, "/study/deeper~under%20way#run=plain/0")
    page.wait_for_selector("#live[data-state=running]")
    page.locator("#run").filter(has_text="plain, seed 0: test accuracy").wait_for()
    page.wait_for_selector("#report .report .verdicts")
    page.wait_for_selector("#live_val_accuracy.drawn")
    assert "residual, seed 1" in page.inner_text("#live")
    assert "1.0 / 3" in page.inner_text("#live")
    begun = time.monotonic()
    making.epoch(2)
    page.locator("#live").filter(has_text="2.0 / 3").wait_for()
    page.wait_for_selector("#curves[data-rows='2']")
    assert time.monotonic() - begun < 2
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert not page.complaints
    page.close()


def test_a_phone_a_dark_one_in_korean_with_a_hostile_name(browser, address):
    page = opened(browser, address, "/study/hostile?lang=ko", PHONE, "dark")
    assert page.inner_text("h1") == HOSTILE
    page.wait_for_selector("#report .report .verdicts")
    page.wait_for_selector("#report .chart.drawn")
    assert page.locator("html").get_attribute("lang") == "ko"
    assert "정확도" in page.inner_text("#report")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.goto(address)
    assert page.locator("html").get_attribute("lang") == "ko"  # it is kept
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert Axe().run(page).violations_count == 0
    assert not page.complaints
    page.close()


def test_a_run_has_an_address(address, garden):
    record = cg.open_store(garden / "small").run("plain", 1)
    status, _headers, text = asked(address, "/study/small/run?arm=plain&seed=1")
    html = json.loads(text)["html"]
    assert status == 200
    assert f"test accuracy {record.test_accuracy:.1%}" in html
    assert html.count("<tr>") == 1 + record.recipe.epochs
    for query in ("arm=plain&seed=9", "arm=..&seed=1", "arm=plain&seed=x", "seed=1", f"arm=plain&seed={'9' * 5000}"):
        assert asked(address, f"/study/small/run?{query}")[0] == 404


def test_the_list_says_that_a_run_is_corrupt(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "small")
    garden = Garden(tmp_path)
    assert garden.listed()[0].state == "finished"
    path = tmp_path / "small" / "runs" / "plain" / "1" / "run.json"
    path.write_bytes(path.read_bytes()[:100])
    (one,) = garden.listed()
    assert (one.state, one.n_finished, one.n_planned) == ("unreadable", 4, 4)
    assert "run.json" in one.reason
    (tmp_path / "small" / "study.toml").write_text("[", encoding="utf-8")
    (one,) = garden.listed()
    assert one.state == "unreadable"
    assert one.n_bytes > 1000


@pytest.mark.skipif(os.name != "posix", reason="the program that stands in is a shell script")
def test_gpu_memory_is_that_of_the_devices_of_the_study(tmp_path, monkeypatch):
    """As nvidia-smi prints it: index, MiB in use, MiB in all."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho '0, 1024, 81559'\necho '1, 5, 81559'\necho '2, 512, 81559'\n", encoding="utf-8")
    program.chmod(0o755)
    assert gpu_memory("cuda:0,cuda:2") == (1536 * 2**20, 2 * 81559 * 2**20)
    assert gpu_memory("cuda") == (1024 * 2**20, 81559 * 2**20)
    assert gpu_memory("cpu") is None
    program.write_text("#!/bin/sh\necho 'No devices were found'\n", encoding="utf-8")
    assert gpu_memory("cuda:0") is None


def test_photos_that_are_elsewhere_are_asked_for(tmp_path, cache_folder, photos):
    grown(tmp_path / "moved", {"a": (0.5, 0.6)})
    with viewed(tmp_path, cache_folder) as address:
        text = asked(address, "/study/moved/try")[2]
    assert "The images are not in photos. Say where they are: commongarden view STUDY --images FOLDER" in text
    with viewed(tmp_path, cache_folder, "--images", str(photos)) as address:
        assert "The images are not in" not in asked(address, "/study/moved/try")[2]


def test_a_photo_is_chosen_on_the_page(browser, address, photos):
    page = opened(browser, address, "/study/small/try")
    page.locator("#photos button").nth(1).click()  # while the small pictures of all others are still to come
    page.wait_for_selector("#answer .disputed img")
    page.set_input_files("#chosen", photos / "rose" / "03.png")
    page.locator("#answer figcaption").first.filter(has_text="your image").wait_for()
    page.locator("#photos button").first.click()
    page.locator("#answer figcaption").first.filter(has_not_text="your image").wait_for()
    page.click("#near")
    link = page.locator("#nearest a").first
    link.wait_for()
    number = link.get_attribute("href").rpartition("=")[2]
    link.click()
    page.wait_for_url(f"**/try?photo={number}")
    page.wait_for_selector("#answer .disputed img")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert Axe().run(page).violations_count == 0
    page.close()
