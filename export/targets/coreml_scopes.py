"""Which ops and constants of an ML program come from which modules of the tower.

coremltools names an op after the node of the exported program that it comes from (`conv2d_3_cast_fp16`), and a constant
after its parameter (`p_encoder_model_head_proj_to_fp16`). Where its passes make new ops (a matrix product and a sum
become a linear op), the weight that they read tells the module.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from coremltools.converters.mil.mil import Var

from pocketclip.export.artifact.precision_plan import covers
from pocketclip.export.coreml_reference import Program
from pocketclip.export.targets.module_stack import comes_from

_CASTS = re.compile(r"(_cast_(u?int|fp)\d+)+$")


@dataclass(frozen=True)
class Names:
    """Names of ops, and of constants that they may read as weights."""

    ops: frozenset[str]
    constants: frozenset[str]


def names_within(modules: Sequence[str], source: torch.export.ExportedProgram, program: Program) -> Names:
    """What of a float program comes from these modules or from what is in them.

    Args:
        modules: paths; the empty one is the whole tower.
        source: what the program was converted from.
        program: its names are the answer.
    """
    nodes = {node.name for node in source.graph.nodes if node.op == "call_function" and comes_from(modules, node)}
    signature = source.graph_signature
    stored = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    parameters = {name for name, path in stored.items() if covers(modules, path)}
    ops: set[str] = set()
    constants: set[str] = set()
    for op in program.function.operations:
        if op.op_type == "const":
            if _parameter(op.name) in parameters or "" in modules:
                constants.add(op.name)
            continue
        weight = op.inputs.get("weight")
        read = weight.op.name if isinstance(weight, Var) and weight.op is not None else ""
        if _CASTS.sub("", op.name) in nodes or _parameter(read) in parameters or "" in modules:
            ops.add(op.name)
    return Names(frozenset(ops), frozenset(constants))


def _parameter(constant: str) -> str:
    """The name that the exported program has for what a constant stores."""
    return re.sub(r"_to_(fp16|fp32|u?int\d+)$", "", constant)
