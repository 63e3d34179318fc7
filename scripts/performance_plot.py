"""The plot of scripts/performance. It needs matplotlib."""

import sys

from measurements import mean, ratios
from problems import parse


def plot(times, arms, ours, title, path):
    """Writes an SVG: each arm's time over ours, by tokens, a panel for each dtype."""
    try:
        import matplotlib
    except ImportError:
        sys.exit("scripts/performance: --plot needs matplotlib (python3-matplotlib)")
    matplotlib.use("svg")
    matplotlib.rcParams.update(
        {"svg.hashsalt": "loratune", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}
    )
    from matplotlib import pyplot

    of = {key: parse(key) for key in times}
    tokens = sorted({p.m for p in of.values()})
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 3.2), sharey=True, layout="constrained")
    for axis, dtype in zip(axes, ("f32", "f16")):
        for arm in arms:
            points = []
            for m in tokens:
                of_row = [key for key, p in of.items() if (p.dtype, p.m) == (dtype, m)]
                found = ratios(times, of_row, arm, ours)
                if found:
                    points.append((m, mean(found)))
            if points:
                axis.plot(*zip(*points), marker="o", markersize=3, label=arm, linewidth=2.2 if arm == ours else 1.2)
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.set_xticks(tokens, [str(m) for m in tokens])
        axis.axhline(1, color="black", linewidth=0.5)
        axis.set_yticks([0.5, 1, 2, 5, 10, 20, 50, 100], ["0.5", "1", "2", "5", "10", "20", "50", "100"])
        axis.minorticks_off()
        axis.set_xlabel("tokens")
        axis.set_title(f"{title}, {dtype}", fontsize=9)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel(f"time / {ours}, geometric mean")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right center", fontsize=8)
    figure.savefig(path, metadata={"Date": None})
