"""Studies and networks that were part of this package and now lie beside it, in the repository's examples.

Their names stay: stored studies hold them. Their files are found where the package is used from a checkout.
"""

from __future__ import annotations

from pathlib import Path

from commongarden.i18n.language import N_, _

REPOSITORY = Path(__file__).parents[3]
STUDIES = {"forensics": "examples/forensics/forensics.toml"}
MODULES = {"commongarden.forensics": "examples/forensics/defective_networks.py"}
TEXTS = (  # of those studies, which stored ones have
    N_("How much of the published figures do the framework's defects explain?"),
    N_("student's lab report, NumPy teaching framework, one run each"),
)


def find(path: str) -> Path | None:
    """A file of the repository by its path in it; None where the package is installed without the repository."""
    file = REPOSITORY / path
    return file if file.is_file() else None


def missing(name: str, path: str) -> str:
    """Says where `name` is now, for an error."""
    return _(
        "{name}: now an example in the commongarden repository ({path}), not part of the installed "
        "package; accepted: commongarden installed from a clone of the repository (pip install "
        "--editable FOLDER)"
    ).format(name=name, path=path)
