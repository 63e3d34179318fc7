"""Checks the commands, excerpts, links and figures of the project's Markdown files.

    python3 tests/check_docs.py ROOT PARSE_ONLY                # what needs no device
    python3 tests/check_docs.py ROOT PARSE_ONLY LORA_BENCH     # and runs the commands
    python3 tests/check_docs.py --self-test PARSE_ONLY

A block of code says what it is:

    ```sh                       every line is a command. Those of one document are run in their order, in
                                one folder, and end well. The folder holds what `git clone` gives
    <!-- not run: REASON -->    stands before a block of sh: its commands are only parsed
    <!-- from PATH -->          stands before a block of any language: the lines of the block stand so in
                                that file, which is compiled or run by a test of its own
    ```text                     nothing is checked: output, formulas, drawings

`<!-- no command here is run: REASON -->` at the head of a document counts for each of its blocks.
The words behind `lora-bench`, also in `inline code`, must be ones that lora-bench takes: PARSE_ONLY is
its parser alone. A run is cut short by SHORTER. A measured figure of README.md and docs/ stands in what
scripts/update-tables rebuilds from the file that was measured.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

NO_DEVICE = 77
BLOCK = re.compile(r"(?:<!-- (not run|from):? (.*?) -->\n\n)?^( *)```(\w*)\n(.*?)^ *```$", re.M | re.S)
ALL_NOT_RUN = re.compile(r"^<!-- no command here is run: \S.* -->$", re.M)
REBUILT = re.compile(r"<!-- scripts/[^\n]*? -->.*?<!-- end -->", re.S)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FIGURE = re.compile(r"\b\d[\d.,]* ?(?:us|GB/s|TB/s|GFLOP/s)\b|\b\d+\.\d+ ?x\b|\b\d\.\d+ (?:times|of the time)\b")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z_-]+")

# What a run of the documents adds to a command, or puts in the place of what the command says.
SHORTER = {"--sweep": ("--budget", "4s"), "--bench": ("--budget", "4s"), "--check": ("--cases", "3")}
# What files of such names begin with.
REPLAYED = {".jsonl": '{"schema": "loratune/recording"}\n', "gate.json": "{}\n"}
# Modes whose exit code is a verdict on times, which no test decides on.
VERDICTS = {"--gate": (0, 1, 3), "--verify": (0, 1, 3)}


def documents(root):
    listed = [root / "README.md", root / "CONTRIBUTING.md", *root.glob("docs/*.md"), *root.glob("results/*.md")]
    return sorted(path for path in listed if path.exists())


def commands_of(code):
    """The commands of a block: lines without comments, a line that ends with a backslash with the next."""
    lines = code.replace("\\\n", " ").splitlines()
    bare = [re.sub(r"(^|\s)#\s.*$", "", line).strip() for line in lines]
    return [re.sub(r"\s+", " ", line) for line in bare if line]


def programs_of(command, variables):
    """The words of each program that a command line starts: pipes, lists and prefixes taken apart."""
    for name, value in variables.items():
        command = command.replace(f"${name}", value)
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words, programs = list(lexer), [[]]
    for word in words:
        if set(word) <= set("|&;"):
            programs.append([])
        else:
            programs[-1].append(word)
    for whole in programs:
        cut = next((i for i, word in enumerate(whole) if set(word) <= set("<>")), len(whole))
        program = whole[:cut]
        assigned = [word for word in program if re.match(r"[A-Z]\w*=", word)]
        if len(assigned) == len(program):
            variables.update(word.split("=", 1) for word in assigned)
            continue
        rest = program[len(assigned) :]
        named = (
            [] if "scripts/" in rest[0] else [i for i, word in enumerate(rest) if word.split("/")[-1] == "lora-bench"]
        )
        yield ["lora-bench", *rest[named[0] + 1 :]] if named else rest


class Checker:
    def __init__(self, root, parse_only):
        self.root, self.parse_only, self.wrong = root, parse_only, []
        self.asked = {}
        help_text = subprocess.run([parse_only, "--help"], capture_output=True, text=True).stdout
        modes = re.search(r"^Modes:\n(.*?)\n\n", help_text, re.M | re.S)
        self.modes = OPTION.findall("\n".join(re.findall(r"^  (--\S+)", modes[1], re.M))) if modes else []
        scripts = [path.read_text(encoding="utf-8") for path in self.files_of_scripts()]
        self.options = set(OPTION.findall(help_text)) | {option for text in scripts for option in OPTION.findall(text)}

    def files_of_scripts(self):
        found = [path for path in (self.root / "scripts").rglob("*") if path.is_file() and path.suffix != ".pyc"]
        return [*found, *(path for path in [self.root / "CMakePresets.json"] if path.exists())]

    def complain(self, document, what):
        self.wrong.append(f"{document.relative_to(self.root)}: {what}")

    def refusal(self, words):
        """Why lora-bench would not take these words; empty where it does."""
        key = tuple(words)
        if key not in self.asked:
            with tempfile.TemporaryDirectory() as folder:
                # The parser looks into the file of --replay, since that file says which mode is meant.
                replayed = next((after for word, after in pairwise(words) if word == "--replay"), "")
                content = next((text for ending, text in REPLAYED.items() if replayed.endswith(ending)), "")
                if replayed:
                    (Path(folder) / Path(replayed).name).write_text(content, encoding="utf-8")
                done = subprocess.run([self.parse_only, *words], cwd=folder, capture_output=True, text=True)
            self.asked[key] = done.stderr.strip() if done.returncode != 0 else ""
        return self.asked[key]

    def check_program(self, document, words):
        name = words[0]
        if name == "lora-bench":
            refusal = self.refusal(words[1:])
            if refusal:
                self.complain(document, f"{shlex.join(words)}: {refusal}")
        elif re.match(r"(\./)?scripts/", name):
            path = self.root / name
            if not path.is_file():
                self.complain(document, f"{name}: there is no such script")
                return
            text = path.read_text(encoding="utf-8")
            for option in OPTION.findall(" ".join(words)):
                if option not in text and option not in self.options:
                    self.complain(document, f"{name} knows no {option}")
        elif name in ("cmake", "ctest") and "--preset" in words[:-1]:
            preset = words[words.index("--preset") + 1]
            presets = json.loads((self.root / "CMakePresets.json").read_text(encoding="utf-8"))
            kinds = ("configurePresets", "buildPresets", "testPresets", "workflowPresets")
            if preset not in {one["name"] for kind in kinds for one in presets.get(kind, [])}:
                self.complain(document, f"{shlex.join(words)}: there is no preset {preset}")

    def check_excerpt(self, document, path, code):
        file = self.root / path
        lines, text = (
            [line.strip() for line in one.splitlines() if line.strip()]
            for one in (code, file.read_text(encoding="utf-8") if file.exists() else "")
        )
        if not any(text[i : i + len(lines)] == lines for i in range(len(text))):
            self.complain(document, f"the block that begins with {lines[0]!r} is not what stands in {path}")

    def check_links(self, document, text):
        for target in LINK.findall(text):
            path, _, anchor = target.partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            file = (document.parent / path).resolve() if path else document
            if not file.exists():
                self.complain(document, f"links to {target}, which is not there")
            elif anchor and file.suffix == ".md":
                titles = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.M)
                if anchor not in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}:
                    self.complain(document, f"links to {target}: there is no such section")

    def check_figures(self, document, prose):
        for figure in FIGURE.findall(REBUILT.sub("", prose)):
            self.complain(document, f"no command rebuilds the measured figure {figure!r}: see scripts/update-tables")

    def check_whole(self, found):
        """What the documents must hold together: every mode a line of the reference, every page a way to it."""
        reference, readme = self.root / "docs" / "reference.md", self.root / "README.md"
        told = set(OPTION.findall(reference.read_text(encoding="utf-8")))
        for mode in self.modes:
            if mode not in told:
                self.complain(reference, f"says nothing of the mode {mode}")
        linked = set(LINK.findall(readme.read_text(encoding="utf-8")))
        for document in found:
            path = document.relative_to(self.root).as_posix()
            if document.parent == self.root / "docs" and path not in linked:
                self.complain(readme, f"does not link to {path}")

    def check(self, document):
        """Checks what needs no device; returns the commands to run."""
        text = document.read_text(encoding="utf-8")
        none_run, to_run, variables = ALL_NOT_RUN.search(text) is not None, [], {}
        for mark, about, _, language, code in BLOCK.findall(text):
            if mark == "from":
                self.check_excerpt(document, about, code)
            elif language == "sh":
                for command in commands_of(code):
                    for words in programs_of(command, variables):
                        if words:
                            self.check_program(document, words)
                    if not mark and not none_run:
                        to_run.append(command)
            elif language != "text":
                begin = code.strip().splitlines()[0] if code.strip() else ""
                self.complain(document, f"the block {begin!r} says neither sh nor text, nor what it is from")
        prose = BLOCK.sub("", text)
        for inline in re.findall(r"`([^`\n]+)`", prose):
            if inline.startswith("lora-bench "):
                for words in programs_of(inline, {}):
                    self.check_program(document, words)
            for option in OPTION.findall(inline) if inline.startswith("--") else []:
                if option not in self.options:
                    self.complain(document, f"{option}: neither lora-bench nor a script has such an option")
        self.check_links(document, prose)
        if document.parent != self.root / "results":
            self.check_figures(document, prose)
        return to_run


def shortened(command):
    """The command as it is run here."""
    words = command.split()
    for mode, (option, value) in SHORTER.items():
        if "lora-bench" not in words or mode not in words:
            continue
        if option in words:
            words[words.index(option) + 1] = value
        else:
            words[words.index(mode) + 1 : words.index(mode) + 1] = [option, value]
    return " ".join(words)


def run(document, commands, root, bench):
    """What went wrong, and the exit code; None and 0 for nothing."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("tests", "scripts", "results"):
            (Path(folder) / name).symlink_to(root / name)
        path = {**os.environ, "PATH": f"{bench.parent}:{os.environ['PATH']}", "LORATUNE_LOCK": folder}
        for command in commands:
            allowed = next((codes for mode, codes in VERDICTS.items() if f" {mode} " in command), (0,))
            ended = subprocess.run(shortened(command), shell=True, cwd=folder, env=path, capture_output=True, text=True)
            if ended.returncode not in allowed:
                return f"{document.name}: {command}\nended with {ended.returncode}: {ended.stderr}", ended.returncode
    return None, 0


SOUND = """# Title

[here](#title) `lora-bench --list --json` `--budget`

```sh
lora-bench --list | head -1 > list.txt    # prints
```

<!-- not run: it takes long -->

```sh
G="--tokens 1"
nice lora-bench --sweep $G \\
  --out a.json && lora-bench --verify a.json
```

<!-- from examples/a.cpp -->

```cpp
int a;
```

Tuned is <!-- scripts/figure a -->1.25x<!-- end --> as fast.
"""
FAULTS = {
    "an option that is none": ("--list --json", "--list --jsno"),
    "an option of another mode": ("--list |", "--list --junit a.xml |"),
    "an option of a tool that has a path": ("nice lora-bench --sweep", "./build/release/lora-bench --seep"),
    "an option behind a variable": ('"--tokens 1"', '"--token 1"'),
    "an option in prose": ("`--budget`", "`--budgets`"),
    "a section that is not there": ("(#title)", "(#chapter)"),
    "a file that is not there": ("(#title)", "(b.md)"),
    "a script that is not there": ("nice lora-bench --sweep", "scripts/sweep"),
    "an excerpt that has changed": ("int a;", "int b;"),
    "a block that says nothing": ("```sh\nlora", "```\nlora"),
    "a figure without a command": ("as fast.", "as fast, or 1.5x."),
    "a time without a command": ("# Title", "# Title\n\nIt takes 12.5 us."),
}


def self_test(parse_only):
    wrong = []
    for fault, (old, new) in {"": ("", ""), **FAULTS}.items():
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder).resolve()
            for name in ("docs", "examples", "scripts"):
                (root / name).mkdir()
            (root / "examples" / "a.cpp").write_text("  int a;\n", encoding="utf-8")
            text = SOUND.replace(old, new, 1) if fault else SOUND
            (root / "docs" / "a.md").write_text(text, encoding="utf-8")
            checker = Checker(root, parse_only)
            to_run = checker.check(root / "docs" / "a.md")
            runs = fault or to_run == ["lora-bench --list | head -1 > list.txt"]
            if bool(checker.wrong) != bool(fault) or not runs:
                wrong.append(f"planted {fault or 'nothing'}: to run {to_run}, complaints {checker.wrong}")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        (root / "docs").mkdir()
        checker = Checker(root, parse_only)
        (root / "docs" / "reference.md").write_text(" ".join(checker.modes[1:]), encoding="utf-8")
        (root / "README.md").write_text("[reference](docs/reference.md)", encoding="utf-8")
        checker.check_whole([root / "docs" / "reference.md", root / "docs" / "b.md"])
        if len(checker.modes) < 2 or len(checker.wrong) != 2:
            wrong.append(f"planted a mode and a page that nothing leads to: {checker.modes}, {checker.wrong}")
        bench = root / "bin" / "lora-bench"
        bench.parent.mkdir()
        bench.write_text('#!/bin/sh\ncase "$*" in *--quick*) exit 1;; *--device*) exit 77;; esac\n', encoding="utf-8")
        bench.chmod(0o755)
        good, bad = "lora-bench --list", "lora-bench --list --quick"
        codes = [run(root / "README.md", [*before, bad], root, bench)[1] for before in ([], [good])]
        codes += [run(root / "README.md", [line], root, bench)[1] for line in (good, "lora-bench --verify a --quick")]
        if codes != [1, 1, 0, 0] or run(root / "README.md", [good + " --device 0"], root, bench)[1] != NO_DEVICE:
            wrong.append(f"planted a command that fails: {codes}")
    cut = shortened("lora-bench --sweep --budget 10m --out a && lora-bench --list"), shortened("lora-bench --check")
    if cut != ("lora-bench --sweep --budget 4s --out a && lora-bench --list", "lora-bench --check --cases 3"):
        wrong.append(f"shortened: {cut}")
    print("\n".join(wrong) or "every planted fault was found")
    return 1 if wrong else 0


def main(arguments):
    if arguments[:1] == ["--self-test"]:
        return self_test(Path(arguments[1]).resolve())
    root, parse_only = Path(arguments[0]).resolve(), Path(arguments[1]).resolve()
    checker = Checker(root, parse_only)
    to_run = {document: checker.check(document) for document in documents(root)}
    checker.check_whole(to_run)
    if checker.wrong:
        print("\n".join(checker.wrong))
        return 1
    if len(arguments) == 3:
        for document, commands in to_run.items():
            wrong, code = run(document, commands, root, Path(arguments[2]).resolve())
            if wrong:
                print(wrong)
                return code if code == NO_DEVICE else 1
    commands = f"{sum(map(len, to_run.values()))} commands"
    print(f"{len(to_run)} documents are sound; {commands} {'ended well' if len(arguments) == 3 else 'are to be run'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
