"""The peers read problems as lora-bench does, skip with a reason what is not there, and call no wrong
result a time; scripts/performance --steps compares what they wrote.

    python3 tests/check_peers.py ROOT

Where PyTorch is installed a step runs on the CPU; elsewhere a module of its name stands in for it.
"""

import contextlib
import gc
import importlib.util
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import weakref
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock, patch

ROOT = Path(sys.argv[1])
PEERS = ROOT / "scripts/peers"
sys.path.insert(0, str(PEERS))
HAS_TORCH = importlib.util.find_spec("torch") is not None
MISSING = "raise ImportError('no such library', name=__name__)\n"
NAMES_ONLY = """
float32 = float16 = bfloat16 = int32 = None
Tensor = object
__version__ = "0"
def get_num_threads():
    return 1
class cuda:
    is_available = staticmethod(lambda: False)
"""


def run(script, *arguments, modules=(), **environment):
    """The exit code and both outputs; `modules`: (name, text) of modules found before any installed one."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in modules:
            (Path(folder) / f"{name}.py").write_text(text)
        done = subprocess.run(
            [sys.executable, ROOT / script, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": folder, **environment},
        )
    return done.returncode, done.stdout, done.stderr


def check_skips():
    for script, module in (("torch_lora.py", "torch"), ("mlx_lora.py", "mlx"), ("sglang_lora.py", "torch")):
        code, out, err = run(f"scripts/peers/{script}", modules=[(module, MISSING)])
        assert code == 77 and not out and "not installed here" in err and err.count("\n") == 1, (script, code, err)
    libraries = [("torch", NAMES_ONLY), ("triton", "__version__ = '0'\n")]
    sglang = "scripts/peers/sglang_lora.py"
    code, _, err = run(sglang, "--wheel", "none.whl", modules=libraries)
    assert code == 77 and "no CUDA device" in err and err.count("\n") == 1, (code, err)
    for path, why in (("none.whl", "No such file"), (str(ROOT), "no kernels of SGLang"), (__file__, "not a zip file")):
        code, _, err = run(sglang, "--wheel", path, modules=libraries, TRITON_INTERPRET="1")
        assert code == 77 and why in err and err.count("\n") == 1, (code, err)


def problems_of(*arguments):
    """The keys that a peer's command line asks for, or its exit code."""
    import peer  # pylint: disable=import-outside-toplevel

    sys.argv = ["peer", *arguments]
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            return [str(problem) for problem in peer.arguments("").problems]
    except SystemExit as stop:
        return stop.code


def check_arguments():
    grid = ("--tokens", "16", "--ranks", "8")
    assert problems_of(*grid, "--slices", "64+32+32", "--adapters", "0,8", "--dtypes", "bf16,f32_w_f16") == [
        "fwd_m16_k64_n64+32+32_r8_bf16_acc",
        "fwd_m16_k64_n64+32+32_r8_bf16_acc_a8",
        "fwd_m16_k64_n64+32+32_r8_f32_w_f16_acc",
        "fwd_m16_k64_n64+32+32_r8_f32_w_f16_acc_a8",
    ]
    assert problems_of(*grid, "--features", "64", "--dtypes", "f16", "--set") == ["fwd_m16_k64_n64_r8_f16_set"]
    for wrong in (("--dtypes", "f64"), ("--dtypes", "f16_w_f16_w_f16"), ("--slices", "64+x"), ("--problem", "m1")):
        assert problems_of(*grid, *wrong) == 2, wrong
    for file in sorted((ROOT / "results/problems").glob("*.txt")):
        keys = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
        assert problems_of("--problems", str(file)) == list(dict.fromkeys(keys)), file


def check_segments():
    """Each row is in one segment, of its own adapter, and no segment is too long."""
    script = f"""
import sys
sys.path.insert(0, {str(PEERS)!r})
import sglang_lora, problems
for key, longest in (("m16_k8_n8_r8_f16_acc", 16), ("m70_k8_n8_r8_f16_acc_a3", 16), ("m3_k8_n8_r8_f16_acc_a8", 16)):
    problem = problems.parse(key)
    count = max(min(problem.adapters, problem.m), 1)
    found = sglang_lora.segments(problem, longest)
    assert sorted(row for _, rows in found for row in rows) == list(range(problem.m)), found
    assert all(row % count == adapter for adapter, rows in found for row in rows), found
    assert all(1 <= len(rows) <= longest for _, rows in found), found
    assert [adapter for adapter, _ in found] == sorted(adapter for adapter, _ in found), found
"""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "segments.py"
        path.write_text(script)
        code, _, err = run(path, modules=[("torch", NAMES_ONLY), ("triton", "")])
    assert code == 0, err


def check_step():
    keys = [
        "m16_k24_n40_r4_f32_acc",
        "m16_k24_n16+8_r4_f32_acc",
        "m8_k24_n16+8_r4_bf16_acc_a4",
        "m1_k24_n16_r4_f32_set",
        "m9_k24_n16_r4_f32_acc_a4",
        "m4_k24_n16_r4_f32_w_f16_acc",
    ]
    chosen = [word for key in keys for word in ("--problem", key)]
    step = ("scripts/peers/torch_lora.py", "--device", "cpu", "--modules", "3", "--rounds", "1", *chosen)
    for more in ([], ["--own"]):
        code, out, err = run(*step, *more)
        assert code == 0, err
        found = {entry["name"]: entry for entry in json.loads(out)["benchmarks"]}
        timed = {name for name, entry in found.items() if entry.get("wall_ns", 0) > 0}
        assert timed == {f"fwd_{key}/torch_step" for key in keys[:4]} | {
            f"fwd_{key}/torch_step_stacked" for key in keys[1:3]
        }, timed
        assert all(0 < found[name]["error_over_bound"] <= 1 for name in timed), found
        skipped = {name for name, entry in found.items() if entry.get("skipped") and entry["skip_message"]}
        assert skipped == found.keys() - timed and len(found) == 2 * len(keys), found
    code, out, err = run(*step, "--budget", "0")
    assert code == 3 and "problems were not measured" in err and not json.loads(out)["benchmarks"], (code, err)
    check_sigterm(step[:7])
    code, _, err = run("scripts/peers/torch_lora.py", "--device", "cpu", "--problem", keys[1])
    assert code == 2 and err.count("\n") == 1, err


def check_wrong_step():
    """A rival that loses the scale, one that fails, and a graph that leaves a module out are no times."""
    import peer  # pylint: disable=import-outside-toplevel
    import step  # pylint: disable=import-outside-toplevel
    import torch_lora  # pylint: disable=import-outside-toplevel

    problem = peer.parse("m4_k24_n16_r4_f32_acc")
    sound = torch_lora.products(False)

    def without_scale(_):
        return lambda module: module.y.addmm_(module.x @ module.a[0].T, module.b[0].T)

    def failing(_):
        raise MemoryError("none left")

    def measured(make):
        found = step.Step(problem, 2, False, "cpu")
        found.add("rival", make, "")
        return found.measure(1)[0]

    assert measured(sound)["wall_ns"] > 0
    assert "of the bound" in measured(without_scale)["error_message"]
    assert measured(failing)["error_message"] == "MemoryError: none left"
    captured = step.captured
    step.captured = lambda run, device: lambda: None
    assert "the graph is" in measured(sound)["error_message"]
    step.captured = captured

    # A kernel's fault ends its process, and costs the one rival.
    def deadly(_):
        os.abort()

    options = SimpleNamespace(modules=2, own=False, rounds=1)
    rivals = {"one": (sound, ""), "dead": (deadly, ""), "other": (sound, "")}
    found = {entry["name"].split("/")[1]: entry for entry in step.measure(problem, options, "cpu", rivals)}
    assert found["one"]["wall_ns"] > 0 and found["other"]["wall_ns"] > 0, found
    assert found["dead"]["error_message"] == f"its process ended with status {int(signal.SIGABRT)}", found


def check_graph():
    """What a graph reads lives as long as the function that replays it."""
    import step  # pylint: disable=import-outside-toplevel

    stream = MagicMock()
    with patch.multiple(
        "torch.cuda", Stream=stream, current_stream=stream, stream=stream, CUDAGraph=stream, graph=stream
    ):
        run = MagicMock()
        kept = weakref.ref(run)
        replay = step.captured(run, "cuda")
        del run
        gc.collect()
        assert kept() is not None and kept().call_count == 2
        del replay
    gc.collect()
    assert kept() is None


def check_sigterm(step):
    """What was measured until then is printed."""
    keys = [word for m in range(1, 40) for word in ("--problem", f"m{m}_k24_n16_r4_f32_acc")]
    with subprocess.Popen(
        [sys.executable, ROOT / step[0], *step[1:], *keys], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr.readline().startswith("1 of ")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate()
    assert process.returncode == 3 and "were not measured" in err, (process.returncode, err[-500:])
    assert any(entry.get("wall_ns") for entry in json.loads(out)["benchmarks"]), out


def check_table():
    group, pool = "fwd_m16_k64_n64+32+32_r8_f16_acc", "fwd_m16_k64_n64_r8_f16_acc_a8"

    def file(folder, name, times):
        entries = [{"name": key, "wall_ns": us * 1000} for key, us in times.items()]
        entries.append({"name": f"{group}/none", "skipped": True, "skip_message": "why"})
        (folder / name).write_text(json.dumps({"context": {"device": "d"}, "benchmarks": entries}))
        return folder / name

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours = file(folder, "ours.json", {f"{group}/tuned/x": 6.0, f"{pool}/tuned/x": 12.0, f"{group}/split/x": 9.0})
        torch = file(folder, "torch.json", {f"{group}/torch_step": 12.0, f"{group}/torch_step_stacked": 10.0})
        sglang = file(folder, "sglang.json", {f"{group}/sglang_sgemm": 15.0, f"{pool}/sglang_chunk16": 10.0})
        code, out, err = run("scripts/performance", "--steps", ours, torch, sglang)
        assert code == 0, err
        for row in (
            "| problems | tuned / torch, worst | above 1 | tuned / SGLang, worst | above 1 |",
            "| all | 0.60, 0.60 | 0 of 1 | 0.69, 1.20 | 1 of 2 |",
            "| groups of 3, 16 tokens | 0.60, 0.60 | 0 of 1 | 0.40, 0.40 | 0 of 1 |",
            "| one module, 8 adapters, 16 tokens |  |  | 1.20, 1.20 | 1 of 1 |",
            "| 16 x 64 x 64+32+32, f16 r8 | 6 | 10 (torch_step_stacked) | 0.60 | 15 (sglang_sgemm) | 0.40 |",
            "| 16 x 64 x 64, f16 r8, 8 adapters | 12 |  |  | 10 (sglang_chunk16) | 1.20 |",
        ):
            assert row in out.splitlines(), (row, out)
        code, out, err = run("scripts/performance", "--steps", ours)
        assert code == 2 and "whole step" in err and not out, (code, err)
        for text in ("", "[]", "{}"):
            (folder / "none.json").write_text(text)
            for files in ((folder / "none.json",), (ours, folder / "none.json")):
                code, out, err = run("scripts/performance", "--steps", *files)
                assert code == 2 and "no JSON of a benchmark" in err and err.count("\n") == 1 and not out, (code, err)


def main():
    check_skips()
    check_arguments()
    check_segments()
    check_table()
    if HAS_TORCH:
        check_step()
        check_wrong_step()
        check_graph()


main()
