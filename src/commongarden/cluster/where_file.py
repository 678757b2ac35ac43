"""Where a study runs, from the file of `run --where`: a cluster is no part of a study, so it has a file of its own.

[ray]
address = "10.0.0.1:6379"     the head [RAY_ADDRESS, or the cluster of this machine]
token_path = "~/.ray/auth_token"
cpus_per_run = 1
gpus_per_worker = 0

[files]
shared = "auto"               true, false, or auto: files are sent to the machines that lack them
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from commongarden.errors import StudyError, check_known
from commongarden.i18n.language import _
from commongarden.io.fields import convert
from commongarden.study.toml_errors import sentence

SHARED = {"auto": None, "true": True, "false": False, True: True, False: False}


@dataclass(frozen=True)
class RaySettings:
    """The section [ray]. cpus_per_run: that Ray reserves for each run; gpus_per_worker: whole GPUs of each worker,
    which holds several runs; 0 to train on processors."""

    address: str = ""
    token_path: str = ""
    cpus_per_run: float = 1.0
    gpus_per_worker: int = 0


@dataclass(frozen=True)
class Where:
    """shared: whether all machines see the same disk; None to find out, file by file."""

    ray: RaySettings = field(default_factory=RaySettings)
    shared: bool | None = None


def read(path: Path | None) -> Where:
    """The file's contents; the defaults without a file. Raises StudyError."""
    if path is None:
        return Where()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(_("{path}: cannot be read: {reason}").format(path=path, reason=error)) from None
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise StudyError(f"{path}: {sentence(error, text)}") from None
    return _where(found, str(path))


def _where(found: Mapping[str, Any], path: str) -> Where:
    check_known("section", found, ("ray", "files"), StudyError, where=path)
    for name, section in found.items():
        if not isinstance(section, Mapping):
            text = _("{path}: {name}: found {found!r}, accepted: a section [{name}]")
            raise StudyError(text.format(path=path, name=name, found=section))
    ray = convert(RaySettings, found.get("ray", {}), where=f"{path}: ray")
    files = found.get("files", {})
    check_known("key", files, ("shared",), StudyError, where=f"{path}: files")
    shared = files.get("shared", "auto")
    if not isinstance(shared, str | bool) or shared not in SHARED:
        text = _('{path}: files.shared: found {found!r}, accepted: true, false, "auto"')
        raise StudyError(text.format(path=path, found=shared))
    for key, least in (("cpus_per_run", 0.0), ("gpus_per_worker", 0)):
        if getattr(ray, key) < least:
            text = _("{path}: ray.{key}: found {found:g}, accepted: {least} or more")
            raise StudyError(text.format(path=path, key=key, found=getattr(ray, key), least=least))
    return Where(ray, SHARED[shared])
