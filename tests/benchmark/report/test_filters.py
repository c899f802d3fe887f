"""The page's script in a real browser: filters, the theme, the fragment that keeps both, and the page without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from benchmark.report.material import Material
from benchmark.report.render import render

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
