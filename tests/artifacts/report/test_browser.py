"""The report in a real Chromium: what it draws, how it is used, that it asks nobody anything."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_core_python.selenium import Axe
from optuna.trial import FrozenTrial
from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from artifacts.certificate import Certificate
from artifacts.evaluation.request import read_assessment
from artifacts.leaderboard.load import load
from artifacts.metrics.per_video import ScoredClips
from artifacts.report.curves import Scored
from artifacts.report.model import Inspection
from artifacts.report.page import render
from artifacts.report.parts import Picture
from artifacts.report.report import Material, build_page
from artifacts.run_directory import RunDirectory

PHONE, DESK = 375, 1280
_IS_CHANGED = f"return innerWidth !== {DESK} || document.activeElement !== document.body"
_SIDEWAYS = (
    "const page = document.documentElement; return Math.max(page.scrollWidth - page.clientWidth, 0)"
)
MISCHIEF = "<script>window.mischief = 2</script><img src=x onerror='window.mischief = 3'>"


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    """A Chromium without a window; skips where there is none."""
    chromium, driver = (shutil.which(name) for name in ("chromium", "chromedriver"))
    if not (chromium and driver):
        pytest.skip("no Chromium: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.add_argument("--headless=new")
    # Root, as in a container, has no sandbox; the page is our own.
    for flag in ("--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with webdriver.Chrome(options, Service(driver)) as found:
        yield found


@pytest.fixture(scope="module")
def report(
    tmp_path_factory: pytest.TempPathFactory,
    _run_template: Path,
    searched: dict[str, list[FrozenTrial]],
) -> Path:
    """The report of a finished run some of whose names are mischief."""
    folder = tmp_path_factory.mktemp("report")
    shutil.copytree(_run_template, folder / "run")
    run = RunDirectory(folder / "run")
    for number, losses in enumerate(("0.9,0.5", "0.7,0.8")):
        trial = run.trial("architecture", number)
        trial.mkdir(parents=True)
        first, second = losses.split(",")
        (trial / "history.csv").write_text(
            f"epoch,loss,val_auc,val_log_loss\n1,{first},0.6,0.7\n2,{second},0.8,0.6\n"
        )
    Image.new("RGB", (700, 300)).save(run.picture)
    material = Material(
        run=run,
        trials=searched,
        board=load(run, searched),
        certificate=Certificate.read(run),
        scores={"test": _scored(), "val": _scored()},
        tested=read_assessment(run),
        audit="the store is elsewhere",
        inspection=Inspection(_streams(), (Picture(run.picture.read_bytes(), MISCHIEF, MISCHIEF),)),
    )
    path = folder / "report.html"
    path.write_text(render(build_page(material)), encoding="utf-8")
    return path


def _streams() -> dict[str, Any]:
    row = {"auc_without": 0.7, "loss": 0.1, "loss_interval": [0.0, 0.2]}
    row |= {"weight_real": 0.5, "weight_fake": 0.5}
    streams = [row | {"stream": "spatial"}, row | {"stream": "audio", "loss_interval": None}]
    return {"streams": streams, "clips": 40, "auc": 0.8, "fusion": "attention"}


def _scored() -> Scored:
    rng = np.random.default_rng(1)
    labels = np.tile([0, 1], 20)
    clips = ScoredClips(
        labels=labels,
        probabilities=(0.6 * labels + 0.4 * rng.random(40)) * 0.9,
        groups=np.repeat([f"person {number}" for number in range(10)], 4),
        methods=np.array([MISCHIEF if label else "real" for label in labels]),
        coverage=np.ones(40),
    )
    return Scored(np.array([MISCHIEF] * 40), clips, clips)


@pytest.fixture
def page(browser: webdriver.Chrome, report: Path) -> webdriver.Chrome:
    """The report on a desk; opened once for all tests that find it as they left it."""
    if browser.current_url != report.as_uri() or browser.execute_script(_IS_CHANGED):
        _show(browser, report, DESK)
    return browser


def _show(browser: webdriver.Chrome, path: Path, width: int, **media: Any) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width == PHONE},
    )
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.get(path.as_uri())


def test_nothing_goes_wrong_and_nobody_is_asked_anything(
    browser: webdriver.Chrome, report: Path
) -> None:
    for log in ("browser", "performance"):
        browser.get_log(log)
    _show(browser, report, DESK)
    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert report.as_uri() in asked
    assert [url for url in asked if not url.startswith(("data:", report.as_uri()))] == []


def test_mischief_in_names_and_reasons_is_text(page: webdriver.Chrome) -> None:
    assert page.execute_script("return window.mischief") is None
    assert "<script>window.mischief = 1</script>" in page.find_element(By.ID, "leaderboard").text


def test_the_policy_of_the_page_stops_a_script_that_got_in(page: webdriver.Chrome) -> None:
    page.execute_script(
        "const script = document.createElement('div');"
        "script.innerHTML = '<img src=x onerror=\"window.mischief = 4\">';"
        "document.body.append(script)"
    )
    page.execute_async_script("setTimeout(arguments[0], 200)")
    assert page.execute_script("return window.mischief") is None
    assert any("Content Security Policy" in entry["message"] for entry in page.get_log("browser"))


def test_every_plot_is_drawn(page: webdriver.Chrome) -> None:
    drawn = page.execute_script(
        "return [...document.querySelectorAll('.plot')].map(plot => ["
        " plot.getAttribute('aria-label'),"
        " plot.querySelectorAll('.cartesianlayer .trace path').length])"
    )
    names = " ".join(name for name, _ in drawn)
    for word in ("ROC", "DET", "Precision", "Calibration", "Importance", "Pareto", "epoch"):
        assert word in names
    assert [name for name, paths in drawn if not paths] == []


def test_a_table_sorts_by_a_click_and_by_the_keyboard(page: webdriver.Chrome) -> None:
    def column(name: str) -> list[str]:
        return list(
            page.execute_script(
                "const table = document.querySelector('#leaderboard table');"
                "const at = [...table.tHead.rows[0].cells].findIndex(cell =>"
                " cell.textContent === arguments[0]);"
                "return [...table.tBodies[0].rows].map(row => row.cells[at].textContent)",
                name,
            )
        )

    def button(name: str) -> Any:
        return page.find_element(By.XPATH, f"//*[@id='leaderboard']//button[text()='{name}']")

    button("seconds").click()
    assert column("seconds") == ["2", "3", "11", "20", ""]
    head = button("seconds").find_element(By.XPATH, "..")
    assert head.get_attribute("aria-sort") == "ascending"
    button("seconds").send_keys(Keys.ENTER)
    assert column("seconds") == ["20", "11", "3", "2", ""]
    assert head.get_attribute("aria-sort") == "descending"
    button("AUC").send_keys(Keys.SPACE)
    assert column("AUC") == ["0.700", "0.810", "0.920", "", ""]
    assert head.get_attribute("aria-sort") is None


def test_print_has_no_navigation_and_cuts_no_plot(browser: webdriver.Chrome, report: Path) -> None:
    _show(browser, report, DESK, media="print")
    assert not browser.find_element(By.TAG_NAME, "nav").is_displayed()
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.7})
    pdf = base64.b64decode(printed["data"])
    assert pdf.startswith(b"%PDF")
    assert len(re.findall(rb"/Type /Page\b", pdf)) > 3


def test_plots_are_narrowed_for_paper_and_widened_again(page: webdriver.Chrome) -> None:
    def widths() -> list[int]:
        return list(
            page.execute_script(
                "return [...document.querySelectorAll('.plot .main-svg')].map(svg =>"
                " svg.getBoundingClientRect().width)"
            )
        )

    before = widths()
    page.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    assert max(widths()) <= 680 < max(before)
    page.execute_script("window.dispatchEvent(new Event('afterprint'))")
    page.execute_async_script("setTimeout(arguments[0], 300)")
    assert widths() == before


@pytest.mark.parametrize(("width", "scheme"), [(PHONE, "light"), (DESK, "dark")])
def test_axe_finds_nothing_serious_and_nothing_scrolls_sideways(
    browser: webdriver.Chrome, report: Path, width: int, scheme: str
) -> None:
    look = {"name": "prefers-color-scheme", "value": scheme}
    _show(browser, report, width, features=[look])
    assert browser.execute_script(_SIDEWAYS) == 0
    found = Axe().run(browser)["violations"]
    grave = [fault for fault in found if fault["impact"] in ("serious", "critical")]
    assert [(fault["id"], fault["nodes"][0]["html"][:200]) for fault in grave] == []


def test_the_first_tab_skips_to_the_content(page: webdriver.Chrome) -> None:
    page.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    skip = page.switch_to.active_element
    assert skip.text == "Skip to the content"
    assert skip.is_displayed()
    skip.send_keys(Keys.ENTER)
    assert page.switch_to.active_element.get_attribute("id") == "content"


def test_headings_leave_out_no_level(page: webdriver.Chrome) -> None:
    levels = page.execute_script(
        "return [...document.querySelectorAll('h1, h2, h3')].map(h => Number(h.tagName[1]))"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert max(np.diff(levels)) == 1
