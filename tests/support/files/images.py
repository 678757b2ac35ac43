"""Image files as people have them: whole ones of every kind, broken ones, and ones that only look like photos.

Each function makes the bytes of one file. `KINDS` names them all with what is to come of them.
"""

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

SIZE = (24, 20)  # width, height


@dataclass(frozen=True)
class Kind:
    """name: of the file. make: its bytes, of another picture for each number. reason: what the sentence says where it
    is not read; "" where it is."""

    name: str
    make: Callable[[int], bytes]
    reason: str = ""


def picture(seed: int = 0, mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    """Soft spots of colour, so that no two numbers and no two orientations look alike."""
    spots = np.random.default_rng(seed).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    return Image.fromarray(spots).resize(size, Image.Resampling.BICUBIC).convert(mode)


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(values: np.ndarray, depth: int = 8, before: bytes = b"", kind: int | None = None) -> bytes:
    """A PNG of (height, width) or (height, width, channels), written by hand: Pillow writes no colours of 16 bits.
    before: chunks between header and pixels."""
    height, width = values.shape[:2]
    n = 1 if values.ndim == 2 else values.shape[2]
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[n] if kind is None else kind
    rows = values.reshape(height, -1).astype(">u2" if depth == 16 else "u1")
    body = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def tiff(values: np.ndarray, tags: dict[int, int] | None = None, next_page: int = 0, order: str = "<") -> bytes:
    """An uncompressed TIFF of one page, written by hand. tags: more of them, or others. next_page: where the file says
    that its next directory is."""
    height, width = values.shape[:2]
    n, bits = 1 if values.ndim == 2 else values.shape[2], 8 * values.dtype.itemsize
    pixels = values.astype(values.dtype.newbyteorder(order)).tobytes()
    form = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    found = {256: width, 257: height, 259: 1, 262: 2 if n == 3 else 1, 273: 8, 277: n, 278: height, 279: len(pixels)}
    entries, far = b"", b""
    table = {**found, 258: bits, 339: form, **(tags or {})}
    end = 8 + len(pixels) + 2 + 12 * len(table) + 4
    for tag in sorted(table):
        count = n if tag in (258, 339) else 1
        data = struct.pack(order + ("H" if tag in (258, 339, 280, 281) else "I") * count, *[table[tag]] * count)
        code = 3 if tag in (258, 339, 280, 281) else 4
        entries += struct.pack(order + "HHI", tag, code, count)
        if len(data) > 4:
            entries += struct.pack(order + "I", end + len(far))
            far += data
        else:
            entries += data.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(pixels))
    return head + pixels + struct.pack(order + "H", len(table)) + entries + struct.pack(order + "I", next_page) + far


def greys(levels: int = 205, step: int = 16, seed: int = 0) -> np.ndarray:
    """Values of a camera of 12 bits in 16, (20, 24) uint16: `levels` of them, `step` apart."""
    values = np.random.default_rng(seed).permutation(SIZE[0] * SIZE[1]) % levels
    return (values.reshape(SIZE[1], SIZE[0]) * step).astype(np.uint16)


def grey_and_alpha(seed: int) -> bytes:
    return png(np.stack([greys(seed=seed), np.full(SIZE[::-1], 65535, np.uint16)], 2), 16)


def tiff_with_a_broken_next_page(seed: int) -> bytes:
    return tiff(np.asarray(picture(seed)), next_page=0x7FFFFFF0)


def tiff_whose_next_page_is_no_directory(seed: int) -> bytes:
    return tiff(np.asarray(picture(seed)), next_page=10)


def tiff_with_rows_missing(seed: int) -> bytes:
    """Its directory promises a thousand times the rows that it has strips for."""
    return tiff(np.asarray(picture(seed)), {257: 20_000})


def tiff_that_leads_back(seed: int) -> bytes:
    values = np.asarray(picture(seed))
    return tiff(values, next_page=8 + values.size)


def thirteen_channels(_seed: int) -> bytes:
    """As satellites have them."""
    return tiff(np.zeros((20, 24, 13), np.uint16))


def pages_cut_off(seed: int) -> bytes:
    """A multi-page TIFF of which the last page is gone."""
    whole = encoded(picture(seed), "TIFF", save_all=True, append_images=[picture(seed + 500), picture(seed + 600)])
    return whole[: int(0.8 * len(whole))]


def comfy_png(seed: int, size: int = 6_000_000, compressed: bool = True) -> bytes:
    """As ComfyUI and other programs write: the whole workflow as text, larger than Pillow reads."""
    info = PngImagePlugin.PngInfo()
    workflow = '{"nodes": [' + '{"id": 1, "type": "KSampler"}, ' * (size // 31) + "]}"
    info.add_text("workflow", workflow, zip=compressed)
    info.add_itxt("prompt", workflow[: size // 2], zip=compressed)
    return encoded(picture(seed), "PNG", pnginfo=info)


def png_with_many_texts(seed: int) -> bytes:
    """Each text within Pillow's limit for one, together above that for all."""
    text = chunk(b"zTXt", b"history\0\0" + zlib.compress(bytes(1_000_000), 1))
    return png(np.asarray(picture(seed)), before=text * 70)


def png_with_a_large_profile(seed: int) -> bytes:
    """An ICC profile of several megabytes, as scanners of slides have them."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + bytes(3_000_000)
    return png(np.asarray(picture(seed)), before=chunk(b"iCCP", b"large\0\0" + zlib.compress(profile)))


def png_with_a_profile_bomb(seed: int) -> bytes:
    packed = zlib.compress(bytes(60_000_000), 1)
    return png(
        np.asarray(picture(seed)), before=chunk(b"iCCP", b"bomb\0\0" + packed) + chunk(b"zTXt", b"bomb\0\0" + packed)
    )


def pixel_bomb(_seed: int) -> bytes:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def rotated(seed: int, format: str, **options: object) -> bytes:
    exif = Image.Exif()
    exif[274] = 6
    return encoded(picture(seed), format, exif=exif, **options)


def frames(seed: int, format: str, **options: object) -> bytes:
    return encoded(
        picture(seed), format, save_all=True, append_images=[picture(seed + 500), picture(seed + 600)], **options
    )


def heic(seed: int = 0, **options: object) -> bytes:
    import pillow_heif

    pillow_heif.register_heif_opener()
    return encoded(picture(seed, size=(64, 48)), "HEIF", **options)


def jpeg_with_broken_xmp(seed: int) -> bytes:
    """XMP that is no UTF-8, as in a photo of ImageNet."""
    data = encoded(picture(seed), "JPEG")
    text = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta \xa8\xa8>"
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(text) + 2) + text + data[2:]


def palette_png(seed: int) -> bytes:
    shown = picture(seed).quantize(16)
    return encoded(shown, "PNG", transparency=bytes(range(0, 256, 16)))


def ascii_ppm(seed: int) -> bytes:
    values = np.asarray(picture(seed))
    return b"P3\n# by hand\n24 20\n255\n" + b" ".join(b"%d" % value for value in values.ravel()) + b"\n"


def pgm16(seed: int = 0, most: int = 4095) -> bytes:
    return b"P5 24 20 %d\n" % most + greys(205, 16, seed).astype(">u2").tobytes()


def cut(data: bytes, share: float = 0.6) -> bytes:
    return data[: int(share * len(data))]


def mpo_without_its_second_picture(seed: int) -> bytes:
    """A phone's JPEG with a second picture that a program has cut away, though the first part still names it."""
    data = frames(seed, "MPO")
    return data[: data.index(b"\xff\xd9") + 2]


DICOM = bytes(128) + b"DICM" + bytes(200)

KINDS = {
    "JPEG": Kind("a.jpg", lambda seed: encoded(picture(seed), "JPEG", quality=95)),
    "JPEG in grey": Kind("a.jpg", lambda seed: encoded(picture(seed, "L"), "JPEG")),
    "JPEG in CMYK": Kind("a.jpg", lambda seed: encoded(picture(seed, "CMYK"), "JPEG")),
    "JPEG, progressive": Kind("a.jpeg", lambda seed: encoded(picture(seed), "JPEG", progressive=True)),
    "JPEG, rotated": Kind("a.jpg", lambda seed: rotated(seed, "JPEG")),
    "JPEG with EXIF that is none": Kind("a.jpg", lambda seed: encoded(picture(seed), "JPEG", exif=b"Exif\0\0MM\0*")),
    "JPEG with bytes behind its end": Kind("a.jpg", lambda seed: encoded(picture(seed), "JPEG") + b"motion photo" * 99),
    "JPEG without its end mark": Kind("a.jpg", lambda seed: encoded(picture(seed), "JPEG", quality=95)[:-2]),
    "JPEG with text that is not UTF-8": Kind("a.jpg", jpeg_with_broken_xmp),
    "MPO": Kind("a.jpg", lambda seed: frames(seed, "MPO")),
    "MPO without its second picture": Kind("a.jpg", mpo_without_its_second_picture),
    "PNG": Kind("a.png", lambda seed: encoded(picture(seed), "PNG")),
    "PNG named .jpg": Kind("a.jpg", lambda seed: encoded(picture(seed), "PNG")),
    "PNG with palette and transparency": Kind("a.png", palette_png),
    "PNG in grey with alpha": Kind("a.png", lambda seed: encoded(picture(seed, "LA"), "PNG")),
    "PNG in black and white": Kind("a.png", lambda seed: encoded(picture(seed, "1"), "PNG")),
    "PNG with EXIF": Kind("a.png", lambda seed: rotated(seed, "PNG")),
    "PNG by ComfyUI": Kind("a.png", comfy_png),
    "PNG by ComfyUI, not compressed": Kind("a.png", lambda seed: comfy_png(seed, compressed=False)),
    "PNG with many texts": Kind("a.png", png_with_many_texts),
    "PNG with a large profile": Kind("a.png", png_with_a_large_profile),
    "PNG with a profile bomb": Kind("a.png", png_with_a_profile_bomb),
    "PNG of 16 bits": Kind("a.png", lambda seed: png(greys(480, 136, seed), 16)),
    "PNG of 12 bits in 16": Kind("a.png", lambda seed: png(greys(seed=seed), 16)),
    "PNG in colours of 12 bits in 16": Kind("a.png", lambda seed: png(np.stack([greys(seed=seed)] * 3, 2), 16)),
    "PNG in grey and alpha of 16 bits": Kind("a.png", grey_and_alpha),
    "APNG": Kind("a.png", lambda seed: frames(seed, "PNG")),
    "GIF": Kind("a.gif", lambda seed: frames(seed, "GIF")),
    "WebP": Kind("a.webp", lambda seed: encoded(picture(seed, "RGBA"), "WEBP")),
    "WebP, animated": Kind("a.webp", lambda seed: frames(seed, "WEBP")),
    "BMP": Kind("a.bmp", lambda seed: encoded(picture(seed), "BMP")),
    "TIFF": Kind("a.tif", lambda seed: encoded(picture(seed), "TIFF", compression="tiff_lzw")),
    "TIFF in CMYK": Kind("a.tif", lambda seed: encoded(picture(seed, "CMYK"), "TIFF")),
    "TIFF of 16 bits": Kind("a.tiff", lambda seed: tiff(greys(480, 136, seed))),
    "TIFF of 12 bits in 16, big-endian": Kind("a.tiff", lambda seed: tiff(greys(seed=seed), order=">")),
    "TIFF in colours of 16 bits": Kind("a.tiff", lambda seed: tiff(np.stack([greys(seed=seed)] * 3, 2))),
    "TIFF of 16 bits, white is zero": Kind("a.tiff", lambda seed: tiff(greys(seed=seed), {262: 0})),
    "TIFF of signed values": Kind("a.tiff", lambda seed: tiff(greys(seed=seed).astype(np.int16) - 1024)),
    "TIFF of fractions": Kind("a.tiff", lambda seed: tiff((greys(seed=seed) / 4095).astype(np.float32))),
    "TIFF with pages": Kind("a.tif", lambda seed: frames(seed, "TIFF")),
    "TIFF with a broken next page": Kind("a.tif", tiff_with_a_broken_next_page),
    "TIFF whose next page is no directory": Kind("a.tif", tiff_whose_next_page_is_no_directory),
    "TIFF that leads back": Kind("a.tif", tiff_that_leads_back),
    "TIFF whose pages are cut off": Kind("a.tif", pages_cut_off),
    "HEIC": Kind("a.heic", heic),
    "HEIC named .jpg": Kind("a.jpg", heic),
    "AVIF": Kind("a.avif", lambda seed: encoded(picture(seed), "AVIF")),
    "AVIF, animated": Kind("a.avif", lambda seed: frames(seed, "AVIF")),
    "JPEG 2000": Kind("a.jp2", lambda seed: encoded(picture(seed), "JPEG2000")),
    "PPM": Kind("a.ppm", lambda seed: encoded(picture(seed), "PPM")),
    "PPM as text": Kind("a.ppm", ascii_ppm),
    "PGM": Kind("a.pgm", lambda seed: encoded(picture(seed, "L"), "PPM")),
    "PGM of 12 bits": Kind("a.pgm", pgm16),
    "PBM": Kind("a.pbm", lambda seed: encoded(picture(seed, "1"), "PPM")),
    "TGA": Kind("a.tga", lambda seed: encoded(picture(seed), "TGA")),
    "1x1": Kind("a.png", lambda seed: encoded(picture(seed, size=(1, 1)), "PNG")),
    "1x3000": Kind("a.png", lambda seed: encoded(picture(seed, size=(1, 3000)), "PNG")),
    "JPEG cut off": Kind("a.jpg", lambda seed: cut(encoded(picture(seed), "JPEG")), "truncated image file"),
    "PNG cut off": Kind("a.png", lambda seed: cut(encoded(picture(seed), "PNG")), "truncated image file"),
    "HEIC cut off": Kind("a.heic", lambda seed: cut(heic(seed)), "truncated image file"),
    "AVIF cut off": Kind("a.avif", lambda seed: cut(encoded(picture(seed), "AVIF")), "broken|truncated"),
    "JPEG 2000 cut off": Kind("a.jp2", lambda seed: cut(encoded(picture(seed), "JPEG2000"), 0.3), "corrupt|trunc"),
    "PPM cut off": Kind("a.ppm", lambda seed: cut(encoded(picture(seed), "PPM")), "truncated image file"),
    "TIFF cut off": Kind("a.tif", lambda seed: cut(tiff(np.asarray(picture(seed)))), "corrupt, or an unsupported"),
    "TIFF with rows missing": Kind("a.tif", tiff_with_rows_missing, "truncated image file"),
    "TIFF with 13 channels": Kind("a.tif", thirteen_channels, "a TIFF with 13 x 16 bits per pixel"),
    "enormous": Kind("a.png", pixel_bomb, "3,600,000,000 pixels, more than the limit of 178,956,970"),
    "empty": Kind("a.jpg", lambda seed: b"", r"empty file \(0 bytes\)"),
    "zeros": Kind("a.jpg", lambda seed: bytes(20_000), "not an image file"),
    "text": Kind("a.jpg", lambda seed: b"P5 is the name of a pin, and this is a note\n" * 9, "not an image file"),
    "web page": Kind("a.jpg", lambda seed: b"<!DOCTYPE html><html>404 not found</html>", "not an image file"),
    "TIFF of 64 bits": Kind("a.tif", lambda seed: tiff(np.ones((9, 9))), "a TIFF with 64-bit floating-point values"),
    "DICOM": Kind("a.png", lambda seed: DICOM, "DICOM is not supported; accepted: .* 16-bit PNG or TIFF"),
}  # fmt: skip
