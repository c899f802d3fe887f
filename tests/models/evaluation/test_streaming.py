"""Batches, journals and cached texts: constant memory, nothing lost, nothing wrong taken for right."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from pocketclip.models.errors import (
    CorruptSamplesError,
    DatasetError,
    ImageError,
    NonFiniteError,
    PromptError,
    ResumeError,
    StorageError,
)
from pocketclip.models.evaluation.batches import decoded_batches
from pocketclip.models.evaluation.classification import classify
from pocketclip.models.evaluation.datasets import SetOptions, open_dataset
from pocketclip.models.evaluation.encoders import TorchEncoder
from pocketclip.models.evaluation.journal import Journal, JournalEntry
from pocketclip.models.evaluation.prompts import TextTemplates, load_templates, prompt_set
from pocketclip.models.evaluation.samples import ClassificationSet, Sample
from pocketclip.models.evaluation.text_cache import cached_class_embeddings, class_embeddings
from pocketclip.models.pixels.preprocess import PreprocessSpec

from .small_sets import SIZE, ColourEncoder, picture, save

OpenJournal = Callable[..., Journal]
EYE = np.eye(1000, dtype=np.float32)


def numbered_set(count: int | None, load: Callable[[int, PreprocessSpec], np.ndarray]) -> ClassificationSet:
    """A set of `count` samples of ten classes (40 samples where the count is unknown), each right by its colour."""

    def samples(start: int) -> Iterator[Sample]:
        for place in range(start, count or 40):
            yield Sample(place, f"sample {place}", place % 10, partial(load, place))

    names = tuple(str(number) for number in range(10))
    return ClassificationSet("numbers", "all", names, TextTemplates("t", ("{}",)), "d" * 64, count, samples)


def load_number(place: int, spec: PreprocessSpec) -> np.ndarray:
    value = np.array([0, 0, place % 10 * 16], np.float32) / 255
    return np.broadcast_to(value[:, None, None], (3, spec.image_size, spec.image_size)).copy()


def load_most(place: int, spec: PreprocessSpec, bad: set[int]) -> np.ndarray:
    if place in bad:
        raise ImageError(f"cannot decode sample {place}")
    return load_number(place, spec)


def test_memory_does_not_grow_with_the_set(journal: OpenJournal) -> None:
    alive: set[int] = set()
    most = [0]
    lock = threading.Lock()

    def load(place: int, spec: PreprocessSpec) -> np.ndarray:
        image = load_number(place, spec)
        with lock:
            alive.add(place)
            most[0] = max(most[0], len(alive))
        weakref.finalize(image, alive.discard, place)
        return image

    gc.collect()
    encoder = ColourEncoder(int, batch_size=8)
    result = classify(encoder, numbered_set(400, load), EYE[:10], journal())
    assert result.accuracy == 1
    assert encoder.images == 400
    # A batch that waits for the model and what is being put together: never more than two of eight.
    assert 8 <= most[0] <= 17


def test_batches_are_the_same_whoever_decodes_faster() -> None:
    import time

    def load(place: int, spec: PreprocessSpec) -> np.ndarray:
        time.sleep(0.004 if place % 3 == 0 else 0)
        return load_number(place, spec)

    dataset = numbered_set(21, load)
    batches = list(decoded_batches(dataset.source(0), PreprocessSpec(SIZE), 8, skip_corrupt=False))
    assert [(batch.start, batch.size) for batch in batches] == [(0, 8), (8, 8), (16, 5)]
    assert np.concatenate([batch.labels for batch in batches]).tolist() == [place % 10 for place in range(21)]
    expected = [load_number(place, PreprocessSpec(SIZE)) for place in range(21)]
    np.testing.assert_array_equal(np.concatenate([batch.images for batch in batches]), expected)


def test_unreadable_sample_stops_or_is_named(tmp_path: Path, journal: OpenJournal) -> None:
    for number in range(30):
        save(tmp_path / "a" / f"{number:02d}.png", picture(0))
    (tmp_path / "a" / "07.png").write_bytes(b"no image")
    truncated = tmp_path / "a" / "30.png"
    save(truncated, picture(0, (300, 300)))
    truncated.write_bytes(truncated.read_bytes()[:-60])
    dataset = open_dataset(f"folder:{tmp_path}", SetOptions())
    assert isinstance(dataset, ClassificationSet)
    encoder = ColourEncoder(lambda text: 0)
    with pytest.raises(CorruptSamplesError, match=r"a/07\.png cannot be read: .*--skip-corrupt"):
        classify(encoder, dataset, EYE[:1], journal(dataset="stops"))
    # Two of 31 are more than 5 %.
    with pytest.raises(CorruptSamplesError, match="2 of 31 samples cannot be read, more than 5%"):
        classify(encoder, dataset, EYE[:1], journal(dataset="many"), skip_corrupt=True)
    truncated.unlink()
    dataset = open_dataset(f"folder:{tmp_path}", SetOptions())
    assert isinstance(dataset, ClassificationSet)
    result = classify(encoder, dataset, EYE[:1], journal(dataset="few"), skip_corrupt=True)
    assert (len(result.labels), result.correct) == (29, 29)
    assert 7 not in result.places
    (skipped,) = result.skipped
    assert skipped.startswith("a/07.png: ")
    assert "not an image" in skipped


def test_a_stream_that_goes_bad_is_stopped_early(journal: OpenJournal) -> None:
    encoder = ColourEncoder(int)
    for count, seen in ((1000, 52), (None, 24)):
        dataset = replace(numbered_set(count, partial(load_most, bad=set(range(1000)))), skips_corrupt=True)
        with pytest.raises(CorruptSamplesError, match=f"of {seen} samples cannot be read"):
            classify(encoder, dataset, EYE[:10], journal(dataset=str(count)))


def test_resumed_run_ends_with_the_same_figures(journal: OpenJournal, tmp_path: Path) -> None:
    # Labels and colours disagree for some, so that the figures are no trivial ones.
    def load(place: int, spec: PreprocessSpec) -> np.ndarray:
        return load_number(place + (place % 7 == 0), spec)

    dataset = numbered_set(50, partial(load))
    whole = classify(ColourEncoder(int), dataset, EYE[:10], journal(dataset="whole"))

    def failing(place: int, spec: PreprocessSpec) -> np.ndarray:
        if place == 30:
            raise KeyboardInterrupt
        return load(place, spec)

    interrupted = journal()
    with pytest.raises(KeyboardInterrupt):
        classify(ColourEncoder(int), numbered_set(50, failing), EYE[:10], interrupted)
    interrupted.close()
    run_id = interrupted.run_id
    # A process that is killed leaves a line without its end.
    with interrupted.path.open("ab") as stream:
        stream.write(b'0badc0de {"start": 28, "size"')
    again, encoder = journal(resume=True), ColourEncoder(int)
    assert (again.resumed_at, again.run_id) == (28, run_id)
    result = classify(encoder, dataset, EYE[:10], again)
    assert encoder.images == 22
    for name in ("places", "labels", "top"):
        np.testing.assert_array_equal(getattr(result, name), getattr(whole, name))
    again.close()
    # A finished run is gone on with too: there is nothing left to do.
    done, encoder = journal(resume=True), ColourEncoder(int)
    np.testing.assert_array_equal(classify(encoder, dataset, EYE[:10], done).top, whole.top)
    assert encoder.images == 0
    done.remove()
    assert not done.path.exists()


def entry(start: int) -> JournalEntry:
    return JournalEntry(start, 2, {"top": np.zeros((2, 1), np.int32)}, ("é: lost",))


def test_journal_is_about_one_thing(journal: OpenJournal) -> None:
    first = journal()
    first.append(entry(0))
    first.close()
    with pytest.raises(ResumeError, match=r"the files of the data set changed since; omit --resume"):
        journal(resume=True, dataset_sha256="other")
    with pytest.raises(ResumeError, match="executed_by, skip_corrupt changed"):
        journal(resume=True, executed_by="other", skip_corrupt=True)
    # Another model or other prompts have a journal of their own.
    for name in ("image", "text", "inputs", "dataset", "prompts_sha256"):
        other = journal(resume=True, **{name: "other"})
        assert (other.end, other.path == first.path) == (0, False)
    # Starting anew loses nothing.
    anew = journal()
    assert anew.end == 0
    assert anew.set_aside is not None
    anew.set_aside.replace(first.path)
    assert journal(resume=True).skipped == ("é: lost",)


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_damaged_journal_is_read_up_to_the_damage(journal: OpenJournal, cut: int) -> None:
    first = journal()
    for start in (0, 2, 4):
        first.append(entry(start))
    first.close()
    content = first.path.read_bytes()
    first.path.write_bytes(content[:-cut])
    again = journal(resume=True)
    assert again.end == 4
    again.append(entry(4))
    again.close()
    assert journal(resume=True).end == 6
    flipped = bytearray(content)
    flipped[-cut] ^= 4
    first.path.write_bytes(flipped)
    assert journal(resume=True).end == 4


def test_journal_takes_batches_in_order(journal: OpenJournal) -> None:
    with pytest.raises(ValueError, match="starts at 0, got 2"):
        journal().append(entry(2))


def test_empty_set(journal: OpenJournal) -> None:
    with pytest.raises(DatasetError, match="numbers is empty"):
        classify(ColourEncoder(int), numbered_set(0, load_number).__class__(
            "numbers", "all", ("0",), TextTemplates("t", ("{}",)), "d", None, lambda start: iter(())
        ), EYE[:1], journal())  # fmt: skip


def test_top5() -> None:
    from pocketclip.models.evaluation.classification import ZeroShotResult

    top = np.array([[1, 2, 3, 4, 5], [5, 4, 3, 2, 0], [7, 8, 9, 10, 11]], np.int32)
    labels = np.array([1, 0, 0])
    result = ZeroShotResult(np.arange(3), labels, top, 12)
    assert (result.correct, result.correct_of_top5) == (1, 2)
    assert ZeroShotResult(np.arange(3), labels, top, 5).correct_of_top5 is None


def test_class_embeddings_are_normalised_means() -> None:
    table = {"photo a": 0, "photo b": 1, "b": 2}
    prompts = prompt_set(["a", "b"], TextTemplates("t", ("photo {}",)))
    assert prompts.prompts == (("photo a",), ("photo b",))
    two = replace(prompts, prompts=(("photo a",), ("photo b", "b")))
    rows = class_embeddings(two, ColourEncoder(table.__getitem__, dim=3))
    np.testing.assert_allclose(rows, [[1, 0, 0], [0, 0.5**0.5, 0.5**0.5]], rtol=1e-6)
    assert len({prompts.sha256, two.sha256, replace(two, prompts=two.prompts[::-1]).sha256}) == 3


class _Opposed(ColourEncoder):
    def encode_texts(self, texts: object) -> np.ndarray:
        return np.array([[1, 0], [-1, 0]], np.float32)


def test_prompts_that_cancel_out() -> None:
    prompts = prompt_set(["a"], TextTemplates("t", ("{}", "no {}")))
    with pytest.raises(NonFiniteError, match="cancel each other out"):
        class_embeddings(prompts, _Opposed(int))


def test_text_embeddings_are_cached_and_checked(tmp_path: Path) -> None:
    prompts = prompt_set(["3", "5"], TextTemplates("t", ("{}",)))
    complaints: list[str] = []
    done: list[int] = []

    def embed(encoder: ColourEncoder, chosen: object = prompts) -> np.ndarray:
        return cached_class_embeddings(tmp_path, chosen, encoder, done.append, complaints.append)  # type: ignore[arg-type]

    encoder = ColourEncoder(int, dim=8)
    first = embed(encoder)
    np.testing.assert_array_equal(embed(encoder), first)
    assert (encoder.texts, sum(done), complaints) == (2, 4, [])
    (file,) = tmp_path.iterdir()
    sound = file.read_bytes()
    for damage in (sound[:-3], b"", sound[:-1] + bytes([sound[-1] ^ 1]), b"\xff" * 40):
        file.write_bytes(damage)
        np.testing.assert_array_equal(embed(encoder), first)
    assert encoder.texts == 10
    assert len(complaints) == 4
    assert all("are damaged" in complaint and "computed again" in complaint for complaint in complaints)
    np.testing.assert_array_equal(embed(encoder), first)
    assert encoder.texts == 10
    # Another model, and the same model with other prompts, are not mixed up.
    for other, chosen in ((ColourEncoder(int, dim=8, name="n"), prompts), (encoder, prompt_set(["5"], load_first()))):
        embed(other, chosen)
    assert len(list(tmp_path.iterdir())) == 3
    # An entry under another one's name is no entry.
    names = sorted(tmp_path.iterdir())
    file.write_bytes(next(name for name in names if name != file).read_bytes())
    np.testing.assert_array_equal(embed(encoder), first)
    assert len(complaints) == 5


def load_first() -> TextTemplates:
    return TextTemplates("other", ("{}",))


def test_templates_by_name() -> None:
    openai, simple = load_templates("openai"), load_templates("simple")
    assert len(openai.prompts("cat")) == 80
    assert len(simple.prompts("cat")) == 7
    assert openai.prompts("tench")[:2] == ["a bad photo of a tench.", "a photo of many tench."]
    assert set(simple.prompts("cat")) < set(openai.prompts("cat"))
    pictures = load_templates("pictures").prompts("cat")
    assert {"cat", "a drawing of cat", "a photo of a cat"} < set(pictures) and len(set(pictures)) == len(pictures)


def test_templates_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("a {} on a table\n\na {c}\nthe {classname}, again the {}\na {c}\n", encoding="utf-8-sig")
    found = load_templates(str(file))
    assert found.name == "mine.txt"
    assert found.prompts("cup") == ["a cup on a table", "a cup", "the cup, again the cup"]
    for content, message in (
        ("", "holds no template"),
        ("a {}\nno place\n{x}\n", r"2 of 3 templates have no \{\} for the class \(first: 'no place'\)"),
    ):
        file.write_text(content)
        with pytest.raises(PromptError, match=message):
            load_templates(str(file))
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PromptError, match="cannot read templates"):
        load_templates(str(file))


def test_a_model_that_gives_nan_is_told() -> None:
    import torch

    from pocketclip.models import create_model
    from pocketclip.models.checkpoints.checkpoint import weights_sha256

    model = create_model("pocketclip_nano")
    with torch.no_grad():
        next(model.text_encoder.parameters()).fill_(float("nan"))
    encoder = TorchEncoder(model, weights_sha256(model), batch_size=2)
    with pytest.raises(NonFiniteError, match="pocketclip_nano gave NaN"):
        encoder.encode_texts(["a red circle"])


def test_torch_encoder_batches_texts() -> None:
    from pocketclip.models import create_model

    model = create_model("pocketclip_nano")
    texts = [f"a photo of {number} circles" for number in range(5)]
    by_two, at_once = (TorchEncoder(model, "w", batch_size=size).encode_texts(texts) for size in (2, 5))
    np.testing.assert_allclose(by_two, at_once, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(at_once, axis=1), 1, atol=1e-6)


def test_a_full_disk_is_told_and_the_journal_goes_on(
    journal: Callable[..., Journal], full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    entry = JournalEntry(0, 2, {"found": np.zeros(300)}, ())
    first = journal()
    with (
        pytest.raises(StorageError, match=r"cannot write .*\.journal: File too large"),
        full_disk(1000),
        closing(first),
    ):
        first.append(entry)
    again = journal(resume=True)
    assert again.end == 0
    again.append(entry)
    again.close()
