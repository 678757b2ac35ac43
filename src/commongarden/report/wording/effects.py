"""The effects of a factorial study in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from commongarden.i18n.language import _
from commongarden.records import Estimate
from commongarden.report.wording import designs
from commongarden.report.wording.numbers import listed
from commongarden.report.wording.sizes import figure, margin, signed
from commongarden.stats import Effect, Factorial


def sentence(effect: Effect, among: Factorial) -> str:
    """One effect with its evidence, the interval being the one that Holm's correction leaves."""
    what, found = _what(effect), effect.adjusted
    if found is None:
        return _("{effect}: not estimated, because a model that it needs has no finished run.").format(effect=what)
    value, n = signed(among.metric, found.value), designs.repeats(found.n, among.folds)
    if found.low is None or found.high is None:
        return _("{effect}: {value} ({n}, no interval).").format(effect=what, value=value, n=n)
    if effect.over:
        said = _("{effect}: {value} (95 % CI {interval}, {n}), averaged over {over}.")
    else:
        said = _("{effect}: {value} (95 % CI {interval}, {n}).")
    over = listed(effect.over) if effect.over else ""
    said = said.format(effect=what, value=value, interval=interval(among.metric, found), n=n, over=over)
    if effect.outcome == "equivalent":
        return said + " " + _("It is smaller than {margin}.").format(margin=margin(among.metric, among.margin))
    return said if effect.outcome == "established" else said + " " + _("Not significant.")


def interval(metric: str, found: Estimate) -> str:
    """The ends of an interval, "" where there is none; one that ends beside zero must not read as ending on it."""
    if found.low is None or found.high is None:
        return ""
    near = found.low * found.high > 0 and min(abs(found.low), abs(found.high)) < 0.0005
    low, high = (figure(metric, end, 2 if near else 1) for end in (found.low, found.high))
    return _("{low} to {high}").format(low=low, high=high)


def _what(effect: Effect) -> str:
    if len(effect.steps) > 1:
        steps = [_("{factor} ({level} against {against})").format(**vars(step)) for step in effect.steps]
        return _("Interaction of {factors}").format(factors=listed(steps))
    return _("{factor} {level} against {against}").format(**vars(effect.steps[0]))


def notes(found: Factorial) -> Iterator[str]:
    """How the effects were estimated, and what that means for reading them."""
    if not found.n_seeds:
        yield _("No run has finished yet.")
        return
    if found.kind == "paired" and found.folds:
        yield _("Each effect is computed within every fold, from runs of all models.")
    elif found.kind == "paired":
        yield _("Each effect is computed within every seed, from runs of all models.")
    elif found.kind == "mixed model":
        yield _("Some runs are missing, so the effects come from a mixed model with a random intercept for each seed.")
    else:
        yield _(
            "Some runs are missing, and the mixed model used instead of pairing did not converge, so there "
            "are no intervals. Finish the missing runs to get them."
        )
    if any(effect.p_holm is not None for effect in found.effects):
        yield _("Intervals are widened by Holm's correction over the {n} effects.").format(n=len(found.effects))
    if any(len(levels) > 2 for _name, levels in found.factors):
        yield _("Each level is compared with the first level of its factor.")
    if any(len(effect.steps) > 1 for effect in found.effects):
        yield _("An interaction is the increase of one difference when the other factor changes to its later level.")
