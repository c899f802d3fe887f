"""Firebase Test Lab from artefact to record: Google's APIs over HTTP, and a phone that carries a package out."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("google.auth", reason="google-auth is not installed: the extra `farm` adds it")

from pocketclip.benchmark.errors import (
    AbiMismatchError,
    AndroidVersionError,
    CostNotAcceptedError,
    DeviceUnsupportedError,
    FarmError,
    FarmLoginError,
    FarmNotFoundError,
    FarmResultError,
    OptionError,
)
from pocketclip.benchmark.farms.farm import Cost
from pocketclip.benchmark.farms.firebase import Firebase
from pocketclip.benchmark.farms.firebase_states import INVALID, LOST
from pocketclip.benchmark.farms.ledger import Ledger
from pocketclip.benchmark.records.benchmark import DeviceKind, Status
from pocketclip.benchmark.store import open_store
from pocketclip.export.artifact.reading import Artifact, load_artifact
from pocketclip.export.errors import ArtifactCorruptError
from pocketclip.export.precision import TargetName
from tests.android_app.test_phone.npu import stand_in
from tests.benchmark.farms.benching import bench_at, unasked
from tests.benchmark.farms.google_stand_in import (
    BUCKET,
    DISCOVERY,
    PIXEL,
    PROJECT,
    TOKEN,
    GoogleStandIn,
    error_body,
)
from tests.benchmark.farms.phone_stand_in import PhoneStandIn

pytestmark = pytest.mark.usefixtures("pauses")
BuildArtifact = Callable[..., Artifact]
bench = bench_at("firebase:oriole,33")
STATES = DISCOVERY["testing.v1"]["schemas"]["TestMatrix"]["properties"]["state"]["enum"]
DETAILS = DISCOVERY["testing.v1"]["schemas"]["TestMatrix"]["properties"]["invalidMatrixDetails"]["enum"]


def test_a_phone_of_the_lab(google: GoogleStandIn, lab_phone: PhoneStandIn, lab_artifact: Path, tmp_path: Path) -> None:
    costs: list[Cost] = []
    store = str(tmp_path / "s.sqlite")
    (record,) = bench(lab_artifact, accept=lambda cost: bool(costs.append(cost)) or True, store=store, tag="1.0")
    assert record.status is Status.MEASURED and record.reason is None
    assert (record.device.name, record.device.kind) == ("firebase:oriole", DeviceKind.FARM)
    assert record.device.os == "Android 13 (API 33)" and record.device.soc == "Google Tensor"
    assert len(record.launches) == 2 and record.golden_check is not None and record.golden_check.cosine_min > 0.9999
    assert record.settings.accelerator == "cpu" and record.tag == "1.0"
    assert record.rankable
    # 3 minutes around it, two launches of a minute.
    assert [cost.most_usd for cost in costs] == [pytest.approx(5 * 5 / 60)]
    assert "at most 5 minutes on oriole (Pixel 6) at 5 USD an hour" in costs[0].words
    assert "30 minutes a day are free" in costs[0].words
    (matrix,) = google.matrices.values()
    token = matrix["told"]["clientInfo"]["clientInfoDetails"][0]["value"]
    assert sorted(google.objects) == [f"{token}/bench.apk", f"{token}/pocketclip-loop.zip"]
    specification = matrix["told"]["testSpecification"]
    assert specification["testTimeout"] == "300s" and specification["disableVideoRecording"] is True
    assert specification["androidTestLoop"]["scenarios"] == [1]
    assert specification["testSetup"]["filesToPush"] == [
        {
            "regularFile": {
                "content": {"gcsPath": f"gs://{BUCKET}/{token}/pocketclip-loop.zip"},
                "devicePath": "/sdcard/Android/media/org.pocketclip.bench/pocketclip-loop.zip",
            }
        }
    ]
    assert matrix["told"]["resultStorage"]["toolResultsHistory"] == {"projectId": PROJECT, "historyId": "bh.0"}
    assert list(google.requests) == [token.removeprefix("pocketclip-")]
    with open_store(store) as stored:
        assert stored.read().benchmarks == [record]
    # The second run goes to the same list of results.
    bench(lab_artifact, launches=1)
    assert len(google.histories) == 1 and google.submitted == 2


def test_an_older_android(google: GoogleStandIn, lab_artifact: Path, tmp_path: Path, make: Any) -> None:
    """Below Android 10, the folder that the app may read is another one."""
    google.models = [{**PIXEL, "supportedVersionIds": ["28"], "supportedAbis": ["arm64-v8a"]}]
    google.phone = PhoneStandIn(tmp_path / "older", load_artifact(lab_artifact), make.launch(3.0), api=28).loop
    (record,) = bench(lab_artifact, "firebase:oriole", launches=1)
    assert record.status is Status.MEASURED
    setup = google.matrices["matrix-0x"]["told"]["testSpecification"]["testSetup"]
    place = setup["filesToPush"][0]["regularFile"]["devicePath"]
    assert place == "/sdcard/Android/data/org.pocketclip.bench/files/pocketclip-loop.zip"


def test_settings_and_rest(google: GoogleStandIn, lab_artifact: Path) -> None:
    records = bench(lab_artifact, threads="1,2", launches=1, cooldown=7.5, timeout=77.2)
    assert [(each.settings.threads, each.status) for each in records] == [(1, "measured"), (2, "measured")]
    (name,) = [each for each in google.objects if each.endswith(".zip")]
    with zipfile.ZipFile(io.BytesIO(google.objects[name])) as archive:
        order = json.loads(archive.read("loop.json"))
    assert (order["limit_seconds"], order["rest_seconds"]) == (78, 8)
    assert [each["folder"] for each in order["launches"]] == ["stage-0", "launch-0", "launch-1"]


@pytest.mark.parametrize("when", ["while submitting", "while waiting", "before it is stored"])
@pytest.mark.parametrize("remembers", [True, False])
def test_a_killed_bench_goes_on(
    google: GoogleStandIn,
    lab_artifact: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    when: str,
    remembers: bool,
) -> None:
    """One run, one record; found by its request id, or by what was noted with it where that is forgotten."""

    def stop(*arguments: Any) -> Any:
        raise SystemExit(9)

    store = str(tmp_path / "s.sqlite")
    google.remembers, google.lists = remembers, not remembers
    with monkeypatch.context() as ended:
        ended.setattr(
            *{
                "while submitting": (Ledger, "arrived", stop),
                "while waiting": (Firebase, "status", stop),
                "before it is stored": (Ledger, "done", stop),
            }[when]
        )
        with pytest.raises(SystemExit):
            bench(lab_artifact, store=store)
    assert google.submitted == 1
    # Where it is not known whether it arrived, the cost is asked for.
    (record,) = bench(lab_artifact, store=store, accept=(lambda cost: True) if when == "while submitting" else unasked)
    assert google.submitted == 1
    with open_store(store) as stored:
        assert stored.read().benchmarks == [record]


# The command line, which reaches the stand-in as it would reach Google.
_COMMAND_LINE = """
import sys
from pocketclip.benchmark.farms import google_client
address, *sys.argv = sys.argv[1:]
usual = google_client.Addresses
google_client.Addresses = lambda: usual(address, address, address)
from pocketclip.cli import main
main()
"""


def test_a_bench_that_is_killed(google: GoogleStandIn, lab_artifact: Path, tmp_path: Path) -> None:
    """SIGKILL to the command line while it waits; the same command pays nothing, and shows the record."""
    store = str(tmp_path / "s.sqlite")
    line = [sys.executable, "-c", _COMMAND_LINE, google.address, "pocketclip", "bench", "--farm", "firebase:oriole,33"]
    line += ["--artifact", str(lab_artifact), "--launches", "1", "--store", store]
    google.states = [{"state": "PENDING"}] * 1000
    with subprocess.Popen([*line, "--yes"], stderr=subprocess.PIPE, text=True) as killed:
        told: list[str] = []
        for words in killed.stderr or ():
            told.append(words)
            if "artefacts on oriole with Android 33: pending" in " ".join("".join(told).split()):
                break
        killed.send_signal(signal.SIGKILL)
    assert google.submitted == 1 and "cost: at most 0.42 USD" in "".join(told)
    google.states = []
    # Without --yes: nobody is asked.
    ended = subprocess.run(line, capture_output=True, text=True, timeout=240, stdin=subprocess.DEVNULL)
    assert ended.returncode == 0, ended.stderr
    assert google.submitted == 1 and "cost" not in ended.stderr
    assert "going on with job matrix-0x" in " ".join(ended.stderr.split()) and "onnx" in ended.stdout
    with open_store(store) as stored:
        (record,) = stored.read().benchmarks
    assert record.status is Status.MEASURED and record.device.name == "firebase:oriole"
    assert TOKEN not in "".join(told) + ended.stderr + ended.stdout


def test_runs_of_others_are_not_taken(
    google: GoogleStandIn, lab_artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of results has a run of another work, and one that is gone; neither is ours."""
    bench(lab_artifact, launches=1)
    google.matrices["gone"] = {"told": {}, "looks": 0}
    real = google.projects_testMatrices_get

    def get(asked: Any, *, testMatrixId: str, **options: str) -> Any:
        if testMatrixId == "gone":
            raise LookupError
        return real(asked, testMatrixId=testMatrixId, **options)

    monkeypatch.setattr(google, "projects_testMatrices_get", get)
    with monkeypatch.context() as ended:
        ended.setattr(GoogleStandIn, "projects_testMatrices_create", lambda *asked, **options: {}["no"])
        google.errors["projects.testMatrices.create"] = [(503, b"")] * 6
        with pytest.raises(FarmError):
            bench(lab_artifact, launches=2)
    (record,) = bench(lab_artifact, launches=2)
    assert record.status is Status.MEASURED and len(record.launches) == 2


def test_the_cost_is_refused(google: GoogleStandIn, lab_artifact: Path) -> None:
    with pytest.raises(CostNotAcceptedError):
        bench(lab_artifact, accept=lambda cost: False)
    assert google.objects == {} and google.submitted == 0
    assert set(google.calls) == {"token", "testEnvironmentCatalog.get"}


@pytest.mark.parametrize("state", [each for each in STATES if each in LOST])
@pytest.mark.parametrize("of", ["matrix", "phone"])
def test_runs_that_are_lost(google: GoogleStandIn, lab_artifact: Path, state: str, of: str) -> None:
    details = {
        "errorMessage": "Device\nlost \x1b[31m",
        "progressMessages": ["Starting test.", "Infrastructure failed."],
    }
    if of == "matrix":
        google.final = {"state": state, "testExecutions": []}
    else:
        google.final = {"state": "FINISHED", "testExecutions": [{"state": state, "testDetails": details}]}
    (record,) = bench(lab_artifact, launches=1)
    assert record.status is Status.FAILED and record.reason is not None
    assert record.reason.startswith(f"farm-run-failed: {state.lower().replace('_', ' ')}")
    assert record.reason.endswith(LOST[state]) and "\n" not in record.reason and "\x1b" not in record.reason
    assert ("Device\\nlost" in record.reason) == (of == "phone")
    # It is over: the same work is a new run.
    google.final = {"state": "FINISHED", "outcomeSummary": "SUCCESS"}
    (record,) = bench(lab_artifact, launches=1)
    assert record.status is Status.MEASURED and google.submitted == 2


def test_a_test_that_the_lab_began_again(google: GoogleStandIn, lab_artifact: Path) -> None:
    """Its equipment failed once; the second try came to its end. While it runs, the first is no end."""
    google.states.append({"state": "RUNNING", "testExecutions": [{"state": "ERROR"}]})
    google.final["testExecutions"] = [{"state": "ERROR"}, {"state": "FINISHED"}]
    (record,) = bench(lab_artifact, launches=1)
    assert record.status is Status.MEASURED


def test_every_state_is_known() -> None:
    from pocketclip.benchmark.farms.firebase_states import WAITING

    assert {*LOST, *WAITING, "RUNNING", "FINISHED"} == set(STATES)
    assert set(INVALID) == set(DETAILS)


@pytest.mark.parametrize("details", [*DETAILS, "SOMETHING_NEW"])
def test_runs_that_are_not_valid(google: GoogleStandIn, lab_artifact: Path, details: str) -> None:
    told = {"invalidMatrixDetails": details} if details in DETAILS else {}
    extended = [{"reason": details, "message": "The APK is\nnot what it should be."}]
    google.final = {"state": "INVALID", "extendedInvalidMatrixDetails": extended, **told}
    (record,) = bench(lab_artifact, launches=1)
    assert record.reason is not None and record.reason.startswith(
        f"farm-run-failed: invalid: {details} The APK is\\nnot"
    )
    assert record.reason.endswith(INVALID.get(details, LOST["INVALID"]))
    assert record.reason.count(details) == 1


def test_details_without_words(google: GoogleStandIn, lab_artifact: Path) -> None:
    google.final = {"state": "INVALID", "invalidMatrixDetails": "TEST_QUOTA_EXCEEDED"}
    (record,) = bench(lab_artifact, launches=1)
    assert record.reason == f"farm-run-failed: invalid: TEST_QUOTA_EXCEEDED; {INVALID['TEST_QUOTA_EXCEEDED']}"


def test_a_state_that_is_new(google: GoogleStandIn, lab_artifact: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is waited for; an answer of the service's own may have any."""
    caplog.set_level("INFO")
    google.states = [
        {"state": "RUNNING", "testExecutions": [{"state": "RUNNING", "testDetails": {"progressMessages": ["Go"]}}]}
    ]
    (record,) = bench(lab_artifact, launches=1)
    assert record.status is Status.MEASURED
    assert "running: Go" in caplog.text and "finished, success" in caplog.text


@pytest.mark.parametrize("outcome", ["FAILURE", "INCONCLUSIVE", "SKIPPED"])
@pytest.mark.parametrize("written", [None, b""])
def test_an_app_that_wrote_nothing(
    google: GoogleStandIn, lab_artifact: Path, outcome: str, written: bytes | None
) -> None:
    google.phone = lambda sent: written
    google.final = {"state": "FINISHED", "outcomeSummary": outcome}
    (record,) = bench(lab_artifact, launches=1)
    words = f"farm-run-failed: the app wrote no results: outcome {outcome.lower()}"
    assert record.reason is not None and record.reason.startswith(words)


def test_results_that_are_late(google: GoogleStandIn, lab_phone: PhoneStandIn, lab_artifact: Path) -> None:
    """A run that worked has results: they are waited for, and nothing is paid twice."""
    google.phone = lambda sent: None
    with pytest.raises(FarmResultError, match="not in the bucket yet"):
        bench(lab_artifact, launches=1)
    google.results.clear()
    google.phone = lab_phone.loop
    (record,) = bench(lab_artifact, launches=1, accept=unasked)
    assert record.status is Status.MEASURED and google.submitted == 1


def test_a_test_that_timed_out(google: GoogleStandIn, lab_phone: PhoneStandIn, lab_artifact: Path) -> None:
    """What the app wrote before counts; the launch that is missing fails the artefact."""

    def cut(sent: bytes) -> bytes:
        found = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(lab_phone.loop(sent))) as whole, zipfile.ZipFile(found, "w") as archive:
            for each in whole.infolist():
                if "launch-1" not in each.filename:
                    archive.writestr(each, whole.read(each))
        return found.getvalue()

    google.phone = cut
    google.final = {"state": "FINISHED", "outcomeSummary": "FAILURE"}
    (record,) = bench(lab_artifact)
    assert record.status is Status.FAILED and len(record.launches) == 1
    assert record.reason is not None and record.reason.startswith("result-missing: firebase:oriole did not come to")


def test_what_the_app_says_of_a_package(google: GoogleStandIn, lab_artifact: Path) -> None:
    """It could not use it: its own words are the reason."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("pocketclip-out/error.txt", "InputException: the package cannot be used\n\x1b[2J")
    google.phone = lambda sent: content.getvalue()
    (record,) = bench(lab_artifact, launches=1)
    assert record.reason is not None and "InputException: the package cannot be used" in record.reason
    assert "\x1b" not in record.reason and "\n" not in record.reason
    assert record.device.os == "unknown"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"result": {"job_id": "another"}}, "result-foreign"),
        ({"result": {"request_sha256": "0" * 64}}, "request-altered"),
        ({"result": {"surprise": 1}}, "result-invalid"),
        ({"result": {"failure": {"code": "thermal", "message": "too hot"}}}, "thermal"),
        ({"stage": {"staged": False, "failure": None}}, "app-failed"),
        ({"crash": True}, "app-killed"),
        ({"shape": [2, 8]}, "result-invalid"),
    ],
)
def test_apps_that_fail(
    google: GoogleStandIn, lab_phone: PhoneStandIn, lab_artifact: Path, change: Any, code: str
) -> None:
    lab_phone.state |= change
    (record,) = bench(lab_artifact, launches=1)
    assert record.status is Status.FAILED and record.launches == ()
    assert record.reason is not None and record.reason.startswith(code)


@pytest.mark.parametrize(
    "device", [{"logical_cores": "8"}, {"cpu": "x" * 100_000}, {"surprise": 1}, {"kind": "robot"}, {"memory_bytes": -1}]
)
def test_a_phone_that_says_anything(
    google: GoogleStandIn, lab_phone: PhoneStandIn, lab_artifact: Path, device: Any
) -> None:
    """What it measured is kept; what it says of itself is only kept where it fits a record."""
    lab_phone.state["device"] |= device
    (record,) = bench(lab_artifact, launches=1)
    assert record.status is Status.MEASURED
    assert (record.device.name, record.device.os) == ("firebase:oriole", "unknown")


def test_an_emulated_phone_is_none(google: GoogleStandIn, lab_phone: PhoneStandIn, lab_artifact: Path) -> None:
    lab_phone.state["device"]["kind"] = "emulated"
    (record,) = bench(lab_artifact, launches=1)
    assert record.device.kind is DeviceKind.EMULATED and not record.rankable


@pytest.mark.parametrize("damage", ["half", "no zip", "bomb", "announced", "too large", "no size"])
def test_results_that_cannot_be(
    google: GoogleStandIn, lab_phone: PhoneStandIn, lab_artifact: Path, damage: str
) -> None:
    """Nothing is recorded of them; once they are whole, the same command fetches them and pays nothing."""
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pocketclip-out/device.json", b"\0" * (200 << 20))
    made: dict[str, bytes] = {}

    def loop(sent: bytes) -> bytes:
        made["whole"] = lab_phone.loop(sent)
        return {"half": made["whole"][:-100], "no zip": b"<html>", "bomb": bomb.getvalue()}.get(damage, made["whole"])

    google.phone = loop
    changes = {"announced": {"md5Hash": "AAAA"}, "too large": {"size": "9" * 12}, "no size": {"size": "1e9"}}
    google.result_changes = changes.get(damage, {})
    with pytest.raises(FarmResultError):
        bench(lab_artifact, launches=1)
    google.results = dict.fromkeys(google.results, made["whole"])
    google.result_changes = {}
    (record,) = bench(lab_artifact, launches=1, accept=unasked)
    assert record.status is Status.MEASURED and google.submitted == 1


def test_transfers_that_break_off(google: GoogleStandIn, lab_artifact: Path, pauses: list[float]) -> None:
    """To the bucket and from it; the hashes tell."""
    google.truncated = [10, 100]
    google.phone, whole = (lambda sent: (google.truncated.append(50), whole(sent))[1]), google.phone
    (record,) = bench(lab_artifact, launches=1)
    assert record.status is Status.MEASURED and google.submitted == 1
    assert pauses.count(2.0) >= 2


def test_files_that_vanish(google: GoogleStandIn, lab_artifact: Path, tmp_path: Path) -> None:
    """Between the cost and the sending, the app or a model is removed."""
    apk, model = tmp_path / "bench.apk", lab_artifact / "model.onnx"
    content = apk.read_bytes()
    (record,) = bench(lab_artifact, launches=1, accept=lambda cost: apk.unlink() is None)
    assert record.reason is not None and record.reason.startswith("farm-refused: the app cannot be read")
    apk.write_bytes(content)
    with pytest.raises(ArtifactCorruptError, match=r"model\.onnx"):
        bench(lab_artifact, launches=1, accept=lambda cost: model.unlink() is None)
    assert google.submitted == 0


def test_several_results_of_one_run(google: GoogleStandIn, lab_artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lab began the test again: what was written last counts."""
    real = google.objects_list

    def listed(asked: Any, **options: str) -> Any:
        told = real(asked, **options)
        (name,) = [each for each in google.listed if "game_loop" in each]
        first = name.replace("oriole-33", "a-first-try")
        google.listed[first] = b"not a zip"
        older = {**google._described(first, b"not a zip"), "updated": "2026-03-01T13:00:00.000Z"}
        return {"items": [*told["items"], older]}

    monkeypatch.setattr(google, "objects_list", listed)
    (record,) = bench(lab_artifact, launches=1)
    assert record.status is Status.MEASURED


def test_phones_by_name(google: GoogleStandIn, lab_artifact: Path) -> None:
    bench(lab_artifact, "firebase:Pixel 6", launches=1)
    phone = google.matrices["matrix-0x"]["told"]["environmentMatrix"]["androidDeviceList"]["androidDevices"]
    # The newest version.
    assert phone == [{"androidModelId": "oriole", "androidVersionId": "33", "locale": "en", "orientation": "portrait"}]
    with pytest.raises(FarmNotFoundError, match=r"no phone 'pixel 7' among 3.*near: oriole \(Pixel 6\)"):
        bench(lab_artifact, "firebase:pixel 7")
    with pytest.raises(FarmNotFoundError, match="models list"):
        bench(lab_artifact, "firebase:?")
    with pytest.raises(FarmNotFoundError, match="'29'; choose among: 31, 33"):
        bench(lab_artifact, "firebase:oriole,29")
    google.models.append({**PIXEL, "id": "raven", "name": "Pixel 6"})
    with pytest.raises(OptionError, match="oriole, raven"):
        bench(lab_artifact, "firebase:Pixel 6")


def test_phones_that_are_not_to_be_had(google: GoogleStandIn, lab_artifact: Path) -> None:
    with pytest.raises(DeviceUnsupportedError, match="virtual device"):
        bench(lab_artifact, "firebase:MediumPhone.arm")
    google.models = [{**PIXEL, "accessDeniedReasons": ["EULA_NOT_ACCEPTED"]}]
    with pytest.raises(FarmLoginError, match="may not use oriole: EULA_NOT_ACCEPTED"):
        bench(lab_artifact)
    google.models = [{**PIXEL, "supportedVersionIds": []}]
    with pytest.raises(FarmNotFoundError, match="no version of Android"):
        bench(lab_artifact)
    google.models = [{**PIXEL, "supportedVersionIds": ["24"], "supportedAbis": ["arm64-v8a"]}]
    with pytest.raises(AndroidVersionError):
        bench(lab_artifact, "firebase:oriole")
    google.models = [{**PIXEL, "supportedAbis": ["31:arm64-v8a", "armeabi-v7a"]}]
    with pytest.raises(AbiMismatchError):
        bench(lab_artifact)
    assert google.objects == {}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tags": ["deprecated=33"]}, "it is deprecated"),
        ({"perVersionInfo": [{"versionId": "33", "deviceCapacity": "DEVICE_CAPACITY_LOW"}]}, "has few of them"),
        ({"perVersionInfo": [{"versionId": "33", "deviceCapacity": "DEVICE_CAPACITY_NONE"}]}, "has none of them now"),
    ],
)
def test_phones_that_are_rare(
    google: GoogleStandIn, lab_artifact: Path, caplog: pytest.LogCaptureFixture, changes: Any, words: str
) -> None:
    """It is said before the cost is."""
    caplog.set_level("INFO")
    google.models = [{**PIXEL, **changes}]
    with pytest.raises(CostNotAcceptedError):
        bench(lab_artifact, accept=lambda cost: words not in caplog.text)


@pytest.mark.parametrize("place", ["firebase:", "firebase:,33", "firebase:oriole,", "firebase:p/", "firebase: oriole"])
def test_places_that_are_none(google: GoogleStandIn, lab_artifact: Path, place: str) -> None:
    with pytest.raises(OptionError):
        bench(lab_artifact, place)


def test_the_graph_for_the_phones_chip(
    google: GoogleStandIn, build_artifact: BuildArtifact, make: Any, tmp_path: Path
) -> None:
    """The model is named, so that its chip is known beforehand; of one that is not in our table it is not."""
    plain = build_artifact("plain")
    prepared = stand_in(plain, tmp_path / "prepared", ("SM8650",))
    phone = PhoneStandIn(tmp_path / "npu-phone", plain, make.launch(3.0))
    phone.state["facts"]["accelerators"] = {"onnxruntime": ["cpu", "npu"]}
    phone.state["result"] = {"accelerator_observed": "npu"}
    google.phone = phone.loop
    (record,) = bench(prepared.folder, "firebase:e1q", launches=1)
    assert record.status is Status.MEASURED, record.reason
    assert record.artifact.target is TargetName.ONNX_QNN and record.settings.accelerator == "npu"
    (name,) = [each for each in google.objects if each.endswith(".zip")]
    with zipfile.ZipFile(io.BytesIO(google.objects[name])) as archive:
        sent = [each for each in archive.namelist() if "/models/" in each]
    assert len(sent) == 1 and sent[0].endswith("sm8650.onnx")
    with pytest.raises(DeviceUnsupportedError, match="oriole does not tell its chip"):
        bench(prepared.folder, "firebase:oriole")
    with pytest.raises(DeviceUnsupportedError, match="only on the NPU"):
        bench(prepared.folder, "firebase:e1q", accelerator="cpu")
    # With --accelerator npu, others are left out, before anything is sent.
    (record,) = bench([plain.folder, prepared.folder], "firebase:e1q", launches=1, accelerator="npu")
    assert record.artifact.target is TargetName.ONNX_QNN
    google.final = {"state": "CANCELLED"}
    (failed,) = bench(prepared.folder, "firebase:e1q", launches=1, tag="failed")
    assert failed.artifact == record.artifact and failed.settings == record.settings
    google.final = {"state": "FINISHED"}
    # The app falls back to the processor: no time of it is taken for one of the NPU.
    phone.state["result"] = {"accelerator_observed": "cpu"}
    (record,) = bench(prepared.folder, "firebase:e1q", launches=1)
    assert record.reason is not None and record.reason.startswith("accelerator-fallback")


@pytest.mark.parametrize("target", [TargetName.COREML, TargetName.TFLITE_QNN])
def test_formats_that_it_does_not_measure(
    google: GoogleStandIn, build_artifact: BuildArtifact, target: TargetName
) -> None:
    with pytest.raises(DeviceUnsupportedError):
        bench(build_artifact("other", target=target).folder)


@pytest.mark.parametrize("options", [{"until": "1%"}, {"cores": "0"}, {"profile": True}, {"accelerator": "ane"}])
def test_options_that_it_does_not_take(google: GoogleStandIn, lab_artifact: Path, options: Any) -> None:
    with pytest.raises((OptionError, DeviceUnsupportedError)):
        bench(lab_artifact, **options)


def test_runs_that_are_too_long(google: GoogleStandIn, lab_artifact: Path) -> None:
    with pytest.raises(OptionError, match="oriole ends a run after 45"):
        bench(lab_artifact, launches=43)


def test_a_bucket_of_your_own(google: GoogleStandIn, lab_artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETCLIP_FIREBASE_BUCKET", f"gs://{BUCKET}/")
    (record,) = bench(lab_artifact, launches=1)
    assert record.status is Status.MEASURED and "projects.initializeSettings" not in google.calls
    monkeypatch.setenv("POCKETCLIP_FIREBASE_BUCKET", "../x")
    with pytest.raises(OptionError, match="POCKETCLIP_FIREBASE_BUCKET"):
        bench(lab_artifact, launches=2)
    monkeypatch.delenv("POCKETCLIP_FIREBASE_BUCKET")
    monkeypatch.setattr(GoogleStandIn, "projects_initializeSettings", lambda *asked, **options: {})
    with pytest.raises(FarmNotFoundError, match="no bucket"):
        bench(lab_artifact, launches=3)


def test_secrets_stay_where_they_are(
    google: GoogleStandIn, lab_artifact: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, google_key: str
) -> None:
    """Also where things go wrong: the service's words may be anything, ours have no token."""
    caplog.set_level("DEBUG", logger="pocketclip")
    caplog.set_level("INFO")
    google.truncated = [10]
    google.errors["projects.testMatrices.get"] = [(500, error_body("INTERNAL", "away")), (401, b"")]
    store = str(tmp_path / "s.sqlite")
    bench(lab_artifact, launches=1, store=store)
    google.errors["projects.testMatrices.create"] = [(403, error_body("PERMISSION_DENIED", "no"))]
    with pytest.raises(FarmLoginError) as caught:
        bench(lab_artifact, launches=2, store=store)
    assert "did not arrive whole" in caplog.text
    kept = [each for each in tmp_path.rglob("*") if each.is_file() and not {"secrets", "phone"} & set(each.parts)]
    assert any(each.suffix == ".sqlite" for each in kept) and any("farms" in each.parts for each in kept)
    for secret in (TOKEN, google_key, google_key.splitlines()[1], "private_key"):
        assert secret not in caplog.text and secret not in str(caught.value)
        for file in kept:
            assert secret.encode() not in file.read_bytes(), file


def test_a_redirect_is_not_followed(google: GoogleStandIn, lab_artifact: Path) -> None:
    """The token is only for Google."""
    google.errors["testEnvironmentCatalog.get"] = [(302, b"https://example.test/")]
    with pytest.raises(FarmError, match="302"):
        bench(lab_artifact)
