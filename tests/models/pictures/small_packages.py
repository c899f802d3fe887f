"""Packages of made-up pictures in the layouts of the real ones, drawn by code, with their pins and lists."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import struct
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageDraw

from pocketclip.models.pictures.catalogue import Catalogue
from pocketclip.models.pictures.sources import SOURCES, Source

SEEN = {"1f600": "red circle", "1f601": "green square", "1f602": "blue disk", "1f603": "gold star"}
UNSEEN = {"1f604": "pink moon", "1f605": "grey sun"}
NAMED = ("1f600", "1f601", "1f602", "1f604")
"""What the package that has no code points holds: seen ones, and one that is unseen."""
COLOURS = {
    "1f600": "red",
    "1f601": "green",
    "1f602": "blue",
    "1f603": "gold",
    "1f604": "pink",
    "1f605": "grey",
}


def make_catalogue(cache: Path, lists: Path) -> Catalogue:
    """Fills a cache with small packages, and gives the catalogue that pins them."""
    packages = cache / "packages"
    packages.mkdir(parents=True)
    contents = {
        "emojibase": _tgz({"en/data.json": json.dumps(_labels()).encode()}),
        "google": _tgz({f"img/google/64/{code}.png": _png(colour) for code, colour in COLOURS.items()}),
        "noto": _tgz(_iconify()),
        "fxemoji": _tgz(_named_icons()),
        "openclipart": _deb(
            {f"usr/share/openclipart/svg/food/{name}.svg": _clipart(name) for name in ("apple", "pear")}
        ),
        "openmoji": _tgz({f"color/svg/{code.upper()}.svg": _svg(colour) for code, colour in COLOURS.items()}),
        "tuxpaint": _deb({f"usr/share/tuxpaint/stamps/{name}.png": _png("brown") for name in ("cow", "dog")}),
        "gcompris": _deb({"usr/share/gcompris-qt/rcc/zoo.rcc": resource_archive("a/cat.png", _png("black"))}),
    }
    sources: dict[str, Source] = {}
    for name, content in contents.items():
        source = SOURCES[name]
        (packages / source.file).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        sources[name] = replace(source, sha256=digest, size_bytes=len(content))
    _write_lists(lists)
    return Catalogue(sources, lists)


def resource_archive(path: str, content: bytes) -> bytes:
    """Qt's archive, version 3, with one file in one folder."""
    folder, name = path.split("/")
    names = b""
    offsets = []
    for each in (folder, name):
        offsets.append(len(names))
        names += struct.pack(">HI", len(each), 0) + each.encode("utf-16-be")
    data = struct.pack(">I", len(content)) + content
    moment = struct.pack(">Q", 0)
    tree = struct.pack(">IHII", 0, 2, 1, 1) + moment
    tree += struct.pack(">IHII", offsets[0], 2, 1, 2) + moment
    tree += struct.pack(">IHHHI", offsets[1], 0, 0, 0, 0) + moment
    start = 24
    header = b"qres" + struct.pack(">5I", 3, start + len(data) + len(names), start, start + len(data), 0)
    return header + data + names + tree


def _write_lists(folder: Path) -> None:
    folder.mkdir(parents=True)
    lines = []
    for code in SEEN | UNSEEN:
        split = "unseen" if code in UNSEEN else "hard" if code < "1f602" else "seen"
        sources = "google,noto,fxemoji,openmoji" if code in NAMED else "google,noto,openmoji"
        lines.append(f"{code}\t{split}\t{sources}")
    (folder / "emoji.tsv").write_text("# emoji\n" + "".join(f"{line}\n" for line in lines))
    (folder / "clipart.tsv").write_text("food/apple.svg\nfood/pear.svg\n")
    photographs = ("tuxpaint\tcow.png\tcow", "tuxpaint\tdog.png\tdog", "gcompris\tzoo.rcc/a/cat.png\tcat")
    (folder / "photographs.tsv").write_text("".join(f"{line}\n" for line in photographs))


def _labels() -> list[dict[str, object]]:
    entries: list[dict[str, object]] = [{"hexcode": "1F1E6", "label": "regional indicator A"}]
    for code, label in (SEEN | UNSEEN).items():
        entries.append({"hexcode": code.upper(), "label": label, "tags": [*label.split()], "group": 7, "subgroup": 1})
    return entries


def _iconify() -> Mapping[str, bytes]:
    icons = {f"icon-{code}": {"body": _body(colour)} for code, colour in COLOURS.items()}
    characters = {code: f"icon-{code}" for code in COLOURS}
    content = {"prefix": "noto", "width": 16, "height": 16, "icons": icons}
    return {"icons.json": json.dumps(content).encode(), "chars.json": json.dumps(characters).encode()}


def _named_icons() -> Mapping[str, bytes]:
    """Without `chars.json`: icons are found by label, written with hyphens, without, or as an alias."""
    colours = {"red-circle": "red", "greensquare": "green", "disk": "blue", "pink-moon": "pink"}
    icons = {name: {"body": _body(colour)} for name, colour in colours.items()}
    aliases = {"blue-disk": {"parent": "disk"}, "gold-star": {"parent": "disk", "hFlip": True}}
    content = {"prefix": "fxemoji", "width": 16, "height": 16, "icons": icons, "aliases": aliases}
    return {"icons.json": json.dumps(content).encode()}


def _body(colour: str) -> str:
    return f'<circle cx="8" cy="8" r="6" fill="{colour}"/>'


def _svg(colour: str) -> bytes:
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">{_body(colour)}</svg>'.encode()


def _clipart(name: str) -> bytes:
    about = (
        '<metadata><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        'xmlns:cc="http://web.resource.org/cc/" xmlns:dc="http://purl.org/dc/elements/1.1/"><cc:Work>'
        f"<dc:title>{name.title()} 01</dc:title><dc:subject><rdf:Bag><rdf:li>fruit</rdf:li></rdf:Bag></dc:subject>"
        "</cc:Work></rdf:RDF></metadata>"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="40mm" height="40mm">{about}'
        '<rect x="5" y="5" width="90" height="80" fill="lime"/></svg>'
    ).encode()


def _png(colour: str) -> bytes:
    image = Image.new("RGBA", (64, 64))
    ImageDraw.Draw(image).ellipse((6, 6, 58, 58), fill=colour)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def _tgz(files: Mapping[str, bytes]) -> bytes:
    return _tar({f"package/{path}": content for path, content in files.items()})


def _deb(files: Mapping[str, bytes]) -> bytes:
    def member(name: str, content: bytes) -> bytes:
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{644:<8}{len(content):<10}`\n".encode()
        return header + content + b"\n" * (len(content) % 2)

    data = _tar({f"./{path}": content for path, content in files.items()})
    return b"!<arch>\n" + member("debian-binary", b"2.0\n") + member("data.tar.gz", data)


def _tar(files: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo("package/img/google/64/1f6ff.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    # Without the moment, which would change the hash.
    return gzip.compress(stream.getvalue(), mtime=0)
