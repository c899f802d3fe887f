"""A hub on this computer that takes uploads of Hugging Face's client: repositories, large files, commits.

It is strict where the hub is: a large file must arrive whole before a commit names it, a token must be given.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import yaml

TOKEN = "hf_of_a_test"


@dataclass
class Hub:
    """What was uploaded: files of each repository by path, and the messages of commits."""

    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    private: dict[str, bool] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    # What it answers a commit with, where it is to refuse.
    refusal: int | None = None
    address: str = ""


def faults_of(card: str) -> list[dict[str, str]]:
    """What is wrong with a card's metadata, as the hub tells it."""
    if not card.startswith("---\n"):
        return []
    try:
        content = yaml.safe_load(card.removeprefix("---\n").partition("\n---\n")[0])
    except yaml.YAMLError as error:
        return [{"message": str(error)}]
    return [] if isinstance(content, dict) else [{"message": "it is no mapping"}]


@contextmanager
def hub_stand_in() -> Iterator[Hub]:
    """A hub for the block; `HF_ENDPOINT` of a client is its address."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            name = self.path.removeprefix("/api/models/")
            if name not in hub.files:
                return self.answer(404, {"error": "not found"})
            files = [{"rfilename": path} for path in hub.files[name]]
            return self.answer(200, {"id": name, "sha": "0" * 40, "private": hub.private[name], "siblings": files})

        def do_PUT(self) -> None:
            content = self.body()
            if hashlib.sha256(content).hexdigest() != self.path.rsplit("/", 1)[1]:
                return self.answer(400, {"error": "another file"})
            hub.objects[hashlib.sha256(content).hexdigest()] = content
            return self.answer(200, {})

        def do_POST(self) -> None:
            content = self.body()
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self.answer(401, {"error": "who are you?"})
            if self.path == "/api/repos/create":
                asked = json.loads(content)
                name = f"{asked.get('organization') or 'me'}/{asked['name']}"
                if name in hub.files:
                    return self.answer(409, {"url": f"{hub.address}/{name}", "error": "it exists"})
                hub.files[name] = {}
                hub.private[name] = asked.get("private") or asked.get("visibility") == "private"
                return self.answer(200, {"url": f"{hub.address}/{name}", "name": name, "id": name})
            if self.path == "/api/validate-yaml":
                return self.answer(200, {"errors": faults_of(json.loads(content)["content"]), "warnings": []})
            if "/preupload/" in self.path:
                files = json.loads(content)["files"]
                return self.answer(200, {"files": [self.mode(each) for each in files]})
            if self.path.endswith("/info/lfs/objects/batch"):
                asked = json.loads(content)
                objects = [self.action(each) for each in asked["objects"]]
                return self.answer(200, {"transfer": "basic", "objects": objects}, "application/vnd.git-lfs+json")
            if "/commit/" in self.path:
                return self.commit(content)
            return self.answer(404, {"error": "not found"})

        def mode(self, file: dict) -> dict:
            large = file["path"].endswith((".safetensors", ".onnx", ".tflite", ".bin"))
            return {"path": file["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}

        def action(self, wanted: dict) -> dict:
            upload = {"href": f"{hub.address}/objects/{wanted['oid']}", "header": {}}
            return {"oid": wanted["oid"], "size": wanted["size"], "actions": {"upload": upload}}

        def commit(self, content: bytes) -> None:
            if hub.refusal is not None:
                return self.answer(hub.refusal, {"error": "refused"})
            name = self.path.removeprefix("/api/models/").split("/commit/")[0]
            lines = [json.loads(line) for line in content.splitlines()]
            files: dict[str, bytes] = {}
            for line in lines:
                value = line["value"]
                match line["key"]:
                    case "header":
                        hub.messages.append(value["summary"])
                    case "file":
                        files[value["path"]] = base64.b64decode(value["content"])
                    case "lfsFile":
                        if value["oid"] not in hub.objects:
                            return self.answer(400, {"error": f"{value['path']} was not uploaded"})
                        files[value["path"]] = hub.objects[value["oid"]]
            hub.files[name].update(files)
            oid = hashlib.sha256(content).hexdigest()[:40]
            return self.answer(200, {"commitUrl": f"{hub.address}/{name}/commit/{oid}", "commitOid": oid})

        def body(self) -> bytes:
            if "chunked" in self.headers.get("Transfer-Encoding", ""):
                pieces = []
                while size := int(self.rfile.readline(), 16):
                    pieces.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(pieces)
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def answer(self, status: int, content: dict, kind: str = "application/json") -> None:
            text = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
