"""One network in four forms: what must be equal is, what still differs is said."""

import json
import tomllib

import pytest

from commongarden import arch
from commongarden import study as studies
from commongarden.arch import Add, Dense, Parallel
from commongarden.errors import ArchError

SHAPE = (64, 64, 3)


def outputs(network, names):
    return [shape for name, shape in arch.trunk(network, SHAPE) if name in names]


@pytest.mark.parametrize("equal", ["n_params", "macs"])
@pytest.mark.parametrize(
    ("widths", "blocks"), [("16,32,64", "2,2,2"), ("32,64", "3,1"), ("24,24,48,96", "1,2,2,1"), ("64", "4")]
)
def test_what_was_asked_for_is_nearly_equal(equal, widths, blocks):
    found = arch.twins(5, SHAPE, equal=equal, widths=widths, blocks=blocks)
    plain, residual, bottleneck, inception = found
    assert [twin.form for twin in found] == ["plain", "residual", "bottleneck", "inception"]
    assert plain.widths == residual.widths == tuple(map(int, widths.split(",")))
    assert (plain.cost.n_params, plain.cost.macs) == (residual.cost.n_params, residual.cost.macs)
    for twin in (bottleneck, inception):
        assert abs(twin.differs(residual)[equal]) < (1.5 if len(twin.widths) > 1 else 5)
        assert twin.cost == arch.cost(twin.network, SHAPE)
        for i in range(len(twin.widths)):  # no single channel brings it nearer
            for step in (-1, 1):
                other = list(twin.widths)
                other[i] += step
                options = {"widths": ",".join(map(str, other)), "blocks": blocks}
                try:
                    cost = arch.cost(arch.network(f"{twin.form}_twin", 5, **options), SHAPE)
                except ArchError:
                    continue
                wanted = getattr(residual.cost, equal)
                assert abs(getattr(cost, equal) - wanted) >= abs(getattr(twin.cost, equal) - wanted)


def test_stem_stages_blocks_and_head_are_equal():
    found = arch.twins(5, SHAPE)
    stems = {tuple(outputs(twin.network, ("conv 3x3", "max pool 3x3"))) for twin in found}
    assert stems == {((32, 32, 16), (16, 16, 16))}
    for twin in found:
        stages = outputs(twin.network, ("stage 1", "stage 2", "stage 3"))
        assert [shape[:2] for shape in stages] == [(16, 16), (8, 8), (4, 4)]
        assert [type(layer) for layer in twin.network.layers[-1:]] == [Dense]
        blocks = {path for layer in arch.trace(twin.network, SHAPE) if "block" in (path := " / ".join(layer.path[1:3]))}
        assert blocks == {f"stage {i} / block {j}" for i in (1, 2, 3) for j in (1, 2)}


def test_each_form_is_what_its_name_says():
    plain, residual, bottleneck, inception = arch.twins(5, SHAPE)
    kinds = {
        twin.form: {type(layer.node) for layer in arch.trace(twin.network, SHAPE)}
        for twin in (plain, residual, bottleneck, inception)
    }
    assert not kinds["plain"] & {Add, Parallel}
    assert Add in kinds["residual"] & kinds["bottleneck"]
    assert Parallel in kinds["inception"]
    assert residual.cost.activation_bytes > plain.cost.activation_bytes  # the sums
    assert bottleneck.depth > residual.depth == plain.depth


def test_a_bottleneck_whose_output_would_be_narrower_than_the_stem_is_not_tried():
    for twin in arch.twins(5, SHAPE, stem=30, widths="30,30", blocks="1,1"):
        assert outputs(twin.network, ("stage 1",))[0][2] >= 30


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"equal": "flops"}, "unknown equal 'flops'"),
        ({"widths": "16,x"}, "widths: found '16,x', accepted: integers"),
        ({"widths": "16,32", "blocks": "1"}, "lists of equal length"),
        ({"widths": "8,16,32"}, "residual_twin: found 8 channels after 16, accepted: at least as many"),
        ({"widths": "32,16", "blocks": "1,1"}, "residual_twin: found 16 channels after 32, accepted: at least as many"),
    ],
)
def test_mistakes(options, message):
    with pytest.raises(ArchError) as error:
        arch.twins(5, SHAPE, **options)
    assert message in str(error.value)


def test_the_command_prints_arms_that_a_study_file_takes(commongarden, tmp_path):
    text = commongarden("twins", "--equal", "macs", check=0).stdout
    table = json.loads(commongarden("twins", "--equal", "macs", "--json", check=0).stdout)
    arms = tomllib.loads(text[text.index("[arms.") :])["arms"]
    assert list(arms) == ["plain", "residual", "bottleneck", "inception"]
    study = studies.from_table({"study": {"name": "twins", "data": "photos"}, "arms": arms})
    for twin in table["twins"]:
        arm = study.arms[twin["arch"].removesuffix("_twin")]
        assert arch.cost(arm.network(5), SHAPE).macs == twin["macs"]
        assert f"({twin['percent_from_residual']['macs']:+.2f} %)" in text
