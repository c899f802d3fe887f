"""`inspect`: ops, sizes and predicted trouble spots, on programs of a few ops whose answer is known by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb
from coremltools.converters.mil.mil import types

from pocketclip.export.coreml_reference import Program, load_program
from pocketclip.export.coreml_reference.inspection import inspect
from pocketclip.export.coreml_reference.neural_engine import RULES, predict

from .op_case import IOS17, IOS18, save_program

UINT4 = types.nptype_from_builtin(types.uint4)
UINT1 = types.nptype_from_builtin(types.uint1)


def _program(folder: Path, build: Any, *inputs: np.ndarray, target: Any = IOS18) -> Program:
    return load_program(save_program(folder / "program.mlpackage", build, inputs, target=target))


def _zeros(*shape: int, kind: Any = np.float16) -> np.ndarray:
    return np.zeros(shape, kind)


def test_ops_precisions_and_sizes(tmp_path: Path) -> None:
    weight = np.ones((8, 4, 3, 3), np.float16)
    program = _program(
        tmp_path,
        lambda x, ids: (mb.relu(x=mb.conv(x=x, weight=weight, pad_type="same")), mb.add(x=ids, y=ids)),
        _zeros(1, 4, 6, 64),
        _zeros(3, kind=np.int32),
    )
    found = inspect(program)
    by_type = {op.op_type: op for op in found.ops}
    assert {name: op.count for name, op in by_type.items()} == {"conv": 1, "relu": 1, "add": 1, "cast": 1}
    assert by_type["conv"].precisions == (("fp16", 1),)
    assert by_type["conv"].weight_bytes == weight.size * 2
    assert by_type["add"].precisions == (("int32", 1),)
    assert all(op.known for op in found.ops) and found.unknown_ops == ()
    (form,) = found.weights
    assert (form.form, form.count, form.stored_bytes, form.values, form.bits) == ("fp16", 1, 576, 288, 16)


def test_size_of_compressed_weights_counts_every_part_once(tmp_path: Path) -> None:
    mask = np.tile([1, 0], (16, 32))

    def build(x: Any) -> Any:
        sparse_mask, data = mb.constexpr_lut_to_sparse(
            indices_mask=mask.astype(UINT1),
            indices_nonzero_data=np.zeros(mask.sum()).astype(UINT4),
            lut=np.zeros((1, 1, 16, 1), np.float16),
        )
        return mb.linear(x=x, weight=mb.constexpr_sparse_to_dense(nonzero_data=data, mask=sparse_mask))

    # Its bias of zeros is the other one.
    form, _ = inspect(_program(tmp_path, build, _zeros(2, 64))).weights
    assert form.form == "constexpr_sparse_to_dense of constexpr_lut_to_sparse of uint4"
    assert form.stored_bytes == mask.size // 8 + mask.sum() // 2 + 16 * 2
    assert form.values == mask.size


def test_unknown_op_is_named(tmp_path: Path) -> None:
    program = _program(tmp_path, lambda x: mb.acos(x=x), _zeros(4))
    assert inspect(program).unknown_ops == ("acos",)


def _rows(x: Any) -> Any:
    for _ in range(3):
        x = mb.reshape(x=mb.transpose(x=x, perm=[0, 2, 1]), shape=[1, 64, 64])
    return x


TROUBLE: dict[str, tuple[Any, list[np.ndarray], Any]] = {
    "single-precision": (
        lambda x: mb.linear(x=x, weight=np.ones((4, 64), np.float32)),
        [_zeros(2, 64, kind=np.float32)],
        IOS17,
    ),
    "gather": (
        lambda ids: mb.gather(x=np.ones((8, 64), np.float16), indices=ids, axis=0),
        [_zeros(3, kind=np.int32)],
        IOS17,
    ),
    "recurrent": (
        lambda x: mb.gru(
            x=x,
            initial_h=np.zeros((1, 2), np.float16),
            weight_ih=np.ones((6, 3), np.float16),
            weight_hh=np.ones((6, 2), np.float16),
        )[0],
        [_zeros(5, 1, 3)],
        IOS17,
    ),
    "dilated": (
        lambda x: mb.conv(x=x, weight=np.ones((2, 2, 3, 3), np.float16), dilations=[2, 2], pad_type="same"),
        [_zeros(1, 2, 64, 64)],
        IOS17,
    ),
    "narrow-rows": (lambda x: mb.relu(x=x), [_zeros(1, 64, 64, 8)], IOS17),
    "channels-last": (
        lambda x: mb.linear(x=x, weight=np.ones((64, 64), np.float16)),
        [_zeros(1, 77, 64)],
        IOS17,
    ),
    "memory-moves": (_rows, [_zeros(1, 64, 64)], IOS17),
    "blocked-weights": (
        lambda x: mb.linear(
            x=x,
            weight=mb.constexpr_blockwise_shift_scale(
                data=np.ones((64, 64), np.int8), scale=np.ones((64, 2), np.float16)
            ),
        ),
        [_zeros(2, 64)],
        IOS18,
    ),
    "integer-activations": (
        lambda x: mb.dequantize(
            input=mb.quantize(input=x, scale=np.float16(0.5), output_dtype="int8"), scale=np.float16(0.5)
        ),
        [_zeros(1, 64)],
        IOS17,
    ),
}


@pytest.mark.parametrize("code", TROUBLE)
def test_each_rule_finds_its_trouble(code: str, tmp_path: Path) -> None:
    build, inputs, target = TROUBLE[code]
    found = predict(_program(tmp_path, build, *inputs, target=target))
    # A program that moves memory or convolves small maps is bound to have more than one.
    assert code in {prediction.code for prediction in found}
    for prediction in found:
        assert str(prediction).startswith("predicted: ") and prediction.source in str(prediction)


def test_a_program_that_suits_the_engine_has_no_prediction(tmp_path: Path) -> None:
    def build(x: Any) -> Any:
        for _ in range(3):
            x = mb.relu(x=mb.conv(x=x, weight=np.ones((64, 64, 1, 1), np.float16)))
        return x

    assert predict(_program(tmp_path, build, _zeros(1, 64, 1, 64))) == []


def test_free_shapes_are_predicted(tmp_path: Path) -> None:
    import torch

    batch = torch.export.Dim("batch", min=1, max=8)
    exported = torch.export.export(torch.nn.ReLU(), (torch.zeros(2, 64),), dynamic_shapes=({0: batch},))
    model = ct.convert(
        exported.run_decompositions({}),
        inputs=[ct.TensorType(name="x", shape=(ct.RangeDim(1, 8), 64))],
        minimum_deployment_target=IOS17,
        skip_model_load=True,
    )
    assert isinstance(model, ct.models.MLModel)
    model.save(str(tmp_path / "free.mlpackage"))
    assert "flexible-shapes" in {found.code for found in predict(load_program(tmp_path / "free.mlpackage"))}


def test_every_rule_has_a_case() -> None:
    assert len(RULES) == len(TROUBLE) + 1
