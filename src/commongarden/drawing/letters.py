"""How wide text is, in every font that a reader is likely to have: no font is asked for while drawing.

For each character the greater of its advance widths in Liberation Sans (the widths of Arial and Helvetica) and in
DejaVu Sans (among the widest that a browser falls back to), in thousandths of the size. Boxes measured so are roomy in
the one and hold in the other. `FONTS` names the families in a drawing.
"""

from __future__ import annotations

import unicodedata

FONTS = 'Helvetica, Arial, "Liberation Sans", "DejaVu Sans", sans-serif'
_FROM_SPACE_TO_TILDE = """
    318 401 460 838 636 950 780 275 390 390 500 838 318 361 318 337 636 636 636 636 636 636 636 636 636 636
    337 337 838 838 838 556 1015 684 686 722 770 667 611 778 752 295 500 667 557 863 748 787 667 787 722 667
    611 732 684 989 685 667 685 390 337 390 838 556 500 613 635 550 635 615 352 635 634 278 278 579 278 974
    634 612 635 635 411 521 392 634 592 818 592 592 525 636 337 636 838
"""
WIDTHS = {chr(code): int(width) for code, width in enumerate(_FROM_SPACE_TO_TILDE.split(), ord(" "))}
WIDTHS |= {"×": 838, "–": 556, "−": 838, "·": 318, "→": 1000}


def width(text: str, size: float) -> float:
    """Pixels that `text` takes at most at this font size. Characters of other scripts count as one em."""
    return sum(_thousandths(letter) for letter in text) * size / 1000


def _thousandths(letter: str) -> int:
    return WIDTHS.get(letter, 0 if unicodedata.combining(letter) else 1000)
