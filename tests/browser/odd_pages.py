"""Pages of odd inputs: hostile names, thousands of records, one file alone. check_report.py runs them."""

import gzip
import itertools
import json
import re
import shlex
import subprocess
import tempfile
from pathlib import Path

from pages import DATA, H200, POCL, RESULTS, ROOT, SEARCHED, TIMES, PageTest


class Hostile(PageTest):
    """Names that try to get out of their text, wherever a file may hold one."""

    NAME = "</script><script>window.owned=1</script><img src=x onerror=window.owned=2> \"'`&lt; \u2028${window.owned=3}"

    RIVAL = '<b>"\'];window.owned=4;["\\'

    @classmethod
    def setUpClass(cls):
        cls.inputs = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.inputs.cleanup)
        tuned = json.loads((RESULTS / "tuned/nvidia-h200.json").read_text(encoding="utf-8"))
        for device in tuned["devices"].values():
            device["name"] = device["platform"] = cls.NAME
        tuned["tool"]["commit"] = cls.NAME[:40]
        label = {"name": "fwd_m1_k512_n512_r8_f32_acc/" + cls.RIVAL, "wall_ns": 9000, "rounds": 3, "label": cls.NAME}
        bench = {
            "context": {"device": cls.NAME, "launch_floor_ns": "4000", "copy_gb_per_s": "3000", "date": cls.NAME},
            "benchmarks": [label, {**label, "name": "fwd_m1_k512_n512_r8_f32_acc/tuned"}],
        }
        with gzip.open(RESULTS / "recorded/nvidia-h200.jsonl.gz", "rt", encoding="utf-8") as file:
            header = json.loads(file.readline())
        header["device"] |= {"name": cls.NAME, "platform": cls.NAME}
        header["variants"] = [{"name": cls.NAME, "parameters": ["((", "__proto__"]}]
        line = {"problem": "fwd_m1_k512_n512_r8_f32_acc", "variant": cls.NAME, "outcome": "correct", "ns": [9, 9]}
        recording = [header, {**line, "config": [1, 2]}, {**line, "config": [3, 2], "ns": [12, 12]}]
        cls.files = [Path(cls.inputs.name) / name for name in ("'; touch owned; #<b>.json", "bench.json", "r.jsonl")]
        for path, values in zip(cls.files, ([tuned], [bench], recording)):
            path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
        super().setUpClass()

    def test_they_are_text(self):
        self.assertIsNone(self.run_js("return window.owned ?? null"))
        self.assertEqual(self.run_js("return document.querySelectorAll('img, b script, main b, footer b').length"), 0)
        self.assertIn(self.NAME, self.run_js("return document.getElementById('title').textContent"))
        self.assertIn(self.RIVAL, self.run_js("return document.querySelector('#rivals svg').textContent"))
        self.assertEqual(self.marks("parameters", "symbol"), 2)
        self.assertEqual(self.marks("winners", "rect"), len(self.of("records", mode="fast")))

    def test_a_line_is_safe_to_paste(self):
        line = self.run_js("return document.querySelector('.answer .line code').textContent")
        self.assertNotIn("\n", line)
        with tempfile.TemporaryDirectory() as folder:
            words = subprocess.run(
                ["bash", "-c", "lora-bench() { printf '%s\\n' \"$@\"; }; " + line],
                cwd=folder,
                check=True,
                capture_output=True,
                text=True,
            )
            self.assertEqual(list(Path(folder).iterdir()), [])
        self.assertIn(str(self.files[0]), words.stdout.splitlines())


class Axes(PageTest):
    """Problems of other types, of modules that share x, of several adapters and with DoRA."""

    KEYS = (
        "fwd_m16_k2048_n2048_r16_bf16_acc",
        "fwd_m16_k2048_n2048_r16_f32_w_f16_acc",
        "fwd_m16_k2048_n2048+512+512_r16_f16_acc",
        "fwd_m16_k2048_n2048_r16_f16_acc_a8",
        "fwd_m16_k2048_n2048_r16_f16_acc_dora",
    )

    @classmethod
    def setUpClass(cls):
        cls.inputs = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.inputs.cleanup)
        less = {cls.KEYS[3]: "one_adapter", cls.KEYS[4]: "without_dora"}
        benchmarks = []
        for key in cls.KEYS:
            arms = {"tuned": 10000, "openblas": 20000}
            if key in less:
                arms[less[key]] = 5000
            for arm, ns in arms.items():
                benchmarks.append({"name": f"{key}/{arm}", "wall_ns": ns, "rounds": 9, "label": "split ROWS=1"})
        cls.files = [Path(cls.inputs.name) / "bench.json"]
        cls.files[0].write_text(json.dumps({"context": {"device": "P: D"}, "benchmarks": benchmarks}))
        super().setUpClass()

    def test_what_computes_less_is_no_rival(self):
        self.assertIn(f"The nearest rival, openblas, takes 2.00{TIMES}", self.title("rivals"))
        lede = self.run_js("return document.getElementById('rivals').textContent")
        self.assertIn("do less than the whole problem", lede)
        self.assertIn("one_adapter", lede)
        self.assertIn("without_dora", lede)
        self.assertIn("openblas is ahead on 0 of 5 problems", lede)
        self.assertNotIn("one_adapter", self.run_js("return document.getElementById('facts').textContent"))
        self.assertEqual(self.marks("rivals", "symbol"), 7)
        for key in self.KEYS[3:]:
            self.run_js("finderForm.set(arguments[0])", self.of("times", key=key)[0])
            answer = self.run_js("return document.querySelector('.answer').textContent")
            self.assertIn(f"openblas takes 2.00{TIMES}", answer)
            self.assertNotIn("one_adapter", answer)
            self.assertNotIn("without_dora", answer)

    def test_a_panel_has_no_row_without_a_dot(self):
        names = self.run_js(
            "return [...document.querySelectorAll('#rivals svg .role-axis-label text')].map((one) => one.textContent)"
        )
        rivals = [row["rival"] for row in self.of("times") if row["rival"] != "tuned"]
        self.assertEqual(sorted(set(names) & set(rivals)), sorted(set(rivals)))
        self.assertEqual(sorted(name for name in names if name in rivals), sorted(rivals))

    def test_the_page_is_no_wider_than_a_phone(self):
        self.assertEqual(self.width_on(360), 360)

    def test_panels_name_the_axes(self):
        text = self.run_js("return document.querySelector('#winners svg').textContent")
        for words in ("bf16", "f32, weights in f16", "2048+512+512", "8 adapters", "DoRA"):
            self.assertIn(words, text)


class BenchAlone(PageTest):
    files = H200[1:2]

    def test_a_time_answers_for_its_shape(self):
        self.assertEqual(
            self.run_js("return [...document.querySelectorAll('.view')].map((view) => view.id)"),
            ["winners", "speedup", "rivals", "roofline", "share"],
        )
        changed = [row for row in self.of("times", rival="tuned") if row["vs_default"] != 1]
        self.assertEqual(self.marks("winners", "rect"), 60)
        self.assertEqual(self.marks("speedup", "symbol"), len(changed))
        tuned = self.of("times", rival="tuned")[0]
        self.run_js("finderForm.set(arguments[0])", tuned)
        text = self.run_js("return document.querySelector('.answer').textContent")
        for part in (
            tuned["label"].split()[0],
            "A --bench timed this very problem in 20 rounds",
            "Beside it, in a --bench",
        ):
            self.assertIn(part, text)


class Large(PageTest):
    """Five thousand records: every view of them can still be used."""

    @classmethod
    def setUpClass(cls):
        cls.inputs = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.inputs.cleanup)
        tuned = json.loads((RESULTS / "tuned/nvidia-h200.json").read_text(encoding="utf-8"))
        one = tuned["records"][0]
        grid = itertools.product(
            ("f32", "f16"),
            (256, 512, 768, 1024, 2048),
            (512, 1024, 2048, 4096, 8192),
            (4, 8, 12, 16, 24, 32, 48, 64, 96, 128),
            (1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
        )
        names = sorted({record["variant"]: record["config"] for record in tuned["records"]}.items())
        tuned["records"] = []
        for i, (dtype, k, n, rank, m) in enumerate(grid):
            variant, config = names[i % len(names)]
            problem = {"op": "fwd", "dtype": dtype, "accumulate": True, "k": k, "n": n, "rank": rank, "m": m}
            gain = {"speedup": 1.2 + i / 1e5, "speedup_ci": [1.1, 1.3]} if i % 2 else {}
            tuned["records"].append(
                {**one, "problem": problem, "variant": variant, "config": config, "time_ns": 4000 + i, **gain}
            )
        tuned["rules"] = []
        cls.files = [Path(cls.inputs.name) / "large.json"]
        cls.files[0].write_text(json.dumps(tuned), encoding="utf-8")
        super().setUpClass()

    def test_it_shows_and_filters(self):
        self.assertEqual(len(self.data["records"]), 5000)
        self.assertLess(self.page.stat().st_size, 5 << 20)
        self.assertEqual(self.marks("winners", "rect"), 5000)
        self.assertEqual(self.marks("speedup", "symbol"), 40)
        self.assertIn("first 40 of 2500", self.run_js("return document.getElementById('speedup').textContent"))
        self.choose(shape=f"512 {TIMES} 1024", kind="f16_acc")
        self.assertEqual(self.marks("winners", "rect"), 100)
        self.run_js("finderForm.set({m: 64, k: 2048, columns: '8192', rank: 96, kind: 'f32_acc'})")
        self.assertIn(
            "A record of fwd_m64_k2048_n8192_r96_f32_acc",
            self.run_js("return document.querySelector('.answer').textContent"),
        )


class LongNames(PageTest):
    """Names in which no line can break, each wider than a phone: of a folder, a device and a rival."""

    NAME = "a" * 200

    @classmethod
    def setUpClass(cls):
        cls.inputs = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.inputs.cleanup)
        folder = Path(cls.inputs.name) / cls.NAME
        folder.symlink_to(ROOT)
        time = {"name": "fwd_m1_k512_n512_r8_f32_acc/tuned", "wall_ns": 9000, "rounds": 3, "label": cls.NAME}
        rival = {**time, "name": "fwd_m1_k512_n512_r8_f32_acc/" + cls.NAME}
        context = {"device": cls.NAME, "launch_floor_ns": "4000", "copy_gb_per_s": "3000", "date": "today"}
        bench = Path(cls.inputs.name) / "bench.json"
        bench.write_text(json.dumps({"context": context, "benchmarks": [time, rival]}), encoding="utf-8")
        cls.files = [bench] + [folder / path.relative_to(ROOT) for path in H200 + POCL + SEARCHED]
        super().setUpClass()

    def test_the_page_is_no_wider_than_a_phone(self):
        for part in ("footer", ".facts", "#finder"):
            self.assertIn(self.NAME, self.run_js("return document.querySelector(arguments[0]).textContent", part))
        for width in (360, 420):
            self.assertEqual(self.width_on(width), width)


class LittleInIt(PageTest):
    """Views without data are left out, and a sentence says which file would give them."""

    files = (DATA / "sweep.journal",)

    def test_what_is_absent_is_named(self):
        views = self.run_js("return [...document.querySelectorAll('.view')].map((view) => view.id)")
        self.assertIn("progress", views)
        self.assertNotIn("rivals", views)
        self.assertIn(
            "Rivals: takes a result of --bench --json",
            self.run_js("return document.getElementById('footer').textContent"),
        )
        self.assertGreater(self.marks("progress", "symbol"), 1)

    def test_a_journal_is_replayed_before_there_is_a_pick(self):
        key = "fwd_m1_k512_n512_r8_f32_acc"
        line = self.run_js("return lines.pick(arguments[0], { source: 0, device: 0 })", key)
        replay, pick = line.split(" && ")
        journal = str(self.files[0])
        tuned = shlex.quote(re.sub(r"(\.json)?\.journal$", "", journal) + ".replayed.json")
        self.assertEqual(replay, f"lora-bench --replay {shlex.quote(journal)} --out {tuned}")
        self.assertTrue(pick.startswith(f"lora-bench --pick {key} --device "), pick)
        self.assertTrue(pick.endswith(f" --tuned {tuned}"), pick)
