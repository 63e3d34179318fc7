"""Tuned files, made by lora-bench."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from ._dispatcher import Problem


class TuneError(RuntimeError):
    """lora-bench failed; `code` is its exit code."""

    def __init__(self, code: int, message: str):
        self.code = code
        super().__init__(message)


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a sweep is: problems that are decided, of how many, after how many seconds."""

    decided: int
    problems: int
    seconds: int


_PROGRESS = re.compile(r"^(\d+) of (\d+) problems after (?:(\d+):)?(\d+):(\d\d)$")


def lora_bench() -> str:
    """The lora-bench of this package, else the one on the path."""
    beside = Path(__file__).parent / "bin" / "lora-bench"
    found = str(beside) if beside.exists() else shutil.which("lora-bench")
    if found is None:
        raise FileNotFoundError("lora-bench is neither in the package nor on the path")
    return found


def tune(
    problems: Iterable[Problem | str],
    out: str | os.PathLike[str] = "tuned.json",
    budget: str | None = None,
    device: str | None = None,
    mode: str | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Path:
    """Tunes the problems on a device and returns the path of the tuned file, to which a file that is
    there is added.

    `budget` is the time that the sweep works to, like `10m`; `device` an index of `lora-bench --list`
    or part of a device's name. All problems are of one mode: `mode` names it for keys, and is else that of
    the problems. `progress` is called with each change. Raises TuneError where lora-bench fails, with
    what it said last.
    """
    if isinstance(problems, str):
        raise TypeError("problems must be several, like [key]: a text alone would be taken letter by letter")
    problems = list(problems)
    modes = {problem.mode for problem in problems if isinstance(problem, Problem)}
    if mode is not None:
        modes.add(mode)
    if len(modes) > 1:
        raise ValueError(f"all problems must be of one mode, not of {' and '.join(sorted(modes))}")
    keys = "".join(f"{problem}\n" for problem in problems)
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "problems.txt"
        listed.write_text(keys, encoding="utf-8")
        command = [lora_bench(), "--sweep", "--problems", str(listed), "--out", os.fspath(out)]
        command += ["--mode", *(modes or {"fast"})]
        if budget is not None:
            command += ["--budget", budget]
        if device is not None:
            command += ["--device", device]
        last: list[str] = []
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
        ) as process:
            assert process.stderr is not None
            try:
                for line in process.stderr:
                    last = [*last[-9:], line.rstrip()]
                    found = _PROGRESS.match(line.rstrip())
                    if found and progress is not None:
                        decided, total, hours, minutes, seconds = (int(part or 0) for part in found.groups())
                        progress(Progress(decided, total, 3600 * hours + 60 * minutes + seconds))
            except BaseException:
                process.terminate()  # it writes what it has
                raise
        if process.returncode != 0:
            raise TuneError(process.returncode, "\n".join(last))
    return Path(out)
