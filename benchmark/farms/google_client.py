"""Google's APIs that Firebase Test Lab is reached by (Cloud Testing, Cloud Tool Results, Cloud Storage), over HTTPS.

Credentials are google-auth's own business: environment, gcloud's file, service accounts. None is in a message, a log or
a record. Shapes and paths are those of the services' discovery documents: testing v1, toolresults v1beta3, storage v1.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pocketclip.benchmark.errors import (
    FarmLoginError,
    FarmNotFoundError,
    FarmPackageError,
    FarmRefusedError,
    FarmResultError,
    FarmUnavailableError,
)
from pocketclip.benchmark.farms.answers import parse_answer, parse_answers
from pocketclip.benchmark.farms.google_answers import (
    AndroidVersion,
    Catalogue,
    History,
    PhoneModel,
    ResultsExecution,
    Settings,
    StoredObject,
    TestMatrix,
)
from pocketclip.benchmark.farms.google_errors import AGAIN, LOGIN, service_error
from pocketclip.models.atomic import storage_errors
from pocketclip.models.errors import extra_command
from pocketclip.models.untrusted.printable import printable_line

if TYPE_CHECKING:
    import requests

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_CLOCK = "set this computer's clock: Google takes only requests of its own time"
# To connect, and between two bytes.
_SECONDS = (10.0, 120.0)
_PIECE = 1 << 20
# Of an answer in JSON: the catalogue is the longest.
_MOST_ANSWER_BYTES = 32 << 20
# Of lists, which go on page by page.
_MOST_PAGES = 1000


@dataclass(frozen=True)
class Addresses:
    """Where the services are."""

    testing: str = "https://testing.googleapis.com"
    results: str = "https://toolresults.googleapis.com"
    storage: str = "https://storage.googleapis.com"


def default_session() -> tuple[requests.Session, str | None]:
    """A session with the user's credentials, and the project that they name, if any.

    Raises:
        FarmPackageError: google-auth is not installed.
        FarmLoginError: there are no credentials.
    """
    try:
        import google.auth  # pyright: ignore[reportMissingImports]
        from google.auth.transport.requests import AuthorizedSession  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise FarmPackageError("Firebase needs google-auth", fix=f"add it with: {extra_command('farm')}") from None
    try:
        with _worded("log in"):
            credentials, project = google.auth.default(scopes=[_SCOPE])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # Of a file that is JSON and yet none of Google's, google-auth fails in any of these ways.
        raise FarmLoginError(f"the credentials for Google cannot be read ({type(error).__name__})", fix=LOGIN) from None
    return AuthorizedSession(credentials), project


class GoogleClient:
    """The calls that a bench needs. Every method raises `FarmError`; see `google_errors`."""

    def __init__(self, session: requests.Session, project: str, addresses: Addresses | None = None) -> None:
        """`session` adds the credentials; `project` is an id."""
        self._session = session
        self.project = project
        self._at = addresses or Addresses()

    def catalogue(self) -> Catalogue:
        """The Android phones that a project may use, and those that it may only see."""
        told = self._ask(
            "GET",
            f"{self._at.testing}/v1/testEnvironmentCatalog/ANDROID",
            "list its phones",
            params={"projectId": self.project},
        )
        android = told.get("androidDeviceCatalog")
        if not isinstance(android, dict):
            raise FarmResultError("Google's catalogue has no Android phones")
        return Catalogue(
            tuple(parse_answers(PhoneModel, android.get("models"), _about("a phone's model"))),
            tuple(parse_answers(AndroidVersion, android.get("versions"), _about("a version of Android"))),
        )

    def default_bucket(self) -> str:
        """The bucket that Test Lab keeps for the project; made where there is none yet. It costs nothing."""
        told = self._ask("POST", f"{self._results()}:initializeSettings", "tell the project's bucket", body={})
        bucket = parse_answer(Settings, told, _about("the project's bucket")).defaultBucket
        if not bucket:
            raise FarmNotFoundError("the project has no bucket for results", fix="open Test Lab in Firebase's console")
        return bucket

    def history(self, name: str) -> str | None:
        """The id of the list of results of a name, None where there is none."""
        told = self._ask(
            "GET", f"{self._results()}/histories", "list results", params={"filterByName": name, "pageSize": "1"}
        )
        found = parse_answers(History, told.get("histories"), _about("a list of results"))
        return found[0].historyId if found else None

    def create_history(self, name: str, request_id: str) -> str:
        """Makes a list of results."""
        told = self._ask(
            "POST",
            f"{self._results()}/histories",
            "make a list of results",
            params={"requestId": request_id},
            body={"name": name, "displayName": name},
        )
        return parse_answer(History, told, _about("a list of results")).historyId

    def matrix_ids(self, history: str) -> Iterator[str]:
        """The runs of a list of results, the newest first."""
        place = f"{self._results()}/histories/{_part(history)}/executions"
        for told in self._pages(place, "list runs", {"pageSize": "100"}):
            for each in parse_answers(ResultsExecution, told.get("executions"), _about("a run")):
                if each.testExecutionMatrixId is not None:
                    yield each.testExecutionMatrixId

    def create_matrix(self, body: Mapping[str, Any], request_id: str) -> TestMatrix:
        """Starts a run; the same request id starts it once. It costs from here on."""
        told = self._ask("POST", self._matrices(), "start the run", params={"requestId": request_id}, body=body)
        return parse_answer(TestMatrix, told, _about("a run"))

    def matrix(self, matrix_id: str) -> TestMatrix:
        """How far a run is."""
        told = self._ask("GET", f"{self._matrices()}/{_part(matrix_id)}", "tell how far the run is")
        return parse_answer(TestMatrix, told, _about("a run"))

    def put(self, bucket: str, name: str, file: Path, what: str) -> None:
        """Sends a file to a bucket.

        Raises:
            FarmUnavailableError: it did not arrive whole.
            FarmRefusedError: it cannot be read.
        """
        place = f"{self._at.storage}/upload/storage/v1/b/{_part(bucket)}/o"
        options: dict[str, Any] = {"params": {"uploadType": "media", "name": name}}
        options["headers"] = {"Content-Type": "application/octet-stream"}
        try:
            opened = file.open("rb")
        except OSError as error:
            again = "run the same command again"
            raise FarmRefusedError(f"{what} cannot be read: {error.strerror}", fix=again) from None
        with opened as data, self._opened("POST", place, f"take {what}", data=data, **options) as answer:
            told = parse_answer(StoredObject, _object(_read(answer)), _about(what))
        if not _is_whole(told, file):
            raise FarmUnavailableError(f"{what} did not arrive whole in the bucket", fix=AGAIN)

    def objects(self, bucket: str, prefix: str) -> list[StoredObject]:
        """The files of a bucket whose names begin with something."""
        found: list[StoredObject] = []
        place = f"{self._at.storage}/storage/v1/b/{_part(bucket)}/o"
        for told in self._pages(place, "list the results", {"prefix": prefix}):
            found += parse_answers(StoredObject, told.get("items"), _about("a file of results"))
        return found

    def fetch(self, bucket: str, stored: StoredObject, into: Path, what: str, most_bytes: int) -> None:
        """Fetches a file of a bucket, into one that is not there yet.

        Raises:
            FarmResultError: it is larger than `most_bytes`, or not what the bucket says of it.
            StorageError: this computer's disk is full.
        """
        if int(stored.size) > most_bytes:
            raise FarmResultError(f"{what} has {int(stored.size)} bytes, at most {most_bytes} are read")
        place = f"{self._at.storage}/storage/v1/b/{_part(bucket)}/o/{_part(stored.name)}"
        size = 0
        with self._opened("GET", place, f"give {what}", params={"alt": "media"}) as answer:
            for piece in answer.iter_content(_PIECE):
                size += len(piece)
                if size > most_bytes:
                    raise FarmResultError(f"{what} has more than {most_bytes} bytes")
                with storage_errors(into), into.open("ab") as stream:
                    stream.write(piece)
        if not _is_whole(stored, into):
            raise FarmResultError(f"{what} is truncated or damaged: {size} bytes came, {int(stored.size)} are there")

    def _matrices(self) -> str:
        return f"{self._at.testing}/v1/projects/{_part(self.project)}/testMatrices"

    def _results(self) -> str:
        return f"{self._at.results}/toolresults/v1beta3/projects/{_part(self.project)}"

    def _pages(self, place: str, action: str, params: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        token: str | None = None
        for _ in range(_MOST_PAGES):
            told = self._ask("GET", place, action, params={**params, **({"pageToken": token} if token else {})})
            yield told
            following = told.get("nextPageToken")
            if not isinstance(following, str) or not following or following == token:
                return
            token = following

    def _ask(
        self,
        method: str,
        place: str,
        action: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        with self._opened(method, place, action, params=params, json=body) as answer:
            return _object(_read(answer))

    @contextmanager
    def _opened(self, method: str, place: str, action: str, **options: Any) -> Iterator[requests.Response]:
        """An answer that is none of an error; the rest of it is not read yet."""
        with _worded(action):
            # A redirect could take the token elsewhere.
            answer = self._session.request(
                method, place, timeout=_SECONDS, allow_redirects=False, stream=True, **options
            )
            with answer:
                if answer.status_code != 200:
                    raise service_error(answer.status_code, _read(answer), action)
                yield answer


@contextmanager
def _worded(action: str) -> Iterator[None]:
    """Words errors of google-auth and of the connection as ours."""
    import requests
    from google.auth import exceptions  # pyright: ignore[reportMissingImports]

    try:
        yield
    except exceptions.DefaultCredentialsError as error:
        words = printable_line(str(error.args[0] if error.args else "")).strip()[:400]
        raise FarmLoginError(f"Google has no credentials: {words}", fix=LOGIN) from None
    except exceptions.RefreshError as error:
        words = str(error.args[0] if error.args else "")
        if getattr(error, "retryable", False):
            raise FarmUnavailableError("Google's login does not answer", fix=AGAIN) from None
        # Its own words may repeat what was sent; the code says enough.
        code = re.match(r"[a-z_]{1,40}(?=:|$)", words)
        fix = _CLOCK if "iat and exp" in words else LOGIN
        told = f" ({code[0]})" if code else ""
        raise FarmLoginError(f"Google does not take the credentials any more{told}", fix=fix) from None
    except exceptions.TransportError:
        raise FarmUnavailableError(f"Google's login does not answer when asked to {action}", fix=AGAIN) from None
    except exceptions.GoogleAuthError as error:
        raise FarmLoginError(f"the credentials for Google cannot be used ({type(error).__name__})", fix=LOGIN) from None
    except requests.exceptions.RequestException as error:
        # Its message has the address; its kind says enough.
        raise FarmUnavailableError(
            f"Google does not answer when asked to {action} ({type(error).__name__})", fix=AGAIN
        ) from None


def _read(answer: requests.Response) -> bytes:
    content = b""
    for piece in answer.iter_content(_PIECE):
        content += piece
        if len(content) > _MOST_ANSWER_BYTES:
            raise FarmResultError("an answer of Google's is longer than any answer")
    return content


def _object(content: bytes) -> dict[str, Any]:
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        raise FarmResultError("an answer of Google's is no JSON") from None
    if not isinstance(told, dict):
        raise FarmResultError("an answer of Google's is no JSON object")
    return told


def _is_whole(stored: StoredObject, file: Path) -> bool:
    if int(stored.size) != file.stat().st_size:
        return False
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).digest()
    # Files that were put together from several have no such hash.
    return stored.md5Hash in ("", base64.b64encode(digest).decode())


def _part(text: str) -> str:
    return quote(text, safe="")


def _about(what: str) -> str:
    return f"Google's answer about {what}"
