"""The last of a study's four steps: what the workers report is kept in the store and shown."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from dataclasses import dataclass, field

from commongarden import stats
from commongarden import store as store_files
from commongarden.data import image
from commongarden.errors import DataError
from commongarden.i18n.language import _, translate
from commongarden.runner import augmented
from commongarden.runner.callbacks import Callbacks
from commongarden.runner.events import Attributed, Audited, Event, Piloted, Seen
from commongarden.runner.prepared_data import PreparedData
from commongarden.stats import sequential
from commongarden.store import Store, attribution_maps

THUMBNAIL_PIXELS = 160


@dataclass(frozen=True)
class StudyRecorder:
    """Takes what workers report. known: what a run of each arm takes, by its pilot or its earlier runs."""

    store: Store
    callbacks: Callbacks
    known: dict[str, Piloted] = field(default_factory=dict)

    def take(self, event: Event | Seen) -> None:
        """Keeps and shows one event. The runs are in the store before their events come."""
        match event:
            case Audited():
                self._take_audit(event)
            case Piloted():
                self._take_pilot(event)
            case Attributed():
                self._take_maps(event)
            case _:
                self.callbacks.display.show(event)

    def _take_audit(self, event: Audited) -> None:
        note = self.callbacks.display.note
        if event.audit is None:
            text = _("warning: {arm} could not be audited: {cause}")
            note(text.format(arm=event.arm, cause=translate(event.cause)))
            return
        store_files.write_audit(self.store, event.arm, event.audit)
        if event.audit.findings and (text := self.callbacks.audit_note(event.arm, event.audit)):
            note(text)

    def _take_pilot(self, event: Piloted) -> None:
        self.known[event.arm] = event
        if event.seconds is None:
            text = _("warning: {arm} could not be timed: {cause}")
            self.callbacks.display.note(text.format(arm=event.arm, cause=translate(event.cause)))
        for precision, ratio in event.faster:
            text = _(
                "note: {arm}: precision={precision} trains {ratio:.1f} times as fast on this device, with other "
                "results; to use it: --set precision={precision}"
            )
            self.callbacks.display.note(text.format(arm=event.arm, precision=precision, ratio=ratio))

    def _take_maps(self, event: Attributed) -> None:
        if event.sight is not None:
            attribution_maps.write(self.store, event.sight)
            return
        text = _("warning: the heat maps of {arm} could not be computed: {cause}")
        self.callbacks.display.note(text.format(arm=event.arm, cause=translate(event.cause)))


def trim_seeds(store: Store) -> None:
    """Leaves the study the seeds that its race has come to, so that those it did not need are not missing from it."""
    study = store.study()
    seeds = tuple(seed for seed in study.seeds if any(store.state(arm, seed) != "missing" for arm in study.arms))
    store_files.write_study(store.root, dataclasses.replace(study, seeds=seeds or study.seeds[: sequential.FIRST]))


def keep_thumbnails(store: Store, prepared: PreparedData) -> None:
    """Stores small copies of the photos that most runs get wrong, and of a few as augmentation changes them, which the
    report shows."""
    jpegs, stored = {}, {photo.path: photo.stored for photo in prepared.manifest.photos}
    for photo, _share in stats.most_missed(store):
        with suppress(DataError):  # taken away since it was decoded: the report shows the others
            jpegs[photo] = image.jpeg(
                prepared.manifest.root, photo, THUMBNAIL_PIXELS, prepared.manifest.range, stored=stored[photo]
            )
    study = store.study()
    jpegs |= augmented.samples(study, prepared.manifest, store.split(study.seeds[0]))
    store_files.write_thumbnails(store, jpegs)
