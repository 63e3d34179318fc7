"""Checks that includes point one way and that no file is long without saying why.

    python3 tests/check_structure.py [--self-test] ROOT

kernels -> variants -> dispatch -> tuner -> harness: a folder includes itself and those before it.
"""

import re
import sys
import tempfile
from pathlib import Path

LAYERS = ["kernels", "variants", "dispatch", "tuner", "harness"]
MAX_LINES = 400
SUFFIXES = {".h", ".cpp", ".cl", ".clh"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
DEVICE = re.compile(r"^(CL/|OpenCL/|clblast|dispatch/(device|engine)\.h$)")
BLAS = re.compile(r"^(openblas/|cblas|clblast)")
CLOCK = re.compile(r"^(chrono|ctime|time\.h|sys/time\.h|thread)$")

# Files of a folder that must not see what the expression matches; None: all of them.
FORBIDDEN = [
    ("variants", None, DEVICE, "variants need no device"),
    ("variants", None, BLAS, "references are plain C++"),
    ("dispatch", {"device", "engine"}, DEVICE, "only device and engine may see OpenCL"),
    ("dispatch", None, BLAS, "a runtime links no BLAS"),
    ("tuner", None, DEVICE, "the tuner has no device"),
    ("tuner", None, BLAS, "the tuner computes no product"),
    ("tuner", None, CLOCK, "the tuner has no clock"),
]


def exempt(stem, names):
    return names is not None and any(stem == n or stem.startswith(n + "_") for n in names)


def folder_of(included, root):
    """The layer that a quoted or angled include leads to, or None for a library's header."""
    first = included.split("/")[0]
    return first if "/" in included and first in LAYERS else None


def check_includes(path, layer, text, root):
    for match in INCLUDE.finditer(text):
        quoted, included = match.group(1) == '"', match.group(2)
        line = text.count("\n", 0, match.start(2)) + 1
        where = f"{path.relative_to(root)}:{line}: includes {included}: "
        target = folder_of(included, root)
        if layer == "kernels":
            if "/" in included or not included.endswith(".clh"):
                yield where + "a kernel includes .clh files of its own folder only"
            continue
        if quoted and target is None:
            yield where + "a quoted include is a path from the root into one of " + ", ".join(LAYERS)
        if target is not None and LAYERS.index(target) > LAYERS.index(layer):
            yield where + f"{layer}/ may not depend on {target}/"
        if target == "kernels" and not included.endswith(".cl.h"):
            yield where + "of kernels/ only the generated <name>.cl.h is C++"
        for folder, allowed, pattern, reason in FORBIDDEN:
            if folder == layer and not exempt(path.stem, allowed) and pattern.match(included):
                yield where + reason


def check_length(path, text, root):
    lines = text.count("\n")
    if lines > MAX_LINES and not re.search(r"^// long because: \S", text, re.MULTILINE):
        yield (f"{path.relative_to(root)}: {lines} lines, over {MAX_LINES}: split it, or say why in"
               " a line `// long because: ...`")


def check(root):
    """All violations of the tree, and how many files were read."""
    problems, files = [], 0
    for layer in LAYERS:
        for path in sorted((root / layer).rglob("*")):
            if path.suffix not in SUFFIXES:
                continue
            files += 1
            text = path.read_text(encoding="utf-8")
            problems += check_includes(path, layer, text, root)
            problems += check_length(path, text, root)
    return problems, files


def self_test():
    """Plants each fault in a tree of its own; returns the cases that came out wrong."""
    good = {
        "kernels/a.cl": '#include "common.clh"\n',
        "variants/a.cpp": '#include <vector>\n#include "kernels/a.cl.h"\n#include "variants/a.h"\n',
        "dispatch/engine.cpp": '#include <CL/opencl.hpp>\n#include "variants/a.h"\n',
        "dispatch/engine_cache.cpp": '#include "dispatch/engine.h"\n',
        "dispatch/tuned_file.cpp": "#include <nlohmann/json.hpp>\n",
        "tuner/race.cpp": '#include "dispatch/tuned_file.h"\n// #include <chrono> is for the harness\n',
        "harness/main.cpp": '#include <chrono>\n#include "tuner/race.h"\n#include "dispatch/engine.h"\n',
        "harness/long.cpp": "// long because: it is a table\n" + "int a;\n" * MAX_LINES,
        "harness/just.cpp": "int a;\n" * MAX_LINES,
    }
    faults = {
        "kernels/b.cl": '#include "variants/a.h"\n',
        "kernels/c.cl": '#include "../common.clh"\n',
        "variants/b.cpp": '#include "dispatch/tuned_file.h"\n',
        "variants/c.h": "#include <CL/cl.h>\n",
        "variants/d.h": '  #  include "tuner/race.h"\n',
        "variants/e.cpp": '#include "kernels/common.clh"\n',
        "variants/f.cpp": '#include "a.h"\n',
        "dispatch/b.cpp": "#include <harness/worker.h>\n",
        "dispatch/tuned_file.cpp": "#include <CL/opencl.hpp>\n",
        "dispatch/dispatcher.cpp": '#include "dispatch/device.h"\n',
        "dispatch/engine.cpp": "#include <cblas.h>\n",
        "dispatch/default_choice.cpp": "#include <openblas/cblas.h>\n",
        "tuner/b.cpp": '#include "harness/worker.h"\n',
        "tuner/c.cpp": '#include "dispatch/engine.h"\n',
        "tuner/d.h": "#include <chrono>\n",
        "tuner/e.h": "#include <ctime>\n",
        "harness/b.cpp": '#include "tests/helper.h"\n',
        "harness/c.cpp": "int a;\n" * (MAX_LINES + 1),
        "harness/d.cpp": "// long because:\n" + "int a;\n" * MAX_LINES,
    }

    def found(planted):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name, text in planted.items():
                (root / name).parent.mkdir(exist_ok=True)
                (root / name).write_text(text, encoding="utf-8")
            return check(root)[0]

    wrong = [f"good tree, yet: {problem}" for problem in found(good)]
    for name, text in faults.items():
        problems = found({**good, name: text})
        if len(problems) != 1 or not problems[0].startswith(name + ":"):
            wrong.append(f"planted in {name}: {text.splitlines()[0]!r}, reported: {problems}")
    return wrong


def main(arguments):
    if arguments[:1] == ["--self-test"]:
        wrong = self_test()
        print("\n".join(wrong) or "every planted fault was found")
        return 1 if wrong else 0
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    problems, files = check(Path(arguments[0]).resolve())
    if files == 0:
        problems = [f"{arguments[0]}: no source file in {', '.join(LAYERS)}"]
    print("\n".join(problems) or f"{files} files: includes point one way, none is long without a reason")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
