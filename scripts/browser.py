"""Chromium without a window, for the pages of lora-bench --report.

It needs Debian's chromium, chromium-driver and python3-selenium.
"""

import shutil
import time
from pathlib import Path

WAIT_S = 60  # after this a page hangs; it decides nothing of one that is merely slow


class Missing(Exception):
    """Why there is no browser here."""


class Browser:
    """One window. `with Browser(...) as browser: browser.open(page)`."""

    def __init__(self, width=1240, height=1000, scale=1, dark=False):
        try:
            from selenium import webdriver
            from selenium.webdriver.chrome.options import Options
            from selenium.webdriver.chrome.service import Service
        except ImportError:
            raise Missing("python3-selenium is not installed") from None
        driver, program = shutil.which("chromedriver"), shutil.which("chromium")
        if not driver or not program:
            raise Missing("chromium or chromium-driver is not installed")
        options = Options()
        options.binary_location = program
        for flag in (
            "headless=new",
            "no-sandbox",
            "disable-gpu",
            "disable-dev-shm-usage",
            "hide-scrollbars",
            f"window-size={width},{height}",
            f"force-device-scale-factor={scale}",
            "force-color-profile=srgb",
            "font-render-hinting=none",
        ):
            options.add_argument("--" + flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service(driver), options=options)
        self.driver.set_script_timeout(WAIT_S)
        shade = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [shade]})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.driver.quit()

    def run(self, script, *arguments):
        """What a script in the page returns."""
        return self.driver.execute_script(script, *arguments)

    def wait(self, script, what):
        """Until the script returns something true."""
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            value = self.run(script)
            if value:
                return value
            time.sleep(0.02)
        raise TimeoutError(f"{what}: not after {WAIT_S} s; the console says {self.console()}")

    def settle(self):
        """Until every view is drawn."""
        self.wait("return document.documentElement.dataset.ready === 'yes'", "the page is not ready")

    def open(self, page):
        """Opens a file and waits until it is drawn; returns how many seconds the page took."""
        self.driver.get(Path(page).resolve().as_uri())
        self.settle()
        return self.run("return performance.getEntriesByName('ready')[0].startTime / 1000")

    def console(self):
        """What the page has said since the last time: warnings and errors."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def resize(self, width, height):
        self.driver.set_window_size(width, height)
        time.sleep(0.4)  # the page draws again a fifth of a second after the last change
        self.settle()
