"""What a Core ML program is made of: its ops, the types of its results, and the bytes that its weights take."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from coremltools.converters.mil.mil.var import ListVar

from pocketclip.export.coreml_reference.binding import TENSOR_OPS
from pocketclip.export.coreml_reference.ops_constexpr import CONSTEXPR_OPS
from pocketclip.export.coreml_reference.program import Program
from pocketclip.export.coreml_reference.storage import storage_name
from pocketclip.export.package_report import Inspection, OpSummary, WeightSummary

# Inputs of `constexpr_*` ops that hold the weights themselves, not masks, tables or scales.
_DATA = ("nonzero_data", "indices_nonzero_data", "quantized_data", "data", "indices", "source_val")


def inspect(program: Program) -> Inspection:
    """Counts a program's ops and weights. Constants of an op that are no weights (axes, shapes) are left out."""
    counts: Counter[str] = Counter()
    precisions: dict[str, Counter[str]] = defaultdict(Counter)
    read: dict[str, int] = defaultdict(int)
    forms: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    counted: set[int] = set()
    for op in program.operations:
        if op.op_type == "const" or op.op_type in CONSTEXPR_OPS:
            continue
        counts[op.op_type] += 1
        precisions[op.op_type].update(storage_name(variable) for variable in op.outputs)
        for variable in _weights(op):
            form, size = _form(variable), stored_bytes(variable)
            read[op.op_type] += size
            # A weight that two ops read is stored once.
            if id(variable.op) not in counted:
                counted.add(id(variable.op))
                forms[form] = [forms[form][0] + 1, forms[form][1] + size, forms[form][2] + int(np.prod(variable.shape))]
    ops = tuple(
        OpSummary(op_type, count, tuple(precisions[op_type].most_common()), read[op_type], op_type in TENSOR_OPS)
        for op_type, count in counts.most_common()
    )
    weights = sorted((WeightSummary(form, *sums) for form, sums in forms.items()), key=lambda each: -each.stored_bytes)
    return Inspection(ops, tuple(weights))


def stored_bytes(variable: Any) -> int:
    """Bytes of a constant as it is stored: packed indices, tables, masks and scales together, each once."""
    constants: dict[int, Any] = {}
    pending = [variable]
    while pending:
        current = pending.pop()
        if current.op is None:
            continue
        if current.op.op_type == "const":
            constants[id(current.op)] = current
        else:
            pending += [value for value in current.op.inputs.values() if value is not None]
    return sum(_constant_bytes(constant) for constant in constants.values())


def _constant_bytes(variable: Any) -> int:
    value = np.asarray(variable.val)
    if value.dtype.kind in "SUO":
        return 0
    return -(-int(value.size) * _bits(variable) // 8)


def _bits(variable: Any) -> int:
    name = storage_name(variable)
    digits = "".join(character for character in name if character.isdigit())
    return int(digits) if digits else 8


def _weights(op: Any) -> Iterator[Any]:
    """Constant inputs of more than one value that are read as tensors, compressed ones in their dense form."""
    function = TENSOR_OPS.get(op.op_type)
    names = op.inputs.keys() if function is None else function.tensors
    for name in names:
        given = op.inputs.get(name)
        for variable in given if isinstance(given, (tuple, list)) else (given,):
            source = getattr(variable, "op", None)
            if source is None or (source.op_type != "const" and source.op_type not in CONSTEXPR_OPS):
                continue
            # A list has no shape of its own: the classes of a classifier.
            if isinstance(variable, ListVar):
                continue
            if int(np.prod(variable.shape)) > 1:
                yield variable


def _form(variable: Any) -> str:
    """The ops that a weight goes through before it is read, e.g. `constexpr_lut_to_dense of uint4`."""
    op = variable.op
    if op.op_type == "const":
        return storage_name(variable)
    data = next((op.inputs[name] for name in _DATA if op.inputs.get(name) is not None), None)
    return op.op_type if data is None or data.op is None else f"{op.op_type} of {_form(data)}"
