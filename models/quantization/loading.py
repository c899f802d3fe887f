"""Weights files of quantisation-aware training: how they are told from others, and the model that they make."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from pocketclip.models.checkpoints.checkpoint import load_content
from pocketclip.models.checkpoints.checkpoint_file import read_content
from pocketclip.models.errors import CheckpointError, choices
from pocketclip.models.quantization.folded import exported_form
from pocketclip.models.quantization.schemes import QatScheme
from pocketclip.models.quantization.sites import activation_sites
from pocketclip.models.quantization.trained import PREFIX, SCHEME_ENTRY, Side, TrainedQuantization, entry_names
from pocketclip.models.towers.clip import ClipModel
from pocketclip.models.untrusted.printable import printable_line

_MOST_SCHEME_BYTES = 64


def load_any_form(model: ClipModel, path: Path) -> ClipModel:
    """Loads a checkpoint into a model; one of quantisation-aware training makes the model folded, with its ranges.

    Args:
        model: in its form for training; it is loaded or left behind.
        path: as `models.checkpoints.checkpoint.load_weights` takes it.

    Returns:
        `model`, or its folded copy.

    Raises:
        CheckpointError: as `load_weights`; or what the file says about quantisation does not fit the model.
        NonFiniteError: a weight or range is NaN or infinite.
    """
    content = read_content(path)
    if not isinstance(content, Mapping) or SCHEME_ENTRY not in content:
        load_content(model, content, path)
        return model
    folded = exported_form(model)
    # Ranges get their values with all other entries, and are checked then.
    limits = dict.fromkeys(_places(folded, content, path), (0.0, 0.0))
    trained = TrainedQuantization(_scheme(content[SCHEME_ENTRY], path), limits)
    folded.quantization = trained
    load_content(folded, content, path)
    for each in trained.ranges():
        if not each.low <= 0 <= each.high or each.low == each.high:
            raise CheckpointError(
                f"{path}: the range of the {each.side} of {each.module} is {each.low:g} to {each.high:g}, without zero"
            )
    return folded


def _scheme(entry: object, path: Path) -> QatScheme:
    text = ""
    if isinstance(entry, Tensor) and entry.ndim == 1 and entry.numel() <= _MOST_SCHEME_BYTES:
        text = "".join(chr(int(value)) for value in entry.tolist() if 32 <= value < 127)
    if text not in set(QatScheme):
        raise CheckpointError(
            f"{path} was trained for {text!r}, which is no scheme of quantisation-aware training",
            fix=f"use weights for one of: {choices(QatScheme)}",
        )
    return QatScheme(text)


def _places(folded: ClipModel, content: Mapping[str, object], path: Path) -> list[tuple[str, Side]]:
    known = {name: place for module in activation_sites(folded) for name, place in entry_names(module).items()}
    names = [name for name in content if isinstance(name, str) and name.startswith(PREFIX) and name != SCHEME_ENTRY]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise CheckpointError(f"{path} has a range for what the model does not have: {printable_line(unknown[0])}")
    return [known[name] for name in names]
