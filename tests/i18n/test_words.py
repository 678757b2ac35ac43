"""Words that mean something to us and nothing to a reader are in no message, page or comment in a study file.

NEVER and RARE are those of the guide to all texts. Code, file names, links, placeholders and quotations do not count.
LEFT says how often a word is still in a text: the number may fall, and the line goes when it is 0.
"""

import re
import string
from collections import Counter
from functools import cache

from paths import ROOT
from prose import catalogues

NEVER = ("told", "soil", "soils", "anew", "by others", "held against", "called so")
RARE = (
    "said", "ground", "in turn", "buys", "bare", "grow", "grows", "growing", "grown", "look", "looks", "looked",
    "looking", "seen", "house", "goes on", "go on", "is there", "known", "worth", "an eighth of", "where that is",
    "no number of",
)  # fmt: skip
PER_WORD = 2_000  # of a rare word, one in so many words of a text at most; the first one is free

# Packages whose messages are written by this rule; those of the others are one text, "report and reasons".
PLAIN = (
    "arch", "cli", "data", "errors.py", "i18n", "inference", "io", "profiling", "records", "runner", "store", "study",
    "train",
)  # fmt: skip
# as `excess` finds them: what stands here may only fall
LEFT: dict[tuple[str, str], int] = {}


def pages():
    """Each text by its name: our messages, README and the pages beside it, docs, comments in study files."""
    found = {"messages": [], "report and reasons": []}
    for message in catalogues.template():
        places = [place for place, _line in message.locations if not place.startswith("click/")]
        if message.id and places:
            plain = any(place.split("/")[1] in PLAIN for place in places if place.startswith("commongarden/"))
            ids = message.id if isinstance(message.id, tuple) else (message.id,)
            found["messages" if plain else "report and reasons"] += [literal(text) for text in ids]
    texts = {name: "\n".join(parts) for name, parts in found.items()}
    for path in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))):
        texts[path.relative_to(ROOT).as_posix()] = prose(path.read_text(encoding="utf-8"))
    for path in (
        *sorted((ROOT / "examples").rglob("*.toml")),
        *sorted((ROOT / "src/commongarden/studies").glob("*.toml")),
    ):
        lines = path.read_text(encoding="utf-8").splitlines()
        texts[path.relative_to(ROOT).as_posix()] = "\n".join(line.partition("#")[2] for line in lines)
    return texts


def literal(message):
    """A message without what is filled in."""
    try:
        return " ".join(text for text, *_rest in string.Formatter().parse(message))
    except ValueError:  # it shows braces and is not filled in
        return message


def prose(markdown):
    """A page without code, addresses, file names and quotations."""
    text = re.sub(r"^ *(```|~~~).*?^ *\1", "", markdown, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"^( {4}|\t|>).*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"`[^`]*`|\]\([^)]*\)|https?://\S+", " ", text)
    return re.sub(r"\"[^\"\n]{1,200}\"|“[^”]{1,200}”|\S*[\w-]+\.(?:md|py|toml|csv|json|html|png|svg)\b", " ", text)


@cache
def counted():
    """By text, how many words it has, and how often each word of the two lists is in it."""
    words = re.compile(rf"\b({'|'.join(sorted((*NEVER, *RARE), key=len, reverse=True))})\b", re.IGNORECASE)
    return {
        name: (len(re.findall(r"[A-Za-z][\w'-]*", text)), Counter(one.lower() for one in words.findall(text)))
        for name, text in ((name, " ".join(text.split())) for name, text in pages().items())
    }


def excess():
    """By text and word, how often a word is there of those that may not be."""
    found = {}
    for name, (n_words, times) in counted().items():
        for word, n in times.items():
            allowed = 0 if word in NEVER else max(1, n_words // PER_WORD)
            if n > allowed:
                found[name, word] = n
    return found


def test_texts_are_found():
    n_words = {name: n for name, (n, _times) in counted().items()}
    assert n_words["messages"] > 5_000
    assert n_words["README.md"] > 500


def test_no_message_of_these_packages_has_one():
    assert {key: n for key, n in excess().items() if key[0] == "messages"} == {}


def test_no_other_text_has_more_of_them_than_is_left():
    assert {key: (n, LEFT.get(key, 0)) for key, n in excess().items() if n > LEFT.get(key, 0)} == {}


def test_what_is_left_is_still_there():
    """A line that allows more than there is goes, so that the list only gets shorter."""
    found = excess()
    gone = {key: (n, found.get(key, 0)) for key, n in LEFT.items() if key[0] in counted() and found.get(key, 0) < n}
    assert gone == {}, "lower these in LEFT"
