"""The command `pocketclip`: every program of the project as a subcommand."""

from __future__ import annotations

from pocketclip.benchmark.commands.app import app_app
from pocketclip.benchmark.commands.bench import bench_command
from pocketclip.benchmark.commands.compare import compare_command
from pocketclip.benchmark.commands.devices import devices_app
from pocketclip.benchmark.commands.evaluate import eval_command
from pocketclip.benchmark.commands.fleet import fleet_app
from pocketclip.benchmark.commands.report import report_command
from pocketclip.benchmark.commands.results import results_app
from pocketclip.benchmark.commands.ship import ship_command
from pocketclip.benchmark.commands.tune import tune_command
from pocketclip.benchmark.commands.verify import verify_command
from pocketclip.export.commands.bundle import bundle_command, selftest_command
from pocketclip.export.commands.export import classify_command, export_command
from pocketclip.export.commands.gallery import index_command, search_command
from pocketclip.export.commands.inspect import inspect_command
from pocketclip.export.commands.lint import lint_command
from pocketclip.export.jobs import elsewhere
from pocketclip.models.commands.data import data_app
from pocketclip.models.commands.models import models_command
from pocketclip.models.commands.reinforce import reinforce_command
from pocketclip.models.commands.train import train_command
from pocketclip.models.terminal import command_line

# `export` is below what reaches a fleet: the command line, above both, names one to the other.
elsewhere.offer("pocketclip.benchmark.api.fleet_nodes:export_jobs")

app = command_line.new_app(
    "pocketclip", "CLIP-style image-text models on phones: train, export, verify, measure.", completion=True
)


@app.callback()
def pocketclip(version: command_line.VersionOption = False) -> None:
    """CLIP-style image-text models on phones: train, export, verify, measure."""


# In workflow order. `pocketclip --help` shows the summaries within 80 columns.
_COMMANDS = (
    ("models", models_command, "Lists models with parameters, GFLOPs and memory."),
    ("train", train_command, "Trains a model."),
    ("reinforce", reinforce_command, "Creates reinforced shards of image-caption data."),
    ("export", export_command, "Converts towers for mobile runtimes and checks parity."),
    ("inspect", inspect_command, "Shows what a Core ML, Core AI or NPU model holds."),
    ("lint", lint_command, "Checks a model or an artefact against lint rules."),
    ("verify", verify_command, "Compares each form of a model with PyTorch, step by step."),
    ("bundle", bundle_command, "Creates one folder with everything an app needs."),
    ("selftest", selftest_command, "Runs a bundle and checks its results."),
    ("classify", classify_command, "Ranks labels for an image."),
    ("index", index_command, "Embeds a folder of photographs for searching."),
    ("search", search_command, "Searches indexed photographs by a sentence or a photograph."),
    ("eval", eval_command, "Evaluates accuracy on data sets."),
    ("bench", bench_command, "Measures artefacts on a device."),
    ("compare", compare_command, "Tells which records are faster or slower."),
    ("tune", tune_command, "Searches changes and precisions for the best trade-off."),
    ("ship", ship_command, "Ships a trial of a study, with its evidence."),
    ("report", report_command, "Writes a report in one HTML file."),
)
# Commands that do something useful without an option.
_ALONE = frozenset({"models", "train", "report"})

for _name, _command, _summary in _COMMANDS:
    app.command(_name, short_help=_summary, no_args_is_help=_name not in _ALONE)(_command)
app.add_typer(data_app, name="data", short_help="Builds data sets.")
app.add_typer(devices_app, name="devices", short_help="Lists and checks devices; manages the emulated phone.")
app.add_typer(fleet_app, name="fleet", short_help="Joins hosts with devices to one bench; shows and drains them.")
app.add_typer(app_app, name="app", short_help="Builds the phone apps; checks Android packages.")
app.add_typer(results_app, name="results", short_help="Lists, imports and merges records.")


def main() -> None:
    """Entry point of the console script `pocketclip`."""
    command_line.run(app)
