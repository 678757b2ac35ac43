"""From records to estimates and outcomes. Reads the store; loads neither torch nor photos."""

from commongarden.stats.baselines import BesideBaseline as BesideBaseline
from commongarden.stats.baselines import beside_baselines as beside_baselines
from commongarden.stats.commonest import Commonest as Commonest
from commongarden.stats.commonest import at_commonest as at_commonest
from commongarden.stats.commonest import commonest_class as commonest_class
from commongarden.stats.crossed import CrossedEstimate as CrossedEstimate
from commongarden.stats.crossed import crossed_interval as crossed_interval
from commongarden.stats.crossed import crossed_mean as crossed_mean
from commongarden.stats.crossed import mean_squares as mean_squares
from commongarden.stats.crossed import photo_error as photo_error
from commongarden.stats.differs import differences_of as differences_of
from commongarden.stats.estimates import accuracy_interval as accuracy_interval
from commongarden.stats.estimates import difference_interval as difference_interval
from commongarden.stats.estimates import mean_interval as mean_interval
from commongarden.stats.estimates import rounding_spread as rounding_spread
from commongarden.stats.means import Components as Components
from commongarden.stats.means import Mean as Mean
from commongarden.stats.missed import most_missed as most_missed
from commongarden.stats.resampled import resampled_interval as resampled_interval
from commongarden.stats.resampled import resampled_mean as resampled_mean
from commongarden.stats.results import ArmResult as ArmResult
from commongarden.stats.results import ContrastResult as ContrastResult
from commongarden.stats.results import Outcome as Outcome
from commongarden.stats.results import Results as Results
from commongarden.stats.summary import outcome as outcome
from commongarden.stats.summary import summarize as summarize
