"""AWS Device Farm: a run of the measuring app on every phone of a pool, which gives ordinary benchmark records."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pocketclip.benchmark.errors import (
    FarmNotFoundError,
    FarmRefusedError,
    FarmResultError,
    FarmUnavailableError,
    OptionError,
)
from pocketclip.benchmark.farms.aws_client import AwsClient, DeviceJob, Pool, Project, open_client
from pocketclip.benchmark.farms.farm import Cost, FarmName, JobState, JobStatus, Request, Submitted
from pocketclip.benchmark.farms.names import nearest
from pocketclip.benchmark.farms.phone_farm import (
    PhoneWork,
    device_name,
    failed_records,
    known_chip,
    measured_records,
    plan_launches,
    stamped,
    work_key,
)
from pocketclip.benchmark.farms.phone_results import PhoneFiles
from pocketclip.benchmark.farms.phone_script import script_files, test_spec
from pocketclip.benchmark.farms.transfers import Transfers
from pocketclip.benchmark.phone_app.apk import find_apk
from pocketclip.benchmark.records.benchmark import BenchmarkRecord
from pocketclip.benchmark.runners.scratch import scratch_folder
from pocketclip.models.errors import choices
from pocketclip.models.untrusted.printable import printable_line

# Of a metered device minute, as a copy of AWS's price list of 2021-09-01 has it. The account's bill decides.
USD_PER_MINUTE = 0.17
_PRICE_PAGE = "https://aws.amazon.com/device-farm/pricing/"
# The service ends a job after that many minutes, whatever is asked for.
_MOST_MINUTES = 150
# Preparing a phone and bringing results home.
_AROUND_MINUTES = 10
_MOST_ARCHIVE_BYTES = 1 << 30
# Between two looks at an upload, and how often.
_UPLOAD_PAUSE_S, _UPLOAD_LOOKS = 5.0, 120
# Of the runs of a project, so many are looked through for one of ours.
_MOST_RUNS = 2000
_WAITING = ("PENDING", "PENDING_CONCURRENCY", "PENDING_DEVICE", "SCHEDULING")


@dataclass(frozen=True)
class PoolWork(PhoneWork):
    """One run: all artefacts on all phones of a pool."""

    project: Project
    pool: Pool
    devices: tuple[str, ...]


class DeviceFarm:
    """A `Farm`; `where` is a pool's name, with its project's and a slash before it where there are several projects."""

    def __init__(
        self,
        where: str,
        client: AwsClient | None = None,
        transfers: Transfers | None = None,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._where = where
        self._client = client or open_client()
        self._transfers = transfers or Transfers()
        self._sleep = sleep or time.sleep

    def plan(self, request: Request) -> list[PoolWork]:
        app = find_apk(request.app)
        project, pool = self._pool()
        devices = [each for each in self._client.pool_devices(pool.arn, project.arn) if each.platform != "IOS"]
        if not devices:
            raise FarmNotFoundError(
                f"the pool {pool.name!r} of {project.name!r} has no Android phone that is free for instrumentations",
                fix="choose another pool",
            )
        # All phones of a pool are sent the same, so that graphs for NPUs need one chip.
        chips = {known_chip(each.modelId) for each in devices}
        chip = chips.pop() if len(chips) == 1 else None
        planned = plan_launches(
            request, "AWS Device Farm", chip, around_minutes=_AROUND_MINUTES, most_minutes=_MOST_MINUTES
        )
        names = tuple(each.name for each in devices)
        return [
            PoolWork(
                key=work_key(FarmName.DEVICE_FARM, planned, app, project.arn, pool.arn),
                label=f"{len(planned.artifacts)} artefacts on {pool.name}",
                farm=FarmName.DEVICE_FARM,
                device=pool.name,
                chip=chip,
                planned=planned,
                app=app,
                project=project,
                pool=pool,
                devices=names if pool.maxDevices is None else names[: pool.maxDevices],
            )
        ]

    def cost(self, works: Sequence[PoolWork]) -> Cost:
        account = self._client.account()
        minutes = sum(work.planned.minutes * len(work.devices) for work in works)
        free = account.trialMinutes.remaining if account.trialMinutes else 0.0
        slots = account.unmeteredDevices.get("ANDROID", 0)
        devices = ", ".join(dict.fromkeys(printable_line(name) for work in works for name in work.devices))
        words = f"at most {minutes} device minutes ({devices}) at {USD_PER_MINUTE} USD"
        words += f"; {free:g} free minutes are left, which this does not count" if free else ""
        words += f"; {slots} unmetered slots are the account's, which are taken first" if slots else ""
        return Cost(minutes * USD_PER_MINUTE, words, _PRICE_PAGE)

    def submit(self, work: PoolWork, token: str) -> str:
        project = work.project.arn
        with scratch_folder("pocketclip-devicefarm-") as scratch:
            package, spec = scratch / f"{token}.zip", scratch / f"{token}.yml"
            sent = work.package(token)
            sent.write(package, script_files(sent))
            text = test_spec(token, limit_seconds=work.planned.limit_seconds, rest_seconds=work.planned.rest_seconds)
            spec.write_text(text, encoding="utf-8")
            app = self._send(project, work.app.path, "bench.apk", "ANDROID_APP")
            # The app is an instrumentation of itself.
            test = self._send(project, work.app.path, "bench.apk", "INSTRUMENTATION_TEST_PACKAGE")
            data = self._send(project, package, package.name, "EXTERNAL_DATA")
            specification = self._send(project, spec, spec.name, "INSTRUMENTATION_TEST_SPEC")
        return self._client.schedule(
            projectArn=project,
            appArn=app,
            devicePoolArn=work.pool.arn,
            name=token,
            test={"type": "INSTRUMENTATION", "testPackageArn": test, "testSpecArn": specification},
            configuration={"extraDataPackageArn": data},
            executionConfiguration={"jobTimeoutMinutes": work.planned.minutes, "videoCapture": False},
        ).arn

    def find(self, token: str) -> str | None:
        for project in self._projects():
            for place, run in enumerate(self._client.runs(project.arn)):
                if run.name == token:
                    return run.arn
                if place >= _MOST_RUNS:
                    break
        return None

    def status(self, job_id: str) -> JobStatus:
        run = self._client.run(job_id)
        words = printable_line(f"{run.status} {run.result} {run.message}").lower().replace("_", " ").strip()[:2000]
        if run.status == "COMPLETED":
            lost = run.result in ("ERRORED", "STOPPED", "SKIPPED")
            return JobStatus(JobState.FAILED if lost else JobState.ENDED, words)
        words = f"{run.status.lower().replace('_', ' ')}, {run.completedJobs} of {run.totalJobs} phones done"
        return JobStatus(JobState.WAITING if run.status in _WAITING else JobState.RUNNING, printable_line(words))

    def results(self, work: PoolWork, submitted: Submitted) -> list[BenchmarkRecord]:
        assert submitted.job_id is not None  # a run that has ended
        records: list[BenchmarkRecord] = []
        for job in self._client.jobs(submitted.job_id):
            records += self._phone_records(work, submitted, job)
        if not records:
            raise FarmResultError("the run has no phones", fix="run the same command again")
        return stamped(records, submitted)

    def failed(self, work: PoolWork, submitted: Submitted, reason: str) -> list[BenchmarkRecord]:
        return stamped(failed_records(work, work.pool.name, reason), submitted)

    def _phone_records(self, work: PoolWork, submitted: Submitted, job: DeviceJob) -> list[BenchmarkRecord]:
        name = device_name(work.farm, job.device.name)
        archives = [each for each in self._client.files(job.arn) if each.type == "CUSTOMER_ARTIFACT"]
        if not archives:
            if job.result == "PASSED":
                raise FarmResultError(f"the results of {name} are not there yet", fix="run the same command again")
            words = printable_line(f"{job.result.lower()}: {job.message or 'the service gives no reason'}")
            return failed_records(work, job.device.name, f"farm-run-failed: {words}")
        with scratch_folder("pocketclip-devicefarm-") as scratch:
            file = scratch / "results.zip"
            self._transfers.fetch(archives[0].url, file, f"the archive of {name}", _MOST_ARCHIVE_BYTES)
            files = PhoneFiles.from_zip(file, name)
        return measured_records(work, submitted, job.device.name, files)

    def _send(self, project: str, file: Path, name: str, kind: str) -> str:
        """Uploads a file and waits until the service has looked at it; its ARN."""
        upload = self._client.create_upload(project, name, kind)
        self._transfers.put(upload.url, file, name)
        for _ in range(_UPLOAD_LOOKS):
            found = self._client.upload(upload.arn)
            if found.status == "SUCCEEDED":
                return upload.arn
            if found.status == "FAILED":
                why = printable_line(f"{found.message} {found.metadata}".strip())[:2000]
                raise FarmRefusedError(f"AWS Device Farm does not take {name} as {kind}: {why or 'no reason given'}")
            self._sleep(_UPLOAD_PAUSE_S)
        raise FarmUnavailableError(f"AWS Device Farm did not look at {name} in time")

    def _projects(self) -> list[Project]:
        """The projects that may be meant: the one that is named, else all."""
        projects = self._client.projects()
        named, slash, _ = self._where.partition("/")
        fitting = [each for each in projects if each.name == named] if slash else []
        return fitting or projects

    def _pool(self) -> tuple[Project, Pool]:
        projects = self._projects()
        if not projects:
            raise FarmNotFoundError("the account has no project at AWS Device Farm", fix="make one in AWS's console")
        named, slash, rest = self._where.partition("/")
        wanted = rest if slash and any(each.name == named for each in projects) else self._where
        pools = [(project, pool) for project in projects for pool in self._client.pools(project.arn)]
        fitting = [(project, pool) for project, pool in pools if pool.name == wanted]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            names = choices(f"{project.name}/{pool.name}" for project, pool in fitting)
            raise OptionError(f"several projects have a pool {wanted!r}", fix=f"choose among: {printable_line(names)}")
        known = list(dict.fromkeys(f"{project.name}/{pool.name}" for project, pool in pools))
        bare = {name.partition("/")[2]: name for name in known}
        near = [bare[each] for each in nearest(wanted, bare)]
        raise FarmNotFoundError(
            f"AWS Device Farm has no pool {self._where!r} in {choices(each.name for each in projects)}",
            fix=f"choose among: {printable_line(choices(near or known[:10]))}",
        )
