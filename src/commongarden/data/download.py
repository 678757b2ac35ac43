"""One file from the web: gone on where it stopped, and used only if it has the SHA-256 known beforehand.

pooch and torch.hub check hashes but begin anew after every break; for 200 MB on a school's line that is what matters.
"""

from __future__ import annotations

import hashlib
import http.client
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from commongarden.errors import DataError
from commongarden.i18n.language import _

MOST_BYTES = 4 * 2**30
BLOCK = 2**18
TRIES = 5  # in a row that bring nothing new
SECONDS = 30  # without an answer
PAUSE = 1.0  # seconds before trying again, longer each time
OnBytes = Callable[[int, int | None], None]  # how many are there, how many in all where that is known


def sha256_of(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal. Raises DataError."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DataError(_("{file}: cannot be read: {reason}").format(file=file, reason=error.strerror)) from None


def is_url(source: str) -> bool:
    """Whether a source is on the web, and not a file."""
    return "://" in source


def check_sha256(text: str) -> str:
    """The hash in small letters. Raises DataError where it is none."""
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        message = _("--sha256: found {text!r}, accepted: 64 hexadecimal digits, as sha256sum prints them")
        raise DataError(message.format(text=text))
    return text.lower()


def fetch(url: str, file: Path, sha256: str, on_bytes: OnBytes | None = None) -> None:
    """Puts what `url` holds into `file`, where it appears only whole and with this SHA-256.

    What has come is kept beside it (.part) when the connection breaks, and the next call goes on from there. Raises
    DataError for an address that is not http or https, for a server that does not give it, and for another file; that
    is removed.
    """
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise DataError(_("{url}: accepted: an address that begins with https:// or http://").format(url=url))
    part = file.with_name(f"{file.name}.part")
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    except OSError as error:
        raise DataError(_("{file}: cannot be written: {reason}").format(file=part, reason=error.strerror)) from None
    failures = 0
    while problem := _continue(url, part, on_bytes, before := part.stat().st_size):
        failures = 1 if part.stat().st_size > before else failures + 1
        if failures == TRIES:
            message = _("{url}: {reason}; {n:,} bytes are kept in {part}. Repeat the command to resume")
            raise DataError(message.format(url=url, reason=problem, n=part.stat().st_size, part=part))
        time.sleep(PAUSE * failures)
    found = sha256_of(part)
    if found != sha256:
        part.unlink()
        message = _(
            "{url}: found SHA-256 {found}, accepted: {sha256}. The download was deleted; the file on "
            "the server is a different one, or the transfer was corrupted"
        )
        raise DataError(message.format(url=url, found=found, sha256=sha256))
    part.replace(file)


def _continue(url: str, part: Path, on_bytes: OnBytes | None, start: int) -> str:
    """Fetches what is missing behind the first `start` bytes; what went wrong, "" where nothing did."""
    request = urllib.request.Request(url, headers={"User-Agent": "commongarden", "Accept-Encoding": "identity"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        with _opener().open(request, timeout=SECONDS) as answer:
            goes_on = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")
            n = start if goes_on else 0
            length = answer.headers.get("Content-Length", "")
            total = n + int(length) if length.isdecimal() else None
            with part.open("ab" if goes_on else "wb") as file:
                while block := answer.read(BLOCK):
                    n += len(block)
                    if n > MOST_BYTES:
                        message = _("{url}: larger than {most:,} bytes; accepted: up to {most:,} bytes")
                        raise DataError(message.format(url=url, most=MOST_BYTES))
                    file.write(block)
                    if on_bytes is not None:
                        on_bytes(n, total)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing lies behind: the hash says whether it is whole
            return ""
        if error.code < 500:
            message = _("{url}: the server responded with {code} ({reason})")
            raise DataError(message.format(url=url, code=error.code, reason=error.reason)) from None
        return _("the server responded with {code} ({reason})").format(code=error.code, reason=error.reason)
    except (OSError, http.client.HTTPException, ValueError) as error:  # URLError and timeouts are OSErrors
        return str(getattr(error, "reason", "") or getattr(error, "strerror", "") or error) or type(error).__name__
    return _("the connection ended early") if total is not None and n < total else ""


def _opener() -> urllib.request.OpenerDirector:
    """For http and https only: the usual one would follow file: and ftp: as well."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler, urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor, urllib.request.UnknownHandler,
    ):  # fmt: skip
        opener.add_handler(handler())
    return opener
