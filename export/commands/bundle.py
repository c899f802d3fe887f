"""The `bundle` and `selftest` commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pocketclip.export.bundle.manifest import Bundle, BundledModel, Variant
    from pocketclip.export.bundle.selftest import SelfTestReport, VariantRun
    from pocketclip.models.terminal.table import TerminalTable


def bundle_command(
    image: Annotated[Path, typer.Option("--image", help="Folder of the image tower's artefact.")],
    text: Annotated[
        Path,
        typer.Option("--text", help="Folder of the text tower's artefact, of any target and precision; same weights."),
    ],
    npu: Annotated[
        list[Path] | None,
        typer.Option(
            "--npu",
            help="Artefact for Snapdragon's NPU, of either tower, or a folder of them: phones with its chips run it "
            "in the place of --image or --text, which must be for the CPU. Repeatable, the preferred one first.",
        ),
    ] = None,
    coreai: Annotated[
        list[Path] | None,
        typer.Option(
            "--coreai",
            help="Core AI asset, of either tower, or a folder of them: iOS 27 runs it in the place of --image or "
            "--text, which must be for Core ML. Repeatable.",
        ),
    ] = None,
    specializations: Annotated[
        str | None,
        typer.Option(
            "--specializations",
            help="How apps may run Core AI assets, the preferred one first: default, prefer-gpu, prefer-npu, cpu-only "
            "(default: default,prefer-gpu). They take the first that gives the right values.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the bundle.")] = Path("clip.bundle"),
    labels: Annotated[
        str | None, typer.Option("--labels", help='Labels to embed, e.g. "a red circle,a blue square".')
    ] = None,
    labels_file: Annotated[
        Path | None, typer.Option("--labels-file", help="File with one label per line, UTF-8.")
    ] = None,
    templates: Annotated[
        str | None,
        typer.Option("--templates", help="openai (80), simple (7), scenes, pictures or a file (default: what fits)."),
    ] = None,
    weights_licence: Annotated[
        str | None, typer.Option("--weights-licence", help="Licence of the weights, e.g. MIT.")
    ] = None,
    allow_failed: Annotated[
        bool, typer.Option("--allow-failed", help="Accept artefacts that missed their parity budget.")
    ] = False,
    allow_untrained: Annotated[
        bool, typer.Option("--allow-untrained", help="Accept random weights, which serve only to measure latency.")
    ] = False,
) -> None:
    """Creates one folder for an app: both towers, tokenizer, preprocessing, label embeddings, self-test data."""
    from pocketclip.export.bundle.prompts import read_labels

    names = read_labels(labels, labels_file)

    from pocketclip.export import api

    with command_line.progress() as bar:
        bundle = api.write_bundle(
            image,
            text,
            npu=npu or (),
            coreai=coreai or (),
            specializations=specializations,
            out=out,
            labels=names,
            templates=templates,
            weights_licence=weights_licence,
            allow_failed=allow_failed,
            allow_untrained=allow_untrained,
            on_progress=command_line.shown_on(bar, "prompts embedded"),
        )
    _print_bundle(out, bundle.manifest)


def selftest_command(
    path: Annotated[Path, typer.Argument(help="A bundle's folder.")],
    json_: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Runs a bundle and compares preprocessing, tokenizer, towers and label ranking with its golden data."""
    from pocketclip.export import api
    from pocketclip.export.errors import SelfTestError
    from pocketclip.models import documents

    report = api.open_bundle(path).self_test()
    if json_:
        typer.echo(documents.to_json(report), nl=False)
    else:
        _print_report(path, report)
    if not report.passed:
        raise SelfTestError(
            (
                f"{path}: {report.failures} of {len(report.checks)} checks failed: on this machine the bundle "
                "does not reproduce its golden outputs"
            ),
            fix="do not ship it; create it again from artefacts that pass `pocketclip bench`",
        )


def _print_bundle(out: Path, bundle: Bundle) -> None:
    from pocketclip.export.bundle.licences import WEIGHTS_PART

    console = command_line.console()
    console.print(towers_table(out, bundle))
    count = 0 if bundle.labels is None else len(bundle.labels.names)
    total = sum(entry.size_bytes for entry in bundle.files)
    console.print(
        f"{count} labels, {len(bundle.templates.texts)} templates ({bundle.templates.name}); "
        f"{len(bundle.files)} files, {total / 1e6:.2f} MB",
        highlight=False,
        soft_wrap=True,
    )
    weights = next(note for note in bundle.licences if note.part == WEIGHTS_PART)
    console.print(f"licence of the weights: {weights.licence} ({weights.source})", highlight=False, soft_wrap=True)


def _print_report(path: Path, report: SelfTestReport) -> None:
    console = command_line.console()
    console.print(checks_table(path, report))
    for name, here, same in (("image", report.image, report.image_same), ("text", report.text, report.text_same)):
        told = "same as for the golden outputs" if same else "the golden outputs come from another runtime or processor"
        console.print(f"{name}: {here.runtime} on {here.machine}: {told}", highlight=False, soft_wrap=True)
    for told in dict.fromkeys(_variant_words(run, report.variants) for run in report.variants):
        console.print(told, highlight=False, soft_wrap=True)


def _variant_words(run: VariantRun, runs: Sequence[VariantRun]) -> str:
    """How the variants of one artefact were tested, or why they were not."""

    def alike(other: VariantRun) -> bool:
        return (other.tower, other.target, other.precision, other.not_run) == (
            run.tower,
            run.target,
            run.precision,
            run.not_run,
        )

    how = f"not tested here: {run.not_run}" if run.not_run is not None else f"{run.runtime}"
    if run.soc is None:
        return f"{run.tower} on newer systems ({run.target} {run.precision}): {how}"
    chips = ", ".join(str(other.soc) for other in runs if alike(other))
    return f"{run.tower} on the NPU of {chips} ({run.target} {run.precision}): {how}"


def towers_table(out: Path, bundle: Bundle) -> TerminalTable:
    """Both towers of a bundle, then what runs in their place on certain chips or systems."""
    from pocketclip.export.precision import Tower
    from pocketclip.models.terminal.table import TerminalTable, figure_columns, label_column, name_column, word_column
    from pocketclip.models.untrusted.printable import printable_path

    models: list[tuple[str, BundledModel]] = [("image", bundle.image), ("text", bundle.text)]
    models += [
        (f"{tower}, {variant_place(each)}", each)
        for tower in ("image", "text")
        for each in bundle.variants_of(Tower(tower))
    ]
    rows = [
        (
            name,
            model.target,
            model.precision,
            model.requires or "unknown",
            f"{sum(each.size_bytes for each in bundle.files if each.path.startswith(f'{model.place}/')) / 1e6:.2f}",
        )
        for name, model in models
    ]
    columns = (
        label_column("tower"),
        name_column("target"),
        name_column("precision"),
        word_column("runs on"),
        *figure_columns("size, MB"),
    )
    return TerminalTable(columns, rows, title=f"{printable_path(out)}: {bundle.model.name}")


def variant_place(variant: Variant) -> str:
    """Where a variant runs: the name of a chip, or of a system with how its runtime may run it."""
    from pocketclip.export.bundle.manifest import NpuVariant

    if isinstance(variant, NpuVariant):
        return variant.soc
    return f"{variant.requires} ({', '.join(variant.specializations)})"


def checks_table(path: Path, report: SelfTestReport) -> TerminalTable:
    """Every check of a self-test. Only wide terminals show the reason for each bound."""
    from pocketclip.models.terminal.table import TerminalTable, figure_columns, label_column, word_column
    from pocketclip.models.untrusted.printable import printable_path

    rows = [
        (
            check.part,
            check.name,
            str(check.samples),
            "none" if check.value is None else f"{check.value:.6g}",
            f"{check.limit} {check.bound:.6g}",
            "pass" if check.passed else "FAIL",
            check.basis if check.note is None else f"{check.basis}; {check.note}",
        )
        for check in report.checks
    ]
    columns = (
        label_column("part"),
        word_column("check"),
        *figure_columns("samples", spare=2),
        *figure_columns("value"),
        label_column("bound"),
        label_column("result"),
        word_column("because", spare=1 if report.passed else 0),
    )
    return TerminalTable(columns, rows, title=f"{printable_path(path)}: {report.model}")
