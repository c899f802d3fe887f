"""Reading packages back: what a program says of itself, and every way in which a package can be broken."""

from __future__ import annotations

import shutil
from pathlib import Path

import coremltools as ct
import numpy as np
import pytest
import torch
from coremltools.converters.mil import Builder as mb
from coremltools.models import datatypes
from coremltools.models.neural_network import NeuralNetworkBuilder

from pocketclip.export.coreml_reference import ReferenceExecutor, load_program
from pocketclip.export.errors import ArtifactCorruptError, ArtifactError, ArtifactNotFoundError, UnsupportedOpError

from .op_case import save_program

MODEL = Path("Data/com.apple.CoreML/model.mlmodel")
WEIGHTS = Path("Data/com.apple.CoreML/weights/weight.bin")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of one convolution, whose weights are in a file of their own."""
    weight = np.linspace(-1, 1, 8 * 4 * 9, dtype=np.float32).reshape(8, 4, 3, 3)
    return save_program(
        tmp_path_factory.mktemp("packages") / "sound.mlpackage",
        lambda x, ids: (
            mb.conv(x=x, weight=weight.astype(np.float16), pad_type="same"),
            mb.add(x=ids, y=ids),
        ),
        [np.zeros((1, 4, 6, 6), np.float16), np.zeros(3, np.int32)],
    )


@pytest.fixture
def broken(sound: Path, tmp_path: Path) -> Path:
    """A copy of the sound package, for the test to break."""
    return Path(shutil.copytree(sound, tmp_path / "broken.mlpackage"))


def _cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def test_program_describes_itself(sound: Path) -> None:
    program = load_program(sound)
    assert [str(spec) for spec in program.inputs] == ["x0: float16 [1, 4, 6, 6]", "x1: int32 [3]"]
    assert [(spec.shape, spec.dtype.name) for spec in program.outputs] == [
        ((1, 8, 6, 6), "float32"),
        ((3,), "int32"),
    ]
    assert program.op_counts() == {"add": 1, "cast": 1, "conv": 1}
    assert program.package == sound


def test_free_dimensions(tmp_path: Path) -> None:
    class Flattened(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.reshape(x.shape[0], -1) * 2.0

    batch = torch.export.Dim("batch", min=1, max=8)
    exported = torch.export.export(Flattened(), (torch.zeros(2, 3, 2),), dynamic_shapes={"x": {0: batch}})
    model = ct.convert(
        exported.run_decompositions({}),
        inputs=[ct.TensorType(name="x", shape=(ct.RangeDim(1, 8), 3, 2))],
        outputs=[ct.TensorType(name="y")],
        compute_precision=ct.precision.FLOAT32,
        minimum_deployment_target=ct.target.iOS16,
        skip_model_load=True,
    )
    assert isinstance(model, ct.models.MLModel)
    model.save(str(tmp_path / "free.mlpackage"))

    program = load_program(tmp_path / "free.mlpackage")

    assert [str(spec) for spec in (*program.inputs, *program.outputs)] == [
        "x: float32 [any, 3, 2] (sizes 1 to 8, 3, 2)",
        "y: float32 [any, 6]",
    ]
    executor = ReferenceExecutor(program)
    for size in (1, 5):
        x = np.arange(size * 6, dtype=np.float32).reshape(size, 3, 2)
        np.testing.assert_array_equal(executor.run({"x": x})["y"], x.reshape(size, 6) * 2)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(ArtifactNotFoundError, match="does not exist"):
        load_program(tmp_path / "none.mlpackage")


def test_not_a_package(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"onnx")
    with pytest.raises(ArtifactError, match=r"is not an \.mlpackage"):
        load_program(tmp_path / "model.onnx")


def test_missing_manifest(broken: Path) -> None:
    (broken / "Manifest.json").unlink()
    with pytest.raises(ArtifactCorruptError, match=r"no Manifest\.json"):
        load_program(broken)


@pytest.mark.parametrize("size", [0, 20])
def test_truncated_manifest(broken: Path, size: int) -> None:
    _cut(broken / "Manifest.json", size)
    with pytest.raises(ArtifactCorruptError, match="manifest or model file"):
        load_program(broken)


@pytest.mark.parametrize("size", [1, 700])
def test_truncated_model(broken: Path, size: int) -> None:
    _cut(broken / MODEL, size)
    with pytest.raises(ArtifactCorruptError, match="truncated"):
        load_program(broken)


def test_empty_model(broken: Path) -> None:
    _cut(broken / MODEL, 0)
    with pytest.raises(ArtifactCorruptError, match="model file is empty"):
        load_program(broken)


def test_missing_model(broken: Path) -> None:
    (broken / MODEL).unlink()
    with pytest.raises(ArtifactCorruptError, match="manifest or model file"):
        load_program(broken)


@pytest.mark.parametrize("size", [0, 30, 100, 400])
def test_truncated_weights(broken: Path, size: int) -> None:
    _cut(broken / WEIGHTS, size)
    with pytest.raises(ArtifactCorruptError, match="weights may be truncated"):
        load_program(broken)


def test_missing_weights(broken: Path) -> None:
    (broken / WEIGHTS).unlink()
    with pytest.raises(ArtifactCorruptError, match="weights may be truncated"):
        load_program(broken)


def test_not_an_ml_program(tmp_path: Path) -> None:
    builder = NeuralNetworkBuilder([("x", datatypes.Array(3))], [("y", datatypes.Array(3))])
    builder.add_activation("relu", "RELU", "x", "y")
    ct.models.utils.save_spec(builder.spec, str(tmp_path / "network.mlpackage"))
    with pytest.raises(ArtifactError, match="type neuralNetwork; only mlProgram"):
        load_program(tmp_path / "network.mlpackage")


def test_op_that_coremltools_does_not_know(broken: Path) -> None:
    spec = ct.utils.load_spec(str(broken))
    (function,) = spec.mlProgram.functions.values()
    (block,) = function.block_specializations.values()
    next(op for op in block.operations if op.type == "conv").type = "holographic_conv"
    (broken / MODEL).write_bytes(spec.SerializeToString())
    with pytest.raises(UnsupportedOpError, match="holographic_conv"):
        load_program(broken)
