"""Google's services on this computer, over HTTP: login, Cloud Testing, Cloud Tool Results and Cloud Storage.

What is asked and what is answered is checked against the services' own discovery documents (`record_discovery.py`), and
google-auth logs in with a service account's key as it does with Google.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography.hazmat.primitives import serialization  # pyright: ignore[reportMissingImports]
from cryptography.hazmat.primitives.asymmetric import rsa  # pyright: ignore[reportMissingImports]

from tests.benchmark.farms.record_discovery import FILE

DISCOVERY = json.loads(FILE.read_text(encoding="utf-8"))
PROJECT = "clip-on-phones"
BUCKET = "test-lab-0a1b2c3d"
TOKEN = "ya29.s3cret-0f-nob0dy"
PIXEL = {
    "id": "oriole",
    "name": "Pixel 6",
    "manufacturer": "Google",
    "brand": "google",
    "codename": "oriole",
    "form": "PHYSICAL",
    "formFactor": "PHONE",
    "supportedVersionIds": ["31", "33"],
    "supportedAbis": ["arm64-v8a", "31:armeabi-v7a"],
    "tags": ["default"],
    "perVersionInfo": [{"versionId": "33", "deviceCapacity": "DEVICE_CAPACITY_HIGH"}],
    "screenX": 1080,
}
GALAXY = {**PIXEL, "id": "e1q", "name": "SM-S921U1", "manufacturer": "Samsung", "supportedVersionIds": ["34"]}
EMULATED = {**PIXEL, "id": "MediumPhone.arm", "name": "MediumPhone.arm", "form": "VIRTUAL"}
VERSIONS = [{"id": str(level), "apiLevel": level, "versionString": str(level - 19)} for level in (24, 28, 31, 33, 34)]


def error_body(status: str, message: str, *details: dict[str, Any]) -> bytes:
    """An error as the newer services word it."""
    return json.dumps({"error": {"code": 0, "message": message, "status": status, "details": list(details)}}).encode()


def reason(name: str, **metadata: str) -> dict[str, Any]:
    """The part of an error that tells why."""
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return {"@type": kind, "reason": name, "domain": "googleapis.com", "metadata": metadata}


class GoogleStandIn:
    """The services' state. `errors` are met by each method in turn: HTTP status and body; None lets one pass."""

    def __init__(self) -> None:
        self.address = ""
        self.models = [PIXEL, GALAXY, EMULATED]
        self.histories: list[dict[str, Any]] = []
        self.matrices: dict[str, dict[str, Any]] = {}
        self.requests: dict[str, str] = {}
        self.objects: dict[str, bytes] = {}
        self.calls: list[str] = []
        self.errors: dict[str, list[tuple[int, bytes] | None]] = {}
        # What a matrix shows at each look, before it is finished; each may be changed by `final`.
        self.states: list[dict[str, Any]] = [{"state": "VALIDATING"}, {"state": "PENDING"}, {"state": "RUNNING"}]
        self.final: dict[str, Any] = {"state": "FINISHED", "outcomeSummary": "SUCCESS"}
        self.phone: Callable[[bytes], bytes | None] = lambda sent: None
        self.results: dict[str, bytes | None] = {}
        self.result_changes: dict[str, Any] = {}
        self.truncated: list[int] = []
        # Whether the same request id gives the same matrix, and whether it is in the list of results.
        self.remembers, self.lists = True, True

    @property
    def submitted(self) -> int:
        """How many runs are paid for."""
        return len(self.matrices)

    def testEnvironmentCatalog_get(self, asked: Any, **options: str) -> Any:
        assert options == {"environmentType": "ANDROID", "projectId": PROJECT}
        return {"androidDeviceCatalog": {"models": self.models, "versions": VERSIONS}}

    def projects_initializeSettings(self, asked: Any, **options: str) -> Any:
        return {"name": f"projects/{PROJECT}/settings", "defaultBucket": BUCKET}

    def projects_histories_list(self, asked: Any, *, filterByName: str, **options: str) -> Any:
        return {"histories": [each for each in self.histories if each["name"] == filterByName]}

    def projects_histories_create(self, asked: Any, **options: str) -> Any:
        self.histories.append({**asked, "historyId": f"bh.{len(self.histories)}"})
        return self.histories[-1]

    def projects_histories_executions_list(self, asked: Any, *, pageToken: str = "", **options: str) -> Any:
        ids = list(reversed(self.matrices)) if self.lists else []
        # In pages of one; an execution that no matrix made is among them.
        place = int(pageToken or 0)
        if place > len(ids):
            return {}
        found = {"testExecutionMatrixId": ids[place - 1]} if place else {}
        following = {"nextPageToken": str(place + 1)} if place < len(ids) else {}
        return {"executions": [{"executionId": f"e{place}", **found}], **following}

    def projects_testMatrices_create(self, asked: Any, *, requestId: str, **options: str) -> Any:
        if self.remembers and requestId in self.requests:
            return self.matrices[self.requests[requestId]]["told"]
        name = f"matrix-{len(self.matrices)}x"
        told = {**asked, "testMatrixId": name, "projectId": PROJECT, "state": "VALIDATING"}
        self.matrices[name] = {"told": told, "looks": 0}
        self.requests[requestId] = name
        return told

    def projects_testMatrices_get(self, asked: Any, *, testMatrixId: str, **options: str) -> Any:
        if testMatrixId not in self.matrices:
            raise LookupError
        matrix = self.matrices[testMatrixId]
        place, matrix["looks"] = matrix["looks"], matrix["looks"] + 1
        if place < len(self.states):
            return {**matrix["told"], **self.states[place]}
        told = {"testExecutions": [{"state": "FINISHED"}], **self.final}
        if told["state"] == "FINISHED" and testMatrixId not in self.results:
            setup = matrix["told"]["testSpecification"]["testSetup"]["filesToPush"][0]["regularFile"]
            self.results[testMatrixId] = self.phone(self._content(setup["content"]["gcsPath"]))
        return {**matrix["told"], **told}

    def objects_insert(self, asked: bytes, *, name: str, **options: str) -> Any:
        assert options["uploadType"] == "media"
        content = asked[: self.truncated.pop(0)] if self.truncated else asked
        self.objects[name] = content
        return self._described(name, content)

    def objects_list(self, asked: Any, *, prefix: str, **options: str) -> Any:
        found = {**self.objects}
        for name, content in self.results.items():
            folder = self.matrices[name]["told"]["resultStorage"]["googleCloudStorage"]["gcsPath"]
            place = folder.removeprefix(f"gs://{BUCKET}/") + "/oriole-33-en-portrait"
            found[f"{place}/logcat"] = b"of others"
            if content is not None:
                found[f"{place}/game_loop_results/results_scenario_1.json"] = content
        self.listed = {name: content for name, content in found.items() if name.startswith(prefix)}
        described = [self._described(name, content) for name, content in self.listed.items()]
        return {"items": [{**each, **self.result_changes} for each in described]}

    def objects_get(self, asked: Any, **options: str) -> bytes:
        assert options["alt"] == "media"
        content = self.listed[options["object"]]
        return content[: self.truncated.pop(0)] if self.truncated else content

    def _content(self, path: str) -> bytes:
        return self.objects[path.removeprefix(f"gs://{BUCKET}/")]

    def _described(self, name: str, content: bytes) -> Any:
        digest = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
        return {"name": name, "size": str(len(content)), "md5Hash": digest, "updated": "2026-03-01T14:00:00.000Z"}


def _check(service: dict[str, Any], shape: dict[str, Any], value: Any, place: str) -> None:
    """As the discovery document says it."""
    if "$ref" in shape:
        shape = service["schemas"][shape["$ref"]]
    kind = shape.get("type")
    if kind == "object":
        assert isinstance(value, dict), f"{place} is no object"
        for name, each in value.items():
            inner = shape.get("properties", {}).get(name) or shape.get("additionalProperties")
            assert inner is not None, f"{place}.{name} is not in the discovery document"
            _check(service, inner, each, f"{place}.{name}")
    elif kind == "array":
        assert isinstance(value, list), f"{place} is no list"
        for number, each in enumerate(value):
            _check(service, shape["items"], each, f"{place}[{number}]")
    elif kind in ("string", "boolean", "integer"):
        wanted = {"string": str, "boolean": bool, "integer": int}[kind]
        assert type(value) is wanted, f"{place} is no {kind}"
        assert "enum" not in shape or value in shape["enum"], f"{place} may not be {value!r}"


def _routes() -> Iterator[tuple[str, re.Pattern[str], str, str]]:
    for service, document in DISCOVERY.items():
        if service == "source":
            continue
        for name, method in document["methods"].items():
            path = method["upload_path"] or method["path"]
            pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path))
            yield method["verb"], re.compile(pattern), service, name


_ROUTES = list(_routes())
# Query parameters of all methods.
_COMMON = {"alt", "uploadType"}


def _handler(google: GoogleStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_POST(self) -> None:
            self._carry_out("POST")

        def do_GET(self) -> None:
            self._carry_out("GET")

        def _carry_out(self, verb: str) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = urlsplit(self.path)
            if parts.path == "/token":
                self._login(body)
                return
            route = next((each for each in _ROUTES if each[0] == verb and each[1].fullmatch(parts.path)), None)
            assert route is not None, self.path
            assert self.headers["Authorization"] == f"Bearer {TOKEN}"
            found = route[1].fullmatch(parts.path)
            assert found is not None
            service, method = DISCOVERY[route[2]], DISCOVERY[route[2]]["methods"][route[3]]
            given = {name: values[0] for name, values in parse_qs(parts.query).items()}
            assert set(given) <= {*method["parameters"], *_COMMON}, given
            options = {name: unquote(text) for name, text in found.groupdict().items()} | given
            if self._fails(route[3]):
                return
            asked: Any = body
            if method["upload_path"] is None and body:
                asked = json.loads(body)
                if method["request"]:
                    _check(service, {"$ref": method["request"]}, asked, route[3])
            try:
                answer = getattr(google, route[3].replace(".", "_"))(asked, **{**options})
            except LookupError:
                self._give(404, error_body("NOT_FOUND", "Requested entity was not found."))
                return
            if isinstance(answer, bytes):
                self._give(200, answer)
                return
            _check(service, {"$ref": method["response"]}, answer, route[3])
            self._give(200, json.dumps(answer).encode())

        def _login(self, body: bytes) -> None:
            assert parse_qs(body.decode())["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
            if not self._fails("token"):
                self._give(200, json.dumps({"access_token": TOKEN, "expires_in": 3600}).encode())

        def _fails(self, method: str) -> bool:
            google.calls.append(method)
            waiting = google.errors.get(method, [])
            error = waiting.pop(0) if waiting else None
            if error is not None:
                self._give(*error)
            return error is not None

        def _give(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            if status in (301, 302, 307, 308):
                self.send_header("Location", content.decode())
            self.end_headers()
            self.wfile.write(content)

    return Handler


@contextmanager
def served(google: GoogleStandIn) -> Iterator[None]:
    """The services answer while the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(google))
    google.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def private_key() -> str:
    """A service account's key."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kind, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return made.private_bytes(serialization.Encoding.PEM, kind, plain).decode()


def write_account(file: Path, address: str, key: str, **changes: Any) -> None:
    """A service account's file, as Google's console gives it, whose login is the stand-in's."""
    account = {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "0123456789abcdef",
        "private_key": key,
        "client_email": f"bench@{PROJECT}.iam.gserviceaccount.com",
        "client_id": "1234567890",
        "token_uri": f"{address}/token",
    }
    file.write_text(json.dumps({**account, **changes}))
