"""The emulated phone itself, where this machine has one: `python -m pocketclip.benchmark.arm64 create` makes it."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from pocketclip.benchmark.agent.counting import MARK
from pocketclip.benchmark.arm64.counting import CountSettings, count_candidate
from pocketclip.benchmark.arm64.emulator import Emulator
from pocketclip.benchmark.arm64.root import ensure_root, root_folder
from pocketclip.benchmark.arm64.table import faults
from pocketclip.benchmark.perf.candidates import candidate_of
from pocketclip.export.artifact.reading import Artifact

CACHE = Path(os.environ["POCKETCLIP_USER_CACHE"])

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        os.geteuid() != 0 or not root_folder(CACHE).is_dir(),
        reason="needs root, and the emulated phone that `python -m pocketclip.benchmark.arm64 create` makes",
    ),
]

LOAD_ADDRESS = 0x400000


@pytest.fixture(scope="module")
def emulator() -> Emulator:
    return ensure_root(print, CACHE)


def program(turns: int) -> bytes:
    """A static arm64 executable: a mark, a loop of two instructions taken `turns` times, a mark, the end."""

    def movz(register: int, value: int) -> int:
        return 0xD2800000 | value << 5 | register

    def mark() -> list[int]:
        return [movz(0, MARK & 0xFFFF), 0xF2A00000 | (MARK >> 16) << 5, movz(8, 57), 0xD4000001]

    subtract_one, back_unless_zero = 0xF1000421, 0x54000001 | (-1 & 0x7FFFF) << 5
    code = [*mark(), movz(1, turns), subtract_one, back_unless_zero, *mark(), movz(0, 0), movz(8, 94), 0xD4000001]
    body = struct.pack(f"<{len(code)}I", *code)
    headers = 64 + 56
    size = headers + len(body)
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = identity + struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, LOAD_ADDRESS + headers, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, LOAD_ADDRESS, LOAD_ADDRESS, size, size, 0x10000)
    return header + segment + body


@pytest.mark.parametrize("turns", [1, 1000, 65535])
def test_the_counter_is_exact(emulator: Emulator, tmp_path: Path, turns: int) -> None:
    path = tmp_path / "loop"
    path.write_bytes(program(turns))
    path.chmod(0o755)
    with emulator.workspace() as folder:
        emulator.push(path, f"{folder}/loop")
        (emulator.root / folder.lstrip("/") / "loop").chmod(0o755)
        execution, counts = emulator.count([f"{folder}/loop"], folder=folder, timeout_seconds=60)
    assert execution.exit_code == 0 and counts is not None, execution.describe()
    first, second = counts.marks
    # The loop, the move before it, and the four of the second mark.
    assert second - first == 2 * turns + 5
    assert counts.threads == 1


def test_a_program_that_crashes_has_no_counts(emulator: Emulator) -> None:
    command = ["/usr/bin/python3", "-c", "import os; os.kill(os.getpid(), 11)"]
    with emulator.workspace() as folder:
        execution, counts = emulator.count(command, folder=folder, timeout_seconds=60)
    assert counts is None
    assert execution.signal_name == "SIGSEGV"


def test_inferences_repeat_and_agree(emulator: Emulator, build_artifact: Callable[..., Artifact]) -> None:
    record = count_candidate(candidate_of(build_artifact()), emulator, CountSettings(warmup=2, counted=2))
    assert list(faults([record])) == []
    assert record.max_abs is not None and record.max_abs < 1e-4
    assert record.instructions is not None and 1e3 < record.instructions < 1e7
    assert (record.runtime_version or "").startswith("onnxruntime ")
