"""What a call of forward() takes from Python, in microseconds: the median over batches of 100 calls that are
enqueued one behind another, beside the same kernel launched by pyopencl alone.

    PYTHONPATH=build/release/python python3 scripts/measure_forward.py
"""

import statistics
import time

import loratune
import numpy as np
import pyopencl as cl

CALLS, BATCHES = 100, 50


def micros(call):
    begin = time.perf_counter()
    for _ in range(CALLS):
        call()
    return 1e6 * (time.perf_counter() - begin) / CALLS


def main():
    device = next(d for platform in cl.get_platforms() for d in platform.get_devices())
    queue = cl.CommandQueue(cl.Context([device]))
    engine = loratune.Engine(queue.context, queue.device)
    ones = np.ones((16, 16), np.float32)
    x, y = (cl.Buffer(queue.context, cl.mem_flags.READ_WRITE, 1024) for _ in range(2))
    weights = engine.weights(ones[:1], ones[:, :1])
    op = engine.op(loratune.Problem(m=1, k=16, n=16, rank=1))
    program = cl.Program(queue.context, "kernel void f(global float* x, global float* y) {}").build()
    kernel = cl.Kernel(program, "f")

    def bare():
        kernel.set_args(x, y)
        cl.enqueue_nd_range_kernel(queue, kernel, (1,), (1,))

    calls = {
        "op.forward": lambda: op.forward(queue, x, y, weights, 0.5, 1),
        "engine.forward": lambda: engine.forward(queue, x, y, weights, 0.5, m=1),
        "pyopencl, an empty kernel": bare,
    }
    times = {name: [] for name in calls}
    for _ in range(BATCHES):
        for name, call in calls.items():
            times[name].append(micros(call))
            queue.finish()
    for name, taken in times.items():
        print(f"{name}: {statistics.median(taken):.1f} us")


if __name__ == "__main__":
    main()
