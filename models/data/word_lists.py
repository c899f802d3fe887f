"""Lists of labels, class names and templates as people keep them: a line each, JSON, or a list in a Python file.

JSON may be a list, or an object: of names by number (`{"0": "cat"}`), of numbers by name (`{"cat": 0}`), or of names by
anything else, in file order. Python is read as text and never run: OpenAI's `classes = [...]` and `templates = [...]`,
with sentences or with functions such as `lambda c: f"a photo of a {c}."`.
"""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pocketclip.models.data.file_names import composed
from pocketclip.models.errors import ModelsError
from pocketclip.models.untrusted import json_text
from pocketclip.models.untrusted.files import read_bounded
from pocketclip.models.untrusted.printable import printable_path
from pocketclip.models.untrusted.stand_ins import stand_in

_MOST_BYTES = 16 << 20
_ASSIGNMENT = re.compile(r"(?:\s|#[^\n]*\n)*[A-Za-z_]\w*\s*=\s*[\[(]")
# Shown as nothing, though Unicode counts them as letters or symbols.
_BLANK = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
# They change how their neighbours look: one emoji of two, letters that do not join.
_JOINERS = frozenset("\u200c\u200d")
_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Cs", "Zl", "Zp", "Zs", "Mn", "Me"})


def read_text(path: Path, what: str, *, error: type[ModelsError]) -> str:
    """The text of a file that a user wrote, in UTF-8 with or without a mark at its start.

    Raises:
        error: the file cannot be read, is no regular file, too large or no UTF-8.
    """
    try:
        content = read_bounded(path, _MOST_BYTES, error=error)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as caught:
        raise error(
            f"cannot read {what} from {printable_path(path)}: it is not UTF-8 text (byte {caught.start}: "
            f"{caught.reason}); save it as UTF-8"
        ) from caught
    except ModelsError as caught:
        raise error(f"{str(caught).replace('cannot read', f'cannot read {what} from', 1)}") from caught
    if (instead := stand_in(content)) is not None:
        raise error(f"cannot read {what} from {printable_path(path)}: it is {instead.what}", fix=instead.fix)
    if "\0" in text:
        # UTF-16 without a mark at its start reads as UTF-8 with zeros in between.
        raise error(f"cannot read {what} from {printable_path(path)}: it holds zero characters; save it as UTF-8")
    return text


def read_words(path: Path, what: str, *, error: type[ModelsError]) -> list[str]:
    """The words of a file in order, stripped and composed (NFC), empty lines of text files included.

    Args:
        path: see the module.
        what: what they are, for messages and to choose among several lists of a Python file, e.g. `class names`.
        error: what is raised.

    Raises:
        error: the file cannot be read or holds something else.
    """
    if path.suffix.lower() in (".yaml", ".yml"):
        raise error(
            f"cannot read {what} from {printable_path(path)}: YAML is not read", fix="write one per line, or JSON"
        )
    text = read_text(path, what, error=error)
    words = _json_words(path, text, what, error)
    if words is None:
        words = _python_words(path, text, what, error)
    if words is None:
        words = text.rstrip().splitlines()
    return [composed(word.strip()) for word in words]


def parse_json(path: Path, text: str, *, error: type[ModelsError]) -> Any:
    """JSON of a file that a user wrote; `error` where it is none."""
    try:
        return json_text.loads(text)
    except json_text.JsonFault as caught:
        raise error(f"{printable_path(path)} {caught}") from caught


def is_visible(text: str) -> bool:
    """Whether anybody can see a text: one of zero-width characters, marks and spaces alone is none."""
    return any(unicodedata.category(letter) not in _UNSEEN and letter not in _BLANK for letter in text)


def same_to_the_model(names: Iterable[str]) -> tuple[str, str] | None:
    """Two names that the tokenizer makes the same ids of, the first such pair; equal names count, too.

    So do names that differ in characters without width only, such as a zero-width space: they look the same.

    A name without any id raises `ValueError`.
    """
    from pocketclip.models.text.tokenizer import clip_bpe

    seen: dict[tuple[int, ...], str] = {}
    for name in names:
        ids = tuple(clip_bpe().encode(name))
        if not ids:
            raise ValueError(name)
        shown = "".join(letter for letter in name if letter in _JOINERS or unicodedata.category(letter) != "Cf")
        for each in dict.fromkeys((ids, tuple(clip_bpe().encode(shown)))):
            if each in seen:
                return seen[each], name
            seen[each] = name
    return None


def _json_words(path: Path, text: str, what: str, error: type[ModelsError]) -> list[str] | None:
    if path.suffix.lower() == ".json":
        return _listed(path, parse_json(path, text, error=error), what, error)
    if not text.lstrip().startswith(("[", "{")):
        return None
    try:
        content = json_text.loads(text)
    except json_text.JsonFault:
        # A template may begin with {}, a label with a bracket; lists in Python's spelling come next.
        return None
    return _listed(path, content, what, error) if content else None


def _listed(path: Path, content: Any, what: str, error: type[ModelsError]) -> list[str]:
    if isinstance(content, list) and all(isinstance(word, str) for word in content):
        return content
    if isinstance(content, dict) and content:
        listed = _by_number(content)
        if listed is not None:
            return listed
    raise error(
        f"{printable_path(path)} must hold a list of {what}, or an object of {what} by number; all of them text"
    )


def _by_number(content: Mapping[str, Any]) -> list[str] | None:
    values = list(content.values())
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        names = {value: name for name, value in content.items()}
    elif all(isinstance(value, str) for value in values):
        if not all(re.fullmatch(r"[0-9]{1,9}", key) for key in content):
            return values
        names = {int(key): value for key, value in content.items()}
    else:
        return None
    # A hole would shift all labels behind it.
    return [names[place] for place in range(len(content))] if sorted(names) == list(range(len(content))) else None


def _python_words(path: Path, text: str, what: str, error: type[ModelsError]) -> list[str] | None:
    bare = text.lstrip().startswith("[")
    if path.suffix.lower() != ".py" and not bare and not _ASSIGNMENT.match(text):
        return None
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as caught:
        if bare and "\n" in text.strip():
            # A list of lines whose first one begins with a bracket.
            return None
        raise error(f"{printable_path(path)} looks like Python but cannot be parsed: {caught}") from caught
    lists: dict[str, list[str]] = {}
    for statement in statements:
        name, value = _assigned(statement)
        words = None if value is None else _literal(value)
        if words:
            lists[name] = words
    wanted = [name for name in lists if any(part[:5] in name.lower() for part in what.split())]
    chosen = wanted if len(lists) > 1 else list(lists)
    if len(chosen) != 1:
        raise error(
            f"{printable_path(path)} looks like Python and holds {len(chosen) or len(lists)} lists that may be "
            f"{what} ({', '.join(lists) or 'none'}); keep one list of texts in the file"
        )
    return lists[chosen[0]]


def _assigned(statement: ast.stmt) -> tuple[str, ast.expr | None]:
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id, statement.value
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.target.id, statement.value
    return ("", statement.value) if isinstance(statement, ast.Expr) else ("", None)


def _literal(value: ast.expr) -> list[str] | None:
    """The texts of a list or tuple; None where it holds anything else."""
    if not isinstance(value, ast.List | ast.Tuple):
        return None
    words = [_sentence(element) for element in value.elts]
    return [word for word in words if word is not None] if None not in words else None


def _sentence(element: ast.expr) -> str | None:
    if isinstance(element, ast.Constant) and isinstance(element.value, str):
        return element.value
    if isinstance(element, ast.Lambda) and len(element.args.args) == 1 and isinstance(element.body, ast.JoinedStr):
        return _template(element.body.values, element.args.args[0].arg)
    return None


def _template(parts: Sequence[ast.expr], argument: str) -> str | None:
    """A formatted text of one argument as a template with `{}` in its place."""
    written = ""
    for part in parts:
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            written += part.value
        elif isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name) and part.value.id == argument:
            written += "{}"
        else:
            return None
    return written
