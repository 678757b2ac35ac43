"""A run's log in the form of the original experiment."""

from __future__ import annotations

from collections.abc import Sequence

from commongarden.records import Epoch, Run


def classic_log(name: str, n_epochs: int, history: Sequence[Epoch], run: Run | None) -> list[str]:
    """A run's log as the original framework printed it, so far as it has come: a report after every fifth part of the
    epochs, and after the last. run: None while it is under way."""
    every = max(1, n_epochs // 5)
    lines = [f"Model {name} train started:"]
    since, before = 0.0, 0.0
    for epoch in history:
        since += epoch.seconds
        if epoch.epoch % every == 0 or epoch.epoch == n_epochs:
            lines.append(
                f"    Epoch {epoch.epoch}: cost={epoch.train_loss:.3f}, "
                f"accuracy={epoch.train_accuracy:.3f}/{epoch.val_accuracy:.3f} "
                f"({since - before:.0f}/{since:.0f} secs)"
            )
            before = since
    if run is None:
        return lines
    lines.append(f"Model {name} train ended in {since:.0f} secs:")
    if run.failure is not None:
        lines.append(f"Model {name} failed: {run.failure}")
    else:
        lines.append(
            f"Model {name} test report: accuracy = {run.test_accuracy:.3f}, ({run.seconds_test or 0:.0f} secs)"
        )
    return [*lines, ""]
