"""`SOURCES.md` of a built set: where its pictures are from, under which licence, and who is to be named."""

from __future__ import annotations

from collections.abc import Sequence

from pocketclip.models.pictures.manifest import SourceUse
from pocketclip.models.pictures.sources import Role

_USES = {
    Role.LABELS: "captions and class names",
    Role.TRAIN: "train, unseen concepts",
    Role.SEEN_ONLY: "train",
    Role.DESIGN: "unseen design, hard negatives (evaluation only)",
    Role.PHOTOGRAPHS: "photographs (evaluation only)",
}


def sources_page(sources: Sequence[SourceUse]) -> str:
    """The page as Markdown."""
    lines = [
        "# Sources",
        "",
        "The pictures in these shards were composed from the packages below: each picture was drawn at most 128 pixels",
        "wide, turned, scaled and laid on a generated background. Keys of samples begin with the source's name.",
        "",
        "If you pass shards on, name the sources and keep their licences. Pictures under a share-alike licence",
        "(CC-BY-SA, GPL) are in the evaluation splits, never in `train`.",
        "",
        "| source | package | licence | attribution | used for | pictures |",
        "|---|---|---|---|---|---|",
    ]
    for source in sources:
        count = f"{source.pictures:,}" if source.lacking is None else f"none: {source.lacking}"
        row = (
            source.name,
            f"{source.package} {source.version}",
            source.licence,
            source.attribution,
            _USES[source.role],
            count,
        )
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |")
    lines += ["", "SHA-256 of the packages:", ""]
    lines += [f"- `{source.sha256}` {source.package} {source.version}" for source in sources]
    return "\n".join(lines) + "\n"
