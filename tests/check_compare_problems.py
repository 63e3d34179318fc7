"""scripts/compare-problems divides the times of one run, turns each pair round in every other run, and passes
on what is lora-bench's.

    python3 tests/check_compare_problems.py ROOT

A stand-in for lora-bench times a problem of f16 at half of the time of any other, and writes its arguments down.
"""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(sys.argv.pop(1)).resolve()
PAIR = "m1_k512_n512_r8_bf16_acc:m1_k512_n512_r8_f16_acc"
STAND_IN = """#!/usr/bin/env python3
import json, sys
problems = open(sys.argv[sys.argv.index("--problems") + 1]).read().split()
with open(__file__ + ".log", "a") as log:
    log.write(json.dumps([sys.argv[1:], problems]) + "\\n")
print(json.dumps({"benchmarks": [
    {"name": key + "/default/x", "wall_ns": 1000 if key.endswith("_f16_acc") else 2000} for key in problems]}))
"""


class CompareProblems(unittest.TestCase):
    def run_it(self, *arguments):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        bench = Path(folder.name) / "bench"
        bench.write_text(STAND_IN)
        bench.chmod(0o755)
        done = subprocess.run(
            [ROOT / "scripts/compare-problems", "--bench", bench, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        log = Path(f"{bench}.log")
        return done, [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def test_the_ratio_is_of_one_run_and_each_is_first_in_turn(self):
        done, calls = self.run_it("--runs", "2", PAIR)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("| geometric mean | | | | 2.000 |", done.stdout)
        orders = [problems for _, problems in calls]
        self.assertEqual(orders[0], orders[1][::-1])

    def test_options_with_values_go_on_to_lora_bench(self):
        done, calls = self.run_it("--device", "NVIDIA CUDA: NVIDIA H200", "--runs", "1", "--cache", "rotate", PAIR)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(calls[0][0][-4:], ["--device", "NVIDIA CUDA: NVIDIA H200", "--cache", "rotate"])

    def test_what_is_no_pair_is_said(self):
        for words in ([], ["m1_k512_n512_r8_f16_acc"], ["m1_k512_n512_r8_f16_acc:m1_k512"]):
            done, calls = self.run_it(*words)
            self.assertEqual((done.returncode, calls), (2, []), words)
            self.assertEqual(done.stderr.count("error:"), 1, done.stderr)


if __name__ == "__main__":
    unittest.main()
