"""The errors of `benchmark`. Exit codes: 2 where the user can put it right, 1 where the work failed."""

from __future__ import annotations

from models.errors import PocketClipError


class BenchmarkError(PocketClipError):
    """Root of the errors of `benchmark`."""


class OptionError(BenchmarkError):
    """The value of an option is none of those it takes."""

    exit_code = 2


class UnknownDeviceError(BenchmarkError):
    """No device of that name is registered."""

    exit_code = 2


class TransportError(BenchmarkError):
    """A file cannot be moved to or from a device."""


class AgentError(BenchmarkError):
    """The measuring agent crashed, timed out, or left no result, a truncated one or an altered one."""


class MeasurementError(BenchmarkError):
    """The measuring agent ran to its end and reports, by a code, that it could not measure."""


class ProfilingError(BenchmarkError):
    """The time of each op cannot be told."""


class EmulatorError(BenchmarkError):
    """The emulated phone cannot be made or run on this machine."""

    exit_code = 2


class CountingError(BenchmarkError):
    """Instructions cannot be counted, or the counts are not what they should be."""


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
    """A candidate is slower than its baseline, as far as the statistics support it."""

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


class ReportError(BenchmarkError):
    """There is nothing to report, or the store's records cannot be put together."""

    exit_code = 2


class FailedArtifactsError(BenchmarkError):
    """A benchmark ran to its end and some of its artefacts failed."""
