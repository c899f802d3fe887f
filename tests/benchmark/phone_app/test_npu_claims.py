"""What an app says of the NPU, believed only as far as it proves it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from pocketclip.benchmark.errors import MeasurementError
from pocketclip.benchmark.phone_app.app_protocol import AppFacts
from pocketclip.benchmark.phone_app.app_runner import AppRunner, check_npu_libraries
from pocketclip.benchmark.records.benchmark import RunSettings
from pocketclip.benchmark.records.placement import NpuPlacement
from pocketclip.benchmark.runners.chip_artifacts import for_chip
from pocketclip.benchmark.runners.protocol import JOB_VERSION, RESULT_VERSION, AgentResult, Job, OutputFile
from pocketclip.export.artifact.reading import Artifact
from tests.android_app.test_phone.npu import SDK, stand_in

NPU = RunSettings(launches=1, accelerator="npu")


def facts(version: str | None = f"onnxruntime 1.23.2, QNN {SDK}") -> AppFacts:
    return AppFacts(
        app_version="0.1.0",
        platform="Android 15",
        result_version=RESULT_VERSION,
        job_version=JOB_VERSION,
        runtimes={"onnxruntime": version},
        accelerators={"onnxruntime": ("cpu", "npu")},
        models=(),
        free_bytes=None,
        debuggable=False,
    )


class ClaimingApp:
    """An app that measures right, and says what it is told to say of who executed the model."""

    label = "a phone"
    sha256 = "a" * 64

    def __init__(self, artifact: Artifact, launch: Any, observed: str | None) -> None:
        self._content = artifact.golden(artifact.manifest.golden.outputs).astype("<f4").tobytes()
        self._shape = artifact.manifest.golden.outputs.shape
        self._launch = launch
        self._observed = observed

    def facts(self) -> AppFacts:
        return facts()

    def put_model(self, artifact: Artifact) -> str:
        return artifact.manifest.entry_point

    def put_inputs(self, artifact: Artifact) -> str:
        return "inputs.bin"

    def new_folder(self) -> str:
        return "launch-1"

    def measure(self, job: Job, folder: str, *, timeout_seconds: float) -> AgentResult:
        rows, width = self._shape
        digest = hashlib.sha256(self._content).hexdigest()
        return AgentResult(
            RESULT_VERSION,
            job.job_id,
            "Android 15",
            failure=None,
            runtime_version="onnxruntime 1.23.2",
            accelerator_observed=self._observed,
            launch=self._launch,
            outputs=OutputFile(job.outputs_path, "float32", (rows, width), digest),
        )

    def fetch(self, path: str) -> bytes:
        return self._content

    def forget_sent(self) -> None:
        pass


@pytest.fixture
def prepared(build_artifact: Any, tmp_path: Path) -> Artifact:
    return for_chip(stand_in(build_artifact("plain"), tmp_path / "prepared"), "SM8650", "a phone")


@pytest.mark.parametrize(
    ("observed", "words"),
    [
        ("cpu", "accelerator-fallback: npu was asked for, and cpu executed it"),
        ("npu+cpu", r"and npu\+cpu executed it"),
        (None, "and something that the runtime does not tell executed it"),
    ],
)
def test_a_success_that_was_not_the_npus_is_none(
    prepared: Artifact, make: Any, observed: str | None, words: str
) -> None:
    runner = AppRunner(ClaimingApp(prepared, make.launch(1.0), observed))
    with pytest.raises(MeasurementError, match=words):
        runner.run(prepared, "onnxruntime", NPU, timeout_seconds=1)


def test_a_success_of_the_npus_counts(prepared: Artifact, make: Any) -> None:
    runner = AppRunner(ClaimingApp(prepared, make.launch(1.0), "npu"))
    assert runner.run(prepared, "onnxruntime", NPU, timeout_seconds=1).accelerator_observed == "npu"


@pytest.mark.parametrize(
    ("told", "old"),
    [
        ("onnxruntime 1.23.2, QNN v2.49.40.1", False),
        ("onnxruntime 1.23.2, QNN v2.50.0", False),
        ("onnxruntime 1.23.2, QNN 3.0", False),
        ("onnxruntime 1.23.2, QNN 2.49.39", True),
        ("onnxruntime 1.23.2, QNN 2.48", True),
        # Not told: loading shows.
        ("onnxruntime 1.23.2", False),
        ("onnxruntime 1.23.2, QNN newest", False),
        (None, False),
    ],
)
def test_versions_of_qualcomms_libraries(told: str | None, old: bool) -> None:
    placement = NpuPlacement("SM8650", SDK, 1, 4, 0, 1000)
    if old:
        with pytest.raises(MeasurementError, match=r"npu-version: the graph for SM8650 was prepared by QNN 2\.49\.40"):
            check_npu_libraries(facts(told), "onnxruntime", placement, "a phone")
    else:
        check_npu_libraries(facts(told), "onnxruntime", placement, "a phone")
