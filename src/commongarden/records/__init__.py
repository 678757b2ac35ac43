"""What the rest of the program exchanges: the results of runs, as frozen data that JSON and CSV can hold."""

from commongarden.records.baseline import Baseline as Baseline
from commongarden.records.baseline import BaselineKind as BaselineKind
from commongarden.records.estimate import Estimate as Estimate
from commongarden.records.manifest import Deep as Deep
from commongarden.records.manifest import LeftOut as LeftOut
from commongarden.records.manifest import Manifest as Manifest
from commongarden.records.manifest import Photo as Photo
from commongarden.records.manifest import Split as Split
from commongarden.records.manifest import Understood as Understood
from commongarden.records.run import SCHEMA as SCHEMA
from commongarden.records.run import Epoch as Epoch
from commongarden.records.run import Failure as Failure
from commongarden.records.run import Git as Git
from commongarden.records.run import Hashes as Hashes
from commongarden.records.run import Machine as Machine
from commongarden.records.run import Predictions as Predictions
from commongarden.records.run import Run as Run
from commongarden.study.brightness_range import Range as Range
