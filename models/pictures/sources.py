"""The packages that the pictures come from: what each holds, its pin, its licence, who is to be named.

A pin is the version and the SHA-256 of the file that the registry's client downloads. A package with other content is
not opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Registry(StrEnum):
    """Who holds a package; the client that downloads it is `npm pack` or `apt-get download`."""

    NPM = "npm"
    DEBIAN = "Debian"


class Role(StrEnum):
    """What pictures of a source are for."""

    LABELS = "labels"
    TRAIN = "train"
    SEEN_ONLY = "seen concepts"
    """Designs that have too few emoji, or too little of them, to test unseen concepts with."""
    DESIGN = "unseen design"
    PHOTOGRAPHS = "photographs"


class Reader(StrEnum):
    """How a package's pictures are laid out, and what names them."""

    LABELS = "labels"
    """`en/data.json` of emojibase: labels and tags by code points."""
    FILES = "files"
    """One file per emoji, named by its code points."""
    ICONIFY = "iconify"
    """SVG bodies in `icons.json`, names by code points in `chars.json`."""
    CLIPART = "clipart"
    """SVG files with title and keywords inside."""
    STAMPS = "stamps"
    """Image files, named by `photographs.tsv`."""
    RESOURCES = "resources"
    """Image files in Qt's resource archives (`.rcc`), named by `photographs.tsv`."""


@dataclass(frozen=True)
class Source:
    """A package.

    Attributes:
        title: what people call it.
        registry: who holds it.
        package: its name there.
        version: the pinned version.
        file: the file's name as the client writes it; in the cache it has the same.
        sha256: the hash of that file.
        size_bytes: its size.
        role: what its pictures are for.
        reader: how they are laid out.
        folder: the path in the package below which they are.
        licence: of the pictures, as SPDX where there is an identifier.
        attribution: who is to be named, in a line.
    """

    title: str
    registry: Registry
    package: str
    version: str
    file: str
    sha256: str
    size_bytes: int
    role: Role
    reader: Reader
    folder: str
    licence: str
    attribution: str

    @property
    def pin(self) -> str:
        """The package as its client names it."""
        mark = "@" if self.registry is Registry.NPM else "="
        return f"{self.package}{mark}{self.version}"

    @property
    def command(self) -> tuple[str, ...]:
        """What downloads it into the working folder."""
        if self.registry is Registry.NPM:
            return ("npm", "pack", "--silent", "--ignore-scripts", self.pin)
        return ("apt-get", "download", "-qq", self.pin)


TRAINED = (Role.TRAIN, Role.SEEN_ONLY)
"""The roles of sources whose pictures of seen concepts are in `train`."""
LABELS = "emojibase"
PHOTOGRAPHS = "photographs"
"""Stands for all sources of photographs where one names sources to leave out."""

SOURCES: Mapping[str, Source] = {
    LABELS: Source(
        title="emojibase-data (labels and tags of CLDR)",
        registry=Registry.NPM,
        package="emojibase-data",
        version="17.0.0",
        file="emojibase-data-17.0.0.tgz",
        sha256="d01d0e2ca4e22cb402679532155342c71e2e871f25c32223c013b8b166ebdf5a",
        size_bytes=6_711_091,
        role=Role.LABELS,
        reader=Reader.LABELS,
        folder="en",
        licence="MIT",
        attribution="Emojibase by Miles Johnson; annotations from Unicode CLDR (Unicode-3.0)",
    ),
    "google": Source(
        title="Noto Emoji, bitmaps of emoji-data",
        registry=Registry.NPM,
        package="emoji-datasource-google",
        version="16.0.0",
        file="emoji-datasource-google-16.0.0.tgz",
        sha256="fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438",
        size_bytes=74_344_091,
        role=Role.TRAIN,
        reader=Reader.FILES,
        folder="img/google/64",
        licence="Apache-2.0",
        attribution="Noto Emoji by Google LLC; packaged by Cal Henderson (emoji-data, MIT)",
    ),
    "twitter": Source(
        title="Twemoji, bitmaps of emoji-data",
        registry=Registry.NPM,
        package="emoji-datasource-twitter",
        version="16.0.0",
        file="emoji-datasource-twitter-16.0.0.tgz",
        sha256="f64a530c63bca463bd8317fdc4615ce63a53a0c65018e4ce2d848aaba7a28877",
        size_bytes=61_683_754,
        role=Role.TRAIN,
        reader=Reader.FILES,
        folder="img/twitter/64",
        licence="CC-BY-4.0",
        attribution="Twemoji by Twitter, Inc. and other contributors; packaged by Cal Henderson (emoji-data, MIT)",
    ),
    "fluent-3d": Source(
        title="Fluent Emoji 3D",
        registry=Registry.NPM,
        package="@lobehub/fluent-emoji-3d",
        version="1.1.0",
        file="lobehub-fluent-emoji-3d-1.1.0.tgz",
        sha256="c1bb7eee7de090205a232518a9ab4adb3df458bfbe8a1f78232991194c8b2e58",
        size_bytes=15_792_027,
        role=Role.TRAIN,
        reader=Reader.FILES,
        folder="assets",
        licence="MIT",
        attribution="Fluent Emoji by Microsoft Corporation; packaged by LobeHub",
    ),
    "fluent-flat": Source(
        title="Fluent Emoji Flat",
        registry=Registry.NPM,
        package="@iconify-json/fluent-emoji-flat",
        version="1.2.6",
        file="iconify-json-fluent-emoji-flat-1.2.6.tgz",
        sha256="7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175",
        size_bytes=1_172_438,
        role=Role.TRAIN,
        reader=Reader.ICONIFY,
        folder="",
        licence="MIT",
        attribution="Fluent Emoji by Microsoft Corporation; packaged by Iconify",
    ),
    "noto": Source(
        title="Noto Emoji, vectors",
        registry=Registry.NPM,
        package="@iconify-json/noto",
        version="1.2.9",
        file="iconify-json-noto-1.2.9.tgz",
        sha256="3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad",
        size_bytes=3_102_958,
        role=Role.TRAIN,
        reader=Reader.ICONIFY,
        folder="",
        licence="Apache-2.0",
        attribution="Noto Emoji by Google LLC; packaged by Iconify",
    ),
    "emojione": Source(
        title="Emoji One 2.3 (EmojiTwo)",
        registry=Registry.NPM,
        package="@iconify-json/emojione",
        version="1.2.3",
        file="iconify-json-emojione-1.2.3.tgz",
        sha256="26a14f44284407e8bcde91799388dca2bfd91dbcd55a97f425524a1c5b73610e",
        size_bytes=687_690,
        role=Role.TRAIN,
        reader=Reader.ICONIFY,
        folder="",
        licence="CC-BY-4.0",
        attribution="Emoji One 2.3 by Ranks.com Inc., continued as EmojiTwo; packaged by Iconify",
    ),
    "fluent-contrast": Source(
        title="Fluent Emoji High Contrast",
        registry=Registry.NPM,
        package="@iconify-json/fluent-emoji-high-contrast",
        version="1.2.6",
        file="iconify-json-fluent-emoji-high-contrast-1.2.6.tgz",
        sha256="0b92d48c90d2200bd499e3cdd09a127ca6a8c8ddefd34c35eb5a1e4994012ae0",
        size_bytes=1_054_969,
        role=Role.SEEN_ONLY,
        reader=Reader.ICONIFY,
        folder="",
        licence="MIT",
        attribution="Fluent Emoji by Microsoft Corporation; packaged by Iconify",
    ),
    "noto-v1": Source(
        title="Noto Emoji of before 2017, vectors",
        registry=Registry.NPM,
        package="@iconify-json/noto-v1",
        version="1.2.5",
        file="iconify-json-noto-v1-1.2.5.tgz",
        sha256="2bf62c26c2c2884aa99e90aec942cdaee17a5921f05690694f4978ad4b017c37",
        size_bytes=1_587_591,
        role=Role.SEEN_ONLY,
        reader=Reader.ICONIFY,
        folder="",
        licence="Apache-2.0",
        attribution="Noto Emoji by Google LLC; packaged by Iconify",
    ),
    "emojione-monotone": Source(
        title="Emoji One 2.3 (EmojiTwo), one colour",
        registry=Registry.NPM,
        package="@iconify-json/emojione-monotone",
        version="1.2.1",
        file="iconify-json-emojione-monotone-1.2.1.tgz",
        sha256="40b90004bafb406b59266155ef9b7e1dd67bf2947fc8db8d07388776f4d0d04e",
        size_bytes=1_094_642,
        role=Role.SEEN_ONLY,
        reader=Reader.ICONIFY,
        folder="",
        licence="CC-BY-4.0",
        attribution="Emoji One 2.3 by Ranks.com Inc., continued as EmojiTwo; packaged by Iconify",
    ),
    "fxemoji": Source(
        title="Firefox OS Emoji",
        registry=Registry.NPM,
        package="@iconify-json/fxemoji",
        version="1.2.2",
        file="iconify-json-fxemoji-1.2.2.tgz",
        sha256="f3e72b3c59d05e1db03b7e308d55c0d05bd7ba3f625a90da1b79313c12858eef",
        size_bytes=1_034_876,
        role=Role.SEEN_ONLY,
        reader=Reader.ICONIFY,
        folder="",
        licence="Apache-2.0",
        attribution="Firefox OS Emoji by the Mozilla Foundation; packaged by Iconify",
    ),
    "streamline": Source(
        title="Streamline Emojis",
        registry=Registry.NPM,
        package="@iconify-json/streamline-emojis",
        version="1.2.4",
        file="iconify-json-streamline-emojis-1.2.4.tgz",
        sha256="5dac87c876b322500989828c5823143e0100d78881627a2e4081a4b897cbfdbc",
        size_bytes=381_714,
        role=Role.SEEN_ONLY,
        reader=Reader.ICONIFY,
        folder="",
        licence="CC-BY-4.0",
        attribution="Streamline Emojis by Webalys; packaged by Iconify",
    ),
    "openclipart": Source(
        title="Open Clip Art Library 0.18",
        registry=Registry.DEBIAN,
        package="openclipart-svg",
        version="1:0.18+dfsg-19",
        file="openclipart-svg_1%3a0.18+dfsg-19_all.deb",
        sha256="989712d90d57dfa3230049f553bb43b76c30ee4d4b8c5f6e106e33f7db5cbdc5",
        size_bytes=24_919_068,
        role=Role.TRAIN,
        reader=Reader.CLIPART,
        folder="usr/share/openclipart/svg",
        licence="public domain (dedication in each file)",
        attribution="the artists of openclipart.org; each file names its own",
    ),
    "openmoji": Source(
        title="OpenMoji",
        registry=Registry.NPM,
        package="openmoji",
        version="17.0.0",
        file="openmoji-17.0.0.tgz",
        sha256="55ee7d13485dec86e9f38c1f3a645a13382d33ff97c0cd845ee824b0aef45e68",
        size_bytes=4_339_458,
        role=Role.DESIGN,
        reader=Reader.FILES,
        folder="color/svg",
        licence="CC-BY-SA-4.0",
        attribution="OpenMoji, the open-source emoji and icon project (openmoji.org)",
    ),
    "tuxpaint": Source(
        title="Tux Paint stamps",
        registry=Registry.DEBIAN,
        package="tuxpaint-stamps-default",
        version="2022.06.04-1",
        file="tuxpaint-stamps-default_2022.06.04-1_all.deb",
        sha256="6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34",
        size_bytes=160_880_444,
        role=Role.PHOTOGRAPHS,
        reader=Reader.STAMPS,
        folder="usr/share/tuxpaint/stamps",
        licence="GPL-2.0-only",
        attribution="Tux Paint stamps by Bill Kendrick and other contributors",
    ),
    "gcompris": Source(
        title="GCompris",
        registry=Registry.DEBIAN,
        package="gcompris-qt-data",
        version="3.1-2",
        file="gcompris-qt-data_3.1-2_all.deb",
        sha256="e9cf06ab2105529068df73085784e835d2ff03f870d2a8091f09125d40abac9f",
        size_bytes=44_196_292,
        role=Role.PHOTOGRAPHS,
        reader=Reader.RESOURCES,
        folder="usr/share/gcompris-qt/rcc",
        licence="GPL-3.0-or-later and CC-BY-SA, unchecked for each picture",
        attribution="GCompris by Timothée Giet and other contributors",
    ),
}
