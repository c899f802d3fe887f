"""Time by op in ExecuTorch, whose wheel is built without its event tracer: what an inference saves without an op.

A program is a list of calls: of delegates, and of the runtime's own kernels. Variants of it leave out the kernels of
one operator, or all of them; time does not depend on what the missing ones would have computed. All variants run in
turn, so that drift hits all alike. What a delegate spends inside is not seen.
"""

from __future__ import annotations

import copy
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pocketclip.benchmark.errors import ProfilingError
from pocketclip.benchmark.records.profile import OpProfile, OpTime
from pocketclip.export.runtimes import open_session, runtime_version

_WHOLE = "whole"
_DELEGATES = "delegates alone"


def profile(model: str, samples: Sequence[np.ndarray], *, threads: int, warmup: int) -> OpProfile:
    """Profiles a program over `samples`, the first `warmup` of which are left out; see `profiling.profile_model`.

    Raises:
        ProfilingError: the program cannot be read.
    """
    content = Path(model).read_bytes()
    calls, delegates = count_calls(content)
    variants: dict[str, frozenset[str]] = {_WHOLE: frozenset(), _DELEGATES: frozenset(calls)}
    if len(calls) > 1:
        variants |= {operator: frozenset({operator}) for operator in calls}
    with tempfile.TemporaryDirectory(prefix="pocketclip-profile-") as folder:
        sessions = {}
        for place, (name, removed) in enumerate(variants.items()):
            path = Path(folder, f"{place}.pte")
            path.write_bytes(without_operators(content, removed) if removed else content)
            sessions[name] = open_session("executorch", str(path), threads)
        elapsed: dict[str, list[int]] = {name: [] for name in variants}
        for index, sample in enumerate(samples):
            names = list(variants)
            for name in names if index % 2 == 0 else reversed(names):
                started = time.perf_counter_ns()
                sessions[name].run([sample])
                if index >= warmup:
                    elapsed[name].append(time.perf_counter_ns() - started)
    return summarize(elapsed, calls, delegates, f"{runtime_version('executorch')}, by leaving ops out")


def summarize(
    elapsed_ns: dict[str, list[int]], calls: dict[str, int], delegates: dict[str, int], source: str
) -> OpProfile:
    """The profile in the times of the variants: medians of what each inference saved.

    Args:
        elapsed_ns: samples of each variant, taken in turn; of one operator alone, `whole` and `delegates alone` do.
        calls: operators outside delegates, with how often an inference calls each.
        delegates: the same of delegates.
        source: names what was profiled and how.
    """
    whole = np.asarray(elapsed_ns[_WHOLE])
    inferences = len(whole)
    ops = []
    for operator, count in calls.items():
        saved = whole - np.asarray(elapsed_ns.get(operator, elapsed_ns[_DELEGATES]))
        # An op that costs less than the noise may seem to cost less than nothing.
        each_ns = max(0, round(statistics.median(saved)))
        ops.append(OpTime(operator, operator, None, count * inferences, each_ns * inferences))
    inside_ns = round(statistics.median(elapsed_ns[_DELEGATES]))
    number = sum(delegates.values())
    for delegate, count in delegates.items():
        ops.append(OpTime(delegate, delegate, delegate, count * inferences, inside_ns * count // number * inferences))
    return OpProfile(source, tuple(elapsed_ns[_WHOLE]), tuple(ops))


def count_calls(content: bytes) -> tuple[dict[str, int], dict[str, int]]:
    """How often a program calls each operator of the runtime's own, and each delegate."""
    plan = _read(content).program.execution_plan[0]
    operators: dict[str, int] = {}
    delegates: dict[str, int] = {}
    for chain in plan.chains:
        for instruction in chain.instructions:
            call = instruction.instr_args
            if hasattr(call, "delegate_index"):
                name = plan.delegates[call.delegate_index].id.removesuffix("Backend").removesuffix("backend")
                delegates[name] = delegates.get(name, 0) + 1
            elif hasattr(call, "op_index"):
                name = _operator(plan, call)
                operators[name] = operators.get(name, 0) + 1
    return operators, delegates


def without_operators(content: bytes, operators: frozenset[str]) -> bytes:
    """The program without its calls of some operators; what it computes then is of no use."""
    from executorch.exir._serialize._program import serialize_pte_binary

    file = copy.deepcopy(_read(content))
    plan = file.program.execution_plan[0]
    for chain in plan.chains:
        chain.instructions = [
            each
            for each in chain.instructions
            if not (hasattr(each.instr_args, "op_index") and _operator(plan, each.instr_args) in operators)
        ]
        chain.stacktrace = None
    return bytes(serialize_pte_binary(file, extract_delegate_segments=True))


def _operator(plan: Any, call: Any) -> str:
    return str(plan.operators[call.op_index].name).partition("::")[2] or plan.operators[call.op_index].name


def _read(content: bytes) -> Any:
    from executorch.exir._serialize._program import deserialize_pte_binary

    try:
        return deserialize_pte_binary(content)
    except Exception as error:
        raise ProfilingError(f"this is not an ExecuTorch program: {type(error).__name__}: {error}") from error
