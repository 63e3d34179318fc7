"""Recordings of lora-bench --sweep --record, and the same as Kernel Tuner caches and T4 results."""

import gzip
import json
import os
from pathlib import Path
from statistics import median

from files import Refused, json_of, read_text
from problems import parse

MS = 1e-6  # a nanosecond
WORDS = {"correct", "constraints", "compile", "runtime", "timeout", "correctness"}  # of T4
# What a Kernel Tuner cache holds in place of a time.
ERRORS = {"compile": "CompilationFailedConfig", "constraints": "InvalidConfig"}
NO_TIME = "1970-01-01T00:00:00+00:00"  # a recording has no time stamps


def read(path):
    """The header, and the lines of each problem by its key; the file may be compressed. Raises Refused."""
    lines = [json_of(line, f"{path}:{i}") for i, line in enumerate(read_text(path).split("\n"), 1) if line]
    if not lines or not isinstance(lines[0], dict) or lines[0].get("schema") != "loratune/recording":
        raise Refused(f"{path}: it is no recording")
    problems = {}
    for line in lines[1:]:
        if not isinstance(line, dict) or not {"problem", "variant", "config", "outcome"} <= line.keys():
            raise Refused(f"{path}: it holds a line that is of no recording")
        problems.setdefault(line["problem"], []).append(line)
    return lines[0], problems


def require_ours(path):
    """Raises Refused where to write the recording would take something else away: a path may be free, empty, or a
    recording."""
    path = Path(path)
    if path.is_file() and path.stat().st_size == 0:
        return
    if os.path.lexists(path):
        try:
            read(path)
        except Refused as error:
            raise Refused(f"{error}; it is not overwritten") from None


def write(path, header, problems):
    """Raises Refused for a path that holds something else than a recording."""
    require_ours(path)
    lines = [header] + [line for lines in problems.values() for line in lines]
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    data = text.encode()
    Path(path).write_bytes(gzip.compress(data, mtime=0) if str(path).endswith(".gz") else data)


def time_ns(line):
    """As lora-bench reads it: the median of the rounds, the probe where there are none."""
    ns = line.get("ns", [])
    return median(ns[1:] or ns) if ns else None


def names_of(header, variant):
    """The tuning parameters of a variant. Raises Refused where the header has none of this name."""
    for known in header["variants"]:
        if known["name"] == variant:
            return known["parameters"]
    raise Refused(f"the header has no variant {variant!r}")


def cache_of(header, problem, variant, lines):
    """A Kernel Tuner cache of one variant on one problem."""
    names = names_of(header, variant)
    own = [line for line in lines if line["variant"] == variant and line["outcome"] != "skipped"]
    axes = {name: sorted({line["config"][i] for line in own}) for i, name in enumerate(names)}
    entries = {}
    for line in own:
        entry = dict(zip(names, line["config"]))
        ns = time_ns(line)
        entry["time"] = ns * MS if ns else ERRORS.get(line["outcome"], "RuntimeFailedConfig")
        if ns:
            entry["times"] = [value * MS for value in line["ns"][1:] or line["ns"]]
        for name in ("compile_time", "verification_time", "benchmark_time", "strategy_time", "framework_time"):
            entry[name] = 0
        entry["timestamp"] = NO_TIME
        entries[",".join(map(str, line["config"]))] = entry
    return {
        "device_name": header["device"]["name"],
        "kernel_name": variant,
        "problem_size": problem,
        "tune_params_keys": names,
        "tune_params": axes,
        "objective": "time",
        "cache": entries,
    }


def lines_of(cache):
    """The lines of a recording out of a cache whose problem_size is a problem's key. Each time
    stands as its own probe: a cache has none."""
    names = cache["tune_params_keys"]
    problem = str(parse(cache["problem_size"]))
    words = {error: word for word, error in ERRORS.items()} | {"RuntimeFailedConfig": "runtime"}
    lines = []
    for entry in cache["cache"].values():
        line = {
            "problem": problem,
            "variant": cache["kernel_name"],
            "config": [entry[name] for name in names],
            "outcome": "correct",
        }
        if isinstance(entry["time"], (int, float)):
            times = [value / MS for value in entry.get("times", [entry["time"]])]
            line["ns"] = [entry["time"] / MS, *times]
        else:
            line["outcome"] = words.get(entry["time"], "runtime")
        lines.append(line)
    return lines


def t4_of(header, variant, lines):
    """T4 results of one variant on one problem."""
    names = names_of(header, variant)
    results = []
    for line in lines:
        if line["variant"] != variant or line["outcome"] == "skipped":
            continue
        ns = time_ns(line)
        result = {
            "timestamp": NO_TIME,
            "configuration": dict(zip(names, line["config"])),
            "times": {
                "compilation_time": 0,
                "framework": 0,
                "search_algorithm": 0,
                "validation": 0,
                "runtimes": [value * MS for value in line.get("ns", [])[1:]],
            },
            "invalidity": line["outcome"] if line["outcome"] in WORDS else "correct",
            "correctness": 0 if line["outcome"] == "correctness" else 1,
            "measurements": [{"name": "time", "value": ns * MS, "unit": "ms"}] if ns else [],
            "objectives": ["time"],
        }
        results.append(result)
    return {"schema_version": "1.0.0", "results": results}


def from_t4(problem, variant, names, t4):
    """The lines of a recording out of T4 results."""
    lines = []
    for result in t4["results"]:
        line = {
            "problem": problem,
            "variant": variant,
            "config": [result["configuration"][name] for name in names],
            "outcome": result["invalidity"],
        }
        if result["measurements"]:
            time = result["measurements"][0]["value"] / MS
            line["ns"] = [time] + ([v / MS for v in result["times"]["runtimes"]] or [time])
        lines.append(line)
    return lines
