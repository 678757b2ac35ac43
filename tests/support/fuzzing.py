"""What is fuzzed: for each kind of file that people give commongarden, a function of its bytes, seeds to begin with,
and the judge of what may come of them: a result, or an error of our own that names the file.

`scripts/fuzz.py` feeds these from atheris (coverage-guided), tests/repository/test_fuzz.py from hypothesis.
"""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from commongarden import arch, study
from commongarden.arch import listfile, listform
from commongarden.data import archive, downloads, greys, image, listing
from commongarden.data.framing import framed
from commongarden.errors import CommonGardenError
from commongarden.records import Baseline, Predictions, benchmark, signals, timings
from commongarden.stats import raced
from commongarden.store import Store, attribution_maps, packed_baselines, read_run
from files import images

LONGEST_MESSAGE = 3000  # a message that quotes a whole file helps nobody
FOLDER = Path(tempfile.mkdtemp(prefix="commongarden-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
SHAPE = (32, 32, 3)


class Finding(AssertionError):
    """What must not come of any bytes."""


@dataclass(frozen=True)
class Target:
    """feed: takes the bytes. seeds: valid files. words: what mutations should put in. named: what an error names."""

    feed: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    words: tuple[str, ...] = ()
    named: str = ""
    errors: dict[str, int] = field(default_factory=dict)


def judge(target: Target, data: bytes) -> str:
    """What came of the bytes: "accepted", or the class of our error. Raises Finding where the error is none of ours,
    names no place, or quotes too much."""
    try:
        target.feed(data)
    except CommonGardenError as error:
        message = str(error)
        if target.named not in message:
            raise Finding(f"the message does not name {target.named!r}: {message[:500]}") from error
        if not 10 <= len(message) <= LONGEST_MESSAGE:
            raise Finding(f"a message of {len(message)} letters: {message[:500]}") from error
        message.encode("utf-8", "strict")  # else it could not be printed
        return type(error).__name__
    return "accepted"


def in_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    path = FOLDER / name

    def feed(data: bytes) -> object:
        path.write_bytes(data)
        return read(path)

    return feed


def read_study(path: Path) -> None:
    found = study.read(str(path))
    again = study.parse(study.dump(found))
    if again != found:
        raise Finding(f"written and read again it is another study: {found} {again}")


def read_list_form(path: Path) -> None:
    network = listform.network(listfile.read(str(path)), 3, where=path.name)
    if arch.read(arch.write(network)) != network:
        raise Finding("its text form gives another network")
    arch.trace(network, SHAPE)


def read_text_form(data: bytes) -> None:
    network = arch.read(data.decode("utf-8", "surrogateescape"))
    if arch.read(arch.write(network)) != network:
        raise Finding("its text form gives another network")
    arch.trace(network, SHAPE)


def read_image(path: Path) -> None:
    picture = image.read(path)
    if picture.mode != "RGB":
        raise Finding(f"a picture of mode {picture.mode}")
    framed(picture, 8, 8)
    data = path.read_bytes()
    try:  # what is read once is read in every other way too
        image.header(data)
        image.decode(data, at_least=128, range=(0.0, 4095.0))
        span = image.span(data)
    except CommonGardenError as error:
        raise Finding(f"read, and then refused: {error}") from error
    if span is not None:
        greys.together([span], None)


def unpack(path: Path) -> None:
    out = FOLDER / "unpacked"
    shutil.rmtree(out, ignore_errors=True)
    before = set(FOLDER.iterdir())
    try:
        archive.unpack(path, out, downloads.KNOWN["flowers"].classes)
    finally:
        if set(FOLDER.iterdir()) - before - {out}:
            raise Finding("it left something beside its folder")


def study_seeds() -> tuple[bytes, ...]:
    written = """
[study]
name = "x"
data = "photos/"
seeds = [0, 1]
vary = ["init", "split"]
metric = "log_loss"
margin = 0.5
[recipe]
resolution = 16
epochs = 3
lr = 3e-3
augment = ["flip"]
[split]
train = 0.6
val = 0.2
[tuning]
runs = 4
lr = [1e-4, 1e-1]
arms = ["plain"]
[arms.plain]
arch = "plain_flower"
[arms.residual]
arch = "residual_flower"
order = "LBA"
lr = 1e-2
[published]
source = "a report"
[published.plain]
test_accuracy = 0.4
[[contrasts]]
is = ["residual", "plain"]
"""
    factors = """
[study]
folds = 3
[factors]
arch = ["plain_flower", "residual_flower"]
order = ["LAB", "LBA"]
lr = [1e-3, 1e-2]
[factors.base]
batch_size = 4
"""
    other = '[arms.a]\narch = "timm:resnet18"\npretrained = true\n[arms.b]\narch = "inception_flower"\norder = "LA"\n'
    return tuple(text.encode() for text in (written, factors, other))


def list_form_seeds() -> tuple[bytes, ...]:
    module = {
        "macros": {
            "m": ["parallel", ["conv", {"ksize": 1, "chn": "#n"}], ["serial", ["conv", {"ksize": [1, 3], "chn": 4}]]],
        },
        "model": [
            ["conv", {"ksize": 3, "chn": 6, "stride": 2, "actions": "LAB", "padding": "VALID"}],
            ["custom", {"name": "m", "args": {"#n": 6}}],
            ["loop", {"repeat": 2}, ["add", {"x": True, "actions": "A"}, ["conv", {"ksize": 3, "chn": 10}]]],
            ["max", {"stride": 2}],
            ["avg", {"ksize": 2, "stride": 2}],
            ["batch_normal", {"rescale": False}],
            ["dropout", {"keep_prob": 0.7}],
            ["noise", {"std": 0.1}],
            ["full", {"width": 12, "actfunc": "tanh"}],
            5,
        ],
    }
    return json.dumps(module).encode(), b'{"model": ["conv", {"ksize": 3, "chn": 6}]}'


def text_form_seeds() -> tuple[bytes, ...]:
    names = ("plain_flower", "residual_flower", "inception_flower", "bottleneck_flower", "alexnet")
    return tuple(arch.write(arch.network(name, 3)).encode() for name in names)


def image_seeds() -> tuple[bytes, ...]:
    pixels = np.random.default_rng(0).integers(0, 255, (9, 7, 4), dtype=np.uint8)
    found = []
    for mode, kind, options in (
        ("RGB", "JPEG", {"exif": Image.Exif()}), ("L", "PNG", {}), ("RGBA", "PNG", {}), ("RGB", "BMP", {}),
        ("P", "GIF", {"transparency": 3}), ("RGBA", "WEBP", {}), ("RGB", "TIFF", {"compression": "tiff_lzw"}),
        ("CMYK", "JPEG", {}), ("I;16", "PNG", {}), ("F", "TIFF", {}), ("1", "PNG", {}), ("LA", "PNG", {}),
    ):  # fmt: skip
        picture = Image.fromarray(pixels).convert("L" if mode == "I;16" else mode)
        picture = picture.convert("I;16") if mode == "I;16" else picture
        if "exif" in options:
            options["exif"][274] = 6
        file = io.BytesIO()
        picture.save(file, kind, **options)
        found.append(file.getvalue())
    return tuple(found)


def other_image_seeds() -> tuple[bytes, ...]:
    """The kinds that came later, those with more than 8 bits, and files with pages."""
    names = ("HEIC", "AVIF", "JPEG 2000", "PPM", "PPM as text", "PGM of 12 bits", "PBM", "TGA", "APNG", "MPO",
             "PNG of 12 bits in 16", "PNG in colours of 12 bits in 16", "PNG in grey and alpha of 16 bits",
             "TIFF in colours of 16 bits", "TIFF of signed values", "TIFF of fractions", "TIFF with pages",
             "TIFF with a broken next page", "PNG with palette and transparency")  # fmt: skip
    return tuple(images.KINDS[name].make(0) for name in names)


def archive_seeds() -> tuple[bytes, ...]:
    names = ("daisy", "dandelion", "rose", "sunflower", "tulip")
    tar, zipped = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as whole, zipfile.ZipFile(zipped, "w") as other:
        for name in names:
            info = tarfile.TarInfo(f"flowers/{name}/1.jpg")
            info.size = 5
            whole.addfile(info, io.BytesIO(b"12345"))
            other.writestr(f"flowers/{name}/1.jpg", b"12345")
    return tar.getvalue(), zipped.getvalue()


def some_signals(n_epochs: int = 4) -> signals.Signals:
    """Of two layers."""
    layers = (signals.WatchedLayer("stem", "linear", 1), signals.WatchedLayer("head", "rectifier", 2))
    figures = {name: np.ones((n_epochs, 2), np.float32) for name in signals.SIGNALS}
    line = np.ones(n_epochs, np.float32)
    return signals.Signals(layers, np.arange(1, n_epochs + 1), square=line, product=line, **figures)


def some_maps(arm: str, tested: Predictions, seed: int = 0) -> attribution_maps.Attribution:
    """Of the first two test photos of a run."""
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), (90, 30, 60)).save(picture, "JPEG")
    guesses = tested.probabilities.argmax(axis=1)
    evidence = tuple(
        attribution_maps.Evidence(str(path), int(label), int(guess), 0.5, picture.getvalue(), picture.getvalue())
        for path, label, guess in list(zip(tested.photos, tested.labels, guesses, strict=True))[:2]
    )
    points = np.random.default_rng(0).normal(size=(len(guesses), 2)).astype(np.float32)
    return attribution_maps.Attribution(
        "0" * 64, arm, seed, "stem", evidence, picture.getvalue(), 1, (3, 3), 8, (0.5, 0.2), points, tested.labels,
        guesses,
    )  # fmt: skip


BASELINES = packed_baselines(
    np.array(["a.png"]), np.array([0]), {Baseline("colours", 1.0, 0.5, 0.5, 9, 1, True, 0.1): np.ones((1, 3)) / 3}
)


def record_targets() -> dict[str, Target]:
    """One target for each kind of record in a study's folder."""
    from grown import grown

    store = grown(FOLDER / "study", {"plain": (0.5, 0.6), "residual": (0.6, 0.7)})
    (store.root / "baselines").mkdir()
    attribution_maps.write(store, some_maps("plain", store.predictions("plain", 0)))
    run = store.directory("plain", 0)
    (run / "kept.json").write_bytes((run / "run.json").read_bytes())
    race = b'{"schema": 1, "looks": []}'
    audits = b'{"plain": {"schema": 1, "findings": []}}'
    files: dict[str, tuple[Path, Callable[[Store], object], bytes]] = {
        "run.json": (run / "run.json", lambda _: read_run(run), b""),
        "history.csv": (run / "history.csv", lambda found: found.history("plain", 0), b""),
        "predictions.npz": (run / "predictions.npz", lambda found: found.predictions("plain", 0), b""),
        "split.json": (store.root / "split.json", lambda found: found.split(), b""),
        "manifest.csv": (store.root / "manifest.csv", lambda found: found.manifest(), b""),
        "study.toml": (store.root / "study.toml", lambda found: found.study(), b""),
        "audit.json": (store.root / "audit.json", lambda found: found.audits(), audits),
        "thumbnails.npz": (store.root / "thumbnails.npz", lambda found: found.thumbnails(), b""),
        "racing.json": (store.root / "racing.json", raced.read, race),
        "signals.npz": (run / "signals.npz", lambda found: found.signals("plain", 0), signals.to_bytes(some_signals())),
        "seen plain.npz": (store.root / "seen" / "plain.npz", lambda found: attribution_maps.read(found, "plain"), b""),
        "baselines 0.npz": (store.root / "baselines" / "0.npz", lambda found: found.read_baselines("0.npz"), BASELINES),
        "layout.json": (store.root / "layout.json", lambda found: found.understood(), b'{"layout": "folders"}'),
        "inspection.json": (store.root / "inspection.json", lambda found: found.inspection(), b'{"schema": 1}'),
        "command.json": (store.root / "command.json", lambda found: found.command(), b'{"argv": ["run"]}'),
        "checksums.sha256": (run / "checksums.sha256", lambda found: found.run("plain", 0), b""),
        "timing.json": (store.root / "timing.json", lambda found: timings.read(found.root / "timing.json"), b"{}"),
        "bench.json": (store.root / "bench.json", lambda found: benchmark.read(found.root / "bench.json"), b"{}"),
    }
    made = {}
    for name, (path, read, seed) in files.items():
        kept = path.read_bytes() if path.is_file() else seed

        def feed(data: bytes, path: Path = path, read: Callable[[Store], object] = read, kept: bytes = kept) -> None:
            path.write_bytes(data)
            try:
                read(store)
            finally:
                path.write_bytes(kept)

        made[f"record {name}"] = Target(feed, (kept,), named=name.rpartition(" ")[2])
    return made


def targets() -> dict[str, Target]:
    """Every target by name."""
    manifest = (b"path,label,split\na/1.png,a,train\nb/2.png,b,train\n", 'path,label\r\n"a, b.png",한글\n'.encode())
    return {
        "study file": Target(in_file("study.toml", read_study), study_seeds(), named="study.toml"),
        "manifest": Target(in_file("photos.csv", listing.in_table), manifest, named="photos.csv"),
        "list form": Target(in_file("net.json", read_list_form), list_form_seeds(), tuple(listform._TYPES), "net"),
        "text form": Target(read_text_form, text_form_seeds()),
        "image": Target(in_file("photo.jpg", read_image), image_seeds(), named="photo.jpg"),
        "other image": Target(in_file("photo.jpg", read_image), other_image_seeds(), named="photo.jpg"),
        "archive": Target(in_file("photos.tgz", unpack), archive_seeds(), named="photos.tgz"),
        **record_targets(),
    }


TOKENS = (
    b"-1", b"0", b"1e400", b"99999999999999999999", b"null", b"true", b"nan", b"inf", b'"', b"'", b"[", b"]", b"{",
    b"}", b"(", b")", b",", b"=", b'""', b"[]", b"{}", b"()", b"1.5", b"\xff", b"\xc2\x9b", b"\x00", b"\x1b[31m",
    b"\\u001b",
    b"\n", b"\r\n", b"../", b"#", b"=1+1", b"1979-05-27", b"__import__('os')", b"\xef\xbb\xbf", b"\xed\xa0\x80",
)  # fmt: skip


def edited(data: bytes, edits: list[tuple[float, float, int, bytes]]) -> bytes:
    """The bytes after some edits: each a place and another one (as shares of the length), what is done, and a token."""
    made = bytearray(data)
    for here, there, kind, token in edits:
        i, j = sorted((round(here * len(made)), round(there * len(made))))
        if kind == 0:
            made[i:i] = token
        elif kind == 1:
            made[i : i + len(token)] = token
        elif kind == 2:
            del made[i : min(j, i + 40)]
        elif kind == 3:
            made[j:j] = made[i : min(j, i + 80)]
        elif made:
            made[min(i, len(made) - 1)] ^= 1 << (j % 8)
    return bytes(made)
