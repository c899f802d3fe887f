"""Errors of Google's services, worded: which error each is here, and what to do about it.

Sources: the canonical codes (google.rpc.Code), the reasons of google.api.ErrorReason, those of Cloud Storage's JSON API
(https://cloud.google.com/storage/docs/json_api/v1/status-codes), and what Cloud Testing's discovery document lists.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from pocketclip.benchmark.errors import (
    FarmError,
    FarmLoginError,
    FarmNotFoundError,
    FarmQuotaError,
    FarmRefusedError,
    FarmUnavailableError,
)
from pocketclip.models.untrusted.printable import printable_line

Kind = tuple[type[FarmError], str]

LOGIN = (
    "run `gcloud auth application-default login`, or let GOOGLE_APPLICATION_CREDENTIALS name the key file of a service "
    "account"
)
AGAIN = "wait a while, and run the same command again: it goes on with the same run"
ENABLE = "run `gcloud services enable testing.googleapis.com toolresults.googleapis.com storage.googleapis.com`"
ROLES = (
    "ask for the role Editor in the project; with a bucket of your own, Firebase Test Lab Admin "
    "(roles/cloudtestservice.testAdmin), Firebase Analytics Viewer (roles/firebase.analyticsViewer) and, on the "
    "bucket, Storage Object Admin (roles/storage.objectAdmin) are enough"
)
BILLING = "link a billing account to the project, or choose another project"
_ADMINISTRATOR = "ask the administrator of your organisation: one of its policies forbids it"
_QUOTA_PROJECT = (
    "run `gcloud auth application-default set-quota-project PROJECT` with a project that you may use, or ask for the "
    "role Service Usage Consumer (roles/serviceusage.serviceUsageConsumer)"
)
_QUOTA = "see the project's quotas in Google's console (Cloud Testing API, Firebase Test Lab), or run it tomorrow"
_WORDS = "see the words of the service"

_POLICIES = (
    *("SECURITY_POLICY_VIOLATED", "ORG_RESTRICTION_VIOLATION", "ORG_RESTRICTION_HEADER_INVALID"),
    *("LOCATION_POLICY_VIOLATED", "LOCATION_ORG_POLICY_VIOLATED", "LOCATION_TAX_POLICY_VIOLATED"),
    *("TLS_ORG_POLICY_VIOLATED", "TLS_CIPHER_RESTRICTION_VIOLATED", "USER_BLOCKED_BY_ADMIN"),
    *("RESOURCE_USAGE_RESTRICTION_VIOLATED", "ENDPOINT_USAGE_RESTRICTION_VIOLATED", "MCP_SERVER_DISABLED"),
)
_CREDENTIALS = (
    *("ACCESS_TOKEN_EXPIRED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
    *("ACCOUNT_STATE_INVALID", "ACCOUNT_TYPE_UNSUPPORTED", "CREDENTIALS_MISSING", "CREDENTIAL_TYPE_UNSUPPORTED"),
    *("CREDENTIAL_ANDROID_APP_INVALID", "JWT_TOKEN_INVALID", "OVERLOADED_CREDENTIALS", "SESSION_COOKIE_INVALID"),
    *("API_KEY_INVALID", "API_KEY_SERVICE_BLOCKED", "API_KEY_HTTP_REFERRER_BLOCKED", "API_KEY_IP_ADDRESS_BLOCKED"),
    *("API_KEY_ANDROID_APP_BLOCKED", "API_KEY_IOS_APP_BLOCKED", "MISSING_ORIGIN"),
    # Cloud Storage's.
    *("authError", "required", "expired"),
)
# google.api.ErrorReason, and Cloud Storage's reasons: they say more than a code.
_REASONS: dict[str, Kind] = {
    **dict.fromkeys(_CREDENTIALS, (FarmLoginError, LOGIN)),
    **dict.fromkeys(_POLICIES, (FarmLoginError, _ADMINISTRATOR)),
    **dict.fromkeys(("SERVICE_DISABLED", "SERVICE_NOT_VISIBLE", "accessNotConfigured"), (FarmLoginError, ENABLE)),
    **dict.fromkeys(
        ("BILLING_DISABLED", "UREQ_PROJECT_BILLING_NOT_FOUND", "accountDisabled", "userProjectAccountProblem"),
        (FarmLoginError, BILLING),
    ),
    **dict.fromkeys(
        ("USER_PROJECT_DENIED", "userProjectInvalid", "userProjectMissing"), (FarmLoginError, _QUOTA_PROJECT)
    ),
    **dict.fromkeys(
        ("CONSUMER_INVALID", "RESOURCE_PROJECT_INVALID"),
        (FarmNotFoundError, "see `gcloud projects list`, and name yours: firebase:PROJECT/MODEL"),
    ),
    **dict.fromkeys(
        ("CONSUMER_SUSPENDED", "GCP_SUSPENDED"), (FarmLoginError, "the project is suspended: see its console")
    ),
    "IAM_PERMISSION_DENIED": (FarmLoginError, ROLES),
    **dict.fromkeys(
        ("RATE_LIMIT_EXCEEDED", "rateLimitExceeded", "userRateLimitExceeded"), (FarmUnavailableError, AGAIN)
    ),
    **dict.fromkeys(("RESOURCE_QUOTA_EXCEEDED", "EMULATOR_QUOTA_EXCEEDED", "quotaExceeded"), (FarmQuotaError, _QUOTA)),
    **dict.fromkeys(("backendError", "internalError", "resourceNotReady"), (FarmUnavailableError, AGAIN)),
}
# google.rpc.Code.
_STATUSES: dict[str, Kind] = {
    "UNAUTHENTICATED": (FarmLoginError, LOGIN),
    "PERMISSION_DENIED": (FarmLoginError, ROLES),
    "NOT_FOUND": (FarmNotFoundError, "see what there is in Firebase's console"),
    "RESOURCE_EXHAUSTED": (FarmUnavailableError, AGAIN),
    # What we make has a request id: it is there from an earlier try, and will be found.
    "ALREADY_EXISTS": (FarmUnavailableError, AGAIN),
    **dict.fromkeys(
        ("ABORTED", "CANCELLED", "DATA_LOSS", "DEADLINE_EXCEEDED", "INTERNAL", "UNAVAILABLE", "UNKNOWN"),
        (FarmUnavailableError, AGAIN),
    ),
    **dict.fromkeys(
        ("FAILED_PRECONDITION", "INVALID_ARGUMENT", "OUT_OF_RANGE", "UNIMPLEMENTED"),
        (FarmRefusedError, _WORDS),
    ),
}
# Where an answer has nothing but its HTTP status.
_HTTP: dict[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    410: "ABORTED",
    412: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
}
_PLAIN = re.compile(r"[A-Za-z0-9_.:/-]{1,200}")


@dataclass(frozen=True)
class _Told:
    """What an answer says of an error; nothing of it is trusted."""

    status: str
    message: str
    reasons: tuple[str, ...]
    permission: str | None
    service: str | None


def service_error(http_status: int, content: bytes, action: str) -> FarmError:
    """The error that an answer of Google's is.

    Args:
        http_status: of the answer.
        content: its body, as much as was read.
        action: what was asked for, to complete "refuses to".
    """
    told = _told(http_status, content)
    kind, fix = next((_REASONS[each] for each in told.reasons if each in _REASONS), None) or _STATUSES.get(
        told.status, (FarmUnavailableError, AGAIN) if http_status >= 500 else (FarmRefusedError, _WORDS)
    )
    name = next((each for each in told.reasons if _PLAIN.fullmatch(each)), told.status)
    missing = f"; missing: {told.permission}" if told.permission else ""
    off = f"; service: {told.service}" if told.service and kind is FarmLoginError and fix is ENABLE else ""
    words = f"{told.message.rstrip('.') or 'no reason given'}{missing}{off}"
    return kind(f"Google refuses to {action} ({http_status} {name}): {words}", fix=fix)


def _told(http_status: int, content: bytes) -> _Told:
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        parsed = None
    error = _object(_object(parsed).get("error"))
    details = [_object(each) for each in _list(error.get("details"))]
    errors = [_object(each) for each in _list(error.get("errors"))]
    metadata = [_object(each.get("metadata")) for each in details]
    status = _text(error.get("status"))
    return _Told(
        status=status if _PLAIN.fullmatch(status) else _HTTP.get(http_status, "no status"),
        message=printable_line(_text(error.get("message")))[:1000],
        reasons=tuple(filter(None, (_text(each.get("reason")) for each in [*details, *errors]))),
        permission=_first_plain(metadata, "permission"),
        service=_first_plain(metadata, "service"),
    )


def _first_plain(found: list[dict[str, Any]], name: str) -> str | None:
    texts = (_text(each.get(name)) for each in found)
    return next((each for each in texts if _PLAIN.fullmatch(each)), None)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
