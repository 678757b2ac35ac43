"""Instruments on networks of every form: they neither break nor change what they measure."""

import dataclasses
import itertools
import json
import sys
import warnings

import numpy as np
import pytest
import torch
from torch import nn

import odd_networks
from commongarden import arch
from commongarden.cli import describe
from commongarden.profiling.stopwatch import Stopwatch, clock
from commongarden.profiling.work import work
from commongarden.records import signals
from commongarden.study.arm import Arm, from_text, to_table
from commongarden.study.recipe import Recipe
from commongarden.train import (
    activations,
    attribution,
    audit,
    capture,
    channels,
    external,
    loop,
    measure,
    recording,
    streams,
)
from commongarden.train.audit import tree_paths
from commongarden.train.classifier import Classifier
from commongarden.train.initialize import initialize
from commongarden.train.probe import probe_drawn
from commongarden.train.recording import Recorder
from commongarden.train.replay.forward_backward import eager
from commongarden.train.replay.optimizer_step import as_it_is

CPU, SIZE, N = torch.device("cpu"), 32, 3
INPUT = (SIZE, SIZE, 3)
RECIPE = Recipe(resolution=SIZE, epochs=1, batch_size=6, layout="channels-first", optimizer="sgd", lr=0.01)


@pytest.fixture(autouse=True)
def at_home(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)


def measured(text):
    arm = Arm(text, {})
    return dataclasses.replace(arm, origin=measure.network_by_others(arm, N, INPUT))


def odd(name):
    return measured(f"tests/support/odd_networks.py:{name}")


def batches(n=2):
    generator = torch.Generator().manual_seed(1)
    shape = (6, 3, SIZE, SIZE)
    return [(torch.randint(0, 255, shape, generator=generator, dtype=torch.uint8), torch.arange(6) % N)] * n


def trainee_of(network, recorder=False, steps=2, recipe=RECIPE):
    measure.settle(1)
    torch.manual_seed(0)
    classifier = Classifier(network, INPUT, recipe, (100.0,) * 3, (50.0,) * 3)
    initialize(classifier, recipe, streams.generator(0, 0, "initialization"))
    train_state = loop.new_train_state(classifier, recipe, CPU)
    train_state.forward_backward = eager(classifier, train_state.optimizer, recipe)
    train_state.optimizer_step = as_it_is(train_state.optimizer)
    if any(part.is_complex() for part in classifier.parameters()):
        train_state.optimizer.param_groups[0]["fused"] = False  # torch has no such step for complex numbers
    if recorder:
        train_state.recorder = Recorder(classifier.body, tree_paths(network), steps)
    return train_state


def trained(train_state, steps=2):
    for _ in loop.train(train_state, lambda _: batches(steps), lambda: batches(1), steps, 0, 0):
        pass
    return [
        value.detach().clone() for value in (*train_state.classifier.parameters(), *train_state.classifier.buffers())
    ]


def equal(one, two):
    return all(torch.equal(left, right) for left, right in zip(one, two, strict=True))


def figures(found, signal):
    layers, values = found.of(signal)
    return {layer.path.rpartition("inner.")[2]: float(value) for layer, value in zip(layers, values[-1], strict=True)}


# Signals


@pytest.mark.parametrize("factory", odd_networks.WORKING, ids=lambda factory: factory.__name__)
def test_recording_changes_no_bit_of_any_form_and_needs_no_note(factory):
    network = odd(factory.__name__).network(N)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as torch's about checkpoints
        plain, watched = trainee_of(network), trainee_of(network, recorder=True)
        assert equal(trained(plain), trained(watched))
    found = watched.recorder.signals()
    assert found.notes == ()
    assert found.epochs.tolist() == [1]
    assert signals.from_bytes(signals.to_bytes(found)).layers == found.layers


def test_a_module_called_twice_is_two_layers_and_a_token_count_is_no_channel():
    shown = {}
    for name in ("one_relu", "token_counts", "checkpointed"):
        train_state = trainee_of(odd(name).network(N), recorder=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trained(train_state)
        shown[name] = train_state.recorder.signals()
    assert list(figures(shown["one_relu"], "dead")) == ["stem.2", "relu", "relu (2)"]
    assert list(figures(shown["token_counts"], "dead")) == ["stem.2", "act", "act (2)"]
    assert [layer.path.rpartition("inner.")[2] for layer in shown["checkpointed"].layers] == [
        "stem.0", "stem.1", "stem.2", "block.0", "block.1", "block.2", "deep.0", "deep.1", "head"
    ]  # fmt: skip


class Wide(nn.Module):
    """One of 5 channels is dead. Tokens and sides are 5 as well, so that a shape alone does not tell the axis."""

    def __init__(self, form):
        super().__init__()
        self.form, self.act = form, nn.ReLU()
        self.norm = nn.LayerNorm(5)
        self.conv, self.conv1, self.dense = nn.Conv2d(3, 5, 1), nn.Conv1d(3, 5, 1), nn.Linear(3, 5)
        for layer in (self.conv, self.conv1, self.dense, self.norm):
            nn.init.ones_(layer.weight)
            nn.init.constant_(layer.bias, 10.0)
            with torch.no_grad():
                layer.bias[2] = -1e4

    def forward(self, x):
        x = x[:, :, :5, :5]
        if self.form == "conv":
            return self.act(self.conv(x) + 0.0)
        if self.form == "nhwc":
            return self.act(self.norm(self.conv(x).permute(0, 2, 3, 1)))
        if self.form == "nhwc moved back":
            return self.act(self.norm(self.conv(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2) * 1.0)
        if self.form == "conv1d":
            return self.act(self.conv1(x.flatten(2)[..., :5]))
        if self.form == "tokens":
            return self.act(self.dense(x.flatten(2)[..., :5].transpose(1, 2)))
        if self.form == "tokens of a convolution":
            return self.act(self.conv(x).flatten(2).transpose(1, 2))
        return self.act(self.dense(x.flatten(2)[..., :25].transpose(1, 2)).unflatten(1, (5, 5)).transpose(1, 3))


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize(
    "form",
    ["conv", "nhwc", "nhwc moved back", "conv1d", "tokens", "tokens of a convolution", "tokens as an image"],
)
def test_the_axis_of_channels_is_that_of_what_made_them(form, frozen):
    """Every dimension but the photos' is 5 long or could be, so that only the layers before can tell."""
    network = Wide(form).requires_grad_(not frozen)
    recorder = Recorder(network, {}, 1)
    recorder.begin(1)
    network(torch.rand(4, 3, SIZE, SIZE))
    recorder.learned()
    recorder.moved()
    recorder.end_epoch(1)
    found = recorder.signals()
    assert found.notes == ()
    dead = found.of("dead")[1]
    if frozen and form in ("nhwc moved back", "tokens of a convolution", "tokens as an image"):
        assert not dead.size or dead[-1].tolist() == pytest.approx([0.2])  # without a graph: not known, or right
    else:
        assert dead[-1].tolist() == pytest.approx([0.2])


def test_spectral_norm_is_not_gone_on_with_by_looking():
    network = nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(6, 4)), nn.ReLU())
    recorder = Recorder(network, {}, 1)
    recorder.begin(1)
    network(torch.rand(3, 6)).sum().backward()
    before = [buffer.clone() for buffer in network.buffers()]
    recorder.learned()
    recorder.moved()
    recorder.end_epoch(1)
    assert equal(before, network.buffers())
    assert not recorder.notes


TINY = arch.serial(
    arch.conv(4, 3, stride=4, order="LBA"), arch.global_avg_pool(), arch.dropout(0.2), arch.dense(3), name="tiny"
)
OBSERVED = [module.__file__ for module in (capture, channels, activations)]


def failing_at(place, number):
    """A trace that raises when the line is about to work for the n-th time."""
    left = [number]

    def trace(frame, event, _):
        if frame.f_code.co_filename not in OBSERVED:
            return None
        if event == "line" and (frame.f_code.co_filename, frame.f_lineno) == place:
            left[0] -= 1
            if left[0] == 0:
                raise OSError("injected")
        return trace

    return trace


def lines_worked():
    """How often each line of the observers works while a network is trained."""
    counts = {}

    def trace(frame, event, _):
        if frame.f_code.co_filename not in OBSERVED:
            return None
        if event == "line":
            place = frame.f_code.co_filename, frame.f_lineno
            counts[place] = counts.get(place, 0) + 1
        return trace

    train_state = trainee_of(TINY)
    with_trace(trace, train_state)
    return counts


def with_trace(trace, train_state):
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        train_state.recorder = Recorder(train_state.classifier.body, tree_paths(TINY), 2)
        weights = trained(train_state)
        train_state.recorder.state()
        return weights, train_state.recorder.signals()
    finally:
        sys.settrace(before)


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.soak)])
def test_an_observer_that_fails_at_any_line_changes_no_bit(every):
    plain = trained(trainee_of(TINY))
    places = lines_worked()
    assert len(places) > 120
    for place, number in list(places.items())[::every]:
        weights, found = with_trace(failing_at(place, number), trainee_of(TINY))
        assert equal(plain, weights), place
        assert len(found.notes) == 1, place
        (note,) = found.notes
        assert note.startswith("signals are recorded only up to epoch "), place
        assert "OSError: injected" in note, place


def test_a_recorder_that_has_stopped_says_so_in_the_record_and_stays_off(monkeypatch):
    train_state = trainee_of(TINY, recorder=True)
    monkeypatch.setattr(capture, "_norm", lambda _: 1 / 0)
    trained(train_state)
    found = train_state.recorder.signals()
    assert len(found.notes) == 1
    assert "ZeroDivisionError" in found.notes[0]
    assert signals.from_bytes(signals.to_bytes(found)).notes == found.notes
    monkeypatch.undo()
    again = trainee_of(TINY, recorder=True)
    again.recorder.load(json.loads(json.dumps(train_state.recorder.state())))
    assert again.recorder.begin(1) is False
    assert again.recorder.signals().notes == found.notes
    assert all(not module._forward_hooks for module in train_state.classifier.modules())


def test_bytes_of_signals_without_a_note_are_as_they_were():
    train_state = trainee_of(TINY, recorder=True)
    trained(train_state)
    with np.load(__import__("io").BytesIO(signals.to_bytes(train_state.recorder.signals()))) as arrays:
        assert "notes" not in arrays


def test_a_table_kept_from_evaluation_serves_training():
    """Inference mode's tensors cannot be saved for a backward pass."""
    classifier = trainee_of(odd("caching").network(N)).classifier.eval()
    pixels, labels = batches(1)[0]
    with torch.inference_mode():
        classifier(pixels)
    torch.nn.functional.cross_entropy(classifier.train()(pixels), labels).backward()


# Cost


@pytest.mark.parametrize(
    ("name", "macs"),
    [  # by hand: the stem is 27 x 8 at 64 places, the head 8 x 3
        ("learned_query", 13848 + 2 * 64 + 2 * 2 * 64 * 8),
        ("one_dimensional", 13848 + 64 + 8 + 64),
        ("keywords", 13848 + 64 * 72 * 8),
        ("attention", None),
        ("mapped", 13848 + 64 * 64),
    ],
)
def test_macs_are_counted_whatever_the_form(name, macs):
    found = odd(name).origin
    assert found.unknown == ""
    assert found.macs == macs if macs else found.macs > 13848


UNCOUNTABLE = """
from torch import nn
from torch.utils._python_dispatch import _get_current_dispatch_mode


class Net(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.dense = nn.Linear(3 * 32 * 32, n)

    def forward(self, x):
        if _get_current_dispatch_mode() is not None:
            raise RuntimeError("not while somebody looks")
        return self.dense(x.flatten(1))
"""


def test_what_cannot_be_counted_is_a_dash_with_a_reason(tmp_path, commongarden):
    (tmp_path / "shy.py").write_text(UNCOUNTABLE)
    size = ("--input", "32x32x3", "--classes", 3)
    table = commongarden("describe", "shy.py:Net", *size, cwd=tmp_path, check=0).stdout
    assert "9,219 parameters, – MACs, – MB" in table
    assert "RuntimeError: not while somebody looks (shy.py, line 13, in Net.forward)" in table
    shy, counted = (
        measured(text).network(N) for text in (f"{tmp_path}/shy.py:Net", "tests/support/odd_networks.py:one_relu")
    )
    found = describe.table("shy", shy, INPUT, N, "a reason")
    assert (found["macs"], found["activation_bytes"], found["n_params"]) == (None, None, 9219)
    assert found["not_counted_because"] == "a reason"
    difference = describe.difference_table(("shy", "counted"), arch.difference(shy, counted, INPUT), INPUT, N)
    assert "-1" not in json.dumps({**difference, "before": None}).replace(str(tmp_path), "")
    assert difference["before"]["macs"] is None


def test_studies_hold_the_reason_only_where_there_is_one():
    counted, scripted = odd("one_relu"), odd("all_scripted")
    assert "unknown" not in to_table(counted)["origin"]
    kept = to_table(scripted)["origin"]
    assert (kept["macs"], kept["activation_bytes"]) == (13848, arch.UNKNOWN)
    assert kept["unknown"] == "the outputs inside TorchScript cannot be inspected"
    assert from_text("tests/support/odd_networks.py:one_relu")[1].origin.unknown == ""


# Making


def test_lazy_layers_take_their_shape_when_the_network_is_made():
    arm = odd("lazy")
    assert arm.origin.n_params == 3 * 9 * 8 + 8 + 16 + 8 * 64 * 3 + 3
    (node,) = arm.network(N).layers
    torch.manual_seed(3)
    one = external.make(node)
    torch.manual_seed(3)
    two = external.make(node)
    assert equal(one.parameters(), two.parameters())
    assert one.training


def test_what_others_print_is_not_in_our_output(commongarden):
    found = commongarden(
        "describe", "tests/support/odd_networks.py:printing", "--input", "32x32x3", "--classes", 3, "--json", check=0
    )
    assert json.loads(found.stdout)["n_params"] == 267


def test_warnings_of_others_are_no_errors_of_ours():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        network = external.make(odd("warning").network(N).layers[0])
        network(torch.zeros(2, 3, SIZE, SIZE))


def test_an_error_of_others_is_one_sentence_with_their_line(commongarden):
    code = odd_networks._Breaks.middle.__code__
    found = commongarden("audit", "tests/support/odd_networks.py:breaks", "--input", "32x32x3", "--classes", 3, check=2)
    assert found.stderr.strip().splitlines()[-1] == (
        "error: tests/support/odd_networks.py:breaks: at 32x32x3, evaluation: KeyError: 'no such part' "
        f"(odd_networks.py, line {code.co_firstlineno + 1}, in _Breaks.middle)"
    )


# Audit, timing, attribution


@pytest.mark.parametrize("factory", odd_networks.WORKING, ids=lambda factory: factory.__name__)
def test_audit_timing_and_attribution_take_every_form(factory):
    network = odd(factory.__name__).network(N)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = probe_drawn(network, INPUT, N, RECIPE, 40).audit
        kinds = {(finding.kind, finding.path.rpartition("inner")[2].lstrip(".")) for finding in found.findings}
        assert kinds - {("lagging statistics", "stem.1"), ("lagging statistics", "1")} == {
            "unused": {("unused parameter", "spare"), ("unused parameter", "")},
            "without_gradient": {("cut gradient", "teacher")},
        }.get(factory.__name__, set())

        train_state = trainee_of(network)
        classifier = train_state.classifier
        done = work(classifier.train(), batches()[0][0])
        assert sum(one.macs for one in done.values()) > 0
        stopwatch = Stopwatch(classifier, train_state.optimizer, clock(CPU, 1)[0])
        forwards = {module: module.__dict__.get("forward") for _, module in stopwatch.modules}
        steps = loop.train(train_state, lambda _: itertools.cycle(batches()), lambda: (), 10**9, 0, 0)
        with stopwatch.step(watched=True):
            next(steps)
        assert min(*stopwatch.forward, *stopwatch.backward) >= 0
        assert {module: module.__dict__.get("forward") for _, module in stopwatch.modules} == forwards

        classifier.eval()
        parts = attribution.anatomy(classifier, batches()[0][0][:1])
        if parts.mapped is not None:
            maps = attribution.evidence(classifier, parts.mapped[1], batches()[0][0], torch.zeros(6, dtype=torch.int64))
            assert np.isfinite(maps).all()
        rows, called = attribution.features(classifier, parts.head, batches(), CPU)
        assert len(rows) == len(called) == 12


def test_work_of_a_module_called_twice_is_that_of_both_calls():
    done = work(trainee_of(odd("reused_head").network(N)).classifier.train(), batches()[0][0])
    (head,) = (one for name, one in done.items() if name.endswith("head"))
    assert head.macs == 2 * 3 * 6 * 8 * N


def test_an_audit_leaves_buffers_and_modes_as_they_were():
    network = nn.Sequential(nn.Flatten(), nn.utils.parametrizations.spectral_norm(nn.Linear(12, 4)), nn.BatchNorm1d(4))
    network[2].eval()
    before = [buffer.clone() for buffer in network.buffers()]
    plan = audit.Plan(4, 10, 2, 4)
    audit.audit(network, torch.rand(4, 3, 2, 2), torch.arange(4), plan)
    assert equal(before, network.buffers())
    assert [module.training for module in network] == [True, True, False]


def test_nothing_of_the_recording_is_left_out_of_its_door():
    """Every hook that the capture puts on goes through the recorder's guard."""
    kept = []
    train_state = trainee_of(TINY)
    found = capture.Capture(train_state.classifier.body, str, 1, lambda hook: kept.append(hook) or (lambda *_: None))
    found.begin(1)
    hooks = [hook for module in train_state.classifier.body.modules() for hook in module._forward_hooks.values()]
    assert hooks
    assert len(kept) == len(found._handles)
    assert recording.Recorder.begin.__doc__
