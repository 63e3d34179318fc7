"""Runs a plan of Dispatcher.plan() with pyopencl and numpy alone: what any runtime would do with it."""

import numpy as np
import pyopencl as cl

DTYPES = {"f32": np.dtype(np.float32), "f16": np.dtype(np.float16)}
NUMBERS = {"int": np.dtype(np.int32), "long": np.dtype(np.int64), "float": np.dtype(np.float32)}


def packed(packing, matrix):
    """The matrix in the layout that a plan asks for; what pads it is zero."""
    rows, cols = matrix.shape
    i, j = np.indices(matrix.shape)
    tile, ld = packing["tile"], packing["ld"]
    if packing["layout"] == "row_major":
        index = i * ld + j
    elif packing["layout"] == "transposed":
        index = j * rows + i
    elif packing["layout"] == "panel":
        index = (i // tile * cols + j) * tile + i % tile
    else:  # blocked
        index = ((i // tile * (ld // 16) + j // 16) * tile + i % tile) * 16 + j % 16
    out = np.zeros(packing["elements"], DTYPES[packing["dtype"]])
    out[index.ravel()] = matrix.ravel()
    return out


def numbers_of(launch, scale):
    """The kernel's arguments that are numbers, by their place among the plan's."""
    for place, arg in enumerate(launch["args"]):
        if arg["type"] in NUMBERS:
            value = scale if arg["role"] == "scale" else arg.get("value", arg.get("dense"))
            yield place, NUMBERS[arg["type"]].type(value)


def as_struct(values):
    """Numbers in one struct, each aligned to its size."""
    kind = np.dtype([(f"f{i}", value.dtype) for i, value in enumerate(values)], align=True)
    return np.array([tuple(values)], kind)


def run(queue, plan, x, a, b, y, scale):
    """y (+)= scale * (x A^T) B^T for dense rows: buffers x and y, arrays a and b of numpy."""
    context = queue.context
    program = cl.Program(context, plan["source"]).build(plan["options"].split())
    packing = plan["packing"]
    packed_a, packed_b = packed(packing["a"], a), packed(packing["b"], b)
    if packing["joined"]:
        gap = np.zeros(packing["off_b"] - packed_a.size, packed_a.dtype)
        packed_a = np.concatenate([packed_a, gap, packed_b])
    flags = cl.mem_flags.READ_ONLY | cl.mem_flags.COPY_HOST_PTR
    buffers = {
        "x": x,
        "y": y,
        "a": cl.Buffer(context, flags, hostbuf=packed_a),
        "b": cl.Buffer(context, flags, hostbuf=packed_b),
    }
    buffers["weights"] = buffers["a"]
    scratch = []
    for wanted in plan["scratch"]:
        scratch.append(cl.Buffer(context, cl.mem_flags.READ_WRITE, wanted["bytes"]))
        if wanted["zero"] != "never":
            cl.enqueue_fill_buffer(queue, scratch[-1], np.uint8(0), 0, wanted["bytes"])
    for launch in plan["launches"]:
        kernel = cl.Kernel(program, launch["kernel"])
        numbers = dict(numbers_of(launch, scale))
        place = 0
        for at, arg in enumerate(launch["args"]):
            if at in numbers and launch["one_struct"]:
                if at != min(numbers):
                    continue
                kernel.set_arg(place, as_struct(list(numbers.values())))
            elif at in numbers:
                kernel.set_arg(place, numbers[at])
            elif arg["type"] == "local":
                kernel.set_arg(place, cl.LocalMemory(arg["value"]))
            else:
                buffer = scratch[arg["value"]] if arg["role"] == "scratch" else buffers[arg["role"]]
                kernel.set_arg(place, buffer)
            place += 1
        cl.enqueue_nd_range_kernel(queue, kernel, launch["global"], launch["local"])
