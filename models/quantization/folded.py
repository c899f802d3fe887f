"""The form of a model that is trained for quantisation: folded, as it is exported."""

from __future__ import annotations

import torch
from torch import nn

from pocketclip.models.blocks.mixers import MapAttention, scale_query_rows
from pocketclip.models.blocks.transformer import SequenceAttention, TransformerLayer
from pocketclip.models.towers.clip import ClipModel, reparameterize


def exported_form(model: ClipModel) -> ClipModel:
    """A folded copy whose attention has the factor of the query in its weights, as every target's pass puts it.

    A range that is learned for the projection of queries, keys and values then fits what is exported.
    """
    folded = reparameterize(model)
    assert isinstance(folded, ClipModel)
    for module in folded.modules():
        if isinstance(module, MapAttention):
            scale_query_rows(module.qkv, module.head_dim)
            module.query_scaled = True
        elif isinstance(module, SequenceAttention):
            scale_query_rows(module.qkv_proj, module.qkv_proj.in_features // module.heads)
            module.query_scaled = True
    return folded


@torch.no_grad()
def absorb_norms(model: ClipModel) -> None:
    """Moves the scale and shift of every LayerNorm before a linear layer into that layer, and freezes the norm at 1, 0.

    LiteRT's converter does so: a scale per input channel takes weights off the grid that was learned for them.
    """
    for layer in model.modules():
        if isinstance(layer, TransformerLayer):
            attention = layer.pre_norm_mha[1]
            assert isinstance(attention, SequenceAttention)
            _absorb(layer.pre_norm_mha[0], attention.qkv_proj)
            _absorb(layer.pre_norm_ffn[0], layer.pre_norm_ffn[1])


def _absorb(norm: nn.Module, linear: nn.Module) -> None:
    assert isinstance(norm, nn.LayerNorm) and isinstance(linear, nn.Linear)
    linear.bias.add_(linear.weight @ norm.bias)
    linear.weight.mul_(norm.weight)
    norm.weight.fill_(1)
    norm.bias.zero_()
    norm.requires_grad_(False)
