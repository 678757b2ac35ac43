"""The exponential moving average of a network's weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from torch import nn

from commongarden.errors import ArchError
from commongarden.i18n.language import _
from commongarden.study.recipe import Recipe
from commongarden.train.classifier import Classifier


class MovingAverage(Protocol):
    """What is used of timm.utils.ModelEmaV3. module: the network with the averages, in evaluation mode."""

    module: nn.Module
    update: Callable[..., None]


def moving_average(classifier: Classifier, recipe: Recipe) -> MovingAverage | None:
    """timm's average of the network's parameters and buffers, in evaluation mode; None where the recipe has none.

    Its decay warms up, so that it forgets the first weights in a short training too. Raises ArchError for a network
    that cannot be copied.
    """
    if not recipe.ema_decay:
        return None
    import timm.utils

    utils: Any = timm.utils
    try:
        average: MovingAverage = utils.ModelEmaV3(classifier, decay=recipe.ema_decay, use_warmup=True)
        return average
    except Exception as error:  # the code of a network may refuse to be copied in its own way
        text = _("ema_decay: the network cannot be copied ({reason}); accepted: ema_decay 0")
        raise ArchError(text.format(reason=str(error).partition("\n")[0])) from error
