"""Where the ops of a tower that was prepared for an NPU are: what a computer without one can tell of it."""

from __future__ import annotations

from pocketclip.benchmark.records.fields import Name
from pocketclip.models.documents import document
from pocketclip.models.untrusted.numbers import Count


@document
class NpuPlacement:
    """The graph of an artefact for one chip.

    `sdk` is the version of Qualcomm's libraries that prepared it. `graphs` counts the pieces on the NPU, `ops` the ops
    of what it was prepared from (None where they were not counted), `on_cpu` those of them that are left to the
    processor. `size_bytes` are what a phone gets.
    """

    soc: Name
    sdk: Name
    graphs: Count
    ops: Count | None
    on_cpu: Count
    size_bytes: Count

    @property
    def coverage(self) -> float | None:
        """The share of the ops that are on the NPU; None where it is not known."""
        if not self.on_cpu:
            return 1.0
        return (self.ops - self.on_cpu) / self.ops if self.ops else None
