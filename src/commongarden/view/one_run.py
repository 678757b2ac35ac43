"""One run of a study, as blocks of the report's document: what an address such as #run=resnet18/0 shows."""

from __future__ import annotations

from collections.abc import Sequence

from commongarden.i18n.durations import duration
from commongarden.i18n.language import _
from commongarden.io.terminal import DASH
from commongarden.records import Epoch
from commongarden.records.event_log import RunName
from commongarden.report.document import Block, Cell, Fold, Paragraph, Table
from commongarden.runner.display import name_of, outcome
from commongarden.store import Store
from commongarden.view.progress import Progress, job_of


def blocks(store: Store, progress: Progress, run: RunName) -> tuple[Block, ...]:
    """Its outcome, or how far it is, and its epochs. Raises StoreError, KeyError for a run that the study lacks."""
    study = store.study()
    if run.arm not in study.arms or run.seed not in study.seeds:
        raise KeyError(f"{run.arm}/{run.seed}")
    name = Cell(name_of(job_of(run)), arm=run.arm)
    if not store.has(run.arm, run.seed):
        epochs = progress.epochs.get(run, [])
        is_under_way = run in progress.under_way
        said = _("under way") if is_under_way else _("stopped") if epochs else _("not started")
        return Paragraph(f"{name.text}: {said}", role="headline"), *_epochs(epochs)
    record, history = store.run(run.arm, run.seed), store.history(run.arm, run.seed)
    made: list[Block] = [Paragraph(f"{name.text}: {outcome(record)}", role="headline")]
    figures = [record.device, duration(sum(epoch.seconds_train + epoch.seconds_val for epoch in history))]
    if record.selected_epoch:
        figures.append(_("weights of epoch {epoch}").format(epoch=record.selected_epoch))
    made.append(Paragraph("; ".join(figures), role="soft"))
    return *made, *_epochs(history)


def _epochs(epochs: Sequence[Epoch]) -> tuple[Block, ...]:
    if not epochs:
        return ()
    columns = (_("epoch"), _("loss"), _("accuracy"), _("validation loss"), _("validation accuracy"))
    rows = tuple(
        (
            str(one.epoch),
            _figure(one.train_loss),
            f"{100 * one.train_accuracy:.1f} %",
            _figure(one.val_loss),
            f"{100 * one.val_accuracy:.1f} %",
        )
        for one in epochs
    )
    return (Fold(_("Epochs of this run"), (Table(_("Epochs of this run"), columns, rows),)),)


def _figure(value: float) -> str:
    return f"{value:.3f}" if value == value else DASH
