"""Where a rung diverges: the op or module, by the best means that its runtime offers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pocketclip.export.artifact.feeding import artifact_input
from pocketclip.export.ladder.causes import Levels, level, plain_runner, rounded_level
from pocketclip.export.ladder.conversion import Conversions
from pocketclip.export.ladder.cuts import bisect
from pocketclip.export.ladder.matching import VISIBLE_DB, Finding, first_below, first_loss, match
from pocketclip.export.ladder.report import Divergence, Method
from pocketclip.export.ladder.stations import Event, Site, Station, module_sites, program_stations, program_values
from pocketclip.export.ladder.traces import tracer_of
from pocketclip.export.parity.budgets import Budget
from pocketclip.export.parity.measures import cosines, snr_db
from pocketclip.export.passes.tower_module import tower_module
from pocketclip.export.precision import Precision
from pocketclip.export.targets.rejection import Place

Probes = Sequence[np.ndarray]
Tell = Callable[[str], object]


def between_modules(before: nn.Module, after: nn.Module, probes: Probes, limit_db: float) -> Divergence | None:
    """The first module of a rewritten tower that gives something else than the module of that path did before.

    A module that was put together with others is judged with the nearest one around it that both towers have.
    """
    earlier, later = module_sites(before, probes), module_sites(after, probes)
    agreed: Site | None = None
    for site, values in later.items():
        expected = earlier.get(site)
        if expected is None or expected[0].shape != values[0].shape:
            continue
        level = min(_level(one, other) for one, other in zip(expected, values, strict=True))
        if level >= limit_db:
            agreed = site
            continue
        # What enters a module wrong was made wrong by the code of the module around it.
        module = site.module if site.event is Event.EXIT else site.module.rpartition(".")[0]
        return Divergence(
            method=Method.MODULES,
            detail=f"{level:.1f} dB between the two forms' outputs, at least {limit_db:g} wanted",
            module=module,
            class_name=type(after.get_submodule(module)).__name__,
            after=None if agreed is None else str(agreed),
        )
    return None


def in_program(tower: nn.Module, program: torch.fx.GraphModule, probes: Probes, limit_db: float) -> Divergence | None:
    """The first module whose output is not among the values of the exported program."""
    stations = [
        Station(Place(site.module, type(tower.get_submodule(site.module)).__name__, None), None, values)
        for site, values in module_sites(tower, probes).items()
        if site.event is Event.EXIT
    ]
    finding = first_below(stations, match(stations, program_values(program, probes)), limit_db)
    return None if finding is None else _worded(stations, finding, Method.VALUES)


def in_conversion(
    conversions: Conversions,
    tower: nn.Module,
    program: torch.fx.GraphModule,
    model_path: Path,
    precision: Precision,
    probes: Probes,
    limit_db: float,
    tell: Tell,
) -> Divergence | None:
    """Where a conversion of the tower that was just made goes wrong."""
    tracer = tracer_of(conversions.subject.artifact.manifest.target)
    if tracer is not None:
        stations = program_stations(program, probes)
        finding = first_below(stations, match(stations, tracer(model_path, probes)), limit_db)
        if finding is not None:
            return _worded(stations, finding, Method.VALUES)
    return bisect(conversions, tower, precision, probes, limit_db, tell)


def in_artifact(
    conversions: Conversions,
    tower: nn.Module,
    program: torch.fx.GraphModule,
    probes: Probes,
    expected: np.ndarray,
    given: np.ndarray,
    budget: Budget,
    tell: Tell,
) -> Divergence | None:
    """Where the artefact goes wrong, and why.

    The runtime's optimisations and the precision's rounding are ruled out first. Then its values are held against those
    of a fresh conversion at its own precision, which tells a fault of the file from what the precision costs anywhere;
    where that one fails as well, the converter is searched.

    Args:
        conversions: what converts.
        tower: the exported module.
        program: its exported program.
        probes: inputs on which the artefact fails.
        expected: PyTorch's embeddings of the probes.
        given: the artefact's.
        budget: the artefact's.
        tell: called with a line for each conversion of a bisection.
    """
    artifact = conversions.subject.artifact
    manifest = artifact.manifest
    tell(f"converting the tower afresh at {manifest.precision}")
    fresh = conversions.convert(tower, manifest.precision)
    outputs = np.concatenate(conversions.run(fresh, probes))
    levels = _levels(conversions, probes, expected, given, outputs)
    if levels.optimised_away:
        words = levels.optimisation_words()
        return Divergence(method=Method.PLAIN, detail=words, cause="the runtime's optimisations")
    if levels.is_rounding:
        cause = f"rounding of {manifest.precision} (as fake-quantised PyTorch shows)"
        return Divergence(method=Method.ROUNDING, detail=levels.rounding_words(manifest.precision), cause=cause)
    if not levels.file_differs and (
        not np.isfinite(outputs).all() or cosines(expected, outputs).min() < budget.cosine_min
    ):
        found = in_conversion(conversions, tower, program, fresh, manifest.precision, probes, budget.snr_db, tell)
        if found is None and manifest.precision is not Precision.FP32:
            cause = f"rounding of {manifest.precision}, spread over the graph"
            detail = f"{cause}: a fresh conversion loses the same, and no module of it goes wrong by itself"
            return Divergence(method=Method.ROUNDING, detail=detail, cause=cause)
        return found
    calibration = "" if conversions.calibrated_alike else ", calibrated on the generated scenes"
    sound = f"a fresh conversion of the same weights{calibration} agrees"
    tracer = tracer_of(manifest.target)
    if tracer is None:
        return Divergence(
            method=Method.NONE,
            detail=f"{sound}: the file was made from something else than these weights; its runtime computes whole "
            "delegates and shows no value inside. Export it again",
        )
    stations = program_stations(program, probes)
    found = match(stations, tracer(artifact.model_path, probes))
    finding = first_loss(match(stations, tracer(fresh, probes)), found)
    if finding is None:
        return Divergence(
            method=Method.VALUES,
            detail=f"{sound}, and every value inside the file agrees when it is computed op by op; neither rounding "
            "nor the runtime's optimisations were shown to be the cause",
        )
    return _worded(stations, finding, Method.VALUES, sound)


def _levels(
    conversions: Conversions, probes: Probes, expected: np.ndarray, given: np.ndarray, fresh: np.ndarray
) -> Levels:
    subject = conversions.subject
    manifest = subject.artifact.manifest
    own = subject.model.config.preprocess
    calibration = conversions.calibration.inputs if manifest.precision.needs_calibration else ()
    runner = plain_runner(manifest.target)
    plain = None
    if runner is not None:
        plain = level(
            expected, runner(subject.artifact.model_path, [artifact_input(each, own, manifest) for each in probes])
        )
    tower = tower_module(subject.model, subject.tower, raw=subject.raw)
    return Levels(
        file=level(expected, given),
        fresh=level(expected, fresh),
        plain=plain,
        rounded=rounded_level(tower, manifest.precision, calibration, probes, expected, subject.plan),
        calibrated_alike=conversions.calibrated_alike,
    )


def _worded(stations: Sequence[Station], finding: Finding, method: Method, sound: str = "") -> Divergence:
    station = stations[finding.index]
    nearest = "no value comes near PyTorch's" if finding.snr_db < VISIBLE_DB else f"{finding.snr_db:.1f} dB"
    wanted = f"{sound}, with {finding.expected_db:.1f} dB" if sound else f"at least {finding.expected_db:.1f} dB wanted"
    return Divergence(
        method=method,
        detail=f"{nearest}; {wanted}",
        module=station.place.module,
        class_name=station.place.class_name,
        op=station.op,
        line=station.place.line,
        after=None if finding.after is None else str(stations[finding.after]),
        cause=f"a wrong lowering at {station.place.module or 'the tower itself'}",
    )


def _level(expected: np.ndarray, output: np.ndarray) -> float:
    return snr_db(expected, output) if np.isfinite(output).all() else float("-inf")
