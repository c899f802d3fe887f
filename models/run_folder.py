"""The folder of a training run: what its files are called, and the model that it stands for."""

from __future__ import annotations

from pathlib import Path

from pocketclip.models.untrusted.files import is_file

CONFIG_FILE = "training.json"
MODEL_FILE = "model.json"
# Of models with a vocabulary file of the user's own: a copy, which `model.json` names.
VOCABULARY_FILE = "vocabulary.json"
# Written last: where it is, the run is complete.
WEIGHTS_FILE = "weights.safetensors"
# Of runs with a moving average, whose result is the average: the weights that were trained.
LAST_WEIGHTS_FILE = "last.safetensors"
BEST_WEIGHTS_FILE = "best.safetensors"


def is_run_folder(path: Path) -> bool:
    """Whether a folder is a run's, finished or not, or has a model and its weights under a run's names."""
    return is_file(path / MODEL_FILE) and any(is_file(path / name) for name in (CONFIG_FILE, WEIGHTS_FILE))


def run_of(reference: str) -> Path | None:
    """The run that a model's reference means: the folder itself, or its `model.json`. None where it means no run."""
    path = Path(reference)
    if path.name == MODEL_FILE and is_file(path):
        path = path.parent
    return path if is_run_folder(path) else None


def own_weights(run: Path) -> Path | None:
    """The weights of a run, if it has ended."""
    found = run / WEIGHTS_FILE
    return found if found.is_file() else None
