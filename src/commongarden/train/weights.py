"""Given weights to start from: read without running anything, and put where they belong."""

from __future__ import annotations

import pickle
import struct
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from commongarden.errors import ArchError
from commongarden.i18n.language import _
from commongarden.study import origin, weight_files
from commongarden.study.arm import HUB_CONFIG, Arm
from commongarden.train import published
from commongarden.train.external import OWN_PREFIX, ExternalNetwork
from commongarden.train.head import last_layer
from commongarden.train.libraries import library

WRAPPERS = ("state_dict", "model_state_dict", "model", "state")  # under which training scripts store weights
SHOWN = 5


@dataclass(frozen=True)
class Given:
    """digest: SHA-256 of the file of weights. revision: commit of the repository that it is from, "" for any other."""

    digest: str
    revision: str = ""


NONE = Given("")


def load(network: ExternalNetwork, arm: Arm) -> Given:
    """Puts the weights that the arm asks for into the network; the last layer keeps its drawn ones where theirs is for
    other classes.

    Raises ArchError for a file that is not there, has changed since the study was declared, cannot be read, or is of
    another network (naming the tensors).
    """
    kept = arm.origin or origin.Origin()
    if path := arm.options["weights"]:
        file = weight_files.find(arm.arch, path)
        given = Given(origin.file_hash(file))
    else:
        fetched = published.fetch(arm)
        file, given = fetched.file, Given(fetched.digest, fetched.commit)
    if kept.weights and given.digest != kept.weights:
        message = _(
            "{arch}: {file} has changed since the study was created: SHA-256 {before}... then, "
            "{now}... now; accepted: the original file"
        )
        told = {"before": kept.weights[:12], "now": given.digest[:12]}
        raise ArchError(message.format(arch=arm.arch, file=file, **told))
    try:
        _put(network, read(file), f"{arm.arch}: {file.name}")
    except ArchError:
        if path or (converted := _by_timm(arm, file)) is None:
            raise
        _put(network, converted, f"{arm.arch}: {file.name}")
    return given


def _by_timm(arm: Arm, file: Path) -> dict[str, Tensor] | None:
    """Published weights in another form than the network's, as timm's own code converts them: of another image size,
    or of another library. None for a network that is not timm's, and where timm cannot."""
    place, name = origin.parts(arm.arch)
    if place == "torchvision":
        return None
    options = dict(arm.maker_options)
    try:
        with torch.random.fork_rng(devices=[]), tempfile.TemporaryDirectory(prefix="commongarden-hub-") as folder:
            if place == "timm":
                options["pretrained_cfg_overlay"] = {"file": str(file)}
            else:
                name = f"local-dir:{folder}"
                Path(folder, HUB_CONFIG).write_text(arm.origin.config if arm.origin else "", encoding="utf-8")
                Path(folder, file.name).symlink_to(file.resolve())
            found = library(place).create_model(name, pretrained=True, **options)
    except Exception:  # told as the difference to the file
        return None
    return dict(found.state_dict())


def read(file: Path) -> dict[str, Tensor]:
    """The tensors in a .safetensors, .pth, .pt or .bin file, by name. Nothing in it is executed. Raises ArchError."""
    try:
        if file.suffix.lower() == ".safetensors":
            return safetensors.torch.load_file(file)
        found: Any = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, safetensors.SafetensorError, RuntimeError, EOFError, struct.error) as error:
        first = str(error).strip().partition("\n")[0]
        if isinstance(error, pickle.UnpicklingError):  # torch's own text advises to run what the file holds
            first = _("it is no file of tensors alone")
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
