"""Drawings: what is folded into a box, what stands where, and that nothing overlaps or overflows, also in a browser."""

import itertools
import runpy
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageFont

from chromium import chromium
from commongarden import arch, drawing
from commongarden.arch import (
    activation,
    add,
    avg_pool,
    batch_norm,
    conv,
    dense,
    dropout,
    global_avg_pool,
    max_pool,
    named,
    parallel,
    repeat,
    serial,
)
from commongarden.drawing.layout import Picture, lay_out
from commongarden.drawing.letters import width
from commongarden.drawing.parts import Fork, Row, Sum, parts_of
from paths import ROOT

SCRIPT = runpy.run_path(str(ROOT / "scripts" / "drawings.py"))
DRAWN = ROOT / "docs" / "drawings"
SVG = "{http://www.w3.org/2000/svg}"


def bottleneck(width, stride=1, project=False):
    body = serial(conv(width, 1), conv(width, 3, stride=stride), conv(4 * width, 1, order="LB"))
    if project:
        return add(body, conv(4 * width, 1, stride=stride, order="LB"), then="A")
    return add(body, input=True, then="A")


def deep():
    """A bottleneck network of 152 layers."""
    stages = [
        named(f"stage {i}", named("block 1", bottleneck(width, 1 if i == 1 else 2, True)), repeat(bottleneck(width), n))
        for i, (width, n) in enumerate([(64, 2), (128, 7), (256, 35), (512, 2)], 1)
    ]
    return serial(conv(64, 7, stride=2), max_pool(3, stride=2), *stages, global_avg_pool(), dense(1000), name="deep")


NETWORKS = {name: (arch.network(name, 5), (96, 96, 3)) for name in arch.FAMILIES}
NETWORKS |= {name: (network, shape) for name, (_, network, shape) in SCRIPT["DRAWINGS"].items()}
NETWORKS["deep"] = deep(), (224, 224, 3)


def texts(svg):
    return ["".join(text.itertext()) for text in ET.fromstring(svg).iter(f"{SVG}text")]


def overlap(one, two):
    """Boxes as (left, top, right, bottom), with half a pixel of grace."""
    return min(one[2], two[2]) - max(one[0], two[0]) > 0.5 and min(one[3], two[3]) - max(one[1], two[1]) > 0.5


def holds(outer, inner):
    return all(
        a - 0.01 <= b for a, b in zip((*outer[:2], *inner[2:]), (*inner[:2], *outer[2:]), strict=True)
    )  # fmt: skip


def check(picture: Picture):
    """Every text inside its box, no box or note over another one, frames one in the other, all on the page."""
    boxes = [(r.x, r.y, r.x + r.w, r.y + r.h) for r in picture.rects]
    frames = [(r.x, r.y, r.x + r.w, r.y + r.h) for r in picture.frames]
    notes, inside = [], []
    for text in picture.texts:
        left = text.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[text.anchor] * text.width
        box = (left, text.y - text.size / 2, left + text.width, text.y + text.size / 2)
        (inside if text.style in ("name", "soft") else notes).append(box)
    for text in inside:
        assert sum(holds(box, text) for box in boxes) == 1, text
    for one, two in itertools.combinations([*boxes, *notes], 2):
        assert not overlap(one, two), (one, two)
    for one, two in itertools.combinations(frames, 2):
        assert not overlap(one, two) or holds(one, two) or holds(two, one)
    for frame, box in itertools.product(frames, [*boxes, *notes]):
        assert not overlap(frame, box) or holds(frame, box)
    for one, two in itertools.combinations(inside, 2):
        assert not overlap(one, two), (one, two)
    for box in [*boxes, *frames, *notes]:
        assert holds((0, 0, picture.w, picture.h), box)
    for line in picture.lines:
        for (x0, y0), (x1, y1) in itertools.pairwise(line.points):
            run = [min(x0, x1) + 1, min(y0, y1) + 1, max(x0, x1) - 1, max(y0, y1) - 1]
            across = 0 if x0 == x1 else 1
            run[across], run[across + 2] = run[across] - 1.5, run[across + 2] + 1.5
            assert not any(overlap(run, box) for box in [*boxes, *notes]), (line, "runs over a box or a note")


@pytest.mark.parametrize("depth", [1, 2, None])
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_nothing_overlaps_or_overflows(name, depth):
    network, shape = NETWORKS[name]
    check(lay_out(parts_of(network, shape, None if depth is None else depth - 1), "output"))


layers = st.sampled_from(
    [
        conv(8, 3),
        conv(8, 1, order="LA"),
        conv(8, (1, 7), order="BAL"),
        avg_pool(3, stride=1),
        dropout(0.3),
        activation(),
    ]
)
names = st.sampled_from(["stage 1", "a block with a name that is long", "블록 3"])


def grown(parts):
    rows = st.lists(parts, min_size=1, max_size=3).map(lambda row: serial(*row))
    return st.one_of(
        rows,
        st.builds(named, names, rows),
        st.lists(rows, min_size=1, max_size=3).map(lambda row: parallel(*row)),
        st.builds(
            lambda row, twice: add(serial(row, conv(8, 1)), *[conv(8, 1)] * twice, input=True, channels="repeat"),
            rows,
            st.booleans(),
        ),
        st.builds(repeat, rows, st.integers(2, 4)),
    )


@settings(max_examples=200, deadline=None)
@given(st.recursive(layers, grown, max_leaves=12), st.sampled_from([None, 1, 2]))
def test_random_networks_are_drawn_without_overlap(network, depth):
    whole = serial(conv(8, 3), network, global_avg_pool(), dense(5), name="random")
    check(lay_out(parts_of(whole, (16, 16, 3), depth), "output"))
    ET.fromstring(drawing.svg(whole, (16, 16, 3)))


@pytest.mark.parametrize(
    ("order", "text", "small"),
    [
        ("LBA", "3×3 conv, 64, /2", "conv → BN → ReLU"),
        ("LAB", "3×3 conv, 64, /2", "conv → ReLU → BN"),
        ("BAL", "3×3 conv, 64, /2", "BN → ReLU → conv"),
        ("L", "3×3 conv, 64, /2", ""),
    ],
)
def test_a_convolution_with_its_order_is_one_box(order, text, small):
    (box,) = parts_of(conv(64, 3, stride=2, order=order), (32, 32, 3)).parts
    assert (box.text, box.small, box.output) == (text, small, (16, 16, 64))


def test_pre_activation_belongs_to_the_layer_that_follows():
    row = parts_of(serial(conv(8, 3, order="BAL"), conv(8, 3, order="BAL"), batch_norm(), activation()), (8, 8, 8))
    assert [(part.text, part.small) for part in row.parts] == [
        ("3×3 conv, 8", "BN → ReLU → conv"),
        ("3×3 conv, 8", "BN → ReLU → conv"),
        ("batch norm", ""),
        ("ReLU", ""),
    ]


def test_what_a_box_says_beyond_its_size():
    shape = (32, 32, 8)
    for node, text in [
        (conv(8, 3, groups=8, order="L"), "3×3 conv, 8, depthwise"),
        (conv(8, 3, groups=2, order="L"), "3×3 conv, 8, 2 groups"),
        (conv(8, 3, dilation=2, order="L"), "3×3 conv, 8, dilation 2"),
        (conv(8, (1, 7), padding="valid", order="L"), "1×7 conv, 8, valid"),
        (conv(8, 3, stride=(2, 1), order="L"), "3×3 conv, 8, /2×1"),
        (max_pool(3, stride=2), "3×3 max pool, /2"),
        (avg_pool(3, stride=1), "3×3 avg pool"),
        (dropout(0.3), "dropout 0.3"),
    ]:
        assert parts_of(node, shape).parts[0].text == text


def test_equal_blocks_are_drawn_once_with_their_count():
    svg = drawing.svg(deep(), (224, 224, 3))
    assert [text for text in texts(svg) if text.startswith("×")] == ["×2", "×7", "×35", "×2"]
    assert "blocks 2–36" in texts(svg)  # a repeat counts on from the blocks before it
    assert texts(svg).count("ReLU") == 8
    assert arch.depth(deep()) == 152


def test_blocks_that_differ_are_not_drawn_as_one():
    """The first block widens its input by repeating channels, so its shapes are not those of the others."""
    block = add(conv(64, 3), input=True, channels="repeat")
    frames = parts_of(serial(repeat(block, 3)), (8, 8, 16)).parts
    assert [(frame.title, frame.times, frame.input[-1]) for frame in frames] == [
        ("block 1", 1, 16),
        ("blocks 2–3", 2, 64),
    ]


def test_depth_says_how_far_blocks_are_looked_into():
    network, shape = NETWORKS["residual_flower"]
    one, two = (drawing.svg(network, shape, depth=depth) for depth in (1, 2))
    assert {"stage 1", "stage 2", "stage 3"} <= set(texts(one))
    assert not any(text.startswith(("block", "3×3 conv")) for text in texts(one))
    assert "4 convs" in texts(one)
    assert "block ×2" in texts(two)
    assert not any(text.startswith("3×3 conv") for text in texts(two))


def test_shapes_stand_where_they_change():
    network, shape = NETWORKS["residual_flower"]
    notes = [text for text in texts(drawing.svg(network, shape, depth=1)) if text[0].isdigit() and "conv" not in text]
    assert [note for note in notes if "pool" not in note] == [
        "32×32×16", "16×16×16", "8×8×32", "4×4×64", "1×1×64",
    ]  # fmt: skip


def test_branches_sums_and_frames_follow_the_tree():
    wide = parallel(conv(8, (1, 3)), conv(8, (3, 1)))
    row = parts_of(serial(parallel(conv(4, 1), serial(conv(8, 3), wide)), add(conv(20, 3), input=True)), (8, 8, 3))
    fork, total = row.parts
    assert isinstance(fork, Fork)
    assert isinstance(total, Sum)
    assert isinstance(fork.branches[1].parts[-1], Fork)
    assert total.shortcuts == (Row((), (8, 8, 20), (8, 8, 20)),)
    assert texts(drawing.svg(wide, (8, 8, 3))).count("concatenate") == 1
    both = drawing.svg(serial(parallel(conv(4, 1), serial(conv(8, 3), wide))), (8, 8, 3))
    assert texts(both).count("concatenate") == 1, "a concatenation in a concatenation is one"


def test_a_drawing_is_accessible_and_fits_light_and_dark():
    svg = drawing.svg(*NETWORKS["inception_improved"], title="A <module> & more")
    root = ET.fromstring(svg)
    named_by = root.attrib["aria-labelledby"].split()
    found = {element.attrib["id"]: element.text for element in root if "id" in element.attrib}
    assert root.attrib["role"] == "img"
    assert found[named_by[0]] == "A <module> & more"
    assert "4 branches, concatenated: [1×1 conv, 64 (conv → ReLU)]" in found[named_by[1]]
    assert "prefers-color-scheme: dark" in svg
    light, dark = (part.split("}")[0] for part in svg.split("svg.network {")[1:3])
    assert light.count("--") == dark.count("--"), "a colour is missing in the light or in the dark"


def test_text_is_never_wider_than_measured():
    for name in ("LiberationSans-Regular.ttf", "DejaVuSans.ttf", "Arial.ttf"):
        try:
            font = ImageFont.truetype(name, 100)
        except OSError:
            continue  # not on this machine; the browser below has one of them
        for text in ("3×3 conv, 64, /2", "conv → BN → ReLU", "blocks 2–36", "inception_flower", "QWERTY{}@%"):
            assert font.getlength(text) <= width(text, 100) + 1


def test_the_drawings_of_the_docs_are_up_to_date(tmp_path):
    SCRIPT["draw"](tmp_path)
    assert sorted(path.name for path in DRAWN.glob("*.svg")) == sorted(path.name for path in tmp_path.glob("*.svg"))
    for path in tmp_path.glob("*.svg"):
        assert path.read_bytes() == (DRAWN / path.name).read_bytes(), f"{path.name}: run scripts/drawings.py"


def test_in_a_browser_every_text_lies_in_its_box():
    look = """() => [...document.querySelectorAll("svg")].flatMap(svg => {
      const boxes = [...svg.querySelectorAll("rect:not(.background):not(.frame)")].map(r => r.getBBox());
      return [...svg.querySelectorAll("text.name, text.soft")].map(t => [t.textContent, t.getBBox()]).filter(([, t]) =>
        !boxes.some(b => b.x <= t.x && b.y <= t.y && t.x + t.width <= b.x + b.width && t.y + t.height <= b.y + b.height)
      ).map(([text]) => text);
    })"""
    with chromium() as browser:
        page = browser.new_page(color_scheme="dark")
        page.set_content(
            "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "drawings").glob("*.svg"))
        )
        assert page.locator("svg text.name").count() > 50
        assert page.evaluate(look) == []
        background = page.evaluate("() => getComputedStyle(document.querySelector('.background')).fill")
    assert background == "rgb(22, 24, 27)"


def test_describe_draws_into_a_file(commongarden, tmp_path):
    path = tmp_path / "network.svg"
    result = commongarden("describe", "inception_flower:LA", "--input", "96x96x3", "--svg", path, "--depth", 1, check=0)
    assert result.stdout.strip() == str(path)
    found = texts(path.read_text(encoding="utf-8"))
    assert found[:3] == ["input 96×96×3", "3×3 conv, 6, /2", "conv → ReLU"]
    assert "inception b2" in found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--svg", "x.svg", "--json"], "--svg and --json: found both"),
        (["--depth", "2"], "found no --svg FILE"),
        (["--svg", "no/such/folder/x.svg"], "no/such/folder/x.svg: cannot be written"),
        (["--svg", "x.svg", "--depth", "0"], "--depth"),
    ],
)
def test_mistakes_in_drawing_end_with_two(commongarden, tmp_path, arguments, message):
    result = commongarden("describe", "plain_flower", *arguments, cwd=tmp_path, check=2)
    assert message in " ".join(result.stderr.split())
    assert not list(tmp_path.iterdir())
