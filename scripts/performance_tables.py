"""The tables of scripts/performance: ours against each rival, against whole steps, and arms by rank."""

from files import Refused
from measurements import mean, number, ratios
from problems import parse


def types_of(problems):
    """What the problems' elements are, f32 and f16 first."""
    found = {p.types() for p in problems}
    return sorted(found, key=lambda types: (["f32", "f16"].index(types) if types in ("f32", "f16") else 2, types))


def cell(problem):
    """A problem as a row of a table names it."""
    adapters = f", {problem.adapters} adapters" if problem.adapters else ""
    name = f"{problem.m} x {problem.k} x {problem.columns()}, {problem.types()} r{problem.rank}"
    return name + adapters + (", DoRA" if problem.dora else "")


def print_tables(times, arms, ours):
    """Our times against each rival's, by kind of problem; then every time."""
    rivals = [arm for arm in arms if arm != ours]
    of = {p: parse(p) for p in times}
    print("| problems | " + " | ".join(f"{ours} / {r}, worst" for r in rivals) + " |")
    print("| -- |" + " -: |" * len(rivals))
    rows = [("all", list(times))]
    for types in types_of(of.values()):
        for m in sorted({p.m for p in of.values()}):
            rows.append((f"{types}, {m} tokens", [key for key, p in of.items() if (p.types(), p.m) == (types, m)]))
    for name, problems in rows:
        if not problems:
            continue
        cells = []
        for rival in rivals:
            found = ratios(times, problems, ours, rival)
            cells.append(f"{mean(found):.2f}, {max(found):.2f}" if found else "")
        print(f"| {name} | " + " | ".join(cells) + " |")
    print()
    print("| tokens x in x out, rank, us | " + " | ".join(arms) + " |")
    print("| -- |" + " -: |" * len(arms))
    for key, p in of.items():
        cells = [number(times[key][arm]) if arm in times[key] else "" for arm in arms]
        print(f"| {cell(p)} | " + " | ".join(cells) + " |")


STEPS = {"torch": "torch_step", "SGLang": "sglang"}  # and how the names of its rivals begin


def fastest(arms, prefix):
    """(us, name) of the fastest arm whose name begins so, or None."""
    return min(((us, name) for name, us in arms.items() if name.startswith(prefix)), default=None)


def kind(problem):
    """What a step's rival is compared on: modules that share x, adapters of a call, and tokens."""
    modules = f"groups of {len(problem.slices)}" if problem.slices else "one module"
    adapters = f", {problem.adapters} adapters" if problem.adapters else ""
    return f"{modules}{adapters}, {problem.m} tokens"


def print_steps(times, ours):
    """Our time of one launch beside a module's, or group's, share of a whole step of others: the geometric mean
    of the ratios, the largest, and how many are above 1, by kind of problem; then every time."""
    found = {}  # of each problem, by rival: (us, name)
    for key, arms in times.items():
        steps = {rival: step for rival, prefix in STEPS.items() if (step := fastest(arms, prefix))}
        if ours in arms and steps:
            found[key] = steps
    rivals = [rival for rival in STEPS if any(rival in steps for steps in found.values())]
    if not rivals:
        raise Refused("no file has the times of a whole step: torch_lora.py --modules, or sglang_lora.py")
    print("| problems | " + " | ".join(f"{ours} / {r}, worst | above 1" for r in rivals) + " |")
    print("| -- |" + " -: | -: |" * len(rivals))
    kinds = {kind(parse(key)): None for key in found}
    for name in ("all", *kinds):
        cells = []
        for rival in rivals:
            of = [
                times[key][ours] / steps[rival][0]
                for key, steps in found.items()
                if rival in steps and name in ("all", kind(parse(key)))
            ]
            above = sum(ratio > 1 for ratio in of)
            cells.append(f"{mean(of):.2f}, {max(of):.2f} | {above} of {len(of)}" if of else " | ")
        print(f"| {name} | " + " | ".join(cells) + " |")
    print(f"\n| tokens x in x out, rank, us | {ours} | " + " | ".join(f"{r} | ratio" for r in rivals) + " |")
    print("| -- | -: |" + " -: | -: |" * len(rivals))
    for key, steps in found.items():
        us = times[key][ours]
        cells = [
            f"{number(step[0])} ({step[1]}) | {us / step[0]:.2f}" if (step := steps.get(rival)) else " | "
            for rival in rivals
        ]
        print(f"| {cell(parse(key))} | {number(us)} | " + " | ".join(cells) + " |")


def print_matrix(times, arms):
    """The times of a few arms: a row for each shape, a column for each rank."""
    for types in types_of(map(parse, times)):
        of_types = {p: key for key in times if (p := parse(key)).types() == types}
        ranks = sorted({p.rank for p in of_types})
        shapes = sorted({(p.k, p.n, p.columns(), p.m) for p in of_types})
        print(f"| {types}: tokens x in x out | " + " | ".join(f"r{r}" for r in ranks) + " |")
        print("| -- |" + " -- |" * len(ranks))
        for k, _, columns, m in shapes:
            cells = []
            for rank in ranks:
                found = [
                    times[key]
                    for p, key in of_types.items()
                    if (p.m, p.k, p.columns(), p.rank) == (m, k, columns, rank)
                ] or [{}]
                ours, *rest = [number(of_arm[arm]) if arm in of_arm else "-" for of_arm in found for arm in arms]
                cells.append(", ".join([f"**{ours}**", *rest]))
            print(f"| {m} x {k} x {columns} | " + " | ".join(cells) + " |")
        print()
