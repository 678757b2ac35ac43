"""Korean particles behind names that are known only when a sentence is said: "{arm:은}" in the Korean catalogue.

A particle has one form behind a consonant and another behind a vowel, so it hangs on how the name is read aloud. Hangul
says so itself; digits are read one by one, Latin letters as Koreans read them. tossi (2017) knows Hangul and digits
only, and no name of an arm is either.
"""

from __future__ import annotations

import re
from typing import Literal

Sound = Literal["vowel", "ㄹ", "consonant"]

# behind a consonant: behind a vowel
FORMS = {
    "은": "는", "이": "가", "을": "를", "과": "와", "으로": "로", "이라": "라", "이다": "다", "이며": "며",
    "이고": "고", "이나": "나", "이라는": "라는", "이라고": "라고", "이란": "란", "이었다": "였다", "이므로": "므로",
    "이지만": "지만", "이면": "면", "이라면": "라면",
}  # fmt: skip
_CLOSERS = "'\"`’”)]}>」』»*. "
_DIGITS: dict[str, Sound] = {
    "0": "consonant", "1": "ㄹ", "2": "vowel", "3": "consonant", "4": "vowel", "5": "vowel", "6": "consonant",
    "7": "ㄹ", "8": "ㄹ", "9": "vowel",
}  # fmt: skip
_LETTERS: dict[str, Sound] = {"l": "ㄹ", "m": "consonant", "n": "consonant", "r": "ㄹ"}  # 엘, 엠, 엔, 알


def with_particle(word: str, particle: str) -> str:
    """The word with the form of the particle that its last sound asks for; what stands in brackets is not spoken.

    >>> [with_particle(word, "은") for word in ("합성곱 층(3×3)", "배치 정규화", "LAB", "'resnet18'", "36.3 %")]
    ['합성곱 층(3×3)은', '배치 정규화는', 'LAB는', "'resnet18'은", '36.3 %는']
    >>> with_particle("1,001", "으로"), with_particle("13", "으로"), with_particle("tulip", "로")
    ('1,001로', '13으로', 'tulip으로')
    """
    closed = next((one for one, other in FORMS.items() if particle in (one, other)), None)
    if closed is None:
        return word + particle
    found = sound(word)
    without_vowel = found == "consonant" or (found == "ㄹ" and closed != "으로")
    return word + (closed if without_vowel else FORMS[closed])


def sound(word: str) -> Sound:
    """What a word ends in, read aloud in Korean."""
    spoken = re.sub(r"(?<=\S)\s*\([^()]*\)\s*$", "", word.rstrip(_CLOSERS.replace(")", ""))).rstrip(_CLOSERS) or word
    last = spoken[-1:].lower()
    if "가" <= last <= "힣":
        final = (ord(last) - ord("가")) % 28
        return "vowel" if final == 0 else "ㄹ" if final == 8 else "consonant"
    if last in _DIGITS:
        return _DIGITS[last]
    run = re.search(r"[A-Za-z]+$", spoken)
    if run is None:
        return "vowel"  # %, 퍼센트, and all that is not read
    letters = run[0]
    if letters.isupper() or len(letters) == 1 or not re.search("[aeiouy]", letters.lower()):
        return _LETTERS.get(last, "vowel")  # letter by letter: 엘에이비
    return _of_loan_word(letters.lower())


def _of_loan_word(word: str) -> Sound:
    """An English word as Korean borrows it: 레스넷, 플라워, 보틀넥, 베이스라인."""
    if re.search(r"(l|[^aeiou]le|[aeiou]le|ll)$", word):
        return "ㄹ"
    if re.search(r"([mn]|[aeiou][mn]e|ng)$", word):
        return "consonant"
    if re.search(r"(ea|ee|oo|ai|ei|oa)[kt]$", word):  # a long vowel opens a syllable more: 히트
        return "vowel"
    if re.search(r"([aeiouy][ptkcb]|ck)$", word):  # 넷, 튤립, 베이식, 블록, 랩
        return "consonant"
    return "vowel"
