"""What stands in the pages of the documentation: commands to type, links, headings, blocks of code."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^( *)(`{3,})(\w*)[^\n]*\n(.*?)^\1\2 *$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(commongarden [^`\n]+)`")
END = {"|", ">", ">>", "&&", ";", "&", "2>"}
LINK = re.compile(r"\]\(([^)\s]+)\)|<img [^>]*src=\"([^\"]+)\"")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, and its text."""

    kind: str
    text: str


def blocks(text):
    """The fenced blocks of a page."""
    return [Block(found[3], found[4]) for found in FENCE.finditer(text)]


def prose(text):
    """A page without its fenced and indented blocks."""
    return re.sub(r"^(?: {4}|\t).*$", "", FENCE.sub("", text), flags=re.MULTILINE)


def shell_commands(text):
    """The commands in a page's blocks of shell code, without what they print."""
    return [words for block in blocks(text) if block.kind == "bash" for words in commands(f"```\n{block.text}```")]


def commands(text):
    """Each command of a page, in code or in a sentence, as the words to type, `commongarden` left out."""
    joined = re.sub(r"\\\n\s*", " ", text)
    inside = [line for block in blocks(joined) for line in block.text.splitlines()]
    inside += re.findall(r"^(?: {4,}|\t|!)(.*)$", FENCE.sub("", joined), re.MULTILINE)
    lines = [line.strip().removeprefix("$ ").removeprefix("!") for line in inside]
    typed = [line for line in lines if line.startswith("commongarden ")]
    typed += [found for found in INLINE.findall(prose(joined)) if found not in typed]
    return [words for line in typed if (words := _words(line))]


def _words(line):
    try:
        words = shlex.split(line, comments=True)[1:]
    except ValueError:  # an apostrophe: not a command but a sentence
        return []
    end = next((i for i, word in enumerate(words) if word in END or word.startswith(">")), len(words))
    return words[:end]


def links(text):
    """Targets of the links and pictures of a page, those to other hosts left out."""
    found = [one or other for one, other in LINK.findall(FENCE.sub("", text))]
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def anchors(path):
    """The anchors of a page's headings, as GitHub and the site make them."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    found = set(re.findall(r'<a id="([^"]+)"', text))
    for heading in re.findall(r"^#{1,6} +(.+?)(?: +\{[^}]*\})?$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
        found.add(re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-"))
    return found


def is_broken(page: Path, target: str):
    """Whether a link of a page leads to no file, or to no heading of one."""
    name, _, anchor = target.partition("#")
    path = page.parent / name if name else page
    if not path.exists():
        return True
    translated = path.with_suffix(".ko.md")
    if page.name.endswith(".ko.md") and translated.exists():  # where the site leads
        path = translated
    return bool(anchor) and path.suffix == ".md" and anchor not in anchors(path)
