"""The app's String Catalog, from the texts in its views: `python -m tests.ios_app.string_catalog` writes it anew.

Xcode does the same when it builds; so a translator finds every text before anybody with a Mac has built the app.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from pocketclip.models import atomic

APP = Path(__file__).parents[2] / "ios_app/App"
CATALOG = APP / "Localizable.xcstrings"

_LITERAL = r'"((?:[^"\\]|\\\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)|\\.)*)"'
_PLACES = (
    r"\b(?:Text|Label|Button|ProgressView|Section|LabeledContent|PhotosPicker|Menu|ShareLink|TextField|Stepper|"
    r"navigationTitle|accessibilityLabel)\(\s*"
)
_TEXTS = (
    re.compile(_PLACES + _LITERAL),
    re.compile(r"(?:prompt: |String\(localized: )" + _LITERAL),
    re.compile(_PLACES + r"[\w.]+\s*\?\s*" + _LITERAL),
    re.compile(_PLACES + r"[\w.]+\s*\?\s*" + _LITERAL.replace("(", "(?:", 1) + r"\s*:\s*" + _LITERAL),
)
_INTERPOLATION = re.compile(r"\\\(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)")
# What is counted is a whole number; everything else is text, or says how it is written.
_WHOLE = ("imagesPerSecond", "iterations", "done", "total", "indexed", "skipped", "count")


def keys() -> set[str]:
    """Every text of the views as the catalog names it, placeholders for what is put in."""
    found: set[str] = set()
    for source in sorted(APP.glob("*.swift")):
        text = source.read_text()
        for pattern in _TEXTS:
            found |= {_INTERPOLATION.sub(_placeholder, match.group(1)) for match in pattern.finditer(text)}
    return found


def catalog_text() -> str:
    """The content of the file as it must be."""
    strings = {key: {} for key in sorted(keys())}
    content = {"sourceLanguage": "en", "strings": strings, "version": "1.0"}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _placeholder(match: re.Match[str]) -> str:
    expression = match.group(1)
    specifier = re.search(r'specifier: "([^"]+)"', expression)
    if specifier:
        return specifier.group(1)
    return "%lld" if expression.rpartition(".")[2] in _WHOLE else "%@"


if __name__ == "__main__":
    atomic.write_text(CATALOG, catalog_text())
    print(CATALOG)
