"""Networks written for other programs: run there by themselves, they say what torch says."""

import dataclasses
import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner

import commongarden as cg
from commongarden.cli import main
from commongarden.inference import exporting, graph_files
from commongarden.inference.exported import Comparison, describe


@pytest.fixture
def here(monkeypatch, tmp_path):
    """Runs the command in this process, where torch is loaded already, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, ["export", *map(str, arguments)])


def session(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def test_a_finished_run_is_exported_with_its_preprocessing(commongarden, finished, photos, tmp_path):
    path = tmp_path / "network.onnx"
    run = finished / "runs" / "residual" / "0"
    table = json.loads(commongarden("export", run, "--format", "onnx", "--out", path, "--json", check=0).stdout)
    assert table["agrees"]
    assert table["max_difference"] <= 1e-3
    assert table["inputs"].startswith("pixels uint8 (batch, 3, 16, 16)")
    assert "daisy, rose, tulip" in table["outputs"]
    graph = session(path)
    (pixels,), (logits,) = graph.get_inputs(), graph.get_outputs()
    assert (pixels.name, pixels.type, pixels.shape[1:]) == ("pixels", "tensor(uint8)", [3, 16, 16])
    assert not isinstance(pixels.shape[0], int), "the batch is not free"
    assert logits.name == "logits"
    predictor = cg.load(run)
    files = sorted((photos / "rose").iterdir())[:7]
    batch = torch.cat([predictor.preprocess(photo) for photo in files])
    with torch.inference_mode():
        expected = predictor(batch).numpy()
    np.testing.assert_allclose(graph.run(None, {"pixels": batch.numpy()})[0], expected, atol=1e-3)


def test_an_arm_is_exported_and_says_what_goes_in_and_out(here, tmp_path):
    result = here("inception_flower:LA", "--input", "48x48x3", "--classes", 7)
    assert result.exit_code == 0
    path = tmp_path / "inception_flower-LA.onnx"
    assert "in:   images float32 (batch, 3, 48, 48)" in result.output
    assert "out:  logits float32 (batch, 7)" in result.output
    assert "max difference" in result.output
    assert list(tmp_path.iterdir()) == [path], "weights stand beside the file"
    (logits,) = session(path).run(None, {"images": np.zeros((5, 3, 48, 48), np.float32)})
    assert logits.shape == (5, 7)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_run_in_half_precision_is_exported_in_float32(finished, monkeypatch, tmp_path, precision):
    predictor = cg.load(finished / "runs" / "plain" / "0")
    predictor.run = dataclasses.replace(
        predictor.run, recipe=dataclasses.replace(predictor.run.recipe, precision=precision)
    )
    predictor.classifier.precision = precision
    monkeypatch.setattr(exporting, "load_run", lambda run: predictor)
    exported = exporting.export_run("plain", tmp_path / "half.onnx")
    assert exported.agrees
    assert f"tested this network in {precision}; the logits above are those of float32" in describe(exported)


def test_a_file_that_says_something_else_ends_with_one(here, monkeypatch, tmp_path):
    """Weights changed behind the exporter's back are found out."""
    loaded = onnx.load

    def tampered(path):
        model = loaded(path)
        weights = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
        values = np.frombuffer(weights.raw_data, np.float32) * 1.01
        weights.raw_data = values.astype(np.float32).tobytes()
        onnx.save(model, path)
        return model

    monkeypatch.setattr(onnx, "load", tampered)
    path = str(tmp_path / "wrong.onnx")
    result = here("plain_flower", "--input", "32x32x3", "--out", path)
    assert result.exit_code == 1
    assert "DIFFER by more than 0.001" in result.output


def test_what_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(graph_files, "PACKAGES", ("onnx", "onnx_not_there"))
    with pytest.raises(
        cg.CommonGardenError, match="onnx_not_there; install them in commongarden's folder: pip install"
    ):
        exporting.export_arm(
            "plain_flower", cg.arch.network("plain_flower", 5), 5, (64, 64, 3), out=tmp_path / "x.onnx"
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plane_flower"], "did you mean 'plain_flower'?"),
        (["."], "accepted: the folder of a study, or of a finished run (STUDY/runs/MODEL/SEED)"),
        (["plain_flower", "--format", "onyx"], "Did you mean 'onnx'?"),
        (["plain_flower", "--out", "no/such/folder/x.onnx"], "no/such/folder/x.onnx: no such folder"),
    ],
)
def test_mistakes_in_export_end_with_two(commongarden, tmp_path, arguments, message):
    result = commongarden("export", *arguments, cwd=tmp_path, check=2)
    assert message in " ".join(result.stderr.split())
    assert not list(tmp_path.iterdir())


class Magnifies(torch.nn.Module):
    """Differs from float64 visibly: it takes the difference of two nearly equal numbers many times over."""

    def __init__(self, n_classes):
        super().__init__()
        self.linear = torch.nn.Linear(12, n_classes)

    def forward(self, images):
        logits = self.linear(images.flatten(1))
        return ((logits * 3.7 + 1000.1) / 7.3 - 1000.1 / 7.3) * 1000


def graph_of(module, images):
    return graph_files.Graph(module, images, "images", "float32", "", "(batch, 4)")


def test_a_network_that_magnifies_rounding_is_judged_by_float64(tmp_path):
    torch.manual_seed(0)
    module, images = Magnifies(4).eval(), torch.randn(3, 3, 2, 2)
    written = graph_files.write_onnx(graph_of(module, images), tmp_path / "net.onnx")
    rounding = graph_files.rounding(module, images)
    assert 0.001 < rounding < 1
    assert Comparison("onnxruntime", 3 * rounding, 1.0, rounding).agrees
    wrong = Comparison("onnxruntime", 5 * rounding, 1.0, rounding)
    assert not wrong.agrees
    right = dataclasses.replace(wrong, max_difference=rounding)
    assert "agree within rounding" in describe(dataclasses.replace(written, compared=right))
    assert "DIFFER" in describe(dataclasses.replace(written, compared=wrong))


def test_float64_does_not_excuse_a_wrong_file(tmp_path, monkeypatch):
    module, images = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4)).eval(), torch.randn(3, 3, 2, 2)
    right = graph_files.compared

    def shifted(*given):
        found = right(*given)
        return dataclasses.replace(found, max_difference=found.max_difference + 0.01)

    monkeypatch.setattr(graph_files, "compared", shifted)
    written = graph_files.write_onnx(graph_of(module, images), tmp_path / "net.onnx")
    assert 0 < written.compared.rounding < 1e-5
    assert not written.agrees


def test_a_network_without_float64_has_no_rounding_measured():
    class Float32(torch.nn.Module):
        def forward(self, images):
            return torch.nn.functional.linear(images.flatten(1), torch.zeros(2, 12))

    assert graph_files.rounding(Float32(), torch.randn(3, 3, 2, 2)) == 0.0
