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


def decision(what: str, arm: str) -> str:
    """What a person did from the page, or by a command."""
    said = {
        "stop": _("stopped by a person"),
        "stop-after-epoch": _("a person asked to stop after the epoch"),
        "resume": _("resumed from the page"),
        "seed": _("one more seed, from the page"),
        "drop": _("a person dropped {arm}"),
        "restore": _("a person restored {arm}"),
    }
    return said[what].format(arm=arm)


def order_names() -> dict[str, str]:
    """The orders of the test photos (browsing.py)."""
    return {
        "disagreement": _("models disagree"),
        "wrong": _("most often wrong"),
        "unsure": _("least confident"),
    }


def photo_said(wrong: float) -> str:
    """Below a test photo."""
    return _("{share:.0f} % wrong").format(share=100 * wrong)


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
        "steer": _("Steer"),
        "stop": _("Stop now"),
        "stop-after-epoch": _("Stop after this epoch"),
        "drop": _("Drop this model"),
        "model": _("model"),
        "resume": _("Resume"),
        "seed": _("One more seed"),
        "sure_stop": _("Stop the study? Finished epochs are saved."),
        "sure_stop-after-epoch": _("Stop the study when each run has finished its epoch?"),
        "sure_drop": _("Train no more runs of {arm}? Finished runs stay, and the report says so."),
        "sure_resume": _("Resume the study on this machine?"),
        "sure_seed": _("Add a seed to every model and run it on this machine?"),
        "compare": _("Compare the selected studies"),
        "try": _("Try images"),
        "try_said": _("Show an image to every model: its most probable classes, and where the model finds evidence."),
        "try_which": _(
            "Each model answers with its run of the highest validation accuracy. `commongarden predict` averages all "
            "runs of a model, so its answer can differ."
        ),
        "choose": _("Choose an image, or drop one here"),
        "camera": _("Use the camera"),
        "asking": _("Asking the models. The first image takes some seconds longer."),
        "near": _("Show the most similar images of the study"),
        "near_asking": _(
            "Comparing features. The first time, those of all images are computed, which can take minutes."
        ),
        "distance": _("distance"),
        "unanswered": _("No answer from `commongarden view`."),
        "test_photos": _("Test images"),
        "class": _("class"),
        "all_classes": _("all"),
        "order": _("order"),
        "more": _("More"),
        "no_photos": _("No run has been tested yet."),
        "back": _("Back to the study"),
    }
