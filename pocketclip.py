"""The umbrella command `pocketclip`: every program of the project under one name."""

from __future__ import annotations

from benchmark.app_cli import app_app
from benchmark.cli import bench_command
from benchmark.compare_cli import compare_command
from benchmark.devices_cli import devices_app
from benchmark.eval_cli import eval_command
from benchmark.report_cli import report_command
from benchmark.results_cli import results_app
from benchmark.verify_cli import verify_command
from export.bundle_cli import bundle_command, selftest_command
from export.cli import classify_command, export_command
from export.inspect_cli import inspect_command
from export.lint_cli import lint_command
from models import command_line
from models.cli import models_command
from models.reinforce_cli import reinforce_command
from models.train_cli import train_command

app = command_line.new_app("pocketclip", "CLIP-style image-text models on phones: train, export, prove, measure.")
app.command("models")(models_command)
app.command("train")(train_command)
app.command("reinforce", no_args_is_help=True)(reinforce_command)
app.command("export", no_args_is_help=True)(export_command)
app.command("inspect", no_args_is_help=True)(inspect_command)
app.command("bundle", no_args_is_help=True)(bundle_command)
app.command("selftest", no_args_is_help=True)(selftest_command)
app.command("lint", no_args_is_help=True)(lint_command)
app.command("verify", no_args_is_help=True)(verify_command)
app.command("classify", no_args_is_help=True)(classify_command)
app.command("eval", no_args_is_help=True)(eval_command)
app.command("bench", no_args_is_help=True)(bench_command)
app.add_typer(devices_app, name="devices")
app.add_typer(app_app, name="app")
app.command("compare", no_args_is_help=True)(compare_command)
app.command("report")(report_command)
app.add_typer(results_app, name="results")


def main() -> None:
    """Entry point of the console script `pocketclip`."""
    command_line.run(app)


if __name__ == "__main__":
    main()
