"""Each document is installed, and each of its links leads to what is installed too.

python3 tests/check_installed_documents.py ROOT CMAKE

A project of nothing but cmake/LoratuneFiles.cmake is installed: no library is built. That the links hold in the
source, with their anchors, is for check_docs.py.
"""

import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from check_docs import LINK, documents

ROOT, CMAKE = Path(sys.argv[1]).resolve(), sys.argv[2]
PROJECT = f"""cmake_minimum_required(VERSION 3.25)
project(documents LANGUAGES NONE)
include({ROOT}/cmake/LoratuneFiles.cmake)
"""
PICTURE = re.compile(r'\bsrc(?:set)?="([^"]+)"')


def dead_links(folder):
    """The links of the documents in this folder that lead to no file or folder."""
    found = []
    for document in documents(folder):
        text = document.read_text(encoding="utf-8")
        for target in LINK.findall(text) + PICTURE.findall(text):
            path = target.partition("#")[0]
            if path and not re.match(r"[a-z]+:", target) and not (document.parent / path).exists():
                found.append(f"{document.relative_to(folder)}: {target}")
    return found


class InstalledDocuments(unittest.TestCase):
    def installed(self, headers="include"):
        """The folder of the documents, in a prefix that is not where it was configured for."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        work = Path(folder.name)
        (work / "CMakeLists.txt").write_text(PROJECT, encoding="utf-8")
        places = ["-DCMAKE_INSTALL_DATADIR=share", f"-DCMAKE_INSTALL_INCLUDEDIR={headers}"]
        for command in (
            ["-G", "Ninja", "-S", work, "-B", work / "build", *places],
            ["--install", work / "build", "--prefix", work / "prefix", "--component", "development"],
        ):
            done = subprocess.run([CMAKE, *command], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
        return work / "prefix/share/doc/libloratune-dev"

    def test_all_are_there_and_lead_somewhere(self):
        for headers in ("include", "include/x86_64-linux-gnu"):
            folder = self.installed(headers)
            there = {path.relative_to(folder) for path in documents(folder)}
            self.assertEqual(there, {path.relative_to(ROOT) for path in documents(ROOT)})
            self.assertEqual(dead_links(folder), [])

    def test_a_dead_link_is_seen(self):
        folder = self.installed()
        for path, link in (
            ("docs/pictures/page-dark.png", "README.md: docs/pictures/page-dark.png"),
            ("docs/reference.md", "docs/tuning.md: reference.md#the-key-of-a-problem"),
            ("results/bench/nvidia-h200.svg", "results/performance.md: bench/nvidia-h200.svg"),
            ("../../../include/loratune/layers/merge.h", "docs/groups.md: ../layers/merge.h"),
            ("results/schema", "docs/format.md: ../results/schema/tuned-v2.schema.json"),
        ):
            self.assertNotIn(link, dead_links(folder))
            (folder / path).unlink()
            self.assertIn(link, dead_links(folder))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
