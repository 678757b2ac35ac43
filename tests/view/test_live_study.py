"""A real study behind the page: it grows, is killed, resumed, stopped and extended."""

import json
import os
import shutil
import signal
import time
from urllib.parse import urlsplit

import pytest

import commongarden as cg
from grown import grown
from running import start, wait_for
from viewed import asked, viewed

pytest.importorskip("starlette", reason="the extra 'view' is not installed: pip install '.[view]'")
pytest.importorskip("uvicorn", reason="the extra 'view' is not installed: pip install '.[view]'")
EPOCHS = 120


@pytest.fixture
def long(study_file, tmp_path):
    path = tmp_path / "long.toml"
    text = study_file.read_text(encoding="utf-8")
    path.write_text(
        text.replace("epochs = 3", f"epochs = {EPOCHS}").replace("seeds = 2", "seeds = 1"), encoding="utf-8"
    )
    return path


def steer(address, cookie, action, study="out"):
    base = urlsplit(address)
    headers = {"Cookie": cookie, "Origin": f"{base.scheme}://{base.netloc}"}
    return asked(address, f"/study/{study}/steer/{action}", "POST", headers)


@pytest.mark.soak
def test_a_study_grows_is_killed_resumed_stopped_and_extended(long, tmp_path, cache_folder, browser):
    out = tmp_path / "garden" / "out"
    out.parent.mkdir()
    process = start(long, out, cache_folder, "--workers", "1", "--no-maps")
    wait_for(lambda: (out / "events.jsonl").is_file() and b'"epoch"' in (out / "events.jsonl").read_bytes(), 240)
    with viewed(out.parent, cache_folder, "--steer") as address:
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.goto(address)  # with the token, which the cookie keeps
        page.click("a[href='/study/out']")
        page.wait_for_selector("#live[data-state=running]")
        page.locator("#curves[data-rows]").wait_for()
        process.kill()
        process.communicate()
        page.wait_for_selector("#live[data-state=killed]")
        page.on("dialog", lambda dialog: dialog.accept())
        page.click("button[data-action=resume]")
        page.wait_for_selector("#live[data-state=running]")
        page.locator("#live").filter(has_text="Resumed.").wait_for()
        page.locator("#live table").wait_for()
        page.click("button[data-action=stop]")
        page.wait_for_selector("#live[data-state=stopped]")
        page.click("button[data-action=seed]")
        wait_for(lambda: len(cg.open_store(out).study().seeds) == 2, 240)
        page.wait_for_selector("#live[data-state=running]")
        page.select_option("#dropped", "residual")
        page.click("button[data-action=drop]")
        page.locator("#report").filter(has_text="a person dropped this model").wait_for()
        page.click("button[data-action=stop-after-epoch]")
        page.wait_for_selector("#live[data-state=stopped]")
        page.close()
    decided = [line["what"] for line in map(json.loads, _whole(out)) if line["event"] == "decided"]
    assert decided == ["resume", "stop", "seed", "drop", "stop-after-epoch"]
    assert [one.arm for one in cg.open_store(out).decisions()] == ["residual"]


def _whole(out):
    return [line for line in (out / "events.jsonl").read_text(encoding="utf-8").splitlines() if line.endswith("}")]


def test_nothing_is_steered_without_the_token_or_unasked(finished, tmp_path, cache_folder):
    shutil.copytree(finished, tmp_path / "garden" / "out")
    grown(tmp_path / "garden" / "gone", {"a": (0.5, 0.6)})  # of photos that are nowhere
    with viewed(tmp_path / "garden", cache_folder, "--steer") as address:
        query = urlsplit(address).query
        assert query.startswith("token=")
        assert steer(address, "", "stop")[0] == 403
        assert steer(address, f"commongarden-{urlsplit(address).port}=x", "stop")[0] == 403
        cookie = asked(address, f"/?{query}")[1]["set-cookie"].partition(";")[0]
        assert asked(address, "/study/out/steer/stop", "POST", {"Cookie": cookie})[0] == 403  # from no page of ours
        status, _headers, text = steer(address, cookie, "stop")
        assert status == 409
        assert "no process works on the study" in json.loads(text)["html"]
        assert steer(address, cookie, "delete")[0] == 404
        status, _headers, text = steer(address, cookie, "seed", "gone")
        assert status == 409
        assert "no such folder" in json.loads(text)["html"]
        stranger = os.fork()  # a process that has the number of one that worked on the study
        if not stranger:
            time.sleep(60)
            os._exit(0)
        holder = tmp_path / "garden" / "out" / ".holder"
        holder.write_text(json.dumps({"pid": stranger, "host": os.uname().nodename, "since": "then"}), encoding="utf-8")
        os.utime(holder, (1, 1))
        assert steer(address, cookie, "stop")[0] == 409
        os.kill(stranger, 0)
        os.kill(stranger, signal.SIGKILL)
        os.waitpid(stranger, 0)
    with viewed(tmp_path / "garden", cache_folder) as address:
        assert steer(address, cookie, "stop")[0] == 404
