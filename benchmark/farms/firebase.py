"""Firebase Test Lab: a "game loop" of the measuring app on one phone, which gives ordinary benchmark records."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pocketclip.benchmark.errors import (
    DeviceUnsupportedError,
    FarmLoginError,
    FarmNotFoundError,
    FarmResultError,
    OptionError,
)
from pocketclip.benchmark.farms.farm import Cost, FarmName, JobState, JobStatus, Request, Submitted
from pocketclip.benchmark.farms.firebase_states import LOST, WAITING, fault_words
from pocketclip.benchmark.farms.google_answers import (
    BUCKET,
    PROJECT,
    AndroidVersion,
    Catalogue,
    PhoneModel,
    TestMatrix,
)
from pocketclip.benchmark.farms.google_client import GoogleClient, default_session
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
from pocketclip.benchmark.farms.phone_loop import PACKAGE_NAME, loop_files
from pocketclip.benchmark.farms.phone_results import PhoneFiles
from pocketclip.benchmark.phone_app.android_app import shared_folder
from pocketclip.benchmark.phone_app.apk import PACKAGE, find_apk
from pocketclip.benchmark.phone_app.installing import check_fits
from pocketclip.benchmark.records.benchmark import BenchmarkRecord
from pocketclip.benchmark.runners.scratch import scratch_folder
from pocketclip.models.errors import choices
from pocketclip.models.untrusted.printable import printable_line

# Of a physical phone, billed by the minute; as stored copies of Google's page say in 2026. The account's bill decides.
USD_PER_HOUR = 5.0
_PRICE_PAGE = "https://firebase.google.com/docs/test-lab/usage-quotas-pricing"
_FREE = "on the plan Blaze, 30 minutes a day are free, on Spark all of 5 runs a day, which this does not count"
# The longest test that Test Lab runs on a physical phone.
_MOST_MINUTES = 45
# Unpacking, and storing the models; the phone is prepared at no cost.
_AROUND_MINUTES = 3
_BUCKET_VARIABLE = "POCKETCLIP_FIREBASE_BUCKET"
# The list of results in Firebase's console.
_HISTORY = "pocketclip"
_TOKEN_KEY = "pocketclip-token"
# Of its runs, so many are looked through for one of ours.
_MOST_RUNS = 200
# Where Test Lab puts what the app writes to the intent's address.
_RESULTS = re.compile(r"/game_loop_results/results_scenario_[0-9]{1,4}\.json$")
_MOST_RESULT_BYTES = 1 << 30
_CAPACITY = {
    "DEVICE_CAPACITY_LOW": "the lab has few of them, so that it may take long",
    "DEVICE_CAPACITY_NONE": "the lab has none of them now",
}


@dataclass(frozen=True)
class ModelWork(PhoneWork):
    """One run: all artefacts on one phone of a model."""

    model: PhoneModel
    version: AndroidVersion


class Firebase:
    """A `Farm`; `where` is a model's id or name, `,VERSION` behind it, and a project's id and a slash before it."""

    def __init__(self, where: str, client: GoogleClient | None = None) -> None:
        project, _, phone = where.rpartition("/")
        self._model, comma, self._version = (each.strip() for each in phone.partition(","))
        if not self._model or (comma and not self._version):
            raise OptionError(
                f"firebase:{where} names no model and version",
                fix="give them as in firebase:oriole or firebase:oriole,33",
            )
        self._client = client or _default_client(project)

    def plan(self, request: Request) -> list[ModelWork]:
        app = find_apk(request.app)
        catalogue = self._client.catalogue()
        model = self._found_model(catalogue)
        version = self._found_version(model, catalogue)
        check_fits(app, _abis(model, version), version.apiLevel or None, model.id)
        chip = known_chip(model.name) or known_chip(model.id)
        planned = plan_launches(
            request,
            f"Firebase Test Lab's {model.id}",
            chip,
            around_minutes=_AROUND_MINUTES,
            most_minutes=_MOST_MINUTES,
        )
        for words in _warnings(model, version):
            request.say(f"{model.id}: {words}")
        return [
            ModelWork(
                key=work_key(FarmName.FIREBASE, planned, app, self._client.project, model.id, version.id),
                label=f"{len(planned.artifacts)} artefacts on {model.id} with Android {version.id}",
                farm=FarmName.FIREBASE,
                device=model.id,
                chip=chip,
                planned=planned,
                app=app,
                model=model,
                version=version,
            )
        ]

    def cost(self, works: Sequence[ModelWork]) -> Cost:
        minutes = sum(work.planned.minutes for work in works)
        names = ", ".join(printable_line(f"{work.model.id} ({work.model.name})") for work in works)
        return Cost(
            minutes * USD_PER_HOUR / 60,
            f"at most {minutes} minutes on {names} at {USD_PER_HOUR:g} USD an hour; {_FREE}",
            _PRICE_PAGE,
        )

    def submit(self, work: ModelWork, token: str) -> str:
        bucket = self._bucket()
        sent = work.package(token)
        with scratch_folder("pocketclip-firebase-") as scratch:
            package = scratch / PACKAGE_NAME
            files = loop_files(sent, limit_seconds=work.planned.limit_seconds, rest_seconds=work.planned.rest_seconds)
            sent.write(package, files)
            self._client.put(bucket, f"{token}/bench.apk", work.app.path, "the app")
            self._client.put(bucket, f"{token}/{PACKAGE_NAME}", package, "the package of models")
        request_id = token.removeprefix("pocketclip-")
        history = self._client.history(_HISTORY) or self._client.create_history(_HISTORY, request_id)
        return self._client.create_matrix(self._matrix(work, token, bucket, history), request_id).testMatrixId

    def find(self, token: str) -> str | None:
        # The service lists no matrices; the list of results has their ids. One that it does not have yet is found by
        # the request id, which is the same when it is submitted again.
        history = self._client.history(_HISTORY)
        if history is None:
            return None
        for place, matrix_id in enumerate(self._client.matrix_ids(history)):
            if place >= _MOST_RUNS:
                break
            try:
                matrix = self._client.matrix(matrix_id)
            except FarmNotFoundError:
                continue
            details = matrix.clientInfo.clientInfoDetails if matrix.clientInfo else ()
            if any(each.key == _TOKEN_KEY and each.value == token for each in details):
                return matrix_id
        return None

    def status(self, job_id: str) -> JobStatus:
        matrix = self._client.matrix(job_id)
        if matrix.state in LOST:
            return JobStatus(JobState.FAILED, fault_words(matrix, matrix.state))
        if matrix.state == "FINISHED":
            # The lab may begin a test again that its own equipment failed: one that came to its end is enough.
            states = [each.state for each in matrix.testExecutions]
            if states and all(each in LOST for each in states):
                return JobStatus(JobState.FAILED, fault_words(matrix, states[-1]))
            words = f"finished, {matrix.outcomeSummary.lower() or 'no outcome'}"
            return JobStatus(JobState.ENDED, printable_line(words)[:200])
        words = matrix.state.lower().replace("_", " ") or "unknown"
        told = [
            message
            for each in matrix.testExecutions
            if each.testDetails
            for message in each.testDetails.progressMessages
        ]
        words = printable_line(f"{words}: {told[-1]}" if told else words)[:300]
        return JobStatus(JobState.WAITING if matrix.state in WAITING else JobState.RUNNING, words)

    def results(self, work: ModelWork, submitted: Submitted) -> list[BenchmarkRecord]:
        assert submitted.job_id is not None  # a run that has ended
        matrix = self._client.matrix(submitted.job_id)
        bucket = _bucket_of(matrix)
        stored = [each for each in self._client.objects(bucket, f"{submitted.token}/") if _RESULTS.search(each.name)]
        # The service may begin a phone's test again, beside the first one; a file that the app never wrote is empty.
        latest = max((each for each in stored if int(each.size) > 0), key=lambda each: each.updated, default=None)
        if latest is None:
            if matrix.outcomeSummary == "SUCCESS" and not stored:
                raise FarmResultError("the results are not in the bucket yet", fix="run the same command again")
            return self.failed(work, submitted, f"farm-run-failed: the app wrote no results: {fault_words(matrix, '')}")
        name = device_name(work.farm, work.model.id)
        with scratch_folder("pocketclip-firebase-") as scratch:
            file = scratch / "results.zip"
            self._client.fetch(bucket, latest, file, f"the results of {name}", _MOST_RESULT_BYTES)
            files = PhoneFiles.from_zip(file, name)
        return stamped(measured_records(work, submitted, work.model.id, files), submitted)

    def failed(self, work: ModelWork, submitted: Submitted, reason: str) -> list[BenchmarkRecord]:
        return stamped(failed_records(work, work.model.id, reason), submitted)

    def _bucket(self) -> str:
        named = os.environ.get(_BUCKET_VARIABLE, "").removeprefix("gs://").rstrip("/")
        fault = BUCKET.fault(named) if named else None
        if fault is not None:
            raise OptionError(f"{_BUCKET_VARIABLE} {fault}", fix="give a bucket's name, or leave it out")
        return named or self._client.default_bucket()

    def _matrix(self, work: ModelWork, token: str, bucket: str, history: str) -> dict[str, Any]:
        folder = f"gs://{bucket}/{token}"
        pushed = {
            "content": {"gcsPath": f"{folder}/{PACKAGE_NAME}"},
            "devicePath": f"{shared_folder(work.version.apiLevel or None)}/{PACKAGE_NAME}",
        }
        phone = {
            "androidModelId": work.model.id,
            "androidVersionId": work.version.id,
            "locale": "en",
            "orientation": "portrait",
        }
        return {
            "clientInfo": {"name": "pocketclip", "clientInfoDetails": [{"key": _TOKEN_KEY, "value": token}]},
            "environmentMatrix": {"androidDeviceList": {"androidDevices": [phone]}},
            "flakyTestAttempts": 0,
            "resultStorage": {
                "googleCloudStorage": {"gcsPath": folder},
                "toolResultsHistory": {"projectId": self._client.project, "historyId": history},
            },
            "testSpecification": {
                "androidTestLoop": {
                    "appApk": {"gcsPath": f"{folder}/bench.apk"},
                    "appPackageId": PACKAGE,
                    "scenarios": [1],
                },
                # Both take time of the processor that is measured.
                "disablePerformanceMetrics": True,
                "disableVideoRecording": True,
                "testSetup": {"filesToPush": [{"regularFile": pushed}]},
                "testTimeout": f"{work.planned.minutes * 60}s",
            },
        }

    def _found_model(self, catalogue: Catalogue) -> PhoneModel:
        wanted = self._model
        found = [each for each in catalogue.models if each.id == wanted] or [
            each for each in catalogue.models if each.name == wanted
        ]
        if not found:
            names = {
                **{each.name: each.id for each in catalogue.models},
                **{each.id: each.id for each in catalogue.models},
            }
            near = dict.fromkeys(f"{names[each]} ({_name(names[each], catalogue)})" for each in nearest(wanted, names))
            raise FarmNotFoundError(
                f"Firebase Test Lab has no phone {wanted!r} among {len(catalogue.models)}",
                fix=f"choose among those that are near: {choices(map(printable_line, near))}"
                if near
                else "see `gcloud firebase test android models list`",
            )
        if len(found) > 1:
            raise OptionError(
                f"several phones of Firebase Test Lab are called {wanted!r}",
                fix=f"choose among their ids: {choices(each.id for each in found)}",
            )
        model = found[0]
        if model.form and model.form != "PHYSICAL":
            raise DeviceUnsupportedError(
                f"{model.id} is no phone but a virtual device, whose times mean nothing", fix="choose a physical one"
            )
        if model.accessDeniedReasons:
            why = printable_line(choices(model.accessDeniedReasons))[:300]
            raise FarmLoginError(
                f"your project may not use {model.id}: {why}",
                fix="choose another phone, or accept its terms in Firebase's console",
            )
        return model

    def _found_version(self, model: PhoneModel, catalogue: Catalogue) -> AndroidVersion:
        versions = {each.id: each for each in catalogue.versions}
        offered = [versions.get(each, AndroidVersion(each)) for each in model.supportedVersionIds]
        if not offered:
            raise FarmNotFoundError(
                f"Firebase Test Lab has no version of Android for {model.id}", fix="choose another phone"
            )
        if not self._version:
            # The newest: capacities change from day to day, and the same command must mean the same phone.
            return max(offered, key=lambda each: (each.apiLevel, each.id))
        found = next((each for each in offered if each.id == self._version), None)
        if found is None:
            raise FarmNotFoundError(
                f"Firebase Test Lab has no {model.id} with Android version {self._version!r}",
                fix=f"choose among: {choices(each.id for each in offered)}",
            )
        return found


def _default_client(project: str) -> GoogleClient:
    session, usual = default_session()
    chosen = project or usual or ""
    if not chosen:
        raise OptionError(
            "no project is named, and the credentials have none",
            fix="give it as in firebase:PROJECT/MODEL, or set GOOGLE_CLOUD_PROJECT",
        )
    fault = PROJECT.fault(chosen)
    if fault is not None:
        raise OptionError(f"the project {fault}", fix="see `gcloud projects list`")
    return GoogleClient(session, chosen)


def _abis(model: PhoneModel, version: AndroidVersion) -> tuple[str, ...]:
    """Those for a version; one that only some versions have is written behind theirs, as `33:arm64-v8a`."""
    parts = [each.rpartition(":") for each in model.supportedAbis]
    return tuple(abi for of, _, abi in parts if of in ("", version.id))


def _warnings(model: PhoneModel, version: AndroidVersion) -> list[str]:
    capacities = [each.deviceCapacity for each in model.perVersionInfo if each.versionId == version.id]
    words = [_CAPACITY[each] for each in capacities if each in _CAPACITY]
    if any(each.split("=")[0] == "deprecated" for each in model.tags):
        words.append("it is deprecated, and will leave the lab")
    return words


def _name(model_id: str, catalogue: Catalogue) -> str:
    return next(each.name for each in catalogue.models if each.id == model_id)


def _bucket_of(matrix: TestMatrix) -> str:
    folder = matrix.resultStorage.googleCloudStorage if matrix.resultStorage else None
    bucket = (folder.gcsPath if folder else "").removeprefix("gs://").partition("/")[0]
    if BUCKET.fault(bucket) is not None:
        raise FarmResultError("the run does not tell the bucket of its results")
    return bucket
