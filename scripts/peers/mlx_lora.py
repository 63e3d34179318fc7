#!/usr/bin/env python3
"""The problems of lora-bench in MLX.

    scripts/peers/mlx_lora.py [--problems FILE | --tokens 1,16 ...] > mlx.json

Rivals: mlx_eager, y + scale * (x @ A.T) @ B.T, evaluated each run; mlx_compiled, the same through
mx.compile. MLX arrays are values, so the sum is a new array and nothing has to be restored. Runs
of a block are independent; each is evaluated asynchronously and the block waits for the last. The
shape of the JSON is described in peer.py. Exits 77 without MLX, 4 when a result is wrong.
"""

import sys

import peer

try:
    import mlx.core as mx
    import numpy as np
except ImportError as error:
    print(f"mlx_lora.py: MLX is not installed here: {error}", file=sys.stderr)
    sys.exit(peer.MISSING)


def measure(problem, rounds):
    random = np.random.default_rng(1)
    narrow = np.float16 if problem.dtype == "f16" else np.float32

    def make(*shape):
        return random.standard_normal(shape, dtype=np.float32).astype(narrow)

    x, a, b = make(problem.m, problem.k), make(problem.rank, problem.k), make(problem.n, problem.rank)
    y = make(problem.m, problem.n) if problem.accumulate else np.zeros((problem.m, problem.n), narrow)
    wide = [t.astype(np.float64) for t in (x, a, b, y)]
    oracle = wide[3] + peer.SCALE * (wide[0] @ wide[1].T) @ wide[2].T
    magnitude = abs(wide[3]) + peer.SCALE * (abs(wide[0]) @ abs(wide[1]).T) @ abs(wide[2]).T
    unit = 2.0**-11 if problem.dtype == "f16" else 2.0**-24
    allowed = peer.bound(problem, oracle, magnitude, unit, unit)
    operands = [mx.array(t) for t in (x, a, b, y)]
    mx.eval(operands)

    def forward(x, a, b, y):
        update = peer.SCALE * ((x @ a.T) @ b.T)
        return y + update if problem.accumulate else update

    labels = {
        "mlx_eager": (forward, "y + scale * (x @ A.T) @ B.T"),
        "mlx_compiled": (mx.compile(forward), "the same through mx.compile"),
    }
    found, rivals, errors = [], {}, {}
    for name, (function, _) in labels.items():
        got = np.array(function(*operands)).astype(np.float64)
        errors[name] = float((abs(got - oracle) / allowed).max())
        if not errors[name] <= 1:
            found.append(peer.failure(problem, name, f"error {errors[name]} of the bound"))
            continue
        pending = []

        def run(function=function, pending=pending):
            pending.append(function(*operands))
            mx.async_eval(pending[-1])

        def finish(pending=pending):
            mx.eval(pending)
            pending.clear()

        rivals[name] = (run, finish, lambda: None)
    for name, times in peer.paired_rounds(rivals, rounds).items():
        found.append(peer.entry(problem, name, times, errors[name], labels[name][1]))
    return found


def main():
    options = peer.arguments(__doc__.splitlines()[0])
    benchmarks = []
    for number, problem in enumerate(options.problems, 1):
        benchmarks += measure(problem, options.rounds)
        print(f"{number} of {len(options.problems)}: {problem}", file=sys.stderr)
    context = {"device": str(mx.default_device()), "library": f"mlx {mx.__version__}"}
    return peer.finish(context, benchmarks)


if __name__ == "__main__":
    sys.exit(main())
