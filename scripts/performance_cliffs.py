"""The cliffs of scripts/performance: where an odd size costs more than the padding would."""

from dataclasses import replace

from problems import parse


def print_cliffs(runs, arm):
    """Odd sizes against sizes padded to multiples of 16, by medians over several runs of one command."""
    medians = {}
    for problem in {problem for times in runs for problem in times}:
        found = sorted(times[problem][arm] for times in runs if arm in times.get(problem, {}))
        if found:
            medians[problem] = found[len(found) // 2]
    found = {}
    for problem, time in medians.items():
        p = parse(problem)
        padded = str(replace(p, **{axis: (getattr(p, axis) + 15) // 16 * 16 for axis in ("k", "n", "rank")}))
        if padded != problem and padded in medians:
            found.setdefault((p.dtype, p.m), []).append((time / medians[padded], problem))
    print("| problems | shapes | time / padded: median | worst | at | above 1.25 |\n| -- | -: | -: | -: | -- | -: |")
    for (dtype, m), of_row in sorted(found.items(), reverse=True):
        of_row.sort()
        worst, where = of_row[-1]
        print(
            f"| {dtype}, {m} tokens | {len(of_row)} | {of_row[len(of_row) // 2][0]:.2f} | {worst:.2f} | "
            f"{where.removeprefix('fwd_')} | {sum(ratio > 1.25 for ratio, _ in of_row)} |"
        )
