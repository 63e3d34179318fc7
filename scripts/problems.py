"""A problem as lora-bench names it, by a key like fwd_m1_k1024_n1024_r8_f16_acc."""

import re
from dataclasses import dataclass
from pathlib import Path

KEY = re.compile(r"(?:fwd_)?m([0-9]+)_k([0-9]+)_n([0-9]+)_r([0-9]+)_(f32|f16)_(acc|set)(?:_align([0-9]+))?")


@dataclass(frozen=True)
class Problem:
    m: int
    k: int
    n: int
    rank: int
    dtype: str
    accumulate: bool
    align: int = 0

    def __str__(self):
        end = "acc" if self.accumulate else "set"
        end += f"_align{self.align}" if self.align else ""
        return f"fwd_m{self.m}_k{self.k}_n{self.n}_r{self.rank}_{self.dtype}_{end}"

    def flops(self):
        return 2.0 * self.m * self.rank * (self.k + self.n)

    def bytes(self):
        size = 2 if self.dtype == "f16" else 4
        y = self.m * self.n * (2 if self.accumulate else 1)
        return size * (self.m * self.k + self.rank * (self.k + self.n) + y)


def parse(key):
    """Raises ValueError for what is no key."""
    match = KEY.fullmatch(key.strip())
    if not match:
        raise ValueError(f"{key.strip()!r} is no problem key like m1_k1024_n1024_r8_f16_acc")
    m, k, n, rank = (int(match[i]) for i in range(1, 5))
    return Problem(m, k, n, rank, match[5], match[6] == "acc", int(match[7] or 0))


def read_keys(path):
    """The problems of a file of keys, one a line, each once. Blanks, empty lines, what follows a #, and
    the mark that some editors begin a file with mean nothing. Raises ValueError with one line for a
    file that cannot be read, for what is no key, and for a file without one."""
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: {error}") from None
    found = {}
    for number, line in enumerate(lines, 1):
        key = line.split("#", 1)[0].strip()
        try:
            if key:
                found[parse(key)] = None
        except ValueError as error:
            raise ValueError(f"{path}:{number}: {error}") from None
    if not found:
        raise ValueError(f"{path}: it holds no problem key")
    return list(found)
