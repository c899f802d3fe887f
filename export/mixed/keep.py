"""`--keep-float` and `--keep-int16`: modules that a user wants finer, by path or by the part that they are."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from torch import nn

from pocketclip.export.artifact.precision_plan import (
    OWN,
    SCHEMA_VERSION,
    KeptPrecision,
    PrecisionPlan,
    covers,
    finer_than,
    planned,
)
from pocketclip.export.errors import PlanError
from pocketclip.export.job import ExportJob
from pocketclip.export.mixed.offers import require_offer
from pocketclip.export.mixed.units import units
from pocketclip.export.passes.tower_module import tower_module
from pocketclip.export.precision import Tower
from pocketclip.models.errors import choices
from pocketclip.models.quantization.eight_bit_modules import projections, stems
from pocketclip.models.registry import build_model

# What may be left out at the beginning of a path.
_PREFIXES = ("", "encoder.", "encoder.model.", "encoder.text.", "encoder.visual.")
_MOST_NAMED = 3


class Part(StrEnum):
    """Words for modules that every tower has somewhere.

    The stem of an image tower sees the pixels; a projection gives the embedding. A text tower has no stem.
    """

    STEM = "stem"
    PROJECTION = "projection"


def with_kept(
    jobs: Sequence[ExportJob], words: str, kept_as: KeptPrecision = KeptPrecision.FLOAT
) -> tuple[ExportJob, ...]:
    """The jobs with a plan that keeps modules finer; jobs of a tower that has none of them as they are.

    Args:
        jobs: of one model.
        words: with commas: `stem`, `projection`, or paths of modules (`encoder.` at their beginning may be left out).
        kept_as: what they keep.

    Raises:
        PlanError: a name fits no exported tower (the message has the nearest), or a precision is floating point or
            has nothing between it and floating point.
        UnsupportedPrecisionError: a target does not compute that beside the precision.
    """
    option = f"--keep-{kept_as}"
    names = list(dict.fromkeys(name.strip() for name in words.split(",") if name.strip()))
    if not names:
        raise PlanError(f"{option} names no module", fix=f"give {choices(Part)} or module paths, separated by commas")
    for job in jobs:
        finer_than(job.precision)
        require_offer(job, kept_as)
    model = build_model(jobs[0].config, jobs[0].weights)
    towers = {tower: tower_module(model, tower) for tower in dict.fromkeys(job.tower for job in jobs)}
    paths = {tower: [_paths(module, tower, name) for name in names] for tower, module in towers.items()}
    for place, name in enumerate(names):
        if not any(found[place] for found in paths.values()):
            raise PlanError(_unknown(option, name, list(towers.values()), list(towers)))
    kept = {tower: _without_covered([path for each in found for path in each]) for tower, found in paths.items()}
    return tuple(replace(job, plan=_plan(job, kept[job.tower], kept_as)) if kept[job.tower] else job for job in jobs)


def _plan(job: ExportJob, paths: Sequence[str], kept_as: KeptPrecision) -> PrecisionPlan:
    modules = planned(paths, kept_as)
    return PrecisionPlan(SCHEMA_VERSION, job.config.name, job.tower, job.precision, modules)


def _paths(module: nn.Module, tower: Tower, name: str) -> tuple[str, ...]:
    """What a name means in a tower; nothing where it has no such module."""
    if name == Part.STEM:
        return stems(module) if tower is Tower.IMAGE else ()
    if name == Part.PROJECTION:
        return projections(module) or (units(module)[-1],) if tower is Tower.IMAGE else (OWN,)
    known = dict(module.named_modules())
    bare = name.removesuffix(OWN)
    found = next((f"{prefix}{bare}" for prefix in _PREFIXES if bare and f"{prefix}{bare}" in known), None)
    return () if found is None else (found + (OWN if name.endswith(OWN) else ""),)


def _without_covered(paths: Sequence[str]) -> list[str]:
    """Without those that another path means already."""
    distinct = list(dict.fromkeys(paths))
    return [
        path
        for path in distinct
        if not any(other != path and covers([other], path.removesuffix(OWN)) for other in distinct)
    ]


def _unknown(option: str, name: str, modules: Sequence[nn.Module], towers: Sequence[Tower]) -> str:
    known = sorted({path for module in modules for path, _ in module.named_modules() if path} | set(Part))
    near = difflib.get_close_matches(name, known, n=_MOST_NAMED, cutoff=0.4)
    where = " and ".join(towers)
    if name == Part.STEM:
        return f"{option} {name}: the {where} tower has none, only image towers do; omit it, or use --tower image"
    return f"{option}: the {where} tower has no module {name!r}; similar names: {choices(near or list(Part))}"
