"""The fitted factors as Python: what `export/mixed/cost_factors.py` holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pocketclip.benchmark.precision_costs.fitting import TargetFit
from pocketclip.export.mixed.work import Work


def as_python(fits: Sequence[TargetFit]) -> str:
    """Entries of the table, each with a comment on what it was fitted to."""
    lines = ["FACTORS: dict[tuple[TargetName, InstructionSet], Factors] = {"]
    for each in fits:
        found = each.fit
        lines += [
            f"    # {found.files} files; files left out of the fit are predicted to within "
            f"{found.error_median:.1%} (median), {found.error_max:.0%} (worst).",
            f"    (TargetName.{each.target.name}, InstructionSet.{each.processor.name}): Factors(",
            f"        in_float={_kinds(found.factors.in_float)},",
            f"        in_int8={_kinds(found.factors.in_int8)},",
            f"        quantise={found.factors.quantise:.4g},",
            f"        dequantise={found.factors.dequantise:.4g},",
            f"        op={found.factors.op:.4g},",
            "    ),",
        ]
    return "\n".join([*lines, "}"])


def _kinds(factors: Mapping[Work, float]) -> str:
    return "{" + ", ".join(f"Work.{kind.name}: {value:.4g}" for kind, value in factors.items()) + "}"
