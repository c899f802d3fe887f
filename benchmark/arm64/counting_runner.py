"""Counts instructions in the place of time: the runner of a device whose clock means nothing."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pocketclip.benchmark.arm64.counting import CountSettings, run_process
from pocketclip.benchmark.arm64.emulator import Counter, Counts, Emulator, parse_counts
from pocketclip.benchmark.perf.candidates import candidate_of
from pocketclip.benchmark.records.benchmark import RunSettings
from pocketclip.benchmark.runners.agent_archive import build_counting_agent, digest
from pocketclip.benchmark.runners.agent_runner import AgentRun, CountedRun
from pocketclip.benchmark.transport.base import Execution
from pocketclip.benchmark.transport.shell import ShellTransport
from pocketclip.export.artifact.reading import Artifact

WARMUP_INFERENCES = 1


class ShellCounter:
    """The emulated phone through its own shell: a `Counter` for which adb carries everything."""

    def __init__(self, transport: ShellTransport, emulator: Emulator, workspaces: str) -> None:
        """`workspaces` is the folder of the phone below which folders are made."""
        self.cpu = emulator.cpu
        self._transport = transport
        self._emulator = emulator
        self._workspaces = workspaces
        self._names = itertools.count(1)

    @contextmanager
    def workspace(self) -> Iterator[str]:
        """An empty folder of the phone, by its path there, removed at the end."""
        with self._transport.workspace(self._workspaces) as folder:
            yield folder

    def push(self, local: Path, remote: str) -> None:
        """Copies a file into the phone."""
        self._transport.push(local, remote)

    def pull(self, remote: str, local: Path) -> None:
        """Copies a file out of the phone."""
        self._transport.pull(remote, local)

    def count(self, command: Sequence[str], *, folder: str, timeout_seconds: float) -> tuple[Execution, Counts | None]:
        """Runs an arm64 program and counts its instructions; None where it did not come to an end of its own.

        Raises:
            CountingError: the counts are not those of a whole run.
            TransportError: the phone went away.
        """
        path = f"{folder}/counts-{next(self._names)}"
        words = self._emulator.arguments(command, self._emulator.counting_options(path))
        execution = self._transport.execute(words, folder=folder, timeout_seconds=timeout_seconds)
        written = self._transport.shell(f"cat {shlex.quote(path)}")
        return execution, parse_counts(written.stdout) if written.exit_code == 0 else None


class CountingRunner:
    """Infers a few times under the counter, a process per launch."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    @property
    def agent_sha256(self) -> str:
        return digest(build_counting_agent())

    def run(self, artifact: Artifact, runtime: str, settings: RunSettings, *, timeout_seconds: float) -> AgentRun:
        """One process: its instructions, and the outputs of every golden sample.

        Raises:
            AgentError, MeasurementError: the model does not load or run there, or its outputs did not arrive whole.
            CountingError: the counts are not those of the inferences asked for.
            TransportError: the phone went away.
        """
        count = CountSettings(
            warmup=WARMUP_INFERENCES,
            counted=settings.iterations,
            timeout_seconds=timeout_seconds,
            every_sample=True,
        )
        found = run_process(candidate_of(artifact), self._counter, count)
        counted = CountedRun(self._counter.cpu, found.inferences[WARMUP_INFERENCES:], WARMUP_INFERENCES)
        return AgentRun(None, found.outputs, found.runtime_version, None, counted)
