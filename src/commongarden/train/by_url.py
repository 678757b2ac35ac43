"""Weights by their URL: fetched into torch's own cache, whole and checked, or why not."""

from __future__ import annotations

import hashlib
import secrets
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path
from urllib.parse import urlparse

from commongarden.i18n.language import _
from commongarden.study import origin
from commongarden.train import hub
from commongarden.train.hub import Fetched, HubError, OnBytes

SECONDS_TO_ANSWER = 20  # while a file comes
CHUNK = 1 << 20


def place(url: str) -> Path:
    """Where torch keeps a file that it has fetched."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name


def fetch(url: str, on_bytes: OnBytes | None) -> Fetched:
    """A file by its URL, in torch's own cache, whole and with the SHA-256 whose start its name holds, if it holds one.

    Raises HubError.
    """
    file = place(url)
    if not file.is_file():
        try:
            (reached,) = hub.within(hub.SECONDS_TO_REACH, [partial(_check_reachable, url)])
            if isinstance(reached, BaseException):
                raise reached
            file.parent.mkdir(parents=True, exist_ok=True)
            _stream(url, file, on_bytes)
        except OSError as error:  # also of urllib
            kind, text = type(error).__name__, str(error).partition("\n")[0]
            host = urlparse(url).netloc
            message = _("{host} does not answer").format(host=host) if _is_silent(error) else f"{kind}: {text}"
            raise HubError(message) from None
    return Fetched(file, "", origin.file_hash(file))


def _is_silent(error: OSError) -> bool:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return isinstance(cause, TimeoutError | ConnectionError) or (
        isinstance(error, urllib.error.URLError) and not isinstance(error, urllib.error.HTTPError)
    )


def _check_reachable(url: str) -> None:
    """Raises OSError where nothing answers there within some seconds."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=hub.SECONDS_TO_REACH):
            pass
    except urllib.error.HTTPError:  # an answer, of which the download will make more
        pass


def _stream(url: str, file: Path, on_bytes: OnBytes | None) -> None:
    """Puts the file in its place once it is whole. Raises OSError, HubError."""
    digest, n_bytes = hashlib.sha256(), 0
    partly = file.with_name(f"{file.name}.{secrets.token_hex(4)}.partial")
    try:
        with partly.open("xb") as out, urllib.request.urlopen(url, timeout=SECONDS_TO_ANSWER) as answer:
            of = int(answer.headers.get("Content-Length") or 0)
            while chunk := answer.read(CHUNK):
                out.write(chunk)
                digest.update(chunk)
                n_bytes += len(chunk)
                if on_bytes is not None:
                    on_bytes(n_bytes, of)
        if of and n_bytes != of:
            message = _("the connection broke after {n:,} of {of:,} bytes")
            raise HubError(message.format(n=n_bytes, of=of))
        wanted = _prefix_in(file.name)
        if wanted and not digest.hexdigest().startswith(wanted):
            told = {"file": file.name, "found": digest.hexdigest()[: len(wanted)], "wanted": wanted}
            raise HubError(_(hub.WRONG).format(**told))
        partly.replace(file)
    finally:
        partly.unlink(missing_ok=True)


def _prefix_in(name: str) -> str | None:
    """The start of the file's SHA-256 that torchvision puts into its name: "resnet50-11ad3fa6.pth"."""
    found = name.rpartition(".")[0].rpartition("-")[2]
    return found if len(found) >= 8 and not set(found) - set("0123456789abcdef") else None
