"""Checks the C headers and that the shared libraries hold what they declare.

    python3 tests/check_c_interface.py headers ROOT CC CXX
    python3 tests/check_c_interface.py symbols ROOT LIBLORATUNE LIBLORATUNE_CL
    python3 tests/check_c_interface.py abi ROOT CC [--write]
    python3 tests/check_c_interface.py self-test

headers: they compile as C11 and as C++, with CL/cl.h before, behind or absent, and hold nothing that
generators of bindings (bindgen, c-for-go, ctypesgen) cannot read: macros with values, bit-fields,
unions, variable arguments. symbols: each library exports the functions of its header and nothing
else, and what needs no OpenCL does not load it. abi: abidiff finds the interface of capi/abi
unchanged, so that it holds each function: one that it lacked could change unseen. `--write` stores
it anew. Exit code 77: abigail-tools is not installed.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HEADERS = {"libloratune.so.0": "loratune.h", "libloratune-cl.so.0": "loratune_cl.h"}
STRICT = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"]
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def code_of(header):
    return COMMENT.sub("", header.read_text(encoding="utf-8"))


def unreadable(name, code):
    """What a generator of bindings would leave out or get wrong."""
    for macro, value in re.findall(r"^\s*#\s*define\s+(\S+)[ \t]*(.*)$", code, re.MULTILINE):
        guard = name.upper().replace(".", "_")
        if value or macro != guard:
            yield f"{name}: defines {macro}: macros do not reach other languages"
    if re.search(r"\bunion\b", code):
        yield f"{name}: has a union"
    if re.search(r"^\s*[\w ]+\s\w+\s*:\s*\d+\s*;", code, re.MULTILINE):
        yield f"{name}: has a bit-field"
    if "..." in code:
        yield f"{name}: has variable arguments"
    for line in re.findall(r"^.*//.*$", code, re.MULTILINE):
        yield f"{name}: has a comment of C++: {line.strip()}"


def functions_of(code):
    return sorted(set(re.findall(r"\b(loratune_[a-z0-9_]+)\s*\(", code)))


def compiled(compiler, language, text, folder):
    """What the compiler says of a program that includes the headers; empty where nothing."""
    program = Path(folder) / f"program.{'c' if language == 'c11' else 'cpp'}"
    program.write_text(text, encoding="utf-8")
    command = [compiler, f"-std={language}", *STRICT, "-I", folder, str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode != 0 else ""


def check_headers(root, cc, cxx):
    problems = [line for name in HEADERS.values() for line in unreadable(name, code_of(root / "capi" / name))]
    ours = "#include <loratune/loratune_cl.h>\n"
    opencl = "#define CL_TARGET_OPENCL_VERSION 120\n#include <CL/cl.h>\n"
    use = "int main(void) { loratune_call call; return (int)sizeof call - (int)sizeof call; }\n"
    programs = [
        ours + use,
        opencl + ours + use,
        ours + opencl + use,
        ours + ours + use,
        "#include <loratune/loratune.h>\nint main(void) { return loratune_version() == 0; }\n",
    ]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "loratune").symlink_to(root / "capi")
        for language, compiler in [("c11", cc), ("c++11", cxx), ("c++20", cxx)]:
            for program in programs:
                said = compiled(compiler, language, program, folder)
                if said:
                    problems.append(f"as {language}:\n{program}{said}")
    return problems


def different_symbols(library, code, exported):
    """`exported` is what `nm -D --defined-only` says."""
    names = {line.split()[-1].split("@")[0] for line in exported.splitlines() if line.split()[-2:-1] not in ([], ["A"])}
    declared = set(functions_of(code))
    for name in sorted(declared - names):
        yield f"{library} lacks {name}, which its header declares"
    for name in sorted(names - declared):
        yield f"{library} exports {name}, which its header does not declare"
    if not names:
        yield f"{library} exports nothing"


def check_symbols(root, libraries):
    problems = []
    for library, (soname, header) in zip(libraries, HEADERS.items()):
        exported = subprocess.run(
            ["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True
        ).stdout
        problems += different_symbols(library, code_of(root / "capi" / header), exported)
        dynamic = subprocess.run(["readelf", "-d", library], capture_output=True, text=True, check=True).stdout
        if f"[{soname}]" not in dynamic:
            problems.append(f"{library} has not the name {soname}")
        if header == "loratune.h" and "libOpenCL" in dynamic:
            problems.append(f"{library} loads OpenCL")
        imported = subprocess.run(
            ["nm", "-D", "--undefined-only", library], capture_output=True, text=True, check=True
        ).stdout
        if header == "loratune.h" and re.search(r"\b(secure_)?getenv\b", imported):
            problems.append(f"{library} reads the environment")
    return problems


def interface_library(root, cc, header, folder):
    """A shared library with debug information that has the header's functions."""
    name = header.removesuffix(".h")
    code = code_of(root / "capi" / header)
    bodies = re.sub(
        r"^((?:const )?\w+\*? loratune_[a-z0-9_]+\([^;]*\));",
        lambda found: found.group(1) + (" {}" if found.group(1).startswith("void ") else " { return 0; }"),
        code,
        flags=re.MULTILINE,
    )
    source = Path(folder) / f"{name}.c"
    # No function takes or gives an enumeration; the values are part of the interface nevertheless.
    enums = "".join(
        f"{name} values_of_{name}(void) {{ return ({name})0; }}\n"
        for name in re.findall(r"^typedef enum (\w+)", code, re.MULTILINE)
    )
    source.write_text(
        f"#include <loratune/{header}>\n{enums}" + "\n".join(re.findall(r"^\w[^{}]*\) \{.*\}$", bodies, re.MULTILINE)),
        encoding="utf-8",
    )
    headers = Path(folder) / "loratune"
    if not headers.exists():
        headers.symlink_to(root / "capi")
    library = Path(folder) / f"{name}.so"
    subprocess.run(
        [cc, "-std=c11", "-g", "-w", "-shared", "-fPIC", "-I", folder, str(source), "-o", str(library)], check=True
    )
    return library


def abi_of(library, out):
    subprocess.run(
        [
            "abidw",
            "--no-corpus-path",
            "--no-comp-dir-path",
            "--no-show-locs",
            "--no-architecture",
            "--no-elf-needed",
            "--out-file",
            str(out),
            str(library),
        ],
        check=True,
    )


def changed_abi(stored, library):
    """What abidiff says where the library's interface is no longer the stored one."""
    done = subprocess.run(
        ["abidiff", "--no-architecture", str(stored), str(library)],
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{done.stdout}{done.stderr}" if done.returncode != 0 else ""


def check_abi(root, cc, write):
    if shutil.which("abidw") is None or shutil.which("abidiff") is None:
        print("skipped: abidw and abidiff (package abigail-tools) are not installed")
        return None
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        for header in HEADERS.values():
            library = interface_library(root, cc, header, folder)
            stored = root / "capi" / "abi" / f"{header}.abi"
            if write:
                abi_of(library, stored)
            elif changed := changed_abi(stored, library):
                problems.append(
                    f"{header} is another interface:\n{changed}"
                    "where that is meant: check_c_interface.py abi ROOT CC --write"
                )
    return problems


def abi_self_test(root, cc):
    """Plants changes of a header that callers would notice, a new function, and a change that is none."""
    wrong = []
    text = (root / "capi" / "loratune.h").read_text(encoding="utf-8")
    plants = [
        ("int64_t m, k, n;", "int64_t k, m, n;", True),
        ("int32_t align;", "int64_t align;", True),
        ("LORATUNE_BUSY = -10010", "LORATUNE_BUSY = -10020", True),
        ("uint32_t loratune_version(void);", "uint32_t loratune_version(int which);", True),
        ("uint32_t loratune_version(void);", "", True),
        ("uint32_t loratune_version(void);", "uint32_t loratune_version(void);\nuint32_t loratune_more(void);", True),
        ("LORATUNE_INTERNAL = -10012", "LORATUNE_INTERNAL = -10012, LORATUNE_MORE = -10013", False),
    ]
    with tempfile.TemporaryDirectory() as folder:
        planted = Path(folder) / "root"
        (planted / "capi").mkdir(parents=True)
        for before, after, noticed in plants:
            if before not in text:
                wrong.append(f"the header has no {before!r}")
            (planted / "capi" / "loratune.h").write_text(text.replace(before, after), encoding="utf-8")
            with tempfile.TemporaryDirectory() as built:
                library = interface_library(planted, cc, "loratune.h", built)
                changed = changed_abi(root / "capi" / "abi" / "loratune.h.abi", library)
            if bool(changed) != noticed:
                wrong.append(f"{before!r} -> {after!r}: {changed or 'nothing'}")
    return wrong


def self_test():
    sound = code_of(Path(__file__).parents[1] / "capi" / "loratune.h")
    wrong = [f"sound, yet: {line}" for line in unreadable("loratune.h", sound)]
    for fault in [
        "#define LORATUNE_MOST 8\n",
        "#define LORATUNE_API\n",
        "union loratune_u { int a; };\n",
        "struct s {\n  uint32_t flag : 1;\n};\n",
        "int loratune_f(const char* text, ...);\n",
        "int loratune_g(void);  // what\n",
    ]:
        if len(list(unreadable("loratune.h", sound + fault))) != 1:
            wrong.append(f"not found: {fault!r}")
    code = "int loratune_a(void);\nvoid loratune_b(int x);\n"
    exported = "0000 A LORATUNE_0\n0010 T loratune_a@@LORATUNE_0\n0020 T loratune_b@@LORATUNE_0\n"
    for symbols, found in [
        (exported, 0),
        (exported + "0030 T loratune_c\n", 1),
        ("", 3),
        (exported.replace("loratune_b", "_ZN8loratune1bEv"), 2),
    ]:
        told = list(different_symbols("lib", code, symbols))
        if len(told) != found:
            wrong.append(f"of {symbols!r}: {told}")
    return wrong


def main(arguments):
    kind, *rest = arguments or [""]
    if kind == "self-test":
        problems = self_test()
    elif kind == "headers" and len(rest) == 3:
        problems = check_headers(Path(rest[0]).resolve(), *rest[1:])
    elif kind == "symbols" and len(rest) == 3:
        problems = check_symbols(Path(rest[0]).resolve(), rest[1:])
    elif kind == "abi" and len(rest) in (2, 3):
        problems = check_abi(Path(rest[0]).resolve(), rest[1], rest[2:] == ["--write"])
        if problems is None:
            return 77
        problems += abi_self_test(Path(rest[0]).resolve(), rest[1])
    else:
        print(__doc__, file=sys.stderr)
        return 2
    print("\n".join(problems) or f"{kind}: as it should be")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
