"""What the runs were made with: the data, the arms, the recipe; the command, the machine, every run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from commongarden.i18n.coded import Coded
from commongarden.i18n.language import _, translate
from commongarden.records import LeftOut, Manifest, Run, Split
from commongarden.report.charts import classes as charts
from commongarden.report.document import (
    Bitmap,
    Block,
    Bullets,
    Cell,
    Fold,
    Gallery,
    Heading,
    Log,
    Paragraph,
    Plot,
    Section,
    SideBySide,
    Styled,
    StyledLine,
    Table,
)
from commongarden.report.topics import page_data
from commongarden.report.wording import designs, numbers, words
from commongarden.report.wording.labels import TEXT
from commongarden.report.wording.sweeps import some
from commongarden.stats.foremost import MOST_TOLD
from commongarden.store import Store, augmented
from commongarden.study import Arm, Study
from commongarden.study.recipe import FIELDS

PARTS = ("train", "val", "test")
MOST_RUNS, MOST_FAILED = 240, 20  # that the page lists one by one
N_PATHS = 200  # paths of left-out files that the page lists one by one
RUN_COLUMNS = ("arm", "seed", "status", "test_accuracy", "epochs", "epoch_tested", "time_taken", "device", "started")


def section(store: Store, study: Study, manifest: Manifest, split: Split) -> Section:
    """The data, the arms and the recipe."""
    understood = store.understood()
    data: list[Block] = [Heading(TEXT["data"]), Paragraph(page_data.data_name(study))]
    if understood is not None and understood.texts:
        data.append(Bullets(tuple(map(translate, understood.texts)), ""))
    said = words.split_plan(study.split)
    if study.splits_vary:
        said += f" {designs.counts_of_first(study.folds)}"
    bars = charts.counts(_counted(manifest, split))
    data += [
        counts(manifest, split, f"{TEXT['data']}."),
        *([Plot("", (bars,))] if bars else []),
        Paragraph(said, role="soft"),
        *_augmented(store, study, manifest),
        *_left_out(manifest, split),
    ]
    every = arms(study, f"{TEXT['arms']}.")
    data += [Fold(TEXT["arms"], (every,))] if len(every.rows) > MOST_TOLD else [Heading(TEXT["arms"]), every]
    values = {arm: study.own_values(arm) for arm in study.arms}
    fields = [(field, [arm for arm, own in values.items() if field in own]) for field in FIELDS]
    rows = tuple((field, _shown(getattr(study.recipe, field)), _own(study, field, own)) for field, own in fields)
    kinds = tuple("declared" if own else "" for _field, own in fields)
    header = (TEXT["field"], TEXT["value"], TEXT["own"])
    seeds = designs.folds(study.folds, study.seed) if study.folds else words.study_seeds(study.seeds, study.seed)
    recipe = (
        Heading(TEXT["recipe"]),
        Table(f"{TEXT['recipe']}. {TEXT['recipe_caption']}", header, rows, 3, TEXT["recipe"], row_kinds=kinds),
        Paragraph(seeds),
    )
    return Section(TEXT["soil"], (SideBySide((tuple(data), recipe)),), anchor="soil")


def _augmented(store: Store, study: Study, manifest: Manifest) -> Iterator[Block]:
    """Training photos beside what augmentation makes of them; nothing where there are none."""
    label = {photo.path: photo.label for photo in manifest.photos}
    found = {path: shown for path, shown in augmented.versions(store.thumbnails()).items() if path in label}
    if not found or not study.recipe.augment:
        return
    groups = tuple(
        (tuple(_version(path, label[path], i, jpeg) for i, jpeg in enumerate(shown)), "", False)
        for path, shown in found.items()
    )
    said = Paragraph(TEXT["augmented_caption"].format(kinds=", ".join(study.recipe.augment)), role="soft")
    yield Fold(TEXT["augmented"], (said, Gallery(groups, "augmented")))


def _version(path: str, label: str, i: int, jpeg: bytes) -> Bitmap:
    if i == augmented.ORIGINAL:
        return Bitmap(jpeg, path, (Styled(label, "strong"),))
    return Bitmap(jpeg, TEXT["augmented_one"].format(path=path, n=i))


def counts(manifest: Manifest, split: Split, caption: str) -> Table:
    """Photos of each class in the three parts, and last their sums."""
    found = _counted(manifest, split)
    rows = [(name, [found[part][name] for part in PARTS]) for name in manifest.classes]
    rows.append((TEXT["all"], [found[part].total() for part in PARTS]))
    return Table(
        caption,
        tuple(TEXT[key] for key in ("class", *PARTS)),
        tuple((name, *map(numbers.whole, ns)) for name, ns in rows),
        row_kinds=(*[""] * len(manifest.classes), "line"),
    )


def _counted(manifest: Manifest, split: Split) -> dict[str, Counter[str]]:
    """Photos of each class, in the order of the classes, by part."""
    label = {photo.path: photo.label for photo in manifest.photos}
    none = dict.fromkeys(manifest.classes, 0)
    found = {part: Counter(none) for part in PARTS}
    for part in PARTS:
        found[part].update(label[path] for path in getattr(split, part))
    return found


def _left_out(manifest: Manifest, split: Split) -> Iterator[Block]:
    """What takes no part, by reason, most files first."""
    by_reason: dict[Coded, list[str]] = {}
    for item in (*manifest.left_out, *split.left_out):
        by_reason.setdefault(_general(item), []).append(item.path)
    if not by_reason:
        yield Paragraph(TEXT["left_out_nothing"], role="soft")
        return
    yield Heading(TEXT["left_out"])
    for reason, paths in sorted(by_reason.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        rest = len(paths) - N_PATHS
        shown = (*paths[:N_PATHS], *([words.more(rest)] if rest > 0 else []))
        yield Fold(words.left_out(reason, len(paths)), (Bullets(shown, "paths"),))


def _general(item: LeftOut) -> Coded:
    return item.text.changed(lambda text: text.replace(item.path, "").strip(" :") or text)


def _own(study: Study, field: str, arms: Sequence[str]) -> str:
    """The arms with a value of their own."""
    values = {arm: _shown(getattr(study.recipe_of(arm), field)) for arm in arms}
    if len(study.arms) <= MOST_TOLD:
        return "; ".join(f"{arm}: {value}" for arm, value in values.items())
    shared = {value: [arm for arm in arms if values[arm] == value] for value in values.values()}
    return "; ".join(f"{some(names, 3)}: {value}" for value, names in shared.items())


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or TEXT["none"]
    return str(value).lower() if isinstance(value, bool) else str(value)


def arms(study: Study, caption: str) -> Table:
    """Every arm with its architecture and its options."""
    rows = tuple((Cell(name, arm=name), arm.arch, _options(arm)) for name, arm in study.arms.items())
    return Table(caption, (TEXT["arm"], TEXT["architecture"], TEXT["options"]), rows, n_left=3)


def _options(arm: Arm) -> str:
    given = {key: value for key, value in arm.options.items() if value != ""}  # no file of weights
    given |= {"ablated": arm.ablated} if arm.ablated else {}
    return ", ".join(f"{key} = {_shown(value)}" for key, value in given.items())


def made(
    store: Store, study: Study, runs: Sequence[Run], histories: page_data.Histories, told: Collection[str]
) -> Section:
    """The command, the machine and every run. told: the arms of which each run is listed where runs are many."""
    blocks: list[Block] = []
    if command := page_data.command(store):
        blocks += [Heading(TEXT["command"]), Log((command,), TEXT["command"])]
    if runs:
        blocks += [Heading(TEXT["machine"]), *map(Paragraph, page_data.machine_lines(runs)), Heading(TEXT["versions"])]
        versions = [Styled(f"{name} {version}", "whole") for name, version in page_data.versions(runs)]
        blocks.append(StyledLine(tuple(part for one in versions for part in (one, Styled(", ")))[:-1]))
        blocks.append(_hashes(runs))
    failed = [run for run in runs if run.status == "failed"]
    for i, run in enumerate(failed):
        if i < MOST_FAILED:
            blocks.append(Paragraph(words.failure(run), role="notice"))
            if run.failure is not None and run.failure.traceback:
                blocks.append(Fold(TEXT["traceback"], (Log(tuple(run.failure.traceback.split("\n"))),)))
    if len(failed) > MOST_FAILED:
        blocks.append(Paragraph(words.more(len(failed) - MOST_FAILED)))
    if runs:
        text = designs.labels(TEXT, study.folds)
        lengths = any(run.recipe.early_stopping for run in runs)
        columns = [key for key in RUN_COLUMNS if key != "epochs" or lengths]
        listed = [run for run in runs if run.arm in told] if len(runs) > MOST_RUNS else runs
        rows = tuple(tuple(row[key] for key in columns) for row in (_run_row(run, histories) for run in listed))
        header = tuple(text[key] for key in columns)
        blocks.append(Fold(TEXT["runs"], (Table(f"{TEXT['runs']}.", header, rows, len(header)),)))
        if rest := len(runs) - len(listed):
            said = _("{n} other runs: runs/MODEL/SEED/run.json in the study's folder.")
            blocks.append(Paragraph(said.format(n=rest)))
    return Section(TEXT["made"], tuple(blocks), anchor="made")


def _hashes(runs: Sequence[Run]) -> StyledLine:
    """Data and split; more than one hash under a name would be a mixed study."""
    spans, before = [], f"{TEXT['hashes']}: "
    for what, name in (("hash_data", "data"), ("hash_split", "split")):
        found = ", ".join(dict.fromkeys(getattr(run.hashes, name)[:12] for run in runs))
        spans += [Styled(f"{before}{TEXT[what]} "), Styled(found, "code")]
        before = ", "
    return StyledLine(tuple(spans), "soft")


def _run_row(run: Run, histories: page_data.Histories) -> dict[str, str]:
    """A run in one line, by column."""
    history = histories[run.arm].get(run.seed, ())
    seconds = sum(epoch.seconds for epoch in history)
    return {
        "arm": run.arm,
        "seed": str(run.seed),
        "status": TEXT[run.status],
        "test_accuracy": "" if run.test_accuracy is None else numbers.percent(run.test_accuracy),
        "epochs": str(len(history) or ""),
        "epoch_tested": str(run.selected_epoch or ""),
        "time_taken": numbers.number(seconds) if seconds else "",
        "device": run.device,
        "started": run.started.replace("T", " ")[:16],
    }
