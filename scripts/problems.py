"""A problem as lora-bench names it, by a key like fwd_m1_k1024_n1024_r8_f16_acc."""

import re
from dataclasses import dataclass

from files import Refused, read_text

DTYPES = {"f32": 4, "f16": 2, "bf16": 2}  # and the bytes of an element
TYPE = "|".join(DTYPES)
KEY = re.compile(
    r"(?:fwd_)?m([0-9]+)_k([0-9]+)_n([0-9]+(?:\+[0-9]+){0,7})_r([0-9]+)"
    rf"_({TYPE})(?:_w_({TYPE}))?_(acc|set)(_dora)?(?:_a([1-9][0-9]*))?(?:_align([0-9]+))?"
)


@dataclass(frozen=True)
class Problem:
    m: int
    k: int
    n: int
    rank: int
    dtype: str  # of x and y
    accumulate: bool
    align: int = 0
    weights: str = ""  # the type of A and B; empty: dtype
    slices: tuple = ()  # columns of modules that share x; empty: one module
    adapters: int = 0  # with rows in the call; 0: one for all rows
    dora: bool = False

    def __str__(self):
        end = ("_acc" if self.accumulate else "_set") + ("_dora" if self.dora else "")
        end += f"_a{self.adapters}" if self.adapters else ""
        end += f"_align{self.align}" if self.align else ""
        return f"fwd_m{self.m}_k{self.k}_n{self.columns()}_r{self.rank}_{self.types()}{end}"

    def columns(self):
        """n, or the columns of each slice: 4096+1024+1024."""
        return "+".join(map(str, self.slices or (self.n,)))

    def types(self):
        """The type of x and y, and that of the weights where it is another: f32_w_f16."""
        return self.dtype + (f"_w_{self.weights}" if self.weights else "")

    def plain(self):
        """Whether it is one module's product with one adapter, all of one type."""
        return not (self.weights or self.slices or self.adapters or self.dora)

    def flops(self):
        return 2.0 * self.m * self.rank * (max(len(self.slices), 1) * self.k + self.n)

    def bytes(self):
        y = self.m * self.n * (2 if self.accumulate else 1)
        factors = self.rank * (max(len(self.slices), 1) * self.k + self.n) + (self.n if self.dora else 0)
        return DTYPES[self.dtype] * (self.m * self.k + y) + DTYPES[self.weights or self.dtype] * factors * max(
            self.adapters, 1
        )


def parse(key):
    """Raises ValueError for what is no key."""
    match = KEY.fullmatch(key.strip())
    if not match:
        raise ValueError(f"{key.strip()!r} is no problem key like m1_k1024_n1024_r8_f16_acc")
    m, k, rank = (int(match[i]) for i in (1, 2, 4))
    columns = tuple(map(int, match[3].split("+")))
    weights = match[6] if match[6] != match[5] else None
    return Problem(
        m,
        k,
        sum(columns),
        rank,
        match[5],
        match[7] == "acc",
        int(match[10] or 0),
        weights or "",
        columns if len(columns) > 1 else (),
        int(match[9] or 0),
        bool(match[8]),
    )


def read_keys(path):
    """The problems of a file of keys, one a line, each once. Blanks, empty lines, what follows a #, and
    the mark that some editors begin a file with mean nothing. Raises Refused for a file that cannot be
    read, for what is no key, and for a file without one."""
    found = {}
    for number, line in enumerate(read_text(path, "utf-8-sig").splitlines(), 1):
        key = line.split("#", 1)[0].strip()
        try:
            if key:
                found[parse(key)] = None
        except ValueError as error:
            raise Refused(f"{path}:{number}: {error}") from None
    if not found:
        raise Refused(f"{path}: it holds no problem key")
    return list(found)
