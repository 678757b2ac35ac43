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
    from commongarden.inference.ensemble import Ensemble as Ensemble
    from commongarden.inference.ensemble import load as load
    from commongarden.inference.evaluation import ClassScore as ClassScore
    from commongarden.inference.evaluation import Evaluation as Evaluation
    from commongarden.inference.evaluation import evaluate as evaluate
    from commongarden.inference.exported import Comparison as Comparison
    from commongarden.inference.exported import Exported as Exported
    from commongarden.inference.predictions import Prediction as Prediction
    from commongarden.inference.predictions import predict as predict
    from commongarden.inference.predictor import Predictor as Predictor
    from commongarden.records import Epoch as Epoch
    from commongarden.records import Estimate as Estimate
    from commongarden.records import Predictions as Predictions
    from commongarden.records import Run as Run
    from commongarden.records.screening import NotScreened as NotScreened
    from commongarden.records.screening import Screened as Screened
    from commongarden.records.screening import Screening as Screening
    from commongarden.report import to_pandas as to_pandas
    from commongarden.report import verdict as verdict
    from commongarden.report import write as write_report  # noqa: F401
    from commongarden.runner.display import Display as Display
    from commongarden.runner.executor import Executor as Executor
    from commongarden.runner.executor import Place as Place
    from commongarden.runner.forecast import Forecast as Forecast
    from commongarden.runner.measuring import measure as measure
    from commongarden.runner.measuring import preflight as preflight
    from commongarden.runner.observers import Observer as Observer
    from commongarden.runner.options import RunOptions as RunOptions
    from commongarden.runner.run_study import StudyOutcome as StudyOutcome
    from commongarden.screening.screen import screen as screen
    from commongarden.stats import ArmResult as ArmResult
    from commongarden.stats import ContrastResult as ContrastResult
    from commongarden.stats import Results as Results
    from commongarden.stats import summarize as summarize
    from commongarden.store import Store as Store
    from commongarden.store import open_store as open_store
    from commongarden.study import Contrast as Contrast
    from commongarden.study import DataOptions as DataOptions
    from commongarden.study import Published as Published
    from commongarden.study import SplitPlan as SplitPlan
    from commongarden.study import Study as Study
    from commongarden.study import Tuning as Tuning
    from commongarden.study import read as read_study  # noqa: F401
    from commongarden.study.arm import Arm as Arm
    from commongarden.study.origin import Origin as Origin
    from commongarden.study.recipe import Recipe as Recipe
    from commongarden.workflow import export as export
    from commongarden.workflow import run as run

_PUBLIC = {
    "Arm": ("study.arm", "Arm"),
    "ArmResult": ("stats", "ArmResult"),
    "ClassScore": ("inference.evaluation", "ClassScore"),
    "CommonGardenError": ("errors", "CommonGardenError"),
    "Comparison": ("inference.exported", "Comparison"),
    "Contrast": ("study", "Contrast"),
    "ContrastResult": ("stats", "ContrastResult"),
    "DataOptions": ("study", "DataOptions"),
    "Display": ("runner.display", "Display"),
    "Ensemble": ("inference.ensemble", "Ensemble"),
    "Epoch": ("records", "Epoch"),
    "Estimate": ("records", "Estimate"),
    "Evaluation": ("inference.evaluation", "Evaluation"),
    "Executor": ("runner.executor", "Executor"),
    "Exported": ("inference.exported", "Exported"),
    "Forecast": ("runner.forecast", "Forecast"),
    "NotScreened": ("records.screening", "NotScreened"),
    "Observer": ("runner.observers", "Observer"),
    "Origin": ("study.origin", "Origin"),
    "Place": ("runner.executor", "Place"),
    "Prediction": ("inference.predictions", "Prediction"),
    "Predictions": ("records", "Predictions"),
    "Predictor": ("inference.predictor", "Predictor"),
    "Published": ("study", "Published"),
    "Recipe": ("study.recipe", "Recipe"),
    "Results": ("stats", "Results"),
    "Run": ("records", "Run"),
    "RunOptions": ("runner.options", "RunOptions"),
    "Screened": ("records.screening", "Screened"),
    "Screening": ("records.screening", "Screening"),
    "SplitPlan": ("study", "SplitPlan"),
    "Store": ("store", "Store"),
    "Study": ("study", "Study"),
    "StudyOutcome": ("runner.run_study", "StudyOutcome"),
    "Tuning": ("study", "Tuning"),
    "arch": ("arch", ""),
    "evaluate": ("inference.evaluation", "evaluate"),
    "export": ("workflow", "export"),
    "load": ("inference.ensemble", "load"),
    "measure": ("runner.measuring", "measure"),
    "open_store": ("store", "open_store"),
    "predict": ("inference.predictions", "predict"),
    "preflight": ("runner.measuring", "preflight"),
    "read_study": ("study", "read"),
    "run": ("workflow", "run"),
    "screen": ("screening.screen", "screen"),
    "summarize": ("stats", "summarize"),
    "to_pandas": ("report", "to_pandas"),
    "verdict": ("report", "verdict"),
    "write_report": ("report", "write"),
}
__all__ = [*sorted(_PUBLIC), "__version__"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib import metadata  # a quarter of the time of `commongarden --help`

        return metadata.version("commongarden")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'commongarden' has no attribute {name!r}")
    module, attribute = _PUBLIC[name]
    loaded = importlib.import_module(f"commongarden.{module}")
    return getattr(loaded, attribute) if attribute else loaded


def __dir__() -> list[str]:
    return __all__
