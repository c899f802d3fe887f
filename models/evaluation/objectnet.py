"""ObjectNet (Barbu et al., NeurIPS 2019) as it is published: folders by object, and mappings to ImageNet's classes.

Of its 313 objects those 113 count that ImageNet has too, under their ObjectNet names in lower case, as in
clip-benchmark, OpenCLIP and DataComp.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pocketclip.models.data.word_lists import parse_json, read_text
from pocketclip.models.errors import DatasetError
from pocketclip.models.evaluation.samples import require_package

# The authors marked every image with a red border, to be cut off before use, so that nobody trains on it unaware.
RED_BORDER = 2
_LABELS = "folder_to_objectnet_label.json"
MAPPING_FILES = (
    _LABELS,
    "objectnet_to_imagenet_1k.json",
    "pytorch_to_imagenet_2012_id.json",
    "imagenet_to_label_2012_v2",
)


@dataclass(frozen=True)
class ObjectNetClasses:
    """Classes by label, and each folder's label: None for objects that ImageNet does not have."""

    names: tuple[str, ...]
    labels: dict[str, int | None]


def read_objectnet_classes(root: Path) -> ObjectNetClasses:
    """The classes of a published ObjectNet.

    Args:
        root: the folder that holds `mappings/`.

    Raises:
        MissingPackageError: clip-benchmark is not installed.
        DatasetError: a mapping file is missing or does not fit the others.
    """
    require_package("clip_benchmark", "ObjectNet's mapping")
    from clip_benchmark.datasets.objectnet import get_metadata

    mappings = root / "mappings"
    missing = [name for name in MAPPING_FILES if not (mappings / name).is_file()]
    if missing:
        raise DatasetError(
            f"{mappings} lacks {', '.join(missing)}", fix="unpack objectnet-1.0.zip again, mappings included"
        )
    try:
        _, _, imagenet_ids, names = get_metadata(mappings)
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        raise DatasetError(
            f"the mapping files in {mappings} do not match each other ({type(error).__name__}: {error})",
            fix="unpack objectnet-1.0.zip again",
        ) from error
    overlapping = sorted(imagenet_ids)
    text = read_text(mappings / _LABELS, "ObjectNet's folders", error=DatasetError)
    known = parse_json(mappings / _LABELS, text, error=DatasetError)
    assert isinstance(known, dict)
    labels: dict[str, int | None] = dict.fromkeys(known)
    labels.update({folder: label for label, folder in enumerate(overlapping)})
    return ObjectNetClasses(tuple(names[folder].lower() for folder in overlapping), labels)
