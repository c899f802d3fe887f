"""The `export` program, and `classify` on what it writes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pocketclip.models.terminal.table import TerminalTable

app = command_line.new_app("export", "Export a model's towers to mobile runtimes, each checked against PyTorch.")


@app.command(no_args_is_help=True)
def export_command(
    target: Annotated[
        str,
        typer.Option("--target", help="onnx, coreml, executorch, executorch-coreml, tflite, with commas, or all."),
    ] = "",
    model: command_line.ModelOption = "pocketclip_nano",
    changes: command_line.ChangesOption = None,
    weights: command_line.WeightsOption = None,
    fresh_weights: Annotated[
        bool,
        typer.Option("--fresh-weights", help="Random weights instead of trained ones: for latency and nothing else."),
    ] = False,
    quantize: Annotated[
        str,
        typer.Option("--quantize", help="Precisions with commas: base, int8, all, or names such as fp16."),
    ] = "base",
    tower: Annotated[str, typer.Option("--tower", help="image, text or both.")] = "both",
    out: Annotated[Path, typer.Option("--out", help="Folder for the artefacts.")] = Path("artifacts"),
    calibration: Annotated[
        str,
        typer.Option(
            "--calibration", help="Samples for static int8: scenes[:N], a folder, csv:FILE or webdataset:PATTERN."
        ),
    ] = "scenes",
    samples: Annotated[
        int | None, typer.Option("--calibration-samples", help="How many of them to use; by default 128.")
    ] = None,
    parity_data: Annotated[
        str,
        typer.Option(
            "--parity-data", help="Samples for the proof: scenes, or your own, as for --calibration. The manifest says."
        ),
    ] = "scenes",
    parity_samples: Annotated[
        int | None, typer.Option("--parity-samples", help="How many of your own to use; by default 256.")
    ] = None,
    max_skipped: Annotated[
        float | None,
        typer.Option(
            "--max-skipped",
            help="Share of your own samples that may be unusable, 0 to 1; by default 0.03, of --labelled 0.",
        ),
    ] = None,
    skip_corrupt: Annotated[bool, typer.Option("--skip-corrupt", help="Short for --max-skipped 1.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Leave the L2 norm to the host.")] = False,
    ios: Annotated[
        int | None, typer.Option("--ios", help="Oldest iOS for Core ML; by default what each precision needs.")
    ] = None,
    isa: Annotated[
        str | None,
        typer.Option("--for", help="Processors to be fast on: arm64, x86_64 or apple; by default the target's phones."),
    ] = None,
    byte_input: Annotated[bool, typer.Option("--byte-input", help="Feed the image tower bytes, not floats.")] = False,
    channels_last: Annotated[
        bool, typer.Option("--channels-last", help="Feed the image tower (1, S, S, 3) instead of (1, 3, S, S).")
    ] = False,
    gelu: Annotated[
        str,
        typer.Option("--gelu", help="erf (as trained), or an approximation: tanh, sigmoid."),
    ] = "erf",
    without: Annotated[
        list[str] | None, typer.Option("--without", help="A graph pass to leave out; may be repeated.")
    ] = None,
    max_drop: Annotated[
        str | None,
        typer.Option("--max-drop", help="Keep modules finer at least predicted cost: cosine=0.995 or accuracy=1.0."),
    ] = None,
    labelled: Annotated[
        str | None,
        typer.Option(
            "--labelled", help="What accuracy is measured on: scenes, folder:, csv: or webdataset: as for eval."
        ),
    ] = None,
    precision_plans: Annotated[
        list[Path] | None, typer.Option("--plan", help="A plan.json to replay; one for each tower and precision.")
    ] = None,
    keep_float: Annotated[
        str | None,
        typer.Option("--keep-float", help="Modules that stay in float, with commas: stem, projection, or paths."),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Artefacts converted at a time.")] = min(
        2, os.cpu_count() or 1
    ),
    memory: Annotated[
        str | None,
        typer.Option("--memory", help="Most for all conversions together, e.g. 16GB; by default 75 % of what is free."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Export again what has not changed.")] = False,
    list_matrix: Annotated[
        bool, typer.Option("--list", help="Show targets and precisions, and what is unavailable.")
    ] = False,
) -> None:
    """Converts, proves and writes one artefact per target, precision and tower; skips those that have not changed."""
    if list_matrix:
        from pocketclip.export.commands.matrix_table import print_matrix

        print_matrix()
        return

    from pocketclip.export import api
    from pocketclip.export.commands.outcomes import exit_code, failed, one_line, print_outcomes
    from pocketclip.export.errors import UnknownTargetError
    from pocketclip.export.jobs.log import LOG_NAME
    from pocketclip.export.precision import TargetName
    from pocketclip.models.api import load_model
    from pocketclip.models.errors import choices

    if not target:
        raise UnknownTargetError(f"name a --target: {choices(TargetName)}, or all")
    chosen = load_model(model, changes=changes or [], weights=weights, fresh_weights=fresh_weights)
    options = api.ExportOptions(
        calibration=calibration,
        calibration_samples=samples,
        parity_data=parity_data,
        parity_samples=parity_samples,
        max_skipped=1.0 if skip_corrupt and max_skipped is None else max_skipped,
        raw=raw,
        ios=ios,
        isa=isa,
        byte_input=byte_input,
        channels_last=channels_last,
        gelu=gelu,
        without=without or [],
        max_drop=max_drop,
        labelled=labelled,
        plans=precision_plans or [],
        keep_float=keep_float,
    )
    plan = api.plan_export(chosen, target=target, precision=quantize, tower=tower, out=out, options=options)
    if fresh_weights:
        command_line.note(f"warning: {chosen.name} gets untrained random weights; its manifests say so")
    with command_line.progress() as bar:
        outcomes = api.run_export(
            plan,
            processes=jobs,
            memory=memory,
            force=force,
            on_progress=command_line.shown_on(bar, "exporting"),
            on_outcome=lambda outcome: bar.console.print(one_line(outcome), highlight=False, soft_wrap=True),
        )
    print_outcomes(outcomes, plan.skipped)
    failures = sum(failed(outcome) for outcome in outcomes)
    if failures:
        command_line.note(f"error: {failures} of {len(plan.jobs)} artefacts failed; details are in {out / LOG_NAME}")
        raise typer.Exit(exit_code(outcomes))


def classify_command(
    image: Annotated[Path, typer.Argument(help="A photograph: JPEG, PNG, WebP.")],
    artifact: Annotated[
        list[Path] | None,
        typer.Option("--artifact", help="Folder that holds both towers, or one folder for each."),
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option("--bundle", help="A bundle instead; its own labels where none are given.")
    ] = None,
    labels: Annotated[str | None, typer.Option("--labels", help='"a red circle,a blue square"')] = None,
    labels_file: Annotated[Path | None, typer.Option("--labels-file", help="One label a line.")] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="How many labels to show.")] = 5,
) -> None:
    """Ranks labels for a photograph with exported artefacts (zero-shot)."""
    from pocketclip.export.errors import ArtifactNotFoundError
    from pocketclip.models.evaluation.zero_shot import parse_labels

    if (bundle is None) == (not artifact):
        raise ArtifactNotFoundError("give either artefacts with --artifact or one bundle with --bundle")
    with_own = bundle is not None and labels is None and labels_file is None
    names = [] if with_own else parse_labels(labels, labels_file)

    from pocketclip.models.pixels.images import check_image

    # What is named wrong is told before anything is loaded.
    check_image(image)
    ranking, used = _rank(image, artifact or [], bundle, names)
    command_line.console().print(ranking_table(image.name, used, ranking[:top]))


def ranking_table(image: str, used: str, labels: Sequence[tuple[str, float]]) -> TerminalTable:
    """Labels and their probabilities, the likeliest first."""
    from pocketclip.models.terminal.table import TerminalTable, figure_columns, word_column
    from pocketclip.models.untrusted.printable import printable_line, printable_path

    rows = [(printable_line(label), f"{probability:.1%}") for label, probability in labels]
    columns = (word_column("label"), *figure_columns("probability"))
    return TerminalTable(columns, rows, title=f"{printable_path(image)}, {printable_line(used)}")


def _rank(
    photograph: Path, folders: list[Path], bundle: Path | None, names: list[str]
) -> tuple[list[tuple[str, float]], str]:
    """Labels with their probabilities, and what ranked them."""
    from pocketclip.export import api

    if bundle is not None:
        opened = api.open_bundle(bundle)
        return opened.classify(photograph, names), f"{opened.manifest.model.name} {bundle.name}"
    image, text = api.select_pair(api.find_artifacts(*folders))
    return api.classify(
        photograph, names, image=image, text=text
    ), f"{image.manifest.model.name} {image.manifest.scheme}"


def main() -> None:
    """Entry point of the console script `export`."""
    command_line.run(app)
