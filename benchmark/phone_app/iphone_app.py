"""The app on an iPhone, started anew for each request: a file goes in, a result comes out and is believed if it fits.

Everything lies below one folder of the app's Documents, which the app makes and which is removed at the end.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pocketclip.benchmark.errors import (
    AgentError,
    BenchmarkError,
    DeviceDisconnectedError,
    DeviceOfflineError,
    TransportError,
)
from pocketclip.benchmark.phone_app.app_protocol import AppFacts, SentFile, check_versions, sent_photos
from pocketclip.benchmark.phone_app.app_runner import failure_error
from pocketclip.benchmark.phone_app.iphone_package import IPhonePackage
from pocketclip.benchmark.phone_app.iphone_requests import (
    DOCUMENTS,
    FOLDER,
    JOB,
    RESULT,
    arrange_request,
    facts_request,
    measure_request,
    throughput_request,
)
from pocketclip.benchmark.phone_app.room import require_room
from pocketclip.benchmark.phone_app.throughput_protocol import ThroughputJob
from pocketclip.benchmark.platforms.apple.announced import read_console
from pocketclip.benchmark.platforms.apple.phone import ApplePhone
from pocketclip.benchmark.runners.agent_runner import ResultError, check_arrived, check_identity, check_request
from pocketclip.benchmark.runners.photo_folder import PhotoFile
from pocketclip.benchmark.runners.protocol import AgentResult, Job
from pocketclip.benchmark.transport.base import Execution
from pocketclip.benchmark.transport.device_paths import below, short_hash
from pocketclip.benchmark.transport.shell import hash_file
from pocketclip.export.artifact.paths import check_no_links
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.errors import ArtifactCorruptError
from pocketclip.models import documents

# What iOS wants to be left over, besides the model and its compiled form.
SPARE_BYTES = 64_000_000

_SHORT_SECONDS = 60.0
_INPUTS = f"{FOLDER}/inputs"
_PHOTOS = f"{FOLDER}/photos"
_EMPTY = ["0", hashlib.sha256(b"").hexdigest()]

CompileModel = Callable[[Path, Path], Path]


class IPhoneApp:
    """A `PhoneApp` that is installed."""

    def __init__(
        self, phone: ApplePhone, package: IPhonePackage, scratch: Path, *, compile_model: CompileModel | None = None
    ) -> None:
        """`scratch` is an empty folder of this computer. Without `compile_model`, the app compiles packages itself."""
        self._phone = phone
        self._package = package
        self._scratch = scratch
        self._compile_model = compile_model
        self._facts: AppFacts | None = None
        self._files: dict[str, tuple[SentFile, ...]] = {}
        self._folders: set[str] = set()
        self._numbers = itertools.count(1)

    @property
    def label(self) -> str:
        return self._phone.label

    @property
    def sha256(self) -> str:
        return self._package.sha256

    def facts(self) -> AppFacts:
        if self._facts is None:
            content = self._ask(facts_request(), _SHORT_SECONDS)
            check_versions(content, self.label)
            self._facts = documents.parse(AppFacts, content, source="the app's facts", error=ResultError)
        return self._facts

    def put_model(self, artifact: Artifact) -> str:
        folder = f"{FOLDER}/{short_hash(artifact.manifest.sha256)}"
        source = artifact.folder / artifact.manifest.entry_point
        path = below(folder, source.name)
        if self._compile_model is not None and source.suffix == ".mlpackage":
            path = str(PurePosixPath(path).with_suffix(".mlmodelc"))
        if path not in self._files:
            if path.endswith(".mlmodelc"):
                source = self._compiled(artifact, source)
            else:
                check_no_links(
                    artifact.folder, (entry.path for entry in artifact.manifest.files), error=ArtifactCorruptError
                )
            files = {f"{path}{below}": file for below, file in _tree(source)}
            self._make_room("the model", sum(file.stat().st_size for file in files.values()))
            self._files[path] = self._push(files)
        return path

    def put_inputs(self, artifact: Artifact) -> str:
        file = artifact.manifest.golden.inputs.file
        source = artifact.folder / file
        path = f"{_INPUTS}/{hash_file(source)[:16]}.bin"
        if path not in self._files:
            self._files[path] = self._push({path: source})
        return path

    def put_photos(self, photos: Sequence[PhotoFile]) -> tuple[SentFile, ...]:
        sent = sent_photos(photos, _PHOTOS)
        missing = {file.path: photo for file, photo in zip(sent, photos, strict=True) if file.path not in self._files}
        if missing:
            self._make_room("the photographs", sum(photo.size_bytes for photo in missing.values()))
        for path, photo in missing.items():
            photo.check_unchanged()
            self._files[path] = self._push({path: photo.path})
        return sent

    def new_folder(self) -> str:
        return f"{FOLDER}/launch-{next(self._numbers)}"

    def measure(self, job: Job, folder: str, *, timeout_seconds: float) -> AgentResult:
        files = [*self._files[job.model_path], *(file for each in job.inputs for file in self._files[each.path])]
        return self._launch(measure_request(job, files), job.job_id, timeout_seconds)

    def throughput(self, job: ThroughputJob, folder: str, *, timeout_seconds: float) -> AgentResult:
        return self._launch(throughput_request(job, self._files[job.model_path]), job.job_id, timeout_seconds)

    def fetch(self, path: str) -> bytes:
        local = self._scratch / "incoming"
        try:
            self._phone.pull(self._package.bundle, f"{DOCUMENTS}/{path}", local)
            return local.read_bytes()
        except (DeviceDisconnectedError, DeviceOfflineError):
            raise
        except (TransportError, OSError) as error:
            raise AgentError(f"the app left no {path.rpartition('/')[2]}: {error}", "result-missing") from error

    def forget_sent(self) -> None:
        with contextlib.suppress(BenchmarkError):
            self._phone.stop(self._package.bundle)
        self._facts = None
        self._files.clear()
        self._folders.clear()

    def clean(self) -> None:
        """Removes what this bench left in Documents; a phone that is away keeps it until the next bench.

        Raises:
            BenchmarkError: it cannot be removed.
        """
        paths = [FOLDER, JOB, RESULT]
        if not all(self._phone.remove(self._package.bundle, f"{DOCUMENTS}/{path}") for path in paths):
            self._arrange(arrange_request(remove=paths))

    def _push(self, files: Mapping[str, Path]) -> tuple[SentFile, ...]:
        """Sends files to paths below Documents, whose folders the app makes before."""
        folders = {PurePosixPath(path).parent.as_posix() for path in files} | {_INPUTS}
        if not folders <= self._folders:
            # What a bench that was killed left there is removed with the first of them.
            stale = () if self._folders else (FOLDER,)
            self._arrange(arrange_request(remove=stale, folders=sorted(folders)))
            self._folders |= folders
        for path, local in files.items():
            self._phone.push(self._package.bundle, local, f"{DOCUMENTS}/{path}")
        return tuple(SentFile(path, local.stat().st_size, hash_file(local)) for path, local in files.items())

    def _compiled(self, artifact: Artifact, package: Path) -> Path:
        assert self._compile_model is not None  # the caller has looked
        folder = self._scratch / f"compiled-{short_hash(artifact.manifest.sha256)}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return self._compile_model(package, folder)

    def _make_room(self, what: str, size_bytes: int) -> None:
        # The app keeps a compiled form of a model besides.
        require_room(self.label, what, 2 * size_bytes + SPARE_BYTES, self.facts().free_bytes)

    def _launch(self, request: dict[str, Any], job_id: str, timeout_seconds: float) -> AgentResult:
        content = self._ask(request, timeout_seconds)
        result = self._result(content, job_id)
        check_request(result, hashlib.sha256(_text(request)).hexdigest())
        return result

    def _arrange(self, request: dict[str, Any]) -> None:
        content = self._ask(request, _SHORT_SECONDS)
        if content:
            result = self._result(content, request["job_id"])
            if result.failure is not None:
                raise failure_error(result.failure, self.label)

    def _result(self, content: bytes, job_id: str) -> AgentResult:
        check_versions(content, self.label)
        result = documents.parse(AgentResult, content, source="the app's result", error=ResultError)
        check_identity(result.result_version, result.job_id, job_id)
        return result

    def _ask(self, request: dict[str, Any], timeout_seconds: float) -> bytes:
        local = self._scratch / "outgoing"
        local.write_bytes(_text(request))
        self._phone.push(self._package.bundle, local, f"{DOCUMENTS}/{JOB}")
        try:
            execution = self._phone.launch(self._package.bundle, timeout_seconds=timeout_seconds)
        except (DeviceDisconnectedError, DeviceOfflineError):
            raise
        except BaseException:
            self._stop()
            raise
        told = read_console(f"{execution.stdout}\n{execution.stderr}")
        if told.announced is None:
            raise self._ending(execution, timeout_seconds)
        if list(told.announced) == _EMPTY:
            return b""
        content = self.fetch(RESULT)
        check_arrived(content, told.announced, "the app")
        return content

    def _ending(self, execution: Execution, timeout_seconds: float) -> AgentError | TransportError:
        """The error of an app that announced nothing."""
        told = read_console(f"{execution.stdout}\n{execution.stderr}")
        if told.killed:
            return AgentError(
                f"the app was killed on {self.label}, often because memory ran out or someone closed it",
                "app-killed",
                fix="close other apps, do not use the phone, and run it again",
            )
        if told.signal is not None:
            return AgentError(
                f"the app crashed on {self.label} (signal {told.signal}); its report is on the phone in Settings > "
                "Privacy & Security > Analytics & Improvements > Analytics Data",
                "app-crashed",
            )
        if execution.exit_code is None:
            self._stop()
            return AgentError(
                f"the app took longer than {timeout_seconds:g} s on {self.label}",
                "app-hung",
                fix="raise --timeout or lower --iterations",
            )
        return AgentError(
            f"the app on {self.label} ended before it announced its answer: {execution.describe()}",
            "result-missing",
            fix="run it again",
        )

    def _stop(self) -> None:
        with contextlib.suppress(BenchmarkError):
            self._phone.stop(self._package.bundle)


def _text(request: dict[str, Any]) -> bytes:
    return json.dumps(request, allow_nan=False).encode()


def _tree(source: Path) -> list[tuple[str, Path]]:
    """The files of a model with their places below it, from a slash on; a file alone has an empty one."""
    if source.is_file():
        return [("", source)]
    files = sorted(path for path in source.rglob("*") if path.is_file())
    return [(f"/{path.relative_to(source).as_posix()}", path) for path in files]
