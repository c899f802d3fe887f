"""The head of a model's section: a few figures that speak for it, and what needs attention."""

from __future__ import annotations

from collections.abc import Sequence

from pocketclip.benchmark.records.accuracy import UNTRAINED, AccuracyRecord
from pocketclip.benchmark.records.benchmark import Status, is_future
from pocketclip.benchmark.report.names import TARGET_NAMES, artifact_name, scheme
from pocketclip.benchmark.report.page import Alarm, Tile
from pocketclip.benchmark.report.pairs import is_alarming
from pocketclip.benchmark.report.selection import ModelSelection
from pocketclip.benchmark.statistics import formatting


def tiles(selection: ModelSelection) -> tuple[Tile, ...]:
    """Accuracy, parity, the fastest pair of each device, the smallest pair; each where records tell it."""
    found = [*_accuracy_tile(selection), *_parity_tile(selection)]
    sound = {device: [pair for pair in selection.pairs(device) if pair.sound] for device in selection.devices}
    for device, pairs in sound.items():
        timed = [(latency, pair) for pair in pairs if (latency := pair.latency_ns) is not None]
        if timed:
            latency, fastest = min(timed, key=lambda item: item[0])
            detail = f"{fastest.name} on {device}: image + text, p50"
            found.append(Tile("Fastest sound pair", formatting.milliseconds(latency), detail, device=device))
    every = [pair for pairs in sound.values() for pair in pairs]
    if every:
        smallest = min(every, key=lambda pair: pair.size_bytes)
        size = formatting.megabytes(smallest.size_bytes)
        found.append(Tile("Smallest sound pair", size, f"{smallest.name}: both model files"))
    return tuple(found)


def _accuracy_tile(selection: ModelSelection) -> list[Tile]:
    baseline = pytorch(selection)
    exported = [record.accuracy for record in selection.headline if record.target is not None]
    if baseline is not None:
        reach = f"exported {_range_of(exported)}" if exported else "no exported pair evaluated yet"
        detail = f"zero-shot on {baseline.dataset}, PyTorch; {reach}; chance {formatting.percent(baseline.chance)}"
        return [Tile("Accuracy", formatting.percent(baseline.accuracy), detail)]
    if exported:
        detail = f"best exported pair; exported {_range_of(exported)}"
        return [Tile("Accuracy", formatting.percent(max(exported)), detail)]
    return []


def _parity_tile(selection: ModelSelection) -> list[Tile]:
    # Proven at export, so that an artefact counts once however many devices ran it.
    proofs = {
        (scheme(record.artifact), record.artifact.tower, record.artifact.sha256): record.parity.passed
        for record in selection.benchmarks
        if record.parity is not None
    }
    if not proofs:
        return []
    kept = sum(proofs.values())
    words = "artefacts meet their parity budget against PyTorch"
    return [Tile("Parity", f"{kept} of {len(proofs)}", words, alarm=kept < len(proofs))]


def alarms(selection: ModelSelection) -> tuple[Alarm, ...]:
    """What is known of the weights, failures, missed budgets, alarming losses of accuracy."""
    found = [Alarm(words) for words in (*_weights(selection), *_wrong_clocks(selection))]
    found += [
        Alarm(f"{artifact_name(record)} failed on {device}: {record.reason}", device)
        for record in selection.benchmarks
        if record.status is Status.FAILED
        for device in (selection.labels.of(record.device),)
    ]
    found += [
        Alarm(f"{artifact_name(record)} misses its parity budget: {'; '.join(record.parity.failures)}")
        for record in selection.benchmarks
        if record.parity is not None and not record.parity.passed
    ]
    found += [
        Alarm(
            f"{TARGET_NAMES[record.target]} {record.precision} {record.cost.judgement} of accuracy on {record.dataset} "
            f"({record.cost.drop_points:.2f}, {record.cost.drop_low_points:.2f} to {record.cost.drop_high_points:.2f})"
        )
        for record in selection.accuracies
        if record.target is not None and record.cost is not None and is_alarming(record)
    ]
    for device in selection.devices:
        shown = [
            record for record in selection.on_device(device) if record.invalid and record.status is not Status.FAILED
        ]
        if shown:
            count = f"{len(shown)} {'artefact has' if len(shown) == 1 else 'artefacts have'}"
            found.append(Alarm(f"{count} no valid record on {device}: see its invalid records", device))
    return tuple(dict.fromkeys(found))


def _wrong_clocks(selection: ModelSelection) -> list[str]:
    shown = (*selection.benchmarks, *selection.invalid, *selection.accuracies, *selection.retrievals, *selection.farms)
    future = [record.created_at for record in shown if is_future(record.created_at)]
    if not future:
        return []
    count = "1 record is" if len(future) == 1 else f"{len(future)} records are"
    return [
        f"{count} dated in the future (up to {max(future)[:10]}): the clock of that computer was wrong; such "
        "records count as older than all others"
    ]


def _weights(selection: ModelSelection) -> list[str]:
    """What a reader must know of the model's weights; it is said once, for all records."""
    judged = [record.weights for record in (*selection.accuracies, *selection.retrievals)]
    known = [record.artifact.trained for record in (*selection.benchmarks, *selection.farms)] + [
        facts.trained for facts in judged
    ]
    random = [f"The weights are {UNTRAINED}: only latency and size are meaningful"] if False in known else []
    return random + [caution for facts in judged for caution in facts.cautions]


def pytorch(selection: ModelSelection) -> AccuracyRecord | None:
    """PyTorch's own accuracy on the data set that speaks for the model."""
    return next((record for record in selection.headline if record.target is None), None)


def _range_of(shares: Sequence[float]) -> str:
    low, high = 100 * min(shares), 100 * max(shares)
    return f"{high:.1f} %" if f"{low:.1f}" == f"{high:.1f}" else f"{low:.1f} to {high:.1f} %"
