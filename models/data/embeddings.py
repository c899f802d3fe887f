"""Stored teacher embeddings: `npz` and `pth.gz` members with `image_emb` (A, D) and `text_emb` (C, D).

float32, float16 and bfloat16 are read. numpy has no bfloat16: in an npz it is an array of two raw bytes a value
(`|V2`), as `ml_dtypes` arrays are saved, too.
"""

from __future__ import annotations

import gzip
import io
import math
import pickle
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pocketclip.models.data.compressed import gunzip
from pocketclip.models.data.shards import NPZ_MEMBER, TORCH_MEMBER
from pocketclip.models.errors import DatasetError

_NAMES = ("image_emb", "text_emb")
# Unpacked; ten thousand rows of two ViT-L/14 teachers. More is no sample's, and would be memory before it is checked.
_MOST_BYTES = 64 << 20
_MOST_ROWS = 65_536


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
        raise DatasetError(f"the embeddings (.{kind}) contain more than tensors, or are damaged") from error
    except Exception as error:
        # zipfile, numpy and torch raise whatever their parsers meet in damaged data, MemoryError included.
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
    with _zip_archive(data) as archive:
        named = {name.removesuffix(".npy"): name for name in archive.namelist()}
        _require_names(named)
        return {name: _from_numpy(name, _read_npy(name, archive.read(named[name]))) for name in _NAMES}


def _read_npy(name: str, content: bytes) -> NDArray[Any]:
    """An array whose header says no more than its bytes hold: numpy allocates what it says."""
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(content) - stream.tell():
        raise DatasetError(f"{name} is declared as {dtype} of the shape {shape}, which does not match its data")
    return np.load(io.BytesIO(content), allow_pickle=False)


def _read_torch(data: bytes) -> dict[str, NDArray[np.float32]]:
    try:
        unpacked = gunzip(data, _MOST_BYTES)
    except DatasetError as error:
        raise DatasetError(f"cannot read the embeddings (.{TORCH_MEMBER}): {error}") from error
    if zipfile.is_zipfile(io.BytesIO(unpacked)):
        with _zip_archive(unpacked):
            pass
    with warnings.catch_warnings():
        # Of tensors of odd kinds, which are refused below.
        warnings.simplefilter("ignore")
        content = torch.load(io.BytesIO(unpacked), map_location="cpu", weights_only=True)
    _require_names(content)
    # DataCompDR's files hold lists of rows.
    stacked = {name: _stack(name, content[name]) for name in _NAMES}
    return {name: tensor.to(torch.float32).numpy() for name, tensor in stacked.items()}


@contextmanager
def _zip_archive(data: bytes) -> Iterator[zipfile.ZipFile]:
    """A zip archive that says it unpacks to no more than is read; zipfile holds every member to what it says."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
        if size > _MOST_BYTES:
            raise DatasetError(f"the embeddings unpack to {size} bytes; at most {_MOST_BYTES} are read")
        yield archive


def _stack(name: str, value: Any) -> torch.Tensor:
    rows = [value] if isinstance(value, torch.Tensor) else value
    if not isinstance(rows, list | tuple) or not 0 < len(rows) <= _MOST_ROWS:
        raise DatasetError(f"{name} is neither a tensor nor a list of 1 to {_MOST_ROWS} rows")
    tensors = [row.detach() if isinstance(row, torch.Tensor) else torch.as_tensor(row) for row in rows]
    for tensor in tensors:
        if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_nested or tensor.is_meta:
            raise DatasetError(f"{name} holds a tensor that is sparse, quantised, nested or without data")
        if not tensor.is_floating_point():
            raise DatasetError(f"{name} holds {tensor.dtype} values; float32, float16 or bfloat16 are expected")
    # A tensor of few values may be viewed as one of endless shape.
    if sum(tensor.numel() for tensor in tensors) * 4 > _MOST_BYTES:
        raise DatasetError(f"{name} has more than {_MOST_BYTES} bytes in float32")
    return tensors[0] if isinstance(value, torch.Tensor) else torch.stack(tensors)


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
    # What float32 cannot hold becomes infinite, and is refused for that.
    with np.errstate(over="ignore"):
        return array.astype(np.float32)


def _to_numpy(tensor: torch.Tensor) -> NDArray[Any]:
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view("V2")
    return tensor.numpy()
