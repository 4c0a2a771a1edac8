"""The report in a real browser, Debian's chromium, headless: it draws, asks nothing of any network, and can be used."""

from collections.abc import Iterator
from pathlib import Path
from shutil import which

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from stored_studies import Stored

from study.page.document import comparing_page, page
from study.records import read_study

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium; Debian has it as a package")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
SECTIONS = ("verdict", "test", "replicates", "search", "pictures", "choice", "cost", "troubles")
DRAWN = "document.querySelectorAll('.plot > .canvas .main-svg').length"
MARKED = (
    "[...document.querySelectorAll('.canvas')].filter(c => c.data?.some(t => t.meta === 'chosen'))"
    ".map(c => c.parentElement.dataset.name)"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """A browser with a profile of its own, which playwright makes and removes."""
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS), timeout=120_000)
        yield started
        started.close()


@pytest.fixture(scope="module")
def report(finished_once: Stored, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page(read_study(finished_once.folder)), encoding="utf-8")
    return path


class Opened:
    """A page that was opened; `said`: what its console said, `asked`: every address that it asked for."""

    def __init__(self, browser: object, path: Path, *, width: int = 1280, scheme: str = "light") -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[attr-defined]
        self.page.set_default_timeout(120_000)
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(f"file://{path}")
        self.page.wait_for_function(f"{DRAWN} > 0")
        self.page.wait_for_function("[...document.querySelectorAll('.canvas[data-drawn]')].every(c => c.data)")

    def look(self) -> NDArray[np.uint8]:
        """What is on the screen, (H, W, 3)."""
        png = np.frombuffer(self.page.screenshot(), np.uint8)
        return np.asarray(cv2.imdecode(png, cv2.IMREAD_COLOR), np.uint8)


@pytest.fixture(scope="module")
def opened(browser: object, report: Path) -> Opened:
    return Opened(browser, report)


def test_every_figure_is_drawn_without_a_word_or_a_request(opened: Opened, report: Path) -> None:
    assert opened.said == []
    assert [address for address in opened.asked if not address.startswith(("data:", "blob:"))] == [f"file://{report}"]
    for key in SECTIONS:
        assert opened.page.locator(f"section#{key} h2").is_visible()
    figures = opened.page.locator(".plot > .canvas")
    assert figures.count() >= 16
    assert opened.page.evaluate("[...document.querySelectorAll('.canvas')].every(c => c.querySelector('.main-svg'))")
    assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_trial_is_chosen_and_left_by_keys_alone(opened: Opened) -> None:
    opened.page.locator("select.trials").focus()
    opened.page.keyboard.press("ArrowDown")
    panel = opened.page.locator("aside.trial")
    assert panel.locator("h3").inner_text() == "Trial 6, the winner"
    assert "loss.alpha" in panel.inner_text()
    assert panel.locator(".samples .picture img").count() == 2 * 9
    assert panel.locator(".samples figcaption").first.inner_text().startswith("ellipse-swell (counts)")
    assert panel.evaluate("e => [...e.querySelectorAll('.samples img')].every(i => i.alt && i.naturalWidth > 100)")
    assert panel.locator(".curve .main-svg").count() > 0
    opened.page.wait_for_function(f"{MARKED}.length >= 7")
    marked = set(opened.page.evaluate(MARKED))
    assert {"history", "learning", "rungs", "slices", "parallel", "timeline", "replicates"} <= marked
    opened.page.keyboard.press("Escape")
    assert panel.is_hidden()
    opened.page.wait_for_function(f"{MARKED}.length === 0")


def test_a_table_and_a_figure_choose_as_well(opened: Opened) -> None:
    button = opened.page.locator("#search button[data-trial='3']")
    button.focus()
    opened.page.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "true"
    assert opened.page.locator("aside.trial .samples .picture").count() == 9
    assert "After epoch 3" in opened.page.locator("aside.trial .samples").inner_text()
    opened.page.locator("select.trials").select_option("7")
    assert "It was not scored, so it has none." in opened.page.locator("aside.trial").inner_text()
    opened.page.evaluate(
        "document.querySelector('[data-name=history] .canvas').emit('plotly_click', {points: [{customdata: 4}]})"
    )
    text = opened.page.locator("aside.trial").inner_text()
    assert "Trial 4" in text
    assert "<script>alert(1)</script>" in text  # the reason of its failure, as words
    opened.page.locator("aside.trial button.close").click()
    assert opened.page.locator("select.trials").input_value() == ""
    assert opened.said == []


def test_light_and_dark_are_drawn_in_their_own_colours(browser: object, opened: Opened, report: Path) -> None:
    dark = Opened(browser, report, width=390, scheme="dark")
    for one, darker in ((opened, False), (dark, True)):
        one.page.locator("[data-name=history]").scroll_into_view_if_needed()
        seen = one.look()
        assert (np.median(seen) < 60) == darker
        assert len(np.unique(seen.reshape(-1, 3), axis=0)) > 100  # words, lines, symbols: not an empty frame
    assert dark.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert dark.said == []
    dark.page.close()


def test_paper_has_every_section(opened: Opened) -> None:
    printed = opened.page.pdf(format="A4")
    assert printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ") >= len(SECTIONS)
    assert opened.page.evaluate("document.querySelectorAll('details[open]').length") == 0


def test_several_studies_draw_what_is_unfolded(browser: object, finished_once: Stored, tmp_path: Path) -> None:
    record = read_study(finished_once.folder)
    path = tmp_path / "comparison.html"
    path.write_text(comparing_page([record, record], reload=0), encoding="utf-8")
    page = browser.new_page()  # type: ignore[attr-defined]
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(f"file://{path}", timeout=120_000)
    assert page.evaluate(DRAWN) == 0
    page.locator("details.study > summary").nth(1).click()
    page.wait_for_function(f"{DRAWN} > 0")
    page.locator("select.trials").nth(1).select_option("2")
    assert page.locator("aside.trial").nth(0).is_hidden()
    assert page.locator("aside.trial").nth(1).is_visible()
    assert said == []
