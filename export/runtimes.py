"""Runs a model file with its mobile runtime: numpy and the runtime itself are all this file needs.

It is used twice: in process, for parity and classification, and inside the measuring agent, which carries a
copy of this file to devices. So it imports nothing of PocketCLIP and keeps to Python 3.9.
"""

from __future__ import annotations

import contextlib
from importlib import metadata
from typing import Any, Protocol, Sequence

import numpy as np


class Session(Protocol):
    """A loaded model. Inputs and outputs are in the order of the manifest."""

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """One inference; the arrays returned are the caller's own."""
        ...

    def close(self) -> None:
        """Frees the model."""
        ...


class OnnxRuntimeSession:
    """ONNX Runtime on its CPU provider."""

    def __init__(self, path: str, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._names = [node.name for node in self._session.get_inputs()]

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [np.asarray(output) for output in self._session.run(None, dict(zip(self._names, inputs)))]

    def close(self) -> None:
        del self._session


class ExecuTorchSession:
    """ExecuTorch's Python runtime; the delegates used are those the file was lowered to."""

    def __init__(self, path: str, threads: int) -> None:
        import torch

        self._torch = torch
        binding = _executorch_binding()
        # Process-wide: the thread pool that XNNPACK takes its workers from.
        binding._unsafe_reset_threadpool(threads)
        self._module = binding._load_for_executorch(path)

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        # The runtime ignores strides: only contiguous arrays are read right.
        tensors = [self._torch.from_numpy(np.ascontiguousarray(array)) for array in inputs]
        # Outputs alias the runtime's own memory, which the next call overwrites.
        return [output.numpy().copy() for output in self._module.forward(tensors)]

    def close(self) -> None:
        del self._module


class LiteRtSession:
    """LiteRT (or its predecessor, tflite-runtime) with the XNNPACK delegate that it applies by default."""

    def __init__(self, path: str, threads: int) -> None:
        self._interpreter = _litert_interpreter()(model_path=path, num_threads=threads)
        self._interpreter.allocate_tensors()
        self._inputs = [detail["index"] for detail in self._interpreter.get_input_details()]
        self._outputs = [detail["index"] for detail in self._interpreter.get_output_details()]

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        for index, array in zip(self._inputs, inputs):
            self._interpreter.set_tensor(index, array)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]

    def close(self) -> None:
        del self._interpreter


# The compute units of Core ML, as jobs name them -> as coremltools does.
COMPUTE_UNITS = {"all": "ALL", "cpu+ane": "CPU_AND_NE", "cpu+gpu": "CPU_AND_GPU", "cpu": "CPU_ONLY"}


class CoreMLSession:
    """Core ML itself, macOS only, with the compute units of that name in `COMPUTE_UNITS`."""

    def __init__(self, path: str, threads: int, units: str = "all") -> None:
        import coremltools

        del threads  # Core ML schedules its own.
        chosen = getattr(coremltools.ComputeUnit, COMPUTE_UNITS[units])
        self._model = coremltools.models.MLModel(path, compute_units=chosen)
        description = self._model.get_spec().description
        self._names = [feature.name for feature in description.input]
        self._outputs = [feature.name for feature in description.output]

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        results = self._model.predict(dict(zip(self._names, inputs)))
        return [np.asarray(results[name]) for name in self._outputs]

    def close(self) -> None:
        del self._model


# How Core AI makes an asset ready for a device: as jobs name it -> as bundles do.
SPECIALIZATIONS = {"all": "default", "gpu": "prefer-gpu", "npu": "prefer-npu", "cpu": "cpu-only"}


class CoreAISession:
    """Core AI: the system's runtime on macOS 27, elsewhere the reference executor of Apple's package.

    With `accelerator`, a name in `SPECIALIZATIONS`, only the system's.
    """

    def __init__(self, path: str, threads: int, accelerator: Any = None) -> None:
        import asyncio

        # In this order: the runtime alone does not find the types of the other.
        import coreai.authoring
        import coreai.runtime

        del threads  # Core AI schedules its own.
        options = None if accelerator is None else _specialization(coreai.runtime, accelerator)
        self._array = coreai.runtime.NDArray
        self._loop = asyncio.new_event_loop()
        self._asset = coreai.authoring.AIModelAsset.load(path).executable(options)
        model = self._loop.run_until_complete(self._asset.__aenter__())
        self._function = model.load_function(_function_name(model.function_names))
        self._inputs = self._function.desc.input_names
        self._outputs = self._function.desc.output_names

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        given: Any = {name: self._array(np.ascontiguousarray(array)) for name, array in zip(self._inputs, inputs)}
        results: Any = self._loop.run_until_complete(self._function(given))
        return [np.array(results[name].numpy()) for name in self._outputs]

    def close(self) -> None:
        del self._function
        self._loop.run_until_complete(self._asset.__aexit__(None, None, None))
        self._loop.close()


def _specialization(runtime: Any, accelerator: str) -> Any:
    options = runtime.SpecializationOptions
    if not options.is_supported():
        raise RuntimeError("this system has no Core AI of its own: it comes with macOS 27")
    name = SPECIALIZATIONS[accelerator]
    if name in ("default", "cpu-only"):
        return options.default() if name == "default" else options.cpu_only()
    kinds = runtime.ComputeUnitKind
    return options.from_preferred_compute_unit_kind(kinds.gpu() if name == "prefer-gpu" else kinds.neural_engine())


def _function_name(names: Sequence[str]) -> str:
    """The function that runs by default: `main`, or the only one."""
    if "main" in names or len(names) == 1:
        return "main" if "main" in names else names[0]
    listed = ", ".join(sorted(names)) or "none"
    raise ValueError(f"it has {len(names)} functions and none is called main: {listed}")


def _executorch_binding() -> Any:
    """The runtime's own module. `portable_lib` around it imports ExecuTorch's exporter: 3 s that nothing here needs."""
    import torch  # noqa: F401  its libraries must be loaded first

    try:
        from executorch.extension.pybindings import _C
    except ImportError:
        # Releases that name the module otherwise.
        from executorch.extension.pybindings import portable_lib

        return portable_lib
    return _C


def _litert_interpreter() -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        from tflite_runtime.interpreter import Interpreter  # pyright: ignore[reportMissingImports]
    return Interpreter


# runtime name -> (session class, distributions that may provide it, best first)
RUNTIMES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "onnxruntime": (OnnxRuntimeSession, ("onnxruntime",)),
    "executorch": (ExecuTorchSession, ("executorch",)),
    "litert": (LiteRtSession, ("ai-edge-litert", "tflite-runtime")),
    "coreml": (CoreMLSession, ("coremltools",)),
    "coreai": (CoreAISession, ("coreai-core",)),
}


def open_session(runtime: str, path: str, threads: int = 1, **options: str) -> Session:
    """Loads a model file with a runtime, by its name in `RUNTIMES`. Errors are the runtime's own.

    `options` are what its session takes besides: `units` of Core ML, `accelerator` of Core AI.
    """
    session_class, _ = RUNTIMES[runtime]
    return session_class(path, threads, **options)


def warm_imports(runtime: str) -> None:
    """Imports what the runtime needs, so that a load that is timed later holds no Python import."""
    if runtime == "onnxruntime":
        import onnxruntime  # noqa: F401
    elif runtime == "executorch":
        _executorch_binding()
    elif runtime == "litert":
        _litert_interpreter()
    elif runtime == "coreml":
        import coremltools  # noqa: F401
    elif runtime == "coreai":
        import coreai.authoring
        import coreai.runtime  # noqa: F401


def runtime_version(runtime: str) -> str:
    """Distribution and version, e.g. `onnxruntime 1.32.0`; raises `PackageNotFoundError` where there is none."""
    _, distributions = RUNTIMES[runtime]
    for name in distributions:
        with contextlib.suppress(metadata.PackageNotFoundError):
            return f"{name} {metadata.version(name)}"
    raise metadata.PackageNotFoundError(" or ".join(distributions))
