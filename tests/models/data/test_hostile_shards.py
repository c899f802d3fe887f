"""Shards from strangers: names that look like commands, samples that would take all memory or end a run."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pocketclip.models.data.augmentation import parse_augmentations
from pocketclip.models.data.embeddings import read_embeddings
from pocketclip.models.data.opening import open_batches
from pocketclip.models.data.pairs import read_pairs
from pocketclip.models.data.shards import CAPTIONED, LABELLED, index_shard
from pocketclip.models.data.source import parse_source
from pocketclip.models.errors import DatasetError
from pocketclip.models.evaluation.datasets import SetOptions, open_dataset
from pocketclip.models.registry import load_config
from tests.conftest import one_line_error

CONFIG = load_config("pocketclip_nano")
COMMAND = "pipe:touch PWNED; cat 0.bin #.tar"


@pytest.fixture
def commanding(tmp_path: Path, sample_maker: Any, shard_writer: Callable[..., Path]) -> Path:
    """A folder with a shard whose name is a command, and what an evaluation needs beside it."""
    members = {f"{n}": {**sample_maker.plain(n), "cls": b"0"} for n in range(24)}
    shard_writer(tmp_path / COMMAND, members)
    (tmp_path / "0.bin").write_bytes((tmp_path / COMMAND).read_bytes())
    (tmp_path / "classnames.txt").write_text("thing\n")
    return tmp_path


@pytest.mark.parametrize("pattern", ["webdataset:*.tar", "webdataset:.", f"webdataset:./{COMMAND}"])
def test_a_shards_name_runs_no_command(commanding: Path, pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(commanding)
    from pocketclip.export.inputs.calibration import load_calibration, parse_calibration
    from pocketclip.export.precision import Tower

    judged = open_dataset(pattern, SetOptions())
    assert len(list(judged.source(0))) == 24  # type: ignore[union-attr]
    for tower in Tower:
        assert load_calibration(parse_calibration(pattern, 16), CONFIG, tower).record.samples == 16
    assert len(list(read_pairs(pattern))) == 24
    with closing(open_batches(pattern, config=CONFIG, batch_size=8, seed=0)) as batches:
        batches.next_batch()
    assert not (commanding / "PWNED").exists()


@pytest.mark.parametrize("place", [COMMAND, "PIPE:touch PWNED", "{pipe:touch PWNED,x.tar}", "s3://bucket/0.tar"])
def test_commands_and_foreign_addresses_are_refused(
    commanding: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(commanding)
    from pocketclip.export.errors import CalibrationError
    from pocketclip.export.inputs.calibration import parse_calibration

    reason = "is a command, and PocketCLIP never runs commands|files and http|files of this machine"
    with pytest.raises(DatasetError, match=reason):
        open_dataset(f"webdataset:{place}", SetOptions())
    with pytest.raises(DatasetError, match=reason):
        parse_source(f"webdataset:{place}")
    with pytest.raises(CalibrationError, match=reason):
        parse_calibration(f"webdataset:{place}")
    assert not (commanding / "PWNED").exists()


def test_command_line_runs_no_command(commanding: Path, pocketclip: Callable[..., Any]) -> None:
    arguments = ("--model", "pocketclip_nano", "--templates", "simple", "--store", commanding / "s.sqlite")
    done = pocketclip("eval", "--dataset", "webdataset:*.tar", *arguments, cwd=commanding)
    assert done.returncode == 0, done.stderr
    refused = pocketclip("eval", "--dataset", f"webdataset:{COMMAND}", *arguments, cwd=commanding)
    assert refused.returncode == 2
    assert "never runs commands for data" in one_line_error(refused)
    assert not (commanding / "PWNED").exists()


def npz_of(header: bytes, content: bytes = b"") -> bytes:
    """An npz whose arrays have a header of that text."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("image_emb", "text_emb"):
            padded = header.ljust(118) + b"\n"
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded + content)
    return buffer.getvalue()


def torch_of(content: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return gzip.compress(buffer.getvalue())


def bombs() -> dict[str, tuple[str, bytes]]:
    """Members that are small, and huge or odd once they are read: extension and content by name."""
    deep = b"[" * 100_000 + b"]" * 100_000
    zeros = gzip.compress(bytes(200 << 20), 1)
    operations = json.dumps({"param_aug": [[[0, 0, 8, 8], [[1, 0.1]] * 200_000]]}).encode()
    one = torch.ones(1)
    rows = np.ones((3, 4), np.float32)
    strings = io.BytesIO()
    np.savez(strings, image_emb=np.array([["a"]]), text_emb=np.array([["b"]]))
    large = io.BytesIO()
    np.savez_compressed(large, image_emb=np.zeros((20 << 20, 1), np.float32), text_emb=rows)
    double = io.BytesIO()
    np.savez(double, image_emb=np.full((3, 4), 1e300), text_emb=rows)
    return {
        "deep caption JSON": ("syn.json", b'{"syn_text": ' + deep + b"}"),
        "deep augmentations": ("paug.json", b'{"param_aug": ' + deep + b"}"),
        "deep augmentations as text": ("paug.json", json.dumps({"param_aug": deep.decode()}).encode()),
        "huge JSON": ("syn.json", b'{"syn_text": ["' + b"a" * (3 << 20) + b'"]}'),
        "half a character": ("syn.json", b'{"syn_text": ["\\ud800", "a"]}'),
        "infinite magnitude": ("paug.json", b'{"param_aug": [[[0, 0, 8, 8], [[1, 1e999]]]]}'),
        "infinite crop": ("paug.json", b'{"param_aug": [[[0, 0, 1e999, 8], null]]}'),
        "400 digits": ("paug.json", b'{"param_aug": [[[0, 0, ' + b"9" * 400 + b", 8], null]]}"),
        "5000 digits": ("paug.json", b'{"param_aug": [[[0, 0, 8, 8], [[1, ' + b"9" * 5000 + b"]]]]}"),
        "200,000 operations": ("paug.json", operations),
        "huge magnitude": ("paug.json", b'{"param_aug": [[[0, 0, 8, 8], [[3, 1e300]]]]}'),
        "no list": ("paug.json", b"[1]"),
        "16 TiB": ("npz", npz_of(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 4), }")),
        "negative shape": ("npz", npz_of(b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 4), }", bytes(16))),
        "objects": ("npz", npz_of(b"{'descr': '|O', 'fortran_order': False, 'shape': (1, 1), }", bytes(8))),
        "code for a header": ("npz", npz_of(b"__import__('os').system('touch PWNED')")),
        "strings": ("npz", strings.getvalue()),
        "80 MB of zeros": ("npz", large.getvalue()),
        "beyond float32": ("npz", double.getvalue()),
        "gzip bomb": ("pth.gz", zeros),
        "one value seen as many": (
            "pth.gz",
            torch_of({"image_emb": one.expand(1 << 20, 1 << 12), "text_emb": torch.ones(3, 4)}),
        ),
        "sparse": ("pth.gz", torch_of({"image_emb": torch.eye(3).to_sparse(), "text_emb": torch.ones(3, 3)})),
        "whole numbers": ("pth.gz", torch_of({"image_emb": torch.ones(3, 3).int(), "text_emb": torch.ones(3, 3)})),
        "complex": ("pth.gz", torch_of({"image_emb": torch.ones(3, 3) * 1j, "text_emb": torch.ones(3, 3)})),
        "NaN": ("pth.gz", torch_of({"image_emb": torch.ones(3, 3) * float("nan"), "text_emb": torch.ones(3, 3)})),
        "text for tensors": ("pth.gz", torch_of({"image_emb": "abc", "text_emb": "def"})),
        "numbers for rows": ("pth.gz", torch_of({"image_emb": [1.0, 2.0], "text_emb": [[1.0]]})),
    }


BOMBS = bombs()


@pytest.mark.parametrize("name", BOMBS)
def test_one_hostile_sample_is_skipped_and_named(
    name: str, tmp_path: Path, sample_maker: Any, shard_writer: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    kind, content = BOMBS[name]
    layout = "pth.gz" if kind == "pth.gz" else "npz"
    samples = {f"{n:02}": sample_maker.reinforced(n, layout) for n in range(22)}
    samples["07"] = {**samples["07"], kind: content}
    shard_writer(tmp_path / "s.tar", samples)
    options = {"config": CONFIG, "seed": 3, "reinforced": True, "teacher_dims": (sample_maker.dim,)}
    with closing(open_batches(f"webdataset:{tmp_path}", batch_size=21, max_skipped_share=0.1, **options)) as batches:
        batches.next_batch()
        batches.next_batch()
        assert {skipped.name for skipped in batches.skipped} == {"s.tar/07"}
        # In words of ours: no class of a library's error.
        assert all("Error" not in skipped.reason for skipped in batches.skipped), batches.skipped
    assert not (tmp_path / "PWNED").exists()


def test_reading_bombs_takes_little_memory(tmp_path: Path) -> None:
    """In a process that may not have more than 300 MB beyond what torch itself takes."""
    for number, (kind, content) in enumerate(BOMBS.values()):
        (tmp_path / f"{number}.{kind}").write_bytes(content)
    code = """
import resource, sys
from pathlib import Path
from pocketclip.models.data.augmentation import parse_augmentations
from pocketclip.models.data.embeddings import read_embeddings
from pocketclip.models.errors import DatasetError
import torch
torch.load
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sorted(Path(sys.argv[1]).iterdir()):
    kind = path.name.partition(".")[2]
    if kind == "syn.json":
        continue
    try:
        parse_augmentations(path.read_bytes()) if kind == "paug.json" else read_embeddings(path.read_bytes(), kind)
    except DatasetError:
        continue
    assert "1e999" in path.name or kind == "paug.json", path
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 400


def test_compressed_shards_are_read_and_bounded(
    tmp_path: Path, sample_maker: Any, shard_writer: Callable[..., Path]
) -> None:
    plain = shard_writer(tmp_path / "a.tar", {f"{n}": sample_maker.plain(n) for n in range(9)})
    (tmp_path / "b.tar.gz").write_bytes(gzip.compress(plain.read_bytes()))
    (tmp_path / "c.tgz").write_bytes(gzip.compress(plain.read_bytes()))
    pairs = list(read_pairs(f"webdataset:{tmp_path}"))
    assert len(pairs) == 27
    index = index_shard(tmp_path / "b.tar.gz")
    assert index.path.name == "b.tar.gz" and len(index.samples) == 9
    with gzip.open(tmp_path / "bomb.tar.gz", "wb", compresslevel=1) as stream:
        for _ in range(80):
            stream.write(bytes(4 << 20))
    assert "unpacks to more than" in (index_shard(tmp_path / "bomb.tar.gz").fault or "")
    (tmp_path / "cut.tar.gz").write_bytes((tmp_path / "b.tar.gz").read_bytes()[:900])
    assert "damaged compressed data" in (index_shard(tmp_path / "cut.tar.gz").fault or "")


def header(size_field: bytes, kind: bytes = b"0") -> bytes:
    """A tar header with a size field of one's own and a right checksum."""
    entry = tarfile.TarInfo("a.txt")
    block = bytearray(entry.tobuf())
    block[124:136] = size_field
    block[156:157] = kind
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    return bytes(block)


@pytest.mark.parametrize("size", [b"\xff" * 12, b"\xff" * 8 + (-512 & 0xFFFFFFFF).to_bytes(4, "big"), b"77777777777\0"])
def test_sizes_that_lead_nowhere_end(tmp_path: Path, size: bytes) -> None:
    for kind in (b"0", b"L", b"x", b"S", b"5"):
        path = tmp_path / "x.tar"
        path.write_bytes(header(size, kind) + bytes(4096))
        index = index_shard(path)
        # A folder's size means nothing, a sparse file is left out; a sample of such a size is none.
        assert index.samples == ()
        assert kind != b"0" or index.fault is not None


def test_damaged_shards_of_any_kind(tmp_path: Path, sample_maker: Any, shard_writer: Callable[..., Path]) -> None:
    """Fuzzed: an index or a fault, samples within the file, and every sample readable or refused in words."""
    draws = random.Random(11)
    whole = shard_writer(tmp_path / "w.tar", {f"{n}": sample_maker.reinforced(n) for n in range(3)}).read_bytes()
    path = tmp_path / "s.tar"
    for _ in range(400):
        content = bytearray(whole)
        for _ in range(draws.randint(1, 8)):
            # Headers are where an index can go wrong.
            at = draws.randrange(len(content) // 512) * 512 + draws.randrange(512)
            content[at] = draws.randrange(256)
        if draws.random() < 0.3:
            del content[draws.randrange(len(content)) :]
        if draws.random() < 0.3:
            content += whole[draws.randrange(len(whole)) :]
        path.write_bytes(content)
        for layout in (CAPTIONED, LABELLED):
            index = index_shard(path, layout)
            for sample in index.samples:
                assert all(offset + size <= len(content) for offset, size in sample.members.values())
        for member, data in (("npz", sample_maker.reinforced(1)["npz"]), ("paug.json", whole[:100])):
            damaged = bytearray(data)
            damaged[draws.randrange(len(damaged))] = draws.randrange(256)
            try:
                parse_augmentations(bytes(damaged)) if member == "paug.json" else read_embeddings(
                    bytes(damaged), member
                )
            except DatasetError:
                continue
