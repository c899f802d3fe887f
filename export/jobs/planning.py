"""From the words of a command line to the jobs of an export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pocketclip.export.artifact.pass_report import PassName
from pocketclip.export.errors import (
    BatchError,
    PassError,
    TargetUnavailableError,
    UnknownSocError,
    UnknownTargetError,
    UnsupportedPrecisionError,
)
from pocketclip.export.inputs.calibration import CalibrationRequest
from pocketclip.export.job import ExportJob
from pocketclip.export.npu.limits import check_chips
from pocketclip.export.npu.socs import chips_of, chosen_chips, parse_socs
from pocketclip.export.own_samples import SampleRequest
from pocketclip.export.passes.choices import CHOICES, check_choice, chosen_passes
from pocketclip.export.precision import (
    BATCHED_TARGETS,
    MOST_IN_BATCH,
    NPU_TARGETS,
    InstructionSet,
    TargetName,
    Tower,
    default_instruction_set,
)
from pocketclip.export.targets import TARGETS, parse_precisions, parse_targets, probe, requirement
from pocketclip.models.errors import PocketClipError, choices
from pocketclip.models.registry import ChosenModel
from pocketclip.models.terminal.command_line import parse_choice

_FIX_OF_CHIPS = "another precision, or --target onnx-qnn"


@dataclass(frozen=True)
class Plan:
    """The jobs asked for; and what `all` leaves out, targets or towers at a precision, each with the reason."""

    jobs: tuple[ExportJob, ...]
    skipped: Mapping[str, str]


def make_plan(
    model: ChosenModel,
    target: str,
    quantize: str,
    tower: str,
    out: Path,
    *,
    calibration: CalibrationRequest,
    raw: bool = False,
    ios: int | None = None,
    isa: str | None = None,
    soc: str | None = None,
    passes: Sequence[PassName] = (),
    without: Sequence[str] = (),
    parity_data: SampleRequest | None = None,
    batch: int = 1,
) -> Plan:
    """The jobs for what a user names; see `pocketclip export --help` for the words.

    Raises:
        UnknownTargetError: no such target or tower, or none was named.
        UnknownSocError: no such chip or phone, or no target prepares graphs for one.
        PassError: no such instruction set or pass, or a target is not made for that instruction set.
        BatchError: no batch of that size, or no target of it.
        UnsupportedPrecisionError: a target does not offer a precision, or not for that iOS or chip.
        TargetUnavailableError: the packages of a target that was named are missing, or those of all.
    """
    if not target:
        raise UnknownTargetError(f"give a --target: {choices(TargetName)}, or all")
    if tower not in (*Tower, "both"):
        raise UnknownTargetError(f"there is no tower {tower!r}", fix=f"choose among: {choices(Tower)}, both")
    towers = list(Tower) if tower == "both" else [Tower(tower)]
    chosen, meant = _parse_for(isa)
    asked = meant if soc is None else parse_socs(soc)
    left_out = tuple(parse_choice(PassName, "--without", name) for name in without)
    _check_batch(batch, towers)
    words = {word.strip() for word in quantize.split(",")}
    jobs: list[ExportJob] = []
    skipped: dict[str, str] = {}
    for name in parse_targets(target):
        if target == "all" and quantize == "int8" and TARGETS[name].int8 is None:
            skipped[name] = "it has no precision of 8 bits"
            continue
        refusal = _refusal(name, batch, asked)
        if refusal is not None and target == "all":
            skipped[name] = refusal.reason
            continue
        # A precision that no installation would bring is told first.
        precisions = parse_precisions(quantize, name)
        if refusal is not None:
            raise refusal.error
        socs = chosen_chips(name, asked) if name in NPU_TARGETS else ()
        isa_here = chosen or default_instruction_set(name)
        if target == "all" and (name, isa_here) not in CHOICES:
            skipped[name] = f"it is not made for {isa_here}"
            continue
        check_choice(name, isa_here, tuple(passes))
        for precision in precisions:
            requirement(name, precision, ios)
            for each in towers:
                try:
                    check_chips(name, precision, each, socs, what=precision, fix=_FIX_OF_CHIPS)
                except UnsupportedPrecisionError as error:
                    if "all" not in words:
                        raise
                    skipped[f"{name} {precision} {each}"] = str(error)
                    continue
                chosen_here = chosen_passes(name, isa_here, each, precision, options=passes, without=left_out)
                options = tuple(option for option in passes if option in chosen_here)
                jobs.append(
                    ExportJob(
                        model.config,
                        model.weights,
                        name,
                        precision,
                        each,
                        out,
                        calibration,
                        raw,
                        ios,
                        chosen,
                        options,
                        left_out,
                        cautions=model.cautions,
                        parity_data=parity_data,
                        socs=socs,
                        batch=batch if each is Tower.IMAGE else 1,
                    )
                )
    if not jobs:
        raise TargetUnavailableError(
            "no target is available here", fix="`pocketclip export --list` shows what each one needs"
        )
    if asked is not None and not any(job.socs for job in jobs):
        for name, reason in skipped.items():
            if name in NPU_TARGETS and chosen_chips(name, asked):
                raise TargetUnavailableError(f"target {name} alone prepares graphs for {choices(asked)}, and {reason}")
        raise UnknownSocError(
            f"{f'--for {isa}' if soc is None else '--soc'} applies only to {choices(NPU_TARGETS)}",
            fix="leave it out, or add one of these targets",
        )
    return Plan(tuple(jobs), skipped)


@dataclass(frozen=True)
class _Refusal:
    """Why a target has no jobs: in the words of a list of skipped ones, and as the error where the user named it."""

    reason: str
    error: PocketClipError


def _refusal(name: TargetName, batch: int, asked: tuple[str, ...] | None) -> _Refusal | None:
    if batch > 1 and name not in BATCHED_TARGETS:
        return _Refusal(
            "it takes one photograph at once",
            BatchError(
                f"target {name} takes one photograph at once, got --batch {batch}",
                fix=f"choose among: {choices(BATCHED_TARGETS)}",
            ),
        )
    if name in NPU_TARGETS and asked is not None and not chosen_chips(name, asked):
        return _Refusal(
            f"it prepares no graphs for {choices(asked)}",
            UnknownSocError(
                f"target {name} prepares no graphs for {choices(asked)}",
                fix=f"choose among: {choices(chips_of(name))}",
            ),
        )
    found = probe(name)
    if not found.available:
        return _Refusal(
            f"it is unavailable here ({found.reason}); install it with: {found.install}",
            TargetUnavailableError(
                f"target {name} is unavailable: {found.reason}", fix=f"install it with: {found.install}"
            ),
        )
    return None


def _check_batch(batch: int, towers: Sequence[Tower]) -> None:
    if not 1 <= batch <= MOST_IN_BATCH:
        raise BatchError(f"--batch {batch} is not allowed", fix=f"give a number from 1 to {MOST_IN_BATCH}")
    if batch > 1 and Tower.IMAGE not in towers:
        raise BatchError(
            f"--batch {batch} is for image towers: a text tower takes one text at once", fix="leave --batch out"
        )


def _parse_for(word: str | None) -> tuple[InstructionSet | None, tuple[str, ...] | None]:
    """What `--for` means: an instruction set, or the chips of phones.

    Raises:
        PassError: neither.
    """
    if word is None or word in list(InstructionSet):
        return (None if word is None else InstructionSet(word)), None
    try:
        return None, parse_socs(word)
    except UnknownSocError:
        raise PassError(
            f"--for {word!r} is unknown",
            fix=f"choose among: {choices(InstructionSet)}, or a phone with an NPU such as galaxy-s24",
        ) from None


class Gelu(StrEnum):
    """How GELU is computed: as trained, or approximated."""

    ERF = "erf"
    TANH = "tanh"
    SIGMOID = "sigmoid"


def pass_options(*, byte_input: bool, channels_last: bool, gelu: str) -> tuple[PassName, ...]:
    """The passes that options of the command line stand for.

    Raises:
        ConfigError: no such form of GELU.
    """
    chosen = {
        PassName.BYTE_INPUT: byte_input,
        PassName.CHANNELS_LAST_INPUT: channels_last,
        PassName.TANH_GELU: parse_choice(Gelu, "--gelu", gelu) is Gelu.TANH,
        PassName.SIGMOID_GELU: gelu == Gelu.SIGMOID,
    }
    return tuple(name for name, wanted in chosen.items() if wanted)
