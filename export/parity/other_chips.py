"""The graphs for an artefact's other chips: parity judges that of the first one, and each chip has a compiler's own.

LiteRT 2.3.0's compiler was seen to prepare a text tower in int8 for Hexagon v69 that computes something else.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pocketclip.export.artifact.parity_report import ParityReport
from pocketclip.export.npu.npu_report import read_report
from pocketclip.export.parity.budgets import Budget
from pocketclip.export.parity.measures import Reference, cosines, require_finite, run_session
from pocketclip.export.targets.base import NpuTarget, Target

# A graph that computes something else shows with the first.
_SAMPLES = 2


def with_other_chips(
    report: ParityReport, target: Target, folder: Path, reference: Reference, budget: Budget
) -> ParityReport:
    """The report, with a failure for each further chip whose graph is not within the budget on two samples.

    Args:
        report: on the first chip.
        target: one whose artefact has graphs for single chips, or another, whose report stays as it is.
        folder: the artefact's.
        reference: what the graphs take, and PyTorch's embeddings.
        budget: that of the report; its minimum cosine is asked of each chip.

    Raises:
        NonFiniteError: a graph gives NaN or infinity.
    """
    if not isinstance(target, NpuTarget):
        return report
    few = reference.some(_SAMPLES)
    failures = list(report.failures)
    for context in read_report(folder).contexts[1:]:
        session = target.open_prepared(folder / context.file, context.soc)
        outputs = run_session(session, few.inputs)
        session.close()
        require_finite(outputs, f"the graph for {context.soc}")
        lowest = float(cosines(few.embeddings, outputs).min())
        if lowest < budget.cosine_min:
            failures.append(
                f"the graph for {context.soc} computes something else: cosine_min {lowest:.6g} is below "
                f"{budget.cosine_min:g}; leave the chip out (--soc)"
            )
    return replace(report, failures=tuple(failures))
