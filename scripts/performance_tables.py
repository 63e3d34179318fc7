"""The tables of scripts/performance: ours against each rival, and arms by rank."""

from measurements import mean, number, ratios
from problems import parse


def types_of(problems):
    """What the problems' elements are, f32 and f16 first."""
    found = {p.types() for p in problems}
    return sorted(found, key=lambda types: (["f32", "f16"].index(types) if types in ("f32", "f16") else 2, types))


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
        print(f"| {p.m} x {p.k} x {p.columns()}, {p.types()} r{p.rank} | " + " | ".join(cells) + " |")


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
