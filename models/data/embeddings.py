"""Stored teacher embeddings: `npz` and `pth.gz` members with `image_emb` (A, D) and `text_emb` (C, D).

float32, float16 and bfloat16 are read. numpy has no bfloat16: in an npz it is an array of two raw bytes a value
(`|V2`), as `ml_dtypes` arrays are saved, too.
"""

from __future__ import annotations

import gzip
import io
import pickle
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.data.shards import NPZ_MEMBER, TORCH_MEMBER
from models.errors import DatasetError

_NAMES = ("image_emb", "text_emb")


class EmbeddingDtype(StrEnum):
    """The number format of stored embeddings."""

    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    FLOAT32 = "float32"


class EmbeddingFormat(StrEnum):
    """The kind of the member that holds a sample's embeddings."""

    NPZ = NPZ_MEMBER
    TORCH = TORCH_MEMBER


@dataclass(frozen=True)
class SampleEmbeddings:
    """`image` (A, D), one row per stored augmentation; `text` (C, D), captions first, then synthetic ones; float32."""

    image: NDArray[np.float32]
    text: NDArray[np.float32]


def read_embeddings(data: bytes, kind: str) -> SampleEmbeddings:
    """Reads a member of the extension `kind`, tensors and arrays alone.

    Raises:
        DatasetError: damaged, of another layout, or with values that are NaN or infinite.
    """
    try:
        arrays = _read_npz(data) if kind == NPZ_MEMBER else _read_torch(data)
    except DatasetError:
        raise
    except pickle.UnpicklingError as error:
        raise DatasetError(f"the embeddings (.{kind}) hold more than tensors, or are damaged") from error
    except (OSError, EOFError, ValueError, KeyError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DatasetError(f"cannot read the embeddings (.{kind}): {reason}") from error
    for name, array in arrays.items():
        if array.ndim != 2 or 0 in array.shape:
            raise DatasetError(f"{name} has the shape {array.shape}, not (rows, dim)")
        if not np.isfinite(array).all():
            raise DatasetError(f"{name} holds values that are NaN or infinite")
    image, text = (arrays[name] for name in _NAMES)
    if image.shape[1] != text.shape[1]:
        raise DatasetError(f"image embeddings are {image.shape[1]} wide, text embeddings {text.shape[1]}")
    return SampleEmbeddings(image, text)


def write_embeddings(embeddings: SampleEmbeddings, kind: EmbeddingFormat, dtype: EmbeddingDtype) -> bytes:
    """The bytes of a member; equal embeddings give equal bytes."""
    tensors = {
        name: torch.from_numpy(np.ascontiguousarray(array)).to(getattr(torch, dtype))
        for name, array in zip(_NAMES, (embeddings.image, embeddings.text), strict=True)
    }
    buffer = io.BytesIO()
    if kind is EmbeddingFormat.NPZ:
        np.savez(buffer, image_emb=_to_numpy(tensors["image_emb"]), text_emb=_to_numpy(tensors["text_emb"]))
        return buffer.getvalue()
    torch.save(tensors, buffer)
    return gzip.compress(buffer.getvalue(), mtime=0)


def _read_npz(data: bytes) -> dict[str, NDArray[np.float32]]:
    with np.load(io.BytesIO(data), allow_pickle=False) as content:
        _require_names(content)
        return {name: _from_numpy(name, content[name]) for name in _NAMES}


def _read_torch(data: bytes) -> dict[str, NDArray[np.float32]]:
    content = torch.load(io.BytesIO(gzip.decompress(data)), map_location="cpu", weights_only=True)
    _require_names(content)
    # DataCompDR's files hold lists of rows.
    stacked = {name: _stack(name, content[name]) for name in _NAMES}
    return {name: tensor.to(torch.float32).numpy() for name, tensor in stacked.items()}


def _stack(name: str, value: Any) -> torch.Tensor:
    rows = value if isinstance(value, torch.Tensor) else [torch.as_tensor(row) for row in value]
    tensor = rows if isinstance(rows, torch.Tensor) else torch.stack(rows)
    if not tensor.is_floating_point():
        raise DatasetError(f"{name} holds {tensor.dtype} values; float32, float16 or bfloat16 are expected")
    return tensor


def _require_names(content: Any) -> None:
    missing = [name for name in _NAMES if not isinstance(content, Mapping) or name not in content]
    if missing:
        raise DatasetError(f"the embeddings lack {' and '.join(missing)}")


def _from_numpy(name: str, array: NDArray[Any]) -> NDArray[np.float32]:
    if array.dtype == np.dtype("V2"):
        # The upper half of a float32 is a bfloat16.
        widened = array.view(np.uint16).astype(np.uint32) << 16
        return widened.view(np.float32)
    if array.dtype.kind != "f":
        raise DatasetError(f"{name} holds {array.dtype} values; float32, float16 or bfloat16 are expected")
    return array.astype(np.float32)


def _to_numpy(tensor: torch.Tensor) -> NDArray[Any]:
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view("V2")
    return tensor.numpy()
