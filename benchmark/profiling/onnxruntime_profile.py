"""ONNX Runtime's own profiler."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pocketclip.benchmark.profiling.tally import Tally
from pocketclip.benchmark.records.profile import OpProfile

_KERNEL_SUFFIX = "_kernel_time"


def profile(model: str, samples: Sequence[np.ndarray], *, threads: int, warmup: int) -> OpProfile:
    """Profiles a model over `samples`, the first `warmup` of which are left out; see `profiling.profile_model`."""
    import onnxruntime

    with tempfile.TemporaryDirectory(prefix="pocketclip-profile-") as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder, "ort"))
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        for sample in samples:
            session.run(None, {name: sample})
        events = json.loads(Path(session.end_profiling()).read_text())
    return parse_events(events, f"onnxruntime {onnxruntime.__version__} profiler", warmup)


def parse_events(events: Sequence[dict[str, Any]], source: str, warmup: int) -> OpProfile:
    """The profile in a list of ONNX Runtime's events, without those of the first `warmup` inferences."""
    runs = [event for event in events if event.get("name") == "model_run"][warmup:]
    begin_us = runs[0]["ts"]
    tally = Tally()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(_KERNEL_SUFFIX) and event["ts"] >= begin_us:
            provider = event["args"]["provider"].removesuffix("ExecutionProvider")
            name = event["name"].removesuffix(_KERNEL_SUFFIX)
            tally.add(name, event["args"]["op_name"], None if provider == "CPU" else provider, event["dur"] * 1000)
    return OpProfile(source, tuple(event["dur"] * 1000 for event in runs), tally.ops())
