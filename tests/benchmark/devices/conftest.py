"""The emulated phone, where this machine has one, and agents of the standard library that answer well or badly."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from pocketclip.benchmark.arm64.phone import Phone
from pocketclip.benchmark.arm64.root import root_folder
from pocketclip.benchmark.errors import EmulatorError
from pocketclip.benchmark.runners.agent_archive import build_archive

CACHE = Path(os.environ["POCKETCLIP_USER_CACHE"])

# Folders of ours are made below it, apart from those of a bench that may run at the same time.
PHONE_FOLDER = f"/data/local/tmp/tests-{os.getpid()}"

# Does what the first line of the model file says; measures nothing, but answers as the real agent would.
SCRIPTED_AGENT = """
import hashlib, json, os, signal, sys, time
job_path, result_path = sys.argv[1:]
job = json.load(open(job_path))
folder = os.path.dirname(job["model_path"])
fault = open(job["model_path"], "rb").read(64).partition(b"\\n")[0].decode("latin-1")
open(os.path.dirname(result_path) + "/started", "w").close()
if fault == "slow-once" and not os.path.exists(folder + "/slow"):
    open(folder + "/slow", "w").close()
    time.sleep(60)
if fault == "segv":
    os.kill(os.getpid(), signal.SIGSEGV)
if fault == "out-of-memory":
    os.kill(os.getpid(), signal.SIGKILL)
if fault == "hang":
    time.sleep(600)
outputs = open(folder + "/golden_outputs.bin", "rb").read()
open(job["outputs_path"], "wb").write(outputs)
launch = {
    "started_at": "2026-03-01T00:00:00+00:00", "load_average": None, "import_ns": 1, "load_ns": 1,
    "first_inference_ns": 1, "warmup_ns": [1], "warmup_stationary": True, "steady_ns": [1000] * job["iterations"],
    "baseline_bytes": None, "loaded_bytes": None, "peak_before_load_bytes": None, "peak_bytes": None,
    "end_bytes": None, "peak_reset": False, "clock_jump_ns": 5000000000 if fault == "clock-jump" else 0,
}
result = {
    "result_version": 5, "request_sha256": hashlib.sha256(open(job_path, "rb").read()).hexdigest(),
    "job_id": "another" if fault == "foreign" else job["job_id"],
    "platform": "Python 3", "app_version": None, "failure": None,
    "runtime_version": "scripted 1", "accelerator_observed": None,
    "launch": launch,
    "outputs": {
        "path": job["outputs_path"], "dtype": "float32", "shape": [4, 8], "sha256": hashlib.sha256(outputs).hexdigest(),
    },
}
if fault == "nan":
    result["failure"] = {"code": "non-finite-output", "message": "output 0 holds NaN or infinity for sample 0"}
content = json.dumps(result).encode()
written = content[:-9] if fault == "truncated" else bytes([content[0] ^ 1]) + content[1:]
open(result_path, "wb").write(written if fault in ("truncated", "flipped") else content)
print("POCKETCLIP-RESULT", len(content), hashlib.sha256(content).hexdigest(), flush=True)
"""


@pytest.fixture(scope="session")
def scripted_agent() -> bytes:
    """An agent that does what the first line of the model file says: `segv`, `hang`, ...; else it answers well."""
    return build_archive({"__main__.py": SCRIPTED_AGENT.encode()})


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phone]:
    """The emulated phone, running, with a state of its own; processes of pytest-xdist take turns."""
    if os.geteuid() != 0 or not root_folder(CACHE).is_dir():
        pytest.skip("needs root, and the emulated phone that `pocketclip devices create emulator-arm64` makes")
    # Names of sockets are short: not below pytest's folders.
    state = Path(os.environ["POCKETCLIP_CACHE"]) / "phone"
    with FileLock(CACHE / "phone-tests.lock"):
        found = Phone(root_folder(CACHE), state)
        try:
            found.start()
        except EmulatorError as error:
            pytest.skip(f"the emulated phone does not start here: {error}")
        folder = found.root / PHONE_FOLDER.lstrip("/")
        folder.mkdir(exist_ok=True)
        yield found
        found.stop()
        shutil.rmtree(folder)


@pytest.fixture
def phone_folder(phone: Phone) -> str:
    """The folder of the phone below which these tests keep theirs."""
    return PHONE_FOLDER


@pytest.fixture
def workspaces(phone: Phone, phone_folder: str) -> Callable[[], list[Path]]:
    """The folders of ours on the phone, as this machine sees them."""
    return lambda: list((phone.root / phone_folder.lstrip("/")).glob("pocketclip-*"))
