"""The same bits again on the CPU: every family, any number of workers, any order of runs."""

import pytest

from commongarden import study as studies
from commongarden.runner.prepared_data import prepare_data
from commongarden.study import Arm, SplitPlan, Study
from commongarden.study.recipe import Recipe
from resumed import FAMILIES, grown, study_of
from running import numbers

ARMS = {f"{name}-{'-'.join(options.values()) or 'own'}": Arm(name, options) for name, options in FAMILIES}


@pytest.mark.parametrize(
    "arm", [next(iter(ARMS)), *(pytest.param(one, marks=pytest.mark.soak) for one in list(ARMS)[1:])]
)
def test_a_run_repeats_in_one_process(photos, cache_folder, tmp_path, arm):
    found = []
    for place in ("one", "two"):
        study = study_of(photos, {"a": ARMS[arm]}, resolution=32, epochs=2, augment=("flip", "crop", "colour"))
        store, prepared = prepare_data(study, tmp_path / place, cache_folder)
        found.append(grown(store.study(), prepared, store))
    assert found[0] == found[1]


@pytest.mark.soak
def test_workers_and_order_change_no_bit_of_any_family(photos, commongarden, tmp_path):
    """One process for all, three at a time, and the arms the other way round, with nets by others among them."""
    arms = {**ARMS, "torchvision": Arm("torchvision:shufflenet_v2_x0_5"), "timm": Arm("timm:resnet10t")}
    found = []
    for place, workers, names in (("one", 1, list(arms)), ("three", 3, list(arms)), ("turned", 2, list(arms)[::-1])):
        recipe = Recipe(resolution=32, epochs=2, batch_size=12, augment=("flip", "crop", "colour"))
        chosen = {name: arms[name] for name in names}
        study = Study("families", str(photos), chosen, recipe, (0, 1), split=SplitPlan(0.6, 0.2))
        path = tmp_path / f"{place}.toml"
        path.write_text(studies.dump(study), encoding="utf-8")
        commongarden("run", path, "--out", tmp_path / place, "--workers", workers, check=0)
        found.append(numbers(tmp_path / place))
    assert len(found[0]) == 2 * len(arms)
    assert found[0] == found[1] == found[2]
