"""One photo before every model of a study, for the page: carried out in a process of its own, within limits."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from commongarden.errors import CommonGardenError, DataError
from commongarden.i18n.language import N_, _, translate, written
from commongarden.inference.tried import Neighbours, Source, Tried
from commongarden.runner.isolated import Calls, Died, Late
from commongarden.store import Store

if TYPE_CHECKING:
    from commongarden.report.document import Styled

MOST_BYTES = 30 * 2**20  # of a photo that is sent
MOST_ASKED = 12  # models that are asked
SECONDS = 90.0  # for all of them
MINUTES = 600.0  # seconds for the nearest photos, of which all features are computed the first time
NEAR = 6  # nearest photos of each part
WAITING = 4  # photos that wait for their turn
TOP = 3

Result = TypeVar("Result")


class Busy(Exception):
    """Too many photos wait already."""


class Trying:
    """A process that looks at photos, one at a time. It is started when the first one comes."""

    def __init__(self) -> None:
        self._calls, self._others = Calls(), Calls()
        self._one, self._other = threading.Lock(), threading.Lock()
        self._waiting = 0

    def tried(self, folder: Path, source: Source) -> tuple[bytes, int, tuple[Tried, ...]]:
        """(the photo, small; frames of its file; what each model of the study says). Raises CommonGardenError, and Busy
        where too many wait."""
        store = Store(folder)
        arms = tuple(arm for arm in store.study().arms if any(store.has(arm, seed) for seed in store.study().seeds))
        if self._waiting >= WAITING:
            raise Busy
        self._waiting += 1
        try:
            return self._call(_tried, folder, arms[:MOST_ASKED], source, TOP)
        finally:
            self._waiting -= 1

    def neighbours(self, folder: Path, root: str, source: Source) -> Neighbours:
        """The photos of the study that are nearest to one, by a process of their own: it may take minutes for the
        first. Raises CommonGardenError, and Busy where another one is looked for."""
        if not self._other.acquire(blocking=False):
            raise Busy
        try:
            return _kept_errors(lambda: self._others.call(_neighbours, folder, root, source, NEAR, within=MINUTES))
        finally:
            self._other.release()

    def thumbnail(self, source: Source, pixels: int) -> bytes:
        """The photo, small. Raises CommonGardenError."""
        return self._call(_thumbnail, source, pixels)

    def _call(self, function: Callable[..., Result], *arguments: object) -> Result:
        with self._one:
            return _kept_errors(lambda: self._calls.call(function, *arguments, within=SECONDS))


def _kept_errors(call: Callable[[], Result]) -> Result:
    """What a call in another process gives; its end or delay is a DataError."""
    try:
        return call()
    except Late as late:
        raise DataError(N_("took longer than {n:.0f} seconds").format(n=late.seconds)) from None
    except Died as died:
        raise DataError(died.cause) from None


def _neighbours(*arguments: Any) -> Neighbours:
    from commongarden.inference import neighbours

    return neighbours.neighbours(*arguments)


def _tried(*arguments: Any) -> tuple[bytes, int, tuple[Tried, ...]]:
    """In the other process: torch is loaded there alone."""
    from commongarden.inference import trial

    return trial.tried(*arguments)


def _thumbnail(*arguments: Any) -> bytes:
    from commongarden.inference import trial

    return trial.thumbnail(*arguments)


def fragment(
    photo: bytes, found: Sequence[Tried], language: str, *, name: str, label: str = "", n_frames: int = 1
) -> str:
    """What the models say, as elements: those that disagree with most of them first. n_frames: of the file."""
    from commongarden.report.document import Bitmap, Block, Gallery, Paragraph, Styled, html

    with written(language):
        counts = Counter(one.top[0][0] for one in found if one.top)
        most = counts.most_common(1)[0][0] if counts else ""
        ordered = sorted(found, key=lambda one: (not one.top, bool(one.top) and one.top[0][0] == most))
        spans = {one.arm: _spans(one, label) for one in found}
        shown = [Bitmap(photo, name, (Styled(label or name, "strong"),), is_photo=True)]
        shown += [Bitmap(one.map, one.arm, spans[one.arm], missing=_("no heat map"), is_photo=False) for one in ordered]
        blocks: list[Block] = [Paragraph(_summary(counts), role="headline")]
        if n_frames > 1:
            text = _("The file has {n} frames; the models were shown the first one.")
            blocks.append(Paragraph(text.format(n=n_frames), role="soft"))
        blocks.append(Gallery(((tuple(shown), "", False),), "disputed"))
        return html.to_fragment(blocks, [one.arm for one in found])


def failed(error: CommonGardenError | Busy, language: str) -> str:
    """Why a photo cannot be looked at, as elements."""
    from commongarden.report.document import Paragraph, html

    with written(language):
        said = _("Other photos are waiting. Try again in a moment.") if isinstance(error, Busy) else _reason(error)
        return html.to_fragment([Paragraph(said, role="notice")], [])


def _reason(error: CommonGardenError) -> str:
    return _("The image cannot be read: {reason}").format(reason=translate(error.reason))


def _summary(counts: Counter[str]) -> str:
    if not counts:
        return _("No model has a trained run yet.")
    if len(counts) == 1:
        said = _("The model says {label}.") if counts.total() == 1 else _("All models say {label}.")
        return said.format(label=next(iter(counts)))
    parts = (_("{label} ({n})").format(label=label, n=n) for label, n in counts.most_common())
    return _("The models disagree: {parts}.").format(parts=", ".join(parts))


def _spans(one: Tried, label: str) -> tuple[Styled, ...]:
    from commongarden.report.document import Styled

    line = partial(Styled, role="whole")
    spans = [Styled(one.arm, "strong", one.arm)]
    if one.error is not None:
        return (*spans, Styled("", "break"), Styled(translate(one.error), "soft"))
    for place, (name, probability) in enumerate(one.top):
        spans += [Styled("", "break"), line(f"{name} {100 * probability:.0f} %")]
        if place == 0 and label and name != label:
            spans += [Styled(" "), Styled(_("wrong"), "wrong")]
    return tuple(spans)
