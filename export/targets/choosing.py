"""Targets and precisions by the words that a user gives."""

from __future__ import annotations

from pocketclip.export.errors import UnknownTargetError, UnsupportedPrecisionError
from pocketclip.export.precision import Precision, TargetName
from pocketclip.export.targets.table import NEWEST_IOS, NOT_YET, TARGETS
from pocketclip.models.errors import choices


def parse_targets(text: str) -> list[TargetName]:
    """`all` or a comma-separated list of target names.

    Raises:
        UnknownTargetError: a name does not exist; the message lists those that do.
    """
    if text == "all":
        return list(TARGETS)
    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in TARGETS]
    if unknown:
        if unknown[0] in NOT_YET:
            raise UnknownTargetError(f"target {unknown[0]} is not offered: {NOT_YET[unknown[0]]}")
        raise UnknownTargetError(f"there is no target {unknown[0]!r}", fix=f"choose among: {choices(TARGETS)}, or all")
    return list(dict.fromkeys(TargetName(name) for name in names))


def parse_precisions(text: str, target: TargetName) -> list[Precision]:
    """The precisions that `text` asks of a target: names, `base`, `int8` or `all`, with commas.

    `int8` is the main scheme with 8 bits of a target that has one; beside other words, it asks nothing of the others.

    Raises:
        UnsupportedPrecisionError: the target does not offer one of them; the message lists what it does.
    """
    entry = TARGETS[target]
    groups = {"base": [entry.base], "int8": [entry.int8] if entry.int8 else [], "all": entry.precisions}
    chosen: dict[Precision, None] = {}
    names = [part.strip() for part in text.split(",")]
    for name in names:
        if name in groups:
            chosen.update(dict.fromkeys(groups[name]))
        elif name in entry.precisions:
            chosen[Precision(name)] = None
        else:
            raise _not_offered(target, name)
    if not chosen:
        raise _not_offered(target, names[0])
    return list(chosen)


def _not_offered(target: TargetName, name: str) -> UnsupportedPrecisionError:
    entry = TARGETS[target]
    lacking = Precision.INT8_STATIC if name == "int8" else name
    reason = f" ({entry.lacking[Precision(lacking)]})" if lacking in entry.lacking else ""
    words = [f"base ({entry.base})", *([f"int8 ({entry.int8})"] if entry.int8 else []), "all"]
    return UnsupportedPrecisionError(
        f"target {target} does not offer {name!r}{reason}",
        fix=f"choose among: {choices(entry.precisions)}, or {', '.join(words)}",
    )


def requirement(target: TargetName, precision: Precision, ios: int | None = None) -> str:
    """The oldest runtime or system that reads an artefact.

    Raises:
        UnsupportedPrecisionError: the iOS asked for is too old for the precision, or the target is not for iOS.
    """
    scheme = TARGETS[target].schemes[precision]
    if ios is None:
        return scheme.needs
    if scheme.minimum_ios is None:
        raise UnsupportedPrecisionError(f"--ios applies only to Core ML; {target} {precision} needs {scheme.needs}")
    oldest = scheme.oldest_ios or scheme.minimum_ios
    if not oldest <= ios <= NEWEST_IOS:
        raise UnsupportedPrecisionError(
            f"target {target} offers {precision} for iOS {oldest} to {NEWEST_IOS}, not for iOS {ios}"
        )
    return f"iOS {ios}"
