"""Asks LiteRT's GPU delegate whether it takes a file, and what it computes with it, on any Vulkan device.

The delegate is the one of phones (ML Drift). Where a computer has no GPU, SwiftShader stands in, the Vulkan device in
software that Chromium and Chrome bring along: it is slow, and takes and computes the same.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ai_edge_litert.compiled_model import CompiledModel

# Where Debian, Fedora, Arch and Google put SwiftShader's description for Vulkan's loader.
_SWIFTSHADER = (
    Path("/usr/lib/chromium/vk_swiftshader_icd.json"),
    Path("/usr/lib64/chromium-browser/vk_swiftshader_icd.json"),
    Path("/usr/lib/chromium-browser/vk_swiftshader_icd.json"),
    Path("/opt/google/chrome/vk_swiftshader_icd.json"),
)
_LOADER_SETTINGS = ("VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_ADD_DRIVER_FILES")
_RENDER_NODES = ("/dev/dri", "renderD*"), ("/dev", "nvidia[0-9]*")
# Of what the delegate writes.
_MOST_LOG_BYTES = 1 << 20
_DEVICE = re.compile(r"Selected adapter: ([^\n]*?), arch=")
_SOFTWARE = re.compile(r"adapterType=CPU")
_NO_DEVICE = re.compile(r"No adapters found|Failed to initialize WebGPU environment")
_LOADED = re.compile(r"Dynamically loaded GPU accelerator")
_REFUSED = re.compile(
    r"Following operations are not supported by GPU delegate:\n(.*?)\n(\d+) operations will run on the GPU, and the "
    r"remaining (\d+) operations",
    re.DOTALL,
)
_FAILURE = re.compile(r"DelegateKernelLiteRt: ([^\n]+)")

Embeddings = NDArray[np.float32]


class NoGpuError(Exception):
    """The delegate could not be asked: no Vulkan device, no delegate in this LiteRT, or LiteRT cannot load the file."""


@dataclass(frozen=True)
class GpuAnswer:
    """What the delegate says of a file.

    Attributes:
        device: the Vulkan device that was asked.
        software: whether it computes on the processor.
        refused: the kinds of ops that it does not take, with its reasons.
        ops: how many ops it takes, and how many it leaves; None where it does not say.
        failure: why it cannot prepare the ops that it takes, in its own words; empty where it can.
        outputs: `(N, D)`, what it computes of the inputs; None without inputs, or if it does not take the whole file.
    """

    device: str
    software: bool
    refused: tuple[str, ...] = ()
    ops: tuple[int, int] | None = None
    failure: str = ""
    outputs: Embeddings | None = None

    @property
    def whole(self) -> bool:
        """Whether the delegate takes all of the file."""
        return not self.refused and not self.failure


def ask_gpu(path: Path, inputs: NDArray[np.generic] | None) -> GpuAnswer:
    """What the delegate says of a LiteRT file. Call it in a child process: drivers and delegates crash.

    Args:
        path: the file.
        inputs: `(N, ...)` for its only input, to be run one by one.

    Raises:
        NoGpuError: there is no Vulkan device, LiteRT has no GPU delegate for this system, or cannot load the file.
    """
    from pocketclip.export.captured_output import captured_output, read_captured

    _choose_device()
    try:
        from ai_edge_litert.compiled_model import CompiledModel, HardwareAccelerator
    except ImportError as error:
        raise NoGpuError(f"this LiteRT cannot compile for a GPU ({error})") from error
    outputs = None
    with captured_output(2) as held:
        try:
            model = CompiledModel.from_file(str(path), hardware_accel=HardwareAccelerator.GPU)
            if inputs is not None:
                outputs = _run(model, inputs)
            failure = ""
        except (RuntimeError, ValueError) as error:
            failure = str(error)
        log = read_captured(held, _MOST_LOG_BYTES).decode(errors="replace")
    return _answer(log, failure, outputs)


def _choose_device() -> None:
    """Takes SwiftShader where nobody has chosen and there is no GPU."""
    if sys.platform != "linux" or any(name in os.environ for name in _LOADER_SETTINGS):
        return
    if any(any(Path(folder).glob(pattern)) for folder, pattern in _RENDER_NODES):
        return
    found = next((path for path in _SWIFTSHADER if path.is_file()), None)
    if found is not None:
        os.environ["VK_ICD_FILENAMES"] = str(found)


def _run(model: CompiledModel, inputs: NDArray[np.generic]) -> Embeddings:
    given, taken = model.create_input_buffers(0), model.create_output_buffers(0)
    (details,) = model.get_output_tensor_details(next(iter(model.get_signature_list()))).values()
    count = int(np.prod(details["shape"]))
    rows: list[Embeddings] = []
    for place in range(len(inputs)):
        given[0].write(np.ascontiguousarray(inputs[place : place + 1]))
        model.run_by_index(0, given, taken)
        rows.append(np.asarray(taken[0].read(count, np.float32), np.float32).reshape(-1))
    return np.stack(rows)


def _answer(log: str, failure: str, outputs: Embeddings | None) -> GpuAnswer:
    device = _DEVICE.search(log)
    if device is None:
        if _NO_DEVICE.search(log):
            raise NoGpuError("there is no Vulkan device; install a driver, or Chromium and libvulkan1 (in software)")
        if _LOADED.search(log):
            raise NoGpuError(f"LiteRT cannot load the file ({_last_words(failure)})")
        raise NoGpuError("this LiteRT has no GPU delegate for this system")
    refused = _REFUSED.search(log)
    if refused is not None:
        reasons = tuple(dict.fromkeys(_reason(line) for line in refused[1].splitlines() if line.strip()))
        return GpuAnswer(device[1], bool(_SOFTWARE.search(log)), reasons, (int(refused[2]), int(refused[3])))
    stated = _FAILURE.search(log)
    words = "" if not failure else stated[1] if stated else _last_words(failure)
    return GpuAnswer(device[1], bool(_SOFTWARE.search(log)), failure=words, outputs=None if words else outputs)


def _last_words(failure: str) -> str:
    """LiteRT's errors name the place in its code first."""
    lines = failure.strip().splitlines()
    return lines[-1].lstrip("└ ") if lines else "it gives no reason"


def _reason(line: str) -> str:
    """`OP: why`, which the delegate writes as `OP: OP: why`, or `OP: ` where it has no reason."""
    op, _, why = line.strip().partition(": ")
    why = why.strip().removeprefix(f"{op}: ")
    return f"{op}: {why}" if why else op.rstrip(":")
