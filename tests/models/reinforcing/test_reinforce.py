"""Reinforcing: what is stored is what the teachers give, and an interrupted run ends with the same bytes."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import webdataset
from PIL import Image

from pocketclip.models import documents
from pocketclip.models.checkpoints.checkpoint import save_weights
from pocketclip.models.commands.reinforce import reinforce_command
from pocketclip.models.config import ModelConfig
from pocketclip.models.data.augmentation import parse_augmentations
from pocketclip.models.data.embeddings import EmbeddingDtype, EmbeddingFormat, read_embeddings
from pocketclip.models.data.opening import open_batches
from pocketclip.models.data.references import REINFORCED_MEMBERS, RawSample, ShardReference, decode_image
from pocketclip.models.data.reinforcement import (
    REINFORCEMENT_FILE,
    ReinforcementSettings,
    StoredFormat,
    read_reinforcement,
    teacher_dims_of,
)
from pocketclip.models.data.shards import index_shard
from pocketclip.models.data.source import ShardSource, parse_source
from pocketclip.models.errors import ConfigError, DatasetError, NonFiniteError, StorageError
from pocketclip.models.inheritance import inherit_weights
from pocketclip.models.pixels.preprocess import preprocess
from pocketclip.models.registry import build_model, load_config, resolve_config
from pocketclip.models.reinforcing.shards import JOURNAL_FILE, reinforce
from pocketclip.models.reinforcing.teachers import Teacher, load_teacher
from pocketclip.models.terminal import command_line
from pocketclip.models.towers.clip import ClipModel

NANO = "pocketclip_nano"


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Forward passes of a few small images are slower on several threads, and much so on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def nano() -> Teacher:
    return load_teacher(NANO)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Teacher:
    """A second teacher of another size, normalisation and width, with weights of its own."""
    folder = tmp_path_factory.mktemp("other")
    changes = {"preprocess.image_size": 96, "preprocess.mean": [0.5, 0.4, 0.3], "embedding_dim": 24}
    description = {"name": "other", "description": "a test", "base": NANO, "changes": changes}
    (folder / "other.json").write_text(json.dumps(description))
    config = resolve_config(str(folder / "other.json"))
    assert isinstance(config, ModelConfig)
    model, base = ClipModel(config), build_model(load_config(NANO))
    assert isinstance(base, ClipModel)
    inherit_weights(model, base)
    save_weights(model, folder / "other.safetensors")
    return load_teacher(f"{folder}/other.json={folder}/other.safetensors")


def settings_for(source: str, *teachers: Teacher, **options: Any) -> ReinforcementSettings:
    defaults = {"augmentations": 3, "samples_per_shard": 4, "batch_size": 6, "dtype": EmbeddingDtype.FLOAT32}
    return ReinforcementSettings(
        source=source, teachers=tuple(teacher.record for teacher in teachers), **{**defaults, **options}
    )


def stored(folder: Path) -> list[tuple[str, RawSample]]:
    """What the shards of a folder hold, by key."""
    found: list[tuple[str, RawSample]] = []
    for path in sorted(folder.glob("*.tar")):
        index = index_shard(path)
        assert index.fault is None
        for place, sample in enumerate(index.samples):
            reference = ShardReference(0, place, sample.key, path, sample.members)
            found.append((sample.key, reference.read(REINFORCED_MEMBERS)))
    return found


def embed(teacher: Teacher, images: list[Image.Image], captions: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The teacher's own answer, one image and caption at a time, by the model and its preprocessing alone."""
    model, spec = teacher.model, teacher.config.preprocess
    with torch.inference_mode():
        image = torch.cat([model.encode_image(torch.from_numpy(preprocess(each, spec))[None]) for each in images])
        text = torch.cat([model.encode_text(torch.from_numpy(teacher.tokenizer(each))) for each in captions])
    normalize = torch.nn.functional.normalize
    return normalize(image, dim=-1).numpy(), normalize(text, dim=-1).numpy()


def test_stored_embeddings_are_the_teachers_for_the_stored_augmentations(
    tmp_path: Path, nano: Teacher, other: Teacher
) -> None:
    result = reinforce(settings_for("scenes:6", nano, other), [nano, other], tmp_path)
    assert result.complete and (result.shards, result.samples, result.skipped) == (2, 6, 0)
    samples = stored(tmp_path)
    assert [key for key, _ in samples] == [f"{n:09d}" for n in range(6)]
    for _, raw in samples:
        members = raw.reinforcement or {}
        augmentations = parse_augmentations(members["paug.json"])
        embeddings = read_embeddings(members["npz"], "npz")
        image = decode_image(raw.image)
        assert len(augmentations) == 3 and len(set(augmentations)) == 3
        start = 0
        for teacher in (nano, other):
            slice_of_teacher = slice(start, start + teacher.record.dim)
            start += teacher.record.dim
            shown = [each.apply(image, teacher.record.image_size) for each in augmentations]
            expected = embed(teacher, shown, [raw.caption, *raw.synthetic_captions])
            for found, wanted in zip((embeddings.image, embeddings.text), expected, strict=True):
                np.testing.assert_allclose(found[:, slice_of_teacher], wanted, atol=2e-6)
            # Other augmentations and captions are told apart by far more than the tolerance.
            assert np.abs(expected[0][0] - expected[0][1]).max() > 1e-3
        assert start == embeddings.image.shape[1] == embeddings.text.shape[1]


def test_trainer_reads_what_was_made(tmp_path: Path, nano: Teacher, other: Teacher) -> None:
    reinforce(settings_for("scenes:9", nano, other, dtype=EmbeddingDtype.BFLOAT16), [nano, other], tmp_path)
    source = parse_source(f"webdataset:{tmp_path}")
    assert isinstance(source, ShardSource)
    dims = (nano.record.dim, 24)
    assert read_reinforcement(source).teacher_dims == read_reinforcement(tmp_path).teacher_dims == dims
    config = load_config(NANO)
    with closing(open_batches(source, config=config, batch_size=9, seed=0, reinforced=True)) as batches:
        batch = batches.next_batch()
        assert batches.skipped_count == 0
    assert batch.teachers is not None
    # The student has the first teacher's design and weights: its own embeddings are the stored ones, rounded.
    with torch.inference_mode():
        image = torch.nn.functional.normalize(nano.model.encode_image(batch.images), dim=-1)
        text = torch.nn.functional.normalize(nano.model.encode_text(batch.token_ids), dim=-1)
    assert torch.allclose(batch.teachers.image[:, : dims[0]], image, atol=2e-3)
    assert torch.allclose(batch.teachers.text[:, : dims[0]], text, atol=2e-3)


def test_other_programs_read_the_shards(tmp_path: Path, nano: Teacher) -> None:
    reinforce(settings_for("scenes:5", nano), [nano], tmp_path)
    shards = sorted(map(str, tmp_path.glob("*.tar")))
    found = list(webdataset.WebDataset(shards, shardshuffle=False).decode("pil"))
    assert [sample["__key__"] for sample in found] == [f"{n:09d}" for n in range(5)]
    assert found[0]["png"].size == (64, 64)
    assert len(found[0]["paug.json"]["param_aug"]) == 3
    assert found[0]["npz"]["image_emb"].shape == (3, nano.record.dim)
    assert found[0]["npz"]["text_emb"].shape[0] == 1 + len(found[0]["syn.json"]["syn_text"])


@pytest.fixture
def pictures(tmp_path: Path) -> str:
    """A table of a JPEG, a turned JPEG, a PNG with transparency and a BMP."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    pixels = np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    image = Image.fromarray(pixels).resize((120, 90), Image.Resampling.BICUBIC)
    image.save(folder / "a.jpg")
    turned = Image.Exif()
    turned[0x0112] = 6
    image.save(folder / "b.jpg", exif=turned)
    image.convert("RGBA").save(folder / "c.png")
    image.save(folder / "d.bmp")
    rows = [f"{name},caption {name}" for name in ("a.jpg", "b.jpg", "c.png", "d.bmp")]
    (folder / "pairs.csv").write_text("\n".join(["image,caption", *rows]) + "\n")
    return f"csv:{folder}/pairs.csv"


@pytest.mark.parametrize(
    ("options", "extensions", "sizes"),
    [
        ({}, ["jpg", "jpg", "png", "png"], [(120, 90), (90, 120), (120, 90), (120, 90)]),
        ({"image_format": StoredFormat.JPG}, ["jpg"] * 4, [(120, 90), (90, 120), (120, 90), (120, 90)]),
        (
            {"image_size": 60, "image_format": StoredFormat.WEBP},
            ["webp"] * 4,
            [(80, 60), (60, 80), (80, 60), (80, 60)],
        ),
    ],
)
def test_images_as_they_came_or_encoded_anew(
    tmp_path: Path, nano: Teacher, pictures: str, options: dict[str, Any], extensions: list[str], sizes: list[Any]
) -> None:
    out = tmp_path / "out"
    reinforce(settings_for(pictures, nano, **options), [nano], out)
    samples = [raw for _, raw in stored(out)]
    assert [raw.extension for raw in samples] == extensions
    assert [decode_image(raw.image).size for raw in samples] == sizes
    folder = Path(pictures.removeprefix("csv:")).parent
    assert (samples[0].image == (folder / "a.jpg").read_bytes()) == ("image_size" not in options)
    for raw in samples:
        members = raw.reinforcement or {}
        augmentations = parse_augmentations(members["paug.json"])
        # Teachers saw the stored pixels, not those before a lossy format.
        shown = [each.apply(decode_image(raw.image), 64) for each in augmentations]
        expected, _ = embed(nano, shown, [raw.caption])
        np.testing.assert_allclose(read_embeddings(members["npz"], "npz").image, expected, atol=2e-6)


def test_settings_shape_the_samples(tmp_path: Path, nano: Teacher) -> None:
    options = {"augmentations": 2, "synthetic": 1, "rand_augment": False, "crop_scale": (0.5, 0.6)}
    kind = EmbeddingFormat.TORCH
    reinforce(settings_for("scenes:5", nano, embeddings=kind, image_size=80, **options), [nano], tmp_path)
    for _, raw in stored(tmp_path):
        members = raw.reinforcement or {}
        augmentations = parse_augmentations(members["paug.json"])
        assert len(augmentations) == 2 and len(raw.synthetic_captions) <= 1
        assert all(each.operations is None for each in augmentations)
        assert all(0.45 < each.crop[2] * each.crop[3] / 80**2 < 0.65 for each in augmentations)
        assert read_embeddings(members["pth.gz"], kind).text.shape[0] == 1 + len(raw.synthetic_captions)


def write_pairs(path: Path, numbers: range, broken: dict[int, str], profiles: Collection[int] = ()) -> None:
    """A shard of noise images; of the broken ones, the member named is empty; those of `profiles` have a damaged
    colour profile, and a file of macOS before them."""
    with webdataset.TarWriter(str(path), encoder=False) as writer:
        for number in numbers:
            pixels = np.random.default_rng(number).integers(0, 256, (40, 50, 3), dtype=np.uint8)
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "png", icc_profile=b"no profile" if number in profiles else b"")
            members = {"png": buffer.getvalue(), "txt": f"caption {number}".encode()}
            if number in broken:
                members[broken[number]] = b""
            if number in profiles:
                writer.write({"__key__": f"._k{number}", "png": b"of a Mac"})
            writer.write({"__key__": f"k{number}", **members})


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


class Stopped(Exception):
    """Ends a run from inside."""


def test_interrupted_anywhere_and_resumed(tmp_path: Path, nano: Teacher) -> None:
    shards = tmp_path / "shards"
    shards.mkdir()
    for shard in range(3):
        write_pairs(
            shards / f"{shard}.tar", range(shard * 5, shard * 5 + 5), {2: "txt", 5: "png", 14: "txt"}, {3, 4, 12}
        )
    settings = settings_for(f"webdataset:{shards}", nano)
    whole = tmp_path / "whole"
    result = reinforce(settings, [nano], whole, workers=1, max_skipped_share=0.5)
    assert (result.samples, result.skipped, result.shards) == (12, 3, 3)
    assert result.left_out == ("3 files that macOS or Windows keeps beside others (first: 0.tar/._k3.png)",)
    assert (result.ignored_profiles, result.first_ignored_profile) == (3, "0.tar/k3: it is damaged")
    assert read_reinforcement(whole) == result
    for stop_at in range(1, 7):
        cut = tmp_path / f"cut{stop_at}"
        reports: list[int] = []

        def stop(report: Any, reports: list[int] = reports, stop_at: int = stop_at) -> None:
            reports.append(report.samples)
            if len(reports) == stop_at:
                raise Stopped

        with pytest.raises(Stopped):
            reinforce(settings, [nano], cut, max_skipped_share=0.5, report=stop)
        with pytest.raises(DatasetError, match="unfinished run"):
            read_reinforcement(cut)
        assert reinforce(settings, [nano], cut, max_skipped_share=0.5) == result
        assert contents(cut) == contents(whole)
    # What is complete is left alone.
    before = {path.name: path.stat().st_mtime_ns for path in whole.iterdir()}
    assert reinforce(settings, [nano], whole) == result
    assert before == {path.name: path.stat().st_mtime_ns for path in whole.iterdir()}


def test_torn_journal_and_lost_shard(tmp_path: Path, nano: Teacher) -> None:
    settings = settings_for("scenes:12", nano)
    reinforce(settings, [nano], tmp_path)
    expected = contents(tmp_path)
    unfinished = replace(read_reinforcement(tmp_path), complete=False)
    journal = tmp_path / JOURNAL_FILE
    journal.write_bytes(journal.read_bytes()[:-20])
    documents.write(unfinished, tmp_path / REINFORCEMENT_FILE)
    reinforce(settings, [nano], tmp_path)
    assert contents(tmp_path) == expected
    (tmp_path / "000001.tar").unlink()
    documents.write(unfinished, tmp_path / REINFORCEMENT_FILE)
    reinforce(settings, [nano], tmp_path)
    assert contents(tmp_path) == expected


@pytest.mark.slow
def test_killed_command_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    def command(folder: str) -> list[str]:
        options = "--data scenes:60 --teacher pocketclip_nano --samples-per-shard 6 --augmentations 4 --workers 1"
        return [sys.executable, "-m", "pocketclip", "reinforce", *options.split(), "--out", str(tmp_path / folder)]

    quiet: dict[str, Any] = {"env": {**os.environ, "OMP_NUM_THREADS": "1"}, "text": True}
    process = subprocess.Popen(command("killed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **quiet)
    deadline = time.monotonic() + 120
    while not (tmp_path / "killed" / "000002.tar").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = len(list((tmp_path / "killed").glob("*.tar")))
    assert 3 <= done < 10
    for folder in ("killed", "whole"):
        finished = subprocess.run(command(folder), capture_output=True, timeout=180, **quiet)
        assert finished.returncode == 0, finished.stderr
        assert "wrote 10 shards with 60 samples" in finished.stderr
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_folders_are_not_mixed_up(tmp_path: Path, nano: Teacher) -> None:
    settings = settings_for("scenes:4", nano)
    reinforce(settings, [nano], tmp_path)
    with pytest.raises(ConfigError, match=r"different settings \(augmentations, seed\)"):
        reinforce(replace(settings, seed=1, augmentations=2), [nano], tmp_path)
    (tmp_path / REINFORCEMENT_FILE).unlink()
    with pytest.raises(ConfigError, match="shards from another program"):
        reinforce(settings, [nano], tmp_path)
    with pytest.raises(DatasetError, match=r"unknown: there is no file .*reinforced\.json.*--teacher-dims 768,768"):
        teacher_dims_of(ShardSource((str(tmp_path / "000000.tar"),)))


def test_shards_of_unlike_teachers(tmp_path: Path, nano: Teacher, other: Teacher) -> None:
    for teacher in (nano, other):
        reinforce(settings_for("scenes:2", teacher), [teacher], tmp_path / teacher.record.name)
    shards = tuple(str(tmp_path / name / "000000.tar") for name in (NANO, "other"))
    with pytest.raises(DatasetError, match=r"different teachers \(other; pocketclip_nano\)"):
        read_reinforcement(ShardSource(shards))


def test_too_many_corrupt_samples_and_broken_teachers(tmp_path: Path, nano: Teacher) -> None:
    write_pairs(tmp_path / "x.tar", range(40), {n: "png" if n % 3 else "txt" for n in range(0, 40, 2)})
    with pytest.raises(DatasetError, match="samples cannot be used, more than the allowed share of 5%"):
        reinforce(settings_for(f"webdataset:{tmp_path}", nano), [nano], tmp_path / "out")
    broken = load_teacher(NANO)
    with torch.no_grad():
        next(broken.model.image_encoder.parameters()).fill_(float("nan"))
    with pytest.raises(NonFiniteError, match="the teacher pocketclip_nano gives embeddings that are NaN"):
        reinforce(settings_for("scenes:4", broken), [broken], tmp_path / "nan")
    assert not list((tmp_path / "nan").glob("*.tar*")) + list((tmp_path / "nan").glob(".*"))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--data", "scenes:4", "--teacher", "mobileclip_s0"], "mobileclip_s0 has no weights"),
        (["--data", "scenes:4", "--teacher", "open_clip:ViT-B-32"], "open_clip:ViT-B-32 has no weights"),
        (["--data", "scenes:4", "--teacher", "nobody"], "there is no model 'nobody'"),
        (["--data", "scenes:4", "--teacher", f"{NANO}=none.pt"], "there is no checkpoint"),
        (["--data", "scenes:4", "--teacher", f"{NANO}="], "write a checkpoint after ="),
        (["--data", "scenes", "--teacher", NANO], "give a number: scenes:COUNT"),
        (["--data", "pictures", "--teacher", NANO], "is not a data reference"),
        (["--data", "scenes:4", "--teacher", NANO, "--dtype", "int8"], "choose among: bfloat16, float16, float32"),
        (["--data", "scenes:4", "--teacher", NANO, "--device", "tpu"], "device 'tpu' is not available here"),
        (["--data", "scenes:4", "--teacher", NANO, "--crop-scale", "0.5", "0.1"], "crop_scale must be two shares"),
    ],
)
def test_mistakes_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    app = command_line.new_app("pocketclip", "test")
    app.command("reinforce")(reinforce_command)
    argv, sys.argv = sys.argv, ["pocketclip", *arguments, "--out", str(tmp_path / "out")]
    try:
        with pytest.raises(SystemExit) as caught:
            command_line.run(app)
    finally:
        sys.argv = argv
    assert caught.value.code == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and complaint in errors[0]
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_told_and_the_run_goes_on(
    tmp_path: Path, nano: Teacher, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    settings = settings_for("scenes:4", nano)
    with pytest.raises(StorageError, match=r"cannot write .*000000\.tar: File too large"), full_disk(20_000):
        reinforce(settings, [nano], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [REINFORCEMENT_FILE]
    assert reinforce(settings, [nano], tmp_path).samples == 4
