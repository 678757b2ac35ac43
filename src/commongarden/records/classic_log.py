"""A run's log in the form of the original experiment."""

from __future__ import annotations

from collections.abc import Sequence

from commongarden.i18n.language import N_, _
from commongarden.records import Epoch, Run

STARTED = N_("Model {name} train started:")
EPOCH = N_("    Epoch {epoch}: cost={loss:.3f}, accuracy={train:.3f}/{val:.3f} ({taken:.0f}/{in_all:.0f} secs)")
ENDED = N_("Model {name} train ended in {taken:.0f} secs:")
FAILED = N_("Model {name} failed: {reason}")
TESTED = N_("Model {name} test report: accuracy = {accuracy:.3f}, ({taken:.0f} secs)")


def classic_log(
    name: str, n_epochs: int, history: Sequence[Epoch], run: Run | None, *, translated: bool = False
) -> list[str]:
    """A run's log as the original framework printed it, so far as it has come: a report after every fifth part of the
    epochs, and after the last. run: None while it is under way. translated: into the language in use."""
    say = _ if translated else str
    every = max(1, n_epochs // 5)
    lines = [say(STARTED).format(name=name)]
    since, before = 0.0, 0.0
    for epoch in history:
        since += epoch.seconds
        is_last = epoch.epoch == n_epochs or (run is not None and epoch is history[-1])
        if epoch.epoch % every == 0 or is_last:
            reached = {"loss": epoch.train_loss, "train": epoch.train_accuracy, "val": epoch.val_accuracy}
            lines.append(say(EPOCH).format(epoch=epoch.epoch, taken=since - before, in_all=since, **reached))
            before = since
    if run is None:
        return lines
    lines.append(say(ENDED).format(name=name, taken=since))
    if run.failure is not None:
        lines.append(say(FAILED).format(name=name, reason=run.failure))
    else:
        assert run.test_accuracy is not None
        lines.append(say(TESTED).format(name=name, accuracy=run.test_accuracy, taken=run.seconds_test or 0))
    return [*lines, ""]
