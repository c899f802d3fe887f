"""`pocketclip data build pictures` with small packages: what is built, what is resumed, what is named as missing."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image, ImageDraw
from typer.testing import CliRunner

import pocketclip
from pocketclip.cli import app
from pocketclip.models.errors import ConfigError, DatasetError, MissingPackageError, StorageError
from pocketclip.models.evaluation.datasets import SetOptions, open_dataset
from pocketclip.models.pictures import catalogue as catalogue_module
from pocketclip.models.pictures import shards
from pocketclip.models.pictures.archives import members
from pocketclip.models.pictures.building import BuildSettings, build
from pocketclip.models.pictures.catalogue import Catalogue, default_catalogue
from pocketclip.models.pictures.composing import inked
from pocketclip.models.pictures.drawing import svg_fault
from pocketclip.models.pictures.lists import read_lists
from pocketclip.models.pictures.plan import Item, Split
from pocketclip.models.progress import CountingWatch, silent
from tests.models.pictures.small_packages import NAMED, SEEN, UNSEEN, make_catalogue

pytest.importorskip("resvg_py")

COMPOSITIONS = 3


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def catalogue(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    made = make_catalogue(cache, tmp_path / "lists")
    monkeypatch.setattr(catalogue_module, "default_catalogue", lambda: made)
    # No client: what is not in the cache cannot be had.
    monkeypatch.setenv("PATH", str(tmp_path))
    return made


def build_small(
    out: Path, cache: Path, workers: int = 1, **options: object
) -> pocketclip.models.pictures.manifest.PicturesManifest:
    return pocketclip.build_pictures(out, cache=cache, compositions=COMPOSITIONS, workers=workers, **options)  # type: ignore[arg-type]


def content_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "shards.jsonl"
    }


def samples_of(shard: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(shard) as archive:
        for member in archive:
            content = archive.extractfile(member)
            assert content is not None
            yield member.name, content.read()


def test_a_set_is_built_whole_and_the_same_every_time(catalogue: Catalogue, cache: Path, tmp_path: Path) -> None:
    manifest = build_small(tmp_path / "a", cache, workers=2)
    counts = {split.name: (split.samples, split.classes) for split in manifest.splits}
    assert counts == {
        Split.TRAIN: (COMPOSITIONS * (2 * len(SEEN) + sum(code in SEEN for code in NAMED) + 2), 0),
        Split.DESIGN: (len(SEEN), len(SEEN | UNSEEN)),
        Split.CONCEPTS: (2 * len(UNSEEN), len(UNSEEN)),
        Split.HARD: (2, 2),
        Split.PHOTOGRAPHS: (3, 3),
    }
    assert manifest.complete and not manifest.partial and not manifest.left_out
    build_small(tmp_path / "b", cache, workers=1)
    assert content_of(tmp_path / "a") == content_of(tmp_path / "b")
    sources = (tmp_path / "a" / "SOURCES.md").read_text()
    assert all(source.attribution in sources and source.licence in sources for source in catalogue.sources.values())
    with Image.open(tmp_path / "a" / "summary.png") as sheet:
        assert sheet.width > 500
    train = dict(samples_of(tmp_path / "a" / "train" / "000000.tar"))
    images = [Image.open(io.BytesIO(content)) for name, content in train.items() if name.endswith(".jpg")]
    assert {image.size for image in images} == {(96, 96)}
    captions = [content.decode() for name, content in train.items() if name.endswith(".txt")]
    assert len(set(captions)) > len(SEEN)
    assert not any(label in caption for caption in captions for label in UNSEEN.values())
    assert any("apple" in caption for caption in captions)
    # The class says which pictures show the same; drawings have none.
    labels = {name.partition(".")[0]: content for name, content in train.items() if name.endswith(".cls")}
    by_concept = {name: {label for key, label in labels.items() if f"_{name}_" in key} for name in SEEN}
    assert sorted(map(len, by_concept.values())) == [1] * len(SEEN)
    assert len(set.union(*by_concept.values())) == len(SEEN)
    assert not any(key.startswith("openclipart") for key in labels)


def test_a_killed_build_goes_on_and_ends_with_the_same_bytes(
    catalogue: Catalogue, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "build.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\n"
        "from pocketclip.models.pictures import plan\n"
        "from pocketclip.models.pictures.building import BuildSettings, build\n"
        "from pocketclip.models.pictures.catalogue import Catalogue\n"
        "from pocketclip.models.progress import CountingWatch\n"
        "from tests.models.pictures.small_packages import make_catalogue\n"
        "plan.SAMPLES_PER_SHARD = 10\n"
        "if __name__ == '__main__':\n"
        "    cache, lists, out = map(Path, sys.argv[1:])\n"
        "    made = make_catalogue(cache, lists)\n"
        "    settings = BuildSettings(96, 100, frozenset(), cache, 1)\n"
        "    build(made, settings, out, CountingWatch(lambda reached: print(reached.task, reached.done, flush=True)))\n"
    )
    out, own = tmp_path / "killed", tmp_path / "own"
    started = subprocess.Popen(
        [sys.executable, str(script), str(own / "cache"), str(own / "lists"), str(out)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(pocketclip.__file__).parents[1])},
    )
    assert started.stdout is not None
    for line in started.stdout:
        if line.startswith("composing samples") and int(line.split()[-1]) >= 30:
            started.send_signal(signal.SIGKILL)
            break
    assert started.wait(60) == -signal.SIGKILL
    time.sleep(1)
    assert not json.loads((out / "pictures.json").read_text())["complete"]
    with pytest.raises(DatasetError, match="has not ended"):
        open_dataset("pictures-design", SetOptions(data_root=out))
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.tar")}
    assert before
    monkeypatch.setattr("pocketclip.models.pictures.plan.SAMPLES_PER_SHARD", 10)
    settings = BuildSettings(96, 100, frozenset(), own / "cache", 1)
    mine = Catalogue(catalogue.sources, own / "lists")
    build(mine, settings, out, CountingWatch(silent))
    journal = [json.loads(line)["file"] for line in (out / "shards.jsonl").read_text().splitlines()]
    assert len(journal) == len(set(journal))
    assert sum(path.stat().st_mtime_ns == moment for path, moment in before.items()) >= 2
    build(mine, settings, tmp_path / "whole", CountingWatch(silent))
    assert content_of(out) == content_of(tmp_path / "whole")


def test_a_missing_and_a_changed_package_are_named_and_the_rest_goes_on(
    catalogue: Catalogue, cache: Path, tmp_path: Path
) -> None:
    packages = cache / "packages"
    (packages / catalogue.sources["noto"].file).unlink()
    changed = packages / catalogue.sources["openmoji"].file
    changed.write_bytes(changed.read_bytes()[:-1] + b"x")
    result = CliRunner().invoke(
        app, ["data", "build", "pictures", "--out", str(tmp_path / "set"), "--cache", str(cache), "--workers", "1"]
    )
    assert result.exit_code == 0, result.output
    manifest = json.loads((tmp_path / "set" / "pictures.json").read_text())
    lacking = {source["name"]: source["lacking"] for source in manifest["sources"] if source["lacking"]}
    assert lacking.keys() == {"noto", "openmoji"}
    assert "npm is not installed" in lacking["noto"] and "SHA-256" in lacking["openmoji"]
    assert "design is partial" in result.output and "train is partial" in result.output
    with pytest.raises(DatasetError, match=r"lacks 4 of its 4 pictures \(openmoji: .*other content than its pin"):
        open_dataset("pictures-design", SetOptions(data_root=tmp_path / "set"))
    with pytest.raises(DatasetError, match=r"partial and cannot be compared .*2 of its 4 .*--partial"):
        open_dataset("pictures-concepts", SetOptions(data_root=tmp_path / "set"))
    part = open_dataset("pictures-concepts", SetOptions(data_root=tmp_path / "set", partial=True))
    assert part.count == 2 and part.split == "partial concepts, 96 px: 2 of 4"
    open_dataset("pictures-photographs", SetOptions(data_root=tmp_path / "set"))


def test_a_partial_set_becomes_whole(catalogue: Catalogue, cache: Path, tmp_path: Path) -> None:
    partial = build_small(tmp_path / "set", cache, without=["photographs", "noto"])
    assert {split.name for split in partial.splits if split.partial} == {
        Split.TRAIN,
        Split.CONCEPTS,
        Split.PHOTOGRAPHS,
    }
    whole = build_small(tmp_path / "set", cache)
    assert not whole.partial
    build_small(tmp_path / "other", cache)
    assert content_of(tmp_path / "set") == content_of(tmp_path / "other")


def test_nothing_to_be_had(catalogue: Catalogue, cache: Path, tmp_path: Path) -> None:
    for path in (cache / "packages").iterdir():
        path.unlink()
    with pytest.raises(
        MissingPackageError, match=r"none of the 8 packages .*emojibase-data@17\.0\.0 is not in the cache"
    ):
        build_small(tmp_path / "set", cache)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"without": ["google", "apple"]}, "there is no source 'apple' to leave out; choose among: emojibase, google"),
        ({"size": 63}, "size must be from 64 to 256, got 63"),
        ({"workers": 0}, "workers must be from 1 to 256, got 0"),
    ],
)
def test_options_that_cannot_be(
    catalogue: Catalogue, cache: Path, tmp_path: Path, options: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        pocketclip.build_pictures(tmp_path / "set", cache=cache, **options)  # type: ignore[arg-type]


def test_a_folder_of_something_else(catalogue: Catalogue, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"is not empty and holds no pictures\.json"):
        build_small(tmp_path / "set", cache)
    build_small(tmp_path / "other", cache)
    with pytest.raises(ConfigError, match="holds a set with size 96, asked for is 128"):
        build_small(tmp_path / "other", cache, size=128)


def test_eval_and_damage(catalogue: Catalogue, cache: Path, tmp_path: Path) -> None:
    build_small(tmp_path / "data" / "pictures", cache)
    common = ["eval", "--model", "pocketclip_nano", "--data-root", str(tmp_path / "data")]
    common += ["--store", str(tmp_path / "store.sqlite"), "--dataset"]
    result = CliRunner().invoke(app, [*common, "pictures-design"])
    assert result.exit_code == 0, result.output
    assert "Zero-shot on 4 images of pictures-design, design, 96 px, 6 classes" in " ".join(result.output.split())
    shard = tmp_path / "data" / "pictures" / "hard" / "000000.tar"
    shard.write_bytes(shard.read_bytes()[:-512])
    with pytest.raises(
        DatasetError, match=r"000000\.tar has [0-9,]+ bytes instead of [0-9,]+; remove it and run the build"
    ):
        open_dataset("pictures-hard", SetOptions(data_root=tmp_path / "data"))
    build_small(tmp_path / "data" / "pictures", cache)
    open_dataset("pictures-hard", SetOptions(data_root=tmp_path / "data"))
    content = bytearray(shard.read_bytes())
    content[700] ^= 1
    shard.write_bytes(content)
    with pytest.raises(DatasetError, match="another content than when it was built; remove it"):
        open_dataset("pictures-hard", SetOptions(data_root=tmp_path / "data"))
    shard.unlink()
    build_small(tmp_path / "data" / "pictures", cache)
    open_dataset("pictures-hard", SetOptions(data_root=tmp_path / "data"))
    with pytest.raises(DatasetError, match=r"there is no set of pictures at .*data build pictures"):
        open_dataset("pictures-hard", SetOptions(data_root=tmp_path))


def test_splits_of_the_package_are_disjoint() -> None:
    catalogue = default_catalogue()
    lists = read_lists(catalogue.lists)
    seen = {entry.code for entry in lists.emoji if entry.seen}
    unseen = {entry.code for entry in lists.emoji if not entry.seen}
    assert len(lists.emoji) == len(seen) + len(unseen) == 1923
    assert 0.08 < len(unseen) / len(lists.emoji) < 0.14
    assert sum(entry.hard for entry in lists.emoji) == 200
    assert all(entry.seen for entry in lists.emoji if entry.hard)
    assert len(set(lists.clipart)) == len(lists.clipart) > 1500
    assert {entry.source for entry in lists.photographs} == {"tuxpaint", "gcompris"}
    assert {name for entry in lists.emoji for name in entry.sources} <= catalogue.sources.keys()


def test_inked_pictures_have_few_colours_and_dark_contours() -> None:
    picture = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((5, 5, 95, 95), fill=(250, 200, 40, 255))
    draw.rectangle((40, 40, 60, 60), fill=(200, 30, 30, 255))
    redrawn = inked(picture, np.random.default_rng(3))
    assert redrawn.mode == "RGBA" and redrawn.width > picture.width
    pixels = np.asarray(redrawn).astype(int)
    visible = pixels[pixels[..., 3] > 200][:, :3]
    dark = visible.max(1) < 60
    assert 0.03 < dark.mean() < 0.4
    assert len(np.unique(visible, axis=0)) <= 14
    # The outer contour, and the one around the square.
    middle = pixels[redrawn.height // 2, :, :3].max(1) < 60
    shown = pixels[redrawn.height // 2, :, 3] > 200
    assert np.count_nonzero(np.diff((middle & shown).astype(int)) == 1) == 4
    assert (pixels[0, 0, 3], pixels[-1, -1, 3]) == (0, 0)


def test_a_full_disk_is_told_in_a_line(
    catalogue: Catalogue, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = subprocess.run(
        [
            sys.executable,
            "-c",
            "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000));"
            "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "from pathlib import Path\n"
            "from pocketclip.models.pictures.shards import ShardTask, write_shard\n"
            "from pocketclip.models.pictures.plan import Item, Split\n"
            "from pocketclip.models.errors import StorageError\n"
            "sprites = Path(sys.argv[1])\n"
            "items = (Item('openmoji', '1f600', 0, 0),)\n"
            "task = ShardTask(Path(sys.argv[2]), Split.DESIGN, items, 96, {'openmoji': sprites}, {}, frozenset())\n"
            "try: write_shard(task)\n"
            "except StorageError as error: print(error)\n",
            str(_sprites_of(catalogue, cache, tmp_path)),
            str(tmp_path / "0.tar"),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(pocketclip.__file__).parents[1])},
        check=True,
    )
    assert result.stdout.startswith(f"cannot write {tmp_path / '0.tar'}: File too large; free some space")
    assert not list(tmp_path.glob("*.tar")) and not list(tmp_path.glob(".*.part"))


def test_a_lock_that_cannot_be_written_is_told_in_a_line(catalogue: Catalogue, cache: Path, tmp_path: Path) -> None:
    lock = tmp_path / "set" / ".building.lock"
    lock.parent.mkdir()
    with FileLock(lock), pytest.raises(ConfigError, match="another build is writing"):
        build_small(tmp_path / "set", cache)
    lock.unlink(missing_ok=True)
    # Stands for a folder without permission, which an administrator always has.
    lock.mkdir()
    with pytest.raises(StorageError, match=r"cannot write .*set.*choose a folder you may write to"):
        build_small(tmp_path / "set", cache)


def _sprites_of(catalogue: Catalogue, cache: Path, tmp_path: Path) -> Path:
    build_small(tmp_path / "set", cache)
    return next((cache / "drawn").glob("openmoji*.zip"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'<!DOCTYPE svg [<!ENTITY a "b">]><svg/>', "entities"),
        (b'<svg><image xlink:href="file:///etc/passwd"/></svg>', "a reference to another file"),
        (b'<svg><use href="other.svg#a"/></svg>', "a reference to another file"),
        (b"<svg><style>@import 'a.css';</style></svg>", "an imported style"),
        (b'<svg><rect fill="url(http://example.org/a#b)"/></svg>', "a reference to another file"),
        (b"<svg><script>1</script></svg>", "a script"),
        (b"<svg>" + b" " * 500_000 + b"</svg>", "500,011 bytes, at most 400,000 are drawn"),
    ],
)
def test_drawings_that_reach_out_are_refused(content: bytes, words: str) -> None:
    assert svg_fault(content) == words


def test_damaged_packages(catalogue: Catalogue, cache: Path, tmp_path: Path) -> None:
    whole = (cache / "packages" / catalogue.sources["google"].file).read_bytes()
    cut = tmp_path / "cut.tgz"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match=r"cut\.tgz is damaged"):
        list(members(cut, lambda name: True))
    # Links are passed over, though they are wanted.
    names = [name for name, _ in members(cache / "packages" / catalogue.sources["google"].file, lambda name: True)]
    assert names and not any("1f6ff" in name for name in names)
    with pytest.raises(DatasetError, match="at most 10 are read"):
        list(members(cache / "packages" / catalogue.sources["google"].file, lambda name: True, most_bytes=10))
    (tmp_path / "x.deb").write_bytes(b"no package")
    with pytest.raises(DatasetError, match=r"x\.deb is not a package of Debian"):
        list(members(tmp_path / "x.deb", lambda name: True))


def test_keys_of_samples_are_plain() -> None:
    key = shards.sample_key(Item("openclipart", "food/a b.c/ü_01.svg", 2, None))
    assert "." not in key and "/" not in key and key.startswith("openclipart_food-a-b-c-")
