"""Types of document fields that reach a path, a shell line or a table: each holds only what it should.

They are annotations for `@document` classes. A document that is read with anything else is refused, and the JSON
Schema made of the class says the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema


@dataclass(frozen=True)
class Matching:
    """Text that the pattern matches as a whole, with no more characters than `longest`; `words` completes "must be"."""

    pattern: str
    longest: int
    words: str

    def fault(self, text: str) -> str | None:
        """What is wrong with a text, in words; None where it fits."""
        if len(text) > self.longest:
            return f"must be {self.words}, of at most {self.longest} characters (got {len(text)})"
        return None if re.fullmatch(self.pattern, text) else f"must be {self.words} (got {text!r})"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        # Imported here: `--help` need not pay for pydantic.
        from pydantic_core import PydanticCustomError, core_schema

        def check(text: str) -> str:
            fault = self.fault(text)
            if fault is not None:
                raise PydanticCustomError("matching", "{fault}", {"fault": fault})
            return text

        return core_schema.no_info_after_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        # `$` is also before a last line feed, in some languages.
        return {**handler(schema), "pattern": f"^(?:{self.pattern})(?![\\s\\S])", "maxLength": self.longest}


SHA256 = Matching(r"[0-9a-f]{64}", 64, "64 hex digits in lower case")
# One part of a path on every system: no separator, no drive, nothing hidden, and no name that Windows keeps.
PLAIN_NAME = Matching(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*", 100, "a plain name of letters, digits and . _ + -")
RELATIVE_PATH = Matching(
    r"[A-Za-z0-9_][A-Za-z0-9_.+-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*",
    200,
    "a path below the folder, of plain names between slashes",
)

Sha256 = Annotated[str, SHA256]
PlainName = Annotated[str, PLAIN_NAME]
RelativePath = Annotated[str, RELATIVE_PATH]
