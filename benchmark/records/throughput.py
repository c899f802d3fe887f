"""The record of a throughput: photographs a second on one machine, at one number of threads.

Schema history:
  throughput 1: first version.
  throughput 2: phones. `runtime` became what executed the model, with its accelerator; of a launch also the state after
    it, what else the machine did, and photographs that could not be read; `reason` and `invalid`.
"""

from __future__ import annotations

from typing import Literal

from pocketclip.benchmark.errors import RecordError
from pocketclip.benchmark.records.benchmark import ArtifactIdentity, DeviceFacts, RuntimeFacts, check_stamp
from pocketclip.benchmark.records.fields import Duration, LongText, Magnitude, Moment, Positive, RecordId, Text
from pocketclip.benchmark.records.launch import MachineState
from pocketclip.benchmark.records.validity import Invalidity
from pocketclip.models.documents import document
from pocketclip.models.untrusted.names import Sha256
from pocketclip.models.untrusted.numbers import Count, Share

THROUGHPUT_SCHEMA_VERSION = 2

# Of the photographs that a launch could not read, so many are named.
MOST_NAMED = 5


@document
class PhotoSet:
    """The photographs: how many, their mean size in bytes and in pixels, and the hash of all their contents."""

    count: Positive
    mean_bytes: Positive
    mean_pixels: Positive
    sha256: Sha256


@document
class UnreadablePhoto:
    """A photograph that the device could not decode, and why."""

    name: Text
    reason: Text


@document
class ThroughputLaunch:
    """One process. `decode_ns`, `resize_ns` and `inference_ns` are medians of one photograph, each step by itself.

    `photos` became embeddings within `elapsed_ns`, decoded by several threads while the tower ran. `unreadable` counts
    the photographs that the device could not decode, each once, as far as it met them; `first_unreadable` names some.
    `before` and `after` have battery and heat, where the device tells them. While photographs were encoded:
    `others_busy_cores`, `stolen_share` and `energy_joules` as in `Launch`.
    """

    photos: Positive
    elapsed_ns: Duration
    decode_ns: Duration
    resize_ns: Duration
    inference_ns: Duration
    before: MachineState
    after: MachineState | None = None
    others_busy_cores: Magnitude | None = None
    stolen_share: Share | None = None
    energy_joules: Magnitude | None = None
    unreadable: Count = 0
    first_unreadable: tuple[UnreadablePhoto, ...] = ()

    def __post_init__(self) -> None:
        if not self.elapsed_ns:
            raise RecordError("elapsed_ns is 0: no photograph is encoded in no time")
        if len(self.first_unreadable) > min(self.unreadable, MOST_NAMED):
            raise RecordError(
                f"{len(self.first_unreadable)} photographs are named as unreadable, of {self.unreadable}; "
                f"at most {MOST_NAMED} may be"
            )

    @property
    def photos_per_second(self) -> float:
        """Photographs a second."""
        return self.photos / self.elapsed_ns * 1e9


@document
class ThroughputRecord:
    """`threads` are the runtime's, `decoders` those that decode and resize.

    `reason` says why fewer launches were made than asked for; None where all were. A record with entries in `invalid`
    was measured under conditions that forbid to rank it.

    Raises:
        RecordError: the record holds neither a launch nor a reason, or its id or time is none.
    """

    artifact: ArtifactIdentity
    device: DeviceFacts
    runtime: RuntimeFacts
    photographs: PhotoSet
    threads: Positive
    decoders: Positive
    launches: tuple[ThroughputLaunch, ...]
    record_id: RecordId
    created_at: Moment
    tool_version: LongText
    reason: LongText | None = None
    invalid: tuple[Invalidity, ...] = ()
    kind: Literal["throughput"] = "throughput"
    schema_version: Literal[2] = THROUGHPUT_SCHEMA_VERSION

    def __post_init__(self) -> None:
        check_stamp(self.record_id, self.created_at)
        if not self.launches and self.reason is None:
            raise RecordError("a throughput without a launch needs the reason")
