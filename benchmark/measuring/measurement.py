"""One artefact of a plan on its way to a record: its launches, its passes besides, what they come to."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from pocketclip.benchmark.errors import (
    AgentError,
    BenchmarkError,
    CountingError,
    DeviceUnsupportedError,
    MeasurementError,
    ProfilingError,
    RecordError,
    TransportError,
)
from pocketclip.benchmark.measuring.identity import identity_of
from pocketclip.benchmark.measuring.preparation import measure_preparation
from pocketclip.benchmark.profiling.op_profile import profile_artifact
from pocketclip.benchmark.records.benchmark import (
    BenchmarkRecord,
    DeviceFacts,
    DeviceKind,
    GoldenCheck,
    RunSettings,
    RuntimeFacts,
    Status,
    new_record_id,
    utc_now,
)
from pocketclip.benchmark.records.fields import LONGEST_REASON
from pocketclip.benchmark.records.launch import Launch
from pocketclip.benchmark.records.profile import InstructionCounts, OpProfile
from pocketclip.benchmark.records.validity import gates_for, judge_launches
from pocketclip.benchmark.runners.agent_runner import AgentRun, CountedRun, Runner
from pocketclip.benchmark.runners.bundled_manifest import BundledManifest
from pocketclip.benchmark.runners.chip_artifacts import placement_of
from pocketclip.benchmark.runners.golden_check import check_outputs
from pocketclip.benchmark.statistics.summaries import REPEATABLE_SHARE, interval_share, launch_medians, summarize_counts
from pocketclip.export.artifact.reading import Artifact
from pocketclip.models.errors import PocketClipError
from pocketclip.models.reading_child import Child
from pocketclip.models.terminal.version import tool_version
from pocketclip.models.untrusted.printable import printable


@dataclass
class Measurement:
    """One artefact on its way to a record; `timeout_seconds`, `profiled` and `tag` are its plan's."""

    artifact: Artifact
    device: DeviceFacts
    settings: RunSettings
    timeout_seconds: float
    profiled: bool = False
    tag: str | None = None
    launches: list[Launch] = field(default_factory=list[Launch])
    counted: list[CountedRun] = field(default_factory=list[CountedRun])
    checks: list[GoldenCheck] = field(default_factory=list[GoldenCheck])
    failed: str | None = None
    runtime: RuntimeFacts | None = None
    repeated: bool = False
    started: float = field(default_factory=lambda: time.monotonic())

    @property
    def finished(self) -> int:
        """Launches that came to their end."""
        return len(self.launches) + len(self.counted)

    @property
    def done(self) -> bool:
        """Whether there is nothing more to launch."""
        if self.failed is not None:
            return True
        if self.finished < self.settings.launches:
            return False
        until, budget = self.settings.until_share, self.settings.budget_seconds
        if until is None or (budget is not None and time.monotonic() - self.started >= budget):
            return True
        width = interval_share(launch_medians(self.launches))
        return width is not None and width <= until

    def launch(self, runner: Runner) -> None:
        """One launch; where it fails, `failed` says why."""
        run = self._run(runner, replace(self.settings, sustained_seconds=None), self.timeout_seconds)
        if run is not None:
            if run.launch is not None:
                self.launches.append(run.launch)
            if run.counted is not None:
                self.counted.append(run.counted)
            self.runtime = _runtime_facts(runtime_name(self.artifact), self.settings, run)

    def throw_differing_counts_away(self) -> str | None:
        """Makes room for counting once more where all counts are there and do not repeat, and says why.

        What a runtime compiles or caches at its first run after an installation is no part of an inference. None where
        the counts repeat, some are missing, or they were counted anew already.
        """
        if self.repeated or self.failed is not None or not self.counted or self.finished < self.settings.launches:
            return None
        differ = counts_differ(self.counted)
        if differ is not None:
            self.repeated = True
            self.counted.clear()
            self.checks.clear()
        return differ

    @property
    def needs_more_passes(self) -> bool:
        """Whether something is to be found in passes of its own."""
        return self.failed is None and (self.profiled or self.settings.sustained_seconds is not None)

    def record(self, runner: Runner, note: Callable[[str], object] | None = None) -> BenchmarkRecord:
        """The record of a measurement that is done; with `note`, told of failures, also what needs more passes."""
        if self.failed is not None:
            runtime = self.runtime or RuntimeFacts(runtime_name(self.artifact), None, self.settings.accelerator, None)
            return self._record(Status.FAILED, self.failed, runtime, runner.agent_sha256)
        assert self.runtime is not None  # set by each launch that succeeds
        if self.counted:
            differ = counts_differ(self.counted)
            status = Status.COUNTED if differ is None else Status.FAILED
            return self._record(status, differ, self.runtime, runner.agent_sha256)
        found = self._record(Status.MEASURED, None, self.runtime, runner.agent_sha256)
        # This computer's; what it takes on a phone, its app measures.
        here = self.device.kind is DeviceKind.HOST
        found = replace(
            found,
            preparation=measure_preparation(self.artifact) if here else None,
            # Nothing would make an emulated device's times ones to rank.
            invalid=()
            if self.device.kind is DeviceKind.EMULATED
            else judge_launches(self.launches, gates_for(self.device.logical_cores)),
        )
        if note is None or not self.needs_more_passes:
            return found
        return replace(found, sustained=self._sustained(runner, note), profile=self._profile(note))

    def _sustained(self, runner: Runner, note: Callable[[str], object]) -> Launch | None:
        seconds = self.settings.sustained_seconds
        if seconds is None:
            return None
        run = self._run(runner, self.settings, self.timeout_seconds + seconds)
        if run is None:
            note(f"no sustained run of {self.artifact.label}: {self.failed}")
            self.failed = None
            return None
        return run.launch

    def _profile(self, note: Callable[[str], object]) -> OpProfile | None:
        if not self.profiled:
            return None
        if self.device.kind is not DeviceKind.HOST:
            note(f"no profile: time by op is available only on host, not on {self.device.name}")
            return None
        try:
            return profile_artifact(self.artifact, runtime_name(self.artifact), threads=self.settings.threads)
        except ProfilingError as error:
            note(f"no profile: {error}")
            return None

    def _run(self, runner: Runner, settings: RunSettings, timeout_seconds: float) -> AgentRun | None:
        try:
            run = runner.run(self.artifact, runtime_name(self.artifact), settings, timeout_seconds=timeout_seconds)
            self.checks.append(check_outputs(self.artifact, run.outputs))
            return run
        except (AgentError, CountingError, DeviceUnsupportedError, MeasurementError, TransportError) as error:
            self.failed = failure_reason(error)
            return None

    def parity_only(self, reason: str, child: Child) -> BenchmarkRecord:
        """Compares outputs on this computer, by whatever executes the format here, and times nothing.

        Args:
            reason: why nothing is timed.
            child: where it runs; converters take seconds to import, so artefacts share one.
        """
        runtime = RuntimeFacts(runtime_name(self.artifact), None, self.settings.accelerator, None)
        try:
            executed_by, outputs = _run_golden_inputs(child, self.artifact)
            self.checks.append(check_outputs(self.artifact, outputs))
        except PocketClipError as error:
            return self._record(Status.FAILED, str(error), runtime, None)
        except Exception as error:
            # An executor's own error; one artefact must not end the plan.
            return self._record(Status.FAILED, f"inference-failed: {type(error).__name__}: {error}", runtime, None)
        return self._record(Status.PARITY_ONLY, reason, replace(runtime, version=executed_by), None)

    def _record(
        self, status: Status, reason: str | None, runtime: RuntimeFacts, agent_sha256: str | None
    ) -> BenchmarkRecord:
        manifest = self.artifact.manifest
        placement = placement_of(self.artifact)
        identity = identity_of(manifest)
        return BenchmarkRecord(
            # What a phone gets, not the portable file beside it.
            artifact=identity if placement is None else replace(identity, model_size_bytes=placement.size_bytes),
            device=self.device,
            runtime=runtime,
            settings=self.settings,
            status=status,
            reason=None if reason is None else _storable(reason),
            launches=tuple(self.launches) if status is not Status.PARITY_ONLY else (),
            parity=manifest.parity or (manifest.bundled_parity if isinstance(manifest, BundledManifest) else None),
            golden_check=_worst(self.checks) if self.checks else None,
            agent_sha256=agent_sha256,
            tool_version=tool_version(),
            record_id=new_record_id(),
            created_at=utc_now(),
            tag=self.tag,
            npu=placement,
            instructions=_instruction_counts(self.counted) if status is Status.COUNTED else None,
        )


def runtime_name(artifact: Artifact) -> str:
    """What runs the artefact."""
    # Imported here: the targets bring converters with them that only this step needs.
    from pocketclip.export import targets

    return targets.runtime_name(artifact.manifest.target)


def _run_golden_inputs(child: Child, artifact: Artifact) -> tuple[str, npt.NDArray[np.generic]]:
    """What executes the artefact here and what it gives, in a process of its own: it may crash what runs it."""
    from pocketclip.export import foreign
    from pocketclip.export.parity.golden_run import run_golden_inputs

    return foreign.run(child, run_golden_inputs, artifact, about=str(artifact.folder), files=[artifact.model_path])


def counts_differ(runs: Sequence[CountedRun]) -> str | None:
    """Why counts of several processes are no measure of the model, with a code; None where they repeat."""
    counts = summarize_counts([run.instructions for run in runs])
    if counts.spread_share is None or counts.repeatable:
        return None
    return (
        f"counts-differ: instructions differ by {100 * counts.spread_share:.2f} % between {counts.processes} "
        f"processes, at most {100 * REPEATABLE_SHARE:g} % allowed; see what else the runtime does, and run it again"
    )


def _instruction_counts(runs: Sequence[CountedRun]) -> InstructionCounts:
    return InstructionCounts(runs[0].cpu, tuple(run.instructions for run in runs), runs[0].warmup_inferences)


def refused(record: BenchmarkRecord, error: RecordError) -> BenchmarkRecord:
    """The failed record in the place of one that cannot be stored, with nothing that the device told."""
    return replace(
        record,
        status=Status.FAILED,
        reason=_storable(f"record-invalid: {error}; see what the device or its app reports, and run it again"),
        runtime=replace(record.runtime, version=None, accelerator_observed=None),
        launches=(),
        golden_check=None,
        sustained=None,
        preparation=None,
        profile=None,
        instructions=None,
        invalid=(),
    )


def failure_reason(error: PocketClipError) -> str:
    """Why something was not measured, as a record may hold it; what devices report begins with a code of its own."""
    coded = isinstance(error, BenchmarkError) and error.recorded
    return _storable(f"{error.code}: {error}" if coded else str(error))


def _storable(reason: str) -> str:
    """A reason as a record may hold it: devices' words may be of any length and hold anything."""
    shown = printable(reason)
    return shown if len(shown) <= LONGEST_REASON else f"{shown[:LONGEST_REASON]} ..."


def _runtime_facts(runtime: str, settings: RunSettings, run: AgentRun) -> RuntimeFacts:
    return RuntimeFacts(runtime, run.runtime_version, settings.accelerator, run.accelerator_observed)


def _worst(checks: list[GoldenCheck]) -> GoldenCheck:
    return GoldenCheck(
        samples=checks[0].samples,
        cosine_min=min(check.cosine_min for check in checks),
        max_abs=max(check.max_abs for check in checks),
        exported_cosine_min=min(check.exported_cosine_min for check in checks),
    )
