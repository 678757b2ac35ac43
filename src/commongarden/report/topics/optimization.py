"""How the optimizer trained the networks, in sentences of the methods: the optimizer, its schedule, its steps."""

from __future__ import annotations

from collections.abc import Iterator

from commongarden.i18n.language import _, ngettext
from commongarden.report.wording.references import Citations
from commongarden.study.recipe import Recipe


def sentences(recipe: Recipe, cite: Citations) -> Iterator[str]:
    """All of them."""
    yield _optimizer(recipe, cite)
    yield from _schedule(recipe, cite)
    yield from _steps(recipe, cite)


def _optimizer(recipe: Recipe, cite: Citations) -> str:
    rate, decay, momentum = (f"{value:g}" for value in (recipe.lr, recipe.weight_decay, recipe.momentum))
    if recipe.optimizer == "sgd":
        if recipe.nesterov:
            said = _(
                "The optimizer was SGD with Nesterov momentum {momentum}, learning rate {rate} and weight decay "
                "{decay}."
            )
        else:
            said = _("The optimizer was SGD with momentum {momentum}, learning rate {rate} and weight decay {decay}.")
        return said.format(momentum=momentum, rate=rate, decay=decay)
    named = {"adam": ("Adam", "kingma"), "adamw": ("AdamW", "loshchilov")}
    name, key = named.get(recipe.optimizer, (recipe.optimizer, "wightman"))
    said = _("The optimizer was {name} ({works}) with learning rate {rate} and weight decay {decay}.")
    return said.format(name=name, works=cite(key), rate=rate, decay=decay)


def _schedule(recipe: Recipe, cite: Citations) -> Iterator[str]:
    if recipe.schedule == "cosine":
        yield _("The learning rate followed a cosine schedule ({works}).").format(works=cite("loshchilov_cosine"))
    elif recipe.schedule == "one-cycle":
        yield _("The learning rate followed a one-cycle schedule ({works}).").format(works=cite("smith"))
    else:
        yield _("The learning rate was constant.")
    if recipe.warmup_epochs:
        yield _("It was warmed up from 0 over the first {epochs} epochs.").format(epochs=f"{recipe.warmup_epochs:g}")


def _steps(recipe: Recipe, cite: Citations) -> Iterator[str]:
    """What the optimizer's steps have beside the optimizer."""
    if recipe.freeze_backbone:
        yield _("Only the last layer was trained; the other layers kept their first weights, in evaluation mode.")
    if recipe.head_epochs:
        yield ngettext(
            "In the first epoch, only the last layer was trained.",
            "In the first {n} epochs, only the last layer was trained.",
            recipe.head_epochs,
        ).format(n=recipe.head_epochs)
    if recipe.body_lr < 1:
        yield _("The learning rate of all other layers was {share} times that of the last one.").format(
            share=f"{recipe.body_lr:g}"
        )
    if not recipe.decay_bias_and_norm:
        yield _("Biases and normalization layers had no weight decay.")
    if recipe.layer_decay < 1:
        said = _("The learning rate of each group of layers was {share} times that of the next one ({works}).")
        yield said.format(share=f"{recipe.layer_decay:g}", works=cite("clark"))
    if recipe.clip_grad_norm:
        said = _("Gradients were clipped to a norm of {norm} ({works}).")
        yield said.format(norm=f"{recipe.clip_grad_norm:g}", works=cite("pascanu"))
    if recipe.grad_accum_steps > 1:
        said = _("The gradients of {n} batches were averaged for each optimizer step.")
        yield said.format(n=recipe.grad_accum_steps)
    if recipe.ema_decay:
        said = _("An exponential moving average of the weights was kept, with decay {decay} after warm-up ({works}).")
        yield said.format(decay=f"{recipe.ema_decay:g}", works=cite("polyak"))
    if recipe.class_weight == "balanced":
        yield _("The training loss weighted each class inversely to its number of images.")
    if recipe.sampling == "balanced":
        yield _("Training images were drawn with replacement, each class equally often.")
