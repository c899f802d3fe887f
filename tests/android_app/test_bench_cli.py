"""The bench core as the harness meets it: facts, stage, measure and forget by files and one line of result."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pocketclip.benchmark.records.benchmark import LoadMode, WarmupRule
from pocketclip.benchmark.records.launch import Launch
from pocketclip.benchmark.runners.protocol import JOB_VERSION, RESULT_VERSION, AgentResult, InputFile, Job, OutputFile
from pocketclip.export.artifact.reading import Artifact, load_artifact
from pocketclip.export.precision import Tower
from pocketclip.models import documents
from pocketclip.models.errors import PocketClipError

from .maven_build import Build

pytestmark = pytest.mark.slow

_STATE: dict[str, Any] = {
    "battery_percent": 80,
    "charging": True,
    "power_saver": False,
    "thermal_status": 0,
    "thermal_headroom": 0.31,
    "temperature_celsius": 36.5,
    "debuggable": False,
}


@dataclass(frozen=True)
class Phone:
    """Folders and state of a phone, and the program on it."""

    jar: Path
    folder: Path

    @property
    def external(self) -> Path:
        return self.folder / "external"

    @property
    def internal(self) -> Path:
        return self.folder / "internal"

    def tell(self, **changes: Any) -> None:
        """What the system's services say from now on."""
        (self.folder / "state.json").write_text(json.dumps(_STATE | changes))

    def run(self, action: str, request: object | None = None) -> tuple[dict[str, Any], str]:
        """Runs an action; returns its answer, of which length and hash were as announced, and what was printed."""
        arguments = [action]
        if request is not None:
            place = f"request-{uuid.uuid4()}/request.json"
            self.write(place, json.dumps(request).encode())
            arguments.append(place)
        result = self.raw(*arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        announced = re.search(r"^INSTRUMENTATION_RESULT: pocketclip=(\d+) ([0-9a-f]{64})$", result.stdout, re.MULTILINE)
        assert announced, result.stdout
        assert result.stdout.endswith("INSTRUMENTATION_CODE: -1\n")
        folder = "facts" if request is None else arguments[1].split("/")[0]
        content = (self.external / folder / "result.json").read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (int(announced[1]), announced[2])
        return json.loads(content), result.stdout

    def raw(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["java", "-jar", str(self.jar), "--external", str(self.external), "--internal", str(self.internal)]
        return subprocess.run(
            [*command, "--state", str(self.folder / "state.json"), *arguments],
            capture_output=True,
            text=True,
            timeout=120,
        )

    def write(self, path: str, content: bytes) -> None:
        target = self.external / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


@pytest.fixture
def phone(proof: Build, tmp_path: Path) -> Phone:
    """A phone without models."""
    made = Phone(proof.bench_cli, tmp_path)
    made.external.mkdir()
    made.internal.mkdir()
    made.tell()
    return made


@pytest.fixture
def artifact(onnx_artifacts: dict[Tower, Path]) -> Artifact:
    """pocketclip_nano's image tower."""
    return load_artifact(onnx_artifacts[Tower.IMAGE])


def _stage(phone: Phone, artifact: Artifact) -> dict[str, Any]:
    manifest = artifact.manifest
    for entry in manifest.model_files:
        phone.write(f"pushed/{entry.path}", (artifact.folder / entry.path).read_bytes())
    files = [documents.to_builtin(entry) for entry in manifest.model_files]
    request = {"artifact_sha256": manifest.sha256, "folder": "pushed", "files": files}
    return phone.run("stage", request)[0]


def _job(phone: Phone, artifact: Artifact, **changes: Any) -> dict[str, Any]:
    golden = artifact.manifest.golden.inputs
    phone.write("job/inputs.bin", (artifact.folder / golden.file).read_bytes())
    job = Job(
        job_id=str(uuid.uuid4()),
        runtime="onnxruntime",
        model_path=f"models/{artifact.manifest.sha256}/{artifact.manifest.entry_point}",
        inputs=(InputFile("job/inputs.bin", golden.dtype, golden.shape),),
        threads=1,
        warmup=WarmupRule(),
        iterations=12,
        minimum_seconds=0.0,
        sustained_seconds=None,
        cores=None,
        accelerator="cpu",
        load_mode=LoadMode.FILE,
        outputs_path="job/outputs.bin",
    )
    return documents.to_builtin(job) | changes


def _parse(answer: dict[str, Any]) -> AgentResult:
    return documents.parse(AgentResult, json.dumps(answer), source="the answer", error=PocketClipError)


def _measured(result: AgentResult) -> tuple[Launch, OutputFile]:
    assert result.failure is None
    assert result.launch is not None
    assert result.outputs is not None
    return result.launch, result.outputs


def test_a_model_is_staged_measured_and_forgotten(phone: Phone, artifact: Artifact) -> None:
    facts, _ = phone.run("facts")
    assert (facts["job_version"], facts["result_version"], facts["models"]) == (JOB_VERSION, RESULT_VERSION, [])
    assert facts["runtimes"]["onnxruntime"].startswith("onnxruntime ")
    assert facts["accelerators"] == {"onnxruntime": ["cpu"]}

    assert _stage(phone, artifact) == {"staged": True, "failure": None}
    assert not (phone.external / "pushed").exists()
    assert phone.run("facts")[0]["models"] == [artifact.manifest.sha256]

    job = _job(phone, artifact)
    answer, printed = phone.run("measure", job)
    result = _parse(answer)
    launch, outputs = _measured(result)
    assert result.job_id == job["job_id"]
    assert result.platform.startswith("OpenJDK ")
    assert result.accelerator_observed == "cpu"
    assert len(launch.steady_ns) == 12
    assert launch.before is not None
    assert (launch.before.thermal_headroom, launch.before.temperature_celsius) == (0.31, 36.5)
    assert launch.during
    assert launch.peak_bytes is None or launch.peak_bytes > 0
    assert abs(launch.clock_jump_ns or 0) < 10**9
    content = (phone.external / outputs.path).read_bytes()
    assert hashlib.sha256(content).hexdigest() == outputs.sha256
    golden = artifact.golden(artifact.manifest.golden.outputs)
    assert np.abs(np.frombuffer(content, "<f4").reshape(outputs.shape) - golden.reshape(outputs.shape)).max() < 1e-4
    words = re.findall(
        r"^INSTRUMENTATION_STATUS: progress=(.*)\nINSTRUMENTATION_STATUS_CODE: 1$", printed, re.MULTILINE
    )
    assert words == ["loaded; warming up", "measuring"]

    forgotten, _ = phone.run("forget", {"artifact_sha256": [artifact.manifest.sha256]})
    assert forgotten == {"forgotten": [artifact.manifest.sha256], "failure": None}
    assert _parse(phone.run("measure", job)[0]).failure is not None


def test_threads_cores_and_load_modes(phone: Phone, artifact: Artifact) -> None:
    _stage(phone, artifact)
    core = min(os.sched_getaffinity(0))
    job = _job(phone, artifact, threads=2, cores=[core], load_mode="memory", sustained_seconds=0.2)
    launch, _ = _measured(_parse(phone.run("measure", job)[0]))
    assert len(launch.minutes) == 1


@pytest.mark.parametrize(
    ("state", "changes", "code"),
    [
        ({"battery_percent": 12, "charging": False}, {}, "low-battery"),
        ({"power_saver": True}, {}, "power-saver"),
        ({"thermal_status": 2}, {}, "thermal"),
        ({"debuggable": True}, {}, "debuggable"),
        ({}, {"accelerator": "nnapi"}, "accelerator-missing"),
        ({}, {"runtime": "executorch"}, "bad-job"),
        ({}, {"job_version": 2}, "bad-job"),
        ({}, {"unknown": 1}, "bad-job"),
        ({}, {"outputs_path": "../outside.bin"}, "path-outside"),
        ({}, {"cores": [900]}, "bad-job"),
    ],
)
def test_what_is_not_measured(
    phone: Phone, artifact: Artifact, state: dict[str, Any], changes: dict[str, Any], code: str
) -> None:
    _stage(phone, artifact)
    phone.tell(**state)
    job = _job(phone, artifact, **changes)
    result = _parse(phone.run("measure", job)[0])
    assert result.failure is not None
    assert result.failure.code == code
    assert result.job_id == job["job_id"]
    assert result.launch is None
    assert not (phone.folder / "outside.bin").exists()


def test_models_that_are_damaged(phone: Phone, artifact: Artifact) -> None:
    entry = artifact.manifest.entry_point
    phone.write(f"pushed/{entry}", (artifact.folder / entry).read_bytes()[:-1])
    files = [documents.to_builtin(each) for each in artifact.manifest.model_files]
    request = {"artifact_sha256": artifact.manifest.sha256, "folder": "pushed", "files": files}
    assert phone.run("stage", request)[0]["failure"]["code"] == "model-altered"
    assert phone.run("facts")[0]["models"] == []

    _stage(phone, artifact)
    stored = phone.internal / "models" / artifact.manifest.sha256 / entry
    content = bytearray(stored.read_bytes())
    content[len(content) // 2] ^= 1
    stored.write_bytes(content)
    result = _parse(phone.run("measure", _job(phone, artifact))[0])
    assert result.failure is not None
    assert result.failure.code == "model-altered"


def test_wrong_use_ends_with_another_code(phone: Phone) -> None:
    for arguments in (("dance",), ("measure",), ("measure", "../job.json")):
        result = phone.raw(*arguments)
        assert result.returncode == 1
        assert "INSTRUMENTATION_CODE: 0" in result.stdout
        assert "Exception in thread" not in result.stderr
    assert phone.raw().returncode == 2
    (phone.folder / "state.json").write_text("{}")
    shutil.rmtree(phone.external)
    assert phone.raw("facts").returncode == 0
