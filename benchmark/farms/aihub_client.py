"""AI Hub through `qai_hub`, which runs in a process with packages of its own; believes only what fits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, TypeVar

from annotated_types import MaxLen

from pocketclip.benchmark.errors import (
    FarmError,
    FarmLoginError,
    FarmNotFoundError,
    FarmPackageError,
    FarmQuotaError,
    FarmRefusedError,
    FarmResultError,
    FarmUnavailableError,
)
from pocketclip.benchmark.records.fields import Name, Tag, Text
from pocketclip.benchmark.runners.scratch import scratch_folder
from pocketclip.models import documents
from pocketclip.models.documents import document
from pocketclip.models.untrusted import json_text
from pocketclip.models.untrusted.files import read_bounded
from pocketclip.models.untrusted.names import PlainName
from pocketclip.models.untrusted.numbers import Shape

PACKAGE, VERSION = "qai-hub", "0.56.0"
# Names another folder.
VARIABLE = "POCKETCLIP_QAI_HUB"

_WORKER = Path(__file__).with_name("aihub_worker.py")
# Of a whole model on a slow line, and of a question.
_UPLOAD_SECONDS, _ANSWER_SECONDS = 1800.0, 300.0
_MOST_ANSWER_BYTES = 64 << 20
_MOST_OUTPUT_BYTES = 256 << 20

_GET_TOKEN = "copy the token from your account page of AI Hub and run `qai-hub configure --api_token TOKEN`"
_ERRORS: dict[str, tuple[type[FarmError], str]] = {
    "login": (FarmLoginError, f"{_GET_TOKEN}; QAIHUB_CLIENT_INI names another file"),
    "not-found": (FarmNotFoundError, "see your jobs and devices on AI Hub's page"),
    "rate-limited": (FarmQuotaError, "wait until jobs of your account have ended, and run the same command again"),
    "unavailable": (FarmUnavailableError, "see AI Hub's page for its state, and run the same command again"),
    "refused": (FarmRefusedError, "see the model's page on AI Hub"),
}


@document
class HubDevice:
    """A device by AI Hub's words: its name, its system's version, and attributes such as `framework:onnx`."""

    name: Name
    os: Tag
    attributes: Annotated[tuple[Name, ...], MaxLen(1000)]


@document
class HubStatus:
    """The state of a job, e.g. `SUCCESS`, and why it failed."""

    state: Name
    message: Annotated[str, MaxLen(100_000)]


@document
class HubOutput:
    """One output of all samples, as raw values in a file of the folder."""

    name: Name
    file: PlainName
    dtype: Name
    shape: Shape


@document
class HubResults:
    """The outputs of a job."""

    outputs: Annotated[tuple[HubOutput, ...], MaxLen(100)]


@document
class _JobId:
    job_id: Name | None


@document
class _Failure:
    code: Name
    message: Text


@document
class _Devices:
    """An answer that is a list, which is no document by itself."""

    devices: Annotated[tuple[HubDevice, ...], MaxLen(10_000)]


Answer = TypeVar("Answer")


def folder() -> Path:
    """Where the package is looked for: what the environment variable says, or a folder of the virtual environment."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else Path(sys.prefix, "share", "pocketclip", f"{PACKAGE}-{VERSION}")


class HubClient:
    """AI Hub as the account of `qai_hub`'s own configuration sees it.

    Every method raises `FarmError`: `FarmLoginError`, `FarmNotFoundError`, `FarmQuotaError`, `FarmUnavailableError`,
    `FarmRefusedError`, or `FarmPackageError` where the package is missing or too old.
    """

    @property
    def name(self) -> str:
        """The package with its version."""
        return f"{PACKAGE} {VERSION}"

    def devices(self) -> tuple[HubDevice, ...]:
        """All devices that the account may use."""
        return self._call("devices", {}, _Devices, wrap="devices").devices

    def submit(self, request: dict[str, Any]) -> str:
        """Uploads and submits; the job's id."""
        found = self._call("submit", request, _JobId, seconds=_UPLOAD_SECONDS)
        if found.job_id is None:
            raise FarmResultError("AI Hub took a job and gave it no id")
        return found.job_id

    def find(self, token: str) -> str | None:
        """The id of the job of that name."""
        return self._call("find", {"token": token}, _JobId).job_id

    def status(self, job_id: str) -> HubStatus:
        """How far a job is."""
        return self._call("status", {"job_id": job_id}, HubStatus)

    def results(self, job_id: str, into: Path) -> HubResults:
        """Writes `profile.json` and the outputs of a job that has ended into a folder."""
        return self._call("results", {"job_id": job_id, "folder": str(into)}, HubResults, seconds=_UPLOAD_SECONDS)

    def output(self, into: Path, output: HubOutput) -> bytes:
        """The values of an output that `results` wrote."""
        return read_bounded(into / output.file, _MOST_OUTPUT_BYTES, error=FarmResultError)

    def _call(
        self,
        action: str,
        request: dict[str, Any],
        kind: type[Answer],
        *,
        seconds: float = _ANSWER_SECONDS,
        wrap: str | None = None,
    ) -> Answer:
        place = folder()
        if not (place / "qai_hub").is_dir():
            raise _package_error(f"{PACKAGE} {VERSION} is missing in {place}")
        with scratch_folder("pocketclip-aihub-") as scratch:
            asked, answered = scratch / "request.json", scratch / "answer.json"
            asked.write_text(json.dumps(request), encoding="utf-8")
            command = [sys.executable, "-P", str(_WORKER), action, str(asked), str(answered)]
            try:
                # Its output is not shown: it may have whatever the package prints of requests.
                ended = subprocess.run(
                    command, env=_environment(place), timeout=seconds, capture_output=True, stdin=subprocess.DEVNULL
                )
            except subprocess.TimeoutExpired:
                raise FarmUnavailableError(f"AI Hub did not answer `{action}` within {seconds:g} s") from None
            if not answered.is_file():
                raise FarmError(f"the process that talks to AI Hub ended with {ended.returncode} and no answer")
            text = read_bounded(answered, _MOST_ANSWER_BYTES, error=FarmResultError)
        return _answer(text, kind, action, wrap)


def _answer(text: bytes, kind: type[Answer], action: str, wrap: str | None) -> Answer:
    try:
        told: Any = json_text.loads(text, most_bytes=_MOST_ANSWER_BYTES)
    except json_text.JsonFault as error:
        raise FarmResultError(f"the process that talks to AI Hub gave an answer to `{action}` that {error}") from error
    source = f"AI Hub's answer to `{action}`"
    if isinstance(told, dict) and "failure" in told:
        failure = documents.parse(_Failure, json.dumps(told["failure"]), source=source, error=FarmResultError)
        if failure.code == "package":
            raise _package_error(failure.message)
        error, fix = _ERRORS.get(failure.code, (FarmError, "run it again"))
        raise error(f"AI Hub: {failure.message}", fix=fix)
    content, version = (told.get("answer"), told.get("version")) if isinstance(told, dict) else (None, None)
    if version != VERSION:
        # Another one gives other profiles.
        raise _package_error(f"{folder()} holds version {version!r}")
    return documents.parse(kind, json.dumps({wrap: content} if wrap else content), source=source, error=FarmResultError)


def _package_error(why: str) -> FarmPackageError:
    place = folder()
    command = f"python -m pip install --target '{place}' {PACKAGE}=={VERSION} ({VARIABLE} names another folder)"
    return FarmPackageError(f"AI Hub needs {PACKAGE}: {why}", fix=f"add it with: {command}")


def _environment(place: Path) -> dict[str, str]:
    """The variables of a process whose packages are first of all those of the folder."""
    return {**os.environ, "PYTHONPATH": str(place)}
