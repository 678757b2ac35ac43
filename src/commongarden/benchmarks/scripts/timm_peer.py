"""Training with timm's own data loader and network, on the CPU, as its documentation has it.

    python timm_peer.py PHOTOS --arm resnet18 --resolution 64 --batch 32 --epochs 2

Only for arms whose name is that of a network of timm. Prints one line of JSON, as plain.py does.
"""

import time

BEGAN = time.perf_counter()

import argparse
import json

import timm
import timm.optim
import torch
from timm.data import create_dataset, create_loader
from torch.utils.data import Subset, random_split


class Part(Subset):
    """A part of a data set, to which timm's loader can give its transform."""

    @property
    def transform(self):
        return self.dataset.transform

    @transform.setter
    def transform(self, transform):
        self.dataset.transform = transform


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("photos")
    parser.add_argument("--arm", required=True)
    parser.add_argument("--resolution", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--loaders", type=int, default=0, help="worker processes of the loader")
    parser.add_argument("--at-most", type=float, default=float("inf"), help="seconds of training")
    args = parser.parse_args()

    data = create_dataset("", root=args.photos)
    n_classes = len(data.reader.class_to_idx)
    train, val, _test = (Part(data, part.indices) for part in random_split(data, (0.8, 0.05, 0.15)))
    how = {
        "input_size": (3, args.resolution, args.resolution),
        "batch_size": args.batch,
        "num_workers": args.loaders,
        "persistent_workers": args.loaders > 0,
        "use_prefetcher": False,  # it is for a GPU
        "device": torch.device("cpu"),
    }
    # resized and normalized only, as all others do it
    train_loader = create_loader(train, is_training=True, no_aug=True, crop_mode="squash", crop_pct=1.0, **how)
    val_loader = create_loader(val, is_training=False, crop_mode="squash", crop_pct=1.0, **how)

    network = timm.create_model(args.arm, num_classes=n_classes)
    optimizer = timm.optim.create_optimizer_v2(network, opt="adam", lr=1e-3)
    criterion = torch.nn.CrossEntropyLoss()

    images_trained, images_validated = 0, 0
    seconds, seconds_validation, startup = 0.0, 0.0, None
    for _ in range(args.epochs):
        network.train()
        begun = time.perf_counter()
        for images, labels in train_loader:
            loss = criterion(network(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_value = loss.item()
            if startup is None:
                begun = time.perf_counter()
                startup = begun - BEGAN
                continue
            images_trained += len(labels)
            if time.perf_counter() - begun + seconds > args.at_most:
                break
        seconds += time.perf_counter() - begun

        network.eval()
        begun, right = time.perf_counter(), 0
        with torch.inference_mode():
            for images, labels in val_loader:
                right += (network(images).argmax(1) == labels).sum().item()
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
                "loss": loss_value,
                "accuracy": right / len(val),
            }
        )
    )


if __name__ == "__main__":
    main()
