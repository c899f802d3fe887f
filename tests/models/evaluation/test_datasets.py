"""Published layouts: every image gets the label its folder's name means, whatever is missing, and errors help."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pocketclip.models.errors import DatasetError, MissingPackageError, PromptError
from pocketclip.models.evaluation import datasets
from pocketclip.models.evaluation.class_sets import imagenet_names, imagenet_wnids, subset_wnids
from pocketclip.models.evaluation.classification import classify
from pocketclip.models.evaluation.datasets import PUBLISHED_SETS, SetOptions, open_dataset
from pocketclip.models.evaluation.journal import Journal
from pocketclip.models.evaluation.prompts import prompt_set
from pocketclip.models.evaluation.samples import ClassificationSet
from pocketclip.models.evaluation.text_cache import class_embeddings
from pocketclip.models.pixels.preprocess import PreprocessSpec

from .small_sets import SIZE, ColourEncoder, picture, save, value_of, write_objectnet


def opened(reference: str, root: Path, **options: object) -> ClassificationSet:
    found = open_dataset(reference, SetOptions(data_root=root, **options))  # type: ignore[arg-type]
    assert isinstance(found, ClassificationSet)
    return found


def labels_by_folder(dataset: ClassificationSet) -> dict[str, tuple[str, int]]:
    """Folder to the class name its images count as, and the value that they show."""
    samples = list(dataset.source(0))
    assert [sample.place for sample in samples] == list(range(len(samples)))
    return {
        sample.name.split("/")[0]: (dataset.class_names[sample.label], value_of(sample.load(PreprocessSpec(SIZE))))
        for sample in samples
    }


def write_classes(root: Path, folders: dict[str, int], images: int = 1) -> None:
    for folder, value in folders.items():
        for number in range(images):
            save(root / folder / f"image_{number}.JPEG", picture(value))


def test_imagenet_is_mapped_by_id_and_not_by_position(tmp_path: Path, journal: Callable[..., Journal]) -> None:
    wnids = imagenet_wnids()
    # Some classes of 1000, made in no order: torchvision's ImageFolder would number them 0 to 3.
    shown = {wnids[place]: place for place in (999, 217, 0, 530)}
    write_classes(tmp_path / "imagenet" / "val", shown, images=2)
    (tmp_path / "imagenet" / "val" / ".DS_Store").write_bytes(b"x")
    (tmp_path / "imagenet" / "val" / wnids[0] / "notes.txt").write_text("no image")
    dataset = opened("imagenet", tmp_path)
    assert (dataset.count, dataset.classes_shown, dataset.published_count) == (8, 4, 50_000)
    assert len(dataset.class_names) == 1000
    assert labels_by_folder(dataset) == {wnid: (imagenet_names()[place], place) for wnid, place in shown.items()}

    # An encoder that knows each class by its first prompt is right on all of them.
    prompts = prompt_set(dataset.class_names, dataset.templates)
    assert prompts.count == 80_000
    one_a_class = {sentences[0]: place for place, sentences in enumerate(prompts.prompts)}
    encoder = ColourEncoder(lambda text: one_a_class[text], batch_size=3)
    classes = class_embeddings(prompt_set(dataset.class_names, _First(dataset.templates)), encoder)
    assert classify(encoder, dataset, classes, journal()).accuracy == 1


class _First:
    """The first template alone: 80,000 prompts are many for a test."""

    name = "first"

    def __init__(self, templates: object) -> None:
        self._templates = templates

    def prompts(self, class_name: str) -> list[str]:
        return self._templates.prompts(class_name)[:1]  # type: ignore[attr-defined]


def test_the_data_root_may_be_the_set_itself(tmp_path: Path) -> None:
    write_classes(tmp_path, {imagenet_wnids()[5]: 5})
    assert opened("imagenet", tmp_path).count == 1
    write_classes(tmp_path / "v2", {"5": 5})
    assert opened("imagenet-v2", tmp_path / "v2").count == 1


def test_imagenet_v2_folders_are_numbers(tmp_path: Path) -> None:
    folders = {str(label): label for label in (0, 1, 2, 9, 10, 11, 100, 999)}
    write_classes(tmp_path / "imagenetv2-matched-frequency-format-val", folders)
    dataset = opened("imagenet-v2", tmp_path)
    assert labels_by_folder(dataset) == {folder: (imagenet_names()[label], label) for folder, label in folders.items()}
    for stranger in ("1000", "n01440764", "²"):
        write_classes(tmp_path / "other" / "imagenet-v2", {"3": 3, stranger: 3})
        with pytest.raises(DatasetError, match=re.escape(f"1 folders of unknown classes ({stranger})")):
            opened("imagenet-v2", tmp_path / "other")
        (tmp_path / "other" / "imagenet-v2" / stranger / "image_0.JPEG").unlink()
        (tmp_path / "other" / "imagenet-v2" / stranger).rmdir()


@pytest.mark.parametrize("name", ["imagenet-a", "imagenet-o", "imagenet-r"])
def test_subsets_have_their_200_classes(name: str, tmp_path: Path) -> None:
    wnids = subset_wnids(name)
    assert len(wnids) == 200
    assert list(wnids) == sorted(wnids)
    shown = {wnids[place]: place for place in (199, 0, 57)}
    write_classes(tmp_path / name, shown)
    dataset = opened(name, tmp_path)
    names = dict(zip(imagenet_wnids(), imagenet_names(), strict=True))
    assert labels_by_folder(dataset) == {wnid: (names[wnid], place) for wnid, place in shown.items()}
    assert [sample.label for sample in dataset.source(0)] == [0, 57, 199]
    # A class of ImageNet that this set does not have.
    foreign = next(wnid for wnid in imagenet_wnids() if wnid not in wnids)
    write_classes(tmp_path / name, {foreign: 1})
    with pytest.raises(DatasetError, match=f"unknown classes \\({foreign}\\); .*the 200 of ImageNet-"):
        opened(name, tmp_path)


@pytest.mark.parametrize("letter", ["a", "r"])
def test_subsets_agree_with_timm(letter: str) -> None:
    import pkgutil

    listed = pkgutil.get_data("timm.data", f"_info/imagenet_{letter}_synsets.txt")
    assert listed is not None
    assert subset_wnids(f"imagenet-{letter}") == tuple(listed.decode().split())


def test_objectnet_is_cropped_and_mapped(tmp_path: Path) -> None:
    write_objectnet(tmp_path, [f"name {place}" for place in range(1000)])
    dataset = opened("objectnet", tmp_path)
    # Classes by folder name, in lower case; the object that ImageNet lacks is left out and no error.
    assert dataset.class_names == ("alarm clock", "zebra clock")
    # A red border left on would have changed the colour.
    assert labels_by_folder(dataset) == {"zebra_clock": ("zebra clock", 1), "alarm_clock": ("alarm clock", 2)}
    (tmp_path / "objectnet-1.0" / "images" / "unheard_of").mkdir()
    with pytest.raises(DatasetError, match="unheard_of"):
        opened("objectnet", tmp_path)


def test_objectnet_without_its_mapping(tmp_path: Path) -> None:
    write_objectnet(tmp_path, [f"name {place}" for place in range(1000)])
    mappings = tmp_path / "objectnet-1.0" / "mappings"
    (mappings / "objectnet_to_imagenet_1k.json").write_text('{"Alarm clock": "unheard of"}')
    with pytest.raises(DatasetError, match="do not match each other"):
        opened("objectnet", tmp_path)
    (mappings / "imagenet_to_label_2012_v2").unlink()
    with pytest.raises(DatasetError, match="lacks imagenet_to_label_2012_v2; unpack"):
        opened("objectnet", tmp_path)


@pytest.mark.parametrize("name", PUBLISHED_SETS)
def test_missing_sets_say_where_to_get_them(name: str, tmp_path: Path) -> None:
    entry = PUBLISHED_SETS[name]
    with pytest.raises(DatasetError) as caught:
        opened(name, tmp_path)
    assert all(part in str(caught.value) for part in (entry.title, entry.source, entry.layout, "--data-root"))


def test_unsorted_imagenet_is_told(tmp_path: Path) -> None:
    save(tmp_path / "imagenet" / "val" / "ILSVRC2012_val_00000001.JPEG", picture(1))
    with pytest.raises(DatasetError, match="holds no image in 0 class folders"):
        opened("imagenet", tmp_path)
    save(tmp_path / "flat" / "ILSVRC2012_val_00000001.JPEG", picture(1))
    with pytest.raises(DatasetError, match="not sorted by class"):
        opened("imagenet", tmp_path / "flat")


def test_unknown_set_lists_all(tmp_path: Path) -> None:
    for reference in ("imagenet-sketch", "folder", "folder:", "webdataset:"):
        known = r"choose among: scenes, pictures-design, .*imagenet, .*objectnet, folder:PATH, csv:FILE, webdataset:PA"
        with pytest.raises(DatasetError, match=known):
            opened(reference, tmp_path)
    with pytest.raises(DatasetError, match="after folder: write the PATH of a folder"):
        opened("folder:", tmp_path)


def test_own_folder(tmp_path: Path) -> None:
    write_classes(tmp_path, {"red_fox": 1, "arctic hare": 2, "bear": 3}, images=2)
    dataset = opened(f"folder:{tmp_path}", tmp_path)
    assert dataset.class_names == ("arctic hare", "bear", "red fox")
    assert labels_by_folder(dataset) == {
        "red_fox": ("red fox", 1),
        "arctic hare": ("arctic hare", 2),
        "bear": ("bear", 3),
    }
    # No path of the machine in what is recorded.
    assert dataset.name == f"folder:{tmp_path.name}"
    (tmp_path / "red fox").mkdir()
    with pytest.raises(DatasetError, match="two folders for the class 'red fox'"):
        opened(f"folder:{tmp_path}", tmp_path)


def test_own_folder_with_names(tmp_path: Path) -> None:
    root = tmp_path / "set"
    write_classes(root, {"c1": 1, "c2": 2, "c10": 3})
    (tmp_path / "names.tsv").write_text("c10\tgrey seal\n\nc2 sea lion\nc1\tgrey seal\nc4\torca\n")
    (tmp_path / "names.json").write_text('{"c10": "grey seal", "c2": "sea lion", "c1": "grey seal", "c4": "orca"}')
    for file in ("names.tsv", "names.json"):
        dataset = opened(f"folder:{root}", tmp_path, classes=tmp_path / file)
        assert dataset.class_names == ("grey seal", "sea lion", "orca")
        assert labels_by_folder(dataset) == {"c1": ("grey seal", 1), "c2": ("sea lion", 2), "c10": ("grey seal", 3)}
    for content, message in (
        ("c1\tseal\n", "2 folders of unknown classes \\(c10, c2\\); every folder must be named in"),
        ("c1\n", "line 1: 'c1' has no class name"),
        ("\n", "names no class"),
    ):
        (tmp_path / "names.tsv").write_text(content)
        with pytest.raises(DatasetError, match=message):
            opened(f"folder:{root}", tmp_path, classes=tmp_path / "names.tsv")
    for content, message in (("[1]", "must hold an object"), ("{", "is not JSON")):
        (tmp_path / "names.json").write_text(content)
        with pytest.raises(DatasetError, match=message):
            opened(f"folder:{root}", tmp_path, classes=tmp_path / "names.json")
    with pytest.raises(DatasetError, match="cannot read class names"):
        opened(f"folder:{root}", tmp_path, classes=tmp_path / "none.tsv")


def test_empty_and_missing_folders(tmp_path: Path) -> None:
    (tmp_path / "set" / "class").mkdir(parents=True)
    with pytest.raises(DatasetError, match="holds no image in 1 class folders"):
        opened(f"folder:{tmp_path / 'set'}", tmp_path)
    with pytest.raises(DatasetError, match="there is no folder"):
        opened(f"folder:{tmp_path / 'none'}", tmp_path)


def test_a_part_is_drawn_by_seed(tmp_path: Path) -> None:
    write_classes(tmp_path, {f"c{number:02d}": number for number in range(20)})
    drawn = [opened(f"folder:{tmp_path}", tmp_path, count=6, seed=seed) for seed in (0, 0, 1)]
    names = [[sample.name for sample in dataset.source(0)] for dataset in drawn]
    assert names[0] == names[1] == sorted(names[0])
    assert names[0] != names[2]
    # Not the first six, which would be those of the first classes.
    assert names[0] != [f"c{number:02d}/image_0.JPEG" for number in range(6)]
    assert len({dataset.sha256 for dataset in drawn}) == 2
    assert drawn[0].split == "all, 6 drawn with seed 0"
    with pytest.raises(DatasetError, match="--count 21 is more than the 20 images"):
        opened(f"folder:{tmp_path}", tmp_path, count=21)


def test_identity_follows_the_files(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": 1, "b": 2})
    before = opened(f"folder:{tmp_path}", tmp_path).sha256
    assert opened(f"folder:{tmp_path}", tmp_path).sha256 == before
    write_classes(tmp_path, {"a": 1}, images=2)
    assert opened(f"folder:{tmp_path}", tmp_path).sha256 != before


def test_scenes_are_the_default_ones(tmp_path: Path) -> None:
    import numpy as np

    from pocketclip.models.pixels.preprocess import normalize
    from pocketclip.models.scenes import Split, class_prompts, render_arrays

    dataset = opened("scenes", tmp_path, count=12)
    pixels, _ = render_arrays(Split.HELDOUT, 12, 0, 32)
    shown = [sample.load(PreprocessSpec(32)) for sample in dataset.source(0)]
    assert dataset.count == len(shown) == 12
    np.testing.assert_array_equal(shown, normalize(pixels, PreprocessSpec(32)))
    assert dataset.templates.prompts("orange circle") == class_prompts("orange circle")
    assert opened("scenes", tmp_path).sha256 != dataset.sha256


def test_options_that_a_set_cannot_use(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="--classes does not apply to the data set scenes"):
        opened("scenes", tmp_path, classes=tmp_path / "x")
    with pytest.raises(DatasetError, match=r"--templates does not apply to the data set retrieval"):
        opened("retrieval:x.csv", tmp_path, templates="simple")
    with pytest.raises(PromptError, match=r"cannot read templates from nothing\.txt"):
        opened("scenes", tmp_path, templates="nothing.txt")
    assert opened("scenes", tmp_path, templates="simple").templates.name == "simple"


def test_missing_extra_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("webdataset", "clip_benchmark"):
        monkeypatch.setitem(sys.modules, module, None)
    subset_wnids.cache_clear()
    for reference in ("webdataset:x.tar", "imagenet-a", "objectnet"):
        write_classes(tmp_path / "imagenet-a", {"n01498041": 1})
        (tmp_path / "objectnet-1.0" / "images").mkdir(parents=True, exist_ok=True)
        with pytest.raises(MissingPackageError, match=r"pip install -e '\.\[eval\]'"):
            open_dataset(reference, SetOptions(data_root=tmp_path))


def test_table_of_sets_is_whole() -> None:
    from pocketclip.models.evaluation.published import published_accuracy

    assert {entry.kind for entry in PUBLISHED_SETS.values()} == {"wnid", "index", "objectnet"}
    for name, entry in PUBLISHED_SETS.items():
        assert entry.source.startswith("https://")
        assert published_accuracy("mobileclip_s2", name) is not None
        assert name in datasets.dataset_names()
    assert published_accuracy("mobileclip_s2", "imagenet") == pytest.approx(0.744)
    assert published_accuracy("open_clip-ViT-B-16-openai", "imagenet-r") is None
    # Other weights of the same architecture, and a changed model, have no published figure.
    assert published_accuracy("open_clip-ViT-B-16-laion2b_s34b_b88k", "imagenet") is None
    assert published_accuracy("mobileclip_s2-1a2b3c4d", "imagenet") is None
    assert published_accuracy("mobileclip_s2", "scenes") is None
