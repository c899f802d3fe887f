"""What is said of artefacts and bundles whose weights are fresh random ones: latency is all that they are good for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.bundle.licences import is_untrained
from pocketclip.export.bundle.reading import OpenedBundle
from pocketclip.models.terminal import command_line

_WARNING = "untrained random weights: embeddings, labels and accuracy mean nothing; only latency and size do"


def untrained(artifacts: Iterable[Artifact]) -> list[str]:
    """Names of the models among the artefacts that are known to be untrained."""
    return list(dict.fromkeys(each.manifest.model.name for each in artifacts if each.manifest.trained is False))


def warn_of_artifacts(artifacts: Sequence[Artifact]) -> None:
    """One line on stderr for each model that is known to be untrained, and for each caution about weights."""
    for name in untrained(artifacts):
        command_line.note(f"warning: {name} has {_WARNING}")
    for name, caution in dict.fromkeys(
        (a.manifest.model.name, text) for a in artifacts for text in a.manifest.cautions
    ):
        command_line.note(f"warning: {name}: {caution}")


def warn_of_bundle(bundle: OpenedBundle) -> None:
    """One line on stderr where the bundle's weights are known to be untrained."""
    if is_untrained(bundle.manifest):
        command_line.note(f"warning: {bundle.folder} has {_WARNING}")
