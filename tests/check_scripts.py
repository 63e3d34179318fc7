"""Scripts say in one line what is wrong with a file, a program or their output, and end with 2.

python3 tests/check_scripts.py ROOT
"""

import fcntl
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from itertools import takewhile
from pathlib import Path

ROOT = Path(sys.argv.pop(1)).resolve()
WAIT_S = 3  # after this a script hangs
KEY = "fwd_m1_k512_n512_r8_f32_acc"
HEADER = {"schema": "loratune/recording", "version": 1, "device": {"name": "made up"}, "variants": []}
# Each script that reads a file, with its arguments; FILE is that file, OUT a free path.
READERS = [
    ["summary", "a device=FILE"],
    ["summary", "--devices", "a device=FILE"],
    ["schema-table", "FILE"],
    ["results-table", "FILE"],
    ["results-table", "--lists", "FILE", "TUNED"],
    ["pairs-table", "FILE"],
    ["performance", "FILE"],
    ["prove-picks", "FILE", "--out", "OUT"],
    ["prove-picks", "TUNED", "--recording", "FILE", "--out", "OUT"],
    ["prove-picks", "TUNED", "--problems", "FILE", "--out", "OUT"],
    ["convert-recording", "--to", "t4", "FILE", "OUT"],
    ["convert-recording", "--from", "t4", "--header", "FILE", ".", "OUT"],
    ["update-tables", "FILE"],
]
TABLES = [["results-table", "TUNED"], ["summary", "a device=BENCH"], ["schema-table", "SCHEMA"]]


class Scripts(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        problem = {"op": "fwd", "accumulate": True, "m": 1, "k": 512, "n": 512, "rank": 8, "dtype": "f32"}
        evidence = {"time_ns": 1, "speedup": 1, "reason": "stopped"}
        self.known = {
            "TUNED": self.write(
                "tuned.json",
                {
                    "devices": {"d0": {"name": "made up"}},
                    "records": [{"device": "d0", "mode": "fast", "problem": problem, **evidence}],
                },
            ),
            "BENCH": self.write(
                "bench.json", {"context": {}, "benchmarks": [{"name": f"{KEY}/tuned/x", "wall_ns": 1000}]}
            ),
            "SCHEMA": ROOT / "results/schema/tuned-v2.schema.json",
            "OUT": self.folder / "out",
        }

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    def command(self, script, *arguments, **more):
        words = list(arguments)
        for name, path in {**self.known, **more}.items():
            words = [word.replace(name, str(path)) for word in words]
        return [sys.executable, ROOT / "scripts" / script, *words]

    def run_it(self, command, **more):
        more = {"stdout": subprocess.PIPE, **more}
        return subprocess.run(
            command, cwd=self.folder, stderr=subprocess.PIPE, text=True, timeout=WAIT_S, check=False, **more
        )

    def is_refused(self, done, script):
        self.assertEqual(done.returncode, 2, (done.args, done.stdout, done.stderr))
        self.assertEqual(done.stderr.count("\n"), 1, (done.args, done.stderr))
        self.assertTrue(done.stderr.startswith(f"{script}: "), (done.args, done.stderr))

    def test_a_file_that_is_another(self):
        os.mkfifo(self.folder / "pipe")
        self.write("latin1", b'"\xe9"')
        self.write("deep", b"[" * 100_000 + b"]" * 100_000)
        self.write("cut.gz", gzip.compress(json.dumps(HEADER).encode() * 9)[:-9])
        self.write("empty", b"")
        self.write("object", b"{}")
        self.write("list", b"[]")
        for name in ("pipe", "latin1", "deep", "cut.gz", "empty", "object", "list", "absent"):
            for reader in READERS:
                done = self.run_it(self.command(*reader, FILE=self.folder / name))
                self.is_refused(done, reader[0])
        for reader in READERS:
            self.is_refused(self.run_it(self.command(*reader, FILE=self.folder)), reader[0])

    def test_a_benchmark_that_is_damaged(self):
        sound = {"name": f"{KEY}/tuned/x", "wall_ns": 1000}
        for entry in (
            1,
            {"name": KEY, "wall_ns": 1},
            {"wall_ns": 1},
            {"name": 1, "wall_ns": 1},
            {**sound, "wall_ns": 0},
            {**sound, "wall_ns": "1"},
            {**sound, "name": "m1/tuned"},
        ):
            path = self.write("damaged.json", {"context": {}, "benchmarks": [sound, entry]})
            for reader in (["summary", "a device=FILE"], ["performance", "FILE"]):
                self.is_refused(self.run_it(self.command(*reader, FILE=path)), reader[0])
        for reader in (["summary", "--devices", "a device=BENCH"], ["performance", "BENCH"]):  # a peer's
            self.is_refused(self.run_it(self.command(*reader)), reader[0])

    def test_a_compressed_file(self):
        packed = self.write("packed", gzip.compress(self.known["TUNED"].read_bytes()))
        self.assertEqual(self.run_it(self.command("results-table", "FILE", FILE=packed)).returncode, 0)

    def test_output_that_is_lost(self):
        for table in TABLES:
            command = self.command(*table)
            self.assertEqual(self.run_it(command).returncode, 0)
            with open("/dev/full", "w", encoding="utf-8") as full:
                self.is_refused(self.run_it(command, stdout=full), table[0])
            closed = self.run_it(["sh", "-c", '"$@" >&-', "sh", *command])
            self.is_refused(closed, table[0])
            begin, end = os.pipe()
            os.close(begin)
            left = self.run_it(command, stdout=end)
            os.close(end)
            self.assertEqual((left.returncode, left.stderr), (141, ""), "whoever reads has seen enough")

    def test_a_program_that_is_absent(self):
        pair = f"{KEY}:m1_k512_n512_r8_f16_acc"
        self.write("r.jsonl", HEADER)
        self.write("text", b"no program")
        for bench in ("absent", "text", "."):
            for script, *words in (
                ["compare-strategies", "r.jsonl"],
                ["compare-problems", pair],
                ["prove-resume", "--out", "OUT"],
                ["screenshots"],
            ):
                self.is_refused(self.run_it(self.command(script, "--bench", bench, *words)), script)
        # Where it is built is no matter of the folder that one stands in.
        self.is_refused(
            self.run_it(self.command("compare-strategies", "--strategies", "cold", "absent.jsonl")),
            "compare-strategies",
        )

    def test_a_compiler_that_is_absent(self):
        tools = self.folder / "tools"
        tools.mkdir()
        for tool in ("bash", "dirname"):
            (tools / tool).symlink_to(shutil.which(tool))
        for package in ("clang-14", "libclang-rt-14-dev"):
            done = self.run_it([ROOT / "scripts/fuzz", "1"], env={"PATH": str(tools)})
            self.is_refused(done, "fuzz")
            self.assertIn(f"package {package}\n", done.stderr)
            compiler = tools / "clang++-14"  # its folder of libraries is empty
            compiler.write_text(f"#!/bin/sh\necho {self.folder}/none\n", encoding="utf-8")
            compiler.chmod(0o755)

    def test_the_fuzzer_runs_the_readers_that_are_named(self):
        root = self.folder / "fuzzed"
        stubs = {
            "scripts/fuzz": (ROOT / "scripts/fuzz").read_text(encoding="utf-8"),
            "tools/cmake": "#!/bin/sh\n",
            "tools/clang++-14": f"#!/bin/sh\necho {root}\n",
            # A clock that is at 100 in the end, and 30 further each time it is looked at.
            "tools/date": f"""#!/bin/sh
[ "$1" != -d ] || {{ echo 100; exit; }}
now=$(($(cat {root}/now) + 30))
echo $now | tee {root}/now
""",
            "now": "0",
            "libclang_rt.fuzzer-none.a": "",
            "build/fuzz/build.ninja": "",
            "build/fuzz/tests/fuzz_one": "#!/bin/sh\necho stat::number_of_executed_units: 7\n",
            "build/fuzz/runs.tsv": "other\t9\t0.001\t5\tgood\n",  # has had less than `one` will
        }
        for name, text in stubs.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            path.chmod(0o755)
        command = [root / "scripts/fuzz", "--until", "later", "1", "one"]
        environment = {"PATH": f"{root}/tools:{os.environ['PATH']}"}
        done = self.run_it(command, env=environment)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        runs = [line.split("\t") for line in (root / "build/fuzz/runs.tsv").read_text(encoding="utf-8").splitlines()]
        self.assertEqual([(run[0], *run[3:]) for run in runs[1:]], 3 * [("one", "7", "good")])
        readers = sorted(file.stem for file in (ROOT / "tests/fuzz").glob("*.cpp") if file.stem != "driver")
        self.assertEqual(self.run_it([ROOT / "scripts/fuzz", "--list"]).stdout.split(), readers)
        with open(root / "build/fuzz/one.lock", "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (root / "now").write_text("0", encoding="utf-8")
            self.is_refused(self.run_it(command, env=environment), "fuzz")

    def test_each_says_what_it_is_for(self):
        for script in sorted({reader[0] for reader in READERS} | {"compare-strategies", "prove-resume", "screenshots"}):
            done = self.run_it(self.command(script, "--help"))
            self.assertEqual((done.returncode, done.stderr), (0, ""), script)
            self.assertIn("usage: ", done.stdout)
            self.assertEqual(self.run_it(self.command(script, "--nonsense")).returncode, 2, script)
        for script in ("aarch64", "fuzz", "gate", "prove-package", "setup", "wheel"):  # shell: the lines at their head
            lines = (ROOT / "scripts" / script).read_text(encoding="utf-8").splitlines()[1:]
            head = [line[2:] for line in takewhile(lambda line: line.startswith("#"), lines)]
            for option in ("--help", "-h"):
                done = self.run_it([ROOT / "scripts" / script, option])
                self.assertEqual((done.returncode, done.stderr), (0, ""), script)
                self.assertEqual(done.stdout.splitlines(), head, script)
                self.assertIn(f"scripts/{script} ", done.stdout)
            done = self.run_it([ROOT / "scripts" / script, "--nonsense"])
            self.assertEqual((done.returncode, done.stdout), (2, ""), script)
            self.assertIn(f"scripts/{script} ", done.stderr)


if __name__ == "__main__":
    unittest.main()
