"""What a farm's phone brought back, read by the same code as a phone's at hand: it becomes ordinary records."""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pocketclip.benchmark.devices.android_app_device import default_accelerator
from pocketclip.benchmark.devices.device import require_accelerator, untimed_on
from pocketclip.benchmark.devices.shell_facts import told_facts
from pocketclip.benchmark.errors import (
    AgentError,
    BenchmarkError,
    DeviceUnsupportedError,
    FarmResultError,
)
from pocketclip.benchmark.farms.phone_package import PhonePackage, PlannedLaunch
from pocketclip.benchmark.farms.phone_script import (
    CODE_NAME,
    DEVICE_NAME,
    ERRORS_NAME,
    EXITS_NAME,
    FACTS_FOLDER,
    OUTPUTS_NAME,
    RESULT_NAME,
    RESULTS_FOLDER,
    SAID_NAME,
)
from pocketclip.benchmark.phone_app.announced import read_announced
from pocketclip.benchmark.phone_app.app_protocol import AppFacts, StageAnswer, check_versions
from pocketclip.benchmark.phone_app.app_runner import (
    accepted_run,
    check_npu_libraries,
    check_offer,
    failure_error,
)
from pocketclip.benchmark.records.accelerators import ANDROID_ACCELERATORS
from pocketclip.benchmark.records.benchmark import DeviceFacts, DeviceKind, RunSettings, utc_now
from pocketclip.benchmark.records.launch import MachineState
from pocketclip.benchmark.runners.agent_archive import digest
from pocketclip.benchmark.runners.agent_runner import (
    AgentRun,
    ResultError,
    Runner,
    check_arrived,
    check_identity,
    check_request,
)
from pocketclip.benchmark.runners.chip_artifacts import placement_of
from pocketclip.benchmark.runners.protocol import AgentResult
from pocketclip.benchmark.runners.throughput_runner import ThroughputRunner
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.precision import TargetName
from pocketclip.models import documents
from pocketclip.models.untrusted.printable import printable_line

# Of one file, of all, and how many: an archive may declare anything.
_MOST_FILE_BYTES, _MOST_BYTES, _MOST_FILES = 128 << 20, 1 << 30, 50_000
_TIMED_OUT = 124
_MOST_WORDS = 1000
# What the app tells by itself, where no script asks the phone.
APP_DEVICE_NAME, APP_ERROR_NAME = "device.json", "error.txt"
# Of ours below the folder of results; whatever else is there is not read.
_OURS = re.compile(
    rf"(?:^|/){RESULTS_FOLDER}/(?:pocketclip-[0-9a-f-]{{36}}-out/)?((?:[a-z0-9-]{{1,40}}/)?[a-z]{{1,20}}\.[a-z]{{2,4}})$"
)


class PhoneFiles:
    """The files of results of one phone, by their path below the folder of results."""

    def __init__(self, files: dict[str, bytes], label: str) -> None:
        """`label` is the phone, for messages."""
        self._files = files
        self.label = label

    @classmethod
    def from_zip(cls, file: Path, label: str) -> PhoneFiles:
        """Those in a farm's archive of everything that a run wrote.

        Raises:
            FarmResultError: it is no archive, a truncated one, or larger than results are.
        """
        found: dict[str, bytes] = {}
        size = 0
        try:
            with zipfile.ZipFile(file) as archive:
                entries = archive.infolist()
                if len(entries) > _MOST_FILES:
                    raise FarmResultError(f"the archive of {label} has {len(entries)} files, at most {_MOST_FILES}")
                for entry in entries:
                    ours = _OURS.search(entry.filename)
                    if ours is None or entry.is_dir():
                        continue
                    with archive.open(entry) as stream:
                        content = stream.read(_MOST_FILE_BYTES + 1)
                    size += len(content)
                    if len(content) > _MOST_FILE_BYTES or size > _MOST_BYTES:
                        raise FarmResultError(f"the results of {label} are larger than results are")
                    found[ours[1]] = content
        except (
            zipfile.BadZipFile,
            EOFError,
            OSError,
            NotImplementedError,
            RuntimeError,
            ValueError,
            zlib.error,
        ) as error:
            raise FarmResultError(f"the archive of {label} is truncated or damaged: {error}") from error
        return cls(found, label)

    def text(self, path: str) -> str:
        """A file as text; empty where there is none."""
        return self._files.get(path, b"").decode(errors="replace")

    def answer(self, folder: str) -> bytes:
        """What the app answered in a launch, as it announced it.

        Raises:
            AgentError: it crashed, was killed, hung, or left nothing that can be trusted.
        """
        code = self.text(f"{folder}/{CODE_NAME}").strip()
        if not code and self.fault is not None:
            raise AgentError(f"the app on {self.label} did not come to {folder}: {self.fault}", "result-missing")
        if not code:
            raise AgentError(f"{self.label} did not come to {folder}: the run ended before", "result-missing")
        if code == str(_TIMED_OUT):
            raise AgentError(
                f"the app took longer than its limit on {self.label}",
                "app-hung",
                fix="raise --timeout or lower --iterations",
            )
        announced = read_announced(
            self.text(f"{folder}/{SAID_NAME}"),
            self.text(f"{folder}/{ERRORS_NAME}"),
            label=self.label,
            ended=f"`am instrument` ended with {code[:20]}",
            exits=lambda: self.text(f"{folder}/{EXITS_NAME}"),
        )
        content = self.file(f"{folder}/{RESULT_NAME}")
        check_arrived(content, announced.split(), "the app")
        check_versions(content, self.label)
        return content

    def file(self, path: str) -> bytes:
        """A file.

        Raises:
            AgentError: there is none.
        """
        if path not in self._files:
            raise AgentError(f"there is no {path} among the results of {self.label}", "result-missing")
        return self._files[path]

    def facts(self, name: str) -> DeviceFacts | None:
        """What the phone said of itself, by our script or by the app; None where it fits no record."""
        try:
            if APP_DEVICE_NAME in self._files:
                told = self._parse_facts(self._files[APP_DEVICE_NAME])
                kind = DeviceKind.EMULATED if told.kind is DeviceKind.EMULATED else DeviceKind.FARM
                return replace(told, name=name, kind=kind, instance=None)
            told = told_facts(self.text(DEVICE_NAME), name, DeviceKind.FARM)
            return self._parse_facts(json.dumps(documents.to_builtin(told)).encode())
        except FarmResultError:
            return None

    def _parse_facts(self, content: bytes) -> DeviceFacts:
        return documents.parse(DeviceFacts, content, source=self.label, error=FarmResultError)

    @property
    def fault(self) -> str | None:
        """Why the app carried out nothing or not all, in its own words."""
        return printable_line(self.text(APP_ERROR_NAME).strip())[:_MOST_WORDS] or None


class CollectedRunner:
    """A `Runner` whose launches were made before: each call gives the next one of its artefact and settings."""

    def __init__(self, files: PhoneFiles, package: PhonePackage, app_sha256: str) -> None:
        """`app_sha256` is the hash of the app that was sent; a farm may sign it anew."""
        self._files = files
        self._app_sha256 = app_sha256
        self._stagings = {each.artifact.manifest.sha256: each for each in package.stagings}
        self._launches: dict[object, list[PlannedLaunch]] = defaultdict(list)
        for launch in package.launches:
            self._launches[launch.measured.identity].append(launch)

    @property
    def agent_sha256(self) -> str:
        return self._app_sha256

    def run(self, artifact: Artifact, runtime: str, settings: RunSettings, *, timeout_seconds: float) -> AgentRun:
        """The next launch.

        Raises:
            MeasurementError: the app reports a failure, or has not what was asked for.
            AgentError: it left nothing that can be trusted.
        """
        files = self._files
        facts = documents.parse(AppFacts, files.answer(FACTS_FOLDER), source="the app's facts", error=ResultError)
        check_offer(facts, runtime, settings.accelerator, files.label)
        check_npu_libraries(facts, runtime, placement_of(artifact), files.label)
        self._check_staged(artifact)
        launch = self._launches[artifact.manifest.sha256, artifact.label, settings].pop(0)
        content = files.answer(launch.folder)
        result = documents.parse(AgentResult, content, source="the app's result", error=ResultError)
        check_identity(result.result_version, result.job_id, launch.job.job_id)
        check_request(result, digest(launch.request))
        return accepted_run(result, launch.job, files.label, lambda: files.file(f"{launch.folder}/{OUTPUTS_NAME}"))

    def _check_staged(self, artifact: Artifact) -> None:
        content = self._files.answer(self._stagings[artifact.manifest.sha256].folder)
        answer = documents.parse(StageAnswer, content, source="the app's answer to `stage`", error=ResultError)
        if answer.failure is not None:
            raise failure_error(answer.failure, self._files.label)
        if not answer.staged:
            raise AgentError(f"the app on {self._files.label} did not store the model, without a reason", "app-failed")


@dataclass(frozen=True)
class FarmPhone:
    """A `Device` whose launches were made before; without a runner, only the rules of an Android phone.

    `chip` is the one that the phone will have, by its model; None where the farm does not tell the model, or we do not
    know its chip.
    """

    described: DeviceFacts
    runner: Runner | None = None
    chip: str | None = None

    @property
    def lease_key(self) -> str:
        return f"farm-{self.described.name}"

    def check(self) -> None:
        pass

    def settings(self, asked: RunSettings) -> RunSettings:
        require_accelerator(asked, ANDROID_ACCELERATORS, "Android's")
        return asked

    def default_accelerator(self, runtime: str) -> str:
        return default_accelerator(runtime)

    def facts(self) -> DeviceFacts:
        return self.described

    def state(self) -> MachineState:
        return MachineState(utc_now())

    def untimed_reason(self, target: TargetName) -> str | None:
        return untimed_on(target, "a farm's Android phone", vulkan=True, npu=True)

    @contextmanager
    def open_runner(self) -> Iterator[Runner]:
        if self.runner is None:
            raise BenchmarkError("this phone has not measured anything")
        yield self.runner

    def check_throughput(self) -> None:
        raise DeviceUnsupportedError("farms measure no throughput", fix="use a phone at hand")

    def open_throughput(self) -> AbstractContextManager[ThroughputRunner]:
        raise DeviceUnsupportedError("farms measure no throughput", fix="use a phone at hand")
