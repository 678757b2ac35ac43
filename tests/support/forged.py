"""Stored files changed so that nobody finds out: what another version would have written, with its checksum."""

from __future__ import annotations

from pathlib import Path

from commongarden.store import checksums


def forged(path: Path, content: bytes | str) -> None:
    """Puts the content into a stored file and its SHA-256 into the list that has the file's."""
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(data)
    for folder in path.parents:
        known = checksums.listed(folder)
        name = path.relative_to(folder).as_posix()
        if known is not None and name in known:
            checksums.write(folder, {**known, name: (checksums.digest(data),)})
            return
