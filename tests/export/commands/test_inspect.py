"""The `inspect` command: packages of ours and of others, artefacts, and what is neither."""

from __future__ import annotations

from pathlib import Path

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb
from coremltools.converters.mil.mil import Function, Program, types


def _foreign(folder: Path, operation: str) -> Path:
    """A package that is not from our exporter, of one op on a vector."""
    with Function({"x": mb.placeholder(shape=(4,), dtype=types.fp16)}, ct.target.iOS17) as function:
        function.set_outputs([getattr(mb, operation)(x=function.inputs["x"])])
    program = Program()
    program.add_function("main", function)
    model = ct.convert(program, minimum_deployment_target=ct.target.iOS17, skip_model_load=True)
    assert isinstance(model, ct.models.MLModel)
    model.save(str(folder / "foreign.mlpackage"))
    return folder / "foreign.mlpackage"


def test_foreign_package(pocketclip, tmp_path: Path) -> None:
    result = pocketclip("inspect", _foreign(tmp_path, "tanh"))
    assert result.returncode == 0, result.stderr
    assert "ML program for iOS 17 and later" in result.stdout
    assert "tanh" in result.stdout and "the reference executor supports every op" in result.stdout
    assert "no problem predicted" in result.stdout


def test_foreign_package_with_an_op_that_we_lack(pocketclip, tmp_path: Path) -> None:
    result = pocketclip("inspect", _foreign(tmp_path, "acos"))
    assert result.returncode == 0, result.stderr
    assert "the reference executor does not support: acos" in result.stdout


def test_what_is_no_package(pocketclip, error_line, tmp_path: Path) -> None:
    for path, complaint in (
        (tmp_path / "none.mlpackage", "does not exist"),
        (tmp_path, "no .mlpackage or .aimodel folder"),
    ):
        result = pocketclip("inspect", path)
        assert result.returncode == 2
        assert complaint in error_line(result)


@pytest.mark.slow
def test_artefacts(pocketclip, error_line, nano_exports) -> None:
    for key, expected in {
        ("coreml", "palette4", "image"): "constexpr_lut_to_dense of uint4",
        ("coreml", "int8-static", "image"): "activations in 8 bits",
        ("executorch-coreml", "int8-weights", "text"): "constexpr_affine_dequantize of int8",
    }.items():
        result = pocketclip("inspect", nano_exports[key].folder)
        assert result.returncode == 0, result.stderr
        assert expected in result.stdout
        assert "the reference executor supports every op" in result.stdout
    refused = pocketclip("inspect", nano_exports["onnx", "fp32", "text"].folder)
    assert refused.returncode == 2
    assert "only those for Core ML, Core AI and NPUs can be inspected" in error_line(refused)


def test_sizes_are_those_of_the_weight_file(tmp_path: Path) -> None:
    """An independent count: the package's own file of weights, whose header and padding are small."""
    from pocketclip.export.coreml_reference import load_program
    from pocketclip.export.coreml_reference.inspection import inspect

    weight = np.random.default_rng(0).normal(size=(256, 256)).astype(np.float16)
    with Function({"x": mb.placeholder(shape=(2, 256), dtype=types.fp16)}, ct.target.iOS17) as function:
        function.set_outputs([mb.linear(x=function.inputs["x"], weight=weight)])
    program = Program()
    program.add_function("main", function)
    model = ct.convert(program, minimum_deployment_target=ct.target.iOS17, skip_model_load=True)
    assert isinstance(model, ct.models.MLModel)
    package = tmp_path / "one.mlpackage"
    model.save(str(package))
    stored = (package / "Data/com.apple.CoreML/weights/weight.bin").stat().st_size
    found = sum(form.stored_bytes for form in inspect(load_program(package)).weights)
    assert found == pytest.approx(stored, rel=0.01)
