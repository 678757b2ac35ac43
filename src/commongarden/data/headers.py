"""The first bytes of every file, looked at before any photo is decoded: empty files, other formats, no photos."""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace

from commongarden.data import image, kinds
from commongarden.data.listing import Candidate
from commongarden.data.stored import file_of
from commongarden.errors import DataError
from commongarden.i18n.language import N_

LENGTH = 256
NOT_IMAGE = N_("not an image file")
_KINDS = (
    ("CR3", re.compile(rb"....ftypcrx ", re.DOTALL)),
    ("JPEG XL", re.compile(rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n")),
    ("PSD", re.compile(rb"8BPS")),
    ("RAF", re.compile(rb"FUJIFILMCCD-RAW")),
    ("OpenEXR", re.compile(rb"v/1\x01")),
    ("Radiance HDR", re.compile(rb"#\?RADIANCE|#\?RGBE")),
    ("DICOM", re.compile(rb".{128}DICM", re.DOTALL)),
    ("SVG", re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*|<!DOCTYPE svg[^>]*>\s*)*<svg", re.DOTALL)),
    ("PAM", re.compile(rb"P7\s")),
)  # fmt: skip
# where the first bytes tell nothing: what the name's ending says
_NAMED = {
    ".svg": "SVG", ".psd": "PSD", ".dcm": "DICOM", ".dicom": "DICOM", ".jxl": "JPEG XL", ".cr2": "CR2", ".cr3": "CR3",
    ".nef": "NEF", ".arw": "ARW", ".dng": "DNG", ".orf": "ORF", ".rw2": "RW2", ".raf": "RAF", ".pef": "PEF",
    ".srw": "SRW", ".pcx": "PCX", ".exr": "OpenEXR", ".hdr": "Radiance HDR",
}  # fmt: skip


def looked_at(root: str, candidate: Candidate) -> Candidate:
    """The candidate with what its first bytes tell: that it counts as a photo, and why it cannot be read as one."""
    if candidate.reason:
        return candidate
    path = file_of(root, candidate.path, candidate.stored)
    head = image.head(path)
    if kinds.kind(head) is not None:
        return replace(candidate, counts=True, reason=kinds.not_read(head))
    kind = _kind(candidate.path, head[:LENGTH])
    counts = candidate.counts or kind in dict(_KINDS)
    try:
        image.read_bytes(path)
    except DataError as error:
        reason = error.reason
        if reason == NOT_IMAGE and kind:
            text = N_("{kind} is not supported; accepted: {accepted}")
            reason = text.format(kind=kind, accepted=kinds.ACCEPTED)
        return replace(candidate, counts=counts, reason=reason)
    return replace(candidate, counts=True)


def _kind(name: str, head: bytes) -> str:
    found = next((kind for kind, magic in _KINDS if magic.match(head)), "")
    return found or (_NAMED.get(posixpath.splitext(name)[1].lower(), "") if b"\0" in head else "")
