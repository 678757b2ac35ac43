"""A run's network at its first weights: what training begins with, and what an audit looks at. It loads torch."""

from __future__ import annotations

from commongarden.arch import External, Node, children
from commongarden.errors import StudyError
from commongarden.i18n.language import _
from commongarden.study.arm import Arm
from commongarden.study.recipe import Recipe
from commongarden.train import streams, weights
from commongarden.train.classifier import Classifier
from commongarden.train.external import ExternalNetwork
from commongarden.train.initialize import initialize

Channels = tuple[float, float, float]


def first_weights(
    arm: Arm,
    network: Node,
    input: tuple[int, int, int],
    recipe: Recipe,
    mean: Channels,
    std: Channels,
    study_seed: int,
    init_seed: int,
) -> Classifier:
    """The classifier with weights drawn by the recipe from the run's own stream, or those that its arm asks for.

    input: (height, width, channels). mean, std: of the channels, in 0..255. init_seed: the run's seed of its first
    weights. Raises ArchError where somebody else's network or its weights cannot be had.
    """
    streams.seed_all(streams.seed(study_seed, init_seed, "initialization"))  # for networks that draw their own
    classifier = Classifier(network, input, recipe, mean, std)
    initialize(classifier, recipe, streams.generator(study_seed, init_seed, "initialization"))
    if arm.origin is not None and arm.wants_weights:
        inner = next(part for part in classifier.modules() if isinstance(part, ExternalNetwork))
        weights.load(inner, arm)
    return classifier


def own_pixels(network: Node) -> tuple[Channels, Channels]:
    """Mean and standard deviation that the weights of a library's network want. Raises StudyError."""
    node = next((part for _, part in children(network) if isinstance(part, External)), None)
    if node is None or not len(node.mean) == len(node.std) == 3:
        text = _(
            "pixels: found 'own', but the network has no normalization of its own; accepted: 'standardized', 'raw'"
        )
        raise StudyError(text)
    return (node.mean[0], node.mean[1], node.mean[2]), (node.std[0], node.std[1], node.std[2])
