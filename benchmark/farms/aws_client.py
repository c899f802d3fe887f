"""AWS Device Farm's API through boto3, its answers read strictly and its errors worded.

Credentials are boto3's own business: environment, profiles, roles. None is in a message, a log or a record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import field
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import MaxLen

from pocketclip.benchmark.errors import (
    FarmError,
    FarmLoginError,
    FarmNotFoundError,
    FarmPackageError,
    FarmQuotaError,
    FarmRefusedError,
    FarmUnavailableError,
)
from pocketclip.benchmark.farms.answers import Answer, parse_answer, parse_answers
from pocketclip.benchmark.records.fields import Magnitude
from pocketclip.models.documents import document
from pocketclip.models.errors import extra_command
from pocketclip.models.untrusted.names import Matching
from pocketclip.models.untrusted.numbers import Count
from pocketclip.models.untrusted.printable import printable_line

if TYPE_CHECKING:
    from botocore.client import BaseClient  # pyright: ignore[reportMissingImports]

# The only region that the service is in.
REGION = "us-west-2"

_LOGIN = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws sso login`"
_CLOCK = "set this computer's clock: AWS takes requests of its own time alone"
_AGAIN = "wait a while, and run the same command again: it goes on with the same run"

# Errors that the service documents, and those that all of AWS has in common.
_CODES: dict[str, tuple[type[FarmError], str]] = {
    **dict.fromkeys(
        (
            *("AccessDenied", "AccessDeniedException", "AuthFailure", "IncompleteSignature", "InvalidClientTokenId"),
            *("InvalidSignatureException", "MissingAuthenticationToken", "MissingAuthenticationTokenException"),
            *("NotAuthorized", "OptInRequired", "SignatureDoesNotMatch", "UnauthorizedOperation"),
            *("UnrecognizedClientException", "ServiceAccountException"),
        ),
        (FarmLoginError, _LOGIN),
    ),
    **dict.fromkeys(
        ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"), (FarmLoginError, f"log in again: {_LOGIN}")
    ),
    **dict.fromkeys(("RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"), (FarmLoginError, _CLOCK)),
    **dict.fromkeys(
        ("LimitExceededException", "NotEligibleException", "ServiceQuotaExceededException"),
        (FarmQuotaError, "see the account's limits in AWS's console (Service Quotas, Device Farm)"),
    ),
    **dict.fromkeys(
        (
            *("InternalError", "InternalFailure", "InternalServiceException", "RequestLimitExceeded"),
            *("ServiceUnavailable", "ServiceUnavailableException", "Throttling", "ThrottledException"),
            *("ThrottlingException", "TooManyRequestsException", "RequestTimeout", "RequestTimeoutException"),
        ),
        (FarmUnavailableError, _AGAIN),
    ),
    "NotFoundException": (FarmNotFoundError, "see what there is in AWS's console"),
    **dict.fromkeys(
        ("ArgumentException", "IdempotencyException", "InvalidOperationException", "ValidationException"),
        (FarmRefusedError, "see the words of the service"),
    ),
}

Arn = Annotated[str, Matching(r"arn:aws:devicefarm:[\x21-\x7e]+", 1011, "an ARN of Device Farm")]
_Text = Annotated[str, MaxLen(16_384)]
# A secret: no message may hold it.
_Url = Annotated[str, MaxLen(4096)]


@document
class Project:
    """A project, which has pools and runs."""

    arn: Arn
    name: _Text


@document
class Pool:
    """A pool of devices; a run takes at most `maxDevices` of them."""

    arn: Arn
    name: _Text
    maxDevices: Count | None = None


@document
class AwsDevice:
    """A device by the service's words."""

    name: _Text
    platform: _Text = ""
    os: _Text = ""
    modelId: _Text = ""


@document
class PoolDevice:
    """A device of a pool, and whether a kind of test runs on it."""

    device: AwsDevice
    compatible: bool = True


@document
class Upload:
    """A file on its way there; `url` is where it is to be put."""

    arn: Arn
    status: _Text = "INITIALIZED"
    url: _Url = ""
    message: _Text = ""
    metadata: _Text = ""


@document
class Minutes:
    """Minutes of devices that a run took."""

    total: Magnitude = 0.0
    metered: Magnitude = 0.0
    unmetered: Magnitude = 0.0


@document
class Run:
    """A run on all devices of a pool."""

    arn: Arn
    name: _Text = ""
    status: _Text = ""
    result: _Text = ""
    message: _Text = ""
    totalJobs: Count = 0
    completedJobs: Count = 0
    deviceMinutes: Minutes | None = None


@document
class DeviceJob:
    """The part of a run on one device."""

    arn: Arn
    result: _Text
    device: AwsDevice
    message: _Text = ""


@document
class File:
    """A file that a job wrote; `url` is where it lies."""

    name: _Text
    type: _Text
    extension: _Text = ""
    url: _Url = ""


@document
class Trial:
    """Minutes that cost nothing."""

    remaining: Magnitude = 0.0


@document
class Account:
    """What an account has."""

    trialMinutes: Trial | None = None
    unmeteredDevices: dict[str, Count] = field(default_factory=dict[str, int])
    maxJobTimeoutMinutes: Count = 150


def open_client() -> AwsClient:
    """The service through boto3, with the user's own credentials.

    Raises:
        FarmPackageError: boto3 is not installed.
    """
    try:
        import boto3  # pyright: ignore[reportMissingImports]
        from botocore.config import Config  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise FarmPackageError("AWS Device Farm needs boto3", fix=f"add it with: {extra_command('farm')}") from None
    with _worded("open a session"):
        # One of its own: boto3's shared one keeps the credentials that it found first.
        session = boto3.Session(region_name=REGION)
        client = session.client("devicefarm", config=Config(retries={"mode": "standard"}))
        once = session.client("devicefarm", config=Config(retries={"total_max_attempts": 1}))
    return AwsClient(client, once)


class AwsClient:
    """The calls that a bench needs. Every method raises `FarmError`; see the table of codes above."""

    def __init__(self, client: BaseClient, once: BaseClient) -> None:
        """`client` may try a request again. `once` may not: a run whose answer was lost may have begun, and costs."""
        self._client = client
        self._once = once

    def projects(self) -> list[Project]:
        """All projects of the account."""
        return list(self._pages("list_projects", "projects", Project))

    def pools(self, project: str) -> list[Pool]:
        """All pools of a project, also those that AWS keeps."""
        return list(self._pages("list_device_pools", "devicePools", Pool, arn=project))

    def pool_devices(self, pool: str, project: str) -> list[AwsDevice]:
        """The devices of a pool that instrumentations run on."""
        told = self._call(
            "get_device_pool_compatibility", devicePoolArn=pool, projectArn=project, testType="INSTRUMENTATION"
        )
        found = parse_answers(PoolDevice, told.get("compatibleDevices"), _about("a pool's devices"))
        return [each.device for each in found if each.compatible]

    def account(self) -> Account:
        """What the account has."""
        return parse_answer(
            Account, self._call("get_account_settings").get("accountSettings"), _about("the account's settings")
        )

    def create_upload(self, project: str, name: str, kind: str) -> Upload:
        """A place for a file."""
        told = self._call(
            "create_upload", projectArn=project, name=name, type=kind, contentType="application/octet-stream"
        )
        return parse_answer(Upload, told.get("upload"), _about("an upload"))

    def upload(self, arn: str) -> Upload:
        """How far a file is."""
        return parse_answer(Upload, self._call("get_upload", arn=arn).get("upload"), _about("an upload"))

    def schedule(self, **request: Any) -> Run:
        """Starts a run, asked for only once. It costs from here on."""
        return parse_answer(Run, _ask(self._once, "schedule_run", **request).get("run"), _about("a run"))

    def run(self, arn: str) -> Run:
        """How far a run is."""
        return parse_answer(Run, self._call("get_run", arn=arn).get("run"), _about("a run"))

    def runs(self, project: str) -> Iterator[Run]:
        """The runs of a project, the newest first."""
        return self._pages("list_runs", "runs", Run, arn=project)

    def jobs(self, run: str) -> list[DeviceJob]:
        """The parts of a run, one for each device."""
        return list(self._pages("list_jobs", "jobs", DeviceJob, arn=run))

    def files(self, job: str) -> list[File]:
        """What a job wrote."""
        return list(self._pages("list_artifacts", "artifacts", File, arn=job, type="FILE"))

    def _pages(self, action: str, key: str, kind: type[Answer], **request: Any) -> Iterator[Answer]:
        token: str | None = None
        while True:
            told = self._call(action, **request, **({"nextToken": token} if token else {}))
            yield from parse_answers(kind, told.get(key), _about(action))
            following = told.get("nextToken")
            if not isinstance(following, str) or following == token:
                return
            token = following

    def _call(self, action: str, **request: Any) -> dict[str, Any]:
        return _ask(self._client, action, **request)


def _ask(client: BaseClient, action: str, **request: Any) -> dict[str, Any]:
    with _worded(action):
        call: Callable[..., dict[str, Any]] = getattr(client, action)
        return call(**request)


def _about(what: str) -> str:
    return f"AWS Device Farm's answer about {what}"


@contextmanager
def _worded(action: str) -> Iterator[None]:
    """Words boto3's errors as ours."""
    from botocore import exceptions  # pyright: ignore[reportMissingImports]
    from botocore.parsers import ResponseParserError  # pyright: ignore[reportMissingImports]

    try:
        yield
    except exceptions.ClientError as error:
        raise _service_error(error.response, action) from None
    except (
        exceptions.NoCredentialsError,
        exceptions.PartialCredentialsError,
        exceptions.CredentialRetrievalError,
        exceptions.ProfileNotFound,
        exceptions.ConfigNotFound,
        exceptions.SSOError,
        exceptions.TokenRetrievalError,
    ) as error:
        raise FarmLoginError(f"AWS has no credentials: {printable_line(str(error))}", fix=_LOGIN) from None
    except (
        exceptions.HTTPClientError,
        exceptions.ConnectionError,
        ResponseParserError,
        exceptions.IncompleteReadError,
    ) as error:
        # The message of the connection's error may have an address; its kind says enough.
        raise FarmUnavailableError(f"AWS does not answer ({type(error).__name__})", fix=_AGAIN) from None
    except exceptions.BotoCoreError as error:
        raise FarmRefusedError(f"AWS cannot be asked to {action}: {printable_line(str(error))}") from None


def _service_error(response: Any, action: str) -> FarmError:
    told = response.get("Error", {}) if isinstance(response, dict) else {}
    code = str(told.get("Code", "unknown")).rpartition("#")[2]
    message = printable_line(str(told.get("Message") or told.get("message") or ""))[:1000]
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    kind, fix = _CODES.get(
        code, (FarmUnavailableError, _AGAIN) if status >= 500 else (FarmRefusedError, "run it again")
    )
    # A wrong clock has a code of its own only at some services; here it is in the words.
    if kind is FarmLoginError and ("Signature expired" in message or "Signature not yet current" in message):
        fix = _CLOCK
    return kind(
        f"AWS Device Farm refuses {action} ({printable_line(code)[:100]}): {message or 'no reason given'}", fix=fix
    )
