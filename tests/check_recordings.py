"""Recordings go to Kernel Tuner caches and T4 results and come back; damaged ones are refused, and no other file
is lost.

python3 tests/check_recordings.py ROOT
"""

import gzip
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(sys.argv[1])
sys.path.insert(0, str(ROOT / "scripts"))
import recordings  # noqa: E402

HEADER = {
    "schema": "loratune/recording",
    "version": 1,
    "device": {"name": "made up"},
    "kernels": {},
    "variants": [{"name": "a", "parameters": ["X", "Y"]}, {"name": "b", "parameters": ["Z"]}],
}
KEY = "fwd_m1_k512_n512_r8_f32_acc"
LINES = [
    {"problem": KEY, "variant": "b", "config": [4], "outcome": "correct", "ns": [9e3, 5e3, 7e3]},
    {"problem": KEY, "variant": "a", "config": [1, 2], "outcome": "correct", "ns": [8e3, 4e3, 4e3]},
    {"problem": KEY, "variant": "a", "config": [1, 4], "outcome": "slow", "ns": [9e4]},
    {"problem": KEY, "variant": "a", "config": [2, 2], "outcome": "compile"},
    {"problem": KEY, "variant": "a", "config": [2, 4], "outcome": "constraints"},
    {"problem": KEY, "variant": "b", "config": [8], "outcome": "skipped"},
]


def convert(*words):
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts/convert-recording"), *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )


def near(a, b):
    return a == b or (a is not None and b is not None and abs(a - b) < 1e-6 * b)


def check_round_trip(kind, folder):
    source, back = folder / "r.jsonl.gz", folder / f"{kind}.jsonl"
    assert convert("--to", kind, source, folder / kind).returncode == 0
    for path in (folder / kind).iterdir():  # a key may leave out what it begins with
        path.write_text(path.read_text().replace('"fwd_', '"'))
        path.rename(path.with_name(path.name.removeprefix("fwd_")))
    made = convert("--from", kind, "--header", source, folder / kind, back)
    assert made.returncode == 0, made.stderr
    _, problems = recordings.read(back)
    known = {(line["variant"], *line["config"]): line for line in LINES if line["outcome"] != "skipped"}
    assert len(problems[KEY]) == len(known)
    assert problems[KEY][0]["config"] == LINES[0]["config"], "the default comes first"
    for line in problems[KEY]:
        was = known[(line["variant"], *line["config"])]
        assert near(recordings.time_ns(line), recordings.time_ns(was)), (line, was)
        timed = was["outcome"] in ("correct", "slow")
        assert line["outcome"] == ("correct" if timed else was["outcome"]), (line, was)


def check_cache(folder):
    cache = json.loads((folder / f"kernel-tuner/{KEY.removeprefix('fwd_')}.a.json").read_text())
    assert cache["tune_params_keys"] == ["X", "Y"] and cache["tune_params"]["Y"] == [2, 4]
    assert near(cache["cache"]["1,2"]["time"], 0.004), "milliseconds"
    assert cache["cache"]["2,2"]["time"] == "CompilationFailedConfig"


def check_damage(folder):
    path = folder / "damaged"
    whole = gzip.compress("\n".join(json.dumps(line) for line in [HEADER, *LINES]).encode())
    for content in (b"", b"{}", b"nonsense", whole[:-20], json.dumps({"schema": "x"}).encode()):
        path.write_bytes(content)
        refused = convert("--to", "t4", path, folder / "none")
        assert refused.returncode == 2 and len(refused.stderr.splitlines()) == 1, refused.stderr


def check_kept(folder):
    """Nothing but a recording, an empty file or an empty folder is written over."""
    source = folder / "r.jsonl.gz"
    linked = folder / "link"
    linked.symlink_to(source)
    text = folder / "mine.txt"
    text.write_text("mine\n")
    os.mkfifo(folder / "pipe")
    filled = folder / "t4"
    for out in (source, linked, text, folder / "pipe", next(filled.iterdir()), filled):
        before = out.read_bytes() if out.is_file() else None
        refused = convert("--from", "t4", "--header", source, filled, out)
        assert refused.returncode == 2 and "not overwritten" in refused.stderr, (out, refused)
        assert refused.stderr.count("\n") == 1 and (before is None or out.read_bytes() == before), out
    before = {path: path.read_bytes() for path in filled.iterdir()}
    refused = convert("--to", "kernel-tuner", source, filled)
    assert refused.returncode == 2 and "not empty" in refused.stderr, refused
    assert before == {path: path.read_bytes() for path in filled.iterdir()}
    (folder / "empty").touch()
    (folder / "empty-folder").mkdir()
    for out in (folder / "empty", folder / "t4.jsonl"):
        assert convert("--from", "t4", "--header", source, filled, out).returncode == 0, out
    assert (folder / "empty").read_bytes() == (folder / "t4.jsonl").read_bytes()
    assert convert("--to", "t4", source, folder / "empty-folder").returncode == 0


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recordings.write(folder / "r.jsonl.gz", HEADER, {KEY: LINES})
        assert recordings.read(folder / "r.jsonl.gz") == (HEADER, {KEY: LINES})
        for kind in ("kernel-tuner", "t4"):
            check_round_trip(kind, folder)
        check_cache(folder)
        check_damage(folder)
        check_kept(folder)
    print("recordings: there and back")


if __name__ == "__main__":
    main()
