"""`pocketclip eval` from outside: figures, baselines, interruptions, and what it says of requests it cannot meet."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from pocketclip.benchmark.commands import evaluate as eval_cli
from pocketclip.benchmark.commands.eval_table import accuracy_table, retrieval_table
from pocketclip.benchmark.errors import EvaluationError
from pocketclip.benchmark.records.accuracy import AccuracyRecord
from pocketclip.benchmark.store import open_store
from pocketclip.export.errors import ArtifactNotFoundError
from pocketclip.models.errors import CorruptSamplesError, DatasetError, ResumeError
from pocketclip.models.scenes import SceneDataset, Split, scene_classes
from pocketclip.models.statistics.intervals import wilson_interval
from pocketclip.models.statistics.judgement import PairedCounts
from pocketclip.models.terminal import command_line

ROOT = Path(__file__).parents[3]
SCENES = 120


@pytest.fixture(scope="module")
def scene_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Held-out scenes as files, one folder per class, with templates and a table of captions."""
    root = tmp_path_factory.mktemp("sets")
    dataset = SceneDataset(Split.HELDOUT, SCENES, seed=0, size=64)
    names = [entry.name.replace(" ", "_") for entry in scene_classes(Split.HELDOUT)]
    lines = ["image,caption"]
    for index in range(SCENES):
        label = dataset.label(index)
        assert label is not None
        path = root / "scenes" / names[label] / f"{index:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(dataset.image(index)).save(path)
        lines.append(f'{path.relative_to(root)},"{dataset.caption(index)}"')
    # A second caption of the first images.
    lines += [f"{line.split(',')[0]},{line.split('/')[1].replace('_', ' ')}" for line in lines[1:11]]
    (root / "pairs.csv").write_text("\n".join(lines) + "\n")
    (root / "templates.txt").write_text("{}\na {}\na drawing of a {}\n")
    return root


@pytest.fixture
def evaluate(tmp_path: Path) -> Callable[..., list[Any]]:
    """Runs `eval` in this process and gives the records it added, oldest first. Raises what the command raises."""
    app = command_line.new_app("pocketclip", "")
    app.command("eval")(eval_cli.eval_command)
    seen: set[str] = set()

    def run(*arguments: str | Path, store: Path = tmp_path / "s.sqlite") -> list[Any]:
        result = CliRunner().invoke(app, [*map(str, arguments), "--store", str(store)])
        run.output, run.stderr = result.stdout, result.stderr  # type: ignore[attr-defined]
        if result.exception is not None:
            raise result.exception
        with open_store(str(store)) as opened:
            fresh = [record for record in opened.records() if record.record_id not in seen]
        seen.update(record.record_id for record in fresh)
        return fresh

    return run


def folder_arguments(scene_folder: Path) -> list[str]:
    return ["--dataset", f"folder:{scene_folder / 'scenes'}", "--templates", str(scene_folder / "templates.txt")]


def figures(record: Any) -> Any:
    """A record without when it was made."""
    return replace(record, record_id="6f1f7dd6-1a11-4f2a-9a57-000000000000", created_at="2026-03-01T00:00:00+00:00")


@pytest.mark.slow
def test_scenes_are_the_default_and_their_figure_is_the_published_one(evaluate) -> None:
    (record,) = evaluate("--model", "pocketclip_nano")
    assert (record.dataset, record.split, record.samples, record.classes) == ("scenes", "heldout", 960, 24)
    # As in README and the model card.
    assert record.correct == 928
    assert [round(100 * end, 1) for end in (record.accuracy_low, record.accuracy_high)] == [95.3, 97.6]
    assert record.comparison is None
    assert record.templates == "scenes"


def test_folder_of_scenes_is_scored_as_the_scenes(evaluate, scene_folder: Path) -> None:
    arguments = folder_arguments(scene_folder)
    (record,) = evaluate("--model", "pocketclip_nano", *arguments[:2], "--templates", "scenes")
    (scenes,) = evaluate("--model", "pocketclip_nano", "--count", SCENES)
    # The classes of the folder are in another order; which ones they are is the same.
    assert (record.correct, record.samples, record.classes) == (scenes.correct, SCENES, 24)
    (other,) = evaluate("--model", "pocketclip_nano", *arguments)
    assert other.templates == "templates.txt"
    assert other.prompts_sha256 != record.prompts_sha256


def test_what_a_run_leaves_on_disk(evaluate, scene_folder: Path, tmp_path: Path) -> None:
    evaluate("--model", "pocketclip_nano", *folder_arguments(scene_folder))
    assert len(list((tmp_path / "evaluation" / "text").iterdir())) == 1
    assert list((tmp_path / "evaluation" / "predictions").iterdir()) == []


def test_unreadable_file_stops_the_run_or_is_in_the_record(evaluate, tmp_path: Path, scene_folder: Path) -> None:
    import shutil

    root = Path(shutil.copytree(scene_folder / "scenes", tmp_path / "scenes"))
    victim = sorted(root.rglob("*.png"))[7]
    victim.write_bytes(victim.read_bytes()[:100])
    arguments = ["--model", "pocketclip_nano", "--dataset", f"folder:{root}", "--templates", "scenes"]
    name = victim.relative_to(root).as_posix()
    with pytest.raises(CorruptSamplesError, match=f"{name} cannot be read"):
        evaluate(*arguments)
    (record,) = evaluate(*arguments, "--skip-corrupt")
    assert record.samples == SCENES - 1
    assert [entry.split(":")[0] for entry in record.skipped] == [name]
    assert "1 unreadable samples were skipped" in evaluate.stderr


def test_webdataset(evaluate, scene_folder: Path, tmp_path: Path) -> None:
    folders = sorted(path for path in (scene_folder / "scenes").iterdir())
    root = tmp_path / "set"
    (root / "test").mkdir(parents=True)
    (root / "classnames.txt").write_text("".join(f"{folder.name.replace('_', ' ')}\n" for folder in folders))
    (root / "zeroshot_classification_templates.txt").write_text("{c}\na {c}\na drawing of a {c}\n")
    files = [(file, place) for place, folder in enumerate(folders) for file in sorted(folder.iterdir())]
    for shard in range(3):
        with tarfile.open(root / "test" / f"{shard}.tar", "w") as tar:
            for file, place in files[shard::3]:
                content = b"no image" if file == files[4][0] else file.read_bytes()
                for suffix, data in (("png", content), ("cls", str(place).encode())):
                    entry = tarfile.TarInfo(f"{file.stem}.{suffix}")
                    entry.size = len(data)
                    tar.addfile(entry, io.BytesIO(data))
    (record,) = evaluate("--model", "pocketclip_nano", "--dataset", f"webdataset:{root}/test/{{0..2}}.tar")
    (same,) = evaluate("--model", "pocketclip_nano", *folder_arguments(scene_folder))
    assert record.samples == SCENES - 1
    assert record.skipped[0].startswith(f"1.tar/{files[4][0].stem}.png: ")
    assert record.prompts_sha256 == same.prompts_sha256
    assert same.correct - 1 <= record.correct <= same.correct


def test_retrieval(evaluate, scene_folder: Path) -> None:
    (record,) = evaluate("--model", "pocketclip_nano", "--dataset", f"retrieval:{scene_folder / 'pairs.csv'}")
    assert (record.images, record.captions) == (SCENES, SCENES + 10)
    by_place = {(recall.direction, recall.k): recall for recall in record.recalls}
    assert len(by_place) == 6
    for recall in record.recalls:
        assert recall.low < recall.recall < recall.high
        # Far from the chance of k in 120.
        assert recall.low > 1.5 * recall.k / SCENES
        assert recall.judgement is None
    assert by_place["text-to-image", 1].recall < by_place["text-to-image", 10].recall
    assert "retrieval:pairs.csv" in evaluate.output


@pytest.fixture(scope="session")
def onnx_folders(nano_exports: dict[tuple[str, str, str], Any]) -> dict[str, Path]:
    """Folders of the ONNX pairs by precision."""
    return {p: nano_exports["onnx", p, "image"].folder.parent for p in ("fp32", "int8-static")}


@pytest.mark.slow
def test_int8_artefact_has_an_interval_and_a_verdict(evaluate, onnx_folders: dict[str, Path]) -> None:
    own, int8 = evaluate("--artifact", onnx_folders["int8-static"], "--count", 240)
    assert (own.target, int8.target, int8.precision) == (None, "onnx", "int8-static")
    for record in (own, int8):
        interval = wilson_interval(record.correct, 240)
        assert (record.accuracy_low, record.accuracy_high) == (interval.low, interval.high)
    compared = int8.comparison
    assert int8.cost == compared
    assert (compared.baseline, compared.baseline_correct) == (own.side, own.correct)
    assert compared.drop_points == pytest.approx(100 * (own.accuracy - int8.accuracy))
    assert compared.drop_low_points < compared.drop_points < compared.drop_high_points
    lost, won = compared.lost, compared.won
    counts = PairedCounts(lost, won, 240)
    assert compared.mcnemar_p == pytest.approx(counts.p_value())
    assert compared.judgement == counts.judge()
    assert str(compared.judgement).split()[0] in evaluate.output
    # Quantised by an eighth of a point or by several: it is still a model.
    assert int8.accuracy > 0.7

    # The other way round, with the artefact as the baseline; what was lost is won.
    baseline, model = evaluate("--model", "pocketclip_nano", "--baseline", onnx_folders["int8-static"], "--count", 240)
    assert (baseline.side, model.side) == (int8.side, own.side)
    assert (model.comparison.lost, model.comparison.won) == (won, lost)
    assert model.cost is None

    # One pair is the baseline of all, itself among them.
    pairs = evaluate(
        "--artifact", onnx_folders["fp32"], "--artifact", onnx_folders["int8-static"],
        "--baseline", onnx_folders["fp32"], "--count", 24,
    )  # fmt: skip
    assert [record.comparison is None for record in pairs] == [True, False]
    assert pairs[1].comparison.baseline == pairs[0].side


@pytest.mark.slow
def test_retrieval_of_an_artefact_against_pytorch(evaluate, onnx_folders: dict[str, Path], scene_folder: Path) -> None:
    own, int8 = evaluate(
        "--artifact", onnx_folders["int8-static"], "--dataset", f"retrieval:{scene_folder / 'pairs.csv'}"
    )
    assert int8.baseline == own.side
    for recall, before in zip(int8.recalls, own.recalls, strict=True):
        assert recall.drop_points == pytest.approx(100 * (before.recall - recall.recall))
        assert recall.drop_low_points <= recall.drop_points <= recall.drop_high_points
        # A narrow table has the end of a cell in the next line.
        assert set(str(recall.judgement).split()) <= set(evaluate.output.split())
    assert "drop" in evaluate.output


@pytest.mark.slow
def test_artefacts_of_other_weights_are_refused(evaluate, onnx_folders: dict[str, Path], tmp_path: Path) -> None:
    import torch

    from pocketclip.models import create_model
    from pocketclip.models.checkpoints.checkpoint import save_weights

    model = create_model("pocketclip_nano")
    with torch.no_grad():
        model.logit_scale.add_(0.1)
    save_weights(model, tmp_path / "other.safetensors")
    with pytest.raises(ArtifactNotFoundError, match="was exported from other weights"):
        evaluate("--artifact", onnx_folders["fp32"], "--weights", tmp_path / "other.safetensors")


def test_another_model_as_baseline(evaluate, scene_folder: Path, tmp_path: Path) -> None:
    import torch

    from pocketclip.models import create_model
    from pocketclip.models.checkpoints.checkpoint import save_weights

    model, generator = create_model("pocketclip_nano"), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.image_encoder.parameters():
            noise = torch.randn(weight.shape, generator=generator)
            weight.add_(0.15 * weight.std(correction=0) * noise)
    save_weights(model, tmp_path / "worse.safetensors")
    baseline, worse = evaluate(
        "--model", "pocketclip_nano", "--weights", tmp_path / "worse.safetensors",
        "--baseline", "pocketclip_nano", *folder_arguments(scene_folder),
    )  # fmt: skip
    named, better = evaluate(
        "--model", "pocketclip_nano", "--baseline", f"pocketclip_nano={tmp_path / 'worse.safetensors'}",
        *folder_arguments(scene_folder),
    )  # fmt: skip
    assert (named.side, better.side) == (worse.side, baseline.side)
    assert worse.comparison.baseline == baseline.side
    assert (worse.comparison.lost, worse.comparison.won) == (better.comparison.won, better.comparison.lost)
    assert worse.comparison.judgement.lost
    assert str(better.comparison.judgement) == "gains"


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pocketclip", "eval", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"NO_COLOR": "1"},
    )


def wait_for_entries(predictions: Path, entries: int) -> None:
    """Until the journal has so many lines, the header included."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        journals = list(predictions.glob("*.journal")) if predictions.is_dir() else []
        if journals and journals[0].read_bytes().count(b"\n") >= entries:
            return
        time.sleep(0.02)
    raise AssertionError("the evaluation wrote no predictions")


@pytest.mark.slow
def test_run_interrupted_and_killed_ends_with_the_same_figures(evaluate, tmp_path: Path) -> None:
    arguments = ["--model", "pocketclip_nano", "--batch-size", "4", "--count", "240"]
    (whole,) = evaluate(*arguments, store=tmp_path / "whole" / "s.sqlite")
    store = tmp_path / "broken" / "s.sqlite"
    predictions = store.parent / "evaluation" / "predictions"
    with start(*arguments, "--store", store) as process:
        wait_for_entries(predictions, 10)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "to continue, run the same command with --resume" in stderr
    assert "Traceback" not in stderr
    with start(*arguments, "--store", store, "--resume") as process:
        wait_for_entries(predictions, 25)
        process.kill()
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    (journal,) = predictions.glob("*.journal")
    done = 4 * (journal.read_bytes().count(b"\n") - 1)
    assert 0 < done < 240
    with open_store(str(store)) as opened:
        assert opened.records() == []
    (resumed,) = evaluate(*arguments, "--resume", store=store)
    assert f"resuming after {done} samples" in evaluate.stderr
    assert figures(resumed) == figures(whole)
    assert list(predictions.iterdir()) == []


class _Interrupt(Exception):
    pass


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch, evaluate) -> Callable[..., None]:
    """Runs `eval` and interrupts it after the first batch of a contestant's images."""
    from pocketclip.models.evaluation.journal import Journal

    def run(*arguments: str | Path, at: int = 2) -> None:
        append, calls = Journal.append, [0]

        def failing(self: Journal, entry: Any) -> None:
            calls[0] += 1
            if calls[0] == at:
                raise _Interrupt
            append(self, entry)

        with monkeypatch.context() as patched:
            patched.setattr(Journal, "append", failing)
            with pytest.raises(_Interrupt):
                evaluate(*arguments)

    return run


def test_changed_data_set_is_not_gone_on_with(evaluate, interrupted, scene_folder: Path, tmp_path: Path) -> None:
    import shutil

    root = Path(shutil.copytree(scene_folder / "scenes", tmp_path / "scenes"))
    arguments = ["--model", "pocketclip_nano", "--dataset", f"folder:{root}", "--templates", "scenes"]
    interrupted(*arguments)
    file = next(root.rglob("*.png"))
    file.rename(file.with_name("renamed.png"))
    with pytest.raises(ResumeError, match="the files of the data set changed since"):
        evaluate(*arguments, "--resume")
    # Without --resume the run is a new one; what the old one found is set aside, and that is said.
    (record,) = evaluate(*arguments)
    assert record.samples == SCENES
    assert "was kept as" in evaluate.stderr


def test_finished_contestants_are_recorded_once(evaluate, interrupted, scene_folder: Path, tmp_path: Path) -> None:
    arguments = ["--model", "pocketclip_nano", "--set", "image.activation=relu", "--baseline", "pocketclip_nano"]
    arguments += folder_arguments(scene_folder)
    # The baseline is done and stored after two batches, the model is interrupted in its own second one.
    interrupted(*arguments, at=4)
    with open_store(str(tmp_path / "s.sqlite")) as store:
        (baseline,) = store.accuracies()
    evaluate(*arguments, "--resume")
    with open_store(str(tmp_path / "s.sqlite")) as store:
        records = store.accuracies()
    assert records[0] == baseline
    assert len(records) == 2
    assert records[1].comparison is not None
    assert records[1].comparison.baseline_correct == baseline.correct


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("--dataset", "cifar10"), DatasetError, "no data set 'cifar10'; choose among: scenes, pictures-design"),
        (("--dataset", "imagenet-r"), DatasetError, r"get it from https://github\.com/hendrycks/imagenet-r"),
        (("--baseline", "pytorch"), EvaluationError, "cannot be its own baseline"),
        (("--baseline", "pocketclip_nano"), EvaluationError, "is the model itself"),
        (("--baseline", "nobody"), EvaluationError, "not a model, a run's folder or a folder of artefacts"),
        (("--device", "abacus"), EvaluationError, "cannot run on --device 'abacus'"),
    ],
)
def test_bad_requests(
    evaluate, tmp_path: Path, arguments: tuple[str, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        evaluate("--model", "pocketclip_nano", "--data-root", tmp_path, *arguments)
    assert getattr(caught.value, "exit_code", None) == 2


def test_model_or_artifact() -> None:
    app = command_line.new_app("pocketclip", "")
    app.command("eval")(eval_cli.eval_command)
    for arguments in ([], ["--model", "x", "--artifact", "y"]):
        result = CliRunner().invoke(app, arguments or ["--count", "3"])
        assert result.exit_code == 2
        assert "give either --artifact" in result.stderr


def test_notes_on_weights_and_on_what_is_missing(evaluate, tmp_path: Path) -> None:
    path = tmp_path / "imagenetv2-matched-frequency-format-val" / "10" / "a.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(np.zeros((70, 64, 3), np.uint8)).save(path)
    (tmp_path / "one.txt").write_text("{}\n")
    (record,) = evaluate(
        "--model", "pocketclip_nano", "--set", "image.activation=relu", "--dataset", "imagenet-v2",
        "--data-root", tmp_path, "--templates", tmp_path / "one.txt",
    )  # fmt: skip
    assert "warning: evaluating random weights" in evaluate.stderr
    assert "1 images instead of the published 10,000 and no image of 999 of 1,000 classes" in evaluate.stderr
    assert (record.dataset, record.split, record.classes) == ("imagenet-v2", "matched-frequency", 1000)


def rendered(table: Any, width: int = 120) -> str:
    from rich.console import Console

    text = io.StringIO()
    Console(file=text, width=width).print(table)
    return text.getvalue()


def test_table_shows_published_figures_beside_measured_ones(make: Any) -> None:
    own: AccuracyRecord = make.accuracy(None, model="mobileclip_s2", dataset="imagenet", correct=1480)
    text = rendered(accuracy_table([own]))
    assert "published" in text
    assert "74.4%" in text
    assert "74.0%" in text
    assert "judgement" not in text
    compared = rendered(accuracy_table([make.accuracy(None), make.accuracy(correct=1700)]))
    assert "published" not in compared
    for word in ("+5.00", "< 0.0001", "loses more than 1 point", "with pocketclip_nano (PyTorch)"):
        assert word in compared
    # Nothing is cut in the width of a redirected table.
    long = replace(own, model="open_clip-ViT-B-16-openai", comparison=make.accuracy(correct=1480).comparison)
    assert "\N{HORIZONTAL ELLIPSIS}" not in rendered(accuracy_table([long]))


def test_table_of_recalls(make: Any) -> None:
    from pocketclip.export.precision import TargetName

    text = rendered(retrieval_table([make.retrieval(), make.retrieval(TargetName.ONNX, drop_points=-2.0)]))
    for word in ("40.0%", "35.0 to 45.0", "-2.00", "gains", "text-to-image"):
        assert word in text
    better = [line.split() for line in text.splitlines() if line.endswith("gains")]
    assert len(better) == 4
    assert better[0][-5:] == ["-2.00", "-3.00", "to", "-1.00", "gains"]


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom typer.testing import CliRunner\nfrom pocketclip.cli import app\n"
        "result = CliRunner().invoke(app, ['eval', '--help'], env={'COLUMNS': '160'})\n"
        "assert result.exit_code == 0 and '--baseline' in result.output\n"
        "heavy = {'numpy', 'sqlalchemy', 'scipy', 'torch', 'webdataset', 'clip_benchmark'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, env=dict(os.environ))
