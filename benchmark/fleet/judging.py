"""What an answer means: for its job, a record to keep, another try or an end; for its device, in use or drained."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pocketclip.benchmark import errors
from pocketclip.benchmark.errors import FleetAnswerError, RecordError
from pocketclip.benchmark.fleet.cluster import Answered, FleetDevice, read_answer
from pocketclip.benchmark.fleet.jobs import Job
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, DeviceKind, Status
from pocketclip.benchmark.records.validity import InvalidityCode
from pocketclip.benchmark.store.codec import RecordText, decode, encode, text_of
from pocketclip.models.errors import StorageError
from pocketclip.models.untrusted import json_text

# A job that was begun so often in vain is at fault itself.
MOST_ATTEMPTS = 5
UNFIT = "device-unfit"
BUSY = errors.DeviceBusyError.code
# What is the device's or its host's fault, not the artefact's: another device may do the job.
_OF_DEVICES: frozenset[str] = frozenset(
    each.code
    for each in (
        errors.TransportError,
        errors.MissingProgramError,
        errors.DeviceNotFoundError,
        errors.DeviceUnauthorizedError,
        errors.DeviceOfflineError,
        errors.AmbiguousDeviceError,
        errors.DeviceDisconnectedError,
        errors.DeviceFullError,
        errors.TransferError,
        errors.TransportTimeoutError,
        errors.OutputLimitError,
        errors.NoisyShellError,
        errors.ScreenLockedError,
        errors.AppMissingError,
        errors.AppSignatureError,
        errors.AppInstallError,
        errors.DeveloperModeError,
        errors.DeveloperImageError,
        errors.AppSigningError,
        errors.FleetAnswerError,
        errors.UnknownDeviceError,
        StorageError,
    )
) | {UNFIT}
# Conditions that take a phone out of use until they are over; of computers, other programs come and go.
HEATED = frozenset(
    {InvalidityCode.HOT, InvalidityCode.THROTTLED, InvalidityCode.LOW_BATTERY, InvalidityCode.POWER_SAVER}
)


@dataclass(frozen=True)
class Verdict:
    """What follows from an answer.

    With `record`, the job is done. With `again`, it waits again, `counts` saying whether that was an attempt; else it
    has failed. `drain` is why its device goes out of use; `pause` that it is somebody else's just now.
    """

    record: RecordText | None = None
    again: bool = False
    counts: bool = True
    reason: str = ""
    drain: str | None = None
    pause: bool = False


def judge(event: Answered, job: Job, device: FleetDevice) -> Verdict:
    """Reads an answer, which may hold anything, and says what follows."""
    try:
        answer = read_answer(event)
        if answer.fault is not None:
            return _of_fault(answer.fault.code, answer.fault.message, job)
        assert answer.record is not None
        record = _read_record(answer.record, job, device)
    except (FleetAnswerError, RecordError) as error:
        reason = f"{FleetAnswerError.code}: {error}"
        return _again(job, reason, drain=f"its host's answers are not what they should be: {error}")
    code = (record.reason or "").partition(":")[0]
    if record.status is Status.FAILED and code in _OF_DEVICES and job.attempts + 1 < MOST_ATTEMPTS:
        return _again(job, record.reason or "", drain=record.reason)
    drain = None
    if record.device.kind is DeviceKind.PHONE:
        drain = next((f"{each.code}: {each.reason}" for each in record.invalid if each.code in HEATED), None)
    return Verdict(record=encode(record), drain=drain)


def lost(job: Job, reason: str) -> Verdict:
    """What follows where nobody answered."""
    return _again(job, reason, drain=None)


def _of_fault(code: str, message: str, job: Job) -> Verdict:
    reason = f"{code}: {message}"
    if code == BUSY:
        return Verdict(again=True, counts=False, reason=reason, pause=True)
    if code == UNFIT:
        return Verdict(again=True, counts=False, reason=reason, drain=reason)
    if code in _OF_DEVICES:
        return _again(job, reason, drain=reason)
    return Verdict(reason=reason)


def _again(job: Job, reason: str, *, drain: str | None) -> Verdict:
    if job.attempts + 1 >= MOST_ATTEMPTS:
        return Verdict(reason=f"begun {MOST_ATTEMPTS} times in vain, at last: {reason}", drain=drain)
    return Verdict(again=True, reason=reason, drain=drain)


def _read_record(text: str, job: Job, device: FleetDevice) -> BenchmarkRecord:
    """The record of an answer under its job's id.

    Raises:
        FleetAnswerError, RecordError: it is none, or one of something else.
    """
    where = f"the record of {device.host}"
    try:
        found = decode(text_of(json_text.loads(text), origin=where, place=f"job {job.job_id[:12]}"))
    except json_text.JsonFault as error:
        raise FleetAnswerError(f"{where} {error}") from error
    if not isinstance(found, BenchmarkRecord):
        raise FleetAnswerError(f"{where} is of kind {found.kind!r}, not of a benchmark")
    differences: list[tuple[str, object, object]] = [
        ("artefact", found.artifact.sha256, job.work.artifact_sha256),
        ("device", found.device.name, device.name),
        ("tag", found.tag, job.work.tag),
        ("number of threads", found.settings.threads, job.work.settings.threads),
    ]
    for what, got, wanted in differences:
        if got != wanted:
            raise FleetAnswerError(f"{where} is of another {what} than was asked for: {got!r}, not {wanted!r}")
    return replace(found, record_id=job.record_id)
