"""What an audit finds in sound networks (nothing) and in defective ones (the defect, where it is)."""

import json

import pytest
import torch
import torch.nn.functional as F
from click.testing import CliRunner
from torch import nn

from commongarden import arch
from commongarden.arch import auxiliary, conv, dense, global_avg_pool, serial
from commongarden.cli import main
from commongarden.report.wording import audits
from commongarden.study.recipe import Recipe
from commongarden.train.audit import audit, audit_drawn, drawn_pixels, n_photos, tree_paths
from commongarden.train.build import build
from commongarden.train.numerical import compare_gradient
from commongarden.train.symptoms import Plan
from planted import ANYWHERE, DEFECTS, PLAN, ByHand, ScrambledPool, caught, nothing, planted

FLOWER_LA = Recipe(init="fixed", init_std=0.030, pixels="raw", batch_size=10)
SOUND = ("inception_flower", "residual_flower", "bottleneck_flower", "resnet18", "resnet50", "googlenet", "vgg11")
SOUND_TOO = ("resnet34", "resnet101", "resnet152", "inception_v3", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def look(network, size=32, n=8, plan=PLAN, **options):
    """The audit of any module on drawn pixels of standard size."""
    pixels = drawn_pixels((size, size, 3), n)
    return audit(network, (pixels - pixels.mean()) / pixels.std(), torch.arange(n) % plan.n_classes, plan, **options)


def kinds(found):
    return [finding.kind for finding in found.findings]


def by_name(name, size=64, recipe=Recipe(), n_train=1000, **options):  # noqa: B008  frozen
    return audit_drawn(arch.network(name, 5, **options), (size, size, 3), 5, recipe, n_train)


# Sound networks


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_network_gets_no_warning(name):
    found = by_name(name, 64 if "flower" in name else 32, order="LBA")
    assert found.findings == ()
    assert all(scale.gradient > 0 for scale in found.scales)


def silent(families, seeds):
    """Asserts that no first weights make a sound network look otherwise."""
    for family in families:
        for seed in seeds:
            found, _ = planted(nothing, family, seed)
            assert found.findings == (), (family, seed)


def test_whatever_the_first_weights_a_sound_network_gets_no_warning():
    silent(("residual_flower", "bottleneck_flower"), range(100, 105))


@pytest.mark.soak
def test_many_first_weights_give_no_warning():
    silent((*ANYWHERE, "resnet50"), range(100, 120))


@pytest.mark.soak
@pytest.mark.parametrize("name", SOUND_TOO)
@pytest.mark.parametrize("size", [80, 224])
def test_other_sound_networks_get_no_warning(name, size):
    assert by_name(name, size, order="LBA").findings == ()


@pytest.mark.soak
@pytest.mark.parametrize("name", [*SOUND, *SOUND_TOO])
def test_sound_networks_as_they_are_published_get_no_warning(name):
    assert by_name(name, max(arch.FAMILIES[name].input)).findings == ()


@pytest.mark.parametrize("options", [{"aux": True}, {"aux": True, "transform_input": True}], ids=str)
def test_auxiliary_heads_are_sound(options):
    assert by_name("googlenet", **options).findings == ()


@pytest.mark.parametrize("order", ["LBA", "LAB", "BAL"])
def test_blocks_that_start_as_their_shortcut_are_sound(order):
    found = by_name("resnet18", order=order, **({} if order == "BAL" else {"zero_init": True}))
    assert found.findings == ()


def test_the_plain_network_of_34_layers_has_growing_gradients_at_most():
    found = by_name("plain34")
    assert set(kinds(found)) <= {"growing gradients"}
    for finding in found.findings:
        assert finding.path == "plain34 / conv 7x7"
        assert 1.1 < finding.value < 1.3  # sqrt(pi / (pi - 1)) = 1.21 by Yang et al. 2019


# Defective networks


def rates(families, seeds):
    """Planted defects by family: how many are caught in their place. The table is printed, and what was missed."""
    found = {}
    for defect, where in DEFECTS.items():
        tries = {family: [planted(defect, family, seed) for seed in seeds] for family in where[:families]}
        for family, results in tries.items():
            for result, plant in results:
                assert all(audits.finding(finding).startswith(finding.path) for finding in result.findings)
                if not caught(result, plant):
                    print(f"missed: {defect.__name__} in {family} at {plant.modules}; told: {result.findings}")
        counts = {family: [caught(*result) for result in results] for family, results in tries.items()}
        print(f"{defect.__name__:18}", *(f"{family} {sum(n)}/{len(n)}" for family, n in counts.items()), sep="  ")
        found[defect.__name__] = [one for n in counts.values() for one in n]
    return found


def test_planted_defects_are_caught_where_they_are():
    for defect, one in rates(3, range(1)).items():
        assert sum(one) >= 0.9 * len(one), defect


@pytest.mark.soak
def test_many_planted_defects_are_caught_where_they_are():
    for defect, one in rates(6, range(10)).items():
        assert sum(one) >= 0.9 * len(one), defect


def test_the_flower_arm_without_normalization_loses_its_signal(commongarden):
    settings = ["--set", "init=fixed", "--set", "init_std=0.030", "--set", "pixels=raw", "--set", "batch_size=10"]
    arm = ["audit", "inception_flower", "--input", "96x96x3", "--order", "LA", "--photos", 3450, *settings]
    said = commongarden(*arm, check=1).stdout
    assert "inception_flower / dense: vanishing signal: it is multiplied by 0.59" in said
    assert "per layer over 18 layers" in said


def test_the_other_flower_arms_keep_theirs():
    for name, size in (
        ("inception_flower", 96), ("plain_flower", 64), ("residual_flower", 64), ("bottleneck_flower", 64)
    ):  # fmt: skip
        found = by_name(name, size, FLOWER_LA, 3450, order="LAB")
        assert not {"shrinking signal", "growing signal"} & set(kinds(found)), name


def test_running_statistics_at_a_thousandth_a_step_lag():
    norm = arch.batch_norm(momentum=0.001)
    network = serial(conv(8, 3, norm=norm), conv(8, 3, norm=norm), global_avg_pool(), dense(5), name="net")
    found = audit_drawn(network, (32, 32, 3), 5, FLOWER_LA, 3450)
    (lag,) = [finding for finding in found.findings if finding.kind == "lagging statistics"]
    assert lag.path == "net / batch norm"
    assert lag.value == pytest.approx(2.01, abs=0.01)  # ln 0.5 / ln 0.999 = 693 steps of 345 an epoch
    assert lag.more["layers"] == 2
    assert lag.more["residue"] == pytest.approx(0.999**3450)
    assert "half-life is 2.01 epochs (693 steps)" in audits.says(lag)


@pytest.mark.parametrize(("std", "kind"), [(3.0, "growing signal"), (0.02, "shrinking signal")])
def test_the_factor_per_layer_is_that_of_the_weights(std, kind):
    network = serial(*(conv(32, 1, order="LA") for _ in range(9)), global_avg_pool(), dense(5), name="net")
    found = audit_drawn(network, (16, 16, 3), 5, Recipe(init="fixed", init_std=std), 1000)
    (trend,) = [finding for finding in found.findings if finding.kind == kind]
    assert trend.path == "net / dense"
    assert trend.value == pytest.approx(std * 4, rel=0.25)  # std * sqrt(32 / 2): half of what is behind a ReLU is 0


# Hand-written gradients


class HalfGradient(torch.autograd.Function):
    """Right in its direction, wrong in its size."""

    @staticmethod
    def forward(ctx, x, pool):
        return 2 * x

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


class Right(HalfGradient):
    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient, None


def test_gradients_by_hand_are_compared_with_numerical_ones():
    x = torch.rand(4, 3, 8, 8)
    assert compare_gradient(ByHand(None, Right), [x]) == pytest.approx((1, 0), abs=1e-6)
    assert compare_gradient(ByHand(None, HalfGradient), [x]) == pytest.approx((1, 0.5), abs=1e-6)
    cosine, error = compare_gradient(ByHand(nn.AvgPool2d(3, 1, 1), ScrambledPool), [x])
    assert abs(cosine) < 0.5
    assert error > 0.9


def test_the_layout_in_memory_hides_no_gradient():
    x = torch.rand(4, 3, 8, 8).to(memory_format=torch.channels_last)
    assert compare_gradient(ByHand(None, HalfGradient), [x]) == pytest.approx((1, 0.5), abs=1e-6)


def test_only_wrong_gradients_are_told():
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), ByHand(None, Right), nn.ReLU(), ByHand(None, HalfGradient), nn.Flatten(), nn.Linear(7200, 5)
    )
    (found,) = look(network).findings
    assert (found.kind, found.path) == ("wrong gradient", "3")
    assert "cosine 1.00 with the numerical gradient, relative error 0.500" in audits.says(found)


# Networks that somebody else wrote


class Foreign(nn.Module):
    """Functions where others have modules, a part that is never called, two outputs in training."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3)
        self.second = nn.Conv2d(16, 16, 3)
        self.head = nn.Linear(16, 5)
        self.spare = nn.Linear(16, 5)

    def forward(self, x):
        x = F.relu(self.first(x))
        x = F.relu(self.second(x)).mean((2, 3))
        return (self.head(x), self.head(x)) if self.training else self.head(x)


def test_any_module_is_audited_by_its_own_names():
    found = look(Foreign())
    assert [(finding.kind, finding.path, finding.what) for finding in found.findings] == [
        ("unused parameter", "spare", "weight"),
        ("unused parameter", "spare", "bias"),
    ]
    assert [scale.path for scale in found.scales] == ["first", "second", "head", "head"]
    assert [scale.depth for scale in found.scales] == [1, 2, 3, 3]


def test_a_rectifier_that_is_a_function_is_found_by_the_gradient():
    network = Foreign()
    nn.init.constant_(network.second.bias, -100.0)
    assert ("zero gradient", "second") in [(finding.kind, finding.path) for finding in look(network).findings]


def test_a_cut_between_modules_is_told_at_the_last_layer_before_it():
    class Cut(Foreign):
        def forward(self, x):
            x = F.relu(self.second(F.relu(self.first(x)))).detach()
            return self.head(x.mean((2, 3)))

    found = look(Cut())
    (cut,) = [finding for finding in found.findings if finding.kind == "cut gradient"]
    assert (cut.path, cut.value) == ("second", 16 * 3 * 9 + 16 + 16 * 16 * 9 + 16)


def test_a_part_that_is_frozen_on_purpose_is_sound():
    class Frozen(Foreign):
        def forward(self, x):
            with torch.no_grad():
                x = F.relu(self.second(F.relu(self.first(x)))).mean((2, 3))
            return self.head(x)

    network = Frozen()
    del network.spare
    for part in (network.first, network.second):
        part.requires_grad_(False)
    assert look(network).findings == ()


def test_a_custom_function_between_modules_belongs_to_the_one_that_calls_it():
    class Calls(nn.Sequential):
        def forward(self, x):
            return HalfGradient.apply(super().forward(x), None)

    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), Calls(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8)), nn.ReLU(), nn.Flatten(), nn.Linear(6272, 5)
    )
    assert [(finding.kind, finding.path) for finding in look(network).findings] == [("wrong gradient", "1")]


def test_torchvision_networks_are_audited():
    from torchvision.models import mobilenet_v3_small

    found = look(mobilenet_v3_small(num_classes=5), size=64)
    assert found.findings == ()


def test_an_audit_leaves_the_network_as_it_was():
    module = build(arch.network("residual_flower", 5), (32, 32, 3)).eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    torch.manual_seed(3)
    random = torch.get_rng_state()
    momenta = [part.momentum for part in module.modules() if isinstance(part, nn.BatchNorm2d)]
    assert look(module) == look(module)
    assert torch.equal(torch.get_rng_state(), random)
    assert not module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert momenta == [part.momentum for part in module.modules() if isinstance(part, nn.BatchNorm2d)]
    assert all(parameter.grad is None for parameter in module.parameters())
    assert not any(part._forward_hooks for part in module.modules())


def test_paths_are_those_of_the_tree():
    network = serial(conv(8, 3), auxiliary(global_avg_pool(), dense(5)), global_avg_pool(), dense(5), name="net")
    paths = tree_paths(network)
    module = build(network, (16, 16, 3))
    assert set(paths) == {name for name, _ in module.named_modules()}
    assert {" / ".join(layer.path) for layer in arch.trace(network, (16, 16, 3))} <= set(paths.values())


def test_a_costly_network_is_audited_with_fewer_photos():
    assert n_photos(arch.network("residual_flower", 5), (64, 64, 3)) == 16
    assert n_photos(arch.network("vgg16", 5), (224, 224, 3)) == 3
    assert n_photos(arch.network("residual_flower", 5), (64, 64, 3), 2) == 2


def test_nothing_of_a_plan_is_needed_to_be_large():
    plan = Plan(batch_size=1, steps_per_epoch=1, epochs=1, n_classes=2)
    found = look(build(arch.network("residual_flower", 2), (16, 16, 3)), 16, 2, plan)
    assert {"small batch", "lagging statistics"} <= set(kinds(found))


# On the command line


def command(*arguments, code):
    """What `commongarden audit` prints; in this process, which has torch loaded."""
    result = CliRunner().invoke(main, ["audit", *arguments])
    assert result.exit_code == code, result.output
    return result.stdout if code < 2 else result.stderr


def test_the_command_says_where_and_how_much():
    sound = "residual_flower: OK, no problems found at initialization (16 images).\n"
    assert command("residual_flower", "--order", "LBA", code=0) == sound
    small = ["residual_flower", "--input", "16x16", "--set", "batch_size=2"]
    line = command(*small, code=1).splitlines()[1]
    assert line.startswith("residual_flower / stage 3 / block 1 / body / batch norm: only 2 values per channel")
    table = json.loads(command(*small, "--json", code=1))
    assert table["arch"] == "residual_flower"
    assert table["network"] == arch.hash(arch.network("residual_flower", 5))
    assert {"kind", "path", "value", "more", "what", "says"} == set(table["findings"][0])
    layers = [" / ".join(layer.path) for layer in arch.trace(arch.network("residual_flower", 5), (16, 16, 3))]
    assert {scale["path"] for scale in table["scales"]} <= set(layers)


def test_a_file_in_list_form_is_audited(tmp_path):
    net = {"model": [["conv", {"ksize": 3, "chn": 8}], ["dropout", {"keep_prob": 0.05}], ["avg", {"stride": 8}]]}
    (tmp_path / "net.json").write_text(json.dumps(net))
    said = command(str(tmp_path / "net.json"), "--input", "32x32x3", code=1)
    assert "dropout: training and evaluation differ: the random noise added in training is 4." in said


def test_mistakes_are_told():
    assert "did you mean 'epochs'" in command("plain_flower", "--set", "epoch=3", code=2)
    assert "did you mean 'plain_flower'" in command("plain_flowr", code=2)
    assert "the output would be empty" in command("plain_flower", "--input", "4x4", code=2)
