"""The files between the harness and what measures (the Python agent, an app): a job goes in, a result comes out.

Version history:
  job 1, result 1: first versions.
  job 2, result 2: job_id, by which a result is known to be that of the job; cores, sustained_seconds.
  job 3, result 3: accelerator, load_mode; python_version became platform, and app_version came with the apps.
  result 4: request_sha256, by which a job is found that was changed between harness and device.
  job 4, result 5: apps also measure throughputs (`phone_app.throughput_protocol`); throughput.
"""

from __future__ import annotations

import uuid
from typing import Literal

from pocketclip.benchmark.records.benchmark import LoadMode, RunSettings, WarmupRule
from pocketclip.benchmark.records.fields import LongText, Name, Text
from pocketclip.benchmark.records.launch import Launch
from pocketclip.benchmark.records.throughput import ThroughputLaunch
from pocketclip.models.documents import document
from pocketclip.models.untrusted.names import Sha256
from pocketclip.models.untrusted.numbers import Dimension

JOB_VERSION = 4
RESULT_VERSION = 5


@document
class InputFile:
    """A model input: raw little-endian values in C order, first axis samples. Paths are the device's."""

    path: str
    dtype: str
    shape: tuple[int, ...]


@document
class Job:
    """What shall be measured in one process.

    `accelerator` is the one asked for: `cpu` everywhere; `xnnpack`, `nnapi`, `gpu`, `npu` on Android; `all`, `cpu+ane`,
    `cpu+gpu` of Core ML and `all`, `gpu`, `npu` of Core AI on Apple's systems. Paths of an app's job are relative to
    the app's own folder.
    """

    job_id: str
    runtime: str
    model_path: str
    inputs: tuple[InputFile, ...]
    threads: int
    warmup: WarmupRule
    iterations: int
    minimum_seconds: float
    sustained_seconds: float | None
    cores: tuple[int, ...] | None
    accelerator: str
    load_mode: LoadMode
    outputs_path: str
    job_version: int = JOB_VERSION


def new_job(settings: RunSettings, *, runtime: str, model_path: str, inputs: InputFile, outputs_path: str) -> Job:
    """A job with an identity of its own, for one launch."""
    return Job(
        job_id=str(uuid.uuid4()),
        runtime=runtime,
        model_path=model_path,
        inputs=(inputs,),
        threads=settings.threads,
        warmup=settings.warmup,
        iterations=settings.iterations,
        minimum_seconds=settings.minimum_seconds,
        sustained_seconds=settings.sustained_seconds,
        cores=settings.cores,
        accelerator=settings.accelerator,
        load_mode=settings.load_mode,
        outputs_path=outputs_path,
    )


@document
class OutputFile:
    """The model's first output for every sample, in order, flattened to `(samples, values)`."""

    path: Text
    dtype: Literal["float16", "float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "int64"]
    shape: tuple[Dimension, Dimension]
    sha256: Sha256


@document
class Failure:
    """Why nothing was measured.

    Codes: `bad-job`, `runtime-missing`, `accelerator-missing`, `load-failed`, `inference-failed`,
    `non-finite-output`; of apps also `low-battery`, `power-saver`, `thermal`, `debuggable`, `model-altered`,
    `path-outside`, `no-space`, `photos-unreadable`.
    """

    code: Name
    message: LongText


@document
class AgentResult:
    """What was found: a failure, or a launch and the outputs that came of it; of an app also a throughput.

    `platform` is what the program runs on, e.g. `Python 3.11.7`, `Android 15 (API 35)`; `app_version` is an app's own.
    """

    result_version: int
    job_id: Name | None
    platform: Text
    failure: Failure | None
    app_version: Name | None = None
    runtime_version: LongText | None = None
    accelerator_observed: LongText | None = None
    launch: Launch | None = None
    outputs: OutputFile | None = None
    request_sha256: Sha256 | None = None
    throughput: ThroughputLaunch | None = None
