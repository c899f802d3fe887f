"""The package `qai_hub` itself, as it is installed, against AI Hub's API over HTTP on this computer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pocketclip.benchmark import api
from pocketclip.benchmark.errors import FarmError, FarmLoginError, FarmNotFoundError, FarmUnavailableError
from pocketclip.benchmark.farms.aihub_client import HubClient, folder
from pocketclip.benchmark.records.farm import FarmRecord, FarmStatus
from pocketclip.export.artifact.reading import Artifact
from tests.benchmark.farms.conftest import S24, TOKEN, profile

pytestmark = pytest.mark.skipif(
    not (folder() / "qai_hub" / "client.py").is_file(), reason=f"qai-hub is not installed in {folder()}"
)
BuildArtifact = Callable[..., Artifact]


class Server:
    """The service and the configuration of an account there."""

    def __init__(self, tmp_path: Path) -> None:
        self._state, self._port = tmp_path / "state.json", tmp_path / "port"
        self._folder = tmp_path
        self.state: dict[str, Any] = {
            "token": TOKEN,
            "devices": [S24],
            "states": [["SUCCESS", None]],
            "profile": profile(),
            "outputs": {},
        }
        self.write()

    def write(self, **changes: Any) -> None:
        """Changes what the service answers."""
        self.state |= changes
        self._state.write_text(json.dumps(self.state))

    def start(self) -> subprocess.Popen[bytes]:
        """The process, once it listens, and a configuration that names it."""
        program = Path(__file__).with_name("hub_server.py")
        server = subprocess.Popen(
            [sys.executable, "-P", str(program), str(self._state), str(self._port)],
            env={**os.environ, "PYTHONPATH": str(folder())},
        )
        ends = time.monotonic() + 120
        while not self._port.exists():
            assert server.poll() is None and time.monotonic() < ends
            time.sleep(0.1)
        return server

    def configure(self, token: str = TOKEN) -> Path:
        """A configuration as `qai-hub configure` writes it."""
        file = self._folder / "client.ini"
        address = f"http://127.0.0.1:{self._port.read_text()}"
        file.write_text(
            f"[api]\napi_token = {token}\napi_url = {address}\nweb_url = {address}\nverbose = True\n", encoding="utf-8"
        )
        return file

    @property
    def jobs(self) -> list[dict[str, Any]]:
        file = self._folder / "jobs.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> Iterator[Server]:
    """AI Hub over HTTP."""
    found = Server(tmp_path)
    process = found.start()
    try:
        monkeypatch.setenv("QAIHUB_CLIENT_INI", str(found.configure()))
        monkeypatch.setenv("POCKETCLIP_CACHE", str(tmp_path / "cache"))
        yield found
    finally:
        process.kill()
        process.wait()


def bench(artifact: Artifact) -> FarmRecord:
    (record,) = api.bench_farm(artifact.folder, "aihub:Samsung Galaxy S24", accept_cost=lambda cost: True)
    assert isinstance(record, FarmRecord)
    return record


def test_a_tower_is_measured(build_artifact: BuildArtifact, server: Server) -> None:
    artifact = build_artifact()
    values = artifact.golden(artifact.manifest.golden.reference)
    server.write(outputs={"embedding": ["float32", [[row] for row in values.tolist()]]})
    record = bench(artifact)
    assert record.status is FarmStatus.MEASURED, record.reason
    assert record.times is not None and record.times.inference_ns == (1_300_000, 1_200_000, 1_250_000, 1_280_000)
    assert record.memory is not None and record.memory.peak_low_bytes == 20_000_000
    assert record.layers == {"npu": 1}
    (job,) = server.jobs
    assert job["name"].startswith("pocketclip-") and job["device"] == S24[:2] and job["profile"]
    assert job["options"] == "--max_profiler_iterations 100"
    assert job["model"] == artifact.manifest.model_size_bytes and job["inputs"]
    # What was submitted is found by its name, in the listing of jobs.
    assert HubClient().find(job["name"]) == "j0"
    assert HubClient().find("pocketclip-of-nobody") is None


def test_a_job_that_fails(build_artifact: BuildArtifact, server: Server) -> None:
    server.write(states=[["FAILED", "the device rebooted"]])
    assert bench(build_artifact()).reason == "farm-run-failed: failed: the device rebooted"


def test_refusals(
    build_artifact: BuildArtifact, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = build_artifact()
    with pytest.raises(FarmNotFoundError):
        HubClient().status("j7")
    server.configure(token="expired-t0ken")
    with pytest.raises(FarmLoginError, match="Failed to authenticate") as caught:
        bench(artifact)
    assert "expired-t0ken" not in str(caught.value)
    server.configure()
    for status, kind in ((403, FarmLoginError), (413, FarmError), (426, FarmError)):
        server.write(statuses={"GET devices": status})
        with pytest.raises(kind):
            bench(artifact)
    (tmp_path / "client.ini").write_text("[api]\napi_url = http://127.0.0.1:1\n")
    with pytest.raises(FarmLoginError, match="configure --api_token"):
        bench(artifact)
    monkeypatch.setenv("QAIHUB_CLIENT_INI", str(tmp_path / "nothing.ini"))
    with pytest.raises(FarmLoginError, match="configure --api_token"):
        bench(artifact)
    assert server.jobs == []


@pytest.mark.slow
def test_nobody_answers(server: Server, tmp_path: Path) -> None:
    """After the package's own retries, which take half a minute."""
    (tmp_path / "client.ini").write_text(
        f"[api]\napi_token = {TOKEN}\napi_url = http://127.0.0.1:1\nweb_url = http://127.0.0.1:1\n"
    )
    with pytest.raises(FarmUnavailableError, match="Could not connect"):
        HubClient().devices()
