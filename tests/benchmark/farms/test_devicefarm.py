"""AWS Device Farm from the artefact to the record: its API over HTTP, and a phone that carries the script out."""

from __future__ import annotations

import io
import socket
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("boto3", reason="boto3 is not installed: the extra `farm` adds it")

from pocketclip.benchmark.errors import (
    AppMissingError,
    DeviceUnsupportedError,
    FarmError,
    FarmLoginError,
    FarmNotFoundError,
    FarmQuotaError,
    FarmRefusedError,
    FarmResultError,
    FarmUnavailableError,
    OptionError,
)
from pocketclip.benchmark.farms import table
from pocketclip.benchmark.farms.aws_client import open_client
from pocketclip.benchmark.farms.devicefarm import DeviceFarm
from pocketclip.benchmark.farms.farm import Cost
from pocketclip.benchmark.farms.transfers import Transfers
from pocketclip.benchmark.records.benchmark import DeviceKind, Status
from pocketclip.benchmark.store import open_store
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.precision import TargetName
from tests.android_app.test_phone.npu import stand_in
from tests.benchmark.farms.aws_stand_in import ACCOUNT, PIXEL, PROJECT, SECRET, SIGNATURE, AwsStandIn, served
from tests.benchmark.farms.benching import bench_at, unasked
from tests.benchmark.farms.phone_stand_in import PhoneStandIn

pytestmark = pytest.mark.usefixtures("pauses")
BuildArtifact = Callable[..., Artifact]
bench = bench_at("devicefarm:pixels")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[AwsStandIn]:
    """The service, with a cache of this test's own; `bench_farm` reaches it as it would reach AWS."""
    monkeypatch.setenv("POCKETCLIP_CACHE", str(tmp_path / "cache"))
    apk = tmp_path / "bench.apk"
    with zipfile.ZipFile(apk, "w") as archive:
        archive.writestr("AndroidManifest.xml", b"\x03\x00")
    monkeypatch.setenv("POCKETCLIP_ANDROID_APK", str(apk))
    service = AwsStandIn()
    monkeypatch.setattr(
        table, "open_farm", lambda place: DeviceFarm(place.where, transfers=Transfers(("http", "https")))
    )
    with served(service):
        monkeypatch.setenv("AWS_ENDPOINT_URL", service.address)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        # Of boto3's own patience, one more try is enough.
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
        yield service


@pytest.fixture
def phone(aws: AwsStandIn, build_artifact: BuildArtifact, make: Any, tmp_path: Path) -> PhoneStandIn:
    """The pool's phone, whose app measures the artefact `image`."""
    found = PhoneStandIn(tmp_path / "phone", build_artifact(), make.launch(3.0))
    aws.phones["Google Pixel 7"] = found.run
    return found


@pytest.fixture
def artifact(phone: PhoneStandIn, tmp_path: Path) -> Path:
    """What the phone measures."""
    return tmp_path / "artifacts" / "image"


def submitted(aws: AwsStandIn) -> int:
    return sum(action == "ScheduleRun" for action, _ in aws.calls)


@pytest.mark.parametrize("api_level", [34, 28])
def test_a_phone_of_a_pool(
    aws: AwsStandIn, phone: PhoneStandIn, artifact: Path, tmp_path: Path, api_level: int, make: Any
) -> None:
    phone = PhoneStandIn(tmp_path / "older", api_artifact(artifact), make.launch(3.0), api=api_level)
    aws.phones["Google Pixel 7"] = phone.run
    costs: list[Cost] = []
    store = str(tmp_path / "s.sqlite")
    (record,) = bench(artifact, accept=lambda cost: bool(costs.append(cost)) or True, store=store, tag="1.0")
    assert record.status is Status.MEASURED and record.reason is None
    assert (record.device.name, record.device.kind) == ("devicefarm:Google Pixel 7", DeviceKind.FARM)
    assert record.device.os.startswith("Android 14") and record.device.instance is not None
    assert "A1B2C3" not in repr(record)
    assert len(record.launches) == 2 and record.golden_check is not None and record.golden_check.cosine_min > 0.9999
    assert record.settings.accelerator == "cpu" and record.tag == "1.0"
    assert record.rankable
    # 10 minutes around it, two launches of a minute.
    assert [cost.most_usd for cost in costs] == [pytest.approx(12 * 0.17)]
    assert "at most 12 device minutes (Google Pixel 7) at 0.17 USD" in costs[0].words
    kinds = [each["type"] for each in aws.uploads]
    assert kinds == ["ANDROID_APP", "INSTRUMENTATION_TEST_PACKAGE", "EXTERNAL_DATA", "INSTRUMENTATION_TEST_SPEC"]
    (asked,) = [asked for action, asked in aws.calls if action == "ScheduleRun"]
    assert asked["executionConfiguration"]["jobTimeoutMinutes"] == 12
    assert asked["test"]["type"] == "INSTRUMENTATION"
    with open_store(store) as stored:
        assert stored.read().benchmarks == [record]
    # Nothing of ours stays on the phone, but the model that the app stores.
    assert not list((phone.sdcard / phone.state["shared"]).glob("pocketclip-*"))


def api_artifact(folder: Path) -> Artifact:
    from pocketclip.export.artifact.reading import load_artifact

    return load_artifact(folder)


def test_the_specification_is_yaml(aws: AwsStandIn, artifact: Path) -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    bench(artifact, timeout=77.0)
    content = yaml.safe_load(next(each["content"] for each in aws.uploads if each["type"].endswith("SPEC")))
    assert (content["version"], content["android_test_host"]) == (0.1, "amazon_linux_2")
    (command,) = content["phases"]["test"]["commands"]
    assert command.startswith('adb -s "$DEVICEFARM_DEVICE_UDID" shell "sh /sdcard/pocketclip-')
    assert command.endswith(' 77 0"')
    assert content["artifacts"] == ["$DEVICEFARM_LOG_DIR"]


def test_several_phones_and_settings(
    aws: AwsStandIn, phone: PhoneStandIn, artifact: Path, tmp_path: Path, make: Any
) -> None:
    """A record for each; one phone's failure is its own."""
    other = PhoneStandIn(tmp_path / "other", api_artifact(artifact), make.launch(4.0))
    other.state["result"] = {"failure": {"code": "thermal", "message": "too hot"}, "launch": None, "outputs": None}
    aws.phones["Galaxy"] = other.run
    records = bench(artifact, threads="1,2", launches=1)
    assert [(each.device.name, each.settings.threads, each.status) for each in records] == [
        ("devicefarm:Google Pixel 7", 1, "measured"),
        ("devicefarm:Google Pixel 7", 2, "measured"),
        ("devicefarm:Galaxy", 1, "failed"),
        ("devicefarm:Galaxy", 2, "failed"),
    ]
    assert records[2].reason is not None and records[2].reason.startswith("thermal: too hot")
    assert submitted(aws) == 1


def test_a_killed_bench_goes_on(
    aws: AwsStandIn, phone: PhoneStandIn, artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended while it waits, and once more before the records are stored: one run, one record."""

    def stop(seconds: float) -> None:
        if submitted(aws):
            raise SystemExit(9)

    store = str(tmp_path / "s.sqlite")
    with monkeypatch.context() as ended:
        ended.setattr("time.sleep", stop)
        with pytest.raises(SystemExit):
            bench(artifact, store=store)
    assert submitted(aws) == 1
    from pocketclip.benchmark.farms.ledger import Ledger

    with monkeypatch.context() as ended:
        ended.setattr(Ledger, "done", lambda *arguments: stop(0))
        with pytest.raises(SystemExit):
            bench(artifact, store=store, accept=unasked)
    (record,) = bench(artifact, store=store, accept=unasked)
    assert submitted(aws) == 1
    with open_store(store) as stored:
        assert stored.read().benchmarks == [record]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"result": {"job_id": "another"}}, "result-foreign"),
        ({"result": {"request_sha256": "0" * 64}}, "request-altered"),
        ({"result": {"result_version": 4}}, "app-outdated"),
        ({"result": {"launch": None}}, "result-invalid"),
        ({"result": {"surprise": 1}}, "result-invalid"),
        ({"result": {"failure": {"code": "low-battery", "message": "12 %"}}}, "low-battery"),
        ({"stage": {"staged": False, "failure": {"code": "no-space", "message": "full"}}}, "device-full"),
        ({"stage": {"staged": False, "failure": None}}, "app-failed"),
        ({"crash": True}, "app-killed"),
        ({"shape": [2, 8]}, "result-invalid"),
    ],
)
def test_apps_that_fail(aws: AwsStandIn, phone: PhoneStandIn, artifact: Path, change: Any, code: str) -> None:
    phone.state |= change
    (record,) = bench(artifact, launches=1)
    assert record.status is Status.FAILED and record.launches == ()
    assert record.reason is not None and record.reason.startswith(code)


def test_a_phone_that_says_anything(
    aws: AwsStandIn, phone: PhoneStandIn, artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it measured is kept; what it says of itself is only kept where it fits a record."""
    monkeypatch.setattr("tests.benchmark.farms.phone_stand_in._CORES", "9" * 18)
    (record,) = bench(artifact, launches=1)
    assert record.status is Status.MEASURED and record.device.os == "unknown"


def test_outputs_of_another_model(aws: AwsStandIn, phone: PhoneStandIn, artifact: Path) -> None:
    phone.state["outputs"] = str(artifact / "golden_inputs.bin")
    phone.state["shape"] = [4, 108]
    (record,) = bench(artifact, launches=1)
    assert record.reason is not None and record.reason.startswith("output-shape")


def test_a_runtime_that_the_app_has_not(aws: AwsStandIn, phone: PhoneStandIn, artifact: Path) -> None:
    phone.state["facts"]["runtimes"] = {"onnxruntime": None, "litert": "2.3.0"}
    (record,) = bench(artifact, launches=1)
    assert record.reason is not None and record.reason.startswith("runtime-missing")


@pytest.mark.parametrize("damage", ["truncated", "empty", "no zip", "bomb", "foreign"])
def test_archives_that_cannot_be(
    aws: AwsStandIn, phone: PhoneStandIn, artifact: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is recorded of them; once the archive is whole, the same command fetches it and pays nothing."""
    whole = phone.run
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pocketclip-out/device.txt", b"\0" * (200 << 20 if damage == "bomb" else 1))
        archive.writestr("../../pocketclip-out/../evil.txt", b"x")
    damaged = {"no zip": b"<html>", "bomb": content.getvalue(), "foreign": content.getvalue()}
    made: dict[str, bytes] = {}

    def run(sent: bytes, name: str) -> bytes | None:
        made["whole"] = whole(sent, name)
        return None if damage == "empty" else damaged.get(damage, made["whole"][:-100])

    aws.phones["Google Pixel 7"] = run
    if damage == "foreign":
        (record,) = bench(artifact, launches=1)
        assert record.reason is not None and "result-missing" in record.reason
        return
    with pytest.raises(FarmResultError):
        bench(artifact, launches=1)
    aws.archives = dict.fromkeys(aws.archives, made["whole"])
    (record,) = bench(artifact, launches=1, accept=unasked)
    assert record.status is Status.MEASURED and submitted(aws) == 1


def test_a_download_that_breaks_off(aws: AwsStandIn, artifact: Path, pauses: list[float]) -> None:
    aws.truncated = [100, 5000]
    (record,) = bench(artifact, launches=1)
    assert record.status is Status.MEASURED
    aws.file_errors = []
    assert 2.0 in pauses and 5.0 in pauses


def test_a_file_server_that_is_away(aws: AwsStandIn, artifact: Path) -> None:
    aws.file_errors = [503]
    (record,) = bench(artifact, launches=1)
    assert record.status is Status.MEASURED and submitted(aws) == 1


def test_an_address_that_has_expired(aws: AwsStandIn, artifact: Path) -> None:
    aws.file_errors = [403]
    (record,) = bench(artifact, launches=1)
    assert record.reason is not None and record.reason.startswith("farm-refused: bench.apk was not taken (status 403)")
    assert SIGNATURE not in record.reason and submitted(aws) == 0


def test_a_file_that_is_refused(aws: AwsStandIn, artifact: Path) -> None:
    aws.upload_failure = "We could not extract the package name\nfrom your app"
    (record,) = bench(artifact, launches=1)
    assert record.reason is not None and "does not take bench.apk as ANDROID_APP: We could not" in record.reason
    assert submitted(aws) == 0


@pytest.mark.parametrize("result", ["ERRORED", "STOPPED", "SKIPPED"])
def test_runs_that_end_early(aws: AwsStandIn, artifact: Path, result: str) -> None:
    aws.result, aws.message = result, "The device was lost."
    (record,) = bench(artifact, launches=1)
    assert record.reason == f"farm-run-failed: completed {result.lower()} the device was lost."
    aws.result, aws.message = "PASSED", ""
    (record,) = bench(artifact, launches=1)
    assert record.status is Status.MEASURED and submitted(aws) == 2


def test_a_run_that_failed_without_results(aws: AwsStandIn, phone: PhoneStandIn, artifact: Path) -> None:
    aws.result, aws.message = "FAILED", "adb: device not found"
    aws.phones["Google Pixel 7"] = lambda sent, name: None
    (record,) = bench(artifact, launches=1)
    assert record.reason == "farm-run-failed: failed: adb: device not found"
    assert record.device.name == "devicefarm:Google Pixel 7"


# Those that the service documents for the calls of a bench, and AWS's common ones.
ERRORS = [
    ("ArgumentException", 400, FarmRefusedError),
    ("NotFoundException", 400, FarmNotFoundError),
    ("LimitExceededException", 400, FarmQuotaError),
    ("ServiceAccountException", 400, FarmLoginError),
    ("IdempotencyException", 400, FarmRefusedError),
    ("NotEligibleException", 400, FarmQuotaError),
    ("InternalServiceException", 500, FarmUnavailableError),
    ("AccessDeniedException", 400, FarmLoginError),
    ("ExpiredTokenException", 400, FarmLoginError),
    ("UnrecognizedClientException", 400, FarmLoginError),
    ("IncompleteSignature", 400, FarmLoginError),
    ("OptInRequired", 403, FarmLoginError),
    ("RequestExpired", 400, FarmLoginError),
    ("ThrottlingException", 400, FarmUnavailableError),
    ("ServiceUnavailable", 503, FarmUnavailableError),
    ("SomethingNew", 400, FarmRefusedError),
    ("SomethingNew", 502, FarmUnavailableError),
]


@pytest.mark.parametrize("action", ["ListProjects", "ListDevicePools", "GetDevicePoolCompatibility"])
@pytest.mark.parametrize(("code", "status", "kind"), ERRORS)
def test_refusals(aws: AwsStandIn, artifact: Path, action: str, code: str, status: int, kind: type[FarmError]) -> None:
    aws.errors[action] = [(code, "in its\nwords \x1b[31m", status)] * 3
    with pytest.raises(kind) as caught:
        bench(artifact)
    assert code in str(caught.value) and "\n" not in str(caught.value) and "\x1b" not in str(caught.value)
    assert caught.value.fix and submitted(aws) == 0


@pytest.mark.parametrize("words", ["Signature expired: 20260101T000000Z is now earlier", "Signature not yet current"])
def test_a_wrong_clock(aws: AwsStandIn, artifact: Path, words: str) -> None:
    aws.errors["ListProjects"] = [("InvalidSignatureException", words, 400)]
    with pytest.raises(FarmLoginError, match="set this computer's clock"):
        bench(artifact)


@pytest.mark.parametrize(("code", "status", "kind"), [each for each in ERRORS if each[2] is FarmUnavailableError])
def test_a_service_that_is_away(
    aws: AwsStandIn, artifact: Path, code: str, status: int, kind: type[FarmError], pauses: list[float]
) -> None:
    """While a run is looked at, and while it is begun: it is waited for, and there is one run."""
    away = (code, "away", status)
    aws.errors = {"GetRun": [away] * 5, "ScheduleRun": [away] * 2, "CreateUpload": [None, away, away]}
    (record,) = bench(artifact, launches=1)
    assert record.status is Status.MEASURED
    assert len(aws.runs) == 1 and 2.0 in pauses


def test_a_run_whose_answer_is_lost(aws: AwsStandIn, artifact: Path) -> None:
    """It is asked for once, and found by its name: nothing is paid twice."""
    aws.lost["ScheduleRun"] = 1
    (record,) = bench(artifact, launches=1)
    assert record.status is Status.MEASURED
    assert len(aws.runs) == 1 and submitted(aws) == 1


def test_throttled_for_long(aws: AwsStandIn, artifact: Path) -> None:
    aws.errors["GetRun"] = [("ThrottlingException", "Rate exceeded", 400)] * 100
    with pytest.raises(FarmUnavailableError, match=r"Rate exceeded.*goes on with the same run"):
        bench(artifact, launches=1)
    aws.errors.clear()
    (record,) = bench(artifact, launches=1, accept=unasked)
    assert record.status is Status.MEASURED and len(aws.runs) == 1


def test_a_limit_while_starting(aws: AwsStandIn, artifact: Path) -> None:
    aws.errors["ScheduleRun"] = [("LimitExceededException", "too many runs", 400)] * 10
    with pytest.raises(FarmQuotaError, match="too many runs"):
        bench(artifact, launches=1)
    aws.errors.clear()
    (record,) = bench(artifact, launches=1)
    assert record.status is Status.MEASURED and len(aws.runs) == 1


def test_pools_and_projects(aws: AwsStandIn, artifact: Path) -> None:
    with pytest.raises(FarmNotFoundError, match=r"choose among: clip/pixels"):
        bench(artifact, "devicefarm:pixel")
    bench(artifact, "devicefarm:clip/pixels", launches=1)
    aws.projects = [PROJECT, {"arn": f"{ACCOUNT}:project:EXAMPLE-2", "name": "other"}]
    with pytest.raises(OptionError, match="clip/pixels, other/pixels"):
        bench(artifact)
    aws.projects = []
    with pytest.raises(FarmNotFoundError, match="no project"):
        bench(artifact)


def test_a_pool_without_phones(aws: AwsStandIn, artifact: Path) -> None:
    aws.devices = []
    with pytest.raises(FarmNotFoundError, match="no Android phone"):
        bench(artifact)


def test_what_costs_are_made_of(aws: AwsStandIn, artifact: Path) -> None:
    aws.account = {"trialMinutes": {"total": 1000.0, "remaining": 12.5}, "unmeteredDevices": {"ANDROID": 2}}
    costs: list[Cost] = []
    with pytest.raises(FarmError):
        bench(artifact, accept=lambda cost: bool(costs.append(cost)))
    assert "12.5 free minutes" in costs[0].words and "2 unmetered slots" in costs[0].words
    assert costs[0].source == "https://aws.amazon.com/device-farm/pricing/"
    assert aws.uploads == []


def test_runs_that_are_too_long(aws: AwsStandIn, artifact: Path) -> None:
    with pytest.raises(OptionError, match="AWS Device Farm ends a run after 150"):
        bench(artifact, launches=200)


@pytest.mark.parametrize("target", [TargetName.COREML, TargetName.ONNX_QNN, TargetName.TFLITE_QNN])
def test_formats_that_it_does_not_measure(aws: AwsStandIn, build_artifact: BuildArtifact, target: TargetName) -> None:
    with pytest.raises(DeviceUnsupportedError):
        bench(build_artifact("other", target=target).folder)


def test_the_graph_for_the_chip_of_a_pool(
    aws: AwsStandIn, build_artifact: BuildArtifact, make: Any, tmp_path: Path
) -> None:
    """All phones of a pool are sent the same: a pool of one chip gets its graph, one of several none."""
    plain = build_artifact("plain")
    prepared = stand_in(plain, tmp_path / "prepared", ("SM8650",))
    phone = PhoneStandIn(tmp_path / "npu-phone", plain, make.launch(3.0))
    phone.state["facts"]["accelerators"] = {"onnxruntime": ["cpu", "npu"]}
    phone.state["result"] = {"accelerator_observed": "npu"}
    aws.phones["Samsung Galaxy S24"] = phone.run
    galaxy = {**PIXEL, "name": "Samsung Galaxy S24", "modelId": "SM-S921U1"}
    aws.devices = [galaxy, {**galaxy, "name": "Samsung Galaxy S24+", "modelId": "SM-S926U1"}]
    (record,) = bench(prepared.folder, launches=1)
    assert record.status is Status.MEASURED, record.reason
    assert record.artifact.target is TargetName.ONNX_QNN and record.settings.accelerator == "npu"
    for other in (PIXEL, {**galaxy, "modelId": "SM-S911U1"}):
        aws.devices = [galaxy, other]
        with pytest.raises(DeviceUnsupportedError, match="AWS Device Farm does not tell its chip"):
            bench(prepared.folder)


def test_older_libraries_than_the_graphs(
    aws: AwsStandIn, build_artifact: BuildArtifact, make: Any, tmp_path: Path
) -> None:
    plain = build_artifact("plain")
    prepared = stand_in(plain, tmp_path / "prepared", ("SM8650",))
    phone = PhoneStandIn(tmp_path / "npu-phone", plain, make.launch(3.0))
    phone.state["facts"] |= {
        "accelerators": {"onnxruntime": ["cpu", "npu"]},
        "runtimes": {"onnxruntime": "1.32.0, QNN 2.1.0"},
    }
    aws.phones["Samsung Galaxy S24"] = phone.run
    aws.devices = [{**PIXEL, "name": "Samsung Galaxy S24", "modelId": "SM-S921U1"}]
    (record,) = bench(prepared.folder, launches=1)
    assert record.reason is not None and record.reason.startswith("npu-version")


@pytest.mark.parametrize("options", [{"until": "1%"}, {"cores": "0"}, {"profile": True}, {"threads": "all"}])
def test_options_that_it_does_not_take(aws: AwsStandIn, artifact: Path, options: Any) -> None:
    with pytest.raises(OptionError):
        bench(artifact, **options)


def test_without_the_app(aws: AwsStandIn, artifact: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POCKETCLIP_ANDROID_APK", str(tmp_path / "nothing.apk"))
    with pytest.raises(AppMissingError):
        bench(artifact)


def test_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "nothing"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(FarmLoginError, match="AWS_PROFILE"):
        open_client().projects()
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(FarmLoginError, match="nobody"):
        open_client()


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        with pytest.raises(FarmUnavailableError, match=r"does not answer \(EndpointConnectionError\)"):
            open_client().projects()


def test_addresses_that_are_not_secure(aws: AwsStandIn, artifact: Path, tmp_path: Path) -> None:
    for url in ("http://example.test/x", "file:///etc/passwd", "", "https://", "https://[x"):
        with pytest.raises(FarmRefusedError, match="https"):
            Transfers().fetch(url, tmp_path / "x", "a file", 10)


def test_secrets_stay_where_they_are(
    aws: AwsStandIn, artifact: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    aws.truncated = [10]
    store = str(tmp_path / "s.sqlite")
    bench(artifact, launches=1, store=store)
    told = "".join(record.getMessage() for record in caplog.records if record.name.startswith("pocketclip"))
    assert "truncated" in told
    kept = [each for each in tmp_path.rglob("*") if each.is_file() and "phone" not in each.parts]
    for secret in (SECRET, SIGNATURE, "AKIAEXAMPLE"):
        assert secret not in told
        for file in kept:
            assert secret.encode() not in file.read_bytes(), file
