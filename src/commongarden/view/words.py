"""What the frames of the pages say, and what they call the states of a study."""

from __future__ import annotations

from commongarden.i18n.language import N_, _

STATES = {
    "running": N_("Running"),
    "finished": N_("Finished"),
    "stopped": N_("Stopped"),
    "killed": N_("Interrupted"),
    "error": N_("Stopped by an error"),
    "waiting": N_("Not started"),
    "unreadable": N_("Cannot be read"),
}


def state_name(state: str) -> str:
    """A state as the page says it."""
    return _(STATES[state])


def texts() -> dict[str, str]:
    """The texts of the frames, in the language in use, by the name that the templates use."""
    return {
        "all_studies": _("All studies"),
        "studies": _("Studies"),
        "study": _("study"),
        "state": _("state"),
        "runs": _("runs"),
        "best": _("best model"),
        "changed": _("last change"),
        "took": _("duration"),
        "size": _("size"),
        "none": _("No studies in this folder yet. A study appears here when `commongarden run` starts it."),
        "now": _("Now"),
        "lost": _("No connection to `commongarden view`. This is the last known state; the page reconnects by itself."),
        "reading": _("Reading the study"),
        "curves": _("Curves of the runs"),
        "curve_val_accuracy": _("Validation accuracy by epoch, a line a run"),
        "curve_train_loss": _("Training loss by epoch, a line a run"),
        "needs_script": _("This page needs JavaScript. report.html in the study's folder has the report without it."),
        "writing": _("Writing the report"),
    }
