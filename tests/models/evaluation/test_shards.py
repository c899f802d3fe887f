"""Webdataset shards in clip-benchmark's layout: order, names, corrupt samples, damaged shards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pocketclip.models.errors import CorruptSamplesError, DatasetError
from pocketclip.models.evaluation.classification import classify
from pocketclip.models.evaluation.datasets import SetOptions, open_dataset
from pocketclip.models.evaluation.journal import Journal
from pocketclip.models.evaluation.samples import ClassificationSet
from pocketclip.models.evaluation.shards import find_shards
from pocketclip.models.evaluation.text_cache import class_embeddings
from pocketclip.models.pixels.preprocess import PreprocessSpec

from .small_sets import SIZE, ColourEncoder, png, value_of, write_shard


def write_set(root: Path, shards: int = 3, per_shard: int = 10) -> None:
    """Ten classes; sample number n has the class and the colour n modulo 10."""
    for shard in range(shards):
        first = shard * per_shard
        samples = [
            {("png", "webp", "jpg")[shard % 3]: png(n % 10), "cls": str(n % 10).encode()}
            for n in range(first, first + per_shard)
        ]
        write_shard(root / "test" / f"{shard}.tar", samples, first)
    (root / "classnames.txt").write_text("".join(f"{number}\n" for number in range(10)))
    (root / "zeroshot_classification_templates.txt").write_text("{c}\n")
    (root / "test" / "nshards.txt").write_text(str(shards))


def opened(pattern: str, **options: object) -> ClassificationSet:
    found = open_dataset(f"webdataset:{pattern}", SetOptions(**options))  # type: ignore[arg-type]
    assert isinstance(found, ClassificationSet)
    return found


def test_shards_are_read_in_order(tmp_path: Path, journal: Callable[..., Journal]) -> None:
    write_set(tmp_path, shards=12, per_shard=2)
    test = tmp_path / "test"
    for pattern in (f"{test}/{{0..11}}.tar", f"{test}/*.tar", str(test)):
        # Numbers in order: as text, 10.tar would come before 2.tar.
        assert [shard.name for shard in find_shards(pattern)] == [f"{number}.tar" for number in range(12)]
        dataset = opened(pattern)
        samples = list(dataset.source(0))
        assert [sample.place for sample in samples] == list(range(24))
        assert [value_of(sample.load(PreprocessSpec(SIZE))) for sample in samples] == [n % 10 for n in range(24)]
        # Going on in the middle of a shard.
        assert [sample.name for sample in dataset.source(5)] == [sample.name for sample in samples[5:]]
    assert dataset.name == f"webdataset:{tmp_path.name}/test"
    assert dataset.templates.prompts("7") == ["7"]
    encoder = ColourEncoder(int, dim=10)
    classes = class_embeddings(_prompts(dataset), encoder)
    assert classify(encoder, dataset, classes, journal()).accuracy == 1
    first = opened(str(test), count=5)
    assert len(list(first.source(0))) == 5
    assert first.split == "first-5"
    assert first.sha256 != dataset.sha256


def _prompts(dataset: ClassificationSet):
    from pocketclip.models.evaluation.prompts import prompt_set

    return prompt_set(dataset.class_names, dataset.templates)


def test_paths_are_those_that_training_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "set[1]"
    write_set(home, shards=2)
    (home / "own" / "red").mkdir(parents=True)
    (home / "own" / "red" / "a.png").write_bytes(png(1))
    (home / "pairs.csv").write_text("image,caption\nown/red/a.png,red\n")
    monkeypatch.setenv("HOME", str(home))
    for pattern in (f"{home}/test", "~/test", "~/test/{0..1}.tar", "~/test/1.tar", f"{tmp_path}/**/?.tar"):
        assert find_shards(pattern)[-1] == home / "test" / "1.tar"
    assert open_dataset("folder:~/own", SetOptions()).count == 1
    assert open_dataset("retrieval:~/pairs.csv", SetOptions()).count == 2


def test_corrupt_samples_are_counted_and_named(tmp_path: Path, journal: Callable[..., Journal]) -> None:
    write_set(tmp_path, shards=4, per_shard=25)
    samples = [{"png": png(n % 10), "cls": str(n % 10).encode()} for n in range(25)]
    samples[3]["png"] = b"no image"
    del samples[7]["cls"]
    samples[9]["cls"] = b"seven"
    samples[11] = {"txt": b"no picture", "cls": b"1"}
    write_shard(tmp_path / "test" / "1.tar", samples)
    dataset = opened(str(tmp_path / "test"))
    encoder = ColourEncoder(int, dim=10)
    result = classify(encoder, dataset, class_embeddings(_prompts(dataset), encoder), journal())
    assert (len(result.labels), result.correct, len(result.skipped)) == (96, 96, 4)
    for name, reason in (("s0003", "not an image"), ("s0007", "no label"), ("s0009", "'seven'"), ("s0011", "no image")):
        assert any(f"1.tar/{name}" in skipped and reason in skipped for skipped in result.skipped)
    for number in range(13, 16):
        samples[number]["png"] = b""
    write_shard(tmp_path / "test" / "1.tar", samples)
    with pytest.raises(CorruptSamplesError, match="7 of 100 samples cannot be read, more than 5%"):
        classify(encoder, opened(str(tmp_path / "test")), result_classes(10), journal(dataset="bad"))


def result_classes(count: int):
    import numpy as np

    return np.eye(count, dtype=np.float32)


def test_damaged_shards_are_errors(tmp_path: Path) -> None:
    write_set(tmp_path)
    shard = tmp_path / "test" / "1.tar"
    content = shard.read_bytes()
    dataset = opened(str(tmp_path / "test"))
    # Cut anywhere, in a header, a file or between two: all later samples are lost, and nobody knows how many.
    for length in (100, 512, 2048, 2048 + 300, len(content) // 2, len(content) // 2 + 700):
        shard.write_bytes(content[:length])
        with pytest.raises(DatasetError, match=r"cannot read the shard .*1\.tar to its end: .*download it again"):
            list(dataset.source(0))
    shard.write_bytes(b"x" * 2048)
    with pytest.raises(DatasetError, match=r"cannot read the shard .*1\.tar"):
        list(dataset.source(0))
    shard.unlink()
    with pytest.raises(DatasetError, match=r"cannot read the shard .*1\.tar"):
        list(dataset.source(0))


def test_labels_beyond_the_classes(tmp_path: Path) -> None:
    write_set(tmp_path)
    (tmp_path / "classnames.txt").write_text("one\ntwo\n")
    with pytest.raises(DatasetError, match="has the label 2, but only 2 classes are named"):
        list(opened(str(tmp_path / "test")).source(0))


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    write_set(tmp_path)
    (tmp_path / "names.json").write_text('["' + '", "'.join("abcdefghij") + '"]')
    assert opened(str(tmp_path / "test"), classes=tmp_path / "names.json").class_names[9] == "j"
    for content, message in (("{}", "must hold a list"), ("[]", "must name one class per line")):
        (tmp_path / "names.json").write_text(content)
        with pytest.raises(DatasetError, match=message):
            opened(str(tmp_path / "test"), classes=tmp_path / "names.json")
    (tmp_path / "classnames.txt").write_text("a\n\nb\n")
    with pytest.raises(DatasetError, match="without empty lines"):
        opened(str(tmp_path / "test"))
    (tmp_path / "classnames.txt").unlink()
    with pytest.raises(DatasetError, match=r"no classnames\.txt beside"):
        opened(str(tmp_path / "test"))
    for pattern, message in (
        (f"{tmp_path}/test/{{0..5}}.tar", r"there is no shard .*3\.tar"),
        (f"{tmp_path}/none/*.tar", "no shard matches"),
        (f"{tmp_path}/{{0..", "unbalanced braces"),
        ("pipe:cat x.tar", "is a command, and PocketCLIP never runs commands for data"),
        ("{pipe:cat x,a}.tar", "is a command"),
        ("https://example.org/0.tar", "read from files of this machine"),
    ):
        with pytest.raises(DatasetError, match=message):
            opened(pattern)
