"""What a report is made of: records, and what is told beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pocketclip.benchmark.records.accuracy import AccuracyRecord, RetrievalRecord
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, age_key
from pocketclip.benchmark.records.farm import FarmRecord
from pocketclip.benchmark.report.comparison import Baseline, check_baseline
from pocketclip.benchmark.report.fleet_section import ToldFleet
from pocketclip.benchmark.report.selection import ModelSelection, select
from pocketclip.export.ladder.report import LadderReport
from pocketclip.export.precision import TargetName


@dataclass(frozen=True)
class Material:
    """All records of a store.

    `unavailable` maps targets that cannot be used here to reason and remedy; `ladders` are results of `verify`;
    `farms` are farms' own figures, which have a table of their own and are in no comparison; `fleet` is what the store
    says of a fleet beside its records.
    """

    benchmarks: Sequence[BenchmarkRecord] = ()
    accuracies: Sequence[AccuracyRecord] = ()
    retrievals: Sequence[RetrievalRecord] = ()
    unavailable: Mapping[TargetName, str] = field(default_factory=dict[TargetName, str])
    baseline: Baseline | None = None
    ladders: Sequence[LadderReport] = ()
    farms: Sequence[FarmRecord] = ()
    fleet: ToldFleet | None = None

    def select(self) -> list[ModelSelection]:
        """The records to show, by model.

        Raises:
            ReportError: there are no records, or none of the baseline.
        """
        selections = select(self.benchmarks, self.accuracies, self.retrievals, self.farms)
        if self.baseline is not None:
            check_baseline(self.baseline, self.benchmarks)
        return selections


def newest(selections: Sequence[ModelSelection]) -> str:
    """When the youngest record that is shown was made, ISO 8601."""
    stamps = (
        record.created_at
        for each in selections
        for record in (*each.benchmarks, *each.invalid, *each.accuracies, *each.retrievals, *each.farms)
    )
    # A wrong clock's date is no news.
    return max(stamps, key=age_key)


def probe_targets() -> dict[TargetName, str]:
    """Targets whose packages are missing, with the reason and the command that adds them."""
    from pocketclip.export import targets

    found = {target: targets.probe(target) for target in TargetName}
    return {
        target: f"unavailable here: {state.reason}; install it with: {state.install}"
        for target, state in found.items()
        if not state.available
    }
