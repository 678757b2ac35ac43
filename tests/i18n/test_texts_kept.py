"""Texts that are kept are English beside a code with values, from which any language says them."""

import ast
import pickle
import re
import string
import tomllib

import msgspec
import pytest
import tomli_w

from commongarden.i18n import legacy
from commongarden.i18n.coded import Code, Coded, verbatim
from commongarden.i18n.language import N_, _, recorded, translate, used, with_commas
from commongarden.records import Failure, LeftOut
from commongarden.records.manifest import Understood
from commongarden.records.signals import from_bytes, to_bytes
from commongarden.study.arm import Arm, from_table, to_table
from commongarden.study.origin import Origin
from commongarden.train.blame import describe_user_error
from commongarden.train.recording import _nothing
from prose import SOURCE, catalogues

KOREAN = {message.id: message.string for message in catalogues.read("ko") if isinstance(message.id, str)}


def marked():
    """Every message in the code that `N_` makes."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(ast.Name("N_"), [ast.Constant(str(message))]) if message in KOREAN:
                    yield message


def marked_anywhere():
    return {text for path in SOURCE.rglob("*.py") for text in constants(ast.parse(path.read_text("utf-8")))}


def constants(tree):
    return (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))


def values_of(message):
    """Something for each place, of the kind that its format wants."""
    parts = [(name, spec) for _text, name, spec, _conversion in string.Formatter().parse(message) if name]
    return {name: 1234 if spec and spec[-1] in "f,dg" else "test" for name, spec in parts}


def kept(record):
    """As it comes back from a file."""
    return msgspec.json.decode(msgspec.json.encode(record), type=type(record))


MESSAGES = sorted({message for message in marked() if not re.search(r"[{][^}\w]|}}|{[^}]* ", message)})


def test_each_is_said_in_korean_from_its_code():
    assert len(MESSAGES) > 150
    wrong = []
    for message in MESSAGES:
        values = values_of(message)
        english = message.format(**values) if values else message
        found = kept(LeftOut("a.png", N_(message).format(**values)))
        with used("ko"):
            wanted = _(message).format(**values)
            if (found.reason, translate(found.text)) != (english, wanted):
                wrong.append((message, translate(found.text)))
    assert wrong == []


def test_a_text_within_a_text_is_said_too_and_a_name_is_not():
    text = N_("{size}, more than the limit of {limit:,}").format(size=N_("{n:,} pixels").format(n=12_000), limit=9_000)
    assert text == "12,000 pixels, more than the limit of 9,000"
    with used("ko"):
        assert translate(kept(LeftOut("a", text)).text) == "12,000픽셀: 한도 9,000픽셀을 넘습니다"
    lines = N_("conflicting labels: {label} in line {line}, {other} in line {other_line}").format(
        label="train", line=3, other="none", other_line=7
    )
    with used("ko"):
        assert translate(kept(LeftOut("a", lines)).text) == "서로 다른 레이블: 3행에서는 train, 7행에서는 none"


def test_what_is_stored_reads_as_text_and_equals_what_was_stored_without_codes():
    failure = Failure(N_("the training loss became {loss}").format(loss=float("nan")), 2, 5)
    stored = msgspec.json.decode(msgspec.json.encode(failure))
    assert stored["reason"] == "the training loss became nan"
    assert stored["code"] == {"message": "the training loss became {loss}", "values": {"loss": "nan"}}
    assert type(failure.reason) is str
    assert failure == Failure("the training loss became nan", 2, 5)
    assert kept(failure).code == failure.code


def test_records_of_earlier_versions_have_no_codes_and_are_said_by_their_words():
    old = msgspec.json.decode(
        b'{"layout": "Layout: each folder is a class", "notes": ["a is a link to b/ beside it and is left out"]}',
        type=Understood,
    )
    assert (old.layout_code, old.note_codes) == (None, ())
    with used("ko"):
        assert translate(old.text) == KOREAN["Layout: each folder is a class"]
        assert translate(old.texts[0]).startswith("a")
        assert translate(old.texts[0]) != old.notes[0]


def test_a_study_file_and_signals_keep_codes_too():
    notes = (N_("trained in the memory layout {layout}: with {wanted}, {phase} fails ({reason})").format(
        layout="plain", wanted="last", phase=N_("the forward pass"), reason="test"), verbatim("dropout"))  # fmt: skip
    arm = Arm("timm:resnet18", origin=Origin(notes=notes, unknown=N_("no such file")))
    back = from_table("x", tomllib.loads(tomli_w.dumps(to_table(arm))))
    signals = from_bytes(to_bytes(_nothing(None, notes)))
    old = from_table("x", {"arch": "timm:resnet18", "origin": {"notes": ["not an image file"]}})
    with used("ko"):
        first = "trained in the memory layout {layout}: with {wanted}, {phase} fails ({reason})"
        wanted = _(first).format(layout="plain", wanted="last", phase=_("the forward pass"), reason="test")
        assert [*map(translate, back.origin.texts)] == [*map(translate, signals.notes)] == [wanted, "dropout"]
        assert translate(back.origin.why_unknown) == _("no such file")
        assert [*map(translate, old.origin.texts)] == [_("not an image file")]
    assert back == arm


class none(Exception):
    """Called as a message of the catalogue is."""


def test_an_error_that_is_not_ours_is_never_translated():
    for error in (none(), none("no such file"), RuntimeError("test"), OSError("empty file (0 bytes)")):
        text = describe_user_error(error)
        found = kept(Failure(text)).text
        with used("ko"):
            assert translate(text) == translate(found) == text
    broken = N_("broken: {reason}").format(reason="no such file")
    with used("ko"):
        assert translate(kept(LeftOut("a", broken)).text).endswith("no such file")


@pytest.mark.parametrize(
    "code",
    [
        Code("a message of a later version: {n}", {"n": 3}),
        Code("the training loss became {loss}", {}),
        Code("the training loss became {loss}", {"loss": Code("no such message")}),
        Code("{n:,} pixels", {"n": "many"}),
    ],
)
def test_a_code_that_this_version_does_not_know_leaves_the_text(code):
    with used("ko"):
        assert translate(Coded("the text", code)) == "the text"


def test_a_code_goes_along_to_other_processes():
    text = pickle.loads(pickle.dumps(N_("{n:,} pixels").format(n=7)))
    assert (text, text.code) == ("7 pixels", Code("{n:,} pixels", {"n": 7}))


def test_messages_made_as_records_know_their_codes():
    with used("ko"), recorded():
        text = _("{first}, {then}").format(first=_("batch norm"), then="test")
        assert with_commas(["a", _("dropout"), "b"]) == "a, dropout, b"
    assert text == "batch norm, test"
    assert text.code == Code("{first}, {then}", {"first": Code("batch norm"), "then": "test"})
    assert type(_("no such file")) is str


# What is said comes through the catalogues

OURS = {"CommonGardenError", "UsageError", "BadParameter", "ClickException", "Failure", "LeftOut"}
SAYS = {"note", "say", "tell", "echo", "line"}
MARKS = {"_", "N_", "ngettext", "pgettext", "unknown", "check_known"}
PROSE = re.compile("[a-z]{2,} | [a-z]{2,}")
LITERAL = {"commongarden ", "  (--layout ", ": datasets."}  # a command, an option of one, a table of a study file


def called(node):
    function = node.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def unmarked(node):
    """Prose in an expression that no catalogue gets: words with a space around them."""
    if isinstance(node, ast.Call) and called(node) in MARKS:
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and PROSE.search(node.value):
        yield node.lineno, node.value
    for child in ast.iter_child_nodes(node):
        yield from unmarked(child)


def errors_of_ours(trees):
    found = set(OURS)
    for _turn in range(3):
        found |= {
            node.name
            for tree in trees
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef) and any(getattr(base, "id", "") in found for base in node.bases)
        }
    return found


def test_every_error_and_every_note_is_said_by_the_catalogues():
    trees = {path: ast.parse(path.read_text("utf-8")) for path in sorted(SOURCE.rglob("*.py"))}
    watched = errors_of_ours(trees.values()) | SAYS
    assert {"ArchError", "DataError", "StoreError", "WrongGradient", "AmbiguousError"} <= watched
    left = [
        f"{path.relative_to(SOURCE)}:{line}: {text!r}"
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and called(node) in watched
        for argument in node.args
        for line, text in unmarked(argument)
        if text not in LITERAL
    ]
    assert left == []


# Messages that were reworded since


def names_in(message):
    return {name for _text, name, _spec, _conversion in string.Formatter().parse(message) if name is not None}


def test_reworded_messages_are_those_of_the_code_with_the_same_values():
    known = set(marked_anywhere())
    studies = "".join(path.read_text("utf-8") for path in SOURCE.rglob("studies/*.toml"))
    for old, new in legacy.renamed().items():
        assert new in known or new in studies, new
        assert old not in known, old
        assert old not in studies, old
        assert names_in(old) == names_in(new), old


def test_records_with_the_old_words_are_said_as_those_with_the_new_ones():
    old = "the same photo is in the {part} part ({path}), where it stays"
    new = KOREAN[legacy.renamed()[old]]
    values = {"part": Code("val"), "path": "a/b.jpg"}
    with used("ko"):
        by_code = translate(Coded(old.format(part="val", path="a/b.jpg"), Code(old, values)))
        by_words = translate(Coded(old.format(part="val", path="a/b.jpg")))
    assert by_code == by_words == new.format(part=KOREAN["val"], path="a/b.jpg")
