"""float16 with a scaled loss: PyTorch's scaler beside a plain loop, skipped steps, checkpoints, other devices. A CPU
has autocast and scaler too, so the parts are tested there; a CUDA device trains a study."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F

import commongarden as cg
from commongarden.runner import plan
from commongarden.study.recipe import Recipe
from commongarden.train import checkpoint, loop, streams
from small_training import CPU, batches, epoch_batches, new, trained, weights

RECIPE = Recipe(resolution=12, epochs=2, batch_size=6, lr=1e-2, precision="float16", clip_grad_norm=1.0)


def plain(recipe, poisoned=()):
    """The same training as PyTorch's examples of mixed precision do it. poisoned: steps with an infinite gradient."""
    train_state = new(recipe)
    classifier, scaler = train_state.classifier, torch.amp.GradScaler("cpu")
    optimizer = torch.optim.AdamW(classifier.parameters(), recipe.lr, weight_decay=0.0, fused=True)
    scales, number = [], 0
    for epoch in range(1, recipe.epochs + 1):
        streams.seed_all(streams.seed(0, 0, "dropout", epoch), classifier)
        classifier.train()
        for pixels, labels in epoch_batches(epoch):
            optimizer.zero_grad()
            values = classifier.preprocessed(pixels)
            with torch.autocast("cpu", torch.float16):
                logits = classifier.body(values)
            scaler.scale(F.cross_entropy(logits.float(), labels)).backward()
            number += 1
            if number in poisoned:
                next(classifier.parameters()).grad[0] = float("inf")
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(classifier.parameters(), recipe.clip_grad_norm)
            scaler.step(optimizer)
            scaler.update()
            scales.append(scaler.get_scale())
        classifier.eval()
    return classifier, scales


def poison(train_state, poisoned):
    """Makes the first gradient of these steps infinite, as an overflow does."""
    learn, number = train_state.forward_backward, 0

    def learned(*batch, **how):
        nonlocal number
        result, number = learn(*batch, **how), number + 1
        if number in poisoned:
            next(train_state.classifier.parameters()).grad[0] = float("inf")
        return result

    train_state.forward_backward = learned
    return train_state


@pytest.mark.parametrize("poisoned", [(), (1, 2, 8)])
def test_training_is_that_of_pytorchs_examples(poisoned):
    train_state = trained(RECIPE, train_state=poison(new(RECIPE), poisoned))
    classifier, scales = plain(RECIPE, poisoned)
    assert train_state.scaler.get_scale() == scales[-1] == 65536 / 2 ** len(poisoned)
    for (name, mine), theirs in zip(
        train_state.classifier.state_dict().items(), classifier.state_dict().values(), strict=True
    ):
        assert torch.isfinite(mine).all(), name
        torch.testing.assert_close(mine, theirs, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("values", [{}, {"grad_accum_steps": 2, "optimizer": "lamb"}], ids=["adamw", "accumulated"])
def test_a_resumed_run_has_the_scale_and_the_bits(tmp_path, values):
    recipe = dataclasses.replace(RECIPE, **values)
    whole = trained(recipe, train_state=poison(new(recipe), (2,)))
    first = poison(new(recipe), (2,))
    steps = loop.train(first, epoch_batches, lambda: batches(18, seed=9), 6, 0, 0)
    while len(first.history) < 1:
        next(steps)
    (tmp_path / "checkpoint.pt").write_bytes(checkpoint.serialized(checkpoint.copied_contents(first)))
    again = new(recipe)
    checkpoint.restore(again, tmp_path / "checkpoint.pt")
    assert again.scaler.get_scale() == 32768
    assert weights(trained(recipe, train_state=again)) == weights(whole)


def test_no_other_precision_has_a_scaler():
    assert all(new(Recipe(resolution=12, precision=name)).scaler is None for name in ("float32", "bfloat16"))


def test_it_is_refused_on_a_cpu(photos):
    study = cg.Study("half", str(photos), {"a": cg.Arm("plain_flower")}, Recipe(precision="float16"))
    with pytest.raises(cg.CommonGardenError, match="found 'float16', which needs a CUDA device, but the device is cpu"):
        plan.check_precision(study, "cpu")
    plan.check_precision(study, "cuda:0")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_study_is_trained_in_float16(photos, tmp_path, cache_folder):
    recipe = Recipe(resolution=16, epochs=2, batch_size=8, precision="float16")
    study = cg.Study("half", str(photos), {"a": cg.Arm("residual_flower")}, recipe, (0,))
    results, _report = cg.run(study, tmp_path / "out", device="cuda")
    assert results.arms[0].n_finished == 1
    assert torch.device(cg.open_store(tmp_path / "out").run("a", 0).device) != CPU
