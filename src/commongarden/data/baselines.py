"""What simple methods reach on the same photos: a trained network that does not beat them has learned little.

Two of them, each fitted in seconds on the training part, with its one setting chosen on the validation part:

- colours: logistic regression on a joint histogram of red, green and blue. The square roots of the bins' shares are
  taken first, so that their inner product is the Hellinger kernel (Vedaldi & Zisserman 2012), and standardized. It sees
  no shape at all.
- neighbours: the k nearest neighbours by the Euclidean distance between photos of 16 x 16 pixels.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image

from commongarden.data.on_the_fly import Images
from commongarden.records import Baseline, BaselineKind

BINS = 8  # for each channel, so 512 colours
SMALL = 16  # pixels per side
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1)  # C, the inverse of the regularization
NEIGHBOURS = (1, 3, 5, 10, 20, 40)
MOST_TRAIN = 5_000  # photos learned from, above which the two methods would take minutes
MOST_VAL = 2_000  # photos that a setting is chosen on
MAX_ITER = 500

Parts = list[np.ndarray]  # of the training, validation and test part
Fitted = tuple[Baseline, np.ndarray]  # with the probabilities of the test part, (n_test, classes) float32


def fit(
    images: Images, labels: np.ndarray, train: np.ndarray, val: np.ndarray, test: np.ndarray, n_classes: int
) -> Iterator[Fitted]:
    """Each baseline, fitted on `train`, its setting chosen on `val`, tried once on `test`.

    images: (n, height, width, 3) uint8; labels: (n,) int64; train, val, test: places in both. Of large parts photos
    evenly spaced over the labels are taken, which the baseline's n_train tells. One thread and no chance anywhere, so
    the same numbers on every call. Nothing where the training part has one class only.
    """
    from threadpoolctl import threadpool_limits

    if len(np.unique(labels[train])) < 2:
        return
    train, val = _evenly(train, labels, MOST_TRAIN), _evenly(val, labels, MOST_VAL)
    parts = (train, val, test)
    with threadpool_limits(1):
        yield _colours(_features(images, parts, colour_shares), [labels[part] for part in parts], n_classes)
        yield _neighbours(_features(images, parts, small_pixels), [labels[part] for part in parts], n_classes)


def colour_shares(pixels: np.ndarray) -> np.ndarray:
    """The share of each of BINS^3 colours among the pixels (height, width, 3) uint8: (BINS^3,) float64, red slowest."""
    red, green, blue = np.moveaxis(pixels // (256 // BINS), -1, 0)
    counts = np.bincount(((red * np.uint16(BINS) + green) * np.uint16(BINS) + blue).ravel(), minlength=BINS**3)
    shares: np.ndarray = counts / red.size
    return shares


def small_pixels(pixels: np.ndarray) -> np.ndarray:
    """The photo at SMALL x SMALL pixels, each the mean of those it covers: (SMALL * SMALL * 3,) in 0..255."""
    small = Image.fromarray(pixels).resize((SMALL, SMALL), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32).ravel()


def _features(images: Images, parts: Sequence[np.ndarray], of: Any) -> Parts:
    return [np.array([of(np.asarray(images[i])) for i in part], dtype=np.float32) for part in parts]


def _evenly(places: np.ndarray, labels: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of the places, every class in its share."""
    if len(places) <= most:
        return places
    by_label = places[np.argsort(labels[places], kind="stable")]
    return by_label[(2 * np.arange(most) + 1) * len(by_label) // (2 * most)]


def _colours(parts: Parts, labels: Parts, n_classes: int) -> Fitted:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    roots = [np.sqrt(part) for part in parts]
    candidates = [
        (strength, make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=MAX_ITER)))
        for strength in STRENGTHS
    ]
    return _chosen("colours", candidates, roots, labels, n_classes)


def _neighbours(parts: Parts, labels: Parts, n_classes: int) -> Fitted:
    from sklearn.neighbors import KNeighborsClassifier

    usable = [k for k in NEIGHBOURS if k <= len(labels[0])]
    return _chosen("neighbours", [(k, KNeighborsClassifier(k)) for k in usable], parts, labels, n_classes)


def _chosen(
    kind: BaselineKind, candidates: Sequence[tuple[float, Any]], parts: Parts, labels: Parts, n_classes: int
) -> Fitted:
    """The candidate with the best validation accuracy; of equals the first, which is the simplest."""
    from sklearn.exceptions import ConvergenceWarning

    start = time.perf_counter()
    fitted = []
    for setting, model in candidates:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # told by the baseline's `converged`
            model.fit(parts[0], labels[0])
        fitted.append((float(model.score(parts[1], labels[1])), setting, model))
    reached = [accuracy for accuracy, *_ in fitted]
    val_accuracy, setting, model = fitted[reached.index(max(reached))]
    probabilities = np.zeros((len(labels[2]), n_classes), dtype=np.float32)
    probabilities[:, model.classes_] = model.predict_proba(parts[2])  # a class may have no photo to learn from
    test_accuracy = float((probabilities.argmax(axis=1) == labels[2]).mean())
    converged = kind == "neighbours" or bool(model[-1].n_iter_.max() < MAX_ITER)
    seconds = time.perf_counter() - start
    n_train, n_test = len(labels[0]), len(labels[2])
    found = Baseline(kind, setting, val_accuracy, test_accuracy, n_train, n_test, converged, seconds)
    return found, probabilities
