"""The measuring app on an Android phone, driven through `am instrument`: a process of its own for each call.

Requests, inputs and answers lie in the app's folder on the shared storage, where adb may write too; models are moved
from there to the app's internal storage, by their hash, and stay for the next bench.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import shlex
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TypeVar

from pocketclip.benchmark.errors import (
    AgentError,
    BenchmarkError,
    DeviceDisconnectedError,
    DeviceOfflineError,
    TransferError,
    TransportError,
)
from pocketclip.benchmark.phone_app.announced import EXITS_LINE, read_announced
from pocketclip.benchmark.phone_app.apk import PACKAGE, Apk
from pocketclip.benchmark.phone_app.app_protocol import (
    AppFacts,
    ForgetAnswer,
    ForgetRequest,
    SentFile,
    StageAnswer,
    StageRequest,
    check_versions,
    sent_photos,
)
from pocketclip.benchmark.phone_app.app_runner import failure_error
from pocketclip.benchmark.phone_app.installing import SPARE_BYTES
from pocketclip.benchmark.phone_app.room import require_room
from pocketclip.benchmark.phone_app.steady import wake
from pocketclip.benchmark.phone_app.throughput_protocol import ThroughputJob
from pocketclip.benchmark.runners.agent_archive import digest
from pocketclip.benchmark.runners.agent_runner import ResultError, check_arrived, check_identity, check_request
from pocketclip.benchmark.runners.photo_folder import PhotoFile
from pocketclip.benchmark.runners.protocol import AgentResult, Failure, Job
from pocketclip.benchmark.transport.device_paths import below, leftovers_line, removal_line, short_hash
from pocketclip.benchmark.transport.shell import ShellTransport
from pocketclip.export.artifact.manifest import FileEntry
from pocketclip.export.artifact.paths import check_no_links
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.errors import ArtifactCorruptError
from pocketclip.models import documents

COMPONENT = f"{PACKAGE}/{PACKAGE}.BenchInstrumentation"

_MEDIA_FOLDER_API = 29
_FACTS_SECONDS = 60.0
_SLOWEST_BYTES_PER_SECOND = 20_000_000

Answer = TypeVar("Answer")


def shared_folder(api_level: int | None) -> str:
    """The folder that both the app and the shell may write to; the app chooses by the same rule.

    From Android 10 on it is the app's media folder, as in AndroidX's benchmark library: below Android/data, what the
    shell makes is not for the app from Android 11 on.
    """
    if api_level is None or api_level >= _MEDIA_FOLDER_API:
        return f"/sdcard/Android/media/{PACKAGE}"
    return f"/sdcard/Android/data/{PACKAGE}/files"


class AndroidApp:
    """A `PhoneApp` that is installed; `folder` is one of ours, empty, below the app's shared folder."""

    def __init__(
        self, transport: ShellTransport, apk: Apk, facts: AppFacts, *, shared: str, folder: str, scratch: Path
    ) -> None:
        """`facts` are those of now; `shared` is `shared_folder`'s, `scratch` an empty folder of this computer."""
        self._transport = transport
        self._apk = apk
        self._shared = shared
        self._folder = folder
        self._scratch = scratch
        self._facts: AppFacts | None = facts
        self._stored: set[str] = set(facts.models)
        self._sent: set[str] = set()
        self._wanted: set[str] = set()
        self._numbers = itertools.count(1)

    @property
    def label(self) -> str:
        return self._transport.label

    @property
    def sha256(self) -> str:
        return self._apk.sha256

    def facts(self) -> AppFacts:
        if self._facts is None:
            self._facts = ask_facts(self._transport, self._shared, self._folder, self._scratch)
            self._stored = set(self._facts.models)
        return self._facts

    def put_model(self, artifact: Artifact) -> str:
        manifest = artifact.manifest
        # Refused before it is part of any path.
        short_hash(manifest.sha256)
        self._wanted.add(manifest.sha256)
        self.facts()
        if manifest.sha256 not in self._stored:
            self._make_room(manifest.model_size_bytes)
            self._stage(artifact)
            self._stored.add(manifest.sha256)
        return below(f"models/{manifest.sha256}", manifest.entry_point)

    def put_inputs(self, artifact: Artifact) -> str:
        file = artifact.manifest.golden.inputs.file
        entry = next(each for each in artifact.manifest.files if each.path == file)
        path = f"{self._relative}/inputs-{short_hash(entry.sha256)}.bin"
        if path not in self._sent:
            self._transport.push(artifact.folder / file, f"{self._shared}/{path}")
            self._sent.add(path)
        return path

    def put_photos(self, photos: Sequence[PhotoFile]) -> tuple[SentFile, ...]:
        # In the shared folder, which is removed at the end: nobody's photographs stay on the phone.
        sent = sent_photos(photos, f"{self._relative}/photos")
        missing = [each for each in zip(sent, photos, strict=True) if each[0].path not in self._sent]
        if missing:
            # For each launch the app takes copies into its own storage.
            need = 2 * sum(each.size_bytes for each in sent) + SPARE_BYTES
            require_room(self.label, "the photographs", need, self.facts().free_bytes)
        for file, photo in missing:
            photo.check_unchanged()
            self._transport.push(photo.path, f"{self._shared}/{file.path}")
            self._sent.add(file.path)
        return sent

    def new_folder(self) -> str:
        return f"{self._relative}/launch-{next(self._numbers)}"

    def measure(self, job: Job, folder: str, *, timeout_seconds: float) -> AgentResult:
        """One launch; see `PhoneApp`.

        Raises:
            ScreenLockedError: someone locked the phone since it was looked at last.
        """
        return self._launch("measure", job, folder, timeout_seconds)

    def throughput(self, job: ThroughputJob, folder: str, *, timeout_seconds: float) -> AgentResult:
        """As `measure`."""
        return self._launch("throughput", job, folder, timeout_seconds)

    def fetch(self, path: str) -> bytes:
        return fetch(self._transport, f"{self._shared}/{path}", self._scratch)

    def forget_sent(self) -> None:
        stop(self._transport)
        # A phone that was turned off and on may have lost it.
        self._transport.shell(f"mkdir -p {shlex.quote(self._folder)}")
        self._facts = None
        self._sent.clear()

    def _launch(self, action: str, job: Job | ThroughputJob, folder: str, timeout_seconds: float) -> AgentResult:
        wake(self._transport)
        request = _request(job)
        content = self._ask(action, folder, request, timeout_seconds)
        check_versions(content, self.label)
        result = documents.parse(AgentResult, content, source="the app's result", error=ResultError)
        check_identity(result.result_version, result.job_id, job.job_id)
        check_request(result, digest(request))
        return result

    @property
    def _relative(self) -> str:
        return PurePosixPath(self._folder).relative_to(self._shared).as_posix()

    def _make_room(self, size_bytes: int) -> None:
        """Room for a model on its way and where it stays; what no bench of now wants is removed for it."""
        # The files are there twice for a moment.
        need = 2 * size_bytes + SPARE_BYTES
        free = self.facts().free_bytes
        others = sorted(self._stored - self._wanted)
        if free is not None and free < need and others:
            self._remove(others)
            self._facts = None
            free = self.facts().free_bytes
        require_room(self.label, "the model", need, free)

    def _stage(self, artifact: Artifact) -> None:
        manifest = artifact.manifest
        folder = f"{self._relative}/{short_hash(manifest.sha256)}"
        removal = removal_line(f"{self._shared}/{folder}")
        check_no_links(artifact.folder, (entry.path for entry in manifest.model_files), error=ArtifactCorruptError)
        try:
            for entry in manifest.model_files:
                self._transport.push(artifact.folder / entry.path, below(f"{self._shared}/{folder}", entry.path))
            request = StageRequest(manifest.sha256, folder, tuple(_sent(entry) for entry in manifest.model_files))
            seconds = _FACTS_SECONDS + manifest.model_size_bytes / _SLOWEST_BYTES_PER_SECOND
            content = self._ask("stage", f"{self._relative}/stage-{next(self._numbers)}", _request(request), seconds)
        finally:
            # Also after a failure: half of a model must not fill the phone.
            with contextlib.suppress(TransportError):
                self._transport.shell(removal)
        answer = documents.parse(StageAnswer, content, source="the app's answer to `stage`", error=ResultError)
        self._accept(answer.staged, answer.failure, "store the model")
        # There is less room now.
        self._facts = None

    def _remove(self, models: list[str]) -> None:
        folder = f"{self._relative}/forget-{next(self._numbers)}"
        content = self._ask("forget", folder, _request(ForgetRequest(tuple(models))), _FACTS_SECONDS)
        answer = documents.parse(ForgetAnswer, content, source="the app's answer to `forget`", error=ResultError)
        self._accept(answer.failure is None, answer.failure, "remove models")

    def _accept(self, done: bool, failure: Failure | None, what: str) -> None:
        if done:
            return
        if failure is None:
            raise AgentError(f"the app on {self.label} did not {what}, without a reason", "app-failed")
        if failure.code == "model-altered":
            raise TransferError(
                f"a file arrived altered on {self.label}: {failure.message}",
                fix="try another cable or port, and run it again",
            )
        raise failure_error(failure, self.label)

    def _ask(self, action: str, folder: str, request: bytes, timeout_seconds: float) -> bytes:
        local = self._scratch / "request.json"
        local.write_bytes(request)
        self._transport.push(local, f"{self._shared}/{folder}/request.json")
        # Where the file system keeps owners apart, the app must be able to read and to answer.
        self._transport.shell(f"chmod -R a+rwX {shlex.quote(self._folder)} 2>/dev/null; true")
        # Other apps may write to the shared folder; what is said here they cannot change.
        extras = {"action": action, "request": f"{folder}/request.json", "request_sha256": digest(request)}
        announced = instrument(
            self._transport,
            [word for name, value in extras.items() for word in ("-e", name, value)],
            folder=self._folder,
            timeout_seconds=timeout_seconds,
        )
        content = fetch(self._transport, f"{self._shared}/{folder}/result.json", self._scratch)
        check_arrived(content, announced.split(), "the app")
        return content


def ask_facts(transport: ShellTransport, shared: str, folder: str, scratch: Path) -> AppFacts:
    """What the app is and has; it makes its `shared` folder where that was missing. `folder` is one of ours there.

    Raises:
        InstrumentationMissingError: the app has no such way in.
        AppOutdatedError: it speaks another version.
        AgentError: it crashed, or its answer cannot be trusted.
        TransportError: the phone went away.
    """
    announced = instrument(transport, ["-e", "action", "facts"], folder=folder, timeout_seconds=_FACTS_SECONDS)
    content = fetch(transport, f"{shared}/facts/result.json", scratch)
    check_arrived(content, announced.split(), "the app")
    check_versions(content, transport.label)
    return documents.parse(AppFacts, content, source="the app's facts", error=ResultError)


def instrument(transport: ShellTransport, arguments: list[str], *, folder: str, timeout_seconds: float) -> str:
    """Runs the app once; what it announced of its answer: `<bytes> <sha256>`.

    Raises:
        AgentError: it crashed, was killed, hung or announced nothing.
        InstrumentationMissingError: there is no such app, or it has no such way in.
        TransportError: the phone went away.
    """
    command = ["am", "instrument", "-w", "-r", *arguments, COMPONENT]
    try:
        execution = transport.execute(command, folder=folder, timeout_seconds=timeout_seconds)
    except (DeviceDisconnectedError, DeviceOfflineError):
        raise
    except BaseException:
        stop(transport)
        raise
    if execution.exit_code is None:
        stop(transport)
        raise AgentError(
            f"the app took longer than {timeout_seconds:g} s on {transport.label}",
            "app-hung",
            fix="raise --timeout or lower --iterations",
        )
    return read_announced(
        execution.stdout,
        execution.stderr,
        label=transport.label,
        ended=execution.describe(),
        exits=lambda: transport.shell(EXITS_LINE).stdout,
    )


def stop(transport: ShellTransport) -> None:
    """Ends the app, however far it is; a phone that is away has ended it or will be asked again."""
    with contextlib.suppress(BenchmarkError):
        transport.shell(f"am force-stop {PACKAGE}")


def clear_leftovers(transport: ShellTransport, shared: str) -> None:
    """Ends what a killed bench left running and removes its folders; the caller holds the phone's lease."""
    stop(transport)
    transport.shell(leftovers_line(shared, older_than_a_day=False))


def fetch(transport: ShellTransport, remote: str, scratch: Path) -> bytes:
    """A file that the app wrote.

    Raises:
        AgentError: there is none.
        TransportError: the phone went away, or the file arrived altered.
    """
    local = scratch / "incoming"
    try:
        transport.pull(remote, local)
        return local.read_bytes()
    except (DeviceDisconnectedError, DeviceOfflineError, TransferError):
        raise
    except (TransportError, OSError) as error:
        name = remote.rpartition("/")[2]
        raise AgentError(f"the app left no {name}: {error}", "result-missing") from error


def _request(value: object) -> bytes:
    return json.dumps(documents.to_builtin(value), allow_nan=False).encode()


def _sent(entry: FileEntry) -> SentFile:
    return SentFile(entry.path, entry.size_bytes, entry.sha256)
