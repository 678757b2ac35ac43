"""A study with early stopping, from the command to the report, and the same run again."""

import json

import pytest

from commongarden import store as stores

STUDY = """
[study]
name = "early"
data = "{data}"
seeds = 2

[recipe]
resolution = 16
epochs = 9
batch_size = 8
lr = 1e-2
early_stopping = 1
select = "best-val"
schedule = "cosine"

[split]
train = 0.6
val = 0.2

[arms.plain]
arch = "plain_flower"
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory, commongarden, photos):
    folder = tmp_path_factory.mktemp("early")
    (folder / "study.toml").write_text(STUDY.format(data=photos.as_posix()))
    return folder / "out", commongarden("run", folder / "study.toml", "--out", folder / "out", check=0)


def test_runs_end_early_and_the_report_tells_how(made, commongarden):
    folder, done = made
    store = stores.open_store(folder)
    lengths = [len(store.history("plain", seed)) for seed in (0, 1)]
    assert min(lengths) < 9
    for seed, n in enumerate(lengths):
        run, accuracies = store.run("plain", seed), [epoch.val_accuracy for epoch in store.history("plain", seed)]
        assert not run.stopped_as_hopeless
        assert run.selected_epoch == accuracies.index(max(accuracies)) + 1
        assert n in (9, run.selected_epoch + 1)
    assert "early stopping may end runs sooner" in done.stderr
    text = commongarden("report", folder, "--format", "md", check=0).stdout.strip()
    with open(text, encoding="utf-8") as file:
        report = file.read()
    for said in (
        f"The runs took {min(lengths)} to {max(lengths)} of at most 9 epochs.",
        "Training ran for at most 9 epochs",
        "the test images chose nothing",
        "The learning-rate schedule was that of all 9 epochs and was cut",
        "at most 9 epochs each, with early stopping",
    ):
        assert said in report, said


def test_a_run_that_ended_early_is_reproduced(made, commongarden):
    folder, _done = made
    again = commongarden("replay", folder / "runs" / "plain" / "1", "--json", check=0)
    assert json.loads(again.stdout)["is_equal"]
