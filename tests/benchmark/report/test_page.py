"""The page in a real browser: what its tables say, how wide it is, that it asks the network for nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from pocketclip.benchmark.records.accuracy import AccuracyRecord
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, Status
from pocketclip.benchmark.report.material import Material, probe_targets
from pocketclip.benchmark.report.render import render
from pocketclip.export.precision import Precision, TargetName, Tower

REMEDY = "unavailable here: missing executorch; install it with: pip install -e '.[executorch]'"
REASON = "the measuring agent left no result.json: it was ended by SIGSEGV (exit code -11); <b>stderr</b>"


@pytest.fixture
def records(make: Any) -> tuple[list[BenchmarkRecord], list[AccuracyRecord]]:
    """Measured, parity-only, failed and parity-missing artefacts; one pair that loses 1.4."""
    missed = make.parity(cosine_min=0.917, failures=("cosine_min 0.917 is below 0.92",))
    benchmarks = [
        make.benchmark(TargetName.ONNX, Precision.FP32, Tower.IMAGE, median_ms=4.0),
        make.benchmark(TargetName.ONNX, Precision.FP32, Tower.TEXT, median_ms=2.0),
        make.benchmark(TargetName.ONNX, Precision.INT8_STATIC, Tower.IMAGE, median_ms=2.0, parity=missed),
        make.benchmark(TargetName.ONNX, Precision.INT8_STATIC, Tower.TEXT, median_ms=1.0),
        make.benchmark(TargetName.TFLITE, Precision.FP32, Tower.IMAGE, status=Status.FAILED, reason=REASON),
    ]
    for tower in Tower:
        benchmarks.append(
            make.benchmark(
                TargetName.COREML,
                Precision.FP16,
                tower,
                status=Status.PARITY_ONLY,
                reason="Core ML on Linux: parity only",
            )
        )
    accuracies = [
        make.accuracy(None),
        make.accuracy(TargetName.ONNX, Precision.FP32),
        make.accuracy(TargetName.ONNX, Precision.INT8_STATIC, correct=1772),
        make.accuracy(TargetName.COREML, Precision.FP16, correct=1799),
    ]
    return benchmarks, accuracies


@pytest.fixture
def report_file(records: Any, tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    path.write_text(render(Material(*records, unavailable={TargetName.EXECUTORCH: REMEDY})), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Browser, report_file: Path) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(report_file.as_uri())
    yield page
    page.close()


def cells(page: Page, table: str) -> list[list[str]]:
    """Rows of a table as a reader sees them."""
    rows = page.locator(f"table.{table} tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.innerText))"
    )
    return [[" ".join(cell.split()) for cell in row] for row in rows]


def test_artifacts_table(page: Page) -> None:
    rows = cells(page, "artifacts")
    assert [row[0] for row in rows] == ["ONNX fp32"] * 2 + ["ONNX int8-static"] * 2 + ["Core ML fp16"] * 2 + [
        "TFLite fp32"
    ]
    measured = rows[0]
    assert measured[1:4] == ["image", "11.0 MB", "pass"]
    assert all(re.fullmatch(r"\d+(\.\d+)? ms", cell) for cell in measured[4:8])
    assert 3.4 < float(measured[4].split()[0]) < 4.8
    assert rows[2][3] == "fail"
    bars = page.locator("table.artifacts .bar i").evaluate_all("bars => bars.map(bar => parseFloat(bar.style.width))")
    times = [float(row[4].split()[0]) for row in rows if len(row) == 9]
    assert bars == pytest.approx([100 * time / max(times) for time in times], rel=0.02)
    # What cannot be used on this computer is said once.
    assert page.locator(".environment .note").all_inner_texts() == [f"ExecuTorch: {REMEDY}"]


def test_parity_only_rows_show_no_latency(page: Page) -> None:
    rows = [row for row in cells(page, "artifacts") if row[0] == "Core ML fp16"]
    assert len(rows) == 2
    for row in rows:
        assert row[-1] == "not timed (Core ML on Linux: parity only)"
        assert not any(cell.endswith("ms") for cell in row)


def test_failed_row_is_red_and_gives_its_reason_as_text(page: Page) -> None:
    row = page.locator("table.artifacts tr.failed", has_text="failed:")
    assert row.count() == 1
    reason = row.locator("td.instead")
    assert reason.inner_text() == f"failed: {REASON}"
    red, green, blue = (int(part) for part in re.findall(r"\d+", reason.evaluate("e => getComputedStyle(e).color"))[:3])
    assert red > 150
    assert max(green, blue) < 80


def test_accuracy_table_words_the_alarm(page: Page) -> None:
    rows = cells(page, "accuracy")
    assert [row[:3] for row in rows] == [
        ["PyTorch", "fp32", "90.0 % 88.6 to 91.3"],
        ["ONNX", "fp32", "90.0 % 88.6 to 91.3"],
        ["ONNX", "int8-static", "88.6 % 87.2 to 89.9"],
        ["Core ML", "fp16", "90.0 % 88.5 to 91.2"],
    ]
    assert rows[0][-1] == "reference"
    assert rows[1][-1] == "no loss beyond 1 point"
    assert rows[2][3:] == ["100.0 %", "90.0 %", "+1.40 +1.10 to +1.70", "< 0.0001", "loses more than 1 point"]
    assert page.locator("table.accuracy tr.failed").count() == 1


def test_headline_counts_and_warns(page: Page) -> None:
    tiles = dict(
        zip(
            page.locator(".tile dt").all_inner_texts(),
            page.locator(".tile .value").all_inner_texts(),
            strict=True,
        )
    )
    assert tiles["Parity"] == "6 of 7"
    assert tiles["Accuracy"].split() == ["90.0", "%"]
    # int8 is faster but neither keeps its parity budget nor its accuracy.
    assert 5 < float(tiles["Fastest sound pair"].split()[0]) < 7.5
    alarms = page.locator(".alarms li").all_inner_texts()
    assert len(alarms) == 3
    assert any("loses more than 1 point of accuracy on scenes (1.40" in alarm for alarm in alarms)


def test_tables_are_tables_to_a_screen_reader(page: Page) -> None:
    page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true")
    for table in page.locator("table").all():
        assert table.locator("caption").inner_text()
        assert table.locator("thead th:not([scope])").count() == 0
        assert table.locator("tbody tr th[scope]").count() == table.locator("tbody tr").count()
    assert page.locator("svg[role=img] > title").count() == page.locator("svg").count() > 0
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.get_by_role("row").count() > 10


@pytest.mark.parametrize("width", [1920, 1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_and_asks_the_network_for_nothing(
    browser: Browser, report_file: Path, tmp_path: Path, width: int, scheme: Any
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(report_file.as_uri())
    screenshot = page.screenshot(path=tmp_path / f"{scheme}-{width}.png", full_page=True)
    assert len(screenshot) > 20_000
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    # One of the two drawings of each picture is shown, at about the size it was drawn for.
    shown = [box for figure in page.locator("svg").all() if (box := figure.bounding_box())]
    assert len(shown) == 2
    assert all(0.9 < box["width"] / (342 if width == 390 else 1080) < 1.15 for box in shown)
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor").startswith("rgb(20")
    assert dark == (scheme == "dark")
    page.close()


_FAINT = """() => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const paint = (colours) => {
        canvas.clearRect(0, 0, 1, 1);
        for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const luminance = (rgb) => rgb.map((part) => part / 255)
        .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
        .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
    for (const details of document.querySelectorAll('details')) details.open = true;
    const faint = [];
    for (const part of document.querySelectorAll('body *')) {
        const own = [...part.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!own || !part.checkVisibility() || part.closest('.skip, title')) continue;
        const grounds = [];
        for (let up = part; up; up = up.parentElement) grounds.unshift(getComputedStyle(up).backgroundColor);
        const style = getComputedStyle(part);
        const ink = part.closest('svg') ? style.fill : style.color;
        const [dark, light] = [luminance(paint(grounds)), luminance(paint([...grounds, ink]))].sort((a, b) => a - b);
        const ratio = (light + 0.05) / (dark + 0.05);
        if (ratio < 4.5) faint.push(`${part.tagName}.${part.getAttribute('class')} ${ratio.toFixed(2)}`);
    }
    return [...new Set(faint)];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_is_readable_on_its_ground(browser: Browser, report_file: Path, scheme: Any) -> None:
    page = browser.new_page(color_scheme=scheme)
    page.goto(report_file.as_uri())
    # WCAG AA for text.
    assert page.evaluate(_FAINT) == []
    page.evaluate("document.body.style.color = getComputedStyle(document.body).backgroundColor")
    assert page.evaluate(_FAINT) != []
    page.close()


def test_page_refers_to_nothing_outside(records: Any) -> None:
    html = render(Material(*records))
    assert not re.findall(r"https?://", html)
    assert re.findall(r'(?:src|href)="([^#"][^"]*)"', html) == ["data:,"]
    assert not re.findall(r"@import|url\(|<script [^>]|fetch\(|XMLHttpRequest|import\(", html)


def test_report_of_accuracy_alone(make: Any) -> None:
    html = render(Material(accuracies=[make.accuracy(None), make.accuracy()]))
    assert "Zero-shot classification on scenes" in html
    assert "<svg" not in html


def test_missing_targets_are_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    from pocketclip.export import targets
    from pocketclip.export.targets.base import Availability

    monkeypatch.setattr(
        targets,
        "probe",
        lambda target: Availability(target is not TargetName.EXECUTORCH, None, "missing x", "pip y"),
    )
    assert probe_targets() == {TargetName.EXECUTORCH: "unavailable here: missing x; install it with: pip y"}
