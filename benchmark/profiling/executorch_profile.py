"""Time by op in ExecuTorch, by its event tracer: the runtime's own kernels, and the ops inside delegates.

XNNPACK reports its ops in whole microseconds, the runtime its kernels in nanoseconds. ExecuTorch's own Inspector reads
the trace.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pocketclip.benchmark.errors import ProfilingError
from pocketclip.benchmark.profiling.tally import Tally
from pocketclip.benchmark.records.profile import OpProfile
from pocketclip.export.runtimes import runtime_version

# Names of the tracer's events: a whole inference, and a kernel that the runtime calls itself.
_INFERENCE = "Method::execute"
_KERNEL = "native_call_"
# The Inspector numbers equal names.
_NUMBER = re.compile(r" #\d+$")
_DELEGATE = "XNNPACK"
_NS_PER_MS = 1_000_000


def profile(model: str, samples: Sequence[np.ndarray], *, threads: int, warmup: int) -> OpProfile:
    """Profiles a program over `samples`, the first `warmup` of which are left out; see `profiling.profile_model`.

    Raises:
        ProfilingError: the program cannot be loaded, or this ExecuTorch was built without its tracer.
    """
    import torch
    from executorch.devtools import Inspector
    from executorch.extension.pybindings import portable_lib

    portable_lib._unsafe_reset_threadpool(threads)
    try:
        module = portable_lib._load_for_executorch(model, enable_etdump=True)
    except RuntimeError as error:
        raise ProfilingError(f"this is not an ExecuTorch program: {error}") from error
    if not module.has_etdump():
        raise ProfilingError(
            f"{runtime_version('executorch')} was built without its event tracer",
            fix="install executorch 1.5.1 or later",
        )
    for sample in samples:
        module.run_method("forward", [torch.from_numpy(np.ascontiguousarray(sample))])
    with tempfile.TemporaryDirectory(prefix="pocketclip-profile-") as folder:
        trace = Path(folder, "trace.etdp")
        module.write_etdump_result_to_file(str(trace), str(Path(folder, "values.bin")))
        events = [event for block in Inspector(etdump_path=str(trace)).event_blocks for event in block.events]
    return summarize(events, warmup=warmup, source=f"{runtime_version('executorch')}, event tracer")


def summarize(events: Iterable[Any], *, warmup: int, source: str) -> OpProfile:
    """The profile in the Inspector's events.

    Args:
        events: those with `name`, `is_delegated_op`, and `perf_data.raw`: milliseconds, one for each inference.
        warmup: inferences to leave out.
        source: names what was profiled and how.

    Raises:
        ProfilingError: there is no inference, or no op, among them.
    """
    tally, inferences = Tally(), ()
    for place, event in enumerate(events):
        elapsed_ns = [round(each * _NS_PER_MS) for each in (event.perf_data.raw if event.perf_data else ())][warmup:]
        if event.name == _INFERENCE:
            inferences = tuple(elapsed_ns)
        elif event.is_delegated_op or event.name.startswith(_KERNEL):
            op = _NUMBER.sub("", event.name.removeprefix(_KERNEL))
            for each in elapsed_ns:
                tally.add(f"{place} {op}", op, _DELEGATE if event.is_delegated_op else None, each)
    ops = tally.ops()
    if not inferences or not ops:
        raise ProfilingError("ExecuTorch's trace names no inference or no op; profile again")
    return OpProfile(source, inferences, ops)
