"""Rewrites: the same parameters, the same outputs and gradients within rounding, and no case that is not exact."""

import dataclasses
import hashlib
import itertools
import json
from typing import get_args

import msgspec
import pytest
import torch
from hypothesis import given, settings

import defective_networks as forensics
import pools
from commongarden import arch
from commongarden import study as studies
from commongarden.arch import add, avg_pool, conv, global_avg_pool, parallel, repeat, serial
from commongarden.errors import ArchError, StudyError
from commongarden.records import Manifest, Photo, Split
from commongarden.runner import plan
from commongarden.runner.prepared_data import prepare_data
from commongarden.store import contract
from commongarden.study import Arm, SplitPlan, Study, extension, recipe
from commongarden.study.recipe import LEGACY_DEFAULTS, Recipe
from commongarden.train import streams
from commongarden.train.build import build
from commongarden.train.classifier import Classifier
from commongarden.train.initialize import initialize
from conformance import N_CLASSES, built, in_orders, smallest
from counting import backward, image
from forged import forged
from grown import grown

ALL = arch.REWRITES
SHAPE = (8, 7, 6)


def rewritten(network, shape=SHAPE):
    return arch.rewritten(network, shape, ALL)


def same_function(network, made, shape, module=None):
    """The two trees have the same parameters and compute the same, gradients included, in training and evaluation."""
    one = pools.settled(module or build(network, shape))
    two = build(made, shape).double()
    assert [(name, part.shape) for name, part in one.named_parameters()] == [
        (name, part.shape) for name, part in two.named_parameters()
    ]
    two.load_state_dict(one.state_dict())
    found = []
    for part in (one, two):
        x = image(shape, n=3).double().requires_grad_(True)
        torch.manual_seed(0)  # the same dropout
        output = part.train()(x)
        backward(part, output)
        with torch.no_grad():
            calm = part.eval()(x)
        found.append([output.detach(), calm.detach(), x.grad, *(tensor.grad for tensor in part.parameters())])
    for first, second in zip(*found, strict=True):
        scale = max(1.0, float(first.abs().max()))
        torch.testing.assert_close(second, first, rtol=1e-9, atol=1e-11 * scale)


@settings(max_examples=150)
@given(network=pools.networks, shape=pools.SHAPES)
def test_any_network_stays_the_same_function(network, shape):
    if not pools.fits(network, shape):
        with pytest.raises(ArchError):
            arch.rewritten(network, shape, ALL)
        return
    made, done = arch.rewritten(network, shape, ALL)
    assert (made == network) == (not done)
    assert arch.output_shape(made, shape) == arch.output_shape(network, shape)
    assert {layer.path for layer in arch.trace(made, shape)} == {layer.path for layer in arch.trace(network, shape)}
    assert arch.rewritten(made, shape, ALL) == (made, ())
    assert arch.rewritten(network, shape, ()) == (network, ())
    assert all(one.saved > 0 for one in done)
    same_function(network, made, shape)


@settings(max_examples=60)
@given(network=pools.networks, shape=pools.SHAPES)
def test_any_network_begins_with_the_same_weights(network, shape):
    if not pools.fits(network, shape):
        return
    first = []
    for tree in (network, arch.rewritten(network, shape, ALL)[0]):
        torch.manual_seed(1)
        module = build(tree, shape)
        own = {name: value.clone() for name, value in module.state_dict().items()}
        initialize(module, Recipe(), streams.generator(0, 0, "initialization"))
        first.append((own, module.state_dict()))
    for one, two in zip(*first, strict=True):
        assert list(one) == list(two)
        assert all(torch.equal(one[name], two[name]) for name in one)


POOLS = [
    avg_pool(kernel, stride=1, padding=padding, count_padding=count, ceil_mode=ceil)
    for kernel, padding, count, ceil in itertools.product(
        [1, 2, 3, (1, 3)], ["same", "valid", "inside", (0, 0, 0, 0), (1, 1, 1, 1), (1, 0, 0, 0)], [True, False],
        [True, False],
    )
    if not (ceil and isinstance(padding, str))
    and not (isinstance(padding, tuple) and any(padding) and min(arch.layers.pair("kernel", kernel)) < 2)
]  # fmt: skip


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "none"])
@pytest.mark.parametrize("pool", POOLS, ids=str)
def test_all_that_is_exact_is_rewritten_and_nothing_else(pool, bias):
    """At the borders too: where the two orders give other numbers the network stays as it is."""
    narrow = conv(2, 1, order="L", bias=bias)
    network, swapped = serial(pool, narrow, name="net"), serial(narrow, pool, name="net")
    one, two = pools.settled(build(network, SHAPE)), build(swapped, SHAPE).double()
    two.load_state_dict(one.state_dict())
    x = image(SHAPE).double()
    exact = bool((one(x) - two(x)).abs().max() < 1e-12)
    made, done = rewritten(network)
    assert made == (swapped if exact else network)
    assert len(done) == exact
    if not bias or not pool.count_padding:
        assert exact


NARROW = conv(2, 1, order="L", bias=True)
LEFT = {
    "zeros counted, with a bias": serial(avg_pool(3, stride=1, padding=1, count_padding=True), NARROW),
    "a norm between": serial(avg_pool(3, stride=1), arch.batch_norm(), NARROW),
    "an activation between": serial(avg_pool(3, stride=1), arch.activation("relu"), NARROW),
    "dropout between": serial(avg_pool(3, stride=1), arch.dropout(0.5), NARROW),
    "more channels": serial(avg_pool(3, stride=1), conv(7, 1)),
    "as many channels": serial(avg_pool(3, stride=1), conv(6, 1)),
    "a larger image": serial(avg_pool(2, stride=2), conv(4, 1)),
    "a larger kernel": serial(avg_pool(3, stride=1), conv(2, 3)),
    "a strided convolution": serial(avg_pool(3, stride=1), conv(2, 1, stride=2)),
    "a padded convolution": serial(avg_pool(3, stride=1), conv(2, 1, padding=1)),
    "a max pool": serial(arch.max_pool(3, stride=1), NARROW),
    "a global pool": serial(global_avg_pool(), NARROW),
    "behind already": serial(NARROW, avg_pool(3, stride=1)),
    "in a part of its own": serial(arch.named("pool", avg_pool(3, stride=1)), NARROW),
    "for another branch": parallel(avg_pool(3, stride=1), NARROW),
    "the copies would differ": repeat(  # from the second copy on there are no fewer channels behind the convolution
        serial(avg_pool(3, stride=1), conv(4, 1, order="L")), 2
    ),
}


@pytest.mark.parametrize("row", LEFT.values(), ids=LEFT)
def test_what_is_left_as_it_is(row):
    network = serial(row, name="net")
    assert rewritten(network) == (network, ())


def test_a_pool_goes_behind_all_that_narrows():
    network = serial(
        avg_pool(3, stride=1), avg_pool((1, 3), stride=1), conv(4, 1, order="L"), conv(2, 1, order="LA"), name="net"
    )
    made, done = rewritten(network)
    assert [arch.label(layer) for layer in made.layers] == [
        "conv 1x1", "conv 1x1", "avg pool 3x3", "avg pool 1x3", "relu",
    ]  # fmt: skip
    assert {(one.path[-1], one.other[-1]) for one in done} == set(
        itertools.product(["conv 1x1", "conv 1x1 (2)"], ["avg pool 3x3", "avg pool 1x3"])
    )
    same_function(network, made, SHAPE)


def test_copies_are_rewritten_together_and_told_one_by_one():
    body = add(serial(avg_pool(3, stride=1), conv(2, 1, order="L"), conv(6, 1, order="L")), input=True)
    network = serial(repeat(body, 3, name="unit"), name="net")
    made, done = rewritten(network)
    assert [one.path for one in done] == [("net", f"unit {i}", "body", "conv 1x1") for i in (1, 2, 3)]
    same_function(network, made, SHAPE)


@pytest.mark.parametrize(("name", "options"), in_orders("LA", "LAB", "LBA"), ids=str)
def test_every_architecture_stays_the_same_function(name, options):
    size = smallest(name, **options)
    network = arch.network(name, N_CLASSES, **options)
    made, done = arch.rewritten(network, (size, size, 3), ALL)
    if not done:
        assert made == network
        return
    same_function(network, made, (size, size, 3), built(network, (size, size, 3)))


@pytest.mark.parametrize("order", ["LA", "LAB", "LBA", "BAL"])
@pytest.mark.parametrize("block", arch.BLOCKS)
def test_every_block_stays_the_same_function(block, order):
    network = serial(conv(16, 1, order="LA"), arch.BLOCKS[block](order), name="net")
    made, done = arch.rewritten(network, (9, 8, 16), ALL)
    if done:
        same_function(network, made, (9, 8, 16))
    else:
        assert made == network


def test_where_the_published_networks_are_rewritten():
    flower = arch.network("inception_flower", 5, order="LA")
    _, done = arch.rewritten(flower, (96, 96, 3), ALL)
    assert [" / ".join(one.path) for one in done] == [
        f"inception_flower / inception {module} / branch 4 / conv 1x1" for module in ("a1", "a2", "b1", "b2")
    ]
    assert done[0].saved == 48 * 48 * 9 * (6 - 4)  # positions, window, channels less
    for order, n in (("LBA", 9), ("LA", 0)):  # its pools count zeros, and in the order LA there is a bias
        _, done = arch.rewritten(arch.network("inception_v3", 5, order=order), (299, 299, 3), ALL)
        assert len(done) == n


def test_a_network_by_others_is_left_alone_with_its_defects():
    """Defects are in the modules of one leaf, where nothing is looked for: a scrambled pool stays before its
    convolution."""
    leaf = arch.External("commongarden.forensics:network", "{}", 5, (32, 32, 3), 1, 1, 1)
    assert arch.rewritten(serial(leaf, name="net"), (32, 32, 3), ALL) == (serial(leaf, name="net"), ())
    module = forensics.network(5, order="LA", side=32, scrambled_pool=True)
    branch = module.inception_a1.branch_4
    assert [type(part).__name__ for part in branch] == ["ScrambledPool", "Conv2d", "ReLU"]
    study = studies.read("forensics")
    assert {study.recipe_of(arm).rewrites for arm in study.arms} == {()}  # those that are right are as they were


# In the recipe


def test_the_recipe_knows_the_rewrites():
    assert get_args(recipe.RewriteName) == arch.REWRITES
    assert set(Recipe().rewrites) <= set(arch.REWRITES)
    with pytest.raises(ArchError, match="unknown rewrite 'pool-behnd'; did you mean 'pool-behind'"):
        arch.rewritten(serial(), SHAPE, ["pool-behnd"])


def test_the_classifier_is_built_as_the_recipe_says():
    network = arch.network("inception_flower", 3, order="LA")
    states = []
    for names, kinds in (((), ["AvgPool2d", "Conv2d", "ReLU"]), (ALL, ["Conv2d", "AvgPool2d", "ReLU"])):
        one = Classifier(network, (32, 32, 3), Recipe(rewrites=names), (1.0,) * 3, (1.0,) * 3)
        assert [type(part).__name__ for part in one.body.inception_a1.branch_4] == kinds
        states.append(one.state_dict())
    assert list(states[0]) == list(states[1])


STUDY = Study("old", "photos", {"one": Arm("inception_flower", {"order": "LA"})}, Recipe(rewrites=()), (0, 1))


def test_a_recipe_without_rewrites_hashes_as_before_there_were_any():
    """Both hashes were taken with the version that knew of none."""
    assert plan.recipe_hash(Recipe(rewrites=())) == "850a10cb947e0f99c26cba6ec1c57c8ef37129bdc5e77c8e3ef8ee4abd542350"
    photos = Manifest("photos", tuple(Photo(f"{label}/{i}", label, "", f"{label}{i}") for label in "ab" for i in "12"))
    splits = dict.fromkeys(STUDY.seeds, Split(("a/1", "b/1"), ("a/2",), ("b/2",)))
    before = contract.of(STUDY, photos, splits)
    assert before.hash == "27b3279dbf9aec56b099a87dd62b239ac83211a0c853b1d47009b1cb9220cc5c"
    after = contract.of(dataclasses.replace(STUDY, recipe=Recipe(rewrites=ALL)), photos, splits)
    assert (before.hash, "rewrites" in before.recipe) != (after.hash, "rewrites" in after.recipe)
    assert plan.recipe_hash(Recipe(rewrites=ALL)) != plan.recipe_hash(Recipe(rewrites=()))
    every = dataclasses.asdict(Recipe(rewrites=ALL)).items()
    known = {name: value for name, value in every if name == "rewrites" or name not in LEGACY_DEFAULTS}
    assert (
        plan.recipe_hash(Recipe(rewrites=ALL)) == hashlib.sha256(msgspec.json.encode(known, order="sorted")).hexdigest()
    )


def made_before(root):
    """Takes the rewrites out of a study's folder, as if it were of the version before."""
    text = (root / "study.toml").read_text(encoding="utf-8")
    assert text.count("rewrites = []\n") == 1
    forged(root / "study.toml", text.replace("rewrites = []\n", ""))
    for path in root.glob("runs/*/*/run.json"):
        table = json.loads(path.read_text(encoding="utf-8"))
        assert table["recipe"].pop("rewrites") == []
        forged(path, json.dumps(table))


def test_a_study_of_before_opens_and_goes_on_without(tmp_path):
    store = grown(tmp_path / "old", {"one": (0.6, 0.7)}, study=STUDY)
    before = store.study(), store.runs()
    made_before(store.root)
    assert (store.study(), store.runs()) == before
    wanted = dataclasses.replace(before[0], recipe=Recipe(), seeds=(0, 1, 2))  # its file says nothing of rewrites
    assert extension.conflicts(before[0], wanted) == []
    assert extension.extend(before[0], wanted).recipe.rewrites == ()
    longer = dataclasses.replace(wanted, recipe=Recipe(epochs=11))
    (line,) = extension.conflicts(before[0], longer)
    assert line.startswith("recipe.epochs: ")
    with_rewrites = dataclasses.replace(before[0], recipe=Recipe(rewrites=ALL))
    (line,) = extension.conflicts(with_rewrites, before[0])
    assert line == "recipe.rewrites: ('pool-behind',) in the folder, () requested"


def test_a_folder_of_before_is_prepared_without(photos, cache_folder, tmp_path):
    arms = {"one": Arm("inception_flower", {"order": "LA"})}
    small = Recipe(resolution=32, epochs=1)
    begun = Study("old", str(photos), arms, dataclasses.replace(small, rewrites=()), 1, split=SplitPlan(0.6, 0.2))
    prepare_data(begun, tmp_path / "old", cache_folder)
    made_before(tmp_path / "old")
    store, _ = prepare_data(dataclasses.replace(begun, recipe=small), tmp_path / "old", cache_folder)
    assert store.study().recipe.rewrites == ()
    assert "rewrites = []" in (store.root / "study.toml").read_text(encoding="utf-8")


# On the command line


def test_describe_shows_what_is_built(commongarden):
    arm = ("inception_flower:LA", "--input", "96x96x3")
    plain, shown = (commongarden("describe", *arm, *more, check=0).stdout for more in ((), ("--rewritten",)))
    lines = shown.splitlines()
    assert [line for line in lines if line.startswith("pool-behind: ")] == [
        f"pool-behind: inception {module} / branch 4 / conv 1x1 runs before avg pool 3x3, "
        f"which saves {saved} multiply-adds and additions per image."
        for module, saved in (("a1", "41,472"), ("a2", "207,360"), ("b1", "46,656"), ("b2", "20,736"))
    ]
    branch = [line.split(" / ")[2] for line in lines if line.startswith("inception a1 / branch 4 / ")]
    assert [" ".join(line.split()[:2]) for line in branch] == ["conv 1x1", "avg pool", "relu Activation"]
    assert "pool-behind" not in plain
    table = json.loads(commongarden("describe", *arm, "--rewritten", "--json", check=0).stdout)
    known = json.loads(commongarden("describe", *arm, "--json", check=0).stdout)
    assert len(table["rewrites"]) == 4
    assert (table["hash"], table["n_params"]) == (known["hash"], known["n_params"])
    assert "rewrites" not in known


def test_describe_says_where_nothing_is_rewritten(commongarden, tmp_path):
    said = commongarden("describe", "plain_flower", "--rewritten", check=0).stdout
    assert said.endswith("No rewrite applies: the network is built as declared.\n")
    drawn = commongarden("describe", "inception_flower", "--rewritten", "--svg", tmp_path / "net.svg", check=0)
    assert drawn.stdout.strip() == str(tmp_path / "net.svg")


def test_a_rewrite_that_is_not_known_is_told_with_the_nearest(commongarden, tmp_path, photos):
    file = tmp_path / "study.toml"
    head = f'[study]\nname = "x"\ndata = "{photos.as_posix()}"\n'
    text = head + '[recipe]\nrewrites = REWRITES\n[arms.a]\narch = "plain_flower"\n'
    for value, message in (
        ('["pool-behnd"]', "recipe.rewrites: unknown value 'pool-behnd'; did you mean 'pool-behind'?"),
        ('["pool-behind", "pool-behind"]', "recipe.rewrites: found ('pool-behind', 'pool-behind'), accepted: each"),
        ("true", "recipe.rewrites: found True, accepted: a list of text"),
    ):
        file.write_text(text.replace("REWRITES", value), encoding="utf-8")
        said = commongarden("run", file, "--out", tmp_path / "out", check=2).stderr
        assert message in said
    with pytest.raises(StudyError, match="did you mean 'pool-behind'"):
        recipe.override(Recipe(), {"rewrites": ["pol-behind"]})
