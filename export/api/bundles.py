"""Bundles: writing, opening, using and checking one folder with everything an app needs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocketclip.export.api.artifacts import Artifact, find_artifacts, load_artifact
from pocketclip.export.bundle.reading import OpenedBundle, read_bundle
from pocketclip.export.untrained import warn_of_artifacts, warn_of_bundle
from pocketclip.models.evaluation.zero_shot import checked_labels
from pocketclip.models.progress import CountingWatch, OnProgress, silent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from pocketclip.export.bundle.manifest import Bundle as BundleManifest
    from pocketclip.export.bundle.selftest import SelfTestReport


_LOG = logging.getLogger("pocketclip.export")


@dataclass(frozen=True)
class Bundle:
    """A bundle that passed every check. Get one from `open_bundle`.

    Its models run in a separate process, so a damaged one makes only the call fail.
    """

    opened: OpenedBundle

    @property
    def folder(self) -> Path:
        """The bundle's folder."""
        return self.opened.folder

    @property
    def manifest(self) -> BundleManifest:
        """The contents of the bundle (docs/bundles.md)."""
        return self.opened.manifest

    def classify(self, image: Image.Image | str | Path, labels: Sequence[str] = ()) -> list[tuple[str, float]]:
        """Labels and their probabilities, the most likely first.

        Args:
            image: a PIL image, upright, or the path of an image file.
            labels: the labels to rank; empty uses the bundle's own.

        Raises:
            LabelError: you gave one text for `labels`, or labels that are unseen or the same.
            ImageError: the file is no image that can be used.
            BundleError: you gave no labels, and the bundle has none.
            ModelRunError: a model crashes, hangs or takes too much memory.
        """
        from pocketclip.export.ranking import rank_with_bundle

        given = checked_labels(labels, none_allowed=True)
        photograph = Path(image) if isinstance(image, str | Path) else image
        ranking = self._run(rank_with_bundle, self.opened, photograph, given, on_sign=silent)
        for note in ranking.notes:
            _LOG.info("note: %s", note)
        return list(ranking.labels)

    def embed(self, item: Image.Image | Path | str) -> NDArray[np.float32]:
        """The normalised embedding `(D,)` of one image or one sentence.

        Args:
            item: a PIL image or the `Path` of an image file; a `str` is a sentence.

        Raises:
            ImageError: the file is no image that can be used.
            ModelRunError: a model crashes, hangs or takes too much memory.
        """
        from pocketclip.export.ranking import embed_with_bundle

        return self._run(embed_with_bundle, self.opened, item)

    def self_test(self) -> SelfTestReport:
        """Compares the bundle with its golden data: files, preprocessing, tokenizer, towers, label ranking."""
        from pocketclip.export.bundle.selftest import self_test

        return self._run(self_test, self.opened)

    def _run(self, function: Callable[..., Any], *arguments: object, **options: Any) -> Any:
        from pocketclip.export import foreign
        from pocketclip.models.reading_child import Child

        files = [self.opened.model_path(model) for model in self.manifest.models]
        with Child() as child:
            return foreign.run(child, function, *arguments, about=str(self.folder), files=files, **options)


def open_bundle(path: str | Path) -> Bundle:
    """Reads a bundle's folder and checks all of it.

    Raises:
        BundleError: the folder holds no bundle.
        BundleCorruptError: the bundle is malformed, newer than this version, hostile, incomplete or altered.
    """
    opened = read_bundle(Path(path))
    warn_of_bundle(opened)
    return Bundle(opened)


def write_bundle(
    image: Artifact | str | Path,
    text: Artifact | str | Path,
    *,
    npu: Sequence[Artifact | str | Path] = (),
    coreai: Sequence[Artifact | str | Path] = (),
    specializations: str | None = None,
    out: str | Path = "clip.bundle",
    labels: Sequence[str] = (),
    templates: str | None = None,
    weights_licence: str | None = None,
    allow_failed: bool = False,
    allow_untrained: bool = False,
    on_progress: OnProgress = silent,
) -> Bundle:
    """Writes both towers, tokenizer, preprocessing, label embeddings and golden data to one folder.

    Args:
        image: the artefact of the image tower, or its folder.
        text: the artefact of the text tower, of any target and precision, with the same weights.
        npu: artefacts of either tower for Snapdragon's NPU (or folders of them), the preferred ones first; on phones
            with their chips, apps run them in the place of `image` or `text`, which must then be for the CPU.
        coreai: Core AI assets of either tower (or folders of them); on iOS 27, apps run them in the place of `image`
            or `text`, which must then be for Core ML.
        specializations: how apps may run them, the preferred one first, with commas: `default`, `prefer-gpu`,
            `prefer-npu`, `cpu-only`; None takes `default,prefer-gpu`.
        out: the bundle's folder; an existing bundle is replaced.
        labels: labels to embed and store.
        templates: `openai`, `simple`, `scenes`, `pictures`, or a file; None uses what fits the model.
        weights_licence: the licence of the weights, e.g. `MIT`.
        allow_failed: accept artefacts that missed their parity budget.
        allow_untrained: accept random weights.
        on_progress: called with the number of embedded prompts.

    Raises:
        LabelError: `labels` is one text, or labels are unseen or the same.
        BundleError: the artefacts do not belong together or failed, or `out` is something else.
        ModelRunError: a model crashes, hangs or takes too much memory.
    """
    from pocketclip.export import foreign
    from pocketclip.export.bundle.fitting import DEFAULT_SPECIALIZATIONS, BundleRequest, parse_specializations
    from pocketclip.export.bundle.writing import run_towers
    from pocketclip.export.bundle.writing import write_bundle as write
    from pocketclip.models.reading_child import Child

    given = checked_labels(labels, none_allowed=True)
    pair = [each if isinstance(each, Artifact) else load_artifact(each) for each in (image, text)]
    for_npus, for_core_ai = (
        [found for each in several for found in ([each] if isinstance(each, Artifact) else find_artifacts(each))]
        for several in (npu, coreai)
    )
    warn_of_artifacts([each.files for each in (*pair, *for_npus, *for_core_ai)])
    request = BundleRequest(
        pair[0].files,
        pair[1].files,
        given,
        templates,
        weights_licence,
        allow_failed,
        allow_untrained,
        tuple(each.files for each in for_npus),
        tuple(each.files for each in for_core_ai),
        DEFAULT_SPECIALIZATIONS if specializations is None else parse_specializations(specializations),
    )
    watch = CountingWatch(on_progress)
    watch.begin("prompts embedded", None)
    with Child() as child:
        run = partial(
            foreign.run,
            child,
            run_towers,
            about=f"{pair[0].folder} or {pair[1].folder}",
            files=[each.model_path for each in pair],
            on_sign=watch.advance,
        )
        write(request, Path(out), run)
    return Bundle(read_bundle(Path(out)))
