"""The public function that makes a pruned vocabulary: `pocketclip.build_vocabulary`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.models.progress import CountingWatch, OnProgress, silent

if TYPE_CHECKING:
    from pocketclip.models.text.vocabulary import Vocabulary


def build_vocabulary(
    data: str,
    out: str | Path,
    *,
    min_count: int = 1,
    description: str | None = None,
    on_progress: OnProgress = silent,
) -> Vocabulary:
    """Writes the token ids that the captions of some data use, for `tokenizer.vocabulary` of a model.

    Bytes, start and end always stay, so that the model can still read any text: a word that was dropped becomes the
    kept parts that CLIP's tokenizer merged it from.

    Args:
        data: as `pocketclip.train` takes it: captions of every part count.
        out: the `.json` file.
        min_count: how often a token must occur.
        description: stored in the file; None says how many captions were read.
        on_progress: called as captions are read.

    Raises:
        ConfigError: `min_count` is below 1.
        DatasetError: the data cannot be read, or hold no caption.
        StorageError: the file cannot be written.
    """
    from pocketclip.models import atomic
    from pocketclip.models.data.captions import read_captions
    from pocketclip.models.data.mixture import parse_mixture
    from pocketclip.models.errors import ConfigError
    from pocketclip.models.text.tokenizer import clip_bpe
    from pocketclip.models.text.vocabulary import prune_vocabulary, save_vocabulary

    if min_count < 1:
        raise ConfigError(f"min_count must be at least 1, got {min_count}")
    watch = CountingWatch(on_progress)
    counts: Counter[int] = Counter()
    read = 0
    for part in parse_mixture(data):
        captions = Counter(read_captions(part.source, watch))
        read += captions.total()
        for caption, often in captions.items():
            for token in clip_bpe().encode(caption):
                counts[token] += often
    vocabulary = prune_vocabulary(token for token, count in counts.items() if count >= min_count)
    path = Path(out)
    with atomic.storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    save_vocabulary(
        vocabulary,
        path,
        description=description or f"tokens that occur {min_count:,} times or more in {read:,} captions",
    )
    return vocabulary
