"""A script without the main guard is refused in one sentence, before anything is prepared; guarded ones run."""

import subprocess
import sys

import pytest

CALLS = {
    "run": 'cg.run(cg.Study("s", "builtin:flowers/60", {"a": cg.Arm("plain_flower")}), "out")',
    "preflight": 'cg.preflight(cg.Arm("timm:test_vit"), 3, (160, 160, 3))',
}
GUARDED = """
import runpy, sys
from commongarden.runner import main_guard

def work():
    main_guard.check()

if "__main__" == __name__:
    work()
    print("done")
"""


def script(tmp_path, text):
    (tmp_path / "mine.py").write_text(text, encoding="utf-8")
    return subprocess.run([sys.executable, "mine.py"], cwd=tmp_path, capture_output=True, text=True, timeout=100)


@pytest.mark.parametrize("name", CALLS)
def test_a_script_without_a_guard_gets_one_sentence(name, tmp_path):
    done = script(tmp_path, f"import commongarden as cg\n\ndef work():\n    {CALLS[name]}\n\nwork()\n")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(
        'mine.py, line 6: put this call under `if __name__ == "__main__":`, since worker processes import the script'
    )
    assert done.stderr.count("Traceback") == 1
    assert len(done.stderr.splitlines()) < 25
    assert not (tmp_path / "out").exists()


def test_a_guarded_script_runs(tmp_path):
    assert script(tmp_path, GUARDED).stdout == "done\n"


def test_code_without_a_file_runs():
    code = "from commongarden.runner import main_guard; main_guard.check(); print('done')"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "done\n"
