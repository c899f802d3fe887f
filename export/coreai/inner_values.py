"""What Core AI's runtime computes on the way, found by the debug locations that an asset holds."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pocketclip.export.captured_output import captured_output
from pocketclip.export.coreai.asset import check_asset
from pocketclip.export.coreai.packages import import_converter
from pocketclip.export.errors import ArtifactCorruptError
from pocketclip.models.errors import first_line


def inner_values(path: Path, probes: Sequence[np.ndarray]) -> tuple[list[str], list[list[np.ndarray]]]:
    """The names of all floating values that the runtime shows, and their values by probe.

    Args:
        path: an asset whose function is `main`, with one input.
        probes: inputs with batch 1.

    Raises:
        ArtifactCorruptError: the runtime does not take the asset.
    """
    facts = check_asset(path)
    import_converter()
    with captured_output(1, 2):
        try:
            runs = asyncio.run(_runs(path, probes))
        except Exception as error:
            raise ArtifactCorruptError(f"{path} cannot be run: {first_line(error)}; {facts.words()}") from error
    first = runs[0]
    shown = [op for op in first if all(op in run and run[op].dtype.kind == "f" for run in runs)]
    return [f"operation {op}" for op in shown], [[run[op] for op in shown] for run in runs]


async def _runs(path: Path, probes: Sequence[np.ndarray]) -> list[dict[int, np.ndarray]]:
    """For each probe, the first value of each op by its number in the debug locations."""
    from coreai.authoring import AIModelAsset
    from coreai.runtime import AIModel
    from coreai_torch.debugging.inspector import CoreAIInspector

    with tempfile.TemporaryDirectory(suffix=".aimodelx") as folder:
        # Off a Mac, no public call compiles with debug locations.
        AIModelAsset.load(path)._write_odix(Path(folder), enable_debug_info=True)
        model = await AIModel.load(path=folder)
        name = model.load_function("main").desc.input_names[0]
        inspector = CoreAIInspector(model, "main")
        ops = sorted({op for op, _ in inspector._compile_map})
        found: list[dict[int, np.ndarray]] = []
        for probe in probes:
            values: dict[Any, Any] = await inspector.get_intermediates_for_ops(list(ops), {name: probe})
            found.append({op: np.array(shown[0]) for op, shown in values.items() if shown and shown[0] is not None})
        return found
