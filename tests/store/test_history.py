"""history.csv: the epochs of a run, with the columns that they have."""

import dataclasses

import pytest

from commongarden.records import Epoch
from commongarden.store import read_history, write_run
from grown import grown

PLAIN = Epoch(1, 1.5, 0.25, 1.25, 0.5, 0.001, 0.1, 0.2, 0.3, 0.4)


@pytest.mark.parametrize("ema", [(None, None), (0.75, 0.625)])
def test_epochs_come_back_as_they_were(tmp_path, ema):
    store = grown(tmp_path / "study", {"a": (0.5,)})
    (run,) = store.runs()
    epochs = tuple(dataclasses.replace(PLAIN, epoch=i, ema_val_loss=ema[0], ema_val_accuracy=ema[1]) for i in (1, 2))
    write_run(store, dataclasses.replace(run, seed=7), epochs, None, None)
    folder = store.directory("a", 7)
    assert read_history(folder) == epochs
    header = (folder / "history.csv").read_text().partition("\n")[0]
    assert ("ema_val_loss" in header) == (
        ema[0] is not None
    )  # without an average, the file is that of earlier versions
