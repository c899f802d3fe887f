"""What an app is asked for a throughput; the answer is an `AgentResult` with one. Versions are those of jobs."""

from __future__ import annotations

from pocketclip.benchmark.phone_app.app_protocol import SentFile
from pocketclip.benchmark.runners.protocol import JOB_VERSION
from pocketclip.export.artifact.manifest import TensorSpec
from pocketclip.models.documents import document
from pocketclip.models.pixels.preprocess import PreprocessSpec


@document
class ThroughputJob:
    """Photographs that shall become embeddings for `seconds`, in one process.

    The app decodes and resizes them as the sample app does that indexes, with `decoders` threads, beside a runtime of
    `threads`. Before, it takes the steps of `step_photos` photographs one by one, after `warmup_photos` that warm the
    process up. Paths are relative to the app's own folder; the app compares all photographs with their hashes first.
    """

    job_id: str
    runtime: str
    model_path: str
    photos: tuple[SentFile, ...]
    preprocess: PreprocessSpec
    input: TensorSpec
    threads: int
    decoders: int
    seconds: float
    warmup_photos: int
    step_photos: int
    accelerator: str
    job_version: int = JOB_VERSION
