#!/usr/bin/env python3
"""The problems of lora-bench in SGLang's Triton kernels, on CUDA: a step of many modules in one CUDA graph.

    scripts/peers/sglang_lora.py --wheel PATH [--modules 32] [--own] [--problems FILE | --tokens 16 ...] > sglang.json

The kernels are taken from SGLang's wheel, which need not be installed: `pip download --no-deps
sglang==0.5.23` fetches it, and --wheel may also name a folder that it was unpacked to. Rivals:

    sglang_sgemm                     the kernels of its backend `triton`; for a group those of q, k and v, or of
                                     gate and up
    sglang_chunk16, _chunk32 ...     those of `csgmv`, with chunks of so many rows: 16 is the default, and the
                                     larger ones are for more tokens
    sglang_decode, sglang_prefill    those that `triton_v2` plans for a phase, in tiles that the wheel has for
                                     the GPU

A time is that of one module or group (see step.py). Rows are sorted by adapter before the graph, and the
grids of the first two backends have exactly the segments of the call; SGLang's own graphs have those of
the largest batch.

What the kernels do not know is skipped with a reason: setting y, weights of another type, DoRA, and
f32, which they multiply as TF32. The shape of the JSON is described in peer.py. Exits 77 without
PyTorch, Triton, a device or the wheel, 4 when a result is wrong, 3 when the budget ended early.
"""

import os
import sys

import peer

try:
    import sglang_wheel
    import step
    import torch
    import triton
except ImportError as error:
    print(f"sglang_lora.py: {error.name or error} is not installed here", file=sys.stderr)
    sys.exit(peer.MISSING)


def decline(problem):
    for declined, why in (
        (not problem.accumulate, "SGLang's kernels add to y"),
        (problem.weights, "SGLang's kernels take x and weights of one type"),
        (problem.dora, "SGLang's kernels know no DoRA"),
        (problem.dtype == "f32", "SGLang's kernels multiply f32 as TF32"),
    ):
        if declined:
            raise peer.Skipped(why)


def segments(problem, longest):
    """(adapter, rows) of segments of at most `longest` rows that have one adapter."""
    count = step.adapters_of(problem)
    found = []
    for adapter in range(count):
        rows = list(range(adapter, problem.m, count))
        found += [(adapter, rows[begin : begin + longest]) for begin in range(0, len(rows), longest)]
    return found


def batch_of(problem, device, longest, chunk=0):
    """`chunk`: the rows that a work-group of the chunked kernels takes, also of shorter segments."""
    found, count = segments(problem, longest), step.adapters_of(problem)

    def whole(values):
        return torch.tensor(values, dtype=torch.int32, device=device)

    lengths = [len(rows) for _, rows in found]
    return sglang_wheel.Batch(
        bs=len(found),
        num_segments=len(found),
        seg_indptr=whole([sum(lengths[:i]) for i in range(len(found) + 1)]),
        seg_lens=whole(lengths),
        weight_indices=whole([adapter for adapter, _ in found]),
        lora_ranks=whole([problem.rank] * count),
        scalings=torch.full((count,), peer.SCALE, dtype=torch.float32, device=device),
        max_len=chunk or max(lengths),
        permutation=whole([row for _, rows in found for row in rows]) if chunk or count > 1 else None,
    )


def sgemm(kernels, device):
    def make(problem):
        decline(problem)
        batch, columns = batch_of(problem, device, problem.m), problem.slices or (problem.n,)
        edges = torch.tensor([0, *(end for _, _, end in step.slices_of(problem))], dtype=torch.int32, device=device)

        def forward(module):
            h = kernels.sgemm_a(module.x, module.a, batch, stack_num=len(columns))
            if len(columns) == 1:
                kernels.sgemm_b(h, module.b, batch, module.y)
            elif len(columns) == 2 and columns[0] == columns[1]:
                kernels.gate_up_b(h, module.b, batch, columns[0], module.y)
            else:
                kernels.qkv_b(h, module.b, batch, edges, max(columns), module.y, n_slices=len(columns))

        return forward

    return make


def chunked(kernels, device, chunk):
    def make(problem):
        decline(problem)
        if chunk > 16 and problem.m < 2 * chunk:
            raise peer.Skipped(f"SGLang takes chunks of {chunk} rows from {2 * chunk} tokens on")
        batch, columns = batch_of(problem, device, chunk, chunk), problem.slices or (problem.n,)
        edges = torch.tensor([0, *(end for _, _, end in step.slices_of(problem))], dtype=torch.int32)
        on_device = edges.to(device)

        def forward(module):
            h = kernels.shrink(module.x, module.a, batch, len(columns))
            kernels.expand(h, module.b, batch, on_device, max(columns), module.y, slice_offsets_cpu=edges)

        return forward

    return make


def planned(kernels, device, phase):
    def make(problem):
        decline(problem)
        count = step.adapters_of(problem)
        slots = torch.tensor([row % count for row in range(problem.m)], dtype=torch.int32, device=device)
        runner = kernels.runner(kernels.workspace(), max_loras=count, device=torch.device(device))
        runner.begin_batch(
            token_slots=slots,
            lora_ranks=torch.full((count,), problem.rank, dtype=torch.int32, device=device),
            scalings=torch.full((count,), peer.SCALE, dtype=torch.float32, device=device),
            num_tokens=problem.m,
            phase=phase,
            graph_mode=True,
        )
        plan = runner.plan_for(kernels.linear, problem.rank, problem.k, problem.n, num_tokens=problem.m)
        edges = (0, *(end for _, _, end in step.slices_of(problem)))

        def forward(module):
            h = runner.run_a(module.x, module.a, stack=len(edges) - 1, plan=plan)
            runner.run_b(h, module.b, module.y, offsets=edges, plan=plan)

        return forward

    return make


def main():
    wheel = {"required": True, "metavar": "PATH", "help": "SGLang's wheel, or the folder it was unpacked to"}
    modules = {**step.OPTIONS["modules"], "default": 32}
    options = peer.arguments(__doc__.splitlines()[0], **{**step.OPTIONS, "modules": modules, "wheel": wheel})
    found = step.in_child(lambda: step.device_and_name(options))
    if "fault" in found or (found[0] == "cpu" and not os.environ.get("TRITON_INTERPRET")):
        print("sglang_lora.py: no CUDA device; TRITON_INTERPRET=1 checks the kernels without one", file=sys.stderr)
        return peer.MISSING
    device, name = found
    try:
        kernels = sglang_wheel.load(options.wheel)
    except ImportError as error:
        print(f"sglang_lora.py: {error}", file=sys.stderr)
        return peer.MISSING
    rivals = {"sglang_sgemm": (sgemm(kernels, device), "SGLang's sgemm kernels")}
    for chunk in (16, 32, 128):
        rivals[f"sglang_chunk{chunk}"] = (chunked(kernels, device, chunk), f"SGLang's kernels of chunks of {chunk}")
    for phase in sglang_wheel.Phase:
        label = f"SGLang's plan for {phase.value}"
        rivals[f"sglang_{phase.value}"] = (planned(kernels, device, phase), label)
    library = f"sglang {sglang_wheel.VERSION}, triton {triton.__version__}, torch {torch.__version__}"
    return step.main(options, library, device, name, rivals)


if __name__ == "__main__":
    sys.exit(main())
