"""One bench at a time on a device, whatever becomes of its holder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pocketclip.benchmark.devices.leases import lease, lease_file
from pocketclip.benchmark.errors import DeviceBusyError
from pocketclip.export.artifact.reading import Artifact

ROOT = Path(__file__).parents[3]

HOLDER = """
import sys, time
from pocketclip.benchmark.devices.leases import lease
with lease("adb-X", name="pixel7"):
    print("held", flush=True)
    time.sleep(float(sys.argv[1]))
"""


@pytest.fixture(autouse=True)
def own_leases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETCLIP_LEASES", str(tmp_path / "leases"))


def hold(seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(seconds)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_the_second_is_told_who_holds_the_device() -> None:
    with hold(60) as process:
        with pytest.raises(DeviceBusyError) as caught, lease("adb-X", name="pixel7"):
            pass
        words = rf"pixel7 is in use by another process \(process {process.pid}, since 20..-"
        assert caught.match(words) and caught.match("--wait SECONDS")
        assert (caught.value.exit_code, caught.value.code) == (17, "device-busy")
        with lease("adb-Y", name="another"):
            pass
        process.kill()


def test_a_dead_holders_lease_is_free() -> None:
    with hold(60) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    with lease("adb-X", name="pixel7"):
        assert f'"pid": {os.getpid()}' in lease_file("adb-X").with_suffix(".json").read_text()
    assert not lease_file("adb-X").with_suffix(".json").exists()


def test_a_holder_is_waited_for() -> None:
    with hold(0.5), lease("adb-X", name="pixel7", wait_seconds=60):
        pass


def test_an_error_in_the_block_frees_the_device() -> None:
    with pytest.raises(KeyboardInterrupt), lease("adb-X", name="pixel7"):
        raise KeyboardInterrupt
    with lease("adb-X", name="pixel7"):
        pass


def test_two_benches_ask_for_one_device(build_artifact: Callable[..., Artifact], tmp_path: Path) -> None:
    def bench(*more: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "pocketclip.benchmark", "--artifact", str(artifact.folder), "--launches", "1"]
        command += ["--iterations", "3", "--cooldown", "0", "--store", str(tmp_path / f"{len(more)}.sqlite"), *more]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    artifact = build_artifact()
    with bench("--min-seconds", "60") as first:
        holder = lease_file("host").with_suffix(".json")
        deadline = time.monotonic() + 60
        while not holder.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        with bench() as second:
            _, stderr = second.communicate(timeout=60)
        assert second.returncode == 17
        assert stderr.startswith("error: host is in use by another process (process ")
        with bench("--wait", "60") as third:
            time.sleep(0.5)
            first.send_signal(signal.SIGINT)
            _, words = first.communicate(timeout=30)
            third.communicate(timeout=60)
    # Python ends by the signal itself where it comes while the interpreter unwinds; a shell shows 130 for both.
    assert first.returncode in (130, -signal.SIGINT), words
    assert third.returncode == 0
