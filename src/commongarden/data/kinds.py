"""Which kinds of image files are read: how they begin, what Pillow calls them, and why others are refused."""

from __future__ import annotations

import importlib.util
import re
import threading

from PIL import (  # the plugins are named so that no thread meets a half-registered list of them
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TgaImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
    features,
)

from commongarden.i18n.coded import NOTHING, Coded
from commongarden.i18n.language import N_

ACCEPTED = "JPEG, PNG, WebP, BMP, GIF, TIFF, HEIC, AVIF, JPEG 2000, PPM, PGM, TGA"
HEAD = 264  # bytes that tell the kind of a file
HEIF_PACKAGE = "pillow_heif"
EIGHT_BITS = ("JPEG", "WebP", "GIF", "BMP", "TGA", "AVIF")  # never more per channel, as Pillow reads them

FORMATS = {  # JPEG opens MPO too, the JPEG with several pictures that phones write
    "JPEG": JpegImagePlugin.JpegImageFile.format,
    "PNG": PngImagePlugin.PngImageFile.format,
    "WebP": WebPImagePlugin.WebPImageFile.format,
    "GIF": GifImagePlugin.GifImageFile.format,
    "TIFF": TiffImagePlugin.TiffImageFile.format,
    "BMP": BmpImagePlugin.BmpImageFile.format,
    "AVIF": AvifImagePlugin.AvifImageFile.format,
    "HEIC": "HEIF",
    "JPEG 2000": Jpeg2KImagePlugin.Jpeg2KImageFile.format,
    "PPM": PpmImagePlugin.PpmImageFile.format,
    "TGA": TgaImagePlugin.TgaImageFile.format,
}
_MAGIC = (
    ("JPEG", re.compile(rb"\xff\xd8\xff")),
    ("PNG", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("WebP", re.compile(rb"(?s)RIFF....WEBP")),
    ("GIF", re.compile(rb"GIF8[79]a")),
    ("TIFF", re.compile(rb"(II|MM)(\0[*+]|[*+]\0)")),
    ("BMP", re.compile(rb"(?s)BM.{4}\0\0\0\0")),
    ("JPEG 2000", re.compile(rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51")),
    ("PPM", re.compile(rb"P[1-6f]\s+(#|-?[0-9])")),
    # nothing but a header that makes sense: a palette where the type has one, a depth that there is
    ("TGA", re.compile(rb"(?s).(\x01[\x01\x09].{5}|\0[\x02\x03\x0a\x0b]\0{5}).{8}[\x08\x0f\x10\x18\x20][\0-\x3f]")),
)
_HEIC = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
_registering = threading.Lock()


def kind(head: bytes) -> str | None:
    """The kind of image that a file's first bytes are of; None where they are of none."""
    found = next((name for name, magic in _MAGIC if magic.match(head)), None)
    if found is not None:
        return found
    brands = _brands(head)
    return "AVIF" if brands & {b"avif", b"avis"} else "HEIC" if brands & _HEIC else None


def not_read(head: bytes) -> Coded:
    """Why files that begin so are not read, in English for a record; "" where they are."""
    found = kind(head)
    if found == "HEIC" and importlib.util.find_spec(HEIF_PACKAGE) is None:
        return N_("HEIC needs the package pillow-heif; accepted: pip install pillow-heif")
    if found == "AVIF" and not features.check("avif"):
        return N_("AVIF is not supported by the installed Pillow; accepted: pip install --upgrade pillow")
    if found is None and head[128:132] == b"DICM":
        return N_("DICOM is not supported; accepted: the same image as 16-bit PNG or TIFF")
    return NOTHING if found is not None else N_("not an image file")


def formats(head: bytes) -> list[str]:
    """What Pillow calls the kind of file that begins so, ready to be opened."""
    found = kind(head)
    if found == "HEIC":
        with _registering:
            import pillow_heif

            pillow_heif.register_heif_opener()
    return [FORMATS[found]] if found is not None else []


def _brands(head: bytes) -> frozenset[bytes]:
    """The names that an ISO media file (HEIC, AVIF, MP4) gives itself."""
    if head[4:8] != b"ftyp":
        return frozenset()
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return frozenset(head[i : i + 4] for i in (8, *range(16, end - 3, 4)))
