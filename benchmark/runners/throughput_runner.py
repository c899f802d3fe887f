"""What measures a throughput on one device: one launch at a time, of one artefact on a set of photographs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pocketclip.benchmark.records.throughput import ThroughputLaunch
from pocketclip.export.artifact.reading import Artifact

if TYPE_CHECKING:
    from pocketclip.benchmark.runners.photo_folder import PhotoFolder

# Photographs whose steps are timed one by one; the first of them warm the process up.
STEP_PHOTOS = 32
WARMUP_PHOTOS = 4


@dataclass(frozen=True)
class ThroughputSettings:
    """How a launch encodes: by so many threads of the runtime, beside so many that decode, for so long."""

    threads: int
    decoders: int
    seconds: float
    accelerator: str


@dataclass(frozen=True)
class ThroughputRun:
    """What one launch brought back, verified."""

    launch: ThroughputLaunch
    runtime_version: str | None
    accelerator_observed: str | None


class ThroughputRunner(Protocol):
    """Measures throughputs on one device, a process per launch."""

    def run(
        self,
        artifact: Artifact,
        runtime: str,
        photos: PhotoFolder,
        settings: ThroughputSettings,
        *,
        timeout_seconds: float,
    ) -> ThroughputRun:
        """One launch of one artefact; the process may take `timeout_seconds` beyond what it encodes for.

        Raises:
            PocketClipError: it could not be measured; the message says why.
        """
        ...
