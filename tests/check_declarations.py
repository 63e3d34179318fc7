"""Checks that an installed library defines each function that an installed C++ header declares.

    python3 tests/check_declarations.py ROOT LIBRARY...
    python3 tests/check_declarations.py --self-test ROOT LIBRARY...

The installed headers are those of ROOT that are in no internal/ folder. A function with a body in a header
is defined there. Of the others, `nm` of the static libraries must show as many signatures of the name and the
number of parameters as there are declarations. --self-test plants functions that nothing defines.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOMS = ("variants", "dispatch", "adapters", "host", "engine", "layers")
NOT_CODE = re.compile(
    r"//[^\n]*|/\*.*?\*/|^[ \t]*\#(?:[^\n\\]|\\.|\\\n)*|(\"(?:[^\"\\\n]|\\.)*\"|(?<![0-9a-fA-F])'(?:[^'\\\n]|\\.)*')",
    re.DOTALL | re.MULTILINE,
)
NAME = re.compile(r"((?:\w+::)*(?:~?\w+|operator\s*(?:\(\)|[^\s\w(]+|[\w:]+)))\s*\(")
NO_FUNCTION = re.compile(r"\b(?:using|typedef|friend|static_assert|enum|concept)\b|=\s*(?:0|default|delete)\s*$")


def without_templates(text):
    """The text without what stands between < and >, but for the operators that have these signs."""
    text = re.sub(r"operator\s*(<=>|<<|>>|<=|>=|<|>|->)", lambda at: "operator" + "@" * len(at[1]), text)
    while (shorter := re.sub(r"<[^<>]*>", "", text)) != text:
        text = shorter
    return text


def parameter_count(text):
    """Of a text without templates that goes on behind the parenthesis which opens the parameters."""
    depth, commas, at = 1, 0, 0
    while depth > 0:
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        commas += text[at] == "," and depth == 1
        at += 1
    return commas + 1 if text[: at - 1].strip() else 0


def function_of(statement):
    """The function that a statement declares, as its qualified name and the number of its parameters; None for
    another statement."""
    statement = re.sub(r"^\s*template\s*<.*?>\s*(?=\w)", "", statement, flags=re.DOTALL)
    statement = re.sub(r"\[\[.*?\]\]|\balignas\s*\([^()]*\)|^\s*(?:public|private|protected)\s*:", "", statement)
    if NO_FUNCTION.search(statement):
        return None
    flat = without_templates(statement)
    found = NAME.search(flat)
    if not found or "=" in flat[: found.start()] or re.match(r"\s*[*&]", flat[found.end() :]):
        return None
    return re.sub(r"\s+", "", found[1]), parameter_count(flat[found.end() :])


def functions_of(header):
    """Functions as function_of() gives them: declared without a body, and with one."""
    text = NOT_CODE.sub(lambda at: '""' if at[1] else " ", header)
    declared, defined = [], []
    scopes, statement, at = [], "", 0  # a scope: the name that it adds, None where nothing is declared
    while at < len(text):
        sign = text[at]
        if sign == "{" and statement.count("(") > statement.count(")"):  # of a default argument
            depth = 0
            while True:
                depth += {"{": 1, "}": -1}.get(text[at], 0)
                if depth == 0:
                    break
                at += 1
        elif sign == "{":
            outer = None in scopes
            function = function_of(statement)
            scope = None
            if namespace := re.search(r"\bnamespace\s+([\w:]+)\s*$", statement):
                scope = namespace[1]
            elif not re.search(r"\benum\b", statement) and (
                kind := re.match(
                    r"(?:.*[;}>:])?\s*(?:class|struct|union)\s+(?:alignas\s*\([^()]*\)\s*)?(\w+)[^()=]*$",
                    statement,
                    re.DOTALL,
                )
            ):
                scope = kind[1]
            elif function and not outer:
                defined.append(("::".join([*scopes, function[0]]), function[1]))
            scopes.append(scope)
            statement = ""
        elif sign == "}":
            scopes.pop()
            statement = ""
        elif sign == ";":
            function = function_of(statement)
            if function and None not in scopes:
                declared.append(("::".join([*scopes, function[0]]), function[1]))
            statement = ""
        else:
            statement += sign
        at += 1
    return declared, defined


def signatures_of(symbols):
    """Of what `nm -C` says, the signatures by functions."""
    by_function = {}
    for line in symbols.splitlines():
        found = re.match(r"[0-9a-f]+ [A-Zu] (.*)$", line)
        if not found or "(anonymous namespace)" in found[1] or "[clone" in found[1]:
            continue
        flat = re.sub(r"\[abi:\w+\]", "", found[1])
        plain = without_templates(flat)
        name = re.match(
            r"(?:.*\s)?((?:[\w~]+::)*(?:~?\w+|operator\s*(?:\(\)|[^\s\w(]+|[\w:]+)))\(", re.sub(r"\(.*", "(", plain)
        )
        if name:
            function = re.sub(r"\s+", "", name[1]), parameter_count(plain[name.end() :])
            by_function.setdefault(function, set()).add(flat)
    return by_function


def undefined(headers, symbols):
    """A line for each function of the headers, texts by name, that neither they nor the symbols define."""
    signatures = signatures_of(symbols)
    declared, defined, where = {}, {}, {}
    for header, text in headers.items():
        for functions, counts in zip(functions_of(text), (declared, defined)):
            for function in functions:
                counts[function] = counts.get(function, 0) + 1
                where.setdefault(function, header)
    for function, count in sorted(declared.items()):
        has = len(signatures.get(function, ())) + defined.get(function, 0)
        if has < count:
            name, parameters = function
            yield f"{where[function]}: {name} of {parameters} parameters is declared {count}x, defined {has}x"


def installed_headers(root):
    paths = [path for room in ROOMS for path in (root / room).rglob("*.h") if "internal" not in path.parts]
    return {str(path.relative_to(root)): path.read_text(encoding="utf-8") for path in sorted(paths)}


def self_test(headers, symbols):
    wrong = [f"sound, yet: {line}" for line in undefined(headers, symbols)]
    declared = sum(len(functions_of(text)[0]) for text in headers.values())
    if declared < 100:
        wrong.append(f"only {declared} declarations were read")
    plants = [
        ("dispatch/dispatcher.h", "  const DeviceInfo& device() const;", "  const DeviceInfo& twin() const;"),
        ("dispatch/dispatcher.h", "  const DeviceInfo& device() const;", "  int device(int of) const;"),
        (
            "dispatch/dispatcher.h",
            "std::string_view to_string(ShapeMatch match);",
            "int to_nothing(\n    int at = {});",
        ),
        ("layers/merge.h", "class Merge {\n public:", "  template <class T>\n  T merged(const T& what);"),
        ("variants/problem.h", "std::string_view to_string(Op op);", "std::string_view to_string(Op op, int, Dtype);"),
        ("variants/problem.h", "std::string_view to_string(Op op);", "namespace inner {\n[[nodiscard]] int f();\n}"),
        ("engine/device.h", "namespace loratune {", "struct Planted {\n  ~Planted();\n};"),
        ("engine/device.h", "namespace loratune {", "bool operator<(const Device& a, const Device& b);"),
    ]
    for header, after, plant in plants:
        if after not in headers[header]:
            wrong.append(f"{header} has no {after!r}")
        changed = {**headers, header: headers[header].replace(after, f"{after}\n{plant}\n", 1)}
        told = list(undefined(changed, symbols))
        if len(told) != 1:
            wrong.append(f"{plant!r}: {told}")
    for sound in [
        "struct S {\n  S() = default;\n  virtual int f() = 0;\n  int (*g)(int);\n  int h() { return f(); }\n};"
    ]:
        told = list(undefined({"sound.h": sound}, ""))
        if told:
            wrong.append(f"{sound!r}: {told}")
    return wrong


def main(arguments):
    testing = arguments[:1] == ["--self-test"]
    root, *libraries = arguments[testing:] or [""]
    if not libraries:
        print(__doc__, file=sys.stderr)
        return 2
    symbols = subprocess.run(
        ["nm", "-C", "--defined-only", *libraries], capture_output=True, text=True, check=True
    ).stdout
    headers = installed_headers(Path(root))
    problems = list((self_test if testing else undefined)(headers, symbols))
    print("\n".join(problems) or f"{len(headers)} headers: every function that they declare is defined")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
