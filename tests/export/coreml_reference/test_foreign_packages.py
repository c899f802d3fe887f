"""Packages that plain coremltools makes of other models: run like PyTorch, or told apart by what is lacking."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pocketclip.export.coreml_reference import ReferenceExecutor, load_program
from pocketclip.export.coreml_reference.inspection import inspect
from pocketclip.export.coreml_reference.neural_engine import predict
from pocketclip.export.errors import UnsupportedOpError

pytestmark = pytest.mark.filterwarnings("ignore")

SIDE = 16


class Pictures(nn.Module):
    """Norms, upsampling, reflections and sums that our own models do not have, with four results."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norms = nn.Sequential(nn.InstanceNorm2d(8, affine=True), nn.GroupNorm(2, 8), nn.LeakyReLU(0.1), nn.ELU())

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        hidden = self.norms(self.convolution(image))
        smooth = F.interpolate(hidden, scale_factor=2.0, mode="bilinear", align_corners=False)
        blocks = F.interpolate(hidden, scale_factor=2.0, mode="nearest")
        return (
            hidden.softmax(1),
            (smooth + blocks).std(dim=(2, 3)),
            F.pad(image, (1, 2, 3, 0), mode="reflect").amax(dim=(2, 3)),
            torch.cumsum(hidden.mean((2, 3)), -1),
        )


def save(folder: Path, model: nn.Module, inputs: list[Any], example: Tensor, **options: Any) -> Path:
    """The package that `ct.convert` makes of a traced model."""
    converted = ct.convert(
        torch.jit.trace(model.eval(), example),
        inputs=inputs,
        convert_to="mlprogram",
        skip_model_load=True,
        **{"minimum_deployment_target": ct.target.iOS17, **options},
    )
    assert isinstance(converted, ct.models.MLModel)
    converted.save(str(folder / "foreign.mlpackage"))
    return folder / "foreign.mlpackage"


@pytest.mark.parametrize(
    ("precision", "tolerance"), [(ct.precision.FLOAT32, 1e-5), (ct.precision.FLOAT16, 2e-2)], ids=["fp32", "fp16"]
)
def test_image_input_and_several_outputs(precision: Any, tolerance: float, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Pictures()
    shape = (1, 3, SIDE, SIDE)
    image = ct.ImageType(name="image", shape=shape, scale=1 / 127.5, bias=[-1, -1, -1], color_layout=ct.colorlayout.RGB)
    program = load_program(save(tmp_path, model, [image], torch.rand(shape), compute_precision=precision))
    assert inspect(program).unknown_ops == ()
    # Scale and bias are ops of the program: it takes pixels from 0 to 255.
    pixels = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(1)).float()
    outputs = ReferenceExecutor(program).run({"image": pixels.numpy()})
    with torch.inference_mode():
        expected = model(pixels / 127.5 - 1)
    assert len(program.outputs) == len(expected) == 4
    for spec, want in zip(program.outputs, expected, strict=True):
        np.testing.assert_allclose(outputs[spec.name].astype(np.float32), want.numpy(), atol=tolerance, rtol=tolerance)


def test_grey_image_and_two_inputs(tmp_path: Path) -> None:
    class Two(nn.Module):
        def forward(self, grey: Tensor, gains: Tensor) -> Tensor:
            return (grey * gains[:, :, None, None]).mean((2, 3))

    example = (torch.rand(1, 1, SIDE, SIDE), torch.rand(1, 4))
    converted = ct.convert(
        torch.jit.trace(Two(), example),
        inputs=[
            ct.ImageType(name="grey", shape=(1, 1, SIDE, SIDE), color_layout=ct.colorlayout.GRAYSCALE),
            ct.TensorType(name="gains", shape=(1, 4)),
        ],
        convert_to="mlprogram",
        compute_precision=ct.precision.FLOAT32,
        skip_model_load=True,
    )
    assert isinstance(converted, ct.models.MLModel)
    converted.save(str(tmp_path / "two.mlpackage"))
    grey, gains = (part.numpy() for part in example)
    (result,) = ReferenceExecutor(load_program(tmp_path / "two.mlpackage")).run({"grey": grey, "gains": gains}).values()
    np.testing.assert_allclose(result, grey.mean((2, 3)) * gains, atol=1e-6)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 5, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x)[0]


class Deconvolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(3, 2, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.atan(self.up(x))


LACKING: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], set[str]]] = {
    "recurrent": (Recurrent, (1, 3, 4), {"lstm"}),
    "deconvolution": (Deconvolution, (1, 3, 4, 4), {"atan", "conv_transpose"}),
}


@pytest.mark.parametrize("name", LACKING)
def test_all_ops_that_lack_are_named(name: str, tmp_path: Path) -> None:
    build, shape, lacking = LACKING[name]
    package = save(tmp_path, build(), [ct.TensorType(name="x", shape=shape)], torch.rand(shape))
    program = load_program(package)
    assert set(inspect(program).unknown_ops) == lacking
    with pytest.raises(UnsupportedOpError) as refused:
        ReferenceExecutor(program)
    for op in lacking:
        assert f"unknown op {op}, 1 of them: '" in str(refused.value)


class Average(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3)).softmax(1)


def test_classifier(tmp_path: Path) -> None:
    """Its outputs are a string and a dict: it can be inspected, and its last op is what the executor lacks."""
    shape = (1, 3, SIDE, SIDE)
    package = save(
        tmp_path,
        Average(),
        [ct.ImageType(name="image", shape=shape)],
        torch.rand(shape),
        classifier_config=ct.ClassifierConfig(["a", "b", "c"]),
    )
    program = load_program(package)
    assert [spec.kind for spec in program.outputs] == ["string", "dict"]
    assert str(program.outputs[0]) == "classLabel: string"
    assert inspect(program).unknown_ops == ("classify",)
    assert all("classify" not in prediction.found for prediction in predict(program))
    with pytest.raises(UnsupportedOpError, match="unknown op classify"):
        ReferenceExecutor(program)


def test_loops_and_states(tmp_path: Path) -> None:
    class Doubling(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            while bool(x.sum() < 100):
                x = x * 2
            return x

    class Adding(nn.Module):
        total: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("total", torch.zeros(4))

        def forward(self, x: Tensor) -> Tensor:
            self.total.add_(x)
            return self.total * 2

    vector = ct.TensorType(name="x", shape=(4,))
    state = ct.StateType(wrapped_type=ct.TensorType(shape=(4,)), name="total")
    cases = (
        ("loop", torch.jit.script(Doubling()), {}, "while_loop"),
        ("state", torch.jit.trace(Adding().eval(), torch.rand(4)), {"states": [state]}, "read_state"),
    )
    for name, source, options, lacking in cases:
        converted = ct.convert(
            source,
            inputs=[vector],
            convert_to="mlprogram",
            skip_model_load=True,
            minimum_deployment_target=ct.target.iOS18,
            **options,
        )
        assert isinstance(converted, ct.models.MLModel)
        package = tmp_path / f"{name}.mlpackage"
        converted.save(str(package))
        with pytest.raises(UnsupportedOpError, match=f"unknown op {lacking}"):
            ReferenceExecutor(load_program(package))
