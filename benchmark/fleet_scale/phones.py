"""Simulated phones that answer with whole records, as many samples in them as `bench` takes by default."""

from __future__ import annotations

import json
import random

from pocketclip.benchmark.fleet.cluster import Answered, Event, Examined, FleetDevice
from pocketclip.benchmark.fleet.jobs import BenchWork, Job
from pocketclip.benchmark.records.benchmark import (
    ArtifactIdentity,
    BenchmarkRecord,
    DeviceFacts,
    DeviceKind,
    GoldenCheck,
    RunSettings,
    RuntimeFacts,
    Status,
    new_record_id,
    utc_now,
)
from pocketclip.benchmark.records.launch import Launch, MachineState
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models import documents

_SEED = 17
_MODELS = 20
_ARTIFACTS = 10
# What stands in the template where each job has its own.
_SHA256, _NAME, _INSTANCE, _ID = "e" * 64, "device-name", "device-instance", "00000000-0000-4000-8000-000000000000"
_LAUNCHES, _ITERATIONS, _WARMUPS = 5, 100, 30


def phones(count: int) -> list[FleetDevice]:
    """So many phones of twenty models, sixteen at a host."""
    return [
        FleetDevice(f"{number:016x}", f"phone-{number % _MODELS}", f"host-{number // 16}", "simulated")
        for number in range(count)
    ]


def works(count: int, devices: int) -> list[tuple[int, BenchWork]]:
    """So many works of ten artefacts, spread over the models that so many devices are of."""
    models = min(_MODELS, devices)
    return [
        (
            0,
            BenchWork(
                artifact_sha256=f"{number % _ARTIFACTS:064x}",
                label=f"model onnx-fp32 {number % _ARTIFACTS}",
                device=f"phone-{number % models}",
                unit=None,
                repetition=number // _ARTIFACTS,
                settings=RunSettings(launches=_LAUNCHES, iterations=_ITERATIONS),
                timeout_seconds=300.0,
                cooldown_seconds=30.0,
            ),
        )
        for number in range(count)
    ]


class Phones:
    """The script of phones that take `seconds` for a job, a fifth more or less."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._random = random.Random(_SEED)
        # Filled in as text: what the simulation costs must not hide what the head does.
        self._text = json.dumps(documents.to_builtin(_record(self._random)))

    def job(self, job: Job, device: FleetDevice) -> tuple[float, Event]:
        """Its record."""
        text = self._text
        for place, value in (
            (_SHA256, job.work.artifact_sha256),
            (_NAME, device.name),
            (_INSTANCE, device.key),
            (_ID, new_record_id()),
        ):
            text = text.replace(place, value, 1)
        answer = f'{{"job_id": "{job.job_id}", "record": {json.dumps(text)}, "fault": null}}'
        return self._seconds * self._random.uniform(0.8, 1.2), Answered(job.job_id, device.key, answer)

    def examination(self, device: FleetDevice) -> tuple[float, Examined]:
        """Phones here are never ill."""
        return 1.0, Examined(device.key, None)


def answer_bytes() -> int:
    """The length of a record's JSON."""
    return len(json.dumps(documents.to_builtin(_record(random.Random(_SEED)))))


def _record(chance: random.Random) -> BenchmarkRecord:
    return BenchmarkRecord(
        artifact=ArtifactIdentity(
            "model", Tower.IMAGE, TargetName.ONNX, Precision.FP32, _SHA256, "9" * 64, 11_000_000, "onnx-fp32"
        ),
        device=DeviceFacts(
            _NAME, DeviceKind.PHONE, "Android 15", "aarch64", "8 cores", ("neon",), 8, 8 << 30, None, _INSTANCE
        ),
        runtime=RuntimeFacts("onnxruntime", "onnxruntime 1.32.0", "xnnpack", None),
        settings=RunSettings(launches=_LAUNCHES, iterations=_ITERATIONS),
        status=Status.MEASURED,
        reason=None,
        launches=tuple(_launch(chance) for _ in range(_LAUNCHES)),
        parity=None,
        golden_check=GoldenCheck(8, 0.99998, 1e-4, 0.999999),
        agent_sha256="f" * 64,
        tool_version="0",
        record_id=_ID,
        created_at=utc_now(),
    )


def _launch(chance: random.Random) -> Launch:
    samples = [int(chance.gauss(3e6, 1e5)) for _ in range(_WARMUPS + _ITERATIONS)]
    state = MachineState("2026-03-01T00:00:00+00:00", temperature_celsius=41.0, battery_percent=80, charging=True)
    return Launch(
        started_at=state.at,
        load_average=0.5,
        import_ns=1,
        load_ns=30_000_000,
        first_inference_ns=9_000_000,
        warmup_ns=tuple(samples[:_WARMUPS]),
        warmup_stationary=True,
        steady_ns=tuple(samples[_WARMUPS:]),
        baseline_bytes=60_000_000,
        loaded_bytes=75_000_000,
        peak_before_load_bytes=60_000_000,
        peak_bytes=90_000_000,
        end_bytes=80_000_000,
        peak_reset=True,
        before=state,
        after=state,
    )
