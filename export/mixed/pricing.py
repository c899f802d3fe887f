"""What the plans of a job cost on each processor of which something is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pocketclip.export.artifact.precision_plan import KeptPrecision, PrecisionPlan, PredictedCost
from pocketclip.export.job import ExportJob
from pocketclip.export.mixed.cost import CostGraph, Factors, predicted
from pocketclip.export.mixed.cost_factors import factors_for
from pocketclip.export.mixed.search import Cost, Kept
from pocketclip.export.mixed.work import work_of
from pocketclip.export.precision import InstructionSet
from pocketclip.export.targets.base import LoweringRequest


@dataclass(frozen=True)
class Pricing:
    """A tower of a job as its target is given it, and the factors of each processor."""

    graph: CostGraph
    factors: dict[InstructionSet, Factors]
    isa: InstructionSet

    @classmethod
    def of(cls, job: ExportJob, request: LoweringRequest) -> Pricing | None:
        """None where no files of the job's target and precision were measured."""
        factors = factors_for(job.target, job.precision)
        if not factors:
            return None
        return cls(CostGraph(work_of(request.module, request.example), job.target, job.isa), factors, job.isa)

    def predicted(self, plan: PrecisionPlan) -> tuple[PredictedCost, ...]:
        """See `export.mixed.cost.predicted`."""
        return predicted(self.graph, self.factors, plan.kept(KeptPrecision.FLOAT), plan.base)

    def cost(self, units: Sequence[str]) -> Cost | None:
        """The share of fp32 that a choice of units costs on the job's processor; None where that one is unknown."""
        factors = self.factors.get(self.isa)
        if factors is None:
            return None
        inside = self.graph.by_unit(units)
        whole = self.graph.cost(factors, self.graph.everything)
        known: dict[Kept, float] = {}

        def cost(kept: Kept) -> float:
            if kept not in known:
                chosen = np.array([unit in kept for unit in units] + [False], bool)
                known[kept] = self.graph.cost(factors, chosen[inside]) / whole
            return known[kept]

        return cost
