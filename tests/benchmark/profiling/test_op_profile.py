"""Time by op: real profiles of small models, and what is made of a profiler's events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from pocketclip.benchmark.errors import ProfilingError
from pocketclip.benchmark.profiling import executorch_profile, litert_profile
from pocketclip.benchmark.profiling.onnxruntime_profile import parse_events
from pocketclip.benchmark.profiling.op_profile import profile_artifact
from pocketclip.benchmark.statistics.summaries import share_outside_delegates
from pocketclip.export.artifact.reading import Artifact, load_artifact
from pocketclip.export.job import ExportResult
from pocketclip.export.precision import TargetName, Tower
from pocketclip.export.targets import TARGETS

NanoExports = dict[tuple[str, str, str], ExportResult]


def test_onnx_runtime_names_every_node(build_artifact: Callable[..., Artifact]) -> None:
    found = profile_artifact(build_artifact(), "onnxruntime", inferences=4)
    assert len(found.inference_ns) == 4
    assert {each.op for each in found.ops} >= {"MatMul", "Where"}
    assert all(each.calls == 4 and each.delegate is None for each in found.ops)
    assert found.source.startswith("onnxruntime 1.")


@pytest.mark.slow
@pytest.mark.parametrize("target", [TargetName.ONNX, TargetName.EXECUTORCH, TargetName.TFLITE])
def test_ops_add_up_to_the_inference(nano_exports: NanoExports, target: TargetName) -> None:
    artifact = load_artifact(nano_exports[target, "fp32", Tower.TEXT].folder)
    found = profile_artifact(artifact, TARGETS[target].runtime)
    # Not equal: the profiler's own work and the gaps between ops belong to none; XNNPACK counts whole microseconds.
    assert 0.3 < sum(each.total_ns for each in found.ops) / sum(found.inference_ns) < 1.05
    delegates = {each.delegate for each in found.ops}
    if target is TargetName.ONNX:
        assert delegates == {None} and share_outside_delegates(found) == 1
    else:
        assert {(each or "").lower() for each in delegates} == {"", "xnnpack"}
        assert 0 <= share_outside_delegates(found) < 0.8


@dataclass
class Times:
    """As the Inspector has them."""

    raw: list[float]


@dataclass
class Event:
    """One of the Inspector's."""

    name: str
    perf_data: Times | None
    is_delegated_op: bool | None = False


def test_the_tracers_events_become_ops() -> None:
    events = [
        Event("Program::load_method", Times([3.4])),
        Event("native_call_embedding.out", Times([0.1, 0.002, 0.004])),
        Event("OPERATOR_CALL", Times([0.1, 0.003, 0.005])),
        Event("Add (ND) #1", Times([1, 0.5, 0.25]), is_delegated_op=True),
        Event("Add (ND) #2", Times([1, 0.5, 0.25]), is_delegated_op=True),
        Event("DELEGATE_CALL", Times([2, 1.1, 0.6])),
        Event("Method::execute", Times([3, 1.2, 0.7])),
    ]
    found = executorch_profile.summarize(events, warmup=1, source="made up")
    assert found.inference_ns == (1_200_000, 700_000)
    assert [(each.op, each.delegate, each.calls, each.total_ns) for each in found.ops] == [
        ("embedding.out", None, 2, 6_000),
        ("Add (ND)", "XNNPACK", 2, 750_000),
        ("Add (ND)", "XNNPACK", 2, 750_000),
    ]
    with pytest.raises(ProfilingError, match="no inference"):
        executorch_profile.summarize(events[:2], warmup=0, source="made up")


def test_warm_up_is_left_out_of_events() -> None:
    def node(name: str, begin: int, elapsed: int, provider: str = "CPUExecutionProvider") -> dict[str, Any]:
        arguments = {"op_name": name.title(), "provider": provider}
        return {"cat": "Node", "name": f"{name}_kernel_time", "ts": begin, "dur": elapsed, "args": arguments}

    def run(begin: int, elapsed: int) -> dict[str, Any]:
        return {"cat": "Session", "name": "model_run", "ts": begin, "dur": elapsed}

    events = [run(0, 90), node("gemm", 1, 80), run(100, 20), node("gemm", 101, 10)]
    events += [run(200, 30), node("gemm", 201, 14, "XnnpackExecutionProvider")]
    found = parse_events(events, "made up", warmup=1)
    assert found.inference_ns == (20_000, 30_000)
    assert [(each.op, each.delegate, each.total_ns) for each in found.ops] == [
        ("Gemm", None, 10_000),
        ("Gemm", "Xnnpack", 14_000),
    ]
    assert share_outside_delegates(found) == pytest.approx(10 / 24)


def test_a_model_that_does_not_load_is_one_line(build_artifact: Callable[..., Artifact]) -> None:
    artifact = build_artifact(model_bytes=b"nothing")
    with pytest.raises(ProfilingError, match=r"profiling tiny .* ended with code 1: ") as caught:
        profile_artifact(artifact, "onnxruntime")
    assert "\n" not in str(caught.value)
    with pytest.raises(ProfilingError, match="no profiler for coreml here; profilers exist for onnxruntime"):
        profile_artifact(artifact, "coreml")


def test_a_version_without_the_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litert_profile.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ProfilingError, match="install that"):
        litert_profile._library()
