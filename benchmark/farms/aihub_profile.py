"""AI Hub's profile of a job, read strictly: `download_profile` of qai-hub 0.56.0. Times are microseconds there."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from annotated_types import Ge, Le, MaxLen

from pocketclip.benchmark.records.farm import MOST_TIMES, FarmMemory, FarmTimes
from pocketclip.benchmark.records.fields import Name
from pocketclip.models.documents import document
from pocketclip.models.untrusted.numbers import Count, FileSize

# At most eleven days, as a record's times.
_Microseconds = Annotated[int, Ge(0), Le(10**12)]
_Times = Annotated[tuple[_Microseconds, ...], MaxLen(MOST_TIMES)]
_Range = tuple[FileSize, FileSize]


@document
class Summary:
    """`execution_summary`. What a version of the service does not tell is missing or null."""

    estimated_inference_time: _Microseconds
    estimated_inference_peak_memory: FileSize | None = None
    first_load_time: _Microseconds | None = None
    first_load_peak_memory: FileSize | None = None
    warm_load_time: _Microseconds | None = None
    warm_load_peak_memory: FileSize | None = None
    compile_time: _Microseconds | None = None
    compile_peak_memory: FileSize | None = None
    compile_memory_increase_range: _Range | None = None
    compile_memory_peak_range: _Range | None = None
    first_load_memory_increase_range: _Range | None = None
    first_load_memory_peak_range: _Range | None = None
    warm_load_memory_increase_range: _Range | None = None
    warm_load_memory_peak_range: _Range | None = None
    inference_memory_increase_range: _Range | None = None
    inference_memory_peak_range: _Range | None = None
    all_compile_times: _Times = ()
    all_first_load_times: _Times = ()
    all_warm_load_times: _Times = ()
    all_inference_times: _Times = ()


@document
class Layer:
    """One layer of `execution_detail`, and the unit that executed it."""

    name: Annotated[str, MaxLen(10_000)]
    type: Annotated[str, MaxLen(1000)]
    compute_unit: Name
    execution_time: _Microseconds | None = None
    execution_cycles: Count | None = None


@document
class Profile:
    """A whole profile."""

    execution_summary: Summary
    execution_detail: Annotated[tuple[Layer, ...], MaxLen(200_000)]

    @property
    def times(self) -> FarmTimes:
        """In nanoseconds."""
        summary = self.execution_summary
        return FarmTimes(
            estimated_inference_ns=1000 * summary.estimated_inference_time,
            inference_ns=tuple(1000 * each for each in summary.all_inference_times),
            first_load_ns=_nanoseconds(summary.first_load_time),
            warm_load_ns=_nanoseconds(summary.warm_load_time),
            compile_ns=_nanoseconds(summary.compile_time),
        )

    @property
    def memory(self) -> FarmMemory | None:
        """The peak of inferences; None where the service does not tell it.

        Raises:
            RecordError: its least is above its most.
        """
        peak = self.execution_summary.inference_memory_peak_range
        return None if peak is None else FarmMemory(*peak)

    @property
    def layers(self) -> dict[str, int]:
        """How many layers each unit executed."""
        return dict(Counter(layer.compute_unit.lower() for layer in self.execution_detail).most_common(100))


def _nanoseconds(microseconds: int | None) -> int | None:
    return None if microseconds is None else 1000 * microseconds
