"""What an artefact gives on this computer for its golden inputs."""

from __future__ import annotations

import numpy as np

from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.targets import load_runner, open_session


def run_golden_inputs(artifact: Artifact) -> tuple[str, np.ndarray]:
    """What executes the artefact here, and the first output of every golden sample, `(samples, values)`.

    Raises:
        TargetUnavailableError, ArtifactCorruptError: as `export.targets.open_session`.
    """
    inputs = artifact.golden(artifact.manifest.golden.inputs)
    executed_by = load_runner(artifact.manifest.target).executed_by()
    session = open_session(artifact)
    try:
        outputs = [session.run([inputs[i : i + 1]])[0].reshape(1, -1) for i in range(len(inputs))]
        return executed_by, np.concatenate(outputs)
    finally:
        session.close()
