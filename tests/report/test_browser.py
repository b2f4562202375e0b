"""The report in a real browser, without a network: what a reader clicks and sees."""

import json
import os
import shutil

import numpy as np
import pytest

from tests.report.test_write import gaussian_solver
from veldist.report import write_report
from veldist.sky.pixels import PixelGrid

pytest.importorskip("selenium", reason="selenium is not installed: pip install 'veldist[test]'")

N_BINS = 9
CENTERS = 3.0 * np.arange(N_BINS) - 12.0


def _find(*names):
    return next((found for found in map(shutil.which, names) if found), None)


CHROMIUM = _find("chromium", "chromium-browser", "google-chrome")
DRIVER = _find("chromedriver", "chromium.chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER),
    reason="no Chromium with its driver on the PATH (Debian: apt-get install chromium chromium-driver)",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    arguments = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1400,1000"]
    arguments.append(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    if os.geteuid() == 0:
        # Chromium refuses to run as root, as in most containers, with its sandbox.
        arguments.append("--no-sandbox")
    for argument in arguments:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd(
        "Network.emulateNetworkConditions",
        {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0},
    )
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A 3 x 3 map in which bin 1 is at the lower left, bin 3 to its right, and bin 5 is skipped."""
    folder = tmp_path_factory.mktemp("pages")
    solvers = [
        None if k == 4 else gaussian_solver(k + 3, center=float(CENTERS[k]), converged=k != 8)
        for k in range(N_BINS)
    ]
    median = np.where(np.arange(N_BINS) == 4, np.nan, CENTERS)
    maps = {
        "v_mean": {"median": median, "uncertainty": np.where(np.isnan(median), np.nan, 0.75)},
        "sigma": {"median": np.where(np.isnan(median), np.nan, 10.0 + np.arange(9.0)[::-1])},
        "outside_grid": {"median": np.abs(median) * 1e-12, "uncertainty": np.abs(median) * 2e-13},
        "tiny": {"median": median * 1e-12, "uncertainty": np.abs(median) * 2e-13},
        "h3": {"median": median / 100.0, "uncertainty": np.where(np.isnan(median), np.nan, 0.03)},
        "gh_converged": {
            "median": np.where(np.arange(N_BINS) == 3, 0.625, np.where(np.isnan(median), np.nan, 1.0))
        },
        "kurtosis": {"median": median / 20.0, "prior_dominated": np.arange(N_BINS) == 1},
    }
    ids = np.kron(np.arange(1, 10).reshape(3, 3), np.ones((2, 2), dtype=int))
    grid = PixelGrid(-3.0, -3.0, 6.0, 6.0, 0.0, 6, 6)
    title = "A <b>title</b>"
    return {
        "pixels": write_report(
            folder / "p.html", solvers, maps=maps, grid=grid, ids=ids, title=title, settings={"seed": 1}
        ),
        "nowhere": write_report(folder / "n.html", solvers, maps=maps),
    }


class Reader:
    """What a person at the page does and sees."""

    def __init__(self, driver, path):
        from selenium.webdriver.common.by import By
        from selenium.webdriver.common.keys import Keys

        self.driver, self.css, self.keys = driver, By.CSS_SELECTOR, Keys
        for log in ("browser", "performance"):
            driver.get_log(log)
        driver.get(path.as_uri())

    def all(self, selector):
        return self.driver.find_elements(self.css, selector)

    def one(self, selector):
        return self.driver.find_element(self.css, selector)

    def text(self, selector):
        return self.one(selector).text

    @property
    def chosen(self):
        return self.text("#bin-title")

    @property
    def losvd(self):
        return self.one("#losvd-median").get_attribute("d")

    def press(self, element, name):
        element.send_keys(getattr(self.keys, name))

    def column(self, number):
        return [cell.text for cell in self.all(f"#table tbody td:nth-child({number})")]

    def requests(self):
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith(("file:", "data:"))]


@pytest.fixture
def reader(browser, pages):
    def open_page(name="pixels"):
        browser.set_window_size(1400, 1000)
        return Reader(browser, pages[name])

    yield open_page
    problems = [e for e in browser.get_log("browser") if e["level"] in ("SEVERE", "WARNING")]
    assert not problems
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0


def test_a_click_on_a_bin_shows_its_losvd(reader):
    page = reader()
    assert page.text("h1") == "A <b>title</b>"
    assert page.chosen == "Bin 1"
    seen = [page.losvd]
    for index in (2, 7):
        page.one(f"#panels [data-bin='{index}']").click()
        assert page.chosen == f"Bin {index + 1}"
        assert "40 stars" in page.text("#bin-place")
        seen.append(page.losvd)
    assert len(set(seen)) == 3
    assert "velocity [km/s]" in page.text("#losvd")
    assert page.text("#status") == "Bin 8, mean velocity 9.00 ± 0.75 km/s, velocity dispersion 11 km/s"
    # A skipped bin can be chosen and says so; one that has not converged warns.
    page.one("#panels [data-bin='4']").click()
    assert page.chosen == "Bin 5"
    assert not page.all("#losvd-median")
    assert "skipped" in page.text("#losvd")
    page.one("#panels [data-bin='8']").click()
    assert "NOT converged" in page.text("#judgement")
    page.one("#panels [data-bin='1']").click()
    assert "The prior weighs more than the data on: kurtosis" in page.text("#judgement")
    # Neither of these is written as 0.000000, and no probability as 9.0e-12.
    assert "tiny -9.0e-12 ± 1.8e-12" in page.text("#details").replace("−", "-")
    assert "probability mass outside the velocity grid 0" in page.text("#details").splitlines()
    assert page.requests() == []


def test_a_series_that_the_data_do_not_determine_is_marked_and_said(reader):
    page = reader()
    said = "The Gauss–Hermite series is not determined by the data here: the fits of only 62 % of the draws"
    for index, marked in ((3, True), (5, False)):
        page.one(f"#panels [data-bin='{index}']").click()
        assert (said in page.text("#judgement")) == marked
        rows = {row.text.split("\n")[0]: row for row in page.all("#details tr")}
        (h3,) = (row for text, row in rows.items() if text.startswith("Gauss-Hermite h3"))
        assert h3.text.endswith("†") == marked
        assert "prior" not in page.text("#judgement")
    mark = page.one("#table tr[data-bin='3'] abbr")
    assert mark.accessible_name == "the data do not determine the Gauss–Hermite series"
    menu = page.one("#panels select")
    hatched = []
    for choice in ("h3", "gh_converged", "h3 uncertainty"):
        page.driver.execute_script(
            "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))", menu, choice
        )
        outline = page.one("#panels [data-bin='3']").get_attribute("d")
        hatched.append(page.one("#panels .overlay").get_attribute("d") == outline)
    assert hatched == [True, False, False]


def test_the_peak_of_the_drawn_losvd_is_where_the_stars_are(reader):
    """The median's highest step, in the drawing's own coordinates, moves with the mean of the bin."""
    page = reader()
    peaks = []
    for index in (0, 2, 7):
        page.one(f"#panels [data-bin='{index}']").click()
        points = np.array([p.split() for p in page.losvd[1:].split("L")], dtype=float)
        top = points[points[:, 1] == points[:, 1].min()]
        peaks.append(top[:, 0].mean())
    # Equal axes for all bins: pixels are proportional to velocities, to within bins of 4 km/s.
    slope = (peaks[2] - peaks[0]) / (CENTERS[7] - CENTERS[0])
    assert slope > 0
    assert (peaks[1] - peaks[0]) / slope == pytest.approx(CENTERS[2] - CENTERS[0], abs=8.0)


def test_y_runs_upwards_in_maps(reader):
    page = reader()
    places = {k: page.one(f"#panels [data-bin='{k}']").rect for k in (0, 2, 6)}
    assert places[2]["x"] > places[0]["x"] + 10
    assert places[2]["y"] == pytest.approx(places[0]["y"], abs=1)
    # Screen coordinates run downwards.
    assert places[6]["y"] < places[0]["y"] - 10


def test_arrow_keys_move_to_the_neighbour_in_that_direction(reader):
    page = reader()
    target = page.one("#panels svg")
    # Ids run from the lower left to the right and then upwards.
    for key, expected in [("RIGHT", 2), ("UP", 5), ("UP", 8), ("UP", 8), ("LEFT", 7), ("DOWN", 4)]:
        page.press(target, f"ARROW_{key}")
        assert page.chosen == f"Bin {expected}"
    page.one("#next").click()
    assert page.chosen == "Bin 5"
    page.one("#previous").click()
    assert page.chosen == "Bin 4"


def test_without_positions_arrows_go_through_the_list(reader):
    page = reader("nowhere")
    assert not page.one("#maps").is_displayed()
    for key, expected in [("RIGHT", 2), ("RIGHT", 3), ("LEFT", 2)]:
        page.press(page.one("body"), f"ARROW_{key}")
        assert page.chosen == f"Bin {expected}"


def test_the_table_sorts_and_selects(reader):
    page = reader()
    heading = page.one("#table [data-key='sigma']")
    heading.click()
    assert page.one("#table th[aria-sort]").get_attribute("aria-sort") == "ascending"
    # The skipped bin is last in both directions.
    assert page.column(1) == ["9", "8", "7", "6", "4", "3", "2", "1", "5"]
    page.one("#table [data-key='sigma']").click()
    assert page.one("#table th[aria-sort]").get_attribute("aria-sort") == "descending"
    assert page.column(1) == ["1", "2", "3", "4", "6", "7", "8", "9", "5"]
    assert page.column(5)[0] == "−12.00 ± 0.75"
    row = page.one("#table tr[data-bin='5']")
    row.click()
    assert page.chosen == "Bin 6"
    assert row.get_attribute("aria-selected") == "true"
    page.press(row, "ARROW_DOWN")
    assert page.chosen == "Bin 7"
    assert page.text("#table tr[data-bin='8'] .words") == "not converged"
    before = len(page.all("#table thead th"))
    page.one("#all-columns").click()
    assert len(page.all("#table thead th")) > before - 1


def test_every_quantity_can_be_shown(reader):
    page = reader()
    menu = page.one("#panels select")
    choices = [option.get_attribute("value") for option in page.all("#panels figure:first-child option")]
    assert "kurtosis" in choices
    assert "v_mean uncertainty" in choices
    before = page.one("#panels [data-bin='0']").get_attribute("fill")
    for choice in choices:
        page.driver.execute_script(
            "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))", menu, choice
        )
        areas = page.all("#panels figure:first-child [data-bin]")
        assert len(areas) == N_BINS
        assert areas[4].get_attribute("fill") == "url(#skipped)"
    assert areas[0].get_attribute("fill") != before
    assert "NaN" not in page.driver.page_source.split('type="application/json"')[0]


def test_everything_has_a_name_for_screen_readers(reader):
    page = reader()
    for control in page.all("button, select, input"):
        assert control.accessible_name.strip()
    for picture in page.all("#panels svg, #losvd svg"):
        assert picture.accessible_name.strip()
    titles = page.all("#panels figure:first-child [data-bin] title")
    assert titles[0].get_attribute("textContent") == "Bin 1: V = −12.00 ± 0.75 km/s"
    assert titles[4].get_attribute("textContent") == "Bin 5: not fitted"


@pytest.mark.parametrize("width", [500, 800, 1400])
def test_nothing_sticks_out_at_the_side(reader, width):
    page = reader()
    page.driver.set_window_size(width, 900)
    inner, scroll = page.driver.execute_script(
        "return [document.documentElement.clientWidth, document.documentElement.scrollWidth]"
    )
    assert scroll <= inner
