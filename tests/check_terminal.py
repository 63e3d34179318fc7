"""What a sweep shows on a terminal, with NO_COLOR, in a pipe and as JSON.

python3 tests/check_terminal.py LORA_BENCH
"""

import json
import os
import pty
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

NO_DEVICE = 77
PROBLEMS = "m1_k64_n64_r4_f32_acc,m2_k64_n64_r4_f32_acc"
SWEEP = ["--sweep", "--problem", PROBLEMS, "--variants", "naive,split", "--budget", "3s"]
COLOUR = re.compile(r"\033\[[0-9;]*m")
VERDICTS = (0, 1, 3)  # of a command that times: any of them is an answer


def on_terminal(command, folder, environment):
    """The exit code, and all that the command wrote to a terminal of its own."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as running:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the last program that had the terminal open is gone
                break
            if not part:
                break
            shown += part
    os.close(ours)
    return running.returncode, shown.decode("utf-8", "replace")


def main(bench):
    bench = str(Path(bench).resolve())
    wrong = []

    def expect(condition, what, text):
        if not condition:
            wrong.append(f"{what}; it wrote:\n{text[-3000:]}")

    usual = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {"TERM": "xterm"}
    with tempfile.TemporaryDirectory() as folder:
        usual["LORATUNE_LOCK"] = folder
        code, shown = on_terminal([bench, *SWEEP], folder, usual)
        if code == NO_DEVICE:
            print("there is no OpenCL device")
            return NO_DEVICE
        expect(code == 0, f"a sweep on a terminal ended with {code}", shown)
        expect("\r\033[32m[" in shown and " 0/2" in shown and "left" in shown, "there is no bar in colour", shown)
        tried = re.search(r": (split|register_tiled) [A-Z]", shown)
        expect("configs/s" in shown and tried, "a rate or what is tried is not shown", shown)

        code, shown = on_terminal([bench, *SWEEP], folder, {**usual, "NO_COLOR": "1"})
        expect(code == 0 and "\r[" in shown, "there is no bar with NO_COLOR", shown)
        expect(not COLOUR.search(shown), "there is colour with NO_COLOR", shown)

        timed = [bench, "--bench", "--problem", "m1_k64_n64_r4_f32_acc", "--benchmark_filter=launch", "--budget", "1s"]
        for variables in ({}, {"NO_COLOR": "1"}, {"TERM": "dumb"}):
            _, shown = on_terminal(timed, folder, {**usual, **variables})
            expect("/launch" in shown, f"--bench shows no row with {variables}", shown)
            coloured = bool(COLOUR.search(shown))
            expect(coloured == (not variables), f"--bench has colour or none, wrongly, with {variables}", shown)

        done = subprocess.run([bench, *SWEEP], cwd=folder, env=usual, capture_output=True, text=True)
        both = done.stdout + done.stderr
        plain = "\r" not in both and "\033" not in both
        expect(done.returncode == 0 and plain, "a pipe got what a terminal wants", both)
        table = done.stdout.split("\n\n")[0].splitlines()
        expect(len(table) == 3 and max(map(len, table)) <= 100, "the table is not of 100 columns", done.stdout)
        named = [line for line in done.stderr.partition("next:\n")[2].splitlines() if line.startswith("  lora-bench ")]
        steps = [shlex.split(line, comments=True) for line in named]
        expect(len(steps) >= 2, "it names no commands to go on with", done.stderr)
        for step in steps:
            next_code = subprocess.run([bench, *step[1:]], cwd=folder, env=usual, capture_output=True).returncode
            allowed = VERDICTS if "--verify" in step else (0,)
            expect(next_code in allowed, f"{step} ended with {next_code}", done.stderr)

        done = subprocess.run([bench, *SWEEP, "--json"], cwd=folder, env=usual, capture_output=True, text=True)
        try:
            expect(len(json.loads(done.stdout)["records"]) == 2, "--json has not both records", done.stdout)
        except json.JSONDecodeError:
            expect(False, "--json prints something else too", done.stdout)
    print("\n".join(wrong) or "a sweep shows what each stream wants")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
