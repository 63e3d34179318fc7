"""What `lora-bench --bench --json` and the peers measured, as scripts/performance reads it.

`times` is everywhere {problem's key: {arm: median us}}.
"""

import gzip
import json
import math

from problems import parse


def load(path):
    """The JSON of a file, which may be compressed. Raises ValueError for what holds no benchmarks."""
    try:
        with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8") as file:
            document = json.load(file)
    except (OSError, EOFError, ValueError) as error:
        raise ValueError(f"{path}: it is no JSON of a benchmark: {error}") from None
    if not isinstance(document, dict) or not {"context", "benchmarks"} <= document.keys():
        raise ValueError(f"{path}: it is no JSON of a benchmark")
    return document


def times_of(document):
    """{problem: {arm: median us}}"""
    times = {}
    for entry in document["benchmarks"]:
        if entry.get("error_occurred") or "wall_ns" not in entry:
            continue
        problem, arm = entry["name"].split("/")[:2]
        times.setdefault(str(parse(problem)), {})[arm] = entry["wall_ns"] / 1000
    return times


def joined(documents):
    """The times of the first document's problems, with what the others know of them. Raises ValueError."""
    times = times_of(documents[0])
    for number, document in enumerate(documents[1:], 2):
        found = times_of(document)
        if not times.keys() & found.keys():
            raise ValueError(f"file {number}: none of its problems is one of the first file")
        for problem, arms in found.items():
            if problem in times:
                times[problem].update(arms)
    return times


def mean(values):
    """The geometric mean."""
    return math.exp(sum(map(math.log, values)) / len(values))


def ratios(times, problems, ours, rival):
    """Time of one arm / time of the other, of each problem that both were measured on."""
    return [times[p][ours] / times[p][rival] for p in problems if ours in times[p] and rival in times[p]]


def number(us):
    """A time as tables show it: three digits, and no fraction from 100 us on."""
    return f"{us:.3g}" if us < 100 else f"{us:.0f}"
