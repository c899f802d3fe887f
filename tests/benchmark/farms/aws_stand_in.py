"""AWS Device Farm on this computer: its API over HTTP, every answer checked against the service's own model.

boto3 serialises, signs, retries and reads as it does with the service.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3  # pyright: ignore[reportMissingImports]
from botocore.validate import ParamValidator  # pyright: ignore[reportMissingImports]

ACCOUNT = "arn:aws:devicefarm:us-west-2:123456789012"
PROJECT = {"arn": f"{ACCOUNT}:project:EXAMPLE-1", "name": "clip"}
PIXEL = {"name": "Google Pixel 7", "platform": "ANDROID", "os": "14", "arn": f"{ACCOUNT}::device:PIXEL7"}
SECRET = "wJalrXUtnFEMI-example-s3cret"
# Behind the addresses that the stand-in signs.
SIGNATURE = "X-Amz-Signature=5ea1ed"


class AwsStandIn:
    """The service's state. `errors` are met by each action in turn: code, message, HTTP status; None lets one pass.

    So many `lost` answers of an action are the server's error, though what was asked for is done.
    """

    def __init__(self) -> None:
        self.address = ""
        self.pools: list[dict[str, Any]] = [
            {"arn": f"{ACCOUNT}:devicepool:EXAMPLE-1/1", "name": "pixels", "type": "PRIVATE"},
            {"arn": f"{ACCOUNT}::devicepool:TOP", "name": "Top Devices", "type": "CURATED"},
        ]
        self.projects = [PROJECT]
        self.devices = [PIXEL]
        self.account: dict[str, Any] = {"trialMinutes": {"total": 1000.0, "remaining": 0.0}}
        self.errors: dict[str, list[tuple[str, str, int] | None]] = {}
        self.lost: dict[str, int] = {}
        self.calls: list[tuple[str, Any]] = []
        self.uploads: list[dict[str, Any]] = []
        self.runs: list[dict[str, Any]] = []
        self.statuses: list[tuple[str, str]] = [("PENDING_DEVICE", "PENDING"), ("RUNNING", "PENDING")]
        self.result = "PASSED"
        self.message = ""
        self.upload_failure = ""
        # What phones give for what they are sent; None where a run leaves no archive.
        self.phones: dict[str, Callable[[bytes, str], bytes | None]] = {}
        self.archives: dict[str, bytes] = {}
        self.truncated: list[int] = []
        self.file_errors: list[int] = []

    def answer(self, action: str, asked: dict[str, Any]) -> dict[str, Any]:
        """What the service answers."""
        return getattr(self, f"_{action}")(asked)

    def _ListProjects(self, asked: Any) -> Any:
        # In two pages.
        if asked.get("nextToken"):
            return {"projects": self.projects[1:]}
        more = {"nextToken": "more"} if len(self.projects) > 1 else {}
        return {"projects": self.projects[:1], **more}

    def _ListDevicePools(self, asked: Any) -> Any:
        return {"devicePools": self.pools}

    def _GetDevicePoolCompatibility(self, asked: Any) -> Any:
        return {"compatibleDevices": [{"device": each, "compatible": True} for each in self.devices]}

    def _GetAccountSettings(self, asked: Any) -> Any:
        return {"accountSettings": self.account}

    def _CreateUpload(self, asked: Any) -> Any:
        number = len(self.uploads)
        arn = f"{ACCOUNT}:upload:EXAMPLE-1/{number}"
        self.uploads.append({**asked, "arn": arn, "content": None})
        url = f"{self.address}/upload/{number}?{SIGNATURE}"
        return {
            "upload": {"arn": arn, "name": asked["name"], "type": asked["type"], "status": "INITIALIZED", "url": url}
        }

    def _GetUpload(self, asked: Any) -> Any:
        upload = next(each for each in self.uploads if each["arn"] == asked["arn"])
        upload["looks"] = upload.get("looks", 0) + 1
        status = "PROCESSING" if upload["looks"] == 1 else "FAILED" if self.upload_failure else "SUCCEEDED"
        return {"upload": {"arn": asked["arn"], "status": status, "message": self.upload_failure}}

    def _ScheduleRun(self, asked: Any) -> Any:
        arn = f"{ACCOUNT}:run:EXAMPLE-1/{len(self.runs)}"
        self.runs.insert(0, {"arn": arn, "asked": asked, "looks": 0})
        return {"run": {"arn": arn, "name": asked["name"], "status": "SCHEDULING", "result": "PENDING"}}

    def _ListRuns(self, asked: Any) -> Any:
        return {"runs": [{"arn": each["arn"], "name": each["asked"]["name"]} for each in self.runs]}

    def _GetRun(self, asked: Any) -> Any:
        run = next(each for each in self.runs if each["arn"] == asked["arn"])
        place, run["looks"] = run["looks"], run["looks"] + 1
        status, result = self.statuses[place] if place < len(self.statuses) else ("COMPLETED", self.result)
        counts = {"totalJobs": len(self.phones), "completedJobs": len(self.phones) if status == "COMPLETED" else 0}
        minutes = {"total": 4.5, "metered": 4.5, "unmetered": 0.0}
        return {
            "run": {"arn": asked["arn"], "status": status, "result": result, "message": self.message, **counts}
            | {"deviceMinutes": minutes, "created": 1700000000}
        }

    def _ListJobs(self, asked: Any) -> Any:
        run = next(each for each in self.runs if each["arn"] == asked["arn"])
        for name, phone in self.phones.items():
            if f"{run['arn']}/{name}" not in self.archives:
                archive = phone(
                    self._content(run["asked"]["configuration"]["extraDataPackageArn"]), run["asked"]["name"]
                )
                self.archives[f"{run['arn']}/{name}"] = archive or b""
        return {
            "jobs": [
                {"arn": f"{run['arn']}/{place:05}", "result": self.result, "message": self.message}
                | {"device": {**PIXEL, "name": name}}
                for place, name in enumerate(self.phones)
            ]
        }

    def _ListArtifacts(self, asked: Any) -> Any:
        run, _, place = asked["arn"].rpartition("/")
        key = f"{run}/{list(self.phones)[int(place)]}"
        files = [{"arn": f"{ACCOUNT}:artifact:LOG/1", "name": "Logcat", "type": "DEVICE_LOG", "extension": "logcat"}]
        if self.archives[key]:
            number = list(self.archives).index(key)
            url = f"{self.address}/archive/{number}?{SIGNATURE}"
            archive = {"arn": f"{ACCOUNT}:artifact:ALL/1", "name": "Customer Artifacts", "type": "CUSTOMER_ARTIFACT"}
            files.append({**archive, "extension": "zip", "url": url})
        return {"artifacts": files}

    def _content(self, arn: str) -> bytes:
        return next(each["content"] for each in self.uploads if each["arn"] == arn)


def _handler(service: AwsStandIn, model: Any) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_POST(self) -> None:
            asked = json.loads(self._body() or b"{}")
            action = self.headers["X-Amz-Target"].rpartition(".")[2]
            assert SECRET not in str(self.headers)
            service.calls.append((action, asked))
            waiting = service.errors.get(action, [])
            error = waiting.pop(0) if waiting else None
            if error is not None:
                code, message, status = error
                self._give(status, json.dumps({"__type": code, "message": message}).encode())
                return
            content = service.answer(action, asked)
            if service.lost.get(action, 0) > 0:
                service.lost[action] -= 1
                self._give(503, b"{}")
                return
            faults = ParamValidator().validate(_moments(content), model.operation_model(action).output_shape)
            assert not faults.has_errors(), faults.generate_report()
            self._give(200, json.dumps(content).encode())

        def do_PUT(self) -> None:
            body = self._body()
            if service.file_errors:
                self._give(service.file_errors.pop(0), b"no")
                return
            service.uploads[self._number()]["content"] = body
            self._give(200, b"")

        def do_GET(self) -> None:
            content = list(service.archives.values())[self._number()]
            if service.file_errors:
                self._give(service.file_errors.pop(0), b"no")
            elif service.truncated:
                self._give(200, content[: service.truncated.pop(0)], len(content))
            else:
                self._give(200, content)

        def _number(self) -> int:
            assert self.path.endswith(SIGNATURE)
            return int(Path(self.path.partition("?")[0]).name)

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def _give(self, status: int, content: bytes, announced: int | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content) if announced is None else announced))
            self.end_headers()
            self.wfile.write(content)

    return Handler


def _moments(content: Any) -> Any:
    """With moments as the model's validator takes them."""
    from datetime import UTC, datetime

    if isinstance(content, dict):
        return {
            name: datetime.fromtimestamp(value, UTC) if name == "created" else _moments(value)
            for name, value in content.items()
        }
    return [_moments(each) for each in content] if isinstance(content, list) else content


@contextmanager
def served(service: AwsStandIn) -> Iterator[None]:
    """The service, which answers at its `address` while the block runs."""
    model = boto3.Session(region_name="us-west-2").client("devicefarm").meta.service_model
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(service, model))
    service.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
