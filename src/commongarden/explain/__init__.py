"""From records, costs and measurements to reasons: why one arm is slower, better, or does not learn."""

from commongarden.explain.reason import Reason

__all__ = ["Reason"]
