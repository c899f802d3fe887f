"""`python -m pocketclip.benchmark.commands.matrix`: writes the table of `docs/matrix.md` from artefacts and records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.benchmark.commands.options import StoreOption
from pocketclip.benchmark.default_store import DEFAULT_STORE
from pocketclip.models.terminal import command_line
from pocketclip.models.untrusted.printable import printable_line

if TYPE_CHECKING:
    from pocketclip.benchmark.records.benchmark import BenchmarkRecord
    from pocketclip.export.artifact.reading import Artifact

HEADINGS = (
    "target",
    "precision",
    "tower",
    "size, MB",
    "cosine, mean",
    "cosine, min",
    "top-1",
    "parity",
    "on NPU",
    "p50, ms",
    "ops outside",
    "time outside",
    "lint",
)
INTRODUCTION = r"""# The export matrix

`make matrix` exports every target at every precision for both towers, proves each artefact, times those whose runtime
runs on this computer (one thread), and writes this page. The exports are in the forms for each target's phones, because
no `--for` is given ([passes.md](passes.md)). Sizes are those of the model files. [lint.md](lint.md) explains the lint
codes. Core ML's values are proven by the reference executor, which has no meaningful latency.

- **cosine, top-1**: against PyTorch in fp32 on 267 inputs: 256 rendered scenes and 11 photographs for the image tower,
  their captions for the text tower. Cosines are cut after five decimals ([verify.md](verify.md#what-passed-means)).
- **on NPU**: of the ops of an artefact for Snapdragon's NPU, those that the graph for a chip holds. The sizes of these
  artefacts are of that graph. They have no times: a computer emulates the NPU's values alone ([npu.md](npu.md)).
- **ops outside**: calls per inference that XNNPACK does not take; only for formats that run on XNNPACK.
- **time outside**: the share of these calls in the measured time of all ops, with the most expensive ops. It comes from
  a separate pass ([method.md](method.md)).
- **\***: measured while other programs were running; this time may not be ranked.

`mobileclip_s0` has fresh weights, because none could be downloaded where this was made: its embeddings lie close
together, and its top-1 says little. Another version of PocketCLIP or another processor gives slightly different
figures: compare only figures of one run."""
# Of the ops outside, those that are named, and from what share of the time.
_NAMED_OPS = 3
_LEAST_SHARE = 0.001

app = command_line.new_app("pocketclip.benchmark.commands.matrix", "Writes the export matrix as Markdown.")


@app.command(no_args_is_help=True)
def matrix_command(
    artifact: Annotated[list[Path], typer.Argument(help="Folders of artefacts, one per model.")],
    store: StoreOption = DEFAULT_STORE,
    out: Annotated[Path | None, typer.Option("--out", help="File to write (default: print the table).")] = None,
) -> None:
    """Writes one table per folder: sizes, parity with PyTorch, and latencies from the store."""
    from pocketclip.benchmark.store import open_store
    from pocketclip.export.artifact.reading import find_artifacts
    from pocketclip.models import atomic

    with open_store(store, create=False) as records:
        latest = {record.artifact.sha256: record for record in records.benchmarks()}
    parts = [table(find_artifacts([folder]), latest) for folder in artifact]
    text = "\n\n".join([INTRODUCTION, *parts]) + "\n"
    if out is None:
        print(text, end="")
    else:
        with atomic.storage_errors(out):
            out.write_text(text, encoding="utf-8")
        command_line.note(f"wrote {out}")


def table(artifacts: Sequence[Artifact], records: dict[str, BenchmarkRecord]) -> str:
    """The artefacts of one model as Markdown; `records` are the latest by the artefact's hash."""
    ordered = sorted(artifacts, key=_rank)
    name = ordered[0].manifest.model.name
    passed = sum(each.manifest.parity is not None and each.manifest.parity.passed for each in ordered)
    timed = [records[each.manifest.sha256] for each in ordered if each.manifest.sha256 in records]
    machines = dict.fromkeys(f"{record.device.cpu} ({record.device.logical_cores} cores)" for record in timed)
    timed_on = f" Timed on {', '.join(machines)}." if machines else ""
    days = sorted({printable_line(each.manifest.created_at)[: len("2000-01-01")] for each in ordered})
    exported = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    lines = [
        f"## {name}",
        "",
        f"{passed} of {len(ordered)} artefacts are within their budgets. Exported on {exported}.{timed_on}",
        "",
        f"| {' | '.join(HEADINGS)} |",
        "|" + "---|" * len(HEADINGS),
    ]
    lines += (f"| {' | '.join(row)} |" for row in _rows(ordered, records))
    return "\n".join(lines)


def _rows(artifacts: Sequence[Artifact], records: dict[str, BenchmarkRecord]) -> Iterator[tuple[str, ...]]:
    from pocketclip.benchmark.report.npu_table import coverage
    from pocketclip.benchmark.runners.chip_artifacts import placement_of
    from pocketclip.benchmark.statistics import formatting

    for each in artifacts:
        manifest, parity = each.manifest, each.manifest.parity
        placement = placement_of(each)
        bytes_ = manifest.model_size_bytes if placement is None else placement.size_bytes
        size = formatting.without_unit(formatting.megabytes(bytes_))
        agreement = ("", "", "", "unproved")
        if parity is not None:
            top1 = formatting.percent(parity.top1_agreement)
            verdict = "passed" if parity.passed else "**failed**"
            agreement = (formatting.cosine(parity.cosine_mean), formatting.cosine(parity.cosine_min), top1, verdict)
        codes = " ".join(dict.fromkeys(finding.code for finding in manifest.lint))
        scheme = manifest.scheme.removeprefix(f"{manifest.target}-")
        record = records.get(manifest.sha256)
        on_npu = "" if placement is None else coverage(placement)
        measured = (on_npu, _p50(record), *_outside(record))
        yield (manifest.target, scheme, manifest.tower, size, *agreement, *measured, codes)


def _p50(record: BenchmarkRecord | None) -> str:
    from pocketclip.benchmark.records.benchmark import Status
    from pocketclip.benchmark.statistics import formatting

    if record is None or record.status is not Status.MEASURED:
        return formatting.UNKNOWN
    return formatting.without_unit(formatting.timings(record)[0]) + ("*" if record.invalid else "")


def _outside(record: BenchmarkRecord | None) -> tuple[str, str]:
    """Calls outside delegates in an inference, and their share of the time by op; empty without delegates."""
    from pocketclip.benchmark.statistics.summaries import delegates, share_outside_delegates

    profile = None if record is None else record.profile
    if profile is None or not delegates(profile):
        return "", ""
    inferences, total = len(profile.inference_ns), sum(each.total_ns for each in profile.ops)
    outside: dict[str, int] = {}
    calls = 0
    for each in profile.ops:
        if each.delegate is None:
            outside[each.op] = outside.get(each.op, 0) + each.total_ns
            calls += each.calls
    costly = sorted(outside.items(), key=lambda item: -item[1])[:_NAMED_OPS]
    named = ", ".join(f"{op} {spent / total:.1%}" for op, spent in costly if spent / total >= _LEAST_SHARE)
    share = f"{share_outside_delegates(profile):.1%}"
    return str(calls // inferences), f"{share} ({named})" if named else share


def _rank(artifact: Artifact) -> tuple[int, int, str, int]:
    from pocketclip.export.precision import Precision, Tower
    from pocketclip.export.targets import TARGETS

    manifest = artifact.manifest
    return (
        list(TARGETS).index(manifest.target),
        list(Precision).index(manifest.precision),
        manifest.scheme,
        list(Tower).index(manifest.tower),
    )


def main() -> None:
    """Runs the program."""
    command_line.run(app)


if __name__ == "__main__":
    main()
