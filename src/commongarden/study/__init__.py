"""The whole declared comparison: data, recipe, arms, seeds, contrasts; read from and written to TOML."""

from commongarden.arm import Arm as Arm
from commongarden.study.ablation import FACTORS as FACTORS
from commongarden.study.ablation import TakenApart as TakenApart
from commongarden.study.ablation import take_apart as take_apart
from commongarden.study.choice import choose_arms as choose_arms
from commongarden.study.choice import folder_name as folder_name
from commongarden.study.choice import of_architectures as of_architectures
from commongarden.study.declared import Contrast as Contrast
from commongarden.study.declared import Published as Published
from commongarden.study.declared import SplitPlan as SplitPlan
from commongarden.study.declared import Study as Study
from commongarden.study.declared import run_seeds as run_seeds
from commongarden.study.design import Source as Source
from commongarden.study.design import both as both
from commongarden.study.extension import conflicts as conflicts
from commongarden.study.extension import extend as extend
from commongarden.study.file import builtin_studies as builtin_studies
from commongarden.study.file import dump as dump
from commongarden.study.file import from_table as from_table
from commongarden.study.file import parse as parse
from commongarden.study.file import parse_effective as parse_effective
from commongarden.study.file import read as read
from commongarden.study.file import to_table as to_table
from commongarden.study.tuning import TUNING_SEED as TUNING_SEED
from commongarden.study.tuning import TUNING_SUFFIX as TUNING_SUFFIX
from commongarden.study.tuning import Tuning as Tuning
