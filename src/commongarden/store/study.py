"""What a study has once for all its runs, written."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np

from commongarden import study as study_file
from commongarden.errors import StoreError
from commongarden.i18n.language import _
from commongarden.io import csv_cells, disk, npz
from commongarden.records import Baseline, Manifest, Photo, Split
from commongarden.records.findings import Audit
from commongarden.store import checksums
from commongarden.store.checksums import keep
from commongarden.store.files import changing
from commongarden.store.folder import Store, baselines_key
from commongarden.store.kinds import SplitFile
from commongarden.store.parsing import PHOTO_OPTIONAL as OPTIONAL
from commongarden.study import Study


def write_study(root: Path, study: Study) -> Store:
    """Puts the effective study in `root`, which is made where it is missing."""
    keep(root, "study.toml", study_file.dump(study).encode())
    return Store(root)


def write_split(store: Store, manifest: Manifest, split: Split) -> None:
    """Writes manifest.csv and split.json."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [field.name for field in dataclasses.fields(Photo)]
    for name in OPTIONAL:
        if not any(getattr(photo, name) for photo in manifest.photos):
            names.remove(name)
    writer.writerow(names)
    writer.writerows([csv_cells.safe(getattr(photo, name)) for name in names] for photo in manifest.photos)
    keep(store.root, "manifest.csv", text.getvalue().encode())
    file = SplitFile(manifest.root, manifest.left_out, split)
    keep(store.root, "split.json", msgspec.json.format(msgspec.json.encode(file), indent=1))


def write_own_split(store: Store, seed: int, split: Split) -> None:
    """Keeps the split of the runs with this seed. One that is there is never replaced."""
    path = store.split_file(seed)
    if path.is_file():
        raise StoreError(_("{path}: the split already exists and is not overwritten").format(path=path))
    keep(store.root, f"splits/{path.name}", msgspec.json.format(msgspec.json.encode(split), indent=1))


def forget_splits(store: Store) -> None:
    """Removes the splits of run seeds. For a folder that holds no study yet. Raises StoreError."""
    for path in sorted((store.root / "splits").glob("*.json")):
        with changing(path):
            disk.remove(path)
    known = checksums.listed(store.root)
    if known is not None:
        kept = {name: digests for name, digests in known.items() if not name.startswith("splits/")}
        checksums.write(store.root, kept)


def write_audit(store: Store, arm: str, audit: Audit) -> None:
    """Keeps an arm's audit beside those of the others. For the process that holds the study."""
    audits = {**store.audits(), arm: audit}
    keep(store.root, "audit.json", msgspec.json.format(msgspec.json.encode(audits), indent=1))


def packed_baselines(photos: np.ndarray, labels: np.ndarray, found: Mapping[Baseline, np.ndarray]) -> bytes:
    """What simple methods reached, with the probabilities that each gave to the classes of the test photos, as it is
    kept."""
    about = np.frombuffer(msgspec.json.encode(list(found)), np.uint8)
    arrays = {f"probabilities_{item.kind}": probabilities for item, probabilities in found.items()}
    return npz.packed(photos=photos, labels=labels, baselines=about, **arrays)


def write_baselines(store: Store, data: str, split: str, packed: bytes) -> None:
    """Keeps the baselines of photos and a split of these hashes."""
    keep(store.root, f"baselines/{baselines_key(data, split)}.npz", packed)


def write_thumbnails(store: Store, jpegs: Mapping[str, bytes]) -> None:
    """Keeps the pictures that the report shows, so that the study can be moved without its photos."""
    arrays = {f"jpeg_{i}": np.frombuffer(jpeg, np.uint8) for i, jpeg in enumerate(jpegs.values())}
    keep(store.root, "thumbnails.npz", npz.packed(photos=np.array(list(jpegs), dtype=np.str_), **arrays))
