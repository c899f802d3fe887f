"""`python -m pocketclip.benchmark.trials ARTEFACT`: tests how far you can trust verdicts from this computer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pocketclip.benchmark.commands.options import StoreOption
from pocketclip.benchmark.default_store import DEFAULT_STORE
from pocketclip.models.terminal import command_line

app = command_line.new_app("pocketclip.benchmark.trials", "Tests the measuring method on this computer.")


@app.command(no_args_is_help=True)
def trials_command(
    artifact: Annotated[Path, typer.Argument(help="An artefact's folder.")],
    comparisons: Annotated[
        int, typer.Option("--comparisons", min=1, help="Comparisons of the artefact with itself.")
    ] = 20,
    launches: Annotated[int, typer.Option("--launches", min=4, help="Launches on each side of a comparison.")] = 8,
    iterations: Annotated[int, typer.Option("--iterations", min=10, help="Steady inferences per launch.")] = 100,
    slowdown: Annotated[
        float, typer.Option("--slowdown", min=0.001, help="Size of the planted slow-down, as a share.")
    ] = 0.05,
    overhead: Annotated[
        int, typer.Option("--overhead", min=0, help="Number of bare loops to compare with the agent.")
    ] = 9,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Compares an artefact with itself, detects a planted slow-down, and compares the agent with a bare loop."""
    from pocketclip.benchmark.statistics.verdicts import Verdict
    from pocketclip.benchmark.store import open_store
    from pocketclip.benchmark.trials.trials import TrialSettings, compare_with_bare_loop, planted_trial, same_trials
    from pocketclip.export.artifact.reading import load_artifact

    chosen = load_artifact(artifact)
    settings = TrialSettings(launches=launches, iterations=iterations)
    with open_store(store) as records, command_line.progress() as progress:
        task = progress.add_task("against itself", total=comparisons)
        same = []
        for found in same_trials(chosen, settings, comparisons):
            records.append(found.baseline)
            records.append(found.candidate)
            same.append(found)
            progress.update(task, advance=1)
        progress.update(task, description="planted slow-down")
        planted = planted_trial(chosen, settings, slowdown)
        progress.update(task, description="bare loops")
        ratio = compare_with_bare_loop(chosen, settings, overhead) if overhead else None
    false = [each for each in same if each.verdict is not Verdict.CANNOT_TELL]
    print(f"{chosen.label}, {launches} launches of {iterations} inferences on each side")
    changes = ", ".join(f"{each.ratio - 1:+.1%}" for each in same)
    print(f"compared with itself: {len(false)} of {len(same)} verdicts are false ({changes})")
    detectable = [each.detectable for each in same if each.detectable is not None]
    print(f"detectable change: {min(detectable):.1%} to {max(detectable):.1%}")
    print(
        f"planted {slowdown:+.1%}: {planted.comparison.verdict}, {planted.comparison.ratio - 1:+.1%}, "
        f"p = {planted.comparison.p_value:.2g}, {planted.seconds:.0f} s for both sides"
    )
    if ratio is not None:
        print(f"agent against a bare loop: {ratio.median - 1:+.2%} ({ratio.low - 1:+.2%} to {ratio.high - 1:+.2%})")


if __name__ == "__main__":
    command_line.run(app)
