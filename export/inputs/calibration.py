"""Calibration data: the inputs from which static quantisation takes the ranges of activations.

Sources: `scenes` (generated training scenes and photographs of scikit-image's), a folder of images and captions, and
the tables and shards that training reads. Which ones were used is kept in the manifest; none may be a sample that the
artefact is judged on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pocketclip.export.errors import CalibrationError
from pocketclip.export.own_samples import OwnSamples, SampleRequest, check_share, parse_own, read_own
from pocketclip.export.precision import Tower

if TYPE_CHECKING:
    import numpy as np

    from pocketclip.export.artifact.manifest import CalibrationRecord
    from pocketclip.models.config import AnyConfig
    from pocketclip.models.data.left_out import LeftOut

SCENES = "scenes"
DEFAULT_SAMPLES = 128
# With fewer, single samples decide the ranges.
LEAST_SAMPLES = 8


@dataclass(frozen=True)
class CalibrationRequest(SampleRequest):
    """Where calibration samples come from, and how many are wanted; `source` may also be `scenes`."""

    source: str = SCENES
    samples: int = DEFAULT_SAMPLES


GENERATED_SCENES = CalibrationRequest()


@dataclass(frozen=True)
class CalibrationSet:
    """Inputs of batch 1 for one tower and what the manifest says about them.

    `skipped` names the samples that cannot be used, with reasons; `left_out` counts what is no sample.
    """

    inputs: Sequence[np.ndarray]
    record: CalibrationRecord
    skipped: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def parse_calibration(text: str, samples: int | None = None, *, max_skipped: float | None = None) -> CalibrationRequest:
    """`scenes`, `scenes:N`, `webdataset:PATTERN`, `csv:FILE`, or a folder, also as `folder:PATH`.

    Raises:
        CalibrationError: it is none of these, there is nothing at that place, or a number is too small or given twice.
    """
    scenes = re.fullmatch(rf"{SCENES}(?::(\d+))?", text)
    if scenes and scenes[1] is not None:
        if samples is not None:
            raise CalibrationError(f"the number of samples is set twice: --calibration {text} and {samples}")
        samples = int(scenes[1])
    count = DEFAULT_SAMPLES if samples is None else samples
    if count < LEAST_SAMPLES:
        raise CalibrationError(f"{count} calibration samples are too few", fix=f"use at least {LEAST_SAMPLES}")
    share = check_share(max_skipped)
    if scenes:
        return CalibrationRequest(SCENES, count)
    return CalibrationRequest(
        parse_own(text, "calibration", "--calibration", also=f"{SCENES}, {SCENES}:N, "), count, share
    )


def load_calibration(
    request: CalibrationRequest, config: AnyConfig, tower: Tower, parity: SampleRequest | None = None
) -> CalibrationSet:
    """Reads the samples of a tower; those that the artefact is judged on are none.

    Args:
        request: which samples.
        config: the model.
        tower: images or captions.
        parity: the user's own data of the parity proof.

    Raises:
        CalibrationError: no data, or too many samples that cannot be read or that artefacts are judged on.
    """
    from pocketclip.export.artifact.manifest import CalibrationRecord
    from pocketclip.export.inputs.parity_data import judged_hashes
    from pocketclip.export.inputs.samples import scene_calibration_inputs

    if request.source == SCENES:
        found = OwnSamples(scene_calibration_inputs(config, tower, request.samples))
    else:
        # Figures on data that ranges were fitted to prove nothing.
        refused = judged_hashes(config, tower, parity)
        found = read_own(request, config, tower, purpose="calibration", refused=refused, least=LEAST_SAMPLES)
    record = CalibrationRecord.of(request.source, found)
    return CalibrationSet(found.inputs, record, found.skipped, found.left_out)
