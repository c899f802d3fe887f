"""Several data references in one: `scenes:40000 + 3*webdataset:data/pictures/train`, with shares of each batch."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pocketclip.models.data.source import DataSource, parse_source
from pocketclip.models.errors import ConfigError, DatasetError

FORM = "A + B, each with a share before it if you like: scenes:40000 + 3*webdataset:PATTERN"
_SHARE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*\*\s*")
# Only before another reference, so that names of files may hold a plus sign.
_PLUS = re.compile(rf"\s+\+\s+(?=(?:{_SHARE.pattern})?(?:scenes|webdataset|csv|folder)\b)")


@dataclass(frozen=True)
class MixturePart:
    """One source of a mixture; `share` is relative to the shares of the others and above 0."""

    source: DataSource
    share: float


def parse_mixture(text: str) -> tuple[MixturePart, ...]:
    """Reads one data reference, or several with ` + ` between them; a share is a number and `*` before a reference.

    Raises:
        DatasetError: a part is no data reference, or its share is 0.
    """
    signs = list(_PLUS.finditer(text))
    starts = [0, *(sign.end() for sign in signs)]
    ends = [*(sign.start() for sign in signs), len(text)]
    return tuple(_part(text, text[start:end]) for start, end in zip(starts, ends, strict=True))


def _part(text: str, part: str) -> MixturePart:
    given = _SHARE.match(part)
    share = 1.0 if given is None else float(given[1])
    if share <= 0:
        raise DatasetError(f"{text!r}: a share must be above 0, got {share:g}", fix="leave that part out")
    return MixturePart(parse_source(part if given is None else part[given.end() :]), share)


def split_batch(parts: Sequence[MixturePart], batch_size: int) -> tuple[int, ...]:
    """How many samples of a batch each part gives: by its share, what is left over to the largest remainders.

    Raises:
        ConfigError: a part would give no sample.
    """
    whole = sum(part.share for part in parts)
    wanted = [batch_size * part.share / whole for part in parts]
    given = [math.floor(each) for each in wanted]
    by_remainder = sorted(range(len(parts)), key=lambda place: (given[place] - wanted[place], place))
    for place in by_remainder[: batch_size - sum(given)]:
        given[place] += 1
    if 0 in given:
        place = given.index(0)
        raise ConfigError(
            f"part {place + 1} of the data has a share of {parts[place].share / whole:.2%}, which is no sample "
            f"of a batch of {batch_size}",
            fix="raise its share or --batch-size",
        )
    return tuple(given)
