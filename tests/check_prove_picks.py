"""scripts/prove-picks tells apart picks that are the same, as good, slower, and not timed; it and its
siblings read problem keys through one parser, and say which key matches nothing.

    python3 tests/check_prove_picks.py ROOT

A stand-in for lora-bench writes plans of two cases and prints the gate's rows that it is told.
"""

import contextlib
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(sys.argv[1])
KEYS = ["fwd_m1_k512_n512_r8_f32_acc", "fwd_m16_k512_n512_r8_f32_acc"]
EVERY_PROBLEM = "\n".join(KEYS) + "\n"
STAND_IN = """#!/usr/bin/env python3
import json, os, sys
if "--export-plans" in sys.argv:
    path = sys.argv[sys.argv.index("--export-plans") + 1]
    json.dump({"cases": [{"case": "pick/" + key} for key in KEYS]}, open(path, "w"))
elif "--gate" in sys.argv:
    default = sys.argv[sys.argv.index("--gate") + 1].endswith("default.plans")
    print(os.environ["DEFAULT" if default else "OTHER"])
"""
SAME = f"UNCHANGED      pick/{KEYS[0]}"
ROWS = {
    "faster": f"IMPROVED       pick/{KEYS[1]}   0.900  0.880..0.920  3.0 %",
    "slower": f"REGRESSED      pick/{KEYS[1]}   1.100  1.080..1.120  3.0 %",
    "untimed": f"ENVIRONMENT    pick/{KEYS[1]}   a sentinel differed",
    "disturbed": f"ENVIRONMENT    pick/{KEYS[1]}   1.000  0.880..1.120  3.0 %  a sentinel differed",
}


def prove(folder, other, default, problems=EVERY_PROBLEM):
    bench = folder / "bench"
    bench.write_text(STAND_IN.replace("KEYS", repr(KEYS)))
    bench.chmod(0o755)
    (folder / "problems.txt").write_text(problems, encoding="utf-8")
    (folder / "tuned.json").write_text(json.dumps({"records": []}))
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "scripts/prove-picks",
            folder / "tuned.json",
            "--other",
            folder / "tuned.json",
            "--problems",
            folder / "problems.txt",
            "--bench",
            bench,
            "--out",
            folder / "out",
        ],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "OTHER": f"{SAME}\n{ROWS[other]}", "DEFAULT": f"{SAME}\n{ROWS[default]}"},
    )
    return done.returncode, done.stdout, done.stderr


def check_keys(folder):
    short = [key.removeprefix("fwd_") for key in KEYS]
    _, plain, _ = prove(folder, "slower", "faster")
    for text in (
        f"{short[0]}\n{short[1]}\n",
        f"\ufeff{KEYS[0]}  \n\n# a line\n  {short[1]}\t# a word\r\n",
        "\n".join([*KEYS, *short]),
    ):
        code, out, err = prove(folder, "slower", "faster", text)
        assert code == 0 and out == plain, (text, out, err)
        assert (folder / "out/problems.txt").read_text() == "\n".join(KEYS) + "\n"
    lost = "fwd_m3_k512_n512_r8_f32_acc"
    for text, why in (
        (f"{short[0]}\nm3_k512_n512_r8_f32_acc\n", f"{lost}: nothing in "),
        (f"{short[0]}\nm3_k512\n", "problems.txt:2: 'm3_k512' is no problem key"),
        (f"{KEYS[0]} {KEYS[1]}\n", "problems.txt:1: "),
        ("# none\n", "holds no problem key"),
        ("", "holds no"),
    ):
        code, out, err = prove(folder, "slower", "faster", text)
        assert code == 2 and why in err and err.count("\n") == 1 and not out, (text, code, err)


def check_siblings(folder):
    sys.path.insert(0, str(ROOT / "scripts/peers"))
    import peer  # pylint: disable=import-outside-toplevel

    keys = folder / "keys.txt"

    def problems_of(text):
        keys.write_text(text, encoding="utf-8")
        sys.argv = ["peer", "--problems", str(keys)]
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                return [str(problem) for problem in peer.arguments("").problems]
        except SystemExit as stop:
            return stop.code

    assert problems_of(f"\ufeff  {KEYS[0].removeprefix('fwd_')} # a word\n{KEYS[0]}\n") == KEYS[:1]
    assert problems_of("# none\n") == 2, "a grid was timed in place of no problem"
    aligned = "m1_k512_n512_r8_f32_acc_align64"
    assert str(peer.parse(aligned)) == "fwd_" + aligned

    keys.write_text(EVERY_PROBLEM, encoding="utf-8")
    (folder / "half.json").write_text('{"records": [')
    (folder / "none.json").write_text('{"records": [], "devices": {}}')
    for script, more in (
        ("prove-picks", [folder / "nosuch.json"]),
        ("prove-picks", [folder / "half.json"]),
        ("prove-picks", [folder / "none.json"]),
        ("prove-picks", [folder / "tuned.json", "--recording", folder / "nosuch.jsonl"]),
        ("prove-picks", [folder / "tuned.json", "--problems", keys, "--bench", folder / "nosuch"]),
        ("prove-gate", ["--bench", folder / "nosuch"]),
    ):
        command = [sys.executable, ROOT / "scripts" / script, "--out", folder / "out", *more]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, (script, more, done)

    gate = [sys.executable, ROOT / "scripts/prove-gate", "--bench", folder / "bench", "--out", folder / "out"]
    for key, why in (
        ("m1_k512", "'m1_k512' is no problem key"),
        (KEYS[0].removeprefix("fwd_"), f"{KEYS[0]}: split does not"),
    ):
        done = subprocess.run([*gate, "--problem", key], capture_output=True, text=True, check=False)
        assert done.returncode == 2 and why in done.stderr, done.stderr

    def measured(name, key):
        entry = {"name": f"{key}/default", "wall_ns": 5000.0}
        (folder / name).write_text(json.dumps({"context": {}, "benchmarks": [entry]}))
        return folder / name

    first = measured("first.json", KEYS[0])
    for key, code in ((KEYS[0].removeprefix("fwd_"), 0), (KEYS[1], 2)):
        done = subprocess.run(
            [sys.executable, ROOT / "scripts/performance", "--matrix", "default", first, measured("other.json", key)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code and ("none of its problems" in done.stderr) == (code == 2), done


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        code, out, err = prove(folder, "slower", "faster")
        assert code == 0, err
        assert "2 problems: 1 the same, 1 within 2 %; median 1.000, p95 1.100, worst 1.100" in out, out
        assert "slower on 0" in out, out
        code, out, _ = prove(folder, "faster", "slower")
        assert code == 1 and f"slower on 1: {KEYS[1]}" in out, out
        for other, default in (("untimed", "faster"), ("faster", "untimed"), ("disturbed", "faster")):
            code, out, err = prove(folder, other, default)
            assert code == 3 and out.count("not timed") == 1, out
            assert f"| {KEYS[1].removeprefix('fwd_')} | " in out.split("not timed")[0].splitlines()[-1], out
            timed = 2 if other == "faster" else 1
            assert f"other's pick, {timed} problems: 1 the same" in out and "worst 1.000" in out, out
            assert err == "not timed: 1 of 4 pairs; run it again when the machine is quiet\n", err
        code, out, err = prove(folder, "untimed", "slower")
        assert code == 1 and "not timed" in err, out
        check_keys(folder)
        check_siblings(folder)


main()
