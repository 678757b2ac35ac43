"""Every kind of file gives the picture that a person sees in it, or a reason."""

import io
import itertools
import struct
import threading
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from commongarden.data import image
from commongarden.errors import DataError

COLOUR = (200, 100, 50)
LOSSLESS = {"PNG": {}, "BMP": {}, "TIFF": {}, "WEBP": {"lossless": True}}


def encoded(picture, format, **options):
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def seen(data, at=(0, 0)):
    """The colour of one pixel (x, y)."""
    picture = image.decode(data)
    assert picture.mode == "RGB"
    return picture.getpixel(at)


def assert_near(found, wanted, within):
    assert np.abs(np.subtract(found, wanted)).max() <= within, f"{found}, wanted {wanted}"


def plain(mode="RGB", colour=COLOUR, size=(8, 6)):
    return Image.new("RGB", size, colour).convert(mode)


def gradient():
    """(6, 8, 3): every pixel another colour."""
    values = np.arange(6 * 8 * 3) * 1.7
    return Image.fromarray(values.reshape(6, 8, 3).astype(np.uint8))


def png(width, height, depth, kind, rows, transparent=b""):
    """A PNG that Pillow itself does not write."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    colour = chunk(b"tRNS", transparent) if transparent else b""
    body = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + header + colour + body + chunk(b"IEND", b"")


@pytest.mark.parametrize("format", LOSSLESS)
def test_colours_come_back_exactly(format):
    data = encoded(gradient(), format, **LOSSLESS[format])
    assert np.array_equal(np.asarray(image.decode(data)), np.asarray(gradient()))


@pytest.mark.parametrize("compression", [None, "jpeg", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_tiff_compressions(compression):
    assert_near(seen(encoded(plain(), "TIFF", compression=compression)), COLOUR, 2)


@pytest.mark.parametrize(
    ("format", "mode"),
    [
        ("JPEG", "RGB"), ("JPEG", "CMYK"), ("TIFF", "CMYK"), ("TIFF", "YCbCr"), ("TIFF", "RGBA"), ("PNG", "RGBA"),
        ("WEBP", "RGBA"), ("BMP", "RGBA"), ("GIF", "RGB"),
    ],
)  # fmt: skip
def test_colour_modes(format, mode):
    options = {"quality": 100} if format == "JPEG" else LOSSLESS.get(format, {})
    assert_near(seen(encoded(plain(mode), format, **options)), COLOUR, 3)


def test_lab_tiff():
    lab = ImageCms.profileToProfile(
        plain(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert_near(seen(encoded(lab, "TIFF")), COLOUR, 3)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "GIF", "BMP"])
def test_grey_is_grey(format):
    assert_near(seen(encoded(Image.new("L", (8, 8), 77), format)), (77, 77, 77), 1)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "GIF"])
def test_black_and_white(format):
    picture = Image.new("1", (8, 8), 0)
    picture.putpixel((3, 2), 1)
    data = encoded(picture, format)
    assert (seen(data), seen(data, (3, 2))) == ((0, 0, 0), (255, 255, 255))


@pytest.mark.parametrize("format", ["PNG", "GIF", "BMP", "TIFF"])
def test_palettes(format):
    picture = Image.new("P", (8, 8), 1)
    picture.putpalette([10, 20, 30, 200, 100, 50])
    assert seen(encoded(picture, format)) == COLOUR


def test_a_transparent_palette_colour_is_white():
    for format in ("PNG", "GIF"):
        picture = Image.new("P", (8, 8), 0)
        picture.putpalette([10, 20, 30, 200, 100, 50])
        picture.putpixel((3, 2), 1)
        data = encoded(picture, format, transparency=0)
        assert (seen(data), seen(data, (3, 2))) == ((255, 255, 255), COLOUR), format


@pytest.mark.parametrize(("alpha", "wanted"), [(255, COLOUR), (0, (255, 255, 255)), (128, (227, 177, 152))])
@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_alpha_lies_on_white(format, alpha, wanted):
    picture = Image.new("RGBA", (8, 8), (*COLOUR, alpha))
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    assert_near(seen(encoded(picture, format, **options)), wanted, 1)


def test_grey_with_alpha():
    assert_near(seen(encoded(Image.new("LA", (8, 8), (100, 128)), "PNG")), (177, 177, 177), 1)


@pytest.mark.parametrize(
    ("depth", "kind", "row", "transparent", "wanted"),
    [
        (1, 0, b"\x40", struct.pack(">H", 0), [255, 255]),
        (2, 0, b"\x60", struct.pack(">H", 1), [255, 170]),
        (4, 0, b"\x12", struct.pack(">H", 1), [255, 34]),
        (8, 0, b"\x01\x22", struct.pack(">H", 1), [255, 34]),
        (16, 0, struct.pack(">2H", 4660, 257 * 34), struct.pack(">H", 4660), [255, 34]),
        (8, 2, b"\x01\x02\x03\x22\x22\x22", struct.pack(">3H", 1, 2, 3), [255, 34]),
        (16, 2, struct.pack(">6H", 4660, 4660, 99, 8738, 8738, 8738), struct.pack(">3H", 4660, 4660, 99), [255, 34]),
    ],
)
def test_png_names_a_transparent_colour_at_every_depth(depth, kind, row, transparent, wanted):
    data = png(2, 1, depth, kind, [row], transparent)
    assert [seen(data, (x, 0)) for x in (0, 1)] == [(value,) * 3 for value in wanted]


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_and_not_clipped(format, dtype):
    values = np.array([[0, 257, 32896, 65535]], dtype=dtype)
    found = np.asarray(image.decode(encoded(Image.fromarray(values), format)))
    assert found[0, :, 0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (np.array([[0, 0.5, 1]], np.float32), [0, 128, 255]),
        (np.array([[0, 1, 1]], np.float32), [0, 255, 255]),
        (np.array([[0, 51, 255]], np.float32), [0, 51, 255]),
        (np.array([[0, 32896, 65535]], np.float32), [0, 128, 255]),
        (np.array([[-1, 0, 1]], np.float32), [0, 128, 255]),
        (np.array([[np.nan, 51, 255]], np.float32), [0, 51, 255]),
        (np.array([[0, 1, 200]], np.int32), [0, 1, 200]),
        (np.array([[0, 257, 65535]], np.int32), [0, 1, 255]),
        (np.array([[-100000, 0, 100000]], np.int32), [0, 128, 255]),
        (np.zeros((1, 3), np.float32), [0, 0, 0]),
        (np.full((1, 3), np.nan, np.float32), [0, 0, 0]),
        (np.full((1, 3), -7, np.int32), [0, 0, 0]),
        (np.full((1, 3), 1e9, np.float32), [0, 0, 0]),
    ],
)
def test_thirty_two_bit_grey(values, wanted):
    found = np.asarray(image.decode(encoded(Image.fromarray(values), "TIFF")))
    assert found[0, :, 1].tolist() == wanted


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
def test_exif_orientation(format, orientation):
    """The stored picture is the upright one turned the other way round; reading gives the upright one."""
    upright = np.asarray(gradient())
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    data = encoded(Image.fromarray(np.ascontiguousarray(stored)), format, exif=exif, **LOSSLESS[format])
    assert np.array_equal(np.asarray(image.decode(data)), upright)


def test_exif_that_makes_no_sense_is_ignored():
    for broken in (b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"):
        assert_near(seen(encoded(plain(), "JPEG", exif=broken, quality=100)), COLOUR, 3)
    exif = Image.Exif()
    exif[274] = 99
    assert image.decode(encoded(plain(), "JPEG", exif=exif)).size == (8, 6)


@pytest.mark.parametrize("format", ["GIF", "TIFF", "WEBP", "PNG", "MPO"])
def test_the_first_of_several_frames(format):
    frames = [Image.new("RGB", (16, 16), colour) for colour in (COLOUR, (0, 0, 255), (0, 255, 0))]
    options = {"lossless": True} if format == "WEBP" else {}
    assert_near(seen(encoded(frames[0], format, save_all=True, append_images=frames[1:], **options)), COLOUR, 4)


def swapped_channels():
    """An RGB profile like sRGB, but with red's and blue's primaries exchanged."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {}
    for i in range(int.from_bytes(profile[128:132], "big")):
        tags[bytes(profile[132 + 12 * i : 136 + 12 * i])] = 132 + 12 * i
    red, blue = tags[b"rXYZ"], tags[b"bXYZ"]
    profile[red + 4 : red + 12], profile[blue + 4 : blue + 12] = (
        profile[blue + 4 : blue + 12],
        profile[red + 4 : red + 12],
    )
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "Odd ".encode("utf-16-be"))


def test_an_icc_profile_is_followed():
    data = encoded(plain(), "PNG", icc_profile=swapped_channels())
    assert_near(seen(data), COLOUR[::-1], 2)


def test_an_icc_profile_and_alpha():
    data = encoded(Image.new("RGBA", (4, 4), (*COLOUR, 128)), "PNG", icc_profile=swapped_channels())
    assert_near(seen(data), (152, 177, 227), 2)


@pytest.mark.parametrize(
    ("mode", "profile"),
    [
        ("RGB", b"no profile at all"),
        ("RGB", swapped_channels()[:200]),
        ("L", b"no profile at all"),
        ("L", swapped_channels()),
    ],
)
def test_a_broken_icc_profile_or_one_of_another_mode_is_passed_over(mode, profile):
    picture = plain(mode)
    assert seen(encoded(picture, "PNG", icc_profile=profile)) == picture.convert("RGB").getpixel((0, 0))


def noise(size=64):
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_a_truncated_file_is_called_truncated(format, share, tmp_path):
    data = encoded(noise(), format)
    (tmp_path / "cut.jpg").write_bytes(data[: int(share * len(data))])
    with pytest.raises(DataError, match=r"cut\.jpg: (truncated|corrupt, or an unsupported kind of TIFF)"):
        image.read(tmp_path / "cut.jpg")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_bytes_gone_wrong_never_raise_anything_else(format):
    whole = encoded(noise(32), format)
    generator = np.random.default_rng(1)
    for n_wrong in (1, 3, 10, 100):
        for _ in range(8):
            data = bytearray(whole)
            for place in generator.integers(0, len(data), n_wrong):
                data[place] = int(generator.integers(256))
            try:
                assert image.decode(bytes(data)).mode == "RGB"
            except DataError:
                continue


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"Dear reader, this folder holds flowers.", "not an image file"),
        (b"BMW drives by, which is no bitmap at all", "not an image file"),
        (b"\xff\xd8\xff", "corrupt, or an unsupported kind of JPEG file"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "corrupt, or an unsupported kind of HEIC file"),
        (png(30000, 30000, 1, 0, []), "900,000,000 pixels, more than the limit of 178,956,970"),
        (png(12000, 12000, 1, 0, []), "truncated"),  # Pillow only warns of this many
    ],
)
def test_reasons(data, reason, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(data)
    with pytest.raises(DataError, match=rf"photo\.jpg: {reason}"):
        image.read(tmp_path / "photo.jpg")


def test_no_such_file(tmp_path):
    with pytest.raises(DataError, match=r"gone\.jpg: cannot be read: No such file"):
        image.read(tmp_path / "gone.jpg")


def test_what_counts_is_the_content_and_not_the_name(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(encoded(gradient(), "PNG"))
    assert np.array_equal(np.asarray(image.read(tmp_path / "photo.jpg")), np.asarray(gradient()))


def test_pixels_are_resized_without_keeping_the_aspect_ratio(tmp_path):
    gradient().save(tmp_path / "photo.png")
    found = image.pixels(str(tmp_path), "photo.png", 4, 10)
    assert (found.shape, found.dtype) == ((4, 10, 3), np.uint8)
    assert np.array_equal(image.pixels(str(tmp_path), "photo.png", 6, 8), np.asarray(gradient()))


def test_shrinking_takes_every_pixel_into_account(tmp_path):
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    Image.fromarray(board).save(tmp_path / "board.png")
    found = image.pixels(str(tmp_path), "board.png", 8, 8)
    assert_near(found[2:-2, 2:-2], 127, 3)


@pytest.mark.parametrize(("size", "wanted"), [((300, 100), (64, 21)), ((100, 300), (21, 64)), ((30, 20), (30, 20))])
def test_thumbnails_keep_the_aspect_ratio(size, wanted, tmp_path):
    plain(size=size).save(tmp_path / "photo.png")
    with Image.open(io.BytesIO(image.jpeg(str(tmp_path), "photo.png", 64))) as thumbnail:
        assert thumbnail.format == "JPEG"
        assert thumbnail.size == wanted
        assert_near(thumbnail.getpixel((1, 1)), COLOUR, 4)


@pytest.mark.parametrize(
    ("root", "n"), [("builtin:flowers", 1500), ("builtin:flowers/7", 7), ("builtin:flowers/99999", 99999)]
)
def test_names_of_the_builtin_data(root, n):
    assert image.builtin_photos(root) == n


@pytest.mark.parametrize(
    "root", ["builtin:flower", "builtin:", "builtin:flowers/0", "builtin:flowers/x", "builtin:flowers/"]
)
def test_wrong_names_of_builtin_data_are_refused(root):
    with pytest.raises(DataError, match=r"[Aa]ccepted"):
        image.builtin_photos(root)


def test_builtin_photos_are_drawn_at_any_size():
    drawn = pytest.importorskip("commongarden.data.drawn")
    path = f"{drawn.CLASSES[drawn.label(3)]}/00003.png"
    assert np.array_equal(image.pixels("builtin:flowers", path, 48, 32), drawn.draw(0, 3, 48, 32))
    assert image.pixels("builtin:flowers", path, 8, 600).shape == (8, 600, 3)
    with Image.open(io.BytesIO(image.jpeg("builtin:flowers", path, 48))) as thumbnail:
        assert thumbnail.size == (48, 48)
    with pytest.raises(DataError, match="found no photo"):
        image.pixels("builtin:flowers/3", path, 8, 8)


def test_threads_keep_the_order_and_tell_how_far_they_are():
    told = []
    found = list(image.in_threads(lambda i: i * i, range(100), lambda done, total: told.append((done, total))))
    assert found == [i * i for i in range(100)]
    assert told == [(i + 1, 100) for i in range(100)]


def test_threads_stop_at_the_first_error():
    begun = []

    def work(i):
        begun.append(i)
        if i == 3:
            raise DataError("three")

    with pytest.raises(DataError, match="three"):
        list(image.in_threads(work, range(10_000)))
    assert len(begun) < 1000


def test_reading_in_threads_leaves_the_filters_of_warnings_as_they_were():
    before = list(warnings.filters)
    data = png(12000, 12000, 1, 0, [])
    stop = threading.Event()

    def read():
        while not stop.is_set():
            with pytest.raises(DataError):
                image.decode(data)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in itertools.repeat(None, 20):
        with pytest.raises(DataError):
            image.decode(data)
    stop.set()
    for thread in threads:
        thread.join()
    assert warnings.filters == before
