"""A job, results and a record as Python writes them, for readers in other languages."""

from __future__ import annotations

from typing import Any

from pocketclip.benchmark.phone_app.app_protocol import SentFile
from pocketclip.benchmark.phone_app.throughput_protocol import ThroughputJob
from pocketclip.benchmark.records.benchmark import (
    ArtifactIdentity,
    BenchmarkRecord,
    DeviceFacts,
    DeviceKind,
    GoldenCheck,
    LoadMode,
    RunSettings,
    RuntimeFacts,
    Status,
    WarmupRule,
)
from pocketclip.benchmark.records.launch import Launch, MachineState, Minute
from pocketclip.benchmark.records.throughput import ThroughputLaunch, UnreadablePhoto
from pocketclip.benchmark.runners.protocol import (
    JOB_VERSION,
    RESULT_VERSION,
    AgentResult,
    Failure,
    InputFile,
    Job,
    OutputFile,
)
from pocketclip.export.artifact.manifest import TensorSpec
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models.pixels.preprocess import Interpolation, PreprocessSpec

_IDENTITY = "0123456789abcdef" * 4


def state(**changes: Any) -> MachineState:
    """A phone's state, with changes."""
    values: dict[str, Any] = {
        "at": "2026-03-01T10:00:00.125+00:00",
        "load_average": 1.25,
        "clock_khz": (2_850_000, 2_348_000, 1_803_000),
        "clock_limit_khz": 2_850_000,
        "temperature_celsius": 38.5,
        "thermal_status": 0,
        "battery_percent": 81,
        "charging": True,
        "power_saver": False,
        "thermal_headroom": 0.42,
    }
    return MachineState(**(values | changes))


def launch(**changes: Any) -> Launch:
    """A launch of a phone, with changes."""
    values: dict[str, Any] = {
        "started_at": "2026-03-01T10:00:00+00:00",
        "load_average": 1.25,
        "import_ns": 41_000_000,
        "load_ns": 18_000_000,
        "first_inference_ns": 9_000_000,
        "warmup_ns": (4_000_000,) * 15,
        "warmup_stationary": True,
        "steady_ns": (3_900_000, 3_950_000, 4_010_000),
        "baseline_bytes": 60_000_000,
        "loaded_bytes": 72_000_000,
        "peak_before_load_bytes": 61_000_000,
        "peak_bytes": 90_000_000,
        "end_bytes": 80_000_000,
        "peak_reset": True,
        "reload_ns": 15_000_000,
        "proportional_bytes": 77_000_000,
        "file_mapped_bytes": 30_000_000,
        "before": state(),
        "after": state(thermal_status=1, thermal_headroom=0.61),
        "others_busy_cores": 0.35,
        "clock_jump_ns": -1500,
        "minutes": (Minute((4_100_000, 4_200_000), state(thermal_headroom=None)),),
        "during": (state(), state(clock_khz=())),
    }
    return Launch(**(values | changes))


def examples() -> dict[str, Any]:
    """Documents by file name."""
    job = Job(
        job_id="6f9619ff-8b86-4011-b42d-00c04fc964ff",
        runtime="onnxruntime",
        model_path=f"models/{_IDENTITY}/model.onnx",
        inputs=(InputFile("job-1/inputs.bin", "float32", (8, 3, 64, 64)),),
        threads=2,
        warmup=WarmupRule(),
        iterations=100,
        minimum_seconds=1.5,
        sustained_seconds=None,
        cores=(4, 5),
        accelerator="cpu",
        load_mode=LoadMode.FILE,
        outputs_path="job-1/outputs.bin",
        job_version=JOB_VERSION,
    )
    result = AgentResult(
        result_version=RESULT_VERSION,
        job_id=job.job_id,
        platform="Android 15 (API 35)",
        app_version="0.1.0",
        failure=None,
        runtime_version="onnxruntime 1.23.2",
        accelerator_observed="cpu",
        launch=launch(),
        outputs=OutputFile("job-1/outputs.bin", "float32", (8, 128), _IDENTITY),
    )
    failed = AgentResult(
        result_version=RESULT_VERSION,
        job_id=None,
        platform="Android 15 (API 35)",
        app_version="0.1.0",
        failure=Failure("low-battery", "the battery is at 12 % and not charging; charge it to 20 % or plug it in"),
    )
    record = BenchmarkRecord(
        artifact=ArtifactIdentity(
            "pocketclip_nano",
            Tower.IMAGE,
            TargetName.ONNX,
            Precision.FP32,
            _IDENTITY,
            _IDENTITY,
            2_100_000,
            "onnx-fp32",
        ),
        device=DeviceFacts(
            "Pixel 7", DeviceKind.PHONE, "Android 15 (API 35)", "arm64-v8a", "Tensor G2", ("asimddp",), 8, 8 << 30
        ),
        runtime=RuntimeFacts("onnxruntime", "onnxruntime 1.23.2", "cpu", "cpu"),
        settings=RunSettings(launches=1),
        status=Status.MEASURED,
        reason=None,
        launches=(launch(minutes=()),),
        parity=None,
        golden_check=GoldenCheck(4, 0.999999, 1e-6, 0.9999995),
        agent_sha256=None,
        tool_version="0.1.0",
        record_id="6f9619ff-8b86-4011-b42d-00c04fc964ff",
        created_at="2026-03-01T10:01:00.000000+00:00",
    )
    throughput_job = ThroughputJob(
        job_id=job.job_id,
        runtime="onnxruntime",
        model_path=job.model_path,
        photos=(
            SentFile("job-1/photos/0000.jpg", 3_000_000, _IDENTITY),
            SentFile("job-1/photos/0001", 40_000, _IDENTITY),
        ),
        preprocess=PreprocessSpec(256, interpolation=Interpolation.BICUBIC, mean=(0.5, 0.25, 0.5)),
        input=TensorSpec("image", (1, 3, 256, 256), "float32", "NCHW", -0.5, 0.75),
        threads=2,
        decoders=3,
        seconds=5.0,
        warmup_photos=4,
        step_photos=32,
        accelerator="xnnpack",
    )
    throughput_result = AgentResult(
        result_version=RESULT_VERSION,
        job_id=job.job_id,
        platform="Android 15 (API 35)",
        app_version="0.1.0",
        failure=None,
        runtime_version="onnxruntime 1.23.2",
        accelerator_observed="xnnpack",
        request_sha256=_IDENTITY,
        throughput=ThroughputLaunch(
            photos=212,
            elapsed_ns=5_012_000_000,
            decode_ns=41_000_000,
            resize_ns=9_000_000,
            inference_ns=12_000_000,
            before=state(charging=False),
            after=state(charging=False, battery_percent=80, thermal_status=1),
            others_busy_cores=0.2,
            stolen_share=0.0,
            unreadable=1,
            first_unreadable=(UnreadablePhoto("job-1/photos/0001", "the file is no image that this phone can read"),),
        ),
    )
    return {
        "job.json": job,
        "result.json": result,
        "failed_result.json": failed,
        "record.json": record,
        "throughput_job.json": throughput_job,
        "throughput_result.json": throughput_result,
    }
