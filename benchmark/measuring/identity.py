"""Which artefact a record is about."""

from __future__ import annotations

from pocketclip.benchmark.records.benchmark import ArtifactIdentity
from pocketclip.export.artifact.manifest import Manifest


def identity_of(manifest: Manifest) -> ArtifactIdentity:
    """The identity that records hold of an artefact."""
    return ArtifactIdentity(
        model=manifest.model.name,
        tower=manifest.tower,
        target=manifest.target,
        precision=manifest.precision,
        sha256=manifest.sha256,
        weights_sha256=manifest.model.weights_sha256,
        model_size_bytes=manifest.model_size_bytes,
        scheme=manifest.scheme,
        trained=manifest.trained,
    )
