"""Runs every lora-bench command of the documents, in their order, and checks that each ends well.

    python3 tests/check_docs.py ROOT LORA_BENCH

A command is an indented line that begins with lora-bench; a backslash at its end goes on with the
next line. The commands of one document share a folder, in which tests/ is the project's.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

NO_DEVICE = 77
COMMAND = re.compile(r"^    (lora-bench .*(?:(?<=\\)\n.*)*)$", re.MULTILINE)


def run(document, root, bench):
    """What went wrong, and the exit code; None and 0 for nothing."""
    commands = COMMAND.findall(document.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tests").symlink_to(root / "tests")
        path = {**os.environ, "PATH": f"{bench.parent}:{os.environ['PATH']}", "LORATUNE_LOCK": folder}
        for command in commands:
            ended = subprocess.run(command, shell=True, cwd=folder, env=path, capture_output=True, text=True)
            if ended.returncode != 0:
                return f"{document.name}: {command}\nended with {ended.returncode}: {ended.stderr}", ended.returncode
    return (None, 0) if commands else (f"{document.name}: holds no command", 1)


def main(root, bench):
    for document in sorted((Path(root) / "docs").glob("*.md")):
        wrong, code = run(document, Path(root).resolve(), Path(bench).resolve())
        if wrong:
            print(wrong)
            return code if code == NO_DEVICE else 1
    print("every command of the documents ended well")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
