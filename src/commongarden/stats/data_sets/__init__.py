"""Models compared over several data sets: what may be combined, the mean over data sets, ranks, and how robust it
is."""

from __future__ import annotations

from commongarden.stats.data_sets.combined import AcrossContrast as AcrossContrast
from commongarden.stats.data_sets.combined import Combined as Combined
from commongarden.stats.data_sets.combined import DataSetResult as DataSetResult
from commongarden.stats.data_sets.combined import combine as combine
from commongarden.stats.data_sets.joining import Joined as Joined
from commongarden.stats.data_sets.joining import joined as joined
