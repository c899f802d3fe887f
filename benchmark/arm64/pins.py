"""What the emulated phone is made of: one literal table; a change of it makes another root.

ExecuTorch's Python runtime links to PyTorch's libraries. PyTorch 2.10.0 is the last wheel for aarch64 without CUDA, and
newer releases of ExecuTorch do not load with it; 1.1.0 does, and reads the files that 1.5.1 writes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

LAUNCHER_SOURCE = Path(__file__).parent / "launch.c"

# Dotprod and fp16, as a Pixel's cores. QEMU's own default, `max`, selects SVE kernels, which take minutes or crash.
_CPU = "cortex-a76"

# The registers by which kernels are chosen, of a Cortex-A76 r4p1: without them XNNPACK takes its generic ones.
_MIDR = "0x00000000414fd0b1"
_CPUINFO = """\
processor\t: 0
BogoMIPS\t: 50.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x4
CPU part\t: 0xd0b
CPU revision\t: 1

"""


def _processor_files() -> dict[str, str]:
    # One core: with none XNNPACK does not start, and with the PC's own files ONNX Runtime crashes.
    cores = "sys/devices/system/cpu"
    return {
        f"{cores}/possible": "0-0\n",
        f"{cores}/present": "0-0\n",
        f"{cores}/online": "0-0\n",
        f"{cores}/cpu0/regs/identification/midr_el1": f"{_MIDR}\n",
        "proc/cpuinfo": _CPUINFO,
    }


@dataclass(frozen=True)
class Pins:
    """The parts of a root.

    `cpu` is QEMU's name of the processor; `suite` and `packages` are Debian's for the phone, `qemu_suite` and
    `qemu_packages` for the emulator: a release whose user mode takes the counting plugin. `wheels` maps
    distributions to versions, installed without their dependencies: only what the runtimes import is here. `removed`
    are files of the wheels that would import more, below the folder of wheels; `files` what the root gets besides,
    by path. `programs` are those that adbd and its shell start, by path: each gets a launcher in its place (see
    `launch.c`, whose hash is `launcher_sha256`).
    """

    cpu: str = _CPU
    suite: str = "trixie"
    packages: tuple[str, ...] = (
        "adbd",
        "busybox",
        "libgomp1",
        "libpython3.13-stdlib",
        "libstdc++6",
        "python3-minimal",
    )
    qemu_suite: str = "bookworm"
    qemu_packages: tuple[str, ...] = ("qemu-user",)
    python: str = "3.13"
    platforms: tuple[str, ...] = (
        "manylinux_2_28_aarch64",
        "manylinux_2_27_aarch64",
        "manylinux_2_17_aarch64",
        "manylinux2014_aarch64",
    )
    wheels: dict[str, str] = field(
        default_factory=lambda: {
            "ai-edge-litert": "2.3.0",
            "executorch": "1.1.0",
            "numpy": "2.4.6",
            "onnxruntime": "1.32.0",
            "torch": "2.10.0",
            "typing-extensions": "4.12.2",
        }
    )
    # It imports ExecuTorch's compiler, which no phone has.
    removed: tuple[str, ...] = ("executorch/exir/__init__.py",)
    files: dict[str, str] = field(default_factory=_processor_files)
    programs: tuple[str, ...] = (
        "usr/bin/busybox",
        "usr/bin/python3.13",
        "usr/lib/android-sdk/platform-tools/adbd",
    )
    launcher_sha256: str = field(default_factory=lambda: hashlib.sha256(LAUNCHER_SOURCE.read_bytes()).hexdigest())

    @property
    def key(self) -> str:
        """A short hash over everything above, by which the cache finds the root."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


PINS = Pins()
