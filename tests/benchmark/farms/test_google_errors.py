"""Google's errors over HTTP, each in one line with a fix: logins, permissions, quotas, outages, odd answers."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("google.auth", reason="google-auth is not installed: the extra `farm` adds it")

from google.auth import exceptions  # pyright: ignore[reportMissingImports]

from pocketclip.benchmark.errors import (
    FarmError,
    FarmLoginError,
    FarmNotFoundError,
    FarmPackageError,
    FarmQuotaError,
    FarmRefusedError,
    FarmResultError,
    FarmUnavailableError,
    OptionError,
)
from pocketclip.benchmark.farms import google_errors
from pocketclip.benchmark.farms.firebase import Firebase
from pocketclip.benchmark.farms.google_client import Addresses, GoogleClient, default_session
from pocketclip.benchmark.records.benchmark import Status
from tests.benchmark.farms.benching import bench_at, unasked
from tests.benchmark.farms.google_stand_in import (
    DISCOVERY,
    PROJECT,
    TOKEN,
    GoogleStandIn,
    error_body,
    reason,
    served,
    write_account,
)

pytestmark = pytest.mark.usefixtures("pauses")
bench = bench_at("firebase:oriole,33")

# google.api.ErrorReason of googleapis-common-protos 1.76.0.
ERROR_REASONS = (
    "SERVICE_DISABLED",
    "BILLING_DISABLED",
    "API_KEY_INVALID",
    "API_KEY_SERVICE_BLOCKED",
    "API_KEY_HTTP_REFERRER_BLOCKED",
    "API_KEY_IP_ADDRESS_BLOCKED",
    "API_KEY_ANDROID_APP_BLOCKED",
    "API_KEY_IOS_APP_BLOCKED",
    "RATE_LIMIT_EXCEEDED",
    "RESOURCE_QUOTA_EXCEEDED",
    "LOCATION_TAX_POLICY_VIOLATED",
    "USER_PROJECT_DENIED",
    "CONSUMER_SUSPENDED",
    "CONSUMER_INVALID",
    "SECURITY_POLICY_VIOLATED",
    "ACCESS_TOKEN_EXPIRED",
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
    "ACCOUNT_STATE_INVALID",
    "ACCESS_TOKEN_TYPE_UNSUPPORTED",
    "CREDENTIALS_MISSING",
    "RESOURCE_PROJECT_INVALID",
    "SESSION_COOKIE_INVALID",
    "USER_BLOCKED_BY_ADMIN",
    "RESOURCE_USAGE_RESTRICTION_VIOLATED",
    "SYSTEM_PARAMETER_UNSUPPORTED",
    "ORG_RESTRICTION_VIOLATION",
    "ORG_RESTRICTION_HEADER_INVALID",
    "SERVICE_NOT_VISIBLE",
    "GCP_SUSPENDED",
    "LOCATION_POLICY_VIOLATED",
    "MISSING_ORIGIN",
    "OVERLOADED_CREDENTIALS",
    "LOCATION_ORG_POLICY_VIOLATED",
    "TLS_ORG_POLICY_VIOLATED",
    "EMULATOR_QUOTA_EXCEEDED",
    "CREDENTIAL_ANDROID_APP_INVALID",
    "IAM_PERMISSION_DENIED",
    "JWT_TOKEN_INVALID",
    "CREDENTIAL_TYPE_UNSUPPORTED",
    "ACCOUNT_TYPE_UNSUPPORTED",
    "ENDPOINT_USAGE_RESTRICTION_VIOLATED",
    "TLS_CIPHER_RESTRICTION_VIOLATED",
    "MCP_SERVER_DISABLED",
)
# google.rpc.Code, with the HTTP status that each has.
CODES = {
    "CANCELLED": (499, FarmUnavailableError),
    "UNKNOWN": (500, FarmUnavailableError),
    "INVALID_ARGUMENT": (400, FarmRefusedError),
    "DEADLINE_EXCEEDED": (504, FarmUnavailableError),
    "NOT_FOUND": (404, FarmNotFoundError),
    "ALREADY_EXISTS": (409, FarmUnavailableError),
    "PERMISSION_DENIED": (403, FarmLoginError),
    "UNAUTHENTICATED": (401, FarmLoginError),
    "RESOURCE_EXHAUSTED": (429, FarmUnavailableError),
    "FAILED_PRECONDITION": (400, FarmRefusedError),
    "ABORTED": (409, FarmUnavailableError),
    "OUT_OF_RANGE": (400, FarmRefusedError),
    "UNIMPLEMENTED": (501, FarmRefusedError),
    "INTERNAL": (500, FarmUnavailableError),
    "UNAVAILABLE": (503, FarmUnavailableError),
    "DATA_LOSS": (500, FarmUnavailableError),
    "SOMETHING_NEW": (418, FarmRefusedError),
    "SOMETHING_NEWER": (529, FarmUnavailableError),
}
AWAY = [code for code, (_, kind) in CODES.items() if kind is FarmUnavailableError]
# Before a run: what costs nothing is asked.
FIRST = "testEnvironmentCatalog.get"


def refused(google: GoogleStandIn, artifact: Path, status: int, body: bytes) -> FarmError:
    """The error of a bench whose first question is answered like that."""
    # google-auth asks anew where a token is not taken.
    google.errors[FIRST] = [(status, body)] * 3
    with pytest.raises(FarmError) as caught:
        bench(artifact, launches=1)
    told = str(caught.value)
    assert "\n" not in told and "\x1b" not in told and TOKEN not in told
    assert caught.value.fix and google.submitted == 0
    return caught.value


@pytest.mark.parametrize("code", CODES)
def test_codes(google: GoogleStandIn, lab_artifact: Path, code: str) -> None:
    status, kind = CODES[code]
    error = refused(google, lab_artifact, status, error_body(code, "in its\nwords \x1b[31m"))
    assert type(error) is kind
    assert f"Google refuses to list its phones ({status} {code}): in its\\nwords" in str(error)


@pytest.mark.parametrize("code", CODES)
def test_codes_without_words(google: GoogleStandIn, lab_artifact: Path, code: str) -> None:
    """A proxy's page, or nothing: the status says it."""
    status, kind = CODES[code]
    for body in (b"", b"<html>", b"[" * 100_000, b'{"error": "invalid"}', b'{"error": {"details": [1, "x"]}}'):
        assert type(refused(google, lab_artifact, status, body)) is kind


def test_every_documented_error_has_its_kind() -> None:
    for service in ("testing.v1", "toolresults.v1beta3", "storage.v1"):
        for method in DISCOVERY[service]["methods"].values():
            assert set(method["documented_errors"]) <= set(CODES)


@pytest.mark.parametrize("name", ERROR_REASONS)
def test_reasons(google: GoogleStandIn, lab_artifact: Path, name: str) -> None:
    """Each says more than its code does."""
    error = refused(google, lab_artifact, 403, error_body("PERMISSION_DENIED", "no", reason(name)))
    assert f"(403 {name})" in str(error)
    # Nothing that we send can bring the last one about.
    of_roles = ("IAM_PERMISSION_DENIED", "SYSTEM_PARAMETER_UNSUPPORTED")
    assert (error.fix == google_errors.ROLES) == (name in of_roles)


@pytest.mark.parametrize(
    ("details", "kind", "words"),
    [
        (
            reason("IAM_PERMISSION_DENIED", permission="cloudtestservice.matrices.create"),
            FarmLoginError,
            "missing: cloudtestservice.matrices.create; ask for the role Editor",
        ),
        (
            reason("SERVICE_DISABLED", service="toolresults.googleapis.com"),
            FarmLoginError,
            "service: toolresults.googleapis.com; run `gcloud services enable",
        ),
        (reason("BILLING_DISABLED"), FarmLoginError, "link a billing account"),
        (reason("USER_PROJECT_DENIED"), FarmLoginError, "set-quota-project"),
        (reason("CONSUMER_INVALID"), FarmNotFoundError, "gcloud projects list"),
        (reason("RESOURCE_QUOTA_EXCEEDED"), FarmQuotaError, "quotas"),
        (reason("SECURITY_POLICY_VIOLATED"), FarmLoginError, "administrator"),
        (reason("SOMETHING_NEW"), FarmLoginError, "ask for the role Editor"),
        (reason("a b\n\x1b[31m", permission="x\ny", service=""), FarmLoginError, "PERMISSION_DENIED"),
    ],
)
def test_what_is_missing(
    google: GoogleStandIn, lab_artifact: Path, details: Any, kind: type[FarmError], words: str
) -> None:
    error = refused(google, lab_artifact, 403, error_body("PERMISSION_DENIED", "Not allowed.", details))
    assert type(error) is kind and words in str(error)


@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (401, "authError", FarmLoginError),
        (401, "required", FarmLoginError),
        (403, "forbidden", FarmLoginError),
        (403, "accessNotConfigured", FarmLoginError),
        (403, "accountDisabled", FarmLoginError),
        (403, "UREQ_PROJECT_BILLING_NOT_FOUND", FarmLoginError),
        (403, "quotaExceeded", FarmQuotaError),
        (403, "rateLimitExceeded", FarmUnavailableError),
        (429, "rateLimitExceeded", FarmUnavailableError),
        (404, "notFound", FarmNotFoundError),
        (409, "conflict", FarmUnavailableError),
        (410, "notFound", FarmUnavailableError),
        (412, "conditionNotMet", FarmRefusedError),
        (413, "uploadTooLarge", FarmRefusedError),
        (500, "backendError", FarmUnavailableError),
        (502, "", FarmUnavailableError),
        (503, "backendError", FarmUnavailableError),
    ],
)
def test_the_bucket_refuses(
    google: GoogleStandIn, lab_artifact: Path, status: int, name: str, kind: type[FarmError]
) -> None:
    """Cloud Storage words errors in its own way. What it refuses of a work is a record; the rest is told."""
    errors = [{"reason": name, "domain": "global", "message": "The bucket\ndoes not exist."}] if name else []
    body = json.dumps({"error": {"code": status, "message": "The bucket\ndoes not exist.", "errors": errors}}).encode()
    google.errors["objects.insert"] = [(status, body)] * 10
    if kind is FarmRefusedError:
        (record,) = bench(lab_artifact, launches=1)
        assert record.reason is not None and record.reason.startswith("farm-refused: Google refuses to take the app")
    else:
        with pytest.raises(kind, match=r"refuses to take the app .*The bucket\\ndoes not exist"):
            bench(lab_artifact, launches=1)
    assert google.submitted == 0
    google.errors.clear()
    (record,) = bench(lab_artifact, launches=1)
    assert record.status is Status.MEASURED and google.submitted == 1


@pytest.mark.parametrize("code", AWAY)
def test_a_service_that_is_away(google: GoogleStandIn, lab_artifact: Path, code: str, pauses: list[float]) -> None:
    """While a run is begun, looked at and fetched: it is waited for, and there is one run."""
    away = (CODES[code][0], error_body(code, "away"))
    google.errors = {
        "projects.initializeSettings": [away],
        "objects.insert": [None, away],
        "projects.histories.list": [away],
        "projects.testMatrices.create": [away],
        "projects.testMatrices.get": [None, *[away] * 5],
        "objects.list": [away],
        "objects.get": [away, away],
    }
    (record,) = bench(lab_artifact, launches=1)
    assert record.status is Status.MEASURED
    assert google.submitted == 1 and 30.0 in pauses


def test_throttled_for_long(google: GoogleStandIn, lab_artifact: Path) -> None:
    google.errors["projects.testMatrices.get"] = [(429, error_body("RESOURCE_EXHAUSTED", "Slow down"))] * 50
    with pytest.raises(FarmUnavailableError, match=r"Slow down.*goes on with the same run"):
        bench(lab_artifact, launches=1)
    google.errors.clear()
    (record,) = bench(lab_artifact, launches=1, accept=unasked)
    assert record.status is Status.MEASURED and google.submitted == 1


@pytest.mark.parametrize("remembers", [True, False])
def test_a_run_that_arrived_unheard(
    google: GoogleStandIn, lab_artifact: Path, monkeypatch: pytest.MonkeyPatch, remembers: bool
) -> None:
    """The answer is damaged: whether the run is there is found out, and it is gone on with."""
    google.remembers = remembers
    real, times = google.projects_testMatrices_create, iter(range(9))

    def create(asked: Any, **options: str) -> Any:
        told = real(asked, **options)
        return told if next(times) else {**told, "testMatrixId": "x" * 300}

    monkeypatch.setattr(google, "projects_testMatrices_create", create)
    with pytest.raises(FarmResultError):
        bench(lab_artifact, launches=1)
    (record,) = bench(lab_artifact, launches=1)
    assert record.status is Status.MEASURED and google.submitted == 1


def test_a_run_that_is_there_already(
    google: GoogleStandIn, lab_artifact: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    """The service says so of the second try, and lists it a while later: it is waited for until then."""
    real = google.projects_testMatrices_create
    there = (409, error_body("ALREADY_EXISTS", "there"))

    def create(asked: Any, **options: str) -> Any:
        real(asked, **options)
        google.errors["projects.testMatrices.create"] = [there] * 9
        return {}

    monkeypatch.setattr(google, "projects_testMatrices_create", create)
    with pytest.raises(FarmResultError):
        bench(lab_artifact, launches=1)
    google.lists = False
    monkeypatch.setattr("time.sleep", lambda seconds: setattr(google, "lists", seconds > 2))
    (record,) = bench(lab_artifact, launches=1)
    assert record.status is Status.MEASURED and google.submitted == 1


def test_a_run_that_is_forgotten(google: GoogleStandIn, lab_artifact: Path) -> None:
    google.errors["projects.testMatrices.get"] = [None, (404, error_body("NOT_FOUND", "No such matrix"))]
    (record,) = bench(lab_artifact, launches=1)
    assert record.reason is not None and "no longer knows the job" in record.reason


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        (FIRST, b"<html>"),
        (FIRST, b"[]"),
        (FIRST, b"{}"),
        (FIRST, b'{"androidDeviceCatalog": {"models": {}}}'),
        (FIRST, b'{"androidDeviceCatalog": {"models": [1]}}'),
        (FIRST, b'{"androidDeviceCatalog": {"models": [{"id": "../../x"}]}}'),
        (FIRST, b'{"androidDeviceCatalog": {"versions": [{"id": "33", "apiLevel": 1e99}]}}'),
        (FIRST, b"[" * 100_000),
        ("projects.initializeSettings", b'{"defaultBucket": "a/../b"}'),
        ("projects.histories.list", b'{"histories": [{"historyId": "a/b"}]}'),
        ("projects.testMatrices.get", b'{"testMatrixId": "m", "testExecutions": "x"}'),
        ("projects.testMatrices.get", b'{"testMatrixId": "m", "state": "FINISHED", "resultStorage": {}}'),
        ("objects.list", b'{"items": [{"name": "x"}]}'),
    ],
)
def test_answers_that_cannot_be(google: GoogleStandIn, lab_artifact: Path, method: str, answer: bytes) -> None:
    google.errors[method] = [(200, answer)] * 20
    with pytest.raises(FarmResultError) as caught:
        bench(lab_artifact, launches=1)
    assert "\n" not in str(caught.value)
    google.errors.clear()
    (record,) = bench(lab_artifact, launches=1)
    assert record.status is Status.MEASURED and google.submitted == 1


def test_an_answer_without_end(google: GoogleStandIn, lab_artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pocketclip.benchmark.farms.google_client._MOST_ANSWER_BYTES", 1000)
    google.errors[FIRST] = [(200, b" " * 2000)]
    with pytest.raises(FarmResultError, match="longer than any answer"):
        bench(lab_artifact)


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (
            400,
            {"error": "invalid_grant", "error_description": "Token has been expired or revoked."},
            FarmLoginError,
            "invalid_grant",
        ),
        (401, {"error": "invalid_client", "error_description": "unknown"}, FarmLoginError, "invalid_client"),
        (
            400,
            {"error": "invalid_grant", "error_description": "Check your iat and exp values in the JWT claim."},
            FarmLoginError,
            "set this computer's clock",
        ),
        (503, {"error": "temporarily_unavailable"}, FarmUnavailableError, "login does not answer"),
        (200, {"no": TOKEN}, FarmLoginError, "gcloud auth application-default login"),
    ],
)
def test_logins_that_fail(
    google: GoogleStandIn, lab_artifact: Path, status: int, body: Any, kind: type[FarmError], words: str
) -> None:
    google.errors["token"] = [(status, json.dumps(body).encode())] * 40
    with pytest.raises(kind) as caught:
        bench(lab_artifact)
    assert words in str(caught.value) and caught.value.fix
    assert TOKEN not in str(caught.value) and "\n" not in str(caught.value)


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A computer on which nobody has logged in."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    return tmp_path


def test_no_credentials(nowhere: Path) -> None:
    with pytest.raises(FarmLoginError, match=r"no credentials.*application-default login"):
        Firebase("oriole")


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"no json",
        b"[]",
        b'{"type": "robot"}',
        b'{"type": "service_account", "private_key": "s3cret"}',
        b'{"type": "service_account", "private_key": "s3cret", "client_email": "a@b", "token_uri": "https://x.test"}',
        b"\xff\xfe",
    ],
)
def test_credentials_that_are_none(nowhere: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None) -> None:
    file = nowhere / "account.json"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    with pytest.raises(FarmLoginError) as caught:
        Firebase("oriole")
    assert "s3cret" not in str(caught.value) and "\n" not in str(caught.value)


def test_projects(nowhere: Path, monkeypatch: pytest.MonkeyPatch, google_key: str) -> None:
    """That of the place, else that of the credentials or the environment."""
    google = GoogleStandIn()
    with served(google):
        account = nowhere / "account.json"
        write_account(account, google.address, google_key)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account))
        assert Firebase("oriole")._client.project == PROJECT
        assert Firebase("other-project/oriole,33")._client.project == "other-project"
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "third-project")
        assert Firebase("oriole")._client.project == "third-project"
        with pytest.raises(OptionError, match="the project must be"):
            Firebase("../oriole")
        monkeypatch.delenv("GOOGLE_CLOUD_PROJECT")
        write_account(account, google.address, google_key, project_id=None)
        with pytest.raises(OptionError, match="firebase:PROJECT/MODEL"):
            Firebase("oriole")


def test_nobody_answers(nowhere: Path, monkeypatch: pytest.MonkeyPatch, google_key: str) -> None:
    """Neither the login nor, with a token, the services."""
    google, account = GoogleStandIn(), nowhere / "account.json"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account))
    with served(google), socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{taken.getsockname()[1]}"
        write_account(account, gone, google_key)
        with pytest.raises(FarmUnavailableError, match="login does not answer"):
            GoogleClient(default_session()[0], PROJECT).catalogue()
        write_account(account, google.address, google_key)
        with pytest.raises(FarmUnavailableError, match=r"asked to list its phones \(ConnectionError\)"):
            GoogleClient(default_session()[0], PROJECT, Addresses(gone, gone, gone)).catalogue()


def test_without_the_package(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.auth", None)
    with pytest.raises(FarmPackageError, match=r"needs google-auth; add it with: .*farm"):
        Firebase("oriole")


def test_other_errors_of_the_package(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**options: Any) -> Any:
        raise exceptions.MutualTLSChannelError(f"private {TOKEN}")

    monkeypatch.setattr("google.auth.default", fail)
    with pytest.raises(FarmLoginError, match="MutualTLSChannelError") as caught:
        Firebase("oriole")
    assert TOKEN not in str(caught.value)
