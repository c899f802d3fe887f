"""What passes apart from the timed one find: time by op, instructions of an emulated core, preparation of inputs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from annotated_types import MinLen

from pocketclip.benchmark.records.fields import Duration, Name, Positive, Text
from pocketclip.models.documents import document
from pocketclip.models.untrusted.numbers import Count


@document
class OpTime:
    """All calls of one node of a graph in the profiled inferences.

    `delegate` is what ran it in the place of the runtime's own kernel, e.g. `XNNPACK`; None for the runtime itself.
    """

    name: Text
    op: Text
    delegate: Name | None
    calls: Positive
    total_ns: Duration


@document
class OpProfile:
    """Time by op, from a pass of its own: profiling slows inferences.

    `source` names the profiler; `inference_ns` are whole inferences under it.
    """

    source: Text
    inference_ns: Annotated[tuple[Duration, ...], MinLen(1)]
    ops: Annotated[tuple[OpTime, ...], MinLen(1)]


@document
class InstructionCounts:
    """Instructions that an emulated core executed: a row for each process, in it one for each counted inference."""

    cpu: Text
    per_inference: Annotated[tuple[Annotated[tuple[Count, ...], MinLen(1)], ...], MinLen(1)]
    warmup_inferences: Count


class PreparationStep(StrEnum):
    """What is done to an input before the model gets it."""

    PREPROCESS = "preprocess"
    TOKENIZE = "tokenize"


@document
class Preparation:
    """Time to make one input from a decoded image of 8 bits, or from a prompt; no part of the latency."""

    step: PreparationStep
    executed_by: Text
    samples_ns: Annotated[tuple[Duration, ...], MinLen(1)]
