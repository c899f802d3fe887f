"""OpenCLIP models behind the interface of `ClipModel`, and their form for export."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pocketclip.models.blocks.mixers import attend
from pocketclip.models.blocks.transformer import MASKED
from pocketclip.models.checkpoints.checkpoint import load_fitted
from pocketclip.models.checkpoints.checkpoint_file import read_content
from pocketclip.models.checkpoints.checkpoint_layout import Found, find_any_state
from pocketclip.models.config import MAX_LOGIT_SCALE
from pocketclip.models.errors import CheckpointError, ConfigError
from pocketclip.models.open_clip_config import OpenClipConfig


class OpenClipModel(nn.Module):
    """An OpenCLIP model whose state dict has OpenCLIP's keys below `clip` (`visual.*`, `text.*`)."""

    def __init__(self, config: OpenClipConfig) -> None:
        from open_clip.model import CustomTextCLIP

        super().__init__()
        self.config = config
        settings = {key: value for key, value in config.architecture.items() if key != "custom_text"}
        try:
            self.clip = CustomTextCLIP(**settings)
        except (TypeError, ValueError, RuntimeError, AssertionError) as error:
            raise ConfigError(f"OpenCLIP cannot build {config.name}: {error}") from error
        text: Any = self.clip.text
        if getattr(text, "pool_type", None) != "argmax" or text.cls_emb is not None or text.use_pad_mask:
            raise ConfigError(f"the text tower of {config.name} does not pool at the end-of-text token; not supported")

    @property
    def image_encoder(self) -> nn.Module:
        """Images to embeddings before normalisation."""
        return self.clip.visual

    @property
    def text_encoder(self) -> OpenClipTextTower:
        """The text tower with the parts that export needs."""
        return OpenClipTextTower(self.clip.text)

    def encode_image(self, images: Tensor) -> Tensor:
        """`(N, 3, S, S)` float images to `(N, D)` embeddings before normalisation."""
        return self.clip.encode_image(images)

    def encode_text(self, token_ids: Tensor) -> Tensor:
        """`(N, T)` integer ids to `(N, D)` embeddings before normalisation."""
        return self.clip.encode_text(token_ids)

    def scale(self) -> Tensor:
        """The factor on cosines, clamped to [0, 100] as in CLIP."""
        return self.clip.logit_scale.exp().clamp(0, MAX_LOGIT_SCALE)

    def folded(self) -> OpenClipModel:
        """A copy in eval mode with timm's branches folded and attention in the form that delegates take."""
        from timm.utils.model import reparameterize_model

        model = copy.deepcopy(self).eval()
        trunk = getattr(model.clip.visual, "trunk", None)
        if isinstance(trunk, nn.Module):
            model.clip.visual.trunk = reparameterize_model(trunk)
        _replace_attention(model)
        return model


class OpenClipTextTower(nn.Module):
    """OpenCLIP's text transformer as hidden states and a projection, like `models.towers.text_tower.TextTower`."""

    mask: Tensor | None

    def __init__(self, text: Any) -> None:
        super().__init__()
        self.text = text
        self.vocabulary_size, self.context_length = int(text.vocab_size), int(text.context_length)
        mask = text.attn_mask
        # The mask of -inf gives NaN in fp16 runtimes.
        self.register_buffer("mask", None if mask is None else mask.clamp(min=MASKED), persistent=False)

    @property
    def projection_layer(self) -> Tensor:
        """`(width, D)`."""
        projection = self.text.text_projection
        return projection.weight.T if isinstance(projection, nn.Linear) else projection

    def hidden_states(self, token_ids: Tensor) -> Tensor:
        """All rows after the final norm, `(N, T, width)`."""
        x = self.text.token_embedding(token_ids) + self.text.positional_embedding
        return self.text.ln_final(self.text.transformer(x, attn_mask=self.mask))

    def forward(self, token_ids: Tensor) -> Tensor:
        hidden = self.hidden_states(token_ids)
        end = token_ids.argmax(dim=-1)
        return hidden[torch.arange(hidden.shape[0], device=hidden.device), end] @ self.projection_layer


class FusedAttention(nn.Module):
    """`nn.MultiheadAttention` on `(N, T, C)` without its many cases; called in the same way."""

    def __init__(self, attention: nn.MultiheadAttention) -> None:
        super().__init__()
        assert attention.in_proj_weight is not None
        self.heads = attention.num_heads
        width = attention.embed_dim
        self.qkv = nn.Linear(width, 3 * width)
        with torch.no_grad():
            self.qkv.weight.copy_(attention.in_proj_weight)
            self.qkv.bias.copy_(attention.in_proj_bias)
        self.proj = attention.out_proj

    def forward(self, query: Tensor, *_: Tensor, attn_mask: Tensor | None = None, **__: Any) -> tuple[Tensor, None]:
        """Self-attention of `query`; the second result stands for weights that nobody asks for."""
        return self.proj(attend(self.qkv(query), heads=self.heads, mask=attn_mask)), None


def load_open_clip_weights(model: OpenClipModel, source: Path) -> None:
    """Loads a checkpoint of OpenCLIP's in any of its layouts, tensors alone.

    Raises:
        CheckpointError: unreadable, or keys or shapes do not fit.
        NonFiniteError: a weight is NaN or infinite.
    """
    found = find_any_state(read_content(source), str(source))
    state, changes = _in_own_layout(model, found.state, source)
    load_fitted(model.clip, Found(state, found.changes + changes), source)


def _in_own_layout(
    model: OpenClipModel, state: dict[str, Tensor], source: Path
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """A state dict of any layout that OpenCLIP reads in that of `CustomTextCLIP`, and what was resized, in words.

    The steps of `open_clip.load_checkpoint`, which opens files by itself and in ways that are not safe.
    """
    from open_clip.convert import convert_state_dict
    from open_clip.model import convert_to_custom_text_state_dict, resize_pos_embed, resize_text_pos_embed

    expected = model.clip.state_dict()
    try:
        state = convert_state_dict(model.clip, dict(state))
        if "positional_embedding" in state and "positional_embedding" not in expected:
            state = convert_to_custom_text_state_dict(state)
        # Of OpenAI's archives, and of transformers' older versions.
        for key in ("input_resolution", "context_length", "vocab_size", "text.transformer.embeddings.position_ids"):
            if key not in expected:
                state.pop(key, None)
        if "logit_bias" in expected and "logit_bias" not in state and "logit_scale" in state:
            state["logit_bias"] = torch.zeros_like(state["logit_scale"])
        before = {key: value.shape for key, value in state.items()}
        resize_pos_embed(state, model.clip)
        resize_text_pos_embed(state, model.clip)
    except Exception as error:
        # OpenCLIP's conversions expect that what they convert is what they take it for.
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        raise CheckpointError(f"{source} does not fit {model.config.name}: {' '.join(lines[:2])[:300]}") from error
    resized = [key for key, shape in before.items() if key in state and state[key].shape != shape]
    return state, tuple(f"resized {key} from {tuple(before[key])} to {tuple(state[key].shape)}" for key in resized)


def fetch_open_clip_weights(config: OpenClipConfig) -> Path:
    """The file of the configuration's pretrained tag, downloaded into OpenCLIP's cache.

    Raises:
        CheckpointError: it cannot be fetched.
    """
    from open_clip.pretrained import download_pretrained, get_pretrained_cfg

    assert config.pretrained is not None
    architecture = config.name.removeprefix("open_clip-").removesuffix(f"-{config.pretrained}")
    try:
        return Path(download_pretrained(get_pretrained_cfg(architecture, config.pretrained)))
    except Exception as error:
        # The hub's and urllib's errors, offline or refused.
        raise CheckpointError(
            f"cannot fetch the weights {config.pretrained!r} of {architecture} ({type(error).__name__})",
            fix="connect to the network, or download the file and give its path to --weights",
        ) from error


def _replace_attention(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.MultiheadAttention):
            if child.in_proj_weight is not None and child.batch_first and child.bias_k is None:
                setattr(module, name, FusedAttention(child))
        else:
            _replace_attention(child)
