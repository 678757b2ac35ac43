"""Files of the Hugging Face hub: fetched once into its own cache, checked, or why not. It loads no torch."""

from __future__ import annotations

import hashlib
import inspect
import logging
import os
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from commongarden.errors import CommonGardenError
from commongarden.i18n.language import N_, _

SECONDS_TO_REACH = 3.0
MOST_RESTARTS = 3  # of a download whose connection broke and that could not go on where it was
SILENCE = ("ConnectError", "ConnectionError", "ConnectTimeout", "ReadTimeout", "TimeoutException")  # of httpx, requests
THREADS = 32  # requests at a time
SHA256 = re.compile(r"[0-9a-f]{64}")
WRONG = N_("{file} has SHA-256 {found}..., expected {wanted}...; repeat the command")
COMMIT = re.compile(r"[0-9a-f]{40}")
OnBytes = Callable[[int, int], None]  # bytes that have come, bytes in all, 0 where that is not known
Result = TypeVar("Result")


@dataclass(frozen=True)
class Fetched:
    """file: in the cache. commit: of the repository. digest: SHA-256 of the file, which is the one that was announced,
    if one was."""

    file: Path
    commit: str
    digest: str


@dataclass(frozen=True)
class Found:
    """What the hub says of a file. size: in bytes, None where it does not say. cached: whether the cache holds it."""

    name: str
    size: int | None
    cached: bool


class HubError(CommonGardenError):
    """A file cannot be had; the message is the reason alone."""


def fetch(repository: str, names: Sequence[str], revision: str = "", on_bytes: OnBytes | None = None) -> Fetched:
    """The first of these files that the repository has, from the cache where it is still the current one or nothing
    answers, else from the hub. revision: a branch, tag or commit [main].

    Raises HubError.
    """
    kept = cached(repository, names, revision)
    if kept is not None and COMMIT.fullmatch(revision):  # a commit's files never change
        return _checked(kept, is_new=False)
    try:
        found = _current(repository, names, revision, SECONDS_TO_REACH)
    except Exception as error:
        if kept is None:
            raise HubError(reason(error, repository, names, revision)) from None
        return _checked(kept, is_new=False)
    try:
        with _quiet():
            file = _download(repository, found.name, revision, on_bytes)
    except Exception as error:  # torn, refused, no room: every library raises its own
        raise HubError(reason(error, repository, names, revision)) from None
    return _checked(file, is_new=not found.cached)


def look(repository: str, names: Sequence[str], revision: str, seconds: float) -> Found:
    """What the hub says of the first of these files that the repository has. Raises any error."""
    return _current(repository, names, revision, seconds)


def cached(repository: str, names: Sequence[str], revision: str = "") -> Path | None:
    """The first of these files that the cache holds of the revision; None where it holds none."""
    from huggingface_hub import try_to_load_from_cache

    for name in names:
        with _quiet():
            found = try_to_load_from_cache(repository, name, revision=revision or None)
        if isinstance(found, str):
            return Path(found)
    return None


def within(seconds: float, calls: Sequence[Callable[[], Result]]) -> list[Result | BaseException]:
    """What each call gives or raises, all asked side by side; TimeoutError for those that take longer than all may.
    A thread that waits for a name server cannot be interrupted: it is left behind, and keeps no program from ending.
    """
    found: list[Result | BaseException] = [TimeoutError() for _call in calls]
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(calls)):
        waiting.put(number)

    def work() -> None:
        while True:
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                found[number] = calls[number]()
            except BaseException as error:
                found[number] = error

    threads = [threading.Thread(target=work, daemon=True) for _number in range(min(THREADS, len(calls)))]
    for thread in threads:
        thread.start()
    until = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return list(found)


def _current(repository: str, names: Sequence[str], revision: str, seconds: float) -> Found:
    """As the hub has it now. Raises any error; EntryNotFoundError where it has none of the files."""
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, OfflineModeIsEnabled

    if constants.HF_HUB_OFFLINE:
        raise OfflineModeIsEnabled
    missing: BaseException = EntryNotFoundError(", ".join(names))
    for name in names:
        url = hf_hub_url(repository, name, revision=revision or None, endpoint=_endpoint())
        with _quiet():
            (found,) = within(seconds, [partial(get_hf_file_metadata, url, timeout=seconds)])
        if isinstance(found, EntryNotFoundError):
            missing = found
            continue
        if isinstance(found, BaseException):
            raise found
        if not found.commit_hash or not found.etag:
            raise HubError(_("{host} answers, but not as a Hugging Face hub does").format(host=_host()))
        return Found(name, found.size, cached(repository, [name], found.commit_hash) is not None)
    raise missing


def _download(repository: str, name: str, revision: str, on_bytes: OnBytes | None) -> Path:
    from huggingface_hub import hf_hub_download

    has_bar = "tqdm_class" in inspect.signature(hf_hub_download).parameters  # since 1.2
    options: Any = {"tqdm_class": bar(on_bytes)} if has_bar else {}
    return Path(
        hf_hub_download(
            repository,
            name,
            revision=revision or None,
            endpoint=_endpoint(),
            etag_timeout=SECONDS_TO_REACH,
            **options,
        )
    )


def bar(on_bytes: OnBytes | None) -> Any:
    """A progress bar of the hub's kind that shows nothing itself. It ends a download that begins again and again, which
    the hub's own loop would repeat for ever."""
    from huggingface_hub import utils

    shown: Any = utils.tqdm  # type: ignore[attr-defined]

    class Bar(shown):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            self.n_bytes, self.of, self.restarts = int(options.get("initial") or 0), int(options.get("total") or 0), 0
            super().__init__(*arguments, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            self.n_bytes += int(n or 0)
            self.restarts += (n or 0) < 0
            if self.restarts > MOST_RESTARTS:
                raise OSError(_("the connection broke {n} times").format(n=self.restarts))
            if on_bytes is not None:
                on_bytes(self.n_bytes, self.of)
            return None

        # With these two, the hub's own storage (Xet) takes one bar for what has come and what is on the disk.

        def update_transfer(self, n: float | None = 1) -> None:
            pass

        def set_transfer_postfix_str(self, *arguments: Any, **options: Any) -> None:
            pass

    return Bar


def _checked(file: Path, *, is_new: bool) -> Fetched:
    """The file, where it has the SHA-256 under which the cache keeps it. One that was just fetched and has not is
    deleted. Raises HubError."""
    blob = file.resolve()
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if SHA256.fullmatch(blob.name) and blob.name != digest:
        message = WRONG
        if is_new:
            file.unlink(missing_ok=True)
            blob.unlink(missing_ok=True)
        else:
            message = N_("{file} has SHA-256 {found}..., expected {wanted}...; delete {path} and repeat the command")
        told = {"file": file.name, "found": digest[:12], "wanted": blob.name[:12], "path": blob}
        raise HubError(_(message).format(**told))
    return Fetched(file, _commit_of(file), digest)


def _commit_of(file: Path) -> str:
    """Of the snapshot in which the cache keeps a file."""
    folder = next((each for each in file.parents if each.parent.name == "snapshots"), None)
    return folder.name if folder is not None else ""


def reason(error: BaseException, repository: str, names: Sequence[str], revision: str) -> str:
    """Why a file cannot be had, as the end of a sentence."""
    from huggingface_hub import errors

    if isinstance(error, HubError):
        return str(error)
    page = f"{_endpoint() or _default_endpoint()}/{repository}"
    match error:
        case errors.OfflineModeIsEnabled():
            return _("HF_HUB_OFFLINE is set and the file is not in the cache")
        case errors.GatedRepoError():
            return _(
                "access is restricted: accept the terms at {page}, then log in with hf auth login or set HF_TOKEN"
            ).format(page=page)
        case errors.RevisionNotFoundError():
            return _("{page} has no revision {revision!r}").format(page=page, revision=revision or "main")
        case errors.RepositoryNotFoundError():
            return _(
                "{page} does not exist or is private; for a private repository, log in with hf auth login or set "
                "HF_TOKEN"
            ).format(page=page)
        case errors.LocalEntryNotFoundError() | TimeoutError():
            return _("{host} does not answer").format(host=_host())
        case errors.EntryNotFoundError():
            return _("{page} has none of these files: {names}").format(page=page, names=", ".join(names))
        case errors.HFValidationError():
            text = _("{repository!r} is not a repository name, such as timm/resnet50.a1_in1k")
            return text.format(repository=repository)
    if type(error).__name__ in SILENCE:
        return _("{host} does not answer").format(host=_host())
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _endpoint() -> str | None:
    """Of a hub that is not the public one. The library reads the variable once, when it is imported."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or None


def _default_endpoint() -> str:
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def _host() -> str:
    return (_endpoint() or _default_endpoint()).partition("://")[2]


@contextmanager
def _quiet() -> Iterator[None]:
    """The library's own lines are not shown: what remains in the end is the error."""
    from huggingface_hub.utils import logging as hub_logging

    before = hub_logging.get_verbosity()
    hub_logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        hub_logging.set_verbosity(before)
