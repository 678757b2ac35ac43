"""Where the time goes: stamps at layers by a clock that a test turns, splits of planted timings, and the commands."""

import dataclasses
import itertools
import json
import math
import random

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from torch import nn

from commongarden import arch
from commongarden import study as studies
from commongarden.arch.alignment import align
from commongarden.cli import main
from commongarden.explain import memory, noise, profile, roofline, tables, time_sentences
from commongarden.explain import time as times
from commongarden.profiling import energy
from commongarden.profiling.stopwatch import Stopwatch
from commongarden.profiling.work import work
from commongarden.records import timings
from commongarden.records.timings import PHASES, Copied, Limits, Memory, Quiet, TimedArm, TimedLayer, Timing
from commongarden.report import profiled
from commongarden.stats.medians import median_interval
from commongarden.train.build import build

FLOWER_ARMS = ("LA", "LAB", "plain", "residual", "bottleneck")
N = 40


# Stamps


class Turned:
    """A clock that stands still unless it is turned."""

    def __init__(self):
        self.now = 0

    def __call__(self):
        return self.now


class Takes(nn.Module):
    """Turns the clock by so many nanoseconds, forward and backward."""

    def __init__(self, clock, forward, backward):
        super().__init__()
        self.clock, self.durations = clock, (forward, backward)

    def forward(self, x):
        return _Taking.apply(x, self.clock, *self.durations)


class _Taking(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, clock, forward, backward):
        ctx.clock, ctx.backward_takes = clock, backward
        clock.now += forward
        return x * 1.0

    @staticmethod
    def backward(ctx, gradient):
        ctx.clock.now += ctx.backward_takes
        return gradient, None, None, None


class Around(nn.Module):
    """A block that works between its children and around them."""

    def __init__(self, clock):
        super().__init__()
        self.one, self.two = Takes(clock, 10, 100), Takes(clock, 20, 200)
        self.own = [Takes(clock, 3, 5), Takes(clock, 7, 11)]  # in a list, so no modules of its own

    def forward(self, x):
        y = self.one(x) + self.two(self.own[0].forward(x))
        return self.own[1].forward(y)


def test_every_nanosecond_is_given_to_the_module_that_took_it():
    clock = Turned()
    weight = nn.Parameter(torch.ones(3))
    network = nn.Sequential(Takes(clock, 1, 2), Around(clock), nn.Sequential(Takes(clock, 40, 400)))
    optimizer = torch.optim.SGD([weight], 0.1)
    watch = Stopwatch(network, optimizer, clock)
    for watched in (False, True, True):
        with watch.step(watched=watched):
            clock.now += 1000  # the batch
            loss = network(weight * torch.ones(4, 3)).sum()
            clock.now += 50  # the loss
            loss.backward()
            clock.now += 9
            optimizer.step()
    assert watch.phases == {"data": 1000, "forward": 81, "loss": 50, "backward": 718, "optimizer": 0, "other": 9}
    forward, backward = (dict(zip([*watch.names, ""], row, strict=True)) for row in (watch.forward, watch.backward))
    assert forward == {"0": 1, "1": 10, "1.one": 10, "1.two": 20, "2": 0, "2.0": 40, "": 0}
    assert backward == {"0": 2, "1": 16, "1.one": 100, "1.two": 200, "2": 0, "2.0": 400, "": 0}


def test_a_network_is_as_it_was_behind_a_watched_step():
    network = build(arch.network("residual_flower", 5), (32, 32, 3))
    before = {name: set(vars(module)) for name, module in network.named_modules() if name}
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    watch = Stopwatch(network, optimizer, lambda: 0)
    with watch.step(watched=True):
        network(torch.zeros(2, 3, 32, 32)).sum().backward()
        optimizer.step()
    assert {name: set(vars(module)) for name, module in network.named_modules() if name} == before


# Work


@pytest.mark.parametrize("name", ["inception_flower", "residual_flower", "bottleneck_flower"])
def test_multiply_adds_are_those_of_the_tree_three_times(name):
    node, batch = arch.network(name, 5), 4
    network = build(node, (64, 64, 3)).train()
    found = work(network, torch.zeros(batch, 3, 64, 64))
    first = next(layer for layer in arch.trace(node, (64, 64, 3)) if layer.macs)  # it has no gradient to pass on
    assert sum(one.macs for one in found.values()) == batch * (3 * arch.cost(node, (64, 64, 3)).macs - first.macs)


def test_bytes_of_a_convolution_by_hand():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.ReLU(), nn.Conv2d(8, 4, 1, bias=False))
    found = work(network, torch.zeros(2, 3, 16, 16))
    x, y, z, first, last = 2 * 3 * 256, 2 * 8 * 256, 2 * 4 * 256, 3 * 8 * 9, 8 * 4
    assert found["0"].n_bytes == 4 * ((x + first + y) + (y + x + 2 * first))
    assert found["1"].n_bytes == 4 * ((y + y) + (y + y + y))
    assert found["2"].n_bytes == 4 * ((y + last + z) + (z + y + y + 2 * last))


# Medians


def test_the_interval_of_a_median_is_that_of_the_binomial_distribution():
    values = sorted(random.Random(0).sample(range(1000), 101))
    found = median_interval(values)
    low = int(scipy_stats.binom.ppf(0.025, 101, 0.5))
    assert (found.value, found.low) == (values[50], values[low - 1])
    assert found.high == values[101 - low]


def test_too_few_values_have_no_interval():
    found = median_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (found.value, found.low, found.high) == (3.0, None, None)


def test_the_interval_of_a_median_covers_it():
    generator = np.random.default_rng(1)
    draws = generator.exponential(1.0, (200, 40))
    covered = 0
    for row in draws:
        found = median_interval(row)
        covered += found.low <= math.log(2) <= found.high
    assert covered >= 182  # 95 % of 200 is 190; fewer than 182 would come once in 300 such tests


# Alignment


@pytest.mark.parametrize(("one", "two"), list(itertools.permutations(FLOWER_ARMS, 2)))
def test_every_layer_is_kept_or_belongs_to_an_edit(one, two):
    study = studies.read("flowers")
    networks = [study.arms[name].network(5) for name in (one, two)]
    inputs = [(study.recipe_of(name).resolution,) * 2 + (3,) for name in (one, two)]
    found = align(*networks, *inputs)
    assert found.difference == arch.difference(*networks, *inputs)
    for side, edited in enumerate((found.before, found.after)):
        kept = [pair[side] for pair in found.kept]
        layers = [layer.path for layer in arch.trace(networks[side], inputs[side])]
        assert sorted([*kept, *edited]) == sorted(layers)
        assert all(0 <= place < len(found.difference.edits) for place in edited.values())


# Splits


def timed(name, node, shape, cost=lambda layer: 1.0, noise=0.0, seed=0, batch=10):
    """An arm whose layers take what `cost` says, times a little noise, and whose steps are their sum."""
    generator = np.random.default_rng(seed)

    def rows(value):
        return tuple((value * (1 + noise * generator.standard_normal(N))).tolist())

    layers = [TimedLayer(arch.label(node), "block", (), 0, 0, rows(0.5), rows(0.0))]
    for layer in arch.trace(node, shape):
        value = cost(layer)
        kind = {"Conv": "convolution", "BatchNorm": "batch norm", "Activation": "activation"}
        layers.append(
            TimedLayer(
                " / ".join(layer.path), kind.get(type(layer.node).__name__, "pool"), layer.output,
                3 * batch * layer.macs, 4 * batch * layer.activation_bytes, rows(value / 3), rows(2 * value / 3),
            )
        )  # fmt: skip
    phases = {phase: rows(0.2) for phase in PHASES}
    both = [sum(layer.both[i] for layer in layers) + 0.8 for i in range(N)]
    steps = tuple(value * (1 + noise * generator.standard_normal()) for value in both)
    return TimedArm(
        name, arch.write(node), shape, batch, steps, tuple(1.001 * step for step in steps), phases, tuple(both),
        phases, tuple(layers),
    )  # fmt: skip


def a_timing(*arms, **changes):
    sizes = [2**power for power in range(15, 28, 2)]
    bounds = Limits((50.0,) * 3, 512, tuple(Copied(size, (80.0 if size < 2**24 else 20.0,) * 3) for size in sizes))
    quiet = Quiet(2, (0.1, 1.0), (2600.0, 2600.0), tuple(1 + 0.001 * (i % 5) for i in range(N)))
    told_energy = "no energy: this machine has no energy counter (RAPL under /sys/class/powercap)"
    made = Timing(1, arms, 2, N // 2, 1, "cpu", True, (0,), (0.0, 0.0), bounds, quiet, told_energy, "A processor", "")
    return dataclasses.replace(made, **changes)


@given(st.sampled_from(list(itertools.permutations(FLOWER_ARMS, 2))), st.integers(0, 2**31))
@settings(max_examples=10, deadline=None)
def test_the_parts_of_times_without_noise_are_the_difference(pair, seed):
    study = studies.read("flowers")
    arms = []
    for place, name in enumerate(pair):
        generator = random.Random(seed + place)
        shape = (study.recipe_of(name).resolution,) * 2 + (3,)
        arms.append(timed(name, study.arms[name].network(5), shape, lambda _, g=generator: g.uniform(0, 2)))
    split = times.split(a_timing(*arms), *pair)
    assert split.rest == pytest.approx(0.0, abs=1e-6)
    assert math.fsum(part.before for part in split.parts) == pytest.approx(split.before.value)
    assert math.fsum(part.after for part in split.parts) == pytest.approx(split.after.value)
    kinds = math.fsum(value.value for value in split.kinds.values())
    assert kinds == pytest.approx(split.difference.value, abs=1e-6)


def a_layer_of(kind, milliseconds, rest=0.3):
    return lambda layer: milliseconds if type(layer.node).__name__ == kind else rest


SHAPE = (32, 32, 3)


def residual(order="LA"):
    return arch.network("residual_flower", 5, order=order)


def test_batch_norm_is_the_reason_where_it_takes_the_time():
    arms = [
        timed(order, residual(order), SHAPE, a_layer_of("BatchNorm", 0.4), 0.03, seed)
        for seed, order in enumerate(("LA", "LBA"))
    ]
    split = times.split(a_timing(*arms), "LA", "LBA")
    (reason, *_) = time_sentences.reasons(split)
    assert (reason.about, reason.arm, reason.kind) == ("time", "LBA", "memory-bound block")
    assert split.reasons[0].edit.part == arch.BatchNorm(affine=False)
    assert reason.effect.low < 0.4 * split.reasons[0].edit.count < reason.effect.high
    assert "batch norm" in time_sentences.sentence(split)
    assert "batch norm" in reason.sentence
    back = times.split(a_timing(*arms), "LBA", "LA")
    assert back.difference.value == pytest.approx(-split.difference.value)
    assert time_sentences.reasons(back)[0].arm == "LBA"  # it is the slower arm's property, whichever is named first


def test_a_wider_layer_answers_for_the_next_one_that_it_feeds():
    def of(width):
        return arch.serial(arch.conv(8, 3), arch.conv(width, 3), arch.conv(8, 3), arch.dense(5), name="net")

    arms = [timed(str(width), of(width), SHAPE, lambda layer: 0.1 + layer.macs / 1e6, 0.01, width) for width in (8, 32)]
    split = times.split(a_timing(*arms), "8", "32")
    assert [part.source for part in split.reasons] == ["edit"]
    assert split.reasons[0].n_layers == 4  # two convolutions; the batch norm and the activation in between
    assert time_sentences.reasons(split)[0].kind == "slow layer"
    assert split.rest_share < 0.05


def test_images_of_another_size_are_a_part_of_their_own():
    arms = [
        timed(str(side), residual(), (side, side, 3), lambda layer: 0.05 + layer.macs / 1e6, 0.01, side)
        for side in (32, 64)
    ]
    split = times.split(a_timing(*arms), "32", "64")
    assert split.reasons[0].source == "images"
    assert time_sentences.reasons(split)[0].kind == "larger images"
    assert time_sentences.reasons(split)[0].arm == "64"


def test_the_same_arm_twice_has_no_reason():
    n_claimed = 0
    for seed in range(20):
        arms = [
            timed(name, residual(), SHAPE, a_layer_of("Conv", 1.0), 0.05, 2 * seed + i) for i, name in enumerate("ab")
        ]
        n_claimed += bool(time_sentences.reasons(times.split(a_timing(*arms), "a", "b")))
    assert n_claimed <= 1


def test_a_part_whose_interval_holds_zero_is_no_reason():
    arms = [
        timed(order, residual(order), SHAPE, a_layer_of("BatchNorm", 0.4), 0.2, seed)
        for seed, order in enumerate(("LA", "LBA"))
    ]
    split = times.split(a_timing(*arms), "LA", "LBA")
    for part in split.reasons:
        assert part.effect.low * part.effect.high > 0
    unsure = [part for part in split.parts if not part.is_sure]
    assert unsure
    assert not set(map(id, unsure)) & set(map(id, split.reasons))


def foreign(name, *layers):
    node = arch.Serial((arch.External("nets.py:net", "{}", 5, SHAPE, 1, 1, 4, code=name),), name="net")
    generator = np.random.default_rng(len(name))

    def half(ms):
        return tuple((ms / 2 * (1 + 0.01 * generator.standard_normal(N))).tolist())

    rows = [
        TimedLayer(f"net / network / {path}", kind, (8,), macs, 100, half(ms), half(ms))
        for path, kind, macs, ms in layers
    ]
    phases = dict.fromkeys(PHASES, (0.1,) * N)
    steps = tuple(sum(row.both[i] for row in rows) + 0.4 for i in range(N))
    return TimedArm(name, arch.write(node), SHAPE, 10, steps, steps, phases, steps, phases, tuple(rows))


def test_layers_of_others_networks_are_compared_by_their_names():
    one = foreign("one", ("stem", "convolution", 100, 1.0), ("body", "convolution", 500, 2.0), ("old", "pool", 0, 0.2))
    two = foreign(
        "second", ("stem", "convolution", 100, 1.0), ("body", "convolution", 900, 5.0), ("new", "Odd", 0, 1.0)
    )
    split = times.split(a_timing(one, two), "one", "second")
    assert [(part.source, part.path) for part in split.reasons] == [
        ("layer", "net / network / body"),
        ("only", "net / network / new"),
        ("only", "net / network / old"),
    ]
    assert split.rest_share < 0.02
    assert "Odd" in time_sentences.part_name(split.reasons[1])


# Limits, memory, energy, noise


def test_the_limit_of_a_layer_is_the_larger_of_its_two():
    roof = roofline.Roofs(50.0, ((2**15, 80.0), (2**27, 20.0)))
    busy = TimedLayer("a", "convolution", (), 10**8, 1000, (4.0,), (0.0,))
    moving = TimedLayer("b", "activation", (), 0, 2**29, (4.0,), (0.0,))
    assert roof.bound([busy]) == pytest.approx(2.0)  # 1e8 / 50e9 s
    assert roof.bound([moving]) == pytest.approx(2**29 / 20e6)
    assert not roof.memory_bound([busy])
    assert roof.memory_bound([moving])
    assert roof.rate(2**16) == 80.0
    assert roof.rate(2**22) == pytest.approx(50.0)  # half way between the two sizes by their logarithms


@given(st.floats(1e6, 1e9), st.floats(1e4, 1e7), st.integers(10**9, 10**11))
def test_the_largest_batch_is_the_last_that_fits(fixed, each, free):
    peaks = tuple(round(fixed + each * batch) for batch in (8, 16, 32))
    found = memory.need(Memory((8, 16, 32), peaks, 10**8, free))
    assert found.misfit < 0.001
    if found.largest:
        needed, more = (found.fixed + found.each * batch for batch in (found.largest, found.largest + 1))
        assert needed <= free - 10**8 < more
    assert memory.need(Memory((8, 16, 32), peaks, 10**8, free), free=10**8).largest == 0


def zone(folder, name, microjoules, turn=1000):
    path = folder / name
    path.mkdir()
    (path / "max_energy_range_uj").write_text(f"{turn}\n")
    (path / "energy_uj").write_text(f"{microjoules}\n")
    return path / "energy_uj"


def test_energy_counters_are_added_and_go_on_behind_their_greatest_value(tmp_path):
    first, second = zone(tmp_path, "intel-rapl:0", 900), zone(tmp_path, "intel-rapl:1", 100)
    zone(tmp_path, "intel-rapl:0:0", 5)  # a part of the first package, which holds it already
    source = energy.rapl(tmp_path)
    assert source.told == energy.BY_RAPL
    first.write_text("300")
    second.write_text("150")
    assert source.counter() == pytest.approx(450e-6)
    first.write_text("400")
    assert source.counter() == pytest.approx(550e-6)


def test_a_machine_without_counters_says_why(tmp_path):
    assert energy.rapl(tmp_path) == energy.Source(None, energy.NO_COUNTER)
    (tmp_path / "intel-rapl:0").mkdir()
    assert energy.rapl(tmp_path) == energy.Source(None, energy.NOT_READABLE)


def noisy(**changes):
    arm = timed("a", residual(), SHAPE)
    times_as_long = changes.pop("walls", 1.001)
    arm = dataclasses.replace(arm, walls=tuple(times_as_long * step for step in arm.steps))
    timing = a_timing(arm)
    return dataclasses.replace(timing, quiet=dataclasses.replace(timing.quiet, **changes))


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"load": (1.7, 2.0)}, "load average 1.7"),
        ({"walls": 1.5}, "33 % of the time"),
        ({"mhz": (2600.0, 1800.0)}, "clock changed by 44 %"),
        ({"reference": tuple(1 + 0.5 * (i % 2) for i in range(N))}, "varied by 40 %"),
        ({"reference": tuple(1 + 0.002 * i for i in range(N))}, "times as long at the end"),
    ],
)
def test_a_machine_with_other_work_is_told(changes, cause):
    assert not noise.noise(noisy()).is_noisy
    assert "was quiet" in noise.told(noisy())[-1]
    found = noisy(**changes)
    assert noise.noise(found).is_noisy
    assert cause in noise.told(found)[-1]


# The page


def test_the_page_holds_every_arm_block_and_figure():
    arms = [timed(order, residual(order), SHAPE, seed=i) for i, order in enumerate(("LA", "LBA"))]
    arms[0] = dataclasses.replace(arms[0], memory=Memory((8, 16, 32), (10**8, 2 * 10**8, 4 * 10**8), 10**8, 10**9))
    page = profiled.render(a_timing(*arms))
    for text in ("stage 1", "conv 7x7", "LBA", "largest batch that fits", "no energy"):
        assert text in page
    assert "http" not in page.partition("<script>")[0]
    chart = profiled.roofline_chart(profile.profiles(a_timing(*arms)), roofline.roofs(a_timing(*arms)))
    drawn = [row for values in chart.spec["datasets"].values() for row in values if "block" in row]
    assert {row["arm"] for row in drawn} == {"LA", "LBA"}
    assert {"stage 1", "stage 2", "stage 3"} <= {row["block"] for row in drawn}


# The commands


def run(*args):
    return CliRunner().invoke(main, [*map(str, args)])


ARMS = ("plain_flower:LA", "plain_flower:LAB")


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Three arms timed once through the command: two that differ, and one of them again.

    A step long enough for the difference to be clear while other tests share the machine.
    """
    kept = tmp_path_factory.mktemp("timing") / "steps.json"
    done = run(
        "profile", *ARMS, ARMS[0], "--input", "48x48", "--batch-size", 16, "--repeats", 2, "--rounds", 15,
        "--keep", kept, "--no-memory", "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    return kept, json.loads(done.stdout)


def test_a_profile_accounts_for_the_whole_step(measured):
    _kept, found = measured
    assert [arm["arm"] for arm in found["arms"]] == ["plain_flower-LA", "plain_flower-LAB", "plain_flower-LA (2)"]
    node = arch.network("plain_flower", 5, order="LAB")
    shape = (48, 48, 3)
    first = arch.trace(node, shape)[0]
    for arm in found["arms"]:
        phases = {name: value["value"] for name, value in arm["phases"].items()}
        assert sum(phases.values()) == pytest.approx(arm["step"]["value"], rel=0.15)
        for rows in (arm["blocks"], arm["kinds"]):
            layers = sum(row["both"]["value"] for row in rows)
            assert layers == pytest.approx(
                phases["forward"] + phases["backward"], rel=0.35
            )  # stamps, in a small network
            macs = sum(row["macs"] for row in rows)
            assert macs == 16 * (3 * arch.cost(node, shape).macs - first.macs)
        assert arm["step"]["low"] < arm["step"]["value"] < arm["step"]["high"]
        assert any("convolution_backward" in name for name in arm["operators"])
    assert found["limits"]["gmacs_per_second"] > 0.1
    assert found["limits"]["memory_gigabytes_per_second"] > 0.1
    assert "is_noisy" in found["noise"]


def test_the_split_holds_and_names_batch_norm(measured):
    kept, _ = measured
    done = run("explain", *ARMS, "--measured", kept, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["rest_share"] < 0.10
    assert found["ratio"]["low"] > 1
    assert "batch norm added" in found["parts"][0]["name"]
    assert found["reasons"][0]["arm"] == "plain_flower-LAB"
    assert sum(part["effect"]["value"] for part in found["parts"]) + found["rest"] == pytest.approx(
        found["difference"]["value"]
    )
    said = run("explain", *ARMS, "--measured", kept)
    assert found["sentence"] in said.stdout
    assert "unattributed" in said.stdout


def test_an_arm_beside_itself_has_no_reason(measured):
    kept, _ = measured
    found = json.loads(run("explain", ARMS[0], ARMS[0], "--measured", kept, "--json").stdout)
    assert (found["from"], found["to"]) == ("plain_flower-LA", "plain_flower-LA (2)")
    assert found["reasons"] == []


def test_a_kept_timing_is_read_as_it_was_written(measured, tmp_path):
    kept, found = measured
    timing = timings.read(kept)
    assert timings.write(timing) == kept.read_bytes()
    assert json.loads(json.dumps(tables.profile_table(timing, 1))) == found
    page = tmp_path / "page.html"
    assert run("profile", "--measured", kept, "--html", page).exit_code == 0
    assert "roofline" in page.read_text(encoding="utf-8")
    assert "stage 1 / block 1" in run("profile", "--measured", kept, "--depth", 2, "--json").stdout


@pytest.mark.parametrize(
    ("args", "told_as"),
    [
        (("profile",), "found no model"),
        (("profile", "no_flower"), "no_flower"),
        (("profile", "plain_flower", "--room", "lots"), "--room: found 'lots'"),
        (("profile", "plain_flower", "--input", "32x32x1"), "found images with 1 channels, accepted: 3"),
        (("profile", "LA", "--study", "no-study"), "no-study"),
        (("profile", "plain_flower", "--set", "lrr=1"), "lrr"),
        (("profile", "--measured", "nowhere.json"), "nowhere.json: cannot be read as a timing"),
        (("explain", "plain_flower", "--batch", "1"), "--batch"),
    ],
)
def test_mistakes_are_told(args, told_as):
    done = run(*args)
    assert done.exit_code == 2
    assert told_as in done.output
    assert "Traceback" not in done.output


def test_a_file_that_holds_no_timing_is_told(tmp_path):
    other = tmp_path / "other.json"
    other.write_text('{"schema": 1}')
    done = run("explain", "a", "b", "--measured", other)
    assert (done.exit_code, "cannot be read as a timing" in done.output) == (2, True)


@pytest.mark.soak
def test_memory_at_a_fourth_batch_size_is_as_the_line_says():
    from commongarden.profiling import processes as runner
    from commongarden.study.arm import Arm
    from commongarden.study.recipe import Recipe

    one = runner.Candidate(Arm("plain_flower"), Recipe(batch_size=64), (64, 64, 3))
    found = memory.need(runner._memory(one, 5, "cpu", "plain"))
    larger = dataclasses.replace(one, recipe=Recipe(batch_size=768))
    before, most = runner._apart(runner._peak, "plain", larger, 5, "cpu")
    assert most - before == pytest.approx(found.bytes_for(768), rel=0.1)
