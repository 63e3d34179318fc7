"""scripts/results-table and scripts/pairs-table name what they show.

python3 tests/check_result_tables.py ROOT
"""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(sys.argv.pop(1)).resolve()
PLAIN = {"op": "fwd", "accumulate": True, "m": 16, "k": 2048, "n": 2048, "rank": 8, "dtype": "f32"}


def record(time_us, **more):
    problem = {**PLAIN, **more}
    evidence = {"time_ns": time_us * 1000, "speedup": 1, "reason": "stopped"}
    return {"device": "d0", "mode": "fast", "problem": problem, **evidence}


def pair(second, first, least, most):
    return f"| {first} | {second} | 8 | 8 | {(least * most) ** 0.5:.3f} ({least:.3f}..{most:.3f}) |\n"


class ResultTables(unittest.TestCase):
    def run_it(self, script, text, *options, keys=""):
        """KEYS among the options is a file of `keys`."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "file"
            file.write_text(text)
            (Path(folder) / "a-list.txt").write_text(keys)
            options = [str(Path(folder) / "a-list.txt") if option == "KEYS" else option for option in options]
            command = [ROOT / "scripts" / script, *options, file]
            return subprocess.run(command, capture_output=True, text=True, check=False)

    def test_a_pool_or_a_group_does_not_stand_in_the_row_of_a_plain_problem(self):
        group = {"n": 3072, "slices": [2048, 512, 512]}
        records = [record(1), record(2, adapters=8), record(3, n=3072), record(4, **group)]
        tuned = {"devices": {"d0": {"name": "made up"}}, "records": records}
        done = self.run_it("results-table", json.dumps(tuned))
        self.assertEqual(done.returncode, 0, done.stderr)
        for row in (
            "| 16 x 2048 x 2048 | 1.0 |",
            "| 16 x 2048 x 2048, 8 adapters | 2.0 |",
            "| 16 x 2048 x 3072 | 3.0 |",
            "| 16 x 2048 x 2048+512+512 | 4.0 |",
        ):
            self.assertIn(row, done.stdout)

        plain = self.run_it("results-table", json.dumps(tuned), "--plain").stdout
        self.assertIn("| 16 x 2048 x 3072 | 3.0 |", plain)
        self.assertNotIn("adapters", plain)
        self.assertNotIn("+", plain)

    def test_what_differs_from_a_plain_problem_has_a_row_or_a_column_of_its_own(self):
        more = ({}, {"accumulate": False}, {"dora": True}, {"align": 64}, {"weights": "f16"}, {"weights": "f32"})
        records = [record(i + 1, **one) for i, one in enumerate(more[:-1])] + [record(7, m=1, **more[-1])]
        tuned = json.dumps({"devices": {"d0": {"name": "made up"}}, "records": records})
        done = self.run_it("results-table", tuned, "--ranks", "8", "--dtypes", "f32,f32_w_f16")
        self.assertEqual(done.returncode, 0, done.stderr)
        for row in (
            "| tokens x in x out | made up, f32 r8 | made up, f32_w_f16 r8 |",
            "| 1 x 2048 x 2048 | 7.0 |  |",
            "| 16 x 2048 x 2048 | 1.0 | 5.0 |",
            "| 16 x 2048 x 2048, overwrites y | 2.0 |  |",
            "| 16 x 2048 x 2048, DoRA | 3.0 |  |",
            "| 16 x 2048 x 2048, aligned to 64 | 4.0 |  |",
        ):
            self.assertIn(row + "\n", done.stdout)
        self.assertNotIn("DoRA", self.run_it("results-table", tuned, "--plain").stdout)

    def test_each_device_of_a_file_has_a_column(self):
        devices = {"d0": {"name": "first"}, "d1": {"name": "second"}, "d2": {"name": "second"}, "d3": {"name": "none"}}
        records = [{**record(i + 1), "device": f"d{i}"} for i in range(3)]
        tuned = json.dumps({"devices": devices, "records": records})
        done = self.run_it("results-table", tuned, "--ranks", "8", "--dtypes", "f32")
        self.assertEqual(done.returncode, 0, done.stderr)
        head = "| tokens x in x out | first, f32 r8 | second (d1), f32 r8 | second (d2), f32 r8 |\n"
        self.assertTrue(done.stdout.startswith(head), done.stdout)
        self.assertIn("| 16 x 2048 x 2048 | 1.0 | 2.0 | 3.0 |\n", done.stdout)
        lists = self.run_it("results-table", tuned, "--lists", "KEYS", keys="m16_k2048_n2048_r8_f32_acc\n").stdout
        for name in ("first", "second (d1)", "second (d2)"):
            self.assertIn(f"| a-list | {name} | 1 of 1 | 0 | 1 |", lists)
        self.assertEqual(self.run_it("results-table", tuned, "--names", "one").returncode, 2)

    def test_what_is_no_tuned_file_is_said(self):
        empty = {"devices": {"d0": {"name": "made up"}}, "records": []}
        stray = {"devices": {}, "records": [record(1)]}
        for text in ("", "{", "[]", "{}", json.dumps(empty), json.dumps(stray)):
            done = self.run_it("results-table", text)
            self.assertEqual(done.returncode, 2, text)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertEqual(done.stdout, "")
        absent = subprocess.run(
            [ROOT / "scripts/results-table", "/nonexistent"], capture_output=True, text=True, check=False
        )
        self.assertEqual((absent.returncode, absent.stderr.count("\n")), (2, 1), absent.stderr)

    def test_a_list_counts_its_own_problems(self):
        def proven(**more):
            return {**record(1, **more), "speedup": 1.21, "reason": "measured"}

        group = {"n": 3072, "slices": [2048, 512, 512]}
        records = [proven(**group), record(2, rank=16), {**record(3), "reason": "only_default"}]
        records += [proven(n=3072), proven(adapters=8), {**proven(m=1), "mode": "batch_invariant"}]
        tuned = {"devices": {"d0": {"name": "made up"}}, "records": records}
        keys = "".join(
            f"{m}_k2048_n{n}_{rank}_f32_acc\n"
            for m, n, rank in (
                ("m16", "2048+512+512", "r8"),
                ("m16", "2048", "r16"),
                ("m16", "2048", "r8"),
                ("m1", "2048", "r8"),
            )
        )
        done = self.run_it("results-table", json.dumps(tuned), "--lists", "KEYS", keys=keys)
        self.assertEqual(done.returncode, 0, done.stderr)
        mean = 1.21 ** (1 / 3)
        self.assertEqual(done.stdout.splitlines()[-1], f"| a-list | made up | 3 of 4 | 1 | 1 | {mean:.3f} | 1.21 |")

    def test_a_list_that_is_none_is_said(self):
        tuned = {"devices": {"d0": {"name": "made up"}}, "records": [record(1)]}
        done = self.run_it("results-table", json.dumps(tuned), "--lists", "KEYS", keys="m16_k2048\n")
        self.assertEqual(done.returncode, 2)
        self.assertIn("a-list.txt:1: ", done.stderr)
        self.assertEqual(done.stdout, "")

    def test_a_pair_is_beyond_its_limit_where_every_run_is(self):
        keys = [(f"m{m}_k512_n512_r8_f16_acc", f"m{m}_k512_n512_r8_bf16_acc") for m in (1, 2, 3, 4)]
        bounds = [(1.06, 1.2), (0.9, 1.2), (0.8, 0.94), (0.96, 1.04)]
        done = self.run_it("pairs-table", "".join(pair(*key, *at) for key, at in zip(keys, bounds)))
        self.assertEqual(done.returncode, 0, done.stderr)
        row = done.stdout.splitlines()[-1]
        self.assertTrue(row.startswith("| bf16 / f16 | 4 | "), row)
        self.assertIn("1 x 512 x 512 bf16 r8 (1.06 to 1.20)", row)
        self.assertIn("3 x 512 x 512 bf16 r8 (0.80 to 0.94)", row)
        self.assertNotIn("2 x 512 x", row)
        self.assertNotIn("4 x 512 x", row)

    def test_what_is_no_pair_of_the_table_is_said(self):
        strange = pair("m1_k512_n512_r8_f16_acc", "m2_k512_n512_r16_f16_acc", 1, 1)
        for text, why in ((strange, "differ in m, rank"), ("nothing", "it holds no pair")):
            done = self.run_it("pairs-table", text)
            self.assertEqual(done.returncode, 2)
            self.assertEqual(done.stderr.count("\n"), 1)
            self.assertIn(why, done.stderr)


if __name__ == "__main__":
    unittest.main()
