"""What a user of the library may import: the list, its documentation, and that types in its signatures are in it."""

import dataclasses
import inspect
import re
import typing
from importlib import metadata

import griffe
import pytest

import commongarden as cg

NAMES = [
    "Arm",
    "ArmResult",
    "ClassScore",
    "CommonGardenError",
    "Comparison",
    "Contrast",
    "ContrastResult",
    "DataOptions",
    "Display",
    "Ensemble",
    "Epoch",
    "Estimate",
    "Evaluation",
    "Executor",
    "Exported",
    "Forecast",
    "NotScreened",
    "Observer",
    "Origin",
    "Place",
    "Prediction",
    "Predictions",
    "Predictor",
    "Published",
    "Recipe",
    "Results",
    "Run",
    "RunOptions",
    "Screened",
    "Screening",
    "SplitPlan",
    "Store",
    "Study",
    "StudyOutcome",
    "Tuning",
    "__version__",
    "arch",
    "evaluate",
    "export",
    "load",
    "measure",
    "open_store",
    "predict",
    "preflight",
    "read_study",
    "run",
    "screen",
    "summarize",
    "to_pandas",
    "verdict",
    "write_report",
]
RAISES_NOTHING = {"to_pandas", "verdict"}
# in signatures, and not for users: what the command line hands down
INTERNAL = {"Listed", "RunKeywords"}


def public(kind):
    return [name for name in cg.__all__ if kind(getattr(cg, name))]


FUNCTIONS = public(inspect.isfunction)


def test_the_public_names_are_these():
    """One more is a decision: it is kept working, or goes through a deprecation."""
    assert sorted(cg.__all__) == sorted(NAMES) == sorted(dir(cg))
    assert cg.__version__ == metadata.version("commongarden")
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        cg.nothing  # noqa: B018


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_documents_its_arguments_results_and_errors(name):
    text, signature = inspect.getdoc(getattr(cg, name)), inspect.signature(getattr(cg, name))
    arguments = [key for key, one in signature.parameters.items() if one.kind is not one.VAR_KEYWORD]
    documented = re.findall(r"^    \**(\w+): \S", text.partition("Args:")[2].partition("\n\n")[0], re.MULTILINE)
    assert [key for key in documented if key in arguments] == arguments
    assert re.search(r"^(Returns|Yields):\n    \S", text, re.MULTILINE)
    assert name in RAISES_NOTHING or re.search(r"^Raises:\n    \w+: \S", text, re.MULTILINE)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_types_in_a_public_signature_are_public(name):
    function = getattr(cg, name)
    named = set()
    for annotation in (*[one.annotation for one in inspect.signature(function).parameters.values()],
                       inspect.signature(function).return_annotation):  # fmt: skip
        named |= set(re.findall(r"\b[A-Z]\w+", str(annotation)))
    ours = {
        one for one in named if not hasattr(typing, one) and one not in ("None", "Path", "Input", "Unpack", "DataFrame")
    }
    assert ours - INTERNAL <= set(cg.__all__)


@pytest.mark.parametrize("name", public(inspect.isclass))
def test_a_public_class_is_documented(name):
    one = getattr(cg, name)
    text = inspect.getdoc(one) or ""
    assert text.partition("\n")[0].strip().endswith((".", ",", ":", "it")) or len(text) > 40
    assert not (dataclasses.is_dataclass(one) and text.startswith(f"{name}(")), "the docstring is dataclass's own"


def test_an_api_reference_can_be_made_of_the_docstrings_without_warnings(caplog):
    package = griffe.load("commongarden", resolve_aliases=True)
    for name in set(cg.__all__) - {"__version__", "arch"}:
        one = package[name].final_target if package[name].is_alias else package[name]
        members = [member for key, member in one.members.items() if not key.startswith("_")] if one.is_class else []
        for documented in (one, *members):
            if documented.docstring:
                assert documented.docstring.parse("google")
    assert caplog.messages == []
