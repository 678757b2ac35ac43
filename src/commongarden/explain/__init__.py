"""From records, costs and measurements to reasons: why one arm is slower, better, or does not learn."""

from commongarden.explain.accuracy import accuracy_difference, accuracy_reasons, planned_contrast, study_reasons
from commongarden.explain.sentences import said
from commongarden.explain.training import every_observation, notes, observations
from commongarden.records.observation import Observation
from commongarden.records.reason import Reason

__all__ = [
    "Observation",
    "Reason",
    "accuracy_difference",
    "accuracy_reasons",
    "every_observation",
    "notes",
    "observations",
    "planned_contrast",
    "said",
    "study_reasons",
]
