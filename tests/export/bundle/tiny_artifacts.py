"""Hand-built artefacts of a model that numpy can compute: quick to bundle, and independent of the exporters."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pocketclip.export.artifact.manifest import (
    MANIFEST_NAME,
    SCHEMA_VERSION,
    Golden,
    GoldenTensor,
    Manifest,
    ModelIdentity,
    TensorSpec,
    hash_file,
    list_files,
)
from pocketclip.export.artifact.names import BUNDLE_NAME
from pocketclip.export.artifact.parity_report import ParityReport
from pocketclip.export.artifact.reading import Artifact, load_artifact
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.export.targets import load_target
from pocketclip.models import documents
from pocketclip.models.pixels.preprocess import Interpolation, PreprocessSpec
from pocketclip.models.text.tokenizer import TokenizerSpec, load_tokenizer
from pocketclip.models.text.vocabulary import load_vocabulary, save_vocabulary

SIZE, LENGTH, DIM, SAMPLES = 16, 24, 8, 8
PREPROCESS = PreprocessSpec(SIZE, interpolation=Interpolation.BICUBIC, mean=(0.5, 0.4, 0.3), std=(0.25, 0.2, 0.3))
LABELS = ("red circle", "orange star", "cat")
IDENTITY = ModelIdentity("tiny", "c" * 64, "d" * 64, 1000, DIM, 20.0)
PARITY = ParityReport(64, 1.0, 1.0, 1.0, 1e-6, 120.0, 1.0, 1.0, "numpy", ())


def image_weights() -> np.ndarray:
    """Flattened pixels (NCHW) to embeddings."""
    return np.random.default_rng(1).normal(size=(3 * SIZE * SIZE, DIM)).astype(np.float32)


def text_table() -> np.ndarray:
    """A row for each id of the scenes' vocabulary; an embedding is the normalised sum over the sentence."""
    return np.random.default_rng(2).normal(size=(len(load_vocabulary("scenes")), DIM)).astype(np.float32)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def embed_image(tensor: np.ndarray) -> np.ndarray:
    """(N, 3, S, S) to normalised (N, D), in double precision."""
    return unit(tensor.reshape(len(tensor), -1).astype(np.float64) @ image_weights())


def embed_ids(ids: np.ndarray) -> np.ndarray:
    """(N, T) to normalised (N, D), in double precision."""
    return unit(text_table().astype(np.float64)[ids].sum(1))


def _onnx(path: Path, tower: Tower, scale: float) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    image = tower is Tower.IMAGE
    weights = numpy_helper.from_array((image_weights() if image else text_table()) * np.float32(scale), "weights")
    body = (
        [helper.make_node("Flatten", ["image"], ["flat"]), helper.make_node("MatMul", ["flat", "weights"], ["raw"])]
        if image
        else [
            helper.make_node("Gather", ["weights", "token_ids"], ["rows"]),
            helper.make_node("ReduceSum", ["rows", "one"], ["raw"], keepdims=0),
        ]
    )
    given = (
        helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIZE, SIZE])
        if image
        else helper.make_tensor_value_info("token_ids", TensorProto.INT32, [1, LENGTH])
    )
    graph = helper.make_graph(
        [
            *body,
            helper.make_node("ReduceL2", ["raw"], ["length"], axes=[1]),
            helper.make_node("Div", ["raw", "length"], ["embedding"]),
        ],
        "tiny",
        [given],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, DIM])],
        [weights, numpy_helper.from_array(np.array([1], np.int64), "one")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def _onnx_qnn(path: Path, tower: Tower, scale: float, socs: Sequence[str]) -> None:
    """The same as ops that the NPU takes, prepared for chips."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from pocketclip.export.npu.emulator import prepare
    from pocketclip.export.npu.npu_report import write_report
    from pocketclip.export.npu.qualcomm import package_version
    from pocketclip.export.npu.socs import SOCS

    image = tower is Tower.IMAGE
    weights = numpy_helper.from_array((image_weights() if image else text_table()) * np.float32(scale), "weights")
    body = (
        [
            helper.make_node("Reshape", ["image", "row"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["raw"]),
        ]
        if image
        else [
            helper.make_node("Gather", ["weights", "token_ids"], ["rows"]),
            helper.make_node("ReduceSum", ["rows", "one"], ["raw"], keepdims=0),
        ]
    )
    given = (
        helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIZE, SIZE])
        if image
        else helper.make_tensor_value_info("token_ids", TensorProto.INT32, [1, LENGTH])
    )
    axes = {"row": [1, 3 * SIZE * SIZE], "one": [1]}
    graph = helper.make_graph(
        [*body, helper.make_node("LpNormalization", ["raw"], ["embedding"], axis=-1, p=2)],
        "tiny",
        [given],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, DIM])],
        [weights, *(numpy_helper.from_array(np.array(value, np.int64), name) for name, value in axes.items())],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    contexts, sdk = [], ""
    for soc in socs:
        context, sdk = prepare(path, SOCS[soc], path.parent)
        contexts.append(context)
    write_report(contexts, path.parent, sdk=sdk, package=package_version())


def _coreml(path: Path, tower: Tower, precision: Precision) -> None:
    import coremltools as ct
    from coremltools.converters.mil import Builder as mb
    from coremltools.converters.mil.mil import Function, Program, types

    image = tower is Tower.IMAGE
    half = precision is Precision.FP16
    shape, dtype = ((1, 3, SIZE, SIZE), types.fp32) if image else ((1, LENGTH), types.int32)
    name = "image" if image else "token_ids"
    with Function({name: mb.placeholder(shape=shape, dtype=dtype)}, ct.target.iOS16) as function:
        x: Any = function.inputs[name]
        kind = np.float16 if half else np.float32
        if image:
            x = mb.cast(x=x, dtype="fp16") if half else x
            raw = mb.matmul(x=mb.reshape(x=x, shape=[1, -1]), y=image_weights().astype(kind))
        else:
            raw = mb.reduce_sum(x=mb.gather(x=text_table().astype(kind), indices=x, axis=0), axes=[1])
        raw = mb.cast(x=raw, dtype="fp32") if half else raw
        length = mb.reduce_l2_norm(x=raw, axes=[1], keep_dims=True)
        function.set_outputs([mb.real_div(x=raw, y=length, name="embedding")])
    program = Program()
    program.add_function("main", function)
    model = ct.convert(
        program,
        minimum_deployment_target=ct.target.iOS16,
        compute_precision=ct.precision.FLOAT32,
        skip_model_load=True,
    )
    assert isinstance(model, ct.models.MLModel)
    model.save(str(path))


def _coreai(path: Path, tower: Tower, precision: Precision, scale: float) -> None:
    import contextlib
    import io

    import torch

    from pocketclip.export.coreai.packages import import_converter

    class Linear(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.image = tower is Tower.IMAGE
            weights = torch.from_numpy(image_weights() if self.image else text_table()) * scale
            self.register_buffer("weights", weights.half() if precision is Precision.FP16 else weights)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.image:
                raw = x.flatten(1).to(self.weights.dtype) @ self.weights
            else:
                raw = torch.nn.functional.embedding(x, self.weights).sum(1)
            raw = raw.float()
            return raw * torch.rsqrt((raw * raw).sum(-1, keepdim=True))

    converter = import_converter()
    example = torch.zeros(1, 3, SIZE, SIZE) if tower is Tower.IMAGE else torch.zeros(1, LENGTH, dtype=torch.int32)
    program = torch.export.export(Linear().eval(), (example,)).run_decompositions(converter.get_decomp_table())
    name = "image" if tower is Tower.IMAGE else "token_ids"
    converting = converter.TorchConverter()
    with contextlib.redirect_stdout(io.StringIO()):
        converted = converting.add_exported_program(program, input_names=[name], output_names=["embedding"]).to_coreai()
    converted.save_asset(path)


def _tflite(path: Path) -> None:
    import litert_torch
    import torch

    class Sum(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = torch.nn.Embedding.from_pretrained(torch.from_numpy(text_table()))

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            raw = self.table(ids).sum(1)
            return raw * torch.rsqrt((raw * raw).sum(-1, keepdim=True))

    litert_torch.convert(Sum().eval(), (torch.zeros(1, LENGTH, dtype=torch.int32),)).export(str(path))


ENTRY_POINTS = {
    TargetName.ONNX: "model.onnx",
    TargetName.COREML: "model.mlpackage",
    TargetName.COREAI: "model.aimodel",
    TargetName.TFLITE: "model.tflite",
    TargetName.ONNX_QNN: "model.onnx",
}


def build_artifact(
    root: Path,
    tower: Tower,
    target: TargetName = TargetName.ONNX,
    precision: Precision = Precision.FP32,
    *,
    name: str = "",
    scale: float = 1.0,
    nan_golden: bool = False,
    socs: Sequence[str] = ("SM8650",),
    **changes: Any,
) -> Artifact:
    """A whole, valid artefact of one tower, for `socs` where it is for NPUs; `changes` are made to its manifest."""
    folder = root / (name or f"{target}-{precision}-{tower}")
    folder.mkdir(parents=True)
    model = folder / ENTRY_POINTS[target]
    if target is TargetName.ONNX:
        _onnx(model, tower, scale)
    elif target is TargetName.ONNX_QNN:
        _onnx_qnn(model, tower, scale, socs)
    elif target is TargetName.COREML:
        _coreml(model, tower, precision)
    elif target is TargetName.COREAI:
        _coreai(model, tower, precision, scale)
    else:
        assert tower is Tower.TEXT
        _tflite(model)
    generator = np.random.default_rng(3)
    if tower is Tower.IMAGE:
        inputs = generator.normal(size=(SAMPLES, 3, SIZE, SIZE)).astype(np.float32)
        reference = embed_image(inputs).astype(np.float32)
        spec = TensorSpec("image", (1, 3, SIZE, SIZE), "float32", "NCHW", -2.0, 3.0)
    else:
        tokenizer = load_tokenizer(TokenizerSpec(LENGTH, "scenes"))
        inputs = tokenizer([f"a photo of {count} red circles" for count in range(SAMPLES)])
        reference = embed_ids(inputs).astype(np.float32)
        spec = TensorSpec("token_ids", (1, LENGTH), "int32", "NT", 0.0, float(tokenizer.size - 1))
        save_vocabulary(load_vocabulary("scenes"), folder / "vocabulary.json", description="kept ids")
    session = load_target(target).open(model, 1)
    outputs = np.concatenate([session.run([row[None]])[0] for row in inputs])
    session.close()
    if nan_golden:
        reference[1, 2] = np.nan
    for stem, array in (("inputs", inputs), ("reference", reference), ("outputs", outputs)):
        array.tofile(folder / f"golden_{stem}.bin")
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        created_at="2026-01-01T00:00:00+00:00",
        model=IDENTITY,
        tower=tower,
        target=target,
        precision=precision,
        entry_point=ENTRY_POINTS[target],
        inputs=(spec,),
        outputs=(TensorSpec("embedding", (1, DIM), "float32", "ND", -1.0, 1.0),),
        normalized=True,
        preprocess=PREPROCESS if tower is Tower.IMAGE else None,
        tokenizer=TokenizerSpec(LENGTH, "vocabulary.json") if tower is Tower.TEXT else None,
        files=list_files(folder),
        versions={},
        golden=Golden(
            GoldenTensor("golden_inputs.bin", inputs.shape, inputs.dtype.name),
            GoldenTensor("golden_reference.bin", reference.shape, "float32"),
            GoldenTensor("golden_outputs.bin", outputs.shape, "float32"),
        ),
        parity=replace(PARITY, executed_by=load_target(target).executed_by()),
        requires={TargetName.COREML: "iOS 16", TargetName.COREAI: "iOS 27"}.get(target),
    )
    documents.write(replace(manifest, **changes), folder / MANIFEST_NAME)
    return load_artifact(folder)


def swap_model(artifact: Artifact, content: bytes, target: TargetName = TargetName.ONNX) -> Artifact:
    """The artefact with another model file in its place, as one who made it on purpose would."""
    name = {**ENTRY_POINTS, TargetName.EXECUTORCH: "model.pte"}[target]
    artifact.model_path.unlink()
    (artifact.folder / name).write_bytes(content)

    def change(manifest: dict[str, Any]) -> None:
        entry = next(each for each in manifest["files"] if each["path"] == manifest["entry_point"])
        entry["path"] = manifest["entry_point"] = name
        manifest["target"] = target

    edit(artifact.folder, change, MANIFEST_NAME)
    resign(artifact.folder, MANIFEST_NAME)
    return load_artifact(artifact.folder)


def edit(folder: Path, change: Callable[[dict[str, Any]], object], manifest: str = BUNDLE_NAME) -> None:
    """Changes the manifest of a bundle, or another one, as JSON."""
    path = folder / manifest
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def resign(folder: Path, manifest: str = BUNDLE_NAME) -> None:
    """Brings sizes and hashes of a manifest in line with its files, as whoever altered them would."""

    def change(content: dict[str, Any]) -> None:
        for entry in content["files"]:
            path = folder / entry["path"]
            entry |= {"size_bytes": path.stat().st_size, "sha256": hash_file(path)}

    edit(folder, change, manifest)
