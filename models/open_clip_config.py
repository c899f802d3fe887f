"""Configurations of OpenCLIP's architectures: `open_clip:NAME`, or a file that holds the architecture."""

from __future__ import annotations

import difflib
import hashlib
import json
from typing import Any

from pocketclip.models import documents
from pocketclip.models.documents import document
from pocketclip.models.errors import ConfigError, UnknownModelError
from pocketclip.models.pixels.preprocess import Interpolation, PreprocessSpec, ResizeMode
from pocketclip.models.text.tokenizer import TokenizerSpec
from pocketclip.models.untrusted.names import PlainName

PREFIX = "open_clip:"
# Of a pretrained tag's entry, what the images must go through.
PREPROCESS_KEYS = ("mean", "std", "interpolation", "resize_mode")


@document
class OpenClipConfig:
    """A model that OpenCLIP builds.

    `architecture` is OpenCLIP's own model configuration (`embed_dim`, `vision_cfg`, `text_cfg`, `quick_gelu`);
    `pretrained` a tag of OpenCLIP's, such as `openai`, whose weights and preprocessing are meant.
    """

    name: PlainName
    description: str
    embedding_dim: int
    preprocess: PreprocessSpec
    tokenizer: TokenizerSpec
    architecture: dict[str, Any]
    pretrained: str | None = None

    def __post_init__(self) -> None:
        missing = [key for key in ("embed_dim", "vision_cfg", "text_cfg") if key not in self.architecture]
        if missing:
            raise ConfigError(f"the architecture lacks {', '.join(missing)}", fix="use OpenCLIP's model configuration")
        if self.architecture["embed_dim"] != self.embedding_dim:
            raise ConfigError(
                f"embedding_dim {self.embedding_dim} is not the architecture's {self.architecture['embed_dim']}"
            )

    def __hash__(self) -> int:
        return hash(self.sha256)

    @property
    def sha256(self) -> str:
        """Identity of the architecture and its inputs, independent of JSON formatting."""
        canonical = json.dumps(documents.to_builtin(self), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()


def open_clip_config(reference: str, pretrained: str | None = None) -> OpenClipConfig:
    """The configuration of `open_clip:NAME` with the preprocessing of its weights.

    Args:
        reference: the name with its prefix.
        pretrained: a tag of OpenCLIP's for that name; None for weights from elsewhere. Then the preprocessing is that
            of the architecture's tags where they agree, else OpenCLIP's default.

    Raises:
        UnknownModelError: OpenCLIP knows no such architecture.
        ConfigError: the model needs a tokenizer, resizing or tag that is not supported.
    """
    import open_clip
    from open_clip.pretrained import get_pretrained_cfg, list_pretrained_tags_by_model

    name = reference.removeprefix(PREFIX)
    architecture = open_clip.get_model_config(name)
    if architecture is None:
        near = difflib.get_close_matches(name, open_clip.list_models(), n=8, cutoff=0.3)
        raise UnknownModelError(
            f"OpenCLIP has no architecture {name!r}; similar names: {', '.join(near) or '(none)'}; "
            "open_clip.list_models() lists all"
        )
    tags = list_pretrained_tags_by_model(name)
    if pretrained is not None and pretrained not in tags:
        raise ConfigError(
            f"{name} has no pretrained tag {pretrained!r}", fix=f"choose among: {', '.join(tags) or '(none)'}"
        )
    entries = [get_pretrained_cfg(name, tag) for tag in ([pretrained] if pretrained else tags)]
    stated = [{key: entry[key] for key in PREPROCESS_KEYS if key in entry} for entry in entries]
    inputs = stated[0] if stated and all(entry == stated[0] for entry in stated) else {}
    if pretrained is not None and entries[0].get("quick_gelu"):
        architecture["quick_gelu"] = True
    return OpenClipConfig(
        name=f"open_clip-{name}" + (f"-{pretrained}" if pretrained else ""),
        description=f"OpenCLIP's {name}" + (f", weights {pretrained}" if pretrained else ""),
        embedding_dim=int(architecture["embed_dim"]),
        preprocess=_preprocess(name, architecture["vision_cfg"], inputs),
        tokenizer=_tokenizer(name, architecture["text_cfg"]),
        architecture=json.loads(json.dumps(architecture)),
        pretrained=pretrained,
    )


def _preprocess(name: str, vision: dict[str, Any], inputs: dict[str, Any]) -> PreprocessSpec:
    from open_clip.transform import PreprocessCfg

    defaults = PreprocessCfg()
    size = vision.get("image_size", 224)
    if not isinstance(size, int):
        if size[0] != size[1]:
            raise ConfigError(f"{name} takes images of {size[0]} x {size[1]} pixels; only squares are supported")
        size = size[0]
    mode, filter_name = (
        inputs.get("resize_mode", defaults.resize_mode),
        inputs.get("interpolation", defaults.interpolation),
    )
    if mode not in tuple(ResizeMode) or filter_name not in tuple(Interpolation):
        raise ConfigError(f"{name} resizes by {mode} with {filter_name}, which is not supported")
    return PreprocessSpec(
        image_size=size,
        interpolation=Interpolation(filter_name),
        resize_mode=ResizeMode(mode),
        mean=_channels(inputs.get("mean", defaults.mean)),
        std=_channels(inputs.get("std", defaults.std)),
    )


def _tokenizer(name: str, text: dict[str, Any]) -> TokenizerSpec:
    other = text.get("hf_tokenizer_name") or text.get("hf_model_name")
    if other or text.get("tokenizer_kwargs"):
        raise ConfigError(f"{name} has its own tokenizer ({other}); only models with CLIP's tokenizer are supported")
    return TokenizerSpec(context_length=int(text.get("context_length", 77)))


def _channels(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
