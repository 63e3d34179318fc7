"""What the peers share: the command line, the float64 bound, rounds, and the JSON that they print.

The JSON has the shape and keys of `lora-bench --bench --json`, so that one program reads both:

    {"context": {"device": ..., "library": ..., "launch": ...},
     "benchmarks": [{"name": "<problem>/<rival>", "run_type": "iteration",
                     "iterations": rounds, "real_time": mean us of the rounds, "time_unit": "us",
                     "wall_ns": median, "gb_per_s": ..., "gflop_per_s": ..., "rounds": ...,
                     "error_over_bound": ..., "label": "what runs"},
                    {"name": ..., "error_occurred": true, "error_message": ...},
                    {"name": ..., "skipped": true, "skip_message": ...}]}

real_time, gb_per_s and gflop_per_s come from the same readings as lora-bench's: the least of 4
blocks in each of `rounds` rounds, the rivals of a problem interleaved within a round.
"""

import argparse
import json
import math
import random
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from problems import DTYPES, Problem, parse, read_keys

SCALE = 1.7
SUB_BLOCKS = 4
MISSING = 77  # exit code: the library is not installed
INCOMPLETE = 3  # the budget ended before the problems did
WRONG = 4
USAGE = 2


class Skipped(Exception):
    """Why a rival does not run a problem."""


def arguments(description, **more):
    """The parsed command line; its `problems` are those of --problems, or the grid's."""

    def numbers(text):
        return [int(part) for part in text.split(",")]

    def types(text):
        found = [part.split("_w_") for part in text.split(",")]
        if not all(len(pair) <= 2 and set(pair) <= DTYPES.keys() for pair in found):
            raise argparse.ArgumentTypeError(f"{text!r}: there are {', '.join(DTYPES)}, and f32_w_f16")
        return [(pair[0], "" if pair[0] == pair[-1] else pair[-1]) for pair in found]

    def groups(text):
        return [tuple(map(int, group.split("+"))) for group in text.split(",")]

    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--problems", metavar="FILE", help="problem keys, one a line")
    parser.add_argument("--problem", action="append", default=[], metavar="KEY")
    parser.add_argument("--tokens", type=numbers, default=[1, 16, 128, 512])
    parser.add_argument("--features", type=numbers, default=[512, 1024, 2048])
    parser.add_argument("--ranks", type=numbers, default=[4, 8, 16, 32, 64])
    parser.add_argument("--slices", type=groups, help="columns of modules that share x: 4096+1024+1024")
    parser.add_argument("--adapters", type=numbers, default=[0])
    parser.add_argument("--dtypes", type=types, default=types("f32,f16"))
    parser.add_argument("--set", action="store_true", help="overwrite y instead of adding to it")
    parser.add_argument("--rounds", type=int, default=20)
    for name, options in more.items():
        parser.add_argument("--" + name, **options)
    options = parser.parse_args()
    shapes = [(group[0], group) for group in options.slices or []] or [(size, (size,)) for size in options.features]
    grid = [
        Problem(
            m,
            k,
            sum(columns),
            rank,
            dtype,
            not options.set,
            weights=weights,
            slices=columns if len(columns) > 1 else (),
            adapters=adapters,
        )
        for dtype, weights in options.dtypes
        for adapters in options.adapters
        for rank in options.ranks
        for k, columns in shapes
        for m in options.tokens
    ]
    try:
        problems = [parse(key) for key in options.problem]
        if options.problems:
            problems += read_keys(options.problems)
    except ValueError as error:
        print(error, file=sys.stderr)
        sys.exit(USAGE)
    options.problems = list(dict.fromkeys(problems or grid))
    return options


def bound(problem, oracle, magnitude, unit_h, unit_out):
    """Elementwise: sums in float, h rounded to the dtype, which a split product cannot avoid, and
    one rounding of the output. numpy-like arrays of double."""
    sums = 4 * 2.0**-24 * math.sqrt(problem.k + problem.rank) * magnitude
    return sums + 2 * unit_h * magnitude + unit_out * abs(oracle) + 2.0**-24


def block_runs(run_ns):
    """As lora-bench's: about 1 ms of runs, 1 to 32, at least 8 below 1 ms."""
    wanted = int(min(max(1e6 / run_ns, 1), 32))
    return max(wanted, 8) if run_ns < 1e6 else wanted


def time_block(run, finish, runs):
    begin = time.perf_counter_ns()
    for _ in range(runs):
        run()
    finish()
    return (time.perf_counter_ns() - begin) / runs


def paired_rounds(rivals, rounds, seed=1):
    """{name: (run, finish, restore)} -> {name: [ns of each round]}."""
    shuffle = random.Random(seed).shuffle
    runs = {}
    for name, (run, finish, _) in rivals.items():
        time_block(run, finish, 1)  # discarded
        runs[name] = block_runs(time_block(run, finish, 1))
        time_block(run, finish, 20)
    times = {name: [] for name in rivals}
    for _ in range(rounds):
        best = dict.fromkeys(rivals, math.inf)
        for _ in range(SUB_BLOCKS):
            order = list(rivals)
            shuffle(order)
            for name in order:
                run, finish, restore = rivals[name]
                restore()
                finish()
                best[name] = min(best[name], time_block(run, finish, runs[name]))
        for name, ns in best.items():
            times[name].append(ns)
    return times


def entry(problem, rival, times_ns, error, label):
    wall = statistics.median(times_ns)
    return {
        "name": f"{problem}/{rival}",
        "run_type": "iteration",
        "iterations": len(times_ns),
        "real_time": statistics.fmean(times_ns) * 1e-3,
        "time_unit": "us",
        "wall_ns": wall,
        "gb_per_s": problem.bytes() / wall,
        "gflop_per_s": problem.flops() / wall,
        "rounds": len(times_ns),
        "error_over_bound": error,
        "label": label,
    }


def failure(problem, rival, message):
    return {"name": f"{problem}/{rival}", "error_occurred": True, "error_message": message}


def skipped(problem, rival, reason):
    return {"name": f"{problem}/{rival}", "skipped": True, "skip_message": str(reason)}


def finish(context, benchmarks, left=0):
    """Prints the JSON; the exit code. `left`: how many problems the budget had no time for."""
    print(json.dumps({"context": context, "benchmarks": benchmarks}, indent=1, allow_nan=False))
    if any(b.get("error_occurred") for b in benchmarks):
        return WRONG
    return INCOMPLETE if left else 0
