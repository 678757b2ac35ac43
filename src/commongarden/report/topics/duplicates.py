"""What was found in the photos: pictures that are there twice as a contact sheet, unusual photos, uneven classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from commongarden.i18n.language import _, ngettext
from commongarden.records import Manifest, Split, inspection
from commongarden.records.inspection import Inspection, Kind, Pair, Unusual
from commongarden.report.document import Bitmap, Block, Bullets, Fold, Gallery, Heading, Paragraph, Section, Styled
from commongarden.report.wording import words
from commongarden.report.wording.labels import TEXT
from commongarden.report.wording.numbers import whole
from commongarden.store import Store
from commongarden.study import Study

MOST_GROUPS = 24
MOST_PHOTOS = 8  # of one group
MOST_PATHS = 200


def section(store: Store, study: Study, manifest: Manifest, split: Split) -> Section | None:
    """None where the photos were not looked at (drawn ones, and studies begun by an earlier version)."""
    found = store.inspection()
    if found is None or found.data != manifest.hash:
        return None
    blocks: list[Block] = [
        Paragraph(_sentence(said), role="notice") for said in inspection.warnings(found, manifest, split)
    ]
    blocks += map(Paragraph, [*sentences(found, study), *map(_sentence, inspection.classes(manifest))])
    if groups := _groups(found, manifest, split):
        blocks.append(Gallery(tuple(groups[:MOST_GROUPS]), "groups"))
        if len(groups) > MOST_GROUPS:
            blocks.append(Paragraph(_more(len(groups) - MOST_GROUPS), role="soft"))
        blocks.append(Paragraph(TEXT["duplicates_caption"], role="soft"))
    if found.unusual:
        blocks += [Heading(TEXT["unusual"]), *_unusual(found.unusual)]
    return Section(TEXT["duplicates"], tuple(blocks), anchor="duplicates")


def sentences(found: Inspection, study: Study) -> Iterator[str]:
    """How many duplicates were found, and whether they are in one set."""
    if not found.groups:
        yield _("No duplicates found ({how}).").format(how=_how())
        return
    if study.split.near_duplicates == "together":
        said = _("{found}. All images of a group are in the same set.")
    else:
        said = _("{found}. The split ignores near duplicates (near_duplicates = ignore).")
    yield said.format(found=inspection.count(found))
    if chains := inspection.in_chains(found):
        yield ngettext(
            "{n} more pair links two groups whose other images are not duplicates; the pair may be split between sets.",
            "{n} more pairs link two groups each whose other images are not duplicates; the pairs may be "
            "split between sets.",
            len(chains),
        ).format(n=whole(len(chains)))


def _how() -> str:
    return _("re-encoded, resized, slightly cropped, mirrored, brighter")


def _groups(found: Inspection, manifest: Manifest, split: Split) -> list[tuple[tuple[Bitmap, ...], str, bool]]:
    """The photos of each group, what tells them apart, and whether they are under two labels or in two parts."""
    photos = {photo.path: photo for photo in manifest.photos}
    part = inspection.part_of(split)
    pairs = {(pair.one, pair.two): pair for pair in found.pairs}
    groups = []
    for paths in found.groups:
        shown = tuple(
            Bitmap(
                found.pictures.get(path),
                path,
                (Styled(photos[path].label, "strong"), Styled(f" {TEXT[part[path]]}" if path in part else "")),
                TEXT["no_thumbnail"],
            )
            for path in paths[:MOST_PHOTOS]
        )
        labels, parts = {photos[path].label for path in paths}, {part[path] for path in paths if path in part}
        n_files = len({photos[path].sha256 for path in paths})
        groups.append((shown, _told(paths, n_files, pairs), len(labels) > 1 or len(parts) > 1))
    return sorted(groups, key=lambda group: (not group[2], -len(group[0])))


def _told(paths: Sequence[str], n_files: int, pairs: dict[tuple[str, str], Pair]) -> str:
    if n_files == 1:
        return ngettext("the same file {n} times", "the same file {n} times", len(paths)).format(n=len(paths))
    inside = [pair for (one, two), pair in pairs.items() if one in paths and two in paths]
    likeness = min((pair.likeness for pair in inside), default=1.0)
    if any(pair.mirrored for pair in inside):
        text = _("detail correlation of {likeness} or more, mirrored images included")
    else:
        text = _("detail correlation of {likeness} or more")
    return text.format(likeness=f"{likeness:.2f}")


def _more(n: int) -> str:
    return ngettext(
        "{n} more group is not shown; inspection.json lists its images.",
        "{n} more groups are not shown; inspection.json lists their images.",
        n,
    ).format(n=whole(n))


def _unusual(items: Sequence[Unusual]) -> Iterator[Fold]:
    kinds: dict[Kind, list[Unusual]] = {}
    for item in items:
        kinds.setdefault(item.kind, []).append(item)
    for kind, of in kinds.items():
        lines = [_("{path}: {what}").format(path=item.path, what=inspection.says(item)) for item in of[:MOST_PATHS]]
        if len(of) > MOST_PATHS:
            lines.append(words.more(len(of) - MOST_PATHS))
        yield Fold(_headed(kind, len(of)), (Bullets(tuple(lines), "paths"),))


def _headed(kind: Kind, n: int) -> str:
    texts: dict[Kind, str] = {
        "wrong extension": ngettext("{n} image with a wrong extension", "{n} images with a wrong extension", n),
        "several frames": ngettext("{n} file with several frames", "{n} files with several frames", n),
        "broken frames": ngettext(
            "{n} file with corrupt frames after the first", "{n} files with corrupt frames after the first", n
        ),
        "nearly one colour": ngettext("{n} image of nearly one colour", "{n} images of nearly one colour", n),
        "small": ngettext("{n} very small image", "{n} very small images", n),
        "long and narrow": ngettext(
            "{n} image with an extreme aspect ratio", "{n} images with an extreme aspect ratio", n
        ),
        "huge": ngettext("{n} very large image", "{n} very large images", n),
        "rare mode": ngettext("{n} image with a rare colour mode", "{n} images with a rare colour mode", n),
    }
    return texts[kind].format(n=whole(n))


def _sentence(said: str) -> str:
    return said[:1].upper() + said[1:] + "."
