"""The discussion of a written report: what each contrast bears on, found from the computed difference of its arms.

A contrast stands under one heading: Inception beside ResNet where one arm has modules and the other sums; bottleneck
modules, shortcuts or batch norm where the arms differ in that; else under other comparisons. A heading without a
contrast is not written.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from commongarden import arch, sentences, stats
from commongarden.arch import Difference, Serial, Shape
from commongarden.arch.difference import kind
from commongarden.i18n.language import _, current, ngettext
from commongarden.records import Estimate
from commongarden.records.findings import Audit
from commongarden.report.charts import figures
from commongarden.report.document import Block as Part
from commongarden.report.document import Bullets, Figure, Paragraph, Section
from commongarden.report.topics import network_blocks
from commongarden.report.topics.network_blocks import Block
from commongarden.report.topics.page_data import Histories
from commongarden.report.wording import audits, designs, numbers, words
from commongarden.report.wording.references import Citations
from commongarden.sentences.phrases import phrases
from commongarden.stats import ContrastResult, Results
from commongarden.study import Study

TOPICS = ("bottleneck", "inception", "batch norm", "shortcut", "other")
N_DRAWN = 3  # sorts of modules of one arm that are drawn


@dataclass(frozen=True)
class DiscussedArm:
    """An arm as the discussion sees it: its network, the shape that enters it, its blocks."""

    name: str
    network: Serial
    input: Shape
    held: tuple[Block, ...]

    def has(self, sort: network_blocks.Kind) -> list[Block]:
        return network_blocks.of_a_kind(self.held, sort)


@dataclass(frozen=True)
class ComparedArms:
    """A contrast with its two arms and what makes the first one's network of the second one's."""

    contrast: ContrastResult
    one: DiscussedArm
    two: DiscussedArm
    difference: Difference
    folds: int


def discussion(
    study: Study, results: Results, epochs: Histories, kept: dict[str, Audit], cite: Citations
) -> tuple[Section, ...]:
    """One section for every topic that a contrast of the study bears on, in the order of TOPICS.

    epochs: of every finished run; kept: what was found in the arms' networks before training.
    """
    shapes = {arm.arm: arm.input for arm in results.arms}
    arms = {name: _grown(study, name, shape, len(results.classes)) for name, shape in shapes.items()}
    by_topic: dict[str, list[ComparedArms]] = {topic: [] for topic in TOPICS}
    for contrast in results.contrasts:
        one, two = arms[contrast.arm], arms[contrast.against]
        pair = ComparedArms(
            contrast, one, two, arch.difference(two.network, one.network, two.input, one.input), study.folds
        )
        by_topic[topic_of(pair)].append(pair)
    drawn: set[str] = set()
    return tuple(_section(topic, pairs, epochs, kept, cite, drawn) for topic, pairs in by_topic.items() if pairs)


def said_of(contrast: ContrastResult) -> list[str]:
    """The verdict, what would settle it where it is open, the test that stands beside it, and what differs."""
    said = (words.verdict(contrast), words.remedy(contrast), words.signflip(contrast), words.differs(contrast))
    return [sentence for sentence in said if sentence]


def topic_of(pair: ComparedArms) -> str:
    """What a contrast bears on."""
    one, two = pair.one, pair.two
    sums = [bool(side.has("bottleneck") or side.has("residual")) for side in (one, two)]
    modules = [bool(side.has("module")) for side in (one, two)]
    if modules[0] != modules[1] and sums[0] != sums[1]:
        return "inception"
    if bool(one.has("bottleneck")) != bool(two.has("bottleneck")):
        return "bottleneck"
    if sums[0] != sums[1]:
        return "shortcut"
    if any(kind(edit.part) == "batch norm" for edit in pair.difference.edits):
        return "batch norm"
    return "other"


def _grown(study: Study, name: str, shape: Shape, n_classes: int) -> DiscussedArm:
    network = study.arms[name].network(n_classes)
    return DiscussedArm(name, network, shape, network_blocks.blocks(network, shape))


def _section(
    topic: str,
    pairs: Sequence[ComparedArms],
    epochs: Histories,
    kept: dict[str, Audit],
    cite: Citations,
    drawn: set[str],
) -> Section:
    sides = {side.name: side for pair in pairs for side in (pair.one, pair.two)}
    parts: list[Part] = []
    if topic == "bottleneck":
        title = _("Bottleneck modules")
        text = _(
            "A bottleneck block reduces the channels of its input with a 1x1 convolution, applies a larger "
            "kernel, and expands the channels again with a 1x1 convolution; the result is added to the input "
            "({works})."
        ).format(works=cite("he"))
        parts.append(Paragraph(" ".join([text, *_bottlenecks(sides.values())])))
        parts += _drawn(sides.values(), ("bottleneck", "residual"), 1, drawn)
    elif topic == "inception":
        title = _("Inception and ResNet")
        text = _(
            "An Inception module applies parallel branches to its input and concatenates their outputs "
            "({inception}); a residual block adds the output of its layers to its input ({residual})."
        ).format(inception=cite("szegedy_2014"), residual=cite("he"))
        parts.append(Paragraph(" ".join([text, *_modules(sides.values())])))
        parts += _drawn(sides.values(), ("module", "bottleneck", "residual"), N_DRAWN, drawn)
    elif topic == "batch norm":
        title = _("Batch normalization")
        text = _(
            "In training, batch norm normalizes each channel to mean 0 and variance 1 over the batch; in "
            "evaluation it uses running statistics ({works})."
        ).format(works=cite("ioffe"))
        parts.append(Paragraph(" ".join([text, *_norms(sides.values())])))
        parts += _looked(sides.values(), kept)
    elif topic == "shortcut":
        title = _("Shortcuts")
        text = _("A shortcut adds the input of a block to the output of its layers ({works}).").format(works=cite("he"))
        parts.append(Paragraph(" ".join([text, *_sums(sides.values())])))
        parts += _drawn(sides.values(), ("bottleneck", "residual"), 1, drawn)
    else:
        title = _("Other comparisons")
    for pair in pairs:
        parts.append(Paragraph(" ".join(said_of(pair.contrast)), leads=True))
        parts.append(Bullets(tuple(_evidence(pair, epochs, ends=topic == "batch norm"))))
    return Section(title, tuple(parts))


def _evidence(pair: ComparedArms, epochs: Histories, *, ends: bool) -> Iterator[str]:
    """What the definitions and the records tell of two arms beside their test accuracy; ends: also how their training
    and validation end, which batch norm can part by its two ways of working."""
    one, two, cost = pair.one, pair.two, pair.difference
    if pair.difference.n_edits and phrases(pair.difference)[1] == 0:
        said = _("Changes from {against} to {arm}, computed from the definitions: {edits}.")
        yield said.format(arm=one.name, against=two.name, edits=sentences.difference(pair.difference, current()))
    else:
        yield _(
            "{arm} has {params} parameters and {macs} MACs per image, {against} has {params_two} parameters "
            "and {macs_two} MACs."
        ).format(
            arm=one.name,
            params=numbers.whole(cost.after.n_params),
            macs=numbers.short(cost.after.macs),
            against=two.name,
            params_two=numbers.whole(cost.before.n_params),
            macs_two=numbers.short(cost.before.macs),
        )
    ratio = time_ratio(epochs, one.name, two.name)
    if ratio is not None:
        yield _time(ratio, one.name, two.name, pair.folds)
    if ends:
        yield from filter(None, (_ends(epochs, side.name) for side in (one, two)))


def time_ratio(epochs: Histories, one: str, two: str) -> Estimate | None:
    """How many times as long `one` trained as `two`, epoch for epoch and paired by seed: the geometric mean, with
    Student's interval over the seeds of the logarithm. None where no seed has finished with both."""
    ratios = []
    for seed in sorted(epochs[one].keys() & epochs[two].keys()):
        seconds = [sum(epoch.seconds for epoch in epochs[arm][seed]) / len(epochs[arm][seed]) for arm in (one, two)]
        ratios.append(seconds[0] / seconds[1])
    return stats.geometric_mean_interval(ratios) if ratios else None


def _time(ratio: Estimate, one: str, two: str, folds: int) -> str:
    named = {"arm": one, "against": two, "ratio": f"{ratio.value:.2f}"}
    if ratio.low is None or ratio.high is None:
        said = _("An epoch of {arm} took {ratio} times as long as one of {against}, in one run of each.")
        return said.format(**named)
    return _(
        "An epoch of {arm} took {ratio} times as long as one of {against} (95 % CI {low} to {high}, {runs})."
    ).format(**named, low=f"{ratio.low:.2f}", high=f"{ratio.high:.2f}", runs=designs.repeats(ratio.n, folds))


def _ends(epochs: Histories, arm: str) -> str | None:
    last = [history[-1] for history in epochs[arm].values() if history]
    if not last:
        return None
    train = math.fsum(epoch.train_accuracy for epoch in last) / len(last)
    val = math.fsum(epoch.val_accuracy for epoch in last) / len(last)
    return ngettext(
        "In the last epoch the training accuracy of {arm} was {train} and its validation accuracy {val} (one run).",
        "In the last epoch the training accuracy of {arm} was {train} and its validation accuracy {val} "
        "(means over {n} runs).",
        len(last),
    ).format(arm=arm, train=numbers.percent(train), val=numbers.percent(val), n=len(last))


def _bottlenecks(sides: Iterable[DiscussedArm]) -> Iterator[str]:
    for side in sides:
        if found := side.has("bottleneck"):
            first = found[0]
            channels = numbers.listed(map(str, network_blocks.widths(first)))
            yield ngettext(
                "{arm} has {n} bottleneck, with {before} input channels and convolutions of {channels} channels.",
                "{arm} has {n} bottlenecks; the first has {before} input channels and convolutions of "
                "{channels} channels.",
                len(found),
            ).format(arm=side.name, n=len(found), before=first.input[-1], channels=channels)
        elif side.has("residual"):
            yield _residual(side)


def _modules(sides: Iterable[DiscussedArm]) -> Iterator[str]:
    for side in sides:
        if n := len(side.has("module")):
            yield ngettext("{arm} has {n} module.", "{arm} has {n} modules.", n).format(arm=side.name, n=n)
        if n := len(side.has("bottleneck")):
            yield ngettext("{arm} has {n} bottleneck.", "{arm} has {n} bottlenecks.", n).format(arm=side.name, n=n)
        if side.has("residual"):
            yield _residual(side)


def _residual(side: DiscussedArm) -> str:
    n = len(side.has("residual"))
    return ngettext("{arm} has {n} residual block.", "{arm} has {n} residual blocks.", n).format(arm=side.name, n=n)


def _sums(sides: Iterable[DiscussedArm]) -> Iterator[str]:
    for side in sides:
        n = len(side.has("residual")) + len(side.has("bottleneck"))
        said = ngettext("{arm} has {n} block with one.", "{arm} has {n} blocks with one.", n)
        yield (said if n else _("{arm} has none.")).format(arm=side.name, n=n)


def _norms(sides: Iterable[DiscussedArm]) -> Iterator[str]:
    for side in sides:
        n = network_blocks.batch_norms(side.network)
        said = ngettext("{arm} has {n} batch norm.", "{arm} has {n} batch norms.", n)
        yield (said if n else _("{arm} has none.")).format(arm=side.name, n=n)


def _looked(sides: Iterable[DiscussedArm], kept: dict[str, Audit]) -> Iterator[Part]:
    """What was found at the first weights, where batch norm does the most."""
    lines = [line for side in sides if side.name in kept for line in _some(side.name, kept[side.name])]
    if lines:
        yield Paragraph(_("At initialization, before training:"), leads=True)
        yield Bullets(tuple(lines))


def _some(arm: str, audit: Audit) -> list[str]:
    told = audits.lines(arm, audit)
    most = 1 + audits.MOST_TOLD
    return told[:most] + ([words.more(len(told) - most)] if len(told) > most else [])


def _drawn(
    sides: Iterable[DiscussedArm], sorts: tuple[network_blocks.Kind, ...], most: int, seen: set[str]
) -> Iterator[Part]:
    """Drawings of the arms' blocks, equal ones once in the whole report, whatever the size of their input."""
    for side in sides:
        for sort in sorts:
            for block in network_blocks.unlike(side.has(sort), most):
                key = repr(network_blocks.bare(block))
                if key not in seen:
                    seen.add(key)
                    yield _figure(side, block)


def _figure(side: DiscussedArm, block: Block) -> Figure:
    cost = arch.cost(block.node, block.input)
    caption = _("{arm}, {block}: {params} parameters, {macs} MACs per image.").format(
        arm=side.name, block=block.name, params=numbers.whole(cost.n_params), macs=numbers.short(cost.macs)
    )
    svg = figures.block(network_blocks.bare(block), block.input, f"{side.name}, {block.name}")
    return Figure(caption, svg, f"{caption} {figures.said(svg)}", figures.width_on_page(svg))
