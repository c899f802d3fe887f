"""AWS Device Farm: a run of the measuring app on every phone of a pool, which gives ordinary benchmark records."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pocketclip.benchmark.errors import (
    DeviceUnsupportedError,
    FarmNotFoundError,
    FarmRefusedError,
    FarmResultError,
    FarmUnavailableError,
    OptionError,
)
from pocketclip.benchmark.farms.aws_client import AwsClient, DeviceJob, Pool, Project, default_client
from pocketclip.benchmark.farms.farm import Cost, FarmName, JobState, JobStatus, Request, Submitted, Work
from pocketclip.benchmark.farms.phone_package import Measured, PhonePackage
from pocketclip.benchmark.farms.phone_results import CollectedRunner, FarmPhone, PhoneFiles
from pocketclip.benchmark.farms.phone_script import test_spec
from pocketclip.benchmark.farms.transfers import Transfers
from pocketclip.benchmark.measuring.measurement import Measurement
from pocketclip.benchmark.measuring.plan import BenchmarkPlan, SilentWatch, run_plan, with_accelerator
from pocketclip.benchmark.phone_app.apk import Apk, find_apk
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, DeviceFacts, DeviceKind, RunSettings
from pocketclip.benchmark.runners.scratch import scratch_folder
from pocketclip.benchmark.store.codec import decode, encode
from pocketclip.export.artifact.reading import Artifact
from pocketclip.models import documents
from pocketclip.models.errors import choices
from pocketclip.models.untrusted.printable import printable_line

# Of a metered device minute, as a copy of AWS's price list of 2021-09-01 has it. The account's bill decides.
USD_PER_MINUTE = 0.17
_PRICE_PAGE = "https://aws.amazon.com/device-farm/pricing/"
# The service ends a job after that many minutes, whatever is asked for.
_MOST_MINUTES = 150
# Preparing a phone and bringing results home, and one launch beside its steady inferences.
_AROUND_MINUTES, _LAUNCH_SECONDS = 10, 60.0
# Before each launch, at most: the app itself refuses to measure on a hot phone.
_MOST_REST_S = 10.0
_MOST_ARCHIVE_BYTES = 1 << 30
# Between two looks at an upload, and how often.
_UPLOAD_PAUSE_S, _UPLOAD_LOOKS = 5.0, 120
# Of the runs of a project, so many are looked through for one of ours.
_MOST_RUNS = 2000
_WAITING = ("PENDING", "PENDING_CONCURRENCY", "PENDING_DEVICE", "SCHEDULING")


@dataclass(frozen=True)
class PhoneWork(Work):
    """One run: all artefacts on all phones of a pool."""

    artifacts: tuple[Artifact, ...]
    settings: tuple[RunSettings, ...]
    project: Project
    pool: Pool
    devices: tuple[str, ...]
    minutes: int
    timeout_seconds: float
    rest_seconds: int
    app: Apk
    tag: str | None

    def package(self, token: str) -> PhonePackage:
        """What its phones are sent."""
        phone = FarmPhone(_unknown(self.pool.name))
        return PhonePackage(
            [
                Measured(artifact, with_accelerator(settings, phone, artifact))
                for artifact in self.artifacts
                for settings in self.settings
            ],
            token,
        )


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
        self._client = client or AwsClient(default_client())
        self._transfers = transfers or Transfers()
        self._sleep = sleep or time.sleep

    def plan(self, request: Request) -> list[PhoneWork]:
        app = find_apk(request.app)
        phone = FarmPhone(_unknown(self._where))
        settings = tuple(phone.settings(each) for each in request.settings)
        artifacts = _fitting(request, phone)
        rest = math.ceil(min(request.cooldown_seconds, _MOST_REST_S))
        seconds = sum(
            each.launches * (_LAUNCH_SECONDS + each.minimum_seconds + rest) for each in settings for _ in artifacts
        )
        minutes = _AROUND_MINUTES + math.ceil(seconds / 60)
        if minutes > _MOST_MINUTES:
            raise OptionError(
                f"the launches would take {minutes} minutes, and AWS ends a run after {_MOST_MINUTES}",
                fix="give fewer artefacts, --launches or --min-seconds at a time",
            )
        project, pool = self._pool()
        devices = [each for each in self._client.pool_devices(pool.arn, project.arn) if each.platform != "IOS"]
        if not devices:
            raise FarmNotFoundError(
                f"the pool {pool.name!r} of {project.name!r} has no Android phone that is free for instrumentations",
                fix="choose another pool",
            )
        names = tuple(each.name for each in devices)
        facts = [each.manifest.sha256 + each.label for each in artifacts] + [repr(each) for each in settings]
        facts += [project.arn, pool.arn, app.sha256, str(request.tag), str(request.timeout_seconds), str(rest)]
        return [
            PhoneWork(
                key=hashlib.sha256(json.dumps([str(FarmName.DEVICE_FARM), *facts]).encode()).hexdigest(),
                label=f"{len(artifacts)} artefacts on {pool.name}",
                artifacts=artifacts,
                settings=settings,
                project=project,
                pool=pool,
                devices=names if pool.maxDevices is None else names[: pool.maxDevices],
                minutes=minutes,
                timeout_seconds=request.timeout_seconds,
                rest_seconds=rest,
                app=app,
                tag=request.tag,
            )
        ]

    def cost(self, works: Sequence[PhoneWork]) -> Cost:
        account = self._client.account()
        minutes = sum(work.minutes * len(work.devices) for work in works)
        free = account.trialMinutes.remaining if account.trialMinutes else 0.0
        slots = account.unmeteredDevices.get("ANDROID", 0)
        devices = ", ".join(dict.fromkeys(printable_line(name) for work in works for name in work.devices))
        words = f"at most {minutes} device minutes ({devices}) at {USD_PER_MINUTE} USD"
        words += f"; {free:g} free minutes are left, which this does not count" if free else ""
        words += f"; {slots} unmetered slots are the account's, which are taken first" if slots else ""
        return Cost(minutes * USD_PER_MINUTE, words, _PRICE_PAGE)

    def submit(self, work: PhoneWork, token: str) -> str:
        project = work.project.arn
        with scratch_folder("pocketclip-devicefarm-") as scratch:
            package, spec = scratch / f"{token}.zip", scratch / f"{token}.yml"
            work.package(token).write(package)
            limit = math.ceil(work.timeout_seconds)
            spec.write_text(test_spec(token, limit_seconds=limit, rest_seconds=work.rest_seconds), encoding="utf-8")
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
            executionConfiguration={"jobTimeoutMinutes": work.minutes, "videoCapture": False},
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

    def results(self, work: PhoneWork, submitted: Submitted) -> list[BenchmarkRecord]:
        assert submitted.job_id is not None  # a run that has ended
        records: list[BenchmarkRecord] = []
        for job in self._client.jobs(submitted.job_id):
            records += self._phone_records(work, submitted, job)
        if not records:
            raise FarmResultError("the run has no phones", fix="run the same command again")
        return _stamped(records, submitted)

    def failed(self, work: PhoneWork, submitted: Submitted, reason: str) -> list[BenchmarkRecord]:
        return _stamped(_failed(work, _unknown(work.pool.name), reason), submitted)

    def _phone_records(self, work: PhoneWork, submitted: Submitted, job: DeviceJob) -> list[BenchmarkRecord]:
        name = _device_name(job.device.name)
        archives = [each for each in self._client.files(job.arn) if each.type == "CUSTOMER_ARTIFACT"]
        if not archives:
            if job.result == "PASSED":
                raise FarmResultError(f"the results of {name} are not there yet", fix="run the same command again")
            words = printable_line(f"{job.result.lower()}: {job.message or 'the service gives no reason'}")
            return _failed(work, _unknown(job.device.name), f"farm-run-failed: {words}"[:4000])
        with scratch_folder("pocketclip-devicefarm-") as scratch:
            file = scratch / "results.zip"
            self._transfers.fetch(archives[0].url, file, f"the archive of {name}", _MOST_ARCHIVE_BYTES)
            files = PhoneFiles.from_zip(file, name)
        runner = CollectedRunner(files, work.package(submitted.token), work.app.sha256)
        plan = BenchmarkPlan(work.artifacts, work.settings, work.timeout_seconds, cooldown_seconds=0.0, tag=work.tag)
        facts = files.facts(name)
        try:
            documents.parse(DeviceFacts, json.dumps(documents.to_builtin(facts)), source=name, error=FarmResultError)
        except FarmResultError:
            # What a phone says of itself may be anything; what it measured counts all the same.
            facts = _unknown(job.device.name)
        phone = FarmPhone(facts, runner)
        return run_plan(plan, phone, append=_check, watch=SilentWatch())

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
        bare = {name.partition("/")[2].lower(): name for name in known}
        near = [bare[each] for each in difflib.get_close_matches(wanted.lower(), bare, n=5, cutoff=0.4)]
        raise FarmNotFoundError(
            f"AWS Device Farm has no pool {self._where!r} in {choices(each.name for each in projects)}",
            fix=f"choose among: {printable_line(choices(near or known[:10]))}",
        )


def _fitting(request: Request, phone: FarmPhone) -> tuple[Artifact, ...]:
    """The artefacts that a farm's phone measures; the others are told."""
    fitting: list[Artifact] = []
    reasons: list[str] = []
    for artifact in request.artifacts:
        batch = artifact.manifest.batch
        reason = phone.untimed_reason(artifact.manifest.target)
        if reason is None and batch != 1:
            reason = f"it takes {batch} photographs at once"
        if reason is None:
            fitting.append(artifact)
        else:
            request.say(f"skipped, not run: {artifact.label}: {reason}")
            reasons.append(reason)
    if not fitting:
        why = next(iter(reasons), "there is none")
        raise DeviceUnsupportedError(
            f"AWS Device Farm can measure none of the {len(request.artifacts)} artefacts ({why})",
            fix="choose other artefacts",
        )
    return tuple(fitting)


def _check(record: BenchmarkRecord) -> None:
    """As a store would, whose `RecordError` fails that artefact alone."""
    decode(encode(record))


def _device_name(name: str) -> str:
    """With the farm before it: no phone at hand has such a name, so that none is compared with it."""
    return printable_line(f"{FarmName.DEVICE_FARM}:{name}")[:200]


def _unknown(name: str) -> DeviceFacts:
    """A phone that told nothing of itself."""
    return DeviceFacts(_device_name(name), DeviceKind.FARM, "unknown", "unknown", "unknown", (), 1, None)


def _failed(work: PhoneWork, device: DeviceFacts, reason: str) -> list[BenchmarkRecord]:
    phone = FarmPhone(device)
    runner = CollectedRunner(PhoneFiles({}, device.name), PhonePackage((), ""), work.app.sha256)
    return [
        Measurement(
            artifact,
            device,
            with_accelerator(settings, phone, artifact),
            work.timeout_seconds,
            tag=work.tag,
            failed=printable_line(reason),
        ).record(runner)
        for artifact in work.artifacts
        for settings in work.settings
    ]


def _stamped(records: Sequence[BenchmarkRecord], submitted: Submitted) -> list[BenchmarkRecord]:
    """The records with ids and a time that are the same whenever they are made."""
    return [
        replace(record, record_id=submitted.record_id(place), created_at=submitted.submitted_at)
        for place, record in enumerate(records)
    ]
