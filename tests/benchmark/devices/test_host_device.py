"""Facts of the host, and the registry of devices."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pocketclip.benchmark.devices import HostDevice, open_device
from pocketclip.benchmark.errors import TransportError, UnknownDeviceError
from pocketclip.benchmark.platforms.host import parse_cpu_name, parse_isa
from pocketclip.benchmark.records.benchmark import DeviceKind
from pocketclip.benchmark.transport import Execution, LocalTransport
from pocketclip.export.precision import TargetName

X86 = "model name\t: AMD EPYC\nflags\t\t: fpu sse4_2 avx avx2 fma avx512f avx512_vnni\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd aes asimdhp asimddp i8mm bf16\nCPU part\t: 0xd41\n"


def test_unknown_device_lists_those_that_exist() -> None:
    with pytest.raises(UnknownDeviceError, match="there is no device 'toaster'; `pocketclip devices` lists all"):
        open_device("toaster")


def test_host_facts() -> None:
    facts = open_device("host").facts()
    assert facts.kind is DeviceKind.HOST
    assert facts.logical_cores == os.cpu_count()
    assert (facts.memory_bytes or 0) > 1 << 28
    assert facts.cpu


def test_isa_is_named_alike_on_both_architectures() -> None:
    assert parse_isa(X86) == ("sse4.2", "avx", "fma", "avx2", "avx512f", "avx512_vnni")
    assert parse_isa(ARM) == ("neon", "fp16", "dotprod", "i8mm", "bf16")
    assert parse_isa("") == ()


def test_cpu_name() -> None:
    assert parse_cpu_name(X86) == "AMD EPYC"
    assert parse_cpu_name(ARM) is None
    assert parse_cpu_name("Hardware\t: BCM2835\n") == "BCM2835"


def test_core_ml_is_timed_on_macos_alone() -> None:
    assert HostDevice(platform="linux").untimed_reason(TargetName.COREML) == "Core ML on Linux: parity only"
    assert HostDevice(platform="darwin").untimed_reason(TargetName.COREML) is None
    # With all specialisations, `mac` times it.
    assert HostDevice(platform="darwin").untimed_reason(TargetName.COREAI) == "Core AI on macOS: parity only"
    assert HostDevice(platform="linux").untimed_reason(TargetName.ONNX) is None


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-11, "ended by SIGSEGV (exit code -11)"),
        (139, "ended by SIGSEGV (exit code 139)"),
        (-9, "often because memory ran out"),
        (3, "exit code 3"),
        (None, "stopped at the time limit"),
    ],
)
def test_endings_are_worded(code: int | None, words: str) -> None:
    described = Execution(code, "", "first\n\nsecond\nthird\nlast\n").describe()
    assert words in described
    assert described.endswith("stderr: second | third | last")


def test_local_transport_words_what_it_cannot_copy(tmp_path: Path) -> None:
    transport = LocalTransport()
    with pytest.raises(TransportError, match=r"cannot copy .*missing to .*: No such file"):
        transport.push(tmp_path / "missing", str(tmp_path / "goal"))
    with pytest.raises(TransportError, match="No such file"):
        transport.pull(str(tmp_path / "missing"), tmp_path / "goal")


def test_local_transport_runs_in_the_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import os; print(os.getcwd())"]
    execution = LocalTransport().execute(command, folder=str(tmp_path), timeout_seconds=30)
    assert execution.exit_code == 0
    assert Path(execution.stdout.strip()) == tmp_path.resolve()
