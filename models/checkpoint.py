"""Reading and writing model weights: safetensors, and PyTorch state dicts read with `weights_only`."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from models import atomic
from models.errors import CheckpointError, NonFiniteError

_MOST_NAMED = 3


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint file, by key.

    Raises:
        CheckpointError: the file is missing, truncated, or no checkpoint.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint at {path}")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load

            return load(path.read_bytes())
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError) as error:
        # Torch's own message proposes to load without `weights_only`, which would run the file's code.
        raise CheckpointError(
            f"cannot read the checkpoint {path}: it is a part of a file, or not one of tensors alone; "
            "give a safetensors file or a PyTorch state dict"
        ) from error
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"cannot read the checkpoint {path}: {reason}; fetch or write it again") from error
    except Exception as error:
        # safetensors raises a class of its own that it does not export under a stable name.
        raise CheckpointError(f"cannot read the checkpoint {path}: {error}; fetch or write it again") from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not all(isinstance(v, Tensor) for v in content.values()):
        raise CheckpointError(f"{path} holds no state dict: a mapping of names to tensors is needed")
    return dict(content)


def load_weights(model: nn.Module, path: Path) -> None:
    """Loads a checkpoint strictly: every key and shape must fit.

    Raises:
        CheckpointError: unreadable, or keys or shapes do not fit; the message names the first ones.
        NonFiniteError: a weight is NaN or infinite.
    """
    state = read_state_dict(path)
    misfits = _misfits(model.state_dict(), state)
    if misfits:
        raise CheckpointError(f"{path} does not fit the model: {'; '.join(misfits)}")
    require_finite_state(state, path)
    model.load_state_dict(state, strict=True)


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


def _misfits(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    missing = [key for key in expected if key not in found]
    unknown = [key for key in found if key not in expected]
    shaped = [
        f"{key} is {tuple(found[key].shape)}, the model has {tuple(expected[key].shape)}"
        for key in expected
        if key in found and found[key].shape != expected[key].shape
    ]
    groups = (("missing keys", missing), ("unknown keys", unknown), ("shapes", shaped))
    return [
        f"{len(items)} {title} ({', '.join(items[:_MOST_NAMED])}{', ...' if len(items) > _MOST_NAMED else ''})"
        for title, items in groups
        if items
    ]


def weights_sha256(model: nn.Module) -> str:
    """One hash over every entry of the state dict, independent of the file it came from."""
    digest = hashlib.sha256()
    for key, value in sorted(model.state_dict().items()):
        digest.update(f"{key}\0{value.dtype}\0{tuple(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
