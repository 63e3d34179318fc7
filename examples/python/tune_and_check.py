"""Tunes two problems, asks what to run, runs it, and compares with numpy.

python3 tune_and_check.py [FOLDER_FOR_THE_TUNED_FILE]
"""

import sys
import tempfile
from pathlib import Path

import loratune
import numpy as np
import pyopencl as cl
from run_plan import run

PROBLEMS = ["m4_k256_n192_r8_f32_acc", "m64_k256_n192_r8_f32_acc"]


def device():
    """The first device that there is."""
    try:
        return next(found for platform in cl.get_platforms() for found in platform.get_devices())
    except (cl.Error, StopIteration):  # no driver, or one without a device
        sys.exit(77)


def main(folder):
    queue = cl.CommandQueue(cl.Context([device()]))
    tuned = loratune.tune(
        PROBLEMS,
        out=Path(folder) / "tuned.json",
        budget="4s",
        device=queue.device.name.strip(),
        progress=lambda p: print(f"{p.decided} of {p.problems}", file=sys.stderr),
    )
    dispatcher = loratune.Dispatcher(queue.device, tuned)
    engine = loratune.Engine(queue.context, queue.device, dispatcher)
    random = np.random.default_rng(1)
    for key in PROBLEMS:
        problem = loratune.Problem.parse(key)
        choice = dispatcher.pick(problem)
        print(f"{key}: {choice.variant}, {choice.shape_match} of a device that is {choice.device_match}")

        def matrix(rows, cols):
            return random.uniform(-1, 1, (rows, cols)).astype(np.float32)

        x, y = matrix(problem.m, problem.k), matrix(problem.m, problem.n)
        a, b = matrix(problem.rank, problem.k), matrix(problem.n, problem.rank)
        wanted = y + 0.5 * (x.astype(float) @ a.T) @ b.T

        flags = cl.mem_flags.READ_WRITE | cl.mem_flags.COPY_HOST_PTR
        on_device = cl.Buffer(queue.context, flags, hostbuf=x)
        for by in ("engine", "plan"):
            into = cl.Buffer(queue.context, flags, hostbuf=y)
            if by == "engine":
                weights = engine.weights(a, b)
                engine.forward(queue, on_device, into, weights, scale=0.5, m=problem.m).wait()
            else:
                run(queue, dispatcher.plan(problem), on_device, a, b, into, 0.5)
            got = np.empty_like(y)
            cl.enqueue_copy(queue, got, into)
            error = np.max(np.abs(got - wanted) / (1 + np.abs(wanted)))
            print(f"  by the {by}: largest error {error:.1e}")
            if not error < 1e-5:
                sys.exit("the result is wrong")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as made:
            main(made)
