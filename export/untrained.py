"""What is said of artefacts and bundles whose weights are fresh random ones: latency is all that they are good for."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.bundle.licences import is_untrained
from pocketclip.export.bundle.reading import OpenedBundle

_LOG = logging.getLogger("pocketclip.export")
_WARNING = "untrained random weights: embeddings, labels and accuracy mean nothing; only latency and size do"


def untrained(artifacts: Iterable[Artifact]) -> list[str]:
    """Names of the models among the artefacts that are known to be untrained."""
    return list(dict.fromkeys(each.manifest.model.name for each in artifacts if each.manifest.trained is False))


def warn_of_artifacts(artifacts: Sequence[Artifact]) -> None:
    """Logs one warning for each model that is known to be untrained, and for each caution about weights."""
    for name in untrained(artifacts):
        _LOG.warning("%s has %s", name, _WARNING)
    for name, caution in dict.fromkeys(
        (a.manifest.model.name, text) for a in artifacts for text in a.manifest.cautions
    ):
        _LOG.warning("%s: %s", name, caution)


def warn_of_bundle(bundle: OpenedBundle) -> None:
    """Logs one warning where the bundle's weights are known to be untrained."""
    if is_untrained(bundle.manifest):
        _LOG.warning("%s has %s", bundle.folder, _WARNING)
