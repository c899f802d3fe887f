"""How fast the variants are: one interleaved session on this computer, and instructions on the emulated phone.

Latency depends on no training: all variants have fresh weights here. Only towers that a variant changes are measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pocketclip.benchmark.encoder_study.study_records import SpeedKey, StudySpeed, TowerSpeed
from pocketclip.benchmark.encoder_study.variants import BASE, MODELS, PRECISIONS, Size, Variant, choose_variants
from pocketclip.benchmark.errors import MeasurementError, RecordError
from pocketclip.export.artifact.reading import Artifact, load_artifact
from pocketclip.export.precision import InstructionSet, TargetName
from pocketclip.models import documents
from pocketclip.models.complexity import measure
from pocketclip.models.registry import resolve_config
from pocketclip.models.untrusted.printable import printable_path

SPEED_FILE = "speed.json"

Say = Callable[[str], object]


@dataclass(frozen=True)
class SpeedSettings:
    """What is measured: `launches` processes of each artefact in turn; without `counts`, no emulated phone.

    `out` is for artefacts, `records` for what was measured.
    """

    out: Path
    records: Path
    size: Size
    targets: Sequence[TargetName]
    launches: int = 10
    iterations: int = 60
    counts: bool = True


@dataclass(frozen=True)
class _Measured:
    variant: Variant
    artifact: Artifact
    parameters: int
    flops: int


def measure_speed(settings: SpeedSettings, variants: Sequence[Variant], say: Say) -> StudySpeed:
    """Exports what is missing, measures all variants in one session, then counts; what is there already is kept.

    Of a target that lacks a variant, those that are there are measured again beside it, and keep their counts.

    Args:
        settings: what to measure.
        variants: the base first.
        say: told in words what goes on.

    Raises:
        RecordError: what is there is of another size.
        PocketClipError: an export failed, or the emulated phone does not work here.
        MeasurementError: an artefact could not be measured.
    """
    path = settings.records / SPEED_FILE
    stored = read_speed(settings.records, settings.size)
    wanted = {
        (variant.name, tower, str(target), precision)
        for variant in variants
        for tower in variant.towers
        for target in settings.targets
        for precision in PRECISIONS
    }
    there = {} if stored is None else {speed.key: speed for speed in stored.speeds}
    lacking = tuple(
        target for target in settings.targets if any(key not in there for key in wanted if key[2] == target)
    )
    if lacking:
        # All variants of a target anew: only what was measured in one session is compared.
        again = replace(settings, targets=lacking)
        measured = {speed.variant for speed in there.values() if speed.target in lacking}
        together = choose_variants({*measured, *(variant.name for variant in variants)}, settings.size)
        timed = _timed(again, [each for variant in together for each in _exports(again, variant, None, say)], say)
        kept = [speed for speed in there.values() if speed.target not in lacking]
        counted = [replace(speed, **_counts(there.get(speed.key))) for speed in timed.speeds]
        stored = replace(timed, speeds=(*kept, *counted))
        documents.write(stored, path)
    assert stored is not None
    if not settings.counts:
        return stored
    missing = {speed.key for speed in stored.speeds if speed.instructions is None} & wanted
    if not missing:
        return stored
    phones = (each for variant in variants for each in _exports(settings, variant, InstructionSet.ARM64, say))
    for each, instructions, cpu in _counted((one for one in phones if _key(one) in missing), say):
        speeds = tuple(
            replace(s, instructions=instructions, cpu=cpu) if s.key == _key(each) else s for s in stored.speeds
        )
        # After each: what was counted must outlive an interruption.
        stored = replace(stored, speeds=speeds)
        documents.write(stored, path)
    return stored


def read_speed(records: Path, size: Size) -> StudySpeed | None:
    """What was measured of a size, None where nothing was.

    Raises:
        RecordError: the file is damaged, or of another size.
    """
    path = records / SPEED_FILE
    if not path.is_file():
        return None
    found = documents.read(StudySpeed, path, error=RecordError)
    counted = measure(resolve_config(MODELS[size]))
    for each in found.speeds:
        expected = getattr(counted, each.tower).parameters
        if each.variant == BASE.name and each.parameters != expected:
            raise RecordError(
                f"{printable_path(path)} is not of size {size}: its {each.tower} tower has {each.parameters} "
                f"parameters, {MODELS[size]} {expected}",
                fix="give another --out, or another --records",
            )
    return found


def _counts(earlier: TowerSpeed | None) -> dict[str, Any]:
    """Instructions do not vary: those of an earlier session hold."""
    return {} if earlier is None else {"instructions": earlier.instructions, "cpu": earlier.cpu}


def _key(each: _Measured) -> SpeedKey:
    manifest = each.artifact.manifest
    return each.variant.name, manifest.tower, str(manifest.target), manifest.precision


def _exports(settings: SpeedSettings, variant: Variant, isa: InstructionSet | None, say: Say) -> list[_Measured]:
    """A variant's artefacts for this computer, or for an instruction set."""
    from pocketclip.export.api import ExportOptions, export_all
    from pocketclip.models.api import load_model
    from pocketclip.models.errors import PocketClipError

    model = load_model(MODELS[settings.size], changes=variant.changes(settings.size), fresh_weights=True)
    out = settings.out / "speed" / f"{variant.name}{'' if isa is None else f'-{isa}'}"
    found: list[_Measured] = []
    for tower in variant.towers:
        outcomes = export_all(
            model,
            target=",".join(settings.targets),
            precision=",".join(PRECISIONS),
            tower=tower,
            out=out,
            options=ExportOptions(isa=isa),
            on_outcome=lambda outcome: say(f"{variant.name}: {outcome[0].label}"),
        )
        counted = getattr(model.complexity, tower)
        for _, result in outcomes:
            if isinstance(result, PocketClipError):
                raise result
            found.append(_Measured(variant, load_artifact(result.folder), counted.parameters, counted.flops))
    return found


def _timed(settings: SpeedSettings, artifacts: Sequence[_Measured], say: Say) -> StudySpeed:
    from pocketclip.benchmark.api import BenchOptions, bench
    from pocketclip.benchmark.platforms.host import host_facts
    from pocketclip.benchmark.records.benchmark import Status
    from pocketclip.benchmark.statistics.summaries import launch_medians

    say(f"measuring {len(artifacts)} artefacts, {settings.launches} launches each, in turn")
    records = bench(
        [each.artifact.folder for each in artifacts],
        options=BenchOptions(launches=settings.launches, iterations=settings.iterations),
        store=settings.out / "speed.sqlite",
        on_record=lambda record: say(f"measured {record.artifact.model} {record.artifact.tower} {record.status}"),
    )
    by_sha256 = {record.artifact.sha256: record for record in records}
    speeds: list[TowerSpeed] = []
    for each in artifacts:
        manifest = each.artifact.manifest
        record = by_sha256[manifest.sha256]
        if record.status is not Status.MEASURED:
            raise MeasurementError(f"{each.variant.name} {manifest.scheme} {manifest.tower}: {record.reason}")
        speeds.append(
            TowerSpeed(
                variant=each.variant.name,
                tower=manifest.tower,
                target=str(manifest.target),
                precision=manifest.precision,
                parameters=each.parameters,
                flops=each.flops,
                size_bytes=manifest.model_size_bytes,
                launch_medians_ns=launch_medians(record.launches),
            )
        )
    facts = host_facts("host")
    return StudySpeed(f"{facts.cpu} ({', '.join(facts.isa)})", tuple(speeds))


def _counted(artifacts: Iterable[_Measured], say: Say) -> Iterator[tuple[_Measured, float, str]]:
    """Instructions of one inference of each, as they come, with the processor that is emulated."""
    from pocketclip.benchmark.arm64.counting import CountSettings, count_all
    from pocketclip.benchmark.arm64.root import ensure_root
    from pocketclip.benchmark.perf.candidates import candidate_of

    emulator = None
    for each in artifacts:
        # Not before there is something to count: the emulated phone may have to be made.
        emulator = emulator or ensure_root(say)
        (record,) = count_all([candidate_of(each.artifact)], emulator, CountSettings(counted=1))
        if record.instructions is None:
            raise MeasurementError(f"{each.variant.name}: {record.name}: {record.failure}")
        say(f"counted {each.variant.name} {record.name}: {record.instructions / 1e6:.2f} million instructions")
        yield each, record.instructions, emulator.cpu
