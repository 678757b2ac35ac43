"""What can go wrong, as one tree. A message names the thing, what was found, what would be accepted,
and the nearest right spelling.

    CommonGardenError
    ├── ArchError      a network that cannot be built, with the path of the layer
    ├── StudyError     a study file, recipe, arm or contrast that does not hold together
    ├── DataError      photos, labels, manifests, splits
    ├── RemoteError    data at an address that cannot be reached
    ├── StoreError     a study folder that is foreign, torn, held by another process, or of another study
    └── RunnerError    workers that cannot be started
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from commongarden.i18n.coded import Coded, verbatim
from commongarden.i18n.language import _

NEAR = ((2, 0.5), (4, 0.66))  # letters of a name, and how alike a name must be to be suggested for it
LONGEST = 2500  # letters of a message; one that quotes a whole file hides what it says


class CommonGardenError(Exception):
    """Any mistake a user can mend. The command line prints it without a traceback. A long message loses its middle.

    reason: the message as a record keeps it, in English where it was made with `N_`.
    """

    def __init__(self, message: object = "") -> None:
        text = str(message)
        if len(text) > LONGEST:
            text = f"{text[: LONGEST * 2 // 3]} [...] {text[-LONGEST // 3 :]}"
        super().__init__(text)
        self.reason = message if isinstance(message, Coded) and text == message else verbatim(text)


class ArchError(CommonGardenError):
    """A network that cannot be built; the message starts with the path of the layer."""


class StudyError(CommonGardenError):
    """A study, recipe, arm or contrast that does not hold together."""


class DataError(CommonGardenError):
    """Photos, labels, manifests or splits that cannot be used."""


class RemoteError(CommonGardenError):
    """Data at an address that cannot be reached. It is no fault of a photo, so none is left out for it."""


class StoreError(CommonGardenError):
    """A study folder that is foreign, torn, in use, or belongs to another study."""


class RunnerError(CommonGardenError):
    """Workers that cannot be started or do not answer."""


def reason_of(error: BaseException) -> Coded:
    """Why it was raised, as a record keeps it."""
    return error.reason if isinstance(error, CommonGardenError) else verbatim(str(error))


def nearest(found: object, names: Iterable[str], n: int = 1) -> list[str]:
    """Up to n names that may have been meant; none where no name is near.

    >>> nearest("resnt18", ["resnet18", "vgg11"]), nearest("train", ["twins", "trust"])
    (['resnet18'], [])
    """
    text = str(found)
    cutoff = next((share for letters, share in NEAR if len(text) <= letters), 0.75)
    return difflib.get_close_matches(text, names, n=n, cutoff=cutoff)


def unknown(kind: str, found: object, accepted: Iterable[str], *, where: str = "") -> str:
    """The message for a name that is not among the accepted ones, with the nearest spelling.

    >>> unknown("optimizer", "adm", ["adam", "sgd"])
    "unknown optimizer 'adm'; did you mean 'adam'? Accepted: adam, sgd"
    """
    names = list(accepted)
    near = nearest(found, names)
    told = {"kind": _(kind), "found": found, "accepted": ", ".join(names) or _("none")}
    if near:
        said = _("unknown {kind} {found!r}; did you mean {near!r}? Accepted: {accepted}").format(near=near[0], **told)
    else:
        said = _("unknown {kind} {found!r}. Accepted: {accepted}").format(**told)
    return f"{where}: {said}" if where else said


def check_known(
    kind: str, names: Iterable[object], accepted: Iterable[str], error: type[CommonGardenError], *, where: str = ""
) -> None:
    """Raises the error for the first name that is not among the accepted ones."""
    known = list(accepted)
    for name in names:
        if name not in known:
            raise error(unknown(kind, name, known, where=where))
