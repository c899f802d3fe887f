"""Each block's folded form computes the same, whatever its shape."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from pocketclip.models.blocks.folding import Foldable
from pocketclip.models.blocks.mixers import AttentionBlock, PositionEncoding, RepMixer, RepMixerBlock, attend
from pocketclip.models.blocks.mobileone import ConvNorm, LargeKernelBlock, MobileOneBlock
from pocketclip.models.blocks.plain_mixers import LargeKernelMixer, PlainMixerBlock, PoolingMixer
from pocketclip.models.blocks.transformer import LayerNormFp32, SequenceAttention
from pocketclip.models.towers.clip import reparameterize
from pocketclip.models.towers.vision_transformer import StemConv


def with_statistics(block: nn.Module) -> nn.Module:
    """Eval mode with BatchNorm statistics that are not the identity."""
    torch.manual_seed(0)
    for module in block.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
    return block.eval()


BLOCKS = {
    "stem": lambda: MobileOneBlock(8, 16, kernel=3, stride=2, activation=nn.GELU()),
    "depthwise": lambda: MobileOneBlock(8, 8, kernel=3, groups=8, conv_branches=3),
    "grouped": lambda: MobileOneBlock(8, 8, kernel=3, groups=2),
    "pointwise": lambda: MobileOneBlock(8, 8, kernel=1, activation=nn.GELU()),
    "widening with squeeze-excite": lambda: MobileOneBlock(8, 16, kernel=3, groups=8, squeeze_excite=True),
    "large kernel": lambda: LargeKernelBlock(8, 16, kernel=7, stride=2, squeeze_excite=True, activation=nn.GELU()),
    "5x5 down-sampler": lambda: LargeKernelBlock(8, 8, kernel=5, stride=2, squeeze_excite=False, activation=nn.GELU()),
    "repmixer": lambda: RepMixer(8, kernel=3, scale_branch=True, scale_start=0.3),
    "position encoding": lambda: PositionEncoding(8, kernel=7),
    "large-kernel mixer": lambda: LargeKernelMixer(8, kernel=7, scale_start=0.3),
    "pooling mixer": lambda: PoolingMixer(8, kernel=3, scale_start=0.3),
    "pooling block": lambda: PlainMixerBlock(
        PoolingMixer(8, kernel=5, scale_start=0.3), 8, ffn_kernel=3, ffn_ratio=2, activation=nn.ReLU(), scale_start=0.2
    ),
    "vision transformer's stem": lambda: StemConv(8, 16, kernel=4, padding=1, activation=nn.GELU()),
    "conv and norm": lambda: ConvNorm(8, 16, 3, stride=2, groups=4),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_folded_block_is_equal(name: str) -> None:
    block = with_statistics(BLOCKS[name]())
    assert isinstance(block, Foldable)
    x = torch.randn(2, 8, 9, 11)
    with torch.no_grad():
        folded = block.fold()
        torch.testing.assert_close(folded(x), block(x), atol=2e-5, rtol=1e-5)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())


def test_sequence_block_folds_to_one_row_kernels() -> None:
    block = RepMixerBlock(
        8,
        kernel=(1, 11),
        ffn_kernel=(1, 11),
        ffn_ratio=2,
        activation=nn.GELU(),
        scale_branch=False,
        scale_start=0.2,
    )
    block = with_statistics(block)
    x = torch.randn(2, 8, 1, 20)
    folded = reparameterize(nn.Sequential(block))[0]
    torch.testing.assert_close(folded(x), block(x), atol=2e-5, rtol=1e-5)
    assert folded[0].weight.shape == (8, 1, 1, 11)


def test_reparameterize_leaves_its_argument_alone() -> None:
    block = nn.Sequential(with_statistics(BLOCKS["stem"]())).train()
    before = {key: value.clone() for key, value in block.state_dict().items()}
    reparameterize(block)
    assert block.training
    for key, value in block.state_dict().items():
        assert torch.equal(value, before[key])


@pytest.mark.parametrize("causal", [False, True])
def test_attention_equals_torch(causal: bool) -> None:
    torch.manual_seed(0)
    layer = SequenceAttention(16, heads=4)
    if causal:
        layer.set_causal_mask(6)
    x = torch.randn(3, 6, 16)
    query, key, value = (part.reshape(3, 6, 4, 4).transpose(1, 2) for part in layer.qkv_proj(x).chunk(3, dim=-1))
    expected = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=causal)
    expected = layer.out_proj(expected.transpose(1, 2).reshape(3, 6, 16))
    torch.testing.assert_close(layer(x), expected)


def test_causal_attention_ignores_what_follows() -> None:
    layer = SequenceAttention(8, heads=2)
    layer.set_causal_mask(5)
    x = torch.randn(1, 5, 8)
    changed = x.clone()
    changed[:, 3:] += 1
    torch.testing.assert_close(layer(x)[:, :3], layer(changed)[:, :3])
    assert attend(torch.randn(2, 5, 24), heads=2, mask=None).shape == (2, 5, 8)


def test_layer_norm_computes_in_fp32() -> None:
    norm = LayerNormFp32(64)
    x = torch.randn(4, 64) * 300
    half = norm.half()(x.half())
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.float(), norm.float()(x.half().float()), atol=2e-3, rtol=2e-3)


def test_attention_block_folds_norm_and_scales() -> None:
    block = with_statistics(
        AttentionBlock(16, head_dim=8, ffn_kernel=5, ffn_ratio=2, activation=nn.GELU(), scale_start=0.7)
    )
    x = torch.randn(2, 16, 5, 4)
    with torch.no_grad():
        folded = block.fold()
        torch.testing.assert_close(folded(x), block(x), atol=3e-5, rtol=1e-5)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())


def test_a_strided_pointwise_convolution_learns_as_pytorchs_does() -> None:
    torch.manual_seed(0)
    ours, theirs = ConvNorm(8, 16, 1, stride=2).conv, nn.Conv2d(8, 16, 1, stride=2, bias=False)
    theirs.load_state_dict(ours.state_dict())
    images = torch.rand(1, 2, 8, 9, 11).repeat(2, 1, 1, 1, 1).requires_grad_()
    for convolution, x in zip((ours, theirs), images, strict=True):
        convolution(x).square().sum().backward()
    assert images.grad is not None
    assert ours.weight.grad is not None
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)
    torch.testing.assert_close(*images.grad)


# Of an image whose last byte is the last of a page that may be read.
_STEP_AT_A_PAGES_END = """
import ctypes, mmap, sys
import numpy as np
import torch
from pocketclip.models.blocks.mobileone import MobileOneBlock

torch.set_num_threads(1)
images, size = 8, int(sys.argv[1])
length = images * size * size * 3 * 4
pages = -(-length // mmap.PAGESIZE)
memory = mmap.mmap(-1, (pages + 1) * mmap.PAGESIZE)
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(start + pages * mmap.PAGESIZE), mmap.PAGESIZE, 0) == 0
pixels = (ctypes.c_char * length).from_address(start + pages * mmap.PAGESIZE - length)
image = torch.from_numpy(np.frombuffer(pixels, np.float32).reshape(images, size, size, 3)).permute(0, 3, 1, 2)
stem = MobileOneBlock(3, 32, kernel=3, stride=2).to(memory_format=torch.channels_last)
stem(image).square().mean().backward()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="pages are closed by Linux's mprotect")
@pytest.mark.parametrize("size", [96, 256])
def test_a_step_of_the_stem_stays_within_its_memory(size: int) -> None:
    """With PyTorch's own strided 1x1 convolution, the process ends by a signal."""
    ended = subprocess.run([sys.executable, "-c", _STEP_AT_A_PAGES_END, str(size)], check=False, capture_output=True)
    assert ended.returncode == 0, ended.stderr.decode()[-500:]
