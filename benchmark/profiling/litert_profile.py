"""LiteRT's profiler, which its Python interface does not offer: the C library of the same wheel does.

XNNPACK reports each of its own ops there, so that what a delegate spends is known by op too. Events are structures
in memory whose layout is not versioned; what does not look like events is refused.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Sequence
from ctypes import byref, c_char_p, c_int, c_int64, c_size_t, c_uint64, c_void_p
from pathlib import Path
from typing import Any

import numpy as np

from pocketclip.benchmark.errors import ProfilingError
from pocketclip.benchmark.profiling.tally import Tally
from pocketclip.benchmark.records.profile import OpProfile
from pocketclip.export.runtimes import runtime_version

_DELEGATE = "XNNPACK"
_CPU = 1
_LOCK_TO_WRITE = 1
# litert/c/litert_profiler_event.h
_GENERAL, _OPERATOR, _DELEGATE_OPERATOR, _HIGHEST_TYPE = 1, 2, 8, 1 << 8
_SOURCES = frozenset({0, 1, 2})


class _MemoryUsage(ctypes.Structure):
    _fields_ = (("resident_kb", c_int64), ("hoard_kb", c_int64), ("private_kb", c_int64))


class _Event(ctypes.Structure):
    _fields_ = (
        ("tag", c_char_p),
        ("type", c_int),
        ("start_us", c_uint64),
        ("elapsed_us", c_uint64),
        ("memory_before", _MemoryUsage),
        ("memory_after", _MemoryUsage),
        ("metadata_1", c_uint64),
        ("metadata_2", c_uint64),
        ("source", c_int),
    )


def profile(model: str, samples: Sequence[np.ndarray], *, threads: int, warmup: int) -> OpProfile:
    """Profiles a model over `samples`, the first `warmup` of which are left out; see `profiling.profile_model`.

    Raises:
        ProfilingError: the library is not there, or not of a version whose events are known.
    """
    session = _ProfiledModel(model, threads)
    tally = Tally()
    inference_ns: list[int] = []
    for index, sample in enumerate(samples):
        events = session.run(sample)
        if index < warmup:
            continue
        inference_ns.append(sum(event.elapsed_us for event in events if event.type == _GENERAL) * 1000)
        ops = [event for event in events if event.type in (_OPERATOR, _DELEGATE_OPERATOR)]
        for place, event in enumerate(ops):
            tag = event.tag.decode()
            delegate = _DELEGATE if event.type == _DELEGATE_OPERATOR or "Delegate" in tag else None
            tally.add(f"{place} {tag}", tag, delegate, event.elapsed_us * 1000)
    return OpProfile(f"{runtime_version('litert')} profiler", tuple(inference_ns), tally.ops())


class _ProfiledModel:
    """A compiled model of LiteRT's C interface, with one input and one output, that records events."""

    def __init__(self, model: str, threads: int) -> None:
        self._library = _library()
        self._kept: list[object] = []
        environment, loaded, options = c_void_p(), c_void_p(), c_void_p()
        self._call("LiteRtCreateEnvironment", 0, None, byref(environment))
        self._call("LiteRtCreateModelFromFile", environment, model.encode(), byref(loaded))
        self._call("LiteRtCreateOptions", byref(options))
        self._call("LiteRtSetOptionsHardwareAccelerators", options, _CPU)
        self._add_options(options, b"runtime_options_string", b"enable_profiling = true\n")
        self._add_options(options, b"xnnpack", f"num_threads = {threads}\n".encode())
        self._compiled = c_void_p()
        self._call("LiteRtCreateCompiledModel", environment, loaded, options, byref(self._compiled))
        self._profiler = c_void_p()
        self._call("LiteRtCompiledModelGetProfiler", self._compiled, byref(self._profiler))
        if not self._profiler:
            raise ProfilingError(f"{runtime_version('litert')} has no profiler", fix="install the pinned version")
        signature = c_void_p()
        self._call("LiteRtGetModelSignature", loaded, c_size_t(0), byref(signature))
        self._input = self._buffer("Input", signature, environment)
        self._output = self._buffer("Output", signature, environment)

    def run(self, sample: np.ndarray) -> list[Any]:
        """One inference; returns its events."""
        content = np.ascontiguousarray(sample)
        size, place = c_size_t(), c_void_p()
        self._call("LiteRtGetTensorBufferPackedSize", self._input, byref(size))
        if size.value != content.nbytes:
            raise ProfilingError(f"the model takes {size.value} bytes, the sample has {content.nbytes}")
        self._call("LiteRtLockTensorBuffer", self._input, byref(place), _LOCK_TO_WRITE)
        ctypes.memmove(place, content.ctypes.data, content.nbytes)
        self._call("LiteRtUnlockTensorBuffer", self._input)
        self._call("LiteRtResetProfiler", self._profiler)
        self._call("LiteRtStartProfiler", self._profiler)
        inputs, outputs = (c_void_p * 1)(self._input), (c_void_p * 1)(self._output)
        self._call("LiteRtRunCompiledModel", self._compiled, c_size_t(0), c_size_t(1), inputs, c_size_t(1), outputs)
        self._call("LiteRtStopProfiler", self._profiler)
        count = c_int()
        self._call("LiteRtGetNumProfilerEvents", self._profiler, byref(count))
        # Room to spare: a version with larger events must not write beyond it.
        events = (_Event * (2 * count.value + 1))()
        self._call("LiteRtGetProfilerEvents", self._profiler, count, events)
        found = list(events)[: count.value]
        for event in found:
            known = 0 < event.type <= _HIGHEST_TYPE and event.type & (event.type - 1) == 0
            if not known or event.source not in _SOURCES:
                raise ProfilingError(
                    f"the events of {runtime_version('litert')} have a different layout",
                    fix="install the pinned version",
                )
        return found

    def _add_options(self, options: c_void_p, identifier: bytes, text: bytes) -> None:
        payload = ctypes.create_string_buffer(text)
        # The library calls it when it lets go of the text, which is Python's.
        deleter = ctypes.CFUNCTYPE(None, c_void_p)(lambda pointer: None)
        self._kept += [payload, deleter]
        opaque = c_void_p()
        self._call("LiteRtCreateOpaqueOptions", identifier, payload, deleter, byref(opaque))
        self._call("LiteRtAddOpaqueOptions", options, opaque)

    def _buffer(self, kind: str, signature: c_void_p, environment: c_void_p) -> c_void_p:
        tensor, requirements, buffer = c_void_p(), c_void_p(), c_void_p()
        self._call(f"LiteRtGetSignature{kind}TensorByIndex", signature, c_size_t(0), byref(tensor))
        # Passed on as it is, so its fields need not be known.
        kind_and_shape = ctypes.create_string_buffer(1024)
        self._call("LiteRtGetRankedTensorType", tensor, kind_and_shape)
        self._call(
            f"LiteRtGetCompiledModel{kind}BufferRequirements",
            self._compiled,
            c_size_t(0),
            c_size_t(0),
            byref(requirements),
        )
        self._call(
            "LiteRtCreateManagedTensorBufferFromRequirements",
            environment,
            kind_and_shape,
            requirements,
            byref(buffer),
        )
        return buffer

    def _call(self, name: str, *arguments: object) -> None:
        try:
            function = getattr(self._library, name)
        except AttributeError as error:
            raise ProfilingError(
                f"{runtime_version('litert')} has no {name}", fix="install the pinned version"
            ) from error
        status = function(*arguments)
        if status != 0:
            raise ProfilingError(f"{name} of {runtime_version('litert')} failed with status {status}")


def _library() -> ctypes.CDLL:
    found = importlib.util.find_spec("ai_edge_litert")
    folder = Path(found.origin).parent if found and found.origin else None
    libraries = sorted(folder.glob("libLiteRt.*")) if folder else []
    if not libraries:
        raise ProfilingError("profiling LiteRT needs the C library of the package ai-edge-litert", fix="install that")
    return ctypes.CDLL(str(libraries[0]))
