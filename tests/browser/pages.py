"""What the tests of pages share: files to show, and a page open in a browser.

The first three words of the command line are those of check_report.py.
"""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT, BENCH, PICKS = (Path(argument).resolve() for argument in sys.argv[1:4])
sys.path.insert(0, str(ROOT / "scripts"))
from browser import Browser, Missing  # noqa: E402, F401

RESULTS, DATA = ROOT / "results", ROOT / "tests/data/report"
H200 = [
    RESULTS / "tuned/nvidia-h200.json",
    RESULTS / "bench/nvidia-h200.json.gz",
    RESULTS / "bench/nvidia-h200-torch.json.gz",
    RESULTS / "recorded/nvidia-h200.jsonl.gz",
]
POCL = [RESULTS / "tuned/pocl-epyc-2-cores.json", RESULTS / "bench/pocl-epyc-2-cores.json.gz"]
SEARCHED = [DATA / "sweep.journal", DATA / "gate.json.gz"]
NO_BROWSER = 77
TIMES, TO = "\u00d7", "\u2013"  # as the page writes numbers


def page_of(files, folder):
    """Writes a page into the folder; returns its path and its data."""
    page = Path(folder) / "page.html"
    done = subprocess.run([BENCH, "--report", page, *files, "--json"], check=True, capture_output=True, text=True)
    return page, json.loads(done.stdout)


class PageTest(unittest.TestCase):
    files = ()
    dark = False

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.page, cls.data = page_of(cls.files, cls.folder.name)
        cls.browser = Browser(dark=cls.dark)
        cls.addClassCleanup(cls.browser.driver.quit)

    def setUp(self):
        self.browser.open(self.page)

    def tearDown(self):
        self.assertEqual(self.browser.console(), [])

    def run_js(self, script, *arguments):
        return self.browser.run(script, *arguments)

    def marks(self, view, kind):
        """How many marks of a kind the chart of a view has drawn."""
        return self.run_js(
            "const [view, kind] = arguments;"
            " return document.querySelectorAll(`#${view} .chart svg .mark-${kind}.role-mark > *`).length",
            view,
            kind,
        )

    def title(self, view):
        return self.run_js("return document.querySelector(`#${arguments[0]} h2`).textContent", view)

    def width_on(self, width):
        """How wide the page is in a window of this width."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        try:
            self.browser.open(self.page)
            return self.run_js("return document.documentElement.scrollWidth")
        finally:
            self.browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    def choose(self, **values):
        """Sets filters as their controls do, and waits."""
        self.run_js("Object.assign(state, arguments[0]); fillBar(); refreshAll()", values)
        self.browser.settle()

    def of(self, name, **wanted):
        """Rows of the page's data, with their problems."""
        rows = [{**self.data["problems"][row["problem"]], **row} for row in self.data[name]]
        return [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]
