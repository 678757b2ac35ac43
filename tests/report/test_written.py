"""What is written besides the page: the lab report as Word and Markdown, tables for LaTeX, results.csv, methods."""

import dataclasses
import io
import itertools
import math
import re
import subprocess
import sys
from pathlib import Path

import docx
import numpy as np
import pandas
import pytest
from docx.oxml.ns import qn
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from commongarden import arch, report, stats
from commongarden import store as stores
from commongarden.errors import StudyError
from commongarden.records import Failure
from commongarden.report import page, written_report
from commongarden.report import results_csv as results_files
from commongarden.report.charts import figures
from commongarden.report.document import (
    Bullets,
    Document,
    Figure,
    Log,
    Paragraph,
    Section,
    Table,
    latex,
    markdown,
    numbered,
    scripts,
)
from commongarden.report.document import docx as word
from commongarden.report.topics import discussion, methods, network_blocks, page_data, written_tables
from commongarden.report.wording import references
from commongarden.study import Contrast, Study
from commongarden.study.arm import Arm
from commongarden.study.recipe import Recipe
from grown import grown

CLASSES = ("daisy", "dandelion", "rose", "sunflower", "tulip")
ARMS = {
    "LA": Arm("inception_flower", {"order": "LA"}),
    "LAB": Arm("inception_flower", {"order": "LAB"}),
    "plain": Arm("plain_flower"),
    "residual": Arm("residual_flower"),
    "bottleneck": Arm("bottleneck_flower"),
    "wide": Arm("plain_flower", {}, {"resolution": 48}),
}
PAIRS = (("LAB", "LA"), ("residual", "plain"), ("bottleneck", "residual"), ("bottleneck", "LAB"), ("wide", "plain"))
REACHED = {
    "LA": (0.24, 0.45, 0.47),
    "LAB": (0.63, 0.62, 0.64),
    "plain": (0.58, 0.61, 0.57),
    "residual": (0.64, 0.63, 0.68),
    "bottleneck": (0.62, 0.66, 0.61),
    "wide": (0.6, 0.6, 0.66),
}


def experiment(root, reached=REACHED, pairs=PAIRS, **options):
    return grown(
        root,
        reached,
        classes=CLASSES,
        arms=ARMS,
        contrasts=tuple(Contrast(*pair) for pair in pairs),
        published={"LA": 0.242, "bottleneck": 0.42} if {"LA", "bottleneck"} <= set(reached) else None,
        **options,
    )


def document_of(store):
    return written_report.lab_report(store, stats.summarize(store))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return experiment(tmp_path_factory.mktemp("experiment") / "flowers")


@pytest.fixture(scope="module")
def document(store):
    return document_of(store)


@pytest.fixture(scope="module")
def opened(document):
    return docx.Document(io.BytesIO(word.to_docx(document)))


def titles(document):
    return [title for _, title, _ in numbered(document)]


def parts(document, kind):
    return [part for _, _, section in numbered(document) for part in section.blocks if isinstance(part, kind)]


def texts(document):
    """Everything that a reader reads, logs and pictures aside."""
    found = [document.title, document.about, *titles(document)]
    for _, _, section in numbered(document):
        for part in section.blocks:
            match part:
                case Paragraph():
                    found.append(part.text)
                case Bullets():
                    found += part.items
                case Table() if "recall" in part.header:  # tests/report/test_per_class.py
                    found.append(part.caption)
                case Table():
                    found += [part.caption, *part.header, *itertools.chain.from_iterable(part.rows)]
                case Figure():
                    found.append(part.caption)
    return found


def test_the_report_has_the_sections_of_the_original(document):
    assert titles(document) == [
        "1. Overview", "1.1. What is equal, what differs", "1.2. Methods",
        "2. Results", "2.1. Equal budgets",
        "2.2. Confusion matrices", "2.3. Most often misclassified",
        *(f"2.{i}. {name}" for i, name in enumerate(ARMS, 4)),
        "3. Discussion", "3.1. Bottleneck modules", "3.2. Inception and ResNet", "3.3. Batch normalization",
        "3.4. Shortcuts", "3.5. Other comparisons",
        "4. Conclusion", "4.1. Limitations", "References",
    ]  # fmt: skip
    of_arm = {title.split()[-1]: section for _, title, section in numbered(document) if title.startswith("2.")}
    for name in ARMS:
        conditions, _introduction, log = of_arm[name].blocks
        assert conditions.header == ("condition", "value", "result", "value")
        assert log.lines[0] == f"Model {name}/0 train started:"
        assert log.lines[-1].startswith(f"Model {name}/0 test report: accuracy = {REACHED[name][0]:.3f}")


@pytest.mark.parametrize(
    ("one", "two", "heading"),
    [
        ("bottleneck", "residual", "Bottleneck modules"),
        ("bottleneck", "plain", "Bottleneck modules"),
        ("LAB", "residual", "Inception and ResNet"),
        ("bottleneck", "LA", "Inception and ResNet"),
        ("LAB", "LA", "Batch normalization"),
        ("residual", "plain", "Shortcuts"),
        ("LAB", "plain", "Other comparisons"),
        ("wide", "plain", "Other comparisons"),
    ],
)
def test_a_heading_of_the_discussion_stands_only_where_a_contrast_bears_on_it(tmp_path, one, two, heading):
    store = experiment(tmp_path, {one: (0.5, 0.6), two: (0.5, 0.55)}, [(one, two)], epochs=1)
    study, results = store.study(), stats.summarize(store)
    epochs = page_data.histories(store, list(study.arms), store.runs())
    found = discussion.discussion(study, results, epochs, {}, references.Citations())
    assert [section.title for section in found] == [heading]


def test_one_arm_has_nothing_to_discuss_and_no_run_no_results(tmp_path):
    alone = document_of(grown(tmp_path / "alone", {"alone": (0.5, 0.6)}))
    assert not any("Discussion" in title for title in titles(alone))
    empty = document_of(grown(tmp_path / "empty", {"a": (), "b": ()}))
    assert "No run has finished yet." in texts(empty)
    assert not parts(empty, Log)
    failed = document_of(grown(tmp_path / "failed", {"a": (Failure("the loss became nan", 2, 1),), "b": (0.5,)}))
    assert "a has no result: its only run failed." in texts(failed)


def test_every_number_comes_from_the_records(store, document):
    """Each decimal number is one of the results, a figure of the histories, or a ratio of their seconds."""
    results = stats.summarize(store)
    pool = [x * factor for x in _floats(results) for factor in (1, 100, 1e-3, 1e-6, 1e-9)]
    study = store.study()
    for arm in study.arms:
        last = [store.history(arm, seed)[-1] for seed in study.seeds]
        pool += [100 * np.mean([getattr(epoch, key) for epoch in last]) for key in ("train_accuracy", "val_accuracy")]
        pool += [np.mean([getattr(epoch, key) for epoch in last]) for key in ("train_loss", "val_loss")]
    for one, two in PAIRS:
        pool.append(_seconds(store, one) / _seconds(store, two))
    for part in parts(document, Figure):  # costs of single blocks stand in captions
        pool += [float(number) for number in re.findall(r"(\d+\.\d+) [kM] MACs", part.caption)]
    pool += [4082.0, study.recipe.lr, 1.96 * 100 * math.sqrt(0.25 / results.n_test)]
    edits = re.compile(
        r"[+-]\d+\.\d+ % activation bytes|dropout of 0\.3"
    )  # of the computed difference: test_difference.py
    told = [re.sub(edits, "", text) for text in texts(document) if "arXiv" not in text and "(Paszke" not in text]
    told = [text for text in told if not re.match(r"\d\.\d+\. ", text)]
    numbers = {number for text in told for number in re.findall(r"(?<![\d.,])\d+\.\d+(?![\d.])", text)}
    assert len(numbers) > 60
    for number in numbers:
        decimals = len(number.partition(".")[2])
        assert any(f"{abs(x):.{decimals}f}" == number for x in pool), number


def _floats(value):
    if dataclasses.is_dataclass(value):
        value = list(vars(value).values())
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [x for item in value for x in _floats(item)]
    return [float(value)] if isinstance(value, int | float) and not isinstance(value, bool) else []


def _seconds(store, arm):
    return sum(epoch.seconds for epoch in store.history(arm, 0))


def test_another_record_makes_another_report(tmp_path, document):
    changed = REACHED | {"bottleneck": (0.91, 0.95, 0.93)}
    before, after = " ".join(texts(document)), " ".join(texts(document_of(experiment(tmp_path, changed))))
    assert "bottleneck is better than residual" not in before
    assert "bottleneck is significantly better than residual, by 28.0 points" in after
    assert "accuracy = 0.910" in " ".join(
        line for log in parts(document_of(stores.open_store(tmp_path)), Log) for line in log.lines
    )
    assert "63.0" in before  # the mean of bottleneck
    assert "93.0" in after
    assert "93.0" not in before


def test_the_time_of_two_arms_is_compared_seed_by_seed(store):
    epochs = {arm: {seed: store.history(arm, seed) for seed in (0, 1, 2)} for arm in ("LA", "LAB")}
    found = discussion.time_ratio(epochs, "LAB", "LA")
    assert found.value == pytest.approx(_seconds(store, "LAB") / _seconds(store, "LA"))
    slow = [dataclasses.replace(epoch, seconds_forward_backward=7.0) for epoch in epochs["LAB"][2]]
    found = discussion.time_ratio({**epochs, "LAB": {**epochs["LAB"], 2: slow}}, "LAB", "LA")
    assert found.low < found.value < found.high
    assert discussion.time_ratio({"LA": {}, "LAB": epochs["LAB"]}, "LAB", "LA") is None


def test_folds_and_factors_are_called_so(tmp_path):
    arms = {"plain": Arm("plain_flower"), "residual": Arm("residual_flower")}
    folds = Study("folds", "photos", arms, Recipe(resolution=32, epochs=1), folds=3)
    document = document_of(
        grown(tmp_path / "folds", {"plain": (0.5, 0.6, 0.55), "residual": (0.6, 0.6, 0.7)}, study=folds)
    )
    whole = " ".join(texts(document))
    assert "Each was trained once in each of 3 folds." in whole
    assert "Log of training in fold 0, the first of 3" in whole
    assert any("Nadeau, C., & Bengio" in item for items in parts(document, Bullets) for item in items.items)
    assert "folds" in parts(document, Table)[3].header
    assert "3 seeds" not in whole
    spanned = Study("factors", "photos", recipe=Recipe(resolution=32, epochs=1), seeds=(0, 1, 2), factors=FACTORS)
    store = grown(tmp_path / "factors", dict.fromkeys(spanned.arms, (0.5, 0.55, 0.6)), study=spanned)
    document = document_of(store)
    assert "2.1. Effects of the factors" in titles(document)
    section = next(section for _, title, section in numbered(document) if title == "2.1. Effects of the factors")
    assert len(section.blocks[0].items) == 2
    assert any(isinstance(part, Figure) for part in section.blocks)


FACTORS = {"arch": ("plain_flower", "residual_flower"), "order": ("LA", "LBA")}


# Word


def test_word_has_real_headings_tables_captions_and_alternative_texts(document, opened):
    levels = {"Title": 0, "Heading 1": 1, "Heading 2": 2}
    headings = [(levels[p.style.name], p.text) for p in opened.paragraphs if p.style.name in levels]
    assert headings == [(0, document.title), *((level, title) for level, title, _ in numbered(document))]
    tables, drawn = parts(document, Table), parts(document, Figure)
    assert [[cell.text for cell in table.rows[0].cells] for table in opened.tables] == [
        [word._clean(value) for value in table.header] for table in tables
    ]
    plain = [[word._clean(value) for value in table.rows[-1]] for table in tables]
    assert [[cell.text for cell in table.rows[-1].cells] for table in opened.tables] == plain
    assert all(table.rows[0]._tr.trPr.find(qn("w:tblHeader")) is not None for table in opened.tables)
    spoken = [shape._inline.docPr.get("descr") for shape in opened.inline_shapes]
    assert spoken == [word._clean(figure.description) for figure in drawn]
    assert all(len(text) > 40 for text in spoken)
    captions = [p.text for p in opened.paragraphs if p.style.name == "Caption"]
    assert sorted(captions) == sorted(
        [f"Table {i}. {word._clean(table.caption)}" for i, table in enumerate(tables, 1)]
        + [f"Figure {i}. {word._clean(figure.caption)}" for i, figure in enumerate(drawn, 1)]
    )
    fields = [node.text for node in opened.element.iter(qn("w:instrText"))]
    assert fields.count(" SEQ Table \\* ARABIC ") == len(tables)
    assert fields.count(" SEQ Figure \\* ARABIC ") == len(drawn)


def test_word_is_a4_and_names_a_korean_font(opened):
    page = opened.sections[0]
    assert (round(page.page_width.cm, 1), round(page.page_height.cm, 1)) == (21.0, 29.7)
    for shape in opened.inline_shapes:
        assert shape.width <= page.page_width - page.left_margin - page.right_margin
        assert shape.height <= page.page_height - page.top_margin - page.bottom_margin
    for name in ("Normal", "Title", "Heading 1", "Heading 2", "Caption", "List Bullet"):
        fonts = opened.styles[name].element.rPr.rFonts
        assert fonts.get(qn("w:eastAsia")) == "Malgun Gothic"
        assert not [key for key in fonts.attrib if key.endswith("Theme")]
    assert opened.core_properties.title == "grown"
    assert opened.core_properties.language == "en-GB"


def test_pictures_for_paper_follow_no_scheme(document):
    for figure in parts(document, Figure):
        assert not re.search(r"var\(|@media", figure.svg)
        assert figures.png(figure.svg, 200).startswith(b"\x89PNG")
    hostile = figures.on_paper("<svg><title>var(--x) @media {</title><style>a { --x: #000; fill: var(--x); }</style>")
    assert hostile == "<svg><title>var(--x) @media {</title><style>a { fill: #000; }</style>"


# Markdown


def html_of(text):
    return MarkdownIt("commonmark").enable("table").render(text)


def test_markdown_has_the_same_headings_tables_and_figures(store, document):
    (path,) = report.write_as(store, ["md"])
    html = html_of(path.read_text(encoding="utf-8"))
    found = re.findall(r"<h(\d)>(.*?)</h\d>", html)
    assert found == [("1", "grown"), *((str(level + 1), title) for level, title, _ in numbered(document))]
    assert html.count("<table>") == len(parts(document, Table))
    sources = re.findall(r'<img src="(.*?)"', html)
    assert len(sources) == len(parts(document, Figure))
    for source in sources:
        assert (store.root / source).read_text(encoding="utf-8").startswith("<svg")
    assert html.count("<pre>") == len(ARMS)


def test_figures_of_an_earlier_report_go(tmp_path):
    store = grown(tmp_path, {"a": (0.5, 0.6), "b": (0.5, 0.7)}, epochs=1)
    report.write_as(store, ["md"])
    stale, other = tmp_path / "report_files" / "figure-99.svg", tmp_path / "report_files" / "mine.svg"
    for path in (stale, other):
        path.write_text("<svg/>")
    report.write_as(store, ["md"])
    assert not stale.exists()
    assert other.exists()


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40))
def test_markdown_reads_any_text_as_itself(text):
    wanted = " ".join(text.split())
    html = html_of(f"{markdown.text(text)}\n\n- {markdown.text(text)}\n")
    assert re.search(r"<h3>(.*?)</h3>", html_of(markdown._heading(3, text)), re.DOTALL)[1] == _escaped(wanted)
    shown = [re.sub(r"<.*?>", "", line) for line in re.findall(r"<(?:p|li)>(.*?)</(?:p|li)>", html, re.DOTALL)]
    unescaped = [_unescaped(line) for line in shown]
    assert unescaped == ([wanted, wanted] if wanted else [""])


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs"]), min_size=1, max_size=30))
def test_markdown_tables_keep_their_cells(text):
    made = markdown.table(Table("", ("a", "b"), ((text, f"{text}\n{text}"),)))
    cells = re.findall(r"<td.*?>(.*?)</td>", html_of(made), re.DOTALL)
    assert [_unescaped(cell).split("<br>") for cell in cells] == [[text], [text, text]]


def _unescaped(html):
    from html import unescape

    return unescape(html)


# LaTeX


def test_latex_has_the_comparison_and_the_contrasts(store):
    text = report.write_as(store, ["latex"])[0].read_text(encoding="utf-8")
    assert text.count(r"\begin{tabular}") == text.count(r"\bottomrule") == 3
    assert r"LAB & LA & two seeds & +17.0 &" in text  # LA did not learn in the third
    for environment in re.findall(r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", text, re.DOTALL):
        rows = [row for row in environment[1].split("\n") if row.endswith(r"\\")]
        assert {row.count(" & ") for row in rows} == {len(environment[0]) - 1}


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_latex_leaves_no_sign_with_a_meaning_of_its_own(text):
    made = latex.text(text)
    bare = re.sub(r"\\text[a-z]+\{\}|\{\\char34\}|\$\\times\$|\$-\$|\\[{}$&#%_]|\{\[\}|\{\]\}|(?<=[-',])\{\}", "", made)
    assert not set(bare) & set('\\{}$&#%_~^<>|"`[]')
    assert "--" not in made
    assert "''" not in made


# results.csv


def test_results_csv_reads_beside_timms_own(store):
    results = stats.summarize(store)
    table = pandas.read_csv(io.StringIO(results_files.to_csv(results)))
    timm = [
        "model",
        "top1",
        "top1_err",
        "param_count",
        "img_size",
        "infer_step_time",
        "infer_batch_size",
        "infer_gmacs",
    ]
    assert set(timm) <= set(table.columns)
    assert list(table["kind"]) == ["arm"] * len(ARMS) + ["commonest class"]
    for (_, row), arm in zip(table.iterrows(), results.arms, strict=False):
        assert (row["arm"], row["model"], row["img_size"]) == (arm.arm, arm.arch, arm.input[0])
        assert row["top1"] == pytest.approx(100 * arm.test_accuracy.value)
        assert row["top1_low"] == pytest.approx(100 * arm.test_accuracy.low)
        assert row["top1"] + row["top1_err"] == pytest.approx(100)
        assert row["param_count"] == pytest.approx(arm.n_params / 1e6)
        assert row["infer_gmacs"] == pytest.approx(arm.macs / 1e9)
        assert row["infer_step_time"] == pytest.approx(arm.inference_ms.value)
        assert row["infer_batch_size"] == 1
        assert row["balanced_accuracy"] == pytest.approx(100 * arm.balanced_accuracy.value)
        assert row["log_loss"] == pytest.approx(arm.log_loss.value)
    assert table["published_top1"][0] == pytest.approx(24.2)
    assert table["top1"].iloc[-1] == pytest.approx(20.0)


def test_no_cell_of_results_csv_is_a_formula(store):
    results = stats.summarize(store)
    evil = dataclasses.replace(results.arms[0], arch="=cmd|' /C calc'!A0", arm="@SUM(1)")
    text = results_files.to_csv(dataclasses.replace(results, arms=(evil, *results.arms[1:])))
    table = pandas.read_csv(io.StringIO(text))
    assert table["model"][0] == "'=cmd|' /C calc'!A0"
    assert table["arm"][0] == "'@SUM(1)"
    for name in table.select_dtypes(exclude="number"):
        assert not table[name].dropna().astype(str).str.startswith(("=", "+", "-", "@")).any()


# Names that are out to do harm


HOSTILE = (
    "</script><script>alert(1)</script>", "a|b **c** [d](javascript:alert(1)) ![e](f) `g`",
    r"\input{/etc/passwd} $x$ 5 %", "=1+1", "장미 & <b>",
)  # fmt: skip


def test_hostile_names_stay_text(tmp_path):
    store = grown(tmp_path, {"a": (0.5, 0.6), "b": (0.55, 0.6)}, classes=HOSTILE, description=HOSTILE[1], epochs=1)
    document = document_of(store)
    text = "\n".join(
        cell.text for row in docx.Document(io.BytesIO(word.to_docx(document))).tables[0].rows for cell in row.cells
    )
    assert set(HOSTILE) <= set(text.replace("\N{NO-BREAK SPACE}", " ").split("\n"))
    html = html_of(markdown.to_markdown(document, "report_files")[0])
    assert "<script" not in html
    assert "javascript:" not in re.sub(r'>[^<]*<| alt="[^"]*"', "", html)
    assert all(f"<td>{_escaped(name)}</td>" in html for name in HOSTILE)
    assert html.count("<img") == len(parts(document, Figure))
    first = Document("t", "", "en", (Section("s", (Log(("a ``` b", "# c")),)),))
    assert "<pre><code>a ``` b\n# c\n</code></pre>" in html_of(markdown.to_markdown(first, "f")[0])


def _escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def test_signs_that_xml_cannot_hold_are_left_out_of_word():
    made = Document(
        "a\x00b" * 200, "\x0b\ud800", "en", (Section("s", (Paragraph("x\x1by\uffff"), Bullets(("-1.5 %",)))),)
    )
    opened = docx.Document(io.BytesIO(word.to_docx(made)))
    assert [p.text for p in opened.paragraphs] == ["ab" * 200, "", "1. s", "xy", "\N{MINUS SIGN}1.5\N{NO-BREAK SPACE}%"]


# Methods


def told(store):
    results = stats.summarize(store)
    return methods.methods(store.study(), results, store.runs())


def test_methods_cite_what_was_used_and_list_what_they_cite(store, document, tmp_path):
    found = told(store)
    text = " ".join(found.paragraphs)
    named = {key for key, (name, _) in references.WORKS.items() if name in text}
    assert found.references == references.listed(named)
    assert {
        "agarwal",
        "ioffe",
        "srivastava",
        "loshchilov",
        "he_init",
        "paszke",
        "satterthwaite",
    } <= named
    assert {"holm", "schuirmann", "fisher", "guo"} <= named
    assert "6 networks were trained on photos (5 classes)" in text
    assert "wide (resolution = 48)" in text
    plain = told(grown(tmp_path, {"a": (0.5,)}, arms={"a": Arm("resnet18", {"order": "LA"})}))
    said = " ".join(plain.paragraphs)
    assert "With one seed there is no confidence interval." in said
    assert "a (He et al. 2015b)" in said
    assert not re.search("Ioffe|Srivastava|Agarwal|Bouthillier|Student|Satterthwaite|Holm", said)
    listed = next(section for _, title, section in numbered(document) if title == "References").blocks[0].items
    whole = " ".join(texts(document))
    assert all(name in whole for key, (name, entry) in references.WORKS.items() if entry in listed)


def test_methods_of_a_race_tell_its_looks(store):
    found = methods.methods(store.study(), stats.summarize(store), store.runs(), raced=True)
    text = " ".join(found.paragraphs)
    assert "alpha spending (Lan & DeMets 1983)" in text
    assert "adjusted for all" not in text
    assert any(entry.startswith("Lan, K. K. G.") for entry in found.references)


def test_no_work_is_kept_that_nothing_cites():
    folder = Path(methods.__file__).parent
    code = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py") if path.name != "references.py")
    assert [key for key in references.WORKS if f'"{key}"' not in code] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"optimizer": "adam"}, "Adam (Kingma & Ba 2014) with learning rate 0.001"),
        ({"optimizer": "sgd", "nesterov": True}, "SGD with Nesterov momentum 0.9"),
        (
            {"schedule": "cosine", "warmup_epochs": 1.0},
            "followed a cosine schedule (Loshchilov & Hutter 2016). It was warmed up from 0",
        ),
        ({"schedule": "one-cycle"}, "followed a one-cycle schedule (Smith & Topin 2017)"),
        ({"init": "fixed"}, "standard deviation 0.03"),
        ({"pixels": "raw"}, "Pixel values were kept at 0 to 255."),
        ({"augment": ("flip", "crop")}, "Data augmentation: flip, crop."),
        (
            {"augment": ("random-resized-crop", "rand-augment"), "mixup": 0.2, "random_erasing": 0.25},
            "Data augmentation: random-resized-crop (at least 8 % of the area), rand-augment (magnitude 9), random "
            "erasing (probability 0.25), mixup (alpha 0.2).",
        ),
        ({"resize": "crop", "crop_share": 0.875}, "The shorter side was resized and the centre cut out."),
        ({"crop_share": 0.875}, "The centre that was cut out is 87.5 % of the resized side."),
        ({"resize": "pad"}, "The longer side was resized and the rest padded with grey."),
        ({"clip_grad_norm": 1.0}, "Gradients were clipped to a norm of 1 (Pascanu et al. 2013)."),
        ({"ema_decay": 0.99, "select": "ema"}, "The moving average of the weights was tested."),
        ({"grad_accum_steps": 4}, "The gradients of 4 batches were averaged for each optimizer step."),
        ({"optimizer": "lamb"}, "The optimizer was lamb (Wightman 2019) with learning rate"),
        ({"label_smoothing": 0.1}, "Label smoothing was 0.1 (Szegedy et al. 2015)."),
        ({"select": "best-val"}, "best validation accuracy were tested"),
    ],
)
def test_methods_tell_the_recipe(store, change, said):
    study = store.study()
    changed = dataclasses.replace(study, recipe=dataclasses.replace(study.recipe, **change))
    found = methods.methods(changed, stats.summarize(store), store.runs())
    assert said in " ".join(found.paragraphs)


def test_methods_stand_on_the_page(store, monkeypatch):
    monkeypatch.setattr(scripts, "bundle", str)  # which takes seconds to make
    html = page.render(store, stats.summarize(store))
    for paragraph in told(store).paragraphs:
        assert paragraph.replace(" %", "\N{NO-BREAK SPACE}%").replace("&", "&amp;").replace("'", "&#39;") in html


# Blocks


@pytest.mark.parametrize(
    ("name", "kind", "n"),
    [
        ("resnet50", "bottleneck", 16), ("resnet18", "residual", 8), ("googlenet", "module", 9), ("plain34", None, 0),
        ("inception_v3", "module", 11), ("vgg16", None, 0), ("alexnet", None, 0), ("inception_flower", "module", 7),
        ("bottleneck_flower", "bottleneck", 6), ("residual_flower", "residual", 6),
        ("bottleneck_twin", "bottleneck", 6),
    ],
)  # fmt: skip
def test_blocks_are_found_by_what_they_are(name, kind, n):
    family = arch.FAMILIES[name]
    network = arch.network(name, family.n_classes)
    found = network_blocks.blocks(network, family.input)
    assert {block.kind for block in found} == ({kind} if kind else set())
    assert len(found) == n
    inside = {layer.path[1:]: layer for layer in arch.trace(network, family.input)}
    for block in found:
        start = tuple(block.name.split(" / "))
        first = next(layer for path, layer in inside.items() if path[: len(start)] == start)
        assert first.input == block.input


def test_the_tables_hold_every_arm_and_contrast(store):
    results = stats.summarize(store)
    reached, costs = written_tables.comparison(results)
    assert [row[0].text for row in reached.rows] == [*ARMS, "majority class (daisy)"]
    assert [row[0].text for row in costs.rows] == list(ARMS)
    planned = written_tables.contrasts(results)
    assert [row[:2] for row in planned.rows] == list(PAIRS)
    for row, found in zip(planned.rows, results.contrasts, strict=True):
        cells = dict(zip(planned.header, row, strict=True))
        said = {"not resolved": "not significant"}.get(found.outcome, found.outcome)
        n = 2 if found.against == "LA" else 3  # which did not learn in one
        assert cells["outcome"] == said
        assert float(cells["difference"]) == round(100 * found.difference.value, 1)
        if n == 3:
            assert cells["adjusted"] == f"{100 * found.adjusted.low:.1f} to {100 * found.adjusted.high:.1f}"
        assert (found.outcome == "two seeds") == (n == 2)
        assert cells["seeds"] == str(n)


# The command


def test_the_report_is_written_without_torch(store):
    code = (
        "import sys; from commongarden import report, store; opened = store.open_store(sys.argv[1]);"
        "paths = report.write_as(opened, ('docx', 'md', 'latex'));"  # the page: tests/cli/test_cli.py
        "assert len(paths) == 3 and all(path.is_file() for path in paths); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(store.root)], check=True)


def test_a_format_that_is_not_known_writes_nothing(store):
    with pytest.raises(StudyError, match="report: unknown format 'doc'; did you mean 'docx'"):
        report.write_as(store, ["md", "doc"])


def test_the_command_writes_what_is_asked_for(store, commongarden):
    for name in ("report.md", "table.tex", "report.html"):
        (store.root / name).unlink(missing_ok=True)
    done = commongarden("report", store.root, "--format", "latex", "--format", "md", check=0)
    assert done.stdout.split() == [str(store.root / "table.tex"), str(store.root / "report.md")]
    assert (store.root / "report.md").is_file()
    assert not (store.root / "report.html").exists()
    wrong = commongarden("report", store.root, "--format", "pdf", check=2)
    assert "'html', 'docx', 'md', 'latex'" in wrong.stderr
