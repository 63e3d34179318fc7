"""What `lora-bench --bench --json` and the peers measured, as scripts/performance reads it.

`times` is everywhere {problem's key: {arm: median us}}.
"""

import math
from typing import NamedTuple

from files import Refused, read_json
from problems import parse


class Device(NamedTuple):
    """What lora-bench wrote of the device that it measured on."""

    name: str
    driver: str
    date: str
    copy_gb_per_s: float
    peak_gflop_per_s: float
    launch_floor_us: float


def load(path):
    """The JSON of a file, which may be compressed. Raises Refused for what holds no benchmarks."""
    document = read_json(path, "JSON of a benchmark")
    try:
        known = isinstance(document["context"], dict)
        times_of(document)
    except (AttributeError, KeyError, TypeError, ValueError):
        known = False
    if not known:
        raise Refused(f"{path}: it is no JSON of a benchmark")
    return document


def device_of(document, path):
    """The device of a document that was read from the path. Raises Refused for what a peer wrote."""
    context = document["context"]
    try:
        rates = [float(context[name]) for name in ("copy_gb_per_s", "peak_gflop_per_s", "launch_floor_ns")]
        return Device(context["device"], context["driver"], context["date"], *rates[:2], rates[2] / 1000)
    except (KeyError, TypeError, ValueError):
        raise Refused(f"{path}: it does not say what lora-bench says of its device") from None


def times_of(document):
    """{problem: {arm: median us}}"""
    times = {}
    for entry in document["benchmarks"]:
        if entry.get("error_occurred") or "wall_ns" not in entry:
            continue
        problem, arm = entry["name"].split("/")[:2]
        if not entry["wall_ns"] > 0:
            raise ValueError(f"{entry['name']} took no time")
        times.setdefault(str(parse(problem)), {})[arm] = entry["wall_ns"] / 1000
    return times


def joined(documents):
    """The times of the first document's problems, with what the others know of them. Raises Refused."""
    times = times_of(documents[0])
    for number, document in enumerate(documents[1:], 2):
        found = times_of(document)
        if not times.keys() & found.keys():
            raise Refused(f"file {number}: none of its problems is one of the first file")
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
