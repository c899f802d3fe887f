"""A farm's phone as folders of this computer: a shell, and small programs in the place of Android's.

`am` is the measuring app: it speaks its protocol, checks every hash, and gives the outputs and times that it is told.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from pocketclip.benchmark.phone_app.android_app import COMPONENT
from pocketclip.benchmark.records.launch import Launch
from pocketclip.benchmark.runners.protocol import JOB_VERSION, RESULT_VERSION
from pocketclip.export.artifact.reading import Artifact
from pocketclip.models import documents

_AM = """#!{python}
import hashlib, json, os, pathlib, shutil, sys
state = json.loads(pathlib.Path({state!r}).read_text())
if sys.argv[1] == "force-stop":
    sys.exit()
assert sys.argv[1:4] == ["instrument", "-w", "-r"], sys.argv
assert sys.argv[-1] == "org.pocketclip.bench/org.pocketclip.bench.BenchInstrumentation", sys.argv
words = sys.argv[4:-1]
extras = dict(zip(words[1::3], words[2::3]))
root = pathlib.Path({sdcard!r}, state["shared"])
stored = pathlib.Path({internal!r})
action = extras["action"]

def answer(folder, content):
    text = json.dumps(content).encode()
    (root / folder).mkdir(parents=True, exist_ok=True)
    (root / folder / "result.json").write_bytes(text)
    print("INSTRUMENTATION_RESULT: pocketclip=%d %s" % (len(text), hashlib.sha256(text).hexdigest()))
    print("INSTRUMENTATION_CODE: -1")

if action == "facts":
    answer("facts", state["facts"])
    sys.exit()
if state["crash"] and action == "measure":
    print("INSTRUMENTATION_RESULT: shortMsg=Process crashed.")
    print("INSTRUMENTATION_CODE: 0")
    sys.exit()
request = (root / extras["request"]).read_bytes()
folder = str(pathlib.PurePosixPath(extras["request"]).parent)
assert hashlib.sha256(request).hexdigest() == extras["request_sha256"]
asked = json.loads(request)
if action == "stage":
    for file in asked["files"]:
        sent = root / asked["folder"] / file["path"]
        assert hashlib.sha256(sent.read_bytes()).hexdigest() == file["sha256"]
        goal = stored / "models" / asked["artifact_sha256"] / file["path"]
        goal.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(sent, goal)
    answer(folder, state["stage"])
    sys.exit()
assert action == "measure"
assert (stored / asked["model_path"]).is_file()
assert (root / asked["inputs"][0]["path"]).stat().st_size > 0
outputs = pathlib.Path(state["outputs"]).read_bytes()
(root / asked["outputs_path"]).write_bytes(outputs)
content = {{
    "result_version": asked["job_version"] + 1, "job_id": asked["job_id"], "platform": "Android 14 (API 34)",
    "failure": None, "app_version": "0.2.0", "runtime_version": "onnxruntime 1.32.0",
    "accelerator_observed": None, "launch": state["launch"],
    "outputs": {{"path": asked["outputs_path"], "dtype": "float32", "shape": state["shape"],
                "sha256": hashlib.sha256(outputs).hexdigest()}},
    "request_sha256": extras["request_sha256"],
}}
answer(folder, {{**content, **state["result"]}})
"""
_EXITS = "ApplicationExitInfo #0:\n pid=7 reason=3 (LOW_MEMORY) subreason=0 status=0 importance=100\n"
_PROPERTIES = "[ro.product.model]: [Pixel 7]\n[ro.build.version.release]: [14]\n[ro.serialno]: [A1B2C3]\n"


# What `nproc` says; empty for this computer's.
_CORES = ""


class PhoneStandIn:
    """One phone; `state` says what its app answers."""

    def __init__(self, folder: Path, artifact: Artifact, launch: Launch, *, api: int = 34) -> None:
        self._folder, self._api = folder, api
        self.sdcard, self._programs = folder / "sdcard", folder / "programs"
        for each in (self.sdcard, self._programs):
            each.mkdir(parents=True)
        golden = artifact.manifest.golden.reference
        media = "Android/media/org.pocketclip.bench"
        self.state: dict[str, Any] = {
            "shared": media if api >= 29 else "Android/data/org.pocketclip.bench/files",
            "facts": {
                "app_version": "0.2.0",
                "platform": "Android 14 (API 34)",
                "result_version": RESULT_VERSION,
                "job_version": JOB_VERSION,
                "runtimes": {"onnxruntime": "1.32.0"},
                "accelerators": {"onnxruntime": ["cpu", "xnnpack", "nnapi"]},
                "models": [],
                "free_bytes": 1 << 30,
                "debuggable": False,
            },
            "device": {
                "name": "Google Pixel 6",
                "kind": "phone",
                "os": "Android 13 (API 33)",
                "machine": "aarch64",
                "cpu": "Google Tensor",
                "isa": ["neon"],
                "logical_cores": 8,
                "memory_bytes": 8 << 30,
                "soc": "Google Tensor",
                "instance": None,
            },
            "stage": {"staged": True, "failure": None},
            "launch": documents.to_builtin(launch),
            "outputs": str(artifact.folder / golden.file),
            "shape": list(golden.shape),
            "result": {},
            "crash": False,
        }

    def run(self, sent: bytes, name: str) -> bytes:
        """Unpacks what was sent and carries the script out; the archive of its results, as the farm makes it."""
        with zipfile.ZipFile(io.BytesIO(sent)) as archive:
            archive.extractall(self.sdcard)
        self._install()
        results = self._folder / "results"
        command = ["sh", f"{self.sdcard}/{name}/phone.sh", f"{self.sdcard}/{name}", str(results), name, "60", "0"]
        subprocess.run(
            [*command, str(self.sdcard)],
            env={**os.environ, "PATH": f"{self._programs}{os.pathsep}{os.environ['PATH']}"},
            check=True,
            timeout=240,
        )
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("Host_Machine_Files/$DEVICEFARM_LOG_DIR/appium.log", "of others")
            for file in sorted(results.rglob("*")):
                if file.is_file():
                    place = file.relative_to(results).as_posix()
                    archive.write(file, f"Host_Machine_Files/$DEVICEFARM_LOG_DIR/pocketclip-out/{place}")
        return content.getvalue()

    def loop(self, sent: bytes) -> bytes:
        """What the app does by itself where a farm only starts it, as `FarmLoop` of `android_app` does; its zip."""
        shared = self.sdcard / self.state["shared"]
        with zipfile.ZipFile(io.BytesIO(sent)) as archive:
            archive.extractall(shared)
        self._install()
        order = json.loads((shared / "loop.json").read_text())
        results = {"device.json": json.dumps(self.state["device"]).encode()}
        launches: list[tuple[str, Path, list[str]]] = [("facts", shared / "facts", ["-e", "action", "facts"])]
        for each in order["launches"]:
            folder = shared / order["token"] / each["folder"]
            folder.mkdir()
            request = (shared / order["token"] / "requests" / f"{each['folder']}.json").read_bytes()
            (folder / "request.json").write_bytes(request)
            place = f"{order['token']}/{each['folder']}/request.json"
            words = ["-e", "action", each["action"], "-e", "request", place]
            launches.append((each["folder"], folder, [*words, "-e", "request_sha256", each["request_sha256"]]))
        for name, folder, words in launches:
            said = subprocess.run(
                [self._programs / "am", "instrument", "-w", "-r", *words, COMPONENT],
                check=True,
                capture_output=True,
                timeout=240,
            ).stdout
            results |= {f"{name}/said.txt": said, f"{name}/code.txt": b"0\n"}
            if b"shortMsg" in said:
                results[f"{name}/exits.txt"] = _EXITS.encode()
            for file in ("result.json", "outputs.bin"):
                if (folder / file).is_file():
                    results[f"{name}/{file}"] = (folder / file).read_bytes()
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, found in results.items():
                archive.writestr(f"pocketclip-out/{path}", found)
        return content.getvalue()

    def _install(self) -> None:
        state = self._folder / "state.json"
        state.write_text(json.dumps(self.state))
        places = {"state": str(state), "sdcard": str(self.sdcard), "internal": str(self._folder / "internal")}
        self._program("am", _AM.format(python=sys.executable, **places))
        getprop = f'if [ $# = 1 ]; then echo {self._api}; else printf "{_PROPERTIES}"; fi'
        self._program("getprop", f"#!/bin/sh\n{getprop}\n".replace("\n[", "\\n[").replace("]\n", "]\\n", 3))
        self._program("dumpsys", f"#!/bin/sh\ncat <<'END'\n{_EXITS}END\n")
        if _CORES:
            self._program("nproc", f"#!/bin/sh\necho {_CORES}\n")
        for name in ("svc", "input", "wm"):
            self._program(name, "#!/bin/sh\nexit 0\n")

    def _program(self, name: str, text: str) -> None:
        (self._programs / name).write_text(text)
        (self._programs / name).chmod(0o755)
