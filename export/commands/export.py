"""The `export` program, and `classify`, which uses its artefacts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pocketclip.models.terminal.table import TerminalTable

app = command_line.new_app("export", "Exports a model's towers to mobile runtimes and checks each against PyTorch.")


@app.command(no_args_is_help=True)
def export_command(
    target: Annotated[
        str,
        typer.Option(
            "--target",
            help=(
                "onnx, onnx-qnn, coreml, coreai, executorch, executorch-coreml, executorch-qnn, executorch-vulkan, "
                "tflite, tflite-qnn, tflite-mediatek, tflite-google, tflite-samsung (comma-separated), or all."
            ),
        ),
    ] = "",
    model: command_line.ModelOption = "pocketclip_nano",
    changes: command_line.ChangesOption = None,
    weights: command_line.WeightsOption = None,
    fresh_weights: Annotated[
        bool,
        typer.Option("--fresh-weights", help="Use random weights, which serve only to measure latency and size."),
    ] = False,
    quantize: Annotated[
        str,
        typer.Option(
            "--quantize",
            help="Comma-separated precisions: base, int8 (if there is one), all, or names such as fp16.",
        ),
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
        int | None, typer.Option("--calibration-samples", help="Calibration samples to use (default: 128).")
    ] = None,
    parity_data: Annotated[
        str,
        typer.Option("--parity-data", help="Samples for the parity check: scenes, or your own as for --calibration."),
    ] = "scenes",
    parity_samples: Annotated[
        int | None, typer.Option("--parity-samples", help="Own parity samples to use (default: 256).")
    ] = None,
    max_skipped: Annotated[
        float | None,
        typer.Option(
            "--max-skipped",
            help="Maximum share of unusable own samples, 0 to 1 (default: 0.03; for --labelled 0).",
        ),
    ] = None,
    skip_corrupt: Annotated[bool, typer.Option("--skip-corrupt", help="Short for --max-skipped 1.")] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="Export without the final L2 normalisation; your app applies it.")
    ] = False,
    ios: Annotated[
        int | None, typer.Option("--ios", help="Oldest iOS for Core ML (default: what each precision needs).")
    ] = None,
    isa: Annotated[
        str | None,
        typer.Option(
            "--for",
            help=(
                "Processors to optimise for: arm64, x86_64 or apple (default: the target's phones), or with "
                "targets for NPUs a phone such as galaxy-s24."
            ),
        ),
    ] = None,
    soc: Annotated[
        str | None,
        typer.Option(
            "--soc",
            help=(
                "Chips to prepare graphs for with targets for NPUs: names, or phones such as galaxy-s24 "
                "(default: up to three of each maker's, as in docs/npu.md)."
            ),
        ),
    ] = None,
    byte_input: Annotated[
        bool, typer.Option("--byte-input", help="The image tower takes bytes instead of floats.")
    ] = False,
    channels_last: Annotated[
        bool, typer.Option("--channels-last", help="The image tower takes (1, S, S, 3) instead of (1, 3, S, S).")
    ] = False,
    batch: Annotated[
        int,
        typer.Option("--batch", help="Photographs that the image tower takes at once; 4 or 8 speed up indexing."),
    ] = 1,
    gelu: Annotated[
        str,
        typer.Option("--gelu", help="erf (as trained), or an approximation: tanh or sigmoid."),
    ] = "erf",
    without: Annotated[list[str] | None, typer.Option("--without", help="A graph pass to skip. Repeatable.")] = None,
    max_drop: Annotated[
        str | None,
        typer.Option(
            "--max-drop", help="Mixed precision within this drop, at the least cost: cosine=0.995 or accuracy=1.0."
        ),
    ] = None,
    labelled: Annotated[
        str | None,
        typer.Option(
            "--labelled", help="Data for --max-drop accuracy: scenes, folder:, csv: or webdataset:, as for eval."
        ),
    ] = None,
    precision_plans: Annotated[
        list[Path] | None, typer.Option("--plan", help="A plan.json to replay, one for each tower and precision.")
    ] = None,
    keep_float: Annotated[
        str | None,
        typer.Option("--keep-float", help="Comma-separated modules that stay in float: stem, projection or paths."),
    ] = None,
    keep_int16: Annotated[
        str | None,
        typer.Option("--keep-int16", help="The same with 16-bit activations, for int8-static on NPUs."),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Artefacts to convert at the same time.")] = min(
        2, os.cpu_count() or 1
    ),
    memory: Annotated[
        str | None,
        typer.Option(
            "--memory", help="Total memory limit across conversions, e.g. 16GB (default: 75 % of free memory)."
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", help="Convert on the nodes of the fleet that this computer has joined."),
    ] = None,
    cores: Annotated[
        int, typer.Option("--cores", min=1, help="With --cluster: cores of a node for each artefact.")
    ] = 1,
    force: Annotated[bool, typer.Option("--force", help="Export unchanged artefacts again.")] = False,
    list_matrix: Annotated[
        bool, typer.Option("--list", help="List targets and precisions, and what is unavailable.")
    ] = False,
) -> None:
    """Exports one artefact per target, precision and tower, and checks its parity. Skips unchanged artefacts."""
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
        raise UnknownTargetError(f"give a --target: {choices(TargetName)}, or all")
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
        soc=soc,
        byte_input=byte_input,
        channels_last=channels_last,
        gelu=gelu,
        without=without or [],
        max_drop=max_drop,
        labelled=labelled,
        plans=precision_plans or [],
        keep_float=keep_float,
        keep_int16=keep_int16,
        batch=batch,
    )
    plan = api.plan_export(chosen, target=target, precision=quantize, tower=tower, out=out, options=options)
    if fresh_weights:
        command_line.note(f"warning: {chosen.name} gets untrained random weights; the manifests record this")
    with command_line.progress() as bar:
        outcomes = api.run_export(
            plan,
            processes=jobs,
            memory=memory,
            force=force,
            cluster=cluster,
            cores=cores,
            on_progress=command_line.shown_on(bar, "exporting"),
            on_outcome=lambda outcome: bar.console.print(one_line(outcome), highlight=False, soft_wrap=True),
        )
    print_outcomes(outcomes, plan.skipped)
    failures = sum(failed(outcome) for outcome in outcomes)
    if failures:
        command_line.note(f"error: {failures} of {len(plan.jobs)} artefacts failed; details are in {out / LOG_NAME}")
        raise typer.Exit(exit_code(outcomes))


def classify_command(
    image: Annotated[Path, typer.Argument(help="An image: JPEG, PNG or WebP.")],
    artifact: Annotated[
        list[Path] | None,
        typer.Option("--artifact", help="A folder with both towers, or one folder for each."),
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option("--bundle", help="A bundle instead of artefacts; uses its own labels by default.")
    ] = None,
    labels: Annotated[str | None, typer.Option("--labels", help='Labels, e.g. "a red circle,a blue square".')] = None,
    labels_file: Annotated[Path | None, typer.Option("--labels-file", help="File with one label per line.")] = None,
    templates: Annotated[
        str | None,
        typer.Option(
            "--templates",
            help="Put each label into sentences: openai (80), simple (7), scenes, pictures, or a file of them, with {} "
            "for the label (default: the label as it is).",
        ),
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="Number of labels to show.")] = 5,
) -> None:
    """Ranks labels for an image with exported artefacts (zero-shot)."""
    from pocketclip.export.errors import ArtifactNotFoundError
    from pocketclip.models.errors import PromptError
    from pocketclip.models.evaluation.prompts import load_templates
    from pocketclip.models.evaluation.zero_shot import parse_labels

    if (bundle is None) == (not artifact):
        raise ArtifactNotFoundError("give either --artifact or --bundle")
    if bundle is not None and templates is not None:
        raise PromptError("--templates is for artefacts: a bundle holds its own", fix="leave --templates out")
    with_own = bundle is not None and labels is None and labels_file is None
    names = [] if with_own else parse_labels(labels, labels_file)

    from pocketclip.models.pixels.images import check_image

    # Wrong names are reported before anything is loaded.
    check_image(image)
    if templates is not None:
        load_templates(templates)
    ranking, used = _rank(image, artifact or [], bundle, names, templates)
    command_line.console().print(ranking_table(image.name, used, ranking[:top]))


def ranking_table(image: str, used: str, labels: Sequence[tuple[str, float]]) -> TerminalTable:
    """Labels and their probabilities, the most likely first."""
    from pocketclip.models.terminal.table import TerminalTable, figure_columns, word_column
    from pocketclip.models.untrusted.printable import printable_line, printable_path

    rows = [(printable_line(label), f"{probability:.1%}") for label, probability in labels]
    columns = (word_column("label"), *figure_columns("probability"))
    return TerminalTable(columns, rows, title=f"{printable_path(image)}, {printable_line(used)}")


def _rank(
    photograph: Path, folders: list[Path], bundle: Path | None, names: list[str], templates: str | None
) -> tuple[list[tuple[str, float]], str]:
    """Labels with their probabilities, and what ranked them."""
    from pocketclip.export import api

    if bundle is not None:
        opened = api.open_bundle(bundle)
        return opened.classify(photograph, names), f"{opened.manifest.model.name} {bundle.name}"
    image, text = api.select_pair(api.find_artifacts(*folders))
    return api.classify(
        photograph, names, image=image, text=text, templates=templates
    ), f"{image.manifest.model.name} {image.manifest.scheme}"


def main() -> None:
    """Entry point of the console script `export`."""
    command_line.run(app)
