"""Audits in a study: made once before the runs, kept in its folder, told and shown."""

import json
import os
import shutil

import numpy as np
import pytest

from commongarden import arch
from commongarden import store as stores
from commongarden import study as studies
from commongarden.errors import RunnerError, StoreError
from commongarden.records.findings import AUDIT_SCHEMA, Audit, Finding
from commongarden.report import page
from commongarden.report.wording import audits
from commongarden.runner import audit as looking
from commongarden.runner import plan
from commongarden.runner.audit import look
from commongarden.runner.events import Audited, AuditTask, Job
from commongarden.runner.executor import TaskContext
from commongarden.runner.prepared_data import reopen
from commongarden.runner.worker_monitor import WorkerMonitor
from commongarden.runner.workers import _Crew, _Worker
from commongarden.stats import summarize
from forged import forged
from grown import grown


@pytest.fixture(scope="module")
def two_arms(commongarden, study_file, tmp_path_factory):
    """A finished study with an arm whose signal is lost, what was printed, and where it is."""
    folder = tmp_path_factory.mktemp("audited")
    arms = '[arms.lost]\narch = "inception_flower"\norder = "LA"\ninit = "fixed"\ninit_std = 0.03\n\n[[contrasts]]'
    text = study_file.read_text().replace("[[contrasts]]", arms).replace("epochs = 3", "epochs = 1")
    (folder / "two.toml").write_text(text.replace("seeds = 2", "seeds = 1"))
    run = commongarden("run", folder / "two.toml", "--out", folder / "out", "--workers", 1, check=0)
    return folder, run


def test_every_arm_is_audited_before_its_runs(two_arms):
    folder, run = two_arms
    kept = stores.open_store(folder / "out").audits()
    assert set(kept) == {"plain", "residual", "lost"}
    (trend,) = [finding for finding in kept["lost"].findings if finding.kind == "shrinking signal"]
    assert trend.path == "inception_flower / dense"
    assert trend.value < 0.7
    lines = run.stderr.splitlines()
    assert f"  {audits.finding(trend)}" in lines
    first_run = next(i for i, line in enumerate(lines) if "epoch 1/1" in line)
    assert lines.index(f"warning: {audits.summary('lost', kept['lost'])}") < first_run


def test_the_report_shows_findings_from_the_store_alone(two_arms, tmp_path):
    folder, _ = two_arms
    shutil.copytree(folder / "out", tmp_path / "moved")
    text = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert "Networks at initialization" in text
    for arm, audit in stores.open_store(tmp_path / "moved").audits().items():
        assert audits.summary(arm, audit) in text
        for finding in audit.findings:
            assert (
                f"<strong>{finding.path}</strong>: {audits.says(finding)}".replace(" %", "\N{NO-BREAK SPACE}%") in text
            )


@pytest.mark.soak
def test_a_study_that_goes_on_repeats_no_audit(two_arms, commongarden, tmp_path):
    folder, _ = two_arms
    out = tmp_path / "out"
    shutil.copytree(folder / "out", out)
    before = (out / "audit.json").read_bytes(), (out / "audit.json").stat().st_mtime_ns
    (folder / "more.toml").write_text((folder / "two.toml").read_text().replace("seeds = 1", "seeds = 2"))
    again = commongarden("run", folder / "more.toml", "--out", out, "--workers", 1, check=0)
    assert "at initialization" not in again.stderr
    assert before == ((out / "audit.json").read_bytes(), (out / "audit.json").stat().st_mtime_ns)


def test_only_arms_with_runs_to_make_and_no_audit_of_their_network_are_looked_at(finished):
    store = stores.open_store(finished)
    study = store.study()
    jobs = [Job("residual", 5), Job("plain", 5), Job("plain", 6)]
    assert plan.unaudited(study, store, jobs, 3) == []
    assert plan.unaudited(study, store, jobs, 4) == [
        AuditTask("residual"),
        AuditTask("plain"),
    ]  # other networks: four classes


def test_audits_are_kept_as_they_were(tmp_path):
    store = stores.write_study(tmp_path, studies.read("demo"))
    audit = Audit(AUDIT_SCHEMA, "hash", 16, (Finding("unused parameter", "net / conv", 7.0, {"a": 1e-30}, "bias"),), ())
    assert store.audits() == {}
    stores.write_audit(store, "one", audit)
    stores.write_audit(store, "two", audit)
    assert store.audits() == {"one": audit, "two": audit}
    text = (tmp_path / "audit.json").read_text()
    table = json.loads(text)
    table["two"] = {"schema": AUDIT_SCHEMA + 1, "other": []}
    forged(tmp_path / "audit.json", json.dumps(table))
    assert store.audits() == {"one": audit}
    forged(tmp_path / "audit.json", text[:50])
    with pytest.raises(StoreError, match=r"audit\.json: not a study's audits"):
        store.audits()


def test_an_arm_that_cannot_be_audited_is_trained_all_the_same(finished, cache_folder, monkeypatch):
    store = stores.open_store(finished)
    prepared = reopen(store, cache_folder)

    def breaks(*_):
        raise RuntimeError("no room")

    monkeypatch.setattr(looking, "audit_built", breaks)
    assert look(prepared, plan.first_run(store.study(), prepared, "plain", "cpu")) == Audited(
        "plain",
        None,
        f"RuntimeError: no room (test_audit_study.py, line {breaks.__code__.co_firstlineno + 1}, in breaks)",
    )
    assert np.array_equal(prepared.labels, reopen(store, cache_folder).labels)


class Dead:
    exitcode = -9

    def join(self, timeout):
        pass

    def close(self):
        pass


def test_a_worker_that_dies_at_an_audit_costs_that_audit_only(finished, cache_folder):
    store = stores.open_store(finished)
    stopping = []
    crew = _Crew(TaskContext(store.root, cache_folder, "cpu"), 1, {}, lambda: bool(stopping), None)
    dead = _Worker(Dead(), Dead(), WorkerMonitor(os.getpid()), AuditTask("plain"), is_ready=True)
    event = crew.buried(dead)
    assert isinstance(event, Audited)
    assert event.audit is None
    assert "SIGKILL" in event.cause
    with pytest.raises(RunnerError, match="could not start"):
        crew.buried(_Worker(Dead(), Dead(), WorkerMonitor(os.getpid()), AuditTask("plain")))
    stopping.append(1)
    assert crew.buried(dead) is None


def test_hostile_paths_and_an_endless_number_are_text(tmp_path):
    store = grown(tmp_path / "study", {"a": (0.5, 0.6), "b": (0.5, 0.7)})
    path = "<script>alert(1)</script>"
    endless = Finding("saturated logits", path, 1.7e308, {"loss": 1.7e308, "guessing": 1.6})
    many = tuple(Finding("small weights", f"net / conv ({i})", 0.01, {"output": 0.001}) for i in range(9))
    stores.write_audit(store, "a", Audit(AUDIT_SCHEMA, arch.hash(arch.network("plain_flower", 3)), 4, (endless,), ()))
    stores.write_audit(store, "b", Audit(AUDIT_SCHEMA, "", 4, many, ()))
    text = page.render(store, summarize(store))
    assert path not in text
    assert "logits are not finite before training (loss infinite; guessing: 1.60)" in text
    assert text.count("net / conv (") == 9
    warning = audits.warning("b", store.audits()["b"])
    assert warning.splitlines()[-1] == "  and 4 more"
