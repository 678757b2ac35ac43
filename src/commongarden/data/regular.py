"""Regular files are the only ones that are opened: to read a pipe or a device might never end."""

from __future__ import annotations

import errno
import stat
from io import BufferedReader
from pathlib import Path

from commongarden.i18n.language import N_

NOT_REGULAR = N_("not a regular file")


def opened(path: Path) -> BufferedReader:
    """The file, open for its bytes. Raises OSError, also for a pipe, a socket, a device and a folder."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, NOT_REGULAR)
    return path.open("rb")
