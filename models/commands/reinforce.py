"""The command `pocketclip reinforce`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from pocketclip.models.reinforcing.shards import ReinforceReport


def reinforce_command(
    data: Annotated[
        str,
        typer.Option("--data", help="scenes:COUNT, webdataset:PATTERN, csv:FILE or folder:PATH.", show_default=False),
    ],
    teachers: Annotated[
        list[str],
        typer.Option(
            "--teacher",
            help="MODEL or MODEL=CHECKPOINT: a registered model, open_clip:NAME or a configuration file. Repeatable.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the shards; an interrupted run resumes there.")],
    augmentations: Annotated[int, typer.Option("--augmentations", min=1, help="Augmentations stored per image.")] = 10,
    synthetic: Annotated[
        int, typer.Option("--synthetic", min=0, help="Maximum synthetic captions kept per image.")
    ] = 5,
    samples_per_shard: Annotated[int, typer.Option("--samples-per-shard", min=1, help="Samples in each shard.")] = 1000,
    crop_scale: Annotated[
        tuple[float, float],
        typer.Option("--crop-scale", help="Minimum and maximum share of the image's area in a crop."),
    ] = (0.08, 1.0),
    rand_augment: Annotated[bool, typer.Option(help="Apply two RandAugment operations after the crop.")] = True,
    image_size: Annotated[
        int | None,
        typer.Option("--image-size", min=1, help="Shrink images to this shorter side; for scenes, their side."),
    ] = None,
    image_format: Annotated[
        str, typer.Option("--format", help="keep (unchanged bytes; PNG for scenes), jpg, png or webp.")
    ] = "keep",
    dtype: Annotated[
        str, typer.Option("--dtype", help="Type of stored embeddings: bfloat16, float16 or float32.")
    ] = "bfloat16",
    embeddings: Annotated[str, typer.Option("--embeddings", help="File format of embeddings: npz or pth.gz.")] = "npz",
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Images per teacher batch.")] = 64,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of all random choices.")] = 0,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes that read and augment images.")] = 0,
    max_skipped: Annotated[
        float, typer.Option("--max-skipped", min=0, max=1, help="Maximum share of unusable samples, 0 to 1.")
    ] = 0.05,
    device: Annotated[str | None, typer.Option("--device", help="cpu or cuda (default: cuda if available).")] = None,
    cache: Annotated[Path | None, typer.Option("--cache", help="Folder for shards downloaded from URLs.")] = None,
) -> None:
    """Creates reinforced shards of image-caption data: stored augmentations, captions and teacher embeddings."""
    from pocketclip.models.api import reinforce
    from pocketclip.models.data.embeddings import EmbeddingDtype, EmbeddingFormat
    from pocketclip.models.data.reinforcement import StoredFormat
    from pocketclip.models.pixels.colour_profiles import ignored_words

    kinds = (
        command_line.parse_choice(StoredFormat, "--format", image_format),
        command_line.parse_choice(EmbeddingDtype, "--dtype", dtype),
        command_line.parse_choice(EmbeddingFormat, "--embeddings", embeddings),
    )
    with command_line.progress() as progress:
        task = progress.add_task("reinforcing", total=None)

        def show(report: ReinforceReport) -> None:
            progress.update(
                task,
                completed=report.samples,
                total=report.total,
                description=f"shard {report.shards}, {report.samples_per_second:.1f} samples/s",
            )

        result = reinforce(
            data,
            teachers=teachers,
            out=out,
            augmentations=augmentations,
            synthetic=synthetic,
            samples_per_shard=samples_per_shard,
            batch_size=batch_size,
            crop_scale=crop_scale,
            rand_augment=rand_augment,
            image_size=image_size,
            image_format=kinds[0],
            dtype=kinds[1],
            embeddings=kinds[2],
            seed=seed,
            device=device,
            workers=workers,
            max_skipped=max_skipped,
            cache=cache,
            on_report=show,
            on_skip=lambda sample: command_line.note(f"skipped {sample}"),
        )
    if result.left_out:
        command_line.note(f"note: skipped: {'; '.join(result.left_out)}")
    if result.ignored_profiles:
        command_line.note(f"note: {ignored_words(result.ignored_profiles, result.first_ignored_profile)}")
    skipped = f", {result.skipped} skipped" if result.skipped else ""
    command_line.note(f"wrote {result.shards} shards with {result.samples} samples to {out}{skipped}")
