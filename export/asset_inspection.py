"""Reads a Core AI asset into the record that `inspect` shows."""

from __future__ import annotations

from pathlib import Path

from pocketclip.export.coreai.asset_report import AssetReport, report_of
from pocketclip.export.coreai.program import read_program
from pocketclip.export.lint import neural_engine_rules
from pocketclip.export.lint.read_coreai import graph_of
from pocketclip.export.lint.subject import Subject


def report_on_asset(path: Path) -> AssetReport:
    """Reads an `.aimodel`; trouble spots are what lint's rules about the Neural Engine find.

    Raises:
        ArtifactError: as `export.coreai.program.read_program`.
    """
    program = read_program(path)
    subject = Subject(label=str(path), graph=graph_of(program))
    found = [f"{spot.where}: {spot.message}" for check in neural_engine_rules.CHECKS for spot in check(subject)]
    names = [function.name for function in program.public]
    if len(names) == 1:
        return report_of(program, {names[0]: tuple(found)})
    return report_of(program, {name: tuple(each for each in found if each.startswith(f"{name}: ")) for name in names})
