"""PT2E for Qualcomm's delegate: 8 or 16-bit activations with ranges of our own, 8-bit weights by channel."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from executorch.backends.qualcomm.quantizer.quantizer import ModuleQConfig, QnnQuantizer, QuantDtype
from executorch.backends.qualcomm.serialization.qc_schema import QcomChipset
from torch import Tensor, nn
from torchao.quantization.pt2e.observer import UniformQuantizationObserverBase
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

from pocketclip.export.artifact.precision_plan import KeptPrecision, kept_modules
from pocketclip.export.npu.socs import Soc
from pocketclip.export.passes.tower_module import NORM_SCOPE
from pocketclip.export.precision import Precision
from pocketclip.export.targets.base import LoweringRequest
from pocketclip.export.targets.module_stack import comes_from
from pocketclip.export.targets.observed_ranges import RangeObserver
from pocketclip.models.quantization.schemes import OUTLIER_PERCENT

# Of the largest scale of a layer's weights. With 16-bit activations, the NPU computes a whole layer wrong of which one
# channel's weights are thousands of times smaller than another's, as those of channels that training gave up are: the
# nano's text tower has a cosine of 0.7 without it and 0.99998 with it, in the emulator.
_SMALLEST_SCALE = 1 / 1024


class SampleRanges(UniformQuantizationObserverBase):
    """The range that all but the most extreme samples stay within, as our other targets have it.

    Qualcomm's own choice follows the last samples seen.
    """

    outlier_percent: ClassVar[float] = OUTLIER_PERCENT

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._seen = RangeObserver(["value"])

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        self._seen.observe("value", x.detach().numpy())
        return x

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        low, high = self._seen.ranges(self.outlier_percent)["value"]
        return self._calculate_qparams(torch.tensor(low), torch.tensor(high))


class WholeRanges(SampleRanges):
    """The range of all values. 16 bits hold outliers too: leaving them out would lose more than finer steps gain."""

    outlier_percent = 0.0


def quantize(request: LoweringRequest, soc: Soc) -> nn.Module:
    """The tower of a request, its values between ops rounded to what the precision says."""
    wide = request.precision is Precision.W8A16_STATIC
    quantizer = QnnQuantizer(soc_model=QcomChipset[soc.name])
    quantizer.set_default_quant_config(
        QuantDtype.use_16a8w if wide else QuantDtype.use_8a8w,
        is_conv_per_channel=True,
        is_linear_per_channel=True,
        act_observer=WholeRanges if wide else SampleRanges,
    )
    # The embedding itself has 16 bits: its steps in 8 are a hundredth of most of its components.
    kept = (NORM_SCOPE, *kept_modules(request.plan, KeptPrecision.INT16))
    if not wide:
        finer = ModuleQConfig(
            QuantDtype.use_16a8w,
            is_conv_per_channel=True,
            is_linear_per_channel=True,
            # A class, as its default is, whatever its annotation says.
            act_observer=WholeRanges,  # pyright: ignore[reportArgumentType]
        )
        quantizer.set_submodule_qconfig_list([(lambda node: comes_from(kept, node), finer)])
    captured = torch.export.export(request.module, (request.example,), strict=True).module()
    prepared = prepare_pt2e(captured, quantizer)
    _bound_scales(prepared)
    with torch.inference_mode():
        for inputs in request.calibration or [request.example.numpy()]:
            prepared(torch.from_numpy(inputs))
    return convert_pt2e(prepared)


def _bound_scales(prepared: torch.fx.GraphModule) -> None:
    """Gives the observers of weights by channel a smallest scale, in place."""
    weights = {**dict(prepared.named_parameters()), **dict(prepared.named_buffers())}
    for node in prepared.graph.nodes:
        source = node.args[0] if node.op == "call_module" and node.args else None
        if not isinstance(source, torch.fx.Node) or source.op != "get_attr":
            continue
        observer, weight = prepared.get_submodule(str(node.target)), weights.get(str(source.target))
        # Scales of biases follow from those of weights.
        if weight is None or not isinstance(observer, UniformQuantizationObserverBase):
            continue
        if observer.qscheme is not torch.per_channel_symmetric:
            continue
        smallest = float(weight.detach().abs().max()) / observer.quant_max * _SMALLEST_SCALE
        observer.eps.fill_(max(float(observer.eps), smallest))
