"""The umbrella command `pocketclip`: every program of the project under one name."""

from __future__ import annotations

from pocketclip.benchmark.commands.app import app_app
from pocketclip.benchmark.commands.bench import bench_command
from pocketclip.benchmark.commands.compare import compare_command
from pocketclip.benchmark.commands.devices import devices_app
from pocketclip.benchmark.commands.evaluate import eval_command
from pocketclip.benchmark.commands.report import report_command
from pocketclip.benchmark.commands.results import results_app
from pocketclip.benchmark.commands.verify import verify_command
from pocketclip.export.commands.bundle import bundle_command, selftest_command
from pocketclip.export.commands.export import classify_command, export_command
from pocketclip.export.commands.inspect import inspect_command
from pocketclip.export.commands.lint import lint_command
from pocketclip.models.commands.models import models_command
from pocketclip.models.commands.reinforce import reinforce_command
from pocketclip.models.commands.train import train_command
from pocketclip.models.terminal import command_line

app = command_line.new_app(
    "pocketclip", "CLIP-style image-text models on phones: train, export, prove, measure.", completion=True
)


@app.callback()
def pocketclip(version: command_line.VersionOption = False) -> None:
    """CLIP-style image-text models on phones: train, export, prove, measure."""


# In the order of the work; the words stand in `pocketclip --help`, within 80 columns.
_COMMANDS = (
    ("models", models_command, "Shows the models: parameters, GFLOPs, memory."),
    ("train", train_command, "Trains a model."),
    ("reinforce", reinforce_command, "Makes reinforced shards of image-caption data."),
    ("export", export_command, "Converts towers for runtimes, and proves each artefact."),
    ("inspect", inspect_command, "Prints what a Core ML package holds."),
    ("lint", lint_command, "Checks a model or an artefact against rules."),
    ("verify", verify_command, "Compares every form of a model with PyTorch, rung by rung."),
    ("bundle", bundle_command, "Makes one folder with all that an application needs."),
    ("selftest", selftest_command, "Checks a bundle and runs it."),
    ("classify", classify_command, "Ranks labels for a photograph."),
    ("eval", eval_command, "Judges accuracy on data sets."),
    ("bench", bench_command, "Measures artefacts on a device."),
    ("compare", compare_command, "Says what is faster, slower, or cannot be told."),
    ("report", report_command, "Writes a report as one HTML file."),
)
# Those that do something useful without an option.
_ALONE = frozenset({"models", "train", "report"})

for _name, _command, _summary in _COMMANDS:
    app.command(_name, short_help=_summary, no_args_is_help=_name not in _ALONE)(_command)
app.add_typer(devices_app, name="devices", short_help="Lists devices, checks them, keeps the emulated phone.")
app.add_typer(app_app, name="app", short_help="Builds the applications for phones.")
app.add_typer(results_app, name="results", short_help="Lists, imports and merges records.")


def main() -> None:
    """Entry point of the console script `pocketclip`."""
    command_line.run(app)
