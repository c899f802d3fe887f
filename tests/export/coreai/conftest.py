"""Small assets, made by Apple's converter."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pocketclip.export.precision import TargetName
from pocketclip.export.targets import probe

Convert = Callable[..., Path]


@pytest.fixture
def convert(tmp_path: Path) -> Convert:
    """Converts a module as it is, by Apple's package alone, half floats by default; gives the asset's folder."""
    available = probe(TargetName.COREAI)
    if not available.available:
        pytest.skip(str(available.reason))

    def run(
        module: nn.Module, example: Tensor, *, half: bool = True, entry_points: tuple[str, ...] = ("main",)
    ) -> Path:
        from pocketclip.export.coreai.packages import import_converter

        converter = import_converter()
        module, example = (module.half(), example.half()) if half else (module, example)
        program = torch.export.export(module.eval(), (example,)).run_decompositions(converter.get_decomp_table())
        converting = converter.TorchConverter(mode=converter.TorchConverter.Mode.RELEASE)
        for name in entry_points:
            converting = converting.add_exported_program(program, entrypoint_name=name, input_names=["x"])
        path = tmp_path / "model.aimodel"
        with contextlib.redirect_stdout(io.StringIO()):
            converting.to_coreai().save_asset(path)
        return path

    return run
