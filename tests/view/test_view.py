"""`commongarden view`: what its pages show, and which requests it answers."""

import dataclasses
import json
import os
import re
import shutil
import socket
import time
from urllib.parse import urlsplit

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe

from chromium import DESKTOP, PHONE
from commongarden.cli import main
from commongarden.records import Epoch
from commongarden.runner.event_log import EventLog
from commongarden.runner.events import EpochDone, Job, Started
from commongarden.store import Store
from commongarden.store.kinds import Holder
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
def address(garden, cache_folder):
    with viewed(garden, cache_folder) as address:
        yield address


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


def test_a_missing_extra_is_said_with_the_line_that_installs_it(monkeypatch, tmp_path):
    from click.testing import CliRunner

    monkeypatch.setitem(__import__("sys").modules, "uvicorn", None)
    monkeypatch.delitem(__import__("sys").modules, "commongarden.view.serving", raising=False)
    said = CliRunner().invoke(main, ["view", str(tmp_path)])
    assert said.exit_code == 2
    assert "pip install 'commongarden[view]'" in said.output


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
    page = opened(browser, address, "/study/deeper~under%20way")
    page.wait_for_selector("#live[data-state=running]")
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
