"""The Kubernetes example names the version of Ray that is tested here, and the token that the command then finds."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def test_the_example_has_the_pinned_version_and_asks_for_a_token():
    _, cluster = yaml.safe_load_all((ROOT / "examples" / "kuberay.yaml").read_text(encoding="utf-8"))
    pinned = re.search(r"^ray==(.+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)[1]
    assert cluster["spec"]["rayVersion"] == pinned
    assert cluster["spec"]["authOptions"] == {"mode": "token"}
    for page in ("cluster.md", "cluster.ko.md"):
        assert f"ray[default]=={pinned}" in (ROOT / "docs" / "howto" / page).read_text(encoding="utf-8")
