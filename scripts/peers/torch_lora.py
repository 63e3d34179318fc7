#!/usr/bin/env python3
"""The problems of lora-bench in PyTorch, on CUDA where there is one, else on the CPU.

    scripts/peers/torch_lora.py [--device cuda|cpu] [--problems FILE | --tokens 1,16 ...] > torch.json
    scripts/peers/torch_lora.py --modules 32 [--own] [--problems FILE | --slices 4096+1024+1024 ...] > torch.json

Rivals: torch_eager, y += scale * (x @ A.T @ B.T) as one writes it; torch_mm, mm and addmm_ into
given tensors; on CUDA also torch_graph, the same two in a CUDA graph. They are of plain problems.
With --modules the rivals are of a whole step in one CUDA graph (see step.py), and the time is that of
one module or group: torch_step, mm and addmm for each module, in batches for the adapters of a call;
torch_step_stacked, one mm for all modules of a group, whose A are stacked. TF32 is off. The shape of
the JSON is described in peer.py. Exits 77 without PyTorch or a device, 4 when a result is wrong, 3
when the budget ended before the problems did.
"""

import sys

import peer

try:
    import step
    import torch
except ImportError as error:
    print(f"torch_lora.py: PyTorch is not installed here: {error}", file=sys.stderr)
    sys.exit(peer.MISSING)


def error_over_bound(problem, y, oracle, magnitude):
    unit = step.UNIT[problem.dtype]
    allowed = peer.bound(problem, oracle, magnitude, unit, unit)
    return ((y.double() - oracle).abs() / allowed).max().item()


def measure(problem, device, rounds):
    torch.manual_seed(1)
    dtype = step.TYPES[problem.dtype]

    def make(*shape):
        return torch.randn(*shape, device=device).to(dtype)

    x, a, b = make(problem.m, problem.k), make(problem.rank, problem.k), make(problem.n, problem.rank)
    before = make(problem.m, problem.n)
    y = before.clone()
    h = torch.empty(problem.m, problem.rank, device=device, dtype=dtype)
    wide = [t.double() for t in (x, a, b, before)]
    keep = 1.0 if problem.accumulate else 0.0
    oracle = keep * wide[3] + peer.SCALE * (wide[0] @ wide[1].T) @ wide[2].T
    magnitude = keep * wide[3].abs() + peer.SCALE * (wide[0].abs() @ wide[1].abs().T) @ wide[2].abs().T
    a_t, b_t = a.T, b.T

    def eager():
        update = (x @ a_t @ b_t) * peer.SCALE
        if problem.accumulate:
            y.add_(update)
        else:
            y.copy_(update)

    def products():
        torch.mm(x, a_t, out=h)
        torch.addmm(y, h, b_t, beta=keep, alpha=peer.SCALE, out=y)

    labels = {
        "torch_eager": (eager, "(x @ A.T @ B.T) * scale, added to y"),
        "torch_mm": (products, "mm + addmm into given tensors"),
    }
    if device == "cuda":
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # libraries set themselves up outside of the capture
            products()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            products()
        labels["torch_graph"] = (graph.replay, "mm + addmm in a CUDA graph")

    synchronize = torch.cuda.synchronize if device == "cuda" else lambda: None

    def restore():
        y.copy_(before)

    found, rivals, errors = [], {}, {}
    for name, (run, _) in labels.items():
        restore()
        run()
        synchronize()
        errors[name] = error_over_bound(problem, y, oracle, magnitude)
        if errors[name] <= 1:
            rivals[name] = (run, synchronize, restore)
        else:
            found.append(peer.failure(problem, name, f"error {errors[name]} of the bound"))
    for name, times in peer.paired_rounds(rivals, rounds).items():
        found.append(peer.entry(problem, name, times, errors[name], labels[name][1]))
    return found


def products(stacked):
    """A rival of step.py: mm and addmm for each slice, or one mm for all and an addmm for each."""

    def make(problem):
        if problem.weights:
            raise peer.Skipped("PyTorch multiplies matrices of one type")
        if problem.dora:
            raise peer.Skipped("mm and addmm are no DoRA")
        slices, rank, count = step.slices_of(problem), problem.rank, step.adapters_of(problem)
        if stacked and len(slices) == 1:
            raise peer.Skipped("one module has nothing to stack")
        if problem.m % count:
            raise peer.Skipped("its adapters have no equal numbers of rows, as a batch of products wants")
        keep, scratch = float(problem.accumulate), {}

        def forward(module):
            # Adapter i has the rows i, i + count, ...: a batch of strided matrices.
            x = module.x.view(-1, count, problem.k).transpose(0, 1)
            y = module.y.view(-1, count, problem.n).transpose(0, 1)
            a, b = module.a.transpose(1, 2), module.b.transpose(1, 2)
            if not scratch:
                scratch["h"] = torch.empty(count, problem.m // count, a.shape[2], device=x.device, dtype=x.dtype)
            h = scratch["h"]
            if count == 1:
                x, y, h, a, b = x[0], y[0], h[0], a[0], b[0]
            product, sum_of = (torch.mm, torch.addmm) if count == 1 else (torch.bmm, torch.baddbmm)
            if stacked:
                product(x, a, out=h)
            for number, begin, end in slices:
                ranks = slice(number * rank, (number + 1) * rank)
                if not stacked:
                    product(x, a[..., ranks], out=h[..., ranks])
                part = y[..., begin:end]
                sum_of(part, h[..., ranks], b[..., begin:end], beta=keep, alpha=peer.SCALE, out=part)

        return forward

    return make


STEPS = {
    "torch_step": (products(False), "mm + addmm of each module"),
    "torch_step_stacked": (products(True), "one mm of all modules of a group, addmm of each"),
}


def main():
    options = peer.arguments(__doc__.splitlines()[0], **step.OPTIONS)
    found = step.in_child(lambda: step.device_and_name(options))
    if "fault" in found:
        print(f"torch_lora.py: no CUDA device: {found['fault']}", file=sys.stderr)
        return peer.MISSING
    device, name = found
    if options.modules:
        return step.main(options, f"torch {torch.__version__}", device, name, STEPS)
    torch.backends.cuda.matmul.allow_tf32 = False
    odd = [problem for problem in options.problems if not problem.plain()]
    if odd:
        print(f"{odd[0]}: without --modules PyTorch's rivals are of plain problems", file=sys.stderr)
        return peer.USAGE
    context = {
        "device": name,
        "library": f"torch {torch.__version__}",
    }
    benchmarks = []
    with torch.inference_mode():
        for number, problem in enumerate(options.problems, 1):
            benchmarks += measure(problem, device, options.rounds)
            print(f"{number} of {len(options.problems)}: {problem}", file=sys.stderr)
    return peer.finish(context, benchmarks)


if __name__ == "__main__":
    sys.exit(main())
