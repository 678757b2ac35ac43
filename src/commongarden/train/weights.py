"""Given weights to start from: found or fetched, read without running anything, and put where they belong."""

from __future__ import annotations

import logging
import pickle
import socket
import struct
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from commongarden.errors import ArchError
from commongarden.i18n.language import _
from commongarden.study import origin
from commongarden.study.arm import Arm
from commongarden.train.external import OWN_PREFIX, ExternalNetwork
from commongarden.train.head import last_layer
from commongarden.train.loading import library

SECONDS_TO_ANSWER = 20
SECONDS_TO_REACH = 3
WRAPPERS = ("state_dict", "model_state_dict", "model", "state")  # under which training scripts store weights
SHOWN = 5


def load(network: ExternalNetwork, arm: Arm, expected: str = "") -> str:
    """Puts the weights that the arm asks for into the network; the last layer keeps its drawn ones where theirs is for
    other classes. Returns the SHA-256 of their file.

    expected: the SHA-256 that the file had when the study was declared. Raises ArchError for a file that is not there,
    has changed, cannot be read, or is of another network (naming the tensors).
    """
    file = Path(arm.options["weights"]) if arm.options["weights"] else _published(network.inner, arm.arch)
    digest = origin.weights_hash(arm.arch, str(file)) if arm.options["weights"] else origin.file_hash(file)
    if expected and digest != expected:
        message = _(
            "{arch}: {file} has changed since the study was created: SHA-256 {before}... then, "
            "{now}... now; accepted: the original file"
        )
        raise ArchError(message.format(arch=arm.arch, file=file, before=expected[:12], now=digest[:12]))
    _put(network, read(file), f"{arm.arch}: {file.name}")
    return digest


def read(file: Path) -> dict[str, Tensor]:
    """The tensors in a .safetensors, .pth, .pt or .bin file, by name. Nothing in it is executed. Raises ArchError."""
    try:
        if file.suffix.lower() == ".safetensors":
            return safetensors.torch.load_file(file)
        found: Any = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, safetensors.SafetensorError, RuntimeError, EOFError, struct.error) as error:
        first = str(error).strip().partition("\n")[0]
        message = _(
            "{file}: cannot be read as weights ({reason}); accepted: a state_dict, as written by "
            "safetensors or torch.save(network.state_dict(), FILE)"
        )
        raise ArchError(message.format(file=file, reason=first)) from None
    while isinstance(found, Mapping) and (key := next((key for key in WRAPPERS if _holds(found, key)), "")):
        found = found[key]
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        message = _("{file}: found {kind} without weights, accepted: a state_dict")
        raise ArchError(message.format(file=file, kind=type(found).__name__))
    return {str(key): value for key, value in found.items()}


def _holds(found: Mapping[Any, Any], key: str) -> bool:
    return isinstance(found.get(key), Mapping)


def _put(network: ExternalNetwork, found: dict[str, Tensor], where: str) -> None:
    inner = network.inner
    wanted = inner.state_dict()
    for prefix in ("module.", OWN_PREFIX):
        if all(key.startswith(prefix) for key in found):
            found = {key.removeprefix(prefix): value for key, value in found.items()}
    last = last_layer(network)
    # what may be for other classes: the last layer, and auxiliary heads, which a file or a network may also lack
    head = next((f"{name}." for name, layer in inner.named_modules() if layer is last), "")

    def may_differ(key: str) -> bool:
        return bool(head and key.startswith(head)) or "aux" in key.lower()

    missing = [key for key in wanted if key not in found and not may_differ(key) and not _counts(key)]
    extra = [key for key in found if key not in wanted and not may_differ(key) and not _counts(key)]
    if missing or extra:
        if (renamed := _by_structure(wanted, found, may_differ)) is None:
            message = _("{where}: {unlike}; accepted: weights of this network")
            raise ArchError(message.format(where=where, unlike=_unlike(missing, extra)))
        found = renamed
    unlike = [
        _("{key}: {found} in the file, {value} in the network").format(
            key=key, found=_shape(found[key]), value=_shape(value)
        )
        for key, value in wanted.items()
        if key in found and found[key].shape != value.shape and not may_differ(key)
    ]
    if unlike:
        more = _(", and {n} more tensors").format(n=len(unlike) - SHOWN) if len(unlike) > SHOWN else ""
        message = _("{where}: different shapes: {unlike}{more}")
        raise ArchError(message.format(where=where, unlike="; ".join(unlike[:SHOWN]), more=more))
    fitting = {key: value for key, value in found.items() if key in wanted and value.shape == wanted[key].shape}
    inner.load_state_dict({**wanted, **fitting})


def _by_structure(
    wanted: Mapping[str, Tensor], found: Mapping[str, Tensor], may_differ: Callable[[str], bool]
) -> dict[str, Tensor] | None:
    """The file's tensors under the network's names, where both list tensors of the same kinds and shapes in the same
    order: the same network in another's words. None where they do not."""
    ours = [key for key in wanted if not _counts(key)]
    theirs = [key for key in found if not _counts(key)]
    if len(ours) != len(theirs):
        return None
    for our, their in zip(ours, theirs, strict=True):
        alike = wanted[our].shape == found[their].shape or may_differ(our)
        if not alike or our.rpartition(".")[2] != their.rpartition(".")[2]:
            return None
    return {our: found[their] for our, their in zip(ours, theirs, strict=True)}


def _counts(key: str) -> bool:
    """Whether it is batch norm's count of batches, which no pass needs and old files lack."""
    return key.endswith("num_batches_tracked")


def _unlike(missing: list[str], extra: list[str]) -> str:
    lines = []
    for what, keys in ((_("missing in the file"), missing), (_("only in the file"), extra)):
        if keys:
            more = _(" and {n} more").format(n=len(keys) - SHOWN) if len(keys) > SHOWN else ""
            lines.append(f"{what}: {', '.join(keys[:SHOWN])}{more}")
    return "; ".join(lines)


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or _("one number")


def _published(inner: nn.Module, source: str) -> Path:
    """The library's published weights as a local file, fetched where they are not there yet. Raises ArchError."""
    place, name = origin.parts(source)
    settings: Any = getattr(inner, "pretrained_cfg", None) or {}
    if place == "torchvision":
        settings = {"url": library(place).get_model_weights(name).DEFAULT.url}
    hub, url = settings.get("hf_hub_id") or "", settings.get("url") or ""
    if not hub and not url:
        message = _('{source}: {place} has no pretrained weights for it; accepted: weights = "FILE.safetensors"')
        raise ArchError(message.format(source=source, place=place))
    wanted = f"{hub}/model.safetensors" if hub else url
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SECONDS_TO_ANSWER)
    try:
        if hub:
            return _from_hub(hub)
        file = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name
        if not file.is_file():
            _check_reachable(url)
            file.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(file), _prefix_in(file.name), progress=False)
        return file
    except Exception as error:  # no network, no such file, a torn one: every library raises its own
        reason = str(error).strip().partition("\n")[0]
        message = _(
            "{source}: the pretrained weights {wanted} cannot be downloaded ({kind}: {reason}); accepted: no "
            "--pretrained, or in a study file pretrained = false, or a copy of the weights: weights = "
            '"FILE.safetensors" (or .pth, .pt)'
        )
        kind = type(error).__name__
        raise ArchError(message.format(source=source, wanted=wanted, kind=kind, reason=reason)) from None
    finally:
        socket.setdefaulttimeout(before)


def _from_hub(repository: str) -> Path:
    """The weights of a repository of the Hugging Face hub, from its cache or fetched into it. Raises any error."""
    from huggingface_hub import constants, hf_hub_download, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.utils import logging as hub_logging

    name = "model.safetensors"
    if not isinstance(try_to_load_from_cache(repository, name), str) and not constants.HF_HUB_OFFLINE:
        _check_reachable(hf_hub_url(repository, name))
    before = hub_logging.get_verbosity()
    hub_logging.set_verbosity(logging.ERROR)  # it tries again with a line each time; what remains is the error
    try:
        return Path(hf_hub_download(repository, name))
    finally:
        hub_logging.set_verbosity(before)


def _check_reachable(url: str) -> None:
    """Raises OSError where nothing answers there within some seconds; the libraries would try for minutes."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=SECONDS_TO_REACH):
            pass
    except urllib.error.HTTPError:  # an answer, of which the download will make more
        pass


def _prefix_in(name: str) -> str | None:
    """The start of the file's SHA-256 that torchvision puts into its name: "resnet50-11ad3fa6.pth"."""
    found = name.rpartition(".")[0].rpartition("-")[2]
    return found if len(found) >= 8 and not set(found) - set("0123456789abcdef") else None
