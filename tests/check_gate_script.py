"""scripts/gate tells the base what it must know, and no variant that the base need not have.

    python3 tests/check_gate_script.py ROOT

A repository of two commits, whose scripts/setup makes a stand-in for lora-bench that writes down
what it is told and refuses --variants of what it does not have, as an older lora-bench does.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(sys.argv[1])
SETUP = """#!/bin/sh
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$root/build/release"
cp "$root/bench" "$root/build/release/lora-bench"
"""
BENCH = """#!/bin/sh
case "$1" in
  --help) echo --export-plans ;;
  --export-plans)
    shift 2
    echo "base: $*"
    case "$*" in *--variants*) exit 2 ;; esac ;;
  --gate) shift 2; echo "gate: $*" ;;
esac
"""


def git(tree, *words):
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", tree, *who, *words], check=True, capture_output=True, env=env)


def main():
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name)
        (tree / "scripts").mkdir()
        shutil.copy(ROOT / "scripts/gate", tree / "scripts/gate")
        for path, text in (("scripts/setup", SETUP), ("bench", BENCH), (".gitignore", "/build/\n")):
            (tree / path).write_text(text)
            (tree / path).chmod(0o755)
        git(tree, "init", "--quiet")
        git(tree, "add", ".")
        git(tree, "commit", "--quiet", "-m", "base")
        for variants in (["--variants", "new"], ["--variants=new"]):
            done = subprocess.run(
                [tree / "scripts/gate", "HEAD", *variants, "--tokens", "1", "--device=0", "--strict"],
                capture_output=True,
                text=True,
                check=False,
            )
            lines = done.stdout.splitlines()
            assert done.returncode == 0, done.stderr
            assert lines[0] == "base: --tokens 1 --device=0", lines
            assert lines[1].endswith(" ".join([*variants, "--tokens 1 --device=0 --strict"])), lines
        for problems in (["--quick", "--slices", "64+64", "--adapters=0,8"], ["--slices=64+64", "--adapters", "8"]):
            done = subprocess.run(
                [tree / "scripts/gate", "HEAD", *problems], capture_output=True, text=True, check=False
            )
            assert done.stdout.splitlines()[0] == " ".join(["base:", *problems]), done


main()
