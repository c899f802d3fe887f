"""Small artefacts to verify, and a way to plant faults in their model files."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from pocketclip.export.artifact.manifest import MANIFEST_NAME, list_files
from pocketclip.export.artifact.precision_plan import SCHEMA_VERSION, KeptPrecision, PrecisionPlan, planned
from pocketclip.export.artifact.reading import load_artifact
from pocketclip.export.inputs.calibration import GENERATED_SCENES, load_calibration
from pocketclip.export.job import ExportJob
from pocketclip.export.jobs.pipeline import export_artifact
from pocketclip.export.ladder.climb import climb
from pocketclip.export.ladder.report import LadderReport
from pocketclip.export.ladder.subject import load_subject
from pocketclip.export.passes.tower_module import INPUT_NAMES, OUTPUT_NAME, example_input, tower_module
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.export.targets import load_target
from pocketclip.export.targets.base import LoweringRequest
from pocketclip.models.config import AnyConfig
from pocketclip.models.registry import build_model, resolve_config

# A causal text tower with CLIP's own ids, whose start and end are the same number in fp16; small for speed.
CHANGES = (
    "preprocess.image_size=32",
    "text.causal=true",
    "tokenizer.vocabulary=null",
    "tokenizer.context_length=16",
    "text.embedding_rank=16",
    "text.width=64",
    'text.blocks=["repmixer","attention"]',
)
SAMPLES = 20

Tamper = Callable[[nn.Module], nn.Module]


@dataclass(frozen=True)
class Planted:
    """A sound artefact's copy, whose model file may be made anew from a tower with a fault."""

    folder: Path
    config: AnyConfig

    def lower(self, tamper: Tamper) -> Planted:
        """Converts the tampered tower with the artefact's own target; the manifest still names the true weights."""
        manifest = load_artifact(self.folder).manifest
        model = build_model(self.config)
        request = LoweringRequest(
            module=tamper(copy.deepcopy(tower_module(model, manifest.tower))).eval(),
            example=example_input(model, manifest.tower),
            input_name=INPUT_NAMES[manifest.tower],
            output_name=OUTPUT_NAME,
            precision=manifest.precision,
            calibration=_calibration(self.config, manifest.tower) if manifest.precision.needs_calibration else (),
            plan=manifest.plan,
        )
        entry = self.folder / manifest.entry_point
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        load_target(manifest.target).lower(request, self.folder)
        # No pass has seen this tower.
        self.edit(files=[asdict(entry) for entry in list_files(self.folder)], passes=[])
        return self

    def edit(self, **changes: object) -> None:
        """Changes fields of the manifest."""
        path = self.folder / MANIFEST_NAME
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    def verify(self) -> LadderReport:
        """The ladder against the true weights."""
        return climb(load_subject(load_artifact(self.folder), samples=SAMPLES))


Plant = Callable[..., Planted]


def _calibration(config: AnyConfig, tower: Tower) -> Sequence[np.ndarray]:
    return load_calibration(GENERATED_SCENES, config, tower).inputs


@pytest.fixture(scope="session")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Plant:
    """Exports a small tower once per target, precision and plan, and gives a copy of the artefact."""
    out = tmp_path_factory.mktemp("sound")
    config = resolve_config("pocketclip_nano", CHANGES)
    made: dict[object, Path] = {}

    def copied(
        tower: Tower = Tower.TEXT,
        target: TargetName = TargetName.ONNX,
        precision: Precision = Precision.FP32,
        in_float: tuple[str, ...] = (),
    ) -> Planted:
        key = (tower, target, precision, in_float)
        if key not in made:
            modules = planned(in_float, KeptPrecision.FLOAT)
            plan = PrecisionPlan(SCHEMA_VERSION, config.name, tower, precision, modules) if in_float else None
            made[key] = export_artifact(ExportJob(config, None, target, precision, tower, out, plan=plan)).folder
        copy_folder = tmp_path_factory.mktemp("planted") / tower
        return Planted(Path(shutil.copytree(made[key], copy_folder)), config)

    return copied
