"""Data sets that can be fetched: where they lie, the SHA-256 that is known beforehand, and how their archives are laid
out.

The flowers of TensorFlow: address from tensorflow.org/tutorials/load_data/images; size and SHA-256 from
tensorflow_datasets, datasets/tf_flowers/checksums.tsv. Kaggle's "flowers recognition" asks for an account and publishes
no hash, so its zip is fetched by hand and given with --from.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from commongarden.data import download
from commongarden.data.archive import Unpacked, unpack
from commongarden.data.download import OnBytes
from commongarden.errors import DataError, unknown
from commongarden.i18n.language import _


@dataclass(frozen=True)
class Dataset:
    """classes: what its archives call a folder -> the class."""

    url: str
    sha256: str
    classes: dict[str, str]


_FLOWERS = ("daisy", "dandelion", "rose", "sunflower", "tulip")
KNOWN = {
    "flowers": Dataset(
        "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz",
        "4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c",
        {name: name for name in _FLOWERS} | {"roses": "rose", "sunflowers": "sunflower", "tulips": "tulip"},
    ),
}


@dataclass(frozen=True)
class Downloaded:
    """folder: of class folders. sha256: of the archive. checked: whether it was held against one known beforehand."""

    folder: Path
    sha256: str
    checked: bool
    unpacked: Unpacked


def get(
    name: str,
    folder: Path,
    *,
    source: str | None = None,
    sha256: str | None = None,
    on_bytes: OnBytes | None = None,
) -> Downloaded:
    """Fetches the data set `name` and unpacks it into class folders in `folder`.

    source: another address of it (then with its SHA-256), or an archive on this disk. Raises DataError.
    """
    if name not in KNOWN:
        raise DataError(unknown("data set", name, KNOWN))
    known = KNOWN[name]
    wanted = download.check_sha256(sha256) if sha256 is not None else None
    if source is None:
        source, wanted = known.url, wanted or known.sha256
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        message = _("{folder}: already exists; accepted: --out with a new folder")
        raise DataError(message.format(folder=folder))
    if not download.is_url(source):
        return _from_file(Path(source), folder, known, wanted)
    if wanted is None:
        message = _(
            "{url}: found no SHA-256 for this file, accepted: --sha256 with the hash that its "
            "publisher gives, or --from with a file that you have checked"
        )
        raise DataError(message.format(url=source))
    archive = folder.with_name(f"{folder.name}.{Path(urlsplit(source).path).name or 'archive'}")
    if not (archive.is_file() and download.sha256_of(archive) == wanted):
        download.fetch(source, archive, wanted, on_bytes)
    got = Downloaded(folder, wanted, True, unpack(archive, folder, known.classes))
    archive.unlink()
    return got


def _from_file(archive: Path, folder: Path, known: Dataset, wanted: str | None) -> Downloaded:
    found = download.sha256_of(archive)
    if wanted is not None and found != wanted:
        message = _("{file}: found SHA-256 {found}, accepted: {wanted}")
        raise DataError(message.format(file=archive, found=found, wanted=wanted))
    checked = wanted is not None or found == known.sha256
    return Downloaded(folder, found, checked, unpack(archive, folder, known.classes))
