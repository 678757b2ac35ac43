"""What layers and reasons are called: stable English keys, and the words that a person reads for them."""

from __future__ import annotations

from commongarden.explain.time import TimePart
from commongarden.i18n.language import N_

KINDS = {
    "convolution": N_("convolution"), "dense layer": N_("dense layer"), "batch norm": N_("batch norm"),
    "activation": N_("activation"), "pool": N_("pool"), "dropout": N_("dropout"), "noise": N_("noise layer"),
    "normalization": N_("normalization"), "attention": N_("attention"), "concatenation": N_("concatenation"),
    "sum": N_("sum"), "block": N_("overhead between layers"), "Parallel": N_("module with branches"),
    "Add": N_("shortcut sum"), "branch": N_("branch"), "shortcut": N_("shortcut"),
    "data": N_("data loading"), "loss": N_("loss"), "optimizer": N_("optimizer"),
    "other": N_("loop overhead"),
}  # fmt: skip
BATCH_NORM = "batch norm"
INSIDE = ("convolution", "dense layer", "pool", BATCH_NORM)


def reason_kind(part: TimePart) -> str:
    """A stable English name."""
    if part.source in ("edit", "layer", "only"):
        return "memory-bound block" if part.memory_bound else "slow layer"
    return {"images": "larger images", "same": "same layers, slower", "passing": "many layers"}.get(
        part.source, part.source
    )
