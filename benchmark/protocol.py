"""The files that pass between the harness and the measuring agent: a job goes in, a result comes out.

Version history:
  job 1, result 1: first versions.
  job 2, result 2: job_id, by which a result is known to be that of the job; cores, sustained_seconds.
"""

from __future__ import annotations

from benchmark.launch_records import Launch
from benchmark.records import WarmupRule
from models.documents import document

JOB_VERSION = 2
RESULT_VERSION = 2


@document
class InputFile:
    """A model input: raw little-endian values in C order, first axis samples. Paths are the device's."""

    path: str
    dtype: str
    shape: tuple[int, ...]


@document
class Job:
    """What the agent shall measure in one process."""

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
    outputs_path: str
    job_version: int = JOB_VERSION


@document
class OutputFile:
    """The model's first output for every sample, in order, flattened to `(samples, values)`."""

    path: str
    dtype: str
    shape: tuple[int, int]
    sha256: str


@document
class Failure:
    """Why nothing was measured.

    Codes: `bad-job`, `runtime-missing`, `load-failed`, `inference-failed`, `non-finite-output`.
    """

    code: str
    message: str


@document
class AgentResult:
    """What the agent found: a failure, or a launch and the outputs that came of it."""

    result_version: int
    job_id: str | None
    python_version: str
    failure: Failure | None
    runtime_version: str | None = None
    accelerator_observed: str | None = None
    launch: Launch | None = None
    outputs: OutputFile | None = None
