"""How somebody loads an exported network, as lines of Python, with the preprocessing that it was trained with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from commongarden.records import Run

CROP_MODES = {"squash": "squash", "crop": "center", "pad": "border"}  # of a recipe's `resize`, in timm's words


@dataclass(frozen=True)
class Use:
    """How the network in a folder is loaded. library: whose network it is: "timm", "torchvision", "commongarden", or
    "pytorch" for one of the user's own code. imports, code: lines of Python that make `model`, with FOLDER for the
    folder."""

    library: str
    imports: tuple[str, ...]
    code: tuple[str, ...]

    def lines(self, folder: str) -> list[str]:
        """The code for this folder, without its imports."""
        return [line.replace("FOLDER", folder) for line in self.code]


def example(use: Use, run: Run) -> list[str]:
    """A program that classifies one image with the network in the current folder."""
    if use.library == "commongarden":
        return [*use.imports, "", *use.lines("."), 'print(commongarden.predict(model, ["photo.jpg"]))']
    imports = sorted({*use.imports, "import timm", "import torch"}, key=lambda line: (line.startswith("from"), line))
    return [
        *imports,
        "from PIL import Image, ImageOps",
        "",
        *_made(use, run),
        'image = ImageOps.exif_transpose(Image.open("photo.jpg")).convert("RGB")',
        "with torch.inference_mode():",
        "    probabilities = model.eval()(transform(image).unsqueeze(0)).softmax(1)[0]",
        "for label, probability in zip(classes, probabilities.tolist()):",
        '    print(f"{label}: {probability:.3f}")',
    ]


def _made(use: Use, run: Run) -> list[str]:
    """`model`, `transform` and `classes`."""
    if use.library == "timm":
        return [
            'model = timm.create_model("local-dir:.", pretrained=True)  # on the Hugging Face hub: "hf-hub:USER/NAME"',
            "transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))",
            'classes = model.pretrained_cfg["label_names"]',
        ]
    made = f"transform = timm.data.create_transform({arguments(**data_config(run))})"
    return [*use.lines("."), made, f"classes = {list(run.classes)!r}"]


def statistics(run: Run) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of the channels, for pixels from 0 to 1."""
    return [value / 255 for value in run.pixel_mean], [value / 255 for value in run.pixel_std]


def data_config(run: Run) -> dict[str, Any]:
    """The run's preprocessing as the arguments of `timm.data.create_transform`."""
    mean, std = statistics(run)
    height, width, channels = run.input
    framing = run.recipe.framing
    return {
        "input_size": (channels, height, width),
        "interpolation": framing.interpolation,
        "mean": tuple(mean),
        "std": tuple(std),
        "crop_pct": framing.crop_share,
        "crop_mode": CROP_MODES[framing.resize],
    }


def arguments(*first: object, **options: object) -> str:
    """The arguments of a call, as code."""
    return ", ".join([*map(_literal, first), *(f"{key}={_literal(value)}" for key, value in options.items())])


def _literal(value: object) -> str:
    """A value of JSON as Python writes it, text in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
