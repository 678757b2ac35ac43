"""All models and all comparisons of a large study, in tables that the page folds."""

from __future__ import annotations

from commongarden.i18n.language import _
from commongarden.report.document import Block, Fold, Only, Table
from commongarden.report.topics import evidence, written_tables
from commongarden.report.wording import numbers, sizes
from commongarden.report.wording.labels import TEXT
from commongarden.report.wording.verdicts import verdicts
from commongarden.stats import Results
from commongarden.stats.answers import figure
from commongarden.stats.foremost import is_sweep, ranked


def models(results: Results) -> list[Block]:
    """Every model with its rank, folded; nothing where the table above has all."""
    if not is_sweep(results):
        return []
    name, best = _("All {n} models").format(n=numbers.whole(len(results.arms))), set(results.can_be_best or ())
    names = [_("rank"), TEXT["arm"], TEXT[_metric(results)], TEXT["interval_95"], TEXT["seconds"], TEXT["n_params"]]
    header = (*names, _("may be the best")) if best else tuple(names)
    rows = []
    for i, arm in enumerate(ranked(results), 1):
        found = figure(arm, results.metric)
        row = [
            str(i),
            arm.arm,
            "" if found is None else sizes.figure(results.metric, found.value),
            "" if found is None else sizes.span(results.metric, found),
            "" if arm.seconds is None else numbers.number(arm.seconds.value),
            numbers.short(arm.n_params),
        ]
        rows.append(tuple(row if not best else [*row, _("yes") if arm.arm in best else ""]))
    table = Table(f"{name}.", header, tuple(rows), 2, name)
    return [Only("page", (Fold(name, (table,)),))]


def _metric(results: Results) -> str:
    return "test_accuracy" if results.metric == "accuracy" else results.metric


def comparisons(results: Results) -> list[Block]:
    """Every planned comparison with its outcome, folded; nothing where all are told of."""
    if not is_sweep(results) or not results.contrasts:
        return []
    name = _("All {n} comparisons").format(n=numbers.whole(len(results.contrasts)))
    header = (TEXT["contrast"], TEXT["outcome"], TEXT["difference"], TEXT["interval_adjusted"])
    rows = []
    for found in verdicts(results):
        cells = evidence.cells(found)
        names = f"{found.arm} − {found.against}"
        rows.append((names, written_tables.outcome(found), cells["difference"], cells["interval_adjusted"]))
    return [Only("page", (Fold(name, (Table(f"{name}.", header, tuple(rows), 2, name),)),))]
