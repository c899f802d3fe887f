"""What was found as one HTML file with small pictures in it, which needs nothing besides."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pocketclip.models import atomic
from pocketclip.models.errors import PocketClipError
from pocketclip.models.pixels.images import load_image
from pocketclip.models.untrusted.printable import printable_line

# Pixels of the longer side.
_SIDE = 240
_QUALITY = 80

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{{ title }}</title>
<style>
  body { font: 15px system-ui, sans-serif; margin: 2rem; background: #fff; color: #111 }
  @media (prefers-color-scheme: dark) { body { background: #111; color: #eee } }
  main { display: grid; grid-template-columns: repeat(auto-fill, minmax(180px, 1fr)); gap: 1rem }
  figure { margin: 0 }
  img { width: 100%; height: 180px; object-fit: contain; background: #8882 }
  figcaption { overflow-wrap: anywhere; font-size: 13px }
</style>
<h1>{{ title }}</h1>
{% for section in sections %}
{% if section.heading %}<h2>{{ section.heading }}</h2>{% endif %}
<main>
{% for entry in section.entries %}
<figure>
  {% if entry.source %}<img src="{{ entry.source }}" alt="{{ entry.photo }}">{% endif %}
  <figcaption>{{ entry.photo }}{% if entry.words %}<br>{{ entry.words }}{% endif %}</figcaption>
</figure>
{% endfor %}
</main>
{% endfor %}
</html>
"""


@dataclass(frozen=True)
class SheetEntry:
    """A photograph by its path below the folder, with what is said of it."""

    photo: str
    words: str = ""


@dataclass(frozen=True)
class SheetSection:
    """Entries below one heading; an empty heading is left out."""

    heading: str
    entries: tuple[SheetEntry, ...]


@dataclass(frozen=True)
class _Shown:
    photo: str
    words: str
    source: str


@dataclass(frozen=True)
class _ShownSection:
    heading: str
    entries: tuple[_Shown, ...]


def write_contact_sheet(path: Path, title: str, folder: Path, sections: Sequence[SheetSection]) -> None:
    """Writes the page; a photograph that is gone or unreadable has its reason in place of its picture.

    Args:
        path: of the HTML file.
        title: of the page.
        folder: that the photographs' paths begin at.
        sections: what to show, in order.

    Raises:
        StorageError: the file cannot be written.
    """
    import jinja2

    shown = [
        _ShownSection(printable_line(section.heading), tuple(_shown(entry, folder) for entry in section.entries))
        for section in sections
    ]
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(_PAGE).render(title=printable_line(title), sections=shown)
    atomic.write_bytes(path, page.encode())


def _shown(entry: SheetEntry, folder: Path) -> _Shown:
    try:
        source, words = _thumbnail(folder / entry.photo), entry.words
    except PocketClipError as error:
        source, words = "", f"{entry.words} {error}".strip()
    return _Shown(printable_line(entry.photo), printable_line(words), source)


def _thumbnail(path: Path) -> str:
    image = load_image(path)
    image.thumbnail((_SIDE, _SIDE))
    stream = io.BytesIO()
    image.convert("RGB").save(stream, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"
