"""Models by name: their configurations, weights, tokenizer and preprocessing."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.models import documents
from pocketclip.models.errors import ConfigError, UnknownModelError, choices
from pocketclip.models.run_folder import MODEL_FILE, WEIGHTS_FILE, is_run_folder, own_weights, run_of
from pocketclip.models.untrusted.files import is_folder

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from pocketclip.models.config import AnyConfig
    from pocketclip.models.text.tokenizer import Tokenizer
    from pocketclip.models.towers.clip import AnyModel

_FOLDER = Path(__file__).parent
# In place of a checkpoint: random weights, always the same, also where the model comes with trained ones.
FRESH_WEIGHTS = "fresh:"


@dataclass(frozen=True)
class RegisteredModel:
    """A named model: its configuration file and, where we ship them, its trained weights."""

    config_path: Path
    weights_path: Path | None


def _shipped(config: str, weights: str | None = None) -> RegisteredModel:
    return RegisteredModel(_FOLDER / "configs" / config, None if weights is None else _FOLDER / "weights" / weights)


MODELS: dict[str, RegisteredModel] = {
    "pocketclip_nano": _shipped("pocketclip_nano.json", "pocketclip_nano.safetensors"),
    "pocketclip_nano_tuned": _shipped("pocketclip_nano_tuned.json", "pocketclip_nano_tuned.safetensors"),
    "pocketclip_xs": _shipped("pocketclip_xs.json"),
    "pocketclip_s": _shipped("pocketclip_s.json"),
    "pocketclip_cpu": _shipped("pocketclip_cpu.json"),
    "pocketclip_int8": _shipped("pocketclip_int8.json"),
    "pocketclip_ane": _shipped("pocketclip_ane.json"),
    "pocketclip_tinytext": _shipped("pocketclip_tinytext.json"),
    "pocketclip_pool": _shipped("pocketclip_pool.json"),
    "mobileclip_s0": _shipped("mobileclip_s0.json"),
    "mobileclip_s1": _shipped("mobileclip_s1.json"),
    "mobileclip_s2": _shipped("mobileclip_s2.json"),
    "mobileclip_b": _shipped("mobileclip_b.json"),
    "tinyclip_40m_32_text_19m": _shipped("tinyclip_40m_32_text_19m.json"),
    "tinyclip_61m_32_text_29m": _shipped("tinyclip_61m_32_text_29m.json"),
}


def find_model(name: str) -> RegisteredModel:
    """The registered model of that name.

    Raises:
        UnknownModelError: there is none; the message lists those that exist.
    """
    try:
        return MODELS[name]
    except KeyError:
        raise UnknownModelError(f"there is no model {name!r}; choose among: {choices(MODELS)}") from None


@functools.cache
def load_config(name: str) -> AnyConfig:
    """The configuration of a registered model.

    Raises:
        UnknownModelError: there is no such model.
        ConfigError: its file is malformed.
    """
    config = _read_config(find_model(name).config_path)
    if config.name != name:
        raise ConfigError(f"the configuration registered as {name!r} names itself {config.name!r}")
    return config


def resolve_config(reference: str, changes: Sequence[str] = (), weights: str | None = None) -> AnyConfig:
    """The configuration that a user asks for.

    Args:
        reference: a registered name; `open_clip:NAME`; the folder of a training run; or the path of a `.json` file: a
            whole configuration, or one that names its base and its changes.
        changes: `path=value` texts, applied on top; see `models.modifications`.
        weights: what the user gave as weights: a pretrained tag of OpenCLIP's brings its preprocessing.

    Raises:
        UnknownModelError: no model of that name.
        ConfigError: a file or a change does not fit; the message names the place.
    """
    from pocketclip.models.modifications import modify, parse_changes
    from pocketclip.models.open_clip_config import PREFIX, open_clip_config

    if reference.startswith(PREFIX):
        config = open_clip_config(reference, weights if weights and _is_tag(weights) else None)
    elif reference not in MODELS and is_run_folder(Path(reference)):
        config = _read_config(Path(reference) / MODEL_FILE)
    elif reference.endswith(".json"):
        config = _read_config(Path(reference))
    elif reference not in MODELS and is_folder(Path(reference)):
        raise UnknownModelError(
            f"{reference} is a folder, but not of a training run (there is no {MODEL_FILE} of one in it)",
            fix=f"give a run's folder, a configuration file (.json), or one of: {choices(MODELS)}",
        )
    else:
        config = load_config(reference)
    return modify(config, parse_changes(changes)) if changes else config


@dataclass(frozen=True)
class ChosenModel:
    """A model that a user asks for: its configuration and the file of its weights, or `FRESH_WEIGHTS`.

    `untrained` says in words why there are none, and what to give instead; None of trained ones. `cautions` word what
    the file of the weights does not say, and which choice was taken.
    """

    config: AnyConfig
    weights: str
    untrained: str | None = None
    cautions: tuple[str, ...] = ()

    @property
    def trained(self) -> bool:
        """Whether the weights come from a file."""
        return self.weights != FRESH_WEIGHTS


def choose_model(reference: str, changes: Sequence[str] = (), weights: str | None = None) -> ChosenModel:
    """The configuration and the weights that a user means.

    Args:
        reference: as `resolve_config` takes it; a run's folder or `model.json` brings the run's weights.
        changes: as `resolve_config`; weights that come with the unchanged model are not those of a changed one.
        weights: a checkpoint or tag as `create_model` takes it; None takes what comes with the model, if anything.

    Raises:
        UnknownModelError, ConfigError, CheckpointError: as `resolve_config` and `checkpoint_of`.
    """
    config = resolve_config(reference, changes, weights)
    run = run_of(reference) if weights is None and reference not in MODELS else None
    if run is not None:
        # Even where the run's model is one of ours: our weights are not the run's.
        own = own_weights(run)
        if own is None:
            why = (
                f"the run in {run} is not finished (it has no {WEIGHTS_FILE}); "
                "continue it with `pocketclip train --resume`"
            )
        elif changes:
            why = f"{own} belong to the model without --set; if they still fit, use --weights {own}"
        else:
            return ChosenModel(config, str(own))
        return ChosenModel(config, FRESH_WEIGHTS, why)
    found = checkpoint_of(config, weights)
    if found is not None:
        return ChosenModel(config, str(found), cautions=_cautions(reference, config, changes))
    what = f"a changed {reference}" if changes else config.name
    return ChosenModel(config, FRESH_WEIGHTS, f"{what} has no trained weights; give yours with --weights CHECKPOINT")


def _cautions(reference: str, config: AnyConfig, changes: Sequence[str]) -> tuple[str, ...]:
    from pocketclip.models.open_clip_choices import unstated_choices
    from pocketclip.models.open_clip_config import PREFIX, OpenClipConfig

    if not reference.startswith(PREFIX) or not isinstance(config, OpenClipConfig) or config.pretrained is not None:
        return ()
    return unstated_choices(reference, config, changes)


def checkpoint_of(config: AnyConfig, weights: str | None) -> Path | None:
    """The file of the weights that a user gave, fetched where it is not here; None where they are fresh random ones.

    Raises:
        CheckpointError: there is no such file, or it cannot be fetched.
    """
    from pocketclip.models.checkpoints.weights_source import fetch_weights
    from pocketclip.models.open_clip_config import OpenClipConfig

    if weights == FRESH_WEIGHTS:
        return None
    if isinstance(config, OpenClipConfig) and config.pretrained is not None and weights in (None, config.pretrained):
        from pocketclip.models.towers.open_clip_model import fetch_open_clip_weights

        return fetch_open_clip_weights(config)
    return shipped_weights(config) if weights is None else fetch_weights(weights)


def shipped_weights(config: AnyConfig) -> Path | None:
    """The trained weights that come with exactly this configuration, if any do."""
    registered = MODELS.get(config.name)
    if registered is None or registered.weights_path is None or load_config(config.name) != config:
        return None
    return registered.weights_path


def create_model(name: str, weights: str | Path | None = None, *, changes: Sequence[str] = ()) -> AnyModel:
    """Builds a model in eval mode.

    Args:
        name: a registered model, `open_clip:NAME`, a run's folder, or the path of a configuration file (see
            `resolve_config`).
        weights: a checkpoint (`.safetensors`, or a `.pt` state dict) by path or `hf:OWNER/REPO`, or one of OpenCLIP's
            pretrained tags; None takes the weights that come with the model or run, and fresh random ones, always
            the same, where none do.
        changes: modifications of the configuration, as `resolve_config` takes them.

    Raises:
        UnknownModelError, ConfigError: as `resolve_config`.
        CheckpointError: the checkpoint cannot be read or does not fit.
    """
    chosen = choose_model(name, changes, None if weights is None else str(weights))
    return build_model(chosen.config, chosen.weights)


def build_model(config: AnyConfig, weights: str | None = None) -> AnyModel:
    """Builds the model of a configuration in eval mode; see `create_model`.

    Weights of quantisation-aware training make a folded model, with its `quantization`.
    """
    import torch

    from pocketclip.models.quantization.loading import load_any_form
    from pocketclip.models.towers.open_clip_model import OpenClipModel, load_open_clip_weights

    source = checkpoint_of(config, weights)
    # Both towers of an export are built in processes of their own: fresh weights must be the same in each.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = new_model(config)
    if source is not None and isinstance(model, OpenClipModel):
        load_open_clip_weights(model, source)
    elif source is not None:
        assert not isinstance(model, OpenClipModel)
        model = load_any_form(model, source)
    return model.eval()


def new_model(config: AnyConfig) -> AnyModel:
    """The model of a configuration with random weights from torch's generator, in training mode."""
    from pocketclip.models.open_clip_config import OpenClipConfig
    from pocketclip.models.towers.clip import ClipModel
    from pocketclip.models.towers.open_clip_model import OpenClipModel

    return OpenClipModel(config) if isinstance(config, OpenClipConfig) else ClipModel(config)


def build_trained_model(reference: str) -> AnyModel:
    """Builds a model that must have been trained: a teacher, or one whose weights another inherits.

    Args:
        reference: `MODEL`, or `MODEL=CHECKPOINT` with a checkpoint as `create_model` takes it.

    Raises:
        ConfigError: the model would have fresh random weights.
        UnknownModelError, CheckpointError: as `create_model`.
    """
    name, given = split_reference(reference)
    if given == "":
        raise ConfigError(f"{reference!r}: write a checkpoint after =", fix="write MODEL or MODEL=CHECKPOINT")
    chosen = choose_model(name, weights=given)
    if not chosen.trained:
        why = f" ({chosen.untrained})" if run_of(name) is not None else ""
        raise ConfigError(f"{name} has no weights{why}", fix=f"give its checkpoint: {name}=CHECKPOINT")
    return build_model(chosen.config, chosen.weights)


def split_reference(reference: str) -> tuple[str, str | None]:
    """The model and the checkpoint of `MODEL=CHECKPOINT`; None as the checkpoint of `MODEL`.

    A run's folder may have the mark in its name, such as `runs/lr=0.1`.
    """
    ends = [place for place, character in enumerate(reference) if character == "="]
    for end in (len(reference), *ends):
        if run_of(reference[:end]) is not None:
            return reference[:end], reference[end + 1 :] if end in ends else None
    name, equals, given = reference.partition("=")
    return name, given if equals else None


def get_tokenizer(name: str) -> Tokenizer:
    """The tokenizer of a model: `(texts) -> (N, context_length)` int32 ids."""
    from pocketclip.models.text.tokenizer import load_tokenizer

    return load_tokenizer(resolve_config(name).tokenizer)


def get_preprocess(name: str) -> Callable[[Image.Image], np.ndarray]:
    """The preprocessing of a model: `(PIL image) -> (3, S, S)` float32."""
    from pocketclip.models.pixels.preprocess import preprocessor

    return preprocessor(resolve_config(name).preprocess)


def _is_tag(weights: str) -> bool:
    return "/" not in weights and ":" not in weights and not Path(weights).suffix


def _read_config(path: Path) -> AnyConfig:
    from pocketclip.models.config import ModelConfig
    from pocketclip.models.modifications import ModifiedConfig, modify
    from pocketclip.models.open_clip_config import OpenClipConfig

    if documents.has_key(path, "base", error=ConfigError):
        modified = documents.read(ModifiedConfig, path, error=ConfigError)
        config = modify(
            resolve_config(modified.base), modified.changes, name=modified.name, description=modified.description
        )
    elif documents.has_key(path, "architecture", error=ConfigError):
        config = documents.read(OpenClipConfig, path, error=ConfigError)
    else:
        config = documents.read(ModelConfig, path, error=ConfigError)
    vocabulary = config.tokenizer.vocabulary
    if vocabulary is None or not vocabulary.endswith(".json"):
        return config
    # Paths in a file start at the file; from here on they are read from anywhere.
    absolute = str((path.parent / vocabulary).resolve())
    return replace(config, tokenizer=replace(config.tokenizer, vocabulary=absolute))
