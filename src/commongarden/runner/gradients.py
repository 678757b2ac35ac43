"""Before an architecture is first trained on a machine, the gradients of its convolutions are compared with a
reference.

What was compared is kept in the cache, by network, machine and version of torch. Networks of other people's code are
compared in their preflight check.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from commongarden import arch
from commongarden.arch import Node
from commongarden.data import result_cache
from commongarden.errors import RunnerError
from commongarden.i18n.language import _, translate
from commongarden.runner import plan
from commongarden.runner.isolated import Calls, Died, Progress
from commongarden.study.recipe import Recipe

SECONDS = 3.0  # for a study; what is left over waits for the next one
ACCEPTED = 'layout = "channels-first"'
Subject = tuple[Node, Recipe]


def check(subjects: Mapping[str, Subject], cache_folder: Path) -> None:
    """Raises RunnerError for a convolution whose output or gradients are wrong on this machine. subjects: by arm."""
    keys = {name: _key(*subject) for name, subject in subjects.items()}
    lacking = {name: subjects[name] for name, key in keys.items() if result_cache.recall(cache_folder, key) is None}
    if not lacking:
        return
    machine = plan.machine().processor
    shapes = result_cache.key("convolution-shapes", [], ("torch",), machine=machine)
    known = (result_cache.recall(cache_folder, shapes) or b"").decode().split("\n")
    try:
        with closing(Calls()) as made:
            found, right = made.call(_compared, lacking, frozenset(known), SECONDS)
    except Died as died:
        text = _("{arm}: the gradient check of its convolutions crashed: {cause}; accepted: {accepted}")
        raise RunnerError(text.format(arm=died.phase, cause=translate(died.cause), accepted=ACCEPTED)) from None
    for name, wrong in found.items():
        if wrong:
            text = _(
                "{arm}: torch computes a wrong gradient for the convolution {convolution} on this machine; "
                "accepted: {accepted} in the recipe, or another version of torch"
            )
            raise RunnerError(text.format(arm=name, convolution=wrong, accepted=ACCEPTED))
        result_cache.keep(cache_folder, keys[name], b"equal")
    result_cache.keep(cache_folder, shapes, "\n".join(sorted(right)).encode())


def _key(network: Node, recipe: Recipe) -> str:
    made_from = [arch.write(network), str(recipe.resolution), recipe.layout, *recipe.rewrites]
    return result_cache.key("convolutions", made_from, ("torch",), machine=plan.machine().processor)


def _compared(
    subjects: Mapping[str, Subject], known: frozenset[str], seconds: float, say: Progress
) -> tuple[dict[str, str], frozenset[str]]:
    from commongarden.train.preflight import compared  # loads torch, in this process only

    return compared(subjects, known, seconds, say)
