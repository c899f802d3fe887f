"""Core ML with the compute units that a job asks for; macOS alone. It travels to devices, and imports none of ours."""

from __future__ import annotations

from typing import Any

import numpy as np

# As jobs name them -> as coremltools does.
COMPUTE_UNITS = {"all": "ALL", "cpu+ane": "CPU_AND_NE", "cpu+gpu": "CPU_AND_GPU", "cpu": "CPU_ONLY"}


class CoreMLUnitsSession:
    """A loaded model; see `export.runtimes.Session`. `accelerator` is what Core ML was told, as far as it tells."""

    accelerator = None

    def __init__(self, path: str, accelerator: str) -> None:
        import coremltools

        units = getattr(coremltools.ComputeUnit, COMPUTE_UNITS[accelerator])
        self._model = coremltools.models.MLModel(path, compute_units=units)
        description = self._model.get_spec().description
        self._names = [feature.name for feature in description.input]
        self._outputs = [feature.name for feature in description.output]

    def run(self, inputs: Any) -> list:
        """The outputs in model order, for one array for each input."""
        results = self._model.predict(dict(zip(self._names, inputs)))
        return [np.asarray(results[name]) for name in self._outputs]

    def close(self) -> None:
        """Lets go of the model."""
        del self._model
