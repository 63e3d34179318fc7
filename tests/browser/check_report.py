"""The pages of lora-bench --report in Chromium: what they show, how they answer, and that no name gets out of its text.

    python3 tests/browser/check_report.py ROOT LORA_BENCH EXPECTED_PICKS [TEST ...]

Ends with 77 where there is no browser. EXPECTED_PICKS says what the dispatcher picks, for comparison with
the page's own answers.
"""

import itertools
import json
import math
import random
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from odd_pages import Axes, BenchAlone, Hostile, Large, LittleInIt, LongNames  # noqa: F401
from pages import H200, NO_BROWSER, PICKS, POCL, RESULTS, SEARCHED, TIMES, TO, Browser, Missing, PageTest


def mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


class AllViews(PageTest):
    files = H200 + POCL + SEARCHED

    def test_every_chart_has_its_marks(self):
        records = len(self.of("records", device=0, mode="fast"))
        self.assertGreater(records, 100)
        self.assertEqual(self.marks("winners", "rect"), records)
        gains = [row for row in self.of("records", device=0) if (row["low"], row["high"]) != (1, 1)]
        self.assertEqual(self.marks("speedup", "symbol"), len(gains))
        rivals = [row for row in self.of("times", device=0) if row["rival"] not in ("tuned", "launch")]
        self.assertEqual(self.marks("rivals", "symbol"), len(rivals))
        tuned = self.of("times", device=0, rival="tuned")
        self.assertEqual(self.marks("roofline", "symbol"), len(tuned))
        self.assertEqual(self.marks("share", "rect"), len(tuned))
        self.assertGreater(self.marks("parameters", "symbol"), 4)
        self.assertEqual(self.marks("regret", "symbol"), len(self.of("rules", device=0)))
        self.assertGreater(self.marks("devices", "symbol"), 20)
        names = [device["label"] for device in self.data["devices"]]
        searched = self.data["progress"][0]["device"]
        self.choose(device=searched)
        self.assertEqual(
            self.marks("progress", "symbol"), sum(len(row["points"]) for row in self.data["progress"]), names
        )
        timed = [row for row in self.data["gates"][0]["rows"] if "ratio" in row]
        self.assertEqual(self.marks("gate", "symbol"), len(timed))
        self.assertGreater(len(timed), 10)

    def test_no_chart_is_cut_off_or_empty(self):
        for view in ("winners", "speedup", "rivals", "roofline", "share", "parameters", "regret", "gate", "devices"):
            chart = self.run_js(
                "const chart = document.querySelector(`#${arguments[0]} .chart`);"
                " const svg = chart.querySelector('svg').getBoundingClientRect();"
                " return [svg.width, svg.height, chart.clientWidth]",
                view,
            )
            self.assertGreater(chart[0], 150, view)
            self.assertGreater(chart[1], 40, view)
            self.assertLessEqual(chart[0], chart[2] + 1, f"{view} is wider than the page")

    def test_the_button_that_copies_has_one_line(self):
        button = "document.querySelector('.answer .line button.copy')"
        lines = self.run_js(
            f"const range = document.createRange(); range.selectNodeContents({button});"
            " return new Set([...range.getClientRects()].map((line) => line.top)).size"
        )
        self.assertEqual(lines, 1)

    def test_a_rule_of_a_group_names_its_slices(self):
        rule = next(row for row in self.of("rules", device=0) if "+" in row["columns"])
        labels = self.run_js(
            "return [...document.querySelectorAll('#regret svg .role-axis-label text')].map((one) => one.textContent)"
        )
        slices = {row["columns"] for row in self.of("rules", device=0) if "+" in row["columns"]}
        for columns in slices:
            self.assertTrue(any(f"n {columns} " in label for label in labels), labels)
        self.assertFalse(any(f"n {rule['n'][0]} " in label for label in labels), labels)
        between = (rule["m"][0] + rule["m"][1]) // 2
        ranges = {name: rule[name][1] for name in ("k", "rank")}
        self.run_js("finderForm.set(arguments[0])", {**rule, **ranges, "m": between})
        answer = self.run_js("return document.querySelector('.answer').textContent")
        self.assertIn(f"n {rule['columns']}, ", answer)

    def test_rules_that_lose_nothing_stand_at_the_left_edge(self):
        self.choose(device=self.of("records")[-1]["device"])
        self.assertEqual([rule["regret"] for rule in self.of("rules", device=self.of("records")[-1]["device"])], [0, 0])
        left = self.run_js(
            "const edge = (of) => document.querySelector(`#regret svg ${of}`).getBoundingClientRect();"
            " const dot = edge('.mark-symbol.role-mark > *');"
            " return dot.x + dot.width / 2 - edge('.role-axis-grid').x"
        )
        self.assertLess(abs(left), 3)

    def test_titles_say_what_the_files_hold(self):
        wins = {}
        for row in self.of("records", device=0, mode="fast"):
            wins[row["variant"]] = wins.get(row["variant"], 0) + 1
        first = max(wins, key=wins.get)
        self.assertEqual(
            self.title("winners"), f"{first} is the choice on {wins[first]} of {sum(wins.values())} problems"
        )
        tuned = {row["key"]: row["time_ns"] for row in self.of("times", device=0, rival="tuned")}
        means = {
            rival: mean([row["time_ns"] / tuned[row["key"]] for row in self.of("times", device=0, rival=rival)])
            for rival in ("split", "openblas", "clblast", "torch_eager", "torch_mm", "torch_graph")
        }
        nearest = min((rival for rival in means if rival != "default"), key=means.get)
        self.assertIn(f"{nearest}, takes {means[nearest]:.2f}{TIMES}", self.title("rivals"))
        self.assertIn(self.data["gates"][0]["verdict"], self.title("gate"))
        self.assertIn("in f32 alone", self.run_js("return document.querySelector('#share .lede').textContent"))

    def test_filters_apply_to_charts_and_tables(self):
        records = self.of("records", device=0, mode="fast")
        of_kind = [row for row in records if row["kind"] == "f16_acc"]
        self.assertGreater(len(of_kind), 50)
        self.choose(kind="f16_acc")
        self.assertEqual(self.marks("winners", "rect"), len(of_kind))
        self.assertIn(f"of {len(of_kind)} problems", self.title("winners"))
        self.assertEqual(self.run_js("return document.getElementById('shown').textContent"), f"{len(of_kind)} records")
        self.choose(rank="64")
        self.assertEqual(self.marks("winners", "rect"), len([row for row in of_kind if row["rank"] == 64]))
        self.choose(shape=f"512 {TIMES} 512", text="m16_")
        self.assertEqual(self.marks("winners", "rect"), 1)
        self.choose(text="no such thing")
        self.assertEqual(self.marks("winners", "rect"), 0)
        self.assertIn(
            "Nothing of this is left by the filters",
            self.run_js("return document.getElementById('winners').textContent"),
        )
        self.run_js(
            "[...document.querySelectorAll('.filters button')].find((one) => one.textContent === 'Clear').click()"
        )
        self.browser.settle()
        self.assertEqual(self.marks("winners", "rect"), len(records))
        pocl = self.of("records", mode="fast")[-1]["device"]
        self.choose(device=pocl)
        self.assertEqual(self.marks("winners", "rect"), len(self.of("records", device=pocl, mode="fast")))
        self.choose(mode="batch_invariant")
        self.assertEqual(self.marks("winners", "rect"), len(self.of("records", device=pocl, mode="batch_invariant")))

    def test_controls_change_their_view(self):
        before = self.title("parameters")
        self.run_js(
            "const select = document.querySelectorAll('#parameters select')[1];"
            " select.value = 'split'; select.dispatchEvent(new Event('change'))"
        )
        self.browser.wait(
            "return document.querySelector('#parameters .lede').textContent.includes('fastest split')",
            "the variant stays",
        )
        self.assertNotEqual(self.title("parameters"), before)

    def test_hover_explains_and_click_copies(self):
        mark = (
            "const mark = document.querySelector('#winners .chart svg .mark-rect.role-mark > *');"
            " const box = mark.getBoundingClientRect();"
        )
        at = "{bubbles: true, clientX: box.x + box.width / 2, clientY: box.y + box.height / 2}"
        self.run_js("document.getElementById('winners').scrollIntoView()")
        time.sleep(0.3)  # to scroll hides the hint
        self.run_js(f"{mark} mark.dispatchEvent(new PointerEvent('pointermove', {at}))")
        hint = self.run_js(
            "return document.getElementById('tip').hidden ? '' : document.getElementById('tip').textContent"
        )
        key = next(row["key"] for row in self.of("records", device=0) if row["key"] in hint)
        self.assertIn("config", hint)
        self.assertIn("lora-bench --bench --device 'NVIDIA H200'", hint)
        self.run_js(f"{mark} mark.dispatchEvent(new MouseEvent('click', {at}))")
        said = self.browser.wait("return document.getElementById('toast').textContent", "nothing was copied")
        self.assertTrue(said.startswith("Copied: lora-bench --bench"), said)
        self.assertTrue(said.endswith(f"--problem {key}"), said)

    def test_tables_sort_and_show_more(self):
        column = "return [...document.querySelectorAll('#records tbody tr')].map((row) => row.cells[2].textContent)"
        click = "[...document.querySelectorAll('#records th button')].find((one) => one.textContent === 'time').click()"
        times = sorted(row["time_ns"] for row in self.of("records", device=0, mode="fast"))
        self.run_js(click)
        self.assertEqual(len(self.run_js(column)), 25)
        self.assertTrue(self.run_js(column)[0].startswith(f"{times[0] / 1000:.2f}"), self.run_js(column)[0])
        self.run_js(click)
        self.assertTrue(self.run_js(column)[0].startswith(f"{times[-1] / 1000:.3g}"), self.run_js(column)[0])
        self.assertEqual(self.run_js("return document.querySelectorAll('#records th[aria-sort=descending]').length"), 1)
        for shown in range(225, len(times) + 200, 200):  # 200 more each time
            self.run_js("document.querySelector('#records .more button').click()")
            self.assertEqual(len(self.run_js(column)), min(shown, len(times)))
        self.assertIsNone(self.run_js("return document.querySelector('#records .more button')"))
        self.run_js("document.querySelector('#rivals details').open = true")
        self.browser.wait("return document.querySelectorAll('#rivals tbody tr').length", "the figures do not open")

    def test_keyboard(self):
        from selenium.webdriver.common.by import By
        from selenium.webdriver.common.keys import Keys

        body = self.browser.driver.find_element(By.TAG_NAME, "body")
        body.send_keys("t")
        self.assertEqual(self.run_js("return document.documentElement.dataset.theme"), "light")
        self.browser.settle()
        body.send_keys("/")
        self.assertEqual(
            self.run_js("return document.activeElement.value"),
            self.run_js("return document.querySelector('.finder input').value"),
        )
        self.assertEqual(self.run_js("return document.activeElement.tagName"), "INPUT")
        self.browser.driver.switch_to.active_element.send_keys("t")
        self.assertEqual(
            self.run_js("return document.documentElement.dataset.theme"), "light", "a letter in a field is a letter"
        )
        for _ in range(8):
            self.browser.driver.switch_to.active_element.send_keys(Keys.TAB)
        self.assertNotEqual(self.run_js("return document.activeElement.tagName"), "BODY")

    def test_it_fetches_nothing_and_prints(self):
        self.assertEqual(self.run_js("return performance.getEntriesByType('resource').length"), 0)
        printed = self.browser.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
        self.assertGreater(len(printed["data"]), 50_000)
        self.browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        self.assertEqual(self.run_js("return getComputedStyle(document.querySelector('.tools')).display"), "none")
        self.assertEqual(self.run_js("return getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)")
        self.browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "screen"})


class Dark(PageTest):
    files = H200 + POCL
    dark = True

    def test_the_theme_is_the_systems_until_another_is_chosen(self):
        paint = (
            "return [getComputedStyle(document.body).backgroundColor,"
            " document.querySelector('#winners svg .role-axis-label text').getAttribute('fill')]"
        )
        dark = self.run_js(paint)
        self.assertEqual(dark[0], "rgb(15, 20, 25)")
        self.run_js("document.getElementById('theme').click()")
        self.browser.settle()
        light = self.run_js(paint)
        self.assertEqual(light[0], "rgb(255, 255, 255)")
        self.assertNotEqual(dark[1], light[1], "the charts are drawn in the theme too")
        self.assertEqual(self.marks("winners", "rect"), len(self.of("records", device=0, mode="fast")))


def ways_compared(page, modes):
    """Asserts that a page answers for its keys() what the dispatcher picks; returns the ways to an answer."""
    ask = (
        "return arguments[0].map((key) => { const { how, row } = findFor(partsOf(key), 0, arguments[1]);"
        " return { how, variant: row && row.variant, config: row && row.config }; })"
    )
    ways = set()
    for mode in modes:
        keys = page.keys(mode)
        done = subprocess.run(
            [PICKS, page.files[0], mode], input="\n".join(keys), check=True, capture_output=True, text=True
        )
        expected = [json.loads(line) for line in done.stdout.splitlines()]
        page.assertEqual(len(expected), len(keys))
        for want, have in zip(expected, page.run_js(ask, keys, mode)):
            ways.add(have["how"])
            with page.subTest(mode=mode, key=want["key"]):
                page.assertEqual(have["how"] == "default", want["default"])
                if not want["default"]:
                    page.assertEqual(have["variant"], want["variant"])
                    page.assertEqual(
                        dict(part.split("=") for part in have["config"].split()),
                        {name: str(value) for name, value in want["config"].items()},
                    )
    return ways


class Answers(PageTest):
    """What the page says for a shape is what the dispatcher picks."""

    files = (RESULTS / "tuned/pocl-epyc-2-cores.json",)

    def keys(self, mode):
        """Each record's, with other tokens, and shapes at and around the edges of each rule."""
        rng = random.Random(1)
        keys = {row["key"] for row in self.of("records", mode=mode)}
        keys |= {row["key"].replace("_acc", "_set") for row in self.of("records", mode=mode)[::7]}
        for row in self.of("records", mode=mode)[::5]:
            keys.add(row["key"].replace(f"_m{row['m']}_", f"_m{rng.choice((2, 15, 17, 100, 4096))}_"))
            keys.add(row["key"] + "_align64")
        for rule in self.data["rules"]:
            kind = self.data["problems"][rule["problem"]]["kind"]
            edges = [
                sorted({low, high, max(1, low - 1), min(high + 1, 2**31 - 1)})
                for low, high in (rule[name] for name in ("m", "k", "n", "rank"))
            ]
            corners = list(itertools.product(*edges))
            keys |= {
                f"fwd_m{m}_k{k}_n{n}_r{rank}_{kind}"
                for m, k, n, rank in rng.sample(corners, min(25, len(corners)))
                if m * k < 2**31 and m * n < 2**31
            }
        return sorted(keys)

    def test_they_are_the_dispatchers(self):
        ways = ways_compared(self, ("fast", "batch_invariant"))
        self.assertEqual(ways, {"record", "rule", "other_write", "default"}, "each way to an answer was tried")

    def test_they_are_shown_with_their_evidence(self):
        best = max(self.of("records", mode="fast"), key=lambda row: row["speedup"])
        answer = "return document.querySelector('.answer').textContent"
        text = self.run_js(answer)
        for part in (
            best["variant"],
            best["key"],
            f"{best['speedup']:.2f}{TIMES}",
            f"{best['low']:.2f}{TO}{best['high']:.2f}",
        ):
            self.assertIn(part, text)
        type_in = (
            "const field = document.querySelector('.finder input.key');"
            " field.value = arguments[0]; field.dispatchEvent(new Event('input'))"
        )
        self.run_js(type_in, "m3_k768_n768_r5_f32_acc")
        self.assertIn("the built-in default", self.run_js(answer))
        self.assertIn("lora-bench --sweep", self.run_js(answer))
        self.run_js("document.querySelector('.answer button.mono').click()")
        self.assertIn("A record of", self.run_js(answer), "the nearest can be chosen")
        self.run_js(type_in, "what")
        self.assertIn("A key looks like", self.run_js("return document.getElementById('finder').textContent"))
        self.run_js(
            "const field = document.querySelector('.finder input');"
            " field.value = 'many'; field.dispatchEvent(new Event('input'))"
        )
        self.assertIn("Whole numbers", self.run_js("return document.getElementById('finder').textContent"))


class ModesAndAlignments(PageTest):
    """Records and a rule that serve another mode, another m, or more alignment than they were measured with."""

    @classmethod
    def setUpClass(cls):
        inputs = tempfile.TemporaryDirectory()
        cls.addClassCleanup(inputs.cleanup)
        tuned = json.loads(Answers.files[0].read_text(encoding="utf-8"))
        tuned["kernels"] = {"naive": {"source_sha256": "0" * 64, "revision": 0}}
        evidence = {**tuned["records"][0], "variant": "naive"}
        kind = {"op": "fwd", "dtype": "f16", "accumulate": True}

        def config(wg_n):
            return {"A_TRANSPOSED": 0, "UNROLL": 1, "WG_M": 1, "WG_N": wg_n}

        def record(m, mode, wg_n, **more):
            problem = {**kind, "m": m, "k": 512, "n": 512, "rank": 8, **more}
            return {**evidence, "problem": problem, "mode": mode, "config": config(wg_n)}

        tuned["records"] = [
            record(1, "fast", 8),
            record(2, "fast", 8),
            record(2, "deterministic", 16),
            record(3, "fast", 8),
            record(3, "fast", 16, align=8),
            record(3, "fast", 32, align=32),
            record(4, "deterministic", 8, align=8),
            record(4, "fast", 16, align=16),
            record(5, "fast", 8, align=16, accumulate=False),
            record(6, "deterministic", 8, accumulate=False),
            record(6, "fast", 16),
            record(7, "fast", 8, align=2),  # an element's own
            record(1, "batch_invariant", 8),
            record(16, "batch_invariant", 8),
            record(16, "batch_invariant", 16, align=16),
        ]
        rule = {name: [512, 512] for name in "kn"} | {"m": [8, 9], "rank": [8, 8], "regret_bound": 0.01}
        tuned["rules"] = [{**kind, **rule, "device": "d0", "mode": "fast", "variant": "naive", "config": config(64)}]
        cls.files = (Path(inputs.name) / "tuned.json",)
        cls.files[0].write_text(json.dumps(tuned), encoding="utf-8")
        super().setUpClass()

    def keys(self, _mode):
        return [
            f"fwd_m{m}_k512_n512_r8_f16_{write}{align}"
            for m in (*range(1, 11), 16, 17)
            for write in ("acc", "set")
            for align in ("", "_align2", "_align4", "_align8", "_align16", "_align64", "_align4096")
        ]

    def test_they_are_the_dispatchers(self):
        ways = ways_compared(self, ("fast", "deterministic", "batch_invariant"))
        self.assertEqual(ways, {"record", "rule", "other_write", "default"})

    def test_a_line_to_copy_names_the_mode(self):
        line = "return document.querySelector('.answer .line code').textContent"
        self.choose(mode="deterministic")
        for m, command in ((2, "pick"), (3, "pick"), (8, "pick"), (10, "sweep")):
            self.run_js("finderForm.set(partsOf(arguments[0]))", f"m{m}_k512_n512_r8_f16_acc")
            self.assertIn(f"lora-bench --{command} ", self.run_js(line))
            self.assertIn(" --mode deterministic", self.run_js(line))
            answer = self.run_js("return document.querySelector('.answer').textContent")
            self.assertEqual("what was measured for mode fast serves it" in answer, m in (3, 8), answer)


if __name__ == "__main__":
    try:
        Browser().driver.quit()
    except Missing as missing:
        print(f"skipped: {missing}")
        sys.exit(NO_BROWSER)
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]], verbosity=2)
