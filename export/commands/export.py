"""The `export` program, and `classify` on what it writes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pocketclip.export.jobs.workers import Outcome
    from pocketclip.export.ranking import Ranking
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

    from pocketclip.export.inputs import calibration as calibration_data
    from pocketclip.export.inputs.parity_data import parse_parity_data
    from pocketclip.export.jobs.planning import make_plan, pass_options

    share = 1.0 if skip_corrupt and max_skipped is None else max_skipped
    options = calibration_data.parse_calibration(calibration, samples, max_skipped=share)
    proof = parse_parity_data(parity_data, parity_samples, max_skipped=share)
    plan = make_plan(
        model,
        changes or [],
        weights,
        target,
        quantize,
        tower,
        out,
        calibration=options,
        raw=raw,
        ios=ios,
        isa=isa,
        passes=pass_options(byte_input=byte_input, channels_last=channels_last, gelu=gelu),
        without=without or [],
        fresh_weights=fresh_weights,
        parity_data=proof,
    )
    if fresh_weights:
        command_line.note(f"warning: {plan.jobs[0].config.name} gets untrained random weights; its manifests say so")
    for caution in plan.jobs[0].cautions:
        command_line.note(f"warning: {plan.jobs[0].config.name}: {caution}")
    if max_drop is not None or labelled is not None or precision_plans:
        from pocketclip.export.mixed.command import with_mixed

        plan = replace(plan, jobs=with_mixed(plan.jobs, max_drop, labelled, precision_plans or [], share or 0.0))

    if keep_float is not None:
        from pocketclip.export.errors import PlanError
        from pocketclip.export.mixed.keep import with_kept

        if max_drop is not None or precision_plans:
            raise PlanError("--keep-float, --max-drop and --plan each say what stays finer; give one of them")
        plan = replace(plan, jobs=with_kept(plan.jobs, keep_float))

    from pocketclip.export.commands.outcomes import exit_code, failed, one_line, print_outcomes
    from pocketclip.export.jobs import memory as memory_bound
    from pocketclip.export.jobs.unchanged import prepare
    from pocketclip.export.jobs.workers import LOG_NAME, run_jobs
    from pocketclip.export.mixed.command import measure_all
    from pocketclip.models import atomic
    from pocketclip.models.untrusted.printable import printable_line

    limit = memory_bound.default_limit() if memory is None else memory_bound.parse_memory(memory)
    prepared = prepare(plan.jobs, force=force, note=command_line.note)
    with atomic.storage_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        (out / LOG_NAME).write_bytes(b"")
    outcomes: list[Outcome] = []

    def log(line: str) -> None:
        # Workers append to it too: a line is written at once.
        with atomic.storage_errors(out), (out / LOG_NAME).open("a", encoding="utf-8") as stream:
            stream.write(f"{printable_line(line)}\n")

    def retry(line: str) -> None:
        log(f"again    {line}")
        command_line.note(line)

    with command_line.progress() as progress:
        measuring = progress.add_task("", total=None, visible=False)
        measure_all(
            prepared.jobs,
            lambda what, done, total: progress.update(
                measuring, description=what, completed=done, total=total, visible=done < total
            ),
        )
        task = progress.add_task("exporting", total=len(plan.jobs))

        def take(outcome: Outcome) -> None:
            outcomes.append(outcome)
            progress.advance(task)
            if failed(outcome):
                log(one_line(outcome))
            progress.console.print(one_line(outcome), highlight=False, soft_wrap=True)

        for finished in prepared.unchanged:
            take(finished)
        for outcome in run_jobs(
            prepared.jobs,
            workers=jobs,
            log=out / LOG_NAME,
            limit=limit,
            need=lambda job: memory_bound.estimate(job, prepared.weights_bytes),
            on_retry=retry,
        ):
            take(outcome)
    print_outcomes(sorted(outcomes, key=lambda item: plan.jobs.index(item[0])), plan.skipped)
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
    command_line.console().print(ranking_table(image.name, used, ranking.labels[:top]))


def ranking_table(image: str, used: str, labels: Sequence[tuple[str, float]]) -> TerminalTable:
    """Labels and their probabilities, the likeliest first."""
    from pocketclip.models.terminal.table import TerminalTable, figure_columns, word_column
    from pocketclip.models.untrusted.printable import printable_line, printable_path

    rows = [(printable_line(label), f"{probability:.1%}") for label, probability in labels]
    columns = (word_column("label"), *figure_columns("probability"))
    return TerminalTable(columns, rows, title=f"{printable_path(image)}, {printable_line(used)}")


def _rank(photograph: Path, folders: list[Path], bundle: Path | None, names: list[str]) -> tuple[Ranking, str]:
    """The ranking, and what made it. Models run in a child process: a damaged one must not end this program."""
    from pocketclip.export import foreign
    from pocketclip.export.ranking import rank_with_bundle, rank_with_pair
    from pocketclip.models.reading_child import Child

    def ignore(label: object) -> None:
        del label

    with Child() as child:
        if bundle is not None:
            from pocketclip.export.bundle.reading import read_bundle
            from pocketclip.export.untrained import warn_of_bundle

            opened = read_bundle(bundle)
            warn_of_bundle(opened)
            files = [opened.model_path(tower) for tower in (opened.manifest.image, opened.manifest.text)]
            ranking = foreign.run(
                child, rank_with_bundle, opened, photograph, names, about=str(bundle), files=files, on_sign=ignore
            )
            return ranking, f"{opened.manifest.model.name} {bundle.name}"
        from pocketclip.export.artifact.reading import find_artifacts, select_pair
        from pocketclip.export.untrained import warn_of_artifacts

        pair = select_pair(find_artifacts(folders))
        warn_of_artifacts(pair)
        ranking = foreign.run(
            child,
            rank_with_pair,
            *pair,
            photograph,
            names,
            about=" or ".join(str(each.folder) for each in pair),
            files=[each.model_path for each in pair],
            on_sign=ignore,
        )
        return ranking, f"{pair[0].manifest.model.name} {pair[0].manifest.scheme}"


def main() -> None:
    """Entry point of the console script `export`."""
    command_line.run(app)
