"""`python -m pocketclip.benchmark.perf.litert_apis`: does LiteRT compute the same by its two APIs, and as fast?

`bench` on this computer calls the Interpreter; phones' apps call `CompiledModel`, which came with LiteRT 2. Inferences
of both take turns in one process.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from pocketclip.export.artifact.reading import Artifact

app = command_line.new_app("pocketclip.benchmark.perf.litert_apis", "Compares LiteRT's two APIs on this computer.")

_Infer = Callable[[NDArray[Any]], NDArray[np.float32]]
# Before any is timed.
_WARMUP = 20


@dataclass(frozen=True)
class ApiComparison:
    """One artefact: the largest difference of the outputs, and the median inference by each API."""

    max_abs: float
    interpreter_ns: float
    compiled_ns: float


@app.command(no_args_is_help=True)
def litert_apis_command(
    artifact: Annotated[list[Path], typer.Argument(help="LiteRT artefacts, or a folder of artefacts.")],
    rounds: Annotated[int, typer.Option("--rounds", min=4, help="Inferences of each API.")] = 300,
) -> None:
    """Prints a Markdown table."""
    from pocketclip.benchmark.errors import OptionError
    from pocketclip.export.artifact.reading import find_artifacts
    from pocketclip.export.precision import TargetName
    from pocketclip.export.targets.converter_noise import held_stderr

    found = [each for each in find_artifacts(artifact) if each.manifest.target is TargetName.TFLITE]
    if not found:
        raise OptionError("there is no artefact of target tflite", fix="`pocketclip export --target tflite` makes some")
    print("| artefact | tower | max abs difference | Interpreter, ms | CompiledModel, ms | ratio |")
    print("|---|---|---|---|---|---|")
    for each in found:
        # LiteRT tells there what it registers, and what it lets go of.
        with held_stderr():
            result = compare_apis(each, rounds)
        ratio = result.compiled_ns / result.interpreter_ns
        times = f"{result.interpreter_ns / 1e6:.3f} | {result.compiled_ns / 1e6:.3f} | {ratio:.2f}"
        print(f"| {each.manifest.scheme} | {each.manifest.tower} | {result.max_abs:g} | {times} |", flush=True)


def compare_apis(artifact: Artifact, rounds: int) -> ApiComparison:
    """Runs an artefact's first golden sample by both APIs in turn, one thread each.

    Raises:
        TargetUnavailableError: LiteRT is not installed.
        ArtifactCorruptError: the file does not load.
    """
    from pocketclip.export.targets import open_session

    sample = artifact.golden(artifact.manifest.golden.inputs)[:1]
    session = open_session(artifact)
    interpret: _Infer = lambda value: session.run([value])[0]  # noqa: E731
    compiled = _compiled(artifact.model_path, tuple(artifact.manifest.outputs[0].shape))
    outputs = [infer(sample) for infer in (interpret, compiled)]
    nanoseconds: tuple[list[int], list[int]] = ([], [])
    for place in range(_WARMUP + rounds):
        # Neither is always the first after the other's caches.
        for which in (0, 1) if place % 2 else (1, 0):
            started = time.perf_counter_ns()
            (interpret, compiled)[which](sample)
            if place >= _WARMUP:
                nanoseconds[which].append(time.perf_counter_ns() - started)
    session.close()
    difference = float(np.abs(outputs[0].astype(np.float64) - outputs[1]).max())
    return ApiComparison(difference, *(statistics.median(each) for each in nanoseconds))


def _compiled(path: Path, shape: tuple[int, ...]) -> _Infer:
    from ai_edge_litert.compiled_model import CompiledModel, HardwareAccelerator
    from ai_edge_litert.options import CpuOptions, Options

    options = Options(hardware_accelerators=HardwareAccelerator.CPU, cpu_options=CpuOptions(num_threads=1))
    model = CompiledModel.from_file(str(path), options=options)
    given, got = model.create_input_buffers(0), model.create_output_buffers(0)
    count = int(np.prod(shape))

    def infer(value: NDArray[Any]) -> NDArray[np.float32]:
        given[0].write(value)
        model.run_by_index(0, given, got)
        return np.asarray(got[0].read(count, np.float32), np.float32).reshape(shape)

    return infer


if __name__ == "__main__":
    command_line.run(app)
