"""Packs the Python package, the shared libraries and lora-bench of a build into a wheel.

    python3 python/make_wheel.py BUILD OUT

A wheel of the same name in OUT is replaced when the new one is whole; others stay.

The tag is py3-none-manylinux_2_N_ARCH, where glibc 2.N is the oldest that has every symbol that the files
need. Where auditwheel is installed it must not refuse this tag; libOpenCL.so.1, the loader of OpenCL's drivers,
is the system's to have.
"""

import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
LIBRARIES = ("libloratune.so.0", "libloratune-cl.so.0")
# Of the system: glibc's, those that manylinux promises, and the loader of OpenCL.
SYSTEM = re.compile(r"^(lib(c|m|dl|rt|pthread|z|gcc_s|OpenCL)\.so\.\d+|ld-linux.*)$")
REQUIRES = ["numpy"]


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def glibc_of(files):
    """The minor number of the oldest glibc 2.N that has all that the files need of it."""
    needed = re.findall(r"GLIBC_2\.(\d+)", "".join(output_of("objdump", "-T", str(file)) for file in files))
    return max(map(int, needed))


def needed_by(file):
    return re.findall(r"\(NEEDED\).*\[(.+)\]", output_of("readelf", "-d", str(file)))


def path_of_library(name, file):
    for line in output_of("ldd", str(file)).splitlines():
        found = re.match(rf"\s*{re.escape(name)} => (\S+)", line)
        if found:
            return Path(found.group(1))
    sys.exit(f"{file} needs {name}, which is not here")


def add_needed(files, folder):
    """Puts what the files need and no system promises beside them, and lets them look there."""
    pending, added = list(files), set()
    while pending:
        file = pending.pop()
        for name in needed_by(file):
            if SYSTEM.match(name) or name in added or name in LIBRARIES:
                continue
            added.add(name)
            copy = folder / name
            shutil.copy(path_of_library(name, file), copy)
            copy.chmod(0o755)
            pending.append(copy)
    copies = [folder / name for name in sorted(added)]
    if added and shutil.which("patchelf") is None:
        sys.exit(f"patchelf is not installed: {files[0].name} needs {', '.join(sorted(added))} beside it")
    for file in [*files, *copies] if added else []:
        subprocess.run(["patchelf", "--set-rpath", "$ORIGIN", str(file)], check=True)
    return [*files, *copies]


def fill(folder, build):
    """The package as it is installed; the files of it that are machine code."""
    package = folder / "loratune"
    shutil.copytree(HERE / "loratune", package, ignore=shutil.ignore_patterns("__pycache__"))
    libraries, tool = package / "lib", package / "bin" / "lora-bench"
    libraries.mkdir()
    tool.parent.mkdir()
    for name in LIBRARIES:
        shutil.copy((build / name).resolve(), libraries / name)
    shutil.copy(build / "lora-bench", tool)
    files = add_needed([libraries / name for name in LIBRARIES], libraries) + add_needed([tool], tool.parent)
    for file in files:
        subprocess.run(["strip", "--strip-unneeded", str(file)], check=True)
    return files


def describe(folder, version, tag):
    info = folder / f"loratune-{version}.dist-info"
    info.mkdir()
    requires = "".join(f"Requires-Dist: {name}\n" for name in REQUIRES)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: loratune\nVersion: {version}\n"
        "Summary: The fastest LoRA kernel for an OpenCL device: found, proven and run\n"
        f"License: Apache-2.0\nRequires-Python: >=3.9\n{requires}"
        "Provides-Extra: opencl\nRequires-Dist: pyopencl; extra == 'opencl'\n"
    )
    (info / "WHEEL").write_text(
        f"Wheel-Version: 1.0\nGenerator: make_wheel\nRoot-Is-Purelib: false\nTag: py3-none-{tag}\n"
    )
    shutil.copy(HERE.parent / "LICENSE", info / "LICENSE")


def version_of(root):
    text = (root / "CMakeLists.txt").read_text(encoding="utf-8")
    return re.search(r"project\(loratune VERSION (\S+)", text).group(1)


def audit(wheel, tag):
    """Lets auditwheel refuse the wheel, where it is installed."""
    if shutil.which("auditwheel") is None or shutil.which("patchelf") is None:
        print("auditwheel is not installed: the tag is that of the symbols alone", file=sys.stderr)
        return
    # Its repair() looks at each symbol for the tag; `show` would count those of this system's libOpenCL too.
    command = ["auditwheel", "repair", "--exclude", "libOpenCL.so.1", "--plat", tag, "-w", str(wheel.parent / "audit")]
    if subprocess.run([*command, str(wheel)], check=False, stdout=sys.stderr).returncode != 0:
        sys.exit(f"auditwheel refuses the tag {tag}: the wheel is not kept")


def main(build, out):
    if sys.platform != "linux":
        sys.exit("a wheel is made on Linux")
    out.mkdir(parents=True, exist_ok=True)
    # It stands in OUT, so that a wheel takes its name there when it is whole.
    with tempfile.TemporaryDirectory(prefix=".wheel-", dir=out) as temporary:
        folder = Path(temporary) / "wheel"
        folder.mkdir()
        files = fill(folder, build)
        tag = f"manylinux_2_{glibc_of(files)}_{platform.machine()}"
        describe(folder, version_of(HERE.parent), tag)
        # Writes the list of files with their hashes too.
        subprocess.run(
            [sys.executable, "-m", "wheel", "pack", str(folder), "-d", temporary],
            check=True,
            stdout=sys.stderr,
        )
        (packed,) = Path(temporary).glob("loratune-*.whl")
        audit(packed, tag)
        wheel = out / packed.name
        packed.replace(wheel)
    print(wheel)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
