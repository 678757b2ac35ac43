"""The study of the defects behind the published flower experiment, and the document that is written of it."""

import dataclasses
import itertools
import json
import re
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import defective_networks as forensics
import write_document as script
from commongarden import stats
from commongarden import store as stores
from commongarden import study as studies
from commongarden.arch import add, batch_norm, conv, dense, global_avg_pool, serial
from commongarden.arch.families import FAMILIES
from commongarden.cli import main
from commongarden.errors import ArchError, StoreError
from commongarden.i18n.language import current, used
from commongarden.records import Epoch, Estimate
from commongarden.report.document import Bullets, Figure, Paragraph, Table
from forensic_store import REACHED, forensic_store
from forensic_study import report as forensic
from forensic_study.analysis import forensics as found_in
from forensic_study.analysis import reads_sum
from forensic_study.combined import combined, shared_seeds
from forensic_study.defects import MAKER, defective
from forensic_study.published import at_epochs, departure_epoch, published_logs, shape
from forensic_study.report import checks, time
from forensic_study.report.time import read_timing
from paths import SHARED

FACTS = SHARED / "seed" / "FACTS.md"
TIMING = {
    "ratio": {"value": 1.21, "low": 1.18, "high": 1.24, "n": 407},
    "share_of_batch_norm": {"value": 0.172, "low": 0.163, "high": 0.181, "n": 407},
    "machine": {"processor": "A processor", "cores": 2},
    "more": "of no concern here",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return forensic_store(tmp_path_factory.mktemp("forensics") / "store")


@pytest.fixture(scope="module")
def found(store):
    return found_in(store)


@pytest.fixture(scope="module")
def timing(tmp_path_factory):
    path = tmp_path_factory.mktemp("timing") / "timing.json"
    path.write_text(json.dumps(TIMING))
    return path


@pytest.fixture(scope="module")
def documents(store, timing):
    made = {}
    for tongue in ("en", "ko"):
        with used(tongue):
            made[tongue] = forensic.document(store, read_timing(timing))
    return made


def blocks(document):
    return [block for section in document.sections for block in section.blocks]


def texts(document):
    """What is said, without the pictures, the logs and the line of versions."""
    for block in blocks(document):
        match block:
            case Paragraph():
                yield block.text
            case Bullets():
                yield from block.items
            case Table():
                yield from (cell for row in block.rows for cell in row)
            case Figure():
                yield block.description


# The study


def test_every_network_is_there_with_its_defects_and_without():
    networks = {one.right: one for one in defective(studies.read("forensics"))}
    assert {name: one.defects for name, one in networks.items()} == {
        "LA": ("scrambled_pool",),
        "LAB": ("scrambled_pool", "constant_statistics", "slow_statistics", "all_positions"),
        **dict.fromkeys(
            ("plain", "residual", "bottleneck"), ("constant_statistics", "slow_statistics", "all_positions")
        ),
    }
    assert all(one.published == f"{name}-published" for name, one in networks.items())
    assert networks["LAB"].arm("scrambled_pool") == "LAB-only-pool"
    assert networks["LAB"].without("slow_statistics") == "LAB-without-lag"
    assert networks["bottleneck"].arm("all_positions") == "bottleneck-only-positions"
    assert networks["plain"].without("slow_statistics") is None


def test_the_protocol_is_that_of_the_flower_study():
    study, flowers = studies.read("forensics"), studies.read("flowers")
    for name in ("LA", "LAB", "plain", "residual", "bottleneck"):
        assert study.arms[name] == flowers.arms[name]
        # but for rewrites, which could be done in the arms without defects only
        assert study.recipe_of(name) == dataclasses.replace(flowers.recipe_of(name), rewrites=())
        assert study.published[f"{name}-published"] == flowers.published[name]
    assert (study.split, study.seed, study.vary) == (flowers.split, flowers.seed, flowers.vary)


def test_each_defective_network_is_built_for_the_photos_that_it_sees():
    study = studies.read("forensics")
    for name, arm in study.arms.items():
        if arm.arch == MAKER:
            assert arm.options["side"] == study.recipe_of(name).resolution
            forensics.network(5, **arm.maker_options)  # has a layer for each of its defects


@pytest.mark.parametrize("order", ["LA", "LAB"])
@pytest.mark.parametrize("family", ["inception_flower", "plain_flower", "residual_flower", "bottleneck_flower"])
def test_a_sum_formed_in_place_acts_where_a_rectifier_stands_before_it(family, order):
    tree = FAMILIES[family].make(5, order=order)
    try:
        forensics.network(5, family=family, order=order, side=64, overwritten_sum=True)
        acts = True
    except ArchError:
        acts = False
    assert reads_sum(tree) == acts
    assert not acts or order == "LA"  # in no network that was published with a sum


def test_a_batch_norm_between_rectifier_and_sum_is_enough():
    def block(order):
        return serial(add(serial(conv(3, 1, order=order)), input=True), global_avg_pool(), dense(5))

    assert reads_sum(block("LA"))
    assert not reads_sum(block("LAB"))
    assert not reads_sum(serial(conv(3, 1, order="LA"), batch_norm()))


# What was published


@pytest.mark.skipif(not FACTS.is_file(), reason="the facts of the original experiment are not beside the project")
def test_the_published_logs_are_those_of_the_facts():
    text, logs = FACTS.read_text(encoding="utf-8"), published_logs()
    la = re.findall(r"Epoch (\d+): cost=([\d.]+), accuracy=([\d.]+)/([\d.]+) \((\d+)/", text)
    assert [tuple(map(float, row)) for row in la] == list(zip(*fields(logs.logs["LA"]), strict=True))
    for arm in ("LAB", "plain", "residual", "bottleneck"):
        row = re.search(
            rf"Model {'model_flower_LAB' if arm == 'LAB' else arm + '_flower'}:(?: epochs [\d,]+:)?\s+cost ([\d. ]+),"
            r"\s+accuracy ([\d./ ]+), seconds ([\d ]+)", text,
        )  # fmt: skip
        costs, pairs, seconds = (part.rstrip(". ").split() for part in row.groups())
        log = logs.logs[arm]
        assert [float(value) for value in costs] == list(log.train_loss)
        assert [tuple(map(float, pair.split("/"))) for pair in pairs] == list(
            zip(log.train_accuracy, log.val_accuracy, strict=True)
        )
        assert [float(value) for value in seconds] == list(log.seconds)
    then = logs.interleaved
    assert f"({then.n} pairs)" in text
    assert f"{then.value} times LA's time, 95 % interval {then.low:.2f} to {then.high}" in text


def fields(log):
    return log.epochs, log.train_loss, log.train_accuracy, log.val_accuracy, log.seconds


def test_the_published_logs_add_up_to_the_published_times():
    published = studies.read("forensics").published
    for arm, log in published_logs().logs.items():
        assert sum(log.seconds) == published[f"{arm}-published"].seconds
    assert published_logs().ratio == pytest.approx(2860 / 4082)


# Figures


def correct(store, arm, seed):
    said = store.predictions(arm, seed)
    return (said.probabilities.argmax(axis=1) == said.labels).astype(float)


def test_effects_are_the_crossed_differences_of_the_seeds_that_both_arms_have(store, found):
    tested = stats.predictions_by_arm(store, store.study(), store.runs())
    assert len(found.effects) == 17
    for effect in found.effects:
        both = min(len(REACHED[effect.arm]), len(REACHED[effect.against]))
        assert effect.seeds == tuple(range(both))
        rows = [correct(store, effect.arm, seed) - correct(store, effect.against, seed) for seed in effect.seeds]
        assert effect.estimate == stats.crossed_difference(np.array(rows)).interval()
        samples = [
            stats.Sample(tuple(tested[arm][seed] for seed in effect.seeds), 50) for arm in (effect.arm, effect.against)
        ]
        assert effect.estimate == stats.mean_difference(stats.METRICS["accuracy"], *samples).interval()
    one = found.effect("LAB", "removed", "scrambled_pool")
    assert (one.arm, one.against) == ("LAB-without-pool", "LAB-published")
    assert one.mean.value == pytest.approx(np.mean([0.58, 0.55, 0.60]) - np.mean([0.31, 0.28, 0.34]))
    assert found.effect("plain", "removed", "slow_statistics") is None


def test_effects_are_established_as_holm_has_it(found):
    p = [effect.mean.p for effect in found.effects]
    assert [effect.established for effect in found.effects] == [value < 0.05 for value in stats.holm_p(p)]
    assert 0 < sum(effect.established for effect in found.effects) < len(p)


def test_differences_of_differences(store):
    tested = stats.predictions_by_arm(store, store.study(), store.runs())
    arms = ("LAB", "LAB-only-pool", "LAB-without-pool", "LAB-published")
    signs = (1, -1, -1, 1)
    mean = combined(tested, dict(zip(arms, signs, strict=True)))
    assert shared_seeds(tested, *arms) == (0, 1, 2)
    assert mean.n == 3
    means = [np.mean(REACHED[arm][:3]) for arm in arms]
    assert mean.value == pytest.approx(np.dot(signs, means))
    assert mean.bounds == (-2, 2)
    assert combined(tested, {"LAB": 1.0, "nobody": -1.0}) is None
    assert shared_seeds(tested) == ()


def test_what_came_back(found):
    by_arm = {one.arm: one for one in found.comebacks}
    assert [one.inside for one in found.comebacks] == [True, True, False, True, True]
    assert by_arm["plain-published"].distance == pytest.approx(np.mean(REACHED["plain-published"]) - 0.358)
    assert dict(by_arm["LAB-published"].reached) == pytest.approx(dict(enumerate(REACHED["LAB-published"])))


def test_lag_and_jump_by_hand():
    made = shape([0.5, 0.6, 0.7], [0.3, 0.5, 0.4])
    assert (made.lag, made.jump) == (pytest.approx(0.2), pytest.approx(0.15))
    history = [epoch(i, 0.1 * i, 0.05 * i) for i in range(1, 6)]
    at = at_epochs(history, (2, 4, 6))
    assert (at.lag, at.jump) == (pytest.approx(0.15), pytest.approx(0.1))
    assert at_epochs(history[:2], (2, 4, 6)) is None


def epoch(number, train_accuracy, val_accuracy):
    return Epoch(number, 1.0, train_accuracy, 1.0, val_accuracy, 1e-3, 0.1, 1.0, 0.2, 0.1)


def test_leaving_the_line_is_more_than_chance():
    line, n = 0.25, 300  # three standard errors are 7.5 points
    history = [epoch(1, 0.25, 0), epoch(2, 0.32, 0), epoch(3, 0.33, 0)]
    assert departure_epoch(history, line, n) == 3
    assert departure_epoch(history[:2], line, n) == 0
    assert departure_epoch([], line, n) == 0


# The document


def allowed(store):
    """Every figure that may stand in the document, worked out anew from the store's files and what was published."""
    study, runs = store.study(), store.runs()
    values = {"share": [], "difference": [], "nats": [], "ratio": [], "seconds": []}
    label = {photo.path: photo.label for photo in store.manifest().photos}
    split = store.split()
    share = np.array([sum(label[path] == name for path in split.train) for name in store.manifest().classes])
    share = share / share.sum()
    values["nats"].append(-(share * np.log(share)).sum())
    values["share"] += [sum(label[path] == "daisy" for path in split.test) / len(split.test)]
    table = {arm: {} for arm in study.arms}
    for run in runs:
        table[run.arm][run.seed] = correct(store, run.arm, run.seed)
        values["share"].append(run.test_accuracy)

    def crossed(weights):
        seeds = sorted(set.intersection(*(set(table[arm]) for arm in weights)))
        if not seeds:
            return
        rows = np.array([sum(weight * table[arm][seed] for arm, weight in weights.items()) for seed in seeds])
        made = stats.crossed_mean(rows, least_error=1 / rows.shape[1]).interval()
        kind = "share" if len(weights) == 1 else "difference"
        values[kind] += [value for value in (made.value, made.low, made.high) if value is not None]

    names = ("LA", "LAB", "plain", "residual", "bottleneck")
    for arm in study.arms:
        crossed({arm: 1})
    for arm in study.arms:
        right, _, defects = arm.partition("-")
        if defects == "published" or defects.startswith("only"):
            crossed({right: 1, arm: -1})
        elif defects:
            crossed({arm: 1, f"{right}-published": -1})
    crossed({"LAB": 1, "LAB-without-pool": -1})
    for one, two in itertools.product(names[2:], names[:2]):
        crossed({one: 1, two: -1})
        crossed({f"{one}-published": 1, f"{two}-published": -1})
        crossed({f"{one}-published": 1, f"{two}-published": -1, one: -1, two: 1})
    crossed({"LAB": 1, "LAB-only-pool": -1, "LAB-without-pool": -1, "LAB-published": 1})
    published, logs = study.published, published_logs()
    figures = {arm: one.test_accuracy for arm, one in published.items()}
    values["share"] += figures.values()
    pairs = itertools.product(names[2:], names[:2])
    values["difference"] += [figures[f"{one}-published"] - figures[f"{two}-published"] for one, two in pairs]
    values["difference"] += [np.mean(list(REACHED[arm])) - figure for arm, figure in figures.items()]
    for arm in study.arms:
        histories = [store.history(arm, seed) for seed in sorted(table[arm])]
        lasts = [history[-1] for history in histories]
        if not histories:
            continue
        for values_of, kind in (([x.train_accuracy for x in lasts], "share"), ([x.train_loss for x in lasts], "nats")):
            values[kind] += [*values_of, np.mean(values_of)]
        firsts = [np.mean([x.train_loss for x in history[:2]]) for history in histories]
        values["nats"] += [*firsts, np.mean(firsts)]
        seconds = [sum(x.seconds for x in history) for history in histories]
        values["seconds"] += seconds
        spreads = [store.predictions(arm, seed).probabilities.std(axis=0).max() for seed in sorted(table[arm])]
        values["ratio"] += spreads
    shapes = {arm: {seed: at(store.history(arm, seed)) for seed in table[arm]} for arm in study.arms if table[arm]}
    for arm, by_seed in shapes.items():
        for i in range(2):
            some = [pair[i] for pair in by_seed.values()]
            values["difference"] += [*some, np.mean(some)]
            right = arm.removesuffix("-published")
            if right != arm:
                more = stats.mean_interval([by_seed[seed][i] - shapes[right][seed][i] for seed in by_seed])
                values["difference"] += [more.value, more.low, more.high]
    for log in logs.logs.values():
        values["share"] += [log.train_accuracy[-1]]
        values["nats"] += [log.train_loss[-1], log.train_loss[0]]
        values["difference"] += lag_and_jump(log.train_accuracy, log.val_accuracy)
        values["seconds"] += [log.seconds[0], log.seconds[-1]]
        values["share"].append(log.seconds[-1] / log.seconds[0] - 1)
    val = np.mean([x for name in names[1:] for x in logs.logs[name].val_accuracy])
    values["difference"].append(np.sqrt(2 / np.pi) * np.sqrt(2 * val * (1 - val) / logs.validation_photos))
    mine, others = ([sum(x.seconds for x in store.history(arm, s)) for s in range(5)] for arm in ("LAB", "LA"))
    ratios = np.array(mine) / np.array(others)
    mean = stats.mean_interval(ratios.tolist())
    values["ratio"] += [*ratios, mean.value, mean.low, mean.high, min(mine) / max(others), max(mine) / min(others)]
    values["ratio"] += [logs.ratio, logs.interleaved.value, logs.interleaved.low, logs.interleaved.high]
    values["ratio"] += [TIMING["ratio"][key] for key in ("value", "low", "high")]
    values["share"] += [TIMING["share_of_batch_norm"][key] for key in ("value", "low", "high")]
    values["share"].append(max(ratios.max() / mean.value - 1, 1 - ratios.min() / mean.value))
    epochs = [[x.seconds for x in store.history(run.arm, run.seed)] for run in runs]
    spread = [np.std(some, ddof=1) / np.mean(some) for some in epochs]
    values["share"] += [np.median(spread), max(spread)]
    texts = {f"{abs(100 * x):.1f}" for kind in ("share", "difference") for x in values[kind]}
    texts |= {f"{abs(100 * x):.0f}" for x in values["share"]}
    texts |= {f"{x:.3f}" for x in values["nats"]} | {f"{x:.2f}" for x in values["ratio"]}
    texts |= {f"{x:.2g}" for x in values["ratio"]} | {f"{x:.0f}" for x in values["seconds"]}
    return texts


def at(history):
    kept = [x for x in history if x.epoch in (2, 4, 6, 8, 10)]
    return lag_and_jump([x.train_accuracy for x in kept], [x.val_accuracy for x in kept])


def lag_and_jump(train, val):
    return [float(np.mean(np.subtract(train, val))), float(np.abs(np.diff(val)).mean())]


WHOLE = {  # that are no measurements: seeds, epochs, runs, photos, pixels, bars, levels
    *map(str, range(11)), "95", "105", "83", "100", "50", "17", "64", "96", "106", "407", "0.03", "0.1", "2"
}  # fmt: skip


@pytest.mark.parametrize("tongue", ["en", "ko"])
def test_every_number_of_the_document_is_held_against_the_records(store, documents, tongue):
    may, seen = allowed(store), set()
    for text in texts(documents[tongue]):
        versions = re.compile(r"\d+\.\d+\.\d+|Linux 6\.1")
        for number in re.findall(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?:e-\d+)?", versions.sub("", text)):
            plain = number.rstrip(",").replace(",", "")
            seen.add(plain)
            assert plain in may or plain in WHOLE, (number, text)
    assert len(seen) > 150


def test_the_document_in_another_language_has_the_same_numbers(documents):
    one, two = ([sorted(re.findall(r"\d+\.\d+", text)) for text in texts(made)] for made in documents.values())
    assert one == two


def test_each_row_of_the_effects_is_its_two_arms(store, documents):
    (table,) = [block for block in blocks(documents["en"]) if isinstance(block, Table) and block.header[2] == "arms"]
    assert len(table.rows) == 17
    for row in table.rows:
        one, two = row[2].split(" − ")
        seeds = range(int(row[4]))
        assert len(seeds) == min(len(REACHED[one]), len(REACHED[two]))
        rows = np.array([correct(store, one, seed) - correct(store, two, seed) for seed in seeds])
        made = stats.crossed_difference(rows).interval()
        assert row[3] == f"{100 * made.value:+.1f} ({100 * made.low:.1f} to {100 * made.high:.1f})".replace(
            "-0.0", "0.0"
        )


def test_each_seed_is_listed(documents):
    listed = [block for block in blocks(documents["en"]) if isinstance(block, Table) and "seed 4" in block.header]
    rows = {row[0]: row for table in listed for row in table.rows}
    for name in ("LA", "LAB", "plain", "residual", "bottleneck"):
        for arm, first in ((name, 2), (f"{name}-published", 3)):
            assert rows[arm][first : first + 5] == tuple(f"{100 * value:.1f}" for value in REACHED[arm])


def test_the_answer_comes_first(documents):
    said = " ".join(documents["en"].sections[0].blocks[0].items)
    assert "for 4 of 5 networks" in said
    assert "outside it for the others (plain 35.8 %, found 25.0 to 30.0)" in said
    assert "LAB: without its 4 defects it gains 32.2 points" in said
    assert "removing the scrambled pool gradient alone: +26.7 points" in said
    assert "no difference between LAB and plain, residual and bottleneck is significant" in said
    assert "in 3 of 5 seeds, as the published run did; without the defect LA does so in 1 of 5" in said
    assert "LAB takes 1.21 (95 % interval 1.18 to 1.24) times as long as LA" in said


def test_what_cannot_have_acted_is_said(documents):
    said = " ".join(texts(documents["en"]))
    assert "in LA, LAB, plain, residual and bottleneck no ReLU directly precedes a sum" in said


def test_without_a_measurement_of_time_its_part_is_left_out_and_said(store):
    said = time.section(forensic.gather(store)).blocks[0].text
    assert "This document has no step-by-step measurement" in said
    assert "pairs of steps" not in said


def test_seeds_that_are_missing_are_counted_out(tmp_path):
    few = {
        "LA": (0.20, 0.47, 0.48), "LA-published": (0.20, None, 0.30), "LAB": (0.64, 0.61, 0.64),
        "LAB-published": (0.31, None, None), "LAB-without-pool": (None, 0.55, 0.60),
    }  # fmt: skip
    store = forensic_store(tmp_path / "few", few)
    found = found_in(store)
    assert found.effect("LA", "all").seeds == (0, 2)
    assert found.effect("LAB", "all").seeds == (0,)
    assert found.effect("LAB", "removed", "scrambled_pool") is None  # no seed has both
    assert not any(one.told for one in found.comebacks)
    said = " ".join(texts(forensic.document(store)))
    assert "LA: its one defect" in said
    assert "2 seeds" in said
    assert "one seed, no interval" in said
    assert "Networks have 0 to 3 seeds so far" in said


def test_a_study_without_a_run_still_has_a_document(tmp_path):
    made = forensic.document(forensic_store(tmp_path / "none", {"LA": ()}))
    assert "are not finished" in " ".join(texts(made))


@pytest.mark.parametrize(
    ("value", "low", "high", "said"),
    [(1.2, 1.1, 1.3, "batch norm makes a step slower"), (0.9, 0.8, 0.95, "a step is faster here"),
     (1.0, 0.9, 1.1, "no significant difference")],
)  # fmt: skip
def test_the_sentence_about_time_is_chosen_by_the_interval(store, tmp_path, value, low, high, said):
    path = tmp_path / "timing.json"
    path.write_text(json.dumps({"ratio": {"value": value, "low": low, "high": high, "n": 50}}))
    assert said in next(time.answer(forensic.gather(store, read_timing(path))))


def test_what_explain_prints_is_a_file_of_times(tmp_path):
    ends = {"low": 9.0, "high": 13.0, "n": 40}
    kinds = {"batch norm": {"value": 12.0, **ends}, "pool": {"value": 0.1, **ends}}
    whole = {"ratio": {"value": 1.3, **ends}, "after": {"value": 50.0, **ends}, "kinds": kinds, "processor": "a chip"}
    path = tmp_path / "timing.json"
    path.write_text(json.dumps(whole))
    found = read_timing(path)
    assert found.share_of_batch_norm == Estimate(12 / 50, 9 / 50, 13 / 50, 40, "interleaved")
    assert (found.ratio.value, found.machine) == (1.3, "a chip")


@pytest.mark.parametrize(
    ("text", "said"), [("{}", "ratio"), ("[", "not a measurement of time"), (None, "cannot be read")]
)
def test_a_wrong_file_of_times_is_told(tmp_path, text, said):
    path = tmp_path / "timing.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(StoreError, match=said):
        read_timing(path)


def test_folders_of_this_machine_are_not_published():
    typed = "commongarden run /home/me/forensics.toml --data /home/me/flowers/ --out /tmp/x --cache-dir /tmp/c --yes"
    assert checks.public(typed) == "commongarden run forensics --data flowers --yes"
    assert checks.public("commongarden run forensics --data flowers") == "commongarden run forensics --data flowers"


# As a person does it


def test_the_study_is_built_in(photos):
    made = CliRunner().invoke(main, ["run", "forensics", "--data", str(photos), "--seeds", "3", "--dry-run"])
    assert made.exit_code == 0, made.output
    study = studies.parse(made.output)
    assert (len(study.arms), study.seeds, study.name) == (21, (0, 1, 2), "forensics")


def test_the_script_writes_both_documents_with_their_pictures(store, timing, documents, tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(script.forensic, "document", lambda *given: asked.append(given) or documents[current()])
    given = [str(store.root), "--timing", str(timing), "--docs", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["forensics.py", *given])
    script.main()
    assert capsys.readouterr().out.split() == [str(tmp_path / "forensics.md"), str(tmp_path / "forensics.ko.md")]
    assert [(given.root, measured.ratio.n) for given, measured in asked] == 2 * [(store.root, 407)]
    for name in ("forensics.md", "forensics.ko.md"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        pictures = re.findall(r"\]\((drawings/[^)]+\.svg)\)", text)
        assert len(pictures) == 5
        assert all((tmp_path / picture).read_text(encoding="utf-8").startswith("<svg") for picture in pictures)
    monkeypatch.undo()
    monkeypatch.setattr(sys, "argv", ["forensics.py", str(tmp_path / "nothing")])
    with pytest.raises(SystemExit, match="nothing"):
        script.main()


@pytest.mark.soak
def test_the_study_runs_by_its_name(photos, tmp_path):
    made = CliRunner().invoke(
        main,
        ["run", "forensics", "--data", str(photos), "--arms", "plain,plain-published", "--seeds", "1", "--epochs", "1",
         "--out", str(tmp_path / "out"), "--workers", "1", "--yes", "--log", "plain"],
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    store = stores.open_store(tmp_path / "out")
    assert {run.arm: run.status for run in store.runs()} == {"plain": "finished", "plain-published": "finished"}
    found = found_in(store)
    (effect,) = found.effects
    assert (effect.arm, effect.against, effect.seeds) == ("plain", "plain-published", (0,))
    assert effect.mean.value == pytest.approx(
        store.run("plain", 0).test_accuracy - store.run("plain-published", 0).test_accuracy
    )
    kinds = {finding.kind for finding in store.audits()["plain-published"].findings}
    assert {"wrong gradient", "lagging statistics", "dropped positions"} <= kinds
