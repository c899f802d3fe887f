"""The good inputs that are damaged: made once, by the commands that users have."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.fuzz.subjects import Subject, subjects

_REPOSITORY = Path(__file__).parents[2]
_EXPORTED = (("onnx", "fp32"), ("tflite", "fp32"), ("executorch", "fp32"), ("coreml", "fp16"))


def make_corpus(folder: Path, artifacts: Path | None = None) -> list[Subject]:
    """All subjects, with their good inputs below `folder`, each tried once by its reader's own command.

    Args:
        folder: an empty folder, or one that this function filled before.
        artifacts: exported `pocketclip_nano` by scheme and tower; None exports what is needed.
    """
    from PIL import Image
    from skimage import data

    exported = artifacts or folder / "artifacts" / "pocketclip_nano"
    for target, precision in () if artifacts else _EXPORTED:
        # Nothing runs Core ML files here: they are only read.
        towers, last = ("text", "text") if target == "coreml" else ("both", "image")
        if not (exported / f"{target}-{precision}" / last).is_dir():
            _run("export", "--target", target, "--quantize", precision, "--tower", towers,
                 "--out", folder / "artifacts")  # fmt: skip
    Image.fromarray(data.astronaut()[:160, :200]).save(folder / "photo.png")
    bundle = folder / "clip.bundle"
    if not bundle.is_dir():
        onnx = exported / "onnx-fp32"
        (folder / "labels.txt").write_text("a red circle\na blue square\n")
        _run("bundle", "--image", onnx / "image", "--text", onnx / "text", "--labels-file", folder / "labels.txt",
             "--out", bundle)  # fmt: skip
    records = folder / "records"
    if not records.is_dir():
        store = f"sqlite:///{folder}/store.sqlite"
        _run(
            "bench",
            "--artifact",
            exported / "onnx-fp32" / "text",
            "--launches",
            "2",
            "--iterations",
            "5",
            "--store",
            store,
        )
        records.mkdir()
        for suffix in ("json", "csv"):
            _run("results", "--store", store, "--out", records / f"records.{suffix}")
    return subjects(exported, bundle, records)


def report_text(figures: Mapping[str, object]) -> str:
    """The figures as they are kept."""
    return json.dumps(figures, indent=2) + "\n"


def _run(*arguments: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "pocketclip", *map(str, arguments)], check=True, cwd=_REPOSITORY)
