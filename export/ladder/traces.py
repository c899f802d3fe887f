"""Intermediate values of converted models, where their runtime gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from pocketclip.export.ladder.stations import Traced
from pocketclip.export.precision import TargetName
from pocketclip.export.targets.converter_noise import held_stderr

Tracer = Callable[[Path, Sequence[np.ndarray]], list[Traced]]


def tracer_of(target: TargetName) -> Tracer | None:
    """What reads a target's intermediate values; None where its runtime runs whole delegates and shows none."""
    return _TRACERS.get(target)


def _trace_onnx(model_path: Path, probes: Sequence[np.ndarray]) -> list[Traced]:
    """Every node's result as an output, computed without ONNX Runtime's fusions."""
    import onnx
    import onnxruntime

    model = onnx.load(model_path)
    public = {value.name for value in model.graph.output}
    inner = [name for node in model.graph.node for name in node.output if name and name not in public]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in inner)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    floats = [value.name for value in session.get_outputs() if value.type in ("tensor(float)", "tensor(float16)")]
    given = session.get_inputs()[0].name
    return _transposed(floats, [session.run(floats, {given: probe}) for probe in probes])


def _trace_npu(model_path: Path, probes: Sequence[np.ndarray]) -> list[Traced]:
    """Every node's result as an output of the graph that is prepared for the first chip, computed by the emulator."""
    from pocketclip.export.npu.emulator import inner_values

    names, runs = inner_values(model_path, probes)
    return _transposed(names, runs)


def _trace_coreml(model_path: Path, probes: Sequence[np.ndarray]) -> list[Traced]:
    """Every op's result in our reference executor, on macOS too: Core ML itself shows none."""
    from pocketclip.export.coreml_reference import ReferenceExecutor, load_program

    program = load_program(model_path)
    executor = ReferenceExecutor(program)
    known = set(executor.value_names)
    names = [
        output.name
        for op in program.function.operations
        if op.op_type != "const" and not op.op_type.startswith("constexpr_")
        for output in op.outputs
        if output.name in known
    ]
    given = program.inputs[0].name
    runs = [executor.run({given: probe}, keep=names) for probe in probes]
    floats = [name for name in names if runs[0][name].dtype.kind == "f"]
    return _transposed(floats, [[run[name] for name in floats] for run in runs])


def _trace_coreai(model_path: Path, probes: Sequence[np.ndarray]) -> list[Traced]:
    """Every op's result in Apple's runtime for Linux, by the asset's debug locations."""
    from pocketclip.export.coreai.inner_values import inner_values

    names, runs = inner_values(model_path, probes)
    return _transposed(names, runs)


def _trace_delegate(model_path: Path, probes: Sequence[np.ndarray]) -> list[Traced]:
    from pocketclip.export.targets.executorch_coreml import unpack_delegate

    with TemporaryDirectory() as scratch:
        return _trace_coreml(unpack_delegate(model_path, Path(scratch)), probes)


def _trace_vulkan(model_path: Path, probes: Sequence[np.ndarray]) -> list[Traced]:
    """Every op's result in our reference executor of Vulkan's graphs."""
    from pocketclip.export.vulkan_reference import VulkanExecutor, read_program

    executor = VulkanExecutor(read_program(model_path))
    names = {place: f"{op} {place}" for place, op in executor.results}
    runs = [executor.run([probe], keep=names) for probe in probes]
    floats = [place for place in names if runs[0][place].dtype.kind == "f"]
    return _transposed([names[place] for place in floats], [[run[place] for place in floats] for run in runs])


def _trace_tflite(model_path: Path, probes: Sequence[np.ndarray]) -> list[Traced]:
    """Every tensor of LiteRT's own kernels: the XNNPACK delegate keeps its values to itself."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with held_stderr():
        interpreter = Interpreter(
            str(model_path),
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        interpreter.allocate_tensors()
    given = interpreter.get_input_details()[0]["index"]
    runs: list[dict[str, np.ndarray]] = []
    for probe in probes:
        interpreter.set_tensor(given, probe)
        interpreter.invoke()
        runs.append(dict(_floats(interpreter)))
    names = [name for name in runs[0] if all(name in run for run in runs)]
    return _transposed(names, [[run[name] for name in names] for run in runs])


def _floats(interpreter: object) -> Iterator[tuple[str, np.ndarray]]:
    from ai_edge_litert.interpreter import Interpreter

    assert isinstance(interpreter, Interpreter)
    for detail in interpreter.get_tensor_details():
        try:
            value = interpreter.get_tensor(detail["index"])
        except ValueError:
            # Scratch memory of a kernel, which is no value of the model.
            continue
        scales, zeros = (detail["quantization_parameters"][name] for name in ("scales", "zero_points"))
        if value.dtype.kind == "f":
            yield f"{detail['index']} {detail['name']}", value.astype(np.float32)
        elif len(scales) == 1:
            yield f"{detail['index']} {detail['name']}", (value.astype(np.float32) - zeros[0]) * scales[0]


def _transposed(names: Sequence[str], runs: Sequence[Sequence[object]]) -> list[Traced]:
    return [
        Traced(name, tuple(np.asarray(run[place], np.float32).copy() for run in runs))
        for place, name in enumerate(names)
    ]


_TRACERS: dict[TargetName, Tracer] = {
    TargetName.ONNX: _trace_onnx,
    TargetName.COREML: _trace_coreml,
    TargetName.COREAI: _trace_coreai,
    TargetName.EXECUTORCH_COREML: _trace_delegate,
    TargetName.EXECUTORCH_VULKAN: _trace_vulkan,
    TargetName.ONNX_QNN: _trace_npu,
    TargetName.TFLITE: _trace_tflite,
    # Of the portable file, which is what was compiled.
    TargetName.TFLITE_QNN: _trace_tflite,
    TargetName.TFLITE_MEDIATEK: _trace_tflite,
    TargetName.TFLITE_GOOGLE: _trace_tflite,
    TargetName.TFLITE_SAMSUNG: _trace_tflite,
}
