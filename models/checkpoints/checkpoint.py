"""Reading and writing model weights: safetensors, and PyTorch state dicts of tensors alone."""

from __future__ import annotations

import functools
import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from pocketclip.models import atomic
from pocketclip.models.checkpoints.checkpoint_file import read_content
from pocketclip.models.checkpoints.checkpoint_layout import Found, find_state, fitted
from pocketclip.models.errors import CheckpointError, NonFiniteError

_LOG = logging.getLogger("pocketclip.models")


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint file, by key, as they stand in it.

    Raises:
        CheckpointError: the file is missing, truncated, or no checkpoint.
    """
    content = read_content(path)
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not all(isinstance(v, Tensor) for v in content.values()):
        raise CheckpointError(f"{path} holds no state dict (a mapping of names to tensors)")
    return dict(content)


def load_weights(model: nn.Module, path: Path) -> None:
    """Loads a checkpoint of any trainer's layout; every key and shape must fit. What had to be changed is noted.

    Raises:
        CheckpointError: unreadable, nothing in it fits, or more than one thing does; the message says what it is.
        NonFiniteError: a weight is NaN or infinite, or becomes so in the model's type.
    """
    load_content(model, read_content(path), path)


def load_content(model: nn.Module, content: object, path: Path) -> None:
    """Loads what `read_content` gave for `path`; raises as `load_weights`."""
    load_fitted(model, find_state(content, model.state_dict(), str(path)), path)


def load_fitted(model: nn.Module, found: Found, path: Path) -> None:
    """Loads tensors under the model's own names that came from `path`; raises as `load_weights`."""
    expected = model.state_dict()
    state = fitted(found.state, expected, str(path))
    require_finite_state(state.state, path)
    model.load_state_dict(state.state, strict=True)
    changes = found.changes + state.changes
    if changes:
        _say(f"note: {path}: {'; '.join(changes)}")


@functools.cache
def _say(text: str) -> None:
    """Once for each process: models are built more than once."""
    _LOG.info("%s", text)


def require_finite_state(state: Mapping[str, Tensor], path: Path) -> None:
    """Raises `NonFiniteError` where a weight that came from `path` is NaN or infinite."""
    bad = [key for key, value in state.items() if value.is_floating_point() and not value.isfinite().all()]
    if bad:
        raise NonFiniteError(f"{path} holds NaN or infinite values in {len(bad)} entries (first: {bad[0]})")


def save_weights(model: nn.Module, path: Path) -> None:
    """Writes the state dict as safetensors, whole or not at all."""
    from safetensors.torch import save

    state = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    atomic.write_bytes(path, save(state))


# Of each model that lives: which state was hashed, and its hash. Several steps of a job ask for it.
_HASHES: WeakKeyDictionary[nn.Module, tuple[object, str]] = WeakKeyDictionary()


def weights_sha256(model: nn.Module) -> str:
    """One hash over every entry of the state dict, independent of the file it came from."""
    entries = sorted(model.state_dict().items())
    # PyTorch counts each change of a tensor in place.
    counted = not any(value.is_inference() for _, value in entries)
    state = tuple((key, value.data_ptr(), value._version) for key, value in entries) if counted else None
    known = _HASHES.get(model)
    if counted and known is not None and known[0] == state:
        return known[1]
    digest = hashlib.sha256()
    for key, value in entries:
        digest.update(f"{key}\0{value.dtype}\0{tuple(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    _HASHES[model] = state, digest.hexdigest()
    return digest.hexdigest()
