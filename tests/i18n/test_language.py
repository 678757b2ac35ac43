"""What people are told is in their language: the catalogues are whole, and no English is left over in Korean."""

import gettext
import os
import re
import string

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from commongarden.cli import main
from commongarden.data import folder, image
from commongarden.errors import DataError, StudyError, unknown
from commongarden.i18n import language
from commongarden.i18n.coded import Coded
from commongarden.i18n.language import CATALOGUES, Message, _, ngettext, translate, used
from commongarden.i18n.particles import FORMS, sound, with_particle
from commongarden.records import Failure
from prose import SOURCE, TWO_WORDS, catalogues, codes, english, misfilled, outside, strings

LANGUAGES = catalogues.kept()


# The catalogues


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_message_has_its_translation(lang):
    kept = catalogues.read(lang)
    assert not [message.id for message in kept if message.fuzzy and message.id]
    lacking = [message.id for message in kept if message.id and not all(texts(message))]
    assert lacking == []
    assert catalogues.po(lang).read_bytes() == catalogues.po_text(catalogues.updated(lang)), "make catalogues"


def test_the_template_is_that_of_the_code():
    kept = (CATALOGUES / "commongarden.pot").read_bytes()
    assert kept == catalogues.po_text(catalogues.template()), "make catalogues"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_compiled_catalogue_is_that_of_the_text(lang):
    with catalogues.po(lang).with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for message in catalogues.read(lang):
        if message.id and message.context:
            assert compiled.pgettext(message.context, message.id) == message.string
        elif isinstance(message.id, tuple):
            assert {compiled.ngettext(*message.id, n) for n in range(200)} == set(message.string)
        elif message.id:
            assert compiled.gettext(message.id) == message.string


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_translation_fills_in_what_the_message_does(lang):
    for message in catalogues.read(lang):
        if not message.id or message.python_format:
            continue
        one = message.id if isinstance(message.id, str) else message.id[-1]
        for text in texts(message):
            assert fields(text) == fields(one) or is_example(one), (one, text)
            if any(place.startswith("click/") for place, _line in message.locations):
                assert not hangul_formats(text), f"{text}: click fills it in with str.format, which knows no particles"
            for particle in [] if is_example(one) else hangul_formats(text):
                assert particle in {*FORMS, *FORMS.values()}, text


def texts(message):
    return message.string if isinstance(message.string, tuple) else (message.string,)


def fields(text):
    return {name for _literal, name, _spec, _conversion in string.Formatter().parse(text) if name is not None}


def hangul_formats(text):
    specs = [spec or "" for _literal, _name, spec, _conversion in string.Formatter().parse(text)]
    return [found for spec in specs if (found := spec.lstrip("".join(map(chr, range(32, 127)))))]


def is_example(text):
    """A message that shows JSON is not filled in."""
    return ("{NAME: CONFIG}" in text and "{{" not in text) or "{options}" in text or '{"#chn": 6}' in text


def test_a_third_language_needs_a_catalogue_only(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(catalogues, "CATALOGUES", tmp_path)
    monkeypatch.setattr(language, "CATALOGUES", tmp_path)
    catalogues.main(["de"])
    assert "de: " in capsys.readouterr().out
    file = catalogues.po("de")
    text = file.read_text(encoding="utf-8")
    assert text.count('msgid "no such file"\nmsgstr ""') == 1
    file.write_text(text.replace('msgid "no such file"\nmsgstr ""', 'msgid "no such file"\nmsgstr "fehlt"'), "utf-8")
    catalogues.main([])
    assert language.languages() == ("en", "de")
    with used("de"):
        assert (_("no such file"), _("a number")) == ("fehlt", "a number")
        assert ngettext("{n} photo", "{n} photos", 1).format(n=1) == "1 photo"
    language._catalogue.cache_clear()


# The code


UNSAID = {
    "arch/ablation.py": "names of parts, as a study file has them",
    "arch/reductions.py": "names of parts, as a study file has them",
    "arch/difference.py": "kinds of layers, said by sentences",
    "arch/families": "names of parts and titles of papers",
    "arch/layers.py": "names of parts",
    "arch/nodes.py": "names of layers, which paths, drawings and modules share",
    "data/cache.py": "what is hashed",
    "drawing/layout.py": "classes of the style sheet",
    "drawing/parts.py": "labels of layers in a drawing, the field's own",
    "drawing/svg.py": "markup",
    "explain/kinds.py": "keys of kinds of layers and of reasons",
    "inference/export": "names of inputs and outputs",
    "inference/graph_files.py": "names of inputs and outputs",
    "inference/weight_files.py": "names of inputs and outputs, lines of Python",
    "inference/use.py": "lines of Python",
    "report/topics/discussion.py": "kinds of layers, by which a comparison is told",
    "report/document/docx.py": "styles",
    "report/charts/photographs.py": "markup",
    "report/charts/costs.py": "sides of a point, for code",
    "report/charts/figures.py": "fonts",
    "report/topics/methods.py": "keys of sources",
    "report/wording/references.py": "titles of works",
    "report/topics/part_contributions.py": "names of parts, as a study file has them",
    "report/topics/why.py": "classes of the style sheet",
    "runner/plan.py": "what a system calls its processor",
    "screening/cached.py": "what is hashed",
    "screening/folds.py": "what is hashed",
    "sentences": "each language in a module of its own",
    "study/ablation.py": "the name of a study, as a study file has it",
    "stats": "how an estimate was made, for results.json",
    "train/replay/recorded_step.py": "a line of Python",
    "profiling/work.py": "keys of kinds of layers",
    "study/data_sets.py": "tables of a study file",
    "study/toml_errors.py": "what tomllib says",
    "cluster/connection.py": "what Ray says",
    "cluster/node.py": "lines of Python",
    "view/app.py": "headers of HTTP",
    "view/try_routes.py": "headers of HTTP",
    "view/guarding.py": "headers of HTTP, and what a refused request is answered",
    "train/measure.py": "a mark in the network's text form",
}
CLASSIC = "Model {}"  # the log form of the original experiment
SHUFFLED = "screening of {}"  # what the folds of screening are shuffled by


def test_no_sentence_of_the_code_is_kept_from_the_catalogues():
    left, known = [], codes()
    for path in sorted(SOURCE.rglob("*.py")):
        where = path.relative_to(SOURCE).as_posix()
        if not where.startswith(tuple(UNSAID)):
            left += [
                f"{where}:{line}: {text[:100]!r}"
                for line, text in strings(path)
                if TWO_WORDS.search(text)
                and text not in known
                and not text.startswith((CLASSIC, SHUFFLED, "commongarden "))
            ]
    assert left == []


def test_what_is_filled_in_is_what_the_message_wants():
    assert list(misfilled()) == []


# The command line

TERMS = {"MAC", "MACs", "commongarden", "demo", "flowers", "forensics", "resnet", "vgg", *main.commands, "check", "get"}
TERMS |= {
    "init",
    "order",
    "split",
    "auto",
    "cpu",
    "cuda",
    "docx",
    "md",
    "torchvision",
    "timm",
    "Hugging",
    "Face",
    "ray",
    "stop",
    "tasks",
}  # and names


def commands(group=main, path=()):
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("path", [(), *commands()], ids=" ".join)
def test_help_in_korean_leaves_no_english_over(path):
    translate = help_of(path, "ko")
    assert english(re.sub(r"commongarden( \S+)+", "", translate), TERMS) == []
    assert not any(word in translate for word in ("Usage", "Options", "Commands", "Show", "default"))
    assert max(width(line) for line in translate.splitlines()) <= 100


def help_of(path, lang):
    return (
        CliRunner()
        .invoke(main, [*path, "--lang", lang, "--help"], catch_exceptions=False, prog_name="commongarden")
        .output
    )


def width(line):
    import unicodedata

    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--lang", "ko", "describe", "residul_flower"],
        ["describe", "residul_flower", "--lang", "ko"],
        ["describe", "--lang=ko", "residul_flower"],
    ],
)
def test_the_language_may_stand_anywhere_on_the_line(arguments):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("오류: 알 수 없는 아키텍처: 'residul_flower'. 혹시 'residual_flower'를 찾으셨나요?")
    assert language.current() == "en"  # for this command alone
    assert CliRunner().invoke(main, ["describe", "residul_flower"]).stderr.startswith("error: unknown architecture")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnu"], "없는 명령입니다: 'rnu'"),
        (["list", "--jsn"], "없는 옵션입니다: '--jsn'"),
        (["describe"], "필요한 인자가 없습니다: "),
        (["twins", "--stem", "x"], "형식의 값이 아닙니다"),
        (["list", "--lang", "fr"], "'fr': 쓸 수 없는 값입니다. 쓸 수 있는 값: 'en', 'ko'"),
    ],
)
def test_what_click_says_is_in_the_language_too(monkeypatch, arguments, said):
    monkeypatch.setenv("COMMONGARDEN_LANG", "ko")
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert english(result.stderr.replace("integer range", "").replace("main", ""), TERMS) == []


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"LANG": "ko_KR.UTF-8"}, "ko"),
        ({"LANG": "en_GB.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "C"}, "en"),
        ({"LANGUAGE": "de:ko:en", "LANG": "de_DE.UTF-8"}, "ko"),
        ({"LC_ALL": "ko_KR.UTF-8", "LANG": "en_US.UTF-8"}, "ko"),
        ({"LC_ALL": "", "LANG": "ko_KR"}, "ko"),
        ({"LANG": "Korean_Korea.949"}, "ko"),
        ({"COMMONGARDEN_LANG": "en", "LANGUAGE": "ko", "LC_ALL": "ko_KR.UTF-8"}, "en"),
        ({"COMMONGARDEN_LANG": "xx", "LANG": "ko_KR.UTF-8"}, "en"),
    ],
)
def test_else_the_system_says_which(monkeypatch, variables, expected):
    for name in ("COMMONGARDEN_LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert language.current() == expected


def test_workers_speak_as_the_command_does():
    """They get the language by the environment or by their first message; here by the environment."""
    seen = []

    @main.command("spoken", hidden=True)
    def spoken():
        seen.append((language.current(), os.environ["COMMONGARDEN_LANG"]))

    try:
        CliRunner().invoke(main, ["spoken", "--lang", "ko"])
    finally:
        del main.commands["spoken"]
    assert seen == [("ko", "ko")]
    assert os.environ["COMMONGARDEN_LANG"] == "en"


# A language that no one speaks: every message in brackets. What stands outside of them was not looked up


NAMES = {"global", "avg", "max", "pool", "batch", "norm", "conv", "dense", "stage", "block", "body", "shortcut"}


@pytest.mark.parametrize(
    "arguments",
    [
        "data check builtin:flowers/40",
        "describe residual_flower",
        "describe nothing",
        "diff plain_flower residual_flower",
        "twins",
        "audit inception_flower:LA --set init=fixed",
        "cache --cache-dir nowhere",
        "predict nowhere photo.jpg",
        "list --jsn",
    ],
)
def test_all_that_a_command_prints_was_looked_up(brackets, arguments):
    result = CliRunner().invoke(main, arguments.split())
    assert not isinstance(result.exception, AssertionError | TypeError)
    printed = outside(result.output).replace("main", "")
    if arguments.startswith("diff"):
        printed = printed.rpartition("\n\n")[0]  # the sentence has a module for each language
    assert english(printed, NAMES) == []


# Records are English, and are said in any language


@pytest.mark.parametrize(
    ("record", "korean"),
    [
        ("empty file (0 bytes)", "빈 파일입니다(0바이트)"),
        ("not an image file", "이미지 파일이 아닙니다"),
        ("conflicting labels: rose in line 3, tulip in line 7", "서로 다른 레이블: 3행에서는 rose, 7행에서는 tulip"),
        (
            "the same photo is in the val part (a/b (1).jpg), where it stays",
            "검증 세트에 있는 사진(a/b (1).jpg)의 중복이라 뺍니다",
        ),
        ("the training loss became nan", "학습 손실이 nan이 되었다"),
        ("2 times: the worker ended with exit code 3", "2번: 작업 프로세스가 종료 코드 3으로 끝남"),
        (
            "12,000 pixels, more than the 9,000 that a photo may have",
            "12,000픽셀: 한도 9,000픽셀을 넘습니다",
        ),
        ("RuntimeError: out of memory", "RuntimeError: out of memory"),
        ("", ""),
    ],
)
def test_a_record_of_an_earlier_version_is_said_in_the_language_in_use(record, korean):
    assert translate(Coded(record)) == record
    with used("ko"):
        assert translate(Coded(record)) == korean


def test_a_failure_says_where_in_the_language_in_use():
    failure = Failure("the validation loss became inf", 2, 5)
    assert str(failure) == "the validation loss became inf at epoch 2, step 5"
    with used("ko"):
        assert str(failure) == "2번째 에폭, 5번째 스텝: 검증 손실이 inf가 되었다"


def test_an_error_is_told_in_korean_and_recorded_in_english(tmp_path):
    file = tmp_path / "rose" / "a.jpg"
    file.parent.mkdir()
    file.write_bytes(b"")
    with used("ko"):
        with pytest.raises(DataError) as found:
            image.read(file)
        assert str(found.value) == f"{file}: 빈 파일입니다(0바이트)"
        kept = folder._judge(tmp_path, {}, None, folder.Candidate("rose/a.jpg", "rose"))
        assert kept.reason == "empty file (0 bytes)"


def test_a_language_without_a_catalogue_is_told_in_english():
    with used("xx"):
        assert _("no such file") == "no such file"
        assert unknown("model", "a", ["b"]) == "unknown model 'a'. Accepted: b"


# Particles


@pytest.mark.parametrize(
    ("word", "eun"),
    [
        ("풀링 층", "은"), ("정규화", "는"), ("층(3×3)", "은"), ("ReLU", "는"), ("3", "은"), ("2", "는"), ("10", "은"),
        ("1,200", "은"), ("0.5", "는"), ("LAB", "는"), ("LA", "는"), ("VGG", "는"), ("CNN", "은"), ("resnet18", "은"),
        ("resnet50", "은"), ("plain_flower", "는"), ("bottleneck", "은"), ("residual", "은"), ("plain", "은"),
        ("'LBA'", "는"), ("baseline", "은"), ("tulip", "은"), ("daisy", "는"), ("dandelion", "은"), ("rose", "는"),
        ("sunflower", "는"), ("test", "는"), ("convnext", "는"), ("36.3%", "는"), ("1.2%p", "는"), ("k", "는"),
        ("class_r", "은"), ("모델 'a'", "는"), ("sgd", "는"), ("adam", "은"), ("값", "은"),
    ],
)  # fmt: skip
def test_the_particle_follows_the_last_sound(word, eun):
    assert with_particle(word, "은") == with_particle(word, "는") == word + eun


@pytest.mark.parametrize(
    ("word", "expected"),
    [("말", "말로"), ("길 1", "길 1로"), ("손", "손으로"), ("나무", "나무로"), ("L", "L로"), ("13", "13으로")],
)
def test_a_word_that_ends_in_rieul_takes_ro(word, expected):
    assert with_particle(word, "으로") == expected


@given(st.text(), st.sampled_from(sorted(FORMS)))
def test_any_word_takes_one_of_two_forms(word, particle):
    assert with_particle(word, particle) in {word + particle, word + FORMS[particle]}
    assert sound(word) in ("vowel", "ㄹ", "consonant")


@given(st.text())
def test_a_message_keeps_what_it_is_filled_with(word):
    said = Message("{a:이} {b!r:>8} {n:,}").format(a=word, b="x", n=1234)
    assert type(said) is str
    assert said in {f"{word}{particle} {'x'!r:>8} 1,234" for particle in "이가"}


def test_errors_are_told_in_korean_as_a_native_would_write_them():
    from commongarden.study.recipe import Recipe

    with used("ko"), pytest.raises(StudyError) as found:
        Recipe(lr=-1)
    assert str(found.value) == "recipe.lr: -1은 쓸 수 없습니다. 쓸 수 있는 값: 양수"


# The two READMEs


def commands_in(text):
    """Lines of code without what is said beside them, and the commands of the table."""
    lines = re.findall(r"^(?:    )?(\S.*)$", "\n".join(re.findall(r"```\w+\n(.*?)```", text, re.DOTALL)), re.MULTILINE)
    lines += re.findall(r"^    (\S.*)$", text, re.MULTILINE)
    code = {re.sub(r"\s*#.*", "", line).strip() for line in lines} - {""}
    named = {line for line in code if line.startswith("name = ")}  # a study is called what its reader calls it
    return code - named, set(re.findall(r"^\| (`.*?`) \|", text, re.MULTILINE)), set(re.findall(r"\]\((.*?)\)", text))


def test_the_korean_readme_is_in_step_with_the_english_one():
    english, korean = (
        commands_in((SOURCE.parents[1] / name).read_text("utf-8")) for name in ("README.md", "README.ko.md")
    )
    own = {"README.ko.md", "docs/report.png"}  # of which Korean has its own, as of the pages below
    docs = SOURCE.parents[1] / "docs"
    korean_pages = (page.relative_to(docs.parent).as_posix() for page in docs.rglob("*.ko.md"))
    pages = tuple(f"{page.removesuffix('.ko.md')}.md" for page in korean_pages)
    for one, other in zip(english, korean, strict=True):
        assert {link for link in one - other if not link.startswith(pages)} <= own
    assert "docs/report.ko.png" in set.union(*korean)
