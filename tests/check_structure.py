"""Checks that includes point one way and that no file is long without saying why.

    python3 tests/check_structure.py [--self-test] ROOT

ROOMS lists every room, and what each rests on: rooms that stand before it, so that there is no
circle. A header of variants/, dispatch/, host/ and engine/ is interface, unless it stands in internal/:
it is installed, is included as <loratune/...>, includes nothing internal, and says at its head what
threads may do with what it declares.
"""

import re
import sys
import tempfile
from pathlib import Path

# Of each room the rooms that it rests on. `below` stands for all rooms before the first of harness/.
BELOW = ["variants", "dispatch", "adapters", "host", "engine", "layers", "tuner"]
ROOMS = {
    "kernels": [],
    "variants": ["kernels"],
    "dispatch": ["variants"],
    "adapters": ["variants", "dispatch"],
    "host": ["variants"],
    "engine": ["variants", "dispatch", "host"],
    "layers": ["variants", "dispatch", "adapters", "engine"],
    "capi": ["variants", "dispatch", "adapters", "host", "engine", "layers"],
    "tuner": ["variants", "dispatch"],
    "harness/base": BELOW,
    "harness/process": [*BELOW, "harness/base"],
    "harness/adapter": [*BELOW, "harness/base"],
    "harness/check": [*BELOW, "harness/base", "harness/process"],
    "harness/timing": [*BELOW, "harness/base", "harness/check"],
    "harness/worker": [*BELOW, "harness/base", "harness/process", "harness/check", "harness/timing"],
    "harness/bench": [*BELOW, "harness/base", "harness/process", "harness/check", "harness/timing", "harness/worker"],
    "harness/sweep": [*BELOW, "harness/base", "harness/timing", "harness/worker"],
    "harness/record": [*BELOW, "harness/base", "harness/worker", "harness/sweep"],
    "harness/gate": [*BELOW, "harness/base", "harness/timing", "harness/worker"],
    "harness/emit": [*BELOW, "harness/base"],
    "harness/opencl": [],
    "harness/fleet": [*BELOW, "harness/base", "harness/worker", "harness/sweep"],
    "harness/report": [*BELOW, "harness/base", "harness/worker", "harness/sweep", "harness/record", "harness/gate"],
}
ROOMS["harness/cli"] = [*BELOW, *(room for room in ROOMS if room.startswith("harness/"))]
FOLDERS = sorted({room.split("/")[0] for room in ROOMS})
ROOT_ROOM = "capi"  # its headers are installed as <loratune/NAME>, those of other rooms as <loratune/ROOM/NAME>
INTERFACE = {"variants", "dispatch", "adapters", "host", "engine", "layers"}
MAX_LINES = 400
SUFFIXES = {".h", ".cpp", ".cl", ".clh"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
DEVICE = re.compile(r"^(CL/|OpenCL/|clblast|(loratune/)?engine/)")
BLAS = re.compile(r"^(openblas/|cblas|clblast)")
OPENCL_HPP = re.compile(r"^(CL|OpenCL)/.*\.hpp$")
CLOCK = re.compile(r"^(chrono|ctime|time\.h|sys/time\.h|thread)$")

# What the files of a room must not see, and why.
FORBIDDEN = [
    ("variants", DEVICE, "variants need no device"),
    ("variants", BLAS, "references are plain C++"),
    ("dispatch", DEVICE, "a dispatcher needs no device: what sees OpenCL stands in engine/"),
    ("dispatch", BLAS, "a runtime links no BLAS"),
    ("adapters", DEVICE, "an adapter is read without a device"),
    ("adapters", BLAS, "a runtime links no BLAS"),
    ("host", DEVICE, "what runs on the host needs no device"),
    ("host", BLAS, "a runtime links no BLAS"),
    ("engine", BLAS, "a runtime links no BLAS"),
    (
        "engine",
        OPENCL_HPP,
        "users compile its inline functions with macros of their own, and the linker keeps one copy:"
        " engine/internal/opencl.h has what is needed",
    ),
    ("layers", BLAS, "a runtime links no BLAS"),
    ("tuner", DEVICE, "the tuner has no device"),
    ("tuner", BLAS, "the tuner computes no product"),
    ("tuner", CLOCK, "the tuner has no clock"),
]


def room_of(path):
    """The room of a path from the root, None for a file that stands in none."""
    return next((room for room in ROOMS if path.startswith(room + "/")), None)


def is_interface(path, room):
    return room in INTERFACE and path.endswith(".h") and "/internal/" not in path


def check_target(room, path, included, interface):
    """What is wrong with an include of ours; `path` is the file's, from the root."""
    named = included.removeprefix("loratune/")
    if named != included and "/" not in named:
        named = f"{ROOT_ROOM}/{named}"
    target = room_of(named)
    if target is None:
        yield f"a quoted include is a path from the root into a room: one of {', '.join(ROOMS)}"
        return
    if target == "kernels":
        if room != "variants" or not included.endswith(".cl.h"):
            yield "only variants/ sees kernels/, by the generated <name>.cl.h"
        return
    if target != room and target not in ROOMS[room]:
        rests = ", ".join(ROOMS[room]) or "nothing"
        yield (
            f"{room}/ may not depend on {target}/: it rests on {rests}. Move what is shared to one of"
            " these, or give the room that knows both what it needs"
        )
    inside = "/internal/" in named
    if target in INTERFACE and inside == included.startswith("loratune/"):
        yield (
            "a header of internal/ is no interface: leave out loratune/"
            if inside
            else f"an interface header is included by the name that users have: loratune/{named}"
        )
    if interface and inside:
        yield f"{path} is installed, {named} is not: move what users need out of internal/"


def check_includes(path, room, text):
    interface = is_interface(path, room)
    for match in INCLUDE.finditer(text):
        quoted, included = match.group(1) == '"', match.group(2)
        line = text.count("\n", 0, match.start(2)) + 1
        where = f"{path}:{line}: includes {included}: "
        if room == "kernels":
            if "/" in included or not included.endswith(".clh"):
                yield where + "a kernel includes .clh files of its own folder only"
            continue
        ours = quoted or included.split("/")[0] in [*FOLDERS, "loratune"]
        forbidden = [reason for of, pattern, reason in FORBIDDEN if of == room and pattern.match(included)]
        if interface and not forbidden and re.match(r"(CL|OpenCL)/", included):
            yield where + "what it declares depends on users' macros: an interface takes loratune/engine/opencl_types.h"
        yield from (where + reason for reason in forbidden)
        if ours and not forbidden:
            yield from (where + what for what in check_target(room, path, included, interface))


def check_threads(path, text):
    head = text.split("#pragma once")[0]
    if not re.search(r"^// Threads: \S", head, re.MULTILINE):
        yield (
            f"{path}: an interface says at its head, in a line `// Threads: ...`, what threads may do with its"
            " types and functions"
        )


def check_length(path, text):
    lines = text.count("\n")
    if lines > MAX_LINES and not re.search(r"^// long because: \S", text, re.MULTILINE):
        yield f"{path}: {lines} lines, over {MAX_LINES}: split it, or say why in a line `// long because: ...`"


def check(root):
    """All violations of the tree, and how many files were read."""
    problems, files = [], 0
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*")):
            if file.suffix not in SUFFIXES:
                continue
            files += 1
            path = file.relative_to(root).as_posix()
            text = file.read_text(encoding="utf-8")
            room = room_of(path)
            if room is None:
                problems.append(
                    f"{path}: stands in no room: move it into one of {', '.join(ROOMS)}, or add its"
                    " room to tests/check_structure.py with what it rests on"
                )
                continue
            problems += check_includes(path, room, text)
            if is_interface(path, room):
                problems += check_threads(path, text)
            problems += check_length(path, text)
    return problems, files


def circles():
    """Rooms that rest on a room that does not stand before them."""
    order = list(ROOMS)
    return [
        f"{room} rests on {below}, which stands behind it: rooms in a circle cannot be told apart"
        for room in order
        for below in ROOMS[room]
        if order.index(below) >= order.index(room)
    ]


def self_test():
    """Plants each fault in a tree of its own; returns the cases that came out wrong."""
    good = {
        "kernels/a.cl": '#include "common.clh"\n',
        "variants/a.h": '#include "loratune/variants/b.h"\n',
        "variants/a.cpp": '#include <vector>\n#include "kernels/a.cl.h"\n#include "variants/internal/a.h"\n',
        "variants/internal/a.h": '#include "loratune/variants/a.h"\n',
        "dispatch/tuned_file.cpp": '#include <nlohmann/json.hpp>\n#include "dispatch/internal/printable.h"\n',
        "engine/engine.cpp": '#include <CL/cl.h>\n#include "loratune/variants/a.h"\n',
        "engine/internal/opencl.h": "#include <CL/cl.h>\n",
        "capi/a.h": "#include <loratune/b.h>\n",
        "capi/a.cpp": '#include "capi/internal/a.h"\n#include "loratune/a.h"\n#include "loratune/engine/engine.h"\n',
        "tuner/race.cpp": '#include "loratune/dispatch/tuned_file.h"\n// #include <chrono> is for the harness\n',
        "harness/base/clock.h": "#include <chrono>\n",
        "harness/gate/run.cpp": '#include "harness/gate/run.h"\n#include "harness/worker/worker.h"\n',
        "harness/cli/main.cpp": '#include "harness/gate/run.h"\n#include "loratune/engine/engine.h"\n',
        "harness/cli/long.cpp": "// long because: it is a table\n" + "int a;\n" * MAX_LINES,
        "harness/cli/just.cpp": "int a;\n" * MAX_LINES,
    }
    silent = {"dispatch/c.h", "engine/e.h"}
    faults = {
        "dispatch/c.h": "// A Choice is what runs.\n#pragma once\n",
        "engine/e.h": "#pragma once\n// Threads: said too late.\n",
        "kernels/b.cl": '#include "variants/a.h"\n',
        "kernels/c.cl": '#include "../common.clh"\n',
        "variants/b.cpp": '#include "loratune/dispatch/tuned_file.h"\n',
        "variants/c.h": "#include <CL/cl.h>\n",
        "variants/d.h": '  #  include "tuner/race.h"\n',
        "variants/e.cpp": '#include "kernels/common.clh"\n',
        "variants/f.cpp": '#include "a.h"\n',
        "variants/g.cpp": '#include "variants/a.h"\n',
        "variants/h.h": '#include "variants/internal/a.h"\n',
        "variants/i.cpp": '#include "loratune/variants/internal/a.h"\n',
        "dispatch/b.cpp": "#include <harness/worker/worker.h>\n",
        "dispatch/tuned_file.cpp": "#include <CL/opencl.hpp>\n",
        "dispatch/dispatcher.cpp": '#include "loratune/engine/device.h"\n',
        "dispatch/default_choice.cpp": "#include <openblas/cblas.h>\n",
        "engine/engine.cpp": "#include <cblas.h>\n",
        "engine/b.cpp": '#include "tuner/race.h"\n',
        "engine/f.cpp": '#include "loratune/loratune.h"\n',
        "capi/b.cpp": '#include "tuner/race.h"\n',
        "adapters/b.cpp": '#include "loratune/engine/engine.h"\n',
        "adapters/c.cpp": "#include <cblas.h>\n",
        "host/b.cpp": '#include "loratune/engine/engine.h"\n',
        "host/c.cpp": "#include <cblas.h>\n",
        "engine/c.cpp": "#include <CL/opencl.hpp>\n",
        "engine/d.h": "#include <CL/cl.h>\n",
        "tuner/b.cpp": '#include "harness/worker/worker.h"\n',
        "tuner/c.cpp": '#include "loratune/engine/engine.h"\n',
        "tuner/d.h": "#include <chrono>\n",
        "tuner/e.h": "#include <ctime>\n",
        "harness/base/b.cpp": '#include "tests/helper.h"\n',
        "harness/base/c.cpp": '#include "harness/cli/parse.h"\n',
        "harness/check/b.cpp": '#include "harness/worker/worker.h"\n',
        "harness/sweep/b.cpp": '#include "harness/fleet/modes.h"\n',
        "harness/gate/b.cpp": '#include "harness/sweep/journal.h"\n',
        "harness/gate/c.cpp": '#include "kernels/a.cl.h"\n',
        "harness/b.cpp": "int a;\n",
        "harness/attic/b.cpp": "int a;\n",
        "harness/cli/c.cpp": "int a;\n" * (MAX_LINES + 1),
        "harness/cli/d.cpp": "// long because:\n" + "int a;\n" * MAX_LINES,
    }

    def found(planted):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name, text in planted.items():
                speaks = name not in silent and is_interface(name, room_of(name))
                head = "// Threads: any.\n" if speaks else ""
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(head + text, encoding="utf-8")
            return check(root)[0]

    wrong = [f"good tree, yet: {problem}" for problem in found(good)]
    for name, text in faults.items():
        problems = found({**good, name: text})
        if len(problems) != 1 or not problems[0].startswith(name + ":"):
            wrong.append(f"planted in {name}: {text.splitlines()[0]!r}, reported: {problems}")
    ROOMS["harness/base"] = [*ROOMS["harness/base"], "harness/cli"]
    if len(circles()) != 1:
        wrong.append(f"planted a circle of base and cli, reported: {circles()}")
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
    problems += circles()
    if files == 0:
        problems = [f"{arguments[0]}: no source file in {', '.join(FOLDERS)}"]
    print(
        "\n".join(problems)
        or f"{files} files in {len(ROOMS)} rooms: includes point one way, none is long without a reason"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
