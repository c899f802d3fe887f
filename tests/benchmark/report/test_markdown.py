"""The report as Markdown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pocketclip.benchmark.records.benchmark import Status
from pocketclip.benchmark.report.markdown import escape, render_markdown
from pocketclip.benchmark.report.material import Material
from pocketclip.export.precision import TargetName
from pocketclip.models.untrusted.printable import printable


def tables(text: str) -> list[list[list[str]]]:
    """Tables as cells; an escaped bar is none."""
    found: list[list[list[str]]] = []
    inside = False
    for line in text.splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        if not inside:
            found.append([])
        inside = True
        found[-1].append([cell.strip() for cell in line.replace("\\|", "\0").strip("|").split("|")])
    return found


def test_every_table_of_the_rich_store_is_whole(rich_store: Any, baseline: Any) -> None:
    text = render_markdown(Material(*rich_store, baseline=baseline))
    found = tables(text)
    assert len(found) > 20
    for table in found:
        assert len(table) > 2
        assert {len(row) for row in table} == {len(table[0])}
        assert all(cell in ("---", "---:") for cell in table[1])
    assert (
        "\n## Comparison\n\nCompares the latest valid record of each artefact with the one tagged v1.\n\n| Candidate |"
        in text
    )
    assert "\n### Accuracy and latency on pixel7\n" in text
    for title in ("Compared with v1", "Instructions per inference", "Invalid records", "Time by op", "Sustained"):
        assert f"#### {title}" in text
    assert "on the front" in text
    assert "<svg" not in text and "<table" not in text


def test_numbers_are_set_to_the_right_and_words_to_the_left(make: Any) -> None:
    found = tables(render_markdown(Material([make.benchmark()], [make.accuracy(None), make.accuracy()])))
    accuracy, formats = (dict(zip(*table[:2], strict=True)) for table in found[:2])
    assert (accuracy["Pair"], accuracy["Accuracy"], accuracy["Judgement"]) == ("---", "---:", "---")
    assert (formats["Tower"], formats["p50"], formats["Parity"]) == ("---", "---:", "---")


def test_texts_cannot_break_a_table(make: Any) -> None:
    reason = "a|b\n<script>`x` *y* [z](w)"
    text = render_markdown(Material([make.benchmark(status=Status.FAILED, reason=reason)]))
    (row,) = (line for line in text.splitlines() if line.startswith("| ONNX fp32 |"))
    assert "a\\|b &lt;script>\\`x\\` \\*y\\* \\[z\\](w)" in row


def test_missing_targets_and_untimed_devices(make: Any, parts: Any) -> None:
    material = Material([parts.counted(make.benchmark())], unavailable={TargetName.TFLITE: "unavailable here: x"})
    text = render_markdown(material)
    first = tables(text)[0]
    place = first[0].index("p50")
    assert first[2][place] == "48.400 million instructions per inference, on an emulated core"
    assert "\n- TFLite: unavailable here: x\n" in text


def test_command_of_the_environment_is_copied_as_it_is(make: Any) -> None:
    record = make.benchmark()
    record = replace(record, device=replace(record.device, name="my phone_1"))
    assert "\npocketclip bench --device 'my phone_1' --artifact artifacts" in render_markdown(Material([record]))


def test_escape() -> None:
    assert escape("a_b|c") == "a\\_b\\|c"


def test_no_text_of_a_record_steers_the_terminal(make: Any) -> None:
    evil = "pixel\x1b]0;x\x07\x9b2J\r\N{RIGHT-TO-LEFT OVERRIDE}7"
    record = make.benchmark(status=Status.FAILED, reason=f"crashed {evil}")
    record = replace(
        record, device=replace(record.device, name=evil, cpu=evil), artifact=replace(record.artifact, model=evil)
    )
    text = render_markdown(Material([record]))
    assert text == printable(text)
    assert "### On pixel\\\\x1b\\]0;x\\\\x07\\\\x9b2J\\\\x0d\\\\u202e7" in text
