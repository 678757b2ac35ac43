"""Installing into an environment that has PyTorch, such as a notebook in the cloud, keeps it."""

import json
import subprocess
import venv

import pytest

from paths import ROOT

METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}"
INSTALLED = {"torch": "2.6.0+cu124", "torchvision": "0.21.0+cu124"}


@pytest.mark.soak
@pytest.mark.parametrize("kept", [("torch", "torchvision"), ("torch",)], ids=" and ".join)
def test_an_installed_torch_is_kept_where_its_torchvision_is_there_too(tmp_path, kept):
    """A resolver looks at the metadata of what is installed only, so that is all there is of them here.

    docs/howto/lab.md says what happens to torch without torchvision, and what to do about it."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = next(path for path in (tmp_path / "venv").rglob("python*") if path.parent.name in ("bin", "Scripts"))
    site = next((tmp_path / "venv").rglob("site-packages"))
    for name in kept:
        folder = site / f"{name}-{INSTALLED[name]}.dist-info"
        folder.mkdir()
        requires = "Requires-Dist: torch==2.6.0\n" if name == "torchvision" else ""
        (folder / "METADATA").write_text(METADATA.format(name=name, version=INSTALLED[name], requires=requires))
        (folder / "RECORD").write_text("")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    newest = subprocess.run([*pip, "--upgrade", "pip"], capture_output=True, text=True)
    if newest.returncode:
        pytest.skip(f"the package registry cannot be reached: {newest.stderr[-200:]}")
    report = tmp_path / "report.json"
    command = [*pip, "--dry-run", "--report", report, ROOT]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    new = {item["metadata"]["name"].lower() for item in json.loads(report.read_text())["install"]}
    assert "commongarden" in new
    assert ("torch" in new) == ("torchvision" not in kept)
