"""`export --parity-data`: artefacts proven on a user's own images and captions, and verified on them again."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from pocketclip.benchmark.commands import verify as verify_cli
from pocketclip.export.artifact.manifest import ParityData, read_manifest
from pocketclip.export.commands.export import app as export_app
from pocketclip.export.errors import CalibrationError
from pocketclip.export.inputs.parity_data import find_again, parse_parity_data, proof_samples, read_parity_data
from pocketclip.export.inputs.samples import parity_inputs
from pocketclip.export.job import ExportJob
from pocketclip.export.jobs.fingerprint import inputs_sha256
from pocketclip.export.jobs.unchanged import prepare
from pocketclip.export.own_samples import read_own
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models.registry import load_config
from pocketclip.models.scenes import SceneDataset, Split
from pocketclip.models.terminal import command_line

CONFIG = load_config("pocketclip_nano")
COUNT = 24


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images with captions beside them: a table `pairs.csv` and a shard `pairs.tar` of the same lie in `forms/`."""
    root = tmp_path_factory.mktemp("own")
    folder, forms = root / "photos", root / "forms"
    folder.mkdir()
    forms.mkdir()
    scenes = SceneDataset(Split.TRAIN, COUNT, seed=77, size=64)
    with (forms / "pairs.csv").open("w", newline="") as stream, tarfile.open(forms / "pairs.tar", "w") as archive:
        table = csv.writer(stream)
        table.writerow(["image", "caption"])
        for index, caption in enumerate(scenes.captions()):
            buffer = io.BytesIO()
            Image.fromarray(scenes.image(index)).save(buffer, "png")
            (folder / f"{index:02}.png").write_bytes(buffer.getvalue())
            (folder / f"{index:02}.txt").write_text(caption)
            table.writerow([f"../photos/{index:02}.png", caption])
            for name, data in ((f"{index:02}.png", buffer.getvalue()), (f"{index:02}.txt", caption.encode())):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return root


def test_folder_table_and_shards_give_the_same_samples(own: Path) -> None:
    places = [f"folder:{own}/photos", f"{own}/photos", f"csv:{own}/forms/pairs.csv", f"webdataset:{own}/forms/*.tar"]
    for tower in Tower:
        hashes = set()
        for place in places:
            request = parse_parity_data(place)
            assert request is not None
            hashes.add(read_parity_data(request, CONFIG, tower).sha256)
        assert len(hashes) == 1
    samples = proof_samples(CONFIG, Tower.IMAGE, parse_parity_data(places[0]))
    distinct = len({array.tobytes() for array in samples.captions})
    assert (len(samples.images), len(samples.captions), len(samples.labels)) == (COUNT, COUNT, distinct)


def test_images_without_captions_are_matched_with_the_built_in_labels(own: Path, tmp_path: Path) -> None:
    for path in (own / "photos").glob("*.png"):
        shutil.copy(path, tmp_path)
    request = parse_parity_data(str(tmp_path))
    samples, built_in = proof_samples(CONFIG, Tower.IMAGE, request), proof_samples(CONFIG, Tower.IMAGE, None)
    assert len(samples.images) == COUNT and len(built_in.images) == len(parity_inputs(CONFIG, Tower.IMAGE))
    assert [array.tobytes() for array in samples.labels] == [array.tobytes() for array in built_in.labels]
    with pytest.raises(
        CalibrationError, match=r"has 0 captions \(\.txt\) for the parity of the text tower; 20 or more"
    ):
        proof_samples(CONFIG, Tower.TEXT, request)


def test_unusable_samples_are_named_and_may_be_left_out(own: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(own / "photos", tmp_path / "photos"))
    (folder / "00.png").write_bytes(b"no picture")
    request = parse_parity_data(str(folder))
    assert request is not None
    with pytest.raises(
        CalibrationError, match=r"1 of 24 parity samples of .* cannot be used: 00\.png: .*--max-skipped"
    ):
        read_parity_data(request, CONFIG, Tower.IMAGE)
    request = parse_parity_data(str(folder), max_skipped=0.05)
    assert request is not None
    record = ParityData.of(request, read_parity_data(request, CONFIG, Tower.IMAGE))
    assert (record.samples, record.skipped, record.wanted) == (COUNT - 1, 1, 256)


@pytest.mark.parametrize(
    ("text", "samples", "complaint"),
    [
        ("nowhere", None, "no parity data at 'nowhere'"),
        ("csv:nowhere.csv", None, "there is no table nowhere.csv"),
        ("pipe:ls", None, "no parity data at 'pipe:ls'"),
        ("scenes", 30, "--parity-samples requires your own --parity-data"),
        (".", 5, "too few; use at least 20"),
    ],
)
def test_bad_requests(text: str, samples: int | None, complaint: str) -> None:
    with pytest.raises(CalibrationError, match=complaint):
        parse_parity_data(text, samples)


def test_other_data_are_another_artefact(own: Path) -> None:
    job = ExportJob(CONFIG, None, TargetName.ONNX, Precision.FP32, Tower.IMAGE, own / "out")
    request = parse_parity_data(f"{own}/photos")
    assert request is not None
    record = ParityData.of(request, read_parity_data(request, CONFIG, Tower.IMAGE))
    assert inputs_sha256(job, "0" * 64, None) != inputs_sha256(job, "0" * 64, None, record)


def test_a_manifests_own_words_open_no_file(own: Path) -> None:
    """Only what an export of this machine noted is looked for: a manifest may come from anybody."""
    record = ParityData(f"{own}/photos", 256, COUNT, "ab" * 32)
    with pytest.raises(CalibrationError, match="no export on this machine recorded their location"):
        find_again(record, CONFIG, Tower.IMAGE)


def test_each_export_of_a_process_reads_the_samples_again(own: Path, tmp_path: Path) -> None:
    photos = Path(shutil.copytree(own / "photos", tmp_path / "photos"))
    request = parse_parity_data(str(photos))
    assert request is not None
    job = ExportJob(CONFIG, None, TargetName.ONNX, Precision.FP32, Tower.TEXT, tmp_path / "out", parity_data=request)
    prepare([job], force=True)
    before = ParityData.of(request, read_own(request, CONFIG, Tower.TEXT, purpose="parity"))
    (photos / "00.txt").write_text("something else")
    prepare([job], force=True)
    after = ParityData.of(request, read_own(request, CONFIG, Tower.TEXT, purpose="parity"))
    # Each export notes where what it read lies.
    assert after.inputs_sha256 != before.inputs_sha256
    assert find_again(after, CONFIG, Tower.TEXT).source == str(photos)
    with pytest.raises(CalibrationError, match="has changed since"):
        find_again(before, CONFIG, Tower.TEXT)


@pytest.mark.slow
def test_export_proves_and_verify_proves_again(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = Path(shutil.copytree(own / "photos", tmp_path / "photos"))
    (photos / "a.heic").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    given = ["--target", "onnx", "--tower", "text", "--jobs", "1", "--out", "out", "--parity-data", "folder:photos"]
    made = CliRunner().invoke(export_app, given)
    assert made.exit_code == 0, made.output
    folder = next((tmp_path / "out").rglob("manifest.json")).parent
    manifest = read_manifest(folder)
    assert manifest.parity is not None and manifest.parity.passed and manifest.parity.samples == COUNT
    assert manifest.parity_data is not None
    assert (manifest.parity_data.source, manifest.parity_data.samples) == ("photos", COUNT)
    # What goes with the artefact are the built-in samples.
    first = parity_inputs(CONFIG, Tower.TEXT)[0].tobytes()
    assert (folder / manifest.golden.inputs.file).read_bytes().startswith(first)

    verify = _verifier(tmp_path)
    found, said = verify(folder)
    assert found["samples_note"] == "on the data of the proof, photos"
    assert {rung["samples"] for rung in found["rungs"]} == {COUNT} and found["gates"]["samples"] == COUNT
    assert "verified on the data of the proof, photos" in said
    photos.rename(tmp_path / "moved")
    found, said = verify(folder)
    assert found["rungs"][0]["samples"] == len(parity_inputs(CONFIG, Tower.TEXT))
    assert "on the built-in samples: the proof was made on 24 samples of photos" in said
    assert "--parity-data says where they are" in said
    found, said = verify(folder, "--parity-data", "moved")
    assert found["samples_note"] == "on the data of the proof, moved"
    (tmp_path / "moved" / "00.txt").write_text("something else")
    found, said = verify(folder, "--parity-data", "moved")
    assert found["samples_note"] == "on 24 samples of moved; the proof was made on 24 samples of photos"


def _verifier(folder: Path) -> Callable[..., tuple[dict[str, Any], str]]:
    app = command_line.new_app("pocketclip", "")
    app.command("verify")(verify_cli.verify_command)

    def run(artifact: Path, *arguments: str) -> tuple[dict[str, Any], str]:
        result = CliRunner().invoke(app, [str(artifact), *arguments, "--json", str(folder / "found.json")])
        assert result.exit_code == 0, result.output
        (ladder,) = json.loads((folder / "found.json").read_text())["ladders"]
        return ladder, result.stderr

    return run
