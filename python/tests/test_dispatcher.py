import json

import loratune
import pytest

DEVICE = {
    "name": "Fictional F100",
    "type": "gpu",
    "max_work_group_size": 256,
    "local_mem_bytes": 32768,
    "max_alloc_bytes": 1 << 30,
}


def arguments(plan):
    return [argument for launch in plan["launches"] for argument in launch["args"]]


def test_a_pick_without_a_file_is_the_default():
    dispatcher = loratune.Dispatcher(DEVICE)
    choice = dispatcher.pick("fwd_m1_k1024_n1024_r8_f16_acc")
    assert choice.shape_match == "fallback"
    assert choice.device_match == "none"
    assert dispatcher.misses() == ["fwd_m1_k1024_n1024_r8_f16_acc"]
    assert "fallback" in dispatcher.explain("m1_k1024_n1024_r8_f16_acc")


def test_a_plan_is_a_dict():
    plan = loratune.Dispatcher(json.dumps(DEVICE)).plan(loratune.Problem(m=3, k=64, n=32, rank=4))
    assert plan["problem"] == "fwd_m3_k64_n32_r4_f32_acc"
    assert [launch["kernel"] in plan["source"] for launch in plan["launches"]].count(True) > 0
    assert plan["packing"]["a"]["rows"] == 4 and plan["packing"]["b"]["rows"] == 32


def test_a_problem_comes_back_from_its_key():
    for key in (
        "fwd_m1_k64_n32_r4_f16_set",
        "fwd_m7_k64_n32_r1024_f32_acc_align16",
        "fwd_m16_k64_n64+32+32_r8_f32_w_bf16_acc_dora_a8",
    ):
        assert str(loratune.Problem.parse(key)) == key
    with pytest.raises(loratune.Error, match=r"LORATUNE_INVALID_VALUE.*no problem key"):
        loratune.Problem.parse("m1")


def test_a_key_is_answered_with_all_that_it_says():
    dispatcher = loratune.Dispatcher(DEVICE)
    key = "fwd_m16_k64_n64+32+32_r8_f16_acc_a8"
    plan = dispatcher.plan(key)
    assert plan["problem"] == key
    assert {argument["slice"] for argument in arguments(plan) if "slice" in argument} == {0, 1, 2}
    assert "slots" in {argument["role"] for argument in arguments(plan)}
    dispatcher.pick(key)
    assert dispatcher.misses() == [key]
    assert key in dispatcher.explain(key)


def test_a_plan_says_the_type_that_weights_are_packed_in():
    for types, dtype in (("f32_w_bf16", "bf16"), ("bf16_w_f32", "f32"), ("f16", "f16")):
        packing = loratune.Dispatcher(DEVICE).plan(f"m16_k64_n32_r8_{types}_acc")["packing"]
        assert {packing["a"]["dtype"], packing["b"]["dtype"]} == {dtype}


def test_what_is_refused_says_why(tmp_path):
    with pytest.raises(loratune.Error, match="LORATUNE_INVALID_FILE"):
        loratune.Dispatcher(DEVICE, b"{}")
    with pytest.raises(loratune.Error, match="No such file"):
        loratune.Dispatcher(DEVICE, tmp_path / "absent.json")
    with pytest.raises(loratune.Error, match="/compute_units"):
        loratune.Dispatcher({**DEVICE, "compute_units": 0})
    with pytest.raises(loratune.Error, match="rank = 0"):
        loratune.Dispatcher(DEVICE).pick(loratune.Problem(m=1, k=1, n=1, rank=0))
    with pytest.raises(loratune.Error, match="slice"):
        loratune.Dispatcher(DEVICE).pick(loratune.Problem(m=1, k=1, n=9, rank=1, slices=(1,) * 9))


@pytest.mark.parametrize(
    ("field", "value"), [("dtype", "float64"), ("dtype", ">f4"), ("weights_dtype", "int8"), ("mode", "x")]
)
def test_a_name_that_is_none_is_refused_with_those_there_are(field, value):
    allowed = "fast, deterministic, batch_invariant" if field == "mode" else "float32, float16, bfloat16"
    with pytest.raises(ValueError, match=f"the {field} must be one of {allowed}, not '{value}'"):
        loratune.Problem(**{"m": 1, "k": 8, "n": 8, "rank": 4, field: value})


def test_a_tuned_file_answers(source):
    tuned = source / "results" / "tuned" / "pocl-epyc-2-cores.json"
    dispatcher = loratune.Dispatcher(DEVICE, tuned.read_bytes())
    assert dispatcher.pick("m1_k1024_n1024_r8_f16_acc").device_match == "none"
