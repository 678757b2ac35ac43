"""From records, costs and measurements to reasons: why one arm is slower, better, or does not learn."""

from commongarden.explain.accuracy import accuracy_difference as accuracy_difference
from commongarden.explain.accuracy import accuracy_reasons as accuracy_reasons
from commongarden.explain.accuracy import planned_contrast as planned_contrast
from commongarden.explain.accuracy import study_reasons as study_reasons
from commongarden.explain.sentences import said as said
from commongarden.explain.training import every_observation as every_observation
from commongarden.explain.training import notes as notes
from commongarden.explain.training import observations as observations
from commongarden.records.observation import Observation as Observation
from commongarden.records.reason import Reason as Reason
