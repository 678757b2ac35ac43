"""A network taken apart: which parts it has, what is left without them, and the study that says what they are worth."""

from __future__ import annotations

import dataclasses
import json
import shlex
import tomllib

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from commongarden import arch, report, stats
from commongarden import store as stores
from commongarden import study as studies
from commongarden.cli import main
from commongarden.errors import ArchError, StudyError
from commongarden.report.topics import ablation, part_contributions
from commongarden.study import Arm, Contrast, Study
from commongarden.study.recipe import Recipe
from grown import grown
from paths import ROOT

SHAPE = (64, 64, 3)


def without(name, *parts, **options):
    return arch.ablated(arch.network(name, 5, **options), parts)


def same(one, two, shape=SHAPE):
    return arch.difference(one, two, shape).n_edits == 0


def test_a_residual_network_without_shortcuts_is_the_plain_one():
    assert same(without("residual_flower", "shortcuts"), arch.network("plain_flower", 5))
    assert same(without("resnet18", "shortcuts"), arch.network("plain18", 5), (224, 224, 3))
    assert same(without("resnet34", "shortcuts"), arch.network("plain34", 5), (224, 224, 3))


def test_shortcuts_of_each_stage_together_are_all_shortcuts():
    stages = [f"shortcuts of stage {i}" for i in (1, 2, 3)]
    assert same(without("bottleneck_flower", *stages), without("bottleneck_flower", "shortcuts"))


def test_without_normalization_a_network_is_one_that_never_had_it():
    for name, shape in (("inception_flower", SHAPE), ("vgg11_bn", (224, 224, 3)), ("resnet18", (224, 224, 3))):
        order = {} if name == "vgg11_bn" else {"order": "LBA"}
        plain = arch.network("vgg11", 5) if name == "vgg11_bn" else arch.network(name, 5, order="LA")
        assert same(without(name, "normalization", **order), plain, shape)


def test_a_branch_goes_from_every_module_of_its_form():
    whole = arch.network("inception_flower", 5)
    left = without("inception_flower", "branch 1 of inception a")
    widths = {name: arch.output_shape(part, (24, 24, 24))[-1] for name, part in arch.children(left)[3:8]}
    assert widths["inception a1"] == widths["inception a2"] == 20 - 4
    assert widths["reduction 1"] == 24 + 24  # its own branches are whole
    assert arch.cost(left, SHAPE).n_params < arch.cost(whole, SHAPE).n_params


def test_reductions_go_and_hand_their_stride_on():
    # 16, 32 and 64 in the middle of bottlenecks whose inputs have 16, 64 and 128 or 256 channels
    left = without("bottleneck_flower", "1x1 reductions")
    assert arch.output_shape(left, SHAPE) == (5,)
    sizes = [shape[0] for name, shape in arch.trunk(left, SHAPE) if name.startswith("stage")]
    assert sizes == [shape[0] for name, shape in arch.trunk(arch.network("bottleneck_flower", 5), SHAPE)
                     if name.startswith("stage")]  # fmt: skip
    kernels = [layer.node.kernel for layer in arch.trace(left, SHAPE) if isinstance(layer.node, arch.Conv)]
    assert kernels == [(7, 7)] + 6 * [(3, 3), (1, 1)]
    pooled = without("inception_flower", "grid reductions")
    assert [type(part).__name__ for name, part in arch.children(pooled)].count("MaxPool") == 3


def test_a_reduction_before_which_a_row_is_activated_goes_with_its_activation():
    body = arch.serial(arch.conv(4, 1, order="BAL"), arch.conv(8, 3, order="BAL"), name="body")
    network = arch.serial(arch.conv(8, 3), arch.add(body, input=True), arch.global_avg_pool(), arch.dense(2), name="n")
    (left,) = (node for _, node in arch.children(arch.ablated(network, ["1x1 reductions"])) if type(node) is arch.Add)
    assert left.branches[0].layers == arch.conv(8, 3, order="BAL").layers


def test_pools_are_swapped_with_their_windows():
    there = without("inception_flower", "avg pool to max pool")
    back = arch.ablated(there, ["max pool to avg pool"])
    assert not same(there, arch.network("inception_flower", 5))
    assert same(back, arch.network("inception_flower", 5))


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(set(arch.FAMILIES) - {"alexnet"})), st.data())
def test_a_network_without_a_part_differs_and_lacks_it(name, data):
    family = arch.FAMILIES[name]
    network = arch.network(name, 5)
    part = data.draw(st.sampled_from(arch.parts(network)))
    left = arch.ablated(network, [part.name])
    assert arch.hash(left) != arch.hash(network)
    assert arch.output_shape(left, family.input) == (5,)
    assert arch.read(arch.write(left)) == left
    if part.factor in ("shortcut", "normalization", "reductions", "dropout", "auxiliary"):
        assert part.name not in {other.name for other in arch.parts(left)}
    for place in part.places:  # a path that leads somewhere
        node = network
        for step in place:
            node = dict(arch.children(node))[step]


def test_repeated_blocks_lose_their_parts_too():
    assert "Add(" not in arch.write(without("resnet50", "shortcuts"))


def test_an_arm_without_a_part_is_kept_by_its_study_file():
    arm = Arm("residual_flower", {"order": "LBA"}, ablated=("shortcuts of stage 2",))
    study = Study("s", "photos", {"whole": Arm("residual_flower"), "less": arm}, ablation="whole")
    again = studies.parse(studies.dump(study))
    assert again == study
    assert arch.hash(again.arms["less"].network(5)) == arch.hash(arm.network(5))
    assert studies.conflicts(study, dataclasses.replace(study, arms={**study.arms, "less": Arm("residual_flower")}))


def test_a_part_that_is_not_there_is_told_with_the_nearest_name():
    with pytest.raises(ArchError, match=r"did you mean 'shortcuts'.*Accepted: .*normalization"):
        Arm("residual_flower", ablated=("shortcut",))
    with pytest.raises(StudyError, match="unknown key 'ablatd'; did you mean 'ablated'"):
        studies.from_table({"study": {}, "arms": {"a": {"arch": "residual_flower", "ablatd": []}}})
    with pytest.raises(ArchError, match="a list of parts of the network"):
        Arm("residual_flower", ablated="shortcuts")
    with pytest.raises(StudyError, match="unknown model 'wole'; did you mean 'whole'"):
        Study("s", "photos", {"whole": Arm("residual_flower")}, ablation="wole")


def test_factors_that_are_unknown_or_not_there_say_what_would_be_accepted():
    def asked(arm, factors):
        found = CliRunner().invoke(
            main, ["ablate", arm, "--data", "builtin:flowers", "--factors", factors, "--dry-run"]
        )
        assert found.exit_code == 2, found.output
        return found.output

    assert "did you mean 'branches'? Accepted: order, init, shortcut" in asked("inception_flower", "branch,order")
    assert "plain_flower has no part for 'shortcut'; accepted: order, init" in asked("plain_flower", "shortcut")
    assert "accepted: init" in asked("timm:convnext_atto", "pool")


def test_a_dry_run_shows_each_arm_with_its_computed_difference():
    asked = ["ablate", "residual_flower:LBA", "--data", "builtin:flowers", "--dry-run"]
    found = CliRunner().invoke(main, asked)
    assert found.exit_code == 0, found.output
    study = studies.from_table(tomllib.loads(found.output))
    shown = {line[2:].split("  ")[0]: line for line in found.output.splitlines() if line.startswith("# ")}
    assert {*study.arms} - {"residual_flower-LBA"} <= {*shown}
    assert "removes an identity shortcut around each of 4 pairs of convolutions" in shown["no-shortcuts"]
    assert "the same network as order-LA" in found.output  # the normalization of these blocks has nothing to learn
    assert all("residual_flower-LBA" in (pair.arm, pair.against) for pair in study.contrasts)
    table = json.loads(CliRunner().invoke(main, [*asked, "--json"]).output)
    assert studies.from_table(table["study"]) == study
    assert [row["arm"] for row in table["arms"]] == [name for name in study.arms if name != "residual_flower-LBA"]


def test_each_kind_of_reduction_is_an_arm():
    found = studies.take_apart("photos", "inception_flower", ["reductions"], Recipe(resolution=64))
    assert [*found.study.arms] == ["inception_flower", "no-1x1-reductions", "no-grid-reductions"]
    assert found.left_out == ()


# What the parts are worth


@pytest.fixture(scope="module")
def taken_apart(tmp_path_factory):
    found = studies.take_apart(
        "photos", "bottleneck_flower:LBA", ["shortcut", "reductions", "init"], Recipe(resolution=32)
    )
    study = dataclasses.replace(found.study, seeds=(0, 1, 2, 3))
    reached = dict.fromkeys(study.arms, (0.7, 0.71, 0.69, 0.7))
    reached["no-1x1-reductions"] = (0.30, 0.31, 0.29, 0.30)
    reached["init-own"] = (0.99, 1.0, 0.98, 0.99)
    return grown(tmp_path_factory.mktemp("apart"), reached, study=study)


def test_each_part_has_its_worth_in_accuracy_time_and_parameters(taken_apart):
    results = stats.summarize(taken_apart)
    found = results.worth
    assert found.arm == "bottleneck_flower-LBA"
    assert {part.arm for part in found.parts} == {arm.arm for arm in results.arms} - {found.arm}
    values = [part.difference.value for part in found.parts]
    assert values == sorted(values, reverse=True)
    best, last = found.parts[0], found.parts[-1]
    assert (best.parts, best.outcome) == (("1x1 reductions",), "better")
    assert (last.swaps, last.outcome) == ((("init", "fan-in", "own"),), "worse")
    contrast = next(item for item in results.contrasts if item.against == best.arm)
    assert (best.difference, best.adjusted) == (contrast.difference, contrast.adjusted)
    costs = {arm.arm: arm for arm in results.arms}
    assert best.n_params == costs[found.arm].n_params - costs[best.arm].n_params < 0
    assert best.macs == costs[found.arm].macs - costs[best.arm].macs < 0
    numbers = list(costs)
    # an epoch of a grown run takes a second more than one of the arm before it; there are ten of them
    assert best.seconds.value == pytest.approx(-10 * numbers.index(best.arm))
    assert part_contributions.sentence(best, results).startswith("1x1 reductions: contributes 40.0 points (95 % CI ")
    assert "init fan-in rather than own: the network is better without" in part_contributions.sentence(last, results)


def test_a_contrast_the_other_way_round_says_the_same(taken_apart, tmp_path):
    study = taken_apart.study()
    turned = dataclasses.replace(study, contrasts=tuple(Contrast(pair.against, pair.arm) for pair in study.contrasts))
    before = stats.summarize(taken_apart).worth
    reached = {name: [taken_apart.run(name, seed).test_accuracy for seed in study.seeds] for name in study.arms}
    after = stats.summarize(grown(tmp_path, reached, study=turned)).worth
    for one, two in zip(before.parts, after.parts, strict=True):
        assert (one.arm, one.outcome) == (two.arm, two.outcome)
        assert one.adjusted.low == pytest.approx(two.adjusted.low)
        assert one.adjusted.high == pytest.approx(two.adjusted.high)


def test_page_terminal_and_json_say_what_each_part_is_worth(taken_apart):
    results = stats.summarize(taken_apart)
    page = report.write(taken_apart).read_text(encoding="utf-8")
    section = ablation.section(results)
    assert "Contribution of each part" in page
    (left, (plot,)), table = section.blocks[0].parts, section.blocks[1]
    assert all(said in page for said in left[1].items)
    assert plot.charts[0].name in page
    assert len(table.rows) == len(results.worth.parts)
    printed = CliRunner().invoke(main, ["compare", str(taken_apart.root)]).output
    assert "Contribution of each part" in printed
    assert "shortcuts of stage 2" in printed
    kept = json.loads((taken_apart.root / "results.json").read_text(encoding="utf-8"))["worth"]
    assert kept["parts"][0]["parts"] == ["1x1 reductions"]


def test_with_one_seed_no_worth_is_claimed(tmp_path):
    found = studies.take_apart("photos", "plain_flower", ["pool"], Recipe(resolution=32))
    study = dataclasses.replace(found.study, seeds=(0,))
    results = stats.summarize(grown(tmp_path, dict.fromkeys(study.arms, (0.5,)), study=study))
    (part,) = results.worth.parts
    assert part.outcome == "one seed"
    assert "one seed gives no interval" in part_contributions.sentence(part, results)
    assert "Too few runs so far: max pool rather than average pool" in ablation.unsettled(results.worth)


def test_an_ablated_arm_trains_stores_is_looked_at_and_goes_on(tmp_path, maps_on):
    asked = ["ablate", "residual_flower:LBA", "--data", "builtin:flowers/60", "--factors", "pool", "--resolution", "16",
             "--epochs", "1", "--seeds", "1", "--out", str(tmp_path / "g"), "--workers", "1", "--log", "plain",
             "--cache-dir", str(tmp_path / "cache")]  # fmt: skip
    first = CliRunner().invoke(main, asked)
    assert first.exit_code == 0, first.output
    assert "Contribution of each part" in first.output
    assert {path.stem for path in (tmp_path / "g" / "seen").iterdir()} == {
        "residual_flower-LBA", "max-pool-to-avg-pool", "avg-pool-to-max-pool",
    }  # fmt: skip
    before = {path: path.read_bytes() for path in (tmp_path / "g" / "runs").rglob("run.json")}
    again = CliRunner().invoke(main, asked)
    assert again.exit_code == 0, again.output
    assert before == {path: path.read_bytes() for path in (tmp_path / "g" / "runs").rglob("run.json")}
    assert len(before) == 3


def example():
    """The command in the docs, and what it prints there."""
    text = (ROOT / "docs" / "ablation.md").read_text(encoding="utf-8")
    command, printed = text.partition("## An example")[2].split("```")[1::2][:2]
    return shlex.split(command.replace("\\\n", " ").partition("commongarden ")[2]), printed.strip()


def test_the_example_of_the_docs_prints_what_stands_there():
    asked, printed = example()
    found = CliRunner().invoke(main, asked)
    assert found.exit_code == 0, found.output
    assert found.output.startswith(printed + "\n")


@pytest.mark.soak
def test_the_example_of_the_docs_can_be_trained(tmp_path):
    asked, _printed = example()
    asked.remove("--dry-run")
    found = CliRunner().invoke(main, [*asked, "--out", str(tmp_path / "g"), "--cache-dir", str(tmp_path / "cache")])
    assert found.exit_code == 0, found.output
    parts = stats.summarize(stores.open_store(tmp_path / "g")).worth.parts
    assert [part.difference.n for part in parts] == [3, 3, 3]
