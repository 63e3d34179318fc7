"""The toolchain files find the sysroot's libraries and headers and no others, also in try_compile.

python3 tests/check_toolchains.py ROOT CMAKE

A stand-in for each compiler is this machine's, told of the sysroot's headers where the toolchain tells it.
"""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT, CMAKE = Path(sys.argv[1]).resolve(), sys.argv[2]
COMPILER = """#!/bin/sh
for word; do
  shift
  [ "$before" = -target ] || case $word in
    c++ | -target) ;;
    --sysroot=*) set -- "$@" -isystem "${word#*=}/usr/include" ;;
    *) set -- "$@" "$word" ;;
  esac
  before=$word
done
exec /usr/bin/c++ "$@"
"""
# OUTSIDE is a folder of this machine, which has the same as the sysroot under other names.
PROJECT = """cmake_minimum_required(VERSION 3.25)
project(asks LANGUAGES CXX)
include(CheckIncludeFileCXX)
foreach(name inside outside)
  find_library(LIBRARY_${name} ${name} PATHS ${OUTSIDE}/lib)
  find_path(HEADER_${name} ${name}.h PATHS ${OUTSIDE}/include)
  find_package(${name} CONFIG QUIET PATHS ${OUTSIDE}/lib/cmake/${name})
  check_include_file_cxx(${name}.h COMPILES_${name})
  message("${name}: ${LIBRARY_${name}} ${HEADER_${name}} ${${name}_FOUND} '${COMPILES_${name}}'")
endforeach()
find_program(SHELL sh)
message("sh: ${SHELL}")
message("pkg-config: $ENV{PKG_CONFIG_SYSROOT_DIR} '$ENV{PKG_CONFIG_DIR}'")
"""


class Toolchains(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()
        self.sysroot = self.folder / "sysroot"
        for name, prefix in (("inside", self.sysroot / "usr"), ("outside", self.folder / "machine")):
            for file in (f"lib/lib{name}.a", f"include/{name}.h", f"lib/cmake/{name}/{name}Config.cmake"):
                self.write(prefix / file)
        self.write(self.folder / "CMakeLists.txt", PROJECT)
        for program in ("bin/zig", "bin/aarch64-linux-gnu-g++", "sysroot/usr/bin/sh"):
            self.write(self.folder / program, COMPILER).chmod(0o755)

    def write(self, path, text=""):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def configure(self, toolchain):
        given = {
            "LORATUNE_ZIG": self.folder / "bin/zig",
            "LORATUNE_SYSROOT": self.sysroot,
            "OUTSIDE": self.folder / "machine",
        }
        done = subprocess.run(
            [CMAKE, "-G", "Ninja", "-S", self.folder, "-B", self.folder / "build", "--no-warn-unused-cli"]
            + ["--toolchain", ROOT / "cmake/toolchains" / toolchain]
            + [f"-D{name}={value}" for name, value in given.items()],
            env={"PATH": f"{self.folder}/bin:{os.environ['PATH']}", "PKG_CONFIG_DIR": "/usr/lib/pkgconfig"},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return dict(line.split(": ", 1) for line in done.stderr.splitlines() if ": " in line)

    def check(self, toolchain, *, compiles):
        said = self.configure(toolchain)
        inside, shell = self.sysroot / "usr", said.pop("sh")
        self.assertEqual(
            said,
            {
                "inside": f"{inside}/lib/libinside.a {inside}/include 1 '{compiles}'",
                "outside": "LIBRARY_outside-NOTFOUND HEADER_outside-NOTFOUND 0 ''",
                "pkg-config": f"{self.sysroot} ''",
            },
        )
        self.assertTrue(Path(shell).is_file() and not shell.startswith(str(self.sysroot)), shell)

    def test_aarch64(self):
        self.check("aarch64-linux-gnu.cmake", compiles="1")  # try_compile is told the sysroot

    def test_portable(self):
        self.check("portable.cmake", compiles="")  # the C library is zig's, and so are its headers


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
