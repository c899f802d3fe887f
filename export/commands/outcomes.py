"""Shows the outcomes of an export on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text

from pocketclip.export.artifact.lint_finding import LintFinding, Severity
from pocketclip.export.artifact.precision_plan import PrecisionPlan
from pocketclip.export.jobs.memory import words
from pocketclip.export.jobs.workers import Outcome
from pocketclip.export.precision import Precision
from pocketclip.models.errors import PocketClipError
from pocketclip.models.terminal import command_line
from pocketclip.models.terminal.table import TerminalTable, figure_columns, name_column, word_column

_PREDICTED = "int8-static with onnx, executorch and tflite"


def failed(outcome: Outcome) -> bool:
    """Whether the artefact was not written, missed its parity budget, or has an error by a lint rule."""
    _, result = outcome
    return isinstance(result, Exception) or bool(result.failures)


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """2 where every failure is one that the user can put right (a full disk), else 1."""
    failures = [result for job, result in outcomes if failed((job, result))]
    return 2 if all(isinstance(result, PocketClipError) and result.exit_code == 2 for result in failures) else 1


def one_line(outcome: Outcome) -> str:
    """The outcome of one job, in one line."""
    job, result = outcome
    if isinstance(result, Exception):
        return f"failed   {job.label}: {result}"
    if failed(outcome):
        return f"failed   {job.label}: {'; '.join(result.failures)}"
    parity = result.manifest.parity
    assert parity is not None
    hints = _lint_hints(result.manifest.lint)
    if result.unchanged:
        return f"unchanged {job.label}: minimum cosine {parity.cosine_min:.6f}{hints}"
    return (
        f"exported {job.label}: minimum cosine {parity.cosine_min:.6f}, {result.seconds:.0f} s, "
        f"{words(result.peak_bytes)}{hints}"
    )


def _lint_hints(findings: Sequence[LintFinding]) -> str:
    """The codes of a lint's warnings, for the end of a line; `pocketclip lint` words them."""
    codes = ", ".join(dict.fromkeys(finding.code for finding in findings))
    return f"; lint: {codes}" if codes else ""


def print_outcomes(outcomes: Sequence[Outcome], skipped: Mapping[str, str]) -> None:
    """The table of all artefacts, and what is left out."""
    rows: list[tuple[str | Text, ...]] = []
    for job, result in outcomes:
        identity = (job.target, job.scheme.removeprefix(f"{job.target}-"), job.tower)
        if isinstance(result, Exception):
            rows.append((*identity, "", "", "", "", Text("not written", "red"), ""))
            continue
        parity = result.manifest.parity
        assert parity is not None
        rows.append(
            (
                *identity,
                f"{result.manifest.model_size_bytes / 1e6:.2f}",
                f"{parity.cosine_mean:.6f}",
                f"{parity.cosine_min:.6f}",
                f"{parity.top1_agreement:.1%}",
                Text("passed", "green") if parity.passed else Text("failed", "red"),
                _lint_cell(result.manifest.lint),
            )
        )
    console = command_line.console()
    console.print(
        TerminalTable(
            columns=(
                name_column("target"),
                name_column("precision"),
                name_column("tower"),
                *figure_columns("size\nMB"),
                *figure_columns("cosine\nmean", spare=1),
                *figure_columns("cosine\nmin"),
                *figure_columns("top-1", spare=2),
                word_column("parity"),
                word_column("lint"),
            ),
            rows=rows,
            title="Artefacts",
        )
    )
    for job, result in outcomes:
        plan = None if isinstance(result, Exception) else result.manifest.plan
        for line in () if plan is None else cost_lines(job.label, plan):
            console.print(line, highlight=False, soft_wrap=True)
    for name, reason in skipped.items():
        console.print(f"{name} is left out: {reason}", highlight=False, soft_wrap=True)


def cost_lines(label: str, plan: PrecisionPlan) -> list[str]:
    """What a mixed artefact is predicted to cost on each processor; says where a uniform precision costs less."""
    if not plan.costs:
        return [
            f"{label}: no cost predicted: cost factors are known only for {_PREDICTED}; "
            "measure it on your device with `pocketclip bench`"
        ]
    shares = "; ".join(
        f"{cost.processor} {cost.of_fp32:.2f} of fp32, {cost.of_base:.2f} of uniform {plan.base}" for cost in plan.costs
    )
    dearer = [
        f"warning: {label} is predicted to cost more than fp32 on {cost.processor} (x{cost.of_fp32:.2f}): "
        "for such devices export fp32 or fp16, or allow a larger drop"
        if Precision.FP32 in cost.cheaper
        else f"note: {label} is predicted to cost more than uniform {plan.base} on {cost.processor} "
        f"(x{cost.of_base:.2f}): {_bought(plan)}"
        for cost in plan.costs
        if cost.cheaper
    ]
    return [f"{label}: predicted cost: {shares}", *dearer]


def _bought(plan: PrecisionPlan) -> str:
    search = plan.search
    uniform = next((trial for trial in search.trials if trial.kept == 0), None) if search else None
    if search is None or uniform is None:
        return "what it keeps in higher precision makes it more accurate, not faster"
    outcome = "meets" if uniform.met else "misses"
    return f"uniform {plan.base} {outcome} {search.metric}={search.limit:g}"


def _lint_cell(findings: Sequence[LintFinding]) -> Text:
    colours = {finding.code: "red" if finding.severity is Severity.ERROR else "yellow" for finding in findings}
    return Text(" ").join(Text(code, colour) for code, colour in colours.items())
