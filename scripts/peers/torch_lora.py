#!/usr/bin/env python3
"""The problems of lora-bench in PyTorch, on CUDA where there is one, else on the CPU.

    scripts/peers/torch_lora.py [--device cuda|cpu] [--problems FILE | --tokens 1,16 ...] > torch.json

Rivals: torch_eager, y += scale * (x @ A.T @ B.T) as one writes it; torch_mm, mm and addmm_ into
given tensors; on CUDA also torch_graph, the same two in a CUDA graph. TF32 is off. The shape of
the JSON is described in peer.py. Exits 77 without PyTorch, 4 when a result is wrong.
"""

import sys

import peer

try:
    import torch
except ImportError as error:
    print(f"torch_lora.py: PyTorch is not installed here: {error}", file=sys.stderr)
    sys.exit(peer.MISSING)


def error_over_bound(problem, y, oracle, magnitude):
    unit = 2.0**-11 if problem.dtype == "f16" else 2.0**-24
    allowed = peer.bound(problem, oracle, magnitude, unit, unit)
    return ((y.double() - oracle).abs() / allowed).max().item()


def measure(problem, device, rounds):
    torch.manual_seed(1)
    dtype = torch.float16 if problem.dtype == "f16" else torch.float32

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


def main():
    options = peer.arguments(__doc__.splitlines()[0], device={"choices": ["cuda", "cpu"]})
    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        print("torch_lora.py: no CUDA device", file=sys.stderr)
        return peer.MISSING
    torch.backends.cuda.matmul.allow_tf32 = False
    context = {
        "device": torch.cuda.get_device_name() if device == "cuda" else f"cpu, {torch.get_num_threads()} threads",
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
