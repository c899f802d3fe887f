"""The errors of `benchmark`.

Exit codes: 2 if you can fix the cause, 1 if the work failed. Each device error has its own code, from 10 on, so a
script can tell a locked phone from one that needs charging. Records and messages use the same `code`.
"""

from __future__ import annotations

from pocketclip.models.errors import PocketClipError


class BenchmarkError(PocketClipError):
    """Root of the errors of `benchmark`. `recorded`: the reason that a record gives begins with the code."""

    recorded: bool = False

    def __init_subclass__(cls, **options: object) -> None:
        cls.recorded = cls.recorded or "code" in vars(cls)
        super().__init_subclass__(**options)


class OptionError(BenchmarkError):
    """The value of an option is none of those it takes."""

    exit_code = 2


class AppFileError(BenchmarkError):
    """A file is no Android package or native library, or a damaged one."""

    exit_code = 2


class UnknownDeviceError(BenchmarkError):
    """No device of that name is registered."""

    exit_code = 2


class DeviceTableError(BenchmarkError):
    """A table of devices cannot be read or holds a mistake."""

    exit_code = 2


class DeviceUnsupportedError(BenchmarkError):
    """The device is known, and what is asked of it cannot be done there (yet)."""

    exit_code = 2
    code = "device-unsupported"


class DeviceUnfitError(BenchmarkError):
    """Preconditions of a device are not met."""


class TransportError(BenchmarkError):
    """A file cannot be moved to or from a device, or nothing can be started there."""

    code = "transport-failed"


class MissingProgramError(TransportError):
    """The program that reaches the device (`adb`, `ssh`) is not installed here."""

    exit_code = 10
    code = "program-missing"


class DeviceNotFoundError(TransportError):
    """No device that fits is attached, or the host does not answer."""

    exit_code = 11
    code = "device-not-found"


class DeviceUnauthorizedError(TransportError):
    """The device, or the host behind it, does not let this computer in."""

    exit_code = 12
    code = "device-unauthorized"


class DeviceOfflineError(TransportError):
    """The device is attached and does not answer."""

    exit_code = 13
    code = "device-offline"


class AmbiguousDeviceError(TransportError):
    """Several attached devices fit."""

    exit_code = 14
    code = "device-ambiguous"


class DeviceDisconnectedError(TransportError):
    """The device went away in the middle."""

    exit_code = 15
    code = "device-disconnected"


class DeviceFullError(TransportError):
    """The device has no space left."""

    exit_code = 16
    code = "device-full"


class DeviceBusyError(BenchmarkError):
    """Another process measures on the device."""

    exit_code = 17
    code = "device-busy"


class TransferError(TransportError):
    """A file arrived truncated or altered."""

    exit_code = 18
    code = "transfer-damaged"


class TransportTimeoutError(TransportError):
    """The device took too long to answer."""

    exit_code = 19
    code = "transport-timeout"


class OutputLimitError(TransportError):
    """A device, or the program that reaches it, prints or gives more than is taken."""

    exit_code = 31
    code = "output-too-long"


class NoisyShellError(TransportError):
    """A device's shell prints lines of its own in the midst of what programs answer."""

    exit_code = 32
    code = "noisy-shell"


class AgentError(BenchmarkError):
    """The measuring agent crashed, timed out, or left no result, a truncated one or an altered one.

    Codes: `agent-crashed`, `agent-killed` (often for memory), `agent-hung`, `agent-failed`, `result-missing`,
    `result-truncated`, `result-altered`, `result-invalid`, `result-foreign` (of another job); of an app `app-crashed`,
    `app-killed`, `app-hung`, `app-failed`.
    """

    code = "agent-failed"

    def __init__(self, message: str, code: str = "agent-failed", *, fix: str | None = None) -> None:
        super().__init__(message, fix=fix, code=code)


class MeasurementError(BenchmarkError):
    """The measuring agent ran to its end and reports, by a code, that it could not measure."""


class ScreenLockedError(MeasurementError):
    """A phone is locked, so that no app measures there as it would in use."""

    exit_code = 20
    code = "screen-locked"


class AppMissingError(BenchmarkError):
    """The app that measures on phones is not built, or what builds it is not installed."""

    exit_code = 21
    code = "app-missing"


class AppSignatureError(BenchmarkError):
    """The app on the phone was signed with another key than the one to be installed."""

    exit_code = 22
    code = "app-signature"


class AppInstallError(BenchmarkError):
    """A phone refuses to install the app for another reason: its user, its makers or its rules."""

    exit_code = 23
    code = "install-refused"


class AbiMismatchError(BenchmarkError):
    """The app has no code for the phone's processor."""

    exit_code = 24
    code = "abi-mismatch"


class AndroidVersionError(BenchmarkError):
    """The phone's Android is too old for the app."""

    exit_code = 25
    code = "android-too-old"


class InstrumentationMissingError(AgentError):
    """The app on the phone has no way in for the harness."""

    exit_code = 26

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        super().__init__(message, "app-incomplete", fix=fix)


class AppOutdatedError(AgentError):
    """The app on the phone speaks another version of the protocol."""

    exit_code = 27

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        super().__init__(message, "app-outdated", fix=fix)


class AppBuildError(BenchmarkError):
    """The build of an app failed."""


class ProfilingError(BenchmarkError):
    """The time of each op cannot be told."""


class EmulatorError(BenchmarkError):
    """The emulated phone cannot be made or run on this machine."""

    exit_code = 2


class CountingError(BenchmarkError):
    """Instructions cannot be counted, or the counts are not what they should be."""

    code = "counting-failed"


class RecordError(BenchmarkError):
    """A record contradicts itself or is not a record at all."""


class RecordVersionError(RecordError):
    """A record was written by a newer version than this one."""

    exit_code = 2


class NoRecordError(RecordError):
    """There is no record of what was asked for."""

    exit_code = 2


class IncomparableError(BenchmarkError):
    """Two records were measured under unlike conditions, or one may not be ranked."""

    exit_code = 2


class RegressionError(BenchmarkError):
    """A candidate is slower, or takes more instructions, than its baseline, as far as the statistics support it."""

    exit_code = 3


class StoreError(BenchmarkError):
    """The store cannot be opened, read or written."""

    exit_code = 2


class RecordConflictError(RecordError):
    """Records to be added have the ids of stored ones and other content."""


class ResultsFileError(BenchmarkError):
    """A file of results cannot be read, or is of a form that cannot be imported."""

    exit_code = 2


class FilterError(BenchmarkError):
    """A filter of results makes no sense."""

    exit_code = 2


class EvaluationError(BenchmarkError):
    """An evaluation is asked for that cannot be: what is judged and the baseline do not fit."""

    exit_code = 2


class ContestantError(BenchmarkError):
    """What is judged cannot be opened or run, or gives values that are not finite; the cause has its own exit code."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class ReportError(BenchmarkError):
    """There is nothing to report, or the store's records cannot be put together."""

    exit_code = 2


class FailedArtifactsError(BenchmarkError):
    """A benchmark ran to its end and some of its artefacts failed."""


class DeveloperModeError(TransportError):
    """An iPhone's developer mode is off, so that no app of ours can be started there."""

    exit_code = 28
    code = "developer-mode-off"


class DeveloperImageError(TransportError):
    """An iPhone's developer disk image is not mounted and cannot be."""

    exit_code = 29
    code = "image-not-mounted"


class AppSigningError(BenchmarkError):
    """An iPhone refuses an app for its signature: unsigned, not for this phone, or of a developer it does not trust."""

    exit_code = 30
    code = "app-signing"


class SpaceError(BenchmarkError):
    """A space of `tune` cannot be read, is empty, or contradicts itself."""

    exit_code = 2


class StudyError(BenchmarkError):
    """A study of `tune` cannot be opened, or was begun with other settings."""

    exit_code = 2


class StudyVersionError(StudyError):
    """A study was begun by another version of `tune`."""


class HubError(BenchmarkError):
    """A repository on the Hugging Face hub cannot be written."""


class LimitsError(BenchmarkError):
    """No trial of a study meets its limits."""


class FarmError(BenchmarkError):
    """A hosted farm of devices cannot do what is asked of it; root of the errors of `benchmark.farms`."""

    code = "farm-failed"


class FarmPackageError(FarmError):
    """The package that reaches a farm is not installed, or is one that the farm no longer talks to."""

    exit_code = 2
    code = "farm-package"


class CostNotAcceptedError(FarmError):
    """Nobody said yes to what a run on a farm may cost."""

    exit_code = 2
    code = "cost-not-accepted"


class FarmLoginError(FarmError):
    """A farm does not let you in: no credentials, wrong or expired ones, or a clock that is wrong."""

    exit_code = 33
    code = "farm-login"


class FarmNotFoundError(FarmError):
    """A farm has no device, pool or project of that name, or none that fits."""

    exit_code = 34
    code = "farm-not-found"


class FarmQuotaError(FarmError):
    """An account's limit at a farm is reached."""

    exit_code = 35
    code = "farm-quota"


class FarmUnavailableError(FarmError):
    """A farm does not answer, or asks to slow down, also after waiting."""

    exit_code = 36
    code = "farm-unavailable"


class FarmRefusedError(FarmError):
    """A farm refuses a request or a file."""

    exit_code = 37
    code = "farm-refused"


class FarmRunError(FarmError):
    """A run on a farm was stopped, or failed there."""

    code = "farm-run-failed"


class FarmResultError(FarmError):
    """What a farm gives back is missing, truncated, or not what it should be."""

    exit_code = 38
    code = "farm-result"


class FleetError(BenchmarkError):
    """A fleet of hosts cannot do what is asked of it; root of the errors of `benchmark.fleet`."""

    code = "fleet-failed"


class FleetPlanError(FleetError):
    """A fleet's plan cannot be read, contradicts itself, or names what is not there."""

    exit_code = 2
    code = "fleet-plan"


class FleetVersionError(FleetError):
    """A host of a fleet has other versions of Ray, Python or PocketCLIP than the others."""

    exit_code = 2
    code = "fleet-version"


class FleetUnreachableError(FleetError):
    """A fleet does not answer at its address."""

    exit_code = 39
    code = "fleet-unreachable"


class FleetLostError(FleetError):
    """The computer that started a fleet went away."""

    code = "fleet-lost"


class FleetLoginError(FleetError):
    """A fleet does not let this computer in: it has no token, or another one."""

    exit_code = 40
    code = "fleet-login"


class FleetAnswerError(FleetError):
    """What a host answers is not what it should be."""

    code = "fleet-answer"


class FleetJobsError(FleetError):
    """A run of a fleet ended, and some of its jobs failed or still wait."""

    code = "fleet-jobs"
