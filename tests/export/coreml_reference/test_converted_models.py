"""A small two-tower model, converted as the Core ML targets convert, against PyTorch itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
import torch
from coremltools.optimize import coreml as compression
from torch import Tensor, nn
from torch.nn import functional as F

from pocketclip.export.coreml_reference import ReferenceExecutor, load_program

pytestmark = pytest.mark.filterwarnings("ignore")

WIDTH, HEADS, VOCABULARY, LENGTH = 64, 4, 1000, 12


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        batch, length, _ = x.shape
        qkv = self.qkv(self.norm(x)).reshape(batch, length, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(*qkv.unbind(0), attn_mask=mask)
        return x + self.out(mixed.transpose(1, 2).reshape(batch, length, WIDTH))


class Image(nn.Module):
    """Convolutions with batch norm and GELU, attention over the cells, average pooling, L2 norm."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 32, 3, stride=2, padding=1), nn.BatchNorm2d(32), nn.GELU(),
            nn.Conv2d(32, 32, 7, padding=3, groups=32), nn.BatchNorm2d(32), nn.GELU(approximate="tanh"),
            nn.Conv2d(32, WIDTH, 1), nn.Hardswish(), nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(2),
        )  # fmt: skip
        self.attention = Attention()

    def forward(self, image: Tensor) -> Tensor:
        cells = self.attention(self.stem(image).flatten(2).transpose(1, 2))
        return F.normalize(cells.mean(1), dim=-1)


class Text(nn.Module):
    """Embedding, causal attention, the value at the highest token id, projection, L2 norm."""

    causal: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Parameter(torch.randn(LENGTH, WIDTH) * 0.1)
        self.attention, self.norm = Attention(), nn.LayerNorm(WIDTH)
        self.projection = nn.Parameter(torch.randn(WIDTH, 32) / 8)
        self.register_buffer("causal", torch.full((LENGTH, LENGTH), float("-inf")).triu(1), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.norm(self.attention(self.embedding(ids) + self.positions, self.causal))
        pooled = x[torch.arange(ids.shape[0]), ids.argmax(dim=-1)]
        return F.normalize(pooled @ self.projection, dim=-1)


def _image_input(batch: int) -> Tensor:
    return torch.rand(batch, 3, 32, 32, generator=torch.Generator().manual_seed(2))


def _text_input(batch: int) -> Tensor:
    ids = torch.randint(1, VOCABULARY - 1, (batch, LENGTH), generator=torch.Generator().manual_seed(3))
    ids[:, 7] = VOCABULARY - 1
    return ids.int()


INPUTS = {"image": _image_input, "text": _text_input}
NAMES = {"image": ("image", "image_embedding"), "text": ("ids", "text_embedding")}


@pytest.fixture(scope="module")
def towers() -> dict[str, nn.Module]:
    """Both towers with weights from a seed, batch-norm statistics included."""
    torch.manual_seed(0)
    towers: dict[str, nn.Module] = {"image": Image(), "text": Text()}
    for module in towers["image"].modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features) * 0.1
            module.running_var = torch.rand(module.num_features) + 0.5
    return {name: tower.eval() for name, tower in towers.items()}


def _convert(name: str, tower: nn.Module, precision: Any, target: Any, batch: int = 2) -> Any:
    program = torch.export.export(tower, (INPUTS[name](batch),)).run_decompositions({})
    source, result = NAMES[name]
    dtype = np.float32 if name == "image" else np.int32
    return ct.convert(
        program,
        inputs=[ct.TensorType(name=source, shape=tuple(INPUTS[name](batch).shape), dtype=dtype)],
        outputs=[ct.TensorType(name=result, dtype=np.float32)],
        compute_precision=precision,
        minimum_deployment_target=target,
        skip_model_load=True,
    )


def _run(model: Any, name: str, package: Path, batch: int = 2) -> tuple[np.ndarray, dict[str, int]]:
    model.save(str(package))
    program = load_program(package)
    source, result = NAMES[name]
    outputs = ReferenceExecutor(program).run({source: INPUTS[name](batch).numpy()})
    return outputs[result], program.op_counts()


def _expected(name: str, tower: nn.Module) -> np.ndarray:
    with torch.inference_mode():
        return tower(INPUTS[name](2)).numpy()


def _cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)


@pytest.mark.parametrize("name", ["image", "text"])
@pytest.mark.parametrize("target", [ct.target.iOS16, ct.target.iOS17, ct.target.iOS18], ids=lambda t: t.name)
def test_float32_agrees_closely(towers: dict[str, nn.Module], name: str, target: Any, tmp_path: Path) -> None:
    model = _convert(name, towers[name], ct.precision.FLOAT32, target)
    got, _ = _run(model, name, tmp_path / "tower.mlpackage")
    np.testing.assert_allclose(got, _expected(name, towers[name]), atol=1e-5)


@pytest.mark.parametrize("name", ["image", "text"])
@pytest.mark.parametrize("target", [ct.target.iOS16, ct.target.iOS18], ids=lambda t: t.name)
def test_half_precision_agrees(towers: dict[str, nn.Module], name: str, target: Any, tmp_path: Path) -> None:
    model = _convert(name, towers[name], ct.precision.FLOAT16, target)
    got, ops = _run(model, name, tmp_path / "tower.mlpackage")
    expected = _expected(name, towers[name])
    assert _cosines(got, expected).min() >= 0.9999
    # Had nothing been rounded, it would agree much better than half precision can.
    assert np.abs(got - expected).max() > 1e-5
    if target is ct.target.iOS18:
        assert ops["scaled_dot_product_attention"] == 1


def _int8(model: Any) -> Any:
    config = compression.OptimizationConfig(
        global_config=compression.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=512)
    )
    return compression.linear_quantize_weights(model, config)


def _int4_blocks(model: Any) -> Any:
    config = compression.OptimizationConfig(
        global_config=compression.OpLinearQuantizerConfig(
            dtype="int4", granularity="per_block", block_size=16, weight_threshold=512
        )
    )
    return compression.linear_quantize_weights(model, config)


def _palette(model: Any) -> Any:
    config = compression.OptimizationConfig(
        global_config=compression.OpPalettizerConfig(mode="uniform", nbits=6, weight_threshold=512)
    )
    return compression.palettize_weights(model, config)


def _pruned(model: Any) -> Any:
    config = compression.OptimizationConfig(
        global_config=compression.OpMagnitudePrunerConfig(target_sparsity=0.3, weight_threshold=512)
    )
    return compression.prune_weights(model, config)


def _grouped_palette(model: Any) -> Any:
    config = compression.OptimizationConfig(
        global_config=compression.OpPalettizerConfig(
            mode="kmeans", nbits=4, granularity="per_grouped_channel", group_size=16, weight_threshold=512
        )
    )
    return compression.palettize_weights(model, config)


def _pruned_bytes(model: Any) -> Any:
    config = compression.OptimizationConfig(
        global_config=compression.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=512)
    )
    return compression.linear_quantize_weights(_pruned(model), config, joint_compression=True)


def _pruned_palette(model: Any) -> Any:
    config = compression.OptimizationConfig(
        global_config=compression.OpPalettizerConfig(
            mode="kmeans", nbits=6, granularity="per_grouped_channel", group_size=16, weight_threshold=512
        )
    )
    return compression.palettize_weights(_pruned(model), config, joint_compression=True)


@pytest.mark.parametrize("name", ["image", "text"])
@pytest.mark.parametrize(
    ("compress", "target", "op_type", "cosine"),
    [
        (_int8, ct.target.iOS16, "constexpr_affine_dequantize", 0.999),
        (_int8, ct.target.iOS18, "constexpr_blockwise_shift_scale", 0.999),
        (_int4_blocks, ct.target.iOS18, "constexpr_blockwise_shift_scale", 0.97),
        (_palette, ct.target.iOS16, "constexpr_lut_to_dense", 0.99),
        (_palette, ct.target.iOS18, "constexpr_lut_to_dense", 0.99),
        (_pruned, ct.target.iOS16, "constexpr_sparse_to_dense", 0.95),
        (_grouped_palette, ct.target.iOS18, "constexpr_lut_to_dense", 0.97),
        (_pruned_bytes, ct.target.iOS18, "constexpr_sparse_blockwise_shift_scale", 0.95),
        (_pruned_palette, ct.target.iOS18, "constexpr_lut_to_sparse", 0.95),
    ],
    ids=[
        "int8-iOS16",
        "int8-iOS18",
        "int4-iOS18",
        "palette-iOS16",
        "palette-iOS18",
        "pruned-iOS16",
        "grouped",
        "joint-int8",
        "joint-palette",
    ],
)
def test_compressed_weights(
    towers: dict[str, nn.Module],
    name: str,
    compress: Any,
    target: Any,
    op_type: str,
    cosine: float,
    tmp_path: Path,
) -> None:
    model = _convert(name, towers[name], ct.precision.FLOAT16, target)
    compressed = compress(model)
    got, ops = _run(compressed, name, tmp_path / "compressed.mlpackage")
    assert ops[op_type] >= 1
    assert _cosines(got, _expected(name, towers[name])).min() >= cosine
    # coremltools' own decompression of the same weights must give the same program, to the last bit.
    dense, ops = _run(compression.decompress_weights(compressed), name, tmp_path / "dense.mlpackage")
    assert not any(op.startswith("constexpr_") for op in ops)
    np.testing.assert_array_equal(got, dense)
