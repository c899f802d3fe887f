"""Times what comes before the model on this computer: preprocessing of a photograph, tokenisation of a prompt."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from pocketclip.benchmark.records.profile import Preparation, PreparationStep
from pocketclip.export.artifact.reading import Artifact

_WARMUP = 3
_SAMPLES = 30
_MEASURED: dict[object, Preparation] = {}


def measure_preparation(artifact: Artifact) -> Preparation | None:
    """Samples of one input each, from real photographs or prompts; None where the artefact does not say how.

    It is the same for all artefacts that share a specification, and measured once for each. Photographs are as large as
    they are, 0.1 to 0.4 megapixels: resizing is most of it.
    """
    from PIL import Image

    from pocketclip.export.inputs.samples import calibration_photographs, label_prompts
    from pocketclip.models.pixels.preprocess import preprocessor
    from pocketclip.models.text.tokenizer import load_tokenizer

    manifest = artifact.manifest
    spec = manifest.preprocess or manifest.tokenizer
    if spec is None:
        return None
    if spec not in _MEASURED:
        if manifest.preprocess is not None:
            taken = _times(preprocessor(manifest.preprocess), calibration_photographs())
            _MEASURED[spec] = Preparation(PreparationStep.PREPROCESS, f"Pillow {Image.__version__}", taken)
        elif manifest.tokenizer is not None:
            taken = _times(load_tokenizer(manifest.tokenizer, artifact.folder), label_prompts())
            _MEASURED[spec] = Preparation(PreparationStep.TOKENIZE, "open_clip's tokenizer", taken)
    return _MEASURED[spec]


def _times(prepare: Callable[[Any], object], samples: Sequence[Any]) -> tuple[int, ...]:
    taken: list[int] = []
    for index in range(_WARMUP + _SAMPLES):
        sample = samples[index % len(samples)]
        started = time.perf_counter_ns()
        prepare(sample)
        taken.append(time.perf_counter_ns() - started)
    return tuple(taken[_WARMUP:])
