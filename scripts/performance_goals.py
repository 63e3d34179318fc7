"""The goals of scripts/performance: what the project wants to reach on a kind of device, as data."""

from dataclasses import dataclass, field

from measurements import mean
from problems import parse

ANY = range(0, 2**31)


@dataclass(frozen=True)
class Term:
    """A time to compare with: factor * (the time of `arm`) + us.

    The arm `launch` is an empty launch, the floor. The arm `copy` was not timed: it stands for moving the
    problem's bytes at the rate that the device copies at.
    """

    arm: str
    factor: float = 1
    us: float = 0

    def of(self, problem, arms, copy):
        """Raises KeyError where the arm was not timed."""
        return self.factor * (problem.bytes() / copy if self.arm == "copy" else arms[self.arm]) + self.us


@dataclass(frozen=True)
class Goal:
    """The geometric mean of ours / the largest term of `rival` is at most `mean`.

    It is over the problems whose fields are in `wanted`.

    mean None: there is no such limit. No problem takes longer than the largest term of `each`; without terms any may.
    """

    name: str
    rival: list
    mean: float | None
    each: list = field(default_factory=list)
    wanted: dict = field(default_factory=dict)

    def wants(self, problem):
        return all(getattr(problem, name) in values for name, values in self.wanted.items())


ONE_AND_16, AT_LEAST_128, AT_LEAST_512, AT_LEAST_2048 = ANY[:17], ANY[128:], ANY[512:], ANY[2048:]
GPU_GOALS = [
    Goal("1 token / launch floor", [Term("launch")], 1.15, wanted={"m": [1]}),
    Goal("16 tokens / launch floor", [Term("launch")], 1.3, wanted={"m": [16]}),
    Goal("1 and 16 tokens / torch_eager", [Term("torch_eager")], 0.2, wanted={"m": ONE_AND_16}),
    Goal(
        "1 and 16 tokens / torch_graph; each: and 0.3 us",
        [Term("torch_graph")],
        0.85,
        each=[Term("torch_graph", us=0.3)],
        wanted={"m": ONE_AND_16},
    ),
    Goal(
        "512 tokens and more / torch_graph; each: or 1.15 floors",
        [Term("torch_graph")],
        0.7,
        each=[Term("torch_graph"), Term("launch", 1.15)],
        wanted={"m": AT_LEAST_512},
    ),
    Goal(
        "f16, 2048 tokens and more / bytes at the copy's rate, or the floor",
        [Term("copy"), Term("launch")],
        1.3,
        each=[Term("copy", 1.3), Term("launch", 1.3)],
        wanted={"m": AT_LEAST_2048, "dtype": ["f16"]},
    ),
    Goal("clblast", [Term("clblast")], 0.15),
    Goal(
        "1 token, f32 r8, k 512 / clblast",
        [Term("clblast")],
        1 / 6.4,
        wanted={"m": [1], "k": [512], "rank": [8], "dtype": ["f32"]},
    ),
    Goal(
        "1 token, f32 r8, k 2048 / clblast",
        [Term("clblast")],
        1 / 8.3,
        wanted={"m": [1], "k": [2048], "rank": [8], "dtype": ["f32"]},
    ),
    Goal("split", [Term("split")], 1 / 1.3),
]
CPU_GOALS = [
    Goal(
        "f32, 128 tokens and more / openblas",
        [Term("openblas")],
        0.5,
        each=[Term("openblas")],
        wanted={"m": AT_LEAST_128, "dtype": ["f32"]},
    ),
    Goal(
        "f32, 16 tokens / openblas; each: or 1.3 floors",
        [Term("openblas")],
        None,
        each=[Term("openblas"), Term("launch", 1.3)],
        wanted={"m": [16], "dtype": ["f32"]},
    ),
    Goal("split", [Term("split")], 1 / 1.3),
]

# Of forward_host, where both run on the same number of threads.
HOST_GOALS = [
    Goal(
        "f32, 1 and 16 tokens / openblas",
        [Term("openblas")],
        0.7,
        each=[Term("openblas")],
        wanted={"m": [1, 16], "dtype": ["f32"]},
    ),
    Goal(
        "f32, 128 tokens and more / openblas",
        [Term("openblas")],
        1,
        wanted={"m": AT_LEAST_128, "dtype": ["f32"]},
    ),
]


def largest(terms, problem, arms, copy):
    return max(term.of(problem, arms, copy) for term in terms)


def print_goals(times, ours, copy):
    """`copy`: the device's rate, in bytes a us. Goals whose rivals were not timed are left out."""
    goals = GPU_GOALS if any("torch_graph" in arms for arms in times.values()) else CPU_GOALS
    if ours == "host":
        goals = HOST_GOALS
    print(f"| {ours} of | wanted | measured | of so many problems | too slow each |\n| -- | -: | -: | -: | -- |")
    for goal in goals:
        ratios, slow = [], []
        for key, arms in times.items():
            p = parse(key)
            if not goal.wants(p) or ours not in arms:
                continue
            try:
                rival = largest(goal.rival, p, arms, copy)
                limit = largest(goal.each, p, arms, copy) if goal.each else None
            except KeyError:  # a rival that was not timed on this problem
                continue
            ratios.append(arms[ours] / rival)
            if limit is not None and arms[ours] > limit:
                shape = str(p.k) if p.k == p.n else f"{p.k} x {p.n}"
                slow.append((arms[ours] / limit, f"{p.m} x {shape} {p.dtype} r{p.rank}"))
        if not ratios:
            continue
        named = ", ".join(f"{name} ({ratio:.2f})" for ratio, name in sorted(slow, reverse=True))
        each = (named or "none") if goal.each else ""
        most = "" if goal.mean is None else f"{goal.mean:.3g}"
        print(f"| {goal.name} | {most} | {mean(ratios):.3g} | {len(ratios)} | {each} |")
