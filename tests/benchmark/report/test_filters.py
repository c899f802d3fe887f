"""The page's script in a real browser: filters, the theme, the fragment that keeps both, and the page without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from pocketclip.benchmark.report.comparison import Baseline
from pocketclip.benchmark.report.material import Material
from pocketclip.benchmark.report.render import render
from pocketclip.export.precision import Precision, Tower

Open = Callable[..., Page]


@pytest.fixture
def rich_page(rich_store: Any, baseline: Any, tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    path.write_text(render(Material(*rich_store, baseline=baseline)), encoding="utf-8")
    return path


@pytest.fixture
def visit(browser: Browser, rich_page: Path) -> Iterator[Open]:
    """Opens the page; at the end no page may have complained or asked the network for anything."""
    complaints: list[str] = []
    requests: list[str] = []
    pages: list[Page] = []

    def open_page(fragment: str = "", **options: Any) -> Page:
        page = browser.new_page(**options)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(rich_page.as_uri() + fragment)
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []


def state(page: Page) -> dict[str, list[str]]:
    # Not `page.url`, which lags behind what the script wrote.
    return parse_qs(page.evaluate("location.hash.slice(1)"))


def box(page: Page, name: str) -> Locator:
    return page.get_by_role("checkbox", name=name, exact=True)


def counted(page: Page) -> tuple[int, int]:
    words = page.locator(".count").inner_text().split()
    return int(words[0]), int(words[2])


def visible_rows(page: Page) -> int:
    # A folded table is there to unfold: it counts as shown.
    return page.evaluate(
        """() => {
            for (const details of document.querySelectorAll('details')) details.open = true;
            return [...document.querySelectorAll('tbody tr[data-row]')].filter(row => row.checkVisibility()).length;
        }"""
    )


def sections(page: Page) -> list[str]:
    return page.locator("section.device:visible > h3").evaluate_all("all => all.map(h => h.innerText.split(' ')[1])")


def test_filters_hide_what_does_not_fit_and_count_the_rest(visit: Open) -> None:
    page = visit()
    shown, all_rows = counted(page)
    assert shown == all_rows == visible_rows(page)
    box(page, "pixel7").check()
    assert sections(page) == ["pixel7", "pixel7"]
    box(page, "pocketclip_nano").check()
    assert sections(page) == ["pixel7"]
    assert page.locator("section.model:visible h2").all_inner_texts() == ["pocketclip_nano"]
    assert 0 < counted(page)[0] < all_rows
    assert counted(page) == (visible_rows(page), all_rows)
    tiles = page.locator(".tile:visible .detail").all_inner_texts()
    assert any("on pixel7" in tile for tile in tiles) and not any("on host" in tile for tile in tiles)
    # Environment, pictures and alarms follow the same choice.
    assert page.locator(".environment dd:visible").first.inner_text() == "pixel7 (phone)"
    assert page.locator("svg:visible").count() == page.locator("[data-device=pixel7] svg:visible").count() > 2
    box(page, "host").check()
    assert sections(page) == ["host", "pixel7"]


def test_choice_lives_in_the_fragment_and_comes_back(visit: Open) -> None:
    page = visit()
    box(page, "emulator-arm64").check()
    box(page, "mobileclip_s0").check()
    assert state(page) == {"device": ["emulator-arm64"], "model": ["mobileclip_s0"]}
    before = counted(page)
    again = visit(page.evaluate("location.hash"))
    assert counted(again) == before
    assert box(again, "emulator-arm64").is_checked()
    again.get_by_role("button", name="Show all").click()
    assert state(again) == {}
    assert counted(again)[0] == counted(again)[1]
    assert again.get_by_role("button", name="Show all").count() == 0


def test_fragment_changed_by_hand_is_followed(visit: Open) -> None:
    page = visit("#device=host")
    page.evaluate("location.hash = '#device=pixel7&theme=dark'")
    expect(box(page, "pixel7")).to_be_checked()
    assert sections(page) == ["pixel7", "pixel7"]
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_values_of_another_report_select_nothing(visit: Open) -> None:
    page = visit("#device=toaster&model=%3Cscript%3E&theme=purple")
    assert counted(page)[0] == counted(page)[1]
    assert page.evaluate("document.documentElement.dataset.theme") is None


def test_links_within_the_page_keep_the_choice(visit: Open) -> None:
    page = visit("#device=host")
    page.get_by_role("link", name="pocketclip_nano", exact=True).click()
    page.wait_for_function("location.hash.includes('at=')")
    assert state(page) == {"device": ["host"], "at": ["pocketclip-nano"]}
    assert sections(page) == ["host", "host"]
    top = page.locator("#pocketclip-nano").evaluate("section => section.getBoundingClientRect().top")
    assert abs(top) < 60


def test_keyboard_alone_reaches_and_works_the_filters(visit: Open) -> None:
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Skip to the results"
    links = page.locator("nav a").count()
    for _ in range(links + 1):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.value") == "emulator-arm64"
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert state(page) == {"device": ["host"]}
    outline = page.evaluate("getComputedStyle(document.activeElement.closest('label')).outlineStyle")
    assert outline == "solid"
    assert page.locator(".count").get_attribute("aria-live") == "polite"
    # A box that scrolls can be scrolled by keys.
    assert page.locator(".scroll:not([tabindex='0'])").count() == 0


@pytest.mark.parametrize(("system", "other"), [("light", "dark"), ("dark", "light")])
def test_theme_can_be_chosen_against_the_system(visit: Open, system: Any, other: str) -> None:
    page = visit(color_scheme=system)
    toggle = page.get_by_role("button", name="Dark")
    backgrounds = {"light": "rgb(253, 253, 252)", "dark": "rgb(20, 23, 27)"}

    def background() -> str:
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    assert background() == backgrounds[system]
    assert toggle.get_attribute("aria-pressed") == str(system == "dark").lower()
    toggle.click()
    assert background() == backgrounds[other]
    assert toggle.get_attribute("aria-pressed") == str(other == "dark").lower()
    assert state(page) == {"theme": [other]}
    page.emulate_media(media="print")
    assert background() == backgrounds["light"]
    assert not page.locator("form.controls").is_visible()


def test_without_script_everything_is_shown(visit: Open) -> None:
    page = visit("#device=host", java_script_enabled=False)
    assert not page.locator("form.controls").is_visible()
    assert page.locator("section.device > h3:visible").count() == 6
    assert page.locator("[data-device][hidden], [data-model][hidden]").count() == 0


def test_folded_profiles_are_printed(visit: Open) -> None:
    page = visit()
    assert page.locator("details.fold:not([open])").count() > 0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details.fold:not([open])").count() > 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_screen_never_scrolls_sideways(visit: Open, tmp_path: Path, scheme: Any) -> None:
    page = visit(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    stray = page.evaluate(
        """() => [...document.querySelectorAll('main *')]
            .filter(part => part.checkVisibility() && !part.closest('thead, pre'))
            .filter(part => part.getBoundingClientRect().right > 361).map(part => part.outerHTML.slice(0, 120))"""
    )
    assert stray == []
    small = page.locator(".controls label, .controls button:visible").evaluate_all(
        "all => all.filter(part => part.getBoundingClientRect().height < 44).map(part => part.innerText)"
    )
    assert small == []
    assert len(page.screenshot(path=tmp_path / "phone.png", full_page=True)) > 50_000


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_no_table_is_wider_than_the_page_and_no_cell_is_cut(visit: Open, width: int) -> None:
    page = visit(viewport={"width": width, "height": 900})
    page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    wide = page.locator(".scroll").evaluate_all(
        "all => all.filter(part => part.scrollWidth > part.clientWidth).map(part => part.ariaLabel)"
    )
    assert wide == []
    cut = page.evaluate(
        """() => [...document.querySelectorAll('tbody th, tbody td')].filter(cell => {
            const inside = document.createRange();
            inside.selectNodeContents(cell);
            const text = inside.getBoundingClientRect(), own = cell.getBoundingClientRect();
            return text.right > own.right + 1 || text.left < own.left - 1;
        }).map(cell => cell.outerHTML.slice(0, 120))"""
    )
    assert cut == []


def test_names_break_after_a_hyphen_or_an_underscore_alone(visit: Open) -> None:
    page = visit(viewport={"width": 390, "height": 900})
    broken = page.evaluate(
        """() => {
            const broken = [];
            const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
            for (let node = walker.nextNode(); node; node = walker.nextNode()) {
                if (!node.parentElement.checkVisibility() || node.parentElement.closest('svg, pre, thead')) continue;
                for (const word of node.textContent.matchAll(/[^\\s-]+/g)) {
                    const range = document.createRange();
                    range.setStart(node, word.index);
                    range.setEnd(node, word.index + word[0].length);
                    const tops = new Set([...range.getClientRects()].map((box) => Math.round(box.top)));
                    if (tops.size > 1) broken.push(word[0]);
                }
            }
            return broken;
        }"""
    )
    assert broken == []


def order(page: Page, table: str, column: int) -> list[str]:
    return (
        page.locator(f"table.{table}")
        .first.locator("tbody tr")
        .evaluate_all(
            "(rows, column) => rows.map((row) => row.cells[column]?.querySelector('.value')?.innerText ?? '')", column
        )
    )


def test_tables_are_sorted_by_mouse_and_keyboard(visit: Open) -> None:
    page = visit("#device=host&model=pocketclip_nano")
    table = page.locator("section.device:visible table.artifacts")
    p50 = table.get_by_role("columnheader", name="p50")
    assert p50.get_attribute("aria-sort") == "none"

    def times() -> list[str]:
        return table.locator("tbody tr").evaluate_all(
            "rows => rows.map(row => row.cells[4].classList.contains('instead') ? '' : row.cells[4].innerText)"
        )

    before = times()
    p50.get_by_role("button").click()
    assert p50.get_attribute("aria-sort") == "ascending"
    figures = [float(time.split()[0]) for time in times() if time]
    assert figures == sorted(figures)
    assert len(set(figures)) > 5
    # What was not timed stays at the end, whatever the order.
    assert times()[-2:] == ["", ""]
    page.keyboard.press("Enter")
    assert p50.get_attribute("aria-sort") == "descending"
    assert [float(time.split()[0]) for time in times() if time] == figures[::-1]
    assert times()[-2:] == ["", ""]
    page.keyboard.press("Space")
    assert p50.get_attribute("aria-sort") == "none"
    assert times() == before
    names = table.get_by_role("columnheader", name="Artefact")
    names.get_by_role("button").press("Enter")
    assert (names.get_attribute("aria-sort"), p50.get_attribute("aria-sort")) == ("ascending", "none")
    listed = table.locator("tbody th").all_inner_texts()
    assert listed == sorted(listed)
    # Order changes neither what is shown nor how much of it.
    assert counted(page)[0] < counted(page)[1]
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_a_phone_with_a_keyboard_sorts_too(visit: Open) -> None:
    page = visit(viewport={"width": 390, "height": 844})
    heading = page.locator("table.cards thead th").first
    button = heading.locator("button")
    page.locator("table.cards").first.locator("xpath=..").focus()
    page.keyboard.press("Tab")
    expect(button).to_be_focused()
    # It shows where it is, within the screen.
    box = button.bounding_box()
    assert box is not None and box["width"] > 20 and box["height"] > 10 and box["x"] + box["width"] <= 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.keyboard.press("Enter")
    expect(heading).to_have_attribute("aria-sort", "ascending")


def test_a_caution_is_no_error(visit: Open) -> None:
    page = visit()
    colours = page.evaluate(
        """() => ["var(--red)", "var(--ink)"].map((value) => {
            const probe = document.body.appendChild(document.createElement("p"));
            probe.className = "note caution";
            const own = getComputedStyle(probe).color;
            probe.style.color = value;
            return [own, getComputedStyle(probe).color];
        })"""
    )
    assert colours[0][0] != colours[0][1] and colours[1][0] == colours[1][1]


def test_signed_changes_are_sorted_as_numbers(visit: Open) -> None:
    page = visit()
    table = page.locator("table.changes")
    heading = table.get_by_role("columnheader", name="Image latency")
    heading.get_by_role("button").click()
    column = table.locator("thead th").all_inner_texts().index("Image latency")
    shown = [float(text.replace("\N{MINUS SIGN}", "-").split()[0]) for text in order(page, "changes", column)]
    assert shown == sorted(shown)
    assert shown[0] < 0 < shown[-1]


def test_a_filter_that_hides_every_alarm_hides_their_box(
    make: Any, parts: Any, browser: Browser, tmp_path: Path
) -> None:
    path = tmp_path / "alarms.html"
    records = [make.benchmark(), parts.invalid(make.benchmark(device="phone"))]
    path.write_text(render(Material(records)), encoding="utf-8")
    page = browser.new_page()
    page.goto(path.as_uri())
    assert page.locator(".alarms").is_visible()
    box(page, "host").check()
    assert not page.locator(".alarms").is_visible()
    page.close()


HOSTILE = "x</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'--><svg onload=alert(3)>&{{7*7}}_|`"


def test_names_from_outside_are_text(make: Any, baseline: Baseline, browser: Browser, tmp_path: Path) -> None:
    benchmarks = [
        replace(
            record := make.benchmark(precision=precision, tower=tower, device=HOSTILE, launches=5),
            tag=tag,
            artifact=replace(record.artifact, model=HOSTILE),
        )
        for tag in (HOSTILE, f"{HOSTILE}2", None)
        for precision in (Precision.FP32, Precision.INT8_STATIC)
        for tower in Tower
    ]
    accuracies = [make.accuracy(None, model=HOSTILE, dataset=HOSTILE), make.accuracy(model=HOSTILE, dataset=HOSTILE)]
    material = Material(benchmarks, accuracies, baseline=replace(baseline, name=HOSTILE))
    path = tmp_path / "hostile.html"
    path.write_text(render(material), encoding="utf-8")
    page = browser.new_page()
    complaints: list[Any] = []
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.on("pageerror", lambda error: complaints.append(error))
    page.goto(path.as_uri())
    page.get_by_role("button", name="Dark").click()
    assert complaints == []
    assert page.locator("script").count() == 1
    assert page.locator("img, svg[onload], [onerror]").count() == 0
    assert HOSTILE in page.locator("section.model h2").inner_text()
    assert HOSTILE in (page.locator("svg").first.evaluate("svg => svg.parentElement.closest('section').innerText"))
    page.close()


def test_a_page_of_one_device_and_model_offers_no_filters(make: Any, browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "one.html"
    path.write_text(render(Material([make.benchmark()])), encoding="utf-8")
    page = browser.new_page()
    errors: list[Any] = []
    page.on("pageerror", lambda error: errors.append(error))
    page.goto(path.as_uri())
    assert page.locator("input[type=checkbox]").count() == 0
    assert page.get_by_role("button", name="Dark").is_visible()
    # The format table's row, and that of parity.
    assert counted(page) == (2, 2)
    assert errors == []
    page.close()
