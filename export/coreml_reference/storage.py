"""How values of each MIL type are held between ops, and how they are rounded to that type.

A half-precision value is held as a float32 tensor whose elements are all representable in fp16. Ops
then compute (and accumulate) in float32 without converting their inputs first, and the rounding after
each op is the only place where half precision shows. The narrow integers are held as int32, because
PyTorch lacks arithmetic for most of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from coremltools.converters.mil.mil import types
from torch import Tensor

from pocketclip.export.errors import UnsupportedOpError


@dataclass(frozen=True, slots=True)
class Storage:
    """The storage of one MIL type: its name in MIL, its numpy type, and that of the tensor that holds it."""

    name: str
    numpy: np.dtype[Any]
    held_as: torch.dtype

    def hold(self, value: Any) -> Tensor:
        """A tensor of its own memory that holds `value` (array or scalar of this type)."""
        array = np.asarray(value)
        if self.held_as is torch.int32:
            # A detour by int64 keeps numpy's unsigned types, which PyTorch reads only in part.
            return torch.from_numpy(array.astype(np.int64)).to(torch.int32)
        return torch.from_numpy(array.astype(self.numpy)).to(self.held_as)

    def settle(self, result: Tensor, *, rounds: bool = True) -> Tensor:
        """Brings an op's result into this storage; `rounds=False` where its values are known to fit."""
        if result.dtype is not self.held_as:
            result = result.to(self.held_as)
        if rounds and self.name == "fp16":
            # Beyond 65504 this gives infinity, exactly as fp16 storage does on a device.
            result = result.half().float()
        return result

    def release(self, tensor: Tensor) -> np.ndarray:
        """A numpy array of this type with the values of `tensor`, in memory of its own."""
        return tensor.numpy().astype(self.numpy)


STORAGES: dict[str, Storage] = {
    "fp16": Storage("fp16", np.dtype(np.float16), torch.float32),
    "fp32": Storage("fp32", np.dtype(np.float32), torch.float32),
    "bool": Storage("bool", np.dtype(np.bool_), torch.bool),
    "int8": Storage("int8", np.dtype(np.int8), torch.int32),
    "uint8": Storage("uint8", np.dtype(np.uint8), torch.int32),
    "int16": Storage("int16", np.dtype(np.int16), torch.int32),
    "uint16": Storage("uint16", np.dtype(np.uint16), torch.int32),
    "int32": Storage("int32", np.dtype(np.int32), torch.int32),
}


def storage_name(variable: Any) -> str:
    """The MIL name of a variable's element type (`fp16`, `int32`, ...), which `STORAGES` need not hold."""
    return str(types.builtin_to_string(variable.dtype))


def storage_of(variable: Any) -> Storage:
    """The storage of a variable's type.

    Raises:
        UnsupportedOpError: no op can work on values of that type.
    """
    name = storage_name(variable)
    if name not in STORAGES:
        raise UnsupportedOpError(
            f"Value '{variable.name}' is of type {name}; the reference executor computes with {', '.join(STORAGES)}."
        )
    return STORAGES[name]
