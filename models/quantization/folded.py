"""The form of a model that is trained for quantisation: folded, as it is exported."""

from __future__ import annotations

from pocketclip.models.blocks.mixers import MapAttention, scale_query_rows
from pocketclip.models.blocks.transformer import SequenceAttention
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
