"""Carries out a benchmark plan: what is launched when, and a record for each artefact once it is done."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from benchmark.agent_runner import AgentRun, CountedRun, Runner
from benchmark.devices import Device
from benchmark.errors import (
    AgentError,
    BenchmarkError,
    CountingError,
    DeviceUnsupportedError,
    MeasurementError,
    TransportError,
)
from benchmark.golden_check import check_outputs
from benchmark.launch_records import Launch
from benchmark.profile_records import InstructionCounts
from benchmark.records import (
    ArtifactIdentity,
    BenchmarkRecord,
    DeviceFacts,
    GoldenCheck,
    RunSettings,
    RuntimeFacts,
    Status,
    new_record_id,
    tool_version,
    utc_now,
)
from export.artifact import Artifact
from models.errors import PocketClipError

ACCELERATOR = "cpu"
# Counts of one model that differ by more between processes are no measure of it.
REPEATABLE = 0.001

Append = Callable[[BenchmarkRecord], None]
Watch = Callable[[str], None]


@dataclass(frozen=True)
class BenchmarkPlan:
    """Which artefacts to measure and how; the time limit is that of one launch, in seconds."""

    artifacts: tuple[Artifact, ...]
    settings: RunSettings
    timeout_seconds: float = 300.0


def launch_order(artifacts: int, launches: int) -> list[int]:
    """Indices of the artefacts in launch order, A B B A A B ...: slow drift of the machine hits all alike."""
    forward = list(range(artifacts))
    return [index for turn in range(launches) for index in (forward if turn % 2 == 0 else reversed(forward))]


def run_plan(plan: BenchmarkPlan, device: Device, *, append: Append, watch: Watch) -> list[BenchmarkRecord]:
    """Measures every artefact; each record goes to `append` the moment its last launch ends.

    An artefact that fails becomes a record that says why, and the others go on. `watch` is called after each
    launch (also one that a failure made needless) with the artefact's label.
    """
    facts = device.facts()
    records: list[BenchmarkRecord] = []

    def finish(record: BenchmarkRecord) -> None:
        append(record)
        records.append(record)

    timed: list[_Measurement] = []
    for artifact in plan.artifacts:
        measurement = _Measurement(artifact, facts, plan.settings)
        reason = device.untimed_reason(artifact.manifest.target)
        if reason is None:
            timed.append(measurement)
            continue
        finish(measurement.parity_only(reason))
        for _ in range(plan.settings.launches):
            watch(artifact.label)

    with device.open_runner() as runner:
        for index in launch_order(len(timed), plan.settings.launches):
            measurement = timed[index]
            if not measurement.failed:
                record = measurement.launch(runner, plan.timeout_seconds)
                if record is not None:
                    finish(record)
            watch(measurement.artifact.label)
    return records


@dataclass
class _Measurement:
    """One artefact on its way to a record."""

    artifact: Artifact
    device: DeviceFacts
    settings: RunSettings
    launches: list[Launch] = field(default_factory=list[Launch])
    counted: list[CountedRun] = field(default_factory=list[CountedRun])
    checks: list[GoldenCheck] = field(default_factory=list[GoldenCheck])
    failed: bool = False

    def launch(self, runner: Runner, timeout_seconds: float) -> BenchmarkRecord | None:
        """One launch; returns the record if it was the last or it failed."""
        # Imported here: the targets bring converters with them that only this step needs.
        from export import targets

        runtime = targets.runtime_name(self.artifact.manifest.target)
        try:
            run = runner.run(self.artifact, runtime, self.settings, timeout_seconds=timeout_seconds)
            self.checks.append(check_outputs(self.artifact, run.outputs))
        except (AgentError, CountingError, DeviceUnsupportedError, MeasurementError, TransportError) as error:
            self.failed = True
            return self._record(
                Status.FAILED, _reason(error), RuntimeFacts(runtime, None, ACCELERATOR, None), runner.agent_sha256
            )
        if run.launch is not None:
            self.launches.append(run.launch)
        if run.counted is not None:
            self.counted.append(run.counted)
        if len(self.checks) < self.settings.launches:
            return None
        facts = _runtime_facts(runtime, run)
        if not self.counted:
            return self._record(Status.MEASURED, None, facts, runner.agent_sha256)
        differ = counts_differ(self.counted)
        if differ is not None:
            self.failed = True
            return self._record(Status.FAILED, differ, facts, runner.agent_sha256)
        return self._record(Status.COUNTED, None, facts, runner.agent_sha256)

    def parity_only(self, reason: str) -> BenchmarkRecord:
        """Compares outputs in this process, by whatever executes the format here, and times nothing."""
        from export import targets

        target = self.artifact.manifest.target
        runtime = RuntimeFacts(targets.runtime_name(target), None, ACCELERATOR, None)
        try:
            executed_by = targets.load_target(target).executed_by()
            self.checks.append(check_outputs(self.artifact, _run_golden_inputs(self.artifact)))
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
        return BenchmarkRecord(
            artifact=ArtifactIdentity(
                model=manifest.model.name,
                tower=manifest.tower,
                target=manifest.target,
                precision=manifest.precision,
                sha256=manifest.sha256,
                weights_sha256=manifest.model.weights_sha256,
                model_size_bytes=manifest.model_size_bytes,
                scheme=manifest.scheme,
            ),
            device=self.device,
            runtime=runtime,
            settings=self.settings,
            status=status,
            reason=reason,
            launches=tuple(self.launches),
            parity=manifest.parity,
            golden_check=_worst(self.checks) if self.checks else None,
            agent_sha256=agent_sha256,
            tool_version=tool_version(),
            record_id=new_record_id(),
            created_at=utc_now(),
            instructions=_instruction_counts(self.counted) if status is Status.COUNTED else None,
        )


def _run_golden_inputs(artifact: Artifact) -> npt.NDArray[np.generic]:
    from export import targets

    inputs = artifact.golden(artifact.manifest.golden.inputs)
    session = targets.open_session(artifact)
    try:
        return np.concatenate([session.run([inputs[i : i + 1]])[0].reshape(1, -1) for i in range(len(inputs))])
    finally:
        session.close()


def counts_differ(runs: Sequence[CountedRun]) -> str | None:
    """Why counts of several processes are no measure of the model, with a code; None where they repeat."""
    means = [statistics.mean(run.instructions) for run in runs]
    spread = (max(means) - min(means)) / statistics.median(means)
    if spread <= REPEATABLE:
        return None
    return (
        f"counts-differ: instructions differ by {100 * spread:.2f} % between {len(runs)} processes, "
        f"at most {100 * REPEATABLE:g} % allowed; see what else the runtime does, and run it again"
    )


def _instruction_counts(runs: Sequence[CountedRun]) -> InstructionCounts:
    return InstructionCounts(runs[0].cpu, tuple(run.instructions for run in runs), runs[0].warmup_inferences)


def _reason(error: BenchmarkError) -> str:
    # What the agent reports begins with a code of its own.
    return f"{error.code}: {error}" if error.code else str(error)


def _runtime_facts(runtime: str, run: AgentRun) -> RuntimeFacts:
    return RuntimeFacts(runtime, run.runtime_version, ACCELERATOR, run.accelerator_observed)


def _worst(checks: list[GoldenCheck]) -> GoldenCheck:
    return GoldenCheck(
        samples=checks[0].samples,
        cosine_min=min(check.cosine_min for check in checks),
        max_abs=max(check.max_abs for check in checks),
        exported_cosine_min=min(check.exported_cosine_min for check in checks),
    )
