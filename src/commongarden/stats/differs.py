"""What differs between the two arms of a contrast, computed from their definitions and their networks."""

from __future__ import annotations

from commongarden import arch
from commongarden.arch import listfile
from commongarden.store import contract
from commongarden.study import Contrast, Study
from commongarden.study.arm import Arm


def differences_of(study: Study, contrast: Contrast, n_classes: int) -> tuple[tuple[str, str, str], ...]:
    """What differs between the two arms, computed from their definitions: (what, value of arm, value of against).

    Names and options that make no difference to the network are none.
    """
    one, two = study.arms[contrast.arm], study.arms[contrast.against]
    rows = [("architecture", one.arch, two.arch)]
    if one.arch == two.arch and one.list_form:  # maybe two states of one file
        rows += listfile.differences(one.list_form, two.list_form)
    rows += [(key, _option(one, key), _option(two, key)) for key in sorted({*one.options, *two.options})]
    rows.append(("ablated", ", ".join(one.ablated) or "none", ", ".join(two.ablated) or "none"))
    found = contract.computed(study, contrast, n_classes)
    if found is not None and found.n_edits == 0:
        rows = []
    rows += recipe_values(study, contrast.arm, contrast.against)
    sizes = [study.recipe_of(name).resolution for name in (contrast.arm, contrast.against)]
    costs = [arch.cost(arm.network(n_classes), (size, size, 3)) for arm, size in zip((one, two), sizes, strict=True)]
    rows.append(("parameters", f"{costs[0].n_params:,}", f"{costs[1].n_params:,}"))
    before, after = (f"{cost.macs:,}" if cost.macs != arch.UNKNOWN else "\N{EN DASH}" for cost in costs)
    rows.append(("MACs", before, after))
    return tuple(row for row in rows if row[1] != row[2])


def recipe_values(study: Study, one: str, two: str) -> list[tuple[str, str, str]]:
    """The recipe values that one of two arms has for its own, as text: (field, value of one, value of two)."""
    fields = sorted({*study.own_values(one), *study.own_values(two)})
    if any(study.arms[name].wants_weights for name in (one, two)):
        fields = [field for field in fields if field != "init"]  # given weights are a difference of their own
    first, second = study.recipe_of(one), study.recipe_of(two)
    return [(field, str(getattr(first, field)), str(getattr(second, field))) for field in fields]


def _option(arm: Arm, key: str) -> str:
    """Its value as text; "none" also where weights to start from could be given and are not."""
    value = arm.options.get(key, "none")
    return "none" if value == "" or (key == "pretrained" and value is False) else str(value)
