"""Networks drawn as a textbook prints them. Standard library only."""

from commongarden.drawing.svg import svg

__all__ = ["svg"]
