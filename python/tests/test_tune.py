import loratune
import pytest

pytest.importorskip("pyopencl")


def test_tune_writes_a_file_that_answers(queue, tmp_path):
    seen = []
    key = "fwd_m2_k64_n64_r4_f32_acc"
    tuned = loratune.tune(
        [key],
        out=tmp_path / "tuned.json",
        budget="2s",
        device=queue.device.name.strip(),
        progress=seen.append,
    )
    choice = loratune.Dispatcher(queue.device, tuned).pick(key)
    assert (choice.device_match, choice.shape_match) == ("exact", "exact")
    assert (seen[-1].decided, seen[-1].problems) == (1, 1)


STAND_IN = """#!/bin/sh
echo "3 of 9 problems after 59:59" >&2
echo "4 of 9 problems after 1:00:05" >&2
"""


def test_progress_goes_on_after_an_hour(tmp_path, monkeypatch):
    bench = tmp_path / "lora-bench"
    bench.write_text(STAND_IN)
    bench.chmod(0o755)
    monkeypatch.setattr("loratune._tune.lora_bench", lambda: str(bench))
    seen = []
    loratune.tune(["fwd_m2_k64_n64_r4_f32_acc"], out=tmp_path / "tuned.json", progress=seen.append)
    assert [(one.decided, one.seconds) for one in seen] == [(3, 3599), (4, 3605)]


def test_the_mode_is_that_of_the_problems(tmp_path, monkeypatch):
    bench, told = tmp_path / "lora-bench", tmp_path / "told"
    bench.write_text(f'#!/bin/sh\necho "$@" > {told}\n')
    bench.chmod(0o755)
    monkeypatch.setattr("loratune._tune.lora_bench", lambda: str(bench))
    key = "fwd_m4_k64_n64_r4_f32_acc"
    fast, same = (loratune.Problem.parse(key, mode) for mode in ("fast", "deterministic"))
    for problems, mode, wanted in (
        ([same], None, "deterministic"),
        ((one for one in (same, key)), None, "deterministic"),
        ([same, key], "deterministic", "deterministic"),
        ([key], "batch_invariant", "batch_invariant"),
        ([fast], None, "fast"),
        ([key], None, "fast"),
    ):
        loratune.tune(problems, out=tmp_path / "tuned.json", mode=mode)
        assert f"--mode {wanted}" in told.read_text()
    told.unlink()
    for problems, mode in (([fast, same], None), ([same], "fast"), ([fast], "deterministic")):
        with pytest.raises(ValueError, match="must be of one mode, not of deterministic and fast"):
            loratune.tune(problems, out=tmp_path / "tuned.json", mode=mode)
    assert not told.exists()


def test_a_failure_says_what_lora_bench_said(tmp_path):
    with pytest.raises(loratune.TuneError, match="no problem key") as raised:
        loratune.tune(["nonsense"], out=tmp_path / "tuned.json")
    assert raised.value.code == 2


def test_a_text_is_no_list_of_problems():
    with pytest.raises(TypeError, match="like \\[key\\]"):
        loratune.tune("fwd_m4_k64_n64_r4_f32_acc")
