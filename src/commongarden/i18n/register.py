"""Korean in two registers: the catalogue has 한다체 for the report, and the terminal speaks 합니다체.

The last word of a sentence carries the register, so sentences that the report and a command share are written once.
"""

from __future__ import annotations

import re

# the last word of a sentence: before a mark, a bracket, an end of line or of the text
_LAST = re.compile(r"(\S*?)다(?=[.:;,!?)]|\s*\(|\s*$|\n)")
_COPULA = re.compile(r"(?<=:)이다(?=\})")  # "{value:이다}"
_NO_VERBS = re.compile(r"(보|마|니)$")  # 보다 (than), 마다 (each); 습니다 is polite already
_ADJECTIVES = re.compile(r"([하르쁘이]|느리|(?<![가-힣])크)$")  # behind other vowels 다 is the copula: "5개다"
_FIRST, _LAST_SYLLABLE, _FINALS = ord("가"), ord("힣"), 28
_N, _R, _B = 4, 8, 17  # ㄴ, ㄹ, ㅂ among the finals


def polite(text: str) -> str:
    """The text with every sentence in 합니다체.

    >>> polite("{a:이} {b}보다 높다 (95 %). 차이는 {value:이다}. 결론이 나지 않았다.")
    '{a:이} {b}보다 높습니다 (95 %). 차이는 {value:입니다}. 결론이 나지 않았습니다.'
    >>> [polite(word) for word in ("걸린다", "남는다", "아니다", "길다", "크다", "5개다", "같습니다", "시드마다")]
    ['걸립니다', '남습니다', '아닙니다', '깁니다', '큽니다', '5개입니다', '같습니다', '시드마다']
    """
    return _COPULA.sub("입니다", _LAST.sub(lambda found: _polite_word(found[1]), text))


def _polite_word(stem: str) -> str:
    """A word, without its 다, in 합니다체."""
    if stem.endswith("아니"):
        return f"{stem[:-1]}닙니다"
    if not stem or _NO_VERBS.search(stem):
        return f"{stem}다"
    before, last = stem[:-1], ord(stem[-1])
    if not _FIRST <= last <= _LAST_SYLLABLE:
        return f"{stem}입니다"
    final = (last - _FIRST) % _FINALS
    if stem.endswith("는"):
        return f"{before}습니다"
    if final in (_N, _R) or _ADJECTIVES.search(stem):
        return f"{before}{chr(last - final + _B)}니다"
    return f"{stem}습니다" if final else f"{stem}입니다"
