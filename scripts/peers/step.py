"""A step of a model in PyTorch's tensors: the same product for each of its modules, in one CUDA graph.

A serving runtime launches the products of all layers of a step as one CUDA graph, so that a product costs
no more than its kernels. The time of a step is divided by the number of its modules, or of its groups of
modules that share x.

By default all modules of a step are one: they read the same x, A and B and add to the same y, as the
launches in a block of `lora-bench --bench` do. With --own each has its own, as with `--cache rotate`.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import peer
import torch

TYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
UNIT = {"f32": 2.0**-24, "f16": 2.0**-11, "bf16": 2.0**-8}
OPTIONS = {
    "modules": {"type": int, "metavar": "N", "help": "products, or groups of them, in a CUDA graph"},
    "own": {"action": "store_true", "help": "each module has its own x, A, B and y"},
    "budget": {"type": float, "default": 500, "metavar": "SECONDS", "help": "begin no problem after them"},
    "device": {"choices": ["cuda", "cpu"]},
}


def adapters_of(problem):
    """How many adapters the rows of a call have; row i has adapter i % adapters, as in lora-bench."""
    return max(min(problem.adapters, problem.m), 1)


def slices_of(problem):
    """(number, first column, last column + 1) of each slice of y."""
    found, begin = [], 0
    for number, columns in enumerate(problem.slices or (problem.n,)):
        found.append((number, begin, begin + columns))
        begin += columns
    return found


class Module:
    """x [m, k], A [adapters, slices * rank, k], B [adapters, n, rank] and y [m, n] of one product or group.

    A and B are as small as those of a fresh layer, so that f16's y stays finite over a thousand sums."""

    def __init__(self, problem, device):
        count, rank = adapters_of(problem), problem.rank
        shapes = {
            "x": (problem.m, problem.k),
            "a": (count, len(slices_of(problem)) * rank, problem.k),
            "b": (count, problem.n, rank),
            "before": (problem.m, problem.n),
        }
        deviation = {"a": problem.k**-0.5, "b": rank**-0.5}
        for name, shape in shapes.items():
            values = torch.randn(*shape, device=device) * deviation.get(name, 1)
            setattr(self, name, values.to(TYPES[problem.dtype]))
        self.y = self.before.clone()

    def expected(self, problem):
        """y in double, and the same sum of absolute values."""
        keep, rank, count = float(problem.accumulate), problem.rank, adapters_of(problem)
        y = keep * self.before.double()
        magnitude = y.abs()
        for adapter in range(count):
            x = self.x[adapter::count].double()
            for number, begin, end in slices_of(problem):
                a = self.a[adapter, number * rank : (number + 1) * rank].double().T
                b = self.b[adapter, begin:end].double().T
                y[adapter::count, begin:end] += peer.SCALE * (x @ a) @ b
                magnitude[adapter::count, begin:end] += peer.SCALE * (x.abs() @ a.abs()) @ b.abs()
        return y, magnitude


def synchronize(device):
    if device == "cuda":
        torch.cuda.synchronize()


def captured(run, device):
    """A function that replays `run` from a CUDA graph; `run` itself on a CPU."""
    if device == "cpu":
        return run
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # libraries set themselves up outside of the capture, some for each stream
        run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        run()

    def replay(_kept=run):  # the graph reads and writes buffers that only `run` keeps
        graph.replay()

    return replay


class Ending:
    """Whether SIGTERM asked for the end, and which child it then ends: what was measured is still printed."""

    asked, child = False, 0


def end(*_):
    Ending.asked = True
    if Ending.child:
        os.kill(Ending.child, signal.SIGKILL)


def in_child(work):
    """What work() returns, or {"fault": why}, from a process of its own: the process that a kernel's fault hits
    cannot use the GPU any more. So the process that asks must not have used the GPU."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receive)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            result = work()
        except BaseException as fault:  # what ends this process is a result
            result = {"fault": f"{type(fault).__name__}: {fault}".splitlines()[0]}
        with os.fdopen(send, "w", encoding="utf-8") as pipe:
            json.dump(result, pipe)
        os._exit(0)
    os.close(send)
    Ending.child = child
    with os.fdopen(receive, encoding="utf-8") as pipe:
        text = pipe.read()
    Ending.child = 0
    _, status = os.waitpid(child, 0)
    return json.loads(text) if text else {"fault": f"its process ended with status {status}"}


class Step:
    """The modules of a step, what they have to compute, and the rivals that were found to compute it."""

    def __init__(self, problem, modules, own, device):
        torch.manual_seed(1)
        self.problem, self.device = problem, device
        first = Module(problem, device)
        self.modules = [first] + [Module(problem, device) if own else first for _ in range(modules - 1)]
        self.oracle, self.magnitude = first.expected(problem)
        self.entries, self.timed = [], {}

    def restore(self):
        for module in dict.fromkeys(self.modules):
            module.y.copy_(module.before)

    def error(self, y, wanted):
        unit = UNIT[self.problem.dtype]
        allowed = peer.bound(self.problem, wanted, self.magnitude, unit, unit)
        return ((y.double() - wanted).abs() / allowed).max().nan_to_num(float("inf")).item()

    def outputs(self, run):
        self.restore()
        run()
        synchronize(self.device)
        return [module.y.double().clone() for module in dict.fromkeys(self.modules)]

    def add(self, name, make, label):
        """make(problem) gives the function that runs a module. Its result is checked before it is timed, and
        that of the graph against the same calls without one."""
        try:
            forward = make(self.problem)

            def run():
                for module in self.modules:
                    forward(module)

            error = self.error(self.outputs(lambda: forward(self.modules[0]))[0], self.oracle)
            if not error <= 1:
                raise ArithmeticError(f"error {error:.3g} of the bound")
            plain = self.outputs(run)
            replay = captured(run, self.device)
            apart = max(self.error(y, wanted) for y, wanted in zip(self.outputs(replay), plain))
            if not apart <= 1:
                raise ArithmeticError(f"the graph is {apart:.3g} of the bound off the same calls without one")
        except peer.Skipped as reason:
            self.entries.append(peer.skipped(self.problem, name, reason))
        except Exception as fault:  # a rival that fails on one problem loses that one
            synchronize(self.device)  # which raises where the fault was the end of all use of the device
            self.entries.append(peer.failure(self.problem, name, f"{type(fault).__name__}: {fault}"))
        else:
            self.timed[name] = (replay, error, label)

    def measure(self, rounds):
        """The entries of all rivals, timed in turn."""
        rivals = {
            name: (run, lambda: synchronize(self.device), self.restore) for name, (run, _, _) in self.timed.items()
        }
        count = len(self.modules)
        where = "one CUDA graph" if self.device == "cuda" else "turn"
        for name, times in peer.paired_rounds(rivals, rounds).items():
            _, error, label = self.timed[name]
            each = [ns / count for ns in times]
            label = f"{label}; of {count} in {where}"
            self.entries.append(peer.entry(self.problem, name, each, error, label))
        return self.entries


def measure(problem, options, device, rivals):
    """The entries of one problem. `rivals`: {name: (make, label)}."""

    def work(some):
        step = Step(problem, options.modules, options.own, device)
        for name, (make, label) in some.items():
            step.add(name, make, label)
        return step.measure(options.rounds)

    def safe(some):
        with torch.inference_mode():
            return work(some)

    found = in_child(lambda: safe(rivals))
    if "fault" not in found or Ending.asked:
        return found
    entries = []
    for name, rival in rivals.items():  # which of them was it
        alone = in_child(lambda name=name, rival=rival: safe({name: rival}))
        entries += [peer.failure(problem, name, alone["fault"])] if "fault" in alone else alone
    return entries


def device_and_name(options):
    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cpu":
        return [device, f"cpu, {torch.get_num_threads()} threads"]
    return [device, torch.cuda.get_device_name()]


def main(options, library, device, name, rivals):
    """Times `rivals`, {name: (make, label)}, on each problem, and prints the JSON; the exit code."""
    torch.backends.cuda.matmul.allow_tf32 = False
    context = {
        "device": name,
        "library": library,
        "launch": f"{options.modules} modules or groups in one CUDA graph" if device == "cuda" else "calls in turn",
        "cache": "rotate" if options.own else "warm",
    }
    begin = time.monotonic()
    benchmarks, done, told = [], 0, set()
    signal.signal(signal.SIGTERM, end)
    for problem in options.problems:
        if time.monotonic() - begin > options.budget:
            break
        found = measure(problem, options, device, rivals)
        if Ending.asked:
            break
        benchmarks += found
        done += 1
        print(f"{done} of {len(options.problems)}: {problem}", file=sys.stderr)
        for entry in found:
            rival = entry["name"].split("/")[1]
            why = entry.get("error_message") or entry.get("skip_message")
            if why and (rival, why) not in told:
                told.add((rival, why))
                print(f"  {rival}: {'skipped: ' if entry.get('skipped') else ''}{why}", file=sys.stderr)
    left = len(options.problems) - done
    if left:
        print(f"{left} problems were not measured within {time.monotonic() - begin:.0f} s", file=sys.stderr)
    return peer.finish(context, benchmarks, left)
