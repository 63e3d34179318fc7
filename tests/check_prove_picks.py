"""scripts/prove-picks tells apart picks that are the same, as good, slower, and not timed.

    python3 tests/check_prove_picks.py ROOT

A stand-in for lora-bench writes plans of two cases and prints the gate's rows that it is told.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(sys.argv[1])
KEYS = ["fwd_m1_k512_n512_r8_f32_acc", "fwd_m16_k512_n512_r8_f32_acc"]
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
ROWS = {"faster": f"IMPROVED       pick/{KEYS[1]}   0.900  0.880..0.920  3.0 %",
        "slower": f"REGRESSED      pick/{KEYS[1]}   1.100  1.080..1.120  3.0 %",
        "untimed": f"ENVIRONMENT    pick/{KEYS[1]}   a sentinel differed",
        "disturbed": f"ENVIRONMENT    pick/{KEYS[1]}   1.000  0.880..1.120  3.0 %  a sentinel differed"}


def prove(folder, other, default):
    bench = folder / "bench"
    bench.write_text(STAND_IN.replace("KEYS", repr(KEYS)))
    bench.chmod(0o755)
    (folder / "problems.txt").write_text("\n".join(KEYS) + "\n")
    (folder / "tuned.json").write_text(json.dumps({"records": []}))
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/prove-picks", folder / "tuned.json", "--other", folder / "tuned.json",
         "--problems", folder / "problems.txt", "--bench", bench, "--out", folder / "out"],
        capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "OTHER": f"{SAME}\n{ROWS[other]}", "DEFAULT": f"{SAME}\n{ROWS[default]}"})
    return done.returncode, done.stdout, done.stderr


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


main()
