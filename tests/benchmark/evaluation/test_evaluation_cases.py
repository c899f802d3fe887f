"""Inputs that users met in other projects: what is read, and that what is left out is said and recorded."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image
from typer.testing import CliRunner

from pocketclip.benchmark.commands import evaluate as eval_cli
from pocketclip.benchmark.store import open_store
from pocketclip.models.commands import train as train_cli
from pocketclip.models.data.pairs import read_pairs
from pocketclip.models.errors import CorruptSamplesError, DatasetError
from pocketclip.models.terminal import command_line
from pocketclip.models.training.data_notes import read_data_notes

ROOT = Path(__file__).parents[3]
CASES = ROOT / "tests" / "cases"
RED = "macosx-folder-as-class/mac/red_circle"

Evaluate = Callable[..., Any]


@pytest.fixture
def evaluate(tmp_path: Path) -> Evaluate:
    """Runs `eval` on the nano model and gives the one record it stored; what it said is in `evaluate.stderr`."""
    app = command_line.new_app("pocketclip", "")
    app.command("eval")(eval_cli.eval_command)

    def run(*arguments: str | Path) -> Any:
        store = tmp_path / "records" / "s.sqlite"
        shutil.rmtree(store.parent / "results", ignore_errors=True)
        store.unlink(missing_ok=True)
        given = ["--model", "pocketclip_nano", *map(str, arguments), "--store", str(store)]
        result = CliRunner().invoke(app, given)
        run.stderr = result.stderr  # type: ignore[attr-defined]
        if result.exception is not None:
            raise result.exception
        with open_store(str(store)) as opened:
            (record,) = opened.records()
        return record

    return run


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., str]:
    """Trains the nano model for two steps into `tmp_path / "run"` and gives what was said."""
    app = command_line.new_app("pocketclip", "")
    app.command("train")(train_cli.train_command)

    def run(*arguments: str | Path) -> str:
        given = ["--steps", "2", "--batch-size", "12", "--workers", "0", "--out", str(tmp_path / "run")]
        result = CliRunner().invoke(app, [*given, *map(str, arguments)])
        if result.exception is not None:
            raise result.exception
        return result.stderr

    return run


def test_folder_of_a_mac_has_two_classes(evaluate: Evaluate) -> None:
    record = evaluate("--dataset", f"folder:{CASES / 'macosx-folder-as-class/mac'}", "--templates", "scenes")
    assert (record.classes, record.chance, record.samples) == (2, 0.5, 4)
    assert "files that macOS or Windows keeps beside others" in evaluate.stderr  # type: ignore[attr-defined]
    assert len(record.left_out) == 1 and "__MACOSX/" in record.left_out[0]


def test_images_of_any_suffix_are_judged(evaluate: Evaluate, tmp_path: Path) -> None:
    suffix = CASES / "images-left-out-unsaid/suffix"
    record = evaluate("--dataset", f"folder:{suffix}", "--templates", "scenes")
    assert (record.samples, record.left_out, record.skipped) == (11, (), ())
    own = Path(shutil.copytree(suffix, tmp_path / "own"))
    (own / "red_circle" / "a.heic").write_bytes(b"x")
    (own / "red_circle" / "b.HEIC").write_bytes(b"x")
    (own / "red_circle" / "notes").write_text("no image")
    (own / "red_circle" / "deeper").mkdir()
    os.mkfifo(own / "red_circle" / "fifo.png")
    shutil.copy(own / "red_circle" / "img0.png", own / "stray.png")
    record = evaluate("--dataset", f"folder:{own}", "--templates", "scenes")
    assert record.samples == 11
    assert set(record.left_out) == {
        "1 images that lie in no class folder (first: stray.png)",
        "2 files with the suffix .heic (first: red_circle/a.heic)",
        "1 folders inside a class folder, whose images are not read (first: red_circle/deeper/)",
        "1 entries that are no regular file (first: red_circle/fifo.png)",
        "1 files without a suffix that are no image (first: red_circle/notes)",
    }
    assert all(entry in evaluate.stderr for entry in record.left_out)  # type: ignore[attr-defined]


def decomposed_folder(root: Path) -> Path:
    for folder in (unicodedata.normalize("NFD", "crème rouge"), "blue_square"):
        (root / folder).mkdir(parents=True)
        for number in range(2):
            shutil.copy(CASES / RED / f"img{number}.png", root / folder)
    return root


@pytest.mark.parametrize("classes", ["nfd_classes.txt", "nfd_classes.json"])
def test_decomposed_folder_is_found_by_its_composed_name(evaluate: Evaluate, tmp_path: Path, classes: str) -> None:
    root = decomposed_folder(tmp_path / "nfd")
    listed = CASES / "folder-name-decomposed" / classes
    record = evaluate("--dataset", f"folder:{root}", "--classes", listed, "--templates", "scenes")
    assert (record.samples, record.classes) == (4, 2)


def test_name_that_is_no_text_loses_no_evaluation(evaluate: Evaluate, tmp_path: Path) -> None:
    root = tmp_path / "latin_bad"
    for folder in ("red_circle", "blue_square"):
        (root / folder).mkdir(parents=True)
    image = CASES / RED / "img0.png"
    for number in range(2):
        shutil.copy(image, root / "red_circle" / os.fsdecode(b"caf\xe9%d.png" % number))
    for number in range(42):
        shutil.copy(image, root / "blue_square" / f"b{number}.png")
    (root / "red_circle" / os.fsdecode(b"kaputt\xfc.png")).touch()
    arguments = ("--dataset", f"folder:{root}", "--templates", "scenes")
    with pytest.raises(CorruptSamplesError, match=r"kaputt\\xfc\.png cannot be read"):
        evaluate(*arguments)
    record = evaluate(*arguments, "--skip-corrupt")
    assert record.samples == 44
    assert record.skipped[0].startswith(r"red_circle/kaputt\xfc.png: ")


def test_folder_name_that_is_no_text(evaluate: Evaluate, tmp_path: Path) -> None:
    root = decomposed_folder(tmp_path / "set")
    folder = root / os.fsdecode(b"na\xefve")
    folder.mkdir()
    shutil.copy(CASES / RED / "img0.png", folder / "a.png")
    with pytest.raises(DatasetError, match=r"the folder na\\xefve in .* has a name that is not UTF-8"):
        evaluate("--dataset", f"folder:{root}")
    (tmp_path / "classes.txt").write_text("na\\xefve\ta red circle\ncrème rouge\tcream\nblue_square\ta blue square\n")
    record = evaluate("--dataset", f"folder:{root}", "--classes", tmp_path / "classes.txt", "--templates", "scenes")
    assert (record.samples, record.classes) == (5, 3)


def test_archives_that_were_put_together(evaluate: Evaluate, train: Callable[..., str], tmp_path: Path) -> None:
    joined = CASES / "tar-concatenated/cat.tar"
    assert len(list(read_pairs(f"webdataset:{joined}"))) == 24
    labelled = tmp_path / "cls"
    shutil.copytree(CASES / "tar-concatenated/cls", labelled)
    assert evaluate("--dataset", f"webdataset:{labelled / 'cat.tar'}", "--templates", "scenes").samples == 24
    (labelled / "cat.tar.gz").write_bytes(gzip.compress((labelled / "cat.tar").read_bytes()))
    assert evaluate("--dataset", f"webdataset:{labelled / 'cat.tar.gz'}", "--templates", "scenes").samples == 24
    with (labelled / "cat.tar").open("ab") as stream:
        stream.write(b"what is this")
    with pytest.raises(DatasetError, match="12 bytes after the end of the archive are not an archive"):
        evaluate("--dataset", f"webdataset:{labelled / 'cat.tar'}", "--templates", "scenes")
    (tmp_path / "x.tar").write_bytes(joined.read_bytes() + b"what is this")
    # Three batches of 12 are more than the 24 samples: what follows them comes up, once in the first epoch.
    said = train("--data", f"webdataset:{tmp_path / 'x.tar'}", "--max-skipped", "0.2", "--steps", "3")
    notes = read_data_notes(tmp_path / "run")
    assert notes is not None and 1 <= notes.skipped <= 2
    assert "cut or damaged after 24 samples (12 bytes after the end of the archive" in notes.first_skipped[0]
    assert notes.first_skipped[0] in said


@pytest.mark.parametrize("table", ["webquote.tsv", "webquote1.tsv"])
def test_captions_that_begin_with_a_quotation_mark(evaluate: Evaluate, table: str) -> None:
    path = CASES / "tsv-with-quotes" / table
    pairs = list(read_pairs(f"csv:{path}"))
    assert len(pairs) == 24
    assert pairs[2].caption == '"no parking sign beside a green square'
    record = evaluate("--dataset", f"retrieval:{path}")
    assert (record.images, record.captions) == (24, 24)
    assert "belong to several images each; any of these images is correct" in evaluate.stderr  # type: ignore[attr-defined]


def test_training_says_and_records_what_it_leaves_out(train: Callable[..., str], tmp_path: Path) -> None:
    folder = tmp_path / "pairs"
    folder.mkdir()
    for number in range(24):
        shutil.copy(CASES / f"tsv-with-quotes/imgs/{number}.png", folder)
        (folder / f"{number}.txt").write_text(f"picture number {number}")
    (folder / "a.heic").write_bytes(b"x")
    (folder / "._0.png").write_bytes(b"x")
    (folder / "alone.txt").write_text("a caption")
    (folder / "3.txt").write_text("")
    with_profile = Image.open(folder / "7.png")
    with_profile.save(folder / "7.png", icc_profile=b"no profile")
    held = Path(shutil.copytree(folder, tmp_path / "held"))
    given = ("--data", f"folder:{folder}", "--validation", f"folder:{held}", "--max-skipped", "0.2")
    # The count of worker processes arrives too.
    said = train(*given, "--workers", "1")
    notes = read_data_notes(tmp_path / "run")
    assert notes is not None
    assert [(entry.reason, entry.count, entry.first) for entry in notes.left_out] == [
        ("captions without an image", 1, "alone.txt"),
        ("files that macOS or Windows keeps beside others", 1, "._0.png"),
        ("files with the suffix .heic", 1, "a.heic"),
    ]
    assert (notes.skipped, notes.first_skipped) == (1, ("3.png: the caption is empty",))
    assert (notes.ignored_profiles, notes.first_ignored_profile) == (1, "7.png: it is damaged")
    assert notes.validation is not None
    assert [entry.shard for entry in notes.validation.left_out] == ["held"] * 3
    of_validation = (notes.validation.skipped, notes.validation.first_skipped, notes.validation.ignored_profiles)
    assert of_validation == (1, ("3.png: the caption is empty",), 1)
    for words in (
        "1 files with the suffix .heic (first: a.heic)",
        "1 samples could not be used (first: 3.png",
        "1 image with a colour profile that cannot be used, the first: 7.png: it is damaged",
    ):
        assert said.count(words) == 2
    assert said.count("validation: ") == 3


def test_tables_with_labels_and_what_may_be_left_out(evaluate: Evaluate, tmp_path: Path) -> None:
    for folder in ("red_circle", "blue_square"):
        for number in range(2):
            shutil.copy(
                CASES / f"macosx-folder-as-class/mac/{folder}/img{number}.png", tmp_path / f"{folder}{number}.png"
            )
    Image.open(tmp_path / "red_circle1.png").save(tmp_path / "red_circle1.png", icc_profile=b"no profile")
    table = tmp_path / "set.csv"
    rows = ["file,what", "red_circle0.png,red circle", "red_circle1.png,red circle", "blue_square0.png,blue square"]
    rows.append("blue_square1.png,blue square")
    table.write_text("\n".join(rows))
    given = ("--dataset", f"csv:{table}?image=file&label=what", "--templates", "scenes")
    record = evaluate(*given)
    assert (record.samples, record.correct, record.classes, record.dataset) == (4, 4, 2, "csv:set.csv")
    assert (record.ignored_profiles, record.first_ignored_profile) == (1, "red_circle1.png: it is damaged")
    said = "1 image with a colour profile that cannot be used, the first: red_circle1.png: it is damaged"
    assert evaluate.stderr.count(said) == 1  # type: ignore[attr-defined]
    table.write_text("\n".join([*rows, "none.png,red circle"]))
    with pytest.raises(DatasetError, match=r"1 of 5 images do not exist \(first: line 6, none\.png\).*--max-skipped"):
        evaluate(*given)
    for share, fits in (("0.1", False), ("0.2", True), ("1", True)):
        if fits:
            record = evaluate(*given, "--max-skipped", share)
            assert record.samples == 4 and record.skipped[0].startswith("none.png: ")
        else:
            with pytest.raises(
                CorruptSamplesError, match=r"1 of 5 samples cannot be read, more than 10%.*--max-skipped 1"
            ):
                evaluate(*given, "--max-skipped", share)
    (tmp_path / "names.txt").write_text("blue square\nred circle\n")
    table.write_text("image,class\nred_circle0.png,1\nblue_square0.png,blue square\n")
    record = evaluate("--dataset", f"csv:{table}", "--classes", tmp_path / "names.txt", "--templates", "scenes")
    assert (record.samples, record.correct) == (2, 2)
    table.write_text("image,class\nred_circle0.png,2\n")
    with pytest.raises(DatasetError, match="line 2: '2' is neither one of the 2 classes"):
        evaluate("--dataset", f"csv:{table}", "--classes", tmp_path / "names.txt")


def test_class_files_of_any_form(evaluate: Evaluate, tmp_path: Path) -> None:
    names = ["a red circle", "a blue square"]
    forms = {
        "lines.txt": "\ufeff" + "\n".join(names),
        "list.json": json.dumps(names),
        "by_number.json": json.dumps({"1": names[1], "0": names[0]}),
        "numbers.json": json.dumps({names[1]: 1, names[0]: 0}),
        "prompts.py": f"# of a paper\nclasses = {names!r}\n\ntemplates = ['a {{}}']\n",
    }
    shard = tmp_path / "cat.tar"
    shutil.copy(CASES / "tar-concatenated/cls/cat.tar", shard)
    more = [f"class {number}" for number in range(98)]
    from pocketclip.models.evaluation.datasets import SetOptions, open_dataset

    for form, content in forms.items():
        (tmp_path / form).write_text(content)
        found = open_dataset(f"webdataset:{shard}", SetOptions(classes=tmp_path / form))
        assert list(found.class_names) == names, form  # type: ignore[union-attr]
    for content, reason in (
        ('["a", "\\u200b"]', "which is invisible"),
        ('{"0": "a", "2": "b"}', "must hold a list"),
        ("[1]", "must hold a list"),
    ):
        (tmp_path / "bad.json").write_text(content)
        with pytest.raises(DatasetError, match=reason):
            open_dataset(f"webdataset:{shard}", SetOptions(classes=tmp_path / "bad.json"))
    (tmp_path / "same.txt").write_text("\n".join(["Red  Circle", "red circle", *more]))
    record = evaluate("--dataset", f"webdataset:{shard}", "--classes", tmp_path / "same.txt", "--templates", "scenes")
    assert record.classes == 100
    assert "the classes 'Red  Circle' and 'red circle' are the same to the model" in evaluate.stderr  # type: ignore[attr-defined]


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes by Linux's process table")
def test_no_worker_outlives_a_training_that_is_killed(tmp_path: Path) -> None:
    """Real processes: SIGKILL of the run, and its data workers are gone within seconds."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pocketclip", "train", "--data"]
    command += [f"webdataset:{CASES / 'tar-concatenated/cat.tar'}", "--workers", "2", "--steps", "100000"]
    command += ["--batch-size", "8", "--out", str(tmp_path / "run")]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as running:
        workers: list[psutil.Process] = []
        try:
            log = tmp_path / "run" / "log.jsonl"
            deadline = time.monotonic() + 120
            while time.monotonic() < deadline and not (log.is_file() and log.stat().st_size):
                assert running.poll() is None, running.stderr and running.stderr.read()
                time.sleep(0.2)
            workers = psutil.Process(running.pid).children(recursive=True)
            assert len(workers) >= 2
            os.kill(running.pid, signal.SIGKILL)
            _, alive = psutil.wait_procs(workers, timeout=20)
            assert not alive
        finally:
            running.kill()
            for worker in workers:
                if worker.is_running():
                    worker.kill()
