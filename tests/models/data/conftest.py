"""Small shards in DataCompDR's layout, made by hand: written apart from the code under test."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

DIM = 12
AUGMENTATIONS = 3
SYNTHETIC = 2

Members = dict[str, bytes]


class SampleMaker:
    """Members of one sample; every sample has its own pixels, caption and embeddings."""

    dim, augmentations, synthetic = DIM, AUGMENTATIONS, SYNTHETIC

    @staticmethod
    def image(number: int, kind: str = "png", size: tuple[int, int] = (40, 32)) -> bytes:
        pixels = np.random.default_rng([7, number]).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "jpeg" if kind == "jpg" else kind)
        return buffer.getvalue()

    @classmethod
    def plain(cls, number: int, kind: str = "png") -> Members:
        return {kind: cls.image(number, kind), "txt": f"caption {number}".encode(), "json": b"{}"}

    @classmethod
    def vectors(cls, number: int) -> dict[str, np.ndarray]:
        """Whole numbers that say whose they are: exact in every number format."""
        image = number + np.arange(AUGMENTATIONS)[:, None] * 10 + np.zeros((1, DIM))
        text = -number - np.arange(1 + SYNTHETIC)[:, None] * 10 - np.zeros((1, DIM))
        return {"image_emb": image.astype(np.float32), "text_emb": text.astype(np.float32)}

    @staticmethod
    def npz(arrays: Mapping[str, np.ndarray]) -> bytes:
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        return buffer.getvalue()

    @staticmethod
    def torch(arrays: Mapping[str, Any]) -> bytes:
        buffer = io.BytesIO()
        torch.save(dict(arrays), buffer)
        return gzip.compress(buffer.getvalue())

    @classmethod
    def reinforced(cls, number: int, layout: str = "npz") -> Members:
        arrays = cls.vectors(number)
        crops = [[[number % 4, place, 20, 24], [[0, 0.0], [1 + place, 0.09]]] for place in range(AUGMENTATIONS)]
        if layout == "npz":
            embeddings = {"npz": cls.npz({name: array.astype(np.float16) for name, array in arrays.items()})}
        else:
            # DataCompDR's bfloat16 files hold lists of rows, and their augmentations as text within the JSON.
            rows = {name: list(torch.from_numpy(array).to(torch.bfloat16)) for name, array in arrays.items()}
            embeddings = {"pth.gz": cls.torch(rows)}
        listed: Any = crops if layout == "npz" else json.dumps(crops)
        return {
            **cls.plain(number),
            "syn.json": json.dumps({"syn_text": [f"synthetic {number} {k}" for k in range(SYNTHETIC)]}).encode(),
            "paug.json": json.dumps({"param_aug": listed}).encode(),
            **embeddings,
        }


def write_shard(path: Path, samples: Mapping[str, Members]) -> Path:
    """A tar file of samples by key."""
    with tarfile.open(path, "w") as archive:
        for key, members in samples.items():
            for extension, data in members.items():
                entry = tarfile.TarInfo(f"{key}.{extension}")
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    return path


@pytest.fixture(scope="session")
def sample_maker() -> type[SampleMaker]:
    return SampleMaker


@pytest.fixture(scope="session")
def shard_writer() -> Callable[[Path, Mapping[str, Members]], Path]:
    return write_shard


@pytest.fixture
def plain_shards(tmp_path: Path) -> str:
    """Five shards of 6 to 10 samples, numbered through from 0, as a data reference."""
    number = 0
    for shard in range(5):
        samples: dict[str, Members] = {}
        for _ in range(6 + shard):
            samples[f"{number:04d}"] = SampleMaker.plain(number, ("png", "jpg", "webp")[number % 3])
            number += 1
        write_shard(tmp_path / f"{shard:04d}.tar", samples)
    return f"webdataset:{tmp_path}/{{0000..0004}}.tar"
