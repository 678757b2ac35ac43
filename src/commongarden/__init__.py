"""Common garden experiments for neural networks: from a folder of photos to a fair comparison.

    import commongarden as cg

    if __name__ == "__main__":
        study = cg.Study("my photos", "photos/", arms={
            "plain": cg.Arm("plain_flower"),
            "residual": cg.Arm("residual_flower"),
        }, recipe=cg.Recipe(epochs=5), seeds=(0, 1, 2))
        results, _ = cg.run(study, "garden/my-photos")
        for contrast in results.contrasts:
            print(cg.verdict(contrast))

Names are loaded when they are first used: importing the package loads neither torch nor anything else that is slow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from commongarden import arch as arch
    from commongarden.errors import CommonGardenError as CommonGardenError
    from commongarden.inference.predictor import load as load
    from commongarden.inference.predictor import predict as predict
    from commongarden.report import verdict as verdict
    from commongarden.report import write as write_report  # noqa: F401
    from commongarden.runner.measuring import measure as measure
    from commongarden.runner.measuring import preflight as preflight
    from commongarden.runner.options import RunOptions as RunOptions
    from commongarden.stats import summarize as summarize
    from commongarden.store import open_store as open_store
    from commongarden.study import Contrast as Contrast
    from commongarden.study import SplitPlan as SplitPlan
    from commongarden.study import Study as Study
    from commongarden.study import Tuning as Tuning
    from commongarden.study import read as read_study  # noqa: F401
    from commongarden.study.arm import Arm as Arm
    from commongarden.study.recipe import Recipe as Recipe
    from commongarden.workflow import run as run

_PUBLIC = {
    "Arm": ("study.arm", "Arm"),
    "CommonGardenError": ("errors", "CommonGardenError"),
    "Contrast": ("study", "Contrast"),
    "Recipe": ("study.recipe", "Recipe"),
    "RunOptions": ("runner.options", "RunOptions"),
    "SplitPlan": ("study", "SplitPlan"),
    "Study": ("study", "Study"),
    "Tuning": ("study", "Tuning"),
    "arch": ("arch", ""),
    "load": ("inference.predictor", "load"),
    "measure": ("runner.measuring", "measure"),
    "open_store": ("store", "open_store"),
    "preflight": ("runner.measuring", "preflight"),
    "predict": ("inference.predictor", "predict"),
    "read_study": ("study", "read"),
    "run": ("workflow", "run"),
    "summarize": ("stats", "summarize"),
    "verdict": ("report", "verdict"),
    "write_report": ("report", "write"),
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'commongarden' has no attribute {name!r}")
    module, attribute = _PUBLIC[name]
    loaded = importlib.import_module(f"commongarden.{module}")
    return getattr(loaded, attribute) if attribute else loaded


def __dir__() -> list[str]:
    return __all__
