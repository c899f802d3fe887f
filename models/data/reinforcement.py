"""What a folder of reinforced shards says about itself: teachers, settings, counts (`reinforced.json`)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from pocketclip.models import documents
from pocketclip.models.data.embeddings import EmbeddingDtype, EmbeddingFormat
from pocketclip.models.data.shard_cache import local_shard
from pocketclip.models.data.source import ShardSource, is_url
from pocketclip.models.documents import document
from pocketclip.models.errors import ConfigError, DatasetError, choices

REINFORCEMENT_FILE = "reinforced.json"
SCHEMA_VERSION = 1
DATACOMPDR_DIMS = (768, 768)
"""The teachers of Apple's published DataCompDR: two ViT-L/14."""


class StoredFormat(StrEnum):
    """How images are stored: as they came, or encoded anew."""

    KEEP = "keep"
    JPG = "jpg"
    PNG = "png"
    WEBP = "webp"


@document
class TeacherRecord:
    """A teacher: what the user named, its configuration's name, and which columns and weights are meant.

    `dim` columns of every stored embedding are this teacher's, in the order of the teachers; `logit_scale` is its own
    learned factor on cosines, at which its similarities are distributions.
    """

    reference: str
    name: str
    dim: int
    logit_scale: float
    image_size: int
    weights_sha256: str


@document
class ReinforcementSettings:
    """All that the shards follow from.

    `synthetic` is the most captions kept beside the first; `image_size` None keeps images at their size (scenes: at
    the largest of the teachers'); embeddings are L2-normalised per teacher before they are rounded to `dtype`.
    """

    source: str
    teachers: tuple[TeacherRecord, ...]
    augmentations: int = 10
    synthetic: int = 5
    samples_per_shard: int = 1000
    batch_size: int = 64
    crop_scale: tuple[float, float] = (0.08, 1.0)
    rand_augment: bool = True
    image_size: int | None = None
    image_format: StoredFormat = StoredFormat.KEEP
    dtype: EmbeddingDtype = EmbeddingDtype.BFLOAT16
    embeddings: EmbeddingFormat = EmbeddingFormat.NPZ
    seed: int = 0

    def __post_init__(self) -> None:
        from pocketclip.models.data.augmentation import MOST_AUGMENTATIONS, require_scale
        from pocketclip.models.untrusted.numbers import MAX_SEED

        if not self.teachers:
            raise ConfigError("give at least one teacher")
        for name in ("augmentations", "samples_per_shard", "batch_size", "image_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be at least 1, got {value}")
        if self.augmentations > MOST_AUGMENTATIONS:
            raise ConfigError(f"augmentations must be at most {MOST_AUGMENTATIONS}, got {self.augmentations}")
        if self.synthetic < 0:
            raise ConfigError(f"synthetic must be 0 or more, got {self.synthetic}")
        if not 0 <= self.seed <= MAX_SEED:
            raise ConfigError(f"seed {self.seed} is out of range: choose one of 0..{MAX_SEED}")
        require_scale("crop_scale", self.crop_scale)


@document
class Reinforcement:
    """The content of `reinforced.json`; counts are those at the end, 0 until `complete`.

    `left_out` says what of the source is no sample; `ignored_profiles` counts images whose colour profile cannot be
    used (taken as sRGB), the first one named.
    """

    settings: ReinforcementSettings
    complete: bool
    versions: dict[str, str]
    shards: int = 0
    samples: int = 0
    skipped: int = 0
    first_skipped: tuple[str, ...] = ()
    schema_version: int = SCHEMA_VERSION
    left_out: tuple[str, ...] = ()
    ignored_profiles: int = 0
    first_ignored_profile: str | None = None

    @property
    def teacher_dims(self) -> tuple[int, ...]:
        """The widths of the teachers' slices."""
        return tuple(teacher.dim for teacher in self.settings.teachers)


def read_reinforcement(source: ShardSource | Path, cache: Path | None = None) -> Reinforcement:
    """The description beside reinforced shards, or in a folder of them.

    Raises:
        DatasetError: there is none, it is malformed or of an unfinished run, or the shards' folders have unlike
            teachers.
    """
    if isinstance(source, Path):
        return _read(source / REINFORCEMENT_FILE)
    found = [_read(local_shard(place, cache)) for place in _descriptions(source.shards)]
    teachers = {reinforcement.settings.teachers for reinforcement in found}
    if len(teachers) > 1:
        named = [", ".join(teacher.name for teacher in group) for group in teachers]
        raise DatasetError(
            f"the shards have different teachers ({'; '.join(sorted(named))})", fix="train on one set at a time"
        )
    return found[0]


def teacher_dims_of(source: ShardSource, cache: Path | None = None) -> tuple[int, ...]:
    """The widths of the teachers' slices; see `stored_teachers`."""
    return tuple(teacher.dim for teacher in stored_teachers(source, cache))


def stored_teachers(source: ShardSource, cache: Path | None = None) -> tuple[TeacherRecord, ...]:
    """The teachers of shards that say so beside them, in the order of their slices.

    Raises:
        DatasetError: as `read_reinforcement`, with the option that helps shards from elsewhere.
    """
    try:
        return read_reinforcement(source, cache).settings.teachers
    except DatasetError as error:
        dims = ",".join(map(str, DATACOMPDR_DIMS))
        raise DatasetError(
            f"the teachers of these shards are unknown: {error}; for shards from other sources, give the widths "
            f"of their teachers' embeddings (for DataCompDR --teacher-dims {dims})"
        ) from error


def _descriptions(shards: Iterable[str]) -> list[str]:
    places = (
        f"{shard.rpartition('/')[0]}/{REINFORCEMENT_FILE}"
        if is_url(shard)
        else str(Path(shard).parent / REINFORCEMENT_FILE)
        for shard in shards
    )
    return list(dict.fromkeys(places))


def _read(path: Path) -> Reinforcement:
    version = documents.read_schema_version(path, error=DatasetError)
    if version != SCHEMA_VERSION:
        raise DatasetError(f"{path} has schema version {version}; this program reads {choices([SCHEMA_VERSION])}")
    reinforcement = documents.read(Reinforcement, path, error=DatasetError)
    if not reinforcement.complete:
        raise DatasetError(f"{path} belongs to an unfinished run", fix="run the same pocketclip reinforce again")
    return reinforcement
