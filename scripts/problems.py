"""A problem as lora-bench names it, by a key like fwd_m1_k1024_n1024_r8_f16_acc."""

import re
from dataclasses import dataclass

KEY = re.compile(r"^(?:fwd_)?m(\d+)_k(\d+)_n(\d+)_r(\d+)_(f32|f16)_(acc|set)$")


@dataclass(frozen=True)
class Problem:
    m: int
    k: int
    n: int
    rank: int
    dtype: str
    accumulate: bool

    def __str__(self):
        end = "acc" if self.accumulate else "set"
        return f"fwd_m{self.m}_k{self.k}_n{self.n}_r{self.rank}_{self.dtype}_{end}"

    def flops(self):
        return 2.0 * self.m * self.rank * (self.k + self.n)

    def bytes(self):
        size = 2 if self.dtype == "f16" else 4
        y = self.m * self.n * (2 if self.accumulate else 1)
        return size * (self.m * self.k + self.rank * (self.k + self.n) + y)


def parse(key):
    """Raises ValueError for what is no key."""
    match = KEY.match(key.strip())
    if not match:
        raise ValueError(f"'{key}' is no problem key like m1_k1024_n1024_r8_f16_acc")
    m, k, n, rank = (int(match[i]) for i in range(1, 5))
    return Problem(m, k, n, rank, match[5], match[6] == "acc")
