"""What a report says, and which words of it are no names: English that was left over in another language."""

import html
import io
import json
import re
from html.parser import HTMLParser

from rich.console import Console

from commongarden import arch
from commongarden.report import page
from commongarden.report.topics import tables
from commongarden.report.wording.references import WORKS
from commongarden.study.recipe import FIELDS
from grown import MACHINE
from prose import outside

SPOKEN = ("aria-label", "alt", "title", "placeholder")
# as every language has them: names of methods, people, programs and file kinds, units
TERMS = {
    "MAC", "MACs", "ONNX", "FLOPs", "Holm", "Fisher", "McNemar", "Nadeau", "Bengio", "JavaScript", "CSV", "JSON",
    "torch", "Owen",
    "commongarden",
    "MB", "GiB", "ms", "ReLU", "Lan", "DeMets", "AdamW", "SGD", "PyTorch", "SIGKILL", "nan", "scikit", "learn",
    "weight", "ECE", "Satterthwaite", "Grad", "CAM", "CPU", "GPU", "CUDA", "F", "Selvaraju", "et", "al",
}  # fmt: skip


# titles of works stay in the language that they were published in
CITED = sorted((text for work in WORKS.values() for text in work), key=len, reverse=True)


class Spoken(HTMLParser):
    """What is read or heard of a page: text, names of parts, and the texts of its charts."""

    def __init__(self, page):
        super().__init__()
        self.texts, self.specs, self.inside = [], "", ""
        self.feed(page)
        charts = json.loads(self.specs) if self.specs else {}
        self.texts += [text for text in strings(charts) if not re.search(r"datum|var\(|^#|:[QN]$", text)]

    def handle_starttag(self, tag, attributes):
        kept = dict(attributes)
        if tag in ("style", "script", "code"):
            self.inside = "specs" if kept.get("id") == "specs" else tag
        self.texts += [kept[name] for name in SPOKEN if kept.get(name)]

    def handle_endtag(self, tag):
        if tag in ("style", "script", "code"):
            self.inside = ""

    def handle_data(self, data):
        if self.inside == "specs":
            self.specs += data
        elif not self.inside and data.strip():
            self.texts.append(data)


TITLES = {"title", "text", "said", "label", "verdict", "description", "name_of", "told"}


def strings(found, key=""):
    """What a chart writes: titles, and the texts in its rows."""
    if isinstance(found, dict):
        for name, value in found.items():
            yield from strings(value, name)
    elif isinstance(found, list):
        for value in found:
            yield from strings(value, key)
    elif isinstance(found, str) and key in TITLES:
        yield found


def left_over(page, names):
    """Words in Latin letters that are no names."""
    words = set()
    for text in Spoken(page).texts:
        for work in CITED:
            text = text.replace(work, " ")
        text = re.sub(r"--[a-z][a-z-]+", " ", text)  # options of the command line
        text = re.sub(r"\S*[/=\\]\S*|\b[0-9a-f]{7,}\b|[\w.]+\.(json|html|csv|png|jpg|py)(?![a-z])", " ", outside(text))
        words |= {word for word in re.findall(r"[A-Za-z][A-Za-z_]+", text) if not set(word) <= set("LAB")}
    return sorted(words - names)


def names_of(store):
    """What the study and the machine call things."""
    study = store.study()
    said = [
        study.name,
        study.description,
        study.data,
        study.published_source,
        *store.manifest().classes,
        MACHINE.system,
    ]
    said += [MACHINE.processor, "python", *MACHINE.packages, *FIELDS, "arch", "cpu", "True", "False", "true", "false"]
    for run in store.runs():
        said += [run.machine.processor, run.machine.system, *run.machine.packages]
    for name, arm in study.arms.items():
        said += [name, arm.arch, *arm.options, *map(str, arm.options.values())]
        said += [part for path in arch.trace(arm.network(3), (32, 32, 3)) for part in path.path]
        recipe = study.recipe_of(name)
        said += [str(getattr(recipe, field)) for field in FIELDS]
    return {word for text in said for word in re.findall(r"[A-Za-z][A-Za-z_]*", text)} | TERMS


def shown(store, results):
    """The page, and what `compare` prints."""
    console = Console(width=400, file=io.StringIO())
    for part in tables.terminal(results):
        console.print(part)
    return page.render(store, results) + f"<p>{html.escape(console.file.getvalue())}</p>"
