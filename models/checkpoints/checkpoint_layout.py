"""Which of the tensors in a checkpoint are meant: trainers wrap state dicts, put words before names, and keep averages.

What fits the model as a whole in exactly one way is taken, and said; all else is refused with what it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pocketclip.models.errors import CheckpointError, choices
from pocketclip.models.untrusted.printable import printable_line

_MOST_NAMED = 3
_MOST_DEPTH = 3
_MOST_MAPPINGS = 10_000
# Counts batches for a momentum that no model of ours uses; older trainers and converters leave it out.
_UNUSED = ".num_batches_tracked"
# What torch's averages and the like keep beside the weights.
_BOOKKEEPING = frozenset({"n_averaged"})
# Words that wrappers put before every name: DistributedDataParallel, torch.compile, Lightning, averages.
_WRAPPERS = re.compile(r"(?:(?:module|_orig_mod|model|ema|ema_model|model_ema)\.)+")
# Words that wrappers put within names, where only a part of a model was wrapped.
_WITHIN = re.compile(r"(?<=\.)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
_PART = re.compile(r"-\d{5}-of-\d{5}\.")


@dataclass(frozen=True)
class Found:
    """Tensors of a checkpoint by the model's names, and in words what was done to get there."""

    state: dict[str, Tensor]
    changes: tuple[str, ...] = ()


def find_state(content: object, expected: Mapping[str, Tensor], name: str) -> Found:
    """The state dict that a checkpoint's content means for a model.

    Args:
        content: what the file holds.
        expected: the model's own state dict.
        name: of the file, for messages.

    Raises:
        CheckpointError: nothing fits, or several sets of weights do.
    """
    needed = [key for key in expected if not key.endswith(_UNUSED)]
    # Names of one model end alike: the longest one is hardly another's end.
    anchor = max(needed, key=len)
    sets = _tensor_sets(content)
    fitting = _fitting(sets, needed, anchor)
    within: Mapping[str, tuple[str, ...]] = {}
    if not fitting:
        unwrapped, within = _unwrapped(sets)
        fitting = _fitting(unwrapped, needed, anchor)
        sets = unwrapped if fitting else sets
    if not fitting:
        raise CheckpointError(f"{name} does not fit the model: {_nearest(sets, expected, name)}")
    path, prefix, state = fitting[0]
    others = [each for each in fitting[1:] if not _same(each[2], state, needed)]
    if others:
        raise CheckpointError(_several(name, [(path, prefix), *((each[0], each[1]) for each in others)]))
    beside = [key for key in sets[path] if not key.startswith(prefix) and key not in _BOOKKEEPING]
    unknown = [key for key in state if key not in expected and key not in _BOOKKEEPING] + beside
    if unknown:
        below = f" below {prefix!r}" if prefix else ""
        raise CheckpointError(
            f"{name} does not fit the model: all its keys are there{below}, and {_keys('unknown', unknown)}"
        )
    changes = [f"used the weights below {path!r}"] if path else []
    changes += [f"took {prefix!r} off the names"] if prefix else []
    changes += [f"took {word!r} out of the names" for word in within.get(path, ())]
    return Found({key: state[key] for key in expected if key in state}, tuple(changes))


def _fitting(
    sets: Mapping[str, dict[str, Tensor]], needed: Sequence[str], anchor: str
) -> list[tuple[str, str, dict[str, Tensor]]]:
    """Where the model's names are: the set, what stands before them, and the tensors without that."""
    fitting: list[tuple[str, str, dict[str, Tensor]]] = []
    for path, state in sets.items():
        for prefix in _prefixes(state, anchor):
            own = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
            if all(key in own for key in needed):
                fitting.append((path, prefix, own))
    return fitting


def find_any_state(content: object, name: str) -> Found:
    """The only set of tensors in a checkpoint whose names another library maps, without wrappers' words before them.

    Raises:
        CheckpointError: there is none, or there are several.
    """
    sets = _tensor_sets(content)
    if not sets:
        raise CheckpointError(_no_state(name))
    if len(sets) > 1:
        largest = max(len(state) for state in sets.values())
        # Beside the weights stand an optimiser's few tensors, schedules and the like.
        sets = {path: state for path, state in sets.items() if len(state) * 2 > largest}
    if len(sets) > 1:
        raise CheckpointError(_several(name, [(path, "") for path in sets]))
    ((path, state),) = sets.items()
    state = {key: value for key, value in state.items() if key not in _BOOKKEEPING}
    prefix = _common_wrapper(state)
    changes = [f"used the weights below {path!r}"] if path else []
    changes += [f"took {prefix!r} off the names"] if prefix else []
    unwrapped, within = _unwrapped({path: {key.removeprefix(prefix): value for key, value in state.items()}})
    changes += [f"took {word!r} out of the names" for word in within.get(path, ())]
    return Found(unwrapped[path], tuple(changes))


def fitted(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], name: str) -> Found:
    """The tensors in the model's own types and shapes; batch counts that are missing are the model's own.

    Raises:
        CheckpointError: shapes differ, or a tensor is of whole numbers, complex, sparse or quantised where the model
            has real ones; the message names the first.
    """
    misfits = _misfits(expected, state)
    if misfits:
        raise CheckpointError(f"{name} does not fit the model: {'; '.join(misfits)}")
    absent = [key for key in expected if key not in state]
    state = {**state, **{key: expected[key] for key in absent}}
    changes = [f"{len(absent)} num_batches_tracked, which inference does not use, are missing"] if absent else []
    faults = [fault for key in expected if (fault := _type_fault(state[key], expected[key])) is not None]
    if faults:
        wrong = [key for key in expected if _type_fault(state[key], expected[key]) is not None]
        raise CheckpointError(
            f"{name} does not fit the model: {_keys('unusable', wrong)}: {faults[0]}",
            fix="give the weights in floating point",
        )
    small = sorted({str(value.dtype) for value in state.values() if value.is_floating_point() and value.itemsize == 1})
    converted: dict[str, Tensor] = {}
    for key, wanted in expected.items():
        value = state[key].detach()
        converted[key] = value.to(wanted.dtype).reshape(wanted.shape)
    changes += [f"widened {dtype.removeprefix('torch.')} to float32" for dtype in small]
    return Found(converted, tuple(changes))


def _type_fault(value: Tensor, wanted: Tensor) -> str | None:
    if value.layout is not torch.strided or value.is_quantized or value.device.type != "cpu":
        return f"not a plain tensor ({value.dtype}, {value.layout}, {value.device})".replace("torch.", "")
    dtype = str(value.dtype).removeprefix("torch.")
    if wanted.is_floating_point() and not value.is_floating_point():
        return f"of type {dtype} where the model has {str(wanted.dtype).removeprefix('torch.')}"
    # Four bits: two values lie in one place.
    if dtype.startswith("float4"):
        return f"of type {dtype}, which is packed"
    if not wanted.is_floating_point() and (value.is_complex() or not torch.equal(value.to(wanted.dtype), value)):
        return f"of type {dtype} where the model has whole numbers"
    return None


def _tensor_sets(content: object) -> dict[str, dict[str, Tensor]]:
    """Mappings of names to tensors in what a file holds, by where they stand (`""` at the top)."""
    found: dict[str, dict[str, Tensor]] = {}
    for path, mapping in _mappings(content, "", 0):
        state = {key: value for key, value in mapping.items() if isinstance(key, str) and isinstance(value, Tensor)}
        if state:
            found[path] = state
        if len(found) > _MOST_MAPPINGS:
            break
    return found


def _unwrapped(
    sets: Mapping[str, dict[str, Tensor]],
) -> tuple[dict[str, dict[str, Tensor]], dict[str, tuple[str, ...]]]:
    """The sets without wrappers' words within names, and those words by set; a set whose names would then be equal
    stays as it is."""
    found: dict[str, dict[str, Tensor]] = {}
    words: dict[str, tuple[str, ...]] = {}
    for path, state in sets.items():
        plain = {_WITHIN.sub("", key): value for key, value in state.items()}
        found[path] = plain if len(plain) == len(state) else state
        taken = dict.fromkeys(word for key in state for word in _WITHIN.findall(key))
        if taken and len(plain) == len(state):
            words[path] = tuple(taken)
    return found, words


def _mappings(content: object, path: str, depth: int) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    if not isinstance(content, Mapping):
        return
    yield path, content
    for key, value in content.items():
        if depth < _MOST_DEPTH and isinstance(key, str) and "optim" not in key and isinstance(value, Mapping):
            yield from _mappings(value, f"{path}.{key}" if path else key, depth + 1)


def _prefixes(state: Mapping[str, Tensor], anchor: str) -> list[str]:
    """What stands before the anchor's name: nothing, or words that end with a dot."""
    found = [key.removesuffix(anchor) for key in state if key.endswith(anchor)]
    return [prefix for prefix in found if not prefix or prefix.endswith(".")]


def _common_wrapper(state: Mapping[str, Tensor]) -> str:
    """Wrappers' words that stand before every name."""
    matched = _WRAPPERS.match(next(iter(state), ""))
    prefix = "" if matched is None else matched[0]
    while prefix and not all(key.startswith(prefix) for key in state):
        prefix = prefix[: prefix.rstrip(".").rfind(".") + 1]
    return prefix


def _same(one: Mapping[str, Tensor], other: Mapping[str, Tensor], keys: list[str]) -> bool:
    return all(one[key].shape == other[key].shape and torch.equal(one[key], other[key]) for key in keys)


def _several(name: str, places: list[tuple[str, str]]) -> str:
    named = [
        repr(".".join(part for part in (path, prefix.rstrip(".")) if part) or "the top") for path, prefix in places
    ]
    more = ", ..." if len(named) > _MOST_NAMED else ""
    wanted = next((path for path, _ in reversed(places) if path), "")
    keys = "".join(f"[{key!r}]" for key in wanted.split(".")) if wanted else ""
    return (
        f"{name} holds several sets of weights: {choices(named[:_MOST_NAMED])}{more}; "
        f"save the one that you want: torch.save(torch.load(FILE, weights_only=True){keys}, 'weights.pt')"
    )


def _no_state(name: str) -> str:
    return f"{name} holds no state dict (a mapping of names to tensors)"


def _nearest(sets: Mapping[str, Mapping[str, Tensor]], expected: Mapping[str, Tensor], name: str) -> str:
    if not sets:
        return "it holds no state dict (a mapping of names to tensors)"
    path, state = max(sets.items(), key=lambda item: len(item[1]))
    prefix = _common_wrapper(state)
    own = {key.removeprefix(prefix): value for key, value in state.items()}
    where = f"below {path!r}, " if path else ""
    where += f"without {prefix!r} before the names, " if prefix else ""
    part = "; it is one part of a split checkpoint: give its *.index.json" if _PART.search(name) else ""
    return where + ("; ".join(_misfits(expected, own)) or "its keys occur in several places") + part


def _misfits(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    missing = [key for key in expected if key not in found and not key.endswith(_UNUSED)]
    unknown = [key for key in found if key not in expected]
    shaped = [
        f"{key} is {tuple(found[key].shape)}, the model has {tuple(expected[key].shape)}"
        for key in expected
        if key in found and found[key].shape != expected[key].shape and not _one_number(found[key], expected[key])
    ]
    groups = (("missing keys", missing), ("unknown keys", unknown), ("shapes", shaped))
    return [f"{len(items)} {title} ({_listed(items)})" for title, items in groups if items]


def _one_number(value: Tensor, wanted: Tensor) -> bool:
    """A number and a list of one number say the same."""
    return value.numel() == wanted.numel() == 1


def _keys(what: str, keys: list[str]) -> str:
    return f"{len(keys)} {what} keys ({_listed(keys)})"


def _listed(items: list[str]) -> str:
    return ", ".join(map(printable_line, items[:_MOST_NAMED])) + (", ..." if len(items) > _MOST_NAMED else "")
