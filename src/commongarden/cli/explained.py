"""What `commongarden explain` says of accuracy: what a study's runs show, and what a few steps of two arms do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commongarden.cli.options import print_json
from commongarden.errors import StudyError, check_known
from commongarden.i18n.language import _, translate

if TYPE_CHECKING:
    from commongarden.explain import Reason
    from commongarden.profiling.processes import Candidate


def study(folder: Path, wanted: tuple[str, ...], as_json: bool) -> None:
    """Observations of every arm, or of two, and the reasons of their differences."""
    import itertools

    from commongarden import explain as explaining
    from commongarden import stats
    from commongarden import store as stores

    store = stores.open_store(folder)
    declared = store.study()
    check_known("model", wanted, declared.arms, StudyError)
    if len(wanted) == 1:
        raise click.UsageError(_("explain: found one model, accepted: two models of the study, or none"))
    arms = wanted or tuple(declared.arms)
    shown = {arm: explaining.observations(store, arm) for arm in arms}
    notes = {arm: ended for arm in arms if (ended := explaining.notes(store, arm))}
    pairs = [(contrast.arm, contrast.against) for contrast in declared.contrasts] if not wanted else []
    pairs = pairs or list(itertools.combinations(arms, 2))
    contrasts = stats.summarize(store).contrasts
    reasons = {pair: explaining.study_reasons(store, *pair, contrasts) for pair in pairs}
    differences = {pair: explaining.accuracy_difference(store, *pair, contrasts) for pair in pairs}
    together = {
        pair
        for pair in pairs
        if (found := explaining.planned_contrast(contrasts, *pair)) is not None and found.family > 1
    }
    unplanned = {pair for pair in pairs if explaining.planned_contrast(contrasts, *pair) is None}
    if as_json:
        import msgspec

        print_json(
            {
                "study": declared.name,
                "observations": [
                    msgspec.to_builtins(found) | {"says": explaining.said(found)}
                    for one in shown.values()
                    for found in one
                ],
                **({"notes": notes} if notes else {}),
                "pairs": [
                    {
                        "arm": one,
                        "against": two,
                        "difference": msgspec.to_builtins(differences[one, two]),
                        "reasons": [row(reason) for reason in reasons[one, two]],
                    }
                    for one, two in pairs
                ],
            }
        )
        return
    from commongarden.report.topics import why

    for text in why.lines(shown, differences, reasons, together, unplanned):
        click.echo(text)
    for arm, reasons_to_stop in notes.items():
        for note in reasons_to_stop:
            click.echo(f"{arm}: {translate(note)}")


def probe_reasons(candidates: Mapping[str, Candidate], classes: int, photos: int) -> tuple[Reason, ...]:
    """Why one of two arms may be right less often, by a few steps of each; photos: how many it is to train on."""
    from commongarden import arch
    from commongarden.explain import accuracy_reasons
    from commongarden.runner.measuring import measure
    from commongarden.train.probe import probe_drawn

    probes = []
    for each in candidates.values():
        arm = each.arm if each.arm.origin is None else measure(each.arm, classes, each.input)
        network = arm.network(classes)
        arch.trace(network, each.input)
        probes.append(probe_drawn(network, each.input, classes, each.recipe, photos))
    one, two = candidates
    return accuracy_reasons((one, two), (probes[0], probes[1]))


def row(reason: Reason) -> dict[str, Any]:
    return reason.to_row() | {"says": translate(reason.text)}
