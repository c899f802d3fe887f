"""The record of a throughput: photographs a second on one machine, at one number of threads."""

from __future__ import annotations

from typing import Literal

from pocketclip.benchmark.records.benchmark import ArtifactIdentity, DeviceFacts
from pocketclip.benchmark.records.fields import Duration, LongText, Moment, Name, Positive, RecordId
from pocketclip.benchmark.records.launch import MachineState
from pocketclip.models.documents import document
from pocketclip.models.untrusted.names import Sha256

THROUGHPUT_SCHEMA_VERSION = 1


@document
class PhotoSet:
    """The photographs: how many, their mean size in bytes and in pixels, and the hash of all their contents."""

    count: Positive
    mean_bytes: Positive
    mean_pixels: Positive
    sha256: Sha256


@document
class ThroughputLaunch:
    """One process. `decode_ns`, `resize_ns` and `inference_ns` are medians of one photograph, each step by itself.

    `photos` became embeddings within `elapsed_ns`, decoded by several threads while the tower ran.
    """

    photos: Positive
    elapsed_ns: Duration
    decode_ns: Duration
    resize_ns: Duration
    inference_ns: Duration
    before: MachineState

    @property
    def photos_per_second(self) -> float:
        """Photographs a second."""
        return self.photos / self.elapsed_ns * 1e9


@document
class ThroughputRecord:
    """`threads` are the runtime's, `decoders` those that decode and resize."""

    artifact: ArtifactIdentity
    device: DeviceFacts
    runtime: Name
    photographs: PhotoSet
    threads: Positive
    decoders: Positive
    launches: tuple[ThroughputLaunch, ...]
    record_id: RecordId
    created_at: Moment
    tool_version: LongText
    schema_version: Literal[1] = 1
