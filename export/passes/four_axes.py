"""Forms for Apple's Neural Engine: maps `(1, C, H, W)` from end to end, products of four axes, values in half range.

A product of two axes in front of hardswish comes out wrong there, the same in four axes right (coreai-torch issue #51).
Nothing here looks a row up by a computed place: argmax, topk and gathers by them come out wrong too (#115, #116).
"""

from __future__ import annotations

import copy
from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional

from pocketclip.export.passes.attention import ScaledMapAttention, ScaledQuery, pointwise
from pocketclip.export.passes.base import Rewritten
from pocketclip.export.passes.modules import rewrite_at_paths, rewrite_modules, run_once
from pocketclip.export.passes.tower_module import TextTowerModule
from pocketclip.models.blocks.embedding import LowRankEmbedding
from pocketclip.models.blocks.mixers import MapAttention
from pocketclip.models.blocks.transformer import LayerNormFp32, LearnedPositions, SequenceAttention, TransformerLayer
from pocketclip.models.towers.text_tower import OnSequence, TextTower

# Of the squares that a layer norm sums, in half floats: an eighth of their range, for inputs that were not seen.
_LARGEST_SQUARE = torch.finfo(torch.half).max / 8


class FourAxisAttention(nn.Module):
    """Attention over a map `(N, C, H, W)`: projections by 1x1 convolutions, products over `(N, heads, ., .)`."""

    mask: Tensor | None

    def __init__(self, qkv: nn.Linear, proj: nn.Linear, heads: int, mask: Tensor | None, *, scaled: bool) -> None:
        super().__init__()
        self.heads, self.head_dim, self.scaled = heads, proj.in_features // heads, scaled
        self.qkv, self.proj = pointwise(qkv), pointwise(proj)
        # Scores stand with the key's places first: so that of all factors, one alone is transposed.
        self.register_buffer("mask", None if mask is None else mask.T.contiguous(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        stacked = self.qkv(x).reshape(batch, 3 * self.heads, self.head_dim, height * width)
        query, key, value = stacked.split(self.heads, dim=1)
        if not self.scaled:
            query = query * self.head_dim**-0.5
        scores = torch.matmul(key.transpose(2, 3), query)
        if self.mask is not None:
            scores = scores + self.mask
        weights = torch.softmax(scores, dim=2)
        return self.proj(torch.matmul(value, weights).reshape(batch, channels, height, width))


def attention_in_four_axes(tower: nn.Module, example: Tensor) -> Rewritten:
    """Attention over maps with products of four axes."""
    del example
    return rewrite_modules(tower, _map_attention)


def _map_attention(module: nn.Module) -> nn.Module | None:
    if isinstance(module, MapAttention):
        return FourAxisAttention(module.qkv, module.proj, module.heads, None, scaled=module.query_scaled)
    if isinstance(module, ScaledMapAttention):
        inner = module.inner
        return FourAxisAttention(inner.qkv, inner.proj, inner.heads, None, scaled=True)
    return None


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of a map `(1, C, 1, T)`.

    `factor` scales what is squared, and the result stays as it was: a power of two, chosen so that squares stay in the
    range of half floats.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, norm: nn.LayerNorm, factor: float = 1.0) -> None:
        super().__init__()
        self.eps, self.factor = norm.eps, factor
        self.weight = nn.Parameter(norm.weight.detach()[None, :, None, None])
        self.bias = nn.Parameter(norm.bias.detach()[None, :, None, None])

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(1, keepdim=True)
        if self.factor != 1.0:
            centred = centred * self.factor
        variance = (centred * centred).mean(1, keepdim=True)
        return centred * torch.rsqrt(variance + self.eps * self.factor**2) * self.weight + self.bias


class MapPositions(nn.Module):
    """Makes a map `(1, C, 1, T)` of a sequence `(1, T, C)`, the only transposition, and adds learned positions."""

    def __init__(self, positions: LearnedPositions) -> None:
        super().__init__()
        learned = positions.pos_embed["pos_embed"].detach()
        self.positions = nn.Parameter(learned[0].transpose(1, 2)[:, :, None])

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2).unsqueeze(2) + self.positions


class MapTextTower(nn.Module):
    """The text tower's module whose hidden states are a map. Ids `(1, T)` to `(1, D)`, L2-normalised.

    The row at the end of text is picked by a product with zeros and a one, and summed.
    """

    earlier: Tensor

    def __init__(self, tower: TextTowerModule) -> None:
        super().__init__()
        encoder = tower.encoder
        assert isinstance(encoder, TextTower)
        self.encoder, self.l2_norm, self.is_end = encoder, tower.l2_norm, tower.is_end
        # `x @ projection` as a convolution.
        self.projection = nn.Parameter(encoder.projection_layer.detach().T[:, :, None, None].contiguous())
        del encoder.projection_layer
        # The product with it as a convolution, too: row t sums what stands before t.
        self.register_buffer("earlier", tower.earlier.T[:, :, None, None].contiguous(), persistent=False)

    def forward(self, token_ids: Tensor) -> Tensor:
        hidden = self.encoder.hidden_states(token_ids)
        is_end = self.is_end(token_ids).to(hidden.dtype)[:, :, None, None]
        # Only the first end counts, as with argmax: later ones have an end before them.
        first_end = torch.relu(is_end - functional.conv2d(is_end, self.earlier)).reshape(1, 1, 1, -1)
        pooled = (hidden * first_end).sum(3, keepdim=True)
        return self.l2_norm(functional.conv2d(pooled, self.projection).flatten(1))


def sequence_as_map(tower: nn.Module, example: Tensor) -> Rewritten:
    """Keeps the sequences of our text tower as maps from the embedding to the projection."""
    del example
    if not _is_plain_text(tower):
        return Rewritten(copy.deepcopy(tower), ())
    rewritten = rewrite_modules(tower, _on_map)
    assert isinstance(rewritten.module, TextTowerModule)
    with torch.no_grad():
        return Rewritten(MapTextTower(rewritten.module), rewritten.sites)


def _is_plain_text(tower: nn.Module) -> TypeGuard[TextTowerModule]:
    """Whether a tower consists of parts that have a form for maps."""
    if not isinstance(tower, TextTowerModule) or type(tower.encoder) is not TextTower:
        return False
    layers = [type(layer) for layer in tower.encoder.transformer]
    return all(kind in (TransformerLayer, OnSequence) for kind in layers)


def _on_map(module: nn.Module) -> nn.Module | None:
    if isinstance(module, LearnedPositions):
        return MapPositions(module)
    if isinstance(module, LayerNormFp32):
        return ChannelNorm(module)
    if isinstance(module, OnSequence):
        return module.module
    if isinstance(module, SequenceAttention):
        return FourAxisAttention(
            module.qkv_proj, module.out_proj, module.heads, module.mask, scaled=module.query_scaled
        )
    if isinstance(module, ScaledQuery):
        return FourAxisAttention(module.qkv, module.proj, module.heads, module.mask, scaled=True)
    if isinstance(module, LowRankEmbedding):
        # What gives the sequence stays one.
        return copy.deepcopy(module)
    return pointwise(module) if isinstance(module, nn.Linear) else None


class RowConvolution(nn.Conv2d):
    """A linear layer of rows as a 1x1 convolution. Shape: `(N, I)` to `(N, O)`.

    Of products, Apple's converter drops the axes of length 1 that a view adds; of convolutions it does not.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear.in_features, linear.out_features, 1, device="meta")
        self.weight = nn.Parameter(linear.weight.detach()[:, :, None, None])
        self.bias = linear.bias

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input[:, :, None, None]).flatten(1)


def products_in_four_axes(tower: nn.Module, example: Tensor) -> Rewritten:
    """Linear layers of two axes as convolutions."""
    flat: set[nn.Module] = set()

    def note(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        if given[0].ndim == 2:
            flat.add(module)

    layers = [module for module in tower.modules() if type(module) is nn.Linear]
    run_once(tower, example, [module.register_forward_pre_hook(note) for module in layers])
    paths = {path for path, module in tower.named_modules(remove_duplicate=False) if module in flat}
    return rewrite_at_paths(
        tower, lambda path, module: RowConvolution(module) if path in paths and isinstance(module, nn.Linear) else None
    )


class StableSoftplus(nn.Module):
    """Softplus whose exponential is at most 1: `max(x, 0) + log(1 + exp(-|x|))`."""

    def __init__(self, beta: float) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, x: Tensor) -> Tensor:
        scaled = x * self.beta
        return (torch.relu(scaled) + torch.log1p(torch.exp(-scaled.abs()))) / self.beta


class StableMish(nn.Module):
    """`x * tanh(softplus(x))`."""

    def __init__(self) -> None:
        super().__init__()
        self.softplus = StableSoftplus(1.0)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.tanh(self.softplus(x))


def stable_softplus(tower: nn.Module, example: Tensor) -> Rewritten:
    """Softplus and Mish without an exponential that leaves the range of half floats."""
    del example
    return rewrite_modules(tower, _stable)


def _stable(module: nn.Module) -> nn.Module | None:
    if isinstance(module, nn.Mish):
        return StableMish()
    # torch itself gives x above the threshold, where the two differ by less than exp(-20) = 2e-9.
    return StableSoftplus(module.beta) if isinstance(module, nn.Softplus) and module.threshold >= 20 else None


def norm_in_range(tower: nn.Module, example: Tensor) -> Rewritten:
    """Scales what layer norms over maps square, where squares of the example leave an eighth of half floats' range."""
    largest: dict[nn.Module, float] = {}

    def note(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        (x,) = given
        largest[module] = float((x - x.mean(1, keepdim=True)).abs().max()) ** 2

    norms = [module for module in tower.modules() if isinstance(module, ChannelNorm)]
    run_once(tower, example, [norm.register_forward_pre_hook(note) for norm in norms])
    paths = {path: _factor(largest[each]) for path, each in tower.named_modules() if each in largest}
    rewritten = copy.deepcopy(tower)
    sites = tuple(path for path, factor in paths.items() if factor != 1.0)
    for path in sites:
        norm = rewritten.get_submodule(path)
        assert isinstance(norm, ChannelNorm)
        norm.factor = paths[path]
    return Rewritten(rewritten, sites)


def _factor(square: float) -> float:
    """The largest power of two of at most 1 that brings a square into range."""
    factor = 1.0
    while square * factor**2 > _LARGEST_SQUARE:
        factor /= 2
    return factor
