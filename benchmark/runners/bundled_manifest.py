"""The manifest of a tower that was taken from a bundle: in form an artefact's, with the identity of its source."""

from __future__ import annotations

from pocketclip.benchmark.records.benchmark import BundledParity
from pocketclip.export.artifact.manifest import Manifest
from pocketclip.models.documents import document


@document
class BundledManifest(Manifest):
    """The manifest of a tower that was taken from a bundle, with the identity and the scheme that it had before."""

    artifact_sha256: str = ""
    artifact_scheme: str = ""
    bundled_parity: BundledParity | None = None

    @property
    def sha256(self) -> str:
        """The identity of the artefact that was bundled."""
        return self.artifact_sha256

    @property
    def scheme(self) -> str:
        """The scheme of the artefact that was bundled; bundles of before it was kept tell target and precision."""
        return self.artifact_scheme or f"{self.target}-{self.precision}"
