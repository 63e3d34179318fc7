"""An adapter that PEFT wrote, from its folder to y: every module on the device, compared with numpy.

python3 peft_adapter.py FOLDER [TUNED_FILE]
"""

import sys

import loratune
import numpy as np
import pyopencl as cl
from tune_and_check import device


def main(folder, tuned=None):
    queue = cl.CommandQueue(cl.Context([device()]))
    adapter = loratune.Adapter(folder)
    engine = loratune.Engine(queue.context, queue.device, loratune.Dispatcher(queue.device, tuned))
    random = np.random.default_rng(1)
    for module in adapter.modules:
        a, b = adapter.factors(module.path)
        x = random.uniform(-1, 1, (3, module.k)).astype(np.float32)
        base = random.uniform(-1, 1, (3, module.n)).astype(np.float32)
        flags = cl.mem_flags.READ_WRITE | cl.mem_flags.COPY_HOST_PTR
        x_buffer = cl.Buffer(queue.context, flags, hostbuf=x)
        y_buffer = cl.Buffer(queue.context, flags, hostbuf=base)
        done = engine.forward(queue, x_buffer, y_buffer, engine.weights(a, b), scale=module.scale, m=3)
        got = np.empty_like(base)
        cl.enqueue_copy(queue, got, y_buffer, wait_for=[done])
        wanted = base + module.scale * (x.astype(float) @ a.T) @ b.T
        error = np.max(np.abs(got - wanted) / (1 + np.abs(wanted)))
        print(f"{module.path}: rank {module.rank}, scale {module.scale:g}, largest error {error:.1e}")
        if not error < 1e-5:
            sys.exit("the result is wrong")
    if not adapter.modules:
        sys.exit("the adapter has no modules")


if __name__ == "__main__":
    main(*sys.argv[1:])
