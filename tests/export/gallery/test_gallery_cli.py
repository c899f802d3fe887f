"""`pocketclip index` and `search` as their users meet them, on an exported pair."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

import pocketclip
from pocketclip.export.artifact.reading import find_artifacts, select_pair
from pocketclip.export.errors import ArtifactNotFoundError, GalleryError
from pocketclip.export.gallery.index_folder import open_index, writing
from pocketclip.export.gallery.indexing import identity_of

Run = Callable[..., subprocess.CompletedProcess[str]]
COLOURS = ("red", "green", "blue", "yellow", "purple")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pair")
    pocketclip.export("pocketclip_nano", target="onnx", precision="fp32", tower="image", out=out)
    pocketclip.export("pocketclip_nano", target="onnx", precision="fp32", tower="text", out=out)
    return out / "pocketclip_nano" / "onnx-fp32"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for colour in COLOURS:
        for shape in ("circle", "square"):
            image = Image.new("RGB", (80, 60), "black")
            draw = ImageDraw.Draw(image)
            (draw.ellipse if shape == "circle" else draw.rectangle)((20, 10, 60, 50), fill=colour)
            image.save(folder / f"{colour}-{shape}.png")
    shutil.copy(folder / "red-circle.png", folder / "more" / "copy <b>&amp;\x1b[31m.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    (folder / "notes.txt").write_text("no photograph")
    return folder


@pytest.mark.slow
def test_a_folder_is_indexed_searched_and_kept_up_to_date(
    pocketclip: Run, pair: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "index"
    run = pocketclip("index", photos, "--artifact", pair, "--out", out)
    assert run.returncode == 0, run.stderr
    assert "11 photographs; 11 embedded, 0 forgotten" in run.stderr
    assert "1 photographs cannot be read; the first, broken.jpg" in run.stderr
    assert "1 files with the suffix .txt" in run.stderr
    found = pocketclip("search", out, "a green square", "--most", "3")
    assert found.returncode == 0
    hits = re.findall(r"\S+\.png", found.stdout)
    assert hits[0] == "green-square.png" and "green-circle.png" in hits

    (photos / "red-square.png").unlink()
    shutil.copy(photos / "blue-circle.png", photos / "green-square.png")
    again = pocketclip("index", photos, "--artifact", pair, "--out", out)
    assert "10 photographs; 1 embedded, 1 forgotten" in again.stderr
    page = tmp_path / "found.html"
    like = pocketclip("search", out, "--like", photos / "blue-circle.png", "--most", "2", "--html", page)
    assert {"blue-circle.png", "green-square.png"} <= set(re.split(r"\s+", like.stdout))
    similar = pocketclip("search", out, "--similar", "--html", page)
    assert "copy <b>" in similar.stdout and "\x1b" not in similar.stdout
    html = page.read_text()
    assert "copy &lt;b&gt;" in html and "<b>" not in html and "\x1b" not in html
    assert html.count("data:image/jpeg") >= 4 and "http" not in html.replace("http-equiv", "")


@pytest.mark.slow
def test_a_killed_indexing_goes_on(pair: Path, photos: Path, tmp_path: Path) -> None:
    for number in range(400):
        shutil.copy(photos / "red-circle.png", photos / f"copy{number:03}.png")
    out = tmp_path / "index"
    command = [sys.executable, "-m", "pocketclip", "index", str(photos), "--artifact", str(pair), "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    log = out / "photos-0.jsonl"
    for _ in range(600):
        if log.is_file() and log.stat().st_size:
            break
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = len(open_index(out).photos)
    report = pocketclip.index_photos(photos, pair, out)
    assert report.photos == 411
    assert report.added == 411 - before


@pytest.mark.slow
def test_searching_from_python(pair: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "index"
    seen: list[int] = []
    report = pocketclip.index_photos(photos, pair / "image", out, on_progress=lambda each: seen.append(each.done))
    assert report.photos == 11 and seen
    by_text = pocketclip.search_photos(out, "a blue circle", most=1)
    by_image = pocketclip.search_photos(out, Image.open(photos / "blue-circle.png").convert("RGB"), most=1)
    assert by_text[0].photo == by_image[0].photo == "blue-circle.png"
    assert by_image[0].cosine == pytest.approx(1, abs=2e-3)
    groups = pocketclip.similar_photos(out, least_cosine=0.9999)
    assert any("red-circle.png" in group.photos for group in groups)
    with pytest.raises(GalleryError, match="least_cosine"):
        pocketclip.similar_photos(out, least_cosine=0)
    with pytest.raises(GalleryError, match="exactly one text artefact is needed"):
        pocketclip.search_photos(out, "a blue circle", artifact=pair / "image")
    with pytest.raises(ArtifactNotFoundError, match="holds no artefact"):
        pocketclip.index_photos(photos, tmp_path, tmp_path / "other")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["search", "none", "a cat"], "there is no index in none"),
        (["search", "none"], "search takes one of"),
        (["search", "none", "a cat", "--similar"], "search takes one of"),
        (["index", "none", "--artifact", "none"], "none"),
    ],
)
def test_a_mistake_is_one_line(
    pocketclip: Run,
    error_line: Callable[[subprocess.CompletedProcess[str]], str],
    arguments: list[str],
    words: str,
) -> None:
    run = pocketclip(*arguments)
    assert run.returncode == 2
    assert words in error_line(run)


def test_a_model_of_any_name_makes_an_index_that_can_be_read(pair: Path, tmp_path: Path) -> None:
    image, _ = select_pair(find_artifacts([pair]))
    for name, plain in (("größer & mehr", "gr__er___mehr"), ("../x", "_x"), ("...", "model"), ("n" * 120, "n" * 100)):
        manifest = replace(image.manifest, model=replace(image.manifest.model, name=name))
        identity = identity_of(replace(image, manifest=manifest), tmp_path)
        with writing(tmp_path / plain, identity):
            pass
        assert open_index(tmp_path / plain).identity.model == plain
