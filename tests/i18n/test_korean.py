"""Korean as a native writes it: one register for each place, one word for each term, particles that fit, one mark."""

import re

import pytest

from commongarden.cli import main
from commongarden.i18n.language import _, spoken, used
from commongarden.i18n.particles import FORMS
from commongarden.i18n.register import polite
from pages import anchors, blocks, links, prose
from paths import ROOT
from prose import catalogues

PAGES = [
    ROOT / "README.ko.md",
    *(path for path in sorted((ROOT / "docs").rglob("*.ko.md")) if path.name != "forensics.ko.md"),  # a report
]
# what ends a sentence in 한다체; 보다 and 마다 are particles, 다 in 둘 다 stands by itself
PLAIN_END = re.compile(r"[가-힣%}](?<![니보마])다(?=[.:;!?)]|\s*\(|\s*$|\n)|\{\w+:이다\}")
# other words for a term that has one already: see the table in docs/translating.md
OTHER_WORDS = {
    "라벨": "레이블",
    "데이터 세트": "데이터셋",
    "지름길 연결": "스킵 연결",
    "절제": "제거 실험",
    "목록 형식": "리스트 형식",
    "이동 통계량": "이동 통계",
    "최적화기": "옵티마이저",
    "보폭": "스트라이드",
    "갈래": "가지",
    "레시피": "학습 설정",
    "완전연결층": "완전 연결 층",
    "허용 범위": "동등성 범위",
    "테스트 데이터": "테스트 세트",
    "학습 데이터": "학습 세트",
    "검증 데이터": "검증 세트",
    "매개변수": "파라미터",
    "연구": "실험",
    "허용:": "쓸 수 있는 것:",
    "발견:": "쓸 수 없습니다",
}
OF_CLICK = {"매개변수"}  # click's word for an argument or option


def messages():
    """Each Korean message of the program, with where it is from."""
    for message in catalogues.read("ko"):
        place = message.locations[0][0] if message.locations else ""
        if message.id and not place.startswith(("click/", "examples/")):
            texts = message.string if isinstance(message.string, tuple) else (message.string,)
            yield from ((place, text) for text in texts)


def without_code(page):
    return re.sub(r"`[^`]*`", "", prose(page.read_text(encoding="utf-8")))


def test_every_sentence_of_the_catalogue_can_be_said_in_the_polite_register():
    said = [(text, polite(text)) for _place, text in messages()]
    assert len(said) > 1_800
    assert [pair for pair in said if PLAIN_END.search(pair[1])] == []
    assert [pair for pair in said if polite(pair[1]) != pair[1]] == []


def test_what_only_commands_print_is_polite():
    wrong = [(place, text) for place, text in messages() if "/cli/" in place and PLAIN_END.search(text)]
    assert wrong == []


def test_a_message_has_the_register_of_its_place():
    message = "Not significant."
    with used("ko"):
        assert _(message) == "유의하지 않다."
        with spoken():
            assert _(message) == "유의하지 않습니다."
            with spoken(False):
                assert _(message) == "유의하지 않다."
    with used("en"), spoken():
        assert _(message) == message


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_pages_are_polite(page):
    text = re.sub(r"\"[^\"\n]*\"|“[^”]*”", "", without_code(page))  # quotations of the report are in its register
    text = re.sub(r"\]\([^)]*\)", "]", text)
    assert re.findall(r"[^\n]*[가-힣%](?<![니보마])다(?=[.(\[]| ?\(|\n)[^\n]*", text) == []
    printed = [one.text for one in blocks(page.read_text(encoding="utf-8")) if one.kind in ("text", "toml")]
    assert [one for one in printed if PLAIN_END.search(one)] == []


def test_pages_without_korean_lead_to_anchors_that_korean_pages_have():
    """The Korean site shows them in English, with links to the Korean ones."""
    gone = []
    for page in sorted((ROOT / "docs").rglob("*.md")):
        if page.name.endswith(".ko.md") or page.with_suffix(".ko.md").exists():
            continue
        for target in links(page.read_text(encoding="utf-8")):
            name, _hash, anchor = target.partition("#")
            korean = (page.parent / name).with_suffix(".ko.md")
            if anchor and korean.exists() and anchor not in anchors(korean):
                gone += [target] if f'id="{anchor}"' not in korean.read_text(encoding="utf-8") else []
    assert gone == []


def test_each_term_has_one_word():
    texts = [(place, text) for place, text in messages()]
    texts += [(page.name, without_code(page)) for page in PAGES]
    found = [
        (place, word, text[max(0, text.find(word) - 20) : text.find(word) + 20])
        for place, text in texts
        for word in OTHER_WORDS
        if re.search(rf"(?<![가-힣]){word}", text) and word not in OF_CLICK
    ]
    assert found == []


def test_a_name_is_followed_by_a_particle_that_fits_it():
    """A particle of two forms is never written behind a place where any name may stand: it is chosen ({arm:은})."""
    either = "|".join(
        sorted({*FORMS, *FORMS.values()} - {"이", "가", "다", "라", "고", "나", "면"}, key=len, reverse=True)
    )
    name = r"\{(?:arm|against|name|path|file|folder|root|source|arch|model|label|worse|better|by)(?:!r)?\}"
    wrong = [text for _place, text in messages() if re.search(rf"{name}(?:{either})(?![가-힣])", text)]
    assert wrong == []


def test_no_word_has_the_wrong_particle():
    """The particle behind a Korean word that is written out."""
    wrong = [
        (found[0], text)
        for _place, text in messages()
        for found in re.finditer(r"([가-힣]+)(을|를)(?=[ .,])", text)
        if found[1] and ((ord(found[1][-1]) - ord("가")) % 28 != 0) != (found[2] == "을")
    ]
    assert wrong == []


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "--data", "photso"), {"en": "did you mean 'photos'? Accepted:", "ko": "'photos'를 찾으셨나요? 쓸 수"}),
        (
            ("run", "demo", "--set", "optimizer=adm", "--dry-run"),
            {"en": "did you mean 'adam'? A", "ko": "찾으셨나요? 쓸"},
        ),
    ],
)
def test_a_suggestion_ends_in_one_mark(tmp_path, monkeypatch, capsys, lang, arguments, said):
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main([*arguments, "--lang", lang])
    printed = capsys.readouterr().err
    assert said[lang] in printed
    assert re.search(r"[?!.][.;,?!](?!\.)", printed.replace("...", "")) is None


def test_text_behind_a_value_that_ends_a_sentence_adds_no_mark():
    with used("en"):
        message = _("{source}: {problem}; {accepted}")
        assert message.format(source="a", problem="b?", accepted="c") == "a: b? C"
        assert message.format(source="a", problem="b", accepted="c") == "a: b; c"
        assert _("{reason}.").format(reason="It failed.") == "It failed."
        assert _("{reason}.").format(reason="it failed") == "it failed."
