"""The report as HTML: one file with its style, script and pictures inside, which asks the network for nothing."""

from __future__ import annotations

from pathlib import Path

from pocketclip.benchmark.report.content import build_report
from pocketclip.benchmark.report.material import Material
from pocketclip.benchmark.report.names import break_points
from pocketclip.models.terminal.version import tool_version

_FOLDER = Path(__file__).parent


def render(material: Material) -> str:
    """The page.

    Raises:
        ReportError: there are no records, or none of the baseline.
    """
    # Imported here: only a report needs it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    report = build_report(material)
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The pictures are ours and escape their texts themselves; so are the style sheet and the script.
    environment.filters["picture"] = Markup
    environment.filters["name"] = lambda text: Markup("<wbr>").join(break_points(text))
    style, script = (Markup((_FOLDER / name).read_text(encoding="utf-8")) for name in ("report.css", "report.js"))
    page = environment.get_template("report.html.j2")
    return page.render(report=report, style=style, script=script, version=tool_version())
