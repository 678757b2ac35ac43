"""Screening: many models compared by simple classifiers on their frozen features, without training any of them."""

from commongarden.screening.screen import compare as compare
from commongarden.screening.screen import screen as screen
from commongarden.screening.then import best as best
from commongarden.screening.then import record as record
