"""Which runtime a native library belongs to, and how much of a package each runtime takes."""

from __future__ import annotations

from dataclasses import dataclass

from pocketclip.benchmark.app_check.package_file import PackageFile

# By how the names of libraries begin; the first that fits.
_RUNTIMES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("ONNX Runtime", ("libonnxruntime",)),
    ("ExecuTorch", ("libexecutorch", "libqnn_executorch", "libneuron_backend")),
    ("LiteRT", ("libtensorflowlite", "libLiteRt", "liblitert", "libtflite")),
    ("Qualcomm QNN", ("libQnn", "libqnn", "libSnpe", "libSNPE")),
    ("C++ runtime", ("libc++_shared",)),
)
OTHERS = "other libraries"


@dataclass(frozen=True)
class RuntimeSize:
    """Bytes of one runtime's libraries for one processor: on the phone, and packed in the file."""

    runtime: str
    abi: str
    size_bytes: int
    packed_bytes: int


def runtime_of(name: str) -> str:
    """The runtime that a library's name tells."""
    return next((runtime for runtime, beginnings in _RUNTIMES if name.startswith(beginnings)), OTHERS)


def runtime_sizes(package: PackageFile) -> tuple[RuntimeSize, ...]:
    """Sizes by runtime and processor, the largest first."""
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for each in package.libraries:
        abi = each.folder or (each.library.abi if each.library is not None else "")
        key = (runtime_of(each.name), abi)
        size, packed = sums.get(key, (0, 0))
        sums[key] = (size + each.size_bytes, packed + each.packed_bytes)
    found = [RuntimeSize(runtime, abi, *sizes) for (runtime, abi), sizes in sums.items()]
    return tuple(sorted(found, key=lambda each: (-each.size_bytes, each.runtime, each.abi)))
