"""What an export wrote, and how it compares with the network in torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from commongarden.i18n.language import _
from commongarden.inference.use import Use

TOLERANCE = 1e-3  # of the largest logit, where that is above 1: float32 rounds larger numbers more coarsely
# times torch's own distance from float64, where a network magnifies rounding: other programs round elsewhere
ROUNDINGS = 4
BATCHES = (1, 3)  # a graph is made with two images; these sizes show that it takes any number


@dataclass(frozen=True)
class Comparison:
    """Logits of a written file beside those of torch.

    program: what ran the file. max_difference: greatest absolute difference of any logit; max_logit: the greatest
    absolute logit, to judge it by. rounding: the greatest difference of any logit between torch in float32 and in
    float64, measured only if the other is large.
    """

    program: str
    max_difference: float
    max_logit: float
    rounding: float = 0.0

    @property
    def agrees(self) -> bool:
        return self.max_difference <= self.tolerance

    @property
    def tolerance(self) -> float:
        """The largest difference that rounding explains."""
        return max(TOLERANCE * max(1.0, self.max_logit), ROUNDINGS * self.rounding)


@dataclass(frozen=True)
class Exported:
    """path: the file or folder. kind: its form, with its version. inputs, outputs: name, type and shape, and what they
    mean. load: one line of Python that loads it. of: which run it is and why, if it is one of a study's. notes: what
    differs from how the run was tested. use: how a folder of weights is loaded."""

    path: Path
    kind: str
    inputs: str
    outputs: str
    load: str
    bytes: int
    compared: Comparison
    of: str = ""
    notes: tuple[str, ...] = ()
    use: Use | None = None

    @property
    def agrees(self) -> bool:
        return self.compared.agrees


def describe(exported: Exported) -> str:
    """What was written, how to load it, what goes in and out, and whether both programs agree, for the terminal."""
    size = _("{path}: {size:,.2f} MB, {kind}")
    lines = [
        exported.of,
        size.format(path=exported.path, size=exported.bytes / 1e6, kind=exported.kind),
        f"in:   {exported.inputs}",
        f"out:  {exported.outputs}",
        f"load: {exported.load}",
        _comparison(exported.compared),
        *exported.notes,
    ]
    return "\n".join(filter(None, lines))


def _comparison(found: Comparison) -> str:
    values = {
        "program": found.program,
        "difference": found.max_difference,
        "logit": found.max_logit,
        "batches": ", ".join(map(str, BATCHES)),
    }
    if found.agrees and found.rounding:
        return _(
            "PyTorch and {program} agree within rounding: max difference {difference:.2e} (largest logit {logit:.3g}, "
            "batches of {batches}); PyTorch in float32 differs from float64 by {rounding:.2e}, as this network "
            "magnifies rounding"
        ).format(rounding=found.rounding, **values)
    if found.agrees:
        return _(
            "PyTorch and {program} agree: max difference {difference:.2e} (largest logit {logit:.3g}, batches of "
            "{batches})"
        ).format(**values)
    return _(
        "PyTorch and {program} DIFFER by more than {tolerance:g}: max difference {difference:.2e} (largest logit "
        "{logit:.3g}, batches of {batches})"
    ).format(tolerance=found.tolerance, **values)
