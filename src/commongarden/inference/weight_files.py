"""A run's weights as a folder that other programs load: safetensors, under the names of the network's own library.

A network of timm gets timm's config.json, so that the folder is one that `timm.create_model` reads, from a disk
("local-dir:FOLDER") or from the Hugging Face hub. A built-in network keeps its record (run.json), which
`commongarden.load` reads.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from commongarden.arch import External
from commongarden.data.framing import PADDING
from commongarden.errors import StudyError
from commongarden.i18n.language import _
from commongarden.inference.exported import Comparison, Exported
from commongarden.inference.graph_files import Normalized, Program, compared, rounding
from commongarden.inference.predictor import Predictor, load_run
from commongarden.inference.use import Use, arguments, data_config, statistics
from commongarden.records import Run, inspection
from commongarden.study import origin
from commongarden.study.arm import HUB_CONFIG
from commongarden.train import external
from commongarden.train.classifier import AUTOCAST
from commongarden.train.external import ExternalNetwork
from commongarden.train.libraries import library

WEIGHTS = "model.safetensors"
# what timm's configuration says of its own weights, and is not true of these
OF_PUBLISHED = (
    "url", "file", "hf_hub_id", "hf_hub_filename", "source", "tag", "license", "description", "origin_url",
    "paper_name", "paper_ids", "notes", "label_offset", "label_names", "label_descriptions", "test_input_size",
    "test_crop_pct", "test_pool_size", "custom_load",
)  # fmt: skip


def write_folder(predictor: Predictor, run: Path, folder: Path) -> Exported:
    """Writes the weights of the run in this directory, and what loads them, into the folder. Raises StudyError."""
    if folder.suffix in (".safetensors", ".pt", ".pth", ".bin") or folder.is_file():
        text = _(
            "{path}: --format safetensors writes a folder (weights, configuration, model card); accepted: a folder"
        )
        raise StudyError(text.format(path=folder))
    _check_free(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        use, found = _written(predictor, run, folder)
    except OSError as error:
        raise StudyError(_("{path}: cannot be written ({reason})").format(path=folder, reason=error.strerror)) from None
    height, width, channels = predictor.input
    return Exported(
        path=folder,
        kind="safetensors",
        inputs=f"images float32 (batch, {channels}, {height}, {width}), {normalized(predictor.run)}",
        outputs=f"logits float32 (batch, {len(predictor.classes)}): {', '.join(predictor.classes)}",
        load="; ".join(use.lines(folder.as_posix())),
        bytes=(folder / WEIGHTS).stat().st_size,
        compared=found,
        notes=notes(predictor.run),
        use=use,
    )


def _check_free(folder: Path) -> None:
    """Refuses a folder that holds anything but an earlier export. Raises StudyError."""
    found = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    card = folder / "README.md"
    is_export = {WEIGHTS, card.name} <= set(found) <= {WEIGHTS, card.name, "config.json"}
    if found and not (is_export and "commongarden" in card.read_text(encoding="utf-8", errors="replace")):
        text = _(
            "{path}: found other files ({names}); accepted: a new or empty folder, or one that export wrote before"
        )
        raise StudyError(text.format(path=folder, names=", ".join(found[:3]) + (", ..." if len(found) > 3 else "")))


def normalized(run: Run) -> str:
    """How pixels become what the network takes."""
    mean, std = (", ".join(f"{value:.4g}" for value in values) for values in statistics(run))
    return _("normalized: (pixels / 255 - mean) / std, mean {mean}, std {std}").format(mean=mean, std=std)


def in_single_precision(run: Run) -> str:
    """Said of a network that was trained in a shorter precision and is exported in float32."""
    text = _("The study tested this network in {precision}; the logits above are those of float32.")
    return text.format(precision=run.recipe.precision)


def notes(run: Run) -> tuple[str, ...]:
    """What of the run's preprocessing and precision a file of weights does not hold."""
    found = []
    if run.recipe.precision in AUTOCAST:
        found.append(in_single_precision(run))
    if run.range is not None:
        found.append(inspection.scaled(run.range))
    grey = tuple(round(255 * value) for value in statistics(run)[0])
    if run.recipe.resize == "pad" and grey != PADDING:
        text = _("timm pads with the mean colour {found}, the study padded with {wanted}.")
        found.append(text.format(found=grey, wanted=PADDING))
    return tuple(found)


def _written(predictor: Predictor, run: Path, folder: Path) -> tuple[Use, Comparison]:
    parts = (part for part in predictor.classifier.body.modules() if isinstance(part, ExternalNetwork))
    network = next(parts, None)
    if network is None:
        return _built_in(predictor, run, folder)
    _save(network.inner, folder / WEIGHTS)
    place, name = origin.parts(network.node.source)
    options: dict[str, Any] = json.loads(network.node.options)
    if place == origin.HUB:
        config = options.pop(HUB_CONFIG)
        made = {key: value for key, value in config.get("model_args", {}).items() if key != "num_classes"}
        name, options = config["architecture"], {**made, **options}
    if place in ("timm", origin.HUB):
        use, loaded = _of_timm(predictor, name, options, folder)
    elif place == "torchvision":
        use, loaded = _of_torchvision(network, name.partition(".")[0], options, folder)
    else:
        use, loaded = _of_user(network.node, options, folder)
    return use, _compared(predictor, loaded.eval(), use.library)


def _save(network: nn.Module, path: Path) -> None:
    """Every name that the network's own `load_state_dict` asks for, tied tensors under each of their names."""
    found = network.state_dict()
    if odd := [name for name, value in found.items() if not isinstance(value, Tensor)]:
        text = _("{path}: {names}: extra state that is no tensor; accepted: --format torch-export")
        raise StudyError(text.format(path=path, names=", ".join(odd[:5])))
    tensors = {name: value.detach().clone(memory_format=torch.contiguous_format).cpu() for name, value in found.items()}
    safetensors.torch.save_file(tensors, path, metadata={"format": "pt"})


def _of_timm(predictor: Predictor, name: str, options: dict[str, Any], folder: Path) -> tuple[Use, nn.Module]:
    import timm
    from timm.models import _hub

    n_classes = len(predictor.classes)
    model: Any = timm.create_model(name, num_classes=n_classes, checkpoint_path=str(folder / WEIGHTS), **options)
    own = {key: value for key, value in dict(model.pretrained_cfg).items() if key not in OF_PUBLISHED}
    own["architecture"] = name.partition(".")[0]
    model.pretrained_cfg = {**own, **data_config(predictor.run), "num_classes": n_classes, "pool_size": None}
    config = {"num_classes": n_classes, "label_names": list(predictor.classes)}
    save: Any = _hub.save_config_for_hf
    save(model, str(folder / "config.json"), model_config=config, model_args=options)
    given = arguments(name, num_classes=n_classes, **options, checkpoint_path=f"FOLDER/{WEIGHTS}")
    return Use("timm", ("import timm",), (f"model = timm.create_model({given})",)), model


def _of_torchvision(
    network: ExternalNetwork, name: str, options: dict[str, Any], folder: Path
) -> tuple[Use, nn.Module]:
    if name in ("googlenet", "inception_v3"):
        options = {**options, "transform_input": bool(network.inner.transform_input), "init_weights": False}
    n_classes = network.node.classes
    model: nn.Module = library("torchvision").get_model(name, weights=None, num_classes=n_classes, **options)
    model.load_state_dict(safetensors.torch.load_file(folder / WEIGHTS))
    made = f"model = torchvision.models.get_model({arguments(name, num_classes=n_classes, **options)})"
    return Use("torchvision", ("import safetensors.torch", "import torchvision"), (made, _FILLED)), model


_FILLED = f'model.load_state_dict(safetensors.torch.load_file("FOLDER/{WEIGHTS}"))'


def _of_user(node: External, options: dict[str, Any], folder: Path) -> tuple[Use, nn.Module]:
    model = external.make(node)
    model.inner.load_state_dict(safetensors.torch.load_file(folder / WEIGHTS))
    place, factory = origin.parts(node.source)
    module = Path(place).stem if place.endswith(".py") else place
    made = f"model = {factory}({arguments(node.classes, **options)})"
    imports = "import safetensors.torch", f"from {module} import {factory.partition('.')[0]}"
    return Use("pytorch", imports, (made, _FILLED)), model


def _built_in(predictor: Predictor, run: Path, folder: Path) -> tuple[Use, Comparison]:
    for name in ("run.json", WEIGHTS):
        (folder / name).write_bytes((run / name).read_bytes())
    loaded = Normalized(load_run(folder).classifier)
    use = Use("commongarden", ("import commongarden",), ('model = commongarden.load("FOLDER")',))
    return use, _compared(predictor, loaded, use.library)


def _compared(predictor: Predictor, loaded: nn.Module, library: str) -> Comparison:
    """What was read back beside the run's network, both in float32, on noise as it is normalized."""
    from importlib import metadata

    height, width, channels = predictor.input
    pixels = torch.randint(0, 256, (3, channels, height, width), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        values = predictor.classifier.preprocessed(pixels.to(torch.uint8)).contiguous()
    name = _("the network's own code") if library == "pytorch" else f"{library} {metadata.version(library)}"
    program: Program = loaded
    reference = predictor.classifier.body
    found = compared(reference, program, values, name)
    if found.agrees:
        return found
    return Comparison(found.program, found.max_difference, found.max_logit, rounding(reference, values))
