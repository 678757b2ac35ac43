"""`commongarden data get`: downloads that break, archives that attack, and the two layouts that people have."""

import functools
import gzip
import hashlib
import http.server
import io
import json
import tarfile
import threading
import zipfile

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from commongarden.cli import main
from commongarden.data import archive, download, downloads
from commongarden.errors import DataError
from commongarden.io import terminal

TENSORFLOW = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
FLOWERS = ("daisy", "dandelion", "rose", "sunflower", "tulip")


def photo(number=0):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (number % 256, 40, 90)).save(file, "JPEG")
    return file.getvalue()


def tar_of(entries):
    """entries: name -> bytes, or a TarInfo -> bytes."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, data in entries.items():
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            if info.isreg():
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def zip_of(entries):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as whole:
        for name, data in entries.items():
            whole.writestr(name, data)
    return file.getvalue()


def flower_photos(classes=TENSORFLOW, above="flower_photos/"):
    return {f"{above}{name}/{i}.jpg": photo(20 * i + n) for n, name in enumerate(classes) for i in range(3)}


class Server(http.server.BaseHTTPRequestHandler):
    """Serves `content`; `breaks` are the numbers of bytes after which answers are cut off, one an answer."""

    content, breaks, ranges, seen, status = b"", [], True, [], 200

    def do_GET(self):
        asked = self.headers.get("Range")
        type(self).seen.append(asked)
        if self.status != 200:
            self.send_error(self.status)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.ranges else 0
        if start >= len(self.content) and start:
            self.send_error(416)
            return
        body = self.content[start:]
        self.send_response(206 if asked and self.ranges else 200)
        if asked and self.ranges:
            self.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.breaks.pop(0)] if self.breaks else body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    handler = type("Handler", (Server,), {"breaks": [], "seen": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        threading.Thread(target=functools.partial(serving.serve_forever, 0.01), daemon=True).start()
        handler.url = f"http://127.0.0.1:{serving.server_port}/example_images/flower_photos.tgz"
        yield handler
        serving.shutdown()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def get(*arguments):
    return CliRunner().invoke(main, ["data", "get", *map(str, arguments)])


def test_the_flowers_of_tensorflow_come_in_pieces(server, tmp_path, monkeypatch):
    server.content = tar_of({**flower_photos(), "flower_photos/LICENSE.txt": b"CC-BY"})
    server.breaks = [100, 250]
    monkeypatch.setitem(
        downloads.KNOWN,
        "flowers",
        downloads.Dataset(server.url, sha256(server.content), downloads.KNOWN["flowers"].classes),
    )
    result = get("flowers", "--out", tmp_path / "flowers", "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout) == {
        "folder": str(tmp_path / "flowers"),
        "sha256": sha256(server.content),
        "sha256_checked": True,
        "classes": dict.fromkeys(FLOWERS, 3),
        "repeated": 0,
        "passed_over": 1,
    }
    assert server.seen == [None, "bytes=100-", "bytes=350-"]
    assert (tmp_path / "flowers" / "rose" / "1.jpg").read_bytes() == photo(22)
    assert [path.name for path in tmp_path.iterdir()] == ["flowers"]
    assert "15 photos in 5 classes" in CliRunner().invoke(main, ["data", "check", str(tmp_path / "flowers")]).stdout
    assert "already exists" in get("flowers", "--out", tmp_path / "flowers").stderr


def test_what_has_come_is_kept_for_the_next_time(server, tmp_path):
    server.content = tar_of(flower_photos())
    server.breaks = [100, *[0] * (download.TRIES - 1)]
    asked = ("flowers", "--from", server.url, "--sha256", sha256(server.content), "--out", tmp_path / "f")
    result = get(*asked)
    assert result.exit_code == 2
    assert "the connection ended early; 100 bytes are kept in" in result.stderr
    assert get(*asked).exit_code == 0
    assert server.seen[-1] == "bytes=100-"


def test_a_server_without_ranges_begins_anew(server, tmp_path):
    server.content, server.ranges, server.breaks = tar_of(flower_photos()), False, [100]
    assert (
        get("flowers", "--from", server.url, "--sha256", sha256(server.content), "--out", tmp_path / "f").exit_code == 0
    )


def test_another_file_is_refused_and_removed(server, tmp_path):
    server.content = tar_of(flower_photos())
    wanted = sha256(b"another")
    result = get("flowers", "--from", server.url, "--sha256", wanted, "--out", tmp_path / "f")
    assert result.exit_code == 2
    assert f"found SHA-256 {sha256(server.content)}, accepted: {wanted}" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "status", "message"),
    [
        ("file:///etc/passwd", 200, "an address that begins with https://"),
        ("ftp://example.org/a.zip", 200, "an address that begins with https://"),
        ("", 404, "the server responded with 404"),
        ("", 503, "the server responded with 503"),
        ("http://127.0.0.1:1/a.zip", 200, "refused"),
    ],
)
def test_addresses_that_give_nothing(server, tmp_path, url, status, message):
    server.status = status
    result = get("flowers", "--from", url or server.url, "--sha256", "0" * 64, "--out", tmp_path / "f")
    assert result.exit_code == 2
    assert message in result.stderr


def test_an_unknown_file_of_the_web_needs_its_hash(tmp_path):
    result = get("flowers", "--from", "https://example.org/flowers.zip", "--out", tmp_path / "f")
    assert "accepted: --sha256" in result.stderr
    assert "64 hexadecimal digits" in get("flowers", "--sha256", "abc", "--out", tmp_path / "f").stderr


def test_a_redirect_to_a_file_is_not_followed(server, tmp_path, monkeypatch):
    def redirect(self):
        self.send_response(302)
        self.send_header("Location", "file:///etc/passwd")
        self.end_headers()

    monkeypatch.setattr(server, "do_GET", redirect)
    assert get("flowers", "--from", server.url, "--sha256", "0" * 64, "--out", tmp_path / "f").exit_code == 2


@pytest.mark.parametrize("above", ["", "flowers/", "archive/flowers/flowers/"])
def test_the_zip_of_kaggle_is_understood(tmp_path, above):
    entries = flower_photos(FLOWERS, above)
    packed = zip_of({**entries, f"{above}daisy/notes.txt": b"", f"__MACOSX/{above}daisy/._0.jpg": b"x"})
    (tmp_path / "archive.zip").write_bytes(packed)
    result = get("flowers", "--from", tmp_path / "archive.zip", "--out", tmp_path / "f")
    assert result.exit_code == 0, result.stderr
    assert f"SHA-256, not verified (no reference hash): {sha256(packed)}" in result.stderr
    assert {path.name: len(list(path.iterdir())) for path in (tmp_path / "f").iterdir()} == dict.fromkeys(FLOWERS, 3)
    checked = get("flowers", "--from", tmp_path / "archive.zip", "--sha256", sha256(packed), "--out", tmp_path / "g")
    assert "SHA-256 verified" in checked.stderr
    wrong = get("flowers", "--from", tmp_path / "archive.zip", "--sha256", "0" * 64, "--out", tmp_path / "h")
    assert (wrong.exit_code, (tmp_path / "h").exists()) == (2, False)


def test_photos_that_stand_twice_are_taken_once(tmp_path):
    """As in a version of Kaggle's zip that holds the folder within itself."""
    both = flower_photos(FLOWERS, "flowers/") | flower_photos(FLOWERS, "flowers/flowers/")
    (tmp_path / "a.zip").write_bytes(zip_of(both))
    assert archive.unpack(tmp_path / "a.zip", tmp_path / "f", downloads.KNOWN["flowers"].classes).repeated == 15
    (tmp_path / "b.zip").write_bytes(zip_of(both | {"flowers/flowers/daisy/0.jpg": b"another"}))
    with pytest.raises(DataError, match="found two different files"):
        archive.unpack(tmp_path / "b.zip", tmp_path / "g", downloads.KNOWN["flowers"].classes)


def link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


HOSTILE = {
    "up": lambda: tar_of(flower_photos() | {"../../daisy/x.jpg": photo()}),
    "up inside": lambda: tar_of(flower_photos() | {"a/../../../daisy/x.jpg": photo()}),
    "absolute": lambda: tar_of(flower_photos() | {"/tmp/daisy/x.jpg": photo()}),
    "link": lambda: tar_of(flower_photos() | {link("flower_photos/daisy/x.jpg", "/etc/passwd"): b""}),
    "hard link": lambda: tar_of(flower_photos() | {link("daisy/x.jpg", "../../x", tarfile.LNKTYPE): b""}),
    "device": lambda: tar_of(flower_photos() | {link("daisy/x.jpg", "", tarfile.CHRTYPE): b""}),
    "linked folder": lambda: tar_of({link("flower_photos", "/tmp"): b""} | flower_photos()),
    "zip up": lambda: zip_of(flower_photos() | {"../daisy/x.jpg": photo()}),
    "zip absolute": lambda: zip_of(flower_photos() | {"/daisy/x.jpg": photo()}),
    "zip of windows": lambda: zip_of(flower_photos() | {"..\\..\\daisy\\x.jpg": photo()}),
    "zip drive": lambda: zip_of(flower_photos() | {"C:/daisy/x.jpg": photo()}),
    "escape sequence": lambda: tar_of(flower_photos() | {"daisy/\x1b]0;owned\x07.jpg": photo()}),
    "another class": lambda: tar_of(flower_photos() | {"flower_photos/cats/x.jpg": photo()}),
    "no class": lambda: tar_of(flower_photos() | {"x.jpg": photo()}),
    "a class less": lambda: tar_of(flower_photos(TENSORFLOW[:4])),
    "nothing": lambda: tar_of({}),
    "no archive": lambda: b"<html>not found</html>",
    "cut": lambda: tar_of(flower_photos())[:-300],
    "cut zip": lambda: zip_of(flower_photos())[:-300],
    "empty": lambda: b"",
    "a gzip of nothing": lambda: gzip.compress(b""),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_archives_leave_nothing(tmp_path, kind):
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    (inside / "x.tgz").write_bytes(HOSTILE[kind]())
    with pytest.raises(DataError, match="accepted"):
        archive.unpack(inside / "x.tgz", inside / "out", downloads.KNOWN["flowers"].classes)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "x.tgz"]


def test_a_zip_with_a_link_is_refused(tmp_path):
    info = zipfile.ZipInfo("daisy/x.jpg")
    info.external_attr = 0o120777 << 16
    (tmp_path / "x.zip").write_bytes(zip_of({info: b"/etc/passwd"}))
    with pytest.raises(DataError, match="link"):
        archive.unpack(tmp_path / "x.zip", tmp_path / "out", downloads.KNOWN["flowers"].classes)


def bomb_of_zeros():
    return tar_of({"daisy/x.jpg": bytes(archive.MOST_BYTES_EACH + 1)})


@pytest.mark.parametrize(
    ("most", "value", "packed"),
    [
        ("MOST_BYTES_EACH", 1000, lambda: tar_of({"daisy/x.jpg": bytes(1001)})),
        ("MOST_BYTES", 1000, lambda: zip_of(flower_photos())),
        ("MOST_BYTES", 20_000, lambda: tar_of({"notes.txt": bytes(50_000)} | flower_photos())),
        ("MOST_FILES", 5, lambda: tar_of(flower_photos())),
        ("MOST_AT_ONCE", 2**16, lambda: tar_of({"daisy/" + "x" * 2**17 + ".jpg": photo()})),
    ],
)
def test_bombs_are_bounded(tmp_path, monkeypatch, most, value, packed):
    monkeypatch.setattr(archive, most, value)
    (tmp_path / "x").write_bytes(packed())
    with pytest.raises(DataError, match=r"more than|larger than|longer than"):
        archive.unpack(tmp_path / "x", tmp_path / "out", downloads.KNOWN["flowers"].classes)


def test_a_size_that_lies_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_BYTES_EACH", 1000)
    packed = bytearray(zip_of({"daisy/x.jpg": bytes(5000)}))
    place = packed.rfind(b"PK\x01\x02") + 24
    packed[place : place + 4] = (10).to_bytes(4, "little")  # the directory says 10 bytes
    (tmp_path / "x.zip").write_bytes(packed)
    with pytest.raises(DataError):
        archive.unpack(tmp_path / "x.zip", tmp_path / "out", downloads.KNOWN["flowers"].classes)


@given(st.text(max_size=40))
def test_no_name_gets_out(name):
    """A name that is taken is below the folder on every system."""
    try:
        path = archive.safe_path("x.tgz", name)
    except DataError:
        return
    assert not path.is_absolute()
    assert ".." not in path.parts
    assert "\\" not in str(path)
    assert terminal.harmless(str(path)) == str(path)


def test_the_hash_of_the_flowers_is_that_of_tensorflow_datasets():
    assert downloads.KNOWN["flowers"].sha256 == "4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c"
