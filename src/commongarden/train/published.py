"""Published weights: where a library keeps those of a model, what fetching them would take, and fetching them.

`downloads` works without a study:

    >>> from commongarden.study import Arm
    >>> downloads([Arm("timm:test_resnet")])  # it asks for no weights
    ()
"""

from __future__ import annotations

import urllib.request
from collections.abc import Iterable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from commongarden.errors import ArchError
from commongarden.i18n.language import _
from commongarden.study import copies, origin
from commongarden.study.arm import Arm
from commongarden.study.weight_files import PREFERRED
from commongarden.train import by_url, hub, libraries
from commongarden.train.hub import Fetched, HubError, OnBytes


@dataclass(frozen=True)
class Download:
    """The published weights of an arm.

    arch: as the arm names it. where: the file, in a repository of the hub or by its URL. bytes: its size, None where
    nobody says. cached: whether it is on this machine already. reachable: whether it can be fetched now.
    """

    arch: str
    where: str
    bytes: int | None
    cached: bool
    reachable: bool


@dataclass(frozen=True)
class Source:
    """repository, names: on the hub, of which the first file that it has is taken; or else url."""

    repository: str = ""
    names: tuple[str, ...] = ()
    url: str = ""

    @property
    def where(self) -> str:
        """As messages name it."""
        return f"{self.repository}/{self.names[0]}" if self.repository else self.url


def downloads(
    arms: Iterable[Arm], seconds: float = hub.SECONDS_TO_REACH, *, skip_unknown: bool = False
) -> tuple[Download, ...]:
    """What the published weights of these arms would take to fetch: one entry for each architecture that asks for
    some. Nothing is fetched. It loads the libraries, and then takes this many seconds at most, whatever the number of
    arms; a server that has not answered by then is not reachable.

    Raises ArchError for a model or tag that its library does not have, or that has no published weights; skip_unknown:
    leaves it out instead.
    """
    wanted = {arm.arch: arm for arm in arms if arm.wants_published}
    sources: dict[str, Source] = {}
    for arch, arm in wanted.items():
        with suppress(ArchError) if skip_unknown else nullcontext():
            sources[arch] = _source(arm)
    asked = [partial(_download, arch, source, _revision(wanted[arch]), seconds) for arch, source in sources.items()]
    answers = hub.within(seconds, asked)
    return tuple(
        answer
        if isinstance(answer, Download)
        else Download(arch, source.where, None, _kept(source, _revision(wanted[arch])) is not None, False)
        for (arch, source), answer in zip(sources.items(), answers, strict=True)
    )


def _download(arch: str, source: Source, revision: str, seconds: float) -> Download:
    """Raises any error where nothing answers."""
    if source.repository:
        kept = _kept(source, revision)
        if kept is not None and hub.COMMIT.fullmatch(revision):
            return Download(arch, source.where, kept.stat().st_size, True, True)
        found = hub.look(source.repository, source.names, revision, seconds)
        return Download(arch, f"{source.repository}/{found.name}", found.size, found.cached, True)
    kept = _kept(source, "")
    if kept is not None:
        return Download(arch, source.url, kept.stat().st_size, True, True)
    with urllib.request.urlopen(urllib.request.Request(source.url, method="HEAD"), timeout=seconds) as answer:
        size = answer.headers.get("Content-Length")
    return Download(arch, source.url, int(size) if size else None, False, True)


def fetch(arm: Arm, on_bytes: OnBytes | None = None) -> Fetched:
    """The arm's published weights as a file of this machine, fetched where they are not there yet. Raises ArchError."""
    if (copy := copies.find(arm.arch)) is not None:
        return Fetched(copy, _revision(arm), origin.file_hash(copy))
    source = _source(arm)
    try:
        if source.repository:
            return hub.fetch(source.repository, source.names, _revision(arm), on_bytes)
        return by_url.fetch(source.url, on_bytes)
    except HubError as error:
        message = _(
            "{source}: the pretrained weights {wanted} cannot be downloaded ({reason}); accepted: random weights (run "
            "--preset scratch, screen --untrained, in a study file pretrained = false), or a copy of the weights: "
            'weights = "FILE.safetensors" (or .pth, .pt)'
        )
        raise ArchError(message.format(source=arm.arch, wanted=source.where, reason=error)) from None


def _revision(arm: Arm) -> str:
    """The commit at which a study has found the weights, or the one that the name asks for; "" for the newest."""
    kept = arm.origin.revision if arm.origin is not None else ""
    return kept or (origin.repository(arm.arch)[1] if origin.is_of_hub(arm.arch) else "")


def _source(arm: Arm) -> Source:
    """Where the published weights of an arm are. Raises ArchError where there are none."""
    place, name = origin.parts(arm.arch)
    if place == origin.HUB:
        return Source(origin.repository(arm.arch)[0], PREFERRED)
    libraries.check(arm.arch)
    if place == "torchvision":
        weights = libraries.torchvision_weights(name)
        found = Source(url=weights.url) if weights is not None else Source()
    else:
        settings = libraries.timm_config(name)
        names = tuple(filter(None, (settings.get("hf_hub_filename"),)))
        safe = tuple(str(Path(each).with_suffix(".safetensors")) for each in names)
        safe = tuple(each.replace("open_clip_pytorch_model", "open_clip_model") for each in safe)
        found = Source(settings.get("hf_hub_id") or "", (*safe, *names) or PREFERRED, settings.get("url") or "")
    if not found.repository and not found.url:
        message = _('{source}: {place} has no pretrained weights for it; accepted: weights = "FILE.safetensors"')
        raise ArchError(message.format(source=arm.arch, place=place))
    return found


def _kept(source: Source, revision: str) -> Path | None:
    """The file of this machine, if it is there."""
    if source.repository:
        return hub.cached(source.repository, source.names, revision)
    file = by_url.place(source.url)
    return file if file.is_file() else None
