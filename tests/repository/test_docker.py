"""The Dockerfile: what it copies is there and is sent to the builder; where there is Docker, the image is built."""

import re
import shutil
import subprocess

import pytest

from paths import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_what_is_copied_is_there_and_sent():
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [path for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE) for path in line.split()]
    assert sorted(copied) == sorted(sent)
    assert all((ROOT / path).exists() for path in copied)


def test_the_shell_of_its_steps_takes_cpu_and_cuda_and_refuses_others(tmp_path):
    """With a pip that prints what it was asked for."""
    shutil.copy(ROOT / "constraints.txt", tmp_path)
    (tmp_path / "pip").write_text('#!/bin/sh\necho "pip $*"\n')
    (tmp_path / "pip").chmod(0o755)
    (step,) = re.findall(r"^RUN (grep (?:.*\\\n)*.*)$", DOCKERFILE, re.MULTILINE)
    step = step.replace("\\\n", " ")  # as Docker joins its lines

    def run(torch):
        path = f"{tmp_path}:/usr/bin:/bin"
        return subprocess.run(
            ["sh", "-c", step], cwd=tmp_path, env={"PATH": path, "TORCH": torch}, capture_output=True, text=True
        )

    assert "--index-url https://download.pytorch.org/whl/cpu --requirement torch.txt" in run("cpu").stdout
    assert run("cuda").stdout == "pip install --constraint constraints.txt --requirement torch.txt\n"
    assert [line.partition("==")[0] for line in (tmp_path / "torch.txt").read_text().split()] == [
        "torch",
        "torchvision",
    ]
    wrong = run("rocm")
    assert (wrong.returncode, wrong.stderr) == (2, "TORCH: found 'rocm', accepted: cpu, cuda\n")


@pytest.mark.soak
def test_the_image_is_built_and_trains(tmp_path):
    if shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True).returncode:
        pytest.skip("there is no Docker here, or its daemon does not run")
    subprocess.run(["docker", "build", "--tag", "commongarden-test", ROOT], check=True)
    command = ["docker", "run", "--rm", "--volume", f"{tmp_path}:/workspace", "commongarden-test"]
    subprocess.run([*command, "run", "demo", "--epochs", "1", "--seeds", "1", "--yes"], check=True)
    assert list(tmp_path.glob("garden/*/report.html"))
