"""How large each kind of stored file may be, checked before memory is reserved for it.

`LIMITS` holds what no study needs more of. Where a study says how many photos, classes, arms and epochs there are, its
own files get narrower limits, from the functions below.
"""

from __future__ import annotations

from dataclasses import dataclass

KB, MB = 2**10, 2**20
PATH_LETTERS = 1024  # of a photo's path, as an array of text gives each of its rows
LAYERS = 20_000  # of a network, that may have signals
PICTURE = 128 * KB  # of a small JPEG
MEMBER = 512  # bytes that an array takes beside its values: its header and its two entries in the archive


@dataclass(frozen=True)
class Limit:
    """n_bytes: of the file. unpacked: of all arrays in it, members: how many; 0 for files that hold none."""

    n_bytes: int
    unpacked: int = 0
    members: int = 0

    def within(self, other: Limit | None) -> Limit:
        """The smaller of each."""
        if other is None:
            return self
        return Limit(
            min(self.n_bytes, other.n_bytes), min(self.unpacked, other.unpacked), min(self.members, other.members)
        )


def arrays(unpacked: int, members: int) -> Limit:
    """Of a file of so many arrays. What cannot be packed takes a little more than itself."""
    return Limit(unpacked + unpacked // 100 + members * MEMBER + 64 * KB, unpacked + members * MEMBER, members)


LIMITS = {
    "study.toml": Limit(8 * MB),
    "manifest.csv": Limit(1024 * MB),
    "split.json": Limit(1024 * MB),
    "splits/SEED.json": Limit(1024 * MB),
    "layout.json": Limit(256 * MB),
    "inspection.json": Limit(512 * MB),
    "contract.json": Limit(64 * MB),
    "audit.json": Limit(64 * MB),
    "command.json": Limit(4 * MB),
    "decisions.json": Limit(4 * MB),
    ".request-TIME-PROCESS.json": Limit(64 * KB),
    "racing.json": Limit(64 * MB),
    "looks.json": Limit(4 * MB),
    "screening.json": Limit(64 * MB),
    "selection.json": Limit(64 * MB),
    "checksums.sha256": Limit(64 * MB),
    ".holder": Limit(64 * KB),
    "run.json": Limit(16 * MB),
    "history.csv": Limit(64 * MB),
    "predictions.npz": arrays(400 * MB, 16),
    "signals.npz": arrays(400 * MB, 32),
    "model.safetensors": Limit(64 * 1024 * MB),
    "baselines/KEY.npz": arrays(400 * MB, 16),
    "seen/ARM.npz": arrays(64 * MB, 4096),
    "thumbnails.npz": arrays(32 * MB, 4096),
    "timing": Limit(1024 * MB),
    "benchmark": Limit(64 * MB),
}


def of_predictions(n_photos: int, n_classes: int, kinds: int = 1) -> Limit:
    """Of paths, labels and probabilities. kinds: how many times probabilities are kept."""
    row = 4 * PATH_LETTERS + 8 + 8 * n_classes * kinds
    return arrays(n_photos * row + 64 * KB, 3 + 2 * kinds)


def of_signals(n_epochs: int) -> Limit:
    """Of six figures for each layer and epoch, and the names of the layers."""
    return arrays(n_epochs * LAYERS * 6 * 4 + 32 * MB, 32)


def of_maps(n_shown: int) -> Limit:
    """Of two pictures for each photo that is shown, the kernels, and points for some of the test photos."""
    return arrays(n_shown * 2 * PICTURE + 4 * MB, 2 * n_shown + 16)


def of_weights(model_bytes: int) -> Limit:
    """Of parameters and buffers, and what a network by others keeps beside them."""
    return Limit(4 * model_bytes + 256 * MB)
