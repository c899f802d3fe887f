"""Calibration data: every source, and one clear error for data that cannot be used."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pocketclip.export.errors import CalibrationError
from pocketclip.export.inputs.calibration import CalibrationRequest, load_calibration, parse_calibration
from pocketclip.export.inputs.parity_data import parse_parity_data
from pocketclip.export.inputs.samples import PARITY_PHOTOGRAPHS, judged_inputs, parity_inputs
from pocketclip.export.precision import Tower
from pocketclip.models.registry import load_config
from pocketclip.models.scenes import SceneDataset, Split, class_prompts, heldout_classes

CONFIG = load_config("pocketclip_nano")


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    generator = np.random.default_rng(3)
    return [Image.fromarray(generator.integers(0, 255, (40, 50, 3), np.uint8)) for _ in range(20)]


@pytest.fixture
def folder(tmp_path: Path, pictures: list[Image.Image]) -> Path:
    for index, picture in enumerate(pictures):
        picture.save(tmp_path / f"{index:02}.png")
    (tmp_path / "captions.txt").write_text(
        "\n".join(f"picture number {index} of noise" for index in range(12)) + "\n\n"
    )
    return tmp_path


def _request(folder: Path, samples: int = 16) -> CalibrationRequest:
    return parse_calibration(str(folder), samples)


def test_scenes_by_default_with_the_count_as_asked() -> None:
    assert parse_calibration("scenes") == CalibrationRequest("scenes", 128)
    assert parse_calibration("scenes:32") == CalibrationRequest("scenes", 32)
    few, more = (load_calibration(parse_calibration(f"scenes:{count}"), CONFIG, Tower.IMAGE) for count in (8, 16))
    assert few.record.samples == len(few.inputs) == len(more.inputs) - 8
    assert few.record.inputs_sha256 != more.record.inputs_sha256
    again = load_calibration(parse_calibration("scenes:8"), CONFIG, Tower.IMAGE)
    assert again.record == few.record


@pytest.mark.parametrize("tower", Tower)
def test_scenes_share_nothing_with_what_artefacts_are_judged_on(tower: Tower) -> None:
    given = {array.tobytes() for array in load_calibration(CalibrationRequest(), CONFIG, tower).inputs}
    judged = {array.tobytes() for _, array in judged_inputs(CONFIG, tower)}
    assert len(given) > 100 and len(judged) > 250
    assert not given & judged


def test_folder_of_images_and_captions(folder: Path) -> None:
    images = load_calibration(_request(folder), CONFIG, Tower.IMAGE)
    assert images.record.samples == 16
    assert images.inputs[0].shape == (1, 3, 64, 64)
    captions = load_calibration(_request(folder), CONFIG, Tower.TEXT)
    assert captions.record.samples == 12
    assert captions.inputs[0].dtype == np.int32


def test_shards(tmp_path: Path, pictures: list[Image.Image]) -> None:
    for shard in range(2):
        with tarfile.open(tmp_path / f"{shard}.tar", "w") as archive:
            for index, picture in enumerate(pictures[shard::2]):
                stream = io.BytesIO()
                picture.save(stream, "png")
                contents = {"png": stream.getvalue(), "txt": f"caption {shard} {index}".encode()}
                for suffix, content in contents.items():
                    entry = tarfile.TarInfo(f"{index:03}.{suffix}")
                    entry.size = len(content)
                    archive.addfile(entry, io.BytesIO(content))
    for pattern in (f"{tmp_path}/{{0..1}}.tar", f"{tmp_path}/*.tar"):
        request = parse_calibration(f"webdataset:{pattern}")
        assert load_calibration(request, CONFIG, Tower.IMAGE).record.samples == 20
        assert load_calibration(request, CONFIG, Tower.TEXT).record.samples == 20
    cut = (tmp_path / "0.tar").read_bytes()[:700]
    (tmp_path / "0.tar").write_bytes(cut)
    with pytest.raises(
        CalibrationError, match=r"1 of 1 calibration samples .* cannot be used: .*0\.tar: not a readable tar"
    ):
        load_calibration(parse_calibration(f"webdataset:{tmp_path}/0.tar"), CONFIG, Tower.IMAGE)
    with pytest.raises(CalibrationError, match="no file matches"):
        parse_calibration(f"webdataset:{tmp_path}/none-*.tar")


@pytest.mark.parametrize(
    ("text", "samples", "complaint"),
    [
        ("nowhere", None, "no calibration data at 'nowhere'"),
        ("~nosuchuser/photos", None, "cannot read the calibration data at '~nosuchuser/photos'"),
        ("scenes:2", None, "too few"),
        ("scenes:20", 30, "set twice"),
        ("scenes:-1", None, "no calibration data at"),
    ],
)
def test_bad_requests(text: str, samples: int | None, complaint: str) -> None:
    with pytest.raises(CalibrationError, match=complaint):
        parse_calibration(text, samples)


@pytest.mark.parametrize(("tower", "lacking"), [(Tower.IMAGE, "0 images"), (Tower.TEXT, "0 captions")])
def test_no_data(tmp_path: Path, tower: Tower, lacking: str) -> None:
    with pytest.raises(CalibrationError, match=lacking):
        load_calibration(_request(tmp_path), CONFIG, tower)


def test_what_is_left_out_is_named_in_the_record(folder: Path, pictures: list[Image.Image]) -> None:
    for index in range(20, 60):
        pictures[index % 20].save(folder / f"{index:02}.png", icc_profile=b"no profile" if index == 31 else b"")
    (folder / "30.png").write_bytes(b"no picture")
    (folder / "a.heic").write_bytes(b"x")
    record = load_calibration(_request(folder, 60), CONFIG, Tower.IMAGE).record
    assert (record.samples, record.skipped, record.ignored_profiles) == (59, 1, 1)
    assert record.first_skipped[0].startswith("30.png: ") and str(folder) not in record.first_skipped[0]
    assert record.left_out == ("1 files with the suffix .heic (first: a.heic)",)
    assert record.first_ignored_profile == "31.png: it is damaged"
    (folder / "latin.txt").write_bytes(b"caf\xe9")
    (folder / "._captions.txt").write_bytes(b"x")
    record = load_calibration(parse_calibration(str(folder), 60, max_skipped=0.1), CONFIG, Tower.TEXT).record
    assert (record.samples, record.skipped) == (12, 1) and record.first_skipped[0].startswith("latin.txt: ")
    assert record.left_out == ("1 files that macOS or Windows keeps beside others (first: ._captions.txt)",)


def test_many_corrupt_images_stop_it(folder: Path) -> None:
    for index in (4, 9):
        path = folder / f"{index:02}.png"
        path.write_bytes(path.read_bytes()[:100])
    many = r"2 of 20 calibration samples .* cannot be used: 04\.png: .*; 09\.png: .*--max-skipped 1"
    for share in (None, 0.0, 0.09):
        with pytest.raises(CalibrationError, match=many):
            load_calibration(parse_calibration(str(folder), 20, max_skipped=share), CONFIG, Tower.IMAGE)
    allowed = load_calibration(parse_calibration(str(folder), 20, max_skipped=0.1), CONFIG, Tower.IMAGE)
    assert (allowed.record.samples, len(allowed.skipped)) == (18, 2)
    with pytest.raises(CalibrationError, match=r"--max-skipped 1\.5 is out of range"):
        parse_calibration(str(folder), 20, max_skipped=1.5)


def _refused(folder: Path, tower: Tower, named: str) -> None:
    """One sample is refused by name; with `--max-skipped` it is left out and the record says so."""
    with pytest.raises(CalibrationError, match=rf"1 of \d+ calibration samples .* cannot be used: {named}"):
        load_calibration(_request(folder, 30), CONFIG, tower)
    allowed = load_calibration(parse_calibration(str(folder), 30, max_skipped=1.0), CONFIG, tower)
    assert allowed.record.skipped == 1 and not {array.tobytes() for array in allowed.inputs} & {
        array.tobytes() for _, array in judged_inputs(CONFIG, tower)
    }


def test_parity_photographs_are_refused(folder: Path) -> None:
    import skimage

    photograph = Path(skimage.__file__).parent / "data" / next(iter(PARITY_PHOTOGRAPHS))
    (folder / "99.png").write_bytes(photograph.read_bytes())
    _refused(folder, Tower.IMAGE, r"99\.png: artefacts are judged on it \(the parity check\)")


def test_evaluation_scenes_and_prompts_are_refused(folder: Path) -> None:
    scene = SceneDataset(Split.HELDOUT, 960, seed=0, size=64)[5].image
    Image.fromarray(scene).save(folder / "98.png")
    _refused(folder, Tower.IMAGE, r"98\.png: artefacts are judged on it \(the evaluation\)")
    (folder / "captions.txt").open("a").write(class_prompts(heldout_classes()[0].name)[0] + "\n")
    _refused(folder, Tower.TEXT, r"captions\.txt line 14: artefacts are judged on it \(the evaluation\)")


def test_parity_captions_are_refused(folder: Path) -> None:
    (folder / "more.txt").write_text(next(iter(PARITY_PHOTOGRAPHS.values())))
    assert len(parity_inputs(CONFIG, Tower.TEXT)) > 200
    _refused(folder, Tower.TEXT, r"more\.txt: artefacts are judged on it \(the parity check\)")


def test_samples_of_the_users_own_proof_are_refused(folder: Path) -> None:
    proof = parse_parity_data(str(folder), 20)
    with pytest.raises(CalibrationError, match=r"20 of 20 .*00\.png: artefacts are judged on it \(--parity-data "):
        load_calibration(_request(folder, 20), CONFIG, Tower.IMAGE, proof)
