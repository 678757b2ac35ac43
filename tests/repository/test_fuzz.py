"""Bad input: whatever bytes people give, a result or an error of our own that names the file (long: make fuzz)."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
import tomli_w
from hypothesis import example, given, settings
from hypothesis import strategies as st

import fuzzing
from commongarden import arch, study
from commongarden.errors import ArchError, StoreError, StudyError
from commongarden.io import npz, reader
from paths import ROOT

TARGETS = fuzzing.targets()
ARRAYS = reader.Kind("predictions.npz", "a file of arrays", npz.read)
SCRIPT = ROOT / "scripts" / "fuzz.py"
shares = st.floats(0, 1)
edits = st.lists(
    st.tuples(shares, shares, st.integers(0, 4), st.sampled_from(fuzzing.TOKENS) | st.binary(max_size=4)), max_size=6
)
numbers = st.integers() | st.floats(allow_nan=False) | st.sampled_from([0, -1, 10**18, 10**30, 1e300, 0.5])
texts = st.text(max_size=12) | st.sampled_from(["plain_flower", "LAB", "#n", "conv", "nets/x.json", "timm:x", "a.py:b"])
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(texts, inside, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("name", TARGETS)
def test_edited_files_are_read_or_refused(name):
    target = TARGETS[name]

    @settings(max_examples=40)
    @given(seed=st.sampled_from(target.seeds), edits=edits)
    def hold(seed, edits):
        fuzzing.judge(target, fuzzing.edited(seed, edits))

    hold()
    for data in (b"", b"\x00", b"\xff\xfe", b"[" * 100_000, b"{" * 100_000, b"a" * 300_000, b"-" * 50_000):
        fuzzing.judge(target, data)


KEYS = ["name", "data", "seeds", "seed", "vary", "folds", "metric", "margin", "lr", "arch", "order", "base", "is",
        "train", "val", "best", "arms", "epochs", "source", "plain", "augment", "list_form", "runs"]  # fmt: skip
toml_values = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | texts | st.dates(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | texts, inside, max_size=3),
    max_leaves=6,
)


@settings(max_examples=80)
@example({"published": {"source": []}})
@example({"published": {"source": "a book"}})
@given(
    st.dictionaries(
        st.sampled_from(["study", "recipe", "arms", "factors", "contrasts", "split", "published", "tuning"]),
        st.dictionaries(st.sampled_from(KEYS), toml_values, max_size=4) | toml_values,
        max_size=4,
    )
)
def test_any_toml_is_a_study_or_a_told_mistake(table):
    table.setdefault("arms", {"a": {"arch": "plain_flower"}})
    try:
        text = tomli_w.dumps(table)
    except (ValueError, TypeError):  # what TOML cannot hold
        return
    fuzzing.judge(TARGETS["study file"], text.encode("utf-8", "replace"))


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(st.sampled_from(["conv", "max", "full", "loop", "add", "custom", "serial"]), json_values), max_size=4
    )
)
def test_any_json_is_a_network_or_a_told_mistake(layers):
    text = json.dumps({"model": [list(layer) for layer in layers]})
    fuzzing.judge(TARGETS["list form"], text.encode())


@settings(max_examples=100)
@given(data=st.data(), value=json_values)
def test_any_value_in_a_record_is_read_or_refused(data, value):
    target = TARGETS["record run.json"]
    record = json.loads(target.seeds[0])
    record[data.draw(st.sampled_from(sorted(record)))] = value
    fuzzing.judge(target, json.dumps(record).encode())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[study]\nseeds = 99999999999", "the number of seeds (1 to 10,000)"),
        ("[study]\nfolds = 99999999999", "an integer from 2 to 10,000"),
        ("[study]\nseeds = [99999999999999999999]", "study.seeds"),
        ("[tuning]\nruns = 99999999999", "an integer from 2 to 10,000"),
        (f"[factors]\narch = ['plain_flower', 'residual_flower']\nlr = {[i / 1e4 for i in range(1, 900)]}", "1,798"),
        ("[factors]\narhc = ['plain_flower']", "unknown factor 'arhc'; did you mean 'arch'?"),
        ("[study]\nname = '\\u001b[31m'", ""),
        ('[study]\nname = "\\u001b[31m"', "found the control character '\\x1b'"),
        ('["\\u001b[31m"]\nx = 1', "keys without control characters"),
        ('[arms.b]\narch = "plain_flowr"', "study: arms.b: unknown architecture 'plain_flowr'"),
        ("x = " + "[" * 50_000, "nested too deeply"),
        ("x = 1979-99-99", "line 1: more text after the value"),
    ],
)
def test_what_was_found_by_fuzzing_study_files(text, message):
    arm = '\n[arms.a]\narch = "plain_flower"\n' if "factors" not in text else "\n"
    if not message:
        study.parse(text + arm)
        return
    with pytest.raises(StudyError) as error:
        study.parse(text + arm)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Conv(channels=1, kernel=())", "Conv: kernel: found (), accepted: tuple[int, int]"),
        ("Conv(channels='x', kernel=(1, 1))", "Conv: channels: found 'x', accepted: int"),
        ("Conv(channels=1, kernel=(1, 1), padding='sam')", "Conv: padding: found 'sam'"),
        ("Serial(layers=(1,), name='')", "Serial: layers: found (1,), accepted: a node"),
        ("Dense(features=True)", "Dense: features: found True"),
        ("-" * 50_000 + "1", "not a network's text form: nested too deeply"),
        ("__import__('os').system('true')", "not a network's text form: found"),
        ("Serial(layers=(), name=__import__)", "accepted: nodes, numbers, text, tuples"),
    ],
)
def test_what_was_found_by_fuzzing_text_forms(text, message):
    with pytest.raises(ArchError) as error:
        arch.read(text)
    assert message in str(error.value)


def test_arrays_that_promise_more_than_they_have():
    import io
    import zipfile

    import numpy as np

    for shape, descr in (((10**18,), "<f8"), ((2**33,), "<U1000"), ((3,), "|O")):
        header, packed = io.BytesIO(), io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": descr, "fortran_order": False, "shape": shape})
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("photos.npy", header.getvalue() + b"1234")
        with pytest.raises(StoreError, match="not a file of arrays"):
            reader.parsed(Path("x.npz"), packed.getvalue(), ARRAYS)
    torn = b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f8\n " + b" " * 20
    with zipfile.ZipFile(packed := io.BytesIO(), "w") as archive:
        archive.writestr("photos.npy", torn)
    with pytest.raises(StoreError, match="not a file of arrays"):
        reader.parsed(Path("x.npz"), packed.getvalue(), ARRAYS)


def test_arrays_are_those_that_were_written(tmp_path):
    import io

    import numpy as np

    given = {"a": np.arange(6.0).reshape(2, 3), "s": np.array(["x", "한글"]), "n": np.zeros((0, 4), np.float32)}
    np.savez_compressed(packed := io.BytesIO(), **given, f=np.asfortranarray(given["a"]))
    found = reader.parsed(Path("x"), packed.getvalue(), ARRAYS)
    assert list(found) == [*given, "f"]
    for name, array in given.items():
        np.testing.assert_array_equal(found[name], array)
    np.testing.assert_array_equal(found["f"], given["a"])


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this Python")
def test_the_fuzzer_finds_nothing_in_a_second(tmp_path):
    command = [
        sys.executable,
        str(SCRIPT),
        "--seconds",
        "1",
        "--out",
        str(tmp_path),
        "--json",
        str(tmp_path / "j"),
        "list",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "j").read_text())["list form"]
    assert result["inputs"] > 10
    assert result["coverage"] > 10
