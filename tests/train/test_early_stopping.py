"""Runs that end early: by the rule of Keras, the same for every model, and to the same bits when resumed."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

import commongarden as cg
from commongarden.records import Epoch
from commongarden.study.recipe import Recipe, hashed
from commongarden.train import checkpoint, loop
from commongarden.train.early_stopping import is_over
from small_training import batches, epoch_batches, new, trained, weights, without_seconds


def history_of(accuracies, ema=None):
    ema = ema or [None] * len(accuracies)
    pairs = enumerate(zip(accuracies, ema, strict=True), 1)
    return [Epoch(n, 1.0, 0.5, 1.0, val, 1e-3, 0, 0, 0, 0, None, average) for n, (val, average) in pairs]


def keras(accuracies, patience):
    """The epoch behind which Keras' EarlyStopping(monitor="val_accuracy", patience=patience, min_delta=0) stops, as its
    on_epoch_end is written; all epochs where it never does."""
    best, wait = None, 0
    for epoch, current in enumerate(accuracies):
        if best is None:
            best = current
        wait += 1
        if epoch == 0 or current > best:
            best, wait = current, 0
        elif wait >= patience and epoch > 0:
            return epoch + 1
    return len(accuracies)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=30), st.integers(1, 5))
def test_it_stops_where_keras_does(correct, patience):
    """Accuracies of few images, with many equal ones."""
    accuracies = [n / 6 for n in correct]
    recipe = Recipe(epochs=len(accuracies), early_stopping=patience)
    history = history_of(accuracies)
    stops = next((n for n in range(1, len(history) + 1) if is_over(recipe, history[:n])), len(history))
    assert stops == keras(accuracies, patience)


def test_the_average_is_judged_where_it_is_tested():
    history = history_of([0.1, 0.2, 0.3], ema=[0.3, 0.2, 0.2])
    recipe = Recipe(early_stopping=2, ema_decay=0.9)
    assert not is_over(recipe, history)
    assert is_over(dataclasses.replace(recipe, select="ema"), history)


def test_without_it_nothing_stops_and_no_hash_changes():
    assert not is_over(Recipe(), history_of([0.5] * 10))
    assert "early_stopping" not in hashed(Recipe())
    with pytest.raises(cg.CommonGardenError, match="early_stopping: found -1, accepted: 0 or more"):
        Recipe(early_stopping=-1)


RECIPE = Recipe(resolution=12, epochs=9, batch_size=6, lr=0.05, optimizer="sgd", early_stopping=2, select="best-val")


def test_a_resumed_run_ends_where_one_that_never_stopped_does(tmp_path):
    whole = trained(RECIPE)
    n = len(whole.history)
    assert 2 < n < RECIPE.epochs, "the test needs a run that stops early"
    assert n - whole.best_epoch == RECIPE.early_stopping
    for stop in range(1, n + 1):
        first = new(RECIPE)
        steps = loop.train(first, epoch_batches, lambda: batches(18, seed=9), 6, 0, 0)
        while len(first.history) < stop:
            next(steps)
        (tmp_path / "checkpoint.pt").write_bytes(checkpoint.to_bytes(first))
        again = new(RECIPE)
        checkpoint.restore(again, tmp_path / "checkpoint.pt")
        again = trained(RECIPE, train_state=again)
        assert weights(again) == weights(whole)
        assert without_seconds(again.history) == without_seconds(whole.history)
        assert loop.selected(again) == whole.best_epoch
