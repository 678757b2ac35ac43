"""The preflight check of a network of other people's code: everything that a run will ask of it, once, on a few drawn
images: forward and backward pass, optimizer step, evaluation, storing, loading, resuming.

It runs in a process of its own, since that code may crash. What works in plain torch but not in a faster form of ours
(memory layout channels-last) is done in the plain form, with a note in the record of each run.
"""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from commongarden.arch import Node
from commongarden.errors import ArchError, CommonGardenError
from commongarden.i18n.coded import Coded
from commongarden.i18n.language import N_, _, translate
from commongarden.study import origin
from commongarden.study.arm import Arm
from commongarden.study.origin import PHASES, PREFLIGHT, Origin
from commongarden.study.recipe import Recipe, override
from commongarden.train import checkpoint, loop, measure, state, streams, weights
from commongarden.train.blame import describe_user_error
from commongarden.train.classifier import Classifier
from commongarden.train.convolutions import convolutions, wrong
from commongarden.train.evaluate import evaluate
from commongarden.train.external import OWN_PREFIX, ExternalNetwork
from commongarden.train.initialize import initialize
from commongarden.train.schedule import begin_epoch, can_be_fused
from commongarden.train.train_state import TrainState

IMAGES = 4  # of a batch
SECONDS = 3.0  # for the gradients of a network's convolutions
Say = Callable[[str], None]  # hears what is done from now on, so that a crash can be reported by name
OTHER_LAYOUT = N_("trained in the memory layout {layout}: with {wanted}, {phase} fails ({reason})")
OWN_INIT = N_("the weights keep the initialization of its own code (init = own): {layer} is not random")
DRIFTS = N_("evaluation changes its state: the outputs depend on earlier images")
NOT_FUSED = N_(
    "the optimizer is not fused: torch's fused implementation does not support the parameters of this network"
)
NOT_REPEATED = N_("two identical training steps differ ({what}): the runs are not reproducible bit for bit")


def preflight(
    arm: Arm,
    n_classes: int,
    input: tuple[int, int, int],
    recipe: Recipe,
    layouts: Sequence[str],
    device: str,
    memory: int,
    say: Say,
) -> Origin:
    """What a study keeps of the network, once it has passed. layouts: memory layouts to try, in this order. memory:
    bytes that training may take, 0 where that is not known.

    Raises ArchError with the phase that fails and the place in the user's code.
    """
    say("measuring")
    kept = measure.network_by_others(arm, n_classes, input)
    if memory:
        _check_memory(arm, kept, recipe.batch_size, memory)
    notes: list[Coded] = []
    for layout in layouts:
        at: list[str] = []

        def now(phase: str, at: list[str] = at) -> None:
            at.append(phase)
            say(phase)

        try:
            found = _tried(arm, kept, override(recipe, {"layout": layout}), measure.pick_device(device), now)
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # the code of a network may raise anything
            phase, reason = PHASES[at[-1]], describe_user_error(error)
            if layout == layouts[-1]:
                if isinstance(error, ArchError):
                    raise
                what = {"phase": translate(phase), "reason": translate(reason)}
                raise ArchError(_("{source}: {phase} fails: {reason}").format(source=arm.arch, **what)) from None
            notes.append(OTHER_LAYOUT.format(layout=layouts[-1], wanted=layout, phase=phase, reason=reason))
        else:
            break
    layout = "" if layout == recipe.layout else layout
    return dataclasses.replace(found, preflight=PREFLIGHT, layout=layout, notes=(*notes, *found.texts))


class WrongGradient(CommonGardenError):
    """A convolution of the network has a wrong gradient in this memory layout."""


def _tried(arm: Arm, kept: Origin, recipe: Recipe, device: torch.device, now: Say) -> Origin:
    """What is kept, with what was found by this recipe."""
    input, network = kept.input, dataclasses.replace(arm, origin=kept).network(kept.classes)

    def made() -> Classifier:
        return Classifier(network, input, recipe, (127.5,) * 3, (64.0,) * 3)

    now("building")
    classifier, own, recipe = _built(arm, kept, recipe, made)
    train_state = loop.new_train_state(classifier, recipe, device)
    pixels, labels = (tensor.to(device) for tensor in _batch(kept.classes, input, recipe))

    now("forward")
    _begin(train_state)
    if not train_state.trainable or not classifier(pixels).requires_grad:
        message = _(
            "{source}: no parameter has a gradient; accepted: parameters with requires_grad, and an "
            "output computed from them without torch.no_grad() or detach()"
        )
        raise ArchError(message.format(source=arm.arch))
    _check_convolutions(classifier, pixels)
    now("backward")
    train_state.forward_backward(pixels, labels)  # counts for nothing: modules may set themselves up in it
    differs = _difference(train_state, pixels, labels)
    now("optimizer")
    train_state.optimizer_step(recipe.lr)

    now("evaluation")
    stored = state.to_bytes(classifier, made())  # before evaluation, which may change what the network keeps
    tested = _evaluated(classifier, pixels, labels, device)
    drifts = _evaluated(classifier, pixels, labels, device) != tested
    _evaluated(classifier, pixels[:1], labels[:1], device)
    now("storing")
    fresh = made()
    state.from_bytes(fresh, stored)
    if _evaluated(fresh.to(device), pixels, labels, device) != tested:
        message = _(
            "{source}: its outputs change when it is saved and loaded, because its code has state that "
            "is not stored; accepted: register the state with register_buffer, or return it from "
            "get_extra_state"
        )
        raise ArchError(message.format(source=arm.arch))
    now("resuming")
    resumed = _resumed(train_state, made())
    if not differs:
        one, two = (_step(each, pixels, labels) for each in (train_state, resumed))
        if one != two:
            differs = N_("after resuming from a checkpoint")
    notes = [OWN_INIT.format(layer=own)] if own else []
    if not can_be_fused(classifier):
        notes.append(NOT_FUSED)
    if drifts:
        notes.append(DRIFTS)
    if differs:
        notes.append(NOT_REPEATED.format(what=differs))
    init = "own" if recipe.init == "own" and "init" not in arm.overrides else ""
    return dataclasses.replace(kept, repeats=not differs, init=init, notes=tuple(notes))


def _built(arm: Arm, kept: Origin, recipe: Recipe, made: Callable[[], Classifier]) -> tuple[Classifier, str, Recipe]:
    """The network at its first weights, the first layer whose weights its own code sets ("" for none), and the recipe
    that leaves those."""
    streams.seed_all(0)
    classifier = made()
    own = "" if origin.is_of_library(arm.arch) or arm.wants_weights else _set_by_its_code(classifier, made, recipe)
    if own or _starts_as_its_author_meant(arm, recipe):
        recipe = override(recipe, {"init": "own"})
    initialize(classifier, recipe, streams.generator(0, 0, "initialization"))
    if arm.wants_weights:
        inner = next(part for part in classifier.modules() if isinstance(part, ExternalNetwork))
        weights.load(inner, dataclasses.replace(arm, origin=kept))
    return classifier, own, recipe


def _resumed(train_state: TrainState, classifier: Classifier) -> TrainState:
    """A new state, brought to where the other one is through a checkpoint."""
    resumed = loop.new_train_state(classifier, train_state.recipe, train_state.device)
    with tempfile.TemporaryDirectory(prefix="commongarden-preflight-") as folder:
        path = Path(folder, "checkpoint.pt")
        path.write_bytes(checkpoint.to_bytes(train_state))
        checkpoint.restore(resumed, path)
    return resumed


def _check_memory(arm: Arm, kept: Origin, batch_size: int, memory: int) -> None:
    """A third of the bytes of all outputs is sure to be held: training of seven networks took 0.38 to 1.4 times as much
    as those, the least where many are views or changed in place."""
    needed = 4 * 4 * kept.n_params + batch_size * max(kept.activation_bytes, 0) // 3
    if needed > memory:
        message = _(
            "{source}: training with a batch size of {batch_size} needs at least {needed:.1f} GiB of "
            "memory, but only {memory:.1f} GiB are available; accepted: a smaller batch_size, image "
            "size or network"
        )
        gib = {"needed": needed / 2**30, "memory": memory / 2**30}
        raise ArchError(message.format(source=arm.arch, batch_size=batch_size, **gib))


def _check_convolutions(classifier: Classifier, pixels: Tensor) -> None:
    found = convolutions(classifier, pixels)
    unsafe = [one for one in found if one.is_unsafe]
    bad, _right = wrong(found, SECONDS) if pixels.device.type == "cpu" and not unsafe else (unsafe, [])
    if bad:
        raise WrongGradient(N_("torch computes a wrong gradient for the convolution {one}").format(one=bad[0]))


def _batch(n_classes: int, input: tuple[int, int, int], recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Drawn pixels, uint8 (n, 3, height, width), and labels as a run has them: channels last in memory."""
    n = max(2, min(recipe.batch_size, IMAGES))
    height, width, channels = input
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (n, height, width, channels), dtype=torch.uint8, generator=generator)
    return pixels.permute(0, 3, 1, 2), torch.arange(n) % n_classes


def _starts_as_its_author_meant(arm: Arm, recipe: Recipe) -> bool:
    """Whether the network keeps the initialization of its own code: where nobody asked for another one. A network that
    an earlier version measured, and may have trained, stays as it was."""
    if arm.origin is not None and arm.origin.classes:
        return arm.origin.init == "own"
    return recipe.init == Recipe().init and "init" not in arm.overrides and not arm.wants_weights


def _set_by_its_code(classifier: Classifier, made: Callable[[], Classifier], recipe: Recipe) -> str:
    """The first layer whose weights the recipe would draw and the network's code does not: they are the same whatever
    the seed, so its author loaded or set them. "" for none."""
    if recipe.init == "own":
        return ""
    streams.seed_all(3)
    other = dict(made().named_modules())
    for name, layer in classifier.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.weight.requires_grad and layer.weight.numel():
            twin = other.get(name)
            if isinstance(twin, nn.Conv2d | nn.Linear) and torch.equal(layer.weight, twin.weight):
                return str(name).removeprefix(OWN_PREFIX)
    return ""


def _begin(train_state: TrainState) -> None:
    begin_epoch(train_state.classifier, train_state.recipe, train_state.recipe.head_epochs + 1, train_state.trainable)


def _step(train_state: TrainState, pixels: Tensor, labels: Tensor) -> dict[str, str]:
    """Hashes of what a training step leaves: the loss, and each gradient by its parameter's name."""
    _begin(train_state)
    streams.seed_all(1, train_state.classifier)
    learned = train_state.forward_backward(pixels, labels)
    found = {"loss": _digest(learned.whole)}
    for name, parameter in train_state.classifier.named_parameters():
        found[name] = "" if parameter.grad is None else _digest(parameter.grad)
    return found


def _difference(train_state: TrainState, pixels: Tensor, labels: Tensor) -> str:
    """The first thing in which a step differs from the same step done again; "" for none."""
    classifier = train_state.classifier
    kept, left_out = state.copied(state.state_of(classifier)), state.copied(state.hidden(classifier))
    first = _step(train_state, pixels, labels)
    state.put(classifier, kept)
    state.put_hidden(classifier, left_out)
    second = _step(train_state, pixels, labels)
    return next((name for name in first if first[name] != second[name]), "")


def _evaluated(classifier: Classifier, pixels: Tensor, labels: Tensor, device: torch.device) -> bytes:
    streams.seed_all(2, classifier)
    return evaluate(classifier, [(pixels, labels)], device).probabilities.tobytes()


def _digest(tensor: Tensor) -> str:
    values = tensor.detach().cpu()
    values = (values.to_dense() if values.layout != torch.strided else values).contiguous()
    return hashlib.sha256(values.flatten().view(torch.uint8).numpy().tobytes()).hexdigest()


def compared(
    subjects: Mapping[str, tuple[Node, Recipe]], known: frozenset[str], seconds: float, say: Say
) -> tuple[dict[str, str], frozenset[str]]:
    """For each network of our own that there is time for, the first convolution that has a wrong gradient, as text, ""
    for none; and the convolutions that are right. known: those that were right before."""
    until = time.monotonic() + seconds
    right = set(known)
    found = {}
    for name, (network, recipe) in subjects.items():
        say(name)
        size = recipe.resolution
        classifier = Classifier(network, (size, size, 3), recipe, (127.5,) * 3, (64.0,) * 3)
        called = convolutions(classifier, torch.zeros(2, 3, size, size, dtype=torch.uint8))
        bad, good = wrong([one for one in called if repr(one) not in right], until - time.monotonic())
        right.update(map(repr, good))
        if bad or all(repr(one) in right for one in called):
            found[name] = str(bad[0]) if bad else ""
    return found, frozenset(right)
