"""An ordinary PyTorch training script: ImageFolder, DataLoader, Adam, one run. `commongarden bench` is held against it.

    python plain.py PHOTOS --arm inception_flower:LA --resolution 96 --batch 10 --epochs 2 [--in-memory]
    python plain.py PHOTOS ... --device cuda --loaders 4, or [--on-device [--compile]]

Nothing is set that PyTorch sets by itself: threads, memory layout, form of the optimizer. The network is the module
that commongarden builds for the arm, so that both train the same one. Prints one line of JSON. Times begin behind the
first step, because torch loads parts of itself in it.
"""

import time

BEGAN = time.perf_counter()

import argparse
import json

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split
from torchvision import transforms
from torchvision.datasets import ImageFolder

from commongarden.profiling import energy
from commongarden.study import arm
from commongarden.train.build import auxiliary_logits, build


class OnDevice:
    """Batches of photos that the device holds, gathered by their places."""

    def __init__(self, images, labels, places, batch, shuffle=False):
        self.images, self.labels, self.batch, self.shuffle = images, labels, batch, shuffle
        self.places = torch.tensor(places, device=images.device)

    def __iter__(self):
        places = self.places
        if self.shuffle:
            places = places[torch.randperm(len(places), device=places.device)]
            places = places[: len(places) // self.batch * self.batch]
        for chosen in places.split(self.batch):
            yield self.images[chosen], self.labels[chosen]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("photos")
    parser.add_argument("--arm", required=True)
    parser.add_argument("--resolution", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--in-memory", action="store_true", help="decode all photos before training")
    parser.add_argument("--loaders", type=int, default=0, help="worker processes of the DataLoader")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--on-device", action="store_true", help="keep all photos on the device, as tensors")
    parser.add_argument("--compile", action="store_true", help="compile the network with torch.compile")
    parser.add_argument("--at-most", type=float, default=float("inf"), help="seconds of training")
    args = parser.parse_args()

    size = (args.resolution, args.resolution)
    prepared = transforms.Compose(
        [
            transforms.Resize(size),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    data = ImageFolder(args.photos, transform=prepared)
    n_classes = len(data.classes)
    if args.in_memory or args.on_device:
        images, labels = zip(*DataLoader(data, batch_size=64), strict=True)
        data = TensorDataset(torch.cat(images), torch.cat(labels))
    train, val, _test = random_split(data, (0.8, 0.05, 0.15))
    how = {"batch_size": args.batch, "num_workers": args.loaders, "persistent_workers": args.loaders > 0}
    train_loader = DataLoader(train, shuffle=True, drop_last=True, **how)
    val_loader = DataLoader(val, **how)
    device = torch.device(args.device)
    if args.on_device:
        held = [tensor.to(device) for tensor in data.tensors]
        train_loader = OnDevice(*held, train.indices, args.batch, shuffle=True)
        val_loader = OnDevice(*held, val.indices, args.batch)

    _name, wanted = arm.from_text(args.arm)
    network = build(wanted.network(n_classes), (*size, 3)).to(device)
    compiled = torch.compile(network) if args.compile else network
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()

    images_trained, images_validated = 0, 0
    seconds, seconds_validation, startup = 0.0, 0.0, None
    joules, used = energy.source(device).counter, None
    for _ in range(args.epochs):
        network.train()
        begun = time.perf_counter()
        for images, labels in train_loader:
            images, labels = images.to(device), labels.to(device)
            optimizer.zero_grad()
            loss = criterion(compiled(images), labels)
            for weight, logits in auxiliary_logits(network):
                loss = loss + weight * criterion(logits, labels)
            loss.backward()
            optimizer.step()
            loss_value = loss.item()
            if startup is None:
                begun = time.perf_counter()
                startup = begun - BEGAN
                used = joules() if joules else None
                continue
            images_trained += len(labels)
            if time.perf_counter() - begun + seconds > args.at_most:
                break
        seconds += time.perf_counter() - begun

        network.eval()
        begun, right = time.perf_counter(), 0
        with torch.no_grad():
            for images, labels in val_loader:
                images, labels = images.to(device), labels.to(device)
                right += (compiled(images).argmax(1) == labels).sum().item()
        seconds_validation += time.perf_counter() - begun
        images_validated += len(val)
        if seconds > args.at_most:
            break

    print(
        json.dumps(
            {
                "images": images_trained,
                "seconds": seconds,
                "startup": startup,
                "validated": images_validated,
                "seconds_validation": seconds_validation,
                "threads": torch.get_num_threads(),
                "joules": joules() - used if joules else None,
                "peak_bytes": torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None,
                "loss": loss_value,
                "accuracy": right / len(val),
            }
        )
    )


if __name__ == "__main__":
    main()
