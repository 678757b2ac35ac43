"""Errors that other people's code raises: in one sentence with their file and line, and as a traceback of their frames.

Text is English with its code, as records hold it; `language.translate` shows it in the language in use.
"""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import CodeType

from commongarden.errors import CommonGardenError
from commongarden.i18n.coded import Coded, verbatim
from commongarden.i18n.language import N_

MOST_LETTERS = 400  # of an error's message
OURS = Path(__file__).parents[1]
INSTALLED = ("site-packages", "dist-packages")
MACHINERY = ("torch", "torchgen", "functorch", "captum")  # packages that only carry out what others ask for
THEIRS, LIBRARY, REST, OURSELVES = range(4)  # whose a frame is, those to be named first

PLACE = N_("{error} ({file}, line {line}, in {function})")
PLACE_IN_FILE = N_("{error} ({file}, line {line})")


def describe_user_error(error: BaseException, root_file: str | Path = "") -> Coded:
    """The error in one sentence: "ValueError: wrong width (mynet.py, line 12, in Net.forward)".

    The place is the innermost one in the user's code; in a library's (timm, torchvision) where no frame is the user's;
    none where all frames are torch's or ours. root_file: the user's file, which is theirs wherever it lies. What our
    own code raised because of another error is described as that one.
    """
    error = _root(error)
    if isinstance(error, CommonGardenError):
        return error.reason
    text = _text(error)
    if isinstance(error, SyntaxError) and error.filename:
        return PLACE_IN_FILE.format(error=text, file=Path(error.filename).name, line=error.lineno)
    places = _places(error)
    whose = _owners([file for file, _line, _code in places], root_file)
    if not whose or min(whose) > LIBRARY:
        return verbatim(text)
    file, line, code = [place for place, owner in zip(places, whose, strict=True) if owner == min(whose)][-1]
    if code.co_name == "<module>":
        return PLACE_IN_FILE.format(error=text, file=Path(file).name, line=line)
    function = code.co_qualname.rpartition("<locals>.")[2]
    return PLACE.format(error=text, file=Path(file).name, line=line, function=function)


def user_traceback(error: BaseException, root_file: str | Path = "") -> str:
    """Python's own traceback with the user's frames only; with the library's, or all, where there are none of them.

    Files are named from the current folder or from the package on, so that no path of the machine is in it.
    """
    found = traceback.TracebackException.from_exception(_root(error))
    waiting, known = [found], set()
    while waiting:
        one = waiting.pop()
        if id(one) in known:
            continue
        known.add(id(one))
        one.stack = _theirs(one.stack, root_file)
        waiting += [other for other in (one.__cause__, one.__context__, *(one.exceptions or ())) if other is not None]
    return "".join(found.format()).strip()


def _root(error: BaseException) -> BaseException:
    """Behind errors that we raised because of others, the one of the other code."""
    known = {id(error)}
    while error.__cause__ is not None and id(error.__cause__) not in known:
        places = _places(error)
        if places and _whose(places[-1][0], "") != OURSELVES:
            break
        error = error.__cause__
        known.add(id(error))
    return error


def _text(error: BaseException) -> str:
    """Kind and message in one line; of a failed assertion without one, its condition."""
    kind, message = type(error).__name__, error.msg if isinstance(error, SyntaxError) else str(error)
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if lines and "TorchScript" in lines[0]:  # its own traceback, which ends in the error
        lines = [lines[-1].removeprefix("RuntimeError: ")]
    if not lines and isinstance(error, AssertionError) and error.__traceback__ is not None:
        lines = [traceback.extract_tb(error.__traceback__)[-1].line or ""]
    whole = " ".join(lines) if lines and lines[0].endswith(":") else "".join(lines[:1])
    if len(whole) > MOST_LETTERS:
        whole = f"{whole[:MOST_LETTERS].rstrip()}..."
    return f"{kind}: {whole}" if whole else kind


def _places(error: BaseException) -> list[tuple[str, int, CodeType]]:
    walked = traceback.walk_tb(error.__traceback__)
    return [(frame.f_code.co_filename, line or 0, frame.f_code) for frame, line in walked]


def _owners(files: Sequence[str], root_file: str | Path) -> list[int]:
    """Whose each frame is, the outermost first. Those that called us are of a script, not of the network."""
    owners = [_whose(file, root_file) for file in files]
    first = owners.index(OURSELVES) if OURSELVES in owners else 0
    return [REST] * first + owners[first:]


def _whose(file: str, root_file: str | Path) -> int:
    path = Path(file)
    if root_file and path.absolute() == Path(root_file).absolute():
        return THEIRS
    if path.is_relative_to(OURS):
        return OURSELVES
    package = _package(path)
    if package:
        return REST if package[0] in MACHINERY else LIBRARY
    written = not file.startswith("<") and not path.is_relative_to(sysconfig.get_path("stdlib"))
    return THEIRS if written else REST


def _package(path: Path) -> tuple[str, ...]:
    """The parts of an installed file's path from its package on."""
    parts = path.parts
    last = max((i for i, part in enumerate(parts) if part in INSTALLED), default=-1)
    return parts[last + 1 :] if last >= 0 else ()


def _theirs(stack: Iterable[traceback.FrameSummary], root_file: str | Path) -> traceback.StackSummary:
    frames = list(stack)
    whose = _owners([frame.filename for frame in frames], root_file)
    best = [frame for frame, owner in zip(frames, whose, strict=True) if owner == min(whose)]
    return traceback.StackSummary.from_list(
        [traceback.FrameSummary(_shown(frame.filename), frame.lineno, frame.name, line=frame.line) for frame in best]
    )


def _shown(file: str) -> str:
    path = Path(file)
    if package := _package(path):
        return Path(*package).as_posix()
    if path.is_relative_to(OURS):
        return path.relative_to(OURS.parent).as_posix()
    if not path.is_absolute():
        return path.as_posix()
    folder = Path.cwd()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name
