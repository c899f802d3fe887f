"""Embeddings are read from every layout, written the same way twice, and refused where they are not sound."""

from __future__ import annotations

import gzip
import io
import pickle
from typing import Any

import numpy as np
import pytest
import torch

from pocketclip.models.data.embeddings import (
    EmbeddingDtype,
    EmbeddingFormat,
    SampleEmbeddings,
    read_embeddings,
    write_embeddings,
)
from pocketclip.models.errors import DatasetError


def embeddings() -> SampleEmbeddings:
    rng = np.random.default_rng(0)
    image, text = rng.standard_normal((3, 16)), rng.standard_normal((4, 16))
    return SampleEmbeddings(image.astype(np.float32), text.astype(np.float32))


@pytest.mark.parametrize("kind", list(EmbeddingFormat))
@pytest.mark.parametrize("dtype", list(EmbeddingDtype))
def test_round_trip_rounds_to_the_format_and_no_further(kind: EmbeddingFormat, dtype: EmbeddingDtype) -> None:
    stored = embeddings()
    data = write_embeddings(stored, kind, dtype)
    assert data == write_embeddings(stored, kind, dtype)
    found = read_embeddings(data, kind)
    for before, after in ((stored.image, found.image), (stored.text, found.text)):
        rounded = torch.from_numpy(before).to(getattr(torch, dtype)).float().numpy()
        assert after.dtype == np.float32
        np.testing.assert_array_equal(after, rounded)


def test_lists_of_rows_as_in_the_published_files(sample_maker: Any) -> None:
    found = read_embeddings(sample_maker.reinforced(5, "pth.gz")["pth.gz"], "pth.gz")
    np.testing.assert_array_equal(found.image, sample_maker.vectors(5)["image_emb"])
    np.testing.assert_array_equal(found.text, sample_maker.vectors(5)["text_emb"])


def arrays(**changes: Any) -> dict[str, Any]:
    stored = embeddings()
    return {"image_emb": stored.image, "text_emb": stored.text, **changes}


def with_value(value: float) -> np.ndarray:
    array = embeddings().text
    array[1, 2] = value
    return array


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"image_emb": np.zeros(16, np.float32)}, r"image_emb has the shape \(16,\)"),
        ({"text_emb": np.zeros((0, 16), np.float32)}, r"text_emb has the shape \(0, 16\)"),
        ({"text_emb": np.zeros((4, 8), np.float32)}, "image embeddings are 16 wide, text embeddings 8"),
        ({"text_emb": with_value(np.nan)}, "text_emb holds values that are NaN or infinite"),
        ({"text_emb": with_value(-np.inf)}, "text_emb holds values that are NaN or infinite"),
        ({"image_emb": np.zeros((3, 16), np.int64)}, "image_emb holds .*int64 values"),
    ],
)
@pytest.mark.parametrize("kind", list(EmbeddingFormat))
def test_unsound_embeddings(
    kind: EmbeddingFormat, changes: dict[str, np.ndarray], complaint: str, sample_maker: Any
) -> None:
    content = arrays(**changes)
    if kind is EmbeddingFormat.NPZ:
        data = sample_maker.npz(content)
    else:
        data = sample_maker.torch({name: torch.from_numpy(array) for name, array in content.items()})
    with pytest.raises(DatasetError, match=complaint):
        read_embeddings(data, kind)


def pickled_array() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, image_emb=np.array([{"a": 1}], dtype=object), text_emb=np.zeros((1, 1)))
    return buffer.getvalue()


class Runs:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return (pytest.fail, ("code of a data file was run",))


def code_in_torch_file() -> bytes:
    buffer = io.BytesIO()
    torch.save({"image_emb": Runs()}, buffer)
    return gzip.compress(buffer.getvalue())


@pytest.mark.parametrize(
    ("kind", "data", "complaint"),
    [
        ("npz", b"no archive", "cannot read the embeddings"),
        ("npz", pickled_array(), "declared as object"),
        ("npz", write_embeddings(embeddings(), EmbeddingFormat.NPZ, EmbeddingDtype.FLOAT32)[:-200], "cannot read"),
        ("pth.gz", b"no archive", "cannot read the embeddings"),
        ("pth.gz", gzip.compress(b"not torch"), "more than tensors, or are damaged"),
        ("pth.gz", gzip.compress(pickle.dumps({"image_emb": Runs()})), "more than tensors"),
        ("pth.gz", code_in_torch_file(), "more than tensors"),
        ("pth.gz", write_embeddings(embeddings(), EmbeddingFormat.TORCH, EmbeddingDtype.FLOAT32)[:-20], "cannot read"),
    ],
    # Else bytes become names, and gzip's hold the time: pytest-xdist needs the same names in every process.
    ids=[
        "npz-no archive",
        "npz-pickled",
        "npz-cut",
        "torch-no gzip",
        "torch-other bytes",
        "torch-pickle",
        "torch-code",
        "torch-cut",
    ],
)
def test_damaged_and_hostile_files(kind: str, data: bytes, complaint: str) -> None:
    with pytest.raises(DatasetError, match=complaint):
        read_embeddings(data, kind)


def test_missing_names(sample_maker: Any) -> None:
    with pytest.raises(DatasetError, match="lack text_emb"):
        read_embeddings(sample_maker.npz({"image_emb": np.zeros((1, 2))}), "npz")
    with pytest.raises(DatasetError, match="lack image_emb and text_emb"):
        read_embeddings(sample_maker.torch({}), "pth.gz")
