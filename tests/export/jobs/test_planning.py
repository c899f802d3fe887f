"""From words of the command line to jobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from pocketclip.export.inputs.calibration import GENERATED_SCENES
from pocketclip.export.jobs.planning import make_plan
from pocketclip.export.precision import TargetName
from pocketclip.export.targets import probe
from pocketclip.models.registry import ChosenModel, load_config


@pytest.mark.skipif(not probe(TargetName.ONNX_QNN).available, reason=str(probe(TargetName.ONNX_QNN).reason))
@pytest.mark.parametrize(
    ("options", "socs"),
    [
        ({"isa": "galaxy-s24"}, ("SM8650",)),
        ({"isa": "arm64"}, ("SM8550", "SM8650", "SM8750")),
        ({"isa": "galaxy-s24", "soc": "sm8750"}, ("SM8750",)),
        ({}, ("SM8550", "SM8650", "SM8750")),
    ],
)
def test_a_phone_stands_for_its_chip(options: dict, socs: tuple[str, ...]) -> None:
    plan = make_plan(
        ChosenModel(load_config("pocketclip_nano"), "fresh"),
        "onnx-qnn",
        "base",
        "image",
        Path("out"),
        calibration=GENERATED_SCENES,
        **options,
    )
    (job,) = plan.jobs
    assert job.socs == socs
    assert job.isa == "arm64"
