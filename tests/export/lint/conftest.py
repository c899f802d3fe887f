"""Small graphs and a manifest for the rules to look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pocketclip.export.artifact.manifest import FileEntry, Golden, GoldenTensor, Manifest, ModelIdentity, TensorSpec
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models.registry import load_config

SaveOnnx = Callable[..., Path]


@pytest.fixture
def save_onnx(tmp_path: Path) -> SaveOnnx:
    """Writes an ONNX model of the nodes given; inputs and outputs are (name, element type, shape)."""

    def save(
        nodes: list[Any],
        inputs: list[tuple[str, int, list[Any]]],
        outputs: list[tuple[str, int, list[Any]]],
        constants: dict[str, np.ndarray] | None = None,
        *,
        opset: int = 18,
        ir: int = 8,
    ) -> Path:
        graph = helper.make_graph(
            nodes,
            "small",
            [helper.make_tensor_value_info(*entry) for entry in inputs],
            [helper.make_tensor_value_info(*entry) for entry in outputs],
            [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)
        onnx.checker.check_model(model)
        path = tmp_path / "small.onnx"
        onnx.save(model, path)
        return path

    return save


@pytest.fixture
def normalised(save_onnx: SaveOnnx) -> Path:
    """A projection and an L2 norm: nothing is wrong with it."""
    return save_onnx(
        [
            helper.make_node("MatMul", ["x", "projection"], ["raw"]),
            helper.make_node("ReduceL2", ["raw", "axes"], ["norm"], keepdims=1),
            helper.make_node("Div", ["raw", "norm"], ["embedding"]),
        ],
        [("x", TensorProto.FLOAT, [1, 8])],
        [("embedding", TensorProto.FLOAT, [1, 4])],
        {"projection": np.ones((8, 4), np.float32), "axes": np.array([-1], np.int64)},
    )


@pytest.fixture
def manifest() -> Manifest:
    """Of an image tower that is as it should be."""
    config = load_config("pocketclip_nano")
    tensor = GoldenTensor("golden.bin", (2, 4), "float32")
    return Manifest(
        schema_version=2,
        created_at="2026-01-01T00:00:00+00:00",
        model=ModelIdentity("pocketclip_nano", "0" * 64, "0" * 64, 1, 4, 100.0),
        tower=Tower.IMAGE,
        target=TargetName.ONNX,
        precision=Precision.FP32,
        entry_point="model.onnx",
        inputs=(TensorSpec("x", (1, 8), "float32", "NC", 0.0, 1.0),),
        outputs=(TensorSpec("embedding", (1, 4), "float32", "ND", -1.0, 1.0),),
        normalized=True,
        preprocess=config.preprocess,
        tokenizer=None,
        files=(FileEntry("model.onnx", 1000, "0" * 64),),
        versions={},
        golden=Golden(tensor, tensor, tensor),
        parity=None,
        requires="ONNX Runtime 1.14",
    )
