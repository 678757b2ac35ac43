"""A network's whole state is stored and comes back, whatever its author keeps in it."""

from __future__ import annotations

import io

import torch
from torch import nn

from commongarden.train import state, streams


class Odd(nn.Module):
    """Tied weights, one module under two names, a buffer and a plain tensor that training changes, extra state."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(4, 4, bias=False)
        self.two = self.one
        self.tied = nn.Linear(4, 4)
        self.tied.weight = self.one.weight
        self.norm = nn.BatchNorm1d(4)
        self.register_buffer("mean", torch.zeros(4), persistent=False)
        self.scale = torch.ones(4)
        self.table = torch.zeros(1).expand(4)
        self.cache: torch.Tensor | None = None
        self.calls = 0
        self.rows = nn.Parameter(torch.arange(8.0).view(2, 4))
        self.register_buffer("row", self.rows.data[0])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.cache = x
        if self.training:
            self.calls += 1
            with torch.no_grad():
                self.mean.add_(x.mean(0))
                self.scale = self.scale * 1.5
        return self.norm(self.tied(self.two(self.one(x))) - self.mean) * self.scale / (1 + self.calls) + self.row

    def get_extra_state(self) -> dict[str, object]:
        return {"calls": self.calls, "names": ["a", "b"]}

    def set_extra_state(self, kept: dict[str, object]) -> None:
        self.calls = int(kept["calls"])  # type: ignore[call-overload]


class Versioned(nn.Module):
    """Refuses a state without its version, as torchvision's MNASNet does in its way."""

    _version = 2

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest):  # type: ignore[no-untyped-def]
        if local_metadata.get("version") != 2:
            raise ValueError("an old version")
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


def test_what_is_stored_is_what_was_trained() -> None:
    torch.manual_seed(0)
    trained, x = Odd(), torch.randn(6, 4)
    for _ in range(3):
        trained.train()(x)
    stored, fresh = state.to_bytes(trained, Odd()), Odd()
    state.from_bytes(fresh, stored)
    assert torch.equal(trained.eval()(x), fresh.eval()(x))
    assert fresh.calls == 3
    assert fresh.tied.weight is fresh.one.weight
    assert state.to_bytes(fresh, Odd()) == stored


def test_a_copied_state_stays_as_it_was() -> None:
    trained, x = Odd(), torch.randn(6, 4)
    kept, left_out = state.copied(state.state_of(trained)), state.copied(state.hidden(trained))
    before = trained.eval()(x)
    trained.train()(x)
    assert not torch.equal(trained.eval()(x), before)
    state.put(trained, kept)
    state.put_hidden(trained, left_out)
    assert torch.equal(trained.eval()(x), before)


def test_a_module_with_a_version_of_its_own() -> None:
    trained, fresh = Versioned(), Versioned()
    trained.weight.data.fill_(3)
    state.from_bytes(fresh, state.to_bytes(trained, Versioned()))
    assert fresh.weight.tolist() == [3, 3]


def test_every_generator_is_seeded() -> None:
    import random

    import numpy as np

    class Drawing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.own, self.numpy, self.python = torch.Generator(), np.random.default_rng(), random.Random()
            self.old = np.random.RandomState()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            drawn = [torch.rand(1, generator=self.own).item(), self.numpy.random(), self.python.random()]
            drawn += [torch.rand(1).item(), np.random.rand(), random.random(), self.old.rand()]  # noqa: NPY002
            return torch.tensor(drawn, dtype=torch.float64)

    first, second = Drawing(), Drawing()
    streams.seed_all(5, first)
    one = first(torch.zeros(1))
    streams.seed_all(5, second)
    assert torch.equal(one, second(torch.zeros(1)))
    assert len(set(one.tolist())) == len(one)


def test_hostile_extra_state_runs_nothing(tmp_path) -> None:
    import pickle

    import pytest
    import safetensors.torch

    class Touch:
        def __reduce__(self):  # type: ignore[no-untyped-def]
            return (open, (str(tmp_path / "touched"), "w"))

    buffer = io.BytesIO()
    torch.save(Touch(), buffer)
    tensors = safetensors.torch.load(state.to_bytes(Odd()))
    tensors[state.EXTRA] = torch.frombuffer(bytearray(buffer.getvalue()), dtype=torch.uint8)
    with pytest.raises(pickle.UnpicklingError):
        state.from_bytes(Odd(), safetensors.torch.save(tensors))
    assert not (tmp_path / "touched").exists()
