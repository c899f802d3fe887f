"""Every pass computes what the tower computed before it; a wrong one is refused."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pocketclip.export.api import ExportOptions, plan_export
from pocketclip.export.artifact.pass_report import ON_IMAGES, PassName
from pocketclip.export.errors import PassError
from pocketclip.export.inputs.samples import parity_inputs
from pocketclip.export.parity.budgets import APPROXIMATIONS
from pocketclip.export.passes.base import Pass, Rewritten
from pocketclip.export.passes.batch_norm import fold_batch_norm
from pocketclip.export.passes.choices import CHOICES
from pocketclip.export.passes.depthwise import SplitDepthwise
from pocketclip.export.passes.four_axes import ChannelNorm, norm_in_range, products_in_four_axes, sequence_as_map
from pocketclip.export.passes.modules import rewrite_modules
from pocketclip.export.passes.pipeline import EXACT, apply_passes
from pocketclip.export.passes.registry import PASSES, passes_for
from pocketclip.export.passes.tower_module import tower_module
from pocketclip.export.precision import InstructionSet, Precision, TargetName, Tower, default_instruction_set
from pocketclip.models.blocks.transformer import SequenceAttention
from pocketclip.models.pixels.preprocess import PreprocessSpec
from pocketclip.models.registry import build_model, resolve_config
from pocketclip.models.towers.clip import AnyModel

# What each pass finds in pocketclip_nano; a pass that finds nothing there has a test of its own below.
SITES = {
    (PassName.FOLD_QUERY_SCALE, Tower.IMAGE): 1,
    (PassName.FOLD_QUERY_SCALE, Tower.TEXT): 2,
    (PassName.ATTENTION_AS_CONVOLUTIONS, Tower.IMAGE): 1,
    (PassName.HEAD_AS_CONVOLUTION, Tower.IMAGE): 1,
    (PassName.NORM_BY_PRODUCT, Tower.IMAGE): 1,
    (PassName.NORM_BY_PRODUCT, Tower.TEXT): 1,
    (PassName.NORM_BY_RMS, Tower.IMAGE): 1,
    (PassName.NORM_BY_RMS, Tower.TEXT): 1,
    (PassName.LAYER_NORM_BY_PRODUCT, Tower.TEXT): 5,
    (PassName.RESHAPE_SEQUENCES, Tower.TEXT): 2,
    (PassName.SEQUENCE_AS_MAP, Tower.TEXT): 14,
    (PassName.ATTENTION_IN_FOUR_AXES, Tower.IMAGE): 1,
    (PassName.END_BY_CLAMP, Tower.TEXT): 1,
    (PassName.END_BY_SELECT, Tower.TEXT): 1,
    (PassName.UNGROUP, Tower.IMAGE): 4,
    (PassName.SPLIT_WEIGHTS, Tower.IMAGE): 13,
    (PassName.BYTE_INPUT, Tower.IMAGE): 1,
    (PassName.CHANNELS_LAST_INPUT, Tower.IMAGE): 1,
}


@pytest.fixture(scope="module")
def nano() -> AnyModel:
    return build_model(resolve_config("pocketclip_nano", (), None), None)


def _inputs(model: AnyModel, tower: Tower) -> list[Tensor]:
    inputs = parity_inputs(model.config, tower)
    return [torch.tensor(inputs[place]) for place in (0, 1, -1)]


@pytest.mark.parametrize(("name", "tower"), SITES)
def test_a_pass_finds_its_places_and_changes_nothing(nano: AnyModel, name: PassName, tower: Tower) -> None:
    module, inputs = tower_module(nano, tower), _inputs(nano, tower)
    before = copy.deepcopy(module.state_dict())
    passed = apply_passes(module, [PASSES[name]], inputs)
    (report,) = passed.reports
    assert len(report.sites) == SITES[name, tower]
    assert report.max_abs_error <= EXACT
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    with torch.inference_mode():
        adapted = [torch.from_numpy(passed.adapt(each.numpy())) for each in inputs]
        difference = max(
            float((passed.module(new) - module(old)).abs().max()) for new, old in zip(adapted, inputs, strict=True)
        )
    assert difference < 1e-5


def test_all_passes_of_every_target_and_processor_hold_together(nano: AnyModel) -> None:
    for target, isa in CHOICES:
        for tower in Tower:
            spec = nano.config.preprocess if tower is Tower.IMAGE else None
            passes = passes_for(target, isa, tower, Precision.INT8_STATIC, preprocess=spec)
            passed = apply_passes(tower_module(nano, tower), passes, _inputs(nano, tower))
            assert max(report.max_abs_error for report in passed.reports if report.exact) <= EXACT


def test_every_target_has_choices_for_its_phones_with_evidence() -> None:
    assert {target for target, _ in CHOICES} == set(TargetName)
    for target in TargetName:
        assert (target, default_instruction_set(target)) in CHOICES
    assert all(len(choice.evidence) > 10 for chosen in CHOICES.values() for choice in chosen)


def test_a_wrong_pass_is_refused_by_name(nano: AnyModel) -> None:
    def shift(tower: nn.Module, example: Tensor) -> Rewritten:
        tower = copy.deepcopy(tower)
        weight = tower.get_parameter("encoder.model.patch_embed.0.reparam_conv.weight")
        with torch.no_grad():
            weight *= 1.01
        return Rewritten(tower, ("encoder.model.patch_embed.0",))

    wrong = Pass(PassName.SPLIT_DEPTHWISE, "a planted fault", shift)
    with pytest.raises(PassError, match=r"split-depthwise changes the embedding by .* at encoder.model.patch_embed.0"):
        apply_passes(tower_module(nano, Tower.IMAGE), [wrong], _inputs(nano, Tower.IMAGE))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
def test_the_split_is_the_convolution(stride: int, bias: bool) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(6, 6, 7, stride=stride, padding=3, groups=6, bias=bias).double()
    with torch.no_grad():
        split = SplitDepthwise(conv)
        # Sides that are no multiple of the stride, so that the parts must agree on the border.
        image = torch.randn(1, 6, 23, 18, dtype=torch.float64)
        assert torch.allclose(split(image), conv(image), atol=1e-12)
    assert max(part.weight[0].numel() for part in split.modules() if isinstance(part, nn.Conv2d)) <= 25


def test_a_split_tower_keeps_the_paths_of_its_modules(nano: AnyModel) -> None:
    module = tower_module(nano, Tower.IMAGE)
    passed = apply_passes(module, [PASSES[PassName.SPLIT_DEPTHWISE]], _inputs(nano, Tower.IMAGE))
    (report,) = passed.reports
    assert report.sites
    assert {path for path, _ in module.named_modules()} <= {path for path, _ in passed.module.named_modules()}


def test_approximations_are_measured_not_proven(nano: AnyModel) -> None:
    inputs = _inputs(nano, Tower.IMAGE)
    errors = {}
    for name in (PassName.TANH_GELU, PassName.SIGMOID_GELU):
        (report,) = apply_passes(tower_module(nano, Tower.IMAGE), [PASSES[name]], inputs).reports
        assert not report.exact and report.sites
        errors[name] = report.max_abs_error
    assert EXACT < errors[PassName.TANH_GELU] < errors[PassName.SIGMOID_GELU] < 0.2


@pytest.mark.parametrize(
    ("target", "precision"), [(TargetName.EXECUTORCH, Precision.FP16), (TargetName.EXECUTORCH_VULKAN, Precision.FP32)]
)
@pytest.mark.parametrize(
    ("gelu", "used", "name"),
    [
        ("erf", PassName.HALF_GELU, ""),
        ("tanh", PassName.HALF_GELU, ""),
        ("sigmoid", PassName.SIGMOID_GELU, "-sigmoid-gelu"),
    ],
)
def test_the_form_of_gelu_that_was_asked_for(
    nano: AnyModel, target: TargetName, precision: Precision, gelu: str, used: PassName, name: str
) -> None:
    plan = plan_export(
        "pocketclip_nano",
        target=target,
        precision=precision,
        tower="image",
        out="out",
        options=ExportOptions(gelu=gelu),
    )
    (job,) = plan.jobs
    assert job.scheme == f"{target}-{precision}{name}"
    passes = passes_for(target, job.isa, job.tower, precision, options=job.passes)
    reports = apply_passes(tower_module(nano, Tower.IMAGE), passes, _inputs(nano, Tower.IMAGE)).reports
    forms = {report.name for report in reports if report.name in APPROXIMATIONS and report.sites}
    assert forms == {used}


class _Normed(nn.Module):
    """A convolution and a linear layer with norms behind them; `reused` reads what the convolution gave again."""

    def __init__(self, *, reused: bool) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.linear, self.row_norm = nn.Linear(8, 4), nn.BatchNorm1d(4, affine=False)
        self.reused = reused

    def forward(self, image: Tensor) -> Tensor:
        mapped = self.conv(image)
        normed = self.norm(mapped)
        if self.reused:
            normed = normed + mapped
        return self.row_norm(self.linear(normed.relu().mean((2, 3))))


def _normed(*, reused: bool) -> _Normed:
    torch.manual_seed(1)
    tower = _Normed(reused=reused)
    for _ in range(5):
        tower(torch.randn(16, 3, 8, 8) * 3 + 1)
    return tower.eval()


def test_norms_that_reparameterisation_left_are_folded() -> None:
    folded = apply_passes(_normed(reused=False), [PASSES[PassName.FOLD_BATCH_NORM]], [torch.rand(1, 3, 8, 8)])
    assert folded.reports[0].sites == ("norm", "row_norm")
    assert not any(isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d) for module in folded.module.modules())


def test_a_norm_of_a_result_that_is_read_twice_is_not_folded_unseen() -> None:
    with pytest.raises(PassError, match="fold-batch-norm"):
        apply_passes(_normed(reused=True), [PASSES[PassName.FOLD_BATCH_NORM]], [torch.rand(1, 3, 8, 8)])


def test_the_norms_of_timm_keep_their_activation() -> None:
    from timm.layers.norm_act import BatchNormAct2d

    torch.manual_seed(2)
    tower = nn.Sequential(nn.Conv2d(3, 4, 1, bias=False), BatchNormAct2d(4), nn.Flatten()).eval()
    norm = tower[1]
    assert isinstance(norm, BatchNormAct2d) and norm.running_mean is not None
    norm.running_mean += 0.5
    image = torch.randn(1, 3, 4, 4)
    folded = fold_batch_norm(tower, image)
    assert folded.sites == ("1",)
    assert torch.allclose(folded.module(image), tower(image), atol=1e-6)
    assert (folded.module(image) >= 0).all()


@pytest.mark.parametrize(("kernel", "padding"), [(4, 0), (3, 1)])
def test_preprocessing_goes_into_the_first_convolution(kernel: int, padding: int) -> None:
    from pocketclip.export.passes.tower_module import ImageTowerModule

    torch.manual_seed(3)
    encoder = nn.Sequential(
        nn.Conv2d(3, 8, kernel, stride=kernel, padding=padding), nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    tower = ImageTowerModule(encoder).eval()
    spec = PreprocessSpec(image_size=12, mean=(0.48, 0.46, 0.41), std=(0.27, 0.26, 0.28))
    rgb = torch.rand(1, 3, 12, 12)
    mean, std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (spec.mean, spec.std))
    passes = passes_for(TargetName.ONNX, InstructionSet.ARM64, Tower.IMAGE, Precision.FP32, preprocess=spec)
    passed = apply_passes(tower, passes, [(rgb - mean) / std])
    assert {PassName.FOLD_PREPROCESSING, PassName.POOL_BY_MEAN} <= passed.names
    with torch.inference_mode():
        assert torch.allclose(passed.module(rgb), tower((rgb - mean) / std), atol=1e-5)
    # The border is padded with zeros, which stand for the mean: it cannot all go into the weights.
    assert bool(len(passed.module.get_submodule("prepare"))) is bool(padding)
    assert np.allclose(passed.adapt(((rgb - mean) / std).numpy()), rgb.numpy(), atol=1e-6)


def test_replaced_modules_are_not_visited_again() -> None:
    tower = nn.Sequential(nn.Sequential(nn.GELU()), nn.GELU())
    rewritten = rewrite_modules(tower, lambda module: nn.Sequential(nn.GELU()) if isinstance(module, nn.GELU) else None)
    assert rewritten.sites == ("0.0", "1")


def test_text_towers_get_no_passes_of_images() -> None:
    passes = passes_for(TargetName.ONNX, InstructionSet.ARM64, Tower.TEXT, Precision.FP32, options=tuple(ON_IMAGES))
    assert not ON_IMAGES & {each.name for each in passes}


def test_sequences_stay_maps_where_attention_looks_back_alone(nano: AnyModel) -> None:
    """The mask of a causal tower is turned with its scores."""
    module = tower_module(nano, Tower.TEXT)
    (attention,) = [each for each in module.modules() if isinstance(each, SequenceAttention)][:1]
    attention.set_causal_mask(32)
    inputs = _inputs(nano, Tower.TEXT)
    passed = apply_passes(module, [PASSES[PassName.SEQUENCE_AS_MAP]], inputs)
    (report,) = passed.reports
    assert report.sites and report.max_abs_error <= EXACT


def test_a_text_tower_of_other_parts_keeps_its_sequences() -> None:
    tower = nn.Sequential(nn.Linear(4, 4))
    rewritten = sequence_as_map(tower, torch.rand(1, 4))
    assert rewritten.sites == () and rewritten.module is not tower


def test_only_linear_layers_of_two_axes_become_convolutions() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.of_sequence, self.of_row = nn.Linear(4, 6), nn.Linear(6, 2, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.of_row(self.of_sequence(x).mean(1))

    tower, x = Both(), torch.rand(1, 5, 4)
    rewritten = products_in_four_axes(tower, x)
    assert rewritten.sites == ("of_row",)
    torch.testing.assert_close(rewritten.module(x), tower(x))


@pytest.mark.parametrize(("size", "scaled"), [(10.0, False), (1e4, True)])
def test_squares_of_a_norm_stay_in_the_range_of_half_floats(size: float, scaled: bool) -> None:
    tower = nn.Sequential(ChannelNorm(nn.LayerNorm(16)))
    x = torch.linspace(-size, size, 16 * 3).reshape(1, 16, 1, 3)
    rewritten = norm_in_range(tower, x)
    assert rewritten.sites == (("0",) if scaled else ())
    torch.testing.assert_close(rewritten.module(x), tower(x))
    expected = tower(x)
    in_half = copy.deepcopy(rewritten.module).half()(x.half()).float()
    torch.testing.assert_close(in_half, expected, atol=5e-3, rtol=5e-3)
    if scaled:
        assert not tower.half()(x.half()).any()
