"""Open the built site in headless Chromium, and fail on any error in the console.

    python -m docs.try_in_browser build/site screenshots

This opens ten pages, wide and narrow, light and dark, uses the search, and clicks through the
gallery. It needs Chromium with its driver, and selenium, but no network. Then look at the
screenshots.
"""

import functools
import http.server
import sys
import threading
import time
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

PAGES = (
    "index",
    "tutorial",
    "guide",
    "auto_examples/index",
    "auto_examples/1_first_steps/first_classifier",
    "reference",
    "api/segclf.SegmentationClassifier",
    "which_method",
    "papers/s4c",
    "results",
)
WIDE, NARROW = (1400, 1000), (420, 900)
WORDS = ("Grad-CAM", "operating_point", "nnU-Net")


def main(site: Path, pictures: Path) -> int:
    pictures.mkdir(parents=True, exist_ok=True)
    with served(site) as address:
        browser = start_browser()
        try:
            faults = [*open_pages(browser, address, pictures), *search(browser, address, pictures)]
            faults += click_through(browser, address, pictures)
        finally:
            browser.quit()
    print("\n".join(faults) or "no error")
    return bool(faults)


class served:
    """Serve the site on a local port inside the block."""

    def __init__(self, site: Path) -> None:
        handler = functools.partial(Quiet, directory=str(site))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)

    def __enter__(self) -> str:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A request handler without a log."""

    def log_message(self, format: str, *args: object) -> None:
        pass


def start_browser() -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    for option in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options, webdriver.ChromeService("/usr/bin/chromedriver"))


def open_pages(browser: webdriver.Chrome, address: str, pictures: Path) -> list[str]:
    faults = []
    for size in (WIDE, NARROW):
        browser.set_window_size(*size)
        for mode in ("light", "dark"):
            browser.get(f"{address}/index.html")
            browser.execute_script(f"localStorage.setItem('mode', '{mode}')")
            browser.execute_script(f"localStorage.setItem('theme', '{mode}')")
            for page in PAGES:
                browser.get(f"{address}/{page}.html")
                time.sleep(0.3)
                faults += errors(browser, f"{page}, {mode}, {size[0]} wide")
                width = browser.execute_script("return document.documentElement.scrollWidth")
                if width > browser.execute_script("return window.innerWidth") + 1:
                    faults.append(f"{page}, {size[0]} wide: the page is {width} wide")
                name = f"{page.replace('/', '-')}-{mode}-{size[0]}.png"
                browser.save_screenshot(str(pictures / name))
    return faults


def search(browser: webdriver.Chrome, address: str, pictures: Path) -> list[str]:
    faults = []
    browser.set_window_size(*WIDE)
    for words in WORDS:
        browser.get(f"{address}/index.html")
        browser.find_element(By.CSS_SELECTOR, "button.search-button__button").click()
        field = browser.find_element(By.CSS_SELECTOR, "dialog input[type=search]")
        field.send_keys(words, Keys.ENTER)
        found = WebDriverWait(browser, 20).until(
            lambda page: page.find_elements(By.CSS_SELECTOR, "#search-results li a")
        )
        print(f"search {words}: {len(found)} results, the first {found[0].text!r}")
        faults += errors(browser, f"search {words}")
        browser.save_screenshot(str(pictures / f"search-{words}.png"))
    return faults


def click_through(browser: webdriver.Chrome, address: str, pictures: Path) -> list[str]:
    faults = []
    gallery = f"{address}/auto_examples/index.html"
    browser.get(gallery)
    links = browser.find_elements(By.CSS_SELECTOR, ".sphx-glr-thumbcontainer a")
    for target in dict.fromkeys(link.get_attribute("href").partition("#")[0] for link in links):
        browser.get(gallery)
        path = target.removeprefix(f"{address}/auto_examples/")
        browser.execute_script(
            "arguments[0].click()", browser.find_element(By.CSS_SELECTOR, f"a[href^='{path}']")
        )
        WebDriverWait(browser, 20).until(lambda page: page.current_url.startswith(target))  # noqa: B023
        time.sleep(0.3)
        faults += errors(browser, path)
        empty = browser.execute_script(
            "return [...document.images].filter(i => i.complete && !i.naturalWidth).length"
        )
        faults += [f"{path}: {empty} pictures are not shown"] if empty else []
    print(f"clicked through {len(links)} examples")
    return faults


def errors(browser: webdriver.Chrome, where: str) -> list[str]:
    logged = browser.get_log("browser")
    return [f"{where}: {each['message']}" for each in logged if each["level"] == "SEVERE"]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
