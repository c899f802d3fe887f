"""Facts about the machine that this process runs on."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from pathlib import Path

from pocketclip.benchmark.records.benchmark import DeviceFacts, DeviceKind

# /proc/cpuinfo's name of an instruction set -> that in records; those that inference kernels ask for.
ISA_NAMES: dict[str, str] = {
    "sse4_2": "sse4.2",
    "avx": "avx",
    "f16c": "f16c",
    "fma": "fma",
    "avx2": "avx2",
    "avx_vnni": "avx_vnni",
    "avx512f": "avx512f",
    "avx512_vnni": "avx512_vnni",
    "avx512_bf16": "avx512_bf16",
    "avx512_fp16": "avx512_fp16",
    "amx_int8": "amx_int8",
    "asimd": "neon",
    "neon": "neon",
    "asimdhp": "fp16",
    "asimddp": "dotprod",
    "i8mm": "i8mm",
    "bf16": "bf16",
    "sve": "sve",
    "sve2": "sve2",
    "sme": "sme",
}
# The same on Apple's systems: `sysctl` keys.
_APPLE_ISA: dict[str, str] = {
    "hw.optional.neon": "neon",
    "hw.optional.arm.FEAT_FP16": "fp16",
    "hw.optional.arm.FEAT_DotProd": "dotprod",
    "hw.optional.arm.FEAT_I8MM": "i8mm",
    "hw.optional.arm.FEAT_BF16": "bf16",
    "hw.optional.avx2_0": "avx2",
    "hw.optional.avx512f": "avx512f",
}


def host_facts(name: str) -> DeviceFacts:
    """What this machine is, as far as the system tells."""
    # Imported here: only measuring needs it.
    import psutil

    return DeviceFacts(
        name=name,
        kind=DeviceKind.HOST,
        os=_os_name(),
        machine=platform.machine() or "unknown",
        cpu=_cpu_name(),
        isa=_isa(),
        logical_cores=os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        instance=instance_id(_machine_id()),
    )


def instance_id(identity: str) -> str:
    """What tells a machine from others of its name in records, from its serial or id, which it does not give away."""
    return hashlib.sha256(f"pocketclip instance {identity}".encode()).hexdigest()[:16]


def parse_isa(cpuinfo: str) -> tuple[str, ...]:
    """The instruction sets of interest among the flags of a `/proc/cpuinfo`, x86 or Arm."""
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip().lower() in ("flags", "features"):
            flags = set(value.split())
            return tuple(dict.fromkeys(known for flag, known in ISA_NAMES.items() if flag in flags))
    return ()


def parse_cpu_name(cpuinfo: str) -> str | None:
    """The processor's name in a `/proc/cpuinfo`; Arm kernels give none, or the board's."""
    for wanted in ("model name", "Hardware", "Model"):
        for line in cpuinfo.splitlines():
            key, _, value = line.partition(":")
            if key.strip() == wanted and value.strip():
                return value.strip()
    return None


def _isa() -> tuple[str, ...]:
    if sys.platform == "darwin":
        found = (known for key, known in _APPLE_ISA.items() if _sysctl(key) == "1")
        return tuple(dict.fromkeys(found))
    return parse_isa(_cpuinfo())


def _cpu_name() -> str:
    named = _sysctl("machdep.cpu.brand_string") if sys.platform == "darwin" else parse_cpu_name(_cpuinfo())
    return named or platform.processor() or platform.machine() or "unknown"


def _machine_id() -> str:
    try:
        return Path("/etc/machine-id").read_text().strip() or platform.node()
    except OSError:
        return platform.node()


def _os_name() -> str:
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}"
    kernel = f"{platform.system()} {platform.release()}"
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {kernel}"
    except (OSError, KeyError):
        return kernel


def _cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""


def _sysctl(key: str) -> str | None:
    asked = subprocess.run(["/usr/sbin/sysctl", "-n", key], capture_output=True, text=True, check=False)
    return asked.stdout.strip() or None if asked.returncode == 0 else None
