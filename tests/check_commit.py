"""A build names its commit, and says -dirty where the working tree holds anything else.

python3 tests/check_commit.py ROOT CMAKE
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT, CMAKE = sys.argv[1:]
ENV = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}


def git(tree, *words):
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    done = subprocess.run(["git", "-C", tree, *who, *words], check=True, capture_output=True, text=True, env=ENV)
    return done.stdout.strip()


def named(tree, header):
    subprocess.run(
        [CMAKE, "-DGIT=git", f"-DSOURCE={tree}", f"-DOUTPUT={header}", "-P", f"{ROOT}/cmake/commit.cmake"],
        check=True,
        env=ENV,
    )
    return header.read_text().split('"')[1]


def main():
    with tempfile.TemporaryDirectory() as name:
        tree, header = Path(name) / "tree", Path(name) / "commit.h"
        (tree / "kernels").mkdir(parents=True)
        assert named(tree, header) == "unknown"
        git(tree, "init", "--quiet")
        (tree / "kernels/old.cl").write_text("old")
        (tree / ".gitignore").write_text("/build/\n")
        git(tree, "add", ".")
        git(tree, "commit", "--quiet", "-m", "first")
        head = git(tree, "rev-parse", "--short=12", "HEAD")
        (tree / "build").mkdir()
        (tree / "build/made").write_text("made")
        assert named(tree, header) == head, "what git ignores is no change"
        before = header.stat().st_mtime_ns
        assert named(tree, header) == head and header.stat().st_mtime_ns == before, "written anew, the same"
        new = tree / "kernels/new.cl"
        new.write_text("new")
        assert named(tree, header) == head + "-dirty", "a new file was not seen"
        git(tree, "add", "kernels/new.cl")
        assert named(tree, header) == head + "-dirty", "an added file was not seen"
        git(tree, "rm", "--quiet", "--cached", "kernels/new.cl")
        new.unlink()
        assert named(tree, header) == head
        (tree / "kernels/old.cl").write_text("changed")
        assert named(tree, header) == head + "-dirty", "a changed file was not seen"


main()
